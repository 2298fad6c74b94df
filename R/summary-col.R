# summary_col(): several fits side by side, statsmodels' table of that name.

#' Several fits side by side
#'
#' One table with a column for each fit: estimates with their standard errors below them, fixed effects
#' first, then variances; what statsmodels' `summary_col()` prints.
#'
#' @param ... (`mixedlm`) fits, or lists of them; names become those of the columns.
#' @param float_format (`character(1)`) format of estimates and standard errors, as for [sprintf()].
#' @param model_names (`character`) names of the columns; default the names of the
#'   arguments, else those of the responses. Where they are not unique Roman numbers are added.
#' @param stars (`logical(1)`) whether estimates are marked with `*` for p < 0.1, `**` for p < 0.05,
#'   `***` for p < 0.01 (normal reference). Variances are not marked, unless `compat` says so.
#' @param info (named `list` of functions of a fit) the rows at the end; default `N`, `Groups`, `Scale`,
#'   `Log-Likelihood`, `Method`. `list()` for none.
#' @param regressor_order (`character`) labels of rows that are to come first.
#' @param drop_omitted (`logical(1)`) whether rows that `regressor_order` does not name are left out.
#' @param compat (`character(1)`) `"none"`: variances on the user's scale with exact standard errors, as in
#'   [summary.mixedlm()]. `"statsmodels"`: the numbers, stars, order and lack of further rows of its table,
#'   where variances are *relative to the residual variance*.
#'
#' @return A list of class `mixedlm_summary_col`: `estimates` (data frame with a row for each model and parameter: `model`,
#'   `label`, `part`, `estimate`, `std_error`, `p_value`), `info` (character matrix) and how to format them. `print()` shows the
#'   table as text, `as.data.frame()` gives its cells (a column of labels, then one for each model), and in documents made with
#'   knitr it becomes a table.
#' @section Errors: `mixedlm_error_argument` for what is not a fit, and for the other arguments.
#' @export
#' @seealso [summary.mixedlm()], [mixedlm-tidiers]
#' @examples
#' one <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
#' two <- mixedlm(Weight ~ Time + Cu, dietox, groups = "Pig", re_formula = ~ Time)
#' summary_col(one, two, stars = TRUE)
#' as.data.frame(summary_col(a = one, b = two))
summary_col <- function(..., float_format = "%.4f", model_names = NULL, stars = FALSE, info = NULL,
                        regressor_order = NULL, drop_omitted = FALSE, compat = "none") {
  fits <- fits_given(list(...))
  compat <- choose_one(compat, c("none", "statsmodels"), "compat")
  check_column_arguments(float_format, stars, drop_omitted, regressor_order)
  names <- model_columns(fits, model_names)
  rows <- lapply(fits, if (compat == "statsmodels") column_statsmodels else column_exact)
  estimates <- do.call(rbind, Map(function(d, name) cbind(model = name, d), rows, names))
  rownames(estimates) <- NULL
  info <- info %||% if (compat == "statsmodels") list() else info_default
  structure(
    list(
      models = names, estimates = estimates, info = info_cells(fits, info, names),
      labels = ordered_labels(estimates, regressor_order, drop_omitted, compat),
      float_format = float_format, stars = stars, compat = compat
    ),
    class = "mixedlm_summary_col"
  )
}

# --- columns ----------------------------------------------------------------

column_exact <- function(fit) {
  s <- summary(fit)
  fixed <- s$coefficients
  data.frame(
    label = c(s$labels, s$varcomp$label),
    part = rep(c("fixed", "variance"), c(nrow(fixed), nrow(s$varcomp))),
    estimate = c(fixed[, 1L], s$varcomp$estimate), std_error = c(fixed[, 2L], s$varcomp$std_error),
    p_value = c(fixed[, 4L], rep(NA_real_, nrow(s$varcomp)))
  )
}

column_statsmodels <- function(fit) {
  inference <- statsmodels_inference(fit)
  p <- length(field(fit, "fe_params"))
  rows <- varcomp_rows(fit, all_pairs = TRUE, sort_components = TRUE)
  data.frame(
    label = c(summary(fit)$labels, rows$label), part = rep(c("fixed", "variance"), c(p, nrow(rows))),
    estimate = unname(inference$params), std_error = unname(inference$bse),
    p_value = unname(2 * stats::pnorm(-abs(inference$params / inference$bse)))
  )
}

info_default <- list(
  N = function(fit) format(n_rows(fit)),
  Groups = function(fit) paste(ngrps(fit), collapse = ", "),
  Scale = function(fit) sprintf("%.4f", field(fit, "scale")),
  "Log-Likelihood" = function(fit) sprintf("%.4f", -field(fit, "criterion") / 2),
  Method = function(fit) if (field(fit, "reml")) "REML" else "ML"
)

info_cells <- function(fits, info, names) {
  if (!is.list(info) || length(info) && (is.null(names(info)) || !all(vapply(info, is.function, NA)))) {
    abort("argument", paste0(
      "`info` must be a named list of functions of a fit, not ", describe(info), "."
    ), argument = "info")
  }
  cells <- vapply(fits, function(fit) {
    vapply(info, function(f) {
      value <- f(fit)
      if (is.character(value)) paste(value, collapse = ", ") else paste(format(value), collapse = ", ")
    }, "")
  }, character(length(info)))
  matrix(cells, length(info), length(fits), dimnames = list(names(info), names))
}

# Fixed effects before variances; statsmodels: as they come.
ordered_labels <- function(estimates, first, drop, compat) {
  part <- if (compat == "none") estimates$part else rep("fixed", nrow(estimates))
  all <- unique(estimates$label[order(part)])
  unknown <- setdiff(first, all)
  if (length(unknown)) {
    abort("argument", paste0(
      "`regressor_order` names ", quote_names(unknown[1L]), ", which is in no fit; there are ", quote_names(all), ".",
      suggest(unknown[1L], all)
    ), argument = "regressor_order")
  }
  if (drop && !is.null(first)) first else c(first, setdiff(all, first))
}

