test_that("normal intervals are the prediction and quantiles times its errors", {
  p <- model_pair("weighted")
  new <- p$data[c(1, 20, 40), ]
  got <- predict(p$ours, new, se.fit = TRUE, interval = "confidence", level = 0.9)
  expect_identical(dimnames(got$fit), list(rownames(new), c("fit", "lwr", "upr")))
  expect_equal(got$fit[, "fit"], predict(p$ours, new))
  expect_equal(got$fit[, "upr"] - got$fit[, "fit"], qnorm(0.95) * got$se.fit)
  expect_equal(got$fit[, "fit"] - got$fit[, "lwr"], qnorm(0.95) * got$se.fit)
  half <- function(...) unname(diff(t(predict(p$ours, new, interval = "prediction", ...)[, c("fit", "upr")]))[1, ]) / qnorm(0.975)
  se <- unname(got$se.fit)
  expect_equal(half(), sqrt(se^2 + sigma(p$ours)^2 / weights(p$ours)[c(1, 20, 40)]))
  expect_equal(half(weights = 1), sqrt(se^2 + sigma(p$ours)^2))
  expect_equal(half(weights = 4), sqrt(se^2 + sigma(p$ours)^2 / 4))
  expect_equal(half(weights = c(1, 2, 3)), sqrt(se^2 + sigma(p$ours)^2 / 1:3))
  # rows of the fit have their own weights
  own <- predict(p$ours, interval = "prediction")
  expect_equal(
    unname(own[, "upr"] - own[, "fit"]),
    unname(qnorm(0.975) * sqrt(prediction_se(p$ours)^2 + sigma(p$ours)^2 / weights(p$ours)))
  )
})

test_that("bootstrap intervals: reproducible, and R's generator is left alone", {
  fit <- model_pair("grouped")$ours
  new <- data.frame(Days = c(1, 12), Subject = c("308", "new"))
  once <- function(...) predict(fit, new, interval = "prediction", allow.new.levels = TRUE, nsim = 40, ...)
  set.seed(1)
  before <- .Random.seed
  a <- once(seed = 7)
  expect_identical(.Random.seed, before)
  expect_identical(a, once(seed = 7))
  expect_false(identical(a, once(seed = 8)))
  expect_equal(a[, "fit"], predict(fit, new, allow.new.levels = TRUE))
  for (arguments in list(list(re.form = NA), list(random.only = TRUE), list(re.form = ~ (1 | Subject)))) {
    got <- do.call(predict, c(list(fit, new, interval = "confidence", allow.new.levels = TRUE, nsim = 20, seed = 1), arguments))
    expect_true(all(got[, "lwr"] < got[, "fit"] & got[, "fit"] < got[, "upr"]), info = names(arguments))
  }
  more <- data.frame(Reaction = c(250, 300), Days = 0:1, Subject = "new")
  got <- predict(fit, new, condition_on = more, interval = "confidence", nsim = 20, seed = 1)
  expect_equal(got[, "fit"], predict(fit, new, condition_on = more))
  expect_true(all(is.finite(got)))
})

test_that("with many groups bootstrap intervals are close to the normal ones; held effects and NA rows are no obstacle", {
  set.seed(4)
  d <- data.frame(g = rep(1:150, each = 4), x = rnorm(600))
  d$y <- d$x + rnorm(150)[d$g] + rnorm(600)
  fit <- mixedlm(y ~ x + (1 | g), d)
  new <- data.frame(x = c(0, 2, NA), g = c(3, 500, 1))
  first <- predict(fit, new[3:1, ], interval = "confidence", allow.new.levels = TRUE, nsim = 5, seed = 3)
  expect_identical(unname(is.na(first[, "lwr"])), c(TRUE, FALSE, FALSE))
  normal <- predict(fit, new, interval = "confidence", allow.new.levels = TRUE)
  drawn <- predict(fit, new, interval = "confidence", allow.new.levels = TRUE, nsim = 400, seed = 3)
  width <- function(m) (m[, "upr"] - m[, "lwr"])[1:2]
  expect_equal(width(drawn) / width(normal), c(`1` = 1, `2` = 1), tolerance = 0.12)
  expect_true(all(is.na(drawn[3, ])))
})

test_that("with few groups the bootstrap widens the interval for a new group", {
  d <- plain_data("Dyestuff", "lme4")
  fit <- mixedlm(Yield ~ 1 + (1 | Batch), d)
  new <- data.frame(Batch = "new")
  width <- function(...) diff(predict(fit, new, interval = "confidence", allow.new.levels = TRUE, ...)[1, c("lwr", "upr")])
  expect_gt(width(nsim = 300, seed = 1), 1.1 * width())
})

test_that("coverage of intervals is what it should be", {
  # known and new groups, and new groups with data; 40 groups of 5 rows
  set.seed(20)
  runs <- 150L
  inside <- replicate(runs, {
    g <- rep(1:42, each = 6)
    x <- rnorm(length(g))
    mean <- 1 + x + rnorm(42, 0, 0.8)[g]
    d <- data.frame(g = g, x = x, mean = mean, y = mean + rnorm(length(g)))
    last <- rep(1:6 == 6, 42)
    fit <- suppressMessages(mixedlm(y ~ x + (1 | g), d[d$g <= 40 & !last, ]))
    hit <- function(got, truth) unname(got[, "lwr"] < truth & truth < got[, "upr"])
    known <- d[last & d$g <= 8, ]
    new <- d[last & d$g > 40, ]
    rowMeans(cbind(
      c(mean(hit(predict(fit, known, interval = "confidence"), known$mean)),
        mean(hit(predict(fit, known, interval = "prediction"), known$y)),
        mean(hit(predict(fit, new, interval = "prediction", allow.new.levels = TRUE), new$y)),
        mean(hit(predict(fit, new, interval = "confidence", condition_on = d[d$g > 40 & !last, ]), new$mean)))
    ))
  })
  # standard errors of these means: up to 0.02
  expect_true(all(abs(rowMeans(inside) - 0.95) < 0.05), info = paste(rowMeans(inside), collapse = " "))
})
