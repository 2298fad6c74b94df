# What is done with a fit. Each entry is the code of a call; `nd` is drawn new data, `k` a drawn fixed effect, `g` the
# name of a grouping factor. `finite` ones must not hold a number that is not finite, where the fit has none missing.

methods_finite <- expression(
  fixef(fit), vcov(fit), fitted(fit), logLik(fit), AIC(fit), BIC(fit), deviance(fit, REML = FALSE), sigma(fit),
  as.data.frame(VarCorr(fit))$vcov, fit$params, fit$fittedvalues, fit$cov_re, fit$vcomp, nobs(fit), df.residual(fit),
  residuals(fit), residuals(fit, "pearson"), residuals(fit, "marginal"), predict(fit), predict(fit, re.form = NA),
  predict(fit, random.only = TRUE), ranef(fit, condVar = FALSE), coef(summary(fit, ddf = "normal"))[, 1:2],
  simulate(fit, nsim = 2, seed = 1), simulate(fit, use.u = TRUE, seed = 2), model.matrix(fit), getME(fit, "theta"),
  getME(fit, "X"), getME(fit, "Z"), getME(fit, "Lambda"), getME(fit, "sigma"), getME(fit, "b"), weights(fit),
  extractAIC(fit), mixedlm_loglik(fit), refitML(fit)$criterion, hatvalues(fit)
)

methods_any <- expression(
  summary(fit), print(summary(fit)), print(summary(fit, style = "lme4")), print(fit), summary(fit, compat = "statsmodels"),
  print(summary(fit, compat = "statsmodels")), summary(fit, ddf = "Kenward-Roger"), summary(fit, ddf = "none"),
  print(summary(fit, style = "lme4"), correlation = TRUE), vcov(fit, "all"), vcov(fit, "varcomp"), vcov(fit, "all", scale = "sdcor"),
  vcov(fit, "varcomp", scale = "log"), vcov(fit, type = "CR1"), vcov(fit, type = "CR2"), vcov(fit, type = "Kenward-Roger"),
  VarCorr(fit), print(VarCorr(fit)), as.data.frame(VarCorr(fit), order = "lower.tri"), print(ranef(fit)), ranef(fit, drop = TRUE),
  as.data.frame(ranef(fit)), coef(fit), print(coef(fit)), confint(fit, method = "Wald"), confint(fit, parm = k, method = "Wald"),
  confint(fit, parm = "beta_", method = "Wald"), confint(fit, level = 0.5, method = "Wald", oldNames = FALSE),
  residuals(fit, "cholesky"), residuals(fit, "normalized"), residuals(fit, "studentized"), residuals(fit, "marginal_standardized"),
  residuals(fit, "standardized"), residuals(fit, scaled = TRUE), rstandard(fit), rstudent(fit), cooks.distance(fit),
  hatvalues(fit, fullHatMatrix = TRUE), predict(fit, nd), predict(fit, nd, re.form = NA), predict(fit, nd, allow.new.levels = TRUE),
  predict(fit, nd, se.fit = TRUE, allow.new.levels = TRUE), predict(fit, newdata = nd, na.action = na.omit),
  predict(fit, nd, interval = "confidence", allow.new.levels = TRUE), predict(fit, nd, interval = "prediction", allow.new.levels = TRUE),
  predict(fit, newdata = nd, random.only = TRUE), prediction_se(fit), simulate(fit, newdata = nd, seed = 1),
  simulate(fit, newdata = nd, re.form = NULL, allow.new.levels = TRUE, seed = 1), refit(fit, rev(fitted(fit))),
  refit(fit, simulate(fit, seed = 1)), refit(fit, simulate(fit, seed = 3)[[1]]), update(fit, . ~ . + 1), update(fit, REML = FALSE),
  update(fit, . ~ 1), update(fit, . ~ . - 1), update(fit, data = nd), anova(fit), print(anova(fit)), anova(fit, type = "I"),
  anova(fit, type = "II"), anova(fit, ddf = "Kenward-Roger"), anova(fit, refitML(fit)), anova(fit, update(fit, . ~ 1)),
  drop1(fit), drop1(fit, test = "Chisq"), drop1(fit, test = "F"), ranova(fit), print(ranova(fit)), rePCA(fit), summary(rePCA(fit)),
  isSingular(fit), getME(fit, "ALL"), tidy(fit), tidy(fit, "fixed"), tidy(fit, "ran_vals"), tidy(fit, effects = "ran_coefs"),
  tidy(fit, conf.int = TRUE), glance(fit), augment(fit), augment(fit, newdata = nd), augment(fit, data = d), terms(fit),
  formula(fit), formula(fit, fixed.only = TRUE), formula(fit, random.only = TRUE), model.frame(fit), model.frame(fit, fixed.only = TRUE),
  getData(fit), family(fit), linear_hypothesis(fit, k), linear_hypothesis(fit, paste0("`", k, "` = 1")),
  linear_hypothesis(fit, diag(length(fixef(fit)))), print(linear_hypothesis(fit, 1, ddf = "normal")),
  linear_hypothesis(fit, 1, vcov = "CR2"), r2(fit), icc(fit), cAIC(fit), AICc(fit), plot(fit), plot(fit, which = "qq"),
  plot(fit, resid(., scaled = TRUE) ~ fitted(.) | g), plot(ranef(fit)), qq_data(fit), qq_data(fit, "ranef"), plot_trajectories(fit),
  mixedlm_score(fit), mixedlm_hessian(fit), params_of(fit), get_packed(params_of(fit)), as.function(fit)(getME(fit, "theta")),
  fit$conf_int(0.1), fit$t_test(1), fit$wald_test_terms(), fit$bse, fit$pvalues, fit$random_effects_cov, fit$bic,
  remove_data(fit), summary(remove_data(fit)), predict(remove_data(fit), nd, allow.new.levels = TRUE), summary_col(fit),
  print(summary_col(fit, fit, stars = TRUE)), new_effects(fit, nd), str(fit), fit$cov_params(),
  length(unserialize(serialize(fit, NULL))), ngrps(fit), model.matrix(fit, "random"), fit_regularized(fit, alpha = 0.1),
  knitr::knit_print(summary(fit)), dfbeta(influence(fit, method = "fixed")), plot(fit, which = "scale-location")
)

