/**
 * The simulated machine as plain data: IOMMU, memory, PCI tree, devices, rules, limits and seed.
 *
 * @module
 */
import { REPLACEMENTS } from "./core.ts";
import type { DeviceModel } from "./device.ts";

/** What the IOMMU caches of page tables. One cache serves all devices, as in hardware; see docs/iotlb.md. */
export interface IotlbOptions {
  /** Translations it has room for: `ways` times a power of two, at most 65,536; one for a page of whatever size. 0: no cache. Default: 1,024. */
  readonly entries?: number;
  /** Associativity: places that a translation can be in, 1 to 64; with `"tree-plru"` a power of two. Default: 4. */
  readonly ways?: number;
  /** What makes room where all are taken; `"random"` goes by the machine's seed. Default: `"lru"`. */
  readonly replacement?: "lru" | "tree-plru" | "fifo" | "random";
  /** Paging-structure caches: tables of each level that are remembered, a power of two up to 65,536, so that walks begin further down. Default: 0. */
  readonly structures?: number;
}

/**
 * When the IOTLB is told of what was unmapped. `"strict"`: before the request returns, as Linux does for programs. Lazy, as Linux's DMA API does for its own
 * drivers: once `batch` ranges wait (1 to 65,536), by one invalidation for each page table; until then devices may go by what is not mapped any more.
 */
export type Invalidation = "strict" | {
  /** Discriminant. */
  readonly kind: "lazy";
  /** Ranges that wait at most. */
  readonly batch: number;
};

/** What translation costs the machine, in nanoseconds, for comparing: nothing waits for it, and virtual time does not move. See docs/iotlb.md. */
export interface TranslationCosts {
  /** A look-up in the IOTLB, or in the caches of tables, that finds something. Default: 2. */
  readonly hit?: number;
  /** A table entry that a walk reads from memory. Default: 50. */
  readonly walkRead?: number;
  /** An invalidation, from the command to the answer that it is done. Default: 1,000. */
  readonly invalidation?: number;
}

