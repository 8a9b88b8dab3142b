/**
 * What follows from the schema: offsets, sizes, look-ups.
 *
 * @module
 */
import { fieldBytes, fieldsBytes, widthBytes } from "./bytes.ts";
import { IOMMUFD } from "./iommufd.ts";
import { SELFTEST_FAMILY } from "./selftest.ts";
import { SIMULATED } from "./simulated.ts";
import { TYPE1 } from "./type1.ts";
import type { Extent, Family, Field, Request, Struct, Tail, Width } from "./types.ts";
import { VFIO } from "./vfio.ts";

/** What iommufds and device files answer: each number is one request. */
export const FAMILIES: readonly Family[] = [IOMMUFD, VFIO, SELFTEST_FAMILY, SIMULATED];
/** All that is described: with files of groups and containers, whose numbers are not theirs alone. */
export const DESCRIBED: readonly Family[] = [...FAMILIES, TYPE1];

export { fieldBytes, widthBytes } from "./bytes.ts";

/** A field with its place. */
export interface Placed {
  /** The field. */
  readonly field: Field;
  /** Offset in bytes from the start of the struct. */
  readonly at: number;
}

const placedOf = new WeakMap<Struct, readonly Placed[]>();

/** The fields of a struct with their offsets: side by side, as Linux lays them out without hidden gaps. */
export function placed(struct: Struct): readonly Placed[] {
  const known = placedOf.get(struct);
  if (known) return known;
  let at = 0;
  const fields = struct.fields.map((field): Placed => {
    const place = { field, at };
    at += fieldBytes(field);
    return place;
  });
  placedOf.set(struct, fields);
  return fields;
}

/** Bytes of the fixed part of a struct. */
export function structBytes(struct: Struct): number {
  return fieldsBytes(struct.fields);
}

/** The bytes that the caller's struct must have at least; 0 for a request without one. */
export function minimumBytes(request: Request): number {
  const struct = structOf(request);
  if (!struct) return 0;
  const last = placed(struct).find(({ field }) => field.name === request.minimum);
  if (!last) throw new Error(`Request ${request.name} ends at "${request.minimum}", a field that ${struct.name} lacks`);
  return last.at + fieldBytes(last.field);
}

const STRUCTS: ReadonlyMap<string, Struct> = new Map(DESCRIBED.flatMap(({ structs }) => structs.map((struct) => [struct.name, struct])));
const REQUESTS: ReadonlyMap<number, Request> = new Map(
  FAMILIES.flatMap(({ requests }) => requests.map((request) => [request.number, request])),
);

/** The struct of a name. */
export function structNamed(name: string): Struct | undefined {
  return STRUCTS.get(name);
}

/** The request of a number, of iommufds and device files. */
export function requestNumbered(number: number): Request | undefined {
  return REQUESTS.get(number);
}

/** The struct that a request takes; where it takes several, what they have in common. */
export function structOf(request: Request): Struct | undefined {
  return request.struct === undefined ? undefined : STRUCTS.get(request.struct);
}

/** The struct that a request has in these bytes: of a request that takes several, the one that its selecting field names. */
export function structIn(request: Request, view: DataView): Struct | undefined {
  const struct = structOf(request);
  if (!struct || !request.variants) return struct;
  const { field, structs } = request.variants;
  return STRUCTS.get(structs[Number(readField(struct, view, field))] ?? struct.name);
}

/** A value of this width. Reads zero where the bytes end before it, as the kernel does with a short struct. */
export function readWidth(view: DataView, at: number, width: Width): number | bigint {
  if (at + widthBytes(width) > view.byteLength) return width === "u64" ? 0n : 0;
  switch (width) {
    case "u8":
      return view.getUint8(at);
    case "u16":
      return view.getUint16(at, true);
    case "u32":
      return view.getUint32(at, true);
    case "s32":
      return view.getInt32(at, true);
    case "u64":
      return view.getBigUint64(at, true);
  }
}

/** The value of a field by name, as a bigint; the first element of an array. Zero where the bytes end before it. */
export function readField(struct: Struct, view: DataView, name: string): bigint {
  const place = placed(struct).find(({ field }) => field.name === name);
  if (!place) throw new Error(`Struct ${struct.name} has no field "${name}"`);
  return BigInt(readWidth(view, place.at, place.field.width));
}

/** The tail that a struct has in these bytes, if any. */
export function tailOf(struct: Struct, view: DataView): Tail | undefined {
  return struct.tails?.find(({ flag }) => flag === undefined || (readField(struct, view, "flags") & BigInt(flag)) !== 0n);
}

/** How many bytes are behind a pointer, by the fields of the struct that holds it. */
export function extentBytes(extent: Extent, struct: Struct, view: DataView): bigint {
  const value = (name: string) => readField(struct, view, name);
  if ("of" in extent) return value(extent.count) * BigInt(structBytes(STRUCTS.get(extent.of)!));
  if ("bytes" in extent) return typeof extent.bytes === "number" ? BigInt(extent.bytes) : value(extent.bytes);
  if ("each" in extent) return value(extent.count) * value(extent.each);
  const page = value(extent.bitmap.page);
  const bits = page === 0n ? 0n : (value(extent.bitmap.length) + page - 1n) / page;
  return (bits + 63n) / 64n * 8n;
}

const NAMED: ReadonlyMap<string, Request> = new Map(
  DESCRIBED.flatMap(({ requests }) => requests.map((request) => [request.name, request])),
);

/** The request of a name, `"IOAS_MAP"`: also those of groups and containers. */
export function requestNamed(name: string): Request | undefined {
  return NAMED.get(name);
}

/** The number of a request by its name, `"IOAS_MAP"`. */
export function requestNumber(name: string): number | undefined {
  return NAMED.get(name)?.number;
}
