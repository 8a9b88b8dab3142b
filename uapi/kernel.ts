/**
 * The seam between the library and an operating system: the system calls that iommufd and VFIO need, over raw UAPI bytes.
 *
 * A backend implements {@linkcode Kernel}. Everything above it is written once, so the same bytes reach a simulated kernel, a recorded one
 * and the running Linux. See docs/writing_a_backend.md.
 *
 * @module
 */
import { ERRNO } from "./errno.ts";

/** `open`: read and write. */
export const O_RDWR = 0o2;
/** `open`: do not hand the file to a program started by exec. */
export const O_CLOEXEC = 0o2000000;

/** `mmap`: no access. */
export const PROT_NONE = 0;
/** `mmap`: pages may be read. */
export const PROT_READ = 1;
/** `mmap`: pages may be written. */
export const PROT_WRITE = 2;

/** `mmap`: writes are seen by every mapping of the file. */
export const MAP_SHARED = 0x01;
/** `mmap`: writes stay in this mapping. */
export const MAP_PRIVATE = 0x02;
/** `mmap`: exactly at the address given, replacing what is there. */
export const MAP_FIXED = 0x10;
/** `mmap`: zeroed memory without a file. */
export const MAP_ANONYMOUS = 0x20;
/** `mmap`: reserve no swap. */
export const MAP_NORESERVE = 0x4000;
/** `mmap`: fault all pages in at once. */
export const MAP_POPULATE = 0x8000;
/** `mmap`: from the pool of huge pages. */
export const MAP_HUGETLB = 0x40000;
/** `mmap`: above these bits of the flags is the binary logarithm of the length of huge pages; 0: the kernel's default length. */
export const MAP_HUGE_SHIFT = 26;
/** `mmap`: huge pages of 2 MiB, with {@linkcode MAP_HUGETLB}. */
export const MAP_HUGE_2MB = 0x5400_0000;
/** `mmap`: huge pages of 1 GiB, with {@linkcode MAP_HUGETLB}. */
export const MAP_HUGE_1GB = 0x7800_0000;
/** `mmap`: exactly at the address given, EEXIST where something is there. */
export const MAP_FIXED_NOREPLACE = 0x100000;

/** `eventfd`: a read takes one and not the whole count. */
export const EFD_SEMAPHORE = 0o1;
/** `eventfd`: reads answer EAGAIN instead of blocking. */
export const EFD_NONBLOCK = 0o4000;
/** `eventfd`: close on exec. */
export const EFD_CLOEXEC = 0o2000000;

/**
 * A piece of memory for arguments and results that the kernel reaches without a copy.
 *
 * `bytes` and `view` show the same memory; both stay valid until the block is disposed.
 */
export interface Block extends Disposable {
  /** Where the block is in the address space of the process: what a pointer field of a request must hold. */
  readonly address: bigint;
  /** The bytes of the block. */
  readonly bytes: Uint8Array;
  /** The same bytes, for fields of 16, 32 and 64 bits. */
  readonly view: DataView;
}

/**
 * The system calls that iommufd and VFIO need.
 *
 * Every call answers a result of 0 or more, or −errno, and never throws; {@linkcode Kernel.block} alone throws. All but {@linkcode Kernel.wait} are synchronous: between writing a
 * block and reading its answer nothing else runs, so that blocks can be reused. Offsets and lengths are numbers up to 2^53 − 1; addresses
 * are bigints.
 */
