/**
 * Devices that leave the machine and come back, and what /sys, /dev and the groups show meanwhile.
 *
 * As Linux does it: `vfio_unregister_group_dev` in drivers/vfio/vfio_main.c, `pci_stop_and_remove_bus_device` in drivers/pci/remove.c. A device
 * whose files are open is asked for until the last of them is closed; only then is it gone.
 *
 * @module
 */
import { errnoName } from "../../uapi/errno.ts";
import type { BusHost } from "./bus.ts";
import { IRQ } from "./bus.ts";
import type { DeviceClock } from "./clock.ts";
import { PLUG, REQUEST_TAKEN } from "./core.ts";
import { addEmulatedFiles } from "./emulated.ts";
import { FileTree } from "./file_tree.ts";
import type { MachineSettings } from "./machine.ts";
import { describeMachine } from "./machine_sysfs.ts";
import type { PciFunction } from "./pci_tree.ts";
import { addProcessFiles } from "./process_files.ts";
import { renderSysfs } from "./sysfs.ts";
import { driverDoesDma, type Group } from "./topology.ts";
import type { VfioDevice } from "./vfio_device.ts";

/** How a device leaves. */
export interface UnplugOptions {
  /**
   * Whether it is pulled out without a word: its registers read all ones from then on, its DMA and interrupts end in the middle of what they do, and an Express
   * function's error interrupt is signalled. Default: false, that is the machine asks for it and it works until its files are closed.
   */
  readonly surprise?: boolean;
}

/** What is plugged in, and what follows from that. */
export interface HotplugParts {
  readonly settings: MachineSettings;
  readonly host: BusHost;
  /** All groups of the machine when nothing is unplugged. */
  readonly groups: readonly Group[];
  readonly devices: readonly VfioDevice[];
  /** Devices without an IOMMU, which stay. */
  readonly emulated: readonly PciFunction[];
  readonly bars: ReadonlyMap<PciFunction, readonly bigint[]>;
}

/** Time between two requests to give a device back, as Linux repeats them. */
const REQUEST_INTERVAL = 10_000_000_000;

/** In place of the number of a group that is none. */
const LAST = Number.MAX_SAFE_INTEGER;

/** A device that waits for its files to be closed. */
interface Removal {
  readonly device: VfioDevice;
  readonly gone: () => void;
  readonly done: Promise<void>;
}

/** The slots of a machine. */
export class Hotplug {
  #parts: HotplugParts;
  #clock: DeviceClock;
  #numbers = new Map<Group, number>();
  #vfio = new Map<PciFunction, number>();
  #gone = new Set<PciFunction>();
  #withoutDriver = new Set<PciFunction>();
  #removals = new Map<VfioDevice, Removal>();
  #isArmed = false;
  #files: FileTree;

  /** Everything is plugged in. */
  constructor(parts: HotplugParts) {
    this.#parts = parts;
    this.#clock = parts.host.clock.device();
    for (const group of parts.groups) if (group.number !== undefined) this.#numbers.set(group, group.number);
    for (const { pci } of parts.devices) if (pci.driver === "vfio-pci") this.#vfio.set(pci, this.#vfio.size);
    for (const pci of parts.emulated) this.#vfio.set(pci, this.#vfio.size);
    this.#files = this.#render();
  }

  /** /sys, /dev and /proc as they are now. */
  get files(): FileTree {
    return this.#files;
  }

