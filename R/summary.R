# summary(): the printed tables of statsmodels and of lme4.

#' Summarise a fit
#'
#' The estimates with their standard errors, printed as statsmodels' table
#' (default) or in lme4's layout.
#'
#' @param object (`mixedlm`) a fit.
#' @param yname (`character(1)`) name of the response in the table.
#' @param xname_fe (`character`) names of the fixed effects.
#' @param xname_re (`character`) names of the rows of the variances.
#' @param title (`character(1)`) title; the default is statsmodels'.
#' @param alpha (`numeric(1)`) 1 - confidence level of the intervals.
#' @param compat (`character(1)`) `"none"`: exact standard errors for the
#'   variance rows, as [vcov.mixedlm()] gives them. `"statsmodels"`: the numbers
#'   that statsmodels prints, so that the two printouts are identical. Its
#'   standard errors of the variance rows leave out the uncertainty of the scale and
#'   do not follow a change of the response's units; those of the fixed effects are from the
#'   joint Hessian with the variances.
#' @param style (`character(1)`) `"statsmodels"` or `"lme4"`. The default is `"statsmodels"`, or what
#'   `options(mixedlm.summary = "lme4")` says where neither `compat` nor a title or name for statsmodels' table is given.
#' @param ddf (`character(1)`) for `style = "lme4"`, which it implies: degrees of freedom of the t
#'   tests, see [mixedlm-ddf]. `"none"` is lme4's own table, without p-values. Where the
#'   default, Satterthwaite's, is not defined for the fit, the table is that one too.
#' @param vcov (`character(1)`) for `style = "lme4"`, which it implies: covariance of the fixed effects in the t tests,
#'   `"model"` or a cluster-robust one, see [mixedlm-robust], with its own degrees of freedom (`ddf` does not apply).
#' @param cluster for the robust covariances: what the clusters are, `NULL` for the outermost grouping factor.
#' @param correlation (`logical(1)`) for `style = "lme4"`, whether the correlations of the fixed effects are printed; `NULL`:
#'   up to 12 fixed effects. `print()` takes it too.
#' @param x (`summary.mixedlm`) a summary.
#' @param digits (`integer(1)`) significant digits of lme4's layout.
#' @param symbolic.cor (`logical(1)`) whether correlations are printed as symbols, see [stats::symnum()].
#' @param signif.stars (`logical(1)`) whether p-values have stars.
#' @param ranef.comp (`character`) `"Variance"`, `"Std.Dev."` or both: what lme4's layout shows of the random effects.
#' @param show.resids (`logical(1)`) whether lme4's layout shows the quantiles of the scaled residuals.
#' @param ... not used.
#'
#' @details
#' Names are written as statsmodels does: `Intercept`, `Cu[T.Cu035]`, `Pig Var`,
#' `Pig x Time Cov`. The order of the terms is R's. Rows of the variances have no
#' test and no interval: a symmetric interval does not suit them.
#'
#' A variance on the boundary has no standard error: its cell is blank.
#'
#' @return A list of class `summary.mixedlm`: `coefficients` (matrix, one row per
#'   fixed effect), `varcomp` (data frame: label, estimate, std_error), `header`
#'   (named, as printed), `title`, `alpha`, `compat`, `style`, `ddf`, `covariance` (the type of covariance in the
#'   tests), and `fit`. The names that a summary of `lmer()`'s has are answered too, with `$` and `[[`: `methTitle`,
#'   `objClass`, `devcomp`, `isLmer`, `useScale`, `logLik`, `ngrps`, `sigma`, `vcov` (matrix), `varcor`, `AICtab`, `call`,
#'   `residuals` (scaled), `fitMsgs`, `optinfo`.
#'   `coef()` gives `coefficients`: `Estimate`, `Std. Error`, and `z value`, `Pr(>|z|)`
#'   (`style = "statsmodels"`, `ddf = "normal"`) or `df`, `t value`, `Pr(>|t|)`, as lmerTest
#'   has them, or `t value` alone (`ddf = "none"`). For `"Kenward-Roger"` the standard errors are
#'   from the adjusted covariance.
#' @export
#' @section Errors:
#' `mixedlm_error_argument` for arguments that cannot be used, `mixedlm_error_ddf` and `mixedlm_error_robust` for tests
#' that are not defined for the fit.
#' @references
#' Seabold S, Perktold J (2010). statsmodels: Econometric and statistical modeling with Python. *Proceedings of the 9th
#' Python in Science Conference*.
#' @seealso [vcov.mixedlm()] for the standard errors, [confint.mixedlm()], [summary_col()] for several fits
#' @examples
#' fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
#' summary(fit)
#' summary(fit, compat = "statsmodels")
#' summary(fit, style = "lme4")
#' summary(fit, ddf = "Kenward-Roger")
#' coef(summary(fit))
summary.mixedlm <- function(object, yname = NULL, xname_fe = NULL,
                            xname_re = NULL, title = NULL, alpha = 0.05,
                            compat = c("none", "statsmodels"),
                            style = c("statsmodels", "lme4"),
                            ddf = c("Satterthwaite", "Kenward-Roger", "normal", "residual", "none"),
                            vcov = c("model", "CR0", "CR1", "CR1p", "CR1S", "CR2", "CR3"), cluster = NULL,
                            correlation = NULL, ...) {
  if (...length()) {
    check_no_dots(substitute(list(...))[-1L], names(formals(summary.mixedlm)))
  }
  check_optional_flag(correlation, "correlation")
  compat <- choose_one(compat, c("none", "statsmodels"), "compat")
  chosen <- c(ddf = !missing(ddf), vcov = !missing(vcov), cluster = !missing(cluster))
  style <- if (!missing(style)) {
    choose_one(style, c("statsmodels", "lme4"), "style")
  } else if (any(chosen)) {
    "lme4"
  } else if (compat == "none" && missing(title) && missing(yname) && missing(xname_fe) && missing(xname_re)) {
    choose_one(getOption("mixedlm.summary", "statsmodels"), c("statsmodels", "lme4"), "options(mixedlm.summary = )")
  } else {
    "statsmodels"
  }
  if (style == "statsmodels" && any(chosen)) {
    name <- names(chosen)[chosen][1L]
    abort("argument", paste0("`", name, "` is for style = \"lme4\"; statsmodels' table has z tests."),
      argument = name
    )
  }
  if (!is_number(alpha) || alpha <= 0 || alpha >= 1) {
    abort("argument", paste0(
      "`alpha` must be a number between 0 and 1; found ", describe(alpha), "."
    ), argument = "alpha")
  }
  like_statsmodels <- compat == "statsmodels"
  fe <- field(object, "fe_params")
  columns <- field(object, "columns")
  varcomp <- varcomp_rows(object, like_statsmodels, like_statsmodels)
  if (like_statsmodels) {
    bse <- statsmodels_inference(object)$bse
    se_fe <- bse[seq_along(fe)]
    varcomp$std_error <- bse[length(fe) + seq_len(nrow(varcomp))] * sqrt(field(object, "scale"))
  } else {
    se_fe <- sqrt(diag(stats::vcov(object)))
    se <- sqrt(diag(varcomp_cov(object)))
    varcomp$std_error <- se[seq_len(nrow(varcomp))]
  }
  labels <- fixed_labels(object)[!columns %in% field(object, "aliased")]
  basis <- if (style == "lme4") summary_basis(object, ddf, vcov, cluster, !any(chosen))
  structure(list(
    coefficients = if (style == "lme4") tested_coefficients(basis) else coefficient_table(fe, se_fe),
    varcomp = varcomp[c("label", "estimate", "std_error")],
    labels = check_names(xname_fe, labels, "xname_fe"),
    varcomp_labels = check_names(xname_re, varcomp$label, "xname_re"),
    header = summary_header(object, yname),
    title = check_title(title), alpha = alpha, compat = compat, style = style,
    ddf = basis$method %||% "normal", covariance = basis$type %||% "model",
    correlation = correlation, cluster = cluster, fit = object
  ), class = "summary.mixedlm")
}

