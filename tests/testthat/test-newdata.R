# Predictions for the rows of `data`, new rows made of it, and single rows must be the fitted values: nothing may be learned
# from newdata.
expect_row_by_row <- function(fit, data, rows = seq_len(nrow(data)), ...) {
  whole <- unname(predict(fit, ...))
  expect_equal(unname(predict(fit, data, ...)), whole, tolerance = 1e-8)
  one <- vapply(rows, function(i) unname(predict(fit, data[i, , drop = FALSE], ...)), 0)
  expect_equal(one, whole[rows], tolerance = 1e-8)
}

measured <- function(n = 120L, seed = 8L) {
  set.seed(seed)
  d <- data.frame(
    g = rep(sprintf("g%02d", 1:12), length.out = n), x = runif(n, 1, 5), u = rnorm(n),
    f = rep(c("p", "q", "r"), length.out = n), l = rep(c(TRUE, FALSE, FALSE, FALSE, TRUE), length.out = n), k = rep(1:4, each = n / 4)
  )
  d$o <- factor(d$k, ordered = TRUE)
  d$y <- d$x + d$u + (d$f == "q") + rnorm(12)[factor(d$g)] + rnorm(12)[factor(d$g)] * d$x + rnorm(n)
  d
}

test_that("what poly(), splines, scale() and logarithms learned from the data of the fit is kept, in random terms too", {
  d <- measured()
  some <- c(1, 7, 50)
  expect_row_by_row(mixedlm(y ~ poly(x, 2) + (poly(x, 2) | g), d), d, some)
  expect_row_by_row(mixedlm(y ~ splines::ns(x, 3) + (1 | g), d), d, some)
  expect_row_by_row(mixedlm(y ~ splines::bs(x, df = 4) + (0 + scale(x) | g), d), d, some)
  expect_row_by_row(mixedlm(log(y + 20) ~ log(x) + scale(u) + (scale(x) + u | g), d), d, some)
  expect_row_by_row(mixedlm(y ~ x, d, groups = "g", re_formula = ~ poly(x, 2)), d, some)
})

test_that("strings, logical values, orderings and contrasts have the levels of the fit", {
  d <- measured()
  some <- c(1, 2, 3, 60)
  expect_row_by_row(mixedlm(y ~ f * x + l + o + (1 | g), d), d, some)
  expect_row_by_row(mixedlm(y ~ f + o + (1 | g), d, contrasts = list(f = "contr.sum", o = "contr.helmert")), d, some)
  d$half <- rep(c("a", "b"), each = 60)
  expect_row_by_row(mixedlm(y ~ half + (0 + half | g), d), d, some)
  expect_row_by_row(mixedlm(y ~ half + (half | g), d, contrasts = list(half = "contr.sum")), d, some)
  expect_row_by_row(mixedlm(y ~ factor(k) + (1 | factor(g)), d), d, some)
  e <- transform(d, f = factor(f), g = factor(g))
  contrasts(e$f) <- contr.sum(3)
  fit <- mixedlm(y ~ f + x + (x | g), e)
  expect_row_by_row(fit, e, some)
  new <- data.frame(f = "q", x = 2, g = factor("g05", levels = c("g05", "unused")))
  same <- e[e$g == "g05", ][1, ]
  expect_equal(predict(fit, new), predict(fit, transform(same, f = "q", x = 2)), ignore_attr = TRUE)
})

test_that("the contrasts are those of the fit, whatever the option is now", {
  d <- measured()
  d$half <- rep(c("a", "b"), each = 60)
  for (formula in list(y ~ half + (half | g), y ~ x + (half | g))) {
    fit <- mixedlm(formula, d)
    old <- options(contrasts = c("contr.sum", "contr.poly"))
    expect_equal(predict(fit, d), fitted(fit), tolerance = 1e-8)
    options(old)
  }
})

