# The call to lmer() that makes the model of a fit.

# With the formula and the data of the fit's own call.
call_from_data <- function(fit, caller) {
  given <- field(fit, "call")
  if (!is.null(given$y) || uses_group_vector(fit) || length(split_terms(fit))) {
    abort("data", "the call has no data frame that holds every variable")
  }
  formula <- lmer_formula(fit)
  call <- call("lmer", formula = formula, data = given$data, REML = field(fit, "reml"))
  # assigning NULL to an element that a call does not have is an error
  for (name in intersect(c("subset", "weights", "na.action", "offset", "contrasts"), names(given))) {
    call[[name]] <- given[[name]]
  }
  # the call is to make the same model where other contrasts are the default
  if (!identical(field(fit, "contrasts_default"), getOption("contrasts"))) {
    call$contrasts <- if (length(field(fit, "contrasts"))) field(fit, "contrasts")
  }
  environment(call$formula) <- visible_from(call, environment(formula), caller)
  finish_call(call)
}

finish_call <- function(call) {
  call[[1L]] <- quote(lme4::lmer)
  call
}

# An environment where everything in the call is found, the data as `caller` sees
# them first, as in update().
visible_from <- function(call, env, caller) {
  env <- env %||% caller
  missing <- unknown_names(call, env)
  data <- if (is.symbol(call$data)) as.character(call$data)
  differs <- !is.null(data) && !data %in% missing && exists(data, envir = caller) &&
    is.list(get(data, envir = caller)) && !identical(get(data, envir = caller), get(data, envir = env))
  if (!length(missing) && !differs) {
    return(env)
  }
  inner <- new.env(parent = env)
  bring(c(missing, if (differs) data), caller, inner)
  inner
}

# With the variables of the model frame as the data.
call_from_frame <- function(fit, caller) {
  frame <- field(fit, "frame")
  data <- as.list(frame)
  data[["Group"]] <- data[["Group"]] %||% data[["(groups)"]]
  formula <- quote_variables(lmer_formula(fit, separate = TRUE), setdiff(names(frame), c("(weights)", "(offset)", "(groups)")))
  for (name in grep("^offset\\(", names(frame), value = TRUE)) {
    inner <- str2lang(name)[[2L]]
    if (!is.symbol(inner)) {
      abort("data", paste0("the variables of ", quote_names(name), " are gone"))
    }
    data[[as.character(inner)]] <- frame[[name]]
  }
  data[names(split_terms(fit))] <- split_terms(fit)
  data <- structure(data, class = "data.frame", row.names = attr(frame, "row.names"))
  env <- new.env(parent = environment(formula) %||% caller)
  env$lmer_data <- data
  environment(formula) <- env
  call <- call("lmer", formula = formula, data = quote(lmer_data), REML = field(fit, "reml"))
  for (name in c("weights", "offset")) {
    if (paste0("(", name, ")") %in% names(frame)) {
      call[[name]] <- as.name(paste0("(", name, ")"))
    }
  }
  call$contrasts <- if (length(field(fit, "contrasts"))) field(fit, "contrasts")
  finish_call(call)
}

uses_group_vector <- function(fit) {
  "(groups)" %in% names(field(fit, "frame"))
}

# Calls that are columns of the frame, as names of columns: log(y) -> `log(y)`.
quote_variables <- function(e, columns) {
  if (!is.call(e)) {
    return(e)
  }
  if (!inherits(e, "formula") && call_name(e) != "offset" && var_name(e) %in% columns) {
    return(as.name(var_name(e)))
  }
  if (call_name(e) == "offset") {
    return(e)
  }
  for (i in seq_along(e)[-1L]) {
    e[[i]] <- quote_variables(e[[i]], columns)
  }
  e
}

# Terms of independent effects that a double bar does not mean: the columns,
# named as in the fit.
split_terms <- function(fit) {
  apart <- which(vapply(field(fit, "random"), function(term) needs_columns(term, fit), NA))
  if (!length(apart)) {
    return(list())
  }
  design <- build_again(fit)
  out <- list()
  for (k in apart) {
    z <- term_columns_of(design, design$terms[[k]])
    names <- field(fit, "random")[[k]]$columns
    out[names] <- lapply(seq_len(ncol(z)), function(j) as.double(z[, j]))
  }
  out[setdiff(names(out), "(Intercept)")]
}

needs_columns <- function(term, fit) {
  bar <- field(fit, "parsed")$bars[[term$bar]]
  term$structure == "diagonal" && length(term$columns) > 1L && !is_column_each(bar$lhs, term, fit)
}

# The formula as given, where lme4 reads it in the same way; else with a bar for
# each random term.
lmer_formula <- function(fit, separate = FALSE) {
  parsed <- field(fit, "parsed")
  given <- parsed$formula
  rhs <- given[[length(given)]]
  plain <- has_bar(rhs) && !isTRUE(parsed$dot) && !has_wrapper(rhs) && !any(made_diagonal(fit))
  if (plain && !separate) {
    return(given)
  }
  out <- parsed$fixed
  bars <- Map(function(bar, term) lmer_bar(bar, term, fit), parsed$bars, terms_of_bars(fit))
  out[[length(out)]] <- Reduce(function(a, b) call("+", a, b), unname(bars), out[[length(out)]])
  out
}

has_wrapper <- function(e) {
  is.call(e) && (is_wrapped_bar(e) || any(vapply(as.list(e)[-1L], has_wrapper, NA)))
}

lmer_bar <- function(bar, term, fit) {
  if (identical(bar$group, groups_symbol)) {
    bar$group <- quote(Group)
  }
  if (bar$kind == "vc") {
    return(component_call(bar, term, bar$group, fit))
  }
  if (length(term$columns) == 1L || term$structure == "unstructured") {
    return(call("(", call("|", bar$lhs, bar$group)))
  }
  if (!needs_columns(term, fit)) {
    return(call("(", call("||", bar$lhs, bar$group)))
  }
  columns <- lapply(term$columns, function(name) {
    call("(", call("|", if (name == "(Intercept)") 1 else call("+", 0, as.name(name)), bar$group))
  })
  Reduce(function(a, b) call("+", a, b), columns)
}
