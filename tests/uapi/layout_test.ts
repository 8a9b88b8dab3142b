/**
 * The schema against numbers that were not made from it: what Linux 7.3's headers give, written down by hand.
 */
import { deepStrictEqual, strictEqual } from "node:assert/strict";
import {
  DESCRIBED,
  fieldBytes,
  minimumBytes,
  placed,
  requestNumber,
  requestNumbered,
  structBytes,
  structIn,
  structOf,
} from "../../uapi/schema/layout.ts";
import { pointedMemory } from "../../uapi/pointed.ts";

/** number, name, fields that do not simply follow as u32, bytes, minimum. */
const LINUX: readonly (readonly [number, string, string, number, number])[] = [
  [0x3b80, "DESTROY", "id@4", 8, 8],
  [0x3b81, "IOAS_ALLOC", "out_ioas_id@8", 12, 12],
  [0x3b82, "IOAS_ALLOW_IOVAS", "num_iovas@8 allowed_iovas@16", 24, 24],
  [0x3b83, "IOAS_COPY", "dst_ioas_id@8 src_ioas_id@12 length@16 dst_iova@24 src_iova@32", 40, 40],
  [0x3b84, "IOAS_IOVA_RANGES", "ioas_id@4 num_iovas@8 allowed_iovas@16 out_iova_alignment@24", 32, 32],
  [0x3b85, "IOAS_MAP", "flags@4 ioas_id@8 user_va@16 length@24 iova@32", 40, 40],
  [0x3b86, "IOAS_UNMAP", "ioas_id@4 iova@8 length@16", 24, 24],
  [0x3b87, "OPTION", "option_id@4 op@8 object_id@12 val64@16", 24, 24],
  [0x3b88, "VFIO_IOAS", "ioas_id@4 op@8 __reserved@10", 12, 12],
  [0x3b89, "HWPT_ALLOC", "dev_id@8 pt_id@12 out_hwpt_id@16 data_type@24 data_len@28 data_uptr@32 fault_id@40 __reserved2@44", 48, 24],
  [0x3b8a, "GET_HW_INFO", "data_len@12 data_uptr@16 data_type@24 out_max_pasid_log2@28 __reserved@29 out_capabilities@32", 40, 32],
  [0x3b8b, "HWPT_SET_DIRTY_TRACKING", "flags@4 hwpt_id@8", 16, 16],
  [0x3b8c, "HWPT_GET_DIRTY_BITMAP", "hwpt_id@4 flags@8 iova@16 length@24 page_size@32 data@40", 48, 48],
  [0x3b8d, "HWPT_INVALIDATE", "data_uptr@8 data_type@16 entry_len@20 entry_num@24", 32, 32],
  [0x3b8e, "FAULT_QUEUE_ALLOC", "out_fault_id@8 out_fault_fd@12", 16, 16],
  [0x3b8f, "IOAS_MAP_FILE", "fd@12 start@16 length@24 iova@32", 40, 40],
  [0x3b90, "VIOMMU_ALLOC", "type@8 dev_id@12 hwpt_id@16 out_viommu_id@20 data_len@24 data_uptr@32", 40, 24],
  [0x3b91, "VDEVICE_ALLOC", "viommu_id@4 dev_id@8 out_vdevice_id@12 virt_id@16", 24, 24],
  [0x3b92, "IOAS_CHANGE_PROCESS", "__reserved@4", 8, 8],
  [0x3b93, "VEVENTQ_ALLOC", "viommu_id@8 type@12 veventq_depth@16 out_veventq_id@20 out_veventq_fd@24", 32, 28],
  [0x3b94, "HW_QUEUE_ALLOC", "index@16 out_hw_queue_id@20 nesting_parent_iova@24 length@32", 40, 40],
  [0x3b95, "IOAS_NOIOMMU_GET_PA", "ioas_id@8 iova@16 length@24 out_phys@32", 40, 40],
  [0x3b6b, "DEVICE_GET_INFO", "flags@4 num_regions@8 num_irqs@12 cap_offset@16", 24, 16],
  [0x3b6c, "DEVICE_GET_REGION_INFO", "index@8 cap_offset@12 size@16 offset@24", 32, 32],
  [0x3b6d, "DEVICE_GET_IRQ_INFO", "index@8 count@12", 16, 16],
  [0x3b6e, "DEVICE_SET_IRQS", "index@8 start@12 count@16", 20, 20],
  [0x3b6f, "DEVICE_RESET", "", 0, 0],
  [0x3b70, "DEVICE_GET_PCI_HOT_RESET_INFO", "count@8", 12, 12],
  [0x3b71, "DEVICE_PCI_HOT_RESET", "count@8", 12, 12],
  [0x3b75, "DEVICE_FEATURE", "flags@4", 8, 8],
  [0x3b76, "DEVICE_BIND_IOMMUFD", "iommufd@8 out_devid@12 token_uuid_ptr@16", 24, 16],
  [0x3b77, "DEVICE_ATTACH_IOMMUFD_PT", "pt_id@8 pasid@12", 16, 12],
  [0x3b78, "DEVICE_DETACH_IOMMUFD_PT", "flags@4 pasid@8", 12, 8],
  [0x3ba0, "TEST_CMD", "op@4 id@8 last@64", 72, 68],
];

