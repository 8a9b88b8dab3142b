/**
 * The requests of a VFIO device file, of `<linux/vfio.h>` in Linux 7.3.
 *
 * @module
 */
import {
  ARGSZ,
  ARGSZ_ANSWERED,
  both,
  CAPABILITY_HEADER,
  fd,
  flags,
  id,
  input,
  newId,
  NO_FLAGS,
  output,
  pointer,
  reserved,
  tail,
} from "./fields.ts";
import type { Family, Names, Struct } from "./types.ts";

const DEVICE_FLAGS: Names = {
  prefix: "DEVICE_FLAGS_",
  doc: "What a device is and can do.",
  values: {
    DEVICE_FLAGS_RESET: 0x1,
    DEVICE_FLAGS_PCI: 0x2,
    DEVICE_FLAGS_PLATFORM: 0x4,
    DEVICE_FLAGS_AMBA: 0x8,
    DEVICE_FLAGS_CCW: 0x10,
    DEVICE_FLAGS_AP: 0x20,
    DEVICE_FLAGS_FSL_MC: 0x40,
    DEVICE_FLAGS_CAPS: 0x80,
    DEVICE_FLAGS_CDX: 0x100,
  },
};

const ATOMIC_WIDTHS: Names = {
  prefix: "PCI_ATOMIC_",
  doc: "Widths of PCIe atomic operations that the root completes.",
  values: { PCI_ATOMIC_COMP32: 1, PCI_ATOMIC_COMP64: 2, PCI_ATOMIC_COMP128: 4 },
};

const REGION_FLAGS: Names = {
  prefix: "REGION_INFO_FLAG_",
  doc: "What can be done with a region.",
  values: {
    REGION_INFO_FLAG_READ: 0x1,
    REGION_INFO_FLAG_WRITE: 0x2,
    REGION_INFO_FLAG_MMAP: 0x4,
    REGION_INFO_FLAG_CAPS: 0x8,
  },
};

const IRQ_FLAGS: Names = {
  prefix: "IRQ_INFO_",
  doc: "How an interrupt index behaves.",
  values: { IRQ_INFO_EVENTFD: 0x1, IRQ_INFO_MASKABLE: 0x2, IRQ_INFO_AUTOMASKED: 0x4, IRQ_INFO_NORESIZE: 0x8 },
};

const IRQ_SET_FLAGS: Names = {
  prefix: "IRQ_SET_",
  doc: "What SET_IRQS does (one action) and with which data (one kind).",
  values: {
    IRQ_SET_DATA_NONE: 0x1,
    IRQ_SET_DATA_BOOL: 0x2,
    IRQ_SET_DATA_EVENTFD: 0x4,
    IRQ_SET_ACTION_MASK: 0x8,
    IRQ_SET_ACTION_UNMASK: 0x10,
    IRQ_SET_ACTION_TRIGGER: 0x20,
  },
};

const PCI_REGIONS: Names = {
  prefix: "PCI_",
  doc: "Region indices of a PCI device.",
  values: {
    PCI_BAR0_REGION_INDEX: 0,
    PCI_BAR1_REGION_INDEX: 1,
    PCI_BAR2_REGION_INDEX: 2,
    PCI_BAR3_REGION_INDEX: 3,
    PCI_BAR4_REGION_INDEX: 4,
    PCI_BAR5_REGION_INDEX: 5,
    PCI_ROM_REGION_INDEX: 6,
    PCI_CONFIG_REGION_INDEX: 7,
    PCI_VGA_REGION_INDEX: 8,
    PCI_NUM_REGIONS: 9,
  },
};

const PCI_IRQS: Names = {
  prefix: "PCI_",
  doc: "Interrupt indices of a PCI device.",
  values: {
    PCI_INTX_IRQ_INDEX: 0,
    PCI_MSI_IRQ_INDEX: 1,
    PCI_MSIX_IRQ_INDEX: 2,
    PCI_ERR_IRQ_INDEX: 3,
    PCI_REQ_IRQ_INDEX: 4,
    PCI_NUM_IRQS: 5,
  },
};

