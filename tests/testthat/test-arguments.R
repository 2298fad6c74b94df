# Arguments that no function should stumble over.

test_that("digits of every print method must be a number that R can use", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
  b <- bootstrap(fit, nsim = 20, seed = 1)
  shown <- list(
    fit, VarCorr(fit), summary(fit), cAIC(fit), r2(fit), b, summary(b), confint(b), linear_hypothesis(fit, "Time = 7"),
    influence(fit, groups = "Pig", method = "fixed"), profile(fit, which = "Time"), regularization_path(fit, n_alpha = 3)
  )
  for (x in shown) {
    for (digits in list("4", NA, 0, Inf, 1:2, NULL, mean)) {
      expect_error(print(x, digits = digits), "`digits`", class = "mixedlm_error_argument", info = class(x)[1L])
    }
    expect_output(print(x, digits = 4))
  }
})

test_that("a function given where a value is meant is told so", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
  argument <- function(expr, text) expect_error(expr, text, class = "mixedlm_error_argument")
  argument(print(VarCorr(fit), formatter = 3), "`formatter` must be a function")
  argument(summary(fit, vcov = mean), "`vcov`")
  argument(confint(profile(fit, which = "Time"), quiet = "no"), "`quiet` must be TRUE or FALSE")
  argument(from_packed(1, k_fe = 1e10, k_re = 1), "`k_fe` must be a whole number from 0")
  argument(from_packed(1, k_fe = 1, k_re = 1e10), "`k_re` must be a whole number from 0")
  expect_error(fit_regularized(fit, mean), "`method` must be", class = "mixedlm_error_penalty")
  expect_error(linear_hypothesis(fit, "Time = 7", rhs = mean), "given twice", class = "mixedlm_error_hypothesis")
  expect_error(linear_hypothesis(fit, "Time", rhs = y ~ x), "`rhs`", class = "mixedlm_error_hypothesis")
  expect_error(augment(fit, newdata = mean), "`newdata` must be a data frame", class = "mixedlm_error_data")
  argument(plot(profile(fit, 0), level = "a"), "`level`")
  without <- influence(fit, groups = "Pig", method = "fixed")
  argument(as.data.frame(without, row.names = 1:3), "`row.names` must be 72 different names")
  expect_identical(row.names(as.data.frame(without, row.names = 101:172))[1L], "101")
})

test_that("names for the rows of statsmodels' table ask for that table", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
  old <- options(mixedlm.summary = "lme4")
  on.exit(options(old))
  expect_identical(summary(fit)$style, "lme4")
  expect_identical(summary(fit, xname_fe = c("a", "b"))$style, "statsmodels")
  expect_identical(summary(fit, xname_re = "between")$style, "statsmodels")
})

test_that("arguments of other packages' functions are told in this package's words", {
  argument <- function(expr, text) expect_error(expr, text, class = "mixedlm_error_argument")
  argument(mixedlm(Weight ~ Time, dietox, random = ~ 1 | Pig), "`random` here. What is random = ~ x \\| g in nlme is")
  argument(mixedlm(Weight ~ Time, dietox, groups = "Pig", family = "poisson"), "Only linear models")
  argument(mixedlm(Weight ~ Time, dietox, groups = "Pig", exog_re = 1), "`re_formula`")
  expect_error(
    mixedlm(Weight ~ Time, dietox, groups = "Pig", weights = "Start"), "without quotes",
    class = "mixedlm_error_weights"
  )
  expect_error(
    mixedlm(Weight ~ Time, dietox, groups = "Pig", subset = c("1", "none")), "does not have: `none`",
    class = "mixedlm_error_subset"
  )
  expect_identical(nobs(mixedlm(Weight ~ Time, dietox, groups = "Pig", subset = as.character(1:90))), 90L)
})

test_that("the pictures of a fit with penalised fixed effects are those that exist", {
  fit <- fit_regularized(mixedlm(Weight ~ Time, dietox, groups = "Pig"), alpha = c(Time = 5))
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  expect_identical(nlevels(plot(fit)$panel), 3L)
  expect_error(plot(fit, which = "qq"), class = "mixedlm_error_penalty")
  skip_if_not_installed("ggplot2")
  expect_s3_class(ggplot2::autoplot(fit), "ggplot")
})

test_that("trajectories of a fit without its data are refused for that reason", {
  fit <- remove_data(mixedlm(Weight ~ Time, dietox, groups = "Pig"))
  expect_error(plot_trajectories(fit), class = "mixedlm_error_removed")
})

test_that("a path of a formula asks for a fit", {
  expect_error(regularization_path(Weight ~ Time), "must be a fit of mixedlm\\(\\)", class = "mixedlm_error_object")
})

test_that("damaged fits and missing names are told as such", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
  expect_error(summary_col(fit, structure(list(), class = "mixedlm")), class = "mixedlm_error_object")
  expect_error(anova(fit, structure(1, class = "mixedlm")), class = "mixedlm_error_object")
  expect_error(plot(fit, which = NA_character_), class = "mixedlm_error_argument")
})
