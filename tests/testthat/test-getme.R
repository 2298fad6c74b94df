test_that("getME() takes one name, several, or all", {
  fit <- mixedlm(Weight ~ Time + (Time | Pig), dietox)
  expect_named(getME(fit, c("p", "q")), c("p", "q"))
  expect_identical(getME(fit, "p"), 2L)
  expect_named(getME(fit, "ALL"), names(model_parts))
  for (bad in list("nothing", 1, character(), NA_character_, c("X", "nothing"), NULL)) {
    error <- expect_error(getME(fit, bad), class = "mixedlm_error_argument")
    expect_identical(error$argument, "name")
  }
  expect_error(getME(fit), class = "mixedlm_error_argument")
})

# Fits of the other vocabulary, where lme4 has nothing to compare with.
structures <- list(
  scalar = function() {
    d <- subjects_items()
    mixedlm(y ~ a, d, groups = "s", re_formula = ~1, vc_formula = list(slopes = ~ 0 + a + t), weights = w)
  },
  ranked = function() {
    d <- dietox
    d$part <- factor(1 + (d$Time > 6))
    mixedlm(Weight ~ Time, d, groups = "Pig", vc_formula = list(part = ~part))
  },
  diagonal = function() mixedlm(y ~ a + diag(1 + a + t | s) + (1 | i), subjects_items()),
  held = function() {
    mixedlm(Weight ~ Time, dietox,
      groups = "Pig", re_formula = ~Time,
      start = mixedlm_params(cov_re = diag(c(1, 0.1))), free = mixedlm_params(cov_re = matrix(c(1, 1, 1, 0), 2))
    )
  },
  matrices = function() mixedlm(cbind(1, dietox$Time), dietox$Weight, groups = dietox$Pig, exog_re = cbind(1, dietox$Time))
)

test_that("the parts fit together for every structure", {
  for (name in names(structures)) {
    fit <- structures[[name]]()
    part <- getME(fit, "ALL")
    expect_equal(as.numeric(part$Lambda %*% part$u), as.numeric(part$b), tolerance = 1e-6, info = name)
    mu <- part$X %*% part$beta + part$Z %*% part$b + part$offset
    expect_equal(as.numeric(mu), part$mu, tolerance = 1e-8, info = name)
    expect_identical(part$Lambdat@x, unname(part$theta)[part$Lind], info = name)
    expect_equal(as.matrix(part$Lambda), as.matrix(Matrix::bdiag(
      unlist(Map(function(l, n) rep(list(l), n), part$Tlist, vapply(terms_in_order(fit), `[[`, 0L, "n_levels")), recursive = FALSE)
    )), info = name, ignore_attr = TRUE)
    expect_equal(part$devcomp$cmp[["ussq"]], sum(part$u^2), tolerance = 1e-6, info = name)
    expect_equal(part$devcomp$cmp[["ldL2"]], as.numeric(2 * Matrix::determinant(part$L, logarithm = TRUE, sqrt = TRUE)$modulus), tolerance = 1e-7, info = name)
    expect_equal(part$devcomp$cmp[["ldRX2"]], 2 * sum(log(diag(part$RX))), tolerance = 1e-7, info = name)
    expect_equal(part$devfun(part$theta), fit$criterion, tolerance = 1e-9, info = name)
    expect_identical(sum(part$q_i), part$q)
    expect_identical(vapply(part$mmList, ncol, 0L), part$p_i)
  }
})

test_that("as.function() checks what it is given", {
  fit <- mixedlm(Weight ~ Time + (Time | Pig), dietox)
  f <- as.function(fit)
  for (bad in list(1, c(1, 0, NA), "a", NULL, c(1, 0, Inf))) {
    error <- expect_error(f(bad), class = "mixedlm_error_argument")
    expect_identical(error$argument, "theta")
  }
  expect_gt(f(c(1, 0, 0)), fit$criterion)
})

test_that("rePCA() has a summary of its own and hands other fits to lme4", {
  fit <- mixedlm(Weight ~ Time + (Time | Pig), dietox)
  p <- rePCA(fit)
  expect_s3_class(p, "prcomplist")
  expect_equal(sum(p$Pig$sdev^2), sum(diag(fit$psi[[1L]])))
  expect_output(print(summary(p)), "Proportion of Variance")
  expect_error(rePCA(1), class = "mixedlm_error_argument")
  skip_if_not_installed("lme4")
  theirs <- lme4::lmer(Reaction ~ Days + (Days | Subject), lme4::sleepstudy)
  expect_equal(rePCA(theirs), lme4::rePCA(theirs))
})

test_that("accessors refuse what they do not know", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
  expect_error(model.matrix(fit, "rand"), class = "mixedlm_error_argument")
  expect_error(weights(fit, "working"), class = "mixedlm_error_argument")
  expect_error(terms(fit, fixed.only = TRUE, random.only = TRUE), class = "mixedlm_error_argument")
  expect_error(VarCorr(fit, sigma = -1), class = "mixedlm_error_argument")
  expect_error(print(VarCorr(fit), comp = "SD"), class = "mixedlm_error_argument")
  expect_error(ranef(fit, whichel = 1), class = "mixedlm_error_argument")
  expect_error(summary(fit, style = "lme4", correlation = 2), class = "mixedlm_error_argument")
  expect_identical(getData(fit), dietox)
  expect_null(getData(mixedlm(dietox$Weight ~ dietox$Time, groups = dietox$Pig)))
  expect_identical(names(attr(terms(fit, fixed.only = FALSE), "dataClasses")), names(model.frame(fit)))
})

test_that("summaries print what lme4's arguments ask for", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
  s <- summary(fit, style = "lme4")
  has <- function(..., what) any(grepl(what, capture.output(print(s, ...))))
  expect_true(has(what = "Correlation of Fixed"))
  expect_false(has(correlation = FALSE, what = "Correlation of Fixed"))
  expect_false(has(show.resids = FALSE, what = "Scaled residuals"))
  expect_false(has(ranef.comp = "Std.Dev.", what = "Variance"))
  expect_false(has(signif.stars = FALSE, what = "Signif. codes"))
  expect_null(s$no_such_part)
  expect_identical(s$ngrps, ngrps(fit))
})

test_that("slots read as on lme4's objects are answered", {
  fit <- mixedlm(Weight ~ Time + (Time | Pig), dietox)
  expect_identical(slot_of_fit(fit, "theta"), unname(getME(fit, "theta")))
  expect_error(slot_of_fit(fit, "pp"), class = "mixedlm_error_argument")
  skip_if(getRversion() < "4.3.0")
  expect_identical(fit@beta, getME(fit, "beta"))
  skip_if_not_installed("lme4")
  expect_equal(lme4::REMLcrit(fit), REMLcrit(fit))
})

test_that("parts that double precision cannot give are refused", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
  fit$vcov_unscaled[] <- 1
  expect_error(getME(fit, "RX"), class = "mixedlm_error_numerical")
})
