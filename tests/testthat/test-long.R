# Wide data: to_long(), and what the errors of mixedlm() say about them.

wide_weights <- function() {
  data.frame(
    pig = c("a", "b", "c"), copper = factor(c(0, 35, 175)),
    weight.1 = c(24, 26, 23), weight.12 = c(43, 46, NA), weight.4 = c(71, 79, 70)
  )
}

test_that("a prefix takes the numbered columns, and their numbers are the times", {
  long <- to_long(wide_weights(), "weight", time = "week")
  expect_identical(names(long), c("pig", "copper", "week", "weight"))
  expect_identical(long$pig, rep(c("a", "b", "c"), each = 3L))
  expect_identical(long$copper, factor(rep(c(0, 35, 175), each = 3L)))
  expect_identical(long$week, rep(c(1L, 4L, 12L), 3L))
  expect_identical(long$weight, c(24, 71, 43, 26, 79, 46, 23, 70, NA))
  expect_identical(attr(long, "row.names"), 1:9)
  expect_identical(to_long(wide_weights(), "^weight", time = "week"), long)
  expect_identical(to_long(wide_weights(), 3:5, time = "week"), long)
  expect_identical(to_long(wide_weights(), c("weight.4", "weight.1", "weight.12"), time = "week"), long)
})

test_that("it is what stats::reshape() makes", {
  wide <- wide_weights()
  ours <- to_long(wide, "weight", time = "week")
  theirs <- stats::reshape(wide,
    varying = c("weight.1", "weight.4", "weight.12"), v.names = "weight",
    timevar = "week", times = c(1L, 4L, 12L), idvar = "pig", direction = "long"
  )
  theirs <- theirs[order(theirs$pig, theirs$week), names(ours)]
  expect_equal(ours, theirs, ignore_attr = c("reshapeLong", "row.names"))
})

test_that("wide data made from long ones come back, and give the same fit", {
  wide <- stats::reshape(
    dietox[c("Pig", "Evit", "Cu", "Litter", "Start", "Weight", "Feed", "Time")],
    idvar = c("Pig", "Evit", "Cu", "Litter", "Start"), timevar = "Time", direction = "wide"
  )
  long <- to_long(wide, list(Weight = "Weight", Feed = "Feed"), drop_na = TRUE)
  d <- dietox[order(match(dietox$Pig, wide$Pig), dietox$Time), ]
  expect_equal(long[names(d)], d, ignore_attr = TRUE)
  expect_identical(
    mixedlm(Weight ~ Time, long, groups = "Pig")$llf,
    mixedlm(Weight ~ Time, d, groups = "Pig")$llf
  )
})

test_that("the ways of writing a number at the end of a name are read", {
  d <- data.frame(a = 1:2)
  for (name in c("y%d", "y.%d", "y_%d", "y %d", "y_t%d", "y.week.%d", "y0%d")) {
    d[sprintf(name, 1:3)] <- list(1:2, 3:4, 5:6)
    long <- to_long(d, sprintf(name, 3:1))
    expect_identical(long$Time, rep(1:3, 2L), info = name)
    expect_identical(long[[ncol(long)]], c(1L, 3L, 5L, 2L, 4L, 6L), info = name)
    d <- d["a"]
  }
  for (name in c("y_0.%d", "y-%d", "y..%d", "%dy")) {
    d[sprintf(name, 1:3)] <- list(1:2, 3:4, 5:6)
    expect_error(to_long(d, sprintf(name, 1:3)), "`times` is needed", class = "mixedlm_error_argument")
    expect_identical(to_long(d, sprintf(name, 1:3), times = 1:3)$Time, rep(1:3, 2L))
    d <- d["a"]
  }
})

test_that("a prefix does not take other columns along", {
  d <- data.frame(w1 = 1, w2 = 2, wide3 = 3, low4 = 5)
  long <- to_long(d, "w")
  expect_identical(long, data.frame(wide3 = 3, low4 = 5, Time = 1:2, w = c(1, 2)))
})

test_that("times may be dates, strings and factors, in their order", {
  d <- data.frame(before = 1:2, after = 3:4)
  at <- factor(c("before", "after"), c("before", "after"))
  long <- to_long(d, c("before", "after"), "y", times = at)
  expect_identical(long$Time, at[c(1, 2, 1, 2)])
  expect_identical(names(long), c("Time", "y"))
  day <- as.Date("2024-02-28") + c(0, 2)
  expect_identical(to_long(d, 1:2, times = day)$Time, day[c(1, 2, 1, 2)])
  expect_identical(names(to_long(d, 1:2, times = day)), c("Time", "value"))
})

