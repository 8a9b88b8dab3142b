/**
 * An IOAS through the typed API against a naive model: addresses, lengths and errors of map, unmap, copy and allow.
 */
import fc from "fast-check";
import { simulated, type SimulatedKernel } from "../../backends/simulated/mod.ts";
import { DeviceFd, type Ioas, IommuError, IommuFd } from "../../mod.ts";
import { equal } from "../check.ts";
import { Puppet } from "../rules/puppet.ts";
import { IoasModel, type Outcome, type Span } from "./ioas_model.ts";

const MEBIBYTE = 2 ** 20;
/** Memory of the process that mappings are cut from; nobody looks at it before a device is attached. */
const MEMORY = 0x10_0000_0000n;

type Operation =
  | { readonly kind: "map"; readonly offset: bigint; readonly length: bigint; readonly write: boolean; readonly iova: bigint | undefined }
  | { readonly kind: "unmap"; readonly iova: bigint; readonly length: bigint }
  | { readonly kind: "unmapArea"; readonly pick: number; readonly more: bigint }
  | {
    readonly kind: "copy";
    readonly pick: number;
    readonly skip: bigint;
    readonly length: bigint;
    readonly write: boolean;
    readonly iova: bigint | undefined;
  }
  | { readonly kind: "allow"; readonly ranges: readonly Span[] }
  | { readonly kind: "unmapAll" };

function outcomeOf(run: () => bigint | void): Outcome {
  try {
    return run() ?? 0n;
  } catch (error) {
    if (error instanceof IommuError) return error.code;
    throw error;
  }
}

function maybe(value: bigint | undefined): { iova?: bigint } {
  return value === undefined ? {} : { iova: value };
}

/** Do one thing to both. The outcomes must be equal; so everything later starts from equal states. */
function apply(operation: Operation, ioas: Ioas, model: IoasModel): void {
  switch (operation.kind) {
    case "map": {
      const { offset, length, write, iova } = operation;
      const memory = { address: MEMORY + offset, length };
      const actual = outcomeOf(() => ioas.map(memory, { ...maybe(iova), read: true, write }));
      return equal(actual, model.map(memory.address, length, write, iova), "map");
    }
    case "unmap":
      return equal(outcomeOf(() => ioas.unmap(operation.iova, operation.length)), model.unmap(operation.iova, operation.length), "unmap");
    case "unmapArea": {
      const area = model.areas[operation.pick % Math.max(model.areas.length, 1)];
      if (area === undefined) return;
      const length = area.last - area.start + 1n + operation.more;
      return equal(outcomeOf(() => ioas.unmap(area.start, length)), model.unmap(area.start, length), "unmap of an area");
    }
    case "copy":
      return applyCopy(operation, ioas, model);
    case "allow":
      return equal(outcomeOf(() => ioas.allow(operation.ranges)), model.allow(operation.ranges), "allow");
    case "unmapAll":
      return equal(ioas.unmapAll(), model.unmapAll(), "unmapAll");
  }
}

function applyCopy(operation: Operation & { kind: "copy" }, ioas: Ioas, model: IoasModel): void {
  const { pick, skip, length, write, iova } = operation;
  const sourceIova = BigInt.asUintN(64, (model.areas[pick % Math.max(model.areas.length, 1)]?.start ?? 0n) + skip);
  const pieces = [sourceIova, iova].includes(2n ** 64n - 1n) ? "EOVERFLOW" : model.pieces(sourceIova, length);
  const expected = typeof pieces === "string" ? pieces : model.mapPieces(pieces, length, write, iova);
  equal(outcomeOf(() => ioas.copy(ioas, { sourceIova, length, ...maybe(iova), read: true, write })), expected, "copy");
}

/** A number of units of `unit` bytes, with sometimes a few bytes more. */
function bytes(units: number, unit: bigint, odd: boolean): fc.Arbitrary<bigint> {
  const whole = fc.bigInt(0n, BigInt(units)).map((count) => count * unit);
  return odd ? fc.oneof({ weight: 4, arbitrary: whole }, { weight: 1, arbitrary: fc.bigInt(0n, BigInt(units) * unit) }) : whole;
}

