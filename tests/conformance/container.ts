/**
 * Requests of VFIO's containers to an iommufd: by the IOAS that VFIO_IOAS has set, for programs that are older than iommufd.
 *
 * @module
 */
import { MAP_FIXED_NOREPLACE, PROT_READ, PROT_WRITE } from "../../uapi/kernel.ts";
import { equal } from "../check.ts";
import type { Suite } from "../harness.ts";
import { type Caller, codeOf } from "./caller.ts";
import { requestOf } from "./struct.ts";
import { iommuWithIoas, mapAt, NO_ID, PAGE, unmap, usableRanges, USER_BASE } from "./steps.ts";

/** First IOVA that a mock page table translates. */
const FIRST = 1n << 24n;
const [TYPE1, TYPE1V2, CACHES] = [1, 3, 4];
const ALL = 2;

/** A request whose argument is a number. */
function ask(t: Caller, iommu: number, name: string, argument: number): number {
  return t.kernel.ioctl(iommu, requestOf(name).request, argument);
}

/** An iommufd whose IOAS is that of containers, and memory. */
function compatible(t: Caller, pages = 4): { iommu: number; ioas: number; memory: bigint } {
  const { iommu, ioas } = iommuWithIoas(t);
  t.do(iommu, "VFIO_IOAS", { op: 1, ioas_id: ioas });
  const memory = t.memory(pages * PAGE, USER_BASE, PROT_READ | PROT_WRITE, MAP_FIXED_NOREPLACE);
  t.bytes(memory, pages * PAGE).fill(1);
  return { iommu, ioas, memory };
}

function mapDma(t: Caller, iommu: number, iova: bigint, vaddr: bigint, size: number | bigint, flags = 3): string {
  return t.ask(iommu, "IOMMU_MAP_DMA", { flags, vaddr, iova, size }).code;
}

/** The code, and the bytes that were unmapped as the answer says. */
function unmapDma(t: Caller, iommu: number, iova: bigint, size: number | bigint, flags = 0): [string, bigint] {
  const answer = t.ask(iommu, "IOMMU_UNMAP_DMA", { flags, iova, size });
  return [answer.code, answer.big("size")];
}

