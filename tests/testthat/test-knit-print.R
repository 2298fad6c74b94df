# Tables in documents.

test_that("a document shows tables", {
  skip_if_not_installed("knitr")
  lines <- c(
    "```{r}", "fit <- mixedlm(Weight ~ Cu + Time + (Time | Pig), dietox)", "summary(fit)", "```",
    "```{r}", "summary(fit, style = 'lme4')", "```", "```{r}", "VarCorr(fit)", "```",
    "```{r}", "linear_hypothesis(fit, c('Time = 7', 'CuCu035 = CuCu175'))", "```",
    "```{r}", "print(summary(fit))", "```"
  )
  text <- strsplit(knitr::knit(text = lines, quiet = TRUE, envir = new.env(parent = environment())), "\n")[[1L]]
  row <- function(start) grep(paste0("^\\|", start), text, value = TRUE)
  expect_length(row("Time Var +\\| +0.416"), 1L)
  expect_length(row("Cu\\[T.Cu035\\] +\\| *-0.145"), 1L)
  expect_length(row("No. Observations: +\\|861"), 1L)
  expect_length(row("Groups +\\|Name"), 2L)
  expect_length(row("Residual "), 2L)
  expect_length(row("Time = 7"), 1L)
  expect_length(grep("^Joint test: F = ", text), 1L)
  expect_length(grep("^Number of obs: 861", text), 1L)
  # print() still prints
  expect_length(grep("^## +Mixed Linear Model Regression Results", text), 1L)
})

test_that("what the tables leave out is said below them", {
  skip_if_not_installed("knitr")
  shown <- knitr::knit_print(summary(model_pair("singular")$ours))
  expect_s3_class(shown, "knit_asis")
  expect_match(shown, "boundary", fixed = TRUE)
  expect_match(knitr::knit_print(summary(model_pair("rank_deficient")$ours)), "twice", fixed = TRUE)
  expect_false(grepl("with", knitr::knit_print(VarCorr(model_pair("nested")$ours)), fixed = TRUE))
})
