#!/bin/sh
# Licences, duplicates and sources of the crates, on all platforms that R runs on:
# fails on a licence that tools/make/allowed-licences does not name. For known
# vulnerabilities, which need the network: 'cargo deny check' (see src/rust/deny.toml).
. tools/make/common.sh
. tools/make/targets.sh

say "Rust: licences of the crates"
for target in $targets; do
  cargo tree --manifest-path src/rust/Cargo.toml --locked --workspace --edges no-dev \
    --target "$target" --prefix none --format '{p} | {l}' 2> "$work/licences.log" || {
    cat "$work/licences.log" >&2
    exit 1
  }
done | sed -n 's/ (\*)$//; s| (/[^)]*)||; / | /p' | sort -u > "$work/licences"
Rscript --vanilla tools/make/licences.R "$work/licences" src/rust/Cargo.lock
