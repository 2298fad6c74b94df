# Criterion, gradient and Hessian in the elements of the relative Cholesky
# factors, at points that are not the solution: against the dense oracle.

# Fourth-order differences of a function of many values.
jacobian_of <- function(f, x, h = 1e-4 * pmax(abs(x), 0.1)) {
  vapply(seq_along(x), function(i) {
    slope <- function(s) {
      e <- replace(numeric(length(x)), i, s * h[i])
      (f(x + e) - f(x - e)) / (2 * s * h[i])
    }
    (4 * slope(1) - slope(2)) / 3
  }, f(x))
}

cases <- list(
  slopes = list(
    fit = function(reml) {
      d <- plain_data("sleepstudy", "lme4")[-c(3, 17, 40:46, 100, 101, 160), ]
      mixedlm(Reaction ~ Days + (Days | Subject), d, REML = reml)
    },
    theta = list(
      random = c(0.7, -0.3, 0.4), near = c(0.9, 0.2, 1e-7), singular = c(0.9, 0.2, 0),
      zero = c(0, 0, 0), negative = c(-0.5, 0.1, -0.3)
    )
  ),
  nested = list(
    fit = function(reml) {
      d <- plain_data("Pastes", "lme4")[-c(1, 5, 30, 31), ]
      mixedlm(strength ~ 1 + (1 | batch / cask), d, REML = reml)
    },
    theta = list(random = c(1.3, 0.4), near = c(1e-7, 2), singular = c(2, 0), zero = c(0, 0))
  ),
  three = list(
    fit = function(reml) {
      mixedlm(score ~ Machine + (Machine | Worker), plain_data("Machines", "nlme")[-c(2, 9), ], REML = reml)
    },
    theta = list(random = c(2, 1, -0.5, 1.5, 0.3, 0.8), singular = c(2, 1, -0.5, 0, 0.3, 0))
  ),
  crossed = list(
    fit = function(reml) {
      d <- plain_data("Penicillin", "lme4")[-c(1, 7, 60:80), ]
      mixedlm(diameter ~ 1 + (1 | plate) + (1 | sample), d, REML = reml)
    },
    theta = list(
      random = c(1.3, 2.4), near = c(1e-7, 2), singular = c(0, 3), other = c(1.5, 0), zero = c(0, 0),
      negative = c(-1, 2)
    )
  ),
  "crossed slopes" = list(
    fit = function(reml) {
      d <- subjects_items(12L, 6L, missing = 0.2, seed = 22)
      mixedlm(y ~ a + (a | s) + (a | i), d, weights = w, REML = reml)
    },
    theta = list(
      random = c(0.7, -0.3, 0.4, 1.1, 0.2, 0.5), near = c(0.9, 0.2, 1e-7, 0.6, 0.1, 0.3),
      singular = c(0.9, 0.2, 0, 0.8, 0.1, 0.3), both = c(0.9, 0.2, 0, 0, 0, 0.5), zero = rep(0, 6)
    )
  ),
  "nested within crossed" = list(
    fit = function(reml) {
      mixedlm(y ~ x + (x || item) + (1 | school / class), classes_items()[1:200, ], REML = reml)
    },
    theta = list(random = c(0.7, 0.3, 1.4, 0.4), singular = c(0.7, 0, 1.4, 0), zero = rep(0, 4))
  ),
  weighted = list(
    fit = function(reml) {
      d <- plain_data("Orthodont", "nlme")
      d$w <- rep(c(1, 2, 0.5), length.out = nrow(d))
      mixedlm(distance ~ age * Sex + (age || Subject), d, weights = w, REML = reml)
    },
    theta = list(random = c(1.1, 0.2), singular = c(0, 0.3))
  )
)

for (name in names(cases)) {
  for (reml in c(TRUE, FALSE)) {
    test_that(paste("derivatives in theta:", name, if (reml) "REML" else "ML"), {
      fit <- cases[[name]]$fit(reml)
      design <- build_design(fit$parsed, fit$frame, fit$contrasts)
      model <- oracle_model(design, reml)
      criterion <- function(theta) {
        oracle_criterion(model, lapply(oracle_lambda(model, theta), tcrossprod))
      }
      for (point in names(cases[[name]]$theta)) {
        theta <- cases[[name]]$theta[[point]]
        own <- engine_evaluate(fit, theta)
        expect_equal(own$criterion, criterion(theta), tolerance = 1e-10, info = point)
        gradient <- jacobian_of(criterion, theta, 1e-3 * pmax(abs(theta), 0.1))
        scale <- max(abs(gradient), 1)
        expect_lt(max(abs(own$gradient - gradient)) / scale, 1e-7)
        hessian <- jacobian_of(function(t) engine_evaluate(fit, t)$gradient, theta)
        expect_lt(max(abs(own$hessian - hessian)) / max(abs(hessian)), 1e-6)
      }
    })
  }
}
