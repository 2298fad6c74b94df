# What package insight asks a fit for, and through it packages parameters, performance
# and ggeffects.

#' Fits in the easystats packages
#'
#' Methods for the generics of package insight, with the arguments and results that they have for fits of
#' lme4: `find_formula()`, `find_parameters()`, `find_algorithm()`, `get_parameters()`, `get_statistic()`, `get_df()`, `get_random()`,
#' `get_loglikelihood()`, `get_deviance()`, `model_info()`, `n_parameters()`, `is_converged()`, `get_variance()`, and with them `find_random()`,
#' `find_predictors()`, `get_data()`, `is_mixed_model()` and others.
#'
#' `insight::get_predicted()`, `parameters::model_parameters()`, `parameters::standardize_parameters()`, and `model_performance()`, `check_model()` and `check_predictions()` of
#' package performance, which know classes by name, are given [as_lmer()] of the fit: the same estimates in an
#' object of lme4, which has to be installed.
#'
#' @param x,model (`mixedlm`) a fit.
#' @param effects (`character(1)`) `"fixed"`, `"random"` or `"all"`.
#' @param flatten (`logical(1)`) whether a list becomes a vector.
#' @param type (`character(1)`) degrees of freedom: `"residual"`, `"wald"` and `"analytical"` (rows less parameters), `"model"` (number of
#'   parameters), `"normal"` (`Inf`), `"satterthwaite"`, `"kenward"`.
#' @param REML,estimator which likelihood: of the fit's own criterion (`TRUE`, `"REML"`), or of ML (`FALSE`, `"ML"`).
#' @param component (`character(1)`) one part of the variances, as `"random"` for `var.random`, or `"all"`.
#' @param ... not used; for methods that hand over to those for lme4, their arguments.
#' @return As insight's and parameters'.
#' @section Errors: those of [as_lmer()]; `mixedlm_error_ddf` for Kenward and Roger's method of parameters with prior weights
#'   that differ, of which it takes no account ([anova.mixedlm()] does).
#' @name mixedlm-insight
#' @seealso [mixedlm-ecosystem]
#' @examplesIf requireNamespace("insight", quietly = TRUE)
#' fit <- mixedlm(Weight ~ Time + (Time | Pig), dietox)
#' insight::find_formula(fit)
#' insight::get_statistic(fit)
#' insight::get_df(fit, type = "satterthwaite")
NULL

#' @rdname mixedlm-insight
#' @exportS3Method insight::find_formula
find_formula.mixedlm <- function(x, ...) {
  env <- environment(formula(x))
  bars <- split_bars(formula(x, random.only = TRUE)[[3L]])$bars
  random <- unlist(lapply(bars, plain_bars))
  random <- lapply(random, function(bar) stats::as.formula(call("~", bar), env = env))
  out <- list(conditional = formula(x, fixed.only = TRUE))
  if (length(random)) {
    out$random <- if (length(random) == 1L) random[[1L]] else random
  }
  structure(out, class = c("insight_formula", "list"))
}

# (x | a/b), (x || g) and diag(x | g) as bars with one factor each, and the last
# without what makes them special.
plain_bars <- function(bar) {
  while (!is_bar(bar) && is.call(bar)) {
    bar <- bar[[2L]]
  }
  lhs <- bar[[2L]]
  parts <- if (call_name(bar) == "||") double_bar_parts(lhs) else list(lhs)
  groups <- nested_factors(bar[[3L]])
  unlist(lapply(groups, function(g) lapply(parts, function(e) call("|", e, g))))
}

# 1 + x of (1 + x || g): one term each.
double_bar_parts <- function(lhs) {
  tt <- stats::terms(stats::as.formula(call("~", lhs)))
  labels <- lapply(attr(tt, "term.labels"), function(label) call("+", 0, str2lang(label)))
  c(if (attr(tt, "intercept")) 1, labels)
}

# a/b -> b:a, a, as lme4 expands it.
nested_factors <- function(g) {
  g <- strip_parens(g)
  if (!is.call(g) || call_name(g) != "/") {
    return(list(g))
  }
  outer <- nested_factors(g[[2L]])
  c(list(call(":", g[[3L]], outer[[1L]])), outer)
}

