robust_names <- c("CR0", "CR1", "CR1p", "CR1S", "CR2", "CR3")

# The definitions, with matrices over all rows: list(vcov, p(s, t)): the second
# one the m x m matrices of the working model, relative to sigma^2.
dense_robust <- function(fit, clusters, type) {
  model <- oracle_model(design_of(fit), fit$reml)
  v <- oracle_v(model, fit$psi)
  x <- model$x
  vi <- solve(v)
  m <- solve(crossprod(x, vi %*% x))
  e <- drop(model$y - x %*% fit$fe_params)
  rows <- split(seq_along(e), clusters)
  t_i <- lapply(rows, function(i) {
    vii <- v[i, i, drop = FALSE]
    rest <- vii - x[i, , drop = FALSE] %*% m %*% t(x[i, , drop = FALSE])
    a <- switch(type,
      CR2 = {
        d <- chol(vii)
        t(d) %*% pseudo_root(d %*% rest %*% t(d)) %*% d
      },
      CR3 = vii %*% solve(rest),
      diag(length(i))
    )
    m %*% t(x[i, , drop = FALSE]) %*% solve(vii) %*% a
  })
  scores <- Map(function(t, i) t %*% e[i], t_i, rows)
  count <- c(m = length(rows), n = length(e), p = ncol(x))
  factor <- switch(type,
    CR1 = count["m"] / (count["m"] - 1),
    CR1p = count["m"] / (count["m"] - count["p"]),
    CR1S = count["m"] * (count["n"] - 1) / ((count["m"] - 1) * (count["n"] - count["p"])),
    1
  )
  covariance <- v - x %*% m %*% t(x)
  scores_of <- function(l) {
    out <- matrix(0, length(e), length(rows))
    for (k in seq_along(rows)) out[rows[[k]], k] <- l %*% t_i[[k]]
    out
  }
  list(
    vcov = unname(factor) * Reduce(`+`, lapply(scores, tcrossprod)),
    p = function(s, t) t(scores_of(s)) %*% covariance %*% scores_of(t)
  )
}

pseudo_root <- function(b) {
  e <- eigen((b + t(b)) / 2)
  use <- e$values > 1e-10 * max(e$values)
  e$vectors[, use] %*% (t(e$vectors[, use]) / sqrt(e$values[use]))
}

dense_df <- function(dense, l) {
  p <- dense$p(l, l)
  sum(diag(p))^2 / sum(p^2)
}

dense_hotelling <- function(dense, L) {
  q <- nrow(L)
  expected <- matrix(0, q, q)
  for (s in seq_len(q)) for (t in seq_len(q)) expected[s, t] <- sum(diag(dense$p(L[s, ], L[t, ])))
  e <- eigen(expected)
  L <- e$vectors %*% (t(e$vectors) / sqrt(e$values)) %*% L
  total <- 0
  for (s in seq_len(q)) {
    for (t in seq_len(q)) {
      total <- total + sum(dense$p(L[s, ], L[s, ]) * dense$p(L[t, ], L[t, ])) +
        sum(dense$p(L[s, ], L[t, ]) * dense$p(L[t, ], L[s, ]))
    }
  }
  q * (q + 1) / total
}

# lme4's fit at our theta, with a call that clubSandwich can read.
peer_at <- function(fit, data) {
  out <- lmer_at(fit, data)
  out@call <- as.call(list(quote(lmer), formula = formula(fit), data = data))
  out
}

