pkgname <- "mixedlm"
source(file.path(R.home("share"), "R", "examples-header.R"))
options(warn = 1)
library('mixedlm')

base::assign(".oldSearch", base::search(), pos = 'CheckExEnv')
base::assign(".old_wd", base::getwd(), pos = 'CheckExEnv')
cleanEx()
nameEx("AICc")
### * AICc

flush(stderr()); flush(stdout())

### Name: AICc
### Title: Corrected Akaike criterion
### Aliases: AICc

### ** Examples

fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig", REML = FALSE)
AICc(fit)
AICc(fit, update(fit, . ~ Time + Cu))



cleanEx()
nameEx("VarCorr.mixedlm")
### * VarCorr.mixedlm

flush(stderr()); flush(stdout())

### Name: VarCorr.mixedlm
### Title: Variances and covariances of the random effects
### Aliases: VarCorr.mixedlm print.VarCorr.mixedlm
###   as.data.frame.VarCorr.mixedlm

### ** Examples

fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig", re_formula = ~ Time)
VarCorr(fit)
as.data.frame(VarCorr(fit))



cleanEx()
nameEx("anova.mixedlm")
### * anova.mixedlm

flush(stderr()); flush(stdout())

### Name: anova.mixedlm
### Title: Tests of terms, and comparison of fits
### Aliases: anova.mixedlm

### ** Examples

fit <- mixedlm(Weight ~ Cu * Time, dietox, groups = "Pig")
anova(fit)
anova(fit, vcov = "CR2")
anova(fit, type = "II", ddf = "Kenward-Roger")
anova(fit, mixedlm(Weight ~ Cu + Time, dietox, groups = "Pig"))



cleanEx()
nameEx("as.function.mixedlm")
### * as.function.mixedlm

flush(stderr()); flush(stdout())

### Name: as.function.mixedlm
### Title: The criterion as a function
### Aliases: as.function.mixedlm

### ** Examples

fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
f <- as.function(fit)
f(getME(fit, "theta"))
f(0)



cleanEx()
nameEx("as_lmer")
### * as_lmer

flush(stderr()); flush(stdout())

### Name: as_lmer
### Title: A fit as an object of lme4's
### Aliases: as_lmer

### ** Examples

## Don't show: 
if (requireNamespace("lme4", quietly = TRUE)) (if (getRversion() >= "3.4") withAutoprint else force)({ # examplesIf
## End(Don't show)
fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig", re_formula = ~ Time)
same <- as_lmer(fit)
class(same)
c(logLik(fit), logLik(same))
## Don't show: 
}) # examplesIf
## End(Don't show)



cleanEx()
nameEx("bootstrap")
### * bootstrap

flush(stderr()); flush(stdout())

### Name: bootstrap
### Title: Bootstrap a fit
### Aliases: bootstrap bootstrap.mixedlm

### ** Examples

fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
b <- bootstrap(fit, nsim = 200, seed = 1)
b
confint(b)
bootstrap(fit, 20, FUN = function(fit) VarCorr(fit)$Pig[1] / sigma(fit)^2, seed = 1)



cleanEx()
nameEx("cAIC")
### * cAIC

flush(stderr()); flush(stdout())

### Name: cAIC
### Title: Conditional Akaike criterion
### Aliases: cAIC cAIC.mixedlm

### ** Examples

fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
cAIC(fit)
cAIC(fit, mixedlm(Weight ~ Time + (Time | Pig), dietox))



cleanEx()
nameEx("compare_lmer")
### * compare_lmer

flush(stderr()); flush(stdout())

### Name: compare_lmer
### Title: Compare a fit with lmer()'s
### Aliases: compare_lmer print.mixedlm_comparison
###   as.data.frame.mixedlm_comparison

### ** Examples

## Don't show: 
if (requireNamespace("lme4", quietly = TRUE)) (if (getRversion() >= "3.4") withAutoprint else force)({ # examplesIf
## End(Don't show)
fit <- mixedlm(Weight ~ Time + (Time | Pig), dietox)
compare_lmer(fit)
## Don't show: 
}) # examplesIf
## End(Don't show)



cleanEx()
nameEx("confint.mixedlm")
### * confint.mixedlm

flush(stderr()); flush(stdout())

### Name: confint.mixedlm
### Title: Confidence intervals
### Aliases: confint.mixedlm confint.mixedlm_profiles

