/**
 * Memory with a file descriptor: what can be mapped more than once, and into an IOAS by file.
 *
 * @module
 */
import { type Kernel, MAP_SHARED, PROT_READ, PROT_WRITE } from "../uapi/kernel.ts";
import { ERRNO } from "../uapi/errno.ts";
import { checkCount, PAGE, roundUp } from "./arguments.ts";
import { closeFile, failed, unmapMemory } from "./error.ts";
import { explainNewFile } from "./explain/open.ts";
import { type Life, takeAll, track } from "./handle.ts";

/** An anonymous file in memory: memfd_create(2). */
export class MemFd implements Disposable {
  /** The kernel that it is a file of. */
  readonly kernel: Kernel;
  /** The file descriptor. */
  readonly fd: number;
  /** Its length, bytes. */
  readonly length: number;
  /** Its content: valid while it is not disposed. */
  readonly bytes: Uint8Array;
  /** Address of its content in the address space of the process. */
  readonly address: bigint;
  #life: Life;

  private constructor(kernel: Kernel, fd: number, address: bigint, bytes: Uint8Array) {
    this.kernel = kernel;
    this.fd = fd;
    this.length = bytes.length;
    this.address = address;
    this.bytes = bytes;
    this.#life = track(this, kernel, "MemFd");
  }

  /** Make a file of zeros. @param name for people, in /proc. @param length bytes. @throws {IommuError} ENOMEM, EMFILE */
  static create(kernel: Kernel, name: string, length: number): MemFd {
    checkCount(length, "the length of a file", 1, Number.MAX_SAFE_INTEGER - PAGE);
    const fd = kernel.memfd(name, length);
    if (fd < 0) throw failed("memfd", fd, { name, length }, explainNewFile(kernel, fd));
    const address = kernel.mmap(0n, roundUp(length, PAGE), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (address < 0n) {
      kernel.close(fd);
      throw failed("mmap", address, { length });
    }
    const bytes = kernel.view(address, length);
    if (bytes.length === length) return new MemFd(kernel, fd, address, bytes);
    kernel.munmap(address, roundUp(length, PAGE));
    kernel.close(fd);
    throw failed("mmap", -ERRNO.EFAULT, { length }, "The kernel shows no memory of the process.");
  }

  /** False once it was disposed. */
  get isOpen(): boolean {
    return this.#life.isOpen;
  }

  /** Unmap and close it. What an IOAS has mapped of it stays mapped there. */
  [Symbol.dispose](): void {
    if (!this.#life.isOpen) return;
    this.#life.end();
    const whole = roundUp(this.length, PAGE);
    takeAll([
      () => unmapMemory(this.kernel, this.address, whole),
      () => closeFile(this.kernel, this.fd, "a memory file"),
    ]);
  }
}
