/**
 * Requests for what an IOMMU without nesting, dirty tracking and virtual IOMMUs does not have: their checks, and how they refuse.
 *
 * Where an IOMMU has the feature, the checks are the same and only the last answer differs.
 *
 * @module
 */
import { equal } from "../check.ts";
import type { Suite } from "../harness.ts";
import type { Caller } from "./caller.ts";
import type { Depends } from "./setup.ts";
import { attached, iommuWithIoas, mapAt, newHwpt, NO_ID, openBound, PAGE, USER_BASE } from "./steps.ts";

/** The request of a kernel that was built to test iommufd. */
const TEST_REQUEST: Depends<string> = {
  feature: "mock-iommu",
  with: "EOPNOTSUPP",
  without: "ENOTTY",
  why: "only a kernel with CONFIG_IOMMUFD_TEST, and the simulated one with a mock IOMMU, has it; it refuses the operation 0",
};

const DIRTY: Suite<Caller>["cases"] = [
  {
    name: "SET_DIRTY_TRACKING: an unknown flag is EOPNOTSUPP, no page table ENOENT, a table without tracking EOPNOTSUPP",
    run(t) {
      const { iommu, ioas, hwpt } = attached(t);
      t.refused("EOPNOTSUPP", iommu, "HWPT_SET_DIRTY_TRACKING", { hwpt_id: NO_ID, flags: 2 });
      for (const wrong of [NO_ID, ioas]) t.refused("ENOENT", iommu, "HWPT_SET_DIRTY_TRACKING", { hwpt_id: wrong, flags: 1 });
      for (const flags of [0, 1]) t.refused("EOPNOTSUPP", iommu, "HWPT_SET_DIRTY_TRACKING", { hwpt_id: hwpt, flags });
    },
  },
  {
    name: "GET_DIRTY_BITMAP: each check in its order, and EOPNOTSUPP for a table without tracking",
    run(t) {
      const { iommu, ioas, hwpt } = attached(t);
      const refused = (code: string, fields: Record<string, number | bigint>) =>
        t.refused(code, iommu, "HWPT_GET_DIRTY_BITMAP", { hwpt_id: hwpt, length: PAGE, page_size: PAGE, ...fields });
      refused("EOPNOTSUPP", { flags: 2, hwpt_id: NO_ID });
      refused("EOPNOTSUPP", { __reserved: 1, hwpt_id: NO_ID });
      refused("ENOENT", { hwpt_id: ioas, length: 0 });
      refused("EINVAL", { length: 0 });
      refused("EOVERFLOW", { iova: 2n ** 64n - 1n, length: 2 });
      refused("EINVAL", { iova: 1n });
      refused("EINVAL", { length: 1 });
      refused("EINVAL", { page_size: 0 });
      refused("EINVAL", { page_size: 2 * PAGE });
      refused("EOPNOTSUPP", {});
    },
  },
];

const INVALIDATE: Suite<Caller>["cases"] = [
  {
    name: "INVALIDATE always answers how many entries were done: none, on any error",
    run(t) {
      const { iommu, ioas, hwpt } = attached(t);
      const code = (fields: Record<string, number | bigint>) => {
        const answer = t.ask(iommu, "HWPT_INVALIDATE", { hwpt_id: hwpt, data_uptr: 4096n, entry_len: 16, entry_num: 1, ...fields });
        equal(answer.number("entry_num"), 0);
        return answer.code;
      };
      equal(code({ __reserved: 1, entry_len: 0 }), "EOPNOTSUPP");
      equal(code({ data_uptr: 0, hwpt_id: NO_ID }), "EINVAL");
      equal(code({ entry_len: 0, hwpt_id: NO_ID }), "EINVAL");
      equal(code({ entry_len: 4097, hwpt_id: NO_ID }), "EINVAL");
      equal(code({ entry_num: (1 << 19) + 1, hwpt_id: NO_ID }), "EINVAL");
      equal(code({ hwpt_id: NO_ID }), "ENOENT");
      equal(code({ hwpt_id: ioas }), "EINVAL");
      equal(code({ hwpt_id: hwpt }), "EINVAL");
      equal(code({ hwpt_id: hwpt, entry_num: 0 }), "EINVAL");
    },
  },
];

