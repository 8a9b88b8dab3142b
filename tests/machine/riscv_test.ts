/**
 * The machine with a RISC-V IOMMU: what it says of itself, what it refuses as Linux's driver does, and where it differs from that.
 *
 * @module
 */
import type { Machine } from "../../backends/simulated/mod.ts";
import { IommuError } from "../../mod.ts";
import * as uapi from "../../uapi/codec.ts";
import { check, equal, thrown } from "../check.ts";
import { codeOf } from "../rules/world.ts";
import { behind } from "./behind.ts";

const PAGE = 4096;
type RiscV = Extract<NonNullable<Machine["iommu"]>, { kind: "riscv" }>;

/** A device of PASIDs and page requests behind it. */
const ready = (iommu: Omit<RiscV, "kind"> = {}) => behind({ kind: "riscv", ...iommu }, { pasid: { bits: 8 }, pageRequests: true });

Deno.test("Linux's driver says nothing of coherency, and with that every bind is refused; it is a setting", async () => {
  using world = await ready({ coherent: false });
  const error = thrown(() => world.bind());
  equal([error instanceof IommuError, (error as IommuError).code], [true, "EINVAL"]);
  using other = await ready();
  equal(codeOf(() => other.bind()), "OK");
});

Deno.test("it is in /sys as a platform device, of which the driver shows nothing", async () => {
  using world = await ready();
  equal(world.kernel.list("/sys/class/iommu"), ["riscv-iommu@3010000.iommu"]);
  equal(world.kernel.list("/sys/class/iommu/riscv-iommu@3010000.iommu/intel-iommu"), -2);
});

Deno.test("it tells nothing of itself, and the device has neither PASIDs nor page requests", async () => {
  using world = await ready();
  const info = world.bind().hwInfo();
  equal([info.type, info.data.length, info.maxPasidLog2, info.dirtyTracking], ["none", 0, 0, false]);
});

Deno.test("the lower half of signed addresses is mapped, by the number of levels", async () => {
  for (const levels of [3, 4, 5] as const) {
    using world = await ready({ levels });
    const device = world.bind();
    using ioas = world.iommu.createIoas();
    device.attach(ioas);
    const last = 2n ** BigInt(9 * levels + 11) - 1n;
    equal(ioas.ranges.ranges.at(-1)!.last, last);
    using _high = ioas.createDmaBuffer(PAGE, { iova: last - 0xfffn });
    equal([world.read(last - 3n), world.read(last + 1n)], ["OK", "beyond-aperture"]);
  }
});

Deno.test("pages have 64 KiB where svnapot is not false", async () => {
  for (const svnapot of [true, false]) {
    using world = await ready({ svnapot });
    const device = world.bind();
    using ioas = world.iommu.createIoas();
    device.attach(ioas);
    using _large = ioas.createDmaBuffer(2 ** 20, { iova: 2n ** 30n });
    equal([world.read(2n ** 30n), world.write(2n ** 30n + 0xf_fffcn)], ["OK", "OK"]);
    const sizes = [...world.kernel.inspect.statistics.pages].filter(([, count]) => count !== 0).map(([size]) => size);
    equal(sizes, [svnapot ? 16 : 12]);
  }
});

Deno.test("what is refused is told with its reason, and a page that can be written can be read", async () => {
  using world = await ready();
  const device = world.bind();
  using ioas = world.iommu.createIoas();
  equal([world.read(0x1000n), world.write(0x1000n)], ["blocked", "blocked"]);
  device.attach(ioas);
  using _page = ioas.createDmaBuffer(PAGE, { iova: 0x1000n, write: false });
  using _other = ioas.createDmaBuffer(PAGE, { iova: 0x2000n, read: false });
  equal([world.read(0x1000n), world.write(0x1000n), world.read(0x2000n), world.read(0x3000n)], ["OK", "no-write", "OK", "not-present"]);
  const reasons = world.kernel.inspect.faults.map(({ reason, access }) => `${access} ${reason}`);
  equal(reasons, ["read blocked", "write blocked", "write no-write", "read not-present"]);
});

Deno.test("page tables with any option are EOPNOTSUPP, but for those with PASIDs where the setting has them", async () => {
  for (const pasids of [false, true]) {
    using world = await ready({ pasids });
    const device = world.bind();
    using ioas = world.iommu.createIoas();
    using faultQueue = world.iommu.createFaultQueue();
    const make = (options: Parameters<typeof ioas.createHwpt>[1]) => codeOf(() => ioas.createHwpt(device, options)[Symbol.dispose]());
    const no = "EOPNOTSUPP";
    const options = [{}, { pasid: true }, { nestParent: true }, { dirtyTracking: true }, { faultQueue }];
    equal(options.map(make), ["OK", pasids ? "OK" : no, no, no, no]);
    using hwpt = ioas.createHwpt(device);
    equal(codeOf(() => hwpt.createViommu(device, { type: uapi.VIOMMU_TYPE_ARM_SMMUV3 })), no);
  }
});

Deno.test("with the setting, a device has an address space for each of its PASIDs", async () => {
  using world = await ready({ pasids: true });
  const device = world.bind();
  equal(device.hwInfo().maxPasidLog2, 8);
  using ioas = world.iommu.createIoas();
  using _page = ioas.createDmaBuffer(PAGE, { iova: 0x1000n });
  using hwpt = ioas.createHwpt(device, { pasid: true });
  device.attach(hwpt, { pasid: 200 });
  equal([world.read(0x1000n, 200), world.read(0x1000n, 199), world.read(0x1000n)], ["OK", "blocked", "blocked"]);
  device.attach(hwpt);
  equal([world.read(0x1000n, 200), world.read(0x1000n)], ["OK", "OK"]);
  device.detach({ pasid: 200 });
  equal([world.read(0x1000n, 200), world.read(0x1000n)], ["blocked", "OK"]);
  device.detach();
  check(world.kernel.inspect.faults.length === 3, "each refusal is recorded");
});
