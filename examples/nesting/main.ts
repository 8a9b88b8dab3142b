/**
 * A guest gives its device page tables of its own, on top of those that its hypervisor has: nested translation.
 *
 *     deno run examples/nesting/main.ts [--json] [rounds]
 *
 * It runs on a simulated machine: it needs an IOMMU that nests, and a device that asks for pages. docs/nesting.md tells what is behind it.
 *
 * @module
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { EduDevice, type Kernel, simulated } from "../../mod.ts";
import { CopyEngine } from "../demand_paging/device.ts";
import { Guest, type GuestFault, PAGE } from "./guest.ts";
import { Hypervisor } from "./hypervisor.ts";

const HELP = `A guest gives its device page tables of its own, on top of those that its hypervisor has: nested translation.

Usage: deno run examples/nesting/main.ts [options] [rounds]

  rounds   how often the guest moves a page under its device, 1 to 64. Default: 8.

  --json   print one JSON object.
  --help   print this.

Exit status: 0, 1 if the device saw anything else than the guest's tables say, 2 if an argument is wrong.`;

/** Where the device is in the simulated machine. */
const ADDRESS = "0000:00:04.0";
/** The guest's number of it: 00:02.0. */
const GUEST_DEVICE = 0x10;
const GUEST_MEMORY = 128 * PAGE;

/** Addresses by which the device works. Its registers hold 28 bits. */
const SOURCE = 0x10_0000n;
const TARGET = 0x20_0000n;
const ON_DEMAND = 0x30_0000n;
const NOWHERE = 0x40_0000n;
const STRAY = 0x50_0000n;
/** An address that the guest has no memory at. */
const OUTSIDE = 0x8000_0000n;
/** What a page holds that the device has not written to. */
const BLANK = 0xee;

/** What came of a run. */
export interface NestingReport {
  /** Pages that were moved under the device, and whether the device saw each after the guest had said so. */
  readonly rounds: number;
  readonly followed: boolean;
  /** Rounds in which the device still saw the page before, as the guest had not said so yet. */
  readonly stale: number;
  /** Invalidations that the hypervisor passed on. */
  readonly invalidations: number;
  /** What the device asked the guest for. */
  readonly faults: readonly { readonly device: number; readonly iova: string }[];
  /** Whether the page that came on demand holds what the device wrote. */
  readonly broughtOnDemand: boolean;
  /** Whether an address that the guest does not have was out of the device's reach, whatever the guest's tables said. */
  readonly contained: boolean;
}

/** A run in the making. */
interface Run {
  readonly guest: Guest;
  readonly engine: CopyEngine;
}

/** The first byte of what the device finds at `iova`; undefined: nothing. */
async function look({ guest, engine }: Run, iova: bigint): Promise<number | undefined> {
  const target = guest.bytesOf(guest.pageAt(TARGET)!);
  // A copy that fails leaves the device's buffer as it was: filled from a blank page.
  const blank = guest.bytesOf(guest.pageAt(TARGET + BigInt(PAGE))!).fill(BLANK);
  await engine.copy(TARGET + BigInt(PAGE), TARGET, blank.length);
  await engine.copy(iova, TARGET, PAGE);
  return target[0] === BLANK ? undefined : target[0];
}

/** Move a page under the device, and see when the device sees it. */
async function movePages(run: Run, rounds: number): Promise<{ stale: number; followed: boolean }> {
  const { guest } = run;
  const pages = [guest.allocate(), guest.allocate()] as const;
  guest.map(SOURCE, pages[0]);
  let stale = 0;
  let followed = true;
  for (let round = 0; round < rounds; round++) {
    const [now, next] = round % 2 === 0 ? pages : [pages[1], pages[0]];
    guest.bytesOf(now).fill(round);
    guest.bytesOf(next).fill(round + 1);
    followed &&= await look(run, SOURCE) === round;
    guest.map(SOURCE, next);
    if (await look(run, SOURCE) === round) stale++;
    guest.flush(SOURCE);
    followed &&= await look(run, SOURCE) === round + 1;
  }
  return { stale, followed };
}

