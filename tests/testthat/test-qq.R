test_that("residuals are ordered beside normal quantiles with exact pointwise bands", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig", re_formula = ~Time)
  q <- qq_data(fit)
  n <- nobs(fit)
  expect_identical(nrow(q), n)
  expect_equal(q$standardized, unname(sort(rstandard(fit))))
  expect_equal(q$value[match("10", q$label)], residuals(fit, "standardized")[["10"]])
  expect_equal(q$theoretical, qnorm(ppoints(n)))
  # the smallest of n: P(min < x) = 1 - (1 - Phi(x))^n
  expect_equal(1 - (1 - pnorm(q$lower[1L]))^n, 0.025, tolerance = 1e-8)
  expect_equal(pnorm(q$upper[n])^n, 0.975, tolerance = 1e-8)
  narrow <- qq_data(fit, level = 0.5)
  expect_true(all(narrow$lower > q$lower & narrow$upper < q$upper))
  raw <- qq_data(fit, type = "marginal")
  expect_equal(mean(raw$standardized^2), 1)
  expect_equal(raw$value, unname(sort(residuals(fit, "marginal"))))
})

test_that("random effects are divided by what their predictions vary by", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig", re_formula = ~Time)
  q <- qq_data(fit, "ranef")
  expect_identical(nrow(q), 144L)
  expect_identical(unique(q$effect), c("(Intercept)", "Time"))
  # the dense covariance of the predictions, beta known
  model <- oracle_of(fit)
  z <- model$z[[1L]]$z
  k <- kronecker(diag(72), fit$psi[[1L]]) %*% t(z) %*% solve(oracle_v(model, fit$psi))
  sd <- sqrt(rowSums((k %*% z %*% kronecker(diag(72), fit$psi[[1L]])) * diag(144)) * fit$scale)
  of <- q[q$effect == "Time", ]
  expect_equal(
    of$standardized, sort(unname(ranef(fit)$Pig[["Time"]] / sd[c(FALSE, TRUE)])),
    tolerance = 1e-6
  )
  expect_identical(nrow(qq_data(model_pair("singular")$ours, "ranef")), 0L)
  expect_identical(unique(qq_data(model_pair("crossed")$ours, "ranef")$group), c("plate", "sample"))
})

test_that("bad input is classed and named", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
  named <- function(expr, class, argument) {
    e <- expect_error(expr, class = paste0("mixedlm_error_", class))
    expect_identical(e$argument, argument)
  }
  named(qq_data(1), "object", "fit")
  named(qq_data(fit, "b"), "argument", "what")
  named(qq_data(fit, type = "b"), "argument", "type")
  named(qq_data(fit, level = 1), "argument", "level")
  named(qq_data(fit, level = "a"), "argument", "level")
  named(qq_data(fit, band = 1), "argument", "band")
})
