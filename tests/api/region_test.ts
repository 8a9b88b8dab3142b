/**
 * Registers: one access of the width that is asked for, little-endian, inside the region.
 */
import { DeviceFd, EduDevice, IommuFd, type Region, simulated } from "../../mod.ts";
import { check, equal } from "../check.ts";
import { attached, boot, failure, finish, nameOf } from "./machine.ts";

/** Accesses of a device model, in words. */
class Probe extends EduDevice {
  readonly log: string[] = [];

  override read(bar: number, offset: number, width: 1 | 2 | 4): number {
    this.log.push(`read${8 * width} ${offset}`);
    return super.read(bar, offset, width);
  }

  override write(bar: number, offset: number, width: 1 | 2 | 4, value: number): void {
    this.log.push(`write${8 * width} ${offset} 0x${value.toString(16)}`);
    super.write(bar, offset, width, value);
  }

  override write64(bar: number, offset: number, value: bigint): void {
    this.log.push(`write64 ${offset} 0x${value.toString(16)}`);
    super.write64(bar, offset, value);
  }
}

async function edu() {
  const model = new Probe();
  const kernel = await simulated({ pci: [{ slot: "04.0", model }] }, { checks: true });
  const iommu = IommuFd.open(kernel);
  const device = DeviceFd.open(kernel, "00:04.0").bind(iommu);
  device.config.write16(4, 6);
  const close = () => {
    iommu[Symbol.dispose]();
    finish(kernel);
  };
  return { model, device, kernel, bar: device.bar(0), [Symbol.dispose]: close };
}

Deno.test("the edu device answers through its BAR: identification, liveness, factorial", async () => {
  using world = await edu();
  const { bar, kernel } = world;
  equal([bar.index, bar.size, bar.flags], [0, 0x10_0000, { read: true, write: true, mmap: false }]);
  equal(bar.read32(0), 0x0100_00ed);
  bar.write32(4, 0x1234_5678);
  equal(bar.read32(4), 0xedcb_a987, "unsigned");
  bar.write32(8, 10);
  while ((bar.read32(0x20) & 1) !== 0) kernel.relax();
  equal(bar.read32(8), 3_628_800);
});

Deno.test("each call is one access of its width", async () => {
  using world = await edu();
  const { model, bar } = world;
  model.log.length = 0;
  bar.read8(4);
  bar.read16(4);
  bar.read32(4);
  bar.write8(4, 0x1ff);
  bar.write16(4, -1);
  bar.write32(4, -1);
  bar.write64(0x80, 2n ** 64n - 2n);
  equal(model.log, [
    "read8 4",
    "read16 4",
    "read32 4",
    "write8 4 0xff",
    "write16 4 0xffff",
    "write32 4 0xffffffff",
    "write64 128 0xfffffffffffffffe",
  ]);
  equal(bar.read64(0x80), 2n ** 64n - 2n);
});

Deno.test("configuration space is little-endian in every width", async () => {
  using world = await edu();
  const { config } = world.device;
  equal([config.index, config.read16(0), config.read16(2)], [7, 0x1234, 0x11e8]);
  equal([0, 1, 2, 3].map((at) => config.read8(at)), [0x34, 0x12, 0xe8, 0x11]);
  equal([config.read32(0), config.read64(0) & 0xffff_ffffn], [0x11e8_1234, 0x11e8_1234n]);
  equal([config.size, config.flags.read, config.flags.write], [256, true, true]);
});

Deno.test("an access that leaves the region is a RangeError that says where, and reaches no device", async () => {
  using world = await edu();
  const { model, bar, device } = world;
  model.log.length = 0;
  const last = bar.size;
  const accesses: ((region: Region) => unknown)[] = [
    (region) => region.read8(last),
    (region) => region.read16(last - 1),
    (region) => region.read32(last - 3),
    (region) => region.read64(last - 7),
    (region) => region.write8(-1, 0),
    (region) => region.write32(1.5, 0),
    (region) => region.write32(NaN, 0),
    (region) => region.write64(2 ** 53, 0n),
    (region) => region.read32("0" as never),
    (region) => region.read32(0n as never),
  ];
  for (const access of accesses) equal(nameOf(() => access(bar)), "RangeError", String(access));
  equal(model.log, []);
  const absent = device.bar(3);
  equal([absent.size, nameOf(() => absent.read8(0))], [0, "RangeError"]);
  bar.read32(last - 4);
  equal(model.log, [`read32 ${last - 4}`]);
});

Deno.test("a value that is no whole number is a TypeError, and writes nothing", async () => {
  using world = await edu();
  const { model, bar } = world;
  model.log.length = 0;
  for (const value of [NaN, 1.5, Infinity, undefined, "1", 1n, null]) {
    for (const write of ["write8", "write16", "write32"] as const) {
      equal(nameOf(() => bar[write](4, value as never)), "TypeError", `${write} of ${String(value)}`);
    }
  }
  for (const value of [1, undefined]) equal(nameOf(() => bar.write64(0x80, value as never)), "TypeError");
  equal(model.log, []);
});

Deno.test("a BAR without memory decoding answers EIO, with what to do", async () => {
  using world = await edu();
  const { device, bar } = world;
  device.config.write16(4, 0);
  for (const access of [() => bar.read32(0), () => bar.write32(4, 1)]) {
    const error = failure(access, "EIO");
    check(error.advice.includes("switch memory on (bit 1)"), error.message);
    equal([error.values.region, error.values.device, error.values.width], [0, "0000:00:04.0", 4]);
  }
});

Deno.test("regions are those that the device says it has", async () => {
  using machine = await boot();
  using world = attached(machine.kernel);
  const { device } = world;
  const { regions, irqs, isPci, canReset } = device.info;
  equal([isPci, canReset, regions >= 9, irqs >= 5], [true, true, true, true]);
  for (let index = 0; index < 8; index++) equal(device.region(index).index, index);
  // 8 is the VGA region, which other devices lack.
  for (const index of [8, regions]) equal(failure(() => device.region(index), "EINVAL").values.region, index);
  check(device.config === device.config && device.region(0) !== device.bar(0), "configuration space is described once, a region each time");
  for (const index of [-1, 6, 0.5]) equal(nameOf(() => device.bar(index)), "RangeError");
  equal([nameOf(() => device.region(-1)), nameOf(() => device.region("0" as never))], ["RangeError", "TypeError"]);
});

Deno.test("a reset takes registers back to what they are after power-on, and leaves the device attached", async () => {
  using machine = await boot();
  using world = attached(machine.kernel);
  const { device, ioas } = world;
  device.bar(0).write32(0, 77);
  const resets = machine.puppets[0].resets;
  device.reset();
  equal([machine.puppets[0].resets, device.bar(0).read32(0), device.attachedTo === ioas], [resets + 1, 0, true]);
});
