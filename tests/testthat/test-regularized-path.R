path_fit <- function(...) mixedlm(Weight ~ Time * Cu + Evit, dietox, groups = "Pig", ...)

test_that("a path begins where the first coefficient is about to enter", {
  fit <- path_fit()
  for (l1_ratio in c(1, 0.5)) {
    path <- regularization_path(fit, n_alpha = 8, l1_ratio = l1_ratio)
    expect_identical(path$df[1L], 1)
    weights <- path$weights
    just <- regularization_path(fit, alpha = path$alpha[1L] * c(1 - 1e-6, 1 + 1e-6), l1_ratio = l1_ratio)
    expect_identical(just$df, c(1, 2))
    for (i in c(2, 5, 8)) {
      r <- fit_regularized(fit, alpha = weights * path$alpha[i], l1_ratio = l1_ratio)
      expect_equal(path$coefficients[, i], fixef(r), tolerance = 1e-9)
      expect_equal(path$scale[i], r$scale, tolerance = 1e-9)
    }
  }
})

test_that("nothing enters by rounding at the first penalty", {
  d <- dietox
  set.seed(9)
  d[paste0("x", 1:4)] <- rnorm(4 * nrow(d))
  fit <- mixedlm(Weight ~ Time + x1 + x2 + x3 + x4, d, groups = "Pig", re_formula = ~ Time)
  for (l1_ratio in c(1, 0.7, 0.4, 0.1)) {
    path <- regularization_path(fit, n_alpha = 3, l1_ratio = l1_ratio)
    expect_identical(path$df[1L], 1)
  }
})

test_that("paths with covariances estimated are those of single fits", {
  fit <- path_fit()
  path <- regularization_path(fit, n_alpha = 4, covariance = "estimated", ratio = 0.01)
  expect_identical(path$df[1L], 1)
  r <- fit_regularized(fit, alpha = path$weights * path$alpha[3L], covariance = "estimated")
  expect_equal(path$coefficients[, 3L], fixef(r), tolerance = 1e-7)
})

test_that("cross-validation leaves out whole groups and predicts them", {
  fit <- path_fit(REML = FALSE)
  path <- regularization_path(fit, alpha = c(500, 50, 5), folds = 4, seed = 3)
  expect_identical(path$cv$fold, regularization_path(fit, alpha = c(500, 50, 5), folds = 4, seed = 3)$cv$fold)
  fold <- path$cv$fold[as.character(dietox$Pig)]
  for (k in 1:2) {
    rest <- mixedlm(Weight ~ Time * Cu + Evit, dietox[fold != k, ], groups = "Pig", REML = FALSE)
    x <- model.matrix(fit)[fold == k, ]
    y <- dietox$Weight[fold == k]
    for (i in 1:3) {
      b <- fixef(fit_regularized(rest, alpha = path$weights * path$alpha[i]))
      expect_equal(path$cv$by_fold[k, i], mean((y - x %*% b)^2), tolerance = 1e-7)
    }
  }
  rows <- tabulate(fold)
  expect_equal(path$cv$mean, colSums(path$cv$by_fold * rows) / sum(rows))
  expect_true(path$cv$alpha_1se >= path$cv$alpha_min)
})

test_that("the likelihood of new groups is that of dense algebra", {
  fit <- path_fit()
  path <- regularization_path(fit, alpha = c(100, 10), folds = 3, seed = 3, loss = "loglik")
  fold <- path$cv$fold[as.character(dietox$Pig)]
  rest <- mixedlm(Weight ~ Time * Cu + Evit, dietox[fold != 1, ], groups = "Pig")
  r <- fit_regularized(rest, alpha = path$weights * 10)
  own <- which(fold == 1)
  e <- dietox$Weight[own] - drop(model.matrix(fit)[own, ] %*% fixef(r))
  z <- stats::model.matrix(~ 0 + factor(dietox$Pig[own]))
  v <- r$scale * (diag(length(own)) + r$psi[[1L]][1L] * tcrossprod(z))
  deviance <- length(own) * log(2 * pi) + as.numeric(determinant(v)$modulus) + sum(e * solve(v, e))
  expect_equal(path$cv$by_fold[1L, 2L], deviance / length(own), tolerance = 1e-8)
})

