/**
 * Several guests, each with a part of the work, some of them at once.
 *
 * An emulated processor leaves most of a second core idle, and a guest of its own for each test file means that one that hangs takes nothing else
 * with it.
 *
 * @module
 */
import { join, relative } from "node:path";
import process from "node:process";
import { boot, type BootOptions, describeFailure } from "./boot.ts";
import { shellWord } from "./command.ts";
import { type Variant, type VariantName, VARIANTS } from "./variants.ts";

const HERE = import.meta.dirname!;
const ROOT = join(HERE, "../..");
/** The tests that take longest, by name: they begin first, so that none of them runs alone at the end. */
const LONGEST = ["type1_test.ts", "rules_test.ts", "leaks_test.ts", "differential_test.ts", "linux_test.ts", "examples_test.ts"];

/**
 * How often a guest is booted whose command never said a word. About one boot in a hundred of an emulated machine stands still before its first
 * program, which says nothing about what is tested.
 */
const BOOTS_MAX = 3;

/** What one guest does. */
export interface Guest {
  /** Its kind of machine. */
  readonly variant: VariantName;
  /** What it is called in messages: "iommufd: rules_test.ts". */
  readonly name: string;
  /** What its shell runs; undefined: a shell for a person. */
  readonly command: string | undefined;
}

/** Which tests. */
export interface Selection {
  /** Files; none: all of this folder that the variant runs. */
  readonly files: readonly string[];
  /** Only tests whose name has it. */
  readonly filter: string | undefined;
}

/** A test file that was named is not there. */
export class MissingTestError extends Error {}

/** A guest for each test file of the variants, the longest first. @throws {MissingTestError} */
export async function planTests(variants: readonly VariantName[], { files, filter }: Selection): Promise<Guest[]> {
  const option = filter === undefined ? "" : ` --filter ${shellWord(filter)}`;
  const guests: Guest[] = [];
  for (const variant of variants) {
    for (const file of await testFiles(files, VARIANTS[variant])) {
      // Types were checked outside, where it is faster.
      guests.push({ variant, name: `${variant}: ${file.split("/").at(-1)}`, command: `deno test --no-check --allow-all${option} ${file}` });
    }
  }
  const rank = ({ name }: Guest) => (LONGEST.findIndex((file) => name.endsWith(file)) + LONGEST.length + 1) % (LONGEST.length + 1);
  return guests.sort((a, b) => rank(a) - rank(b));
}

/** From the repository's root. */
async function testFiles(files: readonly string[], { tests }: Variant): Promise<string[]> {
  if (files.length > 0) {
    for (const file of files) {
      await Deno.stat(file).catch(() => Promise.reject(new MissingTestError(`Cannot find the test file ${file}`)));
    }
    return files.map((file) => relative(ROOT, file));
  }
  const names: string[] = [];
  for await (const { name } of Deno.readDir(HERE)) if (name.endsWith("_test.ts")) names.push(name);
  return names.filter((name) => tests === undefined || tests.includes(name)).sort().map((name) => `tests/vm/${name}`);
}

/** What all guests have in common. */
export type Common = Omit<BootOptions, "append" | "variant" | "command" | "onOutput">;

/** Run all guests, `jobs` at once. Where there are several, the output of each comes whole when it ends. @returns whether all went well. */
export async function runGuests(guests: readonly Guest[], common: Common, jobs: number): Promise<boolean> {
  const queue = [...guests];
  const isAlone = queue.length === 1 || jobs === 1;
  let good = true;
  const worker = async () => {
    for (let guest = queue.shift(); guest !== undefined; guest = queue.shift()) {
      good = await runGuest(guest, common, isAlone) && good;
    }
  };
  await Promise.all(Array.from({ length: Math.min(jobs, guests.length) }, worker));
  return good;
}

async function runGuest({ variant, name, command }: Guest, common: Common, isAlone: boolean): Promise<boolean> {
  const kept: Uint8Array[] = [];
  const print = (bytes: Uint8Array) => process.stdout.write(bytes);
  const start = () =>
    boot({
      ...common,
      append: VARIANTS[variant].append,
      variant,
      ...(command === undefined ? {} : { command }),
      onOutput: (bytes) => isAlone ? print(bytes) : kept.push(bytes),
    });
  if (command !== undefined) console.error(`-- ${name}: begins`);
  let result = await start();
  if (command === undefined) return true;
  for (let tries = 1; tries < BOOTS_MAX && result.killed !== undefined && !result.isHeard; tries++) {
    console.error(`-- ${name}: did not get as far as the command, and is booted again: it ${describeFailure(result)}`);
    result = await start();
  }
  kept.forEach(print);
  const failure = describeFailure(result);
  console.error(`-- ${name}: ${failure ?? `done in ${result.seconds.toFixed(0)} s`}`);
  return failure === undefined;
}
