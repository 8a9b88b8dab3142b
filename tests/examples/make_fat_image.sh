#!/bin/sh
# Makes fat.img.gz: a small real FAT12 file system (with dosfstools 4.2 and mtools 4.0). mcopy notes the time, so a few bytes differ each time.
set -eu
here=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
printf 'A FAT12 volume of 256 KiB, made by mkfs.fat and mcopy.\n' > "$work/README.TXT"
seq 1 12000 > "$work/NUMBERS.TXT"
truncate -s 256K "$work/fat.img"
mkfs.fat -F 12 -n TWELVE -i 12345678 "$work/fat.img" > /dev/null
mcopy -i "$work/fat.img" "$work/README.TXT" "$work/NUMBERS.TXT" ::
gzip -9nc "$work/fat.img" > "$here/fat.img.gz"
