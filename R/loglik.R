# The criterion in its various dresses.

#' Likelihood of a fit
#'
#' The logarithm of the likelihood, or restricted likelihood, at the estimates, with all constants (those with
#' \eqn{2\pi}{2 pi} too), so that it can be compared with that of `lm()` and of other programs.
#'
#' @param object (`mixedlm`) a fit.
#' @param REML (`logical(1)`) whether the restricted likelihood is meant;
#'   default as fitted. The other one is evaluated at the same relative
#'   covariances.
#' @param ... not used.
#' @return `logLik()`: class `logLik`, with `df` (fixed effects, free variance
#'   parameters, residual variance) and `nobs`. `deviance()` and `REMLcrit()`: -2
#'   log-likelihood. As in lme4, `deviance()` of a REML fit is its REML criterion, with a warning of class
#'   `mixedlm_warning_deviance` unless `REML` says what is meant. In lme4 `REMLcrit()` is no generic: with lme4 attached last, write `mixedlm::REMLcrit(fit)` or
#'   `deviance(fit, REML = TRUE)` on R before 4.3.
#' @importFrom stats logLik
#' @export
#' @section Errors:
#' `mixedlm_error_argument` when `REML` is neither `NULL` nor a logical value.
#' @references
#' Bates D, Maechler M, Bolker B, Walker S (2015). Fitting linear mixed-effects models using lme4. *Journal of Statistical
#' Software* **67**(1), 1-48, eqs. 34 (ML) and 41 (REML).
#' @seealso [AICc()], [cAIC()], [mixedlm_loglik()] for the likelihood at other parameters.
#' @examples
#' fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig", REML = FALSE)
#' logLik(fit)
#' AIC(fit)
#' REMLcrit(mixedlm(Weight ~ Time, dietox, groups = "Pig"))
logLik.mixedlm <- function(object, REML = NULL, ...) {
  reml <- likelihood_kind(REML, object)
  structure(-criterion_as(object, reml) / 2,
    nobs = nobs(object), nall = nobs(object), df = n_parameters(object),
    class = "logLik"
  )
}

#' @rdname logLik.mixedlm
#' @importFrom stats deviance
#' @export
deviance.mixedlm <- function(object, REML = NULL, ...) {
  if (is.null(REML) && field(object, "reml")) {
    warn("deviance", paste0(
      "A REML fit has no deviance; this is its REML criterion. REMLcrit(fit) or deviance(fit, REML = TRUE) says so, ",
      "deviance(fit, REML = FALSE) is -2 log-likelihood at its estimates."
    ), argument = "REML")
  }
  criterion_as(object, likelihood_kind(REML, object))
}

#' @rdname logLik.mixedlm
#' @export
REMLcrit <- function(object) UseMethod("REMLcrit")

#' @export
REMLcrit.default <- function(object) lme4_default("REMLcrit", object)

#' @export
REMLcrit.mixedlm <- function(object) criterion_as(object, TRUE)

likelihood_kind <- function(reml, fit) {
  if (is.null(reml)) {
    return(field(fit, "reml"))
  }
  if (!is_flag(reml)) {
    abort("argument", paste0(
      "`REML` must be TRUE or FALSE; found ", describe(reml), "."
    ), argument = "REML")
  }
  reml
}

# -2 log-likelihood of either kind at the fit's Psi, sigma^2 profiled out.
criterion_as <- function(fit, reml) {
  if (reml == field(fit, "reml")) {
    return(field(fit, "criterion"))
  }
  n <- n_rows(fit) - if (reml) length(field(fit, "fe_params")) else 0L
  r2 <- field(fit, "pwrss")
  n * (log(2 * pi * r2 / n) + 1) + field(fit, "logdet_v") -
    field(fit, "log_weights") + if (reml) field(fit, "logdet_xvx") else 0
}

#' @importFrom stats extractAIC
#' @export
extractAIC.mixedlm <- function(fit, scale = 0, k = 2, ...) {
  if (!is_number(k)) {
    abort("argument", paste0("`k` must be a number; found ", describe(k), "."), argument = "k")
  }
  if (field(fit, "reml")) {
    fit <- fit_again(fit, reml = FALSE)
  }
  ll <- logLik(fit)
  df <- attr(ll, "df")
  c(df, -2 * as.numeric(ll) + k * df)
}
