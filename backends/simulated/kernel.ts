/**
 * The simulated kernel: the seam's calls, answered by the core, the rendered /sys and the device models.
 *
 * @module
 */
import { DEVICE_SET_IRQS } from "../../uapi/codec.ts";
import { ERRNO } from "../../uapi/errno.ts";
import { type Block, type Kernel, MAP_FIXED, MAP_FIXED_NOREPLACE, UnsupportedKernel } from "../../uapi/kernel.ts";
import { BlockAllocator } from "./blocks.ts";
import { HOST_DEVICE, HOST_HOT_RESET, HOST_RELEASE, HOST_RESET, HOST_UNMAP, LENGTH_MAX } from "./core.ts";
import type { UnplugOptions } from "./hotplug.ts";
import { Inspection } from "./inspect.ts";
import type { MachineParts } from "./assembly.ts";
import type { Sanitizer } from "./sanitizer/sanitizer.ts";
import { Waiters } from "./waiters.ts";

/** Virtual time of a system call, nanoseconds: about what an empty one takes on a current machine. */
const SYSCALL_NANOSECONDS = 300;
/** A region's index is above these bits of the offset of a device fd. */
const REGION_SPAN = 2 ** 40;
/** The end of a process's addresses on x86-64, exclusive: 47 bits without the last page. */
const ADDRESS_END = 2n ** 47n - 4096n;
/** Whole pages, below 2^32 bytes. */
const UNMAP_PIECE = 2 ** 32 - 4096;

/** The kernel of a simulated machine. One thread, one process; the machine lives as long as this object. */
export class SimulatedKernel extends UnsupportedKernel implements Kernel {
  /** As {@linkcode Kernel.name}. */
  override readonly name = "simulated";
  /** What the machine did and is: faults, statistics, groups, leaks. Not part of the seam. */
  readonly inspect: Inspection;
  /** What devices did with addresses that they must not; undefined unless the machine's data switches it on. Not part of the seam. */
  readonly sanitizer: Sanitizer | undefined;
  #machine: MachineParts;
  #blocks: BlockAllocator;
  #waiters: Waiters;

