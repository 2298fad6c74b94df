# update(): the call of a fit changed and evaluated again.

#' Update a fit
#'
#' Changes the call of a fit and evaluates it again.
#'
#' @param object (`mixedlm`) a fit.
#' @param formula. changes to the formula as for [stats::update.formula()];
#'   bars and `groups` stay as they are unless they are changed. A `.` in the
#'   formula of the fit stands for the columns that it stood for then.
#' @param ... other arguments of [mixedlm()]; `NULL` removes one.
#' @param evaluate (`logical(1)`) `FALSE` returns the call.
#'
#' @details
#' `data` is looked up where `update()` is called, then where the formula of the
#' fit was written; the other arguments follow it. What is given as `...` is
#' looked up where `update()` is called.
#' @return A new fit, or the call.
#' @section Errors: `mixedlm_error_data` when something in the call no longer exists;
#'   `mixedlm_error_formula` for a new formula of a fit that was made from matrices.
#' @importFrom stats update
#' @export
#' @seealso [refit()] for other responses
#' @examples
#' fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
#' update(fit, . ~ . + Cu, REML = FALSE)
update.mixedlm <- function(object, formula., ..., evaluate = TRUE) {
  call <- field(object, "call")
  if (is.null(call)) {
    abort("object", "The fit has no call to update.")
  }
  from_matrices <- !is.null(call$y)
  if (!missing(formula.)) {
    if (from_matrices) {
      abort("formula", paste0(
        "The fit was made from matrices, so there is no formula to update; ",
        "give other matrices to mixedlm() instead."
      ), argument = "formula.")
    }
    call$formula <- updated_formula(object, formula.)
  }
  extras <- match.call(expand.dots = FALSE)$...
  for (name in names(extras)) {
    call[[name]] <- extras[[name]]
  }
  if (!isTRUE(evaluate)) {
    return(call)
  }
  to_do <- call
  if (!from_matrices && missing(formula.)) {
    to_do$formula <- field(object, "formula")
  }
  fit <- evaluate_again(to_do, extras, parent.frame(), environment(field(object, "formula")))
  fit$call <- call
  fit
}

updated_formula <- function(object, changes) {
  if (!inherits(changes, "formula") && !is_string(changes)) {
    abort("formula", paste0("`formula.` must be a formula; found ", describe(changes), "."), argument = "formula.")
  }
  tryCatch(
    stats::update.formula(formula_without_dot(field(object, "parsed")), changes),
    error = function(e) {
      abort("formula", paste0(
        "The formula cannot be updated: ", conditionMessage(e), "."
      ), argument = "formula.")
    }
  )
}

# The formula as given, a `.` in it replaced by the columns it stood for.
formula_without_dot <- function(parsed) {
  if (!isTRUE(parsed$dot)) {
    return(parsed$formula)
  }
  bars <- split_bars(parsed$formula[[3L]])$bars
  bars <- lapply(bars, function(bar) if (is_bar(bar)) call("(", bar) else bar)
  out <- parsed$fixed
  out[[3L]] <- Reduce(function(a, b) call("+", a, b), bars, out[[3L]])
  out
}

# `here`: where update() was called; `there`: where the formula was written.
# Where `data` is found the whole call is evaluated; variables that are only
# known at the other place, or that `extras` take from here, are brought along.
evaluate_again <- function(call, extras, here, there) {
  places <- c(list(here), if (!is.null(there)) list(there))
  data <- data_again(call$data, places)
  env <- new.env(parent = places[[data$place]])
  for (other in places[-data$place]) {
    bring(unknown_names(call, env), other, env)
  }
  bring(unlist(lapply(extras, all.vars)), here, env)
  if (!is.null(call$data)) {
    call$data <- data$value
  }
  call[[1L]] <- mixedlm
  tryCatch(eval(call, env), error = function(e) {
    if (inherits(e, "mixedlm_error")) {
      stop(e)
    }
    abort("data", paste0(
      "The call of the fit cannot be evaluated again: ", conditionMessage(e), "."
    ), argument = "data", variable = unknown_names(call, env))
  })
}

# list(value, place) of the argument `data`, evaluated at the first of `places`
# where it is something that holds variables.
data_again <- function(expr, places) {
  for (k in seq_along(places)) {
    value <- tryCatch(eval(expr, places[[k]]), error = identity)
    if (!inherits(value, "error") && (is.null(value) || is.list(value) || is.environment(value))) {
      return(list(value = value, place = k))
    }
    if (k == 1L) {
      first <- value
    }
  }
  abort("data", paste0(
    "`data` of the fit, ", one_line(expr), ", cannot be evaluated again: ",
    if (inherits(first, "error")) conditionMessage(first) else paste("it is", describe(first)),
    ". Bring it back, or give update() another `data`."
  ), argument = "data", variable = unknown_names(expr, places[[1L]]))
}

unknown_names <- function(expr, env) {
  Filter(function(name) !exists(name, envir = env), unique(all.vars(expr)))
}

# Copies variables that exist in `from`; arguments that nobody gave do not.
bring <- function(names, from, to) {
  for (name in names) {
    tryCatch(assign(name, get(name, envir = from), envir = to), error = function(e) NULL)
  }
}
