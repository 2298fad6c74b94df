# compare_lmer(): a fit beside lmer()'s of the same model.

#' Compare a fit with lmer()'s
#'
#' Fits the same model with `lme4::lmer()` and shows both, estimate by estimate, with what each says about how it ended.
#'
#' @param fit (`mixedlm`) a fit; or a fit of `lmer()`, which is then compared as it is with [mixedlm()]'s of the same model.
#' @param control (list made by `lme4::lmerControl()`) for `lmer()`; `NULL` for its defaults.
#' @param start (`numeric` or `list`) where `lmer()` starts; `NULL` for its default.
#' @param ... not used.
#'
#' @details
#' Both criteria are -2 log-likelihood (restricted for REML) with all constants, so the lower one is nearer to the
#' maximum of the likelihood. Two criteria count as equal when they differ by less than 1e-3, which no test or interval notices.
#'
#' @return A list of class `mixedlm_comparison`: `table` (data frame: `part`, one of `"fixed"`, `"std_error"`, `"random"`,
#'   `"sigma"` and `"criterion"`; `name`; `mixedlm`, `lmer`, `difference`; random effects are standard deviations and
#'   correlations), `verdicts` (strings, named `mixedlm` and `lmer`), `seconds` (elapsed, `NA` where nothing was fitted),
#'   `conclusion` (one sentence), and the two fits, `mixedlm` and `lmer`. `as.data.frame()` gives the table.
#' @section Errors: those of [as_lmer()]; `mixedlm_error_lmer` when `lmer()` itself fails; `mixedlm_error_penalty` for penalised
#'   fits, which have another optimum by design.
#' @export
#' @seealso [as_lmer()]
#' @examplesIf requireNamespace("lme4", quietly = TRUE)
#' fit <- mixedlm(Weight ~ Time + (Time | Pig), dietox)
#' compare_lmer(fit)
compare_lmer <- function(fit, control = NULL, start = NULL, ...) {
  if (...length()) {
    check_no_dots(substitute(list(...))[-1L], c("control", "start"))
  }
  need_lme4("compare_lmer()")
  caller <- parent.frame()
  if (inherits(fit, "merMod")) {
    refused <- c("control", "start")[c(!is.null(control), !is.null(start))]
    if (length(refused)) {
      abort("argument", paste0(
        "`", refused[1L], "` is for a fit of mixedlm(); a fit of lmer() is compared as it is."
      ), argument = refused[1L])
    }
    own <- timed(mixedlm(fit))
    return(new_comparison(own$value, fit, at_same_place(own$value, caller), c(own$seconds, NA), character()))
  }
  check_is_fit(fit, "fit")
  refuse_penalised(fit, "A comparison with lmer()")
  model <- lmer_model(fit, caller)
  ours <- at_estimates(fit, model)
  theirs <- fit_with_lmer(model$call, control, start)
  again <- tryCatch(
    timed(suppressMessages(suppressWarnings(refit_here(fit, caller)))),
    error = function(e) list(seconds = NA_real_)
  )
  new_comparison(fit, theirs$value, ours, c(again$seconds, theirs$seconds), theirs$warnings)
}

at_same_place <- function(fit, caller) at_estimates(fit, lmer_model(fit, caller))

# The same call once more, for its time.
refit_here <- function(fit, caller) {
  eval(call("update", fit), list(update = stats::update), caller)
}

timed <- function(expr) {
  # system.time() would tell of an interruption
  start <- proc.time()[["elapsed"]]
  list(value = expr, seconds = proc.time()[["elapsed"]] - start)
}

# list(value, seconds, warnings) of lmer().
fit_with_lmer <- function(call, control, start) {
  # values, not expressions: the call is evaluated elsewhere
  call$control <- control
  call$start <- start
  warnings <- character()
  out <- tryCatch(
    withCallingHandlers(
      timed(eval(call, environment(call$formula))),
      warning = function(w) {
        warnings <<- c(warnings, conditionMessage(w))
        invokeRestart("muffleWarning")
      },
      message = function(m) invokeRestart("muffleMessage")
    ),
    error = function(e) abort("lmer", paste0("lmer() failed: ", conditionMessage(e), "."))
  )
  c(out, list(warnings = warnings))
}

# `at_ours`: ours as an lmerMod, so that the random parts have the same rows.
new_comparison <- function(fit, theirs, at_ours, seconds, warnings) {
  table <- comparison_table(fit, theirs, at_ours)
  verdicts <- c(mixedlm = verdict(fit), lmer = lmer_verdict(theirs, warnings))
  structure(list(
    table = table, verdicts = verdicts,
    seconds = stats::setNames(seconds, c("mixedlm", "lmer")),
    conclusion = comparison_sentence(fit, table, theirs, verdicts[["lmer"]]), mixedlm = fit, lmer = theirs
  ), class = "mixedlm_comparison")
}

