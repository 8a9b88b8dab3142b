/**
 * Nodes of devices, which a kernel without iommufd does not make: they appear below /sys and /dev as one with iommufd shows them.
 *
 * @module
 */
import { ERRNO } from "../../../uapi/errno.ts";
import type { Kernel } from "../../../uapi/kernel.ts";

const PCI_DEVICES = "/sys/bus/pci/devices";
const NODES = "/dev/vfio/devices";
const OWN_FOLDER = /^\/sys\/bus\/pci\/devices\/([^/]+)(?:\/(vfio-dev))?$/;
const NODE = /^\/dev\/vfio\/devices\/(vfio\d+)$/;
/** The drivers that give devices to programs: vfio-pci and those made from it for one device ("mlx5_vfio_pci"). */
const DRIVER = /(^|[-_])vfio[-_]pci$/;

/** The last part of where a link leads; undefined if there is no such link. */
export function linkName(kernel: Kernel, path: string): string | undefined {
  const target = kernel.readlink(path);
  return typeof target === "string" ? target.split("/").at(-1) : undefined;
}

/** See the module. */
export class Nodes {
  #kernel: Kernel;
  /** Names that were given because the kernel below has none (before Linux 6.1): stable for as long as this lives. */
  #given = new Map<string, string>();

  /** For the devices of a kernel. */
  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  /** The PCI address of the device that a path is the node of; undefined: it is no such path, or no device has it. −errno: that cannot be told. */
  addressOf(path: string): string | number | undefined {
    const name = NODE.exec(path)?.[1];
    if (name === undefined) return undefined;
    const addresses = this.#kernel.list(PCI_DEVICES);
    if (typeof addresses === "number") return addresses;
    for (const address of addresses) {
      const found = this.#nameOf(address);
      if (found === name) return address;
      if (typeof found === "number") return found;
    }
    return undefined;
  }

  /** As {@linkcode Kernel.list}. */
  list(path: string): string[] | number {
    const below = this.#kernel.list(path);
    if (path === NODES) return this.#names();
    if (path === "/dev/vfio" && typeof below !== "number") return [...new Set([...below, "devices"])];
    if (path === "/dev" && typeof below !== "number") return [...new Set([...below, "iommu"])];
    const [, address, folder] = OWN_FOLDER.exec(path) ?? [];
    if (address === undefined) return below;
    // Devices of another kind of driver are not given to programs, whatever the kernel below shows.
    const name = this.#nameOf(address);
    if (typeof name === "number") return name;
    if (folder !== undefined) return name === undefined ? (typeof below === "number" ? below : -ERRNO.ENOENT) : [name];
    if (typeof below === "number" || name === undefined) return below;
    return [...new Set([...below, "vfio-dev"])];
  }

  #names(): string[] | number {
    const addresses = this.#kernel.list(PCI_DEVICES);
    if (typeof addresses === "number") return addresses;
    const names = addresses.sort().map((address) => this.#nameOf(address));
    return names.find((name) => typeof name === "number") ?? names.filter((name) => typeof name === "string");
  }

  /** "vfio3" for a device that programs may have. −errno: what the kernel below calls it cannot be told. */
  #nameOf(address: string): string | number | undefined {
    const driver = linkName(this.#kernel, `${PCI_DEVICES}/${address}/driver`);
    if (driver === undefined || !DRIVER.test(driver)) return undefined;
    const names = this.#kernel.list(`${PCI_DEVICES}/${address}/vfio-dev`);
    if (typeof names === "number" && names !== -ERRNO.ENOENT) return names;
    if (typeof names !== "number" && names[0] !== undefined) return names[0];
    const given = this.#given.get(address) ?? `vfio${this.#given.size}`;
    this.#given.set(address, given);
    return given;
  }
}
