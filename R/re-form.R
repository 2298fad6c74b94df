# Which random effects a formula such as ~ (1 | g) asks for.

# -> list, one element per random term of the fit: the indices of its columns that
# are kept. NULL keeps all of them; NA and ~ 0 none.
re_form_columns <- function(fit, re.form = NULL) {
  random <- field(fit, "random")
  if (is.null(re.form)) {
    return(lapply(random, function(term) seq_along(term$columns)))
  }
  kept <- lapply(random, function(term) integer())
  if (is.atomic(re.form) && length(re.form) == 1L && is.na(re.form)) {
    return(kept)
  }
  for (bar in re_form_bars(re.form)) {
    kept <- keep_bar(fit, kept, bar)
  }
  lapply(kept, sort)
}

re_form_error <- function(...) abort("re_form", paste0(...), argument = "re.form")

# The random terms of the formula, one for each grouping factor; none for ~ 0.
re_form_bars <- function(re.form) {
  if (!inherits(re.form, "formula") || length(re.form) != 2L) {
    re_form_error(
      "`re.form` must be NULL for all random effects, NA or ~ 0 for none, or a one-sided ",
      "formula of random terms, as in ~ (1 | g); found ", describe(re.form), "."
    )
  }
  tryCatch(
    {
      parts <- split_bars(re.form[[2L]])
      bars <- expand_bars(parts$bars)
    },
    mixedlm_error = function(e) {
      re_form_error("`re.form` cannot be read. ", sub("In `formula`, ", "", conditionMessage(e), fixed = TRUE))
    }
  )
  if (!is.null(parts$fixed) && !identical(parts$fixed, 0) && (!length(bars) || !identical(parts$fixed, 1))) {
    re_form_error(
      "`re.form` takes random terms only; found ", one_line(re.form), ". The fixed effects always count."
    )
  }
  bars
}

keep_bar <- function(fit, kept, bar) {
  random <- field(fit, "random")
  names <- vapply(random, `[[`, "", "group")
  group <- var_name(strip_parens(bar$group))
  on <- which(names == group)
  if (!length(on)) {
    # a:b and b:a are the same groups
    sorted <- function(name) paste(sort(strsplit(name, ":", fixed = TRUE)[[1L]]), collapse = ":")
    on <- which(vapply(names, sorted, "") == sorted(group))
  }
  if (!length(on)) {
    re_form_error(
      "`re.form` has random effects of ", quote_names(group), ", which is not a grouping factor of the fit (",
      quote_names(unique(names)), ").", suggest(group, names)
    )
  }
  for (column in bar_columns(fit, bar)) {
    places <- lapply(on, function(k) setdiff(which(random[[k]]$columns == column), kept[[k]]))
    has <- which(lengths(places) > 0L)
    if (!length(has)) {
      there <- unique(unlist(lapply(random[on], `[[`, "columns")))
      re_form_error(
        "`re.form` asks for the random effect ", quote_names(column), " of ", quote_names(group),
        ", which the fit does not have", if (column %in% there) " twice", "; it has ", quote_names(there), "."
      )
    }
    k <- on[has[1L]]
    kept[[k]] <- c(kept[[k]], places[[has[1L]]][1L])
  }
  kept
}

# The names of the columns that the left of a bar makes, from one row of the fit.
bar_columns <- function(fit, bar) {
  if (identical(bar$lhs, 1)) {
    return("(Intercept)")
  }
  frame <- field(fit, "frame")
  tt <- tryCatch(
    design_terms(bar$lhs, "re.form", environment(field(fit, "terms"))),
    mixedlm_error = function(e) re_form_error(conditionMessage(e))
  )
  for (v in as.list(attr(tt, "variables"))[-1L]) {
    if (!var_name(v) %in% names(frame)) {
      re_form_error(
        "`re.form` has the variable ", quote_names(var_name(v)), ", which is not in the fit.",
        suggest(var_name(v), names(frame))
      )
    }
  }
  if (!length(attr(tt, "term.labels"))) {
    return(if (attr(tt, "intercept") == 1L) "(Intercept)" else character())
  }
  tt <- frame_terms(tt, attr(frame, "terms"), frame)
  one <- lapply(names(attr(tt, "dataClasses")), function(name) {
    like_fitted(head_of(.subset2(frame, name)), .subset2(frame, name), name)
  })
  names(one) <- names(attr(tt, "dataClasses"))
  colnames(columns_matrix(tt, one, 1L, field(fit, "contrasts")))
}

head_of <- function(v) if (is.matrix(v)) v[1L, , drop = FALSE] else v[1L]
