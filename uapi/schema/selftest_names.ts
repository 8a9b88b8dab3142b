/**
 * The named constants of `iommufd_test.h` in Linux 7.3.
 *
 * @module
 */
import type { Names } from "./types.ts";

/** What a test request does. */
export const TEST_OPS: Names = {
  prefix: "TEST_OP_",
  doc: "What a test request does.",
  values: {
    TEST_OP_ADD_RESERVED: 1,
    TEST_OP_MOCK_DOMAIN: 2,
    TEST_OP_MD_CHECK_MAP: 3,
    TEST_OP_MD_CHECK_REFS: 4,
    TEST_OP_CREATE_ACCESS: 5,
    TEST_OP_DESTROY_ACCESS_PAGES: 6,
    TEST_OP_ACCESS_PAGES: 7,
    TEST_OP_ACCESS_RW: 8,
    TEST_OP_SET_TEMP_MEMORY_LIMIT: 9,
    TEST_OP_MOCK_DOMAIN_REPLACE: 10,
    TEST_OP_ACCESS_REPLACE_IOAS: 11,
    TEST_OP_MOCK_DOMAIN_FLAGS: 12,
    TEST_OP_DIRTY: 13,
    TEST_OP_MD_CHECK_IOTLB: 14,
    TEST_OP_TRIGGER_IOPF: 15,
    TEST_OP_DEV_CHECK_CACHE: 16,
    TEST_OP_TRIGGER_VEVENT: 17,
    TEST_OP_PASID_ATTACH: 18,
    TEST_OP_PASID_REPLACE: 19,
    TEST_OP_PASID_DETACH: 20,
    TEST_OP_PASID_CHECK_HWPT: 21,
    TEST_OP_DMABUF_GET: 22,
    TEST_OP_DMABUF_REVOKE: 23,
  },
  c: "IOMMU_",
};

/** Kinds of page table of a mock IOMMU. */
export const MOCK_PAGE_TABLES: Names = {
  prefix: "MOCK_IOMMUPT_",
  doc: "Kinds of page table of a mock IOMMU.",
  values: { MOCK_IOMMUPT_DEFAULT: 0, MOCK_IOMMUPT_HUGE: 1 },
};

/** What a page table of the default kind can translate. */
export const MOCK_LIMITS: Names = {
  prefix: "MOCK_",
  doc: "What a mock IOMMU's page table of the default kind can translate.",
  values: { MOCK_APERTURE_START: 0x100_0000, MOCK_APERTURE_LAST: 0x7fff_ffff, MOCK_PAGE_SIZE: 2048, MOCK_HUGE_PAGE_SIZE: 0x10_0000 },
};

/** What a mock device lacks or has. */
export const MOCK_DEVICE_FLAGS: Names = {
  prefix: "MOCK_FLAGS_DEVICE_",
  doc: "What a mock device lacks or has.",
  values: { MOCK_FLAGS_DEVICE_NO_DIRTY: 1, MOCK_FLAGS_DEVICE_PASID: 4 },
};

/** How an access object uses memory. */
export const MOCK_CREATE_ACCESS_FLAGS: Names = {
  prefix: "MOCK_FLAGS_ACCESS_CREATE_",
  doc: "How an access object uses memory.",
  values: { MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES: 1 },
};

/** How an access object pins pages. */
export const MOCK_ACCESS_FLAGS: Names = {
  prefix: "MOCK_FLAGS_ACCESS_",
  doc: "How an access object pins pages.",
  values: { MOCK_FLAGS_ACCESS_WRITE: 1, MOCK_FLAGS_ACCESS_SYZ: 0x1_0000 },
};

/** How an access object copies. */
export const MOCK_ACCESS_RW_FLAGS: Names = {
  prefix: "MOCK_ACCESS_RW_",
  doc: "How an access object copies.",
  values: { MOCK_ACCESS_RW_WRITE: 1, MOCK_ACCESS_RW_SLOW_PATH: 4 },
};

/** How many entries the mock caches have. */
export const MOCK_CACHES: Names = {
  prefix: "MOCK_",
  doc: "How many entries the caches of a mock IOMMU and of a mock device have.",
  values: { MOCK_NESTED_DOMAIN_IOTLB_ID_MAX: 3, MOCK_NESTED_DOMAIN_IOTLB_NUM: 4, MOCK_DEV_CACHE_ID_MAX: 3, MOCK_DEV_CACHE_NUM: 4 },
};

/** Constants of the mock IOMMU. */
export const TEST_VALUES: Names = {
  prefix: "",
  doc: "Types and first values of the mock IOMMU.",
  values: {
    TEST_PASID_RESERVED: 1024,
    HW_INFO_TYPE_SELFTEST: 0xfeed_beef,
    HW_INFO_SELFTEST_REGVAL: 0xdead_beef,
    HWPT_DATA_SELFTEST: 0xdead,
    TEST_IOTLB_DEFAULT: 0xbad_beef,
    TEST_DEV_CACHE_DEFAULT: 0xba_ddad,
    HWPT_INVALIDATE_DATA_SELFTEST: 0xdead_beef,
    HWPT_INVALIDATE_DATA_SELFTEST_INVALID: 0xdad_beef,
    VIOMMU_TYPE_SELFTEST: 0xdead_beef,
    VIOMMU_INVALIDATE_DATA_SELFTEST: 0xdead_beef,
    VIOMMU_INVALIDATE_DATA_SELFTEST_INVALID: 0xdad_beef,
    VEVENTQ_TYPE_SELFTEST: 0xbeef_beef,
    HW_QUEUE_TYPE_SELFTEST: 0xdead_beef,
    TEST_HW_QUEUE_MAX: 2,
  },
  c: "IOMMU_",
};

/** What an invalidation of the mock IOMMU reaches. */
export const TEST_INVALIDATE_FLAGS: Names = {
  prefix: "TEST_INVALIDATE_FLAG_",
  doc: "What an invalidation of the mock IOMMU reaches.",
  values: { TEST_INVALIDATE_FLAG_ALL: 1 },
  c: "IOMMU_",
};

/** How wide a PASID of a mock device is. */
export const MOCK_PASID: Names = {
  prefix: "MOCK_",
  doc: "Bits of a PASID of a mock device.",
  values: { MOCK_PASID_WIDTH: 20 },
};
