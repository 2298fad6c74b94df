# Predictions for the rows of a fit and for new ones.

#' Predictions
#'
#' Predicted values for the rows of a fit or for new data: conditional on the random
#' effects, on some of them, or for the population; with standard errors and
#' intervals; also for groups that were not in the fit, given some data of theirs.
#'
#' @param object (`mixedlm`) a fit.
#' @param newdata (`data.frame`, or a list of columns; for a fit of matrices also a
#'   matrix with its columns) the rows to predict; also a tibble. It needs the
#'   variables of the fixed effects and of the random effects that `re.form` keeps:
#'   not the response, and with `re.form = NA` no grouping variable. `NULL`: the rows
#'   of the fit, or those of `condition_on`.
#' @param newparams (named `list`) parameters to predict with in place of the
#'   estimates, in lme4's or statsmodels' names, as for [simulate.mixedlm()]: any of `beta` (fixed
#'   effects), `theta` (relative Cholesky factors, as in [getME()]) and `sigma` (residual standard
#'   deviation). The random effects are computed again from the data of the fit at these parameters.
#' @param re.form which random effects count: `NULL` all of them; `NA` or `~ 0` none;
#'   or a one-sided formula of random terms, as in `~ (1 | g)`, which must be among
#'   those of the fit.
#' @param random.only (`logical(1)`) whether the fixed part and the offset are left
#'   out.
#' @param terms must be `NULL`, as in lme4.
#' @param type (`character(1)`) `"link"` or `"response"`, the same for a linear model.
#' @param allow.new.levels (`logical(1)`) whether grouping factors may have levels (or
#'   missing values) that the fit does not know: their random effects are predicted to
#'   be zero, with the variance that random effects have. `FALSE`: an error.
#' @param na.action (`function`) what is done with rows of `newdata` that have a missing
#'   value: `na.pass` predicts `NA`; `na.omit` leaves them out; `na.exclude` leaves
#'   them out and pads with `NA`; `na.fail` is an error.
#' @param se.fit (`logical(1)`) whether standard errors are given too.
#' @param interval (`character(1)`) `"confidence"`: for the predicted mean,
#'   \eqn{x'\beta + z'b}{x'beta + z'b}; `"prediction"`: for a new observation. `"none"`.
#' @param level (`numeric(1)`) coverage of the intervals, between 0 and 1.
#' @param condition_on (`data.frame`) rows with their response, see below. `NULL` for none.
#' @param nsim (`integer(1)`) number of bootstrap replicates for the intervals; 0 for
#'   intervals that take the variance parameters as known.
#' @param seed (`integer(1)`) seed of the replicates; `NULL` takes one from R's generator.
#' @param weights (`numeric`, one per row or one for all) prior weights of the new
#'   observations in prediction intervals: their residual variance is `sigma^2 / weights`.
#'   Default: the argument `weights` of the fit, evaluated in `newdata`; one, with a warning of class
#'   `mixedlm_warning_weights`, where that cannot be.
#' @param ... not used; `ReForm`, `REForm` and `REform` are older names of `re.form`.
#'
#' @section Variables:
#' They are evaluated as for the fit: `poly()`, `ns()`, `bs()` and `scale()` keep what
#' they learned from its data, in random terms too. Factors may be given as strings and
#' may lack levels. An `offset()` of the formula is evaluated in `newdata`; so is the
#' argument `offset` of the fit, which is an error where it cannot be (a column
#' `"(offset)"` of `newdata` can stand in for it). No rows give an empty result. Infinite values are errors.
#' With a rank-deficient fit, predictions for rows that the data do not determine
#' depend on which columns were left out: there is a warning of class `mixedlm_warning_estimable`.
#' A standard error that is lost in rounding is missing, with a warning of class `mixedlm_warning_numerical`.
#'
#' @section Standard errors:
#' Those of [prediction_se()], for any row: with P the conditional covariance of the random
#' effects and \eqn{K = \Psi Z'V^{-1}X}{K = Psi Z'V^-1 X}, the variance of the error of
#' prediction is \eqn{(x - K'z)'Cov(\hat\beta)(x - K'z) + z'Pz}{(x - K'z)' Cov(beta-hat) (x - K'z) + z'Pz}.
#' Random effects that `re.form` leaves out do not count (z is zero there); those
#' of new levels count with all their variance. With `re.form = NA` the standard error is that of
#' \eqn{x'\hat\beta}{x'beta-hat}. The variance parameters are taken as known.
#'
#' @section Intervals:
#' Without `nsim` they are normal: the prediction plus and minus normal quantiles times its
#' standard error; a prediction interval adds the residual variance. With few groups they
#' are too short, because the variance parameters are estimates. With `nsim` the uncertainty of these
#' is in them too (Chatterjee, Lahiri and Li 2008): every replicate draws random effects and
#' responses from the fit, fits them, and predicts the same rows; the
#' errors of these predictions, divided by the standard errors of the replicate's own fit, give
#' the quantiles that take the normal ones' place, row by row. Levels
#' in the replicates are those of the data, so that the intervals are for the same groups with new random effects. With 8 groups of 3 rows (`bench/predict-coverage.R`)
#' normal 95 per cent intervals held the truth in 84 to 92 per cent of data sets, those of the bootstrap in 91 to 94.
#'
#' @section Groups that were not in the fit:
#' `condition_on` has rows with a response. They are added to those of the fit, with all parameters held at its
#' estimates, the fixed effects included, and the random effects are predicted from both; levels that only
#' `condition_on` has become known. What is predicted for one new group
#' therefore does not depend on which others are scored with it. Standard errors and intervals
#' account for the estimation of the fixed effects. Arguments `weights` and `offset`
#' of the fit are evaluated in `condition_on`. Rows with a missing value are left out.
#' [new_effects()] gives the effects themselves.
#'
#' @return A numeric vector named by the rows; with `interval` a matrix with the columns
#'   `fit`, `lwr` and `upr`. With `se.fit` a list of these (`fit`) and the standard errors (`se.fit`).
#' @section Errors:
#' `mixedlm_error_newdata` for variables that are missing or of another type;
#' `mixedlm_error_new_levels`, `_missing`, `_infinite`, `_offset`; `mixedlm_error_re_form`;
#' `mixedlm_error_newparams`; `mixedlm_error_argument` for the other arguments.
#' @references
#' Chatterjee S, Lahiri P, Li H (2008). Parametric bootstrap approximation to the distribution of EBLUP and
#' related prediction intervals in linear mixed models. *Annals of Statistics* **36**, 1221-1245.
#'
#' Henderson CR (1975). Best linear unbiased estimation and prediction under a
#' selection model. *Biometrics* **31**, 423-447.
#' @seealso [prediction_se()], [new_effects()], [fitted.mixedlm()]
#' @importFrom stats predict
#' @export
#' @examples
#' old <- subset(dietox, Pig != "4601")
#' fit <- mixedlm(Weight ~ Time + (Time | Pig), old)
#' new <- data.frame(Time = c(1, 13), Pig = "4602")
#' predict(fit, new)
#' predict(fit, new, re.form = NA, se.fit = TRUE)
#' predict(fit, new, interval = "prediction")
#'
#' # a pig that was not in the fit, from its first weeks
#' pig <- subset(dietox, Pig == "4601")
#' predict(fit, pig[10:12, ], condition_on = pig[1:4, ], interval = "prediction")
predict.mixedlm <- function(object, newdata = NULL, newparams = NULL, re.form = NULL,
                            random.only = FALSE, terms = NULL, type = c("link", "response"),
                            allow.new.levels = FALSE, na.action = stats::na.pass, se.fit = FALSE,
                            interval = c("none", "confidence", "prediction"), level = 0.95,
                            condition_on = NULL, nsim = 0, seed = NULL, weights = NULL, ...) {
  if (...length()) {
    re.form <- older_re_form(list(...), re.form, !missing(re.form))
  }
  choose_one(type, c("link", "response"), "type")
  wanted <- check_prediction(
    terms, random.only, allow.new.levels, se.fit,
    choose_one(interval, c("none", "confidence", "prediction"), "interval"), level, nsim, seed
  )
  keep <- re_form_columns(object, re.form)
  na.action <- check_na_action(na.action)
  if (!is.null(newparams)) {
    object <- with_newparams(object, newparams)
  }
  plain <- !wanted$errors && is.null(condition_on)
  if (plain && is.null(newdata) && is.null(re.form) && !random.only) {
    return(fitted(object))
  }
  if (is.null(newdata) && !is.null(condition_on)) {
    newdata <- condition_on
  }
  rows <- prediction_rows(
    object, newdata, keep, !random.only,
    allow.new.levels || !is.null(condition_on), na.action
  )
  if (!random.only) {
    tell_estimable(object, rows, newdata)
  }
  wanted$allow <- allow.new.levels
  if (plain) {
    return(name_rows(point_prediction(object, rows, !random.only), rows))
  }
  prediction_with_errors(object, rows, keep, newdata, condition_on, weights, wanted)
}

