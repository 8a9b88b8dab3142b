/**
 * The machine with an Arm SMMUv3: what it says of itself, what it refuses as Linux's driver does, and why transfers are refused.
 *
 * @module
 */
import type { Machine } from "../../backends/simulated/mod.ts";
import { DeviceFd, IommuError, IommuFd, simulated } from "../../mod.ts";
import * as uapi from "../../uapi/codec.ts";
import { check, equal } from "../check.ts";
import { Puppet } from "../rules/puppet.ts";
import { codeOf } from "../rules/world.ts";
import { ADDRESS, bound } from "./behind.ts";
import { planMachine } from "../../backends/simulated/assembly.ts";

const PAGE = 4096;
type Smmuv3 = Extract<NonNullable<Machine["iommu"]>, { kind: "smmuv3" }>;

/** A device of PASIDs behind it. */
const ready = (iommu: Omit<Smmuv3, "kind"> = {}, more: Partial<Machine> = {}) => bound({ kind: "smmuv3", ...iommu }, undefined, more);

Deno.test("its interrupts are translated, unless the machine says otherwise", async () => {
  equal(planMachine({ pci: [], iommu: { kind: "smmuv3" } }).settings.msi, "translated");
  equal(planMachine({ pci: [], iommu: { kind: "smmuv3" }, msi: "passed" }).settings.msi, "passed");
  using world = await ready();
  const regions = world.kernel.readFile(`/sys/bus/pci/devices/${ADDRESS}/iommu_group/reserved_regions`);
  check(regions instanceof Uint8Array, "it can be read");
  equal(new TextDecoder().decode(regions), "0x0000000008000000 0x00000000080fffff msi\n");
});

Deno.test("it is in /sys by the address of its registers, of which its driver shows none", async () => {
  using world = await ready();
  equal(world.kernel.list("/sys/class/iommu"), ["smmu3.0x0000000009050000"]);
  equal(world.kernel.list("/sys/class/iommu/smmu3.0x0000000009050000/amd-iommu"), -2);
});

Deno.test("its registers say which stage, marks, substreams and pages it has", async () => {
  for (
    const [options, idr0, idr1] of [[{}, 2, 0], [{ stage: 2 }, 1, 0], [{ pasids: true }, 2, 20], [
      { dirtyTracking: true },
      0x82,
      0,
    ], [{ stage: "nested" }, 3, 0]] as const
  ) {
    using world = await ready(options);
    const info = world.device.hwInfo();
    equal([info.type, info.data.length, info.vtd, info.amd], ["arm-smmuv3", 40, undefined, undefined]);
    const { flags, idr: [zero = 0, one = 0, two, three, , five = 0], iidr, aidr } = info.smmuv3!;
    // IDR0: S1P, S2P, HTTU. IDR1: SSIDSIZE, SIDSIZE. IDR5: OAS of 48 bits, 4 KiB alone, or all granules for guests.
    equal([zero & 0xc3, one >> 6 & 31, one & 63, five & 0x7f], [idr0, idr1, 16, idr0 === 3 ? 0x75 : 0x15]);
    equal([flags, two, three, iidr, aidr], [0, 0, 0, 0, 0]);
    equal([info.dirtyTracking, info.maxPasidLog2], [idr0 === 0x82, idr1 === 0 ? 0 : 8]);
  }
});

Deno.test("both stages translate 48 bits, in pages as large as fit", async () => {
  for (const stage of [1, 2] as const) {
    using world = await ready({ stage });
    using ioas = world.iommu.createIoas();
    world.device.attach(ioas);
    const last = ioas.ranges.ranges.at(-1)!.last;
    equal(last, 2n ** 48n - 1n);
    using _high = ioas.createDmaBuffer(PAGE, { iova: last - 0xfffn });
    using _large = ioas.createDmaBuffer(3 * 2 ** 20, { iova: 2n ** 30n });
    equal([world.read(last - 3n), world.write(2n ** 30n), world.write(2n ** 30n + 0x2f_fffcn)], ["OK", "OK", "OK"]);
    const { pages } = world.kernel.inspect.statistics;
    // The page at the end, and what is left behind 2 MiB.
    equal([...pages], [[12, 1 + 256], [21, 1]]);
  }
});

