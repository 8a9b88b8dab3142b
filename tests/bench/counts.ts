/**
 * Instructions of the core's hot paths, counted by callgrind, beside those that core-wasm/bench/counts.json keeps: `deno task bench:counts`.
 *
 * A count does not depend on what else a machine does, nor on how fast it is: of one compiler it says the same everywhere, but for what the C
 * library does.
 *
 * @module
 */
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import Table from "cli-table3";
import toolchain from "../../core-wasm/toolchain.json" with { type: "json" };

const HELP = `Count the instructions of the core's hot paths, and compare them with those that are kept.

  deno task bench:counts [options]

  --write   keep what is counted now
  --help    this

Ends with 1 if a count is more than 3 % off, either way. Needs Rust ${toolchain.rust} and valgrind.`;

const CORE = join(import.meta.dirname!, "../../core-wasm");
const KEPT = join(CORE, "bench/counts.json");
/** How far a count may be from the one that is kept, as a share of it. */
const TOLERANCE = 0.03;
/** How often the program goes a path. */
const TIMES = 1_000;
/** So that the C library's copies are the same on every processor. */
const ENVIRONMENT = { GLIBC_TUNABLES: "glibc.cpu.hwcaps=-AVX2,-AVX2_Usable,-AVX512F,-AVX512VL,-AVX512F_Usable,-ERMS,-FSRM,-SSSE3" };

/** Instructions a path, by its name. */
type Counts = Readonly<Record<string, number>>;

/** Run a program to its end. @returns what it wrote. @throws {Error} if it is not there or fails. */
async function output(program: string, args: readonly string[], env: Record<string, string> = {}): Promise<{ out: string; err: string }> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args: [...args], env }).output().catch((cause) => {
    throw new Error(`Cannot run ${program}: is it installed?`, { cause });
  });
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  if (!success) throw new Error(`Cannot count: ${program} failed\n${err}`);
  return { out: out!, err: err! };
}

/** Build the program that goes the paths. @returns where it is. */
async function build(): Promise<string> {
  const { out } = await output("rustc", ["--version"]);
  if (!out.startsWith(`rustc ${toolchain.rust} `)) {
    throw new Error(`Cannot count: found ${out.trim()}, but the counts are those of ${toolchain.rust}`);
  }
  const target = Deno.env.get("CARGO_TARGET_DIR") ?? join(CORE, "target");
  const manifest = join(CORE, "bench/Cargo.toml");
  await output("cargo", ["build", "--locked", "--release", "--bin", "counts", "--manifest-path", manifest, "--target-dir", target]);
  return join(target, "release/counts");
}

/** Instructions of a path, a thousandth of those of as many times. */
async function countOf(program: string, name: string): Promise<number> {
  const args = ["--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=counts::measured*", program, name];
  const { err } = await output("valgrind", args, ENVIRONMENT);
  const collected = Number(/Collected : (\d+)/.exec(err)?.[1]);
  if (!(collected > 0)) throw new Error(`Cannot count "${name}": callgrind saw nothing of it\n${err}`);
  return collected / TIMES;
}

async function countAll(): Promise<Counts> {
  const program = await build();
  const names = (await output(program, [])).out.trim().split("\n");
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = await countOf(program, name);
  return counts;
}

/** Print both, and how far they are apart. @returns the names of those that are too far apart. */
function compare(kept: Counts, now: Counts): string[] {
  const table = new Table({ head: ["instructions", "kept", "now", "change"], style: { head: [], border: [] } });
  const moved: string[] = [];
  for (const name of new Set([...Object.keys(kept), ...Object.keys(now)])) {
    const [before, after] = [kept[name], now[name]];
    const change = before === undefined || after === undefined ? Infinity : after / before - 1;
    if (Math.abs(change) > TOLERANCE) moved.push(name);
    const percent = change === Infinity ? "–" : `${(100 * change).toFixed(1)} %`;
    table.push([name, before?.toFixed(1) ?? "–", after?.toFixed(1) ?? "–", percent]);
  }
  console.log(table.toString());
  return moved;
}

/** @returns the exit status: 0, 1 if a count has moved or cannot be had, 2 if an argument is wrong. */
async function main(words: string[]): Promise<number> {
  let values;
  try {
    ({ values } = parseArgs({ args: words, options: { write: { type: "boolean" }, help: { type: "boolean" } } }));
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\nTry: deno task bench:counts --help`);
    return 2;
  }
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const kept: Counts = JSON.parse(await Deno.readTextFile(KEPT).catch(() => "{}"));
  const now = await countAll();
  const moved = compare(kept, now);
  if (values.write) {
    await Deno.writeTextFile(KEPT, `${JSON.stringify(now, null, 2)}\n`);
    return 0;
  }
  if (moved.length === 0) return 0;
  console.error(`Instructions moved by more than ${100 * TOLERANCE} %: ${moved.join("; ")}.`);
  console.error("If that is meant, keep the new counts: deno task bench:counts --write, and say in the commit why they moved.");
  return 1;
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
