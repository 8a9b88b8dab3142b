/**
 * FAULT_QUEUE_ALLOC: queues of page faults, their files, and page tables that report to them.
 *
 * @module
 */
import { HWPT_FAULT_ID_VALID } from "../../uapi/codec.ts";
import { equal } from "../check.ts";
import type { Suite } from "../harness.ts";
import { type Caller, codeOf } from "./caller.ts";
import type { Depends } from "./setup.ts";
import { attach, iommuWithIoas, newIoas, openBound, PAGE } from "./steps.ts";

/** What a device without page requests is answered. */
const PLAIN_DEVICE: Depends<string> = {
  feature: "page-request-check",
  with: "ENODEV",
  without: "OK",
  why: "Intel's driver looks whether the device can ask for pages, AMD's does not",
};

/** Make a queue. Returns the object's id and the file. */
export function newFaultQueue(t: Caller, iommu: number): { queue: number; fd: number } {
  const answer = t.do(iommu, "FAULT_QUEUE_ALLOC");
  return { queue: answer.number("out_fault_id"), fd: t.adopt(answer.number("out_fault_fd")) };
}

/** Make a page table that reports to a queue. Returns its id. */
export function newFaultingHwpt(t: Caller, iommu: number, device: number, ioas: number, queue: number): number {
  const fields = { flags: HWPT_FAULT_ID_VALID, dev_id: device, pt_id: ioas, fault_id: queue };
  return t.do(iommu, "HWPT_ALLOC", fields).number("out_hwpt_id");
}

const QUEUES: Suite<Caller>["cases"] = [
  {
    name: "flags are EOPNOTSUPP; a queue takes an id, and is EBUSY while its file is open",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      t.refused("EOPNOTSUPP", iommu, "FAULT_QUEUE_ALLOC", { flags: 1 });
      const { queue, fd } = newFaultQueue(t, iommu);
      equal(queue, ioas + 1);
      t.refused("EBUSY", iommu, "DESTROY", { id: queue });
      t.close(fd);
      t.do(iommu, "DESTROY", { id: queue });
      equal(newIoas(t, iommu), queue);
    },
  },
  {
    name: "an empty queue reads as nothing, whole records only; what answers no fault is EINVAL",
    run(t) {
      const { fd } = newFaultQueue(t, t.iommu());
      const block = t.block(128);
      const read = (length: number) => t.kernel.read(fd, block, length);
      const write = (length: number) => codeOf(t.kernel.write(fd, block, length));
      equal([0, 40, 80].map(read), [0, 0, 0]);
      equal([1, 8, 39, 41].map((length) => codeOf(read(length))), ["ESPIPE", "ESPIPE", "ESPIPE", "ESPIPE"]);
      equal([4, 12].map(write), ["ESPIPE", "ESPIPE"]);
      equal([0, 8, 16].map(write), ["OK", "EINVAL", "EINVAL"]);
      block.view.setUint32(4, 2, true);
      equal(write(8), "EINVAL");
      t.refused("ENOTTY", fd, "IOAS_ALLOC");
    },
  },
  {
    name: "waiting for faults ends with the file",
    async run(t) {
      const { fd } = newFaultQueue(t, t.iommu());
      const waiting = t.kernel.wait(fd);
      t.close(fd);
      equal(codeOf(await waiting), "EBADF");
    },
  },
  {
    name: "the file of a queue outlives that of its iommufd",
    run(t) {
      const iommu = t.iommu();
      const { fd } = newFaultQueue(t, iommu);
      t.close(iommu);
      equal(t.kernel.read(fd, t.block(40), 40), 0);
    },
  },
];

const TABLES: Suite<Caller>["cases"] = [
  {
    name: "a page table holds the queue that it reports to",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const { id } = openBound(t, iommu);
      const { queue, fd } = newFaultQueue(t, iommu);
      const request = { flags: HWPT_FAULT_ID_VALID, dev_id: id, pt_id: ioas, fault_id: queue };
      if (t.setup.features.has("plain-tables")) return t.refused("EOPNOTSUPP", iommu, "HWPT_ALLOC", request);
      const hwpt = newFaultingHwpt(t, iommu, id, ioas, queue);
      t.close(fd);
      t.refused("EBUSY", iommu, "DESTROY", { id: queue });
      t.do(iommu, "DESTROY", { id: hwpt });
      t.do(iommu, "DESTROY", { id: queue });
    },
  },
  {
    name: "nothing can be attached to a queue, and no page table made of one",
    run(t) {
      const iommu = t.iommu();
      const { device, id } = openBound(t, iommu);
      const { queue } = newFaultQueue(t, iommu);
      t.refused("EINVAL", device, "DEVICE_ATTACH_IOMMUFD_PT", { pt_id: queue });
      t.refused("EINVAL", iommu, "HWPT_ALLOC", { dev_id: id, pt_id: queue });
    },
  },
  {
    name: "a device that does not ask for pages is attached to such a table or not, as the driver looks; it can be attached elsewhere",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const { device, id } = openBound(t, iommu);
      if (t.setup.features.has("plain-tables")) return;
      const { queue } = newFaultQueue(t, iommu);
      const hwpt = newFaultingHwpt(t, iommu, id, ioas, queue);
      const code = () => t.ask(device, "DEVICE_ATTACH_IOMMUFD_PT", { pt_id: hwpt }).code;
      equal(code(), t.expected(PLAIN_DEVICE));
      const other = newIoas(t, iommu);
      attach(t, device, other);
      equal(code(), t.expected(PLAIN_DEVICE));
      const va = t.memory(PAGE);
      t.do(iommu, "IOAS_MAP", { ioas_id: other, flags: 7, user_va: va, length: PAGE, iova: 0x10000n });
    },
  },
];

/** FAULT_QUEUE_ALLOC. */
export const FAULT_QUEUES: Suite<Caller> = { name: "fault queues", cases: [...QUEUES, ...TABLES] };
