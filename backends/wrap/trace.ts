/**
 * The format of a trace: one JSON object a line, the header first. Version 1.
 *
 * ```text
 * {"trace":"iommufd","version":1,"kernel":"simulated"}
 * {"call":"open","args":{"path":"/dev/iommu","flags":524290},"result":3}
 * {"call":"ioctl","args":{"fd":3,"request":"0x3b81","argument":"0c0000000000000000000000"},"result":0,"out":"0c0000000000000001000000"}
 * ```
 *
 * - `call` names a call of {@linkcode Kernel}, `args` are its arguments and everything that the kernel reads through them: a block as its
 *   bytes, and under `pointed` the memory that pointers in it reach.
 * - `result` is what the call answered; `out` the bytes that it wrote into its block, absent if none changed; `pointed` what it wrote
 *   through pointers.
 * - `memory` lists what changed in memory that the caller looks at through `view`, since the entry before.
 * - `wait` takes two entries: `wait` when it begins, and `woke` with the same `id` when it resolves.
 * - `relax` without changes is counted in `times`. `view` appears when a range is looked at for the first time.
 * - Bytes are hexadecimal, addresses `"0x…"`; numbers are decimal.
 *
 * @module
 */

/** The version that this code writes and reads. */
export const TRACE_VERSION = 1;

/** The first line of a trace. */
export interface TraceHeader {
  /** What this file is. */
  readonly trace: "iommufd";
  /** Version of the format. */
  readonly version: number;
  /** Name of the kernel that was recorded. */
  readonly kernel: string;
}

/** The calls that appear in a trace. */
export type CallName =
  | "open"
  | "close"
  | "adopt"
  | "disown"
  | "ioctl"
  | "read"
  | "write"
  | "pread"
  | "pwrite"
  | "mmap"
  | "munmap"
  | "view"
  | "block"
  | "eventfd"
  | "memfd"
  | "wait"
  | "woke"
  | "relax"
  | "list"
  | "readlink"
  | "readFile";

/** Arguments of a call as they stand in a trace. */
export type TraceArgs = Readonly<Record<string, string | number | Readonly<Record<string, string>>>>;

/** Bytes that changed. */
export interface MemoryChange {
  /** Address of the first byte. */
  readonly at: string;
  /** The new bytes. */
  readonly bytes: string;
}

/** One line of a trace behind the header. */
export interface TraceEntry {
  /** The call. */
  readonly call: CallName;
  /** Its arguments. */
  readonly args: TraceArgs;
  /** What it answered; absent where it answers nothing. */
  readonly result?: number | string | readonly string[];
  /** What it wrote into its block, or a file's content. */
  readonly out?: string;
  /** What it wrote through pointers, by field. */
  readonly pointed?: Readonly<Record<string, string>>;
  /** What changed in memory that the caller looks at. */
  readonly memory?: readonly MemoryChange[];
  /** How often a `relax` without changes came in a row; absent for once. */
  readonly times?: number;
  /** Joins a `wait` with its `woke`. */
  readonly id?: number;
}

const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** Bytes as hexadecimal digits. */
export function toHex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += HEX[byte];
  return text;
}

/** Hexadecimal digits as bytes. @throws {SyntaxError} for anything else */
export function fromHex(text: string): Uint8Array<ArrayBuffer> {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/.test(text)) {
    throw new SyntaxError(`Cannot read the bytes of a trace: "${text.slice(0, 32)}" is not hexadecimal`);
  }
  return Uint8Array.from({ length: text.length / 2 }, (_, index) => parseInt(text.slice(2 * index, 2 * index + 2), 16));
}

/** An address as it stands in a trace. */
export function addressText(address: bigint): string {
  return `0x${address.toString(16)}`;
}
