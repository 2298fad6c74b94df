# What valgrind watches: every function of the border with what it is made for, and with what is broken inside.
# Arguments that extendr itself cannot convert are left out: it loses the text of its message (some 40 bytes) when R
# jumps out of the wrapper. The package makes no such calls.
# Called by tools/faults/valgrind.sh with the library path in R_LIBS.

source("tools/faults/common.R")
calls <- border_calls()
stopifnot(setequal(border_names(), names(calls)))
set.seed(5)
convertible <- function(b, args) identical(lapply(b$args, typeof), lapply(args, typeof)) && all(lengths(b$args) > 0L)
for (name in names(calls)) {
  for (args in calls[[name]]) {
    invisible(do.call(engine_of(name), args))
    broken <- Filter(function(b) convertible(b, args), broken_calls(args))
    for (b in broken[sort(sample.int(length(broken), min(length(broken), 25L)))]) {
      border_outcome(name, b$args)
    }
  }
  cat("done", name, "\n")
}
