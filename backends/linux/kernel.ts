/**
 * The running Linux: the seam's calls as system calls of this process.
 *
 * @module
 */
import {
  DEVICE_FEATURE,
  DEVICE_FEATURE_DMA_BUF,
  DEVICE_FEATURE_GET,
  DEVICE_FEATURE_MASK,
  DEVICE_FEATURE_PROBE,
  FAULT_QUEUE_ALLOC,
  getDeviceFeature,
  getFaultAllocOutFaultFd,
  getVeventqAllocOutVeventqFd,
  VEVENTQ_ALLOC,
} from "../../uapi/codec.ts";
import { ERRNO } from "../../uapi/errno.ts";
import { type Block, type Kernel, MAP_ANONYMOUS } from "../../uapi/kernel.ts";
import { BlockArena, LinuxBlock } from "./blocks.ts";
import { claim } from "./claim.ts";
import { Files, type OpenFile } from "./files.ts";
import { Memory } from "./memory.ts";
import { list, readFile, readlink } from "./sysfs.ts";
import { System } from "./system.ts";
import { Waiters } from "./waiter.ts";

const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
const F_ADD_SEALS = 1033;
const F_SEAL_SHRINK = 2n;
const U32_MAX = 0xffff_ffff;
/** VFIO's request for a device of a group: its answer is a file. */
const GROUP_GET_DEVICE_FD = 0x3b6a;
/** What one read or write moves at most. */
const TRANSFER_MAX = 0x7fff_f000;

/** Lengths of most reads, as the C library takes them. */
const SHORT_LENGTHS: readonly bigint[] = Array.from({ length: 65 }, (_, length) => BigInt(length));

/**
 * The running Linux, with what this process opened and mapped through it: at the end of its life all of that is closed and unmapped, and arrays
 * over memory have no length.
 *
 * Only files that it opened, or was given by {@linkcode LinuxKernel.adopt}, can be used: other numbers are EBADF. Only memory that it mapped can be
 * unmapped, replaced or shown. No call throws; but a program can give a request an address of the process that is not meant for it, as in C.
 */
export class LinuxKernel implements Kernel {
  /** As {@linkcode Kernel.name}. */
  readonly name: string = "linux";
  /** Which interface of the kernel is used: iommufd with device nodes, or VFIO's older groups and containers. */
  readonly interface = "iommufd" as const;
  #system: System;
  #memory: Memory;
  #blocks: BlockArena;
  #files: Files;
  #waiters: Waiters;
  #isOpen = true;

  /** Use {@linkcode linux}. @throws {Error} where this is no Linux, or the runtime may not call it. */
  constructor() {
    this.#system = new System();
    this.#memory = new Memory(this.#system);
    this.#blocks = new BlockArena(this.#memory);
    this.#files = new Files(this.#system);
    this.#waiters = new Waiters(this.#system);
  }

