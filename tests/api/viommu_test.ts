/**
 * Virtual IOMMUs by the typed API, on the mock IOMMU: what the guest's names, tables, invalidations and events are, who holds whom, and what errors say.
 */
import fc from "fast-check";
import { ADVICE, type OperationKey } from "../../api/advice.ts";
import { type ErrnoName, faults } from "../../backends/wrap/mod.ts";
import { type HwQueue, IommuError, IommuFd, type Viommu } from "../../mod.ts";
import * as raw from "../../uapi/codec.ts";
import { check, equal, thrown } from "../check.ts";
import { mockDevice, MockError, type MockWorld, mockWorld } from "../conformance/mock_device.ts";
import { CALLS } from "./faulty.ts";
import { boot, type Booted, finish } from "./machine.ts";

const TABLE = { type: "raw", dataType: raw.HWPT_DATA_SELFTEST, data: new Uint8Array([77, 0, 0, 0]) } as const;
const EVENTS = raw.VEVENTQ_TYPE_SELFTEST;

function mockMachine(): Promise<Booted> {
  return boot({ iommu: { kind: "mock" }, pci: [] });
}

function viommuOf({ parent, device }: Pick<MockWorld, "parent" | "device">, data?: Uint8Array): Viommu {
  return parent.createViommu(device, { type: raw.VIOMMU_TYPE_SELFTEST, ...(data === undefined ? {} : { data }) });
}

function failure(run: () => unknown): IommuError {
  const error = thrown(run);
  check(error instanceof IommuError, `${error} is an IommuError`);
  return error;
}

Deno.test("a virtual IOMMU answers in the data that it is given, and leaves the caller's bytes alone", async () => {
  using machine = await mockMachine();
  using w = mockWorld(machine.kernel);
  const data = new Uint8Array(24);
  new DataView(data.buffer).setUint32(0, 0x1234_5678, true);
  const viommu = viommuOf(w, data);
  const answer = new DataView(viommu.data.buffer);
  equal([answer.getUint32(4, true), answer.getBigUint64(16, true)], [0x1234_5678, 8192n]);
  equal([data[4], viommu.parent, viommu.type], [0, w.parent, raw.VIOMMU_TYPE_SELFTEST]);
  equal(viommuOf(w).data.length, 0);
});

Deno.test("a device comes to a guest's page table once the guest has a name for it", async () => {
  using machine = await mockMachine();
  using w = mockWorld(machine.kernel);
  const viommu = viommuOf(w);
  const nested = viommu.createNested(w.device, TABLE);
  equal([nested.viommu, nested.parent, nested.ioas], [viommu, w.parent, w.ioas]);
  check(w.device.replace(nested) < 0, "nobody has named the device");
  const vdevice = viommu.createDevice(w.device, 0xffff_ffff_ffff_fff0n);
  equal([vdevice.viommu, vdevice.device, vdevice.virtualId], [viommu, w.device, 0xffff_ffff_ffff_fff0n]);
  equal(w.device.replace(nested), 0);
  const { message } = failure(() => w.iommu.destroy(w.parent.id));
  check(message.includes(`virtual IOMMU ${viommu.id}`), message);
  const held = failure(() => w.iommu.destroy(viommu.id)).message;
  check(held.includes(`page table ${nested.id}, virtual device ${vdevice.id}`), held);
  equal(w.device.replace(w.ioas), 0);
});

Deno.test("invalidations are passed on entry by entry, and an error says how many were done", async () => {
  using machine = await mockMachine();
  using w = mockWorld(machine.kernel);
  const viommu = viommuOf(w);
  viommu.createDevice(w.device, 0x99n);
  const entries = (...words: readonly number[][]) => new Uint8Array(Uint32Array.from(words.flat()).buffer);
  const send = (bytes: Uint8Array) => viommu.invalidate({ dataType: raw.VIOMMU_INVALIDATE_DATA_SELFTEST, entryLength: 12, entries: bytes });
  send(entries([0, 0x99, 0], [1, 0x99, 0]));
  send(entries());
  const error = failure(() => send(entries([0, 0x99, 0], [0, 0x99, 1], [0, 0x98, 2])));
  equal([error.code, error.values.done, error.values.count, error.values.object], ["EINVAL", 2, 3, viommu.id]);
  equal(thrown(() => send(new Uint8Array(13))) instanceof RangeError, true);
  const nested = viommu.createNested(w.device, TABLE);
  nested.invalidateRaw({ dataType: raw.HWPT_INVALIDATE_DATA_SELFTEST, entryLength: 8, entries: entries([1, 0]) });
  equal(failure(() => nested.invalidate([{ iova: 0n, pages: "all" }])).code, "EINVAL");
});

