/**
 * What of Linux 7.3's iommufd and VFIO cdev interface is covered, and how: the content of docs/coverage.md.
 *
 * Each request, object kind and constant of the two headers has a row. A test compares the rows with what the conformance suite asks of the
 * simulated machine and of Linux, with the members of the typed API and with the files that are named.
 *
 * @module
 */
import { IOMMUFD } from "../uapi/schema/iommufd.ts";
import { VFIO } from "../uapi/schema/vfio.ts";
import type { ObjectKind } from "../uapi/schema/types.ts";

/**
 * What a cell says. A text that begins with a dash is a reason why there is nothing.
 *
 * - `typed`: members of classes (`` `Ioas.map` ``) and names of options and fields (`` `pasid` ``) in backticks.
 * - `simulated`: `yes`, seen in the conformance suite as part of a request that succeeds; `refused`, seen there and refused as Linux refuses
 *   it; or the file of another test.
 * - `linux`: where the suite has it answered by Linux: `VT-d`, by QEMU's; `mock`, by the kernel's mock IOMMU; both; `refused`; or the file of another test.
 * - `example`: a file and a word in it, `examples/edu/driver.ts#attach`.
 */
export interface Row {
  /** The name of Linux without `IOMMU_` or `VFIO_`. */
  readonly name: string;
  readonly typed: string;
  readonly simulated: string;
  readonly linux: string;
  readonly example: string;
}

/** Rows with a heading. */
export interface Section {
  readonly title: string;
  readonly rows: readonly Row[];
}

type Cells = Omit<Row, "name">;

const BOTH = "VT-d, mock";
const QUICKSTART = "examples/quickstart.ts";
const MEMORY = "docs/memory.md";
const PEERS = "docs/peer_to_peer.md";
const NESTING = "docs/nesting.md";
const TABLES = "api/nested_hwpt.ts";

function cells(typed: string, example: string, linux: string = BOTH, simulated = "yes"): Cells {
  return { typed, example, linux, simulated };
}

/** Nothing anywhere, always for the same reason. */
function nothing(reason: string): Cells {
  return cells(`– ${reason}`, `– ${reason}`, `– ${reason}`, `– ${reason}`);
}

/** Refused by both kernels: there is nothing to type or to show. */
function refused(reason: string): Cells {
  return cells(`– ${reason}`, `– ${reason}`, "refused", "refused");
}

/** Of the SMMUv3's guests, by a number in the guide's program. */
function ofGuests(typed: string, number: string): Cells {
  return cells(typed, `docs/smmuv3.md#${number}`, "– no such IOMMU in the virtual machine");
}

const OTHER_IOMMU = nothing("of an IOMMU that neither the simulated machine nor the virtual machine has");
const OTHER_BUS = nothing("of devices that are on no PCI bus, which the library does not drive");
const NO_DEVICE = nothing("no device of either machine has it; the typed API hands the raw answer on");
const DIRTY_TEST = "tests/api/dirty_test.ts";
const DIRTY = "docs/dirty_tracking.md";
const NO_LOG = "– refused: vfio-pci has no such log, only drivers of devices that migrate have";

