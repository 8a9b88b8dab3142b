/**
 * Peer-to-peer DMA: a device reaches the BAR of another one by a dma-buf, until that takes it back.
 */
import { type Bus, type DeviceModel, type Machine } from "../../backends/simulated/mod.ts";
import { type BoundDevice, DeviceFd, type DmaBuf, type IommuError } from "../../mod.ts";
import { check, equal, thrown } from "../check.ts";
import { Puppet } from "../rules/puppet.ts";
import { ADDRESSES, type Attached, attached, boot, type Booted, failure, finish } from "./machine.ts";

const PAGE = 4096;

/** A puppet with memory of its own. */
class Source extends Puppet {
  own: Uint8Array = new Uint8Array(0);

  override connect(bus: Bus): void {
    super.connect(bus);
    this.own = bus.allocate(8);
  }
}

/** A device that notes accesses to its registers, and has a BAR of plain memory. */
class Target implements DeviceModel {
  readonly description = {
    vendor: 0x1234,
    device: 2,
    classCode: 0xff0000,
    bars: [{ index: 0, length: 4 * PAGE }, { index: 2, length: 4 * PAGE, wide: true }],
  };
  readonly accesses: string[] = [];
  readonly buffer: Uint8Array<ArrayBuffer> = new Uint8Array(4 * PAGE);

  connect(): void {}
  reset(): void {}
  read(bar: number, offset: number, width: 1 | 2 | 4): number {
    this.accesses.push(`${bar}:${offset.toString(16)} is ${width}`);
    return 0x4433_2211 & (2 ** (8 * width) - 1);
  }
  write(bar: number, offset: number, width: 1 | 2 | 4, value: number): void {
    this.accesses.push(`${bar}:${offset.toString(16)} = ${width} ${value.toString(16)}`);
  }
  memory(bar: number): Uint8Array | undefined {
    return bar === 2 ? this.buffer : undefined;
  }
  /** What was accessed since the last time. */
  take(): string[] {
    return this.accesses.splice(0);
  }
}

/** A device that is attached, and another one whose BARs it shall reach. */
class World implements Disposable {
  readonly target: BoundDevice;
  #stack = new DisposableStack();
  readonly attached: Attached;

  constructor(readonly booted: Booted, readonly puppet: Source, readonly model: Target) {
    this.attached = this.#stack.use(attached(booted.kernel));
    this.target = this.#stack.use(DeviceFd.open(booted.kernel, ADDRESSES[1])).bind(this.attached.iommu);
    this.model.take();
  }
  export(bar: number, options: { offset?: number; length?: number } = {}): DmaBuf {
    return this.#stack.use(this.target.bar(bar).exportDmaBuf(options));
  }
  map(file: DmaBuf): bigint {
    return this.attached.ioas.mapFile(file);
  }
  [Symbol.dispose](): void {
    this.#stack[Symbol.dispose]();
    finish(this.booted.kernel);
  }
}

async function world(options: Partial<Machine> = {}): Promise<World> {
  const [puppet, model] = [new Source(), new Target()];
  return new World(await boot({ pci: [{ slot: "03.0", model: puppet }, { slot: "04.0", model }], ...options }), puppet, model);
}

