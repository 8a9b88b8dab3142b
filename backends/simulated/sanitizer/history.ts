/**
 * What is remembered of one I/O address space: mappings that are there, those that were, and addresses in quarantine.
 *
 * @module
 */
import type { SanitizerMapping, SanitizerMoment, SanitizerTransfer } from "./report.ts";

/** Transfers that are remembered of a mapping. */
const TRANSFERS_MAX = 4;

/** A mapping while it can change. */
export interface Mapping extends SanitizerMapping {
  unmapped: SanitizerMoment | undefined;
  readonly transfers: SanitizerTransfer[];
}

/** How much is remembered. */
export interface HistoryLimits {
  /** Mappings that are gone. */
  readonly history: number;
  /** Bytes in quarantine. */
  readonly quarantine: number;
}

/** Told when addresses enter the quarantine and leave it. */
export interface Quarantine {
  enter(mapping: SanitizerMapping): boolean;
  leave(mapping: SanitizerMapping): void;
}

/** Ranges in quarantine of one space: beyond that the search for a place takes long. */
const QUARANTINE_RANGES_MAX = 4096;

/** The history of an address space. */
export class SpaceHistory {
  /** Ascending. */
  #live: Mapping[] = [];
  /** Oldest first. */
  #gone: Mapping[] = [];
  /** Those of them whose addresses are kept free, oldest first. */
  #quarantined: Mapping[] = [];
  #quarantinedBytes = 0n;
  #limits: HistoryLimits;
  #quarantine: Quarantine;

  /** @param id the IOAS's id in its iommufd. */
  constructor(readonly id: number, limits: HistoryLimits, quarantine: Quarantine) {
    this.#limits = limits;
    this.#quarantine = quarantine;
  }

  /** A mapping came. Where the program chose addresses in quarantine, that ends. */
  add(mapping: Mapping): void {
    this.#live.splice(this.#position(mapping.start), 0, mapping);
    for (const old of this.#quarantined.filter(({ start, last }) => start <= mapping.last && mapping.start <= last)) this.#release(old);
  }

  /** A mapping went. */
  remove(start: bigint, moment: SanitizerMoment): void {
    const at = this.#position(start);
    const mapping = this.#live[at];
    if (mapping?.start !== start) return;
    this.#live.splice(at, 1);
    mapping.unmapped = moment;
    this.#gone.push(mapping);
    if (this.#gone.length > this.#limits.history) this.#gone.shift();
    this.#keep(mapping);
  }

  /** The mapping at an address that is there. */
  at(iova: bigint): Mapping | undefined {
    const mapping = this.#live[this.#position(iova + 1n) - 1];
    return mapping !== undefined && iova <= mapping.last ? mapping : undefined;
  }

  /** The nearest mapping that begins or ends at most `distance` from an address. */
  beside(iova: bigint, distance: bigint): Mapping | undefined {
    const next = this.#position(iova + 1n);
    const [below, above] = [this.#live[next - 1], this.#live[next]];
    const [down, up] = [below && iova - below.last, above && above.start - iova];
    const nearest = down !== undefined && (up === undefined || down <= up) ? { mapping: below, away: down } : { mapping: above, away: up };
    return nearest.away !== undefined && nearest.away <= distance ? nearest.mapping : undefined;
  }

  /** The last mapping at an address that is gone. */
  gone(iova: bigint): Mapping | undefined {
    return this.#gone.findLast(({ start, last }) => start <= iova && iova <= last);
  }

  /** All mappings that are remembered of an address, newest first. */
  all(iova: bigint): Mapping[] {
    const live = this.at(iova);
    const gone = this.#gone.filter(({ start, last }) => start <= iova && iova <= last).reverse();
    return live === undefined ? gone : [live, ...gone];
  }

  /** The space is gone: its addresses are nobody's. */
  end(): void {
    for (const mapping of [...this.#quarantined]) this.#release(mapping);
  }

  #keep(mapping: Mapping): void {
    const bytes = lengthOf(mapping);
    if (bytes > BigInt(this.#limits.quarantine) || !this.#quarantine.enter(mapping)) return;
    this.#quarantined.push(mapping);
    this.#quarantinedBytes += bytes;
    while (this.#quarantinedBytes > this.#limits.quarantine || this.#quarantined.length > QUARANTINE_RANGES_MAX) {
      this.#release(this.#quarantined[0]!);
    }
  }

  #release(mapping: Mapping): void {
    this.#quarantined.splice(this.#quarantined.indexOf(mapping), 1);
    this.#quarantinedBytes -= lengthOf(mapping);
    this.#quarantine.leave(mapping);
  }

  /** How many mappings begin below an address. */
  #position(iova: bigint): number {
    let [low, high] = [0, this.#live.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#live[middle]!.start < iova) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** A transfer in a mapping, remembered with the last few. */
export function remember(mapping: Mapping, transfer: SanitizerTransfer): void {
  mapping.transfers.push(transfer);
  if (mapping.transfers.length > TRANSFERS_MAX) mapping.transfers.shift();
}

function lengthOf({ start, last }: SanitizerMapping): bigint {
  return last - start + 1n;
}
