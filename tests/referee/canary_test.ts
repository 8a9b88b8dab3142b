/** That the referees would notice: what our walk is said to have found is made wrong, and they must not agree. */

import { ok, strictEqual } from "node:assert/strict";
import type { Case } from "./iommu.ts";
import { compareShape } from "./judge.ts";
import { CASES as RISCV } from "./riscv.ts";
import { type Access, makeShapes, type Shape } from "./shapes.ts";
import { CASES as VTD } from "./vtd.ts";

/** A shape in which `change` has altered the accesses that it knows; those only, in their order. */
async function altered(subject: Case, levels: number, change: (access: Access) => Access | undefined): Promise<Shape> {
  const { format, pageSizes = 0xffff_ffff_ffff_ffffn } = subject;
  for (const shape of await makeShapes({ format, levels, iovaLg2: subject.levels.get(levels) ?? 0, pageSizes, seed: 1, count: 200 })) {
    const accesses = shape.accesses.flatMap((access) => change(access) ?? []);
    if (accesses.length !== 0) return { ...shape, accesses };
  }
  throw new Error("no shape has such an access");
}

function declare(name: string, change: (access: Access) => Access | undefined, text: RegExp): void {
  for (const [subject, levels] of [[VTD[0], 4], [VTD[1], 4], [RISCV[0], 3]] as const) {
    if (subject === undefined) throw new Error("the case is gone");
    Deno.test(`${subject.name}: ${name}`, async () => {
      const shape = await altered(subject, levels, change);
      const difference = await compareShape(subject, levels, shape);
      strictEqual(difference?.access, shape.accesses[0]);
      ok(text.test(difference?.text ?? ""), difference?.text);
    });
  }
}

declare(
  "a walk that arrived one page too far would be noticed",
  (access) => access.verdict === "ok" ? { ...access, pa: access.pa ^ 0x1000n } : undefined,
  /the data did not arrive/,
);

declare(
  "a walk that went through where hardware faults would be noticed",
  (access) => access.verdict === "absent" && access.pa !== 0n ? { ...access, verdict: "ok" } : undefined,
  /the data did not arrive/,
);

declare(
  "a walk that refused what hardware allows would be noticed",
  (access) => access.verdict === "ok" ? { ...access, verdict: "denied" } : undefined,
  /the data arrived/,
);
