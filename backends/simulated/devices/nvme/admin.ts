/**
 * The admin command set: queues, Identify, features, logs, Abort, events (NVMe 1.4, chapter 5).
 *
 * @module
 */
import { hasEntrySizes } from "./registers.ts";
import type { Engine } from "./engine.ts";
import { effectsPage, ERROR_ENTRIES, firmwarePage, type Health } from "./logs.ts";
import { AsyncEvents, EVENT, EVENT_REQUESTS } from "./events.ts";
import { FEATURE, Features } from "./features.ts";
import {
  activeNamespaces,
  IDENTIFY_LENGTH,
  identifyController,
  identifyNamespace,
  type Identity,
  namespaceDescriptors,
  padded,
} from "./identify.ts";
import { IO_CHANGING, IO_OPCODES } from "./io.ts";
import type { StagingPool } from "./memory.ts";
import type { Namespace } from "./namespace.ts";
import type { PrpWalker } from "./prp.ts";
import { type Ring, ringFits } from "./queues.ts";
import { WORDS } from "./slots.ts";
import { PENDING, STATUS } from "./status.ts";

const ADMIN = {
  deleteSubmissionQueue: 0x00,
  createSubmissionQueue: 0x01,
  getLogPage: 0x02,
  deleteCompletionQueue: 0x04,
  createCompletionQueue: 0x05,
  identify: 0x06,
  abort: 0x08,
  setFeatures: 0x09,
  getFeatures: 0x0a,
  asyncEvent: 0x0c,
} as const;

const BROADCAST = 0xffff_ffff;
const NANOSECONDS_PER_HOUR = 3.6e12;

/** What the admin commands work on. */
export interface AdminParts {
  /** Queues and commands. */
  readonly engine: Engine;
  /** The command's memory. */
  readonly prp: PrpWalker;
  /** Where data passes through. */
  readonly pool: StagingPool;
  /** In the order of their identifiers, 1 and up. */
  readonly namespaces: readonly Namespace[];
  /** Counters. */
  readonly health: Health;
  /** Bytes of the largest transfer. */
  readonly transferMax: number;
  /** I/O queues of each kind. */
  readonly ioQueues: number;
  /** Entries of the largest queue. */
  readonly queueEntries: number;
  /** Interrupt vectors. */
  readonly vectors: number;
  /** Identity without what follows from the rest. */
  readonly identity: Pick<Identity, "vendor" | "serial" | "model" | "firmware" | "mdts">;
  /** CC, which holds the entry sizes. */
  configuration(): number;
  /** Nanoseconds since power-on. */
  now(): number;
}

/** Executes admin commands. */
export class AdminCommands {
  /** Values of features. */
  readonly features: Features = new Features();
  /** Events and their requests. */
  readonly events: AsyncEvents;
  #parts: AdminParts;
  #engine: Engine;
  #queuesGranted: number;
  #withoutCoalescing = new Set<number>();

