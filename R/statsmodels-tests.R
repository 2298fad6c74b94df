# statsmodels' t_test, f_test, wald_test and wald_test_terms: the hypotheses of
# linear_hypothesis() with statsmodels' covariance of the fixed effects, which is
# from the joint Hessian with the variances.

statsmodels_basis <- function(fit, method) {
  basis <- inference_basis(fit, method)
  p <- length(basis$beta)
  basis$vcov <- basis$phi <- statsmodels_inference(fit)$cov[seq_len(p), seq_len(p), drop = FALSE]
  basis
}

statsmodels_hypothesis <- function(fit, L, rhs, method, joint, level) {
  check_level(level)
  functions <- hypothesis_rows(fit, L, rhs)
  independent <- independent_rows(functions$L, functions$rhs, functions$labels)
  tests <- basis_tests(statsmodels_basis(fit, method), functions, independent)
  new_hypothesis(tests, functions, if (joint) tests$joint, method, "model", level)
}

statsmodels_t_test <- function(fit) {
  function(L, rhs = 0, level = 0.95) {
    statsmodels_hypothesis(fit, L, rhs, "normal", joint = FALSE, level = level)
  }
}

statsmodels_joint_test <- function(fit, method) {
  function(L, rhs = 0, level = 0.95) {
    statsmodels_hypothesis(fit, L, rhs, method, joint = TRUE, level = level)
  }
}

# Whether all coefficients of a term, as they are coded, are zero.
statsmodels_term_tests <- function(fit) {
  design <- fixed_design(fit)
  basis <- statsmodels_basis(fit, "normal")
  assign <- design$assign[design$kept]
  terms <- unique(assign)
  tests <- lapply(terms, function(k) {
    test_joint(basis, diag(length(assign))[assign == k, , drop = FALSE])
  })
  of <- function(name) vapply(tests, function(t) as.double(t[[name]]), 0)
  data.frame(
    statistic = of("statistic"), pvalue = of("p.value"), df_constraint = of("num_df"),
    row.names = ifelse(terms == 0L, "Intercept", c("", design$labels)[terms + 1L])
  )
}
