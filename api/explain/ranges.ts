/**
 * Ranges of I/O addresses, and how they clash: for explanations.
 *
 * @module
 */
import type { Kernel } from "../../uapi/kernel.ts";
import { hex } from "../error.ts";
import { reservedOf } from "./group.ts";

/** Addresses from `start` to `last`, both included. */
export interface Span {
  /** First. */
  readonly start: bigint;
  /** Last. */
  readonly last: bigint;
}

/** What an explanation may ask of an I/O address space. */
export interface SpaceFacts {
  /** The kernel. */
  readonly kernel: Kernel;
  /** IOAS_IOVA_RANGES, asked now. May throw. */
  readonly ranges: () => { readonly ranges: readonly Span[]; readonly alignment: bigint };
  /** PCI addresses of the devices that are attached. */
  readonly devices: () => string[];
  /** DMA buffers in a range. Other mappings are not known. */
  readonly buffers: (span: Span) => Span[];
  /** What automatic placement is confined to; none: nothing. */
  readonly allowed: readonly Span[];
}

/** Ranges that a text names at most. */
const SHOWN_MAX = 4;
const LAST = 0xffff_ffff_ffff_ffffn;

/** "0x1000 to 0x1fff". */
export function show({ start, last }: Span): string {
  return `${hex(start)} to ${hex(last)}`;
}

/** A list of ranges, cut where it is long. */
export function showAll(spans: readonly Span[]): string {
  const more = spans.length > SHOWN_MAX ? ` and ${spans.length - SHOWN_MAX} more` : "";
  return spans.slice(0, SHOWN_MAX).map(show).join(", ") + more;
}

/** The addresses of a request; undefined where it has none or goes over the end. */
export function spanOf(start: bigint, length: bigint): Span | undefined {
  return length === 0n || start + length - 1n > LAST ? undefined : { start, last: start + length - 1n };
}

/** Whether two ranges have an address in common. */
export function overlap(one: Span, other: Span): boolean {
  return one.start <= other.last && other.start <= one.last;
}

/** The first hole between `ranges` that a range touches; undefined if it lies in one of them. */
export function holeOf(ranges: readonly Span[], span: Span): Span | undefined {
  let start = 0n;
  for (const range of [...ranges].sort((one, other) => (one.start < other.start ? -1 : 1))) {
    if (start < range.start && overlap({ start, last: range.start - 1n }, span)) return { start, last: range.start - 1n };
    start = range.last + 1n;
  }
  return start <= LAST && span.last >= start ? { start, last: LAST } : undefined;
}

/** What a hole in the usable addresses is: a device's reservation, or the end of what the IOMMU translates. */
export function whatIs(facts: SpaceFacts, hole: Span): string {
  for (const address of facts.devices()) {
    const reserved = reservedOf(facts.kernel, address).find((range) => overlap(range, hole));
    if (reserved !== undefined) return `${show(reserved)} is reserved (${reserved.kind}) by the group of ${address}`;
  }
  if (hole.last === LAST) return `the IOMMU translates no address from ${hex(hole.start)} on`;
  return `${show(hole)} is reserved by an attached device`;
}
