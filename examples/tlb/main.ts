/**
 * Which page size, pool and invalidation policy serves an NVMe load best: what translation costs each of them, as a table and a plot.
 *
 *     deno run examples/tlb/main.ts [--block BYTES] [--depth N] [--order random] [--json] [--svg FILE]
 *
 * The driver of examples/nvme reads the NVMe disk of a simulated machine, whose IOMMU counts what it does for the queues, the PRP lists and the
 * data, and says what that would cost.
 *
 * @module
 */
import process from "node:process";
import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import cliProgress from "cli-progress";
import Table from "cli-table3";
import { type Hardware, type Load, type Outcome, run, STRATEGIES } from "./load.ts";

const HELP = `Which page size, pool and invalidation policy serves an NVMe load best.

Usage: deno run examples/tlb/main.ts [options]

  --transfers <n>   reads of each run, 100 to 10000000. Default: 20000.
  --block <bytes>   bytes of a read: a power of two, 4096 to 1048576. Default: 16384.
  --depth <n>       reads under way at once, 1 to 1024. Default: 32.
  --memory <MiB>    memory that the data is in, an even number, 2 to 512. Default: 64.
  --order <order>   random or sequential. Default: random.
  --iommu <kind>    vtd, amdvi, smmuv3 or riscv. Default: vtd.
  --entries <n>     entries of the IOTLB, a power of two, 4 to 65536. Default: 256.
  --structures <n>  tables of each level that are cached, 0 or a power of two, to 65536. Default: 16.
  --svg <file>      also draw it, which needs --allow-write.
  --json            print one JSON object.
  --help            print this.

Exit status: 0, 2 if an argument is wrong.`;

/** An argument of the program is wrong. */
class UsageError extends Error {}

const text = (value: string) => ({ type: "string", default: value } as const);
const OPTIONS = {
  transfers: text("20000"),
  block: text("16384"),
  depth: text("32"),
  memory: text("64"),
  order: text("random"),
  iommu: text("vtd"),
  entries: text("256"),
  structures: text("16"),
  svg: { type: "string" },
  json: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

interface Settings {
  readonly load: Load;
  readonly hardware: Hardware;
  readonly svg: string | undefined;
  readonly json: boolean;
  readonly help: boolean;
}

function readArguments(words: string[]): Settings {
  const { values } = parse(words);
  const number = (
    name: "transfers" | "block" | "depth" | "memory" | "entries" | "structures",
    low: number,
    high: number,
    power: boolean,
  ) => {
    const value = /^\d+$/.test(values[name]) ? Number(values[name]) : -1;
    const isPower = value === 0 || Number.isInteger(Math.log2(value));
    if (low <= value && value <= high && (!power || isPower)) return value;
    throw new UsageError(
      `Cannot use --${name} "${values[name]}": ${power ? "a power of two" : "a whole number"} from ${low} to ${high} is needed`,
    );
  };
  const memory = number("memory", 2, 512, false);
  if (memory % 2 !== 0) throw new UsageError(`Cannot use --memory "${memory}": an even number is needed`);
  return {
    load: {
      transfers: number("transfers", 100, 10_000_000, false),
      block: number("block", 4096, 2 ** 20, true),
      depth: number("depth", 1, 1024, false),
      memory: memory * 2 ** 20,
      order: oneOf("--order", values.order, ["random", "sequential"]),
    },
    hardware: {
      iommu: oneOf("--iommu", values.iommu, ["vtd", "amdvi", "smmuv3", "riscv"]),
      entries: number("entries", 4, 65_536, true),
      structures: number("structures", 0, 65_536, true),
    },
    svg: values.svg,
    json: values.json,
    help: values.help,
  };
}

function parse(words: string[]) {
  try {
    return parseArgs({ args: words, options: OPTIONS });
  } catch (error) {
    // Advice behind the first sentence of parseArgs is about parseArgs.
    throw new UsageError(error instanceof Error ? error.message.split(". ")[0] : String(error), { cause: error });
  }
}

function oneOf<T extends string>(option: string, word: string, words: readonly T[]): T {
  const found = words.find((other) => other === word);
  if (found === undefined) throw new UsageError(`Cannot use ${option} "${word}": ${words.join(" or ")} is needed`);
  return found;
}

/** Every strategy under one load, the cheapest first. */
export async function compare(load: Load, hardware: Hardware, step: () => void = () => {}): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const strategy of STRATEGIES) outcomes.push(await run(load, strategy, hardware, step));
  return outcomes.sort((a, b) => costOf(a) - costOf(b));
}

function costOf({ translation, invalidation }: Outcome): number {
  return translation + invalidation;
}

/** The outcomes as a table. */
export function tableOf(outcomes: readonly Outcome[]): string {
  const table = new Table({
    head: ["", "IOTLB hits", "reads of walks", "invalidations", "exposed", "ns a read"],
    colAligns: ["left", "right", "right", "right", "right", "right"],
    style: { head: [], border: [], compact: true },
  });
  for (const outcome of outcomes) {
    table.push([
      outcome.strategy,
      `${(100 * outcome.hitRate).toFixed(1)} %`,
      outcome.walkReads.toFixed(2),
      outcome.invalidations.toFixed(3),
      outcome.exposed,
      costOf(outcome).toFixed(0),
    ]);
  }
  return table.toString();
}

function showProgress(total: number): { step(): void } & Disposable {
  if (!process.stderr.isTTY) return { step() {}, [Symbol.dispose]() {} };
  const bar = new cliProgress.SingleBar(
    { stream: process.stderr, format: "measuring {bar} {percentage} %", clearOnComplete: true, hideCursor: true },
    cliProgress.Presets.shades_classic,
  );
  bar.start(total, 0);
  return { step: () => bar.increment(), [Symbol.dispose]: () => bar.stop() };
}

/** The program. @returns its exit status. */
async function main(words: string[]): Promise<number> {
  try {
    const { load, hardware, svg, json, help } = readArguments(words);
    if (help) {
      console.log(HELP);
      return 0;
    }
    const outcomes = await measure(load, hardware);
    if (svg !== undefined) {
      const { plotOf } = await import("./plot.ts");
      await writeFile(svg, await plotOf(load, hardware, outcomes));
    }
    console.log(json ? JSON.stringify({ load, hardware, outcomes }) : tableOf(outcomes));
    return 0;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`${error.message}\n\n${HELP}`);
    return 2;
  }
}

async function measure(load: Load, hardware: Hardware): Promise<Outcome[]> {
  using progress = showProgress(STRATEGIES.length * Math.floor(load.transfers / 1000));
  return await compare(load, hardware, progress.step);
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