for (const iommu of ["vtd", "amdvi"] as const) {
  Deno.test(`${iommu}: DMA of a device reaches registers of another one, in the widest accesses that are aligned`, async () => {
    using w = await world({ iommu: { kind: iommu } });
    using file = w.export(0, { offset: PAGE, length: 2 * PAGE });
    equal([file.length, file.isOpen], [2 * PAGE, true]);
    const iova = w.map(file);
    equal(w.puppet.writes(iova + 0x10n, Uint8Array.of(1, 2, 3, 4)), "OK");
    equal(w.model.take(), ["0:1010 = 4 4030201"]);
    equal(w.puppet.writes(iova + 0x12n, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9)), "OK");
    equal(w.model.take(), ["0:1012 = 2 201", "0:1014 = 4 6050403", "0:1018 = 2 807", "0:101a = 1 9"]);
    equal(w.puppet.reads(iova + BigInt(PAGE), 5), Uint8Array.of(0x11, 0x22, 0x33, 0x44, 0x11));
    equal(w.model.take(), ["0:2000 is 4", "0:2004 is 1"]);
    // From memory of the machine as from an array elsewhere.
    w.puppet.own.set([8, 7, 6, 5, 4, 3, 2, 1]);
    equal(w.puppet.writes(iova, w.puppet.own), "OK");
    equal(w.model.take(), ["0:1000 = 4 5060708", "0:1004 = 4 1020304"]);
    equal(w.booted.kernel.inspect.faults, []);
  });

  Deno.test(`${iommu}: a transfer from memory into a BAR of plain memory and out of it again is one`, async () => {
    using w = await world({ iommu: { kind: iommu } });
    const { ioas } = w.attached;
    using before = ioas.createDmaBuffer(PAGE, { iova: 0x10_0000n });
    ioas.mapFile(w.export(2), { iova: 0x10_1000n, write: true });
    using after = ioas.createDmaBuffer(PAGE, { iova: 0x10_5000n });
    const bytes = Uint8Array.from({ length: 4 * PAGE + 200 }, (_, at) => at % 251);
    equal(w.puppet.writes(0x10_0fa0n, bytes), "OK");
    equal(before.bytes.slice(0xfa0), bytes.slice(0, 96));
    equal(w.model.buffer, bytes.slice(96, 96 + 4 * PAGE));
    equal(after.bytes.slice(0, 104), bytes.slice(96 + 4 * PAGE));
    equal(w.puppet.reads(0x10_0fa0n, bytes.length), bytes);
    equal(w.target.bar(2).read32(4), new DataView(w.model.buffer.buffer).getUint32(4, true));
    w.target.bar(2).write8(7, 0xee);
    equal([w.model.buffer[7], w.model.take()], [0xee, []]);
  });
}

/** What takes the memory back, and whether the device answers afterwards. */
const ENDS: Readonly<Record<string, { readonly end: (target: BoundDevice) => void; readonly mend?: (target: BoundDevice) => void }>> = {
  "its memory is switched off": { end: ({ config }) => config.write16(4, 0), mend: ({ config }) => config.write16(4, 2) },
  "it sleeps": {
    end: ({ config }) => config.write16(capability(config, 0x01) + 4, 3),
    mend: ({ config }) => config.write16(capability(config, 0x01) + 4, 0),
  },
  "it is reset": { end: (target) => target.reset() },
  "its function is reset": { end: ({ config }) => config.write16(capability(config, 0x10) + 8, 0x8000) },
};

/** Where a capability is in configuration space. */
function capability(config: BoundDevice["config"], id: number): number {
  let at = config.read8(0x34);
  while (config.read8(at) !== id) at = config.read8(at + 1);
  return at;
}

for (const [when, { end, mend }] of Object.entries(ENDS)) {
  Deno.test(`what is mapped of a device is gone for good when ${when}, and can be mapped anew`, async () => {
    using w = await world();
    const file = w.export(0);
    const iova = w.map(file);
    equal(w.puppet.writes(iova, Uint8Array.of(1)), "OK");
    end(w.target);
    equal(w.puppet.writes(iova, Uint8Array.of(1)), "not-present");
    if (mend !== undefined) {
      const error = failure(() => w.map(file), "ENODEV");
      check(/taken the memory back/.test(error.message), error.message);
      mend(w.target);
    }
    equal(w.puppet.writes(iova, Uint8Array.of(1)), "not-present");
    equal(w.puppet.writes(w.map(file), Uint8Array.of(1)), "OK");
    equal(w.attached.ioas.unmap(iova, file.length), BigInt(file.length));
    equal(w.booted.kernel.inspect.check(), []);
  });
}

Deno.test("once the device is closed its dma-bufs are of no use any more, whoever opens it next", async () => {
  using w = await world();
  const file = w.export(0);
  const iova = w.map(file);
  w.target.deviceFd[Symbol.dispose]();
  equal(w.puppet.writes(iova, Uint8Array.of(1)), "not-present");
  using again = DeviceFd.open(w.booted.kernel, ADDRESSES[1]);
  const bound = again.bind(w.attached.iommu);
  failure(() => w.map(file), "ENODEV");
  using other = bound.bar(0).exportDmaBuf();
  equal(w.puppet.writes(w.map(other), Uint8Array.of(1)), "OK");
});

Deno.test("a file that is closed cannot be mapped, and what was mapped of it stays", async () => {
  using w = await world();
  const file = w.export(0);
  const iova = w.map(file);
  file[Symbol.dispose]();
  file[Symbol.dispose]();
  equal(w.puppet.writes(iova, Uint8Array.of(1)), "OK");
  failure(() => w.map(file), "EBADF");
});

