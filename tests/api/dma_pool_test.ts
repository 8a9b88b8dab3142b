/**
 * Pools: pieces of one buffer that do not overlap, are aligned as asked for, and go to one owner at a time.
 */
import fc from "fast-check";
import { layoutOf } from "../../api/dma_pool.ts";
import { DmaPool, type DmaSlice, IommuFd } from "../../mod.ts";
import { check, equal } from "../check.ts";
import { attached, boot, failure, nameOf } from "./machine.ts";

const options = fc.record({
  size: fc.integer({ min: 1, max: 9000 }),
  count: fc.integer({ min: 1, max: 20 }),
  alignment: fc.integer({ min: 0, max: 16 }).map((lg2) => 2 ** lg2),
});

Deno.test("pieces are aligned, inside the buffer, and apart from each other", async () => {
  using machine = await boot();
  using iommu = IommuFd.open(machine.kernel);
  const ioas = iommu.createIoas();
  fc.assert(
    fc.property(options, fc.option(fc.bigInt({ min: 0n, max: 100n })), ({ size, count, alignment }, page) => {
      const layout = layoutOf({ size, count, alignment });
      // Where the kernel places a pool is aligned more often than not: also at pages of which it is not.
      using pool = page === null
        ? ioas.createDmaPool({ size, count, alignment })
        : new DmaPool(ioas.createDmaBuffer(layout.length, { iova: page * 4096n }), layout);
      equal([pool.size, pool.count, pool.available], [size, count, count]);
      const slices = Array.from({ length: count }, () => pool.take());
      slices.sort((a, b) => Number(a.iova - b.iova));
      slices.forEach((slice, at) => {
        const { iova, bytes, view } = slice;
        equal([iova % BigInt(alignment), bytes.length, view.byteLength, view.byteOffset], [0n, size, size, bytes.byteOffset]);
        check(pool.buffer.iova <= iova && iova + BigInt(size) <= pool.buffer.iova + BigInt(pool.buffer.length), "inside the buffer");
        equal(ioas.iovaOf(bytes), iova, "the address leads to these bytes");
        if (at > 0) check(slices[at - 1]!.iova + BigInt(size) <= iova, "apart");
      });
    }),
  );
});

Deno.test("what a device writes through a piece is in its bytes", async () => {
  using machine = await boot();
  using world = attached(machine.kernel);
  using pool = world.ioas.createDmaPool({ size: 48, count: 3 });
  using _first = pool.take();
  using second = pool.take();
  equal(second.iova % 64n, 0n, "by default no two share a cache line");
  equal(machine.puppets[0].writes(second.iova, Uint8Array.of(5, 6)), "OK");
  equal([second.bytes[0], second.view.getUint16(0, true)], [5, 0x605]);
});

Deno.test("a pool gives each piece to one owner at a time, whatever order and how often pieces are given back", async () => {
  using machine = await boot();
  using iommu = IommuFd.open(machine.kernel);
  const ioas = iommu.createIoas();
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat()), { maxLength: 80, size: "max" }), (steps) => {
      const count = 5;
      using pool = ioas.createDmaPool({ size: 100, count });
      const ever: DmaSlice[] = [];
      const taken = new Map<DmaSlice, bigint>();
      for (const [isTaken, index] of steps) {
        if (!isTaken) {
          // Any that was ever taken, also one that was given back before and has another owner now.
          const slice = ever[index % Math.max(ever.length, 1)];
          slice?.[Symbol.dispose]();
          if (slice !== undefined) taken.delete(slice);
        } else if (taken.size === count) {
          const error = failure(() => pool.take(), "ENOMEM");
          equal(error.values, { size: 100, count });
          equal(error.advice, "Dispose pieces that are no longer needed, or make a larger pool.");
        } else {
          const slice = pool.take();
          check(![...taken.values()].includes(slice.iova), "nobody has it");
          taken.set(slice, slice.iova);
          ever.push(slice);
        }
        equal(pool.available, count - taken.size);
      }
    }),
  );
});

Deno.test("a pool that is gone gives nothing, and its pieces can still be given back", async () => {
  using machine = await boot();
  using iommu = IommuFd.open(machine.kernel);
  const pool = iommu.createIoas().createDmaPool({ size: 8, count: 2 });
  const slice = pool.take();
  pool[Symbol.dispose]();
  pool[Symbol.dispose]();
  slice[Symbol.dispose]();
  equal([pool.available, pool.buffer.isLive, failure(() => pool.take(), "EBADF").values], [0, false, { handle: "DmaPool" }]);
});

Deno.test("options of a pool that cannot be are refused before anything is made", async () => {
  using machine = await boot();
  using iommu = IommuFd.open(machine.kernel);
  const ioas = iommu.createIoas();
  const wrong: Record<string, unknown>[] = [
    { size: 0, count: 1 },
    { size: 1.5, count: 1 },
    { size: 1, count: 0 },
    { size: 1, count: -1 },
    { size: 1, count: 1, alignment: 3 },
    { size: 1, count: 1, alignment: 0 },
    { size: 1, count: 1, alignment: 2 ** 31 },
    { size: 2 ** 50, count: 2 ** 50 },
  ];
  for (const options of wrong) equal(nameOf(() => ioas.createDmaPool(options as never)), "RangeError", JSON.stringify(options));
  equal(nameOf(() => ioas.createDmaPool({ size: "8", count: 1 } as never)), "TypeError");
  equal(failure(() => ioas.createDmaPool({ size: 4096, count: 2 ** 20 }), "ENOMEM").operation, "mmap");
});