  constructor(parts: AdminParts) {
    this.#parts = parts;
    this.#engine = parts.engine;
    this.#queuesGranted = parts.ioQueues;
    this.events = new AsyncEvents((slot, result) => this.#engine.finish(slot, STATUS.success, result));
  }

  /** Controller reset. */
  reset(): void {
    this.features.reset();
    this.events.reset();
    this.#queuesGranted = this.#parts.ioQueues;
    this.#withoutCoalescing.clear();
  }

  /** Whether written data may stay in a cache until Flush. */
  get writeCache(): boolean {
    return this.features.current(FEATURE.writeCache) === 1;
  }

  /** Execute the command in a slot. @returns a status or {@linkcode PENDING}. */
  execute(slot: number): number {
    const at = WORDS * slot;
    // Fused operations and scatter-gather lists are not supported.
    if ((this.#words[at]! & 0xc300) !== 0) return STATUS.invalidField;
    switch (this.#words[at]! & 0xff) {
      case ADMIN.deleteSubmissionQueue:
        return this.#deleteSubmissionQueue(at);
      case ADMIN.createSubmissionQueue:
        return this.#createSubmissionQueue(at);
      case ADMIN.getLogPage:
        return this.#getLogPage(at);
      case ADMIN.deleteCompletionQueue:
        return this.#deleteCompletionQueue(at);
      case ADMIN.createCompletionQueue:
        return this.#createCompletionQueue(at);
      case ADMIN.identify:
        return this.#identify(at);
      case ADMIN.abort:
        return this.#abort(slot);
      case ADMIN.setFeatures:
        return this.#setFeatures(slot);
      case ADMIN.getFeatures:
        return this.#getFeatures(slot);
      case ADMIN.asyncEvent:
        return this.#asyncEvent(slot);
      default:
        return STATUS.invalidOpcode;
    }
  }

  get #words(): Uint32Array {
    return this.#engine.slots.words;
  }

  /** The ring of entries of `entryLength` bytes that a create command describes, or a status. */
  #ring(at: number, entryLength: number): Ring | number {
    const words = this.#words;
    const entries = (words[at + 10]! >>> 16) + 1;
    if (entries < 2 || entries > this.#parts.queueEntries) return STATUS.invalidQueueSize;
    // CAP.CQR: queues are one piece of memory.
    if ((words[at + 11]! & 1) === 0) return STATUS.invalidField;
    const ring = { low: words[at + 6]!, high: words[at + 7]!, entries };
    if ((ring.low & 0xfff) !== 0) return STATUS.prpOffsetInvalid;
    return ringFits(ring, entryLength) && hasEntrySizes(this.#parts.configuration()) ? ring : STATUS.invalidField;
  }

  #isGranted(id: number): boolean {
    return 1 <= id && id <= this.#queuesGranted;
  }

  #createCompletionQueue(at: number): number {
    const id = this.#words[at + 10]! & 0xffff;
    if (!this.#isGranted(id) || this.#engine.completion[id] !== undefined) return STATUS.invalidQueueId;
    const ring = this.#ring(at, 16);
    if (typeof ring === "number") return ring;
    const flags = this.#words[at + 11]!;
    const vector = flags >>> 16;
    if (vector >= this.#parts.vectors) return STATUS.invalidVector;
    this.#engine.addCompletionQueue(id, ring, vector, (flags & 2) !== 0);
    return STATUS.success;
  }

  #createSubmissionQueue(at: number): number {
    const id = this.#words[at + 10]! & 0xffff;
    if (!this.#isGranted(id) || this.#engine.submission[id] !== undefined) return STATUS.invalidQueueId;
    const completionId = this.#words[at + 11]! >>> 16;
    if (!this.#isGranted(completionId)) return STATUS.invalidQueueId;
    const completion = this.#engine.completion[completionId];
    if (completion === undefined) return STATUS.completionQueueInvalid;
    const ring = this.#ring(at, 64);
    if (typeof ring === "number") return ring;
    this.#engine.addSubmissionQueue(id, ring, completion);
    return STATUS.success;
  }

  #deleteSubmissionQueue(at: number): number {
    const id = this.#words[at + 10]! & 0xffff;
    if (id === 0 || this.#engine.submission[id] === undefined) return STATUS.invalidQueueId;
    this.#engine.removeSubmissionQueue(id);
    return STATUS.success;
  }

  #deleteCompletionQueue(at: number): number {
    const id = this.#words[at + 10]! & 0xffff;
    const queue = id === 0 ? undefined : this.#engine.completion[id];
    if (queue === undefined) return STATUS.invalidQueueId;
    if (queue.users > 0) return STATUS.invalidQueueDeletion;
    this.#engine.removeCompletionQueue(id);
    return STATUS.success;
  }

  /** Send `from` as the data of a command; zeros where the host asked for more. */
  #send(at: number, from: Uint8Array, length: number): number {
    const { pool, prp } = this.#parts;
    const staging = pool.take();
    const bytes = staging.head(length);
    bytes.fill(0, from.length);
    bytes.set(from.subarray(0, length));
    let status = prp.map(this.#words, at + 6, length);
    if (status === STATUS.success && !prp.toHost(staging)) status = STATUS.dataTransferError;
    pool.give(staging);
    return status;
  }

  #identify(at: number): number {
    const answer = this.#identity(this.#words[at + 10]! & 0xff, this.#words[at + 1]!);
    return typeof answer === "number" ? answer : this.#send(at, answer, IDENTIFY_LENGTH);
  }

  #identity(structure: number, namespaceId: number): Uint8Array | number {
    const { namespaces, identity } = this.#parts;
    const namespace = namespaces[namespaceId - 1];
    switch (structure) {
      case 0x00:
        return namespace === undefined ? STATUS.invalidNamespace : identifyNamespace(namespace, identity.serial);
      case 0x01:
        return identifyController({
          ...identity,
          errorEntries: ERROR_ENTRIES,
          events: EVENT_REQUESTS,
          namespaces: namespaces.length,
        });
      case 0x02:
        return namespaceId >= BROADCAST - 1 ? STATUS.invalidNamespace : activeNamespaces(namespaces, namespaceId);
      case 0x03:
        return namespace === undefined ? STATUS.invalidNamespace : namespaceDescriptors(namespace, identity.serial);
      default:
        return STATUS.invalidField;
    }
  }

  #getLogPage(at: number): number {
    const words = this.#words;
    const id = words[at + 10]! & 0xff;
    const page = this.#logPage(id);
    if (page === undefined) return STATUS.invalidLogPage;
    const namespaceId = words[at + 1]!;
    if (namespaceId !== 0 && namespaceId !== BROADCAST) return STATUS.invalidField;
    const length = 4 * ((words[at + 10]! >>> 16) + (words[at + 11]! & 0xffff) * 65536 + 1);
    const offset = words[at + 12]! + words[at + 13]! * 2 ** 32;
    if (length > this.#parts.transferMax || offset % 4 !== 0 || offset > page.length) return STATUS.invalidField;
    const status = this.#send(at, page.subarray(offset), length);
    const retain = (words[at + 10]! & 0x8000) !== 0;
    if (status === STATUS.success && !retain) this.events.read(id);
    return status;
  }

  #logPage(id: number): Uint8Array | undefined {
    const { health, identity, now } = this.#parts;
    switch (id) {
      case 0x01:
        return this.#engine.errors.page();
      case 0x02:
        return health.page(this.#engine.errors.count, now() / NANOSECONDS_PER_HOUR);
      case 0x03:
        return firmwarePage(padded(identity.firmware, 8));
      case 0x05:
        return effectsPage(Object.values(ADMIN), IO_OPCODES, IO_CHANGING);
      default:
        return undefined;
    }
  }

  /** Dword 0, bit 0: the command was not aborted, since it completed or was not found. */
  #abort(slot: number): number {
    const target = this.#words[WORDS * slot + 10]!;
    const queue = target & 0xffff;
    const commandId = target >>> 16;
    const waiting = queue === 0 ? this.events.requests.find((request) => this.#engine.commandId(request) === commandId) : undefined;
    if (waiting !== undefined) {
      this.events.withdraw(waiting);
      this.#engine.finish(waiting, STATUS.abortRequested, 0);
    }
    this.#engine.slots.result[slot] = waiting !== undefined || this.#engine.abort(queue, commandId) ? 0 : 1;
    return STATUS.success;
  }

  #asyncEvent(slot: number): number {
    if (!this.events.request(slot)) return STATUS.eventLimitExceeded;
    this.events.deliver();
    return PENDING;
  }

