# Parameters to simulate from, in lme4's words or statsmodels', checked against a model.

# -> list(beta, theta: a lower-triangular relative factor per term, sigma). `random` is a list of random terms,
# `beta` the named fixed effects (the values are used where there is a `fit`).
simulation_truth <- function(random, beta, newparams, fit = NULL) {
  truth <- list(
    beta = if (!is.null(fit)) as.double(beta),
    theta = if (!is.null(fit)) lapply(field(fit, "theta"), as.matrix),
    sigma = if (!is.null(fit)) sqrt(field(fit, "scale"))
  )
  if (is.null(newparams) && !is.null(fit)) {
    return(truth)
  }
  given <- check_newparams(newparams)
  if (!is.null(given$beta)) {
    truth$beta <- matched_values(given$beta, names(beta), "beta")
  }
  if (!is.null(given$sigma)) {
    truth$sigma <- check_deviation(given$sigma)
  }
  if (is.null(truth$sigma) && inherits(newparams, "mixedlm_params")) {
    truth$sigma <- 1
  }
  if (!is.null(given$theta)) {
    truth$theta <- given_factors(given$theta, random)
  } else if (!is.null(given$params)) {
    truth$theta <- factors_of_components(given$params, random, truth)
  }
  missing <- names(truth)[vapply(truth, is.null, NA)]
  if (length(missing)) {
    abort("newparams", paste0(
      "`newparams` must have ", quote_names(missing), " too; there is no fit to take ",
      if (length(missing) > 1L) "them" else "it", " from."
    ), argument = "newparams")
  }
  truth
}

newparams_lme4 <- c("beta", "theta", "sigma")
newparams_statsmodels <- c("fe_params", "cov_re", "vcomp", "scale")

# -> list with some of beta, theta, sigma and params (list(cov_re, vcomp, relative)).
check_newparams <- function(newparams) {
  if (inherits(newparams, "mixedlm_params")) {
    return(list(
      beta = newparams$fe_params, params = components_given(newparams, relative = TRUE)
    ))
  }
  name <- names(newparams)
  known <- c(newparams_lme4, newparams_statsmodels)
  if (!is.list(newparams) || is.object(newparams) || is.null(name) || anyDuplicated(name)) {
    abort("newparams", paste0(
      "`newparams` must be a list with elements of the names ", quote_names(newparams_lme4),
      " or ", quote_names(newparams_statsmodels), ", or mixedlm_params(), not ",
      describe(newparams), "."
    ), argument = "newparams")
  }
  unknown <- setdiff(name, known)
  if (length(unknown)) {
    abort("newparams", paste0(
      "`newparams` has the element ", quote_names(unknown[1L]), "; known are ",
      quote_names(newparams_lme4), " and ", quote_names(newparams_statsmodels), ".",
      suggest(unknown[1L], known)
    ), argument = "newparams")
  }
  check_said_once(name)
  scale <- newparams$scale
  list(
    beta = newparams$beta %||% newparams$fe_params,
    theta = newparams$theta,
    sigma = newparams$sigma %||% if (!is.null(scale)) sqrt(check_deviation(scale, "scale")),
    params = components_given(newparams, relative = FALSE)
  )
}

check_said_once <- function(name) {
  twice <- list(c("beta", "fe_params"), c("sigma", "scale"), c("theta", "cov_re"), c("theta", "vcomp"))
  for (pair in twice) {
    if (all(pair %in% name)) {
      abort("newparams", paste0(
        "`newparams` has both ", quote_names(pair[1L]), " and ", quote_names(pair[2L]),
        ", which say the same."
      ), argument = "newparams")
    }
  }
}

components_given <- function(params, relative) {
  if (is.null(params$cov_re) && is.null(params$vcomp)) {
    return(NULL)
  }
  own <- tryCatch(
    mixedlm_params(cov_re = params$cov_re, vcomp = params$vcomp),
    mixedlm_error_params = function(e) {
      abort("newparams", paste0("`newparams`: ", conditionMessage(e)), argument = "newparams")
    }
  )
  list(params = own, relative = relative)
}

# In the order of `names`, or by name where `value` has names.
matched_values <- function(value, names, what) {
  if (!is.numeric(value) || is.object(value) || !all(is.finite(value))) {
    abort("newparams", paste0(
      "`newparams`: `", what, "` must be numeric and finite; found ", describe(value), "."
    ), argument = "newparams")
  }
  if (length(value) != length(names)) {
    abort("newparams", paste0(
      "`newparams`: `", what, "` must have ", length(names),
      if (length(names) == 1L) " value (" else " values (",
      if (length(names)) quote_names(names) else "there are none", "), not ", length(value), "."
    ), argument = "newparams")
  }
  if (is.null(names(value))) {
    return(as.double(value))
  }
  if (!setequal(names(value), names)) {
    odd <- setdiff(names(value), names)
    abort("newparams", paste0(
      "`newparams`: `", what, "` has the name ", quote_names(odd[1L]), "; the model has ",
      quote_names(names), ".", suggest(odd[1L], names)
    ), argument = "newparams")
  }
  as.double(value[names])
}

check_deviation <- function(value, what = "sigma") {
  if (!is_number(value) || value < 0) {
    abort("newparams", paste0(
      "`newparams`: `", what, "` must be one number that is not negative; found ",
      describe(value), "."
    ), argument = "newparams")
  }
  as.double(value)
}

# Relative factors from lme4's theta.
given_factors <- function(theta, random) {
  zero <- lapply(random, function(term) diag(0, length(term$columns)))
  model <- list(random = random, theta = zero)
  value <- matched_values(theta, names(named_theta(model)), "theta")
  at <- theta_elements(model)
  end <- 0L
  for (i in seq_along(at)) {
    k <- term_order(model)[i]
    piece <- value[end + seq_along(at[[i]])]
    end <- end + length(piece)
    if (random[[k]]$structure == "scalar") {
      zero[[k]] <- diag(piece, nrow(zero[[k]]))
    } else {
      zero[[k]][at[[i]]] <- piece
    }
  }
  zero
}

# Relative factors from covariance matrices and variances. What is not given stays as in
# the fit, if there is one.
factors_of_components <- function(given, random, truth) {
  design <- list(terms = random)
  scale <- if (given$relative) 1 else truth$sigma^2
  if (!length(scale) || scale == 0) {
    abort("newparams", paste0(
      "`newparams`: `cov_re` and `vcomp` on the user's scale need a `scale` that is positive."
    ), argument = "newparams")
  }
  factors <- tryCatch(
    {
      p <- given$params
      p$cov_re <- if (!is.null(p$cov_re)) p$cov_re / scale
      p$vcomp <- if (!is.null(p$vcomp)) p$vcomp / scale
      check_independent(factors_of_params(p, design, random), random)
    },
    mixedlm_error_start = function(e) {
      text <- sub("^`start`:?", "`newparams`:", conditionMessage(e))
      abort("newparams", text, argument = "newparams")
    }
  )
  empty <- vapply(factors, is.null, NA)
  if (!is.null(truth$theta)) {
    factors[empty] <- truth$theta[empty]
  } else if (any(empty)) {
    name <- vapply(random, `[[`, "", "name")[empty]
    abort("newparams", paste0(
      "`newparams` says nothing of the random effects of ", quote_names(name),
      "; give `theta`, or `cov_re` and `vcomp`."
    ), argument = "newparams")
  }
  factors
}

check_independent <- function(factors, random) {
  Map(function(l, term) {
    if (!is.null(l)) pack_factor(l, term)
  }, factors, random)
  factors
}
