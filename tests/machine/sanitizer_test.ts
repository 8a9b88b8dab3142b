/**
 * The sanitizer: each kind of misuse is found with the history of its address, and correct programs are left alone.
 */
import { deepStrictEqual, ok, strictEqual, throws } from "node:assert/strict";
import { VirtualClock } from "../../backends/simulated/clock.ts";
import type { Core } from "../../backends/simulated/core.ts";
import { type SanitizerOptions, simulated, type SimulatedKernel } from "../../backends/simulated/mod.ts";
import { type BoundDevice, describeReport, DeviceFd, type Ioas, IommuFd, MachineError, type SanitizerReport } from "../../mod.ts";
import { sanitizedCore, Sanitizer } from "../../backends/simulated/sanitizer/sanitizer.ts";
import { Puppet } from "../rules/puppet.ts";

const ADDRESS = "0000:00:01.0";
const PAGE = 4096;
const PAGE64 = 4096n;
const RED_ZONE = 65536n;

interface World extends Disposable {
  readonly kernel: SimulatedKernel;
  readonly found: readonly SanitizerReport[];
  readonly puppet: Puppet;
  readonly iommu: IommuFd;
  readonly ioas: Ioas;
  readonly device: BoundDevice;
}

/** A device that is attached and may do DMA, on a machine with a sanitizer. */
async function open(options: SanitizerOptions = {}): Promise<World> {
  const puppet = new Puppet();
  const kernel = await simulated({ memory: 2 ** 23, kernelMemory: 2 ** 21, pci: [{ model: puppet }], sanitizer: options }, {
    checks: true,
  });
  const iommu = IommuFd.open(kernel);
  const ioas = iommu.createIoas();
  const device = DeviceFd.open(kernel, ADDRESS).bind(iommu, { label: 0x5an });
  device.config.write16(4, 6);
  device.attach(ioas);
  const dispose = () => {
    iommu[Symbol.dispose]();
    deepStrictEqual(kernel.inspect.check(), []);
    deepStrictEqual(kernel.inspect.modelErrors, []);
    kernel[Symbol.dispose]();
  };
  return { kernel, found: kernel.sanitizer!.reports, puppet, iommu, ioas, device, [Symbol.dispose]: dispose };
}

/** The one finding that there is. */
function only({ kernel }: World): SanitizerReport {
  const { reports } = kernel.sanitizer!;
  strictEqual(reports.length, 1, reports.map(describeReport).join("\n"));
  return reports[0]!;
}

Deno.test("a machine without the switch has no sanitizer, and places as Linux does", async () => {
  const kernel = await simulated({ pci: [{ model: new Puppet() }] });
  {
    using iommu = IommuFd.open(kernel);
    const ioas = iommu.createIoas();
    strictEqual(kernel.sanitizer, undefined);
    const [first, second] = [ioas.createDmaBuffer(PAGE), ioas.createDmaBuffer(PAGE)];
    strictEqual(second.iova, first.iova + PAGE64);
  }
  kernel[Symbol.dispose]();
});

Deno.test("use after unmap: who, where, when mapped and unmapped, by which request, with the transfers before", async () => {
  using world = await open();
  const { ioas, puppet } = world;
  const buffer = ioas.createDmaBuffer(PAGE);
  const { iova } = buffer;
  strictEqual(puppet.writes(iova, Uint8Array.of(1, 2, 3)), "OK");
  buffer[Symbol.dispose]();
  strictEqual(puppet.writes(iova + 8n, Uint8Array.of(4)), "not-present");
  const report = only(world);
  deepStrictEqual(
    [report.kind, report.device, report.label, report.iova, report.length, report.access, report.refused, report.ioas],
    ["use-after-unmap", ADDRESS, 0x5an, iova + 8n, 1, "write", true, ioas.id],
  );
  const { mapping } = report;
  deepStrictEqual([mapping?.start, mapping?.last, mapping?.access], [iova, iova + PAGE64 - 1n, "read and write"]);
  deepStrictEqual([mapping?.mapped.operation, mapping?.unmapped?.operation], ["IOAS_MAP", "IOAS_UNMAP"]);
  deepStrictEqual([mapping?.mapped.devices, mapping?.unmapped?.devices], [[ADDRESS], [ADDRESS]]);
  ok(mapping!.mapped.request < mapping!.unmapped!.request && mapping!.unmapped!.request <= report.request, "requests count up");
  deepStrictEqual(mapping?.transfers.map(({ access, length, outcome }) => [access, length, outcome]), [["write", 3, "done"]]);
  ok(/Wait until the device is done/.test(report.advice));
});

