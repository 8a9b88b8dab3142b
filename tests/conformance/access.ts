/**
 * Access objects of the request with which Linux tests iommufd: users of an IOAS without an IOMMU, as drivers of emulated devices are.
 *
 * @module
 */
import { MAP_FIXED_NOREPLACE, PROT_READ, PROT_WRITE } from "../../uapi/kernel.ts";
import { equal } from "../check.ts";
import type { Suite } from "../harness.ts";
import type { Caller } from "./caller.ts";
import { iommuWithIoas, mapAnywhere, mapAt, newIoas, NO_ID, PAGE, unmap, usableRanges, USER_BASE } from "./steps.ts";

const PINNING = 1;
const WRITE = 1;
const SLOW = 4;
/** First IOVA that a mock page table translates. */
const FIRST = 1n << 24n;

function newAccess(t: Caller, iommu: number, ioas: number, flags = PINNING): number {
  return t.adopt(t.do(iommu, "TEST_CMD/TestCreateAccess", { id: ioas, flags }).number("out_access_fd"));
}

/** Written memory apart from all other, so that no huge page takes it in and no page is the one of zeros. */
function written(t: Caller, pages: number): bigint {
  const at = t.memory(pages * PAGE, USER_BASE, PROT_READ | PROT_WRITE, MAP_FIXED_NOREPLACE);
  t.bytes(at, pages * PAGE).fill(1);
  return at;
}

/** A space with a pinning access, and two areas of two pages each, side by side. */
function pinning(t: Caller): { iommu: number; ioas: number; access: number; memory: bigint } {
  const { iommu, ioas } = iommuWithIoas(t);
  const access = newAccess(t, iommu, ioas);
  const memory = written(t, 4);
  mapAt(t, iommu, ioas, FIRST, memory, 2 * PAGE);
  mapAt(t, iommu, ioas, FIRST + 8192n, memory + 8192n, 2 * PAGE);
  return { iommu, ioas, access, memory };
}

function refs(t: Caller, iommu: number, uptr: bigint, pages: number, count: number): string {
  return t.ask(iommu, "TEST_CMD/TestMdCheckRefs", { length: pages * PAGE, uptr, refs: count }).code;
}

const LIFETIMES: Suite<Caller>["cases"] = [
  {
    name: "an access takes an id that nobody can destroy, holds its IOAS, and goes with its file",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const access = newAccess(t, iommu, ioas);
      equal([ioas, ioas + 1].map((id) => t.ask(iommu, "DESTROY", { id }).code), ["EBUSY", "EBUSY"]);
      t.close(access);
      equal(newIoas(t, iommu), ioas + 1);
      equal(t.ask(iommu, "DESTROY", { id: ioas }).code, "OK");
    },
  },
  {
    name: "an access keeps its iommufd when that is closed, and any iommufd can ask it",
    run(t) {
      const { iommu, access, memory } = pinning(t);
      t.close(iommu);
      const other = t.iommu();
      t.do(other, "TEST_CMD/TestAccessPages", { id: access, iova: FIRST, length: PAGE, uptr: memory });
      equal(refs(t, other, memory, 1, 1), "OK");
      t.close(access);
      equal(refs(t, other, memory, 1, 0), "OK");
    },
  },
  {
    name: "an access that pins asks for whole pages, one that copies does not",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const memory = written(t, 1);
      mapAt(t, iommu, ioas, FIRST, memory, 2048);
      t.refused("EADDRINUSE", iommu, "TEST_CMD/TestCreateAccess", { id: ioas, flags: PINNING });
      t.refused("EOPNOTSUPP", iommu, "TEST_CMD/TestCreateAccess", { id: NO_ID, flags: 2 });
      t.refused("ENOENT", iommu, "TEST_CMD/TestCreateAccess", { id: NO_ID });
      newAccess(t, iommu, ioas, 0);
      equal(usableRanges(t, iommu, ioas).alignment, 1n);
      unmap(t, iommu, ioas, FIRST, 2048);
      const pinner = newAccess(t, iommu, ioas);
      equal(usableRanges(t, iommu, ioas).alignment, 4096n);
      t.refused("EINVAL", iommu, "IOAS_MAP", { ioas_id: ioas, flags: 7, user_va: memory, length: 2048, iova: FIRST });
      t.close(pinner);
      equal(usableRanges(t, iommu, ioas).alignment, 1n);
    },
  },
  {
    name: "another IOAS takes the pins of the first one away; the same one does not",
    run(t) {
      const { iommu, ioas, access, memory } = pinning(t);
      const other = newIoas(t, iommu);
      const replace = (id: number) => t.ask(iommu, "TEST_CMD/TestAccessReplaceIoas", { id: access, ioas_id: id }).code;
      t.do(iommu, "TEST_CMD/TestAccessPages", { id: access, iova: FIRST, length: PAGE, uptr: memory });
      equal([replace(ioas), replace(NO_ID), replace(0), refs(t, iommu, memory, 1, 1)], ["OK", "ENOENT", "ENOENT", "OK"]);
      equal([replace(other), refs(t, iommu, memory, 1, 0)], ["OK", "OK"]);
      equal(t.ask(iommu, "TEST_CMD/TestAccessPages", { id: access, iova: FIRST, length: PAGE }).code, "ENOENT");
      equal(t.ask(iommu, "DESTROY", { id: ioas }).code, "OK");
      equal(t.ask(iommu, "TEST_CMD/TestAccessReplaceIoas", { id: iommu, ioas_id: other }).code, "EBADFD");
    },
  },
];

