/**
 * A look into the simulated machine: what the IOMMU refused and did, why devices are grouped as they are, and what is still open.
 *
 * None of this is part of the seam: a driver cannot see it, a test and a demonstration can.
 *
 * @module
 */
import type { MachineParts } from "./assembly.ts";
import type { DmaFault } from "./device.ts";
import { dmaFaultOf, FAULT, FAULT_FLAG } from "./core.ts";
import { PageTable } from "./page_table.ts";
import { type GroupReason, short } from "./topology.ts";

/** What the IOMMU itself says of a DMA that it refused, as its driver reads it. */
export interface HardwareFault {
  /**
   * Its number for why: the fault reason of VT-d (specification 7.1); event code and flags of AMD-Vi, bits 63:48 of an event (2.5); the event
   * number of an SMMUv3 (7.3); the cause of a RISC-V IOMMU (3.2).
   */
  readonly code: number;
  /**
   * The record, in words of 64 bits, lowest address first: two of VT-d (a fault recording register, 11.4.14) and of AMD-Vi (an event, 2.5),
   * four of an SMMUv3 (7.3) and of a RISC-V IOMMU (3.2). The device in it is {@linkcode GroupEntry}'s `requester`.
   */
  readonly record: readonly bigint[];
}

/** One DMA that the IOMMU refused. */
export interface FaultRecord {
  /** Number of the fault since power-on, from 0. */
  readonly sequence: number;
  /** PCI address of the device: "0000:00:04.0". */
  readonly address: string;
  /** The label that the program gave the device; undefined: none. */
  readonly label: bigint | undefined;
  /** The PASID of the access; undefined: none. */
  readonly pasid: number | undefined;
  /** First address of the access that was refused. */
  readonly iova: bigint;
  /** Bytes of the access. */
  readonly length: number;
  /** Whether the device wanted to write memory. */
  readonly access: "read" | "write";
  /** Why. */
  readonly reason: DmaFault;
  /** The hardware's own record; undefined: it was not the IOMMU that refused, or it keeps no record of that. */
  readonly hardware: HardwareFault | undefined;
}

/** What one device did through the IOMMU since power-on. */
export interface DeviceStatistics {
  /** Transfers from memory to the device. */
  readonly reads: number;
  /** Transfers from the device to memory. */
  readonly writes: number;
  /** Bytes moved. */
  readonly bytes: number;
  /** Look-ups, one for each page of a transfer, that the IOTLB answered. */
  readonly tlbHits: number;
  /** Look-ups that needed a walk. */
  readonly tlbMisses: number;
  /** Table entries read by walks. */
  readonly walkReads: number;
  /** Walks that began at a cached table and not at the top. Such a walk is a miss of the IOTLB all the same. */
  readonly structureHits: number;
  /** Translations, of whatever device, that went because the IOTLB had no room for what this one's misses found. */
  readonly evictions: number;
  /** Translations that misses of this device found and that the IOTLB had to forget, since what they were read from changed. */
  readonly invalidated: number;
  /** Hits on what was not mapped any more, which is possible where invalidation is lazy. */
  readonly staleHits: number;
  /** What its translations have cost by {@linkcode TranslationCosts}, nanoseconds: hits, and entries read by walks. */
  readonly translationTime: number;
  /** Transfers refused. */
  readonly faults: number;
  /** Transfers that never left the device, since bus mastering was off. */
  readonly heldBack: number;
}

/** What the whole machine did since power-on. */
export interface MachineStatistics {
  /** Ranges mapped into page tables. */
  readonly maps: number;
  /** Ranges unmapped. */
  readonly unmaps: number;
  /** Leaf entries in page tables now, by log2 of the bytes each maps: 12 is a 4 KiB page. */
  readonly pages: ReadonlyMap<number, number>;
  /** Times that caches were told to forget: one for each range that was unmapped, and for each page table that went. */
  readonly invalidations: number;
  /** What they have cost who unmapped, by {@linkcode TranslationCosts}, nanoseconds. */
  readonly invalidationTime: number;
  /** Unmapped ranges that wait for an invalidation now. */
  readonly waiting: number;
  /** Frames that hold page tables now. */
  readonly tables: number;
  /** Device events run. */
  readonly events: number;
  /** Virtual time, nanoseconds. */
  readonly now: number;
}

