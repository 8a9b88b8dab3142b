/**
 * Memory that devices reach: an I/O address and the bytes there.
 *
 * @module
 */
import { type Life, track } from "./handle.ts";
import type { Ioas } from "./ioas.ts";

/** What a {@linkcode DmaBuffer} is made from. */
export interface DmaBufferParts {
  /** The address space that maps it. */
  readonly ioas: Ioas;
  /** Its first I/O address. */
  readonly iova: bigint;
  /** Its first address in the process. */
  readonly address: bigint;
  /** Its memory. */
  readonly bytes: Uint8Array;
  /** Bytes that are mapped for it. */
  readonly mappedLength: number;
  /** Takes the memory out of the address space and gives it back. */
  readonly release: (buffer: DmaBuffer) => void;
}

/**
 * Memory of the program that is mapped into an I/O address space, until it is disposed. Made by {@linkcode Ioas.createDmaBuffer}.
 *
 * `bytes` and `view` show the memory itself: what the program writes there the device reads, without a copy. They are valid while the buffer
 * lives.
 */
export class DmaBuffer implements Disposable {
  /** The address space. */
  readonly ioas: Ioas;
  /** The I/O address of the first byte: what the device is told. A multiple of 4,096. */
  readonly iova: bigint;
  /** The address of the first byte in the program's address space. */
  readonly address: bigint;
  /** Length in bytes, as asked for. */
  readonly length: number;
  /** Bytes that are mapped, in the program and for devices: `length` in whole pages. */
  readonly mappedLength: number;
  /** The memory. */
  readonly bytes: Uint8Array;
  /** The memory, for fields of 16, 32 and 64 bits. */
  readonly view: DataView;
  #life: Life;
  #release: DmaBufferParts["release"];

  /** Made by {@linkcode Ioas.createDmaBuffer}. */
  constructor({ ioas, iova, address, bytes, mappedLength, release }: DmaBufferParts) {
    this.ioas = ioas;
    this.iova = iova;
    this.address = address;
    this.length = bytes.length;
    this.mappedLength = mappedLength;
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#release = release;
    this.#life = track(this, ioas.iommu.kernel, "DmaBuffer");
  }

  /** False once the buffer was disposed, or its addresses were unmapped. */
  get isLive(): boolean {
    return this.#life.isOpen;
  }

  /** Whether an I/O address is one of the buffer's. */
  contains(iova: bigint): boolean {
    return this.iova <= iova && iova < this.iova + BigInt(this.length);
  }

  /** Unmap it, then give the memory back. */
  [Symbol.dispose](): void {
    if (!this.#life.isOpen) return;
    this.#life.end();
    this.#release(this);
  }
}
