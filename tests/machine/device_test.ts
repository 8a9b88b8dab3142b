/**
 * A device between the kernel's calls and its model: accesses, DMA, interrupts, reset.
 *
 * @module
 */
import { deepStrictEqual, ok, strictEqual, throws } from "node:assert/strict";
import type { DeviceDescription } from "../../backends/simulated/device.ts";
import { describeFault } from "../../backends/simulated/inspect.ts";
import type { SimulatedKernel } from "../../backends/simulated/kernel.ts";
import { type Block, O_RDWR } from "../../uapi/kernel.ts";
import { ERRNO } from "../../uapi/errno.ts";
import { FAKE_BIND, FAKE_RESET, FAKE_SET_IRQS, type FakeCore, onFakeCore } from "./fake_core.ts";
import { ProbeDevice, WideProbeDevice } from "./probe_device.ts";

const CONFIG = 7 * 2 ** 40;
const COMMAND = CONFIG + 4;

interface World {
  kernel: SimulatedKernel;
  core: FakeCore;
  device: ProbeDevice;
  fd: number;
  block: Block;
}

function open(device: ProbeDevice): World {
  const { kernel, core } = onFakeCore({ pci: [{ slot: "04.0", model: device }] });
  const fd = kernel.open("/dev/vfio/devices/vfio0", O_RDWR);
  strictEqual(kernel.ioctl(fd, FAKE_BIND, 0), 0);
  device.log.length = 0;
  return { kernel, core, device, fd, block: kernel.block(16384) };
}

function setCommand({ kernel, fd, block }: World, value: number): void {
  block.view.setUint16(0, value, true);
  strictEqual(kernel.pwrite(fd, block, 2, COMMAND), 2);
}

function withMsix(vectors = 4): Partial<DeviceDescription> {
  return { interruptPin: 1, msi: 2, msix: { vectors, bar: 0, table: 0x1000, pending: 0x1800 } };
}

Deno.test("an access of 1, 2 or 4 bytes reaches the model once, in that width", () => {
  const { kernel, device, fd, block } = open(new ProbeDevice());
  for (const width of [1, 2, 4]) {
    strictEqual(kernel.pread(fd, block, width, 0x10), width);
    strictEqual(kernel.pwrite(fd, block, width, 0x20), width);
  }
  deepStrictEqual(device.log, ["read8 0:10", "write8 0:20 55", "read16 0:10", "write16 0:20 6655", "read32 0:10", "write32 0:20 88776655"]);
  strictEqual(block.view.getUint32(0, true), 0x8877_6655);
});

Deno.test("an access of 8 bytes is one where the model has it, else two of 4, low half first", () => {
  const narrow = open(new ProbeDevice());
  strictEqual(narrow.kernel.pread(narrow.fd, narrow.block, 8, 0x10), 8);
  strictEqual(narrow.block.view.getBigUint64(0, true), 0x8877_6655_8877_6655n);
  narrow.kernel.pwrite(narrow.fd, narrow.block, 8, 0x18);
  deepStrictEqual(narrow.device.log, ["read32 0:10", "read32 0:14", "write32 0:18 88776655", "write32 0:1c 88776655"]);

  const wide = open(new WideProbeDevice());
  strictEqual(wide.kernel.pread(wide.fd, wide.block, 8, 0x10), 8);
  strictEqual(wide.block.view.getBigUint64(0, true), 0x1122_3344_5566_7788n);
  wide.kernel.pwrite(wide.fd, wide.block, 8, 0x18);
  deepStrictEqual(wide.device.log, ["read64 0:10", "write64 0:18 1122334455667788"]);
});

Deno.test("an unaligned or long access is cut into aligned ones, the widest first that fits", () => {
  const { kernel, device, fd, block } = open(new WideProbeDevice());
  strictEqual(kernel.pread(fd, block, 16, 0x11), 16);
  deepStrictEqual(device.log, ["read8 0:11", "read16 0:12", "read32 0:14", "read64 0:18", "read8 0:20"]);
});

