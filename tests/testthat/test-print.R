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

test_that("independent effects have no column of correlations", {
  expect_no_match(capture.output(print(mixedlm(Weight ~ Time, dietox, "Pig", ~Time, free = "diagonal"))), "Corr")
  set.seed(4)
  d <- data.frame(g = rep(1:12, each = 5), h = rep(1:5, 12), f = gl(3, 1, 60), x = rnorm(60))
  d$y <- rnorm(12)[d$g] * (1 + d$x) + rnorm(60)
  both <- capture.output(print(VarCorr(mixedlm(y ~ x + diag(f | h) + (x | g), d))))
  expect_match(both[1L], "Corr")
  expect_length(grep("[01][.][0-9]+ +-?[01][.][0-9]{3}$", both), 1L)
})

test_that("every verdict has a sentence", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
  for (verdict in verdicts_known) {
    fit$optinfo$verdict <- verdict
    expect_match(paste(capture.output(print(fit)), collapse = " "), paste0("Verdict: ", verdict, ": [a-z]"))
  }
})

test_that("a zero that `free` holds is told as held, not as estimated", {
  set.seed(4)
  d <- data.frame(g = rep(1:12, each = 5), x = rnorm(60))
  d$y <- rnorm(12)[d$g] * (1 + d$x) + rnorm(60)
  mask <- mixedlm_params(cov_re = matrix(c(1, 0, 0, 0), 2))
  start <- mixedlm_params(cov_re = diag(c(1, 0)))
  last_words <- function(fit) paste(utils::tail(capture.output(print(fit)), 3), collapse = " ")
  held <- mixedlm(y ~ x, d, groups = "g", re_formula = ~x, start = start, free = mask)
  expect_identical(held$optinfo$verdict, "boundary")
  expect_match(last_words(held), "held")
  expect_no_match(last_words(held), "estimated as zero")
  d$y <- d$y - ave(d$y, d$g)
  both <- mixedlm(y ~ x, d, groups = "g", re_formula = ~x, start = start, free = mask)
  expect_match(last_words(both), "boundary")
  expect_match(last_words(mixedlm(y ~ x, d, groups = "g")), "estimated as zero")
})
