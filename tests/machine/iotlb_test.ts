/**
 * The IOTLB of a machine as its settings have it, by what is counted of a device's transfers.
 */
import { DeviceFd, IommuFd, simulated } from "../../mod.ts";
import type { IommuDescription, IotlbOptions } from "../../backends/simulated/mod.ts";
import { check, equal, thrown } from "../check.ts";
import { readSettings } from "../../backends/simulated/machine.ts";
import { Puppet } from "../rules/puppet.ts";
import { allowDma } from "../rules/world.ts";

const ADDRESS = "0000:00:04.0";
const PAGE = 4096;
const LARGE = 2 ** 21;

async function setUp(iommu: IommuDescription, seed = 1) {
  const puppet = new Puppet();
  const kernel = await simulated({ pci: [{ slot: "04.0", model: puppet }], iommu, seed }, { checks: true });
  const iommufd = IommuFd.open(kernel);
  const ioas = iommufd.createIoas();
  const device = DeviceFd.open(kernel, ADDRESS).bind(iommufd);
  allowDma(device);
  device.attach(ioas);
  const local = puppet.bus.allocate(8);
  return {
    ioas,
    kernel,
    /** Pages that are no neighbours in memory, each at 2 MiB from the last. */
    map: (count: number) => {
      const buffer = ioas.createDmaBuffer(PAGE);
      return Array.from({ length: count }, (_, index) => {
        const iova = 0x4000_0000n + BigInt(index * LARGE);
        return ioas.map({ address: buffer.address, length: PAGE }, { iova });
      });
    },
    read: (iovas: readonly bigint[]) => iovas.forEach((iova) => puppet.bus.dma.read(iova, local)),
    counts: () => kernel.inspect.device(ADDRESS),
    check: () => equal(kernel.inspect.check(), []),
  };
}

const twice = <T>(list: readonly T[]) => [...list, ...list];

Deno.test("as many pages as there are entries are found again, and one more drives out others", async () => {
  for (const kind of ["vtd", "amdvi"] as const) {
    const { map, read, counts } = await setUp({ kind, iotlb: { entries: 8, ways: 8 } });
    const pages = map(9);
    read(twice(pages.slice(0, 8)));
    equal([counts().tlbHits, counts().tlbMisses, counts().evictions], [8, 8, 0]);
    // The one that was used longest ago goes each time, and is the one that is asked for next.
    read(twice(pages));
    equal([counts().tlbHits, counts().tlbMisses, counts().evictions], [16, 18, 10]);
  }
});

Deno.test("without entries every look-up is a walk, which cached tables make short", async () => {
  const none = await setUp({ kind: "vtd", iotlb: { entries: 0 } });
  none.read(twice(none.map(4)));
  equal([none.counts().tlbHits, none.counts().tlbMisses, none.counts().walkReads, none.counts().structureHits], [0, 8, 32, 0]);
  const tables = await setUp({ kind: "vtd", iotlb: { entries: 0, structures: 4 } });
  tables.read(twice(tables.map(4)));
  // From the top once; then from the third table for three pages, and from the last one for all four.
  equal([tables.counts().tlbMisses, tables.counts().walkReads, tables.counts().structureHits], [8, 4 + 3 * 2 + 4, 7]);
  tables.check();
});

Deno.test("what an unmap makes a device forget is counted, and the address is refused", async () => {
  const { ioas, map, read, counts, check } = await setUp({ kind: "vtd", iotlb: { structures: 4 } });
  const pages = map(3);
  read(pages);
  ioas.unmap(pages[1]!, PAGE);
  equal(counts().invalidated, 1);
  read([pages[1]!]);
  equal(counts().faults, 1);
  read([pages[0]!, pages[2]!]);
  equal([counts().tlbHits, counts().invalidated], [2, 1]);
  check();
});

Deno.test("random replacement goes by the machine's seed", async () => {
  const hits = async (seed: number) => {
    const { map, read, counts } = await setUp({ kind: "vtd", iotlb: { entries: 16, ways: 16, replacement: "random" } }, seed);
    const pages = map(20);
    for (let round = 0; round < 20; round++) read(pages);
    return counts().tlbHits;
  };
  const bySeed = await Promise.all([1, 1, 2, 3, 4, 5].map(hits));
  equal(bySeed[0], bySeed[1]);
  check(new Set(bySeed).size > 1, `all seeds have ${bySeed[0]} hits`);
  check(bySeed.every((count) => count > 0), "one that goes in turn would never hit");
});

