/**
 * Memory that models of emulated devices have pinned.
 *
 * @module
 */
import { ERRNO } from "../../uapi/errno.ts";
import type { Core } from "./core.ts";
import type { DmaFault, PinnedMemory } from "./device.ts";

/** The pins of one device, by numbers of its own. */
export class Pins {
  #core: Core;
  #memory: WebAssembly.Memory;
  #device: number;
  #next = 0;

  /** @param device the core's index of the device. */
  constructor(core: Core, memory: WebAssembly.Memory, device: number) {
    this.#core = core;
    this.#memory = memory;
    this.#device = device;
  }

  /** As `Bus.pin`, of a device that is emulated. */
  pin(iova: bigint, length: number, write: boolean): PinnedMemory | DmaFault {
    const id = this.#next;
    // Numbers are 32 bits; one that comes again is free by then.
    this.#next = (id + 1) >>> 0;
    const result = this.#core.access_pin(this.#device, iova, length, write, id);
    if (result < 0) return faultOf(result, write);
    let held = true;
    return {
      iova,
      length,
      pieces: this.#pieces(id, length),
      release: () => {
        if (held) this.#core.access_unpin(this.#device, id);
        held = false;
      },
    };
  }

  /** The pages that are pinned, cut to the bytes that were asked for: the first page is whole. */
  #pieces(id: number, length: number): Uint8Array[] {
    const pieces: Uint8Array[] = [];
    for (let position = 0, left = length; left > 0; position++) {
      const offset = this.#core.pinned_run(this.#device, id, position, false);
      if (offset < 0) break;
      const piece = Math.min(this.#core.pinned_run(this.#device, id, position, true), left);
      pieces.push(new Uint8Array(this.#memory.buffer, offset, piece));
      left -= piece;
    }
    return pieces;
  }
}

function faultOf(result: number, write: boolean): DmaFault {
  if (result === -ERRNO.ENODEV) return "blocked";
  if (result === -ERRNO.EPERM) return write ? "no-write" : "no-read";
  return "not-present";
}
