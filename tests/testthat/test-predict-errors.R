slopes <- function() {
  d <- unbalanced()
  list(
    fit = mixedlm(Reaction ~ Days + (Days | Subject), d, weights = w), data = d,
    x = function(d) cbind(1, d$Days), w = function(d) d$w,
    z = function(levels) function(d) list(dense_columns(cbind(1, d$Days), d$Subject, levels))
  )
}

test_that("new rows of known and of new groups, with weights: the dense equations' numbers", {
  m <- slopes()
  new <- data.frame(Days = c(0, 4.5, 30, -2, 3), Subject = c("308", "309", "372", "new", "other"))
  levels <- c(unique(m$data$Subject), "new", "other")
  levels <- unique(c(levels(factor(m$data$Subject)), "new", "other"))
  psi <- list(kronecker(diag(length(levels)), m$fit$psi[[1]]))
  dense <- function(...) dense_prediction(m$fit, m$data, new, m$z(levels), psi, m$x, y = "Reaction", w = m$w, ...)
  expect_dense_prediction(m$fit, new, dense(), allow.new.levels = TRUE)
  expect_dense_prediction(m$fit, new, dense(fixed = FALSE), allow.new.levels = TRUE, random.only = TRUE)
  expect_dense_prediction(m$fit, new, dense(keep = FALSE), re.form = NA)
  only <- dense_prediction(m$fit, m$data, new, function(d) {
    list(dense_columns(cbind(1, d$Days * !identical(d, new)), d$Subject, levels))
  }, psi, m$x, y = "Reaction", w = m$w)
  expect_dense_prediction(m$fit, new, only, re.form = ~ (1 | Subject), allow.new.levels = TRUE)
})

test_that("rows far away from the data have the errors that they have", {
  fit <- model_pair("grouped")$ours
  at <- function(x) predict(fit, data.frame(Days = x, Subject = c("308", "new")), allow.new.levels = TRUE, se.fit = TRUE)$se.fit
  expect_equal(at(1e12) / 1e12, at(1e6) / 1e6, tolerance = 1e-5)
  expect_equal(at(1e100) / 1e100, at(1e6) / 1e6, tolerance = 1e-5)
})

test_that("data of a new group and more data of a known one", {
  m <- slopes()
  more <- data.frame(
    Reaction = c(250, 270, 301, 420), Days = c(0, 1, 3, 12), Subject = c("new", "new", "new", "308"), w = c(1, 2, 3, 4)
  )
  new <- data.frame(Days = c(5, 5, 5), Subject = c("new", "308", "309"))
  levels <- c(levels(factor(m$data$Subject)), "new")
  psi <- list(kronecker(diag(length(levels)), m$fit$psi[[1]]))
  old <- m$data
  old$Subject <- as.character(old$Subject)
  dense <- dense_prediction(m$fit, old, new, m$z(levels), psi, m$x, more = more, y = "Reaction", w = m$w)
  expect_dense_prediction(m$fit, new, dense, condition_on = more)
  # for a new group alone its own rows are enough
  own <- subset(more, Subject == "new")
  z <- cbind(1, own$Days)
  v <- z %*% m$fit$psi[[1]] %*% t(z) + diag(1 / own$w)
  b <- m$fit$psi[[1]] %*% t(z) %*% solve(v, own$Reaction - z %*% m$fit$fe_params)
  p <- m$fit$scale * (m$fit$psi[[1]] - m$fit$psi[[1]] %*% t(z) %*% solve(v) %*% z %*% m$fit$psi[[1]])
  effects <- new_effects(m$fit, more)
  expect_s3_class(effects, "ranef.mixedlm")
  expect_identical(rownames(effects$Subject), c("new", "308"))
  expect_equal(unlist(effects$Subject["new", ], use.names = FALSE), as.vector(b), tolerance = 1e-8)
  expect_equal(attr(effects$Subject, "postVar")[, , 1], p, tolerance = 1e-8)
  expect_equal(as.vector(t(as.matrix(effects$Subject))), dense$b[c(2 * length(levels) - 1:0, 1:2)], tolerance = 1e-7)
  # one group is scored as if it were alone
  expect_equal(
    predict(m$fit, new[1, ], condition_on = more), predict(m$fit, new[1, ], condition_on = own),
    tolerance = 1e-9
  )
  expect_equal(predict(m$fit, condition_on = own), predict(m$fit, own, condition_on = own))
})

