# Random effects: their conditional modes, and their covariance matrices.

#' Random effects
#'
#' The conditional modes of the random effects (their predictions given the
#' data, at the estimates).
#'
#' @param object (`mixedlm`) a fit.
#' @param condVar (`logical(1)`) whether the conditional covariance matrices are
#'   computed too, as in lme4 the default; not after [remove_data()].
#' @param drop (`logical(1)`) whether data frames of one column become named
#'   vectors.
#' @param whichel (`character`) names of the grouping factors to give; default all.
#' @param postVar (`logical(1)`) lme4's old name for `condVar`.
#' @param ... not used.
#'
#' @return A list of class `ranef.mixedlm`, one data frame per grouping factor:
#'   one row per level, one column per random effect, terms on one factor side
#'   by side; factors by falling number of levels. With `condVar`, every data
#'   frame has the attribute `postVar`: an array (effects x effects x levels), or
#'   for several terms on one factor the list of their arrays, named by the effects (for a column that `drop` made a
#'   vector, its variances). `as.data.frame()`
#'   gives one row per effect and level: `grpvar`, `term`, `grp`, `condval` and,
#'   with `condVar`, `condsd`.
#' @export
#' @section Errors:
#' `mixedlm_error_argument` for arguments that cannot be used; `mixedlm_error_removed` for conditional covariances after
#' [remove_data()].
#' @references
#' Robinson GK (1991). That BLUP is a good thing: the estimation of random effects. *Statistical Science* **6**, 15-32.
#' @seealso [plot.ranef.mixedlm()], [new_effects()], [VarCorr.mixedlm()], [prediction_se()]
#' @examples
#' fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig", re_formula = ~ Time)
#' head(ranef(fit)$Pig)
#' head(as.data.frame(ranef(fit)))
ranef.mixedlm <- function(object, condVar = TRUE, drop = FALSE, whichel = NULL,
                          postVar = FALSE, ...) {
  if (missing(condVar) && is_removed(object)) {
    condVar <- FALSE
  }
  factors <- field(object, "factors")
  names <- vapply(factors, `[[`, "", "name")
  chosen <- factor_order(object)
  if (!is.null(whichel)) {
    if (!is.character(whichel)) {
      abort("argument", paste0(
        "`whichel` must be names of grouping factors (", quote_names(names), "); found ", describe(whichel), "."
      ), argument = "whichel")
    }
    unknown <- setdiff(whichel, names)
    if (length(unknown)) {
      abort("argument", paste0(
        "`whichel` names ", quote_names(unknown[1L]),
        ", which is not a grouping factor of the fit (", quote_names(names), ")."
      ), argument = "whichel")
    }
    chosen <- chosen[names[chosen] %in% whichel]
  }
  variances <- if (isTRUE(condVar) || isTRUE(postVar)) engine_condvar(object)
  out <- lapply(chosen, function(f) {
    terms <- terms_on(object, f)
    value <- effects_frame(object, f, terms)
    dropped <- isTRUE(drop) && ncol(value) == 1L
    if (dropped) {
      value <- stats::setNames(value[[1L]], rownames(value))
    }
    if (!is.null(variances)) {
      attr(value, "postVar") <- joined_variances(object, variances, terms, dropped)
    }
    value
  })
  structure(stats::setNames(out, names[chosen]), class = "ranef.mixedlm")
}

# The covariances of the effects on one factor: one array, or one for each term.
joined_variances <- function(fit, variances, terms, dropped) {
  own <- variances[terms]
  if (dropped) {
    return(as.numeric(own[[1L]]))
  }
  if (length(own) == 1L) {
    return(own[[1L]])
  }
  names(own) <- vapply(field(fit, "random")[terms], function(term) paste(term$columns, collapse = "."), "")
  own
}

# Indices of the terms on factor f, in the order of the fit.
terms_on <- function(fit, f) {
  which(vapply(field(fit, "random"), function(term) term$factor == f, NA))
}

effects_frame <- function(fit, f, terms) {
  random <- field(fit, "random")
  b <- field(fit, "b")[terms]
  value <- lapply(unlist(lapply(b, function(m) split(m, row(m))), recursive = FALSE), as.numeric)
  names(value) <- unlist(lapply(random[terms], `[[`, "columns"))
  structure(value, class = "data.frame", row.names = field(fit, "factors")[[f]]$levels)
}

