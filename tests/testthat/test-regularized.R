pen_reference <- function(file) utils::read.csv(fixture(file), comment.char = "#", stringsAsFactors = FALSE)

pen_models <- list(
  intercept = function(...) mixedlm(Weight ~ Time * Cu + Evit, dietox, groups = "Pig", ...),
  "intercept-ml" = function(...) mixedlm(Weight ~ Time * Cu + Evit, dietox, groups = "Pig", REML = FALSE, ...),
  slopes = function(...) mixedlm(Weight ~ Time * Cu + Evit, dietox, groups = "Pig", re_formula = ~Time, ...),
  sleep = function(...) {
    mixedlm(Reaction ~ Days, plain_data("sleepstudy", "lme4"),
      groups = "Subject", re_formula = ~Days, REML = FALSE, ...
    )
  }
)

# -2 log-likelihood of dense algebra, at given fixed effects, scale and relative covariances.
dense_deviance <- function(fit, fe = fixef(fit), psi = field(fit, "psi")[[1L]], scale = field(fit, "scale")) {
  x <- whole_design(fit)$x[, names(field(fit, "fe_params")), drop = FALSE]
  z <- as.matrix(getME(fit, "Z"))
  q <- nrow(as.matrix(psi))
  levels <- ncol(z) / q
  v <- diag(1 / (field(fit, "weights") %||% rep(1, nrow(x)))) + z %*% kronecker(diag(levels), psi) %*% t(z)
  e <- field(fit, "y") - drop(x %*% fe)
  u <- chol(v)
  r <- sum(backsolve(u, e, transpose = TRUE)^2)
  n <- field(fit, "denominator")
  extra <- if (field(fit, "reml")) {
    determinant(crossprod(backsolve(u, x, transpose = TRUE)))$modulus
  } else {
    0
  }
  list(
    deviance = n * log(2 * pi * scale) + r / scale + 2 * sum(log(diag(u))) + as.numeric(extra),
    slope = -2 * drop(crossprod(backsolve(u, x, transpose = TRUE), backsolve(u, e, transpose = TRUE))) / scale, r = r
  )
}

test_that("statsmodels' estimates are reached, or bettered", {
  reference <- pen_reference("penalties-statsmodels.csv")
  for (key in names(pen_models)) {
    fit <- pen_models[[key]]()
    for (name in unique(grep(paste0("^", key, "/[0-9v]"), reference$model, value = TRUE))) {
      own <- reference[reference$model == name & reference$part == "fe_params", ]
      theirs <- stats::setNames(own$value, own$name)
      given <- sub(".*/", "", name)
      alpha <- if (given == "vector") c(0, rep(30, length(theirs) - 1L)) else as.numeric(given)
      ours <- fit_regularized(fit, alpha = alpha)
      # the terms stand in another order there
      theirs <- theirs[names(fixef(ours))]
      expect_equal(fixef(ours), theirs, tolerance = 1e-6, info = name)
      expect_lt(ours$regularized$kkt, 1e-12)
      scale <- reference$value[reference$model == name & reference$part == "scale"]
      if (length(scale)) expect_equal(ours$scale, scale, tolerance = 1e-6, info = name)
      # their objective, at their covariances
      away <- function(b) sum((b - fixef(fit)) * solve(vcov(fit), b - fixef(fit))) + sum(alpha * abs(b))
      expect_lte(away(fixef(ours)), away(theirs) + 1e-7)
    }
  }
})

test_that("a penalty of zero gives the fit, an enormous one nothing", {
  fit <- pen_models$slopes()
  same <- fit_regularized(fit)
  for (name in c("fe_params", "scale", "cov_re", "b", "fitted", "criterion")) {
    expect_equal(field(same, name), field(fit, name), tolerance = 1e-10, info = name)
  }
  none <- fit_regularized(fit, alpha = 1e300)
  expect_true(all(fixef(none) == 0))
  expect_identical(none$regularized$active, character())
  joint <- fit_regularized(fit, alpha = 1e300, covariance = "estimated")
  expect_true(all(fixef(joint) == 0))
  expect_equal(fixef(fit_regularized(fit, covariance = "estimated")), fixef(fit), tolerance = 1e-7)
})

