/**
 * Queues in a guest's memory that hardware works on by itself.
 *
 * @module
 */
import * as uapi from "../uapi/codec.ts";
import { checkCount, checkLength, checkU64, U32_LAST } from "./arguments.ts";
import { failed } from "./error.ts";
import { type Life, takeAll, track } from "./handle.ts";
import { type Session, sessionOf } from "./session.ts";
import type { Viommu } from "./viommu.ts";

/** Which queue, and where it is. */
export interface HwQueueOptions {
  /** The kind, which the IOMMU's driver must know: one of iommufd's HW_QUEUE_TYPE. */
  readonly type: number;
  /** Which queue of the virtual IOMMU, from 0 on: drivers want them in their order. */
  readonly index: number;
  /** Where the guest has the queue's memory: an I/O address of the nesting parent's IOAS. Its mappings stay as long as the queue lives. */
  readonly iova: bigint;
  /** Bytes of that memory, at least 1, which must follow each other in RAM. */
  readonly length: number | bigint;
}

/**
 * A queue of commands that a guest writes and the hardware reads, past the program. Made by {@linkcode Viommu.createHwQueue}.
 *
 * Its memory is pinned: unmapping it is EBUSY while the queue lives. Disposing it disposes those of its virtual IOMMU with a larger index, which
 * drivers make depend on it.
 */
export class HwQueue implements Disposable {
  /** The virtual IOMMU. */
  readonly viommu: Viommu;
  /** Its id in the iommufd. */
  readonly id: number;
  /** The kind. */
  readonly type: number;
  /** Which queue of the virtual IOMMU. */
  readonly index: number;
  #session: Session;
  #life: Life;
  #behind: () => Iterable<HwQueue>;

  /** Made by {@linkcode Viommu.createHwQueue}. `behind`: the queues of its virtual IOMMU with a larger index. */
  constructor(viommu: Viommu, id: number, { type, index }: HwQueueOptions, gone: () => void, behind: () => Iterable<HwQueue>) {
    this.viommu = viommu;
    this.id = id;
    this.type = type;
    this.index = index;
    this.#behind = behind;
    this.#session = sessionOf(viommu.parent.ioas.iommu);
    this.#life = track(this, this.#session.kernel, "HwQueue");
    this.#session.add(id, this, () => {
      this.#life.end();
      gone();
    });
  }

  /** Dispose the queues behind it, and destroy it: its memory can be unmapped then. */
  [Symbol.dispose](): void {
    if (!this.#life.isOpen) return;
    const behind = [...this.#behind()].sort((one, other) => other.index - one.index);
    takeAll([...behind.map((queue) => () => queue[Symbol.dispose]()), () => this.#session.dispose(this.id)]);
  }
}

/** HW_QUEUE_ALLOC. Returns the id. @throws {TypeError} @throws {RangeError} @throws {IommuError} */
export function allocateHwQueue(viommu: Viommu, { type, index, iova, length }: HwQueueOptions): number {
  checkCount(type, "the type of a queue", 0, U32_LAST);
  checkCount(index, "the index of a queue", 0, U32_LAST);
  checkU64(iova, "an I/O address");
  const bytes = checkLength(length, "a length");
  const session = sessionOf(viommu.parent.ioas.iommu);
  const view = session.begin("HW_QUEUE_ALLOC");
  uapi.putHwQueueAlloc(view, 0, { flags: 0, viommuId: viommu.id, type, index, nestingParentIova: iova, length: bytes });
  const result = session.send(uapi.HW_QUEUE_ALLOC);
  if (result < 0) throw failed("hwQueueAlloc", result, { viommu: viommu.id, type, index, iova, length: bytes });
  return uapi.getHwQueueAllocOutHwQueueId(view, 0);
}
