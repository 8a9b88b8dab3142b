/**
 * Devices and groups of the kernel below, as the core knows them.
 *
 * @module
 */
import { ERRNO } from "../../../uapi/errno.ts";
import type { Kernel } from "../../../uapi/kernel.ts";
import type { Container } from "./container.ts";
import { holes } from "./info.ts";
import { linkName } from "./nodes.ts";
import type { ShadowCore } from "./core.ts";
import type { AddressSpace } from "./context.ts";

/** `add_device`: viable, can be reset, coherent. The kernel below decides about the first two; without the third it has no such device. */
const DEVICE_FLAGS = 7;
/** Kind of a reserved range: not usable for DMA. */
const RESERVED = 2;
const LAST = 2n ** 64n - 1n;
const PCI_DEVICES = "/sys/bus/pci/devices";
const GROUPS = "/sys/kernel/iommu_groups";

/** An IOMMU group. */
export class Group {
  /** The kernel's number of it. */
  readonly number: string;
  /** The core's number of it. */
  readonly index: number;
  /** While a device of it is bound. */
  container: Container | undefined;
  /** Devices that are bound. */
  readonly bound: Set<Device> = new Set();
  /** Devices that are attached. */
  readonly attached: Set<Device> = new Set();
  /** What they are attached to. */
  space: AddressSpace | undefined;
  /** The page table that they were attached to last, by its id. */
  hwpt = 0;

  /** Nobody has it. */
  constructor(number: string, index: number) {
    this.number = number;
    this.index = index;
  }

  /** The last IOVA that its IOMMU translates. */
  get apertureLast(): bigint {
    return this.container?.ranges?.at(-1)?.last ?? LAST;
  }
}

/** A device of a group. */
export interface Device {
  /** PCI address. */
  readonly address: string;
  /** The core's number of it. */
  readonly index: number;
  /** Its group. */
  readonly group: Group;
  /** The ranges that the core knows to be reserved for it: "first-last". */
  readonly reserved: Set<string>;
}

/** See the module. The core is told of a group when a device of it is opened for the first time. */
export class Devices {
  #kernel: Kernel;
  #core: ShadowCore;
  #groups = new Map<string, Group>();
  /** By group and address: a device that was plugged in again may be in another group. */
  #devices = new Map<string, Device>();

  /** Of a kernel, for a core. */
  constructor(kernel: Kernel, core: ShadowCore) {
    this.#kernel = kernel;
    this.#core = core;
  }

  /** All groups that were looked at. */
  get groups(): Iterable<Group> {
    return this.#groups.values();
  }

  /** The device at a PCI address. −ENODEV: there is none, or the IOMMU does not translate for it. */
  find(address: string): Device | number {
    const number = linkName(this.#kernel, `${PCI_DEVICES}/${address}/iommu_group`);
    const refusal = number === undefined ? -ERRNO.ENODEV : this.#checkIommu(number);
    if (number === undefined || refusal < 0) return refusal;
    const known = this.#devices.get(key(number, address));
    if (known !== undefined) return known;
    const group = this.#groups.get(number) ?? this.#addGroup(number);
    if (typeof group === "number") return group;
    const members = this.#kernel.list(`${GROUPS}/${number}/devices`);
    if (typeof members === "number") return members;
    // All at once: the core takes new devices of a group only while no program has it.
    for (const member of new Set([address, ...members])) {
      const result = this.#addDevice(group, member);
      if (result < 0) return result === -ERRNO.EINVAL ? -ERRNO.ENODEV : result;
    }
    return this.#devices.get(key(number, address))!;
  }

  /** Tell the core which addresses a device cannot use. The group has a container; the device is not attached. 0, or −errno. */
  reserve({ index, group, reserved }: Device): number {
    for (const { start, last } of holes(group.container?.ranges ?? [])) {
      const range = `${start}-${last}`;
      if (reserved.has(range)) continue;
      const result = this.#core.add_reserved(index, start, last, RESERVED);
      if (result < 0) return result;
      reserved.add(range);
    }
    return 0;
  }

  /** VFIO makes groups for devices without an IOMMU where it was told to: they would reach all memory. Groups of an IOMMU have no name. */
  #checkIommu(number: string): number {
    const name = this.#kernel.readFile(`${GROUPS}/${number}/name`);
    if (typeof name === "number") return name === -ERRNO.ENOENT ? 0 : name;
    return new TextDecoder().decode(name).trim() === "vfio-noiommu" ? -ERRNO.ENODEV : 0;
  }

  #addGroup(number: string): Group | number {
    const index = this.#core.add_group();
    if (index < 0) return index;
    const group = new Group(number, index);
    this.#groups.set(number, group);
    return group;
  }

  #addDevice(group: Group, address: string): number {
    const name = key(group.number, address);
    if (this.#devices.has(name)) return 0;
    // What a device is told apart by on the bus is the matter of the kernel below; here each has a number of its own.
    const index = this.#core.add_device(group.index, this.#devices.size, DEVICE_FLAGS);
    if (index >= 0) this.#devices.set(name, { address, index, group, reserved: new Set() });
    return index;
  }
}

function key(group: string, address: string): string {
  return `${group} ${address}`;
}
