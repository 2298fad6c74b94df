# The mixed model equations over all effects, dense, in the effects divided by
# Lambda: sigma^2 times their inverse is the covariance of all errors, whatever
# Psi. The three standard errors of every row.
dense_prediction_se <- function(fit) {
  model <- oracle_model(design_of(fit), fit$reml)
  zl <- do.call(cbind, Map(function(z, theta) {
    z$z %*% kronecker(diag(z$levels), theta)
  }, model$z, fit$theta))
  p <- ncol(model$x)
  all <- cbind(model$x, zl)
  prior <- diag(rep(c(0, 1), c(p, ncol(zl))))
  inverse <- solve(crossprod(all * sqrt(model$w)) + prior) * fit$scale
  sd_of <- function(rows) sqrt(rowSums((rows %*% inverse) * rows))
  none <- function(m) m * 0
  list(
    both = sd_of(all), fixed = sd_of(cbind(model$x, none(zl))),
    random = sd_of(cbind(none(model$x), zl))
  )
}

expect_dense_prediction_se <- function(fit, tolerance = 1e-9) {
  dense <- dense_prediction_se(fit)
  for (part in names(dense)) {
    expect_equal(unname(prediction_se(fit, part)), dense[[part]], tolerance = tolerance, info = part)
  }
}

test_that("one grouping factor: the dense equations' numbers, with weights and offset too", {
  d <- plain_data("sleepstudy", "lme4")[-c(1, 5, 33), ]
  expect_dense_prediction_se(mixedlm(Reaction ~ Days + (Days | Subject), d))
  expect_dense_prediction_se(mixedlm(Reaction ~ Days + (Days || Subject), d, REML = FALSE))
  set.seed(2)
  d$w <- runif(nrow(d), 0.3, 50)
  fit <- mixedlm(Reaction ~ log(Days + 1) + (Days | Subject), d, weights = w, offset = 2 * Days)
  expect_dense_prediction_se(fit)
})

test_that("nested factors, with slopes at each", {
  expect_dense_prediction_se(mixedlm(strength ~ 1 + (1 | batch / cask), plain_data("Pastes", "lme4")))
  set.seed(5)
  d <- expand.grid(k = 1:4, class = 1:3, school = 1:6)[-c(2, 30, 31), ]
  d$x <- rnorm(nrow(d))
  cell <- interaction(d$school, d$class)
  d$y <- d$x + rnorm(6)[d$school] + rnorm(6)[d$school] * d$x + rnorm(18)[cell] + rnorm(18)[cell] * d$x + rnorm(nrow(d))
  d <- d[sample(nrow(d)), ]
  fit <- mixedlm(y ~ x + (x | school / class), d)
  expect_identical(fit$optinfo$engine, "grouped")
  expect_dense_prediction_se(fit)
  expect_dense_prediction_se(mixedlm(y ~ x, d,
    groups = "school", re_formula = ~x,
    vc_formula = list(class = ~ 0 + factor(class))
  ))
})

test_that("crossed factors: dense and sparse systems, several terms, weights", {
  expect_dense_prediction_se(mixedlm(diameter ~ 1 + (1 | plate) + (1 | sample), plain_data("Penicillin", "lme4")))
  d <- subjects_items(14L, 9L, seed = 3)
  fit <- mixedlm(y ~ a + (a | s) + (a || i), d, weights = w)
  expect_identical(fit$optinfo$engine, "crossed")
  expect_dense_prediction_se(fit)
  e <- classes_items()
  expect_dense_prediction_se(mixedlm(y ~ x + (x | item) + (1 | school / class), e), tolerance = 1e-8)
  f <- factors_within_groups()
  expect_dense_prediction_se(mixedlm(y ~ x + (1 | g) + (1 | g:a) + (x | g:b), f), tolerance = 1e-8)
})

test_that("a sparse system of crossed factors", {
  set.seed(11)
  n <- 900L
  d <- data.frame(a = rep(1:300, each = 3L))
  d$b <- pmax(1L, pmin(200L, round(d$a * 2 / 3) + sample(-1:1, n, TRUE)))
  d$c <- 1L + (d$a + sample(0:1, n, TRUE)) %/% 5L
  d$x <- rnorm(n)
  d$y <- d$x + rnorm(300)[d$a] + rnorm(200)[d$b] + rnorm(200)[d$b] * d$x + rnorm(70)[d$c] + rnorm(n)
  fit <- mixedlm(y ~ x + (1 | a) + (x | b) + (1 | c), d)
  expect_identical(fit$optinfo$structure, "sparse")
  expect_dense_prediction_se(fit, tolerance = 1e-8)
})

