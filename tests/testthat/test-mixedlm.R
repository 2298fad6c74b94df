pastes <- function() from_package("Pastes", "lme4")
sleep <- function() from_package("sleepstudy", "lme4")
same_fit <- function(a, b, tolerance = 1e-8) {
  expect_equal(a$criterion, b$criterion, tolerance = tolerance)
  expect_equal(unname(a$fe_params), unname(b$fe_params), tolerance = 1e-6)
  expect_equal(a$scale, b$scale, tolerance = 1e-5)
}

test_that("every way to say a model gives the same fit", {
  intercepts <- mixedlm(Weight ~ Time, data = dietox, groups = "Pig")
  for (fit in list(
    mixedlm(Weight ~ Time, dietox, groups = ~Pig), mixedlm(Weight ~ Time, dietox, groups = Pig),
    mixedlm(Weight ~ Time, dietox, groups = dietox$Pig), mixedlm("Weight ~ Time", dietox, groups = "Pig"),
    mixedlm(Weight ~ Time + (1 | Pig), dietox), mixedlm(Weight ~ Time, dietox, groups = "Pig", re_formula = "1"),
    mixedlm(Weight ~ Time, dietox, groups = as.character(dietox$Pig), re_formula = ~1),
    mixedlm(dietox$Weight ~ dietox$Time, groups = dietox$Pig),
    with(dietox, mixedlm(cbind(1, Time), Weight, groups = Pig)),
    mixedlm(Weight ~ Time, dietox, vc_formula = list(pig = ~ 0 + Pig)),
    mixedlm(Weight ~ Time, dietox, groups = rep(1, 861), vc_formula = list(pig = "0 + C(Pig)"))
  )) {
    same_fit(fit, intercepts)
  }
  slopes <- mixedlm(Weight ~ Time, dietox, groups = "Pig", re_formula = ~Time)
  X <- cbind(1, dietox$Time)
  for (fit in list(
    mixedlm(Weight ~ Time + (Time | Pig), dietox), mixedlm(Weight ~ Time + us(1 + Time | Pig), dietox),
    mixedlm(X, dietox$Weight, groups = dietox$Pig, exog_re = X)
  )) {
    same_fit(fit, slopes)
  }
  expect_equal(as.numeric(logLik(slopes)), -2217.0475, tolerance = 1e-7)
})

test_that("independent slopes have five names", {
  diagonal <- mixedlm(Weight ~ Time, dietox, groups = "Pig", re_formula = ~Time, free = "diagonal")
  expect_equal(as.numeric(logLik(diagonal)), -2217.3481, tolerance = 1e-7)
  mask <- mixedlm_params(fe_params = c(1, 1), cov_re = diag(2))
  for (fit in list(
    mixedlm(Weight ~ Time, dietox, groups = "Pig", re_formula = ~Time, free = mask),
    mixedlm(Weight ~ Time + (Time || Pig), dietox), mixedlm(Weight ~ Time + diag(Time | Pig), dietox),
    mixedlm(Weight ~ Time, dietox, groups = "Pig", re_formula = ~1, vc_formula = list(slope = ~ 0 + Time))
  )) {
    same_fit(fit, diagonal)
  }
})

test_that("nested factors are the same in both vocabularies", {
  want <- mixedlm(strength ~ 1 + (1 | batch / cask), pastes())
  for (fit in list(
    mixedlm(strength ~ 1, pastes(), groups = "batch", re_formula = ~1, vc_formula = list(cask = ~ 0 + cask)),
    mixedlm(strength ~ 1 + (1 | batch) + (1 | sample), pastes()),
    with(pastes(), mixedlm(matrix(1, 60, 1), strength, groups = batch, exog_re = rep(1, 60), exog_vc = list(cask = cask)))
  )) {
    same_fit(fit, want)
  }
})

test_that("fits agree with lmer's, whatever data handling they need", {
  skip_if_not_installed("lme4")
  d <- sleep()
  set.seed(8)
  d$w <- runif(180, 0.5, 2)
  d$half <- factor(rep(c("a", "b"), 90))
  d$Reaction[c(3, 77)] <- NA
  d$Days[5] <- NA
  d$Subject[9] <- NA
  models <- list(
    list(Reaction ~ Days + (Days | Subject), list()),
    list(Reaction ~ Days + (Days | Subject), list(weights = quote(w / 2), REML = FALSE)),
    list(log(Reaction) ~ poly(Days, 2) * half + (Days || Subject), list(data = quote(d[-(1:9), ]))),
    list(Reaction ~ splines::ns(Days, 3) + offset(10 * Days) + (1 | Subject), list(subset = quote(Days > 1 & Subject != "308"))),
    list(Reaction ~ half + (half | Subject), list(offset = quote(Days), contrasts = list(half = "contr.sum"))),
    list(Reaction ~ Days + (0 + half | Subject), list(na.action = quote(na.exclude)))
  )
  for (m in models) {
    arguments <- utils::modifyList(list(formula = m[[1L]], data = quote(d)), m[[2L]])
    theirs <- suppressWarnings(suppressMessages(eval(as.call(c(list(quote(lme4::lmer)), arguments)))))
    ours <- eval(as.call(c(list(quote(mixedlm)), arguments)))
    crit <- if (lme4::isREML(theirs)) lme4::REMLcrit(theirs) else deviance(theirs)
    expect_lte(ours$criterion, crit + 1e-6)
    expect_equal(ours$criterion, crit, tolerance = 1e-6)
    expect_equal(unname(ours$fe_params), unname(lme4::fixef(theirs)), tolerance = 1e-3)
    expect_identical(names(ours$fe_params), names(lme4::fixef(theirs)))
    again <- mixedlm(theirs)
    same_fit(again, ours)
  }
})

