# Variance parameters as lme4's profiles and intervals show them: standard
# deviations and correlations, term by term in lme4's order, the lower triangle of
# each column by column.

# The elements of Psi in that order: rows of psi_elements().
sdcor_elements <- function(fit) {
  elements <- psi_elements(fit)
  elements[order(match(elements$term, term_order(fit))), ]
}

# ".sig01", ...: lme4's short names; or "sd_Days|Subject",
# "cor_Days.(Intercept)|Subject".
sdcor_names <- function(fit, short = TRUE, elements = sdcor_elements(fit)) {
  if (short) {
    return(sprintf(".sig%02d", seq_len(nrow(elements))))
  }
  random <- field(fit, "random")
  vapply(seq_len(nrow(elements)), function(i) {
    term <- random[[elements$term[i]]]
    of <- if (term$structure == "scalar" && length(term$columns) > 1L) {
      term$name
    } else {
      term$columns
    }
    j <- elements$row[i]
    k <- elements$column[i]
    what <- if (j == k) paste0("sd_", of[j]) else paste0("cor_", of[j], ".", of[k])
    paste0(what, "|", term$group)
  }, "")
}

# Their values, from relative covariance matrices and the residual variance. The
# correlation of an effect that does not vary is NaN.
sdcor_values <- function(psi, scale, elements) {
  vapply(seq_len(nrow(elements)), function(i) {
    m <- psi[[elements$term[i]]]
    j <- elements$row[i]
    k <- elements$column[i]
    if (j == k) sqrt(m[j, j] * scale) else m[j, k] / sqrt(m[j, j] * m[k, k])
  }, 0)
}
