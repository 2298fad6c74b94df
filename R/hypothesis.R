# linear_hypothesis(): linear functions of the fixed effects, estimated and tested.

#' Linear hypotheses about the fixed effects
#'
#' Estimates, standard errors, tests and confidence intervals of linear functions
#' of the fixed effects, and their joint test: what `t_test`, `f_test` and
#' `wald_test` are in statsmodels.
#'
#' @param fit (`mixedlm`) a fit.
#' @param L the functions, one of
#'   - `character`: equations such as `"Time = 0"`, `"a - b = 2"`, `"2*Time + (Intercept) = 3"`,
#'     `"a = b = c"`, or an expression alone, which is meant to be zero. Several are one vector, or
#'     one string with commas. Coefficients go by their names, whatever characters are in them (`Cu035:Time`,
#'     `poly(x, 2)1`), in backticks where that is ambiguous, or by the names in statsmodels' table (`Cu[T.Cu035]`).
#'     The longest name that fits is taken.
#'   - a numeric matrix, one row per function, one column per coefficient: those of
#'     [fixef.mixedlm()], or all of them, aliased ones included. With column names the
#'     columns may be any of them, in any order.
#'   - a numeric vector: one function; with names, of these coefficients.
#' @param rhs (`numeric`, one value or one per function) what `L` times the coefficients is
#'   under the hypothesis. Must be left at 0 when the strings have right-hand sides.
#' @param ddf (`character(1)`) degrees of freedom, see [mixedlm-ddf]. `"normal"` is statsmodels' way.
#' @param vcov (`character(1)`) covariance of the coefficients: `"model"`, or cluster-robust
#'   `"CR0"`, `"CR1"`, `"CR1p"`, `"CR1S"`, `"CR2"`, `"CR3"` with their own degrees of freedom (`ddf` does not
#'   apply), see [mixedlm-robust].
#' @param cluster for the robust covariances: what the clusters are, `NULL` for the outermost grouping factor.
#' @param joint (`logical(1)`) whether the joint test is made.
#' @param level (`numeric(1)`) confidence level of the intervals.
#'
#' @details
#' Rows that follow from others are left out of the joint test, and count in its degrees of freedom only once.
#' A function of aliased coefficients can be tested when it is estimable, that is
#' when every solution of the least-squares equations gives it the same value.
#'
#' Single rows: t tests (z for `ddf = "normal"`). Jointly: the F test that belongs to
#' `ddf` (chi-square for `"normal"`).
#'
#' @return A list of class `mixedlm_hypothesis`: `table`, a data frame with one row per
#'   function: `estimate`, `std.error`, `df`, `statistic`, `p.value`, `conf.low`, `conf.high`;
#'   `joint`, a list of `statistic`, `num_df`, `den_df`, `p.value` (or `NULL`); `L`, `rhs`, `ddf`,
#'   `vcov`, `level`. `as.data.frame()` gives the table.
#' @section Errors: `mixedlm_error_hypothesis` for a wrong number of columns, unknown
#'   coefficients, strings that cannot be read, functions that are not estimable,
#'   contradictory rows, a wrong `rhs`; `mixedlm_error_ddf`.
#' @export
#' @examples
#' fit <- mixedlm(Weight ~ Cu * Time, dietox, groups = "Pig")
#' linear_hypothesis(fit, c("CuCu035 = 0", "CuCu175 = 0"))
#' linear_hypothesis(fit, "CuCu175:Time - CuCu035:Time")
#' linear_hypothesis(fit, rbind(c(0, 1, 0, 0, 0, 0), c(0, 0, 1, 0, 0, 0)), ddf = "Kenward-Roger")
linear_hypothesis <- function(fit, L, rhs = 0,
                              ddf = c("Satterthwaite", "Kenward-Roger", "normal", "residual", "none"),
                              vcov = c("model", "CR0", "CR1", "CR1p", "CR1S", "CR2", "CR3"), cluster = NULL,
                              joint = TRUE, level = 0.95) {
  if (!inherits(fit, "mixedlm")) {
    abort("argument", paste0("`fit` must be a fit of mixedlm(), not ", describe(fit), "."), argument = "fit")
  }
  if (missing(L)) {
    abort("hypothesis", "`L`, the functions of the coefficients, is missing.", argument = "L")
  }
  check_level(level)
  if (!is_flag(joint)) {
    abort("argument", paste0("`joint` must be TRUE or FALSE; found ", describe(joint), "."), argument = "joint")
  }
  functions <- hypothesis_rows(fit, L, rhs)
  independent <- independent_rows(functions$L, functions$rhs, functions$labels)
  basis <- tests_basis(fit, ddf, vcov, cluster)
  tests <- basis_tests(basis, functions, independent)
  new_hypothesis(tests, functions, if (joint) tests$joint, basis$method, basis$type %||% "model", level)
}

