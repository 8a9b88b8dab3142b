import { ok, rejects } from "node:assert/strict";
import { KINDS as AMDVI } from "./amdvi.ts";
import { type Kind, playContexts } from "./contexts.ts";
import { KINDS as RISCV } from "./riscv.ts";
import { KINDS as SMMUV3 } from "./smmuv3.ts";
import { KINDS as VTD } from "./vtd.ts";

/** Six accesses a step. */
const STEPS = 350;

const seed = Number(Deno.env.get("REFEREE_SEED") ?? "1");

function declare(kind: Kind): void {
  Deno.test(`${kind.name}: QEMU finds in our driver half's tables what our hardware half finds, while devices come and go`, async () => {
    const tally = await playContexts(kind, seed, STEPS);
    ok(Object.values(tally).every((count) => count > 20), JSON.stringify(tally));
  });
}

for (const kind of [...VTD, ...AMDVI, ...SMMUV3, ...RISCV]) declare(kind);

Deno.test("a fault that is recorded for another page than QEMU says would be noticed", async () => {
  for (const kind of VTD) {
    const wrong: Kind = { ...kind, expected: (verdict, [iova = 0n, ...rest]) => kind.expected(verdict, [iova ^ 0x1000n, ...rest]) };
    await rejects(playContexts(wrong, seed, 20), /recorded/);
  }
});
