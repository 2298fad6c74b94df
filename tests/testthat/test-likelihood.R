reference <- utils::read.csv(fixture("likelihood-statsmodels.csv"), comment.char = "#")
saved <- function(model, what, reml = "") {
  own <- reference[reference$model == model & reference$what == what & reference$reml == reml, ]
  own$value[order(own$index)]
}
likelihood_models <- list(
  dietox = list(
    function(reml) mixedlm(Weight ~ Time, dietox, groups = "Pig", REML = reml), mixedlm_params(c(15, 7), 2.5)
  ),
  sleepstudy = list(
    function(reml) mixedlm(Reaction ~ Days, plain_data("sleepstudy", "lme4"), groups = "Subject", re_formula = ~Days, REML = reml),
    mixedlm_params(c(250, 10), matrix(c(0.8, 0.1, 0.1, 0.2), 2))
  ),
  pastes = list(
    function(reml) {
      mixedlm(strength ~ 1, plain_data("Pastes", "lme4"),
        groups = "batch", re_formula = ~1, vc_formula = list(cask = ~ 0 + cask), REML = reml
      )
    }, mixedlm_params(60.5, 1.7, 9)
  ),
  penicillin = list(
    function(reml) mixedlm(diameter ~ 1, penicillin(), vc_formula = rev(plates_and_samples), REML = reml),
    mixedlm_params(23.5, vcomp = c(plate = 2, sample = 11))
  )
)

test_that("values are statsmodels'", {
  skip_if_not_installed("lme4")
  for (name in names(likelihood_models)) {
    model <- likelihood_models[[name]]
    params <- model[[2]]
    for (reml in c(TRUE, FALSE)) {
      fit <- model[[1]](reml)
      key <- if (reml) "True" else "False"
      of <- function(what) saved(name, what, key)
      expect_equal(mixedlm_loglik(fit, params), of("loglike_True"), tolerance = 1e-10)
      expect_equal(mixedlm_loglik(fit, params, profile_fe = FALSE), of("loglike_False"), tolerance = 1e-10)
      for (root in c(TRUE, FALSE)) {
        for (profile in c(TRUE, FALSE)) {
          what <- paste0("score_", if (root) "True" else "False", "_", if (profile) "True" else "False")
          expect_equal(unname(mixedlm_score(fit, params, profile, root)), of(what), tolerance = 1e-7, info = paste(name, what))
        }
      }
      p <- length(params$fe_params)
      hessian <- mixedlm_hessian(fit, params)
      k <- nrow(hessian)
      # its score, differentiated numerically, is right where its Hessian leaves terms out
      expect_equal(unname(hessian), matrix(of("numeric"), k), tolerance = 1e-5)
      theirs <- matrix(of("hessian"), k)
      expect_equal(unname(hessian)[-seq_len(p), -seq_len(p)], theirs[-seq_len(p), -seq_len(p)], tolerance = 1e-7)
    }
  }
})

test_that("packed vectors mean the same", {
  fit <- likelihood_models$sleepstudy[[1]](TRUE)
  params <- likelihood_models$sleepstudy[[2]]
  for (root in c(TRUE, FALSE)) {
    packed <- get_packed(params, use_sqrt = root, has_fe = TRUE)
    expect_equal(mixedlm_loglik(fit, packed, use_sqrt = root), mixedlm_loglik(fit, params))
    expect_equal(mixedlm_loglik(fit, packed[-(1:2)], use_sqrt = root), mixedlm_loglik(fit, params))
    expect_equal(mixedlm_loglik(fit, packed, FALSE, use_sqrt = root), mixedlm_loglik(fit, params, FALSE))
    expect_equal(mixedlm_score(fit, packed, FALSE, use_sqrt = root), mixedlm_score(fit, params, FALSE, use_sqrt = root))
    expect_equal(mixedlm_hessian(fit, packed, use_sqrt = root), mixedlm_hessian(fit, params))
  }
  expect_equal(mixedlm_loglik(fit), fit$llf)
  expect_equal(mixedlm_loglik(fit, fit$params, FALSE), fit$llf)
  expect_equal(mixedlm_score(fit), c(0, 0, 0), tolerance = 1e-5, ignore_attr = "names")
  expect_named(mixedlm_score(fit, profile_fe = FALSE), names(fit$params))
  expect_identical(dimnames(mixedlm_hessian(fit)), list(names(fit$params), names(fit$params)))
  expect_equal(fit$loglike(fit$params_object), fit$llf)
  expect_equal(solve(-mixedlm_hessian(fit)), fit$cov_params(), tolerance = 1e-6, ignore_attr = TRUE)
})

# Central differences of f at x, twice extrapolated.
slope_of <- function(f, x) {
  vapply(seq_along(x), function(i) {
    e <- replace(numeric(length(x)), i, 1e-3 * max(abs(x[i]), 0.05))
    d <- function(k) (f(x + k * e) - f(x - k * e)) / (2 * k)
    ((4 * d(1) - d(2)) / 3) / sum(e)
  }, f(x))
}

