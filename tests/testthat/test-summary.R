test_that("the default table has statsmodels' layout and exact standard errors", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = dietox$Pig)
  printed <- capture.output(print(summary(fit)))
  saved <- readLines(fixture("statsmodels", "dietox-vector.txt"))
  differs <- printed != saved
  expect_identical(which(differs), grep("^Group Var", saved))
  s <- summary(fit)
  expect_equal(s$varcomp$std_error, sqrt(vcov(fit, "varcomp")["Group Var", "Group Var"]), ignore_attr = TRUE)
  expect_equal(coef(s)[, "Std. Error"], sqrt(diag(vcov(fit))))
})

test_that("elements that the model does not have are printed for statsmodels only", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig", re_formula = ~Time, free = "diagonal")
  expect_identical(summary(fit)$varcomp$label, c("Pig Var", "Time Var"))
  expect_identical(
    summary(fit, compat = "statsmodels")$varcomp$label,
    c("Pig Var", "Pig x Time Cov", "Time Var")
  )
})

test_that("names, titles and levels are checked", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
  expect_error(summary(fit, xname_fe = "a"), class = "mixedlm_error_argument")
  expect_error(summary(fit, xname_re = c("a", "b")), class = "mixedlm_error_argument")
  expect_error(summary(fit, title = 1), class = "mixedlm_error_argument")
  expect_error(summary(fit, yname = c("a", "b")), class = "mixedlm_error_argument")
  expect_error(summary(fit, alpha = 0), class = "mixedlm_error_argument")
  expect_error(summary(fit, alpha = "0.05"), class = "mixedlm_error_argument")
  expect_error(summary(fit, compat = "python"), class = "mixedlm_error_argument")
  expect_error(summary(fit, style = c("lme4", "nlme")), class = "mixedlm_error_argument")
  expect_error(summary(fit, xname_fe = "a"), "xname_fe.*length 2")
})

test_that("a boundary fit says so below the table, and not to statsmodels", {
  fit <- mixedlm(Yield ~ 1, plain_data("Dyestuff2", "lme4"), groups = "Batch")
  expect_match(capture.output(summary(fit)), "Verdict: boundary", all = FALSE)
  expect_no_match(capture.output(summary(fit, compat = "statsmodels")), "Verdict")
  expect_match(capture.output(summary(fit)), "Converged:[ ]+Yes", all = FALSE)
})

test_that("aliased columns are named below the table", {
  d <- transform(dietox, twice = 2 * Time)
  fit <- suppressMessages(mixedlm(Weight ~ Time + twice, d, groups = "Pig"))
  expect_match(capture.output(summary(fit)), "left out: twice", all = FALSE)
  expect_identical(rownames(coef(summary(fit))), c("(Intercept)", "Time"))
})

test_that("limits are printed as Python prints numbers", {
  expect_identical(shortest(0.025), "0.025")
  expect_identical(shortest(1 - 0.05 / 2), "0.975")
  expect_identical(shortest(5e-06), "5e-06")
  expect_identical(shortest(1 - 1e-5 / 2), "0.999995")
  expect_identical(shortest(0.1), "0.1")
  expect_identical(shortest(0.123456789 / 2), "0.0617283945")
})

lme4_models <- list(
  list(Reaction ~ Days + (Days | Subject), "sleepstudy", "lme4"),
  list(strength ~ 1 + (1 | batch / cask), "Pastes", "lme4"),
  list(Yield ~ 1 + (1 | Batch), "Dyestuff", "lme4"),
  list(diameter ~ 1 + (1 | plate) + (1 | sample), "Penicillin", "lme4"),
  list(attain ~ sex + social + (sex | primary) + (1 | second), "ScotsSec", "mlmRev"),
  list(score ~ Machine + (Machine | Worker), "Machines", "nlme")
)
for (entry in lme4_models) {
  for (reml in c(TRUE, FALSE)) {
    test_that(paste("style = \"lme4\" prints lmer's layout:", entry[[2L]], if (reml) "REML" else "ML"), {
      skip_if_not_installed("lme4")
      skip_if(
        !reml && utils::packageVersion("lme4") > "1.1.35",
        "newer lme4 prints its table of criteria differently"
      )
      d <- plain_data(entry[[2L]], entry[[3L]])
      control <- lme4::lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-9))
      theirs <- lme4::lmer(entry[[1L]], data = d, REML = reml, control = control)
      ours <- mixedlm(entry[[1L]], data = d, REML = reml)
      a <- capture.output(print(summary(theirs)))[-1L]
      a <- a[!grepl("^Control", a)]
      b <- capture.output(print(summary(ours, style = "lme4", ddf = "none")))[-1L]
      # same lines and places; the last digits may differ
      blank <- function(x) without_end_spaces(gsub("[0-9]", "9", x))
      expect_identical(length(a), length(b))
      same <- without_end_spaces(a) == without_end_spaces(b)
      expect_identical(blank(a[!grepl("Data:|Formula:", a)]), blank(b[!grepl("Data:|Formula:", b)]))
      expect_gt(mean(same), 0.6)
    })
  }
}

test_that("with degrees of freedom the lme4 style is lmerTest's table", {
  d <- plain_data("Machines", "nlme")[-c(2, 9, 30), ]
  formula <- score ~ Machine + (1 | Worker)
  for (ddf in c("Satterthwaite", "Kenward-Roger")) {
    if (ddf == "Kenward-Roger") skip_if_not_installed("pbkrtest")
    theirs <- summary(sharp_lmer(formula, d), ddf = ddf)
    own <- summary(mixedlm(formula, d), style = "lme4", ddf = ddf)
    expect_equal(coef(own), coef(theirs), tolerance = 1e-4)
    from <- function(x) {
      lines <- capture.output(print(x))
      lines[grep("^Fixed effects", lines):length(lines)]
    }
    expect_identical(from(own), from(theirs))
    expect_identical(
      capture.output(print(own))[1L],
      paste0("Linear mixed model fit by REML. t-tests use ", ddf, "'s method ['mixedlm']")
    )
  }
})

test_that("degrees of freedom belong to the lme4 style, which they imply", {
  fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
  expect_identical(summary(fit, ddf = "KR")$style, "lme4")
  expect_identical(summary(fit)$ddf, "normal")
  expect_error(summary(fit, style = "statsmodels", ddf = "KR"), class = "mixedlm_error_argument")
  expect_error(summary(fit, ddf = "exact"), class = "mixedlm_error_ddf")
  normal <- coef(summary(fit, ddf = "normal"))
  expect_equal(normal, coef(summary(fit)))
  residual <- coef(summary(fit, ddf = "residual"))
  expect_equal(unname(residual[, "df"]), rep(length(fit$y) - 2, 2L))
  expect_match(capture.output(summary(fit, ddf = "normal")), "z-tests", all = FALSE)
  expect_identical(colnames(coef(summary(fit, ddf = "lme4"))), c("Estimate", "Std. Error", "t value"))
})
