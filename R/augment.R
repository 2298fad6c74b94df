# augment(): the rows of a fit with what it says of each.

#' @rdname mixedlm-tidiers
#' @export
augment.mixedlm <- function(x, data = NULL, newdata = NULL, ...) {
  if (!is.null(newdata)) {
    # predict() says what is wrong with new data
    columns <- predicted_columns(x, newdata, ...)
    return(table_out(with_row_names(newdata, columns)))
  }
  if (...length()) {
    check_no_dots(substitute(list(...))[-1L], names(formals(augment.mixedlm)))
  }
  columns <- row_columns(x)
  if (is.null(data)) {
    return(table_out(with_row_names(field(x, "frame"), columns)))
  }
  at <- rows_of_data(x, data)
  # one value per row of the fit -> one per row of `data`, NA where the fit has none
  if (is.null(at$used)) {
    return(table_out(with_row_names(data, columns)))
  }
  if (inherits(field(x, "na.action"), "exclude")) {
    place <- match(seq_len(nrow(data)), at$used)
    return(table_out(with_row_names(data, columns[place, , drop = FALSE])))
  }
  table_out(with_row_names(data[at$used, , drop = FALSE], columns))
}

# What is known of every row that was used.
row_columns <- function(fit) {
  y <- field(fit, "y")
  mu <- field(fit, "fitted")
  weights <- field(fit, "weights") %||% rep(1, length(y))
  out <- data.frame(.fitted = mu, .resid = y - mu)
  for (name in names(influence_columns)) {
    out[[name]] <- if (penalises_fixed(fit)) NA_real_ else influence_of_rows(fit, influence_columns[[name]])
  }
  out$.fixed <- population_fitted(fit)
  out$.mu <- mu
  out$.offset <- field(fit, "offset") %||% rep(0, length(y))
  out$.sqrtXwt <- sqrt(weights)
  out$.sqrtrwt <- sqrt(weights)
  out$.weights <- weights
  out$.wtres <- out$.resid * sqrt(weights)
  out
}

influence_columns <- c(.hat = "hatvalues", .cooksd = "cooks.distance")

# NULL where the fit has no method for it.
influence_of_rows <- function(fit, generic) {
  method <- utils::getS3method(generic, "mixedlm", optional = TRUE, envir = topenv())
  if (is.null(method)) {
    return(NULL)
  }
  value <- unname(as.numeric(method(fit)))
  omitted <- field(fit, "na.action")
  if (length(value) > length(field(fit, "y")) && length(omitted)) value[-omitted] else value
}

# Fitted values without random effects.
population_fitted <- function(fit) {
  design <- fixed_design(fit)
  drop(unname(design$x[, design$kept, drop = FALSE] %*% field(fit, "fe_params"))) +
    (field(fit, "offset") %||% 0)
}

predicted_columns <- function(fit, newdata, ...) {
  if (!is.data.frame(newdata)) {
    abort("data", paste0("`newdata` must be a data frame, not ", describe(newdata), "."),
      argument = "newdata"
    )
  }
  data.frame(
    .fitted = unname(stats::predict(fit, newdata = newdata, ...)),
    .fixed = unname(stats::predict(fit, newdata = newdata, re.form = NA))
  )
}

# Which rows of `data` the fit used: `used`, row numbers in the order of the fit, or
# NULL for all of them.
rows_of_data <- function(fit, data) {
  if (!is.data.frame(data)) {
    abort("data", paste0("`data` must be a data frame, not ", describe(data), "."), argument = "data")
  }
  frame <- field(fit, "frame")
  if (nrow(data) == nrow(frame)) {
    return(list(used = NULL))
  }
  used <- match(row.names(frame), row.names(data))
  if (anyNA(used)) {
    abort("data", paste0(
      "`data` has ", nrow(data), " rows, and the fit was made from ", nrow(frame),
      ", which are not all among them. Give the data of the fit."
    ), argument = "data")
  }
  list(used = used)
}

# Names of rows that are more than their numbers become a column.
with_row_names <- function(data, columns) {
  names <- row.names(data)
  data <- as.data.frame(data, optional = TRUE)
  attr(data, "terms") <- NULL
  numbered <- identical(names, as.character(seq_len(nrow(data))))
  row.names(data) <- NULL
  replaced <- setdiff(names(data), names(columns))
  out <- c(as.list(data)[replaced], as.list(columns))
  if (!numbered && !".rownames" %in% replaced) {
    out <- c(list(.rownames = names), out)
  }
  structure(out, row.names = .set_row_names(nrow(data)), class = "data.frame")
}
