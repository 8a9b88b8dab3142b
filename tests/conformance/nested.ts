/**
 * Nested translation by VT-d through the typed API: a device works through tables that the program writes, on top of one of the kernel's.
 *
 * For kernels with the feature "nesting" whose IOMMU is a VT-d.
 *
 * @module
 */
import { type BoundDevice, DeviceFd, type Hwpt, type Ioas, IommuFd, type NestedHwpt } from "../../mod.ts";
import { equal } from "../check.ts";
import type { Suite } from "../harness.ts";
import type { Caller } from "./caller.ts";
import { Edu } from "./edu.ts";
import { errorOf } from "./typed.ts";

const PAGE = 4096;
/** Where the guest has its memory, by its own addresses. */
const MEMORY = 0x4000_0000n;
const MEMORY_PAGES = 16;
/** Pages of the guest: one table a level from the top down, and two pages that entries lead to. */
const DATA = 4;
const OTHER = 5;
/** What the device uses; its registers hold 28 bits. */
const IOVA = 0x0654_3000n;
/** Entries of x86-64 tables: present, writable, for users; marks of the hardware. */
const READ_ONLY = 5n;
const FULL = 7n;
const ACCESSED = 1n << 5n;
const DIRTY = 1n << 6n;

/** A guest's memory with tables that lead {@linkcode IOVA} to {@linkcode DATA}, and a device that uses them. */
class Guest {
  readonly ioas: Ioas;
  readonly device: BoundDevice;
  readonly parent: Hwpt;
  readonly edu: Edu;
  #bytes: Uint8Array;
  #view: DataView;

  constructor(t: Caller, iommu: IommuFd, file: DeviceFd) {
    this.ioas = iommu.createIoas();
    this.#bytes = this.ioas.createDmaBuffer(MEMORY_PAGES * PAGE, { iova: MEMORY }).bytes;
    this.#view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.length);
    this.device = file.bind(iommu);
    this.parent = this.ioas.createHwpt(this.device, { nestParent: true });
    for (let table = 0; table < 4; table++) this.set(3 - table, this.at(table + 1) | FULL);
    this.edu = new Edu(t, file.fd);
  }

  nested(): NestedHwpt {
    return this.parent.createNested(this.device, { type: "vtd", root: MEMORY, levels: 4 });
  }

  /** The guest's address of a page. */
  at(page: number): bigint {
    return MEMORY + BigInt(PAGE * page);
  }

  #place(level: number): number {
    return (3 - level) * PAGE + Number(IOVA >> BigInt(12 + 9 * level) & 511n) * 8;
  }

  /** The entry for {@linkcode IOVA} in the table of a level, 0 the lowest. */
  entry(level: number): bigint {
    return this.#view.getBigUint64(this.#place(level), true);
  }

  set(level: number, entry: bigint): void {
    this.#view.setBigUint64(this.#place(level), entry, true);
  }

  fill(page: number, byte: number): void {
    this.#bytes.fill(byte, page * PAGE, (page + 1) * PAGE);
  }

  first(page: number): number {
    return this.#bytes[page * PAGE]!;
  }

  /** Both pages are filled, with 1 and 2; then the device writes zeros to {@linkcode IOVA}. Returns the first bytes of the pages. */
  async write(): Promise<readonly [data: number, other: number]> {
    this.fill(DATA, 1);
    this.fill(OTHER, 2);
    await this.edu.store(0, IOVA, 16);
    return [this.first(DATA), this.first(OTHER)];
  }
}

async function withGuest(t: Caller, run: (guest: Guest) => Promise<void>): Promise<void> {
  using iommu = IommuFd.open(t.kernel);
  using file = DeviceFd.open(t.kernel, t.devices.alone);
  const guest = new Guest(t, iommu, file);
  await run(guest);
}

const CASES: Suite<Caller>["cases"] = [
  {
    name: "a transfer goes through both stages, and leaves its marks in the guest's tables",
    run: (t) =>
      withGuest(t, async (guest) => {
        guest.device.attach(guest.nested());
        equal(await guest.write(), [0, 2]);
        equal([3, 2, 1, 0].map((level) => guest.entry(level) & (ACCESSED | DIRTY)), [ACCESSED, ACCESSED, ACCESSED, ACCESSED | DIRTY]);
      }),
  },
  {
    name: "an entry that is changed may be served from caches until HWPT_INVALIDATE says so, and no longer",
    run: (t) =>
      withGuest(t, async (guest) => {
        const nested = guest.nested();
        guest.device.attach(nested);
        equal(await guest.write(), [0, 2]);
        guest.set(0, guest.at(OTHER) | FULL);
        nested.invalidate([{ iova: IOVA, pages: 1n, leavesOnly: true }]);
        equal(await guest.write(), [1, 0]);
        guest.set(0, 0n);
        nested.invalidate([{ iova: 0n, pages: "all" }]);
        equal(await guest.write(), [1, 2]);
        // What was not there is in no cache.
        guest.set(0, guest.at(DATA) | FULL);
        equal(await guest.write(), [0, 2]);
      }),
  },
  {
    name: "what either stage does not let the device write stays as it is",
    run: (t) =>
      withGuest(t, async (guest) => {
        const nested = guest.nested();
        guest.device.attach(nested);
        guest.set(0, guest.at(DATA) | READ_ONLY);
        equal(await guest.write(), [1, 2]);
        for (const stray of [guest.at(MEMORY_PAGES), 0n, IOVA]) {
          guest.set(0, stray | FULL);
          nested.invalidate([{ iova: IOVA, pages: 1n }]);
          equal(await guest.write(), [1, 2]);
        }
        guest.set(0, guest.at(DATA) | FULL);
        nested.invalidate([{ iova: IOVA, pages: 1n }]);
        equal(await guest.write(), [0, 2]);
      }),
  },
  {
    name: "memory that is unmapped below is gone at once, without an invalidation",
    run: (t) =>
      withGuest(t, async (guest) => {
        const window = 0x8000_0000n;
        const copied = guest.ioas.copy(guest.ioas, { sourceIova: MEMORY, length: MEMORY_PAGES * PAGE, iova: window });
        guest.device.attach(guest.nested());
        guest.set(0, copied + BigInt(DATA * PAGE) | FULL);
        equal(await guest.write(), [0, 2]);
        guest.ioas.unmap(copied, MEMORY_PAGES * PAGE);
        equal(await guest.write(), [1, 2]);
      }),
  },
  {
    name: "a device moves between tables and their parent, and each holds what is below it",
    run: (t) =>
      withGuest(t, async (guest) => {
        const { device, parent, ioas } = guest;
        const [one, two] = [guest.nested(), guest.nested()];
        device.attach(one);
        device.attach(two);
        equal(await guest.write(), [0, 2]);
        equal([errorOf(() => ioas.iommu.destroy(two.id)), errorOf(() => ioas.iommu.destroy(parent.id))], ["EBUSY", "EBUSY"]);
        one[Symbol.dispose]();
        device.attach(parent);
        equal([device.attachedTo === parent, errorOf(() => ioas.iommu.destroy(parent.id))], [true, "EBUSY"]);
        equal(await guest.write(), [1, 2]);
        device.attach(two);
        equal(await guest.write(), [0, 2]);
        device.detach();
        equal(await guest.write(), [1, 2]);
        parent[Symbol.dispose]();
        equal(errorOf(() => two.invalidate([])), "EBADF");
      }),
  },
];

/** Nested translation. */
export const NESTED: Suite<Caller> = { name: "nested translation", cases: CASES };
