# Covariances of standard deviations and correlations, and of their transforms:
# the dense likelihood is written in these parameters and differentiated.

# -2 log-likelihood as a function of the parameters that vcov() names, in its
# order. Psi of each term is built from standard deviations and correlations.
likelihood_on_scale <- function(fit, scale) {
  model <- oracle_of(fit)
  elements <- sdcor_elements(fit)
  correlation <- c(elements$row != elements$column, FALSE)
  function(par) {
    if (scale == "log") par <- ifelse(correlation, tanh(par), exp(par))
    sigma <- par[length(par)]
    psi <- lapply(seq_along(model$z), function(k) {
      q <- model$z[[k]]$q
      own <- which(elements$term == k)
      sd <- rep_len(par[own[!correlation[own]]], q)
      r <- diag(q)
      for (i in own[correlation[own]]) {
        r[elements$row[i], elements$column[i]] <- r[elements$column[i], elements$row[i]] <- par[i]
      }
      r * tcrossprod(sd) / sigma^2
    })
    oracle_criterion(model, psi, sigma2 = sigma^2)
  }
}

some_pigs <- function() {
  d <- dietox[dietox$Pig %in% unique(dietox$Pig)[1:8], ]
  d[-c(3, 30, 31), ]
}

scale_fits <- list(
  slopes = function(reml) mixedlm(Reaction ~ Days + (Days | Subject), plain_data("sleepstudy", "lme4")[1:90, ], REML = reml),
  weighted = function(reml) mixedlm(Reaction ~ Days + (Days | Subject), unbalanced()[1:90, ], REML = reml, weights = w),
  diagonal = function(reml) {
    mixedlm(Weight ~ Time, some_pigs(), groups = "Pig", re_formula = ~Time, free = "diagonal", REML = reml)
  },
  pigs = function(reml) mixedlm(Weight ~ Time + (Time | Pig), some_pigs(), REML = reml),
  nested = function(reml) mixedlm(strength ~ 1 + (1 | batch / cask), plain_data("Pastes", "lme4"), REML = reml),
  crossed = function(reml) {
    mixedlm(diameter ~ 1 + (1 | plate) + (1 | sample), plain_data("Penicillin", "lme4")[-c(1, 7, 60:100), ], REML = reml)
  },
  scalar = function(reml) {
    mixedlm(score ~ Machine + diag(0 + Machine | Worker, hom = TRUE), plain_data("Machines", "nlme")[-2, ], REML = reml)
  }
)

for (name in names(scale_fits)) {
  for (reml in c(TRUE, FALSE)) {
    test_that(paste0("standard deviations and correlations: ", name, if (reml) ", REML" else ", ML"), {
      fit <- scale_fits[[name]](reml)
      # of nearly independent random effects the Hessian in the transforms is the easiest to difference
      par <- varcomp_estimate(fit, "log")
      exact <- 2 * solve(oracle_hessian(likelihood_on_scale(fit, "log"), par, h = rep(0.01, length(par))))
      own <- vcov(fit, "varcomp", scale = "log")
      unit <- sqrt(diag(exact))
      expect_equal(unname(own) / tcrossprod(unit), exact / tcrossprod(unit), tolerance = 1e-5)
      expect_identical(rownames(own), names(par))

      sdcor <- varcomp_estimate(fit, "sdcor")
      hessian <- oracle_hessian(likelihood_on_scale(fit, "sdcor"), sdcor, h = 4e-3 * pmax(abs(sdcor), 0.05))
      exact <- 2 * solve(hessian)
      own <- vcov(fit, "varcomp", scale = "sdcor")
      unit <- sqrt(diag(exact))
      expect_equal(unname(own) / tcrossprod(unit), exact / tcrossprod(unit), tolerance = 1e-5)
      expect_identical(rownames(own), names(sdcor))
    })
  }
}

