test_that("print() shows the model, the estimates and the verdict", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig", re_formula = ~Time)
  out <- capture.output(shown <- withVisible(print(fit)))
  expect_false(shown$visible)
  expect_match(out, "Weight ~ Time + (Time | Pig)", fixed = TRUE, all = FALSE)
  expect_match(out, "REML criterion: 4434.0949", fixed = TRUE, all = FALSE)
  expect_match(out, "groups:  Pig, 72", all = FALSE)
  expect_match(out, "^Verdict: optimum", all = FALSE)
  expect_lt(max(nchar(out)), 80L)
})

test_that("every verdict has a sentence", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
  for (verdict in verdicts_known) {
    fit$optinfo$verdict <- verdict
    expect_match(paste(capture.output(print(fit)), collapse = " "), paste0("Verdict: ", verdict, ": [a-z]"))
  }
})
