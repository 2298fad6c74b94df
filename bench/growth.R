# How the time of a crossed fit, y ~ x + (1 | u) + (1 | v), grows: with the rows for fixed levels,
# and with the levels for a fixed number of rows for each. The reduction, which reads the data, and
# the optimisation apart.
#   Rscript bench/growth.R [largest number of rows] [largest number of levels of u]
library(mixedlm)
source("bench/common.R")

args <- as.numeric(commandArgs(trailingOnly = TRUE))
most_rows <- if (length(args) > 0L) args[[1L]] else 2e6
most_levels <- if (length(args) > 1L) args[[2L]] else 8000
# a series ends with the first size of which one fit takes longer, in seconds
patience <- 60

simulate <- function(rows, users, items) {
  set.seed(23)
  # every level occurs, and whom a row joins is random
  u <- sample(rep_len(seq_len(users), rows))
  v <- sample(rep_len(seq_len(items), rows))
  x <- rnorm(rows)
  y <- x + 0.7 * rnorm(users)[u] + 0.5 * rnorm(items)[v] + rnorm(rows)
  data.frame(y = y, x = x, u = factor(u), v = factor(v))
}

# Medians of the fits of one size, in milliseconds; fewer of those that take long.
measure <- function(rows, users, items) {
  d <- simulate(rows, users, items)
  one <- function() {
    gc(FALSE)
    start <- Sys.time()
    fit <- mixedlm(y ~ x + (1 | u) + (1 | v), d, REML = FALSE)
    c(
      call = as.numeric(Sys.time() - start, units = "secs"),
      unlist(fit$optinfo[c("seconds", "evaluations")])
    )
  }
  first <- one()
  again <- if (first[["call"]] < 1) 5L else if (first[["call"]] < 10) 2L else 0L
  fits <- cbind(first, replicate(again, one()))
  typical <- apply(fits[, seq_len(again) + (again > 0L), drop = FALSE], 1L, stats::median)
  ms <- 1000 * typical
  data.frame(
    rows = rows, `levels of u` = users, `levels of v` = items,
    `pairs that occur` = nrow(unique(d[c("u", "v")])), `whole call, ms` = ms[["call"]],
    `reduction, ms` = ms[["seconds.reduction"]],
    `optimisation, ms` = ms[["seconds.optimisation"]],
    evaluations = typical[["evaluations"]],
    `one evaluation, ms` = ms[["seconds.optimisation"]] / typical[["evaluations"]],
    check.names = FALSE
  )
}

series <- function(rows, users, items) {
  table <- NULL
  for (k in seq_along(rows)) {
    row <- measure(rows[[k]], users[[k]], items[[k]])
    table <- rbind(table, row)
    message(paste(format(unlist(row), digits = 3L), collapse = " "))
    if (row[["whole call, ms"]] > 1000 * patience) {
      break
    }
  }
  table
}

# The power of `size` with which each time grows: over the whole series, and over its larger half,
# where what does not grow weighs less.
powers <- function(table, size) {
  columns <- c("whole call, ms", "reduction, ms", "optimisation, ms", "one evaluation, ms")
  power <- function(column, keep) {
    if (length(keep) < 2L) {
      return(NA_character_)
    }
    line <- stats::lm(log(table[[column]][keep]) ~ log(table[[size]][keep]))
    sprintf("%.2f", stats::coef(line)[[2L]])
  }
  all <- seq_len(nrow(table))
  larger <- all[all > nrow(table) / 2]
  data.frame(
    time = sub(", ms", "", columns), `all sizes` = vapply(columns, power, "", all),
    `larger half` = vapply(columns, power, "", larger), check.names = FALSE
  )
}

sizes <- function(sizes, most) sizes[sizes <= most]
rows <- sizes(c(2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 2e6), most_rows)
by_rows <- series(rows, rep(2000, length(rows)), rep(1000, length(rows)))
users <- sizes(c(250, 500, 1000, 2000, 4000, 8000, 16000, 32000), most_levels)
by_levels <- series(20 * users, users, users / 2)

report(
  "growth", "Crossed random effects: growth of the time",
  c(
    paste0(
      "`y ~ x + (1 | u) + (1 | v)`, ML, two threads; medians of 5 fits, of 2 beyond a second, ",
      "one beyond ten. An evaluation is the criterion with, where the step was accepted, its ",
      "derivatives."
    ), "",
    "## Rows, for fixed levels", "", markdown(by_rows), "",
    "Growth with the rows, as a power:", "", markdown(powers(by_rows, "rows")), "",
    "## Levels, with 20 rows for each of `u` and 40 for each of `v`", "", markdown(by_levels), "",
    "Growth with the levels, as a power:", "", markdown(powers(by_levels, "levels of u"))
  )
)
