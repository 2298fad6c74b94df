# Times one R package on one model of bench/peers.R, which calls this script:
#   Rscript bench/peer.R <peer> <model.rds> <answer.txt>
# What is timed is the whole call, formula and data frame to fit. The answer has the lines that
# bench/peers.py describes.
source("bench/common.R")

packages <- c(mixedlm = "mixedlm", lmer = "lme4", lme = "nlme")

skip <- function(reason) {
  stop(structure(class = c("skip", "error", "condition"), list(message = reason, call = NULL)))
}

# Each peer: a function of the model, which returns the call to time, and what reads the fit.
peers <- list(
  mixedlm = function(model) {
    formula <- stats::as.formula(model$formula)
    list(
      fit = function(data) mixedlm::mixedlm(formula, data, REML = model$reml),
      criterion = function(fit) fit$criterion,
      remark = function(fit) {
        found <- fit$optinfo
        paste0(found$verdict, ", ", found$evaluations, " evaluations")
      }
    )
  },
  lmer = function(model) {
    formula <- stats::as.formula(model$formula)
    list(
      fit = function(data) lme4::lmer(formula, data, REML = model$reml),
      criterion = function(fit) -2 * as.numeric(stats::logLik(fit)),
      remark = function(fit) paste(fit@optinfo$feval, "evaluations")
    )
  },
  lme = function(model) {
    if (model$structure == "crossed") {
      skip("nested groups only")
    }
    fixed <- stats::as.formula(paste(model$response, "~", model$fixed))
    random <- lapply(model$terms, function(columns) stats::as.formula(paste("~", columns)))
    names(random) <- sub(".*:", "", names(random))
    method <- if (model$reml) "REML" else "ML"
    list(
      # the call keeps its arguments, which lme() looks up again
      fit = function(data) {
        do.call(nlme::lme, list(fixed, data = quote(data), random = random, method = method))
      },
      criterion = function(fit) -2 * as.numeric(stats::logLik(fit)),
      remark = function(fit) ""
    )
  }
)

# A fit of next to nothing, which loads what is loaded late.
warm_up <- function(peer) {
  i <- 0:47
  data <- data.frame(y = sin(9 * i) + sin(7 * (i %/% 4)), g = factor(i %/% 4))
  model <- list(
    response = "y", fixed = "1", terms = c(g = "1"), structure = "grouped", reml = FALSE,
    formula = "y ~ 1 + (1 | g)"
  )
  suppressWarnings(suppressMessages(peers[[peer]](model)$fit(data)))
}

# Seconds of all threads together.
process_time <- function() sum(proc.time()[c("user.self", "sys.self")])

# Fits until there are `times` runs or `budget` seconds are used up, but once at least.
run <- function(peer, model) {
  if (!requireNamespace(packages[[peer]], quietly = TRUE)) {
    skip("not installed")
  }
  fitter <- peers[[peer]](model)
  warm_up(peer)
  said <- character()
  timed <- function() {
    gc(FALSE)
    before <- process_time()
    start <- Sys.time()
    fit <<- withCallingHandlers(
      fitter$fit(model$data),
      warning = function(w) {
        said <<- c(said, conditionMessage(w))
        tryInvokeRestart("muffleWarning")
      },
      message = function(m) {
        said <<- c(said, conditionMessage(m))
        tryInvokeRestart("muffleMessage")
      }
    )
    seconds <<- c(seconds, as.numeric(Sys.time() - start, units = "secs"))
    cpu <<- c(cpu, process_time() - before)
  }
  fit <- NULL
  seconds <- cpu <- numeric()
  memory <- peak_memory(timed)
  said <- unique(said)
  remark <- c(fitter$remark(fit), said)
  while (length(seconds) < model$times && sum(seconds) < model$budget) {
    timed()
  }
  list(
    seconds = stats::median(seconds), cpu = stats::median(cpu), runs = length(seconds),
    criterion = sprintf("%.10f", fitter$criterion(fit)), kind = if (model$reml) "REML" else "ML",
    memory = memory, remark = paste(remark[nzchar(remark)], collapse = "; ")
  )
}

args <- commandArgs(trailingOnly = TRUE)
answer <- tryCatch(
  run(args[[1L]], readRDS(args[[2L]])),
  skip = function(e) list(skipped = conditionMessage(e)),
  mixedlm_error_crossed = function(e) list(skipped = "crossed random effects are refused"),
  error = function(e) list(failed = conditionMessage(e))
)
values <- gsub("\\s+", " ", vapply(answer, format, "", digits = 10L))
writeLines(paste0(names(answer), "\t", values), args[[3L]])
