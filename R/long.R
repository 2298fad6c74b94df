# Wide data, one row per unit and one column per occasion, in the long form
# that models need.

#' From wide data to long data
#'
#' A mixed model of repeated measurements needs *long* data: one row for each
#' measurement, with a column that tells the unit and one that tells the occasion.
#' `to_long()` makes them from *wide* data, which have one row per unit and one
#' column per occasion.
#'
#' Where `times` is not given, it is read from the names of the columns. They must
#' be alike but for a whole number at their end: `weight.1`, `weight_12`, `w1` and
#' `bp_day7` give 1, 12, 1 and 7. Names that can be read in two ways, such as `y0.5`
#' or `y-1`, need `times`.
#'
#' Measurements keep their class: dates remain dates, and the levels of factors
#' are put together. Columns of different types are not mixed, except that integers
#' become doubles among doubles, and that a column of nothing but `NA` goes with all
#' others.
#'
#' @param data (`data.frame`) one row per unit; also a tibble.
#' @param columns the columns that hold the measurements, two at least: their names
#'   or numbers, in the order of time; or one string, which is the common beginning of
#'   their names (`"weight"` for `weight.1`, `weight.2`, ...) or, where no column is called
#'   so, a regular expression. For several variables that were measured on the same occasions, a named
#'   list of such, as in `list(weight = "weight", feed = c("feed1", "feed2"))`.
#' @param values (`character(1)`) name of the new column of measurements; `NULL`
#'   for the common beginning of the columns' names, or `"value"` if they have none.
#'   The names of a list `columns` are the names.
#' @param time (`character(1)`) name of the new column that tells the occasion.
#' @param times (vector, one value for each occasion) the values of that column, in their own units:
#'   numbers, dates, strings or a factor. `NULL`: the numbers in the columns' names.
#' @param id (`character(1)`) the column that tells the units apart: it must have
#'   another value in each row of `data`. If there is no such column, it is made, as a
#'   factor of row numbers. `NULL`: nothing is checked or made.
#' @param drop_na (`logical(1)`) whether to leave out the rows in which every measurement is missing. By
#'   default they are kept, and `na.action` of [mixedlm()] deals with them.
#' @return A data frame, or a tibble if `data` is one, with the rows of one unit together in the order of
#'   `times`, or of `columns` where `times` is given. Its columns: `id` if it was made, the other columns of
#'   `data` repeated for each occasion, `time`, and the measurements.
#' @section Errors:
#' `mixedlm_error_argument` where an argument cannot be used, `mixedlm_error_data` where `data` or its columns
#' cannot.
#' @seealso [mixedlm()], whose errors say so when data look wide; [stats::reshape()], which also makes
#'   wide data from long ones.
#' @export
#' @examples
#' wide <- data.frame(
#'   pig = c("a", "b", "c"), copper = c(0, 35, 175),
#'   weight.1 = c(24, 26, 23), weight.4 = c(43, 46, NA), weight.8 = c(71, 79, 70)
#' )
#' to_long(wide, "weight", time = "week")
#' to_long(wide, 3:5, "kg", times = as.Date("2024-03-01") + c(0, 21, 49), drop_na = TRUE)
#'
#' # two variables at a time; the rows are numbered as subjects
#' trial <- data.frame(y1 = c(5, 7), y2 = c(6, 8), x1 = c(0, 0), x2 = c(1, 1))
#' to_long(trial, list(response = "y", dose = "x"), id = "subject")
#'
#' # from one row per tree to a fit
#' trees <- reshape(as.data.frame(Orange), idvar = "Tree", timevar = "age", direction = "wide")
#' names(trees)
#' long <- to_long(trees, "circumference", time = "age")
#' mixedlm(circumference ~ age, long, groups = "Tree")
to_long <- function(data, columns, values = NULL, time = "Time", times = NULL,
                    id = NULL, drop_na = FALSE) {
  if (missing(data)) {
    abort("argument", "`data` is missing: which data frame is to be made long?", argument = "data")
  }
  check_wide_data(data)
  if (missing(columns)) {
    abort("argument", paste0(
      "`columns` is missing: which columns hold the measurements? `data` has ",
      quote_names(names(data)), "."
    ), argument = "columns")
  }
  check_name(time, "time")
  if (!is_flag(drop_na)) {
    abort("argument", paste0(
      "`drop_na` must be TRUE or FALSE, not ", describe(drop_na), "."
    ), argument = "drop_na")
  }
  measured <- measured_columns(data, columns, values, times)
  kept <- setdiff(names(data), unlist(measured$columns))
  units <- unit_column(data, id, kept)
  check_new_names(c(names(units), names(measured$columns), time), kept)

  k <- length(measured$times)
  n <- nrow(data)
  unit <- rep(seq_len(n), each = k)
  occasion <- rep(seq_len(k), n)
  out <- c(
    lapply(c(units, as.list(data)[kept]), take_rows, unit),
    stats::setNames(list(take_rows(measured$times, occasion)), time),
    lapply(measured$columns, function(names) {
      stack_columns(as.list(data)[names])[unit + (occasion - 1L) * n]
    })
  )
  stay <- rep(TRUE, n * k)
  if (drop_na) {
    stay <- !Reduce(`&`, lapply(out[names(measured$columns)], is.na))
    out <- lapply(out, take_rows, which(stay))
  }
  structure(
    out,
    class = c(if (inherits(data, "tbl_df")) c("tbl_df", "tbl"), "data.frame"),
    row.names = .set_row_names(sum(stay))
  )
}

