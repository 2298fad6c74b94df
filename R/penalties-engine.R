# Penalised fits: what the engine gets, and what becomes of a fit's methods.

# What rs_fit_penalised() takes: `fixed`, list(l1, l2) with one weight per column of X in
# units of -2 log-likelihood, or TRUE for a function; `covariance`, per term list(log_det,
# trace, rate) in units of the log-likelihood, TRUE or NULL; `ask`, the function
# that answers for what is TRUE.
engine_penalty <- function(penalty, design) {
  columns <- colnames(design$x)
  of_terms <- penalty_of_terms(penalty$cov_pen, design)
  fe_pen <- penalty$fe_pen
  fixed <- if (!is.null(penalty$l1)) {
    list(l1 = unname(penalty$l1[columns]), l2 = unname(penalty$l2[columns]))
  } else if (is.function(fe_pen$weights)) {
    list(l1 = rep(0, length(columns)), l2 = unname(2 * fe_pen$weights(columns)))
  } else if (!is.null(fe_pen)) {
    TRUE
  }
  covariance <- Map(function(term, own) {
    size <- if (term$structure == "scalar") 1L else length(term$columns)
    if (is.null(own)) {
      return(NULL)
    }
    if (is.null(own$density)) {
      return(TRUE)
    }
    out <- own$density(list(name = term$name, size = size, structure = term$structure))
    storage.mode(out$trace) <- "double"
    out
  }, design$terms, of_terms)
  problem <- new.env(parent = emptyenv())
  list(
    fixed = fixed, covariance = unname(covariance), problem = problem,
    ask = answer_for(fe_pen, of_terms, design, problem)
  )
}

# function(slopes, number, at): a value or slopes of one of the user's penalties; an
# error or an interrupt is kept in `problem` and NULL returned.
answer_for <- function(fe_pen, of_terms, design, problem) {
  columns <- colnames(design$x)
  answer <- function(slopes, number, at) {
    if (number == 0L) {
      names(at) <- if (length(at) == length(columns)) columns
      value <- if (slopes) fe_pen$deriv(at) else fe_pen$func(at)
      return(check_answer(value, slopes, length(at)))
    }
    q <- sqrt(length(at))
    names <- if (q == length(design$terms[[number]]$columns)) design$terms[[number]]$columns
    mat <- matrix(at, q, dimnames = if (!is.null(names)) list(names, names))
    own <- of_terms[[number]]
    value <- if (slopes) own$deriv(mat, any_inverse(mat)) else own$func(mat, any_inverse(mat))
    value <- check_answer(value, slopes, q * (q + 1) / 2)
    if (slopes) symmetric_slopes(value, q) else value
  }
  function(slopes, number, at) {
    tryCatch(answer(slopes, number, at), error = function(e) {
      problem$error <- e
      NULL
    }, interrupt = function(e) {
      problem$interrupted <- TRUE
      NULL
    })
  }
}

check_answer <- function(value, slopes, size) {
  n <- if (slopes) size else 1L
  if (!is.numeric(value) || length(value) != n || anyNA(value)) {
    stop(if (slopes) "deriv()" else "func()", " must give ", n, " number", if (n > 1L) "s", "; found ", describe(value), ".", call. = FALSE)
  }
  as.double(value)
}

# From derivatives in the lower triangle, row by row, to the symmetric gradient.
symmetric_slopes <- function(value, q) {
  out <- matrix(0, q, q)
  out[upper.tri(out, diag = TRUE)] <- value
  out <- (out + t(out)) / 2
  as.double(out)
}

# The inverse of a covariance matrix, generalised where it is singular.
any_inverse <- function(mat) {
  e <- eigen(mat, symmetric = TRUE)
  keep <- e$values > 1e-15 * max(e$values, 0)
  out <- e$vectors[, keep, drop = FALSE] %*% (t(e$vectors[, keep, drop = FALSE]) / e$values[keep])
  dimnames(out) <- dimnames(mat)
  out
}

