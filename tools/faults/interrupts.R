# SIGINT at random moments of what takes long: R is to be usable soon, and all to be as it was.
# Rscript tools/faults/interrupts.R [<injections per job>]

source("tools/faults/common.R")
given <- commandArgs(TRUE)
times <- if (length(given)) as.integer(given[1L]) else 12L
# A quarter of a second, and as much again; in proportion where others work on the machine, too: what R itself does in one
# go (sorting text) cannot be interrupted.
busy <- as.numeric(sub(" .*", "", readLines("/proc/loadavg"))) / parallel::detectCores()
limit <- 0.5 * max(1, busy)

rows <- many_groups()
cells <- many_crossed()
control <- mixedlm_control(threads = 2, progress = FALSE)
grouped <- mixedlm(y ~ x + (x | g), rows[rows$g <= 20000, ], control = control)
crossed <- mixedlm(y ~ x + (1 | a) + (1 | b), cells, control = control)
pigs <- mixedlm(Weight ~ Time + Cu + (Time | Pig), dietox, control = control)
few <- mixedlm(y ~ x + (1 | a) + (1 | b), cells[as.integer(cells$a) < 300 & as.integer(cells$b) < 120, ], control = control)
penalty <- list(func = function(params) sum(params^2), deriv = function(params) 2 * params)

jobs <- list(
  "model building, 1e6 rows" = function() mixedlm(y ~ x + z + (x + z | g), rows, control = control),
  "levels of text, 3e4 rows" = function() mixedlm(y ~ x + (1 | paste0(g %% 1000, "/", g)), rows[1:3e4, ], control = control),
  "crossed fit" = function() mixedlm(y ~ x + (1 | a) + (1 | b), cells, control = control),
  "crossed Nelder-Mead" = function() mixedlm(y ~ x + (1 | a) + (1 | b), cells, control = control, method = "nelder-mead"),
  "profiles" = function() profile(few),
  "full profiles, slopes" = function() profile(pigs, which = "theta_"),
  "bootstrap in the core" = function() bootstrap(pigs, 3000, seed = 1),
  "bootstrap with FUN" = function() bootstrap(pigs, 500, FUN = fixef, seed = 1),
  "case bootstrap with FUN" = function() bootstrap(pigs, 100, FUN = fixef, type = "case", seed = 1),
  "influence, exact" = function() influence(few, groups = "a", method = "exact"),
  "Kenward-Roger, crossed" = function() vcov(few, type = "Kenward-Roger"),
  "CR2" = function() vcov(grouped, type = "CR2"),
  "predict with errors" = function() predict(grouped, rows[1:3e5, ], se.fit = TRUE, allow.new.levels = TRUE),
  "conditional variances" = function() ranef(crossed, condVar = TRUE),
  "hat values" = function() hatvalues(crossed),
  "whitened residuals" = function() residuals(few, type = "cholesky"),
  "simulate" = function() simulate(crossed, 100, seed = 1),
  "penalty in R" = function() mixedlm(Weight ~ Time + Cu + (Time | Pig), dietox, fe_pen = penalty, control = control),
  "regularization path" = function() regularization_path(pigs),
  "ranova and drop1" = function() list(ranova(pigs), drop1(pigs, test = "Chisq")),
  "plots" = function() {
    grDevices::pdf(NULL)
    on.exit(grDevices::dev.off())
    plot(grouped)
    plot(pigs)
  },
  "plots of trajectories" = function() {
    grDevices::pdf(NULL)
    on.exit(grDevices::dev.off())
    plot_trajectories(pigs)
  }
)
only <- given[-1L]
if (length(only)) jobs <- jobs[grepl(only, names(jobs))]

state <- function() {
  list(
    seed = get0(".Random.seed", globalenv()), options = options(), sinks = sink.number(), devices = grDevices::dev.list(),
    search = search(), locale = Sys.getlocale(), wd = getwd()
  )
}

# The end of `job` when SIGINT comes after `wait` seconds: what ended it, and how long after the signal.
inject <- function(job, wait) {
  note <- tempfile()
  on.exit(unlink(note))
  system(sprintf("(sleep %.3f; date +%%s.%%N > %s; kill -INT %d) &", wait, note, Sys.getpid()))
  ended <- tryCatch({
    job()
    # the signal may still be on its way
    until <- Sys.time() + wait + 5
    while (Sys.time() < until) Sys.sleep(0.02)
    "no signal"
  }, interrupt = function(e) "interrupt", error = function(e) paste("error:", conditionMessage(e)))
  at <- as.numeric(Sys.time())
  list(ended = ended, latency = at - as.numeric(readLines(note, warn = FALSE)[1L]))
}

duration <- function(job) {
  min(8, system.time(suppressWarnings(suppressMessages(job())))[["elapsed"]])
}

wanted <- small_fit()
set.seed(20)
threads <- n_threads()
for (name in names(jobs)) {
  job <- function() suppressWarnings(suppressMessages(jobs[[name]]()))
  lasts <- duration(job)
  before <- state()
  waits <- lasts * (seq_len(times) - 0.5 + ((seq_len(times) * 0.618) %% 1 - 0.5)) / times
  results <- lapply(waits, function(wait) {
    answer <- inject(job, wait)
    answer$threads <- settled_threads(threads)
    answer$state <- identical(state(), before)
    answer$same <- identical(small_fit(), wanted)
    if (!answer$state) answer$changed <- names(which(!mapply(identical, state(), before)))
    answer
  })
  ended <- vapply(results, `[[`, "", "ended")
  latency <- vapply(results, `[[`, 0, "latency")
  wrong <- c(
    unique(setdiff(ended, "interrupt")),
    if (any(vapply(results, `[[`, 0L, "threads") > threads)) "threads are left",
    if (!all(vapply(results, `[[`, NA, "state"))) paste("changed:", toString(unique(unlist(lapply(results, `[[`, "changed"))))),
    if (!all(vapply(results, `[[`, NA, "same"))) "the next fit differs"
  )
  experiment(
    name, !length(wrong) && max(latency) <= limit,
    sprintf(
      "%d interrupts within %.1f s, R back after %.2f s (median), %.2f s (worst) %s",
      times, lasts, stats::median(latency), max(latency), toString(wrong)
    )
  )
}
finish()
