test_that("the tables are lme4's", {
  skip_if_not_installed("lme4")
  d <- plain_data("cake", "lme4")[-c(4, 50:57, 200), ]
  formula <- angle ~ recipe + temperature + (1 | recipe:replicate)
  fit <- mixedlm(formula, d)
  m <- methods::as(sharp_lmer(formula, d), "lmerMod")
  expect_message(own <- drop1(fit), class = "mixedlm_message_refit")
  expect_equal(as.data.frame(own), as.data.frame(stats::drop1(m)), tolerance = 1e-6)
  ml <- mixedlm(formula, d, REML = FALSE)
  expect_silent(own <- drop1(ml, test = "Chisq", k = 3))
  theirs <- stats::drop1(m, test = "Chisq", k = 3)
  expect_equal(own, theirs, tolerance = 1e-5, ignore_attr = "heading")
  expect_identical(attr(own, "heading")[1:2], attr(theirs, "heading")[1:2])
})

test_that("F tests are lmerTest's", {
  d <- plain_data("cake", "lme4")[-c(4, 50:57, 200), ]
  formula <- angle ~ recipe + temperature + (1 | recipe:replicate)
  fit <- mixedlm(formula, d)
  m <- sharp_lmer(formula, d)
  own <- drop1(fit, test = "F")
  theirs <- stats::drop1(m)
  expect_equal(as.matrix(as.data.frame(own)), as.matrix(as.data.frame(theirs)), tolerance = 1e-4)
  expect_identical(attr(own, "heading")[1:2], attr(theirs, "heading")[1:2])
  expect_equal(drop1(fit, test = "F", ddf = "KR")$`F value`, anova(fit, ddf = "KR")$`F value`, tolerance = 1e-8)
})

test_that("marginal terms stay unless they are asked for", {
  d <- plain_data("cake", "lme4")[-c(4, 50:57, 200), ]
  fit <- mixedlm(angle ~ recipe * temp + (1 | recipe:replicate), d, REML = FALSE, contrasts = list(recipe = "contr.sum"))
  expect_identical(row.names(drop1(fit)), c("<none>", "recipe:temp"))
  asked <- drop1(fit, ~recipe, test = "Chisq")
  smaller <- mixedlm(angle ~ temp + recipe:temp + (1 | recipe:replicate), d, REML = FALSE)
  expect_equal(asked["recipe", "LRT"], smaller$criterion - fit$criterion, tolerance = 1e-6)
  expect_equal(drop1(fit, "recipe:temp", test = "F")$NumDF, 2L)
})

test_that("bars, offsets and weights stay as they are", {
  d <- transform(dietox, Feed0 = Time / 2, w = rep(c(1, 2), length.out = nrow(dietox)))
  fit <- mixedlm(Weight ~ Time + Cu + offset(Feed0) + (Time | Pig), d, weights = w, REML = FALSE)
  own <- drop1(fit, "Cu")
  smaller <- mixedlm(Weight ~ Time + offset(Feed0) + (Time | Pig), d, weights = w, REML = FALSE)
  expect_equal(own["Cu", "AIC"], stats::AIC(smaller), tolerance = 1e-8)
})

test_that("arguments are checked", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig", REML = FALSE)
  expect_error(drop1(fit, "Tim"), "Time", class = "mixedlm_error_argument")
  expect_error(drop1(fit, 3), class = "mixedlm_error_argument")
  expect_error(drop1(fit, test = "Rao"), class = "mixedlm_error_argument")
  expect_error(drop1(fit, k = -1), class = "mixedlm_error_argument")
  expect_error(drop1(fit, trace = TRUE), class = "mixedlm_error_argument")
  expect_identical(nrow(drop1(mixedlm(Weight ~ 1, dietox, groups = "Pig", REML = FALSE))), 1L)
})

test_that("fits with masks of the fixed effects are refused where their number changes", {
  fit <- mixedlm(Weight ~ Time, dietox,
    groups = "Pig", free = mixedlm_params(fe_params = c(1, 0), cov_re = 1),
    start = mixedlm_params(fe_params = c(15, 7))
  )
  expect_error(drop1(fit), "F", class = "mixedlm_error_free")
  expect_identical(nrow(drop1(fit, test = "F")), 1L)
})

test_that("columns of a matrix may have names that a formula quotes", {
  set.seed(1)
  x <- cbind(a = rnorm(40), `y~x` = rnorm(40))
  g <- rep(1:8, 5)
  y <- x[, 1] + rnorm(8)[g] + rnorm(40)
  odd <- drop1(mixedlm(x, y, groups = g), test = "F")
  colnames(x)[2L] <- "b"
  even <- drop1(mixedlm(x, y, groups = g), test = "F")
  expect_equal(unname(as.matrix(odd)), unname(as.matrix(even)))
})