Deno.test("what is refused is told with its reason, and a page that cannot be written can be read", async () => {
  for (const stage of [1, 2] as const) {
    using world = await ready({ stage });
    using ioas = world.iommu.createIoas();
    equal([world.read(0x1000n), world.write(0x1000n)], ["blocked", "blocked"]);
    world.device.attach(ioas);
    using _page = ioas.createDmaBuffer(PAGE, { iova: 0x1000n, write: false });
    equal([world.read(0x1000n), world.write(0x1000n), world.read(0x2000n), world.read(2n ** 48n)], [
      "OK",
      "no-write",
      "not-present",
      "beyond-aperture",
    ]);
    const reasons = world.kernel.inspect.faults.map(({ reason, access }) => `${access} ${reason}`);
    equal(reasons, ["read blocked", "write blocked", "write no-write", "read not-present", "read beyond-aperture"]);
  }
});

Deno.test("page tables that Linux's driver does not make are EOPNOTSUPP", async () => {
  const plain = (world: Awaited<ReturnType<typeof ready>>) => {
    using ioas = world.iommu.createIoas();
    const make = (options: Parameters<typeof ioas.createHwpt>[1]) => {
      try {
        ioas.createHwpt(world.device, options)[Symbol.dispose]();
        return "OK";
      } catch (error) {
        return (error as IommuError).code;
      }
    };
    return [
      make({}),
      make({ nestParent: true }),
      make({ pasid: true }),
      make({ dirtyTracking: true }),
      make({ pasid: true, dirtyTracking: true }),
    ];
  };
  const no = "EOPNOTSUPP";
  for (
    const [options, expected] of [
      [{}, ["OK", no, "OK", no, no]],
      [{ dirtyTracking: true }, ["OK", no, "OK", "OK", "OK"]],
      [{ stage: 2 }, ["OK", no, no, no, no]],
    ] as const
  ) {
    using world = await ready(options);
    equal(plain(world), expected);
  }
});

Deno.test("it has no virtual IOMMUs, as hardware without both stages has none", async () => {
  using world = await ready();
  using ioas = world.iommu.createIoas();
  using hwpt = ioas.createHwpt(world.device);
  equal(codeOf(() => hwpt.createViommu(world.device, { type: uapi.VIOMMU_TYPE_ARM_SMMUV3 })), "EOPNOTSUPP");
});

Deno.test("a device without substreams is refused each PASID it uses, and one with them its own alone", async () => {
  using world = await ready({ pasids: true });
  using ioas = world.iommu.createIoas();
  using _page = ioas.createDmaBuffer(PAGE, { iova: 0x1000n });
  using hwpt = ioas.createHwpt(world.device, { pasid: true });
  world.device.attach(hwpt, { pasid: 200 });
  equal([world.read(0x1000n, 200), world.read(0x1000n, 199), world.read(0x1000n)], ["OK", "blocked", "blocked"]);
  world.device.attach(hwpt);
  equal([world.read(0x1000n, 200), world.read(0x1000n)], ["OK", "OK"]);
  world.device.detach({ pasid: 200 });
  equal([world.read(0x1000n, 200), world.read(0x1000n)], ["blocked", "OK"]);
  world.device.detach();
  using none = await ready();
  equal(none.read(0x1000n, 1), "blocked");
});

Deno.test("a page table may have a fault queue, which stays empty: nobody asks a device for what it lacks", async () => {
  const puppet = new Puppet({ pageRequests: true });
  using kernel = await simulated({ pci: [{ slot: "03.0", model: puppet }], iommu: { kind: "smmuv3" } });
  using iommu = IommuFd.open(kernel);
  using fd = DeviceFd.open(kernel, ADDRESS);
  const device = fd.bind(iommu);
  device.config.write16(4, 6);
  using ioas = iommu.createIoas();
  using queue = iommu.createFaultQueue();
  using hwpt = ioas.createHwpt(device, { faultQueue: queue });
  device.attach(hwpt);
  // IDR0, ATS: the device translates ahead.
  equal(device.hwInfo().smmuv3!.idr[0]! >> 10 & 1, 1);
  const outcomes: unknown[] = [];
  puppet.bus.dma.onDemand("read", 0x1000n, new Uint8Array(4), (fault) => outcomes.push(fault));
  for (let turn = 0; turn < 10; turn++) kernel.relax();
  equal([outcomes, queue.take()], [["not-present"], undefined]);
  device.detach();
});
