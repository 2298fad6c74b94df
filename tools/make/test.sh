#!/bin/sh
# All checks: rustfmt, clippy, cargo test, generated files, R CMD check with the
# testthat suite inside. Steps whose inputs have not changed since they passed
# are not run again. The last line counts the tests.
sh tools/make/setup.sh test || exit 1
. tools/make/common.sh

R_HOME=$(R RHOME)
LD_LIBRARY_PATH=$R_HOME/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export R_HOME LD_LIBRARY_PATH
manifest=src/rust/Cargo.toml
failures=

fail() {
  failures="$failures${failures:+, }$1"
}

# --- Rust ---------------------------------------------------------------------
rust_inputs=$(project_files | grep -E '^(src/rust/|tools/make/(allowed-)?licences)' | fingerprint "$(versions)")
if unchanged rust "$rust_inputs"; then
  say "Rust: nothing has changed since rustfmt, clippy and the tests passed"
else
  before=$failures
  # cargo goes by times, which a copied or restored file may have from long ago
  cargo clean --quiet --manifest-path $manifest -p mixedlm -p mixedlm-core 2> /dev/null
  say "Rust: rustfmt"
  run_logged "$work/rustfmt.log" cargo fmt --manifest-path $manifest --all --check -- --color never || fail rustfmt
  say "Rust: clippy (the first time checks all crates: a minute or two)"
  run_logged "$work/clippy.log" cargo clippy --manifest-path $manifest --locked --workspace \
    --all-targets -- -D warnings || fail clippy
  say "Rust: cargo test (the first time compiles all crates: some minutes)"
  if ! LOG_LINES=10 run_logged "$work/cargo-test.log" cargo test --manifest-path $manifest --locked \
    --workspace --no-fail-fast; then
    grep -E -A 4 'panicked at|^error|[.][.][.] FAILED' "$work/cargo-test.log" | head -n 60 | sed 's/^/   | /' >&2
    fail "cargo test"
  fi
  sh tools/make/licences.sh || fail licences
  if [ "$failures" = "$before" ]; then
    passed rust "$rust_inputs"
  fi
fi

