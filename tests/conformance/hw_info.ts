/**
 * GET_HW_INFO: what the IOMMU of a device is and can do.
 *
 * @module
 */
import { HW_INFO_FLAG_INPUT_TYPE, HW_INFO_TYPE_AMD, HW_INFO_TYPE_ARM_SMMUV3 } from "../../uapi/codec.ts";
import { check, equal } from "../check.ts";
import type { Suite } from "../harness.ts";
import type { Caller } from "./caller.ts";
import { NO_ID, openBound, PAGE } from "./steps.ts";

/** A bound device, and room for the answer filled with a mark. */
function prepared(t: Caller, length: number): { iommu: number; id: number; data: { address: bigint; bytes: Uint8Array } } {
  const iommu = t.iommu();
  const { id } = openBound(t, iommu);
  const data = t.block(length);
  data.bytes.fill(0xee);
  return { iommu, id, data };
}

/** GET_HW_INFO. */
export const HW_INFO: Suite<Caller> = {
  name: "GET_HW_INFO",
  cases: [
    {
      name: "the type and the true length come back, and data as much as fits",
      run(t) {
        const { type, dataLength } = t.setup.hardware;
        const { iommu, id, data } = prepared(t, 64);
        const full = t.do(iommu, "GET_HW_INFO", { dev_id: id, data_len: dataLength, data_uptr: data.address });
        equal([full.number("data_type"), full.number("data_len")], [type, dataLength]);
        const start = new Uint8Array(5);
        start.set(data.bytes.subarray(0, Math.min(5, dataLength)));
        equal(data.bytes.slice(dataLength), new Uint8Array(64 - dataLength).fill(0xee));
        data.bytes.fill(0xee);
        const short = t.do(iommu, "GET_HW_INFO", { dev_id: id, data_len: 5, data_uptr: data.address });
        equal(short.number("data_len"), dataLength);
        equal(data.bytes.slice(0, 5), start);
        equal(data.bytes.slice(5), new Uint8Array(59).fill(0xee));
      },
    },
    {
      name: "room behind the data is zeroed",
      run(t) {
        const { dataLength } = t.setup.hardware;
        const { iommu, id, data } = prepared(t, PAGE);
        t.do(iommu, "GET_HW_INFO", { dev_id: id, data_len: 2000, data_uptr: data.address });
        equal(data.bytes.slice(dataLength, 2000), new Uint8Array(2000 - dataLength));
        equal(data.bytes.slice(2000), new Uint8Array(PAGE - 2000).fill(0xee));
        check(dataLength === 0 || data.bytes.slice(0, dataLength).some((byte) => byte !== 0), "the description is empty");
      },
    },
    {
      name: "without room the length alone comes back, and no address is looked at",
      run(t) {
        const { iommu, id } = prepared(t, 1);
        equal(t.do(iommu, "GET_HW_INFO", { dev_id: id, data_uptr: 1n }).number("data_len"), t.setup.hardware.dataLength);
      },
    },
    {
      name: "the kernel's own type can be asked for, another is EOPNOTSUPP; without the flag, or with nothing to tell, nobody looks",
      run(t) {
        const { iommu, id } = prepared(t, 1);
        const { type } = t.setup.hardware;
        const other = type === HW_INFO_TYPE_ARM_SMMUV3 ? HW_INFO_TYPE_AMD : HW_INFO_TYPE_ARM_SMMUV3;
        const request = { dev_id: id, flags: HW_INFO_FLAG_INPUT_TYPE };
        equal(t.do(iommu, "GET_HW_INFO", { ...request, data_type: type }).number("data_type"), type);
        equal(t.do(iommu, "GET_HW_INFO", { ...request, data_type: 0 }).number("data_type"), type);
        equal(t.ask(iommu, "GET_HW_INFO", { ...request, data_type: other }).code, type === 0 ? "OK" : "EOPNOTSUPP");
        equal(t.do(iommu, "GET_HW_INFO", { dev_id: id, data_type: other }).number("data_type"), type);
      },
    },
    {
      name: "an unknown flag or a reserved field is EOPNOTSUPP, no such device ENOENT, no memory for the data EFAULT",
      run(t) {
        const { iommu, id } = prepared(t, 1);
        t.refused("EOPNOTSUPP", iommu, "GET_HW_INFO", { dev_id: NO_ID, flags: 2 });
        t.refused("EOPNOTSUPP", iommu, "GET_HW_INFO", { dev_id: NO_ID, __reserved: 1 });
        t.refused("ENOENT", iommu, "GET_HW_INFO", { dev_id: NO_ID, data_len: 8 });
        t.refused("EFAULT", iommu, "GET_HW_INFO", { dev_id: id, data_len: 8 });
        const edge = t.memory(2 * PAGE);
        t.kernel.munmap(edge + 4096n, PAGE);
        const at = edge + 4096n - BigInt(t.setup.hardware.dataLength);
        t.refused("EFAULT", iommu, "GET_HW_INFO", { dev_id: id, data_len: t.setup.hardware.dataLength + 1, data_uptr: at });
      },
    },
    {
      name: "a conventional device has no PASIDs and no address translation services",
      run(t) {
        const { iommu, id } = prepared(t, 1);
        const answer = t.do(iommu, "GET_HW_INFO", { dev_id: id });
        equal(answer.number("out_max_pasid_log2"), 0);
        equal(answer.big("out_capabilities") & 0xen, 8n);
      },
    },
  ],
};
