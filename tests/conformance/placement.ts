/**
 * Where the kernel puts a mapping when the caller does not say: the very addresses, so that a recorded program finds the same ones.
 *
 * The user addresses are chosen by the cases, as placement goes by their lowest bit that is set.
 *
 * @module
 */
import { equal } from "../check.ts";
import type { Suite } from "../harness.ts";
import type { Caller } from "./caller.ts";
import { allow, attached, iommuWithIoas, mapAnywhere, mapAt, MAX64, PAGE, PAGE64, READ_WRITE, unmap, USER_BASE } from "./steps.ts";

const HUGE = 0x20_0000;
const HUGE64 = 0x20_0000n;

/** Map pieces of [offset from USER_BASE, length] one after the other. Returns where they went. */
function placed(t: Caller, iommu: number, ioas: number, pieces: readonly (readonly [number, number])[]): bigint[] {
  return pieces.map(([offset, length]) => mapAnywhere(t, iommu, ioas, USER_BASE + BigInt(offset), length));
}

const SEQUENCES: Suite<Caller>["cases"] = [
  {
    name: "single pages of one address fill up from 4096, and never take 0",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      equal(placed(t, iommu, ioas, [[0, PAGE], [0, PAGE], [0, PAGE]]), [0x1000n, 0x2000n, 0x3000n]);
    },
  },
  {
    name: "a length is aligned to the power of two above it, and shorter ones fill the gaps",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const pieces = [[0, PAGE], [0, 3 * PAGE], [0, PAGE], [0, 2 * PAGE], [0, 5 * PAGE], [0, PAGE]] as const;
      equal(placed(t, iommu, ioas, pieces), [0x1000n, 0x4000n, 0x2000n, 0x8000n, 0x1_0000n, 0x3000n]);
    },
  },
  {
    name: "the lowest bit that is set in the address limits the alignment",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const pieces = [[0x1000, 0x4000], [0x2000, 0x4000], [0x4000, 0x4000], [0x8000, 0x4000]] as const;
      equal(placed(t, iommu, ioas, pieces), [0x1000n, 0x6000n, 0xc000n, 0x1_0000n]);
    },
  },
  {
    name: "no alignment goes beyond 2 MiB",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      equal(placed(t, iommu, ioas, [[0, HUGE], [0, 4 * HUGE], [0, HUGE]]), [HUGE64, 2n * HUGE64, 6n * HUGE64]);
    },
  },
  {
    name: "address 0 has no lowest bit: the length alone decides",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      equal(mapAnywhere(t, iommu, ioas, 0n, 0x1_0000), 0x1_0000n);
      equal(mapAnywhere(t, iommu, ioas, 0n, PAGE), 0x1000n);
    },
  },
  {
    name: "an offset in the page comes back in the IOVA",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      equal(placed(t, iommu, ioas, [[0x123, 0x100], [0x200, 0x1000], [0x800, 0x1000]]), [0x1123n, 0x1600n, 0x2800n]);
    },
  },
  {
    name: "where a hole begins inside a page, the offset is set into the bits of its start and not added",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      equal(placed(t, iommu, ioas, [[0x123, 0x100], [0x123, 0x100]]), [0x1123n, 0x1323n]);
    },
  },
];

const HOLES: Suite<Caller>["cases"] = [
  {
    name: "the first hole that is long enough wins, whichever way it came to be",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      for (let page = 1n; page <= 16n; page++) mapAt(t, iommu, ioas, page * PAGE64, USER_BASE, PAGE);
      for (const page of [12n, 13n, 3n]) unmap(t, iommu, ioas, page * PAGE64, PAGE);
      equal(placed(t, iommu, ioas, [[0x1000, 2 * PAGE], [0, PAGE], [0, PAGE]]), [0xc000n, 0x3000n, 0x1_1000n]);
    },
  },
  {
    name: "a hole that alignment shrinks is passed over",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      mapAt(t, iommu, ioas, 0x2000n, USER_BASE, PAGE);
      mapAt(t, iommu, ioas, 0x7000n, USER_BASE, PAGE);
      // 0x3000 to 0x6fff are four pages, of which a multiple of 0x4000 leaves three.
      equal(placed(t, iommu, ioas, [[0, 4 * PAGE], [0x1000, 4 * PAGE]]), [0x8000n, 0x3000n]);
    },
  },
  {
    name: "with everything taken the answer is ENOSPC",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      // The last page is never given out, so that the end of a range can be computed.
      mapAt(t, iommu, ioas, 0n, 0n, 2n ** 63n);
      mapAt(t, iommu, ioas, 2n ** 63n, 0n, 2n ** 63n - PAGE64);
      t.refused("ENOSPC", iommu, "IOAS_MAP", { ioas_id: ioas, flags: READ_WRITE, user_va: USER_BASE, length: PAGE });
      unmap(t, iommu, ioas, 0n, MAX64);
      mapAnywhere(t, iommu, ioas, USER_BASE, PAGE);
    },
  },
  {
    name: "a length of 2^63 − 1 or more is EOVERFLOW",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      for (const length of [2n ** 63n - 1n, 2n ** 63n]) {
        t.refused("EOVERFLOW", iommu, "IOAS_MAP", { ioas_id: ioas, flags: READ_WRITE, user_va: 0n, length });
      }
    },
  },
  {
    name: "an IOVA in the request is no hint without FIXED_IOVA",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const fields = { ioas_id: ioas, flags: READ_WRITE, user_va: USER_BASE, length: PAGE, iova: 0x7000n };
      equal(t.do(iommu, "IOAS_MAP", fields).big("iova"), 0x1000n);
    },
  },
];

