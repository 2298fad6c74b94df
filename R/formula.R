# Both vocabularies become one list of random terms. Nothing here looks at the
# data, except for the column names that `.` and `groups` refer to.

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
  check_no_dot(response, terms)

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
      variables = make_formula(response, all_variables(fixed_rhs, terms, parts$bars), env),
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

# The fixed part and every variable of the random part, in the order in which the
# formula has them.
all_variables <- function(rhs, terms, bars = NULL) {
  add <- if (length(bars)) {
    lapply(bars, variables_of_bar)
  } else {
    lapply(terms, function(t) {
      c(
        if (!is.numeric(t$lhs)) list(call("(", t$lhs)),
        if (!is.null(t$group)) group_parts(t$group)
      )
    })
  }
  for (e in unique(unlist(add, recursive = FALSE))) {
    if (!identical(e, groups_symbol)) {
      rhs <- call("+", rhs, e)
    }
  }
  rhs
}

variables_of_bar <- function(e) {
  if (!is_bar(e)) {
    e <- e[[2L]]
  }
  lhs <- e[[2L]]
  c(if (!is.numeric(lhs)) list(call("(", lhs)), nested_parts(e[[3L]]))
}

# a/b -> a, b; a:b -> a, b.
nested_parts <- function(g) {
  g <- strip_parens(g)
  if (is.call(g) && length(g) == 3L && call_name(g) %in% c("/", ":")) {
    return(c(nested_parts(g[[2L]]), nested_parts(g[[3L]])))
  }
  list(g)
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

# A `.` means something among the fixed effects only.
check_no_dot <- function(response, terms) {
  for (e in c(list(response), lapply(terms, `[[`, "group"))) {
    if ("." %in% all.names(e)) {
      abort("formula", paste0(
        "`.` stands for other columns of `data`; it cannot be ",
        if (identical(e, response)) "the response" else "a grouping factor",
        ". Rename a column of that name."
      ), argument = "formula")
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
  if ("." %in% names(data)) {
    abort("formula", paste0(
      "`data` has a column called `.`, but in `formula` a `.` stands for all ",
      "other columns. Rename the column."
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
