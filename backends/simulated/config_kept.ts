/**
 * The bits of configuration space that vfio-pci answers from its own copy: what is left of a function that is out of its slot.
 *
 * Which they are: the tables of drivers/vfio/pci/vfio_pci_config.c of Linux.
 *
 * @module
 */

/** Where capabilities begin; 0: the function has none. */
export interface CapabilityPlaces {
  readonly power: number;
  readonly msi: number;
  readonly msix: number;
  readonly express: number;
  readonly advanced: number;
}

/** The bits that are kept, for each byte. `extended`: whether there is a capability at 0x100. */
export function keptBits(length: number, places: CapabilityPlaces, extended: boolean): Uint8Array {
  const kept = new Uint8Array(length);
  // Vendor and device; INTx disable; that there is a list of capabilities.
  kept.fill(0xff, 0x00, 0x04);
  kept[0x05] = 0x04;
  kept[0x06] = 0x10;
  // BARs, the ROM's, the pointer to the capabilities, interrupt line and pin.
  kept.fill(0xff, 0x10, 0x28);
  kept.fill(0xff, 0x30, 0x35);
  kept.fill(0xff, 0x3c, 0x3e);
  const { power, msi, express, advanced } = places;
  for (const capability of Object.values(places)) if (capability !== 0) kept[capability + 1] = 0xff;
  if (power !== 0) {
    // Everything about power management events.
    kept[power + 3] = 0xf8;
    kept[power + 5] = 0x81;
  }
  if (msi !== 0) {
    kept[msi + 2] = 0xff;
    kept.fill(0xff, msi + 4, msi + 14);
  }
  if (express !== 0) {
    // Payload, read request and function-level reset.
    kept[express + 8] = 0xe0;
    kept[express + 9] = 0xf0;
  }
  if (advanced !== 0) kept[advanced + 4] = 0x01;
  if (extended) kept.fill(0xff, 0x100, 0x104);
  return kept;
}
