# Predictions with their errors: the random effects given the data of the fit,
# more data of theirs where there are any, and the fixed effects at the fit's estimates.

# The data of the fit, `extra` rows with their response, and rows to predict, as one
# problem for the core. The last have next to no weight: they make new levels, and
# combinations of levels that never met, known to it without telling anything of them.
# -> list(problem, rows, extra, own, levels, skip, good): `rows` (and `extra`, `own`) with
# codes in the common levels; `good`: which rows can be predicted;
# `kept`: columns of X; `stretch`: see row_stretch().
conditional_problem <- function(fit, rows, extra = NULL) {
  own <- prediction_rows(fit)
  parts <- c(list(own), if (!is.null(extra)) list(extra), if (!is.null(rows)) list(rows))
  # their fixed part is of no concern to the core: a row of the fit stands in for it
  if (!is.null(rows)) {
    parts[[length(parts)]]$x <- own$x[rep.int(1L, rows$n), , drop = FALSE]
    parts[[length(parts)]]$offset <- 0
    parts[[length(parts)]]$stretch <- row_stretch(fit, own, rows)
  }
  joined <- join_levels(fit, parts)
  parts <- joined$parts
  good <- if (!is.null(rows)) complete_rows(fit, rows)
  used <- lapply(seq_along(parts), function(i) {
    if (is.null(rows) || i < length(parts)) seq_len(parts[[i]]$n) else which(good)
  })
  weights <- lapply(parts, `[[`, "weights")
  weights[1L] <- list(field(fit, "weights"))
  weights <- Map(function(w, at) w %||% rep.int(1, length(at)), weights, used)
  skip <- sum(lengths(used)) - sum(good)
  if (!is.null(rows)) {
    weights[[length(parts)]] <- rep.int(1e-200 * max(unlist(weights[-length(parts)])), sum(good))
  }
  join <- function(value) unlist(Map(function(part, at) value(part)[at], parts, used), use.names = FALSE)
  n <- sum(lengths(used))
  kept <- match(names(field(fit, "fe_params")), field(fit, "columns"))
  problem <- list(
    x = do.call(rbind, Map(function(part, at) part$x[at, kept, drop = FALSE], parts, used)),
    y = c(field(fit, "y"), if (!is.null(extra)) extra$y, if (!is.null(rows)) rep.int(mean(field(fit, "y")), sum(good))),
    weights = if (any(unlist(weights) != 1)) unlist(weights),
    offset = join(function(part) rep_len(as.double(part$offset), part$n)),
    factors = lapply(seq_along(joined$levels), function(f) {
      as.integer(join(function(part) part$factors[[f]]$codes))
    }),
    n_levels = joined$n_levels, terms = joined_terms(fit, parts, used, n)
  )
  attributes(problem$x) <- list(dim = dim(problem$x))
  list(
    problem = problem, own = parts[[1L]], extra = if (!is.null(extra)) parts[[2L]],
    rows = if (!is.null(rows)) replace(parts[[length(parts)]], c("x", "offset"), list(rows$x, rows$offset)), levels = joined$levels, n_levels = joined$n_levels,
    skip = as.integer(skip), good = good, kept = kept,
    stretch = if (!is.null(rows)) parts[[length(parts)]]$stretch[good]
  )
}

# By how much the columns of Z of new rows exceed those of the fit; the core sees them
# divided by it, so that far extrapolations cost no digits.
row_stretch <- function(fit, own, rows) {
  out <- rep.int(1, rows$n)
  for (k in seq_along(rows$terms)) {
    for (j in rows$terms[[k]]$keep) {
      if (!identical(rows$terms[[k]]$z[[j]], 1)) {
        out <- pmax(out, abs(rows$terms[[k]]$z[[j]]) / max(abs(own$terms[[k]]$z[[j]])), na.rm = TRUE)
      }
    }
  }
  out
}

