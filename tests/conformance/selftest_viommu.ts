/**
 * Virtual IOMMUs of the mock IOMMU: what holds what, virtual devices, their caches, queues of events and for hardware, memory to map.
 *
 * @module
 */
import { HWPT_ALLOC_NEST_PARENT, IOAS_MAP_WRITEABLE } from "../../uapi/codec.ts";
import { MAP_PRIVATE, MAP_SHARED, PROT_READ, PROT_WRITE } from "../../uapi/kernel.ts";
import { equal } from "../check.ts";
import type { Suite } from "../harness.ts";
import { type Caller, codeOf } from "./caller.ts";
import { iommuWithIoas, mapAt, MAX64, newIoas, newMock, NO_ID, PAGE, PAGE64, unmap } from "./steps.ts";

/** What everything of the mock IOMMU's virtual ones is called, but for events. */
const SELFTEST = 0xdead_beef;
const EVENTS = 0xbeef_beef;
/** Data of its nested page tables. */
const DATA_SELFTEST = 0xdead;
const CACHE_DEFAULT = 0xba_ddad;

/** An iommufd with a mock device, a page table that is made to be a parent, and a virtual IOMMU on it. */
interface Guest {
  readonly iommu: number;
  readonly ioas: number;
  readonly stdev: number;
  readonly idev: number;
  readonly parent: number;
  readonly viommu: number;
}

function newParent(t: Caller, iommu: number, dev_id: number, pt_id: number): number {
  return t.do(iommu, "HWPT_ALLOC", { flags: HWPT_ALLOC_NEST_PARENT, dev_id, pt_id }).number("out_hwpt_id");
}

function newViommu(t: Caller, iommu: number, dev_id: number, hwpt_id: number): number {
  return t.do(iommu, "VIOMMU_ALLOC", { type: SELFTEST, dev_id, hwpt_id }).number("out_viommu_id");
}

function guest(t: Caller): Guest {
  const { iommu, ioas } = iommuWithIoas(t);
  const mock = newMock(t, iommu, ioas);
  const parent = newParent(t, iommu, mock.idev, ioas);
  return { iommu, ioas, ...mock, parent, viommu: newViommu(t, iommu, mock.idev, parent) };
}

function destroy(t: Caller, iommu: number, id: number): string {
  return t.ask(iommu, "DESTROY", { id }).code;
}

function newVdevice(t: Caller, { iommu, viommu, idev }: Pick<Guest, "iommu" | "viommu" | "idev">, virt_id: bigint): number {
  return t.do(iommu, "VDEVICE_ALLOC", { viommu_id: viommu, dev_id: idev, virt_id }).number("out_vdevice_id");
}

function newNested(t: Caller, iommu: number, dev_id: number, pt_id: number): number {
  const data = t.block(8);
  data.view.setUint32(0, 77, true);
  const fields = { dev_id, pt_id, data_type: DATA_SELFTEST, data_len: 4, data_uptr: data.address };
  return t.do(iommu, "HWPT_ALLOC", fields).number("out_hwpt_id");
}

function replace(t: Caller, iommu: number, id: number, pt_id: number): string {
  return t.ask(iommu, "TEST_CMD/TestMockDomainReplace", { id, pt_id }).code;
}

function newQueue(t: Caller, { iommu, viommu }: Guest, depth: number): { readonly queue: number; readonly fd: number } {
  const answer = t.do(iommu, "VEVENTQ_ALLOC", { viommu_id: viommu, type: EVENTS, veventq_depth: depth });
  return { queue: answer.number("out_veventq_id"), fd: t.adopt(answer.number("out_veventq_fd")) };
}

/** Read up to `length` bytes of events: flags and number of each, and what the guest calls the device. */
function read(t: Caller, fd: number, length: number): (number | undefined)[][] | string {
  using block = t.kernel.block(Math.max(length, 8));
  const result = t.kernel.read(fd, block, length);
  if (result < 0) return codeOf(result);
  const events: (number | undefined)[][] = [];
  for (let at = 0; at < result;) {
    const flags = block.view.getUint32(at, true);
    const lost = (flags & 1) !== 0;
    events.push([flags, block.view.getUint32(at + 4, true), lost ? undefined : block.view.getUint32(at + 8, true)]);
    at += lost ? 8 : 12;
  }
  return events;
}

