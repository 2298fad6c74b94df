# Crossed factors: fits beside lme4's, and the dense oracle.

models <- list(
  "plates and samples" = list(diameter ~ 1 + (1 | plate) + (1 | sample), function() plain_data("Penicillin", "lme4")),
  "primary and secondary schools" = list(
    attain ~ sex + (1 | primary) + (1 | second), function() from_package("ScotsSec", "mlmRev")
  ),
  "students, lecturers and departments" = list(
    y ~ service + (1 | s) + (1 | d) + (1 | dept:service), some_departments
  ),
  "slopes of subjects" = list(y ~ a + (1 + a | s) + (1 | i), subjects_items),
  "slopes of both" = list(y ~ a + (a | s) + (a | i), function() subjects_items(missing = 0.4, seed = 3)),
  "independent slopes" = list(y ~ a + (a || s) + (0 + a | i) + (1 | i), function() subjects_items(seed = 4)),
  "nested within crossed" = list(y ~ x + (1 | school / class) + (1 | item), classes_items),
  "few answers" = list(y ~ a + (1 | s) + (1 | i), function() subjects_items(60L, 20L, missing = 0.85, seed = 5)),
  "more items than subjects" = list(y ~ a + (a | s) + (1 | i), function() subjects_items(7L, 26L, seed = 6)),
  "crossed within groups" = list(y ~ x + (1 | g) + (1 | g:a) + (1 | g:b), factors_within_groups),
  "slopes crossed within groups" = list(y ~ x + (x | g) + (x | g:a) + (1 | g:b), factors_within_groups),
  "an interaction" = list(y ~ a + (1 | s) + (1 | i) + (1 | s:i), function() {
    d <- subjects_items(12L, 8L, missing = 0.1, seed = 7)
    d <- d[rep(seq_len(nrow(d)), 3), ]
    set.seed(7)
    d$y <- d$y + rnorm(nrow(d))
    rownames(d) <- NULL
    d
  })
)

for (name in names(models)) {
  test_that(paste("crossed fits are lme4's:", name), {
    skip_if_not_installed("lme4")
    d <- models[[name]][[2L]]()
    f <- models[[name]][[1L]]
    for (reml in c(TRUE, FALSE)) {
      ours <- expect_no_condition(mixedlm(f, d, REML = reml), class = "warning")
      expect_identical(ours$optinfo$engine, "crossed")
      expect_as_low_as(ours, tight_lmer(f, d, reml))
      expect_same_as_lme4(ours, lmer_at(ours, d))
    }
  })
}

test_that("weights and offsets are lme4's", {
  skip_if_not_installed("lme4")
  d <- subjects_items()
  f <- y ~ a + (1 + a | s) + (1 | i)
  for (reml in c(TRUE, FALSE)) {
    ours <- mixedlm(f, d, weights = w, REML = reml)
    expect_as_low_as(ours, tight_lmer(f, d, reml, weights = d$w))
    expect_same_as_lme4(ours, lmer_at(ours, d, weights = d$w))
    both <- mixedlm(f, d, weights = w, offset = t, REML = reml)
    expect_as_low_as(both, tight_lmer(f, d, reml, weights = d$w, offset = d$t))
    expect_same_as_lme4(both, lmer_at(both, d, weights = d$w, offset = d$t))
  }
})

test_that("a singular crossed fit converges without a warning", {
  skip_if_not_installed("lme4")
  none <- subjects_items(seed = 11, sd = c(subject = 1, slope = 0, item = 0, noise = 1))
  f <- y ~ a + (a | s) + (1 | i)
  for (reml in c(TRUE, FALSE)) {
    ours <- expect_no_condition(mixedlm(f, none, REML = reml), class = "warning")
    expect_identical(ours$optinfo$verdict, "boundary")
    expect_true(isSingular(ours))
    expect_as_low_as(ours, tight_lmer(f, none, reml))
    expect_same_as_lme4(ours, lmer_at(ours, none), tolerance = 1e-6)
    expect_true(anyNA(diag(vcov(ours, "varcomp"))))
  }
})

