test_that("a fit is valid, and a damaged one is refused", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
  expect_identical(validate_mixedlm(fit), fit)
  damage <- function(field, value) {
    broken <- unclass(fit)
    broken[field] <- list(value)
    structure(broken, class = "mixedlm")
  }
  expect_error(validate_mixedlm(1), class = "mixedlm_error_object")
  expect_error(validate_mixedlm(structure(unclass(fit)[1:3], class = "mixedlm")), class = "mixedlm_error_object")
  expect_error(validate_mixedlm(damage("fe_params", 1)), class = "mixedlm_error_object")
  expect_error(validate_mixedlm(damage("psi", list(diag(2)))), class = "mixedlm_error_object")
  expect_error(validate_mixedlm(damage("fitted", 1)), class = "mixedlm_error_object")
  expect_error(validate_mixedlm(damage("optinfo", list(verdict = "?"))), class = "mixedlm_error_object")
  expect_error(validate_mixedlm(damage("reml", NA)), class = "mixedlm_error_object")
})

test_that("a fit survives being saved", {
  fit <- mixedlm(Weight ~ Time + (Time | Pig), dietox)
  file <- tempfile(fileext = ".rds")
  on.exit(unlink(file))
  saveRDS(fit, file)
  again <- readRDS(file)
  expect_equal(summary(again)$coefficients, summary(fit)$coefficients)
  expect_equal(ranef(again), ranef(fit))
  expect_equal(vcov(again, "varcomp"), vcov(fit, "varcomp"))
})

test_that("statsmodels' names are found with $ and completed", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig", re_formula = ~Time)
  expect_identical(names(fit$params)[3:5], c("Pig Var", "Pig x Time Cov", "Time Var"))
  expect_equal(unname(fit$params[3:5]), fit$cov_re_unscaled[c(1, 2, 4)])
  expect_equal(fit$tvalues, fit$params / fit$bse)
  expect_equal(fit$bse_re, fit$bse[3:5] * sqrt(fit$scale))
  expect_equal(fit$pvalues[[1]], 2 * pnorm(-abs(fit$tvalues[[1]])))
  expect_equal(fit$cov_re, fit$cov_re_unscaled * fit$scale)
  expect_equal(fit$llf, as.numeric(logLik(fit)))
  expect_identical(fit$aic, NaN)
  expect_equal(fit$resid, residuals(fit))
  expect_equal(fit$fittedvalues, fitted(fit))
  expect_equal(fit$nobs, 861L)
  expect_true(fit$converged)
  expect_identical(dim(fit$conf_int()), c(5L, 2L))
  expect_identical(dim(fit$cov_params()), c(5L, 5L))
  expect_equal(sqrt(diag(fit$cov_params())), fit$bse)
  expect_length(fit$random_effects, 72L)
  expect_equal(unname(fit$random_effects[[1]]), as.numeric(ranef(fit)$Pig[1, ]))
  expect_null(fit$nothing)
  expect_true(all(c("params", "fe_params") %in% utils::.DollarNames(fit, "params$")))
})

test_that("the groups are statsmodels' groups", {
  pastes <- plain_data("Pastes", "lme4")
  bars <- mixedlm(strength ~ 1 + (1 | batch / cask), pastes)
  words <- mixedlm(strength ~ 1, pastes, groups = "batch", re_formula = ~1, vc_formula = list(cask = ~ 0 + cask))
  only <- mixedlm(strength ~ 1, pastes, groups = "batch", vc_formula = list(cask = ~ 0 + cask))
  for (fit in list(bars, words, only)) {
    expect_equal(fit$group_sizes, c(min = 6, max = 6, mean = 6, n = 10))
  }
  expect_equal(dim(bars$cov_re), c(1L, 1L))
  expect_equal(unname(bars$vcomp), unname(words$vcomp), tolerance = 1e-6)
  expect_identical(names(words$vcomp), "cask")
  expect_equal(dim(only$cov_re), c(0L, 0L))
})

test_that("without a factor that holds the others all rows are one group", {
  d <- plain_data("Penicillin", "lme4")
  p <- parse_formula(diameter ~ 1 + (1 | plate) + (1 | sample))
  design <- build_design(p, model_frame(p, d))
  expect_identical(outer_factor(design), 0L)
  expect_identical(group_label_of(p, design, 0L), "Group")
  expect_equal(group_sizes(p, design, 0L), c(min = 144, max = 144, mean = 144, n = 1))
  expect_identical(vapply(random_terms(design, 0L), `[[`, "", "role"), c("vcomp", "vcomp"))
  # a factor of one level holds all of them
  d$one <- "x"
  p <- parse_formula(diameter ~ 1 + (1 | plate) + (1 | sample) + (1 | one))
  design <- build_design(p, model_frame(p, d))
  expect_identical(design$factors[[outer_factor(design)]]$name, "one")
})

test_that("random effects of a group come with those of its components", {
  pastes <- plain_data("Pastes", "lme4")
  fit <- mixedlm(strength ~ 1, pastes, groups = "batch", re_formula = ~1, vc_formula = list(cask = ~ 0 + cask))
  first <- fit$random_effects$A
  expect_identical(names(first), c("(Intercept)", "cask[a:A]", "cask[b:A]", "cask[c:A]"))
  # statsmodels 0.15.0, same model
  expect_equal(unname(first), c(0.801033, 1.774306, 0.332276, 1.966577), tolerance = 1e-3)
  # and random_effects_cov
  expect_equal(fit$random_effects_cov$A[1L], 1.058216, tolerance = 1e-3)
})

test_that("a fixed effect whose variance vanishes is refused", {
  d <- data.frame(y = rep(c(1, 3, 2, 5, 4), 4) + sin(1:20), x = cos(1:20) * 1e300, g = rep(1:5, 4))
  expect_error(mixedlm(y ~ x, d, groups = "g"), class = "mixedlm_error_scale")
  d$x <- cos(1:20) * 1e100
  expect_true(all(diag(vcov(mixedlm(y ~ x, d, groups = "g"))) > 0))
})
