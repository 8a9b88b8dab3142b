/**
 * Devices without an IOMMU: programs use them as any device, their models reach memory through the IOAS and let go of what shall be unmapped.
 *
 * @module
 */
import { deepStrictEqual, strictEqual, throws } from "node:assert/strict";
import {
  type Bus,
  type DeviceModel,
  EduDevice,
  type EmulatedNode,
  type IommuError,
  MachineError,
  type PinnedMemory,
  simulated,
  type SimulatedKernel,
} from "../../mod.ts";
import { DeviceFd, IommuFd } from "../../mod.ts";

const PAGE = 4096;
const NODE = "/dev/vfio/devices/vfio0";

/** A model whose test uses its bus, and that notes what it is told. */
class Puppet implements DeviceModel {
  readonly description = { vendor: 0x1234, device: 1, classCode: 0xff0000, bars: [{ index: 0, length: 16 }] };
  bus!: Bus;
  readonly told: [bigint, bigint][] = [];
  readonly pinned: PinnedMemory[] = [];
  stubborn = false;
  resets = 0;

  connect(bus: Bus): void {
    this.bus = bus;
  }
  reset(): void {
    this.resets++;
  }
  read(): number {
    return 0x77;
  }
  write(): void {}
  unmapped(iova: bigint, last: bigint): void {
    this.told.push([iova, last]);
    if (!this.stubborn) this.pinned.splice(0).forEach((pinned) => pinned.release());
  }

  pin(iova: bigint, length: number, write = true): PinnedMemory {
    const pinned = this.bus.pin(iova, length, write);
    if (typeof pinned === "string") throw new Error(pinned);
    this.pinned.push(pinned);
    return pinned;
  }
}

async function boot(): Promise<{ kernel: SimulatedKernel; puppet: Puppet }> {
  const puppet = new Puppet();
  return { kernel: await simulated({ pci: [], emulated: [{ model: puppet }] }, { checks: true }), puppet };
}

function isClean(kernel: SimulatedKernel): void {
  deepStrictEqual(kernel.inspect.check(), []);
}

function codeOf(run: () => unknown): string | undefined {
  try {
    run();
  } catch (error) {
    return (error as IommuError).code;
  }
  return undefined;
}

Deno.test("an emulated device is bound, attached and read as any other, and reaches memory of its IOAS alone", async () => {
  const { kernel, puppet } = await boot();
  using iommu = IommuFd.open(kernel);
  using ioas = iommu.createIoas();
  using device = DeviceFd.open(kernel, NODE);
  const bound = device.bind(iommu);
  strictEqual(bound.region(7).read32(0), 0x0001_1234);
  using buffer = ioas.createDmaBuffer(2 * PAGE);
  const bytes = new Uint8Array(8);
  strictEqual(puppet.bus.dma.read(buffer.iova, bytes), "blocked");
  strictEqual(bound.attach(ioas), ioas.id, "what it is attached to is the IOAS");
  buffer.bytes.set([1, 2, 3], PAGE - 1);
  strictEqual(puppet.bus.dma.read(buffer.iova + BigInt(PAGE - 1), bytes), undefined);
  deepStrictEqual([...bytes], [1, 2, 3, 0, 0, 0, 0, 0]);
  strictEqual(puppet.bus.dma.write(buffer.iova, bytes), undefined);
  deepStrictEqual([...buffer.bytes.subarray(0, 3)], [1, 2, 3]);
  strictEqual(puppet.bus.dma.read(buffer.iova + BigInt(2 * PAGE), bytes), "not-present");
  bound.detach();
  strictEqual(puppet.bus.dma.read(buffer.iova, bytes), "blocked");
  isClean(kernel);
});

Deno.test("a model works in memory that it has pinned, and lets go before that is unmapped", async () => {
  const { kernel, puppet } = await boot();
  using iommu = IommuFd.open(kernel);
  using ioas = iommu.createIoas();
  using device = DeviceFd.open(kernel, NODE);
  device.bind(iommu).attach(ioas);
  const buffer = ioas.createDmaBuffer(2 * PAGE);
  const { pieces } = puppet.pin(buffer.iova, PAGE + 1);
  strictEqual(pieces.reduce((sum, piece) => sum + piece.length, 0), PAGE + 1);
  pieces[0]![5] = 42;
  strictEqual(buffer.bytes[5], 42);
  strictEqual(puppet.bus.pin(buffer.iova + 1n, PAGE, true), "not-present");
  const { iova } = buffer;
  buffer[Symbol.dispose]();
  deepStrictEqual(puppet.told, [[iova, iova + BigInt(2 * PAGE) - 1n]]);
  isClean(kernel);
});

