/**
 * Requests in words: the bytes of a request as JSON and as one readable line.
 *
 * A module of its own, not re-exported by `uapi/mod.ts`, because it brings the whole schema with it.
 *
 * @example
 * ```ts
 * import { decodeRequest, formatFields } from "./decode.ts";
 * import { IOAS_ALLOC, IoasAllocSize, putIoasAlloc } from "./codec.ts";
 *
 * const bytes = new Uint8Array(IoasAllocSize);
 * putIoasAlloc(new DataView(bytes.buffer), 0, { flags: 0, outIoasId: 3 });
 * const decoded = decodeRequest(IOAS_ALLOC, bytes);
 * console.log(decoded.request, formatFields(decoded, "out")); // IOAS_ALLOC out_ioas_id=3
 * ```
 *
 * @module
 */
import { placed, readWidth, requestNumbered, structBytes, structIn, structNamed, tailOf, widthBytes } from "./schema/layout.ts";
import type { Direction, Field, Names, Role, Struct, Tail, Width } from "./schema/types.ts";

export type { Direction } from "./schema/types.ts";

/** A number as JSON holds it: 64-bit fields are strings such as `"0x1000"`, all others numbers. */
export type JsonNumber = number | string;

/** One field in words. */
export interface DecodedField {
  /** Linux's name. */
  readonly name: string;
  /** Who writes it. */
  readonly direction: Direction;
  /** What it is: `"iova"`, `"flags"`, `"reserved"` …; the roles of the schema. */
  readonly role: string;
  /** The value, or the elements of an array. */
  readonly value: JsonNumber | readonly JsonNumber[];
  /** The value in words: names of flags, addresses in hexadecimal. */
  readonly text: string;
}

/** A struct in words. */
export interface DecodedStruct {
  /** The struct's name in the schema. */
  readonly struct: string;
  /** Its fields in order. */
  readonly fields: readonly DecodedField[];
  /** What follows the struct, if something does. */
  readonly tail?: DecodedTail;
  /** The capabilities that an answer carries. */
  readonly capabilities?: readonly DecodedStruct[];
}

/** What follows a struct. */
export interface DecodedTail {
  /** Linux's name. */
  readonly name: string;
  /** Who writes it. */
  readonly direction: Direction;
  /** The elements. */
  readonly items: readonly (JsonNumber | DecodedStruct)[];
}

/** A request in words. */
export interface DecodedRequest {
  /** Its name, or its number in hexadecimal if the schema does not know it. */
  readonly request: string;
  /** Its struct; absent for a request without one and for one that the schema does not know. */
  readonly argument?: DecodedStruct;
}

/** Elements of an array that a line of text shows. */
const ITEMS_MAX = 8;
/** Capabilities that are followed: a chain that is longer, or turns back, is broken. */
const CAPABILITIES_MAX = 64;

function hex(value: number | bigint): string {
  return value < 0 ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
}

function json(value: number | bigint): JsonNumber {
  return typeof value === "bigint" ? hex(value) : value;
}

function flagsText(value: bigint, names: Names | null): string {
  const parts: string[] = [];
  let rest = value;
  for (const [name, bits] of Object.entries(names?.values ?? {})) {
    const mask = BigInt(bits);
    const isNumber = (mask & (mask - 1n)) !== 0n;
    if ((value & mask) === 0n) continue;
    const short = name.slice(names!.prefix.length);
    parts.push(isNumber ? `${short}:${value & mask}` : short);
    rest &= ~mask;
  }
  if (rest !== 0n || parts.length === 0) parts.push(rest === 0n ? "0" : hex(rest));
  return parts.join("|");
}

function enumText(value: bigint, names: Names): string {
  const found = Object.entries(names.values).find(([, number]) => BigInt(number) === value);
  return found ? found[0].slice(names.prefix.length) : value.toString();
}

const IN_HEX: ReadonlySet<Role["is"]> = new Set(["iova", "pointer", "userAddress", "physicalAddress", "register", "offset"]);

function valueText(value: number | bigint, role: Role): string {
  if (role.is === "flags") return flagsText(BigInt(value), role.names);
  if (role.is === "enum" || role.is === "constant") return enumText(BigInt(value), role.names);
  if (IN_HEX.has(role.is) || value > Number.MAX_SAFE_INTEGER) return hex(value);
  return value.toString();
}

function decodeField(view: DataView, at: number, field: Field): DecodedField {
  const { name, direction, role, width, array } = field;
  const values = Array.from({ length: array ?? 1 }, (_, index) => readWidth(view, at + index * widthBytes(width), width));
  const texts = values.map((value) => valueText(value, role));
  return {
    name,
    direction,
    role: role.is,
    value: array === undefined ? json(values[0]!) : values.map(json),
    text: array === undefined ? texts[0]! : `[${texts.join(", ")}]`,
  };
}

function subview(view: DataView, at: number, length = view.byteLength - at): DataView {
  return new DataView(view.buffer, view.byteOffset + at, Math.max(0, Math.min(length, view.byteLength - at)));
}

