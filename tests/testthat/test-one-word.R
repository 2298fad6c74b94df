# What users of lmer() write, with the one word changed.

test_that("lmer's own arguments do no harm", {
  skip_if_not_installed("lme4")
  plain <- mixedlm(Weight ~ Time + (1 | Pig), dietox)
  expect_message(
    fit <- mixedlm(Weight ~ Time + (1 | Pig), dietox, control = lme4::lmerControl("bobyqa"), verbose = 1, devFunOnly = FALSE),
    class = "mixedlm_message_control"
  )
  expect_identical(fit$criterion, plain$criterion)
  expect_error(mixedlm(Weight ~ Time + (1 | Pig), dietox, devFunOnly = TRUE), "as.function", class = "mixedlm_error_argument")
  expect_error(mixedlm(Weight ~ Time + (1 | Pig), dietox, verbos = 1), class = "mixedlm_error_argument")
})

test_that("components to print may be abbreviated, as in lme4", {
  fit <- mixedlm(Weight ~ Time + (Time | Pig), dietox)
  expect_identical(capture.output(print(VarCorr(fit), comp = "Var")), capture.output(print(VarCorr(fit), comp = "Variance")))
  expect_output(print(fit, ranef.comp = c("Var", "Std")), "Variance *Std.Dev.")
  expect_error(print(VarCorr(fit), comp = "x"), class = "mixedlm_error_argument")
})

test_that("covariances are taken with lme4's arguments and from summaries", {
  fit <- mixedlm(Weight ~ Time + (Time | Pig), dietox)
  expect_identical(vcov(fit, corr = TRUE), vcov(fit))
  expect_error(vcov(fit, kor = TRUE), class = "mixedlm_error_argument")
  expect_identical(vcov(summary(fit)), vcov(fit))
  robust <- summary(fit, vcov = "CR0", cluster = "Litter")
  expect_equal(vcov(robust), vcov(fit, type = "CR0", cluster = "Litter"))
  expect_equal(unname(sqrt(diag(vcov(robust)))), unname(coef(robust)[, "Std. Error"]))
})

test_that("drop1() with a method for degrees of freedom gives F tests", {
  fit <- mixedlm(Weight ~ Cu + Time + (1 | Pig), dietox)
  expect_equal(drop1(fit, ddf = "Kenward-Roger"), drop1(fit, test = "F", ddf = "Kenward-Roger"))
  expect_error(drop1(fit, test = "Chisq", ddf = "Kenward-Roger"), class = "mixedlm_error_argument")
  expect_message(lme4s <- drop1(fit, test = "Chi", ddf = "lme4"), class = "mixedlm_message_refit")
  expect_identical(names(lme4s), c("npar", "AIC", "LRT", "Pr(Chi)"))
})

test_that("lattice's pictures of a profile are those of plot()", {
  skip_if_not_installed("lattice")
  p <- profile(mixedlm(Weight ~ Time + (1 | Pig), dietox))
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  expect_identical(lattice::xyplot(p), p)
  expect_identical(lattice::densityplot(p), p)
  expect_identical(lattice::splom(p, which = "theta_"), p)
  expect_identical(lattice::xyplot(p, absVal = TRUE, conf = c(0.9, 0.99), layout = c(2, 1)), p)
  expect_error(lattice::splom(p, which = "nonsense"), class = "mixedlm_error")
  coefs <- plot(coef(mixedlm(Weight ~ Time + (1 | Pig), dietox)))
  expect_identical(unique(coefs$term), "(Intercept)")
})

test_that("lme4's functions that look up the data work on as_lmer()", {
  skip_if_not_installed("lme4")
  pigs <- dietox
  fit <- mixedlm(Weight ~ Time + (1 | Pig), pigs, subset = Time > 1)
  theirs <- as_lmer(fit)
  expect_identical(getCall(theirs)$data, quote(pigs))
  expect_identical(getCall(theirs)$subset, quote(Time > 1))
  expect_identical(dim(stats::influence(theirs, "Pig")[["fixed.effects[-Pig]"]]), c(72L, 2L))
})

test_that("car's intervals are those of the fixed effects", {
  skip_if_not_installed("car")
  skip_if_not_installed("lme4")
  fit <- mixedlm(Weight ~ Time + (1 | Pig), dietox)
  expect_equal(car::Confint(fit), car::Confint(as_lmer(fit)), tolerance = 1e-6)
  expect_equal(car::Confint(fit, estimate = FALSE, level = 0.9), confint(fit, "beta_", method = "Wald", level = 0.9))
  robust <- car::Confint(fit, vcov. = vcov(fit, type = "CR0"))
  expect_equal(unname(robust[, 3L] - robust[, 1L]), unname(qnorm(0.975) * sqrt(diag(vcov(fit, type = "CR0")))))
})

test_that("verdicts are one paragraph in a document, and the tests are named", {
  skip_if_not_installed("knitr")
  d <- subset(dietox, Time < 3 & Pig %in% unique(dietox$Pig)[1:4])
  fit <- suppressWarnings(mixedlm(Weight ~ Time + (Time | Pig), d))
  text <- as.character(knitr::knit_print(summary(fit)))
  expect_match(text, paste(verdict_sentences[[fit$optinfo$verdict]]), fixed = TRUE)
  plain <- mixedlm(Weight ~ Time + (1 | Pig), dietox)
  expect_match(as.character(knitr::knit_print(summary(plain, style = "lme4"))), "t-tests use Satterthwaite's method", fixed = TRUE)
  expect_false(any(grepl("attr", capture.output(print(rePCA(plain))))))
})

test_that("start may be what lme4's advice on convergence makes it", {
  fit <- mixedlm(Weight ~ Time + (Time | Pig), dietox)
  again <- update(fit, start = getME(fit, c("theta", "fixef")))
  expect_equal(again$criterion, fit$criterion, tolerance = 1e-10)
  expect_error(update(fit, start = list(fixef = 1)), class = "mixedlm_error_start")
})

test_that("an option makes lme4's summary the usual one", {
  fit <- mixedlm(Weight ~ Time + (1 | Pig), dietox)
  old <- options(mixedlm.summary = "lme4")
  on.exit(options(old))
  expect_identical(colnames(coef(summary(fit)))[4L], "t value")
  expect_identical(summary(fit, compat = "statsmodels")$style, "statsmodels")
  expect_identical(colnames(coef(summary(fit, style = "statsmodels")))[3L], "z value")
  options(mixedlm.summary = "neither")
  expect_error(summary(fit), class = "mixedlm_error_argument")
})

test_that("choices may be abbreviated, as for match.arg()", {
  fit <- mixedlm(Weight ~ Time + (1 | Pig), dietox)
  expect_identical(residuals(fit, type = "pears"), residuals(fit, type = "pearson"))
  expect_identical(confint(fit, method = "W"), confint(fit, method = "Wald"))
  expect_error(vcov(fit, type = "CR"), class = "mixedlm_error_argument")
})