basis_tests <- function(basis, functions, independent) {
  L <- functions$L
  joint <- test_joint(basis, L[independent, , drop = FALSE], functions$rhs[independent])
  list(rows = test_rows(basis, L, functions$rhs), joint = joint[c("statistic", "num_df", "den_df", "p.value")])
}

new_hypothesis <- function(tests, functions, joint, method, vcov, level) {
  rows <- tests$rows
  half <- stats::qt((1 + level) / 2, rows$df) * rows$se
  table <- data.frame(
    estimate = rows$estimate, std.error = rows$se, df = rows$df, statistic = rows$statistic,
    p.value = rows$p.value, conf.low = rows$estimate - half, conf.high = rows$estimate + half,
    row.names = make.unique(functions$labels)
  )
  structure(
    list(
      table = table, joint = joint, L = functions$L, rhs = functions$rhs, ddf = method,
      vcov = vcov, level = level
    ),
    class = "mixedlm_hypothesis"
  )
}

# --- the rows ------------------------------------------------------------------

# Whatever L is -> list(L: rows in the kept coefficients, rhs, labels).
hypothesis_rows <- function(fit, L, rhs) {
  if (!length(field(fit, "fe_params"))) {
    abort("hypothesis", "The fit has no fixed effects to test.", argument = "fit")
  }
  if (is.character(L)) {
    parsed <- parse_hypotheses(L, hypothesis_names(fit))
    if (parsed$has_rhs && !(is.numeric(rhs) && identical(as.double(rhs), 0))) {
      abort("hypothesis", paste0(
        "The right-hand side is given twice: in the strings of `L`, and as `rhs`."
      ), argument = "rhs")
    }
    full <- parsed$L
    rhs <- parsed$rhs + if (parsed$has_rhs) 0 else check_rhs(rhs, nrow(full))
    labels <- parsed$labels
  } else {
    full <- numeric_rows(fit, L)
    rhs <- check_rhs(rhs, nrow(full))
    labels <- row_labels(full, rhs, rownames(full))
  }
  dimnames(full) <- list(NULL, field(fit, "columns"))
  zero <- rowSums(full != 0) == 0
  if (any(zero)) {
    abort("hypothesis", paste0(
      "Row ", which(zero)[1L], " of `L` has no coefficient in it: all are zero."
    ), argument = "L")
  }
  list(L = estimable_rows(fit, full, labels), rhs = rhs, labels = labels)
}

check_rhs <- function(rhs, n) {
  if (!is.numeric(rhs) || is.object(rhs) || !length(rhs) %in% c(1L, n) || !all(is.finite(rhs))) {
    abort("hypothesis", paste0(
      "`rhs` must be one finite number, or one for each of the ", n, " rows of `L`; found ", describe(rhs), "."
    ), argument = "rhs")
  }
  rep_len(as.double(rhs), n)
}