### ** Examples

fit <- mixedlm(Weight ~ Time + (Time | Pig), dietox)
confint(fit)
confint(fit, "beta_", method = "Wald")
confint(fit, "theta_", level = 0.9, oldNames = FALSE)



cleanEx()
nameEx("confint.mixedlm_bootstrap")
### * confint.mixedlm_bootstrap

flush(stderr()); flush(stdout())

### Name: confint.mixedlm_bootstrap
### Title: Bootstrap confidence intervals
### Aliases: confint.mixedlm_bootstrap

### ** Examples

fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
b <- bootstrap(fit, nsim = 500, seed = 1)
confint(b)
confint(b, ".sig01", type = "bca")



cleanEx()
nameEx("dietox")
### * dietox

flush(stderr()); flush(stdout())

### Name: dietox
### Title: Growth of slaughter pigs
### Aliases: dietox
### Keywords: datasets

### ** Examples

head(dietox)
mixedlm(Weight ~ Time, dietox, groups = "Pig")



cleanEx()
nameEx("drop1.mixedlm")
### * drop1.mixedlm

flush(stderr()); flush(stdout())

### Name: drop1.mixedlm
### Title: Drop terms of the fixed effects
### Aliases: drop1.mixedlm

### ** Examples

fit <- mixedlm(Weight ~ Cu * Time + Evit, dietox, groups = "Pig", REML = FALSE)
drop1(fit, test = "Chisq")
drop1(fit, test = "F")



cleanEx()
nameEx("fit_regularized")
### * fit_regularized

flush(stderr()); flush(stdout())

### Name: fit_regularized
### Title: Fits with penalised fixed effects
### Aliases: fit_regularized fit_regularized.mixedlm
###   fit_regularized.formula fit_regularized.default

### ** Examples

fit <- mixedlm(Weight ~ Time * Cu + Evit, dietox, groups = "Pig")
fit_regularized(fit, alpha = 20)
fit_regularized(fit, alpha = c(CuCu035 = 20, CuCu175 = 20), covariance = "estimated")



cleanEx()
nameEx("getME")
### * getME

flush(stderr()); flush(stdout())

### Name: getME
### Title: Parts of a model by name
### Aliases: getME

### ** Examples

fit <- mixedlm(Weight ~ Time + (Time | Pig), dietox)
getME(fit, "theta")
dim(getME(fit, "Z"))
str(getME(fit, c("Gp", "cnms", "lower")))



cleanEx()
nameEx("get_packed")
### * get_packed

flush(stderr()); flush(stdout())

### Name: get_packed
### Title: Parameters in one vector
### Aliases: get_packed from_packed params_of

### ** Examples

fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig", re_formula = ~ Time)
packed <- get_packed(params_of(fit), use_sqrt = TRUE)
from_packed(packed, k_fe = 2, k_re = 2, use_sqrt = TRUE)



cleanEx()
nameEx("hatvalues.mixedlm")
### * hatvalues.mixedlm

flush(stderr()); flush(stdout())

### Name: hatvalues.mixedlm
### Title: Leverages, standardised residuals and Cook's distances by
###   observation
### Aliases: hatvalues.mixedlm rstandard.mixedlm rstudent.mixedlm
###   cooks.distance.mixedlm

### ** Examples

fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig", re_formula = ~ Time)
head(hatvalues(fit))
head(sort(cooks.distance(fit), decreasing = TRUE))
head(sort(cooks.distance(fit, groups = "Pig"), decreasing = TRUE))



cleanEx()
nameEx("influence-measures")
### * influence-measures

flush(stderr()); flush(stdout())

### Name: influence-measures
### Title: Measures of influence
### Aliases: influence-measures cooks.distance.influence.mixedlm
###   dfbeta.influence.mixedlm dfbetas.influence.mixedlm
###   covratio.influence.mixedlm covtrace.influence.mixedlm
###   mdffits.influence.mixedlm rvc.influence.mixedlm covratio covtrace
###   mdffits rvc dfbeta.mixedlm dfbetas.mixedlm covratio.mixedlm
###   covtrace.mixedlm mdffits.mixedlm rvc.mixedlm
###   as.data.frame.influence.mixedlm print.influence.mixedlm

### ** Examples

fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
without <- influence(fit, groups = "Pig")
head(sort(cooks.distance(without), decreasing = TRUE), 3)
head(dfbetas(without), 3)
range(covratio(without))
head(rvc(without), 3)



cleanEx()
nameEx("influence.mixedlm")
### * influence.mixedlm

flush(stderr()); flush(stdout())

### Name: influence.mixedlm
### Title: Influence of observations and groups
### Aliases: influence.mixedlm

### ** Examples

fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig", re_formula = ~ Time)
without <- influence(fit, groups = "Pig")
without
head(cooks.distance(without))
head(as.data.frame(without))
influence(fit, groups = "Litter", method = "fixed")



cleanEx()
nameEx("linear_hypothesis")
### * linear_hypothesis

flush(stderr()); flush(stdout())

### Name: linear_hypothesis
### Title: Linear hypotheses about the fixed effects
### Aliases: linear_hypothesis

### ** Examples

fit <- mixedlm(Weight ~ Cu * Time, dietox, groups = "Pig")
linear_hypothesis(fit, c("CuCu035 = 0", "CuCu175 = 0"))
linear_hypothesis(fit, "CuCu175:Time - CuCu035:Time")
linear_hypothesis(fit, rbind(c(0, 1, 0, 0, 0, 0), c(0, 0, 1, 0, 0, 0)), ddf = "Kenward-Roger")



cleanEx()
nameEx("logLik.mixedlm")
### * logLik.mixedlm

flush(stderr()); flush(stdout())

### Name: logLik.mixedlm
### Title: Likelihood of a fit
### Aliases: logLik.mixedlm deviance.mixedlm REMLcrit

### ** Examples

fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig", REML = FALSE)
logLik(fit)
AIC(fit)
REMLcrit(mixedlm(Weight ~ Time, dietox, groups = "Pig"))



cleanEx()
nameEx("mixedlm-accessors")
### * mixedlm-accessors

flush(stderr()); flush(stdout())

### Name: mixedlm-accessors
### Title: Parts of a fit
### Aliases: mixedlm-accessors fixef.mixedlm coef.mixedlm sigma.mixedlm
###   nobs.mixedlm df.residual.mixedlm formula.mixedlm model.frame.mixedlm
###   model.matrix.mixedlm terms.mixedlm weights.mixedlm getData.mixedlm
###   family.mixedlm ngrps isREML isLMM isGLMM isNLMM isSingular

### ** Examples

fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
fixef(fit)
sigma(fit)
ngrps(fit)
formula(fit)
isSingular(fit)



cleanEx()
nameEx("mixedlm-car")
### * mixedlm-car

flush(stderr()); flush(stdout())

### Name: mixedlm-car
### Title: Tests and diagnostics of package car
### Aliases: mixedlm-car Anova.mixedlm linearHypothesis.mixedlm
###   deltaMethod.mixedlm vif.mixedlm

### ** Examples

## Don't show: 
if (requireNamespace("car", quietly = TRUE)) (if (getRversion() >= "3.4") withAutoprint else force)({ # examplesIf
## End(Don't show)
fit <- mixedlm(Weight ~ Cu * Time + (Time | Pig), dietox)
car::Anova(fit)
car::linearHypothesis(fit, "Time = 7", test = "F")
car::deltaMethod(fit, "CuCu035 / Time")
car::vif(fit)
## Don't show: 
}) # examplesIf
## End(Don't show)



cleanEx()
nameEx("mixedlm-conditions")
### * mixedlm-conditions

flush(stderr()); flush(stdout())

### Name: mixedlm-conditions
### Title: Conditions raised by mixedlm
### Aliases: mixedlm-conditions mixedlm_error mixedlm_warning
###   mixedlm_message
### Keywords: internal

### ** Examples

tryCatch(
  mixedlm(Weight ~ Time, dietox, groups = "Pgi"),
  mixedlm_error_groups = function(e) conditionMessage(e)
)



cleanEx()
nameEx("mixedlm-ecosystem")
### * mixedlm-ecosystem

flush(stderr()); flush(stdout())

### Name: mixedlm-ecosystem
### Title: Other packages and fits of mixedlm()
### Aliases: mixedlm-ecosystem

### ** Examples

