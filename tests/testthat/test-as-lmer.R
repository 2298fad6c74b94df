# Fits whose model lme4 has, in both vocabularies.
lmer_models <- list(
  groups = function() mixedlm(Weight ~ Time, dietox, groups = "Pig"),
  vector = function() mixedlm(Weight ~ Time, dietox, groups = dietox$Pig, re_formula = ~Time),
  double = function() mixedlm(Weight ~ Time, dietox, groups = "Pig", re_formula = ~Time, free = "diagonal"),
  matrices = function() {
    x <- cbind(1, dietox$Time)
    mixedlm(x, dietox$Weight, groups = dietox$Pig, exog_re = x)
  },
  components = function() {
    mixedlm(strength ~ 1, plain_data("Pastes", "lme4"), groups = "batch", re_formula = ~1, vc_formula = list(cask = ~ 0 + cask))
  },
  crossed_components = function() mixedlm(diameter ~ 1, penicillin(), vc_formula = plates_and_samples),
  transformed = function() mixedlm(log(Weight) ~ poly(Time, 2) + (1 | Pig), dietox, weights = Start),
  independent = function() {
    d <- subjects_items()
    d$f <- factor(rep(1:3, length.out = nrow(d)))
    mixedlm(y ~ a + diag(f | s) + us(a | i), d)
  },
  zero_weights = function() {
    d <- dietox
    d$w <- rep(0:3, length.out = nrow(d))
    suppressMessages(mixedlm(Weight ~ Time + offset(Start) + (1 | Pig), d, weights = w, subset = Time > 2))
  },
  dot = function() mixedlm(Weight ~ . - Pig + (1 | Pig), dietox[c("Weight", "Time", "Pig", "Cu")], na.action = na.exclude)
)

test_that("as_lmer() gives lme4's object at the same estimates", {
  skip_if_not_installed("lme4")
  for (name in names(lmer_models)) {
    fit <- lmer_models[[name]]()
    theirs <- as_lmer(fit)
    expect_s4_class(theirs, "lmerMod")
    expect_equal(lme4_criterion(theirs), fit$criterion, tolerance = 1e-9, info = name)
    expect_equal(unname(lme4::fixef(theirs)), unname(fixef(fit)), tolerance = 1e-8, info = name)
    expect_equal(sigma(theirs), sigma(fit), tolerance = 1e-8, info = name)
    expect_equal(unname(fitted(theirs)), unname(fitted(fit)), tolerance = 1e-7, info = name)
    expect_equal(unname(as.matrix(vcov(theirs))), unname(vcov(fit)), tolerance = 1e-6, info = name)
  }
})

test_that("what is done with lme4's objects is done with it", {
  skip_if_not_installed("lme4")
  pair <- model_pair("crossed_slopes")
  theirs <- as_lmer(pair$ours)
  expect_equal(predict(theirs), predict(pair$theirs), tolerance = 1e-5)
  expect_identical(dim(simulate(theirs, 2, seed = 1)), c(nobs(theirs), 2L))
  response <- rev(pair$data$y)
  again <- suppressMessages(suppressWarnings(lme4::refit(theirs, response)))
  wanted <- suppressMessages(suppressWarnings(lme4::refit(pair$theirs, response)))
  expect_equal(lme4_criterion(again), lme4_criterion(wanted), tolerance = 1e-4)
  fit <- mixedlm(Reaction ~ Days + (Days | Subject), lme4::sleepstudy)
  theirs <- as_lmer(fit)
  smaller <- suppressWarnings(update(theirs, . ~ . - Days))
  expect_identical(names(lme4::fixef(smaller)), "(Intercept)")
  table <- anova(theirs, smaller, refit = FALSE)
  expect_equal(table[[intersect(c("deviance", "-2*log(L)"), names(table))]][2L], fit$criterion)
  gradient <- theirs@optinfo$derivs$gradient
  expect_lt(max(abs(gradient)), 1e-3)
  numeric <- stats::optimHess(getME(fit, "theta"), as.function(fit))
  expect_equal(theirs@optinfo$derivs$Hessian, unname(numeric), tolerance = 1e-3)
  expect_identical(capture.output(print(summary(theirs)))[[1L]], "Linear mixed model fit by REML ['lmerMod']")
  skip_if_not_installed("lmerTest")
  tests <- coef(summary(lmerTest::as_lmerModLmerTest(theirs)))
  expect_equal(tests, coef(summary(fit, style = "lme4")), tolerance = 1e-3)
})

