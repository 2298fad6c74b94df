# lattice's generics for profiles, which lme4's users call: the package's own
# pictures.

#' @rdname plot.mixedlm_profiles
#' @param data not used; there for lattice's generics.
#' @details
#' lattice's `xyplot()`, `densityplot()` and `splom()`, which lme4 has for its profiles, draw the pictures of
#' `plot()` with the types `"zeta"`, `"density"` and `"pairs"`.
#' @exportS3Method lattice::xyplot
xyplot.mixedlm_profiles <- function(x, data = NULL, ...) plot.mixedlm_profiles(x, "zeta", ...)

#' @rdname plot.mixedlm_profiles
#' @exportS3Method lattice::densityplot
densityplot.mixedlm_profiles <- function(x, data = NULL, ...) plot.mixedlm_profiles(x, "density", ...)

#' @rdname plot.mixedlm_profiles
#' @exportS3Method lattice::splom
splom.mixedlm_profiles <- function(x, data = NULL, ...) plot.mixedlm_profiles(x, "pairs", ...)
