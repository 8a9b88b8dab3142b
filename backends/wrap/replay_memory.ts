/**
 * The address space of a replay: the addresses of the recording, on memory of our own.
 *
 * @module
 */
import { type Block, MAP_ANONYMOUS, MAP_SHARED, PROT_NONE } from "../../uapi/kernel.ts";
import { fromHex, type MemoryChange, type TraceEntry } from "./trace.ts";

const PAGE = 4096;

interface Span {
  readonly start: bigint;
  /** Behind the last byte. No mapping of a process ends at 2^64, so this cannot overflow. */
  readonly end: bigint;
}

/** A stretch of addresses that the recording used, and its memory once somebody maps there. */
interface Arena extends Span {
  bytes?: Uint8Array<ArrayBuffer>;
}

interface Mapping extends Span {
  readonly bytes: Uint8Array<ArrayBuffer>;
}

function roundUp(length: number): number {
  return Math.ceil(length / PAGE) * PAGE;
}

/** The addresses that a call of the recording gave. */
function spanOf({ call, args, result }: TraceEntry): Span[] {
  if ((call !== "mmap" && call !== "block") || typeof result !== "string") return [];
  const length = call === "mmap" ? roundUp(Number(args.length)) : Number(args.length);
  return [{ start: BigInt(result), end: BigInt(result) + BigInt(length) }];
}

/** Overlapping and adjacent spans joined, so that one view can cross mappings that lie side by side. */
function joined(spans: Span[]): Arena[] {
  const arenas: Arena[] = [];
  for (const span of spans.sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0))) {
    const last = arenas.at(-1);
    if (last && span.start <= last.end) arenas[arenas.length - 1] = { start: last.start, end: span.end > last.end ? span.end : last.end };
    else arenas.push({ ...span });
  }
  return arenas;
}

/** Mappings, blocks and memory files of a replay. */
export class ReplayMemory {
  readonly #arenas: Arena[];
  readonly #files = new Map<number, Uint8Array<ArrayBuffer>>();
  #mappings: Mapping[] = [];

  constructor(entries: readonly TraceEntry[]) {
    this.#arenas = joined(entries.flatMap(spanOf));
  }

  #arenaBytes(start: bigint, length: number): Uint8Array<ArrayBuffer> | undefined {
    const arena = this.#arenas.find((arena) => arena.start <= start && start + BigInt(length) <= arena.end);
    if (!arena) return undefined;
    arena.bytes ??= new Uint8Array(Number(arena.end - arena.start));
    const from = Number(start - arena.start);
    return arena.bytes.subarray(from, from + length);
  }

  #place(start: bigint, bytes: Uint8Array<ArrayBuffer>): void {
    this.unmap(start, bytes.byteLength);
    this.#mappings.push({ start, end: start + BigInt(bytes.byteLength), bytes });
  }

  /** A memory file. Its shared mappings show the same bytes. */
  memfd(fd: number, length: number): void {
    this.#files.set(fd, new Uint8Array(roundUp(length)));
  }

  /** Forget a file descriptor; mappings of its file stay. */
  close(fd: number): void {
    this.#files.delete(fd);
  }

  /** Map at the address that the recording got. */
  map(start: bigint, length: number, prot: number, flags: number, fd: number, offset: number): void {
    const size = roundUp(length);
    // Addresses without access have nothing to show.
    if (prot === PROT_NONE) return this.unmap(start, size);
    const file = (flags & MAP_ANONYMOUS) === 0 ? this.#files.get(fd) : undefined;
    if (file && (flags & MAP_SHARED) !== 0) return this.#place(start, file.subarray(offset, offset + size));
    const bytes = this.#arenaBytes(start, size)!;
    bytes.fill(0);
    if (file) bytes.set(file.subarray(offset, offset + size));
    this.#place(start, bytes);
  }

  /** Unmap whole pages, also a part of a mapping. */
  unmap(start: bigint, length: number): void {
    const end = start + BigInt(roundUp(length));
    this.#mappings = this.#mappings.flatMap((old) => {
      if (old.end <= start || end <= old.start) return [old];
      const left = old.start < start ? [{ start: old.start, end: start, bytes: old.bytes.subarray(0, Number(start - old.start)) }] : [];
      const right = end < old.end ? [{ start: end, end: old.end, bytes: old.bytes.subarray(Number(end - old.start)) }] : [];
      return [...left, ...right];
    });
  }

  /** A block at the address that the recording got. Blocks are no mappings: several may share a page. */
  block(address: bigint, length: number): Block {
    const bytes = this.#arenaBytes(address, length)!;
    bytes.fill(0);
    const mapping: Mapping = { start: address, end: address + BigInt(length), bytes };
    this.#mappings.push(mapping);
    return {
      address,
      bytes,
      view: new DataView(bytes.buffer, bytes.byteOffset, length),
      [Symbol.dispose]: () => {
        this.#mappings = this.#mappings.filter((other) => other !== mapping);
      },
    };
  }

  /** The bytes at an address; an empty array where the range is not mapped. */
  view(at: bigint, length: number): Uint8Array {
    const end = at + BigInt(length);
    const holder = this.#mappings.find((mapping) => mapping.start <= at && end <= mapping.end);
    if (holder) return holder.bytes.subarray(Number(at - holder.start), Number(end - holder.start));
    let covered = at;
    const inArena = this.#mappings.filter(({ start, bytes }) => bytes.byteLength > 0 && this.#isArena(start, bytes));
    for (const mapping of inArena.sort((a, b) => (a.start < b.start ? -1 : 1))) {
      if (mapping.start <= covered && covered < mapping.end) covered = mapping.end;
    }
    return (covered >= end && this.#arenaBytes(at, length)) || new Uint8Array(0);
  }

  /** Whether a mapping lies in its arena, and not in a memory file. */
  #isArena(start: bigint, { buffer, byteLength }: Uint8Array<ArrayBuffer>): boolean {
    return this.#arenaBytes(start, byteLength)?.buffer === buffer;
  }

  /** Write what the recording found changed. */
  apply(changes: readonly MemoryChange[]): void {
    for (const { at, bytes } of changes) {
      const content = fromHex(bytes);
      const target = this.view(BigInt(at), content.byteLength);
      if (target.byteLength === content.byteLength) target.set(content);
    }
  }
}
