test_that("either likelihood can be asked for, as in lme4", {
  skip_if_not_installed("lme4")
  d <- plain_data("sleepstudy", "lme4")
  for (reml in c(TRUE, FALSE)) {
    ours <- mixedlm(Reaction ~ Days + (Days | Subject), d, REML = reml)
    theirs <- lme4::lmer(Reaction ~ Days + (Days | Subject), d, REML = reml)
    expect_equal(logLik(ours), logLik(theirs), tolerance = 1e-8)
    expect_equal(as.numeric(logLik(ours, REML = !reml)), as.numeric(logLik(theirs, REML = !reml)), tolerance = 1e-6)
    expect_equal(AIC(ours), AIC(theirs), tolerance = 1e-8)
    expect_equal(BIC(ours), BIC(theirs), tolerance = 1e-8)
    expect_equal(extractAIC(ours), extractAIC(theirs), tolerance = 1e-7)
  }
})

test_that("deviance of a REML fit must say which", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
  expect_warning(value <- deviance(fit), class = "mixedlm_warning_deviance")
  expect_identical(value, fit$criterion)
  expect_equal(deviance(fit, REML = TRUE), fit$criterion)
  expect_equal(REMLcrit(fit), fit$criterion)
  expect_gt(deviance(fit, REML = FALSE), deviance(update(fit, REML = FALSE)))
  expect_error(logLik(fit, REML = "yes"), class = "mixedlm_error_argument")
})

test_that("degrees of freedom count free parameters only", {
  slopes <- mixedlm(Weight ~ Time, dietox, groups = "Pig", re_formula = ~Time)
  diagonal <- mixedlm(Weight ~ Time, dietox, groups = "Pig", re_formula = ~Time, free = "diagonal")
  expect_equal(attr(logLik(slopes), "df"), 6)
  expect_equal(attr(logLik(diagonal), "df"), 5)
})

test_that("extractAIC() checks its multiplier", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig", REML = FALSE)
  expect_equal(extractAIC(fit, k = 0)[2L], -2 * as.numeric(logLik(fit)))
  for (k in list("2", mean, c(1, 2), NULL, NA_real_)) {
    expect_error(extractAIC(fit, k = k), class = "mixedlm_error_argument")
  }
})
