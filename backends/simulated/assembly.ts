/**
 * Puts a machine together: checks its data, computes groups, tells the core, connects the models, renders /sys.
 *
 * @module
 */
import { IRQ_INFO_AUTOMASKED, IRQ_INFO_EVENTFD, IRQ_INFO_MASKABLE, IRQ_INFO_NORESIZE } from "../../uapi/codec.ts";
import { REGION_INFO_FLAG_READ, REGION_INFO_FLAG_WRITE } from "../../uapi/codec.ts";
import { ERRNO, errnoName } from "../../uapi/errno.ts";
import type { BootConfig, IommuKind } from "../../core-wasm/mod.ts";
import { type BusHost, IRQ } from "./bus.ts";
import { Random, VirtualClock } from "./clock.ts";
import {
  type Core,
  DEVICE_COHERENT,
  DEVICE_EMULATED,
  DEVICE_LOGS_DMA,
  DEVICE_NO_IOMMU,
  DEVICE_PAGE_REQUESTS,
  DEVICE_PASID_BITS_SHIFT,
  DEVICE_PASID_EXECUTE,
  DEVICE_PASID_PRIVILEGED,
  DEVICE_RESET,
  DEVICE_VIABLE,
  type Instance,
  REPLACEMENTS,
  RESERVED_KINDS,
} from "./core.ts";
import type { DeviceModel } from "./device.ts";
import { checkBehindIommu, type Machine, MachineError, type MachineSettings, type PlatformRegion, readSettings } from "./machine.ts";
import { Hotplug } from "./hotplug.ts";
import { asksForPages, platformReserved } from "./machine_sysfs.ts";
import { enumerate, type PciFunction } from "./pci_tree.ts";
import { emulatedFunctions } from "./emulated.ts";
import { Peers } from "./peers.ts";
import { placeBars } from "./resources.ts";
import { sanitizedCore, Sanitizer } from "./sanitizer/sanitizer.ts";
import { computeGroups, driverDoesDma, type Group, type GroupMember } from "./topology.ts";
import { REGION, VfioDevice } from "./vfio_device.ts";

/** A machine in pieces, for the kernel and for inspection. */
export interface MachineParts {
  /** The machine with its defaults. */
  readonly settings: MachineSettings;
  /** The core; where there is a sanitizer, with that around it. */
  readonly core: Core;
  /** The core itself. */
  readonly plainCore: Core;
  /** What watches DMA, if the machine has it. */
  readonly sanitizer: Sanitizer | undefined;
  /** Whether the program asked for the core that checks invariants. */
  readonly checks: boolean;
  /** The core's memory, with the machine's RAM in it. */
  readonly memory: WebAssembly.Memory;
  /** The machine's time. */
  readonly clock: VirtualClock;
  /** Functions with a model, by the core's index. */
  readonly devices: readonly VfioDevice[];
  /** Whether any of them asks for pages that are missing. */
  readonly hasPageRequests: boolean;
  /** What is plugged in, with its groups, /sys and /dev. */
  readonly hotplug: Hotplug;
  /** Exceptions of device models. */
  readonly modelErrors: readonly unknown[];
  /** Who is told when something may have become readable. */
  onWake(callback: () => void): void;
}

/** A machine that passed all checks, before it has a core. */
export interface Plan {
  /** The machine with its defaults. */
  readonly settings: MachineSettings;
  /** IOMMU groups. */
  readonly groups: readonly Group[];
  /** Devices without an IOMMU. */
  readonly emulated: readonly PciFunction[];
  /** BAR addresses by function. */
  readonly bars: ReadonlyMap<PciFunction, readonly bigint[]>;
}

/** How many exceptions of models are kept; one that fails at each access must not fill memory. */
const MODEL_ERRORS_MAX = 64;
/** Numbers in place of the requester ids that emulated devices do not have: above those of PCI functions. */
const EMULATED_REQUESTERS = 2 ** 20;
/** Bytes of the area through which DMA of foreign arrays goes. */
const BOUNCE_LENGTH = 65536;