const PINS: Suite<Caller>["cases"] = [
  {
    name: "a page is pinned once for all accesses, ranges and page tables, until the last lets go",
    run(t) {
      const { iommu, ioas, access, memory } = pinning(t);
      const pin = (id: number, iova: bigint, pages: number, uptr: bigint) =>
        t.do(iommu, "TEST_CMD/TestAccessPages", { id, flags: WRITE, iova, length: pages * PAGE, uptr }).number("out_access_pages_id");
      const other = newAccess(t, iommu, ioas);
      equal([pin(access, FIRST + 4096n, 2, memory + 4096n), pin(access, FIRST, 4, memory), pin(other, FIRST, 1, 0n)], [0, 1, 0]);
      equal([refs(t, iommu, memory, 4, 1), refs(t, iommu, memory, 4, 0)], ["OK", "EIO"]);
      const mock = t.do(iommu, "TEST_CMD/TestMockDomain", { id: ioas }).number("out_stdev_id");
      const unpin = (id: number, range: number) => t.ask(iommu, "TEST_CMD/TestDestroyAccessPages", { id, access_pages_id: range }).code;
      equal([unpin(access, 1), unpin(access, 1), unpin(other, 1)], ["OK", "ENOENT", "ENOENT"]);
      equal(refs(t, iommu, memory, 4, 1), "OK");
      equal(t.ask(iommu, "DESTROY", { id: mock }).code, "OK");
      equal([refs(t, iommu, memory, 3, 1), refs(t, iommu, memory + 12288n, 1, 0)], ["OK", "OK"]);
      t.close(other);
      equal([refs(t, iommu, memory, 1, 0), refs(t, iommu, memory + 4096n, 2, 1)], ["OK", "OK"]);
    },
  },
  {
    name: "unmapping tells users first: their pins are gone, also those that reach into areas that stay",
    run(t) {
      const { iommu, ioas, access, memory } = pinning(t);
      t.do(iommu, "TEST_CMD/TestAccessPages", { id: access, iova: FIRST, length: 4 * PAGE, uptr: memory });
      equal(unmap(t, iommu, ioas, FIRST, 2 * PAGE), 8192n);
      equal([refs(t, iommu, memory, 4, 0)], ["OK"]);
      equal(t.ask(iommu, "TEST_CMD/TestDestroyAccessPages", { id: access }).code, "ENOENT");
      const next = t.do(iommu, "TEST_CMD/TestAccessPages", { id: access, iova: FIRST + 8192n, length: PAGE, uptr: memory + 8192n });
      equal(next.number("out_access_pages_id"), 1);
      t.refused("ENOENT", iommu, "IOAS_UNMAP", { ioas_id: ioas, iova: FIRST + 8192n, length: PAGE });
      equal(refs(t, iommu, memory + 8192n, 1, 1), "OK", "whom a request does not unmap it does not tell");
      equal(t.do(iommu, "IOAS_UNMAP", { ioas_id: ioas, length: 2n ** 64n - 1n }).big("length"), 8192n);
      equal(refs(t, iommu, memory, 4, 0), "OK");
    },
  },
  {
    name: "ACCESS_PAGES: each check in its order",
    run(t) {
      const { iommu, ioas, access, memory } = pinning(t);
      const copier = newAccess(t, iommu, ioas, 0);
      mapAt(t, iommu, ioas, FIRST + 16384n, memory, PAGE, 4);
      mapAt(t, iommu, ioas, FIRST + 20480n, memory, PAGE, 2);
      mapAt(t, iommu, ioas, 0x1_0000n, 4096n, PAGE);
      const code = (fields: Record<string, number | bigint>) =>
        t.ask(iommu, "TEST_CMD/TestAccessPages", { id: access, iova: FIRST, length: PAGE, ...fields }).code;
      equal(code({ length: 2n ** 24n + 1n, flags: 2 }), "ENOMEM");
      equal(code({ flags: 2, id: iommu }), "EOPNOTSUPP");
      equal([code({ id: iommu }), code({ id: copier }), code({ length: 0 })], ["EBADFD", "EOPNOTSUPP", "EINVAL"]);
      equal(code({ iova: 2n ** 64n - 4096n, length: 8192 }), "EOVERFLOW");
      equal([code({ iova: FIRST + 1n }), code({ iova: FIRST - 4096n })], ["EINVAL", "ENOENT"]);
      equal([code({ iova: FIRST + 16384n, flags: WRITE }), code({ iova: FIRST + 20480n })], ["EPERM", "EPERM"]);
      equal(code({ iova: FIRST + 20480n, length: 8192, flags: WRITE }), "ENOENT");
      equal(code({ iova: 0x1_0000n, flags: WRITE }), "EFAULT");
      equal([code({ uptr: memory + 4096n }), code({ uptr: 4096n })], ["EBADE", "EFAULT"]);
      equal(code({ uptr: memory, length: 1 }), "OK");
    },
  },
];

