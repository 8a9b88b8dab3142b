// GENERATED from uapi/schema by `deno task generate`, do not edit. Source hash: e4797ac1a0668d8e
/**
 * Reads and writes the structs of all requests: straight-line code, since a table interpreted at each call costs ten times as much.
 *
 * `putX` writes a whole struct at `at`, its size and its reserved fields included; `getX` reads it; `getXField` reads one field that the
 * kernel answers. 64-bit fields are bigints, all others numbers. Names are Linux's without `IOMMU_` and `VFIO_`.
 *
 * @module
 */

/** What `put` takes: fields that only the kernel writes may be left out and are then zero. */
export type Put<T, Out extends keyof T> = Omit<T, Out> & Partial<Pick<T, Out>>;

/** Request: Destroy an object. */
export const DESTROY = 0x3b80;
/** Request: Make an I/O address space. */
export const IOAS_ALLOC = 0x3b81;
/** Request: Say where automatic placement may map. */
export const IOAS_ALLOW_IOVAS = 0x3b82;
/** Request: Map what another IOAS has mapped. */
export const IOAS_COPY = 0x3b83;
/** Request: Which addresses can be mapped. */
export const IOAS_IOVA_RANGES = 0x3b84;
/** Request: Map memory of the process. */
export const IOAS_MAP = 0x3b85;
/** Request: Unmap whole mappings. */
export const IOAS_UNMAP = 0x3b86;
/** Request: Read or set an option. */
export const OPTION = 0x3b87;
/** Request: Read or set the IOAS of VFIO's older requests. */
export const VFIO_IOAS = 0x3b88;
/** Request: Make a hardware page table. */
export const HWPT_ALLOC = 0x3b89;
/** Request: What a device's IOMMU is and can do. */
export const GET_HW_INFO = 0x3b8a;
/** Request: Start or stop tracking writes. */
export const HWPT_SET_DIRTY_TRACKING = 0x3b8b;
/** Request: Which pages devices have written. */
export const HWPT_GET_DIRTY_BITMAP = 0x3b8c;
/** Request: Invalidate caches of a nested page table. */
export const HWPT_INVALIDATE = 0x3b8d;
/** Request: Make a queue for page faults. */
export const FAULT_QUEUE_ALLOC = 0x3b8e;
/** Request: Map memory of a memfd. */
export const IOAS_MAP_FILE = 0x3b8f;
/** Request: Make a virtual IOMMU. */
export const VIOMMU_ALLOC = 0x3b90;
/** Request: Make a device known to a virtual IOMMU. */
export const VDEVICE_ALLOC = 0x3b91;
/** Request: Charge pinned memory to the caller. */
export const IOAS_CHANGE_PROCESS = 0x3b92;
/** Request: Make a queue for events of a virtual IOMMU. */
export const VEVENTQ_ALLOC = 0x3b93;
/** Request: Let the hardware work on a guest's queue. */
export const HW_QUEUE_ALLOC = 0x3b94;
/** Request: The physical address behind an IOVA. */
export const IOAS_NOIOMMU_GET_PA = 0x3b95;
/** Whether reading the dirty bits leaves them set. */
export const HWPT_GET_DIRTY_BITMAP_NO_CLEAR = 1;
/** Whose layout the data of HWPT_ALLOC has. */
export const HWPT_DATA_NONE = 0;
/** Whose layout the data of HWPT_ALLOC has. */
export const HWPT_DATA_VTD_S1 = 1;
/** Whose layout the data of HWPT_ALLOC has. */
export const HWPT_DATA_ARM_SMMUV3 = 2;
/** Whose layout the data of HWPT_ALLOC has. */
export const HWPT_DATA_AMD_GUEST = 3;
/** What a page table must be able to do. */
export const HWPT_ALLOC_NEST_PARENT = 1;
/** What a page table must be able to do. */
export const HWPT_ALLOC_DIRTY_TRACKING = 2;
/** What a page table must be able to do. */
export const HWPT_FAULT_ID_VALID = 4;
/** What a page table must be able to do. */
export const HWPT_ALLOC_PASID = 8;
/** What the IOMMU of a device can do. */
export const HW_CAP_DIRTY_TRACKING = 1n;
/** What the IOMMU of a device can do. */
export const HW_CAP_PCI_PASID_EXEC = 2n;
/** What the IOMMU of a device can do. */
export const HW_CAP_PCI_PASID_PRIV = 4n;
/** What the IOMMU of a device can do. */
export const HW_CAP_PCI_ATS_NOT_SUPPORTED = 8n;
/** Options of GET_HW_INFO. */
export const HW_INFO_FLAG_INPUT_TYPE = 1;
/** Errata of SMMUv3 hardware that the user must heed. */
export const HW_INFO_ARM_SMMUV3_ERRATA_REPEAT_TLBI_CFGI = 1;
/** Whose layout the answer of GET_HW_INFO has. */
export const HW_INFO_TYPE_NONE = 0;
/** Whose layout the answer of GET_HW_INFO has. */
export const HW_INFO_TYPE_DEFAULT = 0;
/** Whose layout the answer of GET_HW_INFO has. */
export const HW_INFO_TYPE_INTEL_VTD = 1;
/** Whose layout the answer of GET_HW_INFO has. */
export const HW_INFO_TYPE_ARM_SMMUV3 = 2;
/** Whose layout the answer of GET_HW_INFO has. */
export const HW_INFO_TYPE_TEGRA241_CMDQV = 3;
/** Whose layout the answer of GET_HW_INFO has. */
export const HW_INFO_TYPE_AMD = 4;
/** Errata of VT-d hardware that the user must heed. */
export const HW_INFO_VTD_ERRATA_772415_SPR17 = 1;
/** Kinds of hardware queue. */
export const HW_QUEUE_TYPE_DEFAULT = 0;
/** Kinds of hardware queue. */
export const HW_QUEUE_TYPE_TEGRA241_CMDQV = 1;
/** Whose layout the entries of HWPT_INVALIDATE have. */
export const HWPT_INVALIDATE_DATA_VTD_S1 = 0;
/** Whose layout the entries of HWPT_INVALIDATE have. */
export const VIOMMU_INVALIDATE_DATA_ARM_SMMUV3 = 1;
/** How a mapping is placed and what devices may do with it. */
export const IOAS_MAP_FIXED_IOVA = 1;
/** How a mapping is placed and what devices may do with it. */
export const IOAS_MAP_WRITEABLE = 2;
/** How a mapping is placed and what devices may do with it. */
export const IOAS_MAP_READABLE = 4;
/** The options. */
export const OPTION_RLIMIT_MODE = 0;
/** The options. */
export const OPTION_HUGE_PAGES = 1;
/** What OPTION does. */
export const OPTION_OP_SET = 0;
/** What OPTION does. */
export const OPTION_OP_GET = 1;
/** Answers to a page fault. */
export const PAGE_RESP_SUCCESS = 0;
/** Answers to a page fault. */
export const PAGE_RESP_INVALID = 1;
/** What a page fault record says. */
export const PGFAULT_FLAGS_PASID_VALID = 1;
/** What a page fault record says. */
export const PGFAULT_FLAGS_LAST_PAGE = 2;
/** What the access that faulted wanted. */
export const PGFAULT_PERM_READ = 1;
/** What the access that faulted wanted. */
export const PGFAULT_PERM_WRITE = 2;
/** What the access that faulted wanted. */
export const PGFAULT_PERM_EXEC = 4;
/** What the access that faulted wanted. */
export const PGFAULT_PERM_PRIV = 8;
/** Whether writes are tracked. */
export const HWPT_DIRTY_TRACKING_ENABLE = 1;
/** Kinds of event queue. */
export const VEVENTQ_TYPE_DEFAULT = 0;
/** Kinds of event queue. */
export const VEVENTQ_TYPE_ARM_SMMUV3 = 1;
/** Kinds of event queue. */
export const VEVENTQ_TYPE_TEGRA241_CMDQV = 2;
/** What an event header says. */
export const VEVENTQ_FLAG_LOST_EVENTS = 1;
/** What VFIO_IOAS does. */
export const VFIO_IOAS_GET = 0;
/** What VFIO_IOAS does. */
export const VFIO_IOAS_SET = 1;
/** What VFIO_IOAS does. */
export const VFIO_IOAS_CLEAR = 2;
/** Kinds of virtual IOMMU. */
export const VIOMMU_TYPE_DEFAULT = 0;
/** Kinds of virtual IOMMU. */
export const VIOMMU_TYPE_ARM_SMMUV3 = 1;
/** Kinds of virtual IOMMU. */
export const VIOMMU_TYPE_TEGRA241_CMDQV = 2;
/** What an invalidation of VT-d spares. */
export const VTD_INV_FLAGS_LEAF = 1;
/** Options of a stage-1 page table of VT-d. */
export const VTD_S1_SRE = 1n;
/** Options of a stage-1 page table of VT-d. */
export const VTD_S1_EAFE = 2n;
/** Options of a stage-1 page table of VT-d. */
export const VTD_S1_WPE = 4n;

/** Destroys an object that nothing uses. (`struct iommu_destroy`) */
export interface Destroy {
  /** The object. */
  id: number;
}

/** Bytes of `iommu_destroy`.  */
export const DestroySize = 8;

/** Write a {@linkcode Destroy}. */
export function putDestroy(view: DataView, at: number, value: Destroy): void {
  view.setUint32(at, DestroySize, true);
  view.setUint32(at + 4, value.id, true);
}

/** Read a {@linkcode Destroy}. */
export function getDestroy(view: DataView, at: number): Destroy {
  return {
    id: view.getUint32(at + 4, true),
  };
}

/** Reads or sets an option of an object or of the whole iommufd. (`struct iommu_option`) */
export interface Option {
  /** Which option. */
  optionId: number;
  /** Whether to read or set it. */
  op: number;
  /** The object, 0 for options of the iommufd. */
  objectId: number;
  /** The value to set, or the answer. */
  val64: bigint;
}

/** Bytes of `iommu_option`.  */
export const OptionSize = 24;

/** Write a {@linkcode Option}. */
export function putOption(view: DataView, at: number, value: Option): void {
  view.setUint32(at, OptionSize, true);
  view.setUint32(at + 4, value.optionId, true);
  view.setUint16(at + 8, value.op, true);
  view.setUint16(at + 10, 0, true);
  view.setUint32(at + 12, value.objectId, true);
  view.setBigUint64(at + 16, value.val64, true);
}

/** Read a {@linkcode Option}. */
export function getOption(view: DataView, at: number): Option {
  return {
    optionId: view.getUint32(at + 4, true),
    op: view.getUint16(at + 8, true),
    objectId: view.getUint32(at + 12, true),
    val64: view.getBigUint64(at + 16, true),
  };
}

/** Read `val64` of a {@linkcode Option}. */
export function getOptionVal64(view: DataView, at: number): bigint {
  return view.getBigUint64(at + 16, true);
}

/** Reads or sets the IOAS that VFIO's older requests use. (`struct iommu_vfio_ioas`) */
export interface VfioIoas {
  /** The IOAS to set, or the answer. */
  ioasId: number;
  /** Whether to read, set or clear it. */
  op: number;
}

/** Bytes of `iommu_vfio_ioas`.  */
export const VfioIoasSize = 12;

/** Write a {@linkcode VfioIoas}. */
export function putVfioIoas(view: DataView, at: number, value: VfioIoas): void {
  view.setUint32(at, VfioIoasSize, true);
  view.setUint32(at + 4, value.ioasId, true);
  view.setUint16(at + 8, value.op, true);
  view.setUint16(at + 10, 0, true);
}

/** Read a {@linkcode VfioIoas}. */
export function getVfioIoas(view: DataView, at: number): VfioIoas {
  return {
    ioasId: view.getUint32(at + 4, true),
    op: view.getUint16(at + 8, true),
  };
}

/** Read `ioas_id` of a {@linkcode VfioIoas}. */
export function getVfioIoasIoasId(view: DataView, at: number): number {
  return view.getUint32(at + 4, true);
}

/** Makes an I/O address space. (`struct iommu_ioas_alloc`) */
export interface IoasAlloc {
  /** No flag is defined: must be zero. */
  flags: number;
  /** The new IOAS. */
  outIoasId: number;
}

/** Bytes of `iommu_ioas_alloc`.  */
export const IoasAllocSize = 12;

/** Write a {@linkcode IoasAlloc}. */
export function putIoasAlloc(view: DataView, at: number, value: Put<IoasAlloc, "outIoasId">): void {
  view.setUint32(at, IoasAllocSize, true);
  view.setUint32(at + 4, value.flags, true);
  view.setUint32(at + 8, value.outIoasId ?? 0, true);
}

/** Read a {@linkcode IoasAlloc}. */
export function getIoasAlloc(view: DataView, at: number): IoasAlloc {
  return {
    flags: view.getUint32(at + 4, true),
    outIoasId: view.getUint32(at + 8, true),
  };
}

/** Read `out_ioas_id` of a {@linkcode IoasAlloc}. */
export function getIoasAllocOutIoasId(view: DataView, at: number): number {
  return view.getUint32(at + 8, true);
}

/** Says where automatic placement may map and which addresses no device may take away. (`struct iommu_ioas_allow_iovas`) */
export interface IoasAllowIovas {
  /** The IOAS. */
  ioasId: number;
  /** Number of ranges. */
  numIovas: number;
  /** Address of the ranges. */
  allowedIovas: bigint;
}

/** Bytes of `iommu_ioas_allow_iovas`.  */
export const IoasAllowIovasSize = 24;

/** Write a {@linkcode IoasAllowIovas}. */
export function putIoasAllowIovas(view: DataView, at: number, value: IoasAllowIovas): void {
  view.setUint32(at, IoasAllowIovasSize, true);
  view.setUint32(at + 4, value.ioasId, true);
  view.setUint32(at + 8, value.numIovas, true);
  view.setUint32(at + 12, 0, true);
  view.setBigUint64(at + 16, value.allowedIovas, true);
}

/** Read a {@linkcode IoasAllowIovas}. */
export function getIoasAllowIovas(view: DataView, at: number): IoasAllowIovas {
  return {
    ioasId: view.getUint32(at + 4, true),
    numIovas: view.getUint32(at + 8, true),
    allowedIovas: view.getBigUint64(at + 16, true),
  };
}

/** Maps memory that another IOAS, or the same, has mapped already. (`struct iommu_ioas_copy`) */
export interface IoasCopy {
  /** How to place it and what devices may do with it. */
  flags: number;
  /** The IOAS to map in. */
  dstIoasId: number;
  /** The IOAS to copy from. */
  srcIoasId: number;
  /** Bytes to copy. */
  length: bigint;
  /** Where to map, with FIXED_IOVA; the answer is where it was mapped. */
  dstIova: bigint;
  /** Where it is mapped in the source. */
  srcIova: bigint;
}

/** Bytes of `iommu_ioas_copy`.  */
export const IoasCopySize = 40;

/** Write a {@linkcode IoasCopy}. */
export function putIoasCopy(view: DataView, at: number, value: IoasCopy): void {
  view.setUint32(at, IoasCopySize, true);
  view.setUint32(at + 4, value.flags, true);
  view.setUint32(at + 8, value.dstIoasId, true);
  view.setUint32(at + 12, value.srcIoasId, true);
  view.setBigUint64(at + 16, value.length, true);
  view.setBigUint64(at + 24, value.dstIova, true);
  view.setBigUint64(at + 32, value.srcIova, true);
}

/** Read a {@linkcode IoasCopy}. */
export function getIoasCopy(view: DataView, at: number): IoasCopy {
  return {
    flags: view.getUint32(at + 4, true),
    dstIoasId: view.getUint32(at + 8, true),
    srcIoasId: view.getUint32(at + 12, true),
    length: view.getBigUint64(at + 16, true),
    dstIova: view.getBigUint64(at + 24, true),
    srcIova: view.getBigUint64(at + 32, true),
  };
}

/** Read `dst_iova` of a {@linkcode IoasCopy}. */
export function getIoasCopyDstIova(view: DataView, at: number): bigint {
  return view.getBigUint64(at + 24, true);
}

/** Which addresses an IOAS can map with the devices that it has now. (`struct iommu_ioas_iova_ranges`) */
export interface IoasIovaRanges {
  /** The IOAS. */
  ioasId: number;
  /** Room for so many ranges; the answer is how many there are. */
  numIovas: number;
  /** Address for the ranges. */
  allowedIovas: bigint;
  /** What addresses and lengths of mappings must be multiples of. */
  outIovaAlignment: bigint;
}

/** Bytes of `iommu_ioas_iova_ranges`.  */
export const IoasIovaRangesSize = 32;

/** Write a {@linkcode IoasIovaRanges}. */
export function putIoasIovaRanges(view: DataView, at: number, value: Put<IoasIovaRanges, "outIovaAlignment">): void {
  view.setUint32(at, IoasIovaRangesSize, true);
  view.setUint32(at + 4, value.ioasId, true);
  view.setUint32(at + 8, value.numIovas, true);
  view.setUint32(at + 12, 0, true);
  view.setBigUint64(at + 16, value.allowedIovas, true);
  view.setBigUint64(at + 24, value.outIovaAlignment ?? 0n, true);
}

/** Read a {@linkcode IoasIovaRanges}. */
export function getIoasIovaRanges(view: DataView, at: number): IoasIovaRanges {
  return {
    ioasId: view.getUint32(at + 4, true),
    numIovas: view.getUint32(at + 8, true),
    allowedIovas: view.getBigUint64(at + 16, true),
    outIovaAlignment: view.getBigUint64(at + 24, true),
  };
}

/** Read `num_iovas` of a {@linkcode IoasIovaRanges}. */
export function getIoasIovaRangesNumIovas(view: DataView, at: number): number {
  return view.getUint32(at + 8, true);
}

/** Read `out_iova_alignment` of a {@linkcode IoasIovaRanges}. */
export function getIoasIovaRangesOutIovaAlignment(view: DataView, at: number): bigint {
  return view.getBigUint64(at + 24, true);
}

/** Maps memory of the process. (`struct iommu_ioas_map`) */
export interface IoasMap {
  /** How to place it and what devices may do with it. */
  flags: number;
  /** The IOAS. */
  ioasId: number;
  /** Address of the memory in the process. */
  userVa: bigint;
  /** Bytes to map. */
  length: bigint;
  /** Where to map, with FIXED_IOVA; the answer is where it was mapped. */
  iova: bigint;
}

/** Bytes of `iommu_ioas_map`.  */
export const IoasMapSize = 40;

/** Write a {@linkcode IoasMap}. */
export function putIoasMap(view: DataView, at: number, value: IoasMap): void {
  view.setUint32(at, IoasMapSize, true);
  view.setUint32(at + 4, value.flags, true);
  view.setUint32(at + 8, value.ioasId, true);
  view.setUint32(at + 12, 0, true);
  view.setBigUint64(at + 16, value.userVa, true);
  view.setBigUint64(at + 24, value.length, true);
  view.setBigUint64(at + 32, value.iova, true);
}

/** Read a {@linkcode IoasMap}. */
export function getIoasMap(view: DataView, at: number): IoasMap {
  return {
    flags: view.getUint32(at + 4, true),
    ioasId: view.getUint32(at + 8, true),
    userVa: view.getBigUint64(at + 16, true),
    length: view.getBigUint64(at + 24, true),
    iova: view.getBigUint64(at + 32, true),
  };
}

/** Read `iova` of a {@linkcode IoasMap}. */
export function getIoasMapIova(view: DataView, at: number): bigint {
  return view.getBigUint64(at + 32, true);
}

/** Maps memory of a memfd. (`struct iommu_ioas_map_file`) */
export interface IoasMapFile {
  /** How to place it and what devices may do with it. */
  flags: number;
  /** The IOAS. */
  ioasId: number;
  /** The memfd. */
  fd: number;
  /** Where in the file the mapping begins. */
  start: bigint;
  /** Bytes to map. */
  length: bigint;
  /** Where to map, with FIXED_IOVA; the answer is where it was mapped. */
  iova: bigint;
}

/** Bytes of `iommu_ioas_map_file`.  */
export const IoasMapFileSize = 40;

/** Write a {@linkcode IoasMapFile}. */
export function putIoasMapFile(view: DataView, at: number, value: IoasMapFile): void {
  view.setUint32(at, IoasMapFileSize, true);
  view.setUint32(at + 4, value.flags, true);
  view.setUint32(at + 8, value.ioasId, true);
  view.setInt32(at + 12, value.fd, true);
  view.setBigUint64(at + 16, value.start, true);
  view.setBigUint64(at + 24, value.length, true);
  view.setBigUint64(at + 32, value.iova, true);
}

/** Read a {@linkcode IoasMapFile}. */
export function getIoasMapFile(view: DataView, at: number): IoasMapFile {
  return {
    flags: view.getUint32(at + 4, true),
    ioasId: view.getUint32(at + 8, true),
    fd: view.getInt32(at + 12, true),
    start: view.getBigUint64(at + 16, true),
    length: view.getBigUint64(at + 24, true),
    iova: view.getBigUint64(at + 32, true),
  };
}

/** Read `iova` of a {@linkcode IoasMapFile}. */
export function getIoasMapFileIova(view: DataView, at: number): bigint {
  return view.getBigUint64(at + 32, true);
}

/** Unmaps whole mappings. (`struct iommu_ioas_unmap`) */
export interface IoasUnmap {
  /** The IOAS. */
  ioasId: number;
  /** First address; 0 with a length of 2^64 − 1 is everything. */
  iova: bigint;
  /** Bytes to unmap; the answer is how many were mapped. */
  length: bigint;
}

/** Bytes of `iommu_ioas_unmap`.  */
export const IoasUnmapSize = 24;

/** Write a {@linkcode IoasUnmap}. */
export function putIoasUnmap(view: DataView, at: number, value: IoasUnmap): void {
  view.setUint32(at, IoasUnmapSize, true);
  view.setUint32(at + 4, value.ioasId, true);
  view.setBigUint64(at + 8, value.iova, true);
  view.setBigUint64(at + 16, value.length, true);
}

/** Read a {@linkcode IoasUnmap}. */
export function getIoasUnmap(view: DataView, at: number): IoasUnmap {
  return {
    ioasId: view.getUint32(at + 4, true),
    iova: view.getBigUint64(at + 8, true),
    length: view.getBigUint64(at + 16, true),
  };
}

/** Read `length` of a {@linkcode IoasUnmap}. */
export function getIoasUnmapLength(view: DataView, at: number): bigint {
  return view.getBigUint64(at + 16, true);
}

/** Bytes of `iommu_ioas_change_process`. Charges the pinned memory of all mappings to the calling process. */
export const IoasChangeProcessSize = 8;

/** Write a {@linkcode IoasChangeProcessSize}. */
export function putIoasChangeProcess(view: DataView, at: number): void {
  view.setUint32(at, IoasChangeProcessSize, true);
  view.setUint32(at + 4, 0, true);
}

