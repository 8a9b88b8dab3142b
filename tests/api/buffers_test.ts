/**
 * DMA buffers: what the program writes is what devices read, and addresses lead to buffers and back as a naive list says.
 */
import fc from "fast-check";
import { type DmaBuffer, IommuFd } from "../../mod.ts";
import { check, equal } from "../check.ts";
import { attached, boot, failure, nameOf } from "./machine.ts";

const TOP = 2n ** 64n;

Deno.test("bytes, view and the device's DMA show the same memory", async () => {
  using machine = await boot();
  const { kernel, puppets: [puppet] } = machine;
  using world = attached(kernel);
  using buffer = world.ioas.createDmaBuffer(5000);
  equal([buffer.length, buffer.bytes.length, buffer.view.byteLength, buffer.isLive], [5000, 5000, 5000, true]);
  equal(buffer.bytes, new Uint8Array(5000), "zeros");
  buffer.view.setUint32(4996, 0x11223344, true);
  equal(puppet.reads(buffer.iova + 4996n, 4), Uint8Array.of(0x44, 0x33, 0x22, 0x11));
  equal(puppet.writes(buffer.iova + 4094n, Uint8Array.of(1, 2, 3, 4)), "OK");
  equal(buffer.bytes.slice(4094, 4098), Uint8Array.of(1, 2, 3, 4));
  equal(kernel.view(buffer.address, 5000), buffer.bytes);
  equal(buffer.iova % 4096n, 0n);
  equal([buffer.contains(buffer.iova - 1n), buffer.contains(buffer.iova)], [false, true]);
  equal([buffer.contains(buffer.iova + 4999n), buffer.contains(buffer.iova + 5000n)], [true, false]);
});

Deno.test("access that a buffer does not give is refused to the device", async () => {
  using machine = await boot();
  const { kernel, puppets: [puppet] } = machine;
  using world = attached(kernel);
  using readOnly = world.ioas.createDmaBuffer(4096, { write: false });
  using writeOnly = world.ioas.createDmaBuffer(4096, { read: false, iova: 0x1000_0000n });
  equal([puppet.writes(readOnly.iova, Uint8Array.of(1)), puppet.readsNothing(readOnly.iova, 1)], ["no-write", false]);
  equal([puppet.writes(writeOnly.iova, Uint8Array.of(1)), puppet.readsNothing(writeOnly.iova, 1)], ["OK", true]);
  equal([readOnly.bytes[0], writeOnly.bytes[0], writeOnly.iova], [0, 1, 0x1000_0000n]);
  const neither = failure(() => world.ioas.createDmaBuffer(4096, { read: false, write: false }), "EINVAL");
  equal(neither.operation, "IOAS_MAP");
});

Deno.test("a buffer that is disposed is out of the device's reach, and its memory is zeroed for the next", async () => {
  using machine = await boot();
  const { kernel, puppets: [puppet] } = machine;
  using world = attached(kernel);
  const buffer = world.ioas.createDmaBuffer(4096, { iova: 0x5000n });
  buffer.bytes.fill(7);
  buffer[Symbol.dispose]();
  equal([puppet.reads(0x5000n, 1), buffer.isLive], ["not-present", false]);
  for (let round = 0; round < 3; round++) {
    using next = world.ioas.createDmaBuffer(4096, { iova: 0x5000n });
    equal(next.bytes, new Uint8Array(4096));
    next.bytes.fill(9);
  }
});

Deno.test("where the kernel refuses to unmap half-way, buffers that it has unmapped are disposed, and the others live", async () => {
  using machine = await boot();
  using world = attached(machine.kernel);
  const { ioas } = world;
  const [low, high] = [ioas.createDmaBuffer(4096, { iova: 0x1000n }), ioas.createDmaBuffer(4096, { iova: 0x9000n })];
  using source = ioas.createDmaBuffer(8192, { iova: 0x20000n });
  ioas.map(source, { iova: 0x4000n });
  equal(failure(() => ioas.unmap(0x1000n, 0x4000n), "ENOENT").operation, "IOAS_UNMAP");
  equal([low.isLive, high.isLive, ioas.bufferAt(0x1000n), ioas.bufferAt(0x9000n) === high], [false, true, undefined, true]);
  equal([machine.puppets[0].reads(0x1000n, 1), machine.puppets[0].reads(0x9000n, 1)], ["not-present", Uint8Array.of(0)]);
  // The start is cut, and the kernel looks at that first.
  equal(failure(() => ioas.unmap(0x5000n, 0x5000n), "ENOENT").operation, "IOAS_UNMAP");
  equal([high.isLive, machine.puppets[0].reads(0x9000n, 1)], [true, Uint8Array.of(0)]);
});

interface Plan {
  readonly iova: bigint;
  readonly length: number;
}

