hypothesis_fit <- function() {
  d <- subset(dietox, as.integer(factor(Pig)) <= 12)
  d$`a - b` <- d$Time^2
  mixedlm(Weight ~ Cu * Time + `a - b` + I(Time^3), d, groups = "Pig")
}
fit <- hypothesis_fit()
rows_of <- function(text) hypothesis_rows(fit, text, 0)

test_that("strings are read as they are meant", {
  read <- function(text) {
    r <- rows_of(text)
    list(L = lapply(seq_len(nrow(r$L)), function(i) r$L[i, r$L[i, ] != 0]), rhs = r$rhs)
  }
  expect_identical(read("Time = 0"), list(L = list(c(Time = 1)), rhs = 0))
  expect_identical(read("Time")$L, list(c(Time = 1)))
  expect_identical(read("2*Time + (Intercept) = 3"), list(L = list(c(`(Intercept)` = 1, Time = 2)), rhs = 3))
  expect_identical(read("CuCu035 = CuCu175 = 0")$L, list(c(CuCu035 = 1, CuCu175 = -1), c(CuCu175 = 1)))
  expect_identical(read("Time = 1, CuCu035 = 2")$rhs, c(1, 2))
  expect_identical(read("CuCu035:Time == 1e-3"), list(L = list(c(`CuCu035:Time` = 1)), rhs = 1e-3))
  expect_identical(read("`a - b` - 2 = 1"), list(L = list(c(`\`a - b\`` = 1)), rhs = 3))
  expect_identical(read("I(Time^3)/4")$L, list(c(`I(Time^3)` = 0.25)))
  expect_identical(read("-(Time - (CuCu035 + 2) * 3) / 2 = .5")$L, list(c(CuCu035 = 1.5, Time = -0.5)))
  expect_identical(read("-(Time - (CuCu035 + 2) * 3) / 2 = .5")$rhs, -2.5)
  expect_identical(read("Intercept + Cu[T.Cu035]:Time")$L, list(c(`(Intercept)` = 1, `CuCu035:Time` = 1)))
})

test_that("strings that cannot be read say why", {
  error <- function(text, regexp) expect_error(rows_of(text), regexp, class = "mixedlm_error_hypothesis")
  error("Tme = 0", "`Tme`.*Did you mean `Time`")
  error("Time*CuCu035", "not linear")
  error("Time +", "it ends")
  error("(Time", "`\\)` was expected")
  error("Time ) 3", "operator")
  error("Time > 3", "operator")
  error("Time 3", "operator")
  error("3 = 4", "says nothing")
  error("Time - Time", "says nothing")
  error("Time / 0", "divide")
  error("1e999 * Time", "finite")
  error("", "it ends")
  error("Time2", "`Time2`")
  error(NA_character_, "missing")
  error(character(), "no string")
  error("`Tim`", "Time")
})

test_that("matrices and vectors may have the kept columns, all of them, or names", {
  p <- length(fit$fe_params)
  expect_identical(hypothesis_rows(fit, diag(p), 0)$L, `colnames<-`(diag(p), names(fit$fe_params)))
  one <- matrix(c(1, -1), 1L, dimnames = list("mine", c("Time", "CuCu035")))
  expect_identical(rownames(linear_hypothesis(fit, one, ddf = "normal")$table), "mine")
  expect_equal(linear_hypothesis(fit, c(Time = 2), ddf = "normal")$table$estimate, 2 * fit$fe_params[["Time"]])
  error <- function(L, regexp, rhs = 0) expect_error(linear_hypothesis(fit, L, rhs), regexp, class = "mixedlm_error_hypothesis")
  error(diag(p - 1), "8 columns.*it has 7")
  error(c(Tme = 1), "Did you mean `Time`")
  error(c(Time = 1, Time = 2), "twice")
  error(rbind(numeric(p)), "all are zero")
  error(rep(NA_real_, p), "missing or infinite")
  error(NULL, "must be strings")
  error(list(1), "must be strings")
  error(diag(p), "`rhs`", rhs = 1:2)
  error("Time", "`rhs`", rhs = NA)
  error("Time = 1", "given twice", rhs = 2)
  expect_error(linear_hypothesis(fit), class = "mixedlm_error_hypothesis")
})

