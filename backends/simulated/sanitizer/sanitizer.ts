/**
 * Looks at what devices do with I/O addresses: use after unmap, beside buffers, in the wrong direction, of memory that nobody has written.
 *
 * It stands around the core of a machine that has it, and takes no part in one that has not. See docs/sanitizer.md.
 *
 * @module
 */
import { MAP_ANONYMOUS } from "../../../uapi/kernel.ts";
import type { VirtualClock } from "../clock.ts";
import { AREA_CHANGE, AREA_FLAG, type Core, dmaFaultOf, FAULT, NO_SPACE, PEER } from "../core.ts";
import type { SanitizerSettings } from "../machine.ts";
import { type Mapping, remember, SpaceHistory } from "./history.ts";
import { operationOf } from "./operations.ts";
import { findPoison, poison } from "./poison.ts";
import type { SanitizerKind, SanitizerMoment, SanitizerReport, SanitizerTransfer } from "./report.ts";
import { reportsToJson, SANITIZER_ADVICE, SanitizerError } from "./report.ts";

const PAGE = 4096;
/** PASIDs have 20 bits. */
const PASIDS = 2 ** 20;

/** What the sanitizer needs of its machine. */
export interface SanitizerHost {
  /** The core below. */
  readonly core: Core;
  /** Its memory. */
  readonly memory: WebAssembly.Memory;
  /** The machine's time. */
  readonly clock: VirtualClock;
  /** The PCI address of a device by the core's index. */
  addressOf(device: number): string;
  /** Whether its addresses are those of an IOAS. */
  isWatched(device: number): boolean;
}

/** A transfer, as the core was asked for it. */
interface Asked {
  readonly device: number;
  /** 0: none. */
  readonly pasid: number;
  readonly iova: bigint;
  /** Where the device's end of it is in the core's memory. */
  readonly offset: number;
  readonly length: number;
  readonly write: boolean;
}

let wrap: (sanitizer: Sanitizer) => Core;

/** The core that a machine with a sanitizer uses: it tells the sanitizer of what happens. */
export function sanitizedCore(sanitizer: Sanitizer): Core {
  return wrap(sanitizer);
}

/** The sanitizer of one machine: `kernel.sanitizer`. */
export class Sanitizer {
  /** Told of each finding at once. What it throws is uncaught: system calls and devices go on. */
  onReport: ((report: SanitizerReport) => void) | undefined;
  #settings: SanitizerSettings;
  #host: SanitizerHost;
  #spaces = new Map<bigint, SpaceHistory>();
  /** By device and PASID: the space that it is or was attached to. */
  #lastSpaces = new Map<number, SpaceHistory>();
  #reports: SanitizerReport[] = [];
  #lost = 0;
  #requests = 0;
  #missed = 0;

  static {
    wrap = (sanitizer) => sanitizer.#wrap();
  }

  /** Made with the machine. */
  constructor(settings: SanitizerSettings, host: SanitizerHost) {
    this.#settings = settings;
    this.#host = host;
  }

  /** What was found, oldest first; as many as the machine's options say. */
  get reports(): readonly SanitizerReport[] {
    return this.#reports;
  }

  /** Findings that were not kept, since there were too many. */
  get lost(): number {
    return this.#lost;
  }

  /** Requests after which the kernel had no memory for looking at mappings: what came and went then was noticed later, as of a later request. */
  get missed(): number {
    return this.#missed;
  }

  /** Forget what was found, so that a test begins afresh. What is known of mappings stays. */
  clear(): void {
    this.#reports = [];
    this.#lost = 0;
  }

