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

/** A piece of memory; arrays over it are made once for each length and kept, since making one costs more than a system call. */
interface Piece {
  readonly address: bigint;
  readonly offset: number;
  readonly views: Map<number, { readonly bytes: Uint8Array; readonly view: DataView }>;
}

class PieceBlock implements Block {
  readonly address: bigint;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  #release: (() => void) | undefined;

  constructor(address: bigint, memory: { readonly bytes: Uint8Array; readonly view: DataView }, release: () => void) {
    this.address = address;
    this.bytes = memory.bytes;
    this.view = memory.view;
    this.#release = release;
  }

  [Symbol.dispose](): void {
    this.#release?.();
    this.#release = undefined;
  }
}

/** Hands out blocks from chunks of mapped memory, by free lists of powers of two. */
export class BlockAllocator {
  #core: Core;
  #memory: WebAssembly.Memory;
  #free = new Map<number, Piece[]>();
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
    else views.bytes.fill(0);
    return new PieceBlock(piece.address, views, () => {
      this.#live--;
      // Zeroed here too for the views of other lengths, which are handed out without clearing when new.
      views.bytes.fill(0);
      free.push(piece);
    });
  }

  #cutChunk(size: number, free: Piece[]): void {
    const { address, offset } = this.#map(CHUNK_LENGTH);
    for (let at = CHUNK_LENGTH - size; at >= 0; at -= size) {
      free.push({ address: address + BigInt(at), offset: offset + at, views: new Map() });
    }
  }

  #allocateLong(length: number): Block {
    const { address, offset } = this.#map(length);
    return new PieceBlock(address, this.#viewsOf(offset, length), () => {
      this.#live--;
      this.#core.munmap(address, length);
    });
  }

  #map(length: number): { address: bigint; offset: number } {
    const address = length > LENGTH_MAX ? -1n : this.#core.mmap(0n, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const offset = address < 0n ? -1 : this.#core.view(address, length);
    if (offset < 0) throw new RangeError(`Cannot allocate an argument block of ${length} bytes: the machine's memory is used up`);
    return { address, offset };
  }

  #viewsOf(offset: number, length: number): { bytes: Uint8Array; view: DataView } {
    const { buffer } = this.#memory;
    return { bytes: new Uint8Array(buffer, offset, length), view: new DataView(buffer, offset, length) };
  }
}