/** Check a machine and compute what follows from its data. @throws {MachineError} naming the value that is wrong. */
export function planMachine(machine: Machine): Plan {
  const settings = readSettings(machine);
  const functions = enumerate(machine, platformReserved(settings));
  checkBehindIommu(machine, settings);
  const emulated = emulatedFunctions(machine.emulated);
  for (const pci of [...functions, ...emulated]) checkModel(pci);
  // Emulated devices take no addresses from others.
  return { settings, groups: computeGroups(functions), emulated, bars: new Map([...placeBars(functions), ...placeBars(emulated)]) };
}

/** Models that belong to a machine already: a model has one bus. */
const CONNECTED = new WeakSet<DeviceModel>();

/** A model that another machine has would answer for both. @throws {MachineError} */
function checkModel({ address, device }: PciFunction): void {
  if (device === undefined || !CONNECTED.has(device.model)) return;
  throw new MachineError(`model of ${address}`, device.model, "one that no other machine has: pass a function that makes one");
}

function coreKind({ kind, stage, nests }: MachineSettings["iommu"]): IommuKind {
  // Where there is none, none of it is used.
  if (kind === "none") return "amdvi";
  if (kind === "vtd" && stage === 1) return "vtd-first-stage";
  if (kind === "amdvi" && stage === 1) return "amdvi-v2";
  if (kind === "smmuv3" && nests) return "smmuv3-nested";
  return kind === "smmuv3" && stage === 2 ? "smmuv3-stage-2" : kind;
}

/** The core's settings for a machine. */
export function coreConfig({ iommu, rules, limits }: MachineSettings): BootConfig {
  return {
    iommu: coreKind(iommu),
    levels: iommu.levels,
    scalable: iommu.scalable,
    dirtyTracking: iommu.dirtyTracking,
    napot: iommu.kind !== "riscv" || iommu.svnapot,
    singleOpen: rules.singleOpen,
    groupIoas: rules.groupIoas,
    memlock: limits.memlock,
    rawIo: limits.rawIo,
    openFiles: limits.openFiles,
  };
}

/** Give the IOMMU its caches. @throws {RangeError} where the kernel's memory has no room for them. */
function setCaches(core: Core, { iommu: { iotlb, batch }, seed }: MachineSettings): void {
  const replacement = REPLACEMENTS.indexOf(iotlb.replacement);
  if (core.set_iotlb(iotlb.entries, iotlb.ways, iotlb.structures, replacement, BigInt(seed)) === 0 && core.set_batch(batch) === 0) return;
  throw new RangeError(
    `Cannot start the machine: its kernel memory has no room for an IOTLB of ${iotlb.entries} entries and a queue of ${batch} ranges`,
  );
}

/** Build the machine around a fresh core. */
export function assemble(plan: Plan, instance: Instance, onModelError: (error: unknown) => void, checks = false): MachineParts {
  const { settings, groups } = plan;
  const plainCore = instance.boot(settings.kernelMemory, settings.memory, coreConfig(settings));
  setCaches(plainCore, settings);
  const modelErrors: unknown[] = [];
  const report = (error: unknown) => {
    if (modelErrors.length < MODEL_ERRORS_MAX) modelErrors.push(error);
    try {
      onModelError(error);
    } catch (failure) {
      // The caller's mistake, and not one of the system call during which the model failed: those do not throw.
      queueMicrotask(() => {
        throw failure;
      });
    }
  };
  let wake = () => {};
  const clock = new VirtualClock(report);
  const devices: VfioDevice[] = [];
  const sanitizer = settings.sanitizer && new Sanitizer(
    { ...settings.sanitizer, devices: countDevices(groups) + plan.emulated.length },
    {
      core: plainCore,
      memory: instance.memory,
      clock,
      addressOf: (device) => devices[device]!.pci.address,
      isWatched: (device) => !devices[device]!.pci.noIommu,
    },
  );
  const core = sanitizer === undefined ? plainCore : sanitizedCore(sanitizer);
  const bounce = { offset: told(core.staging_alloc(BOUNCE_LENGTH)), length: BOUNCE_LENGTH };
  const peers = new Peers();
  const host: BusHost = {
    core,
    memory: instance.memory,
    bounce,
    clock,
    peer: (address, bytes, write) => peers.move(address, bytes, write),
    wake: () => wake(),
  };
  devices.push(...addDevices(plan, host, report));
  for (const device of devices) peers.add(device, plan.bars.get(device.pci)!);
  addResetBuses(core, groups, devices);
  const hotplug = new Hotplug({ settings, host, groups, devices, emulated: plan.emulated, bars: plan.bars });
  return {
    settings,
    core,
    plainCore,
    sanitizer,
    checks,
    memory: instance.memory,
    clock,
    devices,
    hasPageRequests: devices.some(({ bus }) => bus.pageRequests !== undefined),
    hotplug,
    modelErrors,
    onWake: (callback) => void (wake = callback),
  };
}

