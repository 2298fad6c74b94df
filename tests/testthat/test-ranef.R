test_that("random effects have lme4's shape, terms on one factor side by side", {
  fit <- mixedlm(Reaction ~ Days + (Days || Subject), plain_data("sleepstudy", "lme4"))
  b <- ranef(fit, condVar = FALSE)
  expect_s3_class(b, "ranef.mixedlm")
  expect_identical(names(b), "Subject")
  expect_identical(dim(b$Subject), c(18L, 2L))
  expect_identical(colnames(b$Subject), c("(Intercept)", "Days"))
  expect_identical(rownames(b$Subject), levels(plain_data("sleepstudy", "lme4")$Subject))
  long <- as.data.frame(b)
  expect_identical(names(long), c("grpvar", "term", "grp", "condval"))
  expect_identical(nrow(long), 36L)
})

test_that("one factor can be chosen, one column dropped", {
  fit <- mixedlm(strength ~ 1 + (1 | batch / cask), plain_data("Pastes", "lme4"))
  expect_identical(names(ranef(fit)), c("cask:batch", "batch"))
  expect_identical(names(ranef(fit, whichel = "batch")), "batch")
  expect_error(ranef(fit, whichel = "cask"), class = "mixedlm_error_argument")
  dropped <- ranef(fit, drop = TRUE)$batch
  expect_true(is.numeric(dropped) && !is.null(names(dropped)))
  expect_equal(nrow(as.data.frame(ranef(fit, drop = TRUE))), 40L)
})

test_that("effects are those of the dense model equations", {
  d <- plain_data("Pastes", "lme4")[-c(1, 5), ]
  fit <- mixedlm(strength ~ 1 + (1 | batch / cask), d)
  model <- oracle_model(build_design(fit$parsed, fit$frame), fit$reml)
  g <- oracle_gls(model, fit$psi)
  for (k in seq_along(model$z)) {
    z <- model$z[[k]]
    expected <- kronecker(diag(z$levels), fit$psi[[k]]) %*% crossprod(z$z, g$vi %*% g$r)
    expect_equal(as.numeric(fit$b[[k]]), as.numeric(expected), tolerance = 1e-8)
  }
})

test_that("conditional covariances are those of the dense model equations", {
  d <- plain_data("sleepstudy", "lme4")[-c(1, 5, 33), ]
  fit <- mixedlm(Reaction ~ Days + (Days | Subject), d)
  model <- oracle_model(build_design(fit$parsed, fit$frame), fit$reml)
  z <- model$z[[1L]]$z
  precision <- crossprod(z) + kronecker(diag(18), solve(fit$psi[[1L]]))
  expected <- solve(precision) * fit$scale
  variance <- attr(ranef(fit, condVar = TRUE)$Subject, "postVar")
  expect_identical(dim(variance), c(2L, 2L, 18L))
  expect_equal(variance[, , 3L], expected[5:6, 5:6], tolerance = 1e-7, ignore_attr = TRUE)
  long <- as.data.frame(ranef(fit, condVar = TRUE))
  expect_equal(long$condsd[3L], sqrt(expected[5L, 5L]), tolerance = 1e-7)
  skip_if_not_installed("lme4")
  lme4_fit <- lme4::lmer(Reaction ~ Days + (Days | Subject), d)
  theirs <- attr(lme4::ranef(lme4_fit)$Subject, "postVar")
  expect_equal(variance, theirs, tolerance = 1e-2, ignore_attr = TRUE)
})

test_that("effects of crossed factors, and their covariances, are those of the dense model equations", {
  d <- subjects_items(10L, 6L, seed = 31)
  fit <- mixedlm(y ~ a + (a | s) + (1 | i), d, weights = w)
  model <- oracle_model(build_design(fit$parsed, fit$frame), fit$reml)
  z <- do.call(cbind, lapply(model$z, `[[`, "z"))
  prior <- lapply(seq_along(model$z), function(k) kronecker(diag(model$z[[k]]$levels), fit$psi[[k]]))
  psi <- matrix(0, ncol(z), ncol(z))
  place <- rep(1:2, vapply(prior, nrow, 0L))
  for (k in 1:2) psi[place == k, place == k] <- prior[[k]]
  g <- oracle_gls(model, fit$psi)
  b <- psi %*% crossprod(z, g$vi %*% g$r)
  expect_equal(as.numeric(fit$b[[1L]]), b[place == 1L], tolerance = 1e-8)
  expect_equal(as.numeric(fit$b[[2L]]), b[place == 2L], tolerance = 1e-8)
  # as in lme4: given the fixed effects
  variance <- (psi - psi %*% crossprod(z, g$vi %*% z) %*% psi) * fit$scale
  own <- ranef(fit, condVar = TRUE)
  expect_equal(attr(own$s, "postVar")[, , 3L], variance[5:6, 5:6], tolerance = 1e-7)
  expect_equal(attr(own$i, "postVar")[1L, 1L, ], diag(variance)[place == 2L], tolerance = 1e-7)
})

test_that("VarCorr has lme4's shape", {
  skip_if_not_installed("lme4")
  models <- list(
    list(Reaction ~ Days + (Days | Subject), "sleepstudy", "lme4"),
    list(Reaction ~ Days + (Days || Subject), "sleepstudy", "lme4"),
    list(strength ~ 1 + (1 | batch / cask), "Pastes", "lme4"),
    list(score ~ Machine + (Machine | Worker), "Machines", "nlme")
  )
  for (entry in models) {
    d <- plain_data(entry[[2L]], entry[[3L]])
    theirs <- lme4::VarCorr(lme4::lmer(entry[[1L]], d))
    ours <- VarCorr(mixedlm(entry[[1L]], d))
    expect_identical(names(ours), names(theirs))
    for (order in c("cov.last", "lower.tri")) {
      expect_equal(as.data.frame(ours, order = order), as.data.frame(theirs, order = order), tolerance = 5e-3, ignore_attr = "class")
    }
    for (g in names(theirs)) {
      expect_equal(attr(ours[[g]], "stddev"), attr(theirs[[g]], "stddev"), tolerance = 5e-3)
      expect_equal(attr(ours[[g]], "correlation"), attr(theirs[[g]], "correlation"), tolerance = 5e-3)
    }
    expect_equal(attr(ours, "sc"), attr(theirs, "sc"), tolerance = 5e-3)
    blank <- function(x) without_end_spaces(gsub("[0-9]", "9", x))
    expect_identical(blank(capture.output(print(ours))), blank(capture.output(print(theirs))))
  }
})

test_that("VarCorr prints variances on request and scales", {
  v <- VarCorr(mixedlm(Weight ~ Time, dietox, groups = "Pig"))
  expect_match(capture.output(print(v, comp = c("Variance", "Std.Dev."))), "Variance +Std.Dev.", all = FALSE)
  twice <- VarCorr(mixedlm(Weight ~ Time, dietox, groups = "Pig"), sigma = 2)
  expect_equal(twice$Pig[1L], 4 * v$Pig[1L] / attr(v, "sc")^2)
  expect_identical(attr(twice, "sc"), 2)
})
