slopes_fit <- function(...) mixedlm(Weight ~ Time + (Time | Pig), dietox, ...)

test_that("the same seed gives the same replicates, whatever the threads, batches and statistic", {
  one <- slopes_fit(control = mixedlm_control(threads = 1))
  three <- slopes_fit(control = mixedlm_control(threads = 3))
  a <- bootstrap(one, 40, seed = 7)
  expect_identical(a$t, bootstrap(three, 40, seed = 7)$t)
  expect_identical(a$t[1:15, ], bootstrap(one, 15, seed = 7)$t)
  expect_false(identical(a$t, bootstrap(one, 40, seed = 8)$t))
  for (type in c("parametric", "residual", "case")) {
    quick <- bootstrap(one, 12, type = type, seed = 3)
    own <- bootstrap(one, 12, FUN = fixef, type = type, seed = 3)
    expect_equal(own$t, quick$t[, names(fixef(one))], tolerance = 1e-8, info = type)
    sigmas <- bootstrap(one, 12, FUN = sigma, type = type, seed = 3)
    expect_equal(sigmas$t[, 1L], unname(quick$t[, ".sigma"]), tolerance = 1e-7, info = type)
  }
})

test_that("R's random numbers are used and left as users expect", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
  set.seed(1)
  before <- .Random.seed
  bootstrap(fit, 3, seed = 5)
  expect_identical(.Random.seed, before)
  set.seed(11)
  a <- bootstrap(fit, 3)
  b <- bootstrap(fit, 3)
  expect_false(identical(a$t, b$t))
  set.seed(11)
  expect_identical(bootstrap(fit, 3)$t, a$t)
  expect_identical(bootstrap(fit, 3, seed = a$seed)$t, a$t)
  rm(".Random.seed", envir = globalenv())
  bootstrap(fit, 2, seed = 5)
  expect_false(exists(".Random.seed", envir = globalenv(), inherits = FALSE))
  set.seed(1)
})

test_that("parametric replicates of a balanced layout have the distributions that theory gives", {
  d <- data.frame(g = gl(12, 5), y = 0)
  set.seed(4)
  d$y <- 3 * stats::rnorm(12)[d$g] + stats::rnorm(60)
  fit <- mixedlm(y ~ 1 + (1 | g), d)
  b <- bootstrap(fit, 2000, seed = 1)
  sigma2 <- fit$scale
  between <- sigma2 + 5 * fit$vcomp + if (length(fit$cov_re)) 5 * fit$cov_re[1L] else 0
  # within mean square: sigma^2 chi-square(48) / 48; mean: normal
  within <- 48 * b$t[, ".sigma"]^2 / sigma2
  inside <- b$t[, ".sig01"] > 0
  expect_gt(suppressWarnings(stats::ks.test(within[inside], "pchisq", 48))$p.value, 1e-3)
  centre <- (b$t[, 1L] - fixef(fit)) / sqrt(vcov(fit)[1L])
  expect_gt(suppressWarnings(stats::ks.test(centre, "pnorm"))$p.value, 1e-3)
  squares <- (5 * b$t[, ".sig01"]^2 + b$t[, ".sigma"]^2)[inside]
  ratio <- 11 * squares / (5 * VarCorr(fit)$g[1L] + sigma2)
  expect_gt(suppressWarnings(stats::ks.test(ratio, "pchisq", 11))$p.value, 1e-3)
})

test_that("replicates are what whole new fits of the same data are", {
  skip_if_not_installed("lme4")
  models <- list(
    list(Reaction ~ Days + (Days | Subject), "sleepstudy"),
    list(strength ~ 1 + (1 | batch / cask), "Pastes"),
    list(diameter ~ 1 + (1 | plate) + (1 | sample), "Penicillin")
  )
  for (model in models) {
    d <- plain_data(model[[2L]], "lme4")
    fit <- mixedlm(model[[1L]], d)
    response <- all.vars(model[[1L]])[1L]
    b <- bootstrap(fit, 15, FUN = function(f) c(f$criterion, f$y), seed = 2)
    fresh <- apply(b$t[, -1L], 1L, function(y) {
      d[[response]] <- y
      suppressWarnings(mixedlm(model[[1L]], d))$criterion
    })
    expect_equal(unname(b$t[, 1L]), fresh, tolerance = 1e-9, info = model[[2L]])
  }
})

test_that("weights, offsets and held parameters take part", {
  d <- dietox
  d$w <- rep(c(0.5, 1, 4), length.out = nrow(d))
  d$known <- 3 * d$Time
  fit <- mixedlm(Weight ~ Time + offset(known) + (1 | Pig), d, weights = w)
  y <- bootstrap(fit, 60, FUN = function(f) f$y, seed = 1)$t
  residual <- y - rep(drop(model.matrix(fit) %*% fixef(fit)) + d$known, each = 60)
  spread <- tapply(apply(residual, 2L, stats::var), d$w, mean)
  expect_equal(
    as.numeric(spread), VarCorr(fit)$Pig[1L] + fit$scale / c(0.5, 1, 4),
    tolerance = 0.1
  )
  held <- mixedlm(Weight ~ Time, dietox, groups = "Pig", re_formula = ~Time, free = "diagonal")
  t <- bootstrap(held, 20, seed = 1)$t
  expect_identical(colnames(t), c("(Intercept)", "Time", ".sig01", ".sig02", ".sigma"))
  mask <- mixedlm_params(fe_params = c(1, 0), cov_re = 1)
  known <- mixedlm_params(fe_params = c(15, 7), cov_re = 40)
  fixed <- mixedlm(Weight ~ Time, dietox, groups = "Pig", free = mask, start = known)
  t <- bootstrap(fixed, 10, seed = 1)$t
  expect_true(all(t[, "Time"] == 7) && stats::sd(t[, "(Intercept)"]) > 0)
})

