# profile(): of all parameters as lme4 has it, or along one variance as
# statsmodels' profile_re computes it.

#' Likelihood profiles
#'
#' `profile(fit)` gives the profile of every parameter, as lme4's: the standard
#' deviations and correlations of the random effects, the residual standard
#' deviation and the fixed effects. With any of statsmodels' arguments it gives
#' instead the log-likelihood along one variance, as statsmodels' `profile_re`.
#'
#' @param fitted (`mixedlm`) a fit.
#' @param re_ix which variance, for statsmodels' profile. For `vtype = "re"` the position of the random
#'   effect in `cov_re`, *counted from 0*, or its name; slopes on crossed or nested
#'   factors, which are not in `cov_re`, follow, with the names that they have in
#'   [summary.mixedlm()]. For `vtype = "vc"` the name of a variance component, or
#'   its position from 0. When missing, the first.
#' @param vtype (`character(1)`) `"re"` or `"vc"`.
#' @param num_low,num_high (`integer(1)`) number of points below and above the
#'   estimate.
#' @param dist_low,dist_high (`numeric(1)`) how far below and above the estimate to
#'   go, on the user's scale of the variance.
#' @param which (`character` or `integer`) which parameters to profile: names, as
#'   `.sig01` or `sd_(Intercept)|Subject`, or numbers; `"theta_"` for all of the
#'   random part, sigma included, `"beta_"` for the fixed effects. `NULL`: all.
#' @param alphamax (`numeric(1)`) each profile goes on until `|zeta|` exceeds
#'   `sqrt(qchisq(1 - alphamax, k))`, `k` being the number of parameters of the model.
#' @param maxpts (`integer(1)`) the most points on each side of the estimate.
#' @param delta (`numeric(1)`) the distance of points in zeta; `NULL` for an eighth
#'   of the cut-off.
#' @param signames (`logical(1)`) names `.sig01`, `.sig02`, ..., or `sd_Days|Subject`
#'   and the like.
#' @param ... not used.
#'
#' @details
#' All profiles are those of the likelihood: a REML fit is first fitted again by
#' ML. Where a parameter is held at a value and the deviance is minimised over all
#' others, zeta is the signed root of what the deviance has risen. The minimum is
#' found by Newton steps with exact derivatives from one reduction of the data, and
#' the points are joined by cubics with the exact slopes of zeta.
#'
#' Standard deviations are followed down to 0 and correlations to -1 and 1, where
#' they stop whatever zeta is. A singular fit has profiles like any other: a
#' parameter that is estimated on the boundary has a one-sided one. A correlation
#' of an effect that does not vary is not defined; it is left out, with a message
#' of class `mixedlm_message_undefined`. Parameters that `free` holds are left out
#' too. Profiles that find a lower deviance than the fit, or a point at which the
#' search did not end, say so by a warning of class `mixedlm_warning_profile`.
#'
#' @return
#' `profile(fit)`: a data frame of class `mixedlm_profiles` with the columns that
#' lme4's has: `.zeta`, the standard deviations and correlations, `.sigma`, the
#' fixed effects, and `.par`, the parameter that is held in this row. Its attributes
#' `forward` and `backward` are splines, in the form that package splines has, of
#' zeta in the parameter and of the parameter in zeta; `ends` tells why each side
#' ended (`"cutoff"`, `"boundary"`, `"maxpts"` or `"failed"`). `confint()` makes
#' intervals from it, [plot][plot.mixedlm_profiles] and `autoplot()` pictures, and
#' `as.data.frame()` adds the column `.focal`, the value that is held.
#'
#' With statsmodels' arguments: a matrix of class `mixedlm_profile` with `num_low + 1 + num_high` rows
#'   and two columns: the variance (held relative variance times the residual
#'   variance that was estimated with it) and the log-likelihood, restricted for REML. What is held is the variance
#'   *relative* to the residual variance, at evenly spaced values. Attributes:
#'   `parameter`, `estimate`, `llf`, `reml`, and `verdict` of each refit.
#' @section Errors: `mixedlm_error_profile` when `dist_low` reaches below zero, when a
#'   parameter is not one of the model's or held by `free`, and for settings out of range.
#' @references
#' Bates D, Maechler M, Bolker B, Walker S (2015). Fitting linear mixed-effects
#' models using lme4. *Journal of Statistical Software* **67**(1), section 5.1.
#'
#' Fritsch FN, Carlson RE (1980). Monotone piecewise cubic interpolation. *SIAM
#' Journal on Numerical Analysis* **17**, 238-246.
#' @importFrom stats profile
#' @export
#' @seealso [confint.mixedlm()], [plot.mixedlm_profiles()], [plot.mixedlm_profile()]
#' @examples
#' fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
#' p <- profile(fit)
#' p
#' confint(p)
#' plot(p)
#'
#' # statsmodels' profile_re
#' p <- profile(fit, 0, "re", dist_low = 10, dist_high = 10)
#' p
#' plot(p)
profile.mixedlm <- function(fitted, re_ix, vtype = "re", num_low = 5,
                            dist_low = 1, num_high = 5, dist_high = 1,
                            which = NULL, alphamax = 0.01, maxpts = 100,
                            delta = NULL, signames = TRUE, ...) {
  if (...length()) {
    check_no_dots(substitute(list(...))[-1L], names(formals(profile.mixedlm)))
  }
  given <- names(match.call())[-(1:2)]
  if (!missing(re_ix) && names_profiles(re_ix)) {
    # lme4's second argument
    if ("which" %in% given) {
      abort("profile", "`which` is given twice.", argument = "which")
    }
    which <- re_ix
    given <- setdiff(given, "re_ix")
  }
  along <- intersect(given, c("re_ix", "vtype", "num_low", "dist_low", "num_high", "dist_high"))
  if (!length(along)) {
    return(full_profile(fitted, which, alphamax, maxpts, delta, signames))
  }
  other <- intersect(given, c("which", "alphamax", "maxpts", "delta", "signames"))
  if (length(other)) {
    abort("profile", paste0(
      "`", along[1L], "` belongs to statsmodels' profile of one variance, `", other[1L],
      "` to the profiles of all parameters: give one or the other."
    ), argument = other[1L])
  }
  profile_variance(fitted, re_ix, vtype, num_low, dist_low, num_high, dist_high)
}

