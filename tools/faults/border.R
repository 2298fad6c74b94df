# Every function of the border with every part of its arguments broken in every way:
# each call ends with a status or an R error, and the next fit is as it was.

source("tools/faults/common.R")
wanted <- small_fit()
calls <- border_calls()
experiment("every function of the border is exercised", setequal(border_names(), names(calls)))
threads <- n_threads()
for (name in names(calls)) {
  broken <- unlist(lapply(calls[[name]], broken_calls), recursive = FALSE)
  outcomes <- vapply(broken, function(b) border_outcome(name, b$args), "")
  wrong <- grepl("^[A-Z]", outcomes)
  same <- identical(small_fit(), wanted)
  experiment(
    name, !any(wrong) && same && settled_threads(threads) <= threads,
    sprintf(
      "%d broken calls, %d refused %s%s", length(broken), sum(outcomes != "ok"), if (same) "" else "; the next fit differs",
      if (any(wrong)) paste(broken[[which(wrong)[1L]]]$where, outcomes[wrong][1L]) else ""
    )
  )
}
finish()
