# A million rows: the whole call, formula to fit, against lm() with the same fixed effects in the same session, in time and
# in peak memory.
#   Rscript bench/large.R [rows]
library(mixedlm)
source("bench/common.R")

args <- commandArgs(trailingOnly = TRUE)
n <- if (length(args)) as.integer(args[1L]) else 1e6L

make <- function(groups) {
  set.seed(20)
  g <- sample.int(groups, n, replace = TRUE)
  x <- matrix(rnorm(5 * n), n, dimnames = list(NULL, paste0("x", 1:5)))
  b <- matrix(rnorm(2 * groups), groups)
  data.frame(y = drop(x %*% (1:5)) + b[g, 1L] + b[g, 2L] * x[, 1L] + rnorm(n), x, g = g)
}

rows <- lapply(c(1e4, 1e5), function(groups) {
  d <- make(groups)
  fixed <- function() lm(y ~ x1 + x2 + x3 + x4 + x5, d)
  mixed <- function() mixedlm(y ~ x1 + x2 + x3 + x4 + x5 + (x1 | g), d)
  fit <- mixed()
  ms <- take_turns(list(lm = fixed, mixedlm = mixed), 7L)
  memory <- c(peak_memory(fixed), peak_memory(mixed))
  data.frame(
    rows = n, groups = groups, `lm, ms` = ms[["lm"]], `mixedlm, ms` = ms[["mixedlm"]],
    `time ratio` = ms[["mixedlm"]] / ms[["lm"]], `lm, MiB` = memory[1L], `mixedlm, MiB` = memory[2L],
    `memory ratio` = memory[2L] / memory[1L], evaluations = fit$optinfo$evaluations,
    verdict = fit$optinfo$verdict, check.names = FALSE
  )
})
report(
  "large", "A million rows: mixedlm against lm",
  c("`y ~ x1 + x2 + x3 + x4 + x5 + (x1 | g)`, REML, two threads; medians of 7 runs in turn.", "", markdown(do.call(rbind, rows)))
)