  /** The groups that have members now; those that stand for a function without an IOMMU come last. */
  get groups(): Group[] {
    const { groups } = this.#parts;
    return groups.filter((group) => group.members.some(({ pci }) => !this.#gone.has(pci))).map((group) => {
      const members = group.members.filter(({ pci }) => !this.#gone.has(pci));
      const present = new Set(members.map(({ pci }) => pci.address));
      const blockedBy = group.blockedBy.filter((address) => present.has(address) && !this.#isWithoutDriver(address));
      return { number: this.#numbers.get(group), members, blockedBy };
    }).sort((one, other) => (one.number ?? LAST) - (other.number ?? LAST));
  }

  /** Whether a device waits for its files to be closed. */
  get isBusy(): boolean {
    return this.#removals.size > 0;
  }

  /** The device with a node below /dev. */
  deviceAt(path: string): VfioDevice | undefined {
    const [, prefix, number] = /^\/dev\/vfio\/devices\/(noiommu-)?vfio(\d+)$/.exec(path) ?? [];
    if (number === undefined || String(Number(number)) !== number) return undefined;
    return this.#parts.devices.find(({ pci }) => this.#vfio.get(pci) === Number(number) && pci.noIommu === (prefix !== undefined));
  }

  /** As {@linkcode SimulatedKernel.unplug}. */
  unplug(address: string, { surprise = false }: UnplugOptions): Promise<void> {
    const device = this.#find(address, "unplug");
    const removal = this.#removals.get(device);
    if (this.#gone.has(device.pci)) throw new RangeError(`Cannot unplug ${address}: it is not plugged in`);
    if (surprise) this.#pull(device);
    if (removal !== undefined) return removal.done;
    const { core } = this.#parts.host;
    const state = core.unplug(device.index);
    if (state < 0) throw new RangeError(`Cannot unplug ${address}: the core answers ${errnoName(-state)}`);
    this.#vfio.delete(device.pci);
    device.isLeaving = true;
    this.#parts.host.wake();
    const { promise, resolve } = deferred();
    this.#removals.set(device, { device, gone: resolve, done: promise });
    this.settle();
    this.#files = this.#render();
    return promise;
  }

  /** As {@linkcode SimulatedKernel.plug}. */
  plug(address: string): void {
    const device = this.#find(address, "plug in");
    const { core } = this.#parts.host;
    const { pci, index } = device;
    if (!this.#gone.has(pci)) throw new RangeError(`Cannot plug in ${address}: it is plugged in`);
    // A driver of the kernel does not get a device of a group that a program has: it has none then.
    core.set_driver_blocks(index, false);
    core.plug(index);
    this.#withoutDriver.delete(pci);
    if (driverDoesDma(pci.driver) && core.set_driver_blocks(index, true) < 0) this.#withoutDriver.add(pci);
    this.#gone.delete(pci);
    const group = this.#groupOf(pci);
    if (!pci.noIommu && !this.#numbers.has(group)) this.#numbers.set(group, lowestFree(this.#numbers.values()));
    if (pci.driver === "vfio-pci") this.#vfio.set(pci, lowestFree(this.#vfio.values()));
    device.mend();
    this.#files = this.#render();
  }

  /** Files were closed: devices whose last one that was are gone. */
  settle(): void {
    for (const { device, gone } of [...this.#removals.values()]) {
      if (this.#parts.host.core.plug_state(device.index) !== PLUG.gone) continue;
      this.#removals.delete(device);
      this.#gone.add(device.pci);
      device.cut();
      const group = this.#groupOf(device.pci);
      if (group.members.every(({ pci }) => this.#gone.has(pci))) this.#numbers.delete(group);
      this.#files = this.#render();
      gone();
    }
  }

  /** A system call begins: whoever took a request will be asked again. */
  entered(): void {
    if (this.#isArmed || ![...this.#removals.keys()].some((device) => this.#isTaken(device))) return;
    this.#isArmed = true;
    this.#clock.after(REQUEST_INTERVAL, () => {
      this.#isArmed = false;
      for (const device of this.#removals.keys()) if (this.#isTaken(device)) this.#raise(device, IRQ.request);
    });
  }

  /** A request is repeated only once the last was taken: nobody's time goes by for a program that does not look. */
  #isTaken(device: VfioDevice): boolean {
    return this.#parts.host.core.request_state(device.index) === REQUEST_TAKEN;
  }

  #pull(device: VfioDevice): void {
    if (device.bus.isCut) return;
    device.cut();
    // What the port above reports reaches the drivers of Express functions alone.
    if (device.pci.express) this.#raise(device, IRQ.error);
  }

  #raise(device: VfioDevice, index: number): void {
    this.#parts.host.core.raise(device.index, index, 0);
    this.#parts.host.wake();
  }

  #find(address: string, verb: string): VfioDevice {
    // Emulated devices are on no bus that they could leave.
    const plugged = this.#parts.devices.filter(({ pci }) => !this.#parts.emulated.includes(pci));
    const device = plugged.find(({ pci }) => pci.address === address);
    if (device !== undefined) return device;
    const known = plugged.map(({ pci }) => pci.address).join(", ");
    throw new RangeError(`Cannot ${verb} "${address}": the machine's devices are ${known === "" ? "none" : known}`);
  }

  #groupOf(pci: PciFunction): Group {
    return this.#parts.groups.find(({ members }) => members.some((member) => member.pci === pci))!;
  }

  #isWithoutDriver(address: string): boolean {
    return [...this.#withoutDriver].some((pci) => pci.address === address);
  }

  #render(): FileTree {
    const { settings, host, devices, bars } = this.#parts;
    const byFunction = new Map(devices.map((device) => [device.pci, device]));
    const files = renderSysfs(describeMachine(settings, this.groups, {
      bars,
      vfio: this.#vfio,
      leaving: new Set([...this.#removals.keys()].map(({ pci }) => pci)),
      driver: (pci) => this.#withoutDriver.has(pci) ? null : pci.driver,
      config: (pci) => byFunction.get(pci)!.snapshot(),
      register: (index) => host.core.iommu_register(index),
    }));
    for (const pci of this.#parts.emulated) addEmulatedFiles(files, pci.address, this.#vfio.get(pci)!);
    // Of iommufd, whatever the machine has.
    files.deviceNode("/dev/iommu");
    const unsafe = devices.some(({ pci }) => pci.noIommu);
    files.file("/sys/module/vfio/parameters/enable_unsafe_noiommu_mode", unsafe ? "Y\n" : "N\n");
    addProcessFiles(files, settings, () => host.core.usage(2));
    return files;
  }
}

function lowestFree(taken: Iterable<number>): number {
  const numbers = new Set(taken);
  let number = 0;
  while (numbers.has(number)) number++;
  return number;
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((done) => resolve = done);
  return { promise, resolve };
}
