# Hypotheses about the terms of the fixed effects: types I, II and III.
#
# For the hypothesis that a term T adds nothing to the columns X_0 of others,
# the rows are L = Q'X, with Q an orthonormal basis of what T adds: L beta = 0
# just when X beta lies where it would without T. They are estimable whatever the
# rank of X, and the same hypothesis in every coding of the factors.
#
# The statistic depends on the space of the rows only. Fai and Cornelius' degrees
# of freedom depend on the rows themselves, seldom by much. So they are made from
# one coding, treatment contrasts, and brought to a standard form, the one that
# lmerTest prints: rows as the sequential decomposition gives them (unit_rows()) for
# type I, for contained terms in type II, and for a model of one term;
# reduced ones (echelon_rows()) else.

# The fixed-effects design of a fit: list of x (all columns), kept (logical),
# assign and labels of its terms, and `contained`, a matrix that tells whether the
# row's term is contained in the column's.
fixed_design <- function(fit) {
  x <- fixed_matrix(field(fit, "terms"), field(fit, "frame"), field(fit, "contrasts"))
  columns <- field(fit, "columns")
  tt <- field(fit, "terms")
  out <- list(
    x = x, kept = !columns %in% field(fit, "aliased"), assign = attr(x, "assign"),
    labels = attr(tt, "term.labels"), contained = containment(tt)
  )
  if (from_matrices(fit)) {
    out$assign <- seq_along(columns)
    out$labels <- columns
    out$contained <- matrix(FALSE, length(columns), length(columns))
  }
  colnames(out$x) <- columns
  out
}

from_matrices <- function(fit) !is.null(field(fit, "call")$y)

# SAS's containment: U contains T when both have the same numeric variables, and
# U has all factors of T and more.
containment <- function(tt) {
  labels <- attr(tt, "term.labels")
  out <- matrix(FALSE, length(labels), length(labels), dimnames = list(labels, labels))
  if (!length(labels)) {
    return(out)
  }
  used <- attr(tt, "factors") > 0L
  is_factor <- variable_is_factor(tt)
  for (i in seq_along(labels)) {
    for (j in seq_along(labels)[-i]) {
      out[i, j] <- all(used[!is_factor, i] == used[!is_factor, j]) &&
        all(used[is_factor, j] | !used[is_factor, i]) &&
        sum(used[is_factor, j]) > sum(used[is_factor, i])
    }
  }
  out
}

# For the rows of attr(tt, "factors"), whose names may be in backticks: by place.
variable_is_factor <- function(tt) {
  class <- attr(tt, "dataClasses")
  is_factor_class(class) & !is.na(class)
}

# -> named list of matrices, one per term, columns as the kept coefficients; no
# rows for a term that adds nothing.
term_contrasts <- function(fit, type) {
  design <- fixed_design(fit)
  base <- unit_columns(treatment_design(fit, design))
  small <- triangle(base$x)
  own <- function(k) base$assign == k
  first <- if (from_matrices(fit)) integer() else 0L
  terms <- seq_along(base$labels)
  there <- terms[!left_out(base)]
  rows <- lapply(terms, function(k) {
    others <- if (type == "I") terms[terms < k] else there[there != k & !base$contained[k, there]]
    unit_rows(added_rows(small, base$assign %in% c(first, others), own(k), base$kept))
  })
  if (type == "III" && any(base$contained)) {
    rows <- type_three_rows(fit, base, rows)
  }
  if (type != "I" && length(terms) > 1L) {
    reduced <- if (type == "II") !apply(base$contained, 1L, any) else rep(TRUE, length(terms))
    rows[reduced] <- lapply(terms[reduced], function(k) echelon_rows(rows[[k]], own(k)[base$kept]))
  }
  rows <- lapply(rows, given_columns, base = base, design = design)
  stats::setNames(rows, base$labels)
}

