# Both vocabularies become one list of random terms. Nothing here looks at the
# data, except for the column names that `.` and `groups` refer to.

# Functions of newer lme4 and glmmTMB that wrap a random term, which are known
# by name only to say that they are not supported.
structures_known <- c("us", "diag")
structures_unknown <- c(
  "cs", "homcs", "ar1", "hetar1", "toep", "homtoep", "ou", "gau", "mat", "rr",
  "propto"
)

# The column of the model frame that holds groups given as a vector.
groups_symbol <- as.name("(groups)")

# -> "mixedlm_parsed". `groups` is NULL or what resolve_groups() returned;
# `data` is only asked for its names, when the formula has a `.`.
parse_formula <- function(formula, groups = NULL, re_formula = NULL,
                          vc_formula = NULL, data = NULL) {
  check_two_sided(formula)
  response <- formula[[2L]]
  env <- environment(formula)
  parts <- split_bars(formula[[3L]])
  fixed_rhs <- if (is.null(parts$fixed)) 1 else parts$fixed
  if (length(parts$bars)) {
    check_one_vocabulary(groups, re_formula, vc_formula)
    terms <- expand_bars(parts$bars)
  } else {
    terms <- terms_of_arguments(groups, re_formula, vc_formula)
  }
  check_random_dots(terms)

  fixed <- make_formula(response, fixed_rhs, env)
  dot <- "." %in% all.names(fixed_rhs)
  if (dot) {
    fixed <- expand_dot(fixed, data)
    fixed_rhs <- fixed[[3L]]
  }
  structure(
    list(
      formula = formula,
      response = response,
      fixed = fixed,
      bars = terms,
      groups = groups$expr,
      group_name = group_label(groups, terms),
      variables = make_formula(response, all_variables(fixed_rhs, terms), env),
      dot = dot
    ),
    class = "mixedlm_parsed"
  )
}

make_formula <- function(lhs, rhs, env) {
  f <- if (is.null(lhs)) call("~", rhs) else call("~", lhs, rhs)
  structure(f, class = "formula", .Environment = env)
}

check_two_sided <- function(formula) {
  if (length(formula) == 3L) {
    return(invisible())
  }
  abort("formula", paste0(
    "`formula` must have a response on its left, as in y ~ x; found ",
    one_line(formula), "."
  ), argument = "formula")
}

check_one_vocabulary <- function(groups, re_formula, vc_formula) {
  given <- c(
    groups = !is.null(groups), re_formula = !is.null(re_formula),
    vc_formula = !is.null(vc_formula)
  )
  if (any(given)) {
    abort("random", paste0(
      "Random effects were given twice: as bars in `formula` and as ",
      quote_names(names(given)[given]), ". Use one of the two."
    ), argument = names(given)[given][1L])
  }
}

# --- bars ------------------------------------------------------------------

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
    return(split_sum(e, f))
  }
  if (f %in% c("*", ":", "/", "^", "%in%") && has_bar(e)) {
    abort("formula", paste0(
      "In `formula`, a random term can only be added to the others with +; ",
      "found ", one_line(e), "."
    ), argument = "formula")
  }
  list(fixed = e, bars = NULL)
}