test_that("a correlation of one on any of the crossed factors is a fit like others", {
  skip_if_not_installed("lme4")
  for (model in list(
    list(y ~ a + (a | s) + (1 | i), "s"), list(y ~ a + (1 | s) + (a | i), "i"),
    list(y ~ a + (a | s) + (a | i), c("s", "i"))
  )) {
    set.seed(11)
    d <- expand.grid(s = factor(1:30), i = factor(1:8))
    d$a <- rnorm(240)
    d$y <- rnorm(30)[d$s] * (1 + d$a * ("s" %in% model[[2L]])) + rnorm(8)[d$i] * (1 + d$a * ("i" %in% model[[2L]])) +
      rnorm(240)
    ours <- expect_no_condition(mixedlm(model[[1L]], d), class = "warning")
    expect_true(ours$optinfo$verdict %in% c("optimum", "boundary"))
    expect_as_low_as(ours, tight_lmer(model[[1L]], d))
    expect_same_as_lme4(ours, lmer_at(ours, d), tolerance = 1e-6)
  }
})

test_that("missing values and unused levels are lme4's", {
  skip_if_not_installed("lme4")
  d <- subjects_items(seed = 12)
  d$y[c(3, 40)] <- NA
  d$a[7] <- NA
  d$s[c(11, 90)] <- NA
  d$i <- factor(d$i, levels = c("zz", rev(levels(d$i))))
  f <- y ~ a + (a | s) + (1 | i)
  ours <- mixedlm(f, d, na.action = na.exclude)
  theirs <- lmer_at(ours, d)
  expect_same_as_lme4(mixedlm(f, d), theirs)
  expect_length(fitted(ours), nrow(d))
  expect_identical(unname(which(is.na(residuals(ours)))), c(3L, 7L, 11L, 40L, 90L))
})

test_that("the engine and the reason for it are recorded", {
  d <- subjects_items()
  fit <- mixedlm(y ~ a + (1 | s) + (1 | i), d)
  expect_identical(fit$optinfo$engine, "crossed")
  expect_identical(fit$optinfo$reason, "factors \"s\" and \"i\" are crossed")
  expect_true(fit$optinfo$structure %in% c("dense", "sparse"))
  one <- mixedlm(y ~ a + (1 | s), d)
  expect_identical(one$optinfo[c("engine", "reason", "structure")], list(
    engine = "grouped", reason = "one grouping factor", structure = ""
  ))
  classes <- mixedlm(y ~ x + (1 | school / class) + (1 | item), classes_items())
  expect_match(classes$optinfo$reason, "\"item\"", fixed = TRUE)
})

test_that("both vocabularies and matrices give the same crossed model", {
  d <- plain_data("Penicillin", "lme4")
  bars <- mixedlm(diameter ~ 1 + (1 | plate) + (1 | sample), d)
  turned <- mixedlm(diameter ~ 1 + (1 | sample) + (1 | plate), d)
  words <- mixedlm(diameter ~ 1, d, vc_formula = list(plate = ~ 0 + plate, sample = ~ 0 + sample))
  ones <- mixedlm(diameter ~ 1, d, groups = rep(1, 144), vc_formula = list(plate = ~ 0 + plate, sample = ~ 0 + sample))
  matrices <- mixedlm(matrix(1, 144), d$diameter, exog_vc = list(plate = d$plate, sample = d$sample))
  for (fit in list(turned, words, ones, matrices)) {
    expect_equal(fit$criterion, bars$criterion, tolerance = 1e-10)
    expect_equal(fit$vcomp, bars$vcomp, tolerance = 1e-7)
    expect_equal(fit$group_sizes, c(min = 144, max = 144, mean = 144, n = 1))
    expect_identical(dim(fit$cov_re), c(0L, 0L))
    expect_equal(summary(fit)$varcomp, summary(words)$varcomp, tolerance = 1e-6)
  }
  expect_equal(formula(words), diameter ~ 1 + (1 | plate) + (1 | sample), ignore_formula_env = TRUE)
  expect_identical(lengths(words$random_effects), c(all = 30L))
  expect_identical(names(words$random_effects$all)[c(1, 30)], c("plate[a]", "sample[F]"))
  skip_if_not_installed("lme4")
  again <- mixedlm(lme4::lmer(diameter ~ 1 + (1 | plate) + (1 | sample), d))
  expect_equal(again$criterion, bars$criterion, tolerance = 1e-10)
})

