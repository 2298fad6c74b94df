# Dense algebra for predictions: with all levels of old, more and new rows, from the definitions.

# `z`: function(data) -> list of dense matrices, one per term, all in the same levels; `psi`: their relative
# covariance matrices of all levels. `more`: rows that are conditioned on. Everything given beta and theta of the fit.
dense_prediction <- function(fit, old, new, z, psi, x, more = NULL, y = NULL, w = function(d) rep(1, nrow(d)),
                             offset = function(d) rep(0, nrow(d)), keep = TRUE, fixed = TRUE) {
  data <- if (is.null(more)) old else rbind(old[names(more)], more)
  joined <- function(d) do.call(cbind, z(d))
  zd <- joined(data)
  all_psi <- as.matrix(Matrix::bdiag(psi))
  v <- zd %*% all_psi %*% t(zd) + diag(1 / w(data))
  beta <- unname(fit$fe_params)
  gain <- all_psi %*% t(zd) %*% solve(v)
  b <- gain %*% (data[[y]] - offset(data) - x(data) %*% beta)
  k <- gain %*% x(data)
  p <- all_psi - gain %*% zd %*% all_psi
  x_old <- x(old)
  z_old <- joined(old)
  v_old <- z_old %*% all_psi %*% t(z_old) + diag(1 / w(old))
  s <- solve(t(x_old) %*% solve(v_old, x_old))
  parts <- z(new)
  parts <- Map(function(m, kept) m * kept, parts, rep_len(keep, length(parts)))
  z_new <- do.call(cbind, parts)
  x_new <- if (fixed) x(new) else x(new) * 0
  d <- x_new - z_new %*% k
  list(
    fit = as.vector(x_new %*% beta + z_new %*% b) + if (fixed) offset(new) else 0,
    se = sqrt(fit$scale * (rowSums((d %*% s) * d) + rowSums((z_new %*% p) * z_new))),
    b = as.vector(b), p = p * fit$scale
  )
}

# Columns of a term on a factor with these levels: one block for each level.
dense_columns <- function(columns, group, levels) {
  code <- match(group, levels)
  out <- matrix(0, nrow(columns), ncol(columns) * length(levels))
  for (i in seq_len(nrow(columns))) out[i, (code[i] - 1) * ncol(columns) + seq_len(ncol(columns))] <- columns[i, ]
  out
}

expect_dense_prediction <- function(fit, new, dense, tolerance = 1e-7, ...) {
  got <- predict(fit, new, se.fit = TRUE, ...)
  expect_equal(unname(got$fit), dense$fit, tolerance = tolerance)
  expect_equal(unname(got$se.fit), dense$se, tolerance = tolerance)
}
