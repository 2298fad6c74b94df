# The relative covariance factor in lme4's forms: as the vector theta, as one
# matrix per term, and as the sparse matrix of all random effects.

# The elements of the terms' Cholesky factors that their structures have, lme4's
# order: indices into each factor.
theta_elements <- function(fit) {
  lapply(terms_in_order(fit), function(term) {
    q <- length(term$columns)
    switch(term$structure,
      unstructured = which(lower.tri(diag(q), diag = TRUE)),
      diagonal = which(diag(q) == 1),
      scalar = 1L
    )
  })
}

named_theta <- function(fit) {
  unlist(Map(function(term, theta, i) {
    names <- term$columns
    row <- names[row(theta)[i]]
    column <- names[col(theta)[i]]
    label <- ifelse(row == column, row, paste(row, column, sep = "."))
    stats::setNames(theta[i], paste(term$group, label, sep = "."))
  }, terms_in_order(fit), field(fit, "theta")[term_order(fit)], theta_elements(fit)))
}

theta_is_diagonal <- function(fit) {
  unlist(Map(function(term, i) {
    q <- length(term$columns)
    (row(diag(q)) == col(diag(q)))[i]
  }, terms_in_order(fit), theta_elements(fit)))
}

theta_pointers <- function(fit) {
  of <- vapply(terms_in_order(fit), `[[`, "", "group")
  stats::setNames(c(0, cumsum(lengths(theta_elements(fit)))), c("beg__", of))
}

# One lower triangle per term, named by its factor.
theta_list <- function(fit) {
  stats::setNames(
    lapply(field(fit, "theta")[term_order(fit)], function(l) unname(as.matrix(l))),
    vapply(terms_in_order(fit), `[[`, "", "group")
  )
}

# Lambda = T S: T with a unit diagonal below, S in the place of that diagonal.
scale_and_triangle <- function(lambda) {
  s <- diag(lambda)
  out <- lambda / rep(s, each = nrow(lambda))
  diag(out) <- s
  out
}

# Places of the stored elements of Lambda', of one term: column by column, the
# row, the column, and which theta of the term they are.
factor_pattern <- function(term) {
  q <- length(term$columns)
  if (term$structure != "unstructured") {
    which <- if (term$structure == "scalar") rep.int(1L, q) else seq_len(q)
    return(list(row = seq_len(q), count = rep.int(1L, q), which = which))
  }
  index <- matrix(0L, q, q)
  index[lower.tri(index, diag = TRUE)] <- seq_len(q * (q + 1L) / 2L)
  index <- t(index)
  list(
    row = row(index)[index > 0L], count = colSums(index > 0L),
    which = index[index > 0L]
  )
}

# For each stored element of Lambda', which element of theta it is.
theta_places <- function(fit) {
  before <- theta_pointers(fit)
  unlist(Map(function(term, start) {
    rep.int(factor_pattern(term)$which + as.integer(start), term$n_levels)
  }, terms_in_order(fit), before[-length(before)]), use.names = FALSE)
}

lambda_transposed <- function(fit) {
  sizes <- term_sizes(fit)
  before <- cumsum(c(0, sizes))
  parts <- Map(function(term, start) {
    pattern <- factor_pattern(term)
    levels <- (seq_len(term$n_levels) - 1) * length(term$columns)
    list(
      i = start + rep(levels, each = length(pattern$row)) + pattern$row,
      count = rep.int(pattern$count, term$n_levels)
    )
  }, terms_in_order(fit), before[-length(before)])
  Matrix::sparseMatrix(
    i = unlist(lapply(parts, `[[`, "i")),
    p = c(0, cumsum(unlist(lapply(parts, `[[`, "count")))),
    x = unname(named_theta(fit))[theta_places(fit)],
    dims = rep(sum(sizes), 2L)
  )
}