# A vector or matrix in the columns of the whole design.
numeric_rows <- function(fit, L) {
  if (is.data.frame(L)) {
    L <- as.matrix(L)
  }
  if (is.numeric(L) && is.null(dim(L))) {
    L <- matrix(L, 1L, dimnames = list(NULL, names(L)))
  }
  if (!is.numeric(L) || !is.matrix(L) || !nrow(L)) {
    abort("hypothesis", paste0(
      "`L` must be strings, a numeric vector or a numeric matrix with one row per function; found ",
      describe(L), "."
    ), argument = "L")
  }
  if (!all(is.finite(L))) {
    abort("hypothesis", "`L` has missing or infinite values.", argument = "L")
  }
  columns <- field(fit, "columns")
  at <- hypothesis_columns(fit, L, columns)
  out <- matrix(0, nrow(L), length(columns), dimnames = list(rownames(L), columns))
  out[, at] <- L
  out
}

# Which of `columns` the columns of L are.
hypothesis_columns <- function(fit, L, columns) {
  kept <- which(!columns %in% field(fit, "aliased"))
  names <- colnames(L)
  if (!is.null(names)) {
    at <- unname(hypothesis_names(fit)[names])
    if (anyNA(at)) {
      unknown <- names[is.na(at)]
      abort("hypothesis", paste0(
        "`L` has the column ", quote_names(unknown), ", which is not a coefficient of the fit.",
        suggest(unknown[1L], columns)
      ), argument = "L")
    }
    if (anyDuplicated(at)) {
      abort("hypothesis", paste0(
        "`L` has the column ", quote_names(names[duplicated(at)][1L]), " twice."
      ), argument = "L")
    }
    return(at)
  }
  if (ncol(L) == length(columns)) {
    return(seq_along(columns))
  }
  if (ncol(L) == length(kept)) {
    return(kept)
  }
  abort("hypothesis", paste0(
    "`L` must have ", length(kept), " columns, one per coefficient (", quote_names(columns[kept]), ")",
    if (length(kept) < length(columns)) paste0(", or ", length(columns), " with the aliased ones"),
    "; it has ", ncol(L), "."
  ), argument = "L")
}

# Names that a coefficient goes by -> its place among all columns.
hypothesis_names <- function(fit) {
  columns <- field(fit, "columns")
  own <- stats::setNames(seq_along(columns), columns)
  other <- stats::setNames(seq_along(columns), fixed_labels(fit))
  c(own, other[!names(other) %in% columns & !duplicated(names(other))])
}

# Rows in all columns as rows in the kept ones. With X_a = X_k B the aliased
# columns, l is estimable when l_a = l_k B; then l'beta = l_k'beta_k. A row that
# leaves the aliased columns alone is about the coefficients as fitted.
estimable_rows <- function(fit, full, labels) {
  aliased <- field(fit, "columns") %in% field(fit, "aliased")
  kept <- full[, !aliased, drop = FALSE]
  if (!any(aliased)) {
    return(kept)
  }
  design <- fixed_design(fit)
  b <- qr.coef(qr(design$x[, !aliased, drop = FALSE]), design$x[, aliased, drop = FALSE])
  difference <- abs(full[, aliased, drop = FALSE] - kept %*% b)
  size <- pmax(abs(full[, aliased, drop = FALSE]), abs(kept) %*% abs(b), 1e-300)
  touches <- full[, aliased, drop = FALSE] != 0
  wrong <- rowSums(difference > 1e-7 * size) > 0 & rowSums(touches) > 0
  if (any(wrong)) {
    abort("hypothesis", paste0(
      "Not estimable: ", labels[which(wrong)[1L]], ". The aliased coefficients ",
      quote_names(field(fit, "aliased")), " were left out of the fit, and the data do not tell ",
      "this function of them."
    ), argument = "L")
  }
  kept
}

# Rows of the joint test: those that do not follow from the ones before.
independent_rows <- function(L, rhs, labels) {
  size <- apply(abs(L), 2L, max)
  size[size == 0] <- 1
  scaled <- t(L) / size
  norm <- sqrt(colSums(scaled^2))
  scaled <- scaled / rep(norm, each = nrow(scaled))
  decomposition <- qr(scaled)
  use <- sort(decomposition$pivot[seq_len(decomposition$rank)])
  rest <- setdiff(seq_len(nrow(L)), use)
  if (length(rest)) {
    weights <- qr.coef(qr(scaled[, use, drop = FALSE]), scaled[, rest, drop = FALSE])
    value <- rhs / norm
    implied <- drop(value[use] %*% weights)
    unlike <- abs(implied - value[rest]) > 1e-7 * (abs(value[use]) %*% abs(weights) + abs(value[rest]))
    if (any(unlike)) {
      abort("hypothesis", paste0(
        "The hypotheses contradict each other: ", labels[rest[which(unlike)[1L]]],
        " cannot hold together with the others."
      ), argument = "L")
    }
  }
  use
}