test_that("an lmer fit is fitted again without its data, and with another criterion", {
  skip_if_not_installed("lme4")
  gone <- sleep()
  theirs <- lme4::lmer(Reaction ~ Days + (Days | Subject), gone, REML = FALSE)
  rm(gone)
  again <- mixedlm(theirs)
  expect_false(again$reml)
  expect_equal(again$criterion, deviance(theirs), tolerance = 1e-7)
  restricted <- lme4::lmer(Reaction ~ Days + (Days | Subject), sleep())
  expect_equal(mixedlm(theirs, REML = TRUE)$criterion, lme4::REMLcrit(restricted), tolerance = 1e-7)
  expect_identical(again$call[[1L]], quote(mixedlm))
})

test_that("a call inside a function finds its arguments", {
  inner <- function(data, w, g) {
    f <- Weight ~ Time
    mixedlm(f, data, weights = w, groups = g)
  }
  outer <- function(f, data, w, ...) mixedlm(f, data, weights = w, ...)
  want <- mixedlm(Weight ~ Time, dietox, weights = Start, groups = "Pig")
  same_fit(inner(dietox, dietox$Start, "Pig"), want)
  same_fit(outer(Weight ~ Time, dietox, dietox$Start, groups = "Pig"), want)
  same_fit(do.call(mixedlm, list(Weight ~ Time, dietox, groups = "Pig", weights = dietox$Start)), want)
})

test_that("what is held stays where it is, and the rest is fitted around it", {
  held <- mixedlm(Weight ~ Time, dietox,
    groups = "Pig", re_formula = ~Time, start = mixedlm_params(fe_params = c(0, 6.5)),
    free = mixedlm_params(fe_params = c(1, 0))
  )
  expect_identical(held$fe_params[["Time"]], 6.5)
  expect_identical(unname(vcov(held)["Time", ]), c(0, 0))
  by_hand <- mixedlm(Weight ~ 1 + offset(6.5 * Time) + (Time | Pig), dietox)
  expect_equal(held$criterion, by_hand$criterion, tolerance = 1e-9)
  expect_equal(fitted(held), fitted(by_hand), tolerance = 1e-6)
  variance <- mixedlm(Weight ~ Time, dietox,
    groups = "Pig", start = mixedlm_params(cov_re = 2), free = mixedlm_params(cov_re = 0)
  )
  expect_equal(variance$cov_re_unscaled[1L], 2)
  component <- mixedlm(strength ~ 1, pastes(),
    groups = "batch", re_formula = ~1, vc_formula = list(cask = ~ 0 + cask),
    free = mixedlm_params(vcomp = 0), start = mixedlm_params(vcomp = c(cask = 3))
  )
  expect_equal(component$vcomp[["cask"]], 3 * component$scale)
})

test_that("every start leads to the same optimum, and that of a fit at once", {
  want <- mixedlm(Weight ~ Time + (Time | Pig), dietox)
  for (start in list(
    c(1, 0, 1), list(theta = c(20, -3, 0.01)), mixedlm_params(cov_re = matrix(c(9, 1, 1, 1), 2)), want
  )) {
    expect_equal(mixedlm(Weight ~ Time + (Time | Pig), dietox, start = start)$criterion, want$criterion, tolerance = 1e-9)
  }
  again <- mixedlm(Weight ~ Time + (Time | Pig), dietox, start = want)
  expect_lte(again$optinfo$iterations, 2)
})

