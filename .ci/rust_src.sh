#!/usr/bin/env bash
# Puts the standard library's sources where cargo's -Zbuild-std finds them, if they are not there.
# rustup users have them as the component rust-src; on Debian the package of the compiler's own version is unpacked without installing it,
# from the machine's own package source, suite trixie-backports.
set -euo pipefail
. "$(dirname "$0")/../tools/apt_suite.sh"

version=$(rustc --version | cut -d' ' -f2)
library=$(rustc --print sysroot)/lib/rustlib/src/rust
if [ -e "$library/library/std/Cargo.toml" ]; then exit 0; fi
if rustup component add rust-src 2>/dev/null && [ -e "$library/library/std/Cargo.toml" ]; then exit 0; fi

work=${XDG_CACHE_HOME:-$HOME/.cache}/iommufd-rust-src
apt_suite trixie-backports "$work"
apt-get "${apt_options[@]}" update -qq
wanted=$(apt-cache "${apt_options[@]}" madison rust-src | awk -F' *[|] *' -v v="$version" 'index($2, v) == 1 { print $2; exit }')
if [ -z "$wanted" ]; then
  echo "Cannot find the package rust-src $version in trixie-backports" >&2
  exit 1
fi
(cd "$work" && apt-get "${apt_options[@]}" download -qq "rust-src=$wanted" && dpkg -x rust-src_"$version"*.deb unpacked)
mkdir -p "$(dirname "$library")"
ln -sfn "$work/unpacked/usr/src/rustc-$version" "$library"
test -e "$library/library/std/Cargo.toml"
