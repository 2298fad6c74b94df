test_that("leverages, standardised residuals and Cook's distances are lme4's, by value and by name", {
  for (name in model_pairs) {
    pair <- model_pair(name)
    ours <- pair$ours
    theirs <- pair$theirs
    expect_equal(hatvalues(ours), hatvalues(theirs), tolerance = 1e-4, info = name)
    expect_identical(names(hatvalues(ours)), names(hatvalues(theirs)), info = name)
    full <- hatvalues(ours, fullHatMatrix = TRUE)
    expect_equal(full, as.matrix(hatvalues(theirs, fullHatMatrix = TRUE)), tolerance = 1e-4, info = name)
    expect_equal(diag(full), hatvalues(ours), tolerance = 1e-8, info = name)
    expect_equal(cooks.distance(ours), cooks.distance(theirs), tolerance = 1e-4, info = name)
    expect_identical(names(cooks.distance(ours)), names(cooks.distance(theirs)), info = name)
    expect_equal(rstudent(ours), rstudent(theirs), tolerance = 1e-4, info = name)
    expect_equal(rstandard(ours), rstudent(ours), info = name)
  }
})

test_that("the hat matrix is what the fitted values make of the response", {
  d <- unbalanced()
  fit <- mixedlm(Reaction ~ Days + (Days | Subject), d, weights = w)
  model <- oracle_of(fit)
  vi <- solve(oracle_v(model, fit$psi))
  x <- model$x
  p <- vi - vi %*% x %*% solve(crossprod(x, vi %*% x), crossprod(x, vi))
  hat <- diag(nrow(x)) - diag(1 / d$w) %*% p
  expect_equal(drop(hat %*% fit$y), unname(fitted(fit)), tolerance = 1e-8)
  expect_equal(unname(hatvalues(fit)), diag(hat), tolerance = 1e-8)
  root <- sqrt(d$w)
  expect_equal(unname(hatvalues(fit, TRUE)), root * hat %*% diag(1 / root), tolerance = 1e-8)
})

test_that("padding, held effects, and no fixed effects", {
  d <- dietox[1:60, ]
  d$Weight[c(3, 10)] <- NA
  exclude <- mixedlm(Weight ~ Time, d, groups = "Pig", na.action = na.exclude)
  expect_identical(which(is.na(hatvalues(exclude))), c("3" = 3L, "10" = 10L))
  expect_identical(which(is.na(cooks.distance(exclude))), c("3" = 3L, "10" = 10L))
  expect_identical(which(is.na(rstudent(exclude))), c("3" = 3L, "10" = 10L))
  none <- mixedlm(Weight ~ 0 + (1 | Pig), d)
  expect_true(all(is.nan(cooks.distance(none))))
  expect_equal(sum(hatvalues(none)), sum(diag(hatvalues(none, TRUE))))
})

test_that("bad input is named", {
  fit <- mixedlm(Weight ~ Time, dietox[1:60, ], groups = "Pig")
  e <- expect_error(hatvalues(fit, fullHatMatrix = NA), class = "mixedlm_error_argument")
  expect_identical(e$argument, "fullHatMatrix")
  expect_error(hatvalues(fit, full = TRUE, 3), class = "mixedlm_error_argument")
  expect_error(rstudent(fit, infl = 1), class = "mixedlm_error_argument")
  expect_error(rstandard(fit, infl = 1), class = "mixedlm_error_argument")
  expect_error(cooks.distance(fit, infl = 1), class = "mixedlm_error_argument")
  e <- expect_error(cooks.distance(fit, groups = "Pgi"), class = "mixedlm_error_groups")
  expect_match(conditionMessage(e), "Pig")
  small <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
  small$control$max_memory <- 1e5
  e <- expect_error(hatvalues(small, TRUE), class = "mixedlm_error_memory")
  expect_identical(e$argument, "fullHatMatrix")
})

test_that("distances by group take what those of influence() take", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
  of_groups <- influence(fit, "Litter", method = "fixed")
  expect_identical(cooks.distance(fit, "Litter", method = "fixed"), cooks.distance(of_groups))
  expect_identical(
    cooks.distance(fit, groups = "Litter", scale = "classical", method = "fixed"),
    cooks.distance(of_groups, scale = "classical")
  )
  expect_error(cooks.distance(fit, groups = "Litter", scale = "other", method = "fixed"), class = "mixedlm_error_argument")
})

test_that("a hat matrix that would fill the memory is refused before it is made", {
  n <- 24000
  fit <- suppressWarnings(mixedlm(y ~ 1, data.frame(y = sin(seq_len(n)), g = rep(1:6, n / 6)), groups = "g"))
  expect_error(hatvalues(fit, fullHatMatrix = TRUE), class = "mixedlm_error_memory")
  expect_length(hatvalues(fit), n)
})

test_that("a row with a leverage of one has no standardised residual, and there is no warning", {
  # the level "c" occurs once, so its row is fitted exactly; rounding may put its leverage above one
  for (seed in 1:20) {
    set.seed(seed)
    d <- data.frame(y = rnorm(21), f = c(rep(c("a", "b"), 10), "c"), g = rep(1:7, 3), x = rnorm(21))
    fit <- suppressWarnings(mixedlm(y ~ f + x, d, groups = "g"))
    expect_silent(r <- rstandard(fit))
    expect_true(is.nan(r[21L]) || abs(1 - hatvalues(fit)[21L]) < 1e-10)
    expect_silent(rstudent(fit))
  }
})

test_that("the full hat matrix of a fit of matrices has all its columns, whatever their names", {
  set.seed(3)
  X <- cbind(`(Intercept)` = 1, `if` = rnorm(30), `a b` = rnorm(30))
  fit <- mixedlm(X, rnorm(30), groups = rep(1:6, 5))
  h <- hatvalues(fit, fullHatMatrix = TRUE)
  expect_equal(unname(diag(h)), unname(hatvalues(fit)), tolerance = 1e-10)
})

test_that("leverages that double precision cannot tell are refused", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
  fit$theta[[1L]][] <- 1e200
  expect_error(hatvalues(fit), class = "mixedlm_error_numerical")
})
