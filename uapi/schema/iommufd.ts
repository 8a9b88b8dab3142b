/**
 * The requests of an iommufd file, of `<linux/iommufd.h>` in Linux 7.3.
 *
 * @module
 */
import { both, fd, flags, id, input, newFd, newId, NO_FLAGS, oneOf, output, pointer, reserved, SIZE } from "./fields.ts";
import { IOMMUFD_DATA } from "./iommufd_data.ts";
import * as names from "./iommufd_names.ts";
import type { Family, Field, Request, Struct } from "./types.ts";

const IOAS: Field = input("ioas_id", "u32", id("ioas"), "The IOAS.");
const VIOMMU: Field = input("viommu_id", "u32", id("viommu"), "The virtual IOMMU.");

/** The fields that MAP and MAP_FILE share at their end. */
const PLACE: readonly Field[] = [
  input("length", "u64", { is: "length" }, "Bytes to map."),
  both("iova", "u64", { is: "iova" }, "Where to map, with FIXED_IOVA; the answer is where it was mapped."),
];

const IOAS_STRUCTS: readonly Struct[] = [
  {
    name: "IoasAlloc",
    c: "iommu_ioas_alloc",
    doc: "Makes an I/O address space.",
    fields: [SIZE, NO_FLAGS, output("out_ioas_id", "u32", newId("ioas"), "The new IOAS.")],
  },
  {
    name: "IoasAllowIovas",
    c: "iommu_ioas_allow_iovas",
    doc: "Says where automatic placement may map and which addresses no device may take away.",
    fields: [
      SIZE,
      IOAS,
      input("num_iovas", "u32", { is: "count" }, "Number of ranges."),
      reserved(),
      input("allowed_iovas", "u64", pointer("in", { of: "IovaRange", count: "num_iovas" }), "Address of the ranges."),
    ],
  },
  {
    name: "IoasCopy",
    c: "iommu_ioas_copy",
    doc: "Maps memory that another IOAS, or the same, has mapped already.",
    fields: [
      SIZE,
      flags(names.MAP_FLAGS, "How to place it and what devices may do with it."),
      input("dst_ioas_id", "u32", id("ioas"), "The IOAS to map in."),
      input("src_ioas_id", "u32", id("ioas"), "The IOAS to copy from."),
      input("length", "u64", { is: "length" }, "Bytes to copy."),
      both("dst_iova", "u64", { is: "iova" }, "Where to map, with FIXED_IOVA; the answer is where it was mapped."),
      input("src_iova", "u64", { is: "iova" }, "Where it is mapped in the source."),
    ],
  },
  {
    name: "IoasIovaRanges",
    c: "iommu_ioas_iova_ranges",
    doc: "Which addresses an IOAS can map with the devices that it has now.",
    fields: [
      SIZE,
      IOAS,
      both("num_iovas", "u32", { is: "count" }, "Room for so many ranges; the answer is how many there are."),
      reserved(),
      input("allowed_iovas", "u64", pointer("out", { of: "IovaRange", count: "num_iovas" }), "Address for the ranges."),
      output("out_iova_alignment", "u64", { is: "length" }, "What addresses and lengths of mappings must be multiples of."),
    ],
  },
  {
    name: "IoasMap",
    c: "iommu_ioas_map",
    doc: "Maps memory of the process.",
    fields: [
      SIZE,
      flags(names.MAP_FLAGS, "How to place it and what devices may do with it."),
      IOAS,
      reserved(),
      input("user_va", "u64", { is: "userAddress", length: "length" }, "Address of the memory in the process."),
      ...PLACE,
    ],
  },
  {
    name: "IoasMapFile",
    c: "iommu_ioas_map_file",
    doc: "Maps memory of a memfd.",
    fields: [
      SIZE,
      flags(names.MAP_FLAGS, "How to place it and what devices may do with it."),
      IOAS,
      input("fd", "s32", fd("memfd"), "The memfd."),
      input("start", "u64", { is: "offset" }, "Where in the file the mapping begins."),
      ...PLACE,
    ],
  },
  {
    name: "IoasUnmap",
    c: "iommu_ioas_unmap",
    doc: "Unmaps whole mappings.",
    fields: [
      SIZE,
      IOAS,
      input("iova", "u64", { is: "iova" }, "First address; 0 with a length of 2^64 − 1 is everything."),
      both("length", "u64", { is: "length" }, "Bytes to unmap; the answer is how many were mapped."),
    ],
  },
  {
    name: "IoasChangeProcess",
    c: "iommu_ioas_change_process",
    doc: "Charges the pinned memory of all mappings to the calling process.",
    fields: [SIZE, reserved()],
  },
  {
    name: "IoasNoiommuGetPa",
    c: "iommu_ioas_noiommu_get_pa",
    doc: "The physical address behind an IOVA, for devices without an IOMMU.",
    fields: [
      SIZE,
      NO_FLAGS,
      IOAS,
      reserved(),
      input("iova", "u64", { is: "iova" }, "The address."),
      both("length", "u64", { is: "length" }, "Bytes asked for; the answer is how many of them are contiguous."),
      output("out_phys", "u64", { is: "physicalAddress" }, "The physical address."),
    ],
  },
];