/** The physical address behind an IOVA, for devices without an IOMMU. (`struct iommu_ioas_noiommu_get_pa`) */
export interface IoasNoiommuGetPa {
  /** No flag is defined: must be zero. */
  flags: number;
  /** The IOAS. */
  ioasId: number;
  /** The address. */
  iova: bigint;
  /** Bytes asked for; the answer is how many of them are contiguous. */
  length: bigint;
  /** The physical address. */
  outPhys: bigint;
}

/** Bytes of `iommu_ioas_noiommu_get_pa`.  */
export const IoasNoiommuGetPaSize = 40;

/** Write a {@linkcode IoasNoiommuGetPa}. */
export function putIoasNoiommuGetPa(view: DataView, at: number, value: Put<IoasNoiommuGetPa, "outPhys">): void {
  view.setUint32(at, IoasNoiommuGetPaSize, true);
  view.setUint32(at + 4, value.flags, true);
  view.setUint32(at + 8, value.ioasId, true);
  view.setUint32(at + 12, 0, true);
  view.setBigUint64(at + 16, value.iova, true);
  view.setBigUint64(at + 24, value.length, true);
  view.setBigUint64(at + 32, value.outPhys ?? 0n, true);
}

/** Read a {@linkcode IoasNoiommuGetPa}. */
export function getIoasNoiommuGetPa(view: DataView, at: number): IoasNoiommuGetPa {
  return {
    flags: view.getUint32(at + 4, true),
    ioasId: view.getUint32(at + 8, true),
    iova: view.getBigUint64(at + 16, true),
    length: view.getBigUint64(at + 24, true),
    outPhys: view.getBigUint64(at + 32, true),
  };
}

/** Read `length` of a {@linkcode IoasNoiommuGetPa}. */
export function getIoasNoiommuGetPaLength(view: DataView, at: number): bigint {
  return view.getBigUint64(at + 24, true);
}

/** Read `out_phys` of a {@linkcode IoasNoiommuGetPa}. */
export function getIoasNoiommuGetPaOutPhys(view: DataView, at: number): bigint {
  return view.getBigUint64(at + 32, true);
}

/** Makes a hardware page table. (`struct iommu_hwpt_alloc`) */
export interface HwptAlloc {
  /** What the page table must be able to do. */
  flags: number;
  /** The device whose IOMMU it is for. */
  devId: number;
  /** What it shows: an IOAS, or nested on a page table or virtual IOMMU. */
  ptId: number;
  /** The new page table. */
  outHwptId: number;
  /** Whose layout the data has. */
  dataType: number;
  /** Bytes of data. */
  dataLen: number;
  /** Address of the data. */
  dataUptr: bigint;
  /** The fault queue, with FAULT_ID_VALID. */
  faultId: number;
}

/** Bytes of `iommu_hwpt_alloc`.  */
export const HwptAllocSize = 48;

/** Write a {@linkcode HwptAlloc}. */
export function putHwptAlloc(view: DataView, at: number, value: Put<HwptAlloc, "outHwptId">): void {
  view.setUint32(at, HwptAllocSize, true);
  view.setUint32(at + 4, value.flags, true);
  view.setUint32(at + 8, value.devId, true);
  view.setUint32(at + 12, value.ptId, true);
  view.setUint32(at + 16, value.outHwptId ?? 0, true);
  view.setUint32(at + 20, 0, true);
  view.setUint32(at + 24, value.dataType, true);
  view.setUint32(at + 28, value.dataLen, true);
  view.setBigUint64(at + 32, value.dataUptr, true);
  view.setUint32(at + 40, value.faultId, true);
  view.setUint32(at + 44, 0, true);
}

/** Read a {@linkcode HwptAlloc}. */
export function getHwptAlloc(view: DataView, at: number): HwptAlloc {
  return {
    flags: view.getUint32(at + 4, true),
    devId: view.getUint32(at + 8, true),
    ptId: view.getUint32(at + 12, true),
    outHwptId: view.getUint32(at + 16, true),
    dataType: view.getUint32(at + 24, true),
    dataLen: view.getUint32(at + 28, true),
    dataUptr: view.getBigUint64(at + 32, true),
    faultId: view.getUint32(at + 40, true),
  };
}

/** Read `out_hwpt_id` of a {@linkcode HwptAlloc}. */
export function getHwptAllocOutHwptId(view: DataView, at: number): number {
  return view.getUint32(at + 16, true);
}

/** What the IOMMU of a device is and can do. (`struct iommu_hw_info`) */
export interface HwInfo {
  /** Whether a type of answer is asked for. */
  flags: number;
  /** The device. */
  devId: number;
  /** Bytes of room for data; the answer is how many the kernel has. */
  dataLen: number;
  /** Address for the data. */
  dataUptr: bigint;
  /** The type asked for, with INPUT_TYPE; the answer's type. */
  dataType: number;
  /** Bits of a PASID, 0 without them. */
  outMaxPasidLog2: number;
  /** What the IOMMU can do. */
  outCapabilities: bigint;
}

/** Bytes of `iommu_hw_info`.  */
export const HwInfoSize = 40;

/** Write a {@linkcode HwInfo}. */
export function putHwInfo(view: DataView, at: number, value: Put<HwInfo, "outMaxPasidLog2" | "outCapabilities">): void {
  view.setUint32(at, HwInfoSize, true);
  view.setUint32(at + 4, value.flags, true);
  view.setUint32(at + 8, value.devId, true);
  view.setUint32(at + 12, value.dataLen, true);
  view.setBigUint64(at + 16, value.dataUptr, true);
  view.setUint32(at + 24, value.dataType, true);
  view.setUint8(at + 28, value.outMaxPasidLog2 ?? 0);
  view.setUint8(at + 29, 0);
  view.setUint8(at + 30, 0);
  view.setUint8(at + 31, 0);
  view.setBigUint64(at + 32, value.outCapabilities ?? 0n, true);
}

/** Read a {@linkcode HwInfo}. */
export function getHwInfo(view: DataView, at: number): HwInfo {
  return {
    flags: view.getUint32(at + 4, true),
    devId: view.getUint32(at + 8, true),
    dataLen: view.getUint32(at + 12, true),
    dataUptr: view.getBigUint64(at + 16, true),
    dataType: view.getUint32(at + 24, true),
    outMaxPasidLog2: view.getUint8(at + 28),
    outCapabilities: view.getBigUint64(at + 32, true),
  };
}

/** Read `data_len` of a {@linkcode HwInfo}. */
export function getHwInfoDataLen(view: DataView, at: number): number {
  return view.getUint32(at + 12, true);
}

/** Read `data_type` of a {@linkcode HwInfo}. */
export function getHwInfoDataType(view: DataView, at: number): number {
  return view.getUint32(at + 24, true);
}

/** Read `out_max_pasid_log2` of a {@linkcode HwInfo}. */
export function getHwInfoOutMaxPasidLog2(view: DataView, at: number): number {
  return view.getUint8(at + 28);
}

/** Read `out_capabilities` of a {@linkcode HwInfo}. */
export function getHwInfoOutCapabilities(view: DataView, at: number): bigint {
  return view.getBigUint64(at + 32, true);
}

/** Starts or stops noting which pages devices write. (`struct iommu_hwpt_set_dirty_tracking`) */
export interface HwptSetDirtyTracking {
  /** Whether writes are tracked. */
  flags: number;
  /** The page table. */
  hwptId: number;
}

/** Bytes of `iommu_hwpt_set_dirty_tracking`.  */
export const HwptSetDirtyTrackingSize = 16;

/** Write a {@linkcode HwptSetDirtyTracking}. */
export function putHwptSetDirtyTracking(view: DataView, at: number, value: HwptSetDirtyTracking): void {
  view.setUint32(at, HwptSetDirtyTrackingSize, true);
  view.setUint32(at + 4, value.flags, true);
  view.setUint32(at + 8, value.hwptId, true);
  view.setUint32(at + 12, 0, true);
}

/** Read a {@linkcode HwptSetDirtyTracking}. */
export function getHwptSetDirtyTracking(view: DataView, at: number): HwptSetDirtyTracking {
  return {
    flags: view.getUint32(at + 4, true),
    hwptId: view.getUint32(at + 8, true),
  };
}

/** Which pages devices have written. (`struct iommu_hwpt_get_dirty_bitmap`) */
export interface HwptGetDirtyBitmap {
  /** The page table. */
  hwptId: number;
  /** Whether the dirty bits stay set. */
  flags: number;
  /** First address. */
  iova: bigint;
  /** Bytes asked for. */
  length: bigint;
  /** Bytes that one bit stands for. */
  pageSize: bigint;
  /** Address of the bits, which are set and never cleared. */
  data: bigint;
}

/** Bytes of `iommu_hwpt_get_dirty_bitmap`.  */
export const HwptGetDirtyBitmapSize = 48;

/** Write a {@linkcode HwptGetDirtyBitmap}. */
export function putHwptGetDirtyBitmap(view: DataView, at: number, value: HwptGetDirtyBitmap): void {
  view.setUint32(at, HwptGetDirtyBitmapSize, true);
  view.setUint32(at + 4, value.hwptId, true);
  view.setUint32(at + 8, value.flags, true);
  view.setUint32(at + 12, 0, true);
  view.setBigUint64(at + 16, value.iova, true);
  view.setBigUint64(at + 24, value.length, true);
  view.setBigUint64(at + 32, value.pageSize, true);
  view.setBigUint64(at + 40, value.data, true);
}

/** Read a {@linkcode HwptGetDirtyBitmap}. */
export function getHwptGetDirtyBitmap(view: DataView, at: number): HwptGetDirtyBitmap {
  return {
    hwptId: view.getUint32(at + 4, true),
    flags: view.getUint32(at + 8, true),
    iova: view.getBigUint64(at + 16, true),
    length: view.getBigUint64(at + 24, true),
    pageSize: view.getBigUint64(at + 32, true),
    data: view.getBigUint64(at + 40, true),
  };
}

/** Makes an IOMMU forget what it cached of a page table that the user keeps. (`struct iommu_hwpt_invalidate`) */
export interface HwptInvalidate {
  /** The nested page table or virtual IOMMU. */
  hwptId: number;
  /** Address of the entries. */
  dataUptr: bigint;
  /** Whose layout the entries have. */
  dataType: number;
  /** Bytes of an entry. */
  entryLen: number;
  /** Number of entries; the answer is how many were done. */
  entryNum: number;
}

/** Bytes of `iommu_hwpt_invalidate`.  */
export const HwptInvalidateSize = 32;

/** Write a {@linkcode HwptInvalidate}. */
export function putHwptInvalidate(view: DataView, at: number, value: HwptInvalidate): void {
  view.setUint32(at, HwptInvalidateSize, true);
  view.setUint32(at + 4, value.hwptId, true);
  view.setBigUint64(at + 8, value.dataUptr, true);
  view.setUint32(at + 16, value.dataType, true);
  view.setUint32(at + 20, value.entryLen, true);
  view.setUint32(at + 24, value.entryNum, true);
  view.setUint32(at + 28, 0, true);
}

/** Read a {@linkcode HwptInvalidate}. */
export function getHwptInvalidate(view: DataView, at: number): HwptInvalidate {
  return {
    hwptId: view.getUint32(at + 4, true),
    dataUptr: view.getBigUint64(at + 8, true),
    dataType: view.getUint32(at + 16, true),
    entryLen: view.getUint32(at + 20, true),
    entryNum: view.getUint32(at + 24, true),
  };
}

/** Read `entry_num` of a {@linkcode HwptInvalidate}. */
export function getHwptInvalidateEntryNum(view: DataView, at: number): number {
  return view.getUint32(at + 24, true);
}

/** Makes a queue for page faults. (`struct iommu_fault_alloc`) */
export interface FaultAlloc {
  /** No flag is defined: must be zero. */
  flags: number;
  /** The new queue. */
  outFaultId: number;
  /** Its file. */
  outFaultFd: number;
}

/** Bytes of `iommu_fault_alloc`.  */
export const FaultAllocSize = 16;

/** Write a {@linkcode FaultAlloc}. */
export function putFaultAlloc(view: DataView, at: number, value: Put<FaultAlloc, "outFaultId" | "outFaultFd">): void {
  view.setUint32(at, FaultAllocSize, true);
  view.setUint32(at + 4, value.flags, true);
  view.setUint32(at + 8, value.outFaultId ?? 0, true);
  view.setUint32(at + 12, value.outFaultFd ?? 0, true);
}

/** Read a {@linkcode FaultAlloc}. */
export function getFaultAlloc(view: DataView, at: number): FaultAlloc {
  return {
    flags: view.getUint32(at + 4, true),
    outFaultId: view.getUint32(at + 8, true),
    outFaultFd: view.getUint32(at + 12, true),
  };
}

/** Read `out_fault_id` of a {@linkcode FaultAlloc}. */
export function getFaultAllocOutFaultId(view: DataView, at: number): number {
  return view.getUint32(at + 8, true);
}

/** Read `out_fault_fd` of a {@linkcode FaultAlloc}. */
export function getFaultAllocOutFaultFd(view: DataView, at: number): number {
  return view.getUint32(at + 12, true);
}

/** Makes a virtual IOMMU: a guest's share of a physical one. (`struct iommu_viommu_alloc`) */
export interface ViommuAlloc {
  /** No flag is defined: must be zero. */
  flags: number;
  /** Which kind. */
  type: number;
  /** The device whose IOMMU it is a share of. */
  devId: number;
  /** The nesting parent. */
  hwptId: number;
  /** The new virtual IOMMU. */
  outViommuId: number;
  /** Bytes of data. */
  dataLen: number;
  /** Address of the data of this kind. */
  dataUptr: bigint;
}

/** Bytes of `iommu_viommu_alloc`.  */
export const ViommuAllocSize = 40;

/** Write a {@linkcode ViommuAlloc}. */
export function putViommuAlloc(view: DataView, at: number, value: Put<ViommuAlloc, "outViommuId">): void {
  view.setUint32(at, ViommuAllocSize, true);
  view.setUint32(at + 4, value.flags, true);
  view.setUint32(at + 8, value.type, true);
  view.setUint32(at + 12, value.devId, true);
  view.setUint32(at + 16, value.hwptId, true);
  view.setUint32(at + 20, value.outViommuId ?? 0, true);
  view.setUint32(at + 24, value.dataLen, true);
  view.setUint32(at + 28, 0, true);
  view.setBigUint64(at + 32, value.dataUptr, true);
}

/** Read a {@linkcode ViommuAlloc}. */
export function getViommuAlloc(view: DataView, at: number): ViommuAlloc {
  return {
    flags: view.getUint32(at + 4, true),
    type: view.getUint32(at + 8, true),
    devId: view.getUint32(at + 12, true),
    hwptId: view.getUint32(at + 16, true),
    outViommuId: view.getUint32(at + 20, true),
    dataLen: view.getUint32(at + 24, true),
    dataUptr: view.getBigUint64(at + 32, true),
  };
}

/** Read `out_viommu_id` of a {@linkcode ViommuAlloc}. */
export function getViommuAllocOutViommuId(view: DataView, at: number): number {
  return view.getUint32(at + 20, true);
}

/** Makes a device known to a virtual IOMMU. (`struct iommu_vdevice_alloc`) */
export interface VdeviceAlloc {
  /** The virtual IOMMU. */
  viommuId: number;
  /** The device. */
  devId: number;
  /** The new virtual device. */
  outVdeviceId: number;
  /** What the guest calls it. */
  virtId: bigint;
}

/** Bytes of `iommu_vdevice_alloc`.  */
export const VdeviceAllocSize = 24;

/** Write a {@linkcode VdeviceAlloc}. */
export function putVdeviceAlloc(view: DataView, at: number, value: Put<VdeviceAlloc, "outVdeviceId">): void {
  view.setUint32(at, VdeviceAllocSize, true);
  view.setUint32(at + 4, value.viommuId, true);
  view.setUint32(at + 8, value.devId, true);
  view.setUint32(at + 12, value.outVdeviceId ?? 0, true);
  view.setBigUint64(at + 16, value.virtId, true);
}

/** Read a {@linkcode VdeviceAlloc}. */
export function getVdeviceAlloc(view: DataView, at: number): VdeviceAlloc {
  return {
    viommuId: view.getUint32(at + 4, true),
    devId: view.getUint32(at + 8, true),
    outVdeviceId: view.getUint32(at + 12, true),
    virtId: view.getBigUint64(at + 16, true),
  };
}

/** Read `out_vdevice_id` of a {@linkcode VdeviceAlloc}. */
export function getVdeviceAllocOutVdeviceId(view: DataView, at: number): number {
  return view.getUint32(at + 12, true);
}

/** Makes a queue for the events of a virtual IOMMU. (`struct iommu_veventq_alloc`) */
export interface VeventqAlloc {
  /** No flag is defined: must be zero. */
  flags: number;
  /** The virtual IOMMU. */
  viommuId: number;
  /** Which kind of events. */
  type: number;
  /** Events that the queue holds. */
  veventqDepth: number;
  /** The new queue. */
  outVeventqId: number;
  /** Its file. */
  outVeventqFd: number;
}

/** Bytes of `iommu_veventq_alloc`.  */
export const VeventqAllocSize = 32;

/** Write a {@linkcode VeventqAlloc}. */
export function putVeventqAlloc(view: DataView, at: number, value: Put<VeventqAlloc, "outVeventqId" | "outVeventqFd">): void {
  view.setUint32(at, VeventqAllocSize, true);
  view.setUint32(at + 4, value.flags, true);
  view.setUint32(at + 8, value.viommuId, true);
  view.setUint32(at + 12, value.type, true);
  view.setUint32(at + 16, value.veventqDepth, true);
  view.setUint32(at + 20, value.outVeventqId ?? 0, true);
  view.setUint32(at + 24, value.outVeventqFd ?? 0, true);
  view.setUint32(at + 28, 0, true);
}

/** Read a {@linkcode VeventqAlloc}. */
export function getVeventqAlloc(view: DataView, at: number): VeventqAlloc {
  return {
    flags: view.getUint32(at + 4, true),
    viommuId: view.getUint32(at + 8, true),
    type: view.getUint32(at + 12, true),
    veventqDepth: view.getUint32(at + 16, true),
    outVeventqId: view.getUint32(at + 20, true),
    outVeventqFd: view.getUint32(at + 24, true),
  };
}

/** Read `out_veventq_id` of a {@linkcode VeventqAlloc}. */
export function getVeventqAllocOutVeventqId(view: DataView, at: number): number {
  return view.getUint32(at + 20, true);
}

/** Read `out_veventq_fd` of a {@linkcode VeventqAlloc}. */
export function getVeventqAllocOutVeventqFd(view: DataView, at: number): number {
  return view.getUint32(at + 24, true);
}

/** Lets the hardware work on a queue in a guest's memory. (`struct iommu_hw_queue_alloc`) */
export interface HwQueueAlloc {
  /** No flag is defined: must be zero. */
  flags: number;
  /** The virtual IOMMU. */
  viommuId: number;
  /** Which kind of queue. */
  type: number;
  /** Which queue of this kind. */
  index: number;
  /** The new queue object. */
  outHwQueueId: number;
  /** Where the guest has the queue's memory. */
  nestingParentIova: bigint;
  /** Bytes of that memory. */
  length: bigint;
}

/** Bytes of `iommu_hw_queue_alloc`.  */
export const HwQueueAllocSize = 40;

/** Write a {@linkcode HwQueueAlloc}. */
export function putHwQueueAlloc(view: DataView, at: number, value: Put<HwQueueAlloc, "outHwQueueId">): void {
  view.setUint32(at, HwQueueAllocSize, true);
  view.setUint32(at + 4, value.flags, true);
  view.setUint32(at + 8, value.viommuId, true);
  view.setUint32(at + 12, value.type, true);
  view.setUint32(at + 16, value.index, true);
  view.setUint32(at + 20, value.outHwQueueId ?? 0, true);
  view.setBigUint64(at + 24, value.nestingParentIova, true);
  view.setBigUint64(at + 32, value.length, true);
}

/** Read a {@linkcode HwQueueAlloc}. */
export function getHwQueueAlloc(view: DataView, at: number): HwQueueAlloc {
  return {
    flags: view.getUint32(at + 4, true),
    viommuId: view.getUint32(at + 8, true),
    type: view.getUint32(at + 12, true),
    index: view.getUint32(at + 16, true),
    outHwQueueId: view.getUint32(at + 20, true),
    nestingParentIova: view.getBigUint64(at + 24, true),
    length: view.getBigUint64(at + 32, true),
  };
}

/** Read `out_hw_queue_id` of a {@linkcode HwQueueAlloc}. */
export function getHwQueueAllocOutHwQueueId(view: DataView, at: number): number {
  return view.getUint32(at + 20, true);
}

/** A range of I/O virtual addresses. (`struct iommu_iova_range`) */
export interface IovaRange {
  /** First address. */
  start: bigint;
  /** Last address, inclusive. */
  last: bigint;
}

/** Bytes of `iommu_iova_range`.  */
export const IovaRangeSize = 16;

/** Write a {@linkcode IovaRange}. */
export function putIovaRange(view: DataView, at: number, value: IovaRange): void {
  view.setBigUint64(at, value.start, true);
  view.setBigUint64(at + 8, value.last, true);
}

/** Read a {@linkcode IovaRange}. */
export function getIovaRange(view: DataView, at: number): IovaRange {
  return {
    start: view.getBigUint64(at, true),
    last: view.getBigUint64(at + 8, true),
  };
}

/** A stage-1 page table of VT-d that the user keeps. (`struct iommu_hwpt_vtd_s1`) */
export interface HwptVtdS1 {
  /** Options of the page table. */
  flags: bigint;
  /** Address of its root, translated by the nesting parent. */
  pgtblAddr: bigint;
  /** Bits of the addresses that it translates. */
  addrWidth: number;
}

/** Bytes of `iommu_hwpt_vtd_s1`.  */
export const HwptVtdS1Size = 24;

/** Write a {@linkcode HwptVtdS1}. */
export function putHwptVtdS1(view: DataView, at: number, value: HwptVtdS1): void {
  view.setBigUint64(at, value.flags, true);
  view.setBigUint64(at + 8, value.pgtblAddr, true);
  view.setUint32(at + 16, value.addrWidth, true);
  view.setUint32(at + 20, 0, true);
}

/** Read a {@linkcode HwptVtdS1}. */
export function getHwptVtdS1(view: DataView, at: number): HwptVtdS1 {
  return {
    flags: view.getBigUint64(at, true),
    pgtblAddr: view.getBigUint64(at + 8, true),
    addrWidth: view.getUint32(at + 16, true),
  };
}

/** The user's part of a stream table entry of SMMUv3. (`struct iommu_hwpt_arm_smmuv3`) */
export interface HwptArmSmmuv3 {
  /** The first two double words of the entry. */
  ste: readonly [bigint, bigint];
}

/** Bytes of `iommu_hwpt_arm_smmuv3`.  */
export const HwptArmSmmuv3Size = 16;

