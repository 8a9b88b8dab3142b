/**
 * How many bytes values and fields take.
 *
 * @module
 */
import type { Field, Width } from "./types.ts";

const WIDTH_BYTES: Readonly<Record<Width, number>> = { u8: 1, u16: 2, u32: 4, s32: 4, u64: 8 };

/** Bytes of a value of this width. */
export function widthBytes(width: Width): number {
  return WIDTH_BYTES[width];
}

/** Bytes of a field, all elements of an array included. */
export function fieldBytes(field: Field): number {
  return WIDTH_BYTES[field.width] * (field.array ?? 1);
}

/** Bytes of fields side by side. */
export function fieldsBytes(fields: readonly Field[]): number {
  return fields.reduce((sum, field) => sum + fieldBytes(field), 0);
}
