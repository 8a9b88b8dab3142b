/**
 * ATTACH and DETACH with a PASID: what goes with what. Whether DMA with a PASID arrives is another question: the devices here have none.
 *
 * @module
 */
import { DEVICE_ATTACH_PASID, HWPT_ALLOC_PASID } from "../../uapi/codec.ts";
import { equal } from "../check.ts";
import type { Case, Suite } from "../harness.ts";
import type { Caller } from "./caller.ts";
import { PASID_TABLE } from "./hwpt_alloc.ts";
import { attach, type Bound, detach, iommuWithIoas, newHwpt, newIoas, NO_ID, openBound } from "./steps.ts";

/** Attach a PASID, whatever comes of it. */
function code(t: Caller, device: number, pasid: number, target: number): string {
  return t.ask(device, "DEVICE_ATTACH_IOMMUFD_PT", { flags: DEVICE_ATTACH_PASID, pt_id: target, pasid }).code;
}

function detachPasid(t: Caller, device: number, pasid: number): void {
  t.do(device, "DEVICE_DETACH_IOMMUFD_PT", { flags: 1, pasid });
}

interface Ready extends Bound {
  readonly iommu: number;
  readonly ioas: number;
  /** Two page tables that take PASIDs. */
  readonly tables: readonly [number, number];
}

/** A case on an IOMMU that has page tables for PASIDs; where it has none, that is what the case sees. */
function withTables(name: string, run: (t: Caller, ready: Ready) => void): Case<Caller> {
  return {
    name,
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const bound = openBound(t, iommu);
      const make = () => t.ask(iommu, "HWPT_ALLOC", { dev_id: bound.id, pt_id: ioas, flags: HWPT_ALLOC_PASID });
      const [one, two] = [make(), make()];
      equal([one.code, two.code], [t.expected(PASID_TABLE), t.expected(PASID_TABLE)]);
      if (one.code !== "OK") return;
      if (t.has("unattachable-pasids")) return equal(code(t, bound.device, 1, one.number("out_hwpt_id")), "EOPNOTSUPP");
      run(t, { ...bound, iommu, ioas, tables: [one.number("out_hwpt_id"), two.number("out_hwpt_id")] });
    },
  };
}

