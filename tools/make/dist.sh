#!/bin/sh
# Builds dist/mixedlm_<version>.tar.gz, which carries all crates and installs
# without network.
. tools/make/common.sh
. tools/make/vendor.sh

sh tools/make/authors.sh || exit 1
say "R CMD build, with the crates inside"
build_tarball || exit 1
mkdir -p dist
cp "$tarball" dist
say "dist/$(basename "$tarball"): $(wc -c < "$tarball" | awk '{ printf "%.1f", $1 / 1e6 }') MB"
