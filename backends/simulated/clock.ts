/**
 * Virtual time: a queue of events in the order in which they fall due, and the machine's only source of randomness.
 *
 * Nothing here looks at a real clock, so that a run is a function of the machine and its seed. Times are whole nanoseconds.
 *
 * @module
 */
import type { Clock, ClockEvent } from "./device.ts";

/** One entry of the queue. `slot` is its index in the heap, −1 once it left; it makes cancelling O(log n) without searching. */
class Entry implements ClockEvent {
  slot = -1;
  constructor(
    readonly time: number,
    readonly order: number,
    readonly callback: () => void,
    readonly scope: DeviceClock,
    readonly heap: EventHeap,
  ) {}

  cancel(): void {
    this.heap.remove(this);
  }
}

/** Whether `a` runs before `b`: by time, and among equal times in the order of scheduling. */
function before(a: Entry, b: Entry): boolean {
  return a.time < b.time || (a.time === b.time && a.order < b.order);
}

/** A binary heap of entries, the earliest on top. */
class EventHeap {
  #entries: Entry[] = [];

  get length(): number {
    return this.#entries.length;
  }

  get first(): Entry | undefined {
    return this.#entries[0];
  }

  push(entry: Entry): void {
    this.#entries.push(entry);
    this.#rise(entry, this.#entries.length - 1);
  }

  /** The entries of one scope, in no order. Looks at all there are: that is for a reset, not for each event. */
  of(scope: DeviceClock): Entry[] {
    return this.#entries.filter((entry) => entry.scope === scope);
  }

  remove(entry: Entry): void {
    const slot = entry.slot;
    if (slot < 0) return;
    entry.slot = -1;
    const last = this.#entries.pop()!;
    if (last === entry) return;
    this.#rise(last, slot);
    this.#sink(last, last.slot);
  }

  #rise(entry: Entry, slot: number): void {
    while (slot > 0) {
      const above = (slot - 1) >> 1;
      const parent = this.#entries[above]!;
      if (!before(entry, parent)) break;
      this.#put(parent, slot);
      slot = above;
    }
    this.#put(entry, slot);
  }

  #sink(entry: Entry, slot: number): void {
    const entries = this.#entries;
    for (;;) {
      let below = 2 * slot + 1;
      if (below >= entries.length) break;
      if (below + 1 < entries.length && before(entries[below + 1]!, entries[below]!)) below++;
      const child = entries[below]!;
      if (!before(child, entry)) break;
      this.#put(child, slot);
      slot = below;
    }
    this.#put(entry, slot);
  }

  #put(entry: Entry, slot: number): void {
    this.#entries[slot] = entry;
    entry.slot = slot;
  }
}

/** The machine's time. */
export class VirtualClock {
  #now = 0;
  #order = 0;
  #running = false;
  #heap = new EventHeap();
  #holds = 0;
  #executed = 0;

  /**
   * @param onError what to do with an exception that escapes an event: a fault of a device model, which must not become one of the system
   * call that happens to run the event.
   */
  constructor(readonly onError: (error: unknown) => void) {}

  /** Nanoseconds since power-on. */
  get now(): number {
    return this.#now;
  }

  /** Events waiting. */
  get length(): number {
    return this.#heap.length;
  }

  /** Events run since power-on. */
  get executed(): number {
    return this.#executed;
  }

  /** Whether work outside virtual time goes on. Time stands still meanwhile, since how long it takes must not decide what happens. */
  get held(): boolean {
    return this.#holds > 0;
  }

  /** Stop time until {@linkcode VirtualClock.release}. Holds count. */
  hold(): void {
    this.#holds++;
  }

  /** Take back one {@linkcode VirtualClock.hold}. */
  release(): void {
    this.#holds--;
  }

  /** A clock for one device, whose events can be cancelled together. */
  device(): DeviceClock {
    return new DeviceClock(this);
  }

