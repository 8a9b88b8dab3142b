/**
 * Makes chosen calls fail, to test what a program does then.
 *
 * @module
 */
import { requestNumber } from "../../uapi/decode.ts";
import { ERRNO, type ErrnoName } from "../../uapi/errno.ts";
import type { Block, Kernel } from "../../uapi/kernel.ts";

/** The calls that can be made to fail. */
export type FaultCall =
  | "open"
  | "close"
  | "ioctl"
  | "read"
  | "write"
  | "pread"
  | "pwrite"
  | "mmap"
  | "munmap"
  | "block"
  | "eventfd"
  | "memfd"
  | "wait"
  | "list"
  | "readlink"
  | "readFile";

/** One call that shall fail. */
export interface Fault {
  /** Which call. */
  readonly call: FaultCall;
  /** With `ioctl`: only this request, by name (`"IOAS_MAP"`) or number. Default: any. */
  readonly request?: string | number;
  /** Which of these calls, counted from 1. */
  readonly nth: number;
  /** What it answers. */
  readonly errno: ErrnoName;
}

/** A kernel some of whose calls fail. */
export interface FaultyKernel extends Kernel {
  /** How many faults have happened. A sweep over `nth` ends when none does. */
  readonly fired: number;
}

interface Counter {
  readonly fault: Fault;
  readonly request: number | undefined;
  seen: number;
}

function counterOf(fault: Fault): Counter {
  if (!Number.isInteger(fault.nth) || fault.nth < 1) {
    throw new RangeError(`Cannot make call number ${fault.nth} of ${fault.call} fail: calls are counted from 1`);
  }
  if (ERRNO[fault.errno] === undefined) throw new TypeError(`Cannot answer ${fault.errno}: there is no such error`);
  if (fault.request === undefined) return { fault, request: undefined, seen: 0 };
  if (fault.call !== "ioctl") throw new TypeError(`Cannot make ${fault.call} fail by request: only ioctl has requests`);
  const request = typeof fault.request === "number" ? fault.request : requestNumber(fault.request);
  if (request === undefined) throw new TypeError(`Cannot make ${fault.request} fail: there is no such request`);
  return { fault, request, seen: 0 };
}

/** See {@linkcode faults}. A call that fails does not reach the kernel below. */
class Faults implements FaultyKernel {
  readonly name: string;
  readonly #inner: Kernel;
  readonly #counters: readonly Counter[];
  #fired = 0;

  constructor(inner: Kernel, list: readonly Fault[]) {
    this.name = `faults(${inner.name})`;
    this.#inner = inner;
    this.#counters = list.map(counterOf);
  }

  get fired(): number {
    return this.#fired;
  }

  /** Count a call; the negative error number if it shall fail, else 0. */
  #due(call: FaultCall, request?: number): number {
    let errno = 0;
    for (const counter of this.#counters) {
      if (counter.fault.call !== call || (counter.request !== undefined && counter.request !== request)) continue;
      counter.seen++;
      if (counter.seen === counter.fault.nth && errno === 0) errno = -ERRNO[counter.fault.errno];
    }
    if (errno !== 0) this.#fired++;
    return errno;
  }

  open(path: string, flags: number): number {
    return this.#due("open") || this.#inner.open(path, flags);
  }

  close(fd: number): number {
    return this.#due("close") || this.#inner.close(fd);
  }

  adopt(fd: number): number {
    return this.#inner.adopt?.(fd) ?? -ERRNO.EBADF;
  }

  disown(fd: number): number {
    return this.#inner.disown?.(fd) ?? -ERRNO.EBADF;
  }

  ioctl(fd: number, request: number, argument: Block | number): number {
    return this.#due("ioctl", request) || this.#inner.ioctl(fd, request, argument);
  }

  read(fd: number, into: Block, length: number): number {
    return this.#due("read") || this.#inner.read(fd, into, length);
  }

  write(fd: number, from: Block, length: number): number {
    return this.#due("write") || this.#inner.write(fd, from, length);
  }

  pread(fd: number, into: Block, length: number, offset: number): number {
    return this.#due("pread") || this.#inner.pread(fd, into, length, offset);
  }

  pwrite(fd: number, from: Block, length: number, offset: number): number {
    return this.#due("pwrite") || this.#inner.pwrite(fd, from, length, offset);
  }

  mmap(at: bigint, length: number, prot: number, flags: number, fd: number, offset: number): bigint {
    return BigInt(this.#due("mmap")) || this.#inner.mmap(at, length, prot, flags, fd, offset);
  }

  munmap(at: bigint, length: number): number {
    return this.#due("munmap") || this.#inner.munmap(at, length);
  }

  view(at: bigint, length: number): Uint8Array {
    return this.#inner.view(at, length);
  }

  block(length: number): Block {
    if (this.#due("block") !== 0) throw new RangeError(`Cannot allocate an argument block of ${length} bytes: a fault was asked for`);
    return this.#inner.block(length);
  }

  eventfd(initial: number, flags: number): number {
    return this.#due("eventfd") || this.#inner.eventfd(initial, flags);
  }

  memfd(name: string, length: number): number {
    return this.#due("memfd") || this.#inner.memfd(name, length);
  }

  wait(fd: number, signal?: AbortSignal): Promise<number> {
    const errno = this.#due("wait");
    return errno === 0 ? this.#inner.wait(fd, signal) : Promise.resolve(errno);
  }

  relax(): void {
    this.#inner.relax();
  }

  list(path: string): string[] | number {
    return this.#due("list") || this.#inner.list(path);
  }

  readlink(path: string): string | number {
    return this.#due("readlink") || this.#inner.readlink(path);
  }

  readFile(path: string): Uint8Array | number {
    return this.#due("readFile") || this.#inner.readFile(path);
  }

  [Symbol.dispose](): void {
    this.#inner[Symbol.dispose]();
  }
}

/**
 * A kernel that passes every call on to `inner`, except those that the list says shall fail: they answer the error and do nothing. `block`
 * throws its RangeError instead.
 *
 * @throws {RangeError} for an `nth` below 1
 * @throws {TypeError} for an error or a request that does not exist
 *
 * @example
 * ```ts
 * import { faults } from "./mod.ts";
 * import { UnsupportedKernel } from "../../uapi/kernel.ts";
 *
 * const kernel = faults(new UnsupportedKernel(), [{ call: "open", nth: 2, errno: "EMFILE" }]);
 * kernel.open("/dev/iommu", 2); // -2: the kernel's own answer
 * kernel.open("/dev/iommu", 2); // -24
 * ```
 */
export function faults(inner: Kernel, list: readonly Fault[]): FaultyKernel {
  return new Faults(inner, list);
}
