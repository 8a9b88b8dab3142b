/**
 * What devices do: DMA through the IOMMU, and an NVMe disk that is read.
 *
 * @module
 */
import { bytesMedia, NvmeController, simulated } from "../../../mod.ts";
import { spreadOf } from "../../vm/bench/compare.ts";
import { ringsSide } from "../../vm/bench/rings.ts";
import { typedSide } from "../../vm/bench/typed.ts";
import type { ReadWork, Side } from "../../vm/bench/workload.ts";
import { atLeast, type Context, type Figure, type Goal, type Line } from "../line.ts";
import { setUp } from "../machine.ts";
import { byTurns, median } from "../measure.ts";

const MIB = 2 ** 20;
const PAGES = 16_384;
const ADDRESS = "0000:00:04.0";

/** A device's read into memory of its own, beside a copy of as much between the same places. */
async function hits(length: number): Promise<Figure> {
  const { ioas, puppet } = await setUp();
  const { dma } = puppet.bus;
  using buffer = ioas.createDmaBuffer(length);
  const { iova, bytes } = buffer;
  const local = puppet.bus.allocate(length);
  const foreign = new Uint8Array(length);
  const calls = Math.ceil(2 ** 23 / length);
  const { value, ...peers } = byTurns(calls, {
    value: () => void dma.read(iova, local),
    memcpy: () => local.set(bytes),
    "DMA into an array that is not the device's": () => void dma.read(iova, foreign),
    "DMA the other way": () => void dma.write(iova, local),
  });
  return { value, peers };
}

/** Reads that each need a walk: the IOTLB has long forgotten a page when it comes again. */
async function walks(context: Context): Promise<Figure | undefined> {
  const parts = await context.parts();
  if (parts === undefined) return undefined;
  const { transfers_new, transfers_read } = parts;
  transfers_new(PAGES);
  const nanoseconds = await median(PAGES, () => {
    const start = performance.now();
    for (let page = 0; page < PAGES; page++) transfers_read(page, 8);
    return performance.now() - start;
  });
  return { value: 1e9 / nanoseconds };
}

const READS: ReadWork = {
  kind: "read",
  name: "",
  length: 4096,
  depth: 32,
  order: "random",
  completions: "polling",
  batch: 4096,
  samples: 20,
};

/** Reads a second of a side that reads the simulated disk: the median of its samples, without the first round's. */
async function readsOf(make: (bench: Parameters<typeof ringsSide>[0]) => Side): Promise<number> {
  const media = bytesMedia(new Uint8Array(64 * MIB).fill(0x5a));
  // Without chance in its latencies commands fall due together, as many as are in a queue: what is measured is the machine, not its clock.
  const disk = new NvmeController({ namespaces: [{ media, readOnly: true }], latency: { jitter: 0 } });
  using kernel = await simulated({ memory: 64 * MIB, pci: [{ slot: "04.0", model: disk }] });
  const side = make({ kernel, plain: ADDRESS, nvme: ADDRESS });
  await side.run(READS, 1);
  const round = await side.run(READS, 2);
  return 1e9 / spreadOf(round!.samples).median;
}

async function reads(): Promise<Figure> {
  const driver = await readsOf(typedSide);
  return { value: await readsOf(ringsSide), peers: { "by the driver, a promise a read": driver } };
}

const OF_MEMCPY: Goal = { text: "≥ 0.8 of memcpy", share: ({ value, peers }) => 0.8 * value / peers!.memcpy! };

/** The lines. */
export const TRANSFERS: readonly Line[] = [
  { name: "DMA 4 KiB, IOTLB hits", unit: "ns", nativeParts: 0, measure: () => hits(4096) },
  { name: "DMA 64 KiB, IOTLB hits", unit: "ns", goal: OF_MEMCPY, measure: () => hits(65_536) },
  { name: "DMA 1 MiB, IOTLB hits", unit: "ns", nativeParts: 0, goal: OF_MEMCPY, measure: () => hits(MIB) },
  { name: "DMA, walks of 4 levels", unit: "a second", nativeParts: 0, goal: atLeast(20e6, "20 million a second"), measure: walks },
  {
    name: "NVMe random reads of 4 KiB, depth 32",
    unit: "a second",
    nativeParts: 0,
    goal: atLeast(1e6, "1 million a second"),
    measure: reads,
  },
];
