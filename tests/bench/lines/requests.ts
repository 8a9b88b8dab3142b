/**
 * IOAS_MAP and IOAS_UNMAP through the whole stack: requests whose bytes are there already, and the typed API.
 *
 * @module
 */
import * as uapi from "../../../uapi/codec.ts";
import { sequenceOf } from "../../vm/bench/workload.ts";
import { atMost, type Figure, type Goal, type Line } from "../line.ts";
import { memoryOf, type Setup, setUp } from "../machine.ts";
import { each, median } from "../measure.ts";

const PAGE = 4096n;
const MANY = 100_000;
const IOVA = 0x4000_0000n;
const FLAGS = uapi.IOAS_MAP_READABLE | uapi.IOAS_MAP_WRITEABLE;

/** Requests made again and again, of which the I/O address alone changes. */
interface Requests {
  /** @returns where it was mapped. */
  map(iova: bigint): bigint;
  unmap(iova: bigint): void;
}

function requests({ kernel, iommu, ioas }: Setup, memory: { readonly address: bigint; readonly length: number }, fixed: boolean): Requests {
  const [map, unmap] = [kernel.block(uapi.IoasMapSize), kernel.block(uapi.IoasUnmapSize)];
  const length = BigInt(memory.length);
  const flags = FLAGS | (fixed ? uapi.IOAS_MAP_FIXED_IOVA : 0);
  uapi.putIoasMap(map.view, 0, { flags, ioasId: ioas.id, userVa: memory.address, length, iova: 0n });
  uapi.putIoasUnmap(unmap.view, 0, { ioasId: ioas.id, iova: 0n, length });
  const iovaOf = { map: uapi.IoasMapSize - 8, unmap: 8 };
  const { fd } = iommu;
  return {
    map(iova) {
      map.view.setBigUint64(iovaOf.map, iova, true);
      if (kernel.ioctl(fd, uapi.IOAS_MAP, map) < 0) throw new Error("IOAS_MAP failed");
      return map.view.getBigUint64(iovaOf.map, true);
    },
    unmap(iova) {
      unmap.view.setBigUint64(iovaOf.unmap, iova, true);
      unmap.view.setBigUint64(iovaOf.unmap + 8, length, true);
      if (kernel.ioctl(fd, uapi.IOAS_UNMAP, unmap) < 0) throw new Error("IOAS_UNMAP failed");
    },
  };
}

/** An IOAS with a page in every other place, and no device. */
async function crowded(): Promise<Setup> {
  const setup = await setUp({ attached: false, kernelMemory: 64 });
  const { map } = requests(setup, memoryOf(setup.kernel, 4096), true);
  for (let index = 0; index < MANY; index++) map(PAGE * BigInt(1 + 2 * index));
  return setup;
}

async function between(): Promise<Figure> {
  const setup = await crowded();
  const { map, unmap } = requests(setup, memoryOf(setup.kernel, 4096), true);
  const next = sequenceOf("random", 1, MANY - 1);
  const iovas = Array.from({ length: 2 ** 14 }, () => PAGE * BigInt(2 * next() + 2));
  let index = 0;
  return {
    value: await each(1_000, () => {
      const iova = iovas[index = (index + 1) % iovas.length]!;
      map(iova);
      unmap(iova);
    }),
  };
}

async function automatic(): Promise<Figure> {
  const setup = await crowded();
  const { map, unmap } = requests(setup, memoryOf(setup.kernel, 8192), false);
  const iovas: bigint[] = [];
  const value = await median(500, () => {
    const start = performance.now();
    for (let index = 0; index < 500; index++) iovas.push(map(0n));
    const taken = performance.now() - start;
    for (const iova of iovas.splice(0)) unmap(iova);
    return taken;
  });
  return { value };
}

const PAGES_OF = { "4 KiB": 1, "2 MiB": 512, "256 MiB": 65_536 };

/** Through the typed API, with a device attached; the peer is the same by raw requests. */
async function typed(size: keyof typeof PAGES_OF): Promise<Figure> {
  const setup = await setUp({ memory: 640, kernelMemory: 16 });
  const { kernel, ioas } = setup;
  const length = PAGES_OF[size] * 4096;
  // A neighbour that stays, so that the tables on the way are not made and freed each time: behind it, since other tables lead to what is below.
  ioas.map(memoryOf(kernel, 4096), { iova: IOVA + BigInt(length) });
  const memory = memoryOf(kernel, length);
  const [options, bytes] = [{ iova: IOVA }, BigInt(length)];
  const raw = requests(setup, memory, true);
  const calls = Math.max(1, Math.round(500 / Math.sqrt(PAGES_OF[size])));
  const peer = await each(calls, () => {
    raw.map(IOVA);
    raw.unmap(IOVA);
  });
  const value = await each(calls, () => {
    ioas.map(memory, options);
    ioas.unmap(IOVA, bytes);
  });
  return { value, peers: { "raw requests": peer } };
}

function typedLine(size: keyof typeof PAGES_OF, linux: number, goal: Goal): Line {
  return { name: `IOAS map + unmap ${size}, VT-d domain`, unit: "ns", linux, goal, measure: () => typed(size) };
}

/** The same without a device, so that nothing is pinned or written to tables. */
async function detached(): Promise<Figure> {
  const setup = await setUp({ attached: false });
  const { kernel, ioas } = setup;
  const memory = memoryOf(kernel, 4096);
  const raw = requests(setup, memory, true);
  const options = { iova: IOVA };
  const peer = await each(500, () => {
    raw.map(IOVA);
    raw.unmap(IOVA);
  });
  const value = await each(500, () => {
    ioas.map(memory, options);
    ioas.unmap(IOVA, PAGE);
  });
  return { value, peers: { "raw requests": peer } };
}

/** The lines. */
export const REQUESTS: readonly Line[] = [
  { name: "IOAS map, automatic IOVA, 100,000 areas", unit: "ns", linux: 1.4e6, goal: atMost(1_000, "1 µs"), measure: automatic },
  { name: "IOAS map + unmap 4 KiB between neighbours, 100,000 live", unit: "ns", linux: 620, goal: atMost(500), measure: between },
  { name: "IOAS map + unmap 4 KiB, no domain", unit: "ns", linux: 126 + 380, nativeParts: 0, measure: detached },
  typedLine("4 KiB", 720 + 380, atMost(600)),
  typedLine("2 MiB", 21e3, atMost(3e3, "3 µs")),
  typedLine("256 MiB", 2.65e6, atMost(0.4e6, "0.4 ms")),
];
