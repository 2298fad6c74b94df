# Pictures of likelihood profiles, with base graphics and with ggplot2.

#' Plot likelihood profiles
#'
#' How the likelihood falls on both sides of the estimates, one parameter by one or for pairs of them.
#'
#' @param x,object what [profile.mixedlm()] returned.
#' @param type (`character(1)`) `"zeta"`: zeta against the parameter, with the intervals
#'   of several levels; a straight line would be a parameter whose likelihood is that of a normal
#'   distribution. `"density"`: the density of which zeta is the normal quantile. `"pairs"`: for each pair of parameters the contours of
#'   equal zeta and the two profile traces, the best value of one parameter with the other held; above
#'   the diagonal on the scale of the parameters, below it on that of zeta.
#' @param which names of the profiles to show, `"theta_"` or `"beta_"`; `NULL` for all.
#' @param levels (`numeric`) confidence levels of intervals and contours.
#' @param ... not used.
#' @return `x`, invisibly; for `autoplot()` an object of class `ggplot`.
#' @details
#' The contours are interpolated from the profiles and their traces as Bates and
#' Watts (1988, section 6.1 and appendix 6) describe; no fit is made for them. They end
#' where a profile does, as at a standard deviation of zero. `autoplot()`, with ggplot2, draws the same, the pairs on the
#' scale of the parameters only.
#' @references
#' Bates DM, Watts DG (1988). *Nonlinear Regression Analysis and Its Applications*.
#' Wiley.
#' @export
#' @section Errors:
#' `mixedlm_error_argument` for arguments that cannot be used.
#' @seealso [profile.mixedlm()]
#' @examples
#' fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
#' p <- profile(fit)
#' plot(p)
#' plot(p, "density", which = "theta_")
#' plot(p, "pairs")
plot.mixedlm_profiles <- function(x, type = c("zeta", "density", "pairs"), which = NULL,
                                  levels = c(0.5, 0.8, 0.9, 0.95, 0.99), ...) {
  if (...length()) {
    check_no_dots(substitute(list(...))[-1L], names(formals(plot.mixedlm_profiles)))
  }
  type <- choose_one(type, c("zeta", "density", "pairs"), "type")
  names <- drawn_profiles(x, which)
  levels <- check_coverages(levels)
  switch(type,
    zeta = draw_panels(names, function(name) draw_zeta(x, name, levels), intervals_caption(levels)),
    density = draw_panels(names, function(name) draw_density(x, name)),
    pairs = draw_pairs(x, names, levels)
  )
  invisible(x)
}

check_coverages <- function(levels) {
  if (!is.numeric(levels) || !length(levels) || !all(is.finite(levels) & levels > 0 & levels < 1)) {
    abort("argument", paste0(
      "`levels` must be numbers between 0 and 1; found ", describe(levels), "."
    ), argument = "levels")
  }
  sort(levels)
}

# The profiles that have a curve.
drawn_profiles <- function(x, which) {
  names <- select_profiles(x, which, "which")
  has <- !vapply(attr(x, "forward")[names], is.null, NA)
  if (!any(has)) {
    abort("argument", "There is no profile to draw: none has two points.", argument = "which")
  }
  names[has]
}

# --- curves ----------------------------------------------------------------

# zeta over the range of a parameter.
zeta_curve <- function(x, name, points = 201L) {
  spline <- attr(x, "forward")[[name]]
  value <- seq(spline$knots[1L], spline$knots[length(spline$knots)], length.out = points)
  value <- sort(unique(c(value, spline$knots)))
  data.frame(parameter = name, value = value, zeta = spline_at(spline, value))
}

# The limits of several intervals; the ends of the range where zeta does not
# reach so far.
level_limits <- function(x, name, levels) {
  cutoff <- stats::qnorm((1 + levels) / 2)
  knots <- attr(x, "forward")[[name]]$knots
  limits <- t(vapply(cutoff, function(q) interval_of(name, x, q), c(0, 0)))
  data.frame(
    parameter = name, level = levels, cutoff = cutoff,
    low = ifelse(is.na(limits[, 1L]), knots[1L], limits[, 1L]),
    high = ifelse(is.na(limits[, 2L]), knots[length(knots)], limits[, 2L]),
    open_low = is.na(limits[, 1L]), open_high = is.na(limits[, 2L])
  )
}

# The density whose quantiles are normal in zeta: dnorm(zeta) times the slope.
density_curve <- function(x, name) {
  forward <- attr(x, "forward")[[name]]
  curve <- zeta_curve(x, name, 401L)
  curve$density <- stats::dnorm(curve$zeta) * pmax(spline_slope(forward, curve$value), 0)
  curve
}

intervals_caption <- function(levels) {
  paste0("intervals: ", paste(format(100 * levels, trim = TRUE), collapse = ", "), " %")
}

# --- base graphics ---------------------------------------------------------

