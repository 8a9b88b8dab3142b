/** The shapes that core-wasm/crates/pgtable/examples/shapes.rs makes: page tables of our core, and what its own walk says of accesses. */

import type { Verdict } from "./iommu.ts";

/** A stretch of words that are not zero; each as hexadecimal digits. */
export interface Stretch {
  readonly pa: bigint;
  readonly words: readonly string[];
}

/** An access of 4 bytes. */
export interface Access {
  readonly write: boolean;
  readonly iova: bigint;
  readonly verdict: Verdict;
  /** Where it must arrive; of one that is refused, where it must not, or 0. */
  readonly pa: bigint;
}

/** A page table. */
export interface Shape {
  readonly seed: number;
  readonly root: bigint;
  /** How it was made, for people; the number of the operation comes first. */
  readonly operations: string[];
  /** A page that the device may read and write. */
  window: { readonly iova: bigint; readonly pa: bigint };
  readonly memory: Stretch[];
  readonly accesses: Access[];
}

/** What to make. */
export interface Request {
  readonly format: string;
  readonly levels: number;
  /** Bits of IOVA to be used. */
  readonly iovaLg2: number;
  /** Bit n for leaves of 2^n bytes. */
  readonly pageSizes: bigint;
  /** Of the first shape; that of each other is one more. */
  readonly seed: number;
  readonly count: number;
  /** Only these operations of the shape, and only this access. */
  readonly probe?: { readonly operations: readonly number[]; readonly access: Access };
}

/** The generator's arguments. */
export function argumentsOf(request: Request): string[] {
  const { format, levels, iovaLg2, pageSizes, seed, count, probe } = request;
  const main = [format, levels, iovaLg2, pageSizes.toString(16), seed, count].map(String);
  if (probe === undefined) return main;
  const keep = probe.operations.reduce((set, number) => set | 1n << BigInt(number), 0n);
  return [...main, keep.toString(16), probe.access.write ? "w" : "r", probe.access.iova.toString(16)];
}

/** Makes the shapes, with cargo. */
export async function makeShapes(request: Request): Promise<Shape[]> {
  return parse(await runExample("pgtable", "shapes", argumentsOf(request)));
}

/** What an example of a crate of the core prints. */
export async function runExample(crate: string, example: string, args: readonly string[]): Promise<string> {
  const manifest = new URL("../../core-wasm/Cargo.toml", import.meta.url).pathname;
  const cargo = ["run", "--quiet", "--manifest-path", manifest, "--package", crate, "--example", example, "--"];
  const output = await new Deno.Command("cargo", { args: [...cargo, ...args], stderr: "inherit" }).output();
  if (!output.success) throw new Error(`the example ${example} failed`);
  return new TextDecoder().decode(output.stdout);
}

/** A number of such a text. */
export const hexadecimal = (digits: string | undefined): bigint => BigInt(`0x${digits ?? "0"}`);

function parse(text: string): Shape[] {
  const shapes: Shape[] = [];
  for (const line of text.split("\n")) {
    const [word, ...rest] = line.split(" ");
    if (word === "shape") {
      const window = { iova: 0n, pa: 0n };
      shapes.push({ seed: Number(hexadecimal(rest[0])), root: hexadecimal(rest[1]), operations: [], window, memory: [], accesses: [] });
    }
    const shape = shapes.at(-1);
    if (shape !== undefined) addLine(shape, word, rest);
  }
  return shapes;
}

function addLine(shape: Shape, word: string | undefined, rest: readonly string[]): void {
  if (word === "op") shape.operations.push(rest.join(" "));
  if (word === "window") shape.window = { iova: hexadecimal(rest[0]), pa: hexadecimal(rest[1]) };
  if (word === "words") shape.memory.push({ pa: hexadecimal(rest[0]), words: rest.slice(1) });
  if (word === "access") {
    const verdict = rest[2] as Verdict;
    shape.accesses.push({ write: rest[0] === "w", iova: hexadecimal(rest[1]), verdict, pa: hexadecimal(rest[3]) });
  }
}
