d <- data.frame(
  y = c(2, 4, 1, NA, 3, 8), x = c(1, NA, 3, 4, 5, 6.5), g = c("a", "a", "b", "b", NA, "b"),
  w = c(1, 1, 0, 1, 1, 2), f = factor(c("u", "v", "u", "v", "u", "u"), levels = c("t", "u", "v"))
)

test_that("rows with a missing value anywhere go, the groups included", {
  frame <- model_frame(parse_formula(y ~ x + (1 | g)), d)
  expect_identical(rownames(frame), c("1", "3", "6"))
  expect_identical(as.integer(attr(frame, "na.action")), c(2L, 4L, 5L))
  expect_s3_class(attr(frame, "na.action"), "omit")
  excluded <- model_frame(parse_formula(y ~ x + (1 | g)), d, na.action = "na.exclude")
  expect_s3_class(attr(excluded, "na.action"), "exclude")
})

test_that("the frame is that of model.frame()", {
  whole <- na.omit(d)
  attr(whole, "na.action") <- NULL
  ours <- model_frame(parse_formula(y ~ poly(x, 2) + f + (x | g)), whole)
  theirs <- model.frame(y ~ poly(x, 2) + f + (x + g), whole, drop.unused.levels = TRUE)
  expect_equal(as.list(ours), as.list(theirs), ignore_attr = TRUE)
  expect_identical(levels(ours$f), levels(theirs$f))
})

test_that("rows of weight zero go with a message, as if subset had left them out", {
  p <- parse_formula(y ~ 1 + (1 | g))
  expect_message(
    frame <- model_frame(p, d, list(weights = d$w), na.action = na.exclude),
    class = "mixedlm_message_weights"
  )
  expect_identical(rownames(frame), c("1", "2", "6"))
  without <- model_frame(p, d[d$w > 0, ], na.action = na.exclude)
  expect_equal(attr(frame, "na.action"), attr(without, "na.action"), ignore_attr = "names")
  expect_identical(length(naresid(attr(frame, "na.action"), c(1, 2, 3))), 5L)
})

test_that("weights, offset and subset are looked up as lm() does, then where the call is", {
  env <- environment()
  w <- "elsewhere"
  expect_identical(data_value(quote(w), d, env, function() stop(), "weights"), d$w)
  expect_identical(data_value(quote(2 * w), d, env, function() stop(), "weights"), 2 * d$w)
  expect_identical(data_value(quote(not_here), d, baseenv(), function() 7, "weights"), 7)
  expect_error(data_value(quote(not_here), d, baseenv(), function() stop("no"), "weights"), class = "mixedlm_error_weights")
})

test_that("groups are understood in every way that statsmodels and R have", {
  at <- function(expr) resolve_groups(expr, d, environment(), environment(), function() eval(expr, parent.frame(2)))
  expect_identical(at(quote("g")), list(expr = quote(g), label = "g"))
  expect_identical(at(quote(g)), list(expr = quote(g), label = "g"))
  expect_identical(at(quote(~g)), list(expr = quote(g), label = "g"))
  expect_identical(at(quote(~ g:f))$label, "g:f")
  expect_identical(at(quote(d$g))$label, "Group")
  expect_identical(at(quote(d$g))$value, d$g)
  expect_null(at(NULL))
})

test_that("a bare name that is two things is refused", {
  g <- c("other", "values")
  expect_error(
    resolve_groups(quote(g), d, environment(), environment(), function() g),
    "ambiguous", class = "mixedlm_error_groups"
  )
})

test_that("data may be a list, an environment, a tibble or absent", {
  p <- parse_formula(y ~ x + (1 | g))
  want <- model_frame(p, d)
  expect_equal(model_frame(p, check_data(as.list(d))), want, ignore_attr = TRUE)
  expect_equal(model_frame(p, list2env(d)), want, ignore_attr = TRUE)
  y <- d$y
  x <- d$x
  g <- d$g
  expect_equal(model_frame(parse_formula(y ~ x + (1 | g)), NULL), want, ignore_attr = TRUE)
  skip_if_not_installed("tibble")
  expect_equal(as.list(model_frame(p, tibble::as_tibble(d))), as.list(want), ignore_attr = TRUE)
})

test_that("columns with awkward names are found", {
  odd <- data.frame(y = 1:4 + 0.5, `if` = c(1, 2, 2, 1), `TRUE` = c(1, 1, 2, 2), `a b` = 4:1, `%s` = 1:4, check.names = FALSE)
  p <- parse_formula(y ~ `if` + `a b` + `%s`, list(expr = as.name("TRUE"), label = "TRUE"))
  design <- build_design(p, model_frame(p, odd))
  expect_identical(colnames(design$x), c("(Intercept)", "`if`", "`a b`", "`%s`"))
  expect_identical(design$factors[[1L]]$codes, c(1L, 1L, 2L, 2L))
  twice <- data.frame(y = 1:4, x = 4:1, x = 1:4, g = c(1, 1, 2, 2), check.names = FALSE)
  expect_identical(model_frame(parse_formula(y ~ x + (1 | g)), twice)$x, 4:1)
})

test_that("data may be a list with a matrix among its columns", {
  d <- transform(dietox, m = I(cbind(a = Time, b = Time^2)))
  as_frame <- mixedlm(Weight ~ m, d, groups = "Pig")
  as_list <- mixedlm(Weight ~ m, as.list(d), groups = "Pig")
  expect_equal(fixef(as_list), fixef(as_frame))
  expect_error(mixedlm(Weight ~ m, c(as.list(d), list(more = 1)), groups = "Pig"), class = "mixedlm_error_data")
  rows <- d[c(1, 30, 60), ]
  expect_equal(predict(as_frame, as.list(rows)), predict(as_frame, rows), ignore_attr = TRUE)
})

test_that("missing values that na.pass leaves in a random column are told", {
  d <- dietox
  d$Time[3L] <- NA
  expect_error(
    mixedlm(Weight ~ Time, d, groups = "Pig", vc_formula = list(t = ~ 0 + Time), na.action = na.pass),
    class = "mixedlm_error_missing"
  )
})
