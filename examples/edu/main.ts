/**
 * Drives QEMU's edu device: identification, liveness, a factorial by interrupt, DMA both ways.
 *
 *     deno run examples/edu/main.ts [--json] [number]
 *     deno run --allow-ffi examples/edu/main.ts --device 0000:00:04.0 [--json] [number]
 *
 * The first runs on a simulated machine and needs no permission; the second drives a real device through the running Linux.
 *
 * @module
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { IommuError, type Kernel } from "../../mod.ts";
import { BUFFER_LENGTH, EduDriver, EduError } from "./driver.ts";
import { MachineUnavailable, openMachine } from "./machine.ts";

const HELP = `Drives QEMU's edu device: identification, liveness, a factorial by interrupt, DMA both ways.

Usage: deno run examples/edu/main.ts [options] [number]

  number             whose factorial is computed, below 2^32. Default: 10.

  --device <address> PCI address of a real device, "0000:00:04.0", that vfio-pci has: the program then runs on this machine's Linux, and needs
                     Deno's permission --allow-ffi and rights for the device. Default: a simulated machine, without any permission.
  --json             print one JSON object.
  --help             print this.

Exit status: 0, 1 if the device is broken or cannot be used, 2 if an argument is wrong.`;

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

interface Settings {
  readonly device: string | undefined;
  readonly json: boolean;
  readonly help: boolean;
  readonly number: number;
}

const OPTIONS = { device: { type: "string" }, json: { type: "boolean" }, help: { type: "boolean" } } as const;

function readArguments(words: string[]): Settings {
  try {
    const { values, positionals } = parseArgs({ args: words, options: OPTIONS, allowPositionals: true });
    const [word = "10", ...others] = positionals;
    if (others.length > 0) throw new Error(`Cannot compute more than one factorial: "${positionals.join('", "')}"`);
    const number = /^\d+$/.test(word) ? Number(word) : Infinity;
    if (number > 0xffff_ffff) throw new Error(`Cannot compute "${word}"!: a whole number below 2^32 is needed`);
    return { device: values.device, json: values.json ?? false, help: values.help ?? false, number };
  } catch (error) {
    // Advice behind the first sentence of parseArgs is about parseArgs.
    throw new UsageError(error instanceof Error ? error.message.split(". ")[0] : String(error), { cause: error });
  }
}

/** What can go wrong with a device and its kernel, and is told in a sentence. */
function isExpected(error: unknown): error is Error {
  return [IommuError, EduError, MachineUnavailable].some((kind) => error instanceof kind);
}

/** The program. @returns its exit status: 0, 1 if the device is broken or cannot be used, 2 if an argument is wrong. */
async function main(words: string[]): Promise<number> {
  try {
    const { device, json, help, number } = readArguments(words);
    if (help) {
      console.log(HELP);
      return 0;
    }
    const { kernel, address } = await openMachine(device);
    using _machine = kernel;
    const report = await exercise(kernel, address, number);
    if (json) console.log(JSON.stringify(report));
    else print(report);
    return report.alive && report.dma.intact ? 0 : 1;
  } catch (error) {
    const isUsage = error instanceof UsageError;
    // Anything but these is a mistake in this program, and its stack is what helps.
    if (!isUsage && !isExpected(error)) throw error;
    console.error(error.message);
    return isUsage ? 2 : 1;
  }
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
