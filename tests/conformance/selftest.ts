/**
 * TEST_CMD: the mock devices of a kernel that was built to test iommufd, and what it looks at behind the scenes.
 *
 * @module
 */
import { MAP_ANONYMOUS, MAP_FIXED, MAP_FIXED_NOREPLACE, MAP_PRIVATE, PROT_NONE, PROT_READ, PROT_WRITE } from "../../uapi/kernel.ts";
import { check, equal } from "../check.ts";
import type { Suite } from "../harness.ts";
import type { Caller } from "./caller.ts";
import {
  iommuWithIoas,
  mapAnywhere,
  mapAt,
  type Mock,
  newHwpt,
  newIoas,
  newMock,
  NO_ID,
  PAGE,
  unmap,
  usableRanges,
  USER_BASE,
} from "./steps.ts";

/** First IOVA that a mock page table translates. */
const FIRST = 1n << 24n;
/** Last one, of the default kind. */
const LAST = (1n << 31n) - 1n;
/** The smallest page of a mock IOMMU. */
const HALF = 2048n;
const READABLE_WRITABLE = PROT_READ | PROT_WRITE;
/** What data of the mock IOMMU is called. */
const DATA_SELFTEST = 0xdead;

/** An iommufd, an IOAS, and a mock device attached to it. */
function mocked(t: Caller): Mock & { iommu: number; ioas: number } {
  const { iommu, ioas } = iommuWithIoas(t);
  return { iommu, ioas, ...newMock(t, iommu, ioas) };
}

function destroy(t: Caller, iommu: number, id: number): string {
  return t.ask(iommu, "DESTROY", { id }).code;
}

/**
 * Memory that is there: of memory that was never written Linux would look at its one page of zeros. It lies apart from all other memory, so that
 * no huge page takes it in: Linux counts no pins of those.
 */
function written(t: Caller, pages: number): bigint {
  const at = t.memory(pages * PAGE, USER_BASE, READABLE_WRITABLE, MAP_FIXED_NOREPLACE);
  t.bytes(at, pages * PAGE).fill(1);
  return at;
}

function checkMap(t: Caller, iommu: number, id: number, iova: bigint, length: bigint | number, uptr: bigint): string {
  return t.ask(iommu, "TEST_CMD/TestMdCheckMap", { id, iova, length, uptr }).code;
}

function checkRefs(t: Caller, iommu: number, uptr: bigint, length: bigint | number, refs: number): string {
  return t.ask(iommu, "TEST_CMD/TestMdCheckRefs", { length, uptr, refs }).code;
}

const DEVICES: Suite<Caller>["cases"] = [
  {
    name: "a mock device takes an id for its test object, one for itself, and one for an automatic page table",
    run(t) {
      const { iommu, ioas, ...first } = mocked(t);
      equal([ioas, first.stdev, first.idev, first.hwpt], [1, 2, 3, 4]);
      equal(newMock(t, iommu, ioas), { stdev: 5, idev: 6, hwpt: 4 });
      equal([first.idev, first.hwpt, ioas].map((id) => destroy(t, iommu, id)), ["EBUSY", "EBUSY", "EBUSY"]);
      equal(destroy(t, iommu, first.stdev), "OK");
      equal(destroy(t, iommu, first.idev), "ENOENT");
      equal(newMock(t, iommu, ioas), { stdev: 2, idev: 3, hwpt: 4 });
      equal([2, 5, 4, ioas].map((id) => destroy(t, iommu, id)), ["OK", "OK", "ENOENT", "OK"]);
    },
  },
  {
    name: "what a mock device cannot be attached to leaves no id taken",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const code = (id: number) => t.ask(iommu, "TEST_CMD/TestMockDomain", { id }).code;
      // 2 would be the id of the test object, which is not finished; 3 that of the device, which is.
      equal([NO_ID, 0, 2, 3].map(code), ["ENOENT", "ENOENT", "ENOENT", "EINVAL"]);
      const flagged = (flags: number) => t.ask(iommu, "TEST_CMD/TestMockDomainFlags", { id: ioas, dev_flags: flags });
      equal([2, 8].map((flags) => flagged(flags).code), ["EINVAL", "EINVAL"]);
      equal(flagged(5).number("out_stdev_id"), 2);
    },
  },
  {
    name: "replace moves a mock device; an automatic page table goes with its last device, a manual one stays",
    run(t) {
      const { iommu, ioas, stdev, idev, hwpt } = mocked(t);
      const manual = newHwpt(t, iommu, idev, ioas);
      const replace = (id: number, target: number) => t.ask(iommu, "TEST_CMD/TestMockDomainReplace", { id, pt_id: target });
      equal(replace(stdev, manual).number("pt_id"), manual);
      equal(destroy(t, iommu, hwpt), "ENOENT");
      equal(destroy(t, iommu, manual), "EBUSY");
      const automatic = replace(stdev, ioas).number("pt_id");
      check(automatic !== manual, "an automatic page table is never a manual one");
      equal(destroy(t, iommu, manual), "OK");
      equal([replace(NO_ID, ioas).code, replace(idev, ioas).code, replace(stdev, NO_ID).code], ["ENOENT", "ENOENT", "ENOENT"]);
      equal(replace(stdev, idev).code, "EINVAL");
    },
  },
  {
    name: "closing the file takes its mock devices along, attached or not",
    run(t) {
      const { iommu, ioas } = mocked(t);
      newMock(t, iommu, ioas);
      mapAnywhere(t, iommu, ioas, written(t, 1), PAGE);
      t.close(iommu);
    },
  },
];

