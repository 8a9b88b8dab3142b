/**
 * I/O addresses alone: calls of the core from JavaScript, beside what npm has for the same.
 *
 * @module
 */
import IntervalTreeModule from "@flatten-js/interval-tree";
import { MemPool } from "@thi.ng/malloc";
import sortedBtreeModule from "sorted-btree";
import { sequenceOf } from "../../vm/bench/workload.ts";
import { atMost, type Context, type Figure, fixed, type Line } from "../line.ts";
import { each, median } from "../measure.ts";
import type { BenchModule } from "../module.ts";

const MANY = 100_000;
const PAGES_MOST = 16;

/**
 * As {@linkcode each}, with what is to be freed and allocated chosen before the clock starts: who frees an area knows where it is. To look
 * that up in a list of all of them, which is in no cache, took a tenth of the time and more.
 */
async function eachDrawn<T>(calls: number, draw: () => T[], once: (choice: T) => void): Promise<number> {
  return await median(calls, () => {
    const choices = draw();
    const start = performance.now();
    for (let index = 0; index < calls; index++) once(choices[index]!);
    return performance.now() - start;
  });
}

/** Free any and allocate one of any size, `live` of them there. */
async function replace(parts: BenchModule, live: number): Promise<number> {
  parts.addresses_new(live);
  return await median(1_000, () => {
    parts.addresses_draw(1_000);
    const start = performance.now();
    for (let index = 0; index < 1_000; index++) parts.addresses_replace();
    return performance.now() - start;
  });
}

/** Take `count` out of a list, any. */
function drawFrom<T>(list: T[], count: number, next: () => number): T[] {
  return Array.from({ length: count }, () => {
    const index = next() % list.length;
    const drawn = list[index]!;
    list[index] = list.at(-1)!;
    list.length--;
    return drawn;
  });
}

/** Areas as {@linkcode BenchModule.addresses_new} makes them, by their first and last page. */
function areas(): [number, number][] {
  const next = sequenceOf("random", 1, PAGES_MOST);
  let page = 1;
  return Array.from({ length: MANY }, () => {
    const first = page;
    const pages = 1 + next();
    page += pages + 1 + next() % (PAGES_MOST - 1);
    return [first, first + pages - 1];
  });
}

/** An allocator over bytes, whose free blocks are a list: a page of ours is 8 bytes to it. */
async function memPool(): Promise<number> {
  const pool = new MemPool({ size: 2 ** 26, align: 8 });
  const next = sequenceOf("random", 1, 2 ** 30);
  const live = Array.from({ length: MANY }, () => pool.malloc(8 * (1 + next() % PAGES_MOST)));
  const draw = () => drawFrom(live, 4, next).map((address) => ({ address, bytes: 8 * (1 + next() % PAGES_MOST) }));
  return await eachDrawn(4, draw, ({ address, bytes }) => {
    pool.free(address);
    live.push(pool.malloc(bytes));
  });
}

/** What an ordered map of JavaScript takes to forget and learn an area, where it goes not being its business. */
async function sortedBtree(): Promise<number> {
  const tree = new sortedBtreeModule.default<number, number>(areas());
  const keys = [...tree.keys()];
  const next = sequenceOf("random", 1, MANY);
  const draw = () => Array.from({ length: 1_000 }, () => keys[next()]!);
  return await eachDrawn(1_000, draw, (key) => {
    tree.delete(key);
    tree.set(key, key);
  });
}

/** The same of an interval tree, which finds what overlaps. */
async function intervalTree(): Promise<number> {
  const tree = new IntervalTreeModule<number>();
  const all = areas();
  all.forEach((area, index) => tree.insert(area, index));
  const next = sequenceOf("random", 1, MANY);
  const draw = () => Array.from({ length: 1_000 }, next).map((index) => ({ area: all[index]!, index }));
  return await eachDrawn(1_000, draw, ({ area, index }) => {
    tree.remove(area, index);
    tree.insert(area, index);
  });
}

async function random(context: Context): Promise<Figure | undefined> {
  const parts = await context.parts();
  if (parts === undefined) return undefined;
  const peers = {
    "@thi.ng/malloc": await memPool(),
    "sorted-btree, address given": await sortedBtree(),
    "@flatten-js/interval-tree, address given": await intervalTree(),
  };
  return { value: await replace(parts, MANY), peers };
}

async function cached(context: Context): Promise<Figure | undefined> {
  const parts = await context.parts();
  if (parts === undefined) return undefined;
  parts.addresses_new(MANY);
  let page = parts.addresses_allocate(1);
  return {
    value: await each(1_000, () => {
      parts.addresses_free(page);
      page = parts.addresses_allocate(1);
    }),
  };
}

async function growth(context: Context): Promise<Figure | undefined> {
  const parts = await context.parts();
  if (parts === undefined) return undefined;
  const few = await replace(parts, 1_000);
  return { value: await replace(parts, 1_000_000) / few };
}

/** The lines. */
export const ADDRESSES: readonly Line[] = [
  { name: "IOVA free + allocate, random, 100,000 live", unit: "ns", linux: 18e3, goal: atMost(500), measure: random },
  { name: "IOVA free + allocate the size freed last, 100,000 live", unit: "ns", linux: 20, goal: atMost(25), measure: cached },
  { name: "IOVA free + allocate, random", unit: "× from 1,000 to 1,000,000", nativeParts: 0, goal: fixed(3, "3×"), measure: growth },
];
