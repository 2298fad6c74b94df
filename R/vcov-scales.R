# The variance parameters on three scales, and their covariances by the delta
# method: variances and covariances, standard deviations and correlations, and
# the transforms of these that are nearest to normal.

varcomp_scales <- c("variance", "sdcor", "log")

# Estimates on a scale, named: rows as in varcomp_rows() and "Scale" for
# variances, as in sdcor_elements() and "sigma" for the others.
varcomp_estimate <- function(fit, scale = "variance") {
  if (scale == "variance") {
    rows <- varcomp_rows(fit)
    out <- c(rows$estimate, field(fit, "scale"))
    return(stats::setNames(out, c(rows$label, "Scale")))
  }
  elements <- sdcor_elements(fit)
  value <- c(
    sdcor_values(field(fit, "psi"), field(fit, "scale"), elements),
    sqrt(field(fit, "scale"))
  )
  names(value) <- c(sdcor_names(fit, FALSE, elements), "sigma")
  if (scale == "sdcor") value else to_log_scale(value, is_correlation(elements))
}

# Which of (elements, sigma) are correlations.
is_correlation <- function(elements) c(elements$row != elements$column, FALSE)

to_log_scale <- function(value, correlation) {
  out <- value
  out[!correlation] <- log(value[!correlation])
  # rounding may leave a correlation of one just above it
  out[correlation] <- atanh(pmin(pmax(value[correlation], -1), 1))
  names(out) <- paste0(ifelse(correlation, "atanh(", "log("), names(value), ")")
  out
}

# The inverse of to_log_scale(), names apart.
from_log_scale <- function(value, correlation) {
  ifelse(correlation, tanh(value), exp(value))
}

# Exact covariance of varcomp_estimate(fit, scale).
varcomp_cov <- function(fit, scale = "variance") {
  elements <- psi_elements(fit)
  m <- nrow(elements)
  jacobian <- switch(scale,
    variance = variance_jacobian(fit, elements),
    sdcor = sdcor_jacobian(fit, elements),
    log = sdcor_jacobian(fit, elements) * log_slopes(fit, elements)
  )
  cov <- propagate(jacobian, relative_cov(fit, elements))
  # smaller numbers have lost digits
  lost <- !is.finite(diag(cov)) | diag(cov) < .Machine$double.xmin
  cov[lost, ] <- cov[, lost] <- NA
  order <- if (scale == "variance") {
    varcomp_rows(fit)$element
  } else {
    order(match(elements$term, term_order(fit)))
  }
  place <- c(order, m + 1L)
  names <- names(varcomp_estimate(fit, scale))
  matrix(cov[place, place], m + 1L, dimnames = list(names, names))
}

# Derivatives of (sigma^2 Psi, sigma^2) in (Psi, log sigma^2).
variance_jacobian <- function(fit, elements) {
  m <- nrow(elements)
  out <- diag(field(fit, "scale"), m + 1L)
  out[seq_len(m), m + 1L] <- elements$psi * field(fit, "scale")
  out
}

# Derivatives of the standard deviations, correlations and sigma in (Psi,
# log sigma^2), rows in the order of `elements`; zero where a variance is.
sdcor_jacobian <- function(fit, elements) {
  m <- nrow(elements)
  s2 <- field(fit, "scale")
  out <- matrix(0, m + 1L, m + 1L)
  out[m + 1L, m + 1L] <- sqrt(s2) / 2
  own <- elements$row == elements$column
  for (i in seq_len(m)) {
    if (own[i]) {
      sd <- sqrt(elements$psi[i])
      out[i, i] <- sqrt(s2) / (2 * sd)
      out[i, m + 1L] <- sd * sqrt(s2) / 2
      next
    }
    at <- vapply(c(elements$row[i], elements$column[i]), function(j) {
      which(own & elements$term == elements$term[i] & elements$row == j)
    }, 0L)
    size <- prod(sqrt(elements$psi[at]))
    out[i, i] <- 1 / size
    out[i, at] <- -elements$psi[i] / size / (2 * elements$psi[at])
  }
  out[!is.finite(out)] <- 0
  out
}

# Slopes of log and atanh at the estimates, in the order of `elements`.
log_slopes <- function(fit, elements) {
  value <- c(sdcor_values(field(fit, "psi"), field(fit, "scale"), elements), sqrt(field(fit, "scale")))
  out <- ifelse(is_correlation(elements), 1 / (1 - value^2), 1 / value)
  ifelse(is.finite(out), out, 0)
}