test_that("groups of numbers, dates, interactions, and nested factors", {
  d <- measured()
  d$day <- as.Date("2024-01-01") + d$k
  d$number <- as.double(match(d$g, unique(d$g))) * 100000
  some <- c(1, 61, 120)
  expect_row_by_row(mixedlm(y ~ x + (1 | g / k), d), d, some)
  expect_row_by_row(mixedlm(y ~ x + (x | number) + (1 | g:f), d), d, some)
  expect_row_by_row(mixedlm(y ~ x + (1 | g) + (1 | day), d), d, some)
  fit <- mixedlm(y ~ x + (1 | number), d)
  whole <- transform(d, number = as.integer(number))
  expect_equal(predict(fit, whole), predict(fit))
  expect_equal(predict(fit, transform(d, number = as.character(number))), predict(fit))
})

test_that("statsmodels' arguments: groups, components, and those that are built within groups", {
  d <- measured()
  some <- c(1, 61, 120)
  expect_row_by_row(mixedlm(y ~ x, d, groups = "g", re_formula = ~x), d, some)
  expect_row_by_row(mixedlm(y ~ x, d, groups = "g", re_formula = ~1, vc_formula = list(k = ~ 0 + factor(k))), d, some)
  expect_row_by_row(mixedlm(y ~ x, d, groups = "g", re_formula = ~1, vc_formula = list(s = ~ 0 + x, fk = ~ 0 + f:factor(k))), d, some)
  expect_row_by_row(mixedlm(y ~ x, d, vc_formula = list(g = ~ 0 + g, f = ~ 0 + f)), d, some)
  built <- mixedlm(y ~ x, d, groups = "g", re_formula = ~1, vc_formula = list(k = ~ factor(k)))
  expect_row_by_row(built, d, some)
  expect_equal(predict(built, d[some, ], se.fit = TRUE)$se.fit, prediction_se(built)[some], tolerance = 1e-7)
  new <- transform(d[1, ], k = 9)
  expect_error(predict(built, new), class = "mixedlm_error_new_levels")
  new$g <- "another"
  expect_equal(unname(predict(built, new, allow.new.levels = TRUE)), unname(predict(built, new, re.form = NA)))
  by_vector <- mixedlm(y ~ x, d, groups = d$g)
  expect_equal(predict(by_vector, transform(d, Group = g)), predict(by_vector))
  expect_error(predict(by_vector, d), class = "mixedlm_error_newdata")
})

test_that("fits of matrices take a matrix or a data frame", {
  d <- measured()
  X <- cbind(1, d$x)
  fit <- mixedlm(X, d$y, groups = d$g)
  expect_equal(unname(predict(fit, X[1:5, ], re.form = NA)), as.vector(X[1:5, ] %*% fit$fe_params))
  new <- data.frame(X, d$g)
  names(new) <- c(fit$columns, "Group")
  expect_equal(unname(predict(fit, new)), unname(predict(fit)))
  slopes <- mixedlm(X, d$y, groups = d$g, exog_re = X)
  expect_equal(unname(predict(slopes, slopes$frame)), unname(predict(slopes)))
})

test_that("offsets are evaluated for the new rows, be they in the formula or an argument", {
  d <- measured()
  inside <- mixedlm(y ~ x + offset(2 * u) + (1 | g), d)
  argument <- mixedlm(y ~ x + (1 | g), d, offset = 2 * u)
  expect_row_by_row(inside, d, 1:3)
  expect_row_by_row(argument, d, 1:3)
  new <- transform(d[1:3, ], u = u + 1)
  expect_equal(predict(inside, new) - predict(inside, d[1:3, ]), c(`1` = 2, `2` = 2, `3` = 2))
  expect_equal(predict(argument, new), predict(inside, new), tolerance = 1e-8)
  e <- expect_error(predict(argument, new[setdiff(names(new), "u")]), class = "mixedlm_error_offset")
  expect_identical(e$argument, "newdata")
  known <- new[setdiff(names(new), "u")]
  known[["(offset)"]] <- 2 * new$u
  expect_equal(predict(argument, known), predict(argument, new))
})