const CAPABILITY_IDS: Names = {
  prefix: "",
  doc: "Ids of the capabilities that follow an answer.",
  values: {
    DEVICE_INFO_CAP_PCI_ATOMIC_COMP: 5,
    REGION_INFO_CAP_SPARSE_MMAP: 1,
    REGION_INFO_CAP_TYPE: 2,
    REGION_INFO_CAP_MSIX_MAPPABLE: 3,
  },
};

const HOT_RESET_FLAGS: Names = {
  prefix: "PCI_HOT_RESET_FLAG_",
  doc: "How the devices of a hot reset are named, and whether the caller owns them all.",
  values: { PCI_HOT_RESET_FLAG_DEV_ID: 1, PCI_HOT_RESET_FLAG_DEV_ID_OWNED: 2 },
};

const FEATURE_FLAGS: Names = {
  prefix: "DEVICE_FEATURE_",
  doc: "What FEATURE does with the feature whose number is in the low 16 bits.",
  values: { DEVICE_FEATURE_MASK: 0xffff, DEVICE_FEATURE_GET: 0x10000, DEVICE_FEATURE_SET: 0x20000, DEVICE_FEATURE_PROBE: 0x40000 },
};

const FEATURES: Names = {
  prefix: "DEVICE_FEATURE_",
  doc: "Numbers of features that the library knows.",
  values: {
    DEVICE_FEATURE_DMA_LOGGING_START: 6,
    DEVICE_FEATURE_DMA_LOGGING_STOP: 7,
    DEVICE_FEATURE_DMA_LOGGING_REPORT: 8,
    DEVICE_FEATURE_DMA_BUF: 11,
  },
};

const BIND_FLAGS: Names = {
  prefix: "DEVICE_BIND_FLAG_",
  doc: "Options of BIND_IOMMUFD.",
  values: { DEVICE_BIND_FLAG_TOKEN: 1 },
};

const ATTACH_FLAGS: Names = {
  prefix: "DEVICE_ATTACH_",
  doc: "Options of ATTACH_IOMMUFD_PT.",
  values: { DEVICE_ATTACH_PASID: 1 },
};

const DETACH_FLAGS: Names = {
  prefix: "DEVICE_DETACH_",
  doc: "Options of DETACH_IOMMUFD_PT.",
  values: { DEVICE_DETACH_PASID: 1 },
};

const INFO_STRUCTS: readonly Struct[] = [
  {
    name: "InfoCapHeader",
    c: "vfio_info_cap_header",
    doc: "Begins each capability that follows an answer; alone it is a capability without content.",
    fields: CAPABILITY_HEADER.map((field) => ({ ...field, c: field.name })),
  },
  {
    name: "DeviceInfo",
    c: "vfio_device_info",
    doc: "What a device is and how many regions and interrupt indices it has.",
    fields: [
      ARGSZ_ANSWERED,
      output("flags", "u32", { is: "flags", names: DEVICE_FLAGS }, "What the device is and can do."),
      output("num_regions", "u32", { is: "count" }, "Highest region index plus one."),
      output("num_irqs", "u32", { is: "count" }, "Highest interrupt index plus one."),
      output(
        "cap_offset",
        "u32",
        { is: "capabilities", structs: { 5: "DeviceInfoCapPciAtomicComp" } },
        "Offset of the first capability in the answer, 0 without one.",
      ),
      output("pad", "u32", { is: "value" }, "Fills the struct up to 64 bits."),
    ],
  },
  {
    name: "DeviceInfoCapPciAtomicComp",
    c: "vfio_device_info_cap_pci_atomic_comp",
    doc: "Capability of a device: PCIe atomic operations that the root completes.",
    fields: [
      ...CAPABILITY_HEADER,
      output("flags", "u32", { is: "flags", names: ATOMIC_WIDTHS }, "Widths that the root completes."),
      output("reserved", "u32", { is: "reserved" }, "Zero."),
    ],
  },
  {
    name: "RegionInfo",
    c: "vfio_region_info",
    doc: "Where a region is in the device file, how long it is and what can be done with it.",
    fields: [
      ARGSZ_ANSWERED,
      output("flags", "u32", { is: "flags", names: REGION_FLAGS }, "What can be done with the region."),
      input("index", "u32", { is: "index" }, "Which region."),
      output(
        "cap_offset",
        "u32",
        { is: "capabilities", structs: { 1: "RegionInfoCapSparseMmap", 2: "RegionInfoCapType", 3: "InfoCapHeader" } },
        "Offset of the first capability in the answer, 0 without one.",
      ),
      output("size", "u64", { is: "length" }, "Bytes of the region, 0 where the device has none."),
      output("offset", "u64", { is: "offset" }, "Where the region begins in the device file."),
    ],
  },
  {
    name: "RegionSparseMmapArea",
    c: "vfio_region_sparse_mmap_area",
    doc: "A part of a region that mmap takes.",
    fields: [
      output("offset", "u64", { is: "offset" }, "Where the part begins in the region."),
      output("size", "u64", { is: "length" }, "Bytes of the part."),
    ],
  },
  {
    name: "RegionInfoCapSparseMmap",
    c: "vfio_region_info_cap_sparse_mmap",
    doc: "Capability of a region: only these parts of it take mmap.",
    fields: [
      ...CAPABILITY_HEADER,
      output("nr_areas", "u32", { is: "count" }, "Number of parts that follow."),
      output("reserved", "u32", { is: "reserved" }, "Zero."),
    ],
    tails: [tail("areas", "RegionSparseMmapArea", "nr_areas", "out", { is: "value" }, "The parts.")],
  },
  {
    name: "RegionInfoCapType",
    c: "vfio_region_info_cap_type",
    doc: "Capability of a region: what a region that only this device has is for.",
    fields: [
      ...CAPABILITY_HEADER,
      output("type", "u32", { is: "value" }, "Type, unique on the device's bus."),
      output("subtype", "u32", { is: "value" }, "Subtype of that type."),
    ],
  },
];

