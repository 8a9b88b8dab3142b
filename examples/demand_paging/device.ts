/**
 * The DMA engine of an edu device that asks for pages: what of the device this example needs.
 *
 * @module
 */
import type { BoundDevice, Irq, Region } from "../../mod.ts";

const INTERRUPT_STATUS = 0x24;
const INTERRUPT_ACKNOWLEDGE = 0x64;
const DMA_SOURCE = 0x80;
const DMA_DESTINATION = 0x88;
const DMA_COUNT = 0x90;
const DMA_COMMAND = 0x98;
const DMA_START = 1;
const DMA_TO_MEMORY = 2;
const DMA_INTERRUPT = 4;
const BUFFER_ADDRESS = 0x40000n;
const COMMAND = 0x04;
const COMMAND_MASTER = 0x4;

/** Bytes that one copy moves at most. */
export const COPY_MAX = 4096;

/** Copies from one place of memory to another through the device's buffer. Disposing it switches the interrupt off. */
export class CopyEngine implements Disposable {
  #registers: Region;
  #irq: Irq;
  #interrupts: AsyncIterator<unknown>;

  /** For a device that is bound and attached. */
  constructor(device: BoundDevice) {
    this.#registers = device.bar(0);
    this.#irq = device.irq("msi");
    this.#irq.enable(1);
    this.#interrupts = this.#irq[Symbol.asyncIterator]();
    device.config.write16(COMMAND, device.config.read16(COMMAND) | COMMAND_MASTER);
  }

  /** Copy `length` bytes, at most {@linkcode COPY_MAX}. Resolves when the device says that it is done: it does not say whether it could. */
  async copy(from: bigint, to: bigint, length: number): Promise<void> {
    await this.#transfer(from, BUFFER_ADDRESS, length, DMA_START | DMA_INTERRUPT);
    await this.#transfer(BUFFER_ADDRESS, to, length, DMA_START | DMA_TO_MEMORY | DMA_INTERRUPT);
  }

  async #transfer(source: bigint, destination: bigint, length: number, command: number): Promise<void> {
    this.#registers.write64(DMA_SOURCE, source);
    this.#registers.write64(DMA_DESTINATION, destination);
    this.#registers.write64(DMA_COUNT, BigInt(length));
    this.#registers.write32(DMA_COMMAND, command);
    await this.#interrupts.next();
    this.#registers.write32(INTERRUPT_ACKNOWLEDGE, this.#registers.read32(INTERRUPT_STATUS));
  }

  /** Disable the interrupt. */
  [Symbol.dispose](): void {
    this.#irq[Symbol.dispose]();
  }
}
