/**
 * What is gone says so: every use of a disposed handle, and handles whose objects went another way.
 */
import { faults } from "../../backends/wrap/mod.ts";
import { DeviceFd, type IommuError, IommuFd, MemFd } from "../../mod.ts";
import { check, equal } from "../check.ts";
import { ADDRESSES, attached, boot, failure } from "./machine.ts";

function eachSaysClosed(handle: string, uses: Record<string, () => unknown>): void {
  for (const [use, run] of Object.entries(uses)) {
    const error: IommuError = failure(run, "EBADF");
    equal(error.values, { handle }, use);
    check(/^([A-Z_]+|[a-z]+)$/.test(error.operation), `${use} names a request or a call, and not "${error.operation}"`);
    check(error.advice === `The ${handle} was disposed: make a new one.`, `${use} advises: ${error.advice}`);
  }
}

Deno.test("every use of a disposed IommuFd is EBADF", async () => {
  using machine = await boot();
  const iommu = IommuFd.open(machine.kernel);
  using device = DeviceFd.open(machine.kernel, ADDRESSES[0]);
  iommu[Symbol.dispose]();
  iommu[Symbol.dispose]();
  equal(iommu.isOpen, false);
  eachSaysClosed("IommuFd", {
    createIoas: () => iommu.createIoas(),
    destroy: () => iommu.destroy(1),
    rlimitMode: () => iommu.rlimitMode,
    bind: () => device.bind(iommu),
  });
});

Deno.test("every use of a disposed Ioas is EBADF, and its buffers and tables are gone", async () => {
  using machine = await boot();
  using world = attached(machine.kernel);
  const { iommu, ioas, device } = world;
  using other = iommu.createIoas();
  using file = MemFd.create(machine.kernel, "file", 4096);
  const buffer = ioas.createDmaBuffer(4096);
  ioas.createHwpt(device);
  ioas[Symbol.dispose]();
  equal([buffer.isLive, device.attachedTo], [false, undefined]);
  equal(ioas.bufferAt(buffer.iova), undefined);
  eachSaysClosed("Ioas", {
    map: () => ioas.map({ address: 4096n, length: 4096 }),
    mapFile: () => ioas.mapFile(file),
    unmap: () => ioas.unmap(0n, 4096n),
    unmapAll: () => ioas.unmapAll(),
    copy: () => ioas.copy(other, { sourceIova: 0n, length: 4096 }),
    ranges: () => ioas.ranges,
    allow: () => ioas.allow([]),
    hugePages: () => ioas.hugePages,
    createHwpt: () => ioas.createHwpt(device),
    createDmaBuffer: () => ioas.createDmaBuffer(1),
    createDmaPool: () => ioas.createDmaPool({ size: 1, count: 1 }),
  });
  equal(failure(() => device.attach(ioas), "ENOENT").advice, "The target was disposed, or belongs to another iommu_fd than the device.");
  equal(failure(() => other.copy(ioas, { sourceIova: 0n, length: 1 }), "ENOENT").operation, "IOAS_COPY");
});

Deno.test("every use of a disposed DeviceFd, and of what was bound through it, is EBADF", async () => {
  using machine = await boot();
  using world = attached(machine.kernel);
  const { iommu, ioas, device } = world;
  const { deviceFd, config } = device;
  const irq = device.irq("msix");
  irq.enable(1);
  device[Symbol.dispose]();
  equal([deviceFd.isOpen, device.attachedTo], [false, undefined]);
  eachSaysClosed("DeviceFd", {
    bind: () => deviceFd.bind(iommu),
    attach: () => device.attach(ioas),
    detach: () => device.detach(),
    info: () => device.info,
    region: () => device.region(7),
    config: () => device.config,
    bar: () => device.bar(0),
    irq: () => device.irq("msi"),
    reset: () => device.reset(),
    hwInfo: () => device.hwInfo(),
    read8: () => config.read8(0),
    read64: () => config.read64(0),
    write8: () => config.write8(0, 0),
    write64: () => config.write64(0, 0n),
  });
  eachSaysClosed("Irq", {
    enable: () => irq.enable(1),
    disable: () => irq.disable(),
    mask: () => irq.mask(),
    unmask: () => irq.unmask(),
    trigger: () => irq.trigger(),
    vector: () => irq.vector(0),
    iterate: () => irq[Symbol.asyncIterator](),
  });
});

Deno.test("a device whose id belongs to another by now gets no page table", async () => {
  using machine = await boot();
  using iommu = IommuFd.open(machine.kernel);
  const ioas = iommu.createIoas();
  const before = DeviceFd.open(machine.kernel, ADDRESSES[0]).bind(iommu);
  before[Symbol.dispose]();
  const after = DeviceFd.open(machine.kernel, ADDRESSES[1]).bind(iommu);
  equal(after.id, before.id, "ids are given again");
  eachSaysClosed("BoundDevice", { createHwpt: () => ioas.createHwpt(before) });
});

