# lme4's layout of a summary, and the pieces that print() shares with it.

lme4_lines <- function(x, digits) {
  fit <- x$fit
  c(
    paste0(
      "Linear mixed model fit by ", if (field(fit, "reml")) "REML" else "maximum likelihood ",
      tests_text(x), " ['mixedlm']"
    ),
    call_lines(fit), "", criterion_lines(fit), "", "Scaled residuals: ",
    residual_lines(fit, digits), "", "Random effects:",
    varcorr_lines(VarCorr(fit), digits, c("Variance", "Std.Dev.")),
    size_line(fit), "", "Fixed effects:",
    coefficient_lines(x$coefficients, digits),
    aliased_line(fit), correlation_lines(fit),
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
    "Number of obs: ", length(field(fit, "y")), ", groups:  ",
    paste(paste(names(n), n, sep = ", "), collapse = "; ")
  )
}

# What the tests in the table are, lmerTest's words.
tests_text <- function(x) {
  switch(x$ddf,
    none = "",
    robust = paste0(". t-tests use cluster-robust covariances (", x$vcov, ")"),
    normal = ". z-tests",
    residual = ". t-tests use residual degrees of freedom",
    paste(". t-tests use", ddf_label(x$ddf))
  )
}

# Columns as printCoefmat sets them: estimates and errors share their decimals.
coefficient_lines <- function(coefficients, digits) {
  if (!nrow(coefficients)) {
    return("none")
  }
  columns <- colnames(coefficients)
  has_p <- any(startsWith(columns, "Pr("))
  utils::capture.output(stats::printCoefmat(
    coefficients,
    digits = digits, cs.ind = 1:2, tst.ind = grep(" value$", columns),
    has.Pvalue = has_p, P.values = has_p
  ))
}

# Lower triangle of the correlations, names abbreviated; left out when large.
correlation_lines <- function(fit, most = 12L) {
  v <- vcov(fit)
  p <- nrow(v)
  if (p < 2L) {
    return(character())
  }
  if (p > most) {
    return(c("", paste0(
      "Correlation of Fixed Effects: not shown, ", p,
      " of them; see cov2cor(vcov(fit))"
    )))
  }
  r <- format(round(correlations(v, sqrt(diag(v))), 3L), nsmall = 3L)
  names <- rownames(v)
  dimnames(r) <- list(
    abbreviate(names, minlength = 11L), abbreviate(names, minlength = 6L)
  )
  r[!lower.tri(r)] <- ""
  c(
    "", "Correlation of Fixed Effects:",
    utils::capture.output(print(r[-1L, -p, drop = FALSE], quote = FALSE))
  )
}

# The random-effects table: one row per standard deviation, correlations beside.
# `show` picks among "Variance" and "Std.Dev.".
varcorr_lines <- function(x, digits, show = "Std.Dev.") {
  groups <- unlist(lapply(names(x), function(g) c(g, rep("", nrow(x[[g]]) - 1L))))
  names <- unlist(lapply(x, rownames))
  sd <- unlist(lapply(x, attr, "stddev"))
  sigma <- attr(x, "sc")
  values <- c(sd, sigma)
  columns <- list(
    Groups = c(groups, "Residual"), Name = c(names, "")
  )
  if ("Variance" %in% show) {
    columns$Variance <- format(values^2, digits = digits)
  }
  if ("Std.Dev." %in% show) {
    columns$Std.Dev. <- format(values, digits = digits)
  }
  width <- max(vapply(x, function(m) if (isTRUE(attr(m, "uncorrelated"))) 0L else nrow(m) - 1L, 0L))
  lines <- aligned_columns(columns, left = c("Groups", "Name"))
  if (width > 0L) {
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
