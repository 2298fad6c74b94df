# What a user can type wrongly: each call must stop with a classed error that
# names what is wrong, before anything is computed.

d <- data.frame(
  y = c(3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8), x = c(1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3.5),
  z = rep(c(0.5, 1.5), 6), g = rep(c("a", "b", "c", "d"), each = 3),
  f = factor(rep(c("u", "v", "w"), 4)), subject = rep(1:4, each = 3)
)
n <- nrow(d)
X <- cbind(1, d$x)

# call, class (after "mixedlm_error_"), what the message must name
bad <- list(
  # the formula
  list(quote(mixedlm()), "argument", "formula"),
  list(quote(mixedlm(~ x, d, groups = "g")), "formula", "formula"),
  list(quote(mixedlm(NULL, d, groups = "g")), "formula", "formula"),
  list(quote(mixedlm(list(1), d, groups = "g")), "formula", "formula"),
  list(quote(mixedlm(TRUE, d, groups = "g")), "formula", "formula"),
  list(quote(mixedlm("y ~~ +", d, groups = "g")), "formula", "formula"),
  list(quote(mixedlm(c("y ~ x", "y ~ z"), d, groups = "g")), "formula", "formula"),
  list(quote(mixedlm("y", d, groups = "g")), "formula", "formula"),
  list(quote(mixedlm(d, y ~ x, groups = "g")), "formula", "formula"),
  list(quote(mixedlm(d, groups = "g")), "formula", "formula"),
  list(quote(mixedlm(y ~ x * (1 | g), d)), "formula", "formula"),
  list(quote(mixedlm(y ~ x - (1 | g), d)), "formula", "formula"),
  list(quote(mixedlm(y ~ x + ar1(1 | g), d)), "formula", "ar1"),
  list(quote(mixedlm(y ~ x + cs(x | g), d)), "formula", "cs"),
  list(quote(mixedlm(y ~ x + diag(x | g, 3), d)), "formula", "diag"),
  list(quote(mixedlm(y ~ x + us(x || g), d)), "formula", "formula"),
  list(quote(mixedlm(y ~ x * us(1 | g), d)), "formula", "us(1 | g)"),
  list(quote(mixedlm(y ~ x, d, groups = ~ f / g)), "groups", "(1 | a/b)"),
  list(quote(mixedlm(y ~ x, d, groups = ~ f + g)), "groups", "(1 | a) + (1 | b)"),
  list(quote(mixedlm(y ~ x + 1 | f + 1 | g, d)), "formula", "parentheses"),
  list(quote(mixedlm(y ~ x + (1 | f * g), d)), "formula", "f * g"),
  list(quote(mixedlm(y ~ x + (1 | f + g), d)), "formula", "f + g"),
  list(quote(mixedlm(y ~ x + (1 | 1), d)), "formula", "1"),
  list(quote(mixedlm(y ~ x + (1 | offset(z)), d)), "formula", "offset(z)"),
  list(quote(mixedlm(y ~ x + (1 | "g"), d)), "formula", "formula"),
  list(quote(mixedlm(y ~ x + (. | g), d)), "formula", "."),
  list(quote(mixedlm(y ~ x + (0 | g), d)), "design", "g"),
  list(quote(mixedlm(y ~ x + (offset(z) | g), d)), "formula", "offset"),
  list(quote(mixedlm(y ~ ., list2env(d), groups = "g")), "formula", "."),
  list(quote(mixedlm(y ~ `.` + (1 | g), transform(d, . = x))), "formula", "column"),
  list(quote(mixedlm(. ~ x + (1 | g), transform(d, . = x))), "formula", "response"),
  list(quote(mixedlm(y ~ x, transform(d, . = g), groups = ".")), "formula", "grouping"),
  list(quote(mixedlm(y ~ y + (1 | g), d)), "formula", "`y`"),
  list(quote(mixedlm(y ~ x + x:y, d, groups = "g")), "formula", "`y`"),
  list(quote(mixedlm(log(y) ~ x + log(y), d, groups = "g")), "formula", "`log(y)`"),
  # no random effects, or two vocabularies
  list(quote(mixedlm(y ~ x, d)), "random", "groups"),
  list(quote(mixedlm(y ~ x + (1 | g), d, groups = "g")), "random", "groups"),
  list(quote(mixedlm(y ~ x + (1 | g), d, re_formula = ~x)), "random", "re_formula"),
  list(quote(mixedlm(y ~ x + (1 | g), d, vc_formula = list(f = ~ 0 + f))), "random", "vc_formula"),
  # groups
  list(quote(mixedlm(y ~ x, d, groups = "gg")), "groups", "gg"),
  list(quote(mixedlm(y ~ x, d, groups = "subjct")), "groups", "subject"),
  list(quote(mixedlm(y ~ x, d, groups = nowhere)), "groups", "nowhere"),
  list(quote(mixedlm(y ~ x, d, groups = y ~ g)), "groups", "groups"),
  list(quote(mixedlm(y ~ x, d, groups = ~ g + f)), "groups", "g + f"),
  list(quote(mixedlm(y ~ x, d, groups = 1:5)), "groups", "12"),
  list(quote(mixedlm(y ~ x, d, groups = c("g", "f"))), "groups", "groups"),
  list(quote(mixedlm(y ~ x, d, groups = d["g"])), "groups", "groups"),
  list(quote(mixedlm(y ~ x, d, groups = as.list(d$g))), "groups", "groups"),
  list(quote(mixedlm(y ~ x, d, groups = 1i * seq_len(n))), "groups", "groups"),
  list(quote(mixedlm(y ~ x, d, groups = mean)), "groups", "groups"),
  # re_formula, vc_formula
  list(quote(mixedlm(y ~ x, d, re_formula = ~x)), "re_formula", "groups"),
  list(quote(mixedlm(y ~ x, d, groups = "g", re_formula = y ~ x)), "re_formula", "re_formula"),
  list(quote(mixedlm(y ~ x, d, groups = "g", re_formula = 3)), "re_formula", "re_formula"),
  list(quote(mixedlm(y ~ x, d, groups = "g", re_formula = "~ x +")), "re_formula", "re_formula"),
  list(quote(mixedlm(y ~ x, d, groups = "g", re_formula = ~ (1 | f))), "re_formula", "re_formula"),
  list(quote(mixedlm(y ~ x, d, groups = "g", re_formula = ~nope)), "data", "nope"),
  list(quote(mixedlm(y ~ x, d, groups = "g", re_formula = ~0)), "design", "g"),
  list(quote(mixedlm(y ~ x, d, groups = "g", vc_formula = ~ 0 + f)), "vc_formula", "vc_formula"),
  list(quote(mixedlm(y ~ x, d, groups = "g", vc_formula = list(~ 0 + f))), "vc_formula", "vc_formula"),
  list(quote(mixedlm(y ~ x, d, groups = "g", vc_formula = list())), "vc_formula", "vc_formula"),
  list(quote(mixedlm(y ~ x, d, groups = "g", vc_formula = list(a = ~ 0 + f, a = ~ 0 + z))), "vc_formula", "a"),
  list(quote(mixedlm(y ~ x, d, groups = "g", vc_formula = list(a = y ~ f))), "vc_formula", "a"),
  list(quote(mixedlm(y ~ x, d, groups = "g", vc_formula = list(a = 1:3))), "vc_formula", "a"),
  list(quote(mixedlm(y ~ x, d, groups = "g", vc_formula = list(a = ~nope))), "data", "nope"),
  # data
  list(quote(mixedlm(y ~ x, 1:3, groups = "g")), "data", "data"),
  list(quote(mixedlm(y ~ x, "d", groups = "g")), "data", "data"),
  list(quote(mixedlm(y ~ x, as.matrix(d[1:2]), groups = rep(1:2, 6))), "data", "data"),
  list(quote(mixedlm(y ~ x, list(y = 1:3, x = 1:2), groups = "g")), "data", "data"),
  list(quote(mixedlm(y ~ xx, d, groups = "g")), "data", "xx"),
  list(quote(mixedlm(nope ~ x, d, groups = "g")), "data", "nope"),
  list(quote(mixedlm(y ~ x, d[0, ], groups = "g")), "rows", "rows"),
  list(quote(mixedlm(y ~ x, transform(d, x = NA_real_), groups = "g")), "rows", "missing"),
  list(quote(mixedlm(y ~ x, transform(d, g = NA), groups = "g")), "rows", "missing"),
  list(quote(mixedlm(y ~ x, d[1:2, ], groups = "g")), "rows", "rows"),
  list(quote(mixedlm(y ~ I(lapply(x, identity)), d, groups = "g")), "data", "formula"),
  list(quote(mixedlm(y ~ f, d[d$f == "u", ], groups = "g")), "data", "f"),
  list(quote(mixedlm(y ~ x + n, d, groups = "g")), "data", "length"),
  # values
  list(quote(mixedlm(y ~ x, transform(d, x = replace(x, 2, Inf)), groups = "g")), "infinite", "x"),
  list(quote(mixedlm(y ~ log(x - 1), d, groups = "g")), "infinite", "log(x - 1)"),
  list(quote(mixedlm(y ~ x, transform(d, y = replace(y, 2, -Inf)), groups = "g")), "infinite", "y"),
  list(quote(mixedlm(y ~ 1 + (log(x - 1) | g), d)), "infinite", "log(x - 1)"),
  list(quote(mixedlm(y ~ x, transform(d, y = 1), groups = "g")), "response", "y"),
  list(quote(mixedlm(g ~ x, d, groups = "f")), "response", "g"),
  list(quote(mixedlm(f ~ x, d, groups = "g")), "response", "f"),
  list(quote(mixedlm(cbind(y, x) ~ z, d, groups = "g")), "response", "cbind(y, x)"),
  list(quote(mixedlm(as.complex(y) ~ x, d, groups = "g")), "response", "as.complex(y)"),
  list(quote(mixedlm(y ~ x + (0 + I(0 * x) | g), d)), "design", "I(0 * x)"),
  # weights, offset, subset, na.action, contrasts
  list(quote(mixedlm(y ~ x, d, groups = "g", weights = -x)), "weights", "weights"),
  list(quote(mixedlm(y ~ x, d, groups = "g", weights = c(NA, rep(1, n - 1)))), "weights", "weights"),
  list(quote(mixedlm(y ~ x, d, groups = "g", weights = rep(Inf, n))), "weights", "weights"),
  list(quote(mixedlm(y ~ x, d, groups = "g", weights = 1:3)), "weights", "weights"),
  list(quote(mixedlm(y ~ x, d, groups = "g", weights = "x")), "weights", "weights"),
  list(quote(mixedlm(y ~ x, d, groups = "g", weights = f)), "weights", "weights"),
  list(quote(mixedlm(y ~ x, d, groups = "g", weights = nowhere)), "weights", "nowhere"),
  list(quote(mixedlm(y ~ x, d, groups = "g", weights = c(1e30, rep(1, n - 1)))), "weights", "only 1 row counts"),
  list(quote(mixedlm(y ~ x, d, groups = "g", weights = c(1e300, rep(1, n - 1)))), "weights", "only 1 row counts"),
  list(quote(mixedlm(y ~ x, d, groups = "g", weights = rep(c(1e30, 1), c(3, n - 3)))), "weights", "only 3 rows count"),
  list(quote(mixedlm(y ~ x, d, groups = "g", offset = rep(1e300, n))), "offset", "1e+300"),
  list(quote(mixedlm(y ~ x + offset(1e20 * z), d, groups = "g")), "offset", "1.5e+20"),
  list(quote(mixedlm(y ~ x, d, groups = "g", offset = f)), "offset", "offset"),
  list(quote(mixedlm(y ~ x, d, groups = "g", offset = 1:2)), "offset", "offset"),
  list(quote(mixedlm(y ~ x, d, groups = "g", offset = x / 0)), "offset", "offset"),
  list(quote(mixedlm(y ~ x + offset(x / 0), d, groups = "g")), "offset", "offset"),
  list(quote(mixedlm(y ~ x, d, groups = "g", subset = c(TRUE, FALSE))), "subset", "subset"),
  list(quote(mixedlm(y ~ x, d, groups = "g", subset = 1:50)), "subset", "subset"),
  list(quote(mixedlm(y ~ x, d, groups = "g", subset = list(1))), "subset", "subset"),
  list(quote(mixedlm(y ~ x, d, groups = "g", subset = x > 100)), "rows", "rows"),
  list(quote(mixedlm(y ~ x, d, groups = "g", na.action = 3)), "na_action", "na.action"),
  list(quote(mixedlm(y ~ x, d, groups = "g", na.action = "na.nothing")), "na_action", "na.action"),
  list(quote(mixedlm(y ~ x, d, groups = "g", na.action = "")), "na_action", "na.action"),
  list(quote(mixedlm(y ~ x, transform(d, x = replace(x, 1, NA)), groups = "g", na.action = na.fail)), "missing", "na.action"),
  list(quote(mixedlm(y ~ x, transform(d, x = replace(x, 1, NA)), groups = "g", na.action = na.pass)), "missing", "x"),
  list(quote(mixedlm(y ~ x, transform(d, g = replace(g, 1, NA)), groups = "g", na.action = "na.pass")), "missing", "g"),
  list(quote(mixedlm(y ~ x, transform(d, y = replace(y, 1, NaN)), groups = "g", na.action = "na.pass")), "missing", "y"),
  list(quote(mixedlm(y ~ f, d, groups = "g", contrasts = "contr.sum")), "contrasts", "contrasts"),
  list(quote(mixedlm(y ~ x, d, groups = "g", contrasts = list(x = "contr.sum"))), "contrasts", "x"),
  list(quote(mixedlm(y ~ f, d, groups = "g", contrasts = list(f = "contr.nope"))), "contrasts", "contr.nope"),
  list(quote(mixedlm(y ~ f, d, groups = "g", contrasts = list(f = matrix(1, 9, 9)))), "contrasts", "contrasts"),
  # REML, method, control, penalties, unknown arguments
  list(quote(mixedlm(y ~ x + (1 | g), d, FALSE)), "groups", "REML = FALSE"),
  list(quote(mixedlm(y ~ x, d, groups = "g", REML = NA)), "REML", "REML"),
  list(quote(mixedlm(y ~ x, d, groups = "g", REML = "yes")), "REML", "REML"),
  list(quote(mixedlm(y ~ x, d, groups = "g", REML = c(TRUE, FALSE))), "REML", "REML"),
  list(quote(mixedlm(y ~ x, d, groups = "g", method = "nlminb")), "method", "method"),
  list(quote(mixedlm(y ~ x, d, groups = "g", method = c("bfgs", "em"))), "method", "method"),
  list(quote(mixedlm(y ~ x, d, groups = "g", method = 1)), "method", "method"),
  list(quote(mixedlm(y ~ x, d, groups = "g", control = 3)), "control", "control"),
  list(quote(mixedlm(y ~ x, d, groups = "g", control = list(maxiter = 3))), "control", "maxit"),
  list(quote(mixedlm(y ~ x, d, groups = "g", control = list(3))), "control", "control"),
  list(quote(mixedlm(y ~ x, d, groups = "g", control = mixedlm_control(maxit = 0))), "control", "maxit"),
  list(quote(mixedlm(y ~ x, d, groups = "g", control = list(tol = -1))), "control", "tol"),
  list(quote(mixedlm_control(threads = 1.5)), "control", "threads"),
  list(quote(mixedlm_control(threads = NULL)), "control", "threads"),
  list(quote(mixedlm_control(em_steps = NA)), "control", "em_steps"),
  list(quote(mixedlm_control(progress = "always")), "control", "progress"),
  list(quote(mixedlm_control(rank_tol = 2)), "control", "rank_tol"),
  list(quote(mixedlm_control(max_memory = "plenty")), "control", "max_memory"),
  list(quote(mixedlm(y ~ x, d, groups = "g", control = list(max_memory = -1))), "control", "max_memory"),
  list(quote(mixedlm(y ~ x, d, groups = "g", fe_pen = 1)), "penalty", "fe_pen"),
  list(quote(mixedlm(y ~ x, d, groups = "g", reml = FALSE)), "argument", "REML"),
  list(quote(mixedlm(y ~ x, d, group = "g", wieghts = x)), "argument", "weights"),
  list(quote(mixedlm(y ~ x, d, "g", NULL, NULL, TRUE, NULL, NULL, NULL, na.omit, NULL, NULL, NULL, NULL, NULL, "em", NULL, 7)), "argument", "7"),
  # start and free
  list(quote(mixedlm(y ~ x, d, groups = "g", start = c(1, 2))), "start", "start"),
  list(quote(mixedlm(y ~ x, d, groups = "g", start = NA_real_)), "start", "start"),
  list(quote(mixedlm(y ~ x, d, groups = "g", start = "one")), "start", "start"),
  list(quote(mixedlm(y ~ x, d, groups = "g", start = list(beta = 1))), "start", "beta"),
  list(quote(mixedlm(y ~ x, d, groups = "g", start = mixedlm_params(cov_re = diag(2)))), "start", "cov_re"),
  list(quote(mixedlm(y ~ x, d, groups = "g", re_formula = ~x, start = mixedlm_params(cov_re = matrix(c(1, 3, 3, 1), 2)))), "start", "semidefinite"),
  list(quote(mixedlm(y ~ x, d, groups = "g", re_formula = ~x, start = mixedlm_params(cov_re = matrix(c(1, 3, 0, 1), 2)))), "start", "symmetric"),
  list(quote(mixedlm(y ~ x, d, groups = "g", start = mixedlm_params(vcomp = 1))), "start", "vcomp"),
  list(quote(mixedlm(y ~ x, d, groups = "g", free = "none")), "free", "free"),
  list(quote(mixedlm(y ~ x, d, groups = "g", free = diag(1))), "free", "free"),
  list(quote(mixedlm(y ~ x, d, groups = "g", free = mixedlm_params(cov_re = matrix(0.5)))), "free", "cov_re"),
  list(quote(mixedlm(y ~ x, d, groups = "g", free = mixedlm_params(cov_re = diag(3)))), "free", "cov_re"),
  list(quote(mixedlm(y ~ x, d, groups = "g", free = mixedlm_params(fe_params = 1))), "free", "fe_params"),
  list(quote(mixedlm_params(cov_re = 1:3)), "params", "cov_re"),
  list(quote(mixedlm_params(cov_re = "a")), "params", "cov_re"),
  list(quote(mixedlm_params(vcomp = -1)), "params", "vcomp"),
  list(quote(mixedlm_params(vcomp = NaN)), "params", "vcomp"),
  list(quote(mixedlm_params(fe_params = Inf)), "params", "fe_params"),
  # matrices
  list(quote(mixedlm(X, groups = d$g)), "argument", "y"),
  list(quote(mixedlm(X, d$y[1:3], groups = d$g)), "argument", "y"),
  list(quote(mixedlm(X, d$f, groups = d$g)), "response", "y"),
  list(quote(mixedlm(X, d$y)), "random", "groups"),
  list(quote(mixedlm(X, d$y, groups = d$g[1:3])), "groups", "groups"),
  list(quote(mixedlm(X, d$y, groups = d$g, exog_re = X[1:3, ])), "argument", "exog_re"),
  list(quote(mixedlm(X, d$y, exog_re = X)), "re_formula", "groups"),
  list(quote(mixedlm(X, d$y, groups = d$g, exog_vc = d$f)), "argument", "exog_vc"),
  list(quote(mixedlm(X, d$y, groups = d$g, exog_vc = list(a = d$f[1:3]))), "argument", "exog_vc"),
  list(quote(mixedlm(X, d$y, groups = d$g, exog_vc = list(a = list(a = X)))), "argument", "exog_vc"),
  list(quote(mixedlm(X[, 0], d$y, groups = d$g)), "argument", "X"),
  list(quote(mixedlm(matrix("a", n, 1), d$y, groups = d$g)), "argument", "X"),
  list(quote(mixedlm(d, d$y, groups = d$g)), "argument", "X"),
  list(quote(mixedlm(X / 0, d$y, groups = d$g)), "infinite", "predictor"),
  list(quote(mixedlm(X, d$y, groups = d$g, data = d)), "argument", "data"),
  list(quote(mixedlm(d$x, y ~ x, groups = d$g)), "argument", "formula")
)
# C() of a number is an error in older versions of R, unless a variable of R CMD check --as-cran is set
if (inherits(tryCatch(stats::C(c(1, 2.5)), error = identity), "error")) {
  bad <- c(bad, list(list(
    quote(mixedlm(y ~ x, d, groups = "g", vc_formula = list(x = ~ 0 + C(x)))), "data", "factor(x)"
  )))
}