expect_same_as_club_sandwich <- function(fit, data, types = robust_names, cluster = NULL, peer_cluster = NULL) {
  theirs <- peer_at(fit, data)
  p <- length(fixef(fit))
  for (type in types) {
    v <- if (is.null(peer_cluster)) {
      clubSandwich::vcovCR(theirs, type = type)
    } else {
      clubSandwich::vcovCR(theirs, cluster = peer_cluster, type = type)
    }
    expect_equal(vcov(fit, type = type, cluster = cluster), as.matrix(v),
      tolerance = 1e-8, ignore_attr = TRUE, info = type
    )
    parts <- robust_parts(fit, type, cluster)
    single <- robust_t_tests(fit, type = type, parts = parts)
    peer <- clubSandwich::coef_test(theirs, vcov = v, test = "Satterthwaite")
    expect_equal(single$df, peer$df_Satt, tolerance = 1e-8, info = type)
    expect_equal(single$p.value, peer$p_Satt, tolerance = 1e-7, info = type)
    if (p > 2L) {
      L <- diag(p)[-1L, , drop = FALSE]
      joint <- robust_test(fit, L, type = type, parts = parts)
      peer <- clubSandwich::Wald_test(theirs, clubSandwich::constrain_zero(2:p), vcov = v, test = "HTZ")
      expect_equal(
        c(joint$statistic, joint$df_num, joint$df_den, joint$p.value),
        c(peer$Fstat, peer$df_num, peer$df_denom, peer$p_val),
        tolerance = 1e-7, info = type
      )
    }
  }
}

test_that("covariances, degrees of freedom and tests are clubSandwich's, with REML and with ML", {
  skip_if_not_installed("clubSandwich")
  skip_if_not_installed("lme4")
  d <- dietox[as.integer(factor(dietox$Pig)) %% 3L == 0L, ]
  for (reml in c(TRUE, FALSE)) {
    fit <- mixedlm(Weight ~ Time * Cu + (Time | Pig), d, REML = reml)
    expect_same_as_club_sandwich(fit, d, if (reml) robust_names else c("CR0", "CR2"))
  }
})

test_that("so they are for nested factors, whose clusters are the outermost ones", {
  skip_if_not_installed("clubSandwich")
  pastes <- plain_data("Pastes", "lme4")
  fit <- mixedlm(strength ~ 1 + (1 | batch / cask), pastes)
  expect_same_as_club_sandwich(fit, pastes)
  machines <- plain_data("Machines", "nlme")
  fit <- mixedlm(score ~ Machine + (1 | Worker / Machine), machines)
  expect_same_as_club_sandwich(fit, machines)
})

test_that("a coefficient that one cluster determines alone is left out of its adjustment", {
  skip_if_not_installed("clubSandwich")
  d <- plain_data("sleepstudy", "lme4")
  d$one <- as.numeric(d$Subject == "308")
  d$slope <- d$one * d$Days
  fit <- mixedlm(Reaction ~ Days + one + slope + (Days | Subject), d)
  theirs <- peer_at(fit, d)
  v <- clubSandwich::vcovCR(theirs, type = "CR2")
  expect_equal(vcov(fit, type = "CR2"), as.matrix(v), tolerance = 1e-8, ignore_attr = TRUE)
  expect_equal(
    robust_t_tests(fit)$df, clubSandwich::coef_test(theirs, vcov = v)$df_Satt,
    tolerance = 1e-7
  )
  # three coefficients that are only two independent numbers plus a certainty
  joint <- robust_test(fit, diag(4)[2:4, ])
  expect_true(is.na(joint$p.value) && is.na(joint$df_den))
})

test_that("clusters above the grouping factor, and crossed factors within clusters", {
  skip_if_not_installed("clubSandwich")
  d <- factors_within_groups()
  fit <- mixedlm(y ~ x + (1 | g:a) + (1 | g:b), d)
  expect_identical(fit$optinfo$engine, "crossed")
  expect_same_as_club_sandwich(fit, d, c("CR0", "CR2"), cluster = "g", peer_cluster = d$g)
  e <- plain_data("Pastes", "lme4")
  fit <- mixedlm(strength ~ 1 + (1 | sample), e)
  expect_same_as_club_sandwich(fit, e, "CR2", cluster = ~batch, peer_cluster = e$batch)
})

