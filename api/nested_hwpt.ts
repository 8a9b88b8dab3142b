/**
 * A page table of the program's or its guest's own on top of one of the kernel's: nested translation.
 *
 * @module
 */
import * as uapi from "../uapi/codec.ts";
import { ERRNO } from "../uapi/errno.ts";
import { checkU64 } from "./arguments.ts";
import type { BoundDevice } from "./bound_device.ts";
import { allocateBlock, closed, failed } from "./error.ts";
import { type Life, takeAll, track } from "./handle.ts";
import type { Hwpt } from "./hwpt.ts";
import type { Ioas } from "./ioas.ts";
import { type Session, sessionOf } from "./session.ts";

/** Tables that the program or its guest writes itself. */
export interface FirstStage {
  /** VT-d first stage: x86-64 page tables (VT-d specification, 9.7; iommufd's HWPT_DATA_VTD_S1). */
  readonly type: "vtd";
  /** Where the top table is, an I/O address of the IOAS; a multiple of 4,096. */
  readonly root: bigint;
  /** 4 for 48 bits of address, 5 for 57. */
  readonly levels: 4 | 5;
  /** Let the IOMMU set the extended accessed bit, bit 10, of each entry that it uses. Default: false. */
  readonly extendedAccessed?: boolean;
  /** Take requests of supervisors. Default: false. */
  readonly supervisor?: boolean;
  /** Keep supervisors too from writing what may only be read. Default: false. */
  readonly writeProtect?: boolean;
}

/** What a nested page table must be able to do: flags of HWPT_ALLOC. */
export interface NestedOptions {
  /** To be attached to PASIDs, as {@linkcode HwptOptions.pasid}. Default: false. */
  readonly pasid?: boolean;
}

/** Pages whose entries have changed. */
export interface Invalidation {
  /** First address; a multiple of 4,096. */
  readonly iova: bigint;
  /** Pages of 4 KiB. With `iova` 0, `"all"` is everything. */
  readonly pages: bigint | "all";
  /** Only entries of pages have changed, none that leads to a table: caches of those may stay. Default: false. */
  readonly leavesOnly?: boolean;
}

/** The largest number of pages: everything. */
const ALL_PAGES = 2n ** 64n - 1n;
const WIDTHS = { 4: 48, 5: 57 } as const;
/** Most entries of one request. */
const ENTRIES_MAX = 2 ** 19;

/** A page table on top of another one, for devices to be attached to. Made by {@linkcode Hwpt.createNested}. */
export class NestedHwpt implements Disposable {
  /** The page table below. */
  readonly parent: Hwpt;
  /** The address space that the tables' addresses are of. */
  readonly ioas: Ioas;
  /** Its id in the iommufd. */
  readonly id: number;
  /** What it was made to be able to do. */
  readonly options: Readonly<NestedOptions>;
  #session: Session;
  #life: Life;