const QUESTIONS: Suite<Caller>["cases"] = [
  {
    name: "the version is 0, and the extensions are those of type1 that unmaps everything, and of devices without an IOMMU",
    run(t) {
      const iommu = t.iommu();
      equal(ask(t, iommu, "GET_API_VERSION", 0), 0);
      equal([1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 2 ** 32 + 1].map((type) => ask(t, iommu, "CHECK_EXTENSION", type)), [
        1,
        0,
        1,
        0,
        0,
        0,
        1,
        1,
        0,
        0,
        0,
      ]);
      equal(ask(t, iommu, "GROUP_GET_STATUS", 0), -25);
      equal([0, 2, 8, 2 ** 32 + 1].map((type) => codeOf(ask(t, iommu, "SET_IOMMU", type))), ["EINVAL", "EINVAL", "EINVAL", "EINVAL"]);
    },
  },
  {
    name: "without an IOAS there is nothing to work on: ENODEV, behind the checks of the struct",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      equal([TYPE1, TYPE1V2].map((type) => codeOf(ask(t, iommu, "SET_IOMMU", type))), ["ENODEV", "ENODEV"]);
      equal(codeOf(ask(t, iommu, "CHECK_EXTENSION", CACHES)), "ENODEV");
      for (const [name, minimum] of [["IOMMU_GET_INFO", 16], ["IOMMU_MAP_DMA", 32], ["IOMMU_UNMAP_DMA", 24]] as const) {
        equal(t.askAt(iommu, name, 8n), "EFAULT");
        t.refused("EINVAL", iommu, name, {}, { size: minimum - 1 });
        t.refused("ENODEV", iommu, name, {}, { size: minimum });
      }
      t.refused("EINVAL", iommu, "IOMMU_MAP_DMA", { flags: 4 });
      for (const flags of [1, 4]) t.refused("EINVAL", iommu, "IOMMU_UNMAP_DMA", { flags });
      t.do(iommu, "VFIO_IOAS", { op: 1, ioas_id: ioas });
      equal(codeOf(ask(t, iommu, "SET_IOMMU", TYPE1V2)), "OK");
      t.do(iommu, "DESTROY", { id: ioas });
      equal(codeOf(ask(t, iommu, "SET_IOMMU", TYPE1V2)), "ENODEV");
    },
  },
  {
    name: "the mock IOMMU does not keep devices from passing caches by, so that an IOAS with a page table of it does not either",
    run(t) {
      const { iommu, ioas } = compatible(t);
      equal(ask(t, iommu, "CHECK_EXTENSION", CACHES), 1);
      t.do(iommu, "TEST_CMD/TestMockDomain", { id: ioas });
      equal(ask(t, iommu, "CHECK_EXTENSION", CACHES), 0);
    },
  },
  {
    name: "GET_INFO answers page sizes, and as many capabilities as there is room for",
    run(t) {
      const { iommu, ioas } = compatible(t);
      const info = (room: number) => t.do(iommu, "IOMMU_GET_INFO", {}, { tail: new Uint8Array(room) });
      equal(info(0).big("iova_pgsizes"), 2n ** 64n - 4096n);
      const words = (room: number) => [...new Uint32Array(info(room).after.slice(0, 24 + room).buffer)];
      const head = [3, 0xffff_f000, 0xffff_ffff];
      equal(words(0), [72, ...head, 0, 0]);
      equal(words(12), [72, ...head, 0, 0, 0x1_0003, 0, 0xffff_ffff]);
      equal(words(16), [72, ...head, 0, 0, 0x1_0003, 40, 0xffff_ffff, 0]);
      equal(words(40), [72, ...head, 0, 0, 0x1_0003, 40, 0xffff_ffff, 0, ...[0, 0, 0, 0, 0, 0]]);
      equal(words(48), [72, ...head, 24, 0, 0x1_0003, 40, 0xffff_ffff, 0, ...[0x1_0001, 0, 1, 0], ...[0, 0, 0xffff_ffff, 0xffff_ffff]]);
      t.do(iommu, "TEST_CMD/TestMockDomain", { id: ioas });
      const sizes = info(0).big("iova_pgsizes");
      equal([sizes & 0xfffn, sizes & 4096n], [0n, 4096n], "the smallest is a whole page");
      equal(words(48).slice(10), [0x1_0001, 0, 1, 0, ...[2 ** 24, 0, 2 ** 31 - 1, 0]]);
      t.do(iommu, "TEST_CMD/TestAddReserved", { id: ioas, start: 2n ** 25n, length: PAGE });
      equal(words(48).slice(0, 14), [88, 3, ...words(0).slice(2, 4), 0, 0, 0x1_0003, 40, 0xffff_ffff, 0, 0, 0, 0, 0]);
      equal(words(48).slice(14), [2 ** 24, 0, 2 ** 25 - 1, 0], "a range that fits is there, whatever its capability is");
    },
  },
];

