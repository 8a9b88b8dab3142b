/**
 * Configuration space of a device, as vfio-pci shows it to a program: identity and capabilities of the function, virtualized BARs, and the
 * few bits that a program may change.
 *
 * Layout: PCI Local Bus 3.0, chapter 6, and PCI Express Base 5.0, chapter 7. What is writable: drivers/vfio/pci/vfio_pci_config.c of Linux.
 *
 * @module
 */
import { GROUPS_MAX } from "./page_requests.ts";
import { type CapabilityPlaces, keptBits } from "./config_kept.ts";
import { barFlags } from "./resources.ts";
import type { DeviceDescription } from "./device.ts";

/** Command: the function answers memory accesses. */
export const COMMAND_MEMORY = 0x2;
/** Command: the function may do DMA. */
export const COMMAND_MASTER = 0x4;
/** Command: the INTx pin stays silent. */
export const COMMAND_INTX_DISABLE = 0x400;

const COMMAND = 0x04;
const STATUS = 0x06;
const BAR0 = 0x10;
const BARS_END = 0x28;
const STATUS_INTX = 0x08;
const STATUS_CAPABILITIES = 0x10;
const EXPRESS_FLR = 0x8000;

type Places = { -readonly [K in keyof CapabilityPlaces]: number };

/** What configuration space needs to know of the function's place and hardware. */
export interface ConfigOptions {
  /** Whether it is a PCI Express function: then the space has 4,096 bytes, else 256. */
  readonly express: boolean;
  /** Whether it sits on the root bus, which changes the type of an Express endpoint. */
  readonly onRootBus: boolean;
  /** Whether the device has several functions. */
  readonly multifunction: boolean;
  /** Whether to show an ACS capability. */
  readonly acs: boolean;
  /** Physical address of each BAR by index; 0 where there is none. */
  readonly bars: readonly bigint[];
}

/** What configuration space tells the rest of the function. */
export interface ConfigEvents {
  /** The command register or the power state changed. */
  changed(): void;
  /** The program asked for a function-level reset. */
  functionReset(): void;
  /** Whether the INTx pin is asserted, for the status register. */
  intxAsserted(): boolean;
  /** Which kind of interrupt is enabled, for the enable bits of MSI and MSI-X. */
  interruptMode(): "none" | "intx" | "msi" | "msix";
}

/** The configuration space of one function. */
export class ConfigSpace {
  /** Bytes: 4,096 for PCI Express, else 256. */
  readonly length: number;
  #bytes: DataView;
  #writable: DataView;
  #initial: Uint8Array;
  #places: Places = { power: 0, msi: 0, msix: 0, express: 0, advanced: 0 };
  #events: ConfigEvents;
  #kept: Uint8Array | undefined;

  /** Build the space at power-on. */
  constructor(description: DeviceDescription, options: ConfigOptions, events: ConfigEvents) {
    this.length = options.express ? 4096 : 256;
    this.#bytes = new DataView(new ArrayBuffer(this.length));
    this.#writable = new DataView(new ArrayBuffer(this.length));
    this.#events = events;
    this.#buildHeader(description, options);
    this.#buildBars(description, options.bars);
    this.#buildCapabilities(description, options);
    this.#initial = new Uint8Array(this.#bytes.buffer.slice(0));
  }

