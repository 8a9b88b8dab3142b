/**
 * What the handles of one device_fd share: the file, memory for arguments, and what goes when it is closed.
 *
 * @module
 */
import type { Block, Kernel } from "../uapi/kernel.ts";
import { allocateBlock, closed, closeFile } from "./error.ts";
import { type Life, takeAll } from "./handle.ts";
import { deviceOpened, type OpenDevice } from "./open_devices.ts";

/** Bytes of the longest struct of a request without a list. */
const ARGUMENT_LENGTH = 64;

/** An open device_fd. */
export class DeviceState {
  /** The kernel. */
  readonly kernel: Kernel;
  /** The file. */
  readonly fd: number;
  /** What errors tell of it. */
  readonly device: OpenDevice;
  /** What errors call it: its PCI address if known, else its node, else its number. */
  readonly name: string;
  /** Of the handle. */
  readonly life: Life;
  /** The argument of requests and register accesses. They are synchronous, so one is enough. */
  readonly argument: Block;
  /** Kinds of interrupts that a handle has enabled. */
  readonly enabledKinds: Set<string> = new Set();
  #parts = new Set<() => void>();

  /** For an open file. @throws {IommuError} ENOMEM if the kernel has no memory for arguments. */
  constructor(kernel: Kernel, device: OpenDevice, life: Life) {
    this.kernel = kernel;
    this.fd = device.fd;
    this.device = device;
    this.name = device.address ?? device.node ?? `fd ${device.fd}`;
    this.life = life;
    this.argument = allocateBlock(kernel, ARGUMENT_LENGTH);
    this.onClose(deviceOpened(kernel, device));
  }

  /** The argument's view, if the file is open. @throws {IommuError} EBADF */
  begin(operation: string): DataView {
    if (!this.life.isOpen) throw closed("DeviceFd", operation);
    return this.argument.view;
  }

  /** Send the argument. */
  send(request: number): number {
    return this.kernel.ioctl(this.fd, request, this.argument);
  }

  /** Have something done once the file is closed. Returns how to take that back. */
  onClose(step: () => void): () => void {
    this.#parts.add(step);
    return () => void this.#parts.delete(step);
  }

  /** Close the file: the device stops, and leaves its iommufd. */
  close(): void {
    if (!this.life.isOpen) return;
    this.life.end();
    takeAll([
      () => closeFile(this.kernel, this.fd, this.name),
      ...this.#parts,
      () => this.argument[Symbol.dispose](),
    ]);
  }
}