fit <- mixedlm(Weight ~ Cu + Time + (Time | Pig), dietox)
tidy(fit, conf.int = TRUE)
if (requireNamespace("emmeans", quietly = TRUE)) {
  emmeans::emmeans(fit, ~ Cu)
}
if (requireNamespace("multcomp", quietly = TRUE)) {
  multcomp::glht(fit, multcomp::mcp(Cu = "Tukey"))
}
if (requireNamespace("car", quietly = TRUE)) {
  car::Anova(fit)
}
if (requireNamespace("effects", quietly = TRUE)) {
  as.data.frame(effects::Effect("Cu", fit))
}
if (requireNamespace("insight", quietly = TRUE)) {
  insight::get_variance(fit, "random")
}



cleanEx()
nameEx("mixedlm-emmeans")
### * mixedlm-emmeans

flush(stderr()); flush(stdout())

### Name: mixedlm-emmeans
### Title: Marginal means, contrasts and trends by package emmeans
### Aliases: mixedlm-emmeans recover_data.mixedlm emm_basis.mixedlm

### ** Examples

## Don't show: 
if (requireNamespace("emmeans", quietly = TRUE)) (if (getRversion() >= "3.4") withAutoprint else force)({ # examplesIf
## End(Don't show)
fit <- mixedlm(Weight ~ Cu * Time + (Time | Pig), dietox)
emmeans::emmeans(fit, pairwise ~ Cu, at = list(Time = 12))
emmeans::emtrends(fit, ~ Cu, var = "Time")
## Don't show: 
}) # examplesIf
## End(Don't show)



cleanEx()
nameEx("mixedlm-insight")
### * mixedlm-insight

flush(stderr()); flush(stdout())

### Name: mixedlm-insight
### Title: Fits in the easystats packages
### Aliases: mixedlm-insight find_formula.mixedlm find_parameters.mixedlm
###   find_algorithm.mixedlm get_parameters.mixedlm get_statistic.mixedlm
###   get_df.mixedlm get_random.mixedlm get_loglikelihood.mixedlm
###   get_deviance.mixedlm model_info.mixedlm is_mixed_model.mixedlm
###   n_parameters.mixedlm is_converged.mixedlm get_variance.mixedlm
###   get_predicted.mixedlm model_parameters.mixedlm

### ** Examples

## Don't show: 
if (requireNamespace("insight", quietly = TRUE)) (if (getRversion() >= "3.4") withAutoprint else force)({ # examplesIf
## End(Don't show)
fit <- mixedlm(Weight ~ Time + (Time | Pig), dietox)
insight::find_formula(fit)
insight::get_statistic(fit)
insight::get_df(fit, type = "satterthwaite")
## Don't show: 
}) # examplesIf
## End(Don't show)



cleanEx()
nameEx("mixedlm-knitr")
### * mixedlm-knitr

flush(stderr()); flush(stdout())

### Name: mixedlm-knitr
### Title: Tables in documents
### Aliases: mixedlm-knitr knit_print.summary.mixedlm
###   knit_print.VarCorr.mixedlm knit_print.mixedlm_hypothesis

### ** Examples

## Don't show: 
if (requireNamespace("knitr", quietly = TRUE)) (if (getRversion() >= "3.4") withAutoprint else force)({ # examplesIf
## End(Don't show)
fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
knitr::knit_print(summary(fit))
knitr::knit_print(VarCorr(fit))
## Don't show: 
}) # examplesIf
## End(Don't show)



cleanEx()
nameEx("mixedlm-lmerTest")
### * mixedlm-lmerTest

flush(stderr()); flush(stdout())

### Name: mixedlm-lmerTest
### Title: lmerTest's functions on fits of mixedlm()
### Aliases: mixedlm-lmerTest contest.mixedlm contest1D.mixedlm
###   contestMD.mixedlm ls_means.mixedlm lsmeansLT.mixedlm
###   difflsmeans.mixedlm step.mixedlm

### ** Examples

## Don't show: 
if (requireNamespace("lmerTest", quietly = TRUE)) (if (getRversion() >= "3.4") withAutoprint else force)({ # examplesIf
## End(Don't show)
fit <- mixedlm(Weight ~ Cu + Time + (Time | Pig), dietox)
lmerTest::contest(fit, c(0, 0, 0, 1))
lmerTest::ls_means(fit)
## Don't show: 
}) # examplesIf
## End(Don't show)



cleanEx()
nameEx("mixedlm-penalties")
### * mixedlm-penalties

flush(stderr()); flush(stdout())

