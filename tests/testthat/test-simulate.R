same_parameters <- function(theirs) {
  list(beta = lme4::fixef(theirs), theta = lme4::getME(theirs, "theta"), sigma = sigma(theirs))
}

test_that("one seed gives lme4's numbers, names and shape", {
  for (name in setdiff(model_pairs, "weighted")) {
    pair <- model_pair(name)
    truth <- same_parameters(pair$theirs)
    ours <- simulate(pair$ours, 3, seed = 5, newparams = truth)
    theirs <- simulate(pair$theirs, 3, seed = 5)
    expect_identical(dimnames(ours), dimnames(theirs), info = name)
    expect_identical(names(attributes(ours)), names(attributes(theirs)), info = name)
    expect_equal(ours, theirs, tolerance = 1e-12, ignore_attr = c("seed", "row.names"), info = name)
    kept <- simulate(pair$ours, 2, seed = 5, re.form = NULL, newparams = truth)
    expect_equal(kept, simulate(pair$theirs, 2, seed = 5, re.form = NULL), tolerance = 1e-6, ignore_attr = c("seed", "row.names"))
    expect_identical(simulate(pair$ours, 2, seed = 5, use.u = TRUE, newparams = truth), kept)
    some <- pair$data[seq(1, nrow(pair$data), 3), ]
    expect_equal(
      simulate(pair$ours, 2, seed = 1, newdata = some, newparams = truth),
      simulate(pair$theirs, 2, seed = 1, newdata = some),
      tolerance = 1e-12, ignore_attr = c("seed", "row.names"), info = name
    )
  }
})

test_that("prior weights count, which lme4 forgets", {
  pair <- model_pair("weighted")
  truth <- same_parameters(pair$theirs)
  ours <- as.matrix(simulate(pair$ours, 2, seed = 5, newparams = truth))
  signal <- as.matrix(simulate(pair$ours, 2, seed = 5, newparams = truth, cond.sim = FALSE))
  theirs <- as.matrix(simulate(pair$theirs, 2, seed = 5))
  expect_equal(signal, as.matrix(simulate(pair$theirs, 2, seed = 5, cond.sim = FALSE)), tolerance = 1e-12, ignore_attr = TRUE)
  set.seed(5)
  rnorm(2 * sum(lengths(pair$ours$b)))
  noise <- matrix(rnorm(2 * nrow(pair$data)), ncol = 2) * truth$sigma
  expect_equal(ours - signal, noise / sqrt(pair$data$w), ignore_attr = TRUE)
  some <- pair$data[c(5, 1, 9), ]
  expect_length(simulate(pair$ours, newdata = some)$sim_1, 3)
  some$w <- NULL
  environment(pair$ours$formula) <- globalenv()
  expect_error(simulate(pair$ours, newdata = some), class = "mixedlm_error_weights")
})

test_that("moments are those of the model", {
  d <- expand.grid(r = 1:2, g = 1:3)
  d$x <- c(-1, 2, 0, 1, 3, 1)
  d$off <- 10 * d$r
  truth <- list(beta = c(1, 2), theta = c(1, 0.5, 2), sigma = 1.5)
  set.seed(1)
  many <- d[rep(1:6, 10), ]
  many$g <- rep(1:30, each = 2)
  many$y <- rnorm(60) + many$x
  fit <- suppressWarnings(mixedlm(y ~ x + offset(off) + (x | g), many))
  y <- as.matrix(simulate(fit, 40000, seed = 3, newdata = d, newparams = truth))
  psi <- tcrossprod(matrix(c(1, 0.5, 0, 2), 2))
  z <- cbind(1, d$x)
  v <- 1.5^2 * (diag(6) + (z %*% psi %*% t(z)) * outer(d$g, d$g, `==`))
  expect_equal(unname(rowMeans(y)), 1 + 2 * d$x + d$off, tolerance = 0.02)
  expect_equal(unname(cov(t(y))), v, tolerance = 0.03)
})