/** Write a {@linkcode HwptArmSmmuv3}. */
export function putHwptArmSmmuv3(view: DataView, at: number, value: HwptArmSmmuv3): void {
  view.setBigUint64(at, value.ste[0], true);
  view.setBigUint64(at + 8, value.ste[1], true);
}

/** Read a {@linkcode HwptArmSmmuv3}. */
export function getHwptArmSmmuv3(view: DataView, at: number): HwptArmSmmuv3 {
  return {
    ste: [view.getBigUint64(at, true), view.getBigUint64(at + 8, true)],
  };
}

/** The guest's device table entry of an AMD IOMMU. (`struct iommu_hwpt_amd_guest`) */
export interface HwptAmdGuest {
  /** The entry. */
  dte: readonly [bigint, bigint, bigint, bigint];
}

/** Bytes of `iommu_hwpt_amd_guest`.  */
export const HwptAmdGuestSize = 32;

/** Write a {@linkcode HwptAmdGuest}. */
export function putHwptAmdGuest(view: DataView, at: number, value: HwptAmdGuest): void {
  view.setBigUint64(at, value.dte[0], true);
  view.setBigUint64(at + 8, value.dte[1], true);
  view.setBigUint64(at + 16, value.dte[2], true);
  view.setBigUint64(at + 24, value.dte[3], true);
}

/** Read a {@linkcode HwptAmdGuest}. */
export function getHwptAmdGuest(view: DataView, at: number): HwptAmdGuest {
  return {
    dte: [view.getBigUint64(at, true), view.getBigUint64(at + 8, true), view.getBigUint64(at + 16, true), view.getBigUint64(at + 24, true)],
  };
}

/** One invalidation in a stage-1 page table of VT-d. (`struct iommu_hwpt_vtd_s1_invalidate`) */
export interface HwptVtdS1Invalidate {
  /** First address, a multiple of 4096. */
  addr: bigint;
  /** Pages of 4096 bytes; 2^64 − 1 from address 0 is everything. */
  npages: bigint;
  /** Whether only leaf entries are meant. */
  flags: number;
}

/** Bytes of `iommu_hwpt_vtd_s1_invalidate`.  */
export const HwptVtdS1InvalidateSize = 24;

/** Write a {@linkcode HwptVtdS1Invalidate}. */
export function putHwptVtdS1Invalidate(view: DataView, at: number, value: HwptVtdS1Invalidate): void {
  view.setBigUint64(at, value.addr, true);
  view.setBigUint64(at + 8, value.npages, true);
  view.setUint32(at + 16, value.flags, true);
  view.setUint32(at + 20, 0, true);
}

/** Read a {@linkcode HwptVtdS1Invalidate}. */
export function getHwptVtdS1Invalidate(view: DataView, at: number): HwptVtdS1Invalidate {
  return {
    addr: view.getBigUint64(at, true),
    npages: view.getBigUint64(at + 8, true),
    flags: view.getUint32(at + 16, true),
  };
}

/** One invalidation command of SMMUv3. (`struct iommu_viommu_arm_smmuv3_invalidate`) */
export interface ViommuArmSmmuv3Invalidate {
  /** The command as it would stand in the command queue. */
  cmd: readonly [bigint, bigint];
}

/** Bytes of `iommu_viommu_arm_smmuv3_invalidate`.  */
export const ViommuArmSmmuv3InvalidateSize = 16;

/** Write a {@linkcode ViommuArmSmmuv3Invalidate}. */
export function putViommuArmSmmuv3Invalidate(view: DataView, at: number, value: ViommuArmSmmuv3Invalidate): void {
  view.setBigUint64(at, value.cmd[0], true);
  view.setBigUint64(at + 8, value.cmd[1], true);
}

/** Read a {@linkcode ViommuArmSmmuv3Invalidate}. */
export function getViommuArmSmmuv3Invalidate(view: DataView, at: number): ViommuArmSmmuv3Invalidate {
  return {
    cmd: [view.getBigUint64(at, true), view.getBigUint64(at + 8, true)],
  };
}

/** What an IOMMU of VT-d says of itself. (`struct iommu_hw_info_vtd`) */
export interface HwInfoVtd {
  /** Errata. */
  flags: number;
  /** The capability register. */
  capReg: bigint;
  /** The extended capability register. */
  ecapReg: bigint;
}

/** Bytes of `iommu_hw_info_vtd`.  */
export const HwInfoVtdSize = 24;

/** Write a {@linkcode HwInfoVtd}. */
export function putHwInfoVtd(view: DataView, at: number, value: Put<HwInfoVtd, "flags" | "capReg" | "ecapReg">): void {
  view.setUint32(at, value.flags ?? 0, true);
  view.setUint32(at + 4, 0, true);
  view.setBigUint64(at + 8, value.capReg ?? 0n, true);
  view.setBigUint64(at + 16, value.ecapReg ?? 0n, true);
}

/** Read a {@linkcode HwInfoVtd}. */
export function getHwInfoVtd(view: DataView, at: number): HwInfoVtd {
  return {
    flags: view.getUint32(at, true),
    capReg: view.getBigUint64(at + 8, true),
    ecapReg: view.getBigUint64(at + 16, true),
  };
}

/** Read `flags` of a {@linkcode HwInfoVtd}. */
export function getHwInfoVtdFlags(view: DataView, at: number): number {
  return view.getUint32(at, true);
}

/** Read `cap_reg` of a {@linkcode HwInfoVtd}. */
export function getHwInfoVtdCapReg(view: DataView, at: number): bigint {
  return view.getBigUint64(at + 8, true);
}

/** Read `ecap_reg` of a {@linkcode HwInfoVtd}. */
export function getHwInfoVtdEcapReg(view: DataView, at: number): bigint {
  return view.getBigUint64(at + 16, true);
}

/** What an SMMUv3 says of itself. (`struct iommu_hw_info_arm_smmuv3`) */
export interface HwInfoArmSmmuv3 {
  /** Errata. */
  flags: number;
  /** Registers IDR0 to IDR5. */
  idr: readonly [number, number, number, number, number, number];
  /** Implementer and implementation. */
  iidr: number;
  /** Version of the architecture. */
  aidr: number;
}

/** Bytes of `iommu_hw_info_arm_smmuv3`.  */
export const HwInfoArmSmmuv3Size = 40;

/** Write a {@linkcode HwInfoArmSmmuv3}. */
export function putHwInfoArmSmmuv3(view: DataView, at: number, value: Put<HwInfoArmSmmuv3, "flags" | "idr" | "iidr" | "aidr">): void {
  view.setUint32(at, value.flags ?? 0, true);
  view.setUint32(at + 4, 0, true);
  view.setUint32(at + 8, value.idr?.[0] ?? 0, true);
  view.setUint32(at + 12, value.idr?.[1] ?? 0, true);
  view.setUint32(at + 16, value.idr?.[2] ?? 0, true);
  view.setUint32(at + 20, value.idr?.[3] ?? 0, true);
  view.setUint32(at + 24, value.idr?.[4] ?? 0, true);
  view.setUint32(at + 28, value.idr?.[5] ?? 0, true);
  view.setUint32(at + 32, value.iidr ?? 0, true);
  view.setUint32(at + 36, value.aidr ?? 0, true);
}

/** Read a {@linkcode HwInfoArmSmmuv3}. */
export function getHwInfoArmSmmuv3(view: DataView, at: number): HwInfoArmSmmuv3 {
  return {
    flags: view.getUint32(at, true),
    idr: [
      view.getUint32(at + 8, true),
      view.getUint32(at + 12, true),
      view.getUint32(at + 16, true),
      view.getUint32(at + 20, true),
      view.getUint32(at + 24, true),
      view.getUint32(at + 28, true),
    ],
    iidr: view.getUint32(at + 32, true),
    aidr: view.getUint32(at + 36, true),
  };
}

/** Read `flags` of a {@linkcode HwInfoArmSmmuv3}. */
export function getHwInfoArmSmmuv3Flags(view: DataView, at: number): number {
  return view.getUint32(at, true);
}

/** Read `idr` of a {@linkcode HwInfoArmSmmuv3}. */
export function getHwInfoArmSmmuv3Idr(view: DataView, at: number): readonly [number, number, number, number, number, number] {
  return [
    view.getUint32(at + 8, true),
    view.getUint32(at + 12, true),
    view.getUint32(at + 16, true),
    view.getUint32(at + 20, true),
    view.getUint32(at + 24, true),
    view.getUint32(at + 28, true),
  ];
}

/** Read `iidr` of a {@linkcode HwInfoArmSmmuv3}. */
export function getHwInfoArmSmmuv3Iidr(view: DataView, at: number): number {
  return view.getUint32(at + 32, true);
}

/** Read `aidr` of a {@linkcode HwInfoArmSmmuv3}. */
export function getHwInfoArmSmmuv3Aidr(view: DataView, at: number): number {
  return view.getUint32(at + 36, true);
}

/** What the command queue virtualisation of Tegra241 says of itself. (`struct iommu_hw_info_tegra241_cmdqv`) */
export interface HwInfoTegra241Cmdqv {
  /** No flag is defined. */
  flags: number;
  /** Version. */
  version: number;
  /** Log2 of the number of virtual command queues. */
  log2vcmdqs: number;
  /** Log2 of the number of stream ids that can be replaced. */
  log2vsids: number;
}

/** Bytes of `iommu_hw_info_tegra241_cmdqv`.  */
export const HwInfoTegra241CmdqvSize = 8;

/** Write a {@linkcode HwInfoTegra241Cmdqv}. */
export function putHwInfoTegra241Cmdqv(
  view: DataView,
  at: number,
  value: Put<HwInfoTegra241Cmdqv, "flags" | "version" | "log2vcmdqs" | "log2vsids">,
): void {
  view.setUint32(at, value.flags ?? 0, true);
  view.setUint8(at + 4, value.version ?? 0);
  view.setUint8(at + 5, value.log2vcmdqs ?? 0);
  view.setUint8(at + 6, value.log2vsids ?? 0);
  view.setUint8(at + 7, 0);
}

/** Read a {@linkcode HwInfoTegra241Cmdqv}. */
export function getHwInfoTegra241Cmdqv(view: DataView, at: number): HwInfoTegra241Cmdqv {
  return {
    flags: view.getUint32(at, true),
    version: view.getUint8(at + 4),
    log2vcmdqs: view.getUint8(at + 5),
    log2vsids: view.getUint8(at + 6),
  };
}

/** Read `flags` of a {@linkcode HwInfoTegra241Cmdqv}. */
export function getHwInfoTegra241CmdqvFlags(view: DataView, at: number): number {
  return view.getUint32(at, true);
}

/** Read `version` of a {@linkcode HwInfoTegra241Cmdqv}. */
export function getHwInfoTegra241CmdqvVersion(view: DataView, at: number): number {
  return view.getUint8(at + 4);
}

/** Read `log2vcmdqs` of a {@linkcode HwInfoTegra241Cmdqv}. */
export function getHwInfoTegra241CmdqvLog2vcmdqs(view: DataView, at: number): number {
  return view.getUint8(at + 5);
}

/** Read `log2vsids` of a {@linkcode HwInfoTegra241Cmdqv}. */
export function getHwInfoTegra241CmdqvLog2vsids(view: DataView, at: number): number {
  return view.getUint8(at + 6);
}

/** What an AMD IOMMU says of itself. (`struct iommu_hw_info_amd`) */
export interface HwInfoAmd {
  /** The extended feature register. */
  efr: bigint;
  /** The second extended feature register. */
  efr2: bigint;
}

/** Bytes of `iommu_hw_info_amd`.  */
export const HwInfoAmdSize = 16;

/** Write a {@linkcode HwInfoAmd}. */
export function putHwInfoAmd(view: DataView, at: number, value: Put<HwInfoAmd, "efr" | "efr2">): void {
  view.setBigUint64(at, value.efr ?? 0n, true);
  view.setBigUint64(at + 8, value.efr2 ?? 0n, true);
}

/** Read a {@linkcode HwInfoAmd}. */
export function getHwInfoAmd(view: DataView, at: number): HwInfoAmd {
  return {
    efr: view.getBigUint64(at, true),
    efr2: view.getBigUint64(at + 8, true),
  };
}

/** Read `efr` of a {@linkcode HwInfoAmd}. */
export function getHwInfoAmdEfr(view: DataView, at: number): bigint {
  return view.getBigUint64(at, true);
}

/** Read `efr2` of a {@linkcode HwInfoAmd}. */
export function getHwInfoAmdEfr2(view: DataView, at: number): bigint {
  return view.getBigUint64(at + 8, true);
}

/** Where the queues of a virtual IOMMU of Tegra241 can be mapped. (`struct iommu_viommu_tegra241_cmdqv`) */
export interface ViommuTegra241Cmdqv {
  /** Offset for mmap of the iommufd. */
  outVintfMmapOffset: bigint;
  /** Bytes to map. */
  outVintfMmapLength: bigint;
}

/** Bytes of `iommu_viommu_tegra241_cmdqv`.  */
export const ViommuTegra241CmdqvSize = 16;

/** Write a {@linkcode ViommuTegra241Cmdqv}. */
export function putViommuTegra241Cmdqv(
  view: DataView,
  at: number,
  value: Put<ViommuTegra241Cmdqv, "outVintfMmapOffset" | "outVintfMmapLength">,
): void {
  view.setBigUint64(at, value.outVintfMmapOffset ?? 0n, true);
  view.setBigUint64(at + 8, value.outVintfMmapLength ?? 0n, true);
}

/** Read a {@linkcode ViommuTegra241Cmdqv}. */
export function getViommuTegra241Cmdqv(view: DataView, at: number): ViommuTegra241Cmdqv {
  return {
    outVintfMmapOffset: view.getBigUint64(at, true),
    outVintfMmapLength: view.getBigUint64(at + 8, true),
  };
}

/** Read `out_vintf_mmap_offset` of a {@linkcode ViommuTegra241Cmdqv}. */
export function getViommuTegra241CmdqvOutVintfMmapOffset(view: DataView, at: number): bigint {
  return view.getBigUint64(at, true);
}

/** Read `out_vintf_mmap_length` of a {@linkcode ViommuTegra241Cmdqv}. */
export function getViommuTegra241CmdqvOutVintfMmapLength(view: DataView, at: number): bigint {
  return view.getBigUint64(at + 8, true);
}

/** A page fault, as read from a fault queue's file. (`struct iommu_hwpt_pgfault`) */
export interface HwptPgfault {
  /** What the record says. */
  flags: number;
  /** The device. */
  devId: number;
  /** The PASID, if the flag says so. */
  pasid: number;
  /** The group of faults that it belongs to. */
  grpid: number;
  /** What the access wanted. */
  perm: number;
  /** The address. */
  addr: bigint;
  /** Bytes that the device expects to need, 0 if it does not say. */
  length: number;
  /** Names the group in the response. */
  cookie: number;
}

/** Bytes of `iommu_hwpt_pgfault`.  */
export const HwptPgfaultSize = 40;

/** Write a {@linkcode HwptPgfault}. */
export function putHwptPgfault(
  view: DataView,
  at: number,
  value: Put<HwptPgfault, "flags" | "devId" | "pasid" | "grpid" | "perm" | "addr" | "length" | "cookie">,
): void {
  view.setUint32(at, value.flags ?? 0, true);
  view.setUint32(at + 4, value.devId ?? 0, true);
  view.setUint32(at + 8, value.pasid ?? 0, true);
  view.setUint32(at + 12, value.grpid ?? 0, true);
  view.setUint32(at + 16, value.perm ?? 0, true);
  view.setUint32(at + 20, 0, true);
  view.setBigUint64(at + 24, value.addr ?? 0n, true);
  view.setUint32(at + 32, value.length ?? 0, true);
  view.setUint32(at + 36, value.cookie ?? 0, true);
}

/** Read a {@linkcode HwptPgfault}. */
export function getHwptPgfault(view: DataView, at: number): HwptPgfault {
  return {
    flags: view.getUint32(at, true),
    devId: view.getUint32(at + 4, true),
    pasid: view.getUint32(at + 8, true),
    grpid: view.getUint32(at + 12, true),
    perm: view.getUint32(at + 16, true),
    addr: view.getBigUint64(at + 24, true),
    length: view.getUint32(at + 32, true),
    cookie: view.getUint32(at + 36, true),
  };
}

/** Read `flags` of a {@linkcode HwptPgfault}. */
export function getHwptPgfaultFlags(view: DataView, at: number): number {
  return view.getUint32(at, true);
}

/** Read `dev_id` of a {@linkcode HwptPgfault}. */
export function getHwptPgfaultDevId(view: DataView, at: number): number {
  return view.getUint32(at + 4, true);
}

/** Read `pasid` of a {@linkcode HwptPgfault}. */
export function getHwptPgfaultPasid(view: DataView, at: number): number {
  return view.getUint32(at + 8, true);
}

/** Read `grpid` of a {@linkcode HwptPgfault}. */
export function getHwptPgfaultGrpid(view: DataView, at: number): number {
  return view.getUint32(at + 12, true);
}

/** Read `perm` of a {@linkcode HwptPgfault}. */
export function getHwptPgfaultPerm(view: DataView, at: number): number {
  return view.getUint32(at + 16, true);
}

/** Read `addr` of a {@linkcode HwptPgfault}. */
export function getHwptPgfaultAddr(view: DataView, at: number): bigint {
  return view.getBigUint64(at + 24, true);
}

/** Read `length` of a {@linkcode HwptPgfault}. */
export function getHwptPgfaultLength(view: DataView, at: number): number {
  return view.getUint32(at + 32, true);
}

/** Read `cookie` of a {@linkcode HwptPgfault}. */
export function getHwptPgfaultCookie(view: DataView, at: number): number {
  return view.getUint32(at + 36, true);
}

/** The answer to a group of page faults, as written to a fault queue's file. (`struct iommu_hwpt_page_response`) */
export interface HwptPageResponse {
  /** The cookie of the group. */
  cookie: number;
  /** Whether the access shall be tried again. */
  code: number;
}

/** Bytes of `iommu_hwpt_page_response`.  */
export const HwptPageResponseSize = 8;

/** Write a {@linkcode HwptPageResponse}. */
export function putHwptPageResponse(view: DataView, at: number, value: HwptPageResponse): void {
  view.setUint32(at, value.cookie, true);
  view.setUint32(at + 4, value.code, true);
}

/** Read a {@linkcode HwptPageResponse}. */
export function getHwptPageResponse(view: DataView, at: number): HwptPageResponse {
  return {
    cookie: view.getUint32(at, true),
    code: view.getUint32(at + 4, true),
  };
}

/** Begins each event read from an event queue's file. (`struct iommufd_vevent_header`) */
export interface VeventHeader {
  /** Whether events were lost. */
  flags: number;
  /** Number of the event, lost ones included, from 0 to 2^31 − 1. */
  sequence: number;
}

/** Bytes of `iommufd_vevent_header`.  */
export const VeventHeaderSize = 8;

/** Write a {@linkcode VeventHeader}. */
export function putVeventHeader(view: DataView, at: number, value: Put<VeventHeader, "flags" | "sequence">): void {
  view.setUint32(at, value.flags ?? 0, true);
  view.setUint32(at + 4, value.sequence ?? 0, true);
}

/** Read a {@linkcode VeventHeader}. */
export function getVeventHeader(view: DataView, at: number): VeventHeader {
  return {
    flags: view.getUint32(at, true),
    sequence: view.getUint32(at + 4, true),
  };
}

/** Read `flags` of a {@linkcode VeventHeader}. */
export function getVeventHeaderFlags(view: DataView, at: number): number {
  return view.getUint32(at, true);
}

/** Read `sequence` of a {@linkcode VeventHeader}. */
export function getVeventHeaderSequence(view: DataView, at: number): number {
  return view.getUint32(at + 4, true);
}

/** An event of SMMUv3. (`struct iommu_vevent_arm_smmuv3`) */
export interface VeventArmSmmuv3 {
  /** The event record. */
  evt: readonly [bigint, bigint, bigint, bigint];
}

/** Bytes of `iommu_vevent_arm_smmuv3`.  */
export const VeventArmSmmuv3Size = 32;

/** Write a {@linkcode VeventArmSmmuv3}. */
export function putVeventArmSmmuv3(view: DataView, at: number, value: Put<VeventArmSmmuv3, "evt">): void {
  view.setBigUint64(at, value.evt?.[0] ?? 0n, true);
  view.setBigUint64(at + 8, value.evt?.[1] ?? 0n, true);
  view.setBigUint64(at + 16, value.evt?.[2] ?? 0n, true);
  view.setBigUint64(at + 24, value.evt?.[3] ?? 0n, true);
}

/** Read a {@linkcode VeventArmSmmuv3}. */
export function getVeventArmSmmuv3(view: DataView, at: number): VeventArmSmmuv3 {
  return {
    evt: [view.getBigUint64(at, true), view.getBigUint64(at + 8, true), view.getBigUint64(at + 16, true), view.getBigUint64(at + 24, true)],
  };
}

/** Read `evt` of a {@linkcode VeventArmSmmuv3}. */
export function getVeventArmSmmuv3Evt(view: DataView, at: number): readonly [bigint, bigint, bigint, bigint] {
  return [view.getBigUint64(at, true), view.getBigUint64(at + 8, true), view.getBigUint64(at + 16, true), view.getBigUint64(at + 24, true)];
}

/** An error interrupt of Tegra241's command queues. (`struct iommu_vevent_tegra241_cmdqv`) */
export interface VeventTegra241Cmdqv {
  /** One bit for each queue in error. */
  lvcmdqErrMap: readonly [bigint, bigint];
}

/** Bytes of `iommu_vevent_tegra241_cmdqv`.  */
export const VeventTegra241CmdqvSize = 16;

/** Write a {@linkcode VeventTegra241Cmdqv}. */
export function putVeventTegra241Cmdqv(view: DataView, at: number, value: Put<VeventTegra241Cmdqv, "lvcmdqErrMap">): void {
  view.setBigUint64(at, value.lvcmdqErrMap?.[0] ?? 0n, true);
  view.setBigUint64(at + 8, value.lvcmdqErrMap?.[1] ?? 0n, true);
}

/** Read a {@linkcode VeventTegra241Cmdqv}. */
export function getVeventTegra241Cmdqv(view: DataView, at: number): VeventTegra241Cmdqv {
  return {
    lvcmdqErrMap: [view.getBigUint64(at, true), view.getBigUint64(at + 8, true)],
  };
}

/** Read `lvcmdq_err_map` of a {@linkcode VeventTegra241Cmdqv}. */
export function getVeventTegra241CmdqvLvcmdqErrMap(view: DataView, at: number): readonly [bigint, bigint] {
  return [view.getBigUint64(at, true), view.getBigUint64(at + 8, true)];
}

