/**
 * A wrong argument is a TypeError or RangeError before anything is asked of the kernel.
 */
import fc from "fast-check";
import { strace } from "../../backends/wrap/mod.ts";
import { DeviceFd, IommuFd, MemFd } from "../../mod.ts";
import { check, equal, thrown } from "../check.ts";
import { ADDRESSES, type Attached, attached, boot } from "./machine.ts";

/** Values that are no address of 64 bits. */
const NO_ADDRESS: readonly unknown[] = [-1n, 2n ** 64n, -(2n ** 70n), 0, 4096, NaN, "0", null, true, {}, [0n], Symbol("0")];
/** Values that are no whole number of 0 or more. */
const NO_COUNT: readonly unknown[] = [-1, 0.5, NaN, Infinity, -Infinity, 2 ** 53, "1", null, true, {}, [1]];

type Use = (world: Attached, value: never) => unknown;

const ADDRESSES_OF: Record<string, Use> = {
  "map: address": ({ ioas }, address) => ioas.map({ address, length: 4096 }),
  "map: iova": ({ ioas }, iova) => ioas.map({ address: 0n, length: 4096 }, { iova }),
  "unmap: iova": ({ ioas }, iova) => ioas.unmap(iova, 4096n),
  "copy: sourceIova": ({ ioas }, sourceIova) => ioas.copy(ioas, { sourceIova, length: 4096 }),
  "copy: iova": ({ ioas }, iova) => ioas.copy(ioas, { sourceIova: 0n, length: 4096, iova }),
  "allow: start": ({ ioas }, start) => ioas.allow([{ start: 0n, last: 1n }, { start, last: 2n }]),
  "allow: last": ({ ioas }, last) => ioas.allow([{ start: 0n, last }]),
  "createDmaBuffer: iova": ({ ioas }, iova) => ioas.createDmaBuffer(4096, { iova }),
  "bufferAt": ({ ioas }, iova) => ioas.bufferAt(iova),
};

const COUNTS_OF: Record<string, Use> = {
  "destroy": ({ iommu }, id) => iommu.destroy(id),
  "map: length": ({ ioas }, length) => ioas.map({ address: 0n, length }),
  "unmap: length": ({ ioas }, length) => ioas.unmap(0n, length),
  "copy: length": ({ ioas }, length) => ioas.copy(ioas, { sourceIova: 0n, length }),
  "createDmaBuffer: length": ({ ioas }, length) => ioas.createDmaBuffer(length),
  "createDmaPool: size": ({ ioas }, size) => ioas.createDmaPool({ size, count: 1 }),
  "createDmaPool: count": ({ ioas }, count) => ioas.createDmaPool({ size: 1, count }),
  "createDmaPool: alignment": ({ ioas }, alignment) => ioas.createDmaPool({ size: 1, count: 1, alignment }),
  "region": ({ device }, index) => device.region(index),
  "bar": ({ device }, index) => device.bar(index),
};

/** Run with what the world's kernel is asked meanwhile. */
async function quiet(test: (world: Attached, calls: string[]) => void): Promise<void> {
  using machine = await boot();
  const calls: string[] = [];
  using world = attached(strace(machine.kernel, (line) => void calls.push(line)));
  calls.length = 0;
  test(world, calls);
}

function checkRefused(name: string, value: unknown, run: () => unknown): void {
  const error = thrown(run, `${name} takes ${String(value)}`);
  check(error instanceof TypeError || error instanceof RangeError, `${name} of ${String(value)} threw ${error}`);
  const isOfType = typeof value === "bigint" || typeof value === "number";
  if (!isOfType) check(error instanceof TypeError, `${name} of ${String(value)} threw ${error}`);
  check(/^Cannot /.test(error.message), `${name}: ${error.message}`);
}

for (const [name, use] of Object.entries(ADDRESSES_OF)) {
  Deno.test(`${name}: what is no address is refused before anything is asked of the kernel`, () =>
    quiet((world, calls) => {
      for (const value of NO_ADDRESS) checkRefused(name, value, () => use(world, value as never));
      equal(calls, []);
    }));
}

for (const [name, use] of Object.entries(COUNTS_OF)) {
  Deno.test(`${name}: what is no whole number is refused before anything is asked of the kernel`, () =>
    quiet((world, calls) => {
      for (const value of NO_COUNT) checkRefused(name, value, () => use(world, value as never));
      equal(calls, []);
    }));
}

Deno.test("a label that is no bigint of 64 bits is refused, and the device can still be bound", async () => {
  using machine = await boot();
  using iommu = IommuFd.open(machine.kernel);
  using device = DeviceFd.open(machine.kernel, ADDRESSES[0]);
  for (const value of NO_ADDRESS) checkRefused("label", value, () => device.bind(iommu, { label: value as never }));
  equal(device.bind(iommu, { label: 2n ** 64n - 1n }).label, 2n ** 64n - 1n);
});

Deno.test("buffers lie at whole pages, and lengths are any up to the memory", async () => {
  using machine = await boot();
  using iommu = IommuFd.open(machine.kernel);
  const ioas = iommu.createIoas();
  for (const iova of [1n, 2048n, 4095n, 2n ** 64n - 1n]) {
    checkRefused("iova", iova, () => ioas.createDmaBuffer(1, { iova }));
  }
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20000 }), fc.bigInt({ min: 0n, max: 2n ** 52n - 5n }), (length, page) => {
      using buffer = ioas.createDmaBuffer(length, { iova: page * 4096n });
      equal([buffer.length, buffer.iova], [length, page * 4096n]);
    }),
  );
  using file = MemFd.create(machine.kernel, "file", 1);
  equal(file.bytes.length, 1);
});
