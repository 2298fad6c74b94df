# Paths of penalised coefficients over alpha, and cross-validation by groups.

#' A path of penalised fits
#'
#' The coefficients of [fit_regularized()] for a sequence of penalties, from the smallest that leaves no penalised
#' coefficient in the model down, and cross-validation by whole groups.
#'
#' @param object (`mixedlm`) a fit.
#' @param alpha (`numeric`) the penalties; `NULL` for `n_alpha` values between the largest that matters and
#'   `ratio` times that, equally spaced on the log scale.
#' @param n_alpha,ratio their number, and the smallest relative to the largest.
#' @param weights (`numeric`) relative weights of the coefficients, as `alpha` of [fit_regularized()]: each is penalised by
#'   `alpha` times its weight. `NULL`: one for all but the intercept, which has none.
#' @param l1_ratio,covariance,standardize as for [fit_regularized()]. With `covariance = "held"` the estimates of the fit
#'   are held; each fold holds its own.
#' @param folds (`numeric(1)` or one value per group) number of folds of cross-validation, or the fold of each group
#'   in the order of the levels; `NULL` for none. Folds consist of whole groups of the outermost grouping factor.
#' @param loss (`character(1)`) what is averaged over the rows that were left out: `"prediction"`, the squared error of
#'   the prediction by the fixed effects (times prior weights); `"loglik"`, -2 log-likelihood of the new groups.
#' @param seed (`numeric(1)`) seed of the assignment of groups to folds; `NULL` takes one from R's generator.
#' @param ... not used.
#'
#' @details
#' The largest penalty is exact: the largest slope of the criterion at the fit without the penalised
#' coefficients, relative to their weights. With `covariance = "estimated"` a lower minimum may lie elsewhere at this penalty;
#' then it is the least, to a hundredth, where none does. Held paths go from one solution to the next; the others are searched anew at each penalty, from several starts.
#'
#' @return A list of class `mixedlm_path`: `alpha` (falling), `coefficients` (a row per coefficient, a column
#'   per penalty), `df` (coefficients that are not zero), `scale`, `weights`, `l1_ratio`, `covariance`, `fit`, and, with `folds`,
#'   `cv`: `mean`, `se`, `by_fold` (a row per fold), `fold` (of each group), `loss`, `alpha_min` (the penalty with
#'   the least loss) and `alpha_1se` (the largest whose loss is within one standard error of it). `print()`,
#'   `plot()`, `as.data.frame()`, `coef(path, alpha)` and `predict(path, newdata, alpha)` (population
#'   level) know it; their `alpha` is one of the path's values, `"min"`, or `"1se"`.
#' @section Errors: `mixedlm_error_penalty`.
#' @export
#' @seealso [fit_regularized()]
#' @examples
#' fit <- mixedlm(Weight ~ Time * Cu + Evit, dietox, groups = "Pig", REML = FALSE)
#' path <- regularization_path(fit, n_alpha = 20, folds = 5, seed = 1)
#' path
#' coef(path, alpha = "1se")
#' plot(path)
regularization_path <- function(object, ...) UseMethod("regularization_path")

#' @export
regularization_path.default <- function(object, ...) check_is_fit(object, "object")

#' @rdname regularization_path
#' @export
regularization_path.mixedlm <- function(object, alpha = NULL, n_alpha = 50, ratio = 1e-3, weights = NULL,
                                        l1_ratio = 1, covariance = c("held", "estimated"), standardize = FALSE,
                                        folds = NULL, loss = c("prediction", "loglik"), seed = NULL, ...) {
  if (...length()) {
    check_no_dots(substitute(list(...))[-1L], names(formals(regularization_path.mixedlm)))
  }
  refuse_penalised(object, "A path of penalties")
  covariance <- choose_one(covariance, c("held", "estimated"), "covariance")
  loss <- choose_one(loss, c("prediction", "loglik"), "loss")
  check_seed(seed)
  weights <- path_weights(object, weights, l1_ratio, standardize)
  whole <- engine_design(whole_design(object))
  job <- path_job(object, whole, weights, l1_ratio, covariance)
  alpha <- path_alphas(job, alpha, n_alpha, ratio)
  found <- path_fits(job, job$design, alpha)
  out <- list(
    alpha = alpha, coefficients = path_matrix(object, found$beta, alpha), df = NULL,
    scale = found$sigma2, weights = weights, l1_ratio = l1_ratio, covariance = covariance, fit = object
  )
  out$df <- colSums(out$coefficients != 0)
  if (!is.null(folds)) {
    out$cv <- cross_validate(job, alpha, folds, loss, seed)
  }
  structure(out, class = "mixedlm_path")
}

