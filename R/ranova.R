# Tests of random-effects terms: one reduced model for each row, and a table.

#' Tests of random-effects terms
#'
#' Likelihood-ratio tests of single terms of the random effects, REML or ML as the fit is. A variance under test
#' lies on the boundary of its range when the term is not there, so the null distribution is not
#' the usual chi-square; `method` says what is taken for it.
#'
#' @param model (`mixedlm`) a fit. Fits of lme4 go to the function of this name of package lmerTest.
#' @param method (`character(1)`) the null distribution, see below.
#' @param nsim (`integer(1)`) number of simulations; default 10000 for `"exact"`, 1000 for `"simulated"`.
#' @param seed (`integer(1)`) seed of the simulations. With a seed R's random number generator is left
#'   as it was; `NULL` takes one integer from it.
#' @param reduce.terms (`logical(1)`) whether terms with several columns are reduced by one of their variables
#'   (`TRUE`) or dropped as a whole.
#' @param ... not used.
#'
#' @section Reduced models:
#' `(1 | g)` is dropped. `(x | g)` becomes `(1 | g)`, `(x1 + x2 | g)` becomes `(x2 | g)` in one row and
#' `(x1 | g)` in the next; interactions go before their margins. Without an intercept, the columns of a factor
#' are reduced to `(1 | g)`; `(0 + x | g)` with a number `x` is dropped, since `(1 | g)` is not a special
#' case of it. Components of several columns with one variance are dropped. Fixed effects stay.
#'
#' @section Null distributions:
#' - `"chibar"`: a mixture of chi-square distributions (Self and Liang 1987; Stram and Lee 1994). With
#'   one variance and its `k` covariances under test, half `k` and half `k + 1` degrees of freedom. Where a
#'   row tests several variances, the mixture of `Df - 1` and `Df` degrees of freedom bounds
#'   the p-value from above: whatever their range is, it lies within the half-space in which one
#'   of them is positive. Asymptotic, and it takes the other variances to be positive.
#' - `"exact"`: for a term with one variance the distribution in finite samples, by the
#'   spectral representation of Crainiceanu and Ruppert (2004), simulated. Exact when the term is the
#'   only one; beside other random terms the approximation of Greven et al. (2008), which takes these as known.
#'   Other rows, and terms of more than 2000 effects, as for `"chibar"`.
#' - `"simulated"`: parametric bootstrap. Both models are fitted to responses made up from the reduced fit;
#'   `p = (1 + #{LRT* >= LRT}) / (nsim + 1)`. Replicates that fail count as `LRT* >= LRT`.
#' - `"naive"`: chi-square with `Df` degrees of freedom, as if there were no boundary. The
#'   p-values are too large, for one variance twice. The numbers of lmerTest.
#'
#' The heading of the table says what was taken for which row.
#'
#' @return A data frame of class `anova`, with columns `npar`, `logLik`, `AIC`, `LRT`, `Df` and
#'   `Pr(>Chisq)` and a row for the fit (`<none>`) and each reduced model. Attributes: `method`, what was taken for each row, and
#'   `formulae`, the reduced models.
#' @section Errors: `mixedlm_error_free` when a mask holds parameters of the fit.
#' @references
#' Crainiceanu CM, Ruppert D (2004). Likelihood ratio tests in linear mixed models with one variance
#' component. *Journal of the Royal Statistical Society B* **66**, 165-185.
#'
#' Greven S, Crainiceanu CM, Kuechenhoff H, Peters A (2008). Restricted likelihood ratio testing for
#' zero variance components in linear mixed models. *Journal of Computational and Graphical Statistics*
#' **17**, 870-891.
#'
#' Self SG, Liang K-Y (1987). Asymptotic properties of maximum likelihood estimators and likelihood
#' ratio tests under nonstandard conditions. *Journal of the American Statistical Association* **82**, 605-610.
#'
#' Stram DO, Lee JW (1994). Variance components testing in the longitudinal mixed effects model.
#' *Biometrics* **50**, 1171-1177.
#' @export
#' @examples
#' fit <- mixedlm(Weight ~ Time + (Time | Pig), dietox)
#' ranova(fit)
#' ranova(mixedlm(Weight ~ Time + (1 | Pig), dietox), method = "exact", seed = 1)
ranova <- function(model, ...) UseMethod("ranova")

#' @export
ranova.default <- function(model, ...) hand_over("lmerTest", "ranova", model, ...)

ranova_methods <- c("chibar", "exact", "simulated", "naive")

