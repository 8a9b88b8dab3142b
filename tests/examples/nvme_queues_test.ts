/**
 * The NVMe driver uses what a controller has: queues, depths, vectors, page sizes, doorbells far apart; interrupts and polling.
 *
 * @module
 */
import { deepStrictEqual, notStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import type { NvmeDriver } from "../../examples/nvme/driver.ts";
import { type BlockSource, bytesMedia, type NvmeOptions } from "../../mod.ts";
import { DISK_LENGTH, type DiskOptions, onDisk, pattern } from "./disk.ts";

const DATA = pattern(DISK_LENGTH, 7);

/** 64 reads of a block each, at once, and one of everything. */
async function readAll({ namespaces: [namespace] }: NvmeDriver): Promise<void> {
  const whole = new Uint8Array(DISK_LENGTH);
  const blocks = Array.from({ length: 64 }, () => new Uint8Array(512));
  await Promise.all([namespace!.read(0, whole), ...blocks.map((block, index) => namespace!.read(100 * index, block))]);
  deepStrictEqual(whole, DATA.subarray());
  blocks.forEach((block, index) => deepStrictEqual(block, DATA.slice(51_200 * index, 51_200 * index + 512)));
}

const disk = (options: Partial<NvmeOptions> = {}): Partial<NvmeOptions> => ({ namespaces: [{ media: bytesMedia(DATA) }], ...options });

const SHAPES: Readonly<Record<string, DiskOptions & { readonly expected: { queues: number; depth: number } }>> = {
  "one queue of one command": { driver: { queues: 1, depth: 1 }, disk: disk(), expected: { queues: 1, depth: 1 } },
  "sixteen queues of 255 commands": { driver: { queues: 16, depth: 255 }, disk: disk(), expected: { queues: 16, depth: 255 } },
  "more queues than the controller has": { driver: { queues: 64 }, disk: disk({ queues: 3 }), expected: { queues: 3, depth: 32 } },
  "queues longer than the controller's": { driver: { depth: 1000 }, disk: disk({ queueEntries: 8 }), expected: { queues: 4, depth: 7 } },
  "the shortest queues": { driver: { queues: 2, depth: 8 }, disk: disk({ queueEntries: 2 }), expected: { queues: 2, depth: 1 } },
  "fewer vectors than queues": { driver: { queues: 5 }, disk: disk({ vectors: 3 }), expected: { queues: 5, depth: 32 } },
  "one vector for everything": { driver: { queues: 3 }, disk: disk({ vectors: 1 }), expected: { queues: 3, depth: 32 } },
  "doorbells 1 KiB apart": { disk: disk({ doorbellStride: 8 }), expected: { queues: 4, depth: 32 } },
  "pages of 64 KiB": { disk: disk({ lg2PageMin: 16 }), expected: { queues: 4, depth: 32 } },
  "an AMD IOMMU": { disk: disk(), machine: { iommu: { kind: "amdvi" } }, expected: { queues: 4, depth: 32 } },
  "a RISC-V IOMMU": { disk: disk(), machine: { iommu: { kind: "riscv" } }, expected: { queues: 4, depth: 32 } },
  "an Arm SMMU": { disk: disk(), machine: { iommu: { kind: "smmuv3" } }, expected: { queues: 4, depth: 32 } },
  "five levels of tables": { disk: disk(), machine: { iommu: { kind: "vtd", levels: 5 } }, expected: { queues: 4, depth: 32 } },
  "39 bits of IOVA": { disk: disk(), machine: { iommu: { kind: "amdvi", levels: 3 } }, expected: { queues: 4, depth: 32 } },
};

for (const [name, { expected, ...options }] of Object.entries(SHAPES)) {
  for (const completions of ["interrupts", "polling"] as const) {
    Deno.test(`${name}, by ${completions}`, async () => {
      await onDisk({ ...options, driver: { ...options.driver, completions } }, async (driver) => {
        deepStrictEqual({ queues: driver.queues, depth: driver.depth, completions: driver.completions }, { ...expected, completions });
        await readAll(driver);
        strictEqual(driver.failure, undefined);
      });
    });
  }
}

/** Media that count how many reads are asked for at once, and answer only when the test lets them. */
class Gate {
  readonly waiting: (() => void)[] = [];
  readonly media: BlockSource = {
    length: DISK_LENGTH,
    read: () => new Promise<void>((resolve) => void this.waiting.push(resolve)),
  };

  /** Let all answer, again and again, until the promise settles. Returns how many waited at once at most. */
  async drain(work: Promise<unknown>): Promise<number> {
    let most = 0;
    let isDone = false;
    const done = work.finally(() => isDone = true);
    while (!isDone) {
      await new Promise((resolve) => setTimeout(resolve));
      most = Math.max(most, this.waiting.length);
      this.waiting.splice(0).forEach((resolve) => resolve());
    }
    await done;
    return most;
  }
}

Deno.test("as many commands as queues times depth are under way at once, and no more", async () => {
  const latency = { read: 1_000_000, fetch: 0, tick: 1, kibibyte: 0, jitter: 0 };
  for (const { queues, depth } of [{ queues: 1, depth: 1 }, { queues: 3, depth: 5 }, { queues: 2, depth: 50 }]) {
    await onDisk(
      { disk: disk({ latency }), driver: { queues, depth, completions: "polling" } },
      async ({ namespaces: [namespace], ioas }, kernel) => {
        using buffer = ioas.createDmaBuffer(512 * 300);
        const start = kernel.inspect.now;
        await Promise.all(Array.from({ length: 300 }, (_, at) => namespace!.read(at, buffer.bytes.subarray(512 * at, 512 * (at + 1)))));
        // A read takes a millisecond of the machine's time, whatever else is under way.
        strictEqual(Math.round((kernel.inspect.now - start) / latency.read), 300 / (queues * depth));
      },
    );
  }
});

for (const completions of ["interrupts", "polling"] as const) {
  Deno.test(`timers of the program go off while it reads without a pause, by ${completions}`, async () => {
    await onDisk({ disk: disk(), driver: { completions } }, async ({ namespaces: [namespace], ioas }) => {
      using buffer = ioas.createDmaBuffer(512);
      let isOff = false;
      setTimeout(() => isOff = true);
      for (let reads = 0; !isOff; reads++) {
        ok(reads < 1_000_000, "the timer never went off");
        await namespace!.read(0, buffer.bytes);
      }
    });
  });
}

Deno.test("closing waits for commands that are under way, and rejects those that are not", async () => {
  const gate = new Gate();
  const options = { disk: { namespaces: [{ media: gate.media }] }, driver: { queues: 1, depth: 2 } };
  const outcomes: Promise<PromiseSettledResult<void>[]>[] = [];
  await onDisk(options, async (driver) => {
    const { namespaces: [namespace], ioas } = driver;
    const { bytes } = ioas.createDmaBuffer(4 * 512);
    outcomes.push(Promise.allSettled([0, 1, 2, 3].map((lba) => namespace!.read(lba, bytes.subarray(512 * lba, 512 * (lba + 1))))));
    await gate.drain(driver[Symbol.asyncDispose]());
  });
  const settled = await outcomes[0]!;
  deepStrictEqual(settled.map(({ status }) => status), ["fulfilled", "fulfilled", "rejected", "rejected"]);
});

Deno.test("the driver's memory is the same however many commands it has done", async () => {
  await onDisk({ disk: disk() }, async (driver, kernel) => {
    await readAll(driver);
    const before = kernel.inspect.usage;
    for (let round = 0; round < 5; round++) await readAll(driver);
    deepStrictEqual(kernel.inspect.usage, before);
  });
});

Deno.test("the same machine, seed and program are the same run", async () => {
  const run = async (seed: number) => {
    const times: number[] = [];
    await onDisk({ disk: disk(), machine: { seed } }, async (driver, kernel) => {
      await readAll(driver);
      times.push(kernel.inspect.now, kernel.inspect.statistics.events);
    });
    return times;
  };
  const first = await run(1);
  deepStrictEqual(await run(1), first);
  notStrictEqual((await run(2))[0], first[0]);
});

Deno.test("options that cannot be are refused before the device is opened", async () => {
  const { NvmeDriver } = await import("../../examples/nvme/driver.ts");
  const { ADDRESS, checkClean, diskMachine } = await import("./disk.ts");
  using kernel = await diskMachine();
  for (const wrong of [{ queues: 0 }, { depth: 1.5 }, { timeout: -1 }, { depth: 65_536 }, { completions: "magic" as "polling" }]) {
    await rejects(NvmeDriver.open(kernel, ADDRESS, wrong), RangeError);
  }
  checkClean(kernel);
  ok(kernel.inspect.statistics.maps === 0, "something was mapped");
});
