#' Other packages and fits of mixedlm()
#'
#' @description
#' What other packages do with fits, and how. None of them is needed to use this package: methods are
#' registered when they are loaded, in whichever order.
#'
#' | package | example | how |
#' |---|---|---|
#' | broom, broom.mixed | `tidy(fit, conf.int = TRUE)`, `glance(fit)`, `augment(fit)` | methods here, columns of broom.mixed: [mixedlm-tidiers] |
#' | modelsummary | `modelsummary::modelsummary(fit)` | by `tidy()` and `glance()` |
#' | emmeans | `emmeans::emmeans(fit, pairwise ~ Cu)` | methods here: [mixedlm-emmeans]; Satterthwaite's degrees of freedom by default |
#' | lmerTest | `lmerTest::ls_means(fit)`, `lmerTest::contest(fit, L)`, `lmerTest::step(fit)` | methods here: [mixedlm-lmerTest] |
#' | multcomp | `multcomp::glht(fit, multcomp::mcp(Cu = "Tukey"))` | method for `modelparm()`; normal distribution, or `df = ` |
#' | car | `car::Anova(fit)`, `car::linearHypothesis(fit, "Time = 7")`, `car::deltaMethod(fit, "CuCu035 / Time")`, `car::vif(fit)` | methods here: [mixedlm-car] |
#' | effects | `effects::allEffects(fit)`, `effects::Effect("Cu", fit)` | method for `effSources()` |
#' | ggeffects | `ggeffects::ggemmeans(fit, "Cu")`, `ggeffects::ggeffect(fit, "Cu")` | by emmeans and effects; `ggpredict()` knows classes by name and gives predictions for the first group, so give it `as_lmer(fit)` |
#' | insight | `insight::find_formula(fit)`, `insight::get_variance(fit)` | methods here: [mixedlm-insight] |
#' | pbkrtest | `pbkrtest::KRmodcomp(fit, smaller)`, `pbkrtest::PBmodcomp(fit, smaller)` | methods here, which give it [as_lmer()] of the fits |
#' | parameters | `parameters::model_parameters(fit)`, `parameters::standardize_parameters(fit)` | through [as_lmer()]; give others, such as `equivalence_test()`, `as_lmer(fit)` |
#' | performance | `performance::icc(fit)`, `performance::model_performance(fit)` | through insight and [as_lmer()]; `compare_performance()` knows classes by name, so give it `as_lmer(fit)` |
#' | knitr | `summary(fit)` in a document | tables: [mixedlm-knitr]; `knitr::kable(anova(fit))` |
#' | ggplot2 | `ggplot2::autoplot(profile(fit))` | methods here |
#' | any that takes nothing but fits of lme4 | `f(as_lmer(fit))` | [as_lmer()]: the same estimates in an object of lme4 |
#'
#' @name mixedlm-ecosystem
#' @examples
#' fit <- mixedlm(Weight ~ Cu + Time + (Time | Pig), dietox)
#' tidy(fit, conf.int = TRUE)
#' if (requireNamespace("emmeans", quietly = TRUE)) {
#'   emmeans::emmeans(fit, ~ Cu)
#' }
#' if (requireNamespace("multcomp", quietly = TRUE)) {
#'   multcomp::glht(fit, multcomp::mcp(Cu = "Tukey"))
#' }
#' if (requireNamespace("car", quietly = TRUE)) {
#'   car::Anova(fit)
#' }
#' if (requireNamespace("effects", quietly = TRUE)) {
#'   as.data.frame(effects::Effect("Cu", fit))
#' }
#' if (requireNamespace("insight", quietly = TRUE)) {
#'   insight::get_variance(fit, "random")
#' }
NULL