test_that("effects that are named stay, the others are drawn", {
  pair <- model_pair("crossed")
  b <- pair$ours$b
  base <- simulate(pair$ours, 20000, seed = 2, re.form = ~ (1 | plate))
  f <- pair$ours$factors
  plate <- which(vapply(f, `[[`, "", "name") == "plate")
  k <- which(vapply(pair$ours$random, `[[`, "", "group") == "plate")
  expect_equal(
    rowMeans(base)[1:20], (fixef(pair$ours) + b[[k]][1, f[[plate]]$codes])[1:20],
    tolerance = 0.01, ignore_attr = "names"
  )
  expect_equal(var(unlist(base[1, ])), pair$ours$scale * (1 + pair$ours$psi[[3 - k]][1]), tolerance = 0.05)
  # what is left is drawn in the same order as lme4's, which (1.1-31) takes the variance of the first term for it
  # whichever it is: the two agree where it is the first
  truth <- same_parameters(pair$theirs)
  expect_equal(
    simulate(pair$ours, 2, seed = 4, re.form = ~ (1 | sample), newparams = truth),
    simulate(pair$theirs, 2, seed = 4, re.form = ~ (1 | sample)),
    tolerance = 1e-6, ignore_attr = c("seed", "row.names")
  )
  expect_identical(simulate(pair$ours, seed = 1, re.form = ~0), simulate(pair$ours, seed = 1))
})

test_that("effects that are kept inform those they are correlated with", {
  fit <- model_pair("grouped")$ours
  psi <- fit$psi[[1]]
  y <- as.matrix(simulate(fit, 40000, seed = 2, re.form = ~ (1 | Subject)))
  b <- fit$b[[1]]
  expected <- rbind(b[1, ], psi[2, 1] / psi[1, 1] * b[1, ])
  code <- fit$factors[[1]]$codes
  x <- fit$frame$Days
  mean <- fixef(fit)[1] + fixef(fit)[2] * x + expected[1, code] + x * expected[2, code]
  expect_equal(rowMeans(y), mean, tolerance = 2e-3, ignore_attr = "names")
  rest <- fit$scale * (1 + x[10]^2 * (psi[2, 2] - psi[2, 1]^2 / psi[1, 1]))
  expect_equal(var(y[10, ]), rest, tolerance = 0.05)
})

test_that("a draw given the others has the conditional covariance, singular or not", {
  set.seed(4)
  for (rank in c(3, 2, 1)) {
    theta <- matrix(rnorm(9), 3)
    theta[upper.tri(theta)] <- 0
    diag(theta)[seq_len(3) > rank] <- 0
    theta[row(theta) > rank & col(theta) > rank] <- 0
    psi <- tcrossprod(theta)
    for (keep in list(1L, 2L, 3L, c(1L, 3L))) {
      rest <- setdiff(1:3, keep)
      got <- drawn_factor(theta, keep, rest)
      e <- eigen(psi[keep, keep, drop = FALSE])
      use <- e$values > 1e-10
      inverse <- e$vectors[, use, drop = FALSE] %*% (t(e$vectors[, use, drop = FALSE]) / e$values[use])
      expect_equal(tcrossprod(got$factor), psi[rest, rest] - psi[rest, keep] %*% inverse %*% psi[keep, rest], tolerance = 1e-8, ignore_attr = TRUE)
      expect_equal(got$slope %*% psi[keep, keep], psi[rest, keep, drop = FALSE], tolerance = 1e-8)
    }
  }
})

test_that("the seed works as in stats", {
  fit <- model_pair("nested")$ours
  reference <- lm(dist ~ speed, cars)
  set.seed(7)
  before <- .Random.seed
  a <- simulate(fit, seed = 3)
  expect_identical(.Random.seed, before)
  expect_identical(a, simulate(fit, seed = 3))
  expect_identical(attr(a, "seed"), attr(simulate(reference, seed = 3), "seed"))
  b <- simulate(fit)
  expect_identical(attr(b, "seed"), before)
  expect_false(identical(.Random.seed, before))
  assign(".Random.seed", before, globalenv())
  expect_identical(simulate(fit), b)
})

test_that("rows that were left out are padded as na.action says", {
  d <- from_package("sleepstudy", "lme4")
  d$Reaction[c(3, 50)] <- NA
  omit <- simulate(mixedlm(Reaction ~ Days + (1 | Subject), d, na.action = na.omit), seed = 1)
  exclude <- simulate(mixedlm(Reaction ~ Days + (1 | Subject), d, na.action = na.exclude), seed = 1)
  expect_identical(nrow(omit), 178L)
  expect_identical(which(is.na(exclude$sim_1)), c(3L, 50L))
  expect_identical(exclude$sim_1[-c(3, 50)], omit$sim_1)
  theirs <- simulate(lme4::lmer(Reaction ~ Days + (1 | Subject), d, na.action = na.exclude), seed = 1)
  expect_identical(row.names(exclude), row.names(theirs))
  expect_identical(attr(exclude, "na.action"), attr(theirs, "na.action"))
})

