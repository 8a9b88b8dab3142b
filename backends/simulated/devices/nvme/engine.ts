/**
 * The controller's engine: fetches commands when doorbells ring, holds them until they are due, has them executed, posts completions.
 *
 * @module
 */
import type { Bus, ClockEvent } from "../../device.ts";
import { Interrupts } from "./interrupts.ts";
import { ErrorLog } from "./logs.ts";
import { HostMemory } from "./memory.ts";
import { CompletionQueue, type Ring, SubmissionQueue } from "./queues.ts";
import { CommandSlots, SLOT, WORDS } from "./slots.ts";
import { MORE, PENDING, STATUS } from "./status.ts";

/** Commands that the controller holds at once; further ones wait in their queues. A power of two. */
export const SLOTS = 1024;
/** Entries moved by one DMA. */
const BATCH = 64;
const SUBMISSION_ENTRY = 64;
const COMPLETION_ENTRY = 16;

/** Nanoseconds of what the engine itself does. */
export interface EngineTiming {
  /** From a doorbell to the fetch of the commands. */
  readonly fetch: number;
  /** Completions come at multiples of this: what is ready by then is posted together. */
  readonly tick: number;
}

/** What the engine asks of the rest of the controller. */
export interface EngineHost {
  /** Nanoseconds that a command takes. */
  latency(slot: number): number;
  /** Execute a command: a status, or {@linkcode PENDING} if {@linkcode Engine.finish} will be called later. */
  execute(slot: number): number;
  /** A doorbell was written that does not exist (`value` false), or with a value that it can not have. */
  badDoorbell(value: boolean): void;
}

/** Queues and the commands in them. */
export class Engine {
  /** Commands in flight. */
  readonly slots: CommandSlots = new CommandSlots(SLOTS);
  /** The host's memory. */
  readonly memory: HostMemory;
  /** Submission queues by identifier. */
  readonly submission: (SubmissionQueue | undefined)[];
  /** Completion queues by identifier. */
  readonly completion: (CompletionQueue | undefined)[];
  /** Interrupts. */
  readonly interrupts: Interrupts;
  /** Errors so far. */
  readonly errors: ErrorLog = new ErrorLog();
  /** The controller could not go on: CSTS.CFS. */
  fatal = false;
  /** Commands fetched from a queue in its turn. */
  burst: number = BATCH;
  /** Counts the controller's resets: slots of an earlier epoch mean nothing any more. */
  epoch = 0;
  #bus: Bus;
  #host: EngineHost;
  #timing: EngineTiming;
  #running = false;
  #turn = 0;
  /** Entries in all submission queues that wait to be fetched. */
  #unfetched = 0;
  #fetchEvent: ClockEvent | undefined;
  #dueEvent: ClockEvent | undefined;
  #dueAt = Infinity;
  #ready = new Set<CompletionQueue>();
  #entries: DataView;
  #completions: DataView;
  #fetchViews: Uint8Array[];
  #postViews: Uint8Array[];

  /** @param queues identifiers of queues, the admin queue included. */
  constructor(bus: Bus, host: EngineHost, timing: EngineTiming, queues: number) {
    this.#bus = bus;
    this.#host = host;
    this.#timing = timing;
    this.memory = new HostMemory(bus.dma);
    this.submission = new Array(queues).fill(undefined);
    this.completion = new Array(queues).fill(undefined);
    this.interrupts = new Interrupts(bus, this.completion);
    const views = (bytes: Uint8Array, entry: number) => Array.from({ length: BATCH + 1 }, (_, count) => bytes.subarray(0, count * entry));
    const entries = bus.allocate(BATCH * SUBMISSION_ENTRY);
    const completions = bus.allocate(BATCH * COMPLETION_ENTRY);
    this.#entries = new DataView(entries.buffer, entries.byteOffset, entries.length);
    this.#completions = new DataView(completions.buffer, completions.byteOffset, completions.length);
    this.#fetchViews = views(entries, SUBMISSION_ENTRY);
    this.#postViews = views(completions, COMPLETION_ENTRY);
  }

  /** Whether commands are taken. */
  get running(): boolean {
    return this.#running;
  }

  /** Take commands from now on, from the admin queue first. */
  start(submission: Ring, completion: Ring): void {
    this.addCompletionQueue(0, completion, 0, true);
    this.addSubmissionQueue(0, submission, this.completion[0]!);
    this.#running = true;
  }

  /** Take no further commands; those in flight still complete. */
  pause(): void {
    this.#running = false;
  }

