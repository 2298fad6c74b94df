# Confidence intervals.

#' Confidence intervals
#'
#' For the standard deviations and correlations of the random effects, the
#' residual standard deviation and the fixed effects, with lme4's names.
#'
#' @param object (`mixedlm`) a fit, or the profiles that [profile.mixedlm()] made.
#' @param parm (`character` or `integer`) which parameters: names (`.sig01` or
#'   `sd_(Intercept)|Subject`) or numbers; `"theta_"` for all of the random part,
#'   `"beta_"` for the fixed effects. When missing, all.
#' @param level (`numeric(1)`) confidence level.
#' @param method (`character(1)`) `"profile"`, `"Wald"` or `"boot"`.
#' @param oldNames (`logical(1)`) names `.sig01`, `.sig02`, ..., or `sd_Days|Subject`
#'   and the like.
#' @param quiet (`logical(1)`) whether to leave out the message about intervals that
#'   end on the boundary.
#' @param nsim,boot.type,seed for `method = "boot"`: how many replicates, the kind
#'   of interval, and the seed, see `bootstrap()`.
#' @param ... for `method = "boot"` further arguments of `bootstrap()`; else not used.
#'
#' @details
#' `"profile"`: the values that a likelihood-ratio test does not reject, by ML also where
#' the fit is by REML. Each limit is computed itself, to seven digits of zeta, not
#' interpolated. Only what `parm` asks for is profiled. Where zeta does not reach the
#' cut-off before a standard deviation is 0 or a correlation -1 or 1, that is
#' the limit, and a message of class `mixedlm_message_boundary` names these intervals. The interval of a
#' correlation that is not defined because an effect does not vary is -1 to 1: the
#' likelihood does not depend on it. Parameters that `free` holds are `NA`, and an error when they are asked for by name. A limit that could not be found is `NA`, with a
#' warning of class `mixedlm_warning_profile`.
#'
#' `"Wald"`: estimate plus and minus standard errors times a quantile of the normal
#' distribution, of fixed effects as they are, of standard deviations on the log scale and of
#' correlations on Fisher's z scale, by the exact covariance of the estimates
#' (see [vcov.mixedlm()]), and then turned back: such intervals stay inside the
#' range of the parameter. `NA` on the boundary. statsmodels' intervals are
#' `fit$conf_int()`.
#'
#' `"boot"`: intervals from [stats::confint()] of a parametric bootstrap.
#'
#' **Coverage** of 95 per cent intervals in 2,000 simulated data sets with random slopes, 10 groups of 6 rows / 40 groups of 8
#' rows (simulation error about half a point): profile, slope 93.3 / 94.6,
#' SD of slopes 96.0 / 94.7, correlation 92.4 / 94.5, residual SD 94.6 / 95.2; Wald, slope 91.6 / 94.3 (by t with
#' Satterthwaite's degrees of freedom, [linear_hypothesis()], 94.7 / 95.1), SD of slopes 97.6 / 97.1
#' where they exist; percentile bootstrap, slope 92.2 / 94.2, SD of slopes 97.5 / 93.8. The vignette on
#' inference has the whole table, made by `bench/coverage.R` in the sources.
#' @return A matrix with a lower and an upper limit per parameter.
#' @importFrom stats confint
#' @export
#' @section Errors:
#' `mixedlm_error_argument` for arguments that cannot be used, and parameters that do not exist;
#' `mixedlm_error_profile` for a profile of one that `free` holds; `mixedlm_error_bootstrap` where `method = "boot"` is not defined; `mixedlm_error_penalty` for penalised fits.
#' @references
#' Bates D, Maechler M, Bolker B, Walker S (2015). Fitting linear mixed-effects models using lme4. *Journal of Statistical
#' Software* **67**(1), 1-48, sec. 5.1.
#' @seealso [profile.mixedlm()], [bootstrap()], [vcov.mixedlm()], [linear_hypothesis()] for t intervals of fixed effects.
#' @examples
#' fit <- mixedlm(Weight ~ Time + (Time | Pig), dietox)
#' confint(fit)
#' confint(fit, "beta_", method = "Wald")
#' confint(fit, "theta_", level = 0.9, oldNames = FALSE)
confint.mixedlm <- function(object, parm, level = 0.95,
                            method = c("profile", "Wald", "boot"), oldNames = TRUE,
                            quiet = FALSE, nsim = 500,
                            boot.type = c("perc", "basic", "norm", "bca"), seed = NULL,
                            ...) {
  method <- choose_one(method, c("profile", "Wald", "boot"), "method")
  if (...length() && method != "boot") {
    check_no_dots(substitute(list(...))[-1L], names(formals(confint.mixedlm)))
  }
  check_level(level)
  for (name in c("oldNames", "quiet")) {
    if (!is_flag(get(name))) {
      abort("argument", paste0(
        "`", name, "` must be TRUE or FALSE; found ", describe(get(name)), "."
      ), argument = name)
    }
  }
  parameters <- profile_parameters(object)
  selected <- select_parameters(if (!missing(parm)) parm, parameters, "parm")
  names <- if (oldNames) parameters$short else parameters$long
  if (method == "boot") {
    boot.type <- choose_one(boot.type, c("perc", "basic", "norm", "bca"), "boot.type")
    made <- bootstrap(object, nsim = nsim, seed = seed, ...)
    limits <- stats::confint(made, level = level, type = boot.type)
    return(pick_rows(limits, parameters, names, selected$number))
  }
  limits <- if (method == "profile") {
    profile_limits(object, parameters, selected, level, quiet)
  } else {
    wald_limits(object, parameters, level)[selected$number, , drop = FALSE]
  }
  dimnames(limits) <- list(names[selected$number], limit_names(level))
  limits
}

