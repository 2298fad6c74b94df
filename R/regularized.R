# fit_regularized(): fixed effects under absolute values, as statsmodels has them.

#' Fits with penalised fixed effects
#'
#' The lasso for the fixed effects of a mixed model, with the objective and the defaults of
#' statsmodels' `MixedLM.fit_regularized`, and more: elastic net, weights by
#' coefficient, the covariances estimated along with the coefficients.
#'
#' @param object (`mixedlm`) a fit, or the `formula` of one.
#' @param method (`character(1)`) `"l1"`; or a penalty on the fixed effects, see
#'   [mixedlm-penalties], whose weights are multiplied by `alpha`: then the model is fitted with that
#'   `fe_pen`.
#' @param alpha (`numeric`, not negative) penalty weights: one for all coefficients, the intercept
#'   included; one for each; or a named vector, the columns that it does not name having none, as
#'   in `c(x1 = 2, x2 = 2)`.
#' @param l1_ratio (`numeric(1)`, from 0 to 1) share of the absolute values; the rest is on squares.
#' @param covariance (`character(1)`) `"held"`: the covariances of the random effects and the
#'   scale stay at the estimates of the fit without penalty while the coefficients are found, as in statsmodels.
#'   `"estimated"`: everything together.
#' @param standardize (`logical(1)`) multiply the weight of each coefficient by the standard deviation
#'   of its column: the penalty is on coefficients of standardised predictors, and the intercept has none.
#' @param refit (`logical(1)`) fit the model again without penalty, with the selected coefficients
#'   only, as [refit_active()] does, and return that.
#' @param start_params,ceps,ptol,maxit statsmodels' arguments. The minimum is found exactly, whatever
#'   they say.
#' @param data,... for a formula, arguments of [mixedlm()]; for a fit, nothing.
#'
#' @details
#' With the covariance of the response \eqn{\sigma^2 V}{sigma^2 V} held, the coefficients minimise
#' \deqn{(y - X\beta)'V^{-1}(y - X\beta)/\sigma^2 + \sum_j \alpha_j \left(l\,|\beta_j| +
#' (1 - l)\beta_j^2/2\right),}{(y - X beta)'V^-1(y - X beta) / sigma^2 + sum alpha_j (l |beta_j| + (1 - l) beta_j^2 / 2),}
#' \eqn{l} being `l1_ratio`: -2 log-likelihood and the penalty. It is convex, and its minimum unique where the design has
#' full rank; the solution satisfies the Karush-Kuhn-Tucker conditions to rounding.
#' Afterwards the scale is computed from the residuals, relative covariances staying as they are. statsmodels' own
#' descent stops early by default and never lets a coefficient return that was once below `ceps`; with
#' `ceps = 0` and a small `ptol` it arrives at the same estimates. It leaves `cov_re` as it was in units of the response; here
#' `cov_re` is `scale * cov_re_unscaled` as in every fit.
#'
#' With `covariance = "estimated"` the same penalty is added to the criterion of the model (-2 log-likelihood,
#' restricted for REML), which is minimised over the coefficients, the scale and the covariances. This
#' problem may have several minima; several starts are tried, see [mixedlm-penalised].
#'
#' The estimates are biased by design and have no standard errors here, tests or
#' intervals: all of them are `NA`, or an error of class `mixedlm_error_penalty`. Those of
#' [refit_active()] do not account for the selection.
#'
#' @return A fit of class `mixedlm_regularized` and `mixedlm`, with the field `regularized`: `alpha` and `l1_ratio` as
#'   weighted, `active` (names of the coefficients that are not zero), `covariance`, `objective`,
#'   and `kkt`, by how much the conditions of the minimum are missed, relative to `alpha` or, where that is next to nothing, to
#'   the slopes elsewhere.
#' @section Errors: `mixedlm_error_penalty` for weights that cannot be used; `mixedlm_error_argument`.
#' @references
#' Tibshirani R (1996). Regression shrinkage and selection via the lasso. *Journal of the Royal Statistical Society B*
#' **58**, 267-288.
#'
#' Lee H, Battle A, Raina R, Ng AY (2007). Efficient sparse coding algorithms. *Advances in Neural
#' Information Processing Systems* **19**.
#' @seealso [regularization_path()]
#' @export
#' @examples
#' fit <- mixedlm(Weight ~ Time * Cu + Evit, dietox, groups = "Pig")
#' fit_regularized(fit, alpha = 20)
#' fit_regularized(fit, alpha = c(CuCu035 = 20, CuCu175 = 20), covariance = "estimated")
fit_regularized <- function(object, ...) UseMethod("fit_regularized")