# Terms of which the fit has no column, and that contain no other: a copy of
# another term, for one. The model is the one without them.
left_out <- function(design) {
  vapply(seq_along(design$labels), function(k) {
    !any(design$kept[design$assign == k]) && !any(design$contained[, k])
  }, NA)
}

# The design with treatment contrasts, and `to_given`, the matrix that takes its
# kept coefficients from those of `design`; `design` itself where there is no
# other coding of it.
treatment_design <- function(fit, design) {
  given <- field(fit, "contrasts")
  treatment <- vapply(given, identical, NA, "contr.treatment")
  if (all(treatment) || from_matrices(fit)) {
    return(design)
  }
  x <- coded_design(fit, stats::contr.treatment)
  p <- sum(design$kept)
  decomposition <- qr(x)
  kept <- seq_len(ncol(x)) %in% decomposition$pivot[seq_len(decomposition$rank)]
  both <- cbind(x[, kept, drop = FALSE], design$x[, design$kept, drop = FALSE])
  if (sum(kept) != p || ncol(x) != ncol(design$x) || qr(both)$rank != p) {
    return(design)
  }
  to_given <- qr.coef(qr(x[, kept, drop = FALSE]), design$x[, design$kept, drop = FALSE])
  utils::modifyList(design, list(x = x, kept = kept, to_given = to_given))
}

# The design with columns of size one, so that what is zero beside other numbers
# can be told whatever the units; `size` is theirs.
unit_columns <- function(design) {
  size <- apply(abs(design$x), 2L, max, 0)
  size[size == 0] <- 1
  design$x <- design$x / rep(size, each = nrow(design$x))
  design$size <- size
  design
}

# Rows in the coefficients of `base` as rows in the fit's own.
given_columns <- function(rows, base, design) {
  rows <- own_units(rows, base$size[base$kept])
  out <- if (is.null(base$to_given)) rows else rows %*% base$to_given
  dimnames(out) <- list(NULL, colnames(design$x)[design$kept])
  out
}

# Rows for columns of size one as rows for columns of these sizes: a number that
# is one stays so.
own_units <- function(rows, size) {
  for (i in seq_len(nrow(rows))) {
    ones <- which(rows[i, ] == 1)
    unit <- if (length(ones)) ones[1L] else which.max(abs(rows[i, ]))
    rows[i, ] <- rows[i, ] * (size / size[unit])
  }
  rows
}

# The design with `contrasts_of(number of levels)` for every factor.
coded_design <- function(fit, contrasts_of) {
  tt <- field(fit, "terms")
  frame <- field(fit, "frame")
  class <- attr(tt, "dataClasses")
  factors <- setdiff(names(class)[is_factor_class(class)], response_name(tt))
  contrasts <- lapply(stats::setNames(factors, factors), function(name) {
    contrasts_of(nlevels(set_contrasts(.subset2(frame, name), NULL, getOption("contrasts"))))
  })
  stats::model.matrix.default(tt, matrix_frame(tt, frame, contrasts))
}

# A matrix with few rows and the cross-products of x.
triangle <- function(x) {
  if (!ncol(x)) {
    return(x[0L, , drop = FALSE])
  }
  decomposition <- qr(x)
  out <- qr.R(decomposition)[, order(decomposition$pivot), drop = FALSE]
  dimnames(out) <- list(NULL, colnames(x))
  out
}

# Rows L = Q'X for what the columns `own` add to the columns `before`.
added_rows <- function(x, before, own, kept) {
  before <- which(before)
  decomposition <- qr(x[, c(before, which(own)), drop = FALSE])
  added <- which(decomposition$pivot[seq_len(decomposition$rank)] > length(before))
  if (!length(added)) {
    return(matrix(0, 0L, sum(kept)))
  }
  q <- qr.Q(decomposition)[, added, drop = FALSE]
  crossprod(q, x[, kept, drop = FALSE])
}

# Rows that begin with a one; what is left of zeros is cleared.
unit_rows <- function(l) {
  l <- clear_zeros(l)
  for (i in seq_len(nrow(l))) {
    l[i, ] <- l[i, ] / l[i, which(l[i, ] != 0)[1L]]
  }
  l
}