Deno.test("an access beyond a BAR's end is cut, one behind it or to no BAR is EINVAL", () => {
  const { kernel, fd, block } = open(new ProbeDevice());
  strictEqual(kernel.pread(fd, block, 8, 8188), 4);
  for (const offset of [8192, 2 ** 40, 6 * 2 ** 40, 8 * 2 ** 40, 9 * 2 ** 40, -1]) {
    strictEqual(kernel.pread(fd, block, 4, offset), -ERRNO.EINVAL, String(offset));
  }
  strictEqual(kernel.pwrite(fd, block, 4, 6 * 2 ** 40), -ERRNO.EINVAL);
});

Deno.test("a length that the block does not have is EFAULT", () => {
  const { kernel, fd } = open(new ProbeDevice());
  using small = kernel.block(4);
  strictEqual(kernel.pread(fd, small, 8, 0), -ERRNO.EFAULT);
  strictEqual(kernel.pwrite(fd, small, 8, 0), -ERRNO.EFAULT);
  strictEqual(kernel.read(fd, small, 8), -ERRNO.EFAULT);
});

Deno.test("a device fd answers no access before it is bound", () => {
  const { kernel } = onFakeCore({ pci: [{ model: new ProbeDevice() }] });
  const fd = kernel.open("/dev/vfio/devices/vfio0", O_RDWR);
  using block = kernel.block(4);
  strictEqual(kernel.pread(fd, block, 4, 0), -ERRNO.EINVAL);
  strictEqual(kernel.pread(99, block, 4, 0), -ERRNO.EBADF);
});

Deno.test("configuration space is read in any length, and never beyond its end", () => {
  const { kernel, fd, block } = open(new ProbeDevice());
  strictEqual(kernel.pread(fd, block, 4096, CONFIG), 4096);
  strictEqual(block.view.getUint32(0, true), 0x5678_1234);
  strictEqual(kernel.pread(fd, block, 3, CONFIG + 1), 3);
  deepStrictEqual([...block.bytes.subarray(0, 3)], [0x12, 0x78, 0x56]);
  strictEqual(kernel.pread(fd, block, 4097, CONFIG), -ERRNO.EFAULT);
  strictEqual(kernel.pread(fd, block, 2, CONFIG + 4095), -ERRNO.EFAULT);
});

Deno.test("BARs do not answer while memory is disabled", () => {
  const world = open(new ProbeDevice());
  setCommand(world, 0);
  strictEqual(world.kernel.pread(world.fd, world.block, 4, 0), -ERRNO.EIO);
  strictEqual(world.kernel.pwrite(world.fd, world.block, 4, 0), -ERRNO.EIO);
  setCommand(world, 2);
  strictEqual(world.kernel.pread(world.fd, world.block, 4, 0), 4);
});

Deno.test("the MSI-X table reads as ones and takes no writes, since it is the kernel's", () => {
  const { kernel, device, fd, block } = open(new ProbeDevice(withMsix()));
  strictEqual(kernel.pread(fd, block, 4, 0x1000), 4);
  strictEqual(block.view.getUint32(0, true), 0xffff_ffff);
  strictEqual(kernel.pwrite(fd, block, 4, 0x103c), 4);
  deepStrictEqual(device.log, []);
  kernel.pread(fd, block, 4, 0x1040);
  deepStrictEqual(device.log, ["read32 0:1040"]);
});

Deno.test("DMA is held back until the program makes the device bus master", () => {
  const world = open(new ProbeDevice());
  world.core.allowed.push({ start: 0, last: 0xffff, writable: true });
  strictEqual(world.device.bus.dma.write(0n, Uint8Array.of(1)), "bus-master-off");
  deepStrictEqual(world.core.faults, []);
  setCommand(world, 6);
  strictEqual(world.device.bus.dma.write(0n, Uint8Array.of(1)), undefined);
  strictEqual(world.core.ram(0, 1)[0], 1);
  strictEqual(world.kernel.inspect.device("0000:00:04.0").heldBack, 1);
});

