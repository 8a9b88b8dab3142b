/**
 * Waiting for what a file brings, and iterations whose steps wait.
 *
 * @module
 */
import { ERRNO } from "../uapi/errno.ts";
import type { Kernel } from "../uapi/kernel.ts";

/** A file that brings values. */
export interface Source<Value> {
  readonly kernel: Kernel;
  readonly fd: number;
  /** Whether its handle is in use still. */
  isOpen(): boolean;
  /** The next value, without waiting; undefined: there is none. */
  take(): Value | undefined;
  /** The error of a wait that answered `result`. */
  failed(result: number): Error;
}

/** Wait for the next value. Resolves with undefined once the handle is disposed. Rejects with the signal's reason when it aborts. */
export async function untilTaken<Value>(source: Source<Value>, signal?: AbortSignal): Promise<Value | undefined> {
  while (source.isOpen()) {
    signal?.throwIfAborted();
    const value = source.take();
    if (value !== undefined) return value;
    const result = await source.kernel.wait(source.fd, signal);
    if (result < 0 && result !== -ERRNO.EINTR && source.isOpen()) throw source.failed(result);
  }
  return undefined;
}

/**
 * An iteration each step of which waits for what `wait` resolves with; undefined ends it, and so does leaving it, while a step waits too.
 *
 * @param wait rejects when the signal aborts.
 */
export function steps<Value>(wait: (signal: AbortSignal) => Promise<Value | undefined>): AsyncIterableIterator<Value> {
  const abort = new AbortController();
  // Steps are taken one after the other, as an async generator would; but a generator could not be left while it waits.
  let last: Promise<unknown> = Promise.resolve();
  const step = async (): Promise<IteratorResult<Value, undefined>> => {
    if (abort.signal.aborted) return { done: true, value: undefined };
    try {
      const value = await wait(abort.signal);
      return value === undefined ? { done: true, value: undefined } : { done: false, value };
    } catch (error) {
      if (abort.signal.aborted) return { done: true, value: undefined };
      throw error;
    }
  };
  const iterator: AsyncIterableIterator<Value> = {
    next: () => {
      const result = last.then(step);
      last = result.catch(() => {});
      return result;
    },
    return: () => {
      abort.abort();
      return Promise.resolve({ done: true, value: undefined });
    },
    [Symbol.asyncIterator]: () => iterator,
  };
  return iterator;
}
