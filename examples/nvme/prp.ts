/**
 * Builds physical region pages (NVMe 1.4, 4.3) for memory that is contiguous as the device sees it. Makes no objects.
 *
 * @module
 */

const TWO32 = 2 ** 32;
const ENTRY = 8;

/** Memory with an I/O virtual address; the address is in halves, so that the hot path works with plain numbers. */
export class Area {
  /** Bits 31 to 0 of the address. */
  readonly low: number;
  /** Bits 63 to 32 of the address. */
  readonly high: number;
  /** Fields of 16, 32 and 64 bits. */
  readonly view: DataView;

  /** @param iova where the device sees `bytes`. */
  constructor(readonly iova: bigint, readonly bytes: Uint8Array) {
    this.low = Number(iova & 0xffff_ffffn);
    this.high = Number(iova >> 32n);
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** A part. */
  slice(at: number, length: number): Area {
    return new Area(this.iova + BigInt(at), this.bytes.subarray(at, at + length));
  }
}

/** Bytes of list that a transfer of `length` bytes needs at worst, in whole pages. */
export function listLength(length: number, page: number): number {
  const perPage = page / ENTRY;
  const entries = Math.ceil(length / page);
  // Each page but the last gives one entry to the link.
  return Math.max(1, Math.ceil((entries - 1) / (perPage - 1))) * page;
}

/** `low` may have more than 32 bits, below 2^53: it carries. */
function put(view: DataView, at: number, low: number, high: number): void {
  const carry = Math.floor(low / TWO32);
  view.setUint32(at, low - carry * TWO32, true);
  view.setUint32(at + 4, high + carry, true);
}

/**
 * Write PRP1 and PRP2 of a command.
 *
 * @param entry where PRP1 goes, at `at`; PRP2 follows.
 * @param low bits 31 to 0 of the data's address, a multiple of 4; a carry is allowed. @param high bits 63 to 32 of it.
 * @param length bytes of data; 0 makes both entries zero.
 * @param list memory for a list, beginning on a page: as long as {@linkcode listLength} says.
 * @param page bytes of a memory page, as CC.MPS has it.
 */
export function putPrps(entry: DataView, at: number, low: number, high: number, length: number, list: Area, page: number): void {
  if (length === 0) {
    put(entry, at, 0, 0);
    return put(entry, at + 8, 0, 0);
  }
  put(entry, at, low, high);
  // A page is a power of two of at most 2^27 bytes, so the low bits of a number with a carry are those of its low 32.
  const inFirst = page - (low % page);
  const left = length - inFirst;
  if (left <= 0) return put(entry, at + 8, 0, 0);
  if (left <= page) return put(entry, at + 8, low + inFirst, high);
  put(entry, at + 8, list.low, list.high);
  putList(list, low + inFirst, high, Math.ceil(left / page), page);
}

/** The last slot of a list's page leads to the next page, unless it is the last entry of all. */
function putList(list: Area, low: number, high: number, entries: number, page: number): void {
  for (let index = 0, slot = 0; index < entries; slot++) {
    const isLink = (slot + 1) * ENTRY % page === 0 && index < entries - 1;
    if (isLink) {
      put(list.view, slot * ENTRY, list.low + (slot + 1) * ENTRY, list.high);
    } else {
      put(list.view, slot * ENTRY, low + index * page, high);
      index++;
    }
  }
}
