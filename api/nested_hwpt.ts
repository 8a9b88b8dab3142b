/**
 * A page table of the program's or its guest's own on top of one of the kernel's: nested translation.
 *
 * @module
 */
import * as uapi from "../uapi/codec.ts";
import { checkCount, checkU64, U32_LAST } from "./arguments.ts";
import { checkDevice, type DeviceObject } from "./device_object.ts";
import { allocateBlock, closed, failed } from "./error.ts";
import { explainParent } from "./explain/hwpt.ts";
import { checkFaultQueue, type FaultQueue } from "./fault_queue.ts";
import { type Life, takeAll, track } from "./handle.ts";
import type { Hwpt } from "./hwpt.ts";
import { checkRaw, invalidate, type RawInvalidation } from "./invalidation.ts";
import type { Ioas } from "./ioas.ts";
import { type Session, sessionOf } from "./session.ts";
import type { Viommu } from "./viommu.ts";

/** x86-64 page tables that the program or its guest writes itself. */
export interface VtdFirstStage {
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

/** Tables of a kind that the library does not know, as the IOMMU's driver wants them. */
export interface RawFirstStage {
  /** Any. */
  readonly type: "raw";
  /** The kind: one of iommufd's HWPT_DATA. */
  readonly dataType: number;
  /** The struct of that kind. */
  readonly data: Uint8Array;
}

/** Tables that the program or its guest writes itself. */
export type FirstStage = VtdFirstStage | RawFirstStage;

/** What a nested page table must be able to do: flags of HWPT_ALLOC. */
export interface NestedOptions {
  /** To be attached to PASIDs, as {@linkcode HwptOptions.pasid}. Default: false. */
  readonly pasid?: boolean;
  /**
   * Where page faults go, as {@linkcode HwptOptions.faultQueue}: addresses that the tables do not map. Those that the page table below does not map
   * are none of these, but end the transfer. Default: faults end the transfer that met them.
   */
  readonly faultQueue?: FaultQueue;
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
/** Bytes of the longest struct that a driver could take. */
const DATA_MAX = 4096;
const WIDTHS = { 4: 48, 5: 57 } as const;

/** A page table on top of another one, for devices to be attached to. Made by {@linkcode Hwpt.createNested} and {@linkcode Viommu.createNested}. */
export class NestedHwpt implements Disposable {
  /** The page table below. */
  readonly parent: Hwpt;
  /** The virtual IOMMU that it was made by; undefined: none. */
  readonly viommu: Viommu | undefined;
  /** The address space that the tables' addresses are of. */
  readonly ioas: Ioas;
  /** Its id in the iommufd. */
  readonly id: number;
  /** What it was made to be able to do. */
  readonly options: Readonly<NestedOptions>;
  #session: Session;
  #life: Life;

  /** Made by {@linkcode Hwpt.createNested} and {@linkcode Viommu.createNested}. */
  constructor(below: Hwpt | Viommu, id: number, options: NestedOptions, gone: () => void) {
    this.viommu = "parent" in below ? below : undefined;
    const parent = "parent" in below ? below.parent : below;
    this.parent = parent;
    this.ioas = parent.ioas;
    this.id = id;
    this.options = { ...options };
    this.#session = sessionOf(parent.ioas.iommu);
    this.#life = track(this, this.#session.kernel, "NestedHwpt");
    const leaveQueue = options.faultQueue?.reportedBy(this);
    this.#session.add(id, this, () => {
      this.#life.end();
      gone();
      leaveQueue?.();
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
    const entries = new Uint8Array(changes.length * uapi.HwptVtdS1InvalidateSize);
    const view = new DataView(entries.buffer);
    changes.forEach(({ iova, pages, leavesOnly }, index) =>
      uapi.putHwptVtdS1Invalidate(view, index * uapi.HwptVtdS1InvalidateSize, {
        addr: checkU64(iova, "the address of an invalidation"),
        npages: pages === "all" ? ALL_PAGES : checkU64(pages, "a number of pages"),
        flags: leavesOnly ? uapi.VTD_INV_FLAGS_LEAF : 0,
      })
    );
    this.invalidateRaw({ dataType: uapi.HWPT_INVALIDATE_DATA_VTD_S1, entryLength: uapi.HwptVtdS1InvalidateSize, entries });
  }