test_that("estimates, tests and intervals are those of lmerTest", {
  d <- plain_data("cake", "lme4")[-c(4, 50:57, 200), ]
  formula <- angle ~ recipe + temp + (1 | recipe:replicate)
  ours <- mixedlm(formula, d)
  m <- sharp_lmer(formula, d)
  L <- rbind(c(0, 1, 0, 0), c(0, 0, 1, 0), c(0, 1, -1, 0))
  for (ddf in c("Satterthwaite", "Kenward-Roger")) {
    if (ddf == "Kenward-Roger") skip_if_not_installed("pbkrtest")
    own <- linear_hypothesis(ours, L, rhs = c(1, 2, -1), ddf = ddf, level = 0.9)
    theirs <- do.call(rbind, lapply(1:3, function(i) {
      lmerTest::contest1D(m, L[i, ], rhs = c(1, 2, -1)[i], ddf = ddf, level = 0.9, confint = TRUE)
    }))
    expect_equal(own$table$estimate, theirs$Estimate, tolerance = 1e-5)
    expect_equal(own$table$std.error, theirs$`Std. Error`, tolerance = 1e-5)
    expect_equal(own$table$df, theirs$df, tolerance = 1e-4)
    expect_equal(own$table$statistic, theirs$`t value`, tolerance = 1e-5)
    expect_equal(own$table$p.value, theirs$`Pr(>|t|)`, tolerance = 1e-4)
    expect_equal(own$table$conf.low, theirs$lower, tolerance = 1e-4)
    expect_equal(own$table$conf.high, theirs$upper, tolerance = 1e-4)
    joint <- linear_hypothesis(ours, L, ddf = ddf)$joint
    together <- lmerTest::contest(m, L[1:2, ], ddf = ddf)
    expect_equal(joint$statistic, together$`F value`, tolerance = 1e-5)
    expect_equal(joint$num_df, 2L)
    expect_equal(joint$den_df, together$DenDF, tolerance = 1e-4)
  }
})

test_that("normal tests are z and chi-square", {
  own <- linear_hypothesis(fit, c("Time = 1", "CuCu035"), ddf = "normal")
  z <- (fit$fe_params[["Time"]] - 1) / sqrt(vcov(fit)["Time", "Time"])
  expect_equal(own$table$statistic[1L], z)
  expect_equal(own$table$p.value[1L], 2 * stats::pnorm(-abs(z)))
  L <- own$L
  d <- L %*% fit$fe_params - c(1, 0)
  expect_equal(own$joint$statistic, drop(t(d) %*% solve(L %*% vcov(fit) %*% t(L), d)))
  expect_null(linear_hypothesis(fit, "Time", ddf = "normal", joint = FALSE)$joint)
  plain <- linear_hypothesis(fit, "Time", ddf = "none")
  expect_true(is.na(plain$table$p.value))
})

test_that("rows that follow from others are left out, and contradictions are refused", {
  once <- linear_hypothesis(fit, c("Time = 1", "CuCu035 = 0"), ddf = "normal")
  more <- linear_hypothesis(fit, c("Time = 1", "CuCu035 = 0", "2*Time - 3*CuCu035 = 2"), ddf = "normal")
  expect_equal(more$joint, once$joint)
  expect_identical(nrow(more$table), 3L)
  expect_error(linear_hypothesis(fit, c("Time = 1", "2*Time = 3")), "contradict", class = "mixedlm_error_hypothesis")
})

test_that("functions of aliased coefficients are tested when they are estimable", {
  d <- transform(subset(dietox, as.integer(factor(Pig)) <= 12), twice = 2 * Time)
  full <- suppressMessages(mixedlm(Weight ~ Time + twice, d, groups = "Pig"))
  part <- mixedlm(Weight ~ Time, d, groups = "Pig")
  expect_error(linear_hypothesis(full, "twice"), "Not estimable", class = "mixedlm_error_hypothesis")
  expect_error(linear_hypothesis(full, c(0, 1, -1)), "Not estimable", class = "mixedlm_error_hypothesis")
  known <- linear_hypothesis(part, "Time", ddf = "normal")$table
  for (L in list("Time + 2 * twice", c(0, 1, 2), "Time", c(0, 1))) {
    expect_equal(linear_hypothesis(full, L, ddf = "normal")$table, known, ignore_attr = TRUE)
  }
})

test_that("robust covariances bring their own tests", {
  L <- c("CuCu035 = 1", "CuCu175 = 0")
  own <- linear_hypothesis(fit, L, vcov = "CR2")
  v <- vcov(fit, type = "CR2")
  expect_equal(own$table$std.error, sqrt(diag(v))[c("CuCu035", "CuCu175")], ignore_attr = TRUE)
  expect_equal(own$table$statistic, (fit$fe_params[c("CuCu035", "CuCu175")] - c(1, 0)) / own$table$std.error, ignore_attr = TRUE)
  joint <- robust_test(fit, own$L, own$rhs, "CR2")
  expect_equal(own$joint, list(statistic = joint$statistic, num_df = 2L, den_df = joint$df_den, p.value = joint$p.value))
  single <- linear_hypothesis(fit, "CuCu035 = 1", vcov = "CR2")
  expect_equal(single$joint$statistic, single$table$statistic^2)
  expect_equal(single$joint$p.value, single$table$p.value)
  expect_match(capture.output(own)[1L], "CR2")
})