# --- arguments --------------------------------------------------------------

fits_given <- function(given) {
  flat <- list()
  for (i in seq_along(given)) {
    one <- given[[i]]
    add <- if (is.list(one) && !inherits(one, "mixedlm") && !is.object(one)) one else given[i]
    flat <- c(flat, add)
  }
  bad <- which(!vapply(flat, inherits, NA, "mixedlm"))
  if (length(bad) || !length(flat)) {
    abort("argument", if (length(flat)) {
      name <- names(flat)[bad[1L]]
      paste0(
        "summary_col() takes fits of mixedlm(), not ", describe(flat[[bad[1L]]]),
        if (length(name) && nzchar(name)) paste0(" (`", name, "`)"), "."
      )
    } else {
      "summary_col() needs at least one fit."
    }, argument = "...")
  }
  lapply(flat, validate_mixedlm)
}

check_column_arguments <- function(float_format, stars, drop_omitted, regressor_order) {
  ok <- is_string(float_format) && tryCatch(
    length(sprintf(float_format, pi)) == 1L && grepl("%", float_format, fixed = TRUE),
    error = function(e) FALSE, warning = function(w) FALSE
  )
  if (!ok) {
    abort("argument", paste0(
      "`float_format` must be a format for one number, as \"%.4f\"; found ", describe(float_format), "."
    ), argument = "float_format")
  }
  flags <- list(stars = stars, drop_omitted = drop_omitted)
  for (flag in names(flags)) {
    if (!is_flag(flags[[flag]])) {
      abort("argument", paste0(
        "`", flag, "` must be TRUE or FALSE; found ", describe(flags[[flag]]), "."
      ), argument = flag)
    }
  }
  if (!is.null(regressor_order) && !is.character(regressor_order)) {
    abort("argument", paste0(
      "`regressor_order` must be labels of rows, not ", describe(regressor_order), "."
    ), argument = "regressor_order")
  }
}

model_columns <- function(fits, given) {
  if (!is.null(given) && (!is.character(given) || length(given) != length(fits) || anyNA(given))) {
    abort("argument", paste0(
      "`model_names` must be one name for each of the ", length(fits), " fits, not ", describe(given), "."
    ), argument = "model_names")
  }
  response <- vapply(fits, function(fit) var_name(field(fit, "parsed")$response), "")
  own <- names(fits) %||% rep("", length(fits))
  names <- given %||% ifelse(nzchar(own), own, response)
  if (anyDuplicated(names)) {
    names <- paste(names, as.character(utils::as.roman(seq_along(names))))
  }
  unname(names)
}

# --- the table ----------------------------------------------------------------

#' @export
as.data.frame.mixedlm_summary_col <- function(x, ...) {
  cells <- table_cells(x)
  out <- data.frame(rownames(cells), unname(cells), check.names = FALSE)
  stats::setNames(out, c("term", colnames(cells)))
}

# Two rows for each parameter, then the info; row names are labels or empty.
table_cells <- function(x) {
  size <- 2L * length(x$labels)
  cells <- matrix("", size, length(x$models), dimnames = list(rep("", size), x$models))
  rownames(cells)[2L * seq_along(x$labels) - 1L] <- x$labels
  e <- x$estimates
  row <- match(e$label, x$labels)
  column <- match(e$model, x$models)
  keep <- !is.na(row)
  number <- function(v) ifelse(is.na(v), "", sprintf(x$float_format, v))
  marks <- if (x$stars) stars_of(e$p_value) else ""
  se <- ifelse(is.na(e$std_error), "", paste0("(", number(e$std_error), ")"))
  cells[cbind(2L * row - 1L, column)[keep, , drop = FALSE]] <- paste0(number(e$estimate), marks)[keep]
  cells[cbind(2L * row, column)[keep, , drop = FALSE]] <- se[keep]
  rbind(cells, x$info)
}

stars_of <- function(p) {
  ifelse(is.na(p), "", strrep("*", (p < 0.1) + (p < 0.05) + (p < 0.01)))
}

#' @export
print.mixedlm_summary_col <- function(x, ...) {
  cells <- table_cells(x)
  # names that are repeated are not columns of a frame
  columns <- c(list(rownames(cells)), lapply(seq_len(ncol(cells)), function(j) unname(cells[, j])))
  head <- c("", colnames(cells))
  lines <- Map(function(name, column) {
    width <- max(nchar(c(name, column), "width"))
    c(centred(name, width), formatC(column, width = -width, flag = "-"))
  }, head, columns)
  rows <- do.call(paste, unname(lines))
  width <- nchar(rows[1L], "width")
  notes <- c("Standard errors in parentheses.", if (x$stars) "* p<.1, ** p<.05, ***p<.01")
  rule <- function(character) strrep(character, width)
  writeLines(c(
    "", rule("="), rows[1L], rule("-"), rows[-1L], rule("="), strwrap(notes, width + 1L)
  ))
  invisible(x)
}

# As Python's str.center().
centred <- function(text, width) {
  pad <- width - nchar(text, "width")
  left <- pad %/% 2L + (pad %% 2L) * (width %% 2L)
  paste0(strrep(" ", left), text, strrep(" ", pad - left))
}

#' @exportS3Method knitr::knit_print
knit_print.mixedlm_summary_col <- function(x, ...) {
  notes <- c("Standard errors in parentheses.", if (x$stars) "* p<.1, ** p<.05, *** p<.01")
  knitr::knit_print(knitr::kable(as.data.frame(x), caption = paste(notes, collapse = " ")))
}
