# Cluster-robust covariance of the fixed effects, and tests that rest on it.
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
#' clusters for such a test, and the p-value is `NA`.
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

# vcov(type = "CR...").
robust_vcov <- function(fit, which, type, cluster) {
  if (type == "model") {
    abort("argument", paste0(
      "`cluster` belongs to a robust covariance: give `type` too, as in type = \"CR2\"."
    ), argument = "cluster")
  }
  if (which != "fixed") {
    abort("argument", paste0(
      "A robust covariance (type = \"", type, "\") is there for the fixed effects only, ",
      "not for which = \"", which, "\"."
    ), argument = "type")
  }
  robust_cov(fit, type, cluster)
}

# What the clusters contribute: list(vcov, map, clusters, crosses, squares), the
# last two as by_cluster() makes them. A contrast l of the fixed effects is
# t(map) %*% l in the core's coordinates.
robust_parts <- function(fit, type, cluster = NULL, moments = TRUE) {
  spec <- robust_types[[type]]
  design <- design_of(fit)
  codes <- robust_clusters(fit, design, cluster)
  names <- names(field(fit, "fe_params"))
  columns <- estimated_columns(fit, design)
  p <- length(columns$design)
  m <- length(codes$levels)
  map <- matrix(0, length(names), p)
  answer <- if (p) engine_robust(fit, design, columns$design, codes, spec$adjustment, moments)
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
engine_robust <- function(fit, design, kept, clusters, adjustment, moments) {
  options <- engine_options(
    field(fit, "reml"), "newton", field(fit, "control"), packed_theta(fit)
  )
  design$factors <- c(design$factors, list(clusters))
  design$terms <- lapply(design$terms, own_columns, x = design$x, kept = kept)
  x <- design$x[, kept, drop = FALSE]
  residual <- design$y - as.vector(x %*% estimated_effects(fit, design, kept))
  if (!is.null(design$offset)) {
    residual <- residual - design$offset
  }
  design["offset"] <- list(NULL)
  design$x <- x
  design$y <- residual / sqrt(field(fit, "scale"))
  problem <- engine_problem(design, lapply(design$terms, `[[`, "free"))
  engine_answer(rs_robust(problem, options, adjustment, moments), design)
}

estimated_effects <- function(fit, design, kept) {
  columns <- field(fit, "columns")
  if (!is.null(design$held)) {
    columns <- columns[is.na(design$held)]
  }
  field(fit, "fe_params")[match(columns[kept], names(field(fit, "fe_params")))]
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

# --- clusters --------------------------------------------------------------

# The clusters of the rows as a coded factor, every grouping factor nested in it.
robust_clusters <- function(fit, design, cluster) {
  used <- unique(vapply(design$terms, `[[`, 0L, "factor"))
  factors <- design$factors[used]
  coded <- if (is.null(cluster)) {
    factors[[which.min(vapply(factors, function(f) length(f$levels), 0L))]]
  } else {
    given_clusters(fit, cluster)
  }
  for (f in factors) {
    if (!is_nested(f, coded)) {
      crossed_clusters(f, coded, is.null(cluster))
    }
  }
  if (length(coded$levels) < 2L) {
    abort("robust", paste0(
      "A robust covariance needs at least two clusters; ", quote_names(coded$name),
      " has one."
    ), argument = "cluster")
  }
  coded
}

crossed_clusters <- function(factor, coded, by_default) {
  abort("robust", if (by_default) {
    paste0(
      "The rows do not fall into independent clusters: the grouping factors ",
      quote_names(factor$name), " and ", quote_names(coded$name),
      " are crossed. Give `cluster`, in which every grouping factor is nested."
    )
  } else {
    paste0(
      "The clusters are not independent in this model: the grouping factor ",
      quote_names(factor$name), " is not nested in ", quote_names(coded$name),
      ", so that rows of different clusters share its random effects."
    )
  }, argument = "cluster", factor = factor$name)
}

# `cluster` as a factor, a vector, a string or a one-sided formula.
given_clusters <- function(fit, cluster) {
  if (inherits(cluster, "formula")) {
    if (length(cluster) != 2L) {
      abort("robust", paste0(
        "`cluster` must be a one-sided formula, as in ~ school; found ",
        one_line(cluster), "."
      ), argument = "cluster")
    }
    name <- var_name(cluster[[2L]])
    value <- cluster_variable(fit, cluster[[2L]], name, environment(cluster))
  } else if (is_string(cluster) && nobs(fit) > 1L) {
    name <- cluster
    value <- cluster_variable(fit, as.name(cluster), name, NULL)
  } else {
    name <- "cluster"
    value <- cluster
  }
  if (!is.atomic(value) || is.null(value) || !is.null(dim(value)) || is.complex(value) || is.raw(value)) {
    abort("robust", paste0(
      "`cluster` must be a vector or a factor with one value for each row, the name ",
      "of a column or a one-sided formula, not ", describe(value), "."
    ), argument = "cluster")
  }
  value <- rows_of_fit(fit, value)
  if (anyNA(value)) {
    abort("robust", paste0(
      "The clusters in ", quote_names(name), " are missing for ", sum(is.na(value)),
      " of the rows that the fit uses."
    ), argument = "cluster")
  }
  coded <- code_factor(value, name)
  list(name = name, codes = coded$codes, levels = coded$levels)
}

# A variable in the frame of the fit, in its data, or where its formula was written.
cluster_variable <- function(fit, expr, name, env) {
  frame <- field(fit, "frame")
  if (name %in% names(frame)) {
    return(.subset2(frame, name))
  }
  data <- data_of_fit(fit)
  value <- tryCatch(
    eval(expr, data, env %||% environment(field(fit, "formula")) %||% globalenv()),
    error = function(e) NULL
  )
  if (is.null(value) || is.function(value)) {
    abort("robust", paste0(
      "`cluster` names ", quote_names(name), ", which is neither in the data of the ",
      "fit nor where its formula was written.",
      suggest(name, c(names(frame), if (is.list(data)) names(data)))
    ), argument = "cluster")
  }
  value
}

# What `data` was, if it still exists.
data_of_fit <- function(fit) {
  expr <- field(fit, "call")$data
  if (is.null(expr)) {
    return(NULL)
  }
  env <- environment(field(fit, "formula")) %||% globalenv()
  value <- tryCatch(eval(expr, env), error = function(e) NULL)
  if (is.list(value) || is.environment(value)) value else NULL
}

# A vector over the rows of the data, or over those of the fit, as one over those
# of the fit. Rows are known by their names, which survive `subset`, missing
# values and zero weights.
rows_of_fit <- function(fit, value) {
  frame <- field(fit, "frame")
  n <- nrow(frame)
  if (length(value) == n) {
    return(value)
  }
  data <- data_of_fit(fit)
  at <- if (is.data.frame(data) && nrow(data) == length(value)) {
    match(row.names(frame), row.names(data))
  } else {
    suppressWarnings(as.integer(row.names(frame)))
  }
  if (anyNA(at) || any(at < 1L | at > length(value)) || length(value) < n) {
    abort("robust", sprintf(
      "`cluster` must have one value for each row of the data or for each of the %d rows of the fit, not %d.",
      n, length(value)
    ), argument = "cluster")
  }
  value[at]
}

# --- tests ------------------------------------------------------------------

# Test of L beta = rhs, L with one row per hypothesis and one column per fixed
# effect. One row: a t-test with Satterthwaite's degrees of freedom (df_num is
# NA); more rows: HTZ. `parts` are those of robust_parts(), if they are at hand.
robust_test <- function(fit, L, rhs = 0, type = "CR2", cluster = NULL,
                        parts = robust_parts(fit, type, cluster)) {
  L <- contrast_rows(fit, L)
  q <- nrow(L)
  difference <- as.vector(L %*% field(fit, "fe_params"))
  v <- L %*% parts$vcov %*% t(L)
  out <- list(
    estimate = difference, se = sqrt(diag(v)), statistic = NA_real_,
    df_num = if (q > 1L) q else NA_real_, df_den = NA_real_, p.value = NA_real_, vcov = v
  )
  difference <- difference - rhs
  if (q == 1L) {
    out$statistic <- difference / out$se
    out$df_den <- robust_df(parts, L)
    out$p.value <- t_p_value(out$statistic, out$df_den)
    return(out)
  }
  eta <- hotelling_df(parts, L)
  wald <- tryCatch(sum(difference * solve_scaled(v) %*% difference), error = function(e) NA_real_)
  out$df_den <- eta - q + 1
  # exactly zero in balanced designs with as many clusters as rows
  if (isTRUE(out$df_den > 1e-6)) {
    out$statistic <- (eta - q + 1) / (eta * q) * wald
    out$p.value <- stats::pf(out$statistic, q, out$df_den, lower.tail = FALSE)
  }
  out
}

# Each row of L by itself: estimate, se, statistic, df, p.value.
robust_t_tests <- function(fit, L = diag(length(field(fit, "fe_params"))), rhs = 0,
                           type = "CR2", cluster = NULL,
                           parts = robust_parts(fit, type, cluster)) {
  L <- contrast_rows(fit, L)
  estimate <- as.vector(L %*% field(fit, "fe_params"))
  se <- sqrt(rowSums((L %*% parts$vcov) * L))
  df <- vapply(seq_len(nrow(L)), function(i) robust_df(parts, L[i, , drop = FALSE]), 0)
  statistic <- (estimate - rhs) / se
  data.frame(
    estimate = estimate, se = se, statistic = statistic, df = df,
    p.value = t_p_value(statistic, df), row.names = rownames(L)
  )
}

t_p_value <- function(statistic, df) 2 * stats::pt(-abs(statistic), df)

contrast_rows <- function(fit, L) {
  p <- length(field(fit, "fe_params"))
  if (!is.matrix(L)) {
    L <- matrix(L, 1L)
  }
  if (!is.numeric(L) || ncol(L) != p || !nrow(L) || !all(is.finite(L))) {
    abort("robust", sprintf(
      "A hypothesis must have one finite number for each of the %d fixed effects.", p
    ))
  }
  L
}

# Moments of the contrasts' scores under the working model, for rows of `l` in the
# core's coordinates: f, per cluster l_s'G_i'G_i l_t (q x q x m), and g, per
# cluster Q_i'G_i l_s (p x q x m).
contrast_moments <- function(parts, l) {
  p <- ncol(l)
  q <- nrow(l)
  m <- parts$clusters
  g <- array(0, c(p, q, m))
  f <- array(0, c(q, q, m))
  for (s in seq_len(q)) {
    g[, s, ] <- parts$crosses %*% l[s, ]
    h <- matrix(parts$squares %*% l[s, ], p, m)
    f[, s, ] <- l %*% h
  }
  list(f = f, g = g)
}

# sum_ij P^ss_ij P^tt_ij + P^st_ij P^ts_ij for P^st_ij = 1{i=j} f_i^st - g_i^s.g_j^t:
# the variance of element (s, t) of the estimated covariance.
element_variance <- function(f, g, s, t) {
  p <- dim(g)[1L]
  gs <- matrix(g[, s, ], p)
  gt <- matrix(g[, t, ], p)
  own <- sum(f[s, s, ] * f[t, t, ] - f[s, s, ] * colSums(gt^2) - f[t, t, ] * colSums(gs^2)) +
    sum(f[s, t, ]^2 - 2 * f[s, t, ] * colSums(gs * gt))
  k <- tcrossprod(gs, gt)
  own + sum(k^2) + sum(k * t(k))
}

# Expected value of the estimated covariance, relative to sigma^2.
expected_covariance <- function(moments) {
  q <- dim(moments$f)[1L]
  g <- matrix(aperm(moments$g, c(1L, 3L, 2L)), ncol = q)
  rowSums(moments$f, dims = 2L) - crossprod(g)
}

# Satterthwaite: 2 E^2 / Var.
robust_df <- function(parts, L) {
  moments <- contrast_moments(parts, L %*% parts$map)
  expected <- drop(expected_covariance(moments))
  df <- 2 * expected^2 / element_variance(moments$f, moments$g, 1L, 1L)
  if (is.finite(df) && df > 0) df else NA_real_
}

# eta of Tipton and Pustejovsky (2015): q(q+1) over the sum of the variances of
# all elements, in coordinates in which the expected covariance is the identity.
hotelling_df <- function(parts, L) {
  l <- L %*% parts$map
  moments <- contrast_moments(parts, l)
  root <- tryCatch(inverse_root(expected_covariance(moments)), error = function(e) NULL)
  if (is.null(root)) {
    return(NA_real_)
  }
  moments <- contrast_moments(parts, root %*% l)
  q <- nrow(L)
  total <- 0
  for (s in seq_len(q)) {
    for (t in seq_len(q)) {
      total <- total + element_variance(moments$f, moments$g, s, t)
    }
  }
  q * (q + 1) / total
}

# A^-1/2 up to a rotation, of a symmetric matrix whose rows may differ in units;
# an error where it is singular: some contrast is known without error.
inverse_root <- function(a) {
  s <- sqrt(diag(a))
  correlation <- a / tcrossprod(s)
  stopifnot(rcond(correlation) > 1e-10)
  r <- chol(correlation)
  backsolve(r, diag(1 / s, length(s)), transpose = TRUE)
}
