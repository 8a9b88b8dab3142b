/**
 * What can be chosen about the driver.
 *
 * @module
 */

/** Options of `NvmeDriver.open`. */
export interface NvmeDriverOptions {
  /** I/O queues, 1 to 65,535; fewer where the controller grants fewer. Default: 4. */
  readonly queues?: number;
  /** Commands under way at once in each I/O queue, 1 to 65,535; fewer where its queues are shorter. Default: 32. */
  readonly depth?: number;
  /** How completions are noticed. Where there is no MSI-X the driver polls. Default: `"interrupts"`. */
  readonly completions?: "interrupts" | "polling";
  /** Milliseconds that a command has, 1 to 2^31 − 1. Default: 30,000. */
  readonly timeout?: number;
  /** What fault records call the device, 0 to 2^64 − 1. Default: none. */
  readonly label?: bigint;
  /** Whether the page table shall tell which pages the device writes to, with small pages: `NvmeDriver.hwpt`. Default: false. */
  readonly dirtyTracking?: boolean;
}

/** Options with their defaults. */
export interface DriverSettings extends Required<Omit<NvmeDriverOptions, "label">> {
  /** As {@linkcode NvmeDriverOptions.label}. */
  readonly label: bigint | undefined;
}

const COUNT_MAX = 0xffff;
const TIMEOUT_MAX = 2 ** 31 - 1;

function check(name: string, value: number, last: number): number {
  if (Number.isInteger(value) && 1 <= value && value <= last) return value;
  throw new RangeError(`Cannot open the controller: ${name} is ${value}, wanted a whole number from 1 to ${last}`);
}

/** Check options and fill in defaults. @throws {RangeError} naming the option that is wrong. */
export function readOptions(options: NvmeDriverOptions): DriverSettings {
  const { queues = 4, depth = 32, completions = "interrupts", timeout = 30_000, label, dirtyTracking = false } = options;
  if (completions !== "interrupts" && completions !== "polling") {
    throw new RangeError(`Cannot open the controller: completions is "${completions}", wanted "interrupts" or "polling"`);
  }
  return {
    queues: check("queues", queues, COUNT_MAX),
    depth: check("depth", depth, COUNT_MAX),
    completions,
    timeout: check("timeout", timeout, TIMEOUT_MAX),
    label,
    dirtyTracking,
  };
}
