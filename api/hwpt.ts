/**
 * A hardware page table that the program made itself.
 *
 * @module
 */
import * as uapi from "../uapi/codec.ts";
import type { DeviceObject } from "./device_object.ts";
import { bitmapBlock, checkRange, type DirtyBitmap, type DirtyRange } from "./dirty_bitmap.ts";
import { closed, failed } from "./error.ts";
import { explainUntracked } from "./explain/hwpt.ts";
import type { FaultQueue } from "./fault_queue.ts";
import { type Life, takeAll, track } from "./handle.ts";
import type { Ioas } from "./ioas.ts";
import { allocateNested, type FirstStage, NestedHwpt, type NestedOptions } from "./nested_hwpt.ts";
import { type Session, sessionOf } from "./session.ts";
import { allocateViommu, Viommu, type ViommuOptions } from "./viommu.ts";

/** What a page table must be able to do: flags of HWPT_ALLOC. */
export interface HwptOptions {
  /** To be the second stage below tables of the program's or its guest's own ({@linkcode Hwpt.createNested}). Default: false. */
  readonly nestParent?: boolean;
  /** To tell which pages devices have written to ({@linkcode Hwpt.setDirtyTracking}), if {@linkcode HwInfo.dirtyTracking} says so. Default: false. */
  readonly dirtyTracking?: boolean;
  /** To be attached to PASIDs ({@linkcode AttachOptions.pasid}), and to be what a device itself is attached to beside them. Default: false. */
  readonly pasid?: boolean;
  /**
   * Where page faults of its devices go. Intel's driver then attaches devices alone that ask for pages (ENODEV). Not together with `nestParent`.
   * Default: nowhere, devices give up.
   */
  readonly faultQueue?: FaultQueue;
}

/** Which pages were written to, and whether that is forgotten. */
export interface DirtyBitmapRequest extends DirtyRange {
  /** Whether pages that are told of are clean from now on. Default: true. */
  readonly clear?: boolean;
}

/** A page table of an I/O address space, for devices to be attached to. Made by {@linkcode Ioas.createHwpt}. */
export class Hwpt implements Disposable {
  /** The address space that it holds the mappings of. */
  readonly ioas: Ioas;
  /** Its id in the iommufd. */
  readonly id: number;
  /** What it was made to be able to do. */
  readonly options: Readonly<HwptOptions>;
  #session: Session;
  #life: Life;
  #nested = new Set<NestedHwpt>();
  #viommus = new Set<Viommu>();

