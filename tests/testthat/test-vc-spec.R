early <- dietox[dietox$Time <= 6, ]
early <- early[order(early$Pig, early$Time), ]
halves <- lapply(split(early$Time, early$Pig), function(t) cbind(t <= 3, t > 3))
spec_fit <- function(spec, d = early) {
  mixedlm(cbind(1, d$Time), d$Weight, groups = d$Pig, exog_re = rep(1, nrow(d)), exog_vc = spec)
}

test_that("the fit is statsmodels'", {
  all <- utils::read.csv(fixture("likelihood-statsmodels.csv"), comment.char = "#")
  of <- function(what) all$value[all$model == "vc_spec" & all$what == what]
  unnamed <- unname(halves[order(as.numeric(names(halves)))])
  fit <- spec_fit(vc_spec("half", list(lapply(unnamed, function(m) c("first", "second"))), list(unnamed)))
  expect_equal(fit$llf, of("llf"), tolerance = 1e-8)
  expect_gte(fit$llf, of("llf") - 1e-8)
  expect_equal(unname(fit$params), of("params"), tolerance = 1e-3)
  expect_identical(names(fit$vcomp), "half")
  named <- spec_fit(vc_spec("half", mats = list(rev(halves))))
  expect_equal(named$criterion, fit$criterion)
  long <- rbind(early)[order(early$Time), ]
  by_time <- lapply(split(long$Time, long$Pig), function(t) cbind(t <= 3, t > 3))
  expect_equal(spec_fit(vc_spec("half", mats = list(by_time)), long)$criterion, fit$criterion)
  expect_equal(
    mixedlm(Weight ~ Time, early, groups = "Pig", re_formula = ~1, vc_formula = list(half = ~ 0 + factor(Time > 3)))$criterion,
    fit$criterion
  )
  expect_output(print(vc_spec("half", mats = list(halves))), "half: 72 groups, .* rows, 2 columns")
})

test_that("strings are sorted by code point", {
  expect_identical(sorted_groups(c("b", "B", "a", "Z")), c("B", "Z", "a", "b"))
  expect_identical(sorted_groups(c(10, 9, 10)), c("9", "10"))
  expect_identical(sorted_groups(factor(c("b", "B"), levels = c("b", "B", "c"))), c("B", "b"))
})

test_that("what does not fit is told", {
  told <- function(code) tryCatch(code, mixedlm_error = function(e) paste(class(e)[1], e$argument))
  expect_identical(told(vc_spec(1, mats = list(halves))), "mixedlm_error_argument names")
  expect_identical(told(vc_spec(c("a", "a"), mats = list(halves, halves))), "mixedlm_error_argument names")
  expect_identical(told(vc_spec("a")), "mixedlm_error_argument mats")
  expect_identical(told(vc_spec("a", mats = halves)), "mixedlm_error_argument mats")
  expect_identical(told(vc_spec("a", mats = list(list("x")))), "mixedlm_error_argument mats")
  expect_identical(told(vc_spec("a", 1, list(halves))), "mixedlm_error_argument colnames")
  expect_identical(told(vc_spec("a", list(list("x")), list(halves))), "mixedlm_error_argument colnames")
  expect_identical(told(spec_fit(vc_spec("a", mats = list(halves[-1])))), "mixedlm_error_argument exog_vc")
  expect_identical(told(spec_fit(vc_spec("a", mats = list(unname(lapply(halves, function(m) m[-1, ])))))), "mixedlm_error_argument exog_vc")
  expect_identical(
    told(mixedlm(cbind(1, early$Time), early$Weight, exog_vc = vc_spec("a", mats = list(halves)))), "mixedlm_error_argument exog_vc"
  )
})
