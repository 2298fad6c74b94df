# The oracle: an independent, dense implementation of the criterion.
#
# Everything here is written from the textbook definition (Pinheiro and Bates 2000, ch. 2; Searle, Casella and
# McCulloch 1992, ch. 6): V is built as an n x n matrix, and nothing is shared with the package. It is slow and
# plain on purpose; the tests compare the package with it on small data.

# A model for the oracle, from the design that the package hands to its engine.
oracle_model <- function(design, reml) {
  n <- length(design$y)
  w <- design$weights
  if (is.null(w)) w <- rep(1, n)
  offset <- design$offset
  if (is.null(offset)) offset <- rep(0, n)
  z <- lapply(design$terms, function(term) {
    columns <- term$z
    if (is.null(columns)) {
      columns <- vapply(term$x_columns, function(j) if (j == 0L) rep(1, n) else as.numeric(design$x[, j]), numeric(n))
    }
    columns <- matrix(columns, n)
    f <- design$factors[[term$factor]]
    # Column (l - 1) * q + j of the expanded Z: column j of the term, for level l.
    expanded <- matrix(0, n, length(f$levels) * ncol(columns))
    for (j in seq_len(ncol(columns))) {
      expanded[cbind(seq_len(n), (f$codes - 1L) * ncol(columns) + j)] <- columns[, j]
    }
    list(z = expanded, q = ncol(columns), levels = length(f$levels), structure = term$structure)
  })
  x <- matrix(as.numeric(design$x), n)
  decomposition <- qr(x, tol = 1e-7)
  kept <- sort(decomposition$pivot[seq_len(decomposition$rank)])
  list(y = design$y - offset, offset = offset, x = x[, kept, drop = FALSE], kept = kept, p = ncol(x), w = w, z = z, reml = reml)
}

# How many free elements of Psi a term has.
oracle_size <- function(term) {
  switch(term$structure, unstructured = term$q * (term$q + 1L) / 2L, diagonal = term$q, scalar = 1L)
}

# Free Psi elements (lower triangles, column-major) -> list of q x q matrices.
oracle_psi <- function(model, par) {
  out <- vector("list", length(model$z))
  at <- 0L
  for (k in seq_along(model$z)) {
    term <- model$z[[k]]
    m <- oracle_size(term)
    value <- par[at + seq_len(m)]
    at <- at + m
    psi <- matrix(0, term$q, term$q)
    if (term$structure == "unstructured") {
      psi[lower.tri(psi, diag = TRUE)] <- value
      psi[upper.tri(psi)] <- t(psi)[upper.tri(psi)]
    } else {
      diag(psi) <- value
    }
    out[[k]] <- psi
  }
  out
}

# list of q x q matrices -> free Psi elements.
oracle_par <- function(model, psi) {
  unlist(lapply(seq_along(model$z), function(k) {
    switch(model$z[[k]]$structure,
      unstructured = psi[[k]][lower.tri(psi[[k]], diag = TRUE)],
      diagonal = diag(psi[[k]]),
      scalar = psi[[k]][1, 1]
    )
  }))
}

# V relative to sigma^2: W^-1 + Z Psi Z'.
oracle_v <- function(model, psi) {
  v <- diag(1 / model$w, length(model$y))
  for (k in seq_along(model$z)) {
    term <- model$z[[k]]
    v <- v + term$z %*% kronecker(diag(term$levels), psi[[k]]) %*% t(term$z)
  }
  v
}

# Generalised least squares at given Psi.
oracle_gls <- function(model, psi) {
  v <- oracle_v(model, psi)
  # Psi need not be positive semi-definite while differentiating: LU, not Cholesky.
  vi <- solve(v)
  xvx <- crossprod(model$x, vi %*% model$x)
  beta <- drop(solve(xvx, crossprod(model$x, vi %*% model$y)))
  r <- model$y - drop(model$x %*% beta)
  list(
    vi = vi, xvx = xvx, beta = beta, r = r, r2 = drop(crossprod(r, vi %*% r)),
    logdet_v = as.numeric(determinant(v)$modulus), logdet_xvx = as.numeric(determinant(xvx)$modulus)
  )
}

oracle_denominator <- function(model) length(model$y) - if (model$reml) ncol(model$x) else 0L

