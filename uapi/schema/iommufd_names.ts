/**
 * The named constants of `<linux/iommufd.h>` in Linux 7.3.
 *
 * @module
 */
import type { Names } from "./types.ts";

/** Flags of MAP, MAP_FILE and COPY. */
export const MAP_FLAGS: Names = {
  prefix: "IOAS_MAP_",
  doc: "How a mapping is placed and what devices may do with it.",
  values: { IOAS_MAP_FIXED_IOVA: 1, IOAS_MAP_WRITEABLE: 2, IOAS_MAP_READABLE: 4 },
  c: "IOMMU_",
};

/** Which option OPTION reads or sets. */
export const OPTIONS: Names = {
  prefix: "OPTION_",
  doc: "The options.",
  values: { OPTION_RLIMIT_MODE: 0, OPTION_HUGE_PAGES: 1 },
  c: "IOMMU_",
};

/** What OPTION does. */
export const OPTION_OPS: Names = {
  prefix: "OPTION_OP_",
  doc: "What OPTION does.",
  values: { OPTION_OP_SET: 0, OPTION_OP_GET: 1 },
  c: "IOMMU_",
};

/** What VFIO_IOAS does. */
export const VFIO_IOAS_OPS: Names = {
  prefix: "VFIO_IOAS_",
  doc: "What VFIO_IOAS does.",
  values: { VFIO_IOAS_GET: 0, VFIO_IOAS_SET: 1, VFIO_IOAS_CLEAR: 2 },
  c: "IOMMU_",
};

/** Flags of HWPT_ALLOC. */
export const HWPT_FLAGS: Names = {
  prefix: "HWPT_",
  doc: "What a page table must be able to do.",
  values: { HWPT_ALLOC_NEST_PARENT: 1, HWPT_ALLOC_DIRTY_TRACKING: 2, HWPT_FAULT_ID_VALID: 4, HWPT_ALLOC_PASID: 8 },
  c: "IOMMU_",
};

/** What the data given to HWPT_ALLOC is. */
export const HWPT_DATA: Names = {
  prefix: "HWPT_DATA_",
  doc: "Whose layout the data of HWPT_ALLOC has.",
  values: { HWPT_DATA_NONE: 0, HWPT_DATA_VTD_S1: 1, HWPT_DATA_ARM_SMMUV3: 2, HWPT_DATA_AMD_GUEST: 3 },
  c: "IOMMU_",
};

/** Flags of a stage-1 page table of VT-d. */
export const VTD_S1_FLAGS: Names = {
  prefix: "VTD_S1_",
  doc: "Options of a stage-1 page table of VT-d.",
  values: { VTD_S1_SRE: 1, VTD_S1_EAFE: 2, VTD_S1_WPE: 4 },
  c: "IOMMU_",
};

/** Flags of GET_HW_INFO. */
export const HW_INFO_FLAGS: Names = {
  prefix: "HW_INFO_FLAG_",
  doc: "Options of GET_HW_INFO.",
  values: { HW_INFO_FLAG_INPUT_TYPE: 1 },
  c: "IOMMU_",
};

/** What the answer of GET_HW_INFO is. */
export const HW_INFO_TYPES: Names = {
  prefix: "HW_INFO_TYPE_",
  doc: "Whose layout the answer of GET_HW_INFO has.",
  values: {
    HW_INFO_TYPE_NONE: 0,
    HW_INFO_TYPE_DEFAULT: 0,
    HW_INFO_TYPE_INTEL_VTD: 1,
    HW_INFO_TYPE_ARM_SMMUV3: 2,
    HW_INFO_TYPE_TEGRA241_CMDQV: 3,
    HW_INFO_TYPE_AMD: 4,
  },
  c: "IOMMU_",
};

/** What the IOMMU of a device can do. */
export const HW_CAPABILITIES: Names = {
  prefix: "HW_CAP_",
  doc: "What the IOMMU of a device can do.",
  values: { HW_CAP_DIRTY_TRACKING: 1, HW_CAP_PCI_PASID_EXEC: 2, HW_CAP_PCI_PASID_PRIV: 4, HW_CAP_PCI_ATS_NOT_SUPPORTED: 8 },
  c: "IOMMU_",
};

/** Flags of VT-d's hardware information. */
export const HW_INFO_VTD_FLAGS: Names = {
  prefix: "HW_INFO_VTD_",
  doc: "Errata of VT-d hardware that the user must heed.",
  values: { HW_INFO_VTD_ERRATA_772415_SPR17: 1 },
  c: "IOMMU_",
};