export interface Kernel extends Disposable {
  /** What this is, for people: "simulated", "linux", "record(linux)". */
  readonly name: string;
  /** Open a file: `/dev/iommu`, `/dev/vfio/devices/vfio0`. Returns the fd. */
  open(path: string, flags: number): number;
  /** Close a file descriptor. */
  close(fd: number): number;
  /**
   * Take over a file that another part of the program opened, or that another process passed in: it is as if the kernel object had opened it.
   * −EBADF if there is none, −EBUSY for a device that is open elsewhere. Left out by a backend that knows all files of its process.
   */
  adopt?(fd: number): number;
  /** Give up a file that was taken over by {@linkcode Kernel.adopt}: it stays open, and is whose it was before. −EBADF if it was not. */
  disown?(fd: number): number;
  /** One request to a file. `argument` is the block with the request's struct, or the plain number of a request that takes one. */
  ioctl(fd: number, request: number, argument: Block | number): number;
  /** Read from an event queue or an eventfd. Returns the bytes read. */
  read(fd: number, into: Block, length: number): number;
  /** Write to an event queue or an eventfd. Returns the bytes written. */
  write(fd: number, from: Block, length: number): number;
  /** Read a device's region at `offset` (region index << 40 | offset in the region). 1, 2, 4 and 8 bytes are one access of that width. */
  pread(fd: number, into: Block, length: number, offset: number): number;
  /** Write a device's region at `offset`, as {@linkcode Kernel.pread}. */
  pwrite(fd: number, from: Block, length: number, offset: number): number;
  /** Map memory or a file. Returns the address, or −errno as a bigint. `at` is a hint unless `MAP_FIXED` or `MAP_FIXED_NOREPLACE` is given. */
  mmap(at: bigint, length: number, prot: number, flags: number, fd: number, offset: number): bigint;
  /** Unmap pages, also a part of a mapping. */
  munmap(at: bigint, length: number): number;
  /**
   * The memory at an address that `mmap` or `block` gave. The array stays valid while that mapping lives.
   *
   * Answers an empty array where the range is not mapped, or an access to it could end the process: memory that may not be read and written,
   * the part of a mapping behind the end of its file.
   */
  view(at: bigint, length: number): Uint8Array;
  /** Argument memory of `length` bytes, zeroed. @throws {RangeError} if the process has none left. */
  block(length: number): Block;
  /** Make an eventfd. Returns the fd. */
  eventfd(initial: number, flags: number): number;
  /** Make an anonymous file of `length` bytes. Returns the fd. */
  memfd(name: string, length: number): number;
  /**
   * Wait until a file can be read. Resolves with 0, or −errno: −EINTR when the signal aborts, −EBADF when the fd closes meanwhile.
   *
   * The only asynchronous call. It never rejects.
   */
  wait(fd: number, signal?: AbortSignal): Promise<number>;
  /** A hint that the caller spins: a simulated machine lets its devices run; on hardware nothing happens. */
  relax(): void;
  /** The names in a directory below /sys, /dev or /proc. */
  list(path: string): string[] | number;
  /** The target of a symbolic link below /sys, /dev or /proc. */
  readlink(path: string): string | number;
  /** The content of a file below /sys or /proc. */
  readFile(path: string): Uint8Array | number;
}

/**
 * A kernel that supports nothing: the base of a backend, which overrides what it has.
 *
 * Every call answers −EOPNOTSUPP, requests −ENOTTY and files −ENOENT: a missing part is a clear error, never a success.
 */
export class UnsupportedKernel implements Kernel {
  /** "unsupported", until the backend says better. */
  readonly name: string = "unsupported";
  /** Answers −ENOENT. */
  open(_path: string, _flags: number): number {
    return -ERRNO.ENOENT;
  }
  /** Answers −EBADF. */
  close(_fd: number): number {
    return -ERRNO.EBADF;
  }
  /** Answers −ENOTTY. */
  ioctl(_fd: number, _request: number, _argument: Block | number): number {
    return -ERRNO.ENOTTY;
  }
  /** Answers −EOPNOTSUPP. */
  read(_fd: number, _into: Block, _length: number): number {
    return -ERRNO.EOPNOTSUPP;
  }
  /** Answers −EOPNOTSUPP. */
  write(_fd: number, _from: Block, _length: number): number {
    return -ERRNO.EOPNOTSUPP;
  }
  /** Answers −EOPNOTSUPP. */
  pread(_fd: number, _into: Block, _length: number, _offset: number): number {
    return -ERRNO.EOPNOTSUPP;
  }
  /** Answers −EOPNOTSUPP. */
  pwrite(_fd: number, _from: Block, _length: number, _offset: number): number {
    return -ERRNO.EOPNOTSUPP;
  }
  /** Answers −EOPNOTSUPP. */
  mmap(_at: bigint, _length: number, _prot: number, _flags: number, _fd: number, _offset: number): bigint {
    return BigInt(-ERRNO.EOPNOTSUPP);
  }
  /** Answers −EOPNOTSUPP. */
  munmap(_at: bigint, _length: number): number {
    return -ERRNO.EOPNOTSUPP;
  }
  /** Answers an empty array. */
  view(_at: bigint, _length: number): Uint8Array {
    return new Uint8Array(0);
  }
  /** Throws, since there is no memory. @throws {RangeError} */
  block(length: number): Block {
    throw new RangeError(`Cannot allocate an argument block of ${length} bytes: the kernel "${this.name}" has no memory`);
  }
  /** Answers −EOPNOTSUPP. */
  eventfd(_initial: number, _flags: number): number {
    return -ERRNO.EOPNOTSUPP;
  }
  /** Answers −EOPNOTSUPP. */
  memfd(_name: string, _length: number): number {
    return -ERRNO.EOPNOTSUPP;
  }
  /** Resolves with −EOPNOTSUPP. */
  wait(_fd: number, _signal?: AbortSignal): Promise<number> {
    return Promise.resolve(-ERRNO.EOPNOTSUPP);
  }
  /** Does nothing. */
  relax(): void {}
  /** Answers −ENOENT. */
  list(_path: string): string[] | number {
    return -ERRNO.ENOENT;
  }
  /** Answers −ENOENT. */
  readlink(_path: string): string | number {
    return -ERRNO.ENOENT;
  }
  /** Answers −ENOENT. */
  readFile(_path: string): Uint8Array | number {
    return -ERRNO.ENOENT;
  }
  /** Releases nothing. */
  [Symbol.dispose](): void {}
}
