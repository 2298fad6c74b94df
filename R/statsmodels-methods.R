# Methods of statsmodels' results that are functions among the computed fields:
# fit$predict(), fit$get_distribution().

# The part of the fixed effects: for the rows of the fit, a design matrix, or a data frame.
statsmodels_predict <- function(fit, exog = NULL, ...) {
  if (...length()) {
    check_no_dots(substitute(list(...))[-1L], "exog")
  }
  if (is.null(exog) || is.data.frame(exog)) {
    return(stats::predict(fit, newdata = exog, re.form = NA))
  }
  fe <- field(fit, "fe_params")
  if (!is.matrix(exog) && is.numeric(exog)) {
    exog <- if (length(fe) == 1L) matrix(exog) else matrix(exog, 1L)
  }
  if (!is.numeric(exog) || ncol(exog) != length(fe)) {
    abort("newdata", paste0(
      "`exog` must be a data frame, or a numeric matrix with ", length(fe), " columns (",
      quote_names(names(fe)), "), not ", describe(exog), "."
    ), argument = "exog")
  }
  as.vector(exog %*% fe)
}

# The distribution of the response, with rvs() for draws: a vector, or a matrix with a
# column for each.
statsmodels_distribution <- function(fit, params = NULL, scale = NULL, ...) {
  if (...length()) {
    check_no_dots(substitute(list(...))[-1L], c("params", "scale"))
  }
  newparams <- NULL
  if (!is.null(params)) {
    newparams <- if (inherits(params, "mixedlm_params")) params else params_from(params, fit, FALSE)
  }
  scale <- if (is.null(scale)) field(fit, "scale") else check_deviation(scale, "scale")
  # covariances are relative to the scale, so that it comes with them
  newparams <- in_lme4_words(newparams, fit, scale)
  list(rvs = function(n = 1, seed = NULL) {
    y <- as.matrix(simulate.mixedlm(fit, n, seed, newparams = newparams))
    if (ncol(y) == 1L) unname(y[, 1L]) else unname(y)
  })
}

in_lme4_words <- function(params, fit, scale) {
  truth <- simulation_truth(field(fit, "random"), field(fit, "fe_params"), params, fit)
  model <- list(random = field(fit, "random"), theta = truth$theta)
  list(beta = truth$beta, theta = unname(named_theta(model)), sigma = sqrt(scale))
}