  /** Made by {@linkcode Ioas.createHwpt}. */
  constructor(ioas: Ioas, id: number, options: HwptOptions, gone: () => void) {
    this.ioas = ioas;
    this.id = id;
    this.options = { ...options };
    this.#session = sessionOf(ioas.iommu);
    this.#life = track(this, this.#session.kernel, "Hwpt");
    this.#session.add(id, this, () => {
      this.#life.end();
      gone();
    });
  }

  /** Page tables on top of it that were made with {@linkcode createNested} and are not disposed. */
  get nested(): ReadonlySet<NestedHwpt> {
    return this.#nested;
  }

  /**
   * Make a page table on top of this one for the IOMMU of a device: HWPT_ALLOC with the page table as its parent. The program, or its guest, writes the
   * tables of the first stage itself; all addresses in them are I/O addresses of {@linkcode ioas}.
   *
   * What tables are is not looked at before a device is attached, what is in them not before it does DMA.
   *
   * @throws {TypeError} @throws {RangeError} for a table that cannot be.
   * @throws {IommuError} EINVAL if this page table was not made with `nestParent`, EOPNOTSUPP if the IOMMU does not nest, ENOMEM.
   */
  createNested(device: DeviceObject, table: FirstStage, options: NestedOptions = {}): NestedHwpt {
    if (!this.#life.isOpen) throw closed("Hwpt", "HWPT_ALLOC");
    const id = allocateNested(this, device, table, options);
    const nested = new NestedHwpt(this, id, options, () => this.#nested.delete(nested));
    this.#nested.add(nested);
    return nested;
  }

  /**
   * Make a guest's share of the IOMMU of a device on this page table, which is the guest's memory: VIOMMU_ALLOC, Linux 6.13.
   *
   * @throws {RangeError} for a type that is none.
   * @throws {IommuError} EOPNOTSUPP if the IOMMU's driver knows no such kind (Intel's and AMD's know none), EINVAL if this page table was not made with
   * `nestParent` or the data is wrong, ENOENT, ENOMEM.
   */
  createViommu(device: DeviceObject, options: ViommuOptions): Viommu {
    if (!this.#life.isOpen) throw closed("Hwpt", "VIOMMU_ALLOC");
    const viommu = new Viommu(this, allocateViommu(this, device, options), () => this.#viommus.delete(viommu));
    this.#viommus.add(viommu);
    return viommu;
  }

  /**
   * Let the IOMMU mark pages that devices write to, or leave it: HWPT_SET_DIRTY_TRACKING. All pages are clean when it is turned on, even where it is on
   * already; it is off at first.
   *
   * @throws {IommuError} EOPNOTSUPP if this page table was not made with `dirtyTracking`.
   */
  setDirtyTracking(on: boolean): void {
    if (!this.#life.isOpen) throw closed("Hwpt", "HWPT_SET_DIRTY_TRACKING");
    const view = this.#session.begin("HWPT_SET_DIRTY_TRACKING");
    uapi.putHwptSetDirtyTracking(view, 0, { flags: on ? uapi.HWPT_DIRTY_TRACKING_ENABLE : 0, hwptId: this.id });
    const result = this.#session.send(uapi.HWPT_SET_DIRTY_TRACKING);
    if (result < 0) throw failed("dirtyTracking", result, { hwpt: this.id }, explainUntracked(result, this.options));
  }

  /**
   * Which pages of a range devices have written to: HWPT_GET_DIRTY_BITMAP.
   *
   * Ask for whole mappings. Linux reads a range up to its first hole and says nothing of that; and where the IOMMU uses a large page, which is dirty
   * as a whole, it tells of that page only if the range has its beginning, but forgets it in any case. (`hugePages = false` keeps pages small.)
   *
   * @throws {TypeError} @throws {RangeError} for a range that is not of whole pages of `pageSize`, or a page size that is none.
   * @throws {IommuError} EOPNOTSUPP if this page table was not made with `dirtyTracking`, EINVAL for pages smaller than those of the IOAS.
   */
  dirtyBitmap({ clear = true, ...range }: DirtyBitmapRequest): DirtyBitmap {
    const asked = checkRange(range, 1);
    if (!this.#life.isOpen) throw closed("Hwpt", "HWPT_GET_DIRTY_BITMAP");
    this.#session.begin("HWPT_GET_DIRTY_BITMAP");
    const { kernel, fd } = this.#session;
    using memory = bitmapBlock(kernel, asked);
    const { block, address } = memory;
    const { iova, length, pageSize } = asked;
    const flags = clear ? 0 : uapi.HWPT_GET_DIRTY_BITMAP_NO_CLEAR;
    uapi.putHwptGetDirtyBitmap(block.view, 0, { hwptId: this.id, flags, iova, length, pageSize: BigInt(pageSize), data: address });
    const result = kernel.ioctl(fd, uapi.HWPT_GET_DIRTY_BITMAP, block);
    if (result < 0) throw failed("dirtyBitmap", result, { hwpt: this.id, iova, length }, explainUntracked(result, this.options));
    return memory.read();
  }

  /** Dispose virtual IOMMUs and page tables on top of it, detach devices and PASIDs that are attached to it, and destroy it. */
  [Symbol.dispose](): void {
    if (!this.#life.isOpen) return;
    takeAll([
      ...[...this.#viommus, ...this.#nested].map((user) => () => user[Symbol.dispose]()),
      ...this.#session.detachFrom((target) => target === this),
      () => this.#session.dispose(this.id),
    ]);
  }
}
