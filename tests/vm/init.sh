#!/bin/busybox sh
# The virtual machine's first program: mounts what Linux and the tests need, gives the test devices to VFIO, runs /share/run.sh and powers off.
# What the command prints goes to one port of the host, its exit status to another; the console has the kernel's messages alone.
/bin/busybox mkdir -p /proc /sys /dev /tmp /root /share /deno /run /etc /usr/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /tmp
mount -t debugfs debugfs /sys/kernel/debug
ln -s /proc/self/fd /dev/fd
# Users without rights have programs here, too.
chmod 755 /
ip link set lo up
echo "root:x:0:0::/root:/bin/sh" >/etc/passwd
echo "root:x:0:" >/etc/group

share() { mount -t 9p -o "trans=virtio,version=9p2000.L,msize=512000,$3" "$1" "$2"; }
share share /share rw
repository=$(cat /share/repository)
mkdir -p "$repository"
share repo "$repository" ro,cache=loose
share deno /deno ro,cache=loose

port_named() {
  for port in /sys/class/virtio-ports/*; do
    if [ "$(cat "$port/name")" = "$1" ]; then echo "/dev/${port##*/}"; fi
  done
}

# Devices that no driver of this kernel wants, and that the tests drive: QEMU's edu and its NVMe controller.
for device in /sys/bus/pci/devices/*; do
  case "$(cat "$device/vendor"):$(cat "$device/device")" in
  0x1234:0x11e8 | 0x1b36:0x0010)
    echo vfio-pci >"$device/driver_override"
    echo "${device##*/}" >/sys/bus/pci/drivers_probe
    ;;
  esac
done

# A kernel that is booted without iommufd has no device nodes of VFIO either, as far as programs can see.
if grep -q initcall_blacklist=iommufd_init /proc/cmdline; then
  rm -rf /dev/vfio/devices
  mkdir /run/empty
  for nodes in /sys/bus/pci/devices/*/vfio-dev; do mount -o bind /run/empty "$nodes"; done
fi

export PATH=/usr/bin:/bin HOME=/root NO_COLOR=1 DENO_NO_UPDATE_CHECK=1 DENO_DIR=/tmp/deno
# Modules and packages come from the host's cache; what Deno writes stays here.
mkdir -p "$DENO_DIR"
tar -xf /share/modules.tar -C "$DENO_DIR"
ln -s /deno/npm "$DENO_DIR/npm"
cd "$repository" || exit 1

if [ -e /share/shell ]; then
  . /share/environment.sh
  cat /share/shell
  setsid cttyhack sh </dev/hvc0 >/dev/hvc0 2>&1
  poweroff -f
fi
output=$(port_named output)
status=$(port_named status)
sh /share/run.sh >"$output" 2>&1 </dev/null
echo $? >"$status"
sync
poweroff -f
