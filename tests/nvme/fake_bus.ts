/**
 * A bus without a machine: plain memory behind DMA, a clock of a few lines, interrupts as a list.
 *
 * @module
 */
import type { Bus, Clock, Dma, DmaFault } from "../../backends/simulated/device.ts";

/** Bytes of memory; IOVA 0 is its first. */
export const MEMORY_LENGTH = 0x200_0000;

interface FakeEvent {
  time: number;
  order: number;
  callback: () => void;
}

/** A bus for one device under test. */
export class FakeBus implements Bus {
  /** What DMA reaches. */
  readonly memory: Uint8Array = new Uint8Array(MEMORY_LENGTH);
  /** The same, for words. */
  readonly view: DataView = new DataView(this.memory.buffer);
  /** Ranges that DMA may not touch: start and last, inclusive. */
  readonly refused: { start: number; last: number }[] = [];
  /** DMA so far. */
  readonly transfers: { iova: bigint; length: number; write: boolean }[] = [];
  /** Vectors raised, in order; −1 where the pin fell. */
  readonly raised: number[] = [];
  /** What the device believes to be enabled. */
  interruptMode: Bus["interruptMode"] = "msix";
  /** Promises that hold time. */
  held = 0;
  /** Nanoseconds. */
  now = 0;
  #events: FakeEvent[] = [];
  #order = 0;
  #seed: number;

  /** @param seed of {@linkcode FakeBus.random}. */
  constructor(seed = 1) {
    this.#seed = seed;
  }

  /** As the interface has it. */
  readonly dma: Dma = {
    read: (iova, into) => {
      const fault = this.#check(iova, into.length, false);
      if (fault === undefined) into.set(this.memory.subarray(Number(iova), Number(iova) + into.length));
      return fault;
    },
    write: (iova, from) => {
      const fault = this.#check(iova, from.length, true);
      if (fault === undefined) this.memory.set(from, Number(iova));
      return fault;
    },
    onDemand: (access, iova, bytes, done) => done(access === "write" ? this.dma.write(iova, bytes) : this.dma.read(iova, bytes)),
  };

  /** As the interface has it. */
  readonly clock: Clock = this.#clock();

  #clock(): Clock {
    // deno-lint-ignore no-this-alias
    const bus = this;
    return {
      get now() {
        return bus.now;
      },
      after: (nanoseconds, callback) => {
        const event = { time: bus.now + Math.max(1, nanoseconds), order: bus.#order++, callback };
        bus.#events.push(event);
        return { cancel: () => void (bus.#events = bus.#events.filter((other) => other !== event)) };
      },
    };
  }

  #check(iova: bigint, length: number, write: boolean): DmaFault | undefined {
    this.transfers.push({ iova, length, write });
    const start = Number(iova);
    const last = start + length - 1;
    if (last >= MEMORY_LENGTH) return "not-present";
    return this.refused.some((range) => range.start <= last && start <= range.last) ? "not-present" : undefined;
  }

  /** Run the next event; false if there is none. */
  step(): boolean {
    if (this.held > 0) return false;
    const next = this.#events.reduce<FakeEvent | undefined>(
      (best, event) =>
        best === undefined || event.time < best.time || (event.time === best.time && event.order < best.order) ? event : best,
      undefined,
    );
    if (next === undefined) return false;
    this.#events = this.#events.filter((event) => event !== next);
    this.now = next.time;
    next.callback();
    return true;
  }

  /** Run events until none is left. */
  run(): void {
    while (this.step());
  }

  /** As {@linkcode FakeBus.run}, also while asynchronous work goes on. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 10_000; turn++) {
      this.run();
      if (this.held === 0) return;
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    throw new Error("the device never came to rest");
  }

  /** A linear congruential generator is random enough for latencies. */
  random(limit: number): number {
    this.#seed = (Math.imul(this.#seed, 1664525) + 1013904223) >>> 0;
    return Math.floor(this.#seed / 2 ** 32 * limit);
  }
  allocate(length: number): Uint8Array {
    return new Uint8Array(length);
  }
  pin(): never {
    throw new TypeError("Cannot pin memory on this bus: it is that of a PCI function");
  }
  raise(vector: number): void {
    this.raised.push(vector);
  }
  lower(): void {
    this.raised.push(-1);
  }
  async pending<T>(work: Promise<T>): Promise<T> {
    this.held++;
    try {
      return await work;
    } finally {
      // What waits for the result runs first.
      setTimeout(() => this.held--, 0);
    }
  }
}
