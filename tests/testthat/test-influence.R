# A fit of the rows that are left, found from scratch.
fit_without <- function(pair, out) {
  data <- droplevels(pair$data[!out, , drop = FALSE])
  fit <- pair$ours
  call <- list(quote(mixedlm), pair$formula, quote(data), REML = isREML(fit))
  if (!is.null(fit$weights)) call$weights <- quote(w)
  suppressMessages(eval(as.call(call)))
}

expect_deletion <- function(without, i, fresh, info, tolerance = 1e-6) {
  part <- function(name) without[[paste0(name, "[-", without$groups, "]")]]
  expect_equal(unname(part("fixed.effects")[i, ]), unname(fixef(fresh)), tolerance = tolerance, info = info)
  # in units of the parts of the variance, which may be zero
  scale <- sum(abs(without$var.cov.comps))
  components <- component_table(fresh, t(packed_theta(fresh)), fresh$scale)$all
  expect_equal(part("var.cov.comps")[i, ] / scale, components / scale, tolerance = 20 * tolerance, info = info)
  expect_equal(part("vcov")[[i]], vcov(fresh), tolerance = 20 * tolerance, info = info)
}

test_that("exact deletions are fits of the other rows, by group and by observation", {
  for (name in model_pairs) {
    pair <- model_pair(name)
    for (group in intersect(names(ngrps(pair$ours)), names(pair$data))) {
      without <- influence(pair$ours, groups = group, method = "exact")
      for (i in c(3L, length(without$deleted))) {
        out <- pair$data[[group]] == as.character(without$deleted[i])
        expect_deletion(without, i, fit_without(pair, out), paste(name, group, i))
      }
    }
    rows <- influence(pair$ours, method = "exact")
    for (i in c(2L, nobs(pair$ours))) {
      expect_deletion(rows, i, fit_without(pair, seq_len(nrow(pair$data)) == i), paste(name, i))
    }
  }
})

test_that("the answer is lme4's: components, their names and shapes, and what is made of them", {
  for (name in model_pairs) {
    pair <- model_pair(name)
    group <- utils::tail(intersect(names(ngrps(pair$ours)), names(pair$data)), 1L)
    ours <- influence(pair$ours, groups = group, data = pair$data)
    # lme4 begins at its own fit and stops early: its refits are good to about three digits
    theirs <- suppressMessages(suppressWarnings(influence(pair$theirs, groups = group, data = pair$data)))
    expect_identical(names(ours)[seq_along(theirs)], names(theirs), info = name)
    for (part in setdiff(names(theirs), c("function.evals", "converged"))) {
      expect_equal(ours[[part]], theirs[[part]], tolerance = 2e-3, info = paste(name, part))
      expect_identical(dimnames(ours[[part]]), dimnames(theirs[[part]]), info = paste(name, part))
    }
    expect_equal(ours[[2L]], theirs[[2L]], tolerance = 1e-4, info = name)
    expect_identical(names(ours$converged), names(theirs$converged), info = name)
    expect_true(all(ours$converged), info = name)
    expect_identical(names(ours$function.evals), names(theirs$function.evals), info = name)
    expect_equal(unname(cooks.distance(ours)), unname(cooks.distance(theirs)), tolerance = 2e-3, info = name)
    for (which in c("fixed", "var.cov")) {
      expect_equal(dfbeta(ours, which), dfbeta(theirs, which), tolerance = 5e-3, info = name)
      expect_identical(dimnames(dfbeta(ours, which)), dimnames(dfbeta(theirs, which)), info = name)
    }
    # lme4's dfbetas() stops for one fixed effect
    if (length(fixef(pair$ours)) > 1L) {
      expect_equal(dfbetas(ours), dfbetas(theirs), tolerance = 2e-3, info = name)
      expect_identical(dimnames(dfbetas(ours)), dimnames(dfbetas(theirs)), info = name)
    }
  }
})

test_that("by observation the answer is lme4's too", {
  d <- from_package("Dyestuff", "lme4")
  pair <- list(
    ours = mixedlm(Yield ~ 1 + (1 | Batch), d), theirs = lme4::lmer(Yield ~ 1 + (1 | Batch), d)
  )
  ours <- influence(pair$ours)
  theirs <- suppressMessages(influence(pair$theirs, data = d))
  for (part in setdiff(names(theirs), "function.evals")) {
    expect_equal(ours[[part]], theirs[[part]], tolerance = 2e-3, info = part)
  }
  expect_identical(names(ours)[seq_along(theirs)], names(theirs))
  expect_identical(names(cooks.distance(ours)), names(cooks.distance(theirs)))
  expect_equal(cooks.distance(ours), cooks.distance(theirs), tolerance = 2e-3)
  expect_equal(influence(pair$ours, do.coef = FALSE)$hat, influence(pair$theirs, do.coef = FALSE)$hat,
    tolerance = 1e-4
  )
})

