# Every setting of a fit, with its default and its range, in one place.

methods_known <- c("newton", "bfgs", "lbfgs", "nelder-mead", "em")

#' Settings of a fit
#'
#' All numerical settings of [mixedlm()], with their defaults. The defaults are
#' meant to be left alone: the stopping rule is a statement about the criterion
#' itself and does not depend on the units of the data.
#'
#' @param maxit (`integer(1)`) largest number of iterations of the optimiser,
#'   1 to 1e6. A fit that uses them up has the verdict `"maxit"`. The default
#'   `NULL` means 200 for `"newton"` and 10000 for the other methods.
#' @param tol (`numeric(1)`) the optimiser stops when the Newton decrement
#'   \eqn{\frac12 g' H^{-1} g}{0.5 g' H^-1 g}, the reduction of -2 log-likelihood that a full
#'   Newton step promises, is below `tol`. Between 1e-16 and 1.
#' @param em_steps (`integer(1)`) number of EM steps before the optimiser
#'   starts, 0 to 1000. The default `NULL` means 12 on small data and 3 where an
#'   evaluation is expensive.
#' @param threads (`integer(1)`) number of threads for models with many groups,
#'   1 to 1024. The result is the same to the last bit whatever their number.
#'   The default is the option `mixedlm.threads`, else 2, or fewer where there is one core,
#'   where the option `mc.cores` or the environment variable `OMP_NUM_THREADS` says so, and
#'   1 in a process that shares the machine with others of its kind: a child of
#'   [parallel::mclapply()], a worker of [parallel::makeCluster()] or of the package 'future'.
#'   A default is found again by each computation with a fit. Whatever was asked for is
#'   limited by the environment variables `OMP_THREAD_LIMIT` and `_R_CHECK_LIMIT_CORES_` (2)
#'   where they are set.
#' @param rank_tol (`numeric(1)`) a column of the fixed-effects design is
#'   aliased when what is left of it, after the columns before it are taken out,
#'   is shorter than `rank_tol` times the column. As in [stats::lm()]. Between
#'   1e-15 and 0.1.
#' @param progress (`logical(1)`) whether a fit that takes more than about two
#'   seconds reports its progress. The default does so in interactive sessions.
#' @param max_memory (`numeric(1)`, in bytes, or a string such as `"2GB"` or
#'   `"500 MB"`) how much memory the computation may take. A model that needs more is
#'   refused before any of it is taken, with the figure, by an error of class
#'   `mixedlm_error_memory`. The units of a string are `B`, `KB`, `MB`, `GB` and
#'   `TB`, each 1024 times the one before. Between 1 byte and 1e18. The default
#'   `NULL` means half of the machine's memory, or of what its container or `ulimit -v` leaves of it.
#' @return A list of class `mixedlm_control` with the checked settings.
#' @section Errors: a setting of the wrong type or out of its range gives an
#'   error of class `mixedlm_error_control`.
#' @seealso [mixedlm()], argument `control`.
#' @export
#' @examples
#' mixedlm_control(maxit = 50, threads = 1)
mixedlm_control <- function(maxit = NULL, tol = 1e-10, em_steps = NULL,
                            threads = default_threads(),
                            rank_tol = 1e-7, progress = interactive(),
                            max_memory = NULL) {
  if (!is.null(maxit)) {
    maxit <- control_integer(maxit, "maxit", 1, 1e6)
  }
  if (!is.null(em_steps)) {
    em_steps <- control_integer(em_steps, "em_steps", 0, 1000)
  }
  by_default <- missing(threads) && is.null(getOption("mixedlm.threads"))
  structure(
    list(
      maxit = maxit,
      tol = control_number(tol, "tol", 1e-16, 1),
      em_steps = em_steps,
      threads = limit_threads(control_integer(threads, "threads", 1, 1024)),
      rank_tol = control_number(rank_tol, "rank_tol", 1e-15, 0.1),
      progress = control_flag(progress, "progress"),
      max_memory = control_bytes(max_memory, "max_memory")
    ),
    class = "mixedlm_control", threads_by_default = by_default
  )
}

#' @export
print.mixedlm_control <- function(x, ...) {
  cat("Settings of mixedlm()\n")
  value <- vapply(x, function(v) if (is.null(v)) "by default" else format(v), "")
  cat(paste0("  ", format(names(x)), " ", value, "\n"), sep = "")
  invisible(x)
}

