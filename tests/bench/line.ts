/**
 * What is measured, one line of the table each.
 *
 * @module
 */
import type { BenchModule } from "./module.ts";

/** What a figure counts. */
export type Unit = "ns" | "ns a PTE" | "ms" | "bytes" | "bytes a PTE" | "× from 1,000 to 1,000,000" | "a second";

/** Figures of others who did the same work in the same process, by their names. */
export type Peers = Record<string, number>;

/** What was found. */
export interface Figure {
  /** In the line's unit. */
  readonly value: number;
  /** In the same unit. */
  readonly peers?: Readonly<Peers>;
}

/** What a line is to reach. */
export interface Goal {
  /** In words. */
  readonly text: string;
  /** The figure as a share of the goal: up to 1 it is met. @param scale how much slower than the goal's this machine is. */
  share(figure: Figure, scale: number): number;
}

/** What lines share. */
export interface Context {
  /** The parts of the core that its own module has no exports for, built by the first call; undefined where there is no Rust to build them. */
  parts(): Promise<BenchModule | undefined>;
}

/** One line. */
export interface Line {
  /** What is done: the name by which criterion has the same, natively. */
  readonly name: string;
  /** What its figure counts. */
  readonly unit: Unit;
  /** What native Linux takes, in the same unit, on the machine kind of docs/performance.md. */
  readonly linux?: number;
  /** What criterion's nanoseconds are divided by; 0: it has no such line. Default: 1. */
  readonly nativeParts?: number;
  /** What is asked for; absent: nothing. */
  readonly goal?: Goal;
  /** Measure it. @returns undefined if something is missing that it needs. */
  measure(context: Context): Promise<Figure | undefined>;
}

/** A figure that is to be reached, at most. @param label how people write it. */
export function atMost(goal: number, label = `${goal} ns`): Goal {
  return { text: `≤ ${label}`, share: ({ value }, scale) => value / (goal * scale) };
}

/** The same of what does not depend on how fast the machine is. */
export function fixed(goal: number, label: string): Goal {
  return { text: `≤ ${label}`, share: ({ value }) => value / goal };
}

/** A number a second that is to be reached. */
export function atLeast(goal: number, label: string): Goal {
  return { text: `≥ ${label}`, share: ({ value }, scale) => goal / scale / value };
}
