# Conditions: every error, warning and message of the package has a class, a
# message in plain words, and no call (the call of an internal function says
# nothing to a user).

#' Conditions raised by mixedlm
#'
#' Every condition of the package is classed, so that it can be caught without
#' reading its text.
#'
#' | class | raised when |
#' |---|---|
#' | `mixedlm_error_argument` | an unknown argument, or one of the wrong type |
#' | `mixedlm_error_formula` | `formula` cannot be read: no response, misplaced bars, unknown wrapper |
#' | `mixedlm_error_random` | no random effects were given, or they were given in two vocabularies |
#' | `mixedlm_error_groups`, `mixedlm_error_re_formula`, `mixedlm_error_vc_formula` | that argument cannot be used |
#' | `mixedlm_error_data` | a variable is missing, has the wrong length or an unusable type |
#' | `mixedlm_error_missing` | missing values remain, or `na.action` refuses them |
#' | `mixedlm_error_infinite` | an infinite value in a variable |
#' | `mixedlm_error_response` | the response is not a numeric vector, or does not vary |
#' | `mixedlm_error_rows` | no rows, or no more rows than fixed effects |
#' | `mixedlm_error_scale` | numbers so large or small that a variance cannot be represented |
#' | `mixedlm_error_design` | a random-effects design that cannot be estimated |
#' | `mixedlm_error_weights`, `_offset`, `_subset`, `_na_action`, `_contrasts` | that argument cannot be used |
#' | `mixedlm_error_start`, `_free`, `_params` | starting values or masks that do not fit the model |
#' | `mixedlm_error_memory`, `_perfect_fit`, `_numerical` | the computation cannot be done; the message tells why |
#' | `mixedlm_error_method`, `mixedlm_error_control`, `mixedlm_error_REML` | that argument cannot be used |
#' | `mixedlm_error_flat` | a criterion that is defined at an optimum, of a fit with another verdict |
#' | `mixedlm_error_ddf` | degrees of freedom that are unknown, or not defined for the fit, see [mixedlm-ddf] |
#' | `mixedlm_error_comparison` | fits that [anova.mixedlm()] cannot compare |
#' | `mixedlm_error_hypothesis` | a hypothesis of [linear_hypothesis()] that cannot be read or tested |
#' | `mixedlm_error_robust` | there are no independent clusters for a robust covariance, or `cluster` cannot be used |
#' | `mixedlm_error_bootstrap` | [bootstrap()], or an interval from it, is not defined for the fit, or `FUN` cannot be used |
#' | `mixedlm_error_profile` | an argument of [profile.mixedlm()] cannot be used, or `free` holds the parameter |
#' | `mixedlm_error_lmer` | lme4 has no such model, or is not installed, see [as_lmer()] |
#' | `mixedlm_error_newdata` | `newdata` or `condition_on` of [predict.mixedlm()] lacks a variable, or has one of another type |
#' | `mixedlm_error_new_levels` | a factor has levels in `newdata` that it had not in the fit |
#' | `mixedlm_error_re_form`, `mixedlm_error_newparams` | that argument of [predict.mixedlm()] cannot be used |
#' | `mixedlm_error_newresp`, `_newparams` | that argument of [refit()] or [simulate.mixedlm()] cannot be used |
#' | `mixedlm_error_package` | a package that is not installed is needed, as for a picture |
#' | `mixedlm_error_removed` | it needs the rows, which [remove_data()] took out of the fit |
#' | `mixedlm_error_penalty` | a penalty or its weights cannot be used, or something is not defined for a penalised fit, see [mixedlm-penalised] |
#' | `mixedlm_error_limit` | R ended the computation: [setTimeLimit()] |
#' | `mixedlm_error_object` | something that is not a fit, or a damaged one |
#' | `mixedlm_warning_flat`, `_saddle`, `_maxit` | the fit ended with that verdict, see [mixedlm-object] |
#' | `mixedlm_warning_nobs` | fits of different numbers of observations are compared |
#' | `mixedlm_warning_bootstrap` | some replicates of [bootstrap()] failed |
#' | `mixedlm_warning_profile` | a likelihood profile found a lower deviance than the fit, did not reach a cut-off, or stopped early |
#' | `mixedlm_warning_numerical` | some standard errors are lost in rounding |
#' | `mixedlm_warning_weights` | the prior weights of new rows are not known and taken as one |
#' | `mixedlm_warning_contrasts` | `contrasts` names a variable that is not in the fixed effects |
#' | `mixedlm_warning_estimable` | a rank-deficient fit does not determine some predictions |
#' | `mixedlm_warning_influence` | some deletions of [influence.mixedlm()] leave a fixed effect or the whole model undetermined |
#' | `mixedlm_message_interval` | prediction intervals without the variance of the random effects that `re.form` leaves out |
#' | `mixedlm_message_boundary` | intervals that end on the boundary of the parameter space |
#' | `mixedlm_message_undefined` | correlations without a profile, because an effect does not vary |
#' | `mixedlm_message_rank` | aliased columns of the fixed effects were left out |
#' | `mixedlm_message_refit` | REML fits were fitted again by ML to be compared |
#' | `mixedlm_message_weights` | rows of weight zero were left out |
#' | `mixedlm_message_influence` | [influence.mixedlm()] holds the variance parameters because refits would take long |
#' | `mixedlm_warning_deviance` | the deviance of a REML fit was asked for, see [logLik.mixedlm()] |
#' | `mixedlm_message_control` | settings of lme4's optimisers were given as `control` and passed over |
#' | `mixedlm_message_component` | a variance component is a single random effect, which is seldom meant |
#'
#' All of them inherit from `mixedlm_error` and `error`; warnings from
#' `mixedlm_warning`, messages from `mixedlm_message`. A condition carries the
#' fields that its text was made from where they are of use to a program, for
#' instance `argument`.
#'
#' @name mixedlm-conditions
#' @aliases mixedlm_error mixedlm_warning mixedlm_message
#' @keywords internal
#' @examples
#' tryCatch(
#'   mixedlm(Weight ~ Time, dietox, groups = "Pgi"),
#'   mixedlm_error_groups = function(e) conditionMessage(e)
#' )
NULL

