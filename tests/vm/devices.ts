/**
 * The PCI devices of the virtual machine: what QEMU gets, and where the guest finds them.
 *
 * The addresses are those of the simulated machine of tests/conformance/simulated.ts, so that a case names the same device on both.
 *
 * @module
 */

/** Where the guest has its devices. Virtio-serial, which carries the tests' output, is what keeps `taken` from programs. */
export { DEVICES } from "../conformance/setup.ts";

/** QEMU's options for them. @param disk the NVMe controller's medium, a file. */
export function deviceOptions(disk: string): string[] {
  const devices = [
    // With eim the guest reaches its interrupt controllers by registers of the processor. By memory, QEMU's emulation loses a write now and then
    // while devices are switched on and off on another processor: that was a timer's, and the guest stood still.
    "intel-iommu,intremap=on,eim=on,x-scalable-mode=on,aw-bits=48",
    "edu,addr=03.0",
    "edu,addr=04.0",
    "edu,addr=05.0,multifunction=on",
    // As of every function of such a device, its header says so: a rescan goes by that alone when it finds one again.
    "edu,addr=05.1,multifunction=on",
    "pcie-pci-bridge,id=bridge,addr=06.0",
    "edu,bus=bridge,addr=01.0",
    "edu,bus=bridge,addr=02.0",
    "nvme,addr=07.0,serial=iommufd,drive=disk",
    "edu,addr=08.0,multifunction=on",
    "virtio-serial-pci,addr=08.1",
  ];
  return ["-drive", `file=${disk},if=none,id=disk,format=raw`, ...devices.flatMap((device) => ["-device", device])];
}

/** Where the guest has the device without an IOMMU. */
export const BARE = "0000:21:00.0";

/**
 * QEMU's options for it, behind all others: a device of which none says on which bus it is would be put on this one.
 *
 * It is below a root bus of its own, which QEMU leaves out where its firmware tables say what is behind the IOMMU; with all address bits, as it has to go by
 * physical addresses.
 */
export const BARE_OPTIONS: readonly string[] = [
  ...["-device", "pxb-pcie,id=outside,addr=1e.0,bus_nr=0x20,bypass_iommu=on"],
  ...["-device", "pcie-root-port,id=beyond,bus=outside,addr=00.0"],
  ...["-device", "edu,bus=beyond,addr=00.0,dma_mask=0xffffffffffffffff"],
];
