test_that("lmer's default optimiser is seen to stop above the optimum on Sitka's slopes", {
  skip_if_not_installed("lme4")
  skip_if_not_installed("MASS")
  fit <- mixedlm(size ~ Time + (Time | tree), from_package("Sitka", "MASS"))
  x <- compare_lmer(fit)
  expect_s3_class(x, "mixedlm_comparison")
  table <- as.data.frame(x)
  expect_named(table, c("part", "name", "mixedlm", "lmer", "difference"))
  gap <- table$difference[table$part == "criterion"]
  expect_gt(gap, -1e-6)
  if (gap > 1e-3) {
    expect_match(x$conclusion, "above mixedlm", fixed = TRUE)
  }
  expect_identical(x$verdicts[["mixedlm"]], "optimum")
  printed <- capture.output(print(x))
  expect_match(printed, "lmer - mixedlm", all = FALSE)
  expect_true(any(startsWith(printed, "lmer:    ")))
})

test_that("the table has both fits' own numbers", {
  skip_if_not_installed("lme4")
  fit <- mixedlm(Weight ~ Time + (Time | Pig), dietox)
  theirs <- suppressMessages(lme4::lmer(Weight ~ Time + (Time | Pig), dietox, control = lme4::lmerControl("bobyqa")))
  x <- compare_lmer(fit, control = lme4::lmerControl("bobyqa"))
  part <- function(name, column) x$table[[column]][x$table$part == name]
  expect_identical(part("fixed", "mixedlm"), unname(fixef(fit)))
  expect_equal(part("fixed", "lmer"), unname(lme4::fixef(theirs)))
  expect_equal(part("std_error", "mixedlm"), unname(sqrt(diag(vcov(fit)))))
  expect_equal(part("std_error", "lmer"), unname(sqrt(diag(as.matrix(vcov(theirs))))))
  expect_identical(part("random", "name"), c("sd_(Intercept)|Pig", "sd_Time|Pig", "cor_Time.(Intercept)|Pig"))
  expect_equal(part("random", "mixedlm"), as.data.frame(VarCorr(fit))$sdcor[1:3])
  expect_equal(part("random", "lmer"), as.data.frame(lme4::VarCorr(theirs))$sdcor[1:3])
  expect_equal(part("criterion", "lmer"), lme4_criterion(theirs))
  expect_match(x$conclusion, "same place")
  expect_true(all(x$seconds >= 0))
  expect_equal(x$table$difference, x$table$lmer - x$table$mixedlm)
})

test_that("a fit of lmer's is compared as it is", {
  skip_if_not_installed("lme4")
  theirs <- suppressMessages(lme4::lmer(Yield ~ 1 + (1 | Batch), lme4::Dyestuff2))
  x <- compare_lmer(theirs)
  expect_identical(x$lmer, theirs)
  expect_true(is.na(x$seconds[["lmer"]]))
  expect_identical(x$verdicts[["mixedlm"]], "boundary")
  expect_match(x$verdicts[["lmer"]], "singular")
  expect_error(compare_lmer(theirs, start = 1), class = "mixedlm_error_argument")
})

test_that("where ours is not at the optimum the comparison says so", {
  skip_if_not_installed("lme4")
  d <- dietox
  poor <- suppressWarnings(mixedlm(Weight ~ Time + (Time | Pig), d, method = "bfgs", control = list(maxit = 1, em_steps = 0)))
  skip_if(poor$optinfo$verdict == "optimum")
  x <- compare_lmer(poor)
  expect_match(x$conclusion, "mixedlm\\(\\) ended .* above lmer")
  expect_match(x$conclusion, poor$optinfo$verdict, fixed = TRUE)
})

test_that("bad input to compare_lmer() has its class", {
  skip_if_not_installed("lme4")
  expect_error(compare_lmer(lm(Weight ~ Time, dietox)), class = "mixedlm_error_object")
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
  expect_error(compare_lmer(fit, contrl = 1), class = "mixedlm_error_argument")
  expect_error(compare_lmer(fit, control = "bobyqa"), class = "mixedlm_error_lmer")
})

test_that("the time of a computation that fails is not told", {
  expect_error(expect_no_message(timed(stop("no"))), "no")
  expect_identical(timed(3)$value, 3)
})
