# Standard errors of prediction for the rows of a fit.

#' Standard errors of prediction
#'
#' How uncertain the fixed part \eqn{x'\hat\beta}{x'beta}, the random part
#' \eqn{z'\hat b}{z'b} and their sum are for every row of a fit.
#'
#' @param fit (`mixedlm`) a fit.
#' @param part (`character(1)`) `"both"`: standard deviation of
#'   \eqn{x'\hat\beta + z'\hat b - (x'\beta + z'b)}{x'beta-hat + z'b-hat - (x'beta + z'b)}.
#'   `"fixed"`: of \eqn{x'\hat\beta - x'\beta}{x'beta-hat - x'beta}. `"random"`: of
#'   \eqn{z'\hat b - z'b}{z'b-hat - z'b}.
#'
#' @details
#' Those of the mixed model equations: \eqn{\sigma^2}{sigma^2} times their inverse is the
#' joint covariance of the errors of \eqn{\hat\beta}{beta-hat} and
#' \eqn{\hat b}{b-hat} (Henderson 1975; McCulloch and Searle 2001, ch. 6). The
#' uncertainty of \eqn{\beta}{beta} is part of that of the random effects; the
#' conditional variances of [ranef.mixedlm()], which take \eqn{\beta}{beta} as known,
#' are smaller. The variance parameters are held at their estimates in both. With
#' \eqn{K = \Psi Z'V^{-1}X}{K = Psi Z'V^-1 X} and P the covariance of the random effects
#' given the response and \eqn{\beta}{beta}, the variance of the sum is
#' \eqn{(x - K'z)'Cov(\hat\beta)(x - K'z) + z'Pz}{(x - K'z)' Cov(beta-hat) (x - K'z) + z'Pz}.
#'
#' The residual of a new response is not included: a new observation with prior
#' weight w has variance `prediction_se(fit)^2 + sigma(fit)^2 / w`.
#'
#' For nested factors the cost is that of one evaluation of the criterion and a pass
#' over the rows; for crossed ones that of one gradient and a pass over the rows.
#' Singular fits need no special care.
#'
#' @return A numeric vector in units of the response, one value per row used, named by
#'   the rows of the data; with `na.action = na.exclude` padded with `NA`.
#' @section Errors: `mixedlm_error_memory` when the rows need more memory than they may take. A standard error that is
#'   lost in rounding is missing, with a warning of class `mixedlm_warning_numerical`.
#' @references
#' Henderson CR (1975). Best linear unbiased estimation and prediction under a
#' selection model. *Biometrics* **31**, 423-447.
#'
#' McCulloch CE, Searle SR (2001). *Generalized, Linear, and Mixed Models*. Wiley.
#' @export
#' @seealso [predict.mixedlm()]
#' @examples
#' fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig", re_formula = ~ Time)
#' head(prediction_se(fit))
#' head(prediction_se(fit, "fixed"))
prediction_se <- function(fit, part = c("both", "fixed", "random")) {
  if (!inherits(fit, "mixedlm")) {
    abort("object", paste0("`fit` must be a fit of mixedlm(), not ", describe(fit), "."),
      argument = "fit"
    )
  }
  part <- choose_one(part, c("both", "fixed", "random"), "part")
  by_row(fit, sigma(fit) * without_lost(engine_prediction(fit)[[part]]), stats::napredict)
}
