# anova(): one fit term by term, or several fits compared.

#' Tests of terms, and comparison of fits
#'
#' With one fit, a test of every term of the fixed effects, as lmerTest prints
#' it. With several, likelihood ratio tests between them, as lme4 prints them.
#'
#' @param object (`mixedlm`) a fit.
#' @param ... other fits, of the same rows and the same response: by [mixedlm()],
#'   `lme4::lmer()` (fitted again as [mixedlm()] does) or [stats::lm()] (the model without random
#'   effects).
#' @param type (`"III"`, `"II"`, `"I"`, or 3, 2, 1) the type of the hypotheses,
#'   see Details.
#' @param ddf (`character(1)`) degrees of freedom of the denominators, see [mixedlm-ddf].
#'   `"normal"` gives Wald's chi-square tests; `"none"` F values alone.
#' @param vcov (`character(1)`) covariance of the fixed effects: `"model"`, or a cluster-robust one, see
#'   [mixedlm-robust], with F tests by its own degrees of freedom (`ddf` does not apply).
#' @param cluster for the robust covariances: what the clusters are, `NULL` for the outermost grouping factor.
#' @param refit (`logical(1)`) whether REML fits are fitted again by ML before
#'   they are compared. With `FALSE` REML fits are compared as they are, provided
#'   that all have the same fixed effects.
#' @param model.names (`character`, one per fit) names for the rows; default
#'   as written in the call.
#'
#' @details
#' **Types**, as in SAS. Type I: each term after those before it. Type II: each term after all
#' others that do not contain it. Type III: each term after all others, where
#' it is contained in another averaged over the levels of that one's factors, each with the same weight. A term
#' contains another when it has the same numeric variables, all the factors, and more factors (splines and
#' polynomials are numeric).
#' The hypotheses and the F statistics do not depend on the contrasts of the factors, and
#' rank-deficient designs and empty cells are handled as SAS does; with empty cells
#' type III depends on which they are. A term that was left out of the fit altogether, as a copy of another
#' one, counts as absent. The hypotheses are those of the design alone; `car::Anova()` has other ones of
#' type II, which depend on the covariance of the estimates. Satterthwaite's degrees of freedom of
#' several contrasts are made from treatment contrasts, whatever contrasts are in
#' use. (Where contrasts leave out part of a factor, type III tests the coefficients
#' of a contained term as they are.) In a fit made from matrices every
#' column is a term.
#'
#' **Comparison.** The fits are sorted by their number of parameters. A p-value is
#' right where the smaller model is a special case of the larger one, which is not
#' checked. Where the two differ in their random effects, so that a variance is
#' tested against zero, the chi-square distribution is not the right one and the
#' p-value is too large (conservative), for one variance up to twice. See `ranova()` for tests that
#' take this into account. REML likelihoods can only be compared between
#' fits with the same fixed effects, since each is the likelihood of other contrasts of the data.
#'
#' @return A data frame of class `anova`. For one fit: `Sum Sq`, `Mean Sq` (F times the residual variance),
#'   `NumDF`, `DenDF`, `F value`, `Pr(>F)`; `Chisq`, `Df`, `Pr(>Chisq)` for
#'   `ddf = "normal"`; `npar`, `Sum Sq`, `Mean Sq`, `F value` for `"none"`. The matrices of the
#'   hypotheses are in the attribute `hypotheses`. For several: `npar`, `AIC`, `BIC`,
#'   `logLik`, `deviance`, `Chisq`, `Df`, `Pr(>Chisq)`.
#' @section Errors: `mixedlm_error_ddf` for a method that is not defined for the fit;
#'   `mixedlm_error_comparison` for fits that cannot be compared. A refit by ML is told by a
#'   message, `mixedlm_message_refit`.
#' @references
#' Kuznetsova A, Brockhoff PB, Christensen RHB (2017). lmerTest package: tests in linear mixed effects models. *Journal of
#' Statistical Software* **82**(13), 1-26.
#'
#' SAS Institute (1978). *Tests of Hypotheses in Fixed-Effects Linear Models*. SAS Technical Report R-101.
#' @seealso [drop1.mixedlm()], [linear_hypothesis()]
#' @importFrom stats anova
#' @export
#' @examples
#' fit <- mixedlm(Weight ~ Cu * Time, dietox, groups = "Pig")
#' anova(fit)
#' anova(fit, vcov = "CR2")
#' anova(fit, type = "II", ddf = "Kenward-Roger")
#' anova(fit, mixedlm(Weight ~ Cu + Time, dietox, groups = "Pig"))
anova.mixedlm <- function(object, ..., type = c("III", "II", "I"),
                          ddf = c("Satterthwaite", "Kenward-Roger", "normal", "residual", "none"),
                          vcov = c("model", "CR0", "CR1", "CR1p", "CR1S", "CR2", "CR3"), cluster = NULL,
                          refit = TRUE, model.names = NULL) {
  if (...length()) {
    expressions <- as.list(substitute(list(object, ...)))[-1L]
    fits <- list(object, ...)
    check_anova_dots(fits, expressions)
    unused <- c("type", "ddf", "vcov", "cluster")[!c(missing(type), missing(ddf), missing(vcov), missing(cluster))]
    if (length(unused)) {
      abort("argument", paste0(
        "`", unused[1L], "` is for the table of one fit; several fits are compared by their likelihoods."
      ), argument = unused[1L])
    }
    return(compare_models(fits, expressions, refit, model.names))
  }
  # lmerTest's name for lme4's table
  type <- if (missing(type) && identical(ddf, "lme4")) "I" else check_type(type)
  term_table(object, type, tests_basis(object, ddf, vcov, cluster))
}