/** The IOMMU of the machine. */
export type IommuDescription =
  | {
    /** Intel VT-d: pages of 4 KiB, 2 MiB and 1 GiB. */
    readonly kind: "vtd";
    /**
     * The stage that its page tables are of. With `"first"`, which scalable mode alone has, those that nested ones are on top of, and those that track what
     * devices write, are of the second all the same. Default: `"second"`.
     */
    readonly stage?: "first" | "second";
    /** Table levels: 4 for 48 bits of IOVA, 5 for 57; one bit less with tables of the first stage. Default: 4. */
    readonly levels?: 4 | 5;
    /** Scalable mode: PASIDs, for devices that have them, and first-stage tables of the program's own on top of the IOMMU's. Default: false. */
    readonly scalable?: boolean;
    /**
     * Whether page tables can tell which pages devices have written: the second stage's accessed and dirty bits (SSADS), which scalable mode alone has.
     * Default: false.
     */
    readonly dirtyTracking?: boolean;
    /** Its translation caches. */
    readonly iotlb?: IotlbOptions;
    /** When they are told of what was unmapped. Default: `"strict"`. */
    readonly invalidation?: Invalidation;
    /** What they cost. */
    readonly costs?: TranslationCosts;
  }
  | {
    /** AMD-Vi. */
    readonly kind: "amdvi";
    /**
     * The format of its page tables: `"v1"` with every power-of-two page size from 4 KiB on; `"v2"`, the guest tables, with 4 KiB, 2 MiB and 1 GiB, where
     * those that track what devices write are of v1 all the same. Default: `"v1"`.
     */
    readonly pageTable?: "v1" | "v2";
    /** Table levels: 3 for 39 bits of IOVA, 4 for 48, 5 for 57, 6 for 64; of v2 4 for 47 bits or 5 for 56. Default: 4. */
    readonly levels?: 3 | 4 | 5 | 6;
    /** Whether page tables can tell which pages devices have written: accessed and dirty bits of the host (HASup, HDSup). Default: false. */
    readonly dirtyTracking?: boolean;
    /** Its translation caches. */
    readonly iotlb?: IotlbOptions;
    /** When they are told of what was unmapped. Default: `"strict"`. */
    readonly invalidation?: Invalidation;
    /** What they cost. */
    readonly costs?: TranslationCosts;
  }
  | {
    /** Arm SMMUv3 with pages of 4 KiB, 2 MiB and 1 GiB, and 48 bits of IOVA. It translates interrupts: see {@linkcode Machine.msi}. */
    readonly kind: "smmuv3";
    /**
     * The stage that it has: of 1 or 2 its page tables are. `"nested"`: it has both, its page tables are of stage 1, and those of stage 2 that others can be on
     * top of are the memory of guests, with virtual IOMMUs. Default: 1.
     */
    readonly stage?: 1 | 2 | "nested";
    /** Substreams, which PCI calls PASIDs, for devices that have them, and for guests; stage 1 alone has. Default: false. */
    readonly pasids?: boolean;
    /** Whether page tables can tell which pages devices have written (HTTU); those of stage 1 alone can. Default: false. */
    readonly dirtyTracking?: boolean;
    /** Its translation caches. */
    readonly iotlb?: IotlbOptions;
    /** When they are told of what was unmapped. Default: `"strict"`. */
    readonly invalidation?: Invalidation;
    /** What they cost. */
    readonly costs?: TranslationCosts;
  }
  | {
    /**
     * The RISC-V IOMMU with first-stage tables, of which the lower half of addresses is mapped: pages of 4 and 64 KiB, 2 MiB, 1 GiB, and what each further
     * level has. As Linux 7.3's driver has it, without nesting, dirty tracking, page requests and a description; what differs is said below.
     */
    readonly kind: "riscv";
    /** Table levels: 3 (Sv39) for 38 bits of IOVA, 4 (Sv48) for 47, 5 (Sv57) for 56. Default: 4. */
    readonly levels?: 3 | 4 | 5;
    /** PASIDs, for devices that have them, by a process directory each. Linux 7.3's driver has none. Default: false. */
    readonly pasids?: boolean;
    /** Pages of 64 KiB (Svnapot), which Linux always uses. Default: true. */
    readonly svnapot?: boolean;
    /**
     * Whether the driver says that DMA is coherent with caches. Linux 7.3's does not, so that it refuses to bind any device (EINVAL), which is what `false` does.
     * Default: true.
     */
    readonly coherent?: boolean;
    /** Its translation caches. */
    readonly iotlb?: IotlbOptions;
    /** When they are told of what was unmapped. Default: `"strict"`. */
    readonly invalidation?: Invalidation;
    /** What they cost. */
    readonly costs?: TranslationCosts;
  }
  | {
    /**
     * The IOMMU that Linux's own tests of iommufd use (CONFIG_IOMMUFD_TEST). No PCI device is behind it, so {@linkcode Machine.pci} must be empty:
     * the request TEST_CMD makes devices that exist inside an iommufd alone. Pages of 2 KiB and every power of two above, IOVAs from 2^24 to
     * 2^31 − 1.
     */
    readonly kind: "mock";
  }
  | {
    /** None: all devices are as with {@linkcode DeviceNode.iommu} `"none"`. */
    readonly kind: "none";
  };

/** What the machine decides differently from Linux, or not. */
export interface Rules {
  /**
   * A device that is open through one fd refuses a second open with EBUSY. Linux allows the open and refuses the second bind.
   * Default: true.
   */
  readonly singleOpen?: boolean;
  /**
   * Which devices of a group must share an IOAS: `"requester"` those that share a requester ID, the rest may differ; `"linux"` the whole
   * group. With the first, `iommu_requester` of each device of such a group in /sys says which share. Default: `"requester"`.
   */
  readonly groupIoas?: "requester" | "linux";
}

