/**
 * The NVM command set of the controller: each command on data, and each of its errors.
 *
 * @module
 */
import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { type BlockSource, bytesMedia, memoryMedia, type NvmeOptions } from "../../backends/simulated/devices/nvme/mod.ts";
import { BareHost, blocks, type Command, DATA } from "./bare_host.ts";

const MIB = 1 << 20;

function pattern(length: number, seed = 1): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (Math.imul(index + seed, 0x9e3779b1) >>> 24) | 1);
}

function host(options: Partial<NvmeOptions> = {}) {
  const bytes = pattern(MIB);
  const large = pattern(MIB, 77);
  const namespaces = [{ media: bytesMedia(bytes) }, { media: bytesMedia(large), blockLength: 4096 }];
  return { bytes, large, nvme: new BareHost({ namespaces, ...options }).enable().createQueues() };
}

Deno.test("Read brings the blocks asked for, in the block size of the namespace, and nothing beside them", () => {
  const { nvme, bytes, large } = host();
  nvme.data(8192).fill(0);
  strictEqual(nvme.submit(1, blocks(2, 1, 5, 3)).status, 0);
  deepStrictEqual(nvme.data(1536), bytes.subarray(5 * 512, 8 * 512));
  strictEqual(nvme.data(8192)[1536], 0);
  strictEqual(nvme.submit(1, blocks(2, 2, 3, 2)).status, 0);
  deepStrictEqual(nvme.data(8192), large.subarray(3 * 4096, 5 * 4096));
});

Deno.test("Write stores blocks, and nothing beside them", () => {
  const { nvme, bytes } = host();
  const expected = bytes.slice();
  const data = pattern(1024, 5);
  nvme.data(1024).set(data);
  expected.set(data, 7 * 512);
  strictEqual(nvme.submit(1, blocks(1, 1, 7, 2)).status, 0);
  deepStrictEqual(bytes, expected);
});

Deno.test("a range that ends beyond the namespace is refused and moves nothing", () => {
  const { nvme, bytes } = host();
  const before = bytes.slice();
  nvme.data(4096).fill(0);
  for (const opcode of [1, 2, 5, 8]) {
    for (const [lba, count] of [[2048, 1], [2047, 2], [2 ** 32, 1], [2 ** 52, 1]] as const) {
      const { status, noRetry } = nvme.submit(1, blocks(opcode, 1, lba, count));
      deepStrictEqual([status, noRetry], [0x80, true], `opcode ${opcode}, ${count} blocks at ${lba}`);
    }
    const last = { ...blocks(opcode, 1, 0, 1), dwords: [0xffff_ffff, 0xffff_ffff, 0] };
    strictEqual(nvme.submit(1, last).status, 0x80);
  }
  deepStrictEqual(bytes, before);
  ok(nvme.data(4096).every((byte) => byte === 0));
  strictEqual(nvme.submit(1, blocks(2, 1, 2047, 1)).status, 0);
});

Deno.test("namespaces that do not exist, opcodes that do not exist, fused commands and SGLs are refused", () => {
  const { nvme } = host();
  for (const nsid of [0, 3, 0xffff_ffff]) strictEqual(nvme.submit(1, blocks(2, nsid, 0, 1)).status, 0x0b, `nsid ${nsid}`);
  strictEqual(nvme.submit(1, blocks(0x55, 1, 0, 1)).status, 0x01);
  strictEqual(nvme.submit(1, { ...blocks(2, 1, 0, 1), flags: 0x40 }).status, 0x02);
  strictEqual(nvme.submit(1, { ...blocks(2, 1, 0, 1), flags: 0x01 }).status, 0x02);
});

Deno.test("a transfer above MDTS is refused, the largest is not", () => {
  const { nvme, large } = host({ mdts: 1 });
  strictEqual(nvme.submit(1, blocks(2, 2, 0, 2)).status, 0);
  deepStrictEqual(nvme.data(8192), large.subarray(0, 8192));
  strictEqual(nvme.submit(1, blocks(2, 2, 0, 3)).status, 0x02);
});

Deno.test("memory that the IOMMU refuses is a data transfer error, which may be tried again", () => {
  const { nvme, bytes } = host();
  const before = bytes.slice();
  nvme.bus.refused.push({ start: DATA + 4096, last: DATA + 8191 });
  for (const opcode of [1, 2, 5]) {
    const { status, noRetry } = nvme.submit(1, blocks(opcode, 1, 0, 16));
    deepStrictEqual([status, noRetry], [0x04, false], `opcode ${opcode}`);
  }
  deepStrictEqual(bytes, before, "a write that lacks data writes nothing");
  strictEqual(nvme.submit(1, blocks(2, 1, 0, 8)).status, 0);
  strictEqual(nvme.status, 1, "the controller lives");
});

