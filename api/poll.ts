/**
 * Waiting by looking again and again, for what has no interrupt.
 *
 * @module
 */
import { ERRNO } from "../uapi/errno.ts";
import type { Kernel } from "../uapi/kernel.ts";
import { failed } from "./error.ts";

/** How long {@linkcode pollUntil} looks. */
export interface PollOptions {
  /** Milliseconds. Default: for ever. */
  readonly timeout?: number;
  /** Ends the wait, with its reason. */
  readonly signal?: AbortSignal;
}

/** Looks between two turns of the event loop: registers answer in well under a microsecond, a turn takes several. */
const LOOKS_PER_TURN = 64;

/** Let everything run that the event loop has ready. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    // A timer of 0 ms waits up to 4 ms in browsers, which have no setImmediate; a port per turn costs the others more.
    const { setImmediate } = globalThis as { setImmediate?: (callback: () => void) => void };
    if (setImmediate !== undefined) return setImmediate(resolve);
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(0);
  });
}

/**
 * Wait until `predicate` is true, by asking again and again. A simulated machine runs its devices meanwhile, and so does the event loop.
 *
 * @throws {IommuError} ETIMEDOUT. @throws the signal's reason. @throws what `predicate` throws.
 */
export async function pollUntil(kernel: Kernel, predicate: () => boolean, options: PollOptions = {}): Promise<void> {
  const { timeout = Infinity, signal } = options;
  if (typeof timeout !== "number") throw new TypeError(`Cannot use ${String(timeout)} as a timeout: a number of milliseconds is needed`);
  if (!(timeout >= 0)) throw new RangeError(`Cannot use ${timeout} as a timeout: 0 milliseconds or more are needed`);
  const deadline = performance.now() + timeout;
  for (;;) {
    for (let looks = 0; looks < LOOKS_PER_TURN; looks++) {
      signal?.throwIfAborted();
      if (predicate()) return;
      kernel.relax();
    }
    // The last look comes after the deadline, so that a program that was held up does not give up too early.
    const isLate = performance.now() >= deadline;
    await turn();
    if (!isLate) continue;
    if (predicate()) return;
    throw failed("poll", -ERRNO.ETIMEDOUT, { timeout });
  }
}
