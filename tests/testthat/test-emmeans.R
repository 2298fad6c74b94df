# Marginal means against emmeans on lmerTest's fits.

tight <- function() lme4::lmerControl(optCtrl = list(xtol_abs = 1e-12, ftol_abs = 1e-14))

# Degrees of freedom of lmer's fits are from numerical derivatives at its optimum.
same_summary <- function(ours, theirs, tolerance = 1e-3) {
  expect_identical(dimnames(as.data.frame(ours)), dimnames(as.data.frame(theirs)))
  columns <- setdiff(names(ours), "p.value")
  expect_equal(
    as.data.frame(ours)[columns], as.data.frame(theirs)[columns],
    tolerance = tolerance, ignore_attr = TRUE
  )
  expect_equal(ours$p.value, theirs$p.value, tolerance = 1e-3)
}

emm_models <- function() {
  oats <- as.data.frame(from_package("Oats", "nlme"))
  oats$nitro <- factor(oats$nitro)
  machines <- as.data.frame(from_package("Machines", "nlme"))
  for (v in c("Worker", "Machine")) machines[[v]] <- factor(as.character(machines[[v]]))
  oats$Block <- factor(as.character(oats$Block))
  list(
    cake = list(angle ~ recipe * temperature + (1 | recipe:replicate), from_package("cake", "lme4"), ~ recipe | temperature, list()),
    oats = list(yield ~ nitro + Variety + (1 | Block / Variety), oats, ~nitro, list()),
    pigs = list(Weight ~ Cu * Time + (Time | Pig), dietox, ~Cu, list(at = list(Time = 12))),
    machines = list(log(score) ~ Machine + (Machine | Worker), machines, ~Machine, list(type = "response"))
  )
}

# `more`: unevaluated arguments.
fit_both <- function(formula, data, more = list()) {
  fit <- function(f, ...) suppressMessages(eval(as.call(c(list(f, formula, quote(data)), as.list(more), ...))))
  list(ours = fit(quote(mixedlm)), theirs = fit(quote(lmerTest::lmer), list(control = quote(tight()))))
}

test_that("means, comparisons and joint tests are those of lmer's fits", {
  skip_if_not_installed("emmeans")
  skip_if_not_installed("lmerTest")
  skip_if_not_installed("pbkrtest")
  emmeans::emm_options(msg.interaction = FALSE)
  for (model in emm_models()) {
    fits <- fit_both(model[[1L]], model[[2L]])
    for (df in c("satterthwaite", "kenward-roger", "asymptotic")) {
      args <- c(list(specs = model[[3L]], data = model[[2L]], lmer.df = df), model[[4L]])
      ours <- do.call(emmeans::emmeans, c(list(fits$ours), args))
      theirs <- do.call(emmeans::emmeans, c(list(fits$theirs), args))
      same_summary(summary(ours), summary(theirs))
      same_summary(summary(pairs(ours)), summary(pairs(theirs)))
    }
    same_summary(
      emmeans::joint_tests(fits$ours, data = model[[2L]]),
      emmeans::joint_tests(fits$theirs, lmer.df = "satterthwaite", data = model[[2L]]), 1e-3
    )
  }
})

