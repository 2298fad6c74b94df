# Coverage of 95 per cent intervals of predictions with few groups: for the mean of a group in the data, for a new
# observation of it, for the mean of a new group, and of a new group with two rows of its own.
#   Rscript bench/predict-coverage.R [data sets] [replicates]
library(mixedlm)
source("bench/common.R")

args <- as.integer(commandArgs(trailingOnly = TRUE))
data_sets <- if (length(args) > 0L) args[[1L]] else 500L
replicates <- if (length(args) > 1L) args[[2L]] else 500L

groups <- 8L
size <- 4L

made <- function(seed) {
  set.seed(seed)
  d <- data.frame(g = rep(seq_len(groups + 1L), each = size))
  d$x <- stats::rnorm(nrow(d))
  d$mean <- 1 + 0.5 * d$x + stats::rnorm(groups + 1L, 0, 0.7)[d$g]
  d$y <- d$mean + stats::rnorm(nrow(d))
  d
}

covered <- function(seed) {
  d <- made(seed)
  target <- rep(seq_len(size) == size, groups + 1L)
  fit <- suppressMessages(mixedlm(y ~ x + (1 | g), d[!target & d$g <= groups, ]))
  known <- d[target & d$g == 1L, ]
  new <- d[target & d$g > groups, ]
  data <- d[!target & d$g > groups, ][1:2, ]
  one <- function(truth, ...) {
    vapply(c(normal = 0, bootstrap = replicates), function(nsim) {
      got <- tryCatch(
        suppressWarnings(predict(fit, ..., nsim = nsim, seed = seed)),
        error = function(e) matrix(NA_real_, 1L, 3L)
      )
      c(got[1L, 2L] < truth && truth < got[1L, 3L], got[1L, 3L] - got[1L, 2L])
    }, numeric(2L))
  }
  list(
    `mean of a group` = one(known$mean, known, interval = "confidence"),
    `observation of a group` = one(known$y, known, interval = "prediction"),
    `mean of a new group` = one(new$mean, new, interval = "confidence", allow.new.levels = TRUE),
    `mean of a new group with two rows` = one(new$mean, new, interval = "confidence", condition_on = data)
  )
}

runs <- lapply(seq_len(data_sets), covered)
table <- do.call(rbind, lapply(names(runs[[1L]]), function(what) {
  all <- vapply(runs, function(run) run[[what]], matrix(0, 2L, 2L))
  means <- apply(all, 1:2, mean, na.rm = TRUE)
  data.frame(
    interval = what, `normal, coverage (%)` = 100 * means[1L, 1L], `normal, width` = means[2L, 1L],
    `bootstrap, coverage (%)` = 100 * means[1L, 2L], `bootstrap, width` = stats::median(all[2L, 2L, ], na.rm = TRUE),
    check.names = FALSE
  )
}))
report("predict-coverage", "Coverage of intervals of predictions", c(
  paste0(
    groups, " groups of ", size - 1L, " rows, y ~ x + (1 | g), standard deviations 0.7 between groups and 1 within; ", data_sets,
    " data sets, ", replicates, " replicates of each for the bootstrap. The standard error of a coverage of 95 is ",
    format(100 * sqrt(0.95 * 0.05 / data_sets), digits = 2L), "."
  ), "", markdown(table)
))
