/**
 * The memory of a program that two kernels are asked for by the same bytes: at addresses of its own choice, equal on both.
 *
 * @module
 */
import {
  type Kernel,
  MAP_ANONYMOUS,
  MAP_FIXED_NOREPLACE,
  MAP_PRIVATE,
  MAP_SHARED,
  PROT_NONE,
  PROT_READ,
  PROT_WRITE,
} from "../../uapi/kernel.ts";
import { errnoName } from "../../uapi/errno.ts";

const PAGE = 4096;
const MIB = 2 ** 20;
/** Far from where kernels and runtimes place mappings. */
const BASE = 0x10_0000_0000n;

/** A piece of the program's memory. Behind each is a hole, where nothing is ever mapped, unless the layout says otherwise. */
export interface Piece {
  /** First address. */
  readonly at: bigint;
  /** Bytes. */
  readonly length: number;
}

/** Where structs of requests are written. */
export const ARGUMENTS: Piece = { at: BASE, length: 2 * PAGE };
/** The same bytes once more, which the kernel may read and not write. */
export const ARGUMENTS_READ_ONLY: Piece = { at: BASE + 0x1_0000n, length: 2 * PAGE };
const DATA_PAGE: Piece = { at: BASE + 0x2_0000n, length: PAGE };
const DATA_PAGE_READ_ONLY: Piece = { at: BASE + 0x3_0000n, length: PAGE };
/** Bytes at the end of a page: to look at a whole one for each request would take longer than the request. */
const DATA_LENGTH = 1024;
/** Where pointers of requests lead. */
export const DATA: Piece = endOf(DATA_PAGE, DATA_LENGTH);
/** The same bytes once more, read only. */
export const DATA_READ_ONLY: Piece = endOf(DATA_PAGE_READ_ONLY, DATA_LENGTH);
/** Memory for devices, in single pages: not aligned to 2 MiB anywhere. */
export const SMALL: Piece = { at: BASE + 0x10_0000n, length: 64 * PAGE };
/** Memory for devices in which 2 MiB pages fit. {@linkcode READ_ONLY} follows at once. */
export const LARGE: Piece = { at: BASE + 0x40_0000n, length: 4 * MIB };
/** Memory that can be read and not written. */
export const READ_ONLY: Piece = { at: LARGE.at + BigInt(LARGE.length), length: 16 * PAGE };
/** Memory that can be neither read nor written. */
export const NO_ACCESS: Piece = { at: BASE + 0x100_0000n, length: 4 * PAGE };
/** Addresses where no process has memory, or not this one. */
export const NOWHERE: readonly bigint[] = [
  0n,
  4096n,
  BASE - 8192n,
  BASE + 0x200_0000n,
  2n ** 47n - 4096n,
  2n ** 47n,
  2n ** 63n,
  2n ** 64n - 4096n,
];

function endOf({ at, length }: Piece, bytes: number): Piece {
  return { at: at + BigInt(length - bytes), length: bytes };
}

/** The process's memory on one kernel. */
export class Memory implements Disposable {
  /** Bytes of {@linkcode ARGUMENTS}. */
  readonly arguments: Uint8Array;
  /** Bytes of {@linkcode DATA}. */
  readonly data: Uint8Array;
  readonly #kernel: Kernel;
  readonly #mapped: Piece[] = [];

  /** Map all of it. @throws {Error} where something else has the addresses */
  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#file([ARGUMENTS, PROT_READ | PROT_WRITE], [ARGUMENTS_READ_ONLY, PROT_READ]);
    this.#file([DATA_PAGE, PROT_READ | PROT_WRITE], [DATA_PAGE_READ_ONLY, PROT_READ]);
    // Pages of a file: of private memory that was never written, Linux would give devices the one page of zeros.
    this.#file([READ_ONLY, PROT_READ]);
    for (const piece of [SMALL, LARGE]) {
      this.#map(piece, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
      kernel.view(piece.at, piece.length).fill(0x5a);
    }
    this.#map(NO_ACCESS, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    this.arguments = kernel.view(ARGUMENTS.at, ARGUMENTS.length);
    this.data = kernel.view(DATA.at, DATA.length);
  }

  #file(...pieces: readonly (readonly [Piece, number])[]): void {
    const fd = this.#kernel.memfd("differential", pieces[0]![0].length);
    if (fd < 0) throw new Error(`Cannot make a memory file on the kernel "${this.#kernel.name}": ${errnoName(-fd)}`);
    for (const [piece, prot] of pieces) this.#map(piece, prot, MAP_SHARED, fd);
    this.#kernel.close(fd);
  }

  #map(piece: Piece, prot: number, flags: number, fd: number): void {
    const at = this.#kernel.mmap(piece.at, piece.length, prot, flags | MAP_FIXED_NOREPLACE, fd, 0);
    if (at !== piece.at) {
      const why = at < 0n ? errnoName(Number(-at)) : `the kernel chose 0x${at.toString(16)}`;
      throw new Error(`Cannot map memory at 0x${piece.at.toString(16)} on the kernel "${this.#kernel.name}": ${why}`);
    }
    this.#mapped.push(piece);
  }

  [Symbol.dispose](): void {
    for (const { at, length } of this.#mapped.splice(0)) this.#kernel.munmap(at, length);
  }
}