# Whether these are names of parameters of a full profile.
names_profiles <- function(x) {
  is.character(x) && length(x) && !anyNA(x) &&
    all(x %in% c("theta_", "beta_") | grepl("^\\.sig(ma|[0-9]+)$|^(sd|cor)_.*\\|", x))
}

# statsmodels' profile_re.
profile_variance <- function(fitted, re_ix, vtype = "re", num_low = 5, dist_low = 1,
                             num_high = 5, dist_high = 1, ...) {
  if (...length()) {
    check_no_dots(substitute(list(...))[-1L], names(formals(profile_variance)))
  }
  if (!is_string(vtype) || !vtype %in% c("re", "vc")) {
    abort("profile", paste0(
      "`vtype` must be \"re\" or \"vc\"; found ", describe(vtype), "."
    ), argument = "vtype")
  }
  num_low <- profile_count(num_low, "num_low")
  num_high <- profile_count(num_high, "num_high")
  dist_low <- profile_distance(dist_low, "dist_low")
  dist_high <- profile_distance(dist_high, "dist_high")
  at <- if (missing(re_ix)) {
    profile_target(fitted, 0L, vtype)
  } else {
    profile_target(fitted, re_ix, vtype)
  }
  scale <- field(fitted, "scale")
  if (at$variance < dist_low) {
    abort("profile", paste0(
      "`dist_low` is too large and would result in a negative variance: the ",
      "estimate is ", format(at$variance), ", `dist_low` ", format(dist_low),
      ". Try a smaller value."
    ), argument = "dist_low")
  }
  low <- seq((at$variance - dist_low) / scale, at$variance / scale, length.out = num_low + 1L)
  high <- seq(at$variance / scale, (at$variance + dist_high) / scale, length.out = num_high + 1L)
  points <- c(low, high[-1L])
  refits <- engine_profile(fitted, at$term, at$column, points)
  structure(
    cbind(variance = points * refits$scale, loglik = -refits$criterion / 2),
    parameter = at$label, estimate = at$variance,
    llf = -field(fitted, "criterion") / 2, reml = field(fitted, "reml"),
    verdict = refits$verdict, class = c("mixedlm_profile", "matrix", "array")
  )
}

profile_count <- function(value, argument) {
  if (!is_number(value) || value < 1 || value > 1e6 || value != round(value)) {
    abort("profile", paste0(
      "`", argument, "` must be a whole number of at least 1; found ",
      describe(value), "."
    ), argument = argument)
  }
  as.integer(value)
}

profile_distance <- function(value, argument) {
  if (!is_number(value) || value < 0) {
    abort("profile", paste0(
      "`", argument, "` must be a number that is not negative; found ",
      describe(value), "."
    ), argument = argument)
  }
  value
}

