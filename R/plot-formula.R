# plot(fit, formula): the formula is evaluated with `.` for the fit and drawn by
# lattice, as nlme and lme4 document it.

lattice_plot <- function(fit, form, id, idLabels, abline, grid, ...) {
  check_plot_formula(form)
  need_package("lattice", "plot() with a formula")
  check_line(abline)
  parts <- formula_parts(form)
  values <- lapply(parts$all, plot_variable, fit, environment(form))
  labels <- make.unique(vapply(parts$all, one_line, ""))
  n_conditions <- length(parts$conditions)
  own <- length(values) - n_conditions
  values[own + seq_len(n_conditions)] <- lapply(values[own + seq_len(n_conditions)], as_condition)
  data <- stats::setNames(structure(values, class = "data.frame", row.names = seq_len(nobs(fit))), labels)
  marked <- marked_rows(fit, id, idLabels)
  draw_lattice(parts, data, vapply(parts$all, axis_name, ""), marked, abline, grid, ...)
}

check_plot_formula <- function(form) {
  if (inherits(form, "formula")) {
    return(invisible())
  }
  hint <- if (is.character(form)) " Pictures with a name are asked for as which = \"...\"." else ""
  abort("argument", paste0(
    "`form` must be a formula, such as resid(.) ~ fitted(.); found ", describe(form), ".", hint
  ), argument = "form")
}

check_line <- function(abline) {
  if (!is.null(abline) && !(is.numeric(abline) && length(abline) %in% 1:2 && all(is.finite(abline)))) {
    abort("argument", paste0(
      "`abline` must be the height of a line, or its intercept and slope; found ", describe(abline), "."
    ), argument = "abline")
  }
}

# y ~ x | a + b -> list(sides = list(y, x), conditions = list(a, b), all)
formula_parts <- function(form) {
  right <- form[[length(form)]]
  conditions <- list()
  if (is.call(right) && identical(right[[1L]], as.name("|"))) {
    conditions <- summands(right[[3L]])
    right <- right[[2L]]
  }
  sides <- c(if (length(form) == 3L) list(form[[2L]]), list(right))
  list(sides = sides, conditions = conditions, all = c(sides, conditions))
}

summands <- function(expr) {
  if (is.call(expr) && length(expr) == 3L && as.character(expr[[1L]]) %in% c("+", "*")) {
    return(c(summands(expr[[2L]]), summands(expr[[3L]])))
  }
  list(expr)
}

# The value of a part of the formula over the rows of the fit. The fit it sees does
# not pad for missing rows.
plot_variable <- function(expr, fit, env) {
  seen <- fit
  if (!is.null(field(fit, "na.action"))) {
    class(seen$na.action) <- "omit"
  }
  value <- tryCatch(
    eval(expr, c(list(. = seen), variables_of_rows(fit)), env),
    error = function(e) plot_variable_error(expr, conditionMessage(e), fit)
  )
  if (length(value) == 1L && nobs(fit) > 1L && is.atomic(value)) {
    value <- rep(value, nobs(fit))
  }
  if (!is.atomic(value) || is.null(value) || !is.null(dim(value)) || length(value) != nobs(fit)) {
    plot_variable_error(expr, paste0("it is ", describe(value), ", not a vector with one value for each of the ",
      nobs(fit), " rows"), fit)
  }
  if (is.character(value) || is.logical(value)) factor(value) else value
}

plot_variable_error <- function(expr, why, fit) {
  name <- setdiff(all.vars(expr), ".")
  known <- names(variables_of_rows(fit))
  unknown <- setdiff(name, known)
  abort("argument", paste0(
    "`form` has a part that cannot be used, ", one_line(expr), ": ", why, ".",
    if (length(unknown)) suggest(unknown[1L], known)
  ), argument = "form")
}

as_condition <- function(value) {
  if (inherits(value, "shingle") || is.factor(value)) value else factor(value)
}

# The variables of the data at the rows of the fit; those of the model are as the fit has them.
variables_of_rows <- function(fit) {
  frame <- as.list(field(fit, "frame"))
  data <- data_of_fit(fit)
  if (!is.data.frame(data)) {
    return(frame)
  }
  at <- match(row.names(field(fit, "frame")), row.names(data))
  if (anyNA(at) || !same_data(field(fit, "frame"), data, at)) {
    return(frame)
  }
  more <- setdiff(names(data), names(frame))
  c(frame, lapply(stats::setNames(more, more), function(name) {
    value <- data[[name]]
    if (is.null(dim(value))) value[at] else value[at, , drop = FALSE]
  }))
}

# Whether the numbers in the data are still those that were fitted.
same_data <- function(frame, data, at) {
  shared <- Filter(function(v) is.numeric(frame[[v]]) && is.numeric(data[[v]]) && is.null(dim(frame[[v]])), intersect(names(frame), names(data)))
  all(vapply(shared, function(v) identical(as.double(frame[[v]]), as.double(data[[v]][at])), NA))
}

# What an axis is called: words for the usual calls, else the code.
axis_name <- function(expr) {
  text <- one_line(expr)
  plain <- gsub("\\s", "", text)
  if (grepl("^(resid|residuals)\\(\\.(,type=\"[a-z]+\")?(,scaled=(TRUE|FALSE))?\\)$", plain)) {
    return(if (grepl("scaled=TRUE", plain)) "Scaled residuals" else "Residuals")
  }
  if (plain == "fitted(.)") "Fitted values" else text
}

