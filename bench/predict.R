# Predictions for many new rows, against lme4's, and random effects with their conditional variances.
#   Rscript bench/predict.R [rows] [rounds]
library(mixedlm)
source("bench/common.R")

args <- as.integer(commandArgs(trailingOnly = TRUE))
rows <- if (length(args) > 0L) args[[1L]] else 1000000L
rounds <- if (length(args) > 1L) args[[2L]] else 5L

made <- function(n, groups, seed) {
  set.seed(seed)
  d <- data.frame(
    g = factor(rep_len(sample(groups), n), levels = seq_len(groups)), x = stats::rnorm(n),
    f = factor(sample(c("a", "b", "c", "d"), n, TRUE)), h = factor(sample(20L, n, TRUE))
  )
  d$y <- d$x + stats::rnorm(groups)[d$g] + stats::rnorm(groups)[d$g] * d$x + stats::rnorm(20L)[d$h] + stats::rnorm(n)
  d
}

groups <- 10000L
old <- made(100000L, groups, 1L)
new <- made(rows, groups, 2L)
new$y <- NULL
formulas <- list(
  `intercept and slope` = y ~ x + (x | g),
  `a factor and its interaction` = y ~ x * f + (x | g),
  `crossed` = y ~ x + (x | g) + (1 | h)
)

times <- do.call(rbind, lapply(names(formulas), function(name) {
  fit <- mixedlm(formulas[[name]], old)
  functions <- list(mixedlm = function() predict(fit, new), population = function() predict(fit, new, re.form = NA))
  if (requireNamespace("lme4", quietly = TRUE)) {
    control <- lme4::lmerControl(optimizer = "nloptwrap", calc.derivs = FALSE)
    theirs <- lme4::lmer(formulas[[name]], old, control = control)
    functions$lme4 <- function() stats::predict(theirs, new)
    difference <- max(abs(predict(fit, new) - stats::predict(theirs, new)))
  }
  ms <- take_turns(functions, rounds)
  lme4_ms <- if ("lme4" %in% names(ms)) ms[["lme4"]] else NA
  data.frame(
    model = name, `mixedlm (ms)` = ms[["mixedlm"]], `population (ms)` = ms[["population"]], `lme4 (ms)` = lme4_ms,
    ratio = lme4_ms / ms[["mixedlm"]], `largest difference` = if (is.na(lme4_ms)) NA else difference, check.names = FALSE
  )
}))
times[["largest difference"]] <- format(times[["largest difference"]], digits = 2L)

fit <- mixedlm(formulas[[1L]], old)
few <- new[seq_len(min(rows, 10000L)), ]
errors <- take_turns(list(
  `standard errors of 10,000 new rows` = function() predict(fit, few, se.fit = TRUE),
  `prediction intervals of as many` = function() predict(fit, few, interval = "prediction")
), rounds)

many <- made(500000L, 100000L, 3L)
wide <- mixedlm(formulas[[1L]], many)
effects <- take_turns(list(
  `ranef(condVar = TRUE), 100,000 groups with intercept and slope` = function() ranef(wide, condVar = TRUE)
), rounds)
others <- c(errors, effects)

report("predict", "Predictions", c(
  paste0(
    "`predict(fit, newdata)` conditional on the random effects, ", format(rows, big.mark = ","), " rows, ",
    format(groups, big.mark = ","), " groups; medians of ", rounds, " interleaved rounds."
  ), "",
  markdown(times), "",
  markdown(data.frame(call = names(others), ms = unname(others)))
))
