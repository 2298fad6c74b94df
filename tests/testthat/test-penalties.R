pen_reference <- function(file) utils::read.csv(fixture(file), comment.char = "#", stringsAsFactors = FALSE)

test_that("modes under blme's priors are blme's", {
  reference <- pen_reference("penalties-blme.csv")
  data <- function(name) from_package(name, "lme4")
  slopes <- Reaction ~ Days + (Days | Subject)
  fits <- list(
    sleepstudy = mixedlm(slopes, data("sleepstudy"), cov_pen = pen_wishart()),
    "sleepstudy-ml" = mixedlm(slopes, data("sleepstudy"), REML = FALSE, cov_pen = pen_wishart()),
    Penicillin = mixedlm(diameter ~ 1 + (1 | plate) + (1 | sample), data("Penicillin"), cov_pen = pen_wishart()),
    Pastes = mixedlm(strength ~ 1 + (1 | batch / cask), data("Pastes"), cov_pen = pen_wishart()),
    Dyestuff2 = mixedlm(Yield ~ 1 + (1 | Batch), data("Dyestuff2"), cov_pen = pen_wishart()),
    "Dyestuff2-gamma" = mixedlm(Yield ~ 1 + (1 | Batch), data("Dyestuff2"), cov_pen = pen_gamma(2, 0.5)),
    "sleepstudy-scale" = mixedlm(slopes, data("sleepstudy"), cov_pen = pen_wishart(5, diag(c(3, 0.1))))
  )
  for (name in names(fits)) {
    fit <- fits[[name]]
    theirs <- reference$value[reference$model == name & reference$part == "theta"]
    ours <- unlist(lapply(field(fit, "theta")[term_order(fit)], function(l) l[lower.tri(l, TRUE)]))
    expect_equal(ours, theirs, tolerance = 1e-5, info = name)
    expect_identical(verdict(fit), "optimum", info = name)
    expect_gt(min(unlist(lapply(field(fit, "psi"), function(p) eigen(p)$values))), 0)
  }
  # up to a constant of the finite scale and rate their objective is ours
  for (name in names(fits)[1:5]) {
    theirs <- reference$value[reference$model == name & reference$part == "objective"]
    expect_equal(fits[[name]]$criterion + 2 * fits[[name]]$penalty$value, theirs, tolerance = 1e-9, info = name)
  }
})

test_that("statsmodels' cov_pen gives the same fits, and its likelihood the same value", {
  reference <- pen_reference("penalties-statsmodels.csv")
  sleep <- plain_data("sleepstudy", "lme4")
  models <- list(
    intercept = function(pen) mixedlm(Weight ~ Time * Cu + Evit, dietox, groups = "Pig", cov_pen = pen),
    slopes = function(pen) mixedlm(Weight ~ Time * Cu + Evit, dietox, groups = "Pig", re_formula = ~Time, cov_pen = pen),
    sleep = function(pen) mixedlm(Reaction ~ Days, sleep, groups = "Subject", re_formula = ~Days, REML = FALSE, cov_pen = pen)
  )
  for (key in names(models)) {
    for (weight in c(0.5, 2)) {
      fit <- models[[key]](pen_psd(weight))
      own <- reference[reference$model == paste0(key, "/psd ", weight), ]
      theirs <- function(part) own$value[own$part == part]
      psi <- field(fit, "psi")[[1L]]
      expect_equal(t(psi)[upper.tri(psi, TRUE)], theirs("psi"), tolerance = 1e-5)
      expect_equal(fixef(fit)[own$name[own$part == "fe_params"]], theirs("fe_params"), tolerance = 1e-5, ignore_attr = TRUE)
      expect_equal(fit$scale, theirs("scale"), tolerance = 1e-5)
      expect_equal(fit$llf - fit$penalty$value, theirs("loglike"), tolerance = 1e-9)
    }
  }
})