# What stands in `...` without a name is a fit; a name is a misspelt argument
# unless it is one too.
check_anova_dots <- function(fits, expressions) {
  is_fit <- vapply(fits, function(f) inherits(f, c("mixedlm", "merMod", "lm")), NA)
  named <- nzchar(names(fits) %||% rep("", length(fits)))
  wrong <- which(!is_fit & named)
  if (length(wrong)) {
    check_no_dots(expressions[wrong], names(formals(anova.mixedlm)))
  }
  lapply(fits[vapply(fits, inherits, NA, "mixedlm")], validate_mixedlm)
  if (!all(is_fit)) {
    abort("comparison", paste0(
      "anova() compares fits of mixedlm(), lmer() and lm(); found ", describe(fits[[which(!is_fit)[1L]]]), "."
    ), argument = "...")
  }
}

check_type <- function(type) {
  if (identical(type, c("III", "II", "I"))) {
    return("III")
  }
  known <- list(I = c("1", "I"), II = c("2", "II"), III = c("3", "III"))
  hit <- if (length(type) == 1L && (is.character(type) || is.numeric(type))) {
    vapply(known, function(names) toupper(as.character(type)) %in% names, NA)
  }
  if (!any(hit)) {
    abort("argument", paste0(
      "`type` must be \"I\", \"II\" or \"III\" (or 1, 2, 3); found ", describe(type), "."
    ), argument = "type")
  }
  names(known)[hit]
}

term_table <- function(fit, type, basis) {
  hypotheses <- term_contrasts(fit, type)
  title <- paste("Type", type, "Analysis of Variance Table")
  structure(
    joint_table(basis, hypotheses, field(fit, "scale")),
    heading = paste(c(title, if (basis$method != "none") paste("with", basis_label(basis))), collapse = " "),
    hypotheses = hypotheses
  )
}

# One row per hypothesis: the columns that the method of `basis` has.
joint_table <- function(basis, hypotheses, scale) {
  tests <- lapply(unname(hypotheses), function(l) test_joint(basis, l))
  of <- function(name) vapply(tests, function(t) as.double(t[[name]]), 0)
  value <- of("statistic")
  rows <- as.integer(of("num_df"))
  table <- switch(basis$method,
    normal = list(Chisq = value, Df = rows, `Pr(>Chisq)` = of("p.value")),
    none = list(npar = rows, `Sum Sq` = value * scale * rows, `Mean Sq` = value * scale, `F value` = value),
    list(
      `Sum Sq` = value * scale * rows, `Mean Sq` = value * scale, NumDF = rows,
      DenDF = of("den_df"), `F value` = value, `Pr(>F)` = of("p.value")
    )
  )
  structure(table,
    row.names = as.character(names(hypotheses)), class = c("anova", "data.frame")
  )
}
