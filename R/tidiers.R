# tidy(), glance() and augment(): data frames of estimates, of the whole fit, and
# of the rows, with the columns of package broom.mixed.

#' @importFrom generics tidy
#' @export
generics::tidy

#' @importFrom generics glance
#' @export
generics::glance

#' @importFrom generics augment
#' @export
generics::augment

#' Tidy data frames of a fit
#'
#' @description
#' `tidy()`: one row per estimate. `glance()`: one row for the fit. `augment()`: the data with fitted
#' values, residuals and what measures the influence of a row. Columns, their order and their values are those that package
#' broom.mixed has for fits of lme4 and lmerTest; the generics are those of package generics, so it does not
#' matter which of the packages is loaded, or first.
#'
#' @param x (`mixedlm`) a fit.
#' @param effects (`character`) which estimates: `"fixed"`, `"ran_pars"` (standard deviations and correlations, or variances and
#'   covariances), `"ran_vals"` (conditional modes), `"ran_coefs"` (fixed plus random effects per level). In the result
#'   they stand in this order.
#' @param scales (`character(1)`) of the `"ran_pars"`: `"sdcor"`, the default, or `"vcov"`; with one value for each of `effects` the one of
#'   `"ran_pars"` counts, the others are `NA`.
#' @param exponentiate (`logical(1)`) whether fixed effects and their limits are exponentiated; standard errors are
#'   multiplied by the exponentiated estimate.
#' @param ran_prefix (`character(2)`) what terms of `"ran_pars"` begin with, instead of `"sd"` and `"cor"` (`"var"` and `"cov"`).
#' @param conf.int (`logical(1)`) whether confidence limits are given.
#' @param conf.level (`numeric(1)`) confidence level.
#' @param conf.method (`character(1)`) `"Wald"`, `"profile"` or `"boot"`, see [confint.mixedlm()]. Wald limits of fixed
#'   effects are those of the t distribution with the degrees of freedom of `ddf.method`.
#' @param ddf.method (`character(1)`) degrees of freedom of the tests of fixed effects, see [mixedlm-ddf]. The default is
#'   Satterthwaite's, and `"none"` where these are not defined. There is a column `df` for methods that have them, and `p.value` for all but `"none"`.
#' @param profile (`mixedlm_profiles`) what [profile.mixedlm()] returned, for `conf.method = "profile"`; default: it is made.
#' @param vcov,cluster standard errors and tests of the fixed effects by a cluster-robust covariance, see [summary.mixedlm()].
#' @param data (`data.frame`) what the columns are added to: the data of the fit, with as many rows, or with the
#'   rows that missing values took out of it. Default: the model frame.
#' @param newdata (`data.frame`) new rows, to which predictions are added; `data` is then not used.
#' @param ... `tidy()`: for [bootstrap()] where `conf.method = "boot"`. `augment()`: for `predict()` where `newdata` is given.
#'
#' @return A tibble if package tibble is installed, else a data frame.
#'
#' `tidy()`: `effect`; `group` and `level` where there are such; `term`, `estimate`; for fixed effects `std.error`, `statistic`, `df`, `p.value`;
#' `std.error` of `"ran_vals"` is the conditional standard deviation; `conf.low`, `conf.high`. Standard errors of variances are in
#' `vcov(fit, which = "varcomp")`. Unlike lme4's, Wald limits exist for
#' standard deviations and correlations. Covariances (`scales = "vcov"`) and `"ran_coefs"` have no limits.
#'
#' `glance()`: `nobs`, `sigma`, `logLik`, `AIC`, `BIC`, `REMLcrit` (for ML `deviance`), `df.residual`, and `verdict`, see [mixedlm-object].
#'
#' `augment()`: `.fitted`, `.resid`; `.hat` and `.cooksd` ([stats::hatvalues()], [stats::cooks.distance()]), `.fixed` (fitted value without random
#' effects), `.mu` (the fitted value again), `.offset`, `.sqrtXwt` and `.sqrtrwt` (square root of the prior weight),
#' `.weights`, `.wtres` (residual times square root of the weight). With `newdata`, `.fitted` and `.fixed`. Rows that are not numbered from one have
#' their names in `.rownames`.
#' @section Errors: `mixedlm_error_argument` and `mixedlm_error_ddf` for arguments that cannot be used; `mixedlm_error_data` for `data`
#'   that are not those of the fit.
#' @name mixedlm-tidiers
#' @seealso [mixedlm-tidiers-results] for profiles, bootstraps and tests
#' @examples
#' fit <- mixedlm(Weight ~ Time + (Time | Pig), dietox)
#' tidy(fit)
#' tidy(fit, "ran_pars", conf.int = TRUE)
#' head(tidy(fit, "ran_vals"))
#' glance(fit)
#' head(augment(fit))
NULL

