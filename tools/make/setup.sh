#!/bin/sh
# Installs what is missing on a Debian-like machine, or says what is missing.
#   sh tools/make/setup.sh demo|test|bench
# Compilers and R come from Debian's packages; a Rust toolchain that is there
# already is used as it is.
. tools/make/common.sh

purpose=$1
minimum_rust=1.85
base_packages=" R base compiler datasets graphics grDevices grid methods parallel splines stats stats4 tcltk tools utils "

# packages_in <fields>: the R packages that DESCRIPTION names there
packages_in() {
  awk -v fields=" $1 " '
    /^[A-Za-z@\/]+:/ {
      name = $0
      sub(/:.*/, "", name)
      inside = index(fields, " " name " ")
      sub(/^[^:]*:/, "")
    }
    inside { gsub(/\([^)]*\)/, ""); gsub(/,/, " "); print }
  ' DESCRIPTION
}

r_packages() {
  if [ "$purpose" = test ]; then
    names="$(packages_in "Depends Imports LinkingTo Suggests VignetteBuilder") roxygen2"
  else
    names="$(packages_in "Depends Imports LinkingTo") lme4 MASS"
    [ "$purpose" = demo ] || names="$names glmmTMB mlmRev"
  fi
  for name in $names; do
    case "$base_packages" in
      *" $name "*) ;;
      *) echo "$name" ;;
    esac
  done | sort -u
}

missing_r_packages() {
  if command -v Rscript > /dev/null 2>&1; then
    Rscript --no-init-file -e 'for (p in commandArgs(TRUE)) if (!nzchar(system.file(package = p))) cat(p, "\n")' \
      $(r_packages)
  else
    r_packages
  fi
}

# new_enough <version>: of rustc, at least the minimum
new_enough() {
  [ -n "$1" ] && [ "$(printf '%s\n%s\n' "$minimum_rust" "$1" | sort -V | head -n 1)" = "$minimum_rust" ]
}

rustc_version() {
  rustc --version 2> /dev/null | sed -n 's/^rustc \([0-9.]*\).*/\1/p'
}

can_install() {
  command -v apt-get > /dev/null 2>&1 || return 1
  [ "$(id -u)" = 0 ] && return 0
  command -v sudo > /dev/null 2>&1 || return 1
  sudo -n true 2> /dev/null || [ -t 0 ]
}

as_root() {
  if [ "$(id -u)" = 0 ]; then
    env DEBIAN_FRONTEND=noninteractive "$@"
  else
    sudo env DEBIAN_FRONTEND=noninteractive "$@"
  fi
}

updated=
update_lists() {
  if [ -z "$updated" ]; then
    say "reading the list of Debian's packages"
    run_logged "$work/apt-update.log" as_root apt-get update || exit 1
    updated=yes
  fi
}

install_debian() {
  update_lists
  say "installing with apt-get: $*"
  run_logged "$work/apt-install.log" as_root apt-get install --yes --no-install-recommends "$@" || exit 1
}

rust_advice() {
  echo "mixedlm needs Cargo and rustc >= $minimum_rust. Install them with rustup, Rust's own
installer, as your own user, with the 'default' profile (it brings rustfmt and
clippy); where they are there but too old, run 'rustup update stable'. Debian 13
and newer also have them: apt-get install cargo rustc rustfmt rust-clippy"
}

# --- what is missing? -------------------------------------------------------
debian=
command -v R > /dev/null 2>&1 || debian="$debian r-base-core"
{ command -v gcc > /dev/null 2>&1 && [ -e /usr/include/stdlib.h ]; } || debian="$debian gcc libc6-dev"
missing=$(missing_r_packages)
for name in $missing; do
  debian="$debian r-cran-$(echo "$name" | tr '[:upper:]' '[:lower:]')"
done

rust=
if ! command -v cargo > /dev/null 2>&1 || ! command -v rustc > /dev/null 2>&1; then
  rust=absent
elif ! new_enough "$(rustc_version)"; then
  die "rustc $(rustc_version) is too old. $(rust_advice)"
fi

rust_tools=
if [ "$purpose" = test ] && [ -z "$rust" ]; then
  cargo fmt --version > /dev/null 2>&1 || rust_tools="$rust_tools rustfmt"
  cargo clippy --version > /dev/null 2>&1 || rust_tools="$rust_tools clippy"
fi

if [ -z "$debian$rust$rust_tools" ]; then
  say "set-up: everything is there"
  exit 0
fi

# --- install it, or say so ---------------------------------------------------
if ! can_install; then
  echo "" >&2
  echo "Missing, and this user may not install packages (neither root nor sudo, or no apt-get):" >&2
  for name in $debian; do echo "  Debian package $name" >&2; done
  [ -z "$rust" ] || rust_advice | sed 's/^/  /' >&2
  [ -z "$rust_tools" ] || echo "  for the Rust toolchain:$rust_tools" >&2
  exit 1
fi

if [ "$rust" = absent ]; then
  update_lists
  candidate=$(apt-cache policy rustc | sed -n 's/^ *Candidate: *\([0-9.]*\).*/\1/p')
  if new_enough "$candidate"; then
    debian="$debian cargo rustc"
    [ "$purpose" != test ] || debian="$debian rustfmt rust-clippy"
  else
    die "There is no Cargo here, and this Debian's is too old (rustc ${candidate:-none}).
$(rust_advice)"
  fi
fi

if [ -n "$rust_tools" ]; then
  if command -v rustup > /dev/null 2>&1; then
    say "adding to the Rust toolchain:$rust_tools"
    run_logged "$work/rustup.log" rustup component add $rust_tools ||
      die "The checks need$rust_tools, and rustup could not add them (see above)."
  elif dpkg -S "$(command -v rustc)" > /dev/null 2>&1; then
    for name in $rust_tools; do
      debian="$debian $(echo "$name" | sed 's/^clippy$/rust-clippy/')"
    done
  else
    die "The checks need$rust_tools, which this Rust toolchain lacks; how to add them depends on where it came from."
  fi
fi

if [ -n "$debian" ]; then
  install_debian $debian
fi

still=$(missing_r_packages)
[ -z "$still" ] || die "These R packages could not be installed:" $still
say "set-up: done"
