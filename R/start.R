# Starting values and masks, on statsmodels' scale or lme4's, become the packed
# relative Cholesky factors that the engine reads.

# Checks `start` and `free` against the design and writes them into it:
# design$start (packed relative factors of all terms, or NULL), the structure
# and `free` of each term, and design$held (fixed effects held at a value, NA
# for those that are estimated, or NULL).
set_parameters <- function(design, start, free) {
  if (is.null(start) && is.null(free)) {
    return(design)
  }
  check_free(free)
  if (identical(free, "diagonal")) {
    for (k in seq_along(design$terms)) {
      if (design$terms[[k]]$structure == "unstructured" && n_columns(design$terms[[k]]) > 1L) {
        design$terms[[k]]$structure <- "diagonal"
      }
    }
    free <- NULL
  }
  roles <- random_terms(design, outer_factor(design))
  lambda <- start_factors(start, design, roles)
  if (!is.null(free)) {
    design <- hold_elements(design, roles, lambda, free)
    design$held <- held_effects(design, free, start)
  }
  pack_start(design, lambda)
}

n_columns <- function(term) length(term$columns)

packed_length <- function(term) {
  q <- n_columns(term)
  switch(term$structure, unstructured = q * (q + 1L) / 2L, diagonal = q, scalar = 1L)
}

check_free <- function(free) {
  if (is.null(free) || identical(free, "diagonal") || inherits(free, "mixedlm_params")) {
    return(invisible())
  }
  abort("free", paste0(
    "`free` must be \"diagonal\" or a mask made by mixedlm_params(), not ",
    describe(free), "."
  ), argument = "free")
}

# --- start -----------------------------------------------------------------

# -> list per term: lower-triangular relative factor, or NULL for the default.
start_factors <- function(start, design, roles) {
  if (is.null(start)) {
    return(vector("list", length(design$terms)))
  }
  if (inherits(start, "mixedlm")) {
    return(factors_of_fit(start, design))
  }
  if (inherits(start, "merMod")) {
    start <- attr(start, "theta")
  }
  if (inherits(start, "mixedlm_params")) {
    return(factors_of_params(start, design, roles))
  }
  if (is.list(start) && !is.object(start)) {
    # getME(fit, c("theta", "fixef")): the fixed effects are profiled out and need none
    if (!identical(setdiff(names(start), c("fixef", "beta")), "theta")) {
      abort("start", paste0(
        "`start` given as a list must have the element `theta`; it has ",
        if (is.null(names(start))) "none with a name" else quote_names(names(start)), "."
      ), argument = "start")
    }
    start <- start$theta
  }
  if (!is.numeric(start) || is.object(start)) {
    abort("start", paste0(
      "`start` must be a numeric vector, list(theta = ), mixedlm_params() or a ",
      "fit, not ", describe(start), "."
    ), argument = "start")
  }
  factors_of_theta(as.double(start), design)
}

factors_of_fit <- function(fit, design) {
  q <- vapply(design$terms, n_columns, 0L)
  if (!identical(as.integer(vapply(fit$theta, NROW, 0L)), as.integer(q))) {
    abort("start", paste0(
      "`start` is a fit with other random effects than this model."
    ), argument = "start")
  }
  lapply(fit$theta, function(l) unname(as.matrix(l)))
}

factors_of_theta <- function(theta, design) {
  size <- vapply(design$terms, packed_length, 0)
  if (length(theta) != sum(size)) {
    abort("start", sprintf(
      "`start` must have %d elements of the relative Cholesky factors, not %d.",
      as.integer(sum(size)), length(theta)
    ), argument = "start")
  }
  if (!all(is.finite(theta))) {
    abort("start", "`start` must not hold missing or infinite values.",
      argument = "start"
    )
  }
  piece <- split(theta, rep(seq_along(size), size))
  Map(function(term, t) {
    l <- diag(0, n_columns(term))
    if (term$structure == "unstructured") l[lower.tri(l, diag = TRUE)] <- t else diag(l) <- t
    l
  }, design$terms, unname(piece))
}

factors_of_params <- function(start, design, roles) {
  out <- vector("list", length(design$terms))
  blocks <- cov_re_blocks(start$cov_re, design, roles, "start")
  for (k in seq_along(out)) {
    if (!is.null(blocks[[k]])) {
      out[[k]] <- semidefinite_cholesky(blocks[[k]])
    }
  }
  v <- match_components(start$vcomp, design, roles, "start")
  for (k in which(!is.na(v))) {
    out[[k]] <- diag(sqrt(v[k]), n_columns(design$terms[[k]]))
  }
  out
}