test_that("random effects, scale and criterion are those at the penalised coefficients", {
  for (name in c("sleep", "slopes")) {
    r <- fit_regularized(pen_models[[name]](), alpha = 20)
    dense <- dense_deviance(r)
    expect_equal(dense$r, r$pwrss, tolerance = 1e-8)
    expect_equal(dense$deviance, r$criterion, tolerance = 1e-9)
    z <- getME(r, "Z")
    x <- whole_design(r)$x
    expect_equal(unname(field(r, "fitted")), as.numeric(x %*% fixef(r) + z %*% unlist(field(r, "b"))), tolerance = 1e-9)
    # V^-1 (y - X beta) two ways
    expect_equal(unname(joint_slopes(r)), unname(dense$slope), tolerance = 1e-7)
  }
})

test_that("with covariances estimated nothing nearby is lower", {
  set.seed(4)
  for (name in c("sleep", "intercept")) {
    fit <- pen_models[[name]]()
    for (l1_ratio in c(1, 0.4)) {
      r <- fit_regularized(fit, alpha = 10, l1_ratio = l1_ratio, covariance = "estimated")
      expect_lt(r$regularized$kkt, 1e-8)
      expect_true(r$optinfo$verdict %in% c("optimum", "boundary"))
      value <- function(fe, psi, scale) {
        dense_deviance(r, fe, psi, scale)$deviance + sum(10 * (l1_ratio * abs(fe) + (1 - l1_ratio) / 2 * fe^2))
      }
      best <- value(fixef(r), r$psi[[1L]], r$scale)
      expect_equal(best, r$regularized$objective, tolerance = 1e-9)
      for (i in 1:6) {
        fe <- fixef(r) + stats::rnorm(length(fixef(r)), sd = 10^-(i %% 3 + 1))
        psi <- r$psi[[1L]] * exp(stats::rnorm(1, sd = 0.05))
        expect_gte(value(fe, psi, r$scale * exp(stats::rnorm(1, sd = 0.01))), best - 1e-7)
      }
      expect_lte(best, value(fixef(fit_regularized(fit, alpha = 10, l1_ratio = l1_ratio)), fit$psi[[1L]], fit$scale))
    }
  }
})

test_that("the conditions of the minimum hold on every kind of model", {
  for (name in model_pairs) {
    fit <- model_pair(name)$ours
    for (alpha in c(0.1, 3, 50)) {
      r <- suppressMessages(fit_regularized(fit, alpha = alpha))
      expect_lt(r$regularized$kkt, 1e-10)
      expect_identical(names(fixef(r)), names(fixef(fit)))
      j <- suppressMessages(fit_regularized(fit, alpha = alpha, covariance = "estimated"))
      expect_lt(j$regularized$kkt, 1e-6)
      expect_s3_class(j, c("mixedlm_regularized", "mixedlm"), exact = TRUE)
    }
  }
})

test_that("units of the response go with units of alpha", {
  d <- transform(dietox, Weight = 1000 * Weight)
  for (covariance in c("held", "estimated")) {
    a <- fit_regularized(pen_models$intercept(), alpha = 20, covariance = covariance)
    b <- fit_regularized(mixedlm(Weight ~ Time * Cu + Evit, d, groups = "Pig"), alpha = 0.02, covariance = covariance)
    expect_equal(1000 * fixef(a), fixef(b), tolerance = 1e-6)
    expect_equal(1e6 * a$scale, b$scale, tolerance = 1e-6)
  }
})

