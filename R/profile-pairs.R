# Contours of pairs of parameters from their profiles (Bates and Watts 1988,
# appendix 6).
#
# In the coordinates (zeta_1, zeta_2) of the two profiles the likelihood contour at a
# cut-off q is close to an ellipse. With a point of it written as
# q (cos t, cos(t - d)), the profile traces give the phase d at the four places where
# the contour touches zeta_1 = +-q and zeta_2 = +-q: there the other zeta is that of
# the trace. The mean angle and the phase are interpolated periodically between these four.

# zeta of `other` along the profile of `held`: the trace, as a function of the
# zeta of `held`.
profile_trace <- function(x, held, other) {
  at <- x$.par == held
  zeta <- x$.zeta[at]
  value <- spline_at(attr(x, "forward")[[other]], x[[other]][at])
  value[!is.finite(x[[other]][at])] <- NA
  ok <- is.finite(value) & !duplicated(zeta)
  list(zeta = zeta[ok], other = value[ok])
}

# Its value at some zeta, in the middle of the range where it is known.
trace_at <- function(trace, zeta) {
  if (length(trace$zeta) < 2L) {
    return(rep(0, length(zeta)))
  }
  stats::approx(trace$zeta, trace$other, zeta, rule = 2L)$y
}

# Contours (and traces) of `first` (horizontal) and `second`, in zeta or in the
# parameters.
pair_curves <- function(x, first, second, levels, zeta) {
  one <- profile_trace(x, first, second)
  two <- profile_trace(x, second, first)
  contours <- lapply(levels, function(level) {
    q <- sqrt(stats::qchisq(level, 2L))
    line <- contour_line(one, two, q)
    data.frame(level = level, x = line$one, y = line$two)
  })
  contours <- do.call(rbind, contours)
  most <- sqrt(stats::qchisq(max(levels), 2L))
  steps <- seq(-most, most, length.out = 41L)
  known <- function(trace) {
    steps[steps >= min(trace$zeta) & steps <= max(trace$zeta)]
  }
  traces <- rbind(
    data.frame(trace = rep(first, length(known(one))), x = known(one), y = trace_at(one, known(one))),
    data.frame(trace = rep(second, length(known(two))), x = trace_at(two, known(two)), y = known(two))
  )
  place <- function(lines) {
    at_x <- parameter_at(x, first, lines$x)
    at_y <- parameter_at(x, second, lines$y)
    # there is nothing beyond the end of a profile
    outside <- is.na(at_x) | is.na(at_y)
    lines$x <- ifelse(outside, NA, if (zeta) lines$x else at_x)
    lines$y <- ifelse(outside, NA, if (zeta) lines$y else at_y)
    lines
  }
  list(contours = place(contours), traces = place(traces))
}

# The parameter at some zeta, NA outside its profile.
parameter_at <- function(x, name, zeta) {
  spline <- attr(x, "backward")[[name]]
  value <- spline_at(spline, zeta)
  ends <- spline$knots[c(1L, length(spline$knots))]
  value[is.na(zeta) | zeta < ends[1L] - 1e-8 | zeta > ends[2L] + 1e-8] <- NA
  value
}

contour_line <- function(one, two, q, points = 361L) {
  angle <- function(trace, zeta) acos(pmin(pmax(trace_at(trace, zeta) / q, -1), 1))
  # angles of (zeta_1, zeta_2) where zeta_1 = q, zeta_2 = q, zeta_1 = -q, zeta_2 = -q
  a <- c(0, angle(two, q), pi, angle(two, -q))
  b <- c(angle(one, q), 0, angle(one, -q), pi)
  difference <- a - b
  mean <- (a + b) / 2
  mean[difference < 0] <- -mean[difference < 0]
  difference <- abs(difference)
  order <- order(mean)
  mean <- mean[order]
  difference <- difference[order]
  apart <- !duplicated(round(mean, 8L))
  mean <- mean[apart]
  difference <- difference[apart]
  at <- seq(mean[1L], mean[1L] + 2 * pi, length.out = points)
  between <- if (length(mean) > 1L) {
    stats::spline(
      c(mean, mean[1L] + 2 * pi), c(difference, difference[1L]),
      xout = at, method = "periodic"
    )$y
  } else {
    rep(difference, points)
  }
  list(one = q * cos(at + between / 2), two = q * cos(at - between / 2))
}

# The ranges of panels: those that the largest contour needs, within the profiles.
pair_ranges <- function(x, names, levels) {
  most <- sqrt(stats::qchisq(max(levels), 2L))
  value <- lapply(names, function(name) {
    knots <- attr(x, "backward")[[name]]$knots
    ends <- c(max(-most, knots[1L]), min(most, knots[length(knots)]))
    spline_at(attr(x, "backward")[[name]], ends)
  })
  list(zeta = c(-1, 1) * most * 1.05, value = stats::setNames(value, names))
}
