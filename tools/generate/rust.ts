/**
 * core-wasm/crates/uapi/src: the same structs in Rust, written as rustfmt would.
 *
 * @module
 */
import { ERRNO, errnoMeaning } from "../../uapi/errno.ts";
import { minimumBytes, placed, structBytes, structOf, widthBytes } from "../../uapi/schema/layout.ts";
import type { Placed } from "../../uapi/schema/layout.ts";
import type { Family, Field, Request, Struct, Width } from "../../uapi/schema/types.ts";
import { bareName, constants, hex } from "./names.ts";

/** rustfmt.toml: `max_width`. */
const LINE_MAX = 140;
const TYPE: Readonly<Record<Width, string>> = { u8: "u8", u16: "u16", u32: "u32", s32: "i32", u64: "u64" };

function sentence(text: string): string {
  return `${text[0]!.toUpperCase()}${text.slice(1)}.`;
}

function fieldName({ name }: Field): string {
  const bare = bareName(name);
  return bare === "type" ? "r#type" : bare;
}

function fieldType({ width, array }: Field): string {
  return array === undefined ? TYPE[width] : `[${TYPE[width]}; ${array}]`;
}

/** How a field is read from bytes. */
interface FieldRead {
  readonly name: string;
  readonly elements: readonly string[];
  readonly value: string;
}

function readField({ field, at }: Placed): FieldRead {
  const elements = Array.from(
    { length: field.array ?? 1 },
    (_, index) => `${TYPE[field.width]}_at(bytes, ${at + index * widthBytes(field.width)})`,
  );
  return { name: fieldName(field), elements, value: field.array === undefined ? elements[0]! : `[${elements.join(", ")}]` };
}

function writeField({ field, at }: Placed): string[] {
  const write = (index: number, value: string) => `put_${TYPE[field.width]}(bytes, ${at + index * widthBytes(field.width)}, ${value});`;
  if (field.array === undefined) return [write(0, `self.${fieldName(field)}`)];
  return Array.from({ length: field.array }, (_, index) => write(index, `self.${fieldName(field)}[${index}]`));
}

/** A field of a struct literal on lines of its own; an array that does not fit on one has a line for each element. */
function literalField(indent: string, { value, elements, name }: FieldRead): string {
  const line = `${indent}${name}: ${value},`;
  if (line.length <= LINE_MAX) return line;
  return `${indent}${name}: [\n${elements.map((element) => `${indent}    ${element},`).join("\n")}\n${indent}],`;
}

/** A struct literal as rustfmt breaks it: on one line if it fits. */
function literal(indent: string, fields: readonly FieldRead[]): string {
  const line = `${indent}Self { ${fields.map(({ name, value }) => `${name}: ${value}`).join(", ")} }`;
  if (line.length <= LINE_MAX) return line;
  return `${indent}Self {\n${fields.map((field) => literalField(`${indent}    `, field)).join("\n")}\n${indent}}`;
}

function structCode(struct: Struct, minimum: number): string {
  const places = placed(struct);
  const size = structBytes(struct);
  return `/// ${struct.doc}${struct.c ? ` (\`struct ${struct.c}\`)` : ""}
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ${struct.name} {
${places.map(({ field }) => `    /// ${field.doc}\n    pub ${fieldName(field)}: ${fieldType(field)},`).join("\n")}
}

impl ${struct.name} {
    /// Bytes of the struct${struct.tails ? ", without what follows it" : ""}.
    pub const SIZE: usize = ${size};
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = ${minimum};

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
${literal("        ", places.map(readField))}
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
${places.flatMap(writeField).map((line) => `        ${line}`).join("\n")}
    }
}
`;
}

/** \`use\` of exactly the helpers that a module needs: an unused one is a warning. */
function helpers(structs: readonly Struct[]): string {
  const used = new Set(structs.flatMap(({ fields }) => fields.map(({ width }) => TYPE[width])));
  const names = [...used].flatMap((type) => [`put_${type}`, `${type}_at`]).sort(new Intl.Collator("en", { numeric: true }).compare);
  return `use crate::bytes::{${names.join(", ")}};`;
}

/** The module of a family behind its first line. */
export function familyModule(family: Family): string {
  const numbers = family.requests.map(({ name, number, doc }) => `/// Request: ${doc}\npub const ${name}: u32 = ${hex(number)};`);
  const named = constants(family).map(({ name, value, width, names }) =>
    `/// ${names.doc}\npub const ${name.toUpperCase()}: ${TYPE[width]} = ${value > 9 ? hex(value) : value};`
  );
  const structs = family.structs.map((struct) => {
    const request = family.requests.find((request) => request.struct === struct.name);
    return structCode(struct, request ? minimumBytes(request) : structBytes(struct));
  });
  return `//! ${family.doc}\n\n${helpers(family.structs)}\n\n${[...numbers, ...named].join("\n")}\n\n${structs.join("\n")}`;
}

/** errno.rs behind its first line. */
export function errnoModule(): string {
  const entries = Object.entries(ERRNO);
  return `//! Error numbers of Linux on x86-64.

use crate::Errno;

impl Errno {
${entries.map(([name, number]) => `    /// ${sentence(errnoMeaning(number))}\n    pub const ${name}: Errno = Errno(${number});`).join("\n")}

    /// The name of the error, or \`None\` for a number that Linux does not use.
    pub const fn name(self) -> Option<&'static str> {
        match self.0 {
${entries.map(([name, number]) => `            ${number} => Some("${name}"),`).join("\n")}
            _ => None,
        }
    }
}
`;
}

function row(request: Request): string {
  const struct = structOf(request);
  const kind = struct ? struct.fields[0]!.name === "size" ? "Size" : "Argsz" : "None";
  const beyond = { zero: "Zero", ignored: "Ignored", data: "Data" }[request.beyond ?? "ignored"];
  const size = struct ? structBytes(struct) : 0;
  return `    RequestRow::new("${request.name}", ${hex(request.number)}, ${size}, ${
    minimumBytes(request)
  }, SizeField::${kind}, Beyond::${beyond}),`;
}

/** requests.rs behind its first line. */
export function requestsModule(families: readonly Family[]): string {
  const requests = families.flatMap(({ requests }) => requests);
  return `//! All requests, in the order of the schema.

use crate::size_rule::{Beyond, RequestRow, SizeField};

/// One row for each request.
pub const REQUESTS: [RequestRow; ${requests.length}] = [
${requests.map(row).join("\n")}
];
`;
}