# An answer of the engine; an error of the user's functions is told as they raised it.
penalised_answer <- function(options, problem, design) {
  answer <- rs_fit_penalised(problem, options)
  raised <- options$penalty$problem$error
  # what ends answer_for()'s function without a trace came before its handlers were there: an interrupt
  untold <- is.null(raised) && identical(answer$message, "a function of the penalty failed")
  if (isTRUE(options$penalty$problem$interrupted) || untold) {
    signal_interrupt()
  }
  if (!identical(answer$status, "ok") && !is.null(raised)) {
    abort("penalty", paste0("A function of the penalty failed: ", conditionMessage(raised)), parent = raised)
  }
  engine_answer(answer, design)
}

# A start at which a penalty is infinite leads nowhere.
check_penalty_start <- function(start, penalty) {
  barrier <- vapply(penalty$covariance, function(own) is.list(own) && own$log_det > 0, NA)
  if (is.null(start) || !any(barrier)) {
    return(invisible())
  }
  if (any(start == 0) && all(start == 0)) {
    abort("start", "`start` has variances of zero, where the penalty is infinite.", argument = "start")
  }
}

# --- the fit --------------------------------------------------------------------

# What a fit keeps of its penalties; `value` in units of the log-likelihood.
as_penalised <- function(fit, penalty, raw) {
  fit$penalty <- list(
    fe_pen = penalty$fe_pen, cov_pen = penalty$cov_pen, value = raw$penalty / 2,
    fixed = !is.null(penalty$fe_pen) || !is.null(penalty$l1)
  )
  class(fit) <- c("mixedlm_penalised", "mixedlm")
  if (fit$penalty$fixed) without_inference(fit) else fit
}

# Estimates under a penalty on the fixed effects are biased by design: nothing is said of their precision. A fixed
# effect that is held keeps its variance of zero.
without_inference <- function(fit) {
  held <- diag(as.matrix(fit$vcov_unscaled)) == 0
  fit$vcov_unscaled[!held, ] <- NA
  fit$vcov_unscaled[, !held] <- NA
  fit$hessian_psi[] <- NA
  fit
}

is_penalised <- function(fit) !is.null(field(fit, "penalty"))
penalises_fixed <- function(fit) isTRUE(field(fit, "penalty")$fixed)

# Refuse what is not defined for a penalised fit, or for one with penalties on its fixed effects only.
refuse_penalised <- function(fit, what, fixed_only = FALSE) {
  if (if (fixed_only) penalises_fixed(fit) else is_penalised(fit)) {
    abort("penalty", paste0(
      what, " is not defined for this fit, whose ",
      if (penalises_fixed(fit)) "fixed effects are" else "likelihood is", " penalised. ",
      if (inherits(fit, "mixedlm_regularized")) {
        "See refit_active() for a fit of the coefficients that were selected."
      } else {
        "Fit the model without `fe_pen` and `cov_pen`."
      }
    ))
  }
}

#' @export
print.mixedlm_penalised <- function(x, ...) {
  NextMethod()
  cat(penalty_lines(x), sep = "\n")
  invisible(x)
}

#' @export
summary.mixedlm_penalised <- function(object, ...) {
  out <- NextMethod()
  class(out) <- c("summary.mixedlm_penalised", class(out))
  out
}

#' @export
print.summary.mixedlm_penalised <- function(x, ...) {
  NextMethod()
  cat(penalty_lines(x$fit), sep = "\n")
  invisible(x)
}

# What is printed of the penalties of a fit.
penalty_lines <- function(fit) {
  penalty <- field(fit, "penalty")
  cov_pen <- penalty$cov_pen
  on_terms <- if (inherits(cov_pen, "mixedlm_penalty")) cov_pen$label else {
    vapply(names(cov_pen), function(name) paste0(name, ": ", cov_pen[[name]]$label), "")
  }
  lines <- c(
    if (!is.null(penalty$fe_pen)) paste0("Penalty on the fixed effects: ", penalty$fe_pen$label),
    if (length(on_terms)) paste0("Penalty on covariances: ", on_terms),
    paste0(
      "Penalised log-likelihood: ", fixed_digits(-field(fit, "criterion") / 2 - penalty$value, 4L),
      "; the verdict is about it. Without the penalty: ", fixed_digits(-field(fit, "criterion") / 2, 4L), "."
    ),
    if (penalty$fixed) "Penalised fixed effects have no standard errors."
  )
  strwrap(lines, width = 79L, exdent = 2L)
}
