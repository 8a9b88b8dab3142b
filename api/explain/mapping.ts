/**
 * Why a mapping was refused: which value, which range and which alignment.
 *
 * @module
 */
import { ERRNO } from "../../uapi/errno.ts";
import { hex } from "../error.ts";
import { guess, kernelRelease, readText, size } from "./facts.ts";
import { pinningRefused } from "./memory.ts";
import { holeOf, overlap, show, showAll, type SpaceFacts, type Span, spanOf, whatIs } from "./ranges.ts";

/** What was to be mapped. */
export interface MapRequest {
  /** Bytes. */
  readonly length: bigint;
  /** The I/O address; undefined: a free one. */
  readonly iova: bigint | undefined;
  /** The address in the process; undefined for a file or a copy. */
  readonly address?: bigint;
  /** Whether devices were to read or write. */
  readonly hasAccess: boolean;
  /** The part of a file, and what the file has. */
  readonly file?: { readonly start: bigint; readonly length: number };
  /** The source of a copy. */
  readonly source?: { readonly iova: bigint; readonly facts: SpaceFacts };
}

const U64_LAST = 0xffff_ffff_ffff_ffffn;
/** Bytes in which a processor maps memory. */
const PAGE = 4096n;

/** What to say of a request to map that answered `result`; undefined if the machine tells nothing better than the table. */
export function explainMap(result: number, facts: SpaceFacts, request: MapRequest): string | undefined {
  const explain = EXPLANATIONS[-result];
  return explain && guess(() => explain(facts, request));
}

const EXPLANATIONS: Readonly<Record<number, (facts: SpaceFacts, request: MapRequest) => string | undefined>> = {
  [ERRNO.EINVAL]: wrongValue,
  [ERRNO.EEXIST]: mappedAlready,
  [ERRNO.ENOSPC]: noGap,
  [ERRNO.EOVERFLOW]: beyondTheEnd,
  [ERRNO.EFAULT]: notThere,
  [ERRNO.ENOMEM]: ({ kernel }, { length }) => pinningRefused(kernel, length),
  [ERRNO.ENOENT]: sourceHasHoles,
  [ERRNO.ENOTTY]: ({ kernel }, { file }) => file && older(kernel, "IOAS_MAP_FILE", "6.13"),
};

function wrongValue(facts: SpaceFacts, request: MapRequest): string | undefined {
  const { length, iova, address, file } = request;
  if (!request.hasAccess) return "Neither reading nor writing is allowed: set read, write or both.";
  if (length === 0n) return "The length is 0.";
  if (file !== undefined && file.start + length > BigInt(file.length)) {
    return `The file has ${hex(BigInt(file.length))} bytes, and ${hex(length)} from ${hex(file.start)} on go beyond them.`;
  }
  const { ranges, alignment } = facts.ranges();
  const misaligned = [["length", length], ["I/O address", iova]] as const;
  for (const [what, value] of misaligned) if (value !== undefined && value % alignment !== 0n) return unaligned(what, value, alignment);
  // Of an address in the process, the place in its page counts alone.
  const within = address ?? file?.start;
  const name = file === undefined ? "address of the memory" : "start in the file";
  if (within !== undefined && within % PAGE % alignment !== 0n) return unaligned(name, within, alignment < PAGE ? alignment : PAGE);
  const span = iova === undefined ? undefined : spanOf(iova, length);
  const hole = span && holeOf(ranges, span);
  if (span === undefined || hole === undefined) return undefined;
  return `Of ${show(span)} a part cannot be used: ${whatIs(facts, hole)}. Usable are ${showAll(ranges)}.`;
}

function unaligned(what: string, value: bigint, alignment: bigint): string {
  const next = (value / alignment + 1n) * alignment;
  return `The ${what} ${hex(value)} is no multiple of ${hex(alignment)}, as this IOAS needs: the next is ${hex(next)}.`;
}

function mappedAlready(facts: SpaceFacts, { iova, length }: MapRequest): string | undefined {
  const span = iova === undefined ? undefined : spanOf(iova, length);
  const buffer = span && facts.buffers(span)[0];
  if (buffer === undefined) return undefined;
  return `A DMA buffer lies at ${show(buffer)}: dispose it, take another IOVA, or leave iova out for a free one.`;
}

function noGap(facts: SpaceFacts, { length }: MapRequest): string {
  const { ranges } = facts.ranges();
  const usable = ranges.filter(({ start, last }) => last - start >= length - 1n);
  if (usable.length === 0) return `No usable range is as large as ${size(length)}: they are ${showAll(ranges)}.`;
  const confined = facts.allowed.length === 0 ? "" : `, of which allow() left ${showAll(facts.allowed)}`;
  return `No gap of ${size(length)} is free. Usable are ${showAll(ranges)}${confined}: unmap something, or allow more.`;
}