test_that("trends, offsets, weights, ML, poly() and rank-deficient fits", {
  skip_if_not_installed("emmeans")
  skip_if_not_installed("lmerTest")
  set.seed(1)
  data <- as.data.frame(from_package("Machines", "nlme"))
  for (v in c("Worker", "Machine")) data[[v]] <- factor(as.character(data[[v]]))
  data$z <- rnorm(54)
  data$twice <- 2 * (data$Machine == "B")
  data$w <- runif(54) + 0.5
  means <- function(fits, specs = ~Machine) {
    same_summary(
      summary(emmeans::emmeans(fits$ours, specs, data = data)),
      summary(emmeans::emmeans(fits$theirs, specs, data = data, lmer.df = "satterthwaite"))
    )
  }
  means(fit_both(score ~ Machine * poly(z, 2) + (1 | Worker), data), ~ Machine | z)
  means(fit_both(score ~ Machine + offset(2 * z) + (1 | Worker), data))
  if (utils::packageVersion("emmeans") < "1.10") {
    # later ones do not find `z` when they are given `data`, for fits of lme4 either
    means(fit_both(score ~ Machine + (1 | Worker), data, alist(offset = 2 * z)))
  }
  means(fit_both(score ~ Machine + (1 | Worker), data, alist(weights = w, subset = z > -1)))
  means(fit_both(score ~ Machine * z + (1 | Worker), data, list(REML = FALSE)))
  suppressMessages(means(fit_both(score ~ Machine + twice + z + (1 | Worker), data)))
  fits <- fit_both(score ~ Machine * z + (1 | Worker), data)
  same_summary(
    summary(emmeans::emtrends(fits$ours, ~Machine, var = "z", data = data)),
    summary(emmeans::emtrends(fits$theirs, ~Machine, var = "z", data = data, lmer.df = "satterthwaite"))
  )
  # statsmodels' words are the same fit
  words <- mixedlm(score ~ Machine * z, data, groups = "Worker")
  expect_equal(
    as.data.frame(emmeans::emmeans(words, ~Machine)), as.data.frame(emmeans::emmeans(fits$ours, ~Machine, data = data))
  )
})

test_that("covariances other than the model's", {
  skip_if_not_installed("emmeans")
  fit <- mixedlm(Weight ~ Cu + Time + (Time | Pig), dietox)
  v <- vcov(fit) * 4
  twice <- as.data.frame(emmeans::emmeans(fit, ~Cu, vcov. = v))
  expect_equal(twice$SE, 2 * as.data.frame(emmeans::emmeans(fit, ~Cu))$SE)
  expect_equal(as.data.frame(emmeans::emmeans(fit, ~Cu, vcov. = function(x) vcov(x) * 4)), twice)
  robust <- as.data.frame(emmeans::contrast(emmeans::emmeans(fit, ~Cu, vcov. = "CR2"), "trt.vs.ctrl"))
  test <- linear_hypothesis(fit, "CuCu035 = 0", vcov = "CR2")$table
  expect_equal(robust$SE[1L], test$std.error)
  expect_equal(robust$df[1L], test$df)
  e <- expect_error(emmeans::emmeans(fit, ~Cu, vcov. = diag(2)), class = "mixedlm_error_argument")
  expect_identical(e$argument, "vcov.")
  expect_error(emmeans::emmeans(fit, ~Cu, mode = "xx"), class = "mixedlm_error_ddf")
  ml <- update(fit, REML = FALSE)
  expect_error(emmeans::emmeans(ml, ~Cu, mode = "kenward-roger"), class = "mixedlm_error_ddf")
})

test_that("data that are gone, or others by now, are not used in silence", {
  skip_if_not_installed("emmeans")
  made <- (function(hidden) mixedlm(Weight ~ log(Time + 1) + Cu + (1 | Pig), hidden))(dietox)
  made$call$data <- quote(nowhere)
  expect_error(emmeans::emmeans(made, ~Cu), "reconstruct")
  known <- as.data.frame(emmeans::emmeans(made, ~Cu, data = dietox))
  expect_identical(nrow(known), 3L)
  changed <- dietox
  fit <- mixedlm(Weight ~ log(Time + 1) + Cu + (1 | Pig), changed)
  expect_equal(as.data.frame(emmeans::emmeans(fit, ~Cu)), known)
  changed$Time <- changed$Time + 1
  expect_error(emmeans::emmeans(fit, ~Cu), "not those that it was made from")
  matrices <- mixedlm(model.matrix(~Time, dietox), dietox$Weight, groups = dietox$Pig)
  expect_error(emmeans::emmeans(matrices, ~Time), "made from matrices")
})
