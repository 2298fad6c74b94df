# Too little memory: R in a process whose address space may grow by so much only. A
# call ends with a result or an R error, never with the end of the process.
# Rscript tools/faults/memory.R                all
# Rscript tools/faults/memory.R <job> <MB>     one, in this process

given <- commandArgs(TRUE)
source("tools/faults/common.R")
control <- mixedlm_control(threads = 2, progress = FALSE)

jobs <- list(
  grouped = function() {
    d <- many_groups(4e5, 1e5)
    function() mixedlm(y ~ x + z + (x + z | g), d, control = control)
  },
  crossed = function() {
    d <- many_crossed()
    function() mixedlm(y ~ x + (1 | a) + (1 | b), d, control = control)
  },
  "wide" = function() {
    set.seed(1)
    x <- cbind(1, matrix(stats::rnorm(2000 * 900), 2000))
    g <- rep(1:100, 20)
    function() mixedlm(x, x[, 2] + stats::rnorm(100)[g] + stats::rnorm(2000), groups = g)
  },
  predict = function() {
    d <- many_crossed(30000L, 1500L, 900L)
    fit <- mixedlm(y ~ x + (1 | a) + (1 | b), d, control = control)
    function() predict(fit, d, se.fit = TRUE)
  },
  variances = function() {
    d <- many_crossed(30000L, 1500L, 900L)
    fit <- mixedlm(y ~ x + (1 | a) + (1 | b), d, control = control)
    function() list(ranef(fit, condVar = TRUE), hatvalues(fit))
  },
  bootstrap = function() {
    d <- many_groups(2e5, 5e4)
    fit <- mixedlm(y ~ x + (x | g), d, control = control)
    function() bootstrap(fit, 8, seed = 1)
  },
  "bootstrap, cases" = function() {
    d <- many_groups(2e5, 5e4)
    fit <- mixedlm(y ~ x + (x | g), d, control = control)
    function() bootstrap(fit, 8, type = "case", seed = 1)
  },
  simulate = function() {
    d <- many_groups(2e5, 5e4)
    fit <- mixedlm(y ~ x + (x | g), d, control = control)
    function() simulate(fit, 200, seed = 1)
  },
  influence = function() {
    d <- many_groups(2e5, 5e4)
    fit <- mixedlm(y ~ x + (x | g), d, control = control)
    function() influence(fit, method = "fixed")
  },
  "influence, crossed" = function() {
    d <- many_crossed(20000L, 1000L, 100L)
    fit <- mixedlm(y ~ x + (1 | a) + (1 | b), d, control = control)
    function() influence(fit, groups = "b", method = "one-step")
  },
  "Kenward-Roger" = function() {
    d <- many_crossed(20000L, 1000L, 600L)
    fit <- mixedlm(y ~ x + (1 | a) + (1 | b), d, control = control)
    function() vcov(fit, type = "Kenward-Roger")
  },
  CR2 = function() {
    set.seed(1)
    d <- data.frame(g = rep(1:4, each = 1500), x = stats::rnorm(6000))
    d$y <- d$x + stats::rnorm(4)[d$g] + stats::rnorm(6000)
    fit <- mixedlm(y ~ x + (1 | g), d, control = control)
    function() vcov(fit, type = "CR2")
  },
  whitened = function() {
    d <- many_crossed(9000L, 450L, 270L)
    fit <- mixedlm(y ~ x + (1 | a) + (1 | b), d, control = control)
    function() residuals(fit, type = "cholesky")
  },
  profile = function() {
    d <- many_crossed(20000L, 1000L, 600L)
    fit <- mixedlm(y ~ x + (1 | a) + (1 | b), d, control = control)
    function() profile(fit, which = 3L)
  }
)

address_space <- function() {
  line <- grep("^VmSize", readLines("/proc/self/status"), value = TRUE)
  1024 * as.numeric(gsub("[^0-9]", "", line))
}

# The limit is lifted by a shell that was there before: a process without memory cannot start one.
limit_space <- function(mb) {
  lift <- tempfile()
  system(sprintf(
    "(for i in $(seq 6000); do [ -e %s ] && break; sleep 0.05; done; prlimit --pid %d --as=unlimited: && rm -f %s) &",
    lift, Sys.getpid(), lift
  ))
  system(sprintf("prlimit --pid %d --as=%.0f:", Sys.getpid(), address_space() + mb * 2^20))
  lift
}

one <- function(name, mb) {
  work <- jobs[[name]]()
  invisible(gc())
  lift <- limit_space(mb)
  said <- tryCatch({
    suppressWarnings(suppressMessages(work()))
    "done"
  }, error = function(e) paste(class(e)[1L], substr(conditionMessage(e), 1L, 60L)))
  file.create(lift)
  while (file.exists(lift)) Sys.sleep(0.02)
  rm(work)
  again <- tryCatch(if (is.finite(small_fit()$scale)) "" else "not finite", error = conditionMessage)
  cat("ENDED", said, if (nzchar(again)) paste("and then", again), "\n")
}

if (length(given) == 2L) {
  one(given[1L], as.numeric(given[2L]))
  quit(save = "no")
}
for (name in names(jobs)) {
  ends <- vapply(c(8, 40, 90, 200, 500), function(mb) {
    out <- suppressWarnings(system2(
      file.path(R.home("bin"), "Rscript"), c("tools/faults/memory.R", shQuote(name), mb), stdout = TRUE, stderr = TRUE
    ))
    end <- grep("^ENDED", out, value = TRUE)
    if (length(end)) sub("^ENDED ", "", end) else paste("LOST", paste(utils::tail(out, 2L), collapse = " "))
  }, "")
  experiment(name, !any(grepl("^LOST|and then", ends)), paste(paste0(c(8, 40, 90, 200, 500), " MB: ", ends), collapse = "; "))
}
finish()
