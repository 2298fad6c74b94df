test_that("all, none and parts of the random effects", {
  fit <- model_pair("crossed_slopes")$ours
  of <- function(re.form) stats::setNames(re_form_columns(fit, re.form), vapply(fit$random, `[[`, "", "group"))
  expect_identical(of(NULL)[["s"]], 1:2)
  expect_identical(of(NULL)[["i"]], 1L)
  for (none in list(NA, ~0, NA_character_)) {
    expect_identical(unname(of(none)), list(integer(), integer()))
  }
  expect_identical(of(~ (1 | s))[["s"]], 1L)
  expect_identical(of(~ (1 | s))[["i"]], integer())
  expect_identical(of(~ (0 + a | s))[["s"]], 2L)
  expect_identical(of(~ (a | s) + (1 | i)), of(NULL))
  expect_identical(of(~ (a || s))[["s"]], 1:2)
})

test_that("slashes, interactions, components and several terms on one factor", {
  nested <- model_pair("nested")$ours
  expect_identical(re_form_columns(nested, ~ (1 | batch / cask)), re_form_columns(nested))
  expect_identical(lengths(re_form_columns(nested, ~ (1 | cask:batch))), c(1L, 0L))
  apart <- mixedlm(Weight ~ Time + (Time || Pig), dietox)
  expect_identical(lengths(re_form_columns(apart, ~ (0 + Time | Pig))), c(0L, 1L))
  expect_identical(re_form_columns(apart, ~ (Time | Pig)), re_form_columns(apart))
  d <- plain_data("Machines", "nlme")
  fit <- mixedlm(score ~ Machine + (0 + Machine | Worker), d)
  expect_identical(re_form_columns(fit, ~ (0 + Machine | Worker)), list(1:3))
})

test_that("what is not in the fit is an error that names it", {
  fit <- model_pair("crossed_slopes")$ours
  bad <- list(
    ~ (1 | u), ~ (t | s), ~ (a | i), ~ (zz | s), ~a, ~1, y ~ (1 | s), "s", 1, TRUE, ~ (1 | s) + (1 | s), ~ a + (1 | s),
    ~ cs(1 | s), ~ (1 | s + i), ~ (1 + offset(a) | s), list()
  )
  for (re.form in bad) {
    e <- expect_error(predict(fit, re.form = re.form), class = "mixedlm_error_re_form", info = one_line(re.form))
    expect_identical(e$argument, "re.form")
  }
  expect_match(conditionMessage(tryCatch(predict(fit, re.form = ~ (t | s)), error = identity)), "`t` of `s`")
})

test_that("the factors of an interaction may stand in any order", {
  fit <- mixedlm(strength ~ 1 + (1 | batch / cask), from_package("Pastes", "lme4"))
  expect_identical(re_form_columns(fit, ~ (1 | batch:cask)), re_form_columns(fit, ~ (1 | cask:batch)))
  expect_identical(sum(lengths(re_form_columns(fit, ~ (1 | batch:cask)))), 1L)
})
