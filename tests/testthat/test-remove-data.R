test_that("what is left works as before", {
  for (name in model_pairs) {
    fit <- model_pair(name)$ours
    small <- remove_data(fit)
    expect_s3_class(validate_mixedlm(small), "mixedlm")
    expect_identical(remove_data(small), small)
    for (f in list(
      fixef, VarCorr, coef, function(x) ranef(x, condVar = FALSE), vcov, logLik, sigma, nobs, df.residual, formula, ngrps, isREML, isSingular,
      function(x) vcov(x, which = "all"), function(x) confint(x, method = "Wald"), function(x) x$params, function(x) x$bse, function(x) x$llf,
      function(x) x$conf_int(), function(x) x$df_resid, function(x) getME(x, "theta"), function(x) getME(x, "cnms"),
      function(x) capture.output(print(x)), function(x) capture.output(print(summary(x))),
      function(x) capture.output(print(summary(x, compat = "statsmodels"))), function(x) summary_col(m = x)$estimates, params_of,
      function(x) AIC(logLik(x)), family
    )) {
      expect_equal(f(small), f(fit), info = paste(name, deparse(f)[1]))
    }
    expect_equal(ranef(small), ranef(fit, condVar = FALSE))
    data <- model_pair(name)$data
    expect_equal(predict(small, data), predict(fit, data), info = name)
    expect_equal(predict(small, data, re.form = NA), predict(fit, data, re.form = NA))
    expect_equal(simulate(small, seed = 1, newdata = data), simulate(fit, seed = 1, newdata = data))
    expect_output(print(summary(small, style = "lme4", ddf = "none")), "Fixed effects")
  }
})

test_that("tests of fixed effects go on, where they need no rows", {
  fit <- model_pair("grouped")$ours
  test <- function(x) linear_hypothesis(x, diag(2), ddf = "normal")
  expect_equal(as.data.frame(test(remove_data(fit))), as.data.frame(test(fit)))
  expect_equal(remove_data(fit)$t_test(diag(2)), fit$t_test(diag(2)))
})

test_that("tables come without p-values that need the rows, and penalties are not forgotten", {
  fit <- model_pair("grouped")$ours
  small <- remove_data(fit)
  expect_output(print(summary(small, style = "lme4")), "Fixed effects")
  own <- c("term", "estimate", "std.error")
  expect_equal(as.data.frame(generics::tidy(small))[own], as.data.frame(generics::tidy(fit))[own])
  penalised <- mixedlm(Weight ~ Time, dietox, groups = "Pig", cov_pen = pen_gamma(2.5))
  expect_identical(class(remove_data(penalised)), class(penalised))
  expect_identical(capture.output(print(remove_data(penalised))), capture.output(print(penalised)))
  lasso <- fit_regularized(fit, alpha = 1)
  expect_error(update(remove_data(lasso)), class = "mixedlm_error_penalty")
})

test_that("which rows a rank-deficient fit can predict is still known", {
  fit <- model_pair("rank_deficient")$ours
  bad <- transform(model_pair("rank_deficient")$data[c(1, 20), ], twice = 7)
  for (x in list(fit, remove_data(fit))) {
    expect_warning(predict(x, bad), "2 of the rows", class = "mixedlm_warning_estimable")
  }
})

test_that("what needs the rows says so", {
  small <- remove_data(model_pair("nested")$ours)
  fit <- remove_data(mixedlm(Weight ~ Time * Cu, dietox, groups = "Pig", weights = rep(1:2, length.out = 861)))
  needs <- list(
    fitted, residuals, refit, refitML, model.frame, model.matrix, simulate, profile, weights, predict, hatvalues, anova, drop1,
    confint, mixedlm_loglik, mixedlm_hessian, bootstrap, cAIC, ranova,
    function(x) ranef(x, condVar = TRUE), function(x) getME(x, "y"), function(x) getME(x, "Z"), function(x) getME(x, "flist"),
    function(x) x$y, function(x) x$resid, function(x) x$random_effects, function(x) x$profile_re(), function(x) vcov(x, type = "CR1"),
    function(x) coef(summary(x, ddf = "Kenward-Roger"))
  )
  for (f in needs) {
    expect_error(f(fit), class = "mixedlm_error_removed", info = deparse(f)[1])
  }
  expect_error(small$random_effects, class = "mixedlm_error_removed")
  expect_error(model.matrix(small, "random"), class = "mixedlm_error_removed")
})

test_that("it is small, wherever the rows were", {
  n <- 20000
  d <- data.frame(x = rnorm(n), g = factor(rep(1:20, each = n / 20)), s = sample(letters, n, TRUE), w = 1)
  d$y <- d$x + rnorm(20)[d$g] + rnorm(n)
  # the environment of the formula must not hold them
  model <- y ~ x + s + (1 | g)
  environment(model) <- globalenv()
  fit <- mixedlm(model, d, weights = w)
  small <- fit$remove_data()
  expect_lt(length(serialize(small, NULL)), 0.02 * length(serialize(fit, NULL)))
  expect_lt(nrow(.subset2(small, "frame")), 60)
  expect_equal(predict(small, d[1:50, ]), predict(fit, d[1:50, ]))
  written <- do.call(mixedlm, list(y ~ x + (1 | g), d))
  expect_lt(as.numeric(object.size(remove_data(written))), 0.1 * as.numeric(object.size(written)))
  expect_error(update(remove_data(written), REML = FALSE), class = "mixedlm_error_data")
})

test_that("components that are counted within groups still find their levels", {
  d <- from_package("Pastes", "lme4")
  d$x <- seq_len(nrow(d)) %% 3
  fit <- mixedlm(strength ~ 1, d, groups = "batch", re_formula = ~1, vc_formula = list(cask = ~ 0 + cask))
  small <- remove_data(fit)
  expect_equal(predict(small, d), predict(fit, d))
  expect_error(remove_data(3), class = "mixedlm_error_object")
  expect_error(remove_data(fit, 1), class = "mixedlm_error_argument")
})

test_that("levels that are counted within groups need the rows", {
  d <- transform(dietox, half = factor(Time > 6))
  fit <- mixedlm(Weight ~ Time, d, groups = "Pig", re_formula = ~1, vc_formula = list(half = ~half))
  expect_error(predict(remove_data(fit), d[1:3, ], allow.new.levels = TRUE), class = "mixedlm_error_removed")
  expect_length(predict(fit, d[1:3, ]), 3L)
})
