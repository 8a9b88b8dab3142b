/**
 * Dirty tracking and logs of DMA by the typed API: what devices wrote to, as bits and as ranges, and what errors say.
 */
import type { DeviceDescription, IommuDescription } from "../../backends/simulated/mod.ts";
import { type BoundDevice, type DirtyBitmap, IommuError } from "../../mod.ts";
import { check, equal } from "../check.ts";
import { Puppet } from "../rules/puppet.ts";
import { errnoFor, sweep } from "./faulty.ts";
import { attached, boot, failure, nameOf } from "./machine.ts";

const PAGE = 4096;
const PAGES = 64;
const IOVA = 0x10_0000n;
const VTD: IommuDescription = { kind: "vtd", scalable: true, dirtyTracking: true };
const BYTES = new Uint8Array(8).fill(1);

const at = (page: number) => IOVA + BigInt(page * PAGE);
const ranges = (bitmap: DirtyBitmap) => [...bitmap].map(({ iova, length }) => [Number(iova - IOVA) / PAGE, length / PAGE]);

/** A machine with a device that is attached to a page table which tracks, and a buffer of small pages at IOVA. */
async function ready(description: Partial<DeviceDescription> = {}, iommu: IommuDescription = VTD, hugePages = false) {
  const puppet = new Puppet(description);
  const machine = await boot({ iommu, pci: [{ slot: "03.0", model: puppet }] });
  const held = attached(machine.kernel);
  const { device, ioas } = held;
  device.detach();
  ioas.hugePages = hugePages;
  const hwpt = ioas.createHwpt(device, { dirtyTracking: true });
  device.attach(hwpt);
  const buffer = ioas.createDmaBuffer(PAGES * PAGE, { iova: IOVA });
  const write = (...pages: number[]) => pages.forEach((page) => equal(puppet.writes(at(page), BYTES), "OK"));
  const all = { iova: IOVA, length: PAGES * PAGE };
  return {
    device,
    ioas,
    hwpt,
    buffer,
    write,
    all,
    [Symbol.dispose]() {
      held[Symbol.dispose]();
      machine[Symbol.dispose]();
    },
  };
}

for (const iommu of [VTD, { kind: "amdvi", dirtyTracking: true }, { kind: "smmuv3", dirtyTracking: true }] as const) {
  Deno.test(`${iommu.kind}: what a device wrote to comes as ranges, and once`, async () => {
    using w = await ready({}, iommu);
    const { hwpt, write, all } = w;
    equal(w.device.hwInfo().dirtyTracking, true);
    write(1);
    hwpt.setDirtyTracking(true);
    write(0, 3, 4, 5, 20, PAGES - 1);
    const kept = hwpt.dirtyBitmap({ ...all, clear: false });
    equal(ranges(kept), [[0, 1], [3, 3], [20, 1], [63, 1]]);
    equal([kept.dirtyPages, kept.pages, kept.pageSize, kept.iova, kept.length], [6, PAGES, PAGE, IOVA, BigInt(PAGES * PAGE)]);
    equal([...kept.bytes], [0b111001, 0, 0b10000, 0, 0, 0, 0, 0x80]);
    equal([3, 6, 63].map((page) => kept.has(at(page) + 5n)), [true, false, true]);
    equal([kept.has(IOVA - 1n), kept.has(at(PAGES))], [false, false]);
    equal(ranges(hwpt.dirtyBitmap({ iova: at(4), length: 2 * PAGE })), [[4, 2]]);
    equal(ranges(hwpt.dirtyBitmap({ ...all, pageSize: 4 * PAGE })), [[0, 4], [20, 4], [60, 4]]);
    equal(ranges(hwpt.dirtyBitmap(all)), []);
    write(7);
    hwpt.setDirtyTracking(true);
    equal(ranges(hwpt.dirtyBitmap(all)), [], "turned on while it was on");
    hwpt.setDirtyTracking(false);
    write(8);
    // Arm's hardware cannot let a write pass and not mark it.
    equal(ranges(hwpt.dirtyBitmap(all)), iommu.kind === "smmuv3" ? [[8, 1]] : []);
  });
}

Deno.test("a page that reaches beyond the range harms nothing, and its bits beyond are not told", async () => {
  using w = await ready({}, { kind: "amdvi", dirtyTracking: true }, true);
  w.hwpt.setDirtyTracking(true);
  // The mapping is of few large pages, whatever memory it got.
  w.write(0, 9);
  const some = w.hwpt.dirtyBitmap({ iova: IOVA, length: 3 * PAGE, clear: false });
  check(some.dirtyPages <= 3 && some.has(IOVA), `${some.dirtyPages}`);
  equal([some.bytes.length, some.bytes[0]! & ~0b111], [1, 0]);
  check(w.hwpt.dirtyBitmap(w.all).has(at(9)), "page 9");
});

