test_that("a lower minimum beyond the first one is found", {
  # 8 groups of 5: a minimum on the boundary at 140.6235 and one inside at 139.7544
  d <- data.frame(
    g = rep(1:8, each = 5),
    y = c(
      -6.16, -1.89, 1.4, -3.52, -0.8, -0.49, 0.03, -1.36, 1.06, 0.93, -0.81, 2.14, 2.67, -2.44,
      -1.51, -4.71, -1, -2.64, 8.19, -5.25, -1.48, 2.54, -0.68, 0.81, 0.52, 2.62, -3.17, -1.71,
      -0.77, 1.8, -0.09, 0.65, 2.83, -1.4, 2.86, -1.6, -2.05, -1.94, -2.65, 1.29
    ),
    x = c(
      -2.74, 0.63, 0.19, 0.81, 0.64, -1.73, -0.26, 0.61, 0.15, -0.54, 0.69, -0.49, 0.3, -0.84,
      0.84, 0.33, 1.65, -0.52, -2.09, -0.83, -1.39, -0.17, 1.44, 1.86, 1.35, -1.14, 0.12, -1.4,
      -0.68, 0.27, 0.2, 0.99, 0.07, -0.13, -0.12, -0.23, -0.69, 0.24, -1.42, 1.32
    ),
    z = c(
      -2.04, -0.43, 0.68, -0.52, -0.13, -0.15, -0.31, -1.83, 0.55, 1.37, 0.23, 0.04, -0.58, 1.4,
      0.81, 1.44, -0.72, 0.53, -3, 2.09, -0.07, -0.97, 0.27, 0.1, 0.34, 0.9, -0.89, -0.24, 0.29,
      0.5, -0.47, 0.52, 0.65, -0.84, 0.78, -0.83, -2.94, -2.6, -3.05, -0.29
    )
  )
  model <- y ~ x + z + (x + z | g)
  fit <- mixedlm(model, d, REML = FALSE)
  expect_equal(fit$criterion, 139.754355, tolerance = 1e-8)
  expect_identical(fit$optinfo$verdict, "optimum")
  there <- mixedlm(model, d, REML = FALSE, start = c(0.61, 0.35, -0.38, 0.27, 2.4, 0))
  expect_gt(there$criterion, 140.6)
})

test_that("the lowest minimum of a single parameter is found, near or far", {
  # minima at 106.062 with a small variance and at 99.2625 with a large one
  d <- data.frame(
    g = c(7, 5, 5, 3, 7, 1, 7, 4, 8, 8, 7, 5, 6, 7, 7, 1, 5, 7, 6, 1, 1, 3, 9, 2, 2),
    x = c(
      0.36, 0.25, 0.58, 0.42, -0.66, 2.75, 1.77, 0.94, -0.79, -1.41, -0.36, 0.5, -0.86, 0.51, -1.75, -0.74, 1.84, 0.6,
      -0.11, 0.52, 1.09, 0.33, 1.85, -1.12, 0.25
    ),
    y = c(
      0.96, 0.81, 2.89, -4.74, 2.35, 4.86, 3.51, 2.1, 2.09, 1.74, 0.71, 2.65, 1.01, 1.74, -2.11, 1.01, 2.95, 1.94,
      0.18, 1.85, 3.53, -4.65, 0.35, -0.05, 1.22
    )
  )
  expect_equal(mixedlm(y ~ x + (0 + x | g), d)$criterion, 99.26254417, tolerance = 1e-9)
  expect_gt(mixedlm(y ~ x + (0 + x | g), d, start = 0.3)$criterion, 106)

  # weights over decades put other minima far away: against the criterion on a fine grid
  lowest <- function(model, d) {
    fit <- mixedlm(model, d, weights = w)
    model <- oracle_model(build_design(fit$parsed, fit$frame), TRUE)
    at <- function(t) oracle_criterion(model, list(matrix(exp(2 * t))))
    grid <- seq(-9, 9, by = 0.1)
    best <- grid[which.min(vapply(grid, at, 0))]
    min(at(-30), stats::optimize(at, best + c(-0.1, 0.1), tol = 1e-8)$objective) - fit$criterion
  }
  for (seed in 1:40) {
    set.seed(seed)
    d <- data.frame(g = sample(8, 20, TRUE), x = rnorm(20), w = 10^runif(20, -2, 2))
    d$y <- d$x + 3 * d$x * rnorm(8)[d$g] + rnorm(20) / sqrt(d$w)
    expect_lt(abs(lowest(if (seed %% 2) y ~ x + (0 + x | g) else y ~ x + (1 | g), d)), 1e-5)
  }
})

test_that("a correlated slope may be far from its origin", {
  for (seed in 1:6) {
    set.seed(seed)
    d <- data.frame(g = rep(1:12, each = 5), h = 1:60)
    d$y <- 2 + rnorm(12)[d$g] * 1.5 + rnorm(60)
    d$time <- as.POSIXct("2020-01-01", tz = "UTC") + d$h * 3600
    near <- expect_silent(mixedlm(y ~ I(3600 * h) + (I(3600 * h) | g), d))
    far <- expect_silent(mixedlm(y ~ time + (time | g), d))
    expect_equal(far$criterion, near$criterion, tolerance = 1e-9)
    expect_identical(far$optinfo$verdict, near$optinfo$verdict)
  }
})

