/**
 * Which ability of a page table an IOMMU lacks.
 *
 * @module
 */
import { ERRNO } from "../../uapi/errno.ts";
import type { HwInfo } from "../hw_info.ts";
import type { HwptOptions } from "../hwpt.ts";
import { guess } from "./facts.ts";

/** Bit of VT-d's extended capability register for nested translation: VT-d specification, 11.4.3. */
const VTD_NESTED = 26n;

/** What to say of dirty tracking that a page table does not do. */
export function explainUntracked(result: number, options: HwptOptions): string | undefined {
  if (result !== -ERRNO.EOPNOTSUPP || options.dirtyTracking) return undefined;
  return "The page table was made without { dirtyTracking: true }: make another one, and move the devices there.";
}

/** What to say of something on top of a page table that the kernel does not make. */
export function explainParent(result: number, parent: HwptOptions): string | undefined {
  if (result !== -ERRNO.EINVAL || parent.nestParent) return undefined;
  return "The page table was made without { nestParent: true }.";
}

/** What to say of a page table that the IOMMU cannot have. `read` asks the IOMMU what it is; it may throw. */
export function explainUnsupported(result: number, read: () => HwInfo, options: HwptOptions): string | undefined {
  if (result !== -ERRNO.EOPNOTSUPP) return undefined;
  return guess(() => {
    const info = read();
    const of = `The device's IOMMU (${typeof info.type === "number" ? `type ${info.type}` : info.type})`;
    if (options.dirtyTracking && !info.dirtyTracking) return `${of} cannot tell which pages were written: leave dirtyTracking out.`;
    const extended = info.vtd?.extendedCapability;
    if (options.nestParent && extended !== undefined && (extended >> VTD_NESTED & 1n) === 0n) {
      return `${of} does not nest page tables: leave nestParent out.`;
    }
    return options.pasid && info.maxPasidLog2 === 0 ? `${of} or the device has no PASIDs: leave pasid out.` : undefined;
  });
}