function countDevices(groups: readonly Group[]): number {
  return groups.flatMap(({ members }) => members).filter(({ pci }) => pci.device !== undefined).length;
}

/** What the core answers when told of the machine. It refuses for want of memory alone, since the machine was checked. @throws {RangeError} */
function told(result: number): number {
  if (result >= 0) return result;
  const why = result === -ERRNO.ENOMEM ? "kernelMemory is too small for its devices" : "the core refuses a part of it";
  throw new RangeError(`Cannot build the machine: ${why} (${errnoName(-result)})`);
}

/** Tell the core of groups and devices, then connect the models; in the order of discovery within each group. */
function addDevices(plan: Plan, host: BusHost, report: (error: unknown) => void): VfioDevice[] {
  const devices: VfioDevice[] = [];
  for (const group of plan.groups) {
    const number = told(host.core.add_group());
    for (const member of group.members) {
      if (member.pci.device !== undefined) devices.push(addDevice(plan, host, number, member, report));
    }
  }
  plan.emulated.forEach((pci, place) => devices.push(addEmulated(plan, host, pci, place, report)));
  return devices;
}

/** A device of a group of its own, with a model that nothing but an access object lets reach memory. */
function addEmulated(plan: Plan, host: BusHost, pci: PciFunction, place: number, report: (error: unknown) => void): VfioDevice {
  const { core } = host;
  const requester = EMULATED_REQUESTERS + place;
  const flags = DEVICE_VIABLE | DEVICE_RESET | DEVICE_EMULATED | loggingFlag(pci);
  const index = told(core.add_device(told(core.add_group()), requester, flags));
  const random = new Random(plan.settings.seed, requester);
  CONNECTED.add(pci.device!.model);
  const device = new VfioDevice(host, index, pci, plan.bars.get(pci)!, random, report, true);
  addRegions(core, device, plan.bars.get(pci)!);
  addInterrupts(core, device);
  return device;
}

function addDevice(
  plan: Plan,
  host: BusHost,
  group: number,
  member: GroupMember,
  report: (e: unknown) => void,
): VfioDevice {
  const { core } = host;
  const { pci, requester } = member;
  const asks = asksForPages(pci) ? DEVICE_PAGE_REQUESTS : 0;
  // What keeps a group from programs are drivers, which come and go.
  const flags = DEVICE_VIABLE | asks | DEVICE_RESET | (plan.settings.iommu.coherent ? DEVICE_COHERENT : 0) | pasidFlags(pci) |
    loggingFlag(pci) | (pci.noIommu ? DEVICE_NO_IOMMU : 0);
  const index = told(core.add_device(group, requester, flags));
  // A stream of random numbers for each address: a device more does not change what the others draw.
  const random = new Random(plan.settings.seed, pci.bus << 8 | pci.devfn);
  CONNECTED.add(pci.device!.model);
  const device = new VfioDevice(host, index, pci, plan.bars.get(pci)!, random, report);
  addRegions(core, device, plan.bars.get(pci)!);
  addInterrupts(core, device);
  if (!pci.noIommu) addReserved(core, index, [...platformReserved(plan.settings), ...(pci.device!.node.reserved ?? [])]);
  told(core.set_driver_blocks(index, driverDoesDma(pci.driver)));
  return device;
}

