/**
 * Which pages of a range of I/O addresses were written to.
 *
 * @module
 */
import type { Block, Kernel } from "../uapi/kernel.ts";
import { checkLength, checkU64, PAGE, roundUp } from "./arguments.ts";
import { allocateBlock } from "./error.ts";

/** What is asked of a bitmap. */
export interface DirtyRange {
  /** First I/O address; a multiple of the page size. */
  readonly iova: bigint;
  /** Bytes; a multiple of the page size. */
  readonly length: number | bigint;
  /** Bytes that a bit stands for: a power of two. Default: 4,096. */
  readonly pageSize?: number;
}

/** Pages next to each other that were written to. */
export interface DirtyPages {
  /** First I/O address. */
  readonly iova: bigint;
  /** Bytes, whole pages. */
  readonly length: number;
}

/** Most bytes of a bitmap: what an array can be asked for at once. */
const BYTES_MAX = 2 ** 28;

/** A range after its checks. */
export interface CheckedRange {
  readonly iova: bigint;
  readonly length: bigint;
  readonly pageSize: number;
}

/** @throws {TypeError} @throws {RangeError} for a range that is not of whole pages, or of more than 2^31. `least`: bytes of the smallest page. */
export function checkRange({ iova, length, pageSize = PAGE }: DirtyRange, least: number): CheckedRange {
  if (!Number.isSafeInteger(pageSize) || pageSize < least || !Number.isInteger(Math.log2(pageSize))) {
    throw new RangeError(`Cannot use ${pageSize} as a page size: a power of two of at least ${least} is needed`);
  }
  const range = { iova: checkU64(iova, "the start of a range"), length: checkLength(length, "the length of a range"), pageSize };
  const unit = BigInt(pageSize);
  if (range.length === 0n || range.iova % unit !== 0n || range.length % unit !== 0n) {
    const of = `0x${range.length.toString(16)} bytes at 0x${iova.toString(16)}`;
    throw new RangeError(`Cannot ask which pages of ${of} were written to: whole pages of ${pageSize} bytes are needed`);
  }
  if (range.length / unit > 8 * BYTES_MAX) throw new RangeError(`Cannot ask for ${range.length / unit} pages at once: at most 2^31`);
  return range;
}

/**
 * The pages of a range that were written to: {@linkcode Hwpt.dirtyBitmap}, {@linkcode DmaLog.report}. Iterating gives runs of such pages, from the
 * lowest on.
 *
 * ```ts
 * for (const { iova, length } of hwpt.dirtyBitmap({ iova: buffer.iova, length: buffer.length })) send(iova, length);
 * ```
 */
export class DirtyBitmap implements Iterable<DirtyPages> {
  /** First I/O address. */
  readonly iova: bigint;
  /** Bytes. */
  readonly length: bigint;
  /** Bytes that a bit stands for. */
  readonly pageSize: number;
  /** The bits: that of page n is bit n % 8 of byte n / 8. */
  readonly bytes: Uint8Array;

  /** Of a range. */
  constructor({ iova, length, pageSize }: CheckedRange, bytes: Uint8Array) {
    this.iova = iova;
    this.length = length;
    this.pageSize = pageSize;
    this.bytes = bytes;
  }

  /** Pages of the range. */
  get pages(): number {
    return Number(this.length / BigInt(this.pageSize));
  }

  /** How many of them were written to. */
  get dirtyPages(): number {
    let count = 0;
    for (let byte of this.bytes) for (; byte !== 0; byte &= byte - 1) count++;
    return count;
  }

  /** Whether the page at an address was written to. False outside of the range. */
  has(iova: bigint): boolean {
    const offset = checkU64(iova, "an address") - this.iova;
    return 0n <= offset && offset < this.length && this.#isSet(Number(offset / BigInt(this.pageSize)));
  }

  #isSet(page: number): boolean {
    return (this.bytes[page >> 3]! >> (page & 7) & 1) !== 0;
  }

  /** Runs of pages that were written to. */
  *[Symbol.iterator](): Generator<DirtyPages, void> {
    const { pages, pageSize } = this;
    for (let page = 0; page < pages; page++) {
      // Most pages of a large range are clean.
      if ((page & 7) === 0 && this.bytes[page >> 3] === 0) {
        page += 7;
        continue;
      }
      if (!this.#isSet(page)) continue;
      const first = page;
      while (page < pages && this.#isSet(page)) page++;
      yield { iova: this.iova + BigInt(first) * BigInt(pageSize), length: (page - first) * pageSize };
    }
  }
}

/** Memory for a request with a bitmap behind its struct. */
export interface BitmapBlock extends Disposable {
  /** Argument memory, with the struct at its beginning. */
  readonly block: Block;
  /** Where the bitmap is. */
  readonly address: bigint;
  /** A copy of what the kernel wrote. */
  read(): DirtyBitmap;
}

/**
 * Memory for the bitmap of a range, with room for a struct of at most a page. @throws {IommuError} ENOMEM
 *
 * Of a page that reaches beyond the range Linux sets all the bits: it writes behind the bitmap, up to the end of the pages of memory that it holds for
 * it (drivers/iommu/iommufd/iova_bitmap.c). So whole pages are its own, and one more.
 */
export function bitmapBlock(kernel: Kernel, range: CheckedRange): BitmapBlock {
  const pages = Number(range.length / BigInt(range.pageSize));
  const bytes = Math.ceil(pages / 8);
  const block = allocateBlock(kernel, 2 * PAGE + roundUp(bytes, PAGE) + PAGE);
  const start = Number(BigInt(PAGE) - block.address % BigInt(PAGE)) % PAGE + PAGE;
  return {
    block,
    address: block.address + BigInt(start),
    read() {
      const bits = block.bytes.slice(start, start + bytes);
      // Nor are bits of the last byte that no page of the range has.
      if (pages % 8 !== 0) bits[bytes - 1]! &= 2 ** (pages % 8) - 1;
      return new DirtyBitmap(range, bits);
    },
    [Symbol.dispose]: () => block[Symbol.dispose](),
  };
}
