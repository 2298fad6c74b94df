# Penalties on fixed effects and covariances: the ready ones, those of the user,
# and what the engine gets of them.
#
# A penalty is a list of class mixedlm_penalty: `part` ("fixed" or "covariance"),
# `label` (for print), and for the ready ones `weights` (function of the names of
# the columns -> one weight each) or `density` (function of a term of the design ->
# list(log_det, trace, rate), see engine_penalty()), for others `func` and `deriv`.

#' Penalties
#'
#' Smooth penalties for the arguments `fe_pen` and `cov_pen` of [mixedlm()]. They are
#' *subtracted* from the log-likelihood (restricted for REML), as statsmodels does;
#' a penalty is the negative logarithm of a prior density, and the fit its mode.
#'
#' @param weights (`numeric`, not negative, in units of 1 / squared coefficient) one weight for all
#'   fixed effects, one for each column of the design, or a named vector; columns
#'   that it does not name have weight 0.
#' @param alpha (`numeric(1)`, not negative) multiplies the weights.
#' @param weight (`numeric(1)`, not negative) multiplies the logarithm.
#' @param df (`numeric(1)`) degrees of freedom of the Wishart distribution; `NULL` is
#'   the number of columns of the term + 2.5, blme's default. At least the number
#'   of columns + 1: below that the density has no mode inside.
#' @param scale its scale matrix, relative to the residual variance as the covariance itself: a
#'   positive definite `matrix`, a number for a multiple of the identity, or `Inf` for none.
#' @param shape (`numeric(1)`, at least 1) shape of the gamma distribution of a standard deviation.
#' @param rate (`numeric(1)`, not negative) its rate; 0 is the improper limit.
#'
#' @details
#' | penalty | subtracted from the log-likelihood |
#' |---|---|
#' | `pen_l2(weights, alpha)` | \eqn{\alpha \sum_j w_j \beta_j^2}{alpha sum w_j beta_j^2}: statsmodels' `L2`, ridge |
#' | `pen_psd(weight)` | \eqn{-weight \log|\Psi|}{-weight log|Psi|}: statsmodels' `PSD` |
#' | `pen_wishart(df, scale)` | \eqn{-\frac{df - q - 1}{2}\log|\Psi| + \frac12 tr(scale^{-1}\Psi)}{-(df - q - 1)/2 log|Psi| + tr(scale^-1 Psi)/2} |
#' | `pen_gamma(shape, rate)` | \eqn{\sum_j -(shape - 1)\log\tau_j + rate\,\tau_j}{sum -(shape - 1) log tau_j + rate tau_j}, \eqn{\tau_j}{tau_j} the standard deviations |
#'
#' \eqn{\Psi}{Psi} is the covariance matrix of a term relative to the residual variance
#' (statsmodels' `cov_re_unscaled`, blme's `common.scale = TRUE`) and \eqn{\tau}{tau} a root of its
#' diagonal. `pen_gamma()` is for terms of one column or of independent columns. The last three, unless a
#' weight is 0 (shape 1, df q + 1), are infinite where \eqn{\Psi}{Psi} is singular, so
#' that no such fit ends there (Chung and others 2013, 2015).
#'
#' @section Penalties of your own:
#' Anything with two functions `func` and `deriv` (a list or an environment), with statsmodels' arguments:
#' `func(params)` and `deriv(params)`, a vector, for `fe_pen`; for `cov_pen` `func(mat, mat_inv)`
#' and `deriv(mat, mat_inv)` of a covariance matrix relative to the residual variance and its (generalised) inverse,
#' where `deriv` gives the derivatives in the elements of the lower triangle, row by row; an element
#' off the diagonal stands for both its places. Second derivatives are differences of `deriv`. The
#' functions must be smooth.
#'
#' @section Which covariances:
#' A penalty given as `cov_pen` is put on every random-effects term of the formula (statsmodels: `cov_re`),
#' not on the variance components of `vc_formula`. A named list of penalties
#' is put on the terms, grouping factors or components of these names.
#'
#' @return A list of class `mixedlm_penalty`.
#' @section Errors: `mixedlm_error_penalty`, with `argument`.
#' @references
#' Chung Y, Rabe-Hesketh S, Dorie V, Gelman A, Liu J (2013). A nondegenerate penalized likelihood estimator for variance
#' parameters in multilevel models. *Psychometrika* **78**, 685-709.
#'
#' Chung Y, Gelman A, Rabe-Hesketh S, Liu J, Dorie V (2015). Weakly informative prior for point estimation of covariance
#' matrices in hierarchical models. *Journal of Educational and Behavioral Statistics* **40**, 136-157.
#' @seealso [mixedlm-penalised], [fit_regularized()] for penalties that are not smooth
#' @name mixedlm-penalties
#' @examples
#' few <- droplevels(subset(dietox, Pig %in% levels(factor(Pig))[1:6]))
#' mixedlm(Weight ~ Time + (Time | Pig), few, cov_pen = pen_wishart())
#' mixedlm(Weight ~ Cu + Time, few, groups = "Pig", fe_pen = pen_l2(c(CuCu035 = 1, CuCu175 = 1)))
#' # never zero: a gamma density of the standard deviation
#' mixedlm(Weight ~ Time, few, groups = "Pig", cov_pen = pen_gamma(shape = 2))
#' mixedlm(Weight ~ Time, few, groups = "Pig", cov_pen = pen_psd(0.5))
NULL

