# What estimating the variance parameters adds to the effective degrees of
# freedom: tr(d yhat / d y) - tr(H), Greven and Kneib (2010), derived anew for the
# profiled criterion and its exact Hessian.
#
# On rows scaled by sqrt(w): r = P y is the residual, d yhat / d psi_d = P G_d r, and
# differentiating the condition dc/dpsi = 0 in y,
#   d psi / d y = C (2 N / r2) [P G_e r + (dr2_e / r2) r]',
# with C the inverse of the Hessian of the criterion. In the Cholesky factors
# C = J H^-1 J' exists on the boundary too: J has no derivative across it.

estimated_variance_df <- function(fit) {
  if (!verdict(fit) %in% c("optimum", "boundary")) {
    abort("flat", paste0(
      "The verdict of the fit is \"", verdict(fit), "\": how its variance parameters move with the ",
      "response is not known. method = \"Vaida-Blanchard\" takes them as they are."
    ))
  }
  elements <- psi_elements(fit)
  if (!has_curvature(fit, elements)) {
    abort("scale", paste0(
      "The curvature of the criterion is outside the range of numbers. Rescale the variables, or use ",
      "method = \"Vaida-Blanchard\"."
    ))
  }
  mobility <- psi_mobility(fit, elements)
  used <- which(diag(mobility) != 0)
  if (!length(used)) {
    return(0)
  }
  parts <- residual_directions(fit, elements[used, ])
  r2 <- field(fit, "pwrss")
  toward <- parts$projected + outer(parts$r, parts$slope / r2)
  sum(mobility[used, used] * crossprod(parts$projected, toward)) * 2 * field(fit, "denominator") / r2
}

# J H^-1 J': how far the elements of Psi go for a push on the gradient.
psi_mobility <- function(fit, elements) {
  m <- nrow(elements)
  hessian <- as.matrix(field(fit, "hessian_psi"))
  if (nrow(hessian) != m) {
    full <- matrix(0, m, m)
    at <- which(!is.na(elements$free))
    full[at, at] <- hessian[elements$free[at], elements$free[at]]
    hessian <- full
  }
  use <- !is.na(elements$free)
  if (!any(use)) {
    return(matrix(0, m, m))
  }
  change <- cholesky_change(fit, elements, hessian)
  inverse <- positive_inverse(change$hessian[use, use, drop = FALSE])
  j <- change$jacobian[, use, drop = FALSE]
  j %*% inverse %*% t(j)
}

# Inverse of a symmetric matrix on the space where it is positive. A singular
# Lambda can be turned without any change of Psi; nothing moves in such directions.
positive_inverse <- function(h, tol = 1e-9) {
  s <- sqrt(abs(diag(h)))
  s[s == 0] <- 1
  e <- eigen(h / tcrossprod(s), symmetric = TRUE)
  keep <- e$values > tol * max(abs(e$values), 0)
  v <- e$vectors[, keep, drop = FALSE] / s
  v %*% (t(v) / e$values[keep])
}

# r = P y; P G_d r, one column for each element d; and dr2_d = -r'G_d r. All on
# weighted rows.
residual_directions <- function(fit, elements) {
  design <- design_of(fit, "The conditional AIC")
  root <- sqrt(field(fit, "weights") %||% rep.int(1, nobs(fit)))
  r <- root * (field(fit, "y") - field(fit, "fitted"))
  moved <- vapply(seq_len(nrow(elements)), function(i) {
    element_direction(design, elements[i, ], root, r)
  }, r)
  moved <- matrix(moved, length(r))
  # G_d r is made of random effects only, and a response that they fit exactly is
  # none: the residual is added on the way in and taken off again
  size <- sqrt(colSums(moved^2) / sum(r^2))
  size[size == 0] <- 1
  response <- cbind(r, moved %*% diag(1 / size, ncol(moved)) + r)
  left <- response - root * held_fitted(fit, design, response / root)
  projected <- (left[, -1L, drop = FALSE] - left[, 1L]) %*% diag(size, ncol(moved))
  list(r = r, slope = -drop(crossprod(moved, r)), projected = projected)
}

# G_d r for one element of Psi: sums over the levels, weighted by the columns.
element_direction <- function(design, element, root, r) {
  term <- design$terms[[element$term]]
  z <- term_columns_of(design, term) * root
  codes <- design$factors[[term$factor]]$codes
  share <- function(j, k) z[, j] * drop(rowsum(z[, k] * r, codes, reorder = TRUE))[codes]
  if (term$structure == "scalar") {
    return(Reduce(`+`, lapply(seq_len(ncol(z)), function(j) share(j, j))))
  }
  j <- element$row
  k <- element$column
  if (j == k) share(j, j) else share(j, k) + share(k, j)
}

# Fitted values of other responses (columns of `y`) with every variance
# parameter where it is.
held_fitted <- function(fit, design, y) {
  design$offset <- NULL
  free <- lapply(design$terms, function(term) rep(FALSE, packed_length(term)))
  options <- engine_options(TRUE, "newton", field(fit, "control"), packed_theta(fit))
  out <- apply(y, 2L, function(v) {
    design$y <- v
    engine_answer(rs_fit(engine_problem(design, free), options), design)$fitted
  })
  matrix(out, nrow(y))
}
