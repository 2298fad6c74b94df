# Confidence intervals.

#' Confidence intervals
#'
#' Wald intervals: the estimate plus and minus standard errors times a quantile of
#' the normal distribution. No degrees of freedom are estimated.
#'
#' @param object (`mixedlm`) a fit.
#' @param parm (`character` or `integer`) which parameters: names or numbers;
#'   `"beta_"` for the fixed effects (default), `"theta_"` for the variances and
#'   covariances.
#' @param level (`numeric(1)`) confidence level.
#' @param method (`character(1)`) `"Wald"`.
#' @param ... not used.
#' @return A matrix with a lower and an upper limit per parameter. The limits of variances
#'   are on the variance scale; they are symmetric and may be negative, and `NA` on the boundary.
#' @importFrom stats confint
#' @export
#' @examples
#' fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
#' confint(fit)
#' confint(fit, "theta_")
confint.mixedlm <- function(object, parm = "beta_", level = 0.95,
                            method = "Wald", ...) {
  if (...length()) {
    check_no_dots(substitute(list(...))[-1L], names(formals(confint.mixedlm)))
  }
  choose_one(method, "Wald", "method")
  if (!is_number(level) || level <= 0 || level >= 1) {
    abort("argument", paste0(
      "`level` must be a number between 0 and 1; found ", describe(level), "."
    ), argument = "level")
  }
  fe <- field(object, "fe_params")
  rows <- varcomp_rows(object)
  random <- stats::setNames(c(rows$estimate, field(object, "scale")), c(rows$label, "Scale"))
  estimate <- c(fe, random)
  chosen <- chosen_parameters(parm, names(estimate), length(fe))
  se <- c(sqrt(diag(vcov(object))), if (any(chosen > length(fe))) sqrt(diag(varcomp_cov(object))))
  tail <- c((1 - level) / 2, 1 - (1 - level) / 2)
  limits <- outer(se[chosen], stats::qnorm(tail)) + estimate[chosen]
  dimnames(limits) <- list(
    names(estimate)[chosen], paste(format(100 * tail, trim = TRUE, digits = 3L), "%")
  )
  limits
}

chosen_parameters <- function(parm, names, p) {
  if (identical(parm, "beta_")) {
    return(seq_len(p))
  }
  if (identical(parm, "theta_")) {
    return(seq_along(names)[-seq_len(p)])
  }
  chosen <- if (is.character(parm)) match(parm, names) else seq_along(names)[parm]
  if (!length(chosen) || anyNA(chosen)) {
    abort("argument", paste0(
      "`parm` must name parameters of the fit (", quote_names(names), "), or be ",
      "\"beta_\" or \"theta_\"; found ", describe(parm), "."
    ), argument = "parm")
  }
  chosen
}