# --- the picture -------------------------------------------------------------------------

draw_lattice <- function(parts, data, names, marked, abline, grid, ...) {
  n_sides <- length(parts$sides)
  symbols <- lapply(names(data), as.name)
  right <- symbols[[n_sides]]
  if (length(parts$conditions)) {
    right <- call("|", right, Reduce(function(a, b) call("+", a, b), symbols[-seq_len(n_sides)]))
  }
  form <- if (n_sides == 2L) call("~", symbols[[1L]], right) else call("~", right)
  form <- stats::as.formula(form, env = globalenv())
  if (n_sides == 1L) {
    own <- list(xlab = names[1L])
    make <- lattice::histogram
  } else {
    own <- list(xlab = names[2L], ylab = names[1L])
    boxes <- is.factor(data[[1L]]) || is.factor(data[[2L]])
    make <- if (boxes) lattice::bwplot else lattice::xyplot
    if (!boxes) {
      own <- c(own, list(panel = points_panel(marked, abline, grid)))
    } else {
      own <- c(own, list(panel = with_line(lattice::panel.bwplot, abline), scales = factor_scales(data[1:2])))
    }
  }
  given <- list(...)
  do.call(make, c(list(form, quote(data)), own[setdiff(names(own), names(given))], given))
}

points_panel <- function(marked, abline, grid) {
  function(x, y, subscripts, ...) {
    if (isTRUE(grid)) {
      lattice::panel.grid(h = -1L, v = -1L)
    }
    lattice::panel.xyplot(x, y, subscripts = subscripts, ...)
    draw_line(abline)
    at <- match(subscripts, marked$row)
    if (any(!is.na(at))) {
      shown <- !is.na(at)
      side <- ifelse(x[shown] > mean(range(x)), 2L, 4L)
      lattice::panel.text(x[shown], y[shown], short_names(marked$label[at[shown]]), pos = side, cex = 0.7)
    }
  }
}

# Names of many levels are small, those of very many are left out.
factor_scales <- function(sides) {
  axis <- function(v) {
    if (nlevels(v) > 100L) list(draw = FALSE) else list(cex = if (nlevels(v) > 50L) 0.4 else if (nlevels(v) > 25L) 0.6 else 0.8)
  }
  list(y = axis(sides[[1L]]), x = axis(sides[[2L]]))
}

with_line <- function(panel, abline) {
  function(...) {
    panel(...)
    draw_line(abline)
  }
}

draw_line <- function(abline) {
  if (length(abline) == 1L) {
    lattice::panel.abline(h = abline, lty = 2L)
  } else if (length(abline) == 2L) {
    lattice::panel.abline(a = abline[1L], b = abline[2L], lty = 2L)
  }
}

# --- labelled rows --------------------------------------------------------------------------

# -> data.frame(row, label) of the points to label.
marked_rows <- function(fit, id, idLabels) {
  none <- data.frame(row = integer(), label = character())
  if (is.null(id)) {
    return(none)
  }
  row <- if (inherits(id, "formula")) {
    rows_by_formula(fit, id)
  } else if (is_number(id) && id > 0 && id < 1) {
    which(abs(plain_residuals(fit, TRUE)) > stats::qnorm(1 - id / 2))
  } else {
    abort("argument", paste0(
      "`id` must be a level between 0 and 1 or a one-sided formula; found ", describe(id), "."
    ), argument = "id")
  }
  if (!length(row)) none else data.frame(row = row, label = mark_labels(fit, idLabels)[row])
}

rows_by_formula <- function(fit, id) {
  if (length(id) != 2L) {
    abort("argument", paste0("`id` must be one-sided, as in ~ x > 3; found ", one_line(id), "."), argument = "id")
  }
  value <- tryCatch(eval(id[[2L]], c(list(. = fit), variables_of_rows(fit)), environment(id)), error = function(e) {
    abort("argument", paste0("`id` cannot be evaluated: ", conditionMessage(e), "."), argument = "id")
  })
  n <- nobs(fit)
  if (is.logical(value) && length(value) == n) {
    return(which(value))
  }
  row <- if (is.character(value)) match(value, row.names(field(fit, "frame"))) else value
  if (!is.numeric(row) || anyNA(row) || any(row < 1 | row > n)) {
    abort("argument", paste0(
      "`id` must give one logical value per row, or numbers or names of rows; found ", describe(value), "."
    ), argument = "id")
  }
  as.integer(row)
}

mark_labels <- function(fit, idLabels) {
  n <- nobs(fit)
  if (is.null(idLabels)) {
    factors <- field(fit, "factors")
    used <- unique(vapply(field(fit, "random"), `[[`, 0L, "factor"))
    return(do.call(paste, c(lapply(factors[used], function(f) f$levels[f$codes]), sep = "/")))
  }
  if (inherits(idLabels, "formula")) {
    if (identical(idLabels[[length(idLabels)]], as.name(".obs"))) {
      return(as.character(seq_len(n)))
    }
    idLabels <- tryCatch(
      eval(idLabels[[length(idLabels)]], c(list(. = fit), variables_of_rows(fit)), environment(idLabels)),
      error = function(e) NULL
    )
  }
  if (!is.atomic(idLabels) || length(idLabels) != n) {
    abort("argument", paste0(
      "`idLabels` must be a vector with a label for each of the ", n, " rows, or a one-sided formula that gives it."
    ), argument = "idLabels")
  }
  as.character(idLabels)
}
