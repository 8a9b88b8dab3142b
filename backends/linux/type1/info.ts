/**
 * What a container can map: the answer of IOMMU_GET_INFO with its capabilities.
 *
 * @module
 */
import * as uapi from "../../../uapi/codec.ts";
import { ERRNO } from "../../../uapi/errno.ts";
import type { Block, Kernel } from "../../../uapi/kernel.ts";

/** Addresses, both ends inclusive. */
export interface IovaSpan {
  readonly start: bigint;
  readonly last: bigint;
}

/** Argument memory, or undefined where there is none left. */
export function allocate(kernel: Kernel, length: number): Block | undefined {
  try {
    return kernel.block(length);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Enough for the answer of any kernel so far, with some dozens of ranges. */
const ANSWER_LENGTH = 1024;
/** What iommufd's areas are measured in; a container with larger pages only could not map them. */
const PAGE_LG2 = 12n;

/** The addresses that a container maps; without `spans` the kernel below does not tell. −EOPNOTSUPP: it has no pages of 4 KiB. */
export function readIovaRanges(kernel: Kernel, container: number): { readonly spans: readonly IovaSpan[] | undefined } | number {
  for (let length = ANSWER_LENGTH;;) {
    using block = allocate(kernel, length);
    if (block === undefined) return -ERRNO.ENOMEM;
    uapi.putIommuType1Info(block.view, 0, {});
    block.view.setUint32(0, length, true);
    const result = kernel.ioctl(container, uapi.IOMMU_GET_INFO, block);
    if (result < 0) return result;
    const { flags, iovaPgsizes } = uapi.getIommuType1Info(block.view, 0);
    const argsz = uapi.getIommuType1InfoArgsz(block.view, 0);
    if (argsz > length) {
      length = argsz;
      continue;
    }
    const smallest = iovaPgsizes & -iovaPgsizes;
    if ((flags & uapi.IOMMU_INFO_PGSIZES) !== 0 && smallest > 1n << PAGE_LG2) return -ERRNO.EOPNOTSUPP;
    return { spans: (flags & uapi.IOMMU_INFO_CAPS) === 0 ? undefined : findSpans(block.view, argsz) };
  }
}

/** The capability with the ranges, in a chain of which each part lies behind the one before. */
function findSpans(view: DataView, length: number): readonly IovaSpan[] | undefined {
  let at = uapi.getIommuType1InfoCapOffset(view, 0);
  while (at >= uapi.IommuType1InfoSize && at + uapi.IommuType1InfoCapIovaRangeSize <= length) {
    const { id, next, nrIovas } = uapi.getIommuType1InfoCapIovaRange(view, at);
    if (id === uapi.IOMMU_TYPE1_INFO_CAP_IOVA_RANGE) return readSpans(view, at + uapi.IommuType1InfoCapIovaRangeSize, nrIovas);
    if (next <= at) return undefined;
    at = next;
  }
  return undefined;
}

function readSpans(view: DataView, at: number, count: number): IovaSpan[] {
  const room = Math.floor((view.byteLength - at) / uapi.VfioIovaRangeSize);
  return Array.from({ length: Math.min(count, room) }, (_, index) => {
    const { start, end } = uapi.getVfioIovaRange(view, at + index * uapi.VfioIovaRangeSize);
    return { start, last: end };
  });
}

/** What lies between ranges, and before the first: addresses that nothing may be mapped at. */
export function holes(spans: readonly IovaSpan[]): IovaSpan[] {
  const found: IovaSpan[] = [];
  let next = 0n;
  for (const { start, last } of spans) {
    if (start > next) found.push({ start: next, last: start - 1n });
    next = last + 1n;
  }
  return found;
}
