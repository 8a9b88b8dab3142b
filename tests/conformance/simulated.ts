/**
 * The simulated machine as a host of the conformance suite.
 *
 * @module
 */
import { EduDevice, InertDevice, type Machine, simulated, type SimulatedKernel } from "../../backends/simulated/mod.ts";
import { memoryMedia, NvmeController } from "../../backends/simulated/devices/nvme/mod.ts";
import { DEVICES, type Feature, type Setup } from "./setup.ts";

/** Which machine. */
export interface SimulatedOptions {
  /** Default: ours, one open of a device and IOASes by requester ID; `"linux"`: as Linux has them. */
  readonly rules?: "ours" | "linux";
  /** Default: VT-d. */
  readonly iommu?: "vtd" | "amdvi" | "smmuv3" | "riscv";
  /** Page tables of the first stage: VT-d's in scalable mode, AMD's v2. Default: false. */
  readonly firstStage?: boolean;
  /** VT-d's scalable mode, which can nest page tables and track writes. Default: false. */
  readonly scalable?: boolean;
  /** An SMMUv3 with both stages, which can nest page tables. Default: false. */
  readonly guests?: boolean;
  /** Bytes that may be pinned. Default: no limit. */
  readonly memlock?: number;
  /** Whether invariants are checked behind each case, by the full core; else the core is the one that applications load. Default: true. */
  readonly checks?: boolean;
}

/** What GET_HW_INFO answers, by kind. */
const HARDWARE = {
  vtd: { type: 1, dataLength: 24 },
  amdvi: { type: 4, dataLength: 16 },
  smmuv3: { type: 2, dataLength: 40 },
  riscv: { type: 0, dataLength: 0 },
} as const;

const OPEN_FILES = 64;
const MEBIBYTE = 2 ** 20;
/** Where the device without an IOMMU is. */
const BARE = "0000:00:09.0";

function machine({ rules, iommu = "vtd", scalable = false, firstStage = false, guests = false, memlock }: SimulatedOptions): Machine {
  const edu = () => new EduDevice();
  const stage = firstStage ? "first" : "second";
  return {
    iommu: iommu === "amdvi" && firstStage
      ? { kind: iommu, pageTable: "v2" }
      : iommu === "vtd" && scalable
      ? { kind: iommu, scalable, stage, dirtyTracking: true }
      : iommu === "smmuv3" && guests
      ? { kind: iommu, stage: "nested", pasids: true }
      : { kind: iommu },
    // The cases know of the interrupt window of x86 alone; tests/api/software_msi_test.ts has interrupts that are translated.
    msi: "passed",
    memory: 8 * MEBIBYTE,
    kernelMemory: 2 * MEBIBYTE,
    rules: rules === "linux" ? { singleOpen: false, groupIoas: "linux" } : {},
    limits: { openFiles: OPEN_FILES, ...(memlock === undefined ? {} : { memlock }) },
    pci: [
      { slot: "03.0", model: edu },
      { slot: "04.0", model: edu },
      { slot: "05.0", model: edu },
      { slot: "05.1", model: edu },
      { kind: "pcie-to-pci", slot: "06.0", below: [{ slot: "01.0", model: edu }, { slot: "02.0", model: edu }] },
      { slot: "07.0", model: () => new NvmeController({ namespaces: [{ media: memoryMedia(65_536) }] }) },
      { slot: "08.0", model: edu },
      { slot: "08.1", model: () => new InertDevice(), driver: "e1000e" },
    ],
  };
}

/** What is left over in a machine: what is still in use, which invariants do not hold, which device models threw. */
export function leftovers({ inspect }: SimulatedKernel, checks = true): string[] {
  const used = Object.entries(inspect.usage).filter(([, count]) => count !== 0).map(([what, count]) => `${count} ${what} in use`);
  return [...used, ...(checks ? inspect.check() : []), ...inspect.modelErrors.map((error) => `a device model threw: ${String(error)}`)];
}

/** A fresh machine with a mock IOMMU, for the suites `MOCK`. */
export async function openMock(): Promise<Setup & { kernel: SimulatedKernel }> {
  const kernel = await simulated({
    iommu: { kind: "mock" },
    memory: 8 * MEBIBYTE,
    kernelMemory: 2 * MEBIBYTE,
    limits: { openFiles: OPEN_FILES },
    pci: [],
  }, { checks: true });
  return {
    kernel,
    devices: DEVICES,
    features: new Set(["mock-iommu", "resource-capability"]),
    hardware: { type: 0xfeed_beef, dataLength: 8 },
    apertureLast: 2n ** 31n - 1n,
    openFiles: OPEN_FILES,
    finish() {
      const left = leftovers(kernel);
      kernel[Symbol.dispose]();
      return left;
    },
  };
}

/** A fresh machine with a device that has no IOMMU, beside one that has, for the suites `BARE`. */
export async function openBare(): Promise<Setup & { kernel: SimulatedKernel }> {
  const kernel = await simulated({
    memory: 8 * MEBIBYTE,
    kernelMemory: 2 * MEBIBYTE,
    limits: { openFiles: OPEN_FILES },
    pci: [
      { slot: DEVICES.alone.slice(8) as "04.0", model: () => new EduDevice() },
      { slot: BARE.slice(8) as "09.0", model: () => new EduDevice({ dmaMask: 2n ** 64n - 1n }), iommu: "none" },
    ],
  }, { checks: true, onModelError: () => {} });
  return {
    kernel,
    devices: DEVICES,
    features: new Set(["own-process", "resource-capability"]),
    hardware: { type: 1, dataLength: 24 },
    apertureLast: 2n ** 48n - 1n,
    openFiles: OPEN_FILES,
    bare: BARE,
    finish() {
      const left = leftovers(kernel);
      kernel[Symbol.dispose]();
      return left;
    },
  };
}

/** A fresh machine for one case. */
export async function openSimulated(options: SimulatedOptions = {}): Promise<Setup & { kernel: SimulatedKernel }> {
  const { rules = "ours", iommu = "vtd", scalable, guests, firstStage, memlock, checks = true } = options;
  const kernel = await simulated(machine(options), { checks, onModelError: () => {} });
  const features: Feature[] = ["own-process", "reset", "bridge-dma", "latched-lines", "resource-capability"];
  if (rules === "linux") features.push("several-opens", "one-table-a-group");
  if (scalable || guests) features.push("nesting");
  if (iommu === "riscv") features.push("plain-tables");
  if (iommu === "vtd") features.push("nested-tables", "page-request-check");
  if (iommu === "vtd" || iommu === "smmuv3" || firstStage) features.push("pasid-tables");
  if (iommu === "amdvi") features.push("unattachable-pasids");
  return {
    kernel,
    devices: DEVICES,
    features: new Set(features),
    hardware: HARDWARE[iommu],
    apertureLast: 2n ** (iommu === "riscv" || firstStage ? 47n : 48n) - 1n,
    openFiles: OPEN_FILES,
    slots: { unplug: (address) => kernel.unplug(address), plug: (address) => Promise.resolve(kernel.plug(address)) },
    ...(memlock === undefined ? {} : { memlock }),
    finish() {
      const left = leftovers(kernel, checks);
      kernel[Symbol.dispose]();
      return left;
    },
  };
}
