/**
 * Structs by the schema's names of their fields, without looking whether the values make sense.
 *
 * @module
 */
import { errnoName } from "../../uapi/errno.ts";
import { fieldBytes, placed, readWidth, requestNamed, structBytes, structNamed, structOf } from "../../uapi/schema/layout.ts";
import type { Field, Struct } from "../../uapi/schema/types.ts";
import { CheckError } from "../check.ts";

/** Values of fields by Linux's names. Of an array the first element. */
export type Fields = Readonly<Record<string, number | bigint>>;

/** A request of the schema by its name. Of one that takes several structs, "TEST_CMD/TestMockDomain" names the struct too. */
export function requestOf(name: string): { readonly request: number; readonly struct: Struct | undefined } {
  const [base, variant] = name.split("/");
  const request = requestNamed(base!);
  if (request === undefined) throw new CheckError(`There is no request ${name}`);
  return { request: request.number, struct: variant === undefined ? structOf(request) : structNamed(variant) };
}

/** Fields that are always the same in a struct. */
function constantsOf({ fields }: Struct): Fields {
  return Object.fromEntries(fields.flatMap(({ name, role }) => role.is === "constant" ? [[name, role.value]] : []));
}

/** The bytes of a struct, and of what follows it. Its size counts both, unless another is given; then so many bytes of it are there. */
export function writeStruct(
  struct: Struct,
  fields: Fields,
  options: { readonly tail?: Uint8Array; readonly size?: number } = {},
): Uint8Array {
  const tail = options.tail ?? new Uint8Array(0);
  const known = structBytes(struct);
  const bytes = new Uint8Array(Math.max(known + tail.length, options.size ?? 0));
  const view = new DataView(bytes.buffer);
  const size = options.size ?? bytes.length;
  for (const [name, value] of Object.entries({ [placed(struct)[0]!.field.name]: size, ...constantsOf(struct), ...fields })) {
    const place = placed(struct).find(({ field }) => field.name === name);
    if (place === undefined) throw new CheckError(`Struct ${struct.name} has no field "${name}"`);
    writeField(view, place.at, place.field, value);
  }
  bytes.set(tail, known);
  return bytes.slice(0, Math.max(size > known ? bytes.length : size, 4));
}

function writeField(view: DataView, at: number, field: Field, value: number | bigint): void {
  switch (fieldBytes({ ...field, array: 1 })) {
    case 1:
      return view.setUint8(at, Number(value));
    case 2:
      return view.setUint16(at, Number(value), true);
    case 4:
      return view.setUint32(at, Number(value), true);
    default:
      return view.setBigUint64(at, BigInt.asUintN(64, BigInt(value)), true);
  }
}

/** What a request answered. */
export class Answer {
  /** "OK", or the name of the error. */
  readonly code: string;
  #struct: Struct | undefined;

  constructor(
    readonly request: string,
    struct: Struct | undefined,
    readonly result: number,
    /** The struct as it was asked. */
    readonly before: Uint8Array,
    /** The struct as it came back. */
    readonly after: Uint8Array,
  ) {
    this.code = result < 0 ? errnoName(-result) : "OK";
    this.#struct = struct;
  }

  /** A field of at most 32 bits of the answer. */
  number(name: string): number {
    return Number(this.#read(name));
  }

  /** A field of 64 bits of the answer. */
  big(name: string): bigint {
    return BigInt(this.#read(name));
  }

  #read(name: string): number | bigint {
    const place = placed(this.#struct!).find(({ field }) => field.name === name);
    if (place === undefined) throw new CheckError(`The struct of ${this.request} has no field "${name}"`);
    return readWidth(new DataView(this.after.buffer), place.at, place.field.width);
  }
}