new_condition <- function(kind, what, message, call, fields) {
  parent <- c(error = "error", warning = "warning", message = "message")[[kind]]
  structure(
    class = c(
      paste0("mixedlm_", kind, "_", what), paste0("mixedlm_", kind),
      parent, "condition"
    ),
    c(list(message = paste(message, collapse = "\n"), call = call), fields)
  )
}

# `what` names the class; `...` are fields of the condition. The text is never
# used as a format: it may hold user text such as "%s".
abort <- function(what, message, ..., call = NULL) {
  stop(new_condition("error", what, message, call, list(...)))
}

warn <- function(what, message, ..., call = NULL) {
  warning(new_condition("warning", what, message, call, list(...)))
}

inform <- function(what, message, ..., call = NULL) {
  message <- paste0(paste(message, collapse = "\n"), "\n")
  base::message(new_condition("message", what, message, call, list(...)))
}

# What was found, for messages: "a character vector of length 2".
describe <- function(x) {
  if (is.null(x)) {
    return("NULL")
  }
  if (is.function(x)) {
    return("a function")
  }
  if (inherits(x, "formula")) {
    return(paste0("the formula ", one_line(x)))
  }
  if (is.matrix(x)) {
    type <- if (is.double(x)) "numeric" else typeof(x)
    return(sprintf("a matrix of %d x %d (%s)", nrow(x), ncol(x), type))
  }
  if (is.object(x)) {
    return(paste0("an object of class ", quote_names(class(x)[1L])))
  }
  if (is.atomic(x) && length(x) == 1L) {
    return(if (is.character(x)) encodeString(x, quote = "\"") else format(x))
  }
  if (is.atomic(x)) {
    type <- if (is.double(x)) "numeric" else typeof(x)
    article <- if (type == "integer") "an" else "a"
    return(sprintf("%s %s vector of length %d", article, type, length(x)))
  }
  if (is.list(x)) {
    return(sprintf("a list of length %d", length(x)))
  }
  paste0("an object of type ", typeof(x))
}

# Names of variables in messages, at most six of them.
quote_names <- function(x) {
  more <- if (length(x) > 6L) paste0(" and ", length(x) - 6L, " more") else ""
  x <- x[seq_len(min(6L, length(x)))]
  paste0(paste0("`", x, "`", collapse = ", "), more)
}

# One line of code, whatever its length.
one_line <- function(x) {
  text <- deparse(x, width.cutoff = 500L)
  if (length(text) > 1L) {
    text <- paste(trimws(text), collapse = " ")
  }
  text
}

# " Did you mean `Pig`?", or "" when nothing comes close.
suggest <- function(name, candidates) {
  candidates <- unique(candidates)
  if (!length(candidates) || length(candidates) > 5000L) {
    return("")
  }
  d <- utils::adist(name, candidates, ignore.case = TRUE)[1L, ]
  best <- which.min(d)
  # nothing comes close to a missing name
  if (!length(best) || d[best] > max(min(2L, nchar(name) - 1L), nchar(name) %/% 3L)) {
    return("")
  }
  paste0(" Did you mean ", quote_names(candidates[best]), "?")
}

is_flag <- function(x) {
  is.logical(x) && length(x) == 1L && !is.na(x)
}

is_string <- function(x) {
  is.character(x) && length(x) == 1L && !is.na(x)
}

# A finite number, not an object with a class of its own.
is_number <- function(x) {
  is.numeric(x) && length(x) == 1L && !is.object(x) && is.finite(x)
}

# `dots` are the expressions given as `...`: the first is told by its name.
check_no_dots <- function(dots, known) {
  name <- names(dots)[1L]
  if (is.null(name) || !nzchar(name)) {
    abort("argument", paste0(
      "There is no place here for an argument without a name: ",
      one_line(dots[[1L]]), "."
    ))
  }
  abort("argument", paste0(
    "There is no argument ", quote_names(name), " here.", suggest(name, known)
  ), argument = name)
}

# One of `choices`, which may be abbreviated as for match.arg(); the first when
# `value` is the untouched default.
choose_one <- function(value, choices, argument) {
  if (identical(value, choices)) {
    return(choices[1L])
  }
  at <- if (is_string(value)) pmatch(value, choices) else NA
  if (!is.na(at)) {
    return(choices[at])
  }
  abort("argument", paste0(
    "`", argument, "` must be one of ",
    paste0("\"", choices, "\"", collapse = ", "), "; found ", describe(value),
    "."
  ), argument = argument)
}

check_is_fit <- function(fit, argument = "fit") {
  if (!inherits(fit, "mixedlm")) {
    abort("object", paste0(
      "`", argument, "` must be a fit of mixedlm(); found ", describe(fit), "."
    ), argument = argument)
  }
}

# Significant digits, of print() methods.
check_digits <- function(digits) {
  if (!is_number(digits) || digits < 1 || digits > 22) {
    abort("argument", paste0(
      "`digits` must be a number from 1 to 22; found ", describe(digits), "."
    ), argument = "digits")
  }
}
