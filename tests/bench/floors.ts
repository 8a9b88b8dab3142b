/**
 * What memory itself takes on this machine, in C and in WebAssembly: no page table can be faster, and how much slower than the machine of
 * the goals this one is.
 *
 * @module
 */
import { join } from "node:path";
import binaryen from "binaryen";
import { sequenceOf } from "../vm/bench/workload.ts";
import { each } from "./measure.ts";

const HERE = join(import.meta.dirname!, "native");
const PAGE = 4096;
const PAGES = 262_144;
const WALKS = 65_536;
/** Where things are in the memory of floors.wat. */
const [FROM, TO, ROOT] = [0, 65_536, 131_072] as const;
const LEAVES = ROOT + 3 * PAGE;
const PLACES = LEAVES + 8 * PAGES;

/** One floor. */
export interface Floor {
  /** What it is, in nanoseconds. */
  readonly what: string;
  /** What it took in C on the machine that the goals are for. */
  readonly reference: number;
  /** In C, here; undefined where there is no C compiler. */
  c?: number;
  /** In WebAssembly, here. */
  wasm?: number;
}

/** The floors, by the names that floors.c has for them. */
export type Floors = Readonly<Record<string, Floor>>;

function floors(): Floors {
  return {
    fill: { what: "a PTE written", reference: 0.27 },
    checkFill: { what: "a PTE looked at and written", reference: 0.39 },
    setPage: { what: "4 KiB set", reference: 45 },
    copyPage: { what: "4 KiB copied", reference: 107 },
    copy64: { what: "64 KiB copied", reference: 1270 },
    walkIndependent: { what: "a walk of 4 levels, random over 1 GiB", reference: 3.7 },
    walkDependent: { what: "the same, after the one before", reference: 16 },
  };
}

/** Compile and run floors.c. @throws {Error} if there is no compiler. */
async function measureC(found: Floors): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "iommufd-floors-" });
  try {
    const program = join(folder, "floors");
    await output("cc", ["-O2", "-o", program, join(HERE, "floors.c")]);
    for (const line of (await output(program, [])).trim().split("\n")) {
      const [name = "", figure] = line.split("\t");
      found[name]!.c = Number(figure);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function output(program: string, args: string[]): Promise<string> {
  const { success, stdout } = await new Deno.Command(program, { args, stderr: "inherit" }).output().catch((cause) => {
    throw new Error(`Cannot run ${program}: is it installed?`, { cause });
  });
  if (!success) throw new Error(`Cannot measure: ${program} failed`);
  return new TextDecoder().decode(stdout);
}

/** The exports of floors.wat. */
interface Exports {
  readonly memory: WebAssembly.Memory;
  fill(to: number, repeat: number): void;
  checkFill(to: number, repeat: number): void;
  set(to: number, length: number, repeat: number): void;
  copy(to: number, from: number, length: number, repeat: number): void;
  walk(root: number, places: number, count: number, mask: number): number;
}

function instantiate(): Exports {
  const text = Deno.readTextFileSync(join(HERE, "floors.wat"));
  const module = binaryen.parseText(text);
  module.setFeatures(binaryen.Features.All);
  const made = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(module.emitBinary())));
  return made.exports as unknown as Exports;
}

/** The tables that floors.c builds. */
function buildTables(memory: WebAssembly.Memory): void {
  const words = new DataView(memory.buffer);
  words.setUint32(ROOT, ROOT + PAGE, true);
  words.setUint32(ROOT + PAGE, ROOT + 2 * PAGE, true);
  for (let index = 0; index < 512; index++) words.setUint32(ROOT + 2 * PAGE + 8 * index, LEAVES + PAGE * index, true);
  for (let index = 0; index < PAGES; index++) words.setUint32(LEAVES + 8 * index, index << 12, true);
  const next = sequenceOf("random", 1, PAGES);
  for (let index = 0; index < WALKS; index++) words.setUint32(PLACES + 4 * index, next(), true);
}

async function measureWasm(found: Floors): Promise<void> {
  const { memory, fill, checkFill, set, copy, walk } = instantiate();
  const pages = Math.ceil((PLACES + 4 * WALKS) / 65_536);
  memory.grow(Math.max(0, pages - memory.buffer.byteLength / 65_536));
  buildTables(memory);
  found.fill!.wasm = await each(4, () => fill(TO, 100)) / 100 / 512;
  found.checkFill!.wasm = await each(4, () => checkFill(TO, 100)) / 100 / 512;
  found.setPage!.wasm = await each(4, () => set(TO, PAGE, 100)) / 100;
  found.copyPage!.wasm = await each(4, () => copy(TO, FROM, PAGE, 100)) / 100;
  found.copy64!.wasm = await each(4, () => copy(TO, FROM, 65_536, 20)) / 20;
  found.walkIndependent!.wasm = await each(1, () => walk(ROOT, PLACES, WALKS, 0)) / WALKS;
  found.walkDependent!.wasm = await each(1, () => walk(ROOT, PLACES, WALKS, 1)) / WALKS;
}

/** Measure them. What cannot be measured is told to `tell`. */
export async function measureFloors(tell: (reason: string) => void): Promise<Floors> {
  const found = floors();
  await measureWasm(found);
  await measureC(found).catch((error: Error) => tell(`The floors were not measured in C: ${error.message}`));
  return found;
}

/** How many times slower than the machine of the goals this one is: the median over the floors; 1 where they are not known. */
export function scaleOf(found: Floors): number {
  const ratios = Object.values(found).flatMap(({ c, reference }) => c === undefined ? [] : [c / reference]).sort((a, b) => a - b);
  return ratios[ratios.length >> 1] ?? 1;
}