# The parts of a matrix for all group-level effects that belong to each term.
# When it is larger, the terms of other factors that are not components follow.
cov_re_blocks <- function(cov_re, design, roles, argument) {
  out <- vector("list", length(design$terms))
  role <- vapply(roles, `[[`, "", "role")
  at <- which(role == "cov_re")
  if (is.null(cov_re) || (!length(at) && !length(cov_re))) {
    return(out)
  }
  q <- vapply(design$terms, n_columns, 0L)
  if (nrow(cov_re) > sum(q[at])) {
    at <- c(at, which(role == "other"))
  }
  q <- q[at]
  if (nrow(cov_re) != sum(q)) {
    abort(argument, sprintf(
      "`%s`: `cov_re` must be %d x %d, one row for each random effect, not %d x %d.",
      argument, sum(q), sum(q), nrow(cov_re), ncol(cov_re)
    ), argument = argument)
  }
  owner <- rep(at, q)
  between <- outer(owner, owner, `!=`)
  if (argument == "start") {
    if (max(abs(cov_re - t(cov_re))) > 1e-8 * max(abs(cov_re))) {
      abort("start", "`start`: `cov_re` must be symmetric.", argument = "start")
    }
    if (any(cov_re[between] != 0)) {
      abort("start", paste0(
        "`start`: `cov_re` has covariances between random terms that the model ",
        "takes to be independent."
      ), argument = "start")
    }
  }
  for (k in at) {
    out[[k]] <- unname(cov_re[owner == k, owner == k, drop = FALSE])
  }
  out
}

# Values of the variance components, one per term, NA for the others.
match_components <- function(vcomp, design, roles, argument) {
  at <- which(vapply(roles, `[[`, "", "role") == "vcomp")
  out <- rep(NA_real_, length(design$terms))
  if (is.null(vcomp) || (!length(at) && !length(vcomp))) {
    return(out)
  }
  name <- vapply(design$terms[at], `[[`, "", "name")
  if (length(vcomp) != length(at) ||
    (!is.null(names(vcomp)) && !setequal(names(vcomp), name))) {
    abort(argument, paste0(
      "`", argument, "`: `vcomp` must have one value for each variance component (",
      if (length(at)) quote_names(name) else "the model has none", "); it has ",
      if (is.null(names(vcomp))) length(vcomp) else quote_names(names(vcomp)), "."
    ), argument = argument)
  }
  out[at] <- if (is.null(names(vcomp)) || anyDuplicated(name)) vcomp else vcomp[name]
  out
}

# Lower-triangular L with L L' = a, for a that may be singular.
semidefinite_cholesky <- function(a) {
  q <- nrow(a)
  l <- diag(0, q)
  tol <- 1e-10 * max(abs(diag(a)), 0)
  for (j in seq_len(q)) {
    before <- seq_len(j - 1L)
    below <- j - 1L + seq_len(q - j + 1L)
    rest <- a[below, j] - l[below, before, drop = FALSE] %*% l[j, before]
    if (rest[1L] < -tol || (rest[1L] <= tol && any(abs(rest) > sqrt(tol * max(abs(diag(a)), 1))))) {
      abort("start", "`start`: `cov_re` must be positive semidefinite.",
        argument = "start"
      )
    }
    if (rest[1L] > tol) {
      l[below, j] <- rest / sqrt(rest[1L])
    }
  }
  l
}

# Where neither `start` nor a mask says anything the engine chooses: NULL. When
# they settle some terms only, the others start as the engine would let them.
pack_start <- function(design, lambda) {
  settled <- !vapply(lambda, is.null, NA)
  held <- vapply(design$terms, function(term) !all(term$free), NA)
  if (!any(settled | held)) {
    return(design)
  }
  pieces <- Map(function(term, l) {
    if (is.null(l)) {
      l <- hold_default(neutral_factor(term, design), term)
    }
    pack_factor(l, term)
  }, design$terms, lambda)
  design$start <- unlist(pieces)
  design
}

# A typical level tells as much about an effect of this size as its noise hides,
# whatever the units of the columns.
neutral_factor <- function(term, design) {
  n_levels <- length(design$factors[[term$factor]]$levels)
  squares <- if (is.null(term$z)) {
    vapply(term$x_columns, function(j) {
      if (j == 0L) nrow(design$x) else sum(design$x[, j]^2)
    }, 0)
  } else {
    colSums(term$z^2)
  }
  if (term$structure == "scalar") {
    squares[] <- mean(squares)
  }
  size <- sqrt(n_levels / squares)
  size[!is.finite(size) | size == 0] <- 1
  diag(size, length(size))
}

# Held elements without a starting value get statsmodels': the identity.
hold_default <- function(l, term) {
  if (is.null(term$free) || all(term$free)) {
    return(l)
  }
  held <- unpack_mask(term$free, term)
  l[held] <- diag(1, nrow(l))[held]
  l
}

