# Builds the site from a clean copy of the sources, which pkgdown writes into.
#   Rscript tools/make/site.R <folder for the copy> <folder of the site>   (from the repository's root)
args <- commandArgs(trailingOnly = TRUE)
copy <- file.path(args[1], "mixedlm")
unlink(args[1], recursive = TRUE)
dir.create(copy, recursive = TRUE)
parts <- c("DESCRIPTION", "NAMESPACE", "LICENSE", "README.md", "NEWS.md", "_pkgdown.yml", "man", "vignettes", "R", "inst", "data")
invisible(file.copy(parts[file.exists(parts)], copy, recursive = TRUE))
unlink(args[2], recursive = TRUE)
dir.create(args[2], recursive = TRUE)

# the package is installed already; the pages ask nothing of the network
options(pkgdown.internet = FALSE)
site <- normalizePath(args[2])
package <- pkgdown::as_pkgdown(copy, override = list(destination = site))
pkgdown::init_site(package)
pkgdown::build_home(package, preview = FALSE)
pkgdown::build_reference(package, lazy = FALSE, preview = FALSE, devel = FALSE)
pkgdown::build_articles(package, lazy = FALSE, preview = FALSE)
pkgdown::build_news(package, preview = FALSE)

# pkgdown writes the errors of examples into their pages and goes on
pages <- list.files(file.path(site, "reference"), "[.]html$", full.names = TRUE)
failed <- vapply(pages, function(page) any(grepl("class=\"r-err", readLines(page, warn = FALSE), fixed = TRUE)), NA)
if (any(failed)) {
  stop("examples fail on the pages ", paste(basename(pages[failed]), collapse = ", "))
}
