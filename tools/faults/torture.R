# Garbage collected at every allocation while the border is crossed, what was freed
# overwritten: the answers are those without.

source("tools/faults/common.R")
calls <- border_calls()
answers <- lapply(stats::setNames(nm = names(calls)), function(name) {
  lapply(calls[[name]], function(args) quiet_times(do.call(engine_of(name), args)))
})
for (name in names(calls)) {
  same <- vapply(seq_along(calls[[name]]), function(k) {
    f <- engine_of(name)
    args <- calls[[name]][[k]]
    # a penalty that is a function of R is asked thousands of times
    gctorture2(if (name == "rs_fit_penalised") 100L else 1L)
    under <- tryCatch(do.call(f, args), error = identity)
    gctorture2(0L)
    identical(quiet_times(under), answers[[name]][[k]])
  }, NA)
  experiment(name, all(same), sprintf("%d calls under gctorture", length(same)))
}
# a whole fit and its methods, at every 50th allocation
d <- border_data()
work <- function() {
  fit <- mixedlm(y ~ x + (x | s), d, control = list(threads = 2))
  list(fixef(fit), vcov(fit, type = "CR2"), ranef(fit), influence(fit)$beta, bootstrap(fit, 5, seed = 1)$t)
}
before <- work()
invisible(gctorture2(200L))
after <- work()
invisible(gctorture2(0L))
experiment("a fit and its methods", identical(before, after))
finish()
