# What functions of package car need of a fit: Anova(), linearHypothesis(),
# deltaMethod(), vif() and Confint().

#' Tests and diagnostics of package car
#'
#' Methods for `car::Anova()`, `car::linearHypothesis()`, `car::deltaMethod()`, `car::vif()` and `car::Confint()`, with
#' the arguments, tables and values that they have for fits of lme4. (`car::compareCoefs()` knows classes by name:
#' [summary_col()] does the same, or give it [as_lmer()] of the fits.)
#'
#' @param mod,model,object (`mixedlm`) a fit.
#' @param type `"II"` or `"III"` (or 2, 3). Type II: each term after all others but those that contain it, by the model's
#'   covariance (in [anova.mixedlm()] it is SAS's, by the design, which differs in unbalanced data). Type III: the
#'   coefficients of the term are zero, which depends on the coding of the factors; [anova.mixedlm()] has hypotheses that do not.
#' @param test.statistic,test `"Chisq"` or `"F"`.
#' @param ddf (`character(1)`) for F tests, see [mixedlm-ddf]; Kenward-Roger as in car.
#' @param vcov. covariance of the fixed effects: a matrix, or a function of the fit; for chi-square tests.
#' @param hypothesis.matrix,rhs as in [linear_hypothesis()]: strings, or a matrix and the values on the right.
#' @param g. (`character(1)`) the function of the coefficients.
#' @param parameterNames (`character`) names of the coefficients in `g.`.
#' @param envir (`environment`) where other names in `g.` are looked up.
#' @param estimate (`logical(1)`) whether the estimates stand beside the limits.
#' @param level (`numeric(1)`) coverage of the Wald intervals.
#' @param ... for `deltaMethod()` of car; else not used.
#' @return As car's: `anova` data frames for `Anova()` and `linearHypothesis()`; a data frame for `deltaMethod()`; for `vif()` a
#'   named vector, or a matrix with `GVIF`, `Df` and `GVIF^(1/(2*Df))` where a term has several columns; for `Confint()` a
#'   matrix, one row per fixed effect.
#' @section Errors: `mixedlm_error_argument`, `mixedlm_error_hypothesis`, `mixedlm_error_ddf` for arguments that cannot be used.
#' @references Fox J, Monette G (1992). Generalized collinearity diagnostics. *Journal of the American Statistical
#'   Association* **87**, 178-183.
#' @name mixedlm-car
#' @seealso [anova.mixedlm()], [linear_hypothesis()]
#' @examplesIf requireNamespace("car", quietly = TRUE)
#' fit <- mixedlm(Weight ~ Cu * Time + (Time | Pig), dietox)
#' car::Anova(fit)
#' car::linearHypothesis(fit, "Time = 7", test = "F")
#' car::deltaMethod(fit, "CuCu035 / Time")
#' car::vif(fit)
NULL

#' @rdname mixedlm-car
#' @exportS3Method car::Anova
Anova.mixedlm <- function(mod, type = c("II", "III", 2, 3), test.statistic = c("Chisq", "F"),
                          vcov. = NULL, ddf = "Kenward-Roger", ...) {
  if (...length()) {
    check_car_dots(substitute(list(...))[-1L], names(formals(Anova.mixedlm)))
  }
  type <- if (identical(type, c("II", "III", 2, 3))) "II" else check_type(type)
  if (type == "I") {
    abort("argument", "`type` must be \"II\" or \"III\"; type I is in anova().", argument = "type")
  }
  test <- choose_one(test.statistic, c("Chisq", "F"), "test.statistic")
  basis <- car_basis(mod, test, ddf, vcov.)
  rows <- marginal_rows(mod, type, basis$vcov)
  tests <- lapply(rows, function(l) test_joint(basis, l))
  of <- function(name) unname(vapply(tests, function(t) as.double(t[[name]]), 0))
  table <- if (test == "F") {
    list(F = of("statistic"), Df = of("num_df"), Df.res = of("den_df"), `Pr(>F)` = of("p.value"))
  } else {
    list(Chisq = of("statistic"), Df = of("num_df"), `Pr(>Chisq)` = of("p.value"))
  }
  how <- if (test == "F") paste("F tests with", ddf_names[[basis$method]][1L], "df") else "chisquare tests"
  structure(table,
    row.names = names(rows), class = c("anova", "data.frame"),
    heading = c(
      paste0("Analysis of Deviance Table (Type ", type, " Wald ", how, ")\n"),
      paste("Response:", names(field(mod, "frame"))[1L])
    )
  )
}

