#' Fits under penalties
#'
#' What the methods of a fit mean, and which are not defined, when its likelihood is
#' penalised by `fe_pen` or `cov_pen` of [mixedlm()].
#'
#' @details
#' The fit is the minimum of -2 log-likelihood (restricted for REML) + 2 (penalty on the fixed effects + penalties on
#' the covariances) over the fixed effects, the relative covariances and the residual variance.
#' `optinfo` (verdict, decrement, eigenvalues), `gradient` and `hessian_psi` are about this criterion.
#' [logLik()], `deviance()`, `AIC()` and the field `criterion` are those of the likelihood alone at these estimates;
#' `fit$penalty$value` is what the penalties take off it, and `print()` shows both.
#'
#' | | `cov_pen` only | `fe_pen`, or [fit_regularized()] |
#' |---|---|---|
#' | covariance of the fixed effects | given the variances, as always | `NA` |
#' | standard errors of variances | from the curvature of the penalised criterion (of a posterior mode) | `NA` |
#' | `ranef()` with conditional variances, fitted values, residuals | yes | yes |
#' | z tests, residual degrees of freedom, robust covariances, [prediction_se()], leverages, standardised residuals and their pictures, [influence()][influence.mixedlm()] with `method = "fixed"` | yes | error (`NA` in `augment()` and the limits of `predict()`; `plot()` leaves the picture out by default) |
#' | Satterthwaite, Kenward-Roger, profiles, bootstrap, comparisons of likelihoods, `drop1()`, `ranova()`, refits, other influence of rows | error | error |
#'
#' The errors are of class `mixedlm_error_penalty`. [update()] keeps the penalties, which are arguments of the call.
#'
#' statsmodels takes `fe_pen` into account when it looks for the covariances, but not for the fixed effects, which
#' stay those of generalised least squares; so its results differ from these, whose penalised likelihood is higher. Its
#' `cov_pen` is the same as here.
#'
#' A penalty on squares or absolute values of the fixed effects may give the penalised likelihood several maxima: one with
#' a large coefficient, and one with a small coefficient and large random effects. The search tries several
#' starts; so may you, with `start`.
#'
#' @examples
#' few <- subset(dietox, as.integer(factor(Pig)) %% 12 == 0)
#' fit <- mixedlm(Weight ~ Time + (Time | Pig), few, cov_pen = pen_wishart())
#' fit
#' fit$penalty$value
#' logLik(fit)
#' sqrt(diag(vcov(fit)))
#' tryCatch(anova(fit, ddf = "Satterthwaite"), mixedlm_error_penalty = conditionMessage)
#' @name mixedlm-penalised
#' @seealso [mixedlm-penalties]
NULL
