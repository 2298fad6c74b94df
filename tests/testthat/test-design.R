design_of <- function(formula, data, contrasts = NULL, ...) {
  p <- parse_formula(formula, ..., data = data)
  build_design(p, model_frame(p, data), contrasts)
}

set.seed(11)
d <- data.frame(
  y = rnorm(48), x = rnorm(48), z = rnorm(48), i = rep(1:3, 16),
  f = factor(rep(c("u", "v", "w"), 16)), s = rep(c("p", "q"), 24),
  l = rep(c(TRUE, FALSE, FALSE), 16), g = rep(1:8, each = 6),
  o = factor(rep(1:4, 12), ordered = TRUE), day = as.Date("2024-01-01") + rep(0:5, 8)
)
d[["a b"]] <- d$z

test_that("X is model.matrix(), with its names, assign and contrasts but without row names", {
  formulas <- list(
    y ~ x, y ~ 0 + x, y ~ 1, y ~ x * f + l, y ~ 0 + f + s, y ~ f:x - 1, y ~ o + s * l,
    y ~ poly(x, 2) * f, y ~ splines::ns(x, 3) + `a b`, y ~ I(x^2) + log(x^2) + offset(z),
    y ~ day + factor(i), y ~ f:s, y ~ -1 + l
  )
  for (f in formulas) {
    with_bar <- f
    with_bar[[3L]] <- call("+", f[[3L]], quote((1 | g)))
    for (contrasts in list(NULL, list(f = "contr.sum"), list(f = contr.helmert(3)))) {
      if (!all(names(contrasts) %in% all.vars(f))) next
      want <- model.matrix(f, model.frame(f, d), contrasts.arg = contrasts)
      dimnames(want) <- list(NULL, colnames(want))
      got <- design_of(with_bar, d, contrasts)
      expect_equal(got$x, want, tolerance = 0, label = one_line(f))
    }
    fit <- lm(f, d)
    expect_equal(attr(got$terms_fixed, "predvars"), attr(terms(fit), "predvars"), label = one_line(f))
    expect_identical(attr(got$terms_fixed, "dataClasses"), attr(terms(fit), "dataClasses"))
  }
})

test_that("random columns that X holds are not copied", {
  reused <- function(f, contrasts = NULL) lapply(design_of(f, d, contrasts)$terms, `[[`, "x_columns")
  expect_identical(reused(y ~ x + (x | g)), list(c(0L, 2L)))
  expect_identical(reused(y ~ 0 + x + (x | g)), list(c(0L, 1L)))
  expect_identical(reused(y ~ x + z + (0 + z + x | g)), list(c(3L, 2L)))
  expect_identical(reused(y ~ x * z + (x:z | g)), list(c(0L, 4L)))
  expect_identical(reused(y ~ poly(x, 2) + (poly(x, 2) | g)), list(c(0L, 2L, 3L)))
  expect_identical(reused(y ~ f + (f | g)), list(c(0L, 2L, 3L)))
  expect_identical(reused(y ~ 1 + (x | g)), list(NULL))
  # the coding of a factor differs
  expect_identical(reused(y ~ f + (0 + f | g)), list(NULL))
  expect_identical(reused(y ~ 0 + f + (f | g)), list(NULL))
  expect_identical(reused(y ~ f + (f | g), list(f = "contr.sum")), list(NULL))
})

test_that("columns of a random term are those of model.matrix(), reused or not", {
  for (f in list(~x, ~ 0 + x, ~f, ~ 0 + f, ~ x * f, ~ poly(z, 2), ~ l + s, ~ x:z)) {
    for (fixed in list(y ~ x * z * f, y ~ 1, y ~ 0 + f + x)) {
      formula <- fixed
      formula[[3L]] <- call("+", fixed[[3L]], call("(", call("|", f[[2L]], quote(g))))
      made <- design_of(formula, d)
      term <- made$terms[[1L]]
      z <- if (is.null(term$z)) cbind(1, made$x)[, term$x_columns + 1L, drop = FALSE] else term$z
      want <- model.matrix(f, d)
      expect_identical(term$columns, colnames(want))
      expect_equal(unname(z), unname(want), tolerance = 0, ignore_attr = TRUE)
    }
  }
})

test_that("terms stand in lme4's order", {
  skip_if_not_installed("lme4")
  more <- transform(d, h = rep(1:4, each = 12), k = rep(1:12, 4), m = rep(1:8, 6))
  control <- lme4::lmerControl(check.nobs.vs.nRE = "ignore", calc.derivs = FALSE)
  for (f in list(
    y ~ x + (1 | h) + (x || g), y ~ x + (x || h) + (1 | k), y ~ (1 | h) + (1 | k) + (0 + x | k),
    y ~ (1 | k) + (1 | g) + (1 | h), y ~ x + (1 | g) + (1 | m) + (1 | k), y ~ x + (x || h / g)
  )) {
    theirs <- suppressMessages(suppressWarnings(lme4::lmer(f, more, control = control)))
    ours <- design_of(f, more)
    of <- vapply(ours$terms, `[[`, 0L, "factor")
    expect_identical(vapply(ours$factors[of], `[[`, "", "name"), names(lme4::getME(theirs, "cnms")) |> sub(pattern = "\\.[0-9]+$", replacement = ""))
    expect_identical(lapply(ours$terms, `[[`, "columns"), unname(lme4::getME(theirs, "cnms")))
  }
})

