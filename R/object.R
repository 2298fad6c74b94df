# The fit object: one constructor, one validator, and the fields that are
# computed when asked for.

#' A fitted linear mixed model
#'
#' What [mixedlm()] returns: a list of class `mixedlm`. It holds plain R values
#' only, so it can be saved with [saveRDS()] and read in another session.
#'
#' @section Stored fields:
#' | field | meaning, shape, scale |
#' |---|---|
#' | `call`, `formula`, `parsed` | the call; the formula as given; the model as it was understood |
#' | `frame`, `terms`, `assign`, `contrasts`, `contrasts_default`, `xlevels`, `na.action` | model frame (one row per row used); `terms` of the fixed effects; and what is needed to rebuild the designs (`contrasts_default`: the option when the model was fitted) |
#' | `random` | list, one element per random-effects term: `kind` (`"re"` or `"vc"`), `name`, `group`, `columns`, `structure`, `n_levels`, `factor` (index into `factors`), `x_columns` (where the columns are in the fixed-effects design, or `NULL`), `lhs_terms`, `contrasts` (of the factors in a design of its own), `free` (mask of the elements of the factor that are estimated, or `NULL` for all), `role` (`"cov_re"`, `"vcomp"` or `"other"`), `bar` (index into `parsed$bars`) |
#' | `factors` | list, one element per grouping factor: `name`, `levels`, `codes` (integer, one per row) |
#' | `columns` | names of all columns of the fixed-effects design |
#' | `fe_params` | named estimates of the fixed effects, aliased columns left out |
#' | `aliased` | names of the columns that were left out |
#' | `vcov_unscaled` | their covariance relative to `scale` |
#' | `cov_re` | covariance matrix of the random effects of one group, user's scale |
#' | `cov_re_unscaled` | the same relative to `scale` |
#' | `vcomp` | named variances of the variance components, user's scale |
#' | `scale` | residual variance, \eqn{\sigma^2}{sigma^2} |
#' | `psi`, `theta` | per term: covariance matrix relative to `scale`, and its lower-triangular Cholesky factor |
#' | `criterion` | -2 log-likelihood (restricted if `reml`), all constants included |
#' | `pwrss`, `denominator` | generalised residual sum of squares; what it is divided by to give `scale` |
#' | `logdet_v`, `logdet_xvx`, `log_weights` | the other parts of `criterion` |
#' | `reml` | `TRUE` for REML, `FALSE` for ML |
#' | `hessian_psi`, `gradient`, `dr2_psi`, `dbeta_psi` | second and first derivatives of `criterion`, and first derivatives of `pwrss` and of `fe_params`, in the free elements of `psi` |
#' | `b` | per term: conditional modes of the random effects, one column per level |
#' | `fitted`, `y` | fitted values (fixed effects, random effects, offset) and response, one per row used |
#' | `weights`, `offset` | prior weights and offset, or `NULL` |
#' | `free`, `start`, `control` | as given |
#' | `optinfo` | how the fit ended: `verdict`, `decrement`, `eigenvalues`, `iterations`, `evaluations`, `method`, `engine`, `reason`, `structure` (see below), `threads`, `seconds` (of the reduction and of the optimisation), `messages` |
#' | `group_name`, `group_sizes` | name of the grouping of the model's independent parts, and `min`, `max`, `mean` and number `n` of their rows; all rows are one group where no factor holds the others, as for crossed factors |
#'
#' @section Engines:
#' `optinfo$engine` tells which of two ways of evaluating the criterion was taken; the
#' criterion, and all that is made of it, are the same. `"grouped"`: one
#' grouping factor, or factors nested in each other; `optinfo$reason` says which.
#' `"crossed"`: some factors are not nested, be it only within groups that are
#' independent of each other; `optinfo$reason` names two of them, as in
#' `factors "s" and "d" are crossed`, and `optinfo$structure` says how the part of
#' the system beyond the largest factor was stored: `"dense"` or `"sparse"`
#' (`""` for the grouped engine).
#'
#' @section Verdicts:
#' | `optinfo$verdict` | meaning |
#' |---|---|
#' | `"optimum"` | the gradient is zero and the curvature positive: a minimum of the criterion |
#' | `"boundary"` | a minimum on the boundary: a variance, or a direction of a covariance matrix, is zero, and the criterion rises when it is let in; or it is held at zero by `free` |
#' | `"flat"` | a minimum that is not unique: the data do not identify every parameter |
#' | `"saddle"` | the search ended where a direction of decrease remains |
#' | `"maxit"` | the search used up its iterations |
#'
#' @section Fields with statsmodels' names:
#' These are computed when asked for with `$`, and have the values that statsmodels' `MixedLMResults` gives them:
#' `params` (fixed effects, then the lower triangle of `cov_re_unscaled` row by row, then the variance components
#' relative to `scale`), `bse`, `tvalues`, `pvalues` (of `params`), `bse_fe`, `bse_re`, `random_effects`,
#' `random_effects_cov`, `fittedvalues`, `resid`, `llf`, `aic`, `bic` (`NaN` for REML, as there), `nobs`, `df_resid`,
#' `df_modelwc`, `k_fe`, `k_re`, `k_re2`, `k_vc`, `method`, `converged`, `use_t`. What is a method there is a function
#' here: `fit$conf_int(alpha)`, `fit$cov_params()`, `fit$summary()`, `fit$profile_re()`, `fit$fit_regularized(method,
#' alpha)`, and the tests `fit$t_test(L, rhs)`, `fit$f_test(L, rhs)`, `fit$wald_test(L, rhs)` (`L` as in
#' [linear_hypothesis()]) and `fit$wald_test_terms()`, with statsmodels' covariance of the fixed effects: z tests for
#' the first, F with `df_resid` for the second, chi-square for the others. `fit$predict(exog)` gives the fixed effects'
#' part for a design matrix or a data frame, `fit$get_distribution(params, scale)$rvs(n)` draws responses,
#' `fit$loglike(params)`, `fit$score(params)`, `fit$hessian(params)` are [mixedlm_loglik()] and its kin,
#' `fit$params_object` is [params_of()], and `fit$remove_data()` is [remove_data()].
#'
#' `bse_re` are statsmodels' numbers, which leave out the uncertainty of `scale`; the exact standard errors are in
#' `summary(fit)$varcomp` and `vcov(fit, which = "varcomp")`.
#'
#' `fit[["llf"]]` and `names(fit)` know the stored fields only.
#'
#' @examples
#' fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig", re_formula = ~ Time)
#' fit$cov_re_unscaled * fit$scale
#' fit$optinfo$verdict
#' # in statsmodels' words
#' fit$params
#' fit$t_test("Time = 7")
#' @name mixedlm-object
#' @aliases mixedlm-class
#' @seealso [summary.mixedlm()], [mixedlm-accessors], [ranef.mixedlm()]
NULL