test_that("only what is needed must be there: no response, no groups for the population, nothing that re.form leaves out", {
  d <- measured()
  fit <- mixedlm(y ~ x + (u | g) + (1 | f), d)
  expect_silent(predict(fit, d["x"], re.form = NA, interval = "confidence", se.fit = TRUE))
  expect_equal(predict(fit, d[c("x", "f")], re.form = ~ (1 | f)), predict(fit, re.form = ~ (1 | f)))
  expect_equal(predict(fit, d[c("x", "f", "g")], re.form = ~ (1 | f) + (1 | g)), predict(fit, re.form = ~ (1 | f) + (1 | g)))
  expect_equal(predict(fit, d[c("x", "g", "u", "f")]), predict(fit))
  expect_equal(predict(fit, d["x"], random.only = TRUE, re.form = NA), replace(predict(fit), TRUE, 0))
  expect_equal(predict(fit, d[c("f", "g", "u")], random.only = TRUE), predict(fit, random.only = TRUE))
  more <- mixedlm(y ~ x + u + f + (x + u | g), d)
  expect_equal(predict(more, d[c("x", "g")], random.only = TRUE, re.form = ~ (x | g)), predict(more, random.only = TRUE, re.form = ~ (x | g)))
  few <- predict(more, d[1:5, c("x", "u", "g")], random.only = TRUE, se.fit = TRUE)
  expect_equal(few$se.fit, prediction_se(more, "random")[1:5], tolerance = 1e-7)
})

test_that("lists and tibbles", {
  d <- measured()
  fit <- mixedlm(y ~ x + (1 | g), d)
  expect_equal(predict(fit, as.list(d)), predict(fit))
  skip_if_not_installed("tibble")
  expect_equal(predict(fit, tibble::as_tibble(d)), predict(fit))
})

test_that("what newdata lacks, or has in another type, is named", {
  d <- measured()
  fit <- mixedlm(y ~ x + f + l + poly(u, 2) + (1 | g), d)
  e <- expect_error(predict(fit, transform(d, x = NULL, X = 1)), class = "mixedlm_error_newdata")
  expect_identical(e$variable, "x")
  expect_match(conditionMessage(e), "Did you mean `X`")
  expect_error(predict(fit, d[c("x", "f", "l", "u")]), "`g` is not in `newdata`", class = "mixedlm_error_newdata")
  wrong <- list(
    x = factor("a"), x = "1", x = TRUE, f = 3, f = TRUE, l = "TRUE", l = 1, x = as.complex(1), u = "a", g = complex(1)
  )
  for (i in seq_along(wrong)) {
    new <- d[1:2, ]
    new[[names(wrong)[i]]] <- wrong[[i]]
    expect_error(predict(fit, new), class = "mixedlm_error", info = names(wrong)[i])
  }
  e <- expect_error(predict(fit, transform(d, x = factor(x))), class = "mixedlm_error_newdata")
  expect_match(conditionMessage(e), "must be numeric")
  e <- expect_error(predict(fit, transform(d, f = "s")), class = "mixedlm_error_new_levels")
  expect_identical(e$levels, "s")
  for (value in c(Inf, -Inf)) {
    e <- expect_error(predict(fit, transform(d, x = value)), class = "mixedlm_error_infinite")
    expect_identical(e$variable, "x")
  }
  whole <- mixedlm(y ~ k + (1 | g), d)
  expect_silent(predict(whole, data.frame(k = rep(2000000000L, 2L), g = "g01")))
  expect_true(is.na(predict(fit, transform(d[1, ], x = NaN))))
  expect_true(is.na(predict(fit, transform(d[1, ], x = NA))))
  expect_true(is.na(predict(fit, transform(d[1, ], f = NA))))
  for (new in list(1, "a", quote(x), mean, list(1, 2), list(x = 1, f = c("p", "q")))) {
    expect_error(predict(fit, new), class = "mixedlm_error_newdata")
  }
})

