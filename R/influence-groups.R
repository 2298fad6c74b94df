# Which rows are left out together: `groups` of influence().

# -> list(label, codes, names, values, sizes): deletions in the order in which
# they occur.
deletion_groups <- function(fit, groups, data) {
  if (!is.null(data) && !is.data.frame(data)) {
    abort("data", paste0("`data` must be a data frame, not ", describe(data), "."),
      argument = "data"
    )
  }
  rows <- row.names(field(fit, "frame"))
  if (is.null(groups)) {
    n <- length(rows)
    return(list(
      label = "case", codes = seq_len(n), names = rows, values = rows, sizes = rep.int(1L, n)
    ))
  }
  given <- grouping_values(fit, groups, data)
  if (anyNA(given$value)) {
    abort("groups", paste0(
      quote_names(given$label), " in `groups` is missing for ", sum(is.na(given$value)),
      " of the rows that the fit uses."
    ), argument = "groups")
  }
  values <- unique(given$value)
  codes <- match(given$value, values)
  if (length(values) < 2L) {
    abort("groups", paste0(
      "All rows that the fit uses have the same value of ", quote_names(given$label),
      " in `groups`; nothing would be left without them."
    ), argument = "groups")
  }
  list(
    label = given$label, codes = codes, names = as.character(values), values = values,
    sizes = tabulate(codes, length(values))
  )
}

grouping_values <- function(fit, groups, data) {
  if (inherits(groups, "formula")) {
    if (length(groups) != 2L || !length(all.vars(groups))) {
      abort("groups", paste0(
        "`groups` must be a one-sided formula, as in ~ school; found ", one_line(groups), "."
      ), argument = "groups")
    }
    return(named_groups(fit, all.vars(groups), data))
  }
  if (is.character(groups) && length(groups) > 0L && is.null(dim(groups)) && !is.object(groups)) {
    return(named_groups(fit, groups, data))
  }
  if (!is.atomic(groups) || !is.null(dim(groups)) || is.complex(groups) || is.raw(groups) ||
    length(groups) < 2L) {
    abort("groups", paste0(
      "`groups` must be names of variables, a one-sided formula, or a factor with one value ",
      "for each row, not ", describe(groups), "."
    ), argument = "groups")
  }
  list(label = "groups", value = fit_rows(fit, groups, data, "`groups`"))
}

named_groups <- function(fit, names, data) {
  values <- lapply(names, deletion_variable, fit = fit, data = data)
  label <- paste(names, collapse = ".")
  if (length(values) == 1L) {
    return(list(label = label, value = values[[1L]]))
  }
  missing <- Reduce(`|`, lapply(values, is.na))
  value <- do.call(paste, c(lapply(values, as.character), sep = "."))
  list(label = label, value = ifelse(missing, NA_character_, value))
}

# A variable by its name, over the rows of the fit.
deletion_variable <- function(name, fit, data) {
  frame <- field(fit, "frame")
  if (is.null(data) && name %in% names(frame)) {
    return(plain_variable(.subset2(frame, name), name))
  }
  source <- data %||% data_of_fit(fit)
  if (!is.na(name) && is.list(source) && name %in% names(source)) {
    value <- plain_variable(.subset2(source, name), name)
    return(fit_rows(fit, value, source, quote_names(name)))
  }
  factors <- field(fit, "factors")
  own <- vapply(factors, `[[`, "", "name")
  at <- match(name, own)
  if (is.na(at)) {
    abort("groups", paste0(
      "`groups` names ", quote_names(name), ", which is neither in the data of the fit nor a ",
      "grouping factor of the model.",
      if (!is.na(name)) suggest(name, c(names(frame), if (is.list(source)) names(source), own))
    ), argument = "groups", variable = name)
  }
  factor(factors[[at]]$levels[factors[[at]]$codes], factors[[at]]$levels)
}

plain_variable <- function(value, name) {
  if (!is.atomic(value) || !is.null(dim(value)) || is.complex(value) || is.raw(value)) {
    abort("groups", paste0(
      quote_names(name), " in `groups` must be a vector or a factor, not ", describe(value), "."
    ), argument = "groups", variable = name)
  }
  value
}

# Values over the rows of the fit or of the data, as values over those of the fit.
# Rows are known by their names.
fit_rows <- function(fit, value, data, what) {
  frame <- field(fit, "frame")
  n <- nrow(frame)
  data <- data %||% data_of_fit(fit)
  of_data <- is.data.frame(data) && nrow(data) == length(value)
  if (length(value) == n && !of_data) {
    return(value)
  }
  at <- if (of_data) match(row.names(frame), row.names(data))
  if (of_data && anyNA(at) && length(value) == n) {
    return(value)
  }
  if (is.null(at) || anyNA(at)) {
    abort("groups", sprintf(
      "%s must have one value for each row of the data or for each of the %d rows of the fit, not %d.",
      what, n, length(value)
    ), argument = "groups")
  }
  value[at]
}
