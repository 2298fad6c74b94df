# The design of the random effects as sparse matrices, and the sparse Cholesky
# factor of the mixed model equations, from what the fit holds.

# Z or its transpose: terms in lme4's order, within a term level by level. Zeros
# are not stored.
random_matrix <- function(fit, transposed = FALSE) {
  design <- build_again(fit)
  sizes <- term_sizes(fit)
  before <- cumsum(c(0, sizes))
  q <- vapply(terms_in_order(fit), function(term) length(term$columns), 0L)
  n <- nobs(fit)
  check_stored(n * as.double(sum(q)))
  row <- matrix(0, sum(q), n)
  value <- matrix(0, sum(q), n)
  end <- 0L
  for (k in seq_along(q)) {
    term <- design$terms[[term_order(fit)[k]]]
    own <- end + seq_len(q[k])
    codes <- design$factors[[term$factor]]$codes
    row[own, ] <- outer(seq_len(q[k]), (codes - 1) * q[k] + before[k], `+`)
    value[own, ] <- t(term_columns_of(design, term))
    end <- end + q[k]
  }
  keep <- value != 0
  zt <- Matrix::sparseMatrix(
    i = row[keep], p = c(0, cumsum(colSums(keep))), x = value[keep],
    dims = c(sum(sizes), n), dimnames = list(random_matrix_names(fit), row.names(field(fit, "frame")))
  )
  if (transposed) zt else Matrix::t(zt)
}

# The levels, once for each effect of the term.
random_matrix_names <- function(fit) {
  factors <- field(fit, "factors")
  unlist(lapply(terms_in_order(fit), function(term) {
    rep(as.character(factors[[term$factor]]$levels), each = length(term$columns))
  }))
}

# Matrix's row numbers are integers; row, value and mask take 20 bytes.
check_stored <- function(elements) {
  if (elements > 2^31 - 1) {
    abort("memory", sprintf(
      "The random-effects matrix would have %.3g elements; Matrix can hold 2^31.", elements
    ))
  }
}

# The rows of Z' of each effect of each term.
random_matrix_parts <- function(fit) {
  zt <- random_matrix(fit, transposed = TRUE)
  random <- terms_in_order(fit)
  before <- cumsum(c(0, term_sizes(fit)))
  parts <- lapply(seq_along(random), function(k) {
    term <- random[[k]]
    q <- length(term$columns)
    rows <- lapply(seq_len(q), function(j) before[k] + (seq_len(term$n_levels) - 1L) * q + j)
    stats::setNames(
      lapply(rows, function(i) zt[i, , drop = FALSE]), paste(term$group, term$columns, sep = ".")
    )
  })
  unlist(parts, recursive = FALSE)
}

# The columns of each term as model.matrix() makes them.
raw_columns <- function(fit) {
  frame <- field(fit, "frame")
  design <- NULL
  out <- lapply(term_order(fit), function(k) {
    term <- field(fit, "random")[[k]]
    if (is.null(term$lhs_terms)) {
      z <- structure(matrix(1, nrow(frame), 1L), assign = 0L)
    } else if (term$kind == "re") {
      z <- fixed_matrix(term$lhs_terms, frame, term$contrasts)
    } else {
      design <<- design %||% build_again(fit, frame)
      z <- term_columns_of(design, design$terms[[k]])
    }
    dimnames(z) <- list(row.names(frame), term$columns)
    z
  })
  by_term(fit, out)
}

# --- the Cholesky factor ----------------------------------------------------

# Lambda'Z'W^(1/2)
scaled_random_matrix <- function(fit) {
  a <- lambda_transposed(fit) %*% random_matrix(fit, transposed = TRUE)
  w <- field(fit, "weights")
  if (is.null(w)) a else a %*% Matrix::Diagonal(x = sqrt(w))
}

# L of L L' = P (Lambda'Z'WZ Lambda + I) P', equation 18 of Bates et al. (2015).
sparse_factor <- function(fit, a = scaled_random_matrix(fit)) {
  fails <- function(e) {
    abort("numerical", paste0(
      "Lambda'Z'WZ Lambda + I has no Cholesky factor in double precision: ",
      "the random effects are too large beside the residuals."
    ))
  }
  tryCatch(
    Matrix::Cholesky(Matrix::tcrossprod(a), perm = TRUE, LDL = FALSE, Imult = 1),
    error = fails, warning = fails
  )
}

scaled_fixed_matrix <- function(fit) {
  x <- model.matrix(fit)
  w <- field(fit, "weights")
  if (is.null(w)) x else sqrt(w) * x
}

# L^-1 P Lambda'Z'WX, equation 18.
cross_factor <- function(fit) {
  a <- scaled_random_matrix(fit)
  x <- scaled_fixed_matrix(fit)
  l <- sparse_factor(fit, a)
  out <- Matrix::solve(l, Matrix::solve(l, a %*% x, system = "P"), system = "L")
  matrix(as.numeric(out), nrow(a), ncol(x), dimnames = list(NULL, colnames(x)))
}

# R of R'R = X'WX - RZX'RZX, equation 18.
fixed_factor <- function(fit) {
  v <- field(fit, "vcov_unscaled")
  if (!nrow(v)) {
    return(v)
  }
  information <- if (isTRUE(all(diag(v) > 0))) {
    information_of(v)
  } else {
    crossprod(scaled_fixed_matrix(fit)) - crossprod(cross_factor(fit))
  }
  s <- sqrt(diag(information))
  root <- tryCatch(chol(information / tcrossprod(s)), error = function(e) abort_alike())
  out <- root * rep(s, each = length(s))
  structure(out, dimnames = dimnames(v))
}

# u = Lambda'Z'W (y - mu): the normal equations of u at the estimates, which hold
# where Lambda is singular too.
spherical_effects <- function(fit) {
  residual <- field(fit, "y") - field(fit, "fitted")
  w <- field(fit, "weights")
  zt <- random_matrix(fit, transposed = TRUE)
  as.numeric(lambda_transposed(fit) %*% (zt %*% (if (is.null(w)) residual else w * residual)))
}