test_that("nested factors: a new level of either, and a part of the effects", {
  d <- plain_data("Pastes", "lme4")
  fit <- mixedlm(strength ~ 1 + (1 | batch / cask), d)
  new <- data.frame(batch = c("A", "A", "Z", "B"), cask = c("a", "q", "a", "c"))
  batches <- c(levels(factor(d$batch)), "Z")
  casks <- unique(c(paste(d$cask, d$batch), paste(new$cask, new$batch)))
  z <- function(d) {
    one <- matrix(1, nrow(d), 1)
    list(dense_columns(one, paste(d$cask, d$batch), casks), dense_columns(one, d$batch, batches))
  }
  psi <- list(diag(length(casks)) * fit$psi[[1]][1], diag(length(batches)) * fit$psi[[2]][1])
  x <- function(d) matrix(1, nrow(d), 1)
  dense <- function(...) dense_prediction(fit, d, new, z, psi, x, y = "strength", ...)
  expect_dense_prediction(fit, new, dense(), allow.new.levels = TRUE)
  expect_dense_prediction(fit, new, dense(keep = c(0, 1)), re.form = ~ (1 | batch), allow.new.levels = TRUE)
  expect_dense_prediction(fit, new["batch"], dense(keep = c(0, 1)), re.form = ~ (1 | batch), allow.new.levels = TRUE)
  expect_dense_prediction(fit, new, dense(keep = c(1, 0)), re.form = ~ (1 | cask:batch), allow.new.levels = TRUE)
  more <- data.frame(strength = c(58, 61), batch = c("A", "Z"), cask = c("q", "a"))
  joined <- dense(more = more)
  expect_dense_prediction(fit, new, joined, condition_on = more)
})

test_that("crossed factors: pairs that never met, new levels, slopes", {
  d <- subjects_items(14L, 9L, seed = 3)
  d <- d[!(d$s == "2" & d$i == "c"), ]
  fit <- mixedlm(y ~ a + (a | s) + (1 | i), d)
  new <- data.frame(s = c("2", "1", "x", "x", "3"), i = c("c", "a", "a", "zz", "zz"), a = c(1, -1, 2, 0, 3))
  subjects <- c(levels(d$s), "x")
  items <- c(levels(d$i), "zz")
  of <- function(k) fit$psi[[k]]
  s <- which(vapply(fit$random, `[[`, "", "group") == "s")
  z <- function(d) {
    out <- list(dense_columns(cbind(1, d$a), d$s, subjects), dense_columns(matrix(1, nrow(d), 1), d$i, items))
    if (s == 1L) out else rev(out)
  }
  psi <- list(kronecker(diag(length(subjects)), of(s)), diag(length(items)) * of(3 - s)[1])
  if (s == 2L) psi <- rev(psi)
  x <- function(d) cbind(1, d$a)
  dense <- function(...) dense_prediction(fit, d, new, z, psi, x, y = "y", ...)
  expect_dense_prediction(fit, new, dense(), allow.new.levels = TRUE)
  old <- transform(d, s = as.character(s), i = as.character(i))
  more <- data.frame(y = c(3, 1, 2), s = c("x", "x", "2"), i = c("a", "b", "zz"), a = c(0, 1, 2))
  joined <- dense_prediction(fit, old, new, z, psi, x, y = "y", more = more)
  expect_dense_prediction(fit, new, joined, condition_on = more)
  expect_error(predict(fit, transform(new, s = "y"), condition_on = more), class = "mixedlm_error_new_levels")
})

test_that("a singular fit has the errors of its fixed part", {
  p <- model_pair("singular")
  new <- data.frame(Batch = c("A", "new"))
  got <- predict(p$ours, new, se.fit = TRUE, allow.new.levels = TRUE)
  expect_equal(got$se.fit, predict(p$ours, new, re.form = NA, se.fit = TRUE)$se.fit)
  expect_equal(unname(got$fit), rep(unname(fixef(p$ours)), 2))
})

