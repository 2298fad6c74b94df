# Variance components that cross within independent groups: plates and samples
# of one laboratory, say, when laboratories are the groups. The engine for
# independent groups wants factors nested in each other; here all but a chain of
# them are folded into the group-level factor: one column for each value that
# occurs in a group, all with one variance. The likelihood is the same; after
# the fit the answer is unfolded, and nothing else knows.

# Columns per group, and memory for them, beyond which the model is left as it
# is.
fold_limits <- list(columns = 60L, bytes = 1e9)

# -> the design with terms folded as far as that is needed and possible;
# $folded tells how: per term NULL or list(factor, columns, rank), of the
# original factor.
fold_crossed <- function(design, parsed) {
  used <- unique(vapply(design$terms, `[[`, 0L, "factor"))
  if (length(used) < 2L || is_chain(design$factors[used])) {
    return(design)
  }
  outer <- enclosing_factor(design, parsed, used)
  if (is.null(outer) || !all(vapply(design$factors[used], is_nested, NA, outer$factor))) {
    return(design)
  }
  fold <- factors_to_fold(design, setdiff(used, outer$index), outer$factor)
  if (is.null(fold)) {
    return(design)
  }
  folded <- design
  folded$factors[[outer$index]] <- outer$factor
  for (k in seq_along(design$terms)) {
    if (design$terms[[k]]$factor %in% fold) {
      folded <- fold_term(folded, k, outer)
    }
  }
  if (too_wide(folded, outer$index)) design else drop_unused(folded)
}

is_chain <- function(factors) {
  n_levels <- vapply(factors, function(f) length(f$levels), 0L)
  factors <- factors[order(n_levels)]
  for (i in seq_along(factors)[-1L]) {
    if (!is_nested(factors[[i]], factors[[i - 1L]])) {
      return(FALSE)
    }
  }
  TRUE
}

# The factor that makes independent groups: `groups` where they were given, else
# the one with the fewest levels. list(index, factor), or NULL.
enclosing_factor <- function(design, parsed, used) {
  n_levels <- vapply(design$factors, function(f) length(f$levels), 0L)
  index <- used[which.min(n_levels[used])]
  factor <- design$factors[[index]]
  if (!is.null(parsed$groups)) {
    factor <- make_factor(parsed$groups, design$frame, new.env(parent = emptyenv()))
    names <- vapply(design$factors, `[[`, "", "name")
    index <- match(factor$name, names, nomatch = length(names) + 1L)
  }
  if (length(factor$levels) > 1L) list(index = index, factor = factor)
}

# The finest factors stay as long as they form a chain; NULL when a factor that
# does not fit carries a term that cannot be folded.
factors_to_fold <- function(design, candidates, outer) {
  of <- vapply(design$terms, `[[`, 0L, "factor")
  foldable <- vapply(candidates, function(j) {
    all(vapply(design$terms[of == j], function(t) {
      n_columns(t) == 1L || t$structure == "scalar"
    }, NA))
  }, NA)
  n_levels <- vapply(design$factors[candidates], function(f) length(f$levels), 0L)
  order <- order(foldable, -n_levels)
  keep <- fold <- integer()
  for (i in order) {
    if (is_chain(c(design$factors[c(keep, candidates[i])], list(outer)))) {
      keep <- c(keep, candidates[i])
    } else if (foldable[i]) {
      fold <- c(fold, candidates[i])
    } else {
      return(NULL)
    }
  }
  fold
}

fold_term <- function(design, k, outer) {
  term <- design$terms[[k]]
  inner <- design$factors[[term$factor]]
  rank <- rank_within(inner, outer$factor)
  first <- match(seq_along(inner$levels), inner$codes)
  columns <- columns_of_term(term, design$x)
  n <- nrow(design$x)
  m <- max(rank)
  if (8 * n * m * ncol(columns) > fold_limits$bytes) {
    return(design)
  }
  z <- matrix(0, n, m * ncol(columns))
  for (j in seq_len(ncol(columns))) {
    z[cbind(seq_len(n), (j - 1L) * m + rank)] <- columns[, j]
  }
  if (is.null(design$folded)) {
    design$folded <- vector("list", length(design$terms))
  }
  design$folded[[k]] <- list(
    factor = term$factor, columns = term$columns,
    place = rank[first], width = m, owner = outer$factor$codes[first]
  )
  term$factor <- outer$index
  term$columns <- rep(term$columns, each = m)
  term["x_columns"] <- list(NULL)
  term$z <- z
  term$structure <- "scalar"
  design$terms[[k]] <- term
  design
}

# The columns of a random term, n x q.
columns_of_term <- function(term, x) {
  if (is.null(term$z)) cbind(1, x)[, term$x_columns + 1L, drop = FALSE] else term$z
}

too_wide <- function(design, at) {
  q <- vapply(design$terms, n_columns, 0L)
  of <- vapply(design$terms, `[[`, 0L, "factor")
  sum(q[of == at]) > fold_limits$columns
}

# Factors that no term has any more would still be taken for crossed.
drop_unused <- function(design) {
  of <- vapply(design$terms, `[[`, 0L, "factor")
  kept <- sort(unique(of))
  design$factors <- design$factors[kept]
  for (k in seq_along(design$terms)) {
    design$terms[[k]]$factor <- match(of[k], kept)
  }
  design
}

# The engine's answer in terms of the original factors.
unfold_raw <- function(raw, design) {
  for (k in seq_along(design$folded)) {
    f <- design$folded[[k]]
    if (is.null(f)) {
      next
    }
    q <- length(f$columns)
    for (name in c("theta", "psi")) {
      raw[[name]][[k]] <- diag(raw[[name]][[k]][1L], q)
    }
    if (!is.null(raw$gradient)) {
      # of the one variance: the sum over all columns, laid on the first
      g <- raw$gradient[[k]]
      raw$gradient[[k]] <- diag(sum(diag(g)) / q, q)
    }
    b <- raw$b[[k]]
    raw$b[[k]] <- matrix(vapply(seq_len(q), function(j) {
      b[cbind((j - 1L) * f$width + f$place, f$owner)]
    }, numeric(length(f$place))), q, byrow = TRUE)
  }
  raw
}

# Conditional covariances, arrays of effects x effects x levels, likewise.
unfold_variances <- function(variances, design) {
  for (k in seq_along(design$folded)) {
    f <- design$folded[[k]]
    if (is.null(f)) {
      next
    }
    v <- variances[[k]]
    q <- length(f$columns)
    out <- array(0, c(q, q, length(f$place)))
    for (i in seq_len(q)) {
      for (j in seq_len(q)) {
        out[i, j, ] <- v[cbind(
          (i - 1L) * f$width + f$place, (j - 1L) * f$width + f$place, f$owner
        )]
      }
    }
    variances[[k]] <- out
  }
  variances
}
