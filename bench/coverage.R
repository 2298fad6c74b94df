# Coverage of each kind of 95 per cent interval: for a fixed effect, a standard deviation, a
# correlation and the residual standard deviation, in a small and in a moderate design.
#   Rscript bench/coverage.R [data sets] [of these, with a bootstrap] [replicates]
library(mixedlm)
source("bench/common.R")

args <- as.integer(commandArgs(trailingOnly = TRUE))
data_sets <- if (length(args) > 0L) args[[1L]] else 2000L
bootstrapped <- min(data_sets, if (length(args) > 1L) args[[2L]] else 500L)
replicates <- if (length(args) > 2L) args[[3L]] else 1000L

# y ~ x + (x | g): the parameters by the names that confint() gives them
truth <- c(x = 0.5, .sig03 = 0.5, .sig02 = 0.4, .sigma = 1)
shown <- c(x = "slope", .sig03 = "SD of slopes", .sig02 = "correlation", .sigma = "residual SD")
designs <- list(
  small = list(title = "10 groups of 6 rows", groups = 10L, rows = 6L),
  moderate = list(title = "40 groups of 8 rows", groups = 40L, rows = 8L)
)

made <- function(design, seed) {
  set.seed(seed)
  g <- rep(seq_len(design$groups), each = design$rows)
  x <- stats::rnorm(length(g))
  b <- matrix(stats::rnorm(2 * design$groups), design$groups)
  b <- b %*% chol(matrix(c(1, 0.4 * 0.5, 0.4 * 0.5, 0.25), 2L))
  y <- 1 + b[g, 1L] + (truth[["x"]] + b[g, 2L]) * x + stats::rnorm(length(g))
  data.frame(y = y, x = x, g = factor(g))
}

# The limits of the parameters that a matrix of intervals has.
limits <- function(method, intervals) {
  own <- intersect(names(truth), rownames(intervals))
  data.frame(
    method = method, parameter = own, lower = intervals[own, 1L], upper = intervals[own, 2L]
  )
}

slope_limits <- function(method, ...) {
  table <- linear_hypothesis(..., L = c(0, 1), joint = FALSE)$table
  data.frame(
    method = method, parameter = "x", lower = table$conf.low, upper = table$conf.high
  )
}

# Each method as a function of the fit, with the parameters that it is for.
everything <- names(truth)
methods <- list(
  `Wald, z` = list(everything, function(fit, name) limits(name, confint(fit, method = "Wald"))),
  `Satterthwaite, t` = list("x", function(fit, name) slope_limits(name, fit = fit, ddf = "Satterthwaite")),
  `Kenward-Roger, t` = list("x", function(fit, name) slope_limits(name, fit = fit, ddf = "Kenward-Roger")),
  `robust CR2, t` = list("x", function(fit, name) slope_limits(name, fit = fit, vcov = "CR2")),
  profile = list(everything, function(fit, name) limits(name, confint(fit, method = "profile", quiet = TRUE)))
)
bootstrap_types <- c(perc = "bootstrap, percentile", basic = "bootstrap, basic", bca = "bootstrap, BCa")

# A method that fails, or is not there, gives no interval.
attempt <- function(code, method, parameters) {
  none <- data.frame(method = method, parameter = parameters, lower = NA_real_, upper = NA_real_)
  tryCatch(suppressMessages(suppressWarnings(code)), error = function(e) {
    problems[[method]] <<- conditionMessage(e)
    none
  })
}
problems <- list()

one_data_set <- function(design, seed, with_bootstrap) {
  fit <- suppressMessages(suppressWarnings(mixedlm(y ~ x + (x | g), made(design, seed))))
  out <- lapply(names(methods), function(name) {
    attempt(methods[[name]][[2L]](fit, name), name, methods[[name]][[1L]])
  })
  if (with_bootstrap) {
    drawn <- tryCatch(
      suppressMessages(suppressWarnings(bootstrap(fit, nsim = replicates, seed = seed, progress = FALSE))),
      error = identity
    )
    out <- c(out, lapply(names(bootstrap_types), function(type) {
      name <- bootstrap_types[[type]]
      attempt({
        if (inherits(drawn, "error")) stop(drawn)
        limits(name, confint(drawn, type = type))
      }, name, everything)
    }))
  }
  out <- do.call(rbind, out)
  out$singular <- isSingular(fit)
  out
}

# Per method and parameter: the share of the intervals that hold the true value, the
# median of their widths, and the share of data sets without an interval.
coverage_table <- function(found) {
  true <- truth[found$parameter]
  found$given <- !is.na(found$lower) & !is.na(found$upper)
  found$covers <- found$lower <= true & true <= found$upper
  found$below <- found$upper < true
  groups <- unique(found[c("parameter", "method")])
  rows <- lapply(seq_len(nrow(groups)), function(i) {
    own <- found[found$parameter == groups$parameter[i] & found$method == groups$method[i], ]
    given <- own[own$given, ]
    n <- nrow(given)
    share <- mean(given$covers)
    percent <- function(p) if (is.nan(p)) "" else sprintf("%.1f", 100 * p)
    data.frame(
      parameter = shown[[groups$parameter[i]]], interval = groups$method[i],
      `coverage, %` = percent(share), `simulation error` = percent(sqrt(share * (1 - share) / n)),
      `too low, %` = percent(mean(given$below)), `too high, %` = percent(mean(given$lower > truth[[groups$parameter[i]]])),
      `median width` = stats::median(given$upper - given$lower),
      `none, %` = percent(1 - n / nrow(own)), `data sets` = nrow(own), check.names = FALSE
    )
  })
  rows <- do.call(rbind, rows)
  rows[order(match(rows$parameter, shown)), ]
}

sections <- lapply(designs, function(design) {
  start <- Sys.time()
  found <- lapply(seq_len(data_sets), function(seed) {
    if (seed %% 100L == 0L) message(design$title, ": ", seed, " data sets")
    one_data_set(design, seed, seed <= bootstrapped)
  })
  singular <- mean(vapply(found, function(f) f$singular[1L], NA))
  c(
    paste("##", design$title), "",
    sprintf(
      "%.1f %% of the fits are singular. %.0f s in all.", 100 * singular,
      as.numeric(Sys.time() - start, units = "secs")
    ), "",
    markdown(coverage_table(do.call(rbind, found))), ""
  )
})

notes <- if (length(problems)) {
  c("## Intervals that could not be computed", "", paste0("- ", names(problems), ", last message: ", unlist(problems)))
}
report(
  "coverage", "Coverage of 95 per cent intervals",
  c(
    paste0(
      "`y ~ x + (x | g)`, REML (profiles by ML): slope 0.5, standard deviations 1 and 0.5 with correlation 0.4, ",
      "residual standard deviation 1; `x` standard normal within groups. ", data_sets, " data sets, bootstrap with ",
      replicates, " parametric replicates on ", bootstrapped, " of them. Coverage is among the intervals that exist: ",
      "Wald intervals of variance parameters do not on the boundary, nor do bootstrap limits beyond the replicates. ",
      "Too low, too high: the interval lies wholly on that side of the true value."
    ), "",
    unlist(sections), notes
  )
)
