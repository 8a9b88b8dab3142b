/**
 * Page requests: a function that finds a page missing asks the system for it and waits, instead of giving the transfer up.
 *
 * PCI Express Base 6.0, 10.4: requests of one group are answered together, and a function has so many groups without an answer.
 *
 * @module
 */
import { type Core, dmaFaultOf, PAGE_PERMISSION } from "./core.ts";
import type { ClockEvent, DmaFault } from "./device.ts";

/** Groups of a function without an answer: what Linux's drivers allow for one. */
export const GROUPS_MAX = 32;
/** Requests of one group. */
const PAGES_MAX = 16;
const PAGE = 4096;
/** Nanoseconds from an answer to the function's next step. */
const ANSWER_NANOSECONDS = 1_000;
const NO_PASID = -1;
/** The only answer with which a function tries again. */
const SUCCESS = 0;

/** A transfer that waits for pages where it has to. */
export interface DemandedTransfer {
  /** First address. */
  readonly iova: bigint;
  /** What is moved. */
  readonly bytes: Uint8Array;
  /** Whether memory is written. */
  readonly write: boolean;
  /** The PASID of the accesses. */
  readonly pasid: number | undefined;
  /** Called when all is moved, or with why it is not. */
  readonly done: (fault: DmaFault | undefined) => void;
}

/** What the requests of a function need of the rest of it. */
export interface Requester {
  readonly core: Core;
  /** The core's index of the device. */
  readonly device: number;
  /** Move bytes of one page, as {@linkcode Dma} does. */
  transfer(iova: bigint, bytes: Uint8Array, pasid: number | undefined, write: boolean): DmaFault | undefined;
  /** Run a step later, unless the function is reset. */
  after(nanoseconds: number, step: () => void): ClockEvent;
  /** A program may have something to read. */
  wake(): void;
}

/** The faults that a page which comes later ends. */
function isRecoverable(fault: DmaFault): boolean {
  return fault === "not-present" || fault === "no-read" || fault === "no-write";
}

/** The page requests of one function. */
export class PageRequests {
  readonly #requester: Requester;
  /** By number of the group, what its answer leads to. */
  readonly #groups: (((code: number) => void) | undefined)[] = new Array(GROUPS_MAX).fill(undefined);
  /** Steps that wait for a number that is free. */
  #waiting: (() => void)[] = [];

  constructor(requester: Requester) {
    this.#requester = requester;
  }

  /** Groups without an answer. */
  get outstanding(): number {
    return this.#groups.filter((group) => group !== undefined).length;
  }

  /** Begin or go on with a transfer of which `moved` bytes are done. */
  run(transfer: DemandedTransfer, moved = 0): void {
    const { iova, bytes, write, pasid, done } = transfer;
    while (moved < bytes.length) {
      const at = iova + BigInt(moved);
      const length = Math.min(bytes.length - moved, PAGE - Number(at % BigInt(PAGE)));
      const missing = this.#probe(transfer, at);
      if (missing !== undefined && isRecoverable(missing)) return this.#demand(transfer, moved);
      const fault = this.#requester.transfer(at, bytes.subarray(moved, moved + length), pasid, write);
      if (fault !== undefined) return done(fault);
      moved += length;
    }
    done(undefined);
  }

  /** The system has answered a group. */
  answered(group: number, code: number): void {
    const step = this.#groups[group];
    this.#groups[group] = undefined;
    step?.(code);
    this.#waiting.shift()?.();
  }

  /** The function is reset: transfers end. Groups keep their numbers until they are answered, which then leads to nothing. */
  reset(): void {
    this.#waiting = [];
    for (const [group, step] of this.#groups.entries()) if (step !== undefined) this.#groups[group] = () => {};
  }

  #probe({ write, pasid }: DemandedTransfer, at: bigint): DmaFault | undefined {
    const code = this.#requester.core.probe(this.#requester.device, pasid ?? NO_PASID, at, write);
    return code === 0 ? undefined : dmaFaultOf(code);
  }

  /** Ask for all pages that are missing, from the first on. */
  #demand(transfer: DemandedTransfer, moved: number): void {
    const group = this.#groups.indexOf(undefined);
    if (group < 0) return void this.#waiting.push(() => this.run(transfer, moved));
    const { core, device } = this.#requester;
    const permissions = transfer.write ? PAGE_PERMISSION.write : PAGE_PERMISSION.read;
    const pages = this.#missing(transfer, moved);
    let code = 0;
    for (const [index, page] of pages.entries()) {
      code = core.page_request(device, transfer.pasid ?? NO_PASID, group, permissions, page, index === pages.length - 1);
    }
    const step = (answer: number) => void this.#requester.after(ANSWER_NANOSECONDS, () => this.#goOn(transfer, moved, answer));
    if (code !== 0) return step(code);
    this.#groups[group] = step;
    this.#requester.wake();
  }

  #missing(transfer: DemandedTransfer, moved: number): bigint[] {
    const first = (transfer.iova + BigInt(moved)) & ~BigInt(PAGE - 1);
    const end = transfer.iova + BigInt(transfer.bytes.length);
    const pages: bigint[] = [];
    for (let page = first; page < end && pages.length < PAGES_MAX; page += BigInt(PAGE)) {
      const fault = this.#probe(transfer, page);
      if (fault !== undefined && isRecoverable(fault)) pages.push(page);
    }
    return pages;
  }

  #goOn(transfer: DemandedTransfer, moved: number, answer: number): void {
    if (answer === SUCCESS) return this.run(transfer, moved);
    const { core, device } = this.#requester;
    const { iova, bytes, write, pasid, done } = transfer;
    core.give_up(device, pasid ?? NO_PASID, iova + BigInt(moved), bytes.length - moved, write);
    done("not-present");
  }
}