check_wide_data <- function(data) {
  if (!is.data.frame(data)) {
    abort("data", paste0(
      "`data` must be a data frame with one row for each unit, not ",
      describe(data), "."
    ), argument = "data")
  }
  twice <- names(data)[duplicated(names(data))]
  if (length(twice)) {
    abort("data", paste0(
      "`data` has several columns called ", quote_names(unique(twice)), "."
    ), argument = "data")
  }
}

check_name <- function(x, argument) {
  if (!is_string(x) || !nzchar(x)) {
    abort("argument", paste0(
      "`", argument, "` must be the name of a column, one string, not ",
      describe(x), "."
    ), argument = argument)
  }
}

# A new column takes no other's place.
check_new_names <- function(new, kept) {
  taken <- new[new %in% kept | duplicated(new)]
  if (length(taken)) {
    abort("argument", paste0(
      "The new column ", quote_names(taken[1L]), " would be the second of that ",
      "name. Choose another one by `time`, `values`, `id` or the names of `columns`."
    ), argument = "time")
  }
}

# list(), or the column of row numbers that `id` asks for.
unit_column <- function(data, id, kept) {
  if (is.null(id)) {
    return(list())
  }
  check_name(id, "id")
  if (!id %in% kept) {
    if (id %in% names(data)) {
      abort("argument", paste0(
        "`id` cannot be ", quote_names(id), ", which is one of `columns`."
      ), argument = "id")
    }
    return(stats::setNames(list(factor(seq_len(nrow(data)))), id))
  }
  value <- data[[id]]
  if (anyNA(value) || anyDuplicated(value)) {
    abort("data", paste0(
      "`data` must have one row for each unit, but the column ", quote_names(id),
      if (anyNA(value)) " has missing values." else " has values that occur in several rows.",
      if (!anyNA(value)) " Are the data long already?"
    ), argument = "id")
  }
  list()
}

# --- which columns, and when ------------------------------------------------

# -> list(columns = list(<variable> = names of its columns, in order), times)
measured_columns <- function(data, columns, values, times) {
  several <- is.list(columns)
  if (several) {
    name <- names(columns)
    if (!length(columns) || is.null(name) || anyNA(name) || any(!nzchar(name)) ||
      anyDuplicated(name)) {
      abort("argument", paste0(
        "`columns` given as a list needs a name for each variable, as in ",
        "list(weight = \"weight\", feed = \"feed\")."
      ), argument = "columns")
    }
  }
  found <- lapply(if (several) columns else list(columns), find_columns, data)
  check_distinct(unlist(found))
  if (is.null(times)) {
    read <- lapply(found, times_in_names)
    found <- Map(function(x, at) x[order(at)], found, read)
    times <- sort(read[[1L]])
    check_same_times(read, names(found))
  } else {
    check_times(times, found)
  }
  if (!several) {
    if (!is.null(values)) {
      check_name(values, "values")
    }
    names(found) <- if (is.null(values)) values_name(found[[1L]]) else values
  }
  list(columns = found, times = times)
}

# The names of the columns of one variable, as `columns` tells them.
find_columns <- function(x, data) {
  known <- names(data)
  if (is.numeric(x) && !is.object(x) && length(x) && all(x %in% seq_along(known))) {
    x <- known[x]
  }
  if (!is.character(x) || !length(x) || anyNA(x)) {
    abort("argument", paste0(
      "`columns` must be names or numbers of columns of `data`, or one prefix or ",
      "regular expression, not ", describe(x), "."
    ), argument = "columns")
  }
  if (length(x) == 1L && !x %in% known) {
    numbered <- numbered_columns(x, known)
    x <- if (length(numbered)) numbered else matching_columns(x, known)
  }
  missing <- setdiff(x, known)
  if (length(missing)) {
    abort("data", paste0(
      "`columns` names ", quote_names(missing), ", which `data` does not have.",
      suggest(missing[1L], known)
    ), argument = "columns")
  }
  if (length(x) < 2L) {
    abort("argument", paste0(
      "`columns` must tell two columns at least, one for each occasion; found ",
      quote_names(x), ". Are the data long already?"
    ), argument = "columns")
  }
  x
}