check_level <- function(level) {
  if (!is_number(level) || level <= 0 || level >= 1) {
    abort("argument", paste0(
      "`level` must be a number between 0 and 1; found ", describe(level), "."
    ), argument = "level")
  }
}

# "2.5 %", "97.5 %"
limit_names <- function(level) {
  tail <- c((1 - level) / 2, 1 - (1 - level) / 2)
  paste(format(100 * tail, trim = TRUE, digits = 3L, scientific = FALSE), "%")
}

# The rows of all parameters that were asked for, by either of their names.
pick_rows <- function(limits, parameters, names, number) {
  at <- match(parameters$short, rownames(limits))
  at <- ifelse(is.na(at), match(parameters$long, rownames(limits)), at)[number]
  if (anyNA(at)) {
    return(limits)
  }
  limits <- limits[at, , drop = FALSE]
  rownames(limits) <- names[number]
  limits
}

# --- likelihood profiles ---------------------------------------------------

profile_limits <- function(fit, parameters, selected, level, quiet) {
  cutoff <- stats::qnorm((1 + level) / 2)
  run <- run_profiles(fit, parameters, selected, cutoff, cutoff / 4, 100L, TRUE)
  limits <- matrix(NA_real_, length(run$number), 2L)
  boundary <- matrix(FALSE, length(run$number), 2L)
  for (i in seq_along(run$number)) {
    if (run$state[i] == "undefined") {
      limits[i, ] <- c(-1, 1)
      boundary[i, ] <- TRUE
    }
    own <- which(run$own == i)
    if (run$state[i] == "profile") {
      value <- run$values[own[c(1L, length(own))], run$number[i]]
      boundary[i, ] <- run$ends[, i] == "boundary"
      limits[i, ] <- ifelse(run$ends[, i] %in% c("cutoff", "boundary"), value, NA)
    }
  }
  short <- parameters$short[run$number]
  tell_boundary(limits, boundary, short, quiet)
  warn_open(run$state == "profile" & rowSums(is.na(limits)) > 0, short)
  limits
}

tell_boundary <- function(limits, boundary, names, quiet) {
  if (quiet || !any(boundary)) {
    return(invisible())
  }
  at <- which(boundary, arr.ind = TRUE)
  at <- at[order(at[, 1L], at[, 2L]), , drop = FALSE]
  text <- paste0("`", names[at[, 1L]], "` at ", format(limits[at], trim = TRUE, digits = 3L))
  inform("boundary", paste0(
    "Intervals that end on the boundary of the parameter space, before the likelihood has fallen to the cut-off: ",
    paste(text, collapse = ", "), "."
  ), parameters = unique(names[at[, 1L]]))
}

warn_open <- function(open, names) {
  if (any(open)) {
    warn("profile", paste0(
      "No limit was found for ", quote_names(names[open]), ": the profile does not reach the cut-off."
    ), parameters = names[open])
  }
}