Deno.test("events come with their numbers, and with how many were lost before them", async () => {
  using machine = await mockMachine();
  using w = mockWorld(machine.kernel);
  const viommu = viommuOf(w);
  viommu.createDevice(w.device, 0x77n);
  equal(w.device.replace(viommu.createNested(w.device, TABLE)), 0);
  const queue = viommu.createEventQueue({ type: EVENTS, depth: 2 });
  equal(queue.take(), undefined);
  const waiting = queue.wait();
  equal(w.device.trigger(), 0);
  equal(await waiting, { sequence: 0, lost: 0, data: new Uint8Array([0x77, 0, 0, 0]) });
  const all = () => {
    const events: unknown[] = [];
    for (let event = queue.take(); event !== undefined; event = queue.take()) events.push([event.sequence, event.lost, event.data?.[0]]);
    return events;
  };
  for (let event = 0; event < 5; event++) w.device.trigger();
  equal(all(), [[1, 0, 0x77], [2, 0, 0x77], [5, 3, undefined]]);
  w.device.trigger();
  equal(all(), [[6, 0, 0x77]]);
  for await (const event of steps(queue, () => w.device.trigger())) {
    equal(event.sequence, 7);
    break;
  }
  const ended = queue.wait();
  queue[Symbol.dispose]();
  equal(await ended, undefined);
  equal(failure(() => queue.take()).code, "EBADF");
});

/** The steps of a queue, with an event under way. */
async function* steps<T>(queue: AsyncIterable<T>, trigger: () => void): AsyncGenerator<T> {
  trigger();
  yield* queue;
}

Deno.test("waiting ends when its signal aborts, with the signal's reason", async () => {
  using machine = await mockMachine();
  using w = mockWorld(machine.kernel);
  const queue = viommuOf(w).createEventQueue({ type: EVENTS, depth: 1 });
  const abort = new AbortController();
  const waiting = queue.wait(abort.signal);
  abort.abort(new Error("enough"));
  equal((await waiting.catch((error) => error) as Error).message, "enough");
});

Deno.test("wrong arguments are refused before any request", async () => {
  using machine = await mockMachine();
  using w = mockWorld(machine.kernel);
  using other = mockWorld(machine.kernel);
  const viommu = viommuOf(w);
  const isRange = (run: () => unknown) => equal(thrown(run) instanceof RangeError, true, String(thrown(run)));
  isRange(() => w.parent.createViommu(w.device, { type: 2 ** 32 }));
  isRange(() => viommu.createDevice(w.device, 2n ** 64n));
  isRange(() => viommu.createEventQueue({ type: 99, depth: 1 }));
  isRange(() => viommu.createEventQueue({ type: EVENTS, depth: 0 }));
  isRange(() => viommu.createEventQueue({ type: EVENTS, depth: 2 ** 19 + 1 }));
  isRange(() => viommu.createNested(w.device, { ...TABLE, data: new Uint8Array(0) }));
  for (const run of [() => viommu.createDevice(other.device, 1n), () => w.parent.createViommu(other.device, { type: 1 })]) {
    equal(failure(run).code, "ENOENT");
    check(failure(run).message.includes("another iommu_fd"), failure(run).message);
  }
  viommu[Symbol.dispose]();
  for (const run of [() => viommu.createDevice(w.device, 1n), () => viommu.createEventQueue({ type: EVENTS, depth: 1 })]) {
    equal(failure(run).code, "EBADF");
  }
});

Deno.test("what the kernel refuses says why", async () => {
  using machine = await mockMachine();
  using w = mockWorld(machine.kernel);
  const viommu = viommuOf(w);
  viommu.createDevice(w.device, 1n);
  const says = (run: () => unknown, code: string, text: string) => {
    const error = failure(run);
    equal(error.code, code);
    check(error.message.includes(text), error.message);
  };
  says(() => viommu.createDevice(w.device, 2n), "EEXIST", "has a virtual device already");
  says(() => w.ioas.createHwpt(w.device).createViommu(w.device, { type: raw.VIOMMU_TYPE_SELFTEST }), "EINVAL", "nestParent: true");
  says(() => w.parent.createViommu(w.device, { type: 5 }), "EOPNOTSUPP", "knows no virtual IOMMU of this type");
  using _queue = viommu.createEventQueue({ type: EVENTS, depth: 1 });
  says(() => viommu.createEventQueue({ type: EVENTS, depth: 1 }), "EEXIST", "has a queue of this type already");
});

