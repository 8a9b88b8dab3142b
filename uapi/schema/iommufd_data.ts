/**
 * What pointers of iommufd's requests point at, and the records of its event files: of `<linux/iommufd.h>` in Linux 7.3.
 *
 * @module
 */
import { input, output, reserved } from "./fields.ts";
import {
  HW_INFO_SMMUV3_FLAGS,
  HW_INFO_VTD_FLAGS,
  PAGE_RESPONSES,
  PGFAULT_FLAGS,
  PGFAULT_PERMISSIONS,
  VEVENT_FLAGS,
  VTD_INVALIDATE_FLAGS,
  VTD_S1_FLAGS,
} from "./iommufd_names.ts";
import type { Role, Struct } from "./types.ts";

const REGISTER: Role = { is: "register" };
const VALUE: Role = { is: "value" };

const PAGE_TABLES: readonly Struct[] = [
  {
    name: "HwptVtdS1",
    c: "iommu_hwpt_vtd_s1",
    doc: "A stage-1 page table of VT-d that the user keeps.",
    fields: [
      input("flags", "u64", { is: "flags", names: VTD_S1_FLAGS }, "Options of the page table."),
      input("pgtbl_addr", "u64", { is: "iova" }, "Address of its root, translated by the nesting parent."),
      input("addr_width", "u32", VALUE, "Bits of the addresses that it translates."),
      reserved(),
    ],
  },
  {
    name: "HwptArmSmmuv3",
    c: "iommu_hwpt_arm_smmuv3",
    doc: "The user's part of a stream table entry of SMMUv3.",
    fields: [input("ste", "u64", REGISTER, "The first two double words of the entry.", { array: 2 })],
  },
  {
    name: "HwptAmdGuest",
    c: "iommu_hwpt_amd_guest",
    doc: "The guest's device table entry of an AMD IOMMU.",
    fields: [input("dte", "u64", REGISTER, "The entry.", { array: 4 })],
  },
  {
    name: "HwptVtdS1Invalidate",
    c: "iommu_hwpt_vtd_s1_invalidate",
    doc: "One invalidation in a stage-1 page table of VT-d.",
    fields: [
      input("addr", "u64", { is: "iova" }, "First address, a multiple of 4096."),
      input("npages", "u64", { is: "count" }, "Pages of 4096 bytes; 2^64 − 1 from address 0 is everything."),
      input("flags", "u32", { is: "flags", names: VTD_INVALIDATE_FLAGS }, "Whether only leaf entries are meant."),
      reserved(),
    ],
  },
  {
    name: "ViommuArmSmmuv3Invalidate",
    c: "iommu_viommu_arm_smmuv3_invalidate",
    doc: "One invalidation command of SMMUv3.",
    fields: [input("cmd", "u64", REGISTER, "The command as it would stand in the command queue.", { array: 2 })],
  },
];