  /** Whether the function answers memory accesses. */
  get memoryEnabled(): boolean {
    return (this.#bytes.getUint16(COMMAND, true) & COMMAND_MEMORY) !== 0 && this.#awake;
  }

  /** Whether the function may do DMA. */
  get busMaster(): boolean {
    return (this.#bytes.getUint16(COMMAND, true) & COMMAND_MASTER) !== 0 && this.#awake;
  }

  /** Whether the program silenced the INTx pin. */
  get intxDisabled(): boolean {
    return (this.#bytes.getUint16(COMMAND, true) & COMMAND_INTX_DISABLE) !== 0;
  }

  /** The function is in D0: in D3hot it neither answers nor does DMA. */
  get #awake(): boolean {
    return this.#places.power === 0 || (this.#bytes.getUint8(this.#places.power + 4) & 3) !== 3;
  }

  /** Back to what a program finds when it opens the device. */
  reset(): void {
    new Uint8Array(this.#bytes.buffer).set(this.#initial);
  }

  /** Read 1, 2 or 4 bytes; `offset` is aligned and inside the space. */
  read(offset: number, width: 1 | 2 | 4): number {
    this.#refresh();
    if (width === 4) return this.#bytes.getUint32(offset, true);
    return width === 2 ? this.#bytes.getUint16(offset, true) : this.#bytes.getUint8(offset);
  }

  /**
   * Read as {@linkcode ConfigSpace.read} when the function is out of its slot: what vfio-pci keeps itself is as before, the rest would come
   * from the function and is ones.
   */
  readCut(offset: number, width: 1 | 2 | 4): number {
    const value = this.read(offset, width);
    this.#kept ??= keptBits(this.length, this.#places, this.length > 0x100 && this.#bytes.getUint32(0x100, true) !== 0);
    let kept = 0;
    for (let byte = 0; byte < width; byte++) kept |= this.#kept[offset + byte]! << (8 * byte);
    // The head of a capability without a table of its own is answered whole, if it is read as such.
    if (width > 1 && offset === this.#places.msix) kept |= 0xff;
    const ones = width === 4 ? 0xffff_ffff : 2 ** (8 * width) - 1;
    return ((value & kept) | (ones & ~kept)) >>> 0;
  }

  /** The function is in D0, as after any reset. */
  wake(): void {
    const { power } = this.#places;
    if (power !== 0) this.#bytes.setUint8(power + 4, this.#bytes.getUint8(power + 4) & ~3);
  }

  /** Write 1, 2 or 4 bytes, as {@linkcode ConfigSpace.read}. Bits that a program may not change stay. */
  write(offset: number, width: 1 | 2 | 4, value: number): void {
    for (let byte = 0; byte < width; byte++) this.#writeByte(offset + byte, value >>> (8 * byte) & 0xff);
    const { msi, power } = this.#places;
    if (msi !== 0 && offset <= msi + 2 && msi + 2 < offset + width) this.#limitMsi(msi);
    if (this.#takeResetBit()) return this.#events.functionReset();
    if (touches(offset, width, COMMAND, 2) || (power !== 0 && touches(offset, width, power + 4, 2))) this.#events.changed();
  }

  /** The whole space, for sysfs. */
  snapshot(): Uint8Array {
    this.#refresh();
    return new Uint8Array(this.#bytes.buffer.slice(0));
  }

  #writeByte(offset: number, value: number): void {
    const mask = this.#writable.getUint8(offset);
    this.#bytes.setUint8(offset, (this.#bytes.getUint8(offset) & ~mask) | (value & mask));
  }

  /** The reset bits read as zero always; returns whether one was written. */
  #takeResetBit(): boolean {
    const { express, advanced } = this.#places;
    let asked = false;
    if (express !== 0) {
      const control = this.#bytes.getUint16(express + 8, true);
      asked = (control & EXPRESS_FLR) !== 0;
      this.#bytes.setUint16(express + 8, control & ~EXPRESS_FLR, true);
    }
    if (advanced !== 0) {
      asked ||= (this.#bytes.getUint8(advanced + 4) & 1) !== 0;
      this.#bytes.setUint8(advanced + 4, 0);
    }
    return asked;
  }

  /** No more MSI vectors than the function has. */
  #limitMsi(msi: number): void {
    const flags = this.#bytes.getUint16(msi + 2, true);
    const most = flags >> 1 & 7;
    if ((flags >> 4 & 7) > most) this.#bytes.setUint16(msi + 2, (flags & ~0x70) | most << 4, true);
  }

  /** Bits that show the state of something else. */
  #refresh(): void {
    const status = this.#bytes.getUint16(STATUS, true) & ~STATUS_INTX;
    this.#bytes.setUint16(STATUS, status | (this.#events.intxAsserted() ? STATUS_INTX : 0), true);
    const mode = this.#events.interruptMode();
    const { msi, msix } = this.#places;
    if (msi !== 0) this.#bytes.setUint16(msi + 2, (this.#bytes.getUint16(msi + 2, true) & ~1) | (mode === "msi" ? 1 : 0), true);
    if (msix !== 0) {
      this.#bytes.setUint16(msix + 2, (this.#bytes.getUint16(msix + 2, true) & 0x7fff) | (mode === "msix" ? 0x8000 : 0), true);
    }
  }

  #buildHeader(description: DeviceDescription, options: ConfigOptions): void {
    const bytes = this.#bytes;
    bytes.setUint16(0x00, description.vendor, true);
    bytes.setUint16(0x02, description.device, true);
    // vfio-pci enables memory when it opens a device, and leaves bus mastering to the program.
    bytes.setUint16(COMMAND, COMMAND_MEMORY, true);
    bytes.setUint32(0x08, description.classCode * 256 + (description.revision ?? 0), true);
    bytes.setUint8(0x0e, options.multifunction ? 0x80 : 0);
    bytes.setUint16(0x2c, description.subsystemVendor ?? 0, true);
    bytes.setUint16(0x2e, description.subsystem ?? 0, true);
    bytes.setUint8(0x3d, description.interruptPin ?? 0);
    this.#allow(COMMAND, 0x07ff, 2);
    this.#allow(0x0c, 0xffff, 2);
    this.#allow(0x3c, 0xff, 1);
  }

  /** Address bits below the size stay zero, by which a program finds the size. */
  #buildBars(description: DeviceDescription, addresses: readonly bigint[]): void {
    for (const bar of description.bars) {
      const at = BAR0 + 4 * bar.index;
      const address = addresses[bar.index]!;
      const mask = ~(BigInt(bar.length) - 1n);
      this.#bytes.setUint32(at, Number(address & 0xffff_ffffn) + barFlags(bar), true);
      this.#writable.setUint32(at, Number(mask & 0xffff_ffffn), true);
      if (bar.wide && at + 4 < BARS_END) {
        this.#bytes.setUint32(at + 4, Number(address >> 32n), true);
        this.#writable.setUint32(at + 4, Number(mask >> 32n & 0xffff_ffffn), true);
      }
    }
  }

  #buildCapabilities(description: DeviceDescription, options: ConfigOptions): void {
    let link = 0x34;
    let next = 0x40;
    const place = (id: number, length: number): number => {
      this.#bytes.setUint8(link, next);
      this.#bytes.setUint8(next, id);
      link = next + 1;
      const at = next;
      next += (length + 3) & ~3;
      return at;
    };
    if (options.express) this.#buildPower(place(0x01, 8));
    if ((description.msi ?? 0) > 0) this.#buildMsi(place(0x05, 14), description.msi!);
    if (description.msix !== undefined) this.#buildMsix(place(0x11, 12), description.msix);
    if (options.express) this.#buildExpress(place(0x10, 60), options.onRootBus);
    else this.#buildAdvanced(place(0x13, 6));
    this.#bytes.setUint16(STATUS, STATUS_CAPABILITIES, true);
    if (options.express) this.#buildExtended(options.acs, description.pageRequests ?? false);
  }