Deno.test("what a model does not let go of cannot be unmapped: EDEADLK after a hundred rounds; when its device goes, all of it goes", async () => {
  const { kernel, puppet } = await boot();
  using iommu = IommuFd.open(kernel);
  using ioas = iommu.createIoas();
  const device = DeviceFd.open(kernel, NODE);
  device.bind(iommu).attach(ioas);
  using buffer = ioas.createDmaBuffer(PAGE);
  puppet.pin(buffer.iova, PAGE);
  puppet.stubborn = true;
  strictEqual(codeOf(() => ioas.unmap(buffer.iova, PAGE)), "EDEADLK");
  strictEqual(puppet.told.length, 101);
  isClean(kernel);
  const { resets } = puppet;
  device[Symbol.dispose]();
  deepStrictEqual([puppet.told.at(-1), puppet.resets], [[0n, 2n ** 64n - 1n], resets + 1]);
  puppet.pinned[0]!.release();
  isClean(kernel);
});

Deno.test("moving to another IOAS tells the model that all goes, moving to the same does not", async () => {
  const { kernel, puppet } = await boot();
  using iommu = IommuFd.open(kernel);
  using one = iommu.createIoas();
  using other = iommu.createIoas();
  using device = DeviceFd.open(kernel, NODE);
  const bound = device.bind(iommu);
  bound.attach(one);
  bound.attach(one);
  deepStrictEqual(puppet.told, []);
  bound.attach(other);
  deepStrictEqual(puppet.told, [[0n, 2n ** 64n - 1n]]);
  isClean(kernel);
});

Deno.test("a model made for PCI works without an IOMMU, and one that pins needs to be emulated", async () => {
  const puppet = new Puppet();
  using kernel = await simulated({ pci: [{ model: puppet }], emulated: [{ model: () => new EduDevice() }] });
  throws(() => puppet.bus.pin(0n, PAGE, true), TypeError);
  deepStrictEqual(kernel.list("/sys/bus/mdev/devices"), ["00000000-0000-4000-8000-000000000000"]);
  using iommu = IommuFd.open(kernel);
  using ioas = iommu.createIoas();
  using device = DeviceFd.open(kernel, "/dev/vfio/devices/vfio1");
  const bound = device.bind(iommu);
  bound.attach(ioas);
  using buffer = ioas.createDmaBuffer(PAGE);
  buffer.bytes.set([9, 8, 7]);
  const bar = bound.region(0);
  const run = (command: number) => {
    bar.write64(0x90, 3n);
    bar.write64(0x98, BigInt(command));
    while ((bar.read32(0x98) & 1) !== 0) kernel.relax();
  };
  bar.write64(0x80, buffer.iova);
  bar.write64(0x88, 0x40000n);
  run(1);
  bar.write64(0x80, 0x40000n);
  bar.write64(0x88, buffer.iova + 100n);
  run(3);
  deepStrictEqual([...buffer.bytes.subarray(100, 103)], [9, 8, 7]);
});

Deno.test("emulated devices that cannot be are refused", async () => {
  const model = () => new Puppet();
  const same = "12345678-90ab-4cde-8f01-234567890abc";
  const wrong: readonly [string, unknown][] = [
    ["emulated", 5],
    ["emulated", new Array(33).fill({ model })],
    ["emulated[0].uuid", [{ model, uuid: "vfio0" }]],
    ["emulated[1].uuid", [{ model, uuid: same }, { model, uuid: same }]],
    ["emulated[0].slot", [{ model, slot: "01.0" }]],
  ];
  for (const [path, emulated] of wrong) {
    const error = await simulated({ pci: [], emulated: emulated as EmulatedNode[] }).catch((error) => error);
    strictEqual(error instanceof MachineError && error.path, path);
  }
});