/** Addresses close to each other, at the very bottom, and at the very top. */
const page = fc.oneof(fc.bigInt({ min: 0n, max: 24n }), fc.bigInt({ min: TOP / 4096n - 24n, max: TOP / 4096n - 1n }));
const plan: fc.Arbitrary<Plan> = fc.record({ iova: page.map((page) => page * 4096n), length: fc.integer({ min: 1, max: 3 * 4096 }) });
type Step = readonly ["make", Plan] | readonly ["dispose", number] | readonly ["unmap", Plan];
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: plan.map((plan) => ["make", plan] as const) },
    { weight: 2, arbitrary: fc.nat(20).map((index) => ["dispose", index] as const) },
    { weight: 1, arbitrary: plan.map((plan) => ["unmap", plan] as const) },
  ),
  { minLength: 5, maxLength: 40, size: "max" },
);

const pages = (length: number) => BigInt(Math.ceil(length / 4096)) * 4096n;

/** The live buffers, in a list that is looked through. */
class Naive {
  buffers: DmaBuffer[] = [];

  meets({ iova, length }: Plan): DmaBuffer[] {
    return this.buffers.filter((buffer) => buffer.iova < iova + pages(length) && iova < buffer.iova + pages(buffer.length));
  }

  at(iova: bigint): DmaBuffer | undefined {
    return this.buffers.find((buffer) => buffer.iova <= iova && iova < buffer.iova + BigInt(buffer.length));
  }
}

function applyStep(ioas: ReturnType<IommuFd["createIoas"]>, naive: Naive, [kind, what]: Step): void {
  if (kind === "make") {
    const [isFree, fits] = [naive.meets(what).length === 0, what.iova + pages(what.length) <= TOP];
    if (isFree && fits) return void naive.buffers.push(ioas.createDmaBuffer(what.length, { iova: what.iova }));
    return void failure(() => ioas.createDmaBuffer(what.length, { iova: what.iova }), fits ? "EEXIST" : "EOVERFLOW");
  }
  if (kind === "dispose") {
    const [gone] = naive.buffers.splice(what % Math.max(naive.buffers.length, 1), 1);
    return gone?.[Symbol.dispose]();
  }
  const met = naive.meets(what);
  if (what.iova + pages(what.length) > TOP || met.length === 0) return;
  const whole = met.every(({ iova, length }) => what.iova <= iova && iova + pages(length) <= what.iova + pages(what.length));
  if (!whole) {
    failure(() => ioas.unmap(what.iova, pages(what.length)), "ENOENT");
    return check(met.every(({ isLive }) => isLive), "buffers that are cut, and those beside them, live");
  }
  equal(ioas.unmap(what.iova, pages(what.length)), met.reduce((sum, { length }) => sum + pages(length), 0n));
  naive.buffers = naive.buffers.filter((buffer) => !met.includes(buffer));
  check(met.every(({ isLive }) => !isLive), "buffers in the range are disposed");
}

Deno.test("addresses and memory lead to buffers as in a list, up to the last address of 64 bits", async () => {
  using machine = await boot();
  using iommu = IommuFd.open(machine.kernel);
  fc.assert(
    fc.property(steps, fc.array(page, { maxLength: 6 }), fc.nat(4095), (steps, probes, offset) => {
      using ioas = iommu.createIoas();
      const naive = new Naive();
      for (const step of steps) applyStep(ioas, naive, step);
      for (const probe of probes) {
        const iova = probe * 4096n + BigInt(offset);
        check(ioas.bufferAt(iova) === naive.at(iova), `the buffer at 0x${iova.toString(16)}`);
      }
      check(ioas.bufferAt(TOP - 1n) === naive.at(TOP - 1n), "the buffer at the last address");
      for (const buffer of naive.buffers) {
        const at = Math.min(offset, buffer.length - 1);
        check(ioas.bufferOf(buffer.bytes.subarray(at)) === buffer, "the buffer of a part of its bytes");
        equal(ioas.iovaOf(buffer.bytes.subarray(at)), buffer.iova + BigInt(at));
        check(ioas.bufferAt(buffer.iova + BigInt(at)) === buffer, "and back");
      }
    }),
    { numRuns: 300 },
  );
});

Deno.test("bytes that are no part of one buffer lead nowhere", async () => {
  using machine = await boot();
  using iommu = IommuFd.open(machine.kernel);
  const [ioas, other] = [iommu.createIoas(), iommu.createIoas()];
  using first = ioas.createDmaBuffer(4096);
  using second = ioas.createDmaBuffer(100);
  const { buffer: memory } = first.bytes;
  equal(ioas.iovaOf(new Uint8Array(8)), undefined);
  equal(ioas.bufferOf(new Uint8Array(memory, first.bytes.byteOffset, 4097)), undefined, "more than the buffer");
  equal(ioas.bufferOf(new Uint8Array(memory, second.bytes.byteOffset + 100, 1)), undefined, "the rest of its page is not the buffer's");
  equal(ioas.bufferOf(new Uint8Array(memory, Math.min(first.bytes.byteOffset, second.bytes.byteOffset) - 1, 1)), undefined);
  equal(other.bufferOf(first.bytes), undefined, "each address space has its own");
  equal([ioas.bufferAt(TOP - 1n), nameOf(() => ioas.bufferAt(TOP)), nameOf(() => ioas.bufferAt(-1n))], [
    undefined,
    "RangeError",
    "RangeError",
  ]);
});
