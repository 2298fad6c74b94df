test_that("conditions carry a class, a parent class and their fields", {
  e <- tryCatch(abort("groups", "no such column", argument = "groups"), error = identity)
  expect_s3_class(e, c("mixedlm_error_groups", "mixedlm_error", "error", "condition"), exact = TRUE)
  expect_identical(e$argument, "groups")
  expect_null(conditionCall(e))
  expect_warning(warn("saddle", "one", "two"), class = "mixedlm_warning_saddle")
  expect_message(inform("weights", "three"), "three\n", class = "mixedlm_message")
})

test_that("the text of a condition is never used as a format", {
  expect_error(abort("data", "%s %n %d"), "%s %n %d", fixed = TRUE, class = "mixedlm_error_data")
})

test_that("what was found is described in words", {
  expect_identical(describe(NULL), "NULL")
  expect_identical(describe("a%s"), "\"a%s\"")
  expect_identical(describe(1:3), "an integer vector of length 3")
  expect_identical(describe(c(1, 2)), "a numeric vector of length 2")
  expect_identical(describe(matrix(0, 2, 3)), "a matrix of 2 x 3 (numeric)")
  expect_identical(describe(mean), "a function")
  expect_identical(describe(y ~ x), "the formula y ~ x")
  expect_identical(describe(list(1)), "a list of length 1")
})

test_that("a near miss is suggested, a far one is not", {
  expect_identical(suggest("Pgi", c("Time", "Pig")), " Did you mean `Pig`?")
  expect_identical(suggest("zebra", c("Time", "Pig")), "")
  expect_identical(suggest("x", character()), "")
})
