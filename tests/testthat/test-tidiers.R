# tidy(), glance() and augment() against broom.mixed's of lmerTest's fits.

lmertest_of <- function(pair) {
  suppressMessages(lmerTest::as_lmerModLmerTest(pair$theirs))
}

expect_same_table <- function(ours, theirs, tolerance = 1e-4) {
  if (since_lme4_2() && "term" %in% names(ours)) {
    # its broom.mixed has the correlations after the standard deviations
    sorted <- function(d) d[do.call(order, as.list(d[names(d) %in% c("effect", "group", "level", "term")])), ]
    ours <- sorted(ours)
    theirs <- sorted(theirs)
  }
  expect_identical(names(ours), names(theirs))
  expect_identical(vapply(ours, class, ""), vapply(theirs, class, ""))
  expect_equal(
    as.data.frame(ours), as.data.frame(theirs),
    tolerance = tolerance, ignore_attr = TRUE
  )
}

test_that("tidy() has broom.mixed's columns, rows and values on all models", {
  skip_if_not_installed("broom.mixed")
  skip_if_not_installed("lmerTest")
  for (name in model_pairs) {
    pair <- model_pair(name)
    theirs <- lmertest_of(pair)
    for (effects in list("fixed", "ran_pars", "ran_vals", "ran_coefs", tidy_effects, c("ran_pars", "fixed"))) {
      expect_same_table(tidy(pair$ours, effects), suppressWarnings(broom.mixed::tidy(theirs, effects)))
    }
    for (effects in c("fixed", "ran_vals")) {
      expect_same_table(
        tidy(pair$ours, effects, conf.int = TRUE, conf.level = 0.9),
        broom.mixed::tidy(theirs, effects, conf.int = TRUE, conf.level = 0.9)
      )
    }
    expect_same_table(
      tidy(pair$ours, "ran_pars", scales = "vcov"), broom.mixed::tidy(theirs, "ran_pars", scales = "vcov")
    )
    expect_same_table(tidy(pair$ours, ddf.method = "none"), broom.mixed::tidy(pair$theirs))
  }
})

test_that("either package's generic finds the method", {
  skip_if_not_installed("broom.mixed")
  fit <- model_pair("grouped")$ours
  expect_identical(broom.mixed::tidy(fit), tidy(fit))
  expect_identical(generics::glance(fit), glance(fit))
})

test_that("limits by profile, options of tidy() and the other methods of degrees of freedom", {
  pair <- model_pair("grouped")
  fit <- pair$ours
  limits <- confint(fit, quiet = TRUE)
  made <- tidy(fit, conf.int = TRUE, conf.method = "profile")
  expect_equal(made$conf.low[3:6], unname(limits[c(".sig01", ".sig02", ".sig03", ".sigma"), 1L]))
  expect_equal(made$conf.high[1:2], unname(limits[names(fixef(fit)), 2L]))
  given <- tidy(fit, conf.int = TRUE, conf.method = "profile", profile = profile(fit))
  expect_equal(given$conf.low, made$conf.low, tolerance = 1e-3)
  squares <- tidy(fit, "ran_pars", scales = "vcov", conf.int = TRUE, conf.method = "profile")
  expect_equal(squares$conf.low[c(1, 3, 4)], made$conf.low[c(3, 5, 6)]^2)
  expect_identical(is.na(squares$conf.low), c(FALSE, TRUE, FALSE, FALSE))
  expect_equal(
    tidy(fit, "ran_pars", conf.int = TRUE)$conf.low, unname(confint(fit, "theta_", method = "Wald")[, 1L])
  )
  normal <- tidy(fit, "fixed", ddf.method = "normal")
  expect_identical(normal$p.value, 2 * pnorm(-abs(normal$statistic)))
  expect_false("df" %in% names(normal))
  robust <- tidy(fit, "fixed", vcov = "CR2")
  expect_equal(robust$std.error, unname(sqrt(diag(vcov(fit, type = "CR2")))))
  small <- mixedlm(pair$formula, transform(pair$data, Reaction = Reaction / 100))
  raw <- tidy(small, "fixed", conf.int = TRUE)
  e <- tidy(small, "fixed", conf.int = TRUE, exponentiate = TRUE)
  expect_equal(e$estimate, exp(raw$estimate))
  expect_equal(e$std.error, exp(raw$estimate) * raw$std.error)
  expect_equal(e$conf.high, exp(raw$conf.high))
  expect_identical(tidy(fit, "ran_pars", ran_prefix = c("s", "r"))$term[2L], "r__(Intercept).Days")
  boot <- tidy(fit, conf.int = TRUE, conf.method = "boot", nsim = 60, seed = 3)
  expect_equal(boot$conf.low[1L], unname(confint(bootstrap(fit, 60, seed = 3))["(Intercept)", 1L]))
})

