/**
 * A device that makes the DMA of an NVMe disk: it fetches a command, moves the data and tells that it is done.
 *
 * @module
 */
import type { Bus, DeviceDescription, DeviceModel } from "../../mod.ts";

/** Registers of BAR 0: where the command is, where its completion goes; a write to the last one starts it. */
export const REGISTER = { command: 0x00, completion: 0x08, start: 0x10 } as const;
/** Bytes of a command: where the data is (8), its length (4), whether the device reads it (4). */
export const COMMAND = 64;
/** Bytes of a completion. */
export const COMPLETION = 16;

/** The model. Commands are done at once: here it counts what they touch, not how long a disk takes. */
export class LoadDisk implements DeviceModel {
  /** As {@linkcode DeviceModel.description}. */
  readonly description: DeviceDescription = { vendor: 0x1234, device: 0x71b, classCode: 0x010802, bars: [{ index: 0, length: 4096 }] };
  #bus!: Bus;
  #command!: DataView;
  #completion!: Uint8Array;
  #data!: Uint8Array;
  #registers = new DataView(new ArrayBuffer(64));

  /** @param dataMax bytes of the largest transfer. */
  constructor(readonly dataMax: number) {}

  /** As {@linkcode DeviceModel.connect}. */
  connect(bus: Bus): void {
    this.#bus = bus;
    const command = bus.allocate(COMMAND);
    this.#command = new DataView(command.buffer, command.byteOffset, COMMAND);
    this.#completion = bus.allocate(COMPLETION);
    this.#data = bus.allocate(this.dataMax);
  }

  /** As {@linkcode DeviceModel.reset}. */
  reset(): void {
    this.#registers = new DataView(new ArrayBuffer(64));
  }

  /** As {@linkcode DeviceModel.read}. */
  read(_bar: number, offset: number): number {
    return offset + 4 <= this.#registers.byteLength ? this.#registers.getUint32(offset, true) : 0;
  }

  /** As {@linkcode DeviceModel.write}. */
  write(_bar: number, offset: number, _width: 1 | 2 | 4, value: number): void {
    if (offset + 4 > this.#registers.byteLength) return;
    this.#registers.setUint32(offset, value, true);
    if (offset === REGISTER.start) this.#run();
  }

  #run(): void {
    const { dma } = this.#bus;
    const bytes = new Uint8Array(this.#command.buffer, this.#command.byteOffset, COMMAND);
    if (dma.read(this.#registers.getBigUint64(REGISTER.command, true), bytes) !== undefined) return;
    const data = this.#data.subarray(0, Math.min(this.#command.getUint32(8, true), this.dataMax));
    const iova = this.#command.getBigUint64(0, true);
    if (this.#command.getUint32(12, true) === 1) dma.read(iova, data);
    else dma.write(iova, data);
    dma.write(this.#registers.getBigUint64(REGISTER.completion, true), this.#completion);
  }
}
