# Fitted values and residuals, with the rows' names and the padding that
# na.exclude asks for.

#' Fitted values and residuals
#'
#' Fitted values with all random effects, and residuals of several kinds: conditional on the random effects or not, as
#' they are or divided by what they can be expected to be.
#'
#' @param object (`mixedlm`) a fit.
#' @param type (`character(1)`) which residuals, see Details; the first four are lme4's.
#' @param scaled (`logical(1)`) whether residuals are divided by [sigma()]; those that are
#'   free of units already are not.
#' @param ... not used.
#'
#' @details
#' With y the response, o the offset, w the prior weights, h the leverages ([hatvalues.mixedlm()]), V the covariance of y relative to
#' \eqn{\sigma^2}{sigma^2} and S that of the fixed effects:
#'
#' | `type` | value |
#' |---|---|
#' | `"response"`, `"working"`, `"conditional"` | \eqn{e = y - o - x'\beta - z'b}{e = y - o - x'beta - z'b} |
#' | `"pearson"`, `"deviance"` | \eqn{\sqrt w e}{sqrt(w) e} |
#' | `"normalized"` | \eqn{\sqrt w e / \sigma}{sqrt(w) e / sigma}, nlme's residuals of that name |
#' | `"standardized"` | \eqn{\sqrt w e / (\sigma\sqrt{1 - h})}{sqrt(w) e / (sigma sqrt(1 - h))}, of variance one: [rstandard()], and lme4's [rstudent()] |
#' | `"studentized"` | the same with the \eqn{\sigma}{sigma} of the other rows (variance parameters relative to it held) |
#' | `"marginal"` | \eqn{r = y - o - x'\beta}{r = y - o - x'beta} |
#' | `"marginal_standardized"` | \eqn{r / (\sigma\sqrt{v - x'Sx})}{r / (sigma sqrt(v - x'Sx))}, v the row's diagonal element of V |
#' | `"cholesky"` | \eqn{C^{-1}r/\sigma}{C^-1 r / sigma} with \eqn{CC' = V}{C C' = V}, C lower triangular over the rows in the order of the data: nearly independent with variance one when the model holds |
#'
#' The whitened residuals `"cholesky"` are made group by group, one row after the other,
#' each time from what the rows before say of the random effects. Where factors are crossed all
#' random effects are one group's, and the cost is that of their number squared for every row.
#'
#' @return A numeric vector, one value per row used, named by the rows of the data;
#'   with `na.action = na.exclude` padded with `NA` to the rows of the data.
#' @section Errors: `mixedlm_error_argument` for an unknown type; `mixedlm_error_memory` where a
#'   type needs more memory than it may take.
#' @references
#' Houseman EA, Ryan LM, Coull BA (2004). Cholesky residuals for assessing normal errors in
#' a linear model with correlated outcomes. *Journal of the American Statistical
#' Association* **99**, 383-394.
#'
#' Nobre JS, Singer JM (2007). Residual analysis for linear mixed models. *Biometrical
#' Journal* **49**, 863-875.
#' @importFrom stats residuals
#' @export
#' @seealso [hatvalues.mixedlm()], [qq_data()], [plot.mixedlm()]
#' @examples
#' fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
#' head(residuals(fit))
#' head(fitted(fit))
#' head(residuals(fit, "cholesky"))
residuals.mixedlm <- function(object,
                              type = c(
                                "response", "pearson", "deviance", "working",
                                "conditional", "normalized", "standardized",
                                "studentized", "marginal", "marginal_standardized",
                                "cholesky"
                              ), scaled = FALSE, ...) {
  type <- choose_one(type, names(residual_types), "type")
  r <- residual_types[[type]](object)
  if (isTRUE(scaled) && type %in% residual_types_in_units) {
    r <- r / sigma(object)
  }
  by_row(object, r, stats::naresid)
}

# One function of the fit per type: the rows used, without names.
residual_types <- list(
  response = function(fit) field(fit, "y") - field(fit, "fitted"),
  pearson = function(fit) pearson_residuals(fit),
  deviance = function(fit) pearson_residuals(fit),
  working = function(fit) field(fit, "y") - field(fit, "fitted"),
  conditional = function(fit) field(fit, "y") - field(fit, "fitted"),
  normalized = function(fit) pearson_residuals(fit) / sigma(fit),
  standardized = function(fit) standardized_residuals(fit),
  studentized = function(fit) studentized_residuals(fit),
  marginal = function(fit) marginal_residuals(fit),
  marginal_standardized = function(fit) standardized_marginal_residuals(fit),
  cholesky = function(fit) whitened_residuals(fit)
)
residual_types_in_units <- c(
  "response", "pearson", "deviance", "working", "conditional", "marginal"
)

# Deleting a row takes r^2 of its standardised residual off the residual sum of
# squares (in units of sigma^2) and one off the denominator.
studentized_residuals <- function(fit) {
  r <- standardized_residuals(fit)
  n <- field(fit, "denominator")
  finite_or_nan(r * sqrt((n - 1) / pmax(n - r^2, 0)))
}

marginal_residuals <- function(fit) {
  whole <- whole_design(fit)
  fe <- field(fit, "fe_params")
  x <- whole$x[, match(names(fe), colnames(whole$x)), drop = FALSE]
  field(fit, "y") - (field(fit, "offset") %||% 0) - drop(unname(x) %*% fe)
}

standardized_marginal_residuals <- function(fit) {
  design <- design_of(fit, "A standard error of prediction", "fixed")
  v <- rep.int(0, nrow(design$x)) + 1 / weights_or_one(fit)
  for (k in seq_along(design$terms)) {
    z <- term_columns_of(design, design$terms[[k]]) %*% field(fit, "theta")[[k]]
    v <- v + rowSums(z^2)
  }
  left <- v - engine_prediction(fit)$fixed^2
  # a row that alone determines a fixed effect has a residual of zero
  left[left < 1e-12 * v] <- NaN
  marginal_residuals(fit) / (sigma(fit) * sqrt(left))
}

whitened_residuals <- function(fit) {
  design <- design_of(fit, matters = "none")
  options <- engine_options(
    field(fit, "reml"), "newton", field(fit, "control"), packed_theta(fit)
  )
  options$residuals <- as.double(marginal_residuals(fit))
  problem <- engine_problem(design, lapply(design$terms, `[[`, "free"))
  engine_answer(rs_whiten(problem, options), design)$residuals / sigma(fit)
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
