labels_of <- function(formula, d, contrasts = NULL) {
  frame <- stats::model.frame(formula, d)
  tt <- stats::terms(frame)
  x <- stats::model.matrix(tt, frame, contrasts.arg = contrasts)
  translate_columns(colnames(x), tt, frame, attr(x, "contrasts"), attr(x, "assign"))
}
d <- data.frame(
  y = c(1.5, 2, 3, 4.5, 5, 7, 6, 8), x = c(0, 1, 0, 1, 2, 2, 3, 3),
  f = factor(rep(c("a", "b"), 4)), g = factor(rep(c("u", "v", "w", "z"), each = 2)),
  late = rep(c(TRUE, FALSE), c(3, 5)), s = rep(c("p", "q"), each = 4)
)

test_that("treatment contrasts, interactions and numeric terms", {
  expect_identical(labels_of(y ~ x, d), c("Intercept", "x"))
  expect_identical(labels_of(y ~ g, d), c("Intercept", "g[T.v]", "g[T.w]", "g[T.z]"))
  expect_identical(
    labels_of(y ~ x * f, d), c("Intercept", "x", "f[T.b]", "x:f[T.b]")
  )
  expect_identical(labels_of(y ~ log(x + 1) + I(x^2), d), c("Intercept", "log(x + 1)", "I(x^2)"))
  expect_identical(labels_of(y ~ f:g, d)[2:3], c("f[a]:g[u]", "f[b]:g[u]"))
  expect_identical(labels_of(y ~ late + s, d), c("Intercept", "late[T.True]", "s[T.q]"))
})

test_that("full codings", {
  expect_identical(labels_of(y ~ 0 + f, d), c("f[a]", "f[b]"))
  expect_identical(labels_of(y ~ 0 + f + late, d), c("f[a]", "f[b]", "late[T.True]"))
  expect_identical(labels_of(y ~ 0 + f:x, d), c("f[a]:x", "f[b]:x"))
  expect_identical(labels_of(y ~ f / x, d), c("Intercept", "f[T.b]", "f[a]:x", "f[b]:x"))
})

test_that("other contrasts", {
  expect_identical(labels_of(y ~ g, d, list(g = "contr.sum"))[-1], c("g[S.u]", "g[S.v]", "g[S.w]"))
  expect_identical(labels_of(y ~ g, d, list(g = "contr.helmert"))[-1], c("g[H.v]", "g[H.w]", "g[H.z]"))
  expect_identical(labels_of(y ~ g, d, list(g = "contr.SAS"))[-1], c("g[T.u]", "g[T.v]", "g[T.w]"))
  expect_identical(labels_of(y ~ ordered(g), d)[-1], paste0("ordered(g)", c(".Linear", ".Quadratic", ".Cubic")))
  own <- contr.treatment(levels(d$g), base = 2)
  expect_identical(labels_of(y ~ g, d, list(g = own))[-1], c("g[T.u]", "g[T.w]", "g[T.z]"))
})

test_that("columns of matrices keep their names", {
  expect_identical(labels_of(y ~ poly(x, 2) * f, d)[2:6], c(
    "poly(x, 2)1", "poly(x, 2)2", "f[T.b]", "poly(x, 2)1:f[T.b]", "poly(x, 2)2:f[T.b]"
  ))
})

test_that("names that look like levels are not confused", {
  d$fb <- d$x
  expect_identical(labels_of(y ~ f + fb, d), c("Intercept", "f[T.b]", "fb"))
})

test_that("rows of the variances go by the outermost factor, whatever the order of the terms", {
  pastes <- plain_data("Pastes", "lme4")
  pastes$lot <- rep(c("0", "1"), length.out = nrow(pastes))
  fit <- mixedlm(strength ~ 1 + (1 | batch) + (1 | batch:cask) + (1 | batch:lot), pastes)
  expect_identical(fit$group_name, "batch")
  expect_setequal(varcomp_rows(fit)$label, c("batch Var", "batch:cask Var", "batch:lot Var"))
  expect_identical(varcomp_rows(fit)$label[1L], "batch Var")
  expect_equal(varcomp_rows(fit)$estimate[1L], fit$cov_re[1L])
})

test_that("slopes on a nested factor name their factor", {
  egsingle <- from_package("egsingle", "mlmRev")
  fit <- mixedlm(math ~ year + (year | childid) + (year | schoolid), egsingle)
  expect_identical(varcomp_rows(fit)$label, c(
    "schoolid Var", "schoolid x year Cov", "year Var",
    "childid Var", "childid x year|childid Cov", "year|childid Var"
  ))
})