test_that("glance() has broom.mixed's columns and the verdict", {
  skip_if_not_installed("broom.mixed")
  for (name in model_pairs) {
    pair <- model_pair(name)
    ours <- glance(pair$ours)
    expect_identical(ours$verdict, pair$ours$optinfo$verdict)
    expect_same_table(ours[names(ours) != "verdict"], broom.mixed::glance(pair$theirs))
  }
})

test_that("augment() has broom.mixed's columns", {
  skip_if_not_installed("broom.mixed")
  for (name in model_pairs) {
    pair <- model_pair(name)
    ours <- augment(pair$ours)
    theirs <- suppressWarnings(broom.mixed::augment(pair$theirs))
    theirs <- theirs[names(theirs) %in% c(names(ours), ".fixed")]
    expect_same_table(ours, theirs)
    expect_true(all(is.null(influence_of_rows(pair$ours, "hatvalues")) | ".hat" %in% names(ours)))
  }
})

test_that("augment() of rows that missing values took out", {
  data <- dietox[1:60, ]
  data$Weight[c(3, 20)] <- NA
  omit <- mixedlm(Weight ~ Time + (1 | Pig), data)
  expect_identical(nrow(augment(omit)), 58L)
  expect_identical(augment(omit, data)$Evit, data$Evit[-c(3, 20)])
  exclude <- mixedlm(Weight ~ Time + (1 | Pig), data, na.action = na.exclude)
  padded <- augment(exclude, data)
  expect_identical(nrow(padded), 60L)
  expect_identical(which(is.na(padded$.fitted)), c(3L, 20L))
  expect_identical(padded$.fitted[-c(3, 20)], augment(omit)$.fitted)
  offset <- mixedlm(Weight ~ Time + (1 | Pig), data, offset = 2 * Time)
  expect_equal(augment(offset)$.offset, 2 * data$Time[-c(3, 20)])
  expect_equal(
    augment(offset)$.fixed, drop(unname(model.matrix(offset) %*% fixef(offset))) + 2 * data$Time[-c(3, 20)]
  )
  fresh <- augment(omit, newdata = data.frame(Time = 1:2, Pig = data$Pig[1L]))
  expect_equal(fresh$.fixed, unname(fixef(omit)[1L] + fixef(omit)[2L] * 1:2))
})

test_that("tidy() of profiles, bootstraps and hypotheses", {
  fit <- model_pair("grouped")$ours
  profile <- profile(fit, which = "beta_")
  expect_equal(tidy(profile)$conf.low, unname(confint(profile)[, 1L]))
  b <- bootstrap(fit, 60, seed = 1)
  made <- tidy(b, conf.int = TRUE, conf.method = "basic")
  expect_identical(names(made), c("term", "statistic", "bias", "std.error", "conf.low", "conf.high"))
  expect_equal(made$std.error, unname(apply(b$t, 2L, sd)))
  test <- linear_hypothesis(fit, "Days = 10")
  expect_equal(tidy(test)$statistic, test$table$statistic)
  expect_identical(tidy(test)$null.value, 10)
})

test_that("arguments that cannot be used are named", {
  fit <- model_pair("grouped")$ours
  refused <- function(code, argument, class = "mixedlm_error_argument") {
    e <- expect_error(code, class = class)
    expect_identical(e$argument, argument)
  }
  refused(tidy(fit, "random"), "effects")
  refused(tidy(fit, scales = "log"), "scales")
  refused(tidy(fit, conf.int = NA), "conf.int")
  refused(tidy(fit, conf.int = TRUE, conf.level = 2), "level")
  refused(tidy(fit, conf.method = "HPD"), "conf.method")
  refused(tidy(fit, ddf.method = "xx"), "ddf", "mixedlm_error_ddf")
  refused(tidy(fit, ran_prefix = "s"), "ran_prefix")
  refused(tidy(fit, conf.int = TRUE, conf.method = "profile", profile = 1), "profile")
  refused(tidy(fit, confint = TRUE), "confint")
  refused(glance(fit, digits = 3), "digits")
  refused(augment(fit, data = 1:3), "data", "mixedlm_error_data")
  refused(augment(fit, data = cars), "data", "mixedlm_error_data")
  refused(augment(fit, newdata = 1:3), "newdata", "mixedlm_error_data")
  refused(augment(fit, level = 2), "level")
})

test_that("scales of another kind are refused", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
  for (value in list(~0, mean, list(), 3, "log")) {
    expect_error(expect_silent(tidy(fit, "ran_pars", scales = value)), class = "mixedlm_error_argument")
  }
})

test_that("new data that are no data give the error of predict()", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
  for (value in list(mean, 3, "x", quote(a))) {
    expect_error(augment(fit, newdata = value), class = "mixedlm_error_data")
  }
})
