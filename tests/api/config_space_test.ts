/**
 * Configuration space: what a real one says, and bytes that say nonsense.
 */
import fc from "fast-check";
import { DeviceFd, InertDevice, IommuFd, parseConfigSpace, simulated } from "../../mod.ts";
import { check, equal } from "../check.ts";
import { Puppet } from "../rules/puppet.ts";
import { nameOf } from "./machine.ts";

/** Configuration space with values at offsets, each of 32 bits. */
function space(length: number, values: Record<number, number>): Uint8Array {
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  for (const [offset, value] of Object.entries(values)) view.setUint32(Number(offset), value, true);
  return bytes;
}

const STATUS_LIST = 0x0010_0000;

Deno.test("the header, BARs and both lists of capabilities of a device are decoded", () => {
  const bytes = space(4096, {
    0x00: 0xa808_144d,
    0x04: STATUS_LIST | 0x0406,
    0x08: 0x0108_0201,
    0x0c: 0x0080_0010,
    0x10: 0xfeb0_0004,
    0x14: 0x0000_0002,
    0x18: 0x0000_c001,
    0x1c: 0xe000_0008,
    0x34: 0x43,
    0x3c: 0x0000_0200,
    0x40: 0x0003_5001,
    0x50: 0x0000_7011,
    0x70: 0x0002_0010,
    0x100: 0x1482_0001,
    0x148: 0x2001_0000,
    0x200: 0x0001_abcd,
  });
  const config = parseConfigSpace(bytes);
  equal([config.vendor, config.device, config.command, config.status], [0x144d, 0xa808, 0x0406, 0x0010]);
  equal([config.revision, config.classCode, config.headerType, config.multifunction, config.interruptPin], [1, 0x010802, 0, true, 2]);
  equal(config.bars, [
    { index: 0, kind: "memory", bits: 64, prefetchable: false, address: 0x2_feb0_0000n },
    { index: 2, kind: "io", bits: 32, prefetchable: false, address: 0xc000n },
    { index: 3, kind: "memory", bits: 32, prefetchable: true, address: 0xe000_0000n },
  ]);
  equal(config.capabilities.map(({ id, name, offset }) => `${id} ${name} ${offset}`), [
    "1 power management 64",
    "17 MSI-X 80",
    "16 PCI Express 112",
  ]);
  // The second is empty, and leads on.
  equal(config.extendedCapabilities, [
    { id: 1, name: "advanced error reporting", offset: 0x100, version: 2 },
    { id: 0xabcd, name: "0xabcd", offset: 0x200, version: 1 },
  ]);
});

Deno.test("a bridge has two BARs, one to CardBus has one and its list elsewhere", () => {
  const values = { 0x04: STATUS_LIST, 0x10: 0xe000_0000, 0x14: 0x40, 0x18: 0x0002_0100, 0x34: 0x40, 0x40: 0x10 };
  const bridge = parseConfigSpace(space(256, { ...values, 0x0c: 0x0001_0000 }));
  equal([bridge.headerType, bridge.bars.map(({ index }) => index), bridge.capabilities.length], [1, [0, 1], 1]);
  const cardbus = parseConfigSpace(space(256, { ...values, 0x34: 0, 0x0c: 0x0002_0000 }));
  equal([cardbus.headerType, cardbus.bars.map(({ index }) => index), cardbus.capabilities.length], [2, [0], 1]);
  const other = parseConfigSpace(space(256, { ...values, 0x0c: 0x0005_0000 }));
  equal([other.bars, other.capabilities], [[], []]);
});

Deno.test("a BAR of 64 bits in the last place has no upper half to take", () => {
  const [bar] = parseConfigSpace(space(64, { 0x24: 0xf000_0004, 0x28: 0xffff_ffff })).bars;
  equal(bar, { index: 5, kind: "memory", bits: 32, prefetchable: false, address: 0xf000_0000n });
});

Deno.test("a list that leads back to itself names each capability once", () => {
  const loop = space(4096, { 0x04: STATUS_LIST, 0x34: 0x40, 0x40: 0x5001, 0x50: 0x4005, 0x100: 0x2001_0001, 0x200: 0x1001_0003 });
  const { capabilities, extendedCapabilities } = parseConfigSpace(loop);
  equal(capabilities.map(({ offset }) => offset), [0x40, 0x50]);
  equal(extendedCapabilities.map(({ offset }) => offset), [0x100, 0x200]);
  const itself = parseConfigSpace(space(256, { 0x04: STATUS_LIST, 0x34: 0x40, 0x40: 0x4001 }));
  equal(itself.capabilities.length, 1);
});

Deno.test("a list is not looked for where the status has none, nor behind the end of the bytes", () => {
  const values = { 0x04: STATUS_LIST, 0x34: 0x40, 0x40: 0x5001, 0x50: 0x0005 };
  equal(parseConfigSpace(space(256, { ...values, 0x04: 0 })).capabilities, []);
  equal(parseConfigSpace(space(64, { 0x04: STATUS_LIST, 0x34: 0x40 })).capabilities, []);
  equal(parseConfigSpace(space(256, values).subarray(0, 0x50)).capabilities.map(({ id }) => id), [1]);
  equal(parseConfigSpace(space(256, {})).extendedCapabilities, []);
});

Deno.test("a device that is gone reads as ones, which is no list", () => {
  const { vendor, capabilities, extendedCapabilities } = parseConfigSpace(new Uint8Array(4096).fill(0xff));
  equal([vendor, capabilities, extendedCapabilities], [0xffff, [], []]);
});

Deno.test("less than a header is refused, and more is read whatever it is", () => {
  for (const length of [0, 1, 63]) equal(nameOf(() => parseConfigSpace(new Uint8Array(length))), "RangeError");
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 64, maxLength: 4096, size: "max" }), fc.nat(16), (bytes, start) => {
      const within = new Uint8Array([...new Uint8Array(start), ...bytes]).subarray(start);
      const { bars, capabilities, extendedCapabilities } = parseConfigSpace(within);
      check(bars.length <= 6, "BARs");
      for (const list of [capabilities, extendedCapabilities]) {
        const offsets = list.map(({ offset }) => offset);
        check(new Set(offsets).size === offsets.length, "none twice");
        check(offsets.every((offset) => offset >= 64 && offset < bytes.length && offset % 4 === 0), "inside");
      }
    }),
  );
});

Deno.test("what the simulated devices say of themselves is what their descriptions do", async () => {
  const description = { vendor: 1, device: 2, classCode: 0x020000, bars: [{ index: 2, length: 4096, wide: true, prefetchable: true }] };
  const kernel = await simulated({
    pci: [{ slot: "03.0", model: () => new Puppet() }, { slot: "04.0", model: new InertDevice(description) }],
  });
  using iommu = IommuFd.open(kernel);
  const read = (address: string) => {
    const { config } = DeviceFd.open(kernel, address).bind(iommu);
    return parseConfigSpace(Uint8Array.from({ length: config.size }, (_, at) => config.read8(at)));
  };
  const [puppet, inert] = [read("00:03.0"), read("00:04.0")];
  equal(puppet.capabilities.some(({ name }) => name === "MSI-X") && puppet.capabilities.some(({ name }) => name === "PCI Express"), true);
  equal(inert.bars.map(({ index, bits, prefetchable }) => [index, bits, prefetchable]), [[2, 64, true]]);
  equal([inert.vendor, inert.device, inert.classCode], [1, 2, 0x020000]);
});
