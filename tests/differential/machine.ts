/**
 * The simulated machine that is compared with the kernel's mock IOMMU.
 *
 * @module
 */
import { simulated, type SimulatedKernel } from "../../backends/simulated/mod.ts";

const MIB = 2 ** 20;

/** Boot it. */
export function bootMock(): Promise<SimulatedKernel> {
  return simulated({ iommu: { kind: "mock" }, memory: 32 * MIB, kernelMemory: 4 * MIB, pci: [] }, { checks: true });
}
