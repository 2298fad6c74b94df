# Faults at the border of R and Rust: what every function there is called with, and
# what of that can be broken. Used by test-faults.R and by tools/faults.

border_data <- function() {
  set.seed(11)
  d <- expand.grid(r = 1:3, s = 1:6, i = 1:4)
  d$x <- rnorm(nrow(d))
  d$y <- 1 + d$x + rnorm(6)[d$s] + rnorm(4)[d$i] + rnorm(nrow(d))
  d$w <- rep(c(1, 2, 0.5), 24)
  d
}

# One call of the package for every function of the border, under its name.
border_users <- function(d = border_data()) {
  control <- mixedlm_control(threads = 2L, progress = FALSE)
  nested <- mixedlm(y ~ x + (x | s), d, weights = w, offset = 0 * x, control = control)
  crossed <- mixedlm(y ~ x + (1 | s) + (1 | i), d, control = control)
  penalty <- list(func = function(params) sum(params^2), deriv = function(params) 2 * params)
  list(
    rs_fit = list(
      function() mixedlm(y ~ x + (x | s), d, weights = w, control = control),
      function() mixedlm(y ~ x + (1 | s) + (1 | i), d, control = control)
    ),
    rs_profile = list(function() profile(nested, 1L, dist_low = 0.01, dist_high = 0.1, num_low = 1, num_high = 1)),
    rs_profiles = list(function() profile(crossed, which = 1L)),
    rs_evaluate = list(function() engine_of("engine_evaluate")(nested), function() engine_of("engine_evaluate")(crossed)),
    rs_variances = list(function() ranef(nested, condVar = TRUE), function() ranef(crossed, condVar = TRUE)),
    rs_inference = list(
      function() vcov(nested, type = "Kenward-Roger"), function() vcov(crossed, type = "Kenward-Roger")
    ),
    rs_robust = list(function() vcov(nested, type = "CR2"), function() vcov(nested, type = "CR3")),
    rs_prediction = list(function() hatvalues(nested), function() hatvalues(crossed)),
    rs_conditional = list(
      function() predict(nested, d[1:5, ], se.fit = TRUE), function() predict(crossed, d[1:5, ], se.fit = TRUE)
    ),
    rs_bootstrap = list(
      function() bootstrap(nested, 4, seed = 1), function() bootstrap(crossed, 4, type = "residual", seed = 1),
      function() bootstrap(nested, 4, type = "case", seed = 1)
    ),
    rs_bootstrap_data = list(
      function() bootstrap(nested, 3, FUN = fixef, seed = 1),
      function() bootstrap(nested, 3, FUN = fixef, type = "case", seed = 1)
    ),
    rs_refit = list(function() bootstrap(crossed, 3, FUN = fixef, seed = 1)),
    rs_deletion = list(function() influence(nested), function() influence(crossed, groups = "i", method = "one-step")),
    rs_whiten = list(function() residuals(nested, type = "cholesky")),
    rs_fit_penalised = list(
      function() mixedlm(y ~ x + (x | s), d, fe_pen = penalty, cov_pen = pen_wishart(), control = control),
      function() mixedlm(y ~ x + (1 | s), d, fe_pen = pen_l2(1), control = control)
    ),
    rs_cores = list(function() mixedlm_control()),
    rs_shrink = list(function() fit_regularized(y ~ x + (1 | s), d, alpha = 1))
  )
}

engine_of <- function(name) get(name, asNamespace("mixedlm"))

# The functions of the border, by the generated wrappers.
border_names <- function() {
  grep("^rs_", ls(asNamespace("mixedlm")), value = TRUE)
}

# Run `code` with the function `name` of the border replaced by `with`.
with_border <- function(name, with, code) {
  space <- asNamespace("mixedlm")
  real <- get(name, space)
  put <- function(value) {
    unlockBinding(name, space)
    assign(name, value, space)
    lockBinding(name, space)
  }
  on.exit(put(real))
  put(with)
  force(code)
}

# The arguments of the first call of `name` in each of its users.
border_calls <- function(users = border_users()) {
  lapply(stats::setNames(nm = names(users)), function(name) {
    real <- engine_of(name)
    lapply(users[[name]], function(use) {
      kept <- NULL
      keep <- function(...) {
        if (is.null(kept)) kept <<- list(...)
        real(...)
      }
      suppressWarnings(suppressMessages(with_border(name, keep, use())))
      kept
    })
  })
}