test_that("slopes on crossed factors are components in statsmodels' words", {
  d <- subjects_items()
  bars <- mixedlm(y ~ a + (a || s) + (1 | i), d)
  words <- mixedlm(y ~ a, d, vc_formula = list(s = ~ 0 + s, slope = ~ 0 + s:a, i = ~ 0 + i))
  expect_equal(words$criterion, bars$criterion, tolerance = 1e-10)
  expect_identical(names(words$vcomp), c("i", "s", "slope"))
  expect_equal(words$vcomp[["slope"]], VarCorr(bars)$s.1[1L], tolerance = 1e-6)
})

test_that("components that cross within the groups are lme4's interactions", {
  d <- factors_within_groups()
  vc <- list(a = ~ 0 + a, b = ~ 0 + b)
  words <- mixedlm(y ~ x, d, groups = "g", re_formula = ~1, vc_formula = vc)
  bars <- mixedlm(y ~ x + (1 | g) + (1 | g:a) + (1 | g:b), d)
  expect_identical(words$optinfo$engine, "crossed")
  expect_equal(words$criterion, bars$criterion, tolerance = 1e-10)
  expect_equal(words$cov_re, bars$cov_re, tolerance = 1e-7)
  expect_identical(names(words$vcomp), c("a", "b"))
  expect_equal(words$group_sizes[["n"]], 12)
  expect_identical(lengths(words$random_effects), lengths(bars$random_effects))
  without <- mixedlm(y ~ x, d, groups = "g", vc_formula = vc)
  expect_equal(without$criterion, mixedlm(y ~ x + (1 | g:a) + (1 | g:b), d)$criterion, tolerance = 1e-10)
  expect_equal(without$group_sizes[["n"]], 12)
  held <- mixedlm(y ~ x, d,
    groups = "g", re_formula = ~1, vc_formula = vc,
    start = mixedlm_params(vcomp = c(a = 2, b = 0.5)), free = mixedlm_params(vcomp = c(a = 0, b = 0))
  )
  expect_equal(held$vcomp / held$scale, c(a = 2, b = 0.5))
  expect_gt(held$criterion, words$criterion)
})

test_that("every method arrives at the same crossed fit", {
  d <- subjects_items(20L, 8L, seed = 14)
  f <- y ~ a + (a | s) + (1 | i)
  best <- mixedlm(f, d)
  for (method in c("bfgs", "lbfgs", "nelder-mead", "em")) {
    fit <- mixedlm(f, d, method = method)
    expect_identical(fit$optinfo$method, method)
    expect_equal(fit$criterion, best$criterion, tolerance = 1e-6)
    expect_gte(fit$criterion, best$criterion - 1e-6)
  }
})

test_that("starts, masks and held effects work for crossed factors", {
  d <- subjects_items()
  f <- y ~ a + (a | s) + (1 | i)
  fit <- mixedlm(f, d)
  for (start in list(fit, unname(getME(fit, "theta")), mixedlm_params(cov_re = diag(2), vcomp = c(i = 3)))) {
    expect_equal(mixedlm(f, d, start = start)$criterion, fit$criterion, tolerance = 1e-9)
  }
  independent <- mixedlm(y ~ a + (a || s) + (1 | i), d)
  expect_equal(mixedlm(f, d, free = "diagonal")$criterion, independent$criterion, tolerance = 1e-9)
  masked <- mixedlm(f, d, free = mixedlm_params(cov_re = diag(2)))
  expect_equal(masked$criterion, independent$criterion, tolerance = 1e-9)
  held <- mixedlm(f, d,
    start = mixedlm_params(cov_re = diag(c(1, 0.5)), vcomp = c(i = 2)),
    free = mixedlm_params(cov_re = diag(c(1, 0)), vcomp = c(i = 0))
  )
  expect_equal(held$vcomp[["i"]] / held$scale, 2, tolerance = 1e-10)
  expect_equal(held$psi[[1L]][2L, 2L], 0.5, tolerance = 1e-10)
  known <- mixedlm(f, d, start = mixedlm_params(fe_params = c(0, 0.5)), free = mixedlm_params(fe_params = c(1, 0)))
  expect_equal(known$criterion, mixedlm(y ~ 1 + offset(0.5 * a) + (a | s) + (1 | i), d)$criterion, tolerance = 1e-9)
})

