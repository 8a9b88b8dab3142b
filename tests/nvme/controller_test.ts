/**
 * Registers of the NVMe controller: enabling, resetting, shutting down, doorbells, interrupts.
 *
 * @module
 */
import { deepStrictEqual, ok, strictEqual, throws } from "node:assert/strict";
import { memoryMedia, NvmeController, type NvmeOptions } from "../../backends/simulated/devices/nvme/mod.ts";
import { BareHost, blocks } from "./bare_host.ts";

const READY = 1;
const FATAL = 2;

function host(options: Partial<NvmeOptions> = {}): BareHost {
  return new BareHost({ namespaces: [{ media: memoryMedia(1 << 20) }], ...options });
}

Deno.test("capabilities and version read as NVMe 1.4 lays them out", () => {
  const { controller } = host({ queueEntries: 256, doorbellStride: 2, lg2PageMin: 13, latency: { enable: 3e9, jitter: 0 } });
  const low = controller.read(0, 0, 4);
  const high = controller.read(0, 4, 4);
  strictEqual(low & 0xffff, 255);
  strictEqual((low >>> 16) & 1, 1);
  strictEqual(low >>> 24, 6);
  strictEqual(high & 0xf, 2);
  strictEqual((high >>> 5) & 0xff, 1);
  strictEqual((high >>> 16) & 0xf, 1);
  strictEqual((high >>> 20) & 0xf, 4);
  strictEqual(controller.read(0, 8, 4), 0x10400);
  strictEqual(controller.read(0, 10, 2), 1);
  strictEqual(controller.read(0, 9, 1), 4);
});

Deno.test("CSTS.RDY follows CC.EN after a while, both ways", () => {
  const nvme = host();
  nvme.write32(0x24, 0x001f_001f);
  nvme.write32(0x28, 0x10000);
  nvme.write32(0x30, 0x20000);
  nvme.write32(0x14, 0x0046_0001);
  strictEqual(nvme.status, 0);
  nvme.bus.run();
  strictEqual(nvme.status, READY);
  nvme.write32(0x14, 0);
  strictEqual(nvme.status, READY);
  nvme.bus.run();
  strictEqual(nvme.status, 0);
});

Deno.test("clearing CC.EN while becoming ready never becomes ready", () => {
  const nvme = host();
  nvme.write32(0x24, 0x001f_001f);
  nvme.write32(0x14, 0x0046_0001);
  nvme.write32(0x14, 0);
  nvme.bus.run();
  strictEqual(nvme.status, 0);
});

Deno.test("a configuration that the controller cannot have is fatal, until the next try", () => {
  for (const [name, configuration] of [["command set", 0x0046_0011], ["page size", 0x0046_0281], ["arbitration", 0x0046_0801]] as const) {
    const nvme = host().enable(32, configuration);
    strictEqual(nvme.status, FATAL, name);
    nvme.write32(0x14, 0);
    nvme.bus.run();
    strictEqual(nvme.enable().status, READY, name);
  }
  const tooSmall = host();
  tooSmall.write32(0x24, 0);
  tooSmall.write32(0x14, 0x0046_0001);
  tooSmall.bus.run();
  strictEqual(tooSmall.status, FATAL);
});

Deno.test("the admin queue registers hold whole pages and 12-bit sizes, and keep still while enabled", () => {
  const nvme = host();
  nvme.write32(0x24, 0xffff_ffff);
  nvme.write32(0x28, 0x1234_5678);
  nvme.write32(0x2c, 7);
  deepStrictEqual([nvme.read32(0x24), nvme.read32(0x28), nvme.read32(0x2c)], [0x0fff_0fff, 0x1234_5000, 7]);
  nvme.enable();
  const before = nvme.read32(0x28);
  nvme.write32(0x28, 0x7777_7000);
  strictEqual(nvme.read32(0x28), before);
  nvme.write32(0x14, 0);
  nvme.bus.run();
  strictEqual(nvme.read32(0x28), before, "a controller reset keeps the admin queue registers");
  nvme.controller.reset();
  strictEqual(nvme.read32(0x28), 0);
});