### Name: mixedlm-penalties
### Title: Penalties
### Aliases: mixedlm-penalties pen_l2 pen_psd pen_wishart pen_gamma

### ** Examples

few <- droplevels(subset(dietox, Pig %in% levels(factor(Pig))[1:6]))
mixedlm(Weight ~ Time + (Time | Pig), few, cov_pen = pen_wishart())
mixedlm(Weight ~ Cu + Time, few, groups = "Pig", fe_pen = pen_l2(c(CuCu035 = 1, CuCu175 = 1)))



cleanEx()
nameEx("mixedlm-robust")
### * mixedlm-robust

flush(stderr()); flush(stdout())

### Name: mixedlm-robust
### Title: Cluster-robust covariance
### Aliases: mixedlm-robust

### ** Examples

fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig", re_formula = ~ Time)
sqrt(diag(vcov(fit)))
sqrt(diag(vcov(fit, type = "CR2")))



cleanEx()
nameEx("mixedlm-tidiers-results")
### * mixedlm-tidiers-results

flush(stderr()); flush(stdout())

### Name: mixedlm-tidiers-results
### Title: Tidy data frames of profiles, bootstraps and tests
### Aliases: mixedlm-tidiers-results tidy.mixedlm_profiles
###   tidy.mixedlm_bootstrap tidy.mixedlm_hypothesis

### ** Examples

fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
tidy(bootstrap(fit, nsim = 100, seed = 1), conf.int = TRUE)
tidy(linear_hypothesis(fit, "Time = 7"))



cleanEx()
nameEx("mixedlm-tidiers")
### * mixedlm-tidiers

flush(stderr()); flush(stdout())

### Name: augment.mixedlm
### Title: Tidy data frames of a fit
### Aliases: augment.mixedlm mixedlm-tidiers tidy.mixedlm glance.mixedlm

### ** Examples

fit <- mixedlm(Weight ~ Time + (Time | Pig), dietox)
tidy(fit)
tidy(fit, "ran_pars", conf.int = TRUE)
head(tidy(fit, "ran_vals"))
glance(fit)
head(augment(fit))



cleanEx()
nameEx("mixedlm")
### * mixedlm

flush(stderr()); flush(stdout())

### Name: mixedlm
### Title: Fit a linear mixed model
### Aliases: mixedlm mixedlm.formula mixedlm.character mixedlm.matrix
###   mixedlm.data.frame mixedlm.numeric mixedlm.merMod mixedlm.default

### ** Examples

# statsmodels' words
mixedlm(Weight ~ Time, data = dietox, groups = "Pig")
fit <- mixedlm(Weight ~ Time, dietox, groups = ~ Pig, re_formula = ~ Time)
summary(fit)

# the same model in lme4's words, and with independent effects
mixedlm(Weight ~ Time + (Time | Pig), dietox)
mixedlm(Weight ~ Time + (Time || Pig), dietox)

# matrices
X <- cbind(1, dietox$Time)
mixedlm(X, dietox$Weight, groups = dietox$Pig, exog_re = X)



cleanEx()
nameEx("mixedlm_control")
### * mixedlm_control

flush(stderr()); flush(stdout())

### Name: mixedlm_control
### Title: Settings of a fit
### Aliases: mixedlm_control

### ** Examples

mixedlm_control(maxit = 50, threads = 1)



cleanEx()
nameEx("mixedlm_loglik")
### * mixedlm_loglik

flush(stderr()); flush(stdout())

### Name: mixedlm_loglik
### Title: Log-likelihood, score and Hessian at given parameters
### Aliases: mixedlm_loglik mixedlm_score mixedlm_hessian

### ** Examples

fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
mixedlm_loglik(fit, mixedlm_params(cov_re = 2))
mixedlm_score(fit)
mixedlm_hessian(fit)



cleanEx()
nameEx("mixedlm_params")
### * mixedlm_params

flush(stderr()); flush(stdout())

### Name: mixedlm_params
### Title: Parameters of a mixed model in statsmodels' form
### Aliases: mixedlm_params

### ** Examples

# independent random intercepts and slopes, in statsmodels' way
mask <- mixedlm_params(fe_params = c(1, 1), cov_re = diag(2))
mixedlm(Weight ~ Time, dietox, groups = "Pig", re_formula = ~ Time, free = mask)



