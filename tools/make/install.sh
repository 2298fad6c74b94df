#!/bin/sh
# Builds the package's tarball and installs it into R's library, unless just
# these sources are installed already.
. tools/make/common.sh

# the first library that can be written; else the user's own is made
library=$(Rscript --no-init-file -e '
  paths <- .libPaths()
  paths <- paths[file.access(paths, 2) == 0]
  own <- strsplit(Sys.getenv("R_LIBS_USER"), .Platform$path.sep)[[1]]
  cat(if (length(paths)) paths[1] else path.expand(own[1]))')
mkdir -p "$library" || exit 1

inputs=$(package_files | fingerprint "$(versions)" "$library")
built=$(grep '^Built:' "$library/mixedlm/DESCRIPTION" 2> /dev/null)
if unchanged install "$inputs $built"; then
  say "mixedlm is installed in $library, and nothing has changed since"
  exit 0
fi

say "building and installing mixedlm into $library (the first time compiles all crates: some minutes)"
build_tarball --no-build-vignettes || exit 1
run_logged "$work/install.log" R CMD INSTALL --library="$library" "$tarball" || exit 1
passed install "$inputs $(grep '^Built:' "$library/mixedlm/DESCRIPTION")"