#' @rdname fit_regularized
#' @export
fit_regularized.mixedlm <- function(object, method = "l1", alpha = 0, l1_ratio = 1,
                                    covariance = c("held", "estimated"), standardize = FALSE,
                                    refit = FALSE, start_params = NULL, ceps = NULL,
                                    ptol = NULL, maxit = NULL, ...) {
  if (...length()) {
    check_no_dots(substitute(list(...))[-1L], names(formals(fit_regularized.mixedlm)))
  }
  covariance <- choose_one(covariance, c("held", "estimated"), "covariance")
  refuse_penalised(object, "A penalty on the fixed effects")
  check_penalty_weights(alpha, "alpha")
  check_flag(refit, "refit")
  if (is_penalty_like(method)) {
    return(fit_with_penalty(object, scaled_penalty(method, alpha)))
  }
  if (!is_string(method) || tolower(method) != "l1") {
    abort_penalty("method", "must be \"l1\" or a penalty on the fixed effects; found ", describe(method), ".")
  }
  weights <- regular_weights(object, alpha, l1_ratio, standardize)
  fit <- if (covariance == "held") held_regularized(object, weights) else joint_regularized(object, weights)
  if (refit) refit_active(fit) else fit
}

#' @rdname fit_regularized
#' @export
fit_regularized.formula <- function(object, data = NULL, ..., method = "l1", alpha = 0, l1_ratio = 1,
                                    covariance = c("held", "estimated"), standardize = FALSE,
                                    refit = FALSE) {
  call <- match.call()
  own <- setdiff(names(formals(fit_regularized.formula)), c("object", "data", "..."))
  call[own] <- NULL
  names(call)[names(call) == "object"] <- "formula"
  call[[1L]] <- mixedlm
  fit <- eval(call, parent.frame())
  call[[1L]] <- quote(mixedlm)
  fit$call <- call
  fit_regularized.mixedlm(fit,
    method = method, alpha = alpha, l1_ratio = l1_ratio, covariance = covariance,
    standardize = standardize, refit = refit
  )
}

#' @rdname fit_regularized
#' @export
fit_regularized.default <- function(object, ...) {
  abort("object", paste0("`object` must be a fit of class `mixedlm` or a formula; found ", describe(object), "."),
    argument = "object"
  )
}

#' Fit the coefficients again that a penalty has selected
#'
#' The model without penalty, the coefficients that are zero held there.
#'
#' @param object (`mixedlm_regularized`) a fit of [fit_regularized()].
#' @param ... not used.
#' @details
#' Standard errors, tests and intervals of the new fit are those of a model that was known
#' beforehand: they do not know of the selection and are too optimistic.
#' @return A fit of class `mixedlm`; the coefficients that were not selected are zero and held by `free`, an
#'   argument of its call too, with standard error zero.
#' @export
#' @section Errors:
#' `mixedlm_error_object` for what is not a fit of [fit_regularized()].
#' @seealso [fit_regularized()]
#' @examples
#' fit <- mixedlm(Weight ~ Time * Cu + Evit, dietox, groups = "Pig")
#' refit_active(fit_regularized(fit, alpha = 20))
refit_active <- function(object, ...) UseMethod("refit_active")