test_that("functions of the user give the fits of the ready penalties", {
  formula <- Weight ~ Time + (Time | Pig)
  psd <- list(
    func = function(mat, mat_inv) -0.75 * log(det(mat)),
    deriv = function(mat, mat_inv) {
      g <- -0.75 * (2 * mat_inv - diag(diag(mat_inv)))
      g[upper.tri(g, TRUE)]
    }
  )
  a <- mixedlm(formula, dietox, cov_pen = pen_psd(0.75))
  b <- mixedlm(formula, dietox, cov_pen = psd)
  expect_equal(a$psi, b$psi, tolerance = 1e-8)
  expect_equal(a$hessian_psi, b$hessian_psi, tolerance = 1e-6)
  l2 <- new.env()
  l2$func <- function(params) 0.3 * sum(params^2)
  l2$deriv <- function(params) 0.6 * params
  a <- mixedlm(formula, dietox, fe_pen = pen_l2(0.3))
  b <- mixedlm(formula, dietox, fe_pen = l2)
  expect_equal(fixef(a), fixef(b), tolerance = 1e-8)
  expect_equal(a$psi, b$psi, tolerance = 1e-6)
})

test_that("a ridge is the maximum of the penalised likelihood", {
  set.seed(2)
  for (reml in c(TRUE, FALSE)) {
    fit <- mixedlm(Weight ~ Time * Cu, dietox, groups = "Pig", REML = reml, fe_pen = pen_l2(0.5), cov_pen = pen_gamma(2, 1))
    n <- tabulate(factor(dietox$Pig))
    x <- model.matrix(fit)
    value <- function(fe, sd, scale) {
      e <- dietox$Weight - drop(x %*% fe)
      w <- sd^2 / (1 + n * sd^2)
      r <- sum(e^2) - sum(w * rowsum(e, dietox$Pig)^2)
      sums <- rowsum(x, dietox$Pig)
      a <- crossprod(x) - crossprod(sums, sums * w)
      df <- length(e) - if (reml) ncol(x) else 0
      own <- df * log(2 * pi * scale) + r / scale + sum(log(1 + n * sd^2)) + if (reml) determinant(a)$modulus else 0
      as.numeric(own) + 2 * (0.5 * sum(fe^2) - log(sd) + sd)
    }
    sd <- fit$theta[[1L]][1L]
    best <- value(fixef(fit), sd, fit$scale)
    expect_equal(best, fit$criterion + 2 * fit$penalty$value, tolerance = 1e-10)
    for (i in 1:30) {
      size <- 10^-(i %% 4)
      moved <- value(
        fixef(fit) + size * stats::rnorm(length(fixef(fit))), sd * exp(size * stats::rnorm(1)), fit$scale * exp(size * stats::rnorm(1) / 9)
      )
      expect_gt(moved, best)
    }
  }
})

test_that("penalties go to the terms that they name", {
  data <- from_package("Pastes", "lme4")
  formula <- strength ~ 1 + (1 | batch / cask)
  plain <- mixedlm(formula, data)
  both <- mixedlm(formula, data, cov_pen = pen_gamma(3, 1))
  one <- mixedlm(formula, data, cov_pen = list(batch = pen_gamma(3, 1)))
  expect_gt(one$penalty$value - both$penalty$value, -1e8)
  expect_false(isTRUE(all.equal(one$psi, both$psi)))
  expect_false(isTRUE(all.equal(one$psi, plain$psi)))
  components <- function(pen) {
    mixedlm(strength ~ 1, data, groups = "batch", re_formula = ~1, vc_formula = list(cask = ~ 0 + cask), cov_pen = pen)
  }
  expect_equal(components(pen_gamma(3, 1))$criterion, one$criterion, tolerance = 1e-7)
  expect_equal(components(list(cask = pen_gamma(3, 1), batch = pen_gamma(3, 1)))$criterion, both$criterion, tolerance = 1e-7)
  expect_error(
    mixedlm(strength ~ 1, data, vc_formula = list(batch = ~ 0 + batch), cov_pen = pen_psd()),
    class = "mixedlm_error_penalty"
  )
})