const ODD: readonly (readonly [string, IotlbOptions])[] = [
  ["ways", { ways: 0 }],
  ["ways", { ways: 65 }],
  ["ways", { ways: 6, entries: 12, replacement: "tree-plru" }],
  ["entries", { entries: -1 }],
  ["entries", { entries: 12 }],
  ["entries", { entries: 2 }],
  ["entries", { entries: 131_072 }],
  ["structures", { structures: 3 }],
  ["structures", { structures: 131_072 }],
  ["replacement", { replacement: "oldest" as never }],
  ["size", { size: 4 } as never],
];

for (const [key, iotlb] of ODD) {
  Deno.test(`a machine with the IOTLB ${JSON.stringify(iotlb)} is refused for its ${key}`, () => {
    const error = thrown(() => readSettings({ pci: [], iommu: { kind: "vtd", iotlb } }));
    check(error instanceof RangeError && error.message.includes(`iommu.iotlb.${key}`), String(error));
  });
}

Deno.test("a machine whose kernel memory cannot hold its IOTLB does not start", async () => {
  const machine = { pci: [], kernelMemory: 2 ** 20, iommu: { kind: "vtd", iotlb: { entries: 65_536 } } } as const;
  const error = await simulated(machine).then(() => undefined, (error: unknown) => error);
  check(error instanceof RangeError && error.message.includes("IOTLB"), String(error));
});

Deno.test("with lazy invalidation a device goes by what is not mapped any more, until the batch is full", async () => {
  const { ioas, kernel, map, read, counts, check } = await setUp({
    kind: "vtd",
    invalidation: { kind: "lazy", batch: 3 },
    costs: { hit: 1, walkRead: 10, invalidation: 100 },
  });
  const pages = map(4);
  read(pages);
  pages.slice(0, 2).forEach((iova) => ioas.unmap(iova, PAGE));
  read(pages);
  const cost = { time: counts().translationTime, invalidation: kernel.inspect.statistics.invalidationTime };
  equal(cost, { time: 4 * 4 * 10 + 4, invalidation: 0 });
  equal([counts().tlbHits, counts().staleHits, counts().faults, kernel.inspect.statistics.waiting], [4, 2, 0, 2]);
  check();
  ioas.unmap(pages[2]!, PAGE);
  read(pages);
  equal([counts().staleHits, counts().faults, counts().invalidated], [2, 3, 4]);
  equal([kernel.inspect.statistics.waiting, kernel.inspect.statistics.invalidations], [0, 1]);
  equal(kernel.inspect.statistics.invalidationTime, 100);
  check();
});

Deno.test("addresses that wait are not mapped again before the caches are told", async () => {
  const { ioas, kernel, map, read, counts } = await setUp({ kind: "amdvi", invalidation: { kind: "lazy", batch: 100 } });
  const [iova] = map(1);
  read([iova!]);
  ioas.unmap(iova!, PAGE);
  equal(kernel.inspect.statistics.waiting, 1);
  map(1);
  equal([kernel.inspect.statistics.waiting, kernel.inspect.statistics.invalidations], [0, 1]);
  read([iova!]);
  equal([counts().staleHits, counts().tlbMisses], [0, 2]);
});

Deno.test("flushIotlb ends what waits", async () => {
  const { ioas, kernel, map, read, counts } = await setUp({ kind: "vtd", invalidation: { kind: "lazy", batch: 100 } });
  const [iova] = map(1);
  read([iova!]);
  ioas.unmap(iova!, PAGE);
  read([iova!]);
  kernel.flushIotlb();
  read([iova!]);
  equal([counts().staleHits, counts().faults, kernel.inspect.statistics.waiting], [1, 1, 0]);
});

const ODD_SETTINGS: readonly (readonly [string, object])[] = [
  ["invalidation", { invalidation: "late" }],
  ["invalidation.kind", { invalidation: { kind: "strict", batch: 1 } }],
  ["invalidation.batch", { invalidation: { kind: "lazy", batch: 0 } }],
  ["invalidation.batch", { invalidation: { kind: "lazy" } }],
  ["invalidation.size", { invalidation: { kind: "lazy", batch: 1, size: 1 } }],
  ["costs.hit", { costs: { hit: -1 } }],
  ["costs.walk", { costs: { walk: 1 } }],
];

for (const [key, settings] of ODD_SETTINGS) {
  Deno.test(`a machine with ${JSON.stringify(settings)} is refused for its ${key}`, () => {
    const error = thrown(() => readSettings({ pci: [], iommu: { kind: "vtd", ...settings } as IommuDescription }));
    check(error instanceof RangeError && error.message.includes(`iommu.${key}`), String(error));
  });
}
