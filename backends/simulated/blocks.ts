/**
 * Argument memory: small pieces of the program's own memory, which the kernel reads and writes without a copy.
 *
 * @module
 */
import { type Block, MAP_ANONYMOUS, MAP_PRIVATE, PROT_READ, PROT_WRITE } from "../../uapi/kernel.ts";
import { type Core, LENGTH_MAX } from "./core.ts";

/** Pieces are cut from mappings of this many bytes; what is longer gets a mapping of its own. */
const CHUNK_LENGTH = 65536;
/** The smallest piece: a cache line, which also keeps u64 fields aligned. */
const PIECE_LENGTH_MIN = 64;

const PAGE = 4096;
const NO_BYTES = new Uint8Array(0);
const NO_VIEW = new DataView(new ArrayBuffer(0));

/** Arrays over the same memory. */
interface Views {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/** A piece of memory; arrays over it are made once for each length and kept, since making one costs more than a system call. */
interface Piece {
  readonly address: bigint;
  readonly offset: number;
  readonly whole: Uint8Array;
  readonly views: Map<number, Views>;
}

/** Addresses that blocks are cut from. */
interface Chunk {
  readonly start: bigint;
  readonly end: bigint;
}

class PieceBlock implements Block {
  readonly address: bigint;
  bytes: Uint8Array;
  view: DataView;
  #release: (() => void) | undefined;

  constructor(address: bigint, memory: Views, release: () => void) {
    this.address = address;
    this.bytes = memory.bytes;
    this.view = memory.view;
    this.#release = release;
  }

  /** The arrays become empty: who uses the block afterwards must not reach memory that is somebody else's by then, neither the program nor pread. */
  [Symbol.dispose](): void {
    this.#release?.();
    this.#release = undefined;
    this.bytes = NO_BYTES;
    this.view = NO_VIEW;
  }
}

/**
 * Hands out blocks from chunks of mapped memory, by free lists of powers of two.
 *
 * The memory of a chunk is kept mapped for as long as arrays over it are in use. A program that could unmap it would have those arrays over
 * whatever is there next: memory of another mapping, or a page table.
 */
export class BlockAllocator {
  #core: Core;
  #memory: WebAssembly.Memory;
  #free = new Map<number, Piece[]>();
  #chunks = new Set<Chunk>();
  #live = 0;

  /** Allocate from the memory that `core` maps, which lies in `memory`. */
  constructor(core: Core, memory: WebAssembly.Memory) {
    this.#core = core;
    this.#memory = memory;
  }

  /** Blocks that are not disposed. */
  get live(): number {
    return this.#live;
  }

  /** Whether some of `length` bytes at `at`, in whole pages, are memory for blocks, which may be neither unmapped nor replaced. */
  touches(at: bigint, length: number): boolean {
    const end = at + BigInt(Math.ceil(length / PAGE)) * BigInt(PAGE);
    for (const chunk of this.#chunks) if (at < chunk.end && chunk.start < end) return true;
    return false;
  }

  /** A block of `length` bytes, zeroed. @throws {RangeError} if `length` is no length, or no memory is left. */
  allocate(length: number): Block {
    if (!Number.isSafeInteger(length) || length < 1) {
      throw new RangeError(`Cannot allocate an argument block of ${length} bytes: 1 or more are needed`);
    }
    const block = length > CHUNK_LENGTH ? this.#allocateLong(length) : this.#allocatePiece(length);
    this.#live++;
    return block;
  }

  #allocatePiece(length: number): Block {
    const size = Math.max(PIECE_LENGTH_MIN, 2 ** Math.ceil(Math.log2(length)));
    let free = this.#free.get(size);
    if (free === undefined) this.#free.set(size, free = []);
    if (free.length === 0) this.#cutChunk(size, free);
    const piece = free.pop()!;
    let views = piece.views.get(length);
    if (views === undefined) piece.views.set(length, views = this.#viewsOf(piece.offset, length));
    // All of the piece: a request or a device may have written behind the end of the block that it was.
    piece.whole.fill(0);
    return new PieceBlock(piece.address, views, () => {
      this.#live--;
      free.push(piece);
    });
  }

  #cutChunk(size: number, free: Piece[]): void {
    const { chunk, offset } = this.#map(CHUNK_LENGTH);
    for (let at = CHUNK_LENGTH - size; at >= 0; at -= size) {
      const whole = new Uint8Array(this.#memory.buffer, offset + at, size);
      free.push({ address: chunk.start + BigInt(at), offset: offset + at, whole, views: new Map() });
    }
  }

  #allocateLong(length: number): Block {
    const { chunk, offset } = this.#map(length);
    return new PieceBlock(chunk.start, this.#viewsOf(offset, length), () => {
      this.#live--;
      this.#chunks.delete(chunk);
      this.#core.munmap(chunk.start, length);
    });
  }

  #map(length: number): { chunk: Chunk; offset: number } {
    const address = length > LENGTH_MAX ? -1n : this.#core.mmap(0n, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const offset = address < 0n ? -1 : this.#core.view(address, length);
    if (offset < 0) throw new RangeError(`Cannot allocate an argument block of ${length} bytes: the machine's memory is used up`);
    const chunk = { start: address, end: address + BigInt(Math.ceil(length / PAGE)) * BigInt(PAGE) };
    this.#chunks.add(chunk);
    return { chunk, offset };
  }

  #viewsOf(offset: number, length: number): Views {
    const { buffer } = this.#memory;
    return { bytes: new Uint8Array(buffer, offset, length), view: new DataView(buffer, offset, length) };
  }
}
