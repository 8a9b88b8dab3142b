/**
 * The commands that a controller has fetched and not completed: fields in typed arrays, so that a command makes no objects, and a heap of
 * the times when they are due.
 *
 * @module
 */

/** Words of 32 bits in a submission queue entry. */
export const WORDS = 16;

/** What a slot holds. */
export const SLOT = { free: 0, due: 1, running: 2, done: 3 } as const;

/** Fixed room for commands in flight. */
export class CommandSlots {
  /** Submission queue entries: command `slot` has words `WORDS * slot` and on. */
  readonly words: Uint32Array;
  /** Submission queue of each command. */
  readonly queue: Uint16Array;
  /** One of {@linkcode SLOT}. */
  readonly state: Uint8Array;
  /** Status field of the completion. */
  readonly status: Uint16Array;
  /** Dword 0 of the completion. */
  readonly result: Uint32Array;
  /** Whether the command's identifier was in use when it came, so that completing it must not free the identifier. */
  readonly conflict: Uint8Array;
  #due: Float64Array;
  #free: Uint16Array;
  #freeCount: number;
  #heap: Uint16Array;
  #heapCount = 0;

  /** @param length slots, at most 65,536. */
  constructor(readonly length: number) {
    this.words = new Uint32Array(WORDS * length);
    this.queue = new Uint16Array(length);
    this.state = new Uint8Array(length);
    this.status = new Uint16Array(length);
    this.result = new Uint32Array(length);
    this.conflict = new Uint8Array(length);
    this.#due = new Float64Array(length);
    this.#free = new Uint16Array(length);
    this.#heap = new Uint16Array(length);
    this.#freeCount = 0;
    this.clear();
  }

  /** Forget all commands. */
  clear(): void {
    this.#heapCount = 0;
    this.#freeCount = this.length;
    for (let slot = 0; slot < this.length; slot++) this.#free[slot] = this.length - 1 - slot;
    this.state.fill(SLOT.free);
  }

  /** Slots that are free. */
  get free(): number {
    return this.#freeCount;
  }

  /** When the first command is due; infinity if none waits. */
  get nextDue(): number {
    return this.#heapCount === 0 ? Infinity : this.#due[this.#heap[0]!]!;
  }

  /** Take a free slot; there must be one. */
  take(): number {
    return this.#free[--this.#freeCount]!;
  }

  /** Give a slot back. */
  give(slot: number): void {
    this.state[slot] = SLOT.free;
    this.#free[this.#freeCount++] = slot;
  }

  /** Let a command wait until `time`. */
  schedule(slot: number, time: number): void {
    this.#due[slot] = time;
    this.state[slot] = SLOT.due;
    this.#rise(this.#heapCount++, slot);
  }

  /** Take the command that is due first out of the heap. */
  shift(): number {
    const slot = this.#heap[0]!;
    this.#remove(0);
    return slot;
  }

  /** Take a command that waits out of the heap, wherever it is. */
  cancel(slot: number): void {
    this.#remove(this.#heap.indexOf(slot));
  }

  #remove(at: number): void {
    const last = this.#heap[--this.#heapCount]!;
    if (at === this.#heapCount) return;
    this.#rise(at, last);
    if (this.#heap[at] === last) this.#sink(at, last);
  }

  /** Among equal times the lower slot is first: any order will do, but it must be the same in each run. */
  #before(a: number, b: number): boolean {
    const difference = this.#due[a]! - this.#due[b]!;
    return difference === 0 ? a < b : difference < 0;
  }

  #rise(at: number, slot: number): void {
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!this.#before(slot, this.#heap[above]!)) break;
      this.#heap[at] = this.#heap[above]!;
      at = above;
    }
    this.#heap[at] = slot;
  }

  #sink(at: number, slot: number): void {
    for (let below = 2 * at + 1; below < this.#heapCount; below = 2 * at + 1) {
      if (below + 1 < this.#heapCount && this.#before(this.#heap[below + 1]!, this.#heap[below]!)) below++;
      if (!this.#before(this.#heap[below]!, slot)) break;
      this.#heap[at] = this.#heap[below]!;
      at = below;
    }
    this.#heap[at] = slot;
  }
}
