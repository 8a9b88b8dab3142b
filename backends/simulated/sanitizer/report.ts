/**
 * What the sanitizer found: as data, as text for people, and as JSON.
 *
 * @module
 */

/** What a device did that it must not. */
export type SanitizerKind =
  /** It used addresses whose mapping was taken away. */
  | "use-after-unmap"
  /** It ran over the end of a mapping, or hit the free addresses beside one. */
  | "red-zone"
  /** It read what it may only write, or wrote what it may only read. */
  | "wrong-direction"
  /** It read memory that neither the program nor a device has written. */
  | "never-written"
  /** It went on after it was detached. */
  | "after-detach"
  /** It used addresses that were never mapped, as far as is remembered. */
  | "wild";

/** When something happened, and by what. */
export interface SanitizerMoment {
  /** Which request of the program it was: files' requests and closes are counted from 1. */
  readonly request: number;
  /** Its name: "IOAS_MAP". */
  readonly operation: string;
  /** Virtual time, nanoseconds. */
  readonly time: number;
  /** PCI addresses of the devices that were attached to the address space. */
  readonly devices: readonly string[];
}

/** A transfer that the sanitizer saw. */
export interface SanitizerTransfer {
  /** PCI address of the device. */
  readonly device: string;
  /** The PASID that it had; undefined: none. */
  readonly pasid: number | undefined;
  /** First I/O address. */
  readonly iova: bigint;
  /** Bytes. */
  readonly length: number;
  /** Which way, as the device sees it. */
  readonly access: "read" | "write";
  /** "done", or why the IOMMU refused it. */
  readonly outcome: string;
  /** Virtual time, nanoseconds. */
  readonly time: number;
}

/** A mapping, from its beginning to its end. */
export interface SanitizerMapping {
  /** First I/O address. */
  readonly start: bigint;
  /** Last I/O address, inclusive. */
  readonly last: bigint;
  /** What devices may do. */
  readonly access: "read" | "write" | "read and write";
  /** When it was made. */
  readonly mapped: SanitizerMoment;
  /** When it was taken away; undefined: it is there. */
  readonly unmapped: SanitizerMoment | undefined;
  /** The last transfers in it, oldest first. */
  readonly transfers: readonly SanitizerTransfer[];
}

/** One finding. */
export interface SanitizerReport {
  /** Number of the finding, from 0. */
  readonly sequence: number;
  /** What happened. */
  readonly kind: SanitizerKind;
  /** PCI address of the device. */
  readonly device: string;
  /** What the program calls the device; undefined: nothing. */
  readonly label: bigint | undefined;
  /** The PASID that the transfer had; undefined: none. */
  readonly pasid: number | undefined;
  /** The first I/O address that is wrong. */
  readonly iova: bigint;
  /** Bytes from there to the end of the transfer; of `"never-written"`: bytes that are not written. */
  readonly length: number;
  /** Which way, as the device sees it. */
  readonly access: "read" | "write";
  /** Whether the IOMMU refused it. If not, memory was read or written. */
  readonly refused: boolean;
  /** Virtual time, nanoseconds. */
  readonly time: number;
  /** The request that the program had made last. */
  readonly request: number;
  /** The IOAS: its id in its iommufd; undefined: the device was never attached. */
  readonly ioas: number | undefined;
  /** The mapping that it is about: the one that was used after its end, overrun, or used in the wrong way. */
  readonly mapping: SanitizerMapping | undefined;
  /** The other mappings that are remembered of that address, newest first. */
  readonly history: readonly SanitizerMapping[];
  /** What to do. */
  readonly advice: string;
}

/** What happened, as the end of "Device 00:04.0 read 64 bytes at IOVA 0x1000, which …". */
const WHAT: Readonly<Record<SanitizerKind, string>> = {
  "use-after-unmap": "were unmapped before",
  "red-zone": "lie beside a mapping",
  "wrong-direction": "it may not use so",
  "never-written": "nobody has written",
  "after-detach": "it no longer reaches, since it was detached",
  "wild": "were never mapped",
};

