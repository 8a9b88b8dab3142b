/**
 * Checks of what callers pass, made before anything is asked of the kernel.
 *
 * @module
 */

/** The largest number of 64 bits. */
export const U64_LAST = 0xffff_ffff_ffff_ffffn;
/** The last number of 32 bits. */
export const U32_LAST = 0xffff_ffff;
/** Bytes of the smallest page, in which memory of a process is given out. */
export const PAGE = 4096;

/** A value as an error shows it. */
function show(value: unknown): string {
  if (typeof value === "bigint") return `${value}n`;
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}

/** An address, a length or a label: a bigint of 64 bits. `what` names it in the error. @throws {TypeError} @throws {RangeError} */
export function checkU64(value: bigint, what: string): bigint {
  if (typeof value === "bigint" && BigInt.asUintN(64, value) === value) return value;
  if (typeof value !== "bigint") throw new TypeError(`Cannot use ${show(value)} as ${what}: a bigint is needed`);
  throw new RangeError(`Cannot use ${show(value)} as ${what}: it must be from 0 to 2^64 − 1`);
}

/** A length in bytes, as a number or a bigint. @throws {TypeError} @throws {RangeError} */
export function checkLength(value: number | bigint, what: string): bigint {
  if (typeof value === "bigint") return checkU64(value, what);
  return BigInt(checkCount(value, what, 0, Number.MAX_SAFE_INTEGER));
}

/** A whole number from `low` to `high`. @throws {TypeError} @throws {RangeError} */
export function checkCount(value: number, what: string, low: number, high: number): number {
  if (Number.isSafeInteger(value) && low <= value && value <= high) return value;
  if (typeof value !== "number") throw new TypeError(`Cannot use ${show(value)} as ${what}: a number is needed`);
  throw new RangeError(`Cannot use ${value} as ${what}: a whole number from ${low} to ${high} is needed`);
}

/** `value` rounded up to a multiple of `unit`. */
export function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}
