/**
 * Compares two kernels over many sequences, and makes a finding of the first difference.
 *
 * @module
 */
import type { Kernel } from "../../uapi/kernel.ts";
import { Pair } from "./compare.ts";
import { callText, differenceText } from "./describe.ts";
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
  /** Told of the calls done, after each sequence, and again and again while a difference is made short. */
  readonly onProgress?: (calls: number) => void;
  /** Told of a difference at once: making it short takes minutes. */
  readonly onDifference?: (seed: number, calls: number, text: string) => void;
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
export function compare(right: Kernel, compared: Kernel, options: RunOptions): RunResult {
  using one = new Player(right);
  using other = new Player(compared);
  const pair = new Pair(one, other);
  const { calls, seed, length = SEQUENCE_CALLS, onProgress } = options;
  let done = 0;
  let sequences = 0;
  while (done < calls) {
    const { calls: equal, difference } = pair.generated(seed + sequences, Math.min(length, calls - done));
    done += equal;
    if (difference !== undefined) {
      const { steps, first, second } = difference;
      options.onDifference?.(seed + sequences, steps.length, callText(one, other, steps.at(-1)!, [first, second]));
      const alive = () => onProgress?.(done);
      return { calls: done, sequences, finding: finding(pair, seed + sequences, steps, alive) };
    }
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

function finding(pair: Pair, seed: number, steps: readonly Step[], alive: () => void): Finding {
  const fails = (candidate: readonly Step[]) => {
    alive();
    return pair.difference(candidate)?.steps.length;
  };
  const short = shrink(steps, fails, literalsOf(pair.first, steps));
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
