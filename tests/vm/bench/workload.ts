/**
 * What is measured, and the places that reads go to: both sides do the same.
 *
 * @module
 */

const KIBIBYTE = 2 ** 10;
const MEBIBYTE = 2 ** 20;

/** Map memory at a fixed I/O address and unmap it again. */
export interface MapWork {
  /** What is done. */
  readonly kind: "map";
  /** What people call it. */
  readonly name: string;
  /** Bytes. */
  readonly length: number;
  /** Operations of a sample, and samples of a round. */
  readonly batch: number;
  readonly samples: number;
  /** What the TypeScript side may take, as a multiple of C's time; absent: nothing is asked. */
  readonly goal?: number;
}

/** Read an NVMe disk by commands of a length. */
export interface ReadWork extends Omit<MapWork, "kind"> {
  /** What is done. */
  readonly kind: "read";
  /** Commands under way at once. */
  readonly depth: number;
  /** Where they go: anywhere, or one behind the other. */
  readonly order: "random" | "sequential";
  /** How their completions are noticed. */
  readonly completions: "polling" | "interrupts";
}

/** One thing that is measured. */
export type Work = MapWork | ReadWork;

function read(what: string, completions: ReadWork["completions"], fields: Omit<ReadWork, "kind" | "name" | "completions">): ReadWork {
  return { kind: "read", name: `${what}, ${completions}`, completions, ...fields };
}

const RANDOM = { length: 4 * KIBIBYTE, order: "random" } as const;
const SEQUENTIAL = { length: 128 * KIBIBYTE, depth: 4, order: "sequential", batch: 64, samples: 6, goal: 1.15 } as const;

/** All of it. */
export const WORKS: readonly Work[] = [
  { kind: "map", name: "map + unmap 4 KiB", length: 4 * KIBIBYTE, batch: 64, samples: 40, goal: 1.15 },
  { kind: "map", name: "map + unmap 2 MiB", length: 2 * MEBIBYTE, batch: 16, samples: 30, goal: 1.15 },
  { kind: "map", name: "map + unmap 256 MiB", length: 256 * MEBIBYTE, batch: 1, samples: 5, goal: 1.15 },
  ...(["polling", "interrupts"] as const).flatMap((completions) => [
    read("read 4 KiB, depth 1", completions, { ...RANDOM, depth: 1, batch: 64, samples: 12, goal: 1.5 }),
    read("read 4 KiB, depth 32", completions, { ...RANDOM, depth: 32, batch: 512, samples: 6 }),
    read("read 128 KiB in order, depth 4", completions, SEQUENTIAL),
  ]),
];

/** What a side found in one round. */
export interface Round {
  /** Nanoseconds of an operation, one for each sample. */
  readonly samples: readonly number[];
  /** Sum of the first 32 bits of each read, modulo 2^32: the sides must agree. */
  readonly check: number;
}

/** Somebody who can do the work. */
export interface Side {
  /** What the table calls it. */
  readonly name: string;
  /** Rounds whose samples are dropped: a compiler that works while the program runs is not what is measured. */
  readonly warmUps: number;
  /** Do it once. @param seed of the places, not 0. @returns undefined if it does no such work. */
  run(work: Work, seed: number): Promise<Round | undefined>;
}

/** The places that reads go to, 0 to `places` − 1 each: tests/vm/peer/reads.c has the same. */
export function sequenceOf(order: ReadWork["order"], seed: number, places: number): () => number {
  let state = seed;
  let next = 0;
  if (order === "sequential") return () => next++ % places;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % places;
  };
}
