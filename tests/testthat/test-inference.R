# Degrees of freedom and adjusted covariances: against the dense oracle, and
# against lmerTest and pbkrtest.

# The quantities that do not depend on how the variance parameters are chosen:
# variances of variances, g_a' A g_b for the contrasts a, b.
moments_of <- function(part, L) {
  g <- vapply(seq_len(dim(part$derivatives)[3L]), function(k) {
    rowSums((L %*% part$derivatives[, , k]) * L)
  }, numeric(nrow(L)))
  g <- matrix(g, nrow(L))
  g %*% part$covariance %*% t(g)
}

inference_fits <- list(
  slopes = function(reml) {
    d <- plain_data("sleepstudy", "lme4")[-c(3, 17, 40:46, 81:180), ]
    d$w <- rep(c(1, 2, 0.5), length.out = nrow(d))
    mixedlm(Reaction ~ Days + (Days | Subject), d, weights = w, REML = reml)
  },
  independent = function(reml) mixedlm(Reaction ~ Days + (Days || Subject), plain_data("sleepstudy", "lme4")[-c(1, 44:49, 81:180), ], REML = reml),
  nested = function(reml) mixedlm(strength ~ 1 + (1 | batch / cask), plain_data("Pastes", "lme4")[-c(1, 5, 30, 31), ], REML = reml),
  crossed = function(reml) mixedlm(diameter ~ day + (1 | plate) + (1 | sample), penicillin()[-c(1, 7, 60:144), ], REML = reml),
  factor = function(reml) mixedlm(score ~ Machine + (Machine | Worker), plain_data("Machines", "nlme")[-c(2, 9), ], REML = reml),
  components = function(reml) {
    d <- plain_data("Pastes", "lme4")[-c(1, 5), ]
    d$lot <- rep(c("0", "1"), length.out = nrow(d))
    mixedlm(strength ~ lot, d, groups = "batch", re_formula = ~1, vc_formula = list(cask = ~ 0 + cask), REML = reml)
  }
)

for (name in names(inference_fits)) {
  for (reml in c(TRUE, FALSE)) {
    test_that(paste("the engine has the dense algebra's moments:", name, if (reml) "REML" else "ML"), {
      fit <- inference_fits[[name]](reml)
      own <- engine_inference(fit, adjusted = reml)
      dense <- oracle_inference(fit, adjusted = reml)
      p <- length(fit$fe_params)
      L <- rbind(diag(p), seq_len(p) / p - 0.3)
      f <- rowSums((L %*% vcov(fit)) * L)
      scaled <- function(part) moments_of(part, L) / tcrossprod(f)
      expect_equal(scaled(own$satterthwaite), scaled(dense$satterthwaite), tolerance = 1e-4)
      if (reml) {
        expect_equal(scaled(own$kenward_roger), scaled(dense$kenward_roger), tolerance = 1e-6)
        expect_equal(own$kenward_roger$vcov, dense$kenward_roger$vcov, tolerance = 1e-7)
      }
    })
  }
}

for (name in names(inference_models)) {
  test_that(paste("Satterthwaite's degrees of freedom are lmerTest's:", name), {
    d <- inference_models[[name]][[2L]]()
    formula <- inference_models[[name]][[1L]]
    for (reml in if (name %in% c("sleepstudy", "Penicillin")) c(TRUE, FALSE) else TRUE) {
      theirs <- stats::coef(summary(sharp_lmer(formula, d, reml)))
      own <- coef(summary(mixedlm(formula, d, REML = reml), style = "lme4"))
      expect_identical(dimnames(own), dimnames(theirs))
      expect_equal(own[, "df"], theirs[, "df"], tolerance = 1e-4)
      expect_equal(own[, "Pr(>|t|)"], theirs[, "Pr(>|t|)"], tolerance = 1e-3)
    }
  })

  test_that(paste("Kenward and Roger's degrees of freedom and covariance are pbkrtest's:", name), {
    skip_if_not_installed("pbkrtest")
    d <- inference_models[[name]][[2L]]()
    formula <- inference_models[[name]][[1L]]
    m <- sharp_lmer(formula, d)
    fit <- mixedlm(formula, d)
    adjusted <- as.matrix(pbkrtest::vcovAdj(m))
    own <- vcov(fit, type = "Kenward-Roger")
    expect_equal(unname(own) / sqrt(tcrossprod(diag(adjusted))), unname(adjusted) / sqrt(tcrossprod(diag(adjusted))), tolerance = 1e-5)
    p <- nrow(adjusted)
    basis <- inference_basis(fit, "kenward-roger")
    df <- vapply(seq_len(p), function(i) pbkrtest::Lb_ddf(diag(p)[i, ], vcov(m), pbkrtest::vcovAdj(m)), 0)
    expect_equal(vapply(seq_len(p), function(i) row_df(basis, diag(p)[i, ]), 0), df, tolerance = 1e-4)
    if (p > 2L) {
      L <- diag(p)[2:p, ]
      theirs <- pbkrtest::KRmodcomp(m, L)$test["Ftest", ]
      joint <- test_joint(basis, L)
      expect_equal(unlist(joint[c("statistic", "num_df", "den_df", "F_scaling")]),
        unlist(theirs[c("stat", "ndf", "ddf", "F.scaling")]),
        tolerance = 1e-4, ignore_attr = TRUE
      )
      expect_equal(joint$p.value, theirs$p.value, tolerance = 1e-3)
    }
  })
}