Deno.test("a device that is pulled out leaves a BAR of ones that swallows writes", async () => {
  using w = await world();
  const iova = w.map(w.export(0));
  const leaving = w.booted.kernel.unplug(ADDRESSES[1], { surprise: true });
  equal(w.puppet.writes(iova, Uint8Array.of(1)), "OK");
  equal(w.puppet.reads(iova, 3), Uint8Array.of(0xff, 0xff, 0xff));
  w.target.deviceFd[Symbol.dispose]();
  await leaving;
  equal(w.puppet.writes(iova, Uint8Array.of(1)), "not-present");
});

Deno.test("what cannot be exported is refused with the reason", async () => {
  using w = await world();
  const refuse = (code: string, says: string, run: () => unknown) => {
    const { message } = failure(run, code) as IommuError;
    check(message.includes(says), message);
  };
  refuse("ENODEV", "The device has no BAR 1", () => w.target.bar(1).exportDmaBuf({ length: PAGE }));
  refuse("ENODEV", "Only BARs, regions 0 to 5", () => w.target.config.exportDmaBuf({ length: PAGE }));
  refuse("EINVAL", "The offset 0x1 is no multiple of 0x1000", () => w.export(0, { offset: 1, length: PAGE }));
  refuse("EINVAL", "The length 0x10 is none of whole pages", () => w.export(0, { length: 16 }));
  refuse("EINVAL", "The region has 0x4000 bytes, and 0x2000 from 0x3000 on", () => w.export(0, { offset: 3 * PAGE, length: 2 * PAGE }));
  for (const options of [{ offset: -1 }, { length: 0.5 }]) equal(thrown(() => w.export(0, options)) instanceof RangeError, true);
  const region = w.target.bar(0);
  region[Symbol.dispose]();
  failure(() => region.exportDmaBuf(), "EBADF");
});

/** A register that starts a transfer of its own when it is accessed, from arrays outside of the machine's memory. */
class Eager extends Source {
  readonly seen: number[] = [];

  override read(): number {
    this.reads(0x10_0000n, 8);
    return 0x0807_0605;
  }
  override write(...[, , , value]: Parameters<DeviceModel["write"]>): void {
    this.writes(0x10_0000n, new Uint8Array(8).fill(0xee));
    this.seen.push(value);
  }
}

Deno.test("a register that starts a transfer when it is accessed does not disturb the transfer that came to it", async () => {
  const [puppet, model] = [new Source(), new Eager()];
  using booted = await boot({ pci: [{ slot: "03.0", model: puppet }, { slot: "04.0", model }] });
  using all = attached(booted.kernel);
  const { iommu, ioas } = all;
  using file = DeviceFd.open(booted.kernel, ADDRESSES[1]);
  const target = file.bind(iommu);
  target.config.write16(4, 6);
  target.attach(ioas);
  using own = ioas.createDmaBuffer(PAGE, { iova: 0x10_0000n });
  using before = ioas.createDmaBuffer(PAGE, { iova: 0x20_0000n });
  using bar = target.bar(0).exportDmaBuf();
  ioas.mapFile(bar, { iova: 0x20_1000n });
  const bytes = Uint8Array.from({ length: 16 }, (_, at) => at + 1);
  equal(puppet.writes(0x20_0ffcn, bytes), "OK");
  equal([before.bytes.slice(-4), own.bytes.slice(0, 2)], [bytes.slice(0, 4), Uint8Array.of(0xee, 0xee)]);
  equal(model.seen, [0x0807_0605, 0x0c0b_0a09, 0x100f_0e0d]);
  equal(puppet.reads(0x20_0ffcn, 12), Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 5, 6, 7, 8));
});

Deno.test("the sanitizer takes a BAR for no memory of the program", async () => {
  using w = await world({ sanitizer: {} });
  const { puppet, model, attached: { ioas } } = w;
  using buffer = ioas.createDmaBuffer(PAGE, { iova: 0x10_0000n });
  buffer.bytes.fill(1);
  ioas.mapFile(w.export(2), { iova: 0x20_0000n });
  model.buffer.fill(0x5c);
  equal(puppet.writes(0x20_0000n, new Uint8Array(64).fill(3)), "OK");
  equal(puppet.reads(0x20_0000n, 128).length, 128);
  equal(w.booted.kernel.sanitizer?.reports, []);
  w.target.config.write16(4, 0);
  equal(puppet.writes(0x20_0000n, Uint8Array.of(1)), "not-present");
  equal(w.booted.kernel.sanitizer?.reports.length, 1);
});
