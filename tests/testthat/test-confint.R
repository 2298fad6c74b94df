pig <- function() mixedlm(Weight ~ Time, dietox, groups = "Pig")

test_that("profile intervals by default, with lme4's names", {
  ci <- confint(pig())
  expect_identical(dimnames(ci), list(c(".sig01", ".sigma", "(Intercept)", "Time"), c("2.5 %", "97.5 %")))
  expect_equal(confint(pig(), "Time"), ci["Time", , drop = FALSE], tolerance = 1e-8)
  expect_equal(confint(pig(), "theta_"), ci[1:2, ], tolerance = 1e-8)
  expect_equal(confint(pig(), 4:3), ci[4:3, ], tolerance = 1e-8)
  long <- confint(pig(), oldNames = FALSE)
  expect_identical(rownames(long), c("sd_(Intercept)|Pig", "sigma", "(Intercept)", "Time"))
  expect_equal(confint(pig(), "sd_(Intercept)|Pig"), ci[1L, , drop = FALSE], tolerance = 1e-8)
  expect_identical(colnames(confint(pig(), "Time", level = 0.9)), c("5 %", "95 %"))
})

test_that("limits are where the likelihood ratio test stands on edge", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig", REML = FALSE)
  ci <- confint(fit, "Time", level = 0.9)
  for (limit in ci) {
    held <- mixedlm(Weight ~ 1, dietox, groups = "Pig", offset = limit * dietox$Time, REML = FALSE)
    expect_equal(held$criterion - fit$criterion, qchisq(0.9, 1), tolerance = 1e-6)
  }
})

test_that("Wald intervals: fixed effects as they are, the others inside their range", {
  fit <- pig()
  ci <- confint(fit, method = "Wald")
  expect_identical(rownames(ci), c(".sig01", ".sigma", "(Intercept)", "Time"))
  expect_equal(rowMeans(ci)[3:4], fixef(fit))
  expect_equal(unname(ci[3:4, 2L] - ci[3:4, 1L]), unname(2 * qnorm(0.975) * sqrt(diag(vcov(fit)))))
  # log sd = log(variance) / 2
  se <- sqrt(diag(vcov(fit, "varcomp"))) / (2 * c(fit$vcomp, fit$cov_re, fit$scale))
  expect_equal(unname(log(ci[1:2, 2L] / ci[1:2, 1L])), unname(2 * qnorm(0.975) * se))
  expect_equal(unname(sqrt(ci[1:2, 1L] * ci[1:2, 2L])), c(sqrt(fit$cov_re[[1L]]), sigma(fit)))
})

test_that("Wald limits of a correlation are those of Fisher's z", {
  fit <- mixedlm(Reaction ~ Days + (Days | Subject), plain_data("sleepstudy", "lme4"))
  model <- oracle_model(build_design(fit$parsed, fit$frame), TRUE)
  cov <- oracle_varcomp_cov(model, fit$psi, fit$scale)
  z <- function(v) atanh(v[2L] / sqrt(v[1L] * v[3L]))
  at <- c(fit$cov_re[c(1L, 2L, 4L)], fit$scale)
  slope <- oracle_gradient(z, at)
  se <- sqrt(drop(slope %*% cov %*% slope))
  expect_equal(unname(confint(fit, ".sig02", method = "Wald")[1L, ]), tanh(z(at) + c(-1, 1) * qnorm(0.975) * se), tolerance = 1e-4)
  ci <- confint(fit, method = "Wald")
  # profile and Wald are not far from each other here
  expect_lt(max(abs(ci - confint(fit)) / abs(confint(fit))[, 2L]), 0.25)
  # crossed, with terms in lme4's order
  crossed <- mixedlm(y ~ a + (1 | i) + (a | s), subjects_items())
  estimates <- sdcor_values(crossed$psi, crossed$scale, sdcor_elements(crossed))
  wald <- confint(crossed, "theta_", method = "Wald")
  expect_true(all(wald[1:4, 1L] < estimates & estimates < wald[1:4, 2L]))
})

test_that("Wald intervals on the boundary are NA", {
  fit <- mixedlm(Yield ~ 1 + (1 | Batch), plain_data("Dyestuff2", "lme4"))
  ci <- confint(fit, method = "Wald")
  expect_true(all(is.na(ci[".sig01", ])))
  expect_false(anyNA(ci[-1L, ]))
})

test_that("statsmodels' intervals are conf_int()", {
  fit <- pig()
  expect_equal(unname(fit$conf_int()[1:2, ]), unname(confint(fit, "beta_", method = "Wald")))
})

test_that("bootstrap intervals come from bootstrap()", {
  skip_if_not(exists("bootstrap", mode = "function"))
  ci <- confint(pig(), "Time", method = "boot", nsim = 20, seed = 1)
  expect_identical(rownames(ci), "Time")
  expect_identical(ci, confint(pig(), "Time", method = "boot", nsim = 20, seed = 1))
})

test_that("wrong arguments are told", {
  fit <- pig()
  expect_error(confint(fit, "Tiem"), class = "mixedlm_error_argument")
  expect_error(confint(fit, 9), class = "mixedlm_error_argument")
  expect_error(confint(fit, level = 95), class = "mixedlm_error_argument")
  expect_error(confint(fit, level = 0), class = "mixedlm_error_argument")
  expect_error(confint(fit, method = "exact"), class = "mixedlm_error_argument")
  expect_error(confint(fit, oldNames = "a"), class = "mixedlm_error_argument")
  expect_error(confint(fit, method = "boot", boot.type = "best"), class = "mixedlm_error_argument")
})

test_that("unknown arguments of confint() are errors", {
  fit <- pig()
  expect_error(confint(fit, levl = 0.9), "level", class = "mixedlm_error_argument")
})

test_that("bootstrap intervals: wrong parameters are told, labels keep their digits", {
  b <- bootstrap(mixedlm(Weight ~ Time, dietox, groups = "Pig"), nsim = 20, seed = 1)
  expect_error(confint(b, list()), class = "mixedlm_error_argument")
  expect_error(confint(b, c(-1, 1)), class = "mixedlm_error_argument")
  expect_identical(colnames(confint(b, level = 0.999)), c("0.05 %", "99.95 %"))
  error <- expect_error(bootstrap(b$fit, 2, FUN = function() 1), class = "mixedlm_error_bootstrap")
  expect_lt(nchar(conditionMessage(error)), 200L)
})