new_penalty <- function(part, label, ...) {
  structure(list(part = part, label = label, ...), class = "mixedlm_penalty")
}

abort_penalty <- function(argument, ...) {
  abort("penalty", paste0("`", argument, "` ", ...), argument = argument)
}

check_least <- function(value, least, argument, what = "a number") {
  if (!is_number(value) || value < least) {
    abort_penalty(argument, "must be ", what, " of at least ", format(least), "; found ", describe(value), ".")
  }
}

#' @rdname mixedlm-penalties
#' @export
pen_l2 <- function(weights = 1, alpha = 1) {
  check_least(alpha, 0, "alpha")
  check_penalty_weights(weights, "weights")
  new_penalty("fixed", paste0("L2 (weights ", shown(alpha * weights), ")"),
    weights = function(columns) alpha * column_weights(weights, columns, "weights")
  )
}

#' @rdname mixedlm-penalties
#' @export
pen_psd <- function(weight = 1) {
  check_least(weight, 0, "weight")
  new_penalty("covariance", paste0("PSD (weight ", shown(weight), ")"), density = function(term) {
    list(log_det = weight, trace = matrix(0, term$size, term$size), rate = 0)
  })
}

#' @rdname mixedlm-penalties
#' @export
pen_wishart <- function(df = NULL, scale = Inf) {
  if (!is.null(df)) {
    check_least(df, 1, "df")
  }
  inverse <- wishart_inverse(scale)
  label <- paste0("Wishart (df ", if (is.null(df)) "columns + 2.5" else shown(df), ", scale ", shown(scale), ")")
  new_penalty("covariance", label, density = function(term) {
    q <- term$size
    df <- df %||% (q + 2.5)
    if (df < q + 1) {
      abort_penalty("df", "must be at least ", q + 1, " for the ", q, " columns of `", term$name, "`; found ", shown(df), ".")
    }
    trace <- if (is.matrix(inverse)) inverse else diag(inverse, q)
    if (nrow(trace) != q) {
      abort_penalty("scale", "must be ", q, " x ", q, " for `", term$name, "`; found ", describe(scale), ".")
    }
    list(log_det = (df - q - 1) / 2, trace = trace / 2, rate = 0)
  })
}

# The inverse of the scale of a Wishart distribution: a matrix or a number.
wishart_inverse <- function(scale) {
  if (is.matrix(scale) && is.numeric(scale) && nrow(scale) == ncol(scale) && all(is.finite(scale)) &&
    isSymmetric(unname(scale)) && min(eigen(scale, TRUE, TRUE)$values) > 0) {
    return(unname(solve_scaled(scale)))
  }
  if (is.numeric(scale) && !is.matrix(scale) && length(scale) == 1L && !is.na(scale) && scale > 0) {
    return(1 / scale)
  }
  abort_penalty("scale", "must be a positive definite matrix, a positive number or Inf; found ", describe(scale), ".")
}

#' @rdname mixedlm-penalties
#' @export
pen_gamma <- function(shape = 2, rate = 0) {
  check_least(shape, 1, "shape")
  check_least(rate, 0, "rate")
  label <- paste0("gamma (shape ", shown(shape), ", rate ", shown(rate), ")")
  new_penalty("covariance", label, density = function(term) {
    if (term$structure == "unstructured" && term$size > 1L) {
      abort_penalty(
        "cov_pen", "has a gamma penalty for `", term$name, "`, whose ", term$size,
        " columns are correlated; use pen_wishart()."
      )
    }
    list(log_det = (shape - 1) / 2, trace = matrix(0, term$size, term$size), rate = rate)
  })
}

#' @export
print.mixedlm_penalty <- function(x, ...) {
  part <- c(fixed = "the fixed effects", covariance = "covariances of random effects")[[x$part]]
  cat("Penalty on ", part, ": ", x$label, "\n", sep = "")
  invisible(x)
}

shown <- function(x) {
  if (length(x) > 4L || is.matrix(x)) {
    return("given")
  }
  text <- format(x, digits = 4L, trim = TRUE)
  paste(if (is.null(names(x))) text else paste(names(x), text), collapse = ", ")
}

# --- weights of coefficients --------------------------------------------------

