/**
 * What each operation does, in words, and what to do when it fails: a table by operation and error number.
 *
 * Which error means what is Linux's: see docs/requests.md and, for the order of checks, the kernel's iommufd.
 *
 * @module
 */
import type { ErrnoName } from "../uapi/errno.ts";

/** One operation. */
export interface OperationAdvice {
  /** What {@linkcode IommuError.operation} says. */
  readonly operation: string;
  /** What it does, to follow "Cannot". `{name}` is a value in hexadecimal, `{#name}` in decimal; a part in [] goes if its value is unknown. */
  readonly action: string;
  /** What to do, by error. */
  readonly advice: Readonly<Partial<Record<ErrnoName, string>>>;
}

/** What helps with an error number whatever the operation. */
export const GENERIC: Readonly<Partial<Record<ErrnoName, string>>> = {
  EPERM: "The process lacks a capability or does not own what it names.",
  ENOENT: "The object that is named does not exist, or not any more.",
  EIO: "The device failed: reset it.",
  EBADF: "A file was closed while it was in use.",
  ENOMEM: "Free memory, or raise the limit of locked memory (ulimit -l).",
  EACCES: "Give the user access to the file, by its mode, its group or a udev rule.",
  EFAULT: "An address is not mapped in this process.",
  EBUSY: "Something still uses it: release that first.",
  EINVAL: "The kernel takes no such value here.",
  E2BIG: "This kernel is older and does not know a part of the request that was set.",
  EMFILE: "Dispose files that are no longer needed, or raise the limit (ulimit -n).",
  ENFILE: "The whole system has too many open files.",
  ENOTTY: "This kernel does not know the request: it is older, or the file is of another kind.",
  ENOSYS: "This kernel lacks the call.",
  EOVERFLOW: "Address plus length must stay below 2^64.",
  EOPNOTSUPP: "This kernel or this IOMMU does not support it.",
};

const MEMLOCK = "Pinning counts against the limit of locked memory: raise it (ulimit -l, or LimitMEMLOCK of the service), or map less.";
const OVERFLOW = "Address plus length must stay below 2^64.";
const IOAS_GONE = "The IOAS does not exist any more in this iommufd.";
const NEITHER = "Set read, write or both.";

/** Mapping is refused for the same reasons, whatever is mapped. */
const MAPPING = {
  EINVAL: "Length, addresses or access do not suit the IOAS: see its ranges and alignment, and set read, write or both.",
  EEXIST: "Something is mapped there: unmap it, take another IOVA, or leave iova out for a free one.",
  EOVERFLOW: OVERFLOW,
  ENOENT: IOAS_GONE,
  EFAULT: "A device is attached, so the memory must be there, and readable (writable where devices may write): map it before.",
  ENOMEM: MEMLOCK,
  ENOSPC: "No gap is large enough in the allowed ranges: unmap something, or allow more.",
  EPERM: "The memory is read-only: map it with write: false.",
  EADDRINUSE: "The range is reserved by an attached device: see the ranges of the IOAS.",
} as const;

/** Names of operations in the table. */
export type OperationKey =
  | "block"
  | "openIommu"
  | "adoptIommu"
  | "adoptDevice"
  | "destroy"
  | "ioasAlloc"
  | "option"
  | "vfioIoas"
  | "changeProcess"
  | "ioasPhysical"
  | "ioasMap"
  | "ioasMapFile"
  | "ioasUnmap"
  | "ioasCopy"
  | "ioasRanges"
  | "ioasAllow"
  | "hwptAlloc"
  | "faultQueueAlloc"
  | "faultRead"
  | "faultRespond"
  | "faultWait"
  | "hwptNest"
  | "hwptInvalidate"
  | "viommuAlloc"
  | "vdeviceAlloc"
  | "eventQueueAlloc"
  | "hwQueueAlloc"
  | "eventRead"
  | "eventWait"
  | "dirtyTracking"
  | "dirtyBitmap"
  | "exportDmaBuf"
  | "dmaLogStart"
  | "dmaLogStop"
  | "dmaLogReport"
  | "openDevice"
  | "findDevice"
  | "bind"
  | "label"
  | "attach"
  | "detach"
  | "deviceInfo"
  | "hwInfo"
  | "reset"
  | "hotReset"
  | "hotResetInfo"
  | "regionInfo"
  | "pread"
  | "pwrite"
  | "irqInfo"
  | "setIrqs"
  | "close"
  | "mmap"
  | "munmap"
  | "memfd"
  | "eventfd"
  | "read"
  | "wait"
  | "poll"
  | "list"
  | "readFile"
  | "pool";