Deno.test("freed addresses are not used again until the quarantine is full, and then the oldest", async () => {
  using world = await open({ quarantine: 2 * PAGE, redZone: 0 });
  const { ioas, puppet } = world;
  const next = () => {
    const buffer = ioas.createDmaBuffer(PAGE);
    buffer[Symbol.dispose]();
    return buffer.iova;
  };
  const addresses = [next(), next(), next(), next()];
  strictEqual(new Set(addresses.slice(0, 3)).size, 3);
  strictEqual(addresses[3], addresses[0]);
  // The history is longer than the quarantine.
  strictEqual(puppet.writes(addresses[1]!, Uint8Array.of(0)), "not-present");
  strictEqual(only(world).kind, "use-after-unmap");
});

Deno.test("an address that the program chooses may be in quarantine", async () => {
  using world = await open();
  const { ioas, puppet } = world;
  const buffer = ioas.createDmaBuffer(PAGE);
  buffer[Symbol.dispose]();
  const again = ioas.createDmaBuffer(PAGE, { iova: buffer.iova });
  strictEqual(puppet.writes(again.iova, Uint8Array.of(1)), "OK");
  deepStrictEqual(world.found, []);
  again[Symbol.dispose]();
  strictEqual(puppet.writes(again.iova, Uint8Array.of(1)), "not-present");
  const { mapping, history } = only(world);
  ok(mapping!.mapped.request > history[0]!.unmapped!.request, "the newest comes first, the one before is told too");
});

Deno.test("red zones: buffers lie apart, and a transfer over the end or beside one is found", async () => {
  using world = await open();
  const { ioas, puppet, kernel } = world;
  const [first, second] = [ioas.createDmaBuffer(PAGE), ioas.createDmaBuffer(PAGE)];
  strictEqual(second.iova, first.iova + PAGE64 + RED_ZONE);
  strictEqual(puppet.writes(first.iova + PAGE64 - 2n, Uint8Array.of(1, 2, 3)), "not-present");
  const over = only(world);
  deepStrictEqual(
    [over.kind, over.iova, over.length, over.mapping?.start, over.access],
    ["red-zone", first.iova + PAGE64, 1, first.iova, "write"],
  );
  ok(/goes beyond the buffer/.test(over.advice));
  deepStrictEqual([...first.bytes.subarray(-2)], [1, 2], "what lies before the end moved");
  kernel.sanitizer!.clear();
  strictEqual(puppet.reads(second.iova - 8n, 4), "not-present");
  deepStrictEqual([only(world).kind, only(world).mapping?.start, only(world).access], ["red-zone", second.iova, "read"]);
});

Deno.test("wrong direction: a device that reads what it may only write, or writes what it may only read", async () => {
  using world = await open();
  const { ioas, puppet } = world;
  const target = ioas.createDmaBuffer(PAGE, { read: false });
  const source = ioas.createDmaBuffer(PAGE, { write: false });
  strictEqual(puppet.reads(target.iova, 4), "no-read");
  strictEqual(puppet.writes(source.iova, Uint8Array.of(1)), "no-write");
  deepStrictEqual(
    world.kernel.sanitizer!.reports.map(({ kind, access, mapping }) => [kind, access, mapping?.access]),
    [["wrong-direction", "read", "write"], ["wrong-direction", "write", "read"]],
  );
});

Deno.test("never written: neither by the program nor by a device, to eight bytes", async () => {
  using world = await open({ neverWritten: true });
  const { ioas, puppet } = world;
  const buffer = ioas.createDmaBuffer(PAGE);
  buffer.bytes.fill(0, 0, 64);
  ok(puppet.reads(buffer.iova, 64) instanceof Uint8Array);
  strictEqual(puppet.writes(buffer.iova + 64n, new Uint8Array(64)), "OK");
  ok(puppet.reads(buffer.iova, 128) instanceof Uint8Array);
  deepStrictEqual(world.found, []);
  ok(puppet.reads(buffer.iova + 100n, 60) instanceof Uint8Array);
  const report = only(world);
  // From 128 to the last whole eight bytes before 160.
  deepStrictEqual([report.kind, report.iova, report.length, report.refused], ["never-written", buffer.iova + 128n, 32, false]);
  strictEqual(report.mapping?.start, buffer.iova);
});

Deno.test("without the option memory is zeroed and its content is not looked at; argument blocks are zeroed always", async () => {
  for (const neverWritten of [false, true]) {
    using world = await open({ neverWritten });
    const buffer = world.ioas.createDmaBuffer(PAGE);
    ok(world.puppet.reads(buffer.iova, PAGE) instanceof Uint8Array);
    strictEqual(buffer.bytes.every((byte) => byte === 0), !neverWritten);
    strictEqual(world.kernel.sanitizer!.reports.length, neverWritten ? 1 : 0);
    for (const length of [64, 100_000]) {
      using block = world.kernel.block(length);
      ok(block.bytes.every((byte) => byte === 0), `a block of ${length} bytes`);
    }
  }
});

