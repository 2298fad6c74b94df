# The one model frame of a fit: every variable of every part of the model,
# evaluated once, with subset, missing values, weights and offset settled.

# -> data.frame as stats::model.frame() makes it, with its "terms" (of
# parsed$variables) and "na.action". `values` is a list of already evaluated
# weights, offset, subset and groups, each NULL when absent.
model_frame <- function(parsed, data, values = list(), na.action = NULL) {
  variables <- parsed$variables
  n <- if (is.data.frame(data)) nrow(data) else NA_integer_
  values$subset <- check_subset(values$subset, n, if (is.data.frame(data)) row.names(data))
  check_length(values$weights, "weights", n)
  check_length(values$offset, "offset", n)
  check_length(values$groups, "groups", n)
  check_weights(values$weights, values$subset)
  check_offset(values$offset)

  make <- list(quote(stats::model.frame.default), formula = quote(variables))
  if (!is.null(data)) {
    make$data <- quote(data)
  }
  if (!is.null(na.action)) {
    na.action <- check_na_action(na.action)
  }
  for (name in c("subset", "weights", "offset", "groups")) {
    if (!is.null(values[[name]])) {
      make[[name]] <- values[[name]]
    }
  }
  frame <- tryCatch(
    make_frame(make, variables, data, na.action),
    error = function(e) frame_error(e, parsed, data, na.action)
  )
  frame <- drop_zero_weights(frame)
  if (nrow(frame) == 0L) {
    abort("rows", paste0(
      "No rows are left", rows_lost(frame), "."
    ), argument = "data")
  }
  drop_unused_levels(frame)
}

# na.omit() copies every column even when nothing is missing, so it is only
# called when something is.
make_frame <- function(make, variables, data, na.action) {
  standard <- is.null(na.action) || identical(na.action, stats::na.omit) ||
    identical(na.action, stats::na.exclude) || identical(na.action, stats::na.fail)
  if (standard) {
    make$na.action <- quote(stats::na.pass)
    frame <- eval(as.call(make))
    if (!any(vapply(frame, anyNA, NA))) {
      return(frame)
    }
  }
  make$na.action <- na.action
  eval(as.call(make))
}

rows_lost <- function(frame) {
  lost <- length(attr(frame, "na.action"))
  if (lost) sprintf(": all %d have a missing value in some variable", lost) else " in the data"
}

# Evaluates an argument as lm() evaluates `weights`: among the columns of data,
# then where the formula was written, and at last where the call was made.
data_value <- function(expr, data, env, promise, argument) {
  if (is.null(expr) || is.numeric(expr) || is.logical(expr)) {
    return(expr)
  }
  value <- tryCatch(
    eval(expr, data, env),
    error = function(e) {
      tryCatch(promise(), error = function(e2) {
        abort(argument, paste0(
          "`", argument, "` cannot be evaluated: ", conditionMessage(e), "."
        ), argument = argument)
      })
    }
  )
  if (is.function(value)) {
    value <- tryCatch(promise(), error = function(e) value)
  }
  value
}

# --- groups ----------------------------------------------------------------

# statsmodels' three ways (a column's name, a vector, and here also a one-sided
# formula), and the bare name of a column.
# -> list(expr, label, value): value only for a vector.
resolve_groups <- function(expr, data, env, caller, promise) {
  if (is.null(expr)) {
    return(NULL)
  }
  columns <- if (is.list(data)) names(data) else character()
  if (is.symbol(expr) && as.character(expr) %in% columns) {
    check_unambiguous(expr, data, caller)
    return(list(expr = expr, label = as.character(expr)))
  }
  value <- group_value(expr, data, caller, promise, columns)
  if (is.null(value)) {
    return(NULL)
  }
  if (inherits(value, "formula")) {
    return(groups_from_formula(value))
  }
  if (is_string(value)) {
    return(groups_from_name(value, data, env, columns))
  }
  if (is_flag(value)) {
    abort("groups", paste0("`groups` is ", value, ". If that was meant for lmer()'s third argument, write REML = ", value, "."),
      argument = "groups"
    )
  }
  if (!is.atomic(value) || !is.null(dim(value))) {
    abort("groups", paste0(
      "`groups` must be the name of a column, a one-sided formula or a vector ",
      "with one value for each row, not ", describe(value), "."
    ), argument = "groups")
  }
  list(expr = groups_symbol, label = "Group", value = value)
}

