/**
 * Addresses and lengths that meet: of the program's memory, of I/O virtual addresses, in and around what is mapped.
 *
 * @module
 */
import type { Draw } from "../property/syscall_values.ts";
import { LARGE, NO_ACCESS, NOWHERE, type Piece, READ_ONLY, SMALL } from "./memory.ts";
import type { Area } from "./program.ts";
import { plus, type Value } from "./sequence.ts";

const PAGE = 4096n;
const MIB2 = 2n ** 21n;
const U64_MAX = 2n ** 64n - 1n;
/** What the kernel's mock IOMMU can translate. */
const APERTURE = { start: 2n ** 24n, end: 2n ** 31n };
/** Lengths and addresses are multiples of one of these; as often as they stand here. */
const UNITS: readonly bigint[] = [...new Array(12).fill(PAGE), 2048n, 2048n, 2048n, MIB2, 65536n, 1n];
/** Pages around the beginning of the aperture in which most is mapped, so that mappings meet. */
const WINDOW_PAGES = 1024;

/** 64-bit numbers at which rules change. */
export const EDGES: readonly bigint[] = [
  ...[0n, 1n, 2047n, 2048n, PAGE - 1n, PAGE, PAGE + 1n, MIB2, 2n ** 32n],
  ...[APERTURE.start - 1n, APERTURE.start, APERTURE.end - PAGE, APERTURE.end - 1n, APERTURE.end],
  ...[2n ** 47n, 2n ** 56n, 2n ** 63n - 1n, 2n ** 63n, U64_MAX - PAGE, U64_MAX - PAGE + 1n, U64_MAX - 1n, U64_MAX],
];

/** What addresses and lengths of one request are multiples of. */
export function drawUnit(draw: Draw): bigint {
  return draw.of(UNITS);
}

/** A number of bytes. */
export function drawLength(draw: Draw, unit: bigint): bigint {
  if (unit === 1n) return BigInt(1 + draw.below(9000));
  return unit * BigInt(1 + draw.below(unit === MIB2 ? 2 : 8));
}

/** Memory of the program. */
export interface UserMemory {
  /** First address. */
  readonly va: bigint;
  /** Bytes. */
  readonly length: bigint;
}

function drawPiece(draw: Draw, unit: bigint): Piece {
  if (unit === MIB2) return LARGE;
  return draw.of([SMALL, SMALL, SMALL, SMALL, LARGE, LARGE, LARGE, READ_ONLY, NO_ACCESS]);
}

/** Memory to map: mostly in one piece of the program's, now and then beyond its end or where nothing is. */
export function drawMemory(draw: Draw, unit: bigint): UserMemory {
  const length = drawLength(draw, unit);
  if (draw.once(24)) return { va: draw.of(NOWHERE), length };
  const piece = drawPiece(draw, unit);
  const room = BigInt(piece.length) - length;
  const places = Number((room > 0n ? room : 0n) / unit) + 1;
  const beyond = draw.once(24) ? unit : 0n;
  return { va: piece.at + unit * BigInt(draw.once(4) ? places - 1 : draw.below(places)) + beyond, length };
}

/** An I/O virtual address for so many bytes: in the window, beside something, or at an edge. */
export function drawIova(draw: Draw, areas: readonly Area[], unit: bigint, length: bigint): Value {
  const near = draw.any(areas);
  if (near !== undefined && draw.once(4)) {
    return plus(near.value, draw.of([0n, near.length, near.length, near.length, -length, -length, unit, -unit]));
  }
  if (draw.once(16)) return draw.of(EDGES);
  if (draw.once(10)) return BigInt.asUintN(64, APERTURE.end - length - unit * BigInt(draw.below(3) - 1));
  if (draw.once(12)) return unit * BigInt(draw.below(8));
  return APERTURE.start + unit * BigInt(draw.below(Number(BigInt(WINDOW_PAGES) * PAGE / (unit > PAGE ? unit : PAGE))));
}

/** A range in and around areas: one, several, a part, more than one has. */
export function drawRange(draw: Draw, areas: readonly Area[], unit: bigint): { readonly iova: Value; readonly length: bigint } {
  const area = draw.any(areas);
  if (area === undefined || draw.once(20)) return { iova: drawIova(draw, areas, unit, unit), length: drawLength(draw, unit) };
  const { value: iova, length } = area;
  switch (draw.below(12)) {
    case 0: {
      const other = draw.of(areas);
      const [first, last] = area.iova <= other.iova ? [area, other] : [other, area];
      return { iova: first.value, length: last.iova + last.length - first.iova };
    }
    case 1:
      return { iova: plus(iova, -unit), length: length + 2n * unit };
    case 2:
      return { iova, length: length > unit ? length - unit : unit };
    case 3:
      return { iova: plus(iova, unit), length: length > unit ? length - unit : unit };
    case 4:
      return { iova, length: length + unit * BigInt(1 + draw.below(8)) };
    default:
      return { iova, length };
  }
}
