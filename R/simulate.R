# simulate(): new responses from a fit, and the draws behind it. Draws come in the
# order in which lme4 takes them from R's generator, so that one seed gives the
# same numbers there and here: first all random effects (a column per replicate, terms
# by falling number of levels, the effects of a level side by side), then the residuals.

#' Simulate responses from a fit
#'
#' New responses drawn from the fitted model, with random effects drawn anew, kept at
#' their conditional modes, or some of both.
#'
#' @param object (`mixedlm`) a fit.
#' @param nsim (`integer(1)`) number of responses, at least 1.
#' @param seed (`integer(1)` or `NULL`) as for [stats::simulate()]: given to
#'   [set.seed()] before the draws, R's generator put back afterwards; `NULL`:
#'   go on from where the generator is.
#' @param use.u (`logical(1)`) `TRUE` is `re.form = NULL`: keep all random effects.
#' @param re.form which random effects are *kept* at their conditional modes, the
#'   others being drawn: `NULL` all; `NA` or `~ 0` none; a one-sided formula with
#'   bars those it names. Where only some of the correlated effects of a term are
#'   kept, the others are drawn given them.
#' @param newdata (`data.frame`) rows to simulate for; `NULL` for those of the fit.
#'   Prior weights of the fit are evaluated in it. A kept effect of a level that
#'   was not in the fit is zero.
#' @param newparams (`list`) parameters to use instead of the estimates: any of `beta`
#'   (fixed effects), `theta` (relative Cholesky factors as `getME(fit, "theta")`),
#'   `sigma` (residual standard deviation); vectors with names are matched by them.
#'   Or [mixedlm_params()], whose covariances are relative to the residual variance; or a list
#'   with any of `fe_params`, `cov_re`, `vcomp`, `scale`, on the user's scale.
#' @param cond.sim (`logical(1)`) `FALSE` leaves out the residuals.
#' @param allow.new.levels (`logical(1)`) whether `newdata` may have levels that were not in
#'   the fit.
#' @param na.action (`function`) what to do with missing values in `newdata`.
#' @param ... not used.
#'
#' @details
#' The random effects are normal with the covariance matrices of the fit, the residuals normal with
#' variance `scale / weight`. For one seed the numbers equal those of lme4's
#' `simulate()` for a fit of the same model with the same estimates.
#' @return A data frame with the columns `sim_1`, `sim_2`, ..., one row per row that was
#'   used, named as in the data; with `na.action = na.exclude` padded with `NA`. Its attribute
#'   `"seed"` tells how to repeat it, as [stats::simulate()] describes.
#' @section Errors: `mixedlm_error_argument` for `nsim`, `seed`, `use.u`, `cond.sim`;
#'   `mixedlm_error_re_form`; `mixedlm_error_newdata`, `_new_levels` and `_weights` for `newdata`;
#'   `mixedlm_error_newparams` for
#'   parameters that do not fit the model.
#' @seealso [refit()], [mixedlm_simulate()] for a model without a fit, [bootstrap()].
#' @importFrom stats simulate
#' @export
#' @examples
#' fit <- mixedlm(Weight ~ Time + (1 | Pig), dietox)
#' y <- simulate(fit, nsim = 2, seed = 1)
#' head(y)
#' fixef(refit(fit, y[1]))
#' # the same pigs again
#' head(simulate(fit, seed = 1, re.form = NULL))
simulate.mixedlm <- function(object, nsim = 1, seed = NULL, use.u = FALSE, re.form = NA,
                             newdata = NULL, newparams = NULL, cond.sim = TRUE,
                             allow.new.levels = FALSE, na.action = stats::na.pass, ...) {
  if (...length()) {
    check_no_dots(substitute(list(...))[-1L], names(formals(simulate.mixedlm)))
  }
  nsim <- simulation_count(nsim)
  check_seed(seed)
  re.form <- kept_effects(re.form, use.u, missing(re.form), missing(use.u))
  check_simulation_flag(cond.sim, "cond.sim")
  check_simulation_flag(allow.new.levels, "allow.new.levels")
  truth <- simulation_truth(field(object, "random"), field(object, "fe_params"), newparams, object)
  columns <- re_form_columns(object, re.form)
  rows <- simulation_rows(object, newdata, allow.new.levels, na.action)
  mean <- rows$offset + as.vector(rows$x %*% truth$beta)
  parts <- split_effects(object, rows, columns, truth)
  with_simulate_seed(seed, function(state) {
    y <- draw_responses(
      mean + parts$mean, parts$drawn, truth$sigma, rows$weights, nsim, cond.sim
    )
    simulated_frame(y, rows, state)
  })
}