  /** For the end of a test. @throws {SanitizerError} with all findings, if there are any. */
  assertClean(): void {
    if (this.#reports.length > 0) throw new SanitizerError(this.#reports, this.#lost);
  }

  /** The findings as JSON, for tools: I/O addresses and labels are text, "0x1000". */
  toJSON(): unknown {
    return JSON.parse(reportsToJson(this.#reports));
  }

  #wrap(): Core {
    const { core } = this.#host;
    const margin = BigInt(this.#settings.redZone);
    const after = (result: number, operation: string) => {
      this.#requests++;
      this.#look(operation);
      return result;
    };
    const calls: Pick<Core, "ioctl" | "close" | "mmap" | "dma_read" | "dma_write"> = {
      ioctl: (fd, request, argument) => after(core.ioctl_apart(fd, request, argument, margin), operationOf(request)),
      close: (fd) => after(core.close(fd), "close"),
      mmap: (...asked) => this.#mapped(core.mmap(...asked), asked[1], asked[3]),
      dma_read: (...asked) => this.#transferred(core.dma_read(...asked), askedFor(asked, false)),
      dma_write: (...asked) => this.#transferred(core.dma_write(...asked), askedFor(asked, true)),
    };
    // The rest is the core's own.
    return Object.assign(Object.create(core) as Core, calls);
  }

  /** Fresh memory of the program. */
  #mapped(address: bigint, length: number, flags: number): bigint {
    const { core, memory } = this.#host;
    if (this.#settings.neverWritten && address >= 0n && (flags & MAP_ANONYMOUS) !== 0) {
      const whole = Math.ceil(length / PAGE) * PAGE;
      const offset = core.view(address, whole);
      if (offset >= 0) poison(new Uint8Array(memory.buffer, offset, whole));
    }
    return address;
  }

  /** See which mappings came and went by a request, and where devices are attached. */
  #look(operation: string): void {
    const { core } = this.#host;
    const count = core.find_area_changes();
    if (count < 0) this.#missed++;
    for (let index = 0; index < count; index++) this.#change(index, operation);
    for (const [key, space] of this.#spaces) {
      if (core.has_space(key)) continue;
      space.end();
      this.#spaces.delete(key);
    }
    for (let device = 0; device < this.#settings.devices; device++) {
      for (const pasid of this.#pasidsOf(device)) {
        const space = this.#spaceOf(device, pasid);
        if (space !== undefined) this.#lastSpaces.set(portOf(device, pasid), space);
      }
    }
  }

  /** The PASIDs that a device is attached with; 0: without one. */
  *#pasidsOf(device: number): Generator<number> {
    for (let index = 0;; index++) {
      const pasid = this.#host.core.attached_pasid(device, index);
      if (pasid < 0) return;
      yield pasid;
    }
  }

