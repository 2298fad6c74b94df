# Criterion values of lme4's best optimisers, and estimates of lme4 and nlme.

criterion_data <- function(name) {
  package <- c(
    sleepstudy = "lme4", Dyestuff = "lme4", Dyestuff2 = "lme4", Pastes = "lme4",
    Sitka = "MASS", Orthodont = "nlme", Machines = "nlme", Oats = "nlme",
    egsingle = "mlmRev", Chem97 = "mlmRev", Penicillin = "lme4", InstEval = "lme4"
  )[name]
  if (name == "dietox") dietox else from_package(name, package[[1L]])
}

values <- utils::read.csv(fixture("criterion_values.csv"))
values$REML <- values$REML == "True"

for (i in seq_len(nrow(values))) {
  row <- values[i, ]
  label <- paste(row$data, row$formula, if (row$REML) "REML" else "ML")
  test_that(paste("the criterion reaches the best known value without a warning:", label), {
    d <- criterion_data(row$data)
    fit <- expect_no_condition(
      mixedlm(stats::as.formula(row$formula), d, REML = row$REML),
      class = "warning"
    )
    expect_lte(fit$criterion, row$best_known + 1e-7 * abs(row$best_known))
    expect_equal(nobs(fit), row$n)
    expect_true(fit$optinfo$verdict %in% c("optimum", "boundary"))
    # lower than the best known by more than rounding would be another criterion
    expect_gt(fit$criterion, row$best_known - 1e-4)
  })
}

saved <- utils::read.csv(fixture("lme4.csv"), comment.char = "#")
saved_fits <- list(
  "sleepstudy-slopes" = list(Reaction ~ Days + (Days | Subject), "sleepstudy", "lme4"),
  "sleepstudy-independent" = list(Reaction ~ Days + (Days || Subject), "sleepstudy", "lme4"),
  "dyestuff" = list(Yield ~ 1 + (1 | Batch), "Dyestuff", "lme4"),
  "pastes" = list(strength ~ 1 + (1 | batch / cask), "Pastes", "lme4"),
  "orthodont" = list(distance ~ age * Sex + (age | Subject), "Orthodont", "nlme"),
  "machines" = list(score ~ Machine + (Machine | Worker), "Machines", "nlme"),
  "oats" = list(yield ~ nitro + Variety + (1 | Block / Variety), "Oats", "nlme"),
  "dietox" = list(Weight ~ Time * Cu + (Time | Pig), "dietox", "mixedlm")
)
# Everything of a fit that the references hold, by the names they use.
quantities <- function(fit) {
  v <- as.data.frame(VarCorr(fit))
  b <- as.data.frame(ranef(fit, condVar = TRUE))
  b <- b[seq_len(min(6L, nrow(b))), ]
  effect <- paste(b$grpvar, b$term, b$grp, sep = ":")
  c(
    criterion = fit$criterion, df = attr(logLik(fit), "df"), AIC = AIC(fit),
    BIC = BIC(fit), sigma = sigma(fit),
    stats::setNames(fixef(fit), paste0("fixef:", names(fixef(fit)))),
    stats::setNames(sqrt(diag(vcov(fit))), paste0("se:", names(fixef(fit)))),
    stats::setNames(v$vcov, paste("vcov", v$grp, v$var1, v$var2, sep = ":")),
    stats::setNames(b$condval, paste0("ranef:", effect)),
    stats::setNames(b$condsd, paste0("condsd:", effect)),
    "residual:1" = residuals(fit)[[1L]], "fitted:1" = fitted(fit)[[1L]]
  )
}

for (model in names(saved_fits)) {
  test_that(paste("estimates agree with lme4 and nlme:", model), {
    entry <- saved_fits[[model]]
    d <- if (entry[[2L]] == "dietox") dietox else plain_data(entry[[2L]], entry[[3L]])
    for (reml in c(TRUE, FALSE)) {
      fit <- mixedlm(entry[[1L]], d, REML = reml)
      own <- quantities(fit)
      rows <- saved[saved$model == model & saved$REML == reml, ]
      lme4 <- rows[rows$program == "lme4", ]
      expect_identical(setdiff(lme4$quantity, names(own)), character())
      expect_equal(unname(own[lme4$quantity]), lme4$value, tolerance = 2e-5)
      criterion <- lme4$value[lme4$quantity == "criterion"]
      expect_lte(fit$criterion, criterion + 1e-7 * abs(criterion))
      nlme <- rows[rows$program == "nlme", ]
      expect_equal(unname(own[nlme$quantity]), nlme$value, tolerance = 1e-5)
    }
  })
}
