/**
 * The files that a kernel object has open. A number that is not in here is somebody else's, as the runtime's own files are.
 *
 * @module
 */
import { ERRNO } from "../../uapi/errno.ts";
import { claim, deviceKind } from "./claim.ts";
import { Mmio } from "./mmio.ts";
import type { System } from "./system.ts";

const F_GETFD = 1;
const F_SETFD = 2;
const FD_CLOEXEC = 1n;

/** An open file. */
export interface OpenFile {
  /** Its number. */
  readonly fd: number;
  /** The registers, where it is a device of VFIO. */
  readonly mmio: Mmio | undefined;
  /** Its flags before it was taken over; undefined: it was not. */
  adoptedFlags?: number;
}

/** Files by number. */
export class Files {
  #system: System;
  #files: (OpenFile | undefined)[] = [];

  /** None is open. */
  constructor(system: System) {
    this.#system = system;
  }

  /** The open file of a number. Only of a number: an array has properties with other names. */
  get(fd: number): OpenFile | undefined {
    return typeof fd === "number" ? this.#files[fd] : undefined;
  }

  /** A file that the kernel made, or its −errno. */
  made(fd: number): number {
    if (fd >= 0) this.#files[fd] = { fd, mmio: undefined };
    return fd;
  }

  /** A file that was opened by its path, or its −errno. EBUSY, and it is closed again: a device that is open elsewhere. */
  opened(fd: number): number {
    if (fd < 0) return fd;
    const result = this.#register(fd);
    if (result < 0) this.#system.libc.symbols.close(fd);
    return result;
  }

  /**
   * Take over a file that somebody else opened: it is closed with the kernel object, and not handed to programs that this one starts. EBADF: it
   * is not open. EBUSY: a device that is open elsewhere; then it remains the caller's.
   */
  adopt(fd: number): number {
    if (typeof fd !== "number" || (fd | 0) !== fd || fd < 0 || Object.is(fd, -0)) return -ERRNO.EBADF;
    if (this.#files[fd] !== undefined) return fd;
    const { symbols } = this.#system.libc;
    const flags = this.#system.answer(symbols.fcntl(fd, F_GETFD, 0n));
    if (flags < 0) return flags;
    const result = this.#register(fd);
    if (result < 0) return result;
    symbols.fcntl(fd, F_SETFD, BigInt(flags) | FD_CLOEXEC);
    this.#files[fd]!.adoptedFlags = flags;
    return result;
  }

  /** Give a file up that was taken over, without closing it. The lock of a device stays: it goes with the last descriptor of the file. */
  disown(fd: number): number {
    const file = this.#files[fd];
    if (file?.adoptedFlags === undefined) return -ERRNO.EBADF;
    file.mmio?.[Symbol.dispose]();
    this.#files[fd] = undefined;
    return this.#system.answer(this.#system.libc.symbols.fcntl(fd, F_SETFD, BigInt(file.adoptedFlags)));
  }

  /** Close a file. Its number is free afterwards whatever the answer is, as Linux has it. */
  close(file: OpenFile): number {
    file.mmio?.[Symbol.dispose]();
    this.#files[file.fd] = undefined;
    return this.#system.answer(this.#system.libc.symbols.close(file.fd));
  }

  /** All files. */
  *[Symbol.iterator](): Generator<OpenFile> {
    for (const file of this.#files) if (file !== undefined) yield file;
  }

  #register(fd: number): number {
    const kind = deviceKind(this.#system, fd);
    if (typeof kind === "number") return kind;
    // A group is open once by the kernel's own rule, and so are its devices.
    const claimed = kind === "node" ? claim(this.#system, fd) : 0;
    if (claimed < 0) return claimed;
    this.#files[fd] = { fd, mmio: kind === "none" ? undefined : new Mmio(this.#system, fd) };
    return fd;
  }
}