  #change(index: number, operation: string): void {
    const field = (number: number) => this.#host.core.area_change(index, number);
    const [key, start, last, flags] = [
      field(AREA_CHANGE.space),
      field(AREA_CHANGE.start),
      field(AREA_CHANGE.last),
      field(AREA_CHANGE.flags),
    ];
    const moment = this.#moment(key, operation);
    const space = this.#space(key);
    if ((flags & AREA_FLAG.added) === 0n) return space.remove(start, moment);
    const [read, write] = [(flags & AREA_FLAG.read) !== 0n, (flags & AREA_FLAG.write) !== 0n];
    const access = read && write ? "read and write" : read ? "read" : "write";
    space.add({ start, last, access, mapped: moment, unmapped: undefined, transfers: [] });
  }

  #moment(key: bigint, operation: string): SanitizerMoment {
    const devices: string[] = [];
    for (let device = 0; device < this.#settings.devices; device++) {
      const isThere = this.#pasidsOf(device).some((pasid) => this.#host.core.space_of(device, pasid) === key);
      if (isThere) devices.push(this.#host.addressOf(device));
    }
    return { request: this.#requests, operation, time: this.#host.clock.now, devices };
  }

  #space(key: bigint): SpaceHistory {
    let space = this.#spaces.get(key);
    if (space === undefined) {
      const { core } = this.#host;
      space = new SpaceHistory(Number(key & 0xffff_ffffn), this.#settings, {
        enter: ({ start, last }) => core.add_quarantine(key, start, last) >= 0,
        leave: ({ start }) => core.end_quarantine(key, start),
      });
      this.#spaces.set(key, space);
    }
    return space;
  }

  #spaceOf(device: number, pasid: number): SpaceHistory | undefined {
    const key = this.#host.core.space_of(device, pasid);
    return key === NO_SPACE ? undefined : this.#space(key);
  }

  /** A transfer was done or refused. */
  #transferred(code: number, asked: Asked): number {
    if (asked.length === 0 || !this.#host.isWatched(asked.device)) return code;
    const space = this.#spaceOf(asked.device, asked.pasid);
    if (code < 0) this.#refused(code, asked, space);
    // Without a space that is known, the device goes through tables of the program's own.
    else if (space !== undefined && code !== PEER) this.#done(asked, space);
    else if (space !== undefined) {
      const { core } = this.#host;
      // What comes from a device's BAR is not in the buffer yet, and no memory of the program.
      this.#done({ ...asked, length: core.peer_done() + core.peer_length() }, space, core.peer_done());
    }
    return code;
  }

  /** `read`: bytes of memory that are in the buffer now. */
  #done(asked: Asked, space: SpaceHistory, read = asked.length): void {
    const { iova, offset, length, write } = asked;
    const end = iova + BigInt(length);
    const transfer = this.#transferOf(asked, "done");
    for (let at = iova; at < end;) {
      const mapping = space.at(at);
      if (mapping === undefined) {
        // The IOMMU went by what it had cached.
        const gone = space.gone(at);
        return this.#report(gone === undefined ? "wild" : "use-after-unmap", asked, { space, at, mapping: gone, refused: false });
      }
      remember(mapping, transfer);
      at = mapping.last + 1n;
    }
    if (write || !this.#settings.neverWritten) return;
    const found = findPoison(new Uint8Array(this.#host.memory.buffer, offset, read), iova);
    if (found === undefined) return;
    const at = iova + BigInt(found.at);
    this.#report("never-written", asked, { space, at, length: found.length, mapping: space.at(at), refused: false });
  }

  #refused(code: number, asked: Asked, space: SpaceHistory | undefined): void {
    const { core } = this.#host;
    const reason = dmaFaultOf(code);
    // The newest fault is the one that this transfer made.
    const at = core.fault(core.faults_len() - 1, FAULT.iova);
    const where = space ?? this.#lastSpaces.get(portOf(asked.device, asked.pasid));
    const { kind, mapping } = this.#classify(reason, asked, at, space, where);
    const transfer = this.#transferOf(asked, reason);
    this.#report(kind, asked, { space: where, at, mapping, refused: true });
    if (mapping !== undefined) remember(mapping, transfer);
  }

  #classify(
    reason: string,
    { iova }: Asked,
    at: bigint,
    space: SpaceHistory | undefined,
    where: SpaceHistory | undefined,
  ): { kind: SanitizerKind; mapping: Mapping | undefined } {
    if (space === undefined) return { kind: where === undefined ? "wild" : "after-detach", mapping: where?.at(at) ?? where?.gone(at) };
    if (reason === "no-read" || reason === "no-write") return { kind: "wrong-direction", mapping: space.at(at) };
    const overrun = iova < at ? space.at(at - 1n) : undefined;
    if (overrun !== undefined) return { kind: "red-zone", mapping: overrun };
    const gone = space.gone(at);
    if (gone !== undefined) return { kind: "use-after-unmap", mapping: gone };
    const beside = space.beside(at, BigInt(this.#settings.redZone));
    return { kind: beside === undefined ? "wild" : "red-zone", mapping: beside };
  }

  #transferOf({ device, pasid, iova, length, write }: Asked, outcome: string): SanitizerTransfer {
    const { clock } = this.#host;
    return {
      device: this.#host.addressOf(device),
      pasid: pasid || undefined,
      iova,
      length,
      access: write ? "write" : "read",
      outcome,
      time: clock.now,
    };
  }

  #report(
    kind: SanitizerKind,
    { device, pasid, iova, length, write }: Asked,
    found: {
      readonly space: SpaceHistory | undefined;
      readonly at: bigint;
      readonly length?: number;
      readonly mapping: Mapping | undefined;
      readonly refused: boolean;
    },
  ): void {
    const report: SanitizerReport = {
      sequence: this.#reports.length + this.#lost,
      kind,
      device: this.#host.addressOf(device),
      label: this.#host.core.label_of(device),
      pasid: pasid || undefined,
      iova: found.at,
      length: found.length ?? length - Number(found.at - iova),
      access: write ? "write" : "read",
      refused: found.refused,
      time: this.#host.clock.now,
      request: this.#requests,
      ioas: found.space?.id,
      // Snapshots: what is found must not change with what comes later.
      mapping: found.mapping && structuredClone(found.mapping),
      history: (found.space?.all(found.at) ?? []).filter((other) => other !== found.mapping).map((other) => structuredClone(other)),
      advice: SANITIZER_ADVICE[kind],
    };
    if (this.#reports.length < this.#settings.reports) this.#reports.push(report);
    else this.#lost++;
    this.#tell(report);
  }

  #tell(report: SanitizerReport): void {
    try {
      this.onReport?.(report);
    } catch (failure) {
      queueMicrotask(() => {
        throw failure;
      });
    }
  }
}

/** One number for a device and one of its PASIDs. */
function portOf(device: number, pasid: number): number {
  return device * PASIDS + pasid;
}

function askedFor([device, pasid, iova, offset, length]: Parameters<Core["dma_read"]>, write: boolean): Asked {
  return { device, pasid: Math.max(pasid, 0), iova, offset, length, write };
}
