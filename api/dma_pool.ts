/**
 * Equal pieces of one DMA buffer, for what a driver needs often and briefly: PRP lists, descriptors, headers.
 *
 * @module
 */
import { ERRNO } from "../uapi/errno.ts";
import { checkCount, PAGE, roundUp } from "./arguments.ts";
import type { DmaBuffer } from "./dma_buffer.ts";
import { closed, failed } from "./error.ts";

/** A piece of a {@linkcode DmaPool}. Disposing it gives it back. */
export interface DmaSlice extends Disposable {
  /** The I/O address of the first byte. */
  readonly iova: bigint;
  /** The memory. What was there before is still there. */
  readonly bytes: Uint8Array;
  /** The memory, for fields of 16, 32 and 64 bits. */
  readonly view: DataView;
}

/** What {@linkcode Ioas.createDmaPool} makes. */
export interface DmaPoolOptions {
  /** Bytes of a piece. */
  readonly size: number;
  /** Pieces. */
  readonly count: number;
  /** What I/O addresses of pieces are multiples of, in bytes: a power of two up to 2^30. Default: 64, a cache line. */
  readonly alignment?: number;
}

const ALIGNMENT_DEFAULT = 64;
const ALIGNMENT_MAX = 2 ** 30;

/** Where pieces lie in the buffer of a pool. */
export interface DmaPoolLayout extends Required<DmaPoolOptions> {
  /** Bytes from one piece to the next. */
  readonly stride: number;
  /** Bytes of the buffer: more than the pieces have, where they need a larger alignment than a page's. */
  readonly length: number;
}

/** Check options and compute the layout. @throws {TypeError} @throws {RangeError} */
export function layoutOf({ size, count, alignment = ALIGNMENT_DEFAULT }: DmaPoolOptions): DmaPoolLayout {
  checkCount(size, "the size of a piece", 1, Number.MAX_SAFE_INTEGER);
  checkCount(count, "the number of pieces", 1, Number.MAX_SAFE_INTEGER);
  checkCount(alignment, "an alignment", 1, ALIGNMENT_MAX);
  if (!Number.isInteger(Math.log2(alignment))) throw new RangeError(`Cannot use ${alignment} as an alignment: a power of two is needed`);
  const stride = roundUp(size, alignment);
  const length = checkCount(stride * count + Math.max(0, alignment - PAGE), "the length of a pool", 1, Number.MAX_SAFE_INTEGER);
  return { size, count, alignment, stride, length };
}

/** A pool of pieces. Made by {@linkcode Ioas.createDmaPool}. Taking and giving back cost the same however many there are. */
export class DmaPool implements Disposable {
  /** The memory of all pieces. */
  readonly buffer: DmaBuffer;
  /** Bytes of a piece. */
  readonly size: number;
  /** Pieces, taken or not. */
  readonly count: number;
  #stride: number;
  /** Offset of the first piece in the buffer. */
  #start: number;
  /** Pieces that were given back: a stack, so that memory in caches is taken first. */
  #free: number[] = [];
  /** Pieces from this one on were never taken. */
  #fresh = 0;

  /** Made by {@linkcode Ioas.createDmaPool}. */
  constructor(buffer: DmaBuffer, { size, count, alignment, stride }: DmaPoolLayout) {
    this.buffer = buffer;
    this.size = size;
    this.count = count;
    this.#stride = stride;
    this.#start = Number(-buffer.iova & BigInt(alignment - 1));
  }

  /** Pieces that can be taken: none once the pool was disposed, or its addresses were unmapped. */
  get available(): number {
    return this.buffer.isLive ? this.count - this.#fresh + this.#free.length : 0;
  }

  /** Take a piece. @throws {IommuError} ENOMEM if all are taken, EBADF if the pool was disposed, or its addresses were unmapped. */
  take(): DmaSlice {
    if (!this.buffer.isLive) throw closed("DmaPool", "take");
    const index = this.#free.pop() ?? this.#fresh;
    if (index === this.count) throw failed("pool", -ERRNO.ENOMEM, { size: this.size, count: this.count });
    if (index === this.#fresh) this.#fresh++;
    const offset = this.#start + index * this.#stride;
    const bytes = this.buffer.bytes.subarray(offset, offset + this.size);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    return new Slice(this.buffer.iova + BigInt(offset), bytes, view, () => this.#free.push(index));
  }

  /** Give the memory of all pieces back, those taken included. */
  [Symbol.dispose](): void {
    this.buffer[Symbol.dispose]();
  }
}

class Slice implements DmaSlice {
  readonly iova: bigint;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  #giveBack: (() => void) | undefined;

  constructor(iova: bigint, bytes: Uint8Array, view: DataView, giveBack: () => void) {
    this.iova = iova;
    this.bytes = bytes;
    this.view = view;
    this.#giveBack = giveBack;
  }

  /** Giving back twice is giving back once: the piece may have another owner by then. */
  [Symbol.dispose](): void {
    this.#giveBack?.();
    this.#giveBack = undefined;
  }
}
