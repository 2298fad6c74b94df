# How much of the variance the fixed and the random effects explain.

#' Variance explained, and intraclass correlation
#'
#' @description
#' `r2()`: Nakagawa and Schielzeth's \eqn{R^2}{R2} for mixed models, marginal (what the fixed effects
#' explain) and conditional (fixed and random effects together).
#'
#' `icc()`: the intraclass correlation coefficient, the share of the random effects in the variance.
#'
#' @param model (`mixedlm`) a fit. Other models go to the functions of these names of package performance.
#' @param by_group (`logical(1)`) whether the share of each grouping factor is given.
#' @param ... not used.
#'
#' @details
#' The variance is split into three parts. Fixed effects: the sample variance of \eqn{X\hat\beta}{X beta}
#' over the rows. Random effects: the variance of a row's \eqn{z'b}{z'b}, averaged over the rows, which covers slopes
#' (Johnson 2014): for each term
#' \eqn{\mathrm{tr}(Z \hat\sigma^2\hat\Psi Z') / n}{tr(Z sigma^2 Psi Z') / n}. Residual: \eqn{\hat\sigma^2}{sigma^2},
#' that of a row of weight one.
#'
#' \eqn{R^2}{R2} marginal is fixed / (fixed + random + residual), conditional (fixed +
#' random) / (fixed + random + residual). The adjusted ICC is random / (random + residual), the
#' unadjusted one random / (fixed + random + residual). With `by_group` the part of
#' each factor is divided by random + residual.
#'
#' A variance that is zero counts as zero: singular fits have their values too.
#'
#' @return `r2()`: a list of class `mixedlm_r2` with `R2_marginal`, `R2_conditional` and `variance` (the three parts).
#'   `icc()`: a data frame with one row and columns `ICC_adjusted` and `ICC_unadjusted`; with `by_group` one
#'   row per grouping factor and columns `Group` and `ICC`.
#' @references
#' Johnson PCD (2014). Extension of Nakagawa & Schielzeth's R2GLMM to random slopes models.
#' *Methods in Ecology and Evolution* **5**, 944-946.
#'
#' Nakagawa S, Schielzeth H (2013). A general and simple method for obtaining R2 from generalized
#' linear mixed-effects models. *Methods in Ecology and Evolution* **4**, 133-142.
#' @export
#' @section Errors:
#' `mixedlm_error_argument` for other objects when package performance is not installed.
#' @seealso [VarCorr.mixedlm()]
#' @examples
#' fit <- mixedlm(Weight ~ Time + (Time | Pig), dietox)
#' r2(fit)
#' icc(fit)
r2 <- function(model, ...) UseMethod("r2")

#' @export
r2.default <- function(model, ...) hand_over("performance", "r2", model, ...)

#' @rdname r2
#' @export
r2.mixedlm <- function(model, ...) {
  if (...length()) {
    check_no_dots(substitute(list(...))[-1L], "model")
  }
  v <- variance_parts(model)
  total <- v$fixed + sum(v$random) + v$residual
  structure(list(
    R2_marginal = v$fixed / total, R2_conditional = (v$fixed + sum(v$random)) / total,
    variance = c(fixed = v$fixed, random = sum(v$random), residual = v$residual)
  ), class = "mixedlm_r2")
}

#' @export
print.mixedlm_r2 <- function(x, digits = 3L, ...) {
  check_digits(digits)
  cat("R2 of fixed and random effects (Nakagawa and Schielzeth)\n")
  print(c(marginal = x$R2_marginal, conditional = x$R2_conditional), digits = digits, ...)
  invisible(x)
}

#' @rdname r2
#' @export
icc <- function(model, ...) UseMethod("icc")

#' @export
icc.default <- function(model, ...) hand_over("performance", "icc", model, ...)

#' @rdname r2
#' @export
icc.mixedlm <- function(model, by_group = FALSE, ...) {
  if (...length()) {
    check_no_dots(substitute(list(...))[-1L], c("model", "by_group"))
  }
  if (!is_flag(by_group)) {
    abort("argument", paste0(
      "`by_group` must be TRUE or FALSE; found ", describe(by_group), "."
    ), argument = "by_group")
  }
  v <- variance_parts(model)
  random <- sum(v$random)
  if (by_group) {
    return(data.frame(
      Group = names(v$random), ICC = unname(v$random) / (random + v$residual)
    ))
  }
  data.frame(
    ICC_adjusted = random / (random + v$residual),
    ICC_unadjusted = random / (v$fixed + random + v$residual)
  )
}

# Variance of the fixed part, of the random effects of each grouping factor
# (averaged over the rows), and of a residual.
variance_parts <- function(fit) {
  design <- build_again(fit)
  kept <- match(names(field(fit, "fe_params")), field(fit, "columns"))
  fixed <- drop(design$x[, kept, drop = FALSE] %*% field(fit, "fe_params"))
  scale <- field(fit, "scale")
  per_term <- vapply(seq_along(design$terms), function(k) {
    z <- term_columns_of(design, design$terms[[k]])
    sum((z %*% field(fit, "psi")[[k]]) * z) / nrow(z) * scale
  }, 0)
  factors <- vapply(field(fit, "random"), `[[`, 0L, "factor")
  order <- factor_order(fit)
  random <- vapply(order, function(f) sum(per_term[factors == f]), 0)
  names(random) <- vapply(field(fit, "factors")[order], `[[`, "", "name")
  list(fixed = stats::var(fixed), random = random, residual = scale)
}

# Methods for the generics of package performance, which is not everywhere, when it is or
# becomes loaded.
explained_variance_generics <- list(performance = c("r2", "model_performance", "check_convergence", "check_model", "check_predictions"))

register_explained_variance <- function() {
  ours <- parent.env(environment())
  for (package in names(explained_variance_generics)) {
    register <- local({
      package <- package
      function(...) {
        theirs <- asNamespace(package)
        for (generic in explained_variance_generics[[package]]) {
          if (exists(generic, envir = theirs, inherits = FALSE)) {
            method <- get(paste0(generic, ".mixedlm"), envir = ours)
            registerS3method(generic, "mixedlm", method, envir = theirs)
          }
        }
      }
    })
    if (isNamespaceLoaded(package)) {
      register()
    }
    setHook(packageEvent(package, "onLoad"), register)
  }
}