# -2 log-likelihood at given Psi, with sigma^2 profiled out (sigma2 = NULL) or given.
oracle_criterion <- function(model, psi, sigma2 = NULL) {
  g <- oracle_gls(model, psi)
  n <- oracle_denominator(model)
  if (is.null(sigma2)) sigma2 <- g$r2 / n
  n * log(2 * pi * sigma2) + g$r2 / sigma2 + g$logdet_v + if (model$reml) g$logdet_xvx else 0
}

# Central differences with one step of Richardson extrapolation.
oracle_gradient <- function(f, x, h = 1e-4 * pmax(abs(x), 1e-2)) {
  vapply(seq_along(x), function(i) {
    slope <- function(s) {
      e <- replace(numeric(length(x)), i, s * h[i])
      (f(x + e) - f(x - e)) / (2 * s * h[i])
    }
    (4 * slope(1) - slope(2)) / 3
  }, numeric(1))
}

oracle_hessian <- function(f, x, h = 2e-3 * pmax(abs(x), 1e-2)) {
  m <- length(x)
  second <- function(i, j, s) {
    ei <- replace(numeric(m), i, s * h[i])
    ej <- replace(numeric(m), j, s * h[j])
    if (i == j) return((f(x + ei) - 2 * f(x) + f(x - ei)) / (s * h[i])^2)
    (f(x + ei + ej) - f(x + ei - ej) - f(x - ei + ej) + f(x - ei - ej)) / (4 * s^2 * h[i] * h[j])
  }
  out <- matrix(0, m, m)
  for (i in seq_len(m)) {
    for (j in seq_len(i)) {
      out[i, j] <- out[j, i] <- (4 * second(i, j, 1) - second(i, j, 2)) / 3
    }
  }
  out
}

# The relative Cholesky factors from the free parameters, for the minimiser.
oracle_lambda <- function(model, theta) {
  at <- 0L
  lapply(model$z, function(term) {
    m <- oracle_size(term)
    value <- theta[at + seq_len(m)]
    at <<- at + m
    lambda <- matrix(0, term$q, term$q)
    if (term$structure == "unstructured") lambda[lower.tri(lambda, diag = TRUE)] <- value else diag(lambda) <- value
    lambda
  })
}

# The minimum of the criterion, by nlminb over the Cholesky factors.
oracle_fit <- function(model, start = NULL) {
  if (is.null(start)) {
    start <- unlist(lapply(model$z, function(term) {
      if (term$structure == "unstructured") diag(term$q)[lower.tri(diag(term$q), diag = TRUE)] else rep(1, oracle_size(term))
    }))
  }
  objective <- function(theta) {
    oracle_criterion(model, lapply(oracle_lambda(model, theta), tcrossprod))
  }
  opt <- nlminb(start, objective, control = list(rel.tol = 1e-14, x.tol = 1e-12, eval.max = 5000, iter.max = 2000))
  lambda <- lapply(oracle_lambda(model, opt$par), function(l) l %*% diag(ifelse(diag(l) < 0, -1, 1), nrow(l)))
  list(theta = lambda, psi = lapply(lambda, tcrossprod), criterion = opt$objective, evaluations = sum(opt$evaluations))
}

# Covariance of the estimates of (sigma^2 Psi, sigma^2), user's scale, by numerical differentiation of the criterion in exactly
# these parameters: the inverse of half the Hessian of -2 log-likelihood.
oracle_varcomp_cov <- function(model, psi, sigma2) {
  par <- c(oracle_par(model, psi) * sigma2, sigma2)
  f <- function(par) {
    s2 <- par[length(par)]
    oracle_criterion(model, oracle_psi(model, par[-length(par)] / s2), sigma2 = s2)
  }
  2 * solve(oracle_hessian(f, par))
}

# The oracle's model of a fit.
oracle_of <- function(fit) {
  design <- build_design(fit$parsed, fit$frame, fit$contrasts)
  design$weights <- fit$weights
  design$offset <- fit$offset
  for (k in seq_along(design$terms)) design$terms[[k]]$structure <- fit$random[[k]]$structure
  oracle_model(design, fit$reml)
}

# sleepstudy with rows missing, and weights.
unbalanced <- function() {
  d <- plain_data("sleepstudy", "lme4")
  d <- d[-c(3, 17, 40:46, 100, 101, 160), ]
  d$w <- rep(c(1, 2, 0.5), length.out = nrow(d))
  d
}
