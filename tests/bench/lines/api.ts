/**
 * What the typed API costs beside map and unmap: registers, buffers, pools, look-ups.
 *
 * @module
 */
import type { Line, Peers } from "../line.ts";
import { keep, setUp } from "../machine.ts";
import { each } from "../measure.ts";

const BUFFERS = 10_000;
const CALLS = 1_000;

/** A line whose peers and itself are functions that are called in turn. */
function line(
  name: string,
  make: () => Promise<{ readonly ours: () => void; readonly peers: Readonly<Record<string, () => void>> }>,
): Line {
  return {
    name,
    unit: "ns",
    nativeParts: 0,
    measure: async () => {
      const { ours, peers } = await make();
      const found: Peers = {};
      for (const [peer, once] of Object.entries(peers)) found[peer] = await each(CALLS, once);
      return { value: await each(CALLS, ours), peers: found };
    },
  };
}

async function registers() {
  const { kernel, device } = await setUp();
  const block = kernel.block(8);
  const { fd } = device.deviceFd;
  return { bar: device.bar(0), peers: { "raw pread": () => void kernel.pread(fd, block, 4, 0) } };
}

async function pool() {
  const { ioas } = await setUp({ memory: 128, kernelMemory: 64 });
  const made = keep(ioas.createDmaPool({ size: 4096, count: 64, alignment: 4096 }));
  return {
    ours: () => made.take()[Symbol.dispose](),
    peers: { "Ioas.createDmaBuffer": () => ioas.createDmaBuffer(4096)[Symbol.dispose]() },
  };
}

/** The peer is a Map, which answers for the first address of a buffer alone. */
async function lookUps() {
  const { ioas } = await setUp({ memory: 128, kernelMemory: 64 });
  const buffers = keep(Array.from({ length: BUFFERS }, () => ioas.createDmaBuffer(4096)));
  const byIova = new Map(buffers.map((buffer) => [buffer.iova, buffer]));
  const iovas = buffers.map(({ iova }) => iova);
  let index = 0;
  const next = () => index = (index + 7919) % BUFFERS;
  return { ioas, buffers, iovas, next, peers: { "Map.get by the first address": () => void byIova.get(iovas[next()]!) } };
}

async function bufferAt() {
  const { ioas, iovas, next, peers } = await lookUps();
  const inside = iovas.map((iova) => iova + 100n);
  return { ours: () => void ioas.bufferAt(inside[next()]!), peers };
}

async function iovaOf() {
  const { ioas, buffers, next, peers } = await lookUps();
  const parts = buffers.map(({ bytes }) => bytes.subarray(100, 200));
  return { ours: () => void ioas.iovaOf(parts[next()]!), peers };
}

/** The lines. */
export const API: readonly Line[] = [
  line("Region.read32", async () => {
    const { bar, peers } = await registers();
    return { ours: () => void bar.read32(0), peers };
  }),
  line("Region.write32", async () => {
    const { bar, peers } = await registers();
    return { ours: () => bar.write32(0, 1), peers };
  }),
  line("DmaPool.take of 4 KiB and its disposal", pool),
  line(`Ioas.bufferAt, any address of ${BUFFERS.toLocaleString("en")} buffers`, bufferAt),
  line(`Ioas.iovaOf, any bytes of ${BUFFERS.toLocaleString("en")} buffers`, iovaOf),
];
