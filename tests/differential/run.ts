/**
 * Compares two kernels over many sequences, and makes a finding of the first difference.
 *
 * @module
 */
import type { Kernel } from "../../uapi/kernel.ts";
import { Pair } from "./compare.ts";
import { differenceText } from "./describe.ts";
import { Player } from "./play.ts";
import { record, type Recording, recordingLines } from "./recording.ts";
import { type Step, valueText } from "./sequence.ts";
import { type Literals, shrink } from "./shrink.ts";

/** How much is compared. */
export interface RunOptions {
  /** Calls in all. */
  readonly calls: number;
  /** Seed of the first sequence; each further one has the next. */
  readonly seed: number;
  /** Calls of one sequence. Default: 500. */
  readonly length?: number;
  /** Told of the calls done, after each sequence. */
  readonly onProgress?: (calls: number) => void;
}

/** Two kernels answered differently. */
export interface Finding {
  /** Seed of the sequence. */
  readonly seed: number;
  /** The shortest sequence that shows it, in words, with both answers. */
  readonly text: string;
  /** The same with the first kernel's answers, to be kept as a test. */
  readonly recording: Recording;
}

/** What came of a run. */
export interface RunResult {
  /** Calls that were compared and equal. */
  readonly calls: number;
  /** Sequences. */
  readonly sequences: number;
  /** The first difference; then the run ended. */
  readonly finding?: Finding;
}

const SEQUENCE_CALLS = 500;

/** Compare until as many calls were equal as asked for, or a difference is found. The first kernel is the one that is right. */
export function compare(first: Kernel, second: Kernel, options: RunOptions): RunResult {
  using one = new Player(first);
  using other = new Player(second);
  const pair = new Pair(one, other);
  const { calls, seed, length = SEQUENCE_CALLS, onProgress } = options;
  let done = 0;
  let sequences = 0;
  while (done < calls) {
    const { calls: equal, difference } = pair.generated(seed + sequences, Math.min(length, calls - done));
    done += equal;
    if (difference !== undefined) return { calls: done, sequences, finding: finding(pair, seed + sequences, difference.steps) };
    sequences++;
    onProgress?.(done);
  }
  return { calls: done, sequences };
}

/** What the references of a sequence stand for on a kernel. */
function literalsOf(player: Player, steps: readonly Step[]): Literals {
  const literals = new Map<string, bigint>();
  player.restart();
  for (const step of steps) {
    const values = step.call === "ioctl" ? [...Object.values(step.fields), ...step.data ?? []] : [];
    for (const value of values) literals.set(valueText(value), player.resolve(value));
    player.play(step);
  }
  return literals;
}

function finding(pair: Pair, seed: number, steps: readonly Step[]): Finding {
  const short = shrink(steps, (candidate) => pair.difference(candidate)?.steps.length, literalsOf(pair.first, steps));
  const text = differenceText(pair.first, pair.second, short);
  return { seed, text, recording: record(pair.first, short, `a difference found with seed ${seed}`) };
}

/** A finding as a person reads it: what differs, and the file to keep it in. */
export function findingText({ seed, text, recording }: Finding): string {
  return [
    `The kernels differ in a sequence of seed ${seed}. Shortest form:`,
    text,
    "To keep it as a test, put these lines into tests/differential/found/<what it shows>.jsonl:",
    ...recordingLines(recording),
  ].join("\n");
}
