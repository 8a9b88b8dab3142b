/**
 * What the typed API costs beside map and unmap: registers, buffers, pools, look-ups.
 *
 * @module
 */
import { setUp } from "./machine.ts";

const BUFFERS = 10_000;

const { kernel, ioas, device } = await setUp({ memory: 128, kernelMemory: 64 });

{
  const group = "a register of 32 bits";
  const bar = device.bar(0);
  const block = kernel.block(8);
  const { fd } = device.deviceFd;
  Deno.bench("raw pread", { group, baseline: true }, () => {
    kernel.pread(fd, block, 4, 0);
  });
  Deno.bench("Region.read32", { group }, () => {
    bar.read32(0);
  });
  Deno.bench("Region.write32", { group }, () => {
    bar.write32(0, 1);
  });
}

{
  const group = "DMA memory of 4 KiB";
  const pool = ioas.createDmaPool({ size: 4096, count: 64, alignment: 4096 });
  Deno.bench("createDmaBuffer", { group, baseline: true }, () => {
    ioas.createDmaBuffer(4096)[Symbol.dispose]();
  });
  Deno.bench("DmaPool.take", { group }, () => {
    pool.take()[Symbol.dispose]();
  });
}

{
  // The peer is a Map, which answers for the first address of a buffer alone.
  const group = `look-ups among ${BUFFERS} buffers`;
  const buffers = Array.from({ length: BUFFERS }, () => ioas.createDmaBuffer(4096));
  const byIova = new Map(buffers.map((buffer) => [buffer.iova, buffer]));
  const iovas = buffers.map(({ iova }) => iova);
  const inside = iovas.map((iova) => iova + 100n);
  const parts = buffers.map(({ bytes }) => bytes.subarray(100, 200));
  let index = 0;
  const next = () => index = (index + 7919) % BUFFERS;
  Deno.bench("Map.get by the first address", { group, baseline: true }, () => {
    byIova.get(iovas[next()]!);
  });
  Deno.bench("bufferAt any address", { group }, () => {
    ioas.bufferAt(inside[next()]!);
  });
  Deno.bench("iovaOf any bytes", { group }, () => {
    ioas.iovaOf(parts[next()]!);
  });
}