Deno.test("an admin queue that the IOMMU refuses is a fatal controller status", () => {
  for (const side of ["submission", "completion"] as const) {
    const nvme = host().enable();
    const start = nvme.place(0)[side];
    nvme.bus.refused.push({ start, last: start + 4095 });
    nvme.put(0, { opcode: 6, dwords: [1] });
    nvme.ring(0);
    nvme.bus.run();
    strictEqual(nvme.status, READY | FATAL, side);
    strictEqual(nvme.take(0), undefined);
    nvme.bus.refused.length = 0;
    nvme.write32(0x14, 0);
    nvme.bus.run();
    strictEqual(nvme.enable().status, READY);
    strictEqual(nvme.submit(0, { opcode: 0x0a, dwords: [7] }).status, 0);
  }
});

Deno.test("a queue at the end of the address space is fatal and does not wrap to address 0", () => {
  const nvme = host();
  nvme.write32(0x24, 0x00ff_00ff);
  nvme.write32(0x28, 0xffff_f000);
  nvme.write32(0x2c, 0xffff_ffff);
  nvme.write32(0x30, 0x20000);
  nvme.write32(0x14, 0x0046_0001);
  nvme.bus.run();
  strictEqual(nvme.status, FATAL);
  deepStrictEqual(nvme.bus.transfers, []);
});

Deno.test("an orderly shutdown flushes the media, completes, and takes no further commands", () => {
  let flushes = 0;
  const media = { ...memoryMedia(1 << 20), flush: () => void flushes++ };
  const nvme = host({ namespaces: [{ media }, { media }] }).enable();
  nvme.write32(0x14, 0x0046_4001);
  strictEqual((nvme.status >>> 2) & 3, 1);
  nvme.bus.run();
  strictEqual((nvme.status >>> 2) & 3, 2);
  strictEqual(flushes, 2);
  nvme.put(0, { opcode: 6, dwords: [1] });
  nvme.ring(0);
  nvme.bus.run();
  strictEqual(nvme.take(0), undefined);
  strictEqual(nvme.controller.health.unsafeShutdowns, 0);
  nvme.write32(0x14, 0);
  nvme.bus.run();
  strictEqual(nvme.controller.health.unsafeShutdowns, 0);
  strictEqual(nvme.enable().status, READY);
});

Deno.test("a reset drops queues and commands; nothing completes afterwards", () => {
  const nvme = host().enable().createQueues();
  nvme.put(1, blocks(2, 1, 0, 8));
  nvme.ring(1);
  nvme.bus.step();
  nvme.controller.reset();
  const { length } = nvme.bus.transfers;
  nvme.bus.run();
  strictEqual(nvme.bus.transfers.length, length);
  strictEqual(nvme.take(1), undefined);
  strictEqual(nvme.status, 0);
});

Deno.test("doorbells that do not exist or have an impossible value change nothing and are events", () => {
  const nvme = host().enable();
  const request = nvme.put(0, { opcode: 0x0c });
  nvme.ring(0);
  nvme.bus.run();
  nvme.write32(0x1000, 32);
  deepStrictEqual(nvme.take(0), { result: 0x01_01_00, head: 1, queue: 0, id: request, status: 0, noRetry: false });
  nvme.put(0, { opcode: 0x0c });
  nvme.ring(0);
  nvme.bus.run();
  nvme.write32(0x1000 + 8 * 5, 1);
  strictEqual(nvme.take(0), undefined, "events of a type are silent until the log page is read");
  strictEqual(nvme.submit(0, { opcode: 2, prp1: 0x100_0000n, dwords: [0x000f_8001] }).status, 0);
  strictEqual(nvme.take(0), undefined, "with Retain they stay silent");
  nvme.put(0, { opcode: 2, prp1: 0x100_0000n, dwords: [0x000f_0001] });
  nvme.ring(0);
  nvme.bus.run();
  strictEqual(nvme.take(0)!.result, 0x01_00_00);
  strictEqual(nvme.take(0)!.result, 0);
});

Deno.test("a completion doorbell beyond what was posted is refused", () => {
  const nvme = host().enable().createQueues(1, 4);
  for (let round = 0; round < 10; round++) {
    nvme.write32(0x1000 + 12, 3);
    strictEqual(nvme.submit(1, blocks(2, 1, 0, 1)).status, 0);
  }
  strictEqual(nvme.submit(1, blocks(2, 1, 0, 1)).status, 0);
});

