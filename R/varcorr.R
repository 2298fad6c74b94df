# VarCorr(): covariance matrices of the random effects.

#' Variances and covariances of the random effects
#'
#' The estimated covariance matrices of the random effects of every term, on the user's scale: a variance is in squared
#' units of the response, per squared unit of the column where that is a slope. They are printed as standard deviations
#' and correlations.
#'
#' @param x (`mixedlm`) a fit; for the methods, what `VarCorr()` returned.
#' @param sigma (`numeric(1)`) the residual standard deviation, which the relative covariances are multiplied by, as
#'   in lme4; default [sigma()] of the fit. `sigma = 1` gives the relative ones.
#' @param comp (`character`) what is printed: `"Std.Dev."`, `"Variance"` or both; they may be abbreviated, as in `"Var"`.
#' @param corr (`logical(1)`) whether correlations are printed.
#' @param formatter (`function`) formats the numbers, given them and `digits`.
#' @param digits (`integer(1)`) significant digits.
#' @param order `"cov.last"` (variances of a term first) or `"lower.tri"` (column by column).
#' @param row.names,optional not used.
#' @param ... not used.
#'
#' @return A list of class `VarCorr.mixedlm`, one covariance matrix per term,
#'   named by its grouping factor, with the attributes `stddev` and
#'   `correlation`; the list has the attribute `sc`, the residual standard
#'   deviation. `as.data.frame()` gives one row per element: `grp`, `var1`,
#'   `var2`, `vcov`, `sdcor`.
#' @export
#' @section Errors:
#' `mixedlm_error_argument` for arguments that cannot be used.
#' @references
#' Bates D, Maechler M, Bolker B, Walker S (2015). Fitting linear mixed-effects models using lme4. *Journal of Statistical
#' Software* **67**(1), 1-48, sec. 5.2.
#' @seealso [vcov.mixedlm()] for their standard errors, [confint.mixedlm()] for intervals, [ranef.mixedlm()] for the effects
#'   themselves.
#' @examples
#' fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig", re_formula = ~ Time)
#' VarCorr(fit)
#' as.data.frame(VarCorr(fit))
VarCorr.mixedlm <- function(x, sigma = sqrt(field(x, "scale")), ...) {
  if (!is_number(sigma) || sigma < 0) {
    abort("argument", paste0(
      "`sigma` must be a number that is not negative; found ", describe(sigma), "."
    ), argument = "sigma")
  }
  random <- field(x, "random")
  scale <- sigma^2
  order <- term_order(x)
  out <- lapply(order, function(k) {
    term <- random[[k]]
    columns <- if (term$structure == "scalar") term$columns[1L] else term$columns
    q <- length(columns)
    v <- field(x, "psi")[[k]][seq_len(q), seq_len(q), drop = FALSE] * scale
    dimnames(v) <- list(columns, columns)
    sd <- stats::setNames(sqrt(diag(v)), columns)
    structure(v,
      stddev = sd, correlation = correlations(v, sd),
      uncorrelated = term$structure != "unstructured"
    )
  })
  names <- vapply(random[order], function(term) {
    if (term$kind == "vc") term$name else term$group
  }, "")
  structure(
    stats::setNames(out, make.unique(names)),
    sc = sqrt(scale), useSc = TRUE, class = "VarCorr.mixedlm"
  )
}

# NaN where a variance is zero, one on the diagonal.
correlations <- function(v, sd) {
  r <- v / tcrossprod(sd)
  diag(r) <- 1
  r
}

#' @rdname VarCorr.mixedlm
#' @export
print.VarCorr.mixedlm <- function(x, digits = max(3L, getOption("digits") - 2L),
                                  comp = "Std.Dev.", corr = TRUE, formatter = format, ...) {
  if (!is_flag(corr)) {
    abort("argument", paste0("`corr` must be TRUE or FALSE; found ", describe(corr), "."), argument = "corr")
  }
  check_digits(digits)
  if (!is.function(formatter)) {
    abort("argument", paste0("`formatter` must be a function; found ", describe(formatter), "."), argument = "formatter")
  }
  cat(varcorr_lines(x, digits, comp, corr, formatter), sep = "\n")
  invisible(x)
}

