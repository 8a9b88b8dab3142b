/**
 * Page faults of mock devices: what a queue delivers, how it is answered, and what ends a fault.
 *
 * @module
 */
import type { Block } from "../../uapi/kernel.ts";
import { check, equal } from "../check.ts";
import type { Suite } from "../harness.ts";
import { type Caller, codeOf } from "./caller.ts";
import { newFaultingHwpt, newFaultQueue } from "./fault_queues.ts";
import { iommuWithIoas, newMock, NO_ID, PAGE } from "./steps.ts";

const RECORD = 40;
const RESPONSE = 8;
const [SUCCESS, INVALID] = [0, 1];

/** A fault as it was read. */
interface Fault {
  readonly flags: number;
  readonly device: number;
  readonly pasid: number;
  readonly group: number;
  readonly perm: number;
  readonly address: bigint;
  readonly cookie: number;
}

/** A mock device on a page table that reports to a queue. */
interface Faulting {
  readonly iommu: number;
  readonly ioas: number;
  readonly stdev: number;
  readonly idev: number;
  readonly queue: number;
  readonly fd: number;
  readonly hwpt: number;
}

function replace(t: Caller, iommu: number, stdev: number, target: number): void {
  t.do(iommu, "TEST_CMD/TestMockDomainReplace", { id: stdev, pt_id: target });
}

function faulting(t: Caller): Faulting {
  const { iommu, ioas } = iommuWithIoas(t);
  const mock = newMock(t, iommu, ioas);
  const { queue, fd } = newFaultQueue(t, iommu);
  const hwpt = newFaultingHwpt(t, iommu, mock.idev, ioas, queue);
  replace(t, iommu, mock.stdev, hwpt);
  return { iommu, ioas, ...mock, queue, fd, hwpt };
}

function trigger(t: Caller, iommu: number, device: number, fields: Readonly<Record<string, number | bigint>> = {}): string {
  return t.ask(iommu, "TEST_CMD/TestTriggerIopf", { dev_id: device, perm: 1, ...fields }).code;
}

/** Read up to `count` faults. */
function read(t: Caller, fd: number, count: number): Fault[] | string {
  using block = t.kernel.block(Math.max(count * RECORD, 8));
  const length = t.kernel.read(fd, block, count * RECORD);
  if (length < 0) return codeOf(length);
  return Array.from({ length: length / RECORD }, (_, index) => {
    const word = (number: number) => block.view.getUint32(index * RECORD + 4 * number, true);
    equal([word(5), word(8)], [0, 0], "reserved and length");
    const address = block.view.getBigUint64(index * RECORD + 24, true);
    return { flags: word(0), device: word(1), pasid: word(2), group: word(3), perm: word(4), address, cookie: word(9) };
  });
}

function cookies(t: Caller, fd: number, count: number): number[] | string {
  const faults = read(t, fd, count);
  return typeof faults === "string" ? faults : faults.map(({ cookie }) => cookie);
}

/** Answer groups. How many were taken, or the error. */
function answer(t: Caller, fd: number, ...answers: readonly (readonly [number, number])[]): number | string {
  using block = t.kernel.block(RESPONSE * answers.length);
  answers.forEach(([cookie, code], index) => {
    block.view.setUint32(RESPONSE * index, cookie, true);
    block.view.setUint32(RESPONSE * index + 4, code, true);
  });
  const length = t.kernel.write(fd, block, RESPONSE * answers.length);
  return length < 0 ? codeOf(length) : length / RESPONSE;
}

const DELIVERY: Suite<Caller>["cases"] = [
  {
    name: "a fault says who wanted what where, and that it is the last of its group",
    async run(t) {
      const { iommu, idev, fd } = faulting(t);
      equal(trigger(t, iommu, NO_ID), "ENOENT");
      equal(trigger(t, iommu, idev, { grpid: 0x1ff, perm: 0xffff_fff3, addr: 2n ** 64n - 1n }), "OK");
      equal(await t.kernel.wait(fd), 0);
      const fault = { flags: 2, device: idev, pasid: 0, group: 0x1ff, perm: 0xffff_fff3, address: 2n ** 64n - 1n, cookie: 1 };
      equal(read(t, fd, 1), [fault]);
      equal(read(t, fd, 1), []);
    },
  },
  {
    name: "a fault of a PASID that is not attached goes nowhere",
    run(t) {
      const { iommu, idev, fd } = faulting(t);
      for (const pasid of [1, 0xffff_ffff]) equal(trigger(t, iommu, idev, { pasid }), "OK");
      equal(read(t, fd, 1), []);
    },
  },
  {
    name: "faults come in order, as many as fit; a read without room for one is EINVAL",
    run(t) {
      const { iommu, idev, fd } = faulting(t);
      for (const grpid of [5, 6, 7]) trigger(t, iommu, idev, { grpid });
      equal(read(t, fd, 0), "EINVAL");
      equal(cookies(t, fd, 2), [1, 2]);
      equal(cookies(t, fd, 2), [3]);
      equal(cookies(t, fd, 0), []);
    },
  },
  {
    name: "a page table without a queue reports nothing, and one with a queue only to its own",
    run(t) {
      const { iommu, ioas, stdev, idev, fd } = faulting(t);
      const second = newFaultQueue(t, iommu);
      replace(t, iommu, stdev, ioas);
      trigger(t, iommu, idev);
      replace(t, iommu, stdev, newFaultingHwpt(t, iommu, idev, ioas, second.queue));
      trigger(t, iommu, idev);
      equal([cookies(t, fd, 1), cookies(t, second.fd, 1)], [[], [1]]);
    },
  },
];

