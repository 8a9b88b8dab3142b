/**
 * The demonstration's result as tables, or as an object for programs.
 *
 * @module
 */
import Table from "cli-table3";
import type { DemoReport } from "./demo.ts";
import type { IommuActivity } from "./machine.ts";
import type { StrayReport } from "./stray.ts";
import { bytesText, countText, hexText, perSecond } from "./units.ts";
import type { WriteReport } from "./write_back.ts";

const STYLE = { style: { head: [], border: [], compact: true } };

/** Everything that was found, for `JSON.stringify`: addresses as hexadecimal texts, absent things as null. */
export function reportObject(report: DemoReport): Record<string, unknown> {
  const { image, isEqual, write, stray, read, fileSystem, iommu } = report;
  return {
    ...report,
    image: image ?? null,
    fileSystem: fileSystem ?? null,
    read: { ...read, bytesPerSecond: read.seconds > 0 ? Math.round(read.bytes / read.seconds) : null },
    isEqual: isEqual ?? null,
    write: write ?? null,
    iommu: iommu ?? null,
    stray: stray === undefined ? null : strayObject(stray),
  };
}

function strayObject(stray: StrayReport): Record<string, unknown> {
  const { iova, fault } = stray;
  return {
    ...stray,
    iova: hexText(iova),
    fault: fault === undefined
      ? null
      : { ...fault, iova: hexText(fault.iova), label: fault.label === undefined ? null : hexText(fault.label) },
  };
}

/** Everything that was found, for people. */
export function reportText(report: DemoReport): string {
  const parts = [diskTable(report), hashTable(report)];
  if (report.write !== undefined) parts.push(writeTable(report.write));
  if (report.iommu !== undefined) parts.push(iommuTable(report.iommu));
  if (report.stray !== undefined) parts.push(strayText(report.stray));
  return parts.join("\n\n");
}

function rows(entries: [name: string, value: string][]): string {
  const table = new Table(STYLE);
  table.push(...entries);
  return table.toString();
}

function diskTable({ image, fileSystem, disk, read }: DemoReport): string {
  const { queues, depth, transferMax, completions } = disk;
  const label = fileSystem?.label ? ` "${fileSystem.label}"` : "";
  return rows([
    ...(image === undefined ? [] : [["image", `${image.path}, ${bytesText(image.bytes)}`]] as [string, string][]),
    ["file system", fileSystem === undefined ? "none that is known" : `${fileSystem.kind}${label}, ${fileSystem.id}`],
    ["disk", `${disk.model} (${disk.serial}), NVMe ${disk.version}, at ${disk.address}`],
    ["queues", `${queues}, each of ${depth} commands of at most ${bytesText(transferMax)}, by ${completions}`],
    [
      "read",
      `${bytesText(read.bytes)} in ${read.commands === 1 ? "1 command" : `${countText(read.commands)} commands`}, ${
        perSecond(read.bytes, read.seconds)
      }`,
    ],
  ]);
}

function hashTable({ image, read, isEqual }: DemoReport): string {
  const found: [string, string] = ["SHA-256 of what was read", read.sha256];
  if (image === undefined) return rows([found, ["", "to be compared with what sha256sum says of the whole disk"]]);
  return rows([
    found,
    ["SHA-256 of the image", image.sha256],
    ["", isEqual ? "equal" : "DIFFERENT"],
  ]);
}

function writeTable({ lba, blocks, bytes, isIntact, isRestored }: WriteReport): string {
  return rows([
    ["written", `${bytesText(bytes)} at the end of the disk, blocks ${countText(lba)} to ${countText(lba + blocks - 1)}`],
    ["read back", isIntact ? "equal" : "DIFFERENT"],
    ["old content", isRestored ? "restored" : "NOT RESTORED"],
  ]);
}

function iommuTable(activity: IommuActivity): string {
  const { maps, unmaps, pages, tables, tlbHits, tlbMisses, walkReads, bytes, reads, writes, now } = activity;
  const looked = tlbHits + tlbMisses;
  const share = looked === 0 ? "" : ` (${(100 * tlbHits / looked).toFixed(1)} %)`;
  return rows([
    ["IOMMU: ranges mapped, unmapped", `${countText(maps)}, ${countText(unmaps)}`],
    ["pages while reading", pages.map(({ bytes, count }) => `${countText(count)} of ${bytesText(bytes)}`).join(", ")],
    ["page tables while reading", `${countText(tables)} frames of 4 KiB`],
    ["IOTLB hits, misses", `${countText(tlbHits)}${share}, ${countText(tlbMisses)}; walks read ${countText(walkReads)} entries`],
    ["DMA", `${bytesText(bytes)} in ${countText(reads)} reads and ${countText(writes)} writes`],
    ["time of the machine", `${(now / 1e6).toFixed(1)} ms`],
  ]);
}

function strayText(stray: StrayReport): string {
  const { iova, length, refused, status, fault } = stray;
  const told = `Stray DMA: the disk was told to put ${length} bytes at IOVA ${hexText(iova)}, where nothing is mapped.`;
  const code = `0x${status.code.toString(16).padStart(3, "0")}`;
  const answer = refused ? `Its answer: ${status.name} (status ${code}).` : "It reported success: THE IOMMU LET IT THROUGH.";
  return [told, answer, ...(fault === undefined ? [] : [`The IOMMU: ${fault.text}`])].join("\n");
}