test_that("a factor among the components groups rows within the groups", {
  skip_if_not_installed("lme4")
  g <- list(expr = quote(batch), label = "batch")
  nested <- design_of(strength ~ 1, lme4::Pastes, NULL, g, ~1, list(cask = ~ 0 + cask))
  expect_identical(vapply(nested$factors, `[[`, "", "name"), c("batch", "cask:batch"))
  expect_identical(nested$terms[[2L]][c("kind", "name", "structure", "x_columns")], list(kind = "vc", name = "cask", structure = "scalar", x_columns = 0L))
  crossed <- design_of(diameter ~ 1, lme4::Penicillin, NULL, NULL, NULL, list(plate = ~ 0 + plate, sample = ~ 0 + sample))
  expect_identical(vapply(crossed$factors, `[[`, "", "name"), c("plate", "sample"))
})

test_that("components of numbers share one variance, and mixtures are coded within the groups", {
  g <- list(expr = quote(g), label = "g")
  made <- design_of(y ~ x, d, NULL, g, NULL, list(a = ~ 0 + x + z, b = ~ 0 + f:x, c = ~f, e = ~ 0 + f + z))
  columns <- lapply(made$terms, `[[`, "columns")
  expect_identical(columns, list(c("x", "z"), "x", c("(Intercept)", "f2", "f3"), c("f1", "f2", "f3", "z")))
  expect_identical(vapply(made$terms, `[[`, "", "structure"), rep("scalar", 4))
  expect_identical(made$factors[[made$terms[[2L]]$factor]]$name, "f:g")
  # the first level that occurs in a group is its reference, whatever it is
  few <- transform(d, f = factor(ifelse(g > 4, as.character(f), paste0(f, "2"))))
  ranked <- design_of(y ~ x, few, NULL, g, NULL, list(c = ~f))
  expect_identical(ranked$terms[[1L]]$columns, c("(Intercept)", "f2", "f3"))
})

test_that("response, weights and offset are plain doubles", {
  p <- parse_formula(I(2 * i) ~ x + offset(z) + (1 | g))
  made <- build_design(p, model_frame(p, d, list(weights = d$i, offset = d$x)))
  expect_identical(made$y, 2 * as.double(d$i))
  expect_identical(made$weights, as.double(d$i))
  expect_identical(made$offset, d$x + d$z)
  expect_identical(design_of(l ~ x + (1 | g), d)$y, as.double(d$l))
  expect_identical(design_of(scale(y) ~ x + (1 | g), d)$y, as.vector(scale(d$y)))
})

test_that("extreme but finite numbers are let in", {
  wide <- transform(d, x = x * 1e300, y = y * 1e-300)
  wide$x[1:2] <- c(1.7e308, 1.7e308)
  expect_identical(design_of(y ~ x + (1 | g), wide)$x[, 2L], wide$x)
  expect_error(design_of(y ~ x + (x | g), wide), "rescale", class = "mixedlm_error_scale")
})

test_that("collinear columns are left to the engine, but not more of them than rows", {
  expect_identical(ncol(design_of(y ~ x + I(2 * x) + (1 | g), d)$x), 3L)
  expect_error(design_of(y ~ x + z + f + (1 | g), d[c(1:3, 7), ]), class = "mixedlm_error_rows")
  expect_identical(ncol(design_of(y ~ x + I(2 * x) + I(3 * x) + (1 | g), d[c(1:3, 7), ])$x), 4L)
})

test_that("weights of next to nothing are let in as long as enough other rows count", {
  set.seed(3)
  d <- data.frame(g = rep(1:12, each = 5), x = rnorm(60))
  d$y <- d$x + rnorm(12)[d$g] + rnorm(60)
  with_tiny <- function(tiny) mixedlm(y ~ x + (1 | g), d, weights = rep(c(1, tiny), 30))
  expect_equal(with_tiny(1e-30)$params, with_tiny(1e-12)$params, tolerance = 1e-6)
})

test_that("an offset as large as the response is let in", {
  set.seed(3)
  d <- data.frame(g = rep(1:12, each = 5), x = rnorm(60))
  d$y <- d$x + rnorm(12)[d$g] + rnorm(60)
  shifted <- mixedlm(y + 1e6 ~ x + (1 | g), d, offset = rep(1e6, 60))
  expect_equal(fixef(shifted), fixef(mixedlm(y ~ x + (1 | g), d)), tolerance = 1e-6)
})

test_that("what is made of a fit later does not depend on the contrasts that are the default then", {
  d <- from_package("Machines", "nlme")
  d <- transform(as.data.frame(d), Machine = factor(Machine), Worker = factor(as.character(Worker)))
  fit <- mixedlm(score ~ 1 + (Machine | Worker), d)
  use <- function() {
    list(
      prediction_se(fit), getME(fit, "Z"), hatvalues(fit), ranef(fit, condVar = TRUE),
      predict(fit, d[1:4, ], se.fit = TRUE), refit(fit, d$score + d$score^2 / 100)$theta
    )
  }
  expected <- use()
  old <- options(contrasts = c("contr.sum", "contr.poly"))
  on.exit(options(old))
  expect_identical(use(), expected)
  again <- refit(fit, d$score + 1)
  options(old)
  expect_equal(prediction_se(again), prediction_se(fit))
})

test_that("contrasts of a variable that is not in the fixed effects are passed over", {
  d <- transform(dietox, f = factor(Time %% 3))
  given <- list(f = "contr.sum", Cu = "contr.sum")
  fit <- mixedlm(Weight ~ Time + f + Cu + (1 | Pig), d, contrasts = given)
  expect_warning(smaller <- update(fit, . ~ . - f), "`f`", class = "mixedlm_warning_contrasts")
  expect_equal(smaller$criterion, mixedlm(Weight ~ Time + Cu + (1 | Pig), d, contrasts = given["Cu"])$criterion)
  expect_warning(mixedlm(Weight ~ Time + Cu + (1 | Pig), d, contrasts = list(cu = "contr.sum")), "Did you mean `Cu`")
})
