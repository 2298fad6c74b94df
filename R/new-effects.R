# Random effects of groups that were not in a fit, from data of theirs.

#' Random effects given more data
#'
#' The conditional modes of the random effects of the levels that occur in new rows
#' with a response, and their conditional covariance matrices: for groups that were not
#' in the fit, or known ones with more data.
#'
#' @param fit (`mixedlm`) a fit.
#' @param condition_on (`data.frame`) rows with all variables of the fit, the response
#'   included. Rows with a missing value are left out.
#' @param condVar (`logical(1)`) whether the conditional covariance matrices are given too.
#'
#' @details
#' The rows are added to those of the fit; its parameters, the fixed effects
#' included, are held at their estimates. For a group that the fit does not know
#' the effects then depend on its own rows only (and on levels of crossed factors
#' that it shares with others). The
#' covariance matrices are those given the parameters, as in [ranef.mixedlm()]; standard errors
#' of predictions that account for the estimation of the fixed effects are given by
#' [predict.mixedlm()] with the same `condition_on`.
#'
#' @return As [ranef.mixedlm()]: a list of class `ranef.mixedlm` with a data frame for
#'   each grouping factor, whose rows are the levels in `condition_on`, in units of the response
#'   (per unit of the column); with the attribute `postVar`.
#' @section Errors: those of [predict.mixedlm()] for `newdata`, with `argument = "condition_on"`.
#' @export
#' @seealso [ranef.mixedlm()], [predict.mixedlm()]
#' @examples
#' fit <- mixedlm(Weight ~ Time + (Time | Pig), subset(dietox, Pig != "4601"))
#' new_effects(fit, subset(dietox, Pig == "4601")[1:4, ])
new_effects <- function(fit, condition_on, condVar = TRUE) {
  if (!inherits(fit, "mixedlm")) {
    abort("object", paste0("`fit` must be a fit of mixedlm(), not ", describe(fit), "."), argument = "fit")
  }
  if (!is_flag(condVar)) {
    abort("argument", paste0("`condVar` must be TRUE or FALSE, not ", describe(condVar), "."), argument = "condVar")
  }
  if (missing(condition_on)) {
    abort("argument", "`condition_on` is missing: the data of which groups?", argument = "condition_on")
  }
  extra <- extra_rows(fit, condition_on)
  given <- conditional_problem(fit, NULL, extra)
  b <- engine_conditional(fit, given)$b
  variances <- if (condVar) {
    options <- engine_options(field(fit, "reml"), "newton", field(fit, "control"), packed_theta(fit))
    answer <- engine_answer(rs_variances(given$problem, options), list(factors = field(fit, "factors")))
    lapply(answer$variances, function(v) v * field(fit, "scale"))
  }
  random <- field(fit, "random")
  chosen <- factor_order(fit)
  out <- lapply(chosen, function(f) {
    codes <- given$extra$factors[[f]]$codes
    codes <- unique(codes)
    codes <- codes[order(codes <= length(field(fit, "factors")[[f]]$levels), codes)]
    terms <- terms_on(fit, f)
    value <- unlist(lapply(b[terms], function(m) lapply(seq_len(nrow(m)), function(j) m[j, codes])), recursive = FALSE)
    names(value) <- unlist(lapply(random[terms], `[[`, "columns"))
    value <- structure(value, class = "data.frame", row.names = given$levels[[f]][codes])
    if (condVar) {
      own <- lapply(variances[terms], function(v) v[, , codes, drop = FALSE])
      attr(value, "postVar") <- if (length(own) == 1L) own[[1L]] else own
    }
    value
  })
  structure(
    stats::setNames(out, vapply(field(fit, "factors")[chosen], `[[`, "", "name")),
    class = "ranef.mixedlm"
  )
}
