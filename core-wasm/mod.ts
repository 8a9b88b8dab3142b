/**
 * The core of a simulated machine: loads what `deno task build:core` made and starts instances of it. The only importer of dist/.
 *
 * @module
 */
import { type Core, createGlue } from "./dist/core.js";

/** The kinds of IOMMU, in the order of their numbers: binding/src/core.rs. */
const KINDS = ["vtd", "vtd-first-stage", "amdvi", "amdvi-v2", "smmuv3", "smmuv3-stage-2", "smmuv3-nested", "riscv", "mock"] as const;

/** A kind of IOMMU, with the stage that its page tables are of. */
export type IommuKind = (typeof KINDS)[number];

/** What the machine is, for the core. */
export interface BootConfig {
  /** The kind of IOMMU; `"remote"`: that of a kernel below, so that the core decides but pins and maps nothing; `"mock"`: the one of Linux's own tests. */
  readonly iommu: IommuKind | "remote";
  /** Levels of its page tables. */
  readonly levels: number;
  /** Whether devices may use PASIDs and nested page tables. Default: false. */
  readonly scalable?: boolean;
  /** Whether the IOMMU marks pages that devices write to. Default: false. */
  readonly dirtyTracking?: boolean;
  /** Whether a RISC-V IOMMU has pages of 64 KiB. Default: true. */
  readonly napot?: boolean;
  /** Whether an open device refuses to be opened again. */
  readonly singleOpen: boolean;
  /** Which devices of a group must share a page table. */
  readonly groupIoas: "requester" | "linux";
  /** Bytes that may be pinned; undefined: no limit. */
  readonly memlock: number | undefined;
  /** Whether the process may have hardware do as it likes, without an IOMMU between (CAP_SYS_RAWIO). Default: false. */
  readonly rawIo?: boolean;
  /** Open file descriptors. */
  readonly openFiles: number;
}

/** A fresh instance of the core, with a memory of its own. */
export interface CoreInstance {
  /** The memory; after {@linkcode CoreInstance.boot} it never grows, so views of it stay valid. */
  readonly memory: WebAssembly.Memory;
  /**
   * Reserve memory once and for all, and start the machine.
   *
   * @throws {RangeError} if the runtime does not give so much memory, or the heap is too small for the machine.
   */
  boot(heapBytes: number, ramBytes: number, config: BootConfig): Core;
}

/** What the full core alone exports. */
const FULL_EXPORTS = ["check", "find_area_changes"];

const compiled: { lean?: Promise<WebAssembly.Module> | undefined; full?: Promise<WebAssembly.Module> | undefined } = {};

/** A core compiled from the base64 that the package carries: once for all machines, and again after a failure. Each is loaded when it is asked for. */
function compile(which: "lean" | "full"): Promise<WebAssembly.Module> {
  const load = () => which === "lean" ? import("./dist/core_wasm.js") : import("./dist/core_full_wasm.js");
  const module = compiled[which] ??= load().then(({ default: base64 }) => {
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    return WebAssembly.compile(bytes);
  });
  module.catch(() => compiled[which] = undefined);
  return module;
}

/** @throws {TypeError} if a module that the program gave is the lean core. */
function checkFull(module: WebAssembly.Module): void {
  const names = WebAssembly.Module.exports(module).map(({ name }) => name);
  if (FULL_EXPORTS.every((name) => names.includes(name))) return;
  throw new TypeError(
    "Cannot start the machine: its checks, its sanitizer, its mock IOMMU or its guests need the full core, and the module given is the lean one; give core_full.wasm",
  );
}

function bootFlags({ iommu, scalable, dirtyTracking, napot = true, singleOpen, groupIoas, memlock, rawIo }: BootConfig): number {
  // A process without a limit of locked memory is a privileged one.
  return (singleOpen ? 1 : 0) | (groupIoas === "requester" ? 2 : 0) | (memlock === undefined ? 4 : 0) | (iommu === "remote" ? 8 : 0) |
    (scalable ? 16 : 0) | (dirtyTracking ? 32 : 0) | (rawIo ? 64 : 0) | (napot ? 0 : 128);
}

/**
 * Make an instance of the core. Not booted yet.
 *
 * @param options `module`: the core, compiled already, for runtimes that forbid compiling bytes. `full`: whether it must have the checker of invariants,
 * the sanitizer and the mock IOMMU; default: false.
 * @throws {TypeError} if it must, and the module has not.
 */
export async function instantiate(options: { readonly module?: WebAssembly.Module; readonly full?: boolean } = {}): Promise<CoreInstance> {
  const { module: given, full = false } = options;
  if (given !== undefined && full) checkFull(given);
  const glue = createGlue();
  const module = given ?? await compile(full ? "full" : "lean");
  const { memory } = await glue({ module_or_path: module });
  return {
    memory,
    boot(heapBytes, ramBytes, config) {
      const { iommu, levels, memlock = Infinity, openFiles } = config;
      // Of one that is remote the core knows no more than that it is one.
      const kind = KINDS.indexOf(iommu === "remote" ? "vtd" : iommu);
      if (glue.boot(heapBytes, ramBytes, kind, bootFlags(config), levels, memlock, openFiles)) {
        // The glue is a function with many properties, which engines look up slowly, unless they are a prototype's.
        return Object.create(glue) as Core;
      }
      const reserved = memory.buffer.byteLength >= heapBytes + ramBytes;
      throw new RangeError(
        reserved
          ? `Cannot start the machine: ${heapBytes} bytes of kernel memory are too few for ${ramBytes} bytes of RAM`
          : `Cannot start the machine: the runtime does not give ${heapBytes + ramBytes} bytes of memory`,
      );
    },
  };
}
