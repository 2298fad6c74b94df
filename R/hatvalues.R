# Leverage of the rows of a fit, and what standardised residuals and Cook's
# distances make of it.

#' Leverages, standardised residuals and Cook's distances by observation
#'
#' `hatvalues()` tells how strongly every fitted value follows its own response;
#' `rstandard()` and `rstudent()` divide residuals by what they can be expected to be;
#' `cooks.distance()` combines both.
#'
#' @param model (`mixedlm`) a fit.
#' @param fullHatMatrix (`logical(1)`) whether the whole matrix is wanted, dense, over
#'   the rows used. More than 4 GB are taken only where `max_memory` of [mixedlm_control()] allows.
#' @param groups for `cooks.distance()`: `NULL` for the formula below, or what
#'   [influence.mixedlm()] takes as `groups`: then the distances by group are those of
#'   `influence(model, groups, ...)`.
#' @param ... for `cooks.distance()` with `groups`: other arguments of
#'   [influence.mixedlm()], and `scale`, see [influence-measures]; else not used.
#'
#' @details
#' Fitted values \eqn{x'\hat\beta + z'\hat b}{x'beta + z'b} are linear in the response when the
#' variance parameters are held. Leverages `h` are the diagonal of that map, which in
#' terms of [prediction_se()] and the prior weights w is
#' `w * prediction_se(model)^2 / sigma(model)^2`; the full matrix is that for the weighted response,
#' \eqn{W^{1/2} H W^{-1/2}}{W^(1/2) H W^(-1/2)}, which is symmetric and has the same
#' diagonal (Bates and others 2015, sec. 4; Demidenko and Stukel 2005).
#'
#' With `e` the Pearson residuals:
#'
#' - `rstandard()` and `rstudent()` are both \eqn{e / (\sigma\sqrt{1 - h})}{e / (sigma sqrt(1 - h))},
#'   which has variance one: the name `rstudent` is for users of lme4, whose function of
#'   that name gives these (internally studentised) values. Residuals that are divided by a sigma to which the row itself did
#'   not contribute are `residuals(model, "studentized")`.
#' - `cooks.distance()` is \eqn{e^2 h / (\sigma^2 (1 - h)^2 p)}{e^2 h / (sigma^2 (1 - h)^2 p)} with p the
#'   number of fixed effects, which measures the change of the fitted values, random effects
#'   included. That of the fixed effects alone is in `cooks.distance(influence(model))`.
#'
#' @return A numeric vector, one value per row used, named by the rows of the data; with
#'   `na.action = na.exclude` padded with `NA`. For `fullHatMatrix = TRUE` a matrix.
#' @section Errors: `mixedlm_error_penalty` where the fixed effects are penalised; `mixedlm_error_memory` when the matrix, or the effects of the
#'   rows, need more memory than they may take.
#' @references
#' Bates D, Maechler M, Bolker B, Walker S (2015). Fitting linear mixed-effects models
#' using lme4. *Journal of Statistical Software* **67**(1), 1-48.
#'
#' Demidenko E, Stukel TA (2005). Influence analysis for linear mixed-effects models.
#' *Statistics in Medicine* **24**, 893-909.
#' @name hatvalues.mixedlm
#' @seealso [residuals.mixedlm()], [influence.mixedlm()]
#' @examples
#' fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig", re_formula = ~ Time)
#' head(hatvalues(fit))
#' head(sort(cooks.distance(fit), decreasing = TRUE))
#' head(sort(cooks.distance(fit, groups = "Pig"), decreasing = TRUE))
NULL

#' @rdname hatvalues.mixedlm
#' @importFrom stats hatvalues
#' @export
hatvalues.mixedlm <- function(model, fullHatMatrix = FALSE, ...) {
  if (...length()) {
    check_no_dots(substitute(list(...))[-1L], names(formals(hatvalues.mixedlm)))
  }
  check_switch(fullHatMatrix, "fullHatMatrix")
  refuse_penalised(model, "A leverage", fixed_only = TRUE)
  if (fullHatMatrix) {
    return(hat_matrix(model))
  }
  by_row(model, leverages(model), stats::napredict)
}