/** Limits of the process that drives the machine. */
export interface Limits {
  /** Bytes of memory that may be pinned for DMA (RLIMIT_MEMLOCK). Default: no limit. */
  readonly memlock?: number;
  /** Open file descriptors (RLIMIT_NOFILE), 8 to 65,536. Default: 1,024. */
  readonly openFiles?: number;
  /** Whether it may have devices without an IOMMU do as it likes, and ask where memory is (CAP_SYS_RAWIO). Default: true. */
  readonly rawIo?: boolean;
}

/** A range of I/O virtual addresses that a device may not use for mappings. */
export interface ReservedRegion {
  /** First address; a multiple of 4,096. */
  readonly start: bigint;
  /** Last address, inclusive; one less than a multiple of 4,096. */
  readonly last: bigint;
  /** `"direct"`: firmware's own mapping, kept one to one; `"direct-relaxable"`; `"reserved"`; `"msi"`: interrupt window. */
  readonly kind: "direct" | "direct-relaxable" | "reserved" | "msi";
}

/** A range that the platform reserves for every device. */
export interface PlatformRegion extends Omit<ReservedRegion, "kind"> {
  /** As of a device; `"software-msi"`: interrupts are translated, and the kernel maps there what they are written to. */
  readonly kind: ReservedRegion["kind"] | "software-msi";
}

/** The sanitizer of a machine: what of DMA it watches, and how much it remembers. See docs/sanitizer.md. */
export interface SanitizerOptions {
  /**
   * Bytes of I/O addresses that stay free in each IOAS after they were unmapped, so that what still uses them is found; the oldest are given up first. A
   * mapping at an address that the program chooses may use them. Default: 268,435,456 (256 MiB). 0: none.
   */
  readonly quarantine?: number;
  /** Bytes that stay free around each mapping whose address the kernel chooses: a multiple of 4,096, up to 1 GiB. Default: 65,536. */
  readonly redZone?: number;
  /**
   * Whether to find reads of memory that nobody has written. New memory of the program then holds a pattern and not zeros: for programs that clear what
   * they rely on. Default: false.
   */
  readonly neverWritten?: boolean;
  /** Mappings of each IOAS that are remembered after they are gone, 1 to 65,536. Default: 1,024. */
  readonly history?: number;
  /** Findings that are kept, 1 to 65,536. Default: 256. */
  readonly reports?: number;
}

/** Where a function sits on its bus, as in `lspci`: device (hexadecimal, 00 to 1f) and function (0 to 7), "04.0". */
export type Slot = `${string}.${number}`;

/** A PCI function with a device model. */
export interface DeviceNode {
  /** Default, and the only kind with a model: `"device"`. */
  readonly kind?: "device";
  /** Default: the first free device number of the bus, function 0. */
  readonly slot?: Slot;
  /** What answers its registers: an instance for this machine alone, or a function that makes one (so that the data can be used twice). */
  readonly model: DeviceModel | (() => DeviceModel);
  /**
   * The driver bound to it. `"vfio-pci"` lets programs open it; null: none; any other name is a driver of the kernel, which blocks the
   * group for programs. Default: `"vfio-pci"`.
   */
  readonly driver?: string | null;
  /** Access Control Services between the functions of a multifunction device. Default: false. */
  readonly acs?: boolean;
  /** Reserved ranges besides those of the platform. Default: none. */
  readonly reserved?: readonly ReservedRegion[];
  /**
   * `"none"`: the device has no IOMMU, and the administrator gives it to programs all the same (enable_unsafe_noiommu_mode of the module vfio). Its addresses
   * are those of the machine's memory, all of which it can read and write. See docs/no_iommu.md. Default: the machine's IOMMU.
   */
  readonly iommu?: "none";
  /** NUMA node, or −1. Default: −1. */
  readonly numaNode?: number;
}

/** A PCI Express root port. Only on the root bus. */
export interface RootPort {
  /** Discriminant. */
  readonly kind: "root-port";
  /** Default: the first free device number of the bus, function 0. */
  readonly slot?: Slot;
  /** Access Control Services: what is below cannot reach its peers around the IOMMU. Default: true. */
  readonly acs?: boolean;
  /** The functions of the one device below, a switch or a bridge. Device number 0. */
  readonly below?: readonly PciNode[];
}