pack_factor <- function(l, term) {
  switch(term$structure,
    unstructured = l[lower.tri(l, diag = TRUE)],
    diagonal = {
      if (any(l[lower.tri(l)] != 0, na.rm = TRUE)) {
        abort("start", paste0(
          "`start` has covariances between random effects of ",
          quote_names(term$name), " that the model takes to be independent."
        ), argument = "start")
      }
      diag(l)
    },
    scalar = l[1L]
  )
}

# --- free ------------------------------------------------------------------

# Which elements of a q x q factor are held.
unpack_mask <- function(free, term) {
  held <- matrix(FALSE, n_columns(term), n_columns(term))
  if (term$structure == "unstructured") {
    held[lower.tri(held, diag = TRUE)] <- !free
  } else {
    diag(held) <- !free
  }
  held
}

hold_elements <- function(design, roles, lambda, free) {
  check_mask(free)
  blocks <- cov_re_blocks(free$cov_re, design, roles, "free")
  v <- match_components(free$vcomp, design, roles, "free")
  for (k in seq_along(design$terms)) {
    term <- design$terms[[k]]
    if (!is.null(blocks[[k]])) {
      mask <- blocks[[k]] == 1
      below <- lower.tri(mask)
      start <- if (is.null(lambda[[k]])) diag(1, nrow(mask)) else lambda[[k]]
      if (nrow(mask) > 1L && term$structure == "unstructured" &&
        !any(mask[below]) && all(start[below] == 0)) {
        term$structure <- "diagonal"
      }
      term$free <- switch(term$structure,
        unstructured = mask[lower.tri(mask, diag = TRUE)],
        diagonal = diag(mask),
        scalar = all(diag(mask))
      )
    } else if (!is.na(v[k])) {
      term$free <- v[k] == 1
    }
    if (all(term$free)) {
      term["free"] <- NULL
    }
    design$terms[[k]] <- term
  }
  design
}

check_mask <- function(free) {
  for (name in c("fe_params", "cov_re", "vcomp")) {
    if (!all(free[[name]] %in% c(0, 1))) {
      abort("free", paste0(
        "`free`: the mask `", name, "` must hold 1 (estimate) and 0 (hold) only."
      ), argument = "free")
    }
  }
}

# --- fixed effects that are held -------------------------------------------

# One value for each column of X, NA for those that are estimated; or NULL.
held_effects <- function(design, free, start) {
  mask <- free$fe_params
  p <- ncol(design$x)
  if (is.null(mask) || (length(mask) == p && all(mask == 1))) {
    return(NULL)
  }
  if (length(mask) != p) {
    abort("free", sprintf(
      "`free`: `fe_params` must have one value for each of the %d fixed effects, not %d.",
      p, length(mask)
    ), argument = "free")
  }
  value <- if (inherits(start, c("mixedlm_params", "mixedlm"))) start$fe_params
  if (is.null(value)) {
    value <- rep(0, p)
  }
  if (length(value) != p) {
    abort("start", sprintf(
      "`start`: `fe_params` must have one value for each of the %d fixed effects, not %d.",
      p, length(value)
    ), argument = "start")
  }
  ifelse(mask == 1, NA_real_, as.double(value))
}

# The model without the columns that are held: their part of the linear
# predictor is known, so it joins the offset.
drop_held <- function(design) {
  held <- which(!is.na(design$held))
  known <- as.vector(design$x[, held, drop = FALSE] %*% design$held[held])
  for (k in seq_along(design$terms)) {
    j <- design$terms[[k]]$x_columns
    if (is.null(j)) {
      next
    }
    if (any(j %in% held)) {
      design$terms[[k]]$z <- cbind(1, design$x)[, j + 1L, drop = FALSE]
      design$terms[[k]]["x_columns"] <- list(NULL)
    } else {
      new <- cumsum(is.na(design$held))
      design$terms[[k]]$x_columns <- ifelse(j == 0L, 0L, c(0L, new)[j + 1L])
    }
  }
  design$offset <- if (is.null(design$offset)) known else design$offset + known
  design$x <- design$x[, -held, drop = FALSE]
  design
}

# The engine's answer for all columns again: a held effect is known, so its
# variance is zero.
restore_held <- function(raw, held) {
  p <- length(held)
  estimated <- which(is.na(held))
  beta <- held
  beta[estimated] <- raw$beta
  kept <- sort(c(estimated[raw$kept], which(!is.na(held))))
  at <- match(estimated[raw$kept], kept)
  cov <- matrix(0, length(kept), length(kept))
  cov[at, at] <- raw$beta_cov_unscaled
  if (!is.null(raw$dbeta_psi)) {
    d <- matrix(0, length(kept), ncol(raw$dbeta_psi))
    d[at, ] <- raw$dbeta_psi
    raw$dbeta_psi <- d
  }
  raw$beta <- beta
  raw$kept <- kept
  raw$rank <- length(kept)
  raw$beta_cov_unscaled <- cov
  raw
}
