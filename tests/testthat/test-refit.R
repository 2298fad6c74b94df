test_that("a refit is the fit of the same model to the response, and lme4's", {
  for (name in model_pairs) {
    pair <- model_pair(name)
    y <- simulate(pair$ours, 2, seed = 9)
    data <- pair$data
    response <- all.vars(pair$formula)[1]
    fits <- suppressWarnings(refit(pair$ours, y))
    expect_named(fits, c("sim_1", "sim_2"))
    data[[response]] <- y$sim_2
    call <- list(quote(mixedlm), pair$formula, quote(data), REML = pair$ours$reml)
    if (name == "weighted") call$weights <- quote(w)
    fresh <- suppressMessages(eval(as.call(call)))
    same <- c(
      "fe_params", "vcov_unscaled", "cov_re", "vcomp", "scale", "criterion", "fitted", "y", "b", "columns", "aliased",
      "random", "group_sizes", "terms", "reml", "formula"
    )
    for (part in same) {
      expect_equal(fits[[2]][[part]], fresh[[part]], tolerance = 1e-5, info = paste(name, part))
    }
    expect_equal(fits[[2]]$criterion, fresh$criterion, tolerance = 1e-9)
    expect_identical(dim(fits[[2]]$frame), dim(fresh$frame))
    # lme4's own refit() forgets how many fixed effects there are, so a fit of the data stands for it under REML
    theirs <- if (pair$ours$reml) tight_lmer(pair$formula, data) else suppressWarnings(lme4::refit(pair$theirs, y$sim_2))
    expect_equal(fits[[2]]$criterion, lme4_criterion(theirs), tolerance = 1e-7, info = name)
    expect_equal(fixef(fits[[2]]), lme4::fixef(theirs), tolerance = 1e-5, info = name)
    expect_s3_class(vcov(fits[[2]]) |> as.data.frame(), "data.frame")
  }
})

test_that("every way of giving one response gives one fit", {
  pair <- model_pair("grouped")
  y <- simulate(pair$ours, seed = 1)
  first <- refit(pair$ours, y$sim_1)
  for (given in list(y, as.matrix(y), unname(as.matrix(y)), array(y$sim_1), list(y$sim_1), as.integer(y$sim_1) + 0)) {
    again <- refit(pair$ours, given)
    expect_s3_class(again, "mixedlm")
    if (!is.integer(given) && !all(unlist(given) == round(unlist(given)))) {
      expect_equal(again$criterion, first$criterion)
    }
  }
  expect_equal(fixef(refit(pair$ours)), fixef(pair$ours), tolerance = 1e-6)
  expect_equal(refit(pair$ours)$criterion, pair$ours$criterion, tolerance = 1e-10)
  many <- refit(pair$ours, unname(cbind(y$sim_1, pair$ours$y)))
  expect_null(names(many))
  expect_length(many, 2)
  expect_equal(many[[1]]$criterion, first$criterion)
})

test_that("refitML is the ML fit", {
  for (name in model_pairs) {
    pair <- model_pair(name)
    ml <- refitML(pair$ours)
    theirs <- suppressWarnings(suppressMessages(lme4::refitML(pair$theirs)))
    expect_false(isREML(ml))
    expect_equal(ml$criterion, lme4_criterion(theirs), tolerance = 1e-7, info = name)
    expect_equal(fixef(ml), lme4::fixef(theirs), tolerance = 1e-5, info = name)
    expect_identical(ml$call$REML, FALSE)
    if (!isREML(pair$ours)) expect_identical(ml, pair$ours)
  }
})

test_that("rows that were left out, and responses that are missing", {
  d <- from_package("sleepstudy", "lme4")
  d$Days[c(3, 50)] <- NA
  for (action in list(na.omit, na.exclude)) {
    fit <- mixedlm(Reaction ~ Days + (Days | Subject), d, na.action = action)
    y <- d$Reaction + 10 * sin(seq_len(180))
    full <- refit(fit, y)
    expect_equal(full$criterion, refit(fit, y[-c(3, 50)])$criterion)
    expect_length(fitted(full), if (identical(action, na.omit)) 178 else 180)
    y[c(1, 3, 17)] <- NA
    fewer <- refit(fit, y)
    d2 <- d
    d2$Reaction <- y
    fresh <- mixedlm(Reaction ~ Days + (Days | Subject), d2, na.action = action)
    expect_equal(fewer$criterion, fresh$criterion, tolerance = 1e-9)
    expect_equal(residuals(fewer), residuals(fresh), tolerance = 1e-5)
    expect_identical(fewer$na.action, fresh$na.action)
  }
  expect_length(refit(fit, simulate(fit, seed = 1))$y, 178)
  # a level that goes with its rows
  y <- d$Reaction
  y[d$Subject == "308"] <- NA
  expect_identical(ngrps(refit(fit, y)), c(Subject = 17L))
})

test_that("weights and offsets stay", {
  d <- unbalanced()
  d$o <- seq_len(nrow(d)) / 10
  fit <- mixedlm(Reaction ~ Days + (1 | Subject), d, weights = w, offset = o)
  y <- simulate(fit, seed = 2)$sim_1
  y[c(2, 9)] <- NA
  d$Reaction <- y
  expect_equal(refit(fit, y)$criterion, mixedlm(Reaction ~ Days + (1 | Subject), d, weights = w, offset = o)$criterion)
})

