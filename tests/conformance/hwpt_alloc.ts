/**
 * HWPT_ALLOC: page tables of an IOAS that the program makes itself.
 *
 * @module
 */
import { HWPT_ALLOC_DIRTY_TRACKING, HWPT_ALLOC_NEST_PARENT, HWPT_ALLOC_PASID, HWPT_FAULT_ID_VALID } from "../../uapi/codec.ts";
import { equal } from "../check.ts";
import type { Case, Suite } from "../harness.ts";
import type { Caller } from "./caller.ts";
import { Edu } from "./edu.ts";
import type { Depends } from "./setup.ts";
import {
  attach,
  detach,
  iommuWithIoas,
  mapAt,
  newHwpt,
  newIoas,
  NO_ID,
  openBound,
  PAGE,
  PAGE64,
  unmap,
  usableRanges,
  USER_BASE,
} from "./steps.ts";
import type { Fields } from "./struct.ts";

/** What flags answer that an IOMMU may lack. */
export const PASID_TABLE: Depends<string> = {
  feature: "pasid-tables",
  with: "OK",
  without: "EOPNOTSUPP",
  why: "AMD's first format has no PASIDs",
};
const NESTED_TABLE: Depends<string> = {
  feature: "nested-tables",
  with: "EINVAL",
  without: "EOPNOTSUPP",
  why: "whoever can nest looks at the parent first, which is no nesting parent",
};
const NESTING: Depends<string> = { feature: "nesting", with: "OK", without: "EOPNOTSUPP", why: "the IOMMU has one stage only" };

/** What follows if the fault queue of a table is not there. */
const NO_QUEUE: Depends<string> = { feature: "plain-tables", with: "EOPNOTSUPP", without: "ENOENT", why: "no table reports faults" };

const CHECKS: readonly (readonly [string, string | Depends<string>, Fields])[] = [
  ["a reserved field", "EOPNOTSUPP", { __reserved: 1, dev_id: NO_ID, data_len: 1 }],
  ["data without a type", "EINVAL", { data_len: 16, dev_id: NO_ID }],
  ["a type without data", "EINVAL", { data_type: 1, dev_id: NO_ID }],
  ["no such device", "ENOENT", { dev_id: NO_ID, pt_id: NO_ID }],
  ["an IOAS as device", "ENOENT", { dev_id: 1 }],
  ["no such IOAS, which is not ENOENT here", "EINVAL", { pt_id: NO_ID, flags: 0x8000_0000 }],
  ["a device as IOAS", "EINVAL", { pt_id: 2, flags: 0x8000_0000 }],
  ["an unknown flag", "EOPNOTSUPP", { flags: 0x10 }],
  ["the highest flag", "EOPNOTSUPP", { flags: 0x8000_0000 }],
  ["faults for a nesting parent", "EOPNOTSUPP", { flags: HWPT_FAULT_ID_VALID | HWPT_ALLOC_NEST_PARENT }],
  ["no such fault queue", NO_QUEUE, { flags: HWPT_FAULT_ID_VALID, fault_id: NO_ID }],
  ["an IOAS as fault queue", NO_QUEUE, { flags: HWPT_FAULT_ID_VALID, fault_id: 1 }],
  ["data for a table that is not nested", "EOPNOTSUPP", { data_type: 1, data_len: 16, data_uptr: USER_BASE }],
];

const CHECK_CASES: Case<Caller>[] = CHECKS.map(([what, code, fields]) => ({
  name: `${what} is ${typeof code === "string" ? code : code.without}, and no table is made`,
  run(t) {
    const { iommu, ioas } = iommuWithIoas(t);
    const { id } = openBound(t, iommu);
    const refusal = typeof code === "string" ? code : t.expected(code);
    t.refused(refusal, iommu, "HWPT_ALLOC", { dev_id: id, pt_id: ioas, ...fields });
    equal(newIoas(t, iommu), 3, "the id after a failure");
    equal(usableRanges(t, iommu, ioas).alignment, 1n, "the alignment after a failure");
  },
}));