  /** As {@linkcode Kernel.open}. EBUSY for a device of VFIO that this or another program with this library has open. */
  open(path: string, flags: number): number {
    if (!this.#isOpen) return -ERRNO.EBADF;
    if (typeof path !== "string" || !isInt(flags)) return -ERRNO.EINVAL;
    const at = this.#system.path(path);
    if (at < 0n) return -ERRNO.ENOENT;
    return this.#files.opened(this.#system.answer(this.#system.libc.symbols.open(at, flags | 0, 0)));
  }

  /** Open a file and lock it, for as long as it is open. EBUSY where this or another program has locked it, as this library does. */
  openLocked(path: string, flags: number): number {
    const fd = this.open(path, flags);
    if (fd < 0) return fd;
    const locked = claim(this.#system, fd);
    if (locked < 0) this.close(fd);
    return locked < 0 ? locked : fd;
  }

  /**
   * Take over a file that another part of the program, or another process, opened: an iommufd or a device that a privileged helper passed on.
   * It is closed with this kernel object.
   *
   * Returns the fd; −EBADF if it is not open, −EBUSY if it is a device that is open elsewhere.
   */
  adopt(fd: number): number {
    return this.#isOpen ? this.#files.adopt(fd) : -ERRNO.EBADF;
  }

  /** Give up a file that was taken over: it stays open, and is whose it was before. −EBADF if it was not. Waits for it end. */
  disown(fd: number): number {
    const result = this.#files.disown(fd);
    if (result >= 0) this.#waiters.closing(fd);
    return result;
  }

  /** As {@linkcode Kernel.close}. */
  close(fd: number): number {
    const file = this.#files.get(fd);
    if (file === undefined) return -ERRNO.EBADF;
    this.#waiters.closing(file.fd);
    return this.#files.close(file);
  }

  /** As {@linkcode Kernel.ioctl}. Files that FAULT_QUEUE_ALLOC, VEVENTQ_ALLOC, DMA_BUF and a group make are this kernel object's; those of other requests are {@linkcode LinuxKernel.adopt}ed first. */
  ioctl(fd: number, request: number, argument: Block | number): number {
    const file = this.#files.get(fd);
    if (file === undefined) return -ERRNO.EBADF;
    if (typeof request !== "number") return -ERRNO.EINVAL;
    const { symbols, errno } = this.#system.libc;
    // A request is 32 bits; Linux does not see more of it either.
    const number = request >>> 0;
    let result: number;
    if (argument instanceof LinuxBlock) {
      result = symbols.ioctl(file.fd, number, argument.pointer);
    } else {
      const value = addressOf(argument);
      if (value === undefined) return -ERRNO.EINVAL;
      result = symbols.ioctl_value(file.fd, number, value);
    }
    if (result < 0) result = -errno[0]!;
    if (file.mmio !== undefined) {
      this.#requested(file, number, argument, result);
      return number === DEVICE_FEATURE && result >= 0 && makesDmaBuf(argument) ? this.#files.made(result) : result;
    }
    if (number === GROUP_GET_DEVICE_FD || number === FAULT_QUEUE_ALLOC || number === VEVENTQ_ALLOC) {
      return this.#madeFile(number, argument, result);
    }
    return result;
  }

  /** As {@linkcode Kernel.read}. */
  read(fd: number, into: Block, length: number): number {
    const file = this.#files.get(fd);
    if (file === undefined) return -ERRNO.EBADF;
    if (!fits(into, length)) return -ERRNO.EFAULT;
    return this.#system.answer(this.#system.libc.symbols.read(file.fd, into.address, big(length)));
  }

  /** As {@linkcode Kernel.write}. */
  write(fd: number, from: Block, length: number): number {
    const file = this.#files.get(fd);
    if (file === undefined) return -ERRNO.EBADF;
    if (!fits(from, length)) return -ERRNO.EFAULT;
    return this.#system.answer(this.#system.libc.symbols.write(file.fd, from.address, big(length)));
  }

  /** As {@linkcode Kernel.pread}. Registers of BARs that can be mapped are read without a system call. */
  pread(fd: number, into: Block, length: number, offset: number): number {
    const file = this.#files.get(fd);
    if (file === undefined) return -ERRNO.EBADF;
    if (!fits(into, length)) return -ERRNO.EFAULT;
    if (!isLength(offset)) return -ERRNO.EINVAL;
    if (file.mmio !== undefined && file.mmio.read(offset, length, into.view)) return length;
    return this.#system.answer(this.#system.libc.symbols.pread(file.fd, into.address, big(length), BigInt(offset)));
  }

  /** As {@linkcode Kernel.pwrite}, and as {@linkcode LinuxKernel.pread}. */
  pwrite(fd: number, from: Block, length: number, offset: number): number {
    const file = this.#files.get(fd);
    if (file === undefined) return -ERRNO.EBADF;
    if (!fits(from, length)) return -ERRNO.EFAULT;
    if (!isLength(offset)) return -ERRNO.EINVAL;
    if (file.mmio !== undefined && file.mmio.write(offset, length, from.view)) return length;
    return this.#system.answer(this.#system.libc.symbols.pwrite(file.fd, from.address, big(length), BigInt(offset)));
  }

  /**
   * As {@linkcode Kernel.mmap}. EPERM for `MAP_FIXED` over memory that is not the program's: of blocks, of the runtime.
   *
   * Registers are mapped by {@linkcode LinuxKernel.pread} itself. Who maps a BAR by hand looks after it: an access while the device does not answer to
   * memory ends the process.
   */
  mmap(at: bigint, length: number, prot: number, flags: number, fd: number, offset: number): bigint {
    if (!this.#isOpen) return BigInt(-ERRNO.EBADF);
    if (!isInt(flags)) return BigInt(-ERRNO.EINVAL);
    if ((flags & MAP_ANONYMOUS) !== 0) return this.#memory.mmap({ at, length, prot, flags, fd: -1, offset });
    const file = this.#files.get(fd);
    return file === undefined ? BigInt(-ERRNO.EBADF) : this.#memory.mmap({ at, length, prot, flags, fd: file.fd, offset });
  }

  /** As {@linkcode Kernel.munmap}. Memory that this kernel object did not map stays. EPERM for memory of blocks. */
  munmap(at: bigint, length: number): number {
    return this.#memory.munmap(at, length);
  }

  /** As {@linkcode Kernel.view}. When the memory is unmapped, the array has no length any more. */
  view(at: bigint, length: number): Uint8Array {
    return this.#memory.view(at, length);
  }

  /** As {@linkcode Kernel.block}. */
  block(length: number): Block {
    if (!this.#isOpen) throw new RangeError(`Cannot allocate an argument block of ${length} bytes: the kernel object was disposed`);
    return this.#blocks.allocate(length);
  }

  /** As {@linkcode Kernel.eventfd}. */
  eventfd(initial: number, flags: number): number {
    if (!this.#isOpen) return -ERRNO.EBADF;
    if (!isLength(initial) || initial > U32_MAX || !isInt(flags)) return -ERRNO.EINVAL;
    return this.#files.made(this.#system.answer(this.#system.libc.symbols.eventfd(initial >>> 0, flags | 0)));
  }

  /** As {@linkcode Kernel.memfd}. The file cannot be made shorter by anyone: an array over it would end the process. */
  memfd(name: string, length: number): number {
    if (!this.#isOpen) return -ERRNO.EBADF;
    const at = typeof name === "string" && isLength(length) ? this.#system.path(name) : -1n;
    if (at < 0n) return -ERRNO.EINVAL;
    const { symbols } = this.#system.libc;
    const fd = this.#system.answer(symbols.memfd_create(at, MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (fd < 0) return fd;
    let result = this.#system.answer(symbols.ftruncate(fd, BigInt(length)));
    if (result === 0) result = this.#system.answer(symbols.fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
    if (result === 0) return this.#files.made(fd);
    symbols.close(fd);
    return result;
  }

  /** As {@linkcode Kernel.wait}. Costs a thread of the runtime while somebody waits, one for all files. */
  wait(fd: number, signal?: AbortSignal): Promise<number> {
    const file = this.#files.get(fd);
    return file === undefined ? Promise.resolve(-ERRNO.EBADF) : this.#waiters.wait(file.fd, signal);
  }

  /** As {@linkcode Kernel.relax}: devices run by themselves. */
  relax(): void {}

  /** As {@linkcode Kernel.list}. */
  list(path: string): string[] | number {
    return this.#isOpen ? list(this.#system, path) : -ERRNO.EBADF;
  }

  /** As {@linkcode Kernel.readlink}. */
  readlink(path: string): string | number {
    return this.#isOpen ? readlink(this.#system, path) : -ERRNO.EBADF;
  }

  /** As {@linkcode Kernel.readFile}. EACCES for a device, EFBIG from 16 MiB on. */
  readFile(path: string): Uint8Array | number {
    return this.#isOpen ? readFile(this.#system, path) : -ERRNO.EBADF;
  }

  /** Close all files, unmap all memory, end all waits with −EBADF. Calls to come are EBADF. A wait that is going on gives back its own two files once its thread is out of the kernel. */
  [Symbol.dispose](): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#waiters[Symbol.dispose]();
    for (const file of this.#files) this.#files.close(file);
    this.#memory[Symbol.dispose]();
    this.#system[Symbol.dispose]();
  }

  /** A request went to a device: what was known of it may be out of date. */
  #requested(file: OpenFile, request: number, argument: Block | number, result: number): void {
    const bytes = typeof argument === "object" ? argument.bytes : undefined;
    if (!file.mmio!.requested(request, bytes, result)) return;
    for (const { mmio } of this.#files) mmio?.doubt();
  }

  #madeFile(request: number, argument: Block | number, result: number): number {
    if (result < 0) return result;
    if (request === GROUP_GET_DEVICE_FD) return this.#files.opened(result);
    if (typeof argument !== "object") return result;
    const fd = request === FAULT_QUEUE_ALLOC ? getFaultAllocOutFaultFd(argument.view, 0) : getVeventqAllocOutVeventqFd(argument.view, 0);
    this.#files.made(fd);
    return result;
  }
}

/** Whether FEATURE is the one that answers a file. */
function makesDmaBuf(argument: Block | number): boolean {
  if (typeof argument !== "object") return false;
  const { flags } = getDeviceFeature(argument.view, 0);
  return (flags & (DEVICE_FEATURE_MASK | DEVICE_FEATURE_GET | DEVICE_FEATURE_PROBE)) === (DEVICE_FEATURE_DMA_BUF | DEVICE_FEATURE_GET);
}

/** The 64 bits that a request gets; undefined for what is no number. */
function addressOf(argument: Block | number): bigint | undefined {
  if (typeof argument === "number") return Number.isSafeInteger(argument) ? BigInt.asUintN(64, BigInt(argument)) : undefined;
  return typeof argument?.address === "bigint" ? BigInt.asUintN(64, argument.address) : undefined;
}

function isLength(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

/** A whole number of 32 bits. */
function isInt(value: number): boolean {
  return typeof value === "number" && (value | 0) === value;
}

/** Whether a block has room for `length` bytes. */
function fits(block: Block, length: number): boolean {
  return isLength(length) && length <= TRANSFER_MAX && length <= (block?.bytes?.length ?? -1) && length <= (block.view?.byteLength ?? -1);
}

function big(length: number): bigint {
  return SHORT_LENGTHS[length] ?? BigInt(length);
}