path_weights <- function(fit, weights, l1_ratio, standardize) {
  columns <- field(fit, "columns")
  if (!length(columns)) {
    abort_penalty("object", "is a fit without fixed effects.")
  }
  if (is.null(weights)) {
    weights <- as.double(columns != "(Intercept)")
  }
  check_penalty_weights(weights, "weights")
  weights <- column_weights(weights, columns, "weights", names(field(fit, "fe_params")))
  weights <- regular_weights(fit, weights, l1_ratio, standardize)$alpha
  estimated <- names(field(fit, "fe_params"))[diag(as.matrix(field(fit, "vcov_unscaled"))) != 0]
  if (!any(weights[estimated] > 0)) {
    abort_penalty("weights", "must be positive for some coefficient that is estimated.")
  }
  weights
}

# What the fits of a path have in common. Columns are those of the engine's design.
path_job <- function(fit, design, weights, l1_ratio, covariance) {
  list(
    fit = fit, design = design, weights = weights[colnames(design$x)], l1_ratio = l1_ratio,
    covariance = covariance
  )
}

path_alphas <- function(job, alpha, n_alpha, ratio) {
  if (!is.null(alpha)) {
    check_penalty_weights(alpha, "alpha")
    return(sort(unique(as.double(alpha)), decreasing = TRUE))
  }
  if (!is_number(n_alpha) || n_alpha != round(n_alpha) || n_alpha < 1 || n_alpha > 1e4) {
    abort_penalty("n_alpha", "must be a whole number from 1 to 10000; found ", describe(n_alpha), ".")
  }
  if (!is_number(ratio) || ratio <= 0 || ratio >= 1) {
    abort_penalty("ratio", "must be a number between 0 and 1; found ", describe(ratio), ".")
  }
  if (job$l1_ratio == 0) {
    abort_penalty("alpha", "must be given with l1_ratio = 0: no penalty on squares makes a coefficient zero.")
  }
  most <- largest_alpha(job)
  most * ratio^(seq(0, 1, length.out = n_alpha))
}

# The smallest penalty at which all penalised coefficients are zero: the largest |slope| / weight there.
largest_alpha <- function(job) {
  own <- job$weights > 0
  if (job$covariance == "held") {
    quadratic <- path_quadratic(job$fit)
    at <- names(quadratic$centre)
    own <- own[at]
    free <- !own
    beta <- numeric(length(at))
    if (any(free)) {
      a <- quadratic$a
      pull <- a[free, own, drop = FALSE] %*% quadratic$centre[own]
      beta[free] <- quadratic$centre[free] + drop(solve_scaled(a[free, free, drop = FALSE]) %*% pull)
    }
    slope <- 2 * drop(quadratic$a %*% (beta - quadratic$centre))
    # a little more, lest rounding lets the first coefficient in
    return(max(abs(slope[own]) / job$weights[at][own]) / job$l1_ratio * (1 + 1e-12))
  }
  none <- joint_regularized(job$fit, list(
    alpha = job$weights, l1_ratio = 1, l1 = full_weights(job$fit, ifelse(own, 1e250, 0)),
    l2 = full_weights(job$fit, 0 * own)
  ))
  slope <- joint_slopes(none)
  own <- own[names(slope)]
  least_null_alpha(job, max(abs(slope[own]) / job$weights[names(slope)][own]) / job$l1_ratio)
}

