col_one <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
col_two <- mixedlm(Weight ~ Time + Cu, dietox, groups = "Pig", re_formula = ~Time, REML = FALSE)
printed <- function(x) paste(capture.output(print(x)), collapse = "\n")

test_that("with statsmodels' numbers the text is statsmodels'", {
  saved <- strsplit(paste(readLines(fixture("summary-col-statsmodels.txt")), collapse = "\n"), "\n----\n")[[1]]
  sm <- function(..., digits = 2) summary_col(..., compat = "statsmodels", float_format = paste0("%.", digits, "f"))
  expect_identical(printed(sm(one = col_one, two = col_two, stars = TRUE)), saved[1])
  expect_identical(printed(sm(list(col_one, col_two))), saved[2])
  info <- list(N = nobs, llf = function(x) sprintf("%.3f", x$llf))
  expect_identical(printed(sm(col_one, col_two, stars = TRUE, regressor_order = "Time", info = info, digits = 1)), saved[3])
  expect_identical(printed(sm(col_one, model_names = "a rather long name")), saved[4])
})

test_that("by default variances are exact, fixed effects come first, and sizes at the end", {
  table <- summary_col(col_one, col_two, stars = TRUE)
  cells <- as.data.frame(table)
  expect_named(cells, c("term", "Weight I", "Weight II"))
  labels <- cells$term[nzchar(cells$term)]
  expect_identical(labels, c(
    "Intercept", "Time", "Cu[T.Cu035]", "Cu[T.Cu175]", "Pig Var", "Pig x Time Cov", "Time Var",
    "N", "Groups", "Scale", "Log-Likelihood", "Method"
  ))
  at <- which(cells$term == "Pig Var")
  s <- summary(col_two)$varcomp
  expect_identical(cells[at, 3], sprintf("%.4f", s$estimate[1]))
  expect_identical(cells[at + 1, 3], sprintf("(%.4f)", s$std_error[1]))
  expect_identical(cells[cells$term == "N", 2], "861")
  expect_identical(cells[cells$term == "Method", 2:3], list("REML", "ML"), ignore_attr = TRUE)
  expect_identical(cells[cells$term == "Log-Likelihood", 3], sprintf("%.4f", as.numeric(logLik(col_two))))
  expect_match(cells[cells$term == "Intercept", 2], "\\*\\*\\*$")
  expect_identical(cells[cells$term == "Cu[T.Cu035]", 2], "")
  only <- as.data.frame(summary_col(col_one, col_two, regressor_order = "Time", drop_omitted = TRUE, info = list()))
  expect_identical(only$term, c("Time", ""))
  skip_if_not_installed("knitr")
  expect_match(paste(knitr::knit_print(table), collapse = "\n"), "Pig x Time Cov", fixed = TRUE)
})

test_that("every model of the pairs has its column", {
  fits <- lapply(stats::setNames(model_pairs, model_pairs), function(name) model_pair(name)$ours)
  table <- summary_col(fits)
  expect_identical(table$models, model_pairs)
  expect_output(print(table), "rank_deficient")
  expect_output(print(summary_col(fits, compat = "statsmodels")), "singular")
})

test_that("bad arguments are told", {
  told <- function(...) tryCatch(summary_col(...), mixedlm_error = function(e) paste(class(e)[1], e$argument))
  expect_identical(told(), "mixedlm_error_argument ...")
  expect_identical(told(col_one, lm(dist ~ speed, cars)), "mixedlm_error_argument ...")
  expect_identical(told(col_one, float_frmt = "%f"), "mixedlm_error_argument ...")
  expect_identical(told(col_one, float_format = "x"), "mixedlm_error_argument float_format")
  expect_identical(told(col_one, float_format = "%s%s"), "mixedlm_error_argument float_format")
  expect_identical(told(col_one, stars = 1), "mixedlm_error_argument stars")
  expect_identical(told(col_one, drop_omitted = NA), "mixedlm_error_argument drop_omitted")
  expect_identical(told(col_one, regressor_order = "Tmie"), "mixedlm_error_argument regressor_order")
  expect_identical(told(col_one, regressor_order = 1), "mixedlm_error_argument regressor_order")
  expect_identical(told(col_one, model_names = c("a", "b")), "mixedlm_error_argument model_names")
  expect_identical(told(col_one, info = list(1)), "mixedlm_error_argument info")
  expect_identical(told(col_one, compat = "lme4"), "mixedlm_error_argument compat")
})
