# refit(): the model of a fit for other responses, on a design that is built once.

#' Fit the same model to another response
#'
#' `refit()` fits the model again to other values of the response; everything else stays.
#' `refitML()` fits it by maximum likelihood.
#'
#' @param object,x (`mixedlm`) a fit; fits of lme4 are handed over to lme4's own functions.
#' @param newresp the response: a numeric vector with one value per row used, or one per
#'   row of the data where rows with missing values were left out (values for those are dropped, as by
#'   the fit); a data frame (as from [simulate.mixedlm()]) or matrix with such columns. Rows whose
#'   value is missing are left out. `NULL`: the response of the fit.
#' @param rename.response (`logical(1)`) whether the response in the formula and the model
#'   frame gets the name of `newresp`: the column's, or what was written as the argument.
#' @param control settings for the search, made by [mixedlm_control()], or a list of them; `NULL` for
#'   those of the fit. Settings of lme4, which its `bootMer()` hands on, are not looked at.
#' @param ... for other classes.
#'
#' @details
#' The design and its checks are made once for all columns. As in lme4, the call of the result
#' is that of `object`, so that [update.mixedlm()] goes back to the response in the data.
#' @return A fit, or for several columns a list of fits, named as they are.
#' @section Errors: `mixedlm_error_newresp` for a response of another length or type, or one that does
#'   not vary; where it is one of several columns the message names it. Warnings tell of verdicts as
#'   [mixedlm()] does.
#' @seealso [bootstrap()], which does all of it in one call.
#' @export
#' @examples
#' fit <- mixedlm(Weight ~ Time + (1 | Pig), dietox)
#' y <- simulate(fit, nsim = 3, seed = 1)
#' refit(fit, y$sim_1)
#' sapply(refit(fit, y), fixef)
#' refitML(fit)
refit <- function(object, newresp, ...) UseMethod("refit")

#' @export
refit.default <- function(object, newresp, ...) {
  if (missing(newresp)) {
    return(lme4_default("refit", object, ...))
  }
  lme4_default("refit", object, newresp, ...)
}

#' @rdname refit
#' @export
refit.mixedlm <- function(object, newresp = NULL, rename.response = FALSE, control = NULL, ...) {
  written <- substitute(newresp)
  if (...length()) {
    check_no_dots(substitute(list(...))[-1L], names(formals(refit.mixedlm)))
  }
  check_refit_flag(rename.response)
  object <- with_control(object, control)
  if (is.null(newresp)) {
    return(refit_response(object, refit_context(object), field(object, "y")))
  }
  responses <- response_columns(newresp, object)
  context <- refit_context(object)
  fits <- lapply(seq_along(responses$values), function(i) {
    name <- responses$names[i]
    many <- length(responses$values) > 1L
    fit <- refit_column(object, context, responses$values[[i]], if (many) name)
    if (rename.response) rename_response(fit, name, written, many) else fit
  })
  if (responses$one) {
    return(fits[[1L]])
  }
  stats::setNames(fits, responses$names)
}

#' @rdname refit
#' @export
refitML <- function(x, ...) UseMethod("refitML")

#' @export
refitML.default <- function(x, ...) lme4_default("refitML", x, ...)

#' @rdname refit
#' @export
refitML.mixedlm <- function(x, ...) {
  if (...length()) {
    check_no_dots(substitute(list(...))[-1L], "x")
  }
  if (!field(x, "reml")) {
    return(x)
  }
  ml <- as_criterion(x, FALSE)
  refit_response(ml, refit_context(ml), field(x, "y"))
}

# The fit with the other criterion to be fitted by; its estimates are those of before.
as_criterion <- function(fit, reml) {
  out <- unclass(fit)
  out$reml <- reml
  if (!is.null(out$call)) {
    out$call$REML <- reml
  }
  structure(out, class = "mixedlm")
}

with_control <- function(fit, control) {
  if (is.null(control) || inherits(control, "merControl") || is.list(control) && !length(control)) {
    return(fit)
  }
  out <- unclass(fit)
  out$control <- as_control(control)
  structure(out, class = "mixedlm")
}

# --- one response -----------------------------------------------------------

refit_context <- function(fit, whole = whole_design(fit)) {
  boot_context(fit, whole = whole)
}

refit_response <- function(fit, context, y) {
  context <- with_response(context, y)
  warn_raw(raw_to_fit(fit, context, sound = FALSE), context$design, field(fit, "control"))
}

with_response <- function(context, y) {
  context$problem$y <- y
  context$whole$y <- y
  context$whole$frame[[1L]] <- y
  context
}

# The verdict of a fit made by raw_to_fit(), told as mixedlm() tells it.
warn_raw <- function(fit, design, control) {
  info <- field(fit, "optinfo")
  maxit <- engine_options(field(fit, "reml"), info$method, control, NULL)$maxit
  warn_verdict(info, design, maxit)
  fit
}

# Rows whose response is missing go; the design is built again for the others.
refit_column <- function(fit, context, y, name) {
  check_new_values(y, name, field(fit, "offset"))
  gone <- which(is.na(y))
  tryCatch(
    {
      if (length(gone)) {
        fit <- without_rows(fit, gone)
        context <- refit_context(fit)
        y <- y[-gone]
      }
      refit_response(fit, context, y)
    },
    mixedlm_error_perfect_fit = function(e) {
      abort("newresp", paste0(
        new_response_name(name), " cannot be fitted: ", conditionMessage(e)
      ), argument = "newresp")
    }
  )
}

