/**
 * Events that an IOMMU reports to a guest: a queue that delivers them, and says which were lost.
 *
 * @module
 */
import * as uapi from "../uapi/codec.ts";
import type { Block } from "../uapi/kernel.ts";
import { checkCount, U32_LAST } from "./arguments.ts";
import { allocateBlock, closed, closeFile, failed } from "./error.ts";
import { type Life, takeAll, track } from "./handle.ts";
import { type Session, sessionOf } from "./session.ts";
import { steps, untilTaken } from "./steps.ts";
import type { Viommu } from "./viommu.ts";

/** Which events, and how many wait. */
export interface EventQueueOptions {
  /** The kind, which the IOMMU's driver must know: one of iommufd's VEVENTQ_TYPE. */
  readonly type: number;
  /** Events that wait to be read at most, 1 to 2^19: those that come beyond are lost. */
  readonly depth: number;
  /** Bytes of an event. Default: those of the kind, if the library knows it. */
  readonly eventLength?: number;
}

/** An event of a virtual IOMMU, in the form that the guest's driver expects. */
export interface VirtualEvent {
  /** The IOMMU's driver numbers events, lost ones too, from 0 to 2^31 − 1 and from 0 again. */
  readonly sequence: number;
  /** Events that were lost since the record before this one. */
  readonly lost: number;
  /** The event; undefined where the record only says that the newest ones were lost. */
  readonly data: Uint8Array | undefined;
}

/** Bytes of events by kind. */
const LENGTHS: Readonly<Record<number, number>> = {
  [uapi.VEVENTQ_TYPE_ARM_SMMUV3]: uapi.VeventArmSmmuv3Size,
  [uapi.VEVENTQ_TYPE_TEGRA241_CMDQV]: uapi.VeventTegra241CmdqvSize,
  [uapi.VEVENTQ_TYPE_SELFTEST]: uapi.ViommuEventSelftestSize,
};
/** Events that one read has room for. */
const ROOM = 64;
const EVENT_MAX = 4096;
const DEPTH_MAX = 2 ** 19;
/** Numbers of events wrap here. */
const SEQUENCES = 2 ** 31;

/**
 * A queue of events of a virtual IOMMU. Made by {@linkcode Viommu.createEventQueue}.
 *
 * @example
 * ```ts ignore
 * for await (const { data, lost } of queue) {
 *   if (lost > 0) console.warn(`${lost} events were lost`);
 *   if (data !== undefined) guest.injectEvent(data);
 * }
 * ```
 */
export class EventQueue implements AsyncIterable<VirtualEvent>, Disposable {
  /** The virtual IOMMU. */
  readonly viommu: Viommu;
  /** The kind of its events. */
  readonly type: number;
  /** Its id in the iommufd. */
  readonly id: number;
  /** Its file, for raw system calls. */
  readonly fd: number;
  #session: Session;
  #life: Life;
  #room: Block;
  #eventLength: number;
  #last = SEQUENCES - 1;
  /** Records that were read with an earlier one. */
  #unseen: VirtualEvent[] = [];

  /** Made by {@linkcode Viommu.createEventQueue}. Takes the file over. */
  constructor(
    viommu: Viommu,
    { id, fd, type, eventLength }: { id: number; fd: number; type: number; eventLength: number },
    gone: () => void,
  ) {
    this.viommu = viommu;
    this.type = type;
    this.id = id;
    this.fd = fd;
    this.#eventLength = eventLength;
    this.#session = sessionOf(viommu.parent.ioas.iommu);
    this.#room = allocateBlock(this.#session.kernel, ROOM * (uapi.VeventHeaderSize + eventLength));
    this.#life = track(this, this.#session.kernel, "EventQueue");
    this.#session.add(id, this, () => {
      this.#life.end();
      gone();
    });
  }

  /** The next event, without waiting; undefined: there is none. @throws {IommuError} EBADF once the queue is disposed. */
  take(): VirtualEvent | undefined {
    if (!this.#life.isOpen) throw closed("EventQueue", "read");
    if (this.#unseen.length === 0) this.#unseen = this.#read();
    return this.#unseen.shift();
  }

  /** Wait for an event. Resolves with undefined once the queue is disposed. Rejects with the signal's reason when it aborts. */
  wait(signal?: AbortSignal): Promise<VirtualEvent | undefined> {
    return untilTaken({
      kernel: this.#session.kernel,
      fd: this.fd,
      isOpen: () => this.#life.isOpen,
      take: () => this.take(),
      failed: (result) => failed("eventWait", result, { queue: this.id }),
    }, signal);
  }

  /** Each step waits for an event. The iteration ends when the queue is disposed; leaving it early leaves the queue open. */
  [Symbol.asyncIterator](): AsyncIterableIterator<VirtualEvent> {
    return steps((signal) => this.wait(signal));
  }

  /** Close its file and destroy it. */
  [Symbol.dispose](): void {
    if (!this.#life.isOpen) return;
    takeAll([
      () => closeFile(this.#session.kernel, this.fd, `the file of event queue ${this.id}`),
      () => this.#session.dispose(this.id),
      () => this.#life.end(),
      () => this.#room[Symbol.dispose](),
    ]);
  }

  #read(): VirtualEvent[] {
    const result = this.#session.kernel.read(this.fd, this.#room, this.#room.bytes.length);
    if (result < 0) throw failed("eventRead", result, { queue: this.id });
    const events: VirtualEvent[] = [];
    for (let at = 0; at < result;) {
      const { flags, sequence } = uapi.getVeventHeader(this.#room.view, at);
      const isLost = (flags & uapi.VEVENTQ_FLAG_LOST_EVENTS) !== 0;
      const since = (sequence - this.#last + SEQUENCES) % SEQUENCES;
      this.#last = sequence;
      at += uapi.VeventHeaderSize;
      const data = isLost ? undefined : this.#room.bytes.slice(at, at + this.#eventLength);
      at += data?.length ?? 0;
      events.push({ sequence, lost: isLost ? since : since - 1, data });
    }
    return events;
  }
}

/** Make a queue: VEVENTQ_ALLOC. @throws {RangeError} @throws {IommuError} */
export function createEventQueue(viommu: Viommu, options: EventQueueOptions, gone: () => void): EventQueue {
  const { type, depth, eventLength = LENGTHS[options.type] } = options;
  checkCount(type, "the type of an event queue", 0, U32_LAST);
  checkCount(depth, "the depth of an event queue", 1, DEPTH_MAX);
  if (eventLength === undefined) throw new RangeError(`Cannot read events of type ${type}: give their eventLength`);
  checkCount(eventLength, "the length of an event", 1, EVENT_MAX);
  const session = sessionOf(viommu.parent.ioas.iommu);
  const view = session.begin("VEVENTQ_ALLOC");
  uapi.putVeventqAlloc(view, 0, { flags: 0, viommuId: viommu.id, type, veventqDepth: depth });
  const result = session.send(uapi.VEVENTQ_ALLOC);
  if (result < 0) throw failed("eventQueueAlloc", result, { viommu: viommu.id, type, depth });
  const { outVeventqId: id, outVeventqFd: fd } = uapi.getVeventqAlloc(view, 0);
  try {
    return new EventQueue(viommu, { id, fd, type, eventLength }, gone);
  } catch (error) {
    takeAll([() => closeFile(session.kernel, fd, "the file of an event queue"), () => session.dispose(id)]);
    throw error;
  }
}
