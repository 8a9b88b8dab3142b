/**
 * docs/coverage.md says what is so: its cells against the conformance suite on the simulated machine, the typed API and the files it names.
 * What it says of Linux is compared in the virtual machine: `lacking` in tests/vm.
 */
import { deepStrictEqual } from "node:assert/strict";
import { join } from "node:path";
import { coverage, type Row, strayNames } from "../../tools/coverage.ts";
import * as raw from "../../uapi/codec.ts";
import { BARE, CONFORMANCE, GUESTS, hostOf, LIMITED, MOCK, PLUGGABLE } from "../conformance/mod.ts";
import type { Caller } from "../conformance/caller.ts";
import type { Setup } from "../conformance/setup.ts";
import { openBare, openMock, openSimulated } from "../conformance/simulated.ts";
import { describeFailure, runSuites, type Suite } from "../harness.ts";
import { lacking } from "./lacking.ts";
import { observing, type Seen } from "./observer.ts";

const ROOT = join(import.meta.dirname!, "../..");
/** The rows of object kinds are those of the requests that make them. */
const ROWS: readonly Row[] = coverage().filter(({ title }) => !title.startsWith("Objects")).flatMap(({ rows }) => rows);

function isReason(cell: string): boolean {
  return cell.startsWith("– ");
}

async function asked(seen: Seen, suites: readonly Suite<Caller>[], open: () => Promise<Setup>): Promise<void> {
  const { failed } = await runSuites(suites, hostOf(observing(open, seen)));
  deepStrictEqual(failed.map(describeFailure), []);
}

const [hardware, mock, others]: readonly Seen[] = [new Map(), new Map(), new Map()];
await asked(hardware!, CONFORMANCE, () => openSimulated());
await asked(mock!, MOCK, openMock);
await asked(others!, CONFORMANCE, () => openSimulated({ iommu: "amdvi" }));
await asked(others!, BARE, openBare);
await asked(others!, GUESTS, () => openSimulated({ iommu: "smmuv3", guests: true }));
await asked(others!, PLUGGABLE, () => openSimulated());
await asked(others!, LIMITED, () => openSimulated({ memlock: 65_536 }));

/** Whether any of the suites had it answered; undefined: none asked. */
function answered(name: string): boolean | undefined {
  const found = [hardware!, mock!, others!].map((seen) => seen.get(name)).filter((value) => value !== undefined);
  return found.length === 0 ? undefined : found.includes(true);
}

/** The classes, options and fields of the typed API, as text by file. */
const API: readonly string[] = await Promise.all(
  [...Deno.readDirSync(join(ROOT, "api"))].filter(({ isFile }) => isFile).map(({ name }) => Deno.readTextFile(join(ROOT, "api", name))),
);

function isInApi(token: string): boolean {
  const [owner, member] = token.split(".");
  if (member === undefined) return API.some((text) => new RegExp(`\\b${owner}\\b`).test(text));
  const text = API.find((text) => new RegExp(`export (class|interface) ${owner}\\b`).test(text));
  return text !== undefined && new RegExp(`^  (static |get |async |readonly )?${member}\\b`, "m").test(text);
}

function tokens(cell: string): string[] {
  return [...cell.matchAll(/`([A-Za-z.]+)`/g)].map(([, token]) => token!);
}

async function fileHas(place: string, words: readonly string[]): Promise<boolean> {
  try {
    const text = await Deno.readTextFile(join(ROOT, place));
    return words.some((word) => text.includes(word));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

Deno.test("coverage: every request and constant of the schema has a row, and no row is of something else", () => {
  deepStrictEqual(strayNames(), []);
});

Deno.test("coverage: every name is in the raw interface", () => {
  deepStrictEqual(ROWS.filter(({ name }) => !(name in raw)).map(({ name }) => name), []);
});

Deno.test("coverage: no cell is empty, and a dash has a reason", () => {
  const empty = ROWS.filter((row) => Object.values(row).some((cell: string) => cell === "" || /^–\s*$/.test(cell)));
  deepStrictEqual(empty.map(({ name }) => name), []);
});

Deno.test("coverage: what the simulated machine is said to do, the conformance suite has had answered", async () => {
  const wrong: string[] = [];
  for (const { name, simulated, typed } of ROWS) {
    const found = answered(name);
    const isSo = simulated === "yes"
      ? found === true
      : simulated === "refused"
      ? found === false
      : isReason(simulated)
      ? found !== true
      : await fileHas(simulated, [name, ...tokens(typed).map((token) => token.split(".").at(-1)!)]);
    if (!isSo) {
      wrong.push(
        `${name}: "${simulated}", and the suite ${found === undefined ? "never asks" : found ? "has it answered" : "has it refused"}`,
      );
    }
  }
  deepStrictEqual(wrong, []);
});

Deno.test("coverage: the suites that run on Linux ask for what Linux is said to do", () => {
  deepStrictEqual([...lacking(hardware!, "VT-d"), ...lacking(mock!, "mock")], []);
});

Deno.test("coverage: the members, options and fields that are named exist", () => {
  const missing = ROWS.flatMap(({ name, typed }) => tokens(typed).filter((token) => !isInApi(token)).map((token) => `${name}: ${token}`));
  deepStrictEqual(missing, []);
});

Deno.test("coverage: where a row sends a reader, the reader finds it", async () => {
  const wrong: string[] = [];
  for (const { name, example, linux } of ROWS) {
    const [path, word] = example.split("#");
    if (!isReason(example) && (word === undefined || !await fileHas(path!, [word]))) wrong.push(`${name}: ${example}`);
    if (linux.startsWith("tests/") && !await fileHas(linux, [""])) wrong.push(`${name}: ${linux}`);
  }
  deepStrictEqual(wrong, []);
});
