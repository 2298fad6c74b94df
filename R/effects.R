# What package effects asks a fit for.

#' @exportS3Method effects::effSources
effSources.mixedlm <- function(mod) {
  # with the data themselves: they would be looked for from inside effects
  call <- field(mod, "call")
  env <- environment(formula(mod))
  call$data <- tryCatch(eval(call$data, env), error = function(e) call$data)
  list(
    type = "glm", call = call, formula = formula(mod, fixed.only = TRUE),
    family = stats::gaussian(), coefficients = fixef(mod), vcov = vcov(mod)
  )
}
