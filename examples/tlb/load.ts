/**
 * One load on one machine, with one way to have memory mapped.
 *
 * @module
 */
import { type BoundDevice, DeviceFd, IommuFd, simulated } from "../../mod.ts";
import { COMMAND, COMPLETION, LoadDisk, REGISTER } from "./disk.ts";

const ADDRESS = "0000:00:04.0";
const PAGE = 4096;
const MIB = 2 ** 20;
/** Where mappings of single transfers go round. */
const RING = 0x1_0000_0000n;
/** Where all of the memory is mapped: at a multiple of 2 MiB, as memory of that length is. */
const POOL = 0x8000_0000n;

/** What the disk has to do. */
export interface Load {
  /** Transfers. */
  readonly transfers: number;
  /** Bytes of each, a multiple of 4,096. */
  readonly block: number;
  /** Transfers under way at once. */
  readonly depth: number;
  /** Bytes of memory that the data is in. */
  readonly memory: number;
  /** Whether transfers go through memory in order, or anywhere. */
  readonly order: "sequential" | "random";
}

/** A way to have memory mapped. */
export interface Strategy {
  /** What it is called. */
  readonly name: string;
  /** `"each"`: memory is mapped for a transfer and unmapped after it; `"pool"`: all of it once. */
  readonly mapping: "each" | "pool";
  /** Whether page tables may use pages larger than 4 KiB. */
  readonly hugePages: boolean;
  /** Unmapped ranges that wait for an invalidation; 0: strict. */
  readonly batch: number;
}

/** The ways that are compared. */
export const STRATEGIES: readonly Strategy[] = [
  { name: "map each, strict", mapping: "each", hugePages: true, batch: 0 },
  { name: "map each, lazy (64)", mapping: "each", hugePages: true, batch: 64 },
  { name: "map each, lazy (256)", mapping: "each", hugePages: true, batch: 256 },
  { name: "pool, 4 KiB pages", mapping: "pool", hugePages: false, batch: 0 },
  { name: "pool, huge pages", mapping: "pool", hugePages: true, batch: 0 },
];

/** What the machine is like. */
export interface Hardware {
  /** Its IOMMU. */
  readonly iommu: "vtd" | "amdvi";
  /** Entries of the IOTLB, a power of two. */
  readonly entries: number;
  /** Cached tables of each level. */
  readonly structures: number;
}

/** What a load has cost, a transfer on average. */
export interface Outcome {
  /** As {@linkcode Strategy.name}. */
  readonly strategy: string;
  /** Share of look-ups that the IOTLB answered, 0 to 1. */
  readonly hitRate: number;
  /** Table entries read by walks. */
  readonly walkReads: number;
  /** Invalidations. */
  readonly invalidations: number;
  /** Nanoseconds of translations. */
  readonly translation: number;
  /** Nanoseconds of invalidations. */
  readonly invalidation: number;
  /** Most unmapped ranges that a device could reach at once. */
  readonly exposed: number;
}

/** Numbers that look random and are the same each time (xorshift32). */
function* numbers(): Generator<number, never> {
  for (let state = 0x9e3779b9;;) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    yield state >>> 0;
  }
}

/** Run a load. `step` is told after each 1,000 transfers. */
export async function run(load: Load, strategy: Strategy, hardware: Hardware, step: () => void): Promise<Outcome> {
  const { iommu: kind, entries, structures } = hardware;
  using kernel = await simulated({
    memory: load.memory + 32 * MIB,
    iommu: {
      kind,
      iotlb: { entries, structures },
      invalidation: strategy.batch === 0 ? "strict" : { kind: "lazy", batch: strategy.batch },
    },
    pci: [{ slot: "04.0", model: new LoadDisk(load.block) }],
  });
  using iommu = IommuFd.open(kernel);
  using ioas = iommu.createIoas();
  using file = DeviceFd.open(kernel, ADDRESS);
  using device = file.bind(iommu);
  device.config.write16(4, 6);
  device.attach(ioas);
  ioas.hugePages = strategy.hugePages;
  using queue = ioas.createDmaBuffer(2 * PAGE);
  using data = ioas.createDmaBuffer(load.memory, { iova: POOL });
  const places = placesOf(load);
  const disk = driverOf(device, queue);
  // Room for all that waits, so that no address is used again before it was invalidated.
  const slots = BigInt(2 * (strategy.batch + load.depth));
  const live: bigint[] = [];
  const release = () => ioas.unmap(live.shift()!, load.block);
  let exposed = 0;
  for (let index = 0; index < load.transfers; index++) {
    const offset = places.next().value;
    if (strategy.mapping === "pool") {
      disk(index, data.iova + BigInt(offset), load.block);
    } else {
      if (live.length === load.depth) release();
      const iova = RING + BigInt(index) % slots * BigInt(load.block);
      live.push(ioas.map({ address: data.address + BigInt(offset), length: load.block }, { iova }));
      disk(index, iova, load.block);
      exposed = Math.max(exposed, kernel.inspect.statistics.waiting);
    }
    if (index % 1000 === 999) step();
  }
  const counts = kernel.inspect.device(ADDRESS);
  if (counts.faults > 0) throw new Error(`Cannot measure: ${counts.faults} transfers were refused`);
  const { invalidations, invalidationTime } = kernel.inspect.statistics;
  while (live.length > 0) release();
  return {
    strategy: strategy.name,
    hitRate: counts.tlbHits / (counts.tlbHits + counts.tlbMisses),
    walkReads: counts.walkReads / load.transfers,
    invalidations: invalidations / load.transfers,
    translation: counts.translationTime / load.transfers,
    invalidation: invalidationTime / load.transfers,
    exposed,
  };
}

/** Where the data of each transfer is. */
function* placesOf({ block, memory, order }: Load): Generator<number, never> {
  const blocks = memory / block;
  const random = numbers();
  for (let index = 0;; index++) yield (order === "sequential" ? index % blocks : random.next().value % blocks) * block;
}

/** Writes commands into their queue and starts them. */
function driverOf(device: BoundDevice, queue: { readonly iova: bigint; readonly bytes: Uint8Array }) {
  const registers = device.bar(0);
  const view = new DataView(queue.bytes.buffer, queue.bytes.byteOffset, queue.bytes.length);
  return (index: number, iova: bigint, length: number) => {
    const at = index % (PAGE / COMMAND) * COMMAND;
    view.setBigUint64(at, iova, true);
    view.setUint32(at + 8, length, true);
    registers.write64(REGISTER.command, queue.iova + BigInt(at));
    registers.write64(REGISTER.completion, queue.iova + BigInt(PAGE + index % (PAGE / COMPLETION) * COMPLETION));
    registers.write32(REGISTER.start, 1);
  };
}
