/**
 * Page faults of devices: a queue that delivers them, and their answers.
 *
 * @module
 */
import * as uapi from "../uapi/codec.ts";
import { ERRNO } from "../uapi/errno.ts";
import type { Block } from "../uapi/kernel.ts";
import type { BoundDevice } from "./bound_device.ts";
import type { OperationKey } from "./advice.ts";
import { allocateBlock, closed, closeFile, failed, type FailedValues } from "./error.ts";
import { explainType1 } from "./explain/type1.ts";
import { type Life, takeAll, track } from "./handle.ts";
import type { Hwpt } from "./hwpt.ts";
import type { IommuFd } from "./iommu_fd.ts";
import type { NestedHwpt } from "./nested_hwpt.ts";
import { type Session, sessionOf } from "./session.ts";
import { steps, untilTaken } from "./steps.ts";

/** What a device tried, and did not find: a record of a fault queue. */
export interface PageFault {
  /** The device; undefined if it was bound by a raw request. Of devices that share a page table it is the one that was attached. */
  readonly device: BoundDevice | undefined;
  /** The device's id in the iommufd. */
  readonly deviceId: number;
  /** What the program called the device when it bound it; undefined: nothing. */
  readonly label: bigint | undefined;
  /** The address; devices ask for whole pages of 4,096 bytes. */
  readonly address: bigint;
  /** Whether it wants to read. */
  readonly read: boolean;
  /** Whether it wants to write. */
  readonly write: boolean;
  /** Whether it wants to execute what is there. */
  readonly execute: boolean;
  /** Whether the access is a privileged one. */
  readonly privileged: boolean;
  /** The PASID of the access; undefined: none. */
  readonly pasid: number | undefined;
  /** The device's own number of the group. */
  readonly group: number;
}

/** The answer to a group of faults: the pages are there, try again; or there is no such memory, give up. */
export type FaultAnswer = "success" | "invalid";

/** Faults that are answered together. The device waits until they are. */
export interface FaultGroup {
  /** The faults, in the order in which the device asked. At least one, all of one device. */
  readonly faults: readonly PageFault[];
  /** What names the group in its answer. */
  readonly cookie: number;
  /**
   * Answer all faults of the group.
   *
   * @returns false if nobody waits any more: the group was answered before, or the device was detached, moved or closed meanwhile.
   * @throws {IommuError} EBADF if the queue was disposed.
   */
  respond(answer: FaultAnswer): boolean;
}

/** Faults that one read has room for at first. */
const ROOM = 64;
/** Faults that one read has room for at most: a group has so many if the device asks for all memory at once. */
const ROOM_MAX = 1 << 16;

/**
 * A queue of page faults. Made by {@linkcode IommuFd.createFaultQueue}; page tables report to it that {@linkcode Ioas.createHwpt} makes with it.
 *
 * A device that asks for pages (PCI's Page Request Interface) and does not find one waits, and the fault comes here: map the memory, then answer the
 * group. Faults that nobody answers wait for ever: Linux has no time limit. Detaching the device ends its faults.
 *
 * Disposing it detaches devices from its page tables, and destroys those.
 *
 * @example
 * ```ts ignore
 * for await (const group of queue) {
 *   for (const { address } of group.faults) ioas.map(pageFor(address), { iova: address });
 *   group.respond("success");
 * }
 * ```
 */
export class FaultQueue implements AsyncIterable<FaultGroup>, Disposable {
  /** The iommufd that it belongs to. */
  readonly iommu: IommuFd;
  /** Its id in the iommufd. */
  readonly id: number;
  /** Its file, for raw system calls. */
  readonly fd: number;
  #session: Session;
  #life: Life;
  #tables = new Set<Hwpt | NestedHwpt>();
  #room: Block;
  #answer: Block;
  /** Groups that were read with an earlier one. */
  #unseen: FaultGroup[] = [];

