# Shared by the scripts in this folder; read with '.', from the repository's root.

# The same language and sorting everywhere, also where no locale is set up.
LC_ALL=C.UTF-8
export LC_ALL

for dir in "${CARGO_HOME:+$CARGO_HOME/bin}" "${HOME:+$HOME/.cargo/bin}"; do
  if [ -n "$dir" ] && [ -d "$dir" ]; then
    PATH="$PATH:$dir"
  fi
done
export PATH

root=$(pwd)
work=$root/.make
mkdir -p "$work"

# Builds from a tarball share the compiled crates here; it is never the folder
# that cargo uses for the sources of the working tree (see tools/build-rust.sh).
MIXEDLM_TARGET_DIR=${MIXEDLM_TARGET_DIR:-$work/target}
export MIXEDLM_TARGET_DIR

say() {
  echo "-- $*"
}

die() {
  echo "" >&2
  echo "$*" >&2
  exit 1
}

# run_logged <log file> <command...>: quiet when it works, the log's end when not
run_logged() {
  log=$1
  shift
  if "$@" > "$log" 2>&1; then
    return 0
  fi
  echo "   failed: $*" >&2
  echo "   the end of $log:" >&2
  tail -n "${LOG_LINES:-60}" "$log" | sed 's/^/   | /' >&2
  return 1
}

# The files of the working tree that belong to the project, built ones excepted.
project_files() {
  if git rev-parse --is-inside-work-tree > /dev/null 2>&1; then
    git ls-files --cached --others --exclude-standard
  else
    find . \( -name .git -o -name .make -o -name dist -o -name target -o -name vendor \
      -o -name demo-output -o -name '*.Rcheck' \) -prune -o -type f \
      ! -name '*.o' ! -name '*.so' ! -name '*.tar.gz' ! -name Makevars -print |
      sed 's|^\./||'
  fi | sort -u | while read -r file; do
    if [ -f "$file" ]; then
      echo "$file"
    fi
  done
}

# ... and those of them that the built package depends on.
package_files() {
  project_files | grep -v -E \
    '^(\.ci|\.github|bench|data-raw|demo-output|tools/(fuzz|faults|make|reference))/|^(Makefile|[A-Z]+\.md|_pkgdown\.yml|tools/(demo|readme-picture)\.R)$'
}

# fingerprint <text...>: of the files named on standard input and of the text
fingerprint() {
  if command -v sha256sum > /dev/null 2>&1; then
    hash=sha256sum
  else
    hash=cksum
  fi
  { tr '\n' '\0' | xargs -0 $hash; echo "$@"; } | $hash | cut -d ' ' -f 1
}

versions() {
  rustc --version
  Rscript --version 2>&1
}

# unchanged <name> <fingerprint>: did the step pass with just these inputs?
unchanged() {
  [ -f "$work/$1.ok" ] && [ "$(head -n 1 "$work/$1.ok")" = "$2" ]
}

passed() {
  echo "$2" > "$work/$1.ok"
}

# stage <folder>: a clean copy of the package's sources
stage() {
  rm -rf "$1"
  mkdir -p "$1"
  project_files | tar -cf - -T - | tar -xf - -C "$1"
}

# build_tarball <options of R CMD build...>: sets $tarball
build_tarball() {
  stage "$work/build/mixedlm" || return 1
  if [ -n "$vendor" ]; then
    cp "$vendor" "$work/build/mixedlm/src/rust/vendor.tar.xz" || return 1
  fi
  rm -f "$work"/build/*.tar.gz
  (cd "$work/build" && run_logged "$work/build.log" R CMD build "$@" mixedlm) || return 1
  tarball=$(ls "$work"/build/mixedlm_*.tar.gz)
}
