/**
 * Which PCI devices the machine has, from /sys.
 *
 * @module
 */
import type { Kernel } from "../../uapi/kernel.ts";
import type { IovaRange } from "../iova_ranges.ts";
import { isNoIommu, nodeOf } from "./node.ts";
import { linkName, listNames, PCI_DEVICES, readText } from "./sysfs.ts";

/** I/O addresses that a group's devices cannot use, and why. */
export interface ReservedRange extends IovaRange {
  /** "direct", "direct-relaxable", "reserved" or "msi". */
  readonly kind: string;
}

/** A PCI device. */
export interface PciDevice {
  /** "0000:00:04.0". */
  readonly address: string;
  /** Vendor, 16 bits. */
  readonly vendor: number;
  /** Device, 16 bits. */
  readonly device: number;
  /** Vendor of the subsystem, 16 bits. */
  readonly subsystemVendor: number;
  /** The subsystem, 16 bits. */
  readonly subsystem: number;
  /** Base class, subclass and programming interface: 24 bits. */
  readonly classCode: number;
  /** Revision, 8 bits. */
  readonly revision: number;
  /** The driver that has it; undefined: none. */
  readonly driver: string | undefined;
  /** Its IOMMU group; undefined: the IOMMU does not translate for it. */
  readonly group: number | undefined;
  /** The IOMMU that translates for it, by its name in /sys/class/iommu ("dmar0", "ivhd0"); undefined: none. */
  readonly iommu: string | undefined;
  /** NUMA node; undefined: unknown, or there is but one. */
  readonly numaNode: number | undefined;
  /** What {@linkcode DeviceFd.open} opens; undefined: no program can, since vfio-pci does not have it. */
  readonly node: string | undefined;
  /**
   * Whether the node is that of a device without an IOMMU, which vfio-pci gives out in its unsafe mode: it reads and writes all of the machine's memory,
   * whoever drives it. {@linkcode DeviceOpenOptions.unsafeNoIommu} opens it.
   */
  readonly noIommu: boolean;
  /** I/O addresses that its group cannot use. */
  readonly reserved: readonly ReservedRange[];
}

/** All PCI devices, bridges included, by address. @throws {IommuError} if /sys cannot be read */
export function listDevices(kernel: Kernel): PciDevice[] {
  return (listNames(kernel, PCI_DEVICES) ?? []).sort().map((address) => readDevice(kernel, address));
}

function readDevice(kernel: Kernel, address: string): PciDevice {
  const home = `${PCI_DEVICES}/${address}`;
  const number = (name: string) => Number(readText(kernel, `${home}/${name}`) ?? 0);
  const node = nodeOf(kernel, address);
  const noIommu = node !== undefined && isNoIommu(node);
  // For such a device VFIO makes a group of its own, in which nothing isolates it.
  const group = noIommu ? undefined : linkName(kernel, `${home}/iommu_group`);
  const numaNode = number("numa_node");
  return {
    address,
    vendor: number("vendor"),
    device: number("device"),
    subsystemVendor: number("subsystem_vendor"),
    subsystem: number("subsystem_device"),
    classCode: number("class"),
    revision: number("revision"),
    driver: linkName(kernel, `${home}/driver`),
    group: group === undefined ? undefined : Number(group),
    iommu: linkName(kernel, `${home}/iommu`),
    numaNode: numaNode < 0 ? undefined : numaNode,
    node,
    noIommu,
    reserved: parseReserved(readText(kernel, `${home}/iommu_group/reserved_regions`) ?? ""),
  };
}

/** Lines of "0x… 0x… kind". */
function parseReserved(text: string): ReservedRange[] {
  return text.split("\n").filter((line) => line !== "").map((line) => {
    const [start, last, kind] = line.split(/\s+/);
    return { start: BigInt(start!), last: BigInt(last!), kind: kind ?? "reserved" };
  });
}