# car's functions give this one to every model.
check_car_dots <- function(dots, known) {
  dots <- as.list(dots)
  dots <- dots[!(names(dots) %||% rep("", length(dots))) %in% c("singular.ok", "verbose")]
  if (length(dots)) {
    check_no_dots(dots, setdiff(known, "..."))
  }
}

car_basis <- function(fit, test, ddf, vcov.) {
  method <- if (test == "F") check_ddf(ddf) else "normal"
  if (test == "F" && method %in% c("normal", "none")) {
    abort("ddf", paste0(
      "`ddf` must be a method with degrees of freedom for F tests; found ", describe(ddf), "."
    ), argument = "ddf")
  }
  if (test == "F" && !is.null(vcov.)) {
    abort("argument", "`vcov.` is for test = \"Chisq\"; F tests use the covariance of `ddf`.",
      argument = "vcov."
    )
  }
  basis <- inference_basis(fit, method)
  if (!is.null(vcov.)) {
    basis$vcov <- given_vcov(fit, vcov.)
  }
  basis
}

# Rows of the hypotheses, in the kept coefficients. Type III: the coefficients t of the term.
# Type II: those less their regression on the coefficients r of terms that contain
# it, b_t - V_tr V_rr^-1 b_r, whose test is that of (t, r) less that of r.
marginal_rows <- function(fit, type, v) {
  design <- fixed_design(fit)
  assign <- design$assign[design$kept]
  unit <- diag(length(assign))
  terms <- seq_along(design$labels)
  rows <- lapply(terms, function(k) {
    own <- which(assign == k)
    above <- if (type == "II") which(assign %in% relatives(fit, k))
    if (!length(above) || !length(own)) {
      return(unit[own, , drop = FALSE])
    }
    adjust <- solve_scaled_rows(v[above, above, drop = FALSE], v[above, own, drop = FALSE])
    out <- unit[own, , drop = FALSE]
    out[, above] <- -t(adjust)
    out
  })
  names(rows) <- design$labels
  if (type == "III" && any(assign == 0L)) {
    rows <- c(list(`(Intercept)` = unit[assign == 0L, , drop = FALSE]), rows)
  }
  rows
}

# The terms that have all variables of term k, and more.
relatives <- function(fit, k) {
  if (from_matrices(fit)) {
    return(integer())
  }
  used <- attr(field(fit, "terms"), "factors") > 0L
  setdiff(which(colSums(used[used[, k], , drop = FALSE]) == sum(used[, k])), k)
}