Deno.test("DMA moves the same bytes from a device's own memory and from any other array", () => {
  const world = open(new ProbeDevice());
  setCommand(world, 6);
  world.core.allowed.push({ start: 0, last: 0x3_ffff, writable: true });
  const { bus } = world.device;
  const pattern = Uint8Array.from({ length: 150_000 }, (_, index) => index * 7 >> 3);
  const own = bus.allocate(150_000);
  own.set(pattern);
  strictEqual(bus.dma.write(100n, own), undefined);
  deepStrictEqual(world.core.ram(100, 150_000), pattern);
  const other = new Uint8Array(150_000);
  strictEqual(bus.dma.read(100n, other), undefined);
  deepStrictEqual(other, pattern);
  other.fill(9);
  strictEqual(bus.dma.write(5n, other.subarray(0, 100_000)), undefined);
  own.fill(0);
  strictEqual(bus.dma.read(5n, own.subarray(3, 100_003)), undefined);
  deepStrictEqual(own.subarray(3, 100_003), other.subarray(0, 100_000));
  strictEqual(own[2], 0);
});

Deno.test("a refused read leaves the bytes beyond the last good page as they were", () => {
  const world = open(new ProbeDevice());
  setCommand(world, 6);
  world.core.allowed.push({ start: 0, last: 0xfff, writable: true });
  world.core.ram(0, 8192).fill(5);
  const into = new Uint8Array(8192).fill(1);
  strictEqual(world.device.bus.dma.read(0n, into), "not-present");
  deepStrictEqual([into[0], into[4095], into[4096], into[8191]], [5, 5, 1, 1]);
});

Deno.test("a fault names device, access, address and reason", () => {
  const world = open(new ProbeDevice());
  setCommand(world, 6);
  world.core.allowed.push({ start: 0, last: 0xfff, writable: false });
  strictEqual(world.device.bus.dma.write(0x10n, new Uint8Array(64), 5), "no-write");
  strictEqual(world.device.bus.dma.read(0x2000n, new Uint8Array(1)), "not-present");
  deepStrictEqual(world.kernel.inspect.faults.map(describeFault), [
    "Device 00:04.0 tried to write 64 bytes at IOVA 0x10 with PASID 5: refused, because the mapping may not be written by devices.",
    "Device 00:04.0 tried to read 1 byte at IOVA 0x2000: refused, because nothing is mapped there.",
  ]);
});

Deno.test("DMA beyond the device's address bits is a mistake of the model", () => {
  const world = open(new ProbeDevice({ addressBits: 32 }));
  setCommand(world, 6);
  throws(() => world.device.bus.dma.read(0xffff_ffffn, new Uint8Array(2)), /32 address bits/);
  strictEqual(world.device.bus.dma.read(0xffff_ffffn, new Uint8Array(1)), "not-present");
});

Deno.test("a device without memory left gets a RangeError", () => {
  throws(() => open(new ProbeDevice()).device.bus.allocate(2 ** 30), RangeError);
});

Deno.test("interrupts go by MSI-X, MSI or INTx, whichever is enabled", () => {
  const world = open(new ProbeDevice(withMsix()));
  const { kernel, core, device, fd } = world;
  setCommand(world, 6);
  const modes: string[] = [device.bus.interruptMode];
  for (const index of [0, 1, 2]) {
    core.irqs.clear();
    core.route(0, index, 0, kernel.eventfd(0, 0));
    kernel.ioctl(fd, FAKE_SET_IRQS, 0);
    modes.push(device.bus.interruptMode);
    device.bus.raise(0);
    strictEqual(core.poll(core.irqs.get(`0/${index}/0`)!), 1, device.bus.interruptMode);
  }
  deepStrictEqual(modes, ["none", "intx", "msi", "msix"]);
});

