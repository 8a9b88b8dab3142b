/**
 * The machine that this example runs on. It is the only file that another backend changes.
 *
 * @module
 */
import {
  bytesMedia,
  describeFault,
  fileMedia,
  type IommuDescription,
  type Kernel,
  linux,
  NvmeController,
  simulated,
  type SimulatedKernel,
} from "../../mod.ts";
import type { Image } from "./image.ts";

/** A DMA that the IOMMU refused. */
export interface Refusal {
  /** PCI address of the device. */
  readonly address: string;
  /** The label that the driver gave it. */
  readonly label: bigint | undefined;
  /** Where it wanted to go. */
  readonly iova: bigint;
  /** Bytes. */
  readonly length: number;
  /** What it wanted to do there. */
  readonly access: "read" | "write";
  /** Why not, in a word. */
  readonly reason: string;
  /** All of it in a sentence. */
  readonly text: string;
}

/** What the IOMMU did since the machine was switched on. */
export interface IommuActivity {
  /** Ranges mapped. */
  readonly maps: number;
  /** Ranges unmapped. */
  readonly unmaps: number;
  /** Leaf entries now: bytes that each maps, and how many there are. */
  readonly pages: readonly { readonly bytes: number; readonly count: number }[];
  /** Frames of memory that hold page tables now. */
  readonly tables: number;
  /** Pages that a transfer found in the IOTLB. */
  readonly tlbHits: number;
  /** Pages that needed a walk of the page tables. */
  readonly tlbMisses: number;
  /** Entries that these walks read. */
  readonly walkReads: number;
  /** Transfers from memory to the device. */
  readonly reads: number;
  /** Transfers from the device to memory. */
  readonly writes: number;
  /** Bytes of both. */
  readonly bytes: number;
  /** Transfers refused. */
  readonly faults: number;
  /** Nanoseconds of the machine's own time. */
  readonly now: number;
}

/** A kernel with an NVMe disk. */
export interface NvmeMachine extends Disposable {
  /** The kernel. */
  readonly kernel: Kernel;
  /** PCI address of the disk. */
  readonly address: string;
  /** Whether it tells of DMA that the IOMMU refused. On hardware a refused transfer can end in an error, or in nothing at all. */
  readonly tellsRefusals: boolean;
  /** What the IOMMU did; undefined where the kernel does not tell. */
  activity(): IommuActivity | undefined;
  /** The DMA that the IOMMU refused last; undefined if there is none, or the kernel does not tell. */
  lastRefusal(): Refusal | undefined;
}

/** There is no such kernel, or this program may not call it. */
export class MachineUnavailable extends Error {
  /** "MachineUnavailable". */
  override name = "MachineUnavailable";
}

/** What can be chosen about the simulated machine. */
export interface MachineChoices {
  /** Its IOMMU. */
  readonly iommu: IommuDescription;
  /** Commands that the driver will have under way at once, over all queues. */
  readonly commands: number;
}

const ADDRESS = "0000:00:04.0";
/** Memory for the program's buffers and the page tables, and for the lists of one command: bytes. */
const MEMORY = 64 * 2 ** 20;
const COMMAND_MEMORY = 4096;

/** The running Linux, with the disk at a PCI address. @throws {MachineUnavailable} if the kernel cannot be used. */
export async function openHardware(address: string): Promise<NvmeMachine> {
  const kernel = await openLinux();
  return {
    kernel,
    address,
    tellsRefusals: false,
    activity: () => undefined,
    lastRefusal: () => undefined,
    [Symbol.dispose]: () => kernel[Symbol.dispose](),
  };
}

async function openLinux(): Promise<Kernel> {
  try {
    return await linux();
  } catch (cause) {
    throw new MachineUnavailable(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

/** A simulated machine whose NVMe disk holds `image`, read-only. */
export async function openMachine(image: Image, { iommu, commands }: MachineChoices): Promise<NvmeMachine> {
  const { content } = image;
  const media = content instanceof Uint8Array ? bytesMedia(content) : fileMedia(content, { readOnly: true });
  const disk = new NvmeController({ namespaces: [{ media, readOnly: true }] });
  const kernel = await simulated({
    memory: MEMORY + commands * COMMAND_MEMORY,
    iommu,
    pci: [{ slot: "04.0", model: disk }],
  });
  return {
    kernel,
    address: ADDRESS,
    tellsRefusals: true,
    activity: () => activityOf(kernel),
    lastRefusal: () => lastRefusalOf(kernel),
    [Symbol.dispose]: () => kernel[Symbol.dispose](),
  };
}

function activityOf({ inspect }: SimulatedKernel): IommuActivity {
  const { maps, unmaps, pages, tables, now } = inspect.statistics;
  const { reads, writes, bytes, tlbHits, tlbMisses, walkReads, faults } = inspect.device(ADDRESS);
  const bySize = [...pages].sort(([a], [b]) => a - b).map(([lg2, count]) => ({ bytes: 2 ** lg2, count }));
  return { maps, unmaps, pages: bySize, tables, tlbHits, tlbMisses, walkReads, reads, writes, bytes, faults, now };
}

function lastRefusalOf({ inspect }: SimulatedKernel): Refusal | undefined {
  const fault = inspect.faults.at(-1);
  if (fault === undefined) return undefined;
  const { address, label, iova, length, access, reason } = fault;
  return { address, label, iova, length, access, reason, text: describeFault(fault) };
}
