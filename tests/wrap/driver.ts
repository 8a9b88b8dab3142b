/**
 * A small driver for the toy kernel's device. It uses every call of the seam, and its results depend on what the device writes.
 */
import { strictEqual } from "node:assert/strict";
import * as codec from "../../uapi/codec.ts";
import * as os from "../../uapi/kernel.ts";

/** What the driver found: equal for a kernel and a replay of it. */
export type Findings = readonly (string | number | bigint)[];

function map(kernel: os.Kernel, iommu: number, ioasId: number, userVa: bigint): bigint {
  using block = kernel.block(codec.IoasMapSize);
  codec.putIoasMap(block.view, 0, { flags: codec.IOAS_MAP_READABLE, ioasId, userVa, length: 4096n, iova: 0n });
  strictEqual(kernel.ioctl(iommu, codec.IOAS_MAP, block), 0);
  return codec.getIoasMapIova(block.view, 0);
}

function ranges(kernel: os.Kernel, iommu: number, ioasId: number): bigint {
  using block = kernel.block(codec.IoasIovaRangesSize + codec.IovaRangeSize);
  const allowedIovas = block.address + BigInt(codec.IoasIovaRangesSize);
  codec.putIoasIovaRanges(block.view, 0, { ioasId, numIovas: 1, allowedIovas });
  strictEqual(kernel.ioctl(iommu, codec.IOAS_IOVA_RANGES, block), 0);
  return codec.getIovaRange(block.view, codec.IoasIovaRangesSize).last;
}

function setIrq(kernel: os.Kernel, device: number, fd: number): void {
  using block = kernel.block(codec.IrqSetSize + 4);
  const flags = codec.IRQ_SET_DATA_EVENTFD | codec.IRQ_SET_ACTION_TRIGGER;
  codec.putIrqSet(block.view, 0, { flags, index: codec.PCI_MSI_IRQ_INDEX, start: 0, count: 1 }, codec.IrqSetSize + 4);
  block.view.setInt32(codec.IrqSetSize, fd, true);
  strictEqual(kernel.ioctl(device, codec.DEVICE_SET_IRQS, block), 0);
}

function files(kernel: os.Kernel): Findings {
  const [device] = kernel.list("/sys/bus/pci/devices") as string[];
  const folder = `/sys/bus/pci/devices/${device}`;
  const vendor = kernel.readFile(`${folder}/vendor`) as Uint8Array;
  return [device!, kernel.readlink(`${folder}/iommu_group`), new TextDecoder().decode(vendor), kernel.readFile("/sys/nothing") as number];
}

/** Run the driver to its end. `number` is what it puts into the device's memory first. */
export async function drive(kernel: os.Kernel, number = 41n): Promise<Findings> {
  const iommu = kernel.open("/dev/iommu", os.O_RDWR);
  const device = kernel.open("/dev/vfio/devices/vfio0", os.O_RDWR);
  using block = kernel.block(16);
  codec.putIoasAlloc(block.view, 0, { flags: 0 });
  strictEqual(kernel.ioctl(iommu, codec.IOAS_ALLOC, block), 0);
  const ioas = codec.getIoasAllocOutIoasId(block.view, 0);
  const memory = kernel.mmap(0n, 4096, os.PROT_READ | os.PROT_WRITE, os.MAP_PRIVATE | os.MAP_ANONYMOUS, -1, 0);
  const iova = map(kernel, iommu, ioas, memory);
  const bytes = kernel.view(memory, 4096);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  view.setBigUint64(16, number, true);

  block.view.setBigUint64(0, iova + 16n, true);
  kernel.pwrite(device, block, 8, 0);
  let relaxed = 0;
  for (; view.getBigUint64(16, true) === number && relaxed < 100; relaxed++) kernel.relax();

  const irq = kernel.eventfd(0, os.EFD_NONBLOCK);
  setIrq(kernel, device, irq);
  strictEqual(kernel.read(irq, block, 8), -11);
  block.view.setBigUint64(0, iova + 16n, true);
  kernel.pwrite(device, block, 8, 0);
  const waited = await kernel.wait(irq);
  const signals = kernel.read(irq, block, 8) === 8 ? block.view.getBigUint64(0, true) : -1n;
  kernel.pread(device, block, 4, 7);
  const config = block.view.getUint32(0, true);
  const found = [ioas, relaxed, waited, signals, config, view.getBigUint64(16, true), ranges(kernel, iommu, ioas), ...files(kernel)];
  found.push(kernel.ioctl(device, codec.DEVICE_RESET, 0), kernel.munmap(memory, 4096), kernel.close(irq), kernel.close(99));
  return found;
}