# Which element of which term is meant: term, column, variance, label.
profile_target <- function(fit, re_ix, vtype) {
  random <- field(fit, "random")
  own <- has_role(random, if (vtype == "re") "cov_re" else "vcomp")
  other <- if (vtype == "re") has_role(random, "other")
  rows <- varcomp_rows(fit)
  rows <- rows[rows$row == rows$column, ]
  names <- c(
    if (vtype == "re") rownames(field(fit, "cov_re")) else names(field(fit, "vcomp")),
    sub(" Var$", "", rows$label[rows$term %in% other])
  )
  rows <- rows[rows$term %in% c(own, other), ]
  if (!length(names)) {
    abort("profile", paste0(
      "The fit has no ", if (vtype == "re") "random effects of groups" else "variance components",
      "; `vtype` is \"", vtype, "\"."
    ), argument = "vtype")
  }
  row <- rows[profile_place(re_ix, names), ]
  list(
    term = row$term, column = row$row, variance = row$estimate, label = row$label
  )
}

# A name, or a position counted from 0.
profile_place <- function(re_ix, names) {
  place <- if (is_string(re_ix)) {
    match(re_ix, names)
  } else if (is_number(re_ix)) {
    match(re_ix, seq_along(names) - 1)
  } else {
    NA
  }
  if (is.na(place)) {
    abort("profile", paste0(
      "`re_ix` must be one of 0 to ", length(names) - 1L, " or one of the names ",
      quote_names(names), "; found ", describe(re_ix), "."
    ), argument = "re_ix")
  }
  place
}

#' @export
print.mixedlm_profile <- function(x, ...) {
  cat(
    "Profile log-likelihood", if (attr(x, "reml")) " (REML)", " along ",
    attr(x, "parameter"), ", estimate ", format(attr(x, "estimate")), "\n",
    sep = ""
  )
  print(unclass_profile(x), ...)
  invisible(x)
}

unclass_profile <- function(x) {
  matrix(as.numeric(x), ncol = 2L, dimnames = dimnames(x))
}

#' @export
`[.mixedlm_profile` <- function(x, ...) unclass_profile(x)[...]

#' Plot a profile log-likelihood
#'
#' The points of the profile joined by lines, the estimate, and the level below
#' which a value lies outside the 95 per cent likelihood-ratio interval.
#'
#' @param x what [profile.mixedlm()] returned.
#' @param level (`numeric(1)`) confidence level of the cut-off line.
#' @param xlab,ylab,main labels.
#' @param ... passed on to [graphics::plot.default()].
#' @return `x`, invisibly.
#' @export
#' @section Errors:
#' `mixedlm_error_argument` for a level that is not between 0 and 1.
#' @seealso [profile.mixedlm()]
#' @examples
#' fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
#' plot(profile(fit, 0, "re", dist_low = 20, dist_high = 30))
plot.mixedlm_profile <- function(x, level = 0.95, xlab = attr(x, "parameter"),
                                 ylab = NULL, main = "Profile log-likelihood",
                                 ...) {
  check_level(level)
  points <- unclass_profile(x)
  top <- attr(x, "llf")
  cut <- top - stats::qchisq(level, 1L) / 2
  if (is.null(ylab)) {
    ylab <- if (attr(x, "reml")) "Restricted log-likelihood" else "Log-likelihood"
  }
  low <- min(points[is.finite(points[, 2L]), 2L], top)
  # The cut-off is drawn unless it would squeeze the curve to a line.
  show_cut <- top - cut < 3 * (top - low)
  range <- c(if (show_cut) min(low, cut) else low, top)
  range <- range + c(-0.06, 0.06) * diff(range)
  old <- graphics::par(mar = c(5.1, 6.1, 4.6, 3.1))
  on.exit(graphics::par(old))
  graphics::plot(points,
    type = "n", xlab = xlab, ylab = "", main = main, ylim = range, las = 1L, ...
  )
  graphics::title(ylab = ylab, line = 4.6)
  plot_cut(cut, level, show_cut)
  grey <- "grey40"
  graphics::segments(attr(x, "estimate"), graphics::par("usr")[3L], attr(x, "estimate"), top, lty = 3L, col = grey)
  graphics::lines(points, col = "#2166AC")
  graphics::points(points, pch = 19L, col = "#2166AC")
  graphics::points(attr(x, "estimate"), top, pch = 21L, bg = "white", col = "#B2182B", cex = 1.3)
  graphics::mtext(
    paste("estimate", format(attr(x, "estimate"), digits = 4L)),
    side = 3L, at = attr(x, "estimate"), line = 0.3, cex = 0.9, col = "#B2182B"
  )
  invisible(x)
}

# The line below which a value lies outside the interval, or where it would be.
plot_cut <- function(cut, level, show) {
  text <- paste0(format(100 * level), "% cut-off")
  if (show) {
    graphics::abline(h = cut, lty = 2L, col = "grey40")
    graphics::mtext(text, side = 4L, at = cut, line = 0.4, cex = 0.9, col = "grey40")
  } else {
    graphics::mtext(
      paste0(text, " at ", format(cut, digits = 6L), ", below the points"),
      side = 1L, line = 4L, adj = 1, cex = 0.9, col = "grey40"
    )
  }
}
