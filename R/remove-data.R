# remove_data(): a fit without its rows. What stays of the model frame are a few rows
# that hold every level, so that new data can still be understood.

#' A fit without its data
#'
#' Takes everything out of a fit that has one value for each row, statsmodels' `remove_data()`: to save
#' or send a model that is only to be read or to predict new data.
#'
#' @param fit (`mixedlm`) a fit.
#' @param ... not used.
#' @details
#' What is left prints, summarises, tells estimates, their covariance and Wald intervals, likelihood, random effects and
#' their variances, and predicts and simulates for `newdata`. Of the model frame a few rows are kept, enough to hold
#' every level of the factors. Whatever needs the rows (residuals, fitted values,
#' refits, profiles, conditional variances of random effects, Satterthwaite's
#' degrees of freedom where they are asked for, the hypotheses of `anova()`, ...) is an error of class `mixedlm_error_removed`;
#' `summary(style = "lme4")` and `tidy()`, which have p-values by Satterthwaite's method by default, come without.
#'
#' The environment of the formula is left as it is: data in a function that called [mixedlm()] are saved with a fit
#' by [saveRDS()] all the same.
#' @return A fit.
#' @section Errors: `mixedlm_error_object` for what is not a fit.
#' @export
#' @examples
#' fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
#' small <- remove_data(fit)
#' as.numeric(object.size(small) / object.size(fit))
#' small
#' predict(small, data.frame(Time = 3, Pig = dietox$Pig[1]))
remove_data <- function(fit, ...) {
  if (...length()) {
    check_no_dots(substitute(list(...))[-1L], "fit")
  }
  if (!inherits(fit, "mixedlm")) {
    abort("object", paste0("`fit` must be a fit of mixedlm(), not ", describe(fit), "."), argument = "fit")
  }
  if (is_removed(fit)) {
    return(fit)
  }
  out <- unclass(fit)
  out$n_rows <- length(out$y)
  out$frame <- rows_of_levels(fit)
  for (part in c("y", "fitted", "weights", "offset")) {
    if (!is.null(out[[part]])) {
      out[[part]] <- removed_rows
    }
  }
  for (k in seq_along(out$factors)) {
    out$factors[[k]]$codes <- integer()
  }
  if (inherits(out$start, "mixedlm")) {
    out$start <- remove_data(out$start)
  }
  out$call <- call_without_data(out$call)
  structure(out, class = class(fit))
}

removed_rows <- structure(list(), class = "mixedlm_removed")

is_removed <- function(fit) !is.null(.subset2(fit, "n_rows"))

abort_removed <- function() {
  abort("removed", "This needs the rows that the model was fitted to, which remove_data() took out of the fit.")
}

# For what has no other way of noticing.
check_rows_kept <- function(fit) {
  if (is_removed(fit)) {
    abort_removed()
  }
}

# How many rows were used.
n_rows <- function(fit) {
  .subset2(fit, "n_rows") %||% length(field(fit, "y"))
}

# Rows of the frame that hold every level of every factor, and of those that are told
# apart within groups; marked, so that no design is made of them.
rows_of_levels <- function(fit) {
  frame <- field(fit, "frame")
  keep <- c(1L, spanning_rows(fit))
  first <- function(v) which(!duplicated(v))
  for (f in field(fit, "factors")) {
    keep <- c(keep, first(f$codes))
  }
  discrete <- names(frame)[vapply(frame, function(v) {
    is.factor(v) || is.character(v) || is.logical(v)
  }, NA)]
  for (name in discrete) {
    keep <- c(keep, first(.subset2(frame, name)))
  }
  for (bar in field(fit, "parsed")$bars) {
    inner <- intersect(c(all.vars(bar$lhs), all.vars(bar$group)), discrete)
    if (bar$kind == "vc" && length(inner) > 1L) {
      keep <- c(keep, first(unclass(frame)[inner] |> as_frame(nrow(frame))))
    }
  }
  out <- frame[sort.int(unique(keep)), , drop = FALSE]
  attr(out, "terms") <- attr(frame, "terms")
  attr(out, "removed") <- TRUE
  out
}

# The rows of the fit, or those left that span the same space of fixed effects.
spanning_frame <- function(fit) {
  frame <- field(fit, "frame")
  attr(frame, "removed") <- NULL
  frame
}

# Rows of X that span them all, where its columns are dependent: they tell which new rows can
# be predicted.
spanning_rows <- function(fit) {
  if (!length(field(fit, "aliased"))) {
    return(NULL)
  }
  x <- fixed_matrix(field(fit, "terms"), field(fit, "frame"), field(fit, "contrasts"))
  decomposition <- qr(t(x))
  decomposition$pivot[seq_len(decomposition$rank)]
}

check_frame_kept <- function(frame) {
  if (!is.null(attr(frame, "removed"))) {
    abort_removed()
  }
}

# Data that were written into the call itself.
call_without_data <- function(call) {
  for (name in setdiff(names(call), c("", "REML", "method", "control"))) {
    value <- call[[name]]
    if (!is.language(value) && (is.list(value) || length(value) > 1L)) {
      call[[name]] <- quote(removed_data)
    }
  }
  call
}
