# lme4's layout of a summary, and the pieces that print() shares with it.

# `how`: what print.summary.mixedlm() was asked for.
lme4_lines <- function(x, digits, how) {
  fit <- x$fit
  c(
    paste0(
      "Linear mixed model fit by ", if (field(fit, "reml")) "REML" else "maximum likelihood ",
      tests_text(x), " ['mixedlm']"
    ),
    call_lines(fit), "", criterion_lines(fit), "",
    if (how$residuals && !is_removed(fit)) c("Scaled residuals: ", residual_lines(fit, digits), ""),
    "Random effects:", varcorr_lines(VarCorr(fit), digits, how$components),
    size_line(fit), "", "Fixed effects:",
    coefficient_lines(x$coefficients, digits, how$stars),
    aliased_line(fit), correlation_lines(fit, how$correlation, how$symbolic),
    if (verdict(fit) != "optimum") verdict_line(fit)
  )
}

call_lines <- function(fit) {
  call <- field(fit, "call")
  line <- function(label, value) if (!is.null(value)) paste0(label, one_line(value))
  c(
    paste0("Formula: ", one_line(formula(fit))),
    line("   Data: ", call$data), line("Weights: ", call$weights),
    line(" Offset: ", call$offset), line(" Subset: ", call$subset)
  )
}

criterion_lines <- function(fit) {
  if (field(fit, "reml")) {
    return(paste("REML criterion at convergence:", format(round(field(fit, "criterion"), 1L))))
  }
  x <- information_table(fit)
  text <- fixed_digits(x, 1L)
  text[names(x) == "df.resid"] <- format(x[["df.resid"]], scientific = FALSE)
  names(text) <- names(x)
  utils::capture.output(print(text, quote = FALSE))
}

# AIC, BIC, log-likelihood, deviance and residual degrees of freedom of an ML fit.
information_table <- function(fit) {
  c(
    AIC = stats::AIC(fit), BIC = stats::BIC(fit),
    logLik = as.numeric(logLik(fit)), deviance = field(fit, "criterion"),
    df.resid = df.residual(fit)
  )
}

residual_lines <- function(fit, digits) {
  r <- stats::quantile(unname(scaled_residuals(fit)), names = FALSE)
  names(r) <- c("Min", "1Q", "Median", "3Q", "Max")
  utils::capture.output(print(zapsmall(r, digits + 1L), digits = digits))
}

scaled_residuals <- function(fit) {
  r <- field(fit, "y") - field(fit, "fitted")
  w <- field(fit, "weights")
  (if (is.null(w)) r else sqrt(w) * r) / sqrt(field(fit, "scale"))
}

size_line <- function(fit) {
  n <- ngrps(fit)
  paste0(
    "Number of obs: ", n_rows(fit), ", groups:  ",
    paste(paste(names(n), n, sep = ", "), collapse = "; ")
  )
}

# What the tests in the table are, lmerTest's words.
tests_text <- function(x) {
  switch(x$ddf,
    none = "",
    robust = paste0(". t-tests use cluster-robust covariances (", x$covariance, ")"),
    normal = ". z-tests",
    residual = ". t-tests use residual degrees of freedom",
    paste(". t-tests use", ddf_label(x$ddf))
  )
}

# Columns as printCoefmat sets them: estimates and errors share their decimals.
coefficient_lines <- function(coefficients, digits, stars = getOption("show.signif.stars")) {
  if (!nrow(coefficients)) {
    return("none")
  }
  columns <- colnames(coefficients)
  has_p <- any(startsWith(columns, "Pr("))
  utils::capture.output(stats::printCoefmat(
    coefficients,
    digits = digits, cs.ind = 1:2, tst.ind = grep(" value$", columns),
    has.Pvalue = has_p, P.values = has_p, signif.stars = stars
  ))
}

# Lower triangle of the correlations, names abbreviated; `wanted` NULL: up to `most`
# fixed effects.
correlation_lines <- function(fit, wanted = NULL, symbolic = FALSE, most = 12L) {
  v <- vcov(fit)
  p <- nrow(v)
  if (p < 2L || identical(wanted, FALSE)) {
    return(character())
  }
  if (p > most && is.null(wanted)) {
    return(c("", paste0(
      "Correlation of Fixed Effects: not shown, ", p,
      " of them; see print(x, correlation = TRUE) or cov2cor(vcov(fit))"
    )))
  }
  r <- correlations(v, sqrt(diag(v)))
  names <- rownames(v)
  if (symbolic) {
    return(c("", "Correlation of Fixed Effects:", utils::capture.output(print(stats::symnum(r, abbr.colnames = FALSE)))))
  }
  r <- format(round(r, 3L), nsmall = 3L)
  dimnames(r) <- list(
    abbreviate(names, minlength = 11L), abbreviate(names, minlength = 6L)
  )
  r[!lower.tri(r)] <- ""
  c(
    "", "Correlation of Fixed Effects:",
    utils::capture.output(print(r[-1L, -p, drop = FALSE], quote = FALSE))
  )
}

# What a summary of lme4's holds under its names, computed when asked for.
lme4_pieces <- list(
  methTitle = function(x) {
    paste0("Linear mixed model fit by ", if (field(x$fit, "reml")) "REML" else "maximum likelihood ", tests_text(x))
  },
  objClass = function(x) "mixedlm",
  devcomp = function(x) criterion_parts(x$fit),
  isLmer = function(x) TRUE,
  useScale = function(x) TRUE,
  logLik = function(x) logLik(x$fit),
  ngrps = function(x) ngrps(x$fit),
  sigma = function(x) sigma(x$fit),
  vcov = function(x) {
    if (x$covariance == "model") vcov(x$fit) else vcov(x$fit, type = x$covariance, cluster = .subset2(x, "cluster"))
  },
  varcor = function(x) VarCorr(x$fit),
  AICtab = function(x) {
    if (field(x$fit, "reml")) c(REML = field(x$fit, "criterion")) else information_table(x$fit)
  },
  call = function(x) field(x$fit, "call"),
  residuals = function(x) {
    stats::setNames(scaled_residuals(x$fit), row.names(field(x$fit, "frame")))
  },
  fitMsgs = function(x) character(),
  optinfo = function(x) field(x$fit, "optinfo")
)

# Stored fields first; names may be cut as for any list.
#' @export
`$.summary.mixedlm` <- function(x, name) {
  known <- c(names(x), names(lme4_pieces))
  at <- pmatch(name, known)
  if (is.na(at)) {
    return(NULL)
  }
  x[[known[at]]]
}

#' @export
`[[.summary.mixedlm` <- function(x, i, ...) {
  if (is_string(i) && !i %in% names(x) && i %in% names(lme4_pieces)) {
    return(lme4_pieces[[i]](x))
  }
  .subset2(x, i)
}

# What lme4's summaries answer too.
#' @export
vcov.summary.mixedlm <- function(object, ...) object$vcov