test_that("every kind of model is fitted under penalties, and never ends singular", {
  for (name in model_pairs) {
    pair <- model_pair(name)
    model <- pair_model(name)
    data <- pair$data
    call <- list(quote(mixedlm), pair$formula, quote(data), REML = model$reml, cov_pen = quote(pen_wishart()))
    call$weights <- model$weights
    fit <- suppressMessages(eval(as.call(call)))
    expect_identical(verdict(fit), "optimum", info = name)
    expect_false(isSingular(fit))
    expect_lte(pair$ours$criterion, fit$criterion + 1e-6)
    call$fe_pen <- quote(pen_l2(0.01))
    fit <- suppressMessages(eval(as.call(call)))
    expect_identical(verdict(fit), "optimum", info = name)
    expect_identical(names(fixef(fit)), names(fixef(pair$ours)))
  }
})

test_that("penalties of weight zero change nothing", {
  a <- mixedlm(Weight ~ Time + (Time | Pig), dietox)
  b <- mixedlm(Weight ~ Time + (Time | Pig), dietox, cov_pen = pen_psd(0), fe_pen = pen_l2(0))
  expect_equal(fixef(a), fixef(b), tolerance = 1e-8)
  expect_equal(a$psi, b$psi, tolerance = 1e-6)
  expect_equal(a$criterion, b$criterion, tolerance = 1e-11)
})

test_that("fits say what they are, keep their penalties, and refuse what is not defined", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig", cov_pen = pen_gamma(2.5))
  expect_output(print(fit), "Penalised log-likelihood")
  expect_output(print(summary(fit)), "gamma \\(shape 2.5, rate 0\\)")
  expect_output(print(pen_wishart()), "Wishart")
  expect_equal(as.numeric(logLik(fit)), -fit$criterion / 2)
  again <- update(fit, REML = FALSE)
  expect_s3_class(again, "mixedlm_penalised")
  expect_equal(
    again$psi, mixedlm(Weight ~ Time, dietox, groups = "Pig", cov_pen = pen_gamma(2.5), REML = FALSE)$psi
  )
  expect_equal(dim(vcov(fit, which = "all")), c(4L, 4L))
  expect_true(all(is.finite(vcov(fit, which = "all"))))
  expect_true(all(is.finite(coef(summary(fit)))))
  expect_length(prediction_se(fit), 861L)
  expect_true(is.finite(linear_hypothesis(fit, "Time", ddf = "normal")$table[1L, 2L]))
  refused <- list(
    function() profile(fit), function() bootstrap(fit, nsim = 2), function() ranova(fit),
    function() anova(fit), function() suppressMessages(drop1(fit)), function() suppressMessages(anova(fit, update(fit, . ~ 1))),
    function() vcov(fit, type = "Kenward-Roger"), function() confint(fit, method = "profile"), function() cAIC(fit)
  )
  for (f in refused) expect_error(f(), class = "mixedlm_error_penalty")
})

test_that("what would be fitted again without the penalty is refused", {
  smooth <- mixedlm(Weight ~ Time, dietox, groups = "Pig", cov_pen = pen_gamma(2.5))
  ridge <- mixedlm(Weight ~ Time, dietox, groups = "Pig", fe_pen = pen_l2(1))
  lasso <- fit_regularized(mixedlm(Weight ~ Time, dietox, groups = "Pig"), alpha = 1)
  for (fit in list(smooth, ridge, lasso)) {
    expect_error(influence(fit, "Pig"), class = "mixedlm_error_penalty")
    expect_error(cooks.distance(fit, groups = "Pig"), class = "mixedlm_error_penalty")
    expect_length(residuals(fit, "cholesky"), 861L)
    expect_error(as.function(fit), class = "mixedlm_error_penalty")
  }
  expect_true(all(is.finite(influence(smooth, "Pig", method = "fixed")[[2L]])))
  expect_true(all(is.finite(residuals(smooth, "marginal_standardized"))))
  for (fit in list(ridge, lasso)) {
    expect_error(influence(fit, "Pig", method = "fixed"), class = "mixedlm_error_penalty")
    expect_error(hatvalues(fit, fullHatMatrix = TRUE), class = "mixedlm_error_penalty")
    expect_true(all(is.na(generics::augment(fit)$.hat)))
    expect_equal(dim(getME(fit, "X")), c(861L, 2L))
    expect_no_error(getME(fit, "RX"))
  }
  skip_if_not_installed("lme4")
  for (fit in list(smooth, ridge, lasso)) {
    expect_error(compare_lmer(fit), class = "mixedlm_error_penalty")
  }
  expect_s4_class(as_lmer(smooth), "lmerMod")
  expect_error(as_lmer(ridge), class = "mixedlm_error_penalty")
  expect_error(as_lmer(lasso), class = "mixedlm_error_penalty")
  skip_if_not_installed("multcomp")
  expect_error(multcomp::glht(lasso, "Time = 0"), class = "mixedlm_error_penalty")
})

