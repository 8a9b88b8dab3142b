/**
 * Memory that is filled in when a device touches it.
 *
 * @module
 */
import type { DmaBuffer, FaultGroup, FaultQueue, Ioas } from "../../mod.ts";

/** Bytes of a page. */
export const PAGE = 4096;

/** Where the memory is, and what is in it. */
export interface PagerOptions {
  /** First I/O address; a multiple of {@linkcode PAGE}. */
  readonly iova: bigint;
  /** Pages that there could be. */
  readonly pages: number;
  /** Fills a page, by its number. */
  readonly fill: (page: number, bytes: Uint8Array) => void;
}

/** Serves the page faults of a range of I/O addresses. */
export class Pager {
  /** The pages that were touched, by number. */
  readonly present: Map<number, DmaBuffer> = new Map();
  /** Groups of faults that were answered. */
  groups = 0;
  /** Groups that wanted memory beyond the range. */
  refused = 0;
  #ioas: Ioas;
  #options: PagerOptions;

  /** Pages are mapped into `ioas`. */
  constructor(ioas: Ioas, options: PagerOptions) {
    this.#ioas = ioas;
    this.#options = options;
  }

  /** Answer faults until the queue is disposed. */
  async serve(queue: FaultQueue): Promise<void> {
    for await (const group of queue) this.answer(group);
  }

  /** Map what a group of faults asks for, or refuse the group. */
  answer(group: FaultGroup): void {
    const pages = group.faults.map(({ address }) => Number((address - this.#options.iova) / BigInt(PAGE)));
    const known = pages.every((page) => 0 <= page && page < this.#options.pages);
    if (known) { for (const page of pages) this.#bring(page); }
    else this.refused++;
    this.groups++;
    group.respond(known ? "success" : "invalid");
  }

  #bring(page: number): void {
    // Two groups may ask for the same page.
    if (this.present.has(page)) return;
    const buffer = this.#ioas.createDmaBuffer(PAGE, { iova: this.#options.iova + BigInt(page * PAGE) });
    this.#options.fill(page, buffer.bytes);
    this.present.set(page, buffer);
  }
}