/** What is in use now; all zero when a program has given everything back. */
export interface Usage {
  /** Open file descriptors. */
  readonly files: number;
  /** Objects of all open iommufds: IOASes, page tables, bound devices. */
  readonly objects: number;
  /** Pages pinned for DMA. */
  readonly pinnedPages: number;
  /** Argument blocks not disposed. */
  readonly blocks: number;
  /** Waits going on. */
  readonly waits: number;
}

/** A function of the machine and its group. */
export interface GroupEntry {
  /** PCI address. */
  readonly address: string;
  /** Group number. */
  readonly group: number;
  /** Why it is in that group. */
  readonly reason: GroupReason;
  /** Requester ID of its DMA, bus << 8 | devfn: its own, or that of a bridge. Functions with the same one are one to the IOMMU. */
  readonly requester: number;
  /** Devices whose kernel driver keeps the group from programs. */
  readonly blockedBy: readonly string[];
}

const FAULT_WORDS: Record<DmaFault, string> = {
  "bus-master-off": "bus mastering is off in its command register",
  "blocked": "it is not attached to any I/O address space, so all its DMA is blocked",
  "not-present": "nothing is mapped there",
  "no-read": "the mapping may not be read by devices",
  "no-write": "the mapping may not be written by devices",
  "beyond-aperture": "the IOMMU cannot translate addresses that high",
  "unplugged": "it was taken out of the machine",
  "bad-table": "a first-stage table on the way has an entry with reserved bits set",
  "table-unreachable": "the nesting parent does not let the IOMMU read a first-stage table on the way, or mark it as used",
  "second-stage": "the nesting parent does not map the address that the first-stage tables lead to, or not for that access",
  "kernel-memory": "one of the kernel's page tables is there, which a device without an IOMMU would have overwritten",
  "not-accessed": "the page is not marked as accessed in a first-stage table, and the context descriptor does not let the IOMMU mark it",
};

/** A fault in a sentence: who wanted what where, and why it was refused. */
export function describeFault(fault: FaultRecord): string {
  const label = fault.label === undefined ? "" : ` (label 0x${fault.label.toString(16)})`;
  const pasid = fault.pasid === undefined ? "" : ` with PASID ${fault.pasid}`;
  const bytes = fault.length === 1 ? "1 byte" : `${fault.length} bytes`;
  const device = `Device ${short(fault.address)}${label}`;
  return `${device} tried to ${fault.access} ${bytes} at IOVA 0x${fault.iova.toString(16)}${pasid}: refused, because ${
    FAULT_WORDS[fault.reason]
  }.`;
}

/** The inspector of one machine: {@linkcode SimulatedKernel.inspect}. */
export class Inspection {
  #machine: MachineParts;
  #host: { blocks(): number; waits(): number };

  /** Made by the kernel. */
  constructor(machine: MachineParts, host: { blocks(): number; waits(): number }) {
    this.#machine = machine;
    this.#host = host;
  }

  /** Virtual time, nanoseconds since power-on. */
  get now(): number {
    return this.#machine.clock.now;
  }

  /** Exceptions that device models threw, the first 64. A model that throws is broken; the access got EIO. */
  get modelErrors(): readonly unknown[] {
    return this.#machine.modelErrors;
  }

  /** All functions in the order of discovery, with their groups and reasons; but for those without an IOMMU, which have none. */
  get groups(): GroupEntry[] {
    const groups = this.#machine.hotplug.groups.filter(({ number }) => number !== undefined);
    return groups.flatMap(({ number, members, blockedBy }) =>
      members.map(({ pci, reason, requester }) => ({ address: pci.address, group: number!, reason, requester, blockedBy }))
    );
  }

