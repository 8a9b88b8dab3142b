/**
 * Files that a test request opened.
 *
 * @module
 */
import type { Kernel } from "../uapi/kernel.ts";

/**
 * A file that a request opened is the kernel object's. Linux's takes those alone that it knows, and has a method for others; a kernel that lacks it, or
 * does not know of the file, has it already. Returns the fd, or the −errno that it is.
 */
export function adoptFile(kernel: Kernel, fd: number): number {
  if (fd >= 0 && "adopt" in kernel && typeof kernel.adopt === "function") kernel.adopt(fd);
  return fd;
}
