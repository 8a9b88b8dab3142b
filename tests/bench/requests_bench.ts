/**
 * Map and unmap through the whole stack. The peer of the typed call is the raw request with an argument that is written once: the difference is
 * what the types cost. The figures of native Linux for the same work are in docs/performance.md.
 *
 * @module
 */
import * as uapi from "../../uapi/codec.ts";
import { memoryOf, type Setup, setUp } from "./machine.ts";

const KIB = 2 ** 10;
const MIB = 2 ** 20;
const IOVA = 0x4000_0000n;

const detached = await setUp({ attached: false, memory: 1280, kernelMemory: 16 });
const attached = await setUp({ memory: 1280, kernelMemory: 16 });
// A neighbour that stays, so that the tables on the way are not made and freed each time.
for (const { kernel, ioas } of [detached, attached]) ioas.map(memoryOf(kernel, 4 * KIB), { iova: IOVA - 4096n });

/** Map and unmap by requests whose bytes are there already. */
function rawPair({ kernel, iommu, ioas }: Setup, address: bigint, length: bigint): () => void {
  const map = kernel.block(uapi.IoasMapSize);
  const unmap = kernel.block(uapi.IoasUnmapSize);
  const flags = uapi.IOAS_MAP_FIXED_IOVA | uapi.IOAS_MAP_READABLE | uapi.IOAS_MAP_WRITEABLE;
  uapi.putIoasMap(map.view, 0, { flags, ioasId: ioas.id, userVa: address, length, iova: IOVA });
  uapi.putIoasUnmap(unmap.view, 0, { ioasId: ioas.id, iova: IOVA, length });
  const { fd } = iommu;
  return () => {
    if (kernel.ioctl(fd, uapi.IOAS_MAP, map) < 0 || kernel.ioctl(fd, uapi.IOAS_UNMAP, unmap) < 0) throw new Error("A request failed");
  };
}

for (const [name, setup] of [["no page table", detached], ["VT-d page table", attached]] as const) {
  const group = `map+unmap 4 KiB, ${name}`;
  const page = memoryOf(setup.kernel, 4 * KIB);
  Deno.bench("raw ioctl", { group, baseline: true }, rawPair(setup, page.address, 4096n));
  Deno.bench("typed", { group }, () => {
    setup.ioas.map(page, { iova: IOVA });
    setup.ioas.unmap(IOVA, 4096n);
  });
  Deno.bench("typed, automatic IOVA", { group }, () => {
    setup.ioas.unmap(setup.ioas.map(page), 4096n);
  });
}

{
  const { kernel, ioas } = attached;
  const group = "map+unmap with a VT-d page table";
  const large = memoryOf(kernel, 2 * MIB);
  const huge = memoryOf(kernel, 1024 * MIB);
  // An address that is a multiple of 4 KiB alone keeps larger pages out.
  Deno.bench("2 MiB as 4 KiB pages", { group, baseline: true }, () => {
    ioas.map(large, { iova: IOVA + 4096n });
    ioas.unmap(IOVA + 4096n, BigInt(2 * MIB));
  });
  Deno.bench("2 MiB", { group }, () => {
    ioas.map(large, { iova: IOVA });
    ioas.unmap(IOVA, BigInt(2 * MIB));
  });
  Deno.bench("1 GiB", { group }, () => {
    ioas.map(huge, { iova: IOVA });
    ioas.unmap(IOVA, BigInt(1024 * MIB));
  });
}

{
  // Areas with gaps between them, none of which is large enough: Linux looks at each.
  const crowded = await setUp({ attached: false, kernelMemory: 64 });
  const page = memoryOf(crowded.kernel, 4 * KIB);
  for (let index = 0n; index < 100_000n; index++) crowded.ioas.map(page, { iova: 0x10_0000n + index * 8192n });
  const two = memoryOf(crowded.kernel, 8 * KIB);
  const empty = await setUp({ attached: false });
  const twoThere = memoryOf(empty.kernel, 8 * KIB);
  const group = "map+unmap 8 KiB at an automatic IOVA";
  Deno.bench("1 area live", { group, baseline: true }, () => {
    empty.ioas.unmap(empty.ioas.map(twoThere), 8192n);
  });
  Deno.bench("100,000 areas live, fragmented", { group }, () => {
    crowded.ioas.unmap(crowded.ioas.map(two), 8192n);
  });
}