  /** The refused DMA that the fault log still holds, oldest first. The log has 256 entries. */
  get faults(): FaultRecord[] {
    const { core } = this.#machine;
    return Array.from({ length: core.faults_len() }, (_, index) => this.#fault(index));
  }

  /** Faults that fell out of the log. */
  get faultsLost(): number {
    return this.#machine.core.faults_lost();
  }

  /** What a device did. @throws {RangeError} if there is none at that address. */
  device(address: string): DeviceStatistics {
    const { index, bus } = this.#device(address);
    const count = (number: number) => this.#machine.core.device_statistic(index, number);
    const { costs } = this.#machine.settings.iommu;
    return {
      reads: count(0),
      writes: count(1),
      bytes: count(2),
      tlbHits: count(3),
      tlbMisses: count(4),
      walkReads: count(5),
      faults: count(6),
      structureHits: count(7),
      evictions: count(8),
      invalidated: count(9),
      staleHits: count(10),
      translationTime: (count(3) + count(7)) * costs.hit + count(5) * costs.walkRead,
      heldBack: bus.refusedByMaster,
    };
  }

  /**
   * The page table of a device's transfers as it is now: every entry, to be read, for `JSON.stringify`, or as text. Where a program's own tables lie on
   * top of it (nesting) it is the kernel's, below them.
   *
   * @param address PCI address. @param pasid the PASID of the transfers; undefined: those without. @returns undefined where they are attached to nothing.
   * @throws {RangeError} if there is no device at that address.
   */
  pageTable(address: string, pasid?: number): PageTable | undefined {
    return PageTable.of(this.#machine.core, this.#device(address).index, pasid);
  }

  /** What the machine did. */
  get statistics(): MachineStatistics {
    const { core, clock } = this.#machine;
    const pages = new Map<number, number>();
    for (let lg2 = 0; lg2 < 64; lg2++) {
      const count = core.pages_of_size(lg2);
      if (count > 0) pages.set(lg2, count);
    }
    return {
      maps: core.global_statistic(0),
      unmaps: core.global_statistic(1),
      invalidations: core.global_statistic(2),
      invalidationTime: core.global_statistic(2) * this.#machine.settings.iommu.costs.invalidation,
      waiting: core.global_statistic(4),
      tables: core.global_statistic(3),
      pages,
      events: clock.executed,
      now: clock.now,
    };
  }

  /** What is in use. */
  get usage(): Usage {
    const { core } = this.#machine;
    return {
      files: core.usage(0),
      objects: core.usage(1),
      pinnedPages: core.usage(2),
      blocks: this.#host.blocks(),
      waits: this.#host.waits(),
    };
  }

  /**
   * Invariants that do not hold, in words; empty when all is well. Costs time in proportion to what exists, and some of the kernel's memory:
   * where that is used up, one line says that nothing could be checked.
   *
   * @throws {TypeError} if the machine was not built with {@linkcode SimulatedOptions.checks}.
   */
  check(): string[] {
    if (!this.#machine.checks) {
      throw new TypeError("Cannot check the invariants: the machine has no checker; build it by simulated(machine, { checks: true })");
    }
    const text = this.#machine.core.check();
    if (text === undefined) return ["the kernel's memory has no room for checking the invariants"];
    return text === "" ? [] : text.split("\n");
  }

  #device(address: string): MachineParts["devices"][number] {
    const device = this.#machine.devices.find(({ pci }) => pci.address === address);
    if (device === undefined) throw new RangeError(`Cannot find device "${address}" in the machine`);
    return device;
  }

  #fault(index: number): FaultRecord {
    const field = (number: number) => this.#machine.core.fault(index, number);
    const flags = field(FAULT.flags);
    const has = (flag: bigint) => (flags & flag) !== 0n;
    return {
      sequence: Number(field(FAULT.sequence)),
      address: this.#machine.devices[Number(field(FAULT.device))]!.pci.address,
      label: has(FAULT_FLAG.label) ? field(FAULT.label) : undefined,
      pasid: has(FAULT_FLAG.pasid) ? Number(field(FAULT.pasid)) : undefined,
      iova: field(FAULT.iova),
      length: Number(field(FAULT.length)),
      access: has(FAULT_FLAG.write) ? "write" : "read",
      reason: dmaFaultOf(-Number(field(FAULT.reason))),
      hardware: has(FAULT_FLAG.record) ? this.#hardwareFault(field) : undefined,
    };
  }

  #hardwareFault(field: (number: number) => bigint): HardwareFault {
    const { kind } = this.#machine.settings.iommu;
    const words = kind === "vtd" || kind === "amdvi" ? 2 : 4;
    return { code: Number(field(FAULT.code)), record: Array.from({ length: words }, (_, word) => field(FAULT.words + word)) };
  }
}