#' @rdname refit_active
#' @export
refit_active.mixedlm_regularized <- function(object, ...) {
  if (...length()) {
    check_no_dots(substitute(list(...))[-1L], "object")
  }
  fe <- field(object, "fe_params")
  whole <- whole_design(object)
  free <- field(object, "free")
  if (all(fe != 0)) {
    return(fit_again_unpenalised(object, whole, free))
  }
  columns <- field(object, "columns")
  held <- whole$held %||% rep(NA_real_, length(columns))
  held[match(names(fe)[fe == 0], columns)] <- 0
  # an aliased column is not estimated whatever the others are
  held[columns %in% field(object, "aliased")] <- 0
  whole$held <- held
  holding <- holding_arguments(object, held)
  object[["start"]] <- holding$start
  object[["call"]][c("start", "free")] <- NULL
  object[["call"]][names(holding$call)] <- holding$call
  fit_again_unpenalised(object, whole, holding$free)
}

# `start` and `free` of a fit that holds these fixed effects besides what `object` holds, so that whatever
# is fitted or evaluated later holds them too; `call`: the same as expressions.
holding_arguments <- function(object, held) {
  fe <- as.double(is.na(held))
  at <- params_of(object)
  free <- field(object, "free")
  start <- field(object, "start")
  if (identical(free, "diagonal")) {
    free <- list(cov_re = if (!is.null(at$cov_re)) diag(1, nrow(at$cov_re)))
  }
  mask <- c(list(fe_params = fe), if (!is.null(free)) unclass(free)[c("cov_re", "vcomp")])
  from <- if (!is.null(start) || any(held != 0, na.rm = TRUE)) {
    list(fe_params = ifelse(is.na(held), 0, held), cov_re = at$cov_re, vcomp = at$vcomp)
  }
  given <- Filter(Negate(is.null), list(free = mask, start = from))
  parts <- lapply(given, function(values) Filter(Negate(is.null), values))
  out <- lapply(parts, function(values) do.call(mixedlm_params, values))
  out$call <- lapply(parts, function(values) as.call(c(quote(mixedlm_params), values)))
  out
}

#' @export
refit_active.default <- function(object, ...) {
  abort("object", paste0("`object` must be a fit of fit_regularized(); found ", describe(object), "."), argument = "object")
}

fit_again_unpenalised <- function(object, whole, free, penalty = NULL) {
  settings <- list(reml = field(object, "reml"), method = "newton", control = field(object, "control"))
  fit_design(field(object, "call"), field(object, "parsed"), whole, settings, field(object, "start"), free, penalty)
}

# --- weights ---------------------------------------------------------------------

check_flag <- function(value, argument) {
  if (!is_flag(value)) {
    abort("argument", paste0("`", argument, "` must be TRUE or FALSE; found ", describe(value), "."), argument = argument)
  }
}

# list(alpha, l1_ratio, l1, l2): per column of the design, in units of -2 log-likelihood.
regular_weights <- function(fit, alpha, l1_ratio, standardize) {
  if (!is_number(l1_ratio) || l1_ratio < 0 || l1_ratio > 1) {
    abort_penalty("l1_ratio", "must be a number from 0 to 1; found ", describe(l1_ratio), ".")
  }
  check_flag(standardize, "standardize")
  alpha <- column_weights(alpha, field(fit, "columns"), "alpha", names(field(fit, "fe_params")))
  if (standardize) {
    x <- whole_design(fit)$x
    centred <- sweep(x, 2L, colMeans(x))
    alpha <- alpha * sqrt(colMeans(centred^2))
  }
  list(alpha = alpha, l1_ratio = l1_ratio, l1 = alpha * l1_ratio, l2 = alpha * (1 - l1_ratio) / 2)
}

# A penalty times a number.
scaled_penalty <- function(method, alpha) {
  method <- as_penalty(method, "fixed", "method")
  if (is.function(method$weights)) {
    weights <- method$weights
    method$weights <- function(columns) column_weights(alpha, columns, "alpha") * weights(columns)
    method$label <- paste0(method$label, ", times ", shown(alpha))
    return(method)
  }
  if (length(alpha) != 1L) {
    abort_penalty("alpha", "must be one number for a penalty of functions; found ", length(alpha), ".")
  }
  func <- method$func
  deriv <- method$deriv
  method$func <- function(params) alpha * func(params)
  method$deriv <- function(params) alpha * deriv(params)
  method
}