test_that("every malformed call stops with a classed error that names what is wrong", {
  for (case in bad) {
    said <- suppressWarnings(tryCatch(
      {
        eval(case[[1L]])
        NULL
      },
      error = identity
    ))
    shown <- paste(deparse(case[[1L]]), collapse = " ")
    expect(inherits(said, "mixedlm_error"), paste0(
      shown, ": no classed error but ", class(said)[1L], " ",
      if (inherits(said, "condition")) conditionMessage(said)
    ))
    if (inherits(said, "mixedlm_error")) {
      expect(class(said)[1L] == paste0("mixedlm_error_", case[[2L]]), paste0(
        shown, ": class ", class(said)[1L], ", not ", case[[2L]], ": ", conditionMessage(said)
      ))
      expect(grepl(case[[3L]], conditionMessage(said), fixed = TRUE), paste0(
        shown, ": the message does not name ", case[[3L]], ": ", conditionMessage(said)
      ))
    }
  }
  expect_gt(length(bad), 60)
})

test_that("text that looks like a format is told as it is", {
  d2 <- d
  names(d2)[2L] <- "%s%n%d"
  d2[[2L]] <- d2[[2L]] / 0
  expect_error(
    mixedlm(y ~ `%s%n%d`, d2, groups = "g"),
    "%s%n%d", fixed = TRUE, class = "mixedlm_error_infinite"
  )
  expect_error(mixedlm(y ~ z, d, groups = "%s%s"), "%s%s", fixed = TRUE, class = "mixedlm_error_groups")
})

test_that("a generalised linear mixed model is refused by name", {
  skip_if_not_installed("lme4")
  fit <- suppressMessages(lme4::glmer(cbind(y, 10) ~ x + (1 | g), d, family = "binomial"))
  expect_error(mixedlm(fit), "glmerMod", class = "mixedlm_error_formula")
})
