/**
 * A device without a will of its own: the test makes its transfers and its interrupts.
 *
 * @module
 */
import type { Bus, DeviceDescription, DeviceModel, DmaFault } from "../../backends/simulated/mod.ts";
import { UNTOUCHED } from "./world.ts";

/** What a transfer came to: the bytes that were read, or why it was refused. */
export type ReadResult = Uint8Array | DmaFault;

export { UNTOUCHED };

/** The device model. */
export class Puppet implements DeviceModel {
  /** As {@linkcode DeviceModel.description}. */
  readonly description: DeviceDescription;
  /** What the device sees of the machine. */
  bus!: Bus;
  /** Resets so far. */
  resets = 0;
  /** A register that keeps what is written, until a reset. */
  register = 0;

  /** `description` adds to a function with one BAR of a page, an INTx pin and four MSI-X vectors. */
  constructor(description: Partial<DeviceDescription> = {}) {
    this.description = {
      vendor: 0x1234,
      device: 0x0b57,
      classCode: 0xff0000,
      bars: [{ index: 0, length: 4096 }],
      interruptPin: 1,
      msix: { vectors: 4, bar: 0, table: 2048, pending: 3072 },
      ...description,
    };
  }

  /** As {@linkcode DeviceModel.connect}. */
  connect(bus: Bus): void {
    this.bus = bus;
  }

  /** As {@linkcode DeviceModel.reset}. */
  reset(): void {
    this.resets++;
    this.register = 0;
  }

  /** As {@linkcode DeviceModel.read}. */
  read(): number {
    return this.register;
  }

  /** As {@linkcode DeviceModel.write}. */
  write(_bar: number, _offset: number, _width: 1 | 2 | 4, value: number): void {
    this.register = value;
  }

  /** Read memory by DMA: the bytes, or why it was refused. */
  reads(iova: bigint, length: number): ReadResult {
    const into = new Uint8Array(length).fill(UNTOUCHED);
    const fault = this.bus.dma.read(iova, into);
    return fault ?? into;
  }

  /** Whether a read is refused and leaves the device's buffer as it was. */
  readsNothing(iova: bigint, length: number): boolean {
    const into = new Uint8Array(length).fill(UNTOUCHED);
    return this.bus.dma.read(iova, into) !== undefined && into.every((byte) => byte === UNTOUCHED);
  }

  /** Write memory by DMA: "OK", or why it was refused. */
  writes(iova: bigint, from: Uint8Array): DmaFault | "OK" {
    return this.bus.dma.write(iova, from) ?? "OK";
  }
}
