/**
 * IOAS_UNMAP: whole areas go, and which request may take which.
 *
 * @module
 */
import { equal } from "../check.ts";
import type { Case, Suite } from "../harness.ts";
import type { Caller } from "./caller.ts";
import { attached, iommuWithIoas, mapAnywhere, mapAt, MAX64, NO_ID, PAGE, PAGE64, unmap, USER_BASE } from "./steps.ts";
import type { Fields } from "./struct.ts";

const CHECKS: readonly (readonly [string, string, Fields])[] = [
  ["no such IOAS", "ENOENT", { ioas_id: NO_ID, iova: MAX64, length: 0 }],
  ["an IOVA of 2^64 − 1", "EOVERFLOW", { iova: MAX64, length: 0 }],
  ["a length of 2^64 − 1 from elsewhere than 0", "EOVERFLOW", { iova: 1n, length: MAX64 }],
  ["no length", "EINVAL", { iova: MAX64 - 1n, length: 0 }],
  ["a range that overflows", "EOVERFLOW", { iova: MAX64 - 1n, length: 3 }],
  ["a range in which nothing is mapped", "ENOENT", { iova: 0x2_0000n, length: 0x1000 }],
];

const CHECK_CASES: Case<Caller>[] = CHECKS.map(([what, code, fields]) => ({
  name: `${what} is ${code}, and nothing is unmapped`,
  run(t) {
    const { iommu, ioas } = iommuWithIoas(t);
    mapAt(t, iommu, ioas, 0x1_0000n, USER_BASE, PAGE);
    t.refused(code, iommu, "IOAS_UNMAP", { ioas_id: ioas, ...fields });
    equal(unmap(t, iommu, ioas, 0x1_0000n, PAGE), PAGE64);
  },
}));

const AREAS: Suite<Caller>["cases"] = [
  {
    name: "everything is from 0 on and 2^64 − 1 long, answers how much that was, and may be nothing",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      equal(unmap(t, iommu, ioas, 0n, MAX64), 0n);
      mapAt(t, iommu, ioas, 0n, USER_BASE, 3);
      mapAt(t, iommu, ioas, 0x1_0000n, USER_BASE, 2 * PAGE);
      mapAt(t, iommu, ioas, MAX64 - 1n, USER_BASE, 2);
      equal(unmap(t, iommu, ioas, 0n, MAX64), 5n + 2n * PAGE64);
      equal(unmap(t, iommu, ioas, 0n, MAX64), 0n);
    },
  },
  {
    name: "a range may be wider than the areas in it, and answers only what was mapped",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      for (const iova of [0x1_0000n, 0x1_3000n, 0x1_8000n]) mapAt(t, iommu, ioas, iova, USER_BASE, PAGE);
      equal(unmap(t, iommu, ioas, 0x1_0000n, 0x7000), 2n * PAGE64);
      equal(unmap(t, iommu, ioas, 0x100n, 0x1_8f00), PAGE64);
    },
  },
  {
    name: "a part of an area cannot go: ENOENT at its head, in its middle and at its tail",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      mapAt(t, iommu, ioas, 0x1_0000n, USER_BASE, 4 * PAGE);
      for (const [iova, length] of [[0x1_0000n, PAGE], [0x1_1000n, PAGE], [0x1_3000n, PAGE], [0x1_0001n, 4 * PAGE], [0n, 0x1_0001]]) {
        t.refused("ENOENT", iommu, "IOAS_UNMAP", { ioas_id: ioas, iova: iova!, length: length! });
      }
      equal(unmap(t, iommu, ioas, 0x1_0000n, 4 * PAGE), 4n * PAGE64);
    },
  },
  {
    name: "areas before one that reaches out of the range are gone all the same",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      mapAt(t, iommu, ioas, 0x1_0000n, USER_BASE, PAGE);
      mapAt(t, iommu, ioas, 0x1_1000n, USER_BASE, 2 * PAGE);
      t.refused("ENOENT", iommu, "IOAS_UNMAP", { ioas_id: ioas, iova: 0x1_0000n, length: 2 * PAGE });
      equal(unmap(t, iommu, ioas, 0n, MAX64), 2n * PAGE64);
    },
  },
  {
    name: "an area that reaches into the range from before is ENOENT, and what follows stays",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      mapAt(t, iommu, ioas, 0x1_0000n, USER_BASE, 2 * PAGE);
      mapAt(t, iommu, ioas, 0x1_2000n, USER_BASE, PAGE);
      t.refused("ENOENT", iommu, "IOAS_UNMAP", { ioas_id: ioas, iova: 0x1_1000n, length: 2 * PAGE });
      equal(unmap(t, iommu, ioas, 0n, MAX64), 3n * PAGE64);
    },
  },
  {
    name: "what is unmapped can be mapped again, attached or not",
    run(t) {
      const { iommu, ioas } = attached(t);
      const va = t.memory(4 * PAGE);
      for (let round = 0; round < 3; round++) {
        mapAt(t, iommu, ioas, 0x20_0000n, va, 4 * PAGE);
        equal(unmap(t, iommu, ioas, 0x20_0000n, 4 * PAGE), 4n * PAGE64);
      }
    },
  },
  {
    name: "areas side by side go together, each counted once",
    run(t) {
      const { iommu, ioas } = attached(t);
      const va = t.memory(16 * PAGE);
      for (let page = 0; page < 16; page++) mapAt(t, iommu, ioas, BigInt(page * PAGE), va + BigInt((15 - page) * PAGE), PAGE);
      equal(unmap(t, iommu, ioas, 0n, 16 * PAGE), 16n * PAGE64);
      equal(mapAnywhere(t, iommu, ioas, va, PAGE), PAGE64);
    },
  },
];

/** IOAS_UNMAP. */
export const IOAS_UNMAP_SUITE: Suite<Caller> = { name: "IOAS_UNMAP", cases: [...CHECK_CASES, ...AREAS] };
