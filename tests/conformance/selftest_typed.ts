/**
 * Virtual IOMMUs of the mock IOMMU through the typed API.
 *
 * @module
 */
import { type HwQueueOptions, IommuError } from "../../mod.ts";
import * as raw from "../../uapi/codec.ts";
import { check, equal, thrown } from "../check.ts";
import type { Suite } from "../harness.ts";
import type { Caller } from "./caller.ts";
import { mockDevice, mockWorld } from "./mock_device.ts";
import { errorOf } from "./typed.ts";

const TABLE = { type: "raw", dataType: raw.HWPT_DATA_SELFTEST, data: new Uint8Array([77, 0, 0, 0]) } as const;
const VIOMMU = { type: raw.VIOMMU_TYPE_SELFTEST } as const;
const EVENTS = { type: raw.VEVENTQ_TYPE_SELFTEST, depth: 2 } as const;
const PAGE = 4096;
const QUEUE = { type: raw.HW_QUEUE_TYPE_SELFTEST, length: PAGE } as const;
/** Where the guest has memory. */
const MEMORY = 0x100_0000n;
/** A virtual id that needs all of its 64 bits. */
const LARGE = 0xffff_ffff_ffff_fff0n;

/** Entries of three words, as the mock IOMMU's are. */
function entries(...words: readonly (readonly [flags: number, virtualId: number, cache: number])[]) {
  const bytes = new Uint8Array(Uint32Array.from(words.flat()).buffer);
  return { dataType: raw.VIOMMU_INVALIDATE_DATA_SELFTEST, entryLength: 12, entries: bytes };
}

const CASES: Suite<Caller>["cases"] = [
  {
    name: "a virtual IOMMU answers in the data that it was given",
    run(t) {
      using w = mockWorld(t.kernel);
      const data = new Uint8Array(24);
      new DataView(data.buffer).setUint32(0, 0x1234_5678, true);
      const answer = w.parent.createViommu(w.device, { ...VIOMMU, data }).data;
      equal(new DataView(answer.buffer).getUint32(4, true), 0x1234_5678);
    },
  },
  {
    name: "a device has one virtual device, whose number has 64 bits and is no other's",
    run(t) {
      using w = mockWorld(t.kernel);
      using other = mockDevice(w.iommu, w.parent.ioas);
      const viommu = w.parent.createViommu(w.device, VIOMMU);
      const first = viommu.createDevice(w.device, LARGE);
      equal(errorOf(() => viommu.createDevice(w.device, 1n)), "EEXIST");
      equal(errorOf(() => viommu.createDevice(other, LARGE)), "EEXIST");
      equal(errorOf(() => w.iommu.destroy(viommu.id)), "EBUSY");
      first[Symbol.dispose]();
      viommu.createDevice(other, LARGE);
      viommu[Symbol.dispose]();
      equal(errorOf(() => viommu.createDevice(w.device, 1n)), "EBADF");
    },
  },
  {
    name: "an invalidation that fails says how many entries were done",
    run(t) {
      using w = mockWorld(t.kernel);
      const viommu = w.parent.createViommu(w.device, VIOMMU);
      viommu.createDevice(w.device, 0x99n);
      viommu.invalidate(entries([0, 0x99, 0], [1, 0x99, 0]));
      const error = thrown(() => viommu.invalidate(entries([0, 0x99, 0], [0, 0x99, 1], [0, 0x98, 2])));
      check(error instanceof IommuError, `${error} is an IommuError`);
      equal([error.code, error.values.done, error.values.count], ["EINVAL", 2, 3]);
    },
  },
  {
    name: "events come by the guest's number, in order, with how many were lost",
    run(t) {
      using w = mockWorld(t.kernel);
      const viommu = w.parent.createViommu(w.device, VIOMMU);
      const queue = viommu.createEventQueue(EVENTS);
      equal(errorOf(() => viommu.createEventQueue(EVENTS)), "EEXIST");
      viommu.createDevice(w.device, 0x77n);
      equal(w.device.replace(viommu.createNested(w.device, TABLE)), 0);
      const seen: unknown[] = [];
      for (const count of [1, 5, 1]) {
        for (let event = 0; event < count; event++) equal(w.device.trigger(), 0);
        for (let event = queue.take(); event !== undefined; event = queue.take()) seen.push([event.sequence, event.lost, event.data?.[0]]);
      }
      equal(seen, [[0, 0, 0x77], [1, 0, 0x77], [2, 0, 0x77], [5, 3, undefined], [6, 0, 0x77]]);
      equal(w.device.replace(w.parent.ioas), 0);
    },
  },
  {
    name: "waiting for an event ends with it, or with the queue",
    async run(t) {
      using w = mockWorld(t.kernel);
      const viommu = w.parent.createViommu(w.device, VIOMMU);
      const queue = viommu.createEventQueue(EVENTS);
      viommu.createDevice(w.device, 5n);
      equal(w.device.replace(viommu.createNested(w.device, TABLE)), 0);
      const waiting = queue.wait();
      equal(w.device.trigger(), 0);
      equal((await waiting)?.data?.[0], 5);
      const ended = queue.wait();
      queue[Symbol.dispose]();
      equal(await ended, undefined);
      equal(w.device.replace(w.parent.ioas), 0);
    },
  },
];