test_that("a crossed profile is that of the dense criterion", {
  d <- subjects_items(8L, 5L, seed = 15)
  fit <- mixedlm(y ~ a + (1 | s) + (1 | i), d)
  model <- oracle_model(build_design(fit$parsed, fit$frame), TRUE)
  p <- profile(fit, "i", "vc", num_low = 1, dist_low = 0.8 * fit$vcomp[["i"]], num_high = 1, dist_high = 2)
  for (at in c(1L, 3L)) {
    held <- (fit$vcomp[["i"]] + c(-0.8 * fit$vcomp[["i"]], 0, 2)[at]) / fit$scale
    best <- optimize(function(v) oracle_criterion(model, list(matrix(v), matrix(held))), c(0, 20), tol = 1e-9)
    expect_equal(p[[at, 2L]], -best$objective / 2, tolerance = 1e-9)
  }
  expect_equal(p[[2L, 2L]], fit$llf, tolerance = 1e-9)
})

test_that("slopes on a crossed factor can be profiled by name and by place", {
  fit <- mixedlm(y ~ a + (a | s) + (1 | i), subjects_items())
  by_name <- profile(fit, "a|s", num_low = 2, dist_low = 0.1, num_high = 2)
  expect_identical(attr(by_name, "parameter"), "a|s Var")
  expect_equal(by_name[3L, ], c(variance = fit$psi[[1L]][2L, 2L] * fit$scale, loglik = fit$llf), tolerance = 1e-6)
  expect_equal(profile(fit, 1, num_low = 2, dist_low = 0.1, num_high = 2)[, ], by_name[, ])
  expect_true(all(by_name[, 2L] <= fit$llf + 1e-8))
  expect_error(profile(fit, 2), class = "mixedlm_error_profile")
})

test_that("the units of the response and of the predictor do not matter", {
  d <- subjects_items()
  f <- y ~ a + (a | s) + (1 | i)
  fit <- mixedlm(f, d)
  for (unit in c(1e-8, 1e8)) {
    other <- mixedlm(f, transform(d, y = unit * y))
    expect_equal(fixef(other) / unit, fixef(fit), tolerance = 1e-6)
    expect_equal(other$theta, fit$theta, tolerance = 1e-6)
    slope <- mixedlm(f, transform(d, a = unit * a))
    expect_equal(slope$psi[[1L]] * c(1, unit, unit, unit^2), fit$psi[[1L]], tolerance = 1e-6)
  }
})

test_that("a crossed model can be updated and compared", {
  d <- subjects_items()
  fit <- mixedlm(y ~ 1 + (1 | s) + (1 | i), d, REML = FALSE)
  more <- update(fit, . ~ . + a)
  expect_equal(more$criterion, mixedlm(y ~ a + (1 | s) + (1 | i), d, REML = FALSE)$criterion)
  expect_identical(attr(logLik(more), "df"), 5L)
  expect_equal(df.residual(more), nrow(d) - 5L)
  reml <- update(fit, REML = TRUE)
  expect_equal(as.numeric(logLik(fit, REML = TRUE)), as.numeric(logLik(reml)), tolerance = 1e-2)
  words <- mixedlm(y ~ 1, d, vc_formula = list(s = ~ 0 + s, i = ~ 0 + i), REML = FALSE)
  expect_equal(update(words, . ~ . + a)$criterion, more$criterion, tolerance = 1e-9)
})

test_that("terms on crossed factors have rows of their own in the summary", {
  fit <- mixedlm(y ~ a + (a | s) + (1 | i), subjects_items())
  x <- summary(fit)
  expect_identical(x$varcomp$label, c("i Var", "s Var", "s x a|s Cov", "a|s Var"))
  expect_true(all(is.finite(x$varcomp$std_error)))
  expect_identical(x$header[["No. Groups:"]], "1")
  expect_identical(x$header[["Mean group size:"]], sprintf("%.1f", nobs(fit)))
  expect_match(capture.output(print(x, style = "lme4")), "a\\|s Var", all = FALSE)
  lme4_style <- capture.output(print(summary(fit, style = "lme4")))
  expect_match(lme4_style, paste0("groups:  s, 30; i, 12"), all = FALSE)
  expect_match(capture.output(print(fit)), "groups:  s, 30; i, 12", all = FALSE)
})