function loggingFlag({ device }: PciFunction): number {
  return device!.model.description.dmaLogging ? DEVICE_LOGS_DMA : 0;
}

/** What the core is told of the PASIDs of a function: none on a conventional bus. */
function pasidFlags({ express, device }: PciFunction): number {
  const pasid = device!.model.description.pasid;
  if (pasid === undefined || !express) return 0;
  return pasid.bits << DEVICE_PASID_BITS_SHIFT | (pasid.execute ? DEVICE_PASID_EXECUTE : 0) |
    (pasid.privileged ? DEVICE_PASID_PRIVILEGED : 0);
}

function addRegions(core: Core, device: VfioDevice, bars: readonly bigint[]): void {
  for (let region = REGION.bar0; region <= REGION.config; region++) {
    const length = device.regionLength(region);
    const flags = length > 0 ? REGION_INFO_FLAG_READ | REGION_INFO_FLAG_WRITE : 0;
    told(core.add_region(device.index, region, BigInt(length), flags, bars[region] ?? 0n));
  }
}

/** Counts and flags as vfio_pci_ioctl_get_irq_info answers them; MSI-X vectors can be added one by one, as on x86. */
function addInterrupts(core: Core, device: VfioDevice): void {
  const { interruptPin = 0, msi = 0, msix } = device.pci.device!.model.description;
  told(core.add_irq(device.index, IRQ.intx, interruptPin > 0 ? 1 : 0, IRQ_INFO_EVENTFD | IRQ_INFO_MASKABLE | IRQ_INFO_AUTOMASKED));
  told(core.add_irq(device.index, IRQ.msi, msi, IRQ_INFO_EVENTFD | IRQ_INFO_NORESIZE));
  told(core.add_irq(device.index, IRQ.msix, msix?.vectors ?? 0, IRQ_INFO_EVENTFD));
  told(core.add_irq(device.index, IRQ.error, 1, IRQ_INFO_EVENTFD | IRQ_INFO_NORESIZE));
  told(core.add_irq(device.index, IRQ.request, 1, IRQ_INFO_EVENTFD | IRQ_INFO_NORESIZE));
}

/** Each bus below a bridge can be reset: with the functions on it go those below them. */
function addResetBuses(core: Core, groups: readonly Group[], devices: readonly VfioDevice[]): void {
  const functions = groups.flatMap(({ members }) => members.map(({ pci }) => pci)).sort((one, other) => location(one) - location(other));
  const indexes = new Map(devices.map(({ pci, index }) => [pci, index]));
  for (const bridge of functions) {
    if (bridge.secondaryBus === undefined) continue;
    const bus = told(core.add_reset_bus());
    for (const pci of below(bridge, functions)) {
      const inSet = pci.parent === bridge && pci.driver === "vfio-pci";
      told(core.add_reset_function(bus, location(pci), indexes.get(pci) ?? -1, inSet));
    }
  }
}

function location({ bus, devfn }: PciFunction): number {
  return bus << 8 | devfn;
}

/** All functions below a bridge, each followed by those below it, as Linux walks them. */
function below(bridge: PciFunction, functions: readonly PciFunction[]): PciFunction[] {
  return functions.filter(({ parent }) => parent === bridge).flatMap((pci) => [pci, ...below(pci, functions)]);
}

function addReserved(core: Core, device: number, ranges: readonly PlatformRegion[]): void {
  for (const { start, last, kind } of ranges) told(core.add_reserved(device, start, last, RESERVED_KINDS.indexOf(kind)));
}
