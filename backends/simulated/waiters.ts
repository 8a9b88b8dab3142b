/**
 * Waiting for a file to become readable: runs the machine's events meanwhile, and lets the rest of the program run too.
 *
 * @module
 */
import { ERRNO } from "../../uapi/errno.ts";
import type { VirtualClock } from "./clock.ts";

/**
 * Microtasks without a system call after which the program is taken to be done for now: more than an interrupt takes through the typed API and
 * the async functions of a driver from one call to the next, which is 12 for the driver of examples/nvme.
 */
const QUIET_TURNS = 32;
/** Events between two visits to the event loop of the program, so that timers and signals get their turn. */
const EVENTS_PER_TURN = 1024;

interface Waiter {
  readonly fd: number;
  finish(result: number): void;
}

/** All waits of a kernel. */
export class Waiters {
  #clock: VirtualClock;
  #poll: (fd: number) => number;
  #waiters = new Set<Waiter>();
  #changed = false;
  #active = false;
  #isOver = false;
  #quiet = 0;
  #budget = EVENTS_PER_TURN;
  #refill: ReturnType<typeof setTimeout> | undefined;

  /** @param poll 1 readable, 0 not, or −errno. */
  constructor(clock: VirtualClock, poll: (fd: number) => number) {
    this.#clock = clock;
    this.#poll = poll;
  }

  /** Waits going on. */
  get length(): number {
    return this.#waiters.size;
  }

  /** As the seam's `wait`. */
  wait(fd: number, signal?: AbortSignal): Promise<number> {
    if (this.#isOver) return Promise.resolve(-ERRNO.EBADF);
    if (signal?.aborted) return Promise.resolve(-ERRNO.EINTR);
    const ready = this.#poll(fd);
    if (ready !== 0) return Promise.resolve(Math.min(ready, 0));
    return new Promise((resolve) => {
      const onAbort = () => waiter.finish(-ERRNO.EINTR);
      const waiter: Waiter = {
        fd,
        finish: (result) => {
          this.#waiters.delete(waiter);
          signal?.removeEventListener("abort", onAbort);
          if (this.#waiters.size === 0) this.#stopYield();
          resolve(result);
        },
      };
      this.#waiters.add(waiter);
      signal?.addEventListener("abort", onAbort, { once: true });
      this.wake();
    });
  }

  /** The fd was closed. Its number may be used again at once, so its waits end now. */
  closed(fd: number): void {
    for (const waiter of this.#waiters) if (waiter.fd === fd) waiter.finish(-ERRNO.EBADF);
  }

  /** Something may have become readable, or there may be an event to run. Cheap where nobody waits. */
  wake(): void {
    this.#changed = true;
    if (this.#waiters.size > 0 && !this.#active) this.#run();
  }

  /** The program made a system call: it is not done yet, and time has passed. */
  entered(): void {
    this.#quiet = 0;
    if (this.#waiters.size > 0) this.wake();
  }

  /** The kernel goes away: all waits end with −EBADF, those to come too. */
  cancel(): void {
    this.#isOver = true;
    for (const waiter of this.#waiters) waiter.finish(-ERRNO.EBADF);
  }

  /** Run events while somebody waits and something is due. */
  async #run(): Promise<void> {
    this.#active = true;
    try {
      do await this.#untilQuiet(); while (this.#runUntilWaitEnds());
    } finally {
      this.#active = false;
    }
  }

  /**
   * Stop time until the program has done what it does next, as an interrupt handler runs before the device's next step: else how many
   * async functions are around a wait would decide what the device has done meanwhile.
   *
   * A program that never is quiet does not stop the others: its calls take time, and waits whose files are readable by then end here.
   */
  async #untilQuiet(): Promise<void> {
    for (this.#quiet = 0; this.#quiet < QUIET_TURNS; this.#quiet++) {
      await undefined;
      if (this.#changed && this.#check()) this.#quiet = 0;
    }
  }

  /** Returns whether to go on: a wait ended, and others remain. */
  #runUntilWaitEnds(): boolean {
    for (;;) {
      if (this.#changed && this.#check()) return this.#waiters.size > 0;
      if (this.#waiters.size === 0) return false;
      if (this.#budget === 0) {
        this.#yield();
        return false;
      }
      if (!this.#clock.step()) return false;
      this.#budget--;
    }
  }

  /** End the waits whose files are readable; returns whether there were any. */
  #check(): boolean {
    this.#changed = false;
    const before = this.#waiters.size;
    for (const waiter of this.#waiters) {
      const ready = this.#poll(waiter.fd);
      if (ready !== 0) waiter.finish(Math.min(ready, 0));
    }
    return this.#waiters.size < before;
  }

  /** A task of the event loop and not a microtask: only so do timers, input and abort signals get their turn. */
  #yield(): void {
    this.#refill ??= setTimeout(() => {
      this.#refill = undefined;
      this.#budget = EVENTS_PER_TURN;
      this.wake();
    }, 0);
  }
  /** Nobody waits: a timer left behind would keep the program alive. */
  #stopYield(): void {
    clearTimeout(this.#refill);
    this.#refill = undefined;
  }
}
