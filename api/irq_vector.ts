/**
 * One interrupt vector: an eventfd that the kernel counts up.
 *
 * @module
 */
import { ERRNO } from "../uapi/errno.ts";
import type { Block, Kernel } from "../uapi/kernel.ts";
import { allocateBlock, closeFile, failed } from "./error.ts";
import { steps, untilTaken } from "./steps.ts";

/** Bytes of an eventfd's count. */
const COUNT_LENGTH = 8;

/** An enabled vector. Made by {@linkcode Irq.enable}, got by {@linkcode Irq.vector}; it ends with {@linkcode Irq.disable}. */
export class IrqVector implements AsyncIterable<bigint> {
  /** Its eventfd, for raw system calls. */
  readonly fd: number;
  /** Its number. */
  readonly index: number;
  #kernel: Kernel;
  #count: Block;
  #isOpen = true;

  /** Made by {@linkcode Irq.enable}. Takes the eventfd over. @throws {IommuError} ENOMEM: the eventfd is closed then. */
  constructor(kernel: Kernel, fd: number, index: number) {
    this.#kernel = kernel;
    this.fd = fd;
    this.index = index;
    try {
      this.#count = allocateBlock(kernel, COUNT_LENGTH);
    } catch (error) {
      kernel.close(fd);
      throw error;
    }
  }

  /** How many interrupts came since the last look, without waiting: 0n is none. */
  take(): bigint {
    if (!this.#isOpen) return 0n;
    const result = this.#kernel.read(this.fd, this.#count, COUNT_LENGTH);
    if (result === -ERRNO.EAGAIN) return 0n;
    if (result < 0) throw failed("read", result, { vector: this.index });
    return this.#count.view.getBigUint64(0, true);
  }

  /**
   * Wait for an interrupt. Resolves with how many came since the last look, or undefined once the vector is disabled.
   *
   * Rejects with the signal's reason when it aborts.
   */
  wait(signal?: AbortSignal): Promise<bigint | undefined> {
    return untilTaken({
      kernel: this.#kernel,
      fd: this.fd,
      isOpen: () => this.#isOpen,
      take: () => this.take() || undefined,
      failed: (result) => failed("wait", result, { vector: this.index }),
    }, signal);
  }

  /** Each step waits for an interrupt. The iteration ends when the vector is disabled; leaving it early leaves the vector enabled. */
  [Symbol.asyncIterator](): AsyncIterableIterator<bigint> {
    return steps((signal) => this.wait(signal));
  }

  /** The vector is disabled: close its eventfd. The library calls this itself. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#count[Symbol.dispose]();
    closeFile(this.#kernel, this.fd, `the eventfd of vector ${this.index}`);
  }
}