/** Request: What the device is. */
export const DEVICE_GET_INFO = 0x3b6b;
/** Request: What a region is. */
export const DEVICE_GET_REGION_INFO = 0x3b6c;
/** Request: What an interrupt index is. */
export const DEVICE_GET_IRQ_INFO = 0x3b6d;
/** Request: Control interrupts. */
export const DEVICE_SET_IRQS = 0x3b6e;
/** Request: Reset the device. */
export const DEVICE_RESET = 0x3b6f;
/** Request: Which devices a hot reset affects. */
export const DEVICE_GET_PCI_HOT_RESET_INFO = 0x3b70;
/** Request: Reset the bus or slot of the device. */
export const DEVICE_PCI_HOT_RESET = 0x3b71;
/** Request: Get, set or probe a feature. */
export const DEVICE_FEATURE = 0x3b75;
/** Request: Bind the device to an iommufd. */
export const DEVICE_BIND_IOMMUFD = 0x3b76;
/** Request: Attach the device, or replace what it is attached to. */
export const DEVICE_ATTACH_IOMMUFD_PT = 0x3b77;
/** Request: Detach the device. */
export const DEVICE_DETACH_IOMMUFD_PT = 0x3b78;
/** What a device is and can do. */
export const DEVICE_FLAGS_RESET = 1;
/** What a device is and can do. */
export const DEVICE_FLAGS_PCI = 2;
/** What a device is and can do. */
export const DEVICE_FLAGS_PLATFORM = 4;
/** What a device is and can do. */
export const DEVICE_FLAGS_AMBA = 8;
/** What a device is and can do. */
export const DEVICE_FLAGS_CCW = 0x10;
/** What a device is and can do. */
export const DEVICE_FLAGS_AP = 0x20;
/** What a device is and can do. */
export const DEVICE_FLAGS_FSL_MC = 0x40;
/** What a device is and can do. */
export const DEVICE_FLAGS_CAPS = 0x80;
/** What a device is and can do. */
export const DEVICE_FLAGS_CDX = 0x100;
/** Widths of PCIe atomic operations that the root completes. */
export const PCI_ATOMIC_COMP32 = 1;
/** Widths of PCIe atomic operations that the root completes. */
export const PCI_ATOMIC_COMP64 = 2;
/** Widths of PCIe atomic operations that the root completes. */
export const PCI_ATOMIC_COMP128 = 4;
/** What can be done with a region. */
export const REGION_INFO_FLAG_READ = 1;
/** What can be done with a region. */
export const REGION_INFO_FLAG_WRITE = 2;
/** What can be done with a region. */
export const REGION_INFO_FLAG_MMAP = 4;
/** What can be done with a region. */
export const REGION_INFO_FLAG_CAPS = 8;
/** How an interrupt index behaves. */
export const IRQ_INFO_EVENTFD = 1;
/** How an interrupt index behaves. */
export const IRQ_INFO_MASKABLE = 2;
/** How an interrupt index behaves. */
export const IRQ_INFO_AUTOMASKED = 4;
/** How an interrupt index behaves. */
export const IRQ_INFO_NORESIZE = 8;
/** What SET_IRQS does (one action) and with which data (one kind). */
export const IRQ_SET_DATA_NONE = 1;
/** What SET_IRQS does (one action) and with which data (one kind). */
export const IRQ_SET_DATA_BOOL = 2;
/** What SET_IRQS does (one action) and with which data (one kind). */
export const IRQ_SET_DATA_EVENTFD = 4;
/** What SET_IRQS does (one action) and with which data (one kind). */
export const IRQ_SET_ACTION_MASK = 8;
/** What SET_IRQS does (one action) and with which data (one kind). */
export const IRQ_SET_ACTION_UNMASK = 0x10;
/** What SET_IRQS does (one action) and with which data (one kind). */
export const IRQ_SET_ACTION_TRIGGER = 0x20;
/** Region indices of a PCI device. */
export const PCI_BAR0_REGION_INDEX = 0;
/** Region indices of a PCI device. */
export const PCI_BAR1_REGION_INDEX = 1;
/** Region indices of a PCI device. */
export const PCI_BAR2_REGION_INDEX = 2;
/** Region indices of a PCI device. */
export const PCI_BAR3_REGION_INDEX = 3;
/** Region indices of a PCI device. */
export const PCI_BAR4_REGION_INDEX = 4;
/** Region indices of a PCI device. */
export const PCI_BAR5_REGION_INDEX = 5;
/** Region indices of a PCI device. */
export const PCI_ROM_REGION_INDEX = 6;
/** Region indices of a PCI device. */
export const PCI_CONFIG_REGION_INDEX = 7;
/** Region indices of a PCI device. */
export const PCI_VGA_REGION_INDEX = 8;
/** Region indices of a PCI device. */
export const PCI_NUM_REGIONS = 9;
/** Interrupt indices of a PCI device. */
export const PCI_INTX_IRQ_INDEX = 0;
/** Interrupt indices of a PCI device. */
export const PCI_MSI_IRQ_INDEX = 1;
/** Interrupt indices of a PCI device. */
export const PCI_MSIX_IRQ_INDEX = 2;
/** Interrupt indices of a PCI device. */
export const PCI_ERR_IRQ_INDEX = 3;
/** Interrupt indices of a PCI device. */
export const PCI_REQ_IRQ_INDEX = 4;
/** Interrupt indices of a PCI device. */
export const PCI_NUM_IRQS = 5;
/** Ids of the capabilities that follow an answer. */
export const DEVICE_INFO_CAP_PCI_ATOMIC_COMP = 5;
/** Ids of the capabilities that follow an answer. */
export const REGION_INFO_CAP_SPARSE_MMAP = 1;
/** Ids of the capabilities that follow an answer. */
export const REGION_INFO_CAP_TYPE = 2;
/** Ids of the capabilities that follow an answer. */
export const REGION_INFO_CAP_MSIX_MAPPABLE = 3;
/** How the devices of a hot reset are named, and whether the caller owns them all. */
export const PCI_HOT_RESET_FLAG_DEV_ID = 1;
/** How the devices of a hot reset are named, and whether the caller owns them all. */
export const PCI_HOT_RESET_FLAG_DEV_ID_OWNED = 2;
/** What FEATURE does with the feature whose number is in the low 16 bits. */
export const DEVICE_FEATURE_MASK = 0xffff;
/** What FEATURE does with the feature whose number is in the low 16 bits. */
export const DEVICE_FEATURE_GET = 0x10000;
/** What FEATURE does with the feature whose number is in the low 16 bits. */
export const DEVICE_FEATURE_SET = 0x20000;
/** What FEATURE does with the feature whose number is in the low 16 bits. */
export const DEVICE_FEATURE_PROBE = 0x40000;
/** Numbers of features that the library knows. */
export const DEVICE_FEATURE_DMA_LOGGING_START = 6;
/** Numbers of features that the library knows. */
export const DEVICE_FEATURE_DMA_LOGGING_STOP = 7;
/** Numbers of features that the library knows. */
export const DEVICE_FEATURE_DMA_LOGGING_REPORT = 8;
/** Numbers of features that the library knows. */
export const DEVICE_FEATURE_DMA_BUF = 0xb;
/** Options of BIND_IOMMUFD. */
export const DEVICE_BIND_FLAG_TOKEN = 1;
/** Options of ATTACH_IOMMUFD_PT. */
export const DEVICE_ATTACH_PASID = 1;
/** Options of DETACH_IOMMUFD_PT. */
export const DEVICE_DETACH_PASID = 1;

/** Begins each capability that follows an answer; alone it is a capability without content. (`struct vfio_info_cap_header`) */
export interface InfoCapHeader {
  /** Which capability this is. */
  id: number;
  /** Version of this capability's layout. */
  version: number;
  /** Offset of the next capability from the start of the answer, 0 for the last. */
  next: number;
}

/** Bytes of `vfio_info_cap_header`.  */
export const InfoCapHeaderSize = 8;

/** Write a {@linkcode InfoCapHeader}. */
export function putInfoCapHeader(view: DataView, at: number, value: Put<InfoCapHeader, "id" | "version" | "next">): void {
  view.setUint16(at, value.id ?? 0, true);
  view.setUint16(at + 2, value.version ?? 0, true);
  view.setUint32(at + 4, value.next ?? 0, true);
}

/** Read a {@linkcode InfoCapHeader}. */
export function getInfoCapHeader(view: DataView, at: number): InfoCapHeader {
  return {
    id: view.getUint16(at, true),
    version: view.getUint16(at + 2, true),
    next: view.getUint32(at + 4, true),
  };
}

/** Read `id` of a {@linkcode InfoCapHeader}. */
export function getInfoCapHeaderId(view: DataView, at: number): number {
  return view.getUint16(at, true);
}

/** Read `version` of a {@linkcode InfoCapHeader}. */
export function getInfoCapHeaderVersion(view: DataView, at: number): number {
  return view.getUint16(at + 2, true);
}

/** Read `next` of a {@linkcode InfoCapHeader}. */
export function getInfoCapHeaderNext(view: DataView, at: number): number {
  return view.getUint32(at + 4, true);
}

/** What a device is and how many regions and interrupt indices it has. (`struct vfio_device_info`) */
export interface DeviceInfo {
  /** What the device is and can do. */
  flags: number;
  /** Highest region index plus one. */
  numRegions: number;
  /** Highest interrupt index plus one. */
  numIrqs: number;
  /** Offset of the first capability in the answer, 0 without one. */
  capOffset: number;
  /** Fills the struct up to 64 bits. */
  pad: number;
}

/** Bytes of `vfio_device_info`.  */
export const DeviceInfoSize = 24;

/** Write a {@linkcode DeviceInfo}. The last argument is the size with what follows the struct. */
export function putDeviceInfo(
  view: DataView,
  at: number,
  value: Put<DeviceInfo, "flags" | "numRegions" | "numIrqs" | "capOffset" | "pad">,
  argsz: number = DeviceInfoSize,
): void {
  view.setUint32(at, argsz, true);
  view.setUint32(at + 4, value.flags ?? 0, true);
  view.setUint32(at + 8, value.numRegions ?? 0, true);
  view.setUint32(at + 12, value.numIrqs ?? 0, true);
  view.setUint32(at + 16, value.capOffset ?? 0, true);
  view.setUint32(at + 20, value.pad ?? 0, true);
}

/** Read a {@linkcode DeviceInfo}. */
export function getDeviceInfo(view: DataView, at: number): DeviceInfo {
  return {
    flags: view.getUint32(at + 4, true),
    numRegions: view.getUint32(at + 8, true),
    numIrqs: view.getUint32(at + 12, true),
    capOffset: view.getUint32(at + 16, true),
    pad: view.getUint32(at + 20, true),
  };
}

/** Read `argsz` of a {@linkcode DeviceInfo}. */
export function getDeviceInfoArgsz(view: DataView, at: number): number {
  return view.getUint32(at, true);
}

/** Read `flags` of a {@linkcode DeviceInfo}. */
export function getDeviceInfoFlags(view: DataView, at: number): number {
  return view.getUint32(at + 4, true);
}

/** Read `num_regions` of a {@linkcode DeviceInfo}. */
export function getDeviceInfoNumRegions(view: DataView, at: number): number {
  return view.getUint32(at + 8, true);
}

/** Read `num_irqs` of a {@linkcode DeviceInfo}. */
export function getDeviceInfoNumIrqs(view: DataView, at: number): number {
  return view.getUint32(at + 12, true);
}

/** Read `cap_offset` of a {@linkcode DeviceInfo}. */
export function getDeviceInfoCapOffset(view: DataView, at: number): number {
  return view.getUint32(at + 16, true);
}

/** Read `pad` of a {@linkcode DeviceInfo}. */
export function getDeviceInfoPad(view: DataView, at: number): number {
  return view.getUint32(at + 20, true);
}

/** Capability of a device: PCIe atomic operations that the root completes. (`struct vfio_device_info_cap_pci_atomic_comp`) */
export interface DeviceInfoCapPciAtomicComp {
  /** Which capability this is. */
  id: number;
  /** Version of this capability's layout. */
  version: number;
  /** Offset of the next capability from the start of the answer, 0 for the last. */
  next: number;
  /** Widths that the root completes. */
  flags: number;
}

/** Bytes of `vfio_device_info_cap_pci_atomic_comp`.  */
export const DeviceInfoCapPciAtomicCompSize = 16;

/** Write a {@linkcode DeviceInfoCapPciAtomicComp}. */
export function putDeviceInfoCapPciAtomicComp(
  view: DataView,
  at: number,
  value: Put<DeviceInfoCapPciAtomicComp, "id" | "version" | "next" | "flags">,
): void {
  view.setUint16(at, value.id ?? 0, true);
  view.setUint16(at + 2, value.version ?? 0, true);
  view.setUint32(at + 4, value.next ?? 0, true);
  view.setUint32(at + 8, value.flags ?? 0, true);
  view.setUint32(at + 12, 0, true);
}

/** Read a {@linkcode DeviceInfoCapPciAtomicComp}. */
export function getDeviceInfoCapPciAtomicComp(view: DataView, at: number): DeviceInfoCapPciAtomicComp {
  return {
    id: view.getUint16(at, true),
    version: view.getUint16(at + 2, true),
    next: view.getUint32(at + 4, true),
    flags: view.getUint32(at + 8, true),
  };
}

/** Read `id` of a {@linkcode DeviceInfoCapPciAtomicComp}. */
export function getDeviceInfoCapPciAtomicCompId(view: DataView, at: number): number {
  return view.getUint16(at, true);
}

/** Read `version` of a {@linkcode DeviceInfoCapPciAtomicComp}. */
export function getDeviceInfoCapPciAtomicCompVersion(view: DataView, at: number): number {
  return view.getUint16(at + 2, true);
}

/** Read `next` of a {@linkcode DeviceInfoCapPciAtomicComp}. */
export function getDeviceInfoCapPciAtomicCompNext(view: DataView, at: number): number {
  return view.getUint32(at + 4, true);
}

/** Read `flags` of a {@linkcode DeviceInfoCapPciAtomicComp}. */
export function getDeviceInfoCapPciAtomicCompFlags(view: DataView, at: number): number {
  return view.getUint32(at + 8, true);
}

/** Where a region is in the device file, how long it is and what can be done with it. (`struct vfio_region_info`) */
export interface RegionInfo {
  /** What can be done with the region. */
  flags: number;
  /** Which region. */
  index: number;
  /** Offset of the first capability in the answer, 0 without one. */
  capOffset: number;
  /** Bytes of the region, 0 where the device has none. */
  size: bigint;
  /** Where the region begins in the device file. */
  offset: bigint;
}

/** Bytes of `vfio_region_info`.  */
export const RegionInfoSize = 32;

/** Write a {@linkcode RegionInfo}. The last argument is the size with what follows the struct. */
export function putRegionInfo(
  view: DataView,
  at: number,
  value: Put<RegionInfo, "flags" | "capOffset" | "size" | "offset">,
  argsz: number = RegionInfoSize,
): void {
  view.setUint32(at, argsz, true);
  view.setUint32(at + 4, value.flags ?? 0, true);
  view.setUint32(at + 8, value.index, true);
  view.setUint32(at + 12, value.capOffset ?? 0, true);
  view.setBigUint64(at + 16, value.size ?? 0n, true);
  view.setBigUint64(at + 24, value.offset ?? 0n, true);
}

/** Read a {@linkcode RegionInfo}. */
export function getRegionInfo(view: DataView, at: number): RegionInfo {
  return {
    flags: view.getUint32(at + 4, true),
    index: view.getUint32(at + 8, true),
    capOffset: view.getUint32(at + 12, true),
    size: view.getBigUint64(at + 16, true),
    offset: view.getBigUint64(at + 24, true),
  };
}

/** Read `argsz` of a {@linkcode RegionInfo}. */
export function getRegionInfoArgsz(view: DataView, at: number): number {
  return view.getUint32(at, true);
}

/** Read `flags` of a {@linkcode RegionInfo}. */
export function getRegionInfoFlags(view: DataView, at: number): number {
  return view.getUint32(at + 4, true);
}

/** Read `cap_offset` of a {@linkcode RegionInfo}. */
export function getRegionInfoCapOffset(view: DataView, at: number): number {
  return view.getUint32(at + 12, true);
}

/** Read `size` of a {@linkcode RegionInfo}. */
export function getRegionInfoSize(view: DataView, at: number): bigint {
  return view.getBigUint64(at + 16, true);
}

/** Read `offset` of a {@linkcode RegionInfo}. */
export function getRegionInfoOffset(view: DataView, at: number): bigint {
  return view.getBigUint64(at + 24, true);
}

/** A part of a region that mmap takes. (`struct vfio_region_sparse_mmap_area`) */
export interface RegionSparseMmapArea {
  /** Where the part begins in the region. */
  offset: bigint;
  /** Bytes of the part. */
  size: bigint;
}

/** Bytes of `vfio_region_sparse_mmap_area`.  */
export const RegionSparseMmapAreaSize = 16;

/** Write a {@linkcode RegionSparseMmapArea}. */
export function putRegionSparseMmapArea(view: DataView, at: number, value: Put<RegionSparseMmapArea, "offset" | "size">): void {
  view.setBigUint64(at, value.offset ?? 0n, true);
  view.setBigUint64(at + 8, value.size ?? 0n, true);
}

/** Read a {@linkcode RegionSparseMmapArea}. */
export function getRegionSparseMmapArea(view: DataView, at: number): RegionSparseMmapArea {
  return {
    offset: view.getBigUint64(at, true),
    size: view.getBigUint64(at + 8, true),
  };
}

/** Read `offset` of a {@linkcode RegionSparseMmapArea}. */
export function getRegionSparseMmapAreaOffset(view: DataView, at: number): bigint {
  return view.getBigUint64(at, true);
}

/** Read `size` of a {@linkcode RegionSparseMmapArea}. */
export function getRegionSparseMmapAreaSize(view: DataView, at: number): bigint {
  return view.getBigUint64(at + 8, true);
}

/** Capability of a region: only these parts of it take mmap. (`struct vfio_region_info_cap_sparse_mmap`) */
export interface RegionInfoCapSparseMmap {
  /** Which capability this is. */
  id: number;
  /** Version of this capability's layout. */
  version: number;
  /** Offset of the next capability from the start of the answer, 0 for the last. */
  next: number;
  /** Number of parts that follow. */
  nrAreas: number;
}

/** Bytes of `vfio_region_info_cap_sparse_mmap` without what follows it.  */
export const RegionInfoCapSparseMmapSize = 16;

/** Write a {@linkcode RegionInfoCapSparseMmap}. */
export function putRegionInfoCapSparseMmap(
  view: DataView,
  at: number,
  value: Put<RegionInfoCapSparseMmap, "id" | "version" | "next" | "nrAreas">,
): void {
  view.setUint16(at, value.id ?? 0, true);
  view.setUint16(at + 2, value.version ?? 0, true);
  view.setUint32(at + 4, value.next ?? 0, true);
  view.setUint32(at + 8, value.nrAreas ?? 0, true);
  view.setUint32(at + 12, 0, true);
}

/** Read a {@linkcode RegionInfoCapSparseMmap}. */
export function getRegionInfoCapSparseMmap(view: DataView, at: number): RegionInfoCapSparseMmap {
  return {
    id: view.getUint16(at, true),
    version: view.getUint16(at + 2, true),
    next: view.getUint32(at + 4, true),
    nrAreas: view.getUint32(at + 8, true),
  };
}

/** Read `id` of a {@linkcode RegionInfoCapSparseMmap}. */
export function getRegionInfoCapSparseMmapId(view: DataView, at: number): number {
  return view.getUint16(at, true);
}

/** Read `version` of a {@linkcode RegionInfoCapSparseMmap}. */
export function getRegionInfoCapSparseMmapVersion(view: DataView, at: number): number {
  return view.getUint16(at + 2, true);
}

/** Read `next` of a {@linkcode RegionInfoCapSparseMmap}. */
export function getRegionInfoCapSparseMmapNext(view: DataView, at: number): number {
  return view.getUint32(at + 4, true);
}

/** Read `nr_areas` of a {@linkcode RegionInfoCapSparseMmap}. */
export function getRegionInfoCapSparseMmapNrAreas(view: DataView, at: number): number {
  return view.getUint32(at + 8, true);
}

/** Capability of a region: what a region that only this device has is for. (`struct vfio_region_info_cap_type`) */
export interface RegionInfoCapType {
  /** Which capability this is. */
  id: number;
  /** Version of this capability's layout. */
  version: number;
  /** Offset of the next capability from the start of the answer, 0 for the last. */
  next: number;
  /** Type, unique on the device's bus. */
  type: number;
  /** Subtype of that type. */
  subtype: number;
}

/** Bytes of `vfio_region_info_cap_type`.  */
export const RegionInfoCapTypeSize = 16;

/** Write a {@linkcode RegionInfoCapType}. */
export function putRegionInfoCapType(
  view: DataView,
  at: number,
  value: Put<RegionInfoCapType, "id" | "version" | "next" | "type" | "subtype">,
): void {
  view.setUint16(at, value.id ?? 0, true);
  view.setUint16(at + 2, value.version ?? 0, true);
  view.setUint32(at + 4, value.next ?? 0, true);
  view.setUint32(at + 8, value.type ?? 0, true);
  view.setUint32(at + 12, value.subtype ?? 0, true);
}

/** Read a {@linkcode RegionInfoCapType}. */
export function getRegionInfoCapType(view: DataView, at: number): RegionInfoCapType {
  return {
    id: view.getUint16(at, true),
    version: view.getUint16(at + 2, true),
    next: view.getUint32(at + 4, true),
    type: view.getUint32(at + 8, true),
    subtype: view.getUint32(at + 12, true),
  };
}

/** Read `id` of a {@linkcode RegionInfoCapType}. */
export function getRegionInfoCapTypeId(view: DataView, at: number): number {
  return view.getUint16(at, true);
}

/** Read `version` of a {@linkcode RegionInfoCapType}. */
export function getRegionInfoCapTypeVersion(view: DataView, at: number): number {
  return view.getUint16(at + 2, true);
}

/** Read `next` of a {@linkcode RegionInfoCapType}. */
export function getRegionInfoCapTypeNext(view: DataView, at: number): number {
  return view.getUint32(at + 4, true);
}

/** Read `type` of a {@linkcode RegionInfoCapType}. */
export function getRegionInfoCapTypeType(view: DataView, at: number): number {
  return view.getUint32(at + 8, true);
}

/** Read `subtype` of a {@linkcode RegionInfoCapType}. */
export function getRegionInfoCapTypeSubtype(view: DataView, at: number): number {
  return view.getUint32(at + 12, true);
}

/** How many interrupts an index has and how they behave. (`struct vfio_irq_info`) */
export interface IrqInfo {
  /** How the index behaves. */
  flags: number;
  /** Which interrupt index. */
  index: number;
  /** Interrupts of this index, 0 where the device has none. */
  count: number;
}

/** Bytes of `vfio_irq_info`.  */
export const IrqInfoSize = 16;