# Codes of all parts in common levels, those of the fit first. A row whose term does not
# count has some level that keeps nested factors nested; an unknown level is a new one.
join_levels <- function(fit, parts) {
  factors <- field(fit, "factors")
  known <- vapply(factors, function(f) length(f$levels), 0L)
  levels <- vector("list", length(factors))
  n_levels <- known
  for (f in seq_along(factors)) {
    new <- unique(unlist(lapply(parts, function(part) part$factors[[f]]$levels)))
    levels[[f]] <- c(as.character(factors[[f]]$levels), new)
    n_levels[f] <- length(levels[[f]])
    for (i in seq_along(parts)) {
      of <- parts[[i]]$factors[[f]]
      if (is.null(of)) {
        next
      }
      at <- which(of$codes > known[f])
      of$codes[at] <- known[f] + match(of$levels[of$codes[at] - known[f]], new)
      parts[[i]]$unknown[[f]] <- is.na(of$codes)
      if (anyNA(of$codes)) {
        n_levels[f] <- length(levels[[f]]) + 1L
        of$codes[is.na(of$codes)] <- n_levels[f]
      }
      parts[[i]]$factors[[f]]$codes <- of$codes
    }
  }
  last <- length(parts)
  absent <- which(vapply(seq_along(factors), function(f) is.null(parts[[last]]$factors[[f]]$codes), NA))
  if (length(absent)) {
    filled <- fill_codes(fit, parts[[last]]$factors, absent, known, n_levels, parts[[last]]$n)
    parts[[last]]$factors <- filled$factors
    n_levels <- filled$n_levels
  }
  list(parts = parts, levels = levels, n_levels = n_levels)
}

# Some level of the factors that do not count: one that the row's level of the finest
# factor that counts was seen with, and for a level that was not seen a new one.
fill_codes <- function(fit, factors, absent, known, n_levels, n) {
  there <- setdiff(seq_along(factors), absent)
  if (!length(there)) {
    for (f in absent) {
      factors[[f]] <- list(codes = rep.int(field(fit, "factors")[[f]]$codes[1L], n))
    }
    return(list(factors = factors, n_levels = n_levels))
  }
  driver <- there[which.max(known[there])]
  own <- field(fit, "factors")[[driver]]$codes
  codes <- factors[[driver]]$codes
  row <- match(codes, own)
  for (f in absent) {
    of <- field(fit, "factors")[[f]]$codes[row]
    unseen <- codes[is.na(of)]
    of[is.na(of)] <- n_levels[f] + match(unseen, unique(unseen))
    factors[[f]] <- list(codes = of)
    n_levels[f] <- n_levels[f] + length(unique(unseen))
  }
  list(factors = factors, n_levels = n_levels)
}

joined_terms <- function(fit, parts, used, n) {
  lapply(seq_along(field(fit, "random")), function(k) {
    term <- field(fit, "random")[[k]]
    out <- list(factor = term$factor, structure = term$structure)
    q <- length(term$columns)
    ones <- vapply(parts, function(part) length(part$terms[[k]]$keep) == q && identical(part$terms[[k]]$z[[1L]], 1), NA)
    stretched <- any(parts[[length(parts)]]$stretch > 1)
    if (q == 1L && all(ones) && !stretched) {
      out$x_columns <- 0L
      return(out)
    }
    z <- vapply(seq_len(q), function(j) {
      unlist(Map(function(part, at) (column_of(part, k, j) / (part$stretch %||% 1))[at], parts, used), use.names = FALSE)
    }, numeric(n))
    out$z <- matrix(as.double(z), n, q)
    out
  })
}

# Column j of term k in some rows; zero where it does not count.
column_of <- function(part, k, j) {
  term <- part$terms[[k]]
  if (!j %in% term$keep) {
    return(numeric(part$n))
  }
  rep_len(as.double(term$z[[j]]), part$n)
}

# Rows without a missing value among their columns.
complete_rows <- function(fit, rows) {
  total <- if (is.null(rows$offset)) numeric(rows$n) else rowSums(rows$x) + rows$offset
  for (k in seq_along(rows$terms)) {
    for (j in rows$terms[[k]]$keep) {
      total <- total + rows$terms[[k]]$z[[j]]
    }
  }
  !is.na(total)
}

# The core's answer: per term the modes given the fixed effects of the fit (`b`) and K'
# (`response`); z'Pz of the rows; the covariance of GLS estimates from all data.
engine_conditional <- function(fit, given, theta = packed_theta(fit), beta = field(fit, "fe_params"), y = NULL) {
  options <- engine_options(field(fit, "reml"), "newton", field(fit, "control"), theta)
  # the columns are known to be independent
  options$rank_tol <- 1e-13
  problem <- given$problem
  if (!is.null(y)) {
    problem$y <- y
  }
  answer <- engine_answer(rs_conditional(problem, options, given$skip), list(factors = field(fit, "factors")))
  if (length(answer$kept) != ncol(problem$x)) {
    abort_alike()
  }
  difference <- answer$beta - as.double(beta)
  list(
    b = Map(function(b, response) b + as.vector(crossprod(response, difference)), answer$modes, answer$responses),
    response = answer$responses, variances = answer$variances, beta_cov_unscaled = answer$beta_cov_unscaled
  )
}