/** All that can be done with a virtual IOMMU. `address`: a page of memory. */
async function everything(w: MockWorld, address: bigint): Promise<void> {
  using viommu = viommuOf(w, new Uint8Array(24));
  using _device = viommu.createDevice(w.device, 7n);
  using nested = viommu.createNested(w.device, TABLE);
  using queue = viommu.createEventQueue({ type: EVENTS, depth: 4 });
  w.ioas.map({ address, length: 4096 }, { iova: 0x100_0000n });
  using _hwQueue = viommu.createHwQueue({ type: raw.HW_QUEUE_TYPE_SELFTEST, index: 0, iova: 0x100_0000n, length: 4096 });
  if (w.device.replace(nested) < 0) return;
  try {
    if (w.device.trigger() === 0) await queue.wait();
    const waiting = queue.wait();
    if (w.device.trigger() === 0) await waiting;
    else queue[Symbol.dispose]();
    await waiting;
  } finally {
    w.device.replace(w.ioas);
  }
}

for (const call of CALLS) {
  Deno.test(`whichever ${call} fails, a virtual IOMMU leaves nothing behind`, async () => {
    const machine = await mockMachine();
    const address = machine.kernel.mmap(0n, 4096, 3, 0x22, -1, 0);
    for (let nth = 1;; nth++) {
      const faulty = faults(machine.kernel, [{ call, nth, errno: "ENOMEM" }]);
      let error: unknown;
      try {
        using w = mockWorld(faulty);
        await everything(w, address);
      } catch (caught) {
        error = caught;
      }
      if (faulty.fired === 0) break;
      const isKnown = [IommuError, MockError, SuppressedError, AggregateError].some((kind) => error instanceof kind);
      // A block that the test itself asked for.
      const isBlock = call === "block" && error instanceof RangeError;
      check(error === undefined || isKnown || isBlock, `${call} ${nth}: ${error}`);
      // What a close has refused to close is open.
      for (let fd = 3; call === "close" && fd < 64; fd++) machine.kernel.close(fd);
    }
    machine.kernel.munmap(address, 4096);
    finish(machine.kernel);
  });
}

const order = fc.shuffledSubarray(["iommu", "ioas", "parent", "viommu", "vdevice", "nested", "queue", "hwQueue", "lastQueue"] as const);

Deno.test("virtual IOMMUs and what was made of them go in any order, twice, and nothing is left", async () => {
  const { kernel } = await mockMachine();
  fc.assert(
    fc.property(order, order, fc.boolean(), (first, second, isAttached) => {
      using iommu = IommuFd.open(kernel);
      const ioas = iommu.createIoas();
      const device = mockDevice(iommu, ioas);
      const parent = ioas.createHwpt(device, { nestParent: true });
      const viommu = viommuOf({ device, parent });
      const vdevice = viommu.createDevice(device, 7n);
      const nested = viommu.createNested(device, TABLE);
      const queue = viommu.createEventQueue({ type: EVENTS, depth: 4 });
      ioas.createDmaBuffer(4096, { iova: 0x100_0000n });
      const [hwQueue, lastQueue] = [0, 1].map((index) =>
        viommu.createHwQueue({ type: raw.HW_QUEUE_TYPE_SELFTEST, index, iova: 0x100_0000n, length: 4096 })
      ) as [HwQueue, HwQueue];
      if (isAttached) {
        equal([device.replace(nested), device.trigger(), device.replace(ioas)], [0, 0, 0]);
      }
      // The library does not know of what raw requests have attached.
      device[Symbol.dispose]();
      const handles = { iommu, ioas, parent, viommu, vdevice, nested, queue, hwQueue, lastQueue };
      for (const name of [...first, ...second]) handles[name][Symbol.dispose]();
      iommu[Symbol.dispose]();
      equal(kernel.inspect.usage.objects, 0);
      equal(kernel.inspect.usage.files, 0);
    }),
    { numRuns: 300 },
  );
  finish(kernel);
});

const REFUSALS: readonly (readonly [OperationKey, string, (w: MockWorld) => unknown])[] = [
  ["viommuAlloc", "VIOMMU_ALLOC", (w) => viommuOf(w)],
  ["vdeviceAlloc", "VDEVICE_ALLOC", (w) => viommuOf(w).createDevice(w.device, 1n)],
  ["eventQueueAlloc", "VEVENTQ_ALLOC", (w) => viommuOf(w).createEventQueue({ type: EVENTS, depth: 1 })],
  ["hwQueueAlloc", "HW_QUEUE_ALLOC", (w) => viommuOf(w).createHwQueue({ type: 1, index: 0, iova: 0n, length: 4096 })],
];

for (const [key, request, run] of REFUSALS) {
  Deno.test(`${key}: what the kernel refuses is an error with the advice of the table`, async () => {
    using machine = await mockMachine();
    const { advice, operation } = ADVICE[key];
    for (const errno of Object.keys(advice) as ErrnoName[]) {
      using w = mockWorld(faults(machine.kernel, [{ call: "ioctl", request, nth: 1, errno }]));
      const error = failure(() => run(w));
      equal([error.code, error.operation, error.advice], [errno, operation, advice[errno]!]);
    }
  });
}
