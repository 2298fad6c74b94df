# Cluster-robust covariance of the fixed effects.
#
# The core gives what every cluster i contributes, in coordinates in which
# X'V^-1X is the identity (root: from those to beta): the score s_i, and with
# G_i and Q_i of src/rust/core/src/robust the crosses G_i'Q_i and the squares
# G_i'G_i. The covariance is root (sum s_i s_i') root', times a factor; under
# the working model cov(s_i, s_j) / sigma^2 is
# 1{i = j} G_i'G_i - G_i'Q_i Q_j'G_j, from which all degrees of freedom follow.

#' Cluster-robust covariance
#'
#' `vcov(fit, type = "CR2")` estimates the covariance of the fixed effects from
#' the residuals of independent clusters: it stays valid where the variances and
#' covariances that the model assumes are wrong.
#'
#' @section Types:
#' With \eqn{V_i} the model's covariance of the rows of cluster \eqn{i},
#' \eqn{M = (\sum X_i'V_i^{-1}X_i)^{-1}}{M = (sum X_i'V_i^-1 X_i)^-1} and residuals
#' \eqn{e_i = y_i - X_i\hat\beta}{e_i = y_i - X_i beta}, the estimate is
#' \eqn{c M \sum X_i'V_i^{-1} A_i e_i e_i' A_i V_i^{-1} X_i M}{c M (sum X_i'V_i^-1 A_i e_i e_i'A_i V_i^-1 X_i) M},
#' for \eqn{m} clusters, \eqn{N} rows and \eqn{p} fixed effects:
#'
#' | type | \eqn{A_i} | \eqn{c} |
#' |---|---|---|
#' | `"CR0"` | identity | 1 |
#' | `"CR1"` | identity | \eqn{m / (m - 1)} |
#' | `"CR1p"` | identity | \eqn{m / (m - p)} |
#' | `"CR1S"` | identity | \eqn{m (N - 1) / ((m - 1)(N - p))} |
#' | `"CR2"` | makes the estimate unbiased if the model is right | 1 |
#' | `"CR3"` | \eqn{(I - X_i M X_i'V_i^{-1})^{-1}}{(I - X_i M X_i'V_i^-1)^-1}, close to the jackknife | 1 |
#'
#' `"CR2"` (bias-reduced linearisation) takes \eqn{V_i} of the fit as its working
#' model: \eqn{A_i = D_i'B_i^{-1/2}D_i}{A_i = D_i' B_i^(-1/2) D_i} with
#' \eqn{V_i = D_i'D_i} and \eqn{B_i = D_i(V_i - X_iMX_i')D_i'}. Where a cluster
#' alone determines a coefficient, roots and inverses leave that direction out.
#' The types agree with those of the package clubSandwich.
#'
#' @section Clusters:
#' By default the levels of the outermost grouping factor, in which all others
#' must be nested. `cluster` names others: a column (a string or a one-sided
#' formula, looked up in the data of the fit), or a vector with one value for each
#' row of the data or of the rows that were used. Every grouping factor of the
#' model must be nested in the clusters. Models with crossed factors have robust
#' covariances only for clusters that hold whole levels of all of them.
#'
#' @section Tests:
#' For one row \eqn{l'\beta}{l'beta} the t-test has Satterthwaite's degrees of
#' freedom, \eqn{2 E^2 / Var} of the estimated variance under the working model
#' (Bell and McCaffrey 2002). For q rows the test is the approximate Hotelling
#' \eqn{T^2} of Tipton and Pustejovsky (2015): with Wald statistic Q and
#' \eqn{\eta} degrees of freedom of the estimated covariance,
#' \eqn{F = (\eta - q + 1) Q / (\eta q)} on \eqn{q} and \eqn{\eta - q + 1}
#' degrees of freedom. Where \eqn{\eta - q + 1} is not positive there are too few
#' clusters for such a test, and the p-value is `NA`. So it is for coefficients of
#' which whole clusters leave no residuals, as with a fixed effect for each cluster.
#'
#' @section Cost:
#' Each cluster is rotated to as many rows as it has random effects and fixed
#' effects, so that large clusters are cheap. For CR2 with weights this is done among
#' rows of equal weight only: a cluster of many different weights takes time with
#' the cube of their number, and memory with its square.
#'
#' @section Errors: `mixedlm_error_robust` when there are no independent clusters,
#'   fewer than two, or `cluster` cannot be used.
#'
#' @references
#' Bell RM, McCaffrey DF (2002). Bias reduction in standard errors for linear
#' regression with multi-stage samples. *Survey Methodology* **28**, 169-181.
#'
#' Pustejovsky JE, Tipton E (2018). Small-sample methods for cluster-robust
#' variance estimation and hypothesis testing in fixed effects models. *Journal of
#' Business & Economic Statistics* **36**, 672-683.
#'
#' Tipton E, Pustejovsky JE (2015). Small-sample adjustments for tests of
#' moderators and model fit using robust variance estimation in meta-regression.
#' *Journal of Educational and Behavioral Statistics* **40**, 604-634.
#' @name mixedlm-robust
#' @seealso [vcov.mixedlm()]
#' @examples
#' fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig", re_formula = ~ Time)
#' sqrt(diag(vcov(fit)))
#' sqrt(diag(vcov(fit, type = "CR2")))
NULL

