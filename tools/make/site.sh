#!/bin/sh
# Makes a web site of the manual, the vignettes and the README in dist/site, by
# pkgdown, which nothing else here needs.
. tools/make/common.sh

Rscript --no-init-file -e 'quit(status = !requireNamespace("pkgdown", quietly = TRUE))' > /dev/null 2>&1 ||
  die "'make site' needs the R package pkgdown, which is not installed (Debian: r-cran-pkgdown)."
Rscript --vanilla tools/make/check-index.R || die "_pkgdown.yml does not list what there is."
sh tools/make/install.sh || exit 1
say "making the site (some minutes: the examples and the vignettes are run)"
run_logged "$work/site.log" Rscript --no-init-file tools/make/site.R "$work/site" dist/site || exit 1
say "dist/site/index.html"
