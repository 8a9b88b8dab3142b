/**
 * An I/O address space as lists, searched from end to end: the dumbest thing that gives the addresses and errors of Linux 7.3.
 *
 * Rules: `iopt_alloc_iova` and its callers in drivers/iommu/iommufd/io_pagetable.c, as facts.
 *
 * @module
 */

const PAGE = 4096n;
const MAX = 2n ** 64n - 1n;
const HUGE = 2n ** 21n;

/** Addresses from `start` to `last`, inclusive. */
export interface Span {
  readonly start: bigint;
  readonly last: bigint;
}

/** A mapping of user memory. */
export interface ModelArea extends Span {
  /** User address of the first byte. */
  readonly address: bigint;
  /** Whether the memory was first mapped for writing: only then may a copy be. */
  readonly writable: boolean;
}

/** What a call comes to: a number, or the code of an error. */
export type Outcome = bigint | string;

function overlaps(one: Span, other: Span): boolean {
  return one.start <= other.last && other.start <= one.last;
}

function lowestBit(value: bigint): bigint {
  return value & -value;
}

function powerOfTwoAbove(value: bigint): bigint {
  let power = 1n;
  while (power < value) power *= 2n;
  return power;
}

/** The first address in `[start, last]` that is aligned, has the offset in the page, and leaves room. */
function fit({ start, last }: Span, length: bigint, alignment: bigint, offset: bigint): bigint | undefined {
  const aligned = (start + alignment - 1n) / alignment * alignment | offset;
  return aligned > MAX || aligned >= last || last - aligned < length - 1n ? undefined : aligned;
}

/** What is left of a span when others are taken away, in ascending order. */
function holes({ start, last }: Span, taken: readonly Span[]): Span[] {
  const found: Span[] = [];
  let next = start;
  for (const span of [...taken].sort((one, other) => (one.start < other.start ? -1 : 1))) {
    if (span.last < next || span.start > last) continue;
    if (span.start > next) found.push({ start: next, last: span.start - 1n });
    next = span.last + 1n;
  }
  if (next <= last) found.push({ start: next, last });
  return found;
}

/** One IOAS. */
export class IoasModel {
  /** Mappings, in the order in which they were made. */
  areas: ModelArea[] = [];
  /** What automatic placement may take; none: everything. */
  allowed: readonly Span[] = [];
  /** What no mapping may take. */
  reserved: readonly Span[] = [];
  /** What addresses, lengths and offsets must be multiples of. */
  alignment = 1n;

  /** Where a mapping of memory at `address` goes. */
  place(address: bigint, length: bigint): Outcome {
    if (length === 0n || length >= MAX / 2n) return "EOVERFLOW";
    const wanted = address === 0n
      ? powerOfTwoAbove(length)
      : [powerOfTwoAbove(length), lowestBit(address)].reduce((a, b) => (a < b ? a : b));
    const alignment = wanted < HUGE ? wanted : HUGE;
    if (alignment < this.alignment) return "EINVAL";
    const offset = address % PAGE;
    const everywhere = { start: PAGE, last: MAX - PAGE };
    const ranges = this.allowed.length === 0 ? [everywhere] : this.#mergedAllowed(everywhere);
    for (const range of ranges) {
      const first = fit(range, length, alignment, offset);
      if (first === undefined) continue;
      for (const hole of holes({ start: first, last: range.last }, [...this.areas, ...this.reserved])) {
        const found = fit(hole, length, alignment, offset);
        if (found !== undefined) return found;
      }
    }
    return "ENOSPC";
  }

  /** Map, at `iova` where one is given. Answers the address. */
  map(address: bigint, length: bigint, writable: boolean, iova?: bigint): Outcome {
    return this.mapPieces([{ address, length, writable }], length, writable, iova);
  }

