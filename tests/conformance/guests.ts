/**
 * Guests of an Arm SMMUv3 with both stages through the typed API: their stream table entries, tables, commands and events.
 *
 * For kernels with the feature "nesting" whose IOMMU is such an SMMUv3.
 *
 * @module
 */
import { type BoundDevice, DeviceFd, type EventQueue, type Hwpt, IommuFd, type NestedHwpt, type Viommu } from "../../mod.ts";
import {
  HWPT_DATA_ARM_SMMUV3,
  VEVENTQ_TYPE_ARM_SMMUV3,
  VIOMMU_INVALIDATE_DATA_ARM_SMMUV3,
  VIOMMU_TYPE_ARM_SMMUV3,
} from "../../uapi/codec.ts";
import { equal } from "../check.ts";
import type { Suite } from "../harness.ts";
import type { Caller } from "./caller.ts";
import { Edu } from "./edu.ts";
import { errorOf } from "./typed.ts";

const PAGE = 4096;
/** Where the guest has its memory, by its own addresses: a descriptor, a table of each level from the top, two pages of data. */
const MEMORY = 0x400_0000n;
const TABLES = 1;
const DATA = 5;
const OTHER = 6;
const IOVA = 0x0654_3000n;
/** Where the page of data is in the guest's memory. */
const PASSED = MEMORY + 5n * 4096n;
/** What the guest calls its device. */
const STREAM = 0x1001n;
/** Stream table entries: what translates, what passes, what aborts. */
const TRANSLATES = 5n << 1n | 1n | MEMORY;
const PASSES = 4n << 1n | 1n;
const ABORTS = 1n;

/** A guest's memory with tables that lead {@linkcode IOVA} to {@linkcode DATA}. */
class Guest {
  readonly device: BoundDevice;
  readonly parent: Hwpt;
  readonly viommu: Viommu;
  readonly events: EventQueue;
  readonly edu: Edu;
  #bytes: Uint8Array;
  #view: DataView;

  constructor(t: Caller, iommu: IommuFd, file: DeviceFd) {
    const ioas = iommu.createIoas();
    this.#bytes = ioas.createDmaBuffer(16 * PAGE, { iova: MEMORY }).bytes;
    this.#view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.length);
    this.device = file.bind(iommu);
    this.parent = ioas.createHwpt(this.device, { nestParent: true });
    this.viommu = this.parent.createViommu(this.device, { type: VIOMMU_TYPE_ARM_SMMUV3 });
    this.events = this.viommu.createEventQueue({ type: VEVENTQ_TYPE_ARM_SMMUV3, depth: 8 });
    this.put(0, 0, 7n << 48n | 3n << 45n | 1n << 41n | 5n << 32n | 1n << 31n | 1n << 30n | 16n);
    this.put(0, 1, this.at(TABLES));
    for (let level = 3; level > 0; level--) this.#entry(level, this.at(TABLES + 4 - level) | 3n);
    this.lead(DATA);
    this.edu = new Edu(t, file.fd);
  }

  at(page: number): bigint {
    return MEMORY + BigInt(page * PAGE);
  }

  put(page: number, index: number, word: bigint): void {
    this.#view.setBigUint64(page * PAGE + index * 8, word, true);
  }