test_that("with weights they are those of the definition, few different ones or many", {
  d <- plain_data("sleepstudy", "lme4")[-c(3, 50), ]
  d$x <- d$Days^2 / 10
  set.seed(4)
  for (w in list(sample(c(0.5, 1, 7), nrow(d), TRUE), runif(nrow(d), 0.2, 90))) {
    d$w <- w
    fit <- mixedlm(Reaction ~ Days + x + (Days | Subject), d, weights = w)
    for (type in robust_names) {
      dense <- dense_robust(fit, d$Subject, type)
      parts <- robust_parts(fit, type)
      expect_equal(parts$vcov, dense$vcov, tolerance = 1e-8, ignore_attr = TRUE, info = type)
      L <- rbind(c(0, 1, 0), c(0.5, 0, -1))
      df <- c(dense_df(dense, L[1L, ]), dense_df(dense, L[2L, ]))
      expect_equal(robust_t_tests(fit, L, parts = parts)$df, df, tolerance = 1e-8)
      expect_equal(robust_test(fit, L, parts = parts)$df_den, dense_hotelling(dense, L) - 1, tolerance = 1e-8)
    }
  }
})

test_that("clusters that are rotated to few rows give what all their rows give", {
  set.seed(8)
  d <- data.frame(g = rep(1:7, c(300, 2, 1, 40, 20, 90, 5)))
  d$x <- rnorm(nrow(d))
  d$y <- d$x + rnorm(7)[d$g] + rnorm(7)[d$g] * d$x + rnorm(nrow(d))
  fit <- mixedlm(y ~ x + (x | g), d)
  for (type in c("CR0", "CR2")) {
    dense <- dense_robust(fit, d$g, type)
    parts <- robust_parts(fit, type)
    expect_equal(parts$vcov, dense$vcov, tolerance = 1e-8, ignore_attr = TRUE)
    expect_equal(robust_df(parts, rbind(c(0, 1))), dense_df(dense, c(0, 1)), tolerance = 1e-8)
  }
  # one more thread, the same numbers
  two <- mixedlm(y ~ x + (x | g), d, control = mixedlm_control(threads = 2L))
  expect_equal(vcov(two, type = "CR2"), vcov(fit, type = "CR2"), tolerance = 1e-12)
})

test_that("clusters with many random effects, some of variance zero", {
  set.seed(12)
  d <- data.frame(g = rep(1:3, c(250, 170, 40)))
  d$c <- (seq_len(nrow(d)) - 1L) %/% 3L
  d$c[diff(c(1, d$g)) == 1] <- 1000L + d$g[diff(c(1, d$g)) == 1]
  d$c <- paste(d$g, d$c)
  d$x <- rnorm(nrow(d))
  d$y <- d$x + rnorm(3)[d$g] + rnorm(nrow(d))
  d$z <- d$y + 2 * rnorm(300)[as.integer(factor(d$c))]
  for (f in c(y ~ x + (x | g / c), z ~ x + (1 | g / c))) {
    fit <- suppressWarnings(mixedlm(f, d))
    for (type in c("CR0", "CR2")) {
      dense <- dense_robust(fit, d$g, type)
      expect_equal(vcov(fit, type = type), dense$vcov, tolerance = 1e-7, ignore_attr = TRUE)
    }
  }
})

test_that("a singular fit has a robust covariance, and units do not matter", {
  d <- plain_data("sleepstudy", "lme4")
  d$y <- residuals(lm(Reaction ~ Days + Subject, d)) + d$Days
  fit <- mixedlm(y ~ Days + (Days | Subject), d)
  expect_true(isSingular(fit))
  dense <- dense_robust(fit, d$Subject, "CR2")
  expect_equal(vcov(fit, type = "CR2"), dense$vcov, tolerance = 1e-8, ignore_attr = TRUE)
  base <- mixedlm(Reaction ~ Days + (Days | Subject), d)
  scaled <- mixedlm(
    I(Reaction * 1e6) ~ I(Days * 1e-7) + (I(Days * 1e-7) | Subject), d,
    weights = rep(1e9, nrow(d))
  )
  expect_equal(
    vcov(scaled, type = "CR2"), vcov(base, type = "CR2") * tcrossprod(c(1e6, 1e13)),
    tolerance = 1e-6, ignore_attr = TRUE
  )
})

