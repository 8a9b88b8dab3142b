/**
 * A small hypervisor, as far as devices go: it gives a guest memory and a device, and stands between the guest's IOMMU and the host's.
 *
 * @module
 */
import {
  type BoundDevice,
  DeviceFd,
  type DmaBuffer,
  type FaultGroup,
  type FaultQueue,
  type Hwpt,
  IommuFd,
  type Kernel,
} from "../../mod.ts";
import type { NestedHwpt } from "../../mod.ts";
import type { GuestFault, GuestMemory, VirtualIommu } from "./guest.ts";

/** What a hypervisor gives to its guest. */
export interface HypervisorOptions {
  /** PCI address of the device on the host. */
  readonly address: string;
  /** The number that the guest has for it. */
  readonly guestDevice: number;
  /** Bytes of the guest's memory; whole pages. */
  readonly memory: number;
}

/** The guest's memory begins here, by its own addresses: 1 GiB. */
const MEMORY_START = 0x4000_0000n;

/** A guest's memory, its device and its IOMMU. Disposing it takes everything back. */
export class Hypervisor implements VirtualIommu, Disposable {
  /** The device, by the host. */
  readonly device: BoundDevice;
  /** How often the guest had translations dropped. */
  invalidations = 0;
  #stack: DisposableStack;
  #memory: DmaBuffer;
  #parent: Hwpt;
  #queue: FaultQueue;
  #guestDevice: number;
  #tables: NestedHwpt | undefined;

  /** Take the device, and make the guest's memory. @throws {IommuError} EOPNOTSUPP where the IOMMU does not nest. */
  constructor(kernel: Kernel, { address, guestDevice, memory }: HypervisorOptions) {
    using stack = new DisposableStack();
    const iommu = stack.use(IommuFd.open(kernel));
    // An I/O address of this space is an address of the guest's memory: the second stage of the translation.
    const ioas = stack.use(iommu.createIoas());
    this.#memory = ioas.createDmaBuffer(memory, { iova: MEMORY_START });
    this.#queue = stack.use(iommu.createFaultQueue());
    // Faults will call the device by the guest's number.
    this.device = stack.use(DeviceFd.open(kernel, address)).bind(iommu, { label: BigInt(guestDevice) });
    this.#parent = ioas.createHwpt(this.device, { nestParent: true });
    this.#guestDevice = guestDevice;
    this.#stack = stack.move();
  }

  /** The guest's memory. */
  get memory(): GuestMemory {
    return { bytes: this.#memory.bytes, start: this.#memory.iova };
  }

  /** The guest's table becomes the first stage, on top of its memory. */
  setRoot(device: number, root: bigint): void {
    this.#check(device);
    const tables = this.#parent.createNested(this.device, { type: "vtd", root, levels: 4 }, { faultQueue: this.#queue });
    // A move: there is no moment in which the device sees neither.
    this.device.attach(tables);
    this.#tables?.[Symbol.dispose]();
    this.#tables = tables;
  }

  /** The host's IOMMU has what it cached of the guest's tables; the guest cannot reach it itself. */
  invalidate(device: number, iova: bigint): void {
    this.#check(device);
    this.invalidations++;
    this.#tables?.invalidate([{ iova, pages: 1n, leavesOnly: true }]);
  }

  /** Pass on to the guest what its device asks for, until the hypervisor is disposed. */
  async serve(handle: (fault: GuestFault) => boolean): Promise<void> {
    for await (const group of this.#queue) this.#answer(group, handle);
  }

  #answer(group: FaultGroup, handle: (fault: GuestFault) => boolean): void {
    // All are told, those behind a page that does not come too.
    const brought = group.faults.map(({ label, address }) => handle({ device: Number(label), iova: address }));
    group.respond(brought.every((isThere) => isThere) ? "success" : "invalid");
  }

  #check(device: number): void {
    if (device !== this.#guestDevice) {
      throw new RangeError(`Cannot serve device ${device}: the guest has device ${this.#guestDevice} alone`);
    }
  }

  /** Take device and memory back. */
  [Symbol.dispose](): void {
    this.#stack.dispose();
  }
}
