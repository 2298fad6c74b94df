# The bootstrap: made-up data, fits of them, and what varies from fit to fit.

#' Bootstrap a fit
#'
#' Makes many data sets like the one that was fitted, fits each of them in the same way, and collects a statistic.
#' Without `FUN` all fits are made in parallel by the numerical core.
#'
#' @param object (`mixedlm`) a fit.
#' @param nsim (`integer(1)`) number of replicates, 1 to 1e7.
#' @param FUN (`function`) from a fit to a numeric vector, always of the same length; its
#'   names, if any, name the statistics. `NULL`: the fixed effects, the standard
#'   deviations and correlations of the random effects (`.sig01`, ..., in lme4's
#'   order) and the residual standard deviation (`.sigma`).
#' @param type (`character(1)`) how data are made:
#'   - `"parametric"`: random effects and residuals from the normal distributions that were estimated.
#'   - `"residual"` (or `"semiparametric"`): the conditional modes of the random effects and the residuals are
#'     centred, scaled to the variances that were estimated, and drawn with replacement; all effects of one level
#'     together (Carpenter, Goldstein and Rasbash 2003). Not normal, but still homoscedastic.
#'   - `"case"` (or `"cluster"`): whole groups of the outermost factor are drawn with replacement, and each drawn
#'     group counts as a new one. Assumes nothing but independent groups; needs many of them. Not defined for crossed factors.
#' @param seed (`integer(1)`) seed of the replicates. The same seed gives the same replicates whatever the number of
#'   threads, and the first replicates of a longer run are those of a shorter one. R's random numbers are left as they
#'   were. `NULL`: one integer is drawn from R's generator, so that [set.seed()] governs the result.
#' @param progress (`logical(1)`) whether progress is reported; default: as in the control of the fit. Through progressr
#'   where that package is loaded, else by a line on the console with the time that is left.
#' @param ... passed on to `FUN`; there is no other use for it.
#'
#' @details
#' Prior weights are respected: residuals have variance \eqn{\sigma^2/w}{sigma^2 / w}, and are scaled by it before they
#' are drawn. Each fit starts at the estimates, and from three more places when it ends
#' elsewhere than inside the parameter space, on the boundary for instance.
#'
#' Variances can be estimated as zero in many replicates: the distribution of their
#' estimates then has an atom at zero. It is part of the distribution and is shown as such. The correlation of an effect
#' that does not vary is not a number in those replicates.
#'
#' A replicate fails when its data cannot be fitted, the search does not arrive, or `FUN` raises an error. It is
#' kept as a row of `NA`, and there is one warning for all of them.
#'
#' With few groups, `"residual"` can give no more variance to random effects than there are groups less one
#' to span it.
#'
#' @return A list of class `mixedlm_bootstrap`:
#'   - `t0`: the statistics of the fit, named. `t`: matrix, one row per replicate.
#'   - `R`, `seed`, `type`, `call`: as asked for.
#'   - `outcome`: per replicate the verdict of its fit (see [mixedlm-object]), or the kind of its failure.
#'   - `failed`: list with `count` and `messages` (a table, the most frequent first).
#'   - `fit`, `FUN`, `dots`: what was bootstrapped.
#'
#'   `t0`, `t` and `R` are as in objects of class `boot`. There are methods for `print()`, `summary()`,
#'   `as.data.frame()`, [confint()][confint.mixedlm_bootstrap], `vcov()`,
#'   [plot()][plot.mixedlm_bootstrap] and `autoplot()` of ggplot2.
#' @section Errors: `mixedlm_error_argument` for arguments that cannot be used;
#'   `mixedlm_error_bootstrap` when the type is not defined for the fit, or when `FUN` fails on the fit itself or
#'   gives no numbers. A warning of class `mixedlm_warning_bootstrap` when replicates failed.
#' @references
#' Carpenter, J. R., Goldstein, H. and Rasbash, J. (2003) A novel bootstrap procedure for
#' assessing the relationship between class size and achievement. *Applied Statistics* 52, 431-443.
#'
#' Davison, A. C. and Hinkley, D. V. (1997) *Bootstrap Methods and their Application*. Cambridge University Press.
#' @seealso [confint.mixedlm_bootstrap()], [plot.mixedlm_bootstrap()]
#' @export
#' @examples
#' fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
#' b <- bootstrap(fit, nsim = 200, seed = 1)
#' b
#' confint(b)
#' bootstrap(fit, 20, FUN = function(fit) VarCorr(fit)$Pig[1] / sigma(fit)^2, seed = 1)
bootstrap <- function(object, nsim = 1000, FUN = NULL,
                      type = c("parametric", "residual", "case"), seed = NULL,
                      progress = NULL, ...) {
  UseMethod("bootstrap")
}

