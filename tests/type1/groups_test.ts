/**
 * Groups and containers below: when they are taken, when they are given back, and which of their refusals a program sees.
 */
import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import * as uapi from "../../uapi/codec.ts";
import { O_CLOEXEC, O_RDWR } from "../../uapi/kernel.ts";
import { faults } from "../../backends/wrap/mod.ts";
import { DeviceFd, type IommuError, IommuFd, listDevices, MemFd } from "../../mod.ts";
import { thrown } from "../check.ts";
import { bind, groupOf } from "./program.ts";
import { codeOf } from "../rules/world.ts";
import { openType1, type Type1Setup, type Type1SetupOptions } from "./setup.ts";

/** A test on a fresh kernel, at the end of which nothing may be left. */
function test(name: string, run: (setup: Type1Setup) => void | Promise<void>, options: Type1SetupOptions = {}): void {
  Deno.test(`type1: ${name}`, async () => {
    const setup = await openType1(options);
    await run(setup);
    deepStrictEqual(await setup.finish(), []);
  });
}

test("a group is taken with its first bind and given back with its last device", ({ kernel, fake, devices: { siblings } }) => {
  using iommu = IommuFd.open(kernel);
  const inUse = () => fake.leftovers().filter((what) => !what.includes("containers"));
  {
    const first = DeviceFd.open(kernel, siblings[0]);
    deepStrictEqual(inUse(), []);
    using one = first.bind(iommu);
    using two = bind(kernel, siblings[1], iommu);
    deepStrictEqual(inUse(), ["1 groups open", "2 devices of groups open"]);
    one[Symbol.dispose]();
    deepStrictEqual(inUse(), ["1 groups open", "1 devices of groups open"]);
    ok(two.info.isPci);
  }
  deepStrictEqual(inUse(), []);
});

test("a group that another program has is EPERM, and the device can be bound once it is free", ({ kernel, fake, devices: { alone } }) => {
  using iommu = IommuFd.open(kernel);
  const theirs = fake.open(`/dev/vfio/${groupOf(kernel, alone)}`, O_RDWR | O_CLOEXEC);
  const device = DeviceFd.open(kernel, alone);
  strictEqual(codeOf(() => device.bind(iommu)), "EPERM");
  fake.close(theirs);
  using bound = device.bind(iommu);
  strictEqual(bound.id, 1);
});

test("a group with a device of a kernel's driver is EPERM", ({ kernel, devices: { taken } }) => {
  using iommu = IommuFd.open(kernel);
  strictEqual(codeOf(() => bind(kernel, taken, iommu)), "EPERM");
});

test("a group belongs to one iommufd, and the container is asked for once", ({ kernel, devices: { siblings } }) => {
  using first = IommuFd.open(kernel);
  using second = IommuFd.open(kernel);
  using _device = bind(kernel, siblings[0], first);
  strictEqual(codeOf(() => bind(kernel, siblings[1], second)), "EPERM");
  using _sibling = bind(kernel, siblings[1], first);
});

test("a device that is open cannot be opened again, also before it is bound", ({ kernel, devices: { alone } }) => {
  using _device = DeviceFd.open(kernel, alone);
  strictEqual(codeOf(() => DeviceFd.open(kernel, alone)), "EBUSY");
});

test("without version 2 of type1 an iommufd cannot be opened, and the error says what to load", ({ kernel }) => {
  const error = thrown(() => IommuFd.open(kernel)) as IommuError;
  strictEqual(error.code, "EOPNOTSUPP");
  ok(error.message.includes("vfio_iommu_type1"), error.message);
}, { extensions: [uapi.TYPE1_IOMMU] });

test("a group without an IOMMU has no device for programs", ({ kernel, devices: { alone } }) => {
  strictEqual(codeOf(() => DeviceFd.open(kernel, alone)), "ENODEV");
}, {
  wrap: (fake) => {
    const readFile = fake.readFile.bind(fake);
    fake.readFile = (path) => (/iommu_groups\/\d+\/name$/.test(path) ? new TextEncoder().encode("vfio-noiommu\n") : readFile(path));
    return fake;
  },
});

