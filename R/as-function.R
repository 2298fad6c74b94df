# as.function(): the criterion of a fit.
# Vignette "The algorithm": Eq. Criterion.

#' The criterion as a function
#'
#' -2 log-likelihood of the model (restricted, for a REML fit) as a function of the relative Cholesky factors of the
#' random effects, fixed effects and residual variance profiled out.
#'
#' @param x (`mixedlm`) a fit.
#' @param ... not used.
#' @return A function of one argument, `theta` (`numeric`, as `getME(x, "theta")`: term by term in lme4's order, the lower
#'   triangle column by column, relative to `sigma(x)`), that returns one number. It does not depend on the sign of a column.
#' @section Errors: `mixedlm_error_penalty` for a penalised fit; the function that is returned raises `mixedlm_error_argument` for a vector of the wrong length or with values that are not finite.
#' @references
#' Bates D, Maechler M, Bolker B, Walker S (2015). Fitting linear mixed-effects models using lme4. *Journal of Statistical
#' Software* **67**(1), 1-48, eqs. 34 (ML) and 41 (REML).
#' @seealso [getME()]
#' @export
#' @examples
#' fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
#' f <- as.function(fit)
#' f(getME(fit, "theta"))
#' f(0)
as.function.mixedlm <- function(x, ...) {
  design <- design_of(x, "The criterion as a function of theta")
  to_fit <- theta_to_fit(x)
  names <- names(named_theta(x))
  reml <- field(x, "reml")
  control <- field(x, "control")
  rm(x)
  function(theta) {
    check_theta(theta, names)
    options <- engine_options(reml, "newton", control, theta[to_fit])
    engine_answer(rs_evaluate(engine_problem(design), options), design)$criterion
  }
}

# The places of packed_theta() among those of lme4's theta.
theta_to_fit <- function(fit) {
  order <- term_order(fit)
  size <- lengths(theta_elements(fit))
  places <- split(seq_len(sum(size)), rep(seq_along(size), size))
  unlist(places[order(order)], use.names = FALSE)
}

check_theta <- function(theta, names) {
  if (is.numeric(theta) && !is.object(theta) && length(theta) == length(names) && all(is.finite(theta))) {
    return(invisible())
  }
  abort("argument", paste0(
    "`theta` must have ", length(names), if (length(names) == 1L) " finite number (" else " finite numbers (",
    paste(names, collapse = ", "), "); found ", describe(theta), "."
  ), argument = "theta")
}