const REQUESTS: Readonly<Record<string, Cells>> = {
  DESTROY: cells("`IommuFd.destroy`", `${QUICKSTART}#using`),
  IOAS_ALLOC: cells("`IommuFd.createIoas`", `${QUICKSTART}#createIoas`),
  IOAS_ALLOW_IOVAS: cells("`Ioas.allow`", `${MEMORY}#ioas.allow`, "VT-d"),
  IOAS_COPY: cells("`Ioas.copy`", "examples/demand_paging/main.ts#.copy("),
  IOAS_IOVA_RANGES: cells("`Ioas.ranges`", `${MEMORY}#ioas.ranges`),
  IOAS_MAP: cells("`Ioas.map`, `Ioas.createDmaBuffer`, `Ioas.createDmaPool`", `${QUICKSTART}#createDmaBuffer`),
  IOAS_UNMAP: cells("`Ioas.unmap`, `Ioas.unmapAll`", `${MEMORY}#ioas.unmap`),
  OPTION: cells("`Ioas.hugePages`, `IommuFd.rlimitMode`", `${MEMORY}#hugePages`, "VT-d"),
  VFIO_IOAS: cells("`IommuFd.vfioIoas`", "api/iommu_fd.ts#vfioIoas"),
  HWPT_ALLOC: cells("`Ioas.createHwpt`, `Hwpt.createNested`, `Viommu.createNested`", `${MEMORY}#createHwpt`),
  GET_HW_INFO: cells("`BoundDevice.hwInfo`", `${MEMORY}#hwInfo`),
  HWPT_SET_DIRTY_TRACKING: cells("`Hwpt.setDirtyTracking`", `${DIRTY}#setDirtyTracking`, "mock"),
  HWPT_GET_DIRTY_BITMAP: cells("`Hwpt.dirtyBitmap`", `${DIRTY}#dirtyBitmap`, "mock"),
  HWPT_INVALIDATE: cells("`NestedHwpt.invalidate`, `NestedHwpt.invalidateRaw`, `Viommu.invalidate`", `${NESTING}#invalidate`, "mock"),
  FAULT_QUEUE_ALLOC: cells("`IommuFd.createFaultQueue`", "examples/demand_paging/main.ts#createFaultQueue"),
  IOAS_MAP_FILE: cells("`Ioas.mapFile`", `${MEMORY}#mapFile`),
  VIOMMU_ALLOC: cells("`Hwpt.createViommu`", `${NESTING}#createViommu`, "mock"),
  VDEVICE_ALLOC: cells("`Viommu.createDevice`", `${NESTING}#createDevice`, "mock"),
  IOAS_CHANGE_PROCESS: cells("`IommuFd.changeProcess`", "api/iommu_fd.ts#changeProcess", "VT-d"),
  VEVENTQ_ALLOC: cells("`Viommu.createEventQueue`", `${NESTING}#createEventQueue`, "mock"),
  HW_QUEUE_ALLOC: cells("`Viommu.createHwQueue`", "docs/nesting.md#createHwQueue", "mock"),
  IOAS_NOIOMMU_GET_PA: cells("`Ioas.physicalRange`", "docs/no_iommu.md#physicalRange", "tests/vm/no_iommu_test.ts"),
  DEVICE_GET_INFO: cells("`BoundDevice.info`", "api/bound_device.ts#DeviceInfo", "VT-d"),
  DEVICE_GET_REGION_INFO: cells("`BoundDevice.region`, `BoundDevice.bar`", `${QUICKSTART}#device.bar`, "VT-d"),
  DEVICE_GET_IRQ_INFO: cells("`BoundDevice.irq`", "examples/edu/driver.ts#.irq(", "VT-d"),
  DEVICE_SET_IRQS: cells("`Irq.enable`, `Irq.mask`, `Irq.unmask`, `Irq.trigger`, `Irq.disable`", "examples/edu/driver.ts#.enable(", "VT-d"),
  DEVICE_RESET: cells("`BoundDevice.reset`", "docs/hotplug.md#.reset(", "VT-d"),
  DEVICE_GET_PCI_HOT_RESET_INFO: cells("`BoundDevice.hotResetDevices`", "docs/hotplug.md#hotResetDevices", "VT-d"),
  DEVICE_PCI_HOT_RESET: cells("`BoundDevice.hotReset`", "docs/hotplug.md#hotReset(", "VT-d"),
  DEVICE_FEATURE: cells("`Region.exportDmaBuf`, `BoundDevice.logDma`", `${PEERS}#exportDmaBuf`, "VT-d"),
  DEVICE_BIND_IOMMUFD: cells("`DeviceFd.bind`", `${QUICKSTART}#.bind(`, "VT-d"),
  DEVICE_ATTACH_IOMMUFD_PT: cells("`BoundDevice.attach`", `${QUICKSTART}#.attach(`, "VT-d"),
  DEVICE_DETACH_IOMMUFD_PT: cells("`BoundDevice.detach`", `${MEMORY}#device.detach`, "VT-d"),
};