const IRQ_STRUCTS: readonly Struct[] = [
  {
    name: "IrqInfo",
    c: "vfio_irq_info",
    doc: "How many interrupts an index has and how they behave.",
    fields: [
      ARGSZ,
      output("flags", "u32", { is: "flags", names: IRQ_FLAGS }, "How the index behaves."),
      input("index", "u32", { is: "index" }, "Which interrupt index."),
      output("count", "u32", { is: "count" }, "Interrupts of this index, 0 where the device has none."),
    ],
  },
  {
    name: "IrqSet",
    c: "vfio_irq_set",
    doc: "Masks, unmasks, triggers interrupts, or says which eventfds they signal.",
    fields: [
      ARGSZ,
      flags(IRQ_SET_FLAGS, "One kind of data and one action."),
      input("index", "u32", { is: "index" }, "Which interrupt index."),
      input("start", "u32", { is: "index" }, "First interrupt of the index."),
      input("count", "u32", { is: "count" }, "Number of interrupts. 0 with DATA_NONE and ACTION_TRIGGER switches the index off."),
    ],
    tails: [
      { ...tail("data", "u8", "count", "in", { is: "value" }, "One truth value for each interrupt."), flag: 0x2 },
      { ...tail("data", "s32", "count", "in", fd("eventfd"), "One eventfd for each interrupt, −1 for none."), flag: 0x4 },
    ],
  },
  {
    name: "PciDependentDevice",
    c: "vfio_pci_dependent_device",
    doc: "A device that a hot reset affects.",
    fields: [
      output("devid", "u32", id("device"), "Its id in the caller's iommufd, 0 if only owned, 2^32 − 1 if not owned; or its group."),
      output("segment", "u16", { is: "value" }, "PCI segment."),
      output("bus", "u8", { is: "value" }, "PCI bus."),
      output("devfn", "u8", { is: "value" }, "PCI device << 3 | function."),
    ],
  },
  {
    name: "PciHotResetInfo",
    c: "vfio_pci_hot_reset_info",
    doc: "Which devices a hot reset of this one affects.",
    fields: [
      ARGSZ_ANSWERED,
      output("flags", "u32", { is: "flags", names: HOT_RESET_FLAGS }, "How the devices are named."),
      output("count", "u32", { is: "count" }, "Number of devices."),
    ],
    tails: [tail("devices", "PciDependentDevice", "count", "out", { is: "value" }, "The devices.")],
  },
  {
    name: "PciHotReset",
    c: "vfio_pci_hot_reset",
    doc: "Resets a device together with those on its bus or slot.",
    fields: [ARGSZ, NO_FLAGS, input("count", "u32", { is: "count" }, "Number of group files that follow: 0 with an iommufd.")],
    tails: [tail("group_fds", "s32", "count", "in", fd("group"), "Files that prove ownership of the groups.")],
  },
];

