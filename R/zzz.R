# Loading: methods for lme4's own generics are registered with lme4 when it is
# or becomes loaded, so that its functions work on our fits whichever package
# was attached first.

lme4_generics <- c(
  "getME", "isGLMM", "isLMM", "isNLMM", "isREML", "ngrps", "rePCA", "refit", "refitML"
)

register_with_lme4 <- function(...) {
  theirs <- asNamespace("lme4")
  ours <- parent.env(environment())
  for (generic in lme4_generics) {
    if (exists(generic, envir = theirs, inherits = FALSE)) {
      registerS3method(
        generic, "mixedlm", get(paste0(generic, ".mixedlm"), envir = ours),
        envir = theirs
      )
    }
  }
}

.onLoad <- function(libname, pkgname) {
  remember_process()
  if (isNamespaceLoaded("lme4")) {
    register_with_lme4()
  }
  setHook(packageEvent("lme4", "onLoad"), register_with_lme4)
  register_explained_variance()
  register_slots()
}
