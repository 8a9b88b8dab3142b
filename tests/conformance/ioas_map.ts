/**
 * IOAS_ALLOC and IOAS_MAP: each check, in the order in which the kernel makes them.
 *
 * @module
 */
import { IOAS_MAP_READABLE, IOAS_MAP_WRITEABLE } from "../../uapi/codec.ts";
import { PROT_NONE, PROT_READ } from "../../uapi/kernel.ts";
import { equal } from "../check.ts";
import type { Case, Suite } from "../harness.ts";
import type { Caller } from "./caller.ts";
import {
  attached,
  detach,
  FIXED,
  iommuWithIoas,
  mapAt,
  MAX64,
  newIoas,
  NO_ID,
  PAGE,
  PAGE64,
  READ_WRITE,
  unmap,
  USER_BASE,
} from "./steps.ts";
import type { Fields } from "./struct.ts";

/** A mapping that is in order but for `fields`. Nothing looks at the memory while the IOAS has no page table. */
function wrong(t: Caller, code: string, fields: Fields, spoil: Fields = {}): void {
  const { iommu, ioas } = iommuWithIoas(t);
  const request = { ioas_id: ioas, flags: FIXED, user_va: USER_BASE, length: PAGE, iova: 0x10000n, ...fields };
  t.refused(code, iommu, "IOAS_MAP", request);
  // The same with something that is checked later spoilt too: the earlier check wins.
  if (Object.keys(spoil).length > 0) t.refused(code, iommu, "IOAS_MAP", { ...request, ...spoil, ...fields });
  equal(t.do(iommu, "IOAS_UNMAP", { ioas_id: ioas, length: MAX64 }).big("length"), 0n, "something was mapped");
}

/** Name, error, fields that are wrong, and fields that are wrong too but looked at later. */
const CHECKS: readonly (readonly [string, string, Fields, Fields?])[] = [
  ["an unknown flag", "EOPNOTSUPP", { flags: FIXED | 8 }, { iova: MAX64, length: 0 }],
  ["the highest flag", "EOPNOTSUPP", { flags: 0x8000_0000 | FIXED }, { ioas_id: NO_ID }],
  ["a reserved field", "EOPNOTSUPP", { __reserved: 1 }, { length: MAX64 }],
  ["an IOVA of 2^64 − 1", "EOVERFLOW", { iova: MAX64 }, { flags: 1, ioas_id: NO_ID }],
  ["a length of 2^64 − 1", "EOVERFLOW", { length: MAX64 }, { flags: 1, ioas_id: NO_ID }],
  ["neither readable nor writeable", "EINVAL", { flags: 1 }, { ioas_id: NO_ID }],
  ["no such IOAS", "ENOENT", { ioas_id: NO_ID }, { user_va: MAX64, length: 0 }],
  ["a user address that overflows with its length", "EOVERFLOW", { user_va: MAX64 - 0xffen }, { iova: 1n }],
  ["no length", "EINVAL", { length: 0 }],
  ["a length so long that its pages cannot be counted", "EINVAL", { length: MAX64 - 0xfffn, user_va: 0n }],
  ["an IOVA that overflows with its length", "EOVERFLOW", { iova: MAX64 - 0xffen }],
];

const CHECK_CASES: Case<Caller>[] = CHECKS.map(([what, code, fields, spoil]) => ({
  name: `${what} is ${code}`,
  run: (t) => wrong(t, code, fields, spoil),
}));

const ALLOC: Suite<Caller>["cases"] = [
  {
    name: "IOAS_ALLOC with any flag is EOPNOTSUPP and makes nothing",
    run(t) {
      const iommu = t.iommu();
      for (const flags of [1, 0x8000_0000]) t.refused("EOPNOTSUPP", iommu, "IOAS_ALLOC", { flags });
      equal(newIoas(t, iommu), 1);
    },
  },
];

const PLACES: Suite<Caller>["cases"] = [
  {
    name: "bytes map at any IOVA while there is no page table, 0 and the last but one address included",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      mapAt(t, iommu, ioas, 0n, USER_BASE + 5n, 1);
      mapAt(t, iommu, ioas, 1n, USER_BASE + 77n, 3);
      mapAt(t, iommu, ioas, MAX64 - 1n, USER_BASE, 2);
      equal(unmap(t, iommu, ioas, 0n, 4n), 4n);
      equal(unmap(t, iommu, ioas, MAX64 - 1n, 2n), 2n);
    },
  },
  {
    name: "an IOVA that touches a mapping by one byte is EEXIST, beside it is free",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      mapAt(t, iommu, ioas, 0x10000n, USER_BASE, 0x2000);
      const at = (iova: bigint, length: bigint) => ({ ioas_id: ioas, flags: FIXED, user_va: USER_BASE, length, iova });
      for (const [iova, length] of [[0xffffn, 2n], [0x11fffn, 1n], [0x10800n, 1n], [0n, 0x20000n]] as const) {
        t.refused("EEXIST", iommu, "IOAS_MAP", at(iova, length));
      }
      t.do(iommu, "IOAS_MAP", at(0xf000n, PAGE64));
      t.do(iommu, "IOAS_MAP", at(0x12000n, PAGE64));
    },
  },
  {
    name: "nobody looks whether the memory is there, until there is a page table",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      mapAt(t, iommu, ioas, 0n, 0n, PAGE);
      mapAt(t, iommu, ioas, 0x10000n, t.memory(PAGE, 0n, PROT_NONE), PAGE);
    },
  },
];

