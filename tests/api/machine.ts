/**
 * A small machine for tests of the API, and what every such test asks of it at its end.
 *
 * @module
 */
import { type Machine, simulated, type SimulatedKernel } from "../../backends/simulated/mod.ts";
import { type BoundDevice, DeviceFd, type Ioas, IommuError, IommuFd, type Kernel, leaks } from "../../mod.ts";
import { check, equal, thrown } from "../check.ts";
import { Puppet } from "../rules/puppet.ts";

const MEBIBYTE = 2 ** 20;
const NOTHING = { files: 0, objects: 0, pinnedPages: 0, blocks: 0, waits: 0 };

/** PCI addresses of the devices, each alone in its group. */
export const ADDRESSES = ["0000:00:03.0", "0000:00:04.0"] as const;

/** A machine and what moves its devices. */
export interface Booted extends Disposable {
  /** Its kernel. */
  readonly kernel: SimulatedKernel;
  /** The models at {@linkcode ADDRESSES}. */
  readonly puppets: readonly [Puppet, Puppet];
}

/** Start a machine with two puppets. `options` differ from its defaults. Disposing it fails if anything is left. */
export async function boot(options: Partial<Machine> = {}): Promise<Booted> {
  const puppets = [new Puppet(), new Puppet({ msi: 4 })] as const;
  const pci = [{ slot: "03.0", model: puppets[0] }, { slot: "04.0", model: puppets[1] }] as const;
  const kernel = await simulated({ memory: 8 * MEBIBYTE, kernelMemory: 2 * MEBIBYTE, pci, ...options }, { checks: true });
  // The simulated process keeps the memory that it cut argument blocks of a size from.
  for (let length = 64; length <= 65536; length *= 2) kernel.block(length)[Symbol.dispose]();
  FREE.set(kernel, freeMemory(kernel));
  return { kernel, puppets, [Symbol.dispose]: () => finish(kernel) };
}

/** Switch a machine off. Fails if anything is left: on the machine, or in the hands of the program. */
export function finish(kernel: SimulatedKernel, handles: Kernel = kernel): void {
  equal(leaks(handles), [], "handles that were not disposed");
  equal(kernel.inspect.usage, NOTHING, "what is in use");
  equal(kernel.inspect.check(), [], "invariants");
  equal(kernel.inspect.modelErrors, [], "errors of device models");
  // What the program mapped is not counted above; but all of it can be had again.
  const free = FREE.get(kernel);
  if (free !== undefined) equal(freeMemory(kernel), free, "pages that can be mapped");
  kernel[Symbol.dispose]();
}

/** How many pages could be mapped when the machine had started. */
const FREE = new WeakMap<SimulatedKernel, number>();

/** Pages that can be mapped now. */
function freeMemory(kernel: SimulatedKernel): number {
  const taken: bigint[] = [];
  for (;;) {
    const address = kernel.mmap(0n, 4096, 3, 0x22, -1, 0);
    if (address < 0n) break;
    taken.push(address);
  }
  for (const address of taken) check(kernel.munmap(address, 4096) === 0, "a page can be given back");
  return taken.length;
}

/** What most tests work with. */
export interface Attached extends Disposable {
  /** An iommufd; disposing the whole disposes it. */
  readonly iommu: IommuFd;
  /** An address space of it. */
  readonly ioas: Ioas;
  /** A device that is attached to the address space and may do DMA. */
  readonly device: BoundDevice;
}

/** Open an iommufd, make an address space and attach a device to it. */
export function attached(kernel: Kernel, address: string = ADDRESSES[0]): Attached {
  using stack = new DisposableStack();
  const iommu = stack.use(IommuFd.open(kernel));
  const ioas = iommu.createIoas();
  const device = stack.use(DeviceFd.open(kernel, address)).bind(iommu);
  device.config.write16(4, 6);
  device.attach(ioas);
  stack.move();
  return { iommu, ioas, device, [Symbol.dispose]: () => iommu[Symbol.dispose]() };
}

/** The {@linkcode IommuError} that `run` throws. Fails if it throws none, or another error. */
export function failure(run: () => unknown, code?: string): IommuError {
  const error = thrown(run);
  if (!(error instanceof IommuError)) throw error;
  if (code !== undefined) equal(error.code, code, error.message);
  return error;
}

/** The name of the error that `run` throws: "TypeError". */
export function nameOf(run: () => unknown): string {
  const error = thrown(run);
  return error instanceof Error ? error.name : String(error);
}
