# Intervals that know the variance parameters to be estimates: a parametric bootstrap
# of the error of prediction.

# Chatterjee, Lahiri and Li (2008): per replicate random effects b* and a response
# y* are drawn from the fit; beta*, theta* and sigma* are estimated from y*; the same rows
# are predicted from y* at these, with their standard errors. The quantiles of
# (truth* - prediction*) / se* take the place of those of the normal distribution.
# -> n x 2
bootstrap_quantiles <- function(fit, given, rows, weights, wanted) {
  observed <- wanted$interval == "prediction"
  probs <- (1 + c(-1, 1) * wanted$level) / 2
  if (rows$n == 0L) {
    return(matrix(0, 0L, 2L))
  }
  bytes <- 8 * as.double(wanted$nsim) * rows$n
  if (bytes > (field(fit, "control")$max_memory %||% 4e9)) {
    abort("memory", paste0(
      "The replicates of the predictions need ", format(bytes / 1e9, digits = 2L),
      " GB; predict fewer rows at a time, or lower `nsim`."
    ), argument = "nsim")
  }
  pivots <- with_local_seed(wanted$seed, replicate_pivots(fit, given, rows, weights, wanted, observed))
  lost <- attr(pivots, "failed")
  failed <- sum(lost)
  if (failed == wanted$nsim) {
    abort("bootstrap", "No replicate of the bootstrap could be fitted.", argument = "nsim")
  }
  if (failed) {
    warn("bootstrap", paste0(failed, " of ", wanted$nsim, " replicates failed and are left out."), count = failed)
  }
  pivots <- pivots[, !lost, drop = FALSE]
  t(apply(pivots, 1L, stats::quantile, probs = probs, names = FALSE, na.rm = TRUE))
}

# A column for each replicate; the attribute `failed` tells which could not be fitted.
replicate_pivots <- function(fit, given, rows, weights, wanted, observed) {
  fixed <- !wanted$random.only
  context <- boot_context(fit)
  draw <- drawing(fit, given)
  n <- n_rows(fit)
  out <- matrix(NA_real_, rows$n, wanted$nsim)
  failed <- rep.int(TRUE, wanted$nsim)
  for (batch in boot_batches(wanted$nsim, max(1L, min(500L, 4e6 %/% n)))) {
    drawn <- lapply(batch, function(i) draw())
    y <- vapply(drawn, `[[`, numeric(n), "y")
    raw <- engine_bootstrap(context, "given", 0, 0L, length(batch), responses = matrix(y, n))
    for (i in seq_along(batch)) {
      if (!raw$outcome[i] %in% verdicts_sound) {
        next
      }
      failed[batch[i]] <- FALSE
      own <- replicate_fit(fit, context, raw, i)
      of <- replicate_prediction(own, given, rows, drawn[[i]], fixed)
      truth <- point_prediction(fit, if (is.null(given)) rows else given$rows, fixed, drawn[[i]]$b)
      variance <- of$variance
      if (observed) {
        truth <- truth + sqrt(field(fit, "scale") / weights) * stats::rnorm(rows$n)
        variance <- variance + 1 / weights
      }
      pivot <- (truth - of$value) / sqrt(variance * field(own, "scale"))
      # a random part without variance is predicted without error
      pivot[variance == 0] <- 0
      out[, batch[i]] <- pivot
    }
  }
  structure(out, failed = failed)
}

# A function that draws random effects of all levels and the responses of the fit's rows
# (and of those of condition_on).
drawing <- function(fit, given) {
  own <- given$own %||% prediction_rows(fit)
  extra <- given$extra
  sigma <- sqrt(field(fit, "scale"))
  n_levels <- given$n_levels %||% vapply(field(fit, "factors"), function(f) length(f$levels), 0L)
  noise <- function(n, weights) sigma * stats::rnorm(n) / sqrt(weights %||% 1)
  function() {
    b <- Map(function(theta, term) {
      theta <- as.matrix(theta)
      sigma * theta %*% matrix(stats::rnorm(nrow(theta) * n_levels[term$factor]), nrow(theta))
    }, field(fit, "theta"), field(fit, "random"))
    list(
      b = b, y = point_prediction(fit, own, TRUE, b) + noise(own$n, field(fit, "weights")),
      extra = if (!is.null(extra)) point_prediction(fit, extra, TRUE, b) + noise(extra$n, extra$weights)
    )
  }
}

# The fit with the estimates of a replicate.
replicate_fit <- function(fit, context, raw, i) {
  out <- unclass(fit)
  beta <- out$fe_params
  estimated <- match(context$columns, names(beta))
  beta[estimated[!is.na(estimated)]] <- raw$beta[i, !is.na(estimated)]
  out$fe_params <- beta
  out$replicate_theta <- raw$theta[i, ]
  out$scale <- raw$sigma2[i]
  structure(out, class = class(fit))
}

replicate_prediction <- function(own, given, rows, drawn, fixed) {
  theta <- .subset2(own, "replicate_theta")
  if (is.null(given)) {
    alone <- conditional_problem(own, NULL)
    answer <- engine_conditional(own, alone, theta, y = drawn$y)
    own <- with_covariance(own, answer$beta_cov_unscaled)
    return(list(value = point_prediction(own, rows, fixed), variance = fixed_variances(own, rows, fixed)))
  }
  padding <- length(given$problem$y) - given$skip
  y <- c(drawn$y, drawn$extra, rep.int(drawn$y[1L], padding))
  answer <- engine_conditional(own, given, theta, y = y)
  covariance <- answer$beta_cov_unscaled
  if (!is.null(given$extra)) {
    covariance <- engine_conditional(own, conditional_problem(own, NULL), theta, y = drawn$y)$beta_cov_unscaled
  }
  own <- with_covariance(own, covariance)
  list(
    value = point_prediction(own, given$rows, fixed, answer$b),
    variance = error_variances(given, answer, field(own, "vcov_unscaled"), fixed)
  )
}

# Fixed effects that are held at a value have no variance, and do not add to that of
# the others.
with_covariance <- function(fit, covariance) {
  before <- field(fit, "vcov_unscaled")
  held <- diag(as.matrix(before)) == 0
  if (any(held)) {
    free <- which(!held)
    inverse <- solve(covariance)
    covariance[] <- 0
    covariance[free, free] <- solve(inverse[free, free, drop = FALSE])
  }
  dimnames(covariance) <- dimnames(before)
  out <- unclass(fit)
  out$vcov_unscaled <- covariance
  structure(out, class = class(fit))
}
