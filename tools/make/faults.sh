#!/bin/sh
# Installs what is missing and the package, and runs the experiments of tools/faults: one line for each.
# FAULTS="border torture" runs some of them; MIXEDLM_INSTALLED=yes takes the package as it is installed.
if [ -z "$MIXEDLM_INSTALLED" ]; then
  sh tools/make/setup.sh test || exit 1
  sh tools/make/install.sh || exit 1
fi
. tools/make/common.sh
failed=
for name in ${FAULTS:-border torture interrupts forks memory encoding valgrind sanitizers}; do
  say "faults: $name"
  if [ -f "tools/faults/$name.R" ] && [ ! -f "tools/faults/$name.sh" ]; then
    Rscript "tools/faults/$name.R" 2> "$work/faults-$name.log" || failed="$failed $name"
  else
    sh "tools/faults/$name.sh" || failed="$failed $name"
  fi
done
if [ -n "$failed" ]; then
  die "make faults failed:$failed"
fi
echo "all experiments came out as they should"
