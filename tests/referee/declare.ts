/** Declares the tests of a referee. */

import type { Case } from "./iommu.ts";
import { judge, type Tally } from "./judge.ts";

/** Shapes a format, of whatever number of levels. */
const SHAPES = 2_000;

/** The seed of the first shape, for who wants other ones. */
const seed = Number(Deno.env.get("REFEREE_SEED") ?? "1");

/** A test for each case and number of levels. */
export function declare(cases: readonly Case[]): void {
  for (const subject of cases) {
    const count = Math.ceil(SHAPES / subject.levels.size);
    for (const levels of subject.levels.keys()) {
      Deno.test(`${subject.name}, ${levels} levels: QEMU finds what our own walk finds, and records the faults that it must`, async () => {
        report(await judge(subject, levels, seed, count), count);
      });
    }
  }
}

/** Each kind of answer was among those that were compared. */
function report(tally: Tally, count: number): void {
  if (tally.shapes !== count || tally.ok === 0 || tally.absent === 0 || tally.denied === 0) {
    throw new Error(`too little was compared: ${JSON.stringify(tally)}`);
  }
}
