/**
 * The requests of VFIO's older files, groups and containers, and of the IOMMU interface "type1", of `<linux/vfio.h>` in Linux 7.3.
 *
 * Their numbers are also those of requests to a device's file: which one is meant follows from the file. So they are not in the look-up by number.
 *
 * @module
 */
import { ARGSZ, ARGSZ_ANSWERED, both, CAPABILITY_HEADER, fd, flags, input, output, tail } from "./fields.ts";
import type { Family, Names, Struct } from "./types.ts";

const EXTENSIONS: Names = {
  prefix: "",
  doc: "What CHECK_EXTENSION asks for; the first four are also what SET_IOMMU takes.",
  values: {
    TYPE1_IOMMU: 1,
    SPAPR_TCE_IOMMU: 2,
    TYPE1v2_IOMMU: 3,
    DMA_CC_IOMMU: 4,
    NOIOMMU_IOMMU: 8,
    UNMAP_ALL: 9,
    UPDATE_VADDR: 10,
  },
};

const GROUP_FLAGS: Names = {
  prefix: "GROUP_FLAGS_",
  doc: "State of a group.",
  values: { GROUP_FLAGS_VIABLE: 1, GROUP_FLAGS_CONTAINER_SET: 2 },
};

const INFO_FLAGS: Names = {
  prefix: "IOMMU_INFO_",
  doc: "Which parts of the answer of IOMMU_GET_INFO are there.",
  values: { IOMMU_INFO_PGSIZES: 1, IOMMU_INFO_CAPS: 2 },
};

const INFO_CAPABILITIES: Names = {
  prefix: "IOMMU_TYPE1_INFO_",
  doc: "Ids of the capabilities that follow the answer of IOMMU_GET_INFO.",
  values: { IOMMU_TYPE1_INFO_CAP_IOVA_RANGE: 1, IOMMU_TYPE1_INFO_CAP_MIGRATION: 2, IOMMU_TYPE1_INFO_DMA_AVAIL: 3 },
};

const MAP_FLAGS: Names = {
  prefix: "DMA_MAP_FLAG_",
  doc: "What devices may do with a mapping.",
  values: { DMA_MAP_FLAG_READ: 1, DMA_MAP_FLAG_WRITE: 2, DMA_MAP_FLAG_VADDR: 4 },
};

const UNMAP_FLAGS: Names = {
  prefix: "DMA_UNMAP_FLAG_",
  doc: "Options of IOMMU_UNMAP_DMA.",
  values: { DMA_UNMAP_FLAG_GET_DIRTY_BITMAP: 1, DMA_UNMAP_FLAG_ALL: 2, DMA_UNMAP_FLAG_VADDR: 4 },
};

const STRUCTS: readonly Struct[] = [
  {
    name: "GroupStatus",
    c: "vfio_group_status",
    doc: "Whether a group can be used.",
    fields: [ARGSZ, output("flags", "u32", { is: "flags", names: GROUP_FLAGS }, "State of the group.")],
  },
  {
    name: "GroupContainer",
    doc: "The container of a group: a number alone.",
    fields: [input("container", "s32", fd("container"), "The container.")],
  },
  {
    name: "IommuType1Info",
    c: "vfio_iommu_type1_info",
    doc: "What the IOMMU of a container can map.",
    fields: [
      ARGSZ_ANSWERED,
      output("flags", "u32", { is: "flags", names: INFO_FLAGS }, "Which parts of the answer are there."),
      output("iova_pgsizes", "u64", { is: "value" }, "Page sizes, bit n for 2^n bytes."),
      output(
        "cap_offset",
        "u32",
        {
          is: "capabilities",
          structs: { 1: "IommuType1InfoCapIovaRange", 2: "InfoCapHeader", 3: "IommuType1InfoDmaAvail" },
        },
        "Offset of the first capability in the answer, 0 without one.",
      ),
      output("pad", "u32", { is: "value" }, "Fills the struct up to 64 bits."),
    ],
  },
  {
    name: "VfioIovaRange",
    c: "vfio_iova_range",
    doc: "Addresses that can be mapped.",
    fields: [
      output("start", "u64", { is: "iova" }, "The first."),
      output("end", "u64", { is: "iova" }, "The last: inclusive, whatever its name says."),
    ],
  },
  {
    name: "IommuType1InfoCapIovaRange",
    c: "vfio_iommu_type1_info_cap_iova_range",
    doc: "Capability of a container: the addresses that can be mapped, without those that its devices reserve.",
    fields: [
      ...CAPABILITY_HEADER,
      output("nr_iovas", "u32", { is: "count" }, "Number of ranges that follow."),
      output("reserved", "u32", { is: "reserved" }, "Zero."),
    ],
    tails: [tail("iova_ranges", "VfioIovaRange", "nr_iovas", "out", { is: "value" }, "The ranges, ascending.")],
  },
  {
    name: "IommuType1InfoDmaAvail",
    c: "vfio_iommu_type1_info_dma_avail",
    doc: "Capability of a container: how many mappings it still takes.",
    fields: [...CAPABILITY_HEADER, output("avail", "u32", { is: "count" }, "Mappings that can be added.")],
  },
  {
    name: "IommuType1DmaMap",
    c: "vfio_iommu_type1_dma_map",
    doc: "Maps memory of the process for all devices of the container's groups, and pins it.",
    fields: [
      ARGSZ,
      flags(MAP_FLAGS, "What devices may do."),
      input("vaddr", "u64", { is: "userAddress", length: "size" }, "Address of the memory in the process."),
      input("iova", "u64", { is: "iova" }, "Where to map it."),
      input("size", "u64", { is: "length" }, "Bytes."),
    ],
  },
  {
    name: "IommuType1DmaUnmap",
    c: "vfio_iommu_type1_dma_unmap",
    doc: "Removes mappings that lie wholly in a range.",
    fields: [
      ARGSZ,
      flags(UNMAP_FLAGS, "Options."),
      input("iova", "u64", { is: "iova" }, "Where the range begins."),
      both("size", "u64", { is: "length" }, "Bytes of the range; the answer is how many were unmapped."),
    ],
  },
];

