/**
 * Which interface the kernel has.
 *
 * @module
 */
import { O_CLOEXEC } from "../../uapi/kernel.ts";
import { LinuxKernel } from "./kernel.ts";
import type { Type1Linux } from "./mod.ts";

const INTERFACES: readonly unknown[] = [undefined, "iommufd", "type1"];

/** Open the kernel by an interface. @throws {Error} with what is missing. */
export async function open(wanted?: "iommufd" | "type1"): Promise<LinuxKernel | Type1Linux> {
  if (!INTERFACES.includes(wanted)) {
    throw new TypeError(`Cannot use the interface "${String(wanted)}" of Linux: "iommufd" and "type1" are what there is`);
  }
  const kernel = new LinuxKernel();
  try {
    // Who names the interface may get its files from somebody else, and have no /dev/iommu of its own.
    const found = wanted ?? (has(kernel, "/dev", "iommu") ? "iommufd" : has(kernel, "/dev/vfio", "vfio") ? "type1" : undefined);
    if (found === "iommufd") return kernel;
    if (found === "type1") return await openType1(kernel);
    throw new Error(MISSING);
  } catch (error) {
    kernel[Symbol.dispose]();
    throw error;
  }
}

function has(kernel: LinuxKernel, folder: string, name: string): boolean {
  const names = kernel.list(folder);
  return typeof names !== "number" && names.includes(name);
}

/** Loaded when it is needed: the core comes with it. */
async function openType1(kernel: LinuxKernel): Promise<Type1Linux> {
  const { type1 } = await import("./type1/mod.ts");
  return await type1(kernel, { openUnbound: (path) => kernel.openLocked(path, O_CLOEXEC) });
}

const MISSING =
  `This Linux has neither /dev/iommu nor /dev/vfio/vfio. One of them is needed: of iommufd, the kernel option CONFIG_IOMMUFD and its module; of
VFIO's older interface, CONFIG_VFIO_CONTAINER and the modules vfio_iommu_type1 and vfio-pci. These commands show what is there:
  grep -E 'CONFIG_(IOMMUFD|VFIO_DEVICE_CDEV|VFIO_CONTAINER|VFIO_IOMMU_TYPE1)=' /boot/config-$(uname -r)
  sudo modprobe iommufd; sudo modprobe vfio-pci; ls -l /dev/iommu /dev/vfio
  ls /sys/kernel/iommu_groups    # nothing: the IOMMU is off (firmware settings; intel_iommu=on or amd_iommu=on)`;