group_value <- function(expr, data, caller, promise, columns) {
  tryCatch(
    if (is.call(expr) && is.list(data)) eval(expr, data, caller) else promise(),
    mixedlm_error = stop,
    error = function(e) {
      name <- all.vars(expr)
      abort("groups", paste0(
        "`groups` cannot be evaluated: ", conditionMessage(e), ".",
        if (length(name)) suggest(name[1L], columns)
      ), argument = "groups")
    }
  )
}

# A bare name that is both a column and a variable of the caller: refuse to
# guess, unless they are the same.
check_unambiguous <- function(expr, data, caller) {
  name <- as.character(expr)
  while (!identical(caller, emptyenv())) {
    if (exists(name, envir = caller, inherits = FALSE)) {
      value <- get(name, envir = caller, inherits = FALSE)
      if (!is.function(value) && !identical(value, data[[name]])) {
        abort("groups", paste0(
          "`groups = ", name, "` is ambiguous: ", quote_names(name),
          " is a column of `data` and another variable. Write groups = \"",
          name, "\" for the column."
        ), argument = "groups")
      }
      return(invisible())
    }
    if (identical(caller, globalenv())) {
      return(invisible())
    }
    caller <- parent.env(caller)
  }
}

groups_from_formula <- function(value) {
  if (length(value) != 2L) {
    abort("groups", paste0(
      "`groups` must be a one-sided formula, as in ~ subject; found ",
      one_line(value), "."
    ), argument = "groups")
  }
  expr <- strip_parens(value[[2L]])
  check_group(expr, "groups")
  list(expr = expr, label = var_name(expr))
}

groups_from_name <- function(name, data, env, columns) {
  found <- name %in% columns || is_variable(name, data, env)
  if (!found) {
    abort("groups", paste0(
      "`groups` names the column ", quote_names(name), ", which ",
      if (is.null(data)) "does not exist." else "is not in `data`.",
      suggest(name, columns)
    ), argument = "groups")
  }
  list(expr = as.name(name), label = name)
}

is_variable <- function(name, data, env) {
  if (!nzchar(name)) {
    return(FALSE)
  }
  if (is.environment(data) && exists(name, envir = data)) {
    return(!is.function(get(name, envir = data)))
  }
  exists(name, envir = env) && !is.function(get(name, envir = env))
}

# --- checks ----------------------------------------------------------------

# A data frame of columns, matrices among them, that have one number of rows.
frame_of_list <- function(x) {
  structure(x, class = "data.frame", row.names = .set_row_names(if (length(x)) NROW(x[[1L]]) else 0L))
}

check_data <- function(data) {
  if (is.null(data) || is.data.frame(data) || is.environment(data)) {
    return(data)
  }
  if (is.list(data)) {
    size <- unique(vapply(data, NROW, 0L))
    if (is.null(names(data)) || length(size) > 1L) {
      abort("data", paste0(
        "`data` given as a list must have named elements of one length."
      ), argument = "data")
    }
    return(frame_of_list(data))
  }
  abort("data", paste0(
    "`data` must be a data frame, a list or an environment, not ",
    describe(data), "."
  ), argument = "data")
}

check_length <- function(value, argument, n) {
  if (is.null(value)) {
    return(invisible())
  }
  if (!is.na(n) && NROW(value) != n) {
    abort(argument, sprintf(
      "`%s` must have one value for each of the %d rows of `data`, not %d.%s",
      argument, n, NROW(value),
      if (is_string(value) && argument != "groups") " The name of a column goes without quotes." else ""
    ), argument = argument)
  }
}

check_subset <- function(subset, n, row_names = NULL) {
  if (is.null(subset)) {
    return(NULL)
  }
  if (!is.null(dim(subset)) || !(is.logical(subset) || is.numeric(subset) || is.character(subset))) {
    abort("subset", paste0(
      "`subset` must be a logical vector or the numbers of rows, not ",
      describe(subset), "."
    ), argument = "subset")
  }
  if (is.character(subset)) {
    unknown <- setdiff(subset, row_names)
    if (!is.null(row_names) && length(unknown)) {
      abort("subset", paste0(
        "`subset` names rows that `data` does not have: ", quote_names(unknown), "."
      ), argument = "subset")
    }
    return(subset)
  }
  if (is.logical(subset)) {
    if (!is.na(n) && length(subset) != n) {
      abort("subset", sprintf(
        "`subset` must have one value for each of the %d rows of `data`, not %d.",
        n, length(subset)
      ), argument = "subset")
    }
    return(subset & !is.na(subset))
  }
  if (is.numeric(subset) && (anyNA(subset) || any(is.infinite(subset)) ||
    (!is.na(n) && any(abs(subset) > n)))) {
    abort("subset", paste0(
      "`subset` has row numbers that are missing or not among the rows of `data`."
    ), argument = "subset")
  }
  subset
}