tidy_effects <- c("fixed", "ran_pars", "ran_vals", "ran_coefs")
tidy_columns <- c(
  "effect", "group", "level", "term", "estimate", "std.error", "statistic", "df", "p.value",
  "conf.low", "conf.high"
)

#' @rdname mixedlm-tidiers
#' @export
tidy.mixedlm <- function(x, effects = c("ran_pars", "fixed"), scales = NULL, exponentiate = FALSE,
                         ran_prefix = NULL, conf.int = FALSE, conf.level = 0.95,
                         conf.method = c("Wald", "profile", "boot"), ddf.method = NULL,
                         profile = NULL, vcov = "model", cluster = NULL, ...) {
  effects <- check_effects(effects)
  conf.method <- choose_one(conf.method, c("Wald", "profile", "boot"), "conf.method")
  if (...length() && !(conf.int && conf.method == "boot")) {
    check_no_dots(substitute(list(...))[-1L], names(formals(tidy.mixedlm)))
  }
  check_flags(exponentiate = exponentiate, conf.int = conf.int)
  check_level(conf.level)
  scale <- check_scales(scales, effects)
  prefix <- check_prefix(ran_prefix, scale)
  limits <- if (conf.int) {
    parameter_limits(x, effects, conf.level, conf.method, profile, ...)
  }
  level <- if (conf.int) conf.level
  parts <- list(
    fixed = function() {
      tidy_fixed(x, fixed_basis(x, ddf.method, vcov, cluster), exponentiate, level, limits)
    },
    ran_pars = function() tidy_ran_pars(x, scale, prefix, limits),
    ran_vals = function() tidy_ran_vals(x, level),
    ran_coefs = function() tidy_ran_coefs(x, level)
  )
  table_out(stack_parts(lapply(parts[intersect(tidy_effects, effects)], function(part) part())))
}

# --- arguments ---------------------------------------------------------------

check_effects <- function(effects) {
  if (!is.character(effects) || !length(effects) || !all(effects %in% tidy_effects)) {
    wrong <- if (is.character(effects)) setdiff(effects, tidy_effects)[1L] else effects
    abort("argument", paste0(
      "`effects` must be some of ", paste0("\"", tidy_effects, "\"", collapse = ", "),
      "; found ", describe(wrong), "."
    ), argument = "effects")
  }
  effects
}

check_flags <- function(...) {
  values <- list(...)
  for (name in names(values)) {
    if (!is_flag(values[[name]])) {
      abort("argument", paste0(
        "`", name, "` must be TRUE or FALSE; found ", describe(values[[name]]), "."
      ), argument = name)
    }
  }
}

# -> "sdcor" or "vcov".
check_scales <- function(scales, effects) {
  if (length(scales) == length(effects) && length(scales) > 1L) {
    scales <- scales[match("ran_pars", effects)]
  }
  if (is.null(scales) || identical(scales, NA)) {
    return("sdcor")
  }
  choose_one(scales, c("sdcor", "vcov"), "scales")
}

check_prefix <- function(prefix, scale) {
  if (is.null(prefix)) {
    return(if (scale == "vcov") c("var", "cov") else c("sd", "cor"))
  }
  if (!is.character(prefix) || length(prefix) != 2L || anyNA(prefix)) {
    abort("argument", paste0(
      "`ran_prefix` must be two strings, as in c(\"sd\", \"cor\"); found ", describe(prefix), "."
    ), argument = "ran_prefix")
  }
  prefix
}

# The basis of tests of the fixed effects; as in summary(), the default always exists.
fixed_basis <- function(fit, ddf, vcov, cluster) {
  if (is.null(ddf) && identical(vcov, "model") && is.null(cluster)) {
    return(summary_basis(fit, ddf_choices, vcov, cluster, TRUE))
  }
  tests_basis(fit, ddf %||% ddf_choices, vcov, cluster)
}

# --- confidence limits ---------------------------------------------------------

# Limits of all parameters of `effects`: list of fixed and random, NULL where they
# are not needed or made elsewhere.
parameter_limits <- function(fit, effects, level, method, profile, ...) {
  fixed <- "fixed" %in% effects && method != "Wald"
  random <- "ran_pars" %in% effects
  if (!fixed && !random) {
    return(NULL)
  }
  if (!is.null(profile)) {
    check_profile(profile)
  }
  limits_of <- function(parm) {
    made <- without_boundary(if (is.null(profile) || method != "profile") {
      confint(fit, parm, level = level, method = method, ...)
    } else {
      confint(profile, parm, level = level)
    })
    unname(made)
  }
  if (!fixed || !random) {
    return(if (random) list(random = limits_of("theta_")) else list(fixed = limits_of("beta_")))
  }
  parameters <- profile_parameters(fit)$random
  made <- limits_of(NULL)
  list(random = made[parameters, , drop = FALSE], fixed = made[!parameters, , drop = FALSE])
}

