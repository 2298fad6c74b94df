# How many threads a computation takes.

# The process that loaded the package: in a forked child it is another one.
process <- new.env(parent = emptyenv())

remember_process <- function() {
  process$id <- Sys.getpid()
}

# What a computation takes that was not told: the option `mixedlm.threads`, or two, where there are two cores and this
# process is not itself one of several that share them.
default_threads <- function() {
  asked <- getOption("mixedlm.threads")
  if (!is.null(asked)) {
    return(asked)
  }
  min(2L, rs_cores(), share_of_process(), first_number(Sys.getenv("OMP_NUM_THREADS")))
}

# The cores that are left for one process: 1 in a forked child, in a worker of a cluster what `mc.cores` says (future
# sets it), else 1. Inf where nothing is known.
share_of_process <- function() {
  if (is_forked()) {
    return(1L)
  }
  cores <- suppressWarnings(as.integer(getOption("mc.cores")))
  if (length(cores) == 1L && !is.na(cores) && cores >= 1L) {
    return(cores)
  }
  if (any(grepl(".workRSOCK", commandArgs(), fixed = TRUE))) 1L else Inf
}

is_forked <- function() {
  if (!is.null(process$id) && !identical(process$id, Sys.getpid())) {
    return(TRUE)
  }
  # the package may have been loaded by the child
  of_parallel <- if (isNamespaceLoaded("parallel")) asNamespace("parallel")[["isChild"]]
  is.function(of_parallel) && isTRUE(of_parallel())
}

# "4" and "4,2" -> 4; Inf for what is not a count.
first_number <- function(text) {
  number <- suppressWarnings(as.integer(sub(",.*", "", text)))
  if (is.na(number) || number < 1L) Inf else number
}

# A machine or a check that allows fewer threads has the last word.
limit_threads <- function(threads) {
  threads <- min(threads, first_number(Sys.getenv("OMP_THREAD_LIMIT")))
  cores <- tolower(Sys.getenv("_R_CHECK_LIMIT_CORES_"))
  if (nzchar(cores) && cores != "false") {
    threads <- min(threads, 2L)
  }
  as.integer(threads)
}

# The threads of a computation with these settings, here and now: a fit may have been made by a process that had more
# of the machine.
threads_now <- function(control) {
  by_default <- isTRUE(attr(control, "threads_by_default"))
  limit_threads(if (by_default) control_integer(default_threads(), "threads", 1, 1024) else control$threads)
}