test_that("new levels are drawn where they are allowed", {
  fit <- model_pair("grouped")$ours
  new <- data.frame(Days = c(1, 1, 2, 1), Subject = c("new", "308", "new", "other"))
  expect_error(simulate(fit, newdata = new), class = "mixedlm_error_new_levels")
  y <- simulate(fit, 20000, seed = 1, newdata = new, allow.new.levels = TRUE)
  v <- fit$scale * (1 + c(1, 1) %*% fit$psi[[1]] %*% c(1, 1))
  expect_equal(cov(unlist(y[1, ]), unlist(y[2, ])), 0, tolerance = 0.03 * v)
  expect_equal(cov(unlist(y[1, ]), unlist(y[4, ])), 0, tolerance = 0.03 * v)
  expect_equal(var(unlist(y[4, ])), drop(v), tolerance = 0.05)
  expect_equal(cov(unlist(y[1, ]), unlist(y[3, ])), fit$scale * drop(c(1, 1) %*% fit$psi[[1]] %*% c(1, 2)), tolerance = 0.1)
  kept <- simulate(fit, seed = 1, newdata = new, allow.new.levels = TRUE, re.form = NULL, cond.sim = FALSE)
  expect_equal(kept$sim_1[4], sum(fixef(fit)))
})

test_that("parameters may be given in both vocabularies", {
  fit <- model_pair("grouped")$ours
  scale <- 4
  cov_re <- matrix(c(16, 2, 2, 3), 2)
  lme4_way <- list(beta = c(Days = 2, "(Intercept)" = 1), theta = t(chol(cov_re / scale))[c(1, 2, 4)], sigma = 2)
  a <- simulate(fit, seed = 1, newparams = lme4_way)
  expect_equal(simulate(fit, seed = 1, newparams = list(fe_params = c(1, 2), cov_re = cov_re, scale = scale)), a)
  expect_equal(simulate(fit, seed = 1, newparams = list(beta = c(1, 2), cov_re = cov_re, sigma = 2)), a)
  own <- simulate(fit, seed = 1, newparams = mixedlm_params(c(1, 2), cov_re / scale))
  relative <- list(beta = c(1, 2), theta = lme4_way$theta)
  expect_equal(own, simulate(fit, seed = 1, newparams = relative))
})

test_that("bad arguments are told by name", {
  fit <- model_pair("grouped")$ours
  argument <- function(code) tryCatch(code, mixedlm_error = function(e) paste(class(e)[1], e$argument))
  for (n in list(0, -1, 1.5, NA, "2", c(1, 2), NULL, Inf)) {
    expect_identical(argument(simulate(fit, nsim = n)), "mixedlm_error_argument nsim")
  }
  expect_identical(argument(simulate(fit, seed = "a")), "mixedlm_error_argument seed")
  expect_identical(argument(simulate(fit, use.u = 1)), "mixedlm_error_argument use.u")
  expect_identical(argument(simulate(fit, use.u = TRUE, re.form = NA)), "mixedlm_error_argument use.u")
  expect_identical(argument(simulate(fit, cond.sim = NA)), "mixedlm_error_argument cond.sim")
  expect_identical(argument(simulate(fit, allow.new.levels = "yes")), "mixedlm_error_argument allow.new.levels")
  expect_identical(argument(simulate(fit, nsmi = 2)), "mixedlm_error_argument nsmi")
  expect_identical(argument(simulate(fit, re.form = ~ (1 | Nobody))), "mixedlm_error_re_form re.form")
  expect_identical(argument(simulate(fit, newdata = 1:3)), "mixedlm_error_newdata newdata")
  expect_identical(argument(simulate(fit, 1e9)), "mixedlm_error_memory nsim")
  bad <- list(
    list(bta = 1), list(1), 3, list(beta = 1), list(beta = c(1, NA)), list(beta = c(a = 1, b = 2)), list(theta = 1:2),
    list(sigma = -1), list(sigma = 1:2), list(beta = 1:2, fe_params = 1:2), list(scale = "1"),
    list(cov_re = diag(3)), list(cov_re = matrix(c(1, 2, 2, 1), 2)), list(vcomp = 1), list(cov_re = diag(2), sigma = 0),
    list(cov_re = matrix(1:6, 2))
  )
  for (newparams in bad) {
    expect_identical(argument(simulate(fit, newparams = newparams)), "mixedlm_error_newparams newparams")
  }
})

test_that("no rows and one row can be simulated for", {
  for (fit in list(
    mixedlm(Weight ~ Time + (Time | Pig), dietox), mixedlm(Weight ~ 1 + (1 | Pig), dietox)
  )) {
    expect_identical(dim(simulate(fit, 2, newdata = dietox[0, ])), c(0L, 2L))
    expect_identical(dim(simulate(fit, 2, newdata = dietox[5, ], re.form = NULL)), c(1L, 2L))
  }
})