# Adjustment in the core, and the factor of the covariance.
robust_types <- list(
  CR0 = list(adjustment = "none", factor = function(m, n, p) 1),
  CR1 = list(adjustment = "none", factor = function(m, n, p) m / (m - 1)),
  CR1p = list(adjustment = "none", factor = function(m, n, p) m / (m - p)),
  CR1S = list(adjustment = "none", factor = function(m, n, p) {
    m * (n - 1) / ((m - 1) * (n - p))
  }),
  CR2 = list(adjustment = "bias_reduced", factor = function(m, n, p) 1),
  CR3 = list(adjustment = "jackknife", factor = function(m, n, p) 1)
)

covariance_types <- c("model", names(robust_types))

# p x p, over all fixed effects of the fit; those that are held have variance 0.
robust_cov <- function(fit, type, cluster = NULL) {
  robust_parts(fit, type, cluster, moments = FALSE)$vcov
}

# What the clusters contribute: list(vcov, map, clusters, crosses, squares), the
# last two as by_cluster() makes them. A contrast l of the fixed effects is
# t(map) %*% l in the core's coordinates.
robust_parts <- function(fit, type, cluster = NULL, moments = TRUE) {
  spec <- robust_types[[choose_one(type, names(robust_types), "type")]]
  design <- design_of(fit, "A robust covariance", "fixed")
  codes <- robust_clusters(fit, design, cluster)
  names <- names(field(fit, "fe_params"))
  columns <- estimated_columns(fit, design)
  p <- length(columns$design)
  m <- length(codes$levels)
  map <- matrix(0, length(names), p)
  answer <- if (p) robust_answer(fit, design, columns, codes, spec$adjustment, moments)
  factor <- spec$factor(m, length(design$y), p)
  if (!is.finite(factor) || factor < 0) {
    abort("robust", sprintf(
      "type = \"%s\" needs more clusters than fixed effects; there are %d and %d.", type, m, p
    ), argument = "type")
  }
  if (p) {
    map[columns$fit, ] <- answer$root
  }
  scale <- field(fit, "scale")
  meat <- if (p) tcrossprod(map %*% answer$scores) else matrix(0, length(names), length(names))
  list(
    vcov = structure(factor * scale * meat, dimnames = list(names, names)),
    map = map, clusters = m,
    crosses = by_cluster(answer$crosses), squares = by_cluster(answer$squares)
  )
}

# p x p x m -> (p m) x p: times l, what l'A_i is for every cluster.
by_cluster <- function(a) {
  d <- dim(a)
  if (is.null(d)) NULL else matrix(aperm(a, c(2L, 3L, 1L)), d[2L] * d[3L], d[1L])
}

# The fixed effects that are estimated, neither aliased nor held: their places
# in the engine's design and among the fixed effects of the fit.
estimated_columns <- function(fit, design) {
  columns <- field(fit, "columns")
  if (!is.null(design$held)) {
    columns <- columns[is.na(design$held)]
  }
  kept <- which(!columns %in% field(fit, "aliased"))
  list(design = kept, fit = match(columns[kept], names(field(fit, "fe_params"))))
}

# The core's answer for residuals in units of sigma. The clusters are one more
# factor, the last one, without a term.
robust_answer <- function(fit, design, columns, clusters, adjustment, moments) {
  kept <- columns$design
  beta <- field(fit, "fe_params")[columns$fit]
  design$factors <- c(design$factors, list(clusters))
  design$terms <- lapply(design$terms, own_columns, x = design$x, kept = kept)
  x <- design$x[, kept, drop = FALSE]
  residual <- design$y - as.vector(x %*% beta)
  if (!is.null(design$offset)) {
    residual <- residual - design$offset
  }
  design["offset"] <- list(NULL)
  design$x <- x
  design$y <- residual / sqrt(field(fit, "scale"))
  engine_robust(fit, design, adjustment, moments)
}

# A term whose columns do not refer to columns of X that are left out.
own_columns <- function(term, x, kept) {
  if (is.null(term$x_columns) || length(kept) == ncol(x)) {
    return(term)
  }
  term$z <- cbind(1, x)[, term$x_columns + 1L, drop = FALSE]
  term["x_columns"] <- list(NULL)
  term
}