Deno.test("ranges that cannot be are refused before the kernel is asked", async () => {
  using w = await ready();
  const { hwpt } = w;
  const bad = { iova: IOVA, length: PAGE };
  equal(nameOf(() => hwpt.dirtyBitmap({ ...bad, iova: 1 as unknown as bigint })), "TypeError");
  for (const wrong of [{ iova: IOVA + 8n }, { length: 0 }, { length: 5 }, { pageSize: 3 * PAGE }, { pageSize: 0 }, { length: 2n ** 50n }]) {
    equal(nameOf(() => hwpt.dirtyBitmap({ ...bad, ...wrong })), "RangeError");
  }
  const small = failure(() => hwpt.dirtyBitmap({ ...bad, length: 64, pageSize: 64 }), "EINVAL");
  check(small.message.includes("whole pages of the IOAS"), small.message);
});

Deno.test("a page table that was not made for it says so", async () => {
  using w = await ready();
  using plain = w.ioas.createHwpt(w.device);
  for (const run of [() => plain.setDirtyTracking(true), () => plain.dirtyBitmap(w.all)]) {
    const error = failure(run, "EOPNOTSUPP");
    check(error.message.includes("without { dirtyTracking: true }"), error.message);
  }
  w.hwpt[Symbol.dispose]();
  for (const run of [() => w.hwpt.setDirtyTracking(true), () => w.hwpt.dirtyBitmap(w.all)]) failure(run, "EBADF");
});

Deno.test("a device logs what it writes itself, until the log is disposed", async () => {
  using w = await ready({ dmaLogging: true });
  const { device, write, all } = w;
  equal(device.canLogDma, true);
  const log = device.logDma({ ranges: [all] });
  equal(log.pageSize, PAGE);
  write(2, 3, 40);
  equal(ranges(log.report({ iova: at(3), length: PAGE })), [[3, 1]]);
  equal(ranges(log.report(all)), [[2, 1], [40, 1]]);
  equal(ranges(log.report(all)), []);
  const second = failure(() => device.logDma({ ranges: [all] }), "EINVAL");
  check(second.message.includes("a log already"), second.message);
  equal(nameOf(() => log.report({ ...all, pageSize: 2048 })), "RangeError");
  log[Symbol.dispose]();
  log[Symbol.dispose]();
  failure(() => log.report(all), "EBADF");
  using large = device.logDma({ ranges: [{ iova: 0n, length: 2n ** 34n }], pageSize: 2 * PAGE });
  equal(large.pageSize, 4 * PAGE);
  write(1);
  equal(ranges(large.report(all)), [[0, 4]]);
  device[Symbol.dispose]();
  failure(() => large.report(all), "EBADF");
});

Deno.test("a device that keeps no log says so, and what tells the same", async () => {
  using w = await ready();
  const { device } = w;
  equal(device.canLogDma, false);
  const error = failure(() => device.logDma({ ranges: [w.all] }), "ENOTTY");
  check(/vfio-pci.*dirtyTracking/.test(error.message), error.message);
  equal(nameOf(() => device.logDma({ ranges: [] })), "RangeError");
  equal(nameOf(() => device.logDma({ ranges: [{ iova: -1n, length: PAGE }] })), "RangeError");
});

/** Everything that asks the kernel, on a machine that can do it. */
function everything(device: BoundDevice): void {
  const { iommu } = device;
  using ioas = iommu.createIoas();
  using hwpt = ioas.createHwpt(device, { dirtyTracking: true });
  hwpt.setDirtyTracking(true);
  hwpt.dirtyBitmap({ iova: IOVA, length: PAGE });
  using log = device.logDma({ ranges: [{ iova: IOVA, length: PAGE }] });
  log.report({ iova: IOVA, length: PAGE });
}

for (const call of ["ioctl", "block"] as const) {
  Deno.test(`every ${call} of these operations that fails is an error with a code, and leaves nothing`, async () => {
    const puppet = new Puppet({ dmaLogging: true });
    using machine = await boot({ iommu: VTD, pci: [{ slot: "03.0", model: puppet }] });
    let failures = 0;
    const outcomes = await sweep(machine, { call, errno: errnoFor(call) }, { run: ({ device }) => everything(device) });
    for (const { error } of outcomes.filter(({ stage }) => stage === "operation")) {
      check(error instanceof IommuError && error.code === errnoFor(call), String(error));
      failures++;
    }
    check(failures >= 3, `${failures} calls`);
  });
}
