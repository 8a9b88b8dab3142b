/**
 * Drives QEMU's edu device: identification, liveness, a factorial by interrupt, DMA both ways.
 *
 *     deno run examples/edu/main.ts [--json] [number]
 *
 * @module
 */
import process from "node:process";
import { parseArgs } from "node:util";
import type { Kernel } from "../../mod.ts";
import { BUFFER_LENGTH, EduDriver } from "./driver.ts";
import { openMachine } from "./machine.ts";

/** What the program found. */
export interface EduReport {
  /** PCI address of the device. */
  readonly address: string;
  /** "1.0". */
  readonly version: string;
  /** Whether the liveness register inverted what was written. */
  readonly alive: boolean;
  /** The number, and its factorial modulo 2^32. */
  readonly factorial: { readonly number: number; readonly result: number };
  /** Bytes sent to the device and fetched again, and whether they came back unchanged. */
  readonly dma: { readonly bytes: number; readonly intact: boolean };
}

/** Exercise the device at `address`. */
export async function exercise(kernel: Kernel, address: string, number: number): Promise<EduReport> {
  using edu = EduDriver.open(kernel, address);
  const probe = 0x1234_5678;
  const data = Uint8Array.from({ length: BUFFER_LENGTH }, (_, index) => index * 31 + 7);
  await edu.write(data);
  const returned = await edu.read(BUFFER_LENGTH);
  return {
    address,
    version: `${edu.identification >>> 24}.${edu.identification >>> 16 & 0xff}`,
    alive: edu.checkLiveness(probe) === ~probe >>> 0,
    factorial: { number, result: await edu.factorial(number) },
    dma: { bytes: data.length + returned.length, intact: returned.every((byte, index) => byte === data[index]) },
  };
}

function print(report: EduReport): void {
  const { address, version, alive, factorial, dma } = report;
  console.log(`edu ${version} at ${address}`);
  console.log(`  liveness    ${alive ? "ok" : "FAILED"}`);
  console.log(`  factorial   ${factorial.number}! = ${factorial.result} (modulo 2^32), by interrupt`);
  console.log(`  DMA         ${dma.bytes} bytes, both ways, ${dma.intact ? "intact" : "CORRUPT"}`);
}

/** An argument of the program is wrong. */
class UsageError extends Error {}

function readArguments(words: string[]): { json: boolean; number: number } {
  try {
    const { values, positionals } = parseArgs({ args: words, options: { json: { type: "boolean" } }, allowPositionals: true });
    const [word = "10", ...others] = positionals;
    if (others.length > 0) throw new Error(`Cannot compute more than one factorial: "${positionals.join('", "')}"`);
    const number = /^\d+$/.test(word) ? Number(word) : Infinity;
    if (number > 0xffff_ffff) throw new Error(`Cannot compute "${word}"!: a whole number below 2^32 is needed`);
    return { json: values.json ?? false, number };
  } catch (error) {
    // Advice behind the first sentence of parseArgs is about parseArgs.
    throw new UsageError(error instanceof Error ? error.message.split(". ")[0] : String(error), { cause: error });
  }
}

/** The program. @returns its exit status: 0, 1 if the device is broken, 2 if an argument is wrong. */
async function main(words: string[]): Promise<number> {
  try {
    const { json, number } = readArguments(words);
    const { kernel, address } = await openMachine();
    using _machine = kernel;
    const report = await exercise(kernel, address, number);
    if (json) console.log(JSON.stringify(report));
    else print(report);
    return report.alive && report.dma.intact ? 0 : 1;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(error.message);
    return 2;
  }
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
