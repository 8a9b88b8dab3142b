/**
 * QEMU's edu device by raw accesses of its regions: the DMA engine that the cases move bytes with.
 *
 * @module
 */
import { PCI_BAR0_REGION_INDEX, PCI_CONFIG_REGION_INDEX } from "../../uapi/codec.ts";
import { check, CheckError, equal } from "../check.ts";
import type { Caller } from "./caller.ts";

const REGION_SPAN = 2 ** 40;
/** The command register of configuration space, and its bit that lets a device do DMA. */
const COMMAND = 0x04;
const COMMAND_MASTER = 0x4;
export const DMA_SOURCE = 0x80;
export const DMA_DESTINATION = 0x88;
export const DMA_COUNT = 0x90;
export const DMA_COMMAND = 0x98;
const RUN = 1n;
const TO_MEMORY = 2n;
/** Where the DMA engine has the device's own buffer of 4,096 bytes. */
export const BUFFER = 0x40000n;
/** How long a transfer may take on real or emulated hardware, ms. The device takes 100. */
export const PATIENCE = 10_000;

/** Read 1, 2, 4 or 8 bytes of a region at once. */
export function readRegion(t: Caller, device: number, region: number, offset: number, width: 1 | 2 | 4 | 8): bigint {
  using block = t.kernel.block(8);
  equal(
    t.kernel.pread(device, block, width, region * REGION_SPAN + offset),
    width,
    `pread of region ${region} at 0x${offset.toString(16)}`,
  );
  return block.view.getBigUint64(0, true) & (1n << BigInt(8 * width)) - 1n;
}

/** Write 1, 2, 4 or 8 bytes of a region at once. */
export function writeRegion(t: Caller, device: number, region: number, offset: number, width: 1 | 2 | 4 | 8, value: bigint): void {
  using block = t.kernel.block(8);
  block.view.setBigUint64(0, value, true);
  equal(
    t.kernel.pwrite(device, block, width, region * REGION_SPAN + offset),
    width,
    `pwrite of region ${region} at 0x${offset.toString(16)}`,
  );
}

/** Let a device do DMA, or keep it from it. */
export function setBusMaster(t: Caller, device: number, on = true): void {
  const command = Number(readRegion(t, device, PCI_CONFIG_REGION_INDEX, COMMAND, 2));
  const value = on ? command | COMMAND_MASTER : command & ~COMMAND_MASTER;
  writeRegion(t, device, PCI_CONFIG_REGION_INDEX, COMMAND, 2, BigInt(value));
}

/** An edu device that may do DMA. */
export class Edu {
  readonly #t: Caller;
  readonly #device: number;

  /** `device`: its fd, bound. */
  constructor(t: Caller, device: number) {
    this.#t = t;
    this.#device = device;
    setBusMaster(t, device);
  }

  /** The device reads memory into its buffer. Resolves when it is done; a refused transfer ends too. */
  fetch(iova: bigint, offset: number, length: number): Promise<void> {
    return this.#transfer(iova, BUFFER + BigInt(offset), length, RUN);
  }

  /** The device writes its buffer to memory, as {@linkcode Edu.fetch}. */
  store(offset: number, iova: bigint, length: number): Promise<void> {
    return this.#transfer(BUFFER + BigInt(offset), iova, length, RUN | TO_MEMORY);
  }

  /** Whether the device can read memory: what it fetched over a mark is what `bytes` say. */
  async reads(iova: bigint, bytes: Uint8Array, scratch: { iova: bigint; bytes: Uint8Array }): Promise<boolean> {
    check(bytes.length > 0 && bytes.length <= scratch.bytes.length, "the scratch memory is too short");
    await this.fetch(iova, 0, bytes.length);
    await this.store(0, scratch.iova, bytes.length);
    return bytes.every((byte, index) => byte === scratch.bytes[index]);
  }

  async #transfer(source: bigint, destination: bigint, length: number, command: bigint): Promise<void> {
    const write = (register: number, value: bigint) =>
      writeRegion(this.#t, this.#device, PCI_BAR0_REGION_INDEX, register, register === DMA_COMMAND ? 4 : 8, value);
    write(DMA_SOURCE, source);
    write(DMA_DESTINATION, destination);
    write(DMA_COUNT, BigInt(length));
    write(DMA_COMMAND, command);
    const end = performance.now() + PATIENCE;
    for (let turn = 1; this.#running(); turn++) {
      this.#t.kernel.relax();
      // On hardware relax does nothing, and time passes only by itself.
      if (turn % 64 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      if (performance.now() > end) throw new CheckError("The device's transfer does not end");
    }
  }

  #running(): boolean {
    return (readRegion(this.#t, this.#device, PCI_BAR0_REGION_INDEX, DMA_COMMAND, 4) & RUN) !== 0n;
  }
}
