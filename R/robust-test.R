# Tests of fixed effects that rest on a robust covariance, and their degrees of
# freedom under the working model.

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
    estimate = difference, se = sqrt(pmax(diag(v), 0)), statistic = NA_real_,
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
  se <- sqrt(pmax(rowSums((L %*% parts$vcov) * L), 0))
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

# Whether the clusters leave anything to estimate the variance of contrasts from:
# with a fixed effect for every cluster all scores are zero but for rounding. The
# model's variance of l in the core's coordinates is l'l.
has_scores <- function(expected, l) {
  isTRUE(all(diag(expected) > 1e-10 * rowSums(l^2)))
}

# Satterthwaite: 2 E^2 / Var.
robust_df <- function(parts, L) {
  l <- L %*% parts$map
  moments <- contrast_moments(parts, l)
  expected <- expected_covariance(moments)
  if (!has_scores(expected, l)) {
    return(NA_real_)
  }
  expected <- drop(expected)
  df <- 2 * expected^2 / element_variance(moments$f, moments$g, 1L, 1L)
  if (is.finite(df) && df > 0) df else NA_real_
}

# eta of Tipton and Pustejovsky (2015): q(q+1) over the sum of the variances of
# all elements, in coordinates in which the expected covariance is the identity.
hotelling_df <- function(parts, L) {
  l <- L %*% parts$map
  moments <- contrast_moments(parts, l)
  expected <- expected_covariance(moments)
  root <- if (has_scores(expected, l)) {
    tryCatch(inverse_root(expected), error = function(e) NULL)
  }
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