coefficient_table <- function(estimate, se) {
  z <- estimate / se
  cbind(
    Estimate = estimate, "Std. Error" = se, "z value" = z,
    "Pr(>|z|)" = 2 * stats::pnorm(-abs(z))
  )
}

# A summary can always be made: without p-values where nobody asked for the
# degrees of freedom and they do not exist.
summary_basis <- function(fit, ddf, vcov, cluster, is_default) {
  if (!is_default) {
    return(tests_basis(fit, ddf, vcov, cluster))
  }
  tryCatch(inference_basis(fit, check_ddf(ddf)),
    mixedlm_error_ddf = function(e) inference_basis(fit, "none"),
    mixedlm_error_penalty = function(e) inference_basis(fit, "none"),
    mixedlm_error_removed = function(e) inference_basis(fit, "none"),
    mixedlm_error_numerical = function(e) inference_basis(fit, "none")
  )
}

# The columns of lmerTest's table (lme4's, for "none"; z tests for "normal").
tested_coefficients <- function(basis) {
  p <- length(basis$beta)
  tests <- test_rows(basis, diag(p))
  if (basis$method == "normal") {
    out <- coefficient_table(tests$estimate, tests$se)
  } else {
    out <- cbind(
      Estimate = tests$estimate, "Std. Error" = tests$se, df = tests$df,
      "t value" = tests$statistic, "Pr(>|t|)" = tests$p.value
    )
    if (basis$method == "none") {
      out <- out[, c(1L, 2L, 4L), drop = FALSE]
    }
  }
  rownames(out) <- names(basis$beta)
  out
}

