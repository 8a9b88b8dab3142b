/**
 * The other end of a queue pair, in a few lines: fetches commands from the ring when told to, and completes them in any order.
 *
 * It shares no code with the simulated controller, so that driver and controller cannot be wrong in the same way.
 *
 * @module
 */
import { Area } from "../../examples/nvme/prp.ts";
import { QueuePair } from "../../examples/nvme/queue.ts";

/** A command as it was fetched. */
export interface Fetched {
  readonly id: number;
  readonly opcode: number;
  readonly namespace: number;
  readonly prp1: bigint;
  readonly dwords: readonly number[];
  /** All 64 bytes. */
  readonly bytes: Uint8Array;
}

/** A queue pair whose controller a test plays. */
export class FakeController {
  readonly queue: QueuePair;
  /** Doorbell writes in their order: "s3" is submission tail 3, "c1" completion head 1. */
  readonly bells: string[] = [];
  /** Commands fetched and not completed. */
  readonly open: Fetched[] = [];
  #submission: Area;
  #completion: Area;
  #entries: number;
  #head = 0;
  #rung = 0;
  #tail = 0;
  #phase = 1;

  constructor(depth: number, entries: number = depth + 1, id = 1) {
    this.#entries = entries;
    this.#submission = new Area(0x10_0000n, new Uint8Array(entries * 64));
    this.#completion = new Area(0x20_0000n, new Uint8Array(entries * 16));
    const lists = Array.from({ length: depth }, (_, index) => new Area(0x30_0000n + BigInt(index) * 4096n, new Uint8Array(4096)));
    const doorbells = {
      submission: (tail: number) => {
        this.bells.push(`s${tail}`);
        this.#rung = tail;
      },
      completion: (head: number) => void this.bells.push(`c${head}`),
    };
    this.queue = new QueuePair(id, { submission: this.#submission, completion: this.#completion, lists }, doorbells, entries, 4096);
  }

  /** Fetch every command that was rung for. */
  fetch(): Fetched[] {
    const { view, bytes } = this.#submission;
    const fetched: Fetched[] = [];
    for (; this.#head !== this.#rung; this.#head = (this.#head + 1) % this.#entries) {
      const at = 64 * this.#head;
      fetched.push({
        id: view.getUint16(at + 2, true),
        opcode: view.getUint8(at),
        namespace: view.getUint32(at + 4, true),
        prp1: view.getBigUint64(at + 24, true),
        dwords: Array.from({ length: 6 }, (_, index) => view.getUint32(at + 40 + 4 * index, true)),
        bytes: bytes.slice(at, at + 64),
      });
    }
    this.open.push(...fetched);
    return fetched;
  }

  /** Post a completion. */
  complete(id: number, status = 0, result = 0): void {
    const index = this.open.findIndex((command) => command.id === id);
    if (index >= 0) this.open.splice(index, 1);
    const { view } = this.#completion;
    const at = 16 * this.#tail;
    view.setUint32(at, result, true);
    view.setUint32(at + 8, (this.queue.id << 16) | this.#head, true);
    view.setUint16(at + 12, id, true);
    view.setUint16(at + 14, (status << 1) | this.#phase, true);
    this.#tail = (this.#tail + 1) % this.#entries;
    if (this.#tail === 0) this.#phase ^= 1;
  }
}
