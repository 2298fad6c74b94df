# Methods of paths of penalised fits.

# The place of a penalty on a path.
path_place <- function(path, alpha) {
  if (is_string(alpha) && alpha %in% c("min", "1se")) {
    if (is.null(path$cv)) {
      abort_penalty("alpha", "= \"", alpha, "\" needs cross-validation: give `folds` to regularization_path().")
    }
    alpha <- if (alpha == "min") path$cv$alpha_min else path$cv$alpha_1se
  }
  if (!is_number(alpha)) {
    abort_penalty("alpha", "must be one of the path's penalties, \"min\" or \"1se\"; found ", describe(alpha), ".")
  }
  at <- which.min(abs(path$alpha - alpha))
  if (abs(path$alpha[at] - alpha) > 1e-6 * max(alpha, path$alpha[at])) {
    abort_penalty("alpha", "must be one of the path's penalties; ", shown(alpha), " is not, ", shown(path$alpha[at]), " is the nearest.")
  }
  at
}

#' @importFrom stats coef
#' @export
coef.mixedlm_path <- function(object, alpha = NULL, ...) {
  if (is.null(alpha)) {
    return(object$coefficients)
  }
  object$coefficients[, path_place(object, alpha)]
}

#' @importFrom stats predict
#' @export
predict.mixedlm_path <- function(object, newdata = NULL, alpha = if (is.null(object$cv)) NULL else "1se", ...) {
  fit <- object$fit
  beta <- if (is.null(alpha)) object$coefficients else as.matrix(object$coefficients[, path_place(object, alpha), drop = FALSE])
  rows <- prediction_rows(fit, newdata, keep = re_form_columns(fit, NA))
  x <- rows$x
  colnames(x) <- field(fit, "columns")
  out <- x[, rownames(beta), drop = FALSE] %*% beta + rows$offset
  rownames(out) <- rows$rows
  if (is.null(alpha)) out else drop(out)
}

#' @export
as.data.frame.mixedlm_path <- function(x, row.names = NULL, optional = FALSE, ...) {
  b <- x$coefficients
  data.frame(
    alpha = rep(x$alpha, each = nrow(b)), term = rep(rownames(b), ncol(b)), estimate = as.double(b),
    stringsAsFactors = FALSE
  )
}

#' @export
print.mixedlm_path <- function(x, digits = max(3L, getOption("digits") - 3L), ...) {
  check_digits(digits)
  cat(
    if (x$l1_ratio == 1) "L1 path" else paste0("Elastic net path (l1_ratio ", shown(x$l1_ratio), ")"),
    " of ", length(x$alpha), " penalties, alpha from ", format(x$alpha[1L], digits = digits), " to ",
    format(x$alpha[length(x$alpha)], digits = digits), "\n",
    "Relative covariances ", if (x$covariance == "held") "held" else "estimated", "; ",
    x$df[1L], " to ", x$df[length(x$df)], " of ", nrow(x$coefficients), " coefficients are not zero\n",
    sep = ""
  )
  if (!is.null(x$cv)) {
    of <- c(min = x$cv$alpha_min, `1se` = x$cv$alpha_1se)
    at <- match(of, x$alpha)
    loss <- c(prediction = "squared error", loglik = "-2 log-likelihood")[[x$cv$loss]]
    cat("Cross-validation in ", nrow(x$cv$by_fold), " folds of groups, mean ", loss, " per row:\n", sep = "")
    print(data.frame(
      alpha = of, loss = x$cv$mean[at], se = x$cv$se[at], nonzero = x$df[at], row.names = names(of)
    ), digits = digits)
  }
  invisible(x)
}

#' @export
plot.mixedlm_path <- function(x, which = c("coefficients", "cv"), xlab = "alpha", ylab = NULL, ...) {
  which <- choose_one(which, c("coefficients", "cv"), "which")
  if (which == "cv" && is.null(x$cv)) {
    abort_penalty("which", "= \"cv\" needs cross-validation: give `folds` to regularization_path().")
  }
  use <- x$alpha > 0
  at <- x$alpha[use]
  marks <- function() if (!is.null(x$cv)) graphics::abline(v = c(x$cv$alpha_min, x$cv$alpha_1se), lty = 3)
  if (which == "cv") {
    mean <- x$cv$mean[use]
    se <- x$cv$se[use]
    graphics::plot(at, mean,
      log = "x", pch = 19, ylim = range(mean - se, mean + se), xlab = xlab,
      ylab = ylab %||% c(prediction = "Squared error", loglik = "-2 log-likelihood per row")[[x$cv$loss]], ...
    )
    graphics::segments(at, mean - se, at, mean + se)
    marks()
    return(invisible(x))
  }
  own <- x$weights[rownames(x$coefficients)] > 0
  beta <- x$coefficients[own, use, drop = FALSE]
  graphics::matplot(at, t(beta),
    type = "l", lty = 1, log = "x", xlab = xlab, ylab = ylab %||% "Coefficient", ...
  )
  graphics::abline(h = 0, col = "grey")
  graphics::legend("topright", rownames(beta), col = seq_len(nrow(beta)), lty = 1, bty = "n", cex = 0.8)
  marks()
  invisible(x)
}
