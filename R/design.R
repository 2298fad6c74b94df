# Model frame -> what the engine reads: y, X, weights, offset, coded factors and
# the random terms with their columns.

# -> "mixedlm_design":
#   x            n x p double with colnames, attributes assign and contrasts
#   y, weights, offset   n doubles (the last two or NULL)
#   factors      list of list(name, codes, levels)
#   terms        list of list(kind, name, factor, columns, structure, x_columns,
#                z, lhs_terms): x_columns (0 for the constant) when X holds the
#                columns already, else z
#   frame, terms_fixed, xlevels, contrasts, na.action
#   start        filled in by set_parameters(), as is `free` of each term
build_design <- function(parsed, frame, contrasts = NULL) {
  full <- attr(frame, "terms")
  fixed <- frame_terms(stats::terms.formula(parsed$fixed), full, frame)
  y <- response_vector(frame)
  x <- fixed_matrix(fixed, frame, contrasts)
  random <- build_terms(parsed$bars, fixed, frame, x, contrasts)
  if (is.null(parsed$groups)) {
    random <- order_as_lme4(random)
  }
  design <- list(
    x = x,
    y = y,
    weights = weight_vector(frame),
    offset = offset_vector(frame),
    factors = random$factors,
    terms = random$terms,
    frame = frame,
    terms_fixed = fixed,
    xlevels = levels_of(fixed, frame),
    contrasts = attr(x, "contrasts"),
    na.action = attr(frame, "na.action")
  )
  check_design(structure(design, class = "mixedlm_design"))
}

# Terms of a part of the model, with the predvars and classes that the frame of
# the whole model found, so that poly() and ns() predict correctly.
frame_terms <- function(tt, full, frame) {
  vars <- attr(tt, "variables")
  if (length(vars) == 1L) {
    attr(tt, "predvars") <- quote(list())
    return(tt)
  }
  name <- vapply(as.list(vars)[-1L], var_name, "")
  i <- match(name, names(frame))
  attr(tt, "predvars") <- attr(full, "predvars")[c(1L, i + 1L)]
  attr(tt, "dataClasses") <- attr(full, "dataClasses")[name]
  tt
}

# --- fixed effects ---------------------------------------------------------

# The columns that `tt` makes of the frame, without row names: n strings that
# nobody asked for. Taking them off afterwards would copy the matrix.
fixed_matrix <- function(tt, frame, contrasts) {
  check_predictors(tt, frame)
  check_contrasts(contrasts, tt, frame)
  tryCatch(
    stats::model.matrix.default(tt, matrix_frame(tt, frame, contrasts)),
    error = function(e) {
      abort(if (is.null(contrasts)) "data" else "contrasts", paste0(
        if (is.null(contrasts)) {
          "The design cannot be made from `formula`: "
        } else {
          "The design cannot be made with these `contrasts`: "
        },
        conditionMessage(e), "."
      ), argument = if (is.null(contrasts)) "formula" else "contrasts")
    }
  )
}

# The variables of `tt` in their order, factors with their contrasts set: what
# model.matrix() would make of the frame before it starts.
matrix_frame <- function(tt, frame, contrasts) {
  name <- names(attr(tt, "dataClasses"))
  if (!length(name)) {
    return(frame)
  }
  columns <- unclass(frame)[name]
  default <- getOption("contrasts")
  for (k in name[is_factor_class(attr(tt, "dataClasses"))]) {
    if (!identical(k, response_name(tt))) {
      columns[[k]] <- set_contrasts(columns[[k]], contrasts[[k]], default)
    }
  }
  structure(columns, names = name, class = "data.frame", terms = attr(frame, "terms"))
}

is_factor_class <- function(class) {
  class %in% c("factor", "ordered", "character", "logical")
}

set_contrasts <- function(v, given, default) {
  if (is.character(v)) {
    v <- factor(v)
  } else if (is.logical(v)) {
    v <- factor(v, levels = c(FALSE, TRUE))
  }
  if (is.matrix(given)) {
    stats::contrasts(v, ncol(given)) <- given
  } else if (!is.null(given)) {
    stats::contrasts(v) <- given
  } else if (is.null(attr(v, "contrasts"))) {
    stats::contrasts(v) <- default[[1L + is.ordered(v)]]
  }
  v
}

# Factors in the fixed effects need two levels: say which one has not.
check_predictors <- function(tt, frame) {
  class <- attr(tt, "dataClasses")
  factors <- setdiff(names(class)[is_factor_class(class)], response_name(tt))
  for (name in factors) {
    v <- .subset2(frame, name)
    n_levels <- if (is.factor(v)) nlevels(v) else if (is.logical(v)) 2L else length(unique(v))
    if (n_levels < 2L) {
      abort("data", paste0(
        "The factor ", quote_names(name), " in `formula` has only one level ",
        "in the rows that are used."
      ), argument = "formula", variable = name)
    }
  }
}

response_name <- function(tt) {
  if (attr(tt, "response") == 1L) var_name(attr(tt, "variables")[[2L]]) else ""
}

