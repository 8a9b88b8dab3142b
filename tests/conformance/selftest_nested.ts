/**
 * Nested page tables of the mock IOMMU: how they are made, attached and invalidated. They have no tables, but four numbers that stand for a cache.
 *
 * @module
 */
import {
  HWPT_ALLOC_NEST_PARENT,
  HWPT_ALLOC_PASID,
  HWPT_DATA_SELFTEST,
  HWPT_FAULT_ID_VALID,
  HWPT_INVALIDATE_DATA_SELFTEST,
  HWPT_INVALIDATE_DATA_SELFTEST_INVALID,
} from "../../uapi/codec.ts";
import { equal } from "../check.ts";
import type { Suite } from "../harness.ts";
import type { Caller } from "./caller.ts";
import { iommuWithIoas, newMock, NO_ID } from "./steps.ts";
import type { Answer } from "./struct.ts";

const CACHED = 0xbadbeef;
const SIZE_OF_ENTRY = 8;

/** A mock device, and a page table that was made to be a parent. */
class World {
  readonly iommu: number;
  readonly ioas: number;
  readonly stdev: number;
  readonly idev: number;
  readonly automatic: number;
  readonly parent: number;

  constructor(readonly t: Caller) {
    ({ iommu: this.iommu, ioas: this.ioas } = iommuWithIoas(t));
    ({ stdev: this.stdev, idev: this.idev, hwpt: this.automatic } = newMock(t, this.iommu, this.ioas));
    this.parent = this.table(HWPT_ALLOC_NEST_PARENT).number("out_hwpt_id");
  }

  table(flags: number): Answer {
    return this.t.ask(this.iommu, "HWPT_ALLOC", { dev_id: this.idev, pt_id: this.ioas, flags });
  }

  /** HWPT_ALLOC on top of a page table. */
  nest(fields: Record<string, number> = {}): Answer {
    const data = this.t.block(16);
    data.view.setUint32(0, CACHED, true);
    const request = { dev_id: this.idev, pt_id: this.parent, data_type: HWPT_DATA_SELFTEST, data_len: 4, data_uptr: data.address };
    return this.t.ask(this.iommu, "HWPT_ALLOC", { ...request, ...fields });
  }

  made(fields: Record<string, number> = {}): number {
    const answer = this.nest(fields);
    equal(answer.code, "OK");
    return answer.number("out_hwpt_id");
  }

  /** HWPT_INVALIDATE of (flags, entry) pairs: the result, and how many were done. */
  invalidate(id: number, pairs: readonly (readonly [number, number])[], fields: Record<string, number> = {}): [string, number] {
    const data = this.t.block(Math.max(SIZE_OF_ENTRY * pairs.length, 16));
    pairs.flat().forEach((word, index) => data.view.setUint32(4 * index, word, true));
    const request = {
      data_type: HWPT_INVALIDATE_DATA_SELFTEST,
      entry_len: SIZE_OF_ENTRY,
      entry_num: pairs.length,
      data_uptr: data.address,
    };
    const answer = this.t.ask(this.iommu, "HWPT_INVALIDATE", { hwpt_id: id, ...request, ...fields });
    return [answer.code, answer.number("entry_num")];
  }

  check(id: number, entry: number, value: number): string {
    return this.t.ask(this.iommu, "TEST_CMD/TestMdCheckIotlb", { id, iotlb_id: entry, iotlb: value }).code;
  }

  /** Which entries still have what they began with. */
  cached(id: number): string {
    return [0, 1, 2, 3].map((entry) => this.check(id, entry, CACHED) === "OK" ? "x" : this.check(id, entry, 0) === "OK" ? "-" : "?").join(
      "",
    );
  }

  move(target: number): string {
    return this.t.ask(this.iommu, "TEST_CMD/TestMockDomainReplace", { id: this.stdev, pt_id: target }).code;
  }

  destroy(id: number): string {
    return this.t.ask(this.iommu, "DESTROY", { id }).code;
  }
}

