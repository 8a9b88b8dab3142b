/**
 * Plays the sides against each other, in turns, so that what else the machine does hits them alike.
 *
 * @module
 */
import type { Side, Work } from "./workload.ts";

/** The middle of the samples, and of their halves: nanoseconds. */
export interface Spread {
  readonly lower: number;
  readonly median: number;
  readonly upper: number;
  /** Samples. */
  readonly count: number;
}

/** What came out for one work: a spread for each side that does it, by its name. */
export interface Result {
  readonly work: Work;
  readonly spreads: ReadonlyMap<string, Spread>;
}

/** Between the two samples that are nearest, where it falls between. */
function quantile(sorted: readonly number[], part: number): number {
  const at = (sorted.length - 1) * part;
  const below = sorted[Math.floor(at)]!;
  return below + (sorted[Math.ceil(at)]! - below) * (at - Math.floor(at));
}

/** @throws {RangeError} for no samples. */
export function spreadOf(samples: readonly number[]): Spread {
  if (samples.length === 0) throw new RangeError("Cannot find the middle of no samples");
  const sorted = [...samples].sort((a, b) => a - b);
  return { lower: quantile(sorted, 0.25), median: quantile(sorted, 0.5), upper: quantile(sorted, 0.75), count: sorted.length };
}

/** A round of each side with the same seed. @throws {Error} if they did not read the same. */
async function turn(work: Work, sides: readonly Side[], seed: number, samples: Map<string, number[]>): Promise<void> {
  const checks = new Map<string, number>();
  for (const side of sides) {
    const result = await side.run(work, seed);
    if (result === undefined) continue;
    checks.set(side.name, result.check);
    samples.set(side.name, [...samples.get(side.name) ?? [], ...result.samples]);
  }
  if (new Set(checks.values()).size <= 1) return;
  const found = [...checks].map(([name, check]) => `${name} 0x${check.toString(16)}`).join(", ");
  throw new Error(`The sides did not read the same in "${work.name}": ${found}`);
}

/**
 * Measure one work: each side warms up, then all do `rounds` rounds in turn.
 *
 * @throws {Error} if sides that did the same round did not read the same.
 */
export async function compare(work: Work, sides: readonly Side[], rounds: number): Promise<Result> {
  for (const side of sides) for (let round = 0; round < side.warmUps; round++) await side.run(work, round + 1);
  const samples = new Map<string, number[]>();
  for (let round = 0; round < rounds; round++) {
    // What a side leaves behind, such as free memory in pieces, meets another one in each round.
    const first = round % sides.length;
    await turn(work, [...sides.slice(first), ...sides.slice(0, first)], round + 1, samples);
  }
  const measured = sides.filter(({ name }) => samples.has(name));
  return { work, spreads: new Map(measured.map(({ name }) => [name, spreadOf(samples.get(name)!)])) };
}