# lme4's older spellings.
older_re_form <- function(dots, re.form, given) {
  old <- intersect(names(dots), c("ReForm", "REForm", "REform"))
  others <- setdiff(seq_along(dots), match(old, names(dots)))
  if (length(others) || length(old) != 1L) {
    check_no_dots(dots[c(others, seq_along(dots))], names(formals(predict.mixedlm)))
  }
  if (given) {
    re_form_error("`re.form` is given twice, as ", quote_names(old), " too.")
  }
  dots[[old]]
}

check_prediction <- function(terms, random.only, allow.new.levels, se.fit, interval, level, nsim, seed) {
  wrong <- function(name, expected, value) {
    abort("argument", paste0("`", name, "` must be ", expected, ", not ", describe(value), "."), argument = name)
  }
  if (!is.null(terms)) {
    wrong("terms", "NULL", terms)
  }
  flags <- list(random.only = random.only, allow.new.levels = allow.new.levels, se.fit = se.fit)
  for (name in names(flags)) {
    if (!is_flag(flags[[name]])) {
      wrong(name, "TRUE or FALSE", flags[[name]])
    }
  }
  if (!is_number(level) || level <= 0 || level >= 1) {
    wrong("level", "a number between 0 and 1", level)
  }
  if (!is_number(nsim) || nsim < 0 || nsim != round(nsim) || nsim > .Machine$integer.max) {
    wrong("nsim", "a whole number that is not negative", nsim)
  }
  if (nsim > 0 && interval == "none") {
    abort("argument", "`nsim` is for intervals: give `interval` too.", argument = "nsim")
  }
  check_seed(seed)
  list(
    random.only = random.only, se.fit = se.fit, interval = interval, level = level, nsim = as.integer(nsim),
    seed = seed, errors = se.fit || interval != "none"
  )
}

