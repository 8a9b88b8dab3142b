/**
 * A function that is there and does nothing: for topologies, and for devices that belong to a driver of the kernel.
 *
 * @module
 */
import type { Bus, DeviceDescription, DeviceModel } from "../device.ts";

/** A PCI function with an identity and no behaviour. Its registers read 0. */
export class InertDevice implements DeviceModel {
  /** As {@linkcode DeviceModel.description}. */
  readonly description: DeviceDescription;

  /** Its configuration space shows `description`, and what that leaves out is that of an Ethernet controller of the vendor 0x1234, without BARs. */
  constructor(description: Partial<DeviceDescription> = {}) {
    this.description = { vendor: 0x1234, device: 0x0001, classCode: 0x020000, bars: [], ...description };
  }

  /** As {@linkcode DeviceModel.connect}. */
  connect(_bus: Bus): void {}

  /** As {@linkcode DeviceModel.reset}. */
  reset(): void {}

  /** As {@linkcode DeviceModel.read}. */
  read(): number {
    return 0;
  }

  /** As {@linkcode DeviceModel.write}. */
  write(): void {}
}