cleanEx()
nameEx("mixedlm_simulate")
### * mixedlm_simulate

flush(stderr()); flush(stdout())

### Name: mixedlm_simulate
### Title: Simulate from a formula and parameters
### Aliases: mixedlm_simulate

### ** Examples

pigs <- expand.grid(Time = 1:12, Pig = 1:20)
y <- mixedlm_simulate(~ Time + (Time | Pig), pigs,
  newparams = list(beta = c(15, 7), theta = c(2, 0, 0.3), sigma = 2.5), seed = 1
)
pigs$Weight <- y$sim_1
mixedlm(Weight ~ Time + (Time | Pig), pigs)

# statsmodels' words
y <- mixedlm_simulate(~ Time, pigs,
  groups = "Pig", re_formula = ~ Time,
  newparams = list(
    fe_params = c(15, 7), cov_re = matrix(c(25, 1, 1, 0.5), 2), scale = 6
  )
)



cleanEx()
nameEx("new_effects")
### * new_effects

flush(stderr()); flush(stdout())

### Name: new_effects
### Title: Random effects given more data
### Aliases: new_effects

### ** Examples

fit <- mixedlm(Weight ~ Time + (Time | Pig), subset(dietox, Pig != "4601"))
new_effects(fit, subset(dietox, Pig == "4601")[1:4, ])



cleanEx()
nameEx("plot.mixedlm")
### * plot.mixedlm

flush(stderr()); flush(stdout())

### Name: autoplot.mixedlm
### Title: Plot a fit
### Aliases: autoplot.mixedlm plot.mixedlm qqmath.mixedlm

### ** Examples

fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig", re_formula = ~ Time)
plot(fit)
plot(fit, which = "qq", id = 0.001)
if (requireNamespace("lattice", quietly = TRUE)) {
  plot(fit, resid(., scaled = TRUE) ~ fitted(.) | Cu, abline = 0)
}



cleanEx()
nameEx("plot.mixedlm_bootstrap")
### * plot.mixedlm_bootstrap

flush(stderr()); flush(stdout())

### Name: plot.mixedlm_bootstrap
### Title: Plot bootstrap distributions
### Aliases: plot.mixedlm_bootstrap autoplot.mixedlm_bootstrap

### ** Examples

fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
plot(bootstrap(fit, nsim = 500, seed = 1))



cleanEx()
nameEx("plot.mixedlm_profile")
### * plot.mixedlm_profile

flush(stderr()); flush(stdout())

### Name: plot.mixedlm_profile
### Title: Plot a profile log-likelihood
### Aliases: plot.mixedlm_profile

### ** Examples

fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
plot(profile(fit, 0, "re", dist_low = 20, dist_high = 30))



cleanEx()
nameEx("plot.mixedlm_profiles")
### * plot.mixedlm_profiles

flush(stderr()); flush(stdout())

### Name: autoplot.mixedlm_profiles
### Title: Plot likelihood profiles
### Aliases: autoplot.mixedlm_profiles xyplot.mixedlm_profiles
###   densityplot.mixedlm_profiles splom.mixedlm_profiles
###   plot.mixedlm_profiles

### ** Examples

fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
p <- profile(fit)
plot(p)
plot(p, "density", which = "theta_")
plot(p, "pairs")



cleanEx()
nameEx("plot.ranef.mixedlm")
### * plot.ranef.mixedlm

flush(stderr()); flush(stdout())

### Name: dotplot.ranef.mixedlm
### Title: Plot random effects
### Aliases: dotplot.ranef.mixedlm qqmath.ranef.mixedlm plot.ranef.mixedlm
###   autoplot.ranef.mixedlm

### ** Examples

fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig", re_formula = ~ Time)
plot(ranef(fit, condVar = TRUE))
plot(ranef(fit, condVar = TRUE), order = "each", level = 0.5)



cleanEx()
nameEx("plot_trajectories")
### * plot_trajectories

flush(stderr()); flush(stdout())

### Name: plot_trajectories
### Title: Plot the trajectories of groups
### Aliases: plot_trajectories

### ** Examples

fit <- mixedlm(Weight ~ Time + (Time | Pig), dietox)
plot_trajectories(fit, n = 9)



cleanEx()
nameEx("predict.mixedlm")
### * predict.mixedlm

flush(stderr()); flush(stdout())

### Name: predict.mixedlm
### Title: Predictions
### Aliases: predict.mixedlm

