# fit@slot: what code written for lme4's S4 objects reads directly. R dispatches
# `@` for other objects from 4.3.0 on, so the method is registered on load there.

# lme4's documented slots that are plain values.
slot_parts <- list(
  call = function(fit) field(fit, "call"),
  frame = function(fit) field(fit, "frame"),
  flist = function(fit) getME(fit, "flist"),
  cnms = function(fit) getME(fit, "cnms"),
  Gp = function(fit) getME(fit, "Gp"),
  lower = function(fit) unname(getME(fit, "lower")),
  theta = function(fit) unname(getME(fit, "theta")),
  beta = function(fit) getME(fit, "beta"),
  u = function(fit) getME(fit, "u"),
  devcomp = function(fit) getME(fit, "devcomp"),
  optinfo = function(fit) field(fit, "optinfo")
)

slot_of_fit <- function(object, name) {
  part <- slot_parts[[name]]
  if (is.null(part)) {
    abort("argument", paste0(
      "A fit of mixedlm() is no S4 object and has no slot ", quote_names(name),
      ". as_lmer(fit) makes one of lme4's."
    ), argument = "name")
  }
  part(object)
}

register_slots <- function() {
  if (getRversion() >= "4.3.0") {
    registerS3method("@", "mixedlm", slot_of_fit, envir = baseenv())
  }
}
