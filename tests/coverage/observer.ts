/**
 * Notes which requests, flags and values a program asks of a kernel, and which the kernel answers.
 *
 * The names are the schema's. A table of what is covered can so be compared with what the tests have really asked.
 *
 * @module
 */
import { TappedKernel } from "../../backends/wrap/tap.ts";
import { fromHex, type TraceEntry } from "../../backends/wrap/trace.ts";
import { decodeArray, type DecodedField, type DecodedStruct, decodeRequest } from "../../uapi/decode.ts";
import type { Kernel } from "../../uapi/kernel.ts";
import { pointedMemory } from "../../uapi/pointed.ts";
import { VFIO } from "../../uapi/schema/vfio.ts";
import { structNamed } from "../../uapi/schema/layout.ts";
import type { FileKind, Names } from "../../uapi/schema/types.ts";
import type { Setup } from "../conformance/setup.ts";

/** What was asked: by name, whether a request that carried it succeeded, or an answer did. */
export type Seen = Map<string, boolean>;

/** Which struct is behind an untyped pointer, by the value that names it: field of the type, pointer, structs by type. */
const DATA: Readonly<Record<string, readonly [type: string, pointer: string, structs: Readonly<Record<string, string>>]>> = {
  HWPT_ALLOC: ["data_type", "data_uptr", { VTD_S1: "HwptVtdS1" }],
  HWPT_INVALIDATE: ["data_type", "data_uptr", { HWPT_INVALIDATE_DATA_VTD_S1: "HwptVtdS1Invalidate" }],
  GET_HW_INFO: ["out_data_type", "data_uptr", { INTEL_VTD: "HwInfoVtd", AMD: "HwInfoAmd" }],
};

function vfioNames(member: string): Names {
  return VFIO.names.find(({ values }) => member in values)!;
}

/** Fields that hold a plain number in the schema, of which some have names. */
const NUMBERED: Readonly<Record<string, Names>> = {
  "RegionInfo.index": vfioNames("PCI_BAR0_REGION_INDEX"),
  "IrqInfo.index": vfioNames("PCI_INTX_IRQ_INDEX"),
  "IrqSet.index": vfioNames("PCI_INTX_IRQ_INDEX"),
  "InfoCapHeader.id": vfioNames("REGION_INFO_CAP_TYPE"),
};

/** Which feature the low bits of FEATURE's flags name. */
const FEATURES = vfioNames("DEVICE_FEATURE_DMA_BUF");
const FEATURE_MASK = 0xffffn;

/** Bytes behind the header of the mock IOMMU's event. */
const EVENT_DATA = 4;
const EVENT_HEADER = 8;

function namesOf(struct: string, field: DecodedField): { readonly names: Names; readonly isBits: boolean } | undefined {
  const numbered = NUMBERED[`${struct}.${field.name}`];
  if (numbered !== undefined) return { names: numbered, isBits: false };
  const role = structNamed(struct)!.fields.find(({ name }) => name === field.name)!.role;
  if (role.is === "flags" && role.names) return { names: role.names, isBits: true };
  return role.is === "enum" ? { names: role.names, isBits: false } : undefined;
}

function valueNames(value: bigint, names: Names, isBits: boolean): string[] {
  return Object.entries(names.values).filter(([, number]) => {
    const wanted = BigInt(number);
    return isBits ? wanted !== 0n && (value & wanted) !== 0n : value === wanted;
  }).map(([name]) => name);
}

class Observer {
  readonly #seen: Seen;
  readonly #files = new Map<number, FileKind>();

  constructor(seen: Seen) {
    this.#seen = seen;
  }

