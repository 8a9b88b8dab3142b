/**
 * Medians of many samples.
 *
 * @module
 */
import { Bench } from "tinybench";

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
  return await median(calls, () => {
    const start = performance.now();
    for (let index = 0; index < calls; index++) once();
    return performance.now() - start;
  });
}
