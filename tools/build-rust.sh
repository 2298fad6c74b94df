#!/bin/sh
# Builds the static library. Called by src/Makevars from within src:
#   sh ../tools/build-rust.sh <target folder> [<target triple>]
#
# With src/rust/vendor.tar.xz (a tarball made by 'make dist') everything comes
# from there: no network, and nothing is written outside of the build folder.
# Without it, cargo fetches the crates of Cargo.lock as usual.
set -e

target_dir=$1
triple=$2

for dir in "${CARGO_HOME:+$CARGO_HOME/bin}" "${HOME:+$HOME/.cargo/bin}"; do
  if [ -n "$dir" ] && [ -d "$dir" ]; then
    PATH="$PATH:$dir"
  fi
done
export PATH

# cargo is given its own number of jobs and must not take make's
unset MAKEFLAGS MFLAGS MAKELEVEL CARGO_MAKEFLAGS
# a target of the user's own choice would move the library to another folder
unset CARGO_BUILD_TARGET
set -- --release --lib --locked --jobs "${MIXEDLM_CARGO_JOBS:-2}" \
  --manifest-path rust/Cargo.toml --target-dir "$target_dir"

if [ -n "$triple" ]; then
  set -- "$@" --target "$triple"
  # Build scripts are linked, too, where Rust's own platform is the GNU one: it asks for
  # a library gcc_eh, which R's toolchain does not have, and for a linker of another name.
  mkdir -p "$target_dir/libgcc_mock"
  : > "$target_dir/libgcc_mock/libgcc_eh.a"
  here=$(pwd -W 2>/dev/null) || here=$(pwd)
  LIBRARY_PATH="${LIBRARY_PATH:+$LIBRARY_PATH;}$here/$target_dir/libgcc_mock"
  export LIBRARY_PATH
  linker=x86_64-w64-mingw32.static.posix-gcc.exe
  if [ -z "$CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER" ] && command -v "$linker" >/dev/null 2>&1; then
    CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER=$linker
    export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER
  fi
fi

if [ -f rust/vendor.tar.xz ]; then
  echo "building the Rust code from the vendored crates"
  rm -rf vendor .cargo
  { xz -dc rust/vendor.tar.xz | tar -xf -; } 2>/dev/null ||
    "$R_HOME/bin/Rscript" --vanilla -e 'utils::untar("rust/vendor.tar.xz", tar = "internal")'
  mkdir -p .cargo
  cp vendor/config.toml .cargo/config.toml
  CARGO_HOME=$(pwd)/.cargo
  export CARGO_HOME
  set -- "$@" --offline
else
  echo "building the Rust code with the crates of Cargo.lock"
fi

# A target folder shared by several copies of the sources: cargo compares
# times only, so make sure that this copy is the one that gets compiled.
if [ -n "$MIXEDLM_TARGET_DIR" ]; then
  find rust/src rust/core/src -name '*.rs' -exec touch {} +
fi

cargo build "$@"
