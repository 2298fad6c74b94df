# Random models, data and calls, each drawn from its seed: every call ends in a value or a condition of the package's
# classes, within its time, and fits are those of lme4 where that has the model. `make fuzz` draws more of them.

fuzz <- new.env()
for (file in list.files(test_path("fuzz"), pattern = "[.]R$", full.names = TRUE)) {
  sys.source(file, fuzz)
}

test_that("a case is the same whenever it is drawn, and leaves the caller's random numbers alone", {
  set.seed(1)
  before <- .Random.seed
  one <- fuzz$draw_case(11L)
  other <- fuzz$draw_case(11L)
  expect_identical(.Random.seed, before)
  expect_equal(one$data, other$data)
  expect_equal(deparse(one$model$call), deparse(other$model$call))
  expect_false(identical(fuzz$draw_case(12L)$data, one$data))
})

test_that("the fuzzer tells what is wrong from what is not", {
  outcome <- function(code) fuzz$run_call(code, new.env(), "1")$rows
  expect_identical(outcome(quote(1 + 1))$outcome, "value")
  expect_identical(outcome(quote(mixedlm(1)))$outcome[1L], "classed error")
  expect_identical(outcome(quote(stop("by the user")))$outcome, "the caller's error")
  expect_identical(outcome(quote(stop("object of type 'closure'")))$finding, TRUE)
  expect_identical(outcome(quote(sqrt(-1)))$outcome, c("value", "unclassed warning"))
  expect_identical(outcome(quote(message("hello")))$finding, c(FALSE, TRUE))
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
  expect_null(fuzz$check_fit(fit))
  fit$fe_params[1L] <- NaN
  expect_true(fuzz$check_fit(fit)$finding)
  fit$fe_params[1L] <- 0
  fit$scale <- -1
  expect_true(fuzz$check_fit(fit)$finding)
})

test_that("300 drawn cases end in fits, values and classed conditions", {
  skip_on_cran()
  rows <- do.call(rbind, lapply(1:300, fuzz$fuzz_case, methods = 2L))
  wrong <- rows[rows$finding, ]
  expect_identical(
    sprintf("fuzz_case(%d), %s: %s: %s", wrong$seed, wrong$step, wrong$outcome, wrong$message), character()
  )
  fitted <- rows$step == "fit" & rows$outcome == "value"
  expect_gt(sum(fitted), 130)
  expect_gt(sum(rows$outcome == "classed error"), 100)
  if (requireNamespace("lme4", quietly = TRUE)) {
    expect_gt(sum(rows$outcome %in% c("same as lme4", "below lme4")), 15)
  }
})