Deno.test("after detach, and addresses that are none: told apart", async () => {
  using world = await open();
  const { device, ioas, puppet, kernel } = world;
  const buffer = ioas.createDmaBuffer(PAGE);
  strictEqual(puppet.writes(buffer.address, Uint8Array.of(1)), "not-present");
  deepStrictEqual([only(world).kind, only(world).mapping], ["wild", undefined]);
  kernel.sanitizer!.clear();
  device.detach();
  strictEqual(puppet.writes(buffer.iova, Uint8Array.of(1)), "blocked");
  deepStrictEqual([only(world).kind, only(world).mapping?.start, only(world).ioas], ["after-detach", buffer.iova, ioas.id]);
});

Deno.test("another IOAS that gets the number of one before inherits neither its history nor its quarantine", async () => {
  using world = await open();
  const { kernel, puppet } = world;
  const addresses: bigint[] = [];
  for (let round = 0; round < 2; round++) {
    using iommu = IommuFd.open(kernel);
    const ioas = iommu.createIoas();
    const buffer = ioas.createDmaBuffer(PAGE);
    addresses.push(buffer.iova);
    buffer[Symbol.dispose]();
  }
  strictEqual(addresses[0], addresses[1]);
  strictEqual(puppet.bus.dma.write(addresses[0]!, Uint8Array.of(1)), "not-present");
  strictEqual(only(world).kind, "wild");
});

Deno.test("findings fail a test, are told at once, and come as text and JSON", async () => {
  using world = await open({ reports: 2 });
  const sanitizer = world.kernel.sanitizer!;
  sanitizer.assertClean();
  const told: string[] = [];
  sanitizer.onReport = ({ kind }) => told.push(kind);
  for (let round = 0; round < 3; round++) world.puppet.writes(0x1234_0000n, Uint8Array.of(1));
  deepStrictEqual([told, sanitizer.reports.length, sanitizer.lost], [["wild", "wild", "wild"], 2, 1]);
  throws(
    () => sanitizer.assertClean(),
    /found 3 misuses of DMA:\nwild: device 0000:00:01.0 \(label 0x5a\) tried to write 1 byte at IOVA 0x12340000/,
  );
  const json = JSON.parse(JSON.stringify(sanitizer));
  deepStrictEqual([json.length, json[0].iova, json[0].label, json[0].kind], [2, "0x12340000", "0x5a", "wild"]);
  sanitizer.clear();
  sanitizer.assertClean();
});

Deno.test("a full address space is used to its end, quarantine and red zones or not", async () => {
  using world = await open();
  const { ioas } = world;
  ioas.allow([{ start: 0x10_0000n, last: 0x10_0000n + 4n * PAGE64 - 1n }]);
  const buffers = Array.from({ length: 4 }, () => ioas.createDmaBuffer(PAGE));
  throws(() => ioas.createDmaBuffer(PAGE), /ENOSPC/);
  for (const buffer of buffers) buffer[Symbol.dispose]();
  for (let round = 0; round < 4; round++) ioas.createDmaBuffer(PAGE);
});

Deno.test("options that are wrong are named", async () => {
  const boot = (sanitizer: SanitizerOptions) => simulated({ pci: [], sanitizer });
  for (
    const [options, path] of [[{ redZone: 5 }, "redZone"], [{ quarantine: -1 }, "quarantine"], [{ reports: 0 }, "reports"], [
      { zone: 1 },
      "zone",
    ]]
  ) {
    const error = await boot(options as SanitizerOptions).catch((error) => error);
    ok(error instanceof MachineError && error.path === `sanitizer.${path}`, String(error));
  }
});

/** A core that maps and translates nothing, and says what it is told to. */
function standIn(changes: readonly (readonly bigint[])[], missed: number): { core: Core; sanitizer: Sanitizer } {
  let seen = 0;
  const core = {
    ioctl_apart: () => 0,
    find_area_changes: () => missed-- > 0 ? -12 : seen++ === 0 ? changes.length : 0,
    area_change: (index: number, field: number) => changes[index]![field]!,
    space_of: () => 7n,
    has_space: () => true,
    label_of: () => undefined,
    attached_pasid: (_device: number, index: number) => index === 0 ? 0 : -1,
    add_quarantine: () => 0,
    end_quarantine: () => {},
    dma_write: () => 0,
  } as unknown as Core;
  const settings = { quarantine: PAGE, redZone: PAGE, neverWritten: false, history: 1, reports: 9, devices: 1 };
  const sanitizer = new Sanitizer(settings, {
    core,
    memory: new WebAssembly.Memory({ initial: 1 }),
    clock: new VirtualClock(() => {}),
    addressOf: () => ADDRESS,
    isWatched: () => true,
  });
  return { core: sanitizedCore(sanitizer), sanitizer };
}