test_that("a model that needs more memory than it may take is refused with the figure", {
  d <- subjects_items()
  expect_error(
    mixedlm(y ~ a + (1 | s) + (1 | i), d, control = mixedlm_control(max_memory = 1000)),
    "[KMG]i?B.*max_memory", class = "mixedlm_error_memory"
  )
  expect_s3_class(mixedlm(y ~ a + (1 | s) + (1 | i), d, control = mixedlm_control(max_memory = "1 GB")), "mixedlm")
})

test_that("the number of threads does not change a bit of a crossed fit", {
  d <- some_departments()
  fits <- lapply(c(1L, 2L, 4L), function(threads) {
    mixedlm(y ~ service + (1 | s) + (1 | d), d, control = mixedlm_control(threads = threads))
  })
  fields <- c("fe_params", "vcov_unscaled", "theta", "criterion", "hessian_psi", "b", "fitted")
  for (fit in fits[-1L]) {
    expect_identical(unclass(fit)[fields], unclass(fits[[1L]])[fields])
  }
})

# Odd data -----------------------------------------------------------------------

test_that("a crossed factor with as many levels as rows is flat, and says so", {
  d <- subjects_items()
  d$row <- factor(seq_len(nrow(d)))
  expect_warning(fit <- mixedlm(y ~ a + (1 | row) + (1 | s) + (1 | i), d), class = "mixedlm_warning_flat")
  without <- mixedlm(y ~ a + (1 | s) + (1 | i), d)
  expect_equal(fit$criterion, without$criterion, tolerance = 1e-8)
  expect_equal(fit$scale + fit$vcomp[["row"]], without$scale, tolerance = 1e-6)
  # every cell once: the interaction is the row
  d <- subjects_items(missing = 0)
  expect_warning(mixedlm(y ~ a + (1 | s) + (1 | i) + (1 | s:i), d), class = "mixedlm_warning_flat")
})

test_that("the same factor twice is flat, and says so", {
  d <- subjects_items()
  d$s2 <- factor(d$s, labels = paste0("subject ", levels(d$s)))
  without <- mixedlm(y ~ a + (1 | s) + (1 | i), d)
  for (f in list(
    y ~ a + (1 | s) + (1 | s2) + (1 | i), y ~ a + (1 | s) + (1 | s) + (1 | i), y ~ a + (1 | s / s) + (1 | i)
  )) {
    expect_warning(fit <- mixedlm(f, d), class = "mixedlm_warning_flat")
    expect_equal(fit$criterion, without$criterion, tolerance = 1e-8)
    expect_equal(sum(fit$vcomp), sum(without$vcomp), tolerance = 1e-6)
  }
  itself <- mixedlm(y ~ a + (1 | s:s) + (1 | i), d)
  expect_equal(itself$criterion, without$criterion, tolerance = 1e-10)
  expect_identical(names(ngrps(itself)), c("s:s", "i"))
})

test_that("a crossed factor of one level cannot be told from the intercept", {
  d <- subjects_items()
  d$one <- "x"
  f <- y ~ a + (1 | s) + (1 | i) + (1 | one)
  expect_warning(fit <- mixedlm(f, d), class = "mixedlm_warning_flat")
  expect_equal(fit$criterion, mixedlm(y ~ a + (1 | s) + (1 | i), d)$criterion, tolerance = 1e-8)
  ml <- mixedlm(f, d, REML = FALSE)
  expect_identical(ml$optinfo$verdict, "boundary")
  expect_equal(ml$cov_re[1L], 0)
  slope <- mixedlm(y ~ 1 + (1 | s) + (1 | i) + (0 + a | one), d)
  expect_true(slope$optinfo$verdict %in% c("optimum", "boundary"))
})