  /** Use {@linkcode simulated} to build a machine and its kernel. */
  constructor(machine: MachineParts) {
    super();
    this.#machine = machine;
    this.sanitizer = machine.sanitizer;
    // Arguments are no DMA memory: the pattern of the sanitizer has no place there.
    this.#blocks = new BlockAllocator(machine.plainCore, machine.memory);
    this.#waiters = new Waiters(machine.clock, (fd) => machine.core.poll(fd));
    machine.onWake(() => this.#waiters.wake());
    this.inspect = new Inspection(machine, { blocks: () => this.#blocks.live, waits: () => this.#waiters.length });
  }

  /** As {@linkcode Kernel.open}. */
  override open(path: string, _flags: number): number {
    this.#enter();
    if (path === "/dev/iommu") return this.#machine.core.open_iommufd();
    const device = this.#machine.hotplug.deviceAt(path);
    if (device !== undefined) return this.#machine.core.open_device(device.index);
    const listed = this.#machine.hotplug.files.list(path);
    if (listed === -ERRNO.ENOTDIR) return -ERRNO.EACCES;
    return typeof listed === "number" ? listed : -ERRNO.EISDIR;
  }

  /** As {@linkcode Kernel.close}. */
  override close(fd: number): number {
    this.#enter();
    const result = this.#settle(this.#machine.core.close(descriptor(fd)));
    if (result < 0) return result;
    this.#waiters.closed(fd);
    this.#deliverAnswers();
    if (this.#machine.hotplug.isBusy) this.#machine.hotplug.settle();
    return result;
  }

  /** As {@linkcode Kernel.ioctl}. */
  override ioctl(fd: number, request: number, argument: Block | number): number {
    this.#enter();
    if (typeof argument === "number" && !Number.isSafeInteger(argument)) return -ERRNO.EINVAL;
    const value = typeof argument === "number" ? BigInt.asUintN(64, BigInt(argument)) : argument.address;
    const file = descriptor(fd);
    // A request is 32 bits; Linux does not see more of it either.
    const number = request >>> 0;
    const result = this.#settle(this.#machine.core.ioctl(file, number, value));
    this.#deliverAnswers();
    // What the device thought to be enabled is out of date.
    if (number === DEVICE_SET_IRQS) this.#machine.devices[this.#machine.core.device_of(file)]?.bus.interruptsChanged();
    return result;
  }

  /** As {@linkcode Kernel.read}. */
  override read(fd: number, into: Block, length: number): number {
    this.#enter();
    return fits(into, length) ? this.#machine.core.read(descriptor(fd), into.address, length) : -ERRNO.EFAULT;
  }

  /** As {@linkcode Kernel.write}. */
  override write(fd: number, from: Block, length: number): number {
    this.#enter();
    const result = fits(from, length) ? this.#machine.core.write(descriptor(fd), from.address, length) : -ERRNO.EFAULT;
    this.#deliverAnswers();
    return result;
  }

  /** As {@linkcode Kernel.pread}. */
  override pread(fd: number, into: Block, length: number, offset: number): number {
    this.#enter();
    const device = this.#machine.core.device_of(descriptor(fd));
    if (device < 0 || length === 0) return Math.min(device, 0);
    if (!fits(into, length)) return -ERRNO.EFAULT;
    const region = isLength(offset) ? regionOf(offset) : -1;
    return region < 0 ? -ERRNO.EINVAL : this.#machine.devices[device]!.read(region, offset - region * REGION_SPAN, into.view, length);
  }

  /** As {@linkcode Kernel.pwrite}. */
  override pwrite(fd: number, from: Block, length: number, offset: number): number {
    this.#enter();
    const device = this.#machine.core.device_of(descriptor(fd));
    if (device < 0 || length === 0) return Math.min(device, 0);
    if (!fits(from, length)) return -ERRNO.EFAULT;
    const region = isLength(offset) ? regionOf(offset) : -1;
    return region < 0 ? -ERRNO.EINVAL : this.#machine.devices[device]!.write(region, offset - region * REGION_SPAN, from.view, length);
  }

  /** As {@linkcode Kernel.mmap}. EPERM for `MAP_FIXED` over memory of blocks, which is sealed as by Linux's mseal. */
  override mmap(at: bigint, length: number, prot: number, flags: number, fd: number, offset: number): bigint {
    this.#enter();
    if (!isLength(length) || !isLength(offset) || at < 0n || at >= 2n ** 64n) return BigInt(-ERRNO.EINVAL);
    if (length > LENGTH_MAX) return BigInt(-ERRNO.ENOMEM);
    if ((flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) === MAP_FIXED && this.#blocks.touches(at, length)) return BigInt(-ERRNO.EPERM);
    return this.#machine.core.mmap(at, length, prot, flags, descriptor(fd), offset);
  }

  /** As {@linkcode Kernel.munmap}. EPERM, and nothing is unmapped, where memory of blocks is in the range. */
  override munmap(at: bigint, length: number): number {
    this.#enter();
    if (!isLength(length) || at < 0n || at + BigInt(length) > ADDRESS_END) return -ERRNO.EINVAL;
    if (this.#blocks.touches(at, length)) return -ERRNO.EPERM;
    // The core takes 32-bit lengths; a range to unmap may be longer, since it may have holes.
    for (let done = 0;;) {
      const piece = Math.min(length - done, UNMAP_PIECE);
      const result = this.#machine.core.munmap(at + BigInt(done), piece);
      done += piece;
      if (result < 0 || done >= length) return result;
    }
  }

  /** As {@linkcode Kernel.view}. */
  override view(at: bigint, length: number): Uint8Array {
    const { core, memory } = this.#machine;
    const inRange = isLength(length) && 0 < length && length <= LENGTH_MAX && 0n <= at && at < ADDRESS_END;
    const offset = inRange ? core.view(at, length) : -1;
    return offset < 0 ? new Uint8Array(0) : new Uint8Array(memory.buffer, offset, length);
  }

  /** As {@linkcode Kernel.block}. */
  override block(length: number): Block {
    return this.#blocks.allocate(length);
  }

  /** As {@linkcode Kernel.eventfd}. */
  override eventfd(initial: number, flags: number): number {
    this.#enter();
    if (!isLength(initial) || initial > LENGTH_MAX || !isLength(flags) || flags > LENGTH_MAX) return -ERRNO.EINVAL;
    return this.#machine.core.eventfd(initial, flags);
  }

  /** As {@linkcode Kernel.memfd}. */
  override memfd(_name: string, length: number): number {
    this.#enter();
    if (!isLength(length)) return -ERRNO.EINVAL;
    return length <= LENGTH_MAX ? this.#machine.core.memfd(length) : -ERRNO.ENOMEM;
  }

  /**
   * As {@linkcode Kernel.wait}: runs the machine's events until the file is readable. Where no event is due and no work of a device is going on, the wait lasts until
   * another part of the program causes one, or the signal aborts.
   */
  override wait(fd: number, signal?: AbortSignal): Promise<number> {
    this.#enter();
    return this.#waiters.wait(descriptor(fd), signal);
  }

  /** As {@linkcode Kernel.relax}: runs the next event of the machine. */
  override relax(): void {
    this.#machine.clock.step();
  }

  /** As {@linkcode Kernel.list}. */
  override list(path: string): string[] | number {
    return this.#machine.hotplug.files.list(path);
  }

  /** As {@linkcode Kernel.readlink}. */
  override readlink(path: string): string | number {
    return this.#machine.hotplug.files.readlink(path);
  }

  /** As {@linkcode Kernel.readFile}. */
  override readFile(path: string): Uint8Array | number {
    return this.#machine.hotplug.files.readFile(path);
  }

  /**
   * Tell the IOTLB of all that was unmapped and still waits, which is possible where invalidation is lazy: no device goes by it any more once this returns.
   * Not part of the seam.
   */
  flushIotlb(): void {
    this.#machine.plainCore.flush_iotlb();
  }

  /**
   * Take a device out of the machine, as `echo 1 > /sys/bus/pci/devices/ADDRESS/remove` does, or a hand. Not part of the seam.
   *
   * Its node is gone at once, so that nobody opens it any more. Files that are open go on working: the machine signals the interrupt "request"
   * of the device, again every ten seconds of its time once the last signal was taken, and waits until they are closed. Resets answer EAGAIN
   * meanwhile, and so does binding a device that can be reset. What /sys shows changes with it.
   *
   * @param address "0000:00:04.0": a device, and no bridge.
   * @returns a promise that resolves when the device is gone. For one that leaves already: the promise of that; with `surprise` it is pulled now.
   * @throws {RangeError} if there is no such device, or it is gone.
   */
  unplug(address: string, options: UnplugOptions = {}): Promise<void> {
    return this.#machine.hotplug.unplug(address, options);
  }

  /**
   * Put a device back into its slot, as a rescan of the bus finds it: as at power-on, with the driver that the machine's data names. Node and group
   * get the lowest numbers that are free, as in Linux. Not part of the seam.
   *
   * @throws {RangeError} if there is no such slot, or the device is there, or has not left yet.
   */
  plug(address: string): void {
    this.#machine.hotplug.plug(address);
  }

  /** The machine is switched off: waits end with −EBADF. */
  override [Symbol.dispose](): void {
    this.#waiters.cancel();
  }

  /** Each system call takes time, in which devices run; and those who wait may find something to do afterwards. */
  #enter(): void {
    this.#machine.clock.spend(SYSCALL_NANOSECONDS);
    this.#waiters.entered();
    if (this.#machine.hotplug.isBusy) this.#machine.hotplug.entered();
  }

  /** Hand answers to page requests on to the functions that asked. */
  #deliverAnswers(): void {
    const { core, devices, hasPageRequests } = this.#machine;
    if (!hasPageRequests) return;
    for (let answer = core.take_page_response(); answer >= 0n; answer = core.take_page_response()) {
      devices[Number(answer >> 32n)]!.bus.pageRequests?.answered(Number(answer >> 8n & 0xff_ffffn), Number(answer & 0xffn));
    }
  }

  /** Models of emulated devices hear that memory shall be unmapped. */
  #letGo(): void {
    const { core, devices } = this.#machine;
    for (let device = core.take_notice(); device >= 0; device = core.take_notice()) {
      devices[device]!.unmapped(core.notice_start(), core.notice_last());
    }
  }

  /** Do what the core asks of the host beside its answer. */
  #settle(answer: number): number {
    let result = answer;
    while (result === HOST_UNMAP) {
      this.#letGo();
      result = this.#machine.core.restart();
    }
    if (result < HOST_HOT_RESET) return result;
    const { devices } = this.#machine;
    const device = devices[result & HOST_DEVICE]!;
    if ((result & HOST_RESET) !== 0) device.reset();
    else if ((result & HOST_RELEASE) !== 0) device.release();
    else for (const other of devices) if (other.pci.parent === device.pci.parent && !other.bus.isCut) other.reset();
    return 0;
  }
}

function isLength(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

/** The fd for the core, which takes 32 bits: a number that is none must not be cut to one that is. */
function descriptor(fd: number): number {
  return (fd | 0) === fd ? fd : -1;
}

function fits(block: Block, length: number): boolean {
  return isLength(length) && length <= block.bytes.length && length <= block.view.byteLength;
}

/** The region of an offset, −1 where there is none. */
function regionOf(offset: number): number {
  const region = Math.floor(offset / REGION_SPAN);
  return region <= 7 ? region : -1;
}