  #note(name: string, isAnswered: boolean): void {
    this.#seen.set(name, isAnswered || this.#seen.get(name) === true);
  }

  #struct(decoded: DecodedStruct, side: "in" | "out", isAnswered: boolean): void {
    for (const field of decoded.fields) {
      if (field.direction !== side && field.direction !== "inout") continue;
      const found = namesOf(decoded.struct, field);
      if (found === undefined || Array.isArray(field.value)) continue;
      const value = BigInt(field.value as string | number);
      for (const name of valueNames(value, found.names, found.isBits)) this.#note(name, isAnswered);
      if (decoded.struct !== "DeviceFeature") continue;
      for (const name of valueNames(value & FEATURE_MASK, FEATURES, false)) this.#note(name, isAnswered);
    }
    for (const item of decoded.tail?.items ?? []) if (typeof item === "object") this.#struct(item, side, isAnswered);
    for (const capability of decoded.capabilities ?? []) this.#struct(capability, "out", isAnswered);
  }

  /** What the pointers of a request reach. */
  #pointed(entry: TraceEntry, bytes: Uint8Array, decoded: DecodedStruct, side: "in" | "out", request: string): void {
    const contents = (side === "in" ? entry.args.pointed : entry.pointed) as Readonly<Record<string, string>> | undefined;
    if (contents === undefined) return;
    const [type, pointer, structs] = DATA[request] ?? [];
    for (const { field, of } of pointedMemory(Number(entry.args.request), bytes)) {
      const content = contents[field];
      const kind = decoded.fields.find(({ name }) => name === type)?.text;
      const struct = of ?? (field === pointer && kind !== undefined ? structs?.[kind] : undefined);
      if (content === undefined || struct === undefined) continue;
      for (const item of decodeArray(struct, fromHex(content))) this.#struct(item, side, Number(entry.result) >= 0);
    }
  }

  #ioctl(entry: TraceEntry): void {
    const request = Number(entry.args.request);
    const isAnswered = Number(entry.result) >= 0;
    if (typeof entry.args.argument !== "string") return this.#note(decodeRequest(request, new Uint8Array(0)).request, isAnswered);
    const before = fromHex(entry.args.argument);
    const asked = decodeRequest(request, before);
    this.#note(asked.request, isAnswered);
    if (asked.argument === undefined) return;
    this.#struct(asked.argument, "in", isAnswered);
    this.#pointed(entry, before, asked.argument, "in", asked.request);
    if (!isAnswered) return;
    const answer = decodeRequest(request, entry.out === undefined ? before : fromHex(entry.out)).argument!;
    this.#struct(answer, "out", true);
    this.#pointed(entry, before, answer, "out", asked.request);
    for (const { name, value } of answer.fields) {
      const role = structNamed(answer.struct)!.fields.find((field) => field.name === name)!.role;
      if (role.is === "fd" && role.makes) this.#files.set(Number(value), role.of);
    }
  }

  #events(bytes: Uint8Array): void {
    let at = 0;
    while (at + EVENT_HEADER <= bytes.length) {
      const header = decodeArray("VeventHeader", bytes.subarray(at, at + EVENT_HEADER))[0]!;
      this.#struct(header, "out", true);
      const isLost = header.fields.some(({ name, value }) => name === "flags" && value !== 0);
      at += EVENT_HEADER + (isLost ? 0 : EVENT_DATA);
    }
  }

  entry(entry: TraceEntry): void {
    if (entry.call === "ioctl") return this.#ioctl(entry);
    const kind = this.#files.get(Number(entry.args.fd));
    if (entry.call === "close") this.#files.delete(Number(entry.args.fd));
    if (entry.call === "read" && entry.out !== undefined) {
      if (kind === "veventq") this.#events(fromHex(entry.out));
      if (kind === "fault") { for (const record of decodeArray("HwptPgfault", fromHex(entry.out))) this.#struct(record, "out", true); }
    }
    if (entry.call === "write" && kind === "fault") {
      for (const answer of decodeArray("HwptPageResponse", fromHex(String(entry.args.bytes)))) {
        this.#struct(answer, "in", Number(entry.result) >= 0);
      }
    }
  }
}

/** A kernel that notes in `seen` what is asked of `inner`. */
function observe(inner: Kernel, seen: Seen): Kernel {
  const observer = new Observer(seen);
  return new TappedKernel(inner, { name: inner.name, emit: (entry) => observer.entry(entry) });
}

/** What opens a kernel for a case, so that what the case asks is noted in `seen`. */
export function observing(open: (name: string) => Promise<Setup>, seen: Seen): (name: string) => Promise<Setup> {
  return async (name) => {
    const setup = await open(name);
    return { ...setup, kernel: observe(setup.kernel, seen) };
  };
}
