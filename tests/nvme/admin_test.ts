/**
 * The admin command set of the NVMe controller, each command and each of its errors.
 *
 * @module
 */
import { deepStrictEqual, notDeepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { memoryMedia, type NvmeOptions } from "../../backends/simulated/devices/nvme/mod.ts";
import { BareHost, blocks, type Command, DATA } from "./bare_host.ts";

const MIB = 1 << 20;

function host(options: Partial<NvmeOptions> = {}): BareHost {
  const namespaces = [{ media: memoryMedia(MIB) }, { media: memoryMedia(4 * MIB), blockLength: 4096, readOnly: true }];
  return new BareHost({ namespaces, queues: 4, ...options }).enable();
}

/** Status of one admin command. */
function status(nvme: BareHost, command: Command): number {
  return nvme.submit(0, command).status;
}

function identify(nvme: BareHost, structure: number, nsid = 0): DataView {
  nvme.data(4096).fill(0xee);
  strictEqual(status(nvme, { opcode: 6, nsid, prp1: BigInt(DATA), dwords: [structure] }), 0);
  return new DataView(nvme.bus.memory.buffer, DATA, 4096);
}

function text(view: DataView, at: number, length: number): string {
  return new TextDecoder().decode(new Uint8Array(view.buffer, view.byteOffset + at, length));
}

Deno.test("Identify Controller tells names, limits and what is supported", () => {
  const view = identify(host({ serial: "S1", model: "M2", firmware: "F3", mdts: 5 }), 1);
  strictEqual(text(view, 4, 20), "S1".padEnd(20));
  strictEqual(text(view, 24, 40), "M2".padEnd(40));
  strictEqual(text(view, 64, 8), "F3".padEnd(8));
  strictEqual(view.getUint8(77), 5);
  strictEqual(view.getUint32(80, true), 0x10400);
  deepStrictEqual([view.getUint8(512), view.getUint8(513)], [0x66, 0x44]);
  strictEqual(view.getUint32(516, true), 2);
  strictEqual(view.getUint16(520, true), 0x1d);
  strictEqual(text(view, 768, 32), "nqn.2014-08.org.nvmexpress:uuid:");
  strictEqual(view.getUint32(4092, true), 0);
});

Deno.test("Identify Namespace tells blocks, block size and write protection", () => {
  const nvme = host();
  const small = identify(nvme, 0, 1);
  deepStrictEqual([small.getBigUint64(0, true), small.getBigUint64(8, true), small.getUint8(130)], [2048n, 2048n, 9]);
  strictEqual(small.getUint8(99), 0);
  const large = identify(nvme, 0, 2);
  deepStrictEqual([large.getBigUint64(0, true), large.getUint8(130), large.getUint8(99)], [1024n, 12, 1]);
});

Deno.test("the active namespace list begins above the identifier given", () => {
  const nvme = host();
  const list = (after: number) => {
    const view = identify(nvme, 2, after);
    return Array.from({ length: 3 }, (_, index) => view.getUint32(4 * index, true));
  };
  deepStrictEqual([list(0), list(1), list(2)], [[1, 2, 0], [2, 0, 0], [0, 0, 0]]);
});

Deno.test("namespace descriptors hold EUI64, NGUID and UUID, which differ between namespaces", () => {
  const nvme = host();
  const read = (nsid: number) => {
    const view = identify(nvme, 3, nsid);
    const kinds: number[][] = [];
    for (let at = 0; view.getUint8(at) !== 0; at += 4 + view.getUint8(at + 1)) kinds.push([view.getUint8(at), view.getUint8(at + 1)]);
    deepStrictEqual(kinds, [[1, 8], [2, 16], [3, 16]]);
    return text(view, 0, 60);
  };
  const first = read(1);
  strictEqual(read(1), first);
  notDeepStrictEqual(read(2), first);
});

Deno.test("Identify refuses namespaces and structures that do not exist", () => {
  const nvme = host();
  strictEqual(status(nvme, { opcode: 6, nsid: 3, prp1: BigInt(DATA), dwords: [0] }), 0x0b);
  strictEqual(status(nvme, { opcode: 6, nsid: 0, prp1: BigInt(DATA), dwords: [3] }), 0x0b);
  strictEqual(status(nvme, { opcode: 6, nsid: 0xffff_fffe, prp1: BigInt(DATA), dwords: [2] }), 0x0b);
  strictEqual(status(nvme, { opcode: 6, prp1: BigInt(DATA), dwords: [0x77] }), 0x02);
  strictEqual(status(nvme, { opcode: 6, prp1: BigInt(DATA) + 2n, dwords: [1] }), 0x13);
  strictEqual(status(nvme, { opcode: 6, prp1: 1n << 40n, dwords: [1] }), 0x04);
});

Deno.test("opcodes that do not exist, fused commands and SGLs are refused", () => {
  const nvme = host();
  const unknown = nvme.submit(0, { opcode: 0x7f });
  deepStrictEqual([unknown.status, unknown.noRetry], [0x01, true]);
  strictEqual(status(nvme, { opcode: 6, flags: 1, prp1: BigInt(DATA), dwords: [1] }), 0x02);
  strictEqual(status(nvme, { opcode: 6, flags: 0x40, prp1: BigInt(DATA), dwords: [1] }), 0x02);
});

const create = (opcode: 1 | 5, id: number, last: number, flags: number, prp1 = 0x200000n): Command => ({
  opcode,
  prp1,
  dwords: [((last << 16) | id) >>> 0, flags >>> 0],
});

Deno.test("Create I/O Completion Queue checks identifier, size, memory and vector", () => {
  const nvme = host({ queueEntries: 128, vectors: 3 });
  strictEqual(status(nvme, create(5, 0, 15, 1)), 0x101);
  strictEqual(status(nvme, create(5, 5, 15, 1)), 0x101);
  strictEqual(status(nvme, create(5, 1, 0, 1)), 0x102);
  strictEqual(status(nvme, create(5, 1, 128, 1)), 0x102);
  strictEqual(status(nvme, create(5, 1, 15, 0)), 0x02, "queues must be contiguous");
  strictEqual(status(nvme, create(5, 1, 15, 1, 0x200010n)), 0x13);
  strictEqual(status(nvme, create(5, 1, 127, 1, 0xffff_ffff_ffff_f000n)), 0, "2 KiB at the very end are still inside");
  strictEqual(status(nvme, create(5, 2, 15, 1 | (3 << 16))), 0x108);
  strictEqual(status(nvme, create(5, 1, 15, 1)), 0x101, "in use");
});

Deno.test("Create I/O Submission Queue checks identifier, size, memory and its completion queue", () => {
  const nvme = host({ queueEntries: 128 });
  strictEqual(status(nvme, create(5, 1, 15, 1)), 0);
  const to = (completion: number) => (completion << 16) | 1;
  strictEqual(status(nvme, create(1, 0, 15, to(1))), 0x101);
  strictEqual(status(nvme, create(1, 5, 15, to(1))), 0x101);
  strictEqual(status(nvme, create(1, 1, 15, to(2))), 0x100);
  strictEqual(status(nvme, create(1, 1, 15, to(0))), 0x101);
  strictEqual(status(nvme, create(1, 1, 15, to(9))), 0x101);
  strictEqual(status(nvme, create(1, 1, 0, to(1))), 0x102);
  strictEqual(status(nvme, create(1, 1, 128, to(1))), 0x102);
  strictEqual(status(nvme, create(1, 1, 15, 1 << 16)), 0x02);
  strictEqual(status(nvme, create(1, 1, 15, to(1), 0x200008n)), 0x13);
  strictEqual(status(nvme, create(1, 1, 127, to(1), 0xffff_ffff_ffff_f000n)), 0x02, "8 KiB there would wrap");
  strictEqual(status(nvme, create(1, 1, 15, to(1))), 0);
  strictEqual(status(nvme, create(1, 1, 15, to(1))), 0x101);
});

Deno.test("queues are refused while CC has other entry sizes than NVMe's", () => {
  const nvme = new BareHost({ namespaces: [{ media: memoryMedia(MIB) }] }).enable(32, 1);
  strictEqual(status(nvme, create(5, 1, 15, 1)), 0x02);
  nvme.write32(0x14, 0x0046_0001);
  strictEqual(status(nvme, create(5, 1, 15, 1)), 0);
});

Deno.test("queues are deleted submission first, and can be made again", () => {
  const nvme = host().createQueues(1).createQueues(2);
  strictEqual(status(nvme, { opcode: 4, dwords: [1] }), 0x10c);
  strictEqual(status(nvme, { opcode: 0, dwords: [0] }), 0x101);
  strictEqual(status(nvme, { opcode: 0, dwords: [3] }), 0x101);
  strictEqual(status(nvme, { opcode: 0, dwords: [1] }), 0);
  strictEqual(status(nvme, { opcode: 0, dwords: [1] }), 0x101);
  strictEqual(status(nvme, { opcode: 4, dwords: [1] }), 0);
  strictEqual(status(nvme, { opcode: 4, dwords: [1] }), 0x101);
  strictEqual(status(nvme, { opcode: 4, dwords: [0] }), 0x101);
  nvme.createQueues(1);
  for (const id of [1, 2]) strictEqual(nvme.submit(id, blocks(2, 1, 0, 1)).status, 0);
});

Deno.test("commands of a queue that is deleted are aborted with that status", () => {
  const nvme = host({ latency: { read: 1e9 } }).createQueues();
  const ids = [nvme.put(1, blocks(2, 1, 0, 1)), nvme.put(1, blocks(2, 1, 1, 1))];
  nvme.ring(1);
  strictEqual(nvme.submit(0, { opcode: 0, dwords: [1] }).status, 0);
  const completions = [nvme.take(1, false)!, nvme.take(1, false)!];
  deepStrictEqual(completions.map(({ id, status }) => [id, status]), ids.map((id) => [id, 0x08]));
});

Deno.test("several submission queues share a completion queue", () => {
  const nvme = host().createQueues(1);
  const place = nvme.place(2).submission;
  strictEqual(status(nvme, { opcode: 1, prp1: BigInt(place), dwords: [(15 << 16) | 2, (1 << 16) | 1] }), 0);
  const view = nvme.bus.view;
  view.setUint32(place, (77 << 16) | 2, true);
  view.setUint32(place + 4, 1, true);
  view.setBigUint64(place + 24, BigInt(DATA), true);
  nvme.write32(0x1000 + 16, 1);
  nvme.bus.run();
  const { queue, head, id } = nvme.take(1)!;
  deepStrictEqual({ queue, head, id }, { queue: 2, head: 1, id: 77 });
  strictEqual(status(nvme, { opcode: 0, dwords: [1] }), 0);
  strictEqual(status(nvme, { opcode: 4, dwords: [1] }), 0x10c);
  strictEqual(status(nvme, { opcode: 0, dwords: [2] }), 0);
  strictEqual(status(nvme, { opcode: 4, dwords: [1] }), 0);
});

Deno.test("Number of Queues is granted up to the limit, and only before there are queues", () => {
  const nvme = host();
  const set = (submission: number, completion: number) =>
    nvme.submit(0, { opcode: 9, dwords: [7, ((completion << 16) | submission) >>> 0] });
  deepStrictEqual([set(1, 0).result, set(99, 99).result], [0x1_0001, 0x3_0003]);
  strictEqual(set(0xffff, 0).status, 0x02);
  strictEqual(set(0, 0).result, 0);
  strictEqual(nvme.submit(0, { opcode: 0x0a, dwords: [7] }).result, 0);
  strictEqual(nvme.submit(0, { opcode: 0x0a, dwords: [0x107] }).result, 0x3_0003);
  strictEqual(status(nvme, create(5, 2, 15, 1)), 0x101, "not granted");
  nvme.createQueues(1);
  strictEqual(set(1, 1).status, 0x0c);
});

Deno.test("features keep what is set until reset, and answer their default and what they can", () => {
  const nvme = host();
  const get = (feature: number, select = 0) => nvme.submit(0, { opcode: 0x0a, dwords: [feature | (select << 8)] });
  for (
    const [feature, value, kept] of [[1, 0x0102_0306, 0x0102_0306], [5, 7, 7], [6, 0, 0], [8, 0x1234, 0x1234], [0x0a, 1, 1], [
      0x0b,
      0xff,
      0x1f,
    ]]
  ) {
    const before = get(feature!).result;
    strictEqual(status(nvme, { opcode: 9, dwords: [feature!, value!] }), 0);
    strictEqual(get(feature!).result, kept);
    strictEqual(get(feature!, 1).result, before);
    strictEqual(get(feature!, 3).result, 4);
  }
  strictEqual(get(1, 4).status, 0x02);
  strictEqual(get(0x55).status, 0x02);
  strictEqual(status(nvme, { opcode: 9, dwords: [0x55, 0] }), 0x02);
  strictEqual(status(nvme, { opcode: 9, dwords: [0x8000_0005, 0] }), 0x10d);
  strictEqual(status(nvme, { opcode: 9, dwords: [2, 1] }), 0x02, "there is one power state");
  nvme.controller.reset();
  nvme.enable();
  strictEqual(get(5).result, 0);
});

Deno.test("interrupt vectors have their own coalescing switch", () => {
  const nvme = host();
  strictEqual(status(nvme, { opcode: 9, dwords: [9, 0x1_0002] }), 0);
  strictEqual(nvme.submit(0, { opcode: 0x0a, dwords: [9, 2] }).result, 0x1_0002);
  strictEqual(nvme.submit(0, { opcode: 0x0a, dwords: [9, 1] }).result, 1);
  strictEqual(status(nvme, { opcode: 9, dwords: [9, 5] }), 0x02);
  strictEqual(status(nvme, { opcode: 0x0a, dwords: [9, 5] }), 0x02);
});

Deno.test("a temperature threshold that is passed is an event, and a warning in the health log", () => {
  const nvme = host();
  const health = () => {
    strictEqual(status(nvme, { opcode: 2, nsid: 0xffff_ffff, prp1: BigInt(DATA), dwords: [0x007f_0002] }), 0);
    return new DataView(nvme.bus.memory.buffer, DATA, 512);
  };
  strictEqual(health().getUint8(0), 0);
  const request = nvme.put(0, { opcode: 0x0c });
  nvme.ring(0);
  nvme.bus.run();
  const setting = nvme.put(0, { opcode: 9, dwords: [4, 300] });
  nvme.ring(0);
  nvme.bus.run();
  const completions = [nvme.take(0)!, nvme.take(0)!];
  deepStrictEqual(completions.map(({ id }) => id).sort(), [request, setting].sort());
  strictEqual(completions.find(({ id }) => id === request)!.result, 0x02_01_01);
  deepStrictEqual([health().getUint8(0), health().getUint16(1, true)], [2, 310]);
  strictEqual(nvme.submit(0, { opcode: 0x0a, dwords: [4, 0] }).result, 300);
  strictEqual(nvme.submit(0, { opcode: 0x0a, dwords: [4, 1 << 20] }).result, 0);
  strictEqual(status(nvme, { opcode: 9, dwords: [4, 3 << 16] }), 0x02);
});

Deno.test("the health log counts commands, data and errors", () => {
  const nvme = host().createQueues();
  for (let round = 0; round < 3; round++) nvme.submit(1, blocks(2, 1, 0, 8));
  nvme.submit(1, blocks(1, 1, 0, 16));
  nvme.submit(1, blocks(2, 9, 0, 1));
  status(nvme, { opcode: 2, prp1: BigInt(DATA), dwords: [0x007f_0002] });
  const view = new DataView(nvme.bus.memory.buffer, DATA, 512);
  deepStrictEqual([32, 48, 64, 80, 160, 176].map((at) => view.getBigUint64(at, true)), [1n, 1n, 3n, 1n, 0n, 1n]);
});

Deno.test("the error log holds the last errors, newest first", () => {
  const nvme = host().createQueues();
  const first = nvme.submit(1, { ...blocks(2, 1, 5_000_000_000, 1), id: 0x1234 });
  nvme.submit(0, { opcode: 0x7f, id: 0x42 });
  strictEqual(first.status, 0x80);
  status(nvme, { opcode: 2, prp1: BigInt(DATA), dwords: [(31 << 16) | 1] });
  const entry = (index: number) => {
    const view = new DataView(nvme.bus.memory.buffer, DATA + 64 * index, 64);
    return {
      count: view.getBigUint64(0, true),
      queue: view.getUint16(8, true),
      id: view.getUint16(10, true),
      status: (view.getUint16(12, true) >>> 1) & 0x7ff,
      lba: view.getBigUint64(16, true),
      nsid: view.getUint32(24, true),
    };
  };
  deepStrictEqual(entry(0), { count: 2n, queue: 0, id: 0x42, status: 0x01, lba: 0n, nsid: 0 });
  deepStrictEqual(entry(1), { count: 1n, queue: 1, id: 0x1234, status: 0x80, lba: 5_000_000_000n, nsid: 1 });
});

Deno.test("log pages: firmware, effects, offsets; unknown ones and bad offsets are refused", () => {
  const nvme = host({ firmware: "F9" });
  const log = (page: number, dwords: number, offset = 0, nsid = 0) => {
    nvme.data(4096).fill(0xee);
    return status(nvme, { opcode: 2, nsid, prp1: BigInt(DATA), dwords: [((dwords - 1) << 16) | page, 0, offset] });
  };
  strictEqual(log(3, 128), 0);
  strictEqual(new TextDecoder().decode(nvme.data(8, DATA + 8)), "F9      ");
  strictEqual(log(3, 2, 8), 0);
  strictEqual(new TextDecoder().decode(nvme.data(8)), "F9      ");
  strictEqual(nvme.data(9)[8], 0xee, "no more than asked");
  strictEqual(log(5, 1024), 0);
  deepStrictEqual([nvme.data(1, DATA + 24)[0], nvme.data(1, DATA + 1024 + 4)[0], nvme.data(1, DATA + 4 * 0x7f)[0]], [1, 3, 0]);
  strictEqual(log(0x99, 1), 0x109);
  strictEqual(log(2, 1, 2), 0x02);
  strictEqual(log(2, 1, 516), 0x02);
  strictEqual(log(2, 1, 0, 1), 0x02);
  const long = { opcode: 2, prp1: BigInt(DATA), dwords: [0xffff_0002, 1] };
  strictEqual(status(nvme, long), 0x02, "longer than a transfer may be");
});

Deno.test("Abort takes back a command that was not executed yet, and says so if it could not", () => {
  const nvme = host({ latency: { read: 1e9 } }).createQueues();
  const id = nvme.put(1, blocks(2, 1, 0, 1));
  nvme.ring(1);
  strictEqual(nvme.submit(0, { opcode: 8, dwords: [(id << 16) | 1] }).result, 0);
  deepStrictEqual([nvme.take(1)].map((completion) => [completion!.id, completion!.status]), [[id, 0x07]]);
  strictEqual(nvme.submit(0, { opcode: 8, dwords: [(id << 16) | 1] }).result, 1);
  strictEqual(nvme.submit(0, { opcode: 8, dwords: [(id << 16) | 3] }).result, 1);
  const request = nvme.put(0, { opcode: 0x0c });
  nvme.ring(0);
  nvme.bus.run();
  nvme.put(0, { opcode: 8, dwords: [request << 16] });
  nvme.ring(0);
  nvme.bus.run();
  deepStrictEqual([nvme.take(0)!.status, nvme.take(0)!.status], [0x07, 0]);
});

Deno.test("four event requests may wait, a fifth is refused", () => {
  const nvme = host();
  for (let count = 0; count < 4; count++) nvme.put(0, { opcode: 0x0c });
  nvme.ring(0);
  nvme.bus.run();
  strictEqual(nvme.take(0), undefined);
  strictEqual(status(nvme, { opcode: 0x0c }), 0x105);
});

Deno.test("an identifier that is in use is a conflict, and stays in use", () => {
  const nvme = host({ latency: { read: 1e6 } }).createQueues();
  nvme.put(1, { ...blocks(2, 1, 0, 1), id: 9 });
  nvme.put(1, { ...blocks(0, 1, 0, 1), id: 9 });
  nvme.ring(1);
  nvme.bus.run();
  deepStrictEqual([nvme.take(1)!.status, nvme.take(1)!.status], [0x03, 0]);
  strictEqual(nvme.submit(1, { ...blocks(2, 1, 0, 1), id: 9 }).status, 0);
});

Deno.test("the same seed gives the same run", () => {
  const run = (seed: number) => {
    const nvme = new BareHost({ namespaces: [{ media: memoryMedia(MIB) }] }, seed).enable().createQueues();
    for (let lba = 0; lba < 32; lba++) nvme.put(1, { ...blocks(2, 1, lba, 1), id: lba });
    nvme.ring(1);
    nvme.bus.run();
    const order: number[] = [];
    for (let taken = nvme.take(1); taken; taken = nvme.take(1)) order.push(taken.id);
    return [nvme.bus.now, ...order];
  };
  deepStrictEqual(run(7), run(7));
  notDeepStrictEqual(run(7), run(8));
  ok(run(7).length === 33);
});
