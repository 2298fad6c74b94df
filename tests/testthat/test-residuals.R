test_that("residuals and fitted values add up, with weights and offset", {
  d <- transform(dietox, w = rep(c(1, 2), length.out = nrow(dietox)), o = Time / 2)
  fit <- mixedlm(Weight ~ Time, d, groups = "Pig", weights = w, offset = o)
  expect_equal(unname(fitted(fit) + residuals(fit)), d$Weight)
  expect_equal(residuals(fit, "pearson"), residuals(fit) * sqrt(d$w))
  expect_equal(residuals(fit, scaled = TRUE), residuals(fit) / sigma(fit))
  expect_error(residuals(fit, "studentised"), class = "mixedlm_error_argument")
  skip_if_not_installed("lme4")
  theirs <- lme4::lmer(Weight ~ Time + (1 | Pig), d, weights = w, offset = o)
  expect_equal(residuals(fit, "pearson", TRUE), residuals(theirs, "pearson", TRUE), tolerance = 1e-4)
  expect_equal(fitted(fit), fitted(theirs), tolerance = 1e-5)
})

test_that("na.exclude pads, na.omit does not", {
  d <- dietox
  d$Weight[c(3, 10)] <- NA
  omit <- mixedlm(Weight ~ Time, d, groups = "Pig", na.action = na.omit)
  exclude <- mixedlm(Weight ~ Time, d, groups = "Pig", na.action = na.exclude)
  expect_length(residuals(omit), nrow(d) - 2L)
  expect_length(residuals(exclude), nrow(d))
  expect_identical(which(is.na(fitted(exclude))), c("3" = 3L, "10" = 10L))
  expect_length(weights(exclude), nrow(d))
  expect_equal(nobs(exclude), nrow(d) - 2L)
  expect_identical(names(residuals(omit)), setdiff(row.names(d), c("3", "10")))
})

# Residuals from dense matrices: marginal ones and all that is made of V.
dense_residuals <- function(fit) {
  model <- oracle_of(fit)
  v <- oracle_v(model, fit$psi)
  g <- oracle_gls(model, fit$psi)
  s <- solve(g$xvx)
  p <- g$vi - g$vi %*% model$x %*% s %*% t(model$x) %*% g$vi
  e <- drop(p %*% model$y) / model$w
  sigma <- sigma(fit)
  list(
    conditional = e, normalized = e * sqrt(model$w) / sigma,
    standardized = e * model$w / (sigma * sqrt(diag(p))),
    marginal = g$r, marginal_standardized = g$r / (sigma * sqrt(diag(v - model$x %*% s %*% t(model$x)))),
    cholesky = drop(forwardsolve(t(chol(v)), g$r)) / sigma
  )
}

test_that("residual types are those of dense algebra, for nested, crossed and weighted models", {
  d <- transform(unbalanced(), o = Days / 3)
  fits <- list(
    mixedlm(Reaction ~ Days + (Days | Subject), d[order(d$Days, d$w), ], weights = w, offset = o),
    mixedlm(Reaction ~ Days + (Days || Subject), d, REML = FALSE),
    mixedlm(strength ~ 1 + (1 | batch / cask), plain_data("Pastes", "lme4")),
    model_pair("crossed_slopes")$ours,
    model_pair("singular")$ours
  )
  for (fit in fits) {
    dense <- dense_residuals(fit)
    for (type in names(dense)) {
      expect_equal(unname(residuals(fit, type)), dense[[type]], tolerance = 1e-7, info = type)
    }
    expect_identical(names(residuals(fit, "cholesky")), names(residuals(fit)))
    expect_equal(residuals(fit, "marginal", scaled = TRUE), residuals(fit, "marginal") / sigma(fit))
    expect_identical(residuals(fit, "cholesky", scaled = TRUE), residuals(fit, "cholesky"))
  }
})

test_that("studentized residuals have the sigma of the other rows", {
  d <- unbalanced()
  fit <- mixedlm(Reaction ~ Days + (Days | Subject), d, weights = w)
  without <- influence(fit, method = "fixed")
  sigma_without <- sqrt(without[["var.cov.comps[-case]"]][, "sigma^2"])
  expect_equal(
    residuals(fit, "studentized"), rstandard(fit) * sigma(fit) / sigma_without,
    tolerance = 1e-8
  )
})

test_that("an effect that is held stays where it is in marginal residuals", {
  free <- mixedlm_params(fe_params = c(1, 0), cov_re = matrix(1))
  start <- mixedlm_params(fe_params = c(0, 6), cov_re = matrix(1))
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig", start = start, free = free)
  r <- dietox$Weight - fixef(fit)[["(Intercept)"]] - 6 * dietox$Time
  expect_equal(unname(residuals(fit, "marginal")), r)
})