const VIRTUAL: Suite<Caller>["cases"] = [
  {
    name: "VIOMMU_ALLOC: flags or the default type are EOPNOTSUPP, no such device ENOENT, an IOMMU without EOPNOTSUPP",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const { id } = openBound(t, iommu);
      const hwpt = newHwpt(t, iommu, id, ioas);
      const request = { type: 1, dev_id: id, hwpt_id: hwpt };
      t.refused("EOPNOTSUPP", iommu, "VIOMMU_ALLOC", { ...request, flags: 1, dev_id: NO_ID });
      t.refused("EOPNOTSUPP", iommu, "VIOMMU_ALLOC", { ...request, type: 0, dev_id: NO_ID });
      t.refused("ENOENT", iommu, "VIOMMU_ALLOC", { ...request, dev_id: NO_ID, hwpt_id: NO_ID });
      t.refused("EOPNOTSUPP", iommu, "VIOMMU_ALLOC", { ...request, hwpt_id: NO_ID });
    },
  },
  {
    name: "VDEVICE_ALLOC without a virtual IOMMU is ENOENT",
    run(t) {
      const iommu = t.iommu();
      const { id } = openBound(t, iommu);
      for (const viommu_id of [NO_ID, id]) t.refused("ENOENT", iommu, "VDEVICE_ALLOC", { viommu_id, dev_id: id, virt_id: 1n });
    },
  },
  {
    name: "VEVENTQ_ALLOC: flags, reserved or the default type are EOPNOTSUPP, a bad depth EINVAL, no virtual IOMMU ENOENT",
    run(t) {
      const iommu = t.iommu();
      const request = { viommu_id: NO_ID, type: 1, veventq_depth: 1 };
      t.refused("EOPNOTSUPP", iommu, "VEVENTQ_ALLOC", { ...request, flags: 1, veventq_depth: 0 });
      t.refused("EOPNOTSUPP", iommu, "VEVENTQ_ALLOC", { ...request, __reserved: 1, veventq_depth: 0 });
      t.refused("EOPNOTSUPP", iommu, "VEVENTQ_ALLOC", { ...request, type: 0, veventq_depth: 0 });
      for (const veventq_depth of [0, (1 << 19) + 1]) t.refused("EINVAL", iommu, "VEVENTQ_ALLOC", { ...request, veventq_depth });
      for (const veventq_depth of [1, 1 << 19]) t.refused("ENOENT", iommu, "VEVENTQ_ALLOC", { ...request, veventq_depth });
    },
  },
  {
    name: "HW_QUEUE_ALLOC: flags or the default type are EOPNOTSUPP, no length EINVAL, overflow EOVERFLOW, no virtual IOMMU ENOENT",
    run(t) {
      const iommu = t.iommu();
      const request = { viommu_id: NO_ID, type: 1, nesting_parent_iova: 0x1000n, length: 0x1000n };
      t.refused("EOPNOTSUPP", iommu, "HW_QUEUE_ALLOC", { ...request, flags: 1, length: 0 });
      t.refused("EOPNOTSUPP", iommu, "HW_QUEUE_ALLOC", { ...request, type: 0, length: 0 });
      t.refused("EINVAL", iommu, "HW_QUEUE_ALLOC", { ...request, length: 0 });
      t.refused("EOVERFLOW", iommu, "HW_QUEUE_ALLOC", { ...request, nesting_parent_iova: 2n ** 64n - 1n, length: 2 });
      t.refused("ENOENT", iommu, "HW_QUEUE_ALLOC", request);
    },
  },
  {
    name: "IOAS_NOIOMMU_GET_PA: each check in its order, and EOPNOTSUPP for memory of a device with an IOMMU",
    run(t) {
      const { iommu, ioas, id } = attached(t);
      const iova = 0x1_0000n;
      const refused = (code: string, fields: Record<string, number | bigint>) =>
        t.refused(code, iommu, "IOAS_NOIOMMU_GET_PA", { ioas_id: ioas, iova, length: PAGE, ...fields });
      refused("EOPNOTSUPP", { flags: 1, length: 0 });
      refused("EOPNOTSUPP", { __reserved: 1, length: 0 });
      refused("EINVAL", { length: 0, iova: -1n });
      refused("EOVERFLOW", { iova: -1n, ioas_id: NO_ID });
      for (const ioas_id of [NO_ID, id]) refused("ENOENT", { ioas_id });
      refused("ENOENT", {});
      mapAt(t, iommu, ioas, iova, t.memory(PAGE), PAGE);
      refused("EOPNOTSUPP", {});
      refused("EOPNOTSUPP", { iova: iova + 0xfffn, length: -1n });
      refused("ENOENT", { iova: iova + 0x1000n });
      refused("ENOENT", { iova: iova - 1n, length: PAGE });
    },
  },
  {
    name: "IOAS_NOIOMMU_GET_PA is EOPNOTSUPP for memory that no device has",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      mapAt(t, iommu, ioas, 0x1_0000n, USER_BASE, PAGE);
      t.refused("EOPNOTSUPP", iommu, "IOAS_NOIOMMU_GET_PA", { ioas_id: ioas, iova: 0x1_0000n, length: PAGE });
    },
  },
];

const TESTING: Suite<Caller>["cases"] = [
  {
    name: "TEST_CMD is ENOTTY, where the kernel was not built to test iommufd",
    run(t) {
      t.refused(t.expected(TEST_REQUEST), t.iommu(), "TEST_CMD");
    },
  },
];

/** What needs hardware that is not there. */
export const ABSENT: Suite<Caller> = { name: "absent features", cases: [...DIRTY, ...INVALIDATE, ...VIRTUAL, ...TESTING] };
