/**
 * A device is open once: the kernel opens a node as often as asked, so who opens it holds a lock of the file for as long as it is open.
 *
 * The lock is flock(2), which belongs to the open file: it goes with the last descriptor, also when the program crashes, and a descriptor that
 * another process hands over brings it along. It is seen by all that open the same inode and lock it, as every program with this library does. For
 * others, and where two containers have nodes of their own for one device, the kernel's rule remains: the second bind is EINVAL.
 *
 * @module
 */
import { ERRNO } from "../../uapi/errno.ts";
import { statusOfFd } from "./file_status.ts";
import { readlink } from "./sysfs.ts";
import type { System } from "./system.ts";

const LOCK_EX = 2;
const LOCK_NB = 4;
/** A device of VFIO without a node of its own, which a group gave. */
const GROUP_DEVICE = "anon_inode:[vfio-device]";

/** What an open file is to VFIO: a device by its node, a device that a group gave, or none. −errno where it cannot be told. */
export function deviceKind(system: System, fd: number): "node" | "of a group" | "none" | number {
  const status = statusOfFd(system, fd);
  if (typeof status === "number") return status;
  if (status.kind !== "character device") return readlink(system, `/proc/self/fd/${fd}`) === GROUP_DEVICE ? "of a group" : "none";
  // The path it was opened by says nothing: it may be a link, or a node that somebody made.
  const home = readlink(system, `/sys/dev/char/${status.device}`);
  return typeof home === "string" && home.includes("/vfio-dev/") ? "node" : "none";
}

/** Be the one that has a file open. EBUSY: another open file of the same inode is. */
export function claim(system: System, fd: number): number {
  const result = system.answer(system.libc.symbols.flock(fd, LOCK_EX | LOCK_NB));
  return result === -ERRNO.EAGAIN ? -ERRNO.EBUSY : result;
}