# The stages hand over: `parsed` (formula.R), `design` (design.R) and `raw`, the
# engine's answer (engine.R).
new_mixedlm <- function(call, parsed, design, raw, reml, method, control,
                        free = NULL, start = NULL) {
  outer <- outer_factor(design)
  random <- random_terms(design, outer)
  columns <- colnames(design$x)
  kept <- raw$kept
  scale <- raw$sigma2
  cov_re_unscaled <- group_covariance(random, raw$psi)
  components <- component_variances(random, raw$psi)
  fe <- raw$beta[kept]
  names(fe) <- columns[kept]
  vcov_unscaled <- raw$beta_cov_unscaled
  dimnames(vcov_unscaled) <- list(names(fe), names(fe))

  fit <- list(
    call = call, formula = parsed$formula %||% parsed$fixed, parsed = parsed,
    frame = design$frame, terms = design$terms_fixed,
    assign = attr(design$x, "assign"), contrasts = design$contrasts,
    contrasts_default = design$contrasts_default,
    xlevels = design$xlevels, na.action = design$na.action,
    random = random, factors = design$factors,
    columns = columns, fe_params = fe, aliased = columns[setdiff(seq_along(columns), kept)],
    vcov_unscaled = vcov_unscaled,
    cov_re = cov_re_unscaled * scale, cov_re_unscaled = cov_re_unscaled,
    vcomp = components * scale, scale = scale, psi = raw$psi,
    theta = raw$theta, criterion = raw$criterion, pwrss = raw$pwrss,
    denominator = raw$denominator, logdet_v = raw$logdet_v,
    logdet_xvx = raw$logdet_xvx, log_weights = raw$log_weights, reml = reml,
    hessian_psi = raw$hessian_psi, dr2_psi = raw$dr2_psi,
    dbeta_psi = raw$dbeta_psi, gradient = raw$gradient, b = raw$b,
    fitted = raw$fitted, y = design$y, weights = design$weights,
    offset = design$offset, free = free, start = start, control = control,
    optinfo = list(
      verdict = raw$verdict, decrement = raw$decrement,
      eigenvalues = raw$hessian_eigenvalues, iterations = raw$iterations,
      evaluations = raw$evaluations, method = raw$method %||% method,
      engine = raw$engine, reason = raw$reason,
      structure = raw$structure %||% "", threads = raw$threads,
      seconds = raw$seconds, messages = raw$messages
    ),
    group_name = group_label_of(parsed, design, outer),
    group_sizes = group_sizes(parsed, design, outer)
  )
  check_representable(fit, columns[!is.na(design$held %||% rep.int(NA, length(columns)))])
  class(fit) <- "mixedlm"
  validate_mixedlm(fit)
}

