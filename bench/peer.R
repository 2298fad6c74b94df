# Times one R package on one model, in a process of its own; bench/table.R calls it:
#   Rscript bench/peer.R <peer> <model.rds> <answer.txt>
#   Rscript bench/peer.R --versions
# What is timed is the whole call, formula and data frame to fit, with the package loaded and the
# data in memory. The answer has one line "key<tab>value" for each of
#   first     seconds of the first call of the process, with whatever is loaded or compiled late
#   seconds   median of the calls after it; where there are none, the first
#   cpu       the same of all threads together
#   runs      number of calls behind `seconds`
#   memory    MiB: the highest resident memory in the first call above what was there before
#   own       -2 log-likelihood, restricted for REML, as the package reports it
#   kind      REML or ML
#   sigma2, psi.<group>   the estimates: the residual variance, the covariance matrix of each term
#   claim     what the package itself says about convergence, in a few words
#   warnings  how many it gave in the first call
#   said      their texts, and those of messages
# or else skipped or failed, the reason.
source("bench/common.R")

packages <- c(
  mixedlm = "mixedlm", `mixedlm-1` = "mixedlm", lmer = "lme4", `lmer-bobyqa` = "lme4",
  lme = "nlme", glmmtmb = "glmmTMB", lm = "stats"
)

skip <- function(reason) {
  stop(structure(class = c("skip", "error", "condition"), list(message = reason, call = NULL)))
}

minus_two <- function(fit) -2 * as.numeric(stats::logLik(fit))

# The covariance matrices of a fit whose VarCorr() is lme4's.
covariances <- function(terms) lapply(terms, function(v) unname(as.matrix(v)[, , drop = FALSE]))

# Each peer: a function of the model, which returns the call to time and what reads the fit.
ours <- function(model, ...) {
  formula <- stats::as.formula(model$formula)
  list(
    fit = function(data) mixedlm::mixedlm(formula, data, REML = model$reml, ...),
    read = function(fit) {
      found <- fit$optinfo
      list(
        own = fit$criterion, sigma2 = stats::sigma(fit)^2,
        psi = covariances(nlme::VarCorr(fit)), claim = found$verdict,
        said = paste(found$evaluations, "evaluations")
      )
    }
  )
}

by_lmer <- function(model, control) {
  formula <- stats::as.formula(model$formula)
  list(
    fit = function(data) lme4::lmer(formula, data, REML = model$reml, control = control),
    read = function(fit) {
      complaints <- fit@optinfo$conv$lme4$messages
      failed <- fit@optinfo$conv$opt != 0 || length(grep("singular", complaints, invert = TRUE)) > 0L
      claim <- if (failed) "not converged" else "converged"
      list(
        own = minus_two(fit), sigma2 = stats::sigma(fit)^2,
        psi = covariances(nlme::VarCorr(fit)),
        claim = if (lme4::isSingular(fit)) paste0(claim, ", singular") else claim,
        said = paste(fit@optinfo$feval, "evaluations")
      )
    }
  )
}

by_lme <- function(model) {
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
    read = function(fit) {
      psi <- lapply(names(random), function(name) {
        unname(as.matrix(fit$modelStruct$reStruct[[name]])) * fit$sigma^2
      })
      list(
        own = minus_two(fit), sigma2 = fit$sigma^2, psi = stats::setNames(psi, names(model$terms)),
        claim = "converged"
      )
    }
  )
}

by_glmmtmb <- function(model) {
  formula <- stats::as.formula(model$formula)
  list(
    fit = function(data) glmmTMB::glmmTMB(formula, data, REML = model$reml),
    read = function(fit) {
      fine <- fit$fit$convergence == 0 && isTRUE(fit$sdr$pdHess)
      list(
        own = minus_two(fit), sigma2 = stats::sigma(fit)^2,
        psi = covariances(glmmTMB::VarCorr(fit)$cond), claim = if (fine) "converged" else "not converged",
        said = paste(fit$fit$evaluations[["function"]], "evaluations")
      )
    }
  )
}