check_penalty_weights <- function(weights, argument) {
  ok <- is.numeric(weights) && !is.object(weights) && is.null(dim(weights)) && length(weights) &&
    all(is.finite(weights)) && all(weights >= 0)
  if (!ok) {
    abort_penalty(
      argument, "must be one or more finite numbers that are not negative; found ",
      if (is.numeric(weights) && length(weights)) {
        paste0(describe(weights), if (length(weights) > 1L) paste0(" (", shown(range(weights)), ")"))
      } else {
        describe(weights)
      }, "."
    )
  }
}

# One weight per column from one for all, one each, or some by name.
column_weights <- function(weights, columns, argument, kept = columns) {
  if (!is.null(names(weights))) {
    unknown <- setdiff(names(weights), columns)
    if (length(unknown)) {
      abort_penalty(argument, "names ", quote_names(unknown), ", which is no fixed effect.", suggest(unknown[1L], columns))
    }
    out <- weights[columns]
    out[is.na(out)] <- 0
  } else if (length(weights) == 1L) {
    out <- rep.int(weights, length(columns))
  } else if (length(weights) == length(columns)) {
    out <- weights
  } else if (length(weights) == length(kept)) {
    out <- rep.int(0, length(columns))
    out[match(kept, columns)] <- weights
  } else {
    abort_penalty(
      argument, "must have one value, or one for each of the ", length(columns),
      " fixed effects; found ", length(weights), "."
    )
  }
  stats::setNames(as.double(out), columns)
}

# --- arguments of mixedlm() -----------------------------------------------------

# NULL, or list(fe_pen, cov_pen), each NULL, a penalty, or (cov_pen) a named list.
check_penalties <- function(fe_pen, cov_pen, method = "newton") {
  if (is.null(fe_pen) && is.null(cov_pen)) {
    return(NULL)
  }
  if (identical(method, "em")) {
    abort_penalty("method", "\"em\" maximises the likelihood without penalties; use \"newton\".")
  }
  fe_pen <- as_penalty(fe_pen, "fixed", "fe_pen")
  if (is.list(cov_pen) && !is_penalty_like(cov_pen) && length(cov_pen)) {
    if (is.null(names(cov_pen)) || !all(nzchar(names(cov_pen))) || anyDuplicated(names(cov_pen))) {
      abort_penalty("cov_pen", "is a list of penalties, which needs the names of the terms that they are for.")
    }
    cov_pen <- lapply(cov_pen, as_penalty, "covariance", "cov_pen")
  } else {
    cov_pen <- as_penalty(cov_pen, "covariance", "cov_pen")
  }
  list(fe_pen = fe_pen, cov_pen = cov_pen)
}

is_penalty_like <- function(x) {
  if (inherits(x, "mixedlm_penalty")) {
    return(TRUE)
  }
  if (is.list(x)) {
    x <- unclass(x)
  }
  (is.list(x) || is.environment(x)) && is.function(x[["func"]]) && is.function(x[["deriv"]])
}

as_penalty <- function(x, part, argument) {
  if (is.null(x)) {
    return(NULL)
  }
  if (!is_penalty_like(x)) {
    abort_penalty(
      argument, "must be a penalty, such as ", if (part == "fixed") "pen_l2()" else "pen_wishart()",
      ", or something with functions `func` and `deriv`; found ", describe(x), "."
    )
  }
  if (!inherits(x, "mixedlm_penalty")) {
    return(new_penalty(part, "func(), deriv()", func = x[["func"]], deriv = x[["deriv"]]))
  }
  if (x$part != part) {
    abort_penalty(argument, "must be a penalty on ", if (part == "fixed") "the fixed effects" else "covariances", "; found ", x$label, ".")
  }
  x
}

# Per term of the design its penalty, or NULL.
penalty_of_terms <- function(cov_pen, design) {
  terms <- design$terms
  if (is.null(cov_pen)) {
    return(vector("list", length(terms)))
  }
  if (inherits(cov_pen, "mixedlm_penalty")) {
    own <- vapply(terms, function(term) term$kind == "re", NA)
    if (!any(own)) {
      abort_penalty("cov_pen", "has no random effects to act on: the model has variance components only. Name them, as in list(", terms[[1L]]$name, " = ...).")
    }
    return(lapply(own, function(is) if (is) cov_pen))
  }
  names <- lapply(terms, function(term) c(term$name, design$factors[[term$factor]]$name))
  unknown <- setdiff(names(cov_pen), unlist(names))
  if (length(unknown)) {
    abort_penalty("cov_pen", "names ", quote_names(unknown), ", which is no random-effects term.", suggest(unknown[1L], unique(unlist(names))))
  }
  lapply(names, function(own) {
    found <- own[own %in% names(cov_pen)]
    if (length(found)) cov_pen[[found[1L]]]
  })
}