split_sum <- function(e, f) {
  if (length(e) == 2L) {
    right <- split_bars(e[[2L]])
    left <- list(fixed = NULL, bars = NULL)
  } else {
    left <- split_bars(e[[2L]])
    right <- split_bars(e[[3L]])
  }
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
  is_bar(e) || (call_name(e) %in% c("(", "+", "-", "*", ":", "/", "^", "%in%") &&
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

check_group <- function(g, argument = "formula") {
  for (part in group_parts(g)) {
    if (is.symbol(part) && !identical(part, quote(.))) {
      next
    }
    operator <- if (is.call(part)) call_name(part) else ""
    if (is.call(part) && !operator %in% c("+", "-", "*", "/", "^", "%in%", "|", "||", "~")) {
      next
    }
    hint <- if (operator %in% c("*", "+")) {
      paste0(
        " Write one term for each factor, as in (1 | a) + (1 | b)",
        if (operator == "*") " + (1 | a:b)", "."
      )
    } else {
      ""
    }
    abort(argument, paste0(
      "`", argument, "` has a grouping factor that is neither a variable, nor ",
      "a:b, nor a/b: ", one_line(part), ".", hint
    ), argument = argument)
  }
}

# --- statsmodels' arguments ------------------------------------------------

# What statsmodels does: random intercepts by default; with vc_formula and no
# re_formula, variance components only.
terms_of_arguments <- function(groups, re_formula, vc_formula) {
  if (is.null(groups) && is.null(vc_formula)) {
    if (!is.null(re_formula)) {
      abort("re_formula", paste0(
        "`re_formula` needs `groups`: whose random effects are they? For ",
        "example groups = \"subject\"."
      ), argument = "re_formula")
    }
    abort("random", c(
      "The model has no random effects. Give them as `groups`, as a bar in",
      "`formula`, or as `vc_formula`, for example",
      "  mixedlm(y ~ x, data, groups = \"subject\")",
      "  mixedlm(y ~ x + (x | subject), data)",
      "  mixedlm(y ~ x, data, vc_formula = list(item = ~ 0 + item))"
    ))
  }
  out <- list()
  if (!is.null(re_formula) || is.null(vc_formula)) {
    out <- list(re_term(groups, re_formula))
  }
  if (is.null(vc_formula)) {
    return(out)
  }
  vc_formula <- check_vc_formula(vc_formula)
  vcs <- lapply(names(vc_formula), function(name) {
    lhs <- rhs_of(vc_formula[[name]], "vc_formula", name)
    random_term(lhs, groups$expr, "vc", name, "scalar")
  })
  c(out, vcs)
}

re_term <- function(groups, re_formula) {
  if (is.null(groups)) {
    abort("re_formula", paste0(
      "`re_formula` needs `groups`: whose random effects are they?"
    ), argument = "re_formula")
  }
  lhs <- if (is.null(re_formula)) 1 else rhs_of(re_formula, "re_formula")
  random_term(lhs, groups$expr, "re", groups$label, "unstructured")
}

# ~ x, "~ x" or "x" -> quote(x)
rhs_of <- function(x, argument, name = NULL) {
  what <- if (is.null(name)) {
    paste0("`", argument, "`")
  } else {
    paste0("`", argument, "` (component `", name, "`)")
  }
  if (is.numeric(x) && length(x) == 1L && x %in% c(0, 1)) {
    x <- make_formula(NULL, x, baseenv())
  }
  if (is_string(x)) {
    x <- tryCatch(str2lang(x), error = function(e) {
      abort(argument, paste0(
        what, " cannot be read as a formula: ", describe(x), "."
      ), argument = argument)
    })
    if (!(is.call(x) && call_name(x) == "~")) {
      x <- call("~", x)
    }
  } else if (!inherits(x, "formula")) {
    abort(argument, paste0(
      what, " must be a one-sided formula or a string, not ", describe(x), "."
    ), argument = argument)
  }
  if (length(x) != 2L) {
    abort(argument, paste0(
      what, " must be one-sided, as in ~ x; found ", one_line(x), "."
    ), argument = argument)
  }
  if (has_bar(x[[2L]])) {
    abort(argument, paste0(
      what, " must not hold bars; found ", one_line(x), "."
    ), argument = argument)
  }
  x[[2L]]
}

# The components are fitted and printed in alphabetical order (of the C
# locale), as statsmodels does.
check_vc_formula <- function(vc_formula) {
  if (is.character(vc_formula)) {
    vc_formula <- as.list(vc_formula)
  }
  if (!is.list(vc_formula) || is.object(vc_formula) || !length(vc_formula)) {
    abort("vc_formula", paste0(
      "`vc_formula` must be a named list of one-sided formulas, as in ",
      "list(item = ~ 0 + item), not ", describe(vc_formula), "."
    ), argument = "vc_formula")
  }
  name <- names(vc_formula)
  if (is.null(name) || anyNA(name) || any(!nzchar(name))) {
    abort("vc_formula", paste0(
      "Every element of `vc_formula` needs a name, as in ",
      "list(item = ~ 0 + item)."
    ), argument = "vc_formula")
  }
  if (anyDuplicated(name)) {
    abort("vc_formula", paste0(
      "`vc_formula` has two components named ",
      quote_names(name[duplicated(name)][1L]), "."
    ), argument = "vc_formula")
  }
  vc_formula[order(name, method = "radix")]
}

# --- names and variables ---------------------------------------------------

# The name that model.frame() gives to a variable.
var_name <- function(e) {
  if (is.symbol(e)) {
    return(as.character(e))
  }
  paste(deparse(e, width.cutoff = 500L), collapse = " ")
}

# statsmodels' name for the groups; lme4's bars have the factor's name.
group_label <- function(groups, terms) {
  if (!is.null(groups)) {
    return(groups$label)
  }
  name <- vapply(terms, function(t) if (t$kind == "re") t$name else "", "")
  name <- unique(name[nzchar(name)])
  if (length(name)) name[length(name)] else "Group"
}

all_variables <- function(rhs, terms) {
  add <- lapply(terms, function(t) {
    c(
      if (!is.numeric(t$lhs)) list(call("(", t$lhs)),
      if (!is.null(t$group)) group_parts(t$group)
    )
  })
  for (e in unique(unlist(add, recursive = FALSE))) {
    if (!identical(e, groups_symbol)) {
      rhs <- call("+", rhs, e)
    }
  }
  rhs
}

check_random_dots <- function(terms) {
  for (t in terms) {
    if ("." %in% all.names(t$lhs)) {
      abort(if (t$kind == "vc") "vc_formula" else "formula", paste0(
        "`.` cannot stand in a random-effects design; name the variables: ",
        one_line(t$lhs), "."
      ))
    }
  }
}

# `.`: all columns of data that are not in the response, as lm() has it.
expand_dot <- function(fixed, data) {
  if (!is.list(data)) {
    abort("formula", paste0(
      "`formula` has a `.`, which stands for all other columns of `data`; ",
      "`data` is ", describe(data), "."
    ), argument = "formula")
  }
  tryCatch(
    stats::formula(stats::terms.formula(fixed, data = data)),
    error = function(e) {
      abort("formula", paste0(
        "The `.` in `formula` cannot be expanded: ", conditionMessage(e), "."
      ), argument = "formula")
    }
  )
}