const COPIES: Suite<Caller>["cases"] = [
  {
    name: "ACCESS_RW copies between the process and areas side by side, in both ways of the kernel",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const access = newAccess(t, iommu, ioas, 0);
      const memory = written(t, 2);
      mapAt(t, iommu, ioas, 0x1_0001n, memory + 100n, 300);
      mapAt(t, iommu, ioas, 0x1_0001n + 300n, memory + 4096n, PAGE);
      const buffer = t.block(400);
      for (const slow of [0, SLOW]) {
        t.bytes(memory, 2 * PAGE).fill(0);
        buffer.bytes.forEach((_, at) => buffer.bytes[at] = at + slow);
        const fields = { id: access, iova: 0x1_0001n, length: 400, uptr: buffer.address };
        t.do(iommu, "TEST_CMD/TestAccessRw", { ...fields, flags: WRITE | slow });
        equal([...t.bytes(memory + 100n, 300), ...t.bytes(memory + 4096n, 100)], [...buffer.bytes]);
        equal([t.bytes(memory + 99n, 1)[0], t.bytes(memory + 400n, 1)[0]], [0, 0]);
        const before = buffer.bytes.slice();
        buffer.bytes.fill(0);
        t.do(iommu, "TEST_CMD/TestAccessRw", { ...fields, flags: slow });
        equal(buffer.bytes, before);
      }
    },
  },
  {
    name: "ACCESS_RW: each check in its order",
    run(t) {
      const { iommu, access, ioas, memory } = pinning(t);
      mapAt(t, iommu, ioas, FIRST + 16384n, memory, PAGE, 4);
      mapAt(t, iommu, ioas, 0x1_0000n, 4096n, PAGE);
      const code = (fields: Record<string, number | bigint>) =>
        t.ask(iommu, "TEST_CMD/TestAccessRw", { id: access, iova: FIRST, length: 8, uptr: memory, ...fields }).code;
      equal([code({ length: 2n ** 24n + 1n, flags: 8 }), code({ flags: 8, id: iommu }), code({ id: iommu })], [
        "ENOMEM",
        "EOPNOTSUPP",
        "EBADFD",
      ]);
      equal([code({ uptr: 8, flags: WRITE, iova: 8 }), code({ length: 0 })], ["EFAULT", "EINVAL"]);
      equal([code({ iova: 2n ** 64n - 4n }), code({ iova: 8 })], ["EOVERFLOW", "ENOENT"]);
      equal([code({ iova: FIRST + 16384n, flags: WRITE }), code({ iova: FIRST + 16384n })], ["EPERM", "OK"]);
      equal([code({ iova: 0x1_0000n }), code({ iova: 0x1_0000n, flags: SLOW })], ["EFAULT", "EFAULT"]);
      equal(code({ uptr: 8 }), "EFAULT");
    },
  },
  {
    name: "what is pinned stays the memory of slow copies over several pages, whatever the process maps there",
    run(t) {
      const { iommu, access, memory } = pinning(t);
      t.do(iommu, "TEST_CMD/TestAccessPages", { id: access, iova: FIRST, length: 2 * PAGE, uptr: memory, flags: WRITE });
      const into = t.memory(2 * PAGE, USER_BASE + 0x10_0000n, PROT_READ | PROT_WRITE, MAP_FIXED_NOREPLACE);
      t.kernel.munmap(memory, 2 * PAGE);
      const code = (flags: number, length: number) =>
        t.ask(iommu, "TEST_CMD/TestAccessRw", { id: access, iova: FIRST, length, uptr: into, flags }).code;
      equal([code(0, 2 * PAGE), code(SLOW, 8), code(SLOW, 2 * PAGE)], ["EFAULT", "EFAULT", "OK"]);
      equal(t.bytes(into, 2 * PAGE).every((byte) => byte === 1), true);
    },
  },
  {
    name: "files can be pinned and copied as memory is",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const access = newAccess(t, iommu, ioas);
      const file = t.memfd(2 * PAGE);
      const iova = t.do(iommu, "IOAS_MAP_FILE", { ioas_id: ioas, flags: 6, fd: file, length: 2 * PAGE }).big("iova");
      const memory = written(t, 1);
      t.do(iommu, "TEST_CMD/TestAccessRw", { id: access, iova: iova + 4000n, length: 200, uptr: memory, flags: WRITE });
      const view = t.tryMmap(0n, 2 * PAGE, PROT_READ | PROT_WRITE, 1, file);
      equal([...t.bytes(view + 3999n, 202)].reduce((sum, byte) => sum + byte, 0), 200);
      t.do(iommu, "TEST_CMD/TestAccessPages", { id: access, iova, length: 2 * PAGE, uptr: view });
      equal(refs(t, iommu, view, 2, 1), "OK");
      const late = mapAnywhere(t, iommu, ioas, memory, PAGE);
      equal(unmap(t, iommu, ioas, late, PAGE), 4096n);
    },
  },
];

/** Access objects. Only for kernels with the feature "mock-iommu". */
export const ACCESSES: Suite<Caller> = { name: "access objects", cases: [...LIFETIMES, ...PINS, ...COPIES] };
