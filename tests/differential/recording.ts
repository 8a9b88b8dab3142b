/**
 * Sequences with the answers of a kernel as text: a header, then one call a line with what came of it. JSON, one object a line.
 *
 * ```text
 * {"recording":"differential","version":1,"kernel":"linux 7.3.4","why":"seed 3"}
 * {"id":0,"call":"open","answer":[0]}
 * {"id":1,"call":"ioctl","file":"0.file","request":"IOAS_ALLOC","fields":{},"answer":[0,"8:01"]}
 * ```
 *
 * Not the format of `backends/wrap/trace.ts`: there, a line holds the bytes of one run, and a program is answered from them; here, lines name
 * each other's answers, so that they can be asked of another kernel, and taken out of a sequence one by one.
 *
 * @module
 */
import { type Outcome, type Player, sameOutcome } from "./play.ts";
import { type JsonStep, parseStep, type Step, stepJson } from "./sequence.ts";

const VERSION = 1;

/** A call and what came of it. */
export interface Recorded {
  /** The call. */
  readonly step: Step;
  /** What the kernel answered. */
  readonly outcome: Outcome;
}

/** A sequence with the answers of a kernel. */
export interface Recording {
  /** Whose answers they are, for people. */
  readonly kernel: string;
  /** Where the sequence is from or what it shows, in a sentence. */
  readonly why: string;
  /** The calls. */
  readonly calls: readonly Recorded[];
}

interface Header {
  readonly recording?: string;
  readonly version?: number;
  readonly kernel: string;
  readonly why: string;
}

/** What was read of it: `[result, changes, data]`, empty texts left out at the end. */
function answerOf({ result, changes, data }: Outcome): readonly (number | string)[] {
  return data !== "" ? [result, changes, data] : changes !== "" ? [result, changes] : [result];
}

/** Recordings as lines. */
export function recordingLines({ kernel, why, calls }: Recording): string[] {
  const header = { recording: "differential", version: VERSION, kernel, why };
  return [
    JSON.stringify(header),
    ...calls.map(({ step, outcome }) => JSON.stringify({ ...stepJson(step), answer: answerOf(outcome) })),
  ];
}

/** Recordings from the lines of one file, in order. @throws {SyntaxError} where a line is none of a recording */
export function parseRecordings(lines: Iterable<string>): Recording[] {
  const found: (Recording & { readonly calls: Recorded[] })[] = [];
  for (const line of lines) {
    if (line.trim() === "") continue;
    const json = JSON.parse(line) as JsonStep & Partial<Header>;
    if (json.recording !== undefined) {
      if (json.recording !== "differential" || json.version !== VERSION) {
        throw new SyntaxError(`Cannot read a recording: "${line.slice(0, 80)}" is no header of version ${VERSION}`);
      }
      found.push({ kernel: json.kernel!, why: json.why!, calls: [] });
      continue;
    }
    const { answer, ...step } = json as JsonStep & { readonly answer: readonly [number, string?, string?] };
    const [result, changes = "", data = ""] = answer;
    if (found.length === 0) throw new SyntaxError("Cannot read a recording: its first line is not a header");
    found.at(-1)!.calls.push({ step: parseStep(step), outcome: { result, changes, data } });
  }
  return found;
}

/** Play steps and note the answers. */
export function record(player: Player, steps: readonly Step[], why: string, kernel: string = player.kernel.name): Recording {
  player.restart();
  const calls = steps.map((step): Recorded => ({ step, outcome: player.play(step) }));
  player.restart();
  return { kernel, why, calls };
}

/** The first call of a recording that a kernel answers differently, and its answer; undefined where there is none. */
export function firstDifference(player: Player, { calls }: Recording): { readonly index: number; readonly outcome: Outcome } | undefined {
  player.restart();
  for (const [index, { step, outcome: expected }] of calls.entries()) {
    const outcome = player.play(step);
    if (!sameOutcome(outcome, expected)) return { index, outcome };
  }
  player.restart();
  return undefined;
}
