test_that("predictions are lme4's on all models, with all and with parts of the random effects", {
  skip_if_not_installed("lme4")
  for (name in model_pairs) {
    p <- model_pair(name)
    same <- function(..., info = "") {
      ours <- predict(p$ours, ...)
      theirs <- predict(p$theirs, ...)
      expect_equal(ours, theirs, tolerance = 1e-6, info = paste(name, info))
      expect_identical(names(ours), names(theirs), info = paste(name, info))
    }
    same()
    same(re.form = NA)
    same(re.form = ~0)
    same(random.only = TRUE)
    same(p$data)
    same(p$data, random.only = TRUE, info = "random")
    same(p$data, re.form = NA, info = "population")
    same(p$data[5:1, ], re.form = NULL)
    for (g in names(ngrps(p$ours))) {
      part <- stats::as.formula(paste("~ (1 |", g, ")"))
      same(p$data, re.form = part, info = g)
      same(re.form = part, info = g)
    }
    expect_identical(predict(p$ours), fitted(p$ours))
    expect_equal(predict(p$ours, p$data), fitted(p$ours), tolerance = 1e-10)
  }
})

test_that("new levels are as in lme4", {
  skip_if_not_installed("lme4")
  p <- model_pair("crossed_slopes")
  new <- p$data[1:4, ]
  new$s <- c("1", "new", NA, "2")
  expect_error(predict(p$ours, new[1:2, ]), class = "mixedlm_error_new_levels")
  e <- expect_error(predict(p$ours, new[3, ]), class = "mixedlm_error_missing")
  expect_identical(e$variable, "s")
  expect_equal(
    predict(p$ours, new, allow.new.levels = TRUE), predict(p$theirs, new, allow.new.levels = TRUE),
    tolerance = 1e-6
  )
  expect_equal(predict(p$ours, new, re.form = NA), predict(p$theirs, new, re.form = NA), tolerance = 1e-6)
})

test_that("missing values follow na.action", {
  p <- model_pair("grouped")
  new <- p$data[1:4, ]
  new$Days[2] <- NA
  full <- predict(p$ours, p$data[1:4, ])
  expect_equal(predict(p$ours, new), replace(full, 2, NA))
  expect_equal(predict(p$ours, new, na.action = na.exclude), replace(full, 2, NA))
  expect_equal(predict(p$ours, new, na.action = na.omit), full[-2])
  expect_equal(predict(p$ours, new, na.action = "na.omit"), full[-2])
  e <- expect_error(predict(p$ours, new, na.action = na.fail), class = "mixedlm_error_missing")
  expect_identical(e$argument, "na.action")
  limits <- predict(p$ours, new, interval = "prediction", se.fit = TRUE, na.action = na.exclude)
  expect_identical(rownames(limits$fit), as.character(1:4))
  expect_identical(is.na(limits$se.fit), c(`1` = FALSE, `2` = TRUE, `3` = FALSE, `4` = FALSE))
  expect_equal(predict(p$ours, new, na.action = na.omit, se.fit = TRUE)$se.fit, limits$se.fit[-2])
  d <- p$data
  d$Reaction[3] <- NA
  fit <- mixedlm(Reaction ~ Days + (Days | Subject), d, na.action = na.exclude)
  expect_true(is.na(predict(fit)[3]))
  expect_true(is.na(predict(fit, re.form = NA)[3]))
  expect_false(anyNA(predict(fit, d)))
})

test_that("no rows give an empty result", {
  p <- model_pair("crossed_slopes")
  expect_identical(unname(predict(p$ours, p$data[0, ])), numeric())
  expect_identical(dim(predict(p$ours, p$data[0, ], interval = "confidence")), c(0L, 3L))
  expect_identical(lengths(predict(p$ours, p$data[0, ], se.fit = TRUE)), c(fit = 0L, se.fit = 0L))
})

test_that("other parameters: the random effects are those that the data have then", {
  p <- model_pair("grouped")
  d <- p$data
  theta <- c(0.5, 0.1, 0.3)
  beta <- c(240, 11)
  lambda <- matrix(c(0.5, 0.1, 0, 0.3), 2)
  psi <- kronecker(diag(18), tcrossprod(lambda))
  z <- dense_columns(cbind(1, d$Days), d$Subject, levels(factor(d$Subject)))
  b <- psi %*% t(z) %*% solve(z %*% psi %*% t(z) + diag(180), d$Reaction - cbind(1, d$Days) %*% beta)
  want <- as.vector(cbind(1, d$Days) %*% beta + z %*% b)
  expect_equal(unname(predict(p$ours, newparams = list(beta = beta, theta = theta))), want, tolerance = 1e-8)
  expect_equal(unname(predict(p$ours, d, newparams = list(beta = beta, theta = theta))), want, tolerance = 1e-8)
  expect_equal(
    predict(p$ours, d, newparams = list(beta = unname(fixef(p$ours)), theta = getME(p$ours, "theta"))),
    fitted(p$ours), tolerance = 1e-8
  )
  half <- predict(p$ours, d[1:3, ], newparams = list(sigma = sigma(p$ours) / 2), se.fit = TRUE)
  expect_equal(2 * half$se.fit, predict(p$ours, d[1:3, ], se.fit = TRUE)$se.fit)
  for (bad in list(1, list(1), list(b = 1), list(beta = 1), list(theta = c(1, NA, 2)), list(sigma = 0), list(beta = "a"))) {
    e <- expect_error(predict(p$ours, newparams = bad), class = "mixedlm_error_newparams")
    expect_identical(e$argument, "newparams")
  }
})

test_that("arguments are checked, each by name", {
  fit <- model_pair("grouped")$ours
  bad <- list(
    list(allow.new.levels = NA), list(allow.new.levels = 1), list(random.only = "yes"), list(se.fit = c(TRUE, FALSE)),
    list(terms = ~Days), list(level = 1), list(level = "a", interval = "confidence"), list(nsim = -1), list(nsim = 10),
    list(nsim = 1.5, interval = "confidence"), list(seed = "a"), list(interval = "both"), list(type = "terms")
  )
  for (arguments in bad) {
    e <- expect_error(do.call(predict, c(list(fit), arguments)), class = "mixedlm_error_argument", info = names(arguments)[1])
    expect_identical(e$argument, names(arguments)[1])
  }
  e <- expect_error(predict(fit, new_data = 1), class = "mixedlm_error_argument")
  expect_error(predict(fit, interval = "prediction", weights = c(1, 2)), class = "mixedlm_error_weights")
  expect_error(predict(fit, interval = "prediction", weights = -1), class = "mixedlm_error_weights")
  expect_error(predict(fit, na.action = 3), class = "mixedlm_error_na_action")
})

test_that("lme4's older spellings of re.form", {
  fit <- model_pair("grouped")$ours
  for (name in c("ReForm", "REForm", "REform")) {
    expect_identical(do.call(predict, c(list(fit), stats::setNames(list(NA), name))), predict(fit, re.form = NA))
  }
  expect_error(predict(fit, re.form = NA, REForm = NA), class = "mixedlm_error_re_form")
  expect_error(predict(fit, REForm = NA, x = 1), class = "mixedlm_error_argument")
})

test_that("rows that a rank-deficient fit does not determine", {
  p <- model_pair("rank_deficient")
  expect_silent(predict(p$ours, p$data))
  new <- p$data[1:3, ]
  new$twice <- new$twice + c(0, 1, 0)
  w <- expect_warning(predict(p$ours, new), class = "mixedlm_warning_estimable")
  expect_identical(unname(w$rows), 2L)
})