# With covariances estimated the criterion may have a lower minimum elsewhere while none of the penalised coefficients
# wants to leave zero: the penalty beyond which it has not, to a hundredth.
least_null_alpha <- function(job, alpha) {
  is_null <- function(a) all(joint_path(job, job$design, a)$beta[job$weights > 0, ] == 0)
  if (is_null(alpha)) {
    return(alpha)
  }
  low <- alpha
  for (doubling in 1:60) {
    alpha <- 2 * low
    if (is_null(alpha)) {
      break
    }
    low <- alpha
  }
  while (alpha / low > 1.01) {
    middle <- sqrt(alpha * low)
    if (is_null(middle)) alpha <- middle else low <- middle
  }
  alpha
}

# Weights of the engine's columns for all columns of the fit.
full_weights <- function(fit, weights) {
  out <- stats::setNames(rep(0, length(field(fit, "columns"))), field(fit, "columns"))
  out[names(weights)] <- weights
  out
}

path_quadratic <- function(fit) {
  quadratic <- coefficient_quadratic(fit)
  dimnames(quadratic$a) <- list(names(quadratic$centre), names(quadratic$centre))
  quadratic
}

# Coefficients of all fits, those that are held included.
path_matrix <- function(fit, beta, alpha) {
  fe <- field(fit, "fe_params")
  out <- matrix(fe, length(fe), length(alpha), dimnames = list(names(fe), NULL))
  own <- intersect(names(fe), rownames(beta))
  out[own, ] <- beta[own, ]
  out
}

# --- fits ---------------------------------------------------------------------

# list(beta: columns of X x penalties, sigma2 and theta of each) on a design.
path_fits <- function(job, design, alpha) {
  if (job$covariance == "estimated") joint_path(job, design, alpha) else held_path(job, design, alpha)
}

held_path <- function(job, design, alpha) {
  fit <- job$fit
  raw <- quiet_fit(job, design, NULL)
  columns <- colnames(design$x)
  kept <- columns[raw$kept]
  cov <- as.matrix(raw$beta_cov_unscaled)
  quadratic <- list(
    a = information_of(cov) / raw$sigma2, centre = raw$beta[raw$kept]
  )
  l1 <- outer(job$weights[kept], alpha * job$l1_ratio)
  l2 <- outer(job$weights[kept], alpha * (1 - job$l1_ratio) / 2)
  beta <- matrix(0, length(columns), length(alpha), dimnames = list(columns, NULL))
  beta[kept, ] <- shrink(quadratic, l1, l2)
  away <- beta[kept, , drop = FALSE] - quadratic$centre
  excess <- colSums(away * (quadratic$a %*% away)) * raw$sigma2
  list(
    beta = beta, sigma2 = (raw$pwrss + excess) / raw$denominator,
    theta = rep(list(packed(fit, raw$theta)), length(alpha))
  )
}

joint_path <- function(job, design, alpha) {
  columns <- colnames(design$x)
  fits <- lapply(alpha, function(a) {
    quiet_fit(job, design, list(
      fe_pen = NULL, cov_pen = NULL, l1 = a * job$l1_ratio * job$weights,
      l2 = a * (1 - job$l1_ratio) / 2 * job$weights
    ))
  })
  beta <- vapply(fits, function(raw) ifelse(is.na(raw$beta), 0, raw$beta), numeric(length(columns)))
  list(
    beta = matrix(beta, length(columns), dimnames = list(columns, NULL)),
    sigma2 = vapply(fits, `[[`, 0, "sigma2"),
    theta = lapply(fits, function(raw) packed(job$fit, raw$theta))
  )
}

# An answer of the engine without what it would tell of aliased columns and verdicts.
quiet_fit <- function(job, design, penalty) {
  withCallingHandlers(
    engine_fit(
      design, field(job$fit, "reml"), "newton", field(job$fit, "control"),
      start = design$start, free = lapply(design$terms, `[[`, "free"), penalty = penalty
    ),
    mixedlm_message_rank = function(m) invokeRestart("muffleMessage"),
    mixedlm_warning = function(w) invokeRestart("muffleWarning")
  )
}

