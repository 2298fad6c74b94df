#!/bin/sh
# Installs what is missing, installs the package and runs tools/demo.R.
sh tools/make/setup.sh demo || exit 1
sh tools/make/install.sh || exit 1
. tools/make/common.sh
say "running tools/demo.R"
Rscript tools/demo.R demo-output
