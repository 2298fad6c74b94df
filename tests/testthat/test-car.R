# car, multcomp and effects on our fits and on lme4's.

machines_unbalanced <- function() {
  data <- as.data.frame(from_package("Machines", "nlme"))[-c(1, 5, 6, 17, 30), ]
  for (v in c("Worker", "Machine")) data[[v]] <- factor(as.character(data[[v]]))
  set.seed(1)
  data$z <- as.numeric(data$Worker) + rnorm(nrow(data))
  data
}

car_pairs <- function() {
  data <- machines_unbalanced()
  formulas <- list(
    score ~ Machine * poly(z, 2) + (1 | Worker), score ~ Machine + z + (z | Worker),
    score ~ Machine * z * I(z > 2) + (1 | Worker)
  )
  lapply(formulas, function(f) {
    list(ours = eval(bquote(mixedlm(.(f), data))), theirs = suppressMessages(eval(bquote(tight_lmer(.(f), data, TRUE)))))
  })
}

same_anova <- function(ours, theirs, tolerance = 1e-4) {
  expect_identical(class(ours), class(theirs))
  expect_identical(dimnames(ours), dimnames(theirs))
  expect_equal(as.list(ours), as.list(theirs), tolerance = tolerance, ignore_attr = TRUE)
}

test_that("Anova(), linearHypothesis(), deltaMethod() and vif() give car's tables of lmer's fits", {
  skip_if_not_installed("car")
  skip_if_not_installed("pbkrtest")
  for (pair in car_pairs()) {
    for (type in c("II", "III")) {
      for (test in c("Chisq", "F")) {
        ours <- car::Anova(pair$ours, type = type, test.statistic = test)
        theirs <- car::Anova(pair$theirs, type = type, test.statistic = test)
        same_anova(ours, theirs)
        expect_identical(attr(ours, "heading"), attr(theirs, "heading"))
      }
    }
    rows <- c("MachineB = 0", "MachineC = 1")
    same_anova(car::linearHypothesis(pair$ours, rows), car::linearHypothesis(pair$theirs, rows))
    # its F tests of these fits take every right-hand side for zero
    zero <- c("MachineB = 0", "MachineC = 0")
    same_anova(
      car::linearHypothesis(pair$ours, zero, test = "F"), car::linearHypothesis(pair$theirs, zero, test = "F")
    )
    expect_equal(
      car::deltaMethod(pair$ours, "MachineB / MachineC"), car::deltaMethod(pair$theirs, "MachineB / MachineC"),
      tolerance = 1e-4
    )
    expect_equal(car::vif(pair$ours), car::vif(pair$theirs), tolerance = 1e-4)
  }
})

test_that("aliased columns are left out of car's tables", {
  skip_if_not_installed("car")
  pair <- model_pair("rank_deficient")
  for (type in 2:3) {
    same_anova(car::Anova(pair$ours, type = type), car::Anova(pair$theirs, type = type))
  }
  expect_error(car::vif(pair$ours), class = "mixedlm_error_argument")
})

test_that("arguments of car's functions are checked", {
  skip_if_not_installed("car")
  fit <- model_pair("grouped")$ours
  refused <- function(code, argument, class = "mixedlm_error_argument") {
    e <- expect_error(code, class = class)
    expect_identical(e$argument, argument)
  }
  refused(car::Anova(fit, type = 1), "type")
  refused(car::Anova(fit, type = 4), "type")
  refused(car::Anova(fit, test.statistic = "LR"), "test.statistic")
  refused(car::Anova(fit, test = "F", ddf = "normal"), "ddf", "mixedlm_error_ddf")
  refused(car::Anova(fit, test = "F", vcov. = vcov(fit)), "vcov.")
  refused(car::Anova(fit, vcov. = diag(3)), "vcov.")
  refused(car::Anova(fit, typ = 2, dff = 1), "dff")
  refused(car::linearHypothesis(fit, "Day = 1"), "L", "mixedlm_error_hypothesis")
  refused(car::deltaMethod(fit, "a / b", parameterNames = "a"), "parameterNames")
  expect_equal(car::Anova(fit, vcov. = 4 * vcov(fit))$Chisq, car::Anova(fit)$Chisq / 4)
})

test_that("glht() gives multcomp's comparisons of lmer's fits", {
  skip_if_not_installed("multcomp")
  data <- machines_unbalanced()
  ours <- mixedlm(score ~ Machine + z + (1 | Worker), data)
  theirs <- tight_lmer(score ~ Machine + z + (1 | Worker), data, TRUE)
  linfct <- multcomp::mcp(Machine = "Tukey")
  a <- multcomp::glht(ours, linfct = linfct)
  b <- multcomp::glht(theirs, linfct = linfct)
  expect_equal(coef(a), coef(b), tolerance = 1e-6)
  expect_equal(vcov(a), as.matrix(vcov(b)), tolerance = 1e-4)
  adjusted <- multcomp::adjusted("holm")
  expect_equal(summary(a, test = adjusted)$test$pvalues, summary(b, test = adjusted)$test$pvalues, tolerance = 1e-4)
  expect_identical(multcomp::cld(a)$mcletters$Letters, multcomp::cld(b)$mcletters$Letters)
  row <- rbind(difference = c(0, 1, -1, 0))
  expect_equal(coef(multcomp::glht(ours, row)), coef(multcomp::glht(theirs, row)), tolerance = 1e-6)
  expect_identical(multcomp::glht(ours, row, df = 7)$df, 7)
  expect_error(multcomp::glht(ours, row, df = "a"), class = "mixedlm_error_argument")
  deficient <- model_pair("rank_deficient")
  expect_equal(
    coef(multcomp::glht(deficient$ours, linfct = linfct)), coef(multcomp::glht(deficient$theirs, linfct = linfct)),
    tolerance = 1e-6
  )
})

test_that("allEffects() gives the effects of lmer's fits", {
  skip_if_not_installed("effects")
  # effects looks for the data of lme4's fits in the workspace
  assign("data_of_effects", machines_unbalanced(), globalenv())
  on.exit(rm("data_of_effects", envir = globalenv()))
  for (f in list(score ~ Machine * poly(z, 2) + (1 | Worker), score ~ Machine + z + (z | Worker))) {
    ours <- eval(bquote(mixedlm(.(f), data_of_effects)))
    theirs <- suppressMessages(eval(bquote(tight_lmer(.(f), data_of_effects, TRUE))))
    theirs@call$data <- quote(data_of_effects)
    expect_equal(
      as.data.frame(effects::allEffects(ours)), as.data.frame(effects::allEffects(theirs)),
      tolerance = 1e-4, ignore_attr = TRUE
    )
  }
  hidden <- (function(here) mixedlm(score ~ Machine + (1 | Worker), here))(machines_unbalanced())
  hidden$call$data <- quote(nowhere)
  expect_error(effects::Effect("Machine", hidden))
  local <- (function(here) mixedlm(stats::as.formula("score ~ Machine + (1 | Worker)"), here))(machines_unbalanced())
  expect_equal(nrow(as.data.frame(effects::Effect("Machine", local))), 3L)
})
