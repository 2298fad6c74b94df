# New rows as the fit sees them: variables evaluated as they were for the fit,
# columns of the fixed and the random effects, levels of the grouping factors.

# What predict() and its kin know of some rows; `newdata` NULL for those of the fit.
#   n, rows         their number and names
#   na.action       which rows of newdata were left out, or NULL
#   x               n x (all columns of the fit), or NULL with fixed = FALSE
#   offset          n doubles, or 0; or NULL with fixed = FALSE
#   terms           per random term list(keep, factor, z): columns that count and their
#                   values, a vector (or 1) for each column of the term
#   factors         per factor list(codes, levels): codes beyond the levels of the fit for
#                   new ones, whose labels are `levels`; NA where unknown; NULL for a
#                   factor that no kept term needs
#   columns         the variables
prediction_rows <- function(fit, newdata = NULL, keep = re_form_columns(fit), fixed = TRUE,
                            allow.new.levels = FALSE, na.action = stats::na.pass, argument = "newdata",
                            response = FALSE) {
  needed <- needed_variables(fit, keep, fixed, response)
  if (is.null(newdata)) {
    own <- unclass(field(fit, "frame"))
    found <- list(
      n = length(field(fit, "y")), columns = own[needed$all], na.action = field(fit, "na.action"),
      rows = attr(own, "row.names")
    )
    if (fixed) {
      found$offset <- field(fit, "offset") %||% 0
    }
  } else {
    found <- newdata_columns(fit, newdata, needed, na.action, argument)
    if (fixed) {
      found$offset <- newdata_offset(fit, found, argument)
    }
  }
  found$factors <- matched_factors(fit, keep, found$columns, is.null(newdata), found$n)
  if (!allow.new.levels) {
    check_known_levels(fit, found, argument)
  }
  for (name in needed$design) {
    if (!is.null(newdata)) {
      reference <- .subset2(field(fit, "frame"), name)
      found$columns[[name]] <- like_fitted(found$columns[[name]], reference, name, argument)
    } else if (is.character(found$columns[[name]])) {
      found$columns[[name]] <- factor(found$columns[[name]])
    }
  }
  for (name in needed$idle) {
    reference <- .subset2(field(fit, "frame"), name)
    some <- like_fitted(head_of(reference), reference, name)
    found$columns[[name]] <- if (is.matrix(some)) some[rep.int(1L, found$n), , drop = FALSE] else rep(some, found$n)
  }
  if (fixed || needed$x) {
    tt <- predictor_terms(fit)
    found$x <- columns_matrix(tt, found$columns, found$n, field(fit, "contrasts"))
  }
  found$terms <- lapply(seq_along(keep), function(k) effect_columns(fit, k, keep[[k]], found, allow.new.levels, argument))
  found
}

# Names of the variables: `all` that are asked for; those that make columns (`design`);
# those that make columns which do not count, for which any value will do (`idle`);
# whether X is needed for the columns of a random term (`x`).
needed_variables <- function(fit, keep, fixed, response) {
  random <- field(fit, "random")
  in_x <- names(attr(predictor_terms(fit), "dataClasses"))
  design <- if (fixed) in_x
  all <- design
  groups <- list()
  shares_x <- FALSE
  for (k in which(lengths(keep) > 0L)) {
    how <- grouping_of(fit, k)
    groups <- c(groups, how$inner, how$group, lapply(how$ranked, as.name))
    if (only_ones(random[[k]], keep[[k]])) {
      next
    }
    shares_x <- shares_x || any(random[[k]]$x_columns > 0L)
    all <- c(all, setdiff(counting_variables(fit, k, keep[[k]]), how$ranked))
    design <- c(design, setdiff(names(attr(random[[k]]$lhs_terms, "dataClasses")), how$ranked))
  }
  if (shares_x) {
    design <- c(design, in_x)
  }
  parts <- unlist(lapply(groups, group_parts), recursive = FALSE)
  own <- vapply(parts, var_name, "")
  list(
    all = unique(c(if (response) names(field(fit, "frame"))[1L], all, own)),
    design = setdiff(design, setdiff(design, all)), idle = setdiff(design, all), x = shares_x
  )
}

# Whether the columns of a term that count are the intercept alone.
only_ones <- function(term, keep) {
  all(term$columns[keep] == "(Intercept)") && !identical(term$kind, "vc") ||
    !is.null(term$x_columns) && all(term$x_columns[keep] == 0L)
}

# The variables that the columns of a term are made of, of those that count.
counting_variables <- function(fit, k, keep) {
  term <- field(fit, "random")[[k]]
  tt <- term$lhs_terms
  names <- names(attr(tt, "dataClasses"))
  if (length(keep) == length(term$columns)) {
    return(names)
  }
  frame <- field(fit, "frame")
  one <- lapply(names, function(name) like_fitted(head_of(.subset2(frame, name)), .subset2(frame, name), name))
  assign <- attr(columns_matrix(tt, stats::setNames(one, names), 1L, term$contrasts), "assign")
  labels <- attr(tt, "term.labels")[unique(assign[keep])]
  used <- attr(tt, "factors")[, labels, drop = FALSE]
  names[rowSums(used > 0) > 0]
}