test_that("rows of the fit have the standard errors of prediction_se()", {
  for (name in model_pairs) {
    fit <- model_pair(name)$ours
    expect_equal(predict(fit, se.fit = TRUE)$se.fit, prediction_se(fit), tolerance = 1e-7, info = name)
    expect_equal(predict(fit, re.form = NA, se.fit = TRUE)$se.fit, prediction_se(fit, "fixed"), tolerance = 1e-7, info = name)
    expect_equal(predict(fit, random.only = TRUE, se.fit = TRUE)$se.fit, prediction_se(fit, "random"), tolerance = 1e-6, info = name)
  }
})

test_that("missing values, an offset and held effects with condition_on", {
  d <- unbalanced()
  fit <- mixedlm(Reaction ~ Days + (1 | Subject), d, offset = 3 * w)
  more <- data.frame(Reaction = c(260, 300, NA), Days = c(1, 2, 3), Subject = "n", w = c(1, 5, 1))
  new <- data.frame(Days = c(4, NA), Subject = "n", w = 2)
  lambda <- fit$psi[[1]][1]
  r <- more$Reaction[1:2] - 3 * more$w[1:2] - cbind(1, 1:2) %*% fit$fe_params
  b <- lambda * sum(r) / (1 + 2 * lambda)
  got <- predict(fit, new, condition_on = more, se.fit = TRUE)
  expect_equal(unname(got$fit[1]), sum(fit$fe_params * c(1, 4)) + 6 + b, tolerance = 1e-9)
  expect_identical(is.na(got$se.fit), c(`1` = FALSE, `2` = TRUE))
  expect_error(predict(fit, new, condition_on = more[3, ]), class = "mixedlm_error_rows")
  expect_error(predict(fit, new, condition_on = more[-1]), class = "mixedlm_error_newdata")
  expect_error(predict(fit, new, condition_on = 3), class = "mixedlm_error_newdata")
})

test_that("rows to predict do not make a small data set look like one that is fitted exactly", {
  d <- data.frame(g = rep(1:4, each = 2), x = c(1, 3, 2, 5, 1, 4, 2, 6), y = c(3, 1, 4, 1, 5, 9, 2, 6))
  fit <- suppressWarnings(mixedlm(y ~ x + (x | g), d))
  se <- predict(fit, d[rep(1:8, 3), ], se.fit = TRUE)$se.fit
  expect_equal(unname(se), rep(unname(prediction_se(fit)), 3), tolerance = 1e-7)
})

test_that("prediction intervals of new rows are of the fit's weights there", {
  d <- cbind(dietox, w = rep(c(0.5, 2, 4), length.out = nrow(dietox)))
  fit <- mixedlm(Weight ~ Time + (1 | Pig), d, weights = w)
  own <- predict(fit, interval = "prediction")
  expect_equal(predict(fit, d[1:5, ], interval = "prediction"), own[1:5, ])
  expect_warning(one <- predict(fit, d[1:5, c("Time", "Pig")], interval = "prediction"), class = "mixedlm_warning_weights")
  expect_equal(one, predict(fit, d[1:5, ], interval = "prediction", weights = 1))
  expect_silent(predict(fit, d[1:5, c("Time", "Pig")], interval = "confidence"))
  expect_error(predict(fit, transform(d[1:5, ], w = -1), interval = "prediction"), class = "mixedlm_error_weights")
})

test_that("prediction intervals that leave out varying effects say so", {
  fit <- mixedlm(Weight ~ Time + (Time | Pig), dietox)
  expect_message(predict(fit, re.form = NA, interval = "prediction"), "`Pig`", class = "mixedlm_message_interval")
  expect_message(predict(fit, re.form = ~ (1 | Pig), interval = "prediction"), class = "mixedlm_message_interval")
  expect_silent(predict(fit, interval = "prediction"))
  expect_silent(predict(fit, re.form = NA, interval = "confidence"))
})
