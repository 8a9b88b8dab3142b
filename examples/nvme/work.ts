/**
 * Work for queues: transfers of many commands, and single commands.
 *
 * Work is put into queues command by command, as they have room, and settles when its last command has completed. The commands of a
 * transfer make no objects of their own.
 *
 * @module
 */
import type { CompletionHandler, QueuePair } from "./queue.ts";
import { NvmeError } from "./status.ts";

const TWO32 = 2 ** 32;

/** Something that becomes one or more commands. */
export abstract class Work {
  /** Nothing of it is under way, and nothing will be. */
  isSettled = false;
  /** What went wrong first. */
  error: Error | undefined;
  /** Called once, when the work has settled. */
  onSettled: ((work: Work) => void) | undefined;
  /** Settles with it; rejects with its error. */
  readonly done: Promise<void>;
  /** Dword 0 of the last completion. */
  result = 0;
  #underWay = 0;
  #resolve!: () => void;
  #reject!: (error: Error) => void;

  constructor() {
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** What it is, for errors: "Read of blocks 0 to 7 of namespace 1". Only errors ask, so that it may be made when it is asked for. */
  abstract readonly name: string;

  /** Whether there is a command to put. After an error there is none. */
  get hasMore(): boolean {
    return this.error === undefined && this.remains();
  }

  /** Put the next command into a queue that has room. */
  issue(queue: QueuePair): void {
    this.#underWay++;
    this.put(queue, this.#handler);
  }

  /** Put nothing further and end with `error`, unless there is an error already. What is under way still has to complete. */
  fail(error: Error): void {
    this.error ??= error;
    this.#settle();
  }

  /** Whether commands are left to put. */
  protected abstract remains(): boolean;
  /** Put the next one. */
  protected abstract put(queue: QueuePair, handler: CompletionHandler): void;

  /** One for all commands, so that a command costs no closure. */
  #handler: CompletionHandler = (_id, status, result) => {
    this.#underWay--;
    this.result = result;
    if (status !== 0) this.error ??= new NvmeError(this.name, status);
    this.#settle();
  };

  #settle(): void {
    if (this.isSettled || this.#underWay > 0 || this.hasMore) return;
    this.isSettled = true;
    this.onSettled?.(this);
    if (this.error === undefined) this.#resolve();
    else this.#reject(this.error);
  }
}

/** A command, as numbers. */
export interface CommandFields {
  /** Opcode in the command set of its queue. */
  readonly opcode: number;
  /** Namespace identifier. Default: 0. */
  readonly namespace?: number;
  /** I/O virtual address of what it moves, a multiple of 4. Nobody checks whether something is mapped there but the IOMMU. Default: 0. */
  readonly iova?: bigint;
  /** Bytes that it moves from or to there. Default: 0. */
  readonly length?: number;
  /** Command dword 10. Default: 0. */
  readonly d10?: number;
  /** Command dword 11. Default: 0. */
  readonly d11?: number;
  /** Command dword 12. Default: 0. */
  readonly d12?: number;
}

/** A single command. */
export class Command extends Work {
  #fields: CommandFields;
  #isPut = false;

  /** @param name for errors. */
  constructor(override readonly name: string, fields: CommandFields) {
    super();
    this.#fields = fields;
  }

  protected override remains(): boolean {
    return !this.#isPut;
  }

  protected override put(queue: QueuePair, handler: CompletionHandler): void {
    this.#isPut = true;
    const { opcode, namespace = 0, iova = 0n, length = 0, d10 = 0, d11 = 0, d12 = 0 } = this.#fields;
    queue.put(opcode, namespace, Number(iova & 0xffff_ffffn), Number(iova >> 32n), length, d10, d11, d12, handler);
  }
}

/** Adjacent blocks, and the memory that they are moved from or to. */
export interface Extent {
  /** Namespace identifier. */
  readonly namespace: number;
  /** Bytes of a block. */
  readonly blockLength: number;
  /** First block. */
  readonly lba: number;
  /** Blocks, 1 or more. */
  readonly blocks: number;
  /** I/O virtual address of the memory, a multiple of 4; undefined: the command moves nothing. */
  readonly iova: bigint | undefined;
}

/** A command on blocks, cut into as many as its length asks for. */
export class Transfer extends Work {
  #name: string;
  #extent: Extent;
  #opcode: number;
  #blocksMax: number;
  #flags: number;
  /** Blocks that were put. */
  #put = 0;
  #low: number;
  #high: number;

  /** @param blocksMax blocks of one command. @param flags bits 16 to 31 of dword 12. */
  constructor(name: string, opcode: number, extent: Extent, blocksMax: number, flags = 0) {
    super();
    const { iova = 0n } = extent;
    this.#name = name;
    this.#extent = extent;
    this.#opcode = opcode;
    this.#blocksMax = blocksMax;
    this.#flags = flags;
    this.#low = Number(iova & 0xffff_ffffn);
    this.#high = Number(iova >> 32n);
  }

  override get name(): string {
    const { namespace, lba, blocks } = this.#extent;
    const what = blocks === 1 ? `block ${lba}` : `blocks ${lba} to ${lba + blocks - 1}`;
    return `${this.#name} of ${what} of namespace ${namespace}`;
  }

  protected override remains(): boolean {
    return this.#put < this.#extent.blocks;
  }

  protected override put(queue: QueuePair, handler: CompletionHandler): void {
    const { namespace, lba, blocks: all, blockLength, iova } = this.#extent;
    const blocks = Math.min(all - this.#put, this.#blocksMax);
    const length = iova === undefined ? 0 : blocks * blockLength;
    // The low half may grow beyond 32 bits: the queue carries, and 2^53 is far away.
    const low = this.#low + this.#put * blockLength;
    const first = lba + this.#put;
    const lbaHigh = Math.floor(first / TWO32);
    queue.put(this.#opcode, namespace, low, this.#high, length, first - lbaHigh * TWO32, lbaHigh, this.#flags + blocks - 1, handler);
    this.#put += blocks;
  }
}
