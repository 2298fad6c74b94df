#!/bin/sh
# The tests of the numerical library under AddressSanitizer. rustc has it behind a flag of its own, which a stable
# compiler takes with RUSTC_BOOTSTRAP. And the `unsafe` of the workspace, each with its reason.
manifest=src/rust/Cargo.toml
triple=$(rustc -vV | sed -n 's/^host: //p')
target=${MIXEDLM_ASAN_TARGET:-.make/asan}
log=.make/faults-asan.log
mkdir -p .make
failed=0
if RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address cargo test --manifest-path $manifest --locked -p mixedlm-core --lib \
  --target "$triple" --target-dir "$target" > "$log" 2>&1; then
  echo "ok   AddressSanitizer: $(sed -n 's/^test result: ok. \([0-9]* passed\).*/\1/p' "$log" | tr '\n' ' ')"
else
  echo "FAIL AddressSanitizer: see $log"
  failed=1
fi
# every block says why it is sound, on the lines before it
bare=$(awk '/unsafe[ ]*\{|unsafe extern "C" fn [a-z]/ { if (seen !~ /SAFETY|# Safety/) print FILENAME ":" FNR } { seen = /\/\// ? seen $0 : "" }' \
  src/rust/src/*.rs $(find src/rust/core/src -name '*.rs'))
if [ -z "$bare" ]; then
  echo "ok   every unsafe block says why it is sound"
else
  echo "FAIL unsafe without a reason: $bare"
  failed=1
fi
exit $failed
