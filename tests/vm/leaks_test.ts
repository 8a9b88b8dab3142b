/**
 * Many programs' lives in one: files, pinned memory and objects of the kernel are where they were.
 */
import { deepStrictEqual, ok } from "node:assert/strict";
import { DeviceFd, IommuFd, type Kernel, leaks, linux } from "../../mod.ts";
import { DEVICES } from "./devices.ts";
import { grown, iommuFiles, linuxUsage, procNumber } from "./usage.ts";

const CYCLES = 10_000;
/** Cycles after which every cache of the kernel and of the runtime has what it keeps. */
const WARM = 1_000;
/** Kernel objects of one kind that may be there by chance: a leak of one in twenty cycles is more. */
const OBJECTS_MARGIN = (CYCLES - WARM) / 20;
/** KiB of the kernel's memory, likewise: 120 bytes a cycle are more. */
const SLAB_MARGIN = 1_024;
const BUFFER = 16 * 4096;

/** What a program does with a device, from its first call to its last. */
function cycle(kernel: Kernel): void {
  using iommu = IommuFd.open(kernel);
  using ioas = iommu.createIoas();
  using file = DeviceFd.open(kernel, DEVICES.alone);
  using device = file.bind(iommu, { label: 1n });
  device.attach(ioas);
  using buffer = ioas.createDmaBuffer(BUFFER);
  buffer.bytes[0] = 1;
}

/** How often, and how many seconds apart, the kernel's memory is looked at until it is no more than it was. */
const LOOKS = 30;
const LOOK_SECONDS = 2;

/** What the kernel's memory is used for. */
interface KernelMemory {
  /** Objects of each of its caches. */
  readonly objects: ReadonlyMap<string, number>;
  /** KiB of all of them. */
  readonly slab: number;
}

/** Measure, without what processors keep at hand, and without copies of files. */
function kernelMemory(): KernelMemory {
  Deno.writeTextFileSync("/proc/sys/vm/drop_caches", "3");
  for (const { name, isDirectory } of Deno.readDirSync("/sys/kernel/slab")) {
    if (isDirectory) Deno.writeTextFileSync(`/sys/kernel/slab/${name}/shrink`, "1");
  }
  const objects = new Map<string, number>();
  for (const line of Deno.readTextFileSync("/proc/slabinfo").trim().split("\n").slice(2)) {
    const [name, active] = line.split(/\s+/);
    objects.set(name!, Number(active));
  }
  return { objects, slab: procNumber("/proc/meminfo", "Slab") };
}

/** What the kernel has more of than before, in words. */
function kernelGrowth(before: KernelMemory): string[] {
  const { objects, slab } = kernelMemory();
  const more = [...objects].map(([name, count]) => [name, count - (before.objects.get(name) ?? 0)] as const);
  const grown = more.filter(([, growth]) => growth > OBJECTS_MARGIN).map(([name, growth]) => `${growth} more of ${name}`);
  return slab - before.slab > SLAB_MARGIN ? [...grown, `${slab - before.slab} KiB more`] : grown;
}

const seconds = (count: number) => new Promise((resolve) => setTimeout(resolve, 1_000 * count));

Deno.test(`${CYCLES} cycles of open, bind, attach, map and close leave files, memory and kernel objects where they were`, async () => {
  using kernel = await linux();
  for (let count = 0; count < WARM; count++) cycle(kernel);
  const usage = linuxUsage();
  await seconds(LOOK_SECONDS);
  const memory = kernelMemory();
  const start = performance.now();
  for (let count = WARM; count < CYCLES; count++) {
    cycle(kernel);
    // The harness takes silence for a hung guest, and the event loop has things to do as well.
    if (count % WARM === 0) {
      console.log(`${count} cycles, ${((performance.now() - start) / (count - WARM + 1)).toFixed(2)} ms each`);
      await new Promise((resolve) => setTimeout(resolve));
    }
  }
  const after = linuxUsage();
  deepStrictEqual(iommuFiles(after), []);
  deepStrictEqual(grown(usage, after), []);
  deepStrictEqual(leaks(kernel), []);
  // Objects are freed some time after their last user left, and a busy machine has thousands waiting. A leak stays.
  let left = kernelGrowth(memory);
  for (let look = 1; left.length > 0 && look < LOOKS; look++) {
    await seconds(LOOK_SECONDS);
    left = kernelGrowth(memory);
  }
  deepStrictEqual(left, []);
});

Deno.test("a bind, an attach or a map that fails leaves nothing either", async () => {
  using kernel = await linux();
  const usage = linuxUsage();
  for (let count = 0; count < 200; count++) {
    try {
      using iommu = IommuFd.open(kernel);
      using ioas = iommu.createIoas();
      using device = DeviceFd.open(kernel, DEVICES.alone).bind(iommu);
      device.attach(ioas);
      using _buffer = ioas.createDmaBuffer(BUFFER, { iova: 0x10_0000n });
      if (count % 2 === 0) ioas.createDmaBuffer(BUFFER, { iova: 0x10_0000n });
      using taken = DeviceFd.open(kernel, DEVICES.taken);
      taken.bind(iommu);
      ok(false, "nothing failed");
    } catch (error) {
      if (!(error instanceof Error && "code" in error && (error.code === "EEXIST" || error.code === "EPERM"))) throw error;
    }
  }
  deepStrictEqual(grown(usage, linuxUsage()), []);
});
