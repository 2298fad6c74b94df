#!/bin/sh
# Random models, data and calls, broken ones among them: N cases (10000) from SEED (1) on, in two processes.
# Writes tools/fuzz/logs/<date>-<seed>.txt, and beside it the full log; any finding makes it fail.
# A single case is replayed in R, from the repository's root: source("tools/fuzz/load.R"); fuzz_case(<seed>)
sh tools/make/setup.sh demo || exit 1
sh tools/make/install.sh || exit 1
. tools/make/common.sh
first=${SEED:-1}
last=$((first + ${N:-10000} - 1))
mkdir -p tools/fuzz/logs
log=tools/fuzz/logs/$(date +%Y-%m-%d)-$first
say "cases $first to $last; the log is $log.txt"
Rscript --vanilla tools/fuzz/worker.R "$first" "$last" 2 "$log-a.log" &
one=$!
Rscript --vanilla tools/fuzz/worker.R $((first + 1)) "$last" 2 "$log-b.log" &
other=$!
wait $one && wait $other || die "the cases could not be run"
Rscript --vanilla tools/fuzz/summary.R "$log.txt" "$log-a.log" "$log-b.log"
status=$?
sed -n '/^error messages/q;p' "$log.txt"
exit $status
