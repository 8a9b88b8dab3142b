/**
 * The admin commands that the driver needs (NVMe 1.4, chapter 5).
 *
 * @module
 */
import type { Ioas } from "../../mod.ts";
import {
  type ControllerInfo,
  IDENTIFY_LENGTH,
  type NamespaceInfo,
  parseController,
  parseNamespace,
  parseNamespaceList,
} from "./identify.ts";
import type { QueueMemory } from "./queue.ts";
import { Command, type CommandFields } from "./work.ts";

const OPCODE = {
  deleteSubmission: 0x00,
  createSubmission: 0x01,
  deleteCompletion: 0x04,
  createCompletion: 0x05,
  identify: 0x06,
  setFeatures: 0x09,
} as const;
/** What Identify can tell. */
const IDENTIFY = { namespace: 0x00, controller: 0x01, namespaces: 0x02 } as const;
const FEATURE_QUEUES = 0x07;
/** Flags of the create commands: the queue is one piece of memory; it interrupts. */
const CONTIGUOUS = 1;
const INTERRUPTS = 2;
/** A queue's address goes where data has its own, so the command moves as much as one byte. */
const ADDRESS_ONLY = 1;

/** Admin commands, by a function that does them. */
export class AdminCommands {
  #ioas: Ioas;
  #run: (command: Command) => Promise<void>;

  /** @param run sends a command to the admin queue and settles with it. */
  constructor(ioas: Ioas, run: (command: Command) => Promise<void>) {
    this.#ioas = ioas;
    this.#run = run;
  }

  /** What the controller says of itself. */
  async identifyController(): Promise<ControllerInfo> {
    return parseController(await this.#identify(IDENTIFY.controller, 0));
  }

  /** All active namespaces, in the order of their identifiers. */
  async identifyNamespaces(): Promise<NamespaceInfo[]> {
    const infos: NamespaceInfo[] = [];
    for (let last = 0;;) {
      const ids = parseNamespaceList(await this.#identify(IDENTIFY.namespaces, last));
      for (const id of ids) infos.push(parseNamespace(id, await this.#identify(IDENTIFY.namespace, id)));
      // A full list may go on; the next begins above its last identifier.
      if (ids.length < IDENTIFY_LENGTH / 4) return infos;
      last = ids.at(-1)!;
    }
  }

  /** Ask for I/O queues, 1 or more. @returns how many pairs there may be, at most as many as asked for. */
  async requestQueues(count: number): Promise<number> {
    const last = count - 1;
    const fields = { opcode: OPCODE.setFeatures, d10: FEATURE_QUEUES, d11: (last << 16) | last };
    const granted = await this.#submit("Set Features, Number of Queues", fields);
    return Math.min(count, (granted & 0xffff) + 1, (granted >>> 16) + 1);
  }

  /** Create a pair of I/O queues. @param vector of its interrupts; undefined: it has none. */
  async createQueuePair(id: number, { submission, completion }: QueueMemory, entries: number, vector: number | undefined): Promise<void> {
    const shape = { length: ADDRESS_ONLY, d10: ((entries - 1) << 16) | id };
    const interrupts = vector === undefined ? 0 : (vector << 16) | INTERRUPTS;
    const first = { opcode: OPCODE.createCompletion, iova: completion.iova, ...shape, d11: interrupts | CONTIGUOUS };
    await this.#submit(`Create I/O Completion Queue ${id}`, first);
    const second = { opcode: OPCODE.createSubmission, iova: submission.iova, ...shape, d11: (id << 16) | CONTIGUOUS };
    await this.#submit(`Create I/O Submission Queue ${id}`, second);
  }

  /** Delete a pair of I/O queues in which nothing is under way. */
  async deleteQueuePair(id: number): Promise<void> {
    await this.#submit(`Delete I/O Submission Queue ${id}`, { opcode: OPCODE.deleteSubmission, d10: id });
    await this.#submit(`Delete I/O Completion Queue ${id}`, { opcode: OPCODE.deleteCompletion, d10: id });
  }

  async #identify(structure: number, namespace: number): Promise<Uint8Array> {
    using buffer = this.#ioas.createDmaBuffer(IDENTIFY_LENGTH);
    const fields = { opcode: OPCODE.identify, namespace, iova: buffer.iova, length: IDENTIFY_LENGTH, d10: structure };
    await this.#submit("Identify", fields);
    return buffer.bytes.slice();
  }

  async #submit(name: string, fields: CommandFields): Promise<number> {
    const command = new Command(name, fields);
    await this.#run(command);
    return command.result;
  }
}
