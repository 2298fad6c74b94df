# 12 groups with two factors that cross in each of them, some cells empty.
crossed_within <- function() {
  set.seed(9)
  d <- expand.grid(g = 1:12, a = letters[1:4], b = LETTERS[1:5])
  d <- d[-sample(nrow(d), 40), ]
  d$x <- rnorm(nrow(d))
  ga <- interaction(d$g, d$a)
  gb <- interaction(d$g, d$b)
  d$y <- d$x + rnorm(nrow(d)) + rnorm(12)[d$g] + 1.5 * rnorm(nlevels(ga))[ga] + 0.7 * rnorm(nlevels(gb))[gb]
  d
}

test_that("factors that cross within independent groups are fitted as lmer fits them", {
  skip_if_not_installed("lme4")
  d <- crossed_within()
  for (f in list(
    y ~ x + (1 | g) + (1 | g:a) + (1 | g:b), y ~ x + (x | g) + (0 + x | g:a) + (1 | g:a) + (1 | g:b)
  )) {
    theirs <- suppressWarnings(suppressMessages(lme4::lmer(f, d, control = lme4::lmerControl(optimizer = "bobyqa"))))
    ours <- mixedlm(f, d)
    expect_lte(ours$criterion, lme4::REMLcrit(theirs) + 1e-6)
    expect_equal(ours$criterion, lme4::REMLcrit(theirs), tolerance = 1e-5)
  }
  f <- y ~ x + (1 | g) + (1 | g:a) + (1 | g:b)
  theirs <- lme4::lmer(f, d)
  ours <- mixedlm(f, d)
  expect_equal(fitted(ours), fitted(theirs), tolerance = 1e-4, ignore_attr = TRUE)
  for (name in c("g", "g:a", "g:b")) {
    mine <- nlme::ranef(ours)[[name]]
    other <- lme4::ranef(theirs)[[name]]
    expect_identical(rownames(mine), rownames(other))
    expect_equal(mine[[1L]], other[[1L]], tolerance = 1e-3)
  }
})

test_that("components that cross within the groups need no effect of the groups themselves", {
  d <- crossed_within()
  vc <- list(a = ~ 0 + a, b = ~ 0 + b)
  without <- mixedlm(y ~ x, d, groups = "g", vc_formula = vc)
  skip_if_not_installed("lme4")
  expect_equal(without$criterion, lme4::REMLcrit(lme4::lmer(y ~ x + (1 | g:a) + (1 | g:b), d)), tolerance = 1e-7)
  expect_identical(names(without$vcomp), c("a", "b"))
  expect_identical(without$optinfo$engine, "grouped")
  expect_match(without$optinfo$reason, "folded")
})

test_that("only what has to be is folded", {
  d <- crossed_within()
  made <- function(f, groups = NULL, vc = NULL) {
    p <- parse_formula(f, groups, NULL, vc)
    engine_design(build_design(p, model_frame(p, d)), p)
  }
  nested <- made(y ~ x + (1 | g / a))
  expect_null(nested$folded)
  one <- made(y ~ x + (1 | g) + (1 | g:a) + (1 | g:b))
  expect_identical(which(!vapply(one$folded, is.null, NA)), 2L)
  expect_identical(one$terms[[2L]]$structure, "scalar")
  # crossed for good: left as it is, for the crossed engine
  both <- made(y ~ x + (1 | a) + (1 | b))
  expect_null(both$folded)
  expect_identical(mixedlm(y ~ x + (1 | a) + (1 | b), d)$optinfo$engine, "crossed")
  slopes <- mixedlm(y ~ x + (x | g) + (x | g:a) + (x | g:b), d)
  expect_identical(slopes$optinfo$engine, "crossed")
  expect_identical(rownames(slopes$cov_re), c("(Intercept)", "x"))
  expect_equal(slopes$group_sizes[["n"]], 12)
  skip_if_not_installed("lme4")
  theirs <- lmer_at(slopes, d)
  expect_equal(slopes$criterion, lme4_criterion(theirs), tolerance = 1e-9)
  expect_equal(fitted(slopes), fitted(theirs), tolerance = 1e-6, ignore_attr = TRUE)
})

test_that("a held component may be folded too", {
  fit <- mixedlm(y ~ x, crossed_within(),
    groups = "g", re_formula = ~1, vc_formula = list(a = ~ 0 + a, b = ~ 0 + b),
    start = mixedlm_params(vcomp = c(a = 2, b = 0.5)), free = mixedlm_params(vcomp = c(a = 0, b = 0))
  )
  expect_equal(fit$vcomp / fit$scale, c(a = 2, b = 0.5))
})
