# The formula of a fit with bars, whichever way the model was given: the one
# that lmer() takes for the same model, where there is one.

# As given where the bars are there and say it all, else the fixed part with a
# bar for each random term.
formula_with_bars <- function(fit) {
  parsed <- field(fit, "parsed")
  given <- parsed$formula
  if (has_bar(given[[length(given)]]) && !any(made_diagonal(fit))) {
    return(given)
  }
  out <- parsed$fixed
  out[[length(out)]] <- sum_of_bars(fit, out[[length(out)]])
  out
}

sum_of_bars <- function(fit, first = NULL) {
  bars <- field(fit, "parsed")$bars
  calls <- Map(function(bar, term) bar_call(bar, term, fit), bars, terms_of_bars(fit))
  Reduce(function(a, b) call("+", a, b), c(first, unname(calls)))
}

# The terms of the fit in the order of the bars.
terms_of_bars <- function(fit) {
  random <- field(fit, "random")
  random[order(vapply(random, `[[`, 0L, "bar"))]
}

# Whether `free` made the effects of a bar independent.
made_diagonal <- function(fit) {
  given <- vapply(field(fit, "parsed")$bars, `[[`, "", "structure")
  fitted <- vapply(terms_of_bars(fit), `[[`, "", "structure")
  given == "unstructured" & fitted == "diagonal"
}

bar_call <- function(bar, term, fit) {
  group <- group_call(bar, fit)
  if (bar$kind == "vc") {
    return(component_call(bar, term, group, fit))
  }
  structured_bar(bar$lhs, group, bar$structure, term, fit)
}

# `given` is the structure before `free`; lmer's double bar is written where it
# means the same.
structured_bar <- function(lhs, group, given, term, fit) {
  inner <- call("|", lhs, group)
  if (length(term$columns) == 1L || term$structure == "unstructured") {
    return(call("(", inner))
  }
  if (term$structure == "scalar") {
    return(call("diag", inner, hom = TRUE))
  }
  if (given != "diagonal" && is_column_each(lhs, term, fit)) {
    return(call("(", call("||", lhs, group)))
  }
  call("diag", inner)
}

# Whether each term of a design is one numeric column: `||` keeps the columns
# of others together.
is_column_each <- function(lhs, term, fit) {
  tt <- design_terms(lhs, "formula")
  all(is_numeric_class(classes_of(tt, fit))) &&
    length(term$columns) == attr(tt, "intercept") + length(attr(tt, "term.labels"))
}

classes_of <- function(tt, fit) {
  name <- vapply(as.list(attr(tt, "variables"))[-1L], var_name, "")
  attr(attr(field(fit, "frame"), "terms"), "dataClasses")[name]
}

# Groups given as a vector are written as they were in the call.
group_call <- function(bar, fit) {
  if (!identical(bar$group, groups_symbol)) {
    return(bar$group)
  }
  given <- field(fit, "call")$groups
  if (is.language(given)) given else quote(Group)
}

# A component of one factor is a bar on that factor within the groups, where
# there are any; all others have one variance for the columns of their design.
component_call <- function(bar, term, group, fit) {
  tt <- design_terms(bar$lhs, "vc_formula")
  is_factor <- is_factor_class(classes_of(tt, fit))
  if (!any(is_factor) || attr(tt, "intercept") == 1L || length(attr(tt, "term.labels")) > 1L) {
    return(structured_bar(bar$lhs, group %||% 1, "scalar", term, fit))
  }
  vars <- as.list(attr(tt, "variables"))[-1L]
  join <- function(parts) Reduce(function(a, b) call(":", a, b), parts)
  one_group <- is.null(group) || field(fit, "group_sizes")[["n"]] == 1
  outer <- if (!one_group) group_parts(group)
  lhs <- if (all(is_factor)) 1 else call("+", 0, join(vars[!is_factor]))
  call("(", call("|", lhs, join(c(outer, vars[is_factor]))))
}
