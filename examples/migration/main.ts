/**
 * Memory moves to another machine while an NVMe disk goes on writing to it, and nothing is lost.
 *
 *     deno run examples/migration/main.ts [--json] [MiB]
 *
 * It runs on a simulated machine. On Linux the same calls need an IOMMU that tracks writes: `device.hwInfo().dirtyTracking` says so.
 *
 * @module
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { bytesMedia, type Kernel, NvmeController, simulated } from "../../mod.ts";
import { NvmeDriver } from "../nvme/driver.ts";
import { PAGE, precopy } from "./precopy.ts";
import { DiskReader } from "./reader.ts";

const HELP = `Memory moves to another machine while an NVMe disk goes on writing to it, and nothing is lost.

Usage: deno run examples/migration/main.ts [options] [MiB]

  MiB      size of the memory, 1 to 32. Default: 8.

  --json   print one JSON object.
  --help   print this.

Exit status: 0, 1 if the copy differs from the memory, 2 if an argument is wrong.`;

/** Where the disk is in the simulated machine. */
const ADDRESS = "0000:00:04.0";
const MIB = 2 ** 20;
/** Bytes of the disk. */
const DISK = 4 * MIB;

/** What came of a migration. */
export interface MigrationReport {
  /** Pages of the memory. */
  readonly pages: number;
  /** Pages that were sent in each round while the disk worked. */
  readonly rounds: readonly number[];
  /** Pages that were sent while it stood still. */
  readonly rest: number;
  /** Reads of the disk while memory moved, and pages that it wrote to in doing so. */
  readonly reads: number;
  readonly written: number;
  /** Pages that a copy in one go would have lost. */
  readonly stale: number;
  /** Whether the copy is the memory as it was in the end. */
  readonly intact: boolean;
}

/** The disk's content: no two blocks are the same. */
function diskContent(): Uint8Array {
  const words = new Uint32Array(DISK / 4);
  for (let at = 0; at < words.length; at++) words[at] = Math.imul(at, 0x9e37_79b1) ^ at >>> 3;
  return new Uint8Array(words.buffer);
}

/** Pages in which two memories differ. */
function difference(one: Uint8Array, other: Uint8Array): number {
  let pages = 0;
  for (let at = 0; at < one.length; at += PAGE) {
    const page = other.subarray(at, at + PAGE);
    if (one.subarray(at, at + PAGE).some((byte, index) => byte !== page[index])) pages++;
  }
  return pages;
}

/** Move `pages` pages of memory while the NVMe controller at `address` reads its first namespace into them. */
export async function migrate(kernel: Kernel, address: string, pages: number): Promise<MigrationReport> {
  await using driver = await NvmeDriver.open(kernel, address, { dirtyTracking: true });
  const [namespace] = driver.namespaces;
  if (namespace === undefined || driver.hwpt === undefined) throw new Error("Cannot migrate: the disk has no namespace");
  using buffer = driver.ioas.createDmaBuffer(pages * PAGE);
  const reader = new DiskReader(namespace, buffer);
  const copy = new Uint8Array(buffer.length);
  const once = new Uint8Array(buffer.length);
  let sent = 0;
  const receive = (offset: number, bytes: Uint8Array) => {
    copy.set(bytes, offset);
    if (sent < pages) once.set(bytes, offset);
    sent += bytes.length / PAGE;
  };
  // The disk is at work when migration begins.
  for (let count = 0; count < 8; count++) await reader.step();
  const before = { reads: reader.reads, written: reader.written };
  const { rounds, rest } = await precopy({
    buffer,
    hwpt: driver.hwpt,
    target: { receive },
    restPages: Math.max(8, pages / 256),
    roundsMax: 16,
    burstPages: 64,
    meanwhile: () => reader.step(),
    stop: () => reader.finish(),
  });
  return {
    pages,
    rounds,
    rest,
    reads: reader.reads - before.reads,
    written: reader.written - before.written,
    stale: difference(buffer.bytes, once),
    intact: difference(buffer.bytes, copy) === 0,
  };
}

function print({ pages, rounds, rest, reads, written, stale, intact }: MigrationReport): void {
  console.log(`Moved ${pages} pages while the disk wrote to ${written} of them in ${reads} reads: ${intact ? "intact" : "CORRUPT"}`);
  rounds.forEach((count, round) => console.log(`  round ${String(round + 1).padEnd(4)}${count} pages while the disk worked`));
  console.log(`  at rest   ${rest} pages while it stood still`);
  console.log(`  ${stale} pages would be wrong after the first round alone`);
}

/** A machine with a disk and an IOMMU that tracks writes. */
export function migrationMachine(): Parameters<typeof simulated>[0] {
  return {
    memory: 64 * MIB,
    iommu: { kind: "vtd", scalable: true, dirtyTracking: true },
    pci: [{ slot: "04.0", model: () => new NvmeController({ namespaces: [{ media: bytesMedia(diskContent()) }] }) }],
  };
}

/** The program. @returns its exit status: 0, 1 if the copy differs, 2 if an argument is wrong. */
async function main(words: string[]): Promise<number> {
  let json: boolean | undefined;
  let size: number;
  try {
    const options = { json: { type: "boolean" }, help: { type: "boolean" } } as const;
    const { values, positionals } = parseArgs({ args: words, options, allowPositionals: true });
    if (values.help) {
      console.log(HELP);
      return 0;
    }
    const [word = "8", ...others] = positionals;
    size = /^\d+$/.test(word) && others.length === 0 ? Number(word) : 0;
    if (size < 1 || size > 32) throw new Error(`Cannot use "${positionals.join(" ")}": a number of MiB from 1 to 32 is needed`);
    json = values.json;
  } catch (error) {
    // Advice behind the first sentence of parseArgs is about parseArgs.
    console.error(error instanceof Error ? error.message.split(". ")[0] : String(error));
    return 2;
  }
  using kernel = await simulated(migrationMachine());
  const report = await migrate(kernel, ADDRESS, size * MIB / PAGE);
  if (json) console.log(JSON.stringify(report));
  else print(report);
  return report.intact ? 0 : 1;
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