const CASES: Suite<Caller>["cases"] = [
  {
    name: "a nested page table holds its parent, and devices are attached to it as to any",
    run(t) {
      const w = new World(t);
      const nested = w.made();
      equal([w.destroy(w.parent), w.destroy(w.ioas), w.move(nested), w.destroy(nested)], ["EBUSY", "EBUSY", "OK", "EBUSY"]);
      equal(w.destroy(w.automatic), "ENOENT");
      equal([w.move(w.parent), w.destroy(nested), w.destroy(w.parent)], ["OK", "OK", "EBUSY"]);
      const other = w.made();
      const mock = newMock(t, w.iommu, other);
      equal(mock.hwpt, other);
      equal([w.destroy(mock.stdev), w.destroy(other)], ["OK", "OK"]);
    },
  },
  {
    name: "HWPT_ALLOC of a nested page table: each check in its order",
    run(t) {
      const w = new World(t);
      const plain = w.table(0).number("out_hwpt_id");
      const code = (fields: Record<string, number>) => w.nest(fields).code;
      equal(code({ data_len: 0, data_type: 0, pt_id: plain }), "EOPNOTSUPP");
      equal(code({ flags: HWPT_ALLOC_NEST_PARENT, pt_id: plain }), "EOPNOTSUPP");
      equal([code({ pt_id: plain, data_type: 1 }), code({ pt_id: w.automatic }), code({ pt_id: NO_ID })], ["EINVAL", "EINVAL", "EINVAL"]);
      equal([code({ data_type: 1 }), code({ data_len: 3 }), code({ data_len: 9 })], ["EOPNOTSUPP", "EINVAL", "EINVAL"]);
      equal(code({ data_uptr: 8 }), "EFAULT");
      equal(code({ flags: HWPT_FAULT_ID_VALID, fault_id: NO_ID }), "ENOENT");
      equal([code({ data_len: 8 }), code({ data_len: 5 }), code({ flags: HWPT_ALLOC_PASID })], ["OK", "OK", "OK"]);
      equal(code({ pt_id: w.made() }), "EINVAL");
      equal(w.table(HWPT_ALLOC_NEST_PARENT | HWPT_FAULT_ID_VALID).code, "EOPNOTSUPP");
    },
  },
  {
    name: "INVALIDATE clears entries up to the first that is wrong, and says how many",
    run(t) {
      const w = new World(t);
      const id = w.made();
      equal([w.cached(id), w.check(id, 4, 0), w.check(w.parent, 0, 0)], ["xxxx", "EINVAL", "ENOENT"]);
      equal(w.invalidate(id, [[0, 1], [0, 3]]), ["OK", 2]);
      equal(w.cached(id), "x-x-");
      equal(w.invalidate(id, [[0, 0], [0, 4], [0, 2]]), ["EINVAL", 1]);
      equal(w.invalidate(id, [[0, 1], [2, 2]]), ["EOPNOTSUPP", 1]);
      equal(w.invalidate(id, [[1, 4]]), ["EINVAL", 0]);
      equal(w.invalidate(id, [[1, 0]], { data_type: HWPT_INVALIDATE_DATA_SELFTEST_INVALID }), ["EINVAL", 0]);
      equal(w.invalidate(id, [], { data_type: HWPT_INVALIDATE_DATA_SELFTEST_INVALID }), ["EINVAL", 0]);
      equal([w.invalidate(id, [[1, 0]], { entry_len: 4 }), w.invalidate(id, [[1, 0]], { entry_len: 12 })], [["EINVAL", 0], ["EINVAL", 0]]);
      equal(w.invalidate(id, [[1, 0]], { data_uptr: 8 }), ["EFAULT", 0]);
      equal([w.invalidate(id, []), w.invalidate(id, [[1, 0]], { entry_num: 0, data_uptr: 0, entry_len: 0 })], [["OK", 0], ["OK", 0]]);
      equal(w.cached(id), "--x-");
      equal(w.invalidate(id, [[1, 0]]), ["OK", 1]);
      equal(w.cached(id), "----");
      equal([w.invalidate(w.parent, []), w.invalidate(NO_ID, [])], [["EINVAL", 0], ["ENOENT", 0]]);
    },
  },
  {
    name: "requests for page tables of an IOAS do not take a nested one",
    run(t) {
      const w = new World(t);
      const id = w.made();
      t.refused("ENOENT", w.iommu, "HWPT_SET_DIRTY_TRACKING", { hwpt_id: id });
      t.refused("ENOENT", w.iommu, "TEST_CMD/TestMdCheckMap", { id, length: 0 });
    },
  },
];

/** Nested page tables of the mock IOMMU. */
export const SELFTEST_NESTED: Suite<Caller> = { name: "TEST_CMD, nested page tables", cases: CASES };