function beyondTheEnd(_facts: SpaceFacts, { length, iova, address, file, source }: MapRequest): string | undefined {
  const starts = [["the I/O address", iova], ["the address of the memory", address], ["the start in the file", file?.start]] as const;
  for (const [what, start] of [...starts, ["the I/O address in the source", source?.iova] as const]) {
    if (start !== undefined && start + length > U64_LAST) return `${capital(what)} ${hex(start)} plus ${hex(length)} goes beyond 2^64 − 1.`;
  }
  return length >= U64_LAST / 2n ? `No range is as long as ${hex(length)}.` : undefined;
}

function capital(text: string): string {
  return text[0]!.toUpperCase() + text.slice(1);
}

/** The process's mappings tell where its memory ends, and what may not be written. */
function notThere({ kernel }: SpaceFacts, { address, length }: MapRequest): string | undefined {
  if (address === undefined) return undefined;
  const span = spanOf(address, length);
  const maps = readText(kernel, "/proc/self/maps");
  if (span === undefined) return undefined;
  if (maps === undefined) {
    return kernel.view(address, Number(length)).length > 0 ? undefined : `The program has not mapped all of ${show(span)}.`;
  }
  const lines = maps.split("\n").map((line) => /^([0-9a-f]+)-([0-9a-f]+) (\S+)/.exec(line)).filter((match) => match !== null);
  const areas = lines.map(([, start, end, access]) => ({ start: BigInt(`0x${start}`), last: BigInt(`0x${end}`) - 1n, access: access! }));
  const hole = holeOf(areas, span);
  if (hole !== undefined) return `The program has mapped nothing at ${hex(hole.start > span.start ? hole.start : span.start)}.`;
  const area = areas.find((area) => overlap(area, span) && !area.access.startsWith("rw"));
  return area && `The program may not write its memory at ${show(area)} (${area.access}): map it with write: false, or other memory.`;
}

function sourceHasHoles(_facts: SpaceFacts, { source, length }: MapRequest): string | undefined {
  const span = source && spanOf(source.iova, length);
  if (source === undefined || span === undefined) return undefined;
  const buffers = source.facts.buffers(span);
  const hole = buffers.length === 0 ? undefined : holeOf(buffers, span);
  if (hole === undefined) return undefined;
  const at = hole.start > span.start ? hole.start : span.start;
  return `The source must be mapped without a gap over the whole range, and no buffer of it lies at ${hex(at)}.`;
}

/** A request that came with a later kernel. */
export function older(kernel: SpaceFacts["kernel"], request: string, since: string): string | undefined {
  const release = kernelRelease(kernel);
  return release && `This kernel, Linux ${release}, does not know ${request}: it came with Linux ${since}.`;
}

/** What to say of a list of allowed ranges that the kernel refused. */
export function explainAllow(result: number, facts: SpaceFacts, allowed: readonly Span[]): string | undefined {
  return guess(() => {
    if (result === -ERRNO.EADDRINUSE) {
      const { ranges } = facts.ranges();
      for (const range of allowed) {
        const hole = holeOf(ranges, range);
        if (hole !== undefined) return `Of ${show(range)} a part cannot be used: ${whatIs(facts, hole)}.`;
      }
    }
    if (result !== -ERRNO.EINVAL) return undefined;
    const empty = allowed.find(({ start, last }) => start >= last);
    if (empty !== undefined) return `The range ${show(empty)} is none: start must be below last.`;
    const sorted = [...allowed].sort((one, other) => (one.start < other.start ? -1 : 1));
    const at = sorted.findIndex((range, index) => index > 0 && overlap(sorted[index - 1]!, range));
    return at < 0 ? undefined : `The ranges ${show(sorted[at - 1]!)} and ${show(sorted[at]!)} overlap.`;
  });
}

/** What to say of an unmap that was refused: which buffer it cuts. */
export function explainUnmap(result: number, facts: SpaceFacts, iova: bigint, length: bigint): string | undefined {
  return guess(() => {
    const span = spanOf(iova, length);
    if (result === -ERRNO.EOVERFLOW) return `${hex(iova)} plus ${hex(length)} goes beyond 2^64 − 1; unmapAll() takes everything.`;
    if (result !== -ERRNO.ENOENT || span === undefined) return undefined;
    const cut = facts.buffers(span).find((buffer) => buffer.start < span.start || buffer.last > span.last);
    return cut && `Only whole mappings can be unmapped, and the range cuts the DMA buffer at ${show(cut)}.`;
  });
}
