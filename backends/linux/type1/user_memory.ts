/**
 * Memory of the program at any address, as requests reach it that give an address and no block.
 *
 * @module
 */
import type { Block, Kernel } from "../../../uapi/kernel.ts";
import { allocate } from "./info.ts";

/** Reads and writes through the kernel below, which refuses what is not there. */
export class UserMemory {
  #kernel: Kernel;

  /** The memory of the program that uses this kernel. */
  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  /** A copy of `length` bytes; undefined where one of them cannot be read. */
  read(address: bigint, length: number): Uint8Array | undefined {
    if (length === 0) return new Uint8Array(0);
    const copied = this.#through(length, (file, block) => {
      if (this.#kernel.pwrite(file, at(address, length), length, 0) !== length) return false;
      return this.#kernel.pread(file, block, length, 0) === length;
    });
    if (copied !== "no file") return copied;
    const view = this.#kernel.view(address, length);
    return view.length === length ? view.slice() : undefined;
  }

  /** Write; false where one of the bytes cannot be written. What lies before it may be written then. */
  write(address: bigint, bytes: Uint8Array): boolean {
    if (bytes.length === 0) return true;
    const written = this.#through(bytes.length, (file, block) => {
      block.bytes.set(bytes);
      if (this.#kernel.pwrite(file, block, bytes.length, 0) !== bytes.length) return false;
      return this.#kernel.pread(file, at(address, bytes.length), bytes.length, 0) === bytes.length;
    });
    if (written !== "no file") return written !== undefined;
    const view = this.#kernel.view(address, bytes.length);
    if (view.length !== bytes.length) return false;
    view.set(bytes);
    return true;
  }

  /**
   * Let the kernel copy by way of a file in memory: what `view` shows may be there to be read only, and writing to it would end the program. Where
   * files in memory cannot be read and written, "no file".
   */
  #through(length: number, copy: (file: number, block: Block) => boolean): Uint8Array | undefined | "no file" {
    using block = allocate(this.#kernel, length);
    if (block === undefined) return undefined;
    const file = this.#kernel.memfd("type1", length);
    if (file < 0) return undefined;
    try {
      if (this.#kernel.pread(file, block, 1, 0) !== 1) return "no file";
      return copy(file, block) ? block.bytes.slice() : undefined;
    } finally {
      this.#kernel.close(file);
    }
  }
}

/** The address in the form that reads and writes take. Its bytes are a stand-in: the kernel goes by the address. */
function at(address: bigint, length: number): Block {
  const bytes = new Uint8Array(length);
  return { address, bytes, view: new DataView(bytes.buffer), [Symbol.dispose]: () => {} };
}