test_that("one value per row: of the data, whatever rows were left out, or of the fit", {
  d <- plain_data("Pastes", "lme4")
  d$strength[c(2, 17)] <- NA
  d$w <- replace(rep(c(1, 2), 30), 30, 0)
  fit <- suppressMessages(mixedlm(strength ~ 1 + (1 | sample), d, weights = w, subset = cask != "c" | batch != "A"))
  used <- rownames(d) %in% rownames(model.frame(fit))
  expect_lt(sum(used), nrow(d) - 3L)
  expected <- vcov(fit, type = "CR2", cluster = as.character(d$batch)[used])
  expect_identical(vcov(fit, type = "CR2", cluster = d$batch), expected)
  expect_identical(vcov(fit, type = "CR2", cluster = "batch"), expected)
  expect_identical(vcov(fit, type = "CR2", cluster = ~batch), expected)
  expect_false(isTRUE(all.equal(vcov(fit, type = "CR2"), expected)))
  dense <- dense_robust(fit, droplevels(d$batch[used]), "CR2")
  expect_equal(expected, dense$vcov, tolerance = 1e-8, ignore_attr = TRUE)
})

test_that("a fit made from vectors or matrices has them too", {
  X <- cbind(1, dietox$Time)
  fit <- mixedlm(X, dietox$Weight, groups = dietox$Pig, exog_re = X)
  same <- mixedlm(Weight ~ Time, dietox, groups = "Pig", re_formula = ~Time)
  expect_equal(vcov(fit, type = "CR2"), vcov(same, type = "CR2"), ignore_attr = TRUE)
  expect_equal(vcov(fit, type = "CR2", cluster = dietox$Pig), vcov(fit, type = "CR2"))
})

test_that("aliased columns are left out, held ones have variance zero", {
  d <- transform(dietox, twice = 2 * Time)
  fit <- suppressMessages(mixedlm(Weight ~ twice + Time + Cu + (Time | Pig), d))
  expect_identical(fit$aliased, "Time")
  same <- mixedlm(Weight ~ twice + Cu + (Time | Pig), d)
  expect_equal(vcov(fit, type = "CR2"), vcov(same, type = "CR2"), tolerance = 1e-6)
  full <- mixedlm(Weight ~ Time + Cu, dietox, groups = "Pig")
  mask <- mixedlm_params(fe_params = c(1, 0, 1, 1), cov_re = 1)
  start <- mixedlm_params(fe_params = c(16, 7, 0, 0), cov_re = 40)
  held <- mixedlm(Weight ~ Time + Cu, dietox, groups = "Pig", free = mask, start = start)
  without <- mixedlm(I(Weight - 7 * Time) ~ Cu, dietox, groups = "Pig")
  v <- vcov(held, type = "CR2")
  expect_identical(dimnames(v), dimnames(vcov(full)))
  expect_true(all(v["Time", ] == 0))
  expect_equal(v[-2, -2], vcov(without, type = "CR2"), tolerance = 1e-6)
})

test_that("what cannot be used as clusters says why", {
  d <- subjects_items(10L, 6L, seed = 31)
  d$half <- d$s %in% levels(d$s)[1:5]
  crossed <- mixedlm(y ~ a + (1 | s) + (1 | i), d)
  error <- expect_error(vcov(crossed, type = "CR2"), class = "mixedlm_error_robust")
  expect_match(conditionMessage(error), "`s` and `i`")
  error <- expect_error(vcov(crossed, type = "CR2", cluster = "s"), class = "mixedlm_error_robust")
  expect_identical(error$factor, "i")
  fit <- mixedlm(y ~ a + (1 | s), d)
  expect_error(vcov(fit, type = "CR2", cluster = "i"), "`s` is not nested", class = "mixedlm_error_robust")
  expect_error(vcov(fit, type = "CR2", cluster = rep(1, nrow(d))), "one", class = "mixedlm_error_robust")
  expect_error(vcov(fit, type = "CR2", cluster = "hlaf"), "half", class = "mixedlm_error_robust")
  expect_error(vcov(fit, type = "CR2", cluster = 1:3), class = "mixedlm_error_robust")
  expect_error(vcov(fit, type = "CR2", cluster = a ~ s), class = "mixedlm_error_robust")
  expect_error(vcov(fit, type = "CR2", cluster = list(1)), class = "mixedlm_error_robust")
  expect_error(vcov(fit, type = "CR2", cluster = diag(2)), class = "mixedlm_error_robust")
  expect_error(vcov(fit, type = "CR2", cluster = replace(d$half, 3, NA)), "missing", class = "mixedlm_error_robust")
  two <- vcov(fit, type = "CR1", cluster = "half")
  expect_identical(dim(two), c(2L, 2L))
  expect_error(vcov(fit, type = "CR1p", cluster = "half"), "more clusters", class = "mixedlm_error_robust")
})

