# Confidence intervals from replicates.

#' Bootstrap confidence intervals
#'
#' Intervals of the statistics of a bootstrap, in their own units: fixed effects, standard deviations and correlations,
#' or what `FUN` returned.
#'
#' @param object (`mixedlm_bootstrap`) what [bootstrap()] returned.
#' @param parm (`character` or `integer`) which statistics; default all.
#' @param level (`numeric(1)`) confidence level.
#' @param type (`character(1)`)
#'   - `"perc"`: quantiles of the replicates.
#'   - `"basic"`: the same distances, mirrored at the estimate.
#'   - `"norm"`: normal, with the bootstrap's bias and standard error.
#'   - `"bca"`: quantiles adjusted for bias and acceleration (Efron 1987). The acceleration is that of a
#'     jackknife, which leaves out the independent groups one by one (where there are more than 200, in 200 blocks) and is run
#'     when it is asked for; so there must be such groups.
#' @param ... not used.
#'
#' @details
#' Quantiles are interpolated between order statistics on the scale of the normal
#' distribution (Davison and Hinkley 1997, eq. 5.8), as in the boot package.
#' A limit that would lie beyond the replicates is `NA`, with a note: more
#' replicates are needed. Failed replicates are left out.
#'
#' For `"bca"` replicates that equal the estimate count as half below it: with a variance that is estimated as zero there
#' are many. Otherwise the intervals are those of `boot::boot.ci()` from the same replicates and acceleration.
#' @return A matrix with a lower and an upper limit per statistic. Attributes: `type`, `used` (replicates used, per
#'   statistic), `notes` (why limits are `NA`).
#' @section Errors: `mixedlm_error_bootstrap` for `"bca"` without independent
#'   groups; `mixedlm_error_argument` for arguments that cannot be used.
#' @references
#' Davison, A. C. and Hinkley, D. V. (1997) *Bootstrap Methods and their Application*. Cambridge University Press.
#'
#' Efron, B. (1987) Better bootstrap confidence intervals. *Journal of the American Statistical Association* 82, 171-185.
#' @export
#' @seealso [bootstrap()], [confint.mixedlm()]
#' @examples
#' fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig")
#' b <- bootstrap(fit, nsim = 500, seed = 1)
#' confint(b)
#' confint(b, ".sig01", type = "bca")
confint.mixedlm_bootstrap <- function(object, parm = NULL, level = 0.95,
                                      type = c("perc", "basic", "norm", "bca"), ...) {
  if (...length()) {
    check_no_dots(substitute(list(...))[-1L], names(formals(confint.mixedlm_bootstrap)))
  }
  type <- choose_one(type, c("perc", "basic", "norm", "bca"), "type")
  check_level(level)
  chosen <- boot_chosen(parm, names(object$t0))
  tail <- c((1 - level) / 2, 1 - (1 - level) / 2)
  a <- if (type == "bca") acceleration(jackknife(object))
  limits <- matrix(NA_real_, length(chosen), 2L, dimnames = list(
    names(object$t0)[chosen], limit_names(level)
  ))
  notes <- character()
  used <- stats::setNames(integer(length(chosen)), rownames(limits))
  for (k in seq_along(chosen)) {
    t <- object$t[, chosen[k]]
    t <- t[is.finite(t)]
    used[k] <- length(t)
    t0 <- object$t0[[chosen[k]]]
    limits[k, ] <- boot_limits(t, t0, tail, type, a[chosen[k]])
    notes <- c(notes, limit_note(limits[k, ], rownames(limits)[k], t, t0, type))
  }
  structure(limits, type = type, used = used, notes = notes, class = "mixedlm_bootstrap_limits")
}

boot_chosen <- function(parm, names) {
  if (is.null(parm)) {
    return(seq_along(names))
  }
  chosen <- if (is.character(parm)) {
    match(parm, names)
  } else {
    tryCatch(seq_along(names)[parm], error = function(e) NA)
  }
  if (!length(chosen) || anyNA(chosen)) {
    abort("argument", paste0(
      "`parm` must name statistics of the bootstrap (", quote_names(names), "); found ",
      describe(parm), "."
    ), argument = "parm")
  }
  chosen
}

