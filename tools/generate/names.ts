/**
 * How names and types of the schema are spelled in the generated languages.
 *
 * @module
 */
import type { Family, Field, Names, Width } from "../../uapi/schema/types.ts";

/** A field's name without the underscores in front: `__reserved2` is `reserved2`. */
export function bareName(name: string): string {
  return name.replace(/^_+/, "");
}

/** `out_ioas_id` is `outIoasId`. */
export function camelCase(name: string): string {
  return bareName(name).replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** `outIoasId` is `OutIoasId`. */
export function pascalCase(name: string): string {
  const camel = camelCase(name);
  return camel[0]!.toUpperCase() + camel.slice(1);
}

/** `0x3b85`. */
export function hex(number: number): string {
  return `0x${number.toString(16)}`;
}

/** How wide the field is that holds these names: constants get its type, so that both compare without a conversion. */
export function namesWidth(names: Names, family: Family): Width {
  const holds = ({ role }: Field) => (role.is === "flags" || role.is === "enum") && role.names?.doc === names.doc;
  return family.structs.flatMap(({ fields }) => fields).find(holds)?.width ?? "u32";
}

/** All constants of a family with their widths; a name given twice is an error. */
export function constants(
  family: Family,
): { readonly name: string; readonly value: number; readonly width: Width; readonly names: Names }[] {
  return family.names.flatMap((names) => {
    const width = namesWidth(names, family);
    return Object.entries(names.values).map(([name, value]) => ({ name, value, width, names }));
  });
}