control_number <- function(x, name, from, to) {
  if (!is_number(x) || x < from || x > to) {
    abort("control", sprintf(
      "`%s` must be one number between %s and %s, not %s.",
      name, format(from), format(to), describe(x)
    ), argument = name)
  }
  as.double(x)
}

control_integer <- function(x, name, from, to) {
  if (!is_number(x) || x < from || x > to || x != round(x)) {
    abort("control", sprintf(
      "`%s` must be a whole number between %s and %s, not %s.",
      name, format(from), format(to, scientific = FALSE), describe(x)
    ), argument = name)
  }
  as.integer(x)
}

# A number of bytes, or text such as "2GB" -> bytes; NULL stays.
control_bytes <- function(x, name) {
  if (is.null(x)) {
    return(NULL)
  }
  bytes <- if (is_string(x)) bytes_of_text(x) else x
  if (!is_number(bytes) || bytes < 1 || bytes > 1e18) {
    abort("control", sprintf(
      "`%s` must be a number of bytes between 1 and 1e18 or a string such as \"2GB\", not %s.",
      name, describe(x)
    ), argument = name)
  }
  as.double(bytes)
}

byte_units <- c("B", "KB", "MB", "GB", "TB")

# NA when the text is not a number and a unit.
bytes_of_text <- function(text) {
  parts <- regmatches(text, regexec("^ *([0-9.]+(?:e[+-]?[0-9]+)?) *([KMGT]?)(i?)B *$", text, ignore.case = TRUE))[[1L]]
  if (!length(parts)) {
    return(NA_real_)
  }
  power <- match(paste0(toupper(parts[3L]), "B"), byte_units) - 1
  suppressWarnings(as.numeric(parts[2L])) * 1024^power
}

control_flag <- function(x, name) {
  if (!is_flag(x)) {
    abort("control", sprintf(
      "`%s` must be TRUE or FALSE, not %s.", name, describe(x)
    ), argument = name)
  }
  x
}

# A control object from what the user gave as `control`: such an object, or a
# named list of settings.
as_control <- function(control) {
  if (inherits(control, "mixedlm_control")) {
    return(control)
  }
  if (inherits(control, "merControl")) {
    inform("control", paste0(
      "`control` holds settings of lme4's optimisers and checks, which are passed over; mixedlm() has those of ",
      "mixedlm_control()."
    ), argument = "control")
    return(mixedlm_control())
  }
  if (is.null(control)) {
    return(mixedlm_control())
  }
  if (!is.list(control) || is.object(control)) {
    abort("control", paste0(
      "`control` must be made by mixedlm_control() or be a named list of its ",
      "settings, not ", describe(control), "."
    ), argument = "control")
  }
  known <- names(formals(mixedlm_control))
  name <- names(control)
  if (length(control) && (is.null(name) || !all(name %in% known))) {
    bad <- setdiff(name, known)
    bad <- bad[nzchar(bad)]
    abort("control", paste0(
      "`control` has ",
      if (length(bad)) paste("no setting", quote_names(bad)) else "a setting without a name",
      "; mixedlm_control() lists them.",
      if (length(bad)) suggest(bad[1L], known)
    ), argument = "control")
  }
  if (anyDuplicated(name)) {
    abort("control", paste0(
      "`control` gives ", quote_names(name[duplicated(name)][1L]), " twice."
    ), argument = "control")
  }
  do.call(mixedlm_control, control)
}

check_method <- function(method) {
  if (is.null(method)) {
    return("newton")
  }
  if (is_string(method)) {
    found <- tolower(method)
    if (found %in% methods_known) {
      return(found)
    }
    # scipy's name for the same method
    if (found == "nm") {
      return("nelder-mead")
    }
  }
  abort("method", paste0(
    "`method` must be one of ", paste0("\"", methods_known, "\"", collapse = ", "),
    ", not ", describe(method), "."
  ), argument = "method")
}

check_reml <- function(reml) {
  if (!is_flag(reml)) {
    abort("REML", paste0(
      "`REML` must be TRUE or FALSE, not ", describe(reml), "."
    ), argument = "REML")
  }
  reml
}
