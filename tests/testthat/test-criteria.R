# Information criteria. The conditional criterion is compared with its
# definition: the fitted values of refits to responses that differ a little.

sleep <- function(formula = Reaction ~ Days + (Days | Subject), ...) {
  mixedlm(formula, plain_data("sleepstudy", "lme4"), ...)
}

test_that("AICc adds the correction for small samples, also for other models", {
  fit <- sleep(REML = FALSE)
  expect_equal(AICc(fit), AIC(fit) + 2 * 6 * 7 / (180 - 7))
  line <- lm(Reaction ~ Days, plain_data("sleepstudy", "lme4"))
  both <- AICc(fit, line)
  expect_equal(both$AICc, c(AICc(fit), AIC(line) + 2 * 3 * 4 / (180 - 4)))
  expect_identical(dimnames(both), list(c("fit", "line"), c("df", "AICc")))
  few <- lm(dist ~ poly(speed, 3), cars[1:6, ])
  expect_identical(AICc(few), Inf)
  expect_error(AICc(1:3), class = "mixedlm_error_argument")
  expect_warning(AICc(fit, lm(Reaction ~ Days, plain_data("sleepstudy", "lme4")[-1, ])), class = "mixedlm_warning_nobs")
})

# tr(d yhat / d y) by central differences of whole fits.
numerical_df <- function(refit, y, h) {
  sum(vapply(seq_along(y), function(i) {
    at <- function(s) refit(replace(y, i, y[i] + s))$fitted[i]
    (at(h) - at(-h)) / (2 * h)
  }, 0))
}

tight <- mixedlm_control(tol = 1e-14)

# Per case the formula, the data with response y, and weights.
caic_cases <- list(
  slopes = function() {
    d <- plain_data("sleepstudy", "lme4")[1:50, ]
    list(y ~ Days + (Days | Subject), transform(d, y = Reaction, w = 1))
  },
  weighted = function() list(y ~ Days + (Days || Subject), transform(unbalanced()[1:48, ], y = Reaction)),
  nested = function() {
    list(y ~ 1 + (1 | batch / cask), transform(plain_data("Pastes", "lme4")[1:48, ], y = strength, w = 1))
  },
  crossed = function() {
    list(y ~ a + (a | s) + (1 | i), transform(subjects_items(8L, 6L, seed = 4), w = 1))
  },
  scalar = function() {
    d <- plain_data("Machines", "nlme")[-2, ]
    list(y ~ Machine + diag(0 + Machine | Worker, hom = TRUE), transform(d, y = score, w = 1))
  }
)

for (name in names(caic_cases)) {
  for (reml in c(TRUE, if (name %in% c("slopes", "crossed")) FALSE)) {
    test_that(paste0("effective degrees of freedom are those of refits: ", name, if (reml) ", REML" else ", ML"), {
      case <- caic_cases[[name]]()
      d <- case[[2L]]
      y <- d$y
      fit <- mixedlm(case[[1L]], d, weights = w, REML = reml, control = tight)
      refit <- function(y) {
        d$y <- y
        mixedlm(case[[1L]], d, weights = w, REML = reml, control = tight, start = fit)
      }
      own <- cAIC(fit)
      expect_equal(own$df - 1, numerical_df(refit, y, 5e-4 * sd(y)), tolerance = 1e-6)

      # tr(H) from V as an n x n matrix
      model <- oracle_of(fit)
      vi <- solve(oracle_v(model, fit$psi))
      xv <- crossprod(model$x, vi)
      p <- vi - t(xv) %*% solve(xv %*% model$x, xv)
      expect_equal(own$rho, length(y) - sum(p / model$w * diag(length(y))), tolerance = 1e-8)
      expect_equal(own$logLik, sum(dnorm(y, fit$fitted, sqrt(fit$scale / d$w), log = TRUE)))
      expect_equal(own$caic, -2 * own$logLik + 2 * own$df)
    })
  }
}

test_that("effective degrees of freedom on the boundary", {
  # a component that is zero counts as one that is not there
  d <- plain_data("Dyestuff2", "lme4")
  fit <- mixedlm(Yield ~ 1 + (1 | Batch), d)
  expect_true(cAIC(fit)$boundary)
  expect_equal(cAIC(fit)$df, 2)
  expect_equal(cAIC(fit)$rho, 1)
  d <- subjects_items(10L, 5L, seed = 3)
  d$z <- factor(rep_len(1:4, nrow(d)))
  d$y <- d$y - ave(d$y, d$z) + mean(d$y)
  with <- mixedlm(y ~ a + (1 | s) + (1 | i) + (1 | z), d)
  without <- mixedlm(y ~ a + (1 | s) + (1 | i), d)
  expect_identical(with$optinfo$verdict, "boundary")
  expect_equal(cAIC(with)$df, cAIC(without)$df, tolerance = 1e-6)
  expect_equal(cAIC(with)$caic, cAIC(without)$caic, tolerance = 1e-6)

  # a correlation of one: the covariance matrix moves along the boundary
  set.seed(1)
  d <- data.frame(g = factor(rep(1:8, each = 6)), x = rnorm(48))
  d$y <- 0.5 * as.numeric(d$g) * (1 + d$x) + residuals(lm(rnorm(48) ~ g * x, d))
  refit <- function(y) mixedlm(value ~ x + (x | g), cbind(d[c("g", "x")], value = y), control = tight)
  fit <- refit(d$y)
  expect_identical(fit$optinfo$verdict, "boundary")
  expect_equal(cAIC(fit)$df - 1, numerical_df(refit, d$y, 0.001), tolerance = 1e-5)
})