test_that("types and parts that are not there are refused", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
  expect_identical(vcov(fit, type = "model"), vcov(fit))
  expect_error(vcov(fit, type = "HC3"), class = "mixedlm_error_argument")
  expect_error(vcov(fit, which = "all", type = "CR2"), class = "mixedlm_error_argument")
  expect_error(vcov(fit, cluster = "Pig"), "type", class = "mixedlm_error_argument")
  expect_error(robust_test(fit, c(1, 0, 0)), class = "mixedlm_error_robust")
})

test_that("too few clusters for a joint test give NA, not a p-value", {
  d <- plain_data("sleepstudy", "lme4")
  d <- droplevels(d[d$Subject %in% levels(d$Subject)[1:3], ])
  d$f <- factor(d$Days %% 4)
  fit <- mixedlm(Reaction ~ f + (1 | Subject), d)
  joint <- robust_test(fit, diag(4)[-1L, ])
  expect_lt(joint$df_den, 1e-6)
  expect_true(is.na(joint$p.value))
  expect_length(joint$se, 3L)
  right <- robust_test(fit, c(0, 1, 0, 0), rhs = 5)
  expect_equal(right$statistic, (fixef(fit)[["f1"]] - 5) / right$se)
})

test_that("effects of the clusters themselves have no degrees of freedom", {
  d <- plain_data("sleepstudy", "lme4")
  d <- droplevels(d[d$Subject %in% levels(d$Subject)[1:5], ])
  d$half <- factor(paste(d$Subject, d$Days > 4))
  fit <- mixedlm(Reaction ~ 0 + Subject + (1 | half), d)
  for (type in c("CR0", "CR2")) {
    parts <- robust_parts(fit, type, "Subject")
    expect_true(all(is.na(robust_t_tests(fit, parts = parts)$p.value)))
    expect_true(is.na(robust_test(fit, diag(5)[2:4, ], parts = parts)$p.value))
  }
})

test_that("robust covariances serve every test", {
  fit <- mixedlm(Weight ~ Cu * Time, dietox, groups = "Pig")
  terms <- anova(fit, vcov = "CR2")
  single <- linear_hypothesis(fit, "Time = 0", vcov = "CR2")
  joint <- linear_hypothesis(fit, attr(terms, "hypotheses")[["Cu:Time"]], vcov = "CR2")$joint
  expect_equal(terms["Cu:Time", "F value"], joint$statistic)
  expect_equal(terms["Cu:Time", "DenDF"], joint$den_df)
  expect_output(print(terms), "CR2")
  table <- coef(summary(fit, vcov = "CR2"))
  expect_equal(table["Time", "t value"], single$table$statistic)
  expect_equal(table["Time", "df"], single$table$df)
  expect_equal(table[, "Std. Error"], sqrt(diag(vcov(fit, type = "CR2"))))
  expect_output(print(summary(fit, vcov = "CR2")), "cluster-robust")
  dropped <- drop1(fit, test = "F", vcov = "CR2")
  expect_equal(dropped["Cu:Time", "F value"], joint$statistic)
  expect_error(anova(fit, vcov = "CR9"), class = "mixedlm_error_argument")
  expect_error(anova(fit, cluster = "Litter"), class = "mixedlm_error_argument")
  expect_error(summary(fit, style = "statsmodels", vcov = "CR2"), class = "mixedlm_error_argument")
  expect_error(vcov(fit, type = "Kenward-Roger", which = "all"), class = "mixedlm_error_argument")
})