# --- arguments --------------------------------------------------------------

simulation_count <- function(nsim) {
  if (!is_number(nsim) || nsim < 1 || nsim != round(nsim) || nsim > .Machine$integer.max) {
    abort("argument", paste0(
      "`nsim` must be a whole number of at least 1; found ", describe(nsim), "."
    ), argument = "nsim")
  }
  as.integer(nsim)
}

check_simulation_flag <- function(value, argument) {
  if (!is_flag(value)) {
    abort("argument", paste0(
      "`", argument, "` must be TRUE or FALSE; found ", describe(value), "."
    ), argument = argument)
  }
}

kept_effects <- function(re.form, use.u, no_form, no_use) {
  check_simulation_flag(use.u, "use.u")
  if (no_use) {
    return(re.form)
  }
  if (!no_form) {
    abort("argument", "Give `use.u` or `re.form`, not both.", argument = "use.u")
  }
  if (use.u) NULL else NA
}

# --- rows -------------------------------------------------------------------

# -> list(x, offset, weights, rows: names, na.action, random: per term list(z, codes, level)), the codes
# counting the levels among these rows: those of the fit in its order, then new ones; `level` is their place among
# the levels of the fit, NA for new.
simulation_rows <- function(fit, newdata, allow_new_levels, na.action) {
  found <- prediction_rows(fit, newdata, allow.new.levels = allow_new_levels, na.action = na.action)
  n <- found$n
  x <- found$x[, match(names(field(fit, "fe_params")), field(fit, "columns")), drop = FALSE]
  known <- lengths(lapply(field(fit, "factors"), `[[`, "levels"))
  present <- Map(function(f, size) present_levels(f$codes, size), found$factors, known)
  random <- lapply(found$terms, function(term) {
    z <- unlist(lapply(term$z, rep_len, n))
    c(list(z = matrix(as.double(z), n, length(term$z))), present[[term$factor]])
  })
  list(
    x = x, offset = rep_len(found$offset, n), random = random, rows = as.character(found$rows),
    na.action = found$na.action, weights = if (is.null(newdata)) {
      field(fit, "weights")
    } else if (!is.null(.subset2(fit, "weights"))) {
      check_new_weights(call_value(fit, found, "weights", "newdata"))
    }
  )
}

# Rows whose level is not known are each of a new one.
present_levels <- function(codes, known) {
  unknown <- is.na(codes)
  codes[unknown] <- max(known, codes[!unknown]) + seq_len(sum(unknown))
  level <- sort.int(unique(codes))
  list(codes = match(codes, level), level = ifelse(level > known, NA_integer_, level))
}

check_new_weights <- function(w) {
  if (anyNA(w) || any(w <= 0) || any(is.infinite(w))) {
    abort("weights", paste0(
      "The prior weights that `newdata` gives must be finite and positive."
    ), argument = "newdata")
  }
  as.double(w)
}

# --- effects ----------------------------------------------------------------

# -> list(mean: what the kept effects add to each row, drawn: list of list(z, codes, n_levels,
# factor, by_column) in the order of the draws).
split_effects <- function(fit, rows, columns, truth) {
  random <- field(fit, "random")
  mean <- 0
  drawn <- vector("list", length(random))
  for (k in seq_along(random)) {
    term <- rows$random[[k]]
    keep <- columns[[k]]
    rest <- setdiff(seq_along(random[[k]]$columns), keep)
    b <- kept_modes(field(fit, "b")[[k]], term$level, keep)
    draw <- drawn_factor(truth$theta[[k]], keep, rest)
    effects <- matrix(0, length(keep) + length(rest), length(term$level))
    effects[keep, ] <- b
    effects[rest, ] <- draw$slope %*% b
    for (j in which(rowSums(effects != 0) > 0)) {
      mean <- mean + term$z[, j] * effects[j, term$codes]
    }
    if (length(rest)) {
      drawn[[k]] <- list(
        z = term$z[, rest, drop = FALSE], codes = term$codes, n_levels = length(term$level),
        factor = draw$factor, by_column = random[[k]]$structure != "unstructured"
      )
    }
  }
  n_levels <- vapply(drawn, function(d) d$n_levels %||% NA_integer_, 0L)
  order <- order(-n_levels)
  list(mean = mean, drawn = drawn[order[!is.na(n_levels[order])]])
}

