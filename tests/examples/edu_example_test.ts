/**
 * The edu example, as a driver and as a program.
 *
 * @module
 */
import { deepStrictEqual, match, ok, rejects, strictEqual, throws } from "node:assert/strict";
import { type FaultCall, faults } from "../../backends/wrap/mod.ts";
import { BUFFER_LENGTH, EduDriver } from "../../examples/edu/driver.ts";
import { openMachine } from "../../examples/edu/machine.ts";
import { exercise } from "../../examples/edu/main.ts";
import { EduDevice, IommuError, memoryMedia, NvmeController, simulated } from "../../mod.ts";
import { checkClean, pattern } from "./disk.ts";

const ADDRESS = "0000:00:04.0";
const MACHINE = { pci: [{ slot: "04.0", model: () => new EduDevice() }] } as const;

for (
  const iommu of [
    { kind: "vtd" },
    { kind: "vtd", scalable: true, stage: "first" },
    { kind: "amdvi", pageTable: "v2" },
    { kind: "smmuv3" },
    { kind: "smmuv3", stage: 2 },
    { kind: "riscv" },
  ] as const
) {
  Deno.test(`the driver exercises the device behind ${JSON.stringify(iommu)}, and gives everything back`, async () => {
    using kernel = await simulated({ ...MACHINE, iommu }, { checks: true });
    deepStrictEqual(await exercise(kernel, ADDRESS, 12), {
      address: ADDRESS,
      version: "1.0",
      alive: true,
      factorial: { number: 12, result: 479_001_600 },
      dma: { bytes: 2 * BUFFER_LENGTH, intact: true },
    });
    checkClean(kernel);
  });
}

Deno.test("parts of the card's buffer are written and read", async () => {
  using kernel = await simulated(MACHINE, { checks: true });
  {
    using edu = EduDriver.open(kernel, ADDRESS);
    await edu.write(pattern(BUFFER_LENGTH, 1));
    await edu.write(pattern(100, 2), 40);
    const expected = pattern(BUFFER_LENGTH, 1);
    expected.set(pattern(100, 2), 40);
    deepStrictEqual(await edu.read(200, 20), expected.slice(20, 220));
    deepStrictEqual(await edu.read(BUFFER_LENGTH), expected.slice());
    await rejects(edu.write(new Uint8Array(BUFFER_LENGTH + 1)), RangeError);
  }
  checkClean(kernel);
});

Deno.test("another device is refused, and can be opened by its own driver afterwards", async () => {
  using kernel = await simulated({ pci: [{ slot: "04.0", model: new NvmeController({ namespaces: [{ media: memoryMedia(4096) }] }) }] }, {
    checks: true,
  });
  throws(
    () => EduDriver.open(kernel, ADDRESS),
    /^EduError: Cannot drive 0000:00:04.0: its identification is 0x[0-9a-f]+, not 0x\.\.\.\.00ed$/,
  );
  throws(() => EduDriver.open(kernel, "0000:00:05.0"), IommuError);
  checkClean(kernel);
});

const SWEEP: readonly FaultCall[] = ["open", "ioctl", "pread", "pwrite", "mmap", "block", "eventfd", "read", "wait"];

for (const call of SWEEP) {
  Deno.test(`whichever call of ${call} fails, the edu driver says so, and nothing is left`, async () => {
    for (let nth = 1;; nth++) {
      using kernel = await simulated(MACHINE, { checks: true });
      const faulty = faults(kernel, [{ call, nth, errno: call === "wait" ? "EBADF" : "EIO" }]);
      let error: unknown;
      await exercise(faulty, ADDRESS, 3).catch((thrown) => error = thrown);
      if (faulty.fired === 0) {
        strictEqual(error, undefined);
        ok(nth > 1, `${call} is never called`);
        break;
      }
      ok(error instanceof IommuError, `${call} ${nth}: ${error}`);
      checkClean(kernel);
    }
  });
}

const MAIN = new URL("../../examples/edu/main.ts", import.meta.url).pathname;

async function run(...words: string[]): Promise<{ code: number; out: string; error: string }> {
  const args = ["run", "--no-prompt", MAIN, ...words];
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, stdin: "null", env: { NO_COLOR: "1" } }).output();
  return { code, out: new TextDecoder().decode(stdout), error: new TextDecoder().decode(stderr) };
}

Deno.test("the program prints what it found, for people and for programs", async () => {
  const { code, out } = await run("6");
  strictEqual(code, 0);
  strictEqual(
    out,
    `edu 1.0 at ${ADDRESS}\n  liveness    ok\n  factorial   6! = 720 (modulo 2^32), by interrupt\n` +
      "  DMA         8192 bytes, both ways, intact\n",
  );
  const { factorial } = JSON.parse((await run("--json")).out);
  deepStrictEqual(factorial, { number: 10, result: 3_628_800 });
});

Deno.test("the program refuses what is no number", async () => {
  for (const word of ["ten", "1.5", "4294967296"]) {
    const { code, out, error } = await run(word);
    deepStrictEqual([code, out], [2, ""]);
    strictEqual(error, `Cannot compute "${word}"!: a whole number below 2^32 is needed\n`);
  }
  deepStrictEqual(await run("--fast"), { code: 2, out: "", error: "Unknown option '--fast'\n" });
});

Deno.test("help names every option, and needs nothing", async () => {
  const { code, out, error } = await run("--help");
  deepStrictEqual([code, error], [0, ""]);
  for (const option of ["number", "--device", "--json", "--help"]) ok(out.includes(`  ${option}`), option);
});

Deno.test("a real device without the permission for it: a sentence, and status 1", async () => {
  const { code, out, error } = await run("--device", ADDRESS);
  deepStrictEqual([code, out], [1, ""]);
  match(error, /--allow-ffi/);
  ok(!/^ +at /m.test(error), error);
});

Deno.test("the example's machine has the device where it says", async () => {
  const { kernel, address } = await openMachine();
  using _machine = kernel;
  using edu = EduDriver.open(kernel, address);
  strictEqual(edu.checkLiveness(0), 0xffff_ffff);
});