const FLAGS: Suite<Caller>["cases"] = [
  {
    name: "tables for PASIDs, nesting and dirty tracking are there or not, as the IOMMU is",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const { id } = openBound(t, iommu);
      const code = (flags: number) => t.ask(iommu, "HWPT_ALLOC", { dev_id: id, pt_id: ioas, flags }).code;
      equal(code(HWPT_ALLOC_PASID), t.expected(PASID_TABLE));
      equal(code(HWPT_ALLOC_NEST_PARENT), t.expected(NESTING));
      equal(code(HWPT_ALLOC_DIRTY_TRACKING), t.expected(NESTING));
    },
  },
  {
    name: "a table on an automatic one is refused: it is no nesting parent, or the driver makes none on tables",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const { device, id } = openBound(t, iommu);
      const hwpt = attach(t, device, ioas);
      const request = { dev_id: id, pt_id: hwpt };
      t.refused("EOPNOTSUPP", iommu, "HWPT_ALLOC", request);
      const data = t.block(32);
      const withData = { ...request, data_type: 1, data_len: 32, data_uptr: data.address };
      t.refused(t.expected(NESTED_TABLE), iommu, "HWPT_ALLOC", withData);
      t.refused("EOPNOTSUPP", iommu, "HWPT_ALLOC", { ...withData, flags: HWPT_ALLOC_NEST_PARENT });
    },
  },
];

const TABLES: Suite<Caller>["cases"] = [
  {
    name: "a table makes whole pages the alignment at once, and its end gives that back",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const { id } = openBound(t, iommu);
      const hwpt = newHwpt(t, iommu, id, ioas);
      equal(usableRanges(t, iommu, ioas).alignment, PAGE64);
      t.do(iommu, "DESTROY", { id: hwpt });
      equal(usableRanges(t, iommu, ioas).alignment, 1n);
    },
  },
  {
    name: "a table is filled with all areas before any device comes",
    async run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const { device, id } = openBound(t, iommu);
      const va = t.memory(PAGE);
      mapAt(t, iommu, ioas, 0x1_0000n, va, PAGE);
      const hwpt = newHwpt(t, iommu, id, ioas);
      equal(attach(t, device, hwpt), hwpt);
      const bytes = t.bytes(va, PAGE);
      bytes.fill(0x77, 0, 32);
      const edu = new Edu(t, device);
      await edu.fetch(0x1_0000n, 0, 32);
      await edu.store(0, 0x1_0000n + 64n, 32);
      equal(bytes.slice(64, 96), new Uint8Array(32).fill(0x77));
    },
  },
  {
    name: "a table over areas that are no whole pages is EADDRINUSE, over memory that is not there EFAULT",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const { id } = openBound(t, iommu);
      const code = () => t.ask(iommu, "HWPT_ALLOC", { dev_id: id, pt_id: ioas }).code;
      mapAt(t, iommu, ioas, 0x1_0000n, USER_BASE, 0x800);
      equal(code(), "EADDRINUSE");
      unmap(t, iommu, ioas, 0x1_0000n, 0x800);
      mapAt(t, iommu, ioas, 0x1_0000n, USER_BASE, PAGE);
      equal(code(), "EFAULT");
      unmap(t, iommu, ioas, 0x1_0000n, PAGE);
      equal(code(), "OK");
    },
  },
  {
    name: "a table over an area beyond what the IOMMU translates is EADDRINUSE",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const { id } = openBound(t, iommu);
      mapAt(t, iommu, ioas, t.setup.apertureLast + 1n, t.memory(PAGE), PAGE);
      equal(t.ask(iommu, "HWPT_ALLOC", { dev_id: id, pt_id: ioas }).code, "EADDRINUSE");
    },
  },
  {
    name: "several tables of one IOAS show the same areas, and each goes by itself",
    async run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const [one, two] = [openBound(t, iommu), openBound(t, iommu, t.devices.other)];
      const tables = [newHwpt(t, iommu, one.id, ioas), newHwpt(t, iommu, two.id, ioas)];
      attach(t, one.device, tables[0]!);
      attach(t, two.device, tables[1]!);
      const va = t.memory(PAGE);
      const bytes = t.bytes(va, PAGE);
      bytes.fill(0x21, 0, 16);
      mapAt(t, iommu, ioas, 0x2_0000n, va, PAGE);
      for (const [index, device] of [one.device, two.device].entries()) {
        const edu = new Edu(t, device);
        await edu.fetch(0x2_0000n, 0, 16);
        await edu.store(0, 0x2_0000n + BigInt(64 * (index + 1)), 16);
        equal(bytes.slice(64 * (index + 1), 64 * (index + 1) + 16), new Uint8Array(16).fill(0x21));
      }
      detach(t, one.device);
      t.do(iommu, "DESTROY", { id: tables[0]! });
      await new Edu(t, two.device).store(0, 0x2_0000n + 512n, 16);
      equal(bytes.slice(512, 528), new Uint8Array(16).fill(0x21));
      equal(unmap(t, iommu, ioas, 0x2_0000n, PAGE), PAGE64);
    },
  },
];

/** HWPT_ALLOC. */
export const HWPT_ALLOC_SUITE: Suite<Caller> = { name: "HWPT_ALLOC", cases: [...CHECK_CASES, ...FLAGS, ...TABLES] };
