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
