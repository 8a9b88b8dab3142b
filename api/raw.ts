/**
 * Any bytes to any request, for what the typed API does not know, and for playing recorded requests of other programs.
 *
 * Everything else of a {@linkcode Kernel} is raw as it is: `kernel.mmap` takes the address at which memory must be, for example.
 *
 * @module
 */
import type { Kernel } from "../uapi/kernel.ts";
import { allocateBlock } from "./error.ts";

/** What a raw request answered. */
export interface RawResult {
  /** 0 or more, or −errno. */
  readonly result: number;
  /** The argument as the kernel left it. */
  readonly bytes: Uint8Array;
}

/**
 * Send a request with these bytes as its argument. Answers −errno instead of throwing.
 *
 * Pointers in the bytes must be addresses of the process: those of a {@linkcode Kernel.block} or of `kernel.mmap`.
 *
 * @throws {IommuError} ENOMEM if there is no memory for the argument
 */
export function ioctl(kernel: Kernel, fd: number, request: number, argument: Uint8Array): RawResult {
  using block = allocateBlock(kernel, Math.max(argument.length, 1));
  block.bytes.set(argument);
  const result = kernel.ioctl(fd, request, block);
  return { result, bytes: block.bytes.slice(0, argument.length) };
}