test_that("exact F tests of balanced designs are found by both methods", {
  d <- plain_data("Machines", "nlme")
  fit <- mixedlm(score ~ Machine + (1 | Worker) + (1 | Worker:Machine), d)
  exact <- summary(stats::aov(score ~ Machine + Error(Worker / Machine), d))[["Error: Worker:Machine"]][[1L]]
  for (method in c("satterthwaite", "kenward-roger")) {
    joint <- test_joint(inference_basis(fit, method), diag(3)[2:3, ])
    expect_equal(joint$statistic, exact[["F value"]][1L], tolerance = 1e-6)
    expect_equal(joint$den_df, exact$Df[2L], tolerance = 1e-5)
    expect_equal(joint$F_scaling, 1, tolerance = 1e-5)
  }
})

test_that("moments of Kenward and Roger's F have their special cases", {
  # one contrast: 2 / A2 degrees of freedom, nothing scaled
  for (a in c(0.01, 0.2, 0.7)) {
    expect_equal(kenward_roger_moments(1, a, a), list(df = 2 / a, scaling = 1), tolerance = 1e-10)
  }
  expect_identical(kenward_roger_moments(3, 0, 0), list(df = Inf, scaling = 1))
  expect_identical(kenward_roger_moments(3, NaN, 1)$df, NA_real_)
  # an exact F on q and m degrees of freedom: A1 = 2 q^2 / m, A2 = 2 q / m
  for (m in c(3, 5, 40)) {
    q <- 3
    expect_equal(kenward_roger_moments(q, 2 * q^2 / m, 2 * q / m)$df, m, tolerance = 1e-8)
  }
})

test_that("degrees of freedom of several contrasts are combined from their expectations", {
  expect_identical(combine_df(7), 7)
  expect_identical(combine_df(c(9, 9)), 9)
  expect_identical(combine_df(c(1.5, 30)), 2)
  expect_identical(combine_df(c(Inf, Inf)), Inf)
  expect_identical(combine_df(c(NA, 3)), NA_real_)
  e <- 10 / 8 + 20 / 18
  expect_equal(combine_df(c(10, 20)), 2 * e / (e - 2))
  expect_equal(combine_df(c(10, Inf)), combine_df(c(10, 1e12)), tolerance = 1e-6)
})

test_that("a fit on the boundary has degrees of freedom", {
  fit <- mixedlm(Yield ~ 1 + (1 | Batch), plain_data("Dyestuff2", "lme4"))
  theirs <- sharp_lmer(Yield ~ 1 + (1 | Batch), plain_data("Dyestuff2", "lme4"))
  expect_equal(coef(summary(fit, ddf = "KR"))[, "df"], pbkrtest::Lb_ddf(1, vcov(theirs), pbkrtest::vcovAdj(theirs)), tolerance = 1e-3)
  # the derivative of the variance in the factor is zero there: as without it
  expect_equal(coef(summary(fit, ddf = "Sat"))[, "df"], length(fit$y) - 1, tolerance = 1e-4)
})

test_that("tests of fixed effects do not depend on units", {
  d <- plain_data("sleepstudy", "lme4")
  a <- mixedlm(Reaction ~ Days + (Days | Subject), d)
  b <- mixedlm(Reaction ~ Days + (Days | Subject), transform(d, Reaction = Reaction * 1e-6, Days = Days * 1e3))
  for (ddf in c("Satterthwaite", "Kenward-Roger")) {
    one <- coef(summary(a, ddf = ddf))
    other <- coef(summary(b, ddf = ddf))
    expect_equal(one[, 3:4], other[, 3:4], tolerance = 1e-5)
  }
})

