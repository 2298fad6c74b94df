sleep <- function(...) mixedlm(Reaction ~ Days + (Days | Subject), plain_data("sleepstudy", "lme4"), ...)
pastes <- function() mixedlm(strength ~ 1 + (1 | batch / cask), plain_data("Pastes", "lme4"))

profile_models <- list(
  Pastes = list(strength ~ 1 + (1 | batch / cask), function() plain_data("Pastes", "lme4")),
  Penicillin = list(diameter ~ 1 + (1 | plate) + (1 | sample), function() plain_data("Penicillin", "lme4")),
  cake = list(angle ~ recipe + temp + (1 | recipe:replicate), function() plain_data("cake", "lme4"))
)

for (name in names(profile_models)) {
  test_that(paste("zeta is lme4's at its points, and so are the intervals:", name), {
    skip_if_not_installed("lme4")
    d <- profile_models[[name]][[2L]]()
    f <- profile_models[[name]][[1L]]
    fit <- mixedlm(f, d)
    reference <- suppressWarnings(profile(lme4::lmer(f, d)))
    theirs <- as.data.frame(reference)
    ours <- profile(fit, delta = 0.03, maxpts = 1000)
    expect_identical(names(as.data.frame(ours)), names(theirs))
    expect_identical(levels(ours$.par), levels(theirs$.par))
    for (par in levels(theirs$.par)) {
      at <- theirs[theirs$.par == par, ]
      range <- range(ours[[par]][ours$.par == par])
      inside <- at$.focal >= range[1L] & at$.focal <= range[2L]
      zeta <- spline_at(attr(ours, "forward")[[par]], at$.focal)
      # their search over the other parameters ends a little above the minimum at times, never below it
      expect_lt(max(abs(zeta - at$.zeta)[inside]), 5e-4)
      expect_lt(stats::median(abs(zeta - at$.zeta)[inside]), 2e-5)
      expect_lt(max((abs(zeta) - abs(at$.zeta))[inside & abs(at$.zeta) > 0.1]), 2e-5)
    }
    exact <- confint(fit, quiet = TRUE)
    expect_equal(confint(ours, quiet = TRUE), exact, tolerance = 1e-5)
    reference <- suppressWarnings(confint(reference))
    expect_equal(dimnames(exact), dimnames(reference))
    expect_lt(max(abs(exact - reference) / pmax(abs(reference), 1e-8)), 1e-3)
  })
}

test_that("intervals with correlations are lme4's", {
  # lme4 1.1-31, confint(profile(lmer(...))), R 4.2.2
  expected <- matrix(c(
    14.3814182, 37.7159953, -0.4815008, 0.6849863, 3.8011641, 8.7533808,
    22.8982669, 28.8579965, 237.6806955, 265.1295147, 7.3586533, 13.5759188
  ), ncol = 2L, byrow = TRUE)
  expect_equal(unname(confint(sleep())), expected, tolerance = 1e-5)
  expected <- matrix(c(
    3.6690586, 5.2969301, -0.1538352, 0.3527954, 0.5377057, 0.7722247,
    2.3352370, 2.5899865, 14.6534701, 16.8237669, 6.7815383, 7.0964562
  ), ncol = 2L, byrow = TRUE)
  expect_equal(unname(confint(mixedlm(Weight ~ Time + (Time | Pig), dietox))), expected, tolerance = 1e-5)
})

test_that("points are minima of the dense deviance, also for crossed slopes", {
  d <- subjects_items(12L, 6L, missing = 0.1, seed = 21)
  fit <- mixedlm(y ~ a + (a | s) + (1 | i), d, REML = TRUE)
  model <- oracle_model(build_design(fit$parsed, fit$frame), FALSE)
  p <- as.data.frame(suppressMessages(profile(fit, c(".sig01", ".sig02", ".sigma"))))
  for (par in levels(p$.par)) {
    row <- p[p$.par == par, ]
    row <- row[which.min(abs(row$.zeta - 1.5)), ]
    # everything but what is held, from the solution: nothing is lower nearby
    deviance <- function(v) {
      v <- replace(v, par, row$.focal)
      psi <- list(
        matrix(c(v[1]^2, v[1] * v[2] * v[3], v[1] * v[2] * v[3], v[3]^2), 2) / v[[".sigma"]]^2,
        matrix(v[[".sig04"]]^2 / v[[".sigma"]]^2)
      )
      order <- vapply(fit$random, function(t) if (length(t$columns) > 1L) 1L else 2L, 0L)
      oracle_criterion(model, psi[order], v[[".sigma"]]^2)
    }
    at <- unlist(row[c(".sig01", ".sig02", ".sig03", ".sig04", ".sigma")])
    expect_equal(deviance(at), attr(profile(fit, par), "deviance") + row$.zeta^2, tolerance = 1e-9)
    others <- setdiff(names(at), par)
    slope <- oracle_gradient(function(x) deviance(replace(at, others, x)), at[others])
    expect_lt(max(abs(slope * at[others])), 1e-3)
  }
})

