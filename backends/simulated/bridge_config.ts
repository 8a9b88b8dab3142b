/**
 * Configuration space of bridges and ports, for sysfs: no program can open them, so it is bytes without behaviour.
 *
 * @module
 */
import type { FunctionKind, PciFunction } from "./pci_tree.ts";

/** Vendor and device of each kind: those of QEMU's generic ports and bridges, which every Linux knows. */
const IDENTITY: Record<Exclude<FunctionKind, "device">, { vendor: number; device: number; expressType: number }> = {
  "root-port": { vendor: 0x1b36, device: 0x000c, expressType: 4 },
  "upstream-port": { vendor: 0x104c, device: 0x8232, expressType: 5 },
  "downstream-port": { vendor: 0x104c, device: 0x8233, expressType: 6 },
  "pcie-to-pci": { vendor: 0x1b36, device: 0x000e, expressType: 7 },
  "pci-to-pci": { vendor: 0x1b36, device: 0x0001, expressType: 0 },
};

/** Vendor and device of a bridge or port. */
export function bridgeIdentity(kind: Exclude<FunctionKind, "device">): { vendor: number; device: number } {
  return IDENTITY[kind];
}

/** The configuration space of a bridge or port. */
export function bridgeConfig(pci: PciFunction): Uint8Array {
  const bytes = new Uint8Array(pci.express ? 4096 : 256);
  const view = new DataView(bytes.buffer);
  const identity = IDENTITY[pci.kind as Exclude<FunctionKind, "device">];
  view.setUint16(0x00, identity.vendor, true);
  view.setUint16(0x02, identity.device, true);
  view.setUint16(0x04, 0x0007, true);
  view.setUint32(0x08, 0x0604_0000, true);
  view.setUint8(0x0e, pci.multifunction ? 0x81 : 0x01);
  view.setUint8(0x18, pci.bus);
  view.setUint8(0x19, pci.secondaryBus ?? 0);
  view.setUint8(0x1a, pci.subordinateBus ?? 0);
  if (!pci.express) return bytes;
  view.setUint16(0x06, 0x0010, true);
  view.setUint8(0x34, 0x40);
  view.setUint8(0x40, 0x10);
  view.setUint16(0x42, 2 | identity.expressType << 4, true);
  if (pci.acs && (pci.kind === "root-port" || pci.kind === "downstream-port" || pci.multifunction)) {
    view.setUint32(0x100, 0x0001_000d, true);
    view.setUint32(0x104, 0x001d_001d, true);
  }
  return bytes;
}