matching_columns <- function(pattern, known) {
  found <- tryCatch(
    grep(pattern, known, value = TRUE),
    error = function(e) character(), warning = function(w) character()
  )
  if (!length(found)) {
    abort("data", paste0(
      "`columns` is ", describe(pattern), ", but no column of `data` is called so ",
      "with a number behind it, and none matches it as a regular expression."
    ), argument = "columns")
  }
  found
}

check_distinct <- function(x) {
  if (anyDuplicated(x)) {
    abort("argument", paste0(
      "`columns` has ", quote_names(unique(x[duplicated(x)])), " more than once."
    ), argument = "columns")
  }
}

check_times <- function(times, found) {
  if (!is.atomic(times) || !is.null(dim(times))) {
    abort("argument", paste0("`times` must be a vector, not ", describe(times), "."), argument = "times")
  }
  if (any(lengths(found) != length(times))) {
    abort("argument", sprintf(
      "`times` must have one value for each of the %d columns (%s), not %d.",
      lengths(found)[lengths(found) != length(times)][1L],
      quote_names(found[lengths(found) != length(times)][[1L]]), length(times)
    ), argument = "times")
  }
  if (anyNA(times) || anyDuplicated(times)) {
    abort("argument", "`times` must have another value for each column, and none missing.", argument = "times")
  }
}

check_same_times <- function(read, name) {
  for (j in seq_along(read)[-1L]) {
    if (!identical(sort(read[[j]]), sort(read[[1L]]))) {
      abort("argument", paste0(
        quote_names(name[1L]), " was measured on the occasions ",
        paste(sort(read[[1L]]), collapse = ", "), " and ", quote_names(name[j]),
        " on ", paste(sort(read[[j]]), collapse = ", "), ", by the names of their ",
        "columns. They must be the same; or give `times`."
      ), argument = "columns")
    }
  }
}

# The numbers at the end of names that are alike otherwise.
times_in_names <- function(x) {
  stem <- sub("[0-9]+$", "", x)
  digits <- substring(x, nchar(stem) + 1L)
  at <- as.numeric(digits)
  # y0.25 could mean a quarter or the 25th of y0; y-1 a time before
  ambiguous <- grepl("([0-9][.,]|-|[.][.])$", stem[1L])
  if (!all(nzchar(digits)) || length(unique(stem)) > 1L || ambiguous || anyDuplicated(at)) {
    abort("argument", paste0(
      "`times` is needed: the names ", quote_names(x), " do not tell it as one ",
      "name with different whole numbers at its end would."
    ), argument = "times")
  }
  if (max(at) <= .Machine$integer.max) as.integer(at) else at
}

values_name <- function(x) {
  stem <- unique(sub("[._ -]*[0-9]+$", "", x))
  if (length(stem) == 1L && nzchar(stem)) stem else "value"
}

# --- values -------------------------------------------------------------------

take_rows <- function(v, rows) {
  if (length(dim(v)) == 2L) v[rows, , drop = FALSE] else v[rows]
}

# All columns of one variable below each other.
stack_columns <- function(columns) {
  empty <- vapply(columns, function(v) is.logical(v) && all(is.na(v)), NA)
  if (all(empty)) {
    return(rep(NA, sum(lengths(columns))))
  }
  type <- vapply(columns, column_type, "")
  if (length(unique(type[!empty])) > 1L) {
    other <- which(!empty & type != type[!empty][1L])[1L]
    abort("data", paste0(
      "`columns` must be of one type; ", quote_names(names(columns)[!empty][1L]),
      " is ", type[!empty][1L], " and ", quote_names(names(columns)[other]), " is ", type[other], "."
    ), argument = "columns")
  }
  like <- columns[!empty][[1L]]
  columns[empty] <- lapply(columns[empty], function(v) like[rep(NA_integer_, length(v))])
  do.call(c, unname(columns))
}

column_type <- function(v) {
  if (is.factor(v)) {
    "a factor"
  } else if (!is.atomic(v) || !is.null(dim(v))) {
    abort("data", paste0(
      "`columns` must be vectors; one of them is ", describe(v), "."
    ), argument = "columns")
  } else if (is.object(v)) {
    paste("of class", class(v)[1L])
  } else if (is.numeric(v)) {
    "numeric"
  } else {
    typeof(v)
  }
}