test_that("a fixed effect that is held is lm's offset", {
  d <- plain_data("sleepstudy", "lme4")
  fit <- sleep(REML = FALSE)
  p <- as.data.frame(profile(fit, which = "Days"))
  row <- p[2L, ]
  held <- mixedlm(Reaction ~ 1 + (Days | Subject), d, offset = row$Days * d$Days, REML = FALSE)
  expect_equal(held$criterion, fit$criterion + row$.zeta^2, tolerance = 1e-10)
  expect_equal(row[["(Intercept)"]], fixef(held)[["(Intercept)"]], tolerance = 1e-6)
  expect_equal(row$.sigma, sigma(held), tolerance = 1e-6)
})

test_that("an object of profiles: parts, splines, names", {
  fit <- sleep()
  p <- profile(fit)
  expect_s3_class(p, c("mixedlm_profiles", "data.frame"), exact = TRUE)
  expect_identical(levels(p$.par), c(".sig01", ".sig02", ".sig03", ".sigma", "(Intercept)", "Days"))
  cutoff <- sqrt(qchisq(0.99, 6))
  for (par in setdiff(levels(p$.par), ".sig02")) {
    zeta <- p$.zeta[p$.par == par]
    expect_false(is.unsorted(zeta, strictly = TRUE))
    expect_true(min(zeta) <= -cutoff && max(zeta) >= cutoff)
    expect_lt(max(abs(diff(zeta) / (cutoff / 8) - 1)), 0.5)
  }
  expect_identical(attr(p, "ends")[, ".sig02"], c(lower = "cutoff", upper = "boundary"))
  skip_if_not_installed("splines")
  forward <- attr(p, "forward")[["Days"]]
  backward <- attr(p, "backward")[["Days"]]
  own <- p$.par == "Days"
  expect_equal(predict(forward, p$Days[own])$y, p$.zeta[own])
  expect_equal(predict(backward, p$.zeta[own])$y, p$Days[own])
  expect_equal(predict(forward, c(0, 10, 30))$y, spline_at(forward, c(0, 10, 30)))
  expect_equal(spline_slope(forward, 9), (spline_at(forward, 9.001) - spline_at(forward, 8.999)) / 0.002, tolerance = 1e-5)
  long <- profile(fit, signames = FALSE, which = "theta_")
  expect_identical(levels(long$.par), c("sd_(Intercept)|Subject", "cor_Days.(Intercept)|Subject", "sd_Days|Subject", "sigma"))
  expect_identical(class(p[1:2, ]), "data.frame")
  expect_output(print(p), "Likelihood profiles of Reaction")
  expect_output(print(p), "upper: boundary")
})

test_that("which parameters: numbers, names, theta_, beta_", {
  fit <- sleep()
  of <- function(...) levels(profile(fit, ...)$.par)
  expect_identical(of("beta_"), c("(Intercept)", "Days"))
  expect_identical(of(which = "theta_"), c(".sig01", ".sig02", ".sig03", ".sigma"))
  expect_identical(of(which = c(6, 1)), c("Days", ".sig01"))
  expect_identical(of(which = c("sd_Days|Subject", "Days")), c(".sig03", "Days"))
  expect_identical(of(".sigma"), ".sigma")
  expect_identical(of(which = -(1:4)), c("(Intercept)", "Days"))
})

test_that("fewer or more points, and a shorter walk", {
  fit <- sleep()
  expect_gt(nrow(profile(fit, which = "Days", delta = 0.1)), 60L)
  short <- profile(fit, which = "Days", maxpts = 2)
  expect_identical(nrow(short), 5L)
  expect_identical(unname(attr(short, "ends")[, 1L]), c("maxpts", "maxpts"))
  expect_warning(confint(short, level = 0.99), class = "mixedlm_warning_profile")
  expect_lt(max(profile(fit, which = "Days", alphamax = 0.2)$.zeta), 3.6)
})

