/**
 * What a program has got so far, by which the next request makes sense. Only a guess: what it has wrong gives requests that fail, which are wanted too.
 *
 * @module
 */
import type { ObjectKind } from "../../uapi/schema/types.ts";
import type { Value } from "./sequence.ts";

/** An object of an iommufd. */
export interface Known {
  /** What it is. */
  readonly kind: ObjectKind;
  /** Its id as a number. */
  readonly id: bigint;
  /** Its id as the answer that gave it. */
  readonly value: Value;
  /** Of a page table or a virtual IOMMU the id of its IOAS; of a test object or a virtual device that of its device. */
  readonly other?: bigint | undefined;
  /** Of a virtual IOMMU the id of its page table; of what was made of a virtual IOMMU the id of that. */
  readonly on?: bigint | undefined;
  /** Of a page table the id of the fault queue that it reports to. */
  readonly queue?: bigint | undefined;
  /** Of a page table of an IOAS: whether it was made with data, which may ask for huge pages. */
  readonly huge?: boolean | undefined;
  /** Of a virtual device what the guest calls it. */
  readonly number?: bigint | undefined;
  /** Of a device the id of the page table that it is attached to. */
  readonly attached?: bigint | undefined;
  /** Of a page table: whether it was made for PASIDs. */
  readonly pasid?: boolean;
  /** Of a page table: whether it was made to have others on top of it, or is on top of one. */
  readonly nesting?: "parent" | "nested" | undefined;
  /** Of a page table: whether it was made for dirty tracking. */
  readonly tracks?: boolean | undefined;
  /** Of such a page table: whether tracking is on. */
  isOn?: boolean;
  /** Of an IOAS: whether large pages were switched off from the start, or switched on again after that. */
  pages?: "small" | "mixed" | undefined;
}

/** A PASID of a mock device that is attached. */
export interface AttachedPasid {
  /** Its test object. */
  readonly device: Known;
  /** The PASID. */
  readonly pasid: bigint;
}

/** Memory that is mapped in an IOAS. */
export interface Area {
  /** The IOAS's id. */
  readonly ioas: bigint;
  /** First address. */
  readonly iova: bigint;
  /** The same, as the answer that gave it. */
  readonly value: Value;
  /** Bytes. */
  readonly length: bigint;
  /** The memory's address in the process; undefined for that of a file. */
  readonly userVa: bigint | undefined;
}

/** Objects that are gone and still remembered, to be asked for. */
const GONE_MAX = 12;

/** An open iommufd. */
export class Iommufd {
  /** Its objects. */
  readonly objects: Known[] = [];
  /** Objects that it had. */
  readonly gone: Known[] = [];
  /** Its mappings. */
  areas: Area[] = [];
  /** PASIDs of its mock devices that are attached. */
  pasids: AttachedPasid[] = [];
  /** The IOAS of requests of containers. */
  compatible: bigint | undefined;

  constructor(/** The file. */ readonly file: Value) {}

  /** Objects of one of these kinds. */
  of(kinds: readonly ObjectKind[]): Known[] {
    return this.objects.filter(({ kind }) => kinds.includes(kind));
  }

  /** A new object. An id that was another's is its own now. */
  add(known: Known): void {
    this.forget(known.id);
    this.objects.push(known);
  }

  /** An object is gone, and what is mapped in it. */
  forget(id: bigint): void {
    const at = this.objects.findIndex((known) => known.id === id);
    if (at < 0) return;
    const [known] = this.objects.splice(at, 1);
    this.gone.push(known!);
    if (this.gone.length > GONE_MAX) this.gone.shift();
    this.pasids = this.pasids.filter(({ device }) => device !== known);
    if (known!.kind === "ioas") this.areas = this.areas.filter(({ ioas }) => ioas !== id);
    if (known!.kind === "selftest" && known!.other !== undefined) this.forget(known!.other);
  }

  /** The first area of those that a range reaches, and are not the only one, whose length is no multiple of a unit: see `excluded.ts`. */
  oddPiece(ioas: bigint, iova: bigint, length: bigint, unit: bigint): Area | undefined {
    const reached = this.areas.filter((area) => area.ioas === ioas && iova < area.iova + area.length && area.iova < iova + length);
    const isOdd = (area: Area) => {
      const [first, end] = [
        area.iova > iova ? area.iova : iova,
        area.iova + area.length < iova + length ? area.iova + area.length : iova + length,
      ];
      return (end - first) % unit !== 0n;
    };
    return reached.length > 1 ? reached.find(isOdd) : undefined;
  }

  /** The address that the number of an area, and above it an offset, stand for. */
  byNumber(ioas: bigint, number: bigint): bigint {
    const sorted = this.areas.filter((area) => area.ioas === ioas).sort((one, other) => one.iova < other.iova ? -1 : 1);
    const area = sorted[Number(number & 0xffff_ffffn)];
    return area === undefined ? 0n : area.iova + (number >> 32n);
  }

  /** Nothing is mapped in a range any more. */
  unmapped(ioas: bigint, iova: bigint, last: bigint): void {
    this.areas = this.areas.filter((area) => area.ioas !== ioas || area.iova < iova || area.iova + area.length - 1n > last);
  }
}

/** An access object of a test request. */
export interface AccessObject {
  /** Its file. */
  readonly file: Value;
  /** The iommufd that it belongs to. */
  readonly owner: Iommufd;
  /** Its IOAS. */
  ioas: bigint;
  /** Numbers of ranges that it has pinned, gone ones among them. */
  pins: Value[];
}

/** The file of a queue. */
export interface Queue {
  /** The file. */
  readonly file: Value;
  /** Whether faults or events are read from it. */
  readonly kind: "fault" | "veventq";
  /** The iommufd that it belongs to. */
  readonly owner: Iommufd;
  /** Its id. */
  readonly id: bigint;
  /** Records that nobody has read. */
  unread: number;
  /** Faults that were read and not answered. */
  unanswered: number;
}

/** A memory file. */
export interface MemoryFile {
  /** The file. */
  readonly file: Value;
  /** Bytes. */
  readonly length: bigint;
}

/** All that a program has. */
export class Program {
  /** Open iommufds. */
  iommufds: Iommufd[] = [];
  /** Open memory files. */
  files: MemoryFile[] = [];
  /** The number that an id of an object stands for; undefined: not known. */
  numberOf(id: Value): bigint | undefined {
    if (typeof id === "bigint") return id;
    return this.iommufds.flatMap(({ objects, gone }) => [...objects, ...gone]).find(({ value }) => value === id)?.id;
  }

  /** Open dma-bufs. */
  dmabufs: MemoryFile[] = [];
  /** Open queues. */
  queues: Queue[] = [];
  /** Open access objects. */
  accesses: AccessObject[] = [];
  /** Whether pins may be asked for: not after pinning has failed, see `excluded.ts`. */
  hasFailedPins = false;
}
