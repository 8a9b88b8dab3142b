/**
 * Renders /sys and /dev as Linux shows PCI devices, IOMMU groups and VFIO devices.
 *
 * The renderer takes plain data and knows nothing of the simulated machine: a backend of another kind uses it for its own devices.
 * Formats: Documentation/ABI/testing/sysfs-bus-pci, sysfs-kernel-iommu_groups and sysfs-devices-vfio-dev of Linux.
 *
 * @module
 */
import { type FileContent, FileTree } from "./file_tree.ts";

/** One PCI function for {@linkcode renderSysfs}. */
export interface SysfsDevice {
  /** "0000:00:04.0". */
  readonly address: string;
  /** The address of the bridge above; undefined on a root bus. */
  readonly parent?: string | undefined;
  /** 16 bits. */
  readonly vendor: number;
  /** 16 bits. */
  readonly device: number;
  /** 24 bits. */
  readonly classCode: number;
  /** 8 bits. */
  readonly revision: number;
  /** 16 bits. */
  readonly subsystemVendor: number;
  /** 16 bits. */
  readonly subsystem: number;
  /** NUMA node, or −1. */
  readonly numaNode: number;
  /** Configuration space: 64, 256 or 4,096 bytes. */
  readonly config: FileContent;
  /** Memory windows by BAR index: BARs 0 to 5, then the expansion ROM. Missing ones are shown as zeros. */
  readonly resources: readonly (SysfsResource | undefined)[];
  /** Bound driver, or null. */
  readonly driver: string | null;
  /** The driver lets it go: its links are gone, and it is still there. Default: false. */
  readonly isLeaving?: boolean;
  /** The IOMMU group; undefined without an IOMMU. */
  readonly group?: number | undefined;
  /** What the IOMMU tells it from others of its group by; undefined where the whole group shares its page tables. Not of Linux. */
  readonly requester?: number | undefined;
  /** N of /dev/vfio/devices/vfioN; undefined where no program can open the device. */
  readonly vfio?: number | undefined;
  /** It has no IOMMU and is given out all the same: its node is noiommu-vfioN. Default: false. */
  readonly noIommu?: boolean;
  /** Ways to reset the function, as the kernel names them: "flr", "af_flr", "bus". */
  readonly resetMethods: readonly string[];
}

/** A window of a device in the physical address space. */
export interface SysfsResource {
  /** First address. */
  readonly start: bigint;
  /** Last address, inclusive. */
  readonly last: bigint;
  /** Flags of the kernel's struct resource: 0x200 memory, 0x2000 prefetchable, 0x100000 64-bit, 0x40000 aligned to its size. */
  readonly flags: number;
}

/** An IOMMU group for {@linkcode renderSysfs}. */
export interface SysfsGroup {
  /** From 0. */
  readonly number: number;
  /** The default domain: "DMA", "DMA-FQ" or "identity". */
  readonly type: string;
  /** Reserved ranges of the members, in any order; those that touch and are of one kind are shown as one. */
  readonly reserved: readonly { readonly start: bigint; readonly last: bigint; readonly kind: string }[];
}

/** What {@linkcode renderSysfs} renders. */
export interface SysfsDescription {
  /** All functions, bridges before what is below them. */
  readonly devices: readonly SysfsDevice[];
  /** All groups. */
  readonly groups: readonly SysfsGroup[];
  /** The IOMMU: its name ("dmar0", "ivhd0") and its attribute files by path ("intel-iommu/cap"). Without one there is no /dev/iommu. */
  readonly iommu?: { readonly name: string; readonly attributes: Readonly<Record<string, string>> };
}

/** The major number of VFIO's character devices. Dynamic in Linux; fixed here, for the same output in every run. */
const VFIO_MAJOR = 511;

/** Render /sys and /dev. */
export function renderSysfs(description: SysfsDescription): FileTree {
  const tree = new FileTree().directory("/sys/bus/pci/devices").directory("/sys/bus/pci/drivers").directory("/sys/kernel/iommu_groups");
  tree.directory("/sys/class/iommu").directory("/sys/class/vfio-dev").directory("/dev");
  const homes = new Map<string, string>();
  for (const device of description.devices) {
    const parent = device.parent === undefined ? `/sys/devices/pci${device.address.slice(0, 7)}` : homes.get(device.parent);
    if (parent === undefined) throw new RangeError(`Cannot render ${device.address}: its bridge ${device.parent} must come before it`);
    homes.set(device.address, `${parent}/${device.address}`);
  }
  for (const group of description.groups) renderGroup(tree, group);
  for (const device of description.devices) renderDevice(tree, homes.get(device.address)!, device);
  if (description.iommu !== undefined) renderIommu(tree, description, homes);
  return tree;
}

