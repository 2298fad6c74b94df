# Model frame -> what the engine reads: y, X, weights, offset, coded factors and
# the random terms with their columns.

# -> "mixedlm_design":
#   x            n x p double with colnames, attributes assign and contrasts
#   y, weights, offset   n doubles (the last two or NULL)
#   factors      list of list(name, codes, levels)
#   terms        list of list(kind, name, factor, columns, structure, x_columns,
#                z, lhs_terms, bar): x_columns (0 for the constant) when X
#                holds the columns already, else z; bar: index into parsed$bars
#   frame, terms_fixed, xlevels, contrasts, na.action
#   contrasts_default    the option when the design was made
#   start        filled in by set_parameters(), as is `free` of each term
build_design <- function(parsed, frame, contrasts = NULL) {
  check_frame_kept(frame)
  full <- attr(frame, "terms")
  fixed <- frame_terms(stats::terms.formula(parsed$fixed), full, frame)
  check_response_left(fixed)
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
    contrasts_default = getOption("contrasts"),
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
  check_frame_kept(frame)
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
    if (!name %in% known) {
      warn("contrasts", paste0(
        "`contrasts` names ", quote_names(name), ", which is not in the fixed effects and is passed over.",
        suggest(name, known)
      ), argument = "contrasts")
      next
    }
    v <- .subset2(frame, name)
    if (!(is.factor(v) || is.character(v) || is.logical(v))) {
      abort("contrasts", paste0(
        "`contrasts` names ", quote_names(name), ", which is not a factor in ",
        "the fixed effects."
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

check_response_left <- function(fixed) {
  used <- attr(fixed, "factors")
  if (length(used) && attr(fixed, "response") == 1L && any(used[1L, ] > 0L)) {
    abort("formula", paste0(
      "The response ", quote_names(rownames(used)[1L]), " stands on the right of ",
      "`formula` too; take it out there."
    ), argument = "formula")
  }
}

response_vector <- function(frame) {
  y <- .subset2(frame, 1L)
  name <- names(frame)[1L]
  if (is.matrix(y) && ncol(y) == 1L) {
    y <- y[, 1L]
  }
  if (is.data.frame(y) || !is.null(dim(y)) && length(dim(y)) > 1L) {
    abort("response", paste0(
      "The response ", quote_names(name), " must be one numeric variable, not ",
      describe(y), ".", several_columns_hint
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

# Rows whose weight is far below the largest do not count in double precision;
# those that do must be more than the fixed effects.
check_weight_range <- function(weights, p) {
  if (rows_counted(weights) <= p) {
    abort_weights(weights, paste0("; there are ", p, " fixed effects"))
  }
}

# Inf when every row counts.
rows_counted <- function(weights) {
  if (is.null(weights) || max(weights) < 1e16 * min(weights)) Inf else sum(weights > 1e-16 * max(weights))
}

abort_weights <- function(weights, why) {
  counted <- rows_counted(weights)
  abort("weights", paste0(
    "`weights` differ so much, from ", format(min(weights), digits = 2L), " to ",
    format(max(weights), digits = 2L), ", that only ", counted,
    if (counted == 1L) " row counts" else " rows count", why, "."
  ), argument = "weights")
}

# A fit that is perfect only because few rows count is not what it seems.
explain_perfect_fit <- function(e, weights) {
  if (is.finite(rows_counted(weights))) {
    abort_weights(weights, paste0(": ", conditionMessage(e)))
  }
  stop(e)
}

check_offset_range <- function(offset, y) {
  if (is.null(offset)) {
    return(invisible())
  }
  size <- max(abs(offset))
  largest <- max(abs(y))
  if (isTRUE(size > 1e14 * stats::sd(y / largest) * largest)) {
    abort("offset", paste0(
      "`offset` reaches ", format(size, digits = 2L), ", so large that nothing is ",
      "left of the response beside it in double precision."
    ), argument = "offset")
  }
}

# --- the whole --------------------------------------------------------------

check_design <- function(design) {
  x <- design$x
  check_finite_matrix(x, "The predictor")
  n <- nrow(x)
  if (n <= ncol(x) && n <= qr(x)$rank) {
    abort("rows", sprintf(
      "There %s %d row%s for %d fixed effects in `formula`; more rows are needed than fixed effects.",
      if (n == 1L) "is" else "are", n, if (n == 1L) "" else "s", ncol(x)
    ), argument = "data")
  }
  check_weight_range(design$weights, ncol(x))
  check_offset_range(design$offset, design$y)
  design
}

# The columns of a random term, one row per row of the data.
term_columns_of <- function(design, term) {
  term$z %||% cbind(1, design$x)[, term$x_columns + 1L, drop = FALSE]
}
