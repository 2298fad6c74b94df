#!/bin/sh
# The border under valgrind: no invalid reads or writes, no jumps on what was never set, in frames of our library, and
# nothing that it definitely loses. valgrind shows programs a processor without AVX-512, and the kernels ask at run
# time what there is, so that no setting is needed. What R itself does in its own frames is not counted.
command -v valgrind > /dev/null 2>&1 || {
  echo "skip valgrind is not installed"
  exit 0
}
log=${TMPDIR:-/tmp}/mixedlm-valgrind.$$
# regular expressions of R (TRE, PCRE) and its string functions read beyond ends on purpose; --smc-check is not needed
R --vanilla --no-echo -d "valgrind --quiet --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite \
  --num-callers=30 --suppressions=tools/faults/valgrind.supp --log-file=$log" -f tools/faults/valgrind.R > "$log.out" 2>&1
code=$?
done=$(grep -c '^done' "$log.out")
sed 's/^==[0-9]*== \{0,1\}//' "$log" | awk 'BEGIN { RS = "" } /mixedlm/ { n++; if (n <= 5) print $0 "\n" } END { print "ours " n + 0 }' > "$log.ours"
ours=$(sed -n 's/^ours //p' "$log.ours")
all=$(sed 's/^==[0-9]*== \{0,1\}//' "$log" | awk 'BEGIN { RS = "" } NF { n++ } END { print n + 0 }')
if [ "$code" -eq 0 ] && [ "$ours" -eq 0 ] && [ "$done" -gt 0 ]; then
  echo "ok   valgrind: $done functions, no report with a frame of the library ($all reports in all)"
  rm -f "$log" "$log".*
  exit 0
fi
echo "FAIL valgrind: $ours reports with a frame of the library, $done functions done, exit code $code; see $log"
sed 's/^/     | /' "$log.ours" | head -n 40
exit 1
