/**
 * The codec against an encoder that walks the schema: two ways to the same bytes, of which only one is straight-line code.
 */
import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import * as codec from "../../uapi/codec.ts";
import { DESCRIBED } from "../../uapi/schema/layout.ts";
import type { Field, Struct, Width } from "../../uapi/schema/types.ts";

type Values = Readonly<Record<string, unknown>>;
type Put = (view: DataView, at: number, value?: Values, size?: number) => void;
type Get = (view: DataView, at: number) => unknown;

const exported = codec as unknown as Readonly<Record<string, unknown>>;
const BITS: Readonly<Record<Width, number>> = { u8: 8, u16: 16, u32: 32, s32: 32, u64: 64 };

function spelled(name: string): string {
  const [first, ...rest] = name.split("_").filter((part) => part !== "");
  return first! + rest.map((part) => part[0]!.toUpperCase() + part.slice(1)).join("");
}

function isGiven({ role }: Field): boolean {
  return role.is !== "size" && role.is !== "reserved" && role.is !== "constant";
}

function scalar(width: Width): fc.Arbitrary<number | bigint> {
  if (width === "u64") return fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
  if (width === "s32") return fc.integer();
  return fc.integer({ min: 0, max: 2 ** BITS[width] - 1 });
}

function valuesOf(struct: Struct): fc.Arbitrary<Values> {
  const shape = struct.fields.filter(isGiven).map((field) => {
    const one = scalar(field.width);
    return [spelled(field.name), field.array === undefined ? one : fc.array(one, { minLength: field.array, maxLength: field.array })];
  });
  return fc.record(Object.fromEntries(shape));
}

/** The bytes of a struct, one at a time from the lowest bit up: nothing is shared with the codec. */
function reference(struct: Struct, values: Values, size: number): Uint8Array {
  const bytes: number[] = [];
  for (const field of struct.fields) {
    const { role } = field;
    const given = role.is === "size" ? size : role.is === "constant" ? role.value : isGiven(field) ? values[spelled(field.name)] : 0;
    const elements = Array.isArray(given) ? given : Array(field.array ?? 1).fill(given);
    for (const element of elements) {
      const bits = BigInt.asUintN(BITS[field.width], BigInt(element as number | bigint));
      for (let shift = 0; shift < BITS[field.width]; shift += 8) bytes.push(Number((bits >> BigInt(shift)) & 0xffn));
    }
  }
  return Uint8Array.from(bytes);
}

const structs = DESCRIBED.flatMap(({ structs }) => structs);

for (const struct of structs) {
  const size = exported[`${struct.name}Size`] as number;
  const put = exported[`put${struct.name}`] as Put;
  const get = exported[`get${struct.name}`] as Get | undefined;

  Deno.test(`put${struct.name} and get${struct.name} agree with an encoder that walks the schema`, () => {
    fc.assert(
      fc.property(valuesOf(struct), fc.integer({ min: 0, max: 3 }), (values, at) => {
        const bytes = new Uint8Array(size + 8).fill(0xa5);
        const view = new DataView(bytes.buffer);
        put(view, at, values);
        deepStrictEqual(bytes.slice(at, at + size), reference(struct, values, size));
        ok(bytes.subarray(0, at).every((byte) => byte === 0xa5) && bytes.subarray(at + size).every((byte) => byte === 0xa5));
        if (get) deepStrictEqual({ ...(get(view, at) as Values) }, { ...values });
        for (const { name, direction, role } of struct.fields) {
          const single = exported[`get${struct.name}${spelled(`x_${name}`).slice(1)}`] as Get | undefined;
          strictEqual(single !== undefined, direction !== "in" && role.is !== "reserved", name);
          if (single && role.is !== "size") deepStrictEqual(single(view, at), values[spelled(name)]);
        }
      }),
      { numRuns: 50 },
    );
  });
}

Deno.test("what only the kernel writes may be left out", () => {
  const view = new DataView(new Uint8Array(codec.IoasAllocSize).fill(0xff).buffer);
  codec.putIoasAlloc(view, 0, { flags: 0 });
  deepStrictEqual(codec.getIoasAlloc(view, 0), { flags: 0, outIoasId: 0 });
});

Deno.test("a struct with content behind it takes the size of the whole", () => {
  const view = new DataView(new ArrayBuffer(32));
  const value = { flags: codec.IRQ_SET_DATA_EVENTFD | codec.IRQ_SET_ACTION_TRIGGER, index: codec.PCI_MSIX_IRQ_INDEX, start: 0, count: 2 };
  codec.putIrqSet(view, 0, value, 28);
  strictEqual(view.getUint32(0, true), 28);
  codec.putRegionInfo(view, 0, { index: 7 });
  strictEqual(codec.getRegionInfoArgsz(view, 0), codec.RegionInfoSize);
});
