test_that("measures are their definitions", {
  fit <- model_pair("grouped")$ours
  without <- influence(fit, "Subject")
  b <- fixef(fit)
  v <- vcov(fit)
  own <- vapply(seq_along(without$deleted), function(i) {
    d <- without[[2L]][i, ] - b
    vi <- without[[6L]][[i]]
    c(
      d %*% solve(v, d) / 2, d %*% solve(vi, d) / 2, det(vi) / det(v),
      abs(sum(diag(solve(v, vi))) - 2), d / sqrt(diag(vi))
    )
  }, numeric(6))
  expect_equal(unname(cooks.distance(without, "classical")), own[1L, ])
  expect_equal(unname(cooks.distance(without)), own[1L, ] * 16 / 18)
  expect_equal(unname(mdffits(without)), own[2L, ])
  expect_equal(unname(covratio(without)), own[3L, ])
  expect_equal(unname(covtrace(without)), own[4L, ])
  expect_equal(unname(dfbetas(without)), unname(t(own[5:6, ])))
  expect_equal(unname(rvc(without)), unname(sweep(without[[4L]], 2L, without[[3L]], `/`) - 1))
  for (f in list(cooks.distance, mdffits, covratio, covtrace)) {
    expect_identical(names(f(without)), as.character(without$deleted))
  }
  expect_identical(dimnames(rvc(without)), dimnames(without[[4L]]))
})

test_that("measures do not depend on units", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
  scaled <- mixedlm(Weight ~ Time, transform(dietox, Weight = 1e6 * Weight, Time = Time / 1e6), groups = "Pig")
  for (f in list(cooks.distance, mdffits, covratio, covtrace, dfbetas)) {
    expect_equal(f(influence(scaled, "Litter")), f(influence(fit, "Litter")), tolerance = 1e-5)
  }
})

test_that("a fit is taken as well, and other objects go where they belong", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
  without <- influence(fit, "Litter")
  expect_equal(dfbeta(fit, "Litter"), dfbeta(without))
  expect_equal(dfbeta(fit, "Litter", which = "var.cov"), dfbeta(without, "var.cov"))
  expect_equal(dfbetas(fit, groups = "Litter"), dfbetas(without))
  expect_equal(covratio(fit, groups = "Litter"), covratio(without))
  expect_equal(covtrace(fit, groups = "Litter"), covtrace(without))
  expect_equal(mdffits(fit, groups = "Litter"), mdffits(without))
  expect_equal(rvc(fit, groups = "Litter"), rvc(without))
  expect_equal(
    cooks.distance(fit, groups = "Litter", method = "fixed"),
    cooks.distance(influence(fit, "Litter", method = "fixed"))
  )
  linear <- lm(Weight ~ Time, dietox)
  expect_identical(covratio(linear), stats::covratio(linear))
  for (f in list(covtrace, mdffits, rvc)) {
    expect_error(f(1), class = "mixedlm_error_argument")
  }
})

test_that("one fixed effect, and none", {
  one <- influence(model_pair("nested")$ours, "batch")
  expect_identical(dim(dfbetas(one)), c(10L, 1L))
  expect_equal(drop(dfbetas(one))^2, mdffits(one))
  none <- mixedlm(Weight ~ 0 + (1 | Pig), dietox)
  empty <- influence(none, "Litter")
  expect_identical(ncol(empty[[2L]]), 0L)
  expect_true(all(covratio(empty) == 1))
  expect_identical(dim(rvc(empty)), c(length(empty$deleted), 2L))
})

test_that("the table has a row for each deletion, and is printed in short", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig", re_formula = ~Time)
  without <- influence(fit, "Pig")
  table <- as.data.frame(without)
  expect_identical(nrow(table), 72L)
  expect_identical(names(table)[1:6], c("deleted", "size", "cooks.distance", "mdffits", "covratio", "covtrace"))
  expect_equal(table$cooks.distance, unname(cooks.distance(without)))
  expect_equal(table[["dfbetas.Time"]], unname(dfbetas(without)[, "Time"]))
  expect_equal(table[["rvc.sigma^2"]], unname(rvc(without)[, 1L]))
  expect_identical(sum(table$size), nobs(fit))
  expect_output(print(without), "72 deletions \\(levels of Pig\\), method \"exact\"")
  expect_output(print(influence(fit, do.coef = FALSE)), "Leverages of 861 rows")
})

test_that("bad input is classed", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
  leverages <- influence(fit, do.coef = FALSE)
  for (f in list(cooks.distance, dfbeta, dfbetas, covratio, covtrace, mdffits, rvc, as.data.frame)) {
    expect_error(f(leverages), class = "mixedlm_error_argument")
  }
  without <- influence(fit, "Litter")
  expect_error(cooks.distance(without, "theirs"), class = "mixedlm_error_argument")
  expect_error(dfbeta(without, "random"), class = "mixedlm_error_argument")
  for (f in list(cooks.distance, dfbeta, dfbetas, covratio, covtrace, mdffits, rvc, as.data.frame)) {
    expect_error(f(without, colour = 1), class = "mixedlm_error_argument")
  }
})

test_that("a measure that needs the inverse of a singular covariance is NA", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
  parts <- list(
    change = rbind(c(1, 2), c(0, 1)), all = matrix(1, 2, 2), without = list(diag(2), matrix(1, 2, 2)), ok = c(TRUE, TRUE), p = 2
  )
  expect_equal(quadratic_forms(parts, function(i) parts$without[[i]]), c(5, NA))
})
