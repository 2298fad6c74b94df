# as_lmer(): a fit of ours as an object of lme4's, made with lme4's exported
# parts and not optimised again.

#' A fit as an object of lme4's
#'
#' Makes a genuine `lmerMod` at the estimates of a fit, for packages that accept nothing else. Nothing is optimised:
#' lme4's objective function is built and evaluated once, at this fit's covariances. From there everything is lme4's own:
#' `update()`, `refit()`, `simulate()`, `predict()`, `anova()`, `profile()`, `lmerTest::as_lmerModLmerTest()` and so on;
#' whatever of that optimises does so with lme4's optimiser.
#'
#' @param fit (`mixedlm`) a fit.
#'
#' @details
#' Models in statsmodels' words are written with bars. The data are those of the call, looked up where `as_lmer()` is
#' called and where the formula was written. When they cannot serve (matrices, groups given as a
#' vector, rows of weight zero, data that are gone), the variables of the fit's model frame are used instead, and
#' kept with the formula of the new object. Independent effects of a factor's columns become one term each, on
#' columns of their own.
#'
#' The result is checked: lme4's criterion must be this fit's, to 1e-6 of its size.
#'
#' @return An object of class `lmerMod`. Its call is to `lme4::lmer`.
#' @section Errors: `mixedlm_error_lmer` when lme4 has no such model, and the message says why: parameters held by `free`
#'   (lme4 estimates all of them), several columns with one common variance, or variables that are gone; `mixedlm_error_penalty` when
#'   its fixed effects are penalised; `mixedlm_error_object` when `fit` is not a fit of ours.
#' @seealso [compare_lmer()]; [mixedlm()] takes lme4's fits.
#' @export
#' @examplesIf requireNamespace("lme4", quietly = TRUE)
#' fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig", re_formula = ~ Time)
#' same <- as_lmer(fit)
#' class(same)
#' c(logLik(fit), logLik(same))
as_lmer <- function(fit) {
  check_is_fit(fit, "fit")
  need_lme4("as_lmer()")
  at_estimates(fit, lmer_model(fit, parent.frame()))
}

need_lme4 <- function(what) {
  if (!requireNamespace("lme4", quietly = TRUE)) {
    abort("lmer", paste0(what, " needs the package lme4, which is not installed."))
  }
}

# The model as lme4 reads it: list(call, parts), from the data of the call or else
# from the fit's own frame.
lmer_model <- function(fit, caller) {
  check_estimated(fit)
  ways <- list(call_from_data, call_from_frame)
  reason <- NULL
  for (way in ways) {
    model <- tryCatch(
      {
        call <- way(fit, caller)
        parts <- lme4_parts(call, field(fit, "contrasts_default"))
        check_same_rows(parts, fit)
        list(call = call, parts = parts)
      },
      error = identity
    )
    if (!inherits(model, "error")) {
      return(model)
    }
    if (inherits(model, "mixedlm_error_lmer")) {
      stop(model)
    }
    reason <- conditionMessage(model)
  }
  abort("lmer", paste0("The model cannot be set up in lme4: ", sub("[.]$", "", reason), "."))
}

# What lme4 would estimate although it is held here.
check_estimated <- function(fit) {
  refuse_penalised(fit, "A model of lme4's", fixed_only = TRUE)
  held <- names(field(fit, "fe_params"))[diag(field(fit, "vcov_unscaled")) == 0]
  if (length(held)) {
    abort("lmer", paste0(
      "`free` holds the fixed effect ", quote_names(held[1L]), "; lme4 estimates all of them."
    ), argument = "fit")
  }
  for (term in field(fit, "random")) {
    if (!is.null(term$free) && !all(term$free)) {
      abort("lmer", paste0(
        "`free` holds elements of the covariance of the random effects of ", quote_names(term$group),
        "; lme4 estimates all of them."
      ), argument = "fit")
    }
    if (term$structure == "scalar" && length(term$columns) > 1L) {
      abort("lmer", paste0(
        "The component ", quote_names(term$name), " has one variance for its ", length(term$columns),
        " columns; lme4's formulas have no such term."
      ), argument = "fit")
    }
  }
}

lme4_control <- function() {
  lme4::lmerControl(
    check.nobs.vs.nlev = "ignore", check.nobs.vs.nRE = "ignore", check.nlev.gtr.1 = "ignore",
    check.nobs.vs.rankZ = "ignore", check.scaleX = "ignore"
  )
}

