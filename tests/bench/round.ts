/**
 * One round of what is measured, in a process of its own: `main.ts` starts it.
 *
 * @module
 */
import process from "node:process";
import { SingleBar } from "cli-progress";
import { fasterOf } from "./combine.ts";
import { type Floors, measureFloors } from "./floors.ts";
import { ADDRESSES } from "./lines/addresses.ts";
import { API } from "./lines/api.ts";
import { LINUX_SEAM } from "./lines/linux.ts";
import { MODULES } from "./lines/module.ts";
import { REQUESTS } from "./lines/requests.ts";
import { TABLES } from "./lines/tables.ts";
import { TRANSFERS } from "./lines/transfers.ts";
import type { Figure, Line } from "./line.ts";
import { type BenchModule, loadModule } from "./module.ts";
import { measureNative, type Native } from "./native.ts";

/** All lines, in the table's order. */
export const LINES: readonly Line[] = [...TABLES, ...ADDRESSES, ...REQUESTS, ...TRANSFERS, ...MODULES, ...API, ...LINUX_SEAM];

/** Those with a text in their name. */
export function linesWith(filter: string): Line[] {
  return LINES.filter(({ name }) => name.includes(filter));
}

/** What a round found. */
export interface Round {
  readonly floors: Floors;
  /** By the places of their lines among {@linkcode LINES}. */
  readonly figures: Readonly<Record<number, Figure>>;
  readonly native: Native;
  /** What was left out, and why. */
  readonly notes: readonly string[];
}

/** What is under way, on standard error: a bar on a terminal, else a line each. */
class Progress implements Disposable {
  #bar: SingleBar | undefined;
  readonly #label: string;

  constructor(label: string, steps: number) {
    this.#label = label;
    if (!process.stderr.isTTY) return;
    this.#bar = new SingleBar({ format: `${label} {bar} {value} of {total} {step}`, hideCursor: true, clearOnComplete: true });
    this.#bar.start(steps, 0, { step: "" });
  }

  next(step: string): void {
    if (this.#bar === undefined) console.error(`${this.#label}: ${step}`);
    else this.#bar.increment({ step });
  }

  [Symbol.dispose](): void {
    this.#bar?.stop();
  }
}

async function measureRound(lines: readonly Line[], label: string): Promise<Round> {
  using progress = new Progress(label, lines.length + 3);
  const notes: string[] = [];
  const tell = (note: string) => void notes.push(note);
  let module: Promise<BenchModule | undefined> | undefined;
  const parts = () => module ??= loadModule(tell);
  progress.next("floors");
  const before = await measureFloors(tell);
  const figures: Record<number, Figure> = {};
  for (const line of lines) {
    progress.next(line.name);
    const figure = await line.measure({ parts });
    if (figure !== undefined) figures[LINES.indexOf(line)] = figure;
  }
  progress.next("floors again");
  const floors = fasterOf(before, await measureFloors(() => {}));
  progress.next("native");
  const native = await measureNative(lines.filter(({ nativeParts }) => nativeParts !== 0).map(({ name }) => name), tell);
  return { floors, figures, native, notes };
}

/** Measure the lines with a text in their name. @param label what the progress is called. @throws {Error} if the round fails. */
export async function runRound(filter: string, label: string): Promise<Round> {
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", import.meta.filename!, filter, label],
    stdin: "null",
    stderr: "inherit",
  }).output();
  if (!success) throw new Error("A round of the benchmark failed: what it says is above");
  return JSON.parse(new TextDecoder().decode(stdout)) as Round;
}

if (import.meta.main) {
  const [filter = "", label = "bench"] = Deno.args;
  console.log(JSON.stringify(await measureRound(linesWith(filter), label)));
}
