# Small data: the whole call against lmer() in the same session.
#   Rscript bench/small.R
library(mixedlm)
source("bench/common.R")
if (!requireNamespace("lme4", quietly = TRUE)) {
  stop("bench/small.R compares with lme4, which is not installed")
}

data(sleepstudy, package = "lme4")
data(Pastes, package = "lme4")
models <- list(
  sleepstudy = list(Reaction ~ Days + (Days | Subject), sleepstudy),
  `dietox slopes` = list(Weight ~ Time + (Time | Pig), dietox),
  Pastes = list(strength ~ 1 + (1 | batch / cask), Pastes)
)
rows <- lapply(names(models), function(name) {
  formula <- models[[name]][[1L]]
  data <- models[[name]][[2L]]
  ours <- function() mixedlm(formula, data)
  theirs <- function() suppressMessages(lme4::lmer(formula, data))
  for (i in 1:20) ours()
  ms <- take_turns(list(mixedlm = ours, lmer = theirs), 40L)
  data.frame(
    model = name, `mixedlm, ms` = ms[["mixedlm"]], `lmer, ms` = ms[["lmer"]],
    ratio = ms[["mixedlm"]] / ms[["lmer"]],
    `criterion, mixedlm - lmer` = ours()$criterion + 2 * as.numeric(logLik(theirs())), check.names = FALSE
  )
})
report("small", "Small data: mixedlm against lmer", c("REML; medians of 40 runs in turn.", "", markdown(do.call(rbind, rows))))
