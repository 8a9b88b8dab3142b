/**
 * Devices that are pulled out of the simulated machine, and what it gives out when they come back. What a program with an orderly removal sees is
 * in tests/conformance/unplug.ts, and compared with Linux.
 */
import { deepStrictEqual, ok, strictEqual, throws } from "node:assert/strict";
import { type Machine, simulated, type SimulatedKernel } from "../../backends/simulated/mod.ts";
import { type BoundDevice, DeviceFd, IommuFd, listDevices } from "../../mod.ts";
import { ProbeDevice } from "./probe_device.ts";

const [FIRST, SECOND] = ["0000:00:01.0", "0000:00:02.0"] as const;
const MASTER = 6;

interface World extends Disposable {
  readonly kernel: SimulatedKernel;
  readonly models: readonly [ProbeDevice, ProbeDevice];
  readonly device: BoundDevice;
  readonly iommu: IommuFd;
}

/** The first of two devices, bound and ready for DMA; it is attached to nothing. */
async function open(express = true): Promise<World> {
  const description = { express, msi: 2, interruptPin: 1 };
  const models = [new ProbeDevice(description), new ProbeDevice(description)] as const;
  const kernel = await simulated({ pci: models.map((model) => ({ model })) }, { checks: true });
  const iommu = IommuFd.open(kernel);
  const device = DeviceFd.open(kernel, FIRST).bind(iommu);
  device.config.write16(4, MASTER);
  models[0].log.length = 0;
  const dispose = () => {
    iommu[Symbol.dispose]();
    deepStrictEqual(kernel.inspect.check(), []);
    deepStrictEqual(kernel.inspect.modelErrors, []);
    kernel[Symbol.dispose]();
  };
  return { kernel, models, device, iommu, [Symbol.dispose]: dispose };
}

function addressesOf(kernel: SimulatedKernel): string[] {
  return listDevices(kernel).map(({ address }) => address);
}

Deno.test("a device that is pulled out reads all ones, and what is written to it is lost", async () => {
  using world = await open();
  const bar = world.device.bar(0);
  ok(bar.read32(0) !== 0xffff_ffff);
  world.models[0].log.length = 0;
  void world.kernel.unplug(FIRST, { surprise: true });
  deepStrictEqual([bar.read8(1), bar.read16(2), bar.read32(4), bar.read64(8)], [0xff, 0xffff, 0xffff_ffff, 2n ** 64n - 1n]);
  bar.write32(0, 1);
  bar.write64(8, 1n);
  deepStrictEqual(world.models[0].log, []);
});

Deno.test("of configuration space what vfio-pci keeps itself is left when the device is pulled out", async () => {
  using world = await open();
  const { config } = world.device;
  const [identity, bar0, interrupt] = [config.read32(0), config.read32(0x10), config.read16(0x3c)];
  const first = config.read8(0x34);
  void world.kernel.unplug(FIRST, { surprise: true });
  deepStrictEqual([config.read32(0), config.read32(0x10), config.read16(0x3c)], [identity, bar0, interrupt]);
  // Class and revision are the function's own; of the command register INTx disable alone is kept, and it is off.
  deepStrictEqual([config.read32(8), config.read16(4)], [0xffff_ffff, 0xfbff]);
  // Where a capability leads is kept, what it is is not.
  strictEqual(config.read8(0x34), first);
  strictEqual(config.read8(first), 0xff);
  ok(config.read8(first + 1) !== 0xff);
  // Behind the last capability nobody keeps anything.
  strictEqual(config.read32(0xf0), 0xffff_ffff);
  const sysfs = world.kernel.readFile(`/sys/bus/pci/devices/${FIRST}/config`);
  ok(sysfs instanceof Uint8Array && sysfs.every((byte) => byte === 0xff), "sysfs asks the function itself");
});

Deno.test("DMA and interrupts of a device end in the middle when it is pulled out", async () => {
  using world = await open();
  const { bus } = world.models[0];
  const ioas = world.iommu.createIoas();
  world.device.attach(ioas);
  using buffer = ioas.createDmaBuffer(4096);
  const interrupts = world.device.irq("msi");
  interrupts.enable(1);
  const happened: string[] = [];
  bus.clock.after(1000, () => happened.push("event"));
  strictEqual(bus.dma.write(buffer.iova, Uint8Array.of(1)), undefined);
  void world.kernel.unplug(FIRST, { surprise: true });
  strictEqual(bus.dma.write(buffer.iova, Uint8Array.of(2)), "unplugged");
  strictEqual(bus.dma.read(buffer.iova, new Uint8Array(1)), "unplugged");
  bus.raise(0);
  while (happened.length === 0 && world.kernel.inspect.now < 1_000_000) world.kernel.block(8)[Symbol.dispose](), void world.device.info;
  deepStrictEqual([happened, buffer.bytes[0], interrupts.vector(0).take()], [[], 1, 0n]);
  // The IOMMU goes by the program alone: the buffer can be given back as ever.
  world.device.detach();
});