test_that("noise may be next to nothing, with effects that are all but one", {
  set.seed(1)
  g <- rep(1:12, each = 5)
  x <- rnorm(60)
  a <- rnorm(12)
  noise <- rnorm(60)
  for (size in 10^-(3:7)) {
    y <- 1 + 2 * x + a[g] + a[g] * x + size * noise
    fit <- expect_silent(mixedlm(y ~ x + (x | g)))
    expect_lt(abs(sigma(fit) / size - 0.95), 0.25)
    expect_true(fit$optinfo$verdict %in% c("optimum", "boundary"))
    again <- expect_silent(mixedlm(y ~ x + (x | g), start = c(1, 1, 0) / size))
    expect_equal(again$criterion, fit$criterion, tolerance = 1e-6)
  }
})

test_that("a start far away leads to the optimum all the same", {
  skip_if_not_installed("lme4")
  model <- Reaction ~ Days + (Days | Subject)
  best <- mixedlm(model, lme4::sleepstudy)$criterion
  for (start in list(c(1e4, 0, 1e4), c(1e6, 1e6, -1e6), c(1e-6, 0, 1e-6), c(0, 0, 0))) {
    fit <- expect_silent(mixedlm(model, lme4::sleepstudy, start = start))
    expect_equal(fit$criterion, best, tolerance = 1e-10)
    expect_true(all(diag(fit$theta[[1L]]) >= 0))
  }
})

test_that("no variance between groups is a boundary also where that within them is huge", {
  set.seed(2)
  repeat {
    d <- expand.grid(r = 1:4, b = 1:3, a = 1:8)
    d$y <- rnorm(24, sd = 1000)[(d$a - 1) * 3 + d$b] + rnorm(nrow(d))
    fit <- expect_silent(mixedlm(y ~ 1 + (1 | a / b), d))
    if (fit$theta[[2L]][1L] == 0) break
  }
  expect_identical(fit$optinfo$verdict, "boundary")
})

test_that("a model with one parameter too many is flat, and says so", {
  for (seed in 1:4) {
    set.seed(seed)
    d <- data.frame(g = rep(1:15, each = 7), f = gl(2, 1, 105))
    d$y <- rnorm(15)[d$g] + rnorm(15, sd = 2)[d$g] * (d$f == "1") + rnorm(105)
    expect_warning(
      fit <- mixedlm(y ~ f + (1 | g) + (0 + f | g), d),
      class = "mixedlm_warning_flat"
    )
    expect_identical(fit$optinfo$verdict, "flat")
  }
})

test_that("a search that may not go on says so", {
  expect_warning(
    fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig", method = "em", control = list(maxit = 3)),
    class = "mixedlm_warning_maxit"
  )
  expect_identical(fit$optinfo$verdict, "maxit")
})

test_that("the number of threads does not change a bit", {
  set.seed(3)
  n <- 60000
  d <- data.frame(g = sample.int(3000, n, TRUE), x = rnorm(n))
  d$y <- d$x + rnorm(3000)[d$g] + rnorm(n)
  fits <- lapply(c(1L, 2L, 4L), function(threads) {
    mixedlm(y ~ x + (x | g), d, control = mixedlm_control(threads = threads))
  })
  fields <- c("fe_params", "vcov_unscaled", "theta", "criterion", "hessian_psi", "b", "fitted")
  for (fit in fits[-1L]) {
    expect_identical(unclass(fit)[fields], unclass(fits[[1L]])[fields])
  }
})

test_that("a fit in a forked process works after one that used threads", {
  skip_on_os("windows")
  set.seed(3)
  n <- 60000
  d <- data.frame(g = sample.int(3000, n, TRUE), x = rnorm(n))
  d$y <- d$x + rnorm(3000)[d$g] + rnorm(n)
  here <- mixedlm(y ~ x + (1 | g), d)
  there <- parallel::mclapply(1:2, function(i) mixedlm(y ~ x + (1 | g), d)$criterion, mc.cores = 2L)
  expect_identical(there, list(here$criterion, here$criterion))
})

test_that("an interrupt ends a fit soon and leaves R usable", {
  set.seed(1)
  n <- 1e6
  d <- data.frame(g = sample.int(3e5, n, TRUE), x = rnorm(n), z = rnorm(n))
  d$y <- d$x + rnorm(3e5)[d$g] + rnorm(n)
  expect_interrupted(function() mixedlm(y ~ x + z + (x + z | g), d))
})

test_that("the core's numbers of factors become their names", {
  design <- list(factors = list(list(name = "s"), list(name = "a\\1%s:b")))
  expect_identical(name_factors("over factor 2 and factor 1", design), "over factor `a\\1%s:b` and factor `s`")
  expect_identical(name_factors("no such word", design), "no such word")
})

test_that("a fit of what the random effects explain exactly is refused", {
  d <- data.frame(g = rep(1:5, each = 4), y = rep(c(1, 5, 2, 8, 3), each = 4))
  expect_error(mixedlm(y ~ 1 + (1 | g), d), class = "mixedlm_error_perfect_fit")
})

test_that("hundreds of fixed effects are no difficulty", {
  set.seed(1)
  p <- 300
  x <- cbind(1, matrix(rnorm(600 * (p - 1)), 600))
  g <- rep(1:30, 20)
  fit <- expect_silent(mixedlm(x, drop(x[, 2]) + rnorm(30)[g] + rnorm(600), groups = g))
  expect_length(fit$fe_params, p)
})

test_that("what double precision loses is said", {
  expect_error(scaled_cholesky(matrix(1, 2, 2) - diag(2), c(1, 1)), class = "mixedlm_error_numerical")
  expect_warning(lost <- without_lost(c(1, -1e-20, NaN, NA)), "2 standard errors", class = "mixedlm_warning_numerical")
  expect_identical(lost, c(1, NA, NA, NA))
  expect_silent(without_lost(c(2, NA)))
  large <- Matrix::Matrix(1e10, 2L, 1L, sparse = TRUE)
  expect_error(sparse_factor(NULL, large), class = "mixedlm_error_numerical")
})
