/**
 * The list of areas against the dumbest model: a map of pages.
 */
import { deepStrictEqual, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import { type Area, Areas, FileMemory } from "../../backends/linux/type1/areas.ts";

const PAGE = 4096n;
const PAGES = 24;

/** An area of whole pages. */
function area(start: number, count: number, va: number, file?: FileMemory): Area {
  return { iova: BigInt(start) * PAGE, length: BigInt(count) * PAGE, va: BigInt(va) * PAGE, access: 3, file };
}

type Step = readonly ["add" | "remove" | "copy", number, number];
const step: fc.Arbitrary<Step> = fc.tuple(fc.constantFrom("add", "remove", "copy"), fc.nat(PAGES - 1), fc.integer({ min: 1, max: 6 }));

Deno.test("areas are what was added and not removed, in order, and removing stops at the first that reaches out", () => {
  fc.assert(fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
    const areas = new Areas();
    let model: Area[] = [];
    let serial = 0;
    for (const [kind, start, count] of steps) {
      const [first, end] = [BigInt(start) * PAGE, BigInt(start + count) * PAGE];
      const touching = model.filter(({ iova, length }) => iova < end && first < iova + length);
      if (kind === "add") {
        if (touching.length > 0) continue;
        const added = area(start, count, serial += 100);
        areas.add(added);
        model = [...model, added].sort((a, b) => Number(a.iova - b.iova));
      } else if (kind === "remove") {
        const inside: Area[] = [];
        for (const one of touching) {
          if (one.iova < first || one.iova + one.length > end) break;
          inside.push(one);
        }
        deepStrictEqual(areas.inside(first, end - 1n), inside);
        areas.remove(inside);
        model = model.filter((one) => !inside.includes(one));
      } else if (touching.reduce((sum, { iova, length }) => sum + overlap(iova, iova + length, first, end), 0n) === end - first) {
        const pieces = areas.copied(first, end - first, 1n << 40n, 1);
        const pages = pieces.flatMap(({ iova, length, va }) =>
          Array.from({ length: Number(length / PAGE) }, (_, n) => [iova + BigInt(n) * PAGE, va + BigInt(n) * PAGE])
        );
        const wanted = Array.from({ length: count }, (_, n) => [(1n << 40n) + BigInt(n) * PAGE, vaOf(model, first + BigInt(n) * PAGE)]);
        deepStrictEqual(pages, wanted);
      }
      deepStrictEqual(areas.all, model);
    }
  }));
});

function overlap(start: bigint, end: bigint, first: bigint, stop: bigint): bigint {
  return (end < stop ? end : stop) - (start > first ? start : first);
}

function vaOf(model: readonly Area[], iova: bigint): bigint {
  const found = model.find((one) => one.iova <= iova && iova < one.iova + one.length)!;
  return found.va + (iova - found.iova);
}

Deno.test("memory of a file goes with its last area, and once", () => {
  let released = 0;
  const file = new FileMemory(() => released++);
  const areas = new Areas();
  const other = new Areas();
  areas.add(area(0, 2, 10, file));
  for (const piece of areas.copied(0n, 2n * PAGE, 8n * PAGE, 1)) other.add(piece);
  areas.clear();
  strictEqual(released, 0);
  other.clear();
  strictEqual(released, 1);
  other.clear();
  strictEqual(released, 1);
});
