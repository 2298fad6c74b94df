d <- data.frame(
  y = c(3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8), x = c(1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3.5),
  z = c(2, 7, 1, 8, 2, 8, 1, 8, 2, 8, 4, 5), g = rep(c("a", "b", "c", "d"), each = 3), f = rep(c("u", "v", "w"), 4)
)
model <- function(re = ~x, vc = NULL, formula = y ~ x, groups = list(expr = quote(g), label = "g")) {
  p <- parse_formula(formula, groups, re, vc)
  build_design(p, model_frame(p, d))
}
structures <- function(design) vapply(design$terms, `[[`, "", "structure")

test_that("nothing changes without start and free", {
  design <- model()
  expect_identical(set_parameters(design, NULL, NULL), design)
})

test_that("diagonal makes correlated effects independent and leaves components alone", {
  made <- set_parameters(model(vc = list(f = ~ 0 + f)), NULL, "diagonal")
  expect_identical(structures(made), c("diagonal", "scalar"))
  expect_null(made$start)
})

test_that("the identity as a mask is the same as diagonal", {
  made <- set_parameters(model(), NULL, mixedlm_params(c(1, 1), diag(2)))
  expect_identical(structures(made), "diagonal")
  expect_null(made$terms[[1L]]$free)
  expect_null(made$held)
})

test_that("a mask holds elements of the Cholesky factor at the start, the identity by default", {
  mask <- mixedlm_params(cov_re = matrix(c(1, 1, 1, 0), 2))
  made <- set_parameters(model(), NULL, mask)
  expect_identical(made$terms[[1L]]$free, c(TRUE, TRUE, FALSE))
  expect_equal(made$start, c(sqrt(4 / nrow(d)), 0, 1))
  from <- mixedlm_params(cov_re = matrix(c(4, 2, 2, 10), 2))
  expect_equal(set_parameters(model(), from, mask)$start, c(2, 1, 3))
  # covariances that are held at something else than zero need the full structure
  held <- set_parameters(model(), from, mixedlm_params(cov_re = diag(2)))
  expect_identical(structures(held), "unstructured")
  expect_identical(held$terms[[1L]]$free, c(TRUE, FALSE, TRUE))
})

test_that("components are held by name or by place", {
  vc <- list(f = ~ 0 + f, a = ~ 0 + x)
  by_name <- set_parameters(model(~1, vc), mixedlm_params(vcomp = c(f = 4, a = 9)), mixedlm_params(vcomp = c(f = 0, a = 1)))
  expect_equal(by_name$start, c(sqrt(4 / nrow(d)), 3, 2))
  expect_identical(lapply(by_name$terms, `[[`, "free"), list(NULL, NULL, FALSE))
  by_place <- set_parameters(model(~1, vc), mixedlm_params(vcomp = c(9, 4)), mixedlm_params(vcomp = c(1, 0)))
  expect_identical(by_place$start, by_name$start)
})

test_that("terms that start says nothing about start on their own scale", {
  vc <- list(a = ~ 0 + x)
  made <- set_parameters(model(~1, vc), mixedlm_params(cov_re = 4), NULL)
  expect_equal(made$start, c(2, sqrt(4 / sum(d$x^2))))
})

test_that("start is read from lme4's theta and from statsmodels' scale alike", {
  want <- c(2, 1, 3)
  expect_identical(set_parameters(model(), want, NULL)$start, want)
  expect_identical(set_parameters(model(), list(theta = want), NULL)$start, want)
  expect_equal(set_parameters(model(), mixedlm_params(cov_re = matrix(c(4, 2, 2, 10), 2)), NULL)$start, want)
  singular <- mixedlm_params(cov_re = matrix(c(4, 2, 2, 1), 2))
  expect_equal(set_parameters(model(), singular, NULL)$start, c(2, 1, 0))
  expect_equal(set_parameters(model(), mixedlm_params(cov_re = matrix(0, 2, 2)), NULL)$start, c(0, 0, 0))
  two <- model(NULL, NULL, y ~ x + (1 | g) + (0 + x | g), NULL)
  expect_equal(set_parameters(two, mixedlm_params(cov_re = diag(c(4, 9))), NULL)$start, c(2, 3))
  expect_error(
    set_parameters(two, mixedlm_params(cov_re = matrix(c(4, 1, 1, 9), 2)), NULL),
    class = "mixedlm_error_start"
  )
})

test_that("slopes on factors that are not the groups follow in cov_re", {
  crossed <- model(NULL, NULL, y ~ x + (x | g) + (1 | f), NULL)
  expect_identical(vapply(crossed$terms, function(t) length(t$columns), 0L), 2:1)
  from <- mixedlm_params(cov_re = matrix(c(4, 2, 2, 10), 2), vcomp = c(f = 9))
  expect_equal(set_parameters(crossed, from, NULL)$start, c(2, 1, 3, 3))
  masked <- set_parameters(crossed, NULL, mixedlm_params(cov_re = diag(2)))
  expect_identical(structures(masked), c("diagonal", "unstructured"))
  expect_error(set_parameters(crossed, mixedlm_params(cov_re = diag(3)), NULL), "2 x 2", class = "mixedlm_error_start")
  # below the groups: the groups' own effects alone, or all of them
  below <- model(NULL, NULL, y ~ x + (1 | g) + (0 + x | g:f), NULL)
  expect_equal(set_parameters(below, mixedlm_params(cov_re = 4), NULL)$start[2L], 2)
  expect_equal(set_parameters(below, mixedlm_params(cov_re = diag(c(4, 9))), NULL)$start, c(3, 2))
})

test_that("a fixed effect that is held moves into the offset and comes back", {
  made <- set_parameters(model(), mixedlm_params(fe_params = c(1, 0.5)), mixedlm_params(fe_params = c(1, 0)))
  expect_identical(made$held, c(NA, 0.5))
  reduced <- drop_held(made)
  expect_identical(reduced$offset, 0.5 * d$x)
  expect_identical(colnames(reduced$x), "(Intercept)")
  expect_equal(reduced$terms[[1L]]$z, cbind(1, d$x), ignore_attr = TRUE)
  raw <- list(beta = 3, kept = 1L, rank = 1L, beta_cov_unscaled = matrix(0.2), dbeta_psi = matrix(1:3, 1))
  back <- restore_held(raw, made$held)
  expect_identical(back$beta, c(3, 0.5))
  expect_identical(back$kept, 1:2)
  expect_identical(back$beta_cov_unscaled, matrix(c(0.2, 0, 0, 0), 2))
  expect_identical(dim(back$dbeta_psi), c(2L, 3L))
})

test_that("columns are found again after others were held", {
  wide <- model(~ 0 + z, NULL, y ~ x + z)
  expect_identical(wide$terms[[1L]]$x_columns, 3L)
  reduced <- drop_held(set_parameters(wide, NULL, mixedlm_params(fe_params = c(1, 0, 1))))
  expect_identical(reduced$terms[[1L]]$x_columns, 2L)
  expect_identical(reduced$offset, 0 * d$x)
})

test_that("the factor of a semidefinite matrix multiplies back to it", {
  set.seed(5)
  for (rank in 0:4) {
    half <- matrix(rnorm(4 * rank), 4, rank)
    a <- half %*% t(half)
    l <- semidefinite_cholesky(a)
    expect_equal(l %*% t(l), a, tolerance = 1e-8)
    expect_true(all(l[upper.tri(l)] == 0))
  }
})
