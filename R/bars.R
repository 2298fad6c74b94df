# lme4's bars: finding them among the fixed effects and expanding them to one
# term for each grouping factor.

# Functions of newer lme4 and glmmTMB that wrap a random term, which are known
# by name only to say that they are not supported.
structures_known <- c("us", "diag")
structures_unknown <- c(
  "cs", "homcs", "ar1", "hetar1", "toep", "homtoep", "ou", "gau", "mat", "rr",
  "propto"
)

# rhs -> list(fixed = call or NULL, bars = list of calls): random terms stand
# among the summands; everything else belongs to the fixed effects.
split_bars <- function(e) {
  if (!is.call(e)) {
    return(list(fixed = e, bars = NULL))
  }
  f <- call_name(e)
  if (is_bar(e) || is_wrapped_bar(e)) {
    return(list(fixed = NULL, bars = list(e)))
  }
  if (f == "(") {
    inner <- split_bars(e[[2L]])
    if (!length(inner$bars)) {
      return(list(fixed = e, bars = NULL))
    }
    if (!is.null(inner$fixed)) {
      inner$fixed <- call("(", inner$fixed)
    }
    return(inner)
  }
  if (f == "+" || f == "-") {
    return(split_sum(e))
  }
  if (f %in% c("*", ":", "/", "^", "%in%") && has_bar(e)) {
    abort("formula", paste0(
      "In `formula`, a random term can only be added to the others with +; ",
      "found ", one_line(e), "."
    ), argument = "formula")
  }
  list(fixed = e, bars = NULL)
}

# a + b + c is nested to the left, as deep as there are summands: a loop, since
# recursion would exhaust the stack on some hundreds of predictors.
split_sum <- function(e) {
  summands <- list()
  while (is.call(e) && length(e) == 3L && call_name(e) %in% c("+", "-")) {
    summands[[length(summands) + 1L]] <- e
    e <- e[[2L]]
  }
  out <- if (is.call(e) && length(e) == 2L && call_name(e) %in% c("+", "-")) {
    add_summand(list(), e, split_bars(e[[2L]]))
  } else {
    split_bars(e)
  }
  for (e in rev(summands)) {
    out <- add_summand(out, e, split_bars(e[[3L]]))
  }
  out
}

# `left` with the summand of `e`, split already, added or subtracted.
add_summand <- function(left, e, right) {
  f <- call_name(e)
  if (f == "-" && length(right$bars)) {
    abort("formula", paste0(
      "In `formula`, a random term cannot be subtracted; found ",
      one_line(e), "."
    ), argument = "formula")
  }
  fixed <- if (is.null(right$fixed)) {
    left$fixed
  } else if (is.null(left$fixed)) {
    if (f == "-") call("-", right$fixed) else right$fixed
  } else {
    call(f, left$fixed, right$fixed)
  }
  list(fixed = fixed, bars = c(left$bars, right$bars))
}

call_name <- function(e) {
  if (is.symbol(e[[1L]])) as.character(e[[1L]]) else ""
}

is_bar <- function(e) {
  is.call(e) && length(e) == 3L && call_name(e) %in% c("|", "||")
}

is_wrapped_bar <- function(e) {
  length(e) >= 2L && is_bar(e[[2L]]) &&
    call_name(e) %in% c(structures_known, structures_unknown)
}

has_bar <- function(e) {
  if (!is.call(e)) {
    return(FALSE)
  }
  is_bar(e) || is_wrapped_bar(e) || (call_name(e) %in% c("(", "+", "-", "*", ":", "/", "^", "%in%") &&
    any(vapply(as.list(e)[-1L], has_bar, NA)))
}

# Random terms in the order of the formula; a nested factor comes before the
# one that holds it, as in lme4.
expand_bars <- function(bars) {
  unlist(lapply(bars, expand_bar), recursive = FALSE)
}

expand_bar <- function(e) {
  structure <- "unstructured"
  if (!is_bar(e)) {
    structure <- wrapper_structure(e)
    e <- e[[2L]]
  }
  if (has_bar(e[[2L]])) {
    abort("formula", paste0(
      "In `formula`, each random term needs parentheses of its own, as in ",
      "(1 | a) + (1 | b); found ", one_line(e), "."
    ), argument = "formula")
  }
  designs <- if (call_name(e) == "||") split_double(e[[2L]]) else list(e[[2L]])
  groups <- expand_group(e[[3L]])
  unlist(lapply(designs, function(lhs) {
    lapply(groups, function(g) random_term(lhs, g, "re", var_name(g), structure))
  }), recursive = FALSE)
}

