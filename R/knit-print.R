# Results as tables in documents made by package knitr.

#' Tables in documents
#'
#' In a document made by package knitr, results that end a line of code are shown as tables: summaries (statsmodels' two
#' tables, or lme4's random and fixed effects), linear hypotheses and the variances of the random effects. (Tables of `anova()` are data
#' frames: `knitr::kable(anova(fit))`.) In chunks with the option `render = normal_print`, and for
#' what is printed by `print()`, the text of the console is shown.
#'
#' @param x what [summary.mixedlm()], [linear_hypothesis()] or [VarCorr.mixedlm()] returned.
#' @param digits (`integer(1)`) significant digits.
#' @param ... not used.
#' @return What `knitr::asis_output()` returns: tables in markdown, HTML or LaTeX, as the document wants them.
#' @name mixedlm-knitr
#' @seealso [summary_col()]
#' @examplesIf requireNamespace("knitr", quietly = TRUE)
#' fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
#' knitr::knit_print(summary(fit))
#' knitr::knit_print(VarCorr(fit))
NULL

#' @rdname mixedlm-knitr
#' @exportS3Method knitr::knit_print
knit_print.summary.mixedlm <- function(x, digits = max(3L, getOption("digits") - 3L), ...) {
  check_digits(digits)
  fit <- x$fit
  if (x$style == "lme4") {
    parts <- c(
      knit_table(
        varcorr_table(VarCorr(fit), digits),
        trimws(sub(" .", ".", lme4_pieces$methTitle(x), fixed = TRUE)), text = 3L
      ),
      knit_table(number_cells(x$coefficients, digits), NULL),
      size_line(fit)
    )
  } else {
    cells <- coefficient_cells(x)
    body <- cells[-1L, , drop = FALSE]
    colnames(body) <- cells[1L, ]
    parts <- c(
      knit_table(header_cells(x$header), x$title, header = FALSE), knit_table(body, NULL)
    )
  }
  notes <- if (x$style == "lme4" || x$compat != "statsmodels") {
    c(one_paragraph(aliased_line(fit)), if (verdict(fit) != "optimum") one_paragraph(verdict_line(fit)))
  }
  knit_out(c(parts, notes))
}

#' @rdname mixedlm-knitr
#' @exportS3Method knitr::knit_print
knit_print.VarCorr.mixedlm <- function(x, digits = max(3L, getOption("digits") - 3L), ...) {
  check_digits(digits)
  knit_out(knit_table(varcorr_table(x, digits), NULL, text = 3L))
}

#' @rdname mixedlm-knitr
#' @exportS3Method knitr::knit_print
knit_print.mixedlm_hypothesis <- function(x, digits = max(3L, getOption("digits") - 3L), ...) {
  check_digits(digits)
  table <- as.matrix(x$table)
  table <- table[, !apply(is.na(table), 2L, all), drop = FALSE]
  knit_out(c(
    knit_table(number_cells(table, digits), hypothesis_title(x)),
    if (!is.null(x$joint) && nrow(x$table) > 1L) joint_line(x, digits)
  ))
}

# One row per element, with the residual variance.
varcorr_table <- function(x, digits) {
  table <- as.data.frame(x)
  blank <- function(v) ifelse(is.na(v), "", v)
  cells <- cbind(
    Groups = table$grp, Name = blank(table$var1), `with` = blank(table$var2),
    `Variance or covariance` = signif_text(table$vcov, digits),
    `Std.Dev. or correlation` = signif_text(table$sdcor, digits)
  )
  if (all(is.na(table$var2))) {
    cells <- cells[, -3L, drop = FALSE]
    colnames(cells)[3:4] <- c("Variance", "Std.Dev.")
  }
  cells
}

# Numbers as text, p-values as format.pval() has them.
number_cells <- function(table, digits) {
  cells <- vapply(colnames(table), function(name) {
    is_p <- startsWith(name, "Pr(") || name == "p.value"
    if (is_p) format.pval(table[, name], digits = digits) else signif_text(table[, name], digits)
  }, character(nrow(table)))
  cells <- matrix(cells, nrow(table), dimnames = list(NULL, colnames(table)))
  cells[is.na(table)] <- ""
  cbind(stats::setNames(rownames(table), NULL), cells)
}

signif_text <- function(v, digits) {
  text <- vapply(v, function(value) format(value, digits = digits), "")
  text[is.na(v) & !is.nan(v)] <- ""
  text
}

# The first `text` columns to the left (two at the end are always numbers), the
# rest to the right. `title` stands above.
knit_table <- function(cells, title, header = TRUE, text = 1L) {
  names <- if (header) colnames(cells) %||% rep("", ncol(cells)) else rep("", ncol(cells))
  names[is.na(names)] <- ""
  rownames(cells) <- NULL
  text <- if (header) min(text, max(1L, ncol(cells) - 2L)) else ncol(cells)
  align <- rep(c("l", "r"), c(text, ncol(cells) - text))
  c(title, paste(knitr::kable(cells, col.names = names, align = align, row.names = FALSE), collapse = "\n"))
}

# Lines that were wrapped for the console.
one_paragraph <- function(lines) if (length(lines)) paste(trimws(lines), collapse = " ")

knit_out <- function(parts) {
  knitr::asis_output(paste0("\n\n", paste(parts, collapse = "\n\n"), "\n\n"))
}
