/**
 * The bare minimum of a host: queues in the fake bus's memory, commands as words, completions as they were written.
 *
 * Shares no code with the driver of examples/nvme, so that the two cannot be wrong in the same way.
 *
 * @module
 */
import { NvmeController, type NvmeOptions } from "../../backends/simulated/devices/nvme/mod.ts";
import { FakeBus } from "./fake_bus.ts";

/** A completion, taken apart. */
export interface Completion {
  /** Dword 0. */
  result: number;
  /** Submission queue head. */
  head: number;
  /** Submission queue. */
  queue: number;
  /** Command. */
  id: number;
  /** Code and type, without the bits "more" and "do not retry". */
  status: number;
  /** Must not be repeated. */
  noRetry: boolean;
}

/** Fields of a command. */
export interface Command {
  opcode: number;
  id?: number;
  nsid?: number;
  prp1?: bigint;
  prp2?: bigint;
  /** Dwords 10 to 15. */
  dwords?: readonly number[];
  /** Bits 8 to 15 of dword 0. */
  flags?: number;
}

interface HostQueue {
  entries: number;
  submission: number;
  completion: number;
  tail: number;
  head: number;
  phase: number;
}

const QUEUE_SPAN = 0x40000;
/** Where the host's data begins: above the queues. */
export const DATA = 0x1000000;

/** A controller on a fake bus, and the host's side of it. */
export class BareHost {
  /** The bus. */
  readonly bus: FakeBus;
  /** The controller. */
  readonly controller: NvmeController;
  #queues = new Map<number, HostQueue>();
  #nextId = 0;

  constructor(options: NvmeOptions, seed = 1) {
    this.bus = new FakeBus(seed);
    this.controller = new NvmeController(options);
    this.controller.connect(this.bus);
    this.controller.reset();
  }

  read32(offset: number): number {
    return this.controller.read(0, offset, 4);
  }
  write32(offset: number, value: number): void {
    this.controller.write(0, offset, 4, value);
  }
  get status(): number {
    return this.read32(0x1c);
  }

  /** Where the host keeps a queue. */
  place(id: number): { submission: number; completion: number } {
    return { submission: 0x10000 + id * QUEUE_SPAN, completion: 0x10000 + id * QUEUE_SPAN + QUEUE_SPAN / 2 };
  }

  #open(id: number, entries: number): HostQueue {
    const queue = { entries, ...this.place(id), tail: 0, head: 0, phase: 1 };
    this.bus.memory.fill(0, queue.completion, queue.completion + entries * 16);
    this.#queues.set(id, queue);
    return queue;
  }

  /** Enable the controller with an admin queue. */
  enable(entries = 32, configuration = 0x0046_0001): this {
    const { submission, completion } = this.#open(0, entries);
    this.write32(0x24, ((entries - 1) << 16) | (entries - 1));
    this.write32(0x28, submission);
    this.write32(0x2c, 0);
    this.write32(0x30, completion);
    this.write32(0x34, 0);
    this.write32(0x14, configuration);
    this.bus.run();
    return this;
  }

  /** Put a command into a queue without ringing. */
  put(id: number, command: Command): number {
    const queue = this.#queues.get(id)!;
    const { view } = this.bus;
    const at = queue.submission + 64 * queue.tail;
    const commandId = command.id ?? (this.#nextId = (this.#nextId + 1) & 0xffff);
    this.bus.memory.fill(0, at, at + 64);
    view.setUint32(at, (commandId << 16) | ((command.flags ?? 0) << 8) | command.opcode, true);
    view.setUint32(at + 4, command.nsid ?? 0, true);
    view.setBigUint64(at + 24, command.prp1 ?? 0n, true);
    view.setBigUint64(at + 32, command.prp2 ?? 0n, true);
    command.dwords?.forEach((value, index) => view.setUint32(at + 40 + 4 * index, value, true));
    queue.tail = (queue.tail + 1) % queue.entries;
    return commandId;
  }

  /** Ring the submission doorbell. */
  ring(id: number): void {
    this.write32(0x1000 + 8 * id, this.#queues.get(id)!.tail);
  }

  /** Take the next completion, if there is one; `ring` tells the controller. */
  take(id: number, ring = true): Completion | undefined {
    const queue = this.#queues.get(id)!;
    const { view } = this.bus;
    const at = queue.completion + 16 * queue.head;
    const last = view.getUint32(at + 12, true);
    if (((last >>> 16) & 1) !== queue.phase) return undefined;
    queue.head = (queue.head + 1) % queue.entries;
    if (queue.head === 0) queue.phase ^= 1;
    if (ring) this.write32(0x1000 + 8 * id + 4, queue.head);
    const third = view.getUint32(at + 8, true);
    return {
      result: view.getUint32(at, true),
      head: third & 0xffff,
      queue: third >>> 16,
      id: last & 0xffff,
      status: (last >>> 17) & 0x7ff,
      noRetry: last >>> 31 === 1,
    };
  }

  /** One command from submission to completion. */
  submit(id: number, command: Command): Completion {
    const commandId = this.put(id, command);
    this.ring(id);
    this.bus.run();
    const completion = this.take(id);
    if (completion?.id !== commandId) throw new Error(`no completion of command ${commandId}: ${JSON.stringify(completion)}`);
    return completion;
  }

  /** As {@linkcode BareHost.submit}, with asynchronous media. */
  async submitSlowly(id: number, command: Command): Promise<Completion> {
    this.put(id, command);
    this.ring(id);
    await this.bus.settle();
    const completion = this.take(id);
    if (completion === undefined) throw new Error("no completion");
    return completion;
  }

  /** Create a pair of I/O queues; each command must succeed. */
  createQueues(id = 1, entries = 64, options: { interrupts?: boolean; vector?: number } = {}): this {
    const { submission, completion } = this.#open(id, entries);
    const size = ((entries - 1) << 16) | id;
    const flags = ((options.vector ?? 0) << 16) | (options.interrupts ? 2 : 0) | 1;
    const statuses = [
      this.submit(0, { opcode: 5, prp1: BigInt(completion), dwords: [size, flags] }).status,
      this.submit(0, { opcode: 1, prp1: BigInt(submission), dwords: [size, (id << 16) | 1] }).status,
    ];
    if (statuses.some((status) => status !== 0)) throw new Error(`queues not created: ${statuses}`);
    return this;
  }

  /** Bytes of the host. */
  data(length: number, at: number = DATA): Uint8Array {
    return this.bus.memory.subarray(at, at + length);
  }
}

/** A command on blocks in data at {@linkcode DATA}, with PRPs for at most two pages of 4 KiB. */
export function blocks(opcode: number, nsid: number, lba: number, count: number, more: Partial<Command> = {}): Command {
  return {
    opcode,
    nsid,
    prp1: BigInt(DATA),
    prp2: BigInt(DATA + 4096),
    dwords: [lba % 2 ** 32, Math.floor(lba / 2 ** 32), count - 1],
    ...more,
  };
}