const CASES: Suite<Caller>["cases"] = [
  {
    name: "an automatic page table takes no PASIDs, and detaching one that is not attached is no error",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const { device } = openBound(t, iommu);
      const request = { flags: DEVICE_ATTACH_PASID, pt_id: ioas, pasid: 1 };
      t.refused("EINVAL", device, "DEVICE_ATTACH_IOMMUFD_PT", request);
      t.refused("EINVAL", device, "DEVICE_ATTACH_IOMMUFD_PT", request, { size: 12 });
      t.refused("ENOENT", device, "DEVICE_ATTACH_IOMMUFD_PT", { ...request, pt_id: NO_ID });
      detachPasid(t, device, 1);
      t.refused("EINVAL", device, "DEVICE_DETACH_IOMMUFD_PT", { flags: 1 }, { size: 8 });
      equal(newIoas(t, iommu), 3, "the id after failures");
      attach(t, device, ioas);
    },
  },
  withTables(
    "a PASID is attached, moved and detached, and holds its page table and the device",
    (t, { iommu, device, id, tables: [one, two] }) => {
      equal([code(t, device, 1, one), code(t, device, 2, two)], ["OK", "OK"]);
      equal([one, two, id].map((held) => t.ask(iommu, "DESTROY", { id: held }).code), ["EBUSY", "EBUSY", "EBUSY"]);
      equal(code(t, device, 1, two), "OK");
      t.do(iommu, "DESTROY", { id: one });
      detachPasid(t, device, 2);
      t.refused("EBUSY", iommu, "DESTROY", { id: two });
      detachPasid(t, device, 1);
      detachPasid(t, device, 1);
      t.do(iommu, "DESTROY", { id: two });
    },
  ),
  withTables("a device_fd that is closed lets go of its PASIDs", (t, { iommu, device, tables: [one] }) => {
    equal([code(t, device, 1, one), code(t, device, 77, one)], ["OK", "OK"]);
    t.close(device);
    t.do(iommu, "DESTROY", { id: one });
  }),
  withTables("page tables with PASIDs and without do not mix", (t, { iommu, ioas, device, id, tables: [one] }) => {
    const plain = newHwpt(t, iommu, id, ioas);
    equal(code(t, device, 1, plain), "EINVAL");
    attach(t, device, plain);
    equal(code(t, device, 1, one), "EINVAL");
    attach(t, device, one);
    equal(code(t, device, 1, one), "OK");
    for (const target of [plain, ioas]) t.refused("EINVAL", device, "DEVICE_ATTACH_IOMMUFD_PT", { pt_id: target });
    detach(t, device);
    t.refused("EINVAL", device, "DEVICE_ATTACH_IOMMUFD_PT", { pt_id: plain });
    detachPasid(t, device, 1);
    attach(t, device, plain);
  }),
  withTables("PASID 0 is the device itself, of which VFIO keeps an account for either name", (t, { device, tables: [one] }) => {
    equal(code(t, device, 0, one), "OK");
    t.refused("EBUSY", device, "DEVICE_ATTACH_IOMMUFD_PT", { pt_id: one });
    detach(t, device);
    t.refused("EBUSY", device, "DEVICE_ATTACH_IOMMUFD_PT", { pt_id: one });
    detachPasid(t, device, 0);
    attach(t, device, one);
    equal(code(t, device, 0, one), "EBUSY");
  }),
  withTables(
    "PASIDs of 31 bits are looked at, larger ones are ENOSPC, and one of those is taken for attached",
    (t, { device, tables: [one] }) => {
      equal(code(t, device, 2 ** 31, NO_ID), "ENOSPC");
      equal(code(t, device, 2 ** 32 - 1, one), "ENOSPC");
      equal(code(t, device, 2 ** 31 - 1, NO_ID), "ENOENT");
      const minusEinval = 2 ** 32 - 22;
      equal([code(t, device, minusEinval, NO_ID), code(t, device, minusEinval, one)], ["ENOENT", "EINVAL"]);
    },
  ),
  withTables("a device without PASIDs is attached with any, which means nothing to it", (t, { iommu, device, id, tables: [one] }) => {
    equal(t.do(iommu, "GET_HW_INFO", { dev_id: id }).number("out_max_pasid_log2"), 0);
    equal(code(t, device, 2 ** 31 - 1, one), "OK");
  }),
];

const GROUP: Suite<Caller>["cases"] = [
  {
    name: "devices of one requester share each PASID",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const [first, second] = t.devices.aliases.map((address) => openBound(t, iommu, address));
      const make = () => t.ask(iommu, "HWPT_ALLOC", { dev_id: first!.id, pt_id: ioas, flags: HWPT_ALLOC_PASID });
      const [one, two] = [make(), make()];
      equal(one.code, t.expected(PASID_TABLE));
      if (one.code !== "OK") return;
      if (t.has("unattachable-pasids")) return equal(code(t, first!.device, 1, one.number("out_hwpt_id")), "EOPNOTSUPP");
      const tables = [one.number("out_hwpt_id"), two.number("out_hwpt_id")];
      equal(code(t, first!.device, 4, tables[0]!), "OK");
      equal(code(t, second!.device, 4, tables[1]!), "EINVAL");
      equal(code(t, second!.device, 4, tables[0]!), "OK");
      equal(code(t, second!.device, 4, tables[1]!), "OK", "moves both");
      t.do(iommu, "DESTROY", { id: tables[0]! });
      detachPasid(t, first!.device, 4);
      t.refused("EBUSY", iommu, "DESTROY", { id: tables[1]! });
      detachPasid(t, second!.device, 4);
      t.do(iommu, "DESTROY", { id: tables[1]! });
    },
  },
];

/** PASIDs. */
export const PASIDS: Suite<Caller> = { name: "PASIDs", cases: [...CASES, ...GROUP] };
