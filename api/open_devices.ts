/**
 * Which devices this program has open, for errors that are about another handle of its own.
 *
 * @module
 */
import type { Kernel } from "../uapi/kernel.ts";

/** An open device_fd. It refers to no handle: a handle that is forgotten must be collected, so that the leak is reported. */
export interface OpenDevice {
  /** The file. */
  readonly fd: number;
  /** Path of its node; undefined where the fd was passed in without a word. */
  readonly node: string | undefined;
  /** PCI address, if it is known. */
  readonly address: string | undefined;
  /** The iommufd that it is bound to; undefined: none. */
  boundTo: number | undefined;
}

const OPEN = new WeakMap<Kernel, Set<OpenDevice>>();

/** All that are open on a kernel. */
export function openDevices(kernel: Kernel): ReadonlySet<OpenDevice> {
  return OPEN.get(kernel) ?? new Set();
}

/** A device was opened. Returns how to say that it was closed. */
export function deviceOpened(kernel: Kernel, device: OpenDevice): () => void {
  let open = OPEN.get(kernel);
  if (open === undefined) OPEN.set(kernel, open = new Set());
  open.add(device);
  return () => void open.delete(device);
}
