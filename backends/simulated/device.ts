/**
 * The plugin interface of the simulated machine: what a device model is, and the bus that it sees.
 *
 * A model describes its PCI function as data and answers register accesses. It reaches memory only through {@linkcode Bus.dma}, that is
 * through the IOMMU, and knows nothing of the kernel above. See docs/writing_a_device.md.
 *
 * @module
 */

/** One base address register. */
export interface BarDescription {
  /** 0 to 5. A 64-bit BAR also takes the next index. */
  readonly index: number;
  /** Bytes, a power of two of 16 or more. */
  readonly length: number;
  /** Takes two BAR slots and may lie above 4 GiB. Default: false. */
  readonly wide?: boolean;
  /** Reads have no side effects. Default: false. */
  readonly prefetchable?: boolean;
}

/** A PCI function as data: what its configuration space says at power-on. */
export interface DeviceDescription {
  /** PCI vendor, 16 bits. */
  readonly vendor: number;
  /** PCI device, 16 bits. */
  readonly device: number;
  /** Class, subclass and programming interface, 24 bits: 0x010802 is an NVMe controller. */
  readonly classCode: number;
  /** Revision, 8 bits. Default: 0. */
  readonly revision?: number;
  /** Subsystem vendor, 16 bits. Default: 0. */
  readonly subsystemVendor?: number;
  /** Subsystem, 16 bits. Default: 0. */
  readonly subsystem?: number;
  /** The base address registers. */
  readonly bars: readonly BarDescription[];
  /** INTx pin 1 to 4 (A to D); 0: none. Default: 0. */
  readonly interruptPin?: number;
  /** MSI vectors, a power of two of at most 32; 0: no MSI. Default: 0. */
  readonly msi?: number;
  /** MSI-X: vectors, and where table and pending bits lie. The bus answers those registers, the model does not see them. */
  readonly msix?: { readonly vectors: number; readonly bar: number; readonly table: number; readonly pending: number };
  /** A PCI Express capability with function-level reset. Default: true. */
  readonly express?: boolean;
  /**
   * The PASIDs that the function can put on its requests, if it has a PCI Express capability: an address space for each (PCI Express Base 6.20).
   * `bits` of a PASID, 1 to 20; whether such requests may be for execution, or privileged (default: false). vfio-pci hides the capability
   * from programs, GET_HW_INFO tells of it. Default: none.
   */
  readonly pasid?: { readonly bits: number; readonly execute?: boolean; readonly privileged?: boolean };
  /**
   * Whether it asks the system for pages that are missing (Address Translation Services and the Page Request Interface), so that {@linkcode Dma.onDemand}
   * waits for them. Needs `express`, and a VT-d in scalable mode. Default: false.
   */
  readonly pageRequests?: boolean;
  /** Whether it can log what it writes (VFIO's DMA_LOGGING), as devices made for migration. Default: false. */
  readonly dmaLogging?: boolean;
  /** The address bits that the function can emit, at most 64. DMA beyond them is an error of the model. Default: 64. */
  readonly addressBits?: number;
}

/** Why a DMA moved nothing more. */
export type DmaFault =
  | "bus-master-off"
  | "blocked"
  | "not-present"
  | "no-read"
  | "no-write"
  | "beyond-aperture"
  | "unplugged"
  /** Of nested translation: a first-stage table has an entry with reserved bits set. */
  | "bad-table"
  /** Of nested translation: the second stage does not let the IOMMU reach a first-stage table. */
  | "table-unreachable"
  /** Of nested translation: the second stage refuses the address that the first leads to. */
  | "second-stage"
  /** Of a device without an IOMMU: the address is that of a page table, and a write there would be the end of the kernel. */
  | "kernel-memory"
  /** Of nested translation on Arm: a page is not marked as accessed, and the guest does not let the IOMMU mark it. */
  | "not-accessed";

/** Memory as a device sees it: I/O virtual addresses, translated and checked by the IOMMU. */
export interface Dma {
  /**
   * Read `into.length` bytes of memory at `iova` into `into`.
   *
   * Returns undefined, or why it was refused; then the bytes of `into` beyond the last good page are unchanged, and the machine has a fault
   * record. `into` may be any array; one from {@linkcode Bus.allocate} spares a copy. With a `pasid` the access goes through the address space that
   * is attached to that PASID of the function; it is blocked if the function says nothing of PASIDs in its description.
   */
  read(iova: bigint, into: Uint8Array, pasid?: number): DmaFault | undefined;
  /** Write `from` to memory at `iova`, as {@linkcode Dma.read}. */
  write(iova: bigint, from: Uint8Array, pasid?: number): DmaFault | undefined;
  /**
   * Read into or write from `bytes`, and wait for pages that are not there: the function asks for them, a group of requests at a time, and goes on
   * when the program has answered.
   *
   * `done` is told as {@linkcode Dma.read} returns it; `"not-present"` also if the program answered that there is no such memory. It is called before
   * this returns where no page is missing, or the function has no {@linkcode DeviceDescription.pageRequests}. A reset ends the transfer without it.
   */
  onDemand(access: "read" | "write", iova: bigint, bytes: Uint8Array, done: (fault: DmaFault | undefined) => void, pasid?: number): void;
}

