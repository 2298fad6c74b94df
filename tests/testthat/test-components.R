# Accessors beside lme4's, live: names, shapes and values.

pair <- function(formula, name, package, reml = TRUE) {
  skip_if_not_installed("lme4")
  d <- plain_data(name, package)
  control <- lme4::lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-9), check.conv.singular = "ignore")
  list(
    theirs = suppressWarnings(lme4::lmer(formula, d, REML = reml, control = control)),
    ours = mixedlm(formula, d, REML = reml)
  )
}
pairs <- list(
  function() pair(Reaction ~ Days + (Days | Subject), "sleepstudy", "lme4"),
  function() pair(Reaction ~ Days + (Days | Subject), "sleepstudy", "lme4", FALSE),
  function() pair(Reaction ~ Days + (Days || Subject), "sleepstudy", "lme4"),
  function() pair(strength ~ 1 + (1 | batch / cask), "Pastes", "lme4"),
  function() pair(Yield ~ 1 + (1 | Batch), "Dyestuff2", "lme4"),
  function() pair(diameter ~ 1 + (1 | plate) + (1 | sample), "Penicillin", "lme4"),
  function() pair(attain ~ sex * social + (1 | second) + (social | primary), "ScotsSec", "mlmRev", FALSE),
  function() pair(score ~ Machine + (Machine | Worker), "Machines", "nlme"),
  function() pair(yield ~ ordered(nitro) * Variety + (1 | Block / Variety), "Oats", "nlme", FALSE)
)
plain <- function(x) lapply(x, identity)

for (i in seq_along(pairs)) {
  test_that(paste("accessors have lme4's shapes and values, model", i), {
    p <- pairs[[i]]()
    a <- p$theirs
    b <- p$ours
    tolerance <- 1e-3
    expect_equal(fixef(b), lme4::fixef(a), tolerance = tolerance)
    expect_equal(fixef(b, add.dropped = TRUE), lme4::fixef(a, add.dropped = TRUE), tolerance = tolerance)
    expect_equal(plain(ranef(b, condVar = FALSE)), plain(lme4::ranef(a, condVar = FALSE)), tolerance = tolerance)
    expect_equal(plain(coef(b)), plain(coef(a)), tolerance = tolerance)
    expect_equal(sigma(b), sigma(a), tolerance = tolerance)
    expect_equal(as.matrix(vcov(a)), vcov(b), tolerance = tolerance)
    expect_equal(fitted(b), fitted(a), tolerance = tolerance)
    for (type in c("response", "pearson", "deviance", "working")) {
      expect_equal(residuals(b, type), residuals(a, type), tolerance = tolerance)
    }
    expect_equal(residuals(b, scaled = TRUE), residuals(a, scaled = TRUE), tolerance = tolerance)
    expect_equal(ngrps(b), lme4::ngrps(a))
    expect_equal(nobs(b), nobs(a))
    expect_equal(df.residual(b), df.residual(a))
    expect_equal(weights(b), weights(a))
    expect_equal(family(b)$family, "gaussian")
    expect_equal(isSingular(b), lme4::isSingular(a))
    expect_equal(isREML(b), lme4::isREML(a))
    expect_true(isLMM(b))
    expect_false(isGLMM(b) || isNLMM(b))
    expect_equal(attr(terms(b), "term.labels"), attr(terms(a), "term.labels"))
    expect_equal(model.matrix(b), model.matrix(a), ignore_attr = "msgScaleX")
    expect_equal(as.matrix(model.matrix(b, "random")), as.matrix(model.matrix(a, "random")))
    expect_setequal(names(model.frame(b)), names(model.frame(a)))
    expect_equal(names(model.frame(b, fixed.only = TRUE)), names(model.frame(a, fixed.only = TRUE)))
    for (part in c("theta", "lower", "beta", "fixef", "sigma", "n", "p", "q", "REML", "offset", "mu", "y", "cnms")) {
      expect_equal(getME(b, part), lme4::getME(a, part), tolerance = tolerance, info = part)
    }
    expect_equal(plain(getME(b, "flist")), plain(lme4::getME(a, "flist")), ignore_attr = "assign")
    expect_equal(as.numeric(getME(b, "b")), as.numeric(lme4::getME(a, "b")), tolerance = tolerance)
    expect_equal(coef(summary(b, style = "lme4", ddf = "none")), coef(summary(a)), tolerance = tolerance)
    wald <- confint(a, method = "Wald", parm = "beta_")
    expect_equal(confint(b, parm = "beta_", method = "Wald"), wald, tolerance = tolerance)
  })
}

test_that("wrong arguments are told", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
  expect_error(getME(fit, "nothing"), class = "mixedlm_error_argument")
  expect_error(isSingular(fit, tol = -1), class = "mixedlm_error_argument")
  expect_error(model.matrix(fit, "both"), class = "mixedlm_error_argument")
  expect_error(ngrps(1), class = "mixedlm_error_argument")
  expect_error(ngrps(data.frame(1)))
})

test_that("singularity does not depend on the units of the slope", {
  d <- plain_data("sleepstudy", "lme4")
  for (unit in c(1e-6, 1, 1e6)) {
    d$x <- d$Days * unit
    expect_false(isSingular(mixedlm(Reaction ~ x + (x | Subject), d)))
  }
})

test_that("aliased columns are NA on request", {
  d <- transform(dietox, twice = 2 * Time)
  fit <- suppressMessages(mixedlm(Weight ~ Time + twice, d, groups = "Pig"))
  expect_identical(names(fixef(fit)), c("(Intercept)", "Time"))
  expect_identical(is.na(fixef(fit, add.dropped = TRUE)), c("(Intercept)" = FALSE, Time = FALSE, twice = TRUE))
  expect_identical(colnames(model.matrix(fit)), c("(Intercept)", "Time"))
})

test_that("coef() has lme4's columns in lme4's order", {
  skip_if_not_installed("lme4")
  set.seed(2)
  d <- expand.grid(r = 1:6, b = factor(1:4), a = factor(1:10))
  d$x <- rnorm(240)
  d$z <- rnorm(240)
  d$y <- d$x + rnorm(10)[d$a] * (1 + d$x) + rnorm(40)[interaction(d$a, d$b)] * d$x + rnorm(240)
  for (f in list(
    y ~ 1 + (x | a), y ~ 1 + (1 | a) + (x | a:b), y ~ z + (x | a:b) + (z | a),
    y ~ 0 + x + (1 | a) + (z | a:b)
  )) {
    theirs <- suppressMessages(suppressWarnings(coef(lme4::lmer(f, d))))
    fit <- mixedlm(f, d)
    ours <- coef(fit)
    expect_identical(lapply(plain(ours), names), lapply(plain(theirs), names))
    part <- function(x, name) if (name %in% names(x)) x[[name]] else 0
    for (name in names(ours$a)) {
      expect_equal(ours$a[[name]], rep(0, 10) + part(fixef(fit), name) + part(ranef(fit)$a, name))
    }
  }
})

test_that("coef() adds up terms of one factor that share a column", {
  fit <- mixedlm(Weight ~ Time + (1 | Pig), dietox, start = 1)
  fit$random <- rep(fit$random, 2)
  fit$b <- rep(fit$b, 2)
  expect_equal(coef(fit)$Pig[["(Intercept)"]], fixef(fit)[[1]] + 2 * as.numeric(fit$b[[1]]))
})
