/**
 * PRP entries and lists as the driver builds them, expanded again by the letter of NVMe 1.4, 4.3.
 *
 * @module
 */
import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import { Area, listLength, putPrps } from "../../examples/nvme/prp.ts";

interface Piece {
  address: bigint;
  length: number;
}

/** What a command moves, read out of its PRP entries page by page: entry by entry, list by list. */
function expand(entry: DataView, length: number, list: Area, page: number): Piece[] {
  const size = BigInt(page);
  const pieces: Piece[] = [];
  let left = length;
  const add = (address: bigint) => {
    const here = Math.min(left, Number(size - address % size));
    pieces.push({ address, length: here });
    left -= here;
  };
  add(entry.getBigUint64(0, true));
  if (left === 0) return pieces;
  let next = entry.getBigUint64(8, true);
  if (left <= page) {
    strictEqual(next % size, 0n, "a second entry has no offset");
    add(next);
    return pieces;
  }
  for (;;) {
    const at = Number(next - list.iova);
    ok(0 <= at && at + 8 <= list.bytes.length, "the list lies in the memory that was given for it");
    const value = list.view.getBigUint64(at, true);
    strictEqual(value % size, 0n, "an entry of a list has no offset");
    const isLastOfPage = (next + 8n) % size === 0n;
    if (isLastOfPage && left > page) {
      next = value;
      continue;
    }
    add(value);
    if (left === 0) return pieces;
    next += 8n;
  }
}

/** The pages that a contiguous range touches. */
function pagesOf(address: bigint, length: number, page: number): Piece[] {
  const pieces: Piece[] = [];
  for (let left = length; left > 0;) {
    const here = Math.min(left, Number(BigInt(page) - address % BigInt(page)));
    pieces.push({ address, length: here });
    address += BigInt(here);
    left -= here;
  }
  return pieces;
}

/** Data as halves of its address, the lower with a carry of `carry` × 2^32. */
function build(iova: bigint, length: number, page: number, listIova: bigint, listBytes: number, carry = 0n) {
  const entry = new DataView(new ArrayBuffer(24));
  const list = new Area(listIova, new Uint8Array(listBytes).fill(0xa5));
  putPrps(entry, 0, Number((iova & 0xffff_ffffn) + (carry << 32n)), Number((iova >> 32n) - carry), length, list, page);
  return { entry, list };
}

Deno.test("one page, two pages and a list: the very bytes", () => {
  const hex = (view: DataView) => [view.getBigUint64(0, true), view.getBigUint64(8, true), view.getBigUint64(16, true)];
  deepStrictEqual(hex(build(0x1000n, 4096, 4096, 0x8000n, 4096).entry), [0x1000n, 0n, 0n]);
  deepStrictEqual(hex(build(0x1ffcn, 4, 4096, 0x8000n, 4096).entry), [0x1ffcn, 0n, 0n]);
  deepStrictEqual(hex(build(0x1e00n, 1024, 4096, 0x8000n, 4096).entry), [0x1e00n, 0x2000n, 0n]);
  deepStrictEqual(hex(build(0xffff_f000n, 8192, 4096, 0x8000n, 4096).entry), [0xffff_f000n, 0x1_0000_0000n, 0n], "across 4 GiB");
  const { entry, list } = build(0x1000n, 3 * 4096, 4096, 0x8000n, 4096);
  deepStrictEqual(hex(entry), [0x1000n, 0x8000n, 0n]);
  deepStrictEqual([list.view.getBigUint64(0, true), list.view.getBigUint64(8, true)], [0x2000n, 0x3000n]);
  strictEqual(list.view.getUint32(16, true), 0xa5a5_a5a5, "nothing behind the last entry is written");
});

Deno.test("a command without data has entries of zero", () => {
  const entry = new DataView(new ArrayBuffer(16));
  new Uint8Array(entry.buffer).fill(0xff);
  putPrps(entry, 0, 0x5000, 1, 0, new Area(0n, new Uint8Array(4096)), 4096);
  deepStrictEqual([entry.getBigUint64(0, true), entry.getBigUint64(8, true)], [0n, 0n]);
});

Deno.test("a list of exactly one page has no link, one entry more makes a second page", () => {
  strictEqual(listLength(2 ** 21, 4096), 4096);
  strictEqual(listLength(513 * 4096, 4096), 8192, "data may begin in the middle of a page, and touch one page more");
  const full = build(0x40_0000n, 513 * 4096, 4096, 0x8000n, 4096);
  deepStrictEqual(expand(full.entry, 513 * 4096, full.list, 4096), pagesOf(0x40_0000n, 513 * 4096, 4096));
  const linked = build(0x40_0000n, 514 * 4096, 4096, 0x8000n, 8192);
  strictEqual(linked.list.view.getBigUint64(4096 - 8, true), 0x9000n, "the last entry leads to the next page");
  deepStrictEqual(expand(linked.entry, 514 * 4096, linked.list, 4096), pagesOf(0x40_0000n, 514 * 4096, 4096));
});

Deno.test("any range at any address in any page size expands to its pages", () => {
  const range = fc.record({
    lg2Page: fc.integer({ min: 12, max: 16 }),
    length: fc.oneof(fc.integer({ min: 1, max: 20_000 }), fc.integer({ min: 1, max: 5 * 2 ** 20 })),
    iova: fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 62n }), fc.bigInt({ min: 2n ** 32n - 2n ** 21n, max: 2n ** 32n })),
    list: fc.bigInt({ min: 0n, max: 2n ** 40n }),
    carries: fc.boolean(),
  });
  fc.assert(fc.property(range, ({ lg2Page, length, iova, list, carries }) => {
    const page = 2 ** lg2Page;
    const address = iova & ~3n;
    const carry = carries && address >= 2n ** 32n ? 1n : 0n;
    const room = listLength(length, page);
    const { entry, list: area } = build(address, length, page, list << BigInt(lg2Page), room, carry);
    deepStrictEqual(expand(entry, length, area, page), pagesOf(address, length, page));
  }));
});

Deno.test("an area's slice is the same memory at the same address", () => {
  const bytes = new Uint8Array(64);
  const area = new Area(0x1_ffff_fff0n, bytes);
  deepStrictEqual([area.high, area.low], [1, 0xffff_fff0]);
  const part = area.slice(16, 8);
  deepStrictEqual([part.iova, part.high, part.low], [0x2_0000_0000n, 2, 0]);
  part.view.setUint32(0, 0x0403_0201, true);
  deepStrictEqual([...bytes.subarray(16, 20)], [1, 2, 3, 4]);
});
