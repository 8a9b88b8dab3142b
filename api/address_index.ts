/**
 * A sorted map from numbers to values, for "what lies at or below this address".
 *
 * @module
 */

/** Entries of a chunk before it is split. */
const CHUNK_MAX = 512;

interface Chunk<V> {
  readonly keys: number[];
  readonly values: V[];
}

/** How many of the sorted `keys` are at most `key`. */
function countUpTo(keys: readonly number[], key: number): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keys[middle]! <= key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Keys in order, in chunks of at most 512.
 *
 * A look-up is two binary searches: O(log n), and it allocates nothing. An insertion moves at most 512 entries of one chunk and, once in 256
 * insertions, the list of chunks, which for 100,000 entries has 400: less than a microsecond, where one flat array would move 100,000 entries
 * and a tree would follow 17 pointers at each look-up.
 */
export class AddressIndex<V> {
  #chunks: Chunk<V>[] = [];
  /** The first key of each chunk. */
  #firsts: number[] = [];
  #size = 0;

  /** Entries. */
  get size(): number {
    return this.#size;
  }

  /** The value of the greatest key that is at most `key`. */
  floor(key: number): V | undefined {
    const chunk = this.#chunks[countUpTo(this.#firsts, key) - 1];
    return chunk?.values[countUpTo(chunk.keys, key) - 1];
  }

  /** The value of the greatest key that is below that of an entry, `key`. */
  before(key: number): V | undefined {
    const at = countUpTo(this.#firsts, key) - 1;
    const chunk = this.#chunks[at];
    if (chunk === undefined) return undefined;
    const below = countUpTo(chunk.keys, key) - (chunk.keys[countUpTo(chunk.keys, key) - 1] === key ? 2 : 1);
    return below >= 0 ? chunk.values[below] : this.#chunks[at - 1]?.values.at(-1);
  }

  /** Add an entry. A key that is there gets the new value. */
  set(key: number, value: V): void {
    const at = Math.max(0, countUpTo(this.#firsts, key) - 1);
    const chunk = this.#chunks[at];
    if (chunk === undefined) {
      this.#chunks.push({ keys: [key], values: [value] });
      this.#firsts.push(key);
      this.#size++;
      return;
    }
    const position = countUpTo(chunk.keys, key);
    if (chunk.keys[position - 1] === key) {
      chunk.values[position - 1] = value;
      return;
    }
    chunk.keys.splice(position, 0, key);
    chunk.values.splice(position, 0, value);
    this.#firsts[at] = chunk.keys[0]!;
    this.#size++;
    if (chunk.keys.length > CHUNK_MAX) this.#split(at, chunk);
  }

  /** Take an entry out. Returns whether it was there. */
  delete(key: number): boolean {
    const at = countUpTo(this.#firsts, key) - 1;
    const chunk = this.#chunks[at];
    if (chunk === undefined) return false;
    const position = countUpTo(chunk.keys, key) - 1;
    if (chunk.keys[position] !== key) return false;
    chunk.keys.splice(position, 1);
    chunk.values.splice(position, 1);
    this.#size--;
    if (chunk.keys.length === 0) {
      this.#chunks.splice(at, 1);
      this.#firsts.splice(at, 1);
    } else {
      this.#firsts[at] = chunk.keys[0]!;
    }
    return true;
  }

  #split(at: number, chunk: Chunk<V>): void {
    const half = chunk.keys.length >>> 1;
    const upper = { keys: chunk.keys.splice(half), values: chunk.values.splice(half) };
    this.#chunks.splice(at + 1, 0, upper);
    this.#firsts.splice(at + 1, 0, upper.keys[0]!);
  }
}
