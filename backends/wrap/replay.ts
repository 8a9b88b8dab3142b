/**
 * Answers for a kernel from a recording.
 *
 * @module
 */
import { ERRNO } from "../../uapi/errno.ts";
import type { Block, Kernel } from "../../uapi/kernel.ts";
import { ioctlCall, mmapArgs, rangeArgs, readArgs, writeArgs } from "./args.ts";
import { describeCall } from "./describe.ts";
import { ReplayMemory } from "./replay_memory.ts";
import { type CallName, fromHex, TRACE_VERSION, type TraceArgs, type TraceEntry, type TraceHeader } from "./trace.ts";

/** A program asked something else than the recording says. */
export class ReplayError extends Error {
  /** Number of the call, from 1: its line in the trace, the header not counted. */
  readonly call: number;
  /** The recorded call in words; `"the end of the trace"` behind its last. */
  readonly expected: string;
  /** The program's call in words. */
  readonly got: string;

  /** Say which call differs and how. */
  constructor(call: number, expected: string, got: string) {
    super(`Call ${call} differs from the recording: expected ${expected}, got ${got}`);
    this.name = "ReplayError";
    this.call = call;
    this.expected = expected;
    this.got = got;
  }
}

/** A kernel that answers from a recording. */
export interface ReplayKernel extends Kernel {
  /** Calls of the recording that were not made yet: 0 when a program did all that was recorded. */
  readonly remaining: number;
}

interface Waiting {
  readonly resolve: (result: number) => void;
  readonly signal: AbortSignal | undefined;
}

function parse(lines: Iterable<string>): { header: TraceHeader; entries: TraceEntry[] } {
  const [first, ...rest] = [...lines].filter((line) => line.trim() !== "");
  const header = JSON.parse(first ?? "null") as TraceHeader | null;
  if (header?.trace !== "iommufd") throw new SyntaxError("Cannot replay: this is no trace, its first line is not a trace's header");
  if (header.version !== TRACE_VERSION) {
    throw new SyntaxError(`Cannot replay: the trace has version ${header.version}, this code reads version ${TRACE_VERSION}`);
  }
  return { header, entries: rest.map((line) => JSON.parse(line) as TraceEntry) };
}

/** See {@linkcode replay}. */
class Replay implements ReplayKernel {
  readonly name: string;
  readonly #entries: readonly TraceEntry[];
  readonly #memory: ReplayMemory;
  readonly #waiting = new Map<number, Waiting>();
  readonly #look = (at: bigint, length: number): Uint8Array => this.#memory.view(at, length);
  #position = 0;
  /** How often the current `relax` of the recording was answered. */
  #relaxed = 0;

  constructor(lines: Iterable<string>) {
    const { header, entries } = parse(lines);
    this.name = `replay(${header.kernel})`;
    this.#entries = entries;
    this.#memory = new ReplayMemory(entries);
  }

  get remaining(): number {
    return this.#entries.length - this.#position;
  }

  #differs(call: CallName, args: TraceArgs): never {
    const expected = this.#entries[this.#position];
    throw new ReplayError(this.#position + 1, expected ? describeCall(expected) : "the end of the trace", describeCall({ call, args }));
  }

  #advance(entry: TraceEntry): void {
    this.#position++;
    this.#memory.apply(entry.memory ?? []);
    // Not at once: what the recording found changed when a wait ended, a caller that has not yielded since must not see.
    queueMicrotask(() => this.#wake());
  }

