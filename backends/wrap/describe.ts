/**
 * Calls of a trace in words: one line each, for strace and for the errors of a replay.
 *
 * @module
 */
import { decodeArray, decodeRequest, formatArray, formatFields } from "../../uapi/decode.ts";
import { errnoMeaning, errnoName } from "../../uapi/errno.ts";
import * as kernel from "../../uapi/kernel.ts";
import { pointedMemory } from "../../uapi/pointed.ts";
import { fromHex, type TraceArgs, type TraceEntry } from "./trace.ts";

/** Bytes of a buffer that a line shows. */
const BYTES_MAX = 16;
const REGION = 2 ** 40;

const NAMES: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  open: { RDWR: kernel.O_RDWR, CLOEXEC: kernel.O_CLOEXEC },
  prot: { READ: kernel.PROT_READ, WRITE: kernel.PROT_WRITE },
  map: {
    SHARED: kernel.MAP_SHARED,
    PRIVATE: kernel.MAP_PRIVATE,
    FIXED: kernel.MAP_FIXED,
    ANONYMOUS: kernel.MAP_ANONYMOUS,
    NORESERVE: kernel.MAP_NORESERVE,
    POPULATE: kernel.MAP_POPULATE,
    HUGETLB: kernel.MAP_HUGETLB,
    FIXED_NOREPLACE: kernel.MAP_FIXED_NOREPLACE,
  },
  eventfd: { SEMAPHORE: kernel.EFD_SEMAPHORE, NONBLOCK: kernel.EFD_NONBLOCK, CLOEXEC: kernel.EFD_CLOEXEC },
};

function bits(value: number, names: Readonly<Record<string, number>>): string {
  const found = Object.entries(names).filter(([, bit]) => (value & bit) !== 0);
  const rest = found.reduce((left, [, bit]) => left & ~bit, value);
  const parts = found.map(([name]) => name);
  if (rest !== 0 || parts.length === 0) parts.push(rest === 0 ? "0" : `0x${rest.toString(16)}`);
  return parts.join("|");
}

function bytesText(hex: string): string {
  const shown = hex.slice(0, 2 * BYTES_MAX).replace(/..(?=.)/g, "$& ");
  return `[${shown}${hex.length > 2 * BYTES_MAX ? " …" : ""}]`;
}

/** Regions of a device lie 2^40 bytes apart. */
function place(offset: number): string {
  return `region ${Math.floor(offset / REGION)} + 0x${(offset % REGION).toString(16)}`;
}

function pointedText(entry: TraceEntry, bytes: Uint8Array, side: "in" | "out"): string {
  const contents = (side === "in" ? entry.args.pointed : entry.pointed) as Readonly<Record<string, string>> | undefined;
  return pointedMemory(Number(entry.args.request), bytes).flatMap(({ field, of }) => {
    const content = contents?.[field];
    if (content === undefined) return [];
    return [`, *${field}=${of ? formatArray(decodeArray(of, fromHex(content))) : bytesText(content)}`];
  }).join("");
}

function ioctlText({ args }: TraceEntry, entry: TraceEntry): string {
  const request = Number(args.request);
  if (typeof args.argument !== "string") return `${args.fd}, ${decodeRequest(request, new Uint8Array(0)).request}, ${args.argument}`;
  const bytes = fromHex(args.argument);
  const decoded = decodeRequest(request, bytes);
  if (decoded.argument === undefined && args.argument === "") return `${args.fd}, ${decoded.request}`;
  const text = decoded.argument ? `{${formatFields(decoded, "in")}${pointedText(entry, bytes, "in")}}` : bytesText(args.argument);
  return `${args.fd}, ${decoded.request}, ${text}`;
}

function mmapText({ at, length, prot, flags, fd, offset }: TraceArgs): string {
  return `${at}, ${length}, ${bits(Number(prot), NAMES.prot!)}, ${bits(Number(flags), NAMES.map!)}, ${fd}, ${offset}`;
}

function argsText(entry: TraceEntry): string {
  const { call, args } = entry;
  switch (call) {
    case "open":
      return `"${args.path}", ${bits(Number(args.flags), NAMES.open!)}`;
    case "ioctl":
      return ioctlText(entry, entry);
    case "read":
      return `${args.fd}, ${args.length} bytes`;
    case "write":
      return `${args.fd}, ${bytesText(String(args.bytes))}`;
    case "pread":
      return `${args.fd}, ${args.length} bytes, ${place(Number(args.offset))}`;
    case "pwrite":
      return `${args.fd}, ${bytesText(String(args.bytes))}, ${place(Number(args.offset))}`;
    case "mmap":
      return mmapText(args);
    case "eventfd":
      return `${args.initial}, ${bits(Number(args.flags), NAMES.eventfd!)}`;
    case "memfd":
      return `"${args.name}", ${args.length}`;
    case "list":
    case "readlink":
    case "readFile":
      return `"${args.path}"`;
    default:
      return Object.values(args).join(", ");
  }
}

/** A call and its arguments: `ioctl(3, IOAS_ALLOC, {flags=0})`. */
export function describeCall(entry: TraceEntry): string {
  return `${entry.call}(${argsText(entry)})`;
}

function answerText(entry: TraceEntry): string {
  if (entry.call !== "ioctl") return entry.out === undefined ? "" : ` ${bytesText(entry.out)}`;
  if (typeof entry.args.argument !== "string" || (entry.out === undefined && entry.pointed === undefined)) return "";
  const request = Number(entry.args.request);
  const before = fromHex(entry.args.argument);
  const decoded = decodeRequest(request, entry.out === undefined ? before : fromHex(entry.out));
  if (!decoded.argument) return entry.out === undefined ? "" : ` ${bytesText(entry.out)}`;
  return ` {${formatFields(decoded, "out")}${pointedText(entry, before, "out")}}`.replace("{, ", "{");
}

/** What a call answered: `0 {out_ioas_id=1}`, `-EBUSY (in use)`; empty for a call that answers nothing. */
export function describeResult(entry: TraceEntry): string {
  const { result } = entry;
  if (result === undefined) return "";
  if (typeof result === "number" && result < 0) return `-${errnoName(result)} (${errnoMeaning(result)})${answerText(entry)}`;
  if (typeof result === "object") return `[${result.join(", ")}]`;
  if (entry.call === "readlink") return `"${result}"`;
  return `${result}${answerText(entry)}`;
}