const ADDRESSES: Suite<Caller>["cases"] = [
  {
    name: "the aperture is 2^24 to 2^31 − 1 and the alignment 2048 while a page table is there",
    run(t) {
      const { iommu, ioas, stdev } = mocked(t);
      equal(usableRanges(t, iommu, ioas), { ranges: [[FIRST, LAST]], alignment: HALF });
      const memory = written(t, 1);
      mapAt(t, iommu, ioas, FIRST, memory, PAGE);
      mapAt(t, iommu, ioas, LAST - HALF + 1n, memory, HALF);
      for (const iova of [FIRST - HALF, LAST + 1n]) {
        t.refused("EINVAL", iommu, "IOAS_MAP", { ioas_id: ioas, flags: 7, user_va: memory, length: HALF, iova });
      }
      t.refused("EINVAL", iommu, "IOAS_MAP", { ioas_id: ioas, flags: 7, user_va: memory, length: 1024, iova: 2n * FIRST });
      equal(destroy(t, iommu, stdev), "OK");
      equal(usableRanges(t, iommu, ioas), { ranges: [[0n, 2n ** 64n - 1n]], alignment: 1n });
    },
  },
  {
    name: "an area outside the aperture, or that does not fit the alignment, refuses a mock device",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const memory = written(t, 1);
      for (const [iova, length] of [[FIRST - HALF, HALF], [LAST + 1n, HALF], [FIRST + 1024n, 1024n], [FIRST, 1024n]] as const) {
        mapAt(t, iommu, ioas, iova, memory, length);
        equal(t.ask(iommu, "TEST_CMD/TestMockDomain", { id: ioas }).code, "EADDRINUSE", `${iova}`);
        equal(unmap(t, iommu, ioas, iova, length), length);
      }
      equal(newMock(t, iommu, ioas).stdev, 2);
    },
  },
  {
    name: "a page table for huge pages has the alignment of a page and an aperture from 0 on",
    run(t) {
      const { iommu, idev } = mocked(t);
      const ioas = newIoas(t, iommu);
      const data = t.block(16);
      data.view.setUint32(4, 1, true);
      const fields = { dev_id: idev, pt_id: ioas, data_type: DATA_SELFTEST, data_len: 8, data_uptr: data.address };
      const hwpt = t.do(iommu, "HWPT_ALLOC", fields).number("out_hwpt_id");
      equal(usableRanges(t, iommu, ioas), { ranges: [[0n, 2n ** 38n - 1n]], alignment: 4096n });
      const memory = written(t, 1);
      mapAt(t, iommu, ioas, 0n, memory, PAGE);
      equal(checkMap(t, iommu, hwpt, 0n, PAGE, memory), "OK");
      equal(checkMap(t, iommu, hwpt, 0n, HALF, memory), "EINVAL");
      data.view.setUint32(4, 2, true);
      t.refused("EOPNOTSUPP", iommu, "HWPT_ALLOC", fields);
      for (const length of [3, 9]) t.refused("EINVAL", iommu, "HWPT_ALLOC", { ...fields, data_len: length });
      t.refused("EOPNOTSUPP", iommu, "HWPT_ALLOC", { ...fields, data_type: 1 });
      t.refused("EFAULT", iommu, "HWPT_ALLOC", { ...fields, data_uptr: 8 });
    },
  },
  {
    name: "reserved addresses are gone for mappings, and stay until the IOAS goes",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const reserve = (start: bigint, length: bigint, id = ioas) => t.ask(iommu, "TEST_CMD/TestAddReserved", { id, start, length }).code;
      equal([reserve(0n, 0n, NO_ID), reserve(2n ** 64n - 1n, 2n, NO_ID), reserve(0n, 1n, NO_ID)], ["EINVAL", "EOVERFLOW", "ENOENT"]);
      mapAt(t, iommu, ioas, 0x10000n, written(t, 1), PAGE);
      equal([reserve(0xffffn, 2n), reserve(0n, 0x10000n), reserve(0x20000n, 1n)], ["EADDRINUSE", "OK", "OK"]);
      equal(usableRanges(t, iommu, ioas).ranges, [[0x10000n, 0x1ffffn], [0x20001n, 2n ** 64n - 1n]]);
      equal(t.ask(iommu, "TEST_CMD/TestMockDomain", { id: ioas }).code, "EADDRINUSE", "the area lies below the aperture");
      equal(usableRanges(t, iommu, ioas).ranges.length, 2);
    },
  },
];