const HARDWARE: readonly Struct[] = [
  {
    name: "HwInfoVtd",
    c: "iommu_hw_info_vtd",
    doc: "What an IOMMU of VT-d says of itself.",
    fields: [
      output("flags", "u32", { is: "flags", names: HW_INFO_VTD_FLAGS }, "Errata."),
      output("__reserved", "u32", { is: "reserved" }, "Zero."),
      output("cap_reg", "u64", REGISTER, "The capability register."),
      output("ecap_reg", "u64", REGISTER, "The extended capability register."),
    ],
  },
  {
    name: "HwInfoArmSmmuv3",
    c: "iommu_hw_info_arm_smmuv3",
    doc: "What an SMMUv3 says of itself.",
    fields: [
      output("flags", "u32", { is: "flags", names: HW_INFO_SMMUV3_FLAGS }, "Errata."),
      output("__reserved", "u32", { is: "reserved" }, "Zero."),
      output("idr", "u32", REGISTER, "Registers IDR0 to IDR5.", { array: 6 }),
      output("iidr", "u32", REGISTER, "Implementer and implementation."),
      output("aidr", "u32", REGISTER, "Version of the architecture."),
    ],
  },
  {
    name: "HwInfoTegra241Cmdqv",
    c: "iommu_hw_info_tegra241_cmdqv",
    doc: "What the command queue virtualisation of Tegra241 says of itself.",
    fields: [
      output("flags", "u32", { is: "flags", names: null }, "No flag is defined."),
      output("version", "u8", VALUE, "Version."),
      output("log2vcmdqs", "u8", VALUE, "Log2 of the number of virtual command queues."),
      output("log2vsids", "u8", VALUE, "Log2 of the number of stream ids that can be replaced."),
      output("__reserved", "u8", { is: "reserved" }, "Zero."),
    ],
  },
  {
    name: "HwInfoAmd",
    c: "iommu_hw_info_amd",
    doc: "What an AMD IOMMU says of itself.",
    fields: [
      output("efr", "u64", REGISTER, "The extended feature register."),
      output("efr2", "u64", REGISTER, "The second extended feature register."),
    ],
  },
  {
    name: "ViommuTegra241Cmdqv",
    c: "iommu_viommu_tegra241_cmdqv",
    doc: "Where the queues of a virtual IOMMU of Tegra241 can be mapped.",
    fields: [
      output("out_vintf_mmap_offset", "u64", { is: "offset" }, "Offset for mmap of the iommufd."),
      output("out_vintf_mmap_length", "u64", { is: "length" }, "Bytes to map."),
    ],
  },
];

const EVENTS: readonly Struct[] = [
  {
    name: "HwptPgfault",
    c: "iommu_hwpt_pgfault",
    doc: "A page fault, as read from a fault queue's file.",
    fields: [
      output("flags", "u32", { is: "flags", names: PGFAULT_FLAGS }, "What the record says."),
      output("dev_id", "u32", { is: "id", kinds: ["device"] }, "The device."),
      output("pasid", "u32", { is: "pasid" }, "The PASID, if the flag says so."),
      output("grpid", "u32", VALUE, "The group of faults that it belongs to."),
      output("perm", "u32", { is: "flags", names: PGFAULT_PERMISSIONS }, "What the access wanted."),
      output("__reserved", "u32", { is: "reserved" }, "Zero."),
      output("addr", "u64", { is: "iova" }, "The address."),
      output("length", "u32", { is: "length" }, "Bytes that the device expects to need, 0 if it does not say."),
      output("cookie", "u32", VALUE, "Names the group in the response."),
    ],
  },
  {
    name: "HwptPageResponse",
    c: "iommu_hwpt_page_response",
    doc: "The answer to a group of page faults, as written to a fault queue's file.",
    fields: [
      input("cookie", "u32", VALUE, "The cookie of the group."),
      input("code", "u32", { is: "enum", names: PAGE_RESPONSES }, "Whether the access shall be tried again."),
    ],
  },
  {
    name: "VeventHeader",
    c: "iommufd_vevent_header",
    doc: "Begins each event read from an event queue's file.",
    fields: [
      output("flags", "u32", { is: "flags", names: VEVENT_FLAGS }, "Whether events were lost."),
      output("sequence", "u32", VALUE, "Number of the event, lost ones included, from 0 to 2^31 − 1."),
    ],
  },
  {
    name: "VeventArmSmmuv3",
    c: "iommu_vevent_arm_smmuv3",
    doc: "An event of SMMUv3.",
    fields: [output("evt", "u64", REGISTER, "The event record.", { array: 4 })],
  },
  {
    name: "VeventTegra241Cmdqv",
    c: "iommu_vevent_tegra241_cmdqv",
    doc: "An error interrupt of Tegra241's command queues.",
    fields: [output("lvcmdq_err_map", "u64", REGISTER, "One bit for each queue in error.", { array: 2 })],
  },
];

/** Structs that are no request of their own. */
export const IOMMUFD_DATA: readonly Struct[] = [
  {
    name: "IovaRange",
    c: "iommu_iova_range",
    doc: "A range of I/O virtual addresses.",
    fields: [
      input("start", "u64", { is: "iova" }, "First address."),
      input("last", "u64", { is: "iova" }, "Last address, inclusive."),
    ],
  },
  ...PAGE_TABLES,
  ...HARDWARE,
  ...EVENTS,
];
