/**
 * What VFIO's older interface cannot do, where that is what the kernel is reached by.
 *
 * @module
 */
import { ERRNO } from "../../uapi/errno.ts";
import type { Kernel } from "../../uapi/kernel.ts";

/** Whether a kernel without iommufd is below: its name says so, through any wrapper. */
export function isType1(kernel: Kernel): boolean {
  return kernel.name.includes("type1(");
}

/** What to say of something that type1 has no request for. `what` is the subject of a sentence: "facts of the IOMMU". */
export function explainType1(kernel: Kernel, result: number, what: string): string | undefined {
  if (result !== -ERRNO.EOPNOTSUPP || !isType1(kernel)) return undefined;
  return `The kernel is reached by VFIO's older interface (type1), which does not offer ${what}. A kernel with iommufd does: Linux 6.6 or later ` +
    "with CONFIG_IOMMUFD and CONFIG_VFIO_DEVICE_CDEV.";
}

/** What to say of an iommufd that type1 has nothing to make of. */
export function explainNoType1(kernel: Kernel, result: number): string | undefined {
  if (result !== -ERRNO.EOPNOTSUPP || !isType1(kernel)) return undefined;
  return "VFIO's containers of this kernel do not have type1 of version 2: load it as root (modprobe vfio_iommu_type1).";
}
