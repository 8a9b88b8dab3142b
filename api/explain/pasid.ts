/**
 * Why a PASID does not go with a page table.
 *
 * @module
 */
import { ERRNO } from "../../uapi/errno.ts";
import type { HwInfo } from "../hw_info.ts";
import { guess } from "./facts.ts";

/** An IOAS, or a page table: that alone says what it was made for. */
export interface PasidTarget {
  /** Its id. */
  readonly id: number;
  /** Of a page table. */
  readonly options?: { readonly pasid?: boolean };
}

/**
 * What to say of an attachment that answered `result`. `attachments` are those that the device has, by PASID; `read` asks what the device can do, and
 * may throw.
 */
export function explainPasid(
  result: number,
  target: PasidTarget,
  pasid: number | undefined,
  attachments: ReadonlyMap<number | undefined, PasidTarget>,
  read: () => HwInfo,
): string | undefined {
  if (result !== -ERRNO.EINVAL) return undefined;
  const used = [...attachments.keys()].filter((other) => other !== undefined);
  if (pasid === undefined) {
    if (takesPasids(target) || used.length === 0) return undefined;
    return `PASID ${
      used[0]
    } of the device is attached, and the target takes no PASIDs beside it: attach to a page table made with { pasid: true }.`;
  }
  if (!takesPasids(target)) return "The target takes no PASIDs: attach to a page table made with { pasid: true }.";
  const plain = attachments.get(undefined);
  if (plain !== undefined && !takesPasids(plain)) {
    return "The device itself is attached to what takes no PASIDs beside it: move it to a page table made with { pasid: true }, or detach it.";
  }
  return guess(() => {
    const { maxPasidLog2 } = read();
    return maxPasidLog2 !== 0 && pasid >= 2 ** maxPasidLog2 ? `The device has PASIDs up to ${2 ** maxPasidLog2 - 1}.` : undefined;
  });
}

/** An IOAS makes page tables without PASIDs. */
function takesPasids({ options }: PasidTarget): boolean {
  return options?.pasid ?? false;
}
