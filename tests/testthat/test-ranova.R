# Tests of random-effects terms: reduced models and naive p-values against
# lmerTest, the exact distribution against its definition and RLRsim.

sleep_slopes <- function(...) mixedlm(Reaction ~ Days + (Days | Subject), plain_data("sleepstudy", "lme4"), ...)
pastes_fit <- function(...) mixedlm(strength ~ 1 + (1 | batch / cask), plain_data("Pastes", "lme4"), ...)

lmertest_models <- list(
  list(Reaction ~ Days + (Days | Subject), c("sleepstudy", "lme4")),
  list(strength ~ 1 + (1 | batch / cask), c("Pastes", "lme4")),
  list(diameter ~ 1 + (1 | plate) + (1 | sample), c("Penicillin", "lme4")),
  list(score ~ Machine + (0 + Machine | Worker), c("Machines", "nlme")),
  list(score ~ Machine + (Machine | Worker), c("Machines", "nlme"))
)

test_that("with the naive chi-square the table is lmerTest's", {
  skip_if_not_installed("lmerTest")
  for (model in lmertest_models) {
    for (reduce in c(TRUE, if (identical(model, lmertest_models[[1L]])) FALSE)) {
      d <- plain_data(model[[2L]][1L], model[[2L]][2L])
      own <- ranova(mixedlm(model[[1L]], d), method = "naive", reduce.terms = reduce)
      theirs <- suppressMessages(lmerTest::ranova(do.call(lmerTest::lmer, list(model[[1L]], d)), reduce.terms = reduce))
      expect_identical(dimnames(own), dimnames(theirs))
      expect_equal(own$npar, theirs$npar)
      for (column in c("logLik", "AIC", "LRT", "Df", "Pr(>Chisq)")) {
        expect_equal(own[[column]], theirs[[column]], tolerance = 1e-4, info = column)
      }
    }
  }
})

test_that("ML fits are compared by ML, and lm() is the model without random effects", {
  d <- unbalanced()
  for (reml in c(TRUE, FALSE)) {
    fit <- mixedlm(Reaction ~ Days + (1 | Subject) + offset(Days^2), d, REML = reml, weights = w)
    own <- ranova(fit)
    line <- logLik(lm(Reaction ~ Days + offset(Days^2), d, weights = w), REML = reml)
    expect_equal(own$logLik, c(as.numeric(logLik(fit)), as.numeric(line)))
    expect_equal(own$LRT[2L], -2 * (own$logLik[2L] - own$logLik[1L]))
    # the same model, as the bootstrap simulates it
    reduction <- fit_reduction(random_reductions(fit, TRUE)[[1L]], fit)
    expect_equal(reduction$fit$criterion, reduction$criterion, tolerance = 1e-10)
    expect_equal(reduction$fit$scale, summary(lm(Reaction ~ Days + offset(Days^2), d, weights = w))$sigma^2 *
      if (reml) 1 else (nrow(d) - 2) / nrow(d))
  }
  # a component in statsmodels' words
  fit <- mixedlm(diameter ~ 1, penicillin(), vc_formula = list(plate = ~ 0 + plate))
  expect_equal(ranova(fit)$logLik[2L], as.numeric(logLik(lm(diameter ~ 1, penicillin()), REML = TRUE)))
})

test_that("mixtures of chi-squares, by the number of variances under test", {
  p <- function(table) table[["Pr(>Chisq)"]][-1L]
  own <- ranova(sleep_slopes())
  lrt <- own$LRT[2L]
  expect_equal(p(own), mean(pchisq(lrt, 1:2, lower.tail = FALSE)))
  expect_match(attr(own, "method"), "chi-square(1), half chi-square(2)", fixed = TRUE)
  own <- ranova(pastes_fit())
  expect_equal(p(own), pchisq(own$LRT[-1L], 1, lower.tail = FALSE) / 2)
  own <- ranova(sleep_slopes(), reduce.terms = FALSE)
  expect_equal(p(own), mean(pchisq(own$LRT[2L], 2:3, lower.tail = FALSE)))
  expect_match(attr(own, "method"), "bound for 2 variances")
  # nothing there: no evidence at all
  fit <- mixedlm(Yield ~ 1 + (1 | Batch), plain_data("Dyestuff2", "lme4"))
  expect_identical(p(ranova(fit)), 1)
  expect_identical(p(ranova(fit, method = "exact", seed = 1)), 1)
  expect_output(print(own), "Null distribution: half chi-square\\(2\\)")
})

