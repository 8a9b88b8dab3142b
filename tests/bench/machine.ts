/**
 * A machine to measure on, with a puppet that is bound and, if asked for, attached.
 *
 * @module
 */
import { type BoundDevice, DeviceFd, type Ioas, IommuFd, type Kernel, simulated } from "../../mod.ts";
import { Puppet } from "../rules/puppet.ts";

const MEBIBYTE = 2 ** 20;
const ADDRESS = "0000:00:04.0";
/** Configuration space: the command register, and its bits for memory and bus mastering. */
const COMMAND = 0x04;
const COMMAND_ON = 0x06;

const kept: unknown[] = [];

/** Keep something as long as the process, so that nothing is said to have been forgotten. */
export function keep<T>(value: T): T {
  kept.push(value);
  return value;
}

/** What a benchmark works with. It lives as long as the process. */
export interface Setup {
  /** The kernel. */
  readonly kernel: Kernel;
  /** An iommufd. */
  readonly iommu: IommuFd;
  /** An IOAS. */
  readonly ioas: Ioas;
  /** The device. */
  readonly device: BoundDevice;
  /** What moves it. */
  readonly puppet: Puppet;
}

/** Start a machine. @param memory MiB of RAM. @param kernelMemory MiB for objects. */
export async function setUp(options: { attached?: boolean; memory?: number; kernelMemory?: number } = {}): Promise<Setup> {
  const { attached = true, memory = 64, kernelMemory = 8 } = options;
  const puppet = new Puppet();
  const kernel = await simulated({
    memory: memory * MEBIBYTE,
    kernelMemory: kernelMemory * MEBIBYTE,
    pci: [{ slot: "04.0", model: puppet }],
  });
  const iommu = IommuFd.open(kernel);
  const ioas = iommu.createIoas();
  const device = DeviceFd.open(kernel, ADDRESS).bind(iommu);
  device.config.write16(COMMAND, COMMAND_ON);
  if (attached) device.attach(ioas);
  return keep({ kernel, iommu, ioas, device, puppet });
}

/** Memory of the process, `length` bytes, not mapped for any device. */
export function memoryOf(kernel: Kernel, length: number): { readonly address: bigint; readonly length: number } {
  const address = kernel.mmap(0n, length, 3, 0x22, -1, 0);
  if (address < 0n) throw new Error(`Cannot get ${length} bytes: ${address}`);
  return { address, length };
}
