# The likelihood as a function of its parameters, statsmodels' loglike(), score() and
# hessian(): the residual variance is always profiled out, the fixed effects on request.

#' Log-likelihood, score and Hessian at given parameters
#'
#' The (restricted) log-likelihood of the model of a fit, with its derivatives, at any
#' parameters: statsmodels' `MixedLM.loglike()`, `score()` and `hessian()`.
#'
#' @param fit (`mixedlm`) a fit; it tells the model and whether the likelihood is the restricted one.
#' @param params where to evaluate: [mixedlm_params()], with covariances relative to the residual
#'   variance (`cov_re_unscaled`); or a packed numeric vector as [get_packed()] makes and `fit$params`
#'   is, with or without the fixed effects; default the estimates.
#' @param profile_fe (`logical(1)`) `TRUE`: the fixed effects are those that are best for
#'   the covariances, whatever `params` says (those that `free` holds stay as they are); `FALSE`: those in `params`.
#' @param use_sqrt (`logical(1)`) whether the random effects are parametrised, in packed vectors and in the
#'   score, by the lower triangle of the Cholesky factor of `cov_re` and by standard deviations instead of
#'   variances. statsmodels' models do so unless told otherwise.
#'
#' @details
#' Parameters are ordered as in `fit$params`: fixed effects (where `profile_fe` is `FALSE`; always in
#' the Hessian), the lower triangle of `cov_re` row by row, variance components by name. The
#' Hessian is that in covariances and variances, never in their roots. Derivatives of what the model does not have, such as
#' covariances of independent effects, and in fixed effects that `free` holds are zero.
#'
#' The Hessian is exact. So is statsmodels' where the fixed effects are
#' the best ones for the covariances; elsewhere its rows for the fixed effects leave terms out (seen in 0.15.0).
#' @return `mixedlm_loglik()`: a number. `mixedlm_score()`: a vector of derivatives.
#'   `mixedlm_hessian()`: a matrix of second derivatives, at the fixed effects in `params` or, where it has none, the
#'   best ones.
#' @section Errors: `mixedlm_error_params` for parameters that do not fit the model;
#'   `mixedlm_error_penalty` for penalised fits.
#' @export
#' @seealso [mixedlm_params()], [get_packed()], [as.function.mixedlm()] for lme4's parametrisation
#' @examples
#' fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
#' mixedlm_loglik(fit, mixedlm_params(cov_re = 2))
#' mixedlm_score(fit)
#' mixedlm_hessian(fit)
mixedlm_loglik <- function(fit, params = NULL, profile_fe = TRUE, use_sqrt = FALSE) {
  at <- likelihood_point(fit, params, profile_fe, use_sqrt)
  e <- evaluate_at(at, field(fit, "reml"))
  -(e$criterion + if (is.null(at$beta)) 0 else e$denominator * log(squares_at(e, at) / e$pwrss)) / 2
}

#' @rdname mixedlm_loglik
#' @export
mixedlm_score <- function(fit, params = NULL, profile_fe = TRUE, use_sqrt = FALSE) {
  at <- likelihood_point(fit, params, profile_fe, use_sqrt)
  e <- evaluate_at(at, field(fit, "reml"))
  gradient <- psi_gradient(e, at)
  fixed <- NULL
  if (!is.null(at$beta)) {
    bare <- evaluate_bare(at, e$kept)
    logdet <- psi_gradient(bare, at) - bare$denominator * bare$dr2_psi / bare$pwrss
    rest <- gradient - e$denominator * e$dr2_psi / e$pwrss - logdet
    gradient <- logdet + e$denominator * bare$dr2_psi / bare$pwrss + rest
    fixed <- full_effects(at, fixed_gradient(e, at))
  }
  out <- c(fixed, packed_gradient(gradient, at, use_sqrt))
  stats::setNames(-out / 2, c(if (!is.null(fixed)) at$fe_names, at$rows$label))
}

#' @rdname mixedlm_loglik
#' @export
mixedlm_hessian <- function(fit, params = NULL, use_sqrt = FALSE) {
  profile_fe <- is.null(fixed_of(params, fit))
  at <- likelihood_point(fit, params, profile_fe, use_sqrt)
  e <- evaluate_at(at, field(fit, "reml"))
  if (is.null(at$beta)) {
    at$beta <- e$beta
  }
  second <- second_derivatives(e, at, field(fit, "reml"))
  names <- c(at$fe_names, at$rows$label)
  out <- matrix(0, length(names), length(names), dimnames = list(names, names))
  p <- length(at$fe_names)
  has <- which(!is.na(at$rows$element))
  place <- c(at$estimated, p + has)
  element <- length(at$estimated) + at$rows$element[has]
  out[place, place] <- second[c(seq_along(at$estimated), element), c(seq_along(at$estimated), element)]
  -out / 2
}

# --- where ------------------------------------------------------------------

