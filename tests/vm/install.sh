#!/usr/bin/env bash
# Installs what the virtual machine needs on a Debian 12 machine, or names it: `tests/vm/install.sh [run|kernel]`.
# "run" is for booting a kernel that is built already (QEMU and the guest's shell), "kernel" for building one.
set -euo pipefail
. "$(dirname "$0")/../../tools/apt_suite.sh"

run_packages=(busybox-static cpio gcc libc6-dev)
kernel_packages=(bc bison flex libcap-dev libelf-dev libssl-dev lz4 make rsync xz-utils)
# Translation of first-stage page tables came after Debian 12's own version.
qemu_minimum=10.0.0

missing=()
for package in "${run_packages[@]}"; do
  dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
if [ "${1:-run}" = kernel ]; then
  for package in "${kernel_packages[@]}"; do
    dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
  done
fi
# Where there is no QEMU the version stays empty: that must not end the script.
qemu_version=$(qemu-system-x86_64 --version 2>/dev/null | sed -n 's/.*version \([0-9.]*\).*/\1/p' || true)
need_qemu=
if ! printf '%s\n' "$qemu_minimum" "${qemu_version:-0}" | sort -VC; then need_qemu=1; fi

if [ ${#missing[@]} -eq 0 ] && [ -z "$need_qemu" ]; then exit 0; fi
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "The virtual machine needs: ${missing[*]} ${need_qemu:+qemu-system-x86 ($qemu_minimum or later; on Debian 12 from bookworm-backports)}" >&2
  echo "Install them, or run this as root on Debian: it does." >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
if [ ${#missing[@]} -gt 0 ]; then
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
if [ -n "$need_qemu" ]; then
  apt_suite "bookworm-backports bookworm bookworm-updates" "${XDG_CACHE_HOME:-$HOME/.cache}/iommufd-vm/apt-qemu"
  apt-get "${apt_options[@]}" update -qq
  apt-get "${apt_options[@]}" install -y -qq --no-install-recommends -t bookworm-backports qemu-system-x86 >/dev/null
fi