const GENERAL_STRUCTS: readonly Struct[] = [
  {
    name: "Destroy",
    c: "iommu_destroy",
    doc: "Destroys an object that nothing uses.",
    fields: [
      SIZE,
      input("id", "u32", id("ioas", "hwpt", "fault", "viommu", "vdevice", "veventq", "hw_queue"), "The object."),
    ],
  },
  {
    name: "Option",
    c: "iommu_option",
    doc: "Reads or sets an option of an object or of the whole iommufd.",
    fields: [
      SIZE,
      input("option_id", "u32", oneOf(names.OPTIONS), "Which option."),
      input("op", "u16", oneOf(names.OPTION_OPS), "Whether to read or set it."),
      reserved("__reserved", "u16"),
      input("object_id", "u32", id("ioas"), "The object, 0 for options of the iommufd."),
      both("val64", "u64", { is: "value" }, "The value to set, or the answer."),
    ],
  },
  {
    name: "VfioIoas",
    c: "iommu_vfio_ioas",
    doc: "Reads or sets the IOAS that VFIO's older requests use.",
    fields: [
      SIZE,
      both("ioas_id", "u32", id("ioas"), "The IOAS to set, or the answer."),
      input("op", "u16", oneOf(names.VFIO_IOAS_OPS), "Whether to read, set or clear it."),
      reserved("__reserved", "u16"),
    ],
  },
];

const HWPT_STRUCTS: readonly Struct[] = [
  {
    name: "HwptAlloc",
    c: "iommu_hwpt_alloc",
    doc: "Makes a hardware page table.",
    fields: [
      SIZE,
      flags(names.HWPT_FLAGS, "What the page table must be able to do."),
      input("dev_id", "u32", id("device"), "The device whose IOMMU it is for."),
      input("pt_id", "u32", id("ioas", "hwpt", "viommu"), "What it shows: an IOAS, or nested on a page table or virtual IOMMU."),
      output("out_hwpt_id", "u32", newId("hwpt"), "The new page table."),
      reserved(),
      input("data_type", "u32", oneOf(names.HWPT_DATA), "Whose layout the data has."),
      input("data_len", "u32", { is: "length" }, "Bytes of data."),
      input("data_uptr", "u64", pointer("in", { bytes: "data_len" }), "Address of the data."),
      input("fault_id", "u32", id("fault"), "The fault queue, with FAULT_ID_VALID."),
      reserved("__reserved2"),
    ],
  },
  {
    name: "HwInfo",
    c: "iommu_hw_info",
    doc: "What the IOMMU of a device is and can do.",
    fields: [
      SIZE,
      flags(names.HW_INFO_FLAGS, "Whether a type of answer is asked for."),
      input("dev_id", "u32", id("device"), "The device."),
      both("data_len", "u32", { is: "length" }, "Bytes of room for data; the answer is how many the kernel has."),
      input("data_uptr", "u64", pointer("out", { bytes: "data_len" }), "Address for the data."),
      both("data_type", "u32", oneOf(names.HW_INFO_TYPES), "The type asked for, with INPUT_TYPE; the answer's type.", {
        c: "out_data_type",
      }),
      output("out_max_pasid_log2", "u8", { is: "value" }, "Bits of a PASID, 0 without them."),
      reserved("__reserved", "u8", { array: 3 }),
      output("out_capabilities", "u64", { is: "flags", names: names.HW_CAPABILITIES }, "What the IOMMU can do."),
    ],
  },
  {
    name: "HwptSetDirtyTracking",
    c: "iommu_hwpt_set_dirty_tracking",
    doc: "Starts or stops noting which pages devices write.",
    fields: [
      SIZE,
      flags(names.SET_DIRTY_FLAGS, "Whether writes are tracked."),
      input("hwpt_id", "u32", id("hwpt"), "The page table."),
      reserved(),
    ],
  },
  {
    name: "HwptGetDirtyBitmap",
    c: "iommu_hwpt_get_dirty_bitmap",
    doc: "Which pages devices have written.",
    fields: [
      SIZE,
      input("hwpt_id", "u32", id("hwpt"), "The page table."),
      flags(names.GET_DIRTY_FLAGS, "Whether the dirty bits stay set."),
      reserved(),
      input("iova", "u64", { is: "iova" }, "First address."),
      input("length", "u64", { is: "length" }, "Bytes asked for."),
      input("page_size", "u64", { is: "length" }, "Bytes that one bit stands for."),
      input(
        "data",
        "u64",
        pointer("inout", { bitmap: { length: "length", page: "page_size" } }),
        "Address of the bits, which are set and never cleared.",
      ),
    ],
  },
  {
    name: "HwptInvalidate",
    c: "iommu_hwpt_invalidate",
    doc: "Makes an IOMMU forget what it cached of a page table that the user keeps.",
    fields: [
      SIZE,
      input("hwpt_id", "u32", id("hwpt", "viommu"), "The nested page table or virtual IOMMU."),
      input("data_uptr", "u64", pointer("inout", { count: "entry_num", each: "entry_len" }), "Address of the entries."),
      input("data_type", "u32", oneOf(names.INVALIDATE_DATA), "Whose layout the entries have."),
      input("entry_len", "u32", { is: "length" }, "Bytes of an entry."),
      both("entry_num", "u32", { is: "count" }, "Number of entries; the answer is how many were done."),
      reserved(),
    ],
  },
];

