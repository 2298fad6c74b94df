# Information criteria beyond stats' AIC and BIC.

#' Corrected Akaike criterion
#'
#' AIC with the second-order correction for small samples (Hurvich and Tsai 1989):
#' `AIC + 2 k (k + 1) / (n - k - 1)` for `k` parameters and `n` observations.
#'
#' @param object a fit: of [mixedlm()], or anything with a method of [stats::logLik()].
#' @param ... more fits.
#' @return A number; for several fits a data frame with columns `df` and `AICc`, as [stats::AIC()]
#'   gives. `Inf` where there are not more observations than parameters and one.
#' @details
#' As [stats::AIC()], it takes the likelihood by which the model was fitted. Restricted likelihoods
#' compare only where the fixed effects are the same: use `REML = FALSE` where they differ.
#' @references
#' Hurvich CM, Tsai C-L (1989). Regression and time series model selection in small samples.
#' *Biometrika* **76**, 297-307.
#' @section Errors:
#' `mixedlm_error_argument` for what has no likelihood.
#' @seealso [cAIC()] for the conditional criterion.
#' @export
#' @examples
#' fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig", REML = FALSE)
#' AICc(fit)
#' AICc(fit, update(fit, . ~ Time + Cu))
AICc <- function(object, ...) UseMethod("AICc")

#' @export
AICc.default <- function(object, ...) {
  fits <- list(object, ...)
  likelihoods <- lapply(fits, function(fit) {
    tryCatch(logLik(fit), error = function(e) {
      abort("argument", paste0("AICc() has no likelihood for ", describe(fit), "."))
    })
  })
  df <- vapply(likelihoods, function(l) as.numeric(attr(l, "df")), 0)
  n <- vapply(Map(function(l, fit) attr(l, "nobs") %||% nobs(fit), likelihoods, fits), as.numeric, 0)
  left <- n - df - 1
  value <- -2 * vapply(likelihoods, as.numeric, 0) + 2 * df +
    ifelse(left > 0, 2 * df * (df + 1) / left, Inf)
  if (length(fits) == 1L) {
    return(value)
  }
  tell_different_rows(n)
  names <- fit_names(substitute(list(object, ...)))
  data.frame(df = df, AICc = value, row.names = names)
}

# The arguments of a call as they were written, for row names.
fit_names <- function(call) {
  make.unique(vapply(as.list(call)[-1L], one_line, ""))
}

tell_different_rows <- function(n) {
  if (any(n != n[1L])) {
    warn("nobs", paste0(
      "The fits have different numbers of observations (", paste(unique(n), collapse = ", "),
      "); their criteria do not compare."
    ))
  }
}

#' Conditional Akaike criterion
#'
#' Akaike's criterion for questions about the very groups that were observed: the
#' likelihood is that of the response given the random effects, and the parameters
#' are counted by the effective degrees of freedom of the fitted values.
#'
#' @param object (`mixedlm`) a fit. Fits of lme4 go to the function of this name of package cAIC4.
#' @param ... more fits.
#' @param method (`character(1)`) what is counted. `"Greven-Kneib"`: the trace of
#'   the derivatives of the fitted values in the response, which move with the
#'   estimated variance parameters too. `"Vaida-Blanchard"`: the trace of the
#'   matrix that makes the fitted values of the response, as if the variances relative
#'   to the residual variance were known.
#'
#' @details
#' With \eqn{\hat y = H y}{fitted values H y}, the effective degrees of freedom are
#' \eqn{\rho = \mathrm{tr}(H)}{rho = tr(H)} (Hodges and Sargent 2001). As
#' \eqn{H}{H} depends on the estimated variance parameters, which depend on the
#' response, choosing by \eqn{\rho + 1}{rho + 1} favours larger models; Greven and
#' Kneib (2010) count
#' \eqn{\mathrm{tr}(\partial\hat y / \partial y)}{tr(d fitted / d y)} instead. It is
#' computed analytically: the derivatives of the variance parameters in the response come from
#' the condition that the gradient of the criterion is zero, and its exact Hessian.
#' In both, one is added for the residual variance; `"Vaida-Blanchard"` uses the
#' finite-sample form of Vaida and Blanchard (2005), which tends to
#' \eqn{\rho + 1}{rho + 1}:
#' \eqn{(n-p-1)(\rho+1)/(n-p-2) + (p+1)/(n-p-2)}{(n-p-1)(rho+1)/(n-p-2) + (p+1)/(n-p-2)} for REML,
#' and \eqn{n/(n-p)}{n/(n-p)} times that for ML.
#'
#' *Singular fits.* Parameters on the boundary stay there when the response changes a little, so
#' they add nothing, and those of a covariance matrix that is singular move
#' along the boundary. The value is that of the model without a component that is zero, whether or
#' not it is in the formula.
#'
#' *Package cAIC4* (1.0) differs in two places. It takes one term of the derivatives, which comes
#' from the change of the residual variance, at half of its size: its count is larger by a few hundredths on common data,
#' and ours is what differences of whole refits give. And a singular fit is fitted again there without the component; if none is left,
#' the residual variance is not counted.
#'
#' @return A list of class `mixedlm_caic`: `logLik` (conditional log-likelihood, at the estimated
#'   residual variance), `rho`, `df` (what it is charged with), `caic`, `method`, `boundary` (whether the fit is
#'   on the boundary). For several fits a data frame with columns `df` and `cAIC`.
#' @section Errors: `mixedlm_error_flat` for Greven and Kneib's count when the verdict of the fit is
#'   `"flat"`, `"saddle"` or `"maxit"`: the variance parameters are not where the criterion is lowest; and
#'   `mixedlm_error_scale` when the curvature of the criterion is outside the range of numbers, as for a
#'   predictor of size 1e80.
#' @references
#' Greven S, Kneib T (2010). On the behaviour of marginal and conditional AIC in linear mixed models.
#' *Biometrika* **97**, 773-789.
#'
#' Hodges JS, Sargent DJ (2001). Counting degrees of freedom in hierarchical and other
#' richly-parameterised models. *Biometrika* **88**, 367-379.
#'
#' Vaida F, Blanchard S (2005). Conditional Akaike information for mixed-effects models.
#' *Biometrika* **92**, 351-370.
#' @export
#' @seealso [AICc()] and [stats::AIC()] for questions about new groups.
#' @examples
#' fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
#' cAIC(fit)
#' cAIC(fit, mixedlm(Weight ~ Time + (Time | Pig), dietox))
cAIC <- function(object, ...) UseMethod("cAIC")

