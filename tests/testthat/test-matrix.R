set.seed(2)
n <- 24
X <- cbind(1, rnorm(n), rnorm(n))
y <- rnorm(n)
g <- rep(letters[1:6], 4)

matrix_design <- function(X, y, groups = NULL, exog_re = NULL, exog_vc = NULL, ...) {
  m <- matrix_model(X, y, groups, exog_re, exog_vc)
  p <- parse_formula(m$fixed, m$groups, m$re_formula, m$vc_formula)
  finish_matrix_design(build_design(p, model_frame(p, m$data, ...)), m)
}

test_that("columns without names are called as statsmodels calls them", {
  expect_identical(exog_names(X), c("const", "x1", "x2"))
  expect_identical(exog_names(X[, 2:3]), c("x1", "x2"))
  expect_identical(exog_names(X[, c(2, 1, 3)]), c("x1", "const", "x2"))
  expect_identical(exog_names(cbind(1, 2, X)), c("const", "x1", "x2", "x3", "x4"))
  made <- matrix_design(X, y, g, X[, 1:2])
  expect_identical(colnames(made$x), c("const", "x1", "x2"))
  expect_identical(made$terms[[1L]]$columns, c("x_re1", "x_re2"))
})

test_that("X, y and groups arrive as they are, and columns of exog_re that X holds are reused", {
  made <- matrix_design(X, y, g, X[, c(1, 3)])
  expect_equal(made$x, X, ignore_attr = TRUE)
  expect_identical(made$y, y)
  expect_identical(made$terms[[1L]]$x_columns, c(0L, 3L))
  expect_identical(made$factors[[1L]]$levels, letters[1:6])
  expect_null(matrix_design(X, y, g, cbind(1, X[, 2]^2))$terms[[1L]]$x_columns)
  expect_identical(matrix_design(X, y, g)$terms[[1L]]$columns, "(Intercept)")
})

test_that("names that are given are kept, whatever they are", {
  named <- X
  colnames(named) <- c("a b", "y", "Group")
  made <- matrix_design(named, y, g, named[, 1:2])
  expect_identical(colnames(made$x), colnames(named))
  expect_identical(made$terms[[1L]]$columns, colnames(named)[1:2])
  expect_identical(made$terms[[1L]]$x_columns, c(0L, 2L))
  expect_equal(made$x, named, ignore_attr = TRUE)
  frame <- as.data.frame(X)
  expect_identical(colnames(matrix_design(frame, y, g)$x), names(frame))
})

test_that("variance components may be factors, columns, or one matrix for each group", {
  f <- rep(c("u", "v"), each = 12)
  made <- matrix_design(X, y, g, NULL, list(b = f, a = X[, 2], c = X[, 2:3]))
  expect_identical(vapply(made$terms, `[[`, "", "name"), c("a", "b", "c"))
  expect_identical(vapply(made$terms, `[[`, "", "kind"), rep("vc", 3))
  expect_length(made$factors[[made$terms[[2L]]$factor]]$levels, 12L)
  expect_length(made$terms[[3L]]$columns, 2L)
  by_group <- lapply(split(seq_len(n), g), function(i) X[i, 2:3])
  expect_equal(
    matrix_design(X, y, g, NULL, list(c = by_group))$terms[[1L]]$z,
    X[, 2:3], ignore_attr = TRUE
  )
})

test_that("missing values, weights and subsets are handled as for a formula", {
  y2 <- replace(y, 3, NA)
  g2 <- replace(g, 5, NA)
  made <- matrix_design(X, y2, g2, values = list(weights = seq_len(n), subset = 1:20))
  expect_identical(made$weights, as.double(setdiff(1:20, c(3, 5))))
  expect_equal(made$x, X[setdiff(1:20, c(3, 5)), ], ignore_attr = TRUE)
})
