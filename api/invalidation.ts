/**
 * HWPT_INVALIDATE: what caches of an IOMMU shall forget, of a nested page table or of a virtual IOMMU.
 *
 * @module
 */
import * as uapi from "../uapi/codec.ts";
import { checkCount, U32_LAST } from "./arguments.ts";
import { allocateBlock, failed } from "./error.ts";
import type { Session } from "./session.ts";

/** Entries of a kind that the library does not know, as the IOMMU's driver wants them. */
export interface RawInvalidation {
  /** The kind: one of iommufd's HWPT_INVALIDATE_DATA or VIOMMU_INVALIDATE_DATA. */
  readonly dataType: number;
  /** Bytes of an entry, 1 to 4,096. */
  readonly entryLength: number;
  /** The entries, side by side: whole ones. */
  readonly entries: Uint8Array;
}

/** Entries of one request, at most. */
const ENTRIES_MAX = 2 ** 19;
/** Bytes of an entry, at most. */
const ENTRY_MAX = 4096;

/** @throws {RangeError} for what is no whole number of entries. */
export function checkRaw({ dataType, entryLength, entries }: RawInvalidation): RawInvalidation {
  checkCount(dataType, "a type of data", 0, U32_LAST);
  checkCount(entryLength, "the length of an entry", 1, ENTRY_MAX);
  if (entries.length % entryLength !== 0) {
    throw new RangeError(`Cannot invalidate ${entries.length} bytes of entries: it is no multiple of their ${entryLength} bytes`);
  }
  return { dataType, entryLength, entries };
}

/**
 * Send entries for an object, in as many requests as they need.
 *
 * @throws {IommuError} `values.done` says how many entries were done before the one that is wrong.
 */
export function invalidate(session: Session, object: number, { dataType, entryLength, entries }: RawInvalidation): void {
  const { kernel, fd } = session;
  const count = entries.length / entryLength;
  for (let at = 0; at < count; at += ENTRIES_MAX) {
    const part = entries.subarray(at * entryLength, (at + ENTRIES_MAX) * entryLength);
    using block = allocateBlock(kernel, uapi.HwptInvalidateSize + part.length);
    block.bytes.set(part, uapi.HwptInvalidateSize);
    const dataUptr = block.address + BigInt(uapi.HwptInvalidateSize);
    uapi.putHwptInvalidate(block.view, 0, {
      hwptId: object,
      dataUptr,
      dataType,
      entryLen: entryLength,
      entryNum: part.length / entryLength,
    });
    const result = kernel.ioctl(fd, uapi.HWPT_INVALIDATE, block);
    if (result >= 0) continue;
    throw failed("hwptInvalidate", result, { object, done: at + uapi.getHwptInvalidate(block.view, 0).entryNum, count });
  }
}
