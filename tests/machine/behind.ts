/**
 * A machine with one device behind an IOMMU of some kind, for tests of what that kind does.
 *
 * @module
 */
import type { DeviceDescription, DmaFault, Machine, SimulatedKernel } from "../../backends/simulated/mod.ts";
import { type BoundDevice, DeviceFd, IommuFd, simulated } from "../../mod.ts";
import { equal } from "../check.ts";
import { Puppet } from "../rules/puppet.ts";
import { allowDma } from "../rules/world.ts";

/** Where the device is. */
export const ADDRESS = "0000:00:03.0";

/** The machine, and what its device does. When it is disposed, the checker looks at what is left. */
export interface Behind extends Disposable {
  readonly kernel: SimulatedKernel;
  readonly iommu: IommuFd;
  /** Bind the device and let it make transfers: once. */
  bind(): BoundDevice;
  /** "OK" once the device has read, or why it was refused. */
  read(iova: bigint, pasid?: number): DmaFault | "OK";
  /** The same of a write. */
  write(iova: bigint): DmaFault | "OK";
}

/** Build it. @param description what the device has, by default PASIDs of 8 bits. */
export async function behind(
  iommu: NonNullable<Machine["iommu"]>,
  description: Partial<DeviceDescription> = { pasid: { bits: 8 } },
  more: Partial<Machine> = {},
): Promise<Behind> {
  const puppet = new Puppet(description);
  const kernel = await simulated({ pci: [{ slot: "03.0", model: puppet }], iommu, ...more }, { checks: true });
  const file = IommuFd.open(kernel);
  const fd = DeviceFd.open(kernel, ADDRESS);
  return {
    kernel,
    iommu: file,
    bind: () => {
      const device = fd.bind(file);
      allowDma(device);
      return device;
    },
    read: (iova, pasid) => puppet.bus.dma.read(iova, new Uint8Array(4), pasid) ?? "OK",
    write: (iova) => puppet.bus.dma.write(iova, new Uint8Array(4)) ?? "OK",
    [Symbol.dispose]: () => {
      fd[Symbol.dispose]();
      file[Symbol.dispose]();
      equal(kernel.inspect.check(), []);
      kernel[Symbol.dispose]();
    },
  };
}

/** The same with the device bound. */
export async function bound(...machine: Parameters<typeof behind>): Promise<Behind & { readonly device: BoundDevice }> {
  const world = await behind(...machine);
  return { ...world, device: world.bind() };
}