  #setFeatures(slot: number): number {
    const at = WORDS * slot;
    const feature = this.#words[at + 10]! & 0xff;
    const value = this.#words[at + 11]!;
    if ((this.#words[at + 10]! & 0x8000_0000) !== 0) return STATUS.featureNotSaveable;
    switch (feature) {
      case FEATURE.numberOfQueues:
        return this.#setNumberOfQueues(slot, value);
      case FEATURE.temperatureThreshold:
        return this.#setTemperature(value);
      case FEATURE.interruptVector:
        return this.#setVector(value);
    }
    if (!this.features.has(feature)) return STATUS.invalidField;
    const status = this.features.set(feature, value);
    if (feature === FEATURE.arbitration) this.#engine.burst = 2 ** (value & 7);
    return status;
  }

  #getFeatures(slot: number): number {
    const at = WORDS * slot;
    const feature = this.#words[at + 10]! & 0xff;
    const select = (this.#words[at + 10]! >>> 8) & 7;
    const value = this.#feature(feature, this.#words[at + 11]!, select === 1 || select === 2);
    if (value < 0 || select > 3) return STATUS.invalidField;
    // Supported capabilities: changeable, neither saveable nor of a namespace.
    this.#engine.slots.result[slot] = select === 3 ? 4 : value;
    return STATUS.success;
  }

  /** The value of a feature, −1 if there is none such. */
  #feature(feature: number, selector: number, initial: boolean): number {
    const { health, vectors, ioQueues } = this.#parts;
    switch (feature) {
      case FEATURE.numberOfQueues: {
        const last = (initial ? ioQueues : this.#queuesGranted) - 1;
        return last * 65536 + last;
      }
      case FEATURE.temperatureThreshold: {
        if (((selector >>> 16) & 0xf) !== 0) return -1;
        const under = ((selector >>> 20) & 3) === 1;
        if (initial) return under ? 0 : 353;
        return under ? health.under : health.over;
      }
      case FEATURE.interruptVector: {
        const vector = selector & 0xffff;
        if (vector >= vectors) return -1;
        return vector + (!initial && this.#withoutCoalescing.has(vector) ? 0x10000 : 0);
      }
    }
    if (!this.features.has(feature)) return -1;
    return initial ? this.features.initial(feature) : this.features.current(feature);
  }

  /** Both counts are granted alike, so that each submission queue can have a completion queue. */
  #setNumberOfQueues(slot: number, value: number): number {
    const submission = value & 0xffff;
    const completion = value >>> 16;
    if (submission === 0xffff || completion === 0xffff) return STATUS.invalidField;
    const inUse = [this.#engine.submission, this.#engine.completion].some((queues) => queues.some((queue, id) => id > 0 && queue));
    if (inUse) return STATUS.sequenceError;
    this.#queuesGranted = Math.min(Math.max(submission, completion) + 1, this.#parts.ioQueues);
    const last = this.#queuesGranted - 1;
    this.#engine.slots.result[slot] = (last << 16) | last;
    return STATUS.success;
  }

  #setTemperature(value: number): number {
    const { health } = this.#parts;
    const sensor = (value >>> 16) & 0xf;
    const kind = (value >>> 20) & 3;
    if ((sensor !== 0 && sensor !== 0xf) || kind > 1) return STATUS.invalidField;
    if (kind === 1) health.under = value & 0xffff;
    else health.over = value & 0xffff;
    if (health.warned && (this.features.current(FEATURE.asyncEvents) & 2) !== 0) this.events.happened(EVENT.temperature);
    return STATUS.success;
  }

  #setVector(value: number): number {
    const vector = value & 0xffff;
    if (vector >= this.#parts.vectors) return STATUS.invalidField;
    if ((value & 0x10000) !== 0) this.#withoutCoalescing.add(vector);
    else this.#withoutCoalescing.delete(vector);
    return STATUS.success;
  }
}