random_term <- function(lhs, group, kind, name, structure) {
  list(lhs = lhs, group = group, kind = kind, name = name, structure = structure)
}

wrapper_structure <- function(e) {
  f <- call_name(e)
  if (f %in% structures_unknown) {
    abort("formula", paste0(
      "The covariance structure ", f, "() in ", one_line(e), " is not ",
      "supported; us() (unstructured) and diag() (independent) are."
    ), argument = "formula")
  }
  if (call_name(e[[2L]]) == "||") {
    abort("formula", paste0(
      "In `formula`, ", f, "() needs a single bar; found ", one_line(e), "."
    ), argument = "formula")
  }
  extra <- as.list(e)[-(1:2)]
  if (!length(extra)) {
    return(if (f == "us") "unstructured" else "diagonal")
  }
  if (f == "diag" && identical(names(extra), "hom") && is_flag(extra$hom)) {
    return(if (extra$hom) "scalar" else "diagonal")
  }
  abort("formula", paste0(
    "In `formula`, ", f, "() takes one random term",
    if (f == "diag") " and hom = TRUE or FALSE", "; found ", one_line(e), "."
  ), argument = "formula")
}

# (1 + x + f || g): the intercept and each term apart. The columns of one
# factor stay together, and correlated, as in lme4.
split_double <- function(lhs) {
  tt <- design_terms(lhs, "formula")
  labels <- attr(tt, "term.labels")
  out <- lapply(labels, function(label) call("+", 0, str2lang(label)))
  if (attr(tt, "intercept") == 1L) c(list(1), out) else out
}

# One-sided terms of a random-effects design, checked.
design_terms <- function(lhs, argument, env = baseenv()) {
  tt <- tryCatch(
    stats::terms.formula(make_formula(NULL, lhs, env)),
    error = function(e) {
      abort(argument, paste0(
        "`", argument, "` has a random-effects design that is not a formula: ",
        one_line(lhs), " (", conditionMessage(e), ")."
      ), argument = argument)
    }
  )
  if (!is.null(attr(tt, "offset"))) {
    abort(argument, paste0(
      "`", argument, "` has an offset among the random effects: ",
      one_line(lhs), "."
    ), argument = argument)
  }
  tt
}

# a/b -> b:a and a, to any depth, innermost first.
expand_group <- function(g) {
  g <- strip_parens(g)
  if (is.call(g) && call_name(g) == "/" && length(g) == 3L) {
    outer <- expand_group(g[[2L]])
    inner <- expand_group(g[[3L]])
    outermost <- outer[[1L]]
    crossed <- lapply(inner, function(i) call(":", protect(i), protect(outermost)))
    return(c(crossed, outer))
  }
  check_group(g)
  list(g)
}

strip_parens <- function(e) {
  while (is.call(e) && call_name(e) == "(") {
    e <- e[[2L]]
  }
  e
}

# a:b inside another interaction is written (a:b), as lme4 names it.
protect <- function(e) {
  if (is.call(e) && call_name(e) == ":") call("(", e) else e
}

# Variables of a grouping expression: a:(b:c) -> a, b, c.
group_parts <- function(g) {
  g <- strip_parens(g)
  if (is.call(g) && call_name(g) == ":" && length(g) == 3L) {
    return(c(group_parts(g[[2L]]), group_parts(g[[3L]])))
  }
  list(g)
}

group_hint <- function(operator, argument) {
  if (operator == "/" && argument == "groups") {
    return(" Write (1 | a/b) in `formula`, or groups = \"a\" with vc_formula = list(b = ~ 0 + b).")
  }
  if (!operator %in% c("*", "+")) {
    return("")
  }
  paste0(
    " Write one term for each factor", if (argument == "groups") " in `formula`",
    ", as in (1 | a) + (1 | b)", if (operator == "*") " + (1 | a:b)", "."
  )
}

not_groups <- c("+", "-", "*", "/", "^", "%in%", "|", "||", "~", "offset")

check_group <- function(g, argument = "formula") {
  for (part in group_parts(g)) {
    if (is.symbol(part) && !identical(part, quote(.))) {
      next
    }
    operator <- if (is.call(part)) call_name(part) else ""
    if (is.call(part) && !operator %in% not_groups) {
      next
    }
    abort(argument, paste0(
      "`", argument, "` has a grouping factor that is neither a variable, nor a:b",
      if (argument == "formula") ", nor a/b", ": ", one_line(part), ".",
      group_hint(operator, argument)
    ), argument = argument)
  }
}