Deno.test("messages are writes of the device and need bus mastering, the INTx pin does not", () => {
  const world = open(new ProbeDevice(withMsix()));
  const { kernel, core, device, fd } = world;
  const message = kernel.eventfd(0, 0);
  core.route(0, 1, 0, message);
  kernel.ioctl(fd, FAKE_SET_IRQS, 0);
  device.bus.raise(0);
  strictEqual(core.poll(message), 0);
  core.irqs.clear();
  const pin = kernel.eventfd(0, 0);
  core.route(0, 0, 0, pin);
  kernel.ioctl(fd, FAKE_SET_IRQS, 0);
  device.bus.raise(0);
  strictEqual(core.poll(pin), 1);
});

Deno.test("an MSI-X vector that is not enabled waits in the pending bits, and is delivered when it is", () => {
  const world = open(new ProbeDevice(withMsix(70)));
  const { kernel, core, device, fd, block } = world;
  setCommand(world, 6);
  core.route(0, 2, 0, kernel.eventfd(0, 0));
  kernel.ioctl(fd, FAKE_SET_IRQS, 0);
  device.bus.raise(65);
  kernel.pread(fd, block, 8, 0x1808);
  strictEqual(block.view.getBigUint64(0, true), 2n);
  const late = kernel.eventfd(0, 0);
  core.route(0, 2, 65, late);
  kernel.ioctl(fd, FAKE_SET_IRQS, 0);
  strictEqual(core.poll(late), 1);
  kernel.pread(fd, block, 8, 0x1808);
  strictEqual(block.view.getBigUint64(0, true), 0n);
  deepStrictEqual(device.log, []);
});

Deno.test("the INTx pin is a level, which the command register silences and lets through again", () => {
  const world = open(new ProbeDevice({ interruptPin: 1 }));
  const { kernel, core, device, fd, block } = world;
  const pin = kernel.eventfd(0, 0);
  core.route(0, 0, 0, pin);
  kernel.ioctl(fd, FAKE_SET_IRQS, 0);
  const taken = () => kernel.read(pin, block, 8) === 8 ? Number(block.view.getBigUint64(0, true)) : 0;
  device.bus.raise(0);
  device.bus.raise(0);
  strictEqual(taken(), 1);
  device.bus.lower();
  setCommand(world, 0x402);
  device.bus.raise(0);
  strictEqual(taken(), 0);
  kernel.pread(fd, block, 2, CONFIG + 6);
  strictEqual(block.view.getUint16(0, true) & 8, 8);
  setCommand(world, 0x002);
  strictEqual(taken(), 1);
});

Deno.test("reset cancels events and keeps configuration space; closing resets all", () => {
  const world = open(new ProbeDevice());
  const { kernel, device, fd } = world;
  setCommand(world, 6);
  device.bus.clock.after(1_000_000, () => device.log.push("event"));
  strictEqual(kernel.ioctl(fd, FAKE_RESET, 0), 0);
  kernel.relax();
  deepStrictEqual(device.log, ["reset"]);
  world.core.allowed.push({ start: 0, last: 0xfff, writable: true });
  strictEqual(device.bus.dma.write(0n, Uint8Array.of(1)), undefined);
  strictEqual(kernel.close(fd), 0);
  deepStrictEqual(device.log, ["reset", "reset"]);
  strictEqual(device.bus.dma.write(0n, Uint8Array.of(1)), "bus-master-off");
});

Deno.test("a model that throws costs the access EIO, and the error is kept", () => {
  const device = new ProbeDevice();
  const { kernel, fd, block } = open(device);
  device.read = () => {
    throw new Error("a broken model");
  };
  strictEqual(kernel.pread(fd, block, 4, 0), -ERRNO.EIO);
  ok(String(kernel.inspect.modelErrors[0]).includes("a broken model"));
});