# Data that stretch a fit: the result is a classed error, or a fit with finite
# numbers; never anything else.
stretched <- function() {
  set.seed(4)
  d <- data.frame(y = rnorm(40), x = rnorm(40), g = rep(1:8, each = 5), f = factor(rep(c("u", "v"), 20)))
  list(
    huge = transform(d, y = y * 1e300), tiny = transform(d, y = y * 1e-300), huge_x = transform(d, x = x * 1e300),
    tiny_x = transform(d, x = x * 1e-300), one_group = transform(d, g = 1), row_per_group = transform(d, g = 1:40),
    unused = transform(d, f = factor(f, levels = c("w", "u", "v"))), constant_x = transform(d, x = 3),
    zero_x = transform(d, x = 0), shifted = transform(d, y = y + 1e12), perfect = transform(d, y = 2 + 3 * x),
    step = transform(d, y = as.numeric(g)), integers = transform(d, y = as.integer(round(10 * y))),
    two_groups = transform(d, g = c(1, rep(2, 39))), single_rows = transform(d, g = c(1:20, rep(21, 20)))
  )
}

test_that("stretched data give a classed error or finite numbers", {
  cases <- stretched()
  for (name in names(cases)) {
    for (f in list(y ~ x + f + (1 | g), y ~ x + f + (x | g), y ~ f + (0 + x | g))) {
      said <- suppressWarnings(suppressMessages(tryCatch(mixedlm(f, cases[[name]]), error = identity)))
      label <- paste(name, one_line(f))
      expect(
        inherits(said, "mixedlm_error") || inherits(said, "mixedlm") &&
          all(is.finite(c(said$fe_params, said$scale, said$criterion, unlist(said$psi)))),
        paste0(label, ": ", if (inherits(said, "condition")) conditionMessage(said) else "numbers that are not finite")
      )
    }
  }
})

test_that("columns with awkward names and lists among the data do no harm", {
  d <- data.frame(y = rnorm(30), `if` = rnorm(30), `a b` = rnorm(30), `%s%n` = rep(1:6, 5), check.names = FALSE)
  d$spare <- lapply(1:30, identity)
  fit <- mixedlm(y ~ `if` + `a b` + (`a b` | `%s%n`), d)
  expect_identical(names(fit$fe_params), c("(Intercept)", "`if`", "`a b`"))
  expect_s3_class(mixedlm(y ~ `if`, d, groups = "%s%n"), "mixedlm")
})

test_that("fits of lmer's are taken with everything that they were made with", {
  skip_if_not_installed("lme4")
  set.seed(1)
  d <- from_package("sleepstudy", "lme4")
  d$w <- runif(180) + 0.5
  d$f <- factor(rep(1:3, 60))
  d$o <- rnorm(180)
  d$m <- replace(d$Days, c(3, 50), NA)
  fits <- suppressMessages(suppressWarnings(list(
    weights = lme4::lmer(Reaction ~ Days + (Days | Subject), d, weights = w),
    offset = lme4::lmer(Reaction ~ Days + (1 | Subject), d, offset = o),
    inner_offset = lme4::lmer(Reaction ~ Days + offset(o) + (1 | Subject), d),
    subset = lme4::lmer(Reaction ~ Days + (1 | Subject), d, subset = Days > 1),
    contrasts = lme4::lmer(Reaction ~ Days * f + (1 | Subject), d, contrasts = list(f = "contr.sum")),
    poly = lme4::lmer(log(Reaction) ~ poly(Days, 2) + (1 | Subject), d),
    splines = lme4::lmer(Reaction ~ splines::ns(Days, 3) + (1 | Subject), d),
    exclude = lme4::lmer(Reaction ~ m + (1 | Subject), d, na.action = na.exclude),
    double = lme4::lmer(Reaction ~ m + (Days || Subject), d),
    control = lme4::lmer(Reaction ~ Days + (Days | Subject), d, start = c(1, 0, 0.2), control = lme4::lmerControl("bobyqa")),
    nested = lme4::lmer(Reaction ~ Days + (1 | f / Subject), d, REML = FALSE),
    scaled = lme4::lmer(scale(Reaction) ~ scale(Days) + (1 | Subject), d),
    string = lme4::lmer("Reaction ~ Days + (1 | Subject)", d)
  )))
  for (name in names(fits)) {
    theirs <- fits[[name]]
    ours <- mixedlm(theirs)
    expect_as_low_as(ours, theirs, 1e-6)
    expect_identical(names(model.frame(ours)), names(model.frame(theirs)), info = name)
    expect_equal(fitted(ours), fitted(theirs), tolerance = 1e-3, info = name)
    expect_identical(names(fixef(ours)), names(lme4::fixef(theirs)), info = name)
    expect_equal(update(ours, . ~ .)$criterion, ours$criterion, tolerance = 1e-9, info = name)
    expect_equal(lme4_criterion(as_lmer(ours)), ours$criterion, tolerance = 1e-9, info = name)
  }
  skip_if_not_installed("lmerTest")
  theirs <- lmerTest::lmer(Reaction ~ Days + (Days | Subject), d)
  expect_as_low_as(mixedlm(theirs), theirs, 1e-6)
})
