/**
 * uapi/codec.ts: straight-line reading and writing of each struct.
 *
 * @module
 */
import { placed, structBytes, widthBytes } from "../../uapi/schema/layout.ts";
import type { Placed } from "../../uapi/schema/layout.ts";
import type { Family, Field, Request, Struct, Width } from "../../uapi/schema/types.ts";
import { camelCase, constants, hex, pascalCase } from "./names.ts";

const HEAD = `/**
 * Reads and writes the structs of all requests: straight-line code, since a table interpreted at each call costs ten times as much.
 *
 * \`putX\` writes a whole struct at \`at\`, its size and its reserved fields included; \`getX\` reads it; \`getXField\` reads one field that the
 * kernel answers. 64-bit fields are bigints, all others numbers. Names are Linux's without \`IOMMU_\` and \`VFIO_\`.
 *
 * @module
 */

/** What \`put\` takes: fields that only the kernel writes may be left out and are then zero. */
export type Put<T, Out extends keyof T> = Omit<T, Out> & Partial<Pick<T, Out>>;
`;

const METHOD: Readonly<Record<Width, string>> = { u8: "Uint8", u16: "Uint16", u32: "Uint32", s32: "Int32", u64: "BigUint64" };

/** Whether a field appears in the interface: sizes, reserved fields and constants are written by `put` itself. */
function isVisible({ role }: Field): boolean {
  return role.is !== "size" && role.is !== "reserved" && role.is !== "constant";
}

function typeOf({ width, array }: Field): string {
  const single = width === "u64" ? "bigint" : "number";
  return array === undefined ? single : `readonly [${Array(array).fill(single).join(", ")}]`;
}

function position(at: number): string {
  return at === 0 ? "at" : `at + ${at}`;
}

function get(width: Width, at: number): string {
  return `view.get${METHOD[width]}(${position(at)}${width === "u8" ? "" : ", true"})`;
}

function set(width: Width, at: number, value: string): string {
  return `view.set${METHOD[width]}(${position(at)}, ${value}${width === "u8" ? "" : ", true"});`;
}

function zero(width: Width): string {
  return width === "u64" ? "0n" : "0";
}

function elements({ field, at }: Placed): number[] {
  return Array.from({ length: field.array ?? 1 }, (_, index) => at + index * widthBytes(field.width));
}

function putField(struct: Struct, place: Placed): string[] {
  const { field } = place;
  const name = `value.${camelCase(field.name)}`;
  if (field.role.is === "size") return [set(field.width, place.at, isOpen(struct) ? camelCase(field.name) : `${struct.name}Size`)];
  if (field.role.is === "constant") return [set(field.width, place.at, hex(field.role.value))];
  return elements(place).map((at, index) => {
    if (!isVisible(field)) return set(field.width, at, zero(field.width));
    const optional = field.direction === "out";
    const value = field.array === undefined ? name : `${name}${optional ? "?." : ""}[${index}]`;
    return set(field.width, at, optional ? `${value} ?? ${zero(field.width)}` : value);
  });
}

/** Whether content can follow the struct, so that the caller must say how large the whole is. */
function isOpen({ tails, fields }: Struct): boolean {
  return fields[0]!.role.is === "size" && (tails !== undefined || fields.some(({ role }) => role.is === "capabilities"));
}

function putFunction(struct: Struct, visible: readonly Placed[]): string {
  const outs = visible.filter(({ field }) => field.direction === "out").map(({ field }) => JSON.stringify(camelCase(field.name)));
  const type = outs.length > 0 ? `Put<${struct.name}, ${outs.join(" | ")}>` : struct.name;
  const parameters = ["view: DataView", "at: number"];
  if (visible.length > 0) parameters.push(`value: ${type}`);
  if (isOpen(struct)) parameters.push(`${camelCase(struct.fields[0]!.name)}: number = ${struct.name}Size`);
  const more = isOpen(struct) ? " The last argument is the size with what follows the struct." : "";
  return `/** Write a {@linkcode ${visible.length > 0 ? struct.name : `${struct.name}Size`}}.${more} */
export function put${struct.name}(${parameters.join(", ")}): void {
${placed(struct).flatMap((place) => putField(struct, place)).join("\n")}
}
`;
}

function getValue(place: Placed): string {
  const values = elements(place).map((at) => get(place.field.width, at));
  return place.field.array === undefined ? values[0]! : `[${values.join(", ")}]`;
}

function getFunctions(struct: Struct, visible: readonly Placed[]): string {
  const whole = `/** Read a {@linkcode ${struct.name}}. */
export function get${struct.name}(view: DataView, at: number): ${struct.name} {
return {
${visible.map((place) => `${camelCase(place.field.name)}: ${getValue(place)},`).join("\n")}
};
}
`;
  const answered = placed(struct).filter(({ field }) => field.direction !== "in" && field.role.is !== "reserved");
  const single = answered.map((place) =>
    `/** Read \`${place.field.name}\` of a {@linkcode ${struct.name}}. */
export function get${struct.name}${pascalCase(place.field.name)}(view: DataView, at: number): ${typeOf(place.field)} {
return ${getValue(place)};
}
`
  );
  return [whole, ...single].join("\n");
}

function structCode(struct: Struct): string {
  const visible = placed(struct).filter(({ field }) => isVisible(field));
  const origin = struct.c ? ` (\`struct ${struct.c}\`)` : "";
  const size = `/** Bytes of \`${struct.c ?? struct.name}\`${struct.tails ? " without what follows it" : ""}. ${
    visible.length > 0 ? "" : struct.doc
  } */
export const ${struct.name}Size = ${structBytes(struct)};
`;
  if (visible.length === 0) return `${size}\n${putFunction(struct, visible)}`;
  return `/** ${struct.doc}${origin} */
export interface ${struct.name} {
${visible.map(({ field }) => `/** ${field.doc} */\n${camelCase(field.name)}: ${typeOf(field)};`).join("\n")}
}

${size}
${putFunction(struct, visible)}
${getFunctions(struct, visible)}`;
}

function constantsCode(family: Family): string {
  const named = constants(family).map(({ name, value, width, names }) =>
    `/** ${names.doc} */\nexport const ${name} = ${value > 9 ? hex(value) : value}${width === "u64" ? "n" : ""};`
  );
  const numbers = family.requests.map(({ name, number, doc }) => `/** Request: ${doc} */\nexport const ${name} = ${hex(number)};`);
  return [...numbers, ...named].join("\n");
}

/** Files whose requests have numbers that other files have too. */
const FILES_APART: ReadonlySet<Request["on"]> = new Set(["container", "group"]);

function checkUnique(families: readonly Family[]): void {
  const seen = new Set<string>();
  const all = families.flatMap((family) => [
    ...constants(family).map(({ name }) => name),
    ...family.requests.flatMap(({ name, number, on }) => [name, `${hex(number)} of ${FILES_APART.has(on) ? on : "others"}`]),
    ...family.structs.map(({ name }) => name),
  ]);
  for (const name of all) {
    if (seen.has(name)) throw new Error(`The schema names "${name}" twice`);
    seen.add(name);
  }
}

/** The module's text behind its first line, not yet formatted. */
export function codec(families: readonly Family[]): string {
  checkUnique(families);
  return [HEAD, ...families.flatMap((family) => [constantsCode(family), ...family.structs.map(structCode)])].join("\n\n");
}