check_names <- function(names, default, argument) {
  if (is.null(names)) {
    return(default)
  }
  if (!is.character(names) || length(names) != length(default) || anyNA(names)) {
    abort("argument", paste0(
      "`", argument, "` must be a character vector of length ", length(default),
      " (", paste(default, collapse = ", "), "); found ", describe(names), "."
    ), argument = argument)
  }
  names
}

check_title <- function(title) {
  if (is.null(title)) {
    return("Mixed Linear Model Regression Results")
  }
  if (!is_string(title)) {
    abort("argument", paste0("`title` must be one string; found ", describe(title), "."),
      argument = "title"
    )
  }
  title
}

summary_header <- function(fit, yname) {
  response <- yname %||% one_line(field(fit, "parsed")$response %||% "y")
  if (!is_string(response)) {
    abort("argument", paste0("`yname` must be one string; found ", describe(yname), "."),
      argument = "yname"
    )
  }
  size <- field(fit, "group_sizes")
  count <- function(x) format(x, scientific = FALSE, trim = TRUE)
  c(
    "Model:" = "MixedLM", "Dependent Variable:" = response,
    "No. Observations:" = count(n_rows(fit)),
    "Method:" = if (field(fit, "reml")) "REML" else "ML",
    "No. Groups:" = count(size[["n"]]),
    "Scale:" = fixed_digits(field(fit, "scale"), 4L),
    "Min. group size:" = count(size[["min"]]),
    "Log-Likelihood:" = fixed_digits(-field(fit, "criterion") / 2, 4L),
    "Max. group size:" = count(size[["max"]]),
    "Converged:" = if (fit$converged) "Yes" else "No",
    "Mean group size:" = fixed_digits(size[["mean"]], 1L)
  )
}

#' @export
coef.summary.mixedlm <- function(object, ...) object$coefficients

check_optional_flag <- function(value, argument) {
  if (!is.null(value) && !is_flag(value)) {
    abort("argument", paste0(
      "`", argument, "` must be TRUE, FALSE or NULL; found ", describe(value), "."
    ), argument = argument)
  }
}

#' @rdname summary.mixedlm
#' @export
print.summary.mixedlm <- function(x, digits = max(3L, getOption("digits") - 3L),
                                  correlation = NULL, symbolic.cor = FALSE,
                                  signif.stars = getOption("show.signif.stars"),
                                  ranef.comp = c("Variance", "Std.Dev."),
                                  show.resids = TRUE, ...) {
  check_digits(digits)
  check_optional_flag(correlation, "correlation")
  how <- list(
    correlation = correlation %||% .subset2(x, "correlation"), symbolic = isTRUE(symbolic.cor),
    stars = isTRUE(signif.stars), components = ranef.comp, residuals = isTRUE(show.resids)
  )
  cat(if (x$style == "lme4") lme4_lines(x, digits, how) else statsmodels_lines(x), sep = "\n")
  invisible(x)
}

# Numbers as the table shows them: fixed decimals, blank when there is none.
fixed_digits <- function(x, digits) {
  out <- sprintf(paste0("%.", digits, "f"), x)
  out[is.na(x)] <- ""
  infinite <- is.infinite(x)
  out[infinite] <- ifelse(x[infinite] > 0, "inf", "-inf")
  out
}

# statsmodels' layout ---------------------------------------------------------

