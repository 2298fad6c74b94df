# What package multcomp asks a fit for: glht(fit, linfct), and with it cld().

#' @exportS3Method multcomp::modelparm
modelparm.mixedlm <- function(model, coef., vcov., df = NULL, ...) {
  # glht() hands on the defaults of its own, coef() and vcov()
  estimate <- if (missing(coef.) || identical(coef., stats::coef)) {
    fixef(model)
  } else {
    coef.(model)
  }
  refuse_penalised(model, "A test of the fixed effects", fixed_only = TRUE)
  v <- if (missing(vcov.)) vcov(model) else if (is.function(vcov.)) vcov.(model) else vcov.
  if (is.null(df)) {
    df <- 0
  }
  if (!is_number(df) || df < 0) {
    abort("argument", paste0(
      "`df` must be a number that is not negative, 0 for the normal distribution; found ",
      describe(df), "."
    ), argument = "df")
  }
  # model.matrix() has no aliased columns, so hypotheses are about the kept ones
  estimable <- !is.na(estimate)
  structure(
    list(coef = estimate[estimable], vcov = as.matrix(v), df = df, estimable = estimable),
    class = "modelparm"
  )
}
