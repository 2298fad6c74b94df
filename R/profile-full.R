# Likelihood profiles of all parameters, as lme4's profile().

# Names of all parameters that can be profiled, short and long, in lme4's order:
# standard deviations and correlations, sigma, fixed effects.
profile_parameters <- function(fit) {
  elements <- sdcor_elements(fit)
  fe <- names(field(fit, "fe_params"))
  held <- diag(as.matrix(field(fit, "vcov_unscaled"))) == 0
  list(
    elements = elements,
    short = c(sdcor_names(fit, TRUE, elements), ".sigma", fe),
    long = c(sdcor_names(fit, FALSE, elements), "sigma", fe),
    random = c(rep(TRUE, nrow(elements) + 1L), rep(FALSE, length(fe))),
    correlation = c(elements$row != elements$column, rep(FALSE, 1L + length(fe))),
    # Places among the parameters that the core estimates; NA: a fixed effect that
    # `free` holds.
    place = c(
      seq_len(nrow(elements) + 1L),
      ifelse(held, NA_integer_, nrow(elements) + 1L + cumsum(!held))
    )
  )
}

# Numbers of the parameters that `which` asks for, and whether one by one.
# `what` is the class of the error.
select_parameters <- function(which, parameters, argument, what = "argument") {
  count <- length(parameters$short)
  if (is.null(which)) {
    return(list(number = seq_len(count), explicit = FALSE))
  }
  number <- if (is.character(which)) {
    unlist(lapply(which, function(name) {
      switch(name,
        theta_ = base::which(parameters$random),
        beta_ = base::which(!parameters$random),
        {
          at <- match(name, parameters$short)
          if (is.na(at)) match(name, parameters$long) else at
        }
      )
    }))
  } else if (is.logical(which) || (is.numeric(which) && all(is.na(which) | which == round(which)))) {
    tryCatch(seq_len(count)[which], error = function(e) NA)
  } else {
    NA
  }
  if (!length(number) || anyNA(number)) {
    abort(what, paste0(
      "`", argument, "` must name parameters (", quote_names(parameters$short),
      "), give their numbers, or be \"theta_\" or \"beta_\"; found ", describe(which), "."
    ), argument = argument)
  }
  explicit <- !is.character(which) || !all(which %in% c("theta_", "beta_"))
  list(number = unique(number), explicit = explicit)
}

# Profiles from the core: a list with, per parameter of `number`, its state, ends
# and a data frame of points; held ones are an error when asked for one by one.
run_profiles <- function(fit, parameters, selected, cutoff, delta, maxpts, exact) {
  number <- selected$number
  known <- !is.na(parameters$place[number])
  answer <- engine_profiles(
    fit, parameters$elements, parameters$place[number[known]], cutoff, delta, maxpts, exact
  )
  state <- rep("held", length(number))
  state[known] <- answer$state
  if (selected$explicit && any(state == "held")) {
    abort("profile", paste0(
      "There is no profile of ", quote_names(parameters$short[number[state == "held"]]),
      ": `free` holds it, or other elements of its covariance matrix."
    ), parameters = parameters$short[number[state == "held"]])
  }
  free <- !is.na(parameters$place)
  values <- matrix(NA_real_, length(answer$zeta), length(free))
  values[, free] <- t(answer$values)
  values[, !free] <- rep(
    unname(field(fit, "fe_params"))[!free[!parameters$random]],
    each = length(answer$zeta)
  )
  own <- rep(seq_along(number)[known], answer$count)
  warn_profiles(answer, parameters$short[number[own]])
  ends <- matrix("", 2L, length(number))
  ends[, known] <- answer$ends
  list(
    number = number, state = state, ends = ends, own = own, values = values,
    zeta = answer$zeta, slope = answer$slope, converged = answer$converged,
    deviance = answer$deviance, deviances = answer$deviances,
    estimates = replace(rep(NA_real_, length(free)), free, answer$estimates)
  )
}

warn_profiles <- function(answer, names) {
  if (!answer$verdict %in% c("optimum", "boundary")) {
    warn("profile", paste0(
      "The maximum-likelihood fit that the profiles start from ended with the verdict \"",
      answer$verdict, "\"; they may not mean much."
    ), verdict = answer$verdict)
  }
  slack <- 1e-6 + 1e-11 * abs(answer$deviance)
  lower <- answer$deviance - answer$deviances > slack
  if (any(lower)) {
    warn("profile", paste0(
      "Along the profile of ", quote_names(unique(names[lower])), " the deviance falls to ",
      format(min(answer$deviances), digits = 10L), ", below that of the fit, ",
      format(answer$deviance, digits = 10L), ": the fit is not the best one."
    ), deviance = min(answer$deviances))
  }
  if (!all(answer$converged)) {
    warn("profile", paste0(
      "The search over the other parameters did not end at a minimum on the profile of ",
      quote_names(unique(names[!answer$converged])), "; the profile stops there."
    ), parameters = unique(names[!answer$converged]))
  }
}