test_that("Vaida and Blanchard's count takes the relative variances as known", {
  # the expected excess of the conditional likelihood, by simulation with them known
  set.seed(1)
  groups <- gl(5, 3)
  x <- cbind(1, rnorm(15))
  z <- model.matrix(~ 0 + groups)
  v <- diag(15) + 0.7 * tcrossprod(z)
  vi <- solve(v)
  p <- vi - vi %*% x %*% solve(t(x) %*% vi %*% x, t(x) %*% vi)
  u <- matrix(rnorm(5 * 2e4, sd = sqrt(0.7)), 5)
  mu <- z %*% u
  e <- p %*% (y <- mu + rnorm(length(mu)))
  excess <- function(denominator) {
    s2 <- colSums(y * e) / denominator
    k <- (15 + colSums((mu - y + e)^2) - colSums(e^2)) / s2 / 2
    c(mean(k), sd(k) / sqrt(length(k)))
  }
  for (reml in c(TRUE, FALSE)) {
    stub <- list(y = numeric(15), vcov_unscaled = diag(2), reml = reml)
    class(stub) <- "mixedlm"
    own <- vaida_blanchard_df(stub, 15 - sum(diag(p)))
    found <- excess(if (reml) 13 else 15)
    expect_lt(abs(own - found[1L]), 4 * found[2L])
  }
  fit <- sleep()
  a <- cAIC(fit, method = "Vaida-Blanchard")
  expect_equal(a$df, (177 * (a$rho + 1) + 3) / 176)
})

test_that("cAIC4 has the same trace of H, and half of one term of the correction", {
  skip_if_not_installed("cAIC4")
  models <- list(
    list(Reaction ~ Days + (Days | Subject), plain_data("sleepstudy", "lme4")),
    list(strength ~ 1 + (1 | batch / cask), plain_data("Pastes", "lme4")),
    list(diameter ~ 1 + (1 | plate) + (1 | sample), plain_data("Penicillin", "lme4"))
  )
  for (model in models) {
    for (reml in c(TRUE, if (nrow(model[[2L]]) < 100) FALSE)) {
      fit <- mixedlm(model[[1L]], model[[2L]], REML = reml)
      theirs <- tight_lmer(model[[1L]], model[[2L]], reml)
      expect_equal(cAIC(fit)$rho, sum(hatvalues(theirs)), tolerance = 1e-5)
      peer <- cAIC4::cAIC(theirs)
      expect_equal(cAIC(fit)$logLik, peer$loglikelihood, tolerance = 1e-6)
      # the change of r2 with the variance parameters: twice as large here, as refits say above
      elements <- psi_elements(fit)
      parts <- residual_directions(fit, elements)
      without <- sum(psi_mobility(fit, elements) * crossprod(parts$projected)) * 2 * fit$denominator / fit$pwrss
      expect_equal((estimated_variance_df(fit) + without) / 2 + cAIC(fit)$rho + 1, peer$df, tolerance = 1e-4)
    }
  }
})

test_that("cAIC: several fits, print, other objects, fits that have no curvature", {
  fit <- sleep()
  other <- sleep(Reaction ~ Days + (1 | Subject))
  both <- cAIC(fit, other)
  expect_identical(dimnames(both), list(c("fit", "other"), c("df", "cAIC")))
  expect_equal(both$cAIC, c(cAIC(fit)$caic, cAIC(other)$caic))
  expect_output(print(cAIC(fit)), "Greven and Kneib.*1711")
  expect_error(cAIC(1), class = "mixedlm_error_argument")
  expect_error(cAIC(fit, 1), class = "mixedlm_error_object")
  expect_error(cAIC(fit, method = "exact"), class = "mixedlm_error_argument")
  d <- data.frame(y = c(1, 3, 2, 5, 4, 7, 6, 9), g = 1:8)
  flat <- suppressWarnings(mixedlm(y ~ 1, d, groups = "g"), classes = "mixedlm_warning_flat")
  expect_error(cAIC(flat), class = "mixedlm_error_flat")
})

test_that("elements that `free` holds do not move", {
  d <- plain_data("sleepstudy", "lme4")[1:60, ]
  y <- d$Reaction
  refit <- function(y) {
    d$y <- y
    mixedlm(y ~ Days, d,
      groups = "Subject", re_formula = ~Days, control = tight,
      free = mixedlm_params(cov_re = diag(c(1, 0))), start = mixedlm_params(cov_re = diag(c(1, 0.05)))
    )
  }
  expect_equal(cAIC(refit(y))$df - 1, numerical_df(refit, y, 0.02), tolerance = 1e-6)
})

test_that("with all variances held their estimation adds nothing", {
  fit <- mixedlm(Reaction ~ Days + (1 | Subject), plain_data("sleepstudy", "lme4"),
    free = mixedlm_params(cov_re = 0), start = mixedlm_params(cov_re = 0.9)
  )
  expect_equal(cAIC(fit)$df, cAIC(fit)$rho + 1)
})

test_that("predictors of any size have their criterion, or an error of scale", {
  d <- plain_data("sleepstudy", "lme4")
  criterion <- function(size) {
    d$x <- d$Days * size
    cAIC(mixedlm(Reaction ~ x + (x | Subject), d))$df
  }
  plain <- criterion(1)
  for (size in c(1e-60, 1e-8, 1e8, 1e60)) {
    expect_equal(criterion(size), plain, tolerance = 1e-6)
  }
  for (size in c(1e-80, 1e80)) {
    expect_error(criterion(size), class = "mixedlm_error_scale")
  }
})
