/**
 * From a device's PCI address to the node that a program opens.
 *
 * @module
 */
import { ERRNO } from "../../uapi/errno.ts";
import type { Kernel } from "../../uapi/kernel.ts";
import { failed } from "../error.ts";
import { linkName, listNames, PCI_DEVICES } from "./sysfs.ts";

/** Where the nodes of devices are. */
const NODES = "/dev/vfio/devices";
/** Domain, bus, device and function; the domain may be left out. */
const ADDRESS = /^(?:([0-9a-f]{4,8}):)?([0-9a-f]{2}:[01][0-9a-f]\.[0-7])$/i;

/** How the names of nodes begin whose device has no IOMMU. */
const NO_IOMMU = "noiommu-";

/** Whether the device of a node has no IOMMU, as the kernel has it in the node's name. */
export function isNoIommu(node: string): boolean {
  return node.split("/").at(-1)!.startsWith(NO_IOMMU);
}

/** The full form of a PCI address in lower case: "0000:00:04.0"; undefined if `text` is none. */
export function normalizeAddress(text: string): string | undefined {
  const match = ADDRESS.exec(text);
  return match === null ? undefined : `${match[1] ?? "0000"}:${match[2]}`.toLowerCase();
}

/** The node of a device in /sys; undefined if it has none. */
export function nodeOf(kernel: Kernel, address: string): string | undefined {
  const name = listNames(kernel, `${PCI_DEVICES}/${address}/vfio-dev`)?.[0];
  return name === undefined ? undefined : `${NODES}/${name}`;
}

/**
 * Find the node of a device.
 *
 * @param device a PCI address, or the path of a node.
 * @throws {TypeError} if it is neither. @throws {IommuError} ENODEV, with what to do about it.
 */
export function findNode(kernel: Kernel, device: string): { readonly node: string; readonly address: string | undefined } {
  if (device.startsWith("/")) return { node: device, address: undefined };
  const address = normalizeAddress(device);
  if (address === undefined) {
    throw new TypeError(`Cannot open "${device}": a PCI address ("0000:00:04.0") or the path of a node ("${NODES}/vfio0") is needed`);
  }
  const node = nodeOf(kernel, address);
  if (node !== undefined) return { node, address };
  throw failed("findDevice", -ERRNO.ENODEV, { device: address }, whyNoNode(kernel, address));
}

function whyNoNode(kernel: Kernel, address: string): string {
  const home = `${PCI_DEVICES}/${address}`;
  if (!listNames(kernel, PCI_DEVICES)?.includes(address)) {
    return "The machine has no PCI device at this address: listDevices() tells which it has.";
  }
  if (linkName(kernel, `${home}/iommu_group`) === undefined) {
    return "The device has no IOMMU group: switch the IOMMU on (firmware settings, intel_iommu=on or amd_iommu=on). How to do without one, and what is " +
      "lost then: docs/no_iommu.md.";
  }
  const driver = linkName(kernel, `${home}/driver`);
  if (driver === "vfio-pci") {
    return "The kernel's vfio-pci makes no device nodes: it needs Linux 6.6 or later with CONFIG_VFIO_DEVICE_CDEV.";
  }
  const take = `echo vfio-pci > ${home}/driver_override; echo ${address} > /sys/bus/pci/drivers_probe`;
  if (driver === undefined) return `No driver has it. Give it to vfio-pci: ${take}`;
  return `The driver ${driver} has it. Give it to vfio-pci: echo ${address} > ${home}/driver/unbind; ${take}`;
}