for (const vfioDev of [false, true]) {
  test(`devices have nodes, whether the kernel below names them or not: ${vfioDev}`, ({ kernel, devices: { alone, taken } }) => {
    const found = listDevices(kernel);
    const nodes = found.flatMap(({ node }) => node ?? []);
    strictEqual(new Set(nodes).size, found.filter(({ driver }) => driver === "vfio-pci").length);
    deepStrictEqual((kernel.list("/dev/vfio/devices") as string[]).map((name) => `/dev/vfio/devices/${name}`).sort(), [...nodes].sort());
    ok((kernel.list("/dev") as string[]).includes("iommu"));
    strictEqual(found.find(({ address }) => address === "0000:00:08.1")?.node, undefined);
    for (const address of [alone, taken]) {
      using device = DeviceFd.open(kernel, found.find((device) => device.address === address)!.node!);
      ok(device.isOpen);
    }
    strictEqual(kernel.open("/dev/vfio/devices/vfio99", O_RDWR), -2);
  }, { vfioDev });
}

test("what the group reserves, and what lies beyond the aperture, cannot be mapped once a device is attached", ({ kernel, devices: { alone } }) => {
  using iommu = IommuFd.open(kernel);
  using ioas = iommu.createIoas();
  using device = bind(kernel, alone, iommu);
  strictEqual(ioas.ranges.ranges.length, 1);
  device.attach(ioas);
  const last = 2n ** 48n - 1n;
  deepStrictEqual(ioas.ranges.ranges, [{ start: 0n, last: 0xfedf_ffffn }, { start: 0xfef0_0000n, last }]);
  for (const iova of [0xfee0_0000n, last + 1n]) strictEqual(codeOf(() => ioas.createDmaBuffer(4096, { iova })), "EINVAL");
  // Once more, since what is known of a group is kept.
  device[Symbol.dispose]();
  using again = bind(kernel, alone, iommu);
  again.attach(ioas);
  strictEqual(ioas.ranges.ranges.length, 2);
});

test("a kernel that tells no ranges refuses what it cannot map", ({ kernel, devices: { alone } }) => {
  using iommu = IommuFd.open(kernel);
  using ioas = iommu.createIoas();
  using device = bind(kernel, alone, iommu);
  device.attach(ioas);
  using buffer = ioas.createDmaBuffer(4096);
  strictEqual(codeOf(() => ioas.createDmaBuffer(4096, { iova: 0xfee0_0000n })), "EINVAL");
  strictEqual(codeOf(() => ioas.createDmaBuffer(4096, { iova: buffer.iova })), "EEXIST");
}, { ranges: false });

test("a container takes so many mappings: the next is ENOSPC, and none is lost", ({ kernel, fake, devices: { alone } }) => {
  using iommu = IommuFd.open(kernel);
  using ioas = iommu.createIoas();
  using device = bind(kernel, alone, iommu);
  device.attach(ioas);
  const buffers = [1, 2, 3].map(() => ioas.createDmaBuffer(4096));
  strictEqual(codeOf(() => ioas.createDmaBuffer(4096)), "ENOSPC");
  strictEqual(fake.mapped(groupOf(kernel, alone)).length, 3);
  buffers[1]![Symbol.dispose]();
  using _more = ioas.createDmaBuffer(4096);
  for (const buffer of buffers) buffer[Symbol.dispose]();
}, { mappings: 3 });