const IOMMUFD_STRUCTS: readonly Struct[] = [
  {
    name: "DeviceFeature",
    c: "vfio_device_feature",
    doc: "Gets, sets or probes a feature of a device; the feature's data follows.",
    fields: [ARGSZ, flags(FEATURE_FLAGS, "The feature's number and what to do.")],
    tails: [{ name: "data", of: "u8", direction: "inout", role: { is: "value" }, doc: "The feature's data." }],
  },
  {
    name: "DmaLoggingControl",
    c: "vfio_device_feature_dma_logging_control",
    doc: "Data of DMA_LOGGING_START: what a device shall log.",
    fields: [
      both("page_size", "u64", { is: "length" }, "Bytes that a bit stands for: a wish, and what the device has taken."),
      input("num_ranges", "u32", { is: "count" }, "Number of ranges, at most 256."),
      reserved(),
      input("ranges", "u64", pointer("in", { of: "DmaLoggingRange", count: "num_ranges" }), "Address of the ranges."),
    ],
  },
  {
    name: "DmaLoggingRange",
    c: "vfio_device_feature_dma_logging_range",
    doc: "A range of I/O addresses that a device shall log its writes to.",
    fields: [
      input("iova", "u64", { is: "iova" }, "The first address."),
      input("length", "u64", { is: "length" }, "Bytes."),
    ],
  },
  {
    name: "DmaLoggingReport",
    c: "vfio_device_feature_dma_logging_report",
    doc: "Data of DMA_LOGGING_REPORT: which pages a device has written to.",
    fields: [
      input("iova", "u64", { is: "iova" }, "The first address."),
      input("length", "u64", { is: "length" }, "Bytes."),
      input("page_size", "u64", { is: "length" }, "Bytes that a bit stands for: a power of two, at least 4,096."),
      input(
        "bitmap",
        "u64",
        pointer("inout", { bitmap: { length: "length", page: "page_size" } }),
        "Address of the bitmap, whose bits are set and never cleared.",
      ),
    ],
  },
  {
    name: "DmaBuf",
    c: "vfio_device_feature_dma_buf",
    doc: "Data of DMA_BUF, whose answer is the file: which memory of a device it shares.",
    fields: [
      input("region_index", "u32", { is: "index" }, "Which BAR."),
      input("open_flags", "u32", { is: "value" }, "Flags of the file, as of open(2): how it may be mapped, O_CLOEXEC."),
      NO_FLAGS,
      input("nr_ranges", "u32", { is: "count" }, "Number of ranges that follow, 1 or more. An IOAS maps a file of one alone."),
    ],
    tails: [tail("dma_ranges", "RegionDmaRange", "nr_ranges", "in", { is: "value" }, "The ranges, in their order in the file.")],
  },
  {
    name: "RegionDmaRange",
    c: "vfio_region_dma_range",
    doc: "A part of a region that a dma-buf shares.",
    fields: [
      input("offset", "u64", { is: "offset" }, "Where it begins in the region: a multiple of 4,096."),
      input("length", "u64", { is: "length" }, "Bytes: a multiple of 4,096, not 0."),
    ],
  },
  {
    name: "DeviceBindIommufd",
    c: "vfio_device_bind_iommufd",
    doc: "Makes an iommufd the owner of a device, which makes the device's file usable.",
    fields: [
      ARGSZ,
      flags(BIND_FLAGS, "Whether a token is given."),
      input("iommufd", "s32", fd("iommufd"), "The iommufd."),
      output("out_devid", "u32", newId("device"), "The device's id in that iommufd."),
      input("token_uuid_ptr", "u64", pointer("in", { bytes: 16 }), "Address of a token of 16 bytes, with BIND_FLAG_TOKEN."),
    ],
  },
  {
    name: "DeviceAttachIommufdPt",
    c: "vfio_device_attach_iommufd_pt",
    doc: "Lets a device's DMA go through an IOAS or a hardware page table.",
    fields: [
      ARGSZ,
      flags(ATTACH_FLAGS, "Whether a PASID is given."),
      both("pt_id", "u32", id("ioas", "hwpt"), "The IOAS or page table; the answer is the page table that the device uses."),
      input("pasid", "u32", { is: "pasid" }, "The PASID, with ATTACH_PASID."),
    ],
  },
  {
    name: "DeviceDetachIommufdPt",
    c: "vfio_device_detach_iommufd_pt",
    doc: "Blocks a device's DMA again.",
    fields: [
      ARGSZ,
      flags(DETACH_FLAGS, "Whether a PASID is given."),
      input("pasid", "u32", { is: "pasid" }, "The PASID, with DETACH_PASID."),
    ],
  },
];