test_that("weights go by name and by standard deviation", {
  fit <- pen_models$intercept()
  named <- fit_regularized(fit, alpha = c(CuCu035 = 5, CuCu175 = 7))
  vector <- fit_regularized(fit, alpha = c(0, 0, 5, 7, 0, 0, 0, 0))
  expect_equal(fixef(named), fixef(vector))
  x <- model.matrix(fit)
  sds <- apply(x, 2L, function(v) sqrt(mean((v - mean(v))^2)))
  expect_equal(
    fixef(fit_regularized(fit, alpha = 3, standardize = TRUE)), fixef(fit_regularized(fit, alpha = unname(3 * sds)))
  )
  ridge <- fit_regularized(fit, alpha = 2, l1_ratio = 0)
  a <- solve(vcov(fit))
  expect_equal(unname(fixef(ridge)), unname(solve(a + diag(1, 8), a %*% fixef(fit))[, 1L]), tolerance = 1e-9)
})

test_that("a formula, a computed field and a penalty object do the same", {
  fit <- pen_models$intercept()
  a <- fit_regularized(fit, alpha = 20)
  b <- fit_regularized(Weight ~ Time * Cu + Evit, dietox, groups = "Pig", alpha = 20)
  expect_equal(fixef(a), fixef(b))
  expect_equal(fixef(a), fixef(fit$fit_regularized("l1", 20)))
  ridge <- fit_regularized(fit, method = pen_l2(0.5), alpha = 2)
  expect_equal(fixef(ridge), fixef(pen_models$intercept(fe_pen = pen_l2())), tolerance = 1e-10)
})

test_that("there is no precision of penalised estimates, and what needs one says so", {
  fit <- pen_models$intercept()
  r <- fit_regularized(fit, alpha = 20)
  expect_true(all(is.na(vcov(r))))
  table <- coef(summary(r))
  expect_true(all(is.na(table[, -1L])))
  expect_true(all(is.na(r$bse)))
  expect_output(print(r), "4 of 8 coefficients are not zero")
  expect_output(print(summary(r)), "no standard errors")
  expect_equal(attr(logLik(r), "df"), 4 + 2)
  refused <- list(
    function() anova(r), function() linear_hypothesis(r, "Time"), function() profile(r), function() bootstrap(r, nsim = 2),
    function() drop1(r, test = "F"), function() ranova(r), function() vcov(r, type = "CR2"), function() prediction_se(r),
    function() update(r, . ~ . - Cu), function() fit_regularized(r, alpha = 1), function() anova(fit, r, refit = FALSE),
    function() regularization_path(r)
  )
  for (f in refused) expect_error(f(), class = "mixedlm_error_penalty")
  expect_length(ranef(r, condVar = TRUE), 1L)
})

test_that("the selected coefficients are fitted again", {
  fit <- pen_models$intercept()
  again <- refit_active(fit_regularized(fit, alpha = 20))
  expect_identical(fit_regularized(fit, alpha = 20, refit = TRUE)$fe_params, again$fe_params)
  d <- dietox
  x <- model.matrix(fit)
  d$a <- x[, "Time:CuCu035"]
  d$b <- x[, "Time:CuCu175"]
  known <- mixedlm(Weight ~ Time + a + b, d, groups = "Pig")
  expect_equal(unname(fixef(again)[fixef(again) != 0]), unname(fixef(known)), tolerance = 1e-7)
  expect_equal(again$criterion, known$criterion, tolerance = 1e-10)
  expect_equal(unname(sqrt(diag(vcov(again)))[c(1, 2, 7, 8)]), unname(sqrt(diag(vcov(known)))), tolerance = 1e-6)
  expect_error(refit_active(fit), class = "mixedlm_error_object")
})

test_that("effects that are held are not penalised", {
  held <- mixedlm(Weight ~ Time, dietox,
    groups = "Pig", free = mixedlm_params(fe_params = c(1, 0)), start = mixedlm_params(fe_params = c(0, 7))
  )
  for (covariance in c("held", "estimated")) {
    fit <- fit_regularized(held, alpha = 2, covariance = covariance)
    expect_identical(fit$fe_params[["Time"]], 7)
    expect_equal(fit$penalty$value, abs(fit$fe_params[[1L]]), tolerance = 1e-10)
  }
  e <- expect_error(regularization_path(held, n_alpha = 2), class = "mixedlm_error_penalty")
  expect_identical(e$argument, "weights")
})

