# R2 and ICC of package performance, on lme4's fits at tight tolerances:
#   Rscript tools/reference/reference_performance.R
# writes tests/testthat/fixtures/performance.csv.
library(lme4)
data(Machines, package = "nlme")
Machines <- as.data.frame(Machines)
models <- list(
  slopes = list(Reaction ~ Days + (Days | Subject), sleepstudy),
  intercepts = list(Reaction ~ Days + (1 | Subject), sleepstudy),
  nested = list(strength ~ 1 + (1 | batch / cask), Pastes),
  crossed = list(diameter ~ 1 + (1 | plate) + (1 | sample), Penicillin),
  machines = list(score ~ Machine + (Machine | Worker), Machines)
)
control <- lmerControl(
  optimizer = "bobyqa", calc.derivs = FALSE, optCtrl = list(rhobeg = 1e-3, rhoend = 1e-11, maxfun = 1e5)
)
rows <- lapply(names(models), function(name) {
  fit <- lmer(models[[name]][[1L]], models[[name]][[2L]], control = control)
  explained <- performance::r2_nakagawa(fit, tolerance = 0)
  alike <- performance::icc(fit, tolerance = 0)
  groups <- if (name %in% c("slopes", "machines")) {
    NULL
  } else {
    as.data.frame(performance::icc(fit, by_group = TRUE))
  }
  rbind(
    data.frame(
      model = name,
      quantity = c("R2_marginal", "R2_conditional", "ICC_adjusted", "ICC_unadjusted"),
      value = c(
        explained$R2_marginal[[1L]], explained$R2_conditional[[1L]],
        alike$ICC_adjusted, alike$ICC_unadjusted
      )
    ),
    if (!is.null(groups)) data.frame(model = name, quantity = groups$Group, value = groups$ICC)
  )
})
table <- do.call(rbind, rows)
table$value <- format(table$value, digits = 12)
write.csv(table, "tests/testthat/fixtures/performance.csv", row.names = FALSE, quote = FALSE)
