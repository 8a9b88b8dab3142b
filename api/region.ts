/**
 * Registers of a device.
 *
 * @module
 */
import * as uapi from "../uapi/codec.ts";
import { ERRNO } from "../uapi/errno.ts";
import type { DeviceState } from "./device_state.ts";
import { DmaBuf, type DmaBufOptions } from "./dma_buf.ts";
import { closed, failed } from "./error.ts";
import { explainAccess } from "./explain/access.ts";

/** What can be done with a region. */
export interface RegionFlags {
  /** Whether it can be read. */
  readonly read: boolean;
  /** Whether it can be written. */
  readonly write: boolean;
  /** Whether it can be mapped into the program. */
  readonly mmap: boolean;
}

/**
 * A BAR or configuration space. Made by {@linkcode BoundDevice.region}.
 *
 * Each call is one read or write of that width in little-endian byte order, as PCI has it. Offsets are in bytes from the start of the region.
 * The kernel makes one access of it where the offset is a multiple of the width, and several smaller ones where it is not; 64 bits of
 * configuration space are two of 32.
 *
 * It holds nothing that must be given back. Disposing it ends its use, for drivers that hand it on.
 */
export class Region implements Disposable {
  /** As VFIO counts: BARs 0 to 5, 6 expansion ROM, 7 configuration space. */
  readonly index: number;
  /** Bytes; 0: the device has no such region. */
  readonly size: number;
  /** What can be done with it. */
  readonly flags: RegionFlags;
  #state: DeviceState;
  /** Of the region in the file. */
  #offset: number;
  #isOpen = true;

  /** Made by {@linkcode BoundDevice.region}. @throws {IommuError} EINVAL if the device has no region of that index. */
  constructor(state: DeviceState, index: number) {
    const view = state.begin("DEVICE_GET_REGION_INFO");
    uapi.putRegionInfo(view, 0, { index });
    const result = state.send(uapi.DEVICE_GET_REGION_INFO);
    if (result < 0) throw failed("regionInfo", result, { region: index, device: state.name });
    const { flags, size, offset } = uapi.getRegionInfo(view, 0);
    const has = (flag: number) => (flags & flag) !== 0;
    this.index = index;
    this.size = Number(size);
    this.flags = {
      read: has(uapi.REGION_INFO_FLAG_READ),
      write: has(uapi.REGION_INFO_FLAG_WRITE),
      mmap: has(uapi.REGION_INFO_FLAG_MMAP),
    };
    this.#state = state;
    this.#offset = Number(offset);
  }

  /** False once it was disposed, or its device_fd was. */
  get isOpen(): boolean {
    return this.#isOpen && this.#state.life.isOpen;
  }

  /** Use it no more. The device stays as it is. */
  [Symbol.dispose](): void {
    this.#isOpen = false;
  }

  /** Read 8 bits. @throws {RangeError} behind the end. @throws {IommuError} EIO if the device does not answer. */
  read8(offset: number): number {
    return this.#read(offset, 1).getUint8(0);
  }

  /** Read 16 bits, as {@linkcode Region.read8}. */
  read16(offset: number): number {
    return this.#read(offset, 2).getUint16(0, true);
  }

  /** Read 32 bits, as {@linkcode Region.read8}. */
  read32(offset: number): number {
    return this.#read(offset, 4).getUint32(0, true);
  }

  /** Read 64 bits, as {@linkcode Region.read8}. */
  read64(offset: number): bigint {
    return this.#read(offset, 8).getBigUint64(0, true);
  }

  /** Write 8 bits; higher bits of `value` are ignored, so that −1 is all ones. @throws {TypeError} if `value` is no whole number. @throws {RangeError} behind the end. @throws {IommuError} EIO */
  write8(offset: number, value: number): void {
    this.#begin("pwrite", offset, 1).setUint8(0, whole(value));
    this.#write(offset, 1);
  }

  /** Write 16 bits, as {@linkcode Region.write8}. */
  write16(offset: number, value: number): void {
    this.#begin("pwrite", offset, 2).setUint16(0, whole(value), true);
    this.#write(offset, 2);
  }

  /** Write 32 bits, as {@linkcode Region.write8}. */
  write32(offset: number, value: number): void {
    this.#begin("pwrite", offset, 4).setUint32(0, whole(value), true);
    this.#write(offset, 4);
  }

  /** Write 64 bits, as {@linkcode Region.write8}. */
  write64(offset: number, value: bigint): void {
    this.#begin("pwrite", offset, 8).setBigUint64(0, value, true);
    this.#write(offset, 8);
  }

  /**
   * Make a file of a part of a BAR, which {@linkcode Ioas.mapFile} maps, so that DMA of other devices reaches it: VFIO's feature DMA_BUF, Linux 6.19.
   *
   * @throws {IommuError} ENODEV for what is no BAR, EINVAL for what is not of whole pages or goes beyond its end, ENOTTY, EMFILE, ENOMEM
   */
  exportDmaBuf(options: DmaBufOptions = {}): DmaBuf {
    if (this.#state.life.isOpen && !this.#isOpen) throw closed("Region", "DMA_BUF");
    return new DmaBuf(this.#state, this, options);
  }

  #begin(key: "pread" | "pwrite", offset: number, width: number): DataView {
    const { life, argument } = this.#state;
    if (!life.isOpen) throw closed("DeviceFd", key);
    if (!this.#isOpen) throw closed("Region", key);
    if (Number.isSafeInteger(offset) && offset >= 0 && offset + width <= this.size) return argument.view;
    const end = this.size === 0 ? "the device has no such region" : `the region has ${this.size} bytes`;
    throw new RangeError(`Cannot access ${width} bytes at offset ${offset} of region ${this.index} of ${this.#state.name}: ${end}`);
  }

  #read(offset: number, width: number): DataView {
    const view = this.#begin("pread", offset, width);
    const { kernel, fd, argument } = this.#state;
    const result = kernel.pread(fd, argument, width, this.#offset + offset);
    if (result !== width) this.#fail("pread", result, offset, width);
    return view;
  }

  #write(offset: number, width: number): void {
    const { kernel, fd, argument } = this.#state;
    const result = kernel.pwrite(fd, argument, width, this.#offset + offset);
    if (result !== width) this.#fail("pwrite", result, offset, width);
  }

  /** A part of a register is no success. */
  #fail(key: "pread" | "pwrite", result: number, offset: number, width: number): never {
    const { kernel, fd, name } = this.#state;
    const errno = result < 0 ? result : -ERRNO.EIO;
    const values = { width, offset, region: this.index, device: name };
    throw failed(key, errno, values, explainAccess(kernel, errno, fd, this.index));
  }
}

/** A `DataView` would write NaN and undefined as 0: a mistake in the program must not reach a register. */
function whole(value: number): number {
  if (Number.isInteger(value)) return value;
  throw new TypeError(`Cannot write ${String(value)} to a register: a whole number is needed`);
}
