/**
 * IOAS_MAP_FILE and IOAS_CHANGE_PROCESS: memory files as what devices reach.
 *
 * @module
 */
import { MAP_SHARED, PROT_READ, PROT_WRITE } from "../../uapi/kernel.ts";
import { equal } from "../check.ts";
import type { Case, Suite } from "../harness.ts";
import type { Caller } from "./caller.ts";
import { Edu } from "./edu.ts";
import { attached, FIXED, iommuWithIoas, mapAnywhere, mapAt, MAX64, NO_ID, PAGE, PAGE64, READ_WRITE, unmap, USER_BASE } from "./steps.ts";
import type { Fields } from "./struct.ts";

/** Map a part of a file. Returns the IOVA. */
function mapFile(t: Caller, iommu: number, fields: Fields): bigint {
  return t.do(iommu, "IOAS_MAP_FILE", { flags: READ_WRITE, ...fields }).big("iova");
}

const CHECKS: readonly (readonly [string, string, Fields, Fields?])[] = [
  ["an unknown flag", "EOPNOTSUPP", { flags: FIXED | 8 }, { iova: MAX64 }],
  ["an IOVA of 2^64 − 1", "EOVERFLOW", { iova: MAX64 }, { flags: 1 }],
  ["a length of 2^64 − 1", "EOVERFLOW", { length: MAX64 }, { ioas_id: NO_ID }],
  ["neither readable nor writeable", "EINVAL", { flags: 1 }, { ioas_id: NO_ID }],
  ["no such IOAS", "ENOENT", { ioas_id: NO_ID }, { length: 0, fd: 999 }],
  ["no length", "EINVAL", { length: 0 }, { fd: 999 }],
  ["a start that overflows with its length", "EOVERFLOW", { start: MAX64 - 0xffen }, { fd: 999 }],
  ["no such file", "EBADF", { fd: 999 }, { iova: MAX64 - 0xffen }],
  ["a negative file", "EBADF", { fd: -1 }],
];

const CHECK_CASES: Case<Caller>[] = CHECKS.map(([what, code, fields, spoil]) => ({
  name: `${what} is ${code}`,
  run(t) {
    const { iommu, ioas } = iommuWithIoas(t);
    const request = { ioas_id: ioas, flags: FIXED, fd: t.memfd(4 * PAGE), start: 0, length: PAGE, iova: 0x10000n };
    t.refused(code, iommu, "IOAS_MAP_FILE", { ...request, ...fields });
    if (spoil !== undefined) t.refused(code, iommu, "IOAS_MAP_FILE", { ...request, ...spoil, ...fields });
    equal(t.do(iommu, "IOAS_UNMAP", { ioas_id: ioas, length: MAX64 }).big("length"), 0n, "something was mapped");
  },
}));

const MAPPING: Suite<Caller>["cases"] = [
  {
    name: "devices read and write the file's own memory, from where the mapping starts",
    async run(t) {
      const { iommu, ioas, device } = attached(t);
      const fd = t.memfd(4 * PAGE);
      const at = t.tryMmap(0n, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
      const bytes = t.bytes(at, 4 * PAGE);
      bytes.fill(0xa1, PAGE, 2 * PAGE).fill(0xa2, 2 * PAGE, 3 * PAGE);
      const iova = mapFile(t, iommu, { ioas_id: ioas, fd, start: PAGE, length: 2 * PAGE });
      const edu = new Edu(t, device);
      await edu.fetch(iova + 4000n, 0, 200);
      await edu.store(0, iova + 100n, 200);
      equal(bytes.slice(PAGE + 100, PAGE + 196), new Uint8Array(96).fill(0xa1));
      equal(bytes.slice(PAGE + 196, PAGE + 300), new Uint8Array(104).fill(0xa2));
    },
  },
  {
    name: "a file's mapping outlives its descriptor",
    async run(t) {
      const { iommu, ioas, device } = attached(t);
      const fd = t.memfd(PAGE);
      const at = t.tryMmap(0n, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
      const iova = mapFile(t, iommu, { ioas_id: ioas, fd, length: PAGE });
      t.close(fd);
      const edu = new Edu(t, device);
      t.bytes(at, PAGE).fill(7, 0, 16);
      await edu.fetch(iova, 0, 16);
      await edu.store(0, iova + 32n, 16);
      equal(t.bytes(at, PAGE).slice(32, 48), new Uint8Array(16).fill(7));
    },
  },
  {
    name: "automatic placement goes by the start in the file, as it does by the address of memory",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const fd = t.memfd(8 * PAGE);
      equal(mapFile(t, iommu, { ioas_id: ioas, fd, start: 0, length: 4 * PAGE }), 0x4000n);
      equal(mapFile(t, iommu, { ioas_id: ioas, fd, start: PAGE, length: 4 * PAGE }), 0x8000n);
      equal(mapFile(t, iommu, { ioas_id: ioas, fd, start: 0x123, length: 1 }), 0x1123n);
    },
  },
  {
    name: "beyond the end of the file, and a file without memory, is EINVAL once there is a page table",
    run(t) {
      const { iommu, ioas } = attached(t);
      const fd = t.memfd(2 * PAGE);
      const request = { ioas_id: ioas, flags: READ_WRITE, fd, length: PAGE };
      t.refused("EINVAL", iommu, "IOAS_MAP_FILE", { ...request, start: 2 * PAGE });
      t.refused("EINVAL", iommu, "IOAS_MAP_FILE", { ...request, start: PAGE, length: 2 * PAGE });
      t.refused("EINVAL", iommu, "IOAS_MAP_FILE", { ...request, fd: t.eventfd() });
      equal(unmap(t, iommu, ioas, 0n, MAX64), 0n);
    },
  },
  {
    name: "without a page table nobody looks at the file's memory",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      mapFile(t, iommu, { ioas_id: ioas, fd: t.eventfd(), length: PAGE });
      mapFile(t, iommu, { ioas_id: ioas, fd: t.memfd(PAGE), start: 0x100000, length: PAGE });
      equal(unmap(t, iommu, ioas, 0n, MAX64), 2n * PAGE64);
    },
  },
];

const CHANGE_PROCESS: Suite<Caller>["cases"] = [
  {
    name: "IOAS_CHANGE_PROCESS takes files only: EINVAL while memory of a process is mapped anywhere",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      t.do(iommu, "IOAS_CHANGE_PROCESS");
      mapFile(t, iommu, { ioas_id: ioas, fd: t.memfd(PAGE), length: PAGE });
      t.do(iommu, "IOAS_CHANGE_PROCESS");
      const iova = mapAnywhere(t, iommu, ioas, USER_BASE, PAGE);
      t.refused("EINVAL", iommu, "IOAS_CHANGE_PROCESS");
      unmap(t, iommu, ioas, iova, PAGE);
      t.do(iommu, "IOAS_CHANGE_PROCESS");
    },
  },
  {
    name: "IOAS_CHANGE_PROCESS with its reserved field set is EOPNOTSUPP",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      mapAt(t, iommu, ioas, 0n, USER_BASE, PAGE);
      t.refused("EOPNOTSUPP", iommu, "IOAS_CHANGE_PROCESS", { __reserved: 1 });
    },
  },
];

/** IOAS_MAP_FILE, IOAS_CHANGE_PROCESS. */
export const IOAS_MAP_FILE_SUITE: Suite<Caller> = { name: "IOAS_MAP_FILE", cases: [...CHECK_CASES, ...MAPPING, ...CHANGE_PROCESS] };
