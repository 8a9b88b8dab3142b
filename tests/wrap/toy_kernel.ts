/**
 * A kernel of one page of code to wrap: 1 MiB of memory, one iommufd, and a device that adds numbers.
 *
 * Writing an address to the device's region 0 makes it, two `relax` later or while somebody waits, add 1 to the number at that address and
 * signal the eventfd that SET_IRQS gave it.
 */
import * as codec from "../../uapi/codec.ts";
import { ERRNO } from "../../uapi/errno.ts";
import { type Block, MAP_FIXED, UnsupportedKernel } from "../../uapi/kernel.ts";

const BASE = 0x10000n;
const PAGE = 4096;
const IOMMU = 3;
const DEVICE = 4;

/** See the module. */
export class ToyKernel extends UnsupportedKernel {
  override readonly name = "toy";
  readonly #memory = new Uint8Array(1 << 20);
  readonly #counters = new Map<number, bigint>();
  /** Shared mappings of memory files: fd → where its bytes are. */
  readonly #files = new Map<number, bigint>();
  #used = PAGE;
  #objects = 0;
  #nextFd = 5;
  #irqFd = -1;
  #due: { address: bigint; relaxes: number } | undefined;
  /** How often it was disposed. */
  disposed = 0;

  override open(path: string, _flags: number): number {
    return path === "/dev/iommu" ? IOMMU : path === "/dev/vfio/devices/vfio0" ? DEVICE : -ERRNO.ENOENT;
  }

  override close(fd: number): number {
    return this.#counters.delete(fd) || this.#files.delete(fd) || fd === IOMMU || fd === DEVICE ? 0 : -ERRNO.EBADF;
  }

  override ioctl(fd: number, request: number, argument: Block | number): number {
    if (fd === DEVICE && request === codec.DEVICE_RESET) return 0;
    if (typeof argument === "number") return -ERRNO.EFAULT;
    if (fd === DEVICE && request === codec.DEVICE_SET_IRQS) {
      this.#irqFd = argument.view.getInt32(codec.IrqSetSize, true);
      return 0;
    }
    if (fd !== IOMMU) return -ERRNO.ENOTTY;
    switch (request) {
      case codec.IOAS_ALLOC:
        codec.putIoasAlloc(argument.view, 0, { flags: 0, outIoasId: ++this.#objects });
        return 0;
      case codec.IOAS_MAP:
        return this.#map(argument.view);
      case codec.IOAS_IOVA_RANGES:
        return this.#ranges(argument.view);
      default:
        return -ERRNO.ENOTTY;
    }
  }

  #map(view: DataView): number {
    const map = codec.getIoasMap(view, 0);
    if (map.ioasId === 0 || map.ioasId > this.#objects) return -ERRNO.ENOENT;
    codec.putIoasMap(view, 0, { ...map, iova: map.userVa });
    return 0;
  }

  #ranges(view: DataView): number {
    const asked = codec.getIoasIovaRanges(view, 0);
    const room = this.view(asked.allowedIovas, codec.IovaRangeSize);
    codec.putIovaRange(new DataView(room.buffer, room.byteOffset), 0, { start: 0n, last: 0xffffn });
    codec.putIoasIovaRanges(view, 0, { ...asked, numIovas: 1, outIovaAlignment: 4096n });
    return 0;
  }

  override read(fd: number, into: Block, length: number): number {
    const count = this.#counters.get(fd);
    if (count === undefined) return -ERRNO.EBADF;
    if (count === 0n) return -ERRNO.EAGAIN;
    into.view.setBigUint64(0, count, true);
    this.#counters.set(fd, 0n);
    return Math.min(length, 8);
  }

  override write(fd: number, from: Block, length: number): number {
    const count = this.#counters.get(fd);
    if (count === undefined) return -ERRNO.EBADF;
    this.#counters.set(fd, count + from.view.getBigUint64(0, true));
    return length;
  }

  override pread(fd: number, into: Block, length: number, offset: number): number {
    if (fd !== DEVICE) return -ERRNO.EBADF;
    for (let index = 0; index < length; index++) into.bytes[index] = offset + index;
    return length;
  }

  override pwrite(fd: number, from: Block, length: number, _offset: number): number {
    if (fd !== DEVICE) return -ERRNO.EBADF;
    this.#due = { address: from.view.getBigUint64(0, true), relaxes: 2 };
    return length;
  }

  #allocate(length: number, align: number): bigint {
    this.#used = Math.ceil(this.#used / align) * align + length;
    if (this.#used > this.#memory.byteLength) return BigInt(-ERRNO.ENOMEM);
    return BASE + BigInt(this.#used - length);
  }

  override mmap(at: bigint, length: number, _prot: number, flags: number, fd: number, offset: number): bigint {
    const file = this.#files.get(fd);
    if (file !== undefined) return file + BigInt(offset);
    if ((flags & MAP_FIXED) === 0) return this.#allocate(Math.ceil(length / PAGE) * PAGE, PAGE);
    this.view(at, length).fill(0);
    return at;
  }

  override munmap(_at: bigint, _length: number): number {
    return 0;
  }

  override view(at: bigint, length: number): Uint8Array {
    const from = Number(at - BASE);
    return from >= 0 && from + length <= this.#used ? this.#memory.subarray(from, from + length) : new Uint8Array(0);
  }

  override block(length: number): Block {
    const address = this.#allocate(length, 8);
    if (address < 0n) throw new RangeError("no memory left");
    const bytes = this.view(address, length);
    return { address, bytes, view: new DataView(bytes.buffer, bytes.byteOffset, length), [Symbol.dispose]() {} };
  }

  override eventfd(initial: number, _flags: number): number {
    this.#counters.set(this.#nextFd, BigInt(initial));
    return this.#nextFd++;
  }

  override memfd(_name: string, length: number): number {
    this.#files.set(this.#nextFd, this.#allocate(length, PAGE));
    return this.#nextFd++;
  }

  #work(): void {
    if (!this.#due) return;
    const target = this.view(this.#due.address, 8);
    const number = new DataView(target.buffer, target.byteOffset);
    number.setBigUint64(0, number.getBigUint64(0, true) + 1n, true);
    this.#due = undefined;
    const count = this.#counters.get(this.#irqFd);
    if (count !== undefined) this.#counters.set(this.#irqFd, count + 1n);
  }

  override async wait(fd: number, signal?: AbortSignal): Promise<number> {
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      if (signal?.aborted) return -ERRNO.EINTR;
      const count = this.#counters.get(fd);
      if (count === undefined) return -ERRNO.EBADF;
      if (count > 0n) return 0;
      this.#work();
    }
  }

  override relax(): void {
    if (this.#due && --this.#due.relaxes === 0) this.#work();
  }

  override list(path: string): string[] | number {
    return path === "/sys/bus/pci/devices" ? ["0000:00:04.0"] : -ERRNO.ENOENT;
  }

  override readlink(path: string): string | number {
    return path.endsWith("/iommu_group") ? "../../../kernel/iommu_groups/7" : -ERRNO.ENOENT;
  }

  override readFile(path: string): Uint8Array | number {
    return path.endsWith("/vendor") ? new TextEncoder().encode("0x1234\n") : -ERRNO.ENOENT;
  }

  override [Symbol.dispose](): void {
    this.disposed++;
  }
}