#' @rdname mixedlm-insight
#' @exportS3Method insight::find_parameters
find_parameters.mixedlm <- function(x, effects = "all", flatten = FALSE, ...) {
  effects <- choose_one(effects, c("all", "fixed", "random"), "effects")
  check_flags(flatten = flatten)
  out <- list(conditional = names(fixef(x)), random = lapply(unclass(ranef(x)), names))
  out <- out[switch(effects, all = c("conditional", "random"), fixed = "conditional", random = "random")]
  if (flatten) unique(unlist(out, use.names = FALSE)) else out
}

#' @rdname mixedlm-insight
#' @exportS3Method insight::find_algorithm
find_algorithm.mixedlm <- function(x, ...) {
  list(algorithm = if (field(x, "reml")) "REML" else "ML", optimizer = field(x, "optinfo")$method)
}

#' @rdname mixedlm-insight
#' @exportS3Method insight::get_parameters
get_parameters.mixedlm <- function(x, effects = c("fixed", "random"), ...) {
  effects <- choose_one(effects, c("fixed", "random"), "effects")
  if (effects == "random") {
    return(ranef(x, condVar = TRUE))
  }
  data.frame(Parameter = names(fixef(x)), Estimate = unname(fixef(x)))
}

#' @rdname mixedlm-insight
#' @exportS3Method insight::get_statistic
get_statistic.mixedlm <- function(x, ...) {
  rows <- test_rows(inference_basis(x, "none"), diag(length(fixef(x))))
  structure(
    data.frame(Parameter = names(fixef(x)), Statistic = unname(rows$statistic)),
    statistic = "t-statistic"
  )
}

#' @rdname mixedlm-insight
#' @exportS3Method insight::get_df
get_df.mixedlm <- function(x, type = "residual", ...) {
  if (is_string(type)) {
    type <- tolower(type)
    if (type %in% c("residual", "wald", "analytical", "fit", "any")) {
      return(df.residual(x))
    }
    if (type == "model") {
      return(n_parameters(x))
    }
  }
  method <- check_ddf(type)
  if (method %in% c("normal", "none")) {
    return(Inf)
  }
  rows <- test_rows(inference_basis(x, method), diag(length(fixef(x))))
  stats::setNames(rows$df, names(fixef(x)))
}

#' @rdname mixedlm-insight
#' @exportS3Method insight::get_random
get_random.mixedlm <- function(x, ...) {
  frame <- field(x, "frame")
  bars <- unlist(lapply(split_bars(formula(x, random.only = TRUE)[[3L]])$bars, plain_bars))
  names <- unique(unlist(lapply(bars, function(bar) {
    group <- bar[[3L]]
    whole <- one_line(group)
    if (whole %in% names(frame)) whole else intersect(all.vars(group), names(frame))
  })))
  frame[names]
}

#' @rdname mixedlm-insight
#' @exportS3Method insight::get_loglikelihood
get_loglikelihood.mixedlm <- function(x, estimator = NULL, REML = FALSE, ...) {
  if (is.null(estimator)) {
    # as there, the likelihood of the criterion that was fitted
    return(logLik(x, REML = if (isTRUE(REML)) TRUE))
  }
  logLik(x, REML = identical(choose_one(estimator, c("ML", "REML"), "estimator"), "REML"))
}

#' @rdname mixedlm-insight
#' @exportS3Method insight::get_deviance
get_deviance.mixedlm <- function(x, REML = FALSE, ...) deviance(x, REML = REML)

#' @rdname mixedlm-insight
#' @exportS3Method insight::model_info
model_info.mixedlm <- function(x, ...) {
  # that of a linear model, which insight knows whole
  info <- insight::model_info(stats::lm(y ~ 1, list(y = c(0, 1, 3))))
  info$is_mixed <- TRUE
  info$n_obs <- nobs(x)
  # the variables of the grouping factors, then what is made of several
  single <- vapply(get_random.mixedlm(x), function(v) length(unique(v)), 0L)
  info$n_grouplevels <- c(single, ngrps(x)[setdiff(names(ngrps(x)), names(single))])
  info
}

