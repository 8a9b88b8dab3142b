/**
 * What a device reaches: the bytes that move, and those that must not.
 *
 * A device cannot tell a refused transfer from another, so each case looks at memory: what the device was kept from reading does not
 * appear where it writes later, and what it was kept from writing is unchanged.
 *
 * @module
 */
import { IOAS_MAP_READABLE, IOAS_MAP_WRITEABLE } from "../../uapi/codec.ts";
import { check, equal } from "../check.ts";
import type { Suite } from "../harness.ts";
import type { Caller } from "./caller.ts";
import { Edu, setBusMaster } from "./edu.ts";
import { attach, attached, detach, iommuWithIoas, mapAt, newIoas, openBound, PAGE, PAGE64, unmap } from "./steps.ts";

const SECRET = 0x5e;
const LENGTH = 64;
/** Where each case has memory that the device may use. */
const OPEN = 0x1_0000n;
/** Where each case has, or had, memory that it may not. */
const CLOSED = 0x8_0000n;

/** An attached device with one page at OPEN, and another page full of the secret that is not mapped yet. */
function prepared(t: Caller) {
  const device = attached(t);
  const [open, closed] = [t.memory(PAGE), t.memory(PAGE)];
  t.bytes(closed, PAGE).fill(SECRET);
  mapAt(t, device.iommu, device.ioas, OPEN, open, PAGE);
  return { ...device, edu: new Edu(t, device.device), open: t.bytes(open, PAGE), closed: t.bytes(closed, PAGE), closedVa: closed };
}

type Prepared = ReturnType<typeof prepared>;

/** The device tries to read the secret at `iova` and to write over it; then it shows what it has. */
async function isShut({ edu, open, closed }: Prepared, iova = CLOSED): Promise<void> {
  await edu.fetch(iova, 0, LENGTH);
  await edu.store(0, OPEN, LENGTH);
  check(!open.subarray(0, LENGTH).includes(SECRET), "the device read what it must not");
  open.fill(0x99, 0, LENGTH);
  await edu.fetch(OPEN, 0, LENGTH);
  await edu.store(0, iova, LENGTH);
  equal(closed, new Uint8Array(PAGE).fill(SECRET), "memory that the device must not write");
}

const MAPPED: Suite<Caller>["cases"] = [
  {
    name: "bytes move both ways, at any offset and length, and nothing beside them changes",
    async run(t) {
      const { edu, open } = prepared(t);
      for (let at = 0; at < PAGE; at++) open[at] = at * 31 + 7;
      const before = open.slice();
      for (const [from, to, length] of [[0, 2048, 1], [1, 2051, 7], [100, 3000, 999], [5, 4091, 5]] as const) {
        await edu.fetch(OPEN + BigInt(from), 0, length);
        await edu.store(0, OPEN + BigInt(to), length);
        before.copyWithin(to, from, from + length);
        equal(open, before);
      }
    },
  },
  {
    name: "a transfer over pages that are mapped side by side finds each page's own memory",
    async run(t) {
      const { iommu, ioas, device } = attached(t);
      const va = t.memory(3 * PAGE);
      const bytes = t.bytes(va, 3 * PAGE);
      for (const [page, from] of [[0, 2], [1, 0], [2, 1]] as const) {
        mapAt(t, iommu, ioas, OPEN + BigInt(page * PAGE), va + BigInt(from * PAGE), PAGE);
      }
      bytes.fill(0xa0, 2 * PAGE).fill(0xa1, 0, PAGE);
      const edu = new Edu(t, device);
      await edu.fetch(OPEN + 4000n, 0, 192);
      await edu.store(0, OPEN + 2n * PAGE64 - 96n, 192);
      equal(bytes.slice(PAGE - 96, PAGE), new Uint8Array(96).fill(0xa0));
      equal(bytes.slice(PAGE, PAGE + 96), new Uint8Array(96).fill(0xa1));
    },
  },
  {
    name: "an area for reading lets the device read and not write, an area for writing the other way round",
    async run(t) {
      const { iommu, ioas, edu, open, closed, closedVa } = prepared(t);
      mapAt(t, iommu, ioas, CLOSED, closedVa, PAGE, IOAS_MAP_READABLE);
      await edu.fetch(CLOSED, 0, LENGTH);
      await edu.store(0, OPEN, LENGTH);
      equal(open.slice(0, LENGTH), new Uint8Array(LENGTH).fill(SECRET));
      open.fill(1, 0, LENGTH);
      await edu.fetch(OPEN, 0, LENGTH);
      await edu.store(0, CLOSED, LENGTH);
      equal(closed, new Uint8Array(PAGE).fill(SECRET));
      unmap(t, iommu, ioas, CLOSED, PAGE);
      mapAt(t, iommu, ioas, CLOSED, closedVa, PAGE, IOAS_MAP_WRITEABLE);
      await edu.store(0, CLOSED, LENGTH);
      equal(closed.slice(0, LENGTH), new Uint8Array(LENGTH).fill(1));
    },
  },
];

