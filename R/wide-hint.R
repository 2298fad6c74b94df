# Data that look wide, one row per unit and one column per occasion: what the
# errors of mixedlm() say about them. They are hints: nothing is refused for it.

# The columns called `stem` with a whole number behind it, in its order:
# y1, y.1, y_1, y_t1, y.week.1.
numbered_columns <- function(stem, columns) {
  rest <- ifelse(startsWith(columns, stem), substring(columns, nchar(stem) + 1L), "")
  columns <- columns[grepl("^([._ -]|[._ -][A-Za-z]+[._ -]?)?[0-9]+$", rest)]
  number <- as.numeric(sub("^.*?([0-9]+)$", "\\1", columns, perl = TRUE))
  columns[order(number)]
}

# Numeric columns that differ from a variable in the number at their end only,
# with itself; character() when the variable has no number.
numbered_siblings <- function(name, data) {
  stem <- sub("[0-9]+$", "", name)
  if (stem == name || !nzchar(stem)) {
    return(character())
  }
  same <- sub("[0-9]+$", "", names(data)) == stem & grepl("[0-9]$", names(data))
  names(data)[same & vapply(data, is.numeric, NA)]
}

# Occasions of the response, as far as names tell: one of its variables is not
# in the data but has numbered columns there, or is a numbered column itself.
occasion_columns <- function(response, data) {
  for (name in if (is.data.frame(data)) all.vars(response)) {
    found <- if (name %in% names(data)) {
      numbered_siblings(name, data)
    } else {
      Filter(function(column) is.numeric(data[[column]]), numbered_columns(name, names(data)))
    }
    if (length(found) > 1L) {
      return(found)
    }
  }
  character()
}

# The most numeric columns, three at least, that have one name but for a number at its end.
longest_series <- function(data) {
  name <- names(data)[vapply(data, is.numeric, NA)]
  name <- name[grepl("[^0-9][0-9]+$", name)]
  series <- split(name, sub("[0-9]+$", "", name))
  longest <- series[which.max(lengths(series))]
  if (length(longest) && length(longest[[1L]]) > 2L) longest[[1L]] else character()
}

# Whether some grouping variable has another value in each row, or none of them
# is a column: in long data, the finest one repeats.
one_row_per_unit <- function(parsed, data, must_exist = FALSE) {
  name <- unlist(lapply(parsed$bars, function(t) all.vars(t$group)))
  name <- intersect(name, names(data))
  if (length(name)) any(vapply(name, function(v) !anyDuplicated(data[[v]]), NA)) else !must_exist
}

# " The data look wide ..." for the error about a variable that is nowhere; or "".
missing_variable_hint <- function(name, parsed, data) {
  if (is.na(name) || !is.data.frame(data) || nrow(data) < 2L || !one_row_per_unit(parsed, data)) {
    return("")
  }
  is_response <- name %in% all.vars(parsed$response)
  if (!is_response && nzchar(suggest(name, names(data)))) {
    return("")
  }
  columns <- occasion_columns(parsed$response, data)
  if (is_response && !length(columns) && one_row_per_unit(parsed, data, must_exist = TRUE)) {
    return(wide_hint(longest_series(data), values = name))
  }
  wide_hint(columns, if (!is_response) name)
}

# One sentence or two; "" when there are no such columns.
wide_hint <- function(columns, time = NULL, values = NULL) {
  if (length(columns) < 2L) {
    return("")
  }
  paste0(
    " The data look wide: if ", quote_names(columns), " are one variable on several ",
    "occasions, a model needs one row for each of them, which to_long(data, ",
    columns_code(columns), if (!is.null(values)) paste0(", values = ", one_line(values)),
    if (!is.null(time)) paste0(", time = ", one_line(time)),
    ") makes."
  )
}

# How to_long() is told the columns.
columns_code <- function(columns) {
  stem <- unique(sub("[._ -]*[0-9]+$", "", columns))
  one_line(if (length(stem) == 1L) stem else columns)
}

# Why a response of several columns is refused.
several_columns_hint <- paste(
  " A model of repeated measurements needs one row for each of them, with one",
  "response and a column that tells the occasion: to_long() makes such data of columns."
)
