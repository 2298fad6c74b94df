# Writes man/ and NAMESPACE from the comments in R/. The code is read from its
# source, so that nothing has to be compiled or installed for it.
if (!requireNamespace("roxygen2", quietly = TRUE)) {
  stop("'make document' needs the R package roxygen2 (Debian: r-cran-roxygen2)")
}
load_with_data <- function(path) {
  env <- roxygen2::load_source(path)
  # it attaches what is imported; Matrix hides print(), summary() and update() behind generics
  # of its own, of which roxygen would not know our methods to be methods
  if ("package:Matrix" %in% search()) {
    detach("package:Matrix", character.only = TRUE)
  }
  for (file in list.files(file.path(path, "data"), "[.]rda$", full.names = TRUE)) {
    load(file, envir = env)
  }
  # attached by load_source(); its S4 generics (print, summary, update) would
  # hide from roxygen2 that ours are S3 methods
  if ("package:Matrix" %in% search()) {
    detach("package:Matrix")
  }
  env
}
roxygen2::roxygenise(".", load_code = load_with_data)
