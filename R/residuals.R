# Fitted values and residuals, with the rows' names and the padding that
# na.exclude asks for.

#' Fitted values and residuals
#'
#' @param object (`mixedlm`) a fit.
#' @param type (`character(1)`) `"response"` (or `"working"`): response less fitted
#'   value. `"pearson"` (or `"deviance"`): the same times the square root of the
#'   prior weight.
#' @param scaled (`logical(1)`) whether residuals are divided by [sigma()].
#' @param ... not used.
#' @return A numeric vector, one value per row used, named by the rows of the data;
#'   with `na.action = na.exclude` padded with `NA` to the rows of the data.
#' @importFrom stats residuals
#' @export
#' @examples
#' fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
#' head(residuals(fit))
#' head(fitted(fit))
residuals.mixedlm <- function(object,
                              type = c(
                                "response", "pearson", "deviance", "working"
                              ), scaled = FALSE, ...) {
  type <- choose_one(type, c("response", "pearson", "deviance", "working"), "type")
  r <- field(object, "y") - field(object, "fitted")
  w <- field(object, "weights")
  if (type %in% c("pearson", "deviance") && !is.null(w)) {
    r <- r * sqrt(w)
  }
  if (isTRUE(scaled)) {
    r <- r / sigma(object)
  }
  by_row(object, r, stats::naresid)
}

#' @rdname residuals.mixedlm
#' @importFrom stats fitted
#' @export
fitted.mixedlm <- function(object, ...) {
  by_row(object, field(object, "fitted"), stats::napredict)
}

by_row <- function(fit, value, pad) {
  names(value) <- row.names(field(fit, "frame"))
  pad(field(fit, "na.action"), value)
}
