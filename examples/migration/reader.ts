/**
 * Work for a device that writes to memory: a disk that is read here and there, to here and there.
 *
 * @module
 */
import type { DmaBuffer } from "../../mod.ts";
import type { NvmeNamespace } from "../nvme/namespace.ts";
import { PAGE } from "./precopy.ts";

/** Pages of the largest read. */
const PAGES_MAX = 8;

/** Reads a disk into a buffer, without a plan but the same each time. */
export class DiskReader {
  /** Reads so far. */
  reads = 0;
  /** Pages that they filled, each counted whenever it was. */
  written = 0;
  #namespace: NvmeNamespace;
  #buffer: DmaBuffer;
  #state = 1;
  #under: Promise<void> = Promise.resolve();

  /** Of a namespace into a buffer of its driver's IOAS. */
  constructor(namespace: NvmeNamespace, buffer: DmaBuffer) {
    this.#namespace = namespace;
    this.#buffer = buffer;
  }

  /** Wait for the read that is under way, and begin the next: one is always under way. */
  async step(): Promise<void> {
    await this.#under;
    const pages = 1 + this.#random(PAGES_MAX);
    const at = this.#random(this.#buffer.length / PAGE - pages + 1);
    const { length, blockLength } = this.#namespace.info;
    const from = this.#random(length / PAGE - pages + 1);
    this.reads++;
    this.written += pages;
    this.#under = this.#namespace.read(from * PAGE / blockLength, this.#buffer.bytes.subarray(at * PAGE, (at + pages) * PAGE));
  }

  /** Wait until nothing is under way. */
  finish(): Promise<void> {
    return this.#under;
  }

  /** A number below `count`: a linear congruential generator, of which the upper bits are good. */
  #random(count: number): number {
    this.#state = Math.imul(this.#state, 1_664_525) + 1_013_904_223 >>> 0;
    return Math.floor(this.#state / 2 ** 32 * count);
  }
}