#' @rdname VarCorr.mixedlm
#' @export
as.data.frame.VarCorr.mixedlm <- function(x, row.names = NULL, optional = FALSE,
                                          order = c("cov.last", "lower.tri"),
                                          ...) {
  order <- choose_one(order, c("cov.last", "lower.tri"), "order")
  parts <- lapply(names(x), function(g) {
    v <- x[[g]]
    at <- which(lower.tri(v, diag = TRUE), arr.ind = TRUE)
    if (isTRUE(attr(v, "uncorrelated"))) {
      at <- at[at[, 1L] == at[, 2L], , drop = FALSE]
    }
    if (order == "cov.last") {
      at <- at[order(at[, 1L] != at[, 2L]), , drop = FALSE]
    }
    own <- at[, 1L] == at[, 2L]
    data.frame(
      grp = g, var1 = rownames(v)[at[, 2L]],
      var2 = ifelse(own, NA, rownames(v)[at[, 1L]]), vcov = v[at],
      sdcor = ifelse(own, attr(v, "stddev")[at[, 1L]], attr(v, "correlation")[at]),
      row.names = NULL
    )
  })
  residual <- data.frame(
    grp = "Residual", var1 = NA_character_, var2 = NA_character_,
    vcov = attr(x, "sc")^2, sdcor = attr(x, "sc")
  )
  do.call(rbind, c(parts, list(residual)))
}

# The random-effects table: one row per standard deviation, correlations beside.
# `show` picks among "Variance" and "Std.Dev.".
varcorr_lines <- function(x, digits, show = "Std.Dev.", corr = TRUE, formatter = format) {
  known <- c("Variance", "Std.Dev.")
  matched <- if (is.character(show)) known[pmatch(show, known)]
  if (!length(matched) || anyNA(matched)) {
    abort("argument", paste0(
      "The components to show must be \"Variance\", \"Std.Dev.\" or both; found ", describe(show), "."
    ), argument = "comp")
  }
  show <- matched
  groups <- unlist(lapply(names(x), function(g) c(g, rep("", nrow(x[[g]]) - 1L))))
  names <- unlist(lapply(x, rownames))
  sd <- unlist(lapply(x, attr, "stddev"))
  sigma <- attr(x, "sc")
  values <- c(sd, sigma)
  columns <- list(
    Groups = c(groups, "Residual"), Name = c(names, "")
  )
  if ("Variance" %in% show) {
    columns$Variance <- formatter(values^2, digits = digits)
  }
  if ("Std.Dev." %in% show) {
    columns$Std.Dev. <- formatter(values, digits = digits)
  }
  width <- max(vapply(x, function(m) if (isTRUE(attr(m, "uncorrelated"))) 0L else nrow(m) - 1L, 0L))
  lines <- aligned_columns(columns, left = c("Groups", "Name"))
  if (corr && width > 0L) {
    lines <- paste(lines, correlation_block(x, width, digits))
  }
  paste0(" ", lines)
}

correlation_block <- function(x, width, digits) {
  decimals <- max(2L, digits - 2L)
  rows <- do.call(rbind, lapply(unname(x), function(m) {
    block <- matrix("", nrow(m), width)
    r <- attr(m, "correlation")
    correlated <- !isTRUE(attr(m, "uncorrelated"))
    if (correlated && nrow(m) > 1L) {
      below <- lower.tri(m)
      text <- sprintf("%.*f", decimals, r[below])
      block[cbind(row(m)[below], col(m)[below])] <- pad(text, max(nchar(text)), "right")
    }
    block
  }))
  rows <- rbind(rows, "")
  cells <- rbind(c("Corr", rep("", width - 1L)), rows)
  cells[] <- pad(cells, max(nchar(cells)), "left")
  do.call(paste, lapply(seq_len(width), function(j) cells[, j]))
}

aligned_columns <- function(columns, left) {
  text <- Map(function(name, value) {
    all <- c(name, value)
    pad(all, max(nchar(all, type = "chars")), "left")
  }, names(columns), columns)
  do.call(paste, unname(text))
}