/** Write a {@linkcode IrqInfo}. */
export function putIrqInfo(view: DataView, at: number, value: Put<IrqInfo, "flags" | "count">): void {
  view.setUint32(at, IrqInfoSize, true);
  view.setUint32(at + 4, value.flags ?? 0, true);
  view.setUint32(at + 8, value.index, true);
  view.setUint32(at + 12, value.count ?? 0, true);
}

/** Read a {@linkcode IrqInfo}. */
export function getIrqInfo(view: DataView, at: number): IrqInfo {
  return {
    flags: view.getUint32(at + 4, true),
    index: view.getUint32(at + 8, true),
    count: view.getUint32(at + 12, true),
  };
}

/** Read `flags` of a {@linkcode IrqInfo}. */
export function getIrqInfoFlags(view: DataView, at: number): number {
  return view.getUint32(at + 4, true);
}

/** Read `count` of a {@linkcode IrqInfo}. */
export function getIrqInfoCount(view: DataView, at: number): number {
  return view.getUint32(at + 12, true);
}

/** Masks, unmasks, triggers interrupts, or says which eventfds they signal. (`struct vfio_irq_set`) */
export interface IrqSet {
  /** One kind of data and one action. */
  flags: number;
  /** Which interrupt index. */
  index: number;
  /** First interrupt of the index. */
  start: number;
  /** Number of interrupts. 0 with DATA_NONE and ACTION_TRIGGER switches the index off. */
  count: number;
}

/** Bytes of `vfio_irq_set` without what follows it.  */
export const IrqSetSize = 20;

/** Write a {@linkcode IrqSet}. The last argument is the size with what follows the struct. */
export function putIrqSet(view: DataView, at: number, value: IrqSet, argsz: number = IrqSetSize): void {
  view.setUint32(at, argsz, true);
  view.setUint32(at + 4, value.flags, true);
  view.setUint32(at + 8, value.index, true);
  view.setUint32(at + 12, value.start, true);
  view.setUint32(at + 16, value.count, true);
}

/** Read a {@linkcode IrqSet}. */
export function getIrqSet(view: DataView, at: number): IrqSet {
  return {
    flags: view.getUint32(at + 4, true),
    index: view.getUint32(at + 8, true),
    start: view.getUint32(at + 12, true),
    count: view.getUint32(at + 16, true),
  };
}

/** A device that a hot reset affects. (`struct vfio_pci_dependent_device`) */
export interface PciDependentDevice {
  /** Its id in the caller's iommufd, 0 if only owned, 2^32 − 1 if not owned; or its group. */
  devid: number;
  /** PCI segment. */
  segment: number;
  /** PCI bus. */
  bus: number;
  /** PCI device << 3 | function. */
  devfn: number;
}

/** Bytes of `vfio_pci_dependent_device`.  */
export const PciDependentDeviceSize = 8;

/** Write a {@linkcode PciDependentDevice}. */
export function putPciDependentDevice(
  view: DataView,
  at: number,
  value: Put<PciDependentDevice, "devid" | "segment" | "bus" | "devfn">,
): void {
  view.setUint32(at, value.devid ?? 0, true);
  view.setUint16(at + 4, value.segment ?? 0, true);
  view.setUint8(at + 6, value.bus ?? 0);
  view.setUint8(at + 7, value.devfn ?? 0);
}

/** Read a {@linkcode PciDependentDevice}. */
export function getPciDependentDevice(view: DataView, at: number): PciDependentDevice {
  return {
    devid: view.getUint32(at, true),
    segment: view.getUint16(at + 4, true),
    bus: view.getUint8(at + 6),
    devfn: view.getUint8(at + 7),
  };
}

/** Read `devid` of a {@linkcode PciDependentDevice}. */
export function getPciDependentDeviceDevid(view: DataView, at: number): number {
  return view.getUint32(at, true);
}

/** Read `segment` of a {@linkcode PciDependentDevice}. */
export function getPciDependentDeviceSegment(view: DataView, at: number): number {
  return view.getUint16(at + 4, true);
}

/** Read `bus` of a {@linkcode PciDependentDevice}. */
export function getPciDependentDeviceBus(view: DataView, at: number): number {
  return view.getUint8(at + 6);
}

/** Read `devfn` of a {@linkcode PciDependentDevice}. */
export function getPciDependentDeviceDevfn(view: DataView, at: number): number {
  return view.getUint8(at + 7);
}

/** Which devices a hot reset of this one affects. (`struct vfio_pci_hot_reset_info`) */
export interface PciHotResetInfo {
  /** How the devices are named. */
  flags: number;
  /** Number of devices. */
  count: number;
}

/** Bytes of `vfio_pci_hot_reset_info` without what follows it.  */
export const PciHotResetInfoSize = 12;

/** Write a {@linkcode PciHotResetInfo}. The last argument is the size with what follows the struct. */
export function putPciHotResetInfo(
  view: DataView,
  at: number,
  value: Put<PciHotResetInfo, "flags" | "count">,
  argsz: number = PciHotResetInfoSize,
): void {
  view.setUint32(at, argsz, true);
  view.setUint32(at + 4, value.flags ?? 0, true);
  view.setUint32(at + 8, value.count ?? 0, true);
}

/** Read a {@linkcode PciHotResetInfo}. */
export function getPciHotResetInfo(view: DataView, at: number): PciHotResetInfo {
  return {
    flags: view.getUint32(at + 4, true),
    count: view.getUint32(at + 8, true),
  };
}

/** Read `argsz` of a {@linkcode PciHotResetInfo}. */
export function getPciHotResetInfoArgsz(view: DataView, at: number): number {
  return view.getUint32(at, true);
}

/** Read `flags` of a {@linkcode PciHotResetInfo}. */
export function getPciHotResetInfoFlags(view: DataView, at: number): number {
  return view.getUint32(at + 4, true);
}

/** Read `count` of a {@linkcode PciHotResetInfo}. */
export function getPciHotResetInfoCount(view: DataView, at: number): number {
  return view.getUint32(at + 8, true);
}

/** Resets a device together with those on its bus or slot. (`struct vfio_pci_hot_reset`) */
export interface PciHotReset {
  /** No flag is defined: must be zero. */
  flags: number;
  /** Number of group files that follow: 0 with an iommufd. */
  count: number;
}

/** Bytes of `vfio_pci_hot_reset` without what follows it.  */
export const PciHotResetSize = 12;

/** Write a {@linkcode PciHotReset}. The last argument is the size with what follows the struct. */
export function putPciHotReset(view: DataView, at: number, value: PciHotReset, argsz: number = PciHotResetSize): void {
  view.setUint32(at, argsz, true);
  view.setUint32(at + 4, value.flags, true);
  view.setUint32(at + 8, value.count, true);
}

/** Read a {@linkcode PciHotReset}. */
export function getPciHotReset(view: DataView, at: number): PciHotReset {
  return {
    flags: view.getUint32(at + 4, true),
    count: view.getUint32(at + 8, true),
  };
}

/** Gets, sets or probes a feature of a device; the feature's data follows. (`struct vfio_device_feature`) */
export interface DeviceFeature {
  /** The feature's number and what to do. */
  flags: number;
}

/** Bytes of `vfio_device_feature` without what follows it.  */
export const DeviceFeatureSize = 8;

/** Write a {@linkcode DeviceFeature}. The last argument is the size with what follows the struct. */
export function putDeviceFeature(view: DataView, at: number, value: DeviceFeature, argsz: number = DeviceFeatureSize): void {
  view.setUint32(at, argsz, true);
  view.setUint32(at + 4, value.flags, true);
}

/** Read a {@linkcode DeviceFeature}. */
export function getDeviceFeature(view: DataView, at: number): DeviceFeature {
  return {
    flags: view.getUint32(at + 4, true),
  };
}

/** Data of DMA_LOGGING_START: what a device shall log. (`struct vfio_device_feature_dma_logging_control`) */
export interface DmaLoggingControl {
  /** Bytes that a bit stands for: a wish, and what the device has taken. */
  pageSize: bigint;
  /** Number of ranges, at most 256. */
  numRanges: number;
  /** Address of the ranges. */
  ranges: bigint;
}

/** Bytes of `vfio_device_feature_dma_logging_control`.  */
export const DmaLoggingControlSize = 24;

/** Write a {@linkcode DmaLoggingControl}. */
export function putDmaLoggingControl(view: DataView, at: number, value: DmaLoggingControl): void {
  view.setBigUint64(at, value.pageSize, true);
  view.setUint32(at + 8, value.numRanges, true);
  view.setUint32(at + 12, 0, true);
  view.setBigUint64(at + 16, value.ranges, true);
}

/** Read a {@linkcode DmaLoggingControl}. */
export function getDmaLoggingControl(view: DataView, at: number): DmaLoggingControl {
  return {
    pageSize: view.getBigUint64(at, true),
    numRanges: view.getUint32(at + 8, true),
    ranges: view.getBigUint64(at + 16, true),
  };
}

/** Read `page_size` of a {@linkcode DmaLoggingControl}. */
export function getDmaLoggingControlPageSize(view: DataView, at: number): bigint {
  return view.getBigUint64(at, true);
}

/** A range of I/O addresses that a device shall log its writes to. (`struct vfio_device_feature_dma_logging_range`) */
export interface DmaLoggingRange {
  /** The first address. */
  iova: bigint;
  /** Bytes. */
  length: bigint;
}

/** Bytes of `vfio_device_feature_dma_logging_range`.  */
export const DmaLoggingRangeSize = 16;

/** Write a {@linkcode DmaLoggingRange}. */
export function putDmaLoggingRange(view: DataView, at: number, value: DmaLoggingRange): void {
  view.setBigUint64(at, value.iova, true);
  view.setBigUint64(at + 8, value.length, true);
}

/** Read a {@linkcode DmaLoggingRange}. */
export function getDmaLoggingRange(view: DataView, at: number): DmaLoggingRange {
  return {
    iova: view.getBigUint64(at, true),
    length: view.getBigUint64(at + 8, true),
  };
}

/** Data of DMA_LOGGING_REPORT: which pages a device has written to. (`struct vfio_device_feature_dma_logging_report`) */
export interface DmaLoggingReport {
  /** The first address. */
  iova: bigint;
  /** Bytes. */
  length: bigint;
  /** Bytes that a bit stands for: a power of two, at least 4,096. */
  pageSize: bigint;
  /** Address of the bitmap, whose bits are set and never cleared. */
  bitmap: bigint;
}

/** Bytes of `vfio_device_feature_dma_logging_report`.  */
export const DmaLoggingReportSize = 32;

/** Write a {@linkcode DmaLoggingReport}. */
export function putDmaLoggingReport(view: DataView, at: number, value: DmaLoggingReport): void {
  view.setBigUint64(at, value.iova, true);
  view.setBigUint64(at + 8, value.length, true);
  view.setBigUint64(at + 16, value.pageSize, true);
  view.setBigUint64(at + 24, value.bitmap, true);
}

/** Read a {@linkcode DmaLoggingReport}. */
export function getDmaLoggingReport(view: DataView, at: number): DmaLoggingReport {
  return {
    iova: view.getBigUint64(at, true),
    length: view.getBigUint64(at + 8, true),
    pageSize: view.getBigUint64(at + 16, true),
    bitmap: view.getBigUint64(at + 24, true),
  };
}

/** Data of DMA_BUF, whose answer is the file: which memory of a device it shares. (`struct vfio_device_feature_dma_buf`) */
export interface DmaBuf {
  /** Which BAR. */
  regionIndex: number;
  /** Flags of the file, as of open(2): how it may be mapped, O_CLOEXEC. */
  openFlags: number;
  /** No flag is defined: must be zero. */
  flags: number;
  /** Number of ranges that follow, 1 or more. An IOAS maps a file of one alone. */
  nrRanges: number;
}

/** Bytes of `vfio_device_feature_dma_buf` without what follows it.  */
export const DmaBufSize = 16;

/** Write a {@linkcode DmaBuf}. */
export function putDmaBuf(view: DataView, at: number, value: DmaBuf): void {
  view.setUint32(at, value.regionIndex, true);
  view.setUint32(at + 4, value.openFlags, true);
  view.setUint32(at + 8, value.flags, true);
  view.setUint32(at + 12, value.nrRanges, true);
}

/** Read a {@linkcode DmaBuf}. */
export function getDmaBuf(view: DataView, at: number): DmaBuf {
  return {
    regionIndex: view.getUint32(at, true),
    openFlags: view.getUint32(at + 4, true),
    flags: view.getUint32(at + 8, true),
    nrRanges: view.getUint32(at + 12, true),
  };
}

/** A part of a region that a dma-buf shares. (`struct vfio_region_dma_range`) */
export interface RegionDmaRange {
  /** Where it begins in the region: a multiple of 4,096. */
  offset: bigint;
  /** Bytes: a multiple of 4,096, not 0. */
  length: bigint;
}

/** Bytes of `vfio_region_dma_range`.  */
export const RegionDmaRangeSize = 16;

/** Write a {@linkcode RegionDmaRange}. */
export function putRegionDmaRange(view: DataView, at: number, value: RegionDmaRange): void {
  view.setBigUint64(at, value.offset, true);
  view.setBigUint64(at + 8, value.length, true);
}

/** Read a {@linkcode RegionDmaRange}. */
export function getRegionDmaRange(view: DataView, at: number): RegionDmaRange {
  return {
    offset: view.getBigUint64(at, true),
    length: view.getBigUint64(at + 8, true),
  };
}

/** Makes an iommufd the owner of a device, which makes the device's file usable. (`struct vfio_device_bind_iommufd`) */
export interface DeviceBindIommufd {
  /** Whether a token is given. */
  flags: number;
  /** The iommufd. */
  iommufd: number;
  /** The device's id in that iommufd. */
  outDevid: number;
  /** Address of a token of 16 bytes, with BIND_FLAG_TOKEN. */
  tokenUuidPtr: bigint;
}

/** Bytes of `vfio_device_bind_iommufd`.  */
export const DeviceBindIommufdSize = 24;

/** Write a {@linkcode DeviceBindIommufd}. */
export function putDeviceBindIommufd(view: DataView, at: number, value: Put<DeviceBindIommufd, "outDevid">): void {
  view.setUint32(at, DeviceBindIommufdSize, true);
  view.setUint32(at + 4, value.flags, true);
  view.setInt32(at + 8, value.iommufd, true);
  view.setUint32(at + 12, value.outDevid ?? 0, true);
  view.setBigUint64(at + 16, value.tokenUuidPtr, true);
}

/** Read a {@linkcode DeviceBindIommufd}. */
export function getDeviceBindIommufd(view: DataView, at: number): DeviceBindIommufd {
  return {
    flags: view.getUint32(at + 4, true),
    iommufd: view.getInt32(at + 8, true),
    outDevid: view.getUint32(at + 12, true),
    tokenUuidPtr: view.getBigUint64(at + 16, true),
  };
}

/** Read `out_devid` of a {@linkcode DeviceBindIommufd}. */
export function getDeviceBindIommufdOutDevid(view: DataView, at: number): number {
  return view.getUint32(at + 12, true);
}

/** Lets a device's DMA go through an IOAS or a hardware page table. (`struct vfio_device_attach_iommufd_pt`) */
export interface DeviceAttachIommufdPt {
  /** Whether a PASID is given. */
  flags: number;
  /** The IOAS or page table; the answer is the page table that the device uses. */
  ptId: number;
  /** The PASID, with ATTACH_PASID. */
  pasid: number;
}

/** Bytes of `vfio_device_attach_iommufd_pt`.  */
export const DeviceAttachIommufdPtSize = 16;

/** Write a {@linkcode DeviceAttachIommufdPt}. */
export function putDeviceAttachIommufdPt(view: DataView, at: number, value: DeviceAttachIommufdPt): void {
  view.setUint32(at, DeviceAttachIommufdPtSize, true);
  view.setUint32(at + 4, value.flags, true);
  view.setUint32(at + 8, value.ptId, true);
  view.setUint32(at + 12, value.pasid, true);
}

/** Read a {@linkcode DeviceAttachIommufdPt}. */
export function getDeviceAttachIommufdPt(view: DataView, at: number): DeviceAttachIommufdPt {
  return {
    flags: view.getUint32(at + 4, true),
    ptId: view.getUint32(at + 8, true),
    pasid: view.getUint32(at + 12, true),
  };
}

/** Read `pt_id` of a {@linkcode DeviceAttachIommufdPt}. */
export function getDeviceAttachIommufdPtPtId(view: DataView, at: number): number {
  return view.getUint32(at + 8, true);
}

/** Blocks a device's DMA again. (`struct vfio_device_detach_iommufd_pt`) */
export interface DeviceDetachIommufdPt {
  /** Whether a PASID is given. */
  flags: number;
  /** The PASID, with DETACH_PASID. */
  pasid: number;
}

/** Bytes of `vfio_device_detach_iommufd_pt`.  */
export const DeviceDetachIommufdPtSize = 12;

/** Write a {@linkcode DeviceDetachIommufdPt}. */
export function putDeviceDetachIommufdPt(view: DataView, at: number, value: DeviceDetachIommufdPt): void {
  view.setUint32(at, DeviceDetachIommufdPtSize, true);
  view.setUint32(at + 4, value.flags, true);
  view.setUint32(at + 8, value.pasid, true);
}

/** Read a {@linkcode DeviceDetachIommufdPt}. */
export function getDeviceDetachIommufdPt(view: DataView, at: number): DeviceDetachIommufdPt {
  return {
    flags: view.getUint32(at + 4, true),
    pasid: view.getUint32(at + 8, true),
  };
}

/** Request: Test iommufd with devices and an IOMMU that do not exist. */
export const TEST_CMD = 0x3ba0;
/** How an access object pins pages. */
export const MOCK_FLAGS_ACCESS_WRITE = 1;
/** How an access object pins pages. */
export const MOCK_FLAGS_ACCESS_SYZ = 0x10000;
/** How an access object copies. */
export const MOCK_ACCESS_RW_WRITE = 1;
/** How an access object copies. */
export const MOCK_ACCESS_RW_SLOW_PATH = 4;
/** How many entries the caches of a mock IOMMU and of a mock device have. */
export const MOCK_NESTED_DOMAIN_IOTLB_ID_MAX = 3;
/** How many entries the caches of a mock IOMMU and of a mock device have. */
export const MOCK_NESTED_DOMAIN_IOTLB_NUM = 4;
/** How many entries the caches of a mock IOMMU and of a mock device have. */
export const MOCK_DEV_CACHE_ID_MAX = 3;
/** How many entries the caches of a mock IOMMU and of a mock device have. */
export const MOCK_DEV_CACHE_NUM = 4;
/** How an access object uses memory. */
export const MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES = 1;
/** What a mock device lacks or has. */
export const MOCK_FLAGS_DEVICE_NO_DIRTY = 1;
/** What a mock device lacks or has. */
export const MOCK_FLAGS_DEVICE_PASID = 4;
/** What a mock IOMMU's page table of the default kind can translate. */
export const MOCK_APERTURE_START = 0x1000000;
/** What a mock IOMMU's page table of the default kind can translate. */
export const MOCK_APERTURE_LAST = 0x7fffffff;
/** What a mock IOMMU's page table of the default kind can translate. */
export const MOCK_PAGE_SIZE = 0x800;
/** What a mock IOMMU's page table of the default kind can translate. */
export const MOCK_HUGE_PAGE_SIZE = 0x100000;
/** Kinds of page table of a mock IOMMU. */
export const MOCK_IOMMUPT_DEFAULT = 0;
/** Kinds of page table of a mock IOMMU. */
export const MOCK_IOMMUPT_HUGE = 1;
/** Bits of a PASID of a mock device. */
export const MOCK_PASID_WIDTH = 0x14;
/** What an invalidation of the mock IOMMU reaches. */
export const TEST_INVALIDATE_FLAG_ALL = 1;
/** What a test request does. */
export const TEST_OP_ADD_RESERVED = 1;
/** What a test request does. */
export const TEST_OP_MOCK_DOMAIN = 2;
/** What a test request does. */
export const TEST_OP_MD_CHECK_MAP = 3;
/** What a test request does. */
export const TEST_OP_MD_CHECK_REFS = 4;
/** What a test request does. */
export const TEST_OP_CREATE_ACCESS = 5;
/** What a test request does. */
export const TEST_OP_DESTROY_ACCESS_PAGES = 6;
/** What a test request does. */
export const TEST_OP_ACCESS_PAGES = 7;
/** What a test request does. */
export const TEST_OP_ACCESS_RW = 8;
/** What a test request does. */
export const TEST_OP_SET_TEMP_MEMORY_LIMIT = 9;
/** What a test request does. */
export const TEST_OP_MOCK_DOMAIN_REPLACE = 0xa;
/** What a test request does. */
export const TEST_OP_ACCESS_REPLACE_IOAS = 0xb;
/** What a test request does. */
export const TEST_OP_MOCK_DOMAIN_FLAGS = 0xc;
/** What a test request does. */
export const TEST_OP_DIRTY = 0xd;
/** What a test request does. */
export const TEST_OP_MD_CHECK_IOTLB = 0xe;
/** What a test request does. */
export const TEST_OP_TRIGGER_IOPF = 0xf;
/** What a test request does. */
export const TEST_OP_DEV_CHECK_CACHE = 0x10;
/** What a test request does. */
export const TEST_OP_TRIGGER_VEVENT = 0x11;
/** What a test request does. */
export const TEST_OP_PASID_ATTACH = 0x12;
/** What a test request does. */
export const TEST_OP_PASID_REPLACE = 0x13;
/** What a test request does. */
export const TEST_OP_PASID_DETACH = 0x14;
/** What a test request does. */
export const TEST_OP_PASID_CHECK_HWPT = 0x15;
/** What a test request does. */
export const TEST_OP_DMABUF_GET = 0x16;
/** What a test request does. */
export const TEST_OP_DMABUF_REVOKE = 0x17;
/** Types and first values of the mock IOMMU. */
export const TEST_PASID_RESERVED = 0x400;
/** Types and first values of the mock IOMMU. */
export const HW_INFO_TYPE_SELFTEST = 0xfeedbeef;
/** Types and first values of the mock IOMMU. */
export const HW_INFO_SELFTEST_REGVAL = 0xdeadbeef;
/** Types and first values of the mock IOMMU. */
export const HWPT_DATA_SELFTEST = 0xdead;
/** Types and first values of the mock IOMMU. */
export const TEST_IOTLB_DEFAULT = 0xbadbeef;
/** Types and first values of the mock IOMMU. */
export const TEST_DEV_CACHE_DEFAULT = 0xbaddad;
/** Types and first values of the mock IOMMU. */
export const HWPT_INVALIDATE_DATA_SELFTEST = 0xdeadbeef;
/** Types and first values of the mock IOMMU. */
export const HWPT_INVALIDATE_DATA_SELFTEST_INVALID = 0xdadbeef;
/** Types and first values of the mock IOMMU. */
export const VIOMMU_TYPE_SELFTEST = 0xdeadbeef;
/** Types and first values of the mock IOMMU. */
export const VIOMMU_INVALIDATE_DATA_SELFTEST = 0xdeadbeef;
/** Types and first values of the mock IOMMU. */
export const VIOMMU_INVALIDATE_DATA_SELFTEST_INVALID = 0xdadbeef;
/** Types and first values of the mock IOMMU. */
export const VEVENTQ_TYPE_SELFTEST = 0xbeefbeef;
/** Types and first values of the mock IOMMU. */
export const HW_QUEUE_TYPE_SELFTEST = 0xdeadbeef;
/** Types and first values of the mock IOMMU. */
export const TEST_HW_QUEUE_MAX = 2;

