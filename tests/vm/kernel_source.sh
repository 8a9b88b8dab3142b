#!/usr/bin/env bash
# Unpacks Linux's source, 7.3 or later, into the folder named: `tests/vm/kernel_source.sh FOLDER`. Prints where its tree is.
# The package is Debian's linux-source of suite trixie-backports; it depends on no machine and is unpacked, not installed.
set -euo pipefail
. "$(dirname "$0")/../../tools/apt_suite.sh"

minimum=7.3
folder=$1
mkdir -p "$folder"
apt_suite trixie-backports "$folder/apt"
apt-get "${apt_options[@]}" update -qq >&2
# Suites drop old versions: the newest there is.
package=$(apt-cache "${apt_options[@]}" pkgnames linux-source- | grep -xE 'linux-source-[0-9.]+' | sort -V | tail -n 1)
version=${package#linux-source-}
if [ -z "$package" ] || ! printf '%s\n' "$minimum" "$version" | sort -VC; then
  echo "Cannot find a package linux-source-$minimum or later in trixie-backports (found: ${package:-none})" >&2
  exit 1
fi
(
  cd "$folder"
  apt-get "${apt_options[@]}" download -qq "$package"
  dpkg -x "$package"_*.deb package
  tar -xf "package/usr/src/$package.tar.xz"
  rm -rf "$package"_*.deb package
) >&2
echo "$folder/$package"
