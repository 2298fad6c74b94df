#!/bin/sh
# What the compiled library takes from outside and what it shows there:
#   sh tools/make/check-symbols.sh <shared library>
#
# It must not end R, nor write to standard output or standard error past R, nor draw
# from C's random numbers; and R shall find one function in it, R_init_mixedlm.
#
# Rust's standard library brings in some names that look as if it did. They cannot be
# left out, and are not reached:
#   abort   when memory for a small object is refused, when a panic meets a panic while
#           unwinding, and when Rust's own invariants are broken. Sizes that depend on
#           the data are asked for beforehand and refused with an error (`reserved` in the core).
#   _exit   in a child process that could not be started. The matrix products ask 'lscpu'
#           for the size of the caches where the processor itself does not tell.
#   write, writev   the default report of a panic; files and pipes. No code here prints:
#           clippy refuses println!, eprintln!, process::exit and process::abort.
# What R CMD check says of the library decides ('checking compiled code').
library=$1
[ -f "$library" ] || {
  echo "   no library '$library'" >&2
  exit 1
}
if [ "$(uname -s)" != Linux ] || ! command -v nm > /dev/null 2>&1; then
  echo "   the library's symbols are not looked at: this needs Linux and nm"
  exit 0
fi

forbidden="$(printf ' %s' exit _Exit quick_exit __assert_fail err errx verr verrx raise kill \
  printf vprintf fprintf vfprintf dprintf puts putchar putc fputs fputc fwrite perror \
  __printf_chk __fprintf_chk __vfprintf_chk __vprintf_chk stdout stderr stdin \
  rand rand_r srand random srandom drand48 lrand48 srand48 longjmp siglongjmp R_Suicide) "
status=0

for name in $(nm -D --undefined-only "$library" | awk '{ sub(/@.*/, "", $NF); print $NF }'); do
  case "$forbidden" in
    *" $name "*)
      echo "   the library must not use '$name'" >&2
      status=1
      ;;
  esac
done

shown=$(nm -D --defined-only "$library" | awk '{ print $NF }' | sort)
if [ "$shown" != R_init_mixedlm ]; then
  echo "   the library shows more, or less, than R_init_mixedlm: $shown" >&2
  status=1
fi

# R CMD check reads the ordinary table of symbols and warns when it is not there.
if ! nm "$library" 2> /dev/null | grep -q ' U '; then
  echo "   the library has lost its table of symbols" >&2
  status=1
fi

# 5 MB: what package archives take as ordinary for a shared library
size=$(wc -c < "$library")
if [ "$size" -ge 5000000 ]; then
  echo "   the library has $size bytes, expected less than 5000000" >&2
  status=1
fi
[ "$status" = 0 ] && echo "   $size bytes; shows R_init_mixedlm only; uses nothing that ends R or prints"
exit "$status"
