/**
 * Finds what changed in the memory that a caller looks at.
 *
 * JavaScript cannot be told of a write, so each look compares all of that memory with a copy: about a millisecond for each 4 MiB, and as much
 * memory again.
 *
 * @module
 */
import { addressText, type MemoryChange, toHex } from "./trace.ts";

interface Watched {
  readonly start: bigint;
  readonly bytes: Uint8Array;
  /** What `bytes` held at the last look. */
  readonly copy: Uint8Array;
}

/** Changes closer together than this become one, since each costs an address. */
const GAP_BYTES = 32;

function end({ start, bytes }: Watched): bigint {
  return start + BigInt(bytes.byteLength);
}

/** First position from `at` on where the two differ, in steps of four bytes where both are aligned. */
function nextDifference(bytes: Uint8Array, copy: Uint8Array, at: number): number {
  const length = bytes.byteLength;
  while (at < length && at % 4 !== 0) {
    if (bytes[at] !== copy[at]) return at;
    at++;
  }
  if (bytes.byteOffset % 4 === 0 && copy.byteOffset % 4 === 0) {
    const words = length >> 2;
    const now = new Uint32Array(bytes.buffer, bytes.byteOffset, words);
    const then = new Uint32Array(copy.buffer, copy.byteOffset, words);
    let word = at >> 2;
    while (word < words && now[word] === then[word]) word++;
    at = word << 2;
  }
  while (at < length && bytes[at] === copy[at]) at++;
  return at;
}

/** End of the run of changes that starts at `from`: the first stretch of {@linkcode GAP_BYTES} equal bytes ends it. */
function endOfRun(bytes: Uint8Array, copy: Uint8Array, from: number): number {
  let lastChanged = from;
  for (let at = from; at < bytes.byteLength && at - lastChanged <= GAP_BYTES; at++) {
    if (bytes[at] !== copy[at]) lastChanged = at;
  }
  return lastChanged + 1;
}

function changesOf({ start, bytes, copy }: Watched): MemoryChange[] {
  const found: MemoryChange[] = [];
  let at = nextDifference(bytes, copy, 0);
  while (at < bytes.byteLength) {
    const stop = endOfRun(bytes, copy, at);
    const piece = bytes.subarray(at, stop);
    copy.set(piece, at);
    found.push({ at: addressText(start + BigInt(at)), bytes: toHex(piece) });
    at = nextDifference(bytes, copy, stop);
  }
  return found;
}

/** The memory that a caller looks at, with a copy of it. */
export class MemoryWatch {
  #watched: Watched[] = [];

  /**
   * Watch the memory at an address from now on. Answers whether it was not watched yet; its content then counts as a change from zeros.
   */
  add(start: bigint, bytes: Uint8Array): boolean {
    const added: Watched = { start, bytes, copy: new Uint8Array(bytes.byteLength) };
    if (bytes.byteLength === 0 || this.#watched.some((old) => old.start <= start && end(added) <= end(old))) return false;
    this.#watched = this.#watched.filter((old) => !(start <= old.start && end(old) <= end(added)));
    this.#watched.push(added);
    return true;
  }

  /** Stop watching a range that is no longer mapped. */
  remove(start: bigint, length: bigint): void {
    const stop = start + length;
    this.#watched = this.#watched.flatMap((old) => {
      if (end(old) <= start || stop <= old.start) return [old];
      const left = old.start < start ? [this.#part(old, old.start, start)] : [];
      const right = stop < end(old) ? [this.#part(old, stop, end(old))] : [];
      return [...left, ...right];
    });
  }

  #part({ start, bytes, copy }: Watched, from: bigint, to: bigint): Watched {
    const [low, high] = [Number(from - start), Number(to - start)];
    return { start: from, bytes: bytes.subarray(low, high), copy: copy.subarray(low, high) };
  }

  /** What changed since the last look. */
  changes(): MemoryChange[] {
    return this.#watched.flatMap(changesOf);
  }
}