function decodeTail(tail: Tail, struct: Struct, view: DataView): DecodedTail {
  const start = structBytes(struct);
  const element = structNamed(tail.of);
  const stride = element ? structBytes(element) : widthBytes(tail.of as Width);
  const room = Math.floor(Math.max(0, view.byteLength - start) / stride);
  const place = placed(struct).find(({ field }) => field.name === tail.count);
  const count = place ? Math.min(room, Number(readWidth(view, place.at, place.field.width))) : room;
  const items = Array.from({ length: count }, (_, index) => {
    const at = start + index * stride;
    return element ? decodeView(element, subview(view, at, stride)) : json(readWidth(view, at, tail.of as Width));
  });
  return { name: tail.name, direction: tail.direction, items };
}

function decodeCapabilities(struct: Struct, view: DataView): DecodedStruct[] {
  const place = placed(struct).find(({ field }) => field.role.is === "capabilities");
  if (!place || place.field.role.is !== "capabilities") return [];
  const { structs } = place.field.role;
  const found: DecodedStruct[] = [];
  let at = Number(readWidth(view, place.at, place.field.width));
  while (at >= structBytes(struct) && at + 8 <= view.byteLength && found.length < CAPABILITIES_MAX) {
    const body = structNamed(structs[view.getUint16(at, true)] ?? "InfoCapHeader")!;
    found.push(decodeView(body, subview(view, at)));
    const next = view.getUint32(at + 4, true);
    if (next <= at) break;
    at = next;
  }
  return found;
}

function decodeView(struct: Struct, view: DataView): DecodedStruct {
  const fields = placed(struct).map(({ field, at }) => decodeField(view, at, field));
  const tail = tailOf(struct, view);
  const capabilities = decodeCapabilities(struct, view);
  return {
    struct: struct.name,
    fields,
    ...(tail ? { tail: decodeTail(tail, struct, view) } : {}),
    ...(capabilities.length > 0 ? { capabilities } : {}),
  };
}

/** The name of a request number, `"IOAS_MAP"`, or the number in hexadecimal. */
export function requestName(request: number): string {
  return requestNumbered(request)?.name ?? hex(request);
}

/** The request number of a name of the schema. */
export { requestNumber } from "./schema/layout.ts";

/** A request's bytes in words. Fields behind the end of the bytes read as zero, as the kernel reads them. */
export function decodeRequest(request: number, bytes: Uint8Array): DecodedRequest {
  const row = requestNumbered(request);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const struct = row && structIn(row, view);
  if (!struct) return { request: requestName(request) };
  return { request: row.name, argument: decodeView(struct, view) };
}

/** An array of structs in words: what a pointer of a request reaches, or what an event file gives. @throws {TypeError} for a name that the schema lacks */
export function decodeArray(structName: string, bytes: Uint8Array): DecodedStruct[] {
  const struct = structNamed(structName);
  if (!struct) throw new TypeError(`Cannot decode "${structName}": the schema has no such struct`);
  const stride = structBytes(struct);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from(
    { length: Math.floor(bytes.byteLength / stride) },
    (_, index) => decodeView(struct, subview(view, index * stride, stride)),
  );
}

function isWorthShowing(field: DecodedField, struct: DecodedStruct): boolean {
  if (field.role === "reserved") return field.text !== "0" && !/^\[0(, 0)*\]$/.test(field.text);
  if (field.role === "size") return Number(field.value) !== structBytes(structNamed(struct.struct)!);
  return true;
}

function listText(items: readonly string[]): string {
  const more = items.length > ITEMS_MAX ? [`… ${items.length - ITEMS_MAX} more`] : [];
  return `[${[...items.slice(0, ITEMS_MAX), ...more].join(", ")}]`;
}

/** Structs of one array on one line: `[{start=0x0, last=0xfff}]`. */
export function formatArray(items: readonly DecodedStruct[]): string {
  return listText(items.map((item) => `{${structText(item, "both")}}`));
}

function structText(struct: DecodedStruct, side: "in" | "out" | "both"): string {
  const shown = (direction: Direction) => side === "both" || direction === side || direction === "inout";
  const parts = struct.fields.filter((field) => shown(field.direction) && isWorthShowing(field, struct))
    .map(({ name, text }) => `${name}=${text}`);
  if (struct.tail && shown(struct.tail.direction) && struct.tail.items.length > 0) {
    const items = struct.tail.items.map((item) => typeof item === "object" ? `{${structText(item, "both")}}` : `${item}`);
    parts.push(`${struct.tail.name}=${listText(items)}`);
  }
  if (struct.capabilities && side !== "in") {
    parts.push(...struct.capabilities.map((capability) => `${capability.struct}={${structText(capability, "both")}}`));
  }
  return parts.join(", ");
}

/**
 * The fields of a request on one line, `flags=READABLE, ioas_id=1, iova=0x1000`: those that the caller gives (`"in"`), those that the
 * kernel answers (`"out"`), or all. Reserved fields show when they are not zero, a size when it is not the struct's.
 */
export function formatFields(decoded: DecodedRequest, side: "in" | "out" | "both" = "both"): string {
  return decoded.argument ? structText(decoded.argument, side) : "";
}