const RESTRICTED: Suite<Caller>["cases"] = [
  {
    name: "allowed ranges are searched from the lowest, whatever their order was",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      equal(allow(t, iommu, ioas, [[0x8_0000n, 0x8_2fffn], [0x4_0000n, 0x4_0fffn]]).code, "OK");
      // After these two, no two pages with an even number are left.
      equal(placed(t, iommu, ioas, [[0, PAGE], [0, PAGE]]), [0x4_0000n, 0x8_0000n]);
      t.refused("ENOSPC", iommu, "IOAS_MAP", { ioas_id: ioas, flags: READ_WRITE, user_va: USER_BASE, length: 2 * PAGE });
      equal(placed(t, iommu, ioas, [[0x1000, 2 * PAGE]]), [0x8_1000n]);
    },
  },
  {
    name: "an allowed range with 0 in it still does not give 0",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      allow(t, iommu, ioas, [[0n, 0xffffn]]);
      equal(placed(t, iommu, ioas, [[0, PAGE], [0, PAGE]]), [0x1000n, 0x2000n]);
    },
  },
  {
    name: "no room in the allowed ranges is ENOSPC, and a fixed IOVA outside them is fine",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      allow(t, iommu, ioas, [[0x4_0000n, 0x4_0fffn]]);
      t.refused("ENOSPC", iommu, "IOAS_MAP", { ioas_id: ioas, flags: READ_WRITE, user_va: USER_BASE, length: 2 * PAGE });
      mapAt(t, iommu, ioas, 0x9_0000n, USER_BASE, PAGE);
      equal(placed(t, iommu, ioas, [[0, PAGE]]), [0x4_0000n]);
      t.refused("ENOSPC", iommu, "IOAS_MAP", { ioas_id: ioas, flags: READ_WRITE, user_va: USER_BASE, length: PAGE });
    },
  },
  {
    name: "reserved ranges of devices are passed over, and free again when the device leaves",
    run(t) {
      const { iommu, ioas, device } = attached(t);
      const va = t.memory(2 * HUGE, USER_BASE);
      // From 0xfec0_0000 on there are 2 MiB below the window of interrupts at 0xfee0_0000, whose end is not aligned so.
      equal(allow(t, iommu, ioas, [[0xfec0_0000n, 0xfedf_ffffn], [0xfef0_0000n, 0xffff_ffffn]]).code, "OK");
      equal(mapAnywhere(t, iommu, ioas, va, HUGE), 0xfec0_0000n);
      equal(mapAnywhere(t, iommu, ioas, va, HUGE), 0xff00_0000n);
      equal(mapAnywhere(t, iommu, ioas, va, PAGE), 0xfef0_0000n);
      t.do(device, "DEVICE_DETACH_IOMMUFD_PT");
      allow(t, iommu, ioas, [[0xfee0_0000n, 0xfeef_ffffn]]);
      equal(mapAnywhere(t, iommu, ioas, va, PAGE), 0xfee0_0000n);
    },
  },
  {
    name: "with a page table an address in the middle of a page cannot be placed",
    run(t) {
      const { iommu, ioas } = attached(t);
      const va = t.memory(2 * PAGE);
      t.refused("EINVAL", iommu, "IOAS_MAP", { ioas_id: ioas, flags: READ_WRITE, user_va: va + 0x800n, length: PAGE });
    },
  },
];

/** Automatic placement. */
export const PLACEMENT: Suite<Caller> = { name: "placement", cases: [...SEQUENCES, ...HOLES, ...RESTRICTED] };
