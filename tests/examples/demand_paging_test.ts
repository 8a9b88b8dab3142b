/**
 * examples/demand_paging: a device works in memory that is filled in when it is touched.
 */
import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { demandPaging } from "../../examples/demand_paging/main.ts";
import { EduDevice, leaks, simulated } from "../../mod.ts";

const MAIN = new URL("../../examples/demand_paging/main.ts", import.meta.url).pathname;

async function run(...words: string[]): Promise<{ code: number; out: string; error: string }> {
  const args = ["run", "--no-prompt", MAIN, ...words];
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, stdin: "null", env: { NO_COLOR: "1" } }).output();
  return { code, out: new TextDecoder().decode(stdout), error: new TextDecoder().decode(stderr) };
}

Deno.test("pages are filled in only where the device touches them, and everything is given back", async () => {
  using kernel = await simulated({
    iommu: { kind: "vtd", scalable: true },
    pci: [{ slot: "04.0", model: () => new EduDevice({ pageRequests: true }) }],
  }, { checks: true });
  const report = await demandPaging(kernel, "0000:00:04.0", 256);
  // Twelve copies of which each touches a page or two at both ends; the last group is the one beyond the memory.
  deepStrictEqual([report.pages, report.intact, report.refused, report.copied], [256, true, 1, 40_704]);
  ok(report.filled >= 24 && report.filled <= 48, `${report.filled} pages`);
  ok(report.groups <= 49, `${report.groups} groups`);
  const [fault, ...others] = kernel.inspect.faults;
  strictEqual(others.length, 0);
  deepStrictEqual([fault?.iova, fault?.label, fault?.reason], [0x10_0000n + 256n * 4096n, 0xd0d0n, "not-present"]);
  deepStrictEqual([leaks(kernel), kernel.inspect.check()], [[], []]);
  deepStrictEqual(kernel.inspect.usage, { files: 0, objects: 0, pinnedPages: 0, blocks: 0, waits: 0 });
});

Deno.test("a device that does not ask for pages cannot be attached, and everything is given back", async () => {
  using kernel = await simulated({ iommu: { kind: "vtd", scalable: true }, pci: [{ slot: "04.0", model: () => new EduDevice() }] });
  let error: unknown;
  await demandPaging(kernel, "0000:00:04.0", 256).catch((thrown) => error = thrown);
  ok(error instanceof Error && /ENODEV/.test(error.message), String(error));
  deepStrictEqual(kernel.inspect.usage, { files: 0, objects: 0, pinnedPages: 0, blocks: 0, waits: 0 });
});

Deno.test("the program prints what it did, for people and for programs", async () => {
  const { code, out } = await run("64");
  strictEqual(code, 0);
  ok(out.startsWith("The device copied 40704 bytes in a memory of 64 pages of which none was there: intact\n"), out);
  strictEqual(JSON.parse((await run("--json")).out).pages, 1024);
});

Deno.test("the program refuses what is no number of pages, and help needs nothing", async () => {
  for (const word of ["7", "4097", "many"]) {
    deepStrictEqual(await run(word), { code: 2, out: "", error: `Cannot use "${word}": a number of pages from 8 to 4096 is needed\n` });
  }
  deepStrictEqual(await run("--fast"), { code: 2, out: "", error: "Unknown option '--fast'\n" });
  const { code, out } = await run("--help");
  strictEqual(code, 0);
  for (const option of ["pages", "--json", "--help"]) ok(out.includes(`  ${option}`), option);
});
