# How the time of a whole call grows with the rows and with the levels, for independent groups with
# slopes and for two crossed factors, beside lmer() and lm() of the fixed effects; and of mixedlm's
# call the reduction, which reads the data, and one evaluation of the criterion apart.
#   Rscript bench/growth.R [--quick] [--patience=60]   writes growth.csv, growth.md and growth.png
#   Rscript bench/growth.R --draw [folder]             the last two again, from growth.csv
# A program leaves a series when the next size would take it longer than `patience` seconds, as far
# as its last two sizes tell. The quick run goes to .make/bench, the other one to bench/results.
source("bench/common.R")
source("bench/growth-plot.R")

programs <- c("mixedlm", "lmer", "lm")

grouped <- list(formula = y ~ x + (x | u), reml = TRUE)
crossed <- list(formula = y ~ x + (1 | u) + (1 | v), reml = FALSE)

# Each series: the model, what grows, and the sizes; users are levels of u, items those of v.
series <- list(
  `grouped-rows` = list(
    model = grouped, rows = c(1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 2e6), users = function(rows) 2000, items = NULL
  ),
  `grouped-levels` = list(
    model = grouped, rows = 10 * c(500, 1000, 2000, 5000, 1e4, 2e4, 5e4, 1e5, 2e5),
    users = function(rows) rows / 10, items = NULL
  ),
  `crossed-rows` = list(
    model = crossed, rows = c(1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 2e6), users = function(rows) 1000,
    items = function(rows) 500
  ),
  `crossed-levels` = list(
    model = crossed, rows = 20 * c(125, 250, 500, 1000, 2000, 4000, 8000), users = function(rows) rows / 20,
    items = function(rows) rows / 40
  )
)

simulate <- function(one, rows) {
  set.seed(23)
  # every level occurs, and whom a row joins is random
  among <- function(levels) sample(rep_len(seq_len(levels), rows))
  u <- among(one$users(rows))
  x <- stats::rnorm(rows)
  d <- data.frame(y = x + 0.7 * stats::rnorm(one$users(rows))[u] + stats::rnorm(rows), x = x, u = factor(u))
  if (is.null(one$items)) {
    d$y <- d$y + 0.5 * stats::rnorm(one$users(rows))[u] * x
  } else {
    v <- among(one$items(rows))
    d$y <- d$y + 0.5 * stats::rnorm(one$items(rows))[v]
    d$v <- factor(v)
  }
  d
}

fitters <- function(model) {
  list(
    mixedlm = function(d) mixedlm::mixedlm(model$formula, d, REML = model$reml),
    lmer = function(d) suppressWarnings(suppressMessages(lme4::lmer(model$formula, d, REML = model$reml))),
    lm = function(d) stats::lm(y ~ x, d)
  )
}

# The median call of some, fewer of those that take long, in seconds.
measure <- function(fit, d) {
  one <- function() {
    gc(FALSE)
    start <- Sys.time()
    found <- fit(d)
    call <- as.numeric(Sys.time() - start, units = "secs")
    parts <- if (inherits(found, "mixedlm")) unlist(found$optinfo[c("seconds", "evaluations")]) else rep(NA_real_, 3L)
    c(call, parts)
  }
  first <- one()
  again <- if (first[[1L]] < 1) 5L else if (first[[1L]] < 10) 2L else 0L
  fits <- if (again > 0L) replicate(again, one()) else cbind(first)
  stats::setNames(
    apply(fits, 1L, stats::median),
    c("seconds", "reduction_s", "optimisation_s", "evaluations")
  )
}

# What the next size would take if the times went on growing as from the last size but one.
expected <- function(seconds) {
  last <- utils::tail(seconds, 2L)
  if (length(last) < 2L) seconds else max(last[[2L]], last[[2L]]^2 / last[[1L]])
}

run_series <- function(name, patience, most) {
  one <- series[[name]]
  running <- intersect(programs, c("mixedlm", "lm", if (requireNamespace("lme4", quietly = TRUE)) "lmer"))
  fit <- fitters(one$model)
  table <- NULL
  for (rows in one$rows[one$rows <= most]) {
    d <- simulate(one, rows)
    for (program in running) {
      times <- measure(fit[[program]], d)
      table <- rbind(table, data.frame(
        series = name, program = program, rows = rows, levels = one$users(rows),
        pairs = if (is.null(one$items)) NA else nrow(unique(d[c("u", "v")])), as.list(times),
        evaluation_s = times[["optimisation_s"]] / times[["evaluations"]]
      ))
      message(sprintf("%s, %.0f rows, %s: %.3g s", name, rows, program, times[["seconds"]]))
      if (expected(table$seconds[table$program == program]) > patience) {
        running <- setdiff(running, program)
      }
    }
  }
  table
}

args <- commandArgs(trailingOnly = TRUE)
quick <- "--quick" %in% args
folder <- if (quick) file.path(".make", "bench") else file.path("bench", "results")
if ("--draw" %in% args) {
  folder <- c(setdiff(args, "--draw"), folder)[[1L]]
} else {
  patience <- as.numeric(c(sub("--patience=", "", grep("^--patience=", args, value = TRUE)), if (quick) 1 else 60)[[1L]])
  table <- do.call(rbind, lapply(names(series), run_series, patience, if (quick) 1e5 else Inf))
  dir.create(folder, showWarnings = FALSE, recursive = TRUE)
  utils::write.csv(table, file.path(folder, "growth.csv"), row.names = FALSE, na = "")
  writeLines(c(machine(), patience), file.path(folder, "growth-machine.txt"))
}
write_growth(folder)