const SHUT: Suite<Caller>["cases"] = [
  {
    name: "what is not mapped is shut",
    run: (t) => isShut(prepared(t)),
  },
  {
    name: "what is unmapped again is shut, though the device used it before",
    async run(t) {
      const all = prepared(t);
      mapAt(t, all.iommu, all.ioas, CLOSED, all.closedVa, PAGE);
      await all.edu.fetch(CLOSED + 128n, 0, LENGTH);
      unmap(t, all.iommu, all.ioas, CLOSED, PAGE);
      all.open.fill(0, 0, LENGTH);
      await all.edu.fetch(OPEN, 0, LENGTH);
      await isShut(all);
    },
  },
  {
    name: "what is mapped in another IOAS is shut",
    async run(t) {
      const all = prepared(t);
      mapAt(t, all.iommu, newIoas(t, all.iommu), CLOSED, all.closedVa, PAGE);
      await isShut(all);
    },
  },
  {
    name: "the pages beside a mapping are shut",
    async run(t) {
      const all = prepared(t);
      mapAt(t, all.iommu, newIoas(t, all.iommu), CLOSED, all.closedVa, PAGE);
      for (const iova of [OPEN - PAGE64, OPEN + PAGE64, 0n]) await isShut(all, iova);
    },
  },
  {
    name: "a detached device moves nothing, and moves again when it is attached",
    async run(t) {
      const { device, ioas, edu, open } = prepared(t);
      open.fill(SECRET, 0, LENGTH);
      detach(t, device);
      await edu.fetch(OPEN, 0, LENGTH);
      attach(t, device, ioas);
      await edu.store(0, OPEN + 512n, LENGTH);
      check(!open.subarray(512, 512 + LENGTH).includes(SECRET), "a detached device read memory");
      await edu.fetch(OPEN, 0, LENGTH);
      detach(t, device);
      await edu.store(0, OPEN + 1024n, LENGTH);
      check(!open.subarray(1024, 1024 + LENGTH).includes(SECRET), "a detached device wrote memory");
      attach(t, device, ioas);
      await edu.store(0, OPEN + 1024n, LENGTH);
      equal(open.slice(1024, 1024 + LENGTH), new Uint8Array(LENGTH).fill(SECRET));
    },
  },
  {
    name: "a bound device that was never attached moves nothing",
    async run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const { device } = openBound(t, iommu);
      const va = t.memory(PAGE);
      const bytes = t.bytes(va, PAGE).fill(SECRET, 0, LENGTH);
      mapAt(t, iommu, ioas, OPEN, va, PAGE);
      const edu = new Edu(t, device);
      await edu.fetch(OPEN, 0, LENGTH);
      attach(t, device, ioas);
      await edu.store(0, OPEN + 512n, LENGTH);
      check(!bytes.subarray(512, 512 + LENGTH).includes(SECRET), "an unattached device read memory");
    },
  },
  {
    name: "after a replacement the old IOAS is shut and the new one open",
    async run(t) {
      const all = prepared(t);
      mapAt(t, all.iommu, all.ioas, CLOSED, all.closedVa, PAGE);
      await all.edu.fetch(CLOSED, 0, LENGTH);
      const next = newIoas(t, all.iommu);
      t.do(all.iommu, "IOAS_COPY", { flags: 7, src_ioas_id: all.ioas, dst_ioas_id: next, src_iova: OPEN, dst_iova: OPEN, length: PAGE });
      attach(t, all.device, next);
      all.open.fill(0, 0, LENGTH);
      await all.edu.fetch(OPEN, 0, LENGTH);
      await isShut(all);
    },
  },
  {
    name: "without bus mastering a device moves nothing",
    async run(t) {
      const { device, edu, open } = prepared(t);
      open.fill(SECRET, 0, LENGTH);
      setBusMaster(t, device, false);
      await edu.fetch(OPEN, 0, LENGTH);
      setBusMaster(t, device);
      await edu.store(0, OPEN + 512n, LENGTH);
      check(!open.subarray(512, 512 + LENGTH).includes(SECRET), "the device read memory without bus mastering");
    },
  },
];

/** DMA. */
export const DMA: Suite<Caller> = { name: "DMA", cases: [...MAPPED, ...SHUT] };
