#!/bin/sh
# R CMD check --as-cran of the tarball with all crates inside, as a package archive does
# it: no network, an empty Cargo home, two cores at most, long tests left out.
#   sh tools/make/check-cran.sh          both passes
#   sh tools/make/check-cran.sh archive  only the first: with all suggested packages
#   sh tools/make/check-cran.sh depends  only the second: as if none of them were installed,
#                                        with the crates compiled once and kept
# Where a network namespace of one's own is not permitted (unshare), the check is told
# not to use the network; the script says so.
sh tools/make/setup.sh test || exit 1
sh tools/make/dist.sh || exit 1
. tools/make/common.sh

passes=${1:-archive depends}
version=$(sed -n 's/^Version: *//p' DESCRIPTION)
tarball=$root/dist/mixedlm_$version.tar.gz
manual=
command -v pdflatex > /dev/null 2>&1 || manual=--no-manual

# cut off: the words before a command that take its network away
cut_off=
for words in "unshare --net" "unshare --map-root-user --net"; do
  if [ -z "$cut_off" ] && $words true 2> /dev/null; then
    cut_off=$words
  fi
done
if [ -n "$cut_off" ]; then
  say "without network ($cut_off); only this machine talks to itself"
else
  say "unshare is not permitted here: the network is there, Cargo and R are told not to use it"
fi

# The clocks: an example, test or vignette that uses more than two and a half
# processors is a note; so is an example of five seconds.
archive_settings="CARGO_NET_OFFLINE=true OMP_THREAD_LIMIT=2 _R_CHECK_LIMIT_CORES_=true
  _R_CHECK_CRAN_INCOMING_REMOTE_=false _R_CHECK_SYSTEM_CLOCK_=0 _R_CHECK_TIMINGS_=10
  _R_CHECK_EXAMPLE_TIMING_CPU_TO_ELAPSED_THRESHOLD_=2.5
  _R_CHECK_TEST_TIMING_CPU_TO_ELAPSED_THRESHOLD_=2.5
  _R_CHECK_VIGNETTE_TIMING_CPU_TO_ELAPSED_THRESHOLD_=2.5"

# check_as <pass> <settings...>
check_as() {
  pass=$1
  shift
  folder=$work/cran/$pass
  rm -rf "$folder"
  mkdir -p "$folder/cargo-home"
  started=$(date +%s)
  # the loopback device of a new namespace is down; workers of R talk over it
  # shellcheck disable=SC2086,SC2016
  (cd "$folder" && env -u NOT_CRAN -u MIXEDLM_TARGET_DIR $archive_settings \
    CARGO_HOME="$folder/cargo-home" "$@" $cut_off sh -c '
      [ -z "$1" ] || ip link set lo up 2> /dev/null || ifconfig lo up 2> /dev/null
      shift
      R CMD check --as-cran "$@"' check "$cut_off" $manual "$tarball" > "$folder/check.log" 2>&1)
  say "$pass: $(($(date +%s) - started)) seconds"
  sed -n 's/^Status: /   status: /p' "$folder/mixedlm.Rcheck/00check.log"
  grep -E '^\* checking (examples|tests|re-building of vignette outputs|compiled code)|^  Running|^ *\[[0-9.]+' \
    "$folder/mixedlm.Rcheck/00check.log" | sed 's/^/   | /'
  Rscript --vanilla tools/make/check-log.R "$folder" tools/make/allowed-notes || return 1
  sh tools/make/check-symbols.sh "$folder/mixedlm.Rcheck/mixedlm/libs/mixedlm.so" || return 1
  left=$(find "$folder/cargo-home" -type f | head -n 3)
  [ -z "$left" ] || {
    echo "   the build wrote into Cargo's home: $left" >&2
    return 1
  }
}

failed=
for pass in $passes; do
  case $pass in
    archive)
      say "R CMD check --as-cran (the crates are compiled anew: some minutes)"
      check_as archive || failed="$failed archive"
      ;;
    depends)
      say "R CMD check --as-cran without the suggested packages"
      check_as depends _R_CHECK_DEPENDS_ONLY_=true _R_CHECK_FORCE_SUGGESTS_=false \
        MIXEDLM_TARGET_DIR="$MIXEDLM_TARGET_DIR" || failed="$failed depends"
      ;;
    *) die "'$pass' is not a pass: archive or depends" ;;
  esac
done
[ -z "$failed" ] || die "make check-cran failed:$failed"
say "make check-cran: passed"
