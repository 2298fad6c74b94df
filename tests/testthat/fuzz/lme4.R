# The same model in lme4, where it fits it.
#
# A comparison is made only where both mean the same and lme4's arithmetic has the digits for it:
# - no rows of weight zero, the default search and the default settings;
# - the residual standard deviation is more than 1e-5 of the response's and of its largest value, and the effects of
#   random columns below 1e4 residual ones, in both fits: beyond that lme4's cross-products have no digits;
# - fixed and random effects cannot fit the response exactly, which leaves the likelihood without a maximum;
# - there are at most 15 of these factors, for lme4's time;
# - the columns of the fixed effects are none left out, and have, each scaled to length one, a condition number below 1e6.

lme4_arguments <- c("data", "REML", "weights", "offset", "subset", "na.action", "contrasts")

fit_of_lme4 <- function(model) {
  call <- model$call[names(model$call) %in% c("", "formula", lme4_arguments)]
  call$formula <- model$formula
  call[[1L]] <- quote(lme4::lmer)
  call$control <- quote(lme4::lmerControl(
    calc.derivs = FALSE, check.nobs.vs.rankZ = "ignore", check.nobs.vs.nlev = "ignore", check.nlev.gtr.1 = "ignore",
    check.nobs.vs.nRE = "ignore", check.rankX = "silent.drop.cols", check.scaleX = "ignore"
  ))
  utils::capture.output(
    theirs <- tryCatch(suppressWarnings(suppressMessages(eval(call, model$env))), error = identity)
  )
  theirs
}

# rows: how our call ended
compare_case <- function(model, ours, rows) {
  if (!is.null(ours) && length(getME(ours, "theta")) > 15L) {
    return(NULL)
  }
  # some versions of lme4 end the session at random effects whose columns are all zero
  if (is.null(ours) && grepl("is zero in every row", rows$message[1L], fixed = TRUE)) {
    return(outcome("lme4", "", "not comparable"))
  }
  theirs <- fit_of_lme4(model)
  say <- function(result, message = "", finding = FALSE) outcome("lme4", "", result, "", message, finding = finding)
  if (inherits(theirs, "error")) {
    return(say(if (is.null(ours)) "both refuse" else "lme4 refuses", conditionMessage(theirs)))
  }
  if (is.null(ours)) {
    return(outcome("lme4", "", "refused", rows$class[1L], rows$message[1L]))
  }
  if (!comparable(model, ours, theirs)) {
    return(say("not comparable"))
  }
  criterion <- -2 * as.numeric(stats::logLik(theirs))
  allowed <- 1e-6 + 1e-9 * abs(criterion)
  difference <- ours$criterion - criterion
  at_ours <- tryCatch(lme4::getME(theirs, "devfun")(getME(ours, "theta")), error = function(e) NULL)
  if (isTRUE(abs(at_ours - ours$criterion) > 100 * allowed)) {
    return(say("another criterion", sprintf("%.10g, lme4 at the same theta %.10g", ours$criterion, at_ours), TRUE))
  }
  if (difference > allowed) {
    return(say("above lme4", sprintf("%.3g above %.10g, verdict %s", difference, criterion, ours$optinfo$verdict), TRUE))
  }
  if (difference < -allowed) {
    return(say("below lme4", sprintf("%.3g", difference)))
  }
  compare_estimates(ours, theirs, say)
}

comparable <- function(model, ours, theirs) {
  y <- lme4::getME(theirs, "y")
  x <- lme4::getME(theirs, "X")
  plain <- !any(c("start", "free", "method", "control") %in% names(model$call)) && !length(ours$aliased) &&
    !any(stats::weights(theirs) <= 0)
  z <- lme4::getME(theirs, "Z")
  # lme4 passes over a level that is NA
  if (!plain || ncol(x) != length(ours$fe_params) || !identical(dim(z), dim(getME(ours, "Z")))) return(FALSE)
  y <- y - lme4::getME(theirs, "offset")
  noise <- min(stats::sigma(theirs), stats::sigma(ours)) / sqrt(max(stats::weights(theirs), 1))
  effects <- vapply(list(lme4::getME(theirs, "Lambda"), getME(ours, "Lambda")), function(Lambda) {
    max(abs(z %*% Lambda))
  }, 0)
  fine <- noise > 1e-5 * max(stats::sd(y), abs(y)) && all(effects < 1e4) && !is_saturated(x, z)
  if (is.na(fine) || !fine) return(FALSE)
  if (!ncol(x)) return(TRUE)
  size <- sqrt(colSums(x^2))
  all(size > 1e-100 & size < 1e100) && kappa(sweep(x, 2L, size, "/"), exact = TRUE) < 1e6
}

is_saturated <- function(x, z) {
  if (ncol(x) + ncol(z) < nrow(x)) {
    return(FALSE)
  }
  qr(cbind(x, as.matrix(z)))$rank >= nrow(x)
}

# Fixed effects in units of their standard errors, fitted values in units of the residual standard deviation. A flat
# criterion has many optima.
compare_estimates <- function(ours, theirs, say) {
  if (ours$optinfo$verdict == "flat") return(say("same criterion, flat"))
  b <- unname(lme4::fixef(theirs))
  se <- sqrt(diag(as.matrix(stats::vcov(theirs))))
  apart <- max(abs(ours$fe_params - b) / se, 0)
  spread <- max(abs(stats::fitted(ours) - stats::fitted(theirs)), na.rm = TRUE) / stats::sigma(theirs)
  if (apart > 0.02 || spread > 0.1) {
    return(say("other estimates", sprintf("fixed effects %.2g SE, fitted values %.2g sigma apart", apart, spread), TRUE))
  }
  say("same as lme4")
}