  /** Forget all queues and commands. */
  stop(): void {
    this.#running = false;
    this.epoch++;
    this.fatal = false;
    this.#fetchEvent?.cancel();
    this.#dueEvent?.cancel();
    this.#fetchEvent = this.#dueEvent = undefined;
    this.#dueAt = Infinity;
    this.#turn = 0;
    this.#unfetched = 0;
    this.#ready.clear();
    this.slots.clear();
    this.submission.fill(undefined);
    this.completion.fill(undefined);
    this.interrupts.reset();
  }

  /** Make a queue; what it may be was checked. */
  addCompletionQueue(id: number, ring: Ring, vector: number, interrupts: boolean): void {
    this.completion[id] = new CompletionQueue(id, ring, vector, interrupts, SLOTS);
  }

  /** As {@linkcode Engine.addCompletionQueue}. */
  addSubmissionQueue(id: number, ring: Ring, completion: CompletionQueue): void {
    completion.users++;
    this.submission[id] = new SubmissionQueue(id, ring, completion);
  }

  /** Delete a queue that no submission queue uses. */
  removeCompletionQueue(id: number): void {
    this.#ready.delete(this.completion[id]!);
    this.completion[id] = undefined;
    this.interrupts.updatePin();
  }

  /** Delete a queue. Its commands that wait are aborted; those that are executed end without a completion. */
  removeSubmissionQueue(id: number): void {
    const { slots } = this;
    for (let slot = 0; slot < slots.length; slot++) {
      if (slots.queue[slot] !== id) continue;
      if (slots.state[slot] === SLOT.due) {
        slots.cancel(slot);
        this.#complete(slot, STATUS.queueDeleted, 0);
      } else if (slots.state[slot] === SLOT.running) {
        slots.queue[slot] = NO_QUEUE;
      }
    }
    this.#postReady();
    const queue = this.submission[id]!;
    queue.completion.users--;
    this.#unfetched -= queue.waiting;
    this.submission[id] = undefined;
  }

  /** Abort a command that was fetched and is not executed yet. False if there is none such. */
  abort(queue: number, commandId: number): boolean {
    const { slots } = this;
    for (let slot = 0; slot < slots.length; slot++) {
      if (slots.state[slot] !== SLOT.due || slots.queue[slot] !== queue || this.commandId(slot) !== commandId) continue;
      slots.cancel(slot);
      this.#complete(slot, STATUS.abortRequested, 0);
      return true;
    }
    return false;
  }

  /** The identifier that the host gave a command. */
  commandId(slot: number): number {
    return this.slots.words[WORDS * slot]! >>> 16;
  }

  /** A write to a submission queue's tail doorbell. */
  ringSubmission(id: number, tail: number): void {
    const queue = this.submission[id];
    if (queue === undefined || tail >= queue.ring.entries) return this.#host.badDoorbell(queue !== undefined);
    this.#unfetched -= queue.waiting;
    queue.tail = tail;
    this.#unfetched += queue.waiting;
    this.#scheduleFetch();
  }

  /** A write to a completion queue's head doorbell: there may be room for completions that wait. */
  ringCompletion(id: number, head: number): void {
    const queue = this.completion[id];
    if (queue === undefined || !queue.consume(head)) return this.#host.badDoorbell(queue !== undefined);
    this.interrupts.updatePin();
    if (queue.waiting > 0) {
      this.#ready.add(queue);
      this.#postReady();
    }
  }

  /** A command that was {@linkcode PENDING} is finished. Not to be called for one of an earlier {@linkcode Engine.epoch}. */
  finish(slot: number, status: number, result: number): void {
    this.#complete(slot, status, result);
    this.#postReady();
  }

  #scheduleFetch(): void {
    if (!this.#running || this.fatal) return;
    this.#fetchEvent ??= this.#bus.clock.after(this.#timing.fetch, () => this.#fetchAll());
  }

