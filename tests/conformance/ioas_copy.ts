/**
 * IOAS_COPY: further areas of memory that is mapped already.
 *
 * @module
 */
import { IOAS_MAP_READABLE, IOAS_MAP_WRITEABLE } from "../../uapi/codec.ts";
import { equal } from "../check.ts";
import type { Case, Suite } from "../harness.ts";
import type { Caller } from "./caller.ts";
import { Edu } from "./edu.ts";
import { attached, FIXED, iommuWithIoas, mapAt, MAX64, newIoas, NO_ID, PAGE, PAGE64, READ_WRITE, unmap, USER_BASE } from "./steps.ts";
import type { Fields } from "./struct.ts";

const CHECKS: readonly (readonly [string, string, Fields, Fields?])[] = [
  ["an unknown flag", "EOPNOTSUPP", { flags: FIXED | 8 }, { length: MAX64 }],
  ["a length of 2^64 − 1", "EOVERFLOW", { length: MAX64 }, { flags: 1 }],
  ["a source IOVA of 2^64 − 1", "EOVERFLOW", { src_iova: MAX64 }, { flags: 1 }],
  ["a destination IOVA of 2^64 − 1", "EOVERFLOW", { dst_iova: MAX64 }, { flags: 1 }],
  ["neither readable nor writeable", "EINVAL", { flags: 1 }, { src_ioas_id: NO_ID }],
  ["no such source", "ENOENT", { src_ioas_id: NO_ID }, { length: 0 }],
  ["no length", "EINVAL", { length: 0 }, { dst_ioas_id: NO_ID }],
  ["a source range that overflows", "EOVERFLOW", { src_iova: MAX64 - 1n, length: 3 }, { dst_ioas_id: NO_ID }],
  ["a source that is not mapped", "ENOENT", { src_iova: 0x8_0000n }],
  ["no such destination", "ENOENT", { dst_ioas_id: NO_ID }, { dst_iova: 0x1_0000n }],
  ["a destination that is mapped", "EEXIST", { dst_iova: 0x1_0000n }],
  ["a destination that overflows", "EOVERFLOW", { dst_iova: MAX64 - 0xffen }],
];

/** An IOAS that has four pages from 0x1_0000 on, of memory with nothing behind it. */
function withSource(t: Caller): { iommu: number; ioas: number } {
  const { iommu, ioas } = iommuWithIoas(t);
  mapAt(t, iommu, ioas, 0x1_0000n, USER_BASE, 4 * PAGE);
  return { iommu, ioas };
}

const CHECK_CASES: Case<Caller>[] = CHECKS.map(([what, code, fields, spoil]) => ({
  name: `${what} is ${code}, and nothing is mapped`,
  run(t) {
    const { iommu, ioas } = withSource(t);
    const request = { flags: FIXED, dst_ioas_id: ioas, src_ioas_id: ioas, length: PAGE, dst_iova: 0x4_0000n, src_iova: 0x1_0000n };
    t.refused(code, iommu, "IOAS_COPY", { ...request, ...fields });
    if (spoil !== undefined) t.refused(code, iommu, "IOAS_COPY", { ...request, ...spoil, ...fields });
    equal(unmap(t, iommu, ioas, 0n, MAX64), 4n * PAGE64);
  },
}));

