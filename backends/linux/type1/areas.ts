/**
 * The mappings of an I/O address space, sorted, with the memory that each of them is.
 *
 * @module
 */

/** Memory that was mapped for one or more areas alone: it goes with the last of them. */
export class FileMemory {
  #holders = 0;
  #release: () => void;

  /** `release` gives the memory back. */
  constructor(release: () => void) {
    this.#release = release;
  }

  /** One more area. */
  hold(): void {
    this.#holders++;
  }

  /** One less. */
  drop(): void {
    if (--this.#holders === 0) this.#release();
  }
}

/** A mapping. */
export interface Area {
  /** The first IOVA. */
  readonly iova: bigint;
  /** Bytes. */
  readonly length: bigint;
  /** Where the memory is in the process. */
  readonly va: bigint;
  /** What devices may do: 1 read, 2 write; type1's flags. */
  readonly access: number;
  /** The mapping of a file that it is a part of. */
  readonly file: FileMemory | undefined;
}

/** Areas by IOVA. None overlaps another. */
export class Areas {
  #sorted: Area[] = [];

  /** All of them, ascending. Not to be changed. */
  get all(): readonly Area[] {
    return this.#sorted;
  }

  /** Add an area; the core has found the place to be free. */
  add(area: Area): void {
    this.#sorted.splice(this.#from(area.iova), 0, area);
    area.file?.hold();
  }

  /**
   * The areas that unmapping `first` to `last` takes away: all that begin there, up to the first one that reaches out of the range, as iommufd
   * does.
   */
  inside(first: bigint, last: bigint): Area[] {
    const found: Area[] = [];
    for (let at = this.#touching(first); at < this.#sorted.length; at++) {
      const area = this.#sorted[at]!;
      if (area.iova < first || area.iova + area.length - 1n > last) break;
      found.push(area);
    }
    return found;
  }

  /** Take areas out that are neighbours in the order. */
  remove(areas: readonly Area[]): void {
    if (areas.length === 0) return;
    this.#sorted.splice(this.#from(areas[0]!.iova), areas.length);
    for (const { file } of areas) file?.drop();
  }

  /** Take all out. */
  clear(): void {
    this.remove(this.#sorted.slice());
  }

  /** The pieces of `length` bytes from `iova` on, moved to `target`. The core has found all of it to be mapped. */
  copied(iova: bigint, length: bigint, target: bigint, access: number): Area[] {
    const pieces: Area[] = [];
    const end = iova + length;
    for (let at = this.#touching(iova); at < this.#sorted.length && this.#sorted[at]!.iova < end; at++) {
      const area = this.#sorted[at]!;
      const start = area.iova > iova ? area.iova : iova;
      const stop = area.iova + area.length < end ? area.iova + area.length : end;
      pieces.push({
        iova: target + (start - iova),
        length: stop - start,
        va: area.va + (start - area.iova),
        access,
        file: area.file,
      });
    }
    return pieces;
  }

  /** The position of the first area that begins at `iova` or behind it. */
  #from(iova: bigint): number {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#sorted[middle]!.iova < iova) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The position of the first area that has `iova` or begins behind it. */
  #touching(iova: bigint): number {
    const at = this.#from(iova);
    const before = this.#sorted[at - 1];
    return before !== undefined && before.iova + before.length > iova ? at - 1 : at;
  }
}
