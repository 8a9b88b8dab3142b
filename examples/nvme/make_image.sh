#!/bin/sh
# Makes disk.img.gz: a small real ext4 file system, the same bytes each time (with e2fsprogs 1.47 and GNU coreutils).
set -eu
here=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/root/numbers"
cat > "$work/root/README.txt" <<'TEXT'
This disk exists only in a file. What you read came through an NVMe driver and an NVMe controller, both written
in TypeScript, and past an IOMMU written in Rust.
TEXT
seq 1 200000 > "$work/root/numbers/upwards.txt"
seq 99999 -3 0 > "$work/root/numbers/downwards.txt"
time=1700000000
find "$work/root" -exec touch -h -d "@$time" {} +
truncate -s 6M "$work/disk.img"
E2FSPROGS_FAKE_TIME=$time mkfs.ext4 -q -F -b 4096 -N 64 -m 0 -L iommufd-demo -U 10e4d000-0000-4000-8000-000000000001 \
  -E hash_seed=10e4d000-0000-4000-8000-000000000002,root_owner=0:0,lazy_itable_init=0 -O ^has_journal -d "$work/root" "$work/disk.img"
# mkfs.ext4 copies the time of the files' last change of status, which nobody can choose.
for file in /README.txt /numbers /numbers/upwards.txt /numbers/downwards.txt; do
  for field in ctime ctime_extra; do
    value=0
    if [ "$field" = ctime ]; then value="@$time"; fi
    E2FSPROGS_FAKE_TIME=$time debugfs -w -R "set_inode_field $file $field $value" "$work/disk.img" 2> /dev/null
  done
done
E2FSPROGS_FAKE_TIME=$time debugfs -w -R "set_super_value wtime @$time" "$work/disk.img" 2> /dev/null
e2fsck -fn "$work/disk.img" > /dev/null
gzip -9nc "$work/disk.img" > "$here/disk.img.gz"
sha256sum "$work/disk.img" | cut -d' ' -f1
