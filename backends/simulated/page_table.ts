/**
 * A page table of the simulated machine, to be looked at: every entry that is there, as data, as JSON, and as text.
 *
 * @module
 */
import type { Core } from "./core.ts";

/** The name of a page-table format: VT-d second and first stage, AMD v1 and v2, the mock IOMMU's, Arm's stages by granule, RISC-V's stages. */
export type PageTableFormat =
  | "vtd_ss"
  | "vtd_fs"
  | "amd_v1"
  | "amd_v2"
  | "amd_mock"
  | "arm_s1_4k"
  | "arm_s1_16k"
  | "arm_s1_64k"
  | "arm_s2_4k"
  | "arm_s2_16k"
  | "arm_s2_64k"
  | "riscv"
  | "riscv_x4";

/** In the order of the core's numbers. */
const FORMATS: readonly PageTableFormat[] = [
  "vtd_ss",
  "vtd_fs",
  "amd_v1",
  "amd_v2",
  "amd_mock",
  "arm_s1_4k",
  "arm_s1_16k",
  "arm_s1_64k",
  "arm_s2_4k",
  "arm_s2_16k",
  "arm_s2_64k",
  "riscv",
  "riscv_x4",
];

/** Fields of `Core.page_table` and of `Core.page_table_row`. */
const TABLE = { levels: 0, root: 1, lastIova: 2, format: 3 } as const;
const ROW = { what: 0, iova: 1, pa: 2, raw: 3 } as const;
/** Bits of the field `what`, above size and level. */
const WHAT = { there: 1n << 16n, page: 1n << 17n, read: 1n << 18n, write: 1n << 19n, accessed: 1n << 20n, dirty: 1n << 21n } as const;
/** Entries of whatever level. */
const ANY_LEVEL = 0xffff_ffff;

/** An entry that is present, or all entries of a page that takes several (Arm's contiguous hint, RISC-V's Svnapot, AMD's page sizes). */
export interface PageTableEntry {
  /** Whether it leads to a table of the next level down, or to a page. */
  readonly kind: "table" | "page";
  /** Level of the table that it is in; 0 holds the smallest pages. */
  readonly level: number;
  /** First IOVA that it covers. */
  readonly iova: bigint;
  /** Bytes that it covers. */
  readonly size: bigint;
  /** Physical address of the page, or of the table. */
  readonly pa: bigint;
  /** Whether devices may read the page. False of a table: tables allow everything. */
  readonly read: boolean;
  /** Whether they may write it. */
  readonly write: boolean;
  /** Whether the page is marked as used; never where the format has no such bit. */
  readonly accessed: boolean;
  /** Whether it is marked as written to; always where the format has no such bit, or pages begin with it. */
  readonly dirty: boolean;
  /** The 64 bits of the entry; of several the first. */
  readonly raw: bigint;
}

/** An entry as JSON has it: addresses and sizes as hexadecimal strings. */
export interface PageTableEntryJson extends Omit<PageTableEntry, "iova" | "size" | "pa" | "raw"> {
  /** As {@linkcode PageTableEntry.iova}. */
  readonly iova: string;
  /** As {@linkcode PageTableEntry.size}. */
  readonly size: string;
  /** As {@linkcode PageTableEntry.pa}. */
  readonly pa: string;
  /** As {@linkcode PageTableEntry.raw}. */
  readonly raw: string;
}

/** A page table as JSON. */
export interface PageTableJson {
  /** As {@linkcode PageTable.format}. */
  readonly format: PageTableFormat;
  /** As {@linkcode PageTable.levels}. */
  readonly levels: number;
  /** As {@linkcode PageTable.root}. */
  readonly root: string;
  /** As {@linkcode PageTable.lastIova}. */
  readonly lastIova: string;
  /** As {@linkcode PageTable.entries}. */
  readonly entries: readonly PageTableEntryJson[];
}

const hex = (value: bigint): string => `0x${value.toString(16)}`;

/** A page table at the moment when it was asked for. */
export class PageTable {
  /** The format of its entries. */
  readonly format: PageTableFormat;
  /** Levels of tables. */
  readonly levels: number;
  /** Physical address of the top table. */
  readonly root: bigint;
  /** The last IOVA that it can translate; the first is 0. */
  readonly lastIova: bigint;
  /** Its entries by IOVA; one that leads to a table comes before those in that table. */
  readonly entries: readonly PageTableEntry[];

  private constructor(
    facts: Omit<PageTableJson, "root" | "lastIova" | "entries">,
    root: bigint,
    lastIova: bigint,
    entries: PageTableEntry[],
  ) {
    this.format = facts.format;
    this.levels = facts.levels;
    this.root = root;
    this.lastIova = lastIova;
    this.entries = entries;
  }