/** What all operations of the test request have in common. (`struct iommu_test_cmd`) */
export interface TestCmd {
  /** The operation. */
  op: number;
  /** What it works on. */
  id: number;
  /** Arguments and answers of the operation. */
  data: readonly [bigint, bigint, bigint, bigint, bigint, bigint];
}

/** Bytes of `iommu_test_cmd`.  */
export const TestCmdSize = 72;

/** Write a {@linkcode TestCmd}. */
export function putTestCmd(view: DataView, at: number, value: TestCmd): void {
  view.setUint32(at, TestCmdSize, true);
  view.setUint32(at + 4, value.op, true);
  view.setUint32(at + 8, value.id, true);
  view.setUint32(at + 12, 0, true);
  view.setBigUint64(at + 16, value.data[0], true);
  view.setBigUint64(at + 24, value.data[1], true);
  view.setBigUint64(at + 32, value.data[2], true);
  view.setBigUint64(at + 40, value.data[3], true);
  view.setBigUint64(at + 48, value.data[4], true);
  view.setBigUint64(at + 56, value.data[5], true);
  view.setUint32(at + 64, 0, true);
  view.setUint32(at + 68, 0, true);
}

/** Read a {@linkcode TestCmd}. */
export function getTestCmd(view: DataView, at: number): TestCmd {
  return {
    op: view.getUint32(at + 4, true),
    id: view.getUint32(at + 8, true),
    data: [
      view.getBigUint64(at + 16, true),
      view.getBigUint64(at + 24, true),
      view.getBigUint64(at + 32, true),
      view.getBigUint64(at + 40, true),
      view.getBigUint64(at + 48, true),
      view.getBigUint64(at + 56, true),
    ],
  };
}

/** Read `data` of a {@linkcode TestCmd}. */
export function getTestCmdData(view: DataView, at: number): readonly [bigint, bigint, bigint, bigint, bigint, bigint] {
  return [
    view.getBigUint64(at + 16, true),
    view.getBigUint64(at + 24, true),
    view.getBigUint64(at + 32, true),
    view.getBigUint64(at + 40, true),
    view.getBigUint64(at + 48, true),
    view.getBigUint64(at + 56, true),
  ];
}

/** Reserves addresses of an IOAS. (`struct iommu_test_cmd`) */
export interface TestAddReserved {
  /** The IOAS. */
  id: number;
  /** First address. */
  start: bigint;
  /** Bytes. */
  length: bigint;
}

/** Bytes of `iommu_test_cmd`.  */
export const TestAddReservedSize = 72;

/** Write a {@linkcode TestAddReserved}. */
export function putTestAddReserved(view: DataView, at: number, value: TestAddReserved): void {
  view.setUint32(at, TestAddReservedSize, true);
  view.setUint32(at + 4, 0x1, true);
  view.setUint32(at + 8, value.id, true);
  view.setUint32(at + 12, 0, true);
  view.setBigUint64(at + 16, value.start, true);
  view.setBigUint64(at + 24, value.length, true);
  view.setUint32(at + 32, 0, true);
  view.setUint32(at + 36, 0, true);
  view.setUint32(at + 40, 0, true);
  view.setUint32(at + 44, 0, true);
  view.setUint32(at + 48, 0, true);
  view.setUint32(at + 52, 0, true);
  view.setUint32(at + 56, 0, true);
  view.setUint32(at + 60, 0, true);
  view.setUint32(at + 64, 0, true);
  view.setUint32(at + 68, 0, true);
}

/** Read a {@linkcode TestAddReserved}. */
export function getTestAddReserved(view: DataView, at: number): TestAddReserved {
  return {
    id: view.getUint32(at + 8, true),
    start: view.getBigUint64(at + 16, true),
    length: view.getBigUint64(at + 24, true),
  };
}

/** Makes a mock device, binds and attaches it. (`struct iommu_test_cmd`) */
export interface TestMockDomain {
  /** What to attach the device to. */
  id: number;
  /** The new test object. Destroying it detaches and removes the device. */
  outStdevId: number;
  /** The page table that the device is attached to. */
  outHwptId: number;
  /** The device as bound. */
  outIdevId: number;
}

/** Bytes of `iommu_test_cmd`.  */
export const TestMockDomainSize = 72;

/** Write a {@linkcode TestMockDomain}. */
export function putTestMockDomain(view: DataView, at: number, value: Put<TestMockDomain, "outStdevId" | "outHwptId" | "outIdevId">): void {
  view.setUint32(at, TestMockDomainSize, true);
  view.setUint32(at + 4, 0x2, true);
  view.setUint32(at + 8, value.id, true);
  view.setUint32(at + 12, 0, true);
  view.setUint32(at + 16, value.outStdevId ?? 0, true);
  view.setUint32(at + 20, value.outHwptId ?? 0, true);
  view.setUint32(at + 24, value.outIdevId ?? 0, true);
  view.setUint32(at + 28, 0, true);
  view.setUint32(at + 32, 0, true);
  view.setUint32(at + 36, 0, true);
  view.setUint32(at + 40, 0, true);
  view.setUint32(at + 44, 0, true);
  view.setUint32(at + 48, 0, true);
  view.setUint32(at + 52, 0, true);
  view.setUint32(at + 56, 0, true);
  view.setUint32(at + 60, 0, true);
  view.setUint32(at + 64, 0, true);
  view.setUint32(at + 68, 0, true);
}

/** Read a {@linkcode TestMockDomain}. */
export function getTestMockDomain(view: DataView, at: number): TestMockDomain {
  return {
    id: view.getUint32(at + 8, true),
    outStdevId: view.getUint32(at + 16, true),
    outHwptId: view.getUint32(at + 20, true),
    outIdevId: view.getUint32(at + 24, true),
  };
}

/** Read `out_stdev_id` of a {@linkcode TestMockDomain}. */
export function getTestMockDomainOutStdevId(view: DataView, at: number): number {
  return view.getUint32(at + 16, true);
}

/** Read `out_hwpt_id` of a {@linkcode TestMockDomain}. */
export function getTestMockDomainOutHwptId(view: DataView, at: number): number {
  return view.getUint32(at + 20, true);
}

/** Read `out_idev_id` of a {@linkcode TestMockDomain}. */
export function getTestMockDomainOutIdevId(view: DataView, at: number): number {
  return view.getUint32(at + 24, true);
}

/** Makes a mock device with or without abilities, binds and attaches it. (`struct iommu_test_cmd`) */
export interface TestMockDomainFlags {
  /** What to attach the device to. */
  id: number;
  /** The new test object. Destroying it detaches and removes the device. */
  outStdevId: number;
  /** The page table that the device is attached to. */
  outHwptId: number;
  /** The device as bound. */
  outIdevId: number;
  /** What the device lacks or has. */
  devFlags: number;
}

/** Bytes of `iommu_test_cmd`.  */
export const TestMockDomainFlagsSize = 72;

/** Write a {@linkcode TestMockDomainFlags}. */
export function putTestMockDomainFlags(
  view: DataView,
  at: number,
  value: Put<TestMockDomainFlags, "outStdevId" | "outHwptId" | "outIdevId">,
): void {
  view.setUint32(at, TestMockDomainFlagsSize, true);
  view.setUint32(at + 4, 0xc, true);
  view.setUint32(at + 8, value.id, true);
  view.setUint32(at + 12, 0, true);
  view.setUint32(at + 16, value.outStdevId ?? 0, true);
  view.setUint32(at + 20, value.outHwptId ?? 0, true);
  view.setUint32(at + 24, value.outIdevId ?? 0, true);
  view.setUint32(at + 28, value.devFlags, true);
  view.setUint32(at + 32, 0, true);
  view.setUint32(at + 36, 0, true);
  view.setUint32(at + 40, 0, true);
  view.setUint32(at + 44, 0, true);
  view.setUint32(at + 48, 0, true);
  view.setUint32(at + 52, 0, true);
  view.setUint32(at + 56, 0, true);
  view.setUint32(at + 60, 0, true);
  view.setUint32(at + 64, 0, true);
  view.setUint32(at + 68, 0, true);
}

/** Read a {@linkcode TestMockDomainFlags}. */
export function getTestMockDomainFlags(view: DataView, at: number): TestMockDomainFlags {
  return {
    id: view.getUint32(at + 8, true),
    outStdevId: view.getUint32(at + 16, true),
    outHwptId: view.getUint32(at + 20, true),
    outIdevId: view.getUint32(at + 24, true),
    devFlags: view.getUint32(at + 28, true),
  };
}

/** Read `out_stdev_id` of a {@linkcode TestMockDomainFlags}. */
export function getTestMockDomainFlagsOutStdevId(view: DataView, at: number): number {
  return view.getUint32(at + 16, true);
}

/** Read `out_hwpt_id` of a {@linkcode TestMockDomainFlags}. */
export function getTestMockDomainFlagsOutHwptId(view: DataView, at: number): number {
  return view.getUint32(at + 20, true);
}

/** Read `out_idev_id` of a {@linkcode TestMockDomainFlags}. */
export function getTestMockDomainFlagsOutIdevId(view: DataView, at: number): number {
  return view.getUint32(at + 24, true);
}

/** Attaches a mock device to something else. (`struct iommu_test_cmd`) */
export interface TestMockDomainReplace {
  /** The test object. */
  id: number;
  /** What to attach it to; the answer is the page table. */
  ptId: number;
}

/** Bytes of `iommu_test_cmd`.  */
export const TestMockDomainReplaceSize = 72;

/** Write a {@linkcode TestMockDomainReplace}. */
export function putTestMockDomainReplace(view: DataView, at: number, value: TestMockDomainReplace): void {
  view.setUint32(at, TestMockDomainReplaceSize, true);
  view.setUint32(at + 4, 0xa, true);
  view.setUint32(at + 8, value.id, true);
  view.setUint32(at + 12, 0, true);
  view.setUint32(at + 16, value.ptId, true);
  view.setUint32(at + 20, 0, true);
  view.setUint32(at + 24, 0, true);
  view.setUint32(at + 28, 0, true);
  view.setUint32(at + 32, 0, true);
  view.setUint32(at + 36, 0, true);
  view.setUint32(at + 40, 0, true);
  view.setUint32(at + 44, 0, true);
  view.setUint32(at + 48, 0, true);
  view.setUint32(at + 52, 0, true);
  view.setUint32(at + 56, 0, true);
  view.setUint32(at + 60, 0, true);
  view.setUint32(at + 64, 0, true);
  view.setUint32(at + 68, 0, true);
}

/** Read a {@linkcode TestMockDomainReplace}. */
export function getTestMockDomainReplace(view: DataView, at: number): TestMockDomainReplace {
  return {
    id: view.getUint32(at + 8, true),
    ptId: view.getUint32(at + 16, true),
  };
}

/** Read `pt_id` of a {@linkcode TestMockDomainReplace}. */
export function getTestMockDomainReplacePtId(view: DataView, at: number): number {
  return view.getUint32(at + 16, true);
}

/** Fails unless a page table leads to the memory of the process. (`struct iommu_test_cmd`) */
export interface TestMdCheckMap {
  /** The page table. */
  id: number;
  /** First address. */
  iova: bigint;
  /** Bytes. */
  length: bigint;
  /** Address of the memory. */
  uptr: bigint;
}

/** Bytes of `iommu_test_cmd`.  */
export const TestMdCheckMapSize = 72;

/** Write a {@linkcode TestMdCheckMap}. */
export function putTestMdCheckMap(view: DataView, at: number, value: TestMdCheckMap): void {
  view.setUint32(at, TestMdCheckMapSize, true);
  view.setUint32(at + 4, 0x3, true);
  view.setUint32(at + 8, value.id, true);
  view.setUint32(at + 12, 0, true);
  view.setBigUint64(at + 16, value.iova, true);
  view.setBigUint64(at + 24, value.length, true);
  view.setBigUint64(at + 32, value.uptr, true);
  view.setUint32(at + 40, 0, true);
  view.setUint32(at + 44, 0, true);
  view.setUint32(at + 48, 0, true);
  view.setUint32(at + 52, 0, true);
  view.setUint32(at + 56, 0, true);
  view.setUint32(at + 60, 0, true);
  view.setUint32(at + 64, 0, true);
  view.setUint32(at + 68, 0, true);
}

/** Read a {@linkcode TestMdCheckMap}. */
export function getTestMdCheckMap(view: DataView, at: number): TestMdCheckMap {
  return {
    id: view.getUint32(at + 8, true),
    iova: view.getBigUint64(at + 16, true),
    length: view.getBigUint64(at + 24, true),
    uptr: view.getBigUint64(at + 32, true),
  };
}

/** Fails unless pages of the process are pinned so many times. (`struct iommu_test_cmd`) */
export interface TestMdCheckRefs {
  /** Bytes. */
  length: bigint;
  /** Address of the memory. */
  uptr: bigint;
  /** How many times each page is pinned. */
  refs: number;
}

/** Bytes of `iommu_test_cmd`.  */
export const TestMdCheckRefsSize = 72;

/** Write a {@linkcode TestMdCheckRefs}. */
export function putTestMdCheckRefs(view: DataView, at: number, value: TestMdCheckRefs): void {
  view.setUint32(at, TestMdCheckRefsSize, true);
  view.setUint32(at + 4, 0x4, true);
  view.setUint32(at + 8, 0, true);
  view.setUint32(at + 12, 0, true);
  view.setBigUint64(at + 16, value.length, true);
  view.setBigUint64(at + 24, value.uptr, true);
  view.setUint32(at + 32, value.refs, true);
  view.setUint32(at + 36, 0, true);
  view.setUint32(at + 40, 0, true);
  view.setUint32(at + 44, 0, true);
  view.setUint32(at + 48, 0, true);
  view.setUint32(at + 52, 0, true);
  view.setUint32(at + 56, 0, true);
  view.setUint32(at + 60, 0, true);
  view.setUint32(at + 64, 0, true);
  view.setUint32(at + 68, 0, true);
}

/** Read a {@linkcode TestMdCheckRefs}. */
export function getTestMdCheckRefs(view: DataView, at: number): TestMdCheckRefs {
  return {
    length: view.getBigUint64(at + 16, true),
    uptr: view.getBigUint64(at + 24, true),
    refs: view.getUint32(at + 32, true),
  };
}

/** Limits the memory that a request may use for its lists of pages. (`struct iommu_test_cmd`) */
export interface TestSetTempMemoryLimit {
  /** Bytes. */
  limit: number;
}

/** Bytes of `iommu_test_cmd`.  */
export const TestSetTempMemoryLimitSize = 72;

/** Write a {@linkcode TestSetTempMemoryLimit}. */
export function putTestSetTempMemoryLimit(view: DataView, at: number, value: TestSetTempMemoryLimit): void {
  view.setUint32(at, TestSetTempMemoryLimitSize, true);
  view.setUint32(at + 4, 0x9, true);
  view.setUint32(at + 8, 0, true);
  view.setUint32(at + 12, 0, true);
  view.setUint32(at + 16, value.limit, true);
  view.setUint32(at + 20, 0, true);
  view.setUint32(at + 24, 0, true);
  view.setUint32(at + 28, 0, true);
  view.setUint32(at + 32, 0, true);
  view.setUint32(at + 36, 0, true);
  view.setUint32(at + 40, 0, true);
  view.setUint32(at + 44, 0, true);
  view.setUint32(at + 48, 0, true);
  view.setUint32(at + 52, 0, true);
  view.setUint32(at + 56, 0, true);
  view.setUint32(at + 60, 0, true);
  view.setUint32(at + 64, 0, true);
  view.setUint32(at + 68, 0, true);
}

/** Read a {@linkcode TestSetTempMemoryLimit}. */
export function getTestSetTempMemoryLimit(view: DataView, at: number): TestSetTempMemoryLimit {
  return {
    limit: view.getUint32(at + 16, true),
  };
}

/** Marks pages as a device would that writes them. (`struct iommu_test_cmd`) */
export interface TestDirty {
  /** The page table. */
  id: number;
  /** Not read. */
  flags: number;
  /** First address. */
  iova: bigint;
  /** Bytes. */
  length: bigint;
  /** Bytes that one bit stands for. */
  pageSize: bigint;
  /** Address of the bits. */
  uptr: bigint;
  /** How many bits were set. */
  outNrDirty: bigint;
}

/** Bytes of `iommu_test_cmd`.  */
export const TestDirtySize = 72;

/** Write a {@linkcode TestDirty}. */
export function putTestDirty(view: DataView, at: number, value: Put<TestDirty, "outNrDirty">): void {
  view.setUint32(at, TestDirtySize, true);
  view.setUint32(at + 4, 0xd, true);
  view.setUint32(at + 8, value.id, true);
  view.setUint32(at + 12, 0, true);
  view.setUint32(at + 16, value.flags, true);
  view.setUint32(at + 20, 0, true);
  view.setBigUint64(at + 24, value.iova, true);
  view.setBigUint64(at + 32, value.length, true);
  view.setBigUint64(at + 40, value.pageSize, true);
  view.setBigUint64(at + 48, value.uptr, true);
  view.setBigUint64(at + 56, value.outNrDirty ?? 0n, true);
  view.setUint32(at + 64, 0, true);
  view.setUint32(at + 68, 0, true);
}

/** Read a {@linkcode TestDirty}. */
export function getTestDirty(view: DataView, at: number): TestDirty {
  return {
    id: view.getUint32(at + 8, true),
    flags: view.getUint32(at + 16, true),
    iova: view.getBigUint64(at + 24, true),
    length: view.getBigUint64(at + 32, true),
    pageSize: view.getBigUint64(at + 40, true),
    uptr: view.getBigUint64(at + 48, true),
    outNrDirty: view.getBigUint64(at + 56, true),
  };
}

/** Read `out_nr_dirty` of a {@linkcode TestDirty}. */
export function getTestDirtyOutNrDirty(view: DataView, at: number): bigint {
  return view.getBigUint64(at + 56, true);
}

/** Makes an access object: a kernel driver that uses an IOAS without an IOMMU. (`struct iommu_test_cmd`) */
export interface TestCreateAccess {
  /** The IOAS. */
  id: number;
  /** Its file. */
  outAccessFd: number;
  /** How it uses memory. */
  flags: number;
}

/** Bytes of `iommu_test_cmd`.  */
export const TestCreateAccessSize = 72;

/** Write a {@linkcode TestCreateAccess}. */
export function putTestCreateAccess(view: DataView, at: number, value: Put<TestCreateAccess, "outAccessFd">): void {
  view.setUint32(at, TestCreateAccessSize, true);
  view.setUint32(at + 4, 0x5, true);
  view.setUint32(at + 8, value.id, true);
  view.setUint32(at + 12, 0, true);
  view.setUint32(at + 16, value.outAccessFd ?? 0, true);
  view.setUint32(at + 20, value.flags, true);
  view.setUint32(at + 24, 0, true);
  view.setUint32(at + 28, 0, true);
  view.setUint32(at + 32, 0, true);
  view.setUint32(at + 36, 0, true);
  view.setUint32(at + 40, 0, true);
  view.setUint32(at + 44, 0, true);
  view.setUint32(at + 48, 0, true);
  view.setUint32(at + 52, 0, true);
  view.setUint32(at + 56, 0, true);
  view.setUint32(at + 60, 0, true);
  view.setUint32(at + 64, 0, true);
  view.setUint32(at + 68, 0, true);
}

/** Read a {@linkcode TestCreateAccess}. */
export function getTestCreateAccess(view: DataView, at: number): TestCreateAccess {
  return {
    id: view.getUint32(at + 8, true),
    outAccessFd: view.getUint32(at + 16, true),
    flags: view.getUint32(at + 20, true),
  };
}

/** Read `out_access_fd` of a {@linkcode TestCreateAccess}. */
export function getTestCreateAccessOutAccessFd(view: DataView, at: number): number {
  return view.getUint32(at + 16, true);
}

/** Lets go of pages that an access object has pinned. (`struct iommu_test_cmd`) */
export interface TestDestroyAccessPages {
  /** The file of the access object. */
  id: number;
  /** Which of its pinned ranges. */
  accessPagesId: number;
}

/** Bytes of `iommu_test_cmd`.  */
export const TestDestroyAccessPagesSize = 72;

/** Write a {@linkcode TestDestroyAccessPages}. */
export function putTestDestroyAccessPages(view: DataView, at: number, value: TestDestroyAccessPages): void {
  view.setUint32(at, TestDestroyAccessPagesSize, true);
  view.setUint32(at + 4, 0x6, true);
  view.setUint32(at + 8, value.id, true);
  view.setUint32(at + 12, 0, true);
  view.setUint32(at + 16, value.accessPagesId, true);
  view.setUint32(at + 20, 0, true);
  view.setUint32(at + 24, 0, true);
  view.setUint32(at + 28, 0, true);
  view.setUint32(at + 32, 0, true);
  view.setUint32(at + 36, 0, true);
  view.setUint32(at + 40, 0, true);
  view.setUint32(at + 44, 0, true);
  view.setUint32(at + 48, 0, true);
  view.setUint32(at + 52, 0, true);
  view.setUint32(at + 56, 0, true);
  view.setUint32(at + 60, 0, true);
  view.setUint32(at + 64, 0, true);
  view.setUint32(at + 68, 0, true);
}

/** Read a {@linkcode TestDestroyAccessPages}. */
export function getTestDestroyAccessPages(view: DataView, at: number): TestDestroyAccessPages {
  return {
    id: view.getUint32(at + 8, true),
    accessPagesId: view.getUint32(at + 16, true),
  };
}

/** Pins pages for an access object. (`struct iommu_test_cmd`) */
export interface TestAccessPages {
  /** The file of the access object. */
  id: number;
  /** How to pin them. */
  flags: number;
  /** Names the pinned range. */
  outAccessPagesId: number;
  /** First address. */
  iova: bigint;
  /** Bytes. */
  length: bigint;
  /** Where these pages must be in the process, 0 not to check. */
  uptr: bigint;
}

/** Bytes of `iommu_test_cmd`.  */
export const TestAccessPagesSize = 72;

