/**
 * The PCI tree of a machine as a list of functions with their addresses, in the order in which Linux finds them.
 *
 * @module
 */
import { checkDescription } from "./check_description.ts";
import type { DeviceModel } from "./device.ts";
import {
  type Bridge,
  checkBoolean,
  checkKeys,
  checkNumber,
  checkOneOf,
  checkReserved,
  type DeviceNode,
  type DownstreamPort,
  MachineError,
  MSI_WINDOW,
} from "./machine.ts";
import type { Machine, PciNode, PlatformRegion, RootPort, Switch } from "./machine.ts";

/** What a function is to the topology. */
export type FunctionKind = "device" | "root-port" | "upstream-port" | "downstream-port" | "pcie-to-pci" | "pci-to-pci";

/** One function of the machine. */
export interface PciFunction {
  /** "0000:00:04.0". */
  readonly address: string;
  /** What it is. */
  readonly kind: FunctionKind;
  /** Bus number, 0 to 255. */
  readonly bus: number;
  /** Device number << 3 | function number. */
  readonly devfn: number;
  /** Whether another function has the same device number. */
  readonly multifunction: boolean;
  /** Whether it has a PCI Express capability; without one it never has ACS. */
  readonly express: boolean;
  /** Whether its ACS isolates. */
  readonly acs: boolean;
  /** The bridge or port that its bus hangs on; undefined on the root bus. */
  readonly parent: PciFunction | undefined;
  /** The bus below a bridge or port; for functions without, undefined. */
  readonly secondaryBus: number | undefined;
  /** The highest bus number below, as {@linkcode PciFunction.secondaryBus}. */
  readonly subordinateBus: number | undefined;
  /** Whether no IOMMU is behind it. */
  readonly noIommu: boolean;
  /** Bound driver. Ports have "pcieport". */
  readonly driver: string | null;
  /** The device's data and model; undefined for bridges and ports. */
  readonly device: { readonly node: DeviceNode; readonly model: DeviceModel } | undefined;
  /** Where it is in the machine's data: `pci[0].below[1]`. */
  readonly path: string;
}

/** What kind of bus a list of nodes is put on. */
type BusKind = "root" | "link" | "switch" | "conventional";

type AnyNode = PciNode | (DownstreamPort & { readonly kind: "downstream-port" });
type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const ALLOWED: Record<BusKind, readonly string[]> = {
  root: ["device", "root-port", "pcie-to-pci", "pci-to-pci"],
  link: ["device", "switch", "pcie-to-pci"],
  switch: ["downstream-port"],
  conventional: ["device", "pci-to-pci"],
};

const KEYS: Record<string, readonly string[]> = {
  "device": ["kind", "slot", "model", "driver", "acs", "reserved", "iommu", "numaNode"],
  "root-port": ["kind", "slot", "acs", "below"],
  "switch": ["kind", "slot", "acs", "ports"],
  "downstream-port": ["kind", "slot", "acs", "below"],
  "pcie-to-pci": ["kind", "slot", "below"],
  "pci-to-pci": ["kind", "slot", "below"],
};

/**
 * Check the PCI tree, give each function its address, and make the device models.
 *
 * @param platform what no device may reserve. Default: the interrupt window, which every platform has.
 * @returns the functions in Linux's order of discovery: all of a bus, then what is below its bridges, one after the other.
 * @throws {MachineError} naming the node that is wrong.
 */
export function enumerate(
  machine: Pick<Machine, "pci" | "iommu">,
  platform: readonly PlatformRegion[] = [MSI_WINDOW],
  path = "pci",
): PciFunction[] {
  if (!Array.isArray(machine.pci)) throw new MachineError(path, machine.pci, "a list of PCI nodes");
  const noIommu = machine.iommu?.kind === "none";
  const state: Enumeration = { functions: [], lastBus: 0, models: new Set(), platform, noIommu };
  scanBus(state, path, machine.pci, { kind: "root", bus: 0, parent: undefined });
  state.functions.forEach(checkWithoutIommu);
  return state.functions;
}

interface Enumeration {
  functions: PciFunction[];
  lastBus: number;
  models: Set<DeviceModel>;
  /** Ranges that no device may reserve, since the platform does. */
  platform: readonly PlatformRegion[];
  /** The machine has no IOMMU. */
  noIommu: boolean;
}

