#' Fit a linear mixed model
#'
#' Fits a linear model with random effects by restricted maximum likelihood
#' (REML) or maximum likelihood. Models are described in the vocabulary of
#' statsmodels (`groups`, `re_formula`, `vc_formula`), in lme4's formulas with
#' bars, or by matrices; a fit of lme4's `lmer()` can be fitted again as it is.
#'
#' @param formula (`formula` or `character(1)`) fixed effects, as for
#'   [stats::lm()], with random terms as bars where lme4's vocabulary is used;
#'   or a numeric matrix (or data frame) `X` with one column for each fixed
#'   effect, nothing added to it; or a fit of `lme4::lmer()`. A `.` stands for
#'   every column of `data` that is not in the response, as in `lm()`; that
#'   includes the grouping variables unless they are taken out (`. - g`).
#' @param ... for the generic, arguments of the methods; for the methods,
#'   nothing: an unknown argument is an error. With a formula, lmer's `verbose` and
#'   `devFunOnly = FALSE` are passed over.
#' @return An object of class `mixedlm`, see [mixedlm-object].
#'
#' @section Random effects in statsmodels' words:
#' `groups` tells which rows belong together. By default each group has a random
#' intercept; `re_formula` gives other random effects, correlated within the
#' group. `vc_formula` adds variance components: `list(cask = ~ 0 + cask)` is a
#' random effect for each value of `cask` within each group, all with one
#' variance; `list(slope = ~ 0 + x)` an independent random slope. With
#' `vc_formula` and without `re_formula` there are no other random effects.
#' Without `groups`, the factors in `vc_formula` are the grouping factors
#' themselves. A component of numeric columns has one variance for all of them.
#' A component with an intercept, or with more than one term, is built within
#' each group from the levels that occur there, as statsmodels does.
#'
#' @section Random effects in lme4's words:
#' `(x | g)`: random intercepts and slopes of `x` for each level of `g`,
#' correlated; `(0 + x | g)`: slopes only; `(x || g)`: the intercept and each
#' term apart, independent of each other (the columns of one *factor* stay
#' together and correlated, as in lme4); `(1 | a/b)` is `(1 | b:a) + (1 | a)`;
#' `(1 | a:b)`: one level for each combination that occurs. `us(x | g)` is
#' `(x | g)`; `diag(x | g)` has independent effects, also among the columns of a
#' factor, and `diag(x | g, hom = TRUE)` gives them one variance. The terms are
#' ordered as lme4 orders them, by falling number of levels.
#'
#' @section Nested and crossed factors:
#' Grouping factors may be nested in each other, crossed, or partly crossed, in
#' any number and with any terms: `(1 + x | subject) + (1 | item)`. Which of
#' them it is follows from the data, not from the formula; `fit$optinfo$engine`
#' and `fit$optinfo$reason` tell, see [mixedlm-object]. Crossed models are solved
#' through cross-products of their columns: where the standard deviation of random
#' slopes is more than about 1e6 times that of the residuals, digits run out, and the
#' verdict or an error says so. Nested ones have no such limit.
#'
#' @section Data:
#' Repeated measurements stand below each other, a row for each; [to_long()] makes such data of one column per occasion.
#' Variables are looked up in `data`, then where the formula was written; for
#' `weights`, `offset` and `subset`, at last where `mixedlm()` was called. Rows
#' with a missing value in any variable, the groups included, are handled by
#' `na.action`. Grouping variables may be factors, strings, whole or other
#' numbers, logical values or dates; unused levels are dropped. Infinite values
#' are errors.
#'
#' @section Errors:
#' All errors are classed, see [mixedlm-conditions]. A fit whose verdict is
#' `"optimum"` or `"boundary"` never warns about convergence.
#'
#' @references
#' Bates D, Maechler M, Bolker B, Walker S (2015). Fitting linear mixed-effects
#' models using lme4. *Journal of Statistical Software* **67**(1), 1-48.
#'
#' Lindstrom MJ, Bates DM (1988). Newton-Raphson and EM algorithms for linear
#' mixed-effects models for repeated-measures data. *Journal of the American
#' Statistical Association* **83**, 1014-1022.
#'
#' Seabold S, Perktold J (2010). statsmodels: Econometric and statistical
#' modeling with Python. *Proceedings of the 9th Python in Science Conference*.
#' @seealso [mixedlm-object] for what is in a fit, [summary.mixedlm()] and [mixedlm-accessors] to look at it,
#'   [mixedlm_control()] for settings, [to_long()] for data with one column per occasion.
#' @export
#' @examples
#' # statsmodels' words
#' mixedlm(Weight ~ Time, data = dietox, groups = "Pig")
#' fit <- mixedlm(Weight ~ Time, dietox, groups = ~ Pig, re_formula = ~ Time)
#' summary(fit)
#'
#' # the same model in lme4's words, and with independent effects
#' mixedlm(Weight ~ Time + (Time | Pig), dietox)
#' mixedlm(Weight ~ Time + (Time || Pig), dietox)
#'
#' # matrices
#' X <- cbind(1, dietox$Time)
#' mixedlm(X, dietox$Weight, groups = dietox$Pig, exog_re = X)
mixedlm <- function(formula, ...) {
  if (missing(formula)) {
    abort("argument", "`formula` is missing: what is the model?", argument = "formula")
  }
  UseMethod("mixedlm")
}

