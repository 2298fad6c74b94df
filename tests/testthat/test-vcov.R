# The derivatives of the criterion and the covariances that come from them,
# against numerical differentiation of the dense oracle.

fits <- list(
  intercept = function(reml) mixedlm(Reaction ~ Days + (1 | Subject), unbalanced(), REML = reml),
  slopes = function(reml) mixedlm(Reaction ~ Days + (Days | Subject), unbalanced(), REML = reml),
  weighted = function(reml) mixedlm(Reaction ~ Days + (Days | Subject), unbalanced(), REML = reml, weights = w),
  independent = function(reml) mixedlm(Reaction ~ Days + (Days || Subject), unbalanced(), REML = reml),
  nested = function(reml) {
    mixedlm(strength ~ 1 + (1 | batch / cask), plain_data("Pastes", "lme4")[-c(1, 5, 30, 31), ], REML = reml)
  },
  crossed = function(reml) {
    mixedlm(diameter ~ 1 + (1 | plate) + (1 | sample), plain_data("Penicillin", "lme4")[-c(1, 7, 60:80), ], REML = reml)
  },
  `crossed slopes` = function(reml) {
    mixedlm(y ~ a + (a | s) + (1 | i), subjects_items(12L, 6L, missing = 0.1, seed = 21), weights = w, REML = reml)
  },
  three = function(reml) mixedlm(score ~ Machine + (Machine | Worker), plain_data("Machines", "nlme")[-c(2, 9), ], REML = reml),
  components = function(reml) {
    d <- plain_data("Pastes", "lme4")[-c(1, 5), ]
    d$lot <- rep(c("0", "1"), length.out = nrow(d))
    mixedlm(strength ~ lot, d, groups = "batch", re_formula = ~1, vc_formula = list(cask = ~ 0 + cask), REML = reml)
  }
)

for (name in names(fits)) {
  for (reml in c(TRUE, FALSE)) {
    label <- paste0(name, if (reml) ", REML" else ", ML")

    test_that(paste("criterion, scale and fixed effects are the oracle's:", label), {
      fit <- fits[[name]](reml)
      model <- oracle_of(fit)
      expect_equal(fit$criterion, oracle_criterion(model, fit$psi), tolerance = 1e-10)
      g <- oracle_gls(model, fit$psi)
      expect_equal(unname(fit$fe_params), g$beta, tolerance = 1e-8)
      expect_equal(fit$scale, g$r2 / oracle_denominator(model), tolerance = 1e-8)
      expect_equal(unname(fit$vcov_unscaled), solve(g$xvx), tolerance = 1e-8)
      best <- oracle_fit(model, start = unlist(lapply(seq_along(model$z), function(k) {
        theta <- fit$theta[[k]]
        if (model$z[[k]]$structure == "unstructured") theta[lower.tri(theta, TRUE)] else diag(theta)[seq_len(oracle_size(model$z[[k]]))]
      })))
      expect_lte(fit$criterion, best$criterion + 1e-7)
    })

    test_that(paste("Hessian and first derivatives agree with differences:", label), {
      fit <- fits[[name]](reml)
      model <- oracle_of(fit)
      par <- oracle_par(model, fit$psi)
      profiled <- function(par) oracle_criterion(model, oracle_psi(model, par))
      hessian <- oracle_hessian(profiled, par)
      unit <- sqrt(abs(diag(hessian)))
      expect_equal(fit$hessian_psi / tcrossprod(unit), hessian / tcrossprod(unit), tolerance = 1e-5)
      dr2 <- oracle_gradient(function(par) oracle_gls(model, oracle_psi(model, par))$r2, par)
      expect_equal(fit$dr2_psi, dr2, tolerance = 1e-7)
      slope <- vapply(seq_along(fit$fe_params), function(j) {
        oracle_gradient(function(par) oracle_gls(model, oracle_psi(model, par))$beta[j], par)
      }, par)
      expect_equal(fit$dbeta_psi, t(matrix(slope, length(par))), tolerance = 1e-6)
      gradient <- oracle_par(model, fit$gradient)
      expect_lt(max(abs(gradient) / unit), 1e-4)
    })

    test_that(paste("standard errors of the variances are the exact ones:", label), {
      fit <- fits[[name]](reml)
      model <- oracle_of(fit)
      exact <- oracle_varcomp_cov(model, fit$psi, fit$scale)
      elements <- psi_elements(fit)
      rows <- varcomp_rows(fit)
      place <- c(rows$element, nrow(elements) + 1L)
      own <- vcov(fit, which = "varcomp")
      unit <- sqrt(diag(exact[place, place]))
      expect_equal(unname(own) / tcrossprod(unit), exact[place, place] / tcrossprod(unit), tolerance = 1e-4)
    })
  }
}

