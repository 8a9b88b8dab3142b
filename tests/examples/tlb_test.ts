/**
 * examples/tlb: what is compared comes out as it must, and the program says so.
 *
 * @module
 */
import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { type Load, type Outcome, run, STRATEGIES } from "../../examples/tlb/load.ts";
import { compare, tableOf } from "../../examples/tlb/main.ts";
import { plotOf } from "../../examples/tlb/plot.ts";

const LOAD: Load = { transfers: 2000, block: 16_384, depth: 8, memory: 16 * 2 ** 20, order: "random" };
const HARDWARE = { iommu: "vtd", entries: 64, structures: 16 } as const;
const PROGRAM = new URL("../../examples/tlb/main.ts", import.meta.url).pathname;

const named = (outcomes: readonly Outcome[], name: string) => outcomes.find(({ strategy }) => strategy === name)!;

for (const iommu of ["vtd", "amdvi", "smmuv3", "riscv"] as const) {
  Deno.test(`a pool is never invalidated, mapping each transfer is, and batches are as much rarer as they are long: ${iommu}`, async () => {
    const outcomes = await compare(LOAD, { ...HARDWARE, iommu });
    strictEqual(outcomes.length, STRATEGIES.length);
    for (const { strategy, invalidations, exposed } of outcomes.filter(({ strategy }) => strategy.startsWith("pool"))) {
      deepStrictEqual([invalidations, exposed], [0, 0], strategy);
    }
    const strict = named(outcomes, "map each, strict");
    deepStrictEqual([strict.invalidations, strict.exposed], [1, 0]);
    const lazy = named(outcomes, "map each, lazy (64)");
    deepStrictEqual([lazy.invalidations, lazy.exposed], [Math.ceil(LOAD.transfers / 64) / LOAD.transfers, 63]);
  });
}

Deno.test("huge pages serve a pool that 4 KiB pages do not, and strict invalidation costs most", async () => {
  const outcomes = await compare(LOAD, HARDWARE);
  deepStrictEqual([outcomes[0]!.strategy, outcomes.at(-1)!.strategy], ["pool, huge pages", "map each, strict"]);
  ok(named(outcomes, "pool, huge pages").hitRate > 0.9);
  ok(named(outcomes, "pool, 4 KiB pages").hitRate < 0.5);
  match(tableOf(outcomes), /IOTLB hits[^]*pool, huge pages +│ +9\d\.\d % │[^]*map each, strict/);
  const svg = await plotOf(LOAD, HARDWARE, outcomes);
  ok(svg.startsWith("<svg") && STRATEGIES.every(({ name }) => svg.includes(name)));
});

Deno.test("the same load costs the same each time", async () => {
  const strategy = STRATEGIES[1]!;
  const steps = { count: 0 };
  const runs = [];
  for (let round = 0; round < 2; round++) runs.push(await run({ ...LOAD, order: "sequential" }, strategy, HARDWARE, () => steps.count++));
  deepStrictEqual(runs[0], runs[1]);
  strictEqual(steps.count, 4);
});

async function program(...words: string[]): Promise<{ code: number; out: string; error: string }> {
  const command = new Deno.Command(Deno.execPath(), { args: ["run", "--allow-read", "--allow-env", PROGRAM, ...words] });
  const { code, stdout, stderr } = await command.output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: decode(stdout), error: decode(stderr) };
}

Deno.test("the program prints a table, or one JSON object, and refuses what makes no sense", async () => {
  match((await program("--transfers", "200", "--memory", "4")).out, /pool, huge pages/);
  const { out } = await program("--transfers", "200", "--memory", "4", "--json");
  strictEqual(JSON.parse(out).outcomes.length, STRATEGIES.length);
  strictEqual((await program("--help")).code, 0);
  for (
    const words of [["--depth", "0"], ["--block", "5000"], ["--memory", "3"], ["--order", "any"], ["--blocks", "1"], ["--entries", "6"], [
      "--iommu",
      "mock",
    ]]
  ) {
    const { code, error } = await program(...words);
    strictEqual(code, 2, words.join(" "));
    match(error, new RegExp(words[0]!));
  }
});