# Generalised least squares of some rows with Psi as it is.
dense_fixed <- function(fit, keep) {
  model <- oracle_of(fit)
  vi <- solve(oracle_v(model, fit$psi)[keep, keep])
  x <- model$x[keep, , drop = FALSE]
  y <- model$y[keep]
  s <- solve(crossprod(x, vi %*% x))
  beta <- drop(s %*% crossprod(x, vi %*% y))
  r <- y - drop(x %*% beta)
  n <- length(y) - if (fit$reml) ncol(x) else 0L
  list(beta = beta, s = s, sigma2 = drop(crossprod(r, vi %*% r)) / n)
}

expect_fixed <- function(fit, groups, codes) {
  without <- influence(fit, groups = groups, method = "fixed")
  sub <- paste0("[-", without$groups, "]")
  for (i in unique(c(1L, 2L, length(without$deleted)))) {
    dense <- dense_fixed(fit, codes != codes[match(TRUE, as.character(codes) == as.character(without$deleted[i]))])
    expect_equal(unname(without[[paste0("fixed.effects", sub)]][i, ]), dense$beta, tolerance = 1e-8)
    expect_equal(unname(without[[paste0("vcov", sub)]][[i]]), dense$s * dense$sigma2, tolerance = 1e-7)
    expect_equal(unname(without[[paste0("var.cov.comps", sub)]][i, 1L]), dense$sigma2, tolerance = 1e-8)
  }
}

test_that("with variance parameters held, deletions are generalised least squares without the rows", {
  d <- unbalanced()
  d$half <- rep(c("a", "b", "c"), length.out = nrow(d))
  d$o <- d$Days / 2
  rows <- row.names(d)
  for (reml in c(TRUE, FALSE)) {
    fit <- mixedlm(Reaction ~ Days + (Days | Subject), d, REML = reml, weights = w, offset = o)
    expect_fixed(fit, "Subject", d$Subject)
    expect_fixed(fit, "half", d$half)
    expect_fixed(fit, NULL, rows)
  }
  crossed <- model_pair("crossed_slopes")
  expect_fixed(crossed$ours, "i", crossed$data$i)
  expect_fixed(crossed$ours, NULL, row.names(crossed$data))
  nested <- model_pair("nested")
  expect_fixed(nested$ours, "batch", nested$data$batch)
})

test_that("one step goes most of the way from what is held to the refit", {
  fit <- model_pair("grouped")$ours
  for (groups in list("Subject", NULL)) {
    all <- lapply(c(exact = "exact", step = "one-step", fixed = "fixed"), function(m) {
      influence(fit, groups, method = m)[[4L]]
    })
    distance <- function(a) apply(abs(a - all$exact), 2L, stats::median)
    expect_true(all(distance(all$step) < 0.25 * distance(all$fixed)))
  }
  # at the boundary as well
  singular <- model_pair("singular")$ours
  step <- influence(singular, "Batch", method = "one-step")
  expect_true(all(step[[4L]][, 2L] >= 0) && all(step$outcome == "ok"))
})

test_that("groups may be crossed with the model's, combined, formulas, factors, or not in the model", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
  litter <- influence(fit, "Litter")
  expect_identical(rownames(litter[[2L]]), as.character(unique(dietox$Litter)))
  fresh <- mixedlm(Weight ~ Time, dietox[dietox$Litter != litter$deleted[2L], ], groups = "Pig")
  expect_equal(litter[[2L]][2L, ], fixef(fresh), tolerance = 1e-6)
  across <- influence(fit, factor(dietox$Time))
  expect_identical(across$groups, "groups")
  fresh <- mixedlm(Weight ~ Time, dietox[dietox$Time != 3, ], groups = "Pig")
  expect_equal(across[[2L]]["3", ], fixef(fresh), tolerance = 1e-6)
  expect_equal(influence(fit, ~Litter)[[2L]], litter[[2L]])
  both <- influence(fit, c("Cu", "Evit"))
  expect_identical(both$groups, "Cu.Evit")
  expect_identical(rownames(both[[2L]])[1L], paste(dietox$Cu[1L], dietox$Evit[1L], sep = "."))
  expect_equal(influence(fit, ~ Cu + Evit)[[2L]], both[[2L]])
  nested <- model_pair("nested")$ours
  inner <- influence(nested, names(ngrps(nested))[1L])
  expect_identical(nrow(inner[[2L]]), 30L)
  expect_equal(unname(cooks.distance(fit, groups = "Pig")), unname(cooks.distance(influence(fit, "Pig"))))
})

