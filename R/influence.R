# influence(): what the estimates would be without some of the rows.

#' Influence of observations and groups
#'
#' Estimates without each observation, or without each group of observations, in turn.
#'
#' @param model (`mixedlm`) a fit.
#' @param groups which rows are left out together. `NULL`: each row alone. A string: the
#'   levels of that variable of the data, or of that grouping factor of the model, crossed with the model's other
#'   factors or not. Several strings, or a one-sided formula: the combinations of these variables. A factor, or a vector that is not character: its
#'   values, one for each row of the fit or of the data.
#' @param data (`data.frame`) where the variables are looked up, with the rows that the fit
#'   was made from; by default the frame of the fit, then its data.
#' @param maxfun (`integer(1)`) the most iterations of an exact refit; `NULL` for what the fit allowed.
#' @param do.coef (`logical(1)`) `FALSE` gives the leverages only.
#' @param ncores (`integer(1)`) threads; `NULL` for what the fit was given. The numbers do not depend on it.
#' @param method (`character(1)`) what is estimated again without the rows, see Details.
#' @param ... not used.
#'
#' @details
#' | `method` | without the rows |
#' |---|---|
#' | `"exact"` | everything is estimated again to convergence, beginning at the fit: the numbers of a new fit of the other rows |
#' | `"one-step"` | the relative variance parameters take one Newton step from the fit (halved if the criterion of the other rows rises); fixed effects, their covariance and \eqn{\sigma^2}{sigma^2} are those for the parameters reached |
#' | `"fixed"` | the relative variance parameters stay at the fit's; fixed effects, their covariance and \eqn{\sigma^2}{sigma^2} are exact for them (Christensen, Pearson and Johnson 1992; Demidenko and Stukel 2005) |
#' | `"auto"` | `"exact"` when the number of deletions times the number of rows is at most 10 million, as lme4 would; else `"fixed"`, with a message |
#'
#' Groups that are independent of each other in the model (levels of the outermost factor, or unions of them) are left out of
#' the reduced data, and the rows are not read again; `"fixed"` then costs one evaluation for all groups. `"fixed"` by
#' observation costs one pass over the rows (see [hatvalues.mixedlm()]) however many there are. All else is a new reduction of the other rows for each deletion.
#' `"exact"` and `"one-step"` evaluate the criterion of the other groups for each deletion, so that their time grows with the
#' square of the number of groups, as does that of `"fixed"` for levels of crossed factors: a thousand take seconds, ten
#' thousand minutes.
#'
#' Columns of the design are those of the fit, also of bases and contrasts that depend on the data (`poly()`, `ns()`,
#' `scale()`, a factor whose first level is deleted): coefficients without the rows mean what they mean in the fit. lme4
#' makes such columns anew for each deletion, so that its changes are partly those of the columns.
#' Where a deletion leaves nothing to estimate a fixed effect from, that effect is `NA`, and so is its covariance; where no model can be fitted to what
#' is left, all of the deletion's values are. One warning counts both. `cooks.distance()` and its like are `NA` there.
#'
#' @return A list of class `influence.mixedlm`, with the components of lme4's `influence()`, where `g` stands for the name of
#'   the grouping, `case` for single rows:
#'   `fixed.effects`, `fixed.effects[-g]` (a row for each deletion), `var.cov.comps`, `var.cov.comps[-g]` (residual variance,
#'   then variances and covariances, user's scale), `vcov`, `vcov[-g]` (a list of matrices), `groups`, `deleted`, `converged`,
#'   `function.evals`; and beyond those `method`, `sizes` (rows in each deletion) and `outcome` (`"ok"`, a verdict as in [mixedlm-object], or
#'   the kind of failure). For `do.coef = FALSE` a list with `hat`, the leverages.
#' @section Errors: `mixedlm_error_groups` when `groups` cannot be used; `mixedlm_error_argument` for other arguments;
#'   `mixedlm_error_penalty` for penalised fits, whose refits would lose the penalty (with penalties on covariances only,
#'   `method = "fixed"` is defined); `mixedlm_error_memory`.
#' @seealso [influence-measures] for what is made of it; [hatvalues.mixedlm()].
#' @references
#' Christensen R, Pearson LM, Johnson W (1992). Case-deletion diagnostics for mixed models. *Technometrics* **34**, 38-45.
#'
#' Demidenko E, Stukel TA (2005). Influence analysis for linear mixed-effects models. *Statistics in Medicine* **24**, 893-909.
#'
#' Pregibon D (1981). Logistic regression diagnostics. *Annals of Statistics* **9**, 705-724.
#' @importFrom stats influence
#' @export
#' @examples
#' fit <- mixedlm(Weight ~ Time, dietox, groups = "Pig", re_formula = ~ Time)
#' without <- influence(fit, groups = "Pig")
#' without
#' head(cooks.distance(without))
#' head(as.data.frame(without))
#' influence(fit, groups = "Litter", method = "fixed")
influence.mixedlm <- function(model, groups = NULL, data = NULL, maxfun = NULL,
                              do.coef = TRUE, ncores = NULL,
                              method = c("auto", "exact", "one-step", "fixed"), ...) {
  if (...length()) {
    check_no_dots(substitute(list(...))[-1L], names(formals(influence.mixedlm)))
  }
  check_switch(do.coef, "do.coef")
  method <- choose_method(method)
  check_at_least_one(maxfun, "maxfun")
  check_at_least_one(ncores, "ncores")
  if (!do.coef) {
    return(structure(list(hat = hatvalues(model)), class = "influence.mixedlm"))
  }
  refuse_penalised(model, "The influence of rows", fixed_only = method == "fixed")
  deleted <- deletion_groups(model, groups, data)
  method <- affordable_method(method, length(deleted$sizes), nobs(model))
  raw <- engine_deletion(model, deleted, method, maxfun, ncores)
  tell_deletions(raw)
  new_influence(model, deleted, method, raw)
}

