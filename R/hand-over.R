# Functions of ours whose names other packages use too: what is not a fit of ours
# goes to theirs, so that either may be attached last.

# Calls `package::name` for an object that is not a fit of ours.
hand_over <- function(package, name, object, ...) {
  if (!is.object(object) || !requireNamespace(package, quietly = TRUE)) {
    abort("argument", paste0(
      name, "() has no method for ", describe(object), "."
    ))
  }
  do.call(getExportedValue(package, name), list(object, ...), envir = globalenv())
}