test_that("rows are known by their names after subset and missing values", {
  d <- dietox
  d$Weight[c(5, 30)] <- NA
  fit <- mixedlm(Weight ~ Time, d, groups = "Pig", subset = Time > 1)
  without <- influence(fit, "Litter")
  used <- d[d$Time > 1 & !is.na(d$Weight), ]
  expect_identical(names(without$sizes), as.character(unique(used$Litter)))
  expect_identical(unname(without$sizes), as.integer(table(factor(used$Litter, unique(used$Litter)))))
  expect_identical(without$deleted, unique(used$Litter))
  rows <- influence(fit)
  expect_identical(rownames(rows[[2L]]), row.names(used))
  expect_equal(influence(fit, "Litter", data = d)[[2L]], without[[2L]])
})

test_that("an effect that loses its only support is NA and counted; a group that is all is refused", {
  d <- transform(dietox, rare = as.numeric(Pig == dietox$Pig[1L]), single = as.numeric(seq_along(Pig) == 7L))
  fit <- mixedlm(Weight ~ Time + rare + single, d, groups = "Pig")
  w <- expect_warning(groups <- influence(fit, "Pig"), class = "mixedlm_warning_influence")
  expect_length(w$undetermined, 1L)
  first <- as.character(d$Pig[1L])
  expect_identical(names(which(is.na(groups[[2L]][first, ]))), c("rare", "single"))
  fresh <- mixedlm(Weight ~ Time, d[d$Pig != d$Pig[1L], ], groups = "Pig")
  expect_equal(groups[[2L]][first, 1:2], fixef(fresh), tolerance = 1e-6)
  expect_true(is.na(cooks.distance(groups)[[first]]) && is.na(covratio(groups)[[first]]))
  expect_identical(sum(is.na(mdffits(groups))), 1L)
  for (method in c("exact", "one-step", "fixed")) {
    w <- expect_warning(rows <- influence(fit, method = method), class = "mixedlm_warning_influence")
    expect_identical(unname(w$undetermined), 7L)
    expect_identical(unname(is.na(rows[[2L]][7L, ])), c(FALSE, FALSE, FALSE, TRUE))
  }
  same <- transform(dietox, one = 1)
  fit <- mixedlm(Weight ~ Time, same, groups = "Pig")
  e <- expect_error(influence(fit, "one"), class = "mixedlm_error_groups")
  expect_identical(e$argument, "groups")
})

test_that("coefficients that mean something else without a level are not given as if they did not", {
  fit <- mixedlm(Weight ~ Cu + Time, dietox, groups = "Pig")
  for (method in c("exact", "one-step", "fixed")) {
    w <- expect_warning(without <- influence(fit, "Cu", method = method), class = "mixedlm_warning_influence")
    expect_length(w$undetermined, 3L)
    lost <- is.na(without[[2L]])[levels(factor(dietox$Cu)), ]
    expect_identical(unname(lost), rbind(
      c(TRUE, TRUE, TRUE, FALSE), c(FALSE, TRUE, FALSE, FALSE), c(FALSE, FALSE, TRUE, FALSE)
    ))
    v <- without[[6L]][["Cu000"]]
    expect_true(all(is.na(v[1:3, ])) && v[4L, 4L] > 0)
  }
})