/** The requests of a VFIO device file. */
export const VFIO: Family = {
  name: "vfio",
  header: "linux/vfio.h",
  doc: "Requests of a VFIO device file.",
  names: [
    DEVICE_FLAGS,
    ATOMIC_WIDTHS,
    REGION_FLAGS,
    IRQ_FLAGS,
    IRQ_SET_FLAGS,
    PCI_REGIONS,
    PCI_IRQS,
    CAPABILITY_IDS,
    HOT_RESET_FLAGS,
    FEATURE_FLAGS,
    FEATURES,
    BIND_FLAGS,
    ATTACH_FLAGS,
    DETACH_FLAGS,
  ].map((names) => ({ ...names, c: "VFIO_" })),
  structs: [...INFO_STRUCTS, ...IRQ_STRUCTS, ...IOMMUFD_STRUCTS],
  requests: [
    {
      name: "DEVICE_GET_INFO",
      number: 0x3b6b,
      struct: "DeviceInfo",
      minimum: "num_irqs",
      beyond: "data",
      since: "3.6",
      doc: "What the device is.",
    },
    {
      name: "DEVICE_GET_REGION_INFO",
      number: 0x3b6c,
      struct: "RegionInfo",
      minimum: "offset",
      beyond: "data",
      since: "3.6",
      doc: "What a region is.",
    },
    {
      name: "DEVICE_GET_IRQ_INFO",
      number: 0x3b6d,
      struct: "IrqInfo",
      minimum: "count",
      beyond: "ignored",
      since: "3.6",
      doc: "What an interrupt index is.",
    },
    {
      name: "DEVICE_SET_IRQS",
      number: 0x3b6e,
      struct: "IrqSet",
      minimum: "count",
      beyond: "data",
      since: "3.6",
      doc: "Control interrupts.",
    },
    { name: "DEVICE_RESET", number: 0x3b6f, since: "3.6", doc: "Reset the device." },
    {
      name: "DEVICE_GET_PCI_HOT_RESET_INFO",
      number: 0x3b70,
      struct: "PciHotResetInfo",
      minimum: "count",
      beyond: "data",
      since: "3.12",
      doc: "Which devices a hot reset affects.",
    },
    {
      name: "DEVICE_PCI_HOT_RESET",
      number: 0x3b71,
      struct: "PciHotReset",
      minimum: "count",
      beyond: "data",
      since: "3.12",
      doc: "Reset the bus or slot of the device.",
    },
    {
      name: "DEVICE_FEATURE",
      number: 0x3b75,
      struct: "DeviceFeature",
      minimum: "flags",
      beyond: "data",
      since: "5.7",
      doc: "Get, set or probe a feature.",
    },
    {
      name: "DEVICE_BIND_IOMMUFD",
      number: 0x3b76,
      struct: "DeviceBindIommufd",
      minimum: "out_devid",
      beyond: "zero",
      since: "6.6",
      doc: "Bind the device to an iommufd.",
    },
    {
      name: "DEVICE_ATTACH_IOMMUFD_PT",
      number: 0x3b77,
      struct: "DeviceAttachIommufdPt",
      minimum: "pt_id",
      beyond: "ignored",
      since: "6.6",
      doc: "Attach the device, or replace what it is attached to.",
    },
    {
      name: "DEVICE_DETACH_IOMMUFD_PT",
      number: 0x3b78,
      struct: "DeviceDetachIommufdPt",
      minimum: "flags",
      beyond: "ignored",
      since: "6.6",
      doc: "Detach the device.",
    },
  ].map((request) => ({ ...request, c: `VFIO_${request.name}`, on: "device" }) as Family["requests"][number]),
};