# Numbers so large or small that they, or what is made of them, left the range
# of doubles. The variance of a fixed effect must not vanish, unless it is `held`,
# nor that of a random effect, unless it is zero before it is scaled.
check_representable <- function(fit, held) {
  parts <- list(
    `fixed effects` = fit$fe_params,
    `covariance of the fixed effects` = fit$vcov_unscaled * fit$scale,
    `residual variance` = fit$scale,
    `relative covariances of the random effects` = c(fit$theta, fit$psi),
    `covariances of the random effects` = lapply(fit$psi, `*`, fit$scale)
  )
  finite <- vapply(parts, function(v) all(is.finite(unlist(v))), NA)
  unscaled <- diag(as.matrix(fit$vcov_unscaled))[!names(fit$fe_params) %in% held]
  vanished <- c(
    NA, any(unscaled * fit$scale == 0), NA, NA,
    any(mapply(function(theta, psi) {
      any(diag(as.matrix(theta)) != 0 & diag(as.matrix(psi)) * fit$scale == 0)
    }, fit$theta, fit$psi))
  )
  bad <- which(!finite | vanished)
  if (!length(bad)) {
    return(invisible())
  }
  abort("scale", paste0(
    "The ", names(parts)[bad[1L]], " cannot be represented: the ",
    "response and the predictors differ too much in size. Rescale them."
  ))
}

# Index of the factor whose levels are the independent groups: of those that
# carry a term of kind "re" the one with the fewest levels, provided that every
# other factor is nested in it. 0 when there is none (variance components only,
# or crossed factors).
outer_factor <- function(design) {
  is_effect <- vapply(design$terms, function(term) term$kind == "re", NA)
  candidates <- unique(vapply(design$terms[is_effect], `[[`, 0L, "factor"))
  if (!length(candidates)) {
    return(0L)
  }
  n_levels <- vapply(design$factors[candidates], function(f) length(f$levels), 0L)
  outer <- candidates[length(candidates) + 1L - which.min(rev(n_levels))]
  for (k in seq_along(design$factors)[-outer]) {
    if (!is_nested(design$factors[[k]], design$factors[[outer]])) {
      return(0L)
    }
  }
  outer
}

# Whether every level of `inner` occurs in one level of `outer` only.
is_nested <- function(inner, outer) {
  owner <- integer(length(inner$levels))
  owner[inner$codes] <- outer$codes
  identical(owner[inner$codes], as.integer(outer$codes))
}

random_terms <- function(design, outer) {
  lapply(design$terms, function(term) {
    f <- design$factors[[term$factor]]
    at_group <- term$factor == outer
    scalar <- term$structure == "scalar" || identical(term$columns, "(Intercept)")
    role <- if (at_group && term$kind == "re") {
      "cov_re"
    } else if (term$kind == "vc" || scalar) {
      "vcomp"
    } else {
      "other"
    }
    list(
      kind = term$kind, name = term$name, group = f$name,
      columns = term$columns, structure = term$structure,
      n_levels = length(f$levels), factor = term$factor, role = role,
      free = term$free, x_columns = term$x_columns, lhs_terms = term$lhs_terms,
      bar = term$bar, contrasts = term$contrasts
    )
  })
}