choose_method <- function(method) {
  known <- c("auto", "exact", "one-step", "fixed")
  if (is.character(method) && !identical(method, known) && !(is_string(method) && method %in% known)) {
    abort("argument", paste0(
      "`method` must be one of ", paste0("\"", known, "\"", collapse = ", "), "; found ",
      describe(method), "."
    ), argument = "method")
  }
  choose_one(method, known, "method")
}

check_at_least_one <- function(value, argument) {
  if (!is.null(value) && !(is_number(value) && value >= 1)) {
    abort("argument", paste0(
      "`", argument, "` must be NULL or a number of at least 1, not ", describe(value), "."
    ), argument = argument)
  }
}

# Deletions times rows up to which "auto" fits again.
most_exact_work <- 1e7

affordable_method <- function(method, count, n) {
  if (method != "auto") {
    return(method)
  }
  if (as.double(count) * n <= most_exact_work) {
    return("exact")
  }
  inform("influence", paste0(
    count, " deletions from ", n, " rows: the relative variance parameters stay at the fit's ",
    "(method = \"fixed\"); method = \"exact\" estimates them again each time."
  ))
  "fixed"
}

# --- the engine ---------------------------------------------------------------

# Estimates without each group of rows: `beta` (a row for each deletion, the
# columns of `columns`), `covariance` (relative to sigma2), `theta`, `sigma2`,
# `evaluations`, `outcome`, `message`.
engine_deletion <- function(fit, deleted, method, maxfun, ncores) {
  whole <- whole_design(fit)
  design <- only_estimated(engine_design(whole), names(field(fit, "fe_params")))
  options <- engine_options(
    field(fit, "reml"), "newton", field(fit, "control"), packed_theta(fit)
  )
  if (!is.null(maxfun)) {
    options$maxit <- as.integer(min(maxfun, .Machine$integer.max))
  }
  if (!is.null(ncores)) {
    options$threads <- limit_threads(min(ncores, 256))
  }
  options$clusters <- as.integer(deleted$codes)
  options$count <- length(deleted$sizes)
  options$deletion <- method
  problem <- engine_problem(design, lapply(design$terms, `[[`, "free"))
  raw <- engine_answer(rs_deletion(problem, options), design)
  raw$columns <- colnames(design$x)
  raw$beta[is.nan(raw$beta)] <- NA
  raw$beta <- only_determined(raw$beta, design$x, options$clusters)
  raw$covariance[is.nan(raw$covariance)] <- NA
  raw$theta[is.nan(raw$theta)] <- NA
  raw$sigma2[is.nan(raw$sigma2)] <- NA
  raw
}

# Where rows that are left do not determine all fixed effects, the core estimates as many as they do, those of the first
# columns: as coefficients of the whole design only those are determined that the columns left out do not depend on.
only_determined <- function(beta, x, clusters) {
  for (i in base::which(rowSums(is.na(beta)) > 0L)) {
    kept <- base::which(!is.na(beta[i, ]))
    if (!length(kept)) {
      next
    }
    left <- x[clusters != i, , drop = FALSE]
    size <- sqrt(colSums(left^2))
    left <- left / rep(ifelse(size == 0, 1, size), each = nrow(left))
    shares <- qr.coef(qr(left[, kept, drop = FALSE]), left[, -kept, drop = FALSE])
    shared <- rowSums(abs(matrix(shares, length(kept))) > 1e-7) > 0L
    beta[i, kept[shared]] <- NA
  }
  beta
}

# A design without its aliased columns; what random terms need of them becomes
# their own.
only_estimated <- function(design, names) {
  kept <- which(colnames(design$x) %in% names)
  if (length(kept) == ncol(design$x)) {
    return(design)
  }
  design$terms <- lapply(design$terms, function(term) {
    if (is.null(term$x_columns)) {
      return(term)
    }
    new <- match(term$x_columns, c(0L, kept)) - 1L
    if (anyNA(new)) {
      term$z <- term_columns_of(design, term)
      term$x_columns <- NULL
    } else {
      term$x_columns <- new
    }
    term
  })
  design$x <- design$x[, kept, drop = FALSE]
  design
}