test_that("singular fits, grouped and crossed", {
  d <- plain_data("sleepstudy", "lme4")
  d$y <- residuals(lm(Reaction ~ Days + Subject, d)) + d$Days
  fit <- mixedlm(y ~ Days + (Days | Subject), d)
  expect_true(isSingular(fit))
  expect_dense_prediction_se(fit)
  none <- mixedlm(y ~ Days + (1 | Subject), d)
  expect_equal(prediction_se(none, "both"), prediction_se(none, "fixed"), tolerance = 1e-7)
  e <- subjects_items(12L, 8L, seed = 4, sd = c(subject = 1, slope = 0, item = 0, noise = 1))
  e$y <- residuals(lm(y ~ i, e))
  fit <- mixedlm(y ~ a + (a | s) + (1 | i), e)
  expect_true(isSingular(fit))
  expect_dense_prediction_se(fit, tolerance = 1e-8)
})

test_that("the parts agree with what is known of them", {
  fit <- mixedlm(Weight ~ Time + Cu, dietox, groups = "Pig", re_formula = ~Time)
  x <- model.matrix(fit)
  expect_equal(unname(prediction_se(fit, "fixed")), unname(sqrt(rowSums((x %*% vcov(fit)) * x))), tolerance = 1e-9)
  # more than the conditional variances say
  z <- cbind(1, dietox$Time)
  v <- attr(ranef(fit, condVar = TRUE)$Pig, "postVar")
  pig <- match(as.character(dietox$Pig), rownames(ranef(fit)$Pig))
  known <- vapply(seq_along(pig), function(i) sqrt(drop(z[i, ] %*% v[, , pig[i]] %*% z[i, ])), 0)
  expect_true(all(prediction_se(fit, "random") > known))
  # fitted values are known better than single rows, and together they use up the
  # trace of the hat matrix: between p and the number of all effects
  used <- sum(prediction_se(fit)^2) / sigma(fit)^2
  expect_gt(used, 3)
  expect_lt(used, 3 + 2 * 72)
})

test_that("units and threads do not matter", {
  d <- plain_data("sleepstudy", "lme4")
  fit <- mixedlm(Reaction ~ Days + (Days | Subject), d)
  scaled <- mixedlm(
    I(Reaction * 1e6) ~ I(Days * 1e-7) + (I(Days * 1e-7) | Subject), d,
    weights = rep(1e9, nrow(d)), control = mixedlm_control(threads = 2L)
  )
  for (part in c("both", "fixed", "random")) {
    expect_equal(prediction_se(scaled, part), 1e6 * prediction_se(fit, part), tolerance = 1e-6)
  }
})

test_that("aliased, held and missing are handled as in the fit", {
  d <- transform(dietox, twice = 2 * Time, Weight = replace(Weight, c(4, 9), NA))
  expect_message(
    fit <- mixedlm(Weight ~ twice + Time + (Time | Pig), d, na.action = na.exclude),
    class = "mixedlm_message_rank"
  )
  same <- mixedlm(Weight ~ Time + (Time | Pig), d)
  se <- prediction_se(fit)
  expect_length(se, nrow(d))
  expect_identical(which(is.na(se)), which(is.na(d$Weight)), ignore_attr = TRUE)
  expect_equal(se[!is.na(se)], prediction_se(same), tolerance = 1e-6)
  mask <- mixedlm_params(fe_params = c(1, 0, 1, 1), cov_re = 1)
  start <- mixedlm_params(fe_params = c(16, 7, 0, 0), cov_re = 40)
  held <- mixedlm(Weight ~ Time + Cu, dietox, groups = "Pig", free = mask, start = start)
  without <- mixedlm(I(Weight - 7 * Time) ~ Cu, dietox, groups = "Pig")
  expect_equal(prediction_se(held), prediction_se(without), tolerance = 1e-6)
})

test_that("other objects and parts are refused", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
  expect_error(prediction_se(fit, "all"), class = "mixedlm_error_argument")
  expect_error(prediction_se(lm(Weight ~ Time, dietox)), class = "mixedlm_error_object")
})