  /** Map pieces side by side: what COPY does with the areas of its source. */
  mapPieces(
    pieces: readonly { address: bigint; length: bigint; writable: boolean }[],
    length: bigint,
    write: boolean,
    iova?: bigint,
  ): Outcome {
    if (iova === MAX) return "EOVERFLOW";
    if (length === 0n || length % this.alignment !== 0n) return "EINVAL";
    const start = iova === undefined ? this.place(pieces[0]!.address, length) : this.#checkFixed(iova, length);
    if (typeof start === "string") return start;
    const added: ModelArea[] = [];
    let at = start;
    for (const piece of pieces) {
      if (write && !piece.writable) return "EPERM";
      if (piece.address % PAGE % this.alignment !== 0n) return "EINVAL";
      added.push({ start: at, last: at + piece.length - 1n, address: piece.address, writable: piece.writable });
      at += piece.length;
    }
    this.areas.push(...added);
    return start;
  }

  /** Unmap the areas in a range. Answers the bytes. */
  unmap(iova: bigint, length: bigint): Outcome {
    if (iova === 0n && length === MAX) return this.unmapAll();
    if (iova === MAX || length === MAX) return "EOVERFLOW";
    if (length === 0n) return "EINVAL";
    if (iova + length - 1n > MAX) return "EOVERFLOW";
    const range = { start: iova, last: iova + length - 1n };
    let bytes = 0n;
    for (const area of this.areas.filter((area) => overlaps(area, range)).sort((one, other) => (one.start < other.start ? -1 : 1))) {
      if (area.start < range.start || area.last > range.last) return "ENOENT";
      this.areas = this.areas.filter((other) => other !== area);
      bytes += area.last - area.start + 1n;
    }
    return bytes === 0n ? "ENOENT" : bytes;
  }

  /** Unmap everything. Answers the bytes. */
  unmapAll(): bigint {
    const bytes = this.areas.reduce((sum, { start, last }) => sum + last - start + 1n, 0n);
    this.areas = [];
    return bytes;
  }

  /** The memory behind a range, piece by piece, or the error of a copy from it. */
  pieces(iova: bigint, length: bigint): { address: bigint; length: bigint; writable: boolean }[] | string {
    if (length === 0n) return "EINVAL";
    if (iova + length - 1n > MAX) return "EOVERFLOW";
    const found: { address: bigint; length: bigint; writable: boolean }[] = [];
    for (let at = iova; at < iova + length;) {
      const area = this.areas.find(({ start, last }) => start <= at && at <= last);
      if (area === undefined) return "ENOENT";
      const end = area.last + 1n < iova + length ? area.last + 1n : iova + length;
      found.push({ address: area.address + at - area.start, length: end - at, writable: area.writable });
      at = end;
    }
    return found;
  }

  /** Say where automatic placement may go. */
  allow(ranges: readonly Span[]): Outcome {
    for (const [index, range] of ranges.entries()) {
      if (range.start >= range.last || ranges.slice(0, index).some((other) => overlaps(range, other))) return "EINVAL";
    }
    if (ranges.some((range) => this.reserved.some((other) => overlaps(range, other)))) return "EADDRINUSE";
    this.allowed = [...ranges];
    return 0n;
  }

  /** Ranges that touch are one, and nothing is placed in the first and last page of all addresses. */
  #mergedAllowed(everywhere: Span): Span[] {
    const merged: Span[] = [];
    for (const { start, last } of [...this.allowed].sort((one, other) => (one.start < other.start ? -1 : 1))) {
      const range = { start: start < everywhere.start ? everywhere.start : start, last: last > everywhere.last ? everywhere.last : last };
      const before = merged.at(-1);
      if (range.start > range.last) continue;
      if (before !== undefined && before.last + 1n === range.start) merged[merged.length - 1] = { start: before.start, last: range.last };
      else merged.push(range);
    }
    return merged;
  }

  #checkFixed(iova: bigint, length: bigint): Outcome {
    if (iova % this.alignment !== 0n) return "EINVAL";
    if (iova + length - 1n > MAX) return "EOVERFLOW";
    const range = { start: iova, last: iova + length - 1n };
    if (this.reserved.some((other) => overlaps(other, range))) return "EINVAL";
    return this.areas.some((other) => overlaps(other, range)) ? "EEXIST" : iova;
  }
}
