/**
 * The host's memory as the controller reaches it: addresses as two halves of 32 bits, so that no bigint is made before the DMA itself.
 *
 * @module
 */
import type { Dma } from "../../device.ts";

const TWO32 = 2 ** 32;

const scratch = new DataView(new ArrayBuffer(8));

/** One address from its halves. `low` may exceed 32 bits: it carries. Undefined where the address is 2^64 or more. */
export function joinAddress(low: number, high: number): bigint | undefined {
  const carry = Math.floor(low / TWO32);
  if (high + carry >= TWO32) return undefined;
  scratch.setUint32(0, low - carry * TWO32, true);
  scratch.setUint32(4, high + carry, true);
  return scratch.getBigUint64(0, true);
}

/** DMA of one controller. */
export class HostMemory {
  #dma: Dma;

  /** @param dma the bus's. */
  constructor(dma: Dma) {
    this.#dma = dma;
  }

  /** Read `into.length` bytes; false if the IOMMU refused, or the range leaves the address space. */
  read(low: number, high: number, into: Uint8Array): boolean {
    const iova = this.#checked(low, high, into.length);
    return iova !== undefined && this.#dma.read(iova, into) === undefined;
  }

  /** Write `from`, as {@linkcode HostMemory.read}. */
  write(low: number, high: number, from: Uint8Array): boolean {
    const iova = this.#checked(low, high, from.length);
    return iova !== undefined && this.#dma.write(iova, from) === undefined;
  }

  /** An end beyond 2^64 would wrap to address 0: such a range is no range. */
  #checked(low: number, high: number, length: number): bigint | undefined {
    const last = low + length - 1;
    return high + Math.floor(last / TWO32) < TWO32 ? joinAddress(low, high) : undefined;
  }
}

/** Memory of the controller that data passes through, with views made once. */
export class Staging {
  /** All of it. */
  readonly bytes: Uint8Array;
  #heads: (Uint8Array | undefined)[] = [];

  /** @param bytes from the bus, so that DMA copies without a detour, or any other. */
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** The first `length` bytes. The same object for the same length, where that is a multiple of 512. */
  head(length: number): Uint8Array {
    if (length % 512 !== 0) return this.bytes.subarray(0, length);
    return this.#heads[length >>> 9] ??= this.bytes.subarray(0, length);
  }

  /** `length` bytes from `at` on. */
  piece(at: number, length: number): Uint8Array {
    return at === 0 ? this.head(length) : this.bytes.subarray(at, at + length);
  }
}

/**
 * The staging areas of a controller: as many as transfers are under way at once, which is one unless media are asynchronous.
 *
 * The first is the bus's own memory; others are ordinary arrays, since the machine's memory is not given back.
 */
export class StagingPool {
  #free: Staging[];
  #length: number;

  /** @param first of the length that each has. */
  constructor(first: Staging) {
    this.#free = [first];
    this.#length = first.bytes.length;
  }

  /** An area of its own until {@linkcode StagingPool.give}. */
  take(): Staging {
    return this.#free.pop() ?? new Staging(new Uint8Array(this.#length));
  }

  /** Give an area back; the bus's memory comes out first again. */
  give(staging: Staging): void {
    this.#free.push(staging);
  }
}