/** The device writes where nothing is yet. */
async function bringOnDemand({ guest, engine }: Run): Promise<boolean> {
  guest.bringOnDemand(ON_DEMAND, ON_DEMAND + BigInt(PAGE - 1));
  guest.bytesOf(guest.pageAt(SOURCE)!).fill(0x5a);
  await engine.copy(SOURCE, ON_DEMAND, PAGE);
  const page = guest.pageAt(ON_DEMAND);
  return page !== undefined && guest.bytesOf(page).every((byte) => byte === 0x5a);
}

/** Give the device at `address` to a guest, and let the guest move a page under it so often. */
export async function nesting(kernel: Kernel, address: string, rounds: number): Promise<NestingReport> {
  using hypervisor = new Hypervisor(kernel, { address, guestDevice: GUEST_DEVICE, memory: GUEST_MEMORY });
  const guest = new Guest(hypervisor.memory, hypervisor, GUEST_DEVICE);
  const serving = hypervisor.serve((fault: GuestFault) => guest.handleFault(fault));
  using engine = new CopyEngine(hypervisor.device);
  const run = { guest, engine };
  for (const iova of [TARGET, TARGET + BigInt(PAGE)]) guest.map(iova, guest.allocate());
  const { stale, followed } = await movePages(run, rounds);
  const broughtOnDemand = await bringOnDemand(run);
  const refused = await look(run, NOWHERE);
  // The guest may write into its tables what it likes: the second stage has the last word.
  guest.map(STRAY, OUTSIDE);
  const stray = await look(run, STRAY);
  engine[Symbol.dispose]();
  hypervisor[Symbol.dispose]();
  await serving;
  return {
    rounds,
    followed,
    stale,
    invalidations: hypervisor.invalidations,
    faults: guest.faults.map(({ device, iova }) => ({ device, iova: `0x${iova.toString(16)}` })),
    broughtOnDemand,
    contained: refused === undefined && stray === undefined,
  };
}

function print({ rounds, followed, stale, invalidations, faults, broughtOnDemand, contained }: NestingReport): void {
  console.log(`The guest moved a page under its device ${rounds} times: the device ${followed ? "followed" : "DID NOT FOLLOW"}`);
  console.log(`  stale       ${stale} times it saw the page before, until the guest said so: ${invalidations} invalidations`);
  for (const { device, iova } of faults) console.log(`  fault       of device 0x${device.toString(16)}, as the guest calls it, at ${iova}`);
  console.log(`  on demand   the page ${broughtOnDemand ? "came when the device wrote to it" : "DID NOT COME"}`);
  console.log(`  contained   what is not the guest's ${contained ? "was out of reach" : "WAS REACHED"}`);
}

/** A machine with an IOMMU that nests, and a device that asks for pages. */
export function nestingMachine(): Parameters<typeof simulated>[0] {
  return {
    iommu: { kind: "vtd", scalable: true },
    pci: [{ slot: "04.0", model: () => new EduDevice({ pageRequests: true }) }],
  };
}

/** The program. @returns its exit status: 0, 1 if the device saw what it should not, 2 if an argument is wrong. */
async function main(words: string[]): Promise<number> {
  let json: boolean | undefined;
  let rounds: number;
  try {
    const options = { json: { type: "boolean" }, help: { type: "boolean" } } as const;
    const { values, positionals } = parseArgs({ args: words, options, allowPositionals: true });
    if (values.help) {
      console.log(HELP);
      return 0;
    }
    const [word = "8", ...others] = positionals;
    rounds = /^\d+$/.test(word) && others.length === 0 ? Number(word) : 0;
    if (rounds < 1 || rounds > 64) throw new Error(`Cannot use "${positionals.join(" ")}": a number of rounds from 1 to 64 is needed`);
    json = values.json;
  } catch (error) {
    // Advice behind the first sentence of parseArgs is about parseArgs.
    console.error(error instanceof Error ? error.message.split(". ")[0] : String(error));
    return 2;
  }
  using kernel = await simulated(nestingMachine());
  const report = await nesting(kernel, ADDRESS, rounds);
  if (json) console.log(JSON.stringify(report));
  else print(report);
  return report.followed && report.broughtOnDemand && report.contained ? 0 : 1;
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
