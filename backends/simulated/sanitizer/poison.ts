/**
 * A pattern for memory that nobody has written: nothing sees a program's stores to its memory, but it can be seen that the pattern is gone.
 *
 * @module
 */

/** Bytes of the pattern, and so the smallest piece that can be told. */
export const POISON_LENGTH = 8;
/** Bytes that no program is likely to write eight of in a row: no text, no small number, no pointer of x86-64. */
const POISON = Uint8Array.of(0xdb, 0xa1, 0xc5, 0x9e, 0xf3, 0x87, 0xe9, 0xb5);

/** Fill memory whose first byte is at a multiple of 8 in the program's addresses. */
export function poison(bytes: Uint8Array): void {
  const step = Math.min(bytes.length, 4096);
  for (let at = 0; at < step; at++) bytes[at] = POISON[at % POISON_LENGTH]!;
  for (let done = step; done < bytes.length; done *= 2) bytes.copyWithin(done, 0, Math.min(done, bytes.length - done));
}

/** The first whole piece of the pattern in what a device read, and how many bytes follow it without a gap; undefined: all is written. */
export function findPoison(bytes: Uint8Array, iova: bigint): { readonly at: number; readonly length: number } | undefined {
  const first = (POISON_LENGTH - Number(iova % BigInt(POISON_LENGTH))) % POISON_LENGTH;
  for (let at = first; at + POISON_LENGTH <= bytes.length; at += POISON_LENGTH) {
    if (!isPoison(bytes, at)) continue;
    let end = at + POISON_LENGTH;
    while (end + POISON_LENGTH <= bytes.length && isPoison(bytes, end)) end += POISON_LENGTH;
    return { at, length: end - at };
  }
  return undefined;
}

function isPoison(bytes: Uint8Array, at: number): boolean {
  for (let index = 0; index < POISON_LENGTH; index++) if (bytes[at + index] !== POISON[index]) return false;
  return true;
}