interface Bus {
  kind: BusKind;
  bus: number;
  parent: PciFunction | undefined;
}

function scanBus(state: Enumeration, path: string, nodes: readonly AnyNode[], bus: Bus): void {
  const placed = placeNodes(path, nodes, bus);
  const functions = placed.map(({ node, devfn, at }) => {
    const multifunction = placed.some((other) => other.devfn !== devfn && other.devfn >> 3 === devfn >> 3);
    return makeFunction(state, at, node, devfn, multifunction, bus);
  });
  state.functions.push(...functions);
  placed.forEach(({ node, at }, index) => scanBelow(state, at, node, functions[index]!));
}

function scanBelow(state: Enumeration, path: string, node: AnyNode, parent: Mutable<PciFunction>): void {
  if (parent.kind === "device") return;
  const below = belowOf(node);
  const key = parent.kind === "upstream-port" ? "ports" : "below";
  if (!Array.isArray(below)) throw new MachineError(`${path}.${key}`, below, "a list of PCI nodes");
  if (state.lastBus === 255) throw new MachineError(path, "one bus more", "at most 256 buses");
  const bus = ++state.lastBus;
  parent.secondaryBus = bus;
  const kind = parent.kind === "upstream-port" ? "switch" : parent.express && parent.kind !== "pcie-to-pci" ? "link" : "conventional";
  scanBus(state, `${path}.${key}`, below, { kind, bus, parent });
  parent.subordinateBus = state.lastBus;
}

function belowOf(node: AnyNode): readonly AnyNode[] {
  if (kindOf(node) === "switch") {
    const ports: readonly DownstreamPort[] = (node as Switch).ports;
    return Array.isArray(ports) ? ports.map((port) => ({ ...port, kind: "downstream-port" })) : ports as readonly AnyNode[];
  }
  return (node as RootPort | DownstreamPort | Bridge).below ?? [];
}

function kindOf(node: AnyNode): string {
  return node.kind ?? "device";
}

interface Placed {
  node: AnyNode;
  devfn: number;
  at: string;
}

/** Slots for all nodes of a bus, sorted as a scan of the bus finds them. */
function placeNodes(path: string, nodes: readonly AnyNode[], bus: Bus): Placed[] {
  const placed: Placed[] = [];
  const taken = new Map<number, string>();
  nodes.forEach((node, index) => {
    const at = `${path}[${index}]`;
    if (typeof node !== "object" || node === null) throw new MachineError(at, node, "a PCI node");
    const kind = kindOf(node);
    if (!ALLOWED[bus.kind].includes(kind)) {
      throw new MachineError(`${at}.kind`, kind, `on a ${busName(bus.kind)} one of ${ALLOWED[bus.kind].join(", ")}`);
    }
    checkKeys(at, node, KEYS[kind]!);
    if (node.slot === undefined) return;
    const devfn = parseSlot(`${at}.slot`, node.slot, bus.kind);
    const other = taken.get(devfn);
    if (other !== undefined) throw new MachineError(`${at}.slot`, node.slot, `a free slot: it is taken by ${other}`);
    taken.set(devfn, at);
    placed.push({ node, devfn, at });
  });
  nodes.forEach((node, index) => {
    if (node.slot === undefined) placed.push({ node, devfn: freeSlot(`${path}[${index}]`, taken, bus.kind), at: `${path}[${index}]` });
  });
  for (const { devfn, at, node } of placed) {
    if (!taken.has(devfn & 0xf8)) throw new MachineError(`${at}.slot`, node.slot, `a function 0 of the same device beside it`);
  }
  return placed.sort((one, other) => one.devfn - other.devfn);
}

function busName(kind: BusKind): string {
  return { root: "root bus", link: "PCI Express link", switch: "bus of a switch", conventional: "conventional bus" }[kind];
}

function parseSlot(path: string, slot: string, bus: BusKind): number {
  const match = /^([01]?[0-9a-f])\.([0-7])$/.exec(slot);
  if (match === null) throw new MachineError(path, slot, `a device (00 to 1f) and a function (0 to 7), as "04.0"`);
  const device = parseInt(match[1]!, 16);
  if (bus === "link" && device !== 0) throw new MachineError(path, slot, "device 00, the only one on a PCI Express link");
  return device << 3 | Number(match[2]);
}