test_that("what cannot be fitted without a group is counted, and one group may be left", {
  d <- dietox[dietox$Pig %in% unique(dietox$Pig)[1:2], ]
  fit <- mixedlm(Weight ~ Time, d, groups = "Pig")
  two <- suppressWarnings(influence(fit, "Pig"))
  expect_equal(two[[2L]][1L, ], coef(lm(Weight ~ Time, d[d$Pig != d$Pig[1L], ])), tolerance = 1e-6)
  w <- expect_warning(cooks.distance(two), class = "mixedlm_warning_influence")
  expect_match(conditionMessage(w), "classical")
  expect_true(all(cooks.distance(two, scale = "classical") > 0))
  d$big <- ifelse(seq_len(nrow(d)) <= 2L, "b", "a")
  fit <- mixedlm(Weight ~ Time, d, groups = "Pig")
  w <- expect_warning(left <- influence(fit, "big"), class = "mixedlm_warning_influence")
  expect_length(w$failed, 1L)
  expect_true(all(is.na(left[[2L]]["a", ])) && !left$converged[["a"]] && left$converged[["b"]])
  expect_output(print(left), "1 without an estimate")
})

test_that("effects that are held stay, and aliased ones are left out", {
  free <- mixedlm_params(fe_params = c(1, 0), cov_re = matrix(1))
  start <- mixedlm_params(fe_params = c(0, 6), cov_re = matrix(1))
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig", start = start, free = free)
  without <- influence(fit, "Litter")
  expect_true(all(without[[2L]][, "Time"] == 6))
  expect_true(all(is.finite(cooks.distance(without))) && all(is.finite(covratio(without))))
  deficient <- suppressMessages(mixedlm(
    Weight ~ Time + I(2 * Time) + (I(2 * Time) | Pig), dietox,
    control = mixedlm_control()
  ))
  rows <- influence(deficient, "Pig")
  expect_identical(colnames(rows[[2L]]), c("(Intercept)", "Time"))
  plain <- influence(mixedlm(Weight ~ Time + (Time | Pig), dietox), "Pig")
  expect_equal(rows[[2L]], plain[[2L]], tolerance = 1e-5)
})

test_that("results do not depend on threads; large work is not done unasked", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
  expect_identical(influence(fit, "Litter", ncores = 1), influence(fit, "Litter", ncores = 3))
  expect_identical(affordable_method("auto", 180, 180), "exact")
  expect_message(
    expect_identical(affordable_method("auto", 1e4, 1e5), "fixed"),
    class = "mixedlm_message_influence"
  )
  expect_identical(affordable_method("exact", 1e4, 1e5), "exact")
  expect_identical(influence(fit, "Litter")$method, "exact")
})

test_that("bad input is classed and named", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
  named <- function(expr, class, argument) {
    e <- expect_error(expr, class = paste0("mixedlm_error_", class))
    expect_identical(e$argument, argument)
  }
  e <- expect_error(influence(fit, "Litre"), class = "mixedlm_error_groups")
  expect_match(conditionMessage(e), "Litter")
  named(influence(fit, "Litre"), "groups", "groups")
  named(influence(fit, NA_character_), "groups", "groups")
  named(influence(fit, character()), "groups", "groups")
  named(influence(fit, 1:5), "groups", "groups")
  named(influence(fit, list(1)), "groups", "groups")
  named(influence(fit, matrix(1, 861, 1)), "groups", "groups")
  named(influence(fit, Weight ~ Litter), "groups", "groups")
  named(influence(fit, ~1), "groups", "groups")
  named(influence(fit, c(NA, rep(1:2, 430))), "groups", "groups")
  named(influence(fit, "Litter", data = 3), "data", "data")
  named(influence(fit, "Litter", data = dietox[1:10, ]), "groups", "groups")
  named(influence(fit, "Litter", method = "two-step"), "argument", "method")
  named(influence(fit, "Litter", method = 1), "argument", "method")
  named(influence(fit, do.coef = "no"), "argument", "do.coef")
  named(influence(fit, maxfun = 0), "argument", "maxfun")
  named(influence(fit, ncores = "two"), "argument", "ncores")
  named(influence(fit, "Litter", maxit = 3), "argument", "maxit")
  small <- fit
  small$control$max_memory <- 1000
  expect_error(influence(small, "Pig"), class = "mixedlm_error_memory")
})

test_that("models without fixed effects have no distances, but variances that change", {
  without <- influence(mixedlm(Weight ~ 0 + (Time | Pig), dietox), "Litter", method = "fixed")
  expect_true(all(is.nan(cooks.distance(without))))
  expect_identical(dim(dfbetas(without)), c(21L, 0L))
  expect_output(print(without), "COVRATIO")
  table <- as.data.frame(without)
  expect_identical(grep("^dfbetas", names(table), value = TRUE), character())
  expect_true(all(is.finite(table[["rvc.sigma^2"]])))
})