Deno.test("doorbells lie 4 << stride apart", () => {
  const nvme = host({ doorbellStride: 3 }).enable();
  nvme.put(0, { opcode: 0x0a, dwords: [7] });
  nvme.write32(0x1000 + 4, 1);
  nvme.bus.run();
  strictEqual(nvme.take(0, false), undefined);
  nvme.write32(0x1000, 1);
  nvme.bus.run();
  strictEqual(nvme.take(0, false)!.status, 0);
  nvme.write32(0x1000 + 32, 1);
  const { bars, msix } = nvme.controller.description;
  ok(msix!.table >= 0x1000 + 2 * 17 * 32 && msix!.pending + 4096 <= bars[0]!.length);
});

Deno.test("MSI-X: a completion raises its queue's vector, where the queue interrupts", () => {
  const nvme = host().enable();
  nvme.createQueues(1, 16, { interrupts: true, vector: 5 }).createQueues(2, 16);
  nvme.bus.raised.length = 0;
  nvme.submit(1, blocks(2, 1, 0, 1));
  deepStrictEqual(nvme.bus.raised, [5]);
  nvme.submit(2, blocks(2, 1, 0, 1));
  deepStrictEqual(nvme.bus.raised, [5]);
});

Deno.test("INTx: the pin is up while an unmasked queue has entries that were not consumed", () => {
  const nvme = host();
  nvme.bus.interruptMode = "intx";
  nvme.enable();
  nvme.put(0, { opcode: 0x0a, dwords: [7] });
  nvme.put(0, { opcode: 0x0a, dwords: [7] });
  nvme.ring(0);
  nvme.bus.run();
  deepStrictEqual(nvme.bus.raised, [0]);
  nvme.write32(0x0c, 1);
  deepStrictEqual(nvme.bus.raised, [0, -1]);
  strictEqual(nvme.read32(0x0c), 1);
  strictEqual(nvme.read32(0x10), 1);
  nvme.write32(0x10, 1);
  nvme.take(0);
  deepStrictEqual(nvme.bus.raised, [0, -1, 0]);
  nvme.take(0);
  deepStrictEqual(nvme.bus.raised, [0, -1, 0, -1]);
});

Deno.test("a full completion queue holds completions back until there is room, and loses none", () => {
  const nvme = host().enable();
  nvme.createQueues(1, 4);
  const seen: number[] = [];
  for (let round = 0; round < 5; round++) {
    // Three at most fit the submission queue; without reading, three completions fill the completion queue.
    const ids = Array.from({ length: 3 }, () => nvme.put(1, blocks(2, 1, 0, 1)));
    nvme.ring(1);
    nvme.bus.run();
    const more = Array.from({ length: 3 }, () => nvme.put(1, blocks(2, 1, 0, 1)));
    nvme.ring(1);
    nvme.bus.run();
    for (let count = 0; count < 6; count++) {
      const completion = nvme.take(1);
      ok(completion, `completion ${count} of round ${round}`);
      strictEqual(completion.status, 0);
      seen.push(completion.id);
      nvme.bus.run();
    }
    deepStrictEqual(seen.splice(0).sort(), [...ids, ...more].sort());
    strictEqual(nvme.take(1), undefined);
  }
});

Deno.test("options out of range are refused with their name", () => {
  const media = memoryMedia(4096);
  const check = (options: Partial<NvmeOptions>, text: RegExp) =>
    throws(
      () => new NvmeController({ namespaces: [{ media }], ...options }),
      (error: Error) => error instanceof RangeError && text.test(error.message),
    );
  check({ namespaces: [] }, /number of namespaces is 0/);
  check({ queues: 0 }, /queues is 0/);
  check({ queueEntries: 65537 }, /queueEntries is 65537/);
  check({ mdts: 9 }, /mdts is 9/);
  check({ latency: { read: -1 } }, /latency\.read is -1/);
  check({ latency: { tick: 0 } }, /latency\.tick is 0/);
  check({ latency: { jitter: NaN } }, /latency\.jitter is NaN/);
  check({ serial: "x".repeat(21) }, /at most 20/);
  check({ model: "ä" }, /ASCII/);
  check({ namespaces: [{ media, blockLength: 1000 }] }, /block length is 1000/);
  check({ namespaces: [{ media: memoryMedia(1000) }] }, /1000 bytes/);
  check({ mdts: 1, namespaces: [{ media: memoryMedia(65536), blockLength: 65536 }] }, /largest transfer/);
});
