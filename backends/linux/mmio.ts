/**
 * BARs as memory: an access of 1, 2, 4 or 8 bytes becomes one load or store of that width, without a system call.
 *
 * Typed arrays of the width are used, since a `DataView` may go byte by byte, and an atomic store is a read and a write. Touching a mapped BAR
 * while the device does not answer to memory ends the process with SIGBUS. So the command register is read by a system call after everything that may
 * have changed it, and while it says no, accesses are system calls, which answer EIO. What nobody can see coming (another process that
 * resets the bus, a device that is pulled out) is not covered.
 *
 * @module
 */
import { DEVICE_FEATURE, DEVICE_FEATURE_SET, DEVICE_PCI_HOT_RESET, DEVICE_RESET } from "../../uapi/codec.ts";
import { MAP_SHARED, PROT_READ, PROT_WRITE } from "../../uapi/kernel.ts";
import { detach, memoryAt } from "./libc_unsafe.ts";
import { type DeviceLayout, readLayout, type Span } from "./regions.ts";
import type { System } from "./system.ts";

const PAGE = 4096;
const CONFIG_LENGTH = 4096;
const COMMAND_OFFSET = 4;
const COMMAND_MEMORY = 2;
const POWER_STATE_OFFSET = 4;
const POWER_STATE_MASK = 3;
const NO_DEVICE = 0xffff;
/** VFIO's features of power: from entry to exit the device may sleep. */
const LOW_POWER_ENTRY = 3;
const LOW_POWER_ENTRY_WITH_WAKEUP = 4;
const LOW_POWER_EXIT = 5;
/** No offset is in it. */
const NO_SPAN: Span = { start: -1, end: -1 };

/** A mapped part of a BAR. */
interface Area extends Span {
  readonly address: bigint;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly words: Uint16Array<ArrayBuffer>;
  readonly doubles: Uint32Array<ArrayBuffer>;
  readonly quads: BigUint64Array<ArrayBuffer>;
}

/** The mapped BARs of one device file. Offsets are those of the file. */
export class Mmio {
  #system: System;
  #fd: number;
  #layout: DeviceLayout | undefined;
  /** By the number of the span in the layout; null: it cannot be mapped. */
  #areas: (Area | null)[] = [];
  #last: Area | undefined;
  #lastSpan: Span = NO_SPAN;
  /** Whether nothing happened since the device was seen to answer. */
  #isAnswering = false;
  #isAsleep = false;

  /** For an open device, bound or not. */
  constructor(system: System, fd: number) {
    this.#system = system;
    this.#fd = fd;
  }

  /** Read a register into the start of `into`. Returns whether that was possible; if not, nothing was accessed, and pread says why. */
  read(offset: number, length: number, into: DataView): boolean {
    const area = this.#find(offset, length);
    if (area === undefined) return false;
    const at = offset - area.start;
    if (length === 4) into.setUint32(0, area.doubles[at / 4]!, true);
    else if (length === 8) into.setBigUint64(0, area.quads[at / 8]!, true);
    else if (length === 2) into.setUint16(0, area.words[at / 2]!, true);
    else into.setUint8(0, area.bytes[at]!);
    return true;
  }

  /** Write a register from the start of `from`, as {@linkcode Mmio.read}. */
  write(offset: number, length: number, from: DataView): boolean {
    const area = this.#find(offset, length);
    if (area === undefined) {
      this.#touched(offset, length);
      return false;
    }
    const at = offset - area.start;
    if (length === 4) area.doubles[at / 4] = from.getUint32(0, true);
    else if (length === 8) area.quads[at / 8] = from.getBigUint64(0, true);
    else if (length === 2) area.words[at / 2] = from.getUint16(0, true);
    else area.bytes[at] = from.getUint8(0);
    return true;
  }

  /** Look at the device again before the next access: something may have switched it off. */
  doubt(): void {
    this.#isAnswering = false;
  }