const QUEUES: Suite<Caller>["cases"] = [
  {
    name: "the memory of a queue for hardware stays mapped as long as the queue lives",
    run(t) {
      using w = mockWorld(t.kernel);
      const { ioas } = w.parent;
      const buffer = ioas.createDmaBuffer(PAGE, { iova: MEMORY });
      const viommu = w.parent.createViommu(w.device, VIOMMU);
      const queue = viommu.createHwQueue({ ...QUEUE, index: 0, iova: MEMORY });
      equal([queue.viommu, queue.index, queue.type], [viommu, 0, QUEUE.type]);
      equal([errorOf(() => ioas.unmap(MEMORY, PAGE)), buffer.isLive], ["EBUSY", true]);
      equal(errorOf(() => w.iommu.destroy(viommu.id)), "EBUSY");
      queue[Symbol.dispose]();
      queue[Symbol.dispose]();
      equal(ioas.unmap(MEMORY, PAGE), BigInt(PAGE));
    },
  },
  {
    name: "queues for hardware are made in their order, and each takes those behind it along",
    run(t) {
      using w = mockWorld(t.kernel);
      w.parent.ioas.createDmaBuffer(2 * PAGE, { iova: MEMORY });
      // The mock IOMMU gives the second number once.
      const [viommu, other] = [w.parent.createViommu(w.device, VIOMMU), w.parent.createViommu(w.device, VIOMMU)];
      const make = (index: number, iova = MEMORY, of = viommu) => of.createHwQueue({ ...QUEUE, index, iova });
      equal([errorOf(() => make(1)), errorOf(() => make(2))], ["EIO", "EINVAL"]);
      const [first, second] = [make(0), make(1, MEMORY + BigInt(PAGE))];
      equal([errorOf(() => make(1)), errorOf(() => w.iommu.destroy(first.id))], ["EEXIST", "EBUSY"]);
      first[Symbol.dispose]();
      equal(errorOf(() => w.iommu.destroy(second.id)), "ENOENT");
      for (const index of [0, 1]) make(index, MEMORY, other);
      other[Symbol.dispose]();
      equal(errorOf(() => make(0, MEMORY, other)), "EBADF");
    },
  },
  {
    name: "a queue for hardware is refused without memory, without length, and of another kind",
    run(t) {
      using w = mockWorld(t.kernel);
      const viommu = w.parent.createViommu(w.device, VIOMMU);
      const code = (options: Partial<HwQueueOptions>) =>
        errorOf(() => viommu.createHwQueue({ ...QUEUE, index: 0, iova: MEMORY, ...options }));
      equal([code({}), code({ length: 0 }), code({ type: 5 }), code({ iova: 2n ** 64n - 1n })], [
        "ENOENT",
        "EINVAL",
        "EOPNOTSUPP",
        "EOVERFLOW",
      ]);
    },
  },
];

/** Virtual IOMMUs through the typed API. */
export const SELFTEST_TYPED: Suite<Caller> = { name: "virtual IOMMUs, typed", cases: [...CASES, ...QUEUES] };