test_that("elements that `free` holds count as known", {
  d <- plain_data("sleepstudy", "lme4")
  small <- mixedlm(Reaction ~ Days + (1 | Subject), d)
  held <- mixedlm(Reaction ~ Days, d,
    groups = "Subject", re_formula = ~Days,
    free = mixedlm_params(cov_re = diag(c(1, 0))), start = mixedlm_params(cov_re = diag(c(1, 1e-12)))
  )
  for (ddf in c("Satterthwaite", "Kenward-Roger")) {
    expect_equal(coef(summary(held, ddf = ddf))[, "df"], coef(summary(small, ddf = ddf))[, "df"], tolerance = 1e-4)
  }
})

test_that("names of methods are read leniently", {
  expect_identical(check_ddf("KR"), "kenward-roger")
  expect_identical(check_ddf("ken"), "kenward-roger")
  expect_identical(check_ddf("SATTERTHWAITE"), "satterthwaite")
  expect_identical(check_ddf("z"), "normal")
  expect_identical(check_ddf("Wald"), "normal")
  expect_identical(check_ddf("lme4"), "none")
  expect_identical(check_ddf(eval(formals(anova.mixedlm)$ddf)), "satterthwaite")
  for (bad in list("n", "t", "", NA_character_, 1, NULL, c("KR", "normal"))) {
    expect_error(check_ddf(bad), class = "mixedlm_error_ddf")
  }
})

test_that("a method that is not defined for a fit is refused, and says what to do", {
  ml <- mixedlm(Weight ~ Time, dietox, groups = "Pig", REML = FALSE)
  expect_error(anova(ml, ddf = "KR"), "REML = TRUE", class = "mixedlm_error_ddf")
  expect_error(summary(ml, ddf = "KR"), class = "mixedlm_error_ddf")
  expect_error(vcov(ml, type = "Kenward-Roger"), class = "mixedlm_error_ddf")
  d <- data.frame(y = c(1, 3, 2, 5, 4, 7, 6, 9), g = 1:8)
  flat <- suppressWarnings(mixedlm(y ~ 1, d, groups = "g"), classes = "mixedlm_warning_flat")
  expect_error(linear_hypothesis(flat, "(Intercept)"), "flat", class = "mixedlm_error_ddf")
  expect_error(summary(flat, ddf = "Satterthwaite"), class = "mixedlm_error_ddf")
  # nobody asked: lme4's table
  expect_identical(colnames(coef(summary(flat, style = "lme4"))), c("Estimate", "Std. Error", "t value"))
  expect_false(anyNA(linear_hypothesis(flat, "(Intercept)", ddf = "normal")$table$p.value))
})

test_that("degrees of freedom do not depend on the units, however large or small", {
  d <- plain_data("sleepstudy", "lme4")[-c(3, 44:49), ]
  tests <- function(y, x) {
    d$y <- d$Reaction * y
    d$x <- d$Days * x
    fit <- mixedlm(y ~ x + (x | Subject), d)
    each <- lapply(c("Satterthwaite", "Kenward-Roger"), function(ddf) {
      L <- diag(c(1 / y, x / y))
      unlist(linear_hypothesis(fit, L, ddf = ddf)[c("table", "joint")])
    })
    each <- unlist(each)
    each[grepl("df|statistic", names(each))]
  }
  plain <- tests(1, 1)
  expect_false(anyNA(plain))
  for (size in list(c(1e-120, 1), c(1e120, 1), c(1, 1e80), c(1, 1e-80), c(1e150, 1))) {
    expect_equal(tests(size[1L], size[2L]), plain, tolerance = 1e-5)
  }
})

test_that("Kenward-Roger's F is not given where no F distribution has its moments", {
  set.seed(1)
  d <- data.frame(g = rep(1:3, each = 4), y = rnorm(12) + rep(rnorm(3), each = 4), x = rnorm(12))
  fit <- mixedlm(y ~ x + (x | g), d)
  expect_no_warning(tests <- linear_hypothesis(fit, diag(2), ddf = "KR"))
  expect_true(is.na(tests$joint$statistic) && is.na(tests$joint$p.value))
  expect_output(print(tests), "Joint test: not defined")
  # pbkrtest gives zero degrees of freedom
  d <- data.frame(y = c(1, 2, 3.5, 4, 6, 6.5), g = c(1, 1, 2, 2, 3, 3), x = c(0, 1, 0, 1, 0, 1))
  expect_no_warning(tests <- linear_hypothesis(mixedlm(y ~ x + (1 | g), d), diag(2), ddf = "KR"))
  expect_true(is.na(tests$joint$statistic))
})