/** A PCI Express switch, below a root port or a downstream port of another switch. */
export interface Switch {
  /** Discriminant. */
  readonly kind: "switch";
  /** The upstream port. Default: "00.0". */
  readonly slot?: Slot;
  /** ACS of the upstream port, which matters only where it is a function of a multifunction device. Default: false. */
  readonly acs?: boolean;
  /** The downstream ports. */
  readonly ports: readonly DownstreamPort[];
}

/** A port of a switch that leads away from the root. */
export interface DownstreamPort {
  /** Default: the first free device number of the switch's bus, function 0. */
  readonly slot?: Slot;
  /** Access Control Services. Default: true. */
  readonly acs?: boolean;
  /** The functions of the one device below, a switch or a bridge. Device number 0. */
  readonly below?: readonly PciNode[];
}

/** A bridge to a conventional PCI bus, whose devices the IOMMU cannot tell apart. */
export interface Bridge {
  /**
   * `"pcie-to-pci"` sits below a PCI Express port and speaks for its bus as (secondary bus, 00.0); `"pci-to-pci"` sits on the root bus or on
   * a conventional bus and speaks with its own address.
   */
  readonly kind: "pcie-to-pci" | "pci-to-pci";
  /** Default: the first free device number of the bus, function 0. */
  readonly slot?: Slot;
  /** The functions on the conventional bus. Devices here have no PCI Express capability, whatever their model says. */
  readonly below?: readonly (DeviceNode | Bridge)[];
}

/**
 * A device without an IOMMU, as Linux's drivers of mediated devices make them: its driver, here the model, reaches memory through the IOAS itself. It looks
 * like a PCI function to programs, and is on no bus.
 */
export interface EmulatedNode {
  /** What answers its registers, as {@linkcode DeviceNode.model}. Its `dma` and `pin` reach the memory of the IOAS. */
  readonly model: DeviceModel | (() => DeviceModel);
  /** Its name in /sys/bus/mdev/devices. Default: one that ends with its number. */
  readonly uuid?: string;
}

/** Anything that takes a place on a PCI bus. */
export type PciNode = DeviceNode | RootPort | Switch | Bridge;

/** A machine. Everything but the PCI tree has a default. */
export interface Machine {
  /** The root bus, 0000:00, in the order in which free slots are given out. */
  readonly pci: readonly PciNode[];
  /** Devices without an IOMMU. Default: none. */
  readonly emulated?: readonly EmulatedNode[];
  /** Default: VT-d with 4 levels. */
  readonly iommu?: IommuDescription;
  /**
   * Whether the IOMMU translates the writes that are interrupts (MSI and MSI-X). `"passed"`: those to one fixed range pass it, as on x86.
   * `"translated"`: as on Arm, a device has such interrupts only while it is attached, and the kernel keeps 0x800_0000 to 0x80f_ffff for them
   * (`IOMMU_RESV_SW_MSI`). Default: `"translated"` with an SMMUv3, else `"passed"`.
   */
  readonly msi?: "passed" | "translated";
  /** Bytes of RAM, a multiple of 4,096 from 1 MiB to 2 GiB less a page: the program's memory, page tables and devices' own buffers. Default: 64 MiB. */
  readonly memory?: number;
  /** Bytes for the objects of the simulated kernel, a multiple of 65,536 from 1 MiB to 512 MiB. Default: 8 MiB. */
  readonly kernelMemory?: number;
  /** What differs from Linux. */
  readonly rules?: Rules;
  /** Limits of the process. */
  readonly limits?: Limits;
  /** Find misuses of DMA: `{}` switches it on. Automatic placement then differs from Linux's. Default: off, at no cost. */
  readonly sanitizer?: SanitizerOptions;
  /** Start of all randomness, a whole number from 0 to 2^53 − 1. The same machine and seed give the same run. Default: 1. */
  readonly seed?: number;
}