#' @rdname mixedlm
#' @param data (`data.frame`, list or environment) the variables; also a tibble.
#'   Without it they are looked up where the formula was written.
#' @param groups what the rows are grouped by: the name of a column (a string,
#'   or the bare name), a one-sided formula such as `~ Pig`, or a vector with
#'   one value per row of `data`. `NULL`: the random effects are bars in
#'   `formula` or stand in `vc_formula`.
#' @param re_formula (one-sided `formula` or string) the random effects of a
#'   group, such as `~ Time`. `NULL`: a random intercept, unless `vc_formula` is
#'   given.
#' @param vc_formula (named `list` of one-sided formulas or strings) variance
#'   components, such as `list(cask = ~ 0 + cask)`.
#' @param REML (`logical(1)`) restricted maximum likelihood (`TRUE`) or maximum
#'   likelihood.
#' @param weights (`numeric`, one per row, in units of 1/variance) prior
#'   weights: the residual variance of a row is `scale / weight`. Looked up in
#'   `data` first. Not negative; rows of weight zero are left out, with a
#'   message.
#' @param offset (`numeric`, one per row, in units of the response) known part
#'   of the linear predictor, added to any `offset()` in the formula.
#' @param subset (`logical`, one per row, or row numbers) rows to use.
#' @param na.action (`function` or its name) what to do with missing values:
#'   `na.omit` (the default of the option `na.action`), `na.exclude`, `na.fail`.
#' @param contrasts (named `list`) contrasts of factors in the fixed effects, as
#'   for [stats::lm()].
#' @param start where the search starts: a numeric vector or `list(theta = )` of
#'   relative Cholesky factors (term by term, the lower triangle column by
#'   column, as lme4's `theta`), [mixedlm_params()] on statsmodels' scale, or a
#'   fit of the same model. `NULL` for the default, which suits every scale.
#' @param free `"diagonal"` for independent random effects, or a mask made by
#'   [mixedlm_params()] whose zeros hold parameters at `start`.
#' @param fe_pen,cov_pen penalties on the fixed effects and on the covariances of the random effects, which are subtracted
#'   from the log-likelihood, see [mixedlm-penalties] and [mixedlm-penalised].
#' @param method (`character(1)`) `"newton"` (trust-region Newton with exact
#'   derivatives), or, for comparison, `"bfgs"`, `"lbfgs"`, `"nelder-mead"`,
#'   `"em"`.
#' @param control settings made by [mixedlm_control()], or a list of them. Those of `lme4::lmerControl()` are passed
#'   over, with a message.
#' @export
mixedlm.formula <- function(formula, data = NULL, groups = NULL, re_formula = NULL,
                            vc_formula = NULL, REML = TRUE, weights, offset, subset,
                            na.action, contrasts = NULL, start = NULL, free = NULL,
                            fe_pen = NULL, cov_pen = NULL, method = "newton",
                            control = mixedlm_control(), ...) {
  call <- match.call()
  check_lmer_dots(substitute(list(...))[-1L], parent.frame())
  penalty <- check_penalties(fe_pen, cov_pen, method)
  caller <- parent.frame()
  env <- environment(formula)
  if (is.null(env)) {
    env <- environment(formula) <- caller
  }
  data <- check_data(data)
  groups <- resolve_groups(substitute(groups), data, env, caller, function() groups)
  values <- list(
    weights = if (!missing(weights)) data_value(substitute(weights), data, env, function() weights, "weights"),
    offset = if (!missing(offset)) data_value(substitute(offset), data, env, function() offset, "offset"),
    subset = if (!missing(subset)) data_value(substitute(subset), data, env, function() subset, "subset"),
    groups = groups$value
  )
  settings <- check_settings(REML, method, control)

  parsed <- parse_formula(formula, groups, re_formula, vc_formula, data)
  frame <- model_frame(parsed, data, values, if (!missing(na.action)) na.action)
  design <- build_design(parsed, frame, contrasts)
  design$occasions <- occasion_columns(parsed$response, data)
  design <- set_parameters(design, start, free)
  fit_design(call, parsed, design, settings, start, free, penalty)
}

