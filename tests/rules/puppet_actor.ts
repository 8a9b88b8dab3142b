/**
 * An actor that is a model of the test's own: its transfers happen at once, whether anybody drives it or not.
 *
 * @module
 */
import type { BoundDevice } from "../../mod.ts";
import { type Actor, allowDma, REFUSED, type Transfer, UNTOUCHED } from "./world.ts";
import { Puppet } from "./puppet.ts";

/** A puppet in its place. */
export class PuppetActor implements Actor {
  /** As {@linkcode Actor.address}. */
  readonly address: string;
  /** As {@linkcode Actor.interrupts}. */
  readonly interrupts = "msix";
  /** As {@linkcode Actor.register}. */
  readonly register = 0;
  /** The model. */
  readonly model: Puppet = new Puppet();

  /** @param address "0000:00:04.0" */
  constructor(address: string) {
    this.address = address;
  }

  /** As {@linkcode Actor.use}. */
  use(device: BoundDevice): void {
    allowDma(device);
  }

  /** As {@linkcode Actor.reads}. */
  reads(iova: bigint, length: number): Promise<Uint8Array | typeof REFUSED> {
    const into = new Uint8Array(length).fill(UNTOUCHED);
    if (this.model.bus.dma.read(iova, into) === undefined) return Promise.resolve(into);
    const isUntouched = into.every((byte) => byte === UNTOUCHED);
    return isUntouched ? Promise.resolve(REFUSED) : Promise.reject(new Error("A read that was refused changed the device's buffer"));
  }

  /** As {@linkcode Actor.writes}. */
  writes(iova: bigint, length: number): Promise<"OK" | typeof REFUSED> {
    return Promise.resolve(this.model.writes(iova, new Uint8Array(length).fill(UNTOUCHED)) === "OK" ? "OK" : REFUSED);
  }

  /** As {@linkcode Actor.start}. */
  start(iova: bigint, length: number): Promise<Transfer> {
    return Promise.resolve({ finish: () => this.writes(iova, length).then(() => true) });
  }

  /** As {@linkcode Actor.noticed}. */
  noticed(): unknown {
    return [this.model.resets, this.model.register];
  }
}