/** Constants by their group's prefix and first name: what holds for all of the group that have no row of their own. */
const CONSTANTS: Readonly<Record<string, Cells>> = {
  IOAS_MAP_FIXED_IOVA: cells("`iova`", `${MEMORY}#iova: 0x2_0000_0000n`),
  IOAS_MAP_WRITEABLE: cells("`write`", `${MEMORY}#write: false`),
  IOAS_MAP_READABLE: cells("`read`", `${QUICKSTART}#createDmaBuffer`),
  OPTION_RLIMIT_MODE: cells("`IommuFd.rlimitMode`", `${MEMORY}#rlimitMode`, "VT-d"),
  OPTION_HUGE_PAGES: cells("`Ioas.hugePages`", `${MEMORY}#hugePages`, "VT-d"),
  OPTION_OP_SET: cells("`Ioas.hugePages`", `${MEMORY}#small.hugePages = false`, "VT-d"),
  OPTION_OP_GET: cells("`Ioas.hugePages`", `${MEMORY}#small.hugePages}`, "VT-d"),
  VFIO_IOAS_GET: { ...REQUESTS.VFIO_IOAS!, linux: "VT-d" },
  VFIO_IOAS_SET: REQUESTS.VFIO_IOAS!,
  VFIO_IOAS_CLEAR: { ...REQUESTS.VFIO_IOAS!, linux: "VT-d" },
  HWPT_ALLOC_NEST_PARENT: cells("`nestParent`", `${NESTING}#nestParent`, "mock"),
  HWPT_ALLOC_DIRTY_TRACKING: cells("`dirtyTracking`", `${DIRTY}#dirtyTracking`, "mock"),
  HWPT_FAULT_ID_VALID: cells("`faultQueue`", "examples/demand_paging/main.ts#faultQueue"),
  HWPT_ALLOC_PASID: cells("`pasid`", `${MEMORY}#pasid: true`),
  HWPT_DATA_NONE: cells("`Ioas.createHwpt`", `${MEMORY}#createHwpt`),
  HWPT_DATA_VTD_S1: cells(
    "`Hwpt.createNested`",
    `${TABLES}#FirstStage`,
    "– QEMU's VT-d walks first-stage tables but takes none on top of a second stage",
    "tests/api/nested_test.ts",
  ),
  HWPT_DATA_ARM_SMMUV3: ofGuests("`Viommu.createNested`", "HWPT_DATA_ARM_SMMUV3"),
  HWPT_DATA_AMD_GUEST: OTHER_IOMMU,
  VTD_S1_SRE: cells("`supervisor`", `${TABLES}#supervisor`, "– as HWPT_DATA_VTD_S1", "tests/api/nested_test.ts"),
  VTD_S1_EAFE: cells(
    "`extendedAccessed`",
    `${TABLES}#extendedAccessed`,
    "– as HWPT_DATA_VTD_S1",
    "core-wasm/crates/iommufd/tests/nested.rs",
  ),
  VTD_S1_WPE: cells(
    "`writeProtect`",
    `${TABLES}#writeProtect`,
    "– as HWPT_DATA_VTD_S1",
    "– taken, without effect: no device of the machine makes requests as a supervisor",
  ),
  HW_INFO_FLAG_INPUT_TYPE: cells(
    "– asks for one of several layouts, where `BoundDevice.hwInfo` takes the IOMMU's own",
    "– not typed",
    "VT-d",
  ),
  HW_INFO_TYPE_NONE: cells("`HwInfo`", "api/hw_info.ts#none", "VT-d"),
  HW_INFO_TYPE_DEFAULT: cells("`BoundDevice.hwInfo`", `${MEMORY}#hwInfo`),
  HW_INFO_TYPE_INTEL_VTD: cells("`HwInfo`", `${MEMORY}#intel-vtd`, "VT-d"),
  HW_INFO_TYPE_ARM_SMMUV3: cells("`HwInfo`", "api/hw_info.ts#arm-smmuv3", "– no such IOMMU in the virtual machine"),
  HW_INFO_TYPE_TEGRA241_CMDQV: OTHER_IOMMU,
  HW_INFO_TYPE_AMD: cells("`HwInfo`", "api/hw_info.ts#amd", "– Linux's driver does not start on QEMU's AMD IOMMU in this virtual machine"),
  HW_CAP_DIRTY_TRACKING: cells("`dirtyTracking`", "api/hw_info.ts#dirtyTracking", "mock"),
  HW_CAP_PCI_PASID_EXEC: cells(
    "`pasidExecute`",
    "api/hw_info.ts#pasidExecute",
    "– no device of the virtual machine has it",
    "tests/api/pasid_test.ts",
  ),
  HW_CAP_PCI_PASID_PRIV: cells(
    "`pasidPrivileged`",
    "api/hw_info.ts#pasidPrivileged",
    "– no device of the virtual machine has it",
    "tests/api/pasid_test.ts",
  ),
  HW_CAP_PCI_ATS_NOT_SUPPORTED: cells("– said of what is not there; the flag is in the raw answer", "– not typed"),
  HW_INFO_VTD_ERRATA_772415_SPR17: nothing("an erratum of hardware; the field `flags` of HwInfo's VT-d registers hands it on"),
  HW_INFO_ARM_SMMUV3_ERRATA_REPEAT_TLBI_CFGI: OTHER_IOMMU,
  HWPT_DIRTY_TRACKING_ENABLE: REQUESTS.HWPT_SET_DIRTY_TRACKING!,
  HWPT_GET_DIRTY_BITMAP_NO_CLEAR: REQUESTS.HWPT_GET_DIRTY_BITMAP!,
  HWPT_INVALIDATE_DATA_VTD_S1: cells(
    "`NestedHwpt.invalidate`",
    `${NESTING}#invalidate`,
    "– as HWPT_DATA_VTD_S1",
    "tests/api/nested_test.ts",
  ),
  VIOMMU_INVALIDATE_DATA_ARM_SMMUV3: ofGuests("`Viommu.invalidate`", "VIOMMU_INVALIDATE_DATA_ARM_SMMUV3"),
  VTD_INV_FLAGS_LEAF: cells("`leavesOnly`", `${NESTING}#leavesOnly`, "– as HWPT_DATA_VTD_S1", "tests/api/nested_test.ts"),
  PGFAULT_FLAGS_PASID_VALID: cells(
    "`pasid`",
    "api/fault_queue.ts#pasid",
    "– the mock IOMMU's faults are of its PASIDs without saying so",
    "tests/api/fault_queue_test.ts",
  ),
  PGFAULT_FLAGS_LAST_PAGE: cells("`FaultQueue.take`", "examples/demand_paging/main.ts#createFaultQueue", "mock"),
  PGFAULT_PERM_READ: cells("`read`", "api/fault_queue.ts#read", "mock"),
  PGFAULT_PERM_WRITE: cells("`write`", "api/fault_queue.ts#write", "mock"),
  PGFAULT_PERM_EXEC: cells(
    "`execute`",
    "api/fault_queue.ts#execute",
    "– neither the mock IOMMU's nor the machine's devices ask to execute",
    "– Linux's VT-d driver answers a request to execute itself, as invalid (drivers/iommu/intel/prq.c), and no device model makes one",
  ),
  PGFAULT_PERM_PRIV: cells(
    "`privileged`",
    "api/fault_queue.ts#privileged",
    "– neither the mock IOMMU's nor the machine's devices are privileged",
    "– Linux's VT-d driver answers a privileged request itself, as invalid (drivers/iommu/intel/prq.c), and no device model makes one",
  ),
  PAGE_RESP_SUCCESS: cells("`FaultQueue.take`", "examples/demand_paging/main.ts#createFaultQueue", "mock"),
  PAGE_RESP_INVALID: cells("`FaultQueue.take`", "examples/demand_paging/main.ts#createFaultQueue", "mock"),
  VIOMMU_TYPE_DEFAULT: refused("the number that stands for no type"),
  VIOMMU_TYPE_ARM_SMMUV3: ofGuests("`Hwpt.createViommu`", "VIOMMU_TYPE_ARM_SMMUV3"),
  VIOMMU_TYPE_TEGRA241_CMDQV: OTHER_IOMMU,
  VEVENTQ_FLAG_LOST_EVENTS: cells("`VirtualEvent.lost`", `${NESTING}#lost`, "mock"),
  VEVENTQ_TYPE_DEFAULT: refused("the number that stands for no type"),
  VEVENTQ_TYPE_ARM_SMMUV3: { ...ofGuests("`Viommu.createEventQueue`", "VEVENTQ_TYPE_ARM_SMMUV3"), linux: "mock" },
  VEVENTQ_TYPE_TEGRA241_CMDQV: OTHER_IOMMU,
  HW_QUEUE_TYPE_DEFAULT: refused("the number that stands for no type"),
  HW_QUEUE_TYPE_TEGRA241_CMDQV: OTHER_IOMMU,
  DEVICE_FLAGS_RESET: cells("`canReset`", "api/bound_device.ts#canReset", "VT-d"),
  DEVICE_FLAGS_PCI: cells("`isPci`", "api/bound_device.ts#isPci", "VT-d"),
  DEVICE_FLAGS_PLATFORM: OTHER_BUS,
  DEVICE_FLAGS_AMBA: OTHER_BUS,
  DEVICE_FLAGS_CCW: OTHER_BUS,
  DEVICE_FLAGS_AP: OTHER_BUS,
  DEVICE_FLAGS_FSL_MC: OTHER_BUS,
  DEVICE_FLAGS_CAPS: NO_DEVICE,
  DEVICE_FLAGS_CDX: OTHER_BUS,
  PCI_ATOMIC_COMP32: NO_DEVICE,
  PCI_ATOMIC_COMP64: NO_DEVICE,
  PCI_ATOMIC_COMP128: NO_DEVICE,
  REGION_INFO_FLAG_READ: cells("`read`", "api/region.ts#read", "VT-d"),
  REGION_INFO_FLAG_WRITE: cells("`write`", "api/region.ts#write", "VT-d"),
  REGION_INFO_FLAG_MMAP: cells(
    "`mmap`",
    "api/region.ts#mmap",
    "tests/vm/mmio_test.ts",
    "– accesses reach a device model as calls: there is nothing to map",
  ),
  REGION_INFO_FLAG_CAPS: NO_DEVICE,
  IRQ_INFO_EVENTFD: cells("`Irq.enable`", "examples/edu/driver.ts#.enable(", "VT-d"),
  IRQ_INFO_MASKABLE: cells("`maskable`", "api/irq.ts#maskable", "VT-d"),
  IRQ_INFO_AUTOMASKED: cells("`automasked`", "api/irq.ts#automasked", "VT-d"),
  IRQ_INFO_NORESIZE: cells("`noResize`", "api/irq.ts#noResize", "VT-d"),
  IRQ_SET_DATA_NONE: cells("`Irq.disable`, `Irq.trigger`", "api/irq.ts#disable", "VT-d"),
  IRQ_SET_DATA_BOOL: cells("– `Irq` names vectors one by one", "– not typed", "VT-d"),
  IRQ_SET_DATA_EVENTFD: cells("`Irq.enable`", "examples/edu/driver.ts#.enable(", "VT-d"),
  IRQ_SET_ACTION_MASK: cells("`Irq.mask`", "api/irq.ts#mask(", "VT-d"),
  IRQ_SET_ACTION_UNMASK: cells("`Irq.unmask`", "api/irq.ts#unmask(", "VT-d"),
  IRQ_SET_ACTION_TRIGGER: cells("`Irq.enable`, `Irq.trigger`", "examples/edu/driver.ts#.enable(", "VT-d"),
  PCI_BAR0_REGION_INDEX: cells("`BoundDevice.bar`", `${QUICKSTART}#device.bar`, "VT-d"),
  PCI_BAR1_REGION_INDEX: cells("`BoundDevice.bar`", `${QUICKSTART}#device.bar`, "VT-d"),
  PCI_BAR2_REGION_INDEX: cells("`BoundDevice.bar`", `${QUICKSTART}#device.bar`, "VT-d"),
  PCI_BAR3_REGION_INDEX: cells("`BoundDevice.bar`", `${QUICKSTART}#device.bar`, "VT-d"),
  PCI_BAR4_REGION_INDEX: cells("`BoundDevice.bar`", `${QUICKSTART}#device.bar`, "VT-d"),
  PCI_BAR5_REGION_INDEX: cells("`BoundDevice.bar`", `${QUICKSTART}#device.bar`, "VT-d"),
  PCI_ROM_REGION_INDEX: cells("`BoundDevice.region`", "api/region.ts#expansion ROM", "VT-d"),
  PCI_CONFIG_REGION_INDEX: cells("`BoundDevice.config`", `${QUICKSTART}#device.config`, "VT-d"),
  PCI_VGA_REGION_INDEX: refused("of graphics adapters, which neither machine has"),
  PCI_NUM_REGIONS: refused("the number of indices, which is no index"),
  PCI_INTX_IRQ_INDEX: cells("`BoundDevice.irq`", "api/irq.ts#intx", "VT-d"),
  PCI_MSI_IRQ_INDEX: cells("`BoundDevice.irq`", "examples/edu/driver.ts#msi", "VT-d"),
  PCI_MSIX_IRQ_INDEX: cells("`BoundDevice.irq`", "examples/nvme/driver.ts#msix", "VT-d"),
  PCI_ERR_IRQ_INDEX: cells("`BoundDevice.irq`", "api/irq.ts#error", "VT-d"),
  PCI_REQ_IRQ_INDEX: cells("`BoundDevice.irq`", "docs/hotplug.md#request", "VT-d"),
  PCI_NUM_IRQS: refused("the number of indices, which is no index"),
  DEVICE_INFO_CAP_PCI_ATOMIC_COMP: NO_DEVICE,
  REGION_INFO_CAP_SPARSE_MMAP: NO_DEVICE,
  REGION_INFO_CAP_TYPE: NO_DEVICE,
  REGION_INFO_CAP_MSIX_MAPPABLE: NO_DEVICE,
  PCI_HOT_RESET_FLAG_DEV_ID: cells("`BoundDevice.hotResetDevices`", "docs/hotplug.md#hotResetDevices", "VT-d"),
  PCI_HOT_RESET_FLAG_DEV_ID_OWNED: cells("`HotResetDevice`", "docs/hotplug.md#hotResetDevices", "VT-d"),
  DEVICE_FEATURE_MASK: REQUESTS.DEVICE_FEATURE!,
  DEVICE_FEATURE_GET: REQUESTS.DEVICE_FEATURE!,
  DEVICE_FEATURE_SET: cells("`BoundDevice.logDma`", `${DIRTY}#logDma`, "refused", DIRTY_TEST),
  DEVICE_FEATURE_PROBE: REQUESTS.DEVICE_FEATURE!,
  DEVICE_FEATURE_DMA_LOGGING_START: cells("`BoundDevice.logDma`", `${DIRTY}#logDma`, NO_LOG, DIRTY_TEST),
  DEVICE_FEATURE_DMA_LOGGING_STOP: cells("`DmaLog`, `BoundDevice.logDma`", `${DIRTY}#logDma`, NO_LOG, DIRTY_TEST),
  DEVICE_FEATURE_DMA_LOGGING_REPORT: cells("`DmaLog.report`", `${DIRTY}#report`, NO_LOG, DIRTY_TEST),
  DEVICE_FEATURE_DMA_BUF: cells("`Region.exportDmaBuf`, `DmaBuf`", `${PEERS}#exportDmaBuf`, "VT-d"),
  DEVICE_BIND_FLAG_TOKEN: refused("of virtual functions, which neither machine has"),
  DEVICE_ATTACH_PASID: cells("`pasid`", `${MEMORY}#pasid: 5`, "VT-d"),
  DEVICE_DETACH_PASID: cells("`pasid`", `${MEMORY}#pasid: 5`, "VT-d"),
};

