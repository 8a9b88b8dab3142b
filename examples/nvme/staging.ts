/**
 * Memory that data passes through on its way to arrays that devices cannot reach.
 *
 * @module
 */
import type { DmaPool, DmaSlice, Ioas } from "../../mod.ts";

/** Pieces under way at once. */
const SLOTS = 16;

/** Slots of DMA memory, made when the first is needed. Who finds none waits for one. Disposing it gives the memory back. */
export class Staging implements Disposable {
  #ioas: Ioas;
  #alignment: number;
  #pool: DmaPool | undefined;
  #waiting: (() => void)[] = [];

  /** @param length bytes of a slot. @param alignment of it, bytes. */
  constructor(ioas: Ioas, readonly length: number, alignment: number) {
    this.#ioas = ioas;
    this.#alignment = alignment;
  }

  /** Only when no slot is in use. */
  [Symbol.dispose](): void {
    this.#pool?.[Symbol.dispose]();
  }

  /** Use a slot until the promise of `use` settles. */
  async withSlot<T>(use: (slot: DmaSlice) => Promise<T>): Promise<T> {
    const pool = this.#pool ??= this.#ioas.createDmaPool({ size: this.length, count: SLOTS, alignment: this.#alignment });
    while (pool.available === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    using slot = pool.take();
    try {
      return await use(slot);
    } finally {
      // A task that wakes runs after the slot is back: this one ends first.
      this.#waiting.shift()?.();
    }
  }

  /**
   * Cut `length` bytes into pieces of a slot, and `use` several at once. Starts no further piece after one has failed.
   *
   * @throws what the first that failed threw, once all have ended.
   */
  async eachPiece(length: number, use: (slot: DmaSlice, at: number, length: number) => Promise<void>): Promise<void> {
    let failure: { readonly error: unknown } | undefined;
    const work = async (at: number) => {
      try {
        await this.withSlot(async (slot) => {
          if (failure === undefined) await use(slot, at, Math.min(this.length, length - at));
        });
      } catch (error) {
        failure ??= { error };
      }
    };
    const pieces: Promise<void>[] = [];
    for (let at = 0; at < length; at += this.length) pieces.push(work(at));
    await Promise.all(pieces);
    if (failure !== undefined) throw failure.error;
  }
}
