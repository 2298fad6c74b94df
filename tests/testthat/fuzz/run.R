# Runs a drawn case and says how each of its calls ended.

# list(seed, model, data, steps): what fuzz_case() runs.
draw_case <- function(seed) {
  with_seed(seed, {
    data <- fuzz_data()
    model <- fuzz_model(data)
    model$broken <- chance(0.2)
    if (model$broken) {
      model$call <- break_model(model$call)
      model$formula <- NULL
    }
    list(seed = seed, data = data, model = model, compare = chance(0.5))
  })
}

# -> data frame, a row for each call: step ("fit", 1, 2, ...), call, outcome, class, message, seconds, finding.
fuzz_case <- function(seed, methods = 4L, lme4 = requireNamespace("lme4", quietly = TRUE)) {
  case <- draw_case(seed)
  env <- case$model$env
  ended <- run_call(case$model$call, env, "fit")
  rows <- ended$rows
  fit <- ended$value
  is_fit <- inherits(fit, "mixedlm")
  if (is_fit) {
    env$fit <- fit
    rows <- rbind(rows, check_fit(fit))
    steps <- with_seed(seed + 5e8, fuzz_methods(fit, case$data, env, methods))
    grDevices::pdf(NULL)
    device <- grDevices::dev.cur()
    on.exit(grDevices::dev.off(device))
    for (i in seq_along(steps)) rows <- rbind(rows, run_method(steps[[i]], env, i, fit))
  }
  if (lme4 && case$compare && !is.null(case$model$formula)) {
    rows <- rbind(rows, compare_case(case$model, if (is_fit) fit, ended$rows))
  }
  data.frame(seed = seed, rows)
}

outcome <- function(step, call, outcome, class = "", message = "", seconds = 0, finding = FALSE) {
  data.frame(
    step = as.character(step), call = call, outcome = outcome, class = class, message = message, seconds = round(seconds, 2),
    finding = finding
  )
}

# What a call may take on a quiet machine; it is stopped after three times as long. Other processes do not count.
case_seconds <- 10

cpu_seconds <- function() sum(proc.time()[c("user.self", "sys.self")])

# Evaluates a call. Errors end it; warnings and messages are noted when they are not of the package's classes.
run_call <- function(call, env, step) {
  text <- paste(trimws(deparse(call, 500L)), collapse = " ")
  notes <- NULL
  note <- function(kind) {
    function(c) {
      if (!inherits(c, paste0("mixedlm_", kind)) && !is_users_own(c)) {
        notes <<- rbind(notes, outcome(step, text, paste("unclassed", kind), class(c)[1L], told(c), finding = TRUE))
      }
      invokeRestart(if (kind == "warning") "muffleWarning" else "muffleMessage")
    }
  }
  start <- cpu_seconds()
  value <- tryCatch(
    {
      setTimeLimit(elapsed = 3 * case_seconds, transient = TRUE)
      on.exit(setTimeLimit())
      withCallingHandlers(
        {
          utils::capture.output(value <- withVisible(eval(call, env))$value)
          value
        },
        warning = note("warning"), message = note("message")
      )
    },
    error = identity, interrupt = identity
  )
  setTimeLimit()
  seconds <- cpu_seconds() - start
  list(value = value, rows = rbind(ended_as(value, text, step, seconds), notes))
}

ended_as <- function(value, text, step, seconds) {
  if (!inherits(value, "condition")) {
    return(outcome(step, text, if (seconds > case_seconds) "slow" else "value", class(value)[1L], "", seconds, seconds > case_seconds))
  }
  kind <- if (seconds > case_seconds) {
    "slow"
  } else if (inherits(value, "interrupt")) {
    "interrupt"
  } else if (inherits(value, "mixedlm_error")) {
    "classed error"
  } else if (is_users_own(value)) {
    "the caller's error"
  } else {
    "unclassed error"
  }
  outcome(step, text, kind, class(value)[1L], told(value), seconds, kind %in% c("slow", "unclassed error"))
}

told <- function(condition) {
  where <- conditionCall(condition)
  paste0(
    gsub("\\s+", " ", conditionMessage(condition)),
    if (!is.null(where)) paste0(" [in ", substr(paste(deparse(where, 200L), collapse = " "), 1L, 120L), "]")
  )
}

# What is not the package's: an error that the drawn code raises itself, R's own matching of arguments, and warnings
# of the functions in a formula while the formula's variables are evaluated, or of the `na.action` that was drawn.
is_users_own <- function(condition) {
  message <- conditionMessage(condition)
  if (grepl("by the user|for 'digits' argument|'varlist' has changed|there is no package called|matched by multiple actual|matches multiple formal|unused argument", message)) return(TRUE)
  if (!inherits(condition, "warning")) return(FALSE)
  if (grepl("mean.default", told(condition), fixed = TRUE)) return(TRUE)
  evaluates <- function(frame) {
    is.call(frame) && identical(frame[[1L]], quote(eval)) && is.symbol(frame[[2L]]) &&
      as.character(frame[[2L]]) %in% c("predvars", "expr")
  }
  any(vapply(sys.calls(), evaluates, NA))
}

# --- what a fit must be -----------------------------------------------------------

check_fit <- function(fit) {
  bad <- function(text) outcome("fit", "check", "wrong result", "", text, finding = TRUE)
  numbers <- c("fe_params", "vcov_unscaled", "cov_re", "vcomp", "scale", "criterion", "fitted", "b", "theta", "psi")
  for (name in numbers) {
    value <- unlist(fit[[name]])
    if (length(value) && !all(is.finite(value))) return(bad(paste0("`", name, "` is not finite")))
  }
  if (fit$scale < 0) return(bad("negative residual variance"))
  if (min(c(fit$vcomp, diag(as.matrix(fit$cov_re)), 0)) < 0) return(bad("negative variance"))
  NULL
}

run_method <- function(step, env, i, fit) {
  ended <- run_call(step$call, env, i)
  rows <- ended$rows
  value <- ended$value
  if (step$finite && !inherits(value, "condition") && !all_finite(value, fit)) {
    rows <- rbind(rows, outcome(i, rows$call[1L], "not finite", class(value)[1L], "", finding = TRUE))
  }
  rows
}

# na.exclude puts missing values back where rows were left out.
all_finite <- function(value, fit) {
  if (inherits(value, "Matrix")) value <- value@x
  value <- suppressWarnings(as.numeric(unlist(value)))
  allowed <- if (inherits(fit[["na.action"]], "exclude")) is.infinite(value) else !is.finite(value)
  !any(allowed)
}