  /** Round robin over the queues, a burst from each, until all are empty or the controller is full. */
  #fetchAll(): void {
    this.#fetchEvent = undefined;
    while (this.#unfetched > 0 && this.slots.free > 0) {
      if (!this.#running || this.fatal) return;
      const queue = this.submission[this.#turn];
      this.#turn = (this.#turn + 1) % this.submission.length;
      if (queue !== undefined && queue.waiting > 0) this.#fetch(queue);
    }
    this.#armDue();
  }

  #fetch(queue: SubmissionQueue): void {
    const count = Math.min(queue.contiguous, this.slots.free, this.burst, BATCH);
    const { low, high } = queue.ring;
    if (!this.memory.read(low + queue.head * SUBMISSION_ENTRY, high, this.#fetchViews[count]!)) return this.#fail();
    queue.advance(count);
    this.#unfetched -= count;
    for (let index = 0; index < count; index++) this.#accept(queue, index);
  }

  /** Move one fetched entry into a slot. */
  #accept(queue: SubmissionQueue, index: number): void {
    const { slots } = this;
    const slot = slots.take();
    const to = WORDS * slot;
    const from = SUBMISSION_ENTRY * index;
    for (let word = 0; word < WORDS; word++) slots.words[to + word] = this.#entries.getUint32(from + 4 * word, true);
    slots.queue[slot] = queue.id;
    slots.conflict[slot] = queue.claim(slots.words[to]! >>> 16) ? 0 : 1;
    const { tick } = this.#timing;
    const due = this.#bus.clock.now + this.#host.latency(slot);
    slots.schedule(slot, Math.ceil(due / tick) * tick);
  }

  #armDue(): void {
    const next = this.slots.nextDue;
    if (next >= this.#dueAt) return;
    this.#dueEvent?.cancel();
    this.#dueAt = next;
    this.#dueEvent = this.#bus.clock.after(next - this.#bus.clock.now, () => this.#runDue());
  }

  #runDue(): void {
    this.#dueEvent = undefined;
    this.#dueAt = Infinity;
    const { slots } = this;
    const now = this.#bus.clock.now;
    while (slots.nextDue <= now && !this.fatal) {
      const slot = slots.shift();
      slots.state[slot] = SLOT.running;
      slots.result[slot] = 0;
      const status = slots.conflict[slot] === 1 ? STATUS.idConflict : this.#host.execute(slot);
      if (status !== PENDING) this.#complete(slot, status, slots.result[slot]!);
    }
    this.#postReady();
    this.#armDue();
  }

  /** Queue the completion of a command. */
  #complete(slot: number, status: number, result: number): void {
    const { slots } = this;
    const queue = this.submission[slots.queue[slot]!];
    if (queue === undefined) return slots.give(slot);
    const commandId = this.commandId(slot);
    if (slots.conflict[slot] === 0) queue.release(commandId);
    slots.state[slot] = SLOT.done;
    slots.result[slot] = result;
    slots.status[slot] = status === STATUS.success ? status : this.#logged(slot, queue.id, status);
    queue.completion.push(slot);
    this.#ready.add(queue.completion);
  }

  #logged(slot: number, queue: number, status: number): number {
    const { words } = this.slots;
    const at = WORDS * slot;
    const lba = queue === 0 ? 0 : words[at + 10]! + words[at + 11]! * 2 ** 32;
    this.errors.add(queue, this.commandId(slot), status | MORE, lba, words[at + 1]!);
    return status | MORE;
  }

  #postReady(): void {
    for (const queue of this.#ready) {
      this.#ready.delete(queue);
      while (queue.waiting > 0 && queue.room > 0 && !this.fatal) this.#post(queue);
    }
    if (this.#unfetched > 0) this.#scheduleFetch();
  }

  /** Post completions that lie next to each other in the ring. */
  #post(queue: CompletionQueue): void {
    const count = Math.min(queue.waiting, queue.room, BATCH);
    for (let index = 0; index < count; index++) {
      const slot = queue.shift();
      this.#encode(COMPLETION_ENTRY * index, slot, queue.phase);
      this.slots.give(slot);
    }
    const { low, high } = queue.ring;
    if (!this.memory.write(low + queue.tail * COMPLETION_ENTRY, high, this.#postViews[count]!)) return this.#fail();
    queue.advance(count);
    this.interrupts.posted(queue);
  }

  #encode(at: number, slot: number, phase: number): void {
    const { slots } = this;
    const queue = slots.queue[slot]!;
    const view = this.#completions;
    view.setUint32(at, slots.result[slot]!, true);
    view.setUint32(at + 4, 0, true);
    view.setUint32(at + 8, (queue << 16) | (this.submission[queue]?.head ?? 0), true);
    view.setUint32(at + 12, (slots.status[slot]! << 17) | (phase << 16) | this.commandId(slot), true);
  }

  /** Queue memory was refused: the controller cannot tell anybody but by its status register. */
  #fail(): void {
    this.fatal = true;
  }
}

/** A command whose queue is gone. */
const NO_QUEUE = 0xffff;