Deno.test("a transfer that an IOMMU lets through by a stale entry of its cache is found, though nothing refused it", () => {
  const added = 7n;
  const { core, sanitizer } = standIn([[7n, 0x1000n, 0x1fffn, added], [7n, 0x1000n, 0x1fffn, 3n]], 0);
  core.ioctl(3, 0x3b86, 0n);
  strictEqual(core.dma_write(0, -1, 0x1ff0n, 0, 8), 0);
  deepStrictEqual(sanitizer.reports.map(({ kind, refused, iova, length }) => [kind, refused, iova, length]), [
    ["use-after-unmap", false, 0x1ff0n, 8],
  ]);
  ok(describeReport(sanitizer.reports[0]!).includes("wrote 8 bytes at IOVA 0x1ff0 that were unmapped before. It was not refused."));
  // Those without a byte are nobody's business.
  core.dma_write(0, -1, 0x1ff0n, 0, 0);
  strictEqual(sanitizer.reports.length, 1);
});

Deno.test("where the kernel has no memory for looking, the next look makes up for it, and it is said", () => {
  const { core, sanitizer } = standIn([[7n, 0x1000n, 0x1fffn, 7n]], 2);
  for (let request = 0; request < 3; request++) core.ioctl(3, 0x3b85, 0n);
  strictEqual(sanitizer.missed, 2);
  strictEqual(core.dma_write(0, -1, 0x1ff0n, 0, 8), 0);
  deepStrictEqual(sanitizer.reports, []);
});

Deno.test("a listener that throws stops neither the device nor the finding", async () => {
  using world = await open();
  const sanitizer = world.kernel.sanitizer!;
  const escaped = new Promise<unknown>((resolve) => {
    addEventListener("error", (event) => {
      event.preventDefault();
      resolve(event.error);
    }, { once: true });
  });
  sanitizer.onReport = () => {
    throw new Error("the listener's own");
  };
  strictEqual(world.puppet.writes(0x5000_0000n, Uint8Array.of(1)), "not-present");
  strictEqual(sanitizer.reports.length, 1);
  ok(/the listener's own/.test(String(await escaped)));
});

Deno.test("transfers with a PASID are looked at in the address space of that PASID", async () => {
  const puppet = new Puppet({ pasid: { bits: 8 } });
  using kernel = await simulated({ iommu: { kind: "vtd", scalable: true }, pci: [{ model: puppet }], sanitizer: {} });
  using iommu = IommuFd.open(kernel);
  using device = DeviceFd.open(kernel, ADDRESS).bind(iommu);
  device.config.write16(4, 6);
  const spaces = [iommu.createIoas(), iommu.createIoas()] as const;
  const [plain, tagged] = spaces.map((ioas) => ioas.createHwpt(device, { pasid: true }));
  device.attach(plain!);
  device.attach(tagged!, { pasid: 5 });
  const [, other] = spaces;
  const buffer = other.createDmaBuffer(PAGE, { write: false });
  const bytes = new Uint8Array(8);
  const read = (at: bigint, pasid?: number) => puppet.bus.dma.read(at, bytes, pasid);
  strictEqual(read(buffer.iova, 5), undefined);
  strictEqual(kernel.sanitizer!.reports.length, 0, "where it may");
  strictEqual(read(buffer.iova), "not-present", "the same address without the PASID is another");
  puppet.bus.dma.write(buffer.iova, bytes, 5);
  buffer[Symbol.dispose]();
  read(buffer.iova, 5);
  device.detach({ pasid: 5 });
  read(buffer.iova, 5);
  read(buffer.iova, 6);
  const found = kernel.sanitizer!.reports.map(({ kind, pasid, ioas }) => [kind, pasid, ioas]);
  deepStrictEqual(found, [
    ["wild", undefined, spaces[0].id],
    ["wrong-direction", 5, other.id],
    ["use-after-unmap", 5, other.id],
    ["after-detach", 5, other.id],
    ["wild", 6, undefined],
  ]);
  const { mapping } = kernel.sanitizer!.reports[2]!;
  deepStrictEqual(mapping?.mapped.devices, [ADDRESS], "a device is attached that is so with a PASID");
  deepStrictEqual(mapping?.transfers.map(({ pasid, outcome }) => [pasid, outcome]), [[5, "done"], [5, "no-write"]], "up to the finding");
  ok(/^use-after-unmap: device 0000:00:01.0, PASID 5, tried to read 8 bytes/.test(describeReport(kernel.sanitizer!.reports[2]!)));
});
