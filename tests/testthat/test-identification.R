# What the warning of a flat fit says about its cause.

test_that("a flat fit names what in the design makes it flat", {
  d <- subjects_items(12L, 6L)
  d$row <- seq_len(nrow(d))
  d$one <- "x"
  d$twin <- factor(d$s, labels = paste0("subject ", levels(d$s)))
  flat <- function(f, cause) {
    expect_warning(mixedlm(f, d), paste0("one of many. ", cause), fixed = TRUE, class = "mixedlm_warning_flat")
  }
  flat(y ~ a + (1 | row) + (1 | s), "`row` has as many levels as there are rows.")
  flat(y ~ a + (1 | s) + (1 | i) + (1 | one), "`one` has one level only.")
  flat(y ~ a + i + (1 | s) + (1 | i), "`i` is among the fixed effects too.")
  d$half <- as.integer(d$s) > 6
  flat(y ~ a + factor(s) + (1 | half) + (1 | i), "`half` is among the fixed effects too.")
  flat(y ~ a + (1 | s) + (1 | s) + (1 | i), "Terms of `s` share the column `(Intercept)`.")
  flat(y ~ a + (1 | s) + (1 | twin) + (1 | i), "`s`, `twin` group the rows alike.")
})

test_that("a flat fit with nothing to blame in the factors says no more", {
  set.seed(1)
  d <- data.frame(g = rep(1:15, each = 7), f = gl(2, 1, 105))
  d$y <- rnorm(15)[d$g] + rnorm(15, sd = 2)[d$g] * (d$f == "1") + rnorm(105)
  expect_warning(mixedlm(y ~ f + (1 | g) + (0 + f | g), d), "one of many.$", class = "mixedlm_warning_flat")
})

test_that("a component of numbers over all rows is told to be one effect", {
  d <- subjects_items(12L, 6L)
  d$number <- as.numeric(as.character(d$s))
  expect_message(
    suppressWarnings(fit <- mixedlm(y ~ 1, d, vc_formula = list(s = ~ 0 + number, i = ~ 0 + i))),
    "`s`.*factor", class = "mixedlm_message_component"
  )
  expect_no_message(ranef(fit, condVar = TRUE))
  expect_no_message(mixedlm(y ~ a, d, groups = "i", vc_formula = list(s = ~ 0 + a)))
  expect_no_message(mixedlm(y ~ a, d, vc_formula = list(s = ~ 0 + factor(number), slope = ~ 0 + i:a)))
})

test_that("where a model has as many effects as rows, what goes wrong says so", {
  set.seed(4)
  d <- data.frame(g = gl(6, 2), x = rnorm(12), y = rnorm(12))
  told <- function(formula) {
    design <- whole_design(mixedlm(formula, d))
    conditionMessage(tryCatch(engine_answer(list(status = "numerical", message = "no digits are left"), design), error = identity))
  }
  expect_identical(told(y ~ x + (1 | g)), "no digits are left.")
  expect_match(told(y ~ x + (poly(x, 2) | g)), "no digits are left. The model has 18 random and 2 fixed effects for 12 rows", fixed = TRUE)
})

test_that("a residual variance of zero is told as the cause", {
  set.seed(3)
  d <- data.frame(o = 1:200, x = rnorm(200), y = rnorm(200), w = runif(200))
  said <- expect_warning(mixedlm(y ~ x + (1 | o), d, weights = w), class = "mixedlm_warning_flat")
  expect_match(conditionMessage(said), "residual variance goes to zero")
  expect_no_match(conditionMessage(said), "as many levels as there are rows")
  expect_warning(mixedlm(y ~ x + (1 | o), d), "as many levels as there are rows")
})
