/**
 * Log pages: errors, health, firmware, command effects (NVMe 1.4, 5.14).
 *
 * @module
 */

/** Entries of the error log. */
export const ERROR_ENTRIES = 64;
const ERROR_ENTRY = 64;
/** Where in the command the error was: nowhere in particular. */
const NO_LOCATION = 0xffff;

/** The last errors, newest first. */
export class ErrorLog {
  /** Errors since power-on. */
  count = 0;
  #bytes = new Uint8Array(ERROR_ENTRIES * ERROR_ENTRY);
  #view = new DataView(this.#bytes.buffer);

  /** Keep an error. `status` is the status field without the phase tag. */
  add(queue: number, commandId: number, status: number, lba: number, namespaceId: number): void {
    this.#bytes.copyWithin(ERROR_ENTRY, 0);
    this.#bytes.fill(0, 0, ERROR_ENTRY);
    const view = this.#view;
    view.setBigUint64(0, BigInt(++this.count), true);
    view.setUint16(8, queue, true);
    view.setUint16(10, commandId, true);
    view.setUint16(12, (status << 1) & 0xffff, true);
    view.setUint16(14, NO_LOCATION, true);
    view.setBigUint64(16, BigInt(lba), true);
    view.setUint32(24, namespaceId, true);
  }

  /** The log page. */
  page(): Uint8Array {
    return this.#bytes;
  }
}

/** Health of the disk. */
export class Health {
  /** Composite temperature, kelvin. */
  temperature = 310;
  /** Temperature, kelvin, from which on it is a warning. */
  over = 353;
  /** Temperature, kelvin, down to which it is a warning. */
  under = 0;
  /** Read and Compare commands that succeeded. */
  reads = 0;
  /** Write commands that succeeded. */
  writes = 0;
  /** Blocks of 512 bytes read. */
  sectorsRead = 0;
  /** Blocks of 512 bytes written. */
  sectorsWritten = 0;
  /** Errors of the media. */
  mediaErrors = 0;
  /** Times that the controller was switched off without a shutdown. */
  unsafeShutdowns = 0;

  /** The temperature is outside its thresholds. */
  get warned(): boolean {
    return this.temperature >= this.over || this.temperature <= this.under;
  }

  /** The SMART / Health Information log page. @param errors entries in the error log, ever. @param hours since power-on. */
  page(errors: number, hours: number): Uint8Array {
    const bytes = new Uint8Array(512);
    const view = new DataView(bytes.buffer);
    const count = (at: number, value: number) => view.setBigUint64(at, BigInt(Math.ceil(value)), true);
    bytes[0] = this.warned ? 2 : 0;
    view.setUint16(1, this.temperature, true);
    bytes[3] = 100;
    bytes[4] = 10;
    count(32, this.sectorsRead / 1000);
    count(48, this.sectorsWritten / 1000);
    count(64, this.reads);
    count(80, this.writes);
    count(112, 1);
    count(128, Math.floor(hours));
    count(144, this.unsafeShutdowns);
    count(160, this.mediaErrors);
    count(176, errors);
    return bytes;
  }
}

/** The Firmware Slot Information log page: one slot, active. */
export function firmwarePage(revision: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(512);
  bytes[0] = 1;
  bytes.set(revision, 8);
  return bytes;
}

/** Commands Supported and Effects: opcodes that exist, and those that change data. */
export function effectsPage(admin: readonly number[], io: readonly number[], changing: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(4096);
  for (const opcode of admin) bytes[4 * opcode] = 1;
  for (const opcode of io) bytes[1024 + 4 * opcode] = changing.includes(opcode) ? 3 : 1;
  return bytes;
}
