# The models that ranova() compares with a fit: each with one bar less, or with
# one variable less in a bar.

# -> list of list(label, bars, variances): the bars that remain, and how many
# variances are gone. `single`: a whole term with one variance.
random_reductions <- function(fit, reduce) {
  parsed <- field(fit, "parsed")
  terms <- terms_of_bars(fit)
  unlist(lapply(seq_along(parsed$bars), function(k) {
    bar <- parsed$bars[[k]]
    term <- terms[[k]]
    label <- one_line(bar_call(bar, term, fit))
    smaller <- if (reduce) smaller_bars(fit, bar, term)
    if (!length(smaller)) {
      return(list(list(
        label = label, bars = parsed$bars[-k], bar = k, single = packed_length(term) == 1L,
        variances = if (term$structure == "scalar") 1L else n_columns(term)
      )))
    }
    lapply(smaller, function(one) {
      list(
        label = paste(one$dropped, "in", label), bars = replace(parsed$bars, k, list(one$bar)), bar = k,
        single = FALSE, variances = n_columns(term) - one$columns
      )
    })
  }), recursive = FALSE)
}

# A bar with one of its variables left out, for each that can be; none when only the
# whole term can be dropped.
smaller_bars <- function(fit, bar, term) {
  if (bar$kind != "re" || term$structure == "scalar" || n_columns(term) == 1L) {
    return(NULL)
  }
  tt <- design_terms(bar$lhs, "formula")
  design <- build_again(fit)
  full <- columns_of_lhs(bar$lhs, bar, fit, design)
  unstructured <- term$structure == "unstructured"
  constant <- attr(tt, "intercept") == 1L || (unstructured && spans(full, 1))
  smaller <- function(lhs) {
    z <- columns_of_lhs(lhs, bar, fit, design)
    nested <- if (unstructured) spans(full, z) else all(colnames(z) %in% colnames(full))
    if (nested && ncol(z) < ncol(full)) ncol(z)
  }
  candidates <- lapply(droppable(tt), function(label) {
    rest <- lapply(setdiff(attr(tt, "term.labels"), label), str2lang)
    choices <- c(
      if (constant) sum_of_terms(rest, 1),
      if (length(rest) && attr(tt, "intercept") == 0L) sum_of_terms(rest, 0)
    )
    columns <- lapply(choices, smaller)
    best <- which(lengths(columns) > 0L)[1L]
    if (!is.na(best)) {
      bar$lhs <- choices[[best]]
      list(bar = bar, dropped = label, columns = columns[[best]])
    }
  })
  Filter(Negate(is.null), candidates)
}

# list(first + a + b)
sum_of_terms <- function(terms, first) {
  list(Reduce(function(a, b) call("+", a, b), terms, first))
}

# Variables and interactions that no other interaction contains.
droppable <- function(tt) {
  labels <- attr(tt, "term.labels")
  factors <- attr(tt, "factors") > 0
  inside <- vapply(labels, function(a) {
    any(vapply(setdiff(labels, a), function(b) all(factors[factors[, a], b]) && sum(factors[, b]) > sum(factors[, a]), NA))
  }, NA)
  labels[!inside]
}

columns_of_lhs <- function(lhs, bar, fit, design) {
  context <- list(
    fixed = design$terms_fixed, frame = field(fit, "frame"), x = design$x, contrasts = field(fit, "contrasts")
  )
  columns <- random_columns(lhs, context, bar$name)
  z <- term_columns_of(design, columns)
  colnames(z) <- columns$names
  z
}

# Whether the columns of `full` span those of `z`.
spans <- function(full, z) {
  z <- matrix(z, nrow(full), ncol = NCOL(z))
  rest <- qr.resid(qr(full), z)
  all(colSums(rest^2) <= 1e-14 * colSums(z^2))
}

# The reduced model fitted, and what the test needs of it.
fit_reduction <- function(reduction, fit) {
  parsed <- field(fit, "parsed")
  parsed$formula <- parsed$fixed
  parsed$bars <- reduction$bars
  reduction$fit <- if (length(reduction$bars)) {
    refit_reduced(fit, parsed, field(fit, "free"))
  } else {
    refit_without(fit, parsed, field(fit, "parsed")$bars[[reduction$bar]])
  }
  reduction$criterion <- if (length(reduction$bars)) {
    field(reduction$fit, "criterion")
  } else {
    linear_criterion(fit)
  }
  lrt <- reduction$criterion - field(fit, "criterion")
  # what remains of an optimum that both models share
  reduction$lrt <- if (abs(lrt) < 1e-7) 0 else lrt
  reduction$df <- n_parameters(fit) - n_parameters(reduction$fit)
  reduction$boundary <- length(reduction$bars) > 0L && verdict(reduction$fit) == "boundary"
  reduction$formula <- if (length(reduction$bars)) formula(reduction$fit) else parsed$fixed
  reduction
}

refit_reduced <- function(fit, parsed, free, start = NULL) {
  design <- build_again(fit, parsed = parsed)
  design <- set_parameters(design, start, free)
  settings <- list(reml = field(fit, "reml"), method = "newton", control = field(fit, "control"))
  suppressMessages(
    fit_design(field(fit, "call"), parsed, design, settings, start, free),
    classes = "mixedlm_message"
  )
}

# The model without random effects as one with a variance that is held at zero.
refit_without <- function(fit, parsed, bar) {
  bar$lhs <- if (bar$kind == "re") 1 else bar$lhs
  parsed$bars <- list(bar)
  zero <- if (bar$kind == "re") mixedlm_params(cov_re = 0) else mixedlm_params(vcomp = 0)
  refit_reduced(fit, parsed, zero, zero)
}

# -2 log-likelihood of the linear model, restricted where the fit is.
linear_criterion <- function(fit) {
  design <- build_again(fit)
  root <- sqrt(field(fit, "weights") %||% rep.int(1, nobs(fit)))
  kept <- match(names(field(fit, "fe_params")), field(fit, "columns"))
  x <- qr(design$x[, kept, drop = FALSE] * root)
  y <- (field(fit, "y") - (field(fit, "offset") %||% 0)) * root
  n <- length(y) - if (field(fit, "reml")) length(kept) else 0L
  rss <- sum(qr.resid(x, y)^2)
  n * (log(2 * pi * rss / n) + 1) - field(fit, "log_weights") +
    if (field(fit, "reml")) 2 * sum(log(abs(diag(x$qr)[seq_along(kept)]))) else 0
}