clear_zeros <- function(l) {
  l[abs(l) < 1e-10 * apply(abs(l), 1L, max, 0)] <- 0
  l
}

# Reduced echelon form, the pivots in the term's own columns where they can be.
echelon_rows <- function(l, own) {
  if (!nrow(l)) {
    return(l)
  }
  l <- clear_zeros(l)
  at <- c(which(own), which(!own))
  pivot <- at[qr(l[, at, drop = FALSE])$pivot[seq_len(nrow(l))]]
  out <- solve(l[, pivot, drop = FALSE], l)
  out[abs(out) < 1e-10] <- 0
  out
}

# --- type III ----------------------------------------------------------------

# As SAS defines it, in the design with one column per level of every factor:
# the estimable functions of T and of the terms that contain it, orthogonal to
# those of the containing terms. For a term that nothing contains, `rows` (of
# type II) is right already.
type_three_rows <- function(fit, design, rows) {
  full <- full_design(fit)
  p <- sum(design$kept)
  joint <- triangle(cbind(design$x[, design$kept, drop = FALSE], full$x))
  if (qr(joint)$rank > p) {
    return(coded_rows(design, rows))
  }
  x_full <- joint[, -seq_len(p), drop = FALSE]
  s <- svd(x_full)
  v <- s$v[, seq_len(p), drop = FALSE]
  # L_full beta_full = L beta where L_full = A X_full and L = A X.
  to_kept <- crossprod(s$u[, seq_len(p), drop = FALSE], joint[, seq_len(p), drop = FALSE]) / s$d[seq_len(p)]
  estimable <- function(k) {
    others <- !full$assign %in% c(k, which(design$contained[k, ]))
    free <- p - if (any(others)) qr(x_full[, others, drop = FALSE])$rank else 0L
    basis_orthogonal_to(t(v[others, , drop = FALSE]), free)
  }
  lapply(seq_along(design$labels), function(k) {
    above <- which(design$contained[k, ])
    if (!length(above)) {
      return(rows[[k]])
    }
    own <- estimable(k)
    inside <- crossprod(own, do.call(cbind, lapply(above, estimable)))
    free <- ncol(own) - if (length(inside)) sum(svd(inside, 0L, 0L)$d > 1e-6) else 0L
    crossprod(own %*% basis_orthogonal_to(inside, free), to_kept)
  })
}

# `size` orthonormal columns that are orthogonal to the columns of m.
basis_orthogonal_to <- function(m, size) {
  if (!nrow(m) || !ncol(m)) {
    return(diag(nrow(m)))
  }
  u <- svd(m, nu = nrow(m), nv = 0L)$u
  u[, nrow(m) - size + seq_len(size), drop = FALSE]
}

# The design with one column for each level of each factor. Columns of terms with
# the same numeric variables are scaled alike, which type III does not see.
full_design <- function(fit) {
  tt <- field(fit, "terms")
  x <- coded_design(fit, diag)
  assign <- attr(x, "assign")
  numeric <- attr(tt, "factors")[!variable_is_factor(tt), , drop = FALSE] > 0L
  family <- c("", apply(numeric, 2L, function(v) paste(which(v), collapse = " ")))[assign + 1L]
  for (f in unique(family)) {
    own <- family == f
    size <- max(abs(x[, own]))
    if (size > 0) {
      x[, own] <- x[, own] / size
    }
  }
  list(x = x, assign = assign)
}

# Contrasts that leave out a part of a factor: there is no design by levels that
# the model's is a coding of, and the coefficients themselves are tested.
coded_rows <- function(design, rows) {
  kept <- which(design$kept)
  contained <- apply(design$contained, 1L, any)
  rows[contained] <- lapply(which(contained), function(k) {
    own <- which(design$assign[kept] == k)
    out <- matrix(0, length(own), length(kept))
    out[cbind(seq_along(own), own)] <- 1
    out
  })
  rows
}
