# statsmodels' view of a fit: its parameters, their labels and order, and its
# standard errors.

# The rows that a printed table has for the variances: statsmodels' labels and
# order (lower triangle of cov_re row by row, then variance components, then
# what statsmodels has no place for). `element` is the row of psi_elements(),
# NA for a covariance that the model does not have; such rows are left out
# unless `all_pairs`.
varcomp_rows <- function(fit, all_pairs = FALSE, sort_components = FALSE) {
  random <- field(fit, "random")
  labels <- random_labels(fit)
  other <- lapply(has_role(random, "other"), function(k) triangle_rows(random, labels, k))
  out <- do.call(rbind, c(
    list(triangle_rows(random, labels, has_role(random, "cov_re"), all_pairs)),
    list(component_rows(random, sort_components)), other
  ))
  rownames(out) <- NULL
  elements <- psi_elements(fit)
  key <- function(d) paste(d$term, d$row, d$column)
  out$element <- match(key(out), key(elements))
  out$estimate <- ifelse(is.na(out$element), 0, elements$psi[out$element] * field(fit, "scale"))
  out
}

# Lower triangle, row by row, of the block-diagonal covariance of some terms.
triangle_rows <- function(random, labels, terms, all_pairs = FALSE) {
  if (!length(terms)) {
    return(NULL)
  }
  label <- unlist(labels[terms])
  term <- rep(terms, lengths(labels[terms]))
  within <- unlist(lapply(labels[terms], seq_along))
  at <- which(upper.tri(diag(length(label)), diag = TRUE), arr.ind = TRUE)
  i <- at[, 2L]
  j <- at[, 1L]
  unstructured <- vapply(random, function(t) t$structure == "unstructured", NA)
  same <- term[i] == term[j]
  keep <- i == j | all_pairs | (same & unstructured[term[i]])
  text <- ifelse(i == j, paste(label[i], "Var"), paste(label[j], "x", label[i], "Cov"))
  data.frame(
    label = text, term = ifelse(same, term[i], NA), row = within[i],
    column = within[j]
  )[keep, ]
}

component_rows <- function(random, sorted) {
  terms <- has_role(random, "vcomp")
  if (!length(terms)) {
    return(NULL)
  }
  name <- vapply(random[terms], `[[`, "", "name")
  order <- if (sorted) order(name, method = "radix") else seq_along(name)
  data.frame(label = paste(name, "Var"), term = terms, row = 1L, column = 1L)[order, ]
}

# statsmodels' parameters (variances relative to scale), their covariance and
# standard errors: the inverse of the Hessian in fixed effects and Psi jointly,
# with sigma^2 profiled out. Held elements have standard error 0 there.
statsmodels_inference <- function(fit) {
  fe <- field(fit, "fe_params")
  p <- length(fe)
  scale <- field(fit, "scale")
  rows <- varcomp_rows(fit, all_pairs = TRUE, sort_components = TRUE)
  free <- psi_elements(fit)$free[rows$element]
  hessian <- as.matrix(field(fit, "hessian_psi"))
  c_psi <- inverse_information(hessian, rep(TRUE, nrow(hessian)))
  fixed <- field(fit, "vcov_unscaled") * scale
  slope <- field(fit, "dbeta_psi")
  cross <- matrix(0, p, nrow(c_psi))
  if (!is.null(slope) && p && !anyNA(c_psi)) {
    cross <- slope %*% c_psi
    fixed <- fixed + cross %*% t(slope)
  }
  names <- c(names(fe), rows$label)
  cov <- matrix(0, length(names), length(names), dimnames = list(names, names))
  at <- base::which(!is.na(free))
  cov[seq_len(p), seq_len(p)] <- fixed
  cov[p + at, p + at] <- c_psi[free[at], free[at]]
  cov[seq_len(p), p + at] <- cross[, free[at]]
  cov[p + at, seq_len(p)] <- t(cross[, free[at], drop = FALSE])
  variances <- diag(cov)
  variances[which(variances < 0)] <- NaN
  bse <- sqrt(variances)
  params <- c(fe, rows$estimate / scale)
  names(params) <- names
  list(params = params, bse = bse, cov = cov)
}
