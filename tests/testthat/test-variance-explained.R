# R2 and ICC against saved results of package performance.

explained_models <- list(
  slopes = list(Reaction ~ Days + (Days | Subject), c("sleepstudy", "lme4")),
  intercepts = list(Reaction ~ Days + (1 | Subject), c("sleepstudy", "lme4")),
  nested = list(strength ~ 1 + (1 | batch / cask), c("Pastes", "lme4")),
  crossed = list(diameter ~ 1 + (1 | plate) + (1 | sample), c("Penicillin", "lme4")),
  machines = list(score ~ Machine + (Machine | Worker), c("Machines", "nlme"))
)

for (name in names(explained_models)) {
  test_that(paste("R2 and ICC are those of performance:", name), {
    d <- plain_data(explained_models[[name]][[2L]][1L], explained_models[[name]][[2L]][2L])
    fit <- mixedlm(explained_models[[name]][[1L]], d)
    peer <- utils::read.csv(test_path("fixtures", "performance.csv"))
    peer <- peer[peer$model == name, ]
    peer <- stats::setNames(peer$value, peer$quantity)
    ours <- c(unlist(r2(fit)), unlist(icc(fit)))
    expect_equal(ours[names(peer)[1:4]], peer[1:4], tolerance = 1e-6)
    if (length(peer) > 4L) {
      groups <- icc(fit, by_group = TRUE)
      expect_equal(stats::setNames(groups$ICC, groups$Group), peer[-(1:4)], tolerance = 1e-6)
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

test_that("a singular fit has its values", {
  fit <- mixedlm(Yield ~ 1 + (1 | Batch), plain_data("Dyestuff2", "lme4"))
  expect_identical(icc(fit)$ICC_adjusted, 0)
  expect_identical(r2(fit)$R2_conditional, 0)
  expect_output(print(r2(fit)), "marginal")
  expect_error(r2(1), class = "mixedlm_error_argument")
  expect_error(icc(fit, by_group = 1), class = "mixedlm_error_argument")
  expect_error(icc(fit, group = TRUE), class = "mixedlm_error_argument")
})
