/**
 * Physical region pages (NVMe 1.4, 4.3): the memory of a command as PRP entries and lists, read into runs of adjacent pages.
 *
 * @module
 */
import type { HostMemory, Staging } from "./memory.ts";
import { STATUS } from "./status.ts";

const TWO32 = 2 ** 32;

/** Walks the PRPs of one command at a time; its runs are valid until the next {@linkcode PrpWalker.map}. */
export class PrpWalker {
  #memory: HostMemory;
  #list: Uint8Array;
  #entries: DataView;
  #page = 4096;
  #count = 0;
  #low: Float64Array;
  #high: Float64Array;
  #length: Float64Array;

  /**
   * @param list staging for PRP lists.
   * @param pagesMax pages of the largest transfer, the one that is begun in the middle of a page included.
   */
  constructor(memory: HostMemory, list: Uint8Array, pagesMax: number) {
    this.#memory = memory;
    this.#list = list;
    this.#entries = new DataView(list.buffer, list.byteOffset, list.byteLength);
    this.#low = new Float64Array(pagesMax);
    this.#high = new Float64Array(pagesMax);
    this.#length = new Float64Array(pagesMax);
  }

  /** Bytes that staging for lists needs for transfers of `pagesMax` pages. */
  static listLength(pagesMax: number): number {
    return 8 * pagesMax;
  }

  /** log2 of the memory page size, from CC.MPS. */
  setPageSize(lg2Page: number): void {
    this.#page = 2 ** lg2Page;
  }

  /** Runs of the last command: pages with adjacent addresses are one. */
  get runs(): { low: number; high: number; length: number }[] {
    return Array.from({ length: this.#count }, (_, index) => ({
      low: this.#low[index]!,
      high: this.#high[index]!,
      length: this.#length[index]!,
    }));
  }

  /**
   * Find the memory of a command. `at` is where its PRP1 begins in `words` (32 bits each), PRP2 follows.
   *
   * @param length bytes, 1 or more and at most what the constructor was told.
   * @returns a status; success leaves the runs.
   */
  map(words: Uint32Array, at: number, length: number): number {
    const page = this.#page;
    const low = words[at]!;
    this.#count = 0;
    if ((low & 3) !== 0) return STATUS.prpOffsetInvalid;
    const inFirst = Math.min(length, page - (low & (page - 1)));
    this.#add(low, words[at + 1]!, inFirst);
    const left = length - inFirst;
    if (left === 0) return STATUS.success;
    if (left > page) return this.#mapList(words[at + 2]!, words[at + 3]!, left);
    return this.#addPage(words[at + 2]!, words[at + 3]!, left);
  }

  /** Move data of the last mapped command to the host. False if the IOMMU refused. */
  toHost(from: Staging): boolean {
    for (let index = 0, done = 0; index < this.#count; index++) {
      const length = this.#length[index]!;
      if (!this.#memory.write(this.#low[index]!, this.#high[index]!, from.piece(done, length))) return false;
      done += length;
    }
    return true;
  }

  /** Move data of the last mapped command from the host, as {@linkcode PrpWalker.toHost}. */
  fromHost(into: Staging): boolean {
    for (let index = 0, done = 0; index < this.#count; index++) {
      const length = this.#length[index]!;
      if (!this.#memory.read(this.#low[index]!, this.#high[index]!, into.piece(done, length))) return false;
      done += length;
    }
    return true;
  }

  /** PRP2 points to a list, which may begin anywhere in its page; further lists begin with their page. */
  #mapList(low: number, high: number, left: number): number {
    const page = this.#page;
    if ((low & 7) !== 0) return STATUS.prpOffsetInvalid;
    for (;;) {
      const needed = Math.ceil(left / page);
      const room = (page - (low & (page - 1))) / 8;
      // The last entry of a page leads to the next list, unless it is the last of the command.
      const chained = needed > room;
      const count = chained ? room : needed;
      if (!this.#memory.read(low, high, this.#list.subarray(0, 8 * count))) return STATUS.dataTransferError;
      const status = this.#addEntries(chained ? count - 1 : count, left);
      if (status !== STATUS.success || !chained) return status;
      left -= (count - 1) * page;
      low = this.#entries.getUint32(8 * (count - 1), true);
      high = this.#entries.getUint32(8 * (count - 1) + 4, true);
      if ((low & (page - 1)) !== 0) return STATUS.prpOffsetInvalid;
    }
  }

  #addEntries(count: number, left: number): number {
    const page = this.#page;
    for (let index = 0; index < count; index++, left -= page) {
      const low = this.#entries.getUint32(8 * index, true);
      const status = this.#addPage(low, this.#entries.getUint32(8 * index + 4, true), Math.min(left, page));
      if (status !== STATUS.success) return status;
    }
    return STATUS.success;
  }

  #addPage(low: number, high: number, length: number): number {
    if ((low & (this.#page - 1)) !== 0) return STATUS.prpOffsetInvalid;
    this.#add(low, high, length);
    return STATUS.success;
  }

  /** Pages that follow each other become one run, so that a contiguous buffer is one DMA. */
  #add(low: number, high: number, length: number): void {
    const last = this.#count - 1;
    if (last >= 0) {
      const end = this.#low[last]! + this.#length[last]!;
      const carry = Math.floor(end / TWO32);
      if (end - carry * TWO32 === low && this.#high[last]! + carry === high) {
        this.#length[last]! += length;
        return;
      }
    }
    const index = this.#count++;
    this.#low[index] = low;
    this.#high[index] = high;
    this.#length[index] = length;
  }
}
