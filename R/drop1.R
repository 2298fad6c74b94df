# drop1(): every term that can go, one at a time.

#' Drop terms of the fixed effects
#'
#' The model without each of the terms that can be dropped, compared with the
#' whole. The random effects stay as they are.
#'
#' @param object (`mixedlm`) a fit.
#' @param scope (`formula` or `character`) the terms to drop; default those that are not marginal to
#'   another term: `A` is not dropped while `A:B` is in the model.
#' @param scale not used; there for the generic.
#' @param test (`character(1)`) `"none"`: AIC only. `"Chisq"`: likelihood ratio
#'   tests. Both by ML; a REML fit is fitted again, with a message. `"F"`: F tests
#'   within the fit as it is; the default when `ddf` (other than lmerTest's `"lme4"`), `vcov` or `cluster` is given.
#' @param k (`numeric(1)`) the penalty per parameter: 2 for AIC, `log(nobs(object))` for BIC.
#' @param trace (`logical(1)`) lme4's argument; only `FALSE`, nothing is traced.
#' @param ddf,vcov,cluster for `test = "F"`, as for [anova.mixedlm()].
#' @param ... not used.
#' @return A data frame of class `anova`. `npar` (parameters that go), `AIC`, and for
#'   `"Chisq"` `LRT` and `Pr(Chi)`, as lme4 has them, the first row the whole model; for `"F"` the columns of
#'   [anova.mixedlm()], one row per term.
#' @section Errors: `mixedlm_error_free` for likelihoods when `free` has a mask for the fixed effects; F tests are there for
#'   those that are estimated.
#' @importFrom stats drop1
#' @export
#' @seealso [anova.mixedlm()] for tests of all terms, [ranova()] for random effects.
#' @examples
#' fit <- mixedlm(Weight ~ Cu * Time + Evit, dietox, groups = "Pig", REML = FALSE)
#' drop1(fit, test = "Chisq")
#' drop1(fit, test = "F")
drop1.mixedlm <- function(object, scope, scale = 0, test = c("none", "Chisq", "F"), k = 2,
                          trace = FALSE,
                          ddf = c("Satterthwaite", "Kenward-Roger", "normal", "residual", "none"),
                          vcov = c("model", "CR0", "CR1", "CR1p", "CR1S", "CR2", "CR3"), cluster = NULL,
                          ...) {
  if (...length()) {
    check_no_dots(substitute(list(...))[-1L], names(formals(drop1.mixedlm)))
  }
  chosen <- (!missing(ddf) && !identical(ddf, "lme4")) || !missing(vcov) || !missing(cluster)
  test <- if (missing(test) && chosen) "F" else choose_one(test, c("none", "Chisq", "F"), "test")
  if (chosen && test != "F") {
    abort("argument", paste0("`ddf`, `vcov` and `cluster` are for test = \"F\"; found \"", test, "\"."), argument = "test")
  }
  if (!is_number(k) || k < 0) {
    abort("argument", paste0("`k` must be a number that is not negative; found ", describe(k), "."), argument = "k")
  }
  if (!identical(trace, FALSE)) {
    abort("argument", paste0(
      "`trace` can only be FALSE, nothing is traced; found ", describe(trace), ". For stepwise searches there are ",
      "MASS::stepAIC() and lmerTest::step(); stats::step() does not know the table of mixed models."
    ), argument = "trace")
  }
  check_ddf(ddf)
  scope <- drop_scope(object, if (!missing(scope)) scope)
  model <- c("\nModel:", one_line(formula(object)))
  if (test == "F") {
    basis <- tests_basis(object, ddf, vcov, cluster)
    label <- basis_label(basis)
    title <- paste0("Single term deletions", if (!is.null(label)) paste0(" using ", label, ":"))
    return(structure(drop_by_f(object, scope, basis), heading = c(title, model)))
  }
  structure(drop_by_likelihood(object, scope, test, k),
    heading = c("Single term deletions", model)
  )
}