  /** A request went to the device. Returns whether other devices may be reset by it too. */
  requested(request: number, argument: Uint8Array | undefined, result: number): boolean {
    if (request === DEVICE_RESET || request === DEVICE_PCI_HOT_RESET) this.doubt();
    if (request === DEVICE_FEATURE && argument !== undefined && argument.length >= 8) this.#feature(argument, result);
    return request === DEVICE_PCI_HOT_RESET || request === DEVICE_RESET;
  }

  /** Unmap. The file is closed next. */
  [Symbol.dispose](): void {
    for (const area of this.#areas) {
      if (!area) continue;
      detach(area.bytes.buffer);
      this.#system.libc.symbols.munmap(area.address, BigInt(area.end - area.start));
    }
    this.#areas = [];
    [this.#last, this.#lastSpan, this.#layout] = [undefined, NO_SPAN, undefined];
  }

  #feature(argument: Uint8Array, result: number): void {
    this.doubt();
    const flags = new DataView(argument.buffer, argument.byteOffset).getUint32(4, true);
    if (result < 0 || (flags & DEVICE_FEATURE_SET) === 0) return;
    const feature = flags & 0xffff;
    if (feature === LOW_POWER_ENTRY || feature === LOW_POWER_ENTRY_WITH_WAKEUP) this.#isAsleep = true;
    if (feature === LOW_POWER_EXIT) this.#isAsleep = false;
  }

  /** A write by a system call may be one to the command register or the power state. */
  #touched(offset: number, length: number): void {
    const config = this.#layout?.config;
    if (config === undefined || (offset < config + CONFIG_LENGTH && config < offset + length)) this.doubt();
  }

  /** The mapped memory of an aligned access, if the device answers to it. */
  #find(offset: number, length: number): Area | undefined {
    if (length !== 4 && length !== 8 && length !== 2 && length !== 1) return undefined;
    let area = this.#last;
    const span = this.#lastSpan;
    if (offset < span.start || offset + length > span.end) area = this.#map(offset, length);
    if (area === undefined || (offset - area.start) % length !== 0) return undefined;
    return this.#isAnswering || this.#look() ? area : undefined;
  }

  /** Map what is around an offset, if it was not mapped before. */
  #map(offset: number, length: number): Area | undefined {
    if (!this.#system.libc.architecture.isDeviceMemoryOrdered) return undefined;
    this.#layout ??= readLayout(this.#system, this.#fd);
    const index = this.#layout?.mappable.findIndex(({ start, end }) => start <= offset && offset + length <= end) ?? -1;
    if (index < 0) return undefined;
    const span = this.#layout!.mappable[index]!;
    const area = this.#areas[index] ??= this.#mapSpan(span);
    if (area === null) return undefined;
    [this.#last, this.#lastSpan] = [area, span];
    return area;
  }

  #mapSpan(span: Span): Area | null {
    const { symbols } = this.#system.libc;
    // Typed arrays have whole elements, and a BAR is shorter than a page at times: the page is the device's alone then.
    const length = Math.ceil((span.end - span.start) / PAGE) * PAGE;
    const address = symbols.mmap(0n, BigInt(length), PROT_READ | PROT_WRITE, MAP_SHARED, this.#fd, BigInt(span.start));
    if (address === -1n) return null;
    const memory = memoryAt(address, length);
    return {
      start: span.start,
      end: span.start + length,
      address,
      bytes: new Uint8Array(memory),
      words: new Uint16Array(memory),
      doubles: new Uint32Array(memory),
      quads: new BigUint64Array(memory),
    };
  }

  /** Whether the device is awake and answers to memory. */
  #look(): boolean {
    const { config, power } = this.#layout!;
    if (this.#isAsleep) return false;
    const command = this.#config16(config + COMMAND_OFFSET);
    if (command === NO_DEVICE || (command & COMMAND_MEMORY) === 0) return false;
    if (power !== 0 && (this.#config16(config + power + POWER_STATE_OFFSET) & POWER_STATE_MASK) !== 0) return false;
    this.#isAnswering = true;
    return true;
  }

  #config16(offset: number): number {
    const { libc: { symbols }, address, view } = this.#system;
    return symbols.pread(this.#fd, address, 2n, BigInt(offset)) === 2 ? view.getUint16(0, true) : NO_DEVICE;
  }
}
