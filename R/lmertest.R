# Methods for generics of lmerTest and pbkrtest, which then compute with lme4's
# object of the fit.

#' Functions of lmerTest and pbkrtest on fits of mixedlm()
#'
#' `contest()`, `contest1D()`, `contestMD()`, `ls_means()`, `lsmeansLT()`, `difflsmeans()` and `step()` of lmerTest
#' take fits of [mixedlm()]; they are given [as_lmer()] of the fit, with the same estimates. `step()` fits the smaller
#' models with `lmer()`. The package's own functions for the same are [linear_hypothesis()], [mixedlm-emmeans] and
#' [drop1.mixedlm()].
#'
#' So do `KRmodcomp()`, `SATmodcomp()`, `PBmodcomp()` and `vcovAdj()` of pbkrtest; see [anova.mixedlm()] and [vcov.mixedlm()]
#' for the same here. pbkrtest's bootstrap fits with `lmer()`; [bootstrap()] does not.
#'
#' @param model,object,largeModel (`mixedlm`) a fit.
#' @param smallModel the smaller model: a fit of `mixedlm()`, or what else pbkrtest takes.
#' @param L contrasts, as lmerTest takes them.
#' @param ... further arguments of the methods there, such as `ddf`.
#' @return What lmerTest or pbkrtest returns.
#' @section Errors: those of [as_lmer()]; `mixedlm_error_ddf` for Kenward and Roger's method with prior weights that differ,
#'   of which pbkrtest takes no account ([anova.mixedlm()] does).
#' @name mixedlm-lmerTest
#' @seealso [mixedlm-ddf]
#' @examplesIf requireNamespace("lmerTest", quietly = TRUE)
#' fit <- mixedlm(Weight ~ Cu + Time + (Time | Pig), dietox)
#' lmerTest::contest(fit, c(0, 0, 0, 1))
#' lmerTest::ls_means(fit)
NULL

# lmerTest's version of the fit. Its model frame, design and data are looked up
# from where the user called.
as_lmertest <- function(fit, caller, ...) {
  check_is_fit(fit, "model")
  refuse_weighted(fit, asks_for_kr(...))
  need_lme4("This function")
  lmerTest::as_lmerModLmerTest(at_estimates(fit, lmer_model(fit, caller)))
}

#' @rdname mixedlm-lmerTest
#' @exportS3Method lmerTest::contest
contest.mixedlm <- function(model, L, ...) lmerTest::contest(as_lmertest(model, parent.frame(), ...), L, ...)

#' @rdname mixedlm-lmerTest
#' @exportS3Method lmerTest::contest1D
contest1D.mixedlm <- function(model, L, ...) lmerTest::contest1D(as_lmertest(model, parent.frame(), ...), L, ...)

#' @rdname mixedlm-lmerTest
#' @exportS3Method lmerTest::contestMD
contestMD.mixedlm <- function(model, L, ...) lmerTest::contestMD(as_lmertest(model, parent.frame(), ...), L, ...)

#' @rdname mixedlm-lmerTest
#' @exportS3Method lmerTest::ls_means
ls_means.mixedlm <- function(model, ...) lmerTest::ls_means(as_lmertest(model, parent.frame(), ...), ...)

#' @rdname mixedlm-lmerTest
#' @exportS3Method lmerTest::lsmeansLT
lsmeansLT.mixedlm <- function(model, ...) lmerTest::lsmeansLT(as_lmertest(model, parent.frame(), ...), ...)

#' @rdname mixedlm-lmerTest
#' @exportS3Method lmerTest::difflsmeans
difflsmeans.mixedlm <- function(model, ...) lmerTest::difflsmeans(as_lmertest(model, parent.frame(), ...), ...)

#' @rdname mixedlm-lmerTest
#' @exportS3Method lmerTest::step
step.mixedlm <- function(object, ...) lmerTest::step(as_lmertest(object, parent.frame(), ...), ...)

# pbkrtest's covariance matrices leave prior weights out.
refuse_weighted <- function(fit, asked = TRUE) {
  w <- if (inherits(fit, "mixedlm")) .subset2(fit, "weights")
  if (asked && length(w) && diff(range(w)) > 1e-10 * max(w)) {
    abort("ddf", paste0(
      "pbkrtest takes no account of prior weights, and these differ. Use anova(), summary() or vcov() with ",
      "Kenward and Roger's method, which do."
    ), argument = "ddf")
  }
}

# Whether Kenward and Roger's method is asked for, as lmerTest (`ddf`) or parameters (`ci_method`, `df_method`) name it.
asks_for_kr <- function(...) {
  given <- list(...)[c("ddf", "ci_method", "df_method")]
  any(grepl("^(kenward|kr$)", tolower(unlist(Filter(is.character, given)))))
}

# Both models as lme4's.
modcomp <- function(generic, large, small, caller, ...) {
  other <- if (inherits(small, "mixedlm")) at_estimates(small, lmer_model(small, caller)) else small
  getExportedValue("pbkrtest", generic)(at_estimates(large, lmer_model(large, caller)), other, ...)
}

#' @rdname mixedlm-lmerTest
#' @exportS3Method pbkrtest::KRmodcomp
KRmodcomp.mixedlm <- function(largeModel, smallModel, ...) {
  refuse_weighted(largeModel)
  modcomp("KRmodcomp", largeModel, smallModel, parent.frame(), ...)
}

#' @rdname mixedlm-lmerTest
#' @exportS3Method pbkrtest::SATmodcomp
SATmodcomp.mixedlm <- function(largeModel, smallModel, ...) {
  modcomp("SATmodcomp", largeModel, smallModel, parent.frame(), ...)
}

#' @rdname mixedlm-lmerTest
#' @exportS3Method pbkrtest::PBmodcomp
PBmodcomp.mixedlm <- function(largeModel, smallModel, ...) {
  modcomp("PBmodcomp", largeModel, smallModel, parent.frame(), ...)
}

#' @rdname mixedlm-lmerTest
#' @exportS3Method pbkrtest::vcovAdj
vcovAdj.mixedlm <- function(object, ...) {
  refuse_weighted(object)
  pbkrtest::vcovAdj(at_estimates(object, lmer_model(object, parent.frame())), ...)
}