/** The requests of groups and containers. */
export const TYPE1: Family = {
  name: "type1",
  header: "linux/vfio.h",
  doc: "Requests of VFIO's groups and containers.",
  names: [EXTENSIONS, GROUP_FLAGS, INFO_FLAGS, INFO_CAPABILITIES, MAP_FLAGS, UNMAP_FLAGS].map((names) => ({ ...names, c: "VFIO_" })),
  structs: STRUCTS,
  requests: ([
    { name: "GET_API_VERSION", number: 0x3b64, on: "container", since: "3.6", doc: "Answers 0, the version of the interface." },
    {
      name: "CHECK_EXTENSION",
      number: 0x3b65,
      on: "container",
      since: "3.6",
      doc: "Whether the kernel has an extension, whose number is the argument.",
    },
    {
      name: "SET_IOMMU",
      number: 0x3b66,
      on: "container",
      since: "3.6",
      doc: "Choose the IOMMU interface, whose number is the argument. A group must be in the container.",
    },
    {
      name: "GROUP_GET_STATUS",
      number: 0x3b67,
      on: "group",
      struct: "GroupStatus",
      minimum: "flags",
      beyond: "ignored",
      since: "3.6",
      doc: "Whether the group can be used.",
    },
    {
      name: "GROUP_SET_CONTAINER",
      number: 0x3b68,
      on: "group",
      struct: "GroupContainer",
      minimum: "container",
      beyond: "ignored",
      since: "3.6",
      doc: "Put the group into a container.",
    },
    { name: "GROUP_UNSET_CONTAINER", number: 0x3b69, on: "group", since: "3.6", doc: "Take the group out of its container." },
    {
      name: "GROUP_GET_DEVICE_FD",
      number: 0x3b6a,
      on: "group",
      since: "3.6",
      doc:
        "Open a device of the group. The argument is the address of its name, a PCI address with a zero byte behind; the answer is the fd.",
    },
    {
      name: "IOMMU_GET_INFO",
      number: 0x3b70,
      on: "container",
      struct: "IommuType1Info",
      minimum: "iova_pgsizes",
      beyond: "data",
      since: "3.6",
      doc: "What can be mapped.",
    },
    {
      name: "IOMMU_MAP_DMA",
      number: 0x3b71,
      on: "container",
      struct: "IommuType1DmaMap",
      minimum: "size",
      beyond: "ignored",
      since: "3.6",
      doc: "Map memory.",
    },
    {
      name: "IOMMU_UNMAP_DMA",
      number: 0x3b72,
      on: "container",
      struct: "IommuType1DmaUnmap",
      minimum: "size",
      beyond: "ignored",
      since: "3.6",
      doc: "Unmap memory.",
    },
  ] as const).map((request) => ({ ...request, c: `VFIO_${request.name}` })),
};