# --- R --------------------------------------------------------------------------
manual=
command -v pdflatex > /dev/null 2>&1 || manual=--no-manual
check=$work/check/mixedlm.Rcheck
check_inputs=$({
  package_files
  ls tools/make/*.R tools/make/test.sh tools/make/check-symbols.sh tools/make/allowed-notes _pkgdown.yml README.md
} | fingerprint "$(versions)" "$manual")

run_check() {
  say "R: R CMD build"
  build_tarball || return 1
  say "R: R CMD check $manual $(basename "$tarball"), with the testthat suite"
  rm -rf "$work/check"
  mkdir -p "$work/check"
  # the clock is not asked for over the network; all tests run, long ones too
  (cd "$work/check" && env _R_CHECK_SYSTEM_CLOCK_=0 NOT_CRAN=true \
    R CMD check --timings $manual "$tarball" > "$work/check.log" 2>&1)
  [ -d "$check" ] || {
    tail -n 40 "$work/check.log" >&2
    return 1
  }
  Rscript --vanilla tools/make/check-log.R "$work/check" tools/make/allowed-notes
}

check_wrappers() {
  say "R: are the generated wrappers those of the crate?"
  Rscript --vanilla tools/make/wrappers.R "$check/mixedlm/libs/mixedlm.so" "$work/wrappers.R" &&
    diff "$work/wrappers.R" R/extendr-wrappers.R || {
    echo "   R/extendr-wrappers.R differs from the crate: run 'make wrappers'" >&2
    return 1
  }
}

check_readme() {
  say "R: does the README's code print what it shows?"
  R_LIBS=$check${R_LIBS:+:$R_LIBS} run_logged "$work/readme.log" Rscript --vanilla tools/make/check-readme.R
}

# these tests read the sources, which the checked package has not
check_vignettes() {
  say "R: do vignettes and code name the same equations, files and figures?"
  R_LIBS=$check${R_LIBS:+:$R_LIBS} run_logged "$work/vignettes.log" Rscript --vanilla -e \
    'library(testthat); library(mixedlm); test_file("tests/testthat/test-vignettes.R", reporter = "check", package = "mixedlm",
      load_package = "installed")'
}

check_documents() {
  note=$(sed -n 's/^RoxygenNote: *//p' DESCRIPTION)
  have=$(Rscript --vanilla -e 'cat(as.character(packageVersion("roxygen2")))')
  if [ "$note" != "$have" ]; then
    say "R: help pages not compared with their sources (written by roxygen2 $note, here is $have)"
    return 0
  fi
  say "R: are the help pages and NAMESPACE those of the sources?"
  stage "$work/document/mixedlm"
  (cd "$work/document/mixedlm" && run_logged "$work/document.log" Rscript --vanilla tools/make/document.R) &&
    diff -r man "$work/document/mixedlm/man" && diff NAMESPACE "$work/document/mixedlm/NAMESPACE" || {
    echo "   man/ or NAMESPACE differ from the comments in R/: run 'make document'" >&2
    return 1
  }
}

check_examples() {
  say "R: do the examples run within a second, and is every page in the index?"
  Rscript --vanilla tools/make/check-index.R || return 1
  Rscript --vanilla tools/make/check-examples.R "$check/mixedlm-Ex.timings"
}

# a second definition silently replaces the first
check_definitions() {
  twice=$(sed -n 's/^\([A-Za-z_.][A-Za-z0-9_.]*\) <- .*/\1/p' R/*.R | sort | uniq -d)
  [ -z "$twice" ] || {
    echo "   defined twice in R/: $twice" >&2
    return 1
  }
}

# --- texts ------------------------------------------------------------------------
say "texts: does ARCHITECTURE.md name every file, and what each says of itself?"
Rscript --vanilla tools/make/map.R check || {
  echo "   run 'make map', and put new files in their place" >&2
  fail "ARCHITECTURE.md"
}

if unchanged check "$check_inputs"; then
  say "R: nothing has changed since R CMD check passed"
else
  before=$failures
  check_definitions || fail "definitions"
  run_check || fail "R CMD check"
  if [ -f "$check/mixedlm/libs/mixedlm.so" ]; then
    check_wrappers || fail wrappers
    check_readme || fail README
    check_vignettes || fail vignettes
    say "R: what the library takes from outside"
    sh tools/make/check-symbols.sh "$check/mixedlm/libs/mixedlm.so" || fail symbols
  fi
  check_documents || fail "help pages"
  check_examples || fail "examples and index"
  if [ "$failures" = "$before" ]; then
    passed check "$check_inputs"
  fi
fi

# --- the benchmarks -------------------------------------------------------------
say "are the published benchmarks those of bench/results/table.csv?"
Rscript --vanilla tools/make/check-bench.R || fail "benchmark tables"

# --- the sum ----------------------------------------------------------------------
# cargo: 'test result: ok. 3 passed; 0 failed; 1 ignored; ...'
# testthat: '[ FAIL 0 | WARN 0 | SKIP 0 | PASS 42 ]'; the last of a file counts
counts=$(
  {
    sed -n 's/^test result: [A-Za-z]*\. \([0-9]*\) passed; \([0-9]*\) failed; \([0-9]*\) ignored.*/\1 \2 \3/p' \
      "$work/cargo-test.log"
    for out in "$check"/tests/testthat.Rout "$check"/tests/testthat.Rout.fail; do
      [ -f "$out" ] || continue
      sed -n 's/^\[ FAIL \([0-9]*\) | WARN [0-9]* | SKIP \([0-9]*\) | PASS \([0-9]*\) \].*/\3 \1 \2/p' "$out" |
        tail -n 1
    done
  } | awk '{ p += $1; f += $2; s += $3 } END { print p + 0, f + 0, s + 0 }'
)
# shellcheck disable=SC2086
set -- $counts
tests_failed=$2
if [ -n "$failures" ]; then
  echo "make test failed: $failures"
  # a step may fail without a failing test, but not without being counted
  [ "$tests_failed" -gt 0 ] || tests_failed=$(echo "$failures" | awk -F ', ' '{ print NF }')
fi
echo "$1 passed, $tests_failed failed, $3 skipped"
[ -z "$failures" ]
