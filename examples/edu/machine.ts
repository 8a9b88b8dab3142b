/**
 * The machine that this example runs on. It is the only file that another backend changes.
 *
 * @module
 */
import { EduDevice, type Kernel, simulated } from "../../mod.ts";

/** A kernel with an edu device, and the PCI address of it. */
export interface EduMachine {
  /** The kernel; disposing it switches a simulated machine off. */
  readonly kernel: Kernel;
  /** Where the device is: "0000:00:04.0". */
  readonly address: string;
}

/** A simulated machine with QEMU's edu device. */
export async function openMachine(): Promise<EduMachine> {
  const kernel = await simulated({ pci: [{ slot: "04.0", model: () => new EduDevice() }] });
  return { kernel, address: "0000:00:04.0" };
}
