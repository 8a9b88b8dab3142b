/**
 * Taking over files that others opened: which kind a file is, without a change to it.
 *
 * @module
 */
import * as uapi from "../uapi/codec.ts";
import { ERRNO } from "../uapi/errno.ts";
import type { Block, Kernel } from "../uapi/kernel.ts";
import { checkCount } from "./arguments.ts";
import { allocateBlock } from "./error.ts";
import { readLink } from "./explain/facts.ts";

/** Bytes of the longest argument of a probe. */
const ARGUMENT_LENGTH = 64;
const FD_LAST = 0x7fff_ffff;

/** How {@linkcode takeOver} goes about a kind of file. */
export interface Kind<T> {
  /** Asks the file what it is: 0, or −errno with which it is refused. */
  readonly probe: (kernel: Kernel, fd: number, argument: Block) => number;
  /** Makes the handle, which owns the file from then on. May throw. */
  readonly make: () => T;
  /** Makes the error for a refusal. */
  readonly fail: (result: number) => Error;
}

/** A file descriptor. @throws {TypeError} @throws {RangeError} */
export function checkFd(fd: number): number {
  return checkCount(fd, "a file descriptor", 0, FD_LAST);
}

/** Make a handle of an open file. On any error the file is whose it was. @throws what `fail` or `make` says */
export function takeOver<T>(kernel: Kernel, fd: number, { probe, make, fail }: Kind<T>): T {
  using argument = allocateBlock(kernel, ARGUMENT_LENGTH);
  let result = probe(kernel, fd, argument);
  // A kernel that knows only files of its own takes the number for none.
  const isForeign = result === -ERRNO.EBADF && kernel.adopt !== undefined;
  if (isForeign) {
    const adopted = kernel.adopt!(fd);
    if (adopted < 0) throw fail(adopted);
    result = probe(kernel, fd, argument);
  }
  try {
    if (result < 0) throw fail(result);
    return make();
  } catch (error) {
    if (isForeign) kernel.disown?.(fd);
    throw error;
  }
}

/** Whether a file is an iommufd: reading an option of it changes nothing, and no other file knows the request. */
export function probeIommu(kernel: Kernel, fd: number, argument: Block): number {
  uapi.putOption(argument.view, 0, { optionId: uapi.OPTION_RLIMIT_MODE, op: uapi.OPTION_OP_GET, objectId: 0, val64: 0n });
  const result = kernel.ioctl(fd, uapi.OPTION, argument);
  return result >= 0 ? 0 : result === -ERRNO.EBADF ? result : -ERRNO.EBADFD;
}

/** What an unbound device answers when it is to be bound to a file that is no iommufd; before that, that its group or its token is missing. */
const UNBOUND: readonly number[] = [-ERRNO.EBADFD, -ERRNO.EBUSY, -ERRNO.EACCES];

/**
 * Whether a file is a device that is not bound. A bound one describes itself; another answers a request to bind it to itself, which is no
 * iommufd, with an error of its own, and other files do not know the request.
 */
export function probeDevice(kernel: Kernel, fd: number, argument: Block): number {
  uapi.putDeviceInfo(argument.view, 0, {});
  const described = kernel.ioctl(fd, uapi.DEVICE_GET_INFO, argument);
  if (described >= 0) return -ERRNO.EINVAL;
  if (described === -ERRNO.EBADF) return described;
  uapi.putDeviceBindIommufd(argument.view, 0, { flags: 0, iommufd: fd, tokenUuidPtr: 0n });
  return UNBOUND.includes(kernel.ioctl(fd, uapi.DEVICE_BIND_IOMMUFD, argument)) ? 0 : -ERRNO.EBADFD;
}

/** The node that a file was opened by, if the kernel tells. */
export function nodeOfFd(kernel: Kernel, fd: number): string | undefined {
  const path = readLink(kernel, `/proc/self/fd/${fd}`);
  return path?.startsWith("/dev/") ? path : undefined;
}

const IOMMU_FDS = new WeakMap<Kernel, Set<number>>();

/** The fds that handles of iommufds have: one file must not be closed by two. */
export function iommuFds(kernel: Kernel): Set<number> {
  let fds = IOMMU_FDS.get(kernel);
  if (fds === undefined) IOMMU_FDS.set(kernel, fds = new Set());
  return fds;
}
