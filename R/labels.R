# Names of coefficients as statsmodels writes them, from R's column names.
#
# A term's columns are the products of its variables' columns, first variable
# fastest. For every factor there are two codings (contrasts, or one column per
# level); the combination whose R names are the term's columns tells which was
# used, and gives statsmodels' names in the same order.

# statsmodels' names of all fixed-effects columns, aliased ones included.
fixed_labels <- function(fit) {
  translate_columns(
    field(fit, "columns"), field(fit, "terms"), field(fit, "frame"),
    field(fit, "contrasts"), field(fit, "assign")
  )
}

# Per term, the names of its columns; the intercept goes by the group's name.
# statsmodels has no vector-valued terms on nested factors: there the other
# columns name their factor, as in year|child.
random_labels <- function(fit) {
  random <- field(fit, "random")
  group_name <- field(fit, "group_name")
  lapply(random, function(term) {
    columns <- term$columns
    contrasts <- if (!is.null(term$x_columns)) field(fit, "contrasts")
    columns <- translate_columns(columns, term$lhs_terms, field(fit, "frame"), contrasts)
    intercept <- columns %in% c("(Intercept)", "Intercept")
    if (term$role == "other") {
      return(ifelse(intercept, term$group, paste0(columns, "|", term$group)))
    }
    columns[intercept] <- group_name
    columns
  })
}

translate_columns <- function(columns, terms, frame, contrasts, assign = NULL) {
  if (is.null(columns) || is.null(terms)) {
    return(columns)
  }
  out <- ifelse(columns == "(Intercept)", "Intercept", columns)
  factors <- attr(terms, "factors")
  for (t in seq_along(attr(terms, "term.labels"))) {
    variables <- rownames(factors)[factors[, t] > 0]
    own <- if (is.null(assign)) seq_along(columns) else which(assign == t)
    names <- term_columns(variables, columns[own], frame, contrasts)
    if (!is.null(names)) {
      place <- own[match(names$r, columns[own])]
      out[place] <- names$statsmodels
    }
  }
  out
}

# The coding of `variables` whose R names occur among `columns`; NULL when the
# term has no factor, or none of the codings fits. The larger coding wins: with
# treatment contrasts its names include those of the smaller.
term_columns <- function(variables, columns, frame, contrasts) {
  codings <- lapply(variables, variable_codings, frame, contrasts)
  if (all(lengths(codings) == 1L)) {
    return(NULL)
  }
  choices <- expand.grid(lapply(codings, seq_along))
  best <- NULL
  for (i in seq_len(nrow(choices))) {
    parts <- Map(function(coding, j) coding[[j]], codings, unlist(choices[i, ]))
    names <- list(r = product_names(lapply(parts, `[[`, "r")))
    fits <- all(names$r %in% columns)
    if (fits && length(names$r) > length(best$r)) {
      names$statsmodels <- product_names(lapply(parts, `[[`, "statsmodels"))
      best <- names
    }
  }
  best
}

product_names <- function(parts) {
  Reduce(function(a, b) as.vector(outer(a, b, paste, sep = ":")), parts)
}

# The column names that a variable can have, in R and in statsmodels.
variable_codings <- function(variable, frame, contrasts) {
  value <- frame[[variable]]
  if (is.matrix(value) && !is.factor(value)) {
    names <- paste0(variable, colnames(value) %||% seq_len(ncol(value)))
    return(list(list(r = names, statsmodels = names)))
  }
  if (!is.factor(value) && !is.character(value) && !is.logical(value)) {
    return(list(list(r = variable, statsmodels = variable)))
  }
  levels <- if (is.logical(value)) {
    c("FALSE", "TRUE")
  } else if (is.factor(value)) {
    levels(value)
  } else {
    sort(unique(value))
  }
  shown <- if (is.logical(value)) c("False", "True") else levels
  list(
    list(r = paste0(variable, levels), statsmodels = paste0(variable, "[", shown, "]")),
    contrast_coding(variable, levels, shown, contrasts[[variable]] %||% default_contrast(value))
  )
}

default_contrast <- function(value) {
  getOption("contrasts")[[if (is.ordered(value)) 2L else 1L]]
}

poly_labels <- c(".L" = ".Linear", ".Q" = ".Quadratic", ".C" = ".Cubic")

contrast_coding <- function(variable, levels, shown, contrast) {
  n <- length(levels)
  coding <- function(r, statsmodels) {
    list(r = paste0(variable, r), statsmodels = paste0(variable, statsmodels))
  }
  bracket <- function(letter, names) paste0("[", letter, ".", names, "]")
  if (is.matrix(contrast)) {
    r <- colnames(contrast) %||% seq_len(ncol(contrast))
    treatment <- all(contrast %in% c(0, 1)) && all(colSums(contrast) == 1) && all(r %in% levels)
    return(coding(r, if (treatment) bracket("T", shown[match(r, levels)]) else paste0("[", r, "]")))
  }
  if (n < 2L) {
    return(coding(character(), character()))
  }
  switch(if (is_string(contrast)) contrast else "",
    contr.treatment = coding(levels[-1L], bracket("T", shown[-1L])),
    contr.SAS = coding(levels[-n], bracket("T", shown[-n])),
    contr.sum = coding(seq_len(n - 1L), bracket("S", shown[-n])),
    contr.helmert = coding(seq_len(n - 1L), bracket("H", shown[-1L])),
    contr.poly = {
      r <- colnames(stats::contr.poly(n))
      known <- r %in% names(poly_labels)
      coding(r, ifelse(known, poly_labels[r], r))
    },
    coding(character(), character())
  )
}