/** Memory of an IOAS that the model of an emulated device has pinned: it stays where it is until it is released. */
export interface PinnedMemory {
  /** First I/O virtual address. */
  readonly iova: bigint;
  /** Bytes. */
  readonly length: number;
  /** The memory itself, in order: what is written there is there at once. */
  readonly pieces: readonly Uint8Array[];
  /** Let go of it; the arrays must not be used any more. Nothing happens a second time, and once the device has left the IOAS. */
  release(): void;
}

/** An event that was scheduled and can be taken back. */
export interface ClockEvent {
  /** The event will not run. Harmless when it has run. */
  cancel(): void;
}

/** Virtual time of the machine. */
export interface Clock {
  /** Nanoseconds since power-on. */
  readonly now: number;
  /** Run `callback` when `nanoseconds` have passed: 0 means as soon as the machine runs its devices, never at once. */
  after(nanoseconds: number, callback: () => void): ClockEvent;
}

/** What a function sees of the machine. One for each device; alive until the machine is. */
export interface Bus {
  /** Memory, through the IOMMU. */
  readonly dma: Dma;
  /**
   * Pin whole pages of memory, to work on it directly: emulated devices alone (`Machine.emulated`). `length` may end in the middle of a page.
   *
   * A model that pins must have {@linkcode DeviceModel.unmapped}: as long as something is pinned, the program cannot unmap it. Returns why it was
   * refused: `"not-present"` also for a range that does not begin with a page, or that shall be unmapped.
   *
   * @throws {TypeError} for a PCI function, which reaches memory through the IOMMU. @throws {RangeError} for a bad address or length.
   */
  pin(iova: bigint, length: number, write: boolean): PinnedMemory | DmaFault;
  /** Virtual time. Events of a device are cancelled when it is reset. */
  readonly clock: Clock;
  /** A number from the machine's seed: 0 or more, below `limit`. */
  random(limit: number): number;
  /** Memory of the device itself that DMA copies without a detour. It lives as long as the machine. @throws {RangeError} if none is left. */
  allocate(length: number): Uint8Array;
  /** Signal interrupt `vector`: by MSI-X or MSI where the driver enabled it, else by asserting the INTx pin (then `vector` does not matter). */
  raise(vector: number): void;
  /** Deassert the INTx pin. Nothing happens where messages are used. */
  lower(): void;
  /** Which kind of interrupt the driver has enabled. */
  readonly interruptMode: "none" | "intx" | "msi" | "msix";
  /**
   * Tell the machine that work goes on outside its virtual time (a media read that returned a promise), so that waiting for the device
   * waits for that too. Resolving resumes the machine. @returns the promise, for chaining.
   */
  pending<T>(work: Promise<T>): Promise<T>;
}

/** A simulated PCI function. */
export interface DeviceModel {
  /** What the configuration space shows. Constant. */
  readonly description: DeviceDescription;
  /** Called once, when the machine is built. */
  connect(bus: Bus): void;
  /** Back to the power-on state: function-level reset, and each time a driver lets the device go. Media keep their content. */
  reset(): void;
  /** A read of 1, 2 or 4 bytes in a BAR. `offset` is aligned to `width`. Returns an unsigned number. Unknown registers read 0. */
  read(bar: number, offset: number, width: 1 | 2 | 4): number;
  /** A write of 1, 2 or 4 bytes in a BAR, as {@linkcode DeviceModel.read}. */
  write(bar: number, offset: number, width: 1 | 2 | 4, value: number): void;
  /** A read of 8 bytes. Without it the bus makes two reads of 4, low half first. */
  read64?(bar: number, offset: number): bigint;
  /**
   * Of an emulated device: memory from `iova` to `last` shall be unmapped, or, from 0 to 2^64 − 1, the device leaves its IOAS. The model releases what it
   * has pinned there before it returns; it is asked a hundred times, then the program's request fails with EDEADLK.
   */
  unmapped?(iova: bigint, last: bigint): void;
  /**
   * The bytes of a BAR that is plain memory, such as a controller memory buffer: as many as the BAR is long, the same ones always. Programs and other devices read and
   * write them, and the model sees no access. Asked once, after {@linkcode DeviceModel.connect}; undefined for BARs with registers.
   */
  memory?(bar: number): Uint8Array | undefined;
  /** A write of 8 bytes. Without it the bus makes two writes of 4, low half first. */
  write64?(bar: number, offset: number, value: bigint): void;
}