/** Addresses in a small part of the space, so that mappings meet, and a few at its ends. */
function addresses(odd: boolean): fc.Arbitrary<bigint> {
  return fc.oneof(
    { weight: 8, arbitrary: bytes(96, 4096n, odd) },
    { weight: 1, arbitrary: bytes(4, 2n ** 21n, false) },
    { weight: 1, arbitrary: fc.bigInt(0n, 8191n).map((below) => 2n ** 64n - 1n - below) },
  );
}

function operations(odd: boolean): fc.Arbitrary<Operation[]> {
  const length = bytes(12, 4096n, odd).filter((value) => value > 0n);
  const iova = fc.option(addresses(odd), { nil: undefined, freq: 2 });
  const pick = fc.nat(63);
  const write = fc.boolean();
  const span = fc.tuple(addresses(odd), length).map(([start, size]): Span => ({ start, last: start + size - 1n })).filter(({ last }) =>
    last < 2n ** 64n
  );
  return fc.array(
    fc.oneof(
      { weight: 6, arbitrary: fc.record({ kind: fc.constant("map" as const), offset: bytes(1024, 4096n, odd), length, write, iova }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant("unmap" as const), iova: addresses(odd), length }) },
      { weight: 3, arbitrary: fc.record({ kind: fc.constant("unmapArea" as const), pick, more: bytes(2, 4096n, odd) }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant("copy" as const), pick, skip: bytes(3, 4096n, odd), length, write, iova }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("allow" as const), ranges: fc.array(span, { maxLength: 4 }) }) },
      { weight: 1, arbitrary: fc.constant({ kind: "unmapAll" as const }) },
    ),
    { minLength: 1, maxLength: 60, size: "max" },
  );
}

function machine(): Promise<SimulatedKernel> {
  return simulated({ memory: 8 * MEBIBYTE, kernelMemory: 2 * MEBIBYTE, pci: [{ slot: "04.0", model: () => new Puppet() }] }, {
    checks: true,
  });
}

Deno.test("an IOAS without devices maps, unmaps, copies and places as the model does, byte by byte", async () => {
  using kernel = await machine();
  using iommu = IommuFd.open(kernel);
  fc.assert(
    fc.property(operations(true), (list) => {
      using ioas = iommu.createIoas();
      const model = new IoasModel();
      for (const operation of list) apply(operation, ioas, model);
    }),
    { numRuns: 300 },
  );
  equal(kernel.inspect.check(), []);
});

Deno.test("an IOAS with an attached device does, in whole pages and around what is reserved", async () => {
  using kernel = await machine();
  using iommu = IommuFd.open(kernel);
  using device = DeviceFd.open(kernel, "00:04.0").bind(iommu);
  // All memory that the operations map has to be there now.
  const length = 8 * MEBIBYTE / 4;
  equal(kernel.mmap(MEMORY, length, 3, 0x100022, -1, 0), MEMORY);
  fc.assert(
    fc.property(operations(false), (list) => {
      using ioas = iommu.createIoas();
      device.attach(ioas);
      const model = new IoasModel();
      model.alignment = 4096n;
      model.reserved = [{ start: 0xfee0_0000n, last: 0xfeef_ffffn }, { start: 2n ** 48n, last: 2n ** 64n - 1n }];
      for (const operation of list) if (isBacked(operation, BigInt(length))) apply(operation, ioas, model);
      device.detach();
    }),
    { numRuns: 300 },
  );
  equal(kernel.inspect.check(), []);
  equal(kernel.munmap(MEMORY, length), 0);
});

/** Whether the memory of a mapping is there. */
function isBacked(operation: Operation, length: bigint): boolean {
  return operation.kind !== "map" || operation.offset + operation.length <= length;
}
