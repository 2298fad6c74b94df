# The cost of one evaluation of the criterion does not depend on the number of rows: fixed groups, growing rows.
#   Rscript bench/rows.R
library(mixedlm)
source("bench/common.R")

groups <- 5000L
rows <- c(5e4, 1e5, 2e5, 5e5, 1e6, 2e6)
result <- lapply(rows, function(n) {
  set.seed(21)
  g <- rep_len(seq_len(groups), n)
  x <- rnorm(n)
  b <- matrix(rnorm(2 * groups), groups)
  d <- data.frame(y = x + b[g, 1L] + b[g, 2L] * x + rnorm(n), x = x, g = g)
  fits <- replicate(7L, unlist(mixedlm(y ~ x + (x | g), d)$optinfo[c("seconds", "evaluations")]))
  typical <- apply(fits, 1L, stats::median)
  data.frame(
    rows = n, groups = groups, `reduction, ms` = 1000 * typical[["seconds.reduction"]],
    evaluations = typical[["evaluations"]],
    `evaluation, ms` = 1000 * typical[["seconds.optimisation"]] / typical[["evaluations"]], check.names = FALSE
  )
})
result <- do.call(rbind, result)
exponent <- function(column) {
  round(stats::coef(stats::lm(log(result[[column]]) ~ log(result$rows)))[[2L]], 2L)
}
report(
  "rows", "One evaluation against the number of rows",
  c(
    paste0("`y ~ x + (x | g)`, ", groups, " groups, REML, two threads; medians of 7 fits. An evaluation is the criterion with, ",
      "where the step was accepted, gradient and Hessian. The reduction reads the data once."),
    "", markdown(result), "",
    paste0("Growth with rows, as a power: reduction ", exponent("reduction, ms"), ", evaluation ", exponent("evaluation, ms"), ".")
  )
)
