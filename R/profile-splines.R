# Interpolation of profiles: piecewise cubics through the points with the exact
# slopes, in the form of package splines' polynomial splines.

# zeta of the parameter, and the parameter of zeta.
profile_splines <- function(value, zeta, slope, name) {
  formula <- function(left, right) {
    stats::as.formula(call("~", as.name(left), as.name(right)), env = baseenv())
  }
  order <- order(value)
  forward <- hermite_spline(value[order], zeta[order], slope[order])
  rising <- rising_points(zeta)
  backward <- hermite_spline(zeta[rising], value[rising], 1 / slope[rising])
  if (!is.null(forward)) attr(forward, "formula") <- formula(".zeta", name)
  if (!is.null(backward)) attr(backward, "formula") <- formula(name, ".zeta")
  list(forward = forward, backward = backward)
}

# The longest run around the estimate in which zeta rises.
rising_points <- function(zeta) {
  middle <- which.min(abs(zeta))
  up <- seq(middle, length(zeta))
  down <- rev(seq_len(middle))
  keep_up <- zeta[up] > c(-Inf, cummax(zeta[up])[-length(up)])
  keep_down <- zeta[down] < c(Inf, cummin(zeta[down])[-length(down)])
  sort(unique(c(up[keep_up], down[keep_down])))
}

# A cubic between neighbours; slopes that are unknown or too steep to be monotone
# are limited (Fritsch and Carlson 1980). NULL for fewer than two points, or numbers
# out of range.
hermite_spline <- function(x, y, slope) {
  different <- c(TRUE, diff(x) > 0)
  x <- x[different]
  y <- y[different]
  slope <- slope[different]
  n <- length(x)
  if (n < 2L) {
    return(NULL)
  }
  h <- diff(x)
  secant <- diff(y) / h
  left <- c(secant[1L], secant)
  right <- c(secant, secant[n - 1L])
  unknown <- !is.finite(slope)
  slope[unknown] <- ((left + right) / 2)[unknown]
  most <- 3 * pmin(abs(left), abs(right))
  monotone <- sign(left) == sign(right)
  slope <- ifelse(monotone, sign(left) * pmin(abs(slope), most), slope)
  from <- slope[-n]
  to <- slope[-1L]
  coefficients <- cbind(
    y, slope, c((3 * secant - 2 * from - to) / h, 0), c((from + to - 2 * secant) / h^2, 0)
  )
  # a parameter of 1e-150 has no cubic that doubles can hold
  if (!all(is.finite(coefficients))) {
    return(NULL)
  }
  dimnames(coefficients) <- NULL
  structure(
    list(knots = x, coefficients = coefficients),
    class = c("npolySpline", "polySpline", "spline")
  )
}

# Its values; beyond the ends along the tangent.
spline_at <- function(spline, x) {
  knots <- spline$knots
  i <- pmax(findInterval(x, knots), 1L)
  d <- x - knots[i]
  a <- spline$coefficients
  inside <- a[i, 1L] + d * (a[i, 2L] + d * (a[i, 3L] + d * a[i, 4L]))
  below <- x < knots[1L]
  inside[below] <- a[1L, 1L] + d[below] * a[1L, 2L]
  inside
}

# Its derivative.
spline_slope <- function(spline, x) {
  knots <- spline$knots
  i <- pmax(findInterval(x, knots), 1L)
  d <- pmax(x - knots[i], 0)
  a <- spline$coefficients
  a[i, 2L] + d * (2 * a[i, 3L] + 3 * d * a[i, 4L])
}