#' @export
bootstrap.default <- function(object, ...) {
  abort("argument", paste0(
    "`object` must be a fit of mixedlm(), not ", describe(object), "."
  ), argument = "object")
}

#' @rdname bootstrap
#' @export
bootstrap.mixedlm <- function(object, nsim = 1000, FUN = NULL,
                              type = c("parametric", "residual", "case"),
                              seed = NULL, progress = NULL, ...) {
  call <- match.call()
  nsim <- boot_count(nsim)
  type <- boot_type(type)
  check_statistic(FUN, substitute(list(...))[-1L])
  progress <- progress %||% field(object, "control")$progress
  if (!is_flag(progress)) {
    abort("argument", paste0(
      "`progress` must be TRUE or FALSE, not ", describe(progress), "."
    ), argument = "progress")
  }
  seed <- boot_seed(seed)
  if (!is.null(seed$restore)) {
    on.exit(seed$restore(), add = TRUE)
  }
  dots <- list(...)
  run <- if (is.null(FUN)) {
    boot_estimates(object, type, seed$value, nsim, progress)
  } else {
    boot_statistic(object, type, seed$value, nsim, progress, FUN, dots)
  }
  out <- structure(
    list(
      t0 = run$t0, t = run$t, R = nsim, seed = seed$value, type = type, call = call,
      outcome = run$outcome, failed = tally_failures(run$message), fit = object,
      FUN = FUN, dots = dots
    ),
    class = "mixedlm_bootstrap"
  )
  warn_failed(out)
  out
}

# --- arguments --------------------------------------------------------------

boot_count <- function(nsim) {
  if (!is_number(nsim) || nsim < 1 || nsim > 1e7 || nsim != round(nsim)) {
    abort("argument", paste0(
      "`nsim` must be a whole number between 1 and 1e7, not ", describe(nsim), "."
    ), argument = "nsim")
  }
  as.integer(nsim)
}

boot_aliases <- c(semiparametric = "residual", cluster = "case")

boot_type <- function(type) {
  if (is_string(type) && type %in% names(boot_aliases)) {
    type <- boot_aliases[[type]]
  }
  choose_one(type, c("parametric", "residual", "case"), "type")
}

check_statistic <- function(FUN, dots) {
  if (is.null(FUN)) {
    if (length(dots)) {
      check_no_dots(dots, names(formals(bootstrap)))
    }
    return(invisible())
  }
  if (!is.function(FUN)) {
    abort("argument", paste0(
      "`FUN` must be a function of a fit, not ", describe(FUN), "."
    ), argument = "FUN")
  }
}

# A seed that was given leaves R's generator as it was, but sets it for a `FUN`
# that draws numbers; none takes one number from it.
boot_seed <- function(seed) {
  check_seed(seed)
  if (is.null(seed)) {
    return(list(value = draw_seed()))
  }
  restore <- random_state()
  set.seed(seed, "Mersenne-Twister", "Inversion", "Rejection")
  list(value = as.integer(seed), restore = restore)
}

# --- the default statistics --------------------------------------------------

boot_estimates <- function(fit, type, seed, nsim, progress) {
  raw <- boot_replicates(fit, type, seed, nsim, progress)
  list(
    t0 = estimates_of(fit), t = replicate_estimates(fit, raw),
    outcome = raw$outcome, message = failure_messages(raw)
  )
}

# Raw replicates, in batches where progressr shows them.
boot_replicates <- function(fit, kind, seed, nsim, progress, ...) {
  tell <- boot_progress(progress, nsim)
  context <- boot_context(fit, progress = progress && !tell$active)
  if (!tell$active) {
    return(engine_bootstrap(context, kind, seed, 0L, nsim, ...))
  }
  parts <- lapply(boot_batches(nsim, max(1L, nsim %/% 50L)), function(batch) {
    part <- engine_bootstrap(context, kind, seed, batch[1L] - 1L, length(batch), ...)
    tell$step(length(batch))
    part
  })
  tell$done()
  list(
    beta = do.call(rbind, lapply(parts, `[[`, "beta")),
    theta = do.call(rbind, lapply(parts, `[[`, "theta")),
    sigma2 = unlist(lapply(parts, `[[`, "sigma2")),
    criterion = unlist(lapply(parts, `[[`, "criterion")),
    outcome = unlist(lapply(parts, `[[`, "outcome")),
    message = unlist(lapply(parts, `[[`, "message"))
  )
}

