/**
 * Handles of another kernel, and handles whose id a raw request gave to another object: neither reaches what is not its own.
 */
import { DeviceFd, IommuFd, MemFd, raw } from "../../mod.ts";
import { DESTROY, DestroySize, putDestroy } from "../../uapi/codec.ts";
import { check, equal } from "../check.ts";
import { EduDevice, MachineError, simulated } from "../../backends/simulated/mod.ts";
import { codeOf } from "../rules/world.ts";
import { ADDRESSES, boot } from "./machine.ts";

Deno.test("a device is not bound to an iommu_fd of another kernel, whose number may be that of another file here", async () => {
  using one = await boot();
  using two = await boot();
  using theirs = IommuFd.open(one.kernel);
  using own = IommuFd.open(two.kernel);
  equal(theirs.fd, own.fd, "the numbers");
  using device = DeviceFd.open(two.kernel, ADDRESSES[0]);
  equal(codeOf(() => device.bind(theirs)), "EBADFD");
  using bound = device.bind(own);
  equal(bound.iommu, own);
});

Deno.test("a memory file of another kernel is not mapped", async () => {
  using one = await boot();
  using two = await boot();
  using iommu = IommuFd.open(one.kernel);
  using ioas = iommu.createIoas();
  using _own = MemFd.create(one.kernel, "own", 4096);
  using theirs = MemFd.create(two.kernel, "theirs", 4096);
  equal(codeOf(() => ioas.mapFile(theirs)), "EBADF");
});

function destroy(iommu: IommuFd, id: number): void {
  const bytes = new Uint8Array(DestroySize);
  putDestroy(new DataView(bytes.buffer), 0, { id });
  equal(raw.ioctl(iommu.kernel, iommu.fd, DESTROY, bytes).result, 0);
}

Deno.test("a handle whose object a raw request destroyed is disposed without an error", async () => {
  using machine = await boot();
  using iommu = IommuFd.open(machine.kernel);
  const ioas = iommu.createIoas();
  const buffer = ioas.createDmaBuffer(4096);
  destroy(iommu, ioas.id);
  ioas[Symbol.dispose]();
  check(!buffer.isLive, "the buffer lives");
});

Deno.test("a handle does not reach the object that got its id", async () => {
  using machine = await boot();
  using iommu = IommuFd.open(machine.kernel);
  const stale = iommu.createIoas();
  const buffer = stale.createDmaBuffer(4096);
  destroy(iommu, stale.id);
  using fresh = iommu.createIoas();
  equal(fresh.id, stale.id, "the ids");
  check(!buffer.isLive, "the buffer of the IOAS that is gone lives");
  equal(codeOf(() => stale.createDmaBuffer(4096)), "EBADF");
  stale[Symbol.dispose]();
  using _buffer = fresh.createDmaBuffer(4096);
});

Deno.test("a region that was disposed is not used; the device is, and its other handles are", async () => {
  using machine = await boot();
  using iommu = IommuFd.open(machine.kernel);
  using device = DeviceFd.open(machine.kernel, ADDRESSES[0]).bind(iommu);
  const other = device.bar(0);
  {
    using bar = device.bar(0);
    using config = device.config;
    check(bar.isOpen && config === device.config, "a region is closed");
  }
  const { config } = device;
  check(config.isOpen, "the new handle of configuration space is closed");
  config.write16(0x04, 0x2);
  other.write32(0, 7);
  equal(other.read32(0), 7);
  const bar = device.bar(0);
  bar[Symbol.dispose]();
  equal([codeOf(() => bar.read32(0)), codeOf(() => bar.write8(0, 1))], ["EBADF", "EBADF"]);
});

Deno.test("a model has one machine", async () => {
  const model = new EduDevice();
  using _first = await simulated({ pci: [{ slot: "04.0", model }] });
  const again = await simulated({ pci: [{ slot: "04.0", model }] }).catch((error) => error);
  check(again instanceof MachineError, String(again));
});

Deno.test("a device reserves nothing that the platform has reserved", async () => {
  const reserved = [{ start: 0xfd_0000_1000n, last: 0xfd_0000_1fffn, kind: "reserved" }] as const;
  const pci = () => [{ slot: "04.0", model: () => new EduDevice(), reserved }] as const;
  using _vtd = await simulated({ pci: pci() });
  const amd = await simulated({ iommu: { kind: "amdvi" }, pci: pci() }).catch((error) => error);
  check(amd instanceof MachineError, String(amd));
});

Deno.test("waits of a machine that is off end", async () => {
  const kernel = await simulated({ pci: [] });
  const fd = kernel.eventfd(0, 0);
  const before = kernel.wait(fd);
  kernel[Symbol.dispose]();
  equal([await before, await kernel.wait(fd)], [-9, -9]);
});
