# lattice's generics for profiles, which lme4's users call: the package's own
# pictures.

#' @rdname plot.mixedlm_profiles
#' @param data not used; there for lattice's generics.
#' @param conf lme4's name of `levels`.
#' @details
#' lattice's `xyplot()`, `densityplot()` and `splom()`, which lme4 has for its profiles, draw the pictures of
#' `plot()` with the types `"zeta"`, `"density"` and `"pairs"`. Other arguments of theirs (`absVal`, `layout`, `aspect`, ...) are
#' passed over.
#' @exportS3Method lattice::xyplot
xyplot.mixedlm_profiles <- function(x, data = NULL, which = NULL, conf = c(0.5, 0.8, 0.9, 0.95, 0.99), ...) {
  plot.mixedlm_profiles(x, "zeta", which, conf)
}

#' @rdname plot.mixedlm_profiles
#' @exportS3Method lattice::densityplot
densityplot.mixedlm_profiles <- function(x, data = NULL, which = NULL, ...) {
  plot.mixedlm_profiles(x, "density", which)
}

#' @rdname plot.mixedlm_profiles
#' @exportS3Method lattice::splom
splom.mixedlm_profiles <- function(x, data = NULL, which = NULL, conf = c(0.5, 0.8, 0.9, 0.95, 0.99), ...) {
  plot.mixedlm_profiles(x, "pairs", which, conf)
}
