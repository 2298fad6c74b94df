# Generics that lme4 has too. Ours work on lme4's fits by handing over to lme4's;
# lme4's work on ours because zzz.R registers these methods with lme4.

#' @rdname mixedlm-accessors
#' @export
ngrps <- function(object, ...) UseMethod("ngrps")

#' @export
ngrps.default <- function(object, ...) lme4_default("ngrps", object, ...)

#' @export
ngrps.mixedlm <- function(object, ...) {
  factors <- field(object, "factors")[factor_order(object)]
  stats::setNames(
    vapply(factors, function(f) length(f$levels), 0L),
    vapply(factors, `[[`, "", "name")
  )
}

# lme4's order: factors (and their terms) by decreasing number of levels.
factor_order <- function(fit) {
  n_levels <- vapply(field(fit, "factors"), function(f) length(f$levels), 0L)
  order(-n_levels)
}

term_order <- function(fit) {
  n_levels <- vapply(field(fit, "random"), `[[`, 0L, "n_levels")
  order(-n_levels)
}

#' @rdname mixedlm-accessors
#' @export
isREML <- function(x, ...) UseMethod("isREML")

#' @export
isREML.default <- function(x, ...) lme4_default("isREML", x, ...)

#' @export
isREML.mixedlm <- function(x, ...) field(x, "reml")

#' @rdname mixedlm-accessors
#' @export
isLMM <- function(x, ...) UseMethod("isLMM")

#' @export
isLMM.default <- function(x, ...) lme4_default("isLMM", x, ...)

#' @export
isLMM.mixedlm <- function(x, ...) TRUE

#' @rdname mixedlm-accessors
#' @export
isGLMM <- function(x, ...) UseMethod("isGLMM")

#' @export
isGLMM.default <- function(x, ...) lme4_default("isGLMM", x, ...)

#' @export
isGLMM.mixedlm <- function(x, ...) FALSE

#' @rdname mixedlm-accessors
#' @export
isNLMM <- function(x, ...) UseMethod("isNLMM")

#' @export
isNLMM.default <- function(x, ...) lme4_default("isNLMM", x, ...)

#' @export
isNLMM.mixedlm <- function(x, ...) FALSE

#' @rdname mixedlm-accessors
#' @export
isSingular <- function(x, tol = 1e-4) UseMethod("isSingular")

#' @export
isSingular.default <- function(x, tol = 1e-4) {
  lme4_default("isSingular", x, tol = tol)
}

#' @export
isSingular.mixedlm <- function(x, tol = 1e-4) {
  if (!is_number(tol) || tol < 0) {
    abort("argument", paste0(
      "`tol` must be a number that is not negative; found ", describe(tol), "."
    ), argument = "tol")
  }
  any(relative_diagonals(x) < tol)
}

# Per diagonal element of the Cholesky factors, how far it is from zero, free
# of units: the relative standard deviation against the curvature for a
# variance, and the conditional standard deviation against it for the rest.
relative_diagonals <- function(fit) {
  elements <- psi_elements(fit)
  curvature <- abs(diag(as.matrix(field(fit, "hessian_psi"))))[elements$free]
  diagonal <- which(elements$row == elements$column)
  unlist(lapply(diagonal, function(i) {
    if (is.na(elements$free[i])) {
      return(Inf)
    }
    theta <- field(fit, "theta")[[elements$term[i]]]
    j <- elements$row[i]
    if (elements$psi[i] <= 0) {
      return(0)
    }
    c(
      sqrt(elements$psi[i] * sqrt(curvature[i])),
      theta[j, j] / sqrt(elements$psi[i])
    )
  }))
}

# What our copies of lme4's generics do with other objects: lme4's own, called
# from the global environment, where it does not find our default method again.
lme4_default <- function(generic, object, ...) {
  if (!is.object(object) || !requireNamespace("lme4", quietly = TRUE)) {
    abort("argument", paste0(
      generic, "() has no method for ", describe(object), "."
    ))
  }
  do.call(getExportedValue("lme4", generic), list(object, ...), envir = globalenv())
}
