# rePCA(): principal components of the random effects.

#' Principal components of the random effects
#'
#' The directions in which the random effects of each grouping factor vary, with their standard deviations
#' relative to the residual standard deviation. A standard deviation of zero, or next to it, means that fewer dimensions
#' would do.
#'
#' @param x (`mixedlm`) a fit.
#' @return A list of class `prcomplist` (and `mixedlm_prcomplist`), one object of class `prcomp` per grouping factor (terms on
#'   one factor side by side), with `sdev` (relative to `sigma(x)`) and `rotation`. `summary()` gives the importance
#'   of the components.
#' @references
#' Bates D, Kliegl R, Vasishth S, Baayen H (2015). Parsimonious mixed models. arXiv:1506.04967.
#' @export
#' @section Errors:
#' `mixedlm_error_argument` for what is neither a fit of [mixedlm()] nor one of lme4.
#' @seealso [VarCorr.mixedlm()]
#' @examples
#' fit <- mixedlm(Weight ~ Time + (Time | Pig), dietox)
#' summary(rePCA(fit))
rePCA <- function(x) UseMethod("rePCA")

#' @export
rePCA.default <- function(x) lme4_default("rePCA", x)

#' @export
rePCA.mixedlm <- function(x) {
  factors <- field(x, "factors")
  out <- lapply(factor_order(x), function(f) {
    psi <- block_diagonal(field(x, "psi")[intersect(term_order(x), terms_on(x, f))])
    parts <- svd(psi)
    structure(
      list(sdev = sqrt(parts$d), rotation = parts$u, center = FALSE, scale = FALSE),
      class = "prcomp"
    )
  })
  names <- vapply(factors[factor_order(x)], `[[`, "", "name")
  structure(stats::setNames(out, names), class = c("mixedlm_prcomplist", "prcomplist"))
}

# One block-diagonal matrix of several.
block_diagonal <- function(blocks) {
  size <- vapply(blocks, NROW, 0L)
  out <- matrix(0, sum(size), sum(size))
  end <- 0L
  for (k in seq_along(blocks)) {
    own <- end + seq_len(size[k])
    out[own, own] <- blocks[[k]]
    end <- end + size[k]
  }
  out
}

# A class of its own: lme4 registers a method for the summary of a `prcomplist` too.
#' @export
summary.mixedlm_prcomplist <- function(object, ...) {
  structure(lapply(object, summary, ...), class = "summary.mixedlm_prcomplist")
}

#' @export
print.summary.mixedlm_prcomplist <- function(x, ...) {
  print(unclass(x), ...)
  invisible(x)
}

#' @export
print.mixedlm_prcomplist <- function(x, ...) {
  print(unclass(x), ...)
  invisible(x)
}
