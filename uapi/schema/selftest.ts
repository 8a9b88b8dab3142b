/**
 * The request that Linux 7.3 has where it was built with CONFIG_IOMMUFD_TEST: `iommufd_test.h` of its iommufd.
 *
 * One number and one struct whose middle is a union: `op` says which member it holds. Here each operation is a struct of its own, as long as
 * the whole.
 *
 * @module
 */
import { both, fd, flags, id, input, newFd, newId, oneOf, output, pointer, reserved, SIZE } from "./fields.ts";
import { fieldsBytes } from "./bytes.ts";
import { SELFTEST_DATA } from "./selftest_data.ts";
import * as names from "./selftest_names.ts";
import type { Family, Field, Role, Struct } from "./types.ts";

/** Bytes of the union. */
const UNION = 48;

const RESERVED: Field = { ...reserved(), doc: "Not read." };
const LAST: readonly Field[] = [
  { ...reserved("last"), doc: "Ends the struct. Not read." },
  unnamed("__end", 1),
];

const NO_ID: Field = { ...reserved("id"), doc: "Not read." };
const IOAS: Field = input("id", "u32", id("ioas"), "The IOAS.");
const PAGE_TABLE: Field = input("id", "u32", id("ioas", "hwpt"), "What to attach the device to.");
const HWPT: Field = input("id", "u32", id("hwpt"), "The page table.");
const SELFTEST: Field = input("id", "u32", id("selftest"), "The test object.");
const DEVICE: Field = input("id", "u32", id("device"), "The device.");
const ACCESS: Field = input("id", "u32", fd("access"), "The file of the access object.");
const PASID: Field = input("pasid", "u32", { is: "pasid" }, "The PASID.");
const PLACE: Field = input("iova", "u64", { is: "iova" }, "First address.");
const LENGTH: Field = input("length", "u64", { is: "length" }, "Bytes.");
const USER: Role = { is: "userAddress", length: "length" };

/** Bytes that have no name in Linux's header, in words of 32 bits. */
function unnamed(name: string, words: number): Field {
  return { ...reserved(name, "u32", { array: words, c: "" }), doc: "Not read." };
}

/** The struct of one operation. `member` is the union's member in Linux's header. */
function operation(op: keyof typeof names.TEST_OPS.values, doc: string, object: Field, member: string, fields: readonly Field[]): Struct {
  const value = names.TEST_OPS.values[op]!;
  const words = (UNION - fieldsBytes(fields)) / 4;
  return {
    name: op.replace("TEST_OP", "TEST").toLowerCase().replace(/(^|_)([a-z])/g, (_, _line: string, letter: string) => letter.toUpperCase()),
    c: "iommu_test_cmd",
    doc,
    fields: [
      SIZE,
      input("op", "u32", { is: "constant", names: names.TEST_OPS, value }, "The operation."),
      object,
      RESERVED,
      ...fields.map((field): Field => ({ ...field, c: field.c ?? `${member}.${field.name}` })),
      ...(words > 0 ? [unnamed("__unused", words)] : []),
      ...LAST,
    ],
  };
}

const MOCK_DOMAIN: readonly Field[] = [
  output("out_stdev_id", "u32", newId("selftest"), "The new test object. Destroying it detaches and removes the device."),
  output("out_hwpt_id", "u32", id("hwpt"), "The page table that the device is attached to."),
  output("out_idev_id", "u32", newId("device"), "The device as bound."),
];