test_that("the estimates on each scale are those of VarCorr()", {
  fit <- scale_fits$slopes(TRUE)
  own <- varcomp_estimate(fit, "sdcor")
  table <- as.data.frame(VarCorr(fit), order = "lower.tri")
  expect_equal(unname(own), table$sdcor)
  expect_named(own, c("sd_(Intercept)|Subject", "cor_Days.(Intercept)|Subject", "sd_Days|Subject", "sigma"))
  log <- varcomp_estimate(fit, "log")
  expect_named(log, c(
    "log(sd_(Intercept)|Subject)", "atanh(cor_Days.(Intercept)|Subject)", "log(sd_Days|Subject)", "log(sigma)"
  ))
  expect_equal(from_log_scale(unname(log), c(FALSE, TRUE, FALSE, FALSE)), unname(own))
  expect_identical(names(varcomp_estimate(fit)), rownames(vcov(fit, "varcomp")))
  all <- vcov(fit, "all", scale = "sdcor")
  expect_equal(all[3:6, 3:6], vcov(fit, "varcomp", scale = "sdcor"))
  expect_equal(all[1:2, 1:2], vcov(fit))
})

test_that("standard deviations follow the units of the response, logs do not", {
  d <- plain_data("sleepstudy", "lme4")
  a <- mixedlm(Reaction ~ Days + (Days | Subject), d)
  b <- mixedlm(I(10 * Reaction) ~ Days + (Days | Subject), d)
  se <- function(fit, scale) sqrt(diag(vcov(fit, "varcomp", scale = scale)))
  expect_equal(se(b, "variance"), 100 * se(a, "variance"), tolerance = 1e-7)
  expect_equal(se(b, "sdcor"), c(10, 1, 10, 10) * se(a, "sdcor"), tolerance = 1e-7)
  expect_equal(se(b, "log"), se(a, "log"), tolerance = 1e-7)
  expect_equal(b$bse_re, 10 * a$bse_re, tolerance = 1e-6)
})

test_that("what lies on the boundary has no standard error on any scale", {
  fit <- mixedlm(Yield ~ 1 + (1 | Batch), plain_data("Dyestuff2", "lme4"))
  expect_identical(varcomp_estimate(fit, "log")[[1L]], -Inf)
  for (scale in c("sdcor", "log")) {
    v <- vcov(fit, "varcomp", scale = scale)
    expect_true(is.na(v[1L, 1L]))
    expect_false(is.na(v[2L, 2L]))
  }
  expect_equal(vcov(fit, "varcomp", scale = "log")[2L, 2L], 1 / (2 * fit$denominator), tolerance = 1e-8)

  # a correlation of one: the noise adds nothing to the intercepts and slopes
  set.seed(1)
  d <- data.frame(g = factor(rep(1:20, each = 6)), x = rnorm(120))
  d$y <- as.numeric(d$g) * (1 + d$x) + residuals(lm(rnorm(120) ~ g * x, d))
  fit <- mixedlm(y ~ x + (x | g), d)
  expect_identical(fit$optinfo$verdict, "boundary")
  expect_identical(unname(is.na(diag(vcov(fit, "varcomp", scale = "log")))), c(TRUE, TRUE, TRUE, FALSE))
})

test_that("the scale is one of three", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
  expect_error(vcov(fit, "varcomp", scale = "sds"), class = "mixedlm_error_argument")
})

test_that("logarithms have the same standard errors in all units of the response", {
  d <- plain_data("sleepstudy", "lme4")
  errors <- function(size) {
    d$y <- d$Reaction * size
    fit <- mixedlm(y ~ Days + (Days | Subject), d)
    c(sqrt(diag(vcov(fit, "varcomp", scale = "log"))), sqrt(diag(vcov(fit, "varcomp", scale = "sdcor"))) / c(size, 1, size, size))
  }
  plain <- errors(1)
  for (size in c(1e-120, 1e-70, 1e120)) {
    expect_equal(errors(size), plain, tolerance = 1e-5)
  }
})
