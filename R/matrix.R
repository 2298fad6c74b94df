# The matrix interface, sm.MixedLM(endog, exog, groups, exog_re, exog_vc): the
# matrices become columns of one data frame with statsmodels' names, and the
# model a formula over them. From there on nothing knows the difference.

# -> list(data, fixed, groups, re_formula, vc_formula, re_names)
matrix_model <- function(x, y, groups, exog_re, exog_vc) {
  x <- as_exog(x, "X")
  n <- nrow(x)
  colnames(x) <- make.unique(given_names(x, exog_names(x)))
  y <- check_endog(y, n)
  data <- matrix_columns(x)
  y_name <- new_name("y", names(data))
  data[[y_name]] <- y
  fixed <- make_formula(as.name(y_name), sum_of(colnames(x)), globalenv())

  if (!is.null(groups)) {
    check_rows(groups, "groups", n)
    group_name <- new_name("Group", names(data))
    data[[group_name]] <- groups
    groups <- list(expr = as.name(group_name), label = "Group")
  }
  re_formula <- NULL
  if (!is.null(exog_re)) {
    re <- as_exog(exog_re, "exog_re")
    check_rows(re, "exog_re", n)
    colnames(re) <- given_names(re, paste0("x_re", seq_len(ncol(re))))
    inner <- make.unique(c(names(data), colnames(re)))[length(data) + seq_len(ncol(re))]
    data[inner] <- matrix_columns(re)
    re_formula <- make_formula(NULL, sum_of(inner), globalenv())
  }
  vc <- vc_columns(exog_vc, n, names(data), groups, data)
  data[names(vc$columns)] <- vc$columns
  list(
    data = as_frame(data, n), fixed = fixed, groups = groups,
    re_formula = re_formula, vc_formula = vc$formula,
    re_names = if (!is.null(exog_re)) colnames(re), x_names = colnames(x)
  )
}

# statsmodels' names: `const` for a constant column, x1, x2, ... for the others.
exog_names <- function(x) {
  constant <- which(apply(x, 2L, function(v) isTRUE(min(v) == max(v))))
  p <- ncol(x)
  if (!length(constant)) {
    return(paste0("x", seq_len(p)))
  }
  out <- character(p)
  out[constant[1L]] <- "const"
  out[-constant[1L]] <- paste0("x", seq_len(p - 1L))
  out
}

# The names that columns have, others where they have none: cbind(1, Time).
given_names <- function(x, otherwise) {
  name <- colnames(x)
  if (is.null(name)) {
    return(otherwise)
  }
  ifelse(is.na(name) | !nzchar(name), otherwise, name)
}

as_exog <- function(x, argument) {
  if (is.data.frame(x)) {
    numeric <- vapply(x, function(v) (is.numeric(v) || is.logical(v)) && !is.factor(v), NA)
    if (!all(numeric)) {
      abort("argument", paste0(
        "`", argument, "` must have numeric columns only; ",
        quote_names(names(x)[!numeric]), " is not. Use a formula for factors."
      ), argument = argument)
    }
    x <- as.matrix(x)
    rownames(x) <- NULL
  }
  if (is.null(dim(x)) && is.atomic(x)) {
    x <- matrix(x, ncol = 1L)
  }
  if (!is.matrix(x) || !(is.numeric(x) || is.logical(x))) {
    abort("argument", paste0(
      "`", argument, "` must be a numeric matrix, not ", describe(x), "."
    ), argument = argument)
  }
  if (!ncol(x) || !nrow(x)) {
    abort("argument", sprintf(
      "`%s` must have rows and columns; it is %d x %d.", argument, nrow(x), ncol(x)
    ), argument = argument)
  }
  storage.mode(x) <- "double"
  x
}

check_endog <- function(y, n) {
  if (inherits(y, "formula")) {
    abort("argument", paste0(
      "The formula must come first: mixedlm(formula, data, ...)."
    ), argument = "y")
  }
  if (is.matrix(y) && ncol(y) == 1L) {
    y <- y[, 1L]
  }
  if (!(is.numeric(y) || is.logical(y)) || is.factor(y) || !is.null(dim(y))) {
    abort("response", paste0(
      "`y` must be a numeric vector, not ", describe(y), ".",
      if (NCOL(y) > 1L) several_columns_hint
    ), argument = "y")
  }
  check_rows(y, "y", n)
  unname(y)
}

check_rows <- function(v, argument, n) {
  if (NROW(v) != n) {
    abort(if (argument == "groups") "groups" else "argument", sprintf(
      "`%s` must have one value for each of the %d rows of `X`, not %d.",
      argument, n, NROW(v)
    ), argument = argument)
  }
}

