/**
 * The C library with its answers as −errno, and a piece of memory for the structs and paths of one call.
 *
 * @module
 */
import { MAP_ANONYMOUS, MAP_PRIVATE, PROT_READ, PROT_WRITE } from "../../uapi/kernel.ts";
import { acquireLibc, detach, type Libc, memoryAt, releaseLibc } from "./libc_unsafe.ts";

/** Bytes for one call: a path and a struct, or a piece of a file. */
const SCRATCH_LENGTH = 65536;
/** Where paths are written; structs begin at 0. */
const PATH_OFFSET = 8192;
/** Paths are shorter than this, the zero at their end counted (PATH_MAX). */
const PATH_LENGTH_MAX = 4096;
/** What is written to is cut to this: longer is ENAMETOOLONG all the same. */
const PATH_ROOM = PATH_LENGTH_MAX + 16;

const encoder = new TextEncoder();

/** The C library as one kernel object uses it. System calls are synchronous, so one piece of memory serves them all. */
export class System {
  /** The functions and errno. */
  readonly libc: Libc;
  /** Where the scratch memory is. */
  readonly address: bigint;
  /** The scratch memory. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The same. */
  readonly view: DataView<ArrayBuffer>;

  /** Load the C library and map the memory. @throws {Error} with what is missing. */
  constructor() {
    this.libc = acquireLibc();
    const { symbols, errno } = this.libc;
    const address = symbols.mmap(0n, BigInt(SCRATCH_LENGTH), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0n);
    if (address === -1n) {
      const code = errno[0];
      releaseLibc();
      throw new RangeError(`Cannot map ${SCRATCH_LENGTH} bytes for arguments of system calls: error ${code}`);
    }
    this.address = address;
    const memory = memoryAt(address, SCRATCH_LENGTH);
    this.bytes = new Uint8Array(memory);
    this.view = new DataView(memory);
  }

  /** A function's result as the seam has it: −errno for −1. */
  answer(result: number): number {
    return result < 0 ? -this.libc.errno[0]! : result;
  }

  /** Write a path to the scratch memory. Its address; −1n: the path has a zero in it, which no file's name can. */
  path(path: string): bigint {
    if (path.includes("\0")) return -1n;
    const at = PATH_OFFSET;
    const { written } = encoder.encodeInto(
      path.length < PATH_ROOM ? path : path.slice(0, PATH_ROOM),
      this.bytes.subarray(at, at + 4 * PATH_ROOM),
    );
    this.bytes[at + written] = 0;
    return this.address + BigInt(at);
  }

  /** Unmap the memory; the last of all kernel objects unloads the library. */
  [Symbol.dispose](): void {
    detach(this.bytes.buffer);
    this.libc.symbols.munmap(this.address, BigInt(SCRATCH_LENGTH));
    releaseLibc();
  }
}