# --- labels and printing ---------------------------------------------------------

# The text of a row with its right-hand side.
row_labels <- function(L, rhs, names = NULL) {
  vapply(seq_len(nrow(L)), function(i) {
    if (!is.null(names) && nzchar(names[i])) {
      return(names[i])
    }
    used <- which(L[i, ] != 0)
    paste(sum_text(L[i, used], colnames(L)[used]), "=", format(rhs[i], digits = 7L))
  }, "")
}

sum_text <- function(values, names) {
  if (!length(values)) {
    return("0")
  }
  size <- vapply(abs(values), format, "", digits = 4L)
  part <- ifelse(abs(values) == 1, names, paste0(size, "*", names))
  sign <- ifelse(values < 0, "-", "+")
  text <- paste(c(rbind(sign, part)), collapse = " ")
  if (values[1L] < 0) sub("^- ", "-", text) else sub("^\\+ ", "", text)
}

#' @export
print.mixedlm_hypothesis <- function(x, digits = max(3L, getOption("digits") - 3L), ...) {
  cat(hypothesis_title(x), "\n\n", sep = "")
  z <- x$ddf == "normal"
  table <- as.matrix(x$table)
  tail <- c((1 - x$level) / 2, (1 + x$level) / 2)
  colnames(table) <- c(
    "Estimate", "Std. Error", "df", if (z) "z value" else "t value", if (z) "Pr(>|z|)" else "Pr(>|t|)",
    paste(format(100 * tail, trim = TRUE, digits = 3L), "%")
  )
  table <- table[, c(1:3, 6:7, 4:5), drop = FALSE]
  has_p <- !all(is.na(table[, 7L]))
  drop <- c(if (z || all(is.na(table[, 3L]))) 3L, if (!has_p) c(4L, 5L, 7L))
  if (length(drop)) {
    table <- table[, -drop, drop = FALSE]
  }
  stats::printCoefmat(
    table, digits = digits, cs.ind = c(1L, 2L), tst.ind = match(if (z) "z value" else "t value", colnames(table)),
    has.Pvalue = has_p, P.values = has_p, na.print = ""
  )
  if (!is.null(x$joint) && nrow(x$table) > 1L) {
    cat("\n", joint_line(x, digits), "\n", sep = "")
  }
  invisible(x)
}

hypothesis_title <- function(x) {
  how <- switch(x$ddf,
    robust = paste("cluster-robust,", x$vcov),
    normal = "asymptotic",
    none = "no degrees of freedom",
    ddf_label(x$ddf)
  )
  paste0("Linear hypotheses about the fixed effects (", how, ")")
}

joint_line <- function(x, digits) {
  j <- x$joint
  if (is.na(j$statistic)) {
    return(paste0("Joint test: not defined", switch(x$ddf,
      robust = ", too few clusters", `kenward-roger` = ", too few groups or a coefficient without variance",
      ", a coefficient has no variance"
    )))
  }
  p <- ""
  if (!is.na(j$p.value)) {
    text <- format.pval(j$p.value, digits = digits)
    p <- paste0(", p ", if (startsWith(text, "<")) text else paste("=", text))
  }
  number <- function(v) format(v, digits = digits)
  if (x$ddf == "normal") {
    return(paste0("Joint test: Chisq = ", number(j$statistic), " on ", j$num_df, " df", p))
  }
  paste0(
    "Joint test: F = ", number(j$statistic), " on ", number(j$num_df),
    if (!is.na(j$den_df)) paste(" and", number(j$den_df)), " df", p
  )
}

#' @export
as.data.frame.mixedlm_hypothesis <- function(x, ...) x$table