has_role <- function(random, role) {
  which(vapply(random, function(term) term$role == role, NA))
}

# Psi of the group-level terms as one block-diagonal matrix.
group_covariance <- function(random, psi) {
  at <- has_role(random, "cov_re")
  if (length(at) == 1L) {
    names <- random[[at]]$columns
    return(matrix(psi[[at]], length(names), dimnames = list(names, names)))
  }
  names <- unlist(lapply(random[at], `[[`, "columns"))
  out <- matrix(0, length(names), length(names), dimnames = list(names, names))
  end <- 0L
  for (k in at) {
    block <- end + seq_along(random[[k]]$columns)
    out[block, block] <- psi[[k]]
    end <- block[length(block)]
  }
  out
}

component_variances <- function(random, psi) {
  at <- has_role(random, "vcomp")
  out <- vapply(at, function(k) as.numeric(psi[[k]][1L]), 0)
  names(out) <- vapply(random[at], `[[`, "", "name")
  out
}

# The name that the groups go by in tables: as given with `groups`, else the
# name of the outermost factor.
group_label_of <- function(parsed, design, outer) {
  if (!is.null(parsed$groups)) {
    return(parsed$group_name %||% "Group")
  }
  if (outer > 0L) design$factors[[outer]]$name else "Group"
}

# Without a group-level factor the groups are `groups` where they were given;
# else all rows are one group, as in statsmodels.
group_sizes <- function(parsed, design, outer) {
  n <- length(design$y)
  f <- if (outer > 0L) {
    design$factors[[outer]]
  } else if (!is.null(parsed$groups)) {
    make_factor(parsed$groups, design$frame, new.env())
  } else {
    single_factor(n)
  }
  size <- tabulate(f$codes, length(f$levels))
  c(min = min(size), max = max(size), mean = n / length(size), n = length(size))
}

mixedlm_fields <- c(
  "call", "formula", "parsed", "frame", "terms", "random", "factors",
  "fe_params", "aliased", "vcov_unscaled", "cov_re", "cov_re_unscaled",
  "vcomp", "scale", "psi", "theta", "criterion", "pwrss", "denominator",
  "reml", "hessian_psi", "b", "fitted", "y", "optinfo", "group_name",
  "group_sizes"
)
verdicts_known <- c("optimum", "boundary", "saddle", "flat", "maxit")

# Returns `fit`, or raises mixedlm_error_object with what is wrong. Cheap: looks
# at shapes, never at the rows.
validate_mixedlm <- function(fit) {
  if (!inherits(fit, "mixedlm") || !is.list(fit)) {
    abort("object", paste0("Expected a fit of class `mixedlm`, found ", describe(fit), "."))
  }
  parts <- unclass(fit)
  missing <- mixedlm_fields[!mixedlm_fields %in% names(parts)]
  if (length(missing)) {
    abort("object", paste0("The fit has no field ", quote_names(missing), "."))
  }
  wrong <- function(what) abort("object", paste0("The fit is damaged: ", what, "."))
  p <- length(parts$fe_params)
  q <- vapply(parts$random, function(term) length(term$columns), 0L)
  rows <- function(x) vapply(x, NROW, 0L)
  if (!identical(dim(parts$vcov_unscaled), c(p, p))) {
    wrong("`vcov_unscaled` does not match `fe_params`")
  }
  if (!identical(rows(parts$psi), q) || !identical(rows(parts$theta), q) ||
    !identical(rows(parts$b), q)) {
    wrong("`psi`, `theta` or `b` does not match `random`")
  }
  if (length(parts$fitted) != length(parts$y)) {
    wrong("`fitted` and `y` differ in length")
  }
  if (!isTRUE(parts$optinfo$verdict %in% verdicts_known)) {
    wrong("`optinfo$verdict` is not one of the known verdicts")
  }
  if (!is_flag(parts$reml)) {
    wrong("`reml` is neither TRUE nor FALSE")
  }
  fit
}

