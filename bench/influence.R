# Case deletion against lme4's influence() in the same session.
#   Rscript bench/influence.R
library(mixedlm)
source("bench/common.R")
if (!requireNamespace("lme4", quietly = TRUE)) {
  stop("bench/influence.R compares with lme4, which is not installed")
}

data(sleepstudy, package = "lme4")
models <- list(
  list("sleepstudy", "Subject", Reaction ~ Days + (Days | Subject), sleepstudy),
  list("sleepstudy", "case", Reaction ~ Days + (Days | Subject), sleepstudy),
  list("dietox", "Pig", Weight ~ Time + (Time | Pig), dietox),
  list("dietox", "Litter", Weight ~ Time + (Time | Pig), dietox)
)
against <- do.call(rbind, lapply(models, function(model) {
  data <- model[[4L]]
  groups <- if (model[[2L]] != "case") model[[2L]]
  fit <- mixedlm(model[[3L]], data)
  theirs <- lme4::lmer(model[[3L]], data)
  run <- function(fit, ...) {
    if (is.null(groups)) influence(fit, data = data, ...) else influence(fit, groups = groups, data = data, ...)
  }
  lmer <- function() suppressWarnings(suppressMessages(cooks.distance(run(theirs))))
  exact <- function() cooks.distance(run(fit, method = "exact"))
  for (i in 1:3) exact()
  ms <- take_turns(list(
    exact = exact, `one-step` = function() cooks.distance(run(fit, method = "one-step")),
    fixed = function() cooks.distance(run(fit, method = "fixed"))
  ), 11L)
  slow <- take_turns(list(lmer = lmer), 3L)
  d <- lmer()
  data.frame(
    data = model[[1L]], deleted = model[[2L]], deletions = length(d),
    `exact, ms` = ms[["exact"]], `one-step, ms` = ms[["one-step"]], `fixed, ms` = ms[["fixed"]],
    `lme4, ms` = slow[["lmer"]], `lme4 / exact` = slow[["lmer"]] / ms[["exact"]],
    `largest relative difference` = max(abs(unname(d) - unname(exact()))) / max(d), check.names = FALSE
  )
}))

large <- function(name, fit, groups, method) {
  seconds <- take_turns(list(run = function() influence(fit, groups, method = method)), 1L) / 1000
  data.frame(data = name, deleted = groups %||% "case", method = method, seconds = seconds[["run"]])
}
`%||%` <- function(x, y) if (is.null(x)) y else x
dietox_fit <- mixedlm(Weight ~ Time + (Time | Pig), dietox)
set.seed(1)
many <- data.frame(g = rep(seq_len(1e4), each = 10L), x = rnorm(1e5))
many$y <- many$x + rnorm(1e4)[many$g] + rnorm(1e5)
many_fit <- mixedlm(y ~ x + (x | g), many)
students <- mixedlm(y ~ service + (1 | s) + (1 | d) + (1 | dept:service), lme4::InstEval)
alone <- rbind(
  large("dietox", dietox_fit, NULL, "exact"), large("1e4 groups of 10", many_fit, "g", "fixed"),
  large("1e4 groups of 10", many_fit, NULL, "fixed"), large("InstEval", students, NULL, "fixed"),
  large("InstEval", students, "dept", "one-step")
)
report("influence", "Estimates without observations and groups", c(
  "Cook's distances by case deletion; medians of 11 runs (lme4: 3).", "", markdown(against), "",
  "Larger work, one run:", "", markdown(alone)
))
