/**
 * The machine with VT-d whose own page tables are of the first stage: which stage is chosen for what, and what it says of itself.
 *
 * @module
 */
import type { Machine } from "../../backends/simulated/mod.ts";
import { type Hwpt, simulated } from "../../mod.ts";
import { equal } from "../check.ts";
import { ADDRESS, bound } from "./behind.ts";

const PAGE = 4096;
type Vtd = Extract<NonNullable<Machine["iommu"]>, { kind: "vtd" }>;

/** A device of PASIDs and page requests behind it. */
const ready = (iommu: Omit<Vtd, "kind">) => bound({ kind: "vtd", ...iommu }, { pasid: { bits: 8 }, pageRequests: true });

/** What the driver shows in /sys of a register. */
function attribute(kernel: Awaited<ReturnType<typeof simulated>>, name: string): bigint {
  const bytes = kernel.readFile(`/sys/class/iommu/dmar0/intel-iommu/${name}`) as Uint8Array;
  return BigInt(`0x${new TextDecoder().decode(bytes).trim()}`);
}

const FIRST = { scalable: true, stage: "first", dirtyTracking: true } as const;
const SETTINGS = [{}, { levels: 5 }, { scalable: true }, FIRST, { ...FIRST, levels: 5 }] as const;

for (const settings of SETTINGS) {
  Deno.test(`with ${JSON.stringify(settings)} the registers in /sys are those of GET_HW_INFO`, async () => {
    using world = await ready(settings);
    const { vtd } = world.device.hwInfo();
    equal([attribute(world.kernel, "cap"), attribute(world.kernel, "ecap")], [vtd!.capability, vtd!.extendedCapability]);
    // FSTS and SMPWC.
    equal(vtd!.extendedCapability >> 47n & 3n, "stage" in settings ? 3n : 0n);
  });
}

Deno.test("page tables are of the first stage unless they are to be below others, or to track writes", async () => {
  using world = await ready(FIRST);
  const { device, iommu, kernel, read } = world;
  using ioas = iommu.createIoas();
  ioas.createDmaBuffer(PAGE, { iova: 0x1000n });
  using faultQueue = iommu.createFaultQueue();
  const formats = [{}, { pasid: true }, { faultQueue }, { nestParent: true }, { dirtyTracking: true }].map((options) => {
    using hwpt: Hwpt = ioas.createHwpt(device, options);
    device.attach(hwpt);
    equal(read(0x1000n), "OK");
    const format = kernel.inspect.pageTable(ADDRESS)!.format;
    device.detach();
    return format;
  });
  equal(formats, ["vtd_fs", "vtd_fs", "vtd_fs", "vtd_ss", "vtd_ss"]);
});

Deno.test("a device uses both stages at once, and each forgets what it is told to", async () => {
  using world = await ready(FIRST);
  const { device, iommu, read } = world;
  using ioas = iommu.createIoas();
  ioas.createDmaBuffer(PAGE, { iova: 0x1000n });
  using first = ioas.createHwpt(device, { pasid: true });
  using second = ioas.createHwpt(device, { pasid: true, nestParent: true });
  device.attach(first);
  device.attach(second, { pasid: 5 });
  equal([read(0x1000n), read(0x1000n, 5), read(0x1000n, 6)], ["OK", "OK", "blocked"]);
  device.attach(first, { pasid: 5 });
  device.attach(second);
  equal([read(0x1000n), read(0x1000n, 5)], ["OK", "OK"]);
  device.detach();
  equal([read(0x1000n), read(0x1000n, 5)], ["blocked", "OK"]);
  device.detach({ pasid: 5 });
  equal(read(0x1000n, 5), "blocked");
});

Deno.test("the lower half of signed addresses is mapped, and an IOAS with both stages has what both reach", async () => {
  for (const levels of [4, 5] as const) {
    using world = await ready({ ...FIRST, levels });
    const { device, iommu, read } = world;
    using ioas = iommu.createIoas();
    using parent = ioas.createHwpt(device, { nestParent: true });
    const width = BigInt(9 * levels + 12);
    equal(ioas.ranges.ranges.at(-1)!.last, 2n ** width - 1n);
    device.attach(parent);
    using _first = ioas.createHwpt(device);
    const last = 2n ** (width - 1n) - 1n;
    equal(ioas.ranges.ranges.at(-1)!.last, last);
    device.detach();
    device.attach(ioas);
    ioas.createDmaBuffer(PAGE, { iova: last - 0xfffn });
    equal([read(last - 3n), read(last + 1n), read(2n ** 64n - 4096n)], ["OK", "beyond-aperture", "not-present"]);
  }
});