test_that("empty cells and unused levels do not count", {
  d <- subjects_items(10L, 6L, missing = 0.5, seed = 41)
  d <- d[rep(seq_len(nrow(d)), 3), ]
  set.seed(41)
  d$y <- d$y + rnorm(nrow(d))
  d$s <- factor(d$s, levels = c("none", levels(d$s), "nobody"))
  fit <- mixedlm(y ~ a + (1 | s) + (1 | i) + (1 | i:s), d)
  expect_identical(ngrps(fit)[["i:s"]], nlevels(interaction(d$i, d$s, drop = TRUE)))
  expect_equal(fit$criterion, mixedlm(y ~ a + (1 | s) + (1 | i) + (1 | i:s), droplevels(d))$criterion)
  skip_if_not_installed("lme4")
  expect_as_low_as(fit, tight_lmer(y ~ a + (1 | s) + (1 | i) + (1 | i:s), d))
})

test_that("twenty crossed terms at once are fitted", {
  set.seed(42)
  d <- as.data.frame(replicate(20, sample(letters[1:6], 600, TRUE)))
  names(d) <- paste0("f", 1:20)
  effects <- lapply(1:20, function(k) rnorm(6, sd = k %% 5 / 4))
  d$y <- rnorm(600) + Reduce(`+`, Map(function(f, e) e[match(f, letters)], d[1:20], effects))
  f <- stats::reformulate(c("1", paste0("(1 | ", names(d)[1:20], ")")), "y")
  fit <- expect_no_condition(mixedlm(f, d), class = "warning")
  skip_if_not_installed("lme4")
  parts <- suppressMessages(lme4::lFormula(f, d))
  criterion <- do.call(lme4::mkLmerDevfun, parts)
  theta <- getME(fit, "theta")
  expect_equal(criterion(theta), fit$criterion, tolerance = 1e-9)
  for (k in seq_along(theta)) {
    for (step in c(-0.05, -1e-3, 1e-3, 0.05)) {
      expect_gte(criterion(abs(replace(theta, k, theta[k] + step))), fit$criterion - 1e-6)
    }
  }
})

test_that("few rows are no reason to fail", {
  d <- data.frame(y = c(1, 3, 2, 5, 4), a = c(1, 1, 2, 2, 1), b = c(1, 2, 1, 2, 2))
  for (reml in c(TRUE, FALSE)) {
    fit <- suppressWarnings(mixedlm(y ~ 1 + (1 | a) + (1 | b), d, REML = reml))
    model <- oracle_model(build_design(fit$parsed, fit$frame), reml)
    expect_lte(fit$criterion, oracle_fit(model)$criterion + 1e-6)
  }
})

test_that("what crossed random effects explain exactly is refused", {
  d <- expand.grid(a = 1:5, b = 1:4)
  d$y <- c(1, 5, 2, 8, 3)[d$a] + c(0, 3, 1, 7)[d$b]
  expect_error(mixedlm(y ~ 1 + (1 | a) + (1 | b), d), class = "mixedlm_error_perfect_fit")
})

test_that("slopes that are aliased or constant within crossed factors are no failure", {
  d <- subjects_items(seed = 43)
  d$half <- as.numeric(as.integer(d$s) <= 15)
  d$twice <- 2 * d$a
  fit <- suppressMessages(mixedlm(y ~ a + twice + (1 | s) + (1 | i), d))
  expect_identical(fit$aliased, "twice")
  between <- suppressWarnings(mixedlm(y ~ half + (half | s) + (1 | i), d))
  expect_true(between$optinfo$verdict %in% c("flat", "boundary", "optimum"))
  expect_lte(between$criterion, mixedlm(y ~ half + (1 | s) + (1 | i), d)$criterion + 1e-6)
})

test_that("an interrupt ends a crossed fit soon and leaves R usable", {
  set.seed(1)
  n <- 1e5
  d <- data.frame(s = sample.int(15000, n, TRUE), i = sample.int(1500, n, TRUE), x = rnorm(n))
  d$y <- d$x + rnorm(15000)[d$s] + rnorm(1500)[d$i] + rnorm(n)
  expect_interrupted(function() mixedlm(y ~ x + (x | s) + (x | i), d))
})
