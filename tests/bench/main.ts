/**
 * Measures the core and the library beside named peers, in one run: `deno task bench`.
 *
 * @module
 */
import { cpus } from "node:os";
import process from "node:process";
import { parseArgs } from "node:util";
import { SingleBar } from "cli-progress";
import { fasterOf, measureFloors, scaleOf } from "./floors.ts";
import { ADDRESSES } from "./lines/addresses.ts";
import { API } from "./lines/api.ts";
import { LINUX_SEAM } from "./lines/linux.ts";
import { MODULES } from "./lines/module.ts";
import { REQUESTS } from "./lines/requests.ts";
import { TABLES } from "./lines/tables.ts";
import { TRANSFERS } from "./lines/transfers.ts";
import type { Context, Figure, Line } from "./line.ts";
import { type BenchModule, loadModule } from "./module.ts";
import { measureNative } from "./native.ts";
import { plotOf } from "./plot.ts";
import { type Report, reportText, resultOf } from "./report.ts";

const HELP = `Measure the core in WebAssembly, and the library on it, beside named peers: medians of one run.

  deno task bench [options]

  --filter TEXT   only lines that have it in their name
  --json FILE     the figures as JSON; -: on standard output, instead of the table
  --svg FILE      a picture of goals and figures
  --help          this

Rust (for the native peers, and the parts of the core that have no export of their own) and a C compiler (for the floors) are used where they
are; what was left out is said at the end.`;

const OPTIONS = {
  filter: { type: "string" },
  json: { type: "string" },
  svg: { type: "string" },
  help: { type: "boolean" },
} as const;

const LINES: readonly Line[] = [...TABLES, ...ADDRESSES, ...REQUESTS, ...TRANSFERS, ...MODULES, ...API, ...LINUX_SEAM];

/** What is under way, on standard error: a bar on a terminal, else a line each. */
class Progress implements Disposable {
  #bar: SingleBar | undefined;

  constructor(steps: number) {
    if (!process.stderr.isTTY) return;
    this.#bar = new SingleBar({ format: "{bar} {value} of {total} {step}", hideCursor: true, clearOnComplete: true });
    this.#bar.start(steps, 0, { step: "" });
  }

  next(step: string): void {
    if (this.#bar === undefined) console.error(`bench: ${step}`);
    else this.#bar.increment({ step });
  }

  [Symbol.dispose](): void {
    this.#bar?.stop();
  }
}

async function measureLines(lines: readonly Line[], context: Context, progress: Progress): Promise<[Line, Figure][]> {
  const found: [Line, Figure][] = [];
  for (const line of lines) {
    progress.next(line.name);
    const figure = await line.measure(context);
    if (figure !== undefined) found.push([line, figure]);
  }
  return found;
}

async function measure(lines: readonly Line[]): Promise<Report> {
  using progress = new Progress(lines.length + 3);
  const notes: string[] = [];
  const tell = (note: string) => void notes.push(note);
  let module: Promise<BenchModule | undefined> | undefined;
  const parts = () => module ??= loadModule(tell);
  progress.next("floors");
  const before = await measureFloors(tell);
  const found = await measureLines(lines, { parts }, progress);
  progress.next("floors again");
  const floors = fasterOf(before, await measureFloors(() => {}));
  progress.next("native");
  const native = await measureNative(lines.filter(({ nativeParts }) => nativeParts !== 0).map(({ name }) => name), tell);
  const scale = scaleOf(floors);
  const [processor] = cpus();
  return {
    date: new Date().toISOString().slice(0, 10),
    machine: `${cpus().length} × ${processor?.model ?? "unknown"}, Deno ${Deno.version.deno}`,
    scale,
    floors,
    results: found.map(([line, figure]) => resultOf(line, figure, native, scale)),
    notes,
  };
}

/** @returns the exit status: 0, or 2 if an argument is wrong. A goal that is missed is no failure. */
async function main(words: string[]): Promise<number> {
  let values;
  try {
    ({ values } = parseArgs({ args: words, options: OPTIONS }));
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\nTry: deno task bench --help`);
    return 2;
  }
  const { filter = "", json, svg, help } = values;
  if (help) {
    console.log(HELP);
    return 0;
  }
  const lines = LINES.filter(({ name }) => name.includes(filter));
  if (lines.length === 0) {
    console.error(`No line has "${filter}" in its name`);
    return 2;
  }
  const report = await measure(lines);
  const text = JSON.stringify(report, null, 2);
  console.log(json === "-" ? text : reportText(report));
  if (json !== undefined && json !== "-") await Deno.writeTextFile(json, `${text}\n`);
  if (svg !== undefined) await Deno.writeTextFile(svg, await plotOf(report));
  return 0;
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
