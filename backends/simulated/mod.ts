/**
 * The simulated machine: an IOMMU, PCI devices and a kernel in this program, on any JavaScript runtime.
 *
 * A {@linkcode Machine} is data; {@linkcode simulated} builds it and answers the system calls of the seam. Device models are plugins:
 * see {@linkcode DeviceModel} and docs/writing_a_device.md.
 *
 * @module
 */
import { instantiate } from "../../core-wasm/mod.ts";
import { assemble, planMachine } from "./assembly.ts";
import { checkOptionKeys, type OptionKeys } from "./devices/option_keys.ts";
import { SimulatedKernel } from "./kernel.ts";
import type { Machine } from "./machine.ts";

export type * from "./device.ts";
export { EduDevice, type EduOptions } from "./devices/edu.ts";
export { InertDevice } from "./devices/inert.ts";
export { type FileContent, FileTree } from "./file_tree.ts";
export type { UnplugOptions } from "./hotplug.ts";
export { describeFault, Inspection } from "./inspect.ts";
export type { DeviceStatistics, FaultRecord, GroupEntry, HardwareFault, MachineStatistics, Usage } from "./inspect.ts";
export { PageTable } from "./page_table.ts";
export type { PageTableEntry, PageTableEntryJson, PageTableFormat, PageTableJson } from "./page_table.ts";
export { SimulatedKernel } from "./kernel.ts";
export {
  describeReport,
  SanitizerError,
  type SanitizerKind,
  type SanitizerMapping,
  type SanitizerMoment,
  type SanitizerReport,
  type SanitizerTransfer,
} from "./sanitizer/report.ts";
export type { Sanitizer } from "./sanitizer/sanitizer.ts";
export { MachineError } from "./machine.ts";
export type {
  Bridge,
  DeviceNode,
  DownstreamPort,
  EmulatedNode,
  Invalidation,
  IommuDescription,
  IotlbOptions,
  Limits,
  Machine,
  PciNode,
  ReservedRegion,
  RootPort,
  Rules,
  SanitizerOptions,
  Slot,
  Switch,
  TranslationCosts,
} from "./machine.ts";
export { renderSysfs, type SysfsDescription, type SysfsDevice, type SysfsGroup, type SysfsResource } from "./sysfs.ts";
export type { GroupReason } from "./topology.ts";

/** Options of {@linkcode simulated}. */
export interface SimulatedOptions {
  /**
   * The core, compiled already; for runtimes that forbid compiling: core.wasm, or core_full.wasm for a machine that has `checks`, a sanitizer, the mock
   * IOMMU or an SMMUv3 of both stages. Default: loaded from the package, the larger one where the machine needs it.
   */
  readonly module?: WebAssembly.Module;
  /** Whether {@linkcode Inspection.check} can be asked, which takes a larger core. Default: false. */
  readonly checks?: boolean;
  /**
   * Told of each exception that a device model throws, which is a mistake in the model: the access gets EIO, the event ends.
   * Default: `console.error`. What it throws itself is uncaught, since system calls do not throw.
   */
  readonly onModelError?: (error: unknown) => void;
}

const KEYS: OptionKeys<SimulatedOptions> = { module: true, checks: true, onModelError: true };

/**
 * Build a simulated machine and start its kernel.
 *
 * @throws {TypeError} for an option that there is not, or a `module` that is core.wasm where the machine needs core_full.wasm.
 * @throws {MachineError} if the machine's data is wrong; nothing is allocated then.
 * @throws {RangeError} if its memory cannot be had.
 */
export async function simulated(machine: Machine, options: SimulatedOptions = {}): Promise<SimulatedKernel> {
  checkOptionKeys("build the machine", options, KEYS);
  const plan = planMachine(machine);
  const { checks = false, module } = options;
  const { iommu, sanitizer } = plan.settings;
  const full = checks || sanitizer !== undefined || iommu.kind === "mock" || iommu.nests;
  const instance = await instantiate({ full, ...(module === undefined ? {} : { module }) });
  const onModelError = options.onModelError ?? ((error) => console.error("A device model threw:", error));
  return new SimulatedKernel(assemble(plan, instance, onModelError, checks));
}
