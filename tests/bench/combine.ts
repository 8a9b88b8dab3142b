/**
 * Rounds put together.
 *
 * @module
 */
import type { Floors } from "./floors.ts";
import type { Figure, Unit } from "./line.ts";
import type { Native } from "./native.ts";
import type { Round } from "./round.ts";

/**
 * One figure of several: the best, as what else a machine does makes figures worse, never better; of quotients, which it moves both ways, the
 * median, of an even number the higher one.
 */
export function combined(unit: Unit, values: readonly number[]): number {
  const ascending = [...values].sort((a, b) => a - b);
  const at = unit.startsWith("×") ? ascending.length >> 1 : unit === "a second" ? ascending.length - 1 : 0;
  return ascending[at]!;
}

/** What has a name in any of them, of those that have it. */
function each(unit: Unit, some: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const names = new Set(some.flatMap((one) => Object.keys(one)));
  return Object.fromEntries([...names].map((name) => [name, combined(unit, some.flatMap((one) => one[name] ?? []))]));
}

/** A line's figure of all rounds. @param figures at least one. */
export function figureOf(unit: Unit, figures: readonly Figure[]): Figure {
  const peers = each(unit, figures.map(({ peers = {} }) => peers));
  return { value: combined(unit, figures.map(({ value }) => value)), peers };
}

/** The lower figure of each floor: what the machine can do, whatever else it did meanwhile. */
export function fasterOf(some: Floors, others: Floors): Floors {
  const lower = (a?: number, b?: number) => Math.min(a ?? Infinity, b ?? Infinity);
  return Object.fromEntries(
    Object.entries(some).map(([name, floor]) => {
      const [c, wasm] = [lower(floor.c, others[name]?.c), lower(floor.wasm, others[name]?.wasm)];
      return [name, { ...floor, ...(c < Infinity && { c }), ...(wasm < Infinity && { wasm }) }];
    }),
  );
}

/** The floors of all rounds, of which there is at least one. */
export function floorsOf(rounds: readonly Round[]): Floors {
  return rounds.map(({ floors }) => floors).reduce(fasterOf);
}

/** The native figures of all rounds, of which there is at least one. */
export function nativeOf(rounds: readonly Round[]): Native {
  return each("ns", rounds.map(({ native }) => native));
}
