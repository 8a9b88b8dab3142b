/**
 * Files that a test request opened.
 *
 * @module
 */
import type { Kernel } from "../uapi/kernel.ts";

/** A file that a request opened is the kernel object's. Linux's takes those alone that it knows, and has a method for others. Returns the fd. */
export function adoptFile(kernel: Kernel, fd: number): number {
  return "adopt" in kernel && typeof kernel.adopt === "function" ? kernel.adopt(fd) : fd;
}