# Variances of the errors of prediction relative to sigma^2. `part`: what is predicted.
error_variances <- function(given, answer, vcov, fixed = TRUE) {
  rows <- given$rows
  good <- which(given$good)
  kept <- given$kept
  error <- if (fixed) rows$x[good, kept, drop = FALSE] else matrix(0, length(good), length(kept))
  for (k in seq_along(rows$terms)) {
    term <- rows$terms[[k]]
    q <- nrow(answer$b[[k]])
    codes <- if (length(term$keep)) rows$factors[[term$factor]]$codes[good]
    for (j in term$keep) {
      of_level <- t(answer$response[[k]][, seq.int(j, by = q, length.out = ncol(answer$b[[k]])), drop = FALSE])
      error <- error - of_level[codes, , drop = FALSE] * column_of(rows, k, j)[good]
    }
  }
  out <- rep.int(NA_real_, rows$n)
  out[good] <- pmax(rowSums((error %*% vcov) * error), 0) + answer$variances * given$stretch^2
  out
}

# Variances that double precision has lost, as missing: where the residuals are next to nothing beside the random
# effects, an error is the difference of numbers that cannot be told apart.
without_lost <- function(variance) {
  lost <- which(is.nan(variance) | variance < 0)
  if (length(lost)) {
    variance[lost] <- NA_real_
    warn("numerical", paste0(
      if (length(lost) == 1L) "One standard error" else paste(length(lost), "standard errors"),
      " of prediction cannot be computed in double precision: ",
      "the random effects or their columns are too large beside the residuals."
    ))
  }
  variance
}

# The same when no random effect counts.
fixed_variances <- function(fit, rows, fixed) {
  if (!fixed) {
    return(numeric(rows$n))
  }
  x <- rows$x[, match(names(field(fit, "fe_params")), field(fit, "columns")), drop = FALSE]
  pmax(rowSums((x %*% field(fit, "vcov_unscaled")) * x), 0)
}

# What predict() gives with standard errors, intervals or `condition_on`.
prediction_with_errors <- function(fit, rows, keep, newdata, condition_on, weights, wanted) {
  fixed <- !wanted$random.only
  weights <- new_weights(fit, rows, newdata, weights, wanted$interval)
  extra <- if (!is.null(condition_on)) extra_rows(fit, condition_on)
  if (!is.null(extra) && !wanted$allow) {
    check_levels_known(fit, rows, extra)
  }
  if (wanted$interval == "prediction" && !is.null(re_form_leaves_out(fit, keep))) {
    inform("interval", paste0(
      "The prediction intervals are without the variance of the random effects of ",
      quote_names(re_form_leaves_out(fit, keep)), ", which `re.form` leaves out. For observations of a new level, ",
      "give one in `newdata`, with allow.new.levels = TRUE."
    ))
  }
  given <- answer <- NULL
  if (any(lengths(keep) > 0L) && rows$n > 0L) {
    given <- conditional_problem(fit, rows, extra)
    answer <- engine_conditional(fit, given)
  }
  value <- if (is.null(extra) || is.null(given)) {
    point_prediction(fit, rows, fixed)
  } else {
    point_prediction(fit, given$rows, fixed, answer$b)
  }
  if (!wanted$errors) {
    return(name_rows(value, rows))
  }
  variance <- if (is.null(given)) {
    fixed_variances(fit, rows, fixed)
  } else {
    error_variances(given, answer, field(fit, "vcov_unscaled"), fixed)
  }
  variance <- without_lost(variance)
  se <- sqrt(variance * field(fit, "scale"))
  out <- name_rows(value, rows)
  if (wanted$interval != "none") {
    spread <- if (wanted$interval == "prediction") sqrt((variance + 1 / weights) * field(fit, "scale")) else se
    quantiles <- if (wanted$nsim > 0L) {
      bootstrap_quantiles(fit, given, rows, weights, wanted)
    } else {
      half <- stats::qnorm((1 + wanted$level) / 2)
      cbind(rep.int(-half, rows$n), rep.int(half, rows$n))
    }
    limits <- value + quantiles * spread
    out <- cbind(fit = out, lwr = name_rows(limits[, 1L], rows), upr = name_rows(limits[, 2L], rows))
  }
  if (wanted$se.fit) list(fit = out, se.fit = name_rows(se, rows)) else out
}

