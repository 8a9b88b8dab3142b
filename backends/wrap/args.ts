/**
 * Calls as they stand in a trace: recording and replay both make them here, so that equal calls give equal texts.
 *
 * @module
 */
import type { Block, Kernel } from "../../uapi/kernel.ts";
import { argumentLength, type Pointed, pointedMemory } from "../../uapi/pointed.ts";
import { addressText, toHex, type TraceArgs } from "./trace.ts";

/** Where the bytes of an address are found: a kernel, or a replay's memory. */
export type Look = Pick<Kernel, "view">["view"];

/** A request with the bytes it had before the call. */
export interface IoctlCall {
  /** What stands in the trace. */
  readonly args: TraceArgs;
  /** The bytes of the block that belong to the request, live; absent for a plain number. */
  readonly bytes?: Uint8Array;
  /** What its pointers reach. */
  readonly pointed: readonly Pointed[];
}

/** The memory behind the pointers that can be looked at, by field. */
function pointedBytes(pointed: readonly Pointed[], look: Look, side: "in" | "out"): Record<string, string> {
  const found: Record<string, string> = {};
  for (const { field, address, length, data } of pointed) {
    const bytes = data === side || data === "inout" ? look(address, length) : undefined;
    if (bytes !== undefined && bytes.byteLength === length) found[field] = toHex(bytes);
  }
  return found;
}

/** A request before the call. */
export function ioctlCall(look: Look, fd: number, request: number, argument: Block | number): IoctlCall {
  const common = { fd, request: `0x${request.toString(16)}` };
  if (typeof argument === "number") return { args: { ...common, argument }, pointed: [] };
  const bytes = argument.bytes.subarray(0, argumentLength(request, argument.bytes));
  const pointed = pointedMemory(request, bytes);
  const given = pointedBytes(pointed, look, "in");
  const args = { ...common, argument: toHex(bytes), ...(Object.keys(given).length > 0 ? { pointed: given } : {}) };
  return { args, bytes, pointed };
}

/** What a request wrote, after the call. */
export function ioctlAnswer({ args, bytes, pointed }: IoctlCall, look: Look): { out?: string; pointed?: Record<string, string> } {
  const out = bytes && toHex(bytes);
  const answered = pointedBytes(pointed, look, "out");
  return {
    ...(out !== undefined && out !== args.argument ? { out } : {}),
    ...(Object.keys(answered).length > 0 ? { pointed: answered } : {}),
  };
}

/** `read` and `pread` without `offset`. */
export function readArgs(fd: number, length: number, offset?: number): TraceArgs {
  return offset === undefined ? { fd, length } : { fd, length, offset };
}

/** `write` and `pwrite` with the bytes that they write. */
export function writeArgs(fd: number, from: Block, length: number, offset?: number): TraceArgs {
  const bytes = toHex(from.bytes.subarray(0, length));
  return offset === undefined ? { fd, length, bytes } : { fd, length, offset, bytes };
}

/** `mmap`. */
export function mmapArgs(at: bigint, length: number, prot: number, flags: number, fd: number, offset: number): TraceArgs {
  return { at: addressText(at), length, prot, flags, fd, offset };
}

/** `munmap` and `view`. */
export function rangeArgs(at: bigint, length: number): TraceArgs {
  return { at: addressText(at), length };
}