Deno.test("Compare tells equal from different", () => {
  const { nvme, bytes } = host();
  nvme.data(1024).set(bytes.subarray(512, 1536));
  strictEqual(nvme.submit(1, blocks(5, 1, 1, 2)).status, 0);
  nvme.data(1024)[1023]! ^= 1;
  strictEqual(nvme.submit(1, blocks(5, 1, 1, 2)).status, 0x285);
});

Deno.test("Write Zeroes writes zeros without data, also more than a transfer", () => {
  const { nvme, bytes } = host({ mdts: 1 });
  const expected = bytes.slice();
  expected.fill(0, 512, 512 + 100 * 512);
  const { length } = nvme.bus.transfers;
  strictEqual(nvme.submit(1, blocks(8, 1, 1, 100)).status, 0);
  deepStrictEqual(bytes, expected);
  strictEqual(nvme.bus.transfers.length - length, 2, "the command and its completion");
  expected.fill(0, 0, 512);
  strictEqual(nvme.submit(1, { ...blocks(8, 1, 0, 1), dwords: [0, 0, 0x0200_0000] }).status, 0);
  deepStrictEqual(bytes, expected);
});

function ranges(nvme: BareHost, list: readonly (readonly [number, number])[]): Command {
  list.forEach(([lba, count], index) => {
    nvme.bus.view.setUint32(DATA + 16 * index, 0, true);
    nvme.bus.view.setUint32(DATA + 16 * index + 4, count, true);
    nvme.bus.view.setBigUint64(DATA + 16 * index + 8, BigInt(lba), true);
  });
  return { opcode: 9, nsid: 1, prp1: BigInt(DATA), dwords: [list.length - 1, 4] };
}

Deno.test("Dataset Management forgets ranges; with one out of range it forgets none", () => {
  const { nvme, bytes } = host();
  const expected = bytes.slice();
  strictEqual(nvme.submit(1, ranges(nvme, [[0, 4], [2047, 2]])).status, 0x80);
  deepStrictEqual(bytes, expected);
  expected.fill(0, 512, 1024).fill(0, 10 * 512, 20 * 512);
  strictEqual(nvme.submit(1, ranges(nvme, [[1, 1], [10, 10], [2048, 0]])).status, 0);
  deepStrictEqual(bytes, expected);
  const hint = ranges(nvme, [[0, 8]]);
  strictEqual(nvme.submit(1, { ...hint, dwords: [0, 1] }).status, 0);
  deepStrictEqual(bytes, expected, "without the deallocate attribute it is a hint");
  nvme.bus.refused.push({ start: DATA, last: DATA + 4095 });
  strictEqual(nvme.submit(1, hint).status, 0x04);
});

Deno.test("media without deallocate get zeros written, in long ranges too", () => {
  const bytes = pattern(8 * MIB);
  const { read, write, length } = bytesMedia(bytes);
  const nvme = new BareHost({ namespaces: [{ media: { read, write: write!, length } }], mdts: 1 }).enable().createQueues();
  strictEqual(nvme.submit(1, ranges(nvme, [[1, 16382]])).status, 0);
  ok(bytes.subarray(512, 8 * MIB - 512).every((byte) => byte === 0));
  ok(bytes[511] !== 0 && bytes.at(-512) !== 0);
});

Deno.test("a write-protected namespace refuses everything that changes it", () => {
  const bytes = pattern(MIB);
  const { read, length } = bytesMedia(bytes);
  for (const namespace of [{ media: { read, length } }, { media: bytesMedia(bytes), readOnly: true }]) {
    const nvme = new BareHost({ namespaces: [namespace] }).enable().createQueues();
    for (const command of [blocks(1, 1, 0, 1), blocks(8, 1, 0, 1), ranges(nvme, [[0, 1]])]) {
      const { status, noRetry } = nvme.submit(1, command);
      deepStrictEqual([status, noRetry], [0x20, true]);
    }
    strictEqual(nvme.submit(1, blocks(2, 1, 0, 1)).status, 0);
    strictEqual(nvme.submit(1, blocks(0, 1, 0, 1)).status, 0);
  }
});

