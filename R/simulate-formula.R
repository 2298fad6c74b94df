# Responses of a model that has not been fitted: a formula, rows and parameters.

#' Simulate from a formula and parameters
#'
#' Draws responses of a mixed model that has not been fitted: for power analyses, and
#' for trying out a design before there are data.
#'
#' @param formula (`formula` or string) the model as for [mixedlm()], in lme4's bars or with `groups`,
#'   `re_formula`, `vc_formula`. It needs no response; one that is there is not looked at.
#' @param newdata (`data.frame`) the rows, with every predictor and grouping variable.
#' @param newparams parameters: `list(beta, theta, sigma)` in lme4's form, vectors with names being
#'   matched by them; or `list(fe_params, cov_re, vcomp, scale)` in statsmodels', with covariances on
#'   the user's scale; or [mixedlm_params()], whose covariances are relative to a residual variance of 1.
#'   `theta` is ordered as `getME(fit, "theta")`.
#' @param nsim,seed as for [simulate.mixedlm()].
#' @param groups,re_formula,vc_formula random effects in statsmodels' words, as for [mixedlm()].
#' @param weights (`numeric`, one per row) prior weights: the residual variance is `sigma^2 / weights`.
#'   Looked up in `newdata` first.
#' @param offset (`numeric`, one per row) known part of the linear predictor.
#' @param na.action (`function`) what to do with missing values in `newdata`.
#' @param contrasts (named `list`) contrasts of factors in the fixed effects.
#' @param ... not used.
#' @return A data frame as from [simulate.mixedlm()].
#' @section Errors: `mixedlm_error_newparams` for parameters that are missing, have another length or
#'   unknown names; `mixedlm_error_newdata` where there is none; those of [mixedlm()] for the formula and the data.
#' @export
#' @seealso [simulate.mixedlm()] for a fit
#' @examples
#' pigs <- expand.grid(Time = 1:12, Pig = 1:20)
#' y <- mixedlm_simulate(~ Time + (Time | Pig), pigs,
#'   newparams = list(beta = c(15, 7), theta = c(2, 0, 0.3), sigma = 2.5), seed = 1
#' )
#' pigs$Weight <- y$sim_1
#' mixedlm(Weight ~ Time + (Time | Pig), pigs)
#'
#' # statsmodels' words
#' y <- mixedlm_simulate(~ Time, pigs,
#'   groups = "Pig", re_formula = ~ Time,
#'   newparams = list(
#'     fe_params = c(15, 7), cov_re = matrix(c(25, 1, 1, 0.5), 2), scale = 6
#'   )
#' )
mixedlm_simulate <- function(formula, newdata, newparams, nsim = 1, seed = NULL,
                             groups = NULL, re_formula = NULL, vc_formula = NULL,
                             weights, offset, na.action = stats::na.omit, contrasts = NULL, ...) {
  if (...length()) {
    check_no_dots(substitute(list(...))[-1L], names(formals(mixedlm_simulate)))
  }
  nsim <- simulation_count(nsim)
  check_seed(seed)
  if (missing(newdata) || !is.list(newdata)) {
    abort("newdata", paste0(
      "`newdata` must be a data frame with the rows to simulate for", found_or_none(missing(newdata), newdata), "."
    ), argument = "newdata")
  }
  newdata <- check_data(newdata)
  model <- formula_with_response(formula, newdata, parent.frame())
  env <- environment(model$formula)
  caller <- parent.frame()
  groups <- resolve_groups(substitute(groups), newdata, env, caller, function() groups)
  values <- list(
    weights = if (!missing(weights)) data_value(substitute(weights), newdata, env, function() weights, "weights"),
    offset = if (!missing(offset)) data_value(substitute(offset), newdata, env, function() offset, "offset"),
    groups = groups$value
  )
  parsed <- parse_formula(model$formula, groups, re_formula, vc_formula, model$data)
  frame <- model_frame(parsed, model$data, values, na.action)
  design <- build_design(parsed, frame, contrasts)
  simulate_design(design, if (missing(newparams)) list() else newparams, nsim, seed)
}

found_or_none <- function(absent, value) {
  if (absent) "" else paste0(", not ", describe(value))
}

simulate_design <- function(design, newparams, nsim, seed) {
  random <- random_terms(design, outer_factor(design))
  columns <- colnames(design$x)
  if (is.list(newparams) && !length(newparams)) {
    abort("newparams", paste0(
      "`newparams` is needed: fixed effects `beta` for ", quote_names(columns), ", `theta` and `sigma`."
    ), argument = "newparams")
  }
  truth <- simulation_truth(random, stats::setNames(numeric(length(columns)), columns), newparams)
  mean <- as.vector(design$x %*% truth$beta) + (design$offset %||% 0)
  order <- order(-vapply(random, `[[`, 0L, "n_levels"))
  drawn <- lapply(order, function(k) {
    term <- design$terms[[k]]
    f <- design$factors[[term$factor]]
    list(
      z = term_columns_of(design, term), codes = f$codes, n_levels = length(f$levels),
      factor = truth$theta[[k]], by_column = term$structure != "unstructured"
    )
  })
  rows <- list(rows = row.names(design$frame), na.action = design$na.action)
  with_simulate_seed(seed, function(state) {
    y <- draw_responses(mean, drawn, truth$sigma, design$weights, nsim, TRUE)
    simulated_frame(y, rows, state)
  })
}

# The formula with a response that the rows can have: its values are not looked at.
formula_with_response <- function(formula, newdata, caller) {
  if (is_string(formula)) {
    formula <- tryCatch(stats::as.formula(formula, env = caller), error = function(e) formula)
  }
  if (!inherits(formula, "formula")) {
    abort("formula", paste0(
      "`formula` must be a formula, not ", describe(formula), "."
    ), argument = "formula")
  }
  if (is.null(environment(formula))) {
    environment(formula) <- caller
  }
  if (length(formula) == 3L) {
    newdata[intersect(all.vars(formula[[2L]]), names(newdata))] <- NULL
  }
  name <- new_name(".response", c(names(newdata), all.vars(formula)))
  newdata[[name]] <- as.double(seq_len(nrow(newdata)))
  rhs <- formula[[length(formula)]]
  list(formula = make_formula(as.name(name), rhs, environment(formula)), data = newdata)
}