statsmodels_lines <- function(x) {
  header <- header_cells(x$header)
  table <- coefficient_cells(x)
  natural <- c(natural_width(header), natural_width(table))
  width <- max(natural)
  header <- table_lines(header, width, "left", NULL)
  body <- table_lines(table, width, "right", "center")
  rule <- function(mark, n) strrep(mark, n)
  body_rule <- rule("-", nchar(body[1L], type = "chars"))
  c(
    paste0(strrep(" ", max(0L, (width - nchar(x$title, type = "chars")) %/% 2L)), x$title),
    rule("=", width), header, body_rule, body[1L], body_rule, body[-1L],
    rule("=", width), summary_notes(x), ""
  )
}

# What the table has no place for; nothing for statsmodels' own printout.
summary_notes <- function(x) {
  if (x$compat == "statsmodels") {
    return(character())
  }
  c(aliased_line(x$fit), if (verdict(x$fit) != "optimum") verdict_line(x$fit))
}

# Two label-value pairs a row; an odd pair is left out at the end.
header_cells <- function(header) {
  cells <- as.vector(rbind(names(header), header))
  length(cells) <- 4L * ceiling(length(cells) / 4L)
  cells[is.na(cells)] <- ""
  matrix(cells, ncol = 4L, byrow = TRUE)
}

coefficient_cells <- function(x) {
  coefs <- x$coefficients
  estimate <- coefs[, 1L]
  se <- coefs[, 2L]
  z <- estimate / se
  half <- stats::qnorm(1 - x$alpha / 2) * se
  fixed <- rbind(
    fixed_digits(estimate, 3L), fixed_digits(se, 3L), fixed_digits(z, 3L),
    fixed_digits(2 * stats::pnorm(-abs(z)), 3L),
    fixed_digits(estimate - half, 3L), fixed_digits(estimate + half, 3L)
  )
  n <- nrow(x$varcomp)
  random <- rbind(
    fixed_digits(x$varcomp$estimate, 3L), fixed_digits(x$varcomp$std_error, 3L),
    matrix("", 4L, n)
  )
  limits <- paste0(c("[", ""), c(shortest(x$alpha / 2), shortest(1 - x$alpha / 2)), c("", "]"))
  rbind(
    c("", "Coef.", "Std.Err.", "z", "P>|z|", limits),
    cbind(c(x$labels, x$varcomp_labels), rbind(t(fixed), t(random)))
  )
}

# The shortest decimal that reads back as the same double.
shortest <- function(x) {
  for (digits in 1:17) {
    text <- formatC(x, digits = digits, format = "g", width = 1L, decimal.mark = ".")
    if (as.numeric(text) == x) {
      break
    }
  }
  if (x >= 1e-4) format(as.numeric(text), digits = digits, scientific = FALSE) else text
}

natural_width <- function(cells) {
  sum(cell_widths(cells)) + ncol(cells) - 1L
}

cell_widths <- function(cells) {
  apply(matrix(nchar(cells, type = "chars"), nrow(cells)), 2L, max)
}

# Lines of a table widened to about `width`: what is missing is dealt out
# evenly between the columns, what is left over widens the first. A table with
# row names counts one gap less than it has, and so may get wider.
table_lines <- function(cells, width, align, head_align) {
  with_names <- !is.null(head_align)
  gaps <- ncol(cells) - 1L - with_names
  spare <- width - natural_width(cells)
  separator <- strrep(" ", 1L + spare %/% gaps)
  widths <- cell_widths(cells)
  widths[1L] <- widths[1L] + spare %% gaps
  columns <- lapply(seq_len(ncol(cells)), function(j) {
    text <- cells[, j]
    if (j == 1L || align == "left") {
      return(pad(text, widths[j], "left"))
    }
    c(pad(text[1L], widths[j], head_align), pad(text[-1L], widths[j], align))
  })
  do.call(paste, c(columns, sep = separator))
}

# With an odd number of blanks to place, the larger half goes left when the
# width is odd, right when it is even.
pad <- function(text, width, align) {
  blank <- width - nchar(text, type = "chars")
  left <- switch(align,
    left = 0L,
    right = blank,
    center = blank %/% 2L + (blank %% 2L == 1L && width %% 2L == 1L)
  )
  paste0(strrep(" ", left), text, strrep(" ", blank - left))
}
