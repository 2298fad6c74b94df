#!/bin/sh
# Installs what is missing and the package, and runs the scripts of bench/; bench/README.md tells
# what each measures. Peers that are not installed are left out.
#   sh tools/make/bench.sh          everything, into bench/results/ (over an hour)
#   QUICK=1 sh tools/make/bench.sh  small models and sizes, into .make/bench/ (minutes)
sh tools/make/setup.sh bench || exit 1
sh tools/make/install.sh || exit 1
. tools/make/common.sh

run() {
  say "running bench/$*"
  script=$1
  shift
  Rscript "bench/$script" "$@" || exit 1
}

if [ -n "$QUICK" ]; then
  run table.R --quick
  run growth.R --quick
  exit 0
fi
run table.R
for script in growth inference predict influence predict-coverage coverage; do
  run "$script.R"
done
say "the table of the README: Rscript bench/write-table.R --readme"