packed <- function(fit, theta) {
  random <- field(fit, "random")
  unlist(Map(function(term, l) {
    switch(term$structure,
      unstructured = l[lower.tri(l, diag = TRUE)],
      diagonal = diag(l),
      scalar = l[1L]
    )
  }, random, theta), use.names = FALSE)
}

# --- cross-validation -----------------------------------------------------------

cross_validate <- function(job, alpha, folds, loss, seed) {
  outer <- outer_factor(job$design)
  if (outer == 0L) {
    abort_penalty("folds", "cannot be made: no grouping factor holds all others, so there are no independent groups.")
  }
  codes <- job$design$factors[[outer]]$codes
  fold <- group_folds(folds, job$design$factors[[outer]]$levels, seed)
  of_row <- fold[codes]
  each <- sort(unique(fold))
  by_fold <- t(vapply(each, function(k) {
    own <- path_fits(job, design_rows(job$design, which(of_row != k)), alpha)
    fold_loss(job, design_rows(job$design, which(of_row == k)), own, loss)
  }, numeric(length(alpha))))
  by_fold <- matrix(by_fold, length(each))
  rows <- tabulate(match(of_row, each))
  mean <- colSums(by_fold * rows) / sum(rows)
  # the spread of the folds' means, weighted as they are in the mean
  share <- rows / sum(rows)
  se <- sqrt(colSums(share * sweep(by_fold, 2L, mean)^2) / (length(each) - 1))
  best <- which.min(mean)
  list(
    mean = mean, se = se, by_fold = by_fold, fold = fold, loss = loss, alpha_min = alpha[best],
    alpha_1se = max(alpha[mean <= mean[best] + se[best]])
  )
}

# The fold of each group.
group_folds <- function(folds, levels, seed) {
  m <- length(levels)
  if (length(folds) == m && m > 1L && is.numeric(folds) && !anyNA(folds) && length(unique(folds)) > 1L) {
    return(stats::setNames(folds, levels))
  }
  if (!is_number(folds) || folds != round(folds) || folds < 2 || folds > m) {
    abort_penalty(
      "folds", "must be a whole number from 2 to the number of groups, ", m,
      ", or the fold of each of them; found ", describe(folds), "."
    )
  }
  drawn <- with_local_seed(seed, sample(rep_len(seq_len(folds), m)))
  stats::setNames(drawn, levels)
}

# Some rows of a design, as the engine wants it.
design_rows <- function(design, rows) {
  design$x <- design$x[rows, , drop = FALSE]
  for (part in c("y", "weights", "offset")) {
    if (!is.null(design[[part]])) {
      design[[part]] <- design[[part]][rows]
    }
  }
  design$factors <- lapply(design$factors, function(f) {
    known <- sort(unique(f$codes[rows]))
    f$codes <- match(f$codes[rows], known)
    f$levels <- f$levels[known]
    f
  })
  design$terms <- lapply(design$terms, function(term) {
    if (!is.null(term$z)) {
      term$z <- as.matrix(term$z)[rows, , drop = FALSE]
    }
    term
  })
  design
}

# Loss per row of the rows that were left out, for each penalty.
fold_loss <- function(job, design, found, loss) {
  known <- design$offset %||% 0
  weights <- design$weights %||% rep(1, length(design$y))
  if (loss == "prediction") {
    error <- design$y - known - design$x %*% found$beta
    return(colMeans(weights * error^2))
  }
  n <- length(design$y)
  free <- lapply(field(job$fit, "random"), function(term) rep(FALSE, packed_length(term)))
  x <- design$x
  empty <- design
  empty$held <- rep(0, ncol(x))
  vapply(seq_along(found$theta), function(i) {
    empty$held[] <- found$beta[, i]
    own <- if (ncol(x)) drop_held(empty) else empty
    options <- engine_options(FALSE, "newton", field(job$fit, "control"), found$theta[[i]])
    raw <- engine_answer(rs_fit(engine_problem(own, free), options), own)
    sigma2 <- found$sigma2[i]
    (n * log(2 * pi * sigma2) + raw$logdet_v - sum(log(weights)) + raw$pwrss / sigma2) / n
  }, 0)
}