Deno.test("a memory file whose descriptor belongs to another by now is not mapped", async () => {
  using machine = await boot();
  using iommu = IommuFd.open(machine.kernel);
  const ioas = iommu.createIoas();
  const before = MemFd.create(machine.kernel, "before", 4096);
  before[Symbol.dispose]();
  using after = MemFd.create(machine.kernel, "after", 4096);
  equal([after.fd, before.isOpen, after.isOpen], [before.fd, false, true]);
  eachSaysClosed("MemFd", { mapFile: () => ioas.mapFile(before) });
});

Deno.test("destroying an object by its id disposes its handle, and later disposal leaves a new object of that id alone", async () => {
  using machine = await boot();
  using world = attached(machine.kernel, ADDRESSES[1]);
  const { iommu, device } = world;
  const first = iommu.createIoas();
  const buffer = first.createDmaBuffer(4096);
  const table = first.createHwpt(device);
  equal(failure(() => iommu.destroy(first.id), "EBUSY").values, { id: first.id });
  equal(buffer.isLive, true, "a refusal changes nothing");
  iommu.destroy(table.id);
  iommu.destroy(first.id);
  equal([buffer.isLive, first.bufferAt(buffer.iova)], [false, undefined]);
  equal(failure(() => first.ranges).code, "EBADF");
  equal(failure(() => iommu.destroy(first.id), "ENOENT").operation, "DESTROY");
  const second = iommu.createIoas();
  equal(second.id, Math.min(first.id, table.id), "ids are given again");
  for (const handle of [table, first, buffer]) handle[Symbol.dispose]();
  const third = iommu.createIoas();
  const objects = machine.kernel.inspect.usage.objects;
  first[Symbol.dispose]();
  equal([second.ranges.ranges.length, third.ranges.ranges.length, machine.kernel.inspect.usage.objects], [1, 1, objects]);
});

Deno.test("unmapping a range disposes the buffers in it, and no others", async () => {
  using machine = await boot();
  using world = attached(machine.kernel);
  const { ioas } = world;
  const pool = ioas.createDmaPool({ size: 4096, count: 2 });
  const slice = pool.take();
  const buffers = [1, 2, 3, 4].map((n) => ioas.createDmaBuffer(4096, { iova: 0x10_0000n * BigInt(n) }));
  equal(failure(() => ioas.unmap(0x20_0000n, 100n), "ENOENT").values, { length: 100n, iova: 0x20_0000n, ioas: ioas.id });
  equal(buffers.map(({ isLive }) => isLive), [true, true, true, true]);
  equal(ioas.unmap(0x20_0000n, 0x20_0000n), 8192n);
  equal(buffers.map(({ isLive }) => isLive), [true, false, false, true]);
  equal([2, 3, 4].map((n) => ioas.bufferAt(0x10_0000n * BigInt(n))), [undefined, undefined, buffers[3]]);
  // A new buffer at the same address is not what the old handle disposes.
  const again = ioas.createDmaBuffer(4096, { iova: 0x20_0000n });
  buffers[1]![Symbol.dispose]();
  equal([again.isLive, ioas.bufferAt(0x20_0000n)], [true, again]);
  equal(ioas.unmapAll(), 4096n * 5n);
  equal([pool.available, failure(() => pool.take()).operation], [0, "take"]);
  slice[Symbol.dispose]();
  equal(ioas.unmapAll(), 0n, "there is nothing any more");
});

Deno.test("a bind that is refused leaves the device open, to be bound later; a label that is refused closes it", async () => {
  using machine = await boot();
  const { kernel } = machine;
  for (const [request, isOpen] of [["DEVICE_BIND_IOMMUFD", true], ["SIMULATED_DEVICE_SET_LABEL", false]] as const) {
    const faulty = faults(kernel, [{ call: "ioctl", request, nth: 1, errno: "EIO" }]);
    using iommu = IommuFd.open(faulty);
    using device = DeviceFd.open(faulty, ADDRESSES[0]);
    equal(failure(() => device.bind(iommu, { label: 1n }), "EIO").operation, request);
    equal([device.isOpen, kernel.inspect.usage.objects], [isOpen, 0]);
    if (isOpen) equal(device.bind(iommu, { label: 1n }).label, 1n);
  }
});

Deno.test("a kernel that knows no labels is no error: the library keeps the label", async () => {
  using machine = await boot();
  const faulty = faults(machine.kernel, [{ call: "ioctl", request: "SIMULATED_DEVICE_SET_LABEL", nth: 1, errno: "ENOTTY" }]);
  using iommu = IommuFd.open(faulty);
  using device = DeviceFd.open(faulty, ADDRESSES[0]);
  equal([device.bind(iommu, { label: 9n }).label, faulty.fired], [9n, 1]);
});
