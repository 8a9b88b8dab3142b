/**
 * Handles may be disposed in any order, twice, and used afterwards: nothing is left, and what is gone says so.
 */
import fc from "fast-check";
import {
  type BoundDevice,
  DeviceFd,
  type DmaBuf,
  type DmaBuffer,
  type DmaPool,
  type FaultQueue,
  type Hwpt,
  type Ioas,
  IommuError,
  IommuFd,
  type Irq,
  type Kernel,
  MemFd,
  type NestedHwpt,
} from "../../mod.ts";
import { check, equal } from "../check.ts";
import { Puppet } from "../rules/puppet.ts";
import { ADDRESSES, boot, finish } from "./machine.ts";

const ACTIONS = [
  "iommu",
  "ioas",
  "hwpt",
  "faultQueue",
  "nested",
  "buffer",
  "pool",
  "slice",
  "device",
  "bind",
  "attach",
  "detach",
  "irq",
  "enable",
  "file",
  "export",
  "mapFile",
  "reset",
  "unmapAll",
  "destroy",
  "dispose",
] as const;
type Step = readonly [action: typeof ACTIONS[number], first: number, second: number];

/** A machine that nests page tables, whose devices ask for pages. */
function nestingMachine() {
  const puppet = () => new Puppet({ pageRequests: true });
  return boot({ iommu: { kind: "vtd", scalable: true }, pci: [{ slot: "03.0", model: puppet }, { slot: "04.0", model: puppet }] });
}

/** Everything that was made, disposed or not. */
class Hands {
  readonly kernel: Kernel;
  readonly iommus: IommuFd[] = [];
  readonly spaces: Ioas[] = [];
  readonly tables: Hwpt[] = [];
  readonly faultQueues: FaultQueue[] = [];
  readonly nested: NestedHwpt[] = [];
  readonly buffers: DmaBuffer[] = [];
  readonly pools: DmaPool[] = [];
  readonly devices: DeviceFd[] = [];
  readonly bound: BoundDevice[] = [];
  readonly irqs: Irq[] = [];
  readonly files: (MemFd | DmaBuf)[] = [];
  readonly all: Disposable[] = [];

  constructor(kernel: Kernel) {
    this.kernel = kernel;
  }

  keep<T extends Disposable>(list: T[], made: T | undefined): void {
    if (made === undefined) return;
    list.push(made);
    this.all.push(made);
  }
}

function pick<T>(list: readonly T[], index: number): T | undefined {
  return list.length === 0 ? undefined : list[index % list.length];
}

/** Do one thing, with whatever is there, alive or not. */
function act(hands: Hands, [action, first, second]: Step): unknown {
  const { kernel } = hands;
  const iommu = pick(hands.iommus, first);
  const ioas = pick(hands.spaces, first);
  const bound = pick(hands.bound, second);
  const target = pick([...hands.spaces, ...hands.tables, ...hands.nested], first);
  const faultQueue = pick(hands.faultQueues, second);
  const actions: Record<typeof action, () => unknown> = {
    iommu: () => hands.keep(hands.iommus, IommuFd.open(kernel)),
    ioas: () => hands.keep(hands.spaces, iommu?.createIoas()),
    hwpt: () => bound && hands.keep(hands.tables, ioas?.createHwpt(bound, { nestParent: first % 2 === 0 })),
    faultQueue: () => hands.keep(hands.faultQueues, iommu?.createFaultQueue()),
    nested: () => {
      const table = { type: "vtd", root: 0n, levels: 4 } as const;
      const options = faultQueue === undefined || first % 4 === 0 ? {} : { faultQueue };
      return bound && hands.keep(hands.nested, pick(hands.tables, first)?.createNested(bound, table, options));
    },
    buffer: () => hands.keep(hands.buffers, ioas?.createDmaBuffer(1 + (second * 1000) % 9000)),
    pool: () => hands.keep(hands.pools, ioas?.createDmaPool({ size: 64, count: 3, alignment: 2 ** (second % 14) })),
    slice: () => {
      const slice = pick(hands.pools, first)?.take();
      if (slice !== undefined) hands.all.push(slice);
    },
    device: () => hands.keep(hands.devices, DeviceFd.open(kernel, ADDRESSES[second % 2]!)),
    bind: () => iommu && hands.keep(hands.bound, pick(hands.devices, second)?.bind(iommu, second % 2 === 0 ? {} : { label: 7n })),
    attach: () => target && bound?.attach(target),
    detach: () => bound?.detach(),
    irq: () => hands.keep(hands.irqs, bound?.irq(first % 2 === 0 ? "intx" : "msix")),
    enable: () => pick(hands.irqs, first)?.enable(1),
    file: () => hands.keep(hands.files, MemFd.create(kernel, "file", 8192)),
    export: () => bound && hands.keep(hands.files, bound.bar(0).exportDmaBuf()),
    reset: () => bound?.reset(),
    mapFile: () => {
      const file = pick(hands.files, second);
      return file && ioas?.mapFile(file);
    },
    unmapAll: () => ioas?.unmapAll(),
    destroy: () => iommu?.destroy(second),
    dispose: () => pick(hands.all, first * 32 + second)?.[Symbol.dispose](),
  };
  return actions[action]();
}