#' @rdname confint.mixedlm
#' @export
confint.mixedlm_profiles <- function(object, parm, level = 0.95, quiet = FALSE, ...) {
  if (...length()) {
    check_no_dots(substitute(list(...))[-1L], names(formals(confint.mixedlm_profiles)))
  }
  check_level(level)
  if (!is_flag(quiet)) {
    abort("argument", paste0("`quiet` must be TRUE or FALSE; found ", describe(quiet), "."), argument = "quiet")
  }
  chosen <- select_profiles(object, if (!missing(parm)) parm, "parm")
  cutoff <- stats::qnorm((1 + level) / 2)
  limits <- t(vapply(chosen, interval_of, c(0, 0), object = object, cutoff = cutoff))
  ends <- attr(object, "ends")[, chosen, drop = FALSE]
  bounds <- cbind(attr(object, "lower")[chosen], attr(object, "upper")[chosen])
  reached <- t(ends == "boundary") & is.na(limits)
  limits[reached] <- bounds[reached]
  tell_boundary(limits, reached, chosen, quiet)
  warn_open(rowSums(is.na(limits)) > 0, chosen)
  dimnames(limits) <- list(chosen, limit_names(level))
  limits
}

# Names of profiles of an object that `parm` asks for.
select_profiles <- function(object, parm, argument) {
  names <- levels(object$.par)
  random <- attr(object, "random")
  known <- if (is.null(parm)) {
    names
  } else if (is.character(parm)) {
    unlist(lapply(parm, function(p) {
      switch(p,
        theta_ = names[random[names]], beta_ = names[!random[names]], p
      )
    }))
  } else if (is.numeric(parm)) {
    names(random)[parm]
  } else {
    NA
  }
  if (!length(known) || !all(known %in% names)) {
    abort("argument", paste0(
      "`", argument, "` must name profiles (", quote_names(names), "), give their ",
      "numbers, or be \"theta_\" or \"beta_\"; found ", describe(parm), "."
    ), argument = argument)
  }
  unique(known)
}

# Limits by the spline, NA where the profile ends before the cut-off.
interval_of <- function(name, object, cutoff) {
  spline <- attr(object, "backward")[[name]]
  if (is.null(spline)) {
    return(c(NA_real_, NA_real_))
  }
  target <- c(-cutoff, cutoff)
  value <- spline_at(spline, target)
  inside <- target >= spline$knots[1L] & target <= spline$knots[length(spline$knots)]
  ifelse(inside, value, NA)
}

# --- Wald ------------------------------------------------------------------

# All parameters.
wald_limits <- function(fit, parameters, level) {
  half <- stats::qnorm((1 + level) / 2)
  fe <- field(fit, "fe_params")
  se <- sqrt(diag(as.matrix(vcov(fit))))
  rbind(
    random_wald(fit, parameters$elements, half),
    cbind(fe - half * se, fe + half * se)
  )
}

# Standard deviations on the log scale, correlations on Fisher's z scale; sigma
# last. The delta method on the covariance of (sigma^2 Psi, sigma^2).
random_wald <- function(fit, elements, half) {
  rows <- varcomp_rows(fit)
  cov <- varcomp_cov(fit)
  key <- function(d) paste(d$term, d$row, d$column)
  place <- match(key(elements), key(rows))
  scale <- field(fit, "scale")
  variance <- elements$psi * scale
  m <- nrow(elements)
  limits <- matrix(NA_real_, m + 1L, 2L)
  of_sd <- function(value, own) {
    se <- sqrt(cov[own, own]) / (2 * value)
    sqrt(value) * exp(c(-1, 1) * half * se)
  }
  for (i in seq_len(m)) {
    if (elements$row[i] == elements$column[i]) {
      limits[i, ] <- of_sd(variance[i], place[i])
      next
    }
    same <- elements$term == elements$term[i] & elements$row == elements$column
    a <- which(same & elements$row == elements$row[i])
    b <- which(same & elements$row == elements$column[i])
    own <- place[c(i, a, b)]
    sd <- sqrt(diag(cov)[own])
    size <- sqrt(variance[a]) * sqrt(variance[b])
    r <- variance[i] / size
    if (anyNA(sd) || is.na(r) || abs(r) >= 1) {
      next
    }
    # in standard errors: the covariances may be near the end of the range of numbers
    slope <- sd * c(1 / size, -r / (2 * variance[a]), -r / (2 * variance[b]))
    correlation <- t(cov[own, own] / sd) / sd
    se <- sqrt(max(0, drop(slope %*% correlation %*% slope))) / (1 - r^2)
    limits[i, ] <- tanh(atanh(r) + c(-1, 1) * half * se)
  }
  limits[m + 1L, ] <- of_sd(scale, nrow(rows) + 1L)
  limits[!is.finite(limits)] <- NA
  limits
}