/** What to do about each kind. */
export const SANITIZER_ADVICE: Readonly<Record<SanitizerKind, string>> = {
  "use-after-unmap":
    "Wait until the device is done with a buffer, or reset the device, before the buffer is disposed: a command that timed out may still be under way.",
  "red-zone":
    "The length or an offset that the device was told goes beyond the buffer: check what is rounded up, and the last entry of lists.",
  "wrong-direction":
    "Map the buffer with the access that the device needs, or exchange source and target: read is what the device reads, write is what it writes.",
  "never-written": "Fill the memory before the device is told of it; what is padding or reserved must be written as well.",
  "after-detach": "Stop the device, or reset it, before it is detached.",
  "wild": "The device was given an address that is none of its IOAS: a process address in place of the IOVA, or one of another IOAS.",
};

/** A finding in words, over several lines. */
export function describeReport(report: SanitizerReport): string {
  const { kind, device, label, pasid, length, access, iova, refused, mapping, history, request } = report;
  const name = `${device}${label === undefined ? "" : ` (label 0x${label.toString(16)})`}${withPasid(pasid)}`;
  const bytes = length === 1 ? "1 byte" : `${length} bytes`;
  const verb = access === "read" ? "read" : refused ? "write" : "wrote";
  const did = refused ? `tried to ${verb}` : verb;
  const end = refused ? "The IOMMU refused it." : "It was not refused.";
  const lines = [
    `${kind}: device ${name} ${did} ${bytes} at IOVA 0x${iova.toString(16)} that ${WHAT[kind]}. ${end}`,
    `  when: at ${time(report.time)}, after request ${request}, in ${report.ioas === undefined ? "no IOAS" : `IOAS ${report.ioas}`}`,
    ...(mapping === undefined ? [] : describeMapping("mapping", mapping)),
    ...history.flatMap((other) => describeMapping("also", other)),
    `  advice: ${report.advice}`,
  ];
  return lines.join("\n");
}

function describeMapping(title: string, { start, last, access, mapped, unmapped, transfers }: SanitizerMapping): string[] {
  return [
    `  ${title}: 0x${start.toString(16)} to 0x${last.toString(16)}, for devices to ${access}`,
    `    mapped ${moment(mapped)}`,
    ...(unmapped === undefined ? [] : [`    unmapped ${moment(unmapped)}`]),
    ...transfers.map((transfer) => `    ${describeTransfer(transfer)}`),
  ];
}

function withPasid(pasid: number | undefined): string {
  return pasid === undefined ? "" : `, PASID ${pasid},`;
}

function describeTransfer({ device, pasid, access, length, iova, outcome, time: at }: SanitizerTransfer): string {
  return `${access} of ${length} bytes at 0x${iova.toString(16)} by ${device}${withPasid(pasid)} at ${time(at)}: ${outcome}`;
}

function moment({ request, operation, time: at, devices }: SanitizerMoment): string {
  const attached = devices.length === 0 ? "no device attached" : `attached: ${devices.join(", ")}`;
  return `by request ${request} (${operation}) at ${time(at)}, ${attached}`;
}

function time(nanoseconds: number): string {
  return `${(nanoseconds / 1000).toFixed(1)} µs`;
}

/** Findings as JSON: bigints are text, "0x1000". */
export function reportsToJson(reports: readonly SanitizerReport[]): string {
  return JSON.stringify(reports, (_, value) => typeof value === "bigint" ? `0x${value.toString(16)}` : value, 2);
}

/** Findings that were there when none was wanted: {@linkcode Sanitizer.assertClean}. */
export class SanitizerError extends Error {
  /** "SanitizerError". */
  override name = "SanitizerError";

  /** With all findings that are kept. */
  constructor(readonly reports: readonly SanitizerReport[], lost: number) {
    const more = lost === 0 ? "" : `\n(and ${lost} more that were not kept)`;
    super(`The sanitizer found ${reports.length + lost} misuses of DMA:\n${reports.map(describeReport).join("\n")}${more}`);
  }
}