const LOOKS: Suite<Caller>["cases"] = [
  {
    name: "MD_CHECK_MAP follows halves of pages to the memory of the process",
    run(t) {
      const { iommu, ioas, hwpt } = mocked(t);
      const memory = written(t, 3);
      mapAt(t, iommu, ioas, FIRST, memory + HALF, 3n * HALF);
      equal(checkMap(t, iommu, hwpt, FIRST, 3n * HALF, memory + HALF), "OK");
      equal(checkMap(t, iommu, hwpt, FIRST + HALF, HALF, memory + 2n * HALF), "OK");
      equal(checkMap(t, iommu, hwpt, FIRST, 4n * HALF, memory + HALF), "EINVAL");
      equal(checkMap(t, iommu, hwpt, FIRST, HALF, memory), "EINVAL");
      const iova = mapAnywhere(t, iommu, ioas, memory + HALF, 3n * HALF);
      equal(iova % 4096n, HALF, "an address that is chosen keeps the offset in the page");
      equal(checkMap(t, iommu, hwpt, iova, 3n * HALF, memory + HALF), "OK");
    },
  },
  {
    name: "MD_CHECK_MAP: each check in its order",
    run(t) {
      const { iommu, ioas, hwpt } = mocked(t);
      equal(checkMap(t, iommu, ioas, 1n, 1, 1n), "ENOENT");
      equal(checkMap(t, iommu, hwpt, 1024n, 0, 0n), "EINVAL");
      equal(checkMap(t, iommu, hwpt, 0n, HALF, 2n ** 64n - HALF), "EINVAL");
      equal(checkMap(t, iommu, hwpt, 0n, 0, 0n), "OK");
      equal(checkMap(t, iommu, hwpt, FIRST, HALF, 2n ** 64n - 4096n), "EOVERFLOW");
      t.refused("EOVERFLOW", iommu, "IOAS_MAP", { ioas_id: ioas, flags: 6, user_va: 2n ** 64n - 4096n, length: HALF });
      const memory = written(t, 2);
      t.tryMmap(memory + 4096n, PAGE, PROT_NONE, MAP_FIXED | MAP_ANONYMOUS | MAP_PRIVATE);
      equal(checkMap(t, iommu, hwpt, FIRST, PAGE, memory + 4096n), "EFAULT");
      mapAt(t, iommu, ioas, FIRST, memory, PAGE);
      equal(checkMap(t, iommu, hwpt, FIRST, 2 * PAGE, memory), "EFAULT");
    },
  },
  {
    name: "MD_CHECK_REFS counts pins: one for each mapping, none for a copy, none without a page table",
    run(t) {
      const { iommu, ioas, stdev } = mocked(t);
      const memory = written(t, 4);
      const iova = mapAnywhere(t, iommu, ioas, memory, 2 * PAGE);
      equal([0, 1, 2].map((refs) => checkRefs(t, iommu, memory, 2 * PAGE, refs)), ["EIO", "OK", "EIO"]);
      equal(checkRefs(t, iommu, memory, 3 * PAGE, 1), "EIO");
      const fields = { flags: 6, dst_ioas_id: ioas, src_ioas_id: ioas, length: PAGE, src_iova: iova };
      t.do(iommu, "IOAS_COPY", fields);
      equal(checkRefs(t, iommu, memory, 2 * PAGE, 1), "OK");
      mapAnywhere(t, iommu, ioas, memory + HALF, HALF);
      equal([checkRefs(t, iommu, memory, PAGE, 2), checkRefs(t, iommu, memory + 4096n, PAGE, 1)], ["OK", "OK"]);
      equal(unmap(t, iommu, ioas, iova, 2 * PAGE), 8192n);
      equal([checkRefs(t, iommu, memory, PAGE, 2), checkRefs(t, iommu, memory + 4096n, PAGE, 0)], ["OK", "OK"]);
      equal(destroy(t, iommu, stdev), "OK");
      equal(checkRefs(t, iommu, memory, 2 * PAGE, 0), "OK");
    },
  },
  {
    name: "MD_CHECK_REFS: half pages and sums beyond 2^64 are EINVAL, no memory EFAULT",
    run(t) {
      const iommu = t.iommu();
      equal(checkRefs(t, iommu, 0n, HALF, 0), "EINVAL");
      equal(checkRefs(t, iommu, HALF, 0, 0), "EINVAL");
      equal(checkRefs(t, iommu, 2n ** 64n - 4096n, PAGE, 0), "EINVAL");
      equal(checkRefs(t, iommu, 4096n, PAGE, 0), "EFAULT");
      equal(checkRefs(t, iommu, 4096n, 0, 0), "OK");
    },
  },
];