test_that("standard errors of variances are the curvature of the penalised criterion", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig", cov_pen = pen_gamma(3, 2))
  plain <- mixedlm(Weight ~ Time, dietox, groups = "Pig", start = fit$theta[[1L]][1L], free = NULL)
  criterion <- function(psi) {
    pen <- 2 * (-2 * log(sqrt(psi)) + 2 * sqrt(psi))
    engine_evaluate(plain, sqrt(psi))$criterion + pen
  }
  psi <- fit$psi[[1L]][1L]
  h <- 1e-3 * psi
  second <- (criterion(psi + h) - 2 * criterion(psi) + criterion(psi - h)) / h^2
  expect_equal(fit$hessian_psi[1L], second, tolerance = 1e-4)
  expect_lt(abs(criterion(psi + h) - criterion(psi - h)) / (2 * h * sqrt(second)), 1e-4)
})

test_that("what cannot be used is told by its name", {
  fit <- function(...) mixedlm(Weight ~ Time + (Time | Pig), dietox, ...)
  bad <- list(
    quote(fit(fe_pen = 1)), quote(fit(fe_pen = pen_psd())), quote(fit(cov_pen = pen_l2())), quote(fit(cov_pen = "a")),
    quote(fit(cov_pen = list(func = 1, deriv = 2))), quote(fit(cov_pen = list(zz = pen_psd()))),
    quote(fit(cov_pen = list(pen_psd(), pen_psd()))), quote(fit(cov_pen = pen_gamma())),
    quote(fit(cov_pen = pen_wishart(2))), quote(fit(cov_pen = pen_wishart(5, diag(3)))),
    quote(fit(fe_pen = pen_l2(1:5))), quote(fit(fe_pen = pen_l2(c(zz = 1)))), quote(fit(cov_pen = pen_psd(), method = "em")),
    quote(pen_l2(-1)), quote(pen_l2(NA)), quote(pen_l2("a")), quote(pen_l2(1, -1)), quote(pen_psd(-1)), quote(pen_psd(NULL)),
    quote(pen_wishart("a")), quote(pen_wishart(3, -1)), quote(pen_wishart(3, matrix(1, 2, 2))), quote(pen_wishart(3, NA)),
    quote(pen_gamma(0.5)), quote(pen_gamma(2, -1)), quote(pen_gamma(Inf))
  )
  for (expr in bad) {
    e <- expect_error(eval(expr), class = "mixedlm_error_penalty")
    expect_true(nzchar(e$argument), info = deparse(expr))
  }
  broken <- list(
    list(func = function(m, i) stop("ouch"), deriv = function(m, i) 1),
    list(func = function(m, i) "a", deriv = function(m, i) 1),
    list(func = function(m, i) 1:2, deriv = function(m, i) 1),
    list(func = function(m, i) 1, deriv = function(m, i) 1),
    list(func = function(m) 1, deriv = function(m) 1)
  )
  for (pen in broken) expect_error(fit(cov_pen = pen), class = "mixedlm_error_penalty")
  expect_error(fit(fe_pen = list(func = function(p) NaN, deriv = function(p) p)), class = "mixedlm_error_penalty")
  expect_error(fit(cov_pen = pen_psd(), start = c(0, 0, 0)), class = "mixedlm_error_start")
})

test_that("an object that refuses `[[` is no penalty", {
  for (value in list(as.POSIXlt("2020-01-01"), numeric_version("1.2"), data.frame(func = 1))) {
    expect_error(
      mixedlm(Weight ~ Time, dietox, groups = "Pig", fe_pen = value),
      class = "mixedlm_error_penalty"
    )
  }
})
