# What the design alone tells about variances that the data cannot tell apart.

# Sentences why the criterion may be flat; often nothing in the design says it.
flat_causes <- function(design) {
  factors <- design$factors
  of <- vapply(design$terms, `[[`, 0L, "factor")
  columns <- lapply(seq_along(factors), function(j) {
    unlist(lapply(design$terms[of == j], `[[`, "columns"))
  })
  causes <- c(
    unlist(Map(function(f, own) flat_cause(f, own, design), factors, columns)),
    same_groupings(factors, columns)
  )
  if (length(causes)) causes else saturation(design)
}

# Nothing is left to the residuals: larger random effects change nothing more.
no_noise_left <- function(scale, design) {
  if (!is.null(scale) && isTRUE(scale < 1e-10 * stats::var(design$y))) {
    "The residual variance goes to zero: the random effects take all of it."
  }
}

# A model that may fit any response: there are as many effects as rows, or more.
saturation <- function(design) {
  if (is.null(design$x)) {
    return(NULL)
  }
  random <- sum(vapply(design$terms, function(term) {
    length(design$factors[[term$factor]]$levels) * as.numeric(n_columns(term))
  }, 0))
  fixed <- ncol(design$x)
  if (random + fixed >= nrow(design$x)) {
    paste0(
      "The model has ", random, " random and ", fixed, " fixed effects for ", nrow(design$x),
      " rows: it may be too large for the data."
    )
  }
}

# One factor, with the columns of all its terms.
flat_cause <- function(factor, columns, design) {
  name <- quote_names(factor$name)
  n_levels <- length(factor$levels)
  if (anyDuplicated(columns)) {
    paste0("Terms of ", name, " share the column ", quote_names(columns[duplicated(columns)][1L]), ".")
  } else if (n_levels == 1L && factor$name != "(all)") {
    paste0(name, " has one level only.")
  } else if (n_levels == nrow(design$x) && "(Intercept)" %in% columns && same_weights(design)) {
    paste0(name, " has as many levels as there are rows.", wide_hint(design$occasions))
  } else if (is_fixed_too(factor, design)) {
    paste0(name, " is among the fixed effects too.")
  }
}

# Weights that differ tell an effect of every row from its residual.
same_weights <- function(design) {
  w <- design$weights
  is.null(w) || diff(range(w)) <= 1e-10 * max(w)
}

# Whether some factor of the fixed effects tells the levels of this one.
is_fixed_too <- function(factor, design) {
  class <- attr(design$terms_fixed, "dataClasses")
  fixed <- intersect(attr(design$terms_fixed, "term.labels"), names(class)[is_factor_class(class)])
  any(vapply(fixed, function(name) {
    is_nested(code_factor(.subset2(design$frame, name), name), factor)
  }, NA))
}

# Pairs of factors that group the rows alike and share a column.
same_groupings <- function(factors, columns) {
  n_levels <- vapply(factors, function(f) length(f$levels), 0L)
  name <- vapply(factors, `[[`, "", "name")
  unlist(lapply(seq_along(factors), function(j) {
    like <- Filter(function(i) {
      n_levels[i] == n_levels[j] && any(columns[[i]] %in% columns[[j]]) &&
        is_nested(factors[[i]], factors[[j]])
    }, seq_len(j - 1L))
    if (length(like)) {
      paste0(quote_names(name[c(like[1L], j)]), " group the rows alike.")
    }
  }))
}

# Without groups, numbers make one slope where a factor makes an effect for each
# of its values: a grouping variable that is a number is easily given so.
tell_single_effects <- function(design) {
  for (term in design$terms) {
    if (term$kind == "vc" && n_columns(term) == 1L && design$factors[[term$factor]]$name == "(all)") {
      inform("component", paste0(
        "The component ", quote_names(term$name), " is a single random effect: the ",
        "slope of a numeric variable, for all rows. If each of its values should ",
        "have an effect, make the variable a factor."
      ), component = term$name)
    }
  }
}