  /** The recorded answer to a call. */
  #take(call: CallName, args: TraceArgs): TraceEntry {
    this.#wake();
    const entry = this.#entries[this.#position];
    if (entry?.call !== call || JSON.stringify(entry.args) !== JSON.stringify(args)) this.#differs(call, args);
    return entry;
  }

  /** Resolve the waits that the recording resolves here. */
  #wake(): void {
    for (;;) {
      const entry = this.#entries[this.#position];
      const waiting = entry?.call === "woke" ? this.#waiting.get(entry.id!) : undefined;
      if (!entry || !waiting) return;
      const { signal, resolve } = waiting;
      if (entry.result === -ERRNO.EINTR && signal && !signal.aborted) return;
      this.#waiting.delete(entry.id!);
      this.#advance(entry);
      resolve(Number(entry.result));
    }
  }

  #answer(call: CallName, args: TraceArgs, into?: Uint8Array): number {
    const entry = this.#take(call, args);
    if (entry.out !== undefined) into?.set(fromHex(entry.out));
    this.#advance(entry);
    return Number(entry.result);
  }

  open(path: string, flags: number): number {
    return this.#answer("open", { path, flags });
  }

  close(fd: number): number {
    const result = this.#answer("close", { fd });
    if (result >= 0) this.#memory.close(fd);
    return result;
  }

  adopt(fd: number): number {
    return this.#answer("adopt", { fd });
  }

  disown(fd: number): number {
    return this.#answer("disown", { fd });
  }

  ioctl(fd: number, request: number, argument: Block | number): number {
    const { args, bytes, pointed } = ioctlCall(this.#look, fd, request, argument);
    const entry = this.#take("ioctl", args);
    for (const { field, address } of pointed) {
      const content = entry.pointed?.[field];
      if (content !== undefined) this.#memory.apply([{ at: `0x${address.toString(16)}`, bytes: content }]);
    }
    if (entry.out !== undefined) bytes?.set(fromHex(entry.out));
    this.#advance(entry);
    return Number(entry.result);
  }

  read(fd: number, into: Block, length: number): number {
    return this.#answer("read", readArgs(fd, length), into.bytes);
  }

  write(fd: number, from: Block, length: number): number {
    return this.#answer("write", writeArgs(fd, from, length));
  }

  pread(fd: number, into: Block, length: number, offset: number): number {
    return this.#answer("pread", readArgs(fd, length, offset), into.bytes);
  }

  pwrite(fd: number, from: Block, length: number, offset: number): number {
    return this.#answer("pwrite", writeArgs(fd, from, length, offset));
  }

  mmap(at: bigint, length: number, prot: number, flags: number, fd: number, offset: number): bigint {
    const entry = this.#take("mmap", mmapArgs(at, length, prot, flags, fd, offset));
    const result = BigInt(String(entry.result));
    if (result >= 0n) this.#memory.map(result, length, prot, flags, fd, offset);
    this.#advance(entry);
    return result;
  }

  munmap(at: bigint, length: number): number {
    const result = this.#answer("munmap", rangeArgs(at, length));
    if (result >= 0) this.#memory.unmap(at, length);
    return result;
  }

  /** A recording holds a `view` only where the range was looked at for the first time; any other is answered without it. */
  view(at: bigint, length: number): Uint8Array {
    const args = rangeArgs(at, length);
    const next = this.#entries.slice(this.#position, this.#position + 1 + this.#waiting.size).find(({ call }) => call !== "woke");
    if (next?.call === "view" && JSON.stringify(next.args) === JSON.stringify(args)) this.#advance(this.#take("view", args));
    return this.#memory.view(at, length);
  }

  block(length: number): Block {
    const entry = this.#take("block", { length });
    this.#advance(entry);
    if (typeof entry.result !== "string") {
      throw new RangeError(`Cannot allocate an argument block of ${length} bytes: the recorded kernel had no memory left`);
    }
    return this.#memory.block(BigInt(entry.result), length);
  }

  eventfd(initial: number, flags: number): number {
    return this.#answer("eventfd", { initial, flags });
  }

  memfd(name: string, length: number): number {
    const result = this.#answer("memfd", { name, length });
    if (result >= 0) this.#memory.memfd(result, length);
    return result;
  }

  wait(fd: number, signal?: AbortSignal): Promise<number> {
    const entry = this.#take("wait", { fd });
    return new Promise((resolve) => {
      this.#waiting.set(entry.id!, { resolve, signal });
      signal?.addEventListener("abort", () => this.#wake(), { once: true });
      this.#advance(entry);
    });
  }

  relax(): void {
    const entry = this.#take("relax", {});
    this.#relaxed++;
    if (this.#relaxed < (entry.times ?? 1)) return;
    this.#relaxed = 0;
    this.#advance(entry);
  }

  list(path: string): string[] | number {
    const entry = this.#take("list", { path });
    this.#advance(entry);
    return typeof entry.result === "number" ? entry.result : [...(entry.result as readonly string[])];
  }

  readlink(path: string): string | number {
    const entry = this.#take("readlink", { path });
    this.#advance(entry);
    return entry.result as string | number;
  }

  readFile(path: string): Uint8Array | number {
    const entry = this.#take("readFile", { path });
    this.#advance(entry);
    return entry.out === undefined ? Number(entry.result) : fromHex(entry.out);
  }

  [Symbol.dispose](): void {}
}

/**
 * A kernel that answers from the lines of a trace (see {@linkcode TraceEntry}): a program that was recorded runs on it without the kernel.
 *
 * Addresses, file descriptors, answers, and what devices wrote into memory are those of the recording. The program must make the same calls
 * with the same bytes in the same order; `view` and disposal are free. The first difference throws a {@linkcode ReplayError}, the only
 * exception to the rule that calls of a kernel never throw: it is a fault of the test, not an answer.
 *
 * A wait that the recording ended by its signal resolves once the program aborts.
 *
 * @throws {SyntaxError} if the lines are no trace, or one of another version
 */
export function replay(lines: Iterable<string>): ReplayKernel {
  return new Replay(lines);
}
