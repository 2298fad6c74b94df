# Makes $work/vendor.tar.xz, the crates for a build without network; sets $vendor.
# Read with '.' after common.sh.

. tools/make/targets.sh

# needed_crates: one line '<name>-<version> <features>' for each
needed_crates() {
  for target in $targets; do
    cargo tree --manifest-path src/rust/Cargo.toml --locked --workspace --edges no-dev \
      --target "$target" --prefix none --format '{p} | {f}' || return 1
  done | sed -n 's/^\([^ ]*\) v\([^ ]*\)[^|]*| *\([^ ]*\).*/\1-\2 \3/p' | sort -u
}

make_vendor() {
  rm -rf "$work/vendor"
  mkdir -p "$work/vendor"
  run_logged "$work/vendor.log" cargo vendor --manifest-path src/rust/Cargo.toml --locked \
    --versioned-dirs "$work/vendor/vendor" || return 1
  needed_crates > "$work/vendor/needed" || return 1
  Rscript --vanilla tools/make/vendor.R "$work/vendor/vendor" "$work/vendor/needed" || return 1
  # Read from src/.cargo, which is CARGO_HOME then: the folder is src/vendor.
  cat > "$work/vendor/vendor/config.toml" <<'CONFIG'
[source.crates-io]
replace-with = "vendored"

[source.vendored]
directory = "vendor"
CONFIG
  (cd "$work/vendor" && tar --sort=name --owner=0 --group=0 --numeric-owner --mode=a+rX,u+w,go-w \
    --mtime='2026-01-01 00:00Z' -cf - vendor | xz -9e -T 1) > "$work/vendor.tar.xz"
}

vendor=$work/vendor.tar.xz
vendor_inputs=$(project_files |
  grep -E '^(src/rust/(Cargo.lock|(core/)?Cargo.toml)|tools/make/(vendor\.(sh|R)|targets\.sh))$' |
  fingerprint "$(cargo --version)")
if [ ! -f "$vendor" ] || ! unchanged vendor "$vendor_inputs"; then
  say "fetching and packing the crates"
  make_vendor || die "The crates could not be packed."
  passed vendor "$vendor_inputs"
fi