test_that("derivatives are those of the likelihood, whatever the model", {
  fits <- c(lapply(setdiff(model_pairs, "singular"), function(name) model_pair(name)$ours), list(
    suppressMessages(mixedlm(y ~ a + (a || s) + (0 + t | i), subjects_items())),
    mixedlm(Reaction ~ Days + (Days | Subject), unbalanced(), weights = w, free = mixedlm_params(c(1, 0), diag(2)), start = mixedlm_params(c(0, 9), diag(2)))
  ))
  for (fit in fits) {
    p <- length(fit$fe_params)
    held <- if (is.null(fit$free$fe_params)) logical(p) else fit$free$fe_params == 0
    has <- c(!held, !is.na(varcomp_rows(fit, TRUE, TRUE)$element))
    x <- unname(fit$params)
    x[seq_len(p)] <- x[seq_len(p)] + 0.3 * fit$bse_fe
    at <- has & seq_along(x) > p
    x[at] <- x[at] * 1.3 + ifelse(varcomp_rows(fit, TRUE, TRUE)$label[at[-seq_len(p)]] == "", 0, 1e-3)
    own <- which(has)
    f <- function(v) mixedlm_loglik(fit, replace(x, own, v), FALSE)
    g <- function(v) mixedlm_score(fit, replace(x, own, v), FALSE)[own]
    expect_equal(unname(mixedlm_score(fit, x, FALSE)[own]), slope_of(f, x[own]), tolerance = 2e-5)
    expect_equal(unname(mixedlm_hessian(fit, x)[own, own]), unname(slope_of(g, x[own])), tolerance = 2e-5)
    expect_true(all(mixedlm_score(fit, x, FALSE)[-own] == 0))
    # profiled
    vary <- which(at)
    fp <- function(v) mixedlm_loglik(fit, replace(x, vary, v))
    expect_equal(unname(mixedlm_score(fit, x)[vary - p]), slope_of(fp, x[vary]), tolerance = 2e-5)
  }
})

test_that("a fixed effect that is held has the value that is given for it", {
  arguments <- function(slope) {
    list(free = mixedlm_params(fe_params = c(1, 0)), start = mixedlm_params(fe_params = c(0, slope)))
  }
  fit <- function(slope) {
    do.call(mixedlm, c(list(Weight ~ Time, dietox, groups = "Pig", REML = FALSE), arguments(slope)))
  }
  at <- c(14, 6.5, 3)
  there <- fit(6.5)
  expect_equal(mixedlm_loglik(fit(7), at, profile_fe = FALSE), mixedlm_loglik(there, at, profile_fe = FALSE))
  expect_equal(mixedlm_score(fit(7), at, profile_fe = FALSE), mixedlm_score(there, at, profile_fe = FALSE))
  expect_equal(mixedlm_hessian(fit(7), at), mixedlm_hessian(there, at))
  free <- mixedlm(Weight ~ Time, dietox, groups = "Pig", REML = FALSE)
  expect_equal(mixedlm_loglik(fit(7), at, profile_fe = FALSE), mixedlm_loglik(free, at, profile_fe = FALSE))
})

test_that("parameters that do not fit are told", {
  fit <- likelihood_models$sleepstudy[[1]](TRUE)
  told <- function(code) tryCatch(code, mixedlm_error = function(e) paste(class(e)[1], e$argument))
  bad <- list(
    1:2, 1:6, "a", mixedlm_params(), mixedlm_params(1:2, 2), mixedlm_params(1:2, diag(2), 3), c(1, 2, 1), list(1), matrix(1, 1, 3),
    c(1, NA, 1)
  )
  for (params in bad) {
    for (f in list(mixedlm_loglik, mixedlm_score, mixedlm_hessian)) {
      expect_identical(told(f(fit, params)), "mixedlm_error_params params")
    }
  }
  expect_identical(told(mixedlm_loglik(fit, mixedlm_params(cov_re = diag(2)), FALSE)), "mixedlm_error_params params")
  expect_identical(told(mixedlm_loglik(fit, profile_fe = 1)), "mixedlm_error_argument profile_fe")
  expect_identical(told(mixedlm_score(fit, use_sqrt = NA)), "mixedlm_error_argument use_sqrt")
  expect_identical(told(mixedlm_loglik(lm(dist ~ speed, cars))), "mixedlm_error_object fit")
  penalised <- mixedlm(Weight ~ Time, dietox, groups = "Pig", fe_pen = pen_l2())
  expect_error(mixedlm_loglik(penalised), class = "mixedlm_error_penalty")
  expect_error(refit(penalised), class = "mixedlm_error_penalty")
})

test_that("the score in roots is the derivative at the roots that are given, whatever their sign and size", {
  few <- droplevels(subset(dietox, as.integer(Pig) <= 24))
  fits <- list(
    mixedlm(Weight ~ Time + (Time | Pig), few),
    mixedlm(Weight ~ Time, few, groups = "Litter", re_formula = ~Time, vc_formula = list(pig = ~ 0 + Pig)),
    mixedlm(Weight ~ Time + (1 | Pig) + (1 | Evit), few)
  )
  points <- list(
    list(c(1.5, -0.2, -0.3), c(1.5, -0.2, 1e-5), c(-1.5, 0.2, 0)),
    list(c(0.5, 0.1, -0.3, -1.2), c(-0.5, 0.1, 1e-4, 1.2)),
    list(c(-1.2, 0.4), c(1.2, -1e-5))
  )
  for (k in seq_along(fits)) {
    f <- function(x) mixedlm_loglik(fits[[k]], x, use_sqrt = TRUE)
    for (x in points[[k]]) {
      numeric <- vapply(seq_along(x), function(j) {
        h <- 1e-5 * (seq_along(x) == j)
        (8 * (f(x + h) - f(x - h)) - f(x + 2 * h) + f(x - 2 * h)) / (12 * 1e-5)
      }, 0)
      expect_equal(unname(mixedlm_score(fits[[k]], x, use_sqrt = TRUE)), numeric, tolerance = 1e-5)
    }
  }
})