check_contrasts <- function(contrasts, fixed, frame) {
  if (is.null(contrasts)) {
    return(invisible())
  }
  if (!is.list(contrasts) || is.null(names(contrasts)) || any(!nzchar(names(contrasts)))) {
    abort("contrasts", paste0(
      "`contrasts` must be a named list, as in list(treatment = \"contr.sum\"), ",
      "not ", describe(contrasts), "."
    ), argument = "contrasts")
  }
  known <- names(attr(fixed, "dataClasses"))
  for (name in names(contrasts)) {
    v <- if (name %in% known) .subset2(frame, name)
    if (!(is.factor(v) || is.character(v) || is.logical(v))) {
      abort("contrasts", paste0(
        "`contrasts` names ", quote_names(name), ", which is not a factor in ",
        "the fixed effects.", suggest(name, known)
      ), argument = "contrasts")
    }
  }
}

levels_of <- function(tt, frame) {
  class <- attr(tt, "dataClasses")
  if (!any(class %in% c("factor", "ordered", "character"))) {
    return(NULL)
  }
  stats::.getXlevels(tt, frame)
}

# --- response, weights, offset ---------------------------------------------

response_vector <- function(frame) {
  y <- .subset2(frame, 1L)
  name <- names(frame)[1L]
  if (is.matrix(y) && ncol(y) == 1L) {
    y <- y[, 1L]
  }
  if (is.data.frame(y) || !is.null(dim(y)) && length(dim(y)) > 1L) {
    abort("response", paste0(
      "The response ", quote_names(name), " must be one numeric variable, not ",
      describe(y), "."
    ), argument = "formula")
  }
  if (!(is.numeric(y) || is.logical(y)) || is.factor(y)) {
    abort("response", paste0(
      "The response ", quote_names(name), " must be numeric, not ",
      if (is.factor(y)) "a factor" else describe(y), "."
    ), argument = "formula")
  }
  y <- as.double(y)
  check_finite_vector(y, paste0("The response ", quote_names(name)), "response")
  if (length(y) > 1L && min(y) == max(y)) {
    abort("response", paste0(
      "The response ", quote_names(name), " does not vary: all ", length(y),
      " values are ", format(y[1L]), "."
    ), argument = "formula")
  }
  y
}

weight_vector <- function(frame) {
  w <- .subset2(frame, "(weights)")
  if (is.null(w)) NULL else as.double(w)
}

offset_vector <- function(frame) {
  for (j in c(attr(attr(frame, "terms"), "offset"), match("(offset)", names(frame), 0L))) {
    if (j > 0L) {
      check_offset(.subset2(frame, j))
    }
  }
  offset <- stats::model.offset(frame)
  if (is.null(offset)) {
    return(NULL)
  }
  offset <- as.double(offset)
  check_finite_vector(offset, "`offset`", "offset")
  offset
}

# A sum tells in one pass whether there is anything to look for.
check_finite_vector <- function(v, what, class) {
  if (is.finite(sum(v))) {
    return(invisible())
  }
  if (anyNA(v)) {
    abort("missing", paste0(
      what, " has missing values that `na.action` left in place."
    ), argument = "na.action")
  }
  if (any(is.infinite(v))) {
    abort("infinite", paste0(what, " has infinite values."), argument = class)
  }
}

check_finite_matrix <- function(x, what) {
  if (is.finite(sum(x))) {
    return(invisible())
  }
  for (j in seq_len(ncol(x))) {
    check_finite_vector(
      x[, j], paste(what, quote_names(colnames(x)[j])), "formula"
    )
  }
}

# --- random terms ----------------------------------------------------------

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
    x_columns = columns$x_columns, z = columns$z, lhs_terms = columns$terms
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
    check_not_zero(context$x[, x_columns[x_columns > 0L], drop = FALSE], name)
    return(out)
  }
  z <- fixed_matrix(tt, context$frame, NULL)
  list(names = colnames(z), x_columns = NULL, z = plain_matrix(z, name), terms = tt)
}

intercept_column <- function() {
  list(names = "(Intercept)", x_columns = 0L, z = NULL, terms = NULL)
}

plain_matrix <- function(z, name) {
  check_finite_matrix(z, "The random-effects column")
  check_not_zero(z, name)
  dim <- dim(z)
  dimnames <- dimnames(z)
  attributes(z) <- NULL
  dim(z) <- dim
  dimnames(z) <- dimnames
  z
}

check_not_zero <- function(z, name) {
  for (j in seq_len(ncol(z))) {
    # the first rows settle it almost always
    if (z[1L, j] == 0 && !any(z[, j] != 0)) {
      abort("design", paste0(
        "The random-effects column ", quote_names(colnames(z)[j]), " of ",
        quote_names(name), " is zero in every row."
      ), argument = "formula")
    }
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
  z <- z[, colSums(z != 0) > 0, drop = FALSE]
  attr(z, "dimnames") <- list(NULL, colnames(z))
  list(names = colnames(z), x_columns = NULL, z = plain_matrix(z, bar$name), terms = tt)
}

# --- order and checks ------------------------------------------------------

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

check_design <- function(design) {
  x <- design$x
  check_finite_matrix(x, "The predictor")
  n <- nrow(x)
  if (n <= ncol(x) && n <= qr(x)$rank) {
    abort("rows", sprintf(
      "There are %d rows for %d fixed effects in `formula`; more rows are needed than fixed effects.",
      n, ncol(x)
    ), argument = "data")
  }
  design
}
