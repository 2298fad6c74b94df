# print() and the sentences about how a fit ended.

#' @export
print.mixedlm <- function(x, digits = max(3L, getOption("digits") - 3L), ranef.comp = "Std.Dev.", ...) {
  check_digits(digits)
  fit <- x
  criterion <- field(fit, "criterion")
  lines <- c(
    paste0("Linear mixed model fit by ", if (field(fit, "reml")) "REML" else "maximum likelihood"),
    call_lines(fit),
    paste0(
      if (field(fit, "reml")) "REML criterion: " else "Deviance: ",
      fixed_digits(criterion, 4L), "   (log-likelihood ", fixed_digits(-criterion / 2, 4L), ")"
    ),
    "Random effects:", varcorr_lines(VarCorr(fit), digits, ranef.comp),
    size_line(fit), "Fixed effects:"
  )
  cat(lines, sep = "\n")
  fe <- field(fit, "fe_params")
  if (length(fe)) {
    print(fe, digits = digits)
  } else {
    cat("  none\n")
  }
  cat(c(aliased_line(fit), verdict_line(fit)), sep = "\n")
  invisible(x)
}

verdict <- function(fit) field(fit, "optinfo")$verdict

verdict_sentences <- c(
  optimum = "the gradient is zero and the curvature positive.",
  boundary = paste(
    "a variance, or a direction of a covariance matrix, is estimated as zero;",
    "this is a minimum of the criterion, not a failure."
  ),
  flat = paste(
    "the criterion is flat around the estimates: the data do not identify every",
    "variance parameter, and others fit equally well."
  ),
  saddle = paste(
    "the search ended where the criterion still falls in some direction;",
    "these are not the estimates."
  ),
  maxit = paste(
    "the search used up its iterations before it arrived; raise `maxit` in",
    "mixedlm_control(), or check the scaling of the model."
  )
)

# At a boundary that `free` made nothing is known about letting the element in.
boundary_held <- c(
  all = paste(
    "a variance, or a direction of a covariance matrix, is held at zero by `free`;",
    "given that, this is a minimum of the criterion."
  ),
  some = paste(
    "a variance, or a direction of a covariance matrix, is estimated as zero, and",
    "another is held there by `free`; given that, this is a minimum of the criterion."
  )
)

# "none", "some" or "all" of the zeros on the diagonals of the factors are held.
zeros_held <- function(fit) {
  held <- unlist(Map(function(term, theta) {
    theta <- as.matrix(theta)
    mask <- if (is.null(term$free)) FALSE & theta else unpack_mask(term$free, term)
    diag(mask)[diag(theta) == 0]
  }, field(fit, "random"), field(fit, "theta")))
  if (!any(held)) "none" else if (all(held)) "all" else "some"
}

verdict_line <- function(fit) {
  word <- verdict(fit)
  held <- if (word == "boundary") zeros_held(fit) else "none"
  sentence <- if (held == "none") verdict_sentences[[word]] else boundary_held[[held]]
  text <- paste0("Verdict: ", word, ": ", sentence)
  strwrap(text, width = 79L, exdent = 2L)
}

# Names of the columns that were left out, or nothing.
aliased_line <- function(fit) {
  aliased <- field(fit, "aliased")
  if (!length(aliased)) {
    return(character())
  }
  one <- length(aliased) == 1L
  strwrap(paste0(
    length(aliased), if (one) " column is" else " columns are",
    " a combination of the others and left out: ", paste(aliased, collapse = ", ")
  ), width = 79L, exdent = 2L)
}
