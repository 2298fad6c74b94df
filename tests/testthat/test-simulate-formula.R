sleep_rows <- expand.grid(Days = 0:9, Subject = factor(1:6))
truth <- list(beta = c(250, 10), theta = c(1, 0.2, 0.3), sigma = 20)

test_that("one seed gives lme4's numbers", {
  skip_if_not_installed("lme4")
  for (f in c(~ Days + (Days | Subject), ~ Days + (Days || Subject), ~ Days + (1 | Subject))) {
    k <- length(lme4::getME(suppressMessages(lme4::lmer(update(f, y ~ .), transform(sleep_rows, y = sin(1:60)))), "theta"))
    own <- list(beta = truth$beta, theta = truth$theta[seq_len(k)], sigma = 20)
    ours <- mixedlm_simulate(f, sleep_rows, own, 2, seed = 3)
    theirs <- suppressMessages(simulate(f, newdata = sleep_rows, newparams = own, nsim = 2, seed = 3))
    expect_equal(ours, theirs, tolerance = 1e-12, ignore_attr = c("seed", "row.names"))
  }
})

test_that("a response is not looked at, and the fit of the draws is one of the model", {
  y <- mixedlm_simulate(Reaction ~ Days + (Days | Subject), sleep_rows, truth, seed = 1)
  expect_identical(mixedlm_simulate(~ Days + (Days | Subject), sleep_rows, truth, seed = 1), y)
  expect_identical(mixedlm_simulate("~ Days + (Days | Subject)", sleep_rows, truth, seed = 1), y)
  there <- transform(sleep_rows, Reaction = NA)
  expect_identical(mixedlm_simulate(log(Reaction) ~ Days + (Days | Subject), there, truth, seed = 1), y)
  expect_identical(mixedlm_simulate(Reaction ~ . - Subject + (Days | Subject), there, truth, seed = 1), y)
  fit <- mixedlm(y ~ Days + (Days | Subject), cbind(sleep_rows, y = y$sim_1))
  expect_identical(simulate(fit, seed = 1, newparams = truth)$sim_1, y$sim_1)
})

test_that("statsmodels' words mean the same model", {
  psi <- tcrossprod(matrix(c(1, 0.2, 0, 0.3), 2))
  y <- mixedlm_simulate(~ Days + (Days | Subject), sleep_rows, truth, 2, seed = 1)
  expect_equal(
    mixedlm_simulate(~Days, sleep_rows, list(fe_params = c(250, 10), cov_re = 400 * psi, scale = 400), 2,
      seed = 1, groups = "Subject", re_formula = ~Days
    ), y
  )
  relative <- mixedlm_simulate(~Days, sleep_rows, mixedlm_params(c(250, 10) / 20, psi), 2,
    seed = 1, groups = Subject, re_formula = ~Days
  )
  expect_equal(20 * as.matrix(relative), as.matrix(y))
  d <- from_package("Pastes", "lme4")
  a <- mixedlm_simulate(~1, d, list(fe_params = 60, cov_re = 4, vcomp = c(cask = 9), scale = 1),
    30000,
    seed = 2, groups = "batch", re_formula = ~1, vc_formula = list(cask = ~ 0 + cask)
  )
  v <- cov(t(as.matrix(a)[1:6, ]))
  same_cask <- outer(d$sample[1:6], d$sample[1:6], "==")
  expect_equal(v, 4 + 9 * same_cask + diag(6), tolerance = 0.05, ignore_attr = TRUE)
})

test_that("weights, offset and missing values", {
  d <- transform(sleep_rows, w = rep(c(1, 4), 30), o = Days * 100)
  own <- list(beta = c(0, 0), theta = c(0, 0, 0), sigma = 1)
  set.seed(8)
  rnorm(12)
  e <- rnorm(60)
  y <- mixedlm_simulate(~ Days + (Days | Subject), d, own, seed = 8, weights = w, offset = o)
  expect_equal(y$sim_1, d$o + e / sqrt(d$w))
  expect_equal(mixedlm_simulate(~ Days + offset(o) + (Days | Subject), d, own, seed = 8, weights = d$w)$sim_1, y$sim_1)
  d$Days[4] <- NA
  expect_identical(nrow(mixedlm_simulate(~ Days + (Days | Subject), d, own)), 59L)
  expect_identical(which(is.na(mixedlm_simulate(~ Days + (Days | Subject), d, own, na.action = na.exclude)$sim_1)), 4L)
})

test_that("bad input is told by name", {
  told <- function(...) tryCatch(mixedlm_simulate(...), mixedlm_error = function(e) paste(class(e)[1], e$argument))
  f <- ~ Days + (Days | Subject)
  expect_identical(told(f, sleep_rows), "mixedlm_error_newparams newparams")
  expect_identical(told(f, sleep_rows, truth[-1]), "mixedlm_error_newparams newparams")
  expect_identical(told(f, sleep_rows, truth[-2]), "mixedlm_error_newparams newparams")
  expect_identical(told(f, sleep_rows, truth[-3]), "mixedlm_error_newparams newparams")
  expect_identical(told(f, sleep_rows, replace(truth, "beta", list(1:3))), "mixedlm_error_newparams newparams")
  expect_identical(told(f, newparams = truth), "mixedlm_error_newdata newdata")
  expect_identical(told(f, 3, truth), "mixedlm_error_newdata newdata")
  expect_identical(told(f, sleep_rows, truth, 0), "mixedlm_error_argument nsim")
  expect_identical(told(f, sleep_rows, truth, seed = pi), "mixedlm_error_argument seed")
  expect_identical(told(f, sleep_rows, truth, weigths = 1), "mixedlm_error_argument weigths")
  expect_identical(told(3, sleep_rows, truth), "mixedlm_error_formula formula")
  expect_identical(told("~ (", sleep_rows, truth), "mixedlm_error_formula formula")
  expect_match(told(~Days, sleep_rows, truth), "mixedlm_error_random")
  expect_match(told(~ Daze + (1 | Subject), sleep_rows, truth), "mixedlm_error_data")
})