#' @export
cAIC.default <- function(object, ...) hand_over("cAIC4", "cAIC", object, ...)

#' @rdname cAIC
#' @export
cAIC.mixedlm <- function(object, ..., method = c("Greven-Kneib", "Vaida-Blanchard")) {
  method <- choose_one(method, c("Greven-Kneib", "Vaida-Blanchard"), "method")
  fits <- list(object, ...)
  for (fit in fits) {
    validate_mixedlm(fit)
  }
  values <- lapply(fits, conditional_aic, method)
  if (length(fits) == 1L) {
    return(values[[1L]])
  }
  tell_different_rows(vapply(fits, nobs, 0L))
  data.frame(
    df = vapply(values, `[[`, 0, "df"), cAIC = vapply(values, `[[`, 0, "caic"),
    row.names = fit_names(substitute(list(object, ...)))
  )
}

conditional_aic <- function(fit, method) {
  rho <- effective_df(fit)
  df <- if (method == "Greven-Kneib") {
    rho + estimated_variance_df(fit) + 1
  } else {
    vaida_blanchard_df(fit, rho)
  }
  loglik <- conditional_loglik(fit)
  structure(list(
    logLik = loglik, rho = rho, df = df, caic = -2 * loglik + 2 * df,
    method = method, boundary = verdict(fit) == "boundary"
  ), class = "mixedlm_caic")
}

# log-likelihood of the response given the random effects.
conditional_loglik <- function(fit) {
  n <- nobs(fit)
  s2 <- field(fit, "scale")
  -(n * log(2 * pi * s2) - field(fit, "log_weights") + weighted_rss(fit) / s2) / 2
}

weighted_rss <- function(fit) {
  sum((field(fit, "weights") %||% 1) * (field(fit, "y") - field(fit, "fitted"))^2)
}

# Estimated fixed effects; of penalised ones those that are not zero (for the lasso see Zou, Hastie and Tibshirani 2007).
n_estimated <- function(fit) {
  if (penalises_fixed(fit)) {
    return(sum(field(fit, "fe_params") != 0 & is.na(diag(as.matrix(field(fit, "vcov_unscaled"))))))
  }
  sum(diag(as.matrix(field(fit, "vcov_unscaled"))) != 0)
}

# rho = tr(H) = n - tr(P), without any n x n matrix. With V = I + sum psi_d G_d,
# tr(H) = p + sum psi_d (tr(V^-1 G_d) - tr(S B_d)), and what is in brackets is the
# gradient of the REML criterion less its term in r2, (n - p) dr2_d / r2, where
# sum psi_d dr2_d = RSS - r2 and 2 sum psi_d g_d = theta' dc/dtheta.
effective_df <- function(fit) {
  p <- n_estimated(fit)
  theta <- packed_theta(fit)
  gradient <- engine_evaluate(fit, theta, reml = TRUE)$gradient
  p + sum(theta * gradient) / 2 + (nobs(fit) - p) * (1 - weighted_rss(fit) / field(fit, "pwrss"))
}

# Vaida and Blanchard (2005), theorem 2: residual variance estimated.
vaida_blanchard_df <- function(fit, rho) {
  n <- nobs(fit)
  p <- n_estimated(fit)
  if (n - p - 2 <= 0) {
    return(Inf)
  }
  reml <- ((n - p - 1) * (rho + 1) + p + 1) / (n - p - 2)
  if (field(fit, "reml")) reml else reml * n / (n - p)
}

#' @export
print.mixedlm_caic <- function(x, digits = max(3L, getOption("digits") - 2L), ...) {
  check_digits(digits)
  cat("Conditional AIC (", sub("-", " and ", x$method), ")", if (x$boundary) ", fit on the boundary", "\n", sep = "")
  value <- c(
    cAIC = x$caic, `conditional logLik` = x$logLik, `effective df` = x$df, `trace of H` = x$rho
  )
  print(value, digits = digits, ...)
  invisible(x)
}
