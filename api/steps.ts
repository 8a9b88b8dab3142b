/**
 * Iterations whose steps wait.
 *
 * @module
 */

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