test_that("what is made of a fit of selected coefficients holds the others too", {
  d <- dietox
  set.seed(4)
  d$noise <- rnorm(nrow(d))
  for (free in list(NULL, "diagonal")) {
    full <- mixedlm(Weight ~ Time + noise, d, groups = "Pig", re_formula = ~ Time, free = free)
    known <- mixedlm(Weight ~ Time, d, groups = "Pig", re_formula = ~ Time, free = free)
    again <- refit_active(fit_regularized(full, alpha = c(noise = 1e4)))
    expect_identical(again$fe_params[["noise"]], 0)
    expect_equal(hatvalues(again), hatvalues(known), tolerance = 1e-8)
    expect_equal(fixef(refit(again, d$Weight + 1))[1:2], fixef(known) + c(1, 0), tolerance = 1e-8)
    expect_equal(as.numeric(logLik(update(again, REML = FALSE))), as.numeric(logLik(refitML(known))), tolerance = 1e-10)
    expect_equal(unname(mixedlm_score(again)), unname(mixedlm_score(known)), tolerance = 1e-6)
    expect_equal(
      cooks.distance(influence(again, "Litter"), scale = "classical"),
      cooks.distance(influence(known, "Litter"), scale = "classical"),
      tolerance = 1e-6
    )
    expect_error(update(again, . ~ . - noise), class = "mixedlm_error_free")
  }
  # elements that were held before stay so, at their values
  held <- mixedlm(Weight ~ Time + noise, d,
    groups = "Pig", re_formula = ~ Time,
    free = mixedlm_params(fe_params = c(1, 0, 1), cov_re = rbind(c(1, 1), c(1, 0))),
    start = mixedlm_params(fe_params = c(0, 7, 0), cov_re = rbind(c(2, 0), c(0, 0.25)))
  )
  again <- refit_active(fit_regularized(held, alpha = c(noise = 1e4)))
  expect_identical(unname(again$fe_params[2:3]), c(7, 0))
  expect_equal(fixef(refit(again, d$Weight)), fixef(again), tolerance = 1e-8)
  expect_equal(as.numeric(logLik(update(again))), as.numeric(logLik(again)), tolerance = 1e-10)
})

test_that("what cannot be used is told by its name", {
  fit <- pen_models$intercept()
  bad <- list(
    list(alpha = -1), list(alpha = NA), list(alpha = Inf), list(alpha = "a"), list(alpha = 1:3), list(alpha = c(zz = 1)),
    list(alpha = numeric()), list(alpha = NULL), list(alpha = 1, l1_ratio = 2), list(alpha = 1, l1_ratio = NA),
    list(alpha = 1, method = "l2"), list(alpha = 1, method = pen_psd()), list(alpha = 1:2, method = list(func = sum, deriv = sum))
  )
  for (args in bad) {
    e <- expect_error(do.call(fit_regularized, c(list(fit), args)), class = "mixedlm_error_penalty")
    expect_true(nzchar(e$argument))
  }
  expect_error(fit_regularized(fit, alpha = 1, covariance = "x"), class = "mixedlm_error_argument")
  expect_error(fit_regularized(fit, alpha = 1, standardize = 3), class = "mixedlm_error_argument")
  expect_error(fit_regularized(fit, alpha = 1, zz = 3), class = "mixedlm_error_argument")
  expect_error(fit_regularized(1), class = "mixedlm_error_object")
})

test_that("fixed effects that double precision cannot tell apart are refused", {
  expect_error(information_of(matrix(1, 2, 2)), class = "mixedlm_error_numerical")
  expect_equal(information_of(diag(c(1e-20, 4))), diag(c(1e20, 0.25)))
})
