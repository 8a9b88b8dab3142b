/**
 * The simulated machine in the terms of {@linkcode renderSysfs}.
 *
 * @module
 */
import { bridgeConfig, bridgeIdentity } from "./bridge_config.ts";
import type { BarDescription } from "./device.ts";
import { HYPERTRANSPORT_WINDOW, type MachineSettings, MSI_WINDOW, type PlatformRegion, SOFTWARE_MSI_WINDOW } from "./machine.ts";
import type { PciFunction } from "./pci_tree.ts";
import type { SysfsDescription, SysfsDevice, SysfsResource } from "./sysfs.ts";
import type { Group } from "./topology.ts";

/** What the renderer needs beyond the topology. */
export interface SysfsSources {
  /** BAR addresses by function. */
  readonly bars: ReadonlyMap<PciFunction, readonly bigint[]>;
  /** N of vfioN, for the functions that programs may open. */
  readonly vfio: ReadonlyMap<PciFunction, number>;
  /** Functions that wait for programs to let them go. */
  readonly leaving?: ReadonlySet<PciFunction>;
  /** The driver of a function. Default: that of the machine's data. */
  readonly driver?: (pci: PciFunction) => string | null;
  /** The configuration space of a device as it is now. */
  config(pci: PciFunction): Uint8Array;
  /** A register that says what the IOMMU can do, as GET_HW_INFO answers it. */
  register(index: number): bigint;
}

/** Ranges that no device of the machine may use, whatever its own reservations. */
export function platformReserved(settings: MachineSettings): readonly PlatformRegion[] {
  const messages = settings.msi === "translated" ? SOFTWARE_MSI_WINDOW : MSI_WINDOW;
  return settings.iommu.kind === "amdvi" ? [messages, HYPERTRANSPORT_WINDOW] : [messages];
}

/** The machine as data for {@linkcode renderSysfs}. */
export function describeMachine(settings: MachineSettings, groups: readonly Group[], sources: SysfsSources): SysfsDescription {
  const tellsApart = settings.rules.groupIoas === "requester";
  const members = groups.flatMap(({ number, members }) =>
    members.map(({ pci, requester }) => ({ pci, group: number, requester: tellsApart && members.length > 1 ? requester : undefined }))
  );
  // Rendering needs bridges before what is below them, which is the order of bus numbers.
  members.sort((one, other) => one.pci.bus - other.pci.bus || one.pci.devfn - other.pci.devfn);
  return {
    devices: members.map(({ pci, group, requester }) => ({ ...describeFunction(pci, group, sources), requester })),
    groups: groups.flatMap(({ number, members }) => {
      if (number === undefined) return [];
      const reserved = [...platformReserved(settings), ...members.flatMap(({ pci }) => pci.device?.node.reserved ?? [])];
      return [{ number, type: "DMA", reserved }];
    }),
    ...(settings.iommu.kind === "none" ? {} : { iommu: describeIommu(settings, sources) }),
  };
}

function describeFunction(pci: PciFunction, group: number | undefined, sources: SysfsSources): SysfsDevice {
  const driver = sources.driver?.(pci) ?? (sources.driver === undefined ? pci.driver : null);
  const isLeaving = sources.leaving?.has(pci) ?? false;
  const { address, noIommu } = pci;
  const common = { address, parent: pci.parent?.address, driver, isLeaving, group, vfio: sources.vfio.get(pci), noIommu };
  if (pci.kind === "device") {
    const { node, model: { description } } = pci.device!;
    const { revision = 0, subsystemVendor = 0, subsystem = 0 } = description;
    return {
      ...common,
      vendor: description.vendor,
      device: description.device,
      classCode: description.classCode,
      revision,
      subsystemVendor,
      subsystem,
      numaNode: node.numaNode ?? -1,
      config: () => sources.config(pci),
      resources: resourcesOf(description.bars, sources.bars.get(pci)!),
      resetMethods: [pci.express ? "flr" : "af_flr"],
    };
  }
  const identity = { classCode: 0x060400, revision: 0, subsystemVendor: 0, subsystem: 0, numaNode: -1 };
  return { ...common, ...identity, ...bridgeIdentity(pci.kind), config: bridgeConfig(pci), resources: [], resetMethods: [] };
}

/** Flags: memory, aligned to its size, and what the low bits of the BAR say. */
function resourcesOf(bars: readonly BarDescription[], addresses: readonly bigint[]): (SysfsResource | undefined)[] {
  const resources = new Array<SysfsResource | undefined>(6).fill(undefined);
  for (const bar of bars) {
    const start = addresses[bar.index]!;
    const flags = 0x40200 | (bar.wide ? 0x100004 : 0) | (bar.prefetchable ? 0x2008 : 0);
    resources[bar.index] = { start, last: start + BigInt(bar.length) - 1n, flags };
  }
  return resources;
}

/** Whether a function has page requests. */
export function asksForPages({ express, device }: PciFunction): boolean {
  return express && device?.model.description.pageRequests === true;
}

/** Registers of the IOMMU as its driver shows them: Intel VT-d 4.1, 11.4.2 and 11.4.3; AMD I/O Virtualization Technology, 3.4.10. */
function describeIommu({ iommu: { kind } }: MachineSettings, sources: SysfsSources): { name: string; attributes: Record<string, string> } {
  if (kind === "amdvi") {
    return { name: "ivhd0", attributes: { "amd-iommu/cap": "40f", "amd-iommu/features": sources.register(0).toString(16) } };
  }
  // Where its registers are, as on QEMU's board; its driver shows none of them.
  if (kind === "smmuv3") return { name: "smmu3.0x0000000009050000", attributes: {} };
  if (kind === "mock") return { name: "iommufd_selftest_iommu.0", attributes: {} };
  // A platform device, of which the driver shows nothing.
  if (kind === "riscv") return { name: "riscv-iommu@3010000.iommu", attributes: {} };
  const attributes = {
    version: "1:0",
    address: "fed90000",
    cap: sources.register(0).toString(16),
    ecap: sources.register(1).toString(16),
    domains_supported: "65536",
  };
  return {
    name: "dmar0",
    attributes: Object.fromEntries(Object.entries(attributes).map(([name, text]) => [`intel-iommu/${name}`, text])),
  };
}
