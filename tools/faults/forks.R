# Forked children, clusters and nested parallelism: the same numbers everywhere, and a worker takes one thread
# unless it is told otherwise.

source("tools/faults/common.R")
rows <- many_groups(2e5, 5e4)
key <- function(control = NULL) {
  fit <- mixedlm(y ~ x + (x | g), rows, control = control)
  c(fit$criterion, fit$fe_params)
}
wanted <- key(list(threads = 2))

# The most threads that any of the processes `pids` has while `code` is run.
most_threads <- function(pids, code) {
  file <- tempfile()
  script <- sprintf(
    "while [ -e %s.go ]; do for p in %s; do ls /proc/$p/task 2>/dev/null | wc -l; done >> %s; sleep 0.01; done",
    file, pids, file
  )
  file.create(paste0(file, ".go"))
  system(paste("(", script, ") &"))
  value <- force(code)
  unlink(paste0(file, ".go"))
  Sys.sleep(0.1)
  list(value = value, threads = max(0, scan(file, quiet = TRUE)))
}
ours <- sprintf("$(pgrep -P %d -x R)", Sys.getpid())
told <- function(seen) sprintf("%g threads per process", seen$threads)
# R's own thread waits while one other works
one <- 2
agree <- function(values) all(vapply(values, identical, NA, wanted))

seen <- most_threads(Sys.getpid(), lapply(1:4, function(i) key(list(threads = 2))))
experiment("no fork, two threads asked for", agree(seen$value), told(seen))
seen <- most_threads(ours, parallel::mclapply(1:8, function(i) key(), mc.cores = 2L))
experiment("mclapply", agree(seen$value) && seen$threads <= one, told(seen))
seen <- most_threads(ours, parallel::mclapply(1:8, function(i) key(list(threads = 2)), mc.cores = 2L))
experiment("mclapply, two threads asked for", agree(seen$value) && seen$threads == 3, told(seen))
fit <- mixedlm(y ~ x + (x | g), rows)
boot <- bootstrap(fit, 3, seed = 1)$t
seen <- most_threads(ours, parallel::mclapply(1:4, function(i) bootstrap(fit, 3, seed = 1)$t, mc.cores = 2L))
experiment("mclapply over a fit of the parent", all(vapply(seen$value, identical, NA, boot)) && seen$threads <= one, told(seen))
nested <- parallel::mclapply(1:2, function(i) {
  c(list(key(list(threads = 2))), parallel::mclapply(1:2, function(j) key(list(threads = 2)), mc.cores = 2L))
}, mc.cores = 2L)
experiment("children of children", agree(unlist(nested, recursive = FALSE)))

# matrices that are large, after the parent has used them: a pool shared with the parent would hang the child
set.seed(1)
x <- cbind(1, matrix(stats::rnorm(600 * 299), 600))
g <- rep(1:30, 20)
y <- x[, 2] + stats::rnorm(30)[g] + stats::rnorm(600)
q <- as.data.frame(matrix(stats::rnorm(400 * 16), 400))
q$y <- stats::rnorm(400)
q$g <- rep(1:40, 10)
large <- function() {
  f <- stats::as.formula(paste("y ~ 1 + (", paste(paste0("V", 1:16), collapse = " + "), "| g)"))
  list(mixedlm(x, y, groups = g)$criterion, suppressWarnings(mixedlm(f, q, control = list(maxit = 3))$criterion))
}
here <- large()
job <- parallel::mcparallel(large())
there <- parallel::mccollect(job, wait = FALSE, timeout = 120)
experiment("large matrices in a child after the parent", identical(there[[1L]], here))
if (is.null(there)) tools::pskill(job$pid)

cluster <- parallel::makeCluster(2L)
pids <- paste(unlist(parallel::clusterCall(cluster, Sys.getpid)), collapse = " ")
ready <- parallel::clusterCall(cluster, function(paths) {
  .libPaths(paths)
  library(mixedlm)
}, .libPaths())
parallel::clusterExport(cluster, c("key", "rows"))
seen <- most_threads(pids, parallel::clusterCall(cluster, function() for (i in 1:4) last <- key()))
seen$value <- parallel::clusterCall(cluster, function() key())
experiment("makeCluster", agree(seen$value) && seen$threads <= one, told(seen))
parallel::stopCluster(cluster)

if (requireNamespace("future.apply", quietly = TRUE)) {
  options(parallelly.fork.enable = TRUE, future.globals.maxSize = 2^30)
  for (plan in c("multicore", "multisession")) {
    future::plan(plan, workers = 2L)
    pids <- if (plan == "multicore") ours else {
      paste(unique(unlist(future.apply::future_lapply(1:2, function(i) { Sys.sleep(0.3); Sys.getpid() }))), collapse = " ")
    }
    seen <- most_threads(pids, future.apply::future_lapply(1:8, function(i) key(), future.packages = "mixedlm"))
    experiment(paste("future,", plan), agree(seen$value) && seen$threads <= one, told(seen))
    future::plan("sequential")
  }
}
finish()
