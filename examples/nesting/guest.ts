/**
 * A guest: it writes page tables for a device in its own memory, and knows of no address but its own.
 *
 * @module
 */

/** Bytes of a page. */
export const PAGE = 4096;

/** What the guest's IOMMU and its machine do for it: the calls that leave the guest. */
export interface VirtualIommu {
  /** A device, by the guest's number of it, translates by the tables whose top one is at `root`, a guest address. */
  setRoot(device: number, root: bigint): void;
  /** Entries of the device's tables that were in use have changed, for one page. */
  invalidate(device: number, iova: bigint): void;
}

/** A page that a device of the guest asks for. */
export interface GuestFault {
  /** The guest's number of the device. */
  readonly device: number;
  /** The address that it used. */
  readonly iova: bigint;
}

/** The guest's memory: the bytes, and the guest's own address of the first one. */
export interface GuestMemory {
  readonly bytes: Uint8Array;
  readonly start: bigint;
}

/** x86-64 tables, which VT-d's first stage walks: present, writable, for users. */
const ENTRY = 7n;
/** The address in an entry. */
const ADDRESS = 0x000f_ffff_ffff_f000n;
const LEVELS = 4;
/** Address bits within a page, and those that each level takes. */
const PAGE_BITS = 12;
const LEVEL_BITS = 9;

/** A guest with one device. */
export class Guest {
  /** The faults that it was told of, oldest first. */
  readonly faults: GuestFault[] = [];
  #memory: GuestMemory;
  #view: DataView;
  #iommu: VirtualIommu;
  #device: number;
  #pages = 0;
  #root: bigint;
  /** The first and the last address at which it brings pages that its device asks for. */
  #lazy: readonly [bigint, bigint] = [0n, -1n];

  /** `device`: the guest's number of it. */
  constructor(memory: GuestMemory, iommu: VirtualIommu, device: number) {
    this.#memory = memory;
    this.#view = new DataView(memory.bytes.buffer, memory.bytes.byteOffset, memory.bytes.length);
    this.#iommu = iommu;
    this.#device = device;
    this.#root = this.allocate();
    iommu.setRoot(device, this.#root);
  }

  /** A page of the guest's memory that nothing uses. Returns its guest address. */
  allocate(): bigint {
    if ((this.#pages + 1) * PAGE > this.#memory.bytes.length) throw new RangeError("Cannot allocate: the guest has no more memory");
    return this.#memory.start + BigInt(PAGE * this.#pages++);
  }

  /** The bytes of a page, by its guest address. */
  bytesOf(page: bigint): Uint8Array {
    const offset = Number(page - this.#memory.start);
    return this.#memory.bytes.subarray(offset, offset + PAGE);
  }

  /** Let the device see a page at `iova`. What it saw there before, it may go on seeing until {@linkcode Guest.flush}. */
  map(iova: bigint, page: bigint): void {
    this.#view.setBigUint64(this.#entryOf(iova), page | ENTRY, true);
  }

  /** Say that the device's page at `iova` has changed. */
  flush(iova: bigint): void {
    this.#iommu.invalidate(this.#device, iova);
  }

  /** From now on, pages from `first` to `last` come when the device asks for them. */
  bringOnDemand(first: bigint, last: bigint): void {
    this.#lazy = [first, last];
  }

  /** The guest's fault handler. Returns whether the page is there now. */
  handleFault(fault: GuestFault): boolean {
    this.faults.push(fault);
    const [first, last] = this.#lazy;
    if (fault.device !== this.#device || fault.iova < first || last < fault.iova) return false;
    this.map(fault.iova, this.allocate());
    return true;
  }

  /** The page that the device sees at `iova` by the tables; undefined: none. */
  pageAt(iova: bigint): bigint | undefined {
    const entry = this.#view.getBigUint64(this.#entryOf(iova), true);
    return (entry & 1n) === 0n ? undefined : entry & ADDRESS;
  }

  /** Where in the memory the entry of a page is. Tables on the way are made. */
  #entryOf(iova: bigint): number {
    let table = this.#root;
    for (let level = LEVELS - 1;; level--) {
      const index = iova >> BigInt(PAGE_BITS + LEVEL_BITS * level) & (1n << BigInt(LEVEL_BITS)) - 1n;
      const at = Number(table - this.#memory.start + 8n * index);
      if (level === 0) return at;
      const entry = this.#view.getBigUint64(at, true);
      if ((entry & 1n) === 0n) this.#view.setBigUint64(at, this.allocate() | ENTRY, true);
      table = this.#view.getBigUint64(at, true) & ADDRESS;
    }
  }
}
