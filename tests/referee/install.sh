#!/usr/bin/env bash
# Installs the QEMUs that judge page tables on a Debian 12 machine, or names them.
set -euo pipefail
. "$(dirname "$0")/../../tools/apt_suite.sh"

# Translation of first-stage page tables, and the RISC-V IOMMU, came after Debian 12's own version.
qemu_minimum=10.0.0
missing=()
for pair in x86_64:x86 aarch64:arm riscv64:riscv; do
  # Where there is none the version stays empty: that must not end the script.
  version=$("qemu-system-${pair%:*}" --version 2>/dev/null | sed -n 's/.*version \([0-9.]*\).*/\1/p' || true)
  printf '%s\n' "$qemu_minimum" "${version:-0}" | sort -VC || missing+=("qemu-system-${pair#*:}")
done

if [ ${#missing[@]} -eq 0 ]; then exit 0; fi
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "The referee needs: ${missing[*]} ($qemu_minimum or later; on Debian 12 from bookworm-backports)" >&2
  echo "Install them, or run this as root on Debian: it does." >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt_suite "bookworm-backports bookworm bookworm-updates" "${XDG_CACHE_HOME:-$HOME/.cache}/iommufd-vm/apt-qemu"
apt-get "${apt_options[@]}" update -qq
apt-get "${apt_options[@]}" install -y -qq --no-install-recommends -t bookworm-backports "${missing[@]}" >/dev/null