# lmer's arguments that mean nothing here are passed over, so that a call to
# lmer() needs no other change than the name.
check_lmer_dots <- function(dots, caller) {
  dots <- as.list(dots)
  if (length(dots) && !is.null(names(dots))) {
    if ("devFunOnly" %in% names(dots) && !identical(eval(dots$devFunOnly, caller), FALSE)) {
      abort("argument", paste0(
        "mixedlm() has no `devFunOnly`: as.function(fit) is the criterion as a function of theta."
      ), argument = "devFunOnly")
    }
    dots <- dots[!names(dots) %in% c("verbose", "devFunOnly")]
  }
  other <- intersect(names(dots), names(other_words))
  if (length(other)) {
    abort("argument", paste0(
      "There is no argument ", quote_names(other[1L]), " here. ", other_words[[other[1L]]]
    ), argument = other[1L])
  }
  if (length(dots)) {
    check_no_dots(dots, names(formals(mixedlm.formula)))
  }
}

# What arguments of other packages' functions are called here.
other_words <- list(
  random = paste(
    "What is random = ~ x | g in nlme is (x | g) in `formula`, or",
    "groups = \"g\", re_formula = ~ x."
  ),
  fixed = "`formula` has the fixed effects.",
  family = "Only linear models are fitted: the response is normal, given the random effects.",
  exog_re = "`exog_re` goes with matrices, mixedlm(X, y, groups, exog_re); with a formula it is `re_formula`.",
  exog_vc = "`exog_vc` goes with matrices, mixedlm(X, y, groups, exog_vc = ); with a formula it is `vc_formula`."
)

#' @rdname mixedlm
#' @export
mixedlm.character <- function(formula, ...) {
  call <- match.call(expand.dots = TRUE)
  if (!is_string(formula)) {
    abort("formula", paste0(
      "`formula` must be a formula or one string, not ", describe(formula), "."
    ), argument = "formula")
  }
  parsed <- tryCatch(
    stats::as.formula(formula, env = parent.frame()),
    error = function(e) {
      abort("formula", paste0(
        "`formula` cannot be read: ", describe(formula), "."
      ), argument = "formula")
    }
  )
  call[[1L]] <- mixedlm.formula
  call$formula <- parsed
  fit <- eval(call, parent.frame())
  fit$call[[1L]] <- quote(mixedlm)
  fit
}

#' @rdname mixedlm
#' @param y (`numeric`) response, one per row of `X`.
#' @param exog_re (`matrix`) columns of the random effects of a group, one row
#'   per row of `X`. `NULL`: a random intercept, unless `exog_vc` is given.
#' @param exog_vc (named `list`) variance components, each a factor (a random
#'   effect for each of its values within each group), a numeric vector or
#'   matrix (a random effect for each column and group), or a list with one
#'   matrix for each group, named after the groups; or all of them as [vc_spec()]. Columns without names are
#'   called as statsmodels calls them: `const`, `x1`, `x2`, ..., `x_re1`, ...
#' @export
mixedlm.matrix <- function(formula, y, groups = NULL, exog_re = NULL, exog_vc = NULL,
                           REML = TRUE, weights = NULL, offset = NULL, subset = NULL,
                           na.action, start = NULL, free = NULL, fe_pen = NULL,
                           cov_pen = NULL, method = "newton",
                           control = mixedlm_control(), ...) {
  call <- match.call()
  if (...length()) {
    check_no_dots(substitute(list(...))[-1L], names(formals(mixedlm.matrix)))
  }
  penalty <- check_penalties(fe_pen, cov_pen, method)
  if (missing(y)) {
    abort("argument", "`y`, the response, is missing.", argument = "y")
  }
  settings <- check_settings(REML, method, control)
  model <- matrix_model(formula, y, groups, exog_re, exog_vc)
  parsed <- parse_formula(
    model$fixed, model$groups, model$re_formula, model$vc_formula
  )
  values <- list(weights = weights, offset = offset, subset = subset)
  frame <- model_frame(parsed, model$data, values, if (!missing(na.action)) na.action)
  design <- finish_matrix_design(build_design(parsed, frame), model)
  design <- set_parameters(design, start, free)
  fit_design(call, parsed, design, settings, start, free, penalty)
}