### ** Examples

old <- subset(dietox, Pig != "4601")
fit <- mixedlm(Weight ~ Time + (Time | Pig), old)
new <- data.frame(Time = c(1, 13), Pig = "4602")
predict(fit, new)
predict(fit, new, re.form = NA, se.fit = TRUE)
predict(fit, new, interval = "prediction")

# a pig that was not in the fit, from its first weeks
pig <- subset(dietox, Pig == "4601")
predict(fit, pig[10:12, ], condition_on = pig[1:4, ], interval = "prediction")



cleanEx()
nameEx("prediction_se")
### * prediction_se

flush(stderr()); flush(stdout())

### Name: prediction_se
### Title: Standard errors of prediction
### Aliases: prediction_se

### ** Examples

fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig", re_formula = ~ Time)
head(prediction_se(fit))
head(prediction_se(fit, "fixed"))



cleanEx()
nameEx("profile.mixedlm")
### * profile.mixedlm

flush(stderr()); flush(stdout())

### Name: profile.mixedlm
### Title: Likelihood profiles
### Aliases: profile.mixedlm

### ** Examples

fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
p <- profile(fit)
p
confint(p)
plot(p)

# statsmodels' profile_re
p <- profile(fit, 0, "re", dist_low = 10, dist_high = 10)
p
plot(p)



cleanEx()
nameEx("qq_data")
### * qq_data

flush(stderr()); flush(stdout())

### Name: qq_data
### Title: Quantile-quantile data
### Aliases: qq_data

### ** Examples

fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig", re_formula = ~ Time)
q <- qq_data(fit)
plot(standardized ~ theoretical, q, pch = 20)
matlines(q$theoretical, q[c("lower", "upper")], lty = 2, col = 1)
head(qq_data(fit, "ranef"))



cleanEx()
nameEx("r2")
### * r2

flush(stderr()); flush(stdout())

### Name: r2
### Title: Variance explained, and intraclass correlation
### Aliases: r2 r2.mixedlm icc icc.mixedlm

### ** Examples

fit <- mixedlm(Weight ~ Time + (Time | Pig), dietox)
r2(fit)
icc(fit)



cleanEx()
nameEx("ranef.mixedlm")
### * ranef.mixedlm

flush(stderr()); flush(stdout())

### Name: ranef.mixedlm
### Title: Random effects
### Aliases: ranef.mixedlm

### ** Examples

fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig", re_formula = ~ Time)
head(ranef(fit)$Pig)
head(as.data.frame(ranef(fit)))



cleanEx()
nameEx("ranova")
### * ranova

flush(stderr()); flush(stdout())

### Name: ranova
### Title: Tests of random-effects terms
### Aliases: ranova ranova.mixedlm

### ** Examples

fit <- mixedlm(Weight ~ Time + (Time | Pig), dietox)
ranova(fit)
ranova(mixedlm(Weight ~ Time + (1 | Pig), dietox), method = "exact", seed = 1)



cleanEx()
nameEx("rePCA")
### * rePCA

flush(stderr()); flush(stdout())

### Name: rePCA
### Title: Principal components of the random effects
### Aliases: rePCA

### ** Examples

fit <- mixedlm(Weight ~ Time + (Time | Pig), dietox)
summary(rePCA(fit))



cleanEx()
nameEx("refit")
### * refit

flush(stderr()); flush(stdout())

### Name: refit
### Title: Fit the same model to another response
### Aliases: refit refit.mixedlm refitML refitML.mixedlm

### ** Examples

fit <- mixedlm(Weight ~ Time + (1 | Pig), dietox)
y <- simulate(fit, nsim = 3, seed = 1)
refit(fit, y$sim_1)
sapply(refit(fit, y), fixef)
refitML(fit)



cleanEx()
nameEx("refit_active")
### * refit_active

flush(stderr()); flush(stdout())

### Name: refit_active
### Title: Fit the coefficients again that a penalty has selected
### Aliases: refit_active refit_active.mixedlm_regularized

### ** Examples

fit <- mixedlm(Weight ~ Time * Cu + Evit, dietox, groups = "Pig")
refit_active(fit_regularized(fit, alpha = 20))



cleanEx()
nameEx("regularization_path")
### * regularization_path

flush(stderr()); flush(stdout())