const OBJECTS: Suite<Caller>["cases"] = [
  {
    name: "VIOMMU_ALLOC: each check in its order, and a parent must be made for it",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const { idev } = newMock(t, iommu, ioas);
      const plain = t.do(iommu, "HWPT_ALLOC", { dev_id: idev, pt_id: ioas }).number("out_hwpt_id");
      const parent = newParent(t, iommu, idev, ioas);
      const request = { type: SELFTEST, dev_id: idev, hwpt_id: parent };
      t.refused("EOPNOTSUPP", iommu, "VIOMMU_ALLOC", { ...request, flags: 1, dev_id: NO_ID });
      t.refused("EOPNOTSUPP", iommu, "VIOMMU_ALLOC", { ...request, type: 0, dev_id: NO_ID });
      t.refused("ENOENT", iommu, "VIOMMU_ALLOC", { ...request, type: 1, dev_id: NO_ID });
      t.refused("EOPNOTSUPP", iommu, "VIOMMU_ALLOC", { ...request, type: 1, hwpt_id: NO_ID });
      for (const hwpt_id of [NO_ID, ioas]) t.refused("ENOENT", iommu, "VIOMMU_ALLOC", { ...request, hwpt_id });
      t.refused("EINVAL", iommu, "VIOMMU_ALLOC", { ...request, hwpt_id: plain });
      for (const data_len of [4, 7, 25]) {
        t.refused("EINVAL", iommu, "VIOMMU_ALLOC", { ...request, data_len, data_uptr: t.block(32).address });
      }
      t.refused("EFAULT", iommu, "VIOMMU_ALLOC", { ...request, data_len: 8, data_uptr: 8n });
      equal(newIoas(t, iommu), parent + 1, "the id after failures");
      equal([destroy(t, iommu, newViommu(t, iommu, idev, parent)), destroy(t, iommu, parent)], ["OK", "OK"]);
    },
  },
  {
    name: "a virtual IOMMU holds its parent, and what is made of it holds it",
    run(t) {
      const { iommu, ioas, idev, parent, viommu } = guest(t);
      equal(destroy(t, iommu, parent), "EBUSY");
      const made = [newVdevice(t, { iommu, viommu, idev }, 5n), newNested(t, iommu, idev, viommu)];
      for (const id of made) {
        equal(destroy(t, iommu, viommu), "EBUSY");
        equal(destroy(t, iommu, id), "OK");
      }
      equal([viommu, parent].map((id) => destroy(t, iommu, id)), ["OK", "OK"]);
      equal(newIoas(t, iommu), ioas + 4);
    },
  },
  {
    name: "data comes back, with memory to map",
    run(t) {
      const { iommu, idev, parent, viommu } = guest(t);
      const data = t.block(24);
      data.view.setUint32(0, 0x1234_5678, true);
      const request = { type: SELFTEST, dev_id: idev, hwpt_id: parent, data_uptr: data.address };
      const second = t.do(iommu, "VIOMMU_ALLOC", { ...request, data_len: 24 }).number("out_viommu_id");
      const [length, offset] = [Number(data.view.getBigUint64(16, true)), Number(data.view.getBigUint64(8, true))];
      equal([data.view.getUint32(4, true), offset, length], [0x1234_5678, 4096, 8192]);
      const map = (length: number, at: number, flags = MAP_SHARED, prot = PROT_READ | PROT_WRITE) =>
        codeOf(t.tryMmap(0n, length, prot, flags, iommu, at));
      equal([map(4096, offset), map(length, 0), map(length, offset + 4096), map(4 * 4096, offset)], ["ENXIO", "ENXIO", "ENXIO", "ENXIO"]);
      equal([map(length, offset, MAP_PRIVATE), map(length, offset, MAP_SHARED, PROT_READ | 4)], ["EINVAL", "EPERM"]);
      const at = t.kernel.mmap(0n, length, PROT_READ | PROT_WRITE, MAP_SHARED, iommu, offset);
      const bytes = t.bytes(at, length);
      equal(new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true), 0x1234_5678);
      equal(destroy(t, iommu, second), "EBUSY");
      equal(t.kernel.munmap(at, length), 0);
      data.view.setUint32(0, 5, true);
      t.do(iommu, "VIOMMU_ALLOC", { ...request, data_len: 8 });
      equal([data.view.getUint32(4, true), data.view.getBigUint64(8, true)], [5, 4096n], "the rest of the data is not written");
      equal([destroy(t, iommu, second), destroy(t, iommu, viommu)], ["OK", "OK"]);
      t.do(iommu, "VIOMMU_ALLOC", { ...request, data_len: 24 });
      equal(data.view.getBigUint64(8, true), 4096n, "the lowest offset that is free");
    },
  },
  {
    name: "a nested page table of a virtual IOMMU takes the mock IOMMU's data and nothing else",
    run(t) {
      const { iommu, idev, viommu } = guest(t);
      const data = t.block(8);
      const request = { dev_id: idev, pt_id: viommu, data_type: DATA_SELFTEST, data_len: 4, data_uptr: data.address };
      t.refused("EOPNOTSUPP", iommu, "HWPT_ALLOC", { ...request, data_type: 0, data_len: 0 });
      t.refused("EOPNOTSUPP", iommu, "HWPT_ALLOC", { ...request, flags: HWPT_ALLOC_NEST_PARENT });
      t.refused("EOPNOTSUPP", iommu, "HWPT_ALLOC", { ...request, data_type: 1 });
      for (const data_len of [3, 12]) t.refused("EINVAL", iommu, "HWPT_ALLOC", { ...request, data_len });
      equal(newNested(t, iommu, idev, viommu), viommu + 1);
      t.do(iommu, "TEST_CMD/TestMdCheckIotlb", { id: viommu + 1, iotlb_id: 3, iotlb: 77 });
    },
  },
];