# One panel per parameter, in rows.
draw_panels <- function(names, draw, caption = "") {
  columns <- ceiling(sqrt(length(names)))
  rows <- ceiling(length(names) / columns)
  old <- graphics::par(
    mfrow = c(rows, columns), mar = c(2.6, 4.4, 2.4, 0.8), mgp = c(3.2, 0.6, 0),
    oma = c(if (nzchar(caption)) 1.6 else 0, 0, 0, 0)
  )
  on.exit(graphics::par(old))
  for (name in names) {
    draw(name)
  }
  graphics::mtext(caption, side = 1L, line = 0.3, outer = TRUE, cex = 0.8, col = plot_colours[["grey"]])
}

draw_zeta <- function(x, name, levels) {
  curve <- zeta_curve(x, name)
  marks <- level_limits(x, name, levels)
  shown <- c(0, curve$zeta, -marks$cutoff[!marks$open_low], marks$cutoff[!marks$open_high])
  graphics::plot(curve$value, curve$zeta,
    type = "n", xlab = "", ylab = "zeta", main = name, las = 1L, ylim = range(shown)
  )
  grey <- plot_colours[["grey"]]
  graphics::abline(h = 0, col = "grey80")
  estimate <- attr(x, "estimates")[[name]]
  graphics::abline(v = estimate, lty = 3L, col = grey)
  at_low <- ifelse(marks$open_low, NA, -marks$cutoff)
  at_high <- ifelse(marks$open_high, NA, marks$cutoff)
  graphics::segments(marks$low, 0, marks$low, at_low, col = grey)
  graphics::segments(marks$high, 0, marks$high, at_high, col = grey)
  graphics::lines(curve$value, curve$zeta, col = plot_colours[["curve"]], lwd = 2)
  at <- x$.par == name
  graphics::points(x[[name]][at], x$.zeta[at], pch = 19L, cex = 0.5, col = plot_colours[["curve"]])
  graphics::points(estimate, 0, pch = 21L, bg = "white", col = plot_colours[["mark"]])
}

draw_density <- function(x, name) {
  curve <- density_curve(x, name)
  graphics::plot(curve$value, curve$density,
    type = "n", xlab = "", ylab = "density", main = name, las = 1L, ylim = c(0, max(curve$density) * 1.05)
  )
  graphics::abline(h = 0, col = "grey80")
  graphics::abline(v = attr(x, "estimates")[[name]], lty = 3L, col = plot_colours[["grey"]])
  graphics::lines(curve$value, curve$density, col = plot_colours[["curve"]], lwd = 2)
}

draw_pairs <- function(x, names, levels) {
  check_pairs(names)
  k <- length(names)
  old <- graphics::par(
    mfrow = c(k, k), mar = c(0.3, 0.3, 0.3, 0.3), oma = c(3.4, 3.8, 3, 3.8),
    mgp = c(2, 0.5, 0), tcl = -0.25
  )
  on.exit(graphics::par(old))
  ranges <- pair_ranges(x, names, levels)
  # above the diagonal the parameters, below it zeta; the first row is the last
  # parameter, so that the diagonal rises
  for (i in rev(seq_len(k))) {
    for (j in seq_len(k)) {
      draw_pair(x, names, i, j, levels, ranges)
    }
  }
}

draw_pair <- function(x, names, i, j, levels, ranges) {
  k <- length(names)
  zeta <- j > i
  range <- function(m) if (zeta) ranges$zeta else ranges$value[[names[m]]]
  graphics::plot(0, 0, type = "n", xlim = range(j), ylim = range(i), axes = FALSE, ann = FALSE)
  if (i == j) {
    size <- min(1.4, 0.85 / graphics::strwidth(names[i], "figure"))
    graphics::text(mean(range(j)), mean(range(i)), names[i], cex = size, font = 2L)
  } else {
    pair <- pair_curves(x, names[j], names[i], levels, zeta)
    if (zeta) graphics::abline(h = 0, v = 0, col = "grey85")
    for (line in split(pair$contours, pair$contours$level)) {
      graphics::lines(line$x, line$y, col = plot_colours[["curve"]])
    }
    for (line in split(pair$traces, pair$traces$trace)) {
      graphics::lines(line$x, line$y, col = plot_colours[["mark"]], lty = 2L)
    }
  }
  graphics::box(col = "grey60")
  # the scale of a parameter stands outside its row and its column
  if (j == 1L && i > 1L) graphics::axis(2L, las = 1L, cex.axis = 0.8)
  if (i == 1L && j == 1L) graphics::axis(1L, cex.axis = 0.8)
  if (i == 1L && j > 1L) graphics::axis(1L, at = c(-2, 0, 2), cex.axis = 0.8, col.axis = plot_colours[["grey"]])
  if (j == k && i < k) graphics::axis(4L, at = c(-2, 0, 2), las = 1L, cex.axis = 0.8, col.axis = plot_colours[["grey"]])
  if (i == k && j < k) graphics::axis(3L, cex.axis = 0.8)
}

check_pairs <- function(names) {
  if (length(names) < 2L) {
    abort("argument", paste0(
      "Pairs need two profiles; there is only ", quote_names(names), "."
    ), argument = "which")
  }
}
