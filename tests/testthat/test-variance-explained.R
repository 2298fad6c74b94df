# R2 and ICC against package performance on lme4's model at our estimates.

explained_models <- list(
  slopes = list(Reaction ~ Days + (Days | Subject), c("sleepstudy", "lme4")),
  intercepts = list(Reaction ~ Days + (1 | Subject), c("sleepstudy", "lme4")),
  nested = list(strength ~ 1 + (1 | batch / cask), c("Pastes", "lme4")),
  crossed = list(diameter ~ 1 + (1 | plate) + (1 | sample), c("Penicillin", "lme4")),
  machines = list(score ~ Machine + (Machine | Worker), c("Machines", "nlme"))
)

for (name in names(explained_models)) {
  test_that(paste("R2 and ICC are those of performance:", name), {
    skip_if_not_installed("performance")
    skip_if_not_installed("lme4")
    d <- plain_data(explained_models[[name]][[2L]][1L], explained_models[[name]][[2L]][2L])
    fit <- mixedlm(explained_models[[name]][[1L]], d)
    theirs <- lmer_at(fit, d)
    peer <- performance::r2_nakagawa(theirs, tolerance = 0)
    expect_equal(r2(fit)$R2_conditional, peer$R2_conditional[[1L]], tolerance = 1e-6)
    expect_equal(r2(fit)$R2_marginal, peer$R2_marginal[[1L]], tolerance = 1e-6)
    peer <- performance::icc(theirs, tolerance = 0)
    expect_equal(icc(fit)$ICC_adjusted, peer$ICC_adjusted, tolerance = 1e-6)
    expect_equal(icc(fit)$ICC_unadjusted, peer$ICC_unadjusted, tolerance = 1e-6)
    if (!name %in% c("slopes", "machines")) {
      peer <- performance::icc(theirs, by_group = TRUE)
      expect_equal(icc(fit, by_group = TRUE), as.data.frame(peer), tolerance = 1e-6, ignore_attr = "class")
    }
  })
}

test_that("independent terms on one factor are added up", {
  d <- plain_data("sleepstudy", "lme4")
  fit <- mixedlm(Reaction ~ Days + (Days || Subject), d)
  z <- cbind(1, d$Days)
  v <- as.data.frame(VarCorr(fit))$vcov
  random <- mean(z^2 %*% v[1:2])
  expect_equal(icc(fit)$ICC_adjusted, random / (random + v[3L]), tolerance = 1e-8)
  # one variance for all columns of a component
  m <- plain_data("Machines", "nlme")
  fit <- mixedlm(score ~ Machine + diag(0 + Machine | Worker, hom = TRUE), m)
  v <- fit$psi[[1L]][1L]
  expect_equal(icc(fit)$ICC_adjusted, v / (v + 1), tolerance = 1e-8)
})

test_that("a singular fit has its values, and other models go to performance", {
  fit <- mixedlm(Yield ~ 1 + (1 | Batch), plain_data("Dyestuff2", "lme4"))
  expect_identical(icc(fit)$ICC_adjusted, 0)
  expect_identical(r2(fit)$R2_conditional, 0)
  expect_output(print(r2(fit)), "marginal")
  expect_error(r2(1), class = "mixedlm_error_argument")
  expect_error(icc(fit, by_group = 1), class = "mixedlm_error_argument")
  expect_error(icc(fit, group = TRUE), class = "mixedlm_error_argument")
  skip_if_not_installed("performance")
  line <- lm(dist ~ speed, cars)
  expect_equal(r2(line), performance::r2(line))
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
  expect_identical(performance::r2(fit), r2(fit))
  expect_equal(performance::r2_nakagawa(fit)$R2_marginal[[1L]], r2(fit)$R2_marginal)
})