const DEVICES: Suite<Caller>["cases"] = [
  {
    name: "VDEVICE_ALLOC: a device has one virtual device, and a number names one device",
    run(t) {
      const { iommu, ioas, idev, parent, viommu } = guest(t);
      const other = newMock(t, iommu, ioas).idev;
      const code = (fields: Readonly<Record<string, number | bigint>>) =>
        t.ask(iommu, "VDEVICE_ALLOC", { viommu_id: viommu, dev_id: idev, virt_id: 7n, ...fields }).code;
      equal([code({ viommu_id: NO_ID, dev_id: NO_ID }), code({ viommu_id: parent }), code({ dev_id: ioas })], [
        "ENOENT",
        "ENOENT",
        "ENOENT",
      ]);
      equal([code({}), code({ virt_id: 8n }), code({ dev_id: other }), code({ dev_id: other, virt_id: 8n })], [
        "OK",
        "EEXIST",
        "EEXIST",
        "OK",
      ]);
      const second = newViommu(t, iommu, idev, parent);
      equal(code({ viommu_id: second, virt_id: 9n }), "EEXIST");
    },
  },
  {
    name: "a virtual device that its device leaves behind keeps its id for ever",
    run(t) {
      const { iommu, idev, stdev, viommu } = guest(t);
      const vdevice = newVdevice(t, { iommu, viommu, idev }, 7n);
      equal(destroy(t, iommu, stdev), "OK");
      equal([destroy(t, iommu, vdevice), destroy(t, iommu, viommu)], ["ENOENT", "OK"]);
      const given = Array.from({ length: 5 }, () => newIoas(t, iommu));
      equal(given.includes(vdevice), false, `${vdevice} is given out again`);
    },
  },
  {
    name: "a device comes to a nested page table of a virtual IOMMU only if that knows it",
    run(t) {
      const { iommu, idev, stdev, viommu } = guest(t);
      const nested = newNested(t, iommu, idev, viommu);
      equal(replace(t, iommu, stdev, nested), "ENOENT");
      const vdevice = newVdevice(t, { iommu, viommu, idev }, 7n);
      equal(replace(t, iommu, stdev, nested), "OK");
      equal([destroy(t, iommu, nested), destroy(t, iommu, vdevice)], ["EBUSY", "OK"]);
      equal(replace(t, iommu, stdev, nested), "OK", "no move");
    },
  },
];