  /** Made by {@linkcode Hwpt.createNested}. */
  constructor(parent: Hwpt, id: number, options: NestedOptions, gone: () => void) {
    this.parent = parent;
    this.ioas = parent.ioas;
    this.id = id;
    this.options = { ...options };
    this.#session = sessionOf(parent.ioas.iommu);
    this.#life = track(this, this.#session.kernel, "NestedHwpt");
    this.#session.add(id, this, () => {
      this.#life.end();
      gone();
    });
  }

  /**
   * Say that entries of the tables have changed: HWPT_INVALIDATE. Until then the IOMMU may use what it has cached of them. An entry that was not
   * present before needs none.
   *
   * @throws {TypeError} @throws {RangeError} for what is no address or number of pages.
   * @throws {IommuError} EINVAL, EOPNOTSUPP: `values.done` says how many were invalidated before the one that is wrong.
   */
  invalidate(changes: readonly Invalidation[]): void {
    if (!this.#life.isOpen) throw closed("NestedHwpt", "HWPT_INVALIDATE");
    this.#session.begin("HWPT_INVALIDATE");
    const entries = changes.map(({ iova, pages, leavesOnly }) => ({
      addr: checkU64(iova, "the address of an invalidation"),
      npages: pages === "all" ? ALL_PAGES : checkU64(pages, "a number of pages"),
      flags: leavesOnly ? uapi.VTD_INV_FLAGS_LEAF : 0,
    }));
    for (let at = 0; at < entries.length; at += ENTRIES_MAX) this.#send(entries.slice(at, at + ENTRIES_MAX), at);
  }

  #send(entries: readonly uapi.HwptVtdS1Invalidate[], before: number): void {
    const { kernel, fd } = this.#session;
    using block = allocateBlock(kernel, uapi.HwptInvalidateSize + entries.length * uapi.HwptVtdS1InvalidateSize);
    entries.forEach((entry, index) => {
      uapi.putHwptVtdS1Invalidate(block.view, uapi.HwptInvalidateSize + index * uapi.HwptVtdS1InvalidateSize, entry);
    });
    uapi.putHwptInvalidate(block.view, 0, {
      hwptId: this.id,
      dataUptr: block.address + BigInt(uapi.HwptInvalidateSize),
      dataType: uapi.HWPT_INVALIDATE_DATA_VTD_S1,
      entryLen: uapi.HwptVtdS1InvalidateSize,
      entryNum: entries.length,
    });
    const result = kernel.ioctl(fd, uapi.HWPT_INVALIDATE, block);
    if (result >= 0) return;
    const done = before + uapi.getHwptInvalidate(block.view, 0).entryNum;
    throw failed("hwptInvalidate", result, { hwpt: this.id, done, count: before + entries.length });
  }

  /** Detach devices and PASIDs that are attached to it, and destroy it. */
  [Symbol.dispose](): void {
    if (!this.#life.isOpen) return;
    takeAll([...this.#session.detachFrom((target) => target === this), () => this.#session.dispose(this.id)]);
  }
}

/** HWPT_ALLOC on top of a page table. Returns the id. */
export function allocateNested(parent: Hwpt, device: BoundDevice, table: FirstStage, { pasid }: NestedOptions): number {
  const { iommu } = parent.ioas;
  const session = sessionOf(iommu);
  session.begin("HWPT_ALLOC");
  const values = { parent: parent.id, device: device.id };
  // The id of a device that is gone may be that of another one by now.
  if (!device.deviceFd.isOpen) throw closed("BoundDevice", "HWPT_ALLOC");
  if (device.iommu !== iommu) throw failed("hwptNest", -ERRNO.ENOENT, values, "The device is bound to another iommu_fd.");
  const { root, levels, extendedAccessed, supervisor, writeProtect } = checkTable(table);
  using block = allocateBlock(session.kernel, uapi.HwptAllocSize + uapi.HwptVtdS1Size);
  const flags = (supervisor ? uapi.VTD_S1_SRE : 0n) | (extendedAccessed ? uapi.VTD_S1_EAFE : 0n) | (writeProtect ? uapi.VTD_S1_WPE : 0n);
  uapi.putHwptVtdS1(block.view, uapi.HwptAllocSize, { flags, pgtblAddr: root, addrWidth: WIDTHS[levels] });
  uapi.putHwptAlloc(block.view, 0, {
    flags: pasid ? uapi.HWPT_ALLOC_PASID : 0,
    devId: device.id,
    ptId: parent.id,
    dataType: uapi.HWPT_DATA_VTD_S1,
    dataLen: uapi.HwptVtdS1Size,
    dataUptr: block.address + BigInt(uapi.HwptAllocSize),
    faultId: 0,
  });
  const result = session.kernel.ioctl(session.fd, uapi.HWPT_ALLOC, block);
  if (result >= 0) return uapi.getHwptAllocOutHwptId(block.view, 0);
  const isParent = result !== -ERRNO.EINVAL || parent.options.nestParent;
  throw failed("hwptNest", result, values, isParent ? undefined : "The page table was made without { nestParent: true }.");
}

/** @throws {TypeError} @throws {RangeError} */
function checkTable(table: FirstStage): FirstStage {
  if (table.type !== "vtd") throw new RangeError(`Cannot nest tables of type "${String(table.type)}": "vtd" is known`);
  if (!Object.hasOwn(WIDTHS, table.levels)) throw new RangeError(`Cannot nest tables of ${table.levels} levels: it is 4 or 5`);
  if (checkU64(table.root, "the address of a table") % 4096n !== 0n) {
    throw new RangeError(`Cannot use 0x${table.root.toString(16)} as the address of a table: a multiple of 4096 is needed`);
  }
  return table;
}