const RANGES: Suite<Caller>["cases"] = [
  {
    name: "the source may be a part of an area, and must be mapped without a hole",
    run(t) {
      const { iommu, ioas } = withSource(t);
      mapAt(t, iommu, ioas, 0x1_4000n, USER_BASE, PAGE);
      mapAt(t, iommu, ioas, 0x1_6000n, USER_BASE, PAGE);
      const request = { flags: FIXED, dst_ioas_id: ioas, src_ioas_id: ioas, dst_iova: 0x4_0000n };
      const bad: readonly (readonly [bigint, number])[] = [[0x1_4000n, 3 * PAGE], [0xf000n, 2 * PAGE], [0x1_6000n, 2 * PAGE]];
      for (const [src_iova, length] of bad) t.refused("ENOENT", iommu, "IOAS_COPY", { ...request, src_iova, length });
      t.do(iommu, "IOAS_COPY", { ...request, src_iova: 0x1_0001n, length: 5 });
      equal(unmap(t, iommu, ioas, 0x4_0000n, PAGE), 5n);
    },
  },
  {
    name: "a copy over several areas makes as many areas, which go one by one",
    run(t) {
      const { iommu, ioas } = withSource(t);
      mapAt(t, iommu, ioas, 0x1_4000n, USER_BASE + 0x10_0000n, PAGE);
      const copy = newIoas(t, iommu);
      const request = { flags: READ_WRITE | 1, dst_ioas_id: copy, src_ioas_id: ioas, dst_iova: 0x4_0000n };
      t.do(iommu, "IOAS_COPY", { ...request, src_iova: 0x1_3000n, length: 2 * PAGE });
      equal(unmap(t, iommu, copy, 0x4_0000n, PAGE), PAGE64);
      equal(unmap(t, iommu, copy, 0x4_1000n, PAGE), PAGE64);
    },
  },
  {
    name: "automatic placement of a copy goes by the memory's address",
    run(t) {
      const { iommu, ioas } = withSource(t);
      const copy = newIoas(t, iommu);
      const request = { flags: READ_WRITE, dst_ioas_id: copy, src_ioas_id: ioas };
      equal(t.do(iommu, "IOAS_COPY", { ...request, src_iova: 0x1_0000n, length: 4 * PAGE }).big("dst_iova"), 0x4000n);
      equal(t.do(iommu, "IOAS_COPY", { ...request, src_iova: 0x1_1000n, length: 2 * PAGE }).big("dst_iova"), 0x1000n);
      equal(t.do(iommu, "IOAS_COPY", { ...request, src_iova: 0x1_2000n, length: 2 * PAGE }).big("dst_iova"), 0x8000n);
    },
  },
  {
    name: "a copy for writing of what was mapped for reading only is EPERM, where everything else is in order",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      mapAt(t, iommu, ioas, 0x1_0000n, USER_BASE, PAGE, IOAS_MAP_READABLE);
      const request = { dst_ioas_id: ioas, src_ioas_id: ioas, src_iova: 0x1_0000n, length: PAGE };
      for (const flags of [FIXED, IOAS_MAP_WRITEABLE | 1]) {
        t.refused("EPERM", iommu, "IOAS_COPY", { ...request, flags, dst_iova: 0x4_0000n });
        t.refused("EEXIST", iommu, "IOAS_COPY", { ...request, flags, dst_iova: 0x1_0000n });
      }
      t.refused("EPERM", iommu, "IOAS_COPY", { ...request, flags: READ_WRITE });
      t.do(iommu, "IOAS_COPY", { ...request, flags: IOAS_MAP_READABLE | 1, dst_iova: 0x4_0000n });
    },
  },
  {
    name: "a copy of writeable memory may be for reading only",
    run(t) {
      const { iommu, ioas } = withSource(t);
      t.do(iommu, "IOAS_COPY", {
        flags: IOAS_MAP_READABLE | 1,
        dst_ioas_id: ioas,
        src_ioas_id: ioas,
        src_iova: 0x1_0000n,
        dst_iova: 0x4_0000n,
        length: PAGE,
      });
      equal(unmap(t, iommu, ioas, 0x4_0000n, PAGE), PAGE64);
    },
  },
];

const DMA: Suite<Caller>["cases"] = [
  {
    name: "both places of a copy are the same memory, and each outlives the other",
    async run(t) {
      const { iommu, ioas, device } = attached(t);
      const va = t.memory(2 * PAGE);
      const bytes = t.bytes(va, 2 * PAGE);
      mapAt(t, iommu, ioas, 0x1_0000n, va, 2 * PAGE);
      t.do(iommu, "IOAS_COPY", {
        flags: FIXED,
        dst_ioas_id: ioas,
        src_ioas_id: ioas,
        src_iova: 0x1_1000n,
        dst_iova: 0x4_0000n,
        length: PAGE,
      });
      unmap(t, iommu, ioas, 0x1_0000n, 2 * PAGE);
      bytes.fill(0x5a, PAGE, PAGE + 64);
      const edu = new Edu(t, device);
      await edu.fetch(0x4_0000n, 0, 64);
      await edu.store(0, 0x4_0000n + 256n, 64);
      equal(bytes.slice(PAGE + 256, PAGE + 320), new Uint8Array(64).fill(0x5a));
    },
  },
];

/** IOAS_COPY. */
export const IOAS_COPY_SUITE: Suite<Caller> = { name: "IOAS_COPY", cases: [...CHECK_CASES, ...RANGES, ...DMA] };
