/**
 * A device as VFIO shows it: its regions answered from configuration space and the model, each access exactly once and of the width asked.
 *
 * What vfio-pci does with an access: drivers/vfio/pci/vfio_pci_rdwr.c and vfio_pci_config.c of Linux.
 *
 * @module
 */
import { ERRNO } from "../../uapi/errno.ts";
import { type BusHost, DeviceBus } from "./bus.ts";
import type { Random } from "./clock.ts";
import { ConfigSpace } from "./config_space.ts";
import type { Core } from "./core.ts";
import type { BarDescription, DeviceModel } from "./device.ts";
import type { PciFunction } from "./pci_tree.ts";

/** VFIO's region indexes of a PCI device. */
export const REGION = { bar0: 0, bar5: 5, rom: 6, config: 7, vga: 8 } as const;

type Width = 1 | 2 | 4 | 8;

/** One PCI function with its model. */
export class VfioDevice {
  /** The bus of the model. */
  readonly bus: DeviceBus;
  /** Configuration space. */
  readonly config: ConfigSpace;
  /** Linux takes the device away and holds it meanwhile, so that no program can reset it. */
  isLeaving = false;
  #core: Core;
  #model: DeviceModel;
  #bars: (BarDescription | undefined)[] = new Array(6).fill(undefined);
  /** BARs that are plain memory, by index. */
  #memories: readonly (Uint8Array | undefined)[];

  /**
   * @param index the core's index of the device.
   * @param pci a function with a model.
   * @param barAddresses physical address of each BAR by index.
   * @param isEmulated it has no IOMMU, see `emulated.ts`.
   * @param onModelError what to do with an exception of the model, which must not become one of a system call.
   */
  constructor(
    host: BusHost,
    readonly index: number,
    readonly pci: PciFunction,
    barAddresses: readonly bigint[],
    random: Random,
    readonly onModelError: (error: unknown) => void,
    readonly isEmulated = false,
  ) {
    this.#core = host.core;
    this.#model = pci.device!.model;
    const { description } = this.#model;
    for (const bar of description.bars) this.#bars[bar.index] = bar;
    this.bus = new DeviceBus(host, index, description, () => this.config, random, isEmulated);
    this.config = new ConfigSpace(description, {
      express: pci.express,
      onRootBus: pci.parent === undefined,
      multifunction: pci.multifunction,
      acs: pci.acs && pci.multifunction,
      bars: barAddresses,
    }, {
      changed: () => {
        this.#tellMemory();
        this.bus.driveIntx();
      },
      functionReset: () => {
        // Linux takes dma-bufs back before it finds out that it cannot reset the function.
        if (this.isLeaving) this.#interruptMemory();
        else this.reset();
      },
      intxAsserted: () => this.bus.intxAsserted,
      interruptMode: () => this.bus.interruptMode,
    });
    this.#model.connect(this.bus);
    this.#memories = this.#bars.map((bar) => bar && this.#memoryOf(bar));
    this.reset();
  }

  /** Bytes of a region; 0 where the function has none. */
  regionLength(region: number): number {
    return region === REGION.config ? this.config.length : this.#bars[region]?.length ?? 0;
  }

  /** The model of an emulated device must let go of memory. */
  unmapped(iova: bigint, last: bigint): void {
    try {
      this.#model.unmapped?.(iova, last);
    } catch (error) {
      this.onModelError(error);
    }
  }

  /** Function-level reset, or that of its bus. Configuration space stays, since Linux restores it afterwards; but the function is awake then. */
  reset(): void {
    this.config.wake();
    this.bus.reset();
    this.#interruptMemory();
    try {
      this.#model.reset();
    } catch (error) {
      this.onModelError(error);
    }
  }