  /** Power management: D0 and D3hot, and waking keeps the registers (No_Soft_Reset). */
  #buildPower(at: number): void {
    this.#places.power = at;
    this.#bytes.setUint16(at + 2, 0x0003, true);
    this.#bytes.setUint16(at + 4, 0x0008, true);
    this.#allow(at + 4, 0x0003, 2);
  }

  /** Message signalled interrupts with 64-bit addresses. Enabling is the business of the kernel (SET_IRQS), so that bit only shows it. */
  #buildMsi(at: number, vectors: number): void {
    this.#places.msi = at;
    this.#bytes.setUint16(at + 2, 0x80 | Math.log2(vectors) << 1, true);
    this.#allow(at + 2, 0x70, 2);
    this.#allow(at + 4, 0xffff_fffc, 4);
    this.#allow(at + 8, 0xffff_ffff, 4);
    this.#allow(at + 12, 0xffff, 2);
  }

  #buildMsix(at: number, msix: NonNullable<DeviceDescription["msix"]>): void {
    this.#places.msix = at;
    this.#bytes.setUint16(at + 2, msix.vectors - 1, true);
    this.#bytes.setUint32(at + 4, msix.table + msix.bar, true);
    this.#bytes.setUint32(at + 8, msix.pending + msix.bar, true);
  }

  /** PCI Express, version 2, with function-level reset; integrated endpoints have no link. */
  #buildExpress(at: number, onRootBus: boolean): void {
    this.#places.express = at;
    const type = onRootBus ? 9 : 0;
    this.#bytes.setUint16(at + 2, 2 | type << 4, true);
    this.#bytes.setUint32(at + 4, 0x1000_8001, true);
    this.#bytes.setUint16(at + 8, 0x2810, true);
    this.#allow(at + 8, 0xfdff, 2);
    if (!onRootBus) {
      this.#bytes.setUint32(at + 0x0c, 0x0000_0044, true);
      this.#bytes.setUint16(at + 0x12, 0x0044, true);
      this.#allow(at + 0x10, 0x0fc3, 2);
    }
    this.#allow(at + 0x28, 0xffdf, 2);
  }

  /** Advanced Features: function-level reset for functions without PCI Express. */
  #buildAdvanced(at: number): void {
    this.#places.advanced = at;
    this.#bytes.setUint8(at + 2, 6);
    this.#bytes.setUint8(at + 3, 0x03);
    this.#allow(at + 4, 0x01, 1);
  }

  /** The capabilities behind the first 256 bytes, each with the place of the next in its head. */
  #buildExtended(acs: boolean, pageRequests: boolean): void {
    let previous = 0;
    let next = 0x100;
    const place = (id: number, length: number): number => {
      const at = next;
      if (previous !== 0) this.#bytes.setUint16(previous + 2, 1 | at << 4, true);
      this.#bytes.setUint32(at, 0x0001_0000 | id, true);
      previous = at;
      next += length;
      return at;
    };
    if (acs) this.#buildAcs(place(0x0d, 8));
    if (!pageRequests) return;
    // Address translation of whole pages, switched on; then page requests, switched on, for groups of all numbers.
    this.#bytes.setUint32(place(0x0f, 8) + 4, 0x8000_0020, true);
    const requests = place(0x13, 16);
    this.#bytes.setUint16(requests + 4, 1, true);
    this.#bytes.setUint32(requests + 8, 512, true);
    this.#bytes.setUint32(requests + 12, GROUPS_MAX, true);
  }

  /** Source validation, request and completion redirect, upstream forwarding: present and on. */
  #buildAcs(at: number): void {
    this.#bytes.setUint16(at + 4, 0x001d, true);
    this.#bytes.setUint16(at + 6, 0x001d, true);
  }

  #allow(offset: number, mask: number, width: 1 | 2 | 4): void {
    for (let byte = 0; byte < width; byte++) this.#writable.setUint8(offset + byte, mask >>> (8 * byte) & 0xff);
  }
}

function touches(offset: number, width: number, start: number, length: number): boolean {
  return offset < start + length && start < offset + width;
}