check_profile <- function(profile) {
  if (!inherits(profile, "mixedlm_profiles")) {
    abort("argument", paste0(
      "`profile` must be what profile() returned for the fit; found ", describe(profile), "."
    ), argument = "profile")
  }
  profile
}

# In a table of numbers the limit on the boundary is there to be seen.
without_boundary <- function(code) {
  withCallingHandlers(code, mixedlm_message_boundary = function(m) invokeRestart("muffleMessage"))
}

# --- the parts -------------------------------------------------------------------

tidy_fixed <- function(fit, basis, exponentiate, level, limits) {
  rows <- test_rows(basis, diag(length(basis$beta)))
  out <- data.frame(
    effect = rep("fixed", nrow(rows)), term = names(basis$beta), estimate = unname(rows$estimate),
    std.error = rows$se, statistic = unname(rows$statistic)
  )
  if (!basis$method %in% c("none", "normal")) {
    out$df <- unname(rows$df)
  }
  if (basis$method != "none") {
    out$p.value <- unname(rows$p.value)
  }
  if (!is.null(level)) {
    bounds <- limits$fixed
    if (is.null(bounds)) {
      df <- if (basis$method == "none") Inf else rows$df
      half <- stats::qt((1 + level) / 2, df) * out$std.error
      bounds <- cbind(out$estimate - half, out$estimate + half)
    }
    out[c("conf.low", "conf.high")] <- list(bounds[, 1L], bounds[, 2L])
  }
  if (exponentiate) exponentiated(out) else out
}

exponentiated <- function(table) {
  columns <- intersect(c("estimate", "conf.low", "conf.high"), names(table))
  table[columns] <- lapply(table[columns], exp)
  table$std.error <- table$std.error * table$estimate
  table
}

tidy_ran_pars <- function(fit, scale, prefix, limits) {
  values <- as.data.frame(VarCorr(fit), order = "lower.tri")
  pair <- !is.na(values$var2)
  name <- ifelse(is.na(values$var1), "Observation", values$var1)
  name[pair] <- paste(values$var1[pair], values$var2[pair], sep = ".")
  out <- data.frame(
    effect = "ran_pars", group = values$grp, term = paste0(prefix[1L + pair], "__", name),
    estimate = if (scale == "vcov") values$vcov else values$sdcor
  )
  if (!is.null(limits$random)) {
    bounds <- limits$random
    if (scale == "vcov") {
      bounds <- bounds^2
      bounds[pair, ] <- NA
    }
    out[c("conf.low", "conf.high")] <- list(bounds[, 1L], bounds[, 2L])
  }
  out
}

tidy_ran_vals <- function(fit, level) {
  values <- as.data.frame(ranef(fit, condVar = TRUE))
  out <- data.frame(
    effect = "ran_vals", group = values$grpvar, level = as.character(values$grp),
    term = as.character(values$term), estimate = values$condval, std.error = values$condsd
  )
  if (!is.null(level)) {
    half <- stats::qnorm((1 + level) / 2) * out$std.error
    out$conf.low <- out$estimate - half
    out$conf.high <- out$estimate + half
  }
  out
}

tidy_ran_coefs <- function(fit, level) {
  values <- coef(fit)
  parts <- lapply(names(values), function(group) {
    v <- values[[group]]
    data.frame(
      effect = "ran_coefs", group = group, level = rep(rownames(v), ncol(v)),
      term = rep(names(v), each = nrow(v)), estimate = unlist(v, use.names = FALSE)
    )
  })
  out <- do.call(rbind, parts)
  if (!is.null(level)) {
    out[c("conf.low", "conf.high")] <- NA_real_
  }
  out
}

# One table of several, with the columns that any of them has.
stack_parts <- function(parts) {
  columns <- intersect(tidy_columns, unlist(lapply(parts, names)))
  filled <- lapply(parts, function(part) {
    for (name in setdiff(columns, names(part))) {
      empty <- if (name %in% c("group", "level")) NA_character_ else NA_real_
      part[[name]] <- rep(empty, nrow(part))
    }
    part[columns]
  })
  out <- do.call(rbind, unname(filled))
  row.names(out) <- NULL
  out
}

table_out <- function(table) {
  if (requireNamespace("tibble", quietly = TRUE)) tibble::as_tibble(table) else table
}

# --- the fit as a whole --------------------------------------------------------------

#' @rdname mixedlm-tidiers
#' @export
glance.mixedlm <- function(x, ...) {
  if (...length()) {
    check_no_dots(substitute(list(...))[-1L], "x")
  }
  criterion <- stats::setNames(
    list(field(x, "criterion")), if (field(x, "reml")) "REMLcrit" else "deviance"
  )
  table_out(as.data.frame(c(
    list(
      nobs = nobs(x), sigma = sigma(x), logLik = as.numeric(logLik(x)), AIC = stats::AIC(x),
      BIC = stats::BIC(x)
    ),
    criterion, list(df.residual = df.residual(x), verdict = verdict(x))
  )))
}