test_that("measurements keep their class", {
  d <- data.frame(id = 1:2)
  d$f1 <- factor(c("a", "b"))
  d$f2 <- factor(c("c", "a"))
  expect_identical(to_long(d, "f")$f, factor(c("a", "c", "b", "a"), c("a", "b", "c")))
  d$d1 <- as.Date("2024-01-01") + 0:1
  d$d2 <- as.Date("2024-03-01") + 0:1
  expect_identical(to_long(d, "d")$d, as.Date(c("2024-01-01", "2024-03-01", "2024-01-02", "2024-03-02")))
  d$n1 <- 1:2
  d$n2 <- c(0.5, 2.5)
  d$n3 <- NA
  expect_identical(to_long(d, "n")$n, c(1, 0.5, NA, 2, 2.5, NA))
  d$s1 <- c("x", "y")
  d$s2 <- 1:2
  expect_error(to_long(d, "s"), "`s1` is character and `s2` is numeric", class = "mixedlm_error_data")
  d$l1 <- d$l2 <- list(1, 2)
  expect_error(to_long(d, "l"), "must be vectors", class = "mixedlm_error_data")
})

test_that("a tibble gives a tibble, and a matrix column stays one", {
  skip_if_not_installed("tibble")
  d <- tibble::as_tibble(wide_weights())
  d$m <- matrix(1:6, 3L)
  long <- to_long(d, "weight", drop_na = TRUE)
  expect_s3_class(long, c("tbl_df", "tbl", "data.frame"), exact = TRUE)
  expect_identical(dim(long$m), c(8L, 2L))
  expect_identical(long$m[, 2L], c(4L, 4L, 4L, 5L, 5L, 5L, 6L, 6L))
  expect_identical(dim(long), c(8L, 5L))
  expect_identical(nrow(to_long(d[0L, ], "weight")), 0L)
})

test_that("several variables share their occasions", {
  d <- data.frame(y2 = 3:4, y1 = 1:2, x.1 = c(NA, 6), x.2 = 7:8)
  long <- to_long(d, list(y = "y", dose = "x"), id = "subject")
  expect_identical(long, data.frame(
    subject = factor(c(1, 1, 2, 2)), Time = c(1L, 2L, 1L, 2L), y = c(1L, 3L, 2L, 4L),
    dose = c(NA, 7, 6, 8)
  ))
  d$y1[1L] <- NA
  expect_identical(nrow(to_long(d, list(y = "y", dose = "x"), drop_na = TRUE)), 3L)
  d$x.3 <- 9
  expect_error(to_long(d, list(y = "y", dose = "x")), "occasions 1, 2", class = "mixedlm_error_argument")
})

test_that("what cannot be made long is told", {
  d <- wide_weights()
  argument <- function(..., text) expect_error(to_long(...), text, class = "mixedlm_error_argument")
  data <- function(..., text) expect_error(to_long(...), text, class = "mixedlm_error_data")
  data(as.matrix(d), "weight", text = "`data` must be a data frame")
  data(stats::setNames(d, rep("a", 5L)), "a", text = "several columns called `a`")
  argument(d, text = "`columns` is missing")
  argument(columns = "weight", text = "`data` is missing")
  data(d, "wieght", text = "\"wieght\"")
  data(d, "(", text = "none matches it as a regular")
  data(d, c("weight.1", "weight.2"), text = "`weight.2`, which `data` does not have. Did you mean `weight.1`")
  argument(d, "weight.1", text = "two columns at least")
  argument(d, 9L, text = "names or numbers of columns")
  argument(d, c("weight.1", "weight.1"), text = "more than once")
  argument(d, list("weight"), text = "needs a name")
  argument(d, list(a = "weight", b = "weight"), text = "more than once")
  argument(d, "weight", time = "pig", text = "second of that name")
  argument(d, "weight", "copper", text = "second of that name")
  argument(d, "weight", "Time", text = "second of that name")
  argument(d, "weight", time = 1, text = "`time` must be the name of a column")
  argument(d, "weight", 1, text = "`values` must be the name of a column")
  argument(d, "weight", times = 1:2, text = "each of the 3 columns .*not 2")
  argument(d, "weight", times = c(1, 1, 2), text = "another value for each column")
  argument(d, "weight", times = list(1, 2, 3), text = "`times` must be a vector")
  argument(d, "weight", drop_na = NA, text = "TRUE or FALSE")
  argument(d, "weight", id = "weight.1", text = "one of `columns`")
  d$pig[2L] <- "a"
  data(d, "weight", id = "pig", text = "occur in several rows. Are the data long already?")
  d$pig[2L] <- NA
  data(d, "weight", id = "pig", text = "missing values")
})

