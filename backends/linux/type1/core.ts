/**
 * The core as a shadow: it decides about objects, ids and IOVAs as iommufd does, and never sees memory of the program.
 *
 * @module
 */
import type { BootConfig, CoreInstance } from "../../../core-wasm/mod.ts";
import { MAP_ANONYMOUS, MAP_PRIVATE, PROT_READ, PROT_WRITE } from "../../../uapi/kernel.ts";

/** What is used of the core. Results below 0 are −errno. */
export interface ShadowCore {
  add_group(): number;
  add_device(group: number, requester: number, flags: number): number;
  add_reserved(device: number, start: bigint, last: bigint, kind: number): number;
  set_remote_aperture(last: bigint): void;
  open_iommufd(): number;
  open_device(device: number): number;
  close(fd: number): number;
  ioctl(fd: number, request: number, argument: bigint): number;
  eventfd(initial: number, flags: number): number;
  mmap(at: bigint, length: number, prot: number, flags: number, fd: number, offset: number): bigint;
  munmap(at: bigint, length: number): number;
  view(at: bigint, length: number): number;
  /** open files, objects, pinned pages. */
  usage(count: number): number;
  /** Violated invariants, a line each. */
  check(): string | undefined;
}

/** Room for areas: 65,535 mappings, which is type1's own limit, need less than 16 MiB. Memory is taken when it is touched. */
const HEAP_BYTES = 64 * 2 ** 20;
/** Room for requests and for the top tables of page tables, which stay empty. */
const RAM_BYTES = 16 * 2 ** 20;
/** The longest struct that a request may have; nobody knows more than 48 bytes of one. */
const STRUCT_MAX = 65536;
/** `close` sets it with the device whose fd went away. */
const HOST_BITS = 0x2000_0000;

const CONFIG: BootConfig = {
  iommu: "remote",
  levels: 4,
  singleOpen: true,
  groupIoas: "linux",
  // Memory is pinned below, and accounted there.
  memlock: undefined,
  // No device without an IOMMU gets here, so that there is nothing to be told.
  rawIo: true,
  // Each file has one of the kernel below, which has a limit.
  openFiles: 2 ** 31,
};

const NO_BYTES = new Uint8Array(0);

/** See the module. */
export class Shadow {
  /** The core. */
  readonly core: ShadowCore;
  /** The struct of the request that was asked last, as the core left it. */
  answer: DataView = new DataView(new ArrayBuffer(0));
  #memory: WebAssembly.Memory;
  #room: Uint8Array;
  #room64: DataView;
  /** Behind the room there is nothing, so that the core refuses a struct that is longer than the bytes given. */
  #end: bigint;
  #answered: Uint8Array = NO_BYTES;
  #foreign = -1;

  /** Start a core. @throws {RangeError} if the runtime does not give its memory. */
  constructor(instance: CoreInstance) {
    this.core = instance.boot(HEAP_BYTES, RAM_BYTES, CONFIG) as unknown as ShadowCore;
    this.#memory = instance.memory;
    const start = this.core.mmap(0n, STRUCT_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start < 0n) throw new RangeError("Cannot start the core: it has no memory for requests");
    this.#room = new Uint8Array(instance.memory.buffer, this.core.view(start, STRUCT_MAX), STRUCT_MAX);
    this.#room64 = new DataView(this.#room.buffer, this.#room.byteOffset, STRUCT_MAX);
    this.#end = start + BigInt(STRUCT_MAX);
  }

  /**
   * One request. The caller's bytes stay as they are; {@linkcode Shadow.answer} has them as the core changed them, until the next request.
   *
   * @param bytes the struct, as much of it as can be read; undefined: nothing can.
   * @param patch changes the struct before the core sees it.
   */
  ask(fd: number, request: number, bytes: Uint8Array | undefined, patch?: (view: DataView) => void): number {
    if (bytes === undefined) return this.core.ioctl(fd, request, 0n);
    const length = Math.min(bytes.length, STRUCT_MAX);
    const at = STRUCT_MAX - length;
    this.#room.set(length === bytes.length ? bytes : bytes.subarray(0, length), at);
    this.#answered = this.#room.subarray(at);
    this.answer = new DataView(this.#room64.buffer, this.#room64.byteOffset + at, length);
    patch?.(this.answer);
    return this.core.ioctl(fd, request, this.#end - BigInt(length));
  }

  /** Give the caller's struct what the core answered. */
  commit(bytes: Uint8Array): void {
    bytes.set(this.#answered);
  }

  /** Memory of the core for what a pointer of a request reaches, filled with `bytes`. Undefined if there is no room. */
  lend(bytes: Uint8Array): { readonly address: bigint; readonly bytes: Uint8Array; [Symbol.dispose](): void } | undefined {
    const length = Math.max(bytes.length, 1);
    const address = this.core.mmap(0n, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (address < 0n) return undefined;
    const memory = new Uint8Array(this.#memory.buffer, this.core.view(address, length), bytes.length);
    memory.set(bytes);
    return { address, bytes: memory, [Symbol.dispose]: () => void this.core.munmap(address, length) };
  }

  /** Close a file of the core. */
  close(fd: number): number {
    const result = this.core.close(fd);
    return result >= HOST_BITS ? 0 : result;
  }

  /** A file of the core that stands for every file of the program that is none of iommufd or VFIO. −errno if there is no room. */
  get foreign(): number {
    if (this.#foreign < 0) this.#foreign = this.core.eventfd(0, 0);
    return this.#foreign;
  }
}
