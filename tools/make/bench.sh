#!/bin/sh
# Installs what is missing and the package, and runs the scripts of bench/, which write bench/results/.
# Peers that are not installed are left out; bench/peers.R tells how to install them.
sh tools/make/setup.sh demo || exit 1
sh tools/make/install.sh || exit 1
. tools/make/common.sh
for script in small large rows growth inference coverage predict predict-coverage influence peers; do
  say "running bench/$script.R"
  Rscript "bench/$script.R" || exit 1
done
