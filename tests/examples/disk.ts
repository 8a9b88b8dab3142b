/**
 * A simulated machine with one NVMe disk, and the driver of examples/nvme on it.
 *
 * @module
 */
import { deepStrictEqual } from "node:assert/strict";
import { NvmeDriver } from "../../examples/nvme/driver.ts";
import type { NvmeDriverOptions } from "../../examples/nvme/options.ts";
import { leaks, type Machine, memoryMedia, NvmeController, type NvmeOptions, simulated, type SimulatedKernel } from "../../mod.ts";

/** Where the disk is. */
export const ADDRESS = "0000:00:04.0";
/** Bytes of a disk that no test needs to be larger. */
export const DISK_LENGTH: number = 4 * 2 ** 20;

/** What a test chooses. */
export interface DiskOptions {
  /** The controller. Default: one namespace of 4 MiB of zeros. */
  readonly disk?: Partial<NvmeOptions>;
  /** The driver. */
  readonly driver?: NvmeDriverOptions;
  /** The machine besides its devices. */
  readonly machine?: Omit<Machine, "pci">;
}

/** A machine that is switched on. */
export function diskMachine({ disk = {}, machine = {} }: DiskOptions = {}): Promise<SimulatedKernel> {
  const model = new NvmeController({ namespaces: [{ media: memoryMedia(DISK_LENGTH) }], ...disk });
  return simulated({ ...machine, pci: [{ slot: "04.0", model }] }, { checks: true });
}

/** What is in use when a program has given everything back. */
const NOTHING = { files: 0, objects: 0, pinnedPages: 0, blocks: 0, waits: 0 };

/** Fail unless the program gave everything back, and kernel and models are sound. */
export function checkClean(kernel: SimulatedKernel): void {
  deepStrictEqual(kernel.inspect.usage, NOTHING);
  deepStrictEqual(leaks(kernel), []);
  deepStrictEqual(kernel.inspect.check(), []);
  deepStrictEqual(kernel.inspect.modelErrors, []);
}

/** Open the driver, use it, close it, and check that nothing is left. */
export async function onDisk(options: DiskOptions, use: (driver: NvmeDriver, kernel: SimulatedKernel) => Promise<void>): Promise<void> {
  using kernel = await diskMachine(options);
  {
    await using driver = await NvmeDriver.open(kernel, ADDRESS, options.driver);
    await use(driver, kernel);
  }
  checkClean(kernel);
}

/** `length` bytes that look like chance, the same for the same seed. */
export function pattern(length: number, seed: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  let state = seed + 1;
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}
