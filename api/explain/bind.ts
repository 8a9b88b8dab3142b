/**
 * Why a device could not be bound: its group's owner, a sibling's driver, interrupts that the device could forge, or this or another fd.
 *
 * @module
 */
import { ERRNO } from "../../uapi/errno.ts";
import type { Kernel } from "../../uapi/kernel.ts";
import { type OpenDevice, openDevices } from "../open_devices.ts";
import { guess, readText } from "./facts.ts";
import { addressOf, type Group, groupOf } from "./group.ts";
import { isType1 } from "./type1.ts";
import { nameHolder, otherHolder } from "./processes.ts";

/** Where root may accept that devices can forge interrupts: each interface has a setting of its own. */
function unsafeInterrupts(kernel: Kernel): string {
  return `/sys/module/${isType1(kernel) ? "vfio_iommu_type1" : "iommufd"}/parameters/allow_unsafe_interrupts`;
}

/** What to say of a bind that answered `result`; undefined if the machine tells nothing better than the table. */
export function explainBind(kernel: Kernel, result: number, device: OpenDevice): string | undefined {
  const explain = EXPLANATIONS[-result];
  return explain && guess(() => explain(kernel, device));
}

const EXPLANATIONS: Readonly<Record<number, (kernel: Kernel, device: OpenDevice) => string | undefined>> = {
  [ERRNO.EPERM]: notOwned,
  [ERRNO.EINVAL]: notBindable,
  [ERRNO.EACCES]: noRights,
  [ERRNO.EBUSY]: groupInUse,
  [ERRNO.ENODEV]: noGroup,
};

function find(kernel: Kernel, { address, node }: OpenDevice): Group | undefined {
  const known = address ?? (node && addressOf(kernel, node));
  return known === undefined ? undefined : groupOf(kernel, known);
}

/** The kernel looks at interrupts first, then at drivers, then at the owner; a driver is what can be told for certain. */
function notOwned(kernel: Kernel, device: OpenDevice): string | undefined {
  const group = find(kernel, device);
  if (group === undefined) return undefined;
  const blocker = group.members.find(({ blocks }) => blocks);
  if (blocker !== undefined) {
    const { address, driver } = blocker;
    return `The kernel's driver ${driver} has ${address}, which is in IOMMU group ${group.number} too. If nothing uses that device, take it ` +
      `away as root: echo ${address} > /sys/bus/pci/devices/${address}/driver/unbind`;
  }
  const nodes = group.members.flatMap(({ node }) => node ?? []);
  const own = [...openDevices(kernel)].find(({ node, boundTo }) => boundTo !== undefined && node !== undefined && nodes.includes(node));
  if (own !== undefined) {
    return `${
      own.address ?? own.node
    } is in IOMMU group ${group.number} too, and this program has bound it to iommufd ${own.boundTo}: a group ` +
      "has one owner, so bind both to the same.";
  }
  const holder = otherHolder(kernel, [...nodes, `/dev/vfio/${group.number}`]);
  if (holder !== undefined) return `IOMMU group ${group.number} belongs to ${nameHolder(holder)}, which has ${holder.path} open.`;
  if (interruptsAreOpen(kernel)) {
    return "Interrupt remapping is off, so the device could forge interrupts of others: switch it on in the firmware, or accept that as root: " +
      `echo 1 > ${unsafeInterrupts(kernel)}`;
  }
  return `No driver of the kernel is in the way in IOMMU group ${group.number}, so another iommufd owns it: of this program, or of a process ` +
    "that root alone can see.";
}

/** Only x86 shows it: where interrupts are remapped, the names of their controllers say so. */
function interruptsAreOpen(kernel: Kernel): boolean {
  if (readText(kernel, unsafeInterrupts(kernel)) === "Y") return false;
  const interrupts = readText(kernel, "/proc/interrupts");
  return interrupts !== undefined && interrupts.includes("IO-APIC") && !interrupts.includes("IR-");
}

function notBindable(kernel: Kernel, device: OpenDevice): string | undefined {
  if (device.boundTo !== undefined) {
    return `This fd is bound already, to iommufd ${device.boundTo}: use what bind() returned then. Only closing it undoes that.`;
  }
  if (device.node === undefined) return undefined;
  const other = [...openDevices(kernel)].find(({ node, boundTo }) => node === device.node && boundTo !== undefined);
  if (other !== undefined) return `This program has bound the device already, through fd ${other.fd}: use or close that.`;
  const holder = otherHolder(kernel, [device.node]);
  if (holder !== undefined) return `The device is open in ${nameHolder(holder)}, which has bound it.`;
  return undefined;
}

function groupInUse(kernel: Kernel, device: OpenDevice): string | undefined {
  const group = find(kernel, device);
  if (group === undefined) return undefined;
  const path = `/dev/vfio/${group.number}`;
  const holder = otherHolder(kernel, [path]);
  if (holder === undefined) {
    return `IOMMU group ${group.number} is in use by VFIO's older interface: whoever has ${path} open must close it.`;
  }
  return `IOMMU group ${group.number} is in use by VFIO's older interface: ${nameHolder(holder)} has ${path} open.`;
}

/** Only VFIO's older interface opens a file to bind. */
function noRights(kernel: Kernel, device: OpenDevice): string | undefined {
  const group = isType1(kernel) ? find(kernel, device) : undefined;
  return group && `The program may not open the file of the device's IOMMU group, /dev/vfio/${group.number}. As root: ` +
      `chown USER /dev/vfio/${group.number} until the next boot, or for good a udev rule with SUBSYSTEM=="vfio", OWNER="USER"`;
}

function noGroup(kernel: Kernel, device: OpenDevice): string | undefined {
  const group = find(kernel, device);
  return group && `IOMMU group ${group.number} is there, so the device itself is gone: it was removed, or its driver was.`;
}
