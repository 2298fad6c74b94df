as_factor_would <- function(v) {
  f <- factor(v)
  list(codes = as.integer(f), levels = levels(f))
}

test_that("codes and labels are those of factor() for every kind of vector", {
  set.seed(3)
  kinds <- list(
    integer = sample(c(-3:4, 90L), 50, TRUE), wide = sample(c(-2e9L, 5L, 2e9L), 50, TRUE),
    whole = sample(c(1, 2, 1e5, 2e5), 50, TRUE), real = sample(c(0.1, 0.3, 0.1 + 0.2, -1e300, 1e-300, Inf), 50, TRUE),
    large = sample(c(1e15, 1e10), 50, TRUE), logical = sample(c(TRUE, FALSE), 50, TRUE), true = rep(TRUE, 5),
    character = sample(c("b", "A", "a", "\u00e9", "", "10", "9"), 50, TRUE),
    factor = factor(sample(letters[1:3], 50, TRUE), levels = c("z", "c", "b", "a")),
    ordered = factor(sample(letters[1:3], 50, TRUE), levels = c("c", "b", "a"), ordered = TRUE),
    date = as.Date("2024-02-28") + sample(0:3, 50, TRUE), time = as.POSIXct("2024-01-01", tz = "UTC") + sample(0:3, 50, TRUE)
  )
  for (kind in names(kinds)) {
    v <- kinds[[kind]]
    want <- as_factor_would(if (is.factor(v)) droplevels(v) else v)
    got <- code_factor(v, "g")
    expect_identical(got$levels, want$levels, label = kind)
    expect_identical(got$codes, want$codes, label = kind)
  }
})

test_that("interactions have lme4's labels in lme4's order, and only what occurs", {
  frame <- data.frame(a = c("x", "y", "y", "x", "z"), b = c(10, 2, 2, 2, 10))
  made <- make_factor(quote(b:a), frame, new.env())
  want <- droplevels(factor(frame$b):factor(frame$a))
  expect_identical(made$name, "b:a")
  expect_identical(made$levels, levels(want))
  expect_identical(made$codes, as.integer(want))
  many <- list(codes = 1:5, levels = as.character(1:5))
  one <- list(codes = rep(1L, 5), levels = "k")
  expect_identical(cross_factors(many, one)$levels, paste0(1:5, ":k"))
  expect_identical(cross_factors(one, many)$levels, paste0("k:", 1:5))
})

test_that("interactions of long factors do not need a table of all combinations", {
  n <- 3000L
  a <- list(codes = seq_len(n), levels = as.character(seq_len(n)))
  b <- list(codes = rev(seq_len(n)), levels = as.character(seq_len(n)))
  made <- cross_factors(a, b)
  expect_length(made$levels, n)
  expect_identical(made$levels[made$codes[7L]], paste0("7:", n - 6L))
})

test_that("labels of interactions are those of an lmer fit", {
  skip_if_not_installed("lme4")
  frame <- lme4::Pastes
  fit <- lme4::lmer(strength ~ 1 + (1 | batch / cask), frame)
  made <- make_factor(quote(cask:batch), frame, new.env())
  theirs <- lme4::getME(fit, "flist")[["cask:batch"]]
  expect_identical(made$levels, levels(theirs))
  expect_identical(made$codes, as.integer(theirs))
})

test_that("a variable that groups nothing is refused", {
  expect_error(code_factor(list(1, 2), "g"), "g", class = "mixedlm_error_groups")
  expect_error(code_factor(matrix(1:4, 2), "g"), class = "mixedlm_error_groups")
  expect_error(code_factor(c(1L, NA), "g"), class = "mixedlm_error_missing")
})