/** Write a {@linkcode TestAccessPages}. */
export function putTestAccessPages(view: DataView, at: number, value: Put<TestAccessPages, "outAccessPagesId">): void {
  view.setUint32(at, TestAccessPagesSize, true);
  view.setUint32(at + 4, 0x7, true);
  view.setUint32(at + 8, value.id, true);
  view.setUint32(at + 12, 0, true);
  view.setUint32(at + 16, value.flags, true);
  view.setUint32(at + 20, value.outAccessPagesId ?? 0, true);
  view.setBigUint64(at + 24, value.iova, true);
  view.setBigUint64(at + 32, value.length, true);
  view.setBigUint64(at + 40, value.uptr, true);
  view.setUint32(at + 48, 0, true);
  view.setUint32(at + 52, 0, true);
  view.setUint32(at + 56, 0, true);
  view.setUint32(at + 60, 0, true);
  view.setUint32(at + 64, 0, true);
  view.setUint32(at + 68, 0, true);
}

/** Read a {@linkcode TestAccessPages}. */
export function getTestAccessPages(view: DataView, at: number): TestAccessPages {
  return {
    id: view.getUint32(at + 8, true),
    flags: view.getUint32(at + 16, true),
    outAccessPagesId: view.getUint32(at + 20, true),
    iova: view.getBigUint64(at + 24, true),
    length: view.getBigUint64(at + 32, true),
    uptr: view.getBigUint64(at + 40, true),
  };
}

/** Read `out_access_pages_id` of a {@linkcode TestAccessPages}. */
export function getTestAccessPagesOutAccessPagesId(view: DataView, at: number): number {
  return view.getUint32(at + 20, true);
}

/** Copies through an access object. (`struct iommu_test_cmd`) */
export interface TestAccessRw {
  /** The file of the access object. */
  id: number;
  /** First address. */
  iova: bigint;
  /** Bytes. */
  length: bigint;
  /** Address of what is written, or for what is read. */
  uptr: bigint;
  /** Whether it writes. */
  flags: number;
}

/** Bytes of `iommu_test_cmd`.  */
export const TestAccessRwSize = 72;

/** Write a {@linkcode TestAccessRw}. */
export function putTestAccessRw(view: DataView, at: number, value: TestAccessRw): void {
  view.setUint32(at, TestAccessRwSize, true);
  view.setUint32(at + 4, 0x8, true);
  view.setUint32(at + 8, value.id, true);
  view.setUint32(at + 12, 0, true);
  view.setBigUint64(at + 16, value.iova, true);
  view.setBigUint64(at + 24, value.length, true);
  view.setBigUint64(at + 32, value.uptr, true);
  view.setUint32(at + 40, value.flags, true);
  view.setUint32(at + 44, 0, true);
  view.setUint32(at + 48, 0, true);
  view.setUint32(at + 52, 0, true);
  view.setUint32(at + 56, 0, true);
  view.setUint32(at + 60, 0, true);
  view.setUint32(at + 64, 0, true);
  view.setUint32(at + 68, 0, true);
}

/** Read a {@linkcode TestAccessRw}. */
export function getTestAccessRw(view: DataView, at: number): TestAccessRw {
  return {
    id: view.getUint32(at + 8, true),
    iova: view.getBigUint64(at + 16, true),
    length: view.getBigUint64(at + 24, true),
    uptr: view.getBigUint64(at + 32, true),
    flags: view.getUint32(at + 40, true),
  };
}

/** Gives an access object another IOAS. (`struct iommu_test_cmd`) */
export interface TestAccessReplaceIoas {
  /** The file of the access object. */
  id: number;
  /** The IOAS. */
  ioasId: number;
}

/** Bytes of `iommu_test_cmd`.  */
export const TestAccessReplaceIoasSize = 72;

/** Write a {@linkcode TestAccessReplaceIoas}. */
export function putTestAccessReplaceIoas(view: DataView, at: number, value: TestAccessReplaceIoas): void {
  view.setUint32(at, TestAccessReplaceIoasSize, true);
  view.setUint32(at + 4, 0xb, true);
  view.setUint32(at + 8, value.id, true);
  view.setUint32(at + 12, 0, true);
  view.setUint32(at + 16, value.ioasId, true);
  view.setUint32(at + 20, 0, true);
  view.setUint32(at + 24, 0, true);
  view.setUint32(at + 28, 0, true);
  view.setUint32(at + 32, 0, true);
  view.setUint32(at + 36, 0, true);
  view.setUint32(at + 40, 0, true);
  view.setUint32(at + 44, 0, true);
  view.setUint32(at + 48, 0, true);
  view.setUint32(at + 52, 0, true);
  view.setUint32(at + 56, 0, true);
  view.setUint32(at + 60, 0, true);
  view.setUint32(at + 64, 0, true);
  view.setUint32(at + 68, 0, true);
}

/** Read a {@linkcode TestAccessReplaceIoas}. */
export function getTestAccessReplaceIoas(view: DataView, at: number): TestAccessReplaceIoas {
  return {
    id: view.getUint32(at + 8, true),
    ioasId: view.getUint32(at + 16, true),
  };
}

/** Fails unless an entry of a nested page table's IOTLB has a value. (`struct iommu_test_cmd`) */
export interface TestMdCheckIotlb {
  /** The page table. */
  id: number;
  /** Which entry. */
  iotlbId: number;
  /** The value. */
  iotlb: number;
}

/** Bytes of `iommu_test_cmd`.  */
export const TestMdCheckIotlbSize = 72;

/** Write a {@linkcode TestMdCheckIotlb}. */
export function putTestMdCheckIotlb(view: DataView, at: number, value: TestMdCheckIotlb): void {
  view.setUint32(at, TestMdCheckIotlbSize, true);
  view.setUint32(at + 4, 0xe, true);
  view.setUint32(at + 8, value.id, true);
  view.setUint32(at + 12, 0, true);
  view.setUint32(at + 16, value.iotlbId, true);
  view.setUint32(at + 20, value.iotlb, true);
  view.setUint32(at + 24, 0, true);
  view.setUint32(at + 28, 0, true);
  view.setUint32(at + 32, 0, true);
  view.setUint32(at + 36, 0, true);
  view.setUint32(at + 40, 0, true);
  view.setUint32(at + 44, 0, true);
  view.setUint32(at + 48, 0, true);
  view.setUint32(at + 52, 0, true);
  view.setUint32(at + 56, 0, true);
  view.setUint32(at + 60, 0, true);
  view.setUint32(at + 64, 0, true);
  view.setUint32(at + 68, 0, true);
}

/** Read a {@linkcode TestMdCheckIotlb}. */
export function getTestMdCheckIotlb(view: DataView, at: number): TestMdCheckIotlb {
  return {
    id: view.getUint32(at + 8, true),
    iotlbId: view.getUint32(at + 16, true),
    iotlb: view.getUint32(at + 20, true),
  };
}

/** Fails unless an entry of a mock device's cache has a value. (`struct iommu_test_cmd`) */
export interface TestDevCheckCache {
  /** The device. */
  id: number;
  /** Which entry. */
  cacheId: number;
  /** The value. */
  cache: number;
}

/** Bytes of `iommu_test_cmd`.  */
export const TestDevCheckCacheSize = 72;

/** Write a {@linkcode TestDevCheckCache}. */
export function putTestDevCheckCache(view: DataView, at: number, value: TestDevCheckCache): void {
  view.setUint32(at, TestDevCheckCacheSize, true);
  view.setUint32(at + 4, 0x10, true);
  view.setUint32(at + 8, value.id, true);
  view.setUint32(at + 12, 0, true);
  view.setUint32(at + 16, value.cacheId, true);
  view.setUint32(at + 20, value.cache, true);
  view.setUint32(at + 24, 0, true);
  view.setUint32(at + 28, 0, true);
  view.setUint32(at + 32, 0, true);
  view.setUint32(at + 36, 0, true);
  view.setUint32(at + 40, 0, true);
  view.setUint32(at + 44, 0, true);
  view.setUint32(at + 48, 0, true);
  view.setUint32(at + 52, 0, true);
  view.setUint32(at + 56, 0, true);
  view.setUint32(at + 60, 0, true);
  view.setUint32(at + 64, 0, true);
  view.setUint32(at + 68, 0, true);
}

/** Read a {@linkcode TestDevCheckCache}. */
export function getTestDevCheckCache(view: DataView, at: number): TestDevCheckCache {
  return {
    id: view.getUint32(at + 8, true),
    cacheId: view.getUint32(at + 16, true),
    cache: view.getUint32(at + 20, true),
  };
}

/** Makes a mock device ask for a page. (`struct iommu_test_cmd`) */
export interface TestTriggerIopf {
  /** The device. */
  devId: number;
  /** The PASID, 0 for none. */
  pasid: number;
  /** The group of faults that it belongs to. */
  grpid: number;
  /** What the access wants. */
  perm: number;
  /** The address. */
  addr: bigint;
}

/** Bytes of `iommu_test_cmd`.  */
export const TestTriggerIopfSize = 72;

/** Write a {@linkcode TestTriggerIopf}. */
export function putTestTriggerIopf(view: DataView, at: number, value: TestTriggerIopf): void {
  view.setUint32(at, TestTriggerIopfSize, true);
  view.setUint32(at + 4, 0xf, true);
  view.setUint32(at + 8, 0, true);
  view.setUint32(at + 12, 0, true);
  view.setUint32(at + 16, value.devId, true);
  view.setUint32(at + 20, value.pasid, true);
  view.setUint32(at + 24, value.grpid, true);
  view.setUint32(at + 28, value.perm, true);
  view.setBigUint64(at + 32, value.addr, true);
  view.setUint32(at + 40, 0, true);
  view.setUint32(at + 44, 0, true);
  view.setUint32(at + 48, 0, true);
  view.setUint32(at + 52, 0, true);
  view.setUint32(at + 56, 0, true);
  view.setUint32(at + 60, 0, true);
  view.setUint32(at + 64, 0, true);
  view.setUint32(at + 68, 0, true);
}

/** Read a {@linkcode TestTriggerIopf}. */
export function getTestTriggerIopf(view: DataView, at: number): TestTriggerIopf {
  return {
    devId: view.getUint32(at + 16, true),
    pasid: view.getUint32(at + 20, true),
    grpid: view.getUint32(at + 24, true),
    perm: view.getUint32(at + 28, true),
    addr: view.getBigUint64(at + 32, true),
  };
}

/** Makes a mock device report an event. (`struct iommu_test_cmd`) */
export interface TestTriggerVevent {
  /** The device. */
  devId: number;
}

/** Bytes of `iommu_test_cmd`.  */
export const TestTriggerVeventSize = 72;

/** Write a {@linkcode TestTriggerVevent}. */
export function putTestTriggerVevent(view: DataView, at: number, value: TestTriggerVevent): void {
  view.setUint32(at, TestTriggerVeventSize, true);
  view.setUint32(at + 4, 0x11, true);
  view.setUint32(at + 8, 0, true);
  view.setUint32(at + 12, 0, true);
  view.setUint32(at + 16, value.devId, true);
  view.setUint32(at + 20, 0, true);
  view.setUint32(at + 24, 0, true);
  view.setUint32(at + 28, 0, true);
  view.setUint32(at + 32, 0, true);
  view.setUint32(at + 36, 0, true);
  view.setUint32(at + 40, 0, true);
  view.setUint32(at + 44, 0, true);
  view.setUint32(at + 48, 0, true);
  view.setUint32(at + 52, 0, true);
  view.setUint32(at + 56, 0, true);
  view.setUint32(at + 60, 0, true);
  view.setUint32(at + 64, 0, true);
  view.setUint32(at + 68, 0, true);
}

/** Read a {@linkcode TestTriggerVevent}. */
export function getTestTriggerVevent(view: DataView, at: number): TestTriggerVevent {
  return {
    devId: view.getUint32(at + 16, true),
  };
}

/** Attaches a PASID of a mock device. (`struct iommu_test_cmd`) */
export interface TestPasidAttach {
  /** The test object. */
  id: number;
  /** The PASID. */
  pasid: number;
  /** What to attach it to; the answer is the page table. */
  ptId: number;
}

/** Bytes of `iommu_test_cmd`.  */
export const TestPasidAttachSize = 72;

/** Write a {@linkcode TestPasidAttach}. */
export function putTestPasidAttach(view: DataView, at: number, value: TestPasidAttach): void {
  view.setUint32(at, TestPasidAttachSize, true);
  view.setUint32(at + 4, 0x12, true);
  view.setUint32(at + 8, value.id, true);
  view.setUint32(at + 12, 0, true);
  view.setUint32(at + 16, value.pasid, true);
  view.setUint32(at + 20, value.ptId, true);
  view.setUint32(at + 24, 0, true);
  view.setUint32(at + 28, 0, true);
  view.setUint32(at + 32, 0, true);
  view.setUint32(at + 36, 0, true);
  view.setUint32(at + 40, 0, true);
  view.setUint32(at + 44, 0, true);
  view.setUint32(at + 48, 0, true);
  view.setUint32(at + 52, 0, true);
  view.setUint32(at + 56, 0, true);
  view.setUint32(at + 60, 0, true);
  view.setUint32(at + 64, 0, true);
  view.setUint32(at + 68, 0, true);
}

/** Read a {@linkcode TestPasidAttach}. */
export function getTestPasidAttach(view: DataView, at: number): TestPasidAttach {
  return {
    id: view.getUint32(at + 8, true),
    pasid: view.getUint32(at + 16, true),
    ptId: view.getUint32(at + 20, true),
  };
}

/** Read `pt_id` of a {@linkcode TestPasidAttach}. */
export function getTestPasidAttachPtId(view: DataView, at: number): number {
  return view.getUint32(at + 20, true);
}

/** Attaches a PASID of a mock device to something else. (`struct iommu_test_cmd`) */
export interface TestPasidReplace {
  /** The test object. */
  id: number;
  /** The PASID. */
  pasid: number;
  /** What to attach it to; the answer is the page table. */
  ptId: number;
}

/** Bytes of `iommu_test_cmd`.  */
export const TestPasidReplaceSize = 72;

/** Write a {@linkcode TestPasidReplace}. */
export function putTestPasidReplace(view: DataView, at: number, value: TestPasidReplace): void {
  view.setUint32(at, TestPasidReplaceSize, true);
  view.setUint32(at + 4, 0x13, true);
  view.setUint32(at + 8, value.id, true);
  view.setUint32(at + 12, 0, true);
  view.setUint32(at + 16, value.pasid, true);
  view.setUint32(at + 20, value.ptId, true);
  view.setUint32(at + 24, 0, true);
  view.setUint32(at + 28, 0, true);
  view.setUint32(at + 32, 0, true);
  view.setUint32(at + 36, 0, true);
  view.setUint32(at + 40, 0, true);
  view.setUint32(at + 44, 0, true);
  view.setUint32(at + 48, 0, true);
  view.setUint32(at + 52, 0, true);
  view.setUint32(at + 56, 0, true);
  view.setUint32(at + 60, 0, true);
  view.setUint32(at + 64, 0, true);
  view.setUint32(at + 68, 0, true);
}

/** Read a {@linkcode TestPasidReplace}. */
export function getTestPasidReplace(view: DataView, at: number): TestPasidReplace {
  return {
    id: view.getUint32(at + 8, true),
    pasid: view.getUint32(at + 16, true),
    ptId: view.getUint32(at + 20, true),
  };
}

/** Read `pt_id` of a {@linkcode TestPasidReplace}. */
export function getTestPasidReplacePtId(view: DataView, at: number): number {
  return view.getUint32(at + 20, true);
}

/** Detaches a PASID of a mock device. (`struct iommu_test_cmd`) */
export interface TestPasidDetach {
  /** The test object. */
  id: number;
  /** The PASID. */
  pasid: number;
}

/** Bytes of `iommu_test_cmd`.  */
export const TestPasidDetachSize = 72;

/** Write a {@linkcode TestPasidDetach}. */
export function putTestPasidDetach(view: DataView, at: number, value: TestPasidDetach): void {
  view.setUint32(at, TestPasidDetachSize, true);
  view.setUint32(at + 4, 0x14, true);
  view.setUint32(at + 8, value.id, true);
  view.setUint32(at + 12, 0, true);
  view.setUint32(at + 16, value.pasid, true);
  view.setUint32(at + 20, 0, true);
  view.setUint32(at + 24, 0, true);
  view.setUint32(at + 28, 0, true);
  view.setUint32(at + 32, 0, true);
  view.setUint32(at + 36, 0, true);
  view.setUint32(at + 40, 0, true);
  view.setUint32(at + 44, 0, true);
  view.setUint32(at + 48, 0, true);
  view.setUint32(at + 52, 0, true);
  view.setUint32(at + 56, 0, true);
  view.setUint32(at + 60, 0, true);
  view.setUint32(at + 64, 0, true);
  view.setUint32(at + 68, 0, true);
}

/** Read a {@linkcode TestPasidDetach}. */
export function getTestPasidDetach(view: DataView, at: number): TestPasidDetach {
  return {
    id: view.getUint32(at + 8, true),
    pasid: view.getUint32(at + 16, true),
  };
}

/** Fails unless a PASID of a mock device uses a page table. (`struct iommu_test_cmd`) */
export interface TestPasidCheckHwpt {
  /** The test object. */
  id: number;
  /** The PASID. */
  pasid: number;
  /** The page table, 0 for none. */
  hwptId: number;
}

/** Bytes of `iommu_test_cmd`.  */
export const TestPasidCheckHwptSize = 72;

/** Write a {@linkcode TestPasidCheckHwpt}. */
export function putTestPasidCheckHwpt(view: DataView, at: number, value: TestPasidCheckHwpt): void {
  view.setUint32(at, TestPasidCheckHwptSize, true);
  view.setUint32(at + 4, 0x15, true);
  view.setUint32(at + 8, value.id, true);
  view.setUint32(at + 12, 0, true);
  view.setUint32(at + 16, value.pasid, true);
  view.setUint32(at + 20, value.hwptId, true);
  view.setUint32(at + 24, 0, true);
  view.setUint32(at + 28, 0, true);
  view.setUint32(at + 32, 0, true);
  view.setUint32(at + 36, 0, true);
  view.setUint32(at + 40, 0, true);
  view.setUint32(at + 44, 0, true);
  view.setUint32(at + 48, 0, true);
  view.setUint32(at + 52, 0, true);
  view.setUint32(at + 56, 0, true);
  view.setUint32(at + 60, 0, true);
  view.setUint32(at + 64, 0, true);
  view.setUint32(at + 68, 0, true);
}

/** Read a {@linkcode TestPasidCheckHwpt}. */
export function getTestPasidCheckHwpt(view: DataView, at: number): TestPasidCheckHwpt {
  return {
    id: view.getUint32(at + 8, true),
    pasid: view.getUint32(at + 16, true),
    hwptId: view.getUint32(at + 20, true),
  };
}

/** Makes a dma-buf, whose fd is the lowest that was free: Linux 7.3 does not answer it. (`struct iommu_test_cmd`) */
export interface TestDmabufGet {
  /** Bytes, at most 512 pages. */
  length: number;
  /** As of open. */
  openFlags: number;
}

/** Bytes of `iommu_test_cmd`.  */
export const TestDmabufGetSize = 72;

/** Write a {@linkcode TestDmabufGet}. */
export function putTestDmabufGet(view: DataView, at: number, value: TestDmabufGet): void {
  view.setUint32(at, TestDmabufGetSize, true);
  view.setUint32(at + 4, 0x16, true);
  view.setUint32(at + 8, 0, true);
  view.setUint32(at + 12, 0, true);
  view.setUint32(at + 16, value.length, true);
  view.setUint32(at + 20, value.openFlags, true);
  view.setUint32(at + 24, 0, true);
  view.setUint32(at + 28, 0, true);
  view.setUint32(at + 32, 0, true);
  view.setUint32(at + 36, 0, true);
  view.setUint32(at + 40, 0, true);
  view.setUint32(at + 44, 0, true);
  view.setUint32(at + 48, 0, true);
  view.setUint32(at + 52, 0, true);
  view.setUint32(at + 56, 0, true);
  view.setUint32(at + 60, 0, true);
  view.setUint32(at + 64, 0, true);
  view.setUint32(at + 68, 0, true);
}

/** Read a {@linkcode TestDmabufGet}. */
export function getTestDmabufGet(view: DataView, at: number): TestDmabufGet {
  return {
    length: view.getUint32(at + 16, true),
    openFlags: view.getUint32(at + 20, true),
  };
}

/** Takes a dma-buf's memory away, or gives it back. (`struct iommu_test_cmd`) */
export interface TestDmabufRevoke {
  /** The dma-buf. */
  dmabufFd: number;
  /** Not 0 to take the memory away. */
  revoked: number;
}

/** Bytes of `iommu_test_cmd`.  */
export const TestDmabufRevokeSize = 72;

/** Write a {@linkcode TestDmabufRevoke}. */
export function putTestDmabufRevoke(view: DataView, at: number, value: TestDmabufRevoke): void {
  view.setUint32(at, TestDmabufRevokeSize, true);
  view.setUint32(at + 4, 0x17, true);
  view.setUint32(at + 8, 0, true);
  view.setUint32(at + 12, 0, true);
  view.setInt32(at + 16, value.dmabufFd, true);
  view.setUint32(at + 20, value.revoked, true);
  view.setUint32(at + 24, 0, true);
  view.setUint32(at + 28, 0, true);
  view.setUint32(at + 32, 0, true);
  view.setUint32(at + 36, 0, true);
  view.setUint32(at + 40, 0, true);
  view.setUint32(at + 44, 0, true);
  view.setUint32(at + 48, 0, true);
  view.setUint32(at + 52, 0, true);
  view.setUint32(at + 56, 0, true);
  view.setUint32(at + 60, 0, true);
  view.setUint32(at + 64, 0, true);
  view.setUint32(at + 68, 0, true);
}

/** Read a {@linkcode TestDmabufRevoke}. */
export function getTestDmabufRevoke(view: DataView, at: number): TestDmabufRevoke {
  return {
    dmabufFd: view.getInt32(at + 16, true),
    revoked: view.getUint32(at + 20, true),
  };
}

/** What the mock IOMMU says of itself. (`struct iommu_test_hw_info`) */
export interface TestHwInfo {
  /** No flag is defined. */
  flags: number;
  /** Always HW_INFO_SELFTEST_REGVAL. */
  testReg: number;
}

/** Bytes of `iommu_test_hw_info`.  */
export const TestHwInfoSize = 8;

/** Write a {@linkcode TestHwInfo}. */
export function putTestHwInfo(view: DataView, at: number, value: Put<TestHwInfo, "flags" | "testReg">): void {
  view.setUint32(at, value.flags ?? 0, true);
  view.setUint32(at + 4, value.testReg ?? 0, true);
}

/** Read a {@linkcode TestHwInfo}. */
export function getTestHwInfo(view: DataView, at: number): TestHwInfo {
  return {
    flags: view.getUint32(at, true),
    testReg: view.getUint32(at + 4, true),
  };
}

/** Read `flags` of a {@linkcode TestHwInfo}. */
export function getTestHwInfoFlags(view: DataView, at: number): number {
  return view.getUint32(at, true);
}

/** Read `test_reg` of a {@linkcode TestHwInfo}. */
export function getTestHwInfoTestReg(view: DataView, at: number): number {
  return view.getUint32(at + 4, true);
}