# The fit's frame, weights and offset without some of its rows.
without_rows <- function(fit, gone) {
  if (length(gone) == length(field(fit, "y"))) {
    abort("newresp", "`newresp` has missing values only.", argument = "newresp")
  }
  frame <- field(fit, "frame")
  action <- merged_na_action(frame, gone, field(fit, "na.action"))
  terms <- attr(frame, "terms")
  frame <- frame[-gone, , drop = FALSE]
  attr(frame, "terms") <- terms
  attr(frame, "na.action") <- action
  out <- unclass(fit)
  out$frame <- drop_unused_levels(frame)
  structure(out, class = "mixedlm")
}

# Rows left out before, and now: their places among all rows of the data.
merged_na_action <- function(frame, gone, before) {
  all <- seq_len(nrow(frame) + length(before))
  used <- if (length(before)) all[-before] else all
  places <- c(
    stats::setNames(as.integer(before), names(before)),
    stats::setNames(used[gone], row.names(frame)[gone])
  )
  kind <- if (is.null(before)) {
    default <- getOption("na.action")
    if (identical(default, "na.exclude") || identical(default, stats::na.exclude)) "exclude" else "omit"
  } else {
    class(before)
  }
  structure(places[order(places)], class = kind)
}

# --- what was given ---------------------------------------------------------

check_refit_flag <- function(value) {
  if (!is_flag(value)) {
    abort("argument", paste0(
      "`rename.response` must be TRUE or FALSE; found ", describe(value), "."
    ), argument = "rename.response")
  }
}

# -> list(values: one vector per response, as long as the fit's; names; one: whether a
# fit, not a list, is the answer).
response_columns <- function(newresp, fit) {
  if (is.matrix(newresp)) {
    columns <- lapply(seq_len(ncol(newresp)), function(j) newresp[, j])
    names(columns) <- colnames(newresp)
  } else if (is.list(newresp)) {
    columns <- as.list(newresp)
  } else {
    columns <- list(newresp)
  }
  if (!length(columns)) {
    abort("newresp", "`newresp` has no columns.", argument = "newresp")
  }
  name <- names(columns)
  shown <- if (length(columns) > 1L) name %||% paste("column", seq_along(columns))
  values <- lapply(seq_along(columns), function(i) {
    used_rows(response_values(columns[[i]], shown[i]), fit, shown[i])
  })
  list(values = values, names = name, one = length(columns) == 1L)
}

response_values <- function(y, name) {
  if (is.matrix(y) && ncol(y) == 1L) {
    y <- y[, 1L]
  }
  if (!(is.numeric(y) || is.logical(y)) || is.factor(y) || length(dim(y)) > 1L) {
    abort("newresp", paste0(
      new_response_name(name), " must be numeric, not ", describe(y), "."
    ), argument = "newresp")
  }
  as.double(y)
}

new_response_name <- function(name) {
  if (is.null(name)) "`newresp`" else paste0("`newresp` (", name, ")")
}

used_rows <- function(y, fit, name) {
  n <- length(field(fit, "y"))
  omitted <- field(fit, "na.action")
  if (length(y) == n) {
    return(y)
  }
  if (length(omitted) && length(y) == n + length(omitted)) {
    return(y[-omitted])
  }
  abort("newresp", paste0(
    new_response_name(name), " must have ", n, " values, one for each row used",
    if (length(omitted)) paste0(", or ", n + length(omitted), ", one for each row of the data"),
    "; it has ", length(y), "."
  ), argument = "newresp")
}

check_new_values <- function(y, name, offset) {
  here <- y[!is.na(y)]
  problem <- if (!length(here)) {
    "has missing values only"
  } else if (any(is.infinite(here))) {
    "has infinite values"
  } else if (length(here) > 1L && min(here) == max(here)) {
    paste0("does not vary: all values are ", format(here[1L]))
  }
  if (!is.null(problem)) {
    abort("newresp", paste0(new_response_name(name), " ", problem, "."), argument = "newresp")
  }
  tryCatch(check_offset_range(offset, here), mixedlm_error_offset = function(e) {
    abort("newresp", conditionMessage(e), argument = "newresp")
  })
}

# The response gets the name of a column, or of the expression that was given.
rename_response <- function(fit, name, written, many) {
  new <- if (is.null(name)) written else as.name(name)
  if (!is.symbol(new) && !is.call(new)) {
    new <- quote(newresp)
  }
  out <- unclass(fit)
  swap <- function(f) {
    if (length(f) == 3L) f[[2L]] <- new
    f
  }
  out$parsed$response <- new
  for (part in c("formula", "fixed", "variables")) {
    out$parsed[[part]] <- swap(out$parsed[[part]])
  }
  old <- names(out$frame)[1L]
  out$formula <- swap(out$formula)
  out$call$formula <- out$formula
  names(out$frame)[1L] <- var_name(new)
  attr(out$frame, "terms") <- rename_terms(attr(out$frame, "terms"), old, new)
  out$terms <- rename_terms(out$terms, old, new)
  structure(out, class = "mixedlm")
}

rename_terms <- function(tt, old, new) {
  name <- var_name(new)
  tt[[2L]] <- new
  attr(tt, "variables")[[2L]] <- new
  if (length(attr(tt, "predvars")) > 1L) {
    attr(tt, "predvars")[[2L]] <- new
  }
  f <- attr(tt, "factors")
  if (is.matrix(f)) {
    rownames(f)[1L] <- name
    attr(tt, "factors") <- f
  }
  classes <- names(attr(tt, "dataClasses"))
  names(attr(tt, "dataClasses"))[classes == old] <- name
  tt
}
