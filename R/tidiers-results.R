# tidy() of what the inference functions return.

#' Tidy data frames of profiles, bootstraps and tests
#'
#' One row per parameter, in the columns that package broom has for such results.
#'
#' @param x what [profile.mixedlm()], [bootstrap()] or [linear_hypothesis()] returned. (Tables of [anova.mixedlm()], [drop1.mixedlm()]
#'   and [ranova()] are of class `anova`, for which package broom has `tidy()`.)
#' @param conf.int (`logical(1)`) whether confidence limits are given.
#' @param conf.level (`numeric(1)`) confidence level; for a hypothesis the level that it was made with.
#' @param conf.method (`character(1)`) of the bootstrap's limits: `"perc"`, `"basic"`, `"norm"` or `"bca"`.
#' @param ... not used.
#' @return A tibble if package tibble is installed, else a data frame, with one row per parameter.
#'
#' Profiles: `term`, `estimate`, `conf.low`, `conf.high`. Bootstrap: `term`, `statistic` (the estimate), `bias`,
#' `std.error`, `conf.low`, `conf.high`, as for package boot. Hypotheses: `term`, `null.value`, `estimate`,
#' `std.error`, `statistic`, `df`, `p.value`, `conf.low`, `conf.high`.
#' @name mixedlm-tidiers-results
#' @section Errors:
#' `mixedlm_error_argument` for arguments that cannot be used.
#' @seealso [mixedlm-tidiers] for fits
#' @examples
#' fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
#' tidy(bootstrap(fit, nsim = 100, seed = 1), conf.int = TRUE)
#' tidy(linear_hypothesis(fit, "Time = 7"))
NULL

#' @rdname mixedlm-tidiers-results
#' @export
tidy.mixedlm_profiles <- function(x, conf.int = TRUE, conf.level = 0.95, ...) {
  if (...length()) {
    check_no_dots(substitute(list(...))[-1L], names(formals(tidy.mixedlm_profiles)))
  }
  check_flags(conf.int = conf.int)
  check_level(conf.level)
  names <- levels(x$.par)
  out <- data.frame(term = names, estimate = unname(attr(x, "estimates")[names]))
  if (conf.int) {
    limits <- without_boundary(stats::confint(x, level = conf.level))
    out[c("conf.low", "conf.high")] <- list(unname(limits[, 1L]), unname(limits[, 2L]))
  }
  table_out(out)
}

#' @rdname mixedlm-tidiers-results
#' @export
tidy.mixedlm_bootstrap <- function(x, conf.int = FALSE, conf.level = 0.95,
                                   conf.method = c("perc", "basic", "norm", "bca"), ...) {
  if (...length()) {
    check_no_dots(substitute(list(...))[-1L], names(formals(tidy.mixedlm_bootstrap)))
  }
  check_flags(conf.int = conf.int)
  table <- boot_table(x)
  out <- data.frame(
    term = rownames(table), statistic = unname(table[, "Estimate"]), bias = unname(table[, "Bias"]),
    std.error = unname(table[, "Std. Error"])
  )
  if (conf.int) {
    conf.method <- choose_one(conf.method, c("perc", "basic", "norm", "bca"), "conf.method")
    limits <- unclass(stats::confint(x, level = conf.level, type = conf.method))
    out[c("conf.low", "conf.high")] <- list(unname(limits[, 1L]), unname(limits[, 2L]))
  }
  table_out(out)
}

#' @rdname mixedlm-tidiers-results
#' @export
tidy.mixedlm_hypothesis <- function(x, conf.int = TRUE, ...) {
  if (...length()) {
    check_no_dots(substitute(list(...))[-1L], names(formals(tidy.mixedlm_hypothesis)))
  }
  check_flags(conf.int = conf.int)
  columns <- c("estimate", "std.error", "statistic", "df", "p.value", if (conf.int) c("conf.low", "conf.high"))
  table_out(data.frame(
    term = rownames(x$table), null.value = x$rhs, x$table[columns], row.names = NULL
  ))
}
