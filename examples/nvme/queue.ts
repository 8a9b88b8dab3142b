/**
 * A queue pair: a ring of commands and a ring of completions, in memory that the device reads and writes (NVMe 1.4, 4.1).
 *
 * The hot path makes no objects: a command is numbers written into the ring, a completion is a call of the handler that was given with it.
 *
 * @module
 */
import { type Area, putPrps } from "./prp.ts";
import { HOST_ABORTED } from "./status.ts";

/** Bytes of a command. */
export const COMMAND = 64;
/** Bytes of a completion. */
export const COMPLETION = 16;

const TWO32 = 2 ** 32;

/**
 * Told of a completion. @param id the command's identifier, free again. @param status the status field: 0 is success.
 * @param result dword 0.
 */
export type CompletionHandler = (id: number, status: number, result: number) => void;

/** Where a queue pair lives. */
export interface QueueMemory {
  /** The ring of commands, zeroed. */
  readonly submission: Area;
  /** The ring of completions, zeroed. */
  readonly completion: Area;
  /** PRP lists, one for each command that can be under way: it is as many as these. */
  readonly lists: readonly Area[];
}

/** How a queue tells the controller where it is. */
export interface Doorbells {
  /** Commands were put into the ring: its tail. */
  submission(tail: number): void;
  /** Completions were taken out: the ring's head. */
  completion(head: number): void;
}

/** One pair of rings, and the commands under way in it. */
export class QueuePair {
  /** Commands under way. */
  inFlight = 0;
  /** Completions since the queue was made. */
  completed = 0;
  #memory: QueueMemory;
  #doorbells: Doorbells;
  #page: number;
  #entries: number;
  #commands: DataView;
  #completions: DataView;
  #statuses: Int32Array;
  #tail = 0;
  #rung = 0;
  #head = 0;
  #phase = 1;
  #free: Uint16Array;
  #freeCount: number;
  #abandoned = false;
  #handlers: (CompletionHandler | undefined)[];
  #ticks = 0;
  #started: Float64Array;

  /**
   * @param id of both queues. @param entries of both rings: more than there are lists, since a ring is full with one entry free.
   * @param page bytes of a memory page, as CC.MPS has it.
   */
  constructor(readonly id: number, memory: QueueMemory, doorbells: Doorbells, entries: number, page: number) {
    const depth = memory.lists.length;
    if (depth >= entries) throw new RangeError(`Cannot make queue ${id}: ${depth} commands do not fit into ${entries} entries`);
    const { submission, completion } = memory;
    if (submission.bytes.length < entries * COMMAND || completion.bytes.length < entries * COMPLETION) {
      throw new RangeError(`Cannot make queue ${id}: its memory is too small for ${entries} entries`);
    }
    this.#memory = memory;
    this.#doorbells = doorbells;
    this.#page = page;
    this.#entries = entries;
    this.#commands = submission.view;
    this.#completions = completion.view;
    this.#statuses = new Int32Array(completion.bytes.buffer, completion.bytes.byteOffset, entries * (COMPLETION / 4));
    this.#free = Uint16Array.from({ length: depth }, (_, index) => depth - 1 - index);
    this.#freeCount = depth;
    this.#handlers = new Array(depth).fill(undefined);
    this.#started = new Float64Array(depth);
  }

  /** Commands that can be under way at once. */
  get depth(): number {
    return this.#memory.lists.length;
  }

  /** Whether another command can be put. */
  get hasRoom(): boolean {
    return this.#freeCount > 0 && !this.#abandoned;
  }

  /**
   * Put a command into the ring. It starts when {@linkcode QueuePair.ring} is called.
   *
   * @param opcode of the command set of the queue. @param low bits 31 to 0 of the address of what the command moves, a carry is allowed.
   * @param high bits 63 to 32 of it. @param length bytes that it moves; 0: it moves nothing.
   * @param d10 command dwords 10, 11 and 12 follow, 0 to 2^32 − 1 each. @param handler is told of the completion.
   * @returns the command's identifier, or −1 if as many as can be are under way.
   */
  put(
    opcode: number,
    namespace: number,
    low: number,
    high: number,
    length: number,
    d10: number,
    d11: number,
    d12: number,
    handler: CompletionHandler,
  ): number {
    if (!this.hasRoom) return -1;
    const id = this.#free[--this.#freeCount]!;
    const at = this.#tail * COMMAND;
    const view = this.#commands;
    // Dwords 2 to 5 and 13 to 15 are never written, so they are the zeros that the ring began with.
    view.setUint32(at, (id << 16) | opcode, true);
    view.setUint32(at + 4, namespace, true);
    putPrps(view, at + 24, low, high, length, this.#memory.lists[id]!, this.#page);
    view.setUint32(at + 40, d10, true);
    view.setUint32(at + 44, d11, true);
    view.setUint32(at + 48, d12, true);
    this.#handlers[id] = handler;
    this.#started[id] = this.#ticks;
    this.#tail = this.#tail + 1 === this.#entries ? 0 : this.#tail + 1;
    this.inFlight++;
    return id;
  }

  /** Put a command on blocks, as {@linkcode QueuePair.put}. @param lba below 2^53. @param blocks 1 to 65,536. */
  putBlocks(
    opcode: number,
    namespace: number,
    lba: number,
    blocks: number,
    low: number,
    high: number,
    length: number,
    handler: CompletionHandler,
  ): number {
    const upper = Math.floor(lba / TWO32);
    return this.put(opcode, namespace, low, high, length, lba - upper * TWO32, upper, blocks - 1, handler);
  }

  /** Start what was put. One write for any number of commands. */
  ring(): void {
    if (this.#rung === this.#tail || this.#abandoned) return;
    this.#rung = this.#tail;
    this.#doorbells.submission(this.#tail);
  }

  /** Take completions, calling their handlers, which may put further commands. @returns how many. */
  reap(): number {
    let count = 0;
    while (!this.#abandoned) {
      const at = this.#head * COMPLETION;
      // An atomic load, so that a processor that reorders loads cannot read the rest of the entry before its phase tag.
      const last = Atomics.load(this.#statuses, (at >>> 2) + 3);
      if (((last >>> 16) & 1) !== this.#phase) break;
      const result = this.#completions.getUint32(at, true);
      this.#head++;
      if (this.#head === this.#entries) {
        this.#head = 0;
        this.#phase ^= 1;
      }
      count++;
      this.#complete(last & 0xffff, last >>> 17, result);
    }
    if (count > 0 && !this.#abandoned) this.#doorbells.completion(this.#head);
    return count;
  }

  /** Another span of time has passed. @returns how many spans the oldest command has been under way. */
  tick(): number {
    this.#ticks++;
    let first = this.#ticks;
    for (let id = 0; id < this.#handlers.length; id++) {
      if (this.#handlers[id] !== undefined) first = Math.min(first, this.#started[id]!);
    }
    return this.#ticks - first;
  }

  /**
   * Give up on all commands under way: each handler is told {@linkcode HOST_ABORTED}. Nothing can be put any more. Only when the
   * controller can reach no memory.
   */
  abandon(): void {
    this.#abandoned = true;
    for (let id = 0; id < this.#handlers.length; id++) if (this.#handlers[id] !== undefined) this.#complete(id, HOST_ABORTED, 0);
  }

  #complete(id: number, status: number, result: number): void {
    const handler = this.#handlers[id];
    // An identifier that is not under way is a broken device; dropping it is all that can be done.
    if (handler === undefined) return;
    this.#handlers[id] = undefined;
    this.#free[this.#freeCount++] = id;
    this.inFlight--;
    this.completed++;
    handler(id, status, result);
  }
}