/** Operation of TEST_CMD, its struct, where the members of its union are. */
const OPERATIONS: readonly (readonly [number, string, string])[] = [
  [1, "TestAddReserved", "start@16 length@24"],
  [2, "TestMockDomain", "out_stdev_id@16 out_hwpt_id@20 out_idev_id@24"],
  [3, "TestMdCheckMap", "iova@16 length@24 uptr@32"],
  [4, "TestMdCheckRefs", "length@16 uptr@24 refs@32"],
  [5, "TestCreateAccess", "out_access_fd@16 flags@20"],
  [6, "TestDestroyAccessPages", "access_pages_id@16"],
  [7, "TestAccessPages", "flags@16 out_access_pages_id@20 iova@24 length@32 uptr@40"],
  [8, "TestAccessRw", "iova@16 length@24 uptr@32 flags@40"],
  [9, "TestSetTempMemoryLimit", "limit@16"],
  [10, "TestMockDomainReplace", "pt_id@16"],
  [11, "TestAccessReplaceIoas", "ioas_id@16"],
  [12, "TestMockDomainFlags", "out_stdev_id@16 out_hwpt_id@20 out_idev_id@24 dev_flags@28"],
  [13, "TestDirty", "flags@16 iova@24 length@32 page_size@40 uptr@48 out_nr_dirty@56"],
  [14, "TestMdCheckIotlb", "iotlb_id@16 iotlb@20"],
  [15, "TestTriggerIopf", "dev_id@16 pasid@20 grpid@24 perm@28 addr@32"],
  [16, "TestDevCheckCache", "cache_id@16 cache@20"],
  [17, "TestTriggerVevent", "dev_id@16"],
  [18, "TestPasidAttach", "pasid@16 pt_id@20"],
  [19, "TestPasidReplace", "pasid@16 pt_id@20"],
  [20, "TestPasidDetach", "pasid@16"],
  [21, "TestPasidCheckHwpt", "pasid@16 hwpt_id@20"],
  [22, "TestDmabufGet", "length@16 open_flags@20"],
  [23, "TestDmabufRevoke", "dmabuf_fd@16 revoked@20"],
];

/** Those of groups and containers, as in the other table. */
const TYPE1: typeof LINUX = [
  [0x3b64, "GET_API_VERSION", "", 0, 0],
  [0x3b65, "CHECK_EXTENSION", "", 0, 0],
  [0x3b66, "SET_IOMMU", "", 0, 0],
  [0x3b67, "GROUP_GET_STATUS", "flags@4", 8, 8],
  [0x3b68, "GROUP_SET_CONTAINER", "container@0", 4, 4],
  [0x3b69, "GROUP_UNSET_CONTAINER", "", 0, 0],
  [0x3b6a, "GROUP_GET_DEVICE_FD", "", 0, 0],
  [0x3b70, "IOMMU_GET_INFO", "flags@4 iova_pgsizes@8 cap_offset@16", 24, 16],
  [0x3b71, "IOMMU_MAP_DMA", "flags@4 vaddr@8 iova@16 size@24", 32, 32],
  [0x3b72, "IOMMU_UNMAP_DMA", "flags@4 iova@8 size@16", 24, 24],
];