  /**
   * The page table that the core has for a device's transfers.
   *
   * @param device the device's number. @param pasid the PASID of the transfers; undefined: those without. @returns undefined where they are attached to
   * nothing.
   */
  static of(core: Core, device: number, pasid: number | undefined): PageTable | undefined {
    const fact = (field: number) => core.page_table(device, pasid ?? -1, field);
    const levels = Number(fact(TABLE.levels));
    if (levels === 0) return undefined;
    const lastIova = fact(TABLE.lastIova);
    const entries: PageTableEntry[] = [];
    for (let at = { iova: 0n, level: ANY_LEVEL };;) {
      const entry = entryAt((field) => core.page_table_row(device, pasid ?? -1, at.iova, at.level, field));
      if (entry === undefined) break;
      entries.push(entry);
      // Into the table, or behind the page.
      at = entry.kind === "table" ? { iova: entry.iova, level: entry.level - 1 } : { iova: entry.iova + entry.size, level: ANY_LEVEL };
      if (at.iova > lastIova) break;
    }
    const format = FORMATS[Number(fact(TABLE.format))]!;
    return new PageTable({ format, levels }, fact(TABLE.root), lastIova, entries);
  }

  /** What `JSON.stringify` writes. */
  toJSON(): PageTableJson {
    const { format, levels, root, lastIova, entries } = this;
    return {
      format,
      levels,
      root: hex(root),
      lastIova: hex(lastIova),
      entries: entries.map((entry) => ({
        ...entry,
        iova: hex(entry.iova),
        size: hex(entry.size),
        pa: hex(entry.pa),
        raw: hex(entry.raw),
      })),
    };
  }

  /**
   * The table as text, a line for each entry, indented by level: the level, the IOVAs, where they lead; of pages their size, what devices may do (`r`,
   * `w`), and the marks (`A` used, `D` written to). Pages that follow each other in IOVA and in memory and are alike otherwise are one line with their number.
   *
   * @param options `raw`: with the 64 bits of each entry, and no pages joined.
   */
  toText(options: { raw?: boolean } = {}): string {
    const { raw = false } = options;
    const head = `${this.format}, ${this.levels} levels, top table at ${hex(this.root)}, IOVAs up to ${hex(this.lastIova)}`;
    return [head, ...runsOf(this.entries, !raw).map((run) => this.#line(run, raw))].join("\n");
  }

  #line({ first, count }: Run, raw: boolean): string {
    const { kind, level, iova, size, pa, read, write, accessed, dirty } = first;
    const indent = "  ".repeat(this.levels - level);
    const bits = raw ? `  ${hex(first.raw)}` : "";
    const place = `${indent}${level}: ${hex(iova)}..${hex(iova + size * BigInt(count) - 1n)} -> ${hex(pa)}`;
    if (kind === "table") return `${place}  table${bits}`;
    const flags = [read ? "r" : "-", write ? "w" : "-", accessed ? "A" : "-", dirty ? "D" : "-"].join("");
    return `${place}  ${count === 1 ? "" : `${count} × `}${sizeText(size)}  ${flags}${bits}`;
  }
}

/** Pages that are one line. */
interface Run {
  readonly first: PageTableEntry;
  count: number;
}

/** Entries, those that continue each other joined if `join`. */
function runsOf(entries: readonly PageTableEntry[], join: boolean): Run[] {
  const runs: Run[] = [];
  for (const entry of entries) {
    const last = runs.at(-1);
    if (join && last !== undefined && continues(last, entry)) last.count++;
    else runs.push({ first: entry, count: 1 });
  }
  return runs;
}

function continues({ first, count }: Run, entry: PageTableEntry): boolean {
  const length = first.size * BigInt(count);
  return first.kind === "page" && entry.kind === "page" && entry.level === first.level && entry.size === first.size &&
    entry.iova === first.iova + length && entry.pa === first.pa + length && entry.read === first.read && entry.write === first.write &&
    entry.accessed === first.accessed && entry.dirty === first.dirty;
}

function entryAt(field: (number: number) => bigint): PageTableEntry | undefined {
  const what = field(ROW.what);
  const has = (bit: bigint) => (what & bit) !== 0n;
  if (!has(WHAT.there)) return undefined;
  return {
    kind: has(WHAT.page) ? "page" : "table",
    level: Number(what >> 8n & 0xffn),
    iova: field(ROW.iova),
    size: 1n << (what & 0xffn),
    pa: field(ROW.pa),
    read: has(WHAT.read),
    write: has(WHAT.write),
    accessed: has(WHAT.accessed),
    dirty: has(WHAT.dirty),
    raw: field(ROW.raw),
  };
}

/** Bytes in the largest unit of which they are a whole number. */
function sizeText(bytes: bigint): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  let [value, unit] = [bytes, 0];
  while (value % 1024n === 0n && unit + 1 < units.length) [value, unit] = [value / 1024n, unit + 1];
  return `${value} ${units[unit]}`;
}