### Name: regularization_path
### Title: A path of penalised fits
### Aliases: regularization_path regularization_path.mixedlm

### ** Examples

fit <- mixedlm(Weight ~ Time * Cu + Evit, dietox, groups = "Pig", REML = FALSE)
path <- regularization_path(fit, n_alpha = 20, folds = 5, seed = 1)
path
coef(path, alpha = "1se")
plot(path)



cleanEx()
nameEx("remove_data")
### * remove_data

flush(stderr()); flush(stdout())

### Name: remove_data
### Title: A fit without its data
### Aliases: remove_data

### ** Examples

fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
small <- remove_data(fit)
object.size(small) / object.size(fit)
small
predict(small, data.frame(Time = 3, Pig = dietox$Pig[1]))



cleanEx()
nameEx("residuals.mixedlm")
### * residuals.mixedlm

flush(stderr()); flush(stdout())

### Name: residuals.mixedlm
### Title: Fitted values and residuals
### Aliases: residuals.mixedlm fitted.mixedlm

### ** Examples

fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
head(residuals(fit))
head(fitted(fit))
head(residuals(fit, "cholesky"))



cleanEx()
nameEx("simulate.mixedlm")
### * simulate.mixedlm

flush(stderr()); flush(stdout())

### Name: simulate.mixedlm
### Title: Simulate responses from a fit
### Aliases: simulate.mixedlm

### ** Examples

fit <- mixedlm(Weight ~ Time + (1 | Pig), dietox)
y <- simulate(fit, nsim = 2, seed = 1)
head(y)
fixef(refit(fit, y[1]))
# the same pigs again
head(simulate(fit, seed = 1, re.form = NULL))



cleanEx()
nameEx("summary.mixedlm")
### * summary.mixedlm

flush(stderr()); flush(stdout())

### Name: summary.mixedlm
### Title: Summarise a fit
### Aliases: summary.mixedlm print.summary.mixedlm

### ** Examples

fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
summary(fit)
summary(fit, compat = "statsmodels")
summary(fit, style = "lme4")
summary(fit, ddf = "Kenward-Roger")
coef(summary(fit))



cleanEx()
nameEx("summary_col")
### * summary_col

flush(stderr()); flush(stdout())

### Name: summary_col
### Title: Several fits side by side
### Aliases: summary_col

### ** Examples

one <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
two <- mixedlm(Weight ~ Time + Cu, dietox, groups = "Pig", re_formula = ~ Time)
summary_col(one, two, stars = TRUE)
as.data.frame(summary_col(a = one, b = two))



cleanEx()
nameEx("update.mixedlm")
### * update.mixedlm

flush(stderr()); flush(stdout())

### Name: update.mixedlm
### Title: Update a fit
### Aliases: update.mixedlm

### ** Examples

fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
update(fit, . ~ . + Cu, REML = FALSE)



cleanEx()
nameEx("vc_spec")
### * vc_spec

flush(stderr()); flush(stdout())

### Name: vc_spec
### Title: Variance components as matrices
### Aliases: vc_spec

### ** Examples

d <- dietox[dietox$Time %in% 1:6, ]
groups <- split(d, as.character(d$Pig))
halves <- lapply(groups, function(g) cbind(first = g$Time <= 3, second = g$Time > 3) + 0)
spec <- vc_spec("half", list(lapply(halves, colnames)), list(halves))
mixedlm(cbind(1, d$Time), d$Weight, groups = d$Pig, exog_re = rep(1, nrow(d)), exog_vc = spec)



cleanEx()
nameEx("vcov.mixedlm")
### * vcov.mixedlm

flush(stderr()); flush(stdout())

### Name: vcov.mixedlm
### Title: Covariance matrices of the estimates
### Aliases: vcov.mixedlm

### ** Examples

fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
vcov(fit)
vcov(fit, type = "CR2")
sqrt(diag(vcov(fit, which = "varcomp")))
sqrt(diag(vcov(fit, which = "varcomp", scale = "sdcor")))



### * <FOOTER>
###
cleanEx()
options(digits = 7L)
base::cat("Time elapsed: ", proc.time() - base::get("ptime", pos = 'CheckExEnv'),"\n")
grDevices::dev.off()
###
### Local variables: ***
### mode: outline-minor ***
### outline-regexp: "\\(> \\)?### [*]+" ***
### End: ***
quit('no')