const MAPPINGS: Suite<Caller>["cases"] = [
  {
    name: "MAP_DMA maps in the IOAS that is set, UNMAP_DMA unmaps whole areas there, and nothing is no error",
    run(t) {
      const { iommu, ioas, memory } = compatible(t);
      equal(mapDma(t, iommu, FIRST, memory, 2 * PAGE), "OK");
      equal([mapDma(t, iommu, FIRST + 4096n, memory, PAGE), mapDma(t, iommu, FIRST, memory, 0)], ["EEXIST", "EINVAL"]);
      equal([mapDma(t, iommu, FIRST, 2n ** 64n - 1n, 1), mapDma(t, iommu, 2n ** 64n - 1n, memory, 2)], ["EOVERFLOW", "EOVERFLOW"]);
      equal(unmapDma(t, iommu, FIRST, PAGE), ["ENOENT", 0n]);
      equal(unmapDma(t, iommu, FIRST + 8192n, PAGE), ["OK", 0n]);
      equal([unmapDma(t, iommu, FIRST, 0), unmapDma(t, iommu, 2n, 2n ** 64n - 1n)], [["EINVAL", 0n], ["EOVERFLOW", 0n]]);
      equal(mapDma(t, iommu, FIRST - 4096n, memory, PAGE), "OK");
      equal(unmapDma(t, iommu, FIRST - 4096n, 2 * PAGE), ["ENOENT", 4096n], "what was unmapped before is told");
      equal(unmap(t, iommu, ioas, FIRST, 2 * PAGE), 8192n);
      mapAt(t, iommu, ioas, FIRST, memory, PAGE);
      t.refused("EINVAL", iommu, "IOMMU_UNMAP_DMA", { flags: ALL, iova: 1n });
      t.refused("EINVAL", iommu, "IOMMU_UNMAP_DMA", { flags: ALL, size: 1n });
      equal([unmapDma(t, iommu, 0n, 0, ALL), unmapDma(t, iommu, 0n, 0, ALL)], [["OK", 4096n], ["OK", 0n]]);
    },
  },
  {
    name: "what may be neither read nor written can be mapped as long as there is no page table",
    run(t) {
      const { iommu, ioas, memory } = compatible(t);
      equal(mapDma(t, iommu, FIRST, memory, PAGE, 0), "OK");
      equal(unmapDma(t, iommu, FIRST, PAGE), ["OK", 4096n]);
      equal(t.ask(iommu, "VFIO_IOAS", { op: 1, ioas_id: NO_ID }).code, "ENOENT");
      equal(mapDma(t, iommu, FIRST, memory, PAGE), "OK");
      equal(t.ask(iommu, "TEST_CMD/TestMockDomain", { id: ioas }).code, "OK");
    },
  },
  {
    name: "the first kind of container has small pages and unmaps parts of mappings, as does its IOAS",
    run(t) {
      const { iommu, ioas, memory } = compatible(t);
      const hwpt = t.do(iommu, "TEST_CMD/TestMockDomain", { id: ioas }).number("out_hwpt_id");
      equal([codeOf(ask(t, iommu, "SET_IOMMU", TYPE1)), usableRanges(t, iommu, ioas).alignment], ["OK", 4096n]);
      equal(mapDma(t, iommu, FIRST, memory, 4 * PAGE), "OK");
      equal(unmapDma(t, iommu, FIRST + 4096n, PAGE), ["OK", 4096n]);
      const there = (page: bigint) =>
        t.ask(iommu, "TEST_CMD/TestMdCheckMap", { id: hwpt, iova: FIRST + page, length: PAGE, uptr: memory + page }).code;
      equal([0n, 4096n, 8192n, 12288n].map(there), ["OK", "EINVAL", "OK", "OK"]);
      const refs = (page: bigint, count: number) =>
        t.ask(iommu, "TEST_CMD/TestMdCheckRefs", { length: PAGE, uptr: memory + page, refs: count }).code;
      equal([refs(0n, 1), refs(4096n, 0), refs(8192n, 1)], ["OK", "OK", "OK"]);
      equal(unmapDma(t, iommu, FIRST + 8192n + 2048n, PAGE), ["EINVAL", 4096n], "half a page is not cut");
      equal(unmap(t, iommu, ioas, FIRST + 8192n, 2 * PAGE), 8192n, "nothing was cut");
      equal(unmapDma(t, iommu, 0n, 0, ALL), ["OK", 4096n]);
    },
  },
  {
    name: "areas with page tables keep their large pages: the first kind of container comes before",
    run(t) {
      const { iommu, ioas, memory } = compatible(t);
      t.do(iommu, "TEST_CMD/TestMockDomain", { id: ioas });
      equal(mapDma(t, iommu, FIRST, memory, 2 * PAGE), "OK");
      equal([TYPE1, TYPE1V2].map((type) => codeOf(ask(t, iommu, "SET_IOMMU", type))), ["EINVAL", "OK"]);
      equal(unmapDma(t, iommu, FIRST, PAGE), ["ENOENT", 0n]);
    },
  },
  {
    name: "what an access has pinned is not cut, and goes as a whole",
    run(t) {
      const { iommu, ioas, memory } = compatible(t);
      equal(codeOf(ask(t, iommu, "SET_IOMMU", TYPE1)), "OK");
      equal(mapDma(t, iommu, FIRST, memory, 4 * PAGE), "OK");
      const access = t.adopt(t.do(iommu, "TEST_CMD/TestCreateAccess", { id: ioas, flags: 1 }).number("out_access_fd"));
      t.do(iommu, "TEST_CMD/TestAccessPages", { id: access, iova: FIRST, length: PAGE });
      equal(unmapDma(t, iommu, FIRST + 4096n, PAGE), ["EINVAL", 4096n]);
      equal(unmapDma(t, iommu, FIRST, 4 * PAGE), ["OK", 16384n]);
      equal(t.ask(iommu, "TEST_CMD/TestDestroyAccessPages", { id: access }).code, "ENOENT");
    },
  },
];

/** Requests of containers. For kernels with the feature "mock-iommu", whose page tables they change. */
export const CONTAINER: Suite<Caller> = { name: "requests of containers", cases: [...QUESTIONS, ...MAPPINGS] };