#' @rdname mixedlm-car
#' @exportS3Method car::linearHypothesis
linearHypothesis.mixedlm <- function(model, hypothesis.matrix, rhs = 0, test = c("Chisq", "F"),
                                     vcov. = NULL, ddf = "Kenward-Roger", ...) {
  if (...length()) {
    check_car_dots(substitute(list(...))[-1L], names(formals(linearHypothesis.mixedlm)))
  }
  test <- choose_one(test, c("Chisq", "F"), "test")
  functions <- hypothesis_rows(model, hypothesis.matrix, rhs %||% 0)
  use <- independent_rows(functions$L, functions$rhs, functions$labels)
  basis <- car_basis(model, test, ddf, vcov.)
  joint <- test_joint(basis, functions$L[use, , drop = FALSE], functions$rhs[use])
  q <- length(use)
  table <- if (test == "F") {
    list(
      Res.Df = joint$den_df + c(q, 0), Df = c(NA, q), F = c(NA, joint$statistic),
      `Pr(>F)` = c(NA, joint$p.value)
    )
  } else {
    list(Df = c(NA, q), Chisq = c(NA, joint$statistic), `Pr(>Chisq)` = c(NA, joint$p.value))
  }
  structure(table,
    row.names = c("1", "2"), class = c("anova", "data.frame"),
    heading = c(
      "Linear hypothesis test\n\nHypothesis:", paste0(functions$labels, collapse = "\n"), "",
      paste0("Model 1: restricted model\nModel 2: ", one_line(formula(model)), "\n")
    )
  )
}

#' @rdname mixedlm-car
#' @exportS3Method car::deltaMethod
deltaMethod.mixedlm <- function(object, g., vcov. = NULL, parameterNames = names(fixef(object)), ...,
                                envir = parent.frame()) {
  fe <- fixef(object)
  if (!is.character(parameterNames) || length(parameterNames) != length(fe)) {
    abort("argument", paste0(
      "`parameterNames` must be ", length(fe), " strings, one per fixed effect; found ",
      describe(parameterNames), "."
    ), argument = "parameterNames")
  }
  v <- if (is.null(vcov.)) vcov(object) else given_vcov(object, vcov.)
  car::deltaMethod(stats::setNames(fe, parameterNames), g., vcov. = v, ..., envir = envir)
}

#' @rdname mixedlm-car
#' @exportS3Method car::vif
vif.mixedlm <- function(mod, ...) {
  if (...length()) {
    check_no_dots(substitute(list(...))[-1L], "mod")
  }
  design <- fixed_design(mod)
  assign <- design$assign[design$kept]
  varies <- assign > 0L & apply(design$x[, design$kept, drop = FALSE], 2L, function(x) min(x) != max(x))
  terms <- unique(assign[varies])
  if (length(terms) < 2L) {
    abort("argument", "`mod` has fewer than two terms of fixed effects, so there is nothing to inflate a variance.",
      argument = "mod"
    )
  }
  r <- stats::cov2cor(vcov(mod)[varies, varies, drop = FALSE])
  # Fox and Monette (1992), eq. 10: det(R_11) det(R_22) / det(R)
  log_det <- function(at) if (any(at)) as.numeric(determinant(r[at, at, drop = FALSE])$modulus) else 0
  all <- rep(TRUE, nrow(r))
  gvif <- vapply(terms, function(k) {
    own <- assign[varies] == k
    exp(log_det(own) + log_det(!own) - log_det(all))
  }, 0)
  df <- vapply(terms, function(k) sum(assign[varies] == k), 0L)
  if (all(df == 1L)) {
    return(stats::setNames(gvif, design$labels[terms]))
  }
  out <- cbind(gvif, df, gvif^(1 / (2 * df)))
  dimnames(out) <- list(design$labels[terms], c("GVIF", "Df", "GVIF^(1/(2*Df))"))
  out
}

#' @rdname mixedlm-car
#' @exportS3Method car::Confint
Confint.mixedlm <- function(object, estimate = TRUE, level = 0.95, vcov. = NULL, ...) {
  if (...length()) {
    check_no_dots(substitute(list(...))[-1L], names(formals(Confint.mixedlm)))
  }
  check_optional_flag(estimate, "estimate")
  limits <- confint(object, "beta_", level = level, method = "Wald")
  fe <- fixef(object)
  if (!is.null(vcov.)) {
    v <- given_vcov(object, vcov.)
    limits[] <- fe + sqrt(diag(v)) %o% stats::qnorm(c(1 - level, 1 + level) / 2)
  }
  if (isTRUE(estimate)) cbind(Estimate = fe, limits) else limits
}
