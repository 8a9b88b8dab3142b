/**
 * Which devices use one page table whatever a program wants.
 *
 * @module
 */
import type { Kernel } from "../../uapi/kernel.ts";
import { readText } from "../explain/facts.ts";
import { linkName, PCI_DEVICES } from "./sysfs.ts";

/**
 * Whether two devices, by PCI address, are always attached to the same: those of a group, as Linux has it. A simulated machine that tells devices of a
 * group apart by what they put on their requests says so in a file of its own, `iommu_requester`.
 */
export function shareAttachment(kernel: Kernel, one: string, other: string): boolean {
  const group = (address: string) => linkName(kernel, `${PCI_DEVICES}/${address}/iommu_group`);
  const requester = (address: string) => readText(kernel, `${PCI_DEVICES}/${address}/iommu_requester`);
  const number = group(one);
  return number !== undefined && number === group(other) && requester(one) === requester(other);
}
