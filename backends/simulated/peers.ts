/**
 * Peer-to-peer DMA: which BAR a physical address belongs to, and the accesses that a transfer there becomes.
 *
 * @module
 */
import type { VfioDevice } from "./vfio_device.ts";

/** A BAR, and where it is. */
interface Window {
  readonly device: VfioDevice;
  readonly bar: number;
  readonly start: bigint;
  readonly end: bigint;
}

/** The BARs of the devices behind the IOMMU. Those of emulated devices are at no physical address. */
export class Peers {
  #windows: Window[] = [];

  /** @param addresses of its BARs, by index. */
  add(device: VfioDevice, addresses: readonly bigint[]): void {
    if (device.isEmulated) return;
    for (const [bar, start] of addresses.entries()) {
      const length = device.regionLength(bar);
      if (length > 0) this.#windows.push({ device, bar, start, end: start + BigInt(length) });
    }
  }

  /** Move bytes to or from what is at a physical address, with the widest accesses that are aligned. As on PCI a read that nobody answers is all ones. */
  move(address: bigint, bytes: Uint8Array, write: boolean): void {
    const window = this.#windows.find(({ start, end }) => start <= address && address < end);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    let moved = 0;
    if (window !== undefined) {
      const { device, bar, start } = window;
      const offset = Number(address - start);
      moved = write ? device.write(bar, offset, view, bytes.length) : device.read(bar, offset, view, bytes.length);
    }
    if (!write && moved < bytes.length) bytes.fill(0xff, Math.max(moved, 0));
  }
}