estimates_of <- function(fit) {
  elements <- sdcor_elements(fit)
  c(
    field(fit, "fe_params"),
    stats::setNames(
      sdcor_values(field(fit, "psi"), field(fit, "scale"), elements),
      sdcor_names(fit, elements = elements)
    ),
    .sigma = sqrt(field(fit, "scale"))
  )
}

# The same for raw replicates, a row for each.
replicate_estimates <- function(fit, raw) {
  fe <- field(fit, "fe_params")
  t0 <- estimates_of(fit)
  nsim <- length(raw$sigma2)
  t <- matrix(NA_real_, nsim, length(t0), dimnames = list(NULL, names(t0)))
  columns <- field(fit, "columns")[free_columns(whole_design(fit))]
  # a fixed effect that is held does not vary
  t[, seq_along(fe)] <- rep(fe, each = nsim)
  estimated <- names(fe) %in% columns
  t[, which(estimated)] <- raw$beta[, match(names(fe)[estimated], columns), drop = FALSE]
  t[, length(fe) + seq_len(length(t0) - length(fe) - 1L)] <- replicate_sdcor(fit, raw)
  t[, length(t0)] <- sqrt(raw$sigma2)
  t[!raw$outcome %in% verdicts_sound, ] <- NA_real_
  t
}

# Standard deviations and correlations from packed relative factors.
replicate_sdcor <- function(fit, raw) {
  random <- field(fit, "random")
  elements <- sdcor_elements(fit)
  size <- vapply(random, packed_length, 0)
  first <- cumsum(c(0, size))
  # per term and row of the factor, the columns of `theta` that hold it
  held_in <- function(k, i) {
    q <- length(random[[k]]$columns)
    first[k] + switch(random[[k]]$structure,
      unstructured = {
        at <- matrix(0L, q, q)
        at[lower.tri(at, diag = TRUE)] <- seq_len(size[k])
        at[i, seq_len(i)]
      },
      diagonal = i,
      scalar = 1L
    )
  }
  psi <- function(k, i, j) {
    a <- held_in(k, i)
    b <- held_in(k, j)
    shared <- seq_len(min(length(a), length(b)))
    rowSums(raw$theta[, a[shared], drop = FALSE] * raw$theta[, b[shared], drop = FALSE])
  }
  out <- vapply(seq_len(nrow(elements)), function(e) {
    k <- elements$term[e]
    i <- elements$row[e]
    j <- elements$column[e]
    if (i == j) {
      return(sqrt(psi(k, i, i) * raw$sigma2))
    }
    psi(k, i, j) / sqrt(psi(k, i, i) * psi(k, j, j))
  }, numeric(length(raw$sigma2)))
  matrix(out, length(raw$sigma2))
}

# --- statistics of the user's own --------------------------------------------

boot_statistic <- function(fit, kind, seed, nsim, progress, FUN, dots, ...) {
  # messages of errors in it show `x`, not a whole fit
  statistic <- function(x) do.call(function(...) FUN(x, ...), dots, quote = TRUE)
  t0 <- own_statistic(statistic, fit)
  refit <- boot_refitter(fit, kind)
  context <- boot_context(fit)
  t <- matrix(NA_real_, nsim, length(t0), dimnames = list(NULL, names(t0)))
  outcome <- message <- character(nsim)
  tell <- boot_progress(progress, nsim, own = TRUE)
  for (batch in boot_batches(nsim, max(1L, min(100L, 1e6 %/% length(field(fit, "y")))))) {
    data <- engine_bootstrap_data(context, kind, seed, batch[1L] - 1L, length(batch), ...)
    for (i in batch) {
      j <- i - batch[1L] + 1L
      one <- if (is.null(data$groups)) data$responses[, j] else data$groups[[j]]
      result <- try_statistic(refit, statistic, one, length(t0))
      outcome[i] <- result$outcome
      message[i] <- result$message
      t[i, ] <- result$value
      tell$step(1L)
    }
  }
  tell$done()
  list(t0 = t0, t = t, outcome = outcome, message = message)
}

