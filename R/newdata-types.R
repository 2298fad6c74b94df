# Variables of new rows in the types and with the levels of the fit, and the columns
# that terms make of them.

# A variable of a design as it was in the fit: factors with the fit's levels.
like_fitted <- function(v, reference, name, argument = "newdata") {
  wrong <- function(expected) {
    newdata_error(
      argument, "The variable ", quote_names(name), " must be ", expected, ", as in the fit; in `", argument,
      "` it is ", if (is.factor(v)) "a factor" else describe(v), ".", variable = name
    )
  }
  if (is.logical(v) && !is.logical(reference) && all(is.na(v))) {
    v <- rep(reference[NA_integer_], length(v))
  }
  if (is.factor(reference) || is.character(reference)) {
    if (!(is.factor(v) || is.character(v))) {
      wrong(if (is.factor(reference)) "a factor" else "a factor or strings")
    }
    return(fitted_levels(v, reference, name, argument))
  }
  if (is.logical(reference)) {
    return(if (is.logical(v)) v else wrong("logical"))
  }
  if (inherits(reference, "difftime") && inherits(v, "difftime")) {
    units(v) <- units(reference)
  } else if (is.object(reference) && !is.numeric(reference) && !inherits(v, class(reference)[1L])) {
    # a Date counts days, a POSIXct seconds
    wrong(paste("of class", quote_names(class(reference)[1L])))
  }
  if (is.numeric(reference)) {
    if (!is.numeric(v) || is.factor(v)) {
      wrong("numeric")
    }
    if (NCOL(v) != NCOL(reference)) {
      wrong(paste("a matrix of", NCOL(reference), "columns"))
    }
    if (is.double(v) && !is.finite(sum(v)) && any(is.infinite(v))) {
      abort("infinite", paste0(
        "The variable ", quote_names(name), " has infinite values in `", argument, "`."
      ), argument = argument, variable = name)
    }
  }
  v
}

fitted_levels <- function(v, reference, name, argument) {
  known <- if (is.factor(reference)) levels(reference) else sort(unique(reference))
  if (is.factor(v)) {
    if (!identical(levels(v), known)) {
      code <- match(levels(v), known)
      unknown <- levels(v)[is.na(code) & tabulate(v, nlevels(v)) > 0L]
      v <- code[v]
    } else {
      unknown <- NULL
      v <- as.integer(v)
    }
  } else {
    code <- match(v, known)
    unknown <- unique(v[is.na(code) & !is.na(v)])
    v <- code
  }
  if (length(unknown)) {
    abort("new_levels", paste0(
      "The factor ", quote_names(name), " has the level ", quote_names(unknown), " in `", argument,
      "`, which it had not in the fit; its levels are ", quote_names(known), "."
    ), argument = argument, variable = name, levels = unknown)
  }
  out <- structure(v, levels = known, class = if (is.ordered(reference)) c("ordered", "factor") else "factor")
  attr(out, "contrasts") <- attr(reference, "contrasts")
  out
}

# The columns that terms make of variables which have the fit's levels.
columns_matrix <- function(tt, columns, n, contrasts) {
  names <- names(attr(tt, "dataClasses"))
  if (!length(attr(tt, "term.labels"))) {
    intercept <- attr(tt, "intercept")
    return(matrix(1, n, intercept, dimnames = list(NULL, if (intercept) "(Intercept)")))
  }
  default <- getOption("contrasts")
  columns <- columns[names]
  for (name in names) {
    if (is.factor(columns[[name]]) || is.logical(columns[[name]])) {
      columns[[name]] <- set_contrasts(columns[[name]], contrasts[[name]], default)
    }
  }
  stats::model.matrix.default(tt, structure(columns, names = names, class = "data.frame", terms = tt))
}