for (const [number, name, offsets, bytes, minimum] of [...LINUX, ...TYPE1]) {
  Deno.test(`${name} has the number, offsets and sizes of Linux 7.3`, () => {
    const request = DESCRIBED.flatMap(({ requests }) => requests).find((request) => request.name === name)!;
    strictEqual(requestNumber(name), number);
    strictEqual(request.number, number);
    if (request.on === "iommufd" || request.on === "device") strictEqual(requestNumbered(number), request);
    const struct = structOf(request);
    strictEqual(struct ? structBytes(struct) : 0, bytes);
    strictEqual(minimumBytes(request), minimum);
    for (const [field, at] of offsets.split(" ").filter((text) => text !== "").map((text) => text.split("@"))) {
      strictEqual(placed(struct!).find((place) => place.field.name === field)?.at, Number(at), field);
    }
  });
}

for (const [op, name, offsets] of OPERATIONS) {
  Deno.test(`operation ${op} of TEST_CMD is ${name}, with the offsets of Linux 7.3`, () => {
    const view = new DataView(new ArrayBuffer(72));
    view.setUint32(4, op, true);
    const struct = structIn(requestNumbered(0x3ba0)!, view)!;
    strictEqual(struct.name, name);
    strictEqual(structBytes(struct), 72);
    for (const [field, at] of `id@8 ${offsets} last@64`.split(" ").map((text) => text.split("@"))) {
      strictEqual(placed(struct).find((place) => place.field.name === field)?.at, Number(at), field);
    }
  });
}

Deno.test("an operation of TEST_CMD that is unknown has the struct that all share", () => {
  const view = new DataView(new ArrayBuffer(72));
  view.setUint32(4, 24, true);
  strictEqual(structIn(requestNumbered(0x3ba0)!, view)?.name, "TestCmd");
});

Deno.test("every request of Linux that is described is in this test's table", () => {
  const described = DESCRIBED.filter(({ header }) => header !== "").flatMap(({ requests }) => requests.map(({ name }) => name));
  deepStrictEqual(described.sort(), [...LINUX, ...TYPE1].map(([, name]) => name).sort());
});

Deno.test("every field lies at a multiple of its width, so that no compiler inserts a gap", () => {
  for (const struct of DESCRIBED.flatMap(({ structs }) => structs)) {
    for (const { field, at } of placed(struct)) {
      strictEqual(at % (fieldBytes(field) / (field.array ?? 1)), 0, `${struct.name}.${field.name}`);
    }
  }
});

Deno.test("every field that another one names exists", () => {
  for (const struct of DESCRIBED.flatMap(({ structs }) => structs)) {
    const names = new Set(struct.fields.map(({ name }) => name));
    const named = struct.fields.flatMap(({ role }) => {
      if (role.is === "userAddress") return [role.length];
      if (role.is !== "pointer") return [];
      const { extent } = role;
      if ("of" in extent) return [extent.count];
      if ("bytes" in extent) return typeof extent.bytes === "string" ? [extent.bytes] : [];
      return "each" in extent ? [extent.count, extent.each] : [extent.bitmap.length, extent.bitmap.page];
    });
    for (const name of [...named, ...(struct.tails ?? []).flatMap(({ count }) => count ?? [])]) {
      strictEqual(names.has(name), true, `${struct.name}.${name}`);
    }
  }
});

Deno.test("a dirty bitmap reaches whole words of 64 bits", () => {
  const view = new DataView(new ArrayBuffer(48));
  view.setBigUint64(24, 65n * 4096n, true);
  view.setBigUint64(32, 4096n, true);
  view.setBigUint64(40, 0x7000n, true);
  deepStrictEqual(pointedMemory(0x3b8c, new Uint8Array(view.buffer)), [{ field: "data", address: 0x7000n, length: 16, data: "inout" }]);
  view.setBigUint64(32, 0n, true);
  deepStrictEqual(pointedMemory(0x3b8c, new Uint8Array(view.buffer)), []);
});

Deno.test("entries of an invalidation reach their number times their size", () => {
  const view = new DataView(new ArrayBuffer(32));
  view.setBigUint64(8, 0x9000n, true);
  view.setUint32(20, 24, true);
  view.setUint32(24, 3, true);
  deepStrictEqual(pointedMemory(0x3b8d, new Uint8Array(view.buffer)), [{
    field: "data_uptr",
    address: 0x9000n,
    length: 72,
    data: "inout",
  }]);
});
