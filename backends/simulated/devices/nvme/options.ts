/**
 * What can be chosen about an NVMe controller.
 *
 * @module
 */
import { checkOptionKeys, type OptionKeys } from "../option_keys.ts";
import type { NamespaceOptions } from "./namespace.ts";
import { REGISTER } from "./registers.ts";

/** Virtual time that things take, nanoseconds unless said otherwise. Whole numbers of 0 or more. */
export interface NvmeLatency {
  /** From a doorbell to the fetch of the commands. Default: 200. */
  readonly fetch: number;
  /** Completions are posted at multiples of this; 1 or more. Default: 500. */
  readonly tick: number;
  /** An admin command. Default: 5,000. */
  readonly admin: number;
  /** A Read, without its data. Default: 8,000. */
  readonly read: number;
  /** A Write or anything else on blocks, without its data. Default: 10,000. */
  readonly write: number;
  /** A Flush. Default: 40,000. */
  readonly flush: number;
  /** 1,024 bytes of data of a Read or Write. Default: 150. */
  readonly kibibyte: number;
  /** From CC.EN to CSTS.RDY. Default: 1,000,000. */
  readonly enable: number;
  /** From clearing CC.EN to clearing CSTS.RDY. Default: 100,000. */
  readonly disable: number;
  /** An orderly shutdown. Default: 500,000. */
  readonly shutdown: number;
  /** The part of each time that comes on top by chance at most: 0.25 is a quarter. Default: 0.25. */
  readonly jitter: number;
}

/** Options of an NVMe controller. */
export interface NvmeOptions {
  /** Its namespaces, 1 to 1,024; the first has identifier 1. */
  readonly namespaces: readonly NamespaceOptions[];
  /** I/O queue pairs, 1 to 256. Default: 16. */
  readonly queues?: number;
  /** MSI-X vectors, 1 to 2,048. Default: one for each queue, the admin queue included. */
  readonly vectors?: number;
  /** Entries of the largest queue, 2 to 65,536. Default: 1,024. */
  readonly queueEntries?: number;
  /** log2 of the largest transfer in pages of the smallest size: 1 to 8. Default: 6, that is 256 KiB with pages of 4 KiB. */
  readonly mdts?: number;
  /** Doorbells are 4 << stride bytes apart: 0 to 8. Default: 0. */
  readonly doorbellStride?: number;
  /** log2 of the smallest memory page: 12 to 16. Default: 12. */
  readonly lg2PageMin?: number;
  /** Serial number, ASCII, at most 20 characters. Default: "SIM0001". */
  readonly serial?: string;
  /** Model, ASCII, at most 40 characters. Default: "Simulated NVMe disk". */
  readonly model?: string;
  /** Firmware revision, ASCII, at most 8 characters. Default: "1.0". */
  readonly firmware?: string;
  /** Whether it can log what it writes, as controllers made for migration. Default: false. */
  readonly dmaLogging?: boolean;
  /** How long things take. */
  readonly latency?: Partial<NvmeLatency>;
}

/** Options with defaults, and what follows from them. */
export interface Settings extends Required<Omit<NvmeOptions, "namespaces" | "latency">> {
  /** As {@linkcode NvmeOptions.latency}. */
  readonly latency: NvmeLatency;
  /** Bytes of the largest transfer. */
  readonly transferMax: number;
  /** Where in BAR 0 the doorbells end, a whole page. */
  readonly doorbellsEnd: number;
  /** log2 of the largest memory page. */
  readonly lg2PageMax: number;
  /** Half seconds that becoming ready takes at worst. */
  readonly timeout: number;
}

const LATENCY: NvmeLatency = {
  fetch: 200,
  tick: 500,
  admin: 5_000,
  read: 8_000,
  write: 10_000,
  flush: 40_000,
  kibibyte: 150,
  enable: 1_000_000,
  disable: 100_000,
  shutdown: 500_000,
  jitter: 0.25,
};

const LG2_PAGE_MAX = 16;

function check(name: string, value: number, low: number, high: number): void {
  if (!Number.isInteger(value) || value < low || value > high) {
    throw new RangeError(`Cannot make an NVMe controller: ${name} is ${value}, wanted a whole number from ${low} to ${high}`);
  }
}

const KEYS: OptionKeys<NvmeOptions> = {
  namespaces: true,
  queues: true,
  vectors: true,
  queueEntries: true,
  mdts: true,
  doorbellStride: true,
  lg2PageMin: true,
  serial: true,
  model: true,
  firmware: true,
  dmaLogging: true,
  latency: true,
};
const LATENCY_KEYS: OptionKeys<NvmeLatency> = {
  fetch: true,
  tick: true,
  admin: true,
  read: true,
  write: true,
  flush: true,
  kibibyte: true,
  enable: true,
  disable: true,
  shutdown: true,
  jitter: true,
};
const NAMESPACE_KEYS: OptionKeys<NamespaceOptions> = { media: true, blockLength: true, readOnly: true };

/** @throws {TypeError} naming an option that there is not. */
function checkKeys(options: NvmeOptions): void {
  checkOptionKeys("make an NVMe controller", options, KEYS);
  checkOptionKeys<Partial<NvmeLatency>>("make an NVMe controller of that latency", options.latency ?? {}, LATENCY_KEYS);
  options.namespaces.forEach((namespace, at) => checkOptionKeys(`make namespace ${at + 1}`, namespace, NAMESPACE_KEYS));
}

function readLatency(options: Partial<NvmeLatency>): NvmeLatency {
  const latency = { ...LATENCY, ...options };
  for (const [name, value] of Object.entries(latency)) {
    if (name === "jitter") continue;
    check(`latency.${name}`, value, name === "tick" ? 1 : 0, 1e12);
  }
  if (!(latency.jitter >= 0 && latency.jitter <= 100)) {
    throw new RangeError(`Cannot make an NVMe controller: latency.jitter is ${latency.jitter}, wanted a number from 0 to 100`);
  }
  return latency;
}

/** Fill in defaults. @throws {TypeError} naming an option that there is not. @throws {RangeError} naming the option that is out of range. */
export function readOptions(options: NvmeOptions): Settings {
  checkKeys(options);
  const { queues = 16, queueEntries = 1024, mdts = 6, doorbellStride = 0, lg2PageMin = 12 } = options;
  const { vectors = queues + 1, serial = "SIM0001", model = "Simulated NVMe disk", firmware = "1.0" } = options;
  const { dmaLogging = false } = options;
  check("the number of namespaces", options.namespaces.length, 1, 1024);
  check("queues", queues, 1, 256);
  check("vectors", vectors, 1, 2048);
  check("queueEntries", queueEntries, 2, 65536);
  check("mdts", mdts, 1, 8);
  check("doorbellStride", doorbellStride, 0, 8);
  check("lg2PageMin", lg2PageMin, 12, LG2_PAGE_MAX);
  const latency = readLatency(options.latency ?? {});
  const doorbells = REGISTER.doorbells + 2 * (queues + 1) * (4 << doorbellStride);
  const slowest = Math.max(latency.enable, latency.disable) * (1 + latency.jitter);
  return {
    queues,
    vectors,
    queueEntries,
    mdts,
    doorbellStride,
    lg2PageMin,
    serial,
    model,
    firmware,
    dmaLogging,
    latency,
    transferMax: 2 ** (lg2PageMin + mdts),
    doorbellsEnd: Math.ceil(doorbells / 4096) * 4096,
    lg2PageMax: LG2_PAGE_MAX,
    timeout: Math.min(255, Math.max(2, Math.ceil(slowest / 5e8))),
  };
}