Deno.test("an Express function that is pulled out signals its error interrupt, a conventional one does not; both are asked for", async () => {
  for (const express of [true, false]) {
    using world = await open(express);
    const [error, request] = [world.device.irq("error"), world.device.irq("request")];
    error.enable(1);
    request.enable(1);
    void world.kernel.unplug(FIRST, { surprise: true });
    deepStrictEqual([error.vector(0).take(), request.vector(0).take()], [express ? 1n : 0n, 1n]);
  }
});

Deno.test("a device that is asked for can still be pulled out, once; both promises are the same end", async () => {
  using world = await open();
  const bar = world.device.bar(0);
  const error = world.device.irq("error");
  error.enable(1);
  const asked = world.kernel.unplug(FIRST);
  ok(bar.read32(0) !== 0xffff_ffff, "it works");
  const pulled = world.kernel.unplug(FIRST, { surprise: true });
  void world.kernel.unplug(FIRST, { surprise: true });
  deepStrictEqual([bar.read32(0), error.vector(0).take()], [0xffff_ffff, 1n]);
  world.device[Symbol.dispose]();
  await Promise.all([asked, pulled]);
  deepStrictEqual(addressesOf(world.kernel), [SECOND]);
});

Deno.test("a device that comes back is as at power-on", async () => {
  using world = await open();
  world.device.bar(0).write32(0, 7);
  const gone = world.kernel.unplug(FIRST, { surprise: true });
  world.device[Symbol.dispose]();
  await gone;
  world.models[0].log.length = 0;
  world.kernel.plug(FIRST);
  deepStrictEqual(world.models[0].log, ["reset"]);
  using device = DeviceFd.open(world.kernel, FIRST).bind(world.iommu);
  deepStrictEqual([device.config.read16(4), device.config.read32(0)], [2, 0x5678_1234]);
  strictEqual(world.models[0].bus.dma.write(0n, Uint8Array.of(1)), "bus-master-off");
});

Deno.test("nodes and groups get the lowest number that is free, whoever had it", async () => {
  using world = await open();
  world.device[Symbol.dispose]();
  const before = listDevices(world.kernel).map(({ node, group }) => [node, group]);
  await world.kernel.unplug(FIRST);
  await world.kernel.unplug(SECOND);
  deepStrictEqual(world.kernel.inspect.groups, []);
  world.kernel.plug(SECOND);
  world.kernel.plug(FIRST);
  const [first, second] = listDevices(world.kernel).map(({ node, group }) => [node, group]);
  deepStrictEqual([second, first], before);
  deepStrictEqual(world.kernel.inspect.groups.map(({ address, group }) => [address, group]), [[SECOND, 0], [FIRST, 1]]);
});

Deno.test("a device of a driver frees its group as it goes, and gets no driver when it comes back to a program's group", async () => {
  const machine: Machine = {
    pci: [{ slot: "04.0", model: () => new ProbeDevice() }, { slot: "04.1", model: () => new ProbeDevice(), driver: "e1000e" }],
  };
  const kernel = await simulated(machine);
  {
    using iommu = IommuFd.open(kernel);
    using file = DeviceFd.open(kernel, "0000:00:04.0");
    throws(() => file.bind(iommu), /EPERM/);
    await kernel.unplug("0000:00:04.1");
    deepStrictEqual(kernel.inspect.groups.map(({ blockedBy }) => blockedBy), [[]]);
    using _device = file.bind(iommu);
    kernel.plug("0000:00:04.1");
    deepStrictEqual(listDevices(kernel).map(({ driver }) => driver), ["vfio-pci", undefined]);
  }
  await kernel.unplug("0000:00:04.1");
  kernel.plug("0000:00:04.1");
  deepStrictEqual(listDevices(kernel).map(({ driver }) => driver), ["vfio-pci", "e1000e"]);
  deepStrictEqual(kernel.inspect.groups.map(({ blockedBy }) => blockedBy), [["0000:00:04.1"], ["0000:00:04.1"]]);
  kernel[Symbol.dispose]();
});

Deno.test("a request that nobody takes is not repeated, so that a wait for something else stays one", async () => {
  using world = await open();
  const [request, messages] = [world.device.irq("request"), world.device.irq("msi")];
  request.enable(1);
  messages.enable(1);
  void world.kernel.unplug(FIRST);
  const abort = new AbortController();
  const waiting = messages.vector(0).wait(abort.signal).catch(() => "aborted");
  await new Promise((resolve) => setTimeout(resolve, 20));
  ok(world.kernel.inspect.now < 1e9, `${world.kernel.inspect.now} ns have passed`);
  abort.abort();
  strictEqual(await waiting, "aborted");
  strictEqual(request.vector(0).take(), 1n);
});

Deno.test("what cannot be unplugged or plugged in is a RangeError, and changes nothing", async () => {
  using world = await open();
  const { kernel } = world;
  throws(() => kernel.unplug("0000:00:09.0"), /Cannot unplug "0000:00:09.0": the machine's devices are 0000:00:01.0, 0000:00:02.0/);
  throws(() => kernel.plug(FIRST), /it is plugged in/);
  await kernel.unplug(SECOND);
  throws(() => kernel.unplug(SECOND), /it is not plugged in/);
  void kernel.unplug(FIRST);
  throws(() => kernel.plug(FIRST), /it is plugged in/);
  deepStrictEqual(addressesOf(kernel), [FIRST]);
});
