# Designs with crossed factors, and lme4's view of a fit of ours.

# Subjects answer items, with a covariate that varies within both; some answers
# are missing.
subjects_items <- function(subjects = 30L, items = 12L, missing = 0.2, seed = 1L,
                           sd = c(subject = 1, slope = 0.6, item = 0.8, noise = 1)) {
  set.seed(seed)
  d <- expand.grid(s = factor(seq_len(subjects)), i = factor(letters[seq_len(items)]))
  d$a <- rnorm(nrow(d))
  d$t <- 10 + 5 * rnorm(nrow(d))
  d$y <- 1 + 0.5 * d$a + sd[["subject"]] * rnorm(subjects)[d$s] + sd[["slope"]] * rnorm(subjects)[d$s] * d$a +
    sd[["item"]] * rnorm(items)[d$i] + sd[["noise"]] * rnorm(nrow(d))
  d$w <- sample(c(0.5, 1, 4), nrow(d), TRUE)
  d <- d[runif(nrow(d)) >= missing, ]
  rownames(d) <- NULL
  d
}

# Classes within schools, items across them all.
classes_items <- function(seed = 2L) {
  set.seed(seed)
  d <- expand.grid(pupil = 1:5, class = factor(1:3), school = factor(1:8), item = factor(1:6))
  cell <- interaction(d$school, d$class)
  d$x <- rnorm(nrow(d))
  d$y <- d$x + rnorm(8)[d$school] + 0.7 * rnorm(24)[cell] + 1.2 * rnorm(6)[d$item] + rnorm(nrow(d))
  d[sample(nrow(d), 500), ]
}

# 12 groups with two factors that cross in each of them, some cells empty.
factors_within_groups <- function() {
  set.seed(9)
  d <- expand.grid(g = 1:12, a = letters[1:4], b = LETTERS[1:5])
  d <- d[-sample(nrow(d), 40), ]
  d$x <- rnorm(nrow(d))
  ga <- interaction(d$g, d$a)
  gb <- interaction(d$g, d$b)
  d$y <- d$x + rnorm(nrow(d)) + rnorm(12)[d$g] + 1.5 * rnorm(nlevels(ga))[ga] + 0.7 * rnorm(nlevels(gb))[gb]
  rownames(d) <- NULL
  d
}

# Two departments of InstEval.
some_departments <- function() {
  d <- from_package("InstEval", "lme4")
  droplevels(d[d$dept %in% c("2", "5"), ])
}

# lmer's optimum, found as tightly as it can: two optimisers, each started again
# from where it ended.
tight_lmer <- function(formula, data, reml = TRUE, ...) {
  controls <- list(
    lme4::lmerControl(
      optimizer = "bobyqa", calc.derivs = FALSE,
      optCtrl = list(rhobeg = 0.2, rhoend = 1e-9, maxfun = 1e5)
    ),
    lme4::lmerControl(
      optimizer = "nloptwrap", calc.derivs = FALSE,
      optCtrl = list(xtol_abs = 1e-10, ftol_abs = 1e-12, maxeval = 1e5)
    )
  )
  best <- NULL
  for (control in controls) {
    fit <- best
    for (again in 1:2) {
      start <- if (!is.null(fit)) lme4::getME(fit, "theta")
      fit <- suppressMessages(suppressWarnings(do.call(
        lme4::lmer, list(formula, data, REML = reml, control = control, start = start, ...)
      )))
    }
    if (is.null(best) || lme4_criterion(fit) < lme4_criterion(best)) {
      best <- fit
    }
  }
  best
}

lme4_criterion <- function(fit) -2 * as.numeric(stats::logLik(fit))

# lme4's model at our estimates of theta: all that it computes from there can be
# compared closely, whatever its optimiser would do.
lmer_at <- function(fit, data, ...) {
  parts <- suppressMessages(suppressWarnings(do.call(
    lme4::lFormula, list(formula(fit), data, REML = fit$reml, ...)
  )))
  devfun <- do.call(lme4::mkLmerDevfun, parts)
  theta <- unname(getME(fit, "theta"))
  value <- devfun(theta)
  lme4::mkMerMod(
    environment(devfun), list(par = theta, fval = value, conv = 0L, message = ""),
    parts$reTrms, parts$fr
  )
}

plain_list <- function(x) lapply(x, identity)

# Estimates, effects and their covariances, fitted values and pieces, compared
# with lme4's at the same theta.
expect_same_as_lme4 <- function(ours, theirs, tolerance = 1e-7) {
  expect_equal(ours$criterion, lme4_criterion(theirs), tolerance = 1e-9)
  expect_equal(fixef(ours), lme4::fixef(theirs), tolerance = tolerance)
  expect_equal(vcov(ours), as.matrix(vcov(theirs)), tolerance = tolerance)
  expect_equal(sigma(ours), sigma(theirs), tolerance = tolerance)
  expect_equal(
    as.data.frame(VarCorr(ours)), as.data.frame(lme4::VarCorr(theirs)),
    tolerance = tolerance, ignore_attr = "class"
  )
  expect_equal(fitted(ours), fitted(theirs), tolerance = tolerance, ignore_attr = "names")
  expect_equal(
    residuals(ours, "pearson"), residuals(theirs, "pearson"),
    tolerance = 10 * tolerance, ignore_attr = "names"
  )
  expect_equal(ngrps(ours), lme4::ngrps(theirs))
  expect_identical(isSingular(ours), lme4::isSingular(theirs))
  b <- ranef(ours, condVar = TRUE)
  theirs_b <- lme4::ranef(theirs, condVar = TRUE)
  expect_identical(names(b), names(theirs_b))
  for (g in names(b)) {
    expect_identical(dimnames(b[[g]]), dimnames(theirs_b[[g]]))
    expect_equal(unlist(b[[g]]), unlist(theirs_b[[g]]), tolerance = 10 * tolerance)
    expect_equal(
      attr(b[[g]], "postVar"), attr(theirs_b[[g]], "postVar"),
      tolerance = 10 * tolerance, ignore_attr = "names"
    )
  }
  expect_equal(plain_list(coef(ours)), plain_list(coef(theirs)), tolerance = 10 * tolerance)
  for (part in c("theta", "lower", "beta", "n", "p", "q", "REML", "offset", "mu", "cnms")) {
    expect_equal(getME(ours, part), lme4::getME(theirs, part), tolerance = tolerance, info = part)
  }
  expect_equal(as.numeric(getME(ours, "b")), as.numeric(lme4::getME(theirs, "b")), tolerance = 10 * tolerance)
  expect_equal(plain_list(getME(ours, "flist")), plain_list(lme4::getME(theirs, "flist")), ignore_attr = "assign")
}

# Never above lme4's optimum, and not at another one.
expect_as_low_as <- function(ours, theirs, excess = 1e-6) {
  expect_lte(ours$criterion, lme4_criterion(theirs) + excess)
  expect_gte(ours$criterion, lme4_criterion(theirs) - 1e-3)
}