#' @rdname ranova
#' @export
ranova.mixedlm <- function(model, method = c("chibar", "exact", "simulated", "naive"), nsim = NULL,
                           seed = NULL, reduce.terms = TRUE, ...) {
  refuse_penalised(model, "A test of random effects")
  if (...length()) {
    check_no_dots(substitute(list(...))[-1L], names(formals(ranova.mixedlm)))
  }
  validate_mixedlm(model)
  method <- choose_one(method, ranova_methods, "method")
  if (!is.null(nsim) && method %in% c("chibar", "naive")) {
    check_nsim(nsim)
    abort("argument", paste0(
      "`nsim` is for method = \"exact\" or \"simulated\"; method = \"", method, "\" simulates nothing."
    ), argument = "nsim")
  }
  nsim <- check_nsim(nsim %||% if (method == "simulated") 1000L else 10000L)
  if (!is_flag(reduce.terms)) {
    abort("argument", paste0(
      "`reduce.terms` must be TRUE or FALSE; found ", describe(reduce.terms), "."
    ), argument = "reduce.terms")
  }
  check_not_held(model)
  check_seed(seed)
  reductions <- lapply(random_reductions(model, reduce.terms), fit_reduction, fit = model)
  tests <- if (method %in% c("exact", "simulated")) {
    with_local_seed(seed, lapply(reductions, test_reduction, fit = model, method = method, nsim = nsim))
  } else {
    lapply(reductions, test_reduction, fit = model, method = method)
  }
  ranova_table(model, reductions, tests)
}

check_nsim <- function(nsim) {
  if (!is_number(nsim) || nsim < 1 || nsim > 1e7 || nsim != round(nsim)) {
    abort("argument", paste0(
      "`nsim` must be a whole number of at least 1; found ", describe(nsim), "."
    ), argument = "nsim")
  }
  as.integer(nsim)
}

check_not_held <- function(fit) {
  free <- field(fit, "free")
  if (!is.null(free) && !identical(free, "diagonal")) {
    abort("free", paste0(
      "ranova() drops terms; the fit has a mask `free` that holds parameters, and there is no ",
      "telling what becomes of it."
    ), argument = "free")
  }
}

# What becomes of a test of one reduction: the p-value and a note on the null
# distribution.
test_reduction <- function(reduction, fit, method, nsim = 0L) {
  df <- reduction$df
  lrt <- reduction$lrt
  if (method == "simulated") {
    return(simulated_test(fit, reduction, nsim))
  }
  if (method == "exact" && reduction$single) {
    return(exact_test(fit, reduction, nsim))
  }
  if (method == "naive") {
    p <- stats::pchisq(lrt, df, lower.tail = FALSE)
    return(list(p = p, note = "chi-square, as if there were no boundary"))
  }
  note <- if (reduction$variances == 1L) {
    sprintf("half chi-square(%d), half chi-square(%d)", df - 1L, df)
  } else {
    sprintf("half chi-square(%d), half chi-square(%d), a bound for %d variances", df - 1L, df, reduction$variances)
  }
  list(p = chibar_tail(lrt, df), note = note)
}

# Tail of the half-and-half mixture of df - 1 and df degrees of freedom; with none
# all mass is at zero.
chibar_tail <- function(lrt, df) {
  lower <- if (df == 1L) as.numeric(lrt <= 0) else stats::pchisq(lrt, df - 1L, lower.tail = FALSE)
  (lower + stats::pchisq(lrt, df, lower.tail = FALSE)) / 2
}

# Parametric bootstrap under the reduced fit.
simulated_test <- function(fit, reduction, nsim) {
  generator <- reduction$fit
  criteria <- simulated_criteria(generator, list(fit, generator), nsim, draw_seed())
  statistic <- criteria[, 2L] - criteria[, 1L]
  failed <- sum(is.na(statistic))
  larger <- sum(statistic >= reduction$lrt - 1e-8, na.rm = TRUE) + failed
  note <- paste0(
    "parametric bootstrap, ", nsim, " replicates",
    if (failed) paste0(", of which ", failed, " failed")
  )
  list(p = (1 + larger) / (nsim + 1), note = note)
}

ranova_table <- function(fit, reductions, tests) {
  of <- function(name) vapply(reductions, function(r) as.numeric(r[[name]]), 0)
  labels <- vapply(reductions, `[[`, "", "label")
  loglik <- c(-field(fit, "criterion"), -of("criterion")) / 2
  npar <- c(n_parameters(fit), n_parameters(fit) - of("df"))
  table <- data.frame(
    npar = as.integer(npar), logLik = loglik, AIC = 2 * (npar - loglik),
    LRT = c(NA, of("lrt")), Df = c(NA, of("df")),
    p = c(NA, vapply(tests, `[[`, 0, "p"))
  )
  names(table)[6L] <- "Pr(>Chisq)"
  rownames(table) <- make.unique(c("<none>", labels))
  note <- vapply(tests, `[[`, "", "note")
  note <- paste0(note, ifelse(vapply(reductions, `[[`, NA, "boundary"), "; the reduced fit is on the boundary too", ""))
  structure(table,
    heading = ranova_heading(fit, labels, note),
    method = stats::setNames(note, labels),
    formulae = stats::setNames(lapply(reductions, `[[`, "formula"), labels),
    class = c("anova", "data.frame")
  )
}

ranova_heading <- function(fit, labels, note) {
  kind <- if (field(fit, "reml")) "restricted likelihood" else "likelihood"
  lines <- if (length(unique(note)) == 1L) {
    strwrap(paste0("Null distribution: ", note[1L]), 80L, exdent = 2L)
  } else {
    c("Null distributions:", strwrap(paste0(labels, ": ", note), 80L, indent = 2L, exdent = 4L))
  }
  c(
    paste0("Tests of random-effects terms by their ", kind, " ratios"), "",
    paste0("Model: ", one_line(formula(fit))), lines, ""
  )
}
