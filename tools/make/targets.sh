# The platforms that R runs on, as Rust calls them: $targets. Read with '.'.
# Of the crates in the archive, those that none of these need become empty stubs.
targets="
  x86_64-unknown-linux-gnu aarch64-unknown-linux-gnu i686-unknown-linux-gnu
  powerpc64le-unknown-linux-gnu riscv64gc-unknown-linux-gnu s390x-unknown-linux-gnu
  x86_64-unknown-linux-musl aarch64-unknown-linux-musl
  x86_64-apple-darwin aarch64-apple-darwin
  x86_64-pc-windows-gnu aarch64-pc-windows-gnullvm"