/** Flags of SMMUv3's hardware information. */
export const HW_INFO_SMMUV3_FLAGS: Names = {
  prefix: "HW_INFO_ARM_SMMUV3_",
  doc: "Errata of SMMUv3 hardware that the user must heed.",
  values: { HW_INFO_ARM_SMMUV3_ERRATA_REPEAT_TLBI_CFGI: 1 },
  c: "IOMMU_",
};

/** Flags of HWPT_SET_DIRTY_TRACKING. */
export const SET_DIRTY_FLAGS: Names = {
  prefix: "HWPT_DIRTY_TRACKING_",
  doc: "Whether writes are tracked.",
  values: { HWPT_DIRTY_TRACKING_ENABLE: 1 },
  c: "IOMMU_",
};

/** Flags of HWPT_GET_DIRTY_BITMAP. */
export const GET_DIRTY_FLAGS: Names = {
  prefix: "HWPT_GET_DIRTY_BITMAP_",
  doc: "Whether reading the dirty bits leaves them set.",
  values: { HWPT_GET_DIRTY_BITMAP_NO_CLEAR: 1 },
  c: "IOMMU_",
};

/** What the entries of HWPT_INVALIDATE are. */
export const INVALIDATE_DATA: Names = {
  prefix: "",
  doc: "Whose layout the entries of HWPT_INVALIDATE have.",
  values: { HWPT_INVALIDATE_DATA_VTD_S1: 0, VIOMMU_INVALIDATE_DATA_ARM_SMMUV3: 1 },
  c: "IOMMU_",
};

/** Flags of an invalidation of VT-d. */
export const VTD_INVALIDATE_FLAGS: Names = {
  prefix: "VTD_INV_FLAGS_",
  doc: "What an invalidation of VT-d spares.",
  values: { VTD_INV_FLAGS_LEAF: 1 },
  c: "IOMMU_",
};

/** Flags of a page fault. */
export const PGFAULT_FLAGS: Names = {
  prefix: "PGFAULT_FLAGS_",
  doc: "What a page fault record says.",
  values: { PGFAULT_FLAGS_PASID_VALID: 1, PGFAULT_FLAGS_LAST_PAGE: 2 },
  c: "IOMMU_",
};

/** What the access that faulted wanted. */
export const PGFAULT_PERMISSIONS: Names = {
  prefix: "PGFAULT_PERM_",
  doc: "What the access that faulted wanted.",
  values: { PGFAULT_PERM_READ: 1, PGFAULT_PERM_WRITE: 2, PGFAULT_PERM_EXEC: 4, PGFAULT_PERM_PRIV: 8 },
  c: "IOMMU_",
};

/** Answers to a page fault. */
export const PAGE_RESPONSES: Names = {
  prefix: "PAGE_RESP_",
  doc: "Answers to a page fault.",
  values: { PAGE_RESP_SUCCESS: 0, PAGE_RESP_INVALID: 1 },
  c: "IOMMUFD_",
};

/** Kinds of virtual IOMMU. */
export const VIOMMU_TYPES: Names = {
  prefix: "VIOMMU_TYPE_",
  doc: "Kinds of virtual IOMMU.",
  values: { VIOMMU_TYPE_DEFAULT: 0, VIOMMU_TYPE_ARM_SMMUV3: 1, VIOMMU_TYPE_TEGRA241_CMDQV: 2 },
  c: "IOMMU_",
};

/** Flags of an event header. */
export const VEVENT_FLAGS: Names = {
  prefix: "VEVENTQ_FLAG_",
  doc: "What an event header says.",
  values: { VEVENTQ_FLAG_LOST_EVENTS: 1 },
  c: "IOMMU_",
};

/** Kinds of event queue. */
export const VEVENTQ_TYPES: Names = {
  prefix: "VEVENTQ_TYPE_",
  doc: "Kinds of event queue.",
  values: { VEVENTQ_TYPE_DEFAULT: 0, VEVENTQ_TYPE_ARM_SMMUV3: 1, VEVENTQ_TYPE_TEGRA241_CMDQV: 2 },
  c: "IOMMU_",
};

/** Kinds of hardware queue. */
export const HW_QUEUE_TYPES: Names = {
  prefix: "HW_QUEUE_TYPE_",
  doc: "Kinds of hardware queue.",
  values: { HW_QUEUE_TYPE_DEFAULT: 0, HW_QUEUE_TYPE_TEGRA241_CMDQV: 1 },
  c: "IOMMU_",
};