/** The root bus starts at 01, since 00 is where machines have their host bridge. */
function freeSlot(path: string, taken: Map<number, string>, bus: BusKind): number {
  const limit = bus === "link" ? 1 : 32;
  for (let device = bus === "root" ? 1 : 0; device < limit; device++) {
    if (Array.from({ length: 8 }, (_, number) => taken.has(device << 3 | number)).includes(true)) continue;
    taken.set(device << 3, path);
    return device << 3;
  }
  throw new MachineError(
    path,
    "one device more",
    `a free device number on the ${busName(bus)}; give functions of one device slots as "00.1"`,
  );
}

function makeFunction(state: Enumeration, path: string, node: AnyNode, devfn: number, multifunction: boolean, bus: Bus): PciFunction {
  const kind = kindOf(node) === "switch" ? "upstream-port" : kindOf(node) as FunctionKind;
  const device = kind === "device" ? makeDevice(state, path, node as DeviceNode) : undefined;
  const isPort = kind === "root-port" || kind === "downstream-port";
  return {
    address: `0000:${hex(bus.bus)}:${hex(devfn >> 3)}.${devfn & 7}`,
    kind,
    bus: bus.bus,
    devfn,
    multifunction,
    express: kind !== "pci-to-pci" && bus.kind !== "conventional" && (device?.model.description.express ?? true),
    acs: checkBoolean(`${path}.acs`, (node as RootPort).acs, isPort),
    parent: bus.parent,
    secondaryBus: undefined,
    subordinateBus: undefined,
    noIommu: state.noIommu || device?.node.iommu === "none",
    driver: device !== undefined ? driverOf(path, device.node) : kind === "pci-to-pci" || kind === "pcie-to-pci" ? null : "pcieport",
    device,
    path,
  };
}

function makeDevice(state: Enumeration, path: string, node: DeviceNode): { node: DeviceNode; model: DeviceModel } {
  const model = typeof node.model === "function" ? node.model() : node.model;
  if (typeof model?.read !== "function" || typeof model.write !== "function" || typeof model.description !== "object") {
    throw new MachineError(`${path}.model`, model, "a DeviceModel or a function that makes one");
  }
  if (state.models.has(model)) throw new MachineError(`${path}.model`, model, "an instance of its own: this one is in another slot too");
  state.models.add(model);
  checkDescription(`${path}.model.description`, model.description);
  checkReserved(`${path}.reserved`, node.reserved ?? [], state.platform);
  checkNumber(`${path}.numaNode`, node.numaNode ?? -1, -1, 1023);
  return { node, model };
}

/** Refuse what makes no sense without an IOMMU. @throws {MachineError} */
function checkWithoutIommu({ path, device, noIommu, parent }: PciFunction): void {
  if (device?.node.iommu !== undefined) checkOneOf(`${path}.iommu`, device.node.iommu, ["none"]);
  if (device === undefined || !noIommu) return;
  const { node, model: { description: { pageRequests } } } = device;
  if ((node.reserved ?? []).length > 0) throw new MachineError(`${path}.reserved`, node.reserved, "nothing: no address is kept from it");
  if (pageRequests) throw new MachineError(`${path}.model.description.pageRequests`, true, "false: no IOMMU answers them");
  for (let bridge = parent; bridge !== undefined; bridge = bridge.parent) {
    if (bridge.noIommu || (bridge.kind !== "pcie-to-pci" && bridge.kind !== "pci-to-pci")) continue;
    throw new MachineError(`${path}.iommu`, "none", `that of ${bridge.address}, with whose requester ID its transfers come`);
  }
}

function driverOf(path: string, node: DeviceNode): string | null {
  const driver = node.driver === undefined ? "vfio-pci" : node.driver;
  if (driver === null || (typeof driver === "string" && /^[A-Za-z0-9_-]+$/.test(driver))) return driver;
  throw new MachineError(`${path}.driver`, driver, "the name of a driver, or null");
}

function hex(value: number): string {
  return value.toString(16).padStart(2, "0");
}