/** The interrupt window of x86 machines: no IOMMU translates writes there, so no mapping may use it. */
export const MSI_WINDOW: ReservedRegion = { start: 0xfee0_0000n, last: 0xfeef_ffffn, kind: "msi" };

/** Where the kernel maps what interrupts are written to, if the IOMMU translates them (drivers/iommu/arm: MSI_IOVA_BASE). */
export const SOFTWARE_MSI_WINDOW: PlatformRegion = { start: 0x800_0000n, last: 0x80f_ffffn, kind: "software-msi" };

/** AMD's HyperTransport range, which AMD-Vi reserves (AMD I/O Virtualization Technology, 2.1.2). */
export const HYPERTRANSPORT_WINDOW: ReservedRegion = { start: 0xfd_0000_0000n, last: 0xff_ffff_ffffn, kind: "reserved" };

/** {@linkcode SanitizerOptions} with every default filled in. */
export interface SanitizerSettings extends Required<SanitizerOptions> {
  /** How many devices the machine has. */
  readonly devices: number;
}

/** A machine with every default filled in. */
export interface MachineSettings {
  /** As {@linkcode Machine.iommu}. */
  readonly iommu: {
    readonly kind: "vtd" | "amdvi" | "smmuv3" | "riscv" | "mock" | "none";
    /** That its page tables are of, where there is a choice. */
    readonly stage: 1 | 2;
    /** Whether an SMMUv3 has both stages. */
    readonly nests: boolean;
    readonly levels: number;
    /** VT-d's scalable mode, RISC-V's process directories. */
    readonly scalable: boolean;
    readonly dirtyTracking: boolean;
    readonly svnapot: boolean;
    readonly coherent: boolean;
    readonly iotlb: Required<IotlbOptions>;
    /** Ranges that wait for an invalidation; 0: none, it is strict. */
    readonly batch: number;
    readonly costs: Required<TranslationCosts>;
  };
  /** As {@linkcode Machine.msi}. */
  readonly msi: "passed" | "translated";
  /** Bytes. */
  readonly memory: number;
  /** Bytes. */
  readonly kernelMemory: number;
  /** As {@linkcode Machine.rules}. */
  readonly rules: Required<Rules>;
  /** As {@linkcode Machine.limits}; `memlock` undefined: no limit. */
  readonly limits: { readonly memlock: number | undefined; readonly openFiles: number; readonly rawIo: boolean };
  /** As {@linkcode Machine.sanitizer}; undefined: there is none. */
  readonly sanitizer: Required<SanitizerOptions> | undefined;
  /** As {@linkcode Machine.seed}. */
  readonly seed: number;
}

/** A machine that cannot be: the text names the path in the data, the value found and what is wanted. */
export class MachineError extends RangeError {
  /** "MachineError". */
  override name = "MachineError";

  /**
   * An error for one value.
   *
   * @param path where in the data: `pci[0].below[1].slot`.
   * @param value what is there.
   * @param wanted what should be there.
   */
  constructor(readonly path: string, readonly value: unknown, readonly wanted: string) {
    super(`Cannot build the machine: ${path} is ${show(value)}, wanted ${wanted}`);
  }
}

function show(value: unknown): string {
  if (typeof value === "string") return `"${value}"`;
  if (typeof value === "bigint") return `0x${value.toString(16)}`;
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? `a list of ${value.length}` : "an object";
  return typeof value === "function" ? "a function" : String(value);
}

/** A whole number from `low` to `high`, and a multiple of `unit`. */
export function checkNumber(path: string, value: unknown, low: number, high: number, unit = 1): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && low <= value && value <= high && value % unit === 0) return value;
  const multiple = unit === 1 ? "a whole number" : `a multiple of ${unit}`;
  throw new MachineError(path, value, `${multiple} from ${low} to ${high}`);
}

/** One of a list of values. */
export function checkOneOf<T>(path: string, value: T, allowed: readonly T[]): T {
  if (allowed.includes(value)) return value;
  throw new MachineError(path, value, `one of ${allowed.map(show).join(", ")}`);
}

