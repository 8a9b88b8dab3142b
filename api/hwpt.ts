/**
 * A hardware page table that the program made itself.
 *
 * @module
 */
import type { FaultQueue } from "./fault_queue.ts";
import { type Life, takeAll, track } from "./handle.ts";
import type { Ioas } from "./ioas.ts";
import { type Session, sessionOf } from "./session.ts";

/** What a page table must be able to do: flags of HWPT_ALLOC. */
export interface HwptOptions {
  /** To be the second stage below a guest's table. Default: false. */
  readonly nestParent?: boolean;
  /** To tell which pages devices have written. Default: false. */
  readonly dirtyTracking?: boolean;
  /** To be attached to PASIDs ({@linkcode AttachOptions.pasid}), and to be what a device itself is attached to beside them. Default: false. */
  readonly pasid?: boolean;
  /**
   * Where page faults of its devices go. Intel's driver then attaches devices alone that ask for pages (ENODEV). Not together with `nestParent`.
   * Default: nowhere, devices give up.
   */
  readonly faultQueue?: FaultQueue;
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

  /** Detach devices and PASIDs that are attached to it, and destroy it. */
  [Symbol.dispose](): void {
    if (!this.#life.isOpen) return;
    takeAll([...this.#session.detachFrom((target) => target === this), () => this.#session.dispose(this.id)]);
  }
}
