/**
 * Shorthands to write the schema with.
 *
 * @module
 */
import type { Direction, Extent, Field, FileKind, Names, ObjectKind, Role, Tail, Width } from "./types.ts";

/** The first field of each request of iommufd. */
export const SIZE: Field = {
  name: "size",
  width: "u32",
  direction: "in",
  role: { is: "size" },
  doc: "Bytes of this struct as the caller knows it.",
};

/** The first field of each request of VFIO. */
export const ARGSZ: Field = { ...SIZE, name: "argsz" };

/** `argsz` of a request that answers how many bytes a whole answer needs. */
export const ARGSZ_ANSWERED: Field = {
  ...ARGSZ,
  direction: "inout",
  doc: "Bytes that the caller gives; the answer is what a whole answer needs, if that is more.",
};

/** A field that the caller writes. */
export function input(name: string, width: Width, role: Role, doc: string, more: Partial<Field> = {}): Field {
  return { name, width, direction: "in", role, doc, ...more };
}

/** A field that the kernel writes. */
export function output(name: string, width: Width, role: Role, doc: string, more: Partial<Field> = {}): Field {
  return { name, width, direction: "out", role, doc, ...more };
}

/** A field that the caller writes and the kernel overwrites. */
export function both(name: string, width: Width, role: Role, doc: string, more: Partial<Field> = {}): Field {
  return { name, width, direction: "inout", role, doc, ...more };
}

/** A field that must be zero. */
export function reserved(name = "__reserved", width: Width = "u32", more: Partial<Field> = {}): Field {
  return { name, width, direction: "in", role: { is: "reserved" }, doc: "Must be zero.", ...more };
}

/** Flags of which none is defined yet. */
export const NO_FLAGS: Field = input("flags", "u32", { is: "flags", names: null }, "No flag is defined: must be zero.");

/** A field of named bits that the caller sets. */
export function flags(names: Names, doc: string, width: Width = "u32"): Field {
  return input("flags", width, { is: "flags", names }, doc);
}

/** The id of an object that exists. */
export function id(...kinds: ObjectKind[]): Role {
  return { is: "id", kinds };
}

/** The id of an object that the request makes. */
export function newId(kind: ObjectKind): Role {
  return { is: "id", kinds: [kind], makes: true };
}

/** A file that is open. */
export function fd(of: FileKind): Role {
  return { is: "fd", of };
}

/** A file that the request opens. */
export function newFd(of: FileKind): Role {
  return { is: "fd", of, makes: true };
}

/** An address of arguments (`in`), results (`out`) or both. */
export function pointer(data: Direction, extent: Extent): Role {
  return { is: "pointer", extent, data };
}

/** One of several named values. */
export function oneOf(names: Names): Role {
  return { is: "enum", names };
}

/** The three fields that begin each capability of an answer. */
export const CAPABILITY_HEADER: readonly Field[] = [
  output("id", "u16", { is: "value" }, "Which capability this is.", { c: "header.id" }),
  output("version", "u16", { is: "value" }, "Version of this capability's layout.", { c: "header.version" }),
  output("next", "u32", { is: "offset" }, "Offset of the next capability from the start of the answer, 0 for the last.", {
    c: "header.next",
  }),
];

/** Elements that follow a struct. */
export function tail(name: string, of: string, count: string, direction: Direction, role: Role, doc: string): Tail {
  return { name, of, count, direction, role, doc };
}
