/**
 * Ids of objects, who holds them, and what DESTROY refuses.
 *
 * @module
 */
import { equal } from "../check.ts";
import type { Suite } from "../harness.ts";
import type { Caller } from "./caller.ts";
import { attach, attached, detach, iommuWithIoas, mapAt, newHwpt, newIoas, NO_ID, openBound, PAGE, PAGE64, USER_BASE } from "./steps.ts";

function destroy(t: Caller, iommu: number, id: number): void {
  t.do(iommu, "DESTROY", { id });
}

const IDS: Suite<Caller>["cases"] = [
  {
    name: "ids count from 1 in each iommufd, whatever kind the objects are",
    run(t) {
      const [one, other] = [t.iommu(), t.iommu()];
      equal([newIoas(t, one), newIoas(t, one), newIoas(t, other)], [1, 2, 1]);
      const { id } = openBound(t, one);
      equal(id, 3);
      equal(newHwpt(t, one, id, 1), 4);
    },
  },
  {
    name: "a new object takes the lowest id that is free",
    run(t) {
      const iommu = t.iommu();
      for (let id = 1; id <= 5; id++) equal(newIoas(t, iommu), id);
      for (const id of [4, 2]) destroy(t, iommu, id);
      equal([newIoas(t, iommu), newIoas(t, iommu), newIoas(t, iommu)], [2, 4, 6]);
    },
  },
  {
    name: "a request that fails after it took an id gives it back",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const { id } = openBound(t, iommu);
      // Areas of single bytes do not fit the pages of a table, which is found out after the table has its id.
      t.do(iommu, "IOAS_MAP", { ioas_id: ioas, flags: 6, user_va: USER_BASE + 1n, length: 1 });
      equal(t.ask(iommu, "HWPT_ALLOC", { dev_id: id, pt_id: ioas }).code, "EADDRINUSE");
      equal(newIoas(t, iommu), id + 1);
    },
  },
  {
    name: "an id of one iommufd means nothing to another",
    run(t) {
      const [one, other] = [t.iommu(), t.iommu()];
      const ioas = newIoas(t, one);
      t.refused("ENOENT", other, "IOAS_UNMAP", { ioas_id: ioas, length: PAGE });
      t.refused("ENOENT", other, "DESTROY", { id: ioas });
    },
  },
  {
    name: "an id of another kind of object is ENOENT",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const { id } = openBound(t, iommu);
      const hwpt = newHwpt(t, iommu, id, ioas);
      for (const wrong of [id, hwpt, 0, NO_ID]) t.refused("ENOENT", iommu, "IOAS_UNMAP", { ioas_id: wrong, length: PAGE });
      for (const wrong of [ioas, hwpt, 0, NO_ID]) t.refused("ENOENT", iommu, "GET_HW_INFO", { dev_id: wrong });
    },
  },
];

const DESTROYING: Suite<Caller>["cases"] = [
  {
    name: "DESTROY of an id that is not there, or not any more, is ENOENT",
    run(t) {
      const iommu = t.iommu();
      const ioas = newIoas(t, iommu);
      destroy(t, iommu, ioas);
      for (const id of [ioas, 0, NO_ID, 0xffff_ffff]) t.refused("ENOENT", iommu, "DESTROY", { id });
    },
  },
  {
    name: "an IOAS goes with its mappings",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      mapAt(t, iommu, ioas, 0x10000n, t.memory(PAGE), PAGE);
      destroy(t, iommu, ioas);
      t.refused("ENOENT", iommu, "IOAS_UNMAP", { ioas_id: ioas, iova: 0x10000n, length: PAGE });
    },
  },
  {
    name: "an IOAS that has a page table is EBUSY",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const { id } = openBound(t, iommu);
      const hwpt = newHwpt(t, iommu, id, ioas);
      t.refused("EBUSY", iommu, "DESTROY", { id: ioas });
      destroy(t, iommu, hwpt);
      destroy(t, iommu, ioas);
    },
  },
  {
    name: "a page table that a device is attached to is EBUSY, and stays when the device leaves",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const { device, id } = openBound(t, iommu);
      const hwpt = newHwpt(t, iommu, id, ioas);
      attach(t, device, hwpt);
      t.refused("EBUSY", iommu, "DESTROY", { id: hwpt });
      detach(t, device);
      destroy(t, iommu, hwpt);
    },
  },
  {
    name: "an automatic page table is EBUSY while it is used, and gone when its last device leaves",
    run(t) {
      const { iommu, ioas, device, hwpt } = attached(t);
      t.refused("EBUSY", iommu, "DESTROY", { id: hwpt });
      t.refused("EBUSY", iommu, "DESTROY", { id: ioas });
      detach(t, device);
      t.refused("ENOENT", iommu, "DESTROY", { id: hwpt });
      destroy(t, iommu, ioas);
    },
  },
  {
    name: "a bound device is EBUSY, attached or not, and gone when its fd is closed",
    run(t) {
      const { iommu, ioas, device, id } = attached(t);
      t.refused("EBUSY", iommu, "DESTROY", { id });
      detach(t, device);
      t.refused("EBUSY", iommu, "DESTROY", { id });
      t.close(device);
      t.refused("ENOENT", iommu, "DESTROY", { id });
      destroy(t, iommu, ioas);
    },
  },
  {
    name: "copies in another IOAS survive the IOAS that they were copied from",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const copy = newIoas(t, iommu);
      mapAt(t, iommu, ioas, 0n, t.memory(PAGE), PAGE);
      t.do(iommu, "IOAS_COPY", { flags: 7, dst_ioas_id: copy, src_ioas_id: ioas, length: PAGE, dst_iova: 0x5000n });
      destroy(t, iommu, ioas);
      equal(t.do(iommu, "IOAS_UNMAP", { ioas_id: copy, iova: 0x5000n, length: PAGE }).big("length"), PAGE64);
    },
  },
];

/** Objects. */
export const OBJECTS: Suite<Caller> = { name: "objects", cases: [...IDS, ...DESTROYING] };
