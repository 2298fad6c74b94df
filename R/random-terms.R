# Random terms: each a grouping factor with the columns that vary over its
# levels, taken from X where X has them.

build_terms <- function(bars, fixed, frame, x, contrasts) {
  made <- new.env(parent = emptyenv())
  context <- list(fixed = fixed, frame = frame, x = x, contrasts = contrasts)
  factors <- list()
  terms <- vector("list", length(bars))
  for (k in seq_along(bars)) {
    built <- if (bars[[k]]$kind == "vc") {
      build_component(bars[[k]], context, made)
    } else {
      build_effect(bars[[k]], context, made)
    }
    names_so_far <- vapply(factors, `[[`, "", "name")
    j <- match(built$factor$name, names_so_far)
    if (is.na(j)) {
      factors <- c(factors, list(built$factor))
      j <- length(factors)
    }
    built$factor <- j
    built$bar <- k
    terms[[k]] <- built
  }
  list(factors = factors, terms = terms)
}

build_effect <- function(bar, context, made) {
  factor <- make_factor(bar$group, context$frame, made)
  columns <- random_columns(bar$lhs, context, bar$name)
  new_term(bar, factor, columns)
}

new_term <- function(bar, factor, columns) {
  list(
    kind = bar$kind, name = bar$name, factor = factor,
    columns = columns$names, structure = bar$structure,
    x_columns = columns$x_columns, z = columns$z, lhs_terms = columns$terms,
    contrasts = columns$contrasts
  )
}

# The columns of a random-effects design: those of X where X has them all, else
# a matrix of their own.
random_columns <- function(lhs, context, name) {
  if (identical(lhs, 1)) {
    return(intercept_column())
  }
  tt <- design_terms(lhs, "formula", environment(context$fixed))
  if (attr(tt, "intercept") == 0L && !length(attr(tt, "term.labels"))) {
    abort("design", paste0(
      "The random effects of ", quote_names(name), " have no columns: ",
      one_line(lhs), "."
    ), argument = "formula")
  }
  tt <- frame_terms(tt, attr(context$frame, "terms"), context$frame)
  x_columns <- find_in_x(tt, context)
  if (!is.null(x_columns)) {
    out <- list(
      names = c("(Intercept)", colnames(context$x))[x_columns + 1L],
      x_columns = x_columns, z = NULL, terms = tt
    )
    check_random_columns(context$x[, x_columns[x_columns > 0L], drop = FALSE], name)
    return(out)
  }
  z <- fixed_matrix(tt, context$frame, NULL)
  list(
    names = colnames(z), x_columns = NULL, z = plain_matrix(z, name), terms = tt,
    contrasts = attr(z, "contrasts")
  )
}

intercept_column <- function() {
  list(names = "(Intercept)", x_columns = 0L, z = NULL, terms = NULL)
}

plain_matrix <- function(z, name) {
  check_random_columns(z, name)
  dim <- dim(z)
  dimnames <- dimnames(z)
  attributes(z) <- NULL
  dim(z) <- dim
  dimnames(z) <- dimnames
  z
}

# Squares of the columns must be numbers: variances are in their units.
check_random_columns <- function(z, name) {
  check_finite_matrix(z, "The random-effects column")
  for (j in seq_len(ncol(z))) {
    size <- max(abs(range(z[, j])))
    if (size > 1e-140 && size < 1e140) {
      next
    }
    column <- quote_names(colnames(z)[j])
    if (size == 0) {
      abort("design", paste0(
        "The random-effects column ", column, " of ", quote_names(name),
        " is zero in every row."
      ), argument = "formula")
    }
    abort("scale", paste0(
      "The variance of the random effects of ", column, " would be outside the ",
      "range of numbers: its values reach ", format(size, digits = 2L),
      "; rescale it."
    ), argument = "formula")
  }
}

# Columns of X that a term of the random part is equal to: the same label made
# of numeric variables, or of factors coded in the same way.
find_in_x <- function(tt, context) {
  labels <- attr(tt, "term.labels")
  j <- match(labels, attr(context$fixed, "term.labels"))
  if (anyNA(j)) {
    return(NULL)
  }
  for (k in seq_along(labels)) {
    if (!same_columns(labels[k], tt, context)) {
      return(NULL)
    }
  }
  assign <- attr(context$x, "assign")
  c(if (attr(tt, "intercept") == 1L) 0L, which(assign %in% j)[order(match(assign[assign %in% j], j))])
}

same_columns <- function(label, tt, context) {
  a <- coding_of(tt, label)
  class <- attr(tt, "dataClasses")[names(a)[a > 0L]]
  if (is_numeric_class(class)) {
    return(TRUE)
  }
  b <- coding_of(context$fixed, label)
  attr(tt, "intercept") == 1L && attr(context$fixed, "intercept") == 1L &&
    identical(a[a > 0L], b[b > 0L]) &&
    !any(names(class) %in% names(context$contrasts))
}