test_that("standard errors follow a change of units", {
  d <- unbalanced()
  a <- mixedlm(Reaction ~ Days + (Days | Subject), d)
  d$Reaction <- d$Reaction * 10
  b <- mixedlm(Reaction ~ Days + (Days | Subject), d)
  expect_equal(sqrt(diag(vcov(b, "varcomp"))), 100 * sqrt(diag(vcov(a, "varcomp"))), tolerance = 1e-6)
  expect_equal(vcov(b), 100 * vcov(a), tolerance = 1e-6)
})

test_that("a variance on the boundary has no standard error, the others have", {
  fit <- mixedlm(Yield ~ 1 + (1 | Batch), plain_data("Dyestuff2", "lme4"))
  v <- vcov(fit, "varcomp")
  expect_true(is.na(v["Batch Var", "Batch Var"]))
  # with the variance held at zero the residual variance is that of lm()
  expect_equal(v["Scale", "Scale"], 2 * fit$scale^2 / fit$denominator, tolerance = 1e-8)
})

test_that("a singular covariance matrix has no standard errors", {
  d <- plain_data("Orthodont", "nlme")
  set.seed(1)
  d$x <- stats::rnorm(nrow(d))
  d$y <- as.numeric(factor(d$Subject)) * (1 + d$x) + stats::rnorm(nrow(d))
  fit <- mixedlm(y ~ x + (x | Subject), d)
  skip_if(fit$optinfo$verdict != "boundary")
  v <- vcov(fit, "varcomp")
  expect_true(all(is.na(diag(v)[-nrow(v)])))
  expect_false(is.na(v["Scale", "Scale"]))
})

test_that("\"all\" holds both parts", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
  all <- vcov(fit, "all")
  expect_identical(rownames(all), c("(Intercept)", "Time", "Pig Var", "Scale"))
  expect_equal(all[1:2, 1:2], vcov(fit))
  expect_equal(all[3:4, 3:4], vcov(fit, "varcomp"))
  expect_error(vcov(fit, "some"), class = "mixedlm_error_argument")
})

test_that("a fit that is not identified has no standard errors", {
  d <- data.frame(y = c(1, 3, 2, 5, 4, 7, 6, 9), g = 1:8)
  fit <- suppressWarnings(mixedlm(y ~ 1, d, groups = "g"), classes = "mixedlm_warning_flat")
  expect_identical(fit$optinfo$verdict, "flat")
  expect_true(all(is.na(vcov(fit, "varcomp"))))
  expect_false(anyNA(vcov(fit)))
})

test_that("held elements have no standard error, and the rest those of the smaller model", {
  d <- unbalanced()
  small <- mixedlm(Reaction ~ Days + (1 | Subject), d)
  held <- mixedlm(Reaction ~ Days, d,
    groups = "Subject", re_formula = ~Days,
    free = mixedlm_params(cov_re = diag(c(1, 0))),
    start = mixedlm_params(cov_re = diag(c(1, 1e-12)))
  )
  v <- vcov(held, "varcomp")
  expect_true(is.na(v["Days Var", "Days Var"]))
  expect_equal(v["Subject Var", "Subject Var"], vcov(small, "varcomp")[1L, 1L], tolerance = 1e-5)
  expect_equal(attr(logLik(held), "df"), 4)
})

