/**
 * examples/nesting: a guest's device works through the guest's own page tables, and its faults come by the guest's number of it.
 */
import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { nesting, nestingMachine } from "../../examples/nesting/main.ts";
import { EduDevice, leaks, simulated } from "../../mod.ts";

const MAIN = new URL("../../examples/nesting/main.ts", import.meta.url).pathname;
const ADDRESS = "0000:00:04.0";
const NOTHING = { files: 0, objects: 0, pinnedPages: 0, blocks: 0, waits: 0 };

async function run(...words: string[]): Promise<{ code: number; out: string; error: string }> {
  const args = ["run", "--no-prompt", MAIN, ...words];
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, stdin: "null", env: { NO_COLOR: "1" } }).output();
  return { code, out: new TextDecoder().decode(stdout), error: new TextDecoder().decode(stderr) };
}

Deno.test("a guest's device follows the guest's tables once it is told, and is kept in the guest's memory", async () => {
  using kernel = await simulated(nestingMachine(), { checks: true });
  const report = await nesting(kernel, ADDRESS, 3);
  deepStrictEqual(report, {
    rounds: 3,
    followed: true,
    stale: 3,
    invalidations: 3,
    faults: [{ device: 0x10, iova: "0x300000" }, { device: 0x10, iova: "0x400000" }],
    broughtOnDemand: true,
    contained: true,
  });
  const faults = kernel.inspect.faults.map(({ label, iova, reason }) => [label, iova, reason]);
  deepStrictEqual(faults, [[0x10n, 0x40_0000n, "not-present"], [0x10n, 0x50_0000n, "second-stage"]]);
  deepStrictEqual([leaks(kernel), kernel.inspect.check(), kernel.inspect.usage], [[], [], NOTHING]);
});

const UNABLE = {
  "an IOMMU that does not nest": [{ kind: "vtd" }, true, /EOPNOTSUPP.*does not nest/],
  "a device that asks for no pages": [{ kind: "vtd", scalable: true }, false, /ENODEV/],
} as const;

for (const [what, [iommu, pageRequests, message]] of Object.entries(UNABLE)) {
  Deno.test(`${what} is said, and everything is given back`, async () => {
    using kernel = await simulated({ iommu, pci: [{ slot: "04.0", model: () => new EduDevice({ pageRequests }) }] });
    let error: unknown;
    await nesting(kernel, ADDRESS, 1).catch((thrown) => error = thrown);
    ok(error instanceof Error && message.test(error.message), String(error));
    deepStrictEqual([leaks(kernel), kernel.inspect.usage], [[], NOTHING]);
  });
}

Deno.test("the program prints what it did, for people and for programs", async () => {
  const { code, out } = await run();
  strictEqual(code, 0);
  ok(out.startsWith("The guest moved a page under its device 8 times: the device followed\n"), out);
  const guide = await Deno.readTextFile(new URL("../../docs/nesting.md", import.meta.url));
  ok(guide.includes(out), "the guide shows what it prints");
  strictEqual(JSON.parse((await run("--json", "2")).out).stale, 2);
});

Deno.test("the program refuses what is no number of rounds, and help needs nothing", async () => {
  for (const word of ["0", "65", "many"]) {
    deepStrictEqual(await run(word), { code: 2, out: "", error: `Cannot use "${word}": a number of rounds from 1 to 64 is needed\n` });
  }
  deepStrictEqual(await run("--fast"), { code: 2, out: "", error: "Unknown option '--fast'\n" });
  const { code, out } = await run("--help");
  strictEqual(code, 0);
  for (const option of ["rounds", "--json", "--help"]) ok(out.includes(`  ${option}`), option);
});
