#!/bin/sh
# Builds dist/mixedlm_<version>.tar.gz, which carries all crates and installs
# without network.
. tools/make/common.sh
. tools/make/vendor.sh

sh tools/make/authors.sh || exit 1
options=
if ! Rscript --no-init-file -e 'for (p in c("knitr", "rmarkdown")) stopifnot(requireNamespace(p, quietly = TRUE))' \
  > /dev/null 2>&1; then
  say "knitr or rmarkdown is not installed: the vignette goes into the tarball as it is written, not as a page"
  options=--no-build-vignettes
fi
say "R CMD build, with the crates inside"
# shellcheck disable=SC2086
build_tarball $options || exit 1
mkdir -p dist
cp "$tarball" dist
say "dist/$(basename "$tarball"): $(wc -c < "$tarball" | awk '{ printf "%.1f", $1 / 1e6 }') MB"