const ANSWERS: Suite<Caller>["cases"] = [
  {
    name: "a group is answered once, by its cookie; cookies are the lowest that are free",
    run(t) {
      const { iommu, idev, fd } = faulting(t);
      for (let group = 0; group < 3; group++) trigger(t, iommu, idev);
      cookies(t, fd, 3);
      equal(answer(t, fd, [2, SUCCESS]), 1);
      equal([answer(t, fd, [2, SUCCESS]), answer(t, fd, [99, SUCCESS])], ["EINVAL", "EINVAL"]);
      trigger(t, iommu, idev);
      equal(cookies(t, fd, 1), [2]);
      equal(answer(t, fd, [1, INVALID], [2, SUCCESS], [3, INVALID]), 3);
    },
  },
  {
    name: "a write ends at the first answer that is wrong, and those before count",
    run(t) {
      const { iommu, idev, fd } = faulting(t);
      for (let group = 0; group < 2; group++) trigger(t, iommu, idev);
      cookies(t, fd, 2);
      equal(answer(t, fd, [1, SUCCESS], [1, SUCCESS], [2, SUCCESS]), 1);
      equal(answer(t, fd, [2, 2]), "EINVAL");
      equal(answer(t, fd, [2, 15], [2, SUCCESS]), "EINVAL");
      equal(answer(t, fd, [2, SUCCESS], [9, SUCCESS]), 1);
    },
  },
];

const ZERO: Suite<Caller>["cases"] = [
  {
    name: "an answer to cookie 0, which is none, makes it one while others wait, and for ever",
    run(t) {
      const { iommu, idev, fd } = faulting(t);
      const next = () => (trigger(t, iommu, idev), cookies(t, fd, 1));
      equal([answer(t, fd, [0, SUCCESS]), next()], ["EINVAL", [1]], "nothing waits");
      equal([answer(t, fd, [0, SUCCESS]), next(), next()], ["EINVAL", [0], [2]]);
      equal(answer(t, fd, [1, SUCCESS], [0, SUCCESS], [2, SUCCESS]), 3);
      equal([next(), next(), answer(t, fd, [0, SUCCESS]), next()], [[0], [1], 1, [0]]);
    },
  },
];

const ENDS: Suite<Caller>["cases"] = [
  {
    name: "moving a device elsewhere ends its faults, read or not, and no others",
    run(t) {
      const { iommu, ioas, stdev, idev, fd, hwpt, queue } = faulting(t);
      const other = newMock(t, iommu, hwpt);
      const next = newFaultingHwpt(t, iommu, idev, ioas, queue);
      for (const device of [idev, other.idev, idev]) trigger(t, iommu, device);
      equal(cookies(t, fd, 2), [1, 2]);
      replace(t, iommu, stdev, next);
      equal(answer(t, fd, [1, SUCCESS]), "EINVAL");
      equal(cookies(t, fd, 1), []);
      equal(answer(t, fd, [2, SUCCESS]), 1);
      trigger(t, iommu, idev);
      replace(t, iommu, stdev, next);
      equal(cookies(t, fd, 1), [1], "the same page table is no move");
    },
  },
  {
    name: "a device that goes takes its faults along",
    run(t) {
      const { iommu, stdev, idev, fd } = faulting(t);
      trigger(t, iommu, idev);
      equal(cookies(t, fd, 1), [1]);
      t.do(iommu, "DESTROY", { id: stdev });
      equal(answer(t, fd, [1, SUCCESS]), "EINVAL");
      equal(trigger(t, iommu, idev), "ENOENT");
    },
  },
  {
    name: "without the file faults wait for the end of the attachment; the object stays for its page tables",
    run(t) {
      const { iommu, stdev, idev, fd, queue, hwpt } = faulting(t);
      t.close(fd);
      equal(trigger(t, iommu, idev), "OK");
      t.refused("EBUSY", iommu, "DESTROY", { id: queue });
      t.do(iommu, "DESTROY", { id: stdev });
      t.do(iommu, "DESTROY", { id: hwpt });
      t.do(iommu, "DESTROY", { id: queue });
    },
  },
  {
    name: "a queue works on when the file of its iommufd is closed",
    run(t) {
      const { iommu, idev, fd } = faulting(t);
      for (let group = 0; group < 2; group++) trigger(t, iommu, idev);
      t.close(iommu);
      equal(cookies(t, fd, 1), [1]);
      equal(answer(t, fd, [1, SUCCESS]), 1);
      equal(cookies(t, fd, 1), [1]);
    },
  },
  {
    name: "what a reader has no memory for stays in the queue",
    run(t) {
      const { iommu, idev, fd } = faulting(t);
      trigger(t, iommu, idev);
      const at = t.memory(2 * PAGE);
      equal(t.kernel.munmap(at + BigInt(PAGE), PAGE), 0);
      const { bytes, view } = t.block(RECORD);
      const beyond: Block = { address: at + BigInt(PAGE) - 8n, bytes, view, [Symbol.dispose]() {} };
      const result = t.kernel.read(fd, beyond, RECORD);
      check(result < 0, "the end of memory was read over");
      equal([codeOf(result), cookies(t, fd, 1)], ["EFAULT", [1]]);
    },
  },
];

/** Page faults of mock devices. */
export const SELFTEST_FAULTS: Suite<Caller> = { name: "mock page faults", cases: [...DELIVERY, ...ANSWERS, ...ZERO, ...ENDS] };
