/**
 * Page tables alone: VT-d second stage, four levels, calls of the core from JavaScript.
 *
 * @module
 */
import { sequenceOf } from "../../vm/bench/workload.ts";
import { atMost, type Context, type Figure, fixed, type Line } from "../line.ts";
import { each, median } from "../measure.ts";
import type { BenchModule } from "../module.ts";

const MIB = 2 ** 20;
/** Pages. */
const LARGE = 512;
const GIB = 262_144;

/** Pages that are mapped and unmapped, `length` at a time. */
interface Halves {
  /** Bytes for tables. */
  readonly bytes: number;
  /** What stays mapped. */
  readonly kept: readonly number[];
  readonly pages: readonly number[];
  readonly length: number;
}

const range = (count: number, step: number): number[] => Array.from({ length: count }, (_, index) => index * step);
const SINGLE: Halves = { bytes: 8 * MIB, kept: range(32, LARGE), pages: range(32 * LARGE, 1).filter((page) => page % LARGE), length: 1 };
const LARGES: Halves = { bytes: 8 * MIB, kept: [0], pages: range(65, LARGE).slice(1), length: LARGE };
const WHOLE: Halves = { bytes: 8 * MIB, kept: [0], pages: [GIB], length: GIB };

/** One half of it, measured apart from the other. */
async function half(parts: BenchModule, { bytes, kept, pages, length }: Halves, what: "map" | "unmap"): Promise<number> {
  const { tables_new, tables_map, tables_unmap } = parts;
  tables_new(bytes);
  for (const page of kept) tables_map(page, 1);
  return await median(pages.length, () => {
    const start = performance.now();
    for (let index = 0; index < pages.length; index++) tables_map(pages[index]!, length);
    const middle = performance.now();
    for (let index = 0; index < pages.length; index++) tables_unmap(pages[index]!, length);
    return what === "map" ? middle - start : performance.now() - middle;
  });
}

function halfLine(fields: Omit<Line, "measure">, halves: Halves, what: "map" | "unmap"): Line {
  const { nativeParts = 1 } = fields;
  return {
    ...fields,
    measure: async (context) => {
      const parts = await context.parts();
      return parts && { value: await half(parts, halves, what) / nativeParts };
    },
  };
}

async function translate(context: Context): Promise<Figure | undefined> {
  const parts = await context.parts();
  if (parts === undefined) return undefined;
  const { tables_new, tables_map, tables_translate } = parts;
  tables_new(8 * MIB);
  tables_map(GIB, GIB);
  const next = sequenceOf("random", 1, GIB);
  const pages = Uint32Array.from({ length: 2 ** 16 }, () => GIB + next());
  return {
    value: await median(pages.length, () => {
      const start = performance.now();
      for (let index = 0; index < pages.length; index++) tables_translate(pages[index]!);
      return performance.now() - start;
    }),
  };
}

/** One page of `live` goes and comes back. */
async function replace(parts: BenchModule, live: number): Promise<number> {
  const { tables_new, tables_map, tables_unmap } = parts;
  tables_new(32 * MIB);
  tables_map(0, live);
  const next = sequenceOf("random", 1, live);
  return await each(10_000, () => {
    const page = next();
    tables_unmap(page, 1);
    tables_map(page, 1);
  });
}

async function growth(context: Context): Promise<Figure | undefined> {
  const parts = await context.parts();
  if (parts === undefined) return undefined;
  const few = await replace(parts, 1_000);
  return { value: await replace(parts, 1_000_000) / few };
}

/** Bytes of tables for each page of 1 GiB. */
async function bytesOf(context: Context): Promise<Figure | undefined> {
  const parts = await context.parts();
  if (parts === undefined) return undefined;
  parts.tables_new(8 * MIB);
  parts.tables_map(GIB, GIB);
  return { value: parts.tables_bytes() / GIB };
}

/** The lines. */
export const TABLES: readonly Line[] = [
  halfLine({ name: "map 4 KiB", unit: "ns", linux: 29, goal: atMost(29) }, SINGLE, "map"),
  halfLine({ name: "unmap 4 KiB", unit: "ns", linux: 33, goal: atMost(29) }, SINGLE, "unmap"),
  halfLine(
    { name: "map 2 MiB as 512 PTEs", unit: "ns a PTE", nativeParts: 512, linux: 743 / 512, goal: atMost(0.8, "0.8 ns a PTE") },
    LARGES,
    "map",
  ),
  halfLine(
    { name: "unmap 2 MiB as 512 PTEs", unit: "ns a PTE", nativeParts: 512, linux: 753 / 512, goal: atMost(0.6, "0.6 ns a PTE") },
    LARGES,
    "unmap",
  ),
  halfLine({ name: "map 1 GiB as 4 KiB pages", unit: "ns", linux: 367e3, goal: atMost(220e3, "220 µs") }, WHOLE, "map"),
  halfLine({ name: "unmap 1 GiB as 4 KiB pages", unit: "ns", linux: 371e3, goal: atMost(160e3, "160 µs") }, WHOLE, "unmap"),
  { name: "translate, random over 1 GiB", unit: "ns", linux: 31, goal: atMost(20), measure: translate },
  { name: "unmap + map 4 KiB, random", unit: "× from 1,000 to 1,000,000", nativeParts: 0, goal: fixed(3, "3×"), measure: growth },
  { name: "page tables of 1 GiB", unit: "bytes a PTE", nativeParts: 0, goal: fixed(9, "9 bytes"), measure: bytesOf },
];
