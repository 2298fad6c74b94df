# Sets of parameters in statsmodels' form.

#' Parameters of a mixed model in statsmodels' form
#'
#' A set of values for the parameters of a model, as statsmodels'
#' `MixedLMParams.from_components()`: starting values for the argument `start`
#' of [mixedlm()], or a mask for its argument `free`.
#'
#' @param fe_params (`numeric`) one value for each fixed effect, in the order of
#'   the columns of the design, or `NULL`.
#' @param cov_re (`matrix`) values for the covariance matrix of the random
#'   effects of one group, square, or a single number for a random intercept; or
#'   `NULL`. Where the model has terms of slopes on factors that are nested in the
#'   groups or crossed, it may be larger: these terms follow as further blocks,
#'   in the order in which [summary.mixedlm()] lists them.
#' @param vcomp (`numeric`) one value for each variance component, in the order
#'   of the fit or by name; or `NULL`.
#' @param cov_re_sqrt (`matrix`) instead of `cov_re`, a matrix L with `cov_re` = L L', such as its Cholesky factor.
#' @return A list of class `mixedlm_params` with the three elements `fe_params`, `cov_re`, `vcomp`.
#' @seealso [get_packed()] and [from_packed()] for one vector of all of them, [params_of()] for those of a fit.
#' @section As `start`: `cov_re` and `vcomp` are *relative to the residual
#'   variance* (statsmodels' `cov_re_unscaled`), because the residual variance
#'   is profiled out. `cov_re` must be symmetric and positive semidefinite.
#'   Fixed effects are profiled out too: `fe_params` only matters for those that
#'   `free` holds. What is left `NULL` gets the default start.
#' @section As `free`: 1 means that a parameter is estimated, 0 that it is held
#'   at its starting value; without `start` that is statsmodels' default (fixed
#'   effects 0, `cov_re` the identity, variance components 1). As in
#'   statsmodels, the mask of `cov_re` is read in its lower triangle and applies
#'   to the elements of the lower-triangular Cholesky factor of
#'   `cov_re_unscaled`: the identity matrix as a mask gives independent random
#'   effects, like `free = "diagonal"`. An element that is left `NULL` is
#'   estimated throughout.
#' @section Errors: values of the wrong type or shape give an error of class
#'   `mixedlm_error_params`; values that do not fit the model one of class
#'   `mixedlm_error_start` or `mixedlm_error_free`, raised by [mixedlm()].
#' @export
#' @examples
#' # independent random intercepts and slopes, in statsmodels' way
#' mask <- mixedlm_params(fe_params = c(1, 1), cov_re = diag(2))
#' mixedlm(Weight ~ Time, dietox, groups = "Pig", re_formula = ~ Time, free = mask)
mixedlm_params <- function(fe_params = NULL, cov_re = NULL, vcomp = NULL, cov_re_sqrt = NULL) {
  if (!is.null(cov_re_sqrt)) {
    cov_re <- squared_root(cov_re_sqrt, cov_re)
  }
  if (!is.null(fe_params)) {
    fe_params <- params_vector(fe_params, "fe_params")
  }
  if (!is.null(cov_re)) {
    if (!is.numeric(cov_re) || length(cov_re) != NROW(cov_re)^2) {
      abort("params", paste0(
        "`cov_re` must be a square numeric matrix, not ", describe(cov_re), "."
      ), argument = "cov_re")
    }
    params_vector(cov_re, "cov_re")
    cov_re <- matrix(as.double(cov_re), NROW(cov_re), dimnames = dimnames(cov_re))
  }
  if (!is.null(vcomp)) {
    vcomp <- params_vector(vcomp, "vcomp")
    if (any(vcomp < 0)) {
      abort("params", "`vcomp` holds variances and must not be negative.",
        argument = "vcomp"
      )
    }
  }
  structure(
    list(fe_params = fe_params, cov_re = cov_re, vcomp = vcomp),
    class = "mixedlm_params"
  )
}

squared_root <- function(l, cov_re) {
  if (!is.null(cov_re)) {
    abort("params", "Give `cov_re` or `cov_re_sqrt`, not both.", argument = "cov_re_sqrt")
  }
  if (!is.numeric(l) || length(l) != NROW(l)^2) {
    abort("params", paste0(
      "`cov_re_sqrt` must be a square numeric matrix, not ", describe(l), "."
    ), argument = "cov_re_sqrt")
  }
  tcrossprod(matrix(l, NROW(l)))
}

params_vector <- function(x, argument) {
  if (!is.numeric(x) || is.object(x)) {
    abort("params", paste0(
      "`", argument, "` must be numeric, not ", describe(x), "."
    ), argument = argument)
  }
  if (!all(is.finite(x))) {
    abort("params", paste0(
      "`", argument, "` must not hold missing or infinite values."
    ), argument = argument)
  }
  stats::setNames(as.double(x), names(x))
}

#' @export
print.mixedlm_params <- function(x, ...) {
  for (name in names(x)) {
    if (!is.null(x[[name]])) {
      cat(name, "\n", sep = "")
      print(x[[name]], ...)
    }
  }
  invisible(x)
}