own_statistic <- function(statistic, fit) {
  refuse <- function(...) {
    abort("bootstrap", paste0("`FUN` ", ..., "."), argument = "FUN")
  }
  t0 <- tryCatch(statistic(fit), error = function(e) {
    refuse("fails on the fit itself: ", sub("[.]$", "", conditionMessage(e)))
  })
  if (!is.numeric(t0) && !is.logical(t0) || !length(t0)) {
    refuse("must give a numeric vector; of the fit itself it gives ", describe(t0))
  }
  stats::setNames(as.double(t0), names(t0) %||% paste0("t", seq_along(t0)))
}

# list(value, outcome, message) of one replicate.
try_statistic <- function(refit, statistic, data, size) {
  failed <- function(outcome, text) {
    list(value = rep(NA_real_, size), outcome = outcome, message = text)
  }
  fit <- tryCatch(suppressMessages(suppressWarnings(refit(data))), error = identity)
  if (inherits(fit, "error")) {
    kind <- sub("^mixedlm_error_", "", class(fit)[1L])
    return(failed(if (inherits(fit, "mixedlm_error")) kind else "error", conditionMessage(fit)))
  }
  value <- tryCatch(statistic(fit), error = identity)
  if (inherits(value, "error")) {
    return(failed("FUN", paste0("FUN: ", conditionMessage(value))))
  }
  if (!(is.numeric(value) || is.logical(value)) || length(value) != size) {
    return(failed("FUN", sprintf("FUN: %s instead of %d numbers", describe(value), size)))
  }
  list(value = as.double(value), outcome = field(fit, "optinfo")$verdict, message = "")
}

# --- failures -----------------------------------------------------------------

# "" for replicates with estimates.
failure_messages <- function(raw) {
  text <- raw$message
  lost <- !nzchar(text) & !raw$outcome %in% verdicts_sound
  text[lost] <- vapply(raw$outcome[lost], outcome_text, "")
  text
}

outcome_text <- function(verdict) {
  switch(verdict,
    maxit = "the search ended before it had arrived",
    saddle = "the search ended at a saddle point",
    verdict
  )
}

tally_failures <- function(message) {
  failed <- message[nzchar(message)]
  list(count = length(failed), messages = sort(table(failed, dnn = NULL), decreasing = TRUE))
}

warn_failed <- function(boot) {
  failed <- boot$failed
  if (failed$count == 0L) {
    return(invisible())
  }
  reasons <- utils::head(paste0(names(failed$messages), " (", failed$messages, ")"), 3L)
  warn("bootstrap", paste0(
    failed$count, " of ", boot$R, " replicates failed: ", paste(reasons, collapse = "; "),
    if (length(failed$messages) > 3L) "; and others",
    ". They are kept as rows of NA."
  ), count = failed$count, messages = failed$messages)
}

# --- progress -----------------------------------------------------------------

# list(active, step, done). Through progressr where it is loaded; `own`: a line of our own
# where the core does not write one.
boot_progress <- function(progress, total, own = FALSE) {
  nothing <- list(active = FALSE, step = function(n) NULL, done = function() NULL)
  if (!progress) {
    return(nothing)
  }
  if (isNamespaceLoaded("progressr")) {
    p <- progressr::progressor(total, envir = parent.frame())
    return(list(
      active = TRUE, step = function(n) p(amount = n), done = function() NULL
    ))
  }
  if (own) own_progress(total) else nothing
}

# Silent for two seconds, then a line twice a second.
own_progress <- function(total) {
  start <- last <- proc.time()[["elapsed"]]
  count <- 0
  shown <- FALSE
  step <- function(n) {
    count <<- count + n
    now <- proc.time()[["elapsed"]]
    if (now - start > 2 && now - last > 0.5) {
      left <- (now - start) * (total / count - 1)
      cat(sprintf("\rmixedlm: %d of %d replicates, %.0f s left   ", count, total, left), file = stderr())
      last <<- now
      shown <<- TRUE
    }
  }
  done <- function() {
    if (shown) {
      cat("\r", strrep(" ", 60L), "\r", sep = "", file = stderr())
    }
  }
  list(active = TRUE, step = step, done = done)
}