# The terms of the fixed effects without the response.
predictor_terms <- function(fit) {
  tt <- stats::delete.response(field(fit, "terms"))
  names <- vapply(as.list(attr(tt, "variables"))[-1L], var_name, "")
  attr(tt, "dataClasses") <- attr(tt, "dataClasses")[names]
  tt
}

# How the rows of a term are grouped: `group`, crossed with `inner`; and the names
# of factors that are told apart within each group.
grouping_of <- function(fit, k) {
  term <- field(fit, "random")[[k]]
  bar <- field(fit, "parsed")$bars[[term$bar]]
  out <- list(group = if (!is.null(bar$group)) list(bar$group))
  if (bar$kind != "vc") {
    return(out)
  }
  frame <- field(fit, "frame")
  tt <- design_terms(bar$lhs, "vc_formula", environment(field(fit, "terms")))
  tt <- frame_terms(tt, attr(frame, "terms"), frame)
  class <- attr(tt, "dataClasses")
  factors <- names(class)[is_factor_class(class)]
  if (!length(factors)) {
    return(out)
  }
  if (attr(tt, "intercept") == 0L && length(attr(tt, "term.labels")) == 1L) {
    vars <- as.list(attr(tt, "variables"))[-1L]
    vars <- vars[vapply(vars, var_name, "") %in% factors]
    out$inner <- list(Reduce(function(a, b) call(":", a, b), vars))
  } else {
    out$ranked <- factors
  }
  out
}

# --- variables ---------------------------------------------------------------

newdata_error <- function(argument, ..., variable = NULL) {
  abort("newdata", paste0(...), argument = argument, variable = variable)
}

# newdata as a data frame: also a list of columns, and a matrix for a fit of matrices.
as_newdata <- function(newdata, fit, argument) {
  if (is.matrix(newdata) && is.numeric(newdata)) {
    if (is.null(colnames(newdata)) && ncol(newdata) == length(field(fit, "columns"))) {
      colnames(newdata) <- field(fit, "columns")
    }
    newdata <- as.data.frame(newdata)
  }
  if (is.data.frame(newdata)) {
    return(with_shared_columns(newdata, fit))
  }
  if (is.list(newdata) && !is.object(newdata) && !is.null(names(newdata))) {
    if (length(unique(vapply(newdata, NROW, 0L))) > 1L) {
      newdata_error(argument, "`", argument, "` given as a list must have elements of one length.")
    }
    return(with_shared_columns(frame_of_list(newdata), fit))
  }
  newdata_error(
    argument, "`", argument, "` must be a data frame, or a list of columns, not ", describe(newdata), "."
  )
}

# A fit of matrices has the columns of `exog_re` under names of their own, also those
# that are columns of X: these need not be given twice. Nor need a column of ones.
with_shared_columns <- function(newdata, fit) {
  frame <- field(fit, "frame")
  if (is.null(field(fit, "call")$y) || is.null(frame)) {
    return(newdata)
  }
  given <- intersect(field(fit, "columns"), names(newdata))
  for (name in setdiff(names(frame)[-1L], names(newdata))) {
    v <- .subset2(frame, name)
    same <- Filter(function(other) identical(.subset2(frame, other), v), given)
    if (length(same)) {
      newdata[[name]] <- newdata[[same[1L]]]
    } else if (is.double(v) && is.null(dim(v)) && all(v == 1)) {
      newdata[[name]] <- rep.int(1, nrow(newdata))
    }
  }
  newdata
}

newdata_columns <- function(fit, newdata, needed, na.action, argument) {
  newdata <- as_newdata(newdata, fit, argument)
  n <- .row_names_info(newdata, 2L)
  full <- attr(field(fit, "frame"), "terms")
  env <- environment(full)
  places <- match(needed$all, names(field(fit, "frame")))
  columns <- lapply(seq_along(places), function(i) {
    name <- needed$all[i]
    if (identical(name, as.character(groups_symbol))) {
      return(given_groups(newdata, argument))
    }
    newdata_value(attr(full, "predvars")[[places[i] + 1L]], newdata, env, n, name, argument)
  })
  names(columns) <- needed$all
  keep_complete(columns, newdata, n, na.action, argument, env)
}

# Groups that were given to the fit as a vector.
given_groups <- function(newdata, argument) {
  for (name in c(as.character(groups_symbol), "Group")) {
    if (name %in% names(newdata)) {
      return(newdata[[name]])
    }
  }
  newdata_error(
    argument, "The fit was given its groups as a vector; `", argument,
    "` needs a column `Group` with the group of each row.", variable = "Group"
  )
}