# These take longer, and are drawn less often.
methods_long <- expression(
  confint(fit), confint(fit, parm = k), confint(fit, "theta_"), profile(fit), confint(fit, method = "boot", nsim = 3, seed = 1),
  profile(fit, 0, num_low = 2, num_high = 2), bootstrap(fit, nsim = 3, seed = 1), bootstrap(fit, nsim = 3, type = "residual", seed = 1),
  bootstrap(fit, nsim = 3, type = "case", seed = 1), summary(bootstrap(fit, 3, FUN = fixef, seed = 1)), influence(fit, g),
  summary(influence(fit)), as.data.frame(influence(fit)), cooks.distance(fit, g), compare_lmer(fit), as_lmer(fit),
  logLik(as_lmer(fit)), ranova(fit, "simulated", nsim = 5, seed = 1), ranova(fit, "exact", nsim = 5, seed = 1),
  plot(profile(fit)), covratio(fit), mdffits(fit), regularization_path(fit), plot(influence(fit)),
  anova(fit, update(fit, . ~ 1), test = "boot", nsim = 3, seed = 1), tidy(fit, conf.int = TRUE, conf.method = "profile")
)

# list of list(call, finite), some at most `count`; `env` gets nd, k and g.
fuzz_methods <- function(fit, data, env, count) {
  env$nd <- draw_newdata(data)
  names <- names(fit[["fe_params"]])
  env$k <- if (length(names)) pick(names) else "none"
  env$g <- pick(data$groups)
  lapply(seq_len(count), function(i) {
    set <- pick(c("finite", "any", "long"), c(0.2, 0.74, 0.06))
    call <- pick(switch(set, finite = methods_finite, any = methods_any, long = methods_long))
    broken <- chance(0.15)
    if (broken) call <- break_method(call)
    list(call = call, finite = set == "finite" && !broken, broken = broken)
  })
}

# New rows: those of the fit, changed as people change them.
draw_newdata <- function(data) {
  d <- data$d
  nd <- d[sample.int(nrow(d), min(nrow(d), pick(c(1L, 3L, 7L))), replace = FALSE), , drop = FALSE]
  if (chance(0.4)) return(nd)
  name <- pick(names(nd))
  change <- pick(c("drop", "na", "character", "new level", "empty", "list", "type", "extra", "infinite", "response"))
  switch(change,
    drop = nd[[name]] <- NULL,
    na = nd[[name]][1L] <- NA,
    character = if (is.null(dim(nd[[name]]))) nd[[name]] <- as.character(nd[[name]]),
    `new level` = {
      group <- pick(data$groups)
      nd[[group]] <- as.character(nd[[group]])
      nd[[group]][1L] <- "somebody new"
    },
    empty = nd <- nd[0L, , drop = FALSE],
    list = nd <- as.list(nd),
    type = nd[[name]] <- pick(list(1, TRUE, "a", factor("b"), NA, as.Date("2024-02-29"))),
    extra = nd$more <- 1,
    infinite = if (is.double(nd[[name]])) nd[[name]][1L] <- Inf,
    response = nd[[data$y]] <- NULL
  )
  nd
}