# What may stand in the place of an element.
broken_values <- function(x) {
  out <- list(
    null = NULL, text = "%s%n\\", empty = if (is.vector(x) || is.factor(x) || is.array(x)) x[0L], list = list(1), function. = function(...) stop("%n"),
    logical = NA, number = -1, huge = if (is.integer(x)) .Machine$integer.max else 1e300
  )
  if (is.atomic(x) && length(x)) {
    last <- length(x)
    other <- if (is.integer(x)) as.double(x) else if (is.double(x)) suppressWarnings(as.integer(x))
    out <- c(out, list(
      shorter = x[-last], longer = x[c(seq_len(last), last)], other = other, na = replace(x, last, NA),
      nothing = replace(x, last, 0)
    ))
    if (is.numeric(x)) {
      out$minus <- replace(x, last, if (is.integer(x)) -2147483647L else -Inf)
      out$big <- replace(x, last, if (is.integer(x)) .Machine$integer.max else 1e308)
    }
    if (is.double(x)) {
      out$nan <- replace(x, last, NaN)
    }
  }
  out
}

# Counts that are honest but ask for as much as one may ask for are for other experiments.
border_counts <- c("maxit", "em_steps", "threads", "max_memory", "maxpts")

# `args` with each element in turn, down to those of terms and factors, broken in every way: a list of list(where, args).
broken_calls <- function(args, path = character()) {
  out <- list()
  for (k in seq_along(args)) {
    name <- if (is.null(names(args)) || names(args)[k] == "") as.character(k) else names(args)[k]
    here <- c(path, name)
    x <- args[[k]]
    for (how in names(broken <- broken_values(x))) {
      if (name %in% border_counts && how %in% c("huge", "big")) next
      changed <- args
      changed[k] <- list(broken[[how]])
      out[[length(out) + 1L]] <- list(where = paste0(paste(here, collapse = "$"), ": ", how), args = changed)
    }
    if (is.list(x) && !is.object(x)) {
      inner <- broken_calls(x, here)
      out <- c(out, lapply(inner, function(b) {
        changed <- args
        changed[[k]] <- b$args
        list(where = b$where, args = changed)
      }))
    }
  }
  out
}

# How a call ended: "ok", the status of the core, "error" of R's border, or what is not
# an end as it should be, in capitals.
border_outcome <- function(name, args) {
  answer <- tryCatch(do.call(engine_of(name), args), error = function(e) conditionMessage(e))
  if (is.character(answer)) {
    if (grepl("panicked|index out of|unwrap|overflow|range end|slice|capacity", answer)) paste("PANIC", answer) else "error"
  } else if (is.list(answer) && is.character(answer$status) && length(answer$status) == 1L) {
    answer$status
  } else {
    "NO STATUS"
  }
}

# An answer of the core without the seconds that it took.
quiet_times <- function(answer) {
  if (is.list(answer)) answer$seconds <- NULL
  answer
}

# A process that was started in the background of a shell may have been told to ignore SIGINT.
skip_if_not_interruptible <- function() {
  testthat::skip_on_cran()
  testthat::skip_on_os("windows")
  status <- "/proc/self/status"
  ignored <- if (file.exists(status)) grep("^SigIgn", readLines(status), value = TRUE)
  testthat::skip_if(any(grepl("[2367abef]$", ignored)), "SIGINT is ignored here")
}

# Sends SIGINT to a forked child that calls `fit` again and again, and expects it to be usable soon after.
expect_interrupted <- function(fit) {
  skip_if_not_interruptible()
  job <- parallel::mcparallel({
    stopped <- FALSE
    while (!stopped) {
      stopped <- tryCatch(is.null(fit()), interrupt = function(e) TRUE)
    }
    list(at = as.numeric(Sys.time()), scale = mixedlm(Weight ~ Time, dietox, groups = "Pig")$scale)
  })
  on.exit(tools::pskill(job$pid, tools::SIGKILL))
  Sys.sleep(1)
  sent <- as.numeric(Sys.time())
  tools::pskill(job$pid, tools::SIGINT)
  result <- parallel::mccollect(job, wait = FALSE, timeout = 60)[[1L]]
  testthat::expect_true(is.list(result))
  # a quarter of a second, and as much again for a busy machine
  testthat::expect_lt(result$at - sent, 0.5)
  testthat::expect_equal(result$scale, 11.3669, tolerance = 1e-5)
}