/** A boolean, or `otherwise` where nothing is given. */
export function checkBoolean(path: string, value: unknown, otherwise: boolean): boolean {
  if (value === undefined) return otherwise;
  if (typeof value === "boolean") return value;
  throw new MachineError(path, value, "true or false");
}

const MIB = 2 ** 20;
const KEYS = {
  vtd: ["kind", "stage", "levels", "scalable", "dirtyTracking", "iotlb", "invalidation", "costs"],
  amdvi: ["kind", "pageTable", "levels", "dirtyTracking", "iotlb", "invalidation", "costs"],
  smmuv3: ["kind", "stage", "pasids", "dirtyTracking", "iotlb", "invalidation", "costs"],
  riscv: ["kind", "levels", "pasids", "svnapot", "coherent", "iotlb", "invalidation", "costs"],
  mock: ["kind"],
  none: ["kind"],
} as const;
const LEVELS = { vtd: [4, 5], amdvi: [3, 4, 5, 6], smmuv3: [4], riscv: [3, 4, 5], mock: [3], none: [6] } as const;
const AMD_V2_LEVELS = [4, 5];
const DEFAULT_LEVELS = { vtd: 4, amdvi: 4, smmuv3: 4, riscv: 4, mock: 3, none: 6 } as const;

/**
 * Check everything about a machine but its PCI tree, and fill in the defaults.
 *
 * @throws {MachineError} naming the value that is wrong.
 */
export function readSettings(machine: Machine): MachineSettings {
  if (typeof machine !== "object" || machine === null) throw new MachineError("machine", machine, "an object");
  checkKeys("machine", machine, ["pci", "emulated", "iommu", "msi", "memory", "kernelMemory", "rules", "limits", "sanitizer", "seed"]);
  const { iommu = { kind: "vtd" }, rules = {}, limits = {} } = machine;
  checkKeys("iommu", iommu, KEYS[iommu?.kind] ?? ["kind"]);
  checkKeys("rules", rules, ["singleOpen", "groupIoas"]);
  checkKeys("limits", limits, ["memlock", "openFiles", "rawIo"]);
  const kind = checkOneOf("iommu.kind", iommu.kind, ["vtd", "amdvi", "smmuv3", "riscv", "mock", "none"] as const);
  const levels = "levels" in iommu && iommu.levels !== undefined ? iommu.levels : DEFAULT_LEVELS[kind];
  const stage = readStage(iommu);
  const scalable = iommu.kind === "vtd" ? checkBoolean("iommu.scalable", iommu.scalable, false) : readPasids(iommu, stage);
  const svnapot = iommu.kind === "riscv" && checkBoolean("iommu.svnapot", iommu.svnapot, true);
  const coherent = iommu.kind !== "riscv" || checkBoolean("iommu.coherent", iommu.coherent, true);
  const dirtyTracking = "dirtyTracking" in iommu && checkBoolean("iommu.dirtyTracking", iommu.dirtyTracking, false);
  if (kind === "vtd" && dirtyTracking && !scalable) {
    throw new MachineError("iommu.dirtyTracking", true, "false without scalable, which alone has it");
  }
  if (kind === "vtd" && stage === 1 && !scalable) {
    throw new MachineError("iommu.stage", "first", '"second" without scalable, which alone has it');
  }
  if (kind === "smmuv3" && stage === 2 && dirtyTracking) {
    throw new MachineError("iommu.dirtyTracking", true, "false of stage 2, which has none");
  }
  const { iotlb = {}, invalidation = "strict", costs = {} } = iommu.kind === "mock" || iommu.kind === "none" ? {} : iommu;
  const caches = { iotlb: readIotlb(iotlb), batch: readBatch(invalidation), costs: readCosts(costs) };
  return {
    iommu: {
      kind,
      stage,
      nests: iommu.kind === "smmuv3" && iommu.stage === "nested",
      levels: checkOneOf<number>("iommu.levels", levels, kind === "amdvi" && stage === 1 ? AMD_V2_LEVELS : LEVELS[kind]),
      scalable,
      dirtyTracking,
      svnapot,
      coherent,
      ...caches,
    },
    msi: checkOneOf("msi", machine.msi ?? (kind === "smmuv3" ? "translated" : "passed"), ["passed", "translated"] as const),
    memory: checkNumber("memory", machine.memory ?? 64 * MIB, MIB, 2048 * MIB - 4096, 4096),
    kernelMemory: checkNumber("kernelMemory", machine.kernelMemory ?? 8 * MIB, MIB, 512 * MIB, 65536),
    rules: {
      singleOpen: checkBoolean("rules.singleOpen", rules.singleOpen, true),
      groupIoas: checkOneOf("rules.groupIoas", rules.groupIoas ?? "requester", ["requester", "linux"] as const),
    },
    limits: {
      memlock: limits.memlock === undefined ? undefined : checkNumber("limits.memlock", limits.memlock, 0, Number.MAX_SAFE_INTEGER),
      openFiles: checkNumber("limits.openFiles", limits.openFiles ?? 1024, 8, 65536),
      rawIo: checkBoolean("limits.rawIo", limits.rawIo, true),
    },
    sanitizer: machine.sanitizer === undefined ? undefined : readSanitizer(machine.sanitizer),
    seed: checkNumber("seed", machine.seed ?? 1, 0, Number.MAX_SAFE_INTEGER),
  };
}

