/**
 * The machine that this example runs on. It is the only file that another backend changes.
 *
 * @module
 */
import { EduDevice, type Kernel, linux, simulated } from "../../mod.ts";

/** A kernel with an edu device, and the PCI address of it. */
export interface EduMachine {
  /** The kernel; disposing it switches a simulated machine off. */
  readonly kernel: Kernel;
  /** Where the device is: "0000:00:04.0". */
  readonly address: string;
}

/** There is no such kernel, or this program may not call it. */
export class MachineUnavailable extends Error {
  /** "MachineUnavailable". */
  override name = "MachineUnavailable";
}

/**
 * A simulated machine with QEMU's edu device; or the running Linux, with a device that vfio-pci has.
 *
 * @param device PCI address of the real device; undefined: simulate one. @throws {MachineUnavailable} if the running kernel cannot be used.
 */
export async function openMachine(device?: string): Promise<EduMachine> {
  if (device !== undefined) return { kernel: await openLinux(), address: device };
  const kernel = await simulated({ pci: [{ slot: "04.0", model: () => new EduDevice() }] });
  return { kernel, address: "0000:00:04.0" };
}

async function openLinux(): Promise<Kernel> {
  try {
    return await linux();
  } catch (cause) {
    throw new MachineUnavailable(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}