# --- hints ------------------------------------------------------------------------

wide_scores <- function() {
  set.seed(4L)
  data.frame(id = 1:20, x = rnorm(20), y1 = rnorm(20), y2 = rnorm(20), y_3 = rnorm(20))
}

said <- function(expr) {
  tryCatch({
    expr
    ""
  }, error = conditionMessage, warning = conditionMessage)
}

test_that("a missing response or time with numbered columns is told to look wide", {
  d <- wide_scores()
  names(d)[5L] <- "y3"
  expect_error(mixedlm(y ~ Time + (1 | id), d), class = "mixedlm_error_data")
  expect_match(
    said(mixedlm(y ~ Time + (1 | id), d)),
    "`y` is neither.* The data look wide: if `y1`, `y2`, `y3` are .*to_long\\(data, \"y\"\\) makes"
  )
  expect_match(said(mixedlm(y ~ x, d, groups = "id")), "look wide.*to_long")
  expect_match(said(mixedlm(log(y) ~ x, d, groups = "id", re_formula = ~x)), "look wide")
  expect_match(said(mixedlm(y1 ~ week + (1 | id), d)), "`week` is neither.*look wide.*time = \"week\"")
  y <- 1:3
  expect_match(said(mixedlm(y ~ x, d, groups = "id")), "lengths differ.*look wide")
  d <- data.frame(pupil = 1:9, school = gl(3, 3), score_t1 = rnorm(9), score_t2 = rnorm(9))
  expect_match(said(mixedlm(score ~ t + (1 | school / pupil), d)), "`score_t1`, `score_t2`.*to_long\\(data, \"score_t\"\\)")
})

test_that("so is a missing response beside a series of other columns, one row for each group", {
  d <- data.frame(rat = 1:9, dose = 1:9, wk1 = rnorm(9), wk2 = rnorm(9), wk3 = rnorm(9))
  expect_match(
    said(mixedlm(weight ~ week + (1 | rat), d)),
    "`wk1`, `wk2`, `wk3` are one.*to_long\\(data, \"wk\", values = \"weight\"\\) makes"
  )
  d$rat <- rep(1:3, 3L)
  expect_no_match(said(mixedlm(weight ~ week + (1 | rat), d)), "wide")
  expect_no_match(said(mixedlm(weight ~ week + (1 | mouse), d)), "wide")
  d$rat <- 1:9
  expect_no_match(said(mixedlm(weight ~ week + (1 | rat), d[-5L])), "wide")
})

test_that("what the hint advises works", {
  d <- wide_scores()
  names(d)[5L] <- "y3"
  long <- to_long(d, "y", time = "week")
  expect_s3_class(mixedlm(y ~ week + (1 | id), long), "mixedlm")
})

test_that("one row per group beside numbered columns is told to look wide", {
  d <- wide_scores()
  names(d)[5L] <- "y3"
  expect_warning(
    mixedlm(y1 ~ x + (1 | id), d), "as many levels as there are rows. The data look wide: if `y1`, `y2`, `y3`",
    class = "mixedlm_warning_flat"
  )
})

test_that("a response of several columns is told what long data are", {
  d <- wide_scores()
  expect_error(mixedlm(cbind(y1, y2) ~ x + (1 | id), d), "to_long\\(\\)", class = "mixedlm_error_response")
  expect_error(
    mixedlm(cbind(1, d$x), as.matrix(d[3:4]), groups = d$id), "to_long\\(\\)",
    class = "mixedlm_error_response"
  )
})

test_that("nothing of it is said about long data", {
  d <- wide_scores()
  d$id <- rep(1:5, 4L)
  quiet <- function(expr) expect_no_match(said(expr), "wide|to_long")
  # several outcomes of long data
  quiet(mixedlm(y ~ x + (1 | id), d))
  quiet(mixedlm(y1 ~ week + (1 | id), d))
  quiet(mixedlm(y1 ~ x + (1 | id), d))
  # no numbered columns
  quiet(mixedlm(Weigth ~ Time + (1 | Pig), dietox))
  d$row <- seq_len(20L)
  names(d) <- c("id", "x", "y", "v", "w", "row")
  quiet(mixedlm(y ~ x + (1 | row), d))
  # a misspelt predictor is a misspelt predictor
  d <- wide_scores()
  d$age <- 1:20
  expect_match(said(mixedlm(y1 ~ agee + (1 | id), d)), "Did you mean `age`\\?$")
})
