# vc_spec(): variance components given as matrices, group by group.

#' Variance components as matrices
#'
#' The design of variance components for the matrix interface of [mixedlm()], as statsmodels' `VCSpec`: for each component one
#' matrix for each group.
#'
#' @param names (`character`) name of each component.
#' @param colnames (`list`) per component, per group, the names of the columns of the matrix; or `NULL`.
#' @param mats (`list`) per component, per group, the matrix: a row for each row of the group, in their order, and a column
#'   for each random effect. The groups are sorted, as statsmodels sorts them (numbers by size, strings by code
#'   point), or the list has their names.
#' @return An object of class `mixedlm_vc_spec`, a list of the three, for the argument `exog_vc` of [mixedlm()].
#' @section Errors: `mixedlm_error_argument` for names, lists or matrices of other types or sizes; that the
#'   matrices suit the groups is checked by [mixedlm()].
#' @export
#' @seealso [mixedlm()], argument `exog_vc`
#' @examples
#' d <- dietox[dietox$Time %in% 1:6, ]
#' groups <- split(d, as.character(d$Pig))
#' halves <- lapply(groups, function(g) cbind(first = g$Time <= 3, second = g$Time > 3) + 0)
#' spec <- vc_spec("half", list(lapply(halves, colnames)), list(halves))
#' mixedlm(cbind(1, d$Time), d$Weight, groups = d$Pig, exog_re = rep(1, nrow(d)), exog_vc = spec)
vc_spec <- function(names, colnames = NULL, mats) {
  if (!is.character(names) || !length(names) || anyNA(names) || any(!nzchar(names)) || anyDuplicated(names)) {
    abort("argument", paste0(
      "`names` must be one name for each component, all different; found ", describe(names), "."
    ), argument = "names")
  }
  check_spec_list(if (missing(mats)) NULL else mats, "mats", length(names))
  mats <- lapply(seq_along(names), function(k) {
    lapply(mats[[k]], spec_matrix, name = names[k])
  })
  if (!is.null(colnames)) {
    check_spec_list(colnames, "colnames", length(names))
    for (k in seq_along(names)) {
      ok <- length(colnames[[k]]) == length(mats[[k]]) &&
        all(lengths(colnames[[k]]) == vapply(mats[[k]], ncol, 0L))
      if (!ok) {
        abort("argument", paste0(
          "`colnames` (component ", quote_names(names[k]), ") must have a name for each column of each group's matrix."
        ), argument = "colnames")
      }
    }
  }
  structure(list(names = names, colnames = colnames, mats = mats), class = "mixedlm_vc_spec")
}

check_spec_list <- function(value, argument, size) {
  if (!is.list(value) || is.data.frame(value) || length(value) != size || !all(vapply(value, is.list, NA))) {
    abort("argument", paste0(
      "`", argument, "` must be a list with one list for each component (", size, "), not ",
      describe(value), "."
    ), argument = argument)
  }
}

spec_matrix <- function(m, name) {
  if (!(is.numeric(m) || is.logical(m)) || is.object(m)) {
    abort("argument", paste0(
      "`mats` (component ", quote_names(name), ") must hold numeric matrices, not ", describe(m), "."
    ), argument = "mats")
  }
  m <- as.matrix(m)
  storage.mode(m) <- "double"
  m
}

#' @export
print.mixedlm_vc_spec <- function(x, ...) {
  for (k in seq_along(x$names)) {
    sizes <- vapply(x$mats[[k]], dim, c(0L, 0L))
    cat(
      x$names[k], ": ", length(x$mats[[k]]), " groups, ", sum(sizes[1L, ]), " rows, ",
      paste(unique(range(sizes[2L, ])), collapse = " to "), " columns\n",
      sep = ""
    )
  }
  invisible(x)
}

# As the matrix interface takes components: a named list of lists, named by group.
spec_as_list <- function(spec, groups, data) {
  if (is.null(groups)) {
    abort("argument", "`exog_vc` by group needs `groups`.", argument = "exog_vc")
  }
  levels <- sorted_groups(data[[as.character(groups$expr)]])
  out <- lapply(seq_along(spec$names), function(k) {
    mats <- spec$mats[[k]]
    if (length(mats) != length(levels)) {
      abort("argument", paste0(
        "`exog_vc` (component ", quote_names(spec$names[k]), ") must have one matrix for each of the ", length(levels),
        " groups, not ", length(mats), "."
      ), argument = "exog_vc")
    }
    names(mats) <- names(mats) %||% levels
    mats
  })
  stats::setNames(out, spec$names)
}

# As Python sorts them.
sorted_groups <- function(v) {
  values <- unique(v)
  if (is.factor(v)) {
    values <- as.character(values)
  }
  as.character(sort(values, method = "radix"))
}
