/**
 * Dirty tracking of the mock IOMMU: a test request marks pages as written, GET_DIRTY_BITMAP reads them back.
 *
 * @module
 */
import {
  HWPT_ALLOC_DIRTY_TRACKING,
  HWPT_ALLOC_PASID,
  HWPT_GET_DIRTY_BITMAP_NO_CLEAR,
  MOCK_FLAGS_DEVICE_NO_DIRTY,
  MOCK_FLAGS_DEVICE_PASID,
} from "../../uapi/codec.ts";
import { MAP_FIXED, PROT_READ } from "../../uapi/kernel.ts";
import { equal } from "../check.ts";
import type { Suite } from "../harness.ts";
import type { Caller } from "./caller.ts";
import { iommuWithIoas, mapAt, newMock, NO_ID, PAGE, PAGE64, unmap, USER_BASE } from "./steps.ts";
import type { Fields } from "./struct.ts";

/** The first address that the mock IOMMU translates, and its smallest page. */
const START = 1n << 24n;
const SMALLEST = PAGE / 2;
const NO_CLEAR = HWPT_GET_DIRTY_BITMAP_NO_CLEAR;

/**
 * A mock device, and a page table that tracks, with memory at the start of the aperture. Each piece is a mapping of its own: what is larger than a page
 * is contiguous in memory on one kernel and not on another.
 */
class World {
  readonly iommu: number;
  readonly ioas: number;
  readonly stdev: number;
  readonly idev: number;
  readonly automatic: number;
  readonly hwpt: number;
  /** Two pages for bitmaps. */
  readonly at = USER_BASE;
  readonly bitmap: Uint8Array;

  /** `count` pieces of `size` bytes. */
  constructor(readonly t: Caller, count = 16, size = PAGE) {
    ({ iommu: this.iommu, ioas: this.ioas } = iommuWithIoas(t));
    ({ stdev: this.stdev, idev: this.idev, hwpt: this.automatic } = newMock(t, this.iommu, this.ioas));
    this.hwpt = this.table(HWPT_ALLOC_DIRTY_TRACKING);
    this.set(1);
    t.memory(2 * PAGE, this.at, undefined, MAP_FIXED);
    this.bitmap = t.bytes(this.at, 2 * PAGE);
    const va = t.memory(64 * PAGE, USER_BASE + 0x10_0000n, undefined, MAP_FIXED);
    for (let offset = 0; offset < count * size; offset += size) {
      mapAt(t, this.iommu, this.ioas, START + BigInt(offset), va + BigInt(offset), size);
    }
  }

  table(flags: number): number {
    return this.t.do(this.iommu, "HWPT_ALLOC", { dev_id: this.idev, pt_id: this.ioas, flags }).number("out_hwpt_id");
  }

  set(flags: number): void {
    this.t.do(this.iommu, "HWPT_SET_DIRTY_TRACKING", { hwpt_id: this.hwpt, flags });
  }

  /** Mark pages: the result, and how many bits there were. */
  mark(iova: bigint, length: number, pageSize: number, bits: readonly number[]): [string, number] {
    this.bitmap.fill(0);
    for (const bit of bits) this.bitmap[bit >> 3]! |= 1 << (bit & 7);
    const request = { id: this.hwpt, iova, length, page_size: pageSize, uptr: this.at };
    const answer = this.t.ask(this.iommu, "TEST_CMD/TestDirty", request);
    return [answer.code, answer.number("out_nr_dirty")];
  }

  /** The bits that are set for a range. */
  read(iova: bigint, length: number, pageSize: number, fields: Fields = {}): number[] {
    this.bitmap.fill(0);
    const request = { hwpt_id: this.hwpt, iova, length, page_size: pageSize, data: this.at };
    this.t.do(this.iommu, "HWPT_GET_DIRTY_BITMAP", { ...request, ...fields });
    return [...this.bitmap.keys()].flatMap((index) => [0, 1, 2, 3, 4, 5, 6, 7].map((bit) => 8 * index + bit))
      .filter((bit) => (this.bitmap[bit >> 3]! >> (bit & 7) & 1) !== 0);
  }
}

const range = (first: number, count: number) => Array.from({ length: count }, (_, index) => first + index);