const INFORMATION: Suite<Caller>["cases"] = [
  {
    name: "GET_HW_INFO answers the mock IOMMU's type and register, and what the device lacks or has",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const data = t.block(16);
      for (const [flags, bits, capabilities] of [[0, 0, 9n], [1, 0, 8n], [4, 20, 9n], [5, 20, 8n]] as const) {
        const mock = t.do(iommu, "TEST_CMD/TestMockDomainFlags", { id: ioas, dev_flags: flags });
        const request = { dev_id: mock.number("out_idev_id"), data_len: 16, data_uptr: data.address };
        const answer = t.do(iommu, "GET_HW_INFO", request);
        equal([answer.number("data_type"), answer.number("data_len")], [0xfeed_beef, 8]);
        equal([answer.number("out_max_pasid_log2"), answer.big("out_capabilities")], [bits, capabilities]);
        equal([data.view.getUint32(0, true), data.view.getUint32(4, true)], [0, 0xdead_beef]);
        t.refused("EOPNOTSUPP", iommu, "GET_HW_INFO", { ...request, flags: 1, data_type: 1 });
      }
    },
  },
  {
    name: "HWPT_ALLOC refuses dirty tracking for a device without it, an unknown flag, and a page table as parent",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const mock = t.do(iommu, "TEST_CMD/TestMockDomainFlags", { id: ioas, dev_flags: 1 });
      const device = mock.number("out_idev_id");
      for (const flags of [2, 16]) t.refused("EOPNOTSUPP", iommu, "HWPT_ALLOC", { dev_id: device, pt_id: ioas, flags });
      t.refused("ENOENT", iommu, "HWPT_ALLOC", { dev_id: device, pt_id: ioas, flags: 4, fault_id: NO_ID });
      const parent = mock.number("out_hwpt_id");
      const nested = { dev_id: device, pt_id: parent, data_type: DATA_SELFTEST, data_len: 4 };
      t.refused("EINVAL", iommu, "HWPT_ALLOC", nested);
      t.refused("EINVAL", iommu, "HWPT_ALLOC", { ...nested, pt_id: mock.number("out_stdev_id") });
      const viommu = { type: 0xdead_beef, dev_id: device };
      t.refused("ENOENT", iommu, "VIOMMU_ALLOC", { ...viommu, hwpt_id: ioas });
      t.refused("EINVAL", iommu, "VIOMMU_ALLOC", { ...viommu, hwpt_id: parent });
      t.refused("EOPNOTSUPP", iommu, "VIOMMU_ALLOC", { ...viommu, type: 1, hwpt_id: NO_ID });
    },
  },
  {
    name: "the struct has 68 bytes at least; operations that are unknown are EOPNOTSUPP",
    run(t) {
      const iommu = t.iommu();
      t.refused("EINVAL", iommu, "TEST_CMD", {}, { size: 67 });
      t.refused("EOPNOTSUPP", iommu, "TEST_CMD", {}, { size: 68 });
      t.refused("E2BIG", iommu, "TEST_CMD", {}, { tail: new Uint8Array([0, 1]) });
      for (const op of [0, 99, 0xffff_ffff]) t.refused("EOPNOTSUPP", iommu, "TEST_CMD", { op });
      t.refused("EINVAL", iommu, "TEST_CMD/TestSetTempMemoryLimit", { limit: 11 });
      // The empty rows of the kernel's table before the request read a size and then know no request.
      equal([t.kernel.ioctl(iommu, 0x3b9f, 8), t.kernel.ioctl(iommu, 0x3b9f, t.block(72))], [-14, -25]);
    },
  },
];

/** TEST_CMD. Only for kernels with the feature "mock-iommu". */
export const SELFTEST: Suite<Caller> = { name: "TEST_CMD", cases: [...DEVICES, ...ADDRESSES, ...LOOKS, ...INFORMATION] };
