# The finite-sample null distribution of the (restricted) likelihood ratio of one
# variance component: the spectral representation of Crainiceanu and Ruppert
# (2004), equations 7 and 9, simulated.

exact_test <- function(fit, reduction, nsim) {
  spectrum <- component_spectrum(fit, reduction$bar)
  if (is.null(spectrum)) {
    p <- chibar_tail(reduction$lrt, reduction$df)
    return(list(p = p, note = "half chi-square(0), half chi-square(1): too many levels for the exact distribution"))
  }
  statistic <- simulate_spectral(spectrum, field(fit, "reml"), nsim)
  note <- if (length(reduction$bars)) {
    "finite samples, the other random effects taken as known"
  } else {
    "exact in finite samples"
  }
  list(
    p = (1 + sum(statistic >= reduction$lrt)) / (nsim + 1),
    note = paste0(note, ", ", nsim, " simulations")
  )
}

# Eigenvalues of Z'P0Z (mu; P0 projects the columns of X out) and of Z'Z (xi), with the
# number of rows and of fixed effects. Rows are weighted.
component_spectrum <- function(fit, bar, most = 2000L) {
  design <- build_again(fit)
  term <- design$terms[[which(vapply(design$terms, `[[`, 0L, "bar") == bar)]]
  root <- sqrt(field(fit, "weights") %||% rep.int(1, nobs(fit)))
  z <- term_columns_of(design, term) * root
  f <- design$factors[[term$factor]]
  levels <- length(f$levels)
  if (levels * ncol(z) > most) {
    return(NULL)
  }
  x <- qr(design$x * root)
  q <- qr.Q(x)[, seq_len(x$rank), drop = FALSE]
  # rows: level by level within each column of the term
  zq <- do.call(rbind, lapply(seq_len(ncol(z)), function(j) level_sums(z[, j] * q, f$codes, levels)))
  zz <- matrix(0, nrow(zq), nrow(zq))
  at <- seq_len(levels)
  for (j in seq_len(ncol(z))) {
    for (k in seq_len(ncol(z))) {
      zz[cbind(at + (j - 1L) * levels, at + (k - 1L) * levels)] <- level_sums(z[, j, drop = FALSE] * z[, k], f$codes, levels)
    }
  }
  values <- function(a) pmax(eigen(a, symmetric = TRUE, only.values = TRUE)$values, 0)
  list(
    mu = values(zz - tcrossprod(zq)), xi = if (ncol(z) == 1L) diag(zz) else values(zz),
    n = nrow(z), p = x$rank
  )
}

# Sums of the rows of `m` over the levels; every level occurs.
level_sums <- function(m, codes, levels) {
  out <- matrix(0, levels, ncol(m))
  sums <- rowsum(m, codes)
  out[as.integer(rownames(sums)), ] <- sums
  out
}

# nsim draws of the likelihood ratio under the null hypothesis.
simulate_spectral <- function(spectrum, reml, nsim) {
  parts <- spectral_parts(spectrum, reml)
  k <- length(parts$mu)
  chunk <- max(1L, min(nsim, as.integer(2e6 %/% max(k, length(parts$lambda)))))
  sizes <- diff(unique(c(seq(0L, nsim, by = chunk), nsim)))
  unlist(lapply(sizes, function(size) {
    w <- matrix(stats::rchisq(size * k, rep(parts$times, each = size)), size)
    rest <- if (parts$left > 0) stats::rchisq(size, parts$left) else 0
    spectral_ratio(w, rest, parts)
  }))
}

# The distinct positive eigenvalues mu and how often each occurs, the number of
# chi-squares that are left, and a grid of lambda for the supremum.
spectral_parts <- function(spectrum, reml) {
  positive <- spectrum$mu > 1e-10 * max(spectrum$mu)
  distinct <- rle(sort(signif(spectrum$mu[positive], 12L)))
  lambda <- exp(seq(-14, 14, length.out = 281L)) / mean(spectrum$xi)
  nu <- if (reml) spectrum$mu[positive] else spectrum$xi
  list(
    mu = distinct$values, times = distinct$lengths, lambda = lambda,
    left = spectrum$n - spectrum$p - sum(positive),
    factor = if (reml) spectrum$n - spectrum$p else spectrum$n,
    penalty = colSums(log1p(outer(nu, lambda)))
  )
}

# sup over lambda of m log(1 + N/D) - sum log(1 + lambda nu), for each row of w, with
#   N = sum lambda mu/(1 + lambda mu) w,  D = sum w/(1 + lambda mu) + rest,
# m = n - p and nu = mu for REML, m = n and nu = xi for ML.
spectral_ratio <- function(w, rest, parts) {
  share <- outer(parts$mu, parts$lambda)
  top <- w %*% (share / (1 + share))
  # N + D is the sum of all chi-squares
  value <- -parts$factor * log1p(-top / (rowSums(w) + rest)) - rep(parts$penalty, each = nrow(w))
  grid_maximum(value)
}

# Maximum of each row, at least zero, with a parabola through the best point of
# the grid and its neighbours.
grid_maximum <- function(value) {
  rows <- seq_len(nrow(value))
  best <- max.col(value, "first")
  inner <- pmin(pmax(best, 2L), ncol(value) - 1L)
  a <- value[cbind(rows, inner - 1L)]
  b <- value[cbind(rows, inner)]
  c <- value[cbind(rows, inner + 1L)]
  bend <- a - 2 * b + c
  peak <- ifelse(bend < 0 & best == inner, b - (c - a)^2 / (8 * bend), value[cbind(rows, best)])
  pmax(peak, 0)
}
