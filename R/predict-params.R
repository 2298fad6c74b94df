# A fit at other parameters than its estimates, for predictions.

# The fit with `newparams` in place of its estimates: random effects, fitted values and
# the covariance of the fixed effects are those of its data at these parameters.
with_newparams <- function(fit, newparams) {
  truth <- simulation_truth(field(fit, "random"), field(fit, "fe_params"), newparams, fit)
  if (truth$sigma == 0) {
    abort("newparams", "`newparams`: `sigma` must be positive.", argument = "newparams")
  }
  out <- unclass(fit)
  same <- identical(truth$beta, as.double(out$fe_params)) &&
    identical(lapply(truth$theta, unname), lapply(out$theta, function(l) unname(as.matrix(l))))
  out$fe_params[] <- truth$beta
  out$scale <- truth$sigma^2
  out$theta <- truth$theta
  out$psi <- lapply(out$theta, tcrossprod)
  out <- structure(out, class = class(fit))
  if (same) {
    return(out)
  }
  given <- conditional_problem(out, NULL)
  answer <- engine_conditional(out, given)
  out <- unclass(with_covariance(out, answer$beta_cov_unscaled))
  out$b <- answer$b
  out <- structure(out, class = class(fit))
  fitted <- point_prediction(out, given$own)
  out <- unclass(out)
  out$fitted <- fitted
  structure(out, class = class(fit))
}

check_newparams <- function(fit, newparams) {
  known <- c("beta", "theta", "sigma")
  if (!is.list(newparams) || is.object(newparams) || is.null(names(newparams)) ||
    !all(names(newparams) %in% known) || anyDuplicated(names(newparams))) {
    newparams_error(
      "`newparams` must be a list with elements named `beta`, `theta` or `sigma`, not ",
      if (is.list(newparams) && length(names(newparams))) {
        paste0("one with the names ", quote_names(names(newparams)))
      } else {
        describe(newparams)
      }, "."
    )
  }
  size <- c(beta = length(field(fit, "fe_params")), theta = length(packed_theta(fit)), sigma = 1L)
  for (name in names(newparams)) {
    value <- newparams[[name]]
    if (!is.numeric(value) || is.object(value) || length(value) != size[[name]] || !all(is.finite(value))) {
      newparams_error(
        "`newparams$", name, "` must have ", size[[name]], " finite number", if (size[[name]] != 1L) "s",
        ", not be ", describe(value), "."
      )
    }
  }
  if (!is.null(newparams$sigma) && newparams$sigma <= 0) {
    newparams_error("`newparams$sigma` must be positive.")
  }
}

# The relative Cholesky factors from their elements in the order of getME(fit, "theta").
unpacked_theta <- function(fit, theta) {
  out <- field(fit, "theta")
  from <- 0L
  for (k in term_order(fit)) {
    q <- nrow(as.matrix(out[[k]]))
    size <- packed_length(field(fit, "random")[[k]])
    own <- theta[from + seq_len(size)]
    value <- matrix(0, q, q)
    switch(field(fit, "random")[[k]]$structure,
      unstructured = value[lower.tri(value, diag = TRUE)] <- own,
      diag(value) <- own
    )
    out[[k]] <- value
    from <- from + size
  }
  out
}