Deno.test("Flush reaches the media of one namespace, or of all", () => {
  const flushed: number[] = [];
  const media = (id: number): BlockSource => ({ ...memoryMedia(MIB), flush: () => void flushed.push(id) });
  const nvme = new BareHost({ namespaces: [{ media: media(1) }, { media: media(2) }] }).enable().createQueues();
  strictEqual(nvme.submit(1, { opcode: 0, nsid: 2 }).status, 0);
  deepStrictEqual(flushed.splice(0), [2]);
  strictEqual(nvme.submit(1, { opcode: 0, nsid: 0xffff_ffff }).status, 0);
  deepStrictEqual(flushed.splice(0), [1, 2]);
  strictEqual(nvme.submit(1, blocks(1, 1, 0, 1)).status, 0);
  deepStrictEqual(flushed, [], "the write cache is on");
  strictEqual(nvme.submit(1, { ...blocks(1, 1, 0, 1), dwords: [0, 0, 0x4000_0000] }).status, 0);
  deepStrictEqual(flushed.splice(0), [1], "force unit access");
  strictEqual(nvme.submit(0, { opcode: 9, dwords: [6, 0] }).status, 0);
  strictEqual(nvme.submit(1, blocks(1, 2, 0, 1)).status, 0);
  deepStrictEqual(flushed, [2], "the write cache is off");
});

Deno.test("media that fail are media errors, and counted", async () => {
  const boom = () => {
    throw new Error("bad sector");
  };
  const later = () => Promise.reject(new Error("bad sector"));
  for (const fail of [boom, later]) {
    const media = { length: MIB, read: fail, write: fail, flush: fail, deallocate: fail };
    const nvme = new BareHost({ namespaces: [{ media }] }).enable().createQueues();
    strictEqual((await nvme.submitSlowly(1, blocks(2, 1, 0, 1))).status, 0x281);
    strictEqual((await nvme.submitSlowly(1, blocks(5, 1, 0, 1))).status, 0x281);
    strictEqual((await nvme.submitSlowly(1, blocks(1, 1, 0, 1))).status, 0x280);
    strictEqual((await nvme.submitSlowly(1, blocks(0, 1, 0, 1))).status, 0x280);
    strictEqual((await nvme.submitSlowly(1, blocks(8, 1, 0, 1))).status, 0x280);
    strictEqual((await nvme.submitSlowly(1, ranges(nvme, [[0, 1]]))).status, 0x280);
    strictEqual(nvme.controller.health.mediaErrors, 6);
  }
});

function slowly({ length, read, write }: BlockSource): BlockSource {
  const wait = () => new Promise<void>((resolve) => setTimeout(resolve, 1));
  return {
    length,
    read: async (at, into) => (await wait(), read(at, into)),
    write: async (at, from) => (await wait(), write!(at, from)),
    flush: wait,
  };
}

Deno.test("asynchronous media do all that synchronous ones do, several at a time", async () => {
  const bytes = pattern(MIB);
  const nvme = new BareHost({ namespaces: [{ media: slowly(bytesMedia(bytes)) }] }).enable().createQueues();
  for (let index = 0; index < 20; index++) {
    nvme.put(1, { ...blocks(2, 1, 8 * index, 8), id: index, prp1: BigInt(DATA + 4096 * index) });
  }
  nvme.ring(1);
  await nvme.bus.settle();
  for (let index = 0; index < 20; index++) strictEqual(nvme.take(1)!.status, 0);
  deepStrictEqual(nvme.data(20 * 4096), bytes.subarray(0, 20 * 4096));
  strictEqual((await nvme.submitSlowly(1, blocks(1, 1, 100, 16))).status, 0);
  deepStrictEqual(bytes.subarray(100 * 512, 116 * 512), bytes.slice(0, 8192));
  strictEqual((await nvme.submitSlowly(1, blocks(5, 1, 100, 16))).status, 0);
  strictEqual((await nvme.submitSlowly(1, blocks(8, 1, 3, 1000))).status, 0);
  ok(bytes.subarray(3 * 512, 1003 * 512).every((byte) => byte === 0));
  strictEqual((await nvme.submitSlowly(1, ranges(nvme, [[0, 1], [1, 1]]))).status, 0);
  ok(bytes.subarray(0, 1024).every((byte) => byte === 0));
  strictEqual((await nvme.submitSlowly(1, blocks(0, 0xffff_ffff, 0, 1))).status, 0);
});

Deno.test("a reset drops what asynchronous media still read", async () => {
  const nvme = new BareHost({ namespaces: [{ media: slowly(memoryMedia(MIB)) }] }).enable().createQueues();
  nvme.put(1, blocks(2, 1, 0, 8));
  nvme.ring(1);
  nvme.bus.run();
  strictEqual(nvme.bus.held, 1);
  nvme.controller.reset();
  const { length } = nvme.bus.transfers;
  await nvme.bus.settle();
  strictEqual(nvme.bus.transfers.length, length);
  nvme.enable().createQueues();
  strictEqual((await nvme.submitSlowly(1, blocks(2, 1, 0, 8))).status, 0);
});