# Field `name` of a fit, stored fields only: what the methods use.
field <- function(fit, name) {
  value <- .subset2(fit, name)
  if (inherits(value, "mixedlm_removed")) {
    abort_removed()
  }
  value
}

`%||%` <- function(x, y) if (is.null(x)) y else x

#' @export
`$.mixedlm` <- function(x, name) {
  value <- field(x, name)
  if (!is.null(value)) {
    return(value)
  }
  compute <- computed_fields[[name]]
  if (is.null(compute)) NULL else compute(x)
}

#' @importFrom utils .DollarNames
#' @export
.DollarNames.mixedlm <- function(x, pattern = "") {
  grep(pattern, c(names(x), names(computed_fields)), value = TRUE)
}

# statsmodels' names; every function takes the fit.
computed_fields <- list(
  params = function(fit) statsmodels_inference(fit)$params,
  bse = function(fit) statsmodels_inference(fit)$bse,
  tvalues = function(fit) with(statsmodels_inference(fit), params / bse),
  pvalues = function(fit) {
    z <- with(statsmodels_inference(fit), params / bse)
    2 * stats::pnorm(-abs(z))
  },
  bse_fe = function(fit) {
    statsmodels_inference(fit)$bse[seq_along(field(fit, "fe_params"))]
  },
  bse_re = function(fit) {
    bse <- statsmodels_inference(fit)$bse
    bse[-seq_along(field(fit, "fe_params"))] * sqrt(field(fit, "scale"))
  },
  cov_params = function(fit) function() statsmodels_inference(fit)$cov,
  conf_int = function(fit) {
    function(alpha = 0.05) {
      inference <- statsmodels_inference(fit)
      half <- stats::qnorm(1 - alpha / 2) * inference$bse
      cbind(lower = inference$params - half, upper = inference$params + half)
    }
  },
  summary = function(fit) function(...) summary(fit, ...),
  t_test = function(fit) statsmodels_t_test(fit),
  f_test = function(fit) statsmodels_joint_test(fit, "residual"),
  wald_test = function(fit) statsmodels_joint_test(fit, "normal"),
  wald_test_terms = function(fit) function(...) statsmodels_term_tests(fit, ...),
  profile_re = function(fit) function(...) profile_variance(fit, ...),
  fit_regularized = function(fit) {
    function(method = "l1", alpha = 0, ...) fit_regularized(fit, method = method, alpha = alpha, ...)
  },
  random_effects = function(fit) group_effects(fit),
  random_effects_cov = function(fit) group_effects_cov(fit),
  fittedvalues = function(fit) fitted(fit),
  resid = function(fit) residuals(fit),
  llf = function(fit) -field(fit, "criterion") / 2,
  aic = function(fit) if (field(fit, "reml")) NaN else stats::AIC(fit),
  bic = function(fit) if (field(fit, "reml")) NaN else stats::BIC(fit),
  nobs = function(fit) n_rows(fit),
  df_resid = function(fit) n_rows(fit) - length(field(fit, "fe_params")),
  df_modelwc = function(fit) length(statsmodels_inference(fit)$params),
  k_fe = function(fit) length(field(fit, "fe_params")),
  k_re = function(fit) nrow(field(fit, "cov_re")),
  k_re2 = function(fit) {
    q <- nrow(field(fit, "cov_re"))
    q * (q + 1L) / 2L
  },
  k_vc = function(fit) length(field(fit, "vcomp")),
  method = function(fit) if (field(fit, "reml")) "REML" else "ML",
  converged = function(fit) {
    field(fit, "optinfo")$verdict %in% c("optimum", "boundary")
  },
  use_t = function(fit) FALSE,
  params_object = function(fit) params_of(fit),
  loglike = function(fit) function(...) mixedlm_loglik(fit, ...),
  score = function(fit) function(...) mixedlm_score(fit, ...),
  hessian = function(fit) function(...) mixedlm_hessian(fit, ...),
  remove_data = function(fit) function() remove_data(fit),
  predict = function(fit) function(...) statsmodels_predict(fit, ...),
  get_distribution = function(fit) function(...) statsmodels_distribution(fit, ...)
)
