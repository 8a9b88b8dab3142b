/**
 * The life of objects through the typed API against a naive model: ids, who holds whom, what DESTROY refuses, and that everything goes.
 */
import fc from "fast-check";
import { simulated } from "../../backends/simulated/mod.ts";
import { type BoundDevice, DeviceFd, type Hwpt, type Ioas, IommuFd } from "../../mod.ts";
import { equal } from "../check.ts";
import { Puppet } from "../rules/puppet.ts";
import { codeOf } from "../rules/world.ts";

const MEBIBYTE = 2 ** 20;
const DEVICES = ["00:03.0", "00:04.0"];

type Operation =
  | { readonly kind: "ioas" }
  | { readonly kind: "hwpt"; readonly ioas: number; readonly device: number }
  | { readonly kind: "bind" | "close" | "detach"; readonly device: number }
  | { readonly kind: "attach"; readonly device: number; readonly target: number }
  | { readonly kind: "destroy"; readonly id: number };

/** What an id is in the model. Automatic tables are known by their IOAS. */
type ModelObject =
  | { readonly kind: "ioas"; readonly api: Ioas }
  | { readonly kind: "hwpt"; readonly ioas: number; readonly automatic: boolean; readonly api?: Hwpt }
  | { readonly kind: "device"; readonly device: number };

class Model {
  readonly objects = new Map<number, ModelObject>();
  /** By device: its id, and the id of the table that it is attached to. */
  readonly bound = new Map<number, { id: number; api: BoundDevice; table: number | undefined }>();

  /** The lowest id that is free. */
  nextId(): number {
    let id = 1;
    while (this.objects.has(id)) id++;
    return id;
  }

  /** Whether anything holds the object. */
  isHeld(id: number): boolean {
    const object = this.objects.get(id)!;
    if (object.kind === "device") return true;
    if (object.kind === "ioas") return [...this.objects.values()].some((other) => other.kind === "hwpt" && other.ioas === id);
    return [...this.bound.values()].some(({ table }) => table === id);
  }

  /** The table that attaching to an IOAS uses now. */
  automaticOf(ioas: number): number | undefined {
    return [...this.objects].find(([, object]) => object.kind === "hwpt" && object.automatic && object.ioas === ioas)?.[0];
  }

  /** A device left a table: an automatic one goes with its last. */
  left(table: number | undefined): void {
    const object = table === undefined ? undefined : this.objects.get(table);
    if (object?.kind === "hwpt" && object.automatic && !this.isHeld(table!)) this.objects.delete(table!);
  }

  /** The ids of one kind. */
  ids(...kinds: ModelObject["kind"][]): number[] {
    return [...this.objects].filter(([, { kind }]) => kinds.includes(kind)).map(([id]) => id);
  }
}

function pick<T>(list: readonly T[], index: number): T | undefined {
  return list[index % Math.max(list.length, 1)];
}

const index = fc.nat(31);
const device = fc.nat(DEVICES.length - 1);
const operations: fc.Arbitrary<Operation[]> = fc.array(
  fc.oneof(
    { weight: 2, arbitrary: fc.constant({ kind: "ioas" as const }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("hwpt" as const), ioas: index, device }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("bind" as const), device }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom("close" as const, "detach" as const), device }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("attach" as const), device, target: index }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("destroy" as const), id: fc.integer({ min: 0, max: 12 }) }) },
  ),
  { minLength: 1, maxLength: 80, size: "max" },
);

type Kernel = Awaited<ReturnType<typeof simulated>>;

function apply(operation: Operation, kernel: Kernel, iommu: IommuFd, model: Model): void {
  switch (operation.kind) {
    case "ioas": {
      const expected = model.nextId();
      const api = iommu.createIoas();
      model.objects.set(expected, { kind: "ioas", api });
      return equal(api.id, expected, "the id of an IOAS");
    }
    case "hwpt":
      return makeTable(operation, model);
    case "bind": {
      if (model.bound.has(operation.device)) return;
      const expected = model.nextId();
      const api = DeviceFd.open(kernel, DEVICES[operation.device]!).bind(iommu);
      model.objects.set(expected, { kind: "device", device: operation.device });
      model.bound.set(operation.device, { id: expected, api, table: undefined });
      return equal(api.id, expected, "the id of a device");
    }
    case "attach":
      return attach(operation, model);
    case "detach":
    case "close":
      return leave(operation, model);
    case "destroy": {
      const known = model.objects.has(operation.id);
      const expected = !known ? "ENOENT" : model.isHeld(operation.id) ? "EBUSY" : "OK";
      equal(codeOf(() => iommu.destroy(operation.id)), expected, `destroy of ${operation.id}`);
      if (expected === "OK") model.objects.delete(operation.id);
    }
  }
}

function makeTable({ ioas, device }: Operation & { kind: "hwpt" }, model: Model): void {
  const [id, bound] = [pick(model.ids("ioas"), ioas), model.bound.get(device)];
  if (id === undefined || bound === undefined) return;
  const expected = model.nextId();
  const api = (model.objects.get(id) as ModelObject & { kind: "ioas" }).api.createHwpt(bound.api);
  model.objects.set(expected, { kind: "hwpt", ioas: id, automatic: false, api });
  equal(api.id, expected, "the id of a page table");
}

function attach({ device, target }: Operation & { kind: "attach" }, model: Model): void {
  const [id, bound] = [pick(model.ids("ioas", "hwpt"), target), model.bound.get(device)];
  const object = id === undefined ? undefined : model.objects.get(id)!;
  if (bound === undefined || object === undefined || object.kind === "device") return;
  // An automatic table has no object in the API.
  if (object.kind === "hwpt" && object.api === undefined) return;
  const before = bound.table;
  const table = object.kind === "hwpt" ? id! : model.automaticOf(id!) ?? model.nextId();
  if (object.kind === "ioas") model.objects.set(table, { kind: "hwpt", ioas: id!, automatic: true });
  bound.table = table;
  equal(bound.api.attach(object.api!), table, "the table that an attach chose");
  if (before !== table) model.left(before);
}

function leave({ kind, device }: Operation & { kind: "close" | "detach" | "bind" }, model: Model): void {
  const bound = model.bound.get(device);
  if (bound === undefined) return;
  const { table } = bound;
  bound.table = undefined;
  if (kind === "detach") bound.api.detach();
  else {
    bound.api[Symbol.dispose]();
    model.bound.delete(device);
    model.objects.delete(bound.id);
  }
  model.left(table);
}

Deno.test("ids, holds and the end of objects are the model's, and disposing the iommufd leaves nothing", async () => {
  using kernel = await simulated({
    memory: 8 * MEBIBYTE,
    kernelMemory: 2 * MEBIBYTE,
    pci: [{ slot: "03.0", model: () => new Puppet() }, { slot: "04.0", model: () => new Puppet() }],
  }, { checks: true });
  fc.assert(
    fc.property(operations, (list) => {
      const model = new Model();
      const iommu = IommuFd.open(kernel);
      for (const operation of list) {
        apply(operation, kernel, iommu, model);
        equal(kernel.inspect.usage.objects, model.objects.size, "objects");
      }
      iommu[Symbol.dispose]();
      equal(kernel.inspect.usage, { files: 0, objects: 0, pinnedPages: 0, blocks: 0, waits: 0 });
    }),
    { numRuns: 300 },
  );
  equal(kernel.inspect.check(), []);
});