test_that("singular fits have profiles", {
  fit <- mixedlm(Yield ~ 1 + (1 | Batch), plain_data("Dyestuff2", "lme4"))
  p <- profile(fit)
  expect_identical(min(p$.sig01), 0)
  expect_true(all(p$.zeta[p$.par == ".sig01"] >= 0))
  expect_message(ci <- confint(fit), class = "mixedlm_message_boundary")
  expect_identical(ci[[".sig01", 1L]], 0)
  expect_silent(again <- confint(fit, quiet = TRUE))
  expect_identical(ci, again)
  expect_equal(confint(p, quiet = TRUE), ci, tolerance = 1e-4)
  skip_if_not_installed("lme4")
  theirs <- suppressWarnings(suppressMessages(confint(profile(lme4::lmer(Yield ~ 1 + (1 | Batch), plain_data("Dyestuff2", "lme4"))))))
  expect_equal(ci[-1L, ], theirs[-1L, ], tolerance = 1e-3)
  expect_equal(ci[1L, 2L], theirs[1L, 2L], tolerance = 1e-3)
})

test_that("the correlation of an effect that does not vary is any", {
  set.seed(3)
  d <- data.frame(g = factor(rep(1:10, each = 8)), x = rnorm(80))
  d$y <- resid(lm(rnorm(80) ~ g * x, d))
  fit <- mixedlm(y ~ x + (x | g), d)
  expect_identical(unname(fit$psi[[1L]][1L]), 0)
  expect_message(p <- profile(fit), "`.sig02`", class = "mixedlm_message_undefined")
  expect_identical(levels(p$.par), c(".sig01", ".sig03", ".sigma", "(Intercept)", "x"))
  expect_message(ci <- confint(fit), class = "mixedlm_message_boundary")
  expect_identical(unname(ci[".sig02", ]), c(-1, 1))
  expect_identical(unname(ci[c(".sig01", ".sig03"), 1L]), c(0, 0))
})

test_that("elements that are held have no profile", {
  held <- mixedlm(Reaction ~ Days, plain_data("sleepstudy", "lme4"),
    groups = "Subject", re_formula = ~Days,
    start = mixedlm_params(cov_re = matrix(c(1, 0.05, 0.05, 0.1), 2)),
    free = mixedlm_params(cov_re = matrix(c(1, 0, 0, 1), 2))
  )
  expect_identical(levels(profile(held)$.par), c(".sigma", "(Intercept)", "Days"))
  expect_error(profile(held, which = ".sig01"), class = "mixedlm_error_profile")
  expect_error(confint(held, ".sig02"), class = "mixedlm_error_profile")
  expect_identical(nrow(confint(held, "theta_")), 4L)
})

test_that("a correlation ends where one of its effects vanishes", {
  none <- subjects_items(seed = 11, sd = c(subject = 1, slope = 0, item = 0, noise = 1))
  fit <- mixedlm(y ~ a + (a | s) + (1 | i), none)
  p <- as.data.frame(profile(fit))
  sd <- p[p$.par == ".sig03", ]
  cor <- p[p$.par == ".sig02", ]
  # with the slopes gone the deviance no longer depends on the correlation
  gone <- -sd$.zeta[sd$.focal == 0]
  expect_equal(max(abs(cor$.zeta)), gone, tolerance = 1e-6)
  expect_identical(range(cor$.focal), c(-1, 1))
  expect_message(ci <- confint(fit, "theta_"), "`.sig02` at -1, `.sig02` at 1", class = "mixedlm_message_boundary")
  expect_identical(unname(ci[".sig02", ]), c(-1, 1))
})

test_that("held fixed effects and relative variances stay where they are", {
  d <- plain_data("sleepstudy", "lme4")
  fit <- mixedlm(Reaction ~ Days, d,
    groups = "Subject", re_formula = ~1,
    start = mixedlm_params(fe_params = c(250, 10), cov_re = matrix(1)),
    free = mixedlm_params(fe_params = c(1, 0), cov_re = matrix(1))
  )
  p <- as.data.frame(profile(fit))
  expect_identical(levels(p$.par), c(".sig01", ".sigma", "(Intercept)"))
  expect_true(all(p$Days == 10))
  expect_error(profile(fit, which = "Days"), class = "mixedlm_error_profile")
})