peers <- list(
  mixedlm = function(model) ours(model),
  `mixedlm-1` = function(model) ours(model, control = mixedlm::mixedlm_control(threads = 1L)),
  lmer = function(model) by_lmer(model, lme4::lmerControl()),
  `lmer-bobyqa` = function(model) by_lmer(model, lme4::lmerControl(optimizer = "bobyqa")),
  lme = by_lme,
  glmmtmb = by_glmmtmb,
  # the fixed effects alone: another model, and a measure of the work with the data
  lm = function(model) {
    formula <- stats::as.formula(paste(model$response, "~", model$fixed))
    list(
      fit = function(data) stats::lm(formula, data),
      read = function(fit) list(claim = "no random effects")
    )
  }
)

# Seconds of all threads together.
process_time <- function() sum(proc.time()[c("user.self", "sys.self")])

# A function that calls `fit` on the data and returns what it gave, what it said and its times.
timer <- function(fit, data) {
  function() {
    warned <- told <- character()
    gc(FALSE)
    before <- process_time()
    start <- Sys.time()
    value <- withCallingHandlers(
      fit(data),
      warning = function(w) {
        warned <<- c(warned, conditionMessage(w))
        tryInvokeRestart("muffleWarning")
      },
      message = function(m) {
        told <<- c(told, conditionMessage(m))
        tryInvokeRestart("muffleMessage")
      }
    )
    list(
      value = value, seconds = as.numeric(Sys.time() - start, units = "secs"),
      cpu = process_time() - before, warned = warned, told = told
    )
  }
}

# The first call, and more of them within the budget; `save` is called with the answer after the
# first, too, so that a process that is stopped leaves what it has.
run <- function(peer, model, save) {
  if (!requireNamespace(packages[[peer]], quietly = TRUE)) {
    skip("not installed")
  }
  fitter <- peers[[peer]](model)
  once <- timer(fitter$fit, model$data)
  first <- NULL
  memory <- peak_memory(function() first <<- once())
  found <- fitter$read(first$value)
  psi <- stats::setNames(
    lapply(found$psi, function(v) paste(sprintf("%.17g", v), collapse = " ")),
    if (length(found$psi)) paste0("psi.", names(found$psi))
  )
  said <- unique(c(found$said, first$warned, first$told))
  number <- function(x) if (is.null(x)) NULL else sprintf("%.17g", x)
  answer <- c(list(
    first = first$seconds, seconds = first$seconds, cpu = first$cpu, runs = 1L, memory = memory,
    own = number(found$own), kind = if (length(found$own)) if (model$reml) "REML" else "ML",
    sigma2 = number(found$sigma2), claim = found$claim, warnings = length(first$warned),
    said = paste(trimws(said), collapse = "; ")
  ), psi)
  save(answer)
  seconds <- cpu <- numeric()
  while (again(first$seconds, seconds, model)) {
    more <- once()
    seconds <- c(seconds, more$seconds)
    cpu <- c(cpu, more$cpu)
  }
  if (length(seconds)) {
    answer[c("seconds", "cpu", "runs")] <- list(stats::median(seconds), stats::median(cpu), length(seconds))
    save(answer)
  }
}

# Whether to call once more: up to `times` calls or `budget` seconds, and one after a first call
# that left time for it.
again <- function(first, later, model) {
  if (!length(later)) {
    return(first < model$limit / 3)
  }
  length(later) < model$times && first + sum(later) < model$budget
}

versions <- function() {
  cat("R", as.character(getRversion()), "\n")
  for (package in setdiff(packages, "stats")) {
    if (requireNamespace(package, quietly = TRUE)) {
      cat(package, as.character(utils::packageVersion(package)), "\n")
    }
  }
  cat("BLAS", basename(extSoftVersion()[["BLAS"]]), "\n")
  cat("LAPACK", La_version(), "\n")
}

args <- commandArgs(trailingOnly = TRUE)
if (identical(args, "--versions")) {
  versions()
} else {
  save <- function(answer) {
    answer <- Filter(length, answer)
    values <- gsub("\\s+", " ", vapply(answer, function(x) format(x, digits = 10L), ""))
    writeLines(paste0(names(answer), "\t", values), args[[3L]])
  }
  tryCatch(
    run(args[[1L]], readRDS(args[[2L]]), save),
    skip = function(e) save(list(skipped = conditionMessage(e))),
    error = function(e) save(list(failed = conditionMessage(e)))
  )
}
