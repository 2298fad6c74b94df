#!/bin/sh
# Builds and checks the package in a Debian 13 of its own, made by debootstrap, with that
# system's R 4.5 and rustc 1.85, as somebody would who has nothing but Debian. Needs root
# and debootstrap (apt-get install debootstrap); takes some 20 minutes. Writes the outcome
# to tools/make/check-debian13.md.
#
# Environment variables:
#   TASK    what to run there: 'test' (default: make test) or 'check-cran'
#   ROOT    folder of the system; made when it is not there, and kept. Without it a new
#           one is made in .make and removed at the end.
#   MIRROR  of Debian's packages, for debootstrap; default: its own
#   CA      certificates that the system shall trust, for Cargo behind a company's proxy
#           (default: this machine's /etc/ssl/certs/ca-certificates.crt, where it is)
. tools/make/common.sh

suite=trixie
task=${TASK:-test}
case $task in
  test | check-cran) ;;
  *) die "TASK is '$task'; it must be 'test' or 'check-cran'." ;;
esac
[ "$(id -u)" = 0 ] || die "make check-debian13 was not run: debootstrap and chroot need root."
command -v debootstrap > /dev/null 2>&1 ||
  die "make check-debian13 was not run: there is no debootstrap (Debian: apt-get install debootstrap)."

# Everything is mounted in a namespace of this script's own, so that nothing stays
# mounted however it ends.
if [ -z "$MIXEDLM_OWN_MOUNTS" ]; then
  unshare --mount true 2> /dev/null ||
    die "make check-debian13 was not run: this machine permits no mounts (unshare --mount)."
  MIXEDLM_OWN_MOUNTS=yes exec unshare --mount --propagation private sh "$0"
fi

keep=${ROOT:+yes}
system=${ROOT:-$work/debian13}
started=$(date +%s)

clean_up() {
  status=$?
  trap - EXIT
  for place in dev proc; do
    umount --recursive --lazy "$system/$place" 2> /dev/null
  done
  if [ -z "$keep" ] && ! grep -q " $system/" /proc/self/mounts; then
    rm -rf --one-file-system "$system"
  fi
  exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

if [ ! -f "$system/etc/debian_version" ]; then
  say "debootstrap: Debian 13 in $system"
  mkdir -p "$system"
  run_logged "$work/debootstrap.log" debootstrap --variant=minbase \
    --include=ca-certificates,make "$suite" "$system" ${MIRROR:+"$MIRROR"} || exit 1
fi
case $(cat "$system/etc/debian_version") in
  13* | trixie*) ;;
  *) die "$system is not a Debian 13 but $(cat "$system/etc/debian_version")." ;;
esac

mount -t proc proc "$system/proc" && mount --rbind /dev "$system/dev" || die "proc and dev could not be mounted."
cp -L /etc/resolv.conf "$system/etc/resolv.conf"
certificates=${CA:-/etc/ssl/certs/ca-certificates.crt}
if [ -f "$certificates" ]; then
  mkdir -p "$system/etc/ssl/certs"
  cp -L "$certificates" "$system/etc/ssl/certs/ca-certificates.crt"
fi
source=$system/root/mixedlm
stage "$source"

# inside <command>: in the new system, with nothing of this one's environment but proxies
inside() {
  chroot "$system" /usr/bin/env -i HOME=/root TERM=dumb LANG=C.UTF-8 \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    CARGO_HTTP_CAINFO=/etc/ssl/certs/ca-certificates.crt \
    ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} \
    ${no_proxy:+no_proxy="$no_proxy"} sh -c "cd /root/mixedlm && $1"
}

say "Debian $(cat "$system/etc/debian_version"): make $task"
log=$work/check-debian13.log
{ inside "make $task"; echo "status $?"; } 2>&1 | tee "$log"
outcome=failed
[ "$(tail -n 1 "$log")" = "status 0" ] && outcome=passed

library=$(find "$source/.make" -path '*.Rcheck/mixedlm/libs/mixedlm.so' 2> /dev/null | head -n 1)
{
  echo "# The package in a Debian 13 of its own"
  echo
  echo "Written by \`make check-debian13\`; see tools/make/check-debian13.sh."
  echo
  echo "- date: $(date -u +%Y-%m-%d)"
  echo "- package: mixedlm $(sed -n 's/^Version: *//p' DESCRIPTION)"
  echo "- system: Debian $(cat "$system/etc/debian_version"), $(uname -m), $(nproc) processors"
  echo "- R: $(inside 'R --version' 2> /dev/null | head -n 1)"
  echo "- Rust: $(inside 'rustc --version' 2> /dev/null)"
  echo "- task: make $task: $outcome, $((($(date +%s) - started + 30) / 60)) minutes"
  [ -n "$library" ] && echo "- shared library: $(wc -c < "$library") bytes"
  echo
  echo '```'
  sed '/^status [0-9]*$/d' "$log" | grep -v '^ *$' | tail -n 25
  echo '```'
} > tools/make/check-debian13.md
cat tools/make/check-debian13.md
[ "$outcome" = passed ]