/** What the kernel may answer to something that is not there, not allowed or used elsewhere. */
const REFUSALS = ["EBADF", "ENOENT", "EBUSY", "EINVAL", "ENOMEM", "EPERM", "ENODEV"];

function tryStep(hands: Hands, step: Step): void {
  try {
    act(hands, step);
  } catch (error) {
    check(error instanceof IommuError && REFUSALS.includes(error.code), `${step} threw ${error}`);
    check(step[0] !== "dispose", `a disposal threw ${error}`);
  }
}

const nat = fc.nat(31);
const weights: Partial<Record<typeof ACTIONS[number], number>> = { dispose: 6, iommu: 1, destroy: 1, ioas: 3, attach: 4 };
const step = fc.oneof(...ACTIONS.map((action) => ({ weight: weights[action] ?? 2, arbitrary: fc.tuple(fc.constant(action), nat, nat) })));
const steps: fc.Arbitrary<Step[]> = fc.array(step, { minLength: 10, maxLength: 80, size: "max" });

/** Positions to dispose in: any order, some twice. */
const order = fc.array(fc.nat(1000), { maxLength: 100, size: "max" });

Deno.test("handles can be made, used and disposed in any order, and nothing is left", async () => {
  const { kernel } = await nestingMachine();
  fc.assert(
    fc.property(steps, order, (steps, order) => {
      const hands = new Hands(kernel);
      for (const step of [["iommu", 0, 0], ["ioas", 0, 0], ["device", 0, 0], ["device", 0, 1], ...steps] as Step[]) tryStep(hands, step);
      for (const index of order) pick(hands.all, index)?.[Symbol.dispose]();
      for (const handle of hands.all) handle[Symbol.dispose]();
      equal(kernel.inspect.usage, { files: 0, objects: 0, pinnedPages: 0, blocks: 0, waits: 0 });
      equal(hands.buffers.some(({ isLive }) => isLive), false, "a buffer lives");
    }),
    { numRuns: 400 },
  );
  finish(kernel);
});

Deno.test("the iommufd alone, disposed, takes along everything that was made from it", async () => {
  const { kernel } = await nestingMachine();
  fc.assert(
    fc.property(steps, (steps) => {
      const hands = new Hands(kernel);
      for (const step of [["iommu", 0, 0], ["ioas", 0, 0], ["device", 0, 0], ["bind", 0, 0], ...steps] as Step[]) tryStep(hands, step);
      for (const iommu of hands.iommus) iommu[Symbol.dispose]();
      equal(kernel.inspect.usage.objects, 0);
      equal(kernel.inspect.usage.pinnedPages, 0);
      equal(hands.bound.every(({ attachedTo, deviceFd }) => attachedTo === undefined && !deviceFd.isOpen), true, "devices are closed");
      // Files are the process's, and a device that was never bound belongs to no iommufd.
      for (const handle of [...hands.files, ...hands.devices]) handle[Symbol.dispose]();
    }),
    { numRuns: 200 },
  );
  finish(kernel);
});
