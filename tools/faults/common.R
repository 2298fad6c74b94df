# Shared by the experiments: source("tools/faults/common.R") from the repository's root.
# An experiment prints one line and is counted; the script fails at its end when one failed.

suppressPackageStartupMessages(library(mixedlm))
source("tests/testthat/helper-faults.R")

faults <- new.env()
faults$failed <- 0L

# `ok`: whether it came out as it should; `outcome`: what is told of it.
experiment <- function(name, ok, outcome = "") {
  ok <- isTRUE(ok)
  cat(sprintf("%-4s %s%s\n", if (ok) "ok" else "FAIL", name, if (nzchar(outcome)) paste0(": ", outcome) else ""))
  faults$failed <- faults$failed + !ok
  invisible(ok)
}

finish <- function() {
  if (faults$failed) {
    cat(faults$failed, "of the experiments failed\n")
  }
  quit(save = "no", status = as.integer(faults$failed > 0L))
}

n_threads <- function(pid = "self") length(dir(file.path("/proc", pid, "task")))

# The number of threads, once those that are about to end have ended.
settled_threads <- function(wanted, patience = 1) {
  until <- Sys.time() + patience
  while (n_threads() > wanted && Sys.time() < until) Sys.sleep(0.01)
  n_threads()
}

# A fit by which it is seen that all is as before.
small_fit <- function() {
  fit <- mixedlm(Weight ~ Time + (Time | Pig), dietox, control = list(threads = 2))
  fit[c("fe_params", "vcov_unscaled", "theta", "scale", "criterion")]
}

# Rows of many groups, and of two crossed factors.
many_groups <- function(n = 1e6, groups = 2e5) {
  set.seed(1)
  d <- data.frame(g = sample.int(groups, n, TRUE), x = rnorm(n), z = rnorm(n))
  d$y <- d$x + rnorm(groups)[d$g] + rnorm(n)
  d
}

many_crossed <- function(n = 70000L, a = 2900L, b = 1100L) {
  set.seed(2)
  d <- data.frame(a = factor(sample.int(a, n, TRUE)), b = factor(sample.int(b, n, TRUE)), x = rnorm(n))
  d$y <- d$x + rnorm(a)[d$a] + rnorm(b)[d$b] + rnorm(n)
  d
}