# Labels of the terms to drop.
drop_scope <- function(fit, scope) {
  tt <- field(fit, "terms")
  allowed <- stats::drop.scope(tt)
  if (is.null(scope)) {
    return(allowed)
  }
  labels <- if (is.character(scope)) {
    scope
  } else if (inherits(scope, "formula")) {
    attr(stats::terms(stats::update.formula(field(fit, "parsed")$fixed, scope)), "term.labels")
  }
  if (is.null(labels) || anyNA(labels)) {
    abort("argument", paste0(
      "`scope` must be a one-sided formula or names of terms; found ", describe(scope), "."
    ), argument = "scope")
  }
  known <- attr(tt, "term.labels")
  unknown <- labels[!labels %in% known]
  if (length(unknown)) {
    abort("argument", paste0(
      "`scope` names ", quote_names(unknown), ", which is not a term of the fixed effects.",
      suggest(unknown[1L], known)
    ), argument = "scope")
  }
  labels
}

# The parsed model without a term of the fixed effects.
parsed_without <- function(parsed, label) {
  change <- make_formula(quote(.), call("-", quote(.), str2lang(label)), environment(parsed$fixed))
  parsed$fixed <- stats::update.formula(parsed$fixed, change)
  bars <- split_bars(parsed$formula[[3L]])$bars
  bars <- lapply(bars, function(bar) if (is_bar(bar)) call("(", bar) else bar)
  parsed$formula <- parsed$fixed
  parsed$formula[[3L]] <- Reduce(function(a, b) call("+", a, b), bars, parsed$fixed[[3L]])
  parsed
}

# A mask has one value per fixed effect, so it does not fit a model with fewer.
check_no_held_effects <- function(fit) {
  if (inherits(field(fit, "free"), "mixedlm_params") && !is.null(field(fit, "free")$fe_params)) {
    abort("free", paste0(
      "drop1() fits models with fewer fixed effects; the fit has a mask `free` for those that it has. ",
      "Use test = \"F\", which tests those that are estimated."
    ), argument = "free")
  }
}

drop_by_likelihood <- function(fit, scope, test, k) {
  check_no_held_effects(fit)
  if (field(fit, "reml")) {
    inform("refit", "refitting model(s) with ML (instead of REML)")
    fit <- fit_again(fit, reml = FALSE)
  }
  fits <- c(list(fit), lapply(scope, function(label) {
    fit_again(fit, reml = FALSE, parsed = parsed_without(field(fit, "parsed"), label))
  }))
  likelihood <- lapply(fits, logLik)
  df <- vapply(likelihood, attr, 0, "df")
  value <- vapply(likelihood, as.numeric, 0)
  table <- data.frame(
    npar = c(NA, df[1L] - df[-1L]), AIC = -2 * value + k * df,
    row.names = c("<none>", scope)
  )
  if (test == "Chisq") {
    table$LRT <- c(NA, pmax(0, 2 * (value[1L] - value[-1L])))
    table$`Pr(Chi)` <- stats::pchisq(table$LRT, table$npar, lower.tail = FALSE)
    table$`Pr(Chi)`[which(table$npar == 0)] <- NA
  }
  class(table) <- c("anova", "data.frame")
  table
}

# The hypothesis that the fixed effects lie where the smaller model has them.
drop_by_f <- function(fit, scope, basis) {
  design <- fixed_design(fit)
  base <- unit_columns(treatment_design(fit, design))
  hypotheses <- lapply(scope, function(label) {
    before <- fixed_without(fit, label)
    both <- triangle(cbind(before, base$x))
    at_end <- seq_len(ncol(both)) > ncol(before)
    rows <- added_rows(both, !at_end, at_end, c(rep(FALSE, ncol(before)), base$kept))
    # a column of a matrix may have a name that its label quotes
    own <- base$assign == match(label, attr(field(fit, "terms"), "term.labels"))
    given_columns(echelon_rows(rows, own[base$kept]), base, design)
  })
  names(hypotheses) <- scope
  structure(
    joint_table(basis, hypotheses, field(fit, "scale")),
    hypotheses = hypotheses, ddf = ddf_names[[basis$method]][1L] %||% basis$type
  )
}

# The fixed-effects design without a term.
fixed_without <- function(fit, label) {
  frame <- field(fit, "frame")
  parsed <- parsed_without(field(fit, "parsed"), label)
  smaller <- frame_terms(stats::terms(parsed$fixed), attr(frame, "terms"), frame)
  fixed_matrix(smaller, frame, shared_contrasts(fit, parsed))
}
