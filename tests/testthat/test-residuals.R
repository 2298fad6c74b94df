test_that("residuals and fitted values add up, with weights and offset", {
  d <- transform(dietox, w = rep(c(1, 2), length.out = nrow(dietox)), o = Time / 2)
  fit <- mixedlm(Weight ~ Time, d, groups = "Pig", weights = w, offset = o)
  expect_equal(unname(fitted(fit) + residuals(fit)), d$Weight)
  expect_equal(residuals(fit, "pearson"), residuals(fit) * sqrt(d$w))
  expect_equal(residuals(fit, scaled = TRUE), residuals(fit) / sigma(fit))
  expect_error(residuals(fit, "student"), class = "mixedlm_error_argument")
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