test("closing the iommufd first keeps a bound device attached until it is closed", ({ kernel, fake, devices: { alone } }) => {
  const iommu = kernel.open("/dev/iommu", O_RDWR | O_CLOEXEC);
  const node = listDevices(kernel).find(({ address }) => address === alone)!.node!;
  const device = kernel.open(node, O_RDWR | O_CLOEXEC);
  using block = kernel.block(64);
  const ask = (fd: number, request: number, write: (view: DataView) => void) => {
    write(block.view);
    strictEqual(kernel.ioctl(fd, request, block), 0);
  };
  ask(iommu, uapi.IOAS_ALLOC, (view) => uapi.putIoasAlloc(view, 0, { flags: 0 }));
  ask(device, uapi.DEVICE_BIND_IOMMUFD, (view) => uapi.putDeviceBindIommufd(view, 0, { flags: 0, iommufd: iommu, tokenUuidPtr: 0n }));
  ask(device, uapi.DEVICE_ATTACH_IOMMUFD_PT, (view) => uapi.putDeviceAttachIommufdPt(view, 0, { flags: 0, ptId: 1, pasid: 0 }));
  const file = kernel.memfd("memory", 8192);
  ask(
    iommu,
    uapi.IOAS_MAP_FILE,
    (view) => uapi.putIoasMapFile(view, 0, { flags: 6, ioasId: 1, fd: file, start: 4096n, length: 4096n, iova: 0n }),
  );
  kernel.close(file);
  kernel.close(iommu);
  strictEqual(fake.mapped(groupOf(kernel, alone)).length, 1);
  kernel.close(device);
  strictEqual(fake.mapped(groupOf(kernel, alone)).length, 0);
});

test("disposing the kernel gives everything back", ({ kernel, fake, devices: { alone } }) => {
  const node = listDevices(kernel).find(({ address }) => address === alone)!.node!;
  using block = kernel.block(64);
  const [iommu, device] = [kernel.open("/dev/iommu", O_RDWR), kernel.open(node, O_RDWR)];
  uapi.putDeviceBindIommufd(block.view, 0, { flags: 0, iommufd: iommu, tokenUuidPtr: 0n });
  strictEqual(kernel.ioctl(device, uapi.DEVICE_BIND_IOMMUFD, block), 0);
  kernel[Symbol.dispose]();
  deepStrictEqual(fake.leftovers(), []);
});

test("unmapping that the kernel below refuses changes nothing", ({ kernel, fake, devices: { alone } }) => {
  using iommu = IommuFd.open(kernel);
  using ioas = iommu.createIoas();
  using device = bind(kernel, alone, iommu);
  device.attach(ioas);
  const buffers = [1, 2].map((page) => ioas.createDmaBuffer(4096, { iova: BigInt(page) * 0x1_0000n }));
  strictEqual(codeOf(() => ioas.unmapAll()), "EIO");
  deepStrictEqual(fake.mapped(groupOf(kernel, alone)).map(({ iova }) => iova), [0x1_0000n, 0x2_0000n]);
  deepStrictEqual(kernel.audit(), []);
  strictEqual(ioas.unmapAll(), 8192n);
  strictEqual(fake.mapped(groupOf(kernel, alone)).length, 0);
  for (const buffer of buffers) buffer[Symbol.dispose]();
}, { wrap: (fake) => faults(fake, [{ call: "ioctl", request: "IOMMU_UNMAP_DMA", nth: 1, errno: "EIO" }]) });

test("a move that fails leaves the device where it was", ({ kernel, fake, devices: { alone } }) => {
  using iommu = IommuFd.open(kernel);
  using first = iommu.createIoas();
  using second = iommu.createIoas();
  using device = bind(kernel, alone, iommu);
  using kept = first.createDmaBuffer(4096, { iova: 0x1_0000n });
  using _small = second.createDmaBuffer(4096, { iova: 0x1_0000n });
  using _other = second.createDmaBuffer(8192, { iova: 0x2_0000n });
  device.attach(first);
  strictEqual(codeOf(() => device.attach(second)), "ENOMEM");
  strictEqual(device.attachedTo, first);
  const mapped = () => fake.mapped(groupOf(kernel, alone)).map(({ iova, vaddr }) => [iova, vaddr]);
  deepStrictEqual(mapped(), [[kept.iova, kept.address]]);
  deepStrictEqual(kernel.audit(), []);
  device.attach(second);
  strictEqual(mapped().length, 2);
}, { wrap: (fake) => faults(fake, [{ call: "ioctl", request: "IOMMU_MAP_DMA", nth: 3, errno: "ENOMEM" }]) });