test_that("seeds leave R's generator as it was", {
  fit <- path_fit()
  set.seed(1)
  before <- .Random.seed
  a <- regularization_path(fit, alpha = 5, folds = 3, seed = 7)
  expect_identical(.Random.seed, before)
  b <- regularization_path(fit, alpha = 5, folds = a$cv$fold)
  expect_equal(a$cv$mean, b$cv$mean)
})

test_that("methods know a path", {
  fit <- path_fit()
  path <- regularization_path(fit, n_alpha = 6, folds = 3, seed = 1)
  expect_output(print(path), "Cross-validation in 3 folds")
  expect_identical(coef(path, "min"), path$coefficients[, match(path$cv$alpha_min, path$alpha)])
  table <- as.data.frame(path)
  expect_identical(dim(table), c(48L, 3L))
  x <- model.matrix(fit)
  expect_equal(predict(path, alpha = "1se"), drop(x %*% coef(path, "1se")), ignore_attr = TRUE)
  expect_equal(unname(predict(path, dietox[5:9, ], path$alpha[3L])), unname(drop(x[5:9, ] %*% path$coefficients[, 3L])))
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  expect_silent(plot(path))
  expect_silent(plot(path, "cv"))
  expect_error(coef(path, 1e9), class = "mixedlm_error_penalty")
  expect_error(predict(path, dietox["Time"]), class = "mixedlm_error_newdata")
  expect_error(coef(regularization_path(fit, alpha = 3), "min"), class = "mixedlm_error_penalty")
})

test_that("a path predicts new data as the fit does: with offset, bases and contrasts of the fit", {
  d <- transform(dietox, known = Time^2 / 10, level = factor(Cu))
  old <- options(contrasts = c("contr.sum", "contr.poly"))
  fits <- list(
    mixedlm(Weight ~ poly(Time, 2) + level, d, groups = "Pig", offset = known),
    mixedlm(Weight ~ scale(Time) * level + offset(known), d, groups = "Pig")
  )
  options(old)
  for (fit in fits) {
    path <- regularization_path(fit, alpha = c(5, 0))
    new <- d[c(3, 400, 860), ]
    expect_equal(predict(path, new, alpha = 0), predict(fit, new, re.form = NA), tolerance = 1e-8)
    expect_equal(predict(path, new, alpha = 5), predict(path, alpha = 5)[c(3, 400, 860)], ignore_attr = TRUE)
    expect_error(predict(path, transform(new, level = "other"), alpha = 5), class = "mixedlm_error_new_levels")
  }
})

test_that("paths exist for every kind of model, and folds where there are groups", {
  for (name in c("weighted", "rank_deficient", "crossed_slopes", "grouped")) {
    fit <- model_pair(name)$ours
    path <- regularization_path(fit, n_alpha = 5)
    expect_true(all(diff(path$df) >= 0))
    expect_identical(path$df[1L], 1)
  }
  expect_error(regularization_path(fit <- model_pair("crossed_slopes")$ours, folds = 3), class = "mixedlm_error_penalty")
  weighted <- regularization_path(model_pair("weighted")$ours, n_alpha = 3, folds = 3, seed = 1)
  expect_true(all(is.finite(weighted$cv$mean)))
  expect_error(regularization_path(model_pair("nested")$ours), class = "mixedlm_error_penalty")
})

test_that("what cannot be used is told by its name", {
  fit <- path_fit()
  bad <- list(
    list(alpha = -1), list(alpha = NA), list(n_alpha = 0), list(n_alpha = 2.5), list(ratio = 0), list(ratio = 2),
    list(weights = c(zz = 1)), list(weights = 0), list(weights = -1), list(l1_ratio = 0), list(l1_ratio = 5),
    list(folds = 1, alpha = 1), list(folds = 1e6, alpha = 1), list(folds = "a", alpha = 1)
  )
  for (args in bad) {
    expect_error(do.call(regularization_path, c(list(fit), args)), class = "mixedlm_error_penalty")
  }
  expect_error(regularization_path(fit, seed = "a"), class = "mixedlm_error_argument")
  expect_error(regularization_path(fit, loss = "a"), class = "mixedlm_error_argument")
  expect_error(regularization_path(3), class = "mixedlm_error_object")
})
