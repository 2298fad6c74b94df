# What is made of the estimates without rows: distances, standardised changes,
# changes of precision and of variance components.

#' Measures of influence
#'
#' How much the estimates of a fit change without some of its rows, summarised for every deletion.
#'
#' @param model,x (`influence.mixedlm`) an answer of [influence.mixedlm()]; or, but for `print()`
#'   and `as.data.frame()`, a fit, for which [influence.mixedlm()] is called first.
#' @param groups for a fit: see [influence.mixedlm()]; `NULL` for each row alone.
#' @param which (`character(1)`) the change of the `"fixed"` effects or of the residual variance and the (co)variances of the
#'   random effects (`"var.cov"`).
#' @param scale (`character(1)`) `"lme4"`: multiplied by \eqn{(m - p)/m}, m the number of deletions, as lme4 does;
#'   `"classical"`: not.
#' @param row.names,optional as for [as.data.frame()].
#' @param digits (`integer(1)`) significant digits.
#' @param ... for a fit: other arguments of [influence.mixedlm()]; else not used.
#'
#' @details
#' With \eqn{\hat\beta}{b} and C the estimates of the p fixed effects and their covariance, \eqn{\hat\beta_{(i)}}{b(i)} and
#' \eqn{C_{(i)}}{C(i)} those without deletion i, \eqn{d = \hat\beta_{(i)} - \hat\beta}{d = b(i) - b}:
#'
#' | function | value |
#' |---|---|
#' | `dfbeta()` | d, as lme4: without less with |
#' | `dfbetas()` | d divided by the standard errors without the rows, the roots of the diagonal of \eqn{C_{(i)}}{C(i)} |
#' | `cooks.distance()` | \eqn{d'C^{-1}d/p}{d'C^-1 d / p}, see `scale` |
#' | `mdffits()` | \eqn{d'C_{(i)}^{-1}d/p}{d'C(i)^-1 d / p} |
#' | `covratio()` | \eqn{\det C_{(i)} / \det C}{det C(i) / det C} |
#' | `covtrace()` | \eqn{|tr(C^{-1}C_{(i)}) - p|}{|tr(C^-1 C(i)) - p|} |
#' | `rvc()` | relative change of the residual variance and of every (co)variance of the random effects, \eqn{v_{(i)}/v - 1}{v(i) / v - 1} |
#'
#' Values are `NA` where a deletion leaves some fixed effect, or the whole model, undetermined. Fixed effects that `free` holds
#' are no part of the sums. A variance that is zero with all rows has the relative change `NaN` where it stays zero.
#'
#' The distances of `cooks.distance(fit)` without `groups` are others: see [hatvalues.mixedlm()].
#'
#' @return Numeric vectors with one value for each deletion, named by it; matrices with a row for each deletion for `dfbeta()`,
#'   `dfbetas()` and `rvc()`. `as.data.frame()`: a data frame with a row for each deletion: `deleted`, `size` (rows),
#'   `cooks.distance`, `mdffits`, `covratio`, `covtrace`, `dfbetas.*`, `rvc.*`, `converged`.
#' @section Errors: those of [influence.mixedlm()]; `mixedlm_error_argument` for measures of an answer that holds leverages only.
#' @references
#' Belsley DA, Kuh E, Welsch RE (1980). *Regression Diagnostics*. Wiley.
#'
#' Christensen R, Pearson LM, Johnson W (1992). Case-deletion diagnostics for mixed models. *Technometrics* **34**, 38-45.
#'
#' Demidenko E, Stukel TA (2005). Influence analysis for linear mixed-effects models. *Statistics in Medicine* **24**, 893-909.
#'
#' Loy A, Hofmann H (2014). HLMdiag: a suite of diagnostics for hierarchical linear models in R. *Journal of Statistical
#' Software* **56**(5), 1-28.
#' @seealso [influence.mixedlm()], [plot.influence.mixedlm()]
#' @name influence-measures
#' @examples
#' fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
#' without <- influence(fit, groups = "Pig")
#' head(sort(cooks.distance(without), decreasing = TRUE), 3)
#' head(dfbetas(without), 3)
#' range(covratio(without))
#' head(rvc(without), 3)
#' head(mdffits(without), 3)
#' head(covtrace(without), 3)
NULL

# --- on the answer of influence() ----------------------------------------------

