/**
 * The command line of the demonstration.
 *
 * @module
 */
import { parseArgs } from "node:util";
import type { IommuDescription } from "../../mod.ts";
import { UsageError } from "./image.ts";

/** What the user asked for. */
export interface Settings {
  /** Path of the image; undefined: the one that comes with the example, or none where a real disk is read. */
  readonly path: string | undefined;
  /** PCI address of a real disk; undefined: a simulated one. */
  readonly device: string | undefined;
  /** Also write to the real disk. */
  readonly write: boolean;
  /** I/O queues. */
  readonly queues: number;
  /** Commands under way in each. */
  readonly depth: number;
  /** Look for completions instead of waiting for interrupts. */
  readonly poll: boolean;
  /** The IOMMU of the simulated machine. */
  readonly iommu: IommuDescription;
  /** One JSON object instead of tables. */
  readonly json: boolean;
  /** Print the help and do nothing. */
  readonly help: boolean;
}

/** What `--help` prints. */
export const HELP = `Reads a disk image whole through an NVMe driver, past an IOMMU, and shows what the IOMMU did.

Usage: deno task demo [options] [path]
       deno run --allow-ffi --allow-env examples/nvme/main.ts --device <address> [options]

  path             a disk image: a file of whole 512-byte sectors, or one packed by gzip, which is unpacked into memory.
                   It is only read. Default: a small ext4 image that comes with the example. With --device: what the disk
                   is compared with (which needs --allow-read too); default: nothing, and the SHA-256 is printed.

  --device <addr>  read a real disk on this machine's Linux: the PCI address, 0000:01:00.0, of a controller that vfio-pci
                   has. The disk is only read, unless --write is given.
  --write          also write to the real disk: a pattern over its last MiB, which is read back and then put back as it
                   was. Ended by force in between, the program leaves the pattern there. Needs --device.
  --queues <n>     I/O queues of the driver, 1 to 16. Default: 4.
  --depth <n>      commands under way in each queue, 1 to 1023. Default: 32.
  --poll           look for completions instead of waiting for interrupts.
  --iommu <kind>   IOMMU of the simulated machine, by kind and page table: vtd, vtd-first, amdvi, amdvi-v2, smmuv3,
                   smmuv3-stage2 or riscv. Default: vtd.
  --json           print one JSON object.
  --help           print this.

Exit status: 0 if what was read equals the image, if there is one, and the stray DMA was refused, if there was one, and what
was written was read back; 1 if not, or if the disk or the kernel cannot be used; 2 if an argument is wrong.`;

/** By name: the kinds of IOMMU, and the page tables that each can have. */
const IOMMUS: Readonly<Record<string, IommuDescription>> = {
  vtd: { kind: "vtd" },
  "vtd-first": { kind: "vtd", scalable: true, stage: "first" },
  amdvi: { kind: "amdvi" },
  "amdvi-v2": { kind: "amdvi", pageTable: "v2" },
  smmuv3: { kind: "smmuv3" },
  "smmuv3-stage2": { kind: "smmuv3", stage: 2 },
  riscv: { kind: "riscv" },
};

const OPTIONS = {
  queues: { type: "string", default: "4" },
  depth: { type: "string", default: "32" },
  poll: { type: "boolean", default: false },
  device: { type: "string" },
  write: { type: "boolean", default: false },
  iommu: { type: "string", default: "vtd" },
  json: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

/** Read the command line. @throws {UsageError} naming what is wrong. */
export function readArguments(words: string[]): Settings {
  const { values, positionals } = parse(words);
  if (positionals.length > 1) throw new UsageError(`Cannot read more than one image: "${positionals[0]}", "${positionals[1]}"`);
  const { device, write, poll, json, help } = values;
  if (write && device === undefined) throw new UsageError("Cannot use --write without --device: an image is only read");
  return {
    path: positionals[0],
    device,
    write,
    queues: count("--queues", values.queues, 16),
    depth: count("--depth", values.depth, 1023),
    poll,
    iommu: iommuOf(values.iommu),
    json,
    help,
  };
}

function parse(words: string[]) {
  try {
    return parseArgs({ args: words, options: OPTIONS, allowPositionals: true });
  } catch (error) {
    // Its messages name the option; the advice behind the first sentence is about parseArgs.
    const [sentence] = error instanceof Error ? error.message.split(". ") : [String(error)];
    throw new UsageError(sentence ?? "", { cause: error });
  }
}

function count(option: string, text: string, last: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : 0;
  if (1 <= value && value <= last) return value;
  throw new UsageError(`Cannot use ${option} "${text}": a whole number from 1 to ${last} is needed`);
}

function iommuOf(text: string): IommuDescription {
  const iommu = new Map(Object.entries(IOMMUS)).get(text);
  if (iommu !== undefined) return iommu;
  throw new UsageError(`Cannot use --iommu "${text}": one of ${Object.keys(IOMMUS).join(", ")} is needed`);
}