test_that("a mask of the Cholesky factor: standard errors by the delta method", {
  d <- unbalanced()
  fit <- mixedlm(Reaction ~ Days, d,
    groups = "Subject", re_formula = ~Days,
    free = mixedlm_params(cov_re = matrix(c(1, 0, 0, 1), 2)),
    start = mixedlm_params(cov_re = matrix(c(1, 0.05, 0.05, 0.1), 2))
  )
  model <- oracle_of(fit)
  theta <- fit$theta[[1L]]
  f <- function(par) {
    l <- matrix(c(par[1L], theta[2L, 1L], 0, par[2L]), 2L)
    s2 <- par[3L]
    oracle_criterion(model, list(tcrossprod(l)), sigma2 = s2)
  }
  par <- c(diag(theta), fit$scale)
  cov <- 2 * solve(oracle_hessian(f, par))
  value <- function(par) {
    l <- matrix(c(par[1L], theta[2L, 1L], 0, par[2L]), 2L)
    (tcrossprod(l) * par[3L])[c(1L, 2L, 4L)]
  }
  jacobian <- t(vapply(1:3, function(i) oracle_gradient(function(p) value(p)[i], par), numeric(3L)))
  exact <- sqrt(diag(jacobian %*% cov %*% t(jacobian)))
  expect_equal(unname(sqrt(diag(vcov(fit, "varcomp")))[1:3]), exact, tolerance = 1e-4)
})

test_that("predictors and responses of extreme size give numbers, NA or a classed error", {
  set.seed(5)
  d <- data.frame(g = rep(1:12, each = 5), x = rnorm(60))
  d$y <- d$x + rnorm(12)[d$g] * (1 + d$x) + rnorm(60)
  sound <- function(data) {
    tryCatch(
      {
        fit <- suppressWarnings(mixedlm(y ~ x + (x | g), data), classes = "mixedlm_warning_flat")
        out <- capture.output(
          print(fit), print(summary(fit)), print(summary(fit, style = "lme4")),
          print(summary(fit, compat = "statsmodels"))
        )
        v <- vcov(fit, which = "all")
        confint(fit, "theta_", method = "Wald", quiet = TRUE)
        expect_false(any(is.infinite(v) | is.nan(v)))
        expect_true(all(diag(v) > 0, na.rm = TRUE))
        expect_true(all(is.finite(vcov(fit))))
        TRUE
      },
      mixedlm_error_scale = function(e) TRUE
    )
  }
  for (size in 10^c(-300, -150, -139, -100, -80, -60, 60, 80, 100, 139, 150, 300)) {
    expect_no_warning(expect_true(sound(transform(d, x = x * size))))
    expect_no_warning(expect_true(sound(transform(d, y = y * size))))
  }
  for (size in 10^c(20, 50, 100, 130, 200)) {
    expect_no_warning(expect_true(sound(transform(d, x = replace(x, 1, size)))))
  }
  expect_true(sound(transform(d, x = x * 1e90, y = y * 1e-100)))
})

test_that("a variance that cannot be represented is an error of scale", {
  set.seed(5)
  d <- data.frame(g = rep(1:12, each = 5), x = rnorm(60) * 1e90)
  d$y <- (rnorm(12)[d$g] * (1 + d$x / 1e90) + rnorm(60)) * 1e-100
  expect_error(mixedlm(y ~ x + (x | g), d), class = "mixedlm_error_scale")
})

test_that("without fixed effects the whole covariance is that of the variances", {
  fit <- mixedlm(Reaction ~ 0 + (Days | Subject), plain_data("sleepstudy", "lme4"))
  expect_identical(vcov(fit, "all"), vcov(fit, "varcomp"))
})

test_that("arguments that are not there are refused", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
  expect_error(vcov(fit, Type = "CR2"), "type", class = "mixedlm_error_argument")
  expect_error(vcov(fit, "fixed", "model", NULL, "variance", NULL, 1), class = "mixedlm_error_argument")
  expect_identical(vcov(fit, complete = FALSE, correlation = TRUE), vcov(fit))
})
