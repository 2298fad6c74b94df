test_that("without new information the effects are those of ranef(); shapes are its too", {
  p <- model_pair("crossed_slopes")
  # rows of next to no weight
  d <- transform(p$data, w = 1)
  fit <- mixedlm(y ~ a + t + (a | s) + (1 | i), d, weights = w)
  nothing <- transform(d[!duplicated(d$s) | !duplicated(d$i), ], w = 1e-30)
  got <- new_effects(fit, nothing)
  want <- ranef(fit, condVar = TRUE)
  expect_identical(names(got), names(want))
  for (g in names(want)) {
    at <- match(rownames(got[[g]]), rownames(want[[g]]))
    expect_identical(names(got[[g]]), names(want[[g]]))
    expect_equal(as.matrix(got[[g]]), as.matrix(want[[g]][at, , drop = FALSE]), tolerance = 1e-7)
    expect_equal(attr(got[[g]], "postVar"), attr(want[[g]], "postVar")[, , at, drop = FALSE], tolerance = 1e-7)
  }
  expect_identical(names(as.data.frame(got)), names(as.data.frame(want)))
  expect_null(attr(new_effects(fit, nothing, condVar = FALSE)$s, "postVar"))
})

test_that("more data bring the effects of a new group to what a fit of all data would say", {
  set.seed(2)
  d <- data.frame(g = rep(1:30, each = 10), x = rnorm(300))
  d$y <- d$x + rnorm(30)[d$g] + rnorm(300)
  fit <- mixedlm(y ~ x + (1 | g), d[d$g > 1, ])
  few <- new_effects(fit, d[1:2, ])
  all <- new_effects(fit, d[1:10, ])
  expect_gt(attr(few$g, "postVar"), attr(all$g, "postVar"))
  expect_equal(all$g[["(Intercept)"]], ranef(mixedlm(y ~ x + (1 | g), d))$g["1", ], tolerance = 0.1)
})

test_that("bad input is named", {
  fit <- model_pair("grouped")$ours
  d <- model_pair("grouped")$data[1:3, ]
  expect_error(new_effects(lm(Reaction ~ Days, d), d), class = "mixedlm_error_object")
  expect_error(new_effects(fit, d, condVar = NA), class = "mixedlm_error_argument")
  expect_identical(expect_error(new_effects(fit), class = "mixedlm_error_argument")$argument, "condition_on")
  e <- expect_error(new_effects(fit, d["Days"]), class = "mixedlm_error_newdata")
  expect_identical(e$argument, "condition_on")
  expect_error(new_effects(fit, d[0, ]), class = "mixedlm_error_rows")
  expect_error(new_effects(fit, NULL), class = "mixedlm_error_newdata")
  expect_error(new_effects(fit, transform(d, Reaction = "a")), class = "mixedlm_error_newdata")
  expect_error(new_effects(fit, transform(d, Reaction = Inf)), class = "mixedlm_error_infinite")
  weighted <- model_pair("weighted")
  expect_error(new_effects(weighted$ours, weighted$data[1:3, names(weighted$data) != "w"]), class = "mixedlm_error_weights")
  expect_error(new_effects(weighted$ours, transform(weighted$data[1:3, ], w = 0)), class = "mixedlm_error_weights")
})