check_weights <- function(weights, subset = NULL) {
  if (is.null(weights)) {
    return(invisible())
  }
  if (!is.numeric(weights) || is.object(weights) || !is.null(dim(weights))) {
    abort("weights", paste0(
      "`weights` must be a numeric vector, not ", describe(weights), "."
    ), argument = "weights")
  }
  if (!is.null(subset) && !is.character(subset)) {
    weights <- weights[subset]
  }
  bad <- if (anyNA(weights)) {
    "missing"
  } else if (any(is.infinite(weights))) {
    "infinite"
  } else if (any(weights < 0)) {
    "negative"
  }
  if (!is.null(bad)) {
    abort("weights", paste0(
      "`weights` must be finite and not negative; some are ", bad, "."
    ), argument = "weights")
  }
}

check_offset <- function(offset) {
  if (is.null(offset)) {
    return(invisible())
  }
  if (!is.numeric(offset) || is.object(offset) || NCOL(offset) != 1L) {
    abort("offset", paste0(
      "`offset` must be a numeric vector, not ", describe(offset), "."
    ), argument = "offset")
  }
  if (any(is.infinite(offset))) {
    abort("offset", "`offset` has infinite values.", argument = "offset")
  }
}

check_na_action <- function(na.action) {
  if (is.function(na.action)) {
    return(na.action)
  }
  if (is_string(na.action) && nzchar(na.action) && exists(na.action, mode = "function")) {
    return(get(na.action, mode = "function"))
  }
  abort("na_action", paste0(
    "`na.action` must be a function such as na.omit, or its name, not ",
    describe(na.action), "."
  ), argument = "na.action")
}

# model.frame() failed: say why in terms of what the user gave.
frame_error <- function(e, parsed, data, na.action) {
  env <- environment(parsed$variables)
  columns <- if (is.list(data)) names(data) else character()
  for (name in all.vars(parsed$variables)) {
    if (!name %in% columns && !is_variable(name, data, env)) {
      abort("data", paste0(
        "The variable ", quote_names(name), " is neither in `data` nor where ",
        "`formula` was written.", suggest(name, columns),
        missing_variable_hint(name, parsed, data)
      ), argument = "data", variable = name)
    }
  }
  action <- if (is.null(na.action)) getOption("na.action") else na.action
  if (identical(action, "na.fail") || identical(action, stats::na.fail)) {
    abort("missing", paste0(
      "The data have missing values, and `na.action` is na.fail."
    ), argument = "na.action")
  }
  abort("data", paste0(
    "The model frame cannot be made from `formula` and `data`: ",
    conditionMessage(e), ".",
    if ("C" %in% all.names(parsed$variables)) " What C(x) is in Python is factor(x) in R.",
    missing_variable_hint(setdiff(all.vars(parsed$response), columns)[1L], parsed, data)
  ), argument = "data")
}

# --- after the frame -------------------------------------------------------

# A row of weight zero says nothing; it goes as if `subset` had left it out.
drop_zero_weights <- function(frame) {
  w <- frame[["(weights)"]]
  if (is.null(w) || all(w > 0)) {
    return(frame)
  }
  zero <- which(w == 0)
  inform("weights", sprintf(
    "%d row%s with weight zero left out.",
    length(zero), if (length(zero) == 1L) "" else "s"
  ))
  keep <- attributes(frame)[c("terms", "na.action")]
  omitted <- keep$na.action
  if (!is.null(omitted)) {
    # positions among the rows that remain when those of weight zero are gone
    before <- seq_len(nrow(frame) + length(omitted))[-omitted][zero]
    new <- omitted - findInterval(omitted, before)
    keep$na.action <- structure(new, names = names(omitted), class = class(omitted))
  }
  frame <- frame[-zero, , drop = FALSE]
  attr(frame, "terms") <- keep$terms
  attr(frame, "na.action") <- keep$na.action
  frame
}

# As model.frame(drop.unused.levels = TRUE), without a copy of any factor that
# has no unused level.
drop_unused_levels <- function(frame) {
  for (j in seq_along(frame)) {
    v <- .subset2(frame, j)
    if (is.factor(v) && !all(tabulate(v, nlevels(v)) > 0L)) {
      frame[[j]] <- v[, drop = TRUE]
    }
  }
  frame
}
