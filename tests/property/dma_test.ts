/**
 * DMA through the typed API against memory as an array and IOASes as tables of pages: what moves, what faults, and what is counted.
 */
import fc from "fast-check";
import { type Machine, simulated } from "../../backends/simulated/mod.ts";
import { type BoundDevice, DeviceFd, type DmaFault, type Ioas, IommuFd } from "../../mod.ts";
import { equal } from "../check.ts";
import { Puppet, UNTOUCHED } from "../rules/puppet.ts";
import { allowDma } from "../rules/world.ts";

const MEBIBYTE = 2 ** 20;
const PAGE = 4096;
const PAGE64 = 4096n;
/** Pages of memory, and pages of each IOAS that are used. */
const PAGES = 16;
const SPACES = 2;

/** What one page of an IOAS is: a page of memory, and what devices may do. */
interface Entry {
  readonly page: number;
  readonly read: boolean;
  readonly write: boolean;
}

type Operation =
  | {
    readonly kind: "map";
    readonly space: number;
    readonly at: number;
    readonly page: number;
    readonly count: number;
    readonly access: number;
  }
  | { readonly kind: "unmap"; readonly space: number; readonly at: number }
  | {
    readonly kind: "copy";
    readonly space: number;
    readonly to: number;
    readonly from: number;
    readonly at: number;
    readonly access: number;
  }
  | { readonly kind: "attach"; readonly space: number }
  | { readonly kind: "detach" }
  | { readonly kind: "dma"; readonly write: boolean; readonly iova: number; readonly length: number; readonly value: number };

/** Areas of one IOAS in the model: where they begin, in pages, and their pages. */
type SpaceModel = Map<number, Entry[]>;

class Model {
  readonly memory = new Uint8Array(PAGES * PAGE);
  readonly spaces: SpaceModel[] = Array.from({ length: SPACES }, () => new Map());
  attached: number | undefined;
  faults = 0;
  readonly #writersRead: boolean;

  /** @param writersRead whether devices can read what they may write. */
  constructor(writersRead: boolean) {
    this.#writersRead = writersRead;
  }

  /** The page at an address, if anything is mapped there. */
  entry(space: number, at: number): Entry | undefined {
    for (const [start, entries] of this.spaces[space]!) if (start <= at && at < start + entries.length) return entries[at - start];
    return undefined;
  }

  /** Whether pages from `at` on are free. */
  isFree(space: number, at: number, count: number): boolean {
    return Array.from({ length: count }, (_, index) => this.entry(space, at + index)).every((entry) => entry === undefined);
  }

  /** A transfer, page by page up to the first that refuses. */
  dma(write: boolean, iova: number, buffer: Uint8Array): DmaFault | undefined {
    for (let done = 0; done < buffer.length;) {
      const fault = this.#step(write, iova, buffer, done);
      if (typeof fault === "string") {
        this.faults++;
        return fault;
      }
      done += fault;
    }
    return undefined;
  }

  /** One page's part of a transfer: its bytes, or why it is refused. */
  #step(write: boolean, iova: number, buffer: Uint8Array, done: number): DmaFault | number {
    if (this.attached === undefined) return "blocked";
    const at = iova + done;
    const entry = this.entry(this.attached, Math.floor(at / PAGE));
    if (entry === undefined) return "not-present";
    if (write && !entry.write) return "no-write";
    if (!write && !entry.read && !(this.#writersRead && entry.write)) return "no-read";
    const length = Math.min(PAGE - at % PAGE, buffer.length - done);
    const from = entry.page * PAGE + at % PAGE;
    if (write) this.memory.set(buffer.subarray(done, done + length), from);
    else buffer.set(this.memory.subarray(from, from + length), done);
    return length;
  }
}

const access = fc.integer({ min: 1, max: 3 });
const space = fc.nat(SPACES - 1);
const page = fc.nat(PAGES - 1);
const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("map" as const), space, at: page, page, count: fc.integer({ min: 1, max: 4 }), access }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("unmap" as const), space, at: page }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("copy" as const), space, to: space, from: page, at: page, access }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("attach" as const), space }) },
  { weight: 1, arbitrary: fc.constant({ kind: "detach" as const }) },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("dma" as const),
      write: fc.boolean(),
      iova: fc.nat((PAGES + 2) * PAGE),
      length: fc.oneof(fc.integer({ min: 1, max: 64 }), fc.integer({ min: 1, max: 3 * PAGE })),
      value: fc.nat(255),
    }),
  },
);

/** What both sides work with. */
interface Bench {
  readonly ioases: readonly Ioas[];
  readonly device: BoundDevice;
  readonly puppet: Puppet;
  readonly address: bigint;
  readonly memory: Uint8Array;
}

