shown <- function(parsed) {
  vapply(parsed$bars, function(b) {
    paste0(one_line(b$lhs), " | ", if (is.null(b$group)) "" else one_line(b$group), " ", b$structure)
  }, "")
}

test_that("bars are split from the fixed effects wherever they stand in the sum", {
  p <- parse_formula(y ~ x + (x | g) + z)
  expect_equal(p$fixed, y ~ x + z, ignore_attr = TRUE)
  expect_identical(shown(p), "x | g unstructured")
  expect_equal(parse_formula(y ~ (1 | g))$fixed, y ~ 1, ignore_attr = TRUE)
  expect_equal(parse_formula(y ~ 0 + (1 | g))$fixed, y ~ 0, ignore_attr = TRUE)
  expect_equal(parse_formula(y ~ x + (1 | g) - 1)$fixed, y ~ x - 1, ignore_attr = TRUE)
  expect_equal(parse_formula(y ~ (1 | g) + (x + z))$fixed, y ~ (x + z), ignore_attr = TRUE)
  expect_equal(parse_formula(y ~ ((1 | g) + x))$fixed, y ~ (x), ignore_attr = TRUE)
  expect_identical(shown(parse_formula(y ~ x | g)), "x | g unstructured")
  expect_equal(parse_formula(y ~ I(a | b) + (1 | g))$fixed, y ~ I(a | b), ignore_attr = TRUE)
})

test_that("nested groups expand as in lme4, innermost first and with its names", {
  name <- function(f) vapply(parse_formula(f)$bars, `[[`, "", "name")
  expect_identical(name(y ~ (1 | a / b)), c("b:a", "a"))
  expect_identical(name(y ~ (1 | a / b / c)), c("c:(b:a)", "b:a", "a"))
  expect_identical(name(y ~ (1 | a / (b:c))), c("(b:c):a", "a"))
  expect_identical(name(y ~ (1 | a:b:c)), "a:b:c")
  expect_identical(name(y ~ (1 | factor(a):b)), "factor(a):b")
})

test_that("a double bar splits the intercept and each term", {
  lhs <- function(f) vapply(parse_formula(f)$bars, function(b) one_line(b$lhs), "")
  expect_identical(lhs(y ~ (x || g)), c("1", "0 + x"))
  expect_identical(lhs(y ~ (0 + x + z || g)), c("0 + x", "0 + z"))
  expect_identical(lhs(y ~ (x * z || g)), c("1", "0 + x", "0 + z", "0 + x:z"))
  expect_identical(lhs(y ~ (x || a / b)), c("1", "1", "0 + x", "0 + x"))
  expect_identical(lhs(y ~ (poly(x, 2) || g)), c("1", "0 + poly(x, 2)"))
})

test_that("wrappers give structures", {
  expect_identical(shown(parse_formula(y ~ us(x | g))), "x | g unstructured")
  expect_identical(shown(parse_formula(y ~ diag(x | g))), "x | g diagonal")
  expect_identical(shown(parse_formula(y ~ diag(0 + f | g, hom = TRUE))), "0 + f | g scalar")
  expect_error(parse_formula(y ~ ar1(0 + t | g)), "us\\(\\)", class = "mixedlm_error_formula")
  # a function that happens to have the name of a structure stays one
  expect_equal(parse_formula(y ~ cs(age) + (1 | g))$fixed, y ~ cs(age), ignore_attr = TRUE)
})

test_that("statsmodels' arguments give random intercepts, slopes and components", {
  g <- list(expr = quote(batch), label = "batch")
  expect_identical(shown(parse_formula(y ~ 1, g)), "1 | batch unstructured")
  expect_identical(shown(parse_formula(y ~ 1, g, "1 + x")), "1 + x | batch unstructured")
  p <- parse_formula(y ~ 1, g, ~1, list(b = "0 + b", a = ~ 0 + a, B = "~ 0 + x"))
  expect_identical(vapply(p$bars, `[[`, "", "name"), c("batch", "B", "a", "b"))
  expect_identical(vapply(p$bars, `[[`, "", "kind"), c("re", "vc", "vc", "vc"))
  expect_identical(p$group_name, "batch")
  # as in statsmodels, components alone leave out the random intercept
  only <- parse_formula(y ~ 1, g, NULL, list(a = ~ 0 + a))
  expect_identical(vapply(only$bars, `[[`, "", "kind"), "vc")
  expect_null(parse_formula(y ~ 1, NULL, NULL, list(a = ~ 0 + a))$bars[[1L]]$group)
})

test_that("one formula holds every variable once", {
  p <- parse_formula(log(y) ~ poly(x, 2) + (x | a / b) + (0 + z | a) + offset(w))
  expect_setequal(all.vars(p$variables), c("y", "x", "a", "b", "z", "w"))
  expect_identical(environment(p$variables), environment(p$formula))
})

test_that("a dot stands for the other columns, as in lm()", {
  d <- data.frame(y = 1:3, x = 1:3, z = 1:3, g = 1:3)
  p <- parse_formula(log(y) ~ . - g + (x | g), data = d)
  expect_identical(attr(terms(p$fixed), "term.labels"), c("x", "z"))
  expect_identical(all.vars(parse_formula(y ~ . + (1 | g), data = d)$fixed), c("y", "x", "z", "g"))
})
