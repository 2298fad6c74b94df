test_that("components of every form are those of statsmodels", {
  d <- utils::read.csv(fixture("components.csv"))
  reference <- utils::read.csv(fixture("components-statsmodels.csv"), comment.char = "#")
  for (i in seq_len(nrow(reference))) {
    parts <- strsplit(strsplit(reference$vc_formula[i], ";")[[1L]], "=")
    vc <- lapply(parts, `[[`, 2L)
    names(vc) <- vapply(parts, `[[`, "", 1L)
    re <- if (nzchar(reference$re_formula[i])) reference$re_formula[i]
    fit <- mixedlm(y ~ x, d, groups = "g", re_formula = re, vc_formula = vc)
    label <- paste(reference$re_formula[i], reference$vc_formula[i])
    # statsmodels stops a little early; never below it, and close to it
    expect_gte(as.numeric(logLik(fit)), reference$llf[i] - 1e-6, label = label)
    expect_equal(as.numeric(logLik(fit)), reference$llf[i], tolerance = 1e-5, label = label)
  }
})