/** How a page table of the mock IOMMU shall be. (`struct iommu_hwpt_selftest`) */
export interface HwptSelftest {
  /** What a nested page table's IOTLB holds at first. */
  iotlb: number;
  /** The kind of page table. */
  pagetableType: number;
}

/** Bytes of `iommu_hwpt_selftest`.  */
export const HwptSelftestSize = 8;

/** Write a {@linkcode HwptSelftest}. */
export function putHwptSelftest(view: DataView, at: number, value: HwptSelftest): void {
  view.setUint32(at, value.iotlb, true);
  view.setUint32(at + 4, value.pagetableType, true);
}

/** Read a {@linkcode HwptSelftest}. */
export function getHwptSelftest(view: DataView, at: number): HwptSelftest {
  return {
    iotlb: view.getUint32(at, true),
    pagetableType: view.getUint32(at + 4, true),
  };
}

/** One invalidation in a nested page table of the mock IOMMU. (`struct iommu_hwpt_invalidate_selftest`) */
export interface HwptInvalidateSelftest {
  /** Whether all entries are meant. */
  flags: number;
  /** Which entry. */
  iotlbId: number;
}

/** Bytes of `iommu_hwpt_invalidate_selftest`.  */
export const HwptInvalidateSelftestSize = 8;

/** Write a {@linkcode HwptInvalidateSelftest}. */
export function putHwptInvalidateSelftest(view: DataView, at: number, value: HwptInvalidateSelftest): void {
  view.setUint32(at, value.flags, true);
  view.setUint32(at + 4, value.iotlbId, true);
}

/** Read a {@linkcode HwptInvalidateSelftest}. */
export function getHwptInvalidateSelftest(view: DataView, at: number): HwptInvalidateSelftest {
  return {
    flags: view.getUint32(at, true),
    iotlbId: view.getUint32(at + 4, true),
  };
}

/** Data of a virtual IOMMU of the mock IOMMU. (`struct iommu_viommu_selftest`) */
export interface ViommuSelftest {
  /** Any number. */
  inData: number;
  /** The same number. */
  outData: number;
  /** Offset for mmap of the iommufd. */
  outMmapOffset: bigint;
  /** Bytes to map. */
  outMmapLength: bigint;
}

/** Bytes of `iommu_viommu_selftest`.  */
export const ViommuSelftestSize = 24;

/** Write a {@linkcode ViommuSelftest}. */
export function putViommuSelftest(
  view: DataView,
  at: number,
  value: Put<ViommuSelftest, "outData" | "outMmapOffset" | "outMmapLength">,
): void {
  view.setUint32(at, value.inData, true);
  view.setUint32(at + 4, value.outData ?? 0, true);
  view.setBigUint64(at + 8, value.outMmapOffset ?? 0n, true);
  view.setBigUint64(at + 16, value.outMmapLength ?? 0n, true);
}

/** Read a {@linkcode ViommuSelftest}. */
export function getViommuSelftest(view: DataView, at: number): ViommuSelftest {
  return {
    inData: view.getUint32(at, true),
    outData: view.getUint32(at + 4, true),
    outMmapOffset: view.getBigUint64(at + 8, true),
    outMmapLength: view.getBigUint64(at + 16, true),
  };
}

/** Read `out_data` of a {@linkcode ViommuSelftest}. */
export function getViommuSelftestOutData(view: DataView, at: number): number {
  return view.getUint32(at + 4, true);
}

/** Read `out_mmap_offset` of a {@linkcode ViommuSelftest}. */
export function getViommuSelftestOutMmapOffset(view: DataView, at: number): bigint {
  return view.getBigUint64(at + 8, true);
}

/** Read `out_mmap_length` of a {@linkcode ViommuSelftest}. */
export function getViommuSelftestOutMmapLength(view: DataView, at: number): bigint {
  return view.getBigUint64(at + 16, true);
}

/** One invalidation in the cache of a mock device. (`struct iommu_viommu_invalidate_selftest`) */
export interface ViommuInvalidateSelftest {
  /** Whether all entries are meant. */
  flags: number;
  /** What the guest calls the device. */
  vdevId: number;
  /** Which entry. */
  cacheId: number;
}

/** Bytes of `iommu_viommu_invalidate_selftest`.  */
export const ViommuInvalidateSelftestSize = 12;

/** Write a {@linkcode ViommuInvalidateSelftest}. */
export function putViommuInvalidateSelftest(view: DataView, at: number, value: ViommuInvalidateSelftest): void {
  view.setUint32(at, value.flags, true);
  view.setUint32(at + 4, value.vdevId, true);
  view.setUint32(at + 8, value.cacheId, true);
}

/** Read a {@linkcode ViommuInvalidateSelftest}. */
export function getViommuInvalidateSelftest(view: DataView, at: number): ViommuInvalidateSelftest {
  return {
    flags: view.getUint32(at, true),
    vdevId: view.getUint32(at + 4, true),
    cacheId: view.getUint32(at + 8, true),
  };
}

/** An event of the mock IOMMU. (`struct iommu_viommu_event_selftest`) */
export interface ViommuEventSelftest {
  /** What the guest calls the device. */
  virtId: number;
}

/** Bytes of `iommu_viommu_event_selftest`.  */
export const ViommuEventSelftestSize = 4;

/** Write a {@linkcode ViommuEventSelftest}. */
export function putViommuEventSelftest(view: DataView, at: number, value: Put<ViommuEventSelftest, "virtId">): void {
  view.setUint32(at, value.virtId ?? 0, true);
}

/** Read a {@linkcode ViommuEventSelftest}. */
export function getViommuEventSelftest(view: DataView, at: number): ViommuEventSelftest {
  return {
    virtId: view.getUint32(at, true),
  };
}

/** Read `virt_id` of a {@linkcode ViommuEventSelftest}. */
export function getViommuEventSelftestVirtId(view: DataView, at: number): number {
  return view.getUint32(at, true);
}

/** Request: Give the device the label that its fault records carry. */
export const SIMULATED_DEVICE_SET_LABEL = 0x3bf0;

/** Names a device for fault records. */
export interface SimulatedDeviceSetLabel {
  /** No flag is defined: must be zero. */
  flags: number;
  /** The number that fault records of this device carry from now on. */
  label: bigint;
}

/** Bytes of `SimulatedDeviceSetLabel`.  */
export const SimulatedDeviceSetLabelSize = 16;

/** Write a {@linkcode SimulatedDeviceSetLabel}. */
export function putSimulatedDeviceSetLabel(view: DataView, at: number, value: SimulatedDeviceSetLabel): void {
  view.setUint32(at, SimulatedDeviceSetLabelSize, true);
  view.setUint32(at + 4, value.flags, true);
  view.setBigUint64(at + 8, value.label, true);
}

/** Read a {@linkcode SimulatedDeviceSetLabel}. */
export function getSimulatedDeviceSetLabel(view: DataView, at: number): SimulatedDeviceSetLabel {
  return {
    flags: view.getUint32(at + 4, true),
    label: view.getBigUint64(at + 8, true),
  };
}

/** Request: Answers 0, the version of the interface. */
export const GET_API_VERSION = 0x3b64;
/** Request: Whether the kernel has an extension, whose number is the argument. */
export const CHECK_EXTENSION = 0x3b65;
/** Request: Choose the IOMMU interface, whose number is the argument. A group must be in the container. */
export const SET_IOMMU = 0x3b66;
/** Request: Whether the group can be used. */
export const GROUP_GET_STATUS = 0x3b67;
/** Request: Put the group into a container. */
export const GROUP_SET_CONTAINER = 0x3b68;
/** Request: Take the group out of its container. */
export const GROUP_UNSET_CONTAINER = 0x3b69;
/** Request: Open a device of the group. The argument is the address of its name, a PCI address with a zero byte behind; the answer is the fd. */
export const GROUP_GET_DEVICE_FD = 0x3b6a;
/** Request: What can be mapped. */
export const IOMMU_GET_INFO = 0x3b70;
/** Request: Map memory. */
export const IOMMU_MAP_DMA = 0x3b71;
/** Request: Unmap memory. */
export const IOMMU_UNMAP_DMA = 0x3b72;
/** What CHECK_EXTENSION asks for; the first four are also what SET_IOMMU takes. */
export const TYPE1_IOMMU = 1;
/** What CHECK_EXTENSION asks for; the first four are also what SET_IOMMU takes. */
export const SPAPR_TCE_IOMMU = 2;
/** What CHECK_EXTENSION asks for; the first four are also what SET_IOMMU takes. */
export const TYPE1v2_IOMMU = 3;
/** What CHECK_EXTENSION asks for; the first four are also what SET_IOMMU takes. */
export const DMA_CC_IOMMU = 4;
/** What CHECK_EXTENSION asks for; the first four are also what SET_IOMMU takes. */
export const NOIOMMU_IOMMU = 8;
/** What CHECK_EXTENSION asks for; the first four are also what SET_IOMMU takes. */
export const UNMAP_ALL = 9;
/** What CHECK_EXTENSION asks for; the first four are also what SET_IOMMU takes. */
export const UPDATE_VADDR = 0xa;
/** State of a group. */
export const GROUP_FLAGS_VIABLE = 1;
/** State of a group. */
export const GROUP_FLAGS_CONTAINER_SET = 2;
/** Which parts of the answer of IOMMU_GET_INFO are there. */
export const IOMMU_INFO_PGSIZES = 1;
/** Which parts of the answer of IOMMU_GET_INFO are there. */
export const IOMMU_INFO_CAPS = 2;
/** Ids of the capabilities that follow the answer of IOMMU_GET_INFO. */
export const IOMMU_TYPE1_INFO_CAP_IOVA_RANGE = 1;
/** Ids of the capabilities that follow the answer of IOMMU_GET_INFO. */
export const IOMMU_TYPE1_INFO_CAP_MIGRATION = 2;
/** Ids of the capabilities that follow the answer of IOMMU_GET_INFO. */
export const IOMMU_TYPE1_INFO_DMA_AVAIL = 3;
/** What devices may do with a mapping. */
export const DMA_MAP_FLAG_READ = 1;
/** What devices may do with a mapping. */
export const DMA_MAP_FLAG_WRITE = 2;
/** What devices may do with a mapping. */
export const DMA_MAP_FLAG_VADDR = 4;
/** Options of IOMMU_UNMAP_DMA. */
export const DMA_UNMAP_FLAG_GET_DIRTY_BITMAP = 1;
/** Options of IOMMU_UNMAP_DMA. */
export const DMA_UNMAP_FLAG_ALL = 2;
/** Options of IOMMU_UNMAP_DMA. */
export const DMA_UNMAP_FLAG_VADDR = 4;

/** Whether a group can be used. (`struct vfio_group_status`) */
export interface GroupStatus {
  /** State of the group. */
  flags: number;
}

/** Bytes of `vfio_group_status`.  */
export const GroupStatusSize = 8;

/** Write a {@linkcode GroupStatus}. */
export function putGroupStatus(view: DataView, at: number, value: Put<GroupStatus, "flags">): void {
  view.setUint32(at, GroupStatusSize, true);
  view.setUint32(at + 4, value.flags ?? 0, true);
}

/** Read a {@linkcode GroupStatus}. */
export function getGroupStatus(view: DataView, at: number): GroupStatus {
  return {
    flags: view.getUint32(at + 4, true),
  };
}

/** Read `flags` of a {@linkcode GroupStatus}. */
export function getGroupStatusFlags(view: DataView, at: number): number {
  return view.getUint32(at + 4, true);
}

/** The container of a group: a number alone. */
export interface GroupContainer {
  /** The container. */
  container: number;
}

/** Bytes of `GroupContainer`.  */
export const GroupContainerSize = 4;

/** Write a {@linkcode GroupContainer}. */
export function putGroupContainer(view: DataView, at: number, value: GroupContainer): void {
  view.setInt32(at, value.container, true);
}

/** Read a {@linkcode GroupContainer}. */
export function getGroupContainer(view: DataView, at: number): GroupContainer {
  return {
    container: view.getInt32(at, true),
  };
}

/** What the IOMMU of a container can map. (`struct vfio_iommu_type1_info`) */
export interface IommuType1Info {
  /** Which parts of the answer are there. */
  flags: number;
  /** Page sizes, bit n for 2^n bytes. */
  iovaPgsizes: bigint;
  /** Offset of the first capability in the answer, 0 without one. */
  capOffset: number;
  /** Fills the struct up to 64 bits. */
  pad: number;
}

/** Bytes of `vfio_iommu_type1_info`.  */
export const IommuType1InfoSize = 24;

/** Write a {@linkcode IommuType1Info}. The last argument is the size with what follows the struct. */
export function putIommuType1Info(
  view: DataView,
  at: number,
  value: Put<IommuType1Info, "flags" | "iovaPgsizes" | "capOffset" | "pad">,
  argsz: number = IommuType1InfoSize,
): void {
  view.setUint32(at, argsz, true);
  view.setUint32(at + 4, value.flags ?? 0, true);
  view.setBigUint64(at + 8, value.iovaPgsizes ?? 0n, true);
  view.setUint32(at + 16, value.capOffset ?? 0, true);
  view.setUint32(at + 20, value.pad ?? 0, true);
}

/** Read a {@linkcode IommuType1Info}. */
export function getIommuType1Info(view: DataView, at: number): IommuType1Info {
  return {
    flags: view.getUint32(at + 4, true),
    iovaPgsizes: view.getBigUint64(at + 8, true),
    capOffset: view.getUint32(at + 16, true),
    pad: view.getUint32(at + 20, true),
  };
}

/** Read `argsz` of a {@linkcode IommuType1Info}. */
export function getIommuType1InfoArgsz(view: DataView, at: number): number {
  return view.getUint32(at, true);
}

/** Read `flags` of a {@linkcode IommuType1Info}. */
export function getIommuType1InfoFlags(view: DataView, at: number): number {
  return view.getUint32(at + 4, true);
}

/** Read `iova_pgsizes` of a {@linkcode IommuType1Info}. */
export function getIommuType1InfoIovaPgsizes(view: DataView, at: number): bigint {
  return view.getBigUint64(at + 8, true);
}

/** Read `cap_offset` of a {@linkcode IommuType1Info}. */
export function getIommuType1InfoCapOffset(view: DataView, at: number): number {
  return view.getUint32(at + 16, true);
}

/** Read `pad` of a {@linkcode IommuType1Info}. */
export function getIommuType1InfoPad(view: DataView, at: number): number {
  return view.getUint32(at + 20, true);
}

/** Addresses that can be mapped. (`struct vfio_iova_range`) */
export interface VfioIovaRange {
  /** The first. */
  start: bigint;
  /** The last: inclusive, whatever its name says. */
  end: bigint;
}

/** Bytes of `vfio_iova_range`.  */
export const VfioIovaRangeSize = 16;

/** Write a {@linkcode VfioIovaRange}. */
export function putVfioIovaRange(view: DataView, at: number, value: Put<VfioIovaRange, "start" | "end">): void {
  view.setBigUint64(at, value.start ?? 0n, true);
  view.setBigUint64(at + 8, value.end ?? 0n, true);
}

/** Read a {@linkcode VfioIovaRange}. */
export function getVfioIovaRange(view: DataView, at: number): VfioIovaRange {
  return {
    start: view.getBigUint64(at, true),
    end: view.getBigUint64(at + 8, true),
  };
}

/** Read `start` of a {@linkcode VfioIovaRange}. */
export function getVfioIovaRangeStart(view: DataView, at: number): bigint {
  return view.getBigUint64(at, true);
}

/** Read `end` of a {@linkcode VfioIovaRange}. */
export function getVfioIovaRangeEnd(view: DataView, at: number): bigint {
  return view.getBigUint64(at + 8, true);
}

/** Capability of a container: the addresses that can be mapped, without those that its devices reserve. (`struct vfio_iommu_type1_info_cap_iova_range`) */
export interface IommuType1InfoCapIovaRange {
  /** Which capability this is. */
  id: number;
  /** Version of this capability's layout. */
  version: number;
  /** Offset of the next capability from the start of the answer, 0 for the last. */
  next: number;
  /** Number of ranges that follow. */
  nrIovas: number;
}

/** Bytes of `vfio_iommu_type1_info_cap_iova_range` without what follows it.  */
export const IommuType1InfoCapIovaRangeSize = 16;

/** Write a {@linkcode IommuType1InfoCapIovaRange}. */
export function putIommuType1InfoCapIovaRange(
  view: DataView,
  at: number,
  value: Put<IommuType1InfoCapIovaRange, "id" | "version" | "next" | "nrIovas">,
): void {
  view.setUint16(at, value.id ?? 0, true);
  view.setUint16(at + 2, value.version ?? 0, true);
  view.setUint32(at + 4, value.next ?? 0, true);
  view.setUint32(at + 8, value.nrIovas ?? 0, true);
  view.setUint32(at + 12, 0, true);
}

/** Read a {@linkcode IommuType1InfoCapIovaRange}. */
export function getIommuType1InfoCapIovaRange(view: DataView, at: number): IommuType1InfoCapIovaRange {
  return {
    id: view.getUint16(at, true),
    version: view.getUint16(at + 2, true),
    next: view.getUint32(at + 4, true),
    nrIovas: view.getUint32(at + 8, true),
  };
}

/** Read `id` of a {@linkcode IommuType1InfoCapIovaRange}. */
export function getIommuType1InfoCapIovaRangeId(view: DataView, at: number): number {
  return view.getUint16(at, true);
}

/** Read `version` of a {@linkcode IommuType1InfoCapIovaRange}. */
export function getIommuType1InfoCapIovaRangeVersion(view: DataView, at: number): number {
  return view.getUint16(at + 2, true);
}

/** Read `next` of a {@linkcode IommuType1InfoCapIovaRange}. */
export function getIommuType1InfoCapIovaRangeNext(view: DataView, at: number): number {
  return view.getUint32(at + 4, true);
}

/** Read `nr_iovas` of a {@linkcode IommuType1InfoCapIovaRange}. */
export function getIommuType1InfoCapIovaRangeNrIovas(view: DataView, at: number): number {
  return view.getUint32(at + 8, true);
}

/** Capability of a container: how many mappings it still takes. (`struct vfio_iommu_type1_info_dma_avail`) */
export interface IommuType1InfoDmaAvail {
  /** Which capability this is. */
  id: number;
  /** Version of this capability's layout. */
  version: number;
  /** Offset of the next capability from the start of the answer, 0 for the last. */
  next: number;
  /** Mappings that can be added. */
  avail: number;
}

/** Bytes of `vfio_iommu_type1_info_dma_avail`.  */
export const IommuType1InfoDmaAvailSize = 12;

/** Write a {@linkcode IommuType1InfoDmaAvail}. */
export function putIommuType1InfoDmaAvail(
  view: DataView,
  at: number,
  value: Put<IommuType1InfoDmaAvail, "id" | "version" | "next" | "avail">,
): void {
  view.setUint16(at, value.id ?? 0, true);
  view.setUint16(at + 2, value.version ?? 0, true);
  view.setUint32(at + 4, value.next ?? 0, true);
  view.setUint32(at + 8, value.avail ?? 0, true);
}

/** Read a {@linkcode IommuType1InfoDmaAvail}. */
export function getIommuType1InfoDmaAvail(view: DataView, at: number): IommuType1InfoDmaAvail {
  return {
    id: view.getUint16(at, true),
    version: view.getUint16(at + 2, true),
    next: view.getUint32(at + 4, true),
    avail: view.getUint32(at + 8, true),
  };
}

/** Read `id` of a {@linkcode IommuType1InfoDmaAvail}. */
export function getIommuType1InfoDmaAvailId(view: DataView, at: number): number {
  return view.getUint16(at, true);
}

/** Read `version` of a {@linkcode IommuType1InfoDmaAvail}. */
export function getIommuType1InfoDmaAvailVersion(view: DataView, at: number): number {
  return view.getUint16(at + 2, true);
}

/** Read `next` of a {@linkcode IommuType1InfoDmaAvail}. */
export function getIommuType1InfoDmaAvailNext(view: DataView, at: number): number {
  return view.getUint32(at + 4, true);
}

/** Read `avail` of a {@linkcode IommuType1InfoDmaAvail}. */
export function getIommuType1InfoDmaAvailAvail(view: DataView, at: number): number {
  return view.getUint32(at + 8, true);
}

/** Maps memory of the process for all devices of the container's groups, and pins it. (`struct vfio_iommu_type1_dma_map`) */
export interface IommuType1DmaMap {
  /** What devices may do. */
  flags: number;
  /** Address of the memory in the process. */
  vaddr: bigint;
  /** Where to map it. */
  iova: bigint;
  /** Bytes. */
  size: bigint;
}

/** Bytes of `vfio_iommu_type1_dma_map`.  */
export const IommuType1DmaMapSize = 32;

/** Write a {@linkcode IommuType1DmaMap}. */
export function putIommuType1DmaMap(view: DataView, at: number, value: IommuType1DmaMap): void {
  view.setUint32(at, IommuType1DmaMapSize, true);
  view.setUint32(at + 4, value.flags, true);
  view.setBigUint64(at + 8, value.vaddr, true);
  view.setBigUint64(at + 16, value.iova, true);
  view.setBigUint64(at + 24, value.size, true);
}

/** Read a {@linkcode IommuType1DmaMap}. */
export function getIommuType1DmaMap(view: DataView, at: number): IommuType1DmaMap {
  return {
    flags: view.getUint32(at + 4, true),
    vaddr: view.getBigUint64(at + 8, true),
    iova: view.getBigUint64(at + 16, true),
    size: view.getBigUint64(at + 24, true),
  };
}

/** Removes mappings that lie wholly in a range. (`struct vfio_iommu_type1_dma_unmap`) */
export interface IommuType1DmaUnmap {
  /** Options. */
  flags: number;
  /** Where the range begins. */
  iova: bigint;
  /** Bytes of the range; the answer is how many were unmapped. */
  size: bigint;
}

/** Bytes of `vfio_iommu_type1_dma_unmap`.  */
export const IommuType1DmaUnmapSize = 24;

/** Write a {@linkcode IommuType1DmaUnmap}. */
export function putIommuType1DmaUnmap(view: DataView, at: number, value: IommuType1DmaUnmap): void {
  view.setUint32(at, IommuType1DmaUnmapSize, true);
  view.setUint32(at + 4, value.flags, true);
  view.setBigUint64(at + 8, value.iova, true);
  view.setBigUint64(at + 16, value.size, true);
}

/** Read a {@linkcode IommuType1DmaUnmap}. */
export function getIommuType1DmaUnmap(view: DataView, at: number): IommuType1DmaUnmap {
  return {
    flags: view.getUint32(at + 4, true),
    iova: view.getBigUint64(at + 8, true),
    size: view.getBigUint64(at + 16, true),
  };
}

/** Read `size` of a {@linkcode IommuType1DmaUnmap}. */
export function getIommuType1DmaUnmapSize(view: DataView, at: number): bigint {
  return view.getBigUint64(at + 16, true);
}