#' @rdname mixedlm-insight
#' @exportS3Method insight::is_mixed_model
is_mixed_model.mixedlm <- function(x) TRUE

#' @rdname mixedlm-insight
#' @exportS3Method insight::n_parameters
n_parameters.mixedlm <- function(x, effects = c("fixed", "random"), ...) {
  effects <- choose_one(effects, c("fixed", "random"), "effects")
  if (effects == "fixed") length(fixef(x)) else length(unlist(find_parameters.mixedlm(x, "random")))
}

#' @rdname mixedlm-insight
#' @exportS3Method insight::is_converged
is_converged.mixedlm <- function(x, ...) {
  structure(x$converged, gradient = max(abs(field(x, "optinfo")$decrement)))
}

#' @rdname mixedlm-insight
#' @exportS3Method insight::get_variance
get_variance.mixedlm <- function(x, component = "all", ...) {
  parts <- variance_parts(x)
  out <- c(
    list(
      var.fixed = parts$fixed, var.random = sum(parts$random), var.residual = parts$residual,
      var.distribution = parts$residual, var.dispersion = 0
    ),
    covariance_parts(x)
  )
  names <- c(
    all = NA, fixed = "var.fixed", random = "var.random", residual = "var.residual",
    distribution = "var.distribution", dispersion = "var.dispersion", intercept = "var.intercept",
    slope = "var.slope", rho01 = "cor.slope_intercept", rho00 = "cor.slopes"
  )
  component <- if (identical(component, names(names))) "all" else choose_one(component, names(names), "component")
  if (component == "all") out else out[intersect(names[[component]], names(out))]
}

# Variances of intercepts and slopes, and correlations of slopes with their intercept.
covariance_parts <- function(fit) {
  parts <- VarCorr(fit)
  intercept <- slope <- rho <- numeric()
  for (name in names(parts)) {
    v <- diag(as.matrix(parts[[name]]))
    slopes <- setdiff(names(v), "(Intercept)")
    if ("(Intercept)" %in% names(v)) {
      intercept <- c(intercept, stats::setNames(v["(Intercept)"], name))
      r <- attr(parts[[name]], "correlation")
      if (length(slopes) && !isTRUE(attr(parts[[name]], "uncorrelated"))) {
        labels <- if (length(slopes) == 1L) name else paste(name, slopes, sep = ".")
        rho <- c(rho, stats::setNames(r[slopes, "(Intercept)"], labels))
      }
    }
    slope <- c(slope, stats::setNames(v[slopes], if (length(slopes)) paste(name, slopes, sep = ".")))
  }
  out <- list(var.intercept = intercept, var.slope = slope, cor.slope_intercept = rho)
  out[lengths(out) > 0L]
}

#' @rdname mixedlm-insight
#' @exportS3Method insight::get_predicted
get_predicted.mixedlm <- function(x, ...) insight::get_predicted(as_lmer(x), ...)

#' @rdname mixedlm-insight
#' @exportS3Method parameters::model_parameters
model_parameters.mixedlm <- function(model, ...) {
  refuse_weighted(model, asks_for_kr(...))
  parameters::model_parameters(as_lmer(model), ...)
}

#' @rdname mixedlm-insight
#' @exportS3Method parameters::standardize_parameters
standardize_parameters.mixedlm <- function(model, ...) parameters::standardize_parameters(as_lmer(model), ...)

# Methods for package performance, see variance-explained.R.

model_performance.mixedlm <- function(model, ...) {
  getExportedValue("performance", "model_performance")(as_lmer(model), ...)
}

check_model.mixedlm <- function(x, ...) {
  getExportedValue("performance", "check_model")(as_lmer(x), ...)
}

check_predictions.mixedlm <- function(object, ...) {
  getExportedValue("performance", "check_predictions")(as_lmer(object), ...)
}

check_convergence.mixedlm <- function(x, ...) is_converged.mixedlm(x)
