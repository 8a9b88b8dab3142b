/**
 * The IOMMU group of a device: who is in it, which drivers they have, and which addresses the group reserves.
 *
 * @module
 */
import type { Kernel } from "../../uapi/kernel.ts";
import { linkName, PCI_DEVICES } from "../pci/sysfs.ts";
import { listNames, readLink, readText } from "./facts.ts";

/** Drivers that leave DMA alone, so that a group with them can be handed to a program. */
const HARMLESS = ["vfio-pci", "pci-stub", "pcieport"];

/** A device of a group. */
export interface GroupMember {
  /** PCI address. */
  readonly address: string;
  /** Its driver; undefined: none. */
  readonly driver: string | undefined;
  /** Whether the driver keeps the whole group from programs. */
  readonly blocks: boolean;
  /** Its node, if it has one. */
  readonly node: string | undefined;
}

/** An IOMMU group. */
export interface Group {
  /** Its number. */
  readonly number: string;
  /** Its devices. */
  readonly members: readonly GroupMember[];
}

/** I/O addresses that a group keeps for itself. */
export interface Reserved {
  /** First. */
  readonly start: bigint;
  /** Last, inclusive. */
  readonly last: bigint;
  /** Why: "msi", "direct", "reserved". */
  readonly kind: string;
}

/** The PCI address of a device by its node; undefined if it cannot be told. */
export function addressOf(kernel: Kernel, node: string): string | undefined {
  // …/0000:00:04.0/vfio-dev/vfio0
  return readLink(kernel, `/sys/class/vfio-dev/${node.split("/").at(-1)}`)?.split("/").at(-3);
}

/** The group of a device; undefined if it has none. */
export function groupOf(kernel: Kernel, address: string): Group | undefined {
  const number = linkName(kernel, `${PCI_DEVICES}/${address}/iommu_group`);
  if (number === undefined) return undefined;
  return { number, members: listNames(kernel, `/sys/kernel/iommu_groups/${number}/devices`).map((name) => readMember(kernel, name)) };
}

function readMember(kernel: Kernel, address: string): GroupMember {
  const driver = linkName(kernel, `${PCI_DEVICES}/${address}/driver`);
  // Drivers of one device's own, made on top of VFIO, are known by the node that they make.
  const name = listNames(kernel, `${PCI_DEVICES}/${address}/vfio-dev`)[0];
  const node = name === undefined ? undefined : `/dev/vfio/devices/${name}`;
  return { address, driver, node, blocks: driver !== undefined && !HARMLESS.includes(driver) && node === undefined };
}

/** What the group of a device reserves. Ranges that the kernel gives up for programs ("direct-relaxable") are left out. */
export function reservedOf(kernel: Kernel, address: string): Reserved[] {
  const lines = readText(kernel, `${PCI_DEVICES}/${address}/iommu_group/reserved_regions`)?.split("\n") ?? [];
  return lines.map((line) => line.split(/\s+/)).filter(([start, last, kind]) => start && last && kind !== "direct-relaxable")
    .map(([start, last, kind]) => ({ start: BigInt(start!), last: BigInt(last!), kind: kind ?? "reserved" }));
}
