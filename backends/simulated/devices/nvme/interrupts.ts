/**
 * When completions interrupt the host: MSI-X messages, or the level of the INTx pin with its mask register (NVMe 1.4, 7.5).
 *
 * @module
 */
import type { Bus } from "../../device.ts";
import type { CompletionQueue } from "./queues.ts";

/** The interrupts of one controller. */
export class Interrupts {
  /** INTMS and INTMC as they read: bit n masks vector n. MSI-X has masks of its own and ignores these. */
  mask = 0;
  #bus: Bus;
  #queues: readonly (CompletionQueue | undefined)[];
  #asserted = false;

  /** @param queues the completion queues that exist. */
  constructor(bus: Bus, queues: readonly (CompletionQueue | undefined)[]) {
    this.#bus = bus;
    this.#queues = queues;
  }

  /** Entries were posted to a queue. */
  posted(queue: CompletionQueue): void {
    if (!queue.interrupts) return;
    if (this.#bus.interruptMode === "msix") this.#bus.raise(queue.vector);
    else this.updatePin();
  }

  /** Entries were consumed, queues deleted or masks changed: the pin is up while an unmasked queue has entries. */
  updatePin(): void {
    if (this.#bus.interruptMode === "msix") return;
    const level = this.#wanted();
    if (level === this.#asserted) return;
    this.#asserted = level;
    if (level) this.#bus.raise(0);
    else this.#bus.lower();
  }

  /** Controller reset: nothing is masked, nothing pends. */
  reset(): void {
    this.mask = 0;
    if (this.#asserted) this.#bus.lower();
    this.#asserted = false;
  }

  #wanted(): boolean {
    for (let id = 0; id < this.#queues.length; id++) {
      const queue = this.#queues[id];
      if (queue === undefined || !queue.interrupts || queue.head === queue.tail) continue;
      if (queue.vector > 31 || (this.mask & (1 << queue.vector)) === 0) return true;
    }
    return false;
  }
}