boot_limits <- function(t, t0, tail, type, a = 0) {
  if (length(t) < 2L || !is.finite(t0)) {
    return(c(NA_real_, NA_real_))
  }
  switch(type,
    perc = boot_quantile(t, tail),
    basic = 2 * t0 - boot_quantile(t, rev(tail)),
    norm = 2 * t0 - mean(t) + stats::qnorm(tail) * stats::sd(t),
    bca = {
      z0 <- stats::qnorm((sum(t < t0) + sum(t == t0) / 2) / length(t))
      z <- z0 + stats::qnorm(tail)
      # Efron (1987), eq. 2.3
      boot_quantile(t, stats::pnorm(z0 + z / (1 - a * z)))
    }
  )
}

# Quantiles between the order statistics k and k + 1 around (R + 1) alpha, on
# the normal scale; NA beyond the first and the last.
boot_quantile <- function(t, alpha) {
  n <- length(t)
  sorted <- sort(t)
  vapply(alpha, function(p) {
    at <- (n + 1) * p
    k <- floor(at + 1e-9)
    if (is.na(p) || k < 1 || k > n || k == n && at > n + 1e-9) {
      return(NA_real_)
    }
    if (abs(at - k) < 1e-9) {
      return(sorted[k])
    }
    z <- stats::qnorm(c(p, k / (n + 1), (k + 1) / (n + 1)))
    sorted[k] + (z[1L] - z[2L]) / (z[3L] - z[2L]) * (sorted[k + 1] - sorted[k])
  }, 0)
}

limit_note <- function(limits, name, t, t0, type) {
  if (!anyNA(limits)) {
    return(character())
  }
  paste0(name, ": ", if (!is.finite(t0)) {
    "the estimate is not a number"
  } else if (length(t) < 2L) {
    "fewer than two replicates have a value"
  } else if (type == "bca" && (all(t <= t0) || all(t >= t0))) {
    "the estimate lies at the end of the replicates, which tells nothing of its bias"
  } else {
    paste0("a limit lies beyond the ", length(t), " replicates; take more of them")
  })
}

#' @export
print.mixedlm_bootstrap_limits <- function(x, digits = max(3L, getOption("digits") - 3L), ...) {
  check_digits(digits)
  words <- c(perc = "percentile", basic = "basic", norm = "normal", bca = "BCa")
  cat("Bootstrap intervals (", words[[attr(x, "type")]], ")\n", sep = "")
  print(unclass_limits(x), digits = digits, ...)
  if (length(attr(x, "notes"))) {
    cat(paste0("NA: ", attr(x, "notes"), ".\n"), sep = "")
  }
  invisible(x)
}

#' @export
`[.mixedlm_bootstrap_limits` <- function(x, ...) unclass_limits(x)[...]

unclass_limits <- function(x) {
  matrix(as.numeric(x), ncol = 2L, dimnames = dimnames(x))
}

# --- jackknife ----------------------------------------------------------------

most_blocks <- 200L

# The statistics without each block of groups, a row per block.
jackknife <- function(boot) {
  fit <- boot$fit
  blocks <- min(most_blocks, independent_groups(fit))
  if (is.null(boot$FUN)) {
    raw <- boot_replicates(fit, "jackknife", 0L, blocks, FALSE, blocks = blocks)
    return(replicate_estimates(fit, raw))
  }
  boot_statistic(fit, "jackknife", 0L, blocks, FALSE, boot$FUN, boot$dots, blocks = blocks)$t
}

# Their number: the levels of the outermost factor, in which all others are
# nested.
independent_groups <- function(fit) {
  factors <- field(fit, "factors")
  factors <- factors[unique(vapply(field(fit, "random"), `[[`, 0L, "factor"))]
  n_levels <- vapply(factors, function(f) length(f$levels), 0L)
  outer <- factors[[which.min(n_levels)]]
  nested <- vapply(factors, is_nested, NA, outer)
  if (!all(nested) || min(n_levels) < 2L) {
    abort("bootstrap", paste0(
      "type = \"bca\" needs independent groups for its jackknife: ",
      if (all(nested)) {
        "all rows belong to one group"
      } else {
        paste0("the levels of ", quote_names(factors[[which(!nested)[1L]]]$name), " and ",
          quote_names(outer$name), " are crossed")
      },
      ". Use \"perc\", \"basic\" or \"norm\"."
    ), argument = "type")
  }
  min(n_levels)
}

# Davison and Hinkley (1997), eq. 5.23 with the jackknife's influence values.
acceleration <- function(t) {
  apply(t, 2L, function(v) {
    v <- v[is.finite(v)]
    d <- mean(v) - v
    s <- sum(d^2)
    if (s > 0) sum(d^3) / (6 * s^1.5) else 0
  })
}