const CHECKS: Suite<Caller>["cases"] = [
  {
    name: "SET_DIRTY_TRACKING takes tables that were made for it alone",
    run(t) {
      const w = new World(t);
      t.refused("EOPNOTSUPP", w.iommu, "HWPT_SET_DIRTY_TRACKING", { hwpt_id: NO_ID, flags: 2 });
      t.refused("ENOENT", w.iommu, "HWPT_SET_DIRTY_TRACKING", { hwpt_id: w.ioas, flags: 1 });
      for (const flags of [0, 1]) {
        t.refused("EOPNOTSUPP", w.iommu, "HWPT_SET_DIRTY_TRACKING", { hwpt_id: w.automatic, flags });
        for (const _ of [1, 2]) t.do(w.iommu, "HWPT_SET_DIRTY_TRACKING", { hwpt_id: w.hwpt, flags });
      }
    },
  },
  {
    name: "GET_DIRTY_BITMAP looks at the range first, and at no bitmap as long as there is nothing to say",
    run(t) {
      const w = new World(t);
      const request = { hwpt_id: w.hwpt, iova: START, length: PAGE, page_size: PAGE, data: 8n };
      const refused = (code: string, fields: Fields) => t.refused(code, w.iommu, "HWPT_GET_DIRTY_BITMAP", { ...request, ...fields });
      refused("EOPNOTSUPP", { flags: 2, hwpt_id: NO_ID });
      refused("EOPNOTSUPP", { __reserved: 1, hwpt_id: NO_ID });
      refused("ENOENT", { hwpt_id: w.ioas, length: 0 });
      refused("EINVAL", { hwpt_id: w.automatic, length: 0 });
      refused("EOVERFLOW", { iova: 2n ** 64n - 1n, length: 2 });
      refused("EINVAL", { iova: 1n });
      refused("EINVAL", { page_size: 0 });
      refused("EINVAL", { page_size: 2 * PAGE });
      refused("EOPNOTSUPP", { hwpt_id: w.automatic });
      t.do(w.iommu, "HWPT_GET_DIRTY_BITMAP", request);
      t.do(w.iommu, "HWPT_GET_DIRTY_BITMAP", { ...request, iova: 0n });
    },
  },
  {
    name: "the test request checks its range, its table and whether that tracks",
    run(t) {
      const w = new World(t);
      const request = { id: w.hwpt, iova: START, length: PAGE, page_size: SMALLEST, uptr: w.at };
      const refused = (code: string, fields: Fields) => t.refused(code, w.iommu, "TEST_CMD/TestDirty", { ...request, ...fields });
      for (const wrong of [{ page_size: 0 }, { length: 0 }, { iova: 1n }, { length: SMALLEST + 1 }, { uptr: 0n }]) refused("EINVAL", wrong);
      refused("EOVERFLOW", { length: 2n ** 60n, page_size: 1, id: NO_ID });
      refused("ENOENT", { id: NO_ID });
      refused("EINVAL", { id: w.automatic });
      refused("EFAULT", { uptr: 8n });
      equal(w.mark(START, 3 * PAGE, PAGE, range(0, 8)), ["OK", 3]);
      equal(w.mark(0n, 4 * PAGE, PAGE, [0, 3]), ["OK", 2]);
      w.set(0);
      refused("EINVAL", {});
    },
  },
  {
    name: "a device without dirty tracking gets no such table, and comes to none but with a PASID",
    run(t) {
      const w = new World(t);
      const dev_flags = MOCK_FLAGS_DEVICE_NO_DIRTY | MOCK_FLAGS_DEVICE_PASID;
      const unable = t.do(w.iommu, "TEST_CMD/TestMockDomainFlags", { id: w.ioas, dev_flags });
      const [stdev, idev] = [unable.number("out_stdev_id"), unable.number("out_idev_id")];
      t.refused("EOPNOTSUPP", w.iommu, "HWPT_ALLOC", { dev_id: idev, pt_id: w.ioas, flags: HWPT_ALLOC_DIRTY_TRACKING });
      t.refused("EINVAL", w.iommu, "TEST_CMD/TestMockDomainReplace", { id: stdev, pt_id: w.hwpt });
      t.refused("EINVAL", w.iommu, "TEST_CMD/TestMockDomainFlags", { id: w.hwpt, dev_flags });
      t.do(w.iommu, "TEST_CMD/TestMockDomainReplace", { id: w.stdev, pt_id: w.hwpt });
      const [both, plain] = [w.table(HWPT_ALLOC_DIRTY_TRACKING | HWPT_ALLOC_PASID), w.table(HWPT_ALLOC_PASID)];
      t.do(w.iommu, "TEST_CMD/TestMockDomainReplace", { id: stdev, pt_id: plain });
      t.do(w.iommu, "TEST_CMD/TestPasidAttach", { id: stdev, pasid: 5, pt_id: both });
    },
  },
];