test_that("a statistic that fails is counted and kept", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
  calls <- 0
  some <- function(f) {
    calls <<- calls + 1
    if (calls %in% c(3, 5)) stop("no luck")
    fixef(f)
  }
  expect_warning(b <- bootstrap(fit, 6, FUN = some, seed = 1), class = "mixedlm_warning_bootstrap")
  expect_identical(which(is.na(b$t[, 1L])), c(2L, 4L))
  expect_identical(b$failed$count, 2L)
  expect_match(names(b$failed$messages)[1L], "no luck")
  expect_output(print(b), "2")
  expect_error(bootstrap(fit, 3, FUN = function(f) stop("never")), class = "mixedlm_error_bootstrap")
  expect_error(bootstrap(fit, 3, FUN = function(f) "text"), class = "mixedlm_error_bootstrap")
  expect_error(bootstrap(fit, 3, FUN = 1), class = "mixedlm_error_argument")
  longer <- local({
    k <- 0
    function(f) {
      k <<- k + 1
      if (k == 2) c(1, 2) else 1
    }
  })
  expect_warning(b <- bootstrap(fit, 3, FUN = longer, seed = 1), class = "mixedlm_warning_bootstrap")
  expect_identical(is.na(b$t[, 1L]), c(TRUE, FALSE, FALSE))
})

test_that("what cannot be done is refused", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
  for (nsim in list(0, -1, 1.5, NA, "a", 1e9, c(1, 2))) {
    expect_error(bootstrap(fit, nsim), class = "mixedlm_error_argument")
  }
  expect_error(bootstrap(fit, 2, type = "wild"), class = "mixedlm_error_argument")
  expect_error(bootstrap(fit, 2, seed = "a"), class = "mixedlm_error_argument")
  expect_error(bootstrap(fit, 2, sed = 1), class = "mixedlm_error_argument")
  expect_error(bootstrap(1, 2), class = "mixedlm_error_argument")
  skip_if_not_installed("lme4")
  crossed <- mixedlm(diameter ~ 1 + (1 | plate) + (1 | sample), plain_data("Penicillin", "lme4"))
  expect_error(bootstrap(crossed, 2, type = "case"), class = "mixedlm_error_bootstrap")
})

test_that("intervals are those of package boot", {
  skip_if_not_installed("boot")
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
  b <- bootstrap(fit, 499, seed = 3)
  theirs <- structure(
    list(t0 = b$t0, t = b$t, R = 499L, call = quote(boot()), sim = "parametric", stype = "i"),
    class = "boot"
  )
  for (j in seq_along(b$t0)) {
    reference <- boot::boot.ci(theirs, type = c("norm", "basic", "perc"), index = j, t0 = b$t0[[j]], t = b$t[, j])
    limits <- function(type) as.numeric(confint(b, type = type)[j, ])
    expect_equal(limits("norm"), reference$normal[2:3], tolerance = 1e-6)
    expect_equal(limits("basic"), reference$basic[4:5], tolerance = 1e-8)
    expect_equal(limits("perc"), reference$percent[4:5], tolerance = 1e-8)
  }
  bca <- confint(b, type = "bca", parm = "Time")
  expect_true(bca[1L] < b$t0[["Time"]] && b$t0[["Time"]] < bca[2L])
  expect_identical(dim(confint(b, parm = 1:2, level = 0.9)), c(2L, 2L))
  expect_error(confint(b, parm = "nobody"), class = "mixedlm_error_argument")
})

test_that("residual and case replicates have about the variances of the fit", {
  fit <- slopes_fit()
  exact <- sqrt(diag(vcov(fit)))
  for (type in c("residual", "case")) {
    b <- bootstrap(fit, 400, type = type, seed = 1)
    spread <- apply(b$t[, names(exact)], 2L, stats::sd)
    expect_equal(as.numeric(spread), as.numeric(exact), tolerance = 0.2, info = type)
    expect_equal(stats::median(b$t[, ".sigma"]), sigma(fit), tolerance = 0.05, info = type)
  }
})

test_that("likelihood ratios of several models come from the same data", {
  fit <- slopes_fit()
  null <- mixedlm(Weight ~ Time + (1 | Pig), dietox)
  criteria <- simulated_criteria(null, list(null, fit), 25, 1)
  expect_identical(dim(criteria), c(25L, 2L))
  expect_true(all(criteria[, 1L] - criteria[, 2L] > -1e-6))
})

test_that("a bootstrap prints, and has a data frame and pictures", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
  b <- bootstrap(fit, 60, seed = 1)
  expect_output(print(b), "Parametric bootstrap")
  expect_output(print(summary(b)), "Time")
  expect_identical(nrow(as.data.frame(b)), 60L)
  expect_identical(dim(vcov(b)), c(4L, 4L))
  file <- tempfile(fileext = ".pdf")
  grDevices::pdf(file)
  plot(b)
  grDevices::dev.off()
  expect_gt(file.size(file), 1000)
  skip_if_not_installed("ggplot2")
  expect_s3_class(ggplot2::autoplot(b), "ggplot")
})
