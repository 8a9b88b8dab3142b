/**
 * Each call to the kernel below fails once, wherever it is made: the request that needed it fails, changes nothing, and nothing is left at the end.
 */
import { deepStrictEqual, ok } from "node:assert/strict";
import { type Fault, faults, type FaultyKernel } from "../../backends/wrap/mod.ts";
import { type BoundDevice, DeviceFd, type Ioas, IommuError, IommuFd, MemFd } from "../../mod.ts";
import { groupOf } from "./program.ts";
import { openType1, type Type1Setup } from "./setup.ts";

const PAGE = 4096;

/** What the steps of the scenario have made so far. */
interface Scene {
  iommu?: IommuFd;
  first?: Ioas;
  second?: Ioas;
  one?: DeviceFd;
  two?: DeviceFd;
  oneBound?: BoundDevice;
  twoBound?: BoundDevice;
  file?: MemFd;
  address?: bigint;
}

/** The steps, in order. One that needs what a failed one should have made is left out. */
function steps({ kernel, devices: { siblings } }: Type1Setup, s: Scene): [string, () => unknown][] {
  return [
    ["open", () => s.iommu = IommuFd.open(kernel)],
    ["memory", () => {
      const address = kernel.mmap(0n, 4 * PAGE, 3, 0x22, -1, 0);
      if (address < 0n) throw new IommuError({ operation: "mmap", errno: Number(-address), action: "get memory" });
      s.address = address;
    }],
    ["first IOAS", () => s.first = s.iommu!.createIoas()],
    ["second IOAS", () => s.second = s.iommu!.createIoas()],
    ["map before", () => s.first!.map({ address: s.address!, length: PAGE }, { iova: 0x1_0000n })],
    ["map in the second", () => s.second!.map({ address: s.address! + 4096n, length: 2 * PAGE }, { iova: 0x1_0000n })],
    ["open the first", () => s.one = DeviceFd.open(kernel, siblings[0])],
    ["open the second", () => s.two = DeviceFd.open(kernel, siblings[1])],
    ["bind the first", () => s.oneBound = s.one!.bind(s.iommu!)],
    ["bind the second", () => s.twoBound = s.two!.bind(s.iommu!)],
    ["attach the first", () => s.oneBound!.attach(s.first!)],
    ["attach the second", () => s.twoBound!.attach(s.first!)],
    ["map", () => s.first!.map({ address: s.address!, length: 2 * PAGE }, { iova: 0x2_0000n, write: false })],
    ["copy", () => s.first!.copy(s.first!, { sourceIova: 0x2_0000n, length: PAGE, iova: 0x3_0000n, write: false })],
    ["memory file", () => s.file = MemFd.create(kernel, "memory", 2 * PAGE)],
    ["map the file", () => s.first!.mapFile(s.file!, { iova: 0x4_0000n })],
    ["ranges", () => s.first!.ranges],
    ["allow", () => s.first!.allow([{ start: 0x1_0000n, last: 0xff_ffffn }])],
    ["unmap one", () => s.first!.unmap(0x3_0000n, PAGE)],
    ["move", () => s.oneBound!.attach(s.second!)],
    ["move back", () => s.oneBound!.attach(s.first!)],
    ["unmap all", () => s.first!.unmapAll()],
    ["map again", () => s.first!.map({ address: s.address!, length: PAGE }, { iova: 0x1_0000n })],
    ["detach the first", () => s.oneBound!.detach()],
    ["detach the second", () => s.twoBound!.detach()],
    ["attach again", () => s.twoBound!.attach(s.second!)],
    ["close the second", () => s.two![Symbol.dispose]()],
  ];
}

/** Run the scenario with one fault, or none. Returns the step that failed, by its name, and how many faults happened. */
async function play(fault: Fault | undefined): Promise<{ failed: string[]; fired: number }> {
  let faulty: FaultyKernel | undefined;
  const setup = await openType1({ wrap: (fake) => faulty = faults(fake, fault === undefined ? [] : [fault]) });
  const { kernel, fake, devices: { siblings } } = setup;
  const scene: Scene = {};
  const failed: string[] = [];
  const group = groupOf(setup.sim, siblings[0]);
  for (const [name, run] of steps(setup, scene)) {
    const before = fake.mapped(group);
    const fired = faulty!.fired;
    try {
      run();
    } catch (error) {
      // A step that lacks what a failed one should have made is a TypeError here.
      ok(error instanceof IommuError || failed.length > 0, `${name}: ${String(error)}`);
      failed.push(name);
      if (faulty!.fired > fired) deepStrictEqual(fake.mapped(group).map(brief), before.map(brief), `what ${name} has mapped`);
    }
    deepStrictEqual(kernel.audit(), [], `after ${name}`);
  }
  for (const part of [scene.two, scene.one, scene.file, scene.first, scene.second, scene.iommu]) dispose(part);
  if (scene.address !== undefined) kernel.munmap(scene.address, 4 * PAGE);
  deepStrictEqual(await setup.finish(), [], `left after ${failed[0]} had failed`);
  return { failed, fired: faulty!.fired };
}

function brief({ iova, size, vaddr, flags }: { iova: bigint; size: bigint; vaddr: bigint; flags: number }): unknown {
  return [iova, size, vaddr, flags];
}

/** A fault may come as late as this: what fails to be disposed is disposed again. */
function dispose(part: Disposable | undefined): void {
  try {
    part?.[Symbol.dispose]();
  } catch (error) {
    ok(error instanceof IommuError, String(error));
    part![Symbol.dispose]();
  }
}

Deno.test("type1: without a fault every step of the scenario succeeds", async () => {
  deepStrictEqual(await play(undefined), { failed: [], fired: 0 });
});

const REQUESTS = [
  "GET_API_VERSION",
  "CHECK_EXTENSION",
  "GROUP_GET_STATUS",
  "GROUP_SET_CONTAINER",
  "SET_IOMMU",
  "IOMMU_GET_INFO",
  "GROUP_GET_DEVICE_FD",
  "IOMMU_MAP_DMA",
  "IOMMU_UNMAP_DMA",
] as const;

for (const request of REQUESTS) {
  Deno.test(`type1: a failing ${request} changes nothing and leaves nothing`, async () => {
    let seen = 0;
    for (let nth = 1;; nth++) {
      const { fired } = await play({ call: "ioctl", request, nth, errno: "ENOMEM" });
      if (fired === 0) break;
      seen++;
    }
    ok(seen > 0, "the scenario never makes the request");
  });
}

// munmap and close are not among them: what they do not give back is left.
for (const call of ["open", "block", "mmap", "memfd", "list", "readlink", "readFile"] as const) {
  Deno.test(`type1: a failing ${call} changes nothing and leaves nothing`, async () => {
    let seen = 0;
    for (let nth = 1;; nth++) {
      const { fired } = await play({ call, nth, errno: "ENOMEM" });
      if (fired === 0) break;
      seen++;
    }
    ok(seen > 0, "the scenario never makes the call");
  });
}