#' @export
as.data.frame.ranef.mixedlm <- function(x, ...) {
  parts <- lapply(names(x), function(g) {
    value <- x[[g]]
    if (!is.data.frame(value)) {
      value <- data.frame("(Intercept)" = value, check.names = FALSE)
    }
    levels <- rownames(value)
    out <- data.frame(
      grpvar = g,
      term = factor(rep(names(value), each = nrow(value)), levels = unique(names(value))),
      grp = factor(rep(levels, ncol(value)), levels = levels[order(value[[1L]])]),
      condval = unlist(value, use.names = FALSE)
    )
    variance <- attr(value, "postVar")
    if (!is.null(variance)) {
      out$condsd <- unlist(conditional_sd(variance), use.names = FALSE)
    }
    out
  })
  do.call(rbind, parts)
}

# Per effect the conditional standard deviations of the levels, from the attribute "postVar": an
# array, one for each term, or the variances of the only effect.
conditional_sd <- function(variance) {
  if (is.null(dim(variance)) && !is.list(variance)) {
    return(list(sqrt(variance)))
  }
  arrays <- if (is.list(variance)) variance else list(variance)
  unlist(lapply(arrays, function(a) {
    lapply(seq_len(dim(a)[1L]), function(j) sqrt(pmax(a[j, j, ], 0)))
  }), recursive = FALSE)
}

#' @export
print.ranef.mixedlm <- function(x, ...) {
  plain <- lapply(unclass(x), function(value) {
    attr(value, "postVar") <- NULL
    value
  })
  print(plain, ...)
  known <- vapply(x, function(value) !is.null(attr(value, "postVar")), NA)
  if (any(known)) {
    cat("with conditional variances for", paste(dQuote(names(x)[known]), collapse = " "), "\n")
  }
  invisible(x)
}

# statsmodels' random_effects: per group one named vector, group-level effects
# first, then the components within it.
group_effects <- function(fit) {
  check_rows_kept(fit)
  random <- field(fit, "random")
  group <- group_of_rows(fit)
  terms <- order(vapply(random, function(term) term$role != "cov_re", NA))
  parts <- lapply(terms, function(k) {
    f <- field(fit, "factors")[[random[[k]]$factor]]
    owner <- integer(length(f$levels))
    owner[f$codes] <- group$codes
    list(
      value = as.numeric(field(fit, "b")[[k]]),
      label = effect_labels(random[[k]], f$levels),
      owner = rep(owner, each = length(random[[k]]$columns))
    )
  })
  join <- function(name) unlist(lapply(parts, `[[`, name))
  value <- stats::setNames(join("value"), join("label"))
  owner <- structure(join("owner"), levels = group$levels, class = "factor")
  split(value, owner)
}

effect_labels <- function(term, levels) {
  q <- length(term$columns)
  if (term$role == "cov_re") {
    return(rep(term$columns, length(levels)))
  }
  column <- if (q > 1L) paste0(", ", term$columns) else ""
  paste0(term$name, "[", rep(levels, each = q), column, "]")
}

# statsmodels' random_effects_cov: the conditional covariance of the
# group-level effects of every group.
group_effects_cov <- function(fit) {
  random <- field(fit, "random")
  terms <- has_role(random, "cov_re")
  if (length(terms) != 1L) {
    abort("argument", paste0(
      "`random_effects_cov` is there for one group-level term; use ",
      "ranef(fit, condVar = TRUE)."
    ))
  }
  variance <- engine_condvar(fit)[[terms]]
  names <- random[[terms]]$columns
  levels <- field(fit, "factors")[[random[[terms]]$factor]]$levels
  out <- lapply(seq_along(levels), function(l) {
    matrix(variance[, , l], length(names), dimnames = list(names, names))
  })
  stats::setNames(out, levels)
}

# The independent groups of the rows, as a coded factor.
group_of_rows <- function(fit) {
  random <- field(fit, "random")
  at <- has_role(random, "cov_re")
  if (length(at)) {
    return(field(fit, "factors")[[random[[at[1L]]]$factor]])
  }
  groups <- field(fit, "parsed")$groups
  if (is.null(groups)) {
    return(single_factor(length(field(fit, "y"))))
  }
  make_factor(groups, field(fit, "frame"), new.env())
}