const CACHES: Suite<Caller>["cases"] = [
  {
    name: "HWPT_INVALIDATE of a virtual IOMMU clears entries of its devices' caches, as many as are right",
    run(t) {
      const { iommu, idev, viommu } = guest(t);
      newVdevice(t, { iommu, viommu, idev }, 0x99n);
      const data = t.block(64);
      const entries = (...words: readonly (readonly [number, number, number])[]) => {
        words.flat().forEach((word, index) => data.view.setUint32(4 * index, word, true));
        return words.length;
      };
      const invalidate = (entry_num: number, fields: Readonly<Record<string, number | bigint>> = {}) => {
        const request = { hwpt_id: viommu, data_uptr: data.address, data_type: SELFTEST, entry_len: 12, entry_num, ...fields };
        const answer = t.ask(iommu, "HWPT_INVALIDATE", request);
        return [answer.code, answer.number("entry_num")];
      };
      const has = (cache_id: number, cache: number) => t.ask(iommu, "TEST_CMD/TestDevCheckCache", { id: idev, cache_id, cache }).code;
      equal([0, 3, 4].map((cache) => has(cache, CACHE_DEFAULT)), ["OK", "OK", "EINVAL"]);
      equal([invalidate(0), invalidate(0, { data_type: 1 })], [["OK", 0], ["EINVAL", 0]]);
      const count = entries([0, 0x99, 0], [0, 0x99, 1], [0, 0x98, 2]);
      equal(invalidate(count, { data_type: 1 }), ["EINVAL", 0]);
      equal(invalidate(count), ["EINVAL", 2]);
      equal([has(0, 0), has(1, 0), has(2, CACHE_DEFAULT)], ["OK", "OK", "OK"]);
      equal(invalidate(entries([2, 0x99, 0])), ["EOPNOTSUPP", 0]);
      equal(invalidate(entries([0, 0x99, 4])), ["EINVAL", 0]);
      equal(invalidate(entries([0, 0x99, 2]), { entry_len: 16 }), ["OK", 1]);
      data.view.setUint32(12, 1, true);
      equal(invalidate(1, { entry_len: 16 }), ["E2BIG", 0]);
      equal(invalidate(entries([1, 0x99, 0])), ["OK", 1]);
      equal(has(3, 0), "OK");
    },
  },
];

