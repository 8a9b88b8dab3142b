/**
 * The memory that a request's pointers reach: what a trace must save beside the struct itself.
 *
 * @module
 */
import { extentBytes, placed, readWidth, requestNumbered, structIn, structOf } from "./schema/layout.ts";
import type { Direction, Field, Struct } from "./schema/types.ts";

/** A piece of memory behind a pointer of a request. */
export interface Pointed {
  /** The pointer's field. */
  readonly field: string;
  /** Address in the process. */
  readonly address: bigint;
  /** Bytes. */
  readonly length: number;
  /** Whether the kernel reads it, writes it, or both. */
  readonly data: Direction;
  /** The struct of which it is an array, if it is one. */
  readonly of?: string;
}

/** More than any request may point at: HWPT_INVALIDATE takes 2^19 entries of 4096 bytes at most. */
const LENGTH_MAX = 2n ** 31n;

function pointedBy(field: Field, at: number, struct: Struct, view: DataView): Pointed | undefined {
  if (field.role.is !== "pointer") return undefined;
  const address = BigInt(readWidth(view, at, field.width));
  const length = extentBytes(field.role.extent, struct, view);
  if (address === 0n || length === 0n || length > LENGTH_MAX) return undefined;
  const place = { field: field.name, address, length: Number(length), data: field.role.data };
  return "of" in field.role.extent ? { ...place, of: field.role.extent.of } : place;
}

/** What the pointers in the bytes of a request reach. Null pointers and lengths that no kernel accepts are left out. */
export function pointedMemory(request: number, bytes: Uint8Array): Pointed[] {
  const row = requestNumbered(request);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const struct = row && structIn(row, view);
  if (!struct) return [];
  return placed(struct).flatMap(({ field, at }) => pointedBy(field, at, struct, view) ?? []);
}

/**
 * How many bytes of an argument belong to a request: what its size field says, at most `available`.
 *
 * Of a request that the schema does not know, all of them.
 */
export function argumentLength(request: number, bytes: Uint8Array): number {
  const row = requestNumbered(request);
  if (!row || bytes.byteLength < 4) return bytes.byteLength;
  if (!structOf(row)) return 0;
  return Math.min(new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true), bytes.byteLength);
}
