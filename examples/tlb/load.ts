/**
 * One load on one machine, with one way to have memory mapped.
 *
 * @module
 */
import { DeviceFd, type DmaBuffer, type Ioas, IommuFd, NvmeController, simulated, type SimulatedKernel } from "../../mod.ts";
import { openRings, type Rings } from "../nvme/rings.ts";
import { statusName } from "../nvme/status.ts";

const ADDRESS = "0000:00:04.0";
const MIB = 2 ** 20;
/** Opcode of the NVM command set. */
const READ = 0x02;
/** A controller of transfers of up to 1 MiB, and of queues of up to 2,048 commands. */
const LIMITS = { mdts: 8, queueEntries: 2048 } as const;
/** Where mappings of single transfers go round. */
const RING = 0x1_0000_0000n;
/** Where all of the memory is mapped: at a multiple of 2 MiB, as memory of that length is. */
const POOL = 0x8000_0000n;

/** What an NVMe disk has to do: reads. */
export interface Load {
  /** Read commands. */
  readonly transfers: number;
  /** Bytes of each, a multiple of 4,096. */
  readonly block: number;
  /** Commands under way at once. */
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
  readonly iommu: "vtd" | "amdvi" | "smmuv3" | "riscv";
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
  using kernel = await machineOf(load, strategy, hardware);
  using stack = new DisposableStack();
  const iommu = stack.use(IommuFd.open(kernel));
  const ioas = stack.use(iommu.createIoas());
  const device = stack.use(stack.use(DeviceFd.open(kernel, ADDRESS)).bind(iommu));
  ioas.hugePages = strategy.hugePages;
  device.attach(ioas);
  const data = stack.use(ioas.createDmaBuffer(load.memory, { iova: POOL }));
  const rings = await openRings(kernel, device, ioas, { depth: load.depth, transferMax: load.block }, stack);
  try {
    const memory = strategy.mapping === "pool" ? new Pool(data) : new Each(kernel, ioas, data, load, strategy);
    const before = countsOf(kernel);
    new Reads(rings, load, memory, step).run(() => kernel.relax());
    return outcomeOf(load, strategy, before, countsOf(kernel), memory.exposed);
  } finally {
    await rings.stop();
  }
}

function machineOf(load: Load, { batch }: Strategy, { iommu: kind, entries, structures }: Hardware): Promise<SimulatedKernel> {
  // What is read does not matter here, so nothing is; nor does how long it takes, so that commands complete in their order.
  const media = { length: load.memory, read() {} };
  const disk = new NvmeController({ namespaces: [{ media }], latency: { jitter: 0 }, ...LIMITS });
  return simulated({
    memory: load.memory + 32 * MIB,
    iommu: { kind, iotlb: { entries, structures }, invalidation: batch === 0 ? "strict" : { kind: "lazy", batch } },
    pci: [{ slot: "04.0", model: disk }],
  });
}

/** Where the data of transfers is for the disk. */
interface Memory {
  /** Most unmapped ranges that the disk could reach at once. */
  readonly exposed: number;
  /** A transfer begins, of the data at an offset. Returns its I/O address. */
  take(offset: number): bigint;
  /** It has ended. */
  give(iova: bigint): void;
}

/** All of it is mapped all the time. */
class Pool implements Memory {
  readonly exposed = 0;

  constructor(readonly data: DmaBuffer) {}

  take(offset: number): bigint {
    return this.data.iova + BigInt(offset);
  }

  give(): void {}
}

/** Each transfer's data is mapped for it. */
class Each implements Memory {
  exposed = 0;
  #kernel: SimulatedKernel;
  #ioas: Ioas;
  #data: DmaBuffer;
  #block: number;
  #slots: number;
  #next = 0;

  constructor(kernel: SimulatedKernel, ioas: Ioas, data: DmaBuffer, { block, depth }: Load, { batch }: Strategy) {
    this.#kernel = kernel;
    this.#ioas = ioas;
    this.#data = data;
    this.#block = block;
    // Room for all that waits, so that no address is used again before it was invalidated.
    this.#slots = 2 * (batch + depth);
  }

  take(offset: number): bigint {
    const iova = RING + BigInt(this.#next * this.#block);
    this.#next = (this.#next + 1) % this.#slots;
    return this.#ioas.map({ address: this.#data.address + BigInt(offset), length: this.#block }, { iova });
  }

  give(iova: bigint): void {
    this.#ioas.unmap(iova, this.#block);
    this.exposed = Math.max(this.exposed, this.#kernel.inspect.statistics.waiting);
  }
}

/** Keeps the queue full until all has been read. */
class Reads {
  #rings: Rings;
  #load: Load;
  #memory: Memory;
  #step: () => void;
  #places: Generator<number, never>;
  /** I/O addresses by the identifiers of commands. */
  #iovas: bigint[] = [];
  #begun = 0;
  #ended = 0;

  constructor(rings: Rings, load: Load, memory: Memory, step: () => void) {
    this.#rings = rings;
    this.#load = load;
    this.#memory = memory;
    this.#step = step;
    this.#places = placesOf(load);
  }

  /** @param relax lets time pass while nothing has completed. */
  run(relax: () => void): void {
    const { queue } = this.#rings;
    const { transfers } = this.#load;
    while (this.#ended < transfers) {
      while (queue.hasRoom && this.#begun < transfers) this.#put();
      queue.ring();
      if (queue.reap() === 0) relax();
    }
  }

  #put(): void {
    const { queue, namespace } = this.#rings;
    const { block } = this.#load;
    const offset = this.#places.next().value;
    const iova = this.#memory.take(offset);
    const [low, high] = [Number(iova & 0xffff_ffffn), Number(iova >> 32n)];
    const [lba, blocks] = [offset / namespace.blockLength, block / namespace.blockLength];
    this.#iovas[queue.putBlocks(READ, namespace.id, lba, blocks, low, high, block, this.#done)] = iova;
    this.#begun++;
  }

  #done = (id: number, status: number): void => {
    if (status !== 0) throw new Error(`Cannot measure: a read ended with ${statusName(status)}`);
    this.#memory.give(this.#iovas[id]!);
    if (++this.#ended % 1000 === 0) this.#step();
  };
}

/** Where the data of each transfer is, on the disk as in memory. */
function* placesOf({ block, memory, order }: Load): Generator<number, never> {
  const blocks = memory / block;
  const random = numbers();
  for (let index = 0;; index++) yield (order === "sequential" ? index % blocks : random.next().value % blocks) * block;
}

interface Counts {
  readonly hits: number;
  readonly misses: number;
  readonly walkReads: number;
  readonly invalidations: number;
  readonly translation: number;
  readonly invalidation: number;
}

/** What the machine has counted until now, all that waited invalidated. */
function countsOf(kernel: SimulatedKernel): Counts {
  kernel.flushIotlb();
  const { tlbHits: hits, tlbMisses: misses, walkReads, translationTime: translation } = kernel.inspect.device(ADDRESS);
  const { invalidations, invalidationTime: invalidation } = kernel.inspect.statistics;
  return { hits, misses, walkReads, invalidations, translation, invalidation };
}

function outcomeOf({ transfers }: Load, { name: strategy }: Strategy, before: Counts, after: Counts, exposed: number): Outcome {
  const of = (count: keyof Counts) => after[count] - before[count];
  const each = (count: keyof Counts) => of(count) / transfers;
  return {
    strategy,
    hitRate: of("hits") / (of("hits") + of("misses")),
    walkReads: each("walkReads"),
    invalidations: each("invalidations"),
    translation: each("translation"),
    invalidation: each("invalidation"),
    exposed,
  };
}
