#!/bin/sh
# Writes R/extendr-wrappers.R from the Rust crate in the working tree.
. tools/make/common.sh

say "building the crate"
R_HOME=$(R RHOME)
export R_HOME
run_logged "$work/wrappers.log" cargo build --release --lib --locked \
  --manifest-path src/rust/Cargo.toml --target-dir src/rust/target || exit 1

rm -rf "$work/wrappers"
mkdir -p "$work/wrappers"
cp src/entrypoint.c "$work/wrappers"
(cd "$work/wrappers" && PKG_LIBS="$root/src/rust/target/release/libmixedlm.a" \
  run_logged "$work/wrappers.log" R CMD SHLIB -o mixedlm.so entrypoint.c) || exit 1
Rscript --vanilla tools/make/wrappers.R "$work/wrappers/mixedlm.so" R/extendr-wrappers.R &&
  say "wrote R/extendr-wrappers.R"