# How each variable enters a term: 0 not, 1 by contrasts, 2 by indicators.
coding_of <- function(tt, label) {
  f <- attr(tt, "factors")
  stats::setNames(f[, label], rownames(f))
}

is_numeric_class <- function(class) {
  !anyNA(class) && all(class == "numeric" | startsWith(class, "nmatrix"))
}

# --- variance components ---------------------------------------------------

# One variance for all columns of vc_formula's design within each group. A
# single factor becomes a grouping factor of its own, nested in the groups;
# numeric columns stay a design on the groups.
build_component <- function(bar, context, made) {
  tt <- design_terms(bar$lhs, "vc_formula", environment(context$fixed))
  tt <- frame_terms(tt, attr(context$frame, "terms"), context$frame)
  labels <- attr(tt, "term.labels")
  class <- attr(tt, "dataClasses")
  is_factor <- is_factor_class(class)
  group <- if (is.null(bar$group)) {
    single_factor(nrow(context$frame))
  } else {
    make_factor(bar$group, context$frame, made)
  }
  if (!any(is_factor)) {
    return(new_term(bar, group, random_columns(bar$lhs, context, bar$name)))
  }
  if (attr(tt, "intercept") == 0L && length(labels) == 1L) {
    return(factor_component(bar, tt, names(class)[is_factor], group, context, made))
  }
  new_term(bar, group, ranked_columns(bar, tt, names(class)[is_factor], group, context))
}

# ~ 0 + cask, ~ 0 + a:b, ~ 0 + cask:x
factor_component <- function(bar, tt, factors, group, context, made) {
  vars <- as.list(attr(tt, "variables"))[-1L]
  is_factor <- vapply(vars, var_name, "") %in% factors
  expr <- Reduce(function(a, b) call(":", a, b), vars[is_factor])
  factor <- make_factor(expr, context$frame, made)
  if (length(group$levels) > 1L) {
    name <- paste0(if (length(factors) > 1L) paste0("(", factor$name, ")") else factor$name, ":", group$name)
    factor <- c(list(name = name), cross_factors(factor, group))
  }
  numeric <- vars[!is_factor]
  columns <- if (length(numeric)) {
    lhs <- call("+", 0, Reduce(function(a, b) call(":", a, b), numeric))
    random_columns(lhs, context, bar$name)
  } else {
    intercept_column()
  }
  new_term(bar, factor, columns)
}

# Anything else, such as ~ cask or ~ 0 + cask + x: as in statsmodels, the design
# is made in each group from the levels that occur there.
ranked_columns <- function(bar, tt, factors, group, context) {
  frame <- context$frame
  for (name in factors) {
    rank <- rank_within(code_factor(.subset2(frame, name), name), group)
    if (max(rank) < 2L) {
      abort("vc_formula", paste0(
        "`vc_formula` (component ", quote_names(bar$name), "): the factor ",
        quote_names(name), " has only one level in every group."
      ), argument = "vc_formula")
    }
    if (max(rank) > 200L) {
      abort("vc_formula", paste0(
        "`vc_formula` (component ", quote_names(bar$name), "): ",
        quote_names(name), " has ", max(rank), " levels within a group; give ",
        "it a component of its own, ~ 0 + ", name, "."
      ), argument = "vc_formula")
    }
    rank <- factor(rank)
    attr(rank, "contrasts") <- "contr.treatment"
    frame[[name]] <- rank
  }
  z <- stats::model.matrix.default(tt, frame)
  contrasts <- attr(z, "contrasts")
  z <- z[, colSums(z != 0) > 0, drop = FALSE]
  attr(z, "dimnames") <- list(NULL, colnames(z))
  list(
    names = colnames(z), x_columns = NULL, z = plain_matrix(z, bar$name), terms = tt,
    contrasts = contrasts
  )
}

# --- order -----------------------------------------------------------------

# lme4 orders random terms by falling number of levels; when it has to, ties
# come out in reverse.
order_as_lme4 <- function(random) {
  of <- vapply(random$terms, `[[`, 0L, "factor")
  n_levels <- vapply(random$factors, function(f) length(f$levels), 0L)[of]
  vc <- vapply(random$terms, function(t) t$kind == "vc", NA)
  if (any(vc) || !any(diff(n_levels) > 0L)) {
    return(random)
  }
  random$terms <- random$terms[rev(order(n_levels))]
  of <- vapply(random$terms, `[[`, 0L, "factor")
  kept <- unique(of)
  random$factors <- random$factors[kept]
  for (k in seq_along(random$terms)) {
    random$terms[[k]]$factor <- match(of[k], kept)
  }
  random
}
