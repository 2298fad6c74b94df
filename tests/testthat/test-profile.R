sitka <- function() {
  mixedlm(size ~ Time, plain_data("Sitka", "MASS"), groups = "tree", re_formula = ~Time)
}

test_that("the eleven points of the Sitka profile", {
  # statsmodels 0.15.0, profile_re(0, "re", dist_low = 0.1, dist_high = 0.1)
  expected <- matrix(c(
    0.56563682, -62.74694202, 0.58192384, -62.64678215, 0.59814447, -62.57249673,
    0.6143038, -62.5218321, 0.63040652, -62.49275863, 0.64645684, -62.48344456,
    0.66245867, -62.49223333, 0.67841517, -62.51762395, 0.69432975, -62.55825387,
    0.71020515, -62.6128841, 0.72604404, -62.6803861
  ), ncol = 2L, byrow = TRUE)
  p <- profile(sitka(), 0, "re", dist_low = 0.1, dist_high = 0.1)
  expect_equal(unname(p[, ]), expected, tolerance = 1e-6)
  expect_identical(colnames(p), c("variance", "loglik"))
})

test_that("the middle point is the fit, and no other is higher", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig", re_formula = ~Time)
  for (ix in 0:1) {
    distance <- fit$cov_re[ix + 1, ix + 1] / 2
    p <- profile(fit, ix, num_low = 3, dist_low = distance, num_high = 2, dist_high = distance)
    expect_identical(dim(p), c(6L, 2L))
    expect_equal(p[4L, ], c(variance = fit$cov_re[ix + 1, ix + 1], loglik = fit$llf), tolerance = 1e-6)
    expect_true(all(p[, 2L] <= fit$llf + 1e-8))
    by_name <- profile(fit, rownames(fit$cov_re)[ix + 1], num_low = 3, dist_low = distance, num_high = 2, dist_high = distance)
    expect_equal(by_name[, ], p[, ])
  }
})

test_that("points are those of the dense criterion", {
  d <- plain_data("Pastes", "lme4")
  fit <- mixedlm(strength ~ 1, d, groups = "batch", re_formula = ~1, vc_formula = list(cask = ~ 0 + cask))
  model <- oracle_model(build_design(fit$parsed, fit$frame), TRUE)
  p <- profile(fit, "cask", "vc", num_low = 1, dist_low = 3, num_high = 1, dist_high = 3)
  component <- which(vapply(fit$random, `[[`, "", "kind") == "vc")
  for (i in c(1L, 3L)) {
    held <- (fit$vcomp[["cask"]] + c(-3, 0, 3)[i]) / fit$scale
    best <- optimize(function(v) {
      psi <- list(matrix(v), matrix(v))
      psi[[component]] <- matrix(held)
      oracle_criterion(model, psi)
    }, c(0, 20), tol = 1e-9)
    expect_equal(p[[i, 2L]], -best$objective / 2, tolerance = 1e-9)
  }
})

test_that("wrong arguments are told", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
  expect_error(profile(fit, 0, dist_low = 100), class = "mixedlm_error_profile")
  expect_error(profile(fit, 0, dist_low = 100), "dist_low.*too large.*negative variance")
  expect_error(profile(fit, 1), class = "mixedlm_error_profile")
  expect_error(profile(fit, "Time"), class = "mixedlm_error_profile")
  expect_error(profile(fit, 0, "vc"), class = "mixedlm_error_profile")
  expect_error(profile(fit, 0, "both"), class = "mixedlm_error_profile")
  expect_error(profile(fit, 0, num_low = 0), class = "mixedlm_error_profile")
  expect_error(profile(fit, 0, num_high = 1.5), class = "mixedlm_error_profile")
  expect_error(profile(fit, 0, dist_high = -1), class = "mixedlm_error_profile")
  expect_error(profile(fit, NA), class = "mixedlm_error_profile")
})

test_that("a profile prints and plots", {
  p <- profile(mixedlm(Weight ~ Time, dietox, groups = "Pig"), 0, dist_low = 10, dist_high = 10)
  expect_match(capture.output(print(p)), "along Pig Var", all = FALSE)
  file <- tempfile(fileext = ".pdf")
  grDevices::pdf(file)
  on.exit({
    grDevices::dev.off()
    unlink(file)
  })
  expect_invisible(plot(p))
  expect_silent(plot(p, level = 0.99, xlab = "variance"))
})

test_that("unknown arguments of profile() are errors", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
  expect_error(profile(fit, 0, distlow = 1), "dist_low", class = "mixedlm_error_argument")
})

test_that("variance components, nested and crossed, have statsmodels' points", {
  nested <- mixedlm(strength ~ 1, plain_data("Pastes", "lme4"),
    groups = "batch", re_formula = ~1, vc_formula = list(cask = ~ 0 + cask)
  )
  crossed <- mixedlm(diameter ~ 1, plain_data("Penicillin", "lme4"), vc_formula = plates_and_samples)
  # statsmodels 0.15.0, profile_re(name, "vc", dist_low = , dist_high = ): first, middle and last point. Its own
  # optimum is good to four digits.
  expected <- list(
    list(nested, "cask", 0.5, 1, c(8.1249232, 8.43285994, 9.04694369), c(-123.50578006, -123.49537304, -123.53000879)),
    list(crossed, "plate", 0.2, 0.5, c(0.54722255, 0.71684214, 1.13682754), c(-165.89745593, -165.43029456, -166.50706367)),
    list(crossed, "sample", 0.2, 0.5, c(3.53960125, 3.73135476, 4.21052542), c(-165.43395207, -165.43029456, -165.44844502))
  )
  for (e in expected) {
    p <- profile(e[[1L]], e[[2L]], "vc", dist_low = e[[3L]], dist_high = e[[4L]])
    expect_equal(unname(p[c(1L, 6L, 11L), 1L]), e[[5L]], tolerance = 3e-4)
    expect_equal(unname(p[c(1L, 6L, 11L), 2L]), e[[6L]], tolerance = 1e-5)
    place <- match(e[[2L]], names(e[[1L]]$vcomp)) - 1
    expect_equal(profile(e[[1L]], place, "vc", dist_low = e[[3L]], dist_high = e[[4L]])[, ], p[, ])
    expect_equal(e[[1L]]$profile_re(place, "vc", dist_low = e[[3L]], dist_high = e[[4L]])[, ], p[, ])
  }
  # of factors nested or crossed without groups, and by number
  classes <- mixedlm(y ~ x + (1 | school / class) + (1 | item), classes_items())
  for (v in names(classes$vcomp)) {
    p <- profile(classes, v, "vc", num_low = 2, num_high = 2, dist_low = 0.1, dist_high = 0.1)
    expect_true(all(p[, 2L] <= classes$llf + 1e-8))
    expect_equal(p[3L, ], c(variance = classes$vcomp[[v]], loglik = classes$llf), tolerance = 1e-6)
  }
  expect_error(crossed$profile_re(0, "vc", dst_low = 1), "dist_low", class = "mixedlm_error_argument")
})