  #entry(level: number, entry: bigint): void {
    this.put(TABLES + 3 - level, Number(IOVA >> BigInt(12 + 9 * level) & 511n), entry);
  }

  /** Lead {@linkcode IOVA} to a page, or nowhere. */
  lead(page: number | undefined): void {
    this.#entry(0, page === undefined ? 0n : this.at(page) | 0x443n);
  }

  entry(word: bigint): NestedHwpt {
    const data = new Uint8Array(16);
    new DataView(data.buffer).setBigUint64(0, word, true);
    return this.viommu.createNested(this.device, { type: "raw", dataType: HWPT_DATA_ARM_SMMUV3, data });
  }

  command(low: bigint, high = 0n): void {
    const entries = new Uint8Array(16);
    const view = new DataView(entries.buffer);
    view.setBigUint64(0, low, true);
    view.setBigUint64(8, high, true);
    this.viommu.invalidate({ dataType: VIOMMU_INVALIDATE_DATA_ARM_SMMUV3, entryLength: 16, entries });
  }

  /** Both pages are filled, with 1 and 2; then the device writes zeros. Returns the first bytes of the pages. */
  async write(iova = IOVA): Promise<readonly [data: number, other: number]> {
    this.#bytes.fill(1, DATA * PAGE, OTHER * PAGE).fill(2, OTHER * PAGE, (OTHER + 1) * PAGE);
    await this.edu.store(0, iova, 16);
    return [this.#bytes[DATA * PAGE]!, this.#bytes[OTHER * PAGE]!];
  }
}

async function withGuest(t: Caller, run: (guest: Guest) => Promise<void>): Promise<void> {
  using iommu = IommuFd.open(t.kernel);
  using file = DeviceFd.open(t.kernel, t.devices.alone);
  await run(new Guest(t, iommu, file));
}

const CASES: Suite<Caller>["cases"] = [
  {
    name: "a device that its guest knows goes by the guest's tables, until a command says that they have changed",
    run: (t) =>
      withGuest(t, async (guest) => {
        const nested = guest.entry(TRANSLATES);
        equal(errorOf(() => guest.device.attach(nested)), "ENOENT");
        guest.viommu.createDevice(guest.device, STREAM);
        guest.device.attach(nested);
        equal(await guest.write(), [0, 2]);
        const ofAsid = 7n << 48n;
        const changes = [
          [OTHER, 0x12n | ofAsid, IOVA | 1n],
          [DATA, 0x13n, IOVA | 1n],
          [OTHER, 0x11n | ofAsid, 0n],
          [DATA, 0x30n, 0n],
        ] as const;
        for (const [page, low, high] of changes) {
          guest.lead(page);
          guest.command(low, high);
          equal(await guest.write(), page === DATA ? [0, 2] : [1, 0]);
        }
      }),
  },
  {
    name: "what a guest's entry passes goes to its memory, and what it aborts nowhere; neither needs a device that it knows",
    run: (t) =>
      withGuest(t, async (guest) => {
        guest.device.attach(guest.entry(ABORTS));
        equal(await guest.write(), [1, 2]);
        guest.device.attach(guest.entry(PASSES));
        equal(await guest.write(PASSED), [0, 2]);
        equal(errorOf(() => guest.entry(6n << 1n | 1n)), "EIO");
        equal(errorOf(() => guest.entry(PASSES | 1n << 52n)), "EIO");
      }),
  },
  {
    name: "commands of other streams, and those that are no guest's, are EIO",
    run: (t) =>
      withGuest(t, (guest) => {
        guest.viommu.createDevice(guest.device, STREAM);
        guest.command(0x6n | STREAM << 32n);
        for (const command of [0x6n, 0x3n | STREAM << 32n, 0x28n, 0x46n]) equal(errorOf(() => guest.command(command)), "EIO");
        return Promise.resolve();
      }),
  },
  {
    name: "what a guest's tables refuse is an event of its device, as the guest calls that",
    run: (t) =>
      withGuest(t, async (guest) => {
        guest.viommu.createDevice(guest.device, STREAM);
        guest.device.attach(guest.entry(TRANSLATES));
        guest.lead(undefined);
        equal(await guest.write(), [1, 2]);
        const event = new DataView(guest.events.take()!.data!.buffer);
        // F_TRANSLATION of a write.
        equal([event.getBigUint64(0, true), event.getBigUint64(8, true) >> 35n & 1n], [0x10n | STREAM << 32n, 0n]);
        equal(event.getBigUint64(16, true) & ~0xfffn, IOVA);
      }),
  },
];

/** Guests of an SMMUv3. */
export const SMMUV3_GUESTS: Suite<Caller> = { name: "guests of an SMMUv3", cases: CASES };
