/**
 * Which interface the kernel has.
 *
 * @module
 */
import { LinuxKernel } from "./kernel.ts";

/** Open the kernel by an interface. @throws {Error} with what is missing. */
export function open(wanted?: "iommufd"): LinuxKernel {
  if (wanted !== undefined && wanted !== "iommufd") {
    throw new TypeError(`Cannot use the interface "${String(wanted)}" of Linux: "iommufd" is what there is`);
  }
  const kernel = new LinuxKernel();
  // Who names the interface may get its files from somebody else, and have no /dev/iommu of its own.
  if (wanted === "iommufd") return kernel;
  const nodes = kernel.list("/dev");
  if (typeof nodes !== "number" && nodes.includes("iommu")) return kernel;
  const hasContainer = typeof nodes !== "number" && nodes.includes("vfio");
  kernel[Symbol.dispose]();
  throw new Error(`${MISSING}${hasContainer ? OLDER : ""}`);
}

const MISSING =
  `This Linux has no /dev/iommu. Needed are the kernel option CONFIG_IOMMUFD and its module; these commands show what is there:
  grep -E 'CONFIG_(IOMMUFD|VFIO_DEVICE_CDEV)' /boot/config-$(uname -r)
  sudo modprobe iommufd; ls -l /dev/iommu /dev/vfio
  ls /sys/kernel/iommu_groups    # nothing: the IOMMU is off (firmware settings; intel_iommu=on or amd_iommu=on)`;
const OLDER = "\nThere is /dev/vfio, by which VFIO's groups and containers may be had; this version of the library does not use them.";