# -> list(design, theta: packed, beta: of the estimated columns or NULL, rows: of the packed vector,
# fe_names, estimated: which fixed effects `free` does not hold).
likelihood_point <- function(fit, params, profile_fe, use_sqrt) {
  check_is_fit(fit)
  refuse_penalised(fit, "The likelihood at given parameters")
  for (flag in c("profile_fe", "use_sqrt")) {
    if (!is_flag(get(flag))) {
      abort("argument", paste0(
        "`", flag, "` must be TRUE or FALSE; found ", describe(get(flag)), "."
      ), argument = flag)
    }
  }
  design <- design_of(fit)
  fe <- field(fit, "fe_params")
  at <- list(
    design = design, control = field(fit, "control"), rows = varcomp_rows(fit, all_pairs = TRUE, sort_components = TRUE),
    elements = psi_elements(fit), random = field(fit, "random"), fe_names = names(fe),
    estimated = which(names(fe) %in% field(fit, "columns")[free_columns(whole_design(fit))])
  )
  if (is.null(params)) {
    at$theta <- packed_theta(fit)
    at$beta <- if (!profile_fe) unname(fe[at$estimated])
    at$lambda <- field(fit, "theta")
    return(at)
  }
  packed <- if (!inherits(params, "mixedlm_params")) params
  params <- if (is.null(packed)) params else params_from(packed, fit, use_sqrt)
  at$lambda <- factors_at(params, design)
  if (use_sqrt && !is.null(packed)) {
    at$lambda <- roots_given(utils::tail(as.vector(packed), nrow(at$rows)), at)
  }
  at$theta <- unlist(Map(pack_factor, at$lambda, design$terms))
  if (!profile_fe) {
    given <- effects_at(params$fe_params, fe)
    at$beta <- given[at$estimated]
    at$design <- held_elsewhere(at$design, fit, stats::setNames(given, names(fe)))
  }
  at
}

# The factors whose elements are given, as they are: the derivative in an element follows its
# sign and its size, which the root of its square has not, or not to the last digits.
roots_given <- function(values, at) {
  has <- which(!is.na(at$rows$element))
  elements <- at$elements[at$rows$element[has], ]
  elements$value <- values[has]
  lapply(seq_along(at$random), function(k) {
    own <- elements[elements$term == k, ]
    l <- diag(0, length(at$random[[k]]$columns))
    l[cbind(own$row, own$column)] <- own$value
    if (at$random[[k]]$structure == "scalar") {
      diag(l) <- own$value
    }
    l
  })
}

# The design with the effects that `free` holds at the values given for them instead of the fit's.
held_elsewhere <- function(design, fit, given) {
  whole <- whole_design(fit)
  held <- which(!is.na(whole$held))
  if (length(held)) {
    away <- given[field(fit, "columns")[held]] - whole$held[held]
    design$offset <- (design$offset %||% 0) + as.vector(whole$x[, held, drop = FALSE] %*% away)
  }
  design
}

fixed_of <- function(params, fit) {
  if (inherits(params, "mixedlm_params")) {
    return(params$fe_params)
  }
  rows <- nrow(varcomp_rows(fit, all_pairs = TRUE, sort_components = TRUE))
  if (length(params) > rows) params else NULL
}

effects_at <- function(value, fe) {
  if (length(value) != length(fe)) {
    abort("params", paste0(
      "`params` must have ", length(fe), " fixed effects (", quote_names(names(fe)), "), not ", length(value),
      "; with profile_fe = TRUE it needs none."
    ), argument = "params")
  }
  if (!is.null(names(value)) && setequal(names(value), names(fe))) {
    value <- value[names(fe)]
  }
  as.double(value)
}

# Relative factors of every term.
factors_at <- function(params, design) {
  design$held <- NULL
  roles <- random_terms(design, outer_factor(design))
  tryCatch(
    {
      out <- factors_of_params(params, design, roles)
      Map(function(l, term) if (!is.null(l)) pack_factor(l, term), out, design$terms)
    },
    mixedlm_error_start = function(e) {
      abort("params", sub("`start`", "`params`", conditionMessage(e)), argument = "params")
    }
  )
  missing <- vapply(out, is.null, NA)
  if (any(missing)) {
    abort("params", paste0(
      "`params` says nothing of the random effects of ",
      quote_names(vapply(design$terms[missing], `[[`, "", "name")), "."
    ), argument = "params")
  }
  out
}

# --- evaluation -------------------------------------------------------------

evaluate_at <- function(at, reml, design = at$design) {
  options <- engine_options(reml, "newton", at$control, at$theta)
  engine_answer(rs_evaluate(engine_problem(design), options), design)
}

# The same for the residuals from given fixed effects, with nothing left to estimate.
evaluate_bare <- function(at, kept) {
  evaluate_at(at, FALSE, without_columns(at$design, kept, at$beta))
}

