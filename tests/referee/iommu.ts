/** What a referee's IOMMU must offer. The files beside this one each have one. */

import type { Board, Machine } from "./machine.ts";

/** What our own walk says of an access: it reaches memory, nothing is mapped there, or what is mapped there does not allow it. */
export type Verdict = "ok" | "absent" | "denied";

/** A fault as the IOMMU records it. */
export interface Fault {
  /** The IOMMU's own number of the reason. */
  readonly reason: number;
  /** Whether it was a write. */
  readonly write: boolean;
  /** The address, as exact as the record has it. */
  readonly iova: bigint;
  /** The device's number. */
  readonly device: number;
}

/** A page table to be walked. */
export interface Root {
  /** Where the top table lies. */
  readonly pa: bigint;
  /** Number of levels. */
  readonly levels: number;
}

/** An IOMMU of QEMU's, as a driver sets it up. Everything is queued in the machine's qtest. */
export interface Iommu {
  /** Switches it on, with tables for the device that lead to `root`. May be called again with another root. */
  attach(root: Root): void;
  /** Invalidates all that it has cached of page tables. */
  invalidate(): void;
  /** What an access that our walk refuses must be recorded as; undefined where QEMU's model records nothing. */
  expected(verdict: Verdict, write: boolean, iova: bigint): Fault | undefined;
  /** Takes the fault record there is, if any. */
  takeFault(): Promise<Fault | undefined>;
}

/** A kind of page table and the machine on which it is judged. */
export interface Case {
  /** What is judged, for people. */
  readonly name: string;
  /** The format as the core names it. */
  readonly format: string;
  /** Numbers of levels, with the bits of address that the machine translates with each. */
  readonly levels: ReadonlyMap<number, number>;
  /** Page sizes that the machine knows, bit n for 2^n bytes; all that the format has if absent. */
  readonly pageSizes?: bigint;
  /** The machine. */
  readonly board: Board;
  /** Its IOMMU. */
  open(machine: Machine): Iommu;
}