const MARKS: Suite<Caller>["cases"] = [
  {
    name: "what was marked is read once, and twice where it is not cleared",
    run(t) {
      const w = new World(t);
      equal(w.mark(START, 16 * PAGE, PAGE, [1, 4, 15]), ["OK", 3]);
      equal(w.read(START, 16 * PAGE, PAGE, { flags: NO_CLEAR }), [1, 4, 15]);
      equal(w.read(START + 4n * PAGE64, 4 * PAGE, PAGE), [0]);
      equal(w.read(START, 16 * PAGE, PAGE), [1, 15]);
      equal(w.read(START, 16 * PAGE, PAGE), []);
    },
  },
  {
    name: "marks outlive tracking, and go when it is turned on, even where it is on",
    run(t) {
      const w = new World(t);
      w.mark(START, 4 * PAGE, PAGE, [2]);
      w.set(0);
      equal(w.read(START, 4 * PAGE, PAGE, { flags: NO_CLEAR }), [2]);
      w.set(1);
      equal(w.read(START, 4 * PAGE, PAGE), []);
      w.mark(START, 4 * PAGE, PAGE, [3]);
      w.set(1);
      equal(w.read(START, 4 * PAGE, PAGE), []);
    },
  },
  ...[SMALLEST, PAGE].flatMap((size) =>
    [SMALLEST, PAGE, 4 * PAGE, 64 * PAGE].map((piece) => ({
      name: `a page of 0x${size.toString(16)} bytes shows in bits of 0x${piece.toString(16)}`,
      run(t: Caller) {
        const w = new World(t, 64 * PAGE / size, size);
        const dirty = 5 * SMALLEST;
        equal(w.mark(START + BigInt(dirty), SMALLEST, SMALLEST, [0]), ["OK", 1]);
        const start = dirty - dirty % size;
        const first = Math.floor(start / piece);
        const bits = range(first, Math.floor((start + size - 1) / piece) - first + 1);
        equal(w.read(START, 64 * PAGE, piece, { flags: NO_CLEAR }), bits);
        equal(w.read(START, 64 * PAGE, piece), bits);
        equal(w.read(START, 64 * PAGE, piece), []);
      },
    }))
  ),
];

const BITMAPS: Suite<Caller>["cases"] = [
  {
    name: "a page at the end of the range writes behind the bitmap; at its start it is lost",
    run(t) {
      const w = new World(t);
      w.mark(START, SMALLEST, SMALLEST, [0]);
      equal(w.read(START, SMALLEST, SMALLEST, { flags: NO_CLEAR }), [0, 1]);
      equal(w.read(START + BigInt(SMALLEST), PAGE - SMALLEST, SMALLEST), []);
      equal(w.read(START, PAGE, SMALLEST), []);
    },
  },
  {
    name: "of a page size of several bits the lowest counts",
    run(t) {
      const w = new World(t);
      w.mark(START, 4 * PAGE, PAGE, [0, 2]);
      equal(w.read(START, 4 * PAGE, 3 * PAGE, { flags: NO_CLEAR }), [0, 2]);
      equal(w.read(START, 4 * PAGE, 1, { flags: NO_CLEAR, page_size: 2n ** 63n + PAGE64 }), [0, 2]);
    },
  },
  {
    name: "a bitmap begins at any byte, and what is set in it stays",
    run(t) {
      const w = new World(t);
      w.mark(START, 16 * PAGE, PAGE, [0, 13]);
      w.bitmap.fill(0);
      w.bitmap.set([0x80, 0, 0x11], PAGE - 1);
      const request = { hwpt_id: w.hwpt, iova: START, length: 16 * PAGE, page_size: PAGE, data: w.at + PAGE64 - 1n };
      t.do(w.iommu, "HWPT_GET_DIRTY_BITMAP", request);
      equal([...w.bitmap.slice(PAGE - 2, PAGE + 3)], [0, 0x81, 0x20, 0x11, 0]);
    },
  },
  {
    name: "bits without memory are lost, and their marks with them",
    run(t) {
      const w = new World(t, 32);
      const request = { hwpt_id: w.hwpt, iova: START, length: 32 * PAGE, page_size: PAGE };
      w.mark(START, 32 * PAGE, PAGE, [2, 20]);
      equal(t.kernel.munmap(w.at + PAGE64, PAGE), 0);
      const end = t.bytes(w.at, PAGE);
      end.fill(0);
      t.do(w.iommu, "HWPT_GET_DIRTY_BITMAP", { ...request, data: w.at + PAGE64 - 2n });
      equal([...end.slice(PAGE - 3)], [0, 4, 0]);
      t.memory(PAGE, w.at + PAGE64, PROT_READ, MAP_FIXED);
      t.do(w.iommu, "HWPT_GET_DIRTY_BITMAP", { ...request, data: w.at });
      equal(end.every((byte, index) => index === PAGE - 2 || byte === 0), true, "nothing is found again");
    },
  },
  {
    name: "a range is read up to its first hole, and not at all from a hole on",
    run(t) {
      const w = new World(t, 4);
      w.mark(START, 4 * PAGE, PAGE, [0, 1, 3]);
      unmap(t, w.iommu, w.ioas, START + 2n * PAGE64, PAGE);
      equal(w.read(START - PAGE64, 5 * PAGE, PAGE, { flags: NO_CLEAR }), []);
      equal(w.read(START, 4 * PAGE, PAGE), [0, 1]);
      equal(w.read(START + 3n * PAGE64, 4 * PAGE, PAGE), [0]);
    },
  },
];

/** Dirty tracking of the mock IOMMU. */
export const SELFTEST_DIRTY: Suite<Caller> = { name: "TEST_CMD, dirty tracking", cases: [...CHECKS, ...MARKS, ...BITMAPS] };