test_that("models that lme4 has not are refused with the reason", {
  skip_if_not_installed("lme4")
  held <- mixedlm(Weight ~ Time, dietox, groups = "Pig", free = mixedlm_params(cov_re = 0))
  expect_error(as_lmer(held), "holds elements", class = "mixedlm_error_lmer")
  d <- subjects_items()
  expect_error(as_lmer(mixedlm(y ~ a + diag(a | s, hom = TRUE), d)), "one variance", class = "mixedlm_error_lmer")
  fixed <- mixedlm(Weight ~ Time, dietox,
    groups = "Pig", start = mixedlm_params(fe_params = c(15, 7)), free = mixedlm_params(fe_params = c(1, 0))
  )
  expect_error(as_lmer(fixed), "Time", class = "mixedlm_error_lmer")
  expect_error(as_lmer(lm(Weight ~ Time, dietox)), class = "mixedlm_error_object")
})

test_that("as_lmer() does without the data of the call", {
  skip_if_not_installed("lme4")
  fit <- local({
    gone <- dietox
    mixedlm(formula("log(Weight) ~ Time + (1 | Pig)", globalenv()), gone)
  })
  theirs <- as_lmer(fit)
  expect_equal(lme4_criterion(theirs), fit$criterion)
  changed <- dietox[sample(nrow(dietox), 400L), ]
  other <- mixedlm(Weight ~ Time + (1 | Pig), changed)
  changed <- dietox
  expect_equal(lme4_criterion(as_lmer(other)), other$criterion)
})

test_that("the object has the call's own data and variables, so that it predicts new rows and can be updated", {
  skip_if_not_installed("lme4")
  fit <- mixedlm(Weight ~ poly(Time, 2) + offset(Start / 10) + (1 | Pig), dietox)
  theirs <- as_lmer(fit)
  expect_identical(theirs@call$data, quote(dietox))
  some <- dietox[c(3, 40, 500), ]
  expect_equal(predict(theirs, some), predict(fit, some), tolerance = 1e-8)
})

test_that("estimates that lme4 cannot evaluate are told in a classed error", {
  skip_if_not_installed("lme4")
  # as many random effects as rows: the search ends where the variances are beyond lme4's cross-products
  found <- character()
  for (seed in 1:30) {
    set.seed(seed)
    d <- data.frame(y = rnorm(5), x = rnorm(5), o = rnorm(5), g = 1:5)
    fit <- suppressWarnings(tryCatch(mixedlm(y ~ x + (x | g), d, offset = o, REML = FALSE), error = function(e) NULL))
    if (!is.null(fit)) found <- c(found, tryCatch(class(as_lmer(fit))[1L], error = function(e) class(e)[1L]))
  }
  expect_true(all(found %in% c("lmerMod", "mixedlm_error_lmer")))
  expect_true("mixedlm_error_lmer" %in% found)
})

test_that("the contrasts that are the default now do not matter", {
  skip_if_not_installed("lme4")
  old <- options(contrasts = c("contr.sum", "contr.poly"))
  on.exit(options(old))
  fit <- mixedlm(Weight ~ Cu * Time + (Cu | Litter), dietox)
  options(old)
  expect_equal(lme4::fixef(as_lmer(fit)), fixef(fit), tolerance = 1e-6)
  expect_equal(-2 * as.numeric(logLik(eval(as_lmer(fit)@call))), fit$criterion, tolerance = 1e-2)
})