  /** Let `nanoseconds` pass, running each event that falls due at its own time. */
  spend(nanoseconds: number): void {
    if (this.#holds > 0) return;
    const target = this.#now + nanoseconds;
    const first = this.#heap.first;
    if (first !== undefined && first.time <= target && !this.#running) this.#runUntil(target);
    if (this.#now < target) this.#now = target;
  }

  /** Go to the next event and run it. Returns false if there is none, or time is held. */
  step(): boolean {
    const entry = this.#heap.first;
    if (entry === undefined || this.#holds > 0 || this.#running) return false;
    this.#run(entry);
    return true;
  }

  /**
   * For {@linkcode DeviceClock}: queue an event. Times are at least 1 ns ahead, so that an event that re-arms itself cannot stop time; for that
   * they end where numbers are no longer exact, after 104 days.
   */
  schedule(nanoseconds: number, callback: () => void, scope: DeviceClock): Entry {
    const time = this.#now + Math.max(1, Math.ceil(nanoseconds));
    if (!(nanoseconds >= 0 && time <= Number.MAX_SAFE_INTEGER)) {
      throw new RangeError(
        `Cannot schedule an event in ${nanoseconds} ns: the delay must be 0 or more and end by 2^53 - 1 ns of machine time`,
      );
    }
    const entry = new Entry(time, this.#order++, callback, scope, this.#heap);
    this.#heap.push(entry);
    return entry;
  }

  /** For {@linkcode DeviceClock}: take all its events out of the queue. */
  unscheduleAll(scope: DeviceClock): void {
    for (const entry of this.#heap.of(scope)) this.#heap.remove(entry);
  }

  #runUntil(target: number): void {
    for (let entry = this.#heap.first; entry !== undefined && entry.time <= target && this.#holds === 0; entry = this.#heap.first) {
      this.#run(entry);
    }
  }

  #run(entry: Entry): void {
    this.#heap.remove(entry);
    if (this.#now < entry.time) this.#now = entry.time;
    this.#executed++;
    this.#running = true;
    try {
      entry.callback();
    } catch (error) {
      this.onError(error);
    } finally {
      this.#running = false;
    }
  }
}

/** The part of the clock that one device sees. */
export class DeviceClock implements Clock {
  #clock: VirtualClock;

  /** Made by {@linkcode VirtualClock.device}. */
  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  /** @inheritdoc */
  get now(): number {
    return this.#clock.now;
  }

  /** @inheritdoc */
  after(nanoseconds: number, callback: () => void): ClockEvent {
    return this.#clock.schedule(nanoseconds, callback, this);
  }

  /** Cancel every event of the device. */
  cancelAll(): void {
    this.#clock.unscheduleAll(this);
  }
}

/**
 * Pseudo-random numbers from a seed: sfc32, by Chris Doty-Humphrey (public domain; PractRand), 128 bits of state.
 *
 * Each device has a stream of its own, so that what one device draws does not depend on how events of another interleave.
 */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** @param seed 0 to 2^53 − 1. @param stream separates users of the same seed: 0 to 2^32 − 1. */
  constructor(seed: number, stream = 0) {
    this.#a = seed >>> 0;
    this.#b = Math.floor(seed / 2 ** 32) >>> 0;
    this.#c = stream >>> 0;
    // The first outputs of similar seeds are alike; twelve rounds part them, as the author of sfc recommends.
    for (let round = 0; round < 12; round++) this.next32();
  }

  /** The next 32 bits, unsigned. */
  next32(): number {
    const sum = (this.#a + this.#b + this.#counter++) >>> 0;
    this.#a = (this.#b ^ (this.#b >>> 9)) >>> 0;
    this.#b = (this.#c + (this.#c << 3)) >>> 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) >>> 0;
    return sum;
  }

  /** A whole number of 0 or more, below `limit`. @throws {RangeError} if `limit` is not a whole number from 1 to 2^53 − 1. */
  below(limit: number): number {
    if (!Number.isSafeInteger(limit) || limit < 1) {
      throw new RangeError(`Cannot draw a number below ${limit}: a whole number of 1 or more is needed`);
    }
    const bits53 = (this.next32() >>> 11) * 2 ** 32 + this.next32();
    return Math.floor((bits53 / 2 ** 53) * limit);
  }
}