tell_deletions <- function(raw) {
  failed <- !raw$outcome %in% c("ok", verdicts_sound)
  lost <- !failed & rowSums(is.na(raw$beta)) > 0L
  if (!any(failed | lost)) {
    return(invisible())
  }
  parts <- c(
    if (any(lost)) {
      paste0(sum(lost), " of ", length(lost), " leave some fixed effect undetermined, which is NA")
    },
    if (any(failed)) {
      reason <- raw$message[failed]
      reason <- reason[nzchar(reason)]
      paste0(
        sum(failed), " of ", length(failed), " leave a model that could not be fitted",
        if (length(reason)) paste0(" (", reason[1L], ")")
      )
    }
  )
  warn("influence", paste0("Deletions: ", paste(parts, collapse = "; "), "."),
    failed = which(failed), undetermined = which(lost)
  )
}

# --- the object ---------------------------------------------------------------

new_influence <- function(fit, deleted, method, raw) {
  fe <- field(fit, "fe_params")
  names <- deleted$names
  fixed <- matrix(fe, length(names), length(fe),
    byrow = TRUE, dimnames = list(names, names(fe))
  )
  fixed[, raw$columns] <- raw$beta
  failed <- is.na(raw$sigma2)
  fixed[failed, ] <- NA
  covariances <- lapply(seq_along(names), function(i) {
    v <- matrix(0, length(fe), length(fe), dimnames = list(names(fe), names(fe)))
    v[raw$columns, raw$columns] <- raw$covariance[, , i] * raw$sigma2[i]
    lost <- raw$columns[is.na(raw$beta[i, ])]
    v[lost, raw$columns] <- NA
    v[raw$columns, lost] <- NA
    v
  })
  components <- component_table(fit, raw$theta, raw$sigma2)
  rownames(components$without) <- names
  sub <- paste0("[-", deleted$label, "]")
  out <- list(
    fe, fixed, components$all, components$without,
    as.matrix(field(fit, "vcov_unscaled")) * field(fit, "scale"),
    stats::setNames(covariances, names), deleted$label, deleted$values,
    stats::setNames(raw$outcome %in% c("ok", verdicts_sound), names),
    stats::setNames(raw$evaluations, names),
    method, stats::setNames(deleted$sizes, names), stats::setNames(raw$outcome, names)
  )
  names(out) <- c(
    "fixed.effects", paste0("fixed.effects", sub), "var.cov.comps",
    paste0("var.cov.comps", sub), "vcov", paste0("vcov", sub), "groups", "deleted",
    "converged", "function.evals", "method", "sizes", "outcome"
  )
  structure(out, class = "influence.mixedlm")
}

# Residual variance, then the elements of the covariance matrices under lme4's
# names: `all` of the fit, `without` from rows of packed relative factors.
component_table <- function(fit, theta, sigma2) {
  random <- field(fit, "random")
  size <- vapply(random, packed_length, 0)
  end <- cumsum(size)
  order <- term_order(fit)
  labels <- names(VarCorr(fit))
  parts <- lapply(seq_along(order), function(i) {
    k <- order[i]
    term <- random[[k]]
    at <- psi_places(term)
    own <- theta[, end[k] - size[k] + seq_len(size[k]), drop = FALSE]
    columns <- term$columns
    label <- ifelse(at[, 1L] == at[, 2L], paste0("v[", columns[at[, 1L]], "]"),
      paste0("C[", columns[at[, 1L]], ",", columns[at[, 2L]], "]")
    )
    colnames <- if (length(order) == 1L) label else paste0(labels[i], ":", label)
    without <- psi_of_packed(own, term$structure, length(columns), at) * sigma2
    list(
      all = stats::setNames(field(fit, "psi")[[k]][at] * field(fit, "scale"), colnames),
      without = `colnames<-`(without, colnames)
    )
  })
  list(
    all = c("sigma^2" = field(fit, "scale"), unlist(lapply(parts, `[[`, "all"))),
    without = cbind("sigma^2" = sigma2, do.call(cbind, lapply(parts, `[[`, "without")))
  )
}

# Rows and columns of the elements of Psi that a term estimates.
psi_places <- function(term) {
  q <- length(term$columns)
  switch(term$structure,
    unstructured = unname(base::which(lower.tri(diag(q), diag = TRUE), arr.ind = TRUE)),
    diagonal = cbind(seq_len(q), seq_len(q)),
    scalar = cbind(1L, 1L)
  )
}

# Those elements from rows of packed relative factors.
psi_of_packed <- function(packed, structure, q, at) {
  if (structure != "unstructured") {
    return(packed^2)
  }
  place <- matrix(0L, q, q)
  place[lower.tri(place, diag = TRUE)] <- seq_len(ncol(packed))
  element <- function(i) {
    common <- seq_len(min(at[i, ]))
    rowSums(packed[, place[at[i, 1L], common], drop = FALSE] *
      packed[, place[at[i, 2L], common], drop = FALSE])
  }
  matrix(vapply(seq_len(nrow(at)), element, numeric(nrow(packed))), nrow(packed))
}
