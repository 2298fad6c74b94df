drawn <- function(...) {
  file <- tempfile(fileext = ".pdf")
  grDevices::pdf(file)
  on.exit({
    grDevices::dev.off()
    unlink(file)
  })
  before <- graphics::par("mfrow")
  out <- withVisible(plot(...))
  expect_identical(graphics::par("mfrow"), before)
  out
}

test_that("every picture is drawn, singular fits included", {
  fits <- list(
    mixedlm(Reaction ~ Days + (Days | Subject), plain_data("sleepstudy", "lme4")),
    mixedlm(Yield ~ 1 + (1 | Batch), plain_data("Dyestuff2", "lme4")),
    mixedlm(strength ~ 1 + (1 | batch / cask), plain_data("Pastes", "lme4"))
  )
  for (fit in fits) {
    p <- profile(fit)
    for (type in c("zeta", "density", "pairs")) {
      out <- expect_silent(drawn(p, type))
      expect_false(out$visible)
      expect_identical(out$value, p)
    }
  }
  expect_silent(drawn(p, which = "theta_", levels = 0.95))
})

test_that("a density integrates to one", {
  p <- profile(mixedlm(Reaction ~ Days + (Days | Subject), plain_data("sleepstudy", "lme4")))
  for (name in c(".sig01", ".sigma", "Days")) {
    curve <- density_curve(p, name)
    area <- sum(diff(curve$value) * (curve$density[-1L] + curve$density[-nrow(curve)]) / 2)
    expect_equal(area, 1, tolerance = 1e-3)
  }
})

test_that("contours of a quadratic likelihood are ellipses", {
  # two parameters with correlation r: zeta of either is its distance in standard
  # errors, the trace of the other r times that
  r <- 0.6
  z <- seq(-4, 4, by = 0.5)
  trace <- list(zeta = z, other = r * z)
  q <- 2
  line <- contour_line(trace, trace, q)
  form <- (line$one^2 - 2 * r * line$one * line$two + line$two^2) / (1 - r^2)
  expect_equal(form, rep(q^2, length(form)), tolerance = 1e-6)
})

test_that("contours touch the profiles where lme4's do", {
  p <- profile(mixedlm(Reaction ~ Days + (Days | Subject), plain_data("sleepstudy", "lme4")))
  pair <- pair_curves(p, "Days", ".sigma", 0.95, TRUE)
  q <- sqrt(qchisq(0.95, 2))
  expect_equal(max(pair$contours$x, na.rm = TRUE), q, tolerance = 1e-3)
  expect_equal(max(pair$contours$y, na.rm = TRUE), q, tolerance = 1e-3)
})

test_that("ggplot2 draws them too", {
  skip_if_not_installed("ggplot2")
  p <- profile(mixedlm(strength ~ 1 + (1 | batch / cask), plain_data("Pastes", "lme4")))
  for (type in c("zeta", "density", "pairs")) {
    picture <- ggplot2::autoplot(p, type)
    expect_s3_class(picture, "ggplot")
    expect_silent(ggplot2::ggplot_build(picture))
  }
})

test_that("wrong arguments of pictures are told", {
  p <- profile(mixedlm(Weight ~ Time, dietox, groups = "Pig"), which = ".sigma")
  expect_error(plot(p, "zeda"), class = "mixedlm_error_argument")
  expect_error(plot(p, levels = 95), class = "mixedlm_error_argument")
  expect_error(plot(p, which = "Time"), class = "mixedlm_error_argument")
  expect_error(plot(p, "pairs"), class = "mixedlm_error_argument")
  expect_error(plot(p, colour = 1), class = "mixedlm_error_argument")
})

test_that("a parameter whose cubic is out of the range of numbers has no curve", {
  expect_null(hermite_spline(c(1, 2, 3) * 1e-150, c(-1, 0, 1), rep(1e150, 3)))
  expect_s3_class(hermite_spline(c(1, 2, 3), c(-1, 0, 1), rep(1, 3)), "polySpline")
})
