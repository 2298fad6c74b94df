# update(): the call again, wherever its parts were written.

set.seed(8)
small <- data.frame(g = rep(1:12, each = 5), x = rnorm(60))
small$y <- small$x + rnorm(12)[small$g] + rnorm(60)

test_that("update() keeps the random effects, whichever way they were given", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
  more <- update(fit, . ~ . + Cu)
  expect_equal(more$criterion, mixedlm(Weight ~ Time + Cu + (1 | Pig), dietox)$criterion)
  expect_false(update(fit, REML = FALSE)$reml)
  bars <- mixedlm(Weight ~ Time + (Time | Pig), dietox)
  expect_equal(update(bars, . ~ . + Cu)$cov_re, mixedlm(Weight ~ Time + Cu + (Time | Pig), dietox)$cov_re)
  expect_true(is.call(update(fit, REML = FALSE, evaluate = FALSE)))
  local_fit <- (function() {
    here <- dietox
    mixedlm(Weight ~ Time + (1 | Pig), here)
  })()
  expect_false(update(local_fit, REML = FALSE)$reml)
})

test_that("update() finds the caller's variables, also with column names in `data`", {
  fit <- mixedlm(y ~ x + (1 | g), data = subset(small, x > -5))
  set_reml <- function(model, r) update(model, REML = r)
  expect_false(set_reml(fit, FALSE)$reml)
  expect_true(set_reml(fit, TRUE)$reml)
  expect_identical(set_reml(fit, FALSE)$call$REML, quote(r))
})

test_that("update() finds what was local to the fit and what is local to the caller", {
  fit <- (function() {
    here <- small
    settings <- mixedlm_control(maxit = 50)
    mixedlm(y ~ x + (1 | g), here, control = settings)
  })()
  set_weights <- function(model, w, r) update(model, weights = w, REML = r)
  again <- set_weights(fit, rep(1:2, 30), FALSE)
  expect_identical(again$weights, rep(c(1, 2), 30))
  expect_false(again$reml)
  expect_equal(again$criterion, mixedlm(y ~ x + (1 | g), small, weights = rep(1:2, 30), REML = FALSE)$criterion)
  expect_identical(again$call$data, quote(here))
})

test_that("update() keeps the columns that a dot stood for", {
  bars <- mixedlm(y ~ . - g + (1 | g), small)
  plain <- mixedlm(y ~ x + (1 | g), small)
  expect_equal(update(bars, . ~ .)$criterion, plain$criterion)
  expect_equal(update(bars, . ~ . - x)$criterion, mixedlm(y ~ 1 + (1 | g), small)$criterion)
  expect_equal(update(bars, REML = FALSE)$criterion, update(plain, REML = FALSE)$criterion)
  expect_equal(
    update(mixedlm(y ~ . - g, small, groups = "g"), . ~ . + I(x^2))$criterion,
    mixedlm(y ~ x + I(x^2), small, groups = "g")$criterion
  )
  one_variance <- mixedlm(y ~ . - g + diag(x | g, hom = TRUE), small)
  expect_equal(update(one_variance, . ~ .)$criterion, one_variance$criterion)
})

test_that("update() names the data that no longer exist", {
  file <- tempfile()
  on.exit(unlink(file))
  gone <- small
  saveRDS(mixedlm(y ~ x + (1 | g), gone), file)
  saveRDS(mixedlm(y ~ x + (1 | g), subset(gone, x > -5)), paste0(file, "2"))
  rm(gone)
  fit <- readRDS(file)
  environment(fit$formula) <- globalenv()
  e <- expect_error(update(fit, REML = FALSE), "gone", class = "mixedlm_error_data")
  expect_identical(e$variable, "gone")
  fit <- readRDS(paste0(file, "2"))
  unlink(paste0(file, "2"))
  environment(fit$formula) <- globalenv()
  expect_error(update(fit, . ~ .), "gone", class = "mixedlm_error_data")
  expect_false(update(fit, REML = FALSE, data = small)$reml)
})

test_that("a fit from matrices has no formula to update, but other arguments", {
  X <- cbind(1, small$x)
  fit <- mixedlm(X, small$y, groups = small$g)
  expect_error(update(fit, . ~ .), class = "mixedlm_error_formula")
  expect_false(update(fit, REML = FALSE)$reml)
  rm(X)
  expect_error(update(fit, REML = FALSE), "X", class = "mixedlm_error_data")
})

test_that("formula. must be a formula", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
  for (value in list(c("a", "b"), 3, TRUE, list(), mean)) {
    expect_error(expect_silent(update(fit, value)), class = "mixedlm_error_formula")
  }
  expect_equal(names(fixef(update(fit, ". ~ 1"))), "(Intercept)")
})