const EVENT_QUEUES: Suite<Caller>["cases"] = [
  {
    name: "VEVENTQ_ALLOC: one queue of a kind, which its file holds",
    run(t) {
      const all = guest(t);
      const { iommu, viommu } = all;
      const request = { viommu_id: viommu, type: EVENTS, veventq_depth: 2 };
      t.refused("ENOENT", iommu, "VEVENTQ_ALLOC", { ...request, viommu_id: NO_ID });
      const { queue, fd } = newQueue(t, all, 2);
      equal(queue, viommu + 1);
      t.refused("EEXIST", iommu, "VEVENTQ_ALLOC", request);
      const other = t.do(iommu, "VEVENTQ_ALLOC", { ...request, type: 1 });
      t.adopt(other.number("out_veventq_fd"));
      equal([destroy(t, iommu, queue), destroy(t, iommu, viommu)], ["EBUSY", "EBUSY"]);
      t.close(fd);
      equal(destroy(t, iommu, queue), "OK");
      newQueue(t, all, 1);
    },
  },
  {
    name: "events have numbers; a full queue says at its end that some were lost, and the numbers tell how many",
    async run(t) {
      const all = guest(t);
      const { iommu, idev, stdev, viommu } = all;
      const trigger = () => t.ask(iommu, "TEST_CMD/TestTriggerVevent", { dev_id: idev }).code;
      equal([t.ask(iommu, "TEST_CMD/TestTriggerVevent", { dev_id: NO_ID }).code, trigger()], ["ENOENT", "ENOENT"]);
      newVdevice(t, all, 0x77n);
      equal(replace(t, iommu, stdev, newNested(t, iommu, idev, viommu)), "OK");
      equal(trigger(), "EOPNOTSUPP");
      const { fd } = newQueue(t, all, 2);
      equal([read(t, fd, 7), read(t, fd, 8), trigger()], ["EINVAL", [], "OK"]);
      equal(await t.kernel.wait(fd), 0);
      equal([read(t, fd, 11), read(t, fd, 64)], ["EINVAL", [[0, 0, 0x77]]]);
      for (let event = 0; event < 5; event++) equal(trigger(), "OK");
      equal([read(t, fd, 19), trigger()], [[[0, 1, 0x77]], "OK"]);
      equal(read(t, fd, 64), [[0, 2, 0x77], [0, 6, 0x77]], "numbers 3 to 5 are lost");
      for (let event = 0; event < 4; event++) equal(trigger(), "OK");
      equal([read(t, fd, 24), read(t, fd, 8), read(t, fd, 64)], [[[0, 7, 0x77], [0, 8, 0x77]], [[1, 10, undefined]], []]);
      using block = t.kernel.block(8);
      equal(codeOf(t.kernel.write(fd, block, 8)), "EINVAL");
    },
  },
  {
    name: "a device that leaves its guest has no events for it, nor one that the guest calls 0",
    run(t) {
      const all = guest(t);
      const { iommu, ioas, idev, stdev, viommu } = all;
      const trigger = () => t.ask(iommu, "TEST_CMD/TestTriggerVevent", { dev_id: idev }).code;
      const nested = newNested(t, iommu, idev, viommu);
      const { fd } = newQueue(t, all, 4);
      const vdevice = newVdevice(t, all, 0n);
      equal([replace(t, iommu, stdev, nested), trigger()], ["OK", "ENOENT"]);
      equal([replace(t, iommu, stdev, ioas), destroy(t, iommu, vdevice)], ["OK", "OK"]);
      newVdevice(t, all, 3n);
      equal([replace(t, iommu, stdev, nested), trigger()], ["OK", "OK"]);
      equal([replace(t, iommu, stdev, ioas), trigger()], ["OK", "ENOENT"]);
      equal(read(t, fd, 64), [[0, 0, 3]]);
    },
  },
];

/** Where the memory of queues for hardware is mapped: in the mock IOMMU's aperture. */
const QUEUES = 0x200_0000n;

/** A guest with 4 pages mapped at {@linkcode QUEUES}, and at most one page of them in each queue: others may lie anywhere in a real machine. */
function guestWithMemory(
  t: Caller,
): Guest & { readonly memory: bigint; queue(fields?: Readonly<Record<string, number | bigint>>): string | number } {
  const all = guest(t);
  const memory = t.memory(4 * PAGE);
  mapAt(t, all.iommu, all.ioas, QUEUES, memory, 4 * PAGE);
  const request = { viommu_id: all.viommu, type: SELFTEST, nesting_parent_iova: QUEUES, length: PAGE };
  const queue = (fields = {}) => {
    const answer = t.ask(all.iommu, "HW_QUEUE_ALLOC", { ...request, ...fields });
    return answer.code === "OK" ? answer.number("out_hw_queue_id") : answer.code;
  };
  return { ...all, memory, queue };
}