  /** Made by {@linkcode IommuFd.createFaultQueue}. Takes the file over. */
  constructor(iommu: IommuFd, id: number, fd: number, gone: () => void) {
    this.iommu = iommu;
    this.id = id;
    this.fd = fd;
    this.#session = sessionOf(iommu);
    const { kernel } = this.#session;
    this.#answer = allocateBlock(kernel, uapi.HwptPageResponseSize);
    try {
      this.#room = allocateBlock(kernel, ROOM * uapi.HwptPgfaultSize);
    } catch (error) {
      this.#answer[Symbol.dispose]();
      throw error;
    }
    this.#life = track(this, kernel, "FaultQueue");
    this.#session.add(id, this, () => {
      this.#life.end();
      gone();
    });
  }

  /** The next group, without waiting; undefined: there is none. @throws {IommuError} EBADF once the queue is disposed. */
  take(): FaultGroup | undefined {
    if (!this.#life.isOpen) throw closed("FaultQueue", "read");
    if (this.#unseen.length === 0) this.#unseen = this.#read();
    return this.#unseen.shift();
  }

  /** Wait for a group. Resolves with undefined once the queue is disposed. Rejects with the signal's reason when it aborts. */
  wait(signal?: AbortSignal): Promise<FaultGroup | undefined> {
    return untilTaken({
      kernel: this.#session.kernel,
      fd: this.fd,
      isOpen: () => this.#life.isOpen,
      take: () => this.take(),
      failed: (result) => failed("faultWait", result, { queue: this.id }),
    }, signal);
  }

  /** Each step waits for a group. The iteration ends when the queue is disposed; leaving it early leaves the queue open. */
  [Symbol.asyncIterator](): AsyncIterableIterator<FaultGroup> {
    return steps((signal) => this.wait(signal));
  }

  /** A page table reports here: it goes with the queue. For {@linkcode Ioas.createHwpt} and {@linkcode NestedHwpt}. */
  reportedBy(hwpt: Hwpt | NestedHwpt): () => void {
    this.#tables.add(hwpt);
    return () => void this.#tables.delete(hwpt);
  }

  /** Detach devices from its page tables, destroy those and the queue. */
  [Symbol.dispose](): void {
    if (!this.#life.isOpen) return;
    takeAll([
      ...[...this.#tables].map((hwpt) => () => hwpt[Symbol.dispose]()),
      () => closeFile(this.#session.kernel, this.fd, `the file of fault queue ${this.id}`),
      () => this.#session.dispose(this.id),
      () => this.#life.end(),
      () => this.#room[Symbol.dispose](),
      () => this.#answer[Symbol.dispose](),
    ]);
  }

  /** All groups that fit. A group that does not fit gets more room. */
  #read(): FaultGroup[] {
    const { kernel } = this.#session;
    for (;;) {
      const room = this.#room.bytes.length;
      const result = kernel.read(this.fd, this.#room, room);
      if (result >= 0) return this.#decode(result);
      if (result !== -ERRNO.EINVAL || room >= ROOM_MAX * uapi.HwptPgfaultSize) throw failed("faultRead", result, { queue: this.id });
      const more = allocateBlock(kernel, 2 * room);
      this.#room[Symbol.dispose]();
      this.#room = more;
    }
  }

  #decode(length: number): FaultGroup[] {
    const groups = new Map<number, PageFault[]>();
    for (let at = 0; at < length; at += uapi.HwptPgfaultSize) {
      const record = uapi.getHwptPgfault(this.#room.view, at);
      const faults = groups.get(record.cookie) ?? [];
      groups.set(record.cookie, faults);
      faults.push(this.#fault(record));
    }
    return [...groups].map(([cookie, faults]) => ({ cookie, faults, respond: (answer) => this.#respond(cookie, answer) }));
  }

  #fault({ flags, devId, pasid, grpid, perm, addr }: uapi.HwptPgfault): PageFault {
    const device = [...this.#session.members].find(({ id }) => id === devId) as BoundDevice | undefined;
    const wants = (permission: number) => (perm & permission) !== 0;
    return {
      device,
      deviceId: devId,
      label: device?.label,
      address: addr,
      read: wants(uapi.PGFAULT_PERM_READ),
      write: wants(uapi.PGFAULT_PERM_WRITE),
      execute: wants(uapi.PGFAULT_PERM_EXEC),
      privileged: wants(uapi.PGFAULT_PERM_PRIV),
      pasid: (flags & uapi.PGFAULT_FLAGS_PASID_VALID) === 0 ? undefined : pasid,
      group: grpid,
    };
  }

  #respond(cookie: number, answer: FaultAnswer): boolean {
    if (answer !== "success" && answer !== "invalid") {
      throw new TypeError(`Cannot use "${String(answer)}" as an answer: it is "success" or "invalid"`);
    }
    if (!this.#life.isOpen) throw closed("FaultQueue", "write");
    const code = answer === "success" ? uapi.PAGE_RESP_SUCCESS : uapi.PAGE_RESP_INVALID;
    uapi.putHwptPageResponse(this.#answer.view, 0, { cookie, code });
    const result = this.#session.kernel.write(this.fd, this.#answer, uapi.HwptPageResponseSize);
    if (result < 0 && result !== -ERRNO.EINVAL) throw failed("faultRespond", result, { queue: this.id, cookie });
    return result > 0;
  }
}

/** Refuse a queue that is gone, or another iommufd's, for a page table. @throws {IommuError} ENOENT */
export function checkFaultQueue(queue: FaultQueue | undefined, session: Session, key: OperationKey, values: FailedValues): void {
  if (queue === undefined || session.owns(queue.id, queue)) return;
  throw failed(key, -ERRNO.ENOENT, values, "The fault queue was disposed, or belongs to another iommu_fd.");
}

/** Make a queue: FAULT_QUEUE_ALLOC. @throws {IommuError} */
export function createFaultQueue(iommu: IommuFd, gone: () => void): FaultQueue {
  const session = sessionOf(iommu);
  const view = session.begin("FAULT_QUEUE_ALLOC");
  uapi.putFaultAlloc(view, 0, { flags: 0 });
  const result = session.send(uapi.FAULT_QUEUE_ALLOC);
  if (result < 0) throw failed("faultQueueAlloc", result, {}, explainType1(session.kernel, result, "page faults"));
  const { outFaultId, outFaultFd } = uapi.getFaultAlloc(view, 0);
  try {
    return new FaultQueue(iommu, outFaultId, outFaultFd, gone);
  } catch (error) {
    takeAll([() => closeFile(session.kernel, outFaultFd, "the file of a fault queue"), () => session.dispose(outFaultId)]);
    throw error;
  }
}