const MOCK: readonly Struct[] = [
  operation("TEST_OP_ADD_RESERVED", "Reserves addresses of an IOAS.", IOAS, "add_reserved", [
    input("start", "u64", { is: "iova" }, "First address."),
    LENGTH,
  ]),
  operation("TEST_OP_MOCK_DOMAIN", "Makes a mock device, binds and attaches it.", PAGE_TABLE, "mock_domain", MOCK_DOMAIN),
  operation(
    "TEST_OP_MOCK_DOMAIN_FLAGS",
    "Makes a mock device with or without abilities, binds and attaches it.",
    PAGE_TABLE,
    "mock_domain_flags",
    [...MOCK_DOMAIN, input("dev_flags", "u32", { is: "flags", names: names.MOCK_DEVICE_FLAGS }, "What the device lacks or has.")],
  ),
  operation("TEST_OP_MOCK_DOMAIN_REPLACE", "Attaches a mock device to something else.", SELFTEST, "mock_domain_replace", [
    both("pt_id", "u32", id("ioas", "hwpt"), "What to attach it to; the answer is the page table."),
  ]),
  operation("TEST_OP_MD_CHECK_MAP", "Fails unless a page table leads to the memory of the process.", HWPT, "check_map", [
    PLACE,
    LENGTH,
    input("uptr", "u64", USER, "Address of the memory."),
  ]),
  operation("TEST_OP_MD_CHECK_REFS", "Fails unless pages of the process are pinned so many times.", NO_ID, "check_refs", [
    LENGTH,
    input("uptr", "u64", USER, "Address of the memory."),
    input("refs", "u32", { is: "count" }, "How many times each page is pinned."),
  ]),
  operation("TEST_OP_SET_TEMP_MEMORY_LIMIT", "Limits the memory that a request may use for its lists of pages.", NO_ID, "memory_limit", [
    input("limit", "u32", { is: "length" }, "Bytes."),
  ]),
  operation("TEST_OP_DIRTY", "Marks pages as a device would that writes them.", HWPT, "dirty", [
    flags({ prefix: "", values: {}, doc: "No flag is defined." }, "Not read."),
    unnamed("__gap", 1),
    PLACE,
    LENGTH,
    input("page_size", "u64", { is: "length" }, "Bytes that one bit stands for."),
    input("uptr", "u64", pointer("in", { bitmap: { length: "length", page: "page_size" } }), "Address of the bits."),
    output("out_nr_dirty", "u64", { is: "count" }, "How many bits were set."),
  ]),
];

const ACCESSES: readonly Struct[] = [
  operation("TEST_OP_CREATE_ACCESS", "Makes an access object: a kernel driver that uses an IOAS without an IOMMU.", IOAS, "create_access", [
    output("out_access_fd", "u32", newFd("access"), "Its file."),
    flags(names.MOCK_CREATE_ACCESS_FLAGS, "How it uses memory."),
  ]),
  operation("TEST_OP_DESTROY_ACCESS_PAGES", "Lets go of pages that an access object has pinned.", ACCESS, "destroy_access_pages", [
    input("access_pages_id", "u32", { is: "index" }, "Which of its pinned ranges."),
  ]),
  operation("TEST_OP_ACCESS_PAGES", "Pins pages for an access object.", ACCESS, "access_pages", [
    flags(names.MOCK_ACCESS_FLAGS, "How to pin them."),
    output("out_access_pages_id", "u32", { is: "index" }, "Names the pinned range."),
    PLACE,
    LENGTH,
    input("uptr", "u64", USER, "Where these pages must be in the process, 0 not to check."),
  ]),
  operation("TEST_OP_ACCESS_RW", "Copies through an access object.", ACCESS, "access_rw", [
    PLACE,
    LENGTH,
    input("uptr", "u64", pointer("inout", { bytes: "length" }), "Address of what is written, or for what is read."),
    flags(names.MOCK_ACCESS_RW_FLAGS, "Whether it writes."),
  ]),
  operation("TEST_OP_ACCESS_REPLACE_IOAS", "Gives an access object another IOAS.", ACCESS, "access_replace_ioas", [
    input("ioas_id", "u32", id("ioas"), "The IOAS."),
  ]),
];

const NESTING: readonly Struct[] = [
  operation("TEST_OP_MD_CHECK_IOTLB", "Fails unless an entry of a nested page table's IOTLB has a value.", HWPT, "check_iotlb", [
    input("iotlb_id", "u32", { is: "index" }, "Which entry.", { c: "check_iotlb.id" }),
    input("iotlb", "u32", { is: "value" }, "The value."),
  ]),
  operation("TEST_OP_DEV_CHECK_CACHE", "Fails unless an entry of a mock device's cache has a value.", DEVICE, "check_dev_cache", [
    input("cache_id", "u32", { is: "index" }, "Which entry.", { c: "check_dev_cache.id" }),
    input("cache", "u32", { is: "value" }, "The value."),
  ]),
  operation("TEST_OP_TRIGGER_IOPF", "Makes a mock device ask for a page.", NO_ID, "trigger_iopf", [
    input("dev_id", "u32", id("device"), "The device."),
    input("pasid", "u32", { is: "pasid" }, "The PASID, 0 for none."),
    input("grpid", "u32", { is: "value" }, "The group of faults that it belongs to."),
    input("perm", "u32", { is: "value" }, "What the access wants."),
    input("addr", "u64", { is: "iova" }, "The address."),
  ]),
  operation("TEST_OP_TRIGGER_VEVENT", "Makes a mock device report an event.", NO_ID, "trigger_vevent", [
    input("dev_id", "u32", id("device"), "The device."),
  ]),
];