test("memory that both IOASes map alike stays mapped during a move", ({ kernel, fake, devices: { alone } }) => {
  using iommu = IommuFd.open(kernel);
  using first = iommu.createIoas();
  using second = iommu.createIoas();
  using device = bind(kernel, alone, iommu);
  using shared = first.createDmaBuffer(4096, { iova: 0x1_0000n });
  using _alone = first.createDmaBuffer(4096, { iova: 0x2_0000n });
  second.copy(first, { sourceIova: shared.iova, length: 4096, iova: shared.iova });
  device.attach(first);
  const before = fake.mapped(groupOf(kernel, alone));
  device.attach(second);
  const after = fake.mapped(groupOf(kernel, alone));
  strictEqual(after.length, 1);
  ok(after[0] === before[0], "the same mapping");
  second.unmapAll();
});

test("what type1 does not have is EOPNOTSUPP, and the error names type1 and what helps", ({ kernel, devices: { alone } }) => {
  using iommu = IommuFd.open(kernel);
  using ioas = iommu.createIoas();
  using device = bind(kernel, alone, iommu);
  const refusals: Record<string, () => unknown> = {
    "facts of the IOMMU": () => device.hwInfo(),
    "options of page tables": () => ioas.createHwpt(device, { dirtyTracking: true }),
    "page tables without large pages": () => ioas.hugePages = false,
    "who pays": () => iommu.rlimitMode = "user",
  };
  for (const [what, run] of Object.entries(refusals)) {
    const error = thrown(run) as IommuError;
    strictEqual(error.code, "EOPNOTSUPP", what);
    for (const words of [what, "type1", "CONFIG_IOMMUFD"]) ok(error.message.includes(words), error.message);
  }
  strictEqual(iommu.rlimitMode, "process");
  strictEqual(ioas.hugePages, true);
  using table = ioas.createHwpt(device);
  strictEqual(device.attach(table), table.id);
});

test("rights that are missing for the group's file are named when a device is bound", ({ kernel, devices: { alone } }) => {
  using iommu = IommuFd.open(kernel);
  using device = DeviceFd.open(kernel, alone);
  const error = thrown(() => device.bind(iommu)) as IommuError;
  strictEqual(error.code, "EACCES");
  ok(error.message.includes(`/dev/vfio/${groupOf(kernel, alone)}`), error.message);
}, { wrap: (fake) => faults(fake, [{ call: "open", nth: 3, errno: "EACCES" }]) });

test("a place whose mapping the kernel below refuses is free again, for map, copy and files", ({ kernel, devices: { alone } }) => {
  using iommu = IommuFd.open(kernel);
  using ioas = iommu.createIoas();
  using device = bind(kernel, alone, iommu);
  device.attach(ioas);
  using file = MemFd.create(kernel, "memory", 4096);
  using kept = ioas.createDmaBuffer(4096, { iova: 0x1_0000n });
  const iova = 0x2_0000n;
  const ways: (() => unknown)[] = [
    () => ioas.map(kept, { iova }),
    () => ioas.copy(ioas, { sourceIova: kept.iova, length: 4096, iova }),
    () => ioas.mapFile(file, { iova }),
  ];
  for (const way of ways) {
    strictEqual(codeOf(way), "ENOMEM");
    strictEqual(codeOf(() => ioas.unmap(iova, 4096)), "ENOENT");
    way();
    strictEqual(ioas.unmap(iova, 4096), 4096n);
  }
}, { wrap: (fake) => faults(fake, [2, 4, 6].map((nth) => ({ call: "ioctl", request: "IOMMU_MAP_DMA", nth, errno: "ENOMEM" } as const))) });
