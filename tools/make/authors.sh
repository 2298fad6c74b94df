#!/bin/sh
# Writes inst/AUTHORS, the authors and licences of the crates, from the crates.
. tools/make/common.sh
. tools/make/vendor.sh
Rscript --vanilla tools/make/authors.R "$work/vendor/vendor" "$work/vendor/needed" inst/AUTHORS
