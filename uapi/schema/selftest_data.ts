/**
 * What pointers reach when a request meets the mock IOMMU: of `iommufd_test.h` in Linux 7.3.
 *
 * @module
 */
import { input, output } from "./fields.ts";
import { MOCK_PAGE_TABLES, TEST_INVALIDATE_FLAGS } from "./selftest_names.ts";
import type { Struct } from "./types.ts";

/** Structs that are no request of their own. */
export const SELFTEST_DATA: readonly Struct[] = [
  {
    name: "TestHwInfo",
    c: "iommu_test_hw_info",
    doc: "What the mock IOMMU says of itself.",
    fields: [
      output("flags", "u32", { is: "flags", names: null }, "No flag is defined."),
      output("test_reg", "u32", { is: "register" }, "Always HW_INFO_SELFTEST_REGVAL."),
    ],
  },
  {
    name: "HwptSelftest",
    c: "iommu_hwpt_selftest",
    doc: "How a page table of the mock IOMMU shall be.",
    fields: [
      input("iotlb", "u32", { is: "value" }, "What a nested page table's IOTLB holds at first."),
      input("pagetable_type", "u32", { is: "enum", names: MOCK_PAGE_TABLES }, "The kind of page table."),
    ],
  },
  {
    name: "HwptInvalidateSelftest",
    c: "iommu_hwpt_invalidate_selftest",
    doc: "One invalidation in a nested page table of the mock IOMMU.",
    fields: [
      input("flags", "u32", { is: "flags", names: TEST_INVALIDATE_FLAGS }, "Whether all entries are meant."),
      input("iotlb_id", "u32", { is: "index" }, "Which entry."),
    ],
  },
  {
    name: "ViommuSelftest",
    c: "iommu_viommu_selftest",
    doc: "Data of a virtual IOMMU of the mock IOMMU.",
    fields: [
      input("in_data", "u32", { is: "value" }, "Any number."),
      output("out_data", "u32", { is: "value" }, "The same number."),
      output("out_mmap_offset", "u64", { is: "offset" }, "Offset for mmap of the iommufd."),
      output("out_mmap_length", "u64", { is: "length" }, "Bytes to map."),
    ],
  },
  {
    name: "ViommuInvalidateSelftest",
    c: "iommu_viommu_invalidate_selftest",
    doc: "One invalidation in the cache of a mock device.",
    fields: [
      input("flags", "u32", { is: "flags", names: TEST_INVALIDATE_FLAGS }, "Whether all entries are meant."),
      input("vdev_id", "u32", { is: "value" }, "What the guest calls the device."),
      input("cache_id", "u32", { is: "index" }, "Which entry."),
    ],
  },
  {
    name: "ViommuEventSelftest",
    c: "iommu_viommu_event_selftest",
    doc: "An event of the mock IOMMU.",
    fields: [output("virt_id", "u32", { is: "value" }, "What the guest calls the device.")],
  },
];