test_that("the response can be renamed", {
  fit <- model_pair("grouped")$ours
  other <- simulate(fit, 2, seed = 1)
  simulated <- other$sim_1
  renamed <- refit(fit, simulated, rename.response = TRUE)
  expect_identical(formula(renamed), simulated ~ Days + (Days | Subject), ignore_formula_env = TRUE)
  expect_identical(names(model.frame(renamed))[1], "simulated")
  expect_identical(all.vars(terms(renamed))[1], "simulated")
  expect_identical(formula(refit(fit, other, rename.response = TRUE)$sim_2)[[2]], quote(sim_2))
  expect_equal(fixef(refit(renamed, other$sim_2)), fixef(refit(fit, other$sim_2)))
  expect_identical(formula(refit(fit, simulated)), formula(fit))
})

test_that("verdicts warn", {
  fit <- mixedlm(Reaction ~ Days + (Days | Subject), from_package("sleepstudy", "lme4"), control = mixedlm_control(maxit = 1), method = "nelder-mead") |>
    suppressWarnings()
  expect_warning(refit(fit), class = "mixedlm_warning_maxit")
  expect_warning(refitML(fit), class = "mixedlm_warning_maxit")
})

test_that("other settings of the search can be given", {
  fit <- model_pair("grouped")$ours
  expect_identical(refit(fit, control = mixedlm_control(maxit = 77))$control$maxit, 77L)
  expect_identical(refit(fit, control = list(maxit = 77))$control$maxit, 77L)
  expect_identical(refit(fit, control = lme4::lmerControl())$control, fit$control)
  expect_error(refit(fit, control = list(maxiter = 3)), class = "mixedlm_error_control")
})

test_that("bad responses are told", {
  fit <- model_pair("grouped")$ours
  y <- model_pair("grouped")$data$Reaction
  told <- function(code) tryCatch(code, mixedlm_error = function(e) paste(class(e)[1], e$argument))
  bad <- list(
    1:10, numeric(), letters, factor(y), list(), list(1:3), rep(1, 180), rep(NA_real_, 180), replace(y, 2, Inf), matrix(0, 180, 0),
    array(y, c(180, 1, 1)), data.frame(a = y, b = "x"), mean, cbind(y, rep(1, 180))
  )
  for (newresp in bad) {
    expect_identical(told(refit(fit, newresp)), "mixedlm_error_newresp newresp")
  }
  expect_error(refit(fit, data.frame(a = y, other = "x")), "other")
  expect_identical(told(refit(fit, y, rename.response = 1)), "mixedlm_error_argument rename.response")
  expect_identical(told(refit(fit, y, maxiter = 1)), "mixedlm_error_argument maxiter")
  expect_identical(told(refitML(fit, maxiter = 1)), "mixedlm_error_argument maxiter")
  expect_error(refit(1), class = "mixedlm_error_argument")
  expect_error(refitML(1), class = "mixedlm_error_argument")
  expect_identical(told(refit(fit, fixef(fit)[1] + model_pair("grouped")$data$Days)), "mixedlm_error_newresp newresp")
})

test_that("fits of lme4 are handed over, and lme4's functions take ours", {
  pair <- model_pair("grouped")
  y <- simulate(pair$ours, seed = 1)$sim_1
  expect_s4_class(refit(pair$theirs, y), "lmerMod")
  expect_s4_class(refit(pair$theirs), "lmerMod")
  expect_s4_class(refitML(pair$theirs), "lmerMod")
  expect_s3_class(lme4::refit(pair$ours, y), "mixedlm")
  expect_s3_class(lme4::refitML(pair$ours), "mixedlm")
  boot <- lme4::bootMer(pair$ours, fixef, nsim = 3, seed = 1)
  expect_equal(boot$t0, fixef(pair$ours))
  expect_identical(dim(boot$t), c(3L, 2L))
  responses <- simulate(pair$ours, 3, seed = 1)
  expect_equal(boot$t, t(sapply(refit(pair$ours, responses), fixef)), tolerance = 1e-8, ignore_attr = TRUE)
})

test_that("update() goes where lme4's goes", {
  d <- from_package("sleepstudy", "lme4")
  d$w <- rep(1:2, 90)
  ours <- mixedlm(Reaction ~ Days + (Days | Subject), d)
  theirs <- lme4::lmer(Reaction ~ Days + (Days | Subject), d)
  few <- d[d$Days < 8, ]
  expect_both <- function(a, b) {
    expect_equal(a$criterion, lme4_criterion(b), tolerance = 1e-6)
    expect_identical(formula(a), formula(b), ignore_formula_env = TRUE)
    expect_equal(fixef(a), lme4::fixef(b), tolerance = 1e-5)
  }
  expect_both(update(ours, REML = FALSE), update(theirs, REML = FALSE))
  expect_both(update(ours, data = few), update(theirs, data = few))
  expect_both(update(ours, weights = w), update(theirs, weights = w))
  expect_both(update(ours, . ~ . - (Days | Subject) + (1 | Subject)), update(theirs, . ~ . - (Days | Subject) + (1 | Subject)))
  expect_both(update(ours, . ~ . + I(Days^2)), update(theirs, . ~ . + I(Days^2)))
  expect_both(update(ours, log(.) ~ .), update(theirs, log(.) ~ .))
  expect_both(update(ours, subset = Days > 1, REML = FALSE), update(theirs, subset = Days > 1, REML = FALSE))
})
