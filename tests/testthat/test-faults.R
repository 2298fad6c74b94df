test_that("every function of the border is exercised by the experiments", {
  expect_setequal(names(border_users()), border_names())
})

test_that("broken calls of the border end with a status or an error, and the next fit is as it was", {
  skip_on_cran()
  calls <- border_calls()
  fit <- function() unclass(mixedlm(y ~ x + (x | s), border_data()))[c("fe_params", "theta", "criterion")]
  wanted <- fit()
  set.seed(4)
  for (name in names(calls)) {
    broken <- unlist(lapply(calls[[name]], broken_calls), recursive = FALSE)
    for (b in broken[sample.int(length(broken), min(length(broken), 40L))]) {
      outcome <- border_outcome(name, b$args)
      expect_false(grepl("^[A-Z]", outcome), info = paste(name, b$where, outcome))
    }
  }
  expect_identical(fit(), wanted)
})

test_that("answers are the same while garbage is collected at every allocation", {
  skip_on_cran()
  calls <- border_calls()
  for (name in c("rs_evaluate", "rs_variances", "rs_whiten", "rs_shrink", "rs_prediction")) {
    args <- calls[[name]][[1L]]
    f <- engine_of(name)
    before <- do.call(f, args)
    gctorture2(1L)
    after <- tryCatch(do.call(f, args), finally = gctorture2(0L))
    expect_identical(quiet_times(after), quiet_times(before))
  }
})

test_that("no thread outlives a call", {
  skip_if_not(dir.exists("/proc/self/task"))
  threads <- function() length(dir("/proc/self/task"))
  before <- threads()
  users <- border_users()
  for (use in unlist(users[c("rs_fit", "rs_inference", "rs_robust", "rs_bootstrap")])) suppressMessages(use())
  # those of the last call may be about to end
  until <- Sys.time() + 2
  while (threads() > before && Sys.time() < until) Sys.sleep(0.01)
  expect_lte(threads(), before)
})

# Calls `job` again and again and sends this process SIGINT after `wait` seconds: how it ended.
interrupted_after <- function(wait, job) {
  system(sprintf("(sleep %.2f; kill -INT %d) &", wait, Sys.getpid()))
  until <- Sys.time() + wait + 20
  tryCatch(
    {
      while (Sys.time() < until) job()
      "no signal"
    },
    interrupt = function(e) "interrupt", error = function(e) paste("error", conditionMessage(e))
  )
}

test_that("an interrupt is one whatever the optimiser", {
  skip_if_not_interruptible()
  d <- subjects_items(300L, 60L)
  for (method in c("newton", "nelder-mead", "bfgs", "em")) {
    control <- list(threads = 1, maxit = 1e6, tol = 1e-16)
    ended <- interrupted_after(0.4, function() {
      suppressWarnings(mixedlm(y ~ a + (a | s) + (1 | i), d, method = method, control = control))
    })
    expect_identical(ended, "interrupt", info = method)
  }
})

test_that("an interrupt in a penalty is an interrupt", {
  skip_if_not_interruptible()
  slow <- list(func = function(params) { Sys.sleep(0.05); sum(params^2) }, deriv = function(params) 2 * params)
  ended <- interrupted_after(0.4, function() mixedlm(y ~ x + (1 | s), border_data(), fe_pen = slow))
  expect_identical(ended, "interrupt")
})

test_that("a time limit is an error that tells it", {
  skip_on_cran()
  d <- subjects_items(300L, 60L)
  on.exit(setTimeLimit())
  condition <- tryCatch(
    {
      setTimeLimit(elapsed = 0.4, transient = TRUE)
      suppressWarnings(mixedlm(y ~ a + t + (a + t | s) + (a + t | i), d, method = "nelder-mead", control = list(maxit = 1e6, tol = 1e-16)))
    },
    error = identity
  )
  expect_s3_class(condition, "error")
  expect_match(conditionMessage(condition), "elapsed time limit|elapsed")
})

test_that("a process that shares the machine takes one thread unless it is told otherwise", {
  skip_on_os("windows")
  old <- options(mixedlm.threads = NULL, mc.cores = NULL)
  on.exit(options(old))
  d <- border_data()
  here <- mixedlm(y ~ x + (1 | s), d)
  there <- parallel::mclapply(1:2, function(i) {
    list(
      new = mixedlm_control()$threads, parent = engine_of("threads_now")(here$control),
      told = engine_of("threads_now")(mixedlm_control(threads = 2)), criterion = mixedlm(y ~ x + (1 | s), d)$criterion
    )
  }, mc.cores = 2L)
  limit <- if (tolower(Sys.getenv("OMP_THREAD_LIMIT")) == "1") 1L else 2L
  for (child in there) {
    expect_identical(child$new, 1L)
    expect_identical(child$parent, 1L)
    expect_identical(child$told, limit)
    expect_identical(child$criterion, here$criterion)
  }
  options(mc.cores = 1)
  expect_identical(mixedlm_control()$threads, 1L)
  options(mc.cores = "many")
  expect_lte(mixedlm_control()$threads, 2L)
  options(mixedlm.threads = 1)
  expect_identical(mixedlm_control()$threads, 1L)
})

test_that("the words of OpenMP for numbers of threads are read", {
  expect_identical(engine_of("first_number")("4,2"), 4L)
  for (text in c("", "x", "0", "-3")) expect_identical(engine_of("first_number")(text), Inf)
})

test_that("a process with hardly any address space left gets an error, not its end", {
  skip_on_cran()
  skip_if_not(nzchar(Sys.which("prlimit")))
  d <- border_data()
  job <- parallel::mcparallel({
    space <- grep("^VmSize", readLines("/proc/self/status"), value = TRUE)
    space <- 1024 * as.numeric(gsub("[^0-9]", "", space)) + 30 * 2^20
    system(sprintf("prlimit --pid %d --as=%.0f:", Sys.getpid(), space))
    tryCatch(mixedlm(y ~ x + (1 | s), d), error = function(e) class(e)[1L])
  })
  answer <- parallel::mccollect(job, timeout = 60)[[1L]]
  expect_identical(answer, "mixedlm_error_memory")
})

test_that("large matrices do not hang a child of a process that had them too", {
  skip_on_cran()
  skip_on_os("windows")
  set.seed(1)
  d <- as.data.frame(matrix(rnorm(400 * 16), 400))
  d$y <- rnorm(400)
  d$g <- rep(1:40, 10)
  model <- as.formula(paste("y ~ 1 + (", paste(paste0("V", 1:16), collapse = " + "), "| g)"))
  fit <- function() suppressWarnings(mixedlm(model, d, control = list(maxit = 2)))$criterion
  here <- fit()
  job <- parallel::mcparallel(fit())
  there <- parallel::mccollect(job, wait = FALSE, timeout = 100)
  if (is.null(there)) tools::pskill(job$pid, tools::SIGKILL)
  expect_identical(there[[1L]], here)
})

test_that("a summary does not mind a decimal comma", {
  old <- options(OutDec = ",")
  on.exit(options(old))
  expect_output(print(summary(mixedlm(y ~ x + (1 | s), border_data()))), "0,975")
})

test_that("groups that are bytes without an encoding are refused", {
  d <- border_data()
  d$s <- c(`Encoding<-`("\xe4", "bytes"), letters[1:5])[d$s]
  expect_error(mixedlm(y ~ x + (1 | s), d), "bytes", class = "mixedlm_error_groups")
  d$s <- factor(match(d$s, unique(d$s)), labels = unique(d$s))
  expect_error(mixedlm(y ~ x + (1 | s), d), "bytes", class = "mixedlm_error_groups")
})