  /** Other devices reach its BARs, through dma-bufs, as long as it answers. */
  #tellMemory(): void {
    this.#core.set_memory_enabled(this.index, this.config.memoryEnabled);
  }

  /** What other devices had mapped they have no more. */
  #interruptMemory(): void {
    this.#core.set_memory_enabled(this.index, false);
    this.#tellMemory();
  }

  /** Configuration space as sysfs shows it: that of the function itself. */
  snapshot(): Uint8Array {
    return this.bus.isCut ? new Uint8Array(this.config.length).fill(0xff) : this.config.snapshot();
  }

  /** Take it out of its slot, whatever it does. */
  cut(): void {
    this.bus.cut();
  }

  /** Put it back: it is as at power-on. */
  mend(): void {
    this.isLeaving = false;
    this.bus.mend();
    this.release();
  }

  /** The program let the device go: all of it is as at power-on. */
  release(): void {
    this.config.reset();
    this.reset();
  }

  /** Read a region. Returns the bytes read or −errno. */
  read(region: number, offset: number, into: DataView, length: number): number {
    const count = this.#clip(region, offset, length);
    const memory = this.#answeringMemory(region);
    if (memory !== undefined && count > 0) {
      bytesOf(into, count).set(memory.subarray(offset, offset + count));
      return count;
    }
    for (let done = 0; done < count;) {
      const width = this.#width(region, offset + done, count - done);
      const result = this.#readOnce(region, offset + done, width, into, done);
      if (result < 0) return result;
      done += width;
    }
    return count;
  }

  /** Write a region, as {@linkcode VfioDevice.read}. */
  write(region: number, offset: number, from: DataView, length: number): number {
    const count = region === REGION.rom ? -ERRNO.EINVAL : this.#clip(region, offset, length);
    const memory = this.#answeringMemory(region);
    if (memory !== undefined && count > 0) {
      memory.set(bytesOf(from, count), offset);
      return count;
    }
    for (let done = 0; done < count;) {
      const width = this.#width(region, offset + done, count - done);
      const result = this.#writeOnce(region, offset + done, width, from, done);
      if (result < 0) return result;
      done += width;
    }
    return count;
  }

  #memoryOf({ index, length }: BarDescription): Uint8Array | undefined {
    const memory = this.#model.memory?.(index);
    if (memory === undefined || memory.length === length) return memory;
    throw new RangeError(`Cannot use ${memory.length} bytes as BAR ${index}: it has ${length}`);
  }

  /** The bytes of a region that is plain memory, if the function answers. */
  #answeringMemory(region: number): Uint8Array | undefined {
    return this.config.memoryEnabled && !this.bus.isCut ? this.#memories[region] : undefined;
  }

  /** How much of an access the region has: all or EFAULT in configuration space, what is left of a BAR. */
  #clip(region: number, offset: number, length: number): number {
    const size = this.regionLength(region);
    if (region === REGION.config) return offset + length <= size ? length : -ERRNO.EFAULT;
    return offset < size ? Math.min(length, size - offset) : -ERRNO.EINVAL;
  }

  /** The widest access that is aligned and fits; in configuration space at most 4 bytes. */
  #width(region: number, offset: number, left: number): Width {
    if (left >= 8 && offset % 8 === 0 && region !== REGION.config) return 8;
    if (left >= 4 && offset % 4 === 0) return 4;
    return left >= 2 && offset % 2 === 0 ? 2 : 1;
  }

  #readOnce(region: number, offset: number, width: Width, into: DataView, at: number): number {
    if (region === REGION.config) {
      const value = this.bus.isCut ? this.config.readCut(offset, width as 1 | 2 | 4) : this.config.read(offset, width as 1 | 2 | 4);
      put(into, at, width, value);
      return 0;
    }
    if (this.#inMsixTable(region, offset)) {
      // The table is the kernel's: vfio-pci answers ones, so that no program depends on what it reads there.
      for (let byte = 0; byte < width; byte++) into.setUint8(at + byte, 0xff);
      return 0;
    }
    if (!this.config.memoryEnabled) return -ERRNO.EIO;
    if (this.bus.isCut) {
      // Nobody answers on the bus.
      for (let byte = 0; byte < width; byte++) into.setUint8(at + byte, 0xff);
      return 0;
    }
    try {
      this.#readModel(region, offset, width, into, at);
      return 0;
    } catch (error) {
      this.onModelError(error);
      return -ERRNO.EIO;
    }
  }

  #readModel(region: number, offset: number, width: Width, into: DataView, at: number): void {
    const pending = this.#pendingBits(region, offset, width);
    if (pending !== undefined) {
      for (let byte = 0; byte < width; byte++) into.setUint8(at + byte, Number(pending >> BigInt(8 * byte) & 0xffn));
    } else if (width < 8) {
      put(into, at, width, this.#model.read(region, offset, width as 1 | 2 | 4));
    } else if (this.#model.read64 !== undefined) {
      into.setBigUint64(at, this.#model.read64(region, offset), true);
    } else {
      into.setUint32(at, this.#model.read(region, offset, 4), true);
      into.setUint32(at + 4, this.#model.read(region, offset + 4, 4), true);
    }
  }

  #writeOnce(region: number, offset: number, width: Width, from: DataView, at: number): number {
    if (region === REGION.config) {
      this.config.write(offset, width as 1 | 2 | 4, take(from, at, width));
      return 0;
    }
    if (this.#inMsixTable(region, offset)) return 0;
    if (!this.config.memoryEnabled) return -ERRNO.EIO;
    if (this.bus.isCut || this.#pendingBits(region, offset, width) !== undefined) return 0;
    try {
      this.#writeModel(region, offset, width, from, at);
      return 0;
    } catch (error) {
      this.onModelError(error);
      return -ERRNO.EIO;
    }
  }

  #writeModel(region: number, offset: number, width: Width, from: DataView, at: number): void {
    if (width < 8) {
      this.#model.write(region, offset, width as 1 | 2 | 4, take(from, at, width));
    } else if (this.#model.write64 !== undefined) {
      this.#model.write64(region, offset, from.getBigUint64(at, true));
    } else {
      this.#model.write(region, offset, 4, from.getUint32(at, true));
      this.#model.write(region, offset + 4, 4, from.getUint32(at + 4, true));
    }
  }

  #inMsixTable(region: number, offset: number): boolean {
    const msix = this.#model.description.msix;
    return msix !== undefined && region === msix.bar && msix.table <= offset && offset < msix.table + 16 * msix.vectors;
  }

  /** The pending bit array where the access falls into it; a write there changes nothing. */
  #pendingBits(region: number, offset: number, width: Width): bigint | undefined {
    const msix = this.#model.description.msix;
    if (msix === undefined || region !== msix.bar) return undefined;
    if (offset < msix.pending || offset >= msix.pending + Math.ceil(msix.vectors / 64) * 8) return undefined;
    const first = (offset - msix.pending) * 8;
    let bits = 0n;
    for (let bit = 0; bit < 8 * width; bit++) if (this.bus.isPending(first + bit)) bits |= 1n << BigInt(bit);
    return bits;
  }
}

function bytesOf(view: DataView, length: number): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, length);
}

function put(into: DataView, at: number, width: number, value: number): void {
  if (width === 4) into.setUint32(at, value, true);
  else if (width === 2) into.setUint16(at, value, true);
  else into.setUint8(at, value);
}

function take(from: DataView, at: number, width: number): number {
  if (width === 4) return from.getUint32(at, true);
  return width === 2 ? from.getUint16(at, true) : from.getUint8(at);
}