const HW_QUEUES: Suite<Caller>["cases"] = [
  {
    name: "HW_QUEUE_ALLOC: each check in its order, and the numbers of the mock IOMMU",
    run(t) {
      const { iommu, viommu, parent, queue } = guestWithMemory(t);
      equal([queue({ viommu_id: parent, type: 1 }), queue({ type: 1, length: MAX64, nesting_parent_iova: 0n })], ["ENOENT", "EOPNOTSUPP"]);
      equal(queue({ index: 9, length: MAX64, nesting_parent_iova: 0n }), "ERANGE");
      equal(queue({ index: 9, length: MAX64 - PAGE64, nesting_parent_iova: PAGE64 }), "ENOMEM");
      equal([queue({ index: 9, nesting_parent_iova: QUEUES - 1n }), queue({ index: 2 }), queue({ index: 1 })], ["ENOENT", "EINVAL", "EIO"]);
      equal([queue(), queue(), queue({ index: 1 }), queue({ index: 1 })], [viommu + 1, "EEXIST", viommu + 3, "EEXIST"]);
      equal([viommu + 1, viommu + 2, viommu].map((id) => destroy(t, iommu, id)), ["EBUSY", "EBUSY", "EBUSY"]);
      equal([viommu + 3, viommu + 1, viommu].map((id) => destroy(t, iommu, id)), ["OK", "OK", "OK"]);
    },
  },
  {
    name: "the mock IOMMU takes a queue that goes for its first: that number can be had again, the other cannot",
    run(t) {
      const { iommu, viommu, queue } = guestWithMemory(t);
      const [first, second] = [Number(queue()), Number(queue({ index: 1 }))];
      equal([destroy(t, iommu, second), queue({ index: 1 })], ["OK", "EEXIST"]);
      const third = Number(queue());
      equal([destroy(t, iommu, first), queue({ index: 1 })], ["OK", "EEXIST"]);
      const fourth = Number(queue());
      equal([third, fourth, viommu].map((id) => destroy(t, iommu, id)), ["OK", "OK", "OK"]);
    },
  },
  {
    name: "what hardware works on stays mapped until its queue is gone",
    run(t) {
      const { iommu, ioas, memory, queue } = guestWithMemory(t);
      mapAt(t, iommu, ioas, 0x100_0000n, memory, PAGE);
      const id = queue({ nesting_parent_iova: QUEUES + PAGE64 + 8n, length: 64 });
      const code = (iova: bigint, length: number | bigint) => t.ask(iommu, "IOAS_UNMAP", { ioas_id: ioas, iova, length }).code;
      equal([code(QUEUES, 4 * PAGE), code(QUEUES, PAGE), code(QUEUES + PAGE64, 8 * PAGE)], ["EBUSY", "EBUSY", "EBUSY"]);
      equal([code(0n, MAX64), code(0x100_0000n, PAGE), destroy(t, iommu, ioas)], ["EBUSY", "ENOENT", "EBUSY"]);
      equal(destroy(t, iommu, Number(id)), "OK");
      equal(unmap(t, iommu, ioas, QUEUES, 4 * PAGE), 4n * PAGE64);
    },
  },
  {
    name: "the memory of a queue lies in one piece, in whole pages, and can be read",
    run(t) {
      const { iommu, ioas, memory, queue } = guestWithMemory(t);
      const at = QUEUES + 16n * PAGE64;
      for (const page of [0n, 1n]) mapAt(t, iommu, ioas, at + page * PAGE64, memory, PAGE);
      equal([queue({ nesting_parent_iova: at, length: 2 * PAGE }), queue({ nesting_parent_iova: at + PAGE64 - 1n, length: 2 })], [
        "EFAULT",
        "EFAULT",
      ]);
      mapAt(t, iommu, ioas, at + 2n * PAGE64, memory, PAGE, IOAS_MAP_WRITEABLE);
      equal(queue({ nesting_parent_iova: at + 2n * PAGE64 }), "EPERM");
      mapAt(t, iommu, ioas, 0x100_0800n, memory, 2048);
      equal(queue(), "EADDRINUSE");
      unmap(t, iommu, ioas, 0x100_0800n, 2048);
      const id = queue();
      const half = { ioas_id: ioas, flags: 7, user_va: memory, length: 2048, iova: 0x100_0800n };
      t.refused("EINVAL", iommu, "IOAS_MAP", half);
      equal(destroy(t, iommu, Number(id)), "OK");
      t.do(iommu, "IOAS_MAP", half);
    },
  },
  {
    name: "closing the file takes queues for hardware along",
    run(t) {
      const { iommu, queue, viommu } = guestWithMemory(t);
      equal([queue(), queue({ index: 1, nesting_parent_iova: QUEUES + PAGE64 })], [viommu + 1, viommu + 3]);
      t.close(iommu);
    },
  },
];

/** Virtual IOMMUs of the mock IOMMU. */
export const SELFTEST_VIOMMU: Suite<Caller> = {
  name: "mock virtual IOMMUs",
  cases: [...OBJECTS, ...DEVICES, ...CACHES, ...EVENT_QUEUES, ...HW_QUEUES],
};