kept_modes <- function(b, level, keep) {
  out <- b[keep, level, drop = FALSE]
  out[is.na(out)] <- 0
  out
}

# Given the effects `keep` the others are normal with mean slope b and covariance
# factor factor', relative to sigma^2.
drawn_factor <- function(theta, keep, rest) {
  if (!length(keep) || !length(rest)) {
    return(list(factor = theta[rest, , drop = FALSE], slope = matrix(0, length(rest), length(keep))))
  }
  # rotations that leave Psi as it is make the kept rows triangular, so that the others' columns
  # beyond are what is left given them; also where Psi is singular
  turned <- qr(t(theta[keep, , drop = FALSE]), LAPACK = FALSE, tol = 1e-10)
  basis <- qr.Q(turned, complete = TRUE)
  used <- seq_len(turned$rank)
  all <- theta %*% basis
  top <- all[keep, used, drop = FALSE]
  slope <- all[rest, used, drop = FALSE] %*% pseudo_inverse(top)
  list(factor = all[rest, setdiff(seq_len(ncol(all)), used), drop = FALSE], slope = slope)
}

pseudo_inverse <- function(a) {
  if (!ncol(a)) {
    return(matrix(0, 0L, nrow(a)))
  }
  s <- svd(a)
  s$v %*% (t(s$u) / s$d)
}

# --- draws ------------------------------------------------------------------

# n x nsim responses.
draw_responses <- function(mean, drawn, sigma, weights, nsim, residuals) {
  n <- length(mean)
  size <- vapply(drawn, function(d) d$n_levels * ncol(d$factor), 0)
  check_simulation_size(n, nsim, sum(size))
  u <- matrix(stats::rnorm(sum(size) * nsim), ncol = nsim)
  y <- matrix(mean, n, nsim)
  end <- cumsum(size)
  for (k in seq_along(drawn)) {
    y <- y + sigma * effects_of_draws(drawn[[k]], u[seq_len(size[k]) + end[k] - size[k], , drop = FALSE])
  }
  if (residuals) {
    sd <- if (is.null(weights)) sigma else sigma / sqrt(weights)
    y <- y + sd * stats::rnorm(n * nsim)
  }
  y
}

# What the random effects of one term, made of standard normal numbers `u` (a column per
# replicate), add to each row.
effects_of_draws <- function(term, u) {
  q <- nrow(term$factor)
  r <- ncol(term$factor)
  levels <- term$n_levels
  out <- 0
  for (j in seq_len(q)) {
    b <- 0
    for (i in which(term$factor[j, ] != 0)) {
      at <- if (term$by_column) (i - 1L) * levels + seq_len(levels) else seq.int(i, by = r, length.out = levels)
      b <- b + term$factor[j, i] * u[at, , drop = FALSE]
    }
    if (is.matrix(b)) {
      out <- out + term$z[, j] * b[term$codes, , drop = FALSE]
    }
  }
  out
}

check_simulation_size <- function(n, nsim, q) {
  bytes <- 8 * (3 * n + 2 * q) * nsim
  if ((n + q) * nsim > 2^31) {
    abort("memory", sprintf(
      "%d responses of %d rows would take about %.0f GB; ask for fewer at a time.",
      nsim, n, bytes / 2^30
    ), argument = "nsim")
  }
}

# As stats::simulate() documents: `code` gets what the attribute "seed" is to be.
with_simulate_seed <- function(seed, code) {
  if (!exists(".Random.seed", envir = globalenv(), inherits = FALSE)) {
    stats::runif(1L)
  }
  if (is.null(seed)) {
    before <- get(".Random.seed", envir = globalenv())
    return(code(before))
  }
  restore <- random_state()
  on.exit(restore())
  set.seed(seed)
  code(structure(seed, kind = as.list(RNGkind())))
}

simulated_frame <- function(y, rows, state) {
  row.names(y) <- rows$rows
  if (length(rows$na.action)) {
    y <- stats::naresid(rows$na.action, y)
  }
  names <- row.names(y)
  out <- lapply(seq_len(ncol(y)), function(i) unname(y[, i]))
  names(out) <- paste0("sim_", seq_along(out))
  if (is.null(names) || identical(names, as.character(seq_len(nrow(y))))) {
    names <- .set_row_names(nrow(y))
  }
  structure(out,
    class = "data.frame", row.names = names, na.action = rows$na.action, seed = state
  )
}