fit_with_penalty <- function(fit, fe_pen) {
  whole <- whole_design(fit)
  fit_again_unpenalised(fit, whole, field(fit, "free"), list(fe_pen = fe_pen, cov_pen = NULL))
}

# --- the fits ----------------------------------------------------------------------

# X'V^-1X / sigma^2 and the estimates of the coefficients that are estimated, from a fit without penalty.
coefficient_quadratic <- function(fit) {
  cov <- as.matrix(field(fit, "vcov_unscaled"))
  own <- diag(cov) != 0
  list(
    a = if (any(own)) information_of(cov[own, own, drop = FALSE]) / field(fit, "scale") else matrix(0, 0L, 0L),
    centre = field(fit, "fe_params")[own], own = own
  )
}

# Coefficients (a column per column of the weights, which have a row per coefficient of `quadratic`).
shrink <- function(quadratic, l1, l2) {
  if (!length(quadratic$centre)) {
    return(matrix(0, 0L, ncol(as.matrix(l1))))
  }
  answer <- rs_shrink(as.double(quadratic$a), as.double(quadratic$centre), as.double(l1), as.double(l2))
  engine_answer(answer, NULL)$beta
}

# By how much the conditions of the minimum are missed, relative to the largest slope at zero and the weights.
kkt_gap <- function(quadratic, beta, l1, l2) {
  if (!length(beta)) {
    return(0)
  }
  slope <- drop(2 * quadratic$a %*% (beta - quadratic$centre)) + 2 * l2 * beta
  missed <- ifelse(beta == 0, pmax(0, abs(slope) - l1), abs(slope + l1 * sign(beta)))
  max(missed / pmax(l1, abs(drop(2 * quadratic$a %*% quadratic$centre)), .Machine$double.xmin))
}

held_regularized <- function(fit, weights) {
  quadratic <- coefficient_quadratic(fit)
  at <- names(quadratic$centre)
  l1 <- weights$l1[at]
  l2 <- weights$l2[at]
  beta <- drop(shrink(quadratic, l1, l2))
  fe <- field(fit, "fe_params")
  fe[quadratic$own] <- beta
  out <- at_fixed_effects(fit, fe, quadratic)
  away <- beta - quadratic$centre
  objective <- field(fit, "pwrss") / field(fit, "scale") + sum(away * (quadratic$a %*% away)) +
    sum(l1 * abs(beta)) + sum(l2 * beta^2)
  as_regularized(out, weights, "held", objective, kkt_gap(quadratic, beta, l1, l2))
}

# A fit with other fixed effects, its relative covariances held: random effects, fitted values, scale and criterion follow.
at_fixed_effects <- function(fit, fe, quadratic) {
  whole <- whole_design(fit)
  beta <- stats::setNames(rep(0, length(field(fit, "columns"))), field(fit, "columns"))
  beta[names(fe)] <- fe
  whole$held <- unname(beta)
  design <- if (length(beta)) drop_held(whole) else whole
  free <- lapply(field(fit, "random"), function(term) rep(FALSE, packed_length(term)))
  options <- engine_options(FALSE, "newton", field(fit, "control"), packed_theta(fit))
  raw <- engine_answer(rs_fit(engine_problem(design, free), options), design)
  away <- fe[quadratic$own] - quadratic$centre
  n <- field(fit, "denominator")
  r <- field(fit, "pwrss") + sum(away * (quadratic$a %*% away)) * field(fit, "scale")
  fit$criterion <- field(fit, "criterion") + n * log(r / field(fit, "pwrss"))
  ratio <- r / n / field(fit, "scale")
  fit$fe_params <- fe
  fit$pwrss <- r
  fit$scale <- r / n
  fit$cov_re <- field(fit, "cov_re") * ratio
  fit$vcomp <- field(fit, "vcomp") * ratio
  fit$b <- raw$b
  fit$fitted <- raw$fitted
  fit
}