newdata_value <- function(expr, newdata, env, n, name, argument) {
  absent <- Filter(function(v) !v %in% names(newdata) && !is_variable(v, NULL, env), all.vars(expr))
  not_there <- function() {
    newdata_error(
      argument, "The variable ", quote_names(absent[1L]), " is not in `", argument, "`.",
      suggest(absent[1L], names(newdata)),
      variable = absent[1L]
    )
  }
  # a function may stand where a variable could: C(f, contr.sum)
  if (length(absent) && (is.symbol(expr) || !all(vapply(absent, exists, NA, envir = env)))) {
    not_there()
  }
  value <- tryCatch(
    if (is.symbol(expr) && as.character(expr) %in% names(newdata)) newdata[[as.character(expr)]] else eval(expr, newdata, env),
    error = function(e) {
      if (length(absent)) {
        not_there()
      }
      newdata_error(
        argument, quote_names(name), " cannot be evaluated in `", argument, "`: ", conditionMessage(e), ".",
        variable = name
      )
    }
  )
  if (is.function(value)) {
    not_there()
  }
  if (NROW(value) != n) {
    missing <- setdiff(all.vars(expr), names(newdata))
    newdata_error(
      argument, if (length(missing)) {
        paste0("The variable ", quote_names(missing), " is not in `", argument, "`; where the formula was written it")
      } else {
        quote_names(name)
      }, " has ", NROW(value), " values for ", n, " rows.", variable = name
    )
  }
  value
}

# What na.action leaves of the rows. Columns are only copied when something is
# missing and has to go.
keep_complete <- function(columns, newdata, n, na.action, argument, env) {
  out <- list(
    n = n, columns = columns, data = newdata, rows = attr(newdata, "row.names"), env = env,
    all_rows = n
  )
  if (identical(na.action, stats::na.pass) || !any(vapply(columns, anyNA, NA))) {
    return(out)
  }
  frame <- structure(columns, class = "data.frame", row.names = out$rows)
  left <- tryCatch(na.action(frame), error = function(e) {
    abort("missing", paste0(
      "`", argument, "` has missing values, and `na.action` refuses them."
    ), argument = "na.action")
  })
  omitted <- attr(left, "na.action")
  if (is.null(omitted)) {
    return(out)
  }
  out$columns <- lapply(unclass(left)[names(columns)], identity)
  out$n <- n - length(omitted)
  out$rows <- attr(left, "row.names")
  out$na.action <- omitted
  out
}

# An argument of the fit's call, such as `offset`, for new rows: the column with the
# name that model frames give it, or the expression itself.
call_value <- function(fit, found, name, argument) {
  column <- paste0("(", name, ")")
  if (!column %in% names(field(fit, "frame"))) {
    return(NULL)
  }
  value <- if (column %in% names(found$data)) {
    found$data[[column]]
  } else {
    tryCatch(eval(field(fit, "call")[[name]], found$data, found$env), error = function(e) NULL)
  }
  if (length(value) == 1L) {
    value <- rep(value, found$all_rows)
  }
  if (!is.numeric(value) || length(value) != found$all_rows) {
    abort(name, paste0(
      "The fit has the argument `", name, "`, which cannot be evaluated for the rows of `", argument,
      "`: give its variables there, or its values as a column called \"", column, "\"."
    ), argument = argument)
  }
  if (length(found$na.action)) value[-found$na.action] else value
}

newdata_offset <- function(fit, found, argument) {
  tt <- predictor_terms(fit)
  names <- names(attr(tt, "dataClasses"))
  total <- call_value(fit, found, "offset", argument) %||% 0
  for (j in attr(tt, "offset")) {
    total <- total + as.double(found$columns[[names[j]]])
  }
  total
}

# --- random terms ----------------------------------------------------------------

# Columns of a term: a list with a vector for each column, 1 for a column of ones.
effect_columns <- function(fit, k, keep, found, allow.new.levels, argument) {
  term <- field(fit, "random")[[k]]
  out <- list(keep = keep, factor = term$factor)
  if (!length(keep)) {
    return(out)
  }
  q <- length(term$columns)
  if (only_ones(term, keep)) {
    out$z <- rep(list(1), q)
    return(out)
  }
  if (!is.null(term$x_columns)) {
    out$z <- lapply(term$x_columns, function(j) if (j == 0L) 1 else found$x[, j])
    return(out)
  }
  columns <- found$columns
  ranked <- grouping_of(fit, k)$ranked
  for (name in ranked) {
    columns[[name]] <- rank_new(fit, k, name, found, allow.new.levels, argument)
  }
  z <- columns_matrix(term$lhs_terms, columns, found$n, term$contrasts)
  # of a component only the columns that some row of the fit uses
  if (length(ranked)) {
    z <- z[, term$columns, drop = FALSE]
  }
  out$z <- lapply(seq_len(q), function(j) z[, j])
  out
}
