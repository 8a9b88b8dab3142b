/**
 * Whatever programs do in whatever order, a container maps exactly what the IOAS has that its group is attached to.
 */
import { deepStrictEqual, ok } from "node:assert/strict";
import fc from "fast-check";
import { type BoundDevice, type Ioas, IommuError, IommuFd } from "../../mod.ts";
import { bind, groupOf } from "./program.ts";
import { openType1, type Type1Setup } from "./setup.ts";

const PAGE = 4096;
const POOL_PAGES = 16;
const SPACES = 3;

/** What a mapping should be: address, length, access; by IOVA. */
type Model = Map<bigint, readonly [bigint, number, number]>;

interface World {
  readonly setup: Type1Setup;
  readonly pool: bigint;
  readonly iommu: IommuFd;
  readonly spaces: Ioas[];
  readonly models: Model[];
  readonly addresses: readonly string[];
  readonly devices: (BoundDevice | undefined)[];
  /** The space that a group was attached to last, by its number: one device moves all that are attached. */
  readonly attachedTo: Map<string, number>;
}

type Step =
  | readonly ["map", space: number, page: number, count: number, at: number, write: boolean]
  | readonly ["unmap", space: number, at: number, count: number]
  | readonly ["copy", from: number, to: number, at: number, count: number, target: number]
  | readonly ["bind" | "close" | "detach", device: number]
  | readonly ["attach", device: number, space: number];

const space = fc.nat(SPACES - 1);
const device = fc.nat(3);
const at = fc.nat(24);
const count = fc.integer({ min: 1, max: 4 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.tuple(fc.constant("map" as const), space, fc.nat(POOL_PAGES - 5), count, at, fc.boolean()) },
  { weight: 3, arbitrary: fc.tuple(fc.constant("unmap" as const), space, at, fc.integer({ min: 1, max: 12 })) },
  { weight: 2, arbitrary: fc.tuple(fc.constant("copy" as const), space, space, at, count, at) },
  { weight: 3, arbitrary: fc.tuple(fc.constantFrom("bind" as const, "bind" as const, "detach" as const, "close" as const), device) },
  { weight: 4, arbitrary: fc.tuple(fc.constant("attach" as const), device, space) },
);

/** The IOVA of a place. */
const iovaOf = (place: number) => BigInt(place * PAGE) + 0x1_0000n;

function isFree(model: Model, iova: bigint, length: number): boolean {
  return [...model].every(([start, [, bytes]]) => iova + BigInt(length) <= start || start + BigInt(bytes) <= iova);
}

/** Do a step, and change the model if it succeeded. Errors are those of iommufd; that they are right is the conformance suite's matter. */
function apply(world: World, step: Step): void {
  const { spaces, models, devices, pool, setup } = world;
  switch (step[0]) {
    case "map": {
      const [, to, page, count, place, write] = step;
      const [iova, length, address] = [iovaOf(place), count * PAGE, pool + BigInt(page * PAGE)];
      spaces[to]!.map({ address, length }, { iova, write });
      ok(isFree(models[to]!, iova, length));
      models[to]!.set(iova, [address, length, write ? 3 : 1]);
      return;
    }
    case "unmap":
      return unmap(world, step[1], iovaOf(step[2]), step[3] * PAGE);
    case "copy": {
      const [, from, to, place, count, target] = step;
      spaces[to]!.copy(spaces[from]!, { sourceIova: iovaOf(place), length: count * PAGE, iova: iovaOf(target), write: false });
      for (const [start, [address, length]] of [...models[from]!].sort(([a], [b]) => Number(a - b))) {
        const first = start > iovaOf(place) ? start : iovaOf(place);
        const end = start + BigInt(length) < iovaOf(place + count) ? start + BigInt(length) : iovaOf(place + count);
        if (first >= end) continue;
        models[to]!.set(iovaOf(target) + (first - iovaOf(place)), [address + (first - start), Number(end - first), 1]);
      }
      return;
    }
    case "bind":
      devices[step[1]] ??= bind(setup.kernel, world.addresses[step[1]]!, world.iommu);
      return;
    case "close":
      devices[step[1]]?.[Symbol.dispose]();
      devices[step[1]] = undefined;
      return;
    case "detach":
      devices[step[1]]?.detach();
      return;
    case "attach": {
      const attaching = devices[step[1]];
      if (attaching === undefined) return;
      attaching.attach(spaces[step[2]]!);
      world.attachedTo.set(groupOf(setup.sim, world.addresses[step[1]]!), step[2]);
    }
  }
}

/** Whole areas go, up to the first that reaches out of the range; then the request is an error even so. */
function unmap({ spaces, models }: World, from: number, iova: bigint, length: number): void {
  const model = models[from]!;
  const end = iova + BigInt(length);
  const gone: bigint[] = [];
  let cut = false;
  for (const [start, [, bytes]] of [...model].sort(([a], [b]) => Number(a - b))) {
    const last = start + BigInt(bytes);
    if (last <= iova || end <= start || cut) continue;
    cut = start < iova || last > end;
    if (!cut) gone.push(start);
  }
  try {
    spaces[from]!.unmap(iova, length);
  } finally {
    for (const start of gone) model.delete(start);
  }
}

/** Each group's container against the model of the IOAS that its devices are attached to. */
function compare({ setup, models, addresses, devices, attachedTo }: World): void {
  for (const number of new Set(addresses.map((address) => groupOf(setup.sim, address)))) {
    const isAttached = devices.some((one, index) => one?.attachedTo !== undefined && groupOf(setup.sim, addresses[index]!) === number);
    const model: Model = isAttached ? models[attachedTo.get(number)!]! : new Map();
    const wanted = [...model].sort(([a], [b]) => Number(a - b)).map((
      [iova, [address, length, access]],
    ) => [iova, address, BigInt(length), access]);
    deepStrictEqual(setup.fake.mapped(number).map(({ iova, vaddr, size, flags }) => [iova, vaddr, size, flags]), wanted);
  }
  deepStrictEqual(setup.kernel.audit(), []);
}

async function play(steps: readonly Step[]): Promise<void> {
  const setup = await openType1();
  const { kernel, devices: { siblings, alone, other } } = setup;
  const pool = kernel.mmap(0n, POOL_PAGES * PAGE, 3, 0x22, -1, 0);
  const iommu = IommuFd.open(kernel);
  const spaces = Array.from({ length: SPACES }, () => iommu.createIoas());
  const models: Model[] = spaces.map(() => new Map());
  const world: World = { setup, pool, iommu, spaces, models, addresses: [...siblings, alone, other], devices: [], attachedTo: new Map() };
  for (const step of steps) {
    try {
      apply(world, step);
    } catch (error) {
      if (!(error instanceof IommuError)) throw error;
    }
    compare(world);
  }
  for (const device of world.devices) device?.[Symbol.dispose]();
  compare({ ...world, devices: [] });
  iommu[Symbol.dispose]();
  kernel.munmap(pool, POOL_PAGES * PAGE);
  deepStrictEqual(await setup.finish(), []);
}

Deno.test("type1: a device that moves takes the others of its group along", () =>
  play([["bind", 0], ["bind", 1], ["attach", 0, 2], ["map", 0, 0, 1, 0, false], ["attach", 1, 2], ["attach", 1, 0], ["detach", 1], [
    "attach",
    0,
    0,
  ]]));

Deno.test("type1: containers map what the IOASes of their groups have, after any steps", async () => {
  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60 }), play), { numRuns: 60 });
});
