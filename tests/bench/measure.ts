/**
 * Medians of many samples.
 *
 * @module
 */
import { Bench } from "tinybench";
import { spreadOf } from "../vm/bench/compare.ts";

/** Milliseconds that samples are taken for, and before, until V8 has compiled what runs. */
const SETTINGS = { time: 400, iterations: 7, warmupTime: 150, warmupIterations: 2, throws: true } as const;

/**
 * The median of nanoseconds that a call takes.
 *
 * @param calls how many calls a sample is. @param sample makes them and returns the milliseconds of what is to be measured.
 */
export async function median(calls: number, sample: () => number): Promise<number> {
  const bench = new Bench(SETTINGS);
  bench.add("it", () => ({ overriddenDuration: sample() }));
  const [task] = await bench.run();
  const result = task?.result;
  if (result === undefined || !("latency" in result)) throw new Error("Nothing was measured");
  return result.latency.p50 * 1e6 / calls;
}

/** The median of nanoseconds of `once`, which is called `calls` times a sample. */
export async function each(calls: number, once: () => void): Promise<number> {
  return await median(calls, () => millisecondsOf(calls, once));
}

function millisecondsOf(calls: number, once: () => void): number {
  const start = performance.now();
  for (let index = 0; index < calls; index++) once();
  return performance.now() - start;
}

/**
 * The medians of nanoseconds of several works, whose samples of `calls` calls take turns: for works on the same memory, since in which state
 * the caches have it depends on who wrote to it before.
 */
export function byTurns<Name extends string>(calls: number, works: Readonly<Record<Name, () => void>>): Record<Name, number> {
  const all = Object.entries<() => void>(works).map(([name, once]) => ({ name, once, samples: [] as number[] }));
  const rounds = (milliseconds: number) => {
    const end = performance.now() + milliseconds * all.length;
    while (performance.now() < end) for (const { once, samples } of all) samples.push(millisecondsOf(calls, once));
  };
  rounds(SETTINGS.warmupTime);
  for (const { samples } of all) samples.length = 0;
  rounds(SETTINGS.time);
  return Object.fromEntries(all.map(({ name, samples }) => [name, spreadOf(samples).median * 1e6 / calls])) as Record<Name, number>;
}