test_that("a variable that is elsewhere, with another number of values, is not taken silently", {
  d <- measured()
  here <- d$x
  fit <- mixedlm(y ~ here + (1 | g), d)
  expect_equal(predict(fit, d), predict(fit))
  e <- expect_error(predict(fit, d[1:5, ]), class = "mixedlm_error_newdata")
  expect_match(conditionMessage(e), "`here` is not in `newdata`")
})

test_that("one number is one group, however it is written", {
  d <- measured()
  d$id <- match(d$g, unique(d$g)) * 100000
  by_double <- mixedlm(y ~ x + (1 | id), d)
  d$id <- as.integer(d$id)
  by_integer <- mixedlm(y ~ x + (1 | id), d)
  by_factor <- mixedlm(y ~ x + (1 | id), transform(d, id = factor(id)))
  for (fit in list(by_double, by_integer, by_factor)) {
    for (id in list(d$id, as.double(d$id), factor(d$id), factor(as.double(d$id)), as.character(d$id))) {
      new <- d
      new$id <- id
      # two factors are compared by their labels
      if (is.numeric(fit$frame$id) || !is.factor(id) || identical(levels(id), levels(fit$frame$id))) {
        expect_equal(predict(fit, new), fitted(fit), tolerance = 1e-8)
      }
    }
  }
  numbered <- mixedlm(y ~ x + (1 | id), transform(d, id = sprintf("%02d", id / 100000)))
  expect_error(predict(numbered, transform(d, id = id / 100000)), class = "mixedlm_error_new_levels")
})

test_that("dates are not taken for seconds, and times are converted to the units of the fit", {
  d <- measured()
  d$day <- as.Date("2024-01-01") + d$k
  d$time <- as.difftime(d$k, units = "hours")
  dated <- mixedlm(y ~ day + (1 | g), d)
  expect_equal(predict(dated, d[1:3, ]), fitted(dated)[1:3], tolerance = 1e-8)
  for (wrong in list(as.POSIXct(d$day), as.character(d$day), as.double(d$day))) {
    new <- d
    new$day <- wrong
    e <- expect_error(predict(dated, new), class = "mixedlm_error_newdata")
    expect_identical(e$variable, "day")
  }
  timed <- mixedlm(y ~ time + (1 | g), d)
  new <- d
  units(new$time) <- "mins"
  expect_equal(predict(timed, new), fitted(timed), tolerance = 1e-8)
})

test_that("columns of matrices that the fit has twice need not be given twice", {
  d <- measured()
  X <- cbind(Intercept = 1, x = d$x)
  fit <- mixedlm(X, d$y, groups = d$g, exog_re = X)
  new <- data.frame(X, Group = d$g)
  expect_equal(unname(predict(fit, new)), unname(fitted(fit)), tolerance = 1e-8)
  ones <- mixedlm(cbind(x = d$x), d$y, groups = d$g, exog_re = rep(1, nrow(d)))
  expect_equal(unname(predict(ones, data.frame(x = d$x, Group = d$g))), unname(fitted(ones)), tolerance = 1e-8)
})

test_that("functions may be arguments in a formula, but do not stand for variables that are not there", {
  d <- measured()
  summed <- mixedlm(y ~ C(factor(f), contr.sum) + (1 | g), d)
  expect_equal(predict(summed, d[c(2, 9), ]), fitted(summed)[c(2, 9)], tolerance = 1e-8)
  d$t <- d$x
  for (formula in list(y ~ I(t) + (1 | g), y ~ log(t) + (1 | g), y ~ t + (1 | g))) {
    e <- expect_error(predict(mixedlm(formula, d), d[1, setdiff(names(d), "t")]), class = "mixedlm_error_newdata")
    expect_identical(e$variable, "t")
  }
})