without_columns <- function(design, kept, beta) {
  for (k in seq_along(design$terms)) {
    if (any(design$terms[[k]]$x_columns > 0L)) {
      design$terms[[k]]$z <- term_columns_of(design, design$terms[[k]])
      design$terms[[k]]["x_columns"] <- list(NULL)
    }
  }
  design$y <- design$y - as.vector(design$x[, kept, drop = FALSE] %*% beta)
  design$x <- design$x[, 0L, drop = FALSE]
  design
}

# r2 at given fixed effects: a quadratic around the best ones.
squares_at <- function(e, at) {
  d <- at$beta - e$beta
  e$pwrss + sum(d * solve_symmetric(e$beta_cov_unscaled, d))
}

solve_symmetric <- function(a, b) {
  if (!length(b)) {
    return(b)
  }
  s <- sqrt(diag(a))
  r <- scaled_cholesky(a, s)
  backsolve(r, backsolve(r, b / s, transpose = TRUE)) / s
}

# Of a matrix scaled to a unit diagonal.
scaled_cholesky <- function(a, s) {
  tryCatch(chol(a / tcrossprod(s)), error = function(e) {
    abort("numerical", paste0(
      "The covariance of the fixed effects is singular in double precision at these variances: ",
      "there is no derivative in them."
    ))
  })
}

# Derivatives in the elements of Psi from the symmetric matrices of the core.
psi_gradient <- function(e, at) {
  el <- at$elements
  vapply(seq_len(nrow(el)), function(i) {
    g <- as.matrix(e$gradient_psi[[el$term[i]]])
    if (at$random[[el$term[i]]]$structure == "scalar") {
      return(sum(diag(g)))
    }
    g[el$row[i], el$column[i]] * if (el$row[i] == el$column[i]) 1 else 2
  }, 0)
}

fixed_gradient <- function(e, at) {
  d <- at$beta - e$beta
  2 * e$denominator * solve_symmetric(e$beta_cov_unscaled, d) / squares_at(e, at)
}

full_effects <- function(at, value) {
  out <- numeric(length(at$fe_names))
  out[at$estimated] <- value
  out
}

# In the order of the packed vector; with `use_sqrt` Psi = L L' gives dL = 2 G L.
packed_gradient <- function(gradient, at, use_sqrt) {
  if (use_sqrt) {
    gradient <- unlist(lapply(seq_along(at$random), function(k) {
      own <- which(at$elements$term == k)
      l <- as.matrix(at$lambda[[k]])
      if (at$random[[k]]$structure == "scalar") {
        return(2 * l[1L] * gradient[own])
      }
      g <- diag(0, nrow(l))
      g[cbind(at$elements$row, at$elements$column)[own, , drop = FALSE]] <- gradient[own]
      g <- (g + t(g)) / 2
      (2 * g %*% l)[cbind(at$elements$row, at$elements$column)[own, , drop = FALSE]]
    }))
  }
  out <- gradient[at$rows$element]
  out[is.na(out)] <- 0
  out
}

# Second derivatives of -2 log-likelihood in the estimated fixed effects and the elements of
# Psi. The criterion is N log r2(beta) + log|V| (+ log|X'V^-1X|); the core tells the sum with the
# fixed effects profiled out, which is taken apart with tr(V^-1 G V^-1 G) of engine_inference().
second_derivatives <- function(e, at, reml) {
  n <- length(at$design$y)
  big_n <- e$denominator
  bare <- evaluate_bare(at, e$kept)
  parts <- inference_at(at, reml)
  logdet <- -parts$products
  second <- logdet + big_n / n * (bare$hessian_psi - logdet)
  if (reml) {
    ml <- evaluate_at(at, FALSE)
    second <- second + e$hessian_psi - logdet - big_n / n * (ml$hessian_psi - logdet)
  }
  p <- length(at$beta)
  if (!p) {
    return(second)
  }
  d <- at$beta - e$beta
  a <- solve_inverse(e$beta_cov_unscaled)
  u <- as.vector(2 * a %*% d)
  slope <- vapply(seq_len(dim(parts$xx)[3L]), function(k) {
    -2 * a %*% (parts$xx[, , k] %*% (a %*% d) + e$dbeta_psi[, k])
  }, numeric(p))
  slope <- matrix(slope, p)
  cross <- big_n * (slope / bare$pwrss - outer(u, bare$dr2_psi) / bare$pwrss^2)
  fixed <- big_n * (2 * a / bare$pwrss - tcrossprod(u) / bare$pwrss^2)
  rbind(cbind(fixed, cross), cbind(t(cross), second))
}

solve_inverse <- function(a) {
  s <- sqrt(diag(a))
  chol2inv(scaled_cholesky(a, s)) / tcrossprod(s)
}

# Traces and products at these parameters, see engine_inference().
inference_at <- function(at, reml) {
  options <- engine_options(reml, "newton", at$control, at$theta)
  options$adjusted <- FALSE
  engine_answer(rs_inference(engine_problem(at$design), options), at$design)
}