test_that("arguments are checked", {
  expect_error(linear_hypothesis(fit, "Time", level = 1), class = "mixedlm_error_argument")
  expect_error(linear_hypothesis(fit, "Time", joint = NA), class = "mixedlm_error_argument")
  expect_error(linear_hypothesis(fit, "Time", vcov = "HC0"), class = "mixedlm_error_argument")
  expect_error(linear_hypothesis(fit, "Time", cluster = "Pig"), "vcov", class = "mixedlm_error_argument")
  expect_error(linear_hypothesis(fit, "Time", ddf = "t"), class = "mixedlm_error_ddf")
  expect_error(linear_hypothesis(1, "Time"), class = "mixedlm_error_argument")
})

test_that("a hypothesis prints its table and the joint test", {
  h <- linear_hypothesis(fit, c(first = "Time = 0", "CuCu035 = 0"), ddf = "normal")
  printed <- capture.output(print(h))
  expect_match(printed[1L], "asymptotic")
  expect_match(printed, "^first ", all = FALSE)
  expect_match(printed, "Pr\\(>\\|z\\|\\)", all = FALSE)
  expect_match(printed, "^Joint test: Chisq = .* on 2 df", all = FALSE)
  expect_identical(as.data.frame(h), h$table)
  expect_match(capture.output(linear_hypothesis(fit, "Time", ddf = "none")), "t value$", all = FALSE)
})

test_that("statsmodels' tests have its covariance", {
  cov <- fit$cov_params()[seq_along(fit$fe_params), seq_along(fit$fe_params)]
  t_test <- fit$t_test("Time = 1")
  expect_equal(t_test$table$std.error, unname(fit$bse_fe[["Time"]]))
  expect_equal(t_test$table$p.value, 2 * stats::pnorm(-abs(t_test$table$statistic)))
  expect_null(t_test$joint)
  L <- diag(length(fit$fe_params))[2:3, ]
  wald <- fit$wald_test(L)
  expect_equal(wald$joint$statistic, drop(fit$fe_params[2:3] %*% solve(cov[2:3, 2:3], fit$fe_params[2:3])))
  f <- fit$f_test(L)
  expect_equal(f$joint$statistic, wald$joint$statistic / 2)
  expect_identical(f$joint$den_df, fit$df_resid)
  terms <- fit$wald_test_terms()
  expect_identical(rownames(terms), c("Intercept", "Cu", "Time", "`a - b`", "I(Time^3)", "Cu:Time"))
  expect_equal(terms["Cu", "statistic"], wald$joint$statistic)
  expect_identical(terms$df_constraint, c(1, 2, 1, 1, 1, 2))
})

test_that("what follows an expression without an operator is told", {
  expect_error(linear_hypothesis(fit, "2 Time"), "before `Time`", class = "mixedlm_error_hypothesis")
  expect_error(linear_hypothesis(fit, "Time Cu"), "before `Cu`", class = "mixedlm_error_hypothesis")
  deep <- paste0(strrep("(", 5000L), "Time", strrep(")", 5000L))
  expect_error(linear_hypothesis(fit, deep), class = "mixedlm_error_hypothesis")
  expect_error(linear_hypothesis(fit, paste0(strrep("-", 5000L), "Time")), class = "mixedlm_error_hypothesis")
  expect_equal(linear_hypothesis(fit, "((((((-(-Time)))))))")$table, linear_hypothesis(fit, "Time")$table)
})

test_that("all robust covariances can be used", {
  for (type in c("CR1S", "CR1p", "CR3")) {
    own <- linear_hypothesis(fit, "Time", vcov = type)
    expect_equal(own$table$std.error, sqrt(vcov(fit, type = type)["Time", "Time"]))
  }
})

test_that("an equals sign may be doubled, but not taken apart", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
  expect_equal(as.data.frame(linear_hypothesis(fit, "Time == 7")), as.data.frame(linear_hypothesis(fit, "Time = 7")))
  expect_error(linear_hypothesis(fit, "Time = = 7"), class = "mixedlm_error_hypothesis")
})

test_that("a right-hand side that is no number is refused, also beside a string with one", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
  for (value in list(expression(a), quote(a), list(1, 2), "0", mean)) {
    expect_error(linear_hypothesis(fit, "Time = 1", rhs = value), class = "mixedlm_error_hypothesis")
    expect_error(linear_hypothesis(fit, "Time", rhs = value), class = "mixedlm_error_hypothesis")
  }
})