function readStage(iommu: IommuDescription): 1 | 2 {
  if (iommu.kind === "amdvi") return checkOneOf("iommu.pageTable", iommu.pageTable ?? "v1", ["v1", "v2"] as const) === "v2" ? 1 : 2;
  if (iommu.kind === "smmuv3") return checkOneOf("iommu.stage", iommu.stage ?? 1, [1, 2, "nested"] as const) === 2 ? 2 : 1;
  if (iommu.kind === "vtd") return checkOneOf("iommu.stage", iommu.stage ?? "second", ["first", "second"] as const) === "first" ? 1 : 2;
  return 1;
}

function readPasids(iommu: IommuDescription, stage: 1 | 2): boolean {
  // v2 page tables are those of PASIDs.
  if (iommu.kind === "amdvi") return stage === 1;
  const pasids = (iommu.kind === "smmuv3" || iommu.kind === "riscv") && checkBoolean("iommu.pasids", iommu.pasids, false);
  if (pasids && iommu.kind === "smmuv3" && stage === 2) throw new MachineError("iommu.pasids", true, "false of stage 2, which has none");
  return pasids;
}

function readIotlb(options: IotlbOptions): Required<IotlbOptions> {
  checkKeys("iommu.iotlb", options, ["entries", "ways", "replacement", "structures"]);
  const { entries = 1024, ways = 4, replacement = "lru", structures = 0 } = options;
  checkNumber("iommu.iotlb.ways", ways, 1, 64);
  checkOneOf("iommu.iotlb.replacement", replacement, REPLACEMENTS);
  if (replacement === "tree-plru" && !isPowerOfTwo(ways)) {
    throw new MachineError("iommu.iotlb.ways", ways, 'a power of two with "tree-plru"');
  }
  checkNumber("iommu.iotlb.entries", entries, 0, 65536);
  if (entries !== 0 && !isPowerOfTwo(entries / ways)) {
    throw new MachineError("iommu.iotlb.entries", entries, `0, or ${ways} times a power of two`);
  }
  checkNumber("iommu.iotlb.structures", structures, 0, 65536);
  if (structures !== 0 && !isPowerOfTwo(structures)) throw new MachineError("iommu.iotlb.structures", structures, "0 or a power of two");
  return { entries, ways, replacement, structures };
}

function readBatch(invalidation: Invalidation): number {
  if (invalidation === "strict") return 0;
  const path = "iommu.invalidation";
  if (typeof invalidation !== "object" || invalidation === null) throw new MachineError(path, invalidation, '"strict" or an object');
  checkKeys(path, invalidation, ["kind", "batch"]);
  checkOneOf(`${path}.kind`, invalidation.kind, ["lazy"] as const);
  return checkNumber(`${path}.batch`, invalidation.batch, 1, 65536);
}