/** Object kinds: what makes one is a request above, so that there it is tested. */
const OBJECTS: Readonly<Record<ObjectKind, Cells>> = {
  ioas: REQUESTS.IOAS_ALLOC!,
  hwpt: REQUESTS.HWPT_ALLOC!,
  device: { ...REQUESTS.DEVICE_BIND_IOMMUFD!, linux: BOTH },
  fault: REQUESTS.FAULT_QUEUE_ALLOC!,
  viommu: REQUESTS.VIOMMU_ALLOC!,
  vdevice: REQUESTS.VDEVICE_ALLOC!,
  veventq: REQUESTS.VEVENTQ_ALLOC!,
  hw_queue: REQUESTS.HW_QUEUE_ALLOC!,
  selftest: cells("– for tests of kernels, by their bytes", "– not typed", "mock"),
};

function rows(names: readonly string[], from: Readonly<Record<string, Cells>>): Row[] {
  return names.map((name) => {
    const found = from[name];
    if (found === undefined) throw new Error(`tools/coverage.ts has no row for ${name}`);
    return { name, ...found };
  });
}

const HEADERS = [IOMMUFD, VFIO];

/** All rows, in the order of the headers. @throws {Error} where a name of the schema has no row */
export function coverage(): Section[] {
  const requests = HEADERS.map((family) => ({
    title: `Requests of \`<${family.header}>\``,
    rows: rows(family.requests.map(({ name }) => name), REQUESTS),
  }));
  const objects = { title: "Objects of an iommufd", rows: rows(Object.keys(OBJECTS), OBJECTS) };
  const constants = HEADERS.flatMap(({ names }) => names).map(({ doc, values }) => ({
    title: doc.replace(/\.$/, ""),
    rows: rows(Object.keys(values), CONSTANTS),
  }));
  return [...requests, objects, ...constants];
}

/** Names that have a row and are none of the schema's. */
export function strayNames(): string[] {
  const known = new Set(coverage().flatMap(({ rows }) => rows.map(({ name }) => name)));
  return [...Object.keys(REQUESTS), ...Object.keys(CONSTANTS)].filter((name) => !known.has(name));
}
