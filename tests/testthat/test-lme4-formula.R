# formula(fit): lme4's words for every model, and the same model again.

groups_and_numbers <- function() {
  d <- factors_within_groups()
  d$z <- rnorm(nrow(d))
  d
}

expect_formula <- function(fit, expected, data = NULL, lmer_knows = TRUE) {
  expect_equal(formula(fit), expected, ignore_formula_env = TRUE)
  if (is.null(data)) {
    return(invisible())
  }
  again <- mixedlm(formula(fit), data)
  expect_equal(again$criterion, fit$criterion, tolerance = 1e-9)
  if (lmer_knows && requireNamespace("lme4", quietly = TRUE)) {
    expect_equal(lme4_criterion(tight_lmer(formula(fit), data)), fit$criterion, tolerance = 1e-6)
  }
}

test_that("formulas come with bars whichever way the model was given", {
  pastes <- plain_data("Pastes", "lme4")
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig", re_formula = ~Time)
  expect_formula(fit, Weight ~ Time + (Time | Pig), dietox)
  expect_equal(formula(fit, fixed.only = TRUE), Weight ~ Time, ignore_formula_env = TRUE)
  expect_equal(formula(fit, random.only = TRUE), Weight ~ (Time | Pig), ignore_formula_env = TRUE)
  expect_error(formula(fit, TRUE, TRUE), class = "mixedlm_error_argument")
  bars <- mixedlm(Weight ~ Time + (Time | Pig), dietox)
  expect_equal(formula(bars, fixed.only = TRUE), Weight ~ Time, ignore_formula_env = TRUE)
  nested <- mixedlm(strength ~ 1, pastes, groups = "batch", re_formula = ~1, vc_formula = list(cask = ~ 0 + cask))
  expect_formula(nested, strength ~ 1 + (1 | batch) + (1 | batch:cask), pastes)
  wrapped <- mixedlm(Weight ~ Time + us(Time | Pig), dietox)
  expect_formula(wrapped, Weight ~ Time + us(Time | Pig))
})

test_that("components of numbers are slopes, those of factors are interactions", {
  d <- groups_and_numbers()
  words <- function(vc, ...) mixedlm(y ~ x, d, groups = "g", vc_formula = vc, ...)
  expect_formula(
    mixedlm(Weight ~ Time, dietox, groups = "Pig", vc_formula = list(s = ~ 0 + Time)),
    Weight ~ Time + (0 + Time | Pig), dietox
  )
  expect_formula(words(list(s = ~ x - 1), re_formula = ~1), y ~ x + (1 | g) + (x - 1 | g), d)
  expect_formula(words(list(s = ~ 0 + a:x, t = ~ b - 1)), y ~ x + (0 + x | g:a) + (1 | g:b), d)
  expect_formula(words(list(s = ~ 0 + x:z)), y ~ x + (0 + x:z | g), d)
  expect_formula(words(list(s = ~ 0 + a:b:x)), y ~ x + (0 + x | g:a:b), d, FALSE)
  expect_formula(words(list(s = ~ 0 + x + z)), y ~ x + diag(0 + x + z | g, hom = TRUE), d, FALSE)
  expect_formula(
    mixedlm(y ~ x, d, vc_formula = list(a = ~ 0 + a, s = ~ 0 + x:b)), y ~ x + (1 | a) + (0 + x | b), d
  )
})

test_that("effects that `free` makes independent have a double bar where lmer means that by it", {
  d <- groups_and_numbers()
  diagonal <- function(f, ...) mixedlm(f, d, free = "diagonal", ...)
  expect_formula(diagonal(y ~ x, groups = "g", re_formula = ~ x + z), y ~ x + (x + z || g), d)
  expect_formula(diagonal(y ~ x, groups = "g"), y ~ x + (1 | g), d)
  expect_formula(diagonal(y ~ x + (x | g) + (1 | a)), y ~ x + (x || g) + (1 | a), d)
  expect_formula(diagonal(y ~ x + (1 | a) + (1 | g)), y ~ x + (1 | a) + (1 | g), d)
  expect_formula(diagonal(y ~ x, groups = "g", re_formula = ~a), y ~ x + diag(a | g), d, FALSE)
  square <- diagonal(y ~ x, groups = "g", re_formula = ~ poly(x, 2))
  expect_formula(square, y ~ x + diag(poly(x, 2) | g), d, FALSE)
  masked <- mixedlm(y ~ x, d, groups = "g", re_formula = ~x, free = mixedlm_params(cov_re = diag(2)))
  expect_formula(masked, y ~ x + (x || g), d)
  one_variance <- mixedlm(y ~ x + (1 | b) + diag(a | g, hom = TRUE), d)
  expect_formula(one_variance, y ~ x + (1 | b) + diag(a | g, hom = TRUE), d, FALSE)
  expect_equal(
    formula(one_variance, random.only = TRUE), y ~ (1 | b) + diag(a | g, hom = TRUE),
    ignore_formula_env = TRUE
  )
  expect_match(capture.output(print(masked)), "Formula: y ~ x + (x || g)", fixed = TRUE, all = FALSE)
})

test_that("groups given as a vector are written as in the call", {
  d <- groups_and_numbers()
  expect_formula(mixedlm(y ~ x, d, groups = d$g, re_formula = ~x), y ~ x + (x | d$g), d, FALSE)
  fit <- do.call(mixedlm, list(y ~ x, d, groups = d$g))
  expect_formula(fit, y ~ x + (1 | Group))
  ones <- mixedlm(y ~ x, d, groups = rep(1, nrow(d)), vc_formula = list(a = ~ 0 + a))
  expect_formula(ones, y ~ x + (1 | a), d)
})