  /**
   * {@linkcode invalidate} by entries of a kind that the library does not know.
   *
   * @throws {RangeError} for what is no whole number of entries.
   * @throws {IommuError} as {@linkcode invalidate}.
   */
  invalidateRaw(entries: RawInvalidation): void {
    const checked = checkRaw(entries);
    if (!this.#life.isOpen) throw closed("NestedHwpt", "HWPT_INVALIDATE");
    this.#session.begin("HWPT_INVALIDATE");
    invalidate(this.#session, this.id, checked);
  }

  /** Detach devices and PASIDs that are attached to it, and destroy it. */
  [Symbol.dispose](): void {
    if (!this.#life.isOpen) return;
    takeAll([...this.#session.detachFrom((target) => target === this), () => this.#session.dispose(this.id)]);
  }
}

/** HWPT_ALLOC on top of a page table, or of a virtual IOMMU on top of it. Returns the id. */
export function allocateNested(below: Hwpt | Viommu, device: DeviceObject, table: FirstStage, options: NestedOptions): number {
  const { pasid, faultQueue } = options;
  const parent = "parent" in below ? below.parent : below;
  const { iommu } = parent.ioas;
  const session = sessionOf(iommu);
  session.begin("HWPT_ALLOC");
  const values = { parent: below.id, device: device.id };
  checkDevice(device, iommu, "HWPT_ALLOC", "hwptNest", values);
  checkFaultQueue(faultQueue, session, "hwptNest", values);
  const { dataType, data } = table.type === "raw" ? checkRawTable(table) : vtdTable(table);
  using block = allocateBlock(session.kernel, uapi.HwptAllocSize + data.length);
  block.bytes.set(data, uapi.HwptAllocSize);
  uapi.putHwptAlloc(block.view, 0, {
    flags: (pasid ? uapi.HWPT_ALLOC_PASID : 0) | (faultQueue ? uapi.HWPT_FAULT_ID_VALID : 0),
    devId: device.id,
    ptId: below.id,
    dataType,
    dataLen: data.length,
    dataUptr: block.address + BigInt(uapi.HwptAllocSize),
    faultId: faultQueue?.id ?? 0,
  });
  const result = session.kernel.ioctl(session.fd, uapi.HWPT_ALLOC, block);
  if (result >= 0) return uapi.getHwptAllocOutHwptId(block.view, 0);
  throw failed("hwptNest", result, values, explainParent(result, parent.options));
}

/** @throws {TypeError} @throws {RangeError} */
function vtdTable(table: VtdFirstStage): { dataType: number; data: Uint8Array } {
  const { root, levels, extendedAccessed, supervisor, writeProtect } = checkTable(table);
  const data = new Uint8Array(uapi.HwptVtdS1Size);
  const flags = (supervisor ? uapi.VTD_S1_SRE : 0n) | (extendedAccessed ? uapi.VTD_S1_EAFE : 0n) | (writeProtect ? uapi.VTD_S1_WPE : 0n);
  uapi.putHwptVtdS1(new DataView(data.buffer), 0, { flags, pgtblAddr: root, addrWidth: WIDTHS[levels] });
  return { dataType: uapi.HWPT_DATA_VTD_S1, data };
}

/** @throws {RangeError} */
function checkRawTable({ dataType, data }: RawFirstStage): { dataType: number; data: Uint8Array } {
  checkCount(dataType, "a type of tables", 1, U32_LAST);
  checkCount(data.length, "the length of a table's data", 1, DATA_MAX);
  return { dataType, data };
}

/** @throws {TypeError} @throws {RangeError} */
function checkTable(table: VtdFirstStage): VtdFirstStage {
  if (table.type !== "vtd") throw new RangeError(`Cannot nest tables of type "${String(table.type)}": it is "vtd" or "raw"`);
  if (!Object.hasOwn(WIDTHS, table.levels)) throw new RangeError(`Cannot nest tables of ${table.levels} levels: it is 4 or 5`);
  if (checkU64(table.root, "the address of a table") % 4096n !== 0n) {
    throw new RangeError(`Cannot use 0x${table.root.toString(16)} as the address of a table: a multiple of 4096 is needed`);
  }
  return table;
}
