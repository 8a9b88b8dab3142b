/**
 * A device works in memory that is not there: the program fills in each page when the device touches it.
 *
 *     deno run examples/demand_paging/main.ts [--json] [pages]
 *
 * It runs on a simulated machine: few devices and IOMMUs can ask for pages. On Linux the same calls need a device with PCI's Page Request Interface.
 *
 * @module
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { DeviceFd, EduDevice, IommuFd, type Kernel, simulated } from "../../mod.ts";
import { COPY_MAX, CopyEngine } from "./device.ts";
import { PAGE, Pager } from "./pager.ts";

const HELP = `A device works in memory that is not there: the program fills in each page when the device touches it.

Usage: deno run examples/demand_paging/main.ts [options] [pages]

  pages    pages of the memory, 8 to 4096. Default: 1024.

  --json   print one JSON object.
  --help   print this.

Exit status: 0, 1 if the device's work is wrong, 2 if an argument is wrong.`;

/** Where the device is in the simulated machine. */
const ADDRESS = "0000:00:04.0";
/** What the program calls the device: faults name it so. */
const LABEL = 0xd0d0n;
/** The first I/O address of the memory, 1 MiB. */
const IOVA = 0x10_0000n;
/** Copies of one run. */
const COPIES = 12;

/** What came of a run. */
export interface PagingReport {
  /** Pages that the memory has. */
  readonly pages: number;
  /** Pages that were filled in. */
  readonly filled: number;
  /** Groups of page faults that were answered. */
  readonly groups: number;
  /** Groups that were refused, as there is no such memory. */
  readonly refused: number;
  /** Bytes that the device copied. */
  readonly copied: number;
  /** Whether every copy is what it was made from. */
  readonly intact: boolean;
}

/** What a page holds: its number, and bytes that follow from it. */
function fillPage(page: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; at++) bytes[at] = (page * 37 + at * 11 + (at >> 8)) & 0xff;
}

/** Copies that are spread over the memory: sources in its first half, places of their own in its second; none is aligned to pages. */
function* copies(pages: number): Generator<{ readonly from: bigint; readonly to: bigint; readonly length: number }> {
  const half = pages / 2;
  for (let index = 0; index < COPIES; index++) {
    const length = COPY_MAX - 128 * index;
    const from = IOVA + BigInt(Math.floor((index * 7919) % (half - 1)) * PAGE + 64 * index);
    const to = IOVA + BigInt(Math.floor(half + index * (half - 2) / COPIES) * PAGE + 32 * index);
    yield { from, to, length };
  }
}

/** The bytes of the memory at an I/O address; undefined where a page was never filled in. */
function bytesAt(pager: Pager, iova: bigint, length: number): Uint8Array | undefined {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length;) {
    const at = Number(iova - IOVA) + done;
    const page = pager.present.get(Math.floor(at / PAGE));
    if (page === undefined) return undefined;
    const piece = page.bytes.subarray(at % PAGE, Math.min(PAGE, at % PAGE + length - done));
    bytes.set(piece, done);
    done += piece.length;
  }
  return bytes;
}

/** Let the device at `address` copy in memory of so many pages of which none is there. */
export async function demandPaging(kernel: Kernel, address: string, pages: number): Promise<PagingReport> {
  using iommu = IommuFd.open(kernel);
  using ioas = iommu.createIoas();
  using queue = iommu.createFaultQueue();
  using file = DeviceFd.open(kernel, address);
  const device = file.bind(iommu, { label: LABEL });
  device.attach(ioas.createHwpt(device, { faultQueue: queue }));
  using engine = new CopyEngine(device);
  const pager = new Pager(ioas, { iova: IOVA, pages, fill: fillPage });
  const serving = pager.serve(queue);
  let copied = 0;
  let intact = true;
  for (const { from, to, length } of copies(pages)) {
    await engine.copy(from, to, length);
    const [source, target] = [bytesAt(pager, from, length), bytesAt(pager, to, length)];
    intact &&= source !== undefined && target !== undefined && source.every((byte, at) => byte === target[at]);
    copied += length;
  }
  await engine.copy(IOVA + BigInt(pages * PAGE), IOVA, 64);
  engine[Symbol.dispose]();
  queue[Symbol.dispose]();
  await serving;
  return { pages, filled: pager.present.size, groups: pager.groups, refused: pager.refused, copied, intact };
}

function print({ pages, filled, groups, refused, copied, intact }: PagingReport): void {
  console.log(`The device copied ${copied} bytes in a memory of ${pages} pages of which none was there: ${intact ? "intact" : "CORRUPT"}`);
  console.log(`  page faults ${groups} groups answered, ${filled} pages filled in, ${pages - filled} never touched`);
  console.log(`  refused     ${refused}, of a copy from beyond the memory`);
}

/** The program. @returns its exit status: 0, 1 if the device's work is wrong, 2 if an argument is wrong. */
async function main(words: string[]): Promise<number> {
  let json: boolean | undefined;
  let pages: number;
  try {
    const options = { json: { type: "boolean" }, help: { type: "boolean" } } as const;
    const { values, positionals } = parseArgs({ args: words, options, allowPositionals: true });
    if (values.help) {
      console.log(HELP);
      return 0;
    }
    const [word = "1024", ...others] = positionals;
    pages = /^\d+$/.test(word) && others.length === 0 ? Number(word) : 0;
    if (pages < 8 || pages > 4096) throw new Error(`Cannot use "${positionals.join(" ")}": a number of pages from 8 to 4096 is needed`);
    json = values.json;
  } catch (error) {
    // Advice behind the first sentence of parseArgs is about parseArgs.
    console.error(error instanceof Error ? error.message.split(". ")[0] : String(error));
    return 2;
  }
  using kernel = await simulated({
    iommu: { kind: "vtd", scalable: true },
    pci: [{ slot: "04.0", model: () => new EduDevice({ pageRequests: true }) }],
  });
  const report = await demandPaging(kernel, ADDRESS, pages);
  if (json) console.log(JSON.stringify(report));
  else print(report);
  return report.intact && report.refused === 1 ? 0 : 1;
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