const VIRTUAL_STRUCTS: readonly Struct[] = [
  {
    name: "FaultAlloc",
    c: "iommu_fault_alloc",
    doc: "Makes a queue for page faults.",
    fields: [
      SIZE,
      NO_FLAGS,
      output("out_fault_id", "u32", newId("fault"), "The new queue."),
      output("out_fault_fd", "u32", newFd("fault"), "Its file."),
    ],
  },
  {
    name: "ViommuAlloc",
    c: "iommu_viommu_alloc",
    doc: "Makes a virtual IOMMU: a guest's share of a physical one.",
    fields: [
      SIZE,
      NO_FLAGS,
      input("type", "u32", oneOf(names.VIOMMU_TYPES), "Which kind."),
      input("dev_id", "u32", id("device"), "The device whose IOMMU it is a share of."),
      input("hwpt_id", "u32", id("hwpt"), "The nesting parent."),
      output("out_viommu_id", "u32", newId("viommu"), "The new virtual IOMMU."),
      input("data_len", "u32", { is: "length" }, "Bytes of data."),
      reserved(),
      input("data_uptr", "u64", pointer("inout", { bytes: "data_len" }), "Address of the data of this kind."),
    ],
  },
  {
    name: "VdeviceAlloc",
    c: "iommu_vdevice_alloc",
    doc: "Makes a device known to a virtual IOMMU.",
    fields: [
      SIZE,
      VIOMMU,
      input("dev_id", "u32", id("device"), "The device."),
      output("out_vdevice_id", "u32", newId("vdevice"), "The new virtual device."),
      input("virt_id", "u64", { is: "value" }, "What the guest calls it."),
    ],
  },
  {
    name: "VeventqAlloc",
    c: "iommu_veventq_alloc",
    doc: "Makes a queue for the events of a virtual IOMMU.",
    fields: [
      SIZE,
      NO_FLAGS,
      VIOMMU,
      input("type", "u32", oneOf(names.VEVENTQ_TYPES), "Which kind of events."),
      input("veventq_depth", "u32", { is: "count" }, "Events that the queue holds."),
      output("out_veventq_id", "u32", newId("veventq"), "The new queue."),
      output("out_veventq_fd", "u32", newFd("veventq"), "Its file."),
      reserved(),
    ],
  },
  {
    name: "HwQueueAlloc",
    c: "iommu_hw_queue_alloc",
    doc: "Lets the hardware work on a queue in a guest's memory.",
    fields: [
      SIZE,
      NO_FLAGS,
      VIOMMU,
      input("type", "u32", oneOf(names.HW_QUEUE_TYPES), "Which kind of queue."),
      input("index", "u32", { is: "index" }, "Which queue of this kind."),
      output("out_hw_queue_id", "u32", newId("hw_queue"), "The new queue object."),
      input("nesting_parent_iova", "u64", { is: "iova" }, "Where the guest has the queue's memory."),
      input("length", "u64", { is: "length" }, "Bytes of that memory."),
    ],
  },
];