test_that("units, weights and offsets", {
  d <- plain_data("sleepstudy", "lme4")
  d$w <- rep(c(1, 2, 0.5), length.out = nrow(d))
  a <- confint(mixedlm(Reaction ~ Days + (Days | Subject), d, weights = w))
  b <- confint(mixedlm(I(Reaction * 1e6 + 3e9) ~ Days + (Days | Subject), d, weights = w))
  sd <- c(".sig01", ".sig03", ".sigma", "Days")
  expect_equal(b[sd, ], 1e6 * a[sd, ], tolerance = 1e-6)
  expect_equal(b[".sig02", ], a[".sig02", ], tolerance = 1e-5)
  expect_equal(b["(Intercept)", ], 1e6 * a["(Intercept)", ] + 3e9, tolerance = 1e-9)
  d$year <- 1990 + d$Days
  centred <- confint(sleep())
  years <- confint(mixedlm(Reaction ~ year + (Days | Subject), d))
  expect_equal(unname(years["year", ]), unname(centred["Days", ]), tolerance = 1e-6)
})

test_that("wrong settings of a full profile are told", {
  fit <- sleep()
  expect_error(profile(fit, which = "Tiem"), class = "mixedlm_error_profile")
  expect_error(profile(fit, which = 7), class = "mixedlm_error_profile")
  expect_error(profile(fit, which = list(1)), class = "mixedlm_error_profile")
  expect_error(profile(fit, maxpts = 0), class = "mixedlm_error_profile")
  expect_error(profile(fit, alphamax = 1), class = "mixedlm_error_profile")
  expect_error(profile(fit, delta = -1), class = "mixedlm_error_profile")
  expect_error(profile(fit, signames = NA), class = "mixedlm_error_profile")
  expect_error(profile(fit, vtype = "re", maxpts = 10), class = "mixedlm_error_profile")
  expect_error(profile(fit, "beta_", which = 1), class = "mixedlm_error_profile")
  expect_error(profile(fit, maxpt = 10, foo = 1), class = "mixedlm_error_argument")
  p <- profile(fit, which = "beta_")
  expect_error(confint(p, ".sigma"), class = "mixedlm_error_argument")
  expect_error(confint(p, level = 2), class = "mixedlm_error_argument")
  expect_error(confint(p, levl = 0.9), class = "mixedlm_error_argument")
})

test_that("a profile that finds a better fit says so", {
  answer <- list(
    verdict = "optimum", deviance = 10, deviances = c(10, 9.5), converged = c(TRUE, TRUE)
  )
  expect_warning(warn_profiles(answer, c("a", "b")), "of `b` the deviance falls", class = "mixedlm_warning_profile")
  answer$deviances <- c(10, 11)
  answer$converged <- c(TRUE, FALSE)
  expect_warning(warn_profiles(answer, c("a", "b")), "did not end", class = "mixedlm_warning_profile")
  answer$converged <- c(TRUE, TRUE)
  expect_silent(warn_profiles(answer, c("a", "b")))
})

test_that("far from the estimate a profile follows the lowest of several minima", {
  set.seed(5)
  d <- data.frame(g = gl(6, 4), h = factor(sample(4, 24, TRUE)))
  d$y <- 5 + 3 * rnorm(6)[d$g] + rnorm(4)[d$h] + rnorm(24)
  p <- profile(mixedlm(y ~ 1 + (1 | g) + (1 | h), d, REML = FALSE), which = "beta_")
  deviances <- vapply(p[["(Intercept)"]], function(at) {
    mixedlm(I(y - at) ~ 0 + (1 | g) + (1 | h), d, REML = FALSE)$criterion
  }, 0)
  expect_lt(max(p$.zeta^2 - (deviances - attr(p, "deviance"))), 1e-7)
})

test_that("extreme settings of a full profile are no trouble", {
  p <- profile(sleep(), which = "beta_", alphamax = 1e-300, maxpts = 2)
  expect_true(all(is.finite(p$.zeta)))
  expect_gt(nrow(profile(sleep(), delta = 1e12)), 12L)
})

test_that("parameters are numbered by whole numbers", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
  expect_error(profile(fit, which = 1.5), class = "mixedlm_error_profile")
  expect_error(confint(fit, parm = 1.5, method = "Wald"), class = "mixedlm_error_argument")
})