/** Do one thing to both. What the model says cannot be, is not asked: errors are the subject of other tests. */
function apply(operation: Operation, bench: Bench, model: Model): void {
  switch (operation.kind) {
    case "map":
      return applyMap(operation, bench, model);
    case "unmap": {
      const entries = model.spaces[operation.space]!.get(operation.at);
      if (entries === undefined) return;
      model.spaces[operation.space]!.delete(operation.at);
      const length = BigInt(entries.length) * PAGE64;
      return equal(bench.ioases[operation.space]!.unmap(BigInt(operation.at) * PAGE64, length), length);
    }
    case "copy":
      return applyCopy(operation, bench, model);
    case "attach":
      model.attached = operation.space;
      return void bench.device.attach(bench.ioases[operation.space]!);
    case "detach":
      model.attached = undefined;
      return bench.device.detach();
    case "dma":
      return applyDma(operation, bench, model);
  }
}

function applyMap({ space, at, page, count, access }: Operation & { kind: "map" }, { ioases, address }: Bench, model: Model): void {
  if (page + count > PAGES || !model.isFree(space, at, count)) return;
  const [read, write] = [(access & 1) !== 0, (access & 2) !== 0];
  const memory = { address: address + BigInt(page * PAGE), length: count * PAGE };
  ioases[space]!.map(memory, { iova: BigInt(at) * PAGE64, read, write });
  model.spaces[space]!.set(at, Array.from({ length: count }, (_, index) => ({ page: page + index, read, write })));
}

/** Map one page of an area once more, for no more than the area is mapped for. */
function applyCopy({ space, to, from, at, access }: Operation & { kind: "copy" }, { ioases }: Bench, model: Model): void {
  const source = model.entry(space, from);
  const write = (access & 2) !== 0;
  if (source === undefined || !model.isFree(to, at, 1) || (write && !source.write)) return;
  const read = (access & 1) !== 0;
  ioases[to]!.copy(ioases[space]!, { sourceIova: BigInt(from) * PAGE64, length: PAGE64, iova: BigInt(at) * PAGE64, read, write });
  model.spaces[to]!.set(at, [{ page: source.page, read, write }]);
}

function applyDma({ write, iova, length, value }: Operation & { kind: "dma" }, { puppet, memory }: Bench, model: Model): void {
  const [actual, expected] = [new Uint8Array(length), new Uint8Array(length)];
  for (const buffer of [actual, expected]) {
    for (let at = 0; at < length; at++) buffer[at] = write ? value + at : UNTOUCHED;
  }
  const fault = write ? puppet.bus.dma.write(BigInt(iova), actual) : puppet.bus.dma.read(BigInt(iova), actual);
  equal(fault, model.dma(write, iova, expected), write ? "a write" : "a read");
  equal(actual, expected, "the device's buffer");
  equal(memory, model.memory, "memory");
}

/** Every kind of page table that a machine has, and whether it cannot keep devices from reading what they may write. */
const IOMMUS: Readonly<Record<string, { readonly iommu: NonNullable<Machine["iommu"]>; readonly writersRead?: boolean }>> = {
  "VT-d": { iommu: { kind: "vtd" } },
  "VT-d's first stage": { iommu: { kind: "vtd", scalable: true, stage: "first" }, writersRead: true },
  "AMD v1": { iommu: { kind: "amdvi" } },
  "AMD v2": { iommu: { kind: "amdvi", pageTable: "v2" }, writersRead: true },
  "SMMUv3, stage 1": { iommu: { kind: "smmuv3" }, writersRead: true },
  "SMMUv3, stage 2": { iommu: { kind: "smmuv3", stage: 2 } },
  "RISC-V": { iommu: { kind: "riscv" }, writersRead: true },
};

for (const [name, settings] of Object.entries(IOMMUS)) {
  Deno.test(`every transfer moves the bytes that the model moves, and faults where it does: ${name}`, () => compare(settings));
}

async function compare({ iommu: setting, writersRead = false }: typeof IOMMUS[string]): Promise<void> {
  const puppet = new Puppet();
  const machine: Machine = { memory: 8 * MEBIBYTE, kernelMemory: 2 * MEBIBYTE, iommu: setting, pci: [{ slot: "04.0", model: puppet }] };
  using kernel = await simulated(machine, { checks: true });
  using iommu = IommuFd.open(kernel);
  using device = DeviceFd.open(kernel, "00:04.0").bind(iommu);
  allowDma(device);
  const address = kernel.mmap(0n, PAGES * PAGE, 3, 0x22, -1, 0);
  const memory = kernel.view(address, PAGES * PAGE);
  let faults = 0;
  fc.assert(
    fc.property(fc.array(operation, { minLength: 1, maxLength: 80, size: "max" }), (list) => {
      const model = new Model(writersRead);
      memory.fill(0);
      using one = iommu.createIoas();
      using two = iommu.createIoas();
      for (const entry of list) apply(entry, { ioases: [one, two], device, puppet, address, memory }, model);
      device.detach();
      faults += model.faults;
      equal(kernel.inspect.device("0000:00:04.0").faults, faults, "faults counted");
    }),
    { numRuns: 100 },
  );
  equal(kernel.inspect.check(), []);
}
