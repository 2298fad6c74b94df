# Broken calls: an argument of the wrong kind, one too many or too few, a mangled formula.

break_model <- function(call) {
  names <- names(call)
  known <- c(
    "data", "groups", "re_formula", "vc_formula", "REML", "weights", "offset", "subset", "na.action", "contrasts",
    "start", "free", "fe_pen", "cov_pen", "method", "control", "y", "exog_re", "exog_vc"
  )
  at <- which(nzchar(names))
  switch(pick(c("replace", "add", "remove", "formula", "unknown"), c(0.25, 0.35, 0.1, 0.25, 0.05)),
    replace = if (length(at)) call[[pick(at)]] <- junk(),
    add = call <- with_argument(call, pick(known), junk()),
    remove = if (length(at)) call[[pick(at)]] <- NULL,
    formula = if (inherits(call$formula, "formula")) {
      call$formula <- mutate_formula(call$formula)
    } else {
      call[[2L]] <- junk()
    },
    unknown = call <- with_argument(call, pick(c("grups", "REMl", "nAGQ", "family", "verbose", "weight")), junk())
  )
  call
}

# `[[<-` with NULL would take the argument out.
with_argument <- function(call, name, value) {
  parts <- as.list(call)
  parts[name] <- list(value)
  as.call(parts)
}

# One node of the formula becomes something else.
mutate_formula <- function(formula) {
  env <- environment(formula)
  # the tilde itself stays, or the call is no longer one of mixedlm()
  nodes <- Filter(function(path) length(path) > 1L || isTRUE(path > 1L), paths_of(formula))
  out <- formula
  for (i in seq_len(pick(1:2))) {
    path <- pick(nodes)
    if (!length(path)) next
    value <- tryCatch(out[[path]], error = function(e) NULL)
    if (is.null(value)) next
    new <- pick(list(
      quote(nowhere), 0, 1, 2, "text", NA, quote(`|`), call("-", value), call("(", value), call("+", value, value),
      call("|", value, value), call("/", value, value), call("^", value, 2), call("%in%", value, value), quote(.),
      call("~", value), call("mean", value), quote(mean), call("stop", "by the user"), quote(`%s`), call("*", value, value),
      call("||", 1, value), call("rep", value, 2), call("[", value, -1), Inf, call("as.character", value),
      call("list", value), call("length", value), quote(T), quote(pi), call("|", 1, value), call("log", value)
    ))
    tryCatch(out[[path]] <- new, error = function(e) NULL)
  }
  if (!inherits(out, "formula")) {
    out <- formula
  }
  environment(out) <- env
  out
}

# The places of all parts of an expression, operators included.
paths_of <- function(expr, path = NULL) {
  out <- list(path)
  if (is.call(expr)) {
    for (i in seq_along(expr)) {
      if (!identical(expr[[i]], quote(expr = ))) out <- c(out, paths_of(expr[[i]], c(path, i)))
    }
  }
  out
}

# An argument of a method's call replaced, or one added from the method's formals.
break_method <- function(call) {
  inner <- call
  name <- inner[[1L]]
  if (!is.symbol(name) || !identical(inner[[2L]], quote(fit))) return(call)
  name <- as.character(name)
  if (name %in% c("$", "AIC", "BIC", "str")) return(call)
  method <- utils::getS3method(name, "mixedlm", optional = TRUE) %||% get0(name, mode = "function")
  known <- setdiff(names(formals(method))[-1L], c("...", "nsim", "maxpts"))
  if (length(inner) > 2L && chance(0.5)) {
    call[[sample.int(length(inner) - 2L, 1L) + 2L]] <- junk()
  } else if (length(known) && chance(0.85)) {
    call <- with_argument(call, pick(known), junk())
  } else {
    call <- as.call(c(as.list(call), junk()))
  }
  call
}

`%||%` <- function(a, b) if (is.null(a)) b else a
