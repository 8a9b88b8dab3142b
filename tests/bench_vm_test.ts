/**
 * The measurements of tests/vm/bench on the simulated machine: so few that they tell nothing but that they run, and read what they should.
 */
import { deepStrictEqual, ok, rejects, strictEqual, throws } from "node:assert/strict";
import { bytesMedia, EduDevice, NvmeController, simulated } from "../mod.ts";
import { compare, spreadOf } from "./vm/bench/compare.ts";
import { ringsSide } from "./vm/bench/rings.ts";
import { linesOf, tableOf } from "./vm/bench/table.ts";
import { type Bench, rawSide, typedSide } from "./vm/bench/typed.ts";
import { sequenceOf, type Side, type Work, WORKS } from "./vm/bench/workload.ts";

const DISK = 2 ** 20;
const PLACE = 4096;

/** Each place of the disk begins with its number, times something that no sum of others makes by chance. */
function disk(): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(DISK);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < DISK; at += PLACE) view.setUint32(at, (at / PLACE) * 2_654_435_761, true);
  return bytes;
}

async function openBench(): Promise<Bench & Disposable> {
  const nvme = new NvmeController({ namespaces: [{ media: bytesMedia(disk()) }] });
  const kernel = await simulated({ pci: [{ slot: "04.0", model: () => new EduDevice() }, { slot: "07.0", model: nvme }] });
  return { kernel, plain: "0000:00:04.0", nvme: "0000:00:07.0", [Symbol.dispose]: () => kernel[Symbol.dispose]() };
}

/** A work with little to do. */
function little(work: Work): Work {
  return { ...work, length: Math.min(work.length, 2 ** 17), batch: 8, samples: 2 };
}

for (const work of WORKS) {
  Deno.test(`"${work.name}" runs on the simulated machine`, async () => {
    using bench = await openBench();
    const sides = [typedSide(bench), rawSide(bench), ringsSide(bench)];
    const { spreads } = await compare(little(work), sides, 1);
    const other = work.kind === "map" ? ["raw ioctl"] : work.completions === "polling" ? ["TypeScript, rings only"] : [];
    deepStrictEqual([...spreads.keys()], ["TypeScript", ...other]);
    for (const { lower, median, upper, count } of spreads.values()) {
      strictEqual(count, 2);
      ok(0 <= lower && lower <= median && median <= upper);
    }
  });
}

for (const order of ["random", "sequential"] as const) {
  Deno.test(`reads in ${order} order read the places of the sequence, each once`, async () => {
    using bench = await openBench();
    const work = { kind: "read", name: "", length: PLACE, depth: 3, order, completions: "polling", batch: 10, samples: 2 } as const;
    const next = sequenceOf(order, 7, DISK / PLACE);
    let expected = 0;
    for (let read = 0; read < 20; read++) expected = (expected + Math.imul(next(), 2_654_435_761)) >>> 0;
    strictEqual((await typedSide(bench).run(work, 7))!.check, expected);
  });
}

Deno.test("the places of a seed are those that the C program computes", () => {
  const next = sequenceOf("random", 1, 2 ** 32);
  deepStrictEqual([next(), next(), next()], [270_369, 67_634_689, 2_647_435_461]);
});

Deno.test("sides that read different things are an error", async () => {
  const side = (name: string, check: number): Side => ({ name, warmUps: 1, run: () => Promise.resolve({ samples: [1], check }) });
  const work = WORKS[0]!;
  await rejects(compare(work, [side("C", 1), side("TypeScript", 2)], 1), /did not read the same .*C 0x1, TypeScript 0x2/);
});

Deno.test("rounds that warm up are not counted, and sides take turns with the same seeds, each beginning in its turn", async () => {
  const calls: string[] = [];
  const side = (name: string, warmUps: number): Side => ({
    name,
    warmUps,
    run: (_work, seed) => {
      calls.push(`${name}${seed}`);
      return Promise.resolve({ samples: [seed], check: 0 });
    },
  });
  const { spreads } = await compare(WORKS[0]!, [side("a", 1), side("b", 2)], 3);
  deepStrictEqual(calls, ["a1", "b1", "b2", "a1", "b1", "b2", "a2", "a3", "b3"]);
  deepStrictEqual([...spreads.keys()], ["a", "b"]);
  deepStrictEqual(spreads.get("a"), { lower: 1.5, median: 2, upper: 2.5, count: 3 });
});

Deno.test("medians and quartiles fall between samples where they must", () => {
  deepStrictEqual(spreadOf([40, 10, 20, 30]), { lower: 17.5, median: 25, upper: 32.5, count: 4 });
  throws(() => spreadOf([]), RangeError);
});

Deno.test("results are a table with multiples of C's time, or lines of JSON", () => {
  const spread = (median: number) => ({ lower: median - 1, median, upper: median + 1, count: 3 });
  const results = [{ work: WORKS[0]!, spreads: new Map([["C", spread(2000)], ["TypeScript", spread(2500)]]) }];
  ok(tableOf(results).includes("2.50 µs (2.50 µs to 2.50 µs)  1.25×"), tableOf(results));
  deepStrictEqual(linesOf(results).split("\n").map((line) => JSON.parse(line)), [
    { name: WORKS[0]!.name, side: "C", ...spread(2000), goal: 1.15 },
    { name: WORKS[0]!.name, side: "TypeScript", ...spread(2500), goal: 1.15 },
  ]);
});