# Prior weights of new observations.
new_weights <- function(fit, rows, newdata, weights, interval = "prediction") {
  if (is.null(weights)) {
    return(if (is.null(newdata)) field(fit, "weights") %||% rep.int(1, rows$n) else weights_there(fit, rows, interval))
  }
  all <- rows$n + length(rows$na.action) * !is.null(newdata)
  if (!is.numeric(weights) || is.object(weights) || !length(weights) %in% c(1L, all)) {
    abort("weights", sprintf(
      "`weights` must have one value, or one for each of the %d rows, not be %s.", all, describe(weights)
    ), argument = "weights")
  }
  if (anyNA(weights) || any(weights <= 0 | is.infinite(weights))) {
    abort("weights", "`weights` must be positive and finite.", argument = "weights")
  }
  weights <- rep_len(as.double(weights), all)
  if (all > rows$n) weights[-rows$na.action] else weights
}

# Groups with varying random effects that are not counted; NULL where there are none.
re_form_leaves_out <- function(fit, keep) {
  random <- field(fit, "random")
  out <- vapply(seq_along(random), function(k) {
    any(diag(as.matrix(field(fit, "psi")[[k]]))[setdiff(seq_along(random[[k]]$columns), keep[[k]])] > 0)
  }, NA)
  if (any(out)) unique(vapply(random[out], `[[`, "", "group"))
}

# The argument `weights` of the fit in new rows; one where they have not what it needs.
weights_there <- function(fit, rows, interval) {
  one <- rep.int(1, rows$n)
  if (interval != "prediction" || is.null(.subset2(fit, "weights"))) {
    return(one)
  }
  w <- tryCatch(call_value(fit, rows, "weights", "newdata"), mixedlm_error_weights = function(e) NULL)
  if (is.null(w)) {
    warn("weights", paste0(
      "The prior weights of the fit cannot be evaluated in `newdata`: prediction intervals are for observations of ",
      "weight one. Give `weights`."
    ), argument = "weights")
    return(one)
  }
  check_new_weights(w)
}

# --- more data -----------------------------------------------------------------

# The rows of condition_on, with response and weights.
extra_rows <- function(fit, condition_on) {
  argument <- "condition_on"
  if (is.null(condition_on)) {
    newdata_error(argument, "`condition_on` must be a data frame, not NULL.")
  }
  extra <- prediction_rows(
    fit, condition_on,
    allow.new.levels = TRUE, na.action = stats::na.omit, argument = argument, response = TRUE
  )
  if (extra$n == 0L) {
    abort("rows", paste0(
      "`condition_on` has no rows", if (length(extra$na.action)) " without a missing value", "."
    ), argument = argument)
  }
  y <- extra$columns[[names(field(fit, "frame"))[1L]]]
  if (!(is.numeric(y) || is.logical(y)) || is.factor(y) || NCOL(y) != 1L) {
    newdata_error(argument, "The response in `condition_on` must be numeric, not ", describe(y), ".")
  }
  extra$y <- as.double(y)
  check_finite_vector(extra$y, "The response in `condition_on`", argument)
  extra$weights <- call_value(fit, extra, "weights", argument)
  if (!is.null(extra$weights) && (!all(is.finite(extra$weights)) || any(extra$weights <= 0))) {
    abort("weights", "The weights in `condition_on` must be positive and finite.", argument = argument)
  }
  extra
}

check_levels_known <- function(fit, rows, extra) {
  for (f in seq_along(rows$factors)) {
    of <- rows$factors[[f]]
    found <- rows
    found$factors <- rep(list(NULL), length(rows$factors))
    if (!is.null(of)) {
      found$factors[[f]] <- list(codes = of$codes, levels = setdiff(of$levels, extra$factors[[f]]$levels))
      check_known_levels(fit, found, "newdata")
    }
  }
}
