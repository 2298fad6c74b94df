# Quantiles of residuals and of random effects beside those of the normal
# distribution.

#' Quantile-quantile data
#'
#' Ordered residuals, or ordered random effects, beside the quantiles of the normal distribution, with pointwise bands.
#'
#' @param fit (`mixedlm`) a fit.
#' @param what (`character(1)`) `"residuals"` or `"ranef"`.
#' @param type (`character(1)`) for residuals: which, see [residuals.mixedlm()].
#' @param level (`numeric(1)`) probability of the bands at each point, between 0 and 1.
#' @param ... not used.
#'
#' @details
#' Values are standardised to variance one before they are ordered: residuals that are not free of units are divided by
#' their root mean square; a random effect is divided by the standard deviation that its predicted value has in the model,
#' \eqn{\sqrt{\sigma^2\psi - c}}{sqrt(sigma^2 psi - c)} with c its conditional variance, so that levels with few
#' observations, which are shrunk more, can stand beside the others.
#'
#' The i-th smallest of n independent standard normal values is \eqn{\Phi^{-1}}{the normal quantile} of a Beta(i, n + 1 - i) variable,
#' whose quantiles give the bands: exact at each point for independent values, without simulation. Theoretical quantiles are
#' those of [stats::ppoints()]. Residuals of a mixed model are independent only nearly, and best so for `"cholesky"`.
#'
#' Random effects with a variance of zero have no standardised values and are left out.
#'
#' @return A data frame, ordered by `theoretical` within each part: `what`, `group` and `effect` (for random effects, else `NA`), `label` (row or level), `value` (as
#'   it is in the fit), `standardized`, `theoretical`, `lower`, `upper` (bands for `standardized`).
#' @section Errors: `mixedlm_error_argument`.
#' @references
#' Fox J (2016). *Applied Regression Analysis and Generalized Linear Models*, 3rd edition, sec. 3.1. Sage.
#'
#' Lange N, Ryan L (1989). Assessing normality in random effects models. *Annals of Statistics* **17**, 624-642.
#' @export
#' @seealso [residuals.mixedlm()], [plot.mixedlm()]
#' @examples
#' fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig", re_formula = ~ Time)
#' q <- qq_data(fit)
#' plot(standardized ~ theoretical, q, pch = 20)
#' matlines(q$theoretical, q[c("lower", "upper")], lty = 2, col = 1)
#' head(qq_data(fit, "ranef"))
qq_data <- function(fit, what = c("residuals", "ranef"), type = "standardized",
                    level = 0.95, ...) {
  if (!inherits(fit, "mixedlm")) {
    abort("object", paste0("`fit` must be a fit of mixedlm(), not ", describe(fit), "."),
      argument = "fit"
    )
  }
  if (...length()) {
    check_no_dots(substitute(list(...))[-1L], names(formals(qq_data)))
  }
  what <- choose_one(what, c("residuals", "ranef"), "what")
  type <- choose_one(type, names(residual_types), "type")
  if (!is_number(level) || level <= 0 || level >= 1) {
    abort("argument", paste0(
      "`level` must be a number between 0 and 1, not ", describe(level), "."
    ), argument = "level")
  }
  if (what == "residuals") qq_residuals(fit, type, level) else qq_effects(fit, level)
}

qq_residuals <- function(fit, type, level) {
  value <- residual_types[[type]](fit)
  unit <- if (type %in% residual_types_in_units) sqrt(mean(value^2)) else 1
  qq_part("residuals", NA_character_, NA_character_, row.names(field(fit, "frame")),
    value, value / unit, level
  )
}

qq_effects <- function(fit, level) {
  random <- field(fit, "random")
  variances <- engine_condvar(fit)
  parts <- lapply(term_order(fit), function(k) {
    term <- random[[k]]
    levels <- field(fit, "factors")[[term$factor]]$levels
    prior <- diag(as.matrix(field(fit, "psi")[[k]])) * field(fit, "scale")
    lapply(seq_along(term$columns), function(j) {
      b <- field(fit, "b")[[k]][j, ]
      left <- prior[j] - variances[[k]][j, j, ]
      left[left <= 1e-10 * prior[j]] <- NA
      qq_part("ranef", term$group, term$columns[j], as.character(levels), b, b / sqrt(left), level)
    })
  })
  do.call(rbind, unlist(parts, recursive = FALSE))
}

qq_part <- function(what, group, effect, label, value, standardized, level) {
  at <- order(standardized, na.last = NA)
  n <- length(at)
  i <- seq_len(n)
  band <- function(p) stats::qnorm(stats::qbeta(p, i, n + 1 - i))
  data.frame(
    what = rep(what, n), group = rep(group, n), effect = rep(effect, n), label = label[at],
    value = unname(value)[at], standardized = unname(standardized)[at],
    theoretical = stats::qnorm(stats::ppoints(n)),
    lower = band((1 - level) / 2), upper = band((1 + level) / 2)
  )
}
