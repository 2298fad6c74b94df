test_that("standard deviations and correlations stand in lme4's order under its names", {
  skip_if_not_installed("lme4")
  data(sleepstudy, package = "lme4", envir = environment())
  data(Pastes, package = "lme4", envir = environment())
  models <- list(
    list(Reaction ~ Days + (Days | Subject), sleepstudy),
    list(Reaction ~ Days + (Days || Subject), sleepstudy),
    list(strength ~ 1 + (1 | batch / cask), Pastes)
  )
  for (model in models) {
    fit <- mixedlm(model[[1L]], model[[2L]])
    theirs <- lme4::lmer(model[[1L]], model[[2L]])
    reference <- as.data.frame(lme4::VarCorr(theirs), order = "lower.tri")
    elements <- sdcor_elements(fit)
    values <- sdcor_values(field(fit, "psi"), field(fit, "scale"), elements)
    expect_equal(values, reference$sdcor[reference$grp != "Residual"], tolerance = 1e-4)
    peer <- suppressWarnings(lme4::confint.merMod(theirs, method = "Wald"))
    peer_long <- suppressWarnings(lme4::confint.merMod(theirs, method = "Wald", oldNames = FALSE))
    n <- length(values)
    expect_identical(sdcor_names(fit), rownames(peer)[seq_len(n)])
    in_order <- if (since_lme4_2()) sort else identity
    expect_identical(in_order(sdcor_names(fit, short = FALSE)), in_order(rownames(peer_long)[seq_len(n)]))
  }
})