# lme4's model frame, design and random terms, for a call to lmer(), with the contrasts that were the default for the fit.
lme4_parts <- function(call, contrasts) {
  if (!is.null(contrasts)) {
    old <- options(contrasts = contrasts)
    on.exit(options(old))
  }
  call[[1L]] <- lme4::lFormula
  call$control <- lme4_control()
  suppressMessages(suppressWarnings(eval(call, environment(call$formula))))
}

check_same_rows <- function(parts, fit) {
  y <- as.double(stats::model.response(parts$fr))
  if (!isTRUE(all.equal(y, field(fit, "y"), tolerance = 1e-12))) {
    abort("data", "the data are no longer those that the fit was made from")
  }
}

# lme4's object at the fit's theta.
at_estimates <- function(fit, model) {
  parts <- model$parts
  cannot <- function(e) {
    abort("lmer", paste0(
      "lme4 cannot evaluate its criterion at these estimates: ", sub("[.]$", "", conditionMessage(e)), "."
    ), argument = "fit")
  }
  devfun <- tryCatch(suppressMessages(do.call(lme4::mkLmerDevfun, c(
    parts[c("fr", "X", "reTrms", "REML")], list(control = lme4_control())
  ))), error = cannot)
  places <- places_in_theta(fit, parts$reTrms)
  theta <- unname(named_theta(fit))[places]
  value <- tryCatch(devfun(theta), error = cannot)
  tolerance <- 1e-6 * max(1, abs(field(fit, "criterion")))
  if (!isTRUE(abs(value - field(fit, "criterion")) < tolerance)) {
    abort("lmer", sprintf(
      "lme4 reads the model differently: its criterion is %s at these estimates, not %s.",
      format(value, digits = 10L), format(field(fit, "criterion"), digits = 10L)
    ), argument = "fit")
  }
  control <- lme4::lmerControl()
  optimum <- structure(
    list(par = theta, fval = value, conv = 0L, feval = field(fit, "optinfo")$evaluations, message = "estimated by mixedlm()"),
    optimizer = control$optimizer, control = control$optCtrl, warnings = list(),
    derivs = derivatives_at(fit, places)
  )
  lme4::mkMerMod(
    environment(devfun), optimum, parts$reTrms,
    fr = parts$fr, mc = model$call, lme4conv = list()
  )
}

# First and second derivatives of the criterion in lme4's theta.
derivatives_at <- function(fit, places) {
  tryCatch(
    {
      answer <- engine_evaluate(fit)
      index <- match(places, theta_to_fit(fit))
      list(gradient = answer$gradient[index], Hessian = as.matrix(answer$hessian)[index, index, drop = FALSE])
    },
    mixedlm_error = function(e) NULL
  )
}

# For each element of lme4's theta, its place among ours (getME(fit, "theta")).
places_in_theta <- function(fit, re_trms) {
  ours <- theta_owners(fit)
  groups <- lapply(names(re_trms$cnms), name_parts)
  out <- integer()
  for (k in seq_along(re_trms$cnms)) {
    columns <- gsub("`", "", re_trms$cnms[[k]])
    at <- take_term(ours, groups[[k]], columns)
    ours <- ours[-at$taken]
    out <- c(out, at$places)
  }
  out
}

# Blocks of theta: one per term, or per column where the effects are independent.
theta_owners <- function(fit) {
  end <- 0L
  out <- list()
  for (term in terms_in_order(fit)) {
    q <- length(term$columns)
    whole <- term$structure == "unstructured"
    blocks <- if (whole) list(term$columns) else as.list(term$columns)
    size <- if (whole) q * (q + 1L) / 2L else 1L
    for (columns in blocks) {
      out <- c(out, list(list(
        group = name_parts(term$group), columns = gsub("`", "", columns), places = end + seq_len(size)
      )))
      end <- end + size
    }
  }
  out
}

# a:b and b:a are the same levels.
name_parts <- function(name) sort(strsplit(gsub("[ ()`]", "", name), ":", fixed = TRUE)[[1L]])

take_term <- function(ours, group, columns) {
  on <- which(vapply(ours, function(o) identical(o$group, group), NA))
  same <- on[vapply(ours[on], function(o) identical(o$columns, columns), NA)]
  # columns of matrices may have gone by other names
  alike <- on[vapply(ours[on], function(o) length(o$columns) == length(columns), NA)]
  at <- c(same, alike)
  if (!length(at)) {
    abort("lmer", paste0(
      "lme4 has a random term for ", quote_names(paste(group, collapse = ":")), " that the fit has not."
    ), argument = "fit")
  }
  list(taken = at[1L], places = ours[[at[1L]]]$places)
}
