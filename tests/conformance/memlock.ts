/**
 * Accounting of pinned memory, for a process that may lock only so much (RLIMIT_MEMLOCK, without CAP_IPC_LOCK).
 *
 * @module
 */
import { check, equal } from "../check.ts";
import type { Suite } from "../harness.ts";
import type { Caller } from "./caller.ts";
import { attach, attached, detach, iommuWithIoas, mapAt, MAX64, openBound, PAGE, READ_WRITE, unmap, USER_BASE } from "./steps.ts";

function limitOf(t: Caller): number {
  check(t.setup.memlock !== undefined && t.setup.memlock >= 4 * PAGE, "the host gave no limit of at least four pages");
  return t.setup.memlock;
}

/** Accounting. The host must set a limit. */
export const MEMLOCK: Suite<Caller> = {
  name: "memlock",
  cases: [
    {
      name: "pinning up to the limit works, one page more is ENOMEM, and unmapping makes room",
      run(t) {
        const { iommu, ioas } = attached(t);
        const limit = limitOf(t);
        const va = t.memory(limit + PAGE);
        mapAt(t, iommu, ioas, 0x10_0000n, va, limit);
        const more = { ioas_id: ioas, flags: READ_WRITE, user_va: va + BigInt(limit), length: PAGE };
        t.refused("ENOMEM", iommu, "IOAS_MAP", more);
        unmap(t, iommu, ioas, 0x10_0000n, limit);
        t.do(iommu, "IOAS_MAP", more);
      },
    },
    {
      name: "one request beyond the limit is ENOMEM, and nothing stays charged",
      run(t) {
        const { iommu, ioas } = attached(t);
        const limit = limitOf(t);
        const va = t.memory(limit + PAGE);
        t.refused("ENOMEM", iommu, "IOAS_MAP", { ioas_id: ioas, flags: READ_WRITE, user_va: va, length: limit + PAGE });
        mapAt(t, iommu, ioas, 0x10_0000n, va, limit);
      },
    },
    {
      name: "pages that COPY shares are charged once, and until the last area is gone",
      run(t) {
        const { iommu, ioas } = attached(t);
        const limit = limitOf(t);
        const va = t.memory(2 * limit);
        mapAt(t, iommu, ioas, 0x10_0000n, va, limit);
        t.do(iommu, "IOAS_COPY", {
          flags: READ_WRITE | 1,
          src_ioas_id: ioas,
          dst_ioas_id: ioas,
          src_iova: 0x10_0000n,
          dst_iova: 0x80_0000n,
          length: limit,
        });
        unmap(t, iommu, ioas, 0x10_0000n, limit);
        const more = { ioas_id: ioas, flags: READ_WRITE, user_va: va + BigInt(limit), length: PAGE };
        t.refused("ENOMEM", iommu, "IOAS_MAP", more);
        unmap(t, iommu, ioas, 0x80_0000n, limit);
        t.do(iommu, "IOAS_MAP", more);
      },
    },
    {
      name: "the same memory mapped twice is charged twice",
      run(t) {
        const { iommu, ioas } = attached(t);
        const limit = limitOf(t);
        const va = t.memory(limit);
        mapAt(t, iommu, ioas, 0x10_0000n, va, limit);
        t.refused("ENOMEM", iommu, "IOAS_MAP", { ioas_id: ioas, flags: READ_WRITE, user_va: va, length: PAGE });
      },
    },
    {
      name: "nothing is charged without a page table; attaching beyond the limit is ENOMEM and attaches nothing",
      run(t) {
        const { iommu, ioas } = iommuWithIoas(t);
        const { device } = openBound(t, iommu);
        const limit = limitOf(t);
        mapAt(t, iommu, ioas, 0x10_0000n, t.memory(limit + PAGE, USER_BASE), limit + PAGE);
        t.refused("ENOMEM", device, "DEVICE_ATTACH_IOMMUFD_PT", { pt_id: ioas });
        unmap(t, iommu, ioas, 0n, MAX64);
        mapAt(t, iommu, ioas, 0x10_0000n, USER_BASE, limit);
        attach(t, device, ioas);
        t.refused("ENOMEM", iommu, "IOAS_MAP", { ioas_id: ioas, flags: READ_WRITE, user_va: USER_BASE, length: PAGE });
        detach(t, device);
        equal(unmap(t, iommu, ioas, 0n, MAX64), BigInt(limit));
      },
    },
  ],
};