matrix_columns <- function(x) {
  out <- lapply(seq_len(ncol(x)), function(j) unname(x[, j]))
  names(out) <- colnames(x)
  out
}

# Matrix columns stay matrices.
as_frame <- function(columns, n) {
  structure(columns, class = "data.frame", row.names = .set_row_names(n))
}

new_name <- function(name, taken) {
  make.unique(c(taken, name))[length(taken) + 1L]
}

# The sum of columns by their names, without an intercept.
sum_of <- function(names) {
  Reduce(function(a, b) call("+", a, b), lapply(names, as.name), 0)
}

# A factor or strings: one random effect for each value; numbers: one for each
# column; a list with one matrix for each group: statsmodels' dictionary.
vc_columns <- function(exog_vc, n, taken, groups, data) {
  if (is.null(exog_vc)) {
    return(list(columns = NULL, formula = NULL))
  }
  if (inherits(exog_vc, "mixedlm_vc_spec")) {
    exog_vc <- spec_as_list(exog_vc, groups, data)
  }
  if (!is.list(exog_vc) || is.data.frame(exog_vc) && !length(exog_vc) ||
    is.null(names(exog_vc)) || any(!nzchar(names(exog_vc)))) {
    abort("argument", paste0(
      "`exog_vc` must be a named list with one factor or matrix for each ",
      "variance component, not ", describe(exog_vc), "."
    ), argument = "exog_vc")
  }
  inner <- make.unique(c(taken, names(exog_vc)))[length(taken) + seq_along(exog_vc)]
  columns <- lapply(names(exog_vc), function(name) {
    v <- exog_vc[[name]]
    if (is.list(v) && !is.data.frame(v)) {
      v <- stack_by_group(v, name, n, groups, data)
    }
    if (is.data.frame(v)) {
      v <- as_exog(v, "exog_vc")
    }
    if (!is.atomic(v) || is.null(v)) {
      abort("argument", paste0(
        "`exog_vc` (component ", quote_names(name), ") must be a factor, a ",
        "vector or a matrix, not ", describe(v), "."
      ), argument = "exog_vc")
    }
    check_rows(v, "exog_vc", n)
    if (is.matrix(v)) {
      rownames(v) <- NULL
      if (is.null(colnames(v))) colnames(v) <- seq_len(ncol(v))
    }
    v
  })
  names(columns) <- inner
  formula <- lapply(inner, function(v) make_formula(NULL, sum_of(v), globalenv()))
  names(formula) <- names(exog_vc)
  list(columns = columns, formula = formula)
}

# One matrix for each group, its rows in the order of the group's rows.
stack_by_group <- function(mats, name, n, groups, data) {
  if (is.null(groups)) {
    abort("argument", "`exog_vc` by group needs `groups`.", argument = "exog_vc")
  }
  group <- as.character(data[[as.character(groups$expr)]])
  levels <- unique(group)
  ok <- !is.null(names(mats)) && all(levels %in% names(mats)) &&
    all(vapply(levels, function(g) NROW(mats[[g]]) == sum(group == g), NA))
  if (!ok) {
    abort("argument", paste0(
      "`exog_vc` (component ", quote_names(name), ") must have one matrix for ",
      "each group, named after it, with as many rows as the group."
    ), argument = "exog_vc")
  }
  out <- matrix(0, n, max(vapply(mats[levels], NCOL, 0L)))
  for (g in levels) {
    m <- as.matrix(mats[[g]])
    out[group == g, seq_len(ncol(m))] <- m
  }
  out
}

# Names as the caller knows them, and columns of exog_re that X holds already.
finish_matrix_design <- function(design, model) {
  colnames(design$x) <- model$x_names
  if (is.null(model$re_names)) {
    return(design)
  }
  term <- design$terms[[1L]]
  term$columns <- model$re_names
  z <- if (is.null(term$z)) cbind(1, design$x)[, term$x_columns + 1L, drop = FALSE] else term$z
  j <- apply(z, 2L, function(v) {
    if (v[1L] == 1 && all(v == 1)) {
      return(0L)
    }
    same <- which(vapply(seq_len(ncol(design$x)), function(i) {
      v[1L] == design$x[1L, i] && identical(v, design$x[, i])
    }, NA))
    if (length(same)) same[1L] else NA_integer_
  })
  if (anyNA(j)) {
    colnames(term$z) <- model$re_names
  } else {
    term$x_columns <- as.integer(j)
    term["z"] <- list(NULL)
  }
  design$terms[[1L]] <- term
  design
}
