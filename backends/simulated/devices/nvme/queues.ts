/**
 * Submission and completion queues: rings in the host's memory (NVMe 1.4, 4.1).
 *
 * @module
 */
import { joinAddress } from "./memory.ts";

/** A ring in the host's memory. */
export interface Ring {
  /** Bits 31 to 0 of its address. */
  readonly low: number;
  /** Bits 63 to 32 of its address. */
  readonly high: number;
  /** Entries. */
  readonly entries: number;
}

/** What the host puts commands into. */
export class SubmissionQueue {
  /** The next entry that the controller fetches. */
  head = 0;
  /** The next entry that the host fills, as its doorbell says. */
  tail = 0;
  #used = new Uint32Array(2048);

  /** Queue `id` completes into `completion`. */
  constructor(readonly id: number, readonly ring: Ring, readonly completion: CompletionQueue) {}

  /** Entries that wait to be fetched. */
  get waiting(): number {
    return this.tail >= this.head ? this.tail - this.head : this.tail - this.head + this.ring.entries;
  }

  /** Entries that wait to be fetched and follow each other in memory. */
  get contiguous(): number {
    return (this.tail >= this.head ? this.tail : this.ring.entries) - this.head;
  }

  /** The controller fetched `count` entries. */
  advance(count: number): void {
    this.head = (this.head + count) % this.ring.entries;
  }

  /** Take a command identifier into use; false if it is in use. */
  claim(commandId: number): boolean {
    const word = commandId >>> 5;
    const bit = 1 << (commandId & 31);
    if ((this.#used[word]! & bit) !== 0) return false;
    this.#used[word]! |= bit;
    return true;
  }

  /** The command completed. */
  release(commandId: number): void {
    this.#used[commandId >>> 5]! &= ~(1 << (commandId & 31));
  }
}

/** What the controller puts completions into, and those that wait for room. */
export class CompletionQueue {
  /** The next entry that the host reads, as its doorbell says. */
  head = 0;
  /** The next entry that the controller fills. */
  tail = 0;
  /** The phase tag of the current round. */
  phase = 1;
  /** Submission queues that complete here. */
  users = 0;
  #waiting: Uint16Array;
  #first = 0;
  #count = 0;

  /**
   * @param vector the interrupt vector. @param interrupts whether the queue interrupts at all.
   * @param slots commands that the controller holds at most, and so completions that can wait. A power of two.
   */
  constructor(readonly id: number, readonly ring: Ring, readonly vector: number, readonly interrupts: boolean, slots: number) {
    this.#waiting = new Uint16Array(slots);
  }

  /** Completions that wait to be posted. */
  get waiting(): number {
    return this.#count;
  }

  /** Entries that the host has not consumed. */
  get unread(): number {
    return (this.tail - this.head + this.ring.entries) % this.ring.entries;
  }

  /** Entries that can be posted now in one piece: one entry stays free, so that full and empty differ. */
  get room(): number {
    return Math.min(this.ring.entries - 1 - this.unread, this.ring.entries - this.tail);
  }

  /** A command completed; its completion waits to be posted. */
  push(slot: number): void {
    this.#waiting[(this.#first + this.#count++) & (this.#waiting.length - 1)] = slot;
  }

  /** Take the oldest completion that waits. */
  shift(): number {
    const slot = this.#waiting[this.#first]!;
    this.#first = (this.#first + 1) & (this.#waiting.length - 1);
    this.#count--;
    return slot;
  }

  /** The controller posted `count` entries. */
  advance(count: number): void {
    this.tail += count;
    if (this.tail < this.ring.entries) return;
    this.tail -= this.ring.entries;
    this.phase ^= 1;
  }

  /** The host says that it read up to `head`. False if there is nothing there to be read. */
  consume(head: number): boolean {
    const read = (head - this.head + this.ring.entries) % this.ring.entries;
    if (head >= this.ring.entries || read > this.unread) return false;
    this.head = head;
    return true;
  }
}

/** Whether a ring ends below 2^64. */
export function ringFits({ low, high, entries }: Ring, entryLength: number): boolean {
  return joinAddress(low + entries * entryLength - 1, high) !== undefined;
}
