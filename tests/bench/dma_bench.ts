/**
 * What a device pays for a transfer through the IOMMU. The peer of a copy is `Uint8Array.set`, that is memcpy.
 *
 * @module
 */
import { setUp } from "./machine.ts";

const PAGE = 4096;
const PAGES = 4096;

const { ioas, puppet } = await setUp();
const { dma } = puppet.bus;

for (const length of [4096, 65_536, 1_048_576]) {
  const group = `DMA of ${length} bytes`;
  const buffer = ioas.createDmaBuffer(length);
  const local = puppet.bus.allocate(length);
  const foreign = new Uint8Array(length);
  const { iova, bytes } = buffer;
  Deno.bench("Uint8Array.set", { group, baseline: true }, () => {
    local.set(bytes);
  });
  Deno.bench("dma.read into the device's memory", { group }, () => {
    dma.read(iova, local);
  });
  Deno.bench("dma.write from the device's memory", { group }, () => {
    dma.write(iova, local);
  });
  Deno.bench("dma.read into an array of its own", { group }, () => {
    dma.read(iova, foreign);
  });
}

{
  // No two pages are neighbours in memory, so that no large page and no run covers them.
  const group = "DMA of 8 bytes";
  const one = ioas.createDmaBuffer(PAGE);
  const pages = Array.from({ length: PAGES }, () => ioas.map({ address: one.address, length: PAGE }));
  const local = puppet.bus.allocate(8);
  const view = new DataView(one.bytes.buffer, one.bytes.byteOffset, 8);
  const target = new DataView(local.buffer, local.byteOffset, 8);
  let index = 0;
  Deno.bench("DataView", { group, baseline: true }, () => {
    target.setFloat64(0, view.getFloat64(0, true), true);
  });
  Deno.bench("IOTLB hit", { group }, () => {
    index = (index + 1) % 64;
    dma.read(pages[index]!, local);
  });
  Deno.bench("IOTLB miss: a walk of four levels", { group }, () => {
    index = (index + 1) % PAGES;
    dma.read(pages[index]!, local);
  });
}