comparison_table <- function(fit, theirs, at_ours) {
  fe <- fixef(fit)
  other <- nlme::fixef(theirs)[names(fe)]
  v <- as.matrix(stats::vcov(theirs))
  se <- sqrt(diag(v))[match(names(fe), rownames(v))]
  own <- as.data.frame(nlme::VarCorr(at_ours))
  random <- as.data.frame(nlme::VarCorr(theirs))
  rows <- function(part, name, a, b) {
    if (length(name)) {
      data.frame(part = part, name = name, mixedlm = as.numeric(a), lmer = as.numeric(b))
    }
  }
  inner <- own$grp != "Residual"
  out <- rbind(
    rows("fixed", names(fe), fe, other),
    rows("std_error", names(fe), sqrt(diag(vcov(fit))), se),
    rows("random", varcorr_names(own)[inner], own$sdcor[inner], random$sdcor[inner]),
    rows("sigma", "sigma", sigma(fit), stats::sigma(theirs)),
    rows("criterion", if (field(fit, "reml")) "REML criterion" else "deviance", field(fit, "criterion"), criterion_of(theirs))
  )
  out$difference <- out$lmer - out$mixedlm
  out
}

varcorr_names <- function(v) {
  ifelse(is.na(v$var2), paste0("sd_", v$var1, "|", v$grp), paste0("cor_", v$var2, ".", v$var1, "|", v$grp))
}

criterion_of <- function(lmer_fit) -2 * as.numeric(stats::logLik(lmer_fit))

# What lme4 says about its fit, in one string.
lmer_verdict <- function(theirs, warnings) {
  info <- attr(theirs, "optinfo")
  said <- unique(c(unlist(info$conv$lme4$messages), unlist(info$warnings), warnings))
  said <- said[nzchar(said)]
  code <- info$conv$opt
  problems <- c(
    said,
    if (is.numeric(code) && length(code) == 1L && code != 0) paste("the optimiser's code is", code)
  )
  singular <- lme4::isSingular(theirs)
  told <- any(grepl("isSingular", problems))
  words <- c(problems, if (singular && !told) "singular")
  if (length(words)) paste(gsub("[[:space:]]+", " ", words), collapse = "; ") else "no complaint"
}

# Criteria closer than this are equal.
same_criterion <- 1e-3

comparison_sentence <- function(fit, table, theirs, said) {
  gap <- table$difference[table$part == "criterion"]
  size <- format(abs(gap), digits = 3L)
  complains <- said != "no complaint" && !identical(said, "singular") && !grepl("^boundary \\(singular\\) fit", said)
  certified <- verdict(fit) %in% c("optimum", "boundary")
  if (abs(gap) < same_criterion) {
    return(paste0(
      "Both are at the same place: the criteria differ by ", size, ".",
      if (complains && certified) " What lmer() complains of is a false alarm."
    ))
  }
  if (gap > 0) {
    return(paste0(
      "lmer() ended ", size, " above mixedlm(): its estimates are not the optimum",
      if (!complains) ", though it does not say so", "."
    ))
  }
  paste0("mixedlm() ended ", size, " above lmer(): its estimates are not the optimum; its verdict is \"", verdict(fit), "\".")
}

#' @rdname compare_lmer
#' @param x (`mixedlm_comparison`) what `compare_lmer()` returned.
#' @param digits (`integer(1)`) significant digits.
#' @export
print.mixedlm_comparison <- function(x, digits = max(3L, getOption("digits") - 2L), ...) {
  check_digits(digits)
  titles <- c(
    fixed = "Fixed effects", std_error = "Standard errors of the fixed effects",
    random = "Random effects (standard deviations, correlations)", sigma = "Residual", criterion = "Criterion"
  )
  table <- x$table
  cells <- cbind(
    mixedlm = comparison_numbers(table$mixedlm, digits, table$part),
    lmer = comparison_numbers(table$lmer, digits, table$part),
    "lmer - mixedlm" = format(table$difference, digits = 2L)
  )
  width <- max(nchar(table$name), nchar(titles["fixed"])) + 2L
  lines <- paste0(pad("", width, "left"), header_line(cells))
  for (part in unique(table$part)) {
    own <- table$part == part
    lines <- c(lines, titles[[part]], paste0(
      pad(paste0("  ", table$name[own]), width, "left"), cell_lines(cells, own)
    ))
  }
  cat(
    paste0("mixedlm() and lmer(): ", one_line(formula(x$mixedlm))), "", lines, "",
    paste0("mixedlm: ", x$verdicts[["mixedlm"]], seconds_text(x$seconds[["mixedlm"]])),
    strwrap(paste0(x$verdicts[["lmer"]], seconds_text(x$seconds[["lmer"]])), 79L, initial = "lmer:    ", exdent = 9L),
    strwrap(x$conclusion, 79L),
    sep = "\n"
  )
  invisible(x)
}

# Each part with decimals of its own.
comparison_numbers <- function(value, digits, part) {
  out <- character(length(value))
  for (k in seq_along(value)) {
    out[k] <- format(value[k], digits = if (part[k] == "criterion") digits + 2L else digits)
  }
  out
}

header_line <- function(cells) {
  paste0("  ", do.call(paste, c(as.list(pad(colnames(cells), column_widths(cells), "right")), sep = "  ")))
}

cell_lines <- function(cells, own) {
  width <- column_widths(cells)
  columns <- lapply(seq_len(ncol(cells)), function(j) pad(cells[own, j], width[j], "right"))
  paste0("  ", do.call(paste, c(columns, sep = "  ")))
}

column_widths <- function(cells) pmax(nchar(colnames(cells)), apply(nchar(cells), 2L, max))

seconds_text <- function(seconds) {
  if (is.na(seconds)) "" else sprintf(" (%.3f s)", seconds)
}

#' @rdname compare_lmer
#' @param row.names,optional not used.
#' @export
as.data.frame.mixedlm_comparison <- function(x, row.names = NULL, optional = FALSE, ...) x$table
