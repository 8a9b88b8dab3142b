/**
 * examples/migration: memory moves while a disk writes to it.
 */
import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { migrate, migrationMachine, type MigrationReport } from "../../examples/migration/main.ts";
import { precopy } from "../../examples/migration/precopy.ts";
import { type DmaBuffer, type Hwpt, type Kernel, leaks, simulated } from "../../mod.ts";

const ROOT = new URL("../../", import.meta.url);
const MAIN = new URL("examples/migration/main.ts", ROOT).pathname;
const ADDRESS = "0000:00:04.0";
const SET_DIRTY_TRACKING = 0x3b8b;

async function run(...words: string[]): Promise<{ code: number; out: string; error: string }> {
  const args = ["run", "--no-prompt", MAIN, ...words];
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, stdin: "null", env: { NO_COLOR: "1" } }).output();
  return { code, out: new TextDecoder().decode(stdout), error: new TextDecoder().decode(stderr) };
}

Deno.test("memory arrives as it was in the end, in rounds that get smaller, and everything is given back", async () => {
  using kernel = await simulated(migrationMachine(), { checks: true });
  const report = await migrate(kernel, ADDRESS, 1024);
  strictEqual(report.intact, true);
  ok(report.stale > 10, `${report.stale} pages`);
  const { rounds, rest } = report;
  deepStrictEqual([rounds[0], [...rounds].sort((a, b) => b - a)], [1024, rounds]);
  ok(rest > 0 && rest <= 8 + 24, `${rest} pages at rest`);
  deepStrictEqual([leaks(kernel), kernel.inspect.check(), kernel.inspect.modelErrors], [[], [], []]);
  deepStrictEqual(kernel.inspect.usage, { files: 0, objects: 0, pinnedPages: 0, blocks: 0, waits: 0 });
});

Deno.test("without marks the copy is wrong: it is the tracking that saves it", async () => {
  const machine = await simulated(migrationMachine());
  // A kernel that says yes and tracks nothing.
  const kernel = new Proxy<Kernel>(machine, {
    get(target, name) {
      if (name === "ioctl") {
        return (...[fd, request, argument]: Parameters<Kernel["ioctl"]>) =>
          request === SET_DIRTY_TRACKING ? 0 : target.ioctl(fd, request, argument);
      }
      const value = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const report = await migrate(kernel, ADDRESS, 1024);
  deepStrictEqual([report.intact, report.rounds, report.rest], [false, [1024], 0]);
  machine[Symbol.dispose]();
});

Deno.test("a device that writes faster than memory can be sent is stopped after so many rounds", async () => {
  const range = { iova: 0n, length: 16 * 4096 };
  const bitmap = Object.assign([range], { dirtyPages: 16 });
  const hwpt = { setDirtyTracking() {}, dirtyBitmap: () => bitmap } as unknown as Hwpt;
  const buffer = { ...range, bytes: new Uint8Array(range.length) } as unknown as DmaBuffer;
  let [bursts, stops, received] = [0, 0, 0];
  const target = { receive: (_: number, bytes: Uint8Array) => void (received += bytes.length) };
  const meanwhile = () => Promise.resolve(void bursts++);
  const stop = () => Promise.resolve(void stops++);
  const sent = await precopy({ buffer, hwpt, target, restPages: 4, roundsMax: 3, burstPages: 8, meanwhile, stop });
  deepStrictEqual([sent, stops], [{ rounds: [16, 16, 16], rest: 16 }, 1]);
  deepStrictEqual([received, bursts], [4 * range.length, 9]);
});

Deno.test("a machine whose IOMMU does not track cannot migrate, says so, and gives everything back", async () => {
  using kernel = await simulated({ ...migrationMachine(), iommu: { kind: "vtd" } });
  let error: unknown;
  await migrate(kernel, ADDRESS, 256).catch((thrown) => error = thrown);
  ok(error instanceof Error && /EOPNOTSUPP.*cannot tell which pages were written/.test(error.message), String(error));
  deepStrictEqual(kernel.inspect.usage, { files: 0, objects: 0, pinnedPages: 0, blocks: 0, waits: 0 });
});

Deno.test("the program prints what it did, for people and for programs, and as its guide shows it", async () => {
  const { code, out } = await run();
  strictEqual(code, 0);
  const guide = await Deno.readTextFile(new URL("docs/dirty_tracking.md", ROOT));
  ok(guide.includes(`examples/migration/main.ts\n${out}\`\`\``), out);
  const report: MigrationReport = JSON.parse((await run("--json", "1")).out);
  deepStrictEqual([report.pages, report.intact], [256, true]);
});

Deno.test("the program refuses what is no size, and help needs nothing", async () => {
  for (const word of ["0", "33", "much"]) {
    deepStrictEqual(await run(word), { code: 2, out: "", error: `Cannot use "${word}": a number of MiB from 1 to 32 is needed\n` });
  }
  deepStrictEqual(await run("--fast"), { code: 2, out: "", error: "Unknown option '--fast'\n" });
  const { code, out } = await run("--help");
  strictEqual(code, 0);
  for (const option of ["MiB", "--json", "--help"]) ok(out.includes(`  ${option}`), option);
});
