/**
 * Which memory of the process the program mapped, and the arrays over it that it was given.
 *
 * The process has other memory: the runtime's heap, libraries. What is not in this list is never unmapped, replaced or shown.
 *
 * @module
 */
import { detach, memoryAt } from "./libc_unsafe.ts";

/** Arrays over one range; a buffer lives for as long as one of its arrays does. */
interface Shown {
  readonly start: bigint;
  readonly end: bigint;
  readonly buffer: WeakRef<ArrayBuffer>;
}

/** A range of the program's memory, as one mmap made it or as munmap left it. */
export interface Mapping {
  /** Its first byte. */
  readonly start: bigint;
  /** The byte behind it. */
  readonly end: bigint;
  /** Arrays may reach up to here, exclusive: `start` where an access would end the process, the end of a file within the mapping. */
  readonly shownEnd: bigint;
  /** Argument memory: only who made it may unmap it. */
  readonly isSealed: boolean;
}

interface Entry extends Mapping {
  shown: Map<string, Shown>;
  /** Number of buffers at which those that nobody has any more are forgotten. */
  sweepAt: number;
}

/** Fewer buffers than this are not worth a look. */
const SWEEP_MIN = 64;
const NOTHING: Uint8Array<ArrayBuffer> = new Uint8Array(0);

/** The mappings of one kernel object, by address. They do not overlap. */
export class Mappings {
  #entries: Entry[] = [];

  /** Mappings there are. */
  get count(): number {
    return this.#entries.length;
  }

  /** A new mapping. Its range must be in no other: {@linkcode Mappings.cut} it out before. */
  add(mapping: Mapping): void {
    this.#insert({ ...mapping, shown: new Map(), sweepAt: SWEEP_MIN });
  }

  /** The parts of mappings in a range, by address. */
  within(start: bigint, end: bigint): Mapping[] {
    const found: Mapping[] = [];
    for (let index = this.#indexOf(start); index < this.#entries.length; index++) {
      const entry = this.#entries[index]!;
      if (entry.start >= end) break;
      found.push({ ...entry, start: start > entry.start ? start : entry.start, end: end < entry.end ? end : entry.end });
    }
    return found;
  }

  /** Take a range out. Arrays that reach into it have no length from now on; others stay, also those of the same mapping. */
  cut(start: bigint, end: bigint): void {
    const first = this.#indexOf(start);
    let last = first;
    while (last < this.#entries.length && this.#entries[last]!.start < end) last++;
    for (const entry of this.#entries.splice(first, last - first)) {
      const kept = [...entry.shown.values()].filter((shown) => !endIfWithin(shown, start, end));
      if (entry.start < start) this.#insert(part(entry, entry.start, start, kept));
      if (entry.end > end) this.#insert(part(entry, end, entry.end, kept));
    }
  }

  /** An array over a range; an empty one where the range is not wholly in one mapping that can be shown. */
  show(start: bigint, length: number): Uint8Array<ArrayBuffer> {
    const entry = this.#entries[this.#indexOf(start)];
    const end = start + BigInt(length);
    if (entry === undefined || start < entry.start || end > entry.shownEnd || length === 0) return NOTHING;
    const key = `${start}+${length}`;
    const known = entry.shown.get(key)?.buffer.deref();
    if (known !== undefined && !known.detached) return new Uint8Array(known);
    if (entry.shown.size >= entry.sweepAt) sweep(entry);
    const buffer = memoryAt(start, length);
    entry.shown.set(key, { start, end, buffer: new WeakRef(buffer) });
    return new Uint8Array(buffer);
  }

  /** The first entry that ends behind an address. */
  #indexOf(at: bigint): number {
    let [low, high] = [0, this.#entries.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#entries[middle]!.end > at) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #insert(entry: Entry): void {
    this.#entries.splice(this.#indexOf(entry.start), 0, entry);
  }
}

/** Detach a buffer that reaches into a range. Returns whether it did. */
function endIfWithin(shown: Shown, start: bigint, end: bigint): boolean {
  if (shown.end <= start || end <= shown.start) return false;
  const buffer = shown.buffer.deref();
  // The program may have transferred it: then nobody has the memory by this buffer.
  if (buffer !== undefined && !buffer.detached) detach(buffer);
  return true;
}

function part(entry: Entry, start: bigint, end: bigint, shown: readonly Shown[]): Entry {
  const inside = shown.filter((one) => start <= one.start && one.end <= end);
  const shownEnd = entry.shownEnd < start ? start : entry.shownEnd < end ? entry.shownEnd : end;
  const keyed = new Map(inside.map((one) => [`${one.start}+${one.end - one.start}`, one]));
  return { start, end, shownEnd, isSealed: entry.isSealed, shown: keyed, sweepAt: SWEEP_MIN };
}

function sweep(entry: Entry): void {
  for (const [key, { buffer }] of entry.shown) if (buffer.deref() === undefined) entry.shown.delete(key);
  entry.sweepAt = Math.max(SWEEP_MIN, 2 * entry.shown.size);
}
