/**
 * Measures the core and the library beside named peers, in one run: `deno task bench`.
 *
 * @module
 */
import { cpus } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { figureOf, floorsOf, nativeOf } from "./combine.ts";
import { scaleOf } from "./floors.ts";
import { pageOf } from "./markdown.ts";
import { plotOf } from "./plot.ts";
import { type Report, reportText, resultOf } from "./report.ts";
import { LINES, linesWith, type Round, runRound } from "./round.ts";

const DOCS = join(import.meta.dirname!, "../../docs");

const HELP = `Measure the core in WebAssembly, and the library on it, beside named peers: medians of one run.

  deno task bench [options]

  --filter TEXT   only lines that have it in their name
  --rounds N      measure everything so often, and take of each figure the best, of quotients the median: what else a machine does makes
                  figures worse, never better. Default: 1
  --json FILE     the figures as JSON; -: on standard output, instead of the table
  --svg FILE      a picture of goals and figures
  --docs          put the figures into docs/performance.md, and the picture beside it: of a run of all lines
  --help          this

Rust (for the native peers, and the parts of the core that have no export of their own) and a C compiler (for the floors) are used where they
are; what was left out is said at the end.`;

const OPTIONS = {
  filter: { type: "string", default: "" },
  rounds: { type: "string", default: "1" },
  json: { type: "string" },
  svg: { type: "string" },
  docs: { type: "boolean", default: false },
  help: { type: "boolean" },
} as const;

async function measure(filter: string, count: number): Promise<Report> {
  const rounds: Round[] = [];
  while (rounds.length < count) {
    rounds.push(await runRound(filter, count === 1 ? "bench" : `bench, round ${rounds.length + 1} of ${count}`));
  }
  const [floors, native] = [floorsOf(rounds), nativeOf(rounds)];
  const scale = scaleOf(floors);
  const [processor] = cpus();
  return {
    date: new Date().toISOString().slice(0, 10),
    machine: `${cpus().length} × ${processor?.model ?? "unknown"}, Deno ${Deno.version.deno}`,
    rounds: count,
    scale,
    floors,
    results: LINES.flatMap((line, place) => {
      const figures = rounds.flatMap(({ figures }) => figures[place] ?? []);
      return figures.length === 0 ? [] : [resultOf(line, figureOf(line.unit, figures), native, scale)];
    }),
    notes: [...new Set(rounds.flatMap(({ notes }) => notes))],
  };
}

async function run(program: string, ...args: string[]): Promise<string> {
  const { success, stdout } = await new Deno.Command(program, { args, cwd: import.meta.dirname!, stderr: "inherit" }).output();
  if (!success) throw new Error(`${program} ${args.join(" ")} failed`);
  return new TextDecoder().decode(stdout).trim();
}

async function writeDocs(report: Report): Promise<void> {
  const [page, picture] = [join(DOCS, "performance.md"), join(DOCS, "performance.svg")];
  const commit = await run("git", "rev-parse", "--short", "HEAD");
  await Deno.writeTextFile(page, pageOf(await Deno.readTextFile(page), report, commit));
  await Deno.writeTextFile(picture, await plotOf(report));
  await run(Deno.execPath(), "fmt", "--quiet", page);
}

/** What the command line asks for. @throws {Error} if it is wrong. */
function optionsOf(words: string[]) {
  const { values } = parseArgs({ args: words, options: OPTIONS });
  if (!/^[1-9]\d?$/.test(values.rounds)) throw new Error(`Cannot measure "${values.rounds}" rounds: 1 to 99 are needed`);
  if (linesWith(values.filter).length === 0) throw new Error(`No line has "${values.filter}" in its name`);
  if (values.docs && values.filter !== "") throw new Error("The documents show all lines: --docs and --filter exclude each other");
  return { ...values, rounds: Number(values.rounds) };
}

/** @returns the exit status: 0, or 2 if an argument is wrong. A goal that is missed is no failure. */
async function main(words: string[]): Promise<number> {
  let options;
  try {
    options = optionsOf(words);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\nTry: deno task bench --help`);
    return 2;
  }
  const { filter, rounds, json, svg, docs, help } = options;
  if (help) {
    console.log(HELP);
    return 0;
  }
  const report = await measure(filter, rounds);
  const text = JSON.stringify(report, null, 2);
  console.log(json === "-" ? text : reportText(report));
  if (json !== undefined && json !== "-") await Deno.writeTextFile(json, `${text}\n`);
  if (svg !== undefined) await Deno.writeTextFile(svg, await plotOf(report));
  if (docs) await writeDocs(report);
  return 0;
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