#' @rdname hatvalues.mixedlm
#' @importFrom stats rstandard
#' @export
rstandard.mixedlm <- function(model, ...) {
  if (...length()) {
    check_no_dots(substitute(list(...))[-1L], names(formals(rstandard.mixedlm)))
  }
  stats::residuals(model, "standardized")
}

#' @rdname hatvalues.mixedlm
#' @importFrom stats rstudent
#' @export
rstudent.mixedlm <- function(model, ...) {
  if (...length()) {
    check_no_dots(substitute(list(...))[-1L], names(formals(rstudent.mixedlm)))
  }
  stats::residuals(model, "standardized")
}

#' @rdname hatvalues.mixedlm
#' @importFrom stats cooks.distance
#' @export
cooks.distance.mixedlm <- function(model, groups = NULL, ...) {
  if (!is.null(groups)) {
    return(group_distances(model, groups, ...))
  }
  if (...length()) {
    check_no_dots(substitute(list(...))[-1L], names(formals(cooks.distance.mixedlm)))
  }
  h <- leverages(model)
  e <- pearson_residuals(model) / (sigma(model) * (1 - h))
  by_row(model, finite_or_nan(e^2 * h / n_fixed(model)), stats::naresid)
}

group_distances <- function(model, groups, scale = c("lme4", "classical"), ...) {
  cooks.distance(influence(model, groups = groups, ...), scale = scale)
}

check_switch <- function(value, argument) {
  if (!is_flag(value)) {
    abort("argument", paste0(
      "`", argument, "` must be TRUE or FALSE, not ", describe(value), "."
    ), argument = argument)
  }
}

# Rows used, without names.
leverages <- function(fit) {
  h <- weights_or_one(fit) * engine_prediction(fit)$both^2
  if (!all(is.finite(h) & h < 1 + 1e-6)) {
    abort("numerical", paste0(
      "The leverages cannot be told in double precision: the estimated variances of the random effects are too large ",
      "beside that of the residuals, or their columns differ too much in size."
    ))
  }
  pmin(h, 1)
}

weights_or_one <- function(fit) field(fit, "weights") %||% 1

pearson_residuals <- function(fit) {
  (field(fit, "y") - field(fit, "fitted")) * sqrt(weights_or_one(fit))
}

standardized_residuals <- function(fit) {
  finite_or_nan(pearson_residuals(fit) / (sigma(fit) * sqrt(1 - leverages(fit))))
}

finite_or_nan <- function(x) {
  x[is.infinite(x)] <- NaN
  x
}

# Fixed effects that are estimated, those that are held left out.
n_fixed <- function(fit) sum(diag(as.matrix(field(fit, "vcov_unscaled"))) != 0)

# The weighted hat matrix: with A = [W^(1/2) Z Lambda, W^(1/2) X; I, 0] = Q R the
# penalised least squares problem (Bates and others 2015, eq. 16), its upper
# block of Q times that block's transpose.
hat_matrix <- function(fit) {
  whole <- whole_design(fit)
  design <- engine_design(whole)
  n <- nrow(design$x)
  q <- sum(vapply(field(fit, "random"), function(t) t$n_levels * length(t$columns), 0))
  bytes <- 8 * (n^2 + 3 * (n + q) * (q + ncol(design$x)))
  limit <- field(fit, "control")$max_memory %||% 4e9
  if (bytes > min(limit, 2^36)) {
    abort("memory", sprintf(
      "The hat matrix of %d rows and %.0f random effects would take %.1f GB; see `max_memory` in mixedlm_control().",
      n, q, bytes / 2^30
    ), argument = "fullHatMatrix")
  }
  root <- sqrt(weights_or_one(fit))
  kept <- colnames(design$x) %in% names(field(fit, "fe_params"))
  z <- as.matrix(getME(fit, "Z") %*% getME(fit, "Lambda")) * root
  a <- rbind(
    cbind(z, design$x[, kept, drop = FALSE] * root),
    cbind(diag(1, ncol(z)), matrix(0, ncol(z), sum(kept)))
  )
  upper <- qr.Q(qr(a))[seq_len(n), , drop = FALSE]
  names <- row.names(field(fit, "frame"))
  structure(tcrossprod(upper), dimnames = list(names, names))
}