# The data frame with its splines.
full_profile <- function(fit, which = NULL, alphamax = 0.01, maxpts = 100, delta = NULL, signames = TRUE) {
  parameters <- profile_parameters(fit)
  selected <- select_parameters(which, parameters, "which", "profile")
  check_profile_settings(alphamax, maxpts, delta, signames)
  cutoff <- sqrt(stats::qchisq(alphamax, length(parameters$short), lower.tail = FALSE))
  run <- run_profiles(
    fit, parameters, selected, cutoff, min(delta %||% (cutoff / 8), cutoff), maxpts, FALSE
  )
  undefined <- run$state == "undefined"
  if (any(undefined)) {
    inform("undefined", paste0(
      "No profile of ", quote_names(parameters$short[run$number[undefined]]),
      ": the correlation of an effect that does not vary is not defined."
    ), parameters = parameters$short[run$number[undefined]])
  }
  names <- if (signames) parameters$short else parameters$long
  new_profiles(run, names, parameters, deparse1(field(fit, "formula")))
}

new_profiles <- function(run, names, parameters, formula) {
  made <- which(run$state == "profile")
  own <- names[run$number[run$own]]
  frame <- data.frame(run$zeta, run$values)
  names(frame) <- c(".zeta", names)
  frame$.par <- factor(own, levels = names[run$number[made]])
  forward <- backward <- list()
  for (i in made) {
    at <- run$own == i
    name <- names[run$number[i]]
    splines <- profile_splines(frame[[name]][at], run$zeta[at], run$slope[at], name)
    forward[[name]] <- splines$forward
    backward[[name]] <- splines$backward
  }
  ends <- run$ends[, made, drop = FALSE]
  dimnames(ends) <- list(c("lower", "upper"), names[run$number[made]])
  random <- parameters$random
  lower <- ifelse(random, ifelse(parameters$correlation, -1, 0), -Inf)
  upper <- ifelse(parameters$correlation, 1, Inf)
  structure(
    frame,
    forward = forward, backward = backward, ends = ends,
    lower = stats::setNames(lower, names), upper = stats::setNames(upper, names),
    estimates = stats::setNames(run$estimates, names), random = stats::setNames(random, names),
    converged = run$converged, deviance = run$deviance, model = formula,
    class = c("mixedlm_profiles", "data.frame")
  )
}

check_profile_settings <- function(alphamax, maxpts, delta, signames) {
  wrong <- function(argument, expected, found) {
    abort("profile", paste0(
      "`", argument, "` must be ", expected, "; found ", describe(found), "."
    ), argument = argument)
  }
  if (!is_number(alphamax) || alphamax <= 0 || alphamax >= 1) {
    wrong("alphamax", "a number between 0 and 1", alphamax)
  }
  if (!is_number(maxpts) || maxpts < 1 || maxpts > 1e6 || maxpts != round(maxpts)) {
    wrong("maxpts", "a whole number of at least 1", maxpts)
  }
  if (!is.null(delta) && (!is_number(delta) || delta <= 0)) {
    wrong("delta", "NULL or a positive number", delta)
  }
  if (!is_flag(signames)) {
    wrong("signames", "TRUE or FALSE", signames)
  }
}

#' @export
as.data.frame.mixedlm_profiles <- function(x, ...) {
  out <- plain_frame(x)
  focal <- match(as.character(out$.par), names(out))
  out$.focal <- as.matrix(out[seq_len(ncol(out) - 1L)])[cbind(seq_along(focal), focal)]
  out
}

# Without attributes and class.
plain_frame <- function(x) {
  keep <- c("names", "row.names")
  attributes(x) <- c(attributes(x)[keep], list(class = "data.frame"))
  x
}

#' @export
`[.mixedlm_profiles` <- function(x, ...) plain_frame(x)[...]

#' @export
print.mixedlm_profiles <- function(x, digits = max(3L, getOption("digits") - 3L), ...) {
  check_digits(digits)
  forward <- attr(x, "forward")
  cat(
    "Likelihood profiles of ", attr(x, "model"), "\n",
    "deviance ", format(attr(x, "deviance"), digits = max(digits, 7L)), " (ML), ",
    nrow(x), " points\n\n", sep = ""
  )
  table <- vapply(names(forward), function(name) {
    at <- x$.par == name
    c(
      attr(x, "estimates")[[name]], range(x[[name]][at]), range(x$.zeta[at]), sum(at)
    )
  }, numeric(6L))
  table <- as.data.frame(t(table))
  if (nrow(table)) {
    names(table) <- c("estimate", "from", "to", "zeta from", "zeta to", "points")
    note <- ifelse(attr(x, "ends") == "boundary", "boundary", ifelse(attr(x, "ends") == "cutoff", "", "stopped"))
    table$ends <- apply(note, 2L, function(e) {
      paste(paste(c("lower:", "upper:"), e)[nzchar(e)], collapse = ", ")
    })
    shown <- format(table, digits = digits)
    names(shown)[names(shown) == "ends"] <- ""
    print(shown)
  } else {
    cat("none\n")
  }
  invisible(x)
}
