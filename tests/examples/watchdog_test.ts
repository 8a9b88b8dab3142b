/**
 * The watchdog's timer, with a clock that the test turns.
 *
 * @module
 */
import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { Watchdog } from "../../examples/nvme/watchdog.ts";

/** Timers as a list, in place of the real ones. */
function withTimers(use: (timers: Map<number, { callback: () => void; delay: number }>) => void): void {
  const { setTimeout, clearTimeout } = globalThis;
  const timers = new Map<number, { callback: () => void; delay: number }>();
  let next = 1;
  const fakes = {
    setTimeout: (callback: () => void, delay: number) => (timers.set(next, { callback, delay }), next++),
    clearTimeout: (id: number) => void timers.delete(id),
  };
  Object.assign(globalThis, fakes);
  try {
    use(timers);
  } finally {
    Object.assign(globalThis, { setTimeout, clearTimeout });
  }
}

/** Run the only timer. */
function fire(timers: Map<number, { callback: () => void; delay: number }>): number {
  const [[id, { callback, delay }]] = [...timers] as [[number, { callback: () => void; delay: number }]];
  timers.delete(id);
  callback();
  return delay;
}

Deno.test("it visits while there is something to look after, and then rests", () => {
  withTimers((timers) => {
    let busy = true;
    let visits = 0;
    const watchdog = new Watchdog(1000, () => (visits++, busy));
    strictEqual(timers.size, 0);
    watchdog.start();
    watchdog.start();
    strictEqual(timers.size, 1, "one timer, however often it is started");
    fire(timers);
    fire(timers);
    busy = false;
    fire(timers);
    deepStrictEqual([visits, timers.size], [3, 0]);
    watchdog.start();
    strictEqual(timers.size, 1);
    watchdog.stop();
    strictEqual(timers.size, 0, "a timer left behind would keep the program alive");
  });
});

Deno.test("so many visits are at least the time that a command has, and not much more", () => {
  for (const timeout of [1, 2, 3, 7, 100, 1999, 2000, 30_000, 2 ** 31 - 1]) {
    withTimers((timers) => {
      const watchdog = new Watchdog(timeout, () => true);
      watchdog.start();
      const period = fire(timers);
      ok(period >= 1 && period <= 500, `${period} ms`);
      ok(period * watchdog.visitsMax >= timeout, `${timeout} ms are not cut short`);
      ok(period * (watchdog.visitsMax - 1) < timeout, `${timeout} ms are not stretched`);
      watchdog.stop();
    });
  }
});
