test_that("Wald intervals of fixed effects and of variances", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
  ci <- confint(fit)
  expect_identical(dimnames(ci), list(c("(Intercept)", "Time"), c("2.5 %", "97.5 %")))
  expect_equal(rowMeans(ci), fixef(fit))
  expect_equal(unname(ci[, 2L] - ci[, 1L]), unname(2 * qnorm(0.975) * sqrt(diag(vcov(fit)))))
  theta <- confint(fit, "theta_", level = 0.9)
  expect_identical(rownames(theta), c("Pig Var", "Scale"))
  expect_identical(colnames(theta), c("5 %", "95 %"))
  expect_equal(confint(fit, "Time"), ci["Time", , drop = FALSE])
  expect_equal(confint(fit, 2), ci["Time", , drop = FALSE])
  expect_equal(rownames(confint(fit, c("Time", "Scale"))), c("Time", "Scale"))
})

test_that("wrong arguments are told", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
  expect_error(confint(fit, "Tiem"), class = "mixedlm_error_argument")
  expect_error(confint(fit, level = 95), class = "mixedlm_error_argument")
  expect_error(confint(fit, method = "profile"), class = "mixedlm_error_argument")
})

test_that("unknown arguments of confint() are errors", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
  expect_error(confint(fit, levl = 0.9), "level", class = "mixedlm_error_argument")
})