function readCosts(costs: TranslationCosts): Required<TranslationCosts> {
  checkKeys("iommu.costs", costs, ["hit", "walkRead", "invalidation"]);
  return {
    hit: checkNumber("iommu.costs.hit", costs.hit ?? 2, 0, 1_000_000),
    walkRead: checkNumber("iommu.costs.walkRead", costs.walkRead ?? 50, 0, 1_000_000),
    invalidation: checkNumber("iommu.costs.invalidation", costs.invalidation ?? 1000, 0, 1_000_000),
  };
}

function isPowerOfTwo(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0 && Number.isInteger(Math.log2(value));
}

function readSanitizer(options: SanitizerOptions): Required<SanitizerOptions> {
  checkKeys("sanitizer", options, ["quarantine", "redZone", "neverWritten", "history", "reports"]);
  return {
    quarantine: checkNumber("sanitizer.quarantine", options.quarantine ?? 256 * MIB, 0, Number.MAX_SAFE_INTEGER),
    redZone: checkNumber("sanitizer.redZone", options.redZone ?? 65536, 0, 1024 * MIB, 4096),
    neverWritten: checkBoolean("sanitizer.neverWritten", options.neverWritten, false),
    history: checkNumber("sanitizer.history", options.history ?? 1024, 1, 65536),
    reports: checkNumber("sanitizer.reports", options.reports ?? 256, 1, 65536),
  };
}

/** Refuse PCI nodes behind an IOMMU that has none, and what there must be an IOMMU for. */
export function checkBehindIommu({ pci }: Machine, { iommu, msi }: MachineSettings): void {
  if (iommu.kind === "none" && msi === "translated") throw new MachineError("msi", msi, '"passed": there is no IOMMU to translate them');
  if (iommu.kind === "mock" && pci.length > 0) {
    throw new MachineError("pci", pci, "an empty list: no PCI device is behind a mock IOMMU, TEST_CMD makes its devices");
  }
}

/** Refuse keys that nothing reads: a misspelt option must not pass for its default. */
export function checkKeys(path: string, value: object, known: readonly string[]): void {
  if (typeof value !== "object" || value === null) throw new MachineError(path, value, "an object");
  for (const key of Object.keys(value)) {
    if (!known.includes(key)) {
      throw new MachineError(`${path}.${key}`, (value as Record<string, unknown>)[key], `no such key; known are ${known.join(", ")}`);
    }
  }
}

/** Check the reserved ranges of a device: whole pages, and no overlap with one another or with those of the platform. */
export function checkReserved(
  path: string,
  ranges: readonly ReservedRegion[],
  platform: readonly PlatformRegion[],
): readonly ReservedRegion[] {
  ranges.forEach((range, index) => {
    const at = `${path}[${index}]`;
    checkKeys(at, range, ["start", "last", "kind"]);
    checkOneOf(`${at}.kind`, range.kind, ["direct", "direct-relaxable", "reserved", "msi"] as const);
    if (range.kind === "msi" && platform.some(({ kind }) => kind === "software-msi")) {
      throw new MachineError(`${at}.kind`, range.kind, "another kind: the machine's interrupts are translated");
    }
    const inRange = (value: unknown) => typeof value === "bigint" && 0n <= value && value < 2n ** 64n;
    if (!inRange(range.start) || range.start % 4096n !== 0n) {
      throw new MachineError(`${at}.start`, range.start, "a bigint, a multiple of 4096 below 2^64");
    }
    if (!inRange(range.last) || range.last % 4096n !== 4095n || range.last < range.start) {
      throw new MachineError(`${at}.last`, range.last, "the inclusive end of a page at or after start");
    }
    for (const other of [...platform, ...ranges.slice(0, index)]) {
      if (range.start <= other.last && other.start <= range.last) {
        throw new MachineError(at, range.start, `no overlap with 0x${other.start.toString(16)}`);
      }
    }
  });
  return ranges;
}
