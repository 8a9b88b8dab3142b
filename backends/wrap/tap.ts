/**
 * A kernel that passes every call on and tells of each in the words of a trace: what recording and strace share.
 *
 * @module
 */
import { ERRNO } from "../../uapi/errno.ts";
import { type Block, type Kernel, MAP_FIXED } from "../../uapi/kernel.ts";
import { ioctlAnswer, ioctlCall, mmapArgs, rangeArgs, readArgs, writeArgs } from "./args.ts";
import type { MemoryWatch } from "./memory_watch.ts";
import { addressText, type CallName, toHex, type TraceArgs, type TraceEntry } from "./trace.ts";

const PAGE = 4096n;

function pages(length: number): bigint {
  return (BigInt(length) + PAGE - 1n) / PAGE * PAGE;
}

/** What a tap needs to know. */
export interface TapOptions {
  /** What the kernel is called. */
  readonly name: string;
  /** Told of each call once it has answered. */
  readonly emit: (entry: TraceEntry) => void;
  /** Looks for changes of memory at the end of the calls in `scanAt`. Absent: nobody looks. */
  readonly watch?: MemoryWatch;
  /** The calls at whose end memory is compared. */
  readonly scanAt?: ReadonlySet<CallName>;
  /** Called last on disposal. */
  readonly finish?: () => void;
}

/** See the module. Blocks and views are those of the kernel below, so their memory stays the same memory. */
export class TappedKernel implements Kernel {
  readonly name: string;
  readonly #inner: Kernel;
  readonly #options: TapOptions;
  readonly #look = (at: bigint, length: number): Uint8Array => this.#inner.view(at, length);
  #waits = 0;

  constructor(inner: Kernel, options: TapOptions) {
    this.name = options.name;
    this.#inner = inner;
    this.#options = options;
  }

  #tell(call: CallName, args: TraceArgs, rest: Omit<TraceEntry, "call" | "args">): void {
    const { watch, scanAt, emit } = this.#options;
    const memory = watch && scanAt?.has(call) ? watch.changes() : [];
    emit({ call, args, ...rest, ...(memory.length > 0 ? { memory } : {}) });
  }

  #numbered(call: CallName, args: TraceArgs, result: number): number {
    this.#tell(call, args, { result });
    return result;
  }

  open(path: string, flags: number): number {
    return this.#numbered("open", { path, flags }, this.#inner.open(path, flags));
  }

  close(fd: number): number {
    return this.#numbered("close", { fd }, this.#inner.close(fd));
  }

  adopt(fd: number): number {
    return this.#numbered("adopt", { fd }, this.#inner.adopt?.(fd) ?? -ERRNO.EBADF);
  }

  disown(fd: number): number {
    return this.#numbered("disown", { fd }, this.#inner.disown?.(fd) ?? -ERRNO.EBADF);
  }

  ioctl(fd: number, request: number, argument: Block | number): number {
    const call = ioctlCall(this.#look, fd, request, argument);
    const result = this.#inner.ioctl(fd, request, argument);
    this.#tell("ioctl", call.args, { result, ...ioctlAnswer(call, this.#look) });
    return result;
  }

  #received(call: CallName, args: TraceArgs, result: number, into: Block): number {
    this.#tell(call, args, { result, ...(result > 0 ? { out: toHex(into.bytes.subarray(0, result)) } : {}) });
    return result;
  }

  read(fd: number, into: Block, length: number): number {
    return this.#received("read", readArgs(fd, length), this.#inner.read(fd, into, length), into);
  }

  write(fd: number, from: Block, length: number): number {
    return this.#numbered("write", writeArgs(fd, from, length), this.#inner.write(fd, from, length));
  }

  pread(fd: number, into: Block, length: number, offset: number): number {
    return this.#received("pread", readArgs(fd, length, offset), this.#inner.pread(fd, into, length, offset), into);
  }

  pwrite(fd: number, from: Block, length: number, offset: number): number {
    return this.#numbered("pwrite", writeArgs(fd, from, length, offset), this.#inner.pwrite(fd, from, length, offset));
  }

  mmap(at: bigint, length: number, prot: number, flags: number, fd: number, offset: number): bigint {
    const result = this.#inner.mmap(at, length, prot, flags, fd, offset);
    if (result >= 0n && (flags & MAP_FIXED) !== 0) this.#options.watch?.remove(result, pages(length));
    this.#tell("mmap", mmapArgs(at, length, prot, flags, fd, offset), { result: result < 0n ? Number(result) : addressText(result) });
    return result;
  }

  munmap(at: bigint, length: number): number {
    const result = this.#inner.munmap(at, length);
    if (result >= 0) this.#options.watch?.remove(at, pages(length));
    return this.#numbered("munmap", rangeArgs(at, length), result);
  }

  view(at: bigint, length: number): Uint8Array {
    const bytes = this.#inner.view(at, length);
    if (this.#options.watch?.add(at, bytes)) this.#tell("view", rangeArgs(at, length), {});
    return bytes;
  }

  block(length: number): Block {
    try {
      const block = this.#inner.block(length);
      this.#tell("block", { length }, { result: addressText(block.address) });
      return block;
    } catch (error) {
      if (error instanceof RangeError) this.#tell("block", { length }, { result: -ERRNO.ENOMEM });
      throw error;
    }
  }

  eventfd(initial: number, flags: number): number {
    return this.#numbered("eventfd", { initial, flags }, this.#inner.eventfd(initial, flags));
  }

  memfd(name: string, length: number): number {
    return this.#numbered("memfd", { name, length }, this.#inner.memfd(name, length));
  }

  wait(fd: number, signal?: AbortSignal): Promise<number> {
    const id = ++this.#waits;
    const waiting = this.#inner.wait(fd, signal);
    this.#tell("wait", { fd }, { id });
    return waiting.then((result) => {
      this.#tell("woke", { fd }, { id, result });
      return result;
    });
  }

  relax(): void {
    this.#inner.relax();
    this.#tell("relax", {}, {});
  }

  list(path: string): string[] | number {
    const result = this.#inner.list(path);
    this.#tell("list", { path }, { result });
    return result;
  }

  readlink(path: string): string | number {
    const result = this.#inner.readlink(path);
    this.#tell("readlink", { path }, { result });
    return result;
  }

  readFile(path: string): Uint8Array | number {
    const result = this.#inner.readFile(path);
    this.#tell("readFile", { path }, typeof result === "number" ? { result } : { result: result.byteLength, out: toHex(result) });
    return result;
  }

  [Symbol.dispose](): void {
    this.#inner[Symbol.dispose]();
    this.#options.finish?.();
  }
}