const PASIDS: readonly Struct[] = [
  operation("TEST_OP_PASID_ATTACH", "Attaches a PASID of a mock device.", SELFTEST, "pasid_attach", [
    PASID,
    both("pt_id", "u32", id("ioas", "hwpt"), "What to attach it to; the answer is the page table."),
  ]),
  operation("TEST_OP_PASID_REPLACE", "Attaches a PASID of a mock device to something else.", SELFTEST, "pasid_replace", [
    PASID,
    both("pt_id", "u32", id("ioas", "hwpt"), "What to attach it to; the answer is the page table."),
  ]),
  operation("TEST_OP_PASID_DETACH", "Detaches a PASID of a mock device.", SELFTEST, "pasid_detach", [PASID]),
  operation("TEST_OP_PASID_CHECK_HWPT", "Fails unless a PASID of a mock device uses a page table.", SELFTEST, "pasid_check", [
    PASID,
    input("hwpt_id", "u32", id("hwpt"), "The page table, 0 for none."),
  ]),
];

const DMABUFS: readonly Struct[] = [
  operation(
    "TEST_OP_DMABUF_GET",
    "Makes a dma-buf, whose fd is the lowest that was free: Linux 7.3 does not answer it.",
    NO_ID,
    "dmabuf_get",
    [
      input("length", "u32", { is: "length" }, "Bytes, at most 512 pages."),
      input("open_flags", "u32", { is: "value" }, "As of open."),
    ],
  ),
  operation("TEST_OP_DMABUF_REVOKE", "Takes a dma-buf's memory away, or gives it back.", NO_ID, "dmabuf_revoke", [
    input("dmabuf_fd", "s32", fd("dmabuf"), "The dma-buf."),
    input("revoked", "u32", { is: "value" }, "Not 0 to take the memory away."),
  ]),
];

const OPERATIONS: readonly Struct[] = [...MOCK, ...ACCESSES, ...NESTING, ...PASIDS, ...DMABUFS];

function opOf({ name, fields }: Struct): number {
  const role = fields.find((field) => field.name === "op")!.role;
  if (role.is !== "constant") throw new Error(`Struct ${name} is of no operation`);
  return role.value;
}

/** The test request and its structs. */
export const SELFTEST_FAMILY: Family = {
  name: "selftest",
  header: "iommufd_test.h",
  doc: "The request of a kernel that was built to test iommufd.",
  names: Object.values(names),
  structs: [
    {
      name: "TestCmd",
      c: "iommu_test_cmd",
      doc: "What all operations of the test request have in common.",
      fields: [
        SIZE,
        input("op", "u32", oneOf(names.TEST_OPS), "The operation."),
        input("id", "u32", { is: "value" }, "What it works on."),
        RESERVED,
        both("data", "u64", { is: "value" }, "Arguments and answers of the operation.", { array: UNION / 8, c: "" }),
        ...LAST,
      ],
    },
    ...OPERATIONS,
    ...SELFTEST_DATA,
  ],
  requests: [
    {
      name: "TEST_CMD",
      c: "IOMMU_TEST_CMD",
      number: 0x3ba0,
      on: "iommufd",
      struct: "TestCmd",
      variants: { field: "op", structs: Object.fromEntries(OPERATIONS.map((struct) => [opOf(struct), struct.name])) },
      minimum: "last",
      beyond: "zero",
      since: "6.2",
      doc: "Test iommufd with devices and an IOMMU that do not exist.",
    },
  ],
};
