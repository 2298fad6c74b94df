# What comes after a fit, against the packages that do the same: tests of fixed effects, profiles, bootstrap, robust
# covariances. Peers that are not installed are left out.
#   Rscript bench/inference.R
library(mixedlm)
source("bench/common.R")
if (!requireNamespace("lme4", quietly = TRUE)) {
  stop("bench/inference.R compares with lme4, which is not installed")
}
there <- function(...) all(vapply(c(...), requireNamespace, NA, quietly = TRUE))

data(sleepstudy, package = "lme4")
formula <- Reaction ~ Days + (Days | Subject)
ours <- mixedlm(formula, sleepstudy)
theirs <- if (there("lmerTest")) lmerTest::lmer(formula, sleepstudy) else lme4::lmer(formula, sleepstudy)

# Times and the largest difference of two numeric answers, relative to the larger.
compare <- function(what, ours, theirs, rounds, difference = TRUE) {
  ms <- take_turns(list(ours = ours, theirs = theirs), rounds)
  gap <- if (difference) {
    a <- as.numeric(ours())
    b <- as.numeric(theirs())
    format(max(abs(a - b) / pmax(abs(a), abs(b))), digits = 2L)
  } else {
    ""
  }
  data.frame(
    what = what, `mixedlm, ms` = ms[["ours"]], `peer, ms` = ms[["theirs"]],
    `times as fast` = ms[["theirs"]] / ms[["ours"]], `relative difference` = gap, check.names = FALSE
  )
}

quietly <- function(x) suppressMessages(suppressWarnings(x))
rows <- list(
  if (there("lmerTest")) compare(
    "summary, Satterthwaite (lmerTest)",
    function() coef(summary(ours, style = "lme4")), function() coef(summary(theirs)), 20L
  ),
  if (there("lmerTest", "pbkrtest")) compare(
    "summary, Kenward-Roger (lmerTest, pbkrtest)",
    function() coef(summary(ours, style = "lme4", ddf = "Kenward-Roger")),
    function() coef(summary(theirs, ddf = "Kenward-Roger")), 5L
  ),
  compare(
    "profile intervals of all parameters (lme4)",
    function() confint(ours, quiet = TRUE), function() quietly(lme4::confint.merMod(theirs)), 3L
  ),
  if (there("clubSandwich")) compare(
    "CR2 covariance (clubSandwich)",
    function() vcov(ours, type = "CR2"), function() clubSandwich::vcovCR(theirs, type = "CR2"), 5L
  ),
  compare(
    "100 parametric bootstrap replicates (bootMer)",
    function() bootstrap(ours, 100, seed = 1),
    function() quietly(lme4::bootMer(theirs, lme4::fixef, 100, seed = 1)), 3L, FALSE
  )
)

# --- where the peers cannot go --------------------------------------------------
seconds <- function(f) {
  gc(FALSE)
  stats::median(replicate(3L, system.time(f())[["elapsed"]]))
}
set.seed(1)
groups <- 4000L
n <- 46000L
g <- sample(groups, n, TRUE)
t <- stats::runif(n)
x <- stats::rnorm(n)
b <- matrix(stats::rnorm(2L * groups), groups)
large <- data.frame(y = 1 + t + x / 2 + b[g, 1L] + 0.7 * b[g, 2L] * t + stats::rnorm(n), t, x, g)
grouped <- mixedlm(y ~ t + x + (t | g), large)
data(InstEval, package = "lme4")
crossed <- mixedlm(y ~ service * dept + (1 | s) + (1 | d), InstEval)
alone <- data.frame(
  what = c(
    "46,000 rows, 4,000 groups: Kenward-Roger tests of all fixed effects",
    "the same: CR2 covariance", "the same: profile intervals of all parameters",
    "the same: 100 bootstrap replicates",
    "InstEval, 73,421 rows, 28 fixed effects, 4,100 random effects: Kenward-Roger tests",
    "InstEval: Satterthwaite tests of terms",
    "sleepstudy: 10,000 parametric bootstrap replicates"
  ),
  seconds = c(
    seconds(function() coef(summary(grouped, style = "lme4", ddf = "Kenward-Roger"))),
    seconds(function() vcov(grouped, type = "CR2")),
    seconds(function() confint(grouped, quiet = TRUE)),
    seconds(function() bootstrap(grouped, 100, seed = 1)),
    seconds(function() coef(summary(crossed, style = "lme4", ddf = "Kenward-Roger"))),
    seconds(function() anova(crossed)),
    seconds(function() bootstrap(ours, 10000, seed = 1))
  )
)
report("inference", "After the fit: mixedlm against its peers", c(
  "sleepstudy with correlated slopes; medians of runs in turn.", "",
  markdown(do.call(rbind, rows)), "",
  "Calls that the peers cannot do, or not in minutes; medians of three.", "", markdown(alone)
))