#' @rdname influence-measures
#' @export
cooks.distance.influence.mixedlm <- function(model, scale = c("lme4", "classical"), ...) {
  no_dots(substitute(list(...)))
  scale <- choose_one(scale, c("lme4", "classical"), "scale")
  parts <- deletion_parts(model)
  d <- quadratic_forms(parts, function(i) parts$all) / parts$p
  if (scale == "classical") {
    return(d)
  }
  m <- length(d)
  if (m <= parts$p) {
    warn("influence", paste0(
      "With ", m, " deletions and ", parts$p, " fixed effects lme4's factor (m - p) / m is not ",
      "positive: the distances are NaN. Use scale = \"classical\"."
    ))
    return(d * NaN)
  }
  d * (m - parts$p) / m
}

#' @rdname influence-measures
#' @importFrom stats dfbeta
#' @export
dfbeta.influence.mixedlm <- function(model, which = c("fixed", "var.cov"), ...) {
  no_dots(substitute(list(...)))
  which <- choose_one(which, c("fixed", "var.cov"), "which")
  name <- if (which == "fixed") "fixed.effects" else "var.cov.comps"
  without <- without_part(model, name)
  without - rep(model[[name]], each = nrow(without))
}

#' @rdname influence-measures
#' @importFrom stats dfbetas
#' @export
dfbetas.influence.mixedlm <- function(model, ...) {
  no_dots(substitute(list(...)))
  d <- dfbeta(model)
  se <- vapply(without_part(model, "vcov"), function(v) sqrt(diag(v)), numeric(ncol(d)))
  finite_or_nan(d / matrix(se, nrow(d), ncol(d), byrow = TRUE))
}

#' @rdname influence-measures
#' @export
covratio.influence.mixedlm <- function(model, ...) {
  no_dots(substitute(list(...)))
  parts <- deletion_parts(model)
  each_deletion(parts, function(v) exp(log_det(v) - log_det(parts$all)))
}

#' @rdname influence-measures
#' @export
covtrace.influence.mixedlm <- function(model, ...) {
  no_dots(substitute(list(...)))
  parts <- deletion_parts(model)
  each_deletion(parts, function(v) {
    tryCatch(abs(sum(diag(solve_scaled_rows(parts$all, v))) - parts$p), error = function(e) NA_real_)
  })
}

#' @rdname influence-measures
#' @export
mdffits.influence.mixedlm <- function(model, ...) {
  no_dots(substitute(list(...)))
  parts <- deletion_parts(model)
  quadratic_forms(parts, function(i) parts$without[[i]]) / parts$p
}

#' @rdname influence-measures
#' @export
rvc.influence.mixedlm <- function(model, ...) {
  no_dots(substitute(list(...)))
  without <- without_part(model, "var.cov.comps")
  without / rep(model[["var.cov.comps"]], each = nrow(without)) - 1
}

# --- generics --------------------------------------------------------------------

#' @rdname influence-measures
#' @export
covratio <- function(model, ...) UseMethod("covratio")

#' @export
covratio.default <- function(model, ...) stats::covratio(model, ...)

#' @rdname influence-measures
#' @export
covtrace <- function(model, ...) UseMethod("covtrace")

#' @export
covtrace.default <- function(model, ...) hand_over("HLMdiag", "covtrace", model, ...)

#' @rdname influence-measures
#' @export
mdffits <- function(model, ...) UseMethod("mdffits")

#' @export
mdffits.default <- function(model, ...) hand_over("HLMdiag", "mdffits", model, ...)

#' @rdname influence-measures
#' @export
rvc <- function(model, ...) UseMethod("rvc")

#' @export
rvc.default <- function(model, ...) hand_over("HLMdiag", "rvc", model, ...)

# --- on a fit ----------------------------------------------------------------------

#' @rdname influence-measures
#' @export
dfbeta.mixedlm <- function(model, groups = NULL, which = c("fixed", "var.cov"), ...) {
  dfbeta(influence(model, groups = groups, ...), which = which)
}

#' @rdname influence-measures
#' @export
dfbetas.mixedlm <- function(model, groups = NULL, ...) {
  dfbetas(influence(model, groups = groups, ...))
}

#' @rdname influence-measures
#' @export
covratio.mixedlm <- function(model, groups = NULL, ...) {
  covratio(influence(model, groups = groups, ...))
}

#' @rdname influence-measures
#' @export
covtrace.mixedlm <- function(model, groups = NULL, ...) {
  covtrace(influence(model, groups = groups, ...))
}

#' @rdname influence-measures
#' @export
mdffits.mixedlm <- function(model, groups = NULL, ...) {
  mdffits(influence(model, groups = groups, ...))
}

