/**
 * Argument memory: small pieces of mapped memory, whose addresses the kernel is given and whose bytes the program sees.
 *
 * @module
 */
import { type Block, MAP_ANONYMOUS, MAP_PRIVATE, PROT_READ, PROT_WRITE } from "../../uapi/kernel.ts";
import { type Pointer, pointerAt } from "./libc_unsafe.ts";
import type { Memory } from "./memory.ts";

/** Pieces are cut from mappings of this many bytes; what is longer gets a mapping of its own. */
const CHUNK_LENGTH = 65536;
/** The smallest piece: a cache line, which also keeps u64 fields aligned. */
const PIECE_LENGTH_MIN = 64;
/** Longer ones are no arguments, whatever the kernel would promise. */
const LENGTH_MAX = 2 ** 32;

const NO_BYTES = new Uint8Array(0);
const NO_VIEW = new DataView(new ArrayBuffer(0));

/** A piece of memory, used by one block after the other. */
interface Piece {
  readonly address: bigint;
  readonly pointer: Pointer;
  readonly whole: Uint8Array<ArrayBuffer>;
}

/** A block of the running Linux. */
export class LinuxBlock implements Block {
  readonly address: bigint;
  /** The same as foreign functions take it. */
  readonly pointer: Pointer;
  bytes: Uint8Array;
  view: DataView;
  #release: (() => void) | undefined;

  /** The first `length` bytes of a piece. */
  constructor({ address, pointer, whole }: Piece, length: number, release: () => void) {
    this.address = address;
    this.pointer = pointer;
    this.bytes = new Uint8Array(whole.buffer, whole.byteOffset, length);
    this.view = new DataView(whole.buffer, whole.byteOffset, length);
    this.#release = release;
  }

  /** The arrays become empty: who uses the block afterwards must not reach memory that is somebody else's by then. */
  [Symbol.dispose](): void {
    this.#release?.();
    this.#release = undefined;
    this.bytes = NO_BYTES;
    this.view = NO_VIEW;
  }
}

/** Hands out blocks from chunks of mapped memory, by free lists of powers of two. Chunks stay until the kernel object ends. */
export class BlockArena {
  #memory: Memory;
  #free = new Map<number, Piece[]>();

  /** Map from `memory`. */
  constructor(memory: Memory) {
    this.#memory = memory;
  }

  /** A block of `length` bytes, zeroed. @throws {RangeError} if `length` is no length, or no memory is left. */
  allocate(length: number): LinuxBlock {
    if (!Number.isSafeInteger(length) || length < 1) {
      throw new RangeError(`Cannot allocate an argument block of ${length} bytes: 1 or more are needed`);
    }
    return length > CHUNK_LENGTH ? this.#allocateLong(length) : this.#allocatePiece(length);
  }

  #allocatePiece(length: number): LinuxBlock {
    const size = length <= PIECE_LENGTH_MIN ? PIECE_LENGTH_MIN : 2 ** (32 - Math.clz32(length - 1));
    let free = this.#free.get(size);
    if (free === undefined) this.#free.set(size, free = []);
    if (free.length === 0) this.#cutChunk(size, free);
    const piece = free.pop()!;
    // All of the piece: a request may have written behind the end of the block that it was.
    piece.whole.fill(0);
    return new LinuxBlock(piece, length, () => free.push(piece));
  }

  #cutChunk(size: number, free: Piece[]): void {
    const { address, bytes } = this.#map(CHUNK_LENGTH);
    for (let at = CHUNK_LENGTH - size; at >= 0; at -= size) {
      const start = address + BigInt(at);
      free.push({ address: start, pointer: pointerAt(start), whole: bytes.subarray(at, at + size) });
    }
  }

  #allocateLong(length: number): LinuxBlock {
    const { address, bytes } = this.#map(length);
    const piece = { address, pointer: pointerAt(address), whole: bytes };
    return new LinuxBlock(piece, length, () => this.#memory.release(address, length));
  }

  #map(length: number): { address: bigint; bytes: Uint8Array<ArrayBuffer> } {
    const flags = MAP_PRIVATE | MAP_ANONYMOUS;
    const request = { at: 0n, length, prot: PROT_READ | PROT_WRITE, flags, fd: -1, offset: 0 };
    const address = length <= LENGTH_MAX ? this.#memory.mmap(request, true) : -1n;
    if (address < 0n) throw new RangeError(`Cannot allocate an argument block of ${length} bytes: the process has no memory for it`);
    return { address, bytes: this.#memory.view(address, length) };
  }
}