/** All operations. */
export const ADVICE: Readonly<Record<OperationKey, OperationAdvice>> = {
  // The iommufd.
  block: { operation: "block", action: "allocate an argument block of {#length} bytes", advice: {} },
  openIommu: {
    operation: "open",
    action: "open {path}",
    advice: {
      ENOENT: "This kernel has no iommufd: it needs Linux 6.2 or later with CONFIG_IOMMUFD, and the module loaded (modprobe iommufd).",
      ENODEV: "The module is not loaded: modprobe iommufd.",
      ENXIO: "The module is not loaded: modprobe iommufd.",
      EACCES: "Give the user access to /dev/iommu, for example by a udev rule.",
    },
  },
  adoptIommu: {
    operation: "adopt",
    action: "take over fd {#fd} as an iommufd",
    advice: {
      EBADF: "No file of this process has the number.",
      EBADFD: "It is open, but no iommufd: what was passed in must be an open /dev/iommu.",
      EBUSY: "An IommuFd of this program has it already.",
    },
  },
  adoptDevice: {
    operation: "adopt",
    action: "take over fd {#fd} as a device[ ({device})]",
    advice: {
      EBADF: "No file of this process has the number.",
      EBADFD: "It is open, but no device: what was passed in must be an open /dev/vfio/devices/vfioN.",
      EBUSY: "The device is open elsewhere: who passed an fd in must not keep one of its own open that was opened anew.",
      EINVAL: "It is bound to an iommufd already, under an id that only who bound it knows: pass in an fd that is not bound.",
    },
  },
  destroy: {
    operation: "DESTROY",
    action: "destroy object {#id}",
    advice: {
      ENOENT:
        "Nothing in this iommufd has the id: it was destroyed already, or was an automatic page table that went with its last device.",
      EBUSY: "Something uses it: a page table is held by attached devices, an IOAS by its page tables, a bound device by its device_fd.",
    },
  },
  ioasAlloc: { operation: "IOAS_ALLOC", action: "make an IOAS", advice: {} },
  option: {
    operation: "OPTION",
    action: "{verb} {option}",
    advice: {
      EPERM: "Choosing who pays for pinned memory needs CAP_SYS_RESOURCE.",
      EBUSY: "It can be set only before the iommufd has any object.",
      EINVAL: "Large pages can be switched off only while no device is attached or nothing is mapped.",
      EADDRINUSE: "A mapping is not aligned to 4,096 bytes: unmap it first.",
    },
  },
  vfioIoas: {
    operation: "VFIO_IOAS",
    action: "{verb} the IOAS of VFIO's container requests",
    advice: { ENOENT: "The IOAS was disposed, or belongs to another iommu_fd." },
  },
  changeProcess: {
    operation: "IOAS_CHANGE_PROCESS",
    action: "have this process pay for pinned memory",
    advice: {
      EINVAL: "Only memory files can go to another process: unmap memory that map() or createDmaBuffer() has mapped.",
      EBUSY: "Another thread is mapping something: try again.",
      ENOMEM: MEMLOCK,
      ENOTTY: "This kernel cannot: it needs Linux 6.14 or later.",
    },
  },
  ioasPhysical: {
    operation: "IOAS_NOIOMMU_GET_PA",
    action: "look up where {length} bytes at IOVA {iova} of IOAS {#ioas} are",
    advice: {
      EOPNOTSUPP:
        "Only memory of a device without an IOMMU has physical addresses to give: attach one, before any device with an IOMMU, on a kernel with " +
        "CONFIG_IOMMUFD_NOIOMMU. Other devices need none, as they go by I/O addresses.",
      EPERM: "Physical addresses need CAP_SYS_RAWIO.",
      ENOENT: "Nothing is mapped at the first address.",
      EINVAL: "The length is 0, or the memory was taken away by its owner.",
      EOVERFLOW: "The address is the last one there is.",
      ENOTTY: "This kernel cannot: it needs Linux 7.3 or later.",
    },
  },
  // Address spaces.
  ioasMap: { operation: "IOAS_MAP", action: "map {length} bytes at {address}[ to IOVA {iova}] in IOAS {#ioas}", advice: MAPPING },
  ioasMapFile: {
    operation: "IOAS_MAP_FILE",
    action: "map {length} bytes from {start} of file {#fd}[ to IOVA {iova}] into IOAS {#ioas}",
    advice: {
      ...MAPPING,
      EINVAL: "The range must lie in the file, in whole pages, and suit the IOAS: see its ranges and alignment.",
      EBADF: "The file is closed.",
      ENODEV:
        "The device has taken the memory back: it does not answer to memory accesses, or its device_fd was closed. Switch its memory on, or export anew.",
      EOPNOTSUPP: "Of dma-bufs an IOAS maps those of PCI devices with VFIO alone, of one range.",
      ENOTTY: "This kernel maps no files: it needs Linux 6.13 or later.",
    },
  },
  ioasUnmap: {
    operation: "IOAS_UNMAP",
    action: "unmap {length} bytes at IOVA {iova} of IOAS {#ioas}",
    advice: {
      ENOENT: "Only whole mappings can be unmapped, and the range holds none, or cuts one.",
      EINVAL: "The length is 0.",
      EOVERFLOW: "IOVA plus length must stay below 2^64; unmapAll takes everything.",
      EBUSY: "A hardware queue uses the memory: destroy it first.",
      EDEADLK: "A user of the memory in the kernel does not let go of it.",
    },
  },
  ioasCopy: {
    operation: "IOAS_COPY",
    action: "copy the mapping of {length} bytes at IOVA {sourceIova} of IOAS {#source}[ to IOVA {iova}] into IOAS {#ioas}",
    advice: {
      ...MAPPING,
      EINVAL: `Length and IOVA must suit the IOAS: see its ranges and alignment. ${NEITHER}`,
      ENOENT: "The source must be mapped without a gap over the whole range, and both IOASes must exist.",
      EPERM: "The source may not be written by devices: copy it with write: false.",
    },
  },
  ioasRanges: { operation: "IOAS_IOVA_RANGES", action: "list the ranges of IOAS {#ioas}", advice: { ENOENT: IOAS_GONE } },
  ioasAllow: {
    operation: "IOAS_ALLOW_IOVAS",
    action: "allow {#count} ranges in IOAS {#ioas}",
    advice: {
      EINVAL: "Each range needs start below last, and no two may overlap.",
      EADDRINUSE: "A range touches addresses that an attached device reserves: see the ranges of the IOAS.",
      ENOENT: IOAS_GONE,
    },
  },
  faultQueueAlloc: {
    operation: "FAULT_QUEUE_ALLOC",
    action: "make a queue of page faults",
    advice: { ENOTTY: "This kernel has no page faults for programs: it needs Linux 6.11 or later." },
  },
  faultRead: {
    operation: "read",
    action: "read page faults of queue {#queue}",
    advice: {},
  },
  faultRespond: { operation: "write", action: "answer group {#cookie} of fault queue {#queue}", advice: {} },
  faultWait: { operation: "wait", action: "wait for page faults of queue {#queue}", advice: {} },
  hwptAlloc: {
    operation: "HWPT_ALLOC",
    action: "make a page table of IOAS {#ioas} for device {#device}",
    advice: {
      EOPNOTSUPP: "The device's IOMMU lacks what is asked for: see hwInfo().",
      ENOENT: "The device is not bound any more.",
      EINVAL: "The IOAS does not exist any more, or the device's IOMMU cannot use it.",
      EADDRINUSE: "A mapping or allowed range lies where the device reserves addresses, or where its IOMMU translates none.",
      ENOMEM: MEMLOCK,
      EFAULT: MAPPING.EFAULT,
    },
  },
  hwptNest: {
    operation: "HWPT_ALLOC",
    action: "make a page table on top of page table {#parent} for device {#device}",
    advice: {
      EOPNOTSUPP: "The device's IOMMU does not nest page tables, or takes no tables of this kind: see hwInfo().",
      ENOENT: "The device is not bound any more.",
      EINVAL: "The page table below must have been made with nestParent, for the same IOMMU.",
    },
  },
  hwptInvalidate: {
    operation: "HWPT_INVALIDATE",
    action: "invalidate {#count} ranges of object {#object}",
    advice: {
      EINVAL: "Addresses are multiples of 4,096; all pages are given with address 0. The ranges before the wrong one were invalidated.",
      EOPNOTSUPP: "The page table's IOMMU cannot be told, or not in this way.",
      ENOENT: "The page table or virtual IOMMU does not exist any more.",
    },
  },
  viommuAlloc: {
    operation: "VIOMMU_ALLOC",
    action: "make a virtual IOMMU of type {type} on page table {#parent} for device {#device}",
    advice: {
      EOPNOTSUPP:
        "The driver of the device's IOMMU knows no virtual IOMMU of this type. Linux has them for SMMUv3; VT-d and AMD nest without.",
      ENOTTY: "This kernel has no virtual IOMMUs: it needs Linux 6.13 or later.",
      ENOENT: "The device is not bound any more, or the page table does not exist any more.",
      EINVAL: "The page table must have been made with nestParent, for the same IOMMU, and the data be of the length that the type has.",
    },
  },
  vdeviceAlloc: {
    operation: "VDEVICE_ALLOC",
    action: "make device {#device} known to virtual IOMMU {#viommu} as {virtualId}",
    advice: {
      EEXIST: "The device has a virtual device already, or the number is another device's: dispose that virtual device first.",
      EINVAL: "The device is behind another IOMMU than the virtual one.",
      ENOENT: "The device is not bound any more, or the virtual IOMMU does not exist any more.",
    },
  },
  eventQueueAlloc: {
    operation: "VEVENTQ_ALLOC",
    action: "make a queue of {#depth} events of type {type} for virtual IOMMU {#viommu}",
    advice: {
      EEXIST: "The virtual IOMMU has a queue of this type already.",
      EOPNOTSUPP: "The driver of the IOMMU reports no events of this type.",
      ENOTTY: "This kernel has no queues of events: it needs Linux 6.15 or later.",
      ENOENT: "The virtual IOMMU does not exist any more.",
    },
  },
  hwQueueAlloc: {
    operation: "HW_QUEUE_ALLOC",
    action: "make {length} bytes at IOVA {iova} queue {#index} of type {type} of virtual IOMMU {#viommu}",
    advice: {
      EOPNOTSUPP: "The driver of the IOMMU has no queues of this type. Linux has them for Tegra's extension of SMMUv3.",
      ENOENT: "The memory is not mapped in the nesting parent's IOAS, or the virtual IOMMU does not exist any more.",
      EFAULT: "The memory does not follow each other in RAM: use a huge page, as createDmaBuffer does with pageSize.",
      EEXIST: "The virtual IOMMU has a queue of this index already.",
      EIO: "Queues are made in the order of their indices: the one before is missing.",
      EINVAL: "There are not so many queues, or the length is 0.",
      EADDRINUSE: "The IOAS has mappings that are no whole pages.",
      EPERM: "The memory is mapped for reading alone.",
      ENOTTY: "This kernel has no such queues: it needs Linux 6.17 or later.",
      ENOMEM: MEMLOCK,
    },
  },
  eventRead: {
    operation: "read",
    action: "read events of queue {#queue}",
    advice: { EINVAL: "The events are longer than was said: eventLength must be that of the type." },
  },
  eventWait: { operation: "wait", action: "wait for events of queue {#queue}", advice: {} },
  dirtyTracking: {
    operation: "HWPT_SET_DIRTY_TRACKING",
    action: "set dirty tracking of page table {#hwpt}",
    advice: {
      EOPNOTSUPP: "The page table's IOMMU cannot track what is written to.",
      ENOENT: "The page table does not exist any more.",
    },
  },
  dirtyBitmap: {
    operation: "HWPT_GET_DIRTY_BITMAP",
    action: "read which pages of {length} bytes at IOVA {iova} were written to through page table {#hwpt}",
    advice: {
      EOPNOTSUPP: "The page table's IOMMU cannot track what is written to.",
      EINVAL: "The range must be of whole pages of the IOAS: its ranges tell their size.",
      EOVERFLOW: "The range ends beyond 2^64.",
      ENOENT: "The page table does not exist any more.",
    },
  },
  // Devices.
  exportDmaBuf: {
    operation: "DMA_BUF",
    action: "export {length} bytes at {offset} of region {#region} of {device}",
    advice: {
      ENODEV: "Only a BAR that the device has can be exported.",
      EINVAL: "Offset and length must be of whole pages of 4096 bytes, in the region.",
      ENOTTY: "This kernel or the driver of the device exports no BARs: that needs Linux 6.19 or later, with CONFIG_VFIO_PCI_DMABUF.",
    },
  },
  dmaLogStart: {
    operation: "DMA_LOGGING_START",
    action: "start a log of what {device} writes to {#count} ranges",
    advice: {
      ENOTTY: "Its driver keeps no log, as vfio-pci: a page table made with dirtyTracking tells the same.",
      EINVAL: "The device keeps a log already, or ranges overlap or are not of whole pages.",
      EOVERFLOW: "A range ends beyond 2^64.",
    },
  },
  dmaLogStop: { operation: "DMA_LOGGING_STOP", action: "stop the log of what {device} writes", advice: {} },
  dmaLogReport: {
    operation: "DMA_LOGGING_REPORT",
    action: "read what {device} wrote to {length} bytes at IOVA {iova}",
    advice: {
      EINVAL: "The device keeps no log any more. Take all memory for written to.",
      EOVERFLOW: "The range ends beyond 2^64.",
    },
  },
  openDevice: {
    operation: "open",
    action: "open {path}[ ({device})]",
    advice: {
      EBUSY: "Only one fd may be open for a device: another program, or another DeviceFd of this one, has it. Close that first.",
      EACCES: "Give the user access to the file, for example by chown or a udev rule.",
      EPERM: "Give the user access to the file, for example by chown or a udev rule.",
      ENOENT: "The device is gone, or its driver is no longer vfio-pci.",
      ENODEV: "The device is gone, or its driver is no longer vfio-pci.",
      ENXIO: "The node is of a device that is gone: look for the present one in /dev/vfio/devices.",
    },
  },
  findDevice: { operation: "open", action: "open {device}", advice: {} },
  bind: {
    operation: "DEVICE_BIND_IOMMUFD",
    action: "bind {device} to iommufd {#iommufd}",
    advice: {
      EAGAIN: "The kernel takes the device away, or another reset of it is going on.",
      EPERM: "Its IOMMU group belongs to another iommufd, or a driver of the kernel has a device of the group.",
      EBUSY: "The group is in use by another interface of the kernel, for example an open /dev/vfio group.",
      EINVAL: "The device is bound already, through this or another fd, or its DMA is not coherent with the processor's caches.",
      ENODEV: "The device has no IOMMU group: switch the IOMMU on (firmware settings, intel_iommu=on or amd_iommu=on).",
      EBADF: "The iommufd is closed.",
      EBADFD: "What was given is no iommufd.",
      EACCES: "It is a virtual function, and the program that has its physical function demands a token.",
    },
  },
  label: {
    operation: "SIMULATED_DEVICE_SET_LABEL",
    action: "give {device} the label {label}",
    advice: {},
  },
  attach: {
    operation: "DEVICE_ATTACH_IOMMUFD_PT",
    action: "attach {device}{requests} to {target}",
    advice: {
      EINVAL:
        "Devices that the IOMMU cannot tell apart, or all of a group on Linux, must use the same page table: detach the others first. A page table must fit the device's IOMMU; with PASIDs each must be made for them.",
      EADDRINUSE: "A mapping or allowed range lies where the device reserves addresses, or where its IOMMU translates none: see ranges.",
      ENOENT: "The target does not exist any more in this iommufd.",
      ENOMEM: MEMLOCK,
      EFAULT: "Memory that the IOAS maps is not there in this process, or may not be written.",
      EBUSY: "The device's IOMMU is busy with another domain.",
    },
  },
  detach: { operation: "DEVICE_DETACH_IOMMUFD_PT", action: "detach {device}{requests}", advice: {} },
  deviceInfo: { operation: "DEVICE_GET_INFO", action: "describe {device}", advice: {} },
  hwInfo: {
    operation: "GET_HW_INFO",
    action: "describe the IOMMU of device {#device}",
    advice: { ENOENT: "The device is not bound any more.", EOPNOTSUPP: "The IOMMU's driver tells nothing about it." },
  },
  reset: {
    operation: "DEVICE_RESET",
    action: "reset {device}",
    advice: {
      ENOTTY: "The device cannot be reset alone: info.canReset says so beforehand.",
      EINVAL: "The device cannot be reset alone: info.canReset says so beforehand.",
      EAGAIN: 'Another reset is going on: try again. Or the kernel takes the device away: irq("request") tells, close it then.',
    },
  },
  hotReset: {
    operation: "DEVICE_PCI_HOT_RESET",
    action: "reset the bus of {device}",
    advice: {
      ENODEV: "The device is on a bus that cannot be reset, as the root bus: reset() may reset the device alone.",
      EINVAL: "Not all functions on the bus are this iommufd's: hotResetDevices() lists them. Bind them to it, and let vfio-pci have them.",
      EAGAIN: "Another reset is going on, or the kernel takes away a device on the bus: try again.",
      EBUSY: "The memory of a device on the bus is in use: try again.",
    },
  },
  hotResetInfo: {
    operation: "DEVICE_GET_PCI_HOT_RESET_INFO",
    action: "list what a hot reset of {device} resets",
    advice: { ENODEV: "The device is on a bus that cannot be reset, as the root bus." },
  },
  regionInfo: {
    operation: "DEVICE_GET_REGION_INFO",
    action: "describe region {#region} of {device}",
    advice: { EINVAL: "The device has no such region: indices are below info.regions, and 8 is there for VGA devices only." },
  },
  pread: {
    operation: "pread",
    action: "read {#width} bytes at {offset} of region {#region} of {device}",
    advice: {
      EIO: "The device answers no accesses: switch memory on in its command register (bit 1), and wake it from D3hot.",
      EINVAL: "The region cannot be read so: its flags and size say what it takes.",
    },
  },
  pwrite: {
    operation: "pwrite",
    action: "write {#width} bytes at {offset} of region {#region} of {device}",
    advice: {
      EIO: "The device answers no accesses: switch memory on in its command register (bit 1), and wake it from D3hot.",
      EINVAL: "The region cannot be written so: its flags and size say what it takes.",
    },
  },
  irqInfo: { operation: "DEVICE_GET_IRQ_INFO", action: "describe the {irq} interrupts of {device}", advice: {} },
  setIrqs: {
    operation: "DEVICE_SET_IRQS",
    action: "{verb} {irq} interrupts of {device}",
    advice: {
      EINVAL: "The vectors must be enabled first, and only one of intx, msi and msix can be at a time.",
      ENOTTY: "The kernel masks intx only: mask message interrupts in the device.",
      EBADF: "An eventfd was closed.",
      ENOSPC:
        "The system has no interrupt vectors left: enable fewer. Where the IOMMU translates interrupts, as on Arm: attach the device first.",
      EBUSY: "Another driver uses the interrupt.",
      ERANGE: "At least one vector is needed.",
    },
  },
  // System calls, and waiting.
  close: { operation: "close", action: "close {what}", advice: {} },
  mmap: {
    operation: "mmap",
    action: "get {length} bytes of memory",
    advice: { ENOMEM: "The machine has no memory left for it: dispose buffers, or ask for less." },
  },
  munmap: { operation: "munmap", action: "give back {length} bytes of memory at {address}", advice: {} },
  memfd: { operation: "memfd", action: 'make the memory file "{name}" of {length} bytes', advice: {} },
  eventfd: { operation: "eventfd", action: "make an eventfd for vector {#vector}", advice: {} },
  read: { operation: "read", action: "read the eventfd of vector {#vector}", advice: {} },
  wait: { operation: "wait", action: "wait for an interrupt of vector {#vector}", advice: {} },
  poll: {
    operation: "poll",
    action: "wait longer: nothing happened within {#timeout} ms",
    advice: { ETIMEDOUT: "The device may be stuck: check its status, reset it, or allow more time." },
  },
  list: { operation: "list", action: "list {path}", advice: {} },
  readFile: { operation: "readFile", action: "read {path}", advice: {} },
  pool: {
    operation: "take",
    action: "take a piece of {#size} bytes: all {#count} are taken",
    advice: { ENOMEM: "Dispose pieces that are no longer needed, or make a larger pool." },
  },
};