#' @rdname influence-measures
#' @export
rvc.mixedlm <- function(model, groups = NULL, ...) {
  rvc(influence(model, groups = groups, ...))
}

# --- all together ------------------------------------------------------------------

#' @rdname influence-measures
#' @export
as.data.frame.influence.mixedlm <- function(x, row.names = NULL, optional = FALSE, ...) {
  no_dots(substitute(list(...)))
  check_has_deletions(x)
  prefixed <- function(m, prefix) {
    colnames(m) <- paste0(prefix, ".", colnames(m), recycle0 = TRUE)
    m
  }
  out <- data.frame(
    deleted = x$deleted, size = unname(x$sizes),
    cooks.distance = unname(suppressWarnings(cooks.distance(x))), mdffits = unname(mdffits(x)),
    covratio = unname(covratio(x)), covtrace = unname(covtrace(x)),
    prefixed(dfbetas(x), "dfbetas"), prefixed(rvc(x), "rvc"),
    converged = unname(x$converged), check.names = FALSE
  )
  if (!is.null(row.names) && !(is.atomic(row.names) && length(row.names) == nrow(out) && !anyDuplicated(row.names))) {
    abort("argument", paste0(
      "`row.names` must be ", nrow(out), " different names; found ", describe(row.names), "."
    ), argument = "row.names")
  }
  row.names(out) <- row.names
  out
}

#' @rdname influence-measures
#' @export
print.influence.mixedlm <- function(x, digits = max(3L, getOption("digits") - 3L), ...) {
  check_digits(digits)
  if (!is.null(x$hat)) {
    cat("Leverages of", length(x$hat), "rows\n")
    print(utils::head(x$hat), digits = digits)
    return(invisible(x))
  }
  what <- if (identical(x$groups, "case")) "rows" else paste0("levels of ", x$groups)
  cat(length(x$deleted), " deletions (", what, "), method \"", x$method, "\"\n", sep = "")
  bad <- sum(!x$converged)
  if (bad) {
    cat(bad, "without an estimate\n")
  }
  d <- suppressWarnings(cooks.distance(x, scale = "classical"))
  top <- utils::head(order(d, decreasing = TRUE), 5L)
  table <- cbind(`Cook's distance` = d, COVRATIO = covratio(x), dfbetas(x))[top, , drop = FALSE]
  cat("The most influential (classical scale; then DFBETAS):\n")
  print(table, digits = digits)
  invisible(x)
}

# --- parts -------------------------------------------------------------------------

no_dots <- function(dots) {
  if (length(dots) > 1L) {
    check_no_dots(as.list(dots)[-1L], c("which", "scale", "digits"))
  }
}

check_has_deletions <- function(x) {
  if (is.null(x[["fixed.effects"]])) {
    abort("argument", paste0(
      "This answer of influence() holds leverages only (do.coef = FALSE); there are no estimates ",
      "without rows in it."
    ), argument = "model")
  }
}

# The part that belongs to `name`, of the deletions.
without_part <- function(x, name) {
  check_has_deletions(x)
  x[[paste0(name, "[-", x$groups, "]")]]
}

# Changes of the estimated fixed effects, a row each, and covariances with and
# without: `ok` says which deletions have all of them.
deletion_parts <- function(x) {
  d <- dfbeta(x)
  all <- x[["vcov"]]
  estimated <- diag(all) > 0
  without <- lapply(without_part(x, "vcov"), function(v) v[estimated, estimated, drop = FALSE])
  d <- d[, estimated, drop = FALSE]
  list(
    change = d, all = all[estimated, estimated, drop = FALSE], without = without,
    ok = rowSums(is.na(d)) == 0L, p = sum(estimated)
  )
}

each_deletion <- function(parts, of) {
  out <- rep(NA_real_, length(parts$without))
  out[parts$ok] <- vapply(parts$without[parts$ok], of, 0)
  stats::setNames(out, rownames(parts$change))
}

# d'C^-1 d for the covariance that `of` gives for each deletion; NA where it is singular.
quadratic_forms <- function(parts, of) {
  out <- rep(NA_real_, nrow(parts$change))
  for (i in base::which(parts$ok)) {
    d <- parts$change[i, ]
    out[i] <- tryCatch(sum(d * solve_scaled_rows(of(i), d)), error = function(e) NA_real_)
  }
  stats::setNames(out, rownames(parts$change))
}

log_det <- function(a) {
  if (!length(a)) {
    return(0)
  }
  as.numeric(determinant(a)$modulus)
}