/** name, number behind 0x3b, struct, last field that must be there, since, what it does. */
const REQUESTS: readonly (readonly [string, number, string, string, string, string])[] = [
  ["DESTROY", 0x80, "Destroy", "id", "6.2", "Destroy an object."],
  ["IOAS_ALLOC", 0x81, "IoasAlloc", "out_ioas_id", "6.2", "Make an I/O address space."],
  ["IOAS_ALLOW_IOVAS", 0x82, "IoasAllowIovas", "allowed_iovas", "6.2", "Say where automatic placement may map."],
  ["IOAS_COPY", 0x83, "IoasCopy", "src_iova", "6.2", "Map what another IOAS has mapped."],
  ["IOAS_IOVA_RANGES", 0x84, "IoasIovaRanges", "out_iova_alignment", "6.2", "Which addresses can be mapped."],
  ["IOAS_MAP", 0x85, "IoasMap", "iova", "6.2", "Map memory of the process."],
  ["IOAS_UNMAP", 0x86, "IoasUnmap", "length", "6.2", "Unmap whole mappings."],
  ["OPTION", 0x87, "Option", "val64", "6.2", "Read or set an option."],
  ["VFIO_IOAS", 0x88, "VfioIoas", "__reserved", "6.2", "Read or set the IOAS of VFIO's older requests."],
  ["HWPT_ALLOC", 0x89, "HwptAlloc", "__reserved", "6.6", "Make a hardware page table."],
  ["GET_HW_INFO", 0x8a, "HwInfo", "__reserved", "6.6", "What a device's IOMMU is and can do."],
  ["HWPT_SET_DIRTY_TRACKING", 0x8b, "HwptSetDirtyTracking", "__reserved", "6.7", "Start or stop tracking writes."],
  ["HWPT_GET_DIRTY_BITMAP", 0x8c, "HwptGetDirtyBitmap", "data", "6.7", "Which pages devices have written."],
  ["HWPT_INVALIDATE", 0x8d, "HwptInvalidate", "__reserved", "6.8", "Invalidate caches of a nested page table."],
  ["FAULT_QUEUE_ALLOC", 0x8e, "FaultAlloc", "out_fault_fd", "6.11", "Make a queue for page faults."],
  ["IOAS_MAP_FILE", 0x8f, "IoasMapFile", "iova", "6.13", "Map memory of a memfd."],
  ["VIOMMU_ALLOC", 0x90, "ViommuAlloc", "out_viommu_id", "6.13", "Make a virtual IOMMU."],
  ["VDEVICE_ALLOC", 0x91, "VdeviceAlloc", "virt_id", "6.13", "Make a device known to a virtual IOMMU."],
  ["IOAS_CHANGE_PROCESS", 0x92, "IoasChangeProcess", "__reserved", "6.14", "Charge pinned memory to the caller."],
  ["VEVENTQ_ALLOC", 0x93, "VeventqAlloc", "out_veventq_fd", "6.15", "Make a queue for events of a virtual IOMMU."],
  ["HW_QUEUE_ALLOC", 0x94, "HwQueueAlloc", "length", "6.17", "Let the hardware work on a guest's queue."],
  ["IOAS_NOIOMMU_GET_PA", 0x95, "IoasNoiommuGetPa", "out_phys", "7.3 or before", "The physical address behind an IOVA."],
];

/** The requests of an iommufd file. */
export const IOMMUFD: Family = {
  name: "iommufd",
  header: "linux/iommufd.h",
  doc: "Requests of an iommufd file.",
  names: Object.values(names),
  structs: [...GENERAL_STRUCTS, ...IOAS_STRUCTS, ...HWPT_STRUCTS, ...VIRTUAL_STRUCTS, ...IOMMUFD_DATA],
  requests: REQUESTS.map(([name, number, struct, minimum, since, doc]): Request => ({
    name,
    c: `IOMMU_${name}`,
    number: 0x3b00 | number,
    on: "iommufd",
    struct,
    minimum,
    beyond: "zero",
    since,
    doc,
  })),
};