#' @rdname mixedlm
#' @export
mixedlm.data.frame <- function(formula, y, ...) {
  if (missing(y) || inherits(y, "formula")) {
    abort("formula", paste0(
      "The formula comes first and `data` second: mixedlm(y ~ x, data, ...)."
    ), argument = "formula")
  }
  call <- match.call()
  fit <- mixedlm.matrix(as_exog(formula, "X"), y, ...)
  call[[1L]] <- quote(mixedlm)
  fit$call <- call
  fit
}

#' @rdname mixedlm
#' @export
mixedlm.numeric <- function(formula, y, ...) {
  call <- match.call()
  fit <- mixedlm.matrix(as_exog(formula, "X"), y, ...)
  call[[1L]] <- quote(mixedlm)
  fit$call <- call
  fit
}

#' @rdname mixedlm
#' @export
mixedlm.merMod <- function(formula, REML, start = NULL, free = NULL,
                           method = "newton", control = mixedlm_control(), ...) {
  if (...length()) {
    check_no_dots(substitute(list(...))[-1L], names(formals(mixedlm.merMod)))
  }
  model <- model_of_lmer(formula)
  settings <- check_settings(if (missing(REML)) model$reml else REML, method, control)
  frame <- drop_zero_weights(model$frame)
  design <- build_design(model$parsed, frame, model$contrasts)
  design <- set_parameters(design, start, free)
  call <- model$call
  call$REML <- settings$reml
  fit_design(call, model$parsed, design, settings, start, free)
}

#' @rdname mixedlm
#' @export
mixedlm.default <- function(formula, ...) {
  abort("formula", paste0(
    "`formula` must be a formula, a string, a numeric matrix or a fit of ",
    "lme4's lmer(), not ", describe(formula), "."
  ), argument = "formula")
}

# --- stages ----------------------------------------------------------------

check_settings <- function(reml, method, control) {
  list(
    reml = check_reml(reml), method = check_method(method),
    control = as_control(control)
  )
}

# The design as the engine can take it.
engine_design <- function(design) {
  if (is.null(design$held)) design else drop_held(design)
}

# From the design to the estimates and the object.
fit_design <- function(call, parsed, design, settings, start, free, penalty = NULL) {
  tell_single_effects(design)
  to_fit <- engine_design(design)
  raw <- tryCatch(
    engine_fit(
      to_fit, settings$reml, settings$method, settings$control,
      start = to_fit$start, free = lapply(to_fit$terms, `[[`, "free"), penalty = penalty
    ),
    mixedlm_error_perfect_fit = function(e) explain_perfect_fit(e, design$weights)
  )
  if (!is.null(design$held)) {
    raw <- restore_held(raw, design$held)
  }
  call[[1L]] <- quote(mixedlm)
  fit <- new_mixedlm(
    call = call, parsed = parsed, design = design, raw = raw,
    reml = settings$reml, method = settings$method, control = settings$control,
    free = free, start = start
  )
  if (is.null(penalty)) fit else as_penalised(fit, penalty, raw)
}

# What an lmer fit was made from. Everything is in the fit itself, so neither
# lme4 nor the data need to be at hand.
model_of_lmer <- function(fit) {
  dims <- attr(fit, "devcomp")$dims
  if (!inherits(fit, "lmerMod")) {
    abort("formula", paste0(
      "`formula` is a fit of class ", quote_names(class(fit)[1L]),
      "; only linear mixed models (lmer) can be fitted here."
    ), argument = "formula")
  }
  frame <- attr(fit, "frame")
  formula <- attr(frame, "formula")
  given <- attr(fit, "call")
  call <- call("mixedlm", formula = formula)
  for (name in c("data", "weights", "offset", "subset", "na.action", "contrasts")) {
    if (!is.null(given[[name]])) {
      call[[name]] <- given[[name]]
    }
  }
  list(
    parsed = parse_formula(formula, data = data_of_dot(formula, given)),
    frame = frame,
    contrasts = attr(get("X", attr(fit, "pp")), "contrasts"),
    reml = dims[["REML"]] > 0, call = call
  )
}

# Only a `.` in the formula needs the data that the fit was made from.
data_of_dot <- function(formula, given) {
  if (!"." %in% all.names(formula)) {
    return(NULL)
  }
  tryCatch(eval(given$data, environment(formula)), error = function(e) NULL)
}
