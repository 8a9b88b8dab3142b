/**
 * The DMA buffers of an IOAS, by I/O address and by memory.
 *
 * @module
 */
import { AddressIndex } from "./address_index.ts";
import type { DmaBuffer } from "./dma_buffer.ts";

/** I/O addresses are looked up by page: a number holds any page exactly, but not any address. */
const PAGE_SHIFT = 12n;

/** Buffers, found in O(log n). */
export class BufferTable {
  #byPage = new AddressIndex<DmaBuffer>();
  /** By position in their ArrayBuffer: a simulated machine has one for all, real memory one for each buffer. */
  #byBytes = new Map<ArrayBufferLike, AddressIndex<DmaBuffer>>();

  /** How many there are. */
  get size(): number {
    return this.#byPage.size;
  }

  /** Add a buffer. */
  add(buffer: DmaBuffer): void {
    this.#byPage.set(Number(buffer.iova >> PAGE_SHIFT), buffer);
    const { buffer: memory, byteOffset } = buffer.bytes;
    let index = this.#byBytes.get(memory);
    if (index === undefined) this.#byBytes.set(memory, index = new AddressIndex());
    index.set(byteOffset, buffer);
  }

  /** Take a buffer out. */
  delete(buffer: DmaBuffer): void {
    this.#byPage.delete(Number(buffer.iova >> PAGE_SHIFT));
    const { buffer: memory, byteOffset } = buffer.bytes;
    const index = this.#byBytes.get(memory);
    index?.delete(byteOffset);
    if (index?.size === 0) this.#byBytes.delete(memory);
  }

  /** The buffer that has `iova`. */
  at(iova: bigint): DmaBuffer | undefined {
    const buffer = this.#byPage.floor(Number(iova >> PAGE_SHIFT));
    // It begins at or below the address, since buffers begin with a page; and one operation on bigints is enough.
    return buffer !== undefined && Number(iova - buffer.iova) < buffer.length ? buffer : undefined;
  }

  /** The buffer whose memory `bytes` is a part of. */
  of(bytes: Uint8Array): DmaBuffer | undefined {
    const buffer = this.#byBytes.get(bytes.buffer)?.floor(bytes.byteOffset);
    if (buffer === undefined) return undefined;
    const end = buffer.bytes.byteOffset + buffer.length;
    return bytes.byteOffset < end && bytes.byteOffset + bytes.length <= end ? buffer : undefined;
  }

  /** Buffers that begin from `start` to `last`, the last first. O(log n) for each. */
  within(start: bigint, last: bigint): DmaBuffer[] {
    const found: DmaBuffer[] = [];
    let buffer = this.#byPage.floor(Number(last >> PAGE_SHIFT));
    while (buffer !== undefined && buffer.iova >= start) {
      found.push(buffer);
      buffer = this.#byPage.before(Number(buffer.iova >> PAGE_SHIFT));
    }
    return found;
  }
}