joint_regularized <- function(fit, weights) {
  whole <- whole_design(fit)
  penalty <- list(fe_pen = NULL, cov_pen = NULL, l1 = weights$l1, l2 = weights$l2)
  out <- suppress_rank(fit_again_unpenalised(fit, whole, field(fit, "free"), penalty))
  value <- field(out, "penalty")$value
  slope <- joint_slopes(out)
  own <- names(slope)
  l1 <- weights$l1[own]
  beta <- field(out, "fe_params")[own]
  slope <- slope + 2 * weights$l2[own] * beta
  missed <- ifelse(beta == 0, pmax(0, abs(slope) - l1), abs(slope + l1 * sign(beta)))
  # without a weight, relative to the slope one standard error away
  curvature <- 2 * diag(coefficient_quadratic(fit)$a)
  gap <- if (length(own)) max(missed / pmax(l1, sqrt(curvature))) else 0
  as_regularized(out, weights, "estimated", field(out, "criterion") + 2 * value, gap)
}

suppress_rank <- function(expr) {
  withCallingHandlers(expr, mixedlm_message_rank = function(m) invokeRestart("muffleMessage"))
}

# -2 X'V^-1(y - X beta) / scale: with e = y - X beta - Zb - offset, V^-1(y - X beta) = W e.
joint_slopes <- function(fit) {
  whole <- whole_design(fit)
  e <- (field(fit, "y") - field(fit, "fitted")) * (field(fit, "weights") %||% 1)
  own <- names(field(fit, "fe_params"))[is.na(diag(as.matrix(field(fit, "vcov_unscaled"))))]
  stats::setNames(-2 * drop(crossprod(whole$x[, own, drop = FALSE], e)) / field(fit, "scale"), own)
}

as_regularized <- function(fit, weights, covariance, objective, kkt) {
  fe <- field(fit, "fe_params")
  fit$regularized <- list(
    alpha = weights$alpha, l1_ratio = weights$l1_ratio, active = names(fe)[fe != 0],
    covariance = covariance, objective = objective, kkt = kkt
  )
  # effects that are held, of variance zero, are not penalised
  own <- fe[is.na(diag(as.matrix(fit$vcov_unscaled))) | diag(as.matrix(fit$vcov_unscaled)) != 0]
  value <- sum(weights$l1[names(own)] * abs(own) + weights$l2[names(own)] * own^2) / 2
  fit$penalty <- list(fe_pen = NULL, cov_pen = NULL, value = value, fixed = TRUE)
  class(fit) <- c("mixedlm_regularized", "mixedlm")
  validate_mixedlm(if (covariance == "held") without_inference(fit) else fit)
}

#' @export
print.mixedlm_regularized <- function(x, ...) {
  NextMethod()
  cat(regularized_lines(x), sep = "\n")
  invisible(x)
}

#' @export
summary.mixedlm_regularized <- function(object, ...) {
  out <- NextMethod()
  class(out) <- c("summary.mixedlm_regularized", class(out))
  out
}

#' @export
print.summary.mixedlm_regularized <- function(x, ...) {
  NextMethod()
  cat(regularized_lines(x$fit), sep = "\n")
  invisible(x)
}

regularized_lines <- function(fit) {
  info <- field(fit, "regularized")
  alpha <- unique(info$alpha)
  strwrap(c(
    paste0(
      if (info$l1_ratio == 1) "L1 penalty" else paste0("Elastic net (l1_ratio ", shown(info$l1_ratio), ")"),
      " on the fixed effects, alpha ", if (length(alpha) == 1L) shown(alpha) else paste("from", shown(min(alpha)), "to", shown(max(alpha))),
      "; ", length(info$active), " of ", length(field(fit, "fe_params")), " coefficients are not zero."
    ),
    if (info$covariance == "held") {
      "Relative covariances are held at the estimates of the fit without penalty; the verdict is about that."
    } else {
      "Covariances were estimated together with the coefficients; the verdict is about the penalised criterion."
    },
    "Penalised fixed effects have no standard errors."
  ), width = 79L, exdent = 2L)
}

#' @export
update.mixedlm_regularized <- function(object, ...) {
  abort("penalty", paste0(
    "update() would lose the penalty of fit_regularized(): update the fit that it was made from, and ",
    "call fit_regularized() again."
  ))
}