const ATTACHED: Suite<Caller>["cases"] = [
  {
    name: "with a page table IOVA, length and memory must be whole pages, in this order",
    run(t) {
      const { iommu, ioas } = attached(t);
      const va = t.memory(4 * PAGE);
      const request = { ioas_id: ioas, flags: FIXED, user_va: va, length: PAGE, iova: 0x10000n };
      for (const length of [1, 0x800, 0x1800]) t.refused("EINVAL", iommu, "IOAS_MAP", { ...request, length });
      for (const iova of [0x10001n, 0x10800n]) t.refused("EINVAL", iommu, "IOAS_MAP", { ...request, iova });
      for (const offset of [1n, 0x800n]) t.refused("EINVAL", iommu, "IOAS_MAP", { ...request, user_va: va + offset });
      mapAt(t, iommu, ioas, 0x10000n, va, PAGE);
      t.refused("EINVAL", iommu, "IOAS_MAP", { ...request, iova: 0x10800n });
      t.refused("EEXIST", iommu, "IOAS_MAP", { ...request, user_va: va + 1n });
    },
  },
  {
    name: "an address that is reserved for a device is EINVAL, also where a mapping is in the way too",
    run(t) {
      const { iommu, ioas } = attached(t);
      const va = t.memory(2 * PAGE);
      mapAt(t, iommu, ioas, 0xfedf_f000n, va, PAGE);
      const request = { ioas_id: ioas, flags: FIXED, user_va: va, length: PAGE };
      t.refused("EINVAL", iommu, "IOAS_MAP", { ...request, iova: 0xfee0_0000n });
      t.refused("EINVAL", iommu, "IOAS_MAP", { ...request, iova: 0xfeef_f000n });
      t.refused("EINVAL", iommu, "IOAS_MAP", { ...request, iova: 0xfedf_f000n, length: 2 * PAGE });
      mapAt(t, iommu, ioas, 0xfef0_0000n, va, PAGE);
    },
  },
  {
    name: "an address beyond what the IOMMU translates is EINVAL",
    run(t) {
      const { iommu, ioas } = attached(t);
      const va = t.memory(2 * PAGE);
      const end = t.setup.apertureLast + 1n;
      const request = { ioas_id: ioas, flags: FIXED, user_va: va };
      t.refused("EINVAL", iommu, "IOAS_MAP", { ...request, length: PAGE, iova: end });
      t.refused("EINVAL", iommu, "IOAS_MAP", { ...request, length: 2 * PAGE, iova: end - PAGE64 });
      mapAt(t, iommu, ioas, end - PAGE64, va, PAGE);
    },
  },
  {
    name: "memory that is not there, or does not allow what devices may do, is EFAULT and maps nothing",
    run(t) {
      const { iommu, ioas } = attached(t);
      const request = { ioas_id: ioas, flags: FIXED, length: PAGE, iova: 0x10000n };
      const hole = t.memory(2 * PAGE);
      t.kernel.munmap(hole + PAGE64, PAGE);
      t.refused("EFAULT", iommu, "IOAS_MAP", { ...request, user_va: 0n });
      t.refused("EFAULT", iommu, "IOAS_MAP", { ...request, user_va: hole, length: 2 * PAGE });
      t.refused("EFAULT", iommu, "IOAS_MAP", { ...request, user_va: t.memory(PAGE, 0n, PROT_NONE) });
      const readOnly = t.memory(PAGE, 0n, PROT_READ);
      t.refused("EFAULT", iommu, "IOAS_MAP", { ...request, user_va: readOnly });
      mapAt(t, iommu, ioas, 0x10000n, readOnly, PAGE, IOAS_MAP_READABLE);
      equal(unmap(t, iommu, ioas, 0n, MAX64), PAGE64);
    },
  },
  {
    name: "memory that is unmapped while a device may use it stays until it is unmapped from the IOAS",
    run(t) {
      const { iommu, ioas } = attached(t);
      const va = t.memory(PAGE);
      mapAt(t, iommu, ioas, 0x10000n, va, PAGE);
      t.kernel.munmap(va, PAGE);
      equal(t.kernel.view(va, PAGE).length, 0);
      equal(unmap(t, iommu, ioas, 0x10000n, PAGE), PAGE64);
    },
  },
  {
    name: "pages need not be whole any more when the last page table is gone",
    run(t) {
      const { iommu, ioas, device } = attached(t);
      const request = { ioas_id: ioas, flags: IOAS_MAP_WRITEABLE | 1, user_va: USER_BASE + 3n, length: 5, iova: 0x10003n };
      t.refused("EINVAL", iommu, "IOAS_MAP", request);
      detach(t, device);
      t.do(iommu, "IOAS_MAP", request);
    },
  },
  {
    name: "one area for reading and one for writing",
    run(t) {
      const { iommu, ioas } = attached(t);
      const va = t.memory(2 * PAGE);
      mapAt(t, iommu, ioas, 0n, va, PAGE, IOAS_MAP_READABLE);
      mapAt(t, iommu, ioas, PAGE64, va + PAGE64, PAGE, IOAS_MAP_WRITEABLE);
      mapAt(t, iommu, ioas, 2n * PAGE64, va, 2 * PAGE, READ_WRITE);
      equal(unmap(t, iommu, ioas, 0n, 4n * PAGE64), 4n * PAGE64);
    },
  },
];

/** IOAS_ALLOC, IOAS_MAP. */
export const IOAS_MAP_SUITE: Suite<Caller> = { name: "IOAS_MAP", cases: [...ALLOC, ...CHECK_CASES, ...PLACES, ...ATTACHED] };