test_that("terms are reduced to nested models", {
  labels <- function(formula, d, ...) rownames(ranova(mixedlm(formula, d), ...))[-1L]
  d <- subjects_items(20L, 8L, seed = 6)
  d$f <- factor(rep_len(c("u", "v"), nrow(d)))
  reductions <- function(formula) {
    own <- ranova(mixedlm(formula, d))
    stats::setNames(vapply(attr(own, "formulae"), function(f) deparse(f[[3L]]), ""), rownames(own)[-1L])
  }
  expect_identical(reductions(y ~ a + (a + t | s)), c(
    "a in (a + t | s)" = "a + (1 + t | s)", "t in (a + t | s)" = "a + (1 + a | s)"
  ))
  # interactions first
  expect_identical(names(reductions(y ~ a + (f * a | s))), "f:a in (f * a | s)")
  # a slope alone is no special case of an intercept
  expect_identical(reductions(y ~ a + (0 + a | s) + (1 | s)), c(
    "(0 + a | s)" = "a + (1 | s)", "(1 | s)" = "a + (0 + a | s)"
  ))
  expect_identical(reductions(y ~ a + (0 + f | s)), c("f in (0 + f | s)" = "a + (1 | s)"))
  # one of two columns that are given as such
  x <- cbind(1, d$a)
  fit <- mixedlm(x, d$y, groups = d$s, exog_re = x)
  own <- ranova(fit)
  expect_equal(own$npar, c(6, 4, 4))
  expect_equal(own$logLik[3L], as.numeric(logLik(mixedlm(y ~ a + (1 | s), d))))
  # independent effects of a factor's levels do not hold a common intercept
  expect_identical(names(reductions(y ~ a + diag(0 + f | s))), "diag(0 + f | s)")
  expect_identical(reductions(y ~ a + diag(f | s)), c("f in diag(f | s)" = "a + (1 | s)"))
  expect_identical(names(reductions(y ~ a + diag(0 + f | s, hom = TRUE))), "diag(0 + f | s, hom = TRUE)")
})

test_that("`free = \"diagonal\"` holds in the reduced models; a mask is refused", {
  d <- plain_data("sleepstudy", "lme4")
  fit <- mixedlm(Reaction ~ Days, d, groups = "Subject", re_formula = ~Days, free = "diagonal")
  own <- ranova(fit)
  smaller <- mixedlm(Reaction ~ Days, d, groups = "Subject")
  expect_equal(own$logLik[2L], as.numeric(logLik(smaller)))
  expect_identical(own$Df[2L], 1)
  held <- mixedlm(Reaction ~ Days, d,
    groups = "Subject", re_formula = ~Days,
    free = mixedlm_params(cov_re = diag(c(1, 0))), start = mixedlm_params(cov_re = diag(c(1, 0.05)))
  )
  expect_error(ranova(held), class = "mixedlm_error_free")
})

test_that("the spectral form is the likelihood ratio of the fits", {
  d <- unbalanced()
  model <- oracle_of(mixedlm(Reaction ~ Days + (1 | Subject), d, weights = w))
  root <- sqrt(model$w)
  x <- model$x * root
  z <- model$z[[1L]]$z * root
  complement <- qr.Q(qr(x), complete = TRUE)[, -(1:2)]
  projected <- crossprod(complement, z)
  s <- svd(projected, nu = nrow(projected))
  for (reml in c(TRUE, FALSE)) {
    for (divide in c(1, 20)) {
      # mostly noise, so that the ratio is moderate
      set.seed(2)
      d$y <- (d$Reaction - mean(d$Reaction)) / 50 / divide + rnorm(nrow(d)) / sqrt(d$w)
      fit <- mixedlm(y ~ Days + (1 | Subject), d, weights = w, REML = reml)
      u <- drop(crossprod(s$u, crossprod(complement, d$y * root)))^2
      spectrum <- component_spectrum(fit, 1L)
      expect_equal(sort(spectrum$mu), sort(s$d^2), tolerance = 1e-10)
      parts <- spectral_parts(spectrum, reml)
      # squares of the response's components, added up where eigenvalues are the same
      place <- vapply(s$d^2, function(mu) c(which(abs(parts$mu - mu) < 1e-6), NA)[1L], 0L)
      squares <- vapply(seq_along(parts$mu), function(k) sum(u[which(place == k)]), 0)
      expect_identical(as.vector(table(place)), parts$times)
      ratio <- spectral_ratio(matrix(squares, 1L), sum(u) - sum(squares), parts)
      expect_equal(ratio, ranova(fit, "naive")$LRT[2L], tolerance = 1e-3)
    }
  }
})

test_that("exact p-values are RLRsim's, up to the simulations", {
  skip_if_not_installed("RLRsim")
  skip_if_not_installed("lme4")
  d <- plain_data("Pastes", "lme4")
  set.seed(11)
  d$y <- d$strength + 3 * rnorm(60)
  for (reml in c(TRUE, FALSE)) {
    fit <- mixedlm(y ~ 1 + (1 | batch), d, REML = reml)
    theirs <- suppressMessages(lme4::lmer(y ~ 1 + (1 | batch), d, REML = reml))
    peer <- if (reml) {
      RLRsim::exactRLRT(theirs, seed = 1)
    } else {
      suppressMessages(RLRsim::exactLRT(theirs, lm(y ~ 1, d), seed = 1))
    }
    own <- ranova(fit, method = "exact", seed = 2)
    expect_equal(own$LRT[2L], unname(peer$statistic), tolerance = 1e-4)
    expect_gt(peer$p.value, 0.02)
    expect_lt(abs(own[["Pr(>Chisq)"]][2L] - peer$p.value), 0.02)
  }
  # beside another term
  fit <- pastes_fit()
  own <- ranova(fit, method = "exact", seed = 1)
  m <- list(strength ~ 1 + (1 | batch), strength ~ 1 + (1 | batch / cask), strength ~ 1 + (1 | batch:cask))
  m <- lapply(m, function(f) suppressMessages(do.call(lme4::lmer, list(f, d))))
  peer <- RLRsim::exactRLRT(m[[1L]], m[[2L]], m[[3L]], seed = 1)
  expect_lt(abs(own["(1 | cask:batch)", "Pr(>Chisq)"] - 1e-4), 1e-4)
  expect_lt(abs(own["(1 | batch)", "Pr(>Chisq)"] - peer$p.value), 0.02)
})