function renderDevice(tree: FileTree, home: string, device: SysfsDevice): void {
  const number = (value: number, digits: number) => `0x${hex(value, digits)}\n`;
  tree.file(`${home}/vendor`, number(device.vendor, 4)).file(`${home}/device`, number(device.device, 4));
  tree.file(`${home}/class`, number(device.classCode, 6)).file(`${home}/revision`, number(device.revision, 2));
  tree.file(`${home}/subsystem_vendor`, number(device.subsystemVendor, 4)).file(`${home}/subsystem_device`, number(device.subsystem, 4));
  tree.file(`${home}/numa_node`, `${device.numaNode}\n`).file(`${home}/config`, device.config);
  tree.file(`${home}/resource`, resourceText(device)).file(`${home}/modalias`, `${modalias(device)}\n`).file(
    `${home}/uevent`,
    uevent(device),
  );
  tree.file(`${home}/enable`, device.driver === null ? "0\n" : "1\n");
  if (device.resetMethods.length > 0) tree.file(`${home}/reset_method`, `${device.resetMethods.join(" ")}\n`);
  tree.link(`${home}/subsystem`, "/sys/bus/pci").link(`/sys/bus/pci/devices/${device.address}`, home);
  if (device.driver !== null && device.isLeaving !== true) {
    const driver = `/sys/bus/pci/drivers/${device.driver}`;
    tree.link(`${driver}/${device.address}`, home).link(`${home}/driver`, driver);
  }
  if (device.requester !== undefined) tree.file(`${home}/iommu_requester`, number(device.requester, 4));
  if (device.group !== undefined) {
    const group = `/sys/kernel/iommu_groups/${device.group}`;
    tree.link(`${group}/devices/${device.address}`, home).link(`${home}/iommu_group`, group);
  }
  if (device.vfio !== undefined) renderVfio(tree, home, device.vfio, device.noIommu);
}

/** Show that a program can open the device at `home`: its directory vfio-dev, and its node. */
export function renderVfio(tree: FileTree, home: string, number: number, noIommu = false): void {
  const name = `${noIommu ? "noiommu-" : ""}vfio${number}`;
  const directory = `${home}/vfio-dev/${name}`;
  tree.file(`${directory}/dev`, `${VFIO_MAJOR}:${number}\n`);
  tree.file(`${directory}/uevent`, `MAJOR=${VFIO_MAJOR}\nMINOR=${number}\nDEVNAME=vfio/devices/${name}\n`);
  tree.link(`${directory}/device`, home).link(`${directory}/subsystem`, "/sys/class/vfio-dev");
  tree.link(`/sys/class/vfio-dev/${name}`, directory).deviceNode(`/dev/vfio/devices/${name}`);
}

function renderGroup(tree: FileTree, group: SysfsGroup): void {
  const directory = `/sys/kernel/iommu_groups/${group.number}`;
  tree.directory(`${directory}/devices`).file(`${directory}/type`, `${group.type}\n`);
  const lines = mergeReserved(group.reserved).map(({ start, last, kind }) => `0x${hex(start, 16)} 0x${hex(last, 16)} ${kind}\n`);
  tree.file(`${directory}/reserved_regions`, lines.join(""));
}

function renderIommu(tree: FileTree, description: SysfsDescription, homes: ReadonlyMap<string, string>): void {
  const { name, attributes } = description.iommu!;
  const home = `/sys/devices/virtual/iommu/${name}`;
  tree.directory(`${home}/devices`).link(`/sys/class/iommu/${name}`, home).deviceNode("/dev/iommu");
  for (const [path, text] of Object.entries(attributes)) tree.file(`${home}/${path}`, `${text}\n`);
  for (const { address, group } of description.devices) {
    if (group === undefined) continue;
    const device = homes.get(address)!;
    tree.link(`${home}/devices/${address}`, device).link(`${device}/iommu`, home);
  }
}

/** Sorted by start; ranges of one kind that overlap become one, as `iommu_insert_resv_region` does. */
function mergeReserved(ranges: SysfsGroup["reserved"]): { start: bigint; last: bigint; kind: string }[] {
  const merged: { start: bigint; last: bigint; kind: string }[] = [];
  // Either range for interrupts has one name in Linux.
  const named = ranges.map((range) => ({ ...range, kind: range.kind === "software-msi" ? "msi" : range.kind }));
  const sorted = named.sort((one, other) => one.start < other.start ? -1 : one.start > other.start ? 1 : one.kind < other.kind ? -1 : 1);
  for (const range of sorted) {
    const same = merged.find(({ start, last, kind }) => kind === range.kind && range.start <= last + 1n && start <= range.last);
    if (same === undefined) merged.push({ ...range });
    else if (same.last < range.last) same.last = range.last;
  }
  return merged;
}

/** One line for each BAR, the ROM and, as kernels with SR-IOV have them, six for virtual functions; bridges have four windows besides. */
function resourceText(device: SysfsDevice): string {
  const lines = device.classCode >> 8 === 0x0604 ? 17 : 13;
  const line = (index: number) => {
    const { start, last, flags } = device.resources[index] ?? { start: 0n, last: 0n, flags: 0 };
    return `0x${hex(start, 16)} 0x${hex(last, 16)} 0x${hex(flags, 16)}\n`;
  };
  return Array.from({ length: lines }, (_, index) => line(index)).join("");
}

function modalias(device: SysfsDevice): string {
  const upper = (value: number, digits: number) => hex(value, digits).toUpperCase();
  const ids = `v${upper(device.vendor, 8)}d${upper(device.device, 8)}sv${upper(device.subsystemVendor, 8)}sd${upper(device.subsystem, 8)}`;
  const { classCode } = device;
  return `pci:${ids}bc${upper(classCode >> 16, 2)}sc${upper(classCode >> 8 & 0xff, 2)}i${upper(classCode & 0xff, 2)}`;
}

function uevent(device: SysfsDevice): string {
  const upper = (value: number) => hex(value, 4).toUpperCase();
  const lines = device.driver === null ? [] : [`DRIVER=${device.driver}`];
  lines.push(`PCI_CLASS=${device.classCode.toString(16).toUpperCase()}`, `PCI_ID=${upper(device.vendor)}:${upper(device.device)}`);
  lines.push(`PCI_SUBSYS_ID=${upper(device.subsystemVendor)}:${upper(device.subsystem)}`, `PCI_SLOT_NAME=${device.address}`);
  return [...lines, `MODALIAS=${modalias(device)}`, ""].join("\n");
}

function hex(value: number | bigint, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}