# x'beta + offset + z'b. New levels and unknown ones add nothing.
point_prediction <- function(fit, rows, fixed = TRUE, b = field(fit, "b")) {
  out <- if (fixed) fixed_part(fit, rows) + rows$offset else numeric(rows$n)
  for (k in seq_along(rows$terms)) {
    term <- rows$terms[[k]]
    codes <- if (length(term$keep)) rows$factors[[term$factor]]$codes
    for (j in term$keep) {
      effect <- b[[k]][j, ][codes]
      if (anyNA(effect)) {
        effect[is.na(effect)] <- 0
      }
      out <- out + if (identical(term$z[[j]], 1)) effect else effect * term$z[[j]]
    }
  }
  out
}

fixed_part <- function(fit, rows) {
  columns <- field(fit, "columns")
  beta <- field(fit, "fe_params")[columns]
  names(beta) <- NULL
  if (anyNA(beta)) {
    kept <- which(!is.na(beta))
    return(drop(rows$x[, kept, drop = FALSE] %*% beta[kept]))
  }
  as.vector(rows$x %*% beta)
}

name_rows <- function(value, rows) {
  names(value) <- if (is.character(rows$rows)) rows$rows else as.character(rows$rows)
  stats::napredict(rows$na.action, value)
}

# Rows that a rank-deficient fit says nothing about: their aliased columns are not
# the combination of the others that they were in the data.
tell_estimable <- function(fit, rows, newdata) {
  columns <- field(fit, "columns")
  aliased <- which(!columns %in% names(field(fit, "fe_params")))
  if (is.null(newdata) || !length(aliased) || is.null(rows$x)) {
    return(invisible())
  }
  own <- fixed_matrix(field(fit, "terms"), spanning_frame(fit), field(fit, "contrasts"))
  kept <- setdiff(seq_along(columns), aliased)
  map <- qr.coef(qr(own[, kept, drop = FALSE]), own[, aliased, drop = FALSE])
  map[is.na(map)] <- 0
  new <- rows$x[, aliased, drop = FALSE]
  off <- abs(new - rows$x[, kept, drop = FALSE] %*% map)
  size <- rep(apply(abs(own[, aliased, drop = FALSE]), 2L, max), each = rows$n) +
    abs(new) + abs(rows$x[, kept, drop = FALSE]) %*% abs(map)
  bad <- which(rowSums(off > 1e-7 * size, na.rm = TRUE) > 0)
  if (length(bad)) {
    warn("estimable", paste0(
      "The fit is rank deficient, and the data do not determine the prediction of ", length(bad),
      " of the rows of `newdata`: it depends on the coefficients that were left out (",
      quote_names(columns[aliased]), ")."
    ), rows = bad)
  }
}
