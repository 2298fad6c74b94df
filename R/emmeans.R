# Estimated marginal means: what package emmeans asks a fit for.

#' Marginal means, contrasts and trends by package emmeans
#'
#' With these methods `emmeans()`, `emtrends()`, `contrast()`, `joint_tests()` and the other functions of package emmeans
#' take fits of [mixedlm()]. emmeans calls them; users give their arguments to `emmeans()` or `ref_grid()`.
#'
#' @param object (`mixedlm`) a fit from a formula; fits from matrices have no variables to make a grid of.
#' @param data (`data.frame`) the data of the fit, where they are not found any more.
#' @param trms,xlev,grid given by emmeans.
#' @param mode,lmer.df,ddf (`character(1)`) degrees of freedom, by any of these names of the argument (emmeans has the second for fits
#'   of lme4): `"satterthwaite"`, `"kenward-roger"`, `"asymptotic"`, `"residual"`, see [mixedlm-ddf]. The default is
#'   Satterthwaite's, as everywhere in this package (for fits of lme4, emmeans has Kenward-Roger's), and
#'   asymptotic where these are not defined.
#' @param vcov. covariance of the fixed effects: a matrix, a function of the fit, or the name of a robust covariance of
#'   [vcov.mixedlm()], as in `vcov. = "CR2"`, which brings its own degrees of freedom.
#' @param ... given by emmeans.
#' @return What emmeans expects: a data frame with attributes; a list with `X`, `bhat`, `nbasis`, `V`, `dffun`, `dfargs`, `misc`.
#' @section Errors:
#' `mixedlm_error_argument` and `mixedlm_error_ddf` for arguments that cannot be used.
#' @seealso [linear_hypothesis()]
#' @name mixedlm-emmeans
#' @examplesIf requireNamespace("emmeans", quietly = TRUE)
#' fit <- mixedlm(Weight ~ Cu * Time + (Time | Pig), dietox)
#' emmeans::emmeans(fit, pairwise ~ Cu, at = list(Time = 12))
#' emmeans::emtrends(fit, ~ Cu, var = "Time")
NULL

#' @rdname mixedlm-emmeans
#' @exportS3Method emmeans::recover_data
recover_data.mixedlm <- function(object, data = NULL, ...) {
  if (from_matrices(object)) {
    # emmeans wants its errors as text
    return(paste0(
      "The fit was made from matrices, so its predictors have no grid; fit it with a formula ",
      "and `data`, or give contrasts of the coefficients to linear_hypothesis()."
    ))
  }
  call <- field(object, "call")
  plain <- call("mixedlm", formula = formula(object))
  for (name in intersect(c("data", "subset", "weights", "offset"), names(call))) {
    plain[[name]] <- call[[name]]
  }
  found <- emmeans::recover_data(
    plain, stats::delete.response(terms(object)), field(object, "na.action"),
    data = data, frame = field(object, "frame"), ...
  )
  if (is.null(data) && is.data.frame(found) && !made_frame_of(object, found)) {
    return(paste0(
      "The data that the call of the fit names, `", one_line(call$data),
      "`, are not those that it was made from; give them as the argument `data`."
    ))
  }
  found
}

# Whether the predictors of the fit follow from these rows.
made_frame_of <- function(fit, found) {
  predictors <- stats::delete.response(terms(fit))
  if (is.null(attr(predictors, "predvars"))) {
    return(TRUE)
  }
  again <- tryCatch(stats::model.frame(predictors, found), error = function(e) NULL)
  frame <- field(fit, "frame")
  !is.null(again) && nrow(again) == nrow(frame) && all(vapply(names(again), function(name) {
    isTRUE(all.equal(unclass_value(again[[name]]), unclass_value(frame[[name]])))
  }, NA))
}

# Values without attributes: factors by their labels.
unclass_value <- function(v) {
  if (is.factor(v) || is.character(v)) as.character(v) else as.vector(unclass(v))
}

#' @rdname mixedlm-emmeans
#' @exportS3Method emmeans::emm_basis
emm_basis.mixedlm <- function(object, trms, xlev, grid, mode = NULL, lmer.df = NULL, ddf = NULL,
                              vcov. = NULL, ...) {
  x <- stats::model.matrix(
    trms, stats::model.frame(trms, grid, na.action = stats::na.pass, xlev = xlev),
    contrasts.arg = field(object, "contrasts")
  )
  # other packages give every model a mode of predictions
  if (is_string(mode) && mode %in% c("auto", "link", "response")) {
    mode <- NULL
  }
  basis <- emm_tests(object, mode %||% ddf %||% lmer.df, vcov.)
  design <- fixed_design(object)
  list(
    X = x, bhat = fixef(object, add.dropped = TRUE), nbasis = null_space(design), V = basis$V,
    dffun = emm_df(basis$tests), dfargs = list(basis = basis$tests, df_of = contrast_df),
    misc = list(),
    model.matrix = emmeans::.cmpMM(design$x, field(object, "weights") %||% rep(1, nobs(object)), design$assign)
  )
}

# list(tests: a basis, see inference.R; V: covariance of the kept coefficients).
emm_tests <- function(fit, method, vcov.) {
  if (is_string(vcov.)) {
    tests <- tests_basis(fit, ddf_choices, vcov., NULL)
    return(list(tests = tests, V = if (tests$method == "robust") tests$parts$vcov else tests$vcov))
  }
  own <- is.null(vcov.)
  if (is.null(method)) {
    tests <- summary_basis(fit, ddf_choices, "model", NULL, TRUE)
    if (tests$method == "none") {
      tests <- inference_basis(fit, "normal")
    }
  } else {
    method <- check_ddf(method)
    # the adjustment of Kenward and Roger belongs to the model's covariance
    tests <- inference_basis(fit, if (method == "kenward-roger" && !own) "satterthwaite" else method)
  }
  list(tests = tests, V = if (own) tests$vcov else given_vcov(fit, vcov.))
}

given_vcov <- function(fit, vcov.) {
  v <- if (is.function(vcov.)) vcov.(fit) else vcov.
  p <- length(field(fit, "fe_params"))
  v <- tryCatch(as.matrix(v), error = function(e) v)
  if (!is.numeric(v) || !identical(dim(v), c(p, p)) || !all(is.finite(v))) {
    abort("argument", sprintf(
      "`vcov.` must be a %d x %d matrix of finite numbers, one row per fixed effect, or a function that gives one; found %s.",
      p, p, describe(v)
    ), argument = "vcov.")
  }
  v
}

# Degrees of freedom of a function k of the kept coefficients. emmeans takes away the
# function's environment, so what it needs comes with its second argument.
emm_df <- function(tests) {
  structure(function(k, dfargs) dfargs$df_of(k, dfargs$basis), mesg = switch(tests$method,
    normal = "asymptotic",
    robust = paste0("satterthwaite (", tests$type, ")"),
    tests$method
  ))
}

contrast_df <- function(k, basis) {
  if (basis$method == "normal") Inf else test_rows(basis, matrix(k, 1L))$df
}

# Orthonormal basis of the vectors that the design takes to zero: with aliased
# columns X_a = X_k B, those of (B; -I). 1 x 1 and NA when there are none.
null_space <- function(design) {
  kept <- design$kept
  if (all(kept)) {
    return(matrix(NA))
  }
  b <- qr.coef(qr(design$x[, kept, drop = FALSE]), design$x[, !kept, drop = FALSE])
  out <- matrix(0, length(kept), sum(!kept))
  out[kept, ] <- b
  out[cbind(which(!kept), seq_len(sum(!kept)))] <- -1
  qr.Q(qr(out))
}
