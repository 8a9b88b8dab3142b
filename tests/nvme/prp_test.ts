/**
 * PRP entries and lists as the controller reads them: exact runs for exact pages, and random layouts against a naive expansion.
 *
 * @module
 */
import { deepStrictEqual, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import { HostMemory, Staging } from "../../backends/simulated/devices/nvme/memory.ts";
import { PrpWalker } from "../../backends/simulated/devices/nvme/prp.ts";
import { FakeBus } from "./fake_bus.ts";

const PAGES_MAX = 1100;
const OFFSET_INVALID = 0x4013;
const TRANSFER_ERROR = 0x0004;

function walker(lg2Page = 12) {
  const bus = new FakeBus();
  const prp = new PrpWalker(new HostMemory(bus.dma), new Uint8Array(PrpWalker.listLength(PAGES_MAX)), PAGES_MAX);
  prp.setPageSize(lg2Page);
  const map = (prp1: bigint, prp2: bigint, length: number) => {
    const words = new Uint32Array([prp1, prp2].flatMap((entry) => [Number(entry & 0xffff_ffffn), Number(entry >> 32n)]));
    const status = prp.map(words, 0, length);
    return status === 0 ? prp.runs.map(({ low, high, length }) => [BigInt(high) << 32n | BigInt(low), length] as const) : status;
  };
  const list = (at: number, entries: readonly bigint[]) =>
    entries.forEach((entry, index) => bus.view.setBigUint64(at + 8 * index, entry, true));
  return { bus, prp, map, list };
}

Deno.test("one entry, two entries, and lists: exact runs", () => {
  const { map, list } = walker();
  deepStrictEqual(map(0x1000n, 0n, 512), [[0x1000n, 512]]);
  deepStrictEqual(map(0x1000n, 0n, 4096), [[0x1000n, 4096]]);
  deepStrictEqual(map(0x1ffcn, 0n, 4), [[0x1ffcn, 4]]);
  deepStrictEqual(map(0x1000n, 0x9000n, 4608), [[0x1000n, 4096], [0x9000n, 512]]);
  deepStrictEqual(map(0x1000n, 0x2000n, 8192), [[0x1000n, 8192]], "adjacent pages are one run");
  deepStrictEqual(map(0x1800n, 0x4000n, 4096), [[0x1800n, 2048], [0x4000n, 2048]]);
  list(0x8000, [0x10000n, 0x20000n]);
  deepStrictEqual(map(0x1000n, 0x8000n, 3 * 4096), [[0x1000n, 4096], [0x10000n, 4096], [0x20000n, 4096]]);
  list(0x8010, [0x2000n, 0x3000n, 0x5000n]);
  deepStrictEqual(map(0x1e00n, 0x8010n, 512 + 2 * 4096 + 4), [[0x1e00n, 512 + 8192], [0x5000n, 4]]);
  deepStrictEqual(map(0xffff_f000n, 0x1_0000_0000n, 8192), [[0xffff_f000n, 8192]], "runs cross 4 GiB");
  deepStrictEqual(map(0xffff_ffff_ffff_f000n, 0n, 8192), [[0xffff_ffff_ffff_f000n, 4096], [0n, 4096]], "runs do not wrap");
});

Deno.test("offsets where none may be are invalid", () => {
  const { map, list } = walker();
  strictEqual(map(0x1001n, 0n, 512), OFFSET_INVALID);
  strictEqual(map(0x1002n, 0n, 512), OFFSET_INVALID);
  strictEqual(map(0x1000n, 0x9004n, 4608), OFFSET_INVALID, "a second page begins with its page");
  strictEqual(map(0x1000n, 0x8004n, 3 * 4096), OFFSET_INVALID, "lists are of whole entries");
  list(0x8000, [0x10000n, 0x20008n]);
  strictEqual(map(0x1000n, 0x8000n, 3 * 4096), OFFSET_INVALID);
  list(0x8ff8, [0x5008n]);
  strictEqual(map(0x1000n, 0x8ff8n, 3 * 4096), OFFSET_INVALID, "a further list begins with its page");
});

Deno.test("a list that the IOMMU refuses is a data transfer error", () => {
  const { bus, map, list } = walker();
  bus.refused.push({ start: 0x5000, last: 0x5fff });
  strictEqual(map(0x1000n, 0x5000n, 3 * 4096), TRANSFER_ERROR);
  list(0x8ff8, [0x5000n]);
  strictEqual(map(0x1000n, 0x8ff8n, 3 * 4096), TRANSFER_ERROR);
});

Deno.test("the last entry of a list page is data when it is the last of all, else it leads on", () => {
  const { bus, map, list } = walker();
  list(0x8ff0, [0x20000n, 0x30000n]);
  deepStrictEqual(map(0x1000n, 0x8ff0n, 3 * 4096), [[0x1000n, 4096], [0x20000n, 4096], [0x30000n, 4096]]);
  list(0x8ff0, [0x20000n, 0xa000n]);
  list(0xa000, [0x40000n, 0x60000n]);
  bus.transfers.length = 0;
  deepStrictEqual(map(0x1000n, 0x8ff0n, 4 * 4096), [[0x1000n, 4096], [0x20000n, 4096], [0x40000n, 4096], [0x60000n, 4096]]);
  deepStrictEqual(bus.transfers.map(({ iova, length }) => [iova, length]), [[0x8ff0n, 16], [0xa000n, 16]], "no entry is read in vain");
});

Deno.test("larger memory pages make larger entries", () => {
  const { map, list } = walker(14);
  deepStrictEqual(map(0x4000n, 0n, 16384), [[0x4000n, 16384]]);
  deepStrictEqual(map(0x5000n, 0xc000n, 16384), [[0x5000n, 12288], [0xc000n, 4096]]);
  strictEqual(map(0x5000n, 0xd000n, 16384), OFFSET_INVALID);
  list(0x8000, [0x10000n, 0x20000n]);
  deepStrictEqual(map(0x4000n, 0x8000n, 3 * 16384), [[0x4000n, 16384], [0x10000n, 16384], [0x20000n, 16384]]);
});

/** Lay a list out as the specification words it, one entry after another, a page of list at a time. */
function layOut(bus: FakeBus, pages: readonly bigint[], listAt: number, lists: readonly number[]): void {
  let at = listAt;
  let next = 0;
  pages.forEach((page, index) => {
    const isLastSlot = at % 4096 === 4096 - 8;
    if (isLastSlot && index < pages.length - 1) {
      const list = lists[next++]!;
      bus.view.setBigUint64(at, BigInt(list), true);
      at = list;
    }
    bus.view.setBigUint64(at, page, true);
    at += 8;
  });
}

Deno.test("random layouts are read as a naive expansion reads them", () => {
  const page = fc.integer({ min: 0x1000, max: 0x1fff }).map((number) => BigInt(number) << 12n);
  const cases = fc.record({
    pages: fc.array(page, { minLength: 2, maxLength: 1090, size: "max" }),
    firstOffset: fc.integer({ min: 0, max: 1023 }).map((dwords) => 4 * dwords),
    listOffset: fc.constantFrom(0, 8, 2048, 4072, 4080, 4088),
    tail: fc.integer({ min: 1, max: 1024 }).map((dwords) => 4 * dwords),
  });
  fc.assert(
    fc.property(cases, ({ pages, firstOffset, listOffset, tail }) => {
      const { bus, map } = walker();
      const first = pages[0]! + BigInt(firstOffset);
      const rest = pages.slice(1);
      const length = 4096 - firstOffset + 4096 * (rest.length - 1) + tail;
      layOut(bus, rest, 0x100000 + listOffset, [0x200000, 0x180000, 0x300000]);
      const runs = map(first, rest.length === 1 ? rest[0]! : BigInt(0x100000 + listOffset), length);
      const addresses: bigint[] = [];
      for (const [start, bytes] of runs as [bigint, number][]) {
        for (let at = 0; at < bytes; at += 4) addresses.push(start + BigInt(at));
      }
      const expected: bigint[] = [];
      let left = length;
      pages.forEach((start, index) => {
        for (let at = index === 0 ? firstOffset : 0; at < 4096 && left > 0; at += 4, left -= 4) expected.push(start + BigInt(at));
      });
      deepStrictEqual(addresses, expected);
    }),
    { numRuns: 40 },
  );
});

Deno.test("data moves between staging and runs in order, both ways, and a refusal is told", () => {
  const { bus, prp, map } = walker();
  const staging = new Staging(Uint8Array.from({ length: 8192 }, (_, index) => index % 251));
  map(0x1800n, 0x9000n, 4096);
  strictEqual(prp.toHost(staging), true);
  deepStrictEqual(bus.memory.slice(0x1800, 0x2000), staging.bytes.slice(0, 2048));
  deepStrictEqual(bus.memory.slice(0x9000, 0x9800), staging.bytes.slice(2048, 4096));
  const back = new Staging(new Uint8Array(8192));
  strictEqual(prp.fromHost(back), true);
  deepStrictEqual(back.bytes.slice(0, 4096), staging.bytes.slice(0, 4096));
  bus.refused.push({ start: 0x9000, last: 0x9fff });
  deepStrictEqual([prp.toHost(staging), prp.fromHost(back)], [false, false]);
});
