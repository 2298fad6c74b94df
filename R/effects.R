# What package effects asks a fit for.

#' @exportS3Method effects::effSources
effSources.mixedlm <- function(mod) {
  list(
    type = "glm", call = field(mod, "call"), formula = formula(mod, fixed.only = TRUE),
    family = stats::gaussian(), coefficients = fixef(mod), vcov = vcov(mod)
  )
}