test_that("a seed gives the same answer and leaves the generator alone", {
  fit <- mixedlm(strength ~ 1 + (1 | batch), plain_data("Pastes", "lme4"))
  set.seed(5)
  before <- .Random.seed
  a <- ranova(fit, method = "exact", nsim = 500, seed = 3)
  expect_identical(.Random.seed, before)
  expect_identical(ranova(fit, method = "exact", nsim = 500, seed = 3), a)
  b <- ranova(fit, method = "exact", nsim = 500)
  expect_false(identical(.Random.seed, before))
  set.seed(5)
  expect_identical(ranova(fit, method = "exact", nsim = 500), b)
  after <- .Random.seed
  set.seed(5)
  draw_seed()
  expect_identical(.Random.seed, after)
})

test_that("the parametric bootstrap agrees with the exact distribution", {
  skip_if_not(exists("simulated_criteria", envir = asNamespace("mixedlm")), "the bootstrap's engine is there")
  d <- plain_data("Pastes", "lme4")
  set.seed(11)
  d$y <- d$strength + 3 * rnorm(60)
  fit <- mixedlm(y ~ 1 + (1 | batch), d)
  exact <- ranova(fit, method = "exact", seed = 1)[["Pr(>Chisq)"]][2L]
  own <- ranova(fit, method = "simulated", nsim = 400, seed = 1)
  p <- own[["Pr(>Chisq)"]][2L]
  expect_lt(abs(p - exact), 4 * sqrt(exact * (1 - exact) / 400) + 0.01)
  expect_equal(p * 401, round(p * 401))
  expect_match(attr(own, "method"), "parametric bootstrap, 400 replicates")
  slopes <- ranova(sleep_slopes(), method = "simulated", nsim = 20, seed = 1)
  expect_equal(slopes[["Pr(>Chisq)"]][2L], 1 / 21)
})

test_that("arguments are checked, and lme4's fits go to lmerTest", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
  expect_error(ranova(fit, "wald"), class = "mixedlm_error_argument")
  expect_error(ranova(fit, nsim = 0), class = "mixedlm_error_argument")
  expect_error(ranova(fit, reduce = FALSE, 1), class = "mixedlm_error_argument")
  expect_error(ranova(fit, "exact", seed = "a"), class = "mixedlm_error_argument")
  expect_error(ranova(fit, reduce.terms = NA), class = "mixedlm_error_argument")
  expect_error(ranova(1), class = "mixedlm_error_argument")
  skip_if_not_installed("lmerTest")
  m <- lmerTest::lmer(Weight ~ Time + (1 | Pig), dietox)
  expect_equal(ranova(m), lmerTest::ranova(m), ignore_attr = "formulae")
})

test_that("`nsim` is refused where nothing is simulated", {
  error <- expect_error(ranova(mixedlm(Weight ~ Time, dietox, groups = "Pig"), nsim = 10), class = "mixedlm_error_argument")
  expect_identical(error$argument, "nsim")
})

test_that("a long heading is printed on lines of ordinary width", {
  three <- mixedlm(Weight ~ Time + (1 | Litter) + (Time | Pig), dietox)
  tests <- ranova(three, method = "exact", nsim = 100, seed = 1)
  expect_gt(length(unique(attr(tests, "method"))), 1L)
  expect_lte(max(nchar(capture.output(print(tests)))), 80L)
  two <- ranova(mixedlm(Weight ~ Time + (1 | Litter) + (1 | Pig), dietox), method = "exact", nsim = 100, seed = 1)
  expect_lte(max(nchar(capture.output(print(two)))), 80L)
  expect_output(print(two), "the other random effects taken as known")
})

test_that("the names of a matrix' columns do not matter", {
  set.seed(5)
  X <- cbind(`(Intercept)` = 1, `if` = rnorm(24), `a b` = rnorm(24))
  g <- rep(1:6, 4)
  y <- rnorm(24) + rnorm(6)[g]
  odd <- ranova(mixedlm(X, y, groups = g), method = "naive")
  plain <- ranova(mixedlm(unname(X), y, groups = g), method = "naive")
  expect_equal(odd$logLik, plain$logLik)
  expect_equal(odd$LRT, plain$LRT)
})
