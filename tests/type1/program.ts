/**
 * A program on type1, for tests that look at what is below: typed API above, the model's containers below.
 *
 * @module
 */
import { type BoundDevice, DeviceFd, type IommuFd } from "../../mod.ts";
import type { Kernel } from "../../uapi/kernel.ts";

/** The number of a device's group. */
export function groupOf(kernel: Kernel, address: string): string {
  return String(kernel.readlink(`/sys/bus/pci/devices/${address}/iommu_group`)).split("/").at(-1)!;
}

/** Open and bind. If the bind fails, the device is closed. */
export function bind(kernel: Kernel, address: string, iommu: IommuFd): BoundDevice {
  const device = DeviceFd.open(kernel, address);
  try {
    return device.bind(iommu);
  } catch (error) {
    device[Symbol.dispose]();
    throw error;
  }
}
