/**
 * What Identify answers: NVMe 1.4, 5.15.
 *
 * @module
 */
import type { Namespace } from "./namespace.ts";
import { VERSION } from "./registers.ts";

/** Bytes of every Identify answer. */
export const IDENTIFY_LENGTH = 4096;

/** What a controller says of itself. */
export interface Identity {
  /** PCI vendor. */
  readonly vendor: number;
  /** ASCII, at most 20 characters. */
  readonly serial: string;
  /** ASCII, at most 40 characters. */
  readonly model: string;
  /** ASCII, at most 8 characters. */
  readonly firmware: string;
  /** log2 of the largest transfer in pages of the smallest size; 0: no limit. */
  readonly mdts: number;
  /** Entries of the error log. */
  readonly errorEntries: number;
  /** Async event requests that may wait. */
  readonly events: number;
  /** Namespaces. */
  readonly namespaces: number;
}

/** ASCII, filled up with blanks. @throws {RangeError} if it does not fit or is not printable ASCII. */
export function padded(text: string, length: number): Uint8Array {
  if (text.length > length || !/^[ -~]*$/.test(text)) {
    throw new RangeError(`Cannot identify as "${text}": wanted at most ${length} characters of ASCII`);
  }
  return new TextEncoder().encode(text.padEnd(length));
}

/** The Identify Controller data structure. */
export function identifyController(identity: Identity): Uint8Array {
  const bytes = new Uint8Array(IDENTIFY_LENGTH);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, identity.vendor, true);
  view.setUint16(2, identity.vendor, true);
  bytes.set(padded(identity.serial, 20), 4);
  bytes.set(padded(identity.model, 40), 24);
  bytes.set(padded(identity.firmware, 8), 64);
  bytes[72] = 6; // Recommended burst: 64 commands.
  bytes[77] = identity.mdts;
  view.setUint32(80, VERSION, true);
  bytes[111] = 1; // An I/O controller.
  bytes[258] = 3; // Four Aborts at once.
  bytes[259] = identity.events - 1;
  bytes[260] = 0x03; // One firmware slot, read-only.
  bytes[261] = 0x06; // Log pages: command effects, offsets and long transfers.
  bytes[262] = identity.errorEntries - 1;
  view.setUint16(266, 353, true); // Temperature of a warning, kelvin.
  view.setUint16(268, 363, true); // Critical.
  bytes[512] = 0x66; // Submission queue entries: 64 bytes.
  bytes[513] = 0x44; // Completion queue entries: 16 bytes.
  view.setUint32(516, identity.namespaces, true);
  view.setUint16(520, 0x1d, true); // Compare, Dataset Management, Write Zeroes, Select of Get Features.
  bytes[525] = 0x07; // A volatile write cache; Flush of all namespaces.
  bytes.set(new TextEncoder().encode(`nqn.2014-08.org.nvmexpress:uuid:${uuidText(identity.serial)}`), 768);
  view.setUint16(2048, 900, true); // One power state of 9 W.
  return bytes;
}

/** The Identify Namespace data structure: one LBA format, no metadata. */
export function identifyNamespace(namespace: Namespace, serial: string): Uint8Array {
  const bytes = new Uint8Array(IDENTIFY_LENGTH);
  const view = new DataView(bytes.buffer);
  const blocks = BigInt(namespace.blocks);
  for (const at of [0, 8, 16]) view.setBigUint64(at, blocks, true);
  bytes[33] = 0x09; // Deallocated blocks read as zeros; Write Zeroes may deallocate.
  bytes[99] = namespace.readOnly ? 1 : 0;
  bytes.set(identifier(serial, namespace.id), 104);
  bytes.set(identifier(serial, namespace.id).subarray(0, 8), 120);
  bytes[130] = Math.log2(namespace.blockLength);
  return bytes;
}

/** Identifiers of active namespaces above `after`, in order. */
export function activeNamespaces(namespaces: readonly Namespace[], after: number): Uint8Array {
  const bytes = new Uint8Array(IDENTIFY_LENGTH);
  const view = new DataView(bytes.buffer);
  const above = namespaces.filter(({ id }) => id > after).slice(0, IDENTIFY_LENGTH / 4);
  above.forEach(({ id }, index) => view.setUint32(4 * index, id, true));
  return bytes;
}

/** Namespace identification descriptors: EUI64, NGUID and UUID. */
export function namespaceDescriptors(namespace: Namespace, serial: string): Uint8Array {
  const bytes = new Uint8Array(IDENTIFY_LENGTH);
  const id = identifier(serial, namespace.id);
  let at = 0;
  for (const [type, value] of [[1, id.subarray(0, 8)], [2, id], [3, uuid(serial, namespace.id)]] as const) {
    bytes[at] = type;
    bytes[at + 1] = value.length;
    bytes.set(value, at + 4);
    at += 4 + value.length;
  }
  return bytes;
}

/** 16 bytes that follow from serial number and namespace: unique in a machine, and the same in each run. FNV-1a, a lane for each byte. */
function identifier(serial: string, namespace: number): Uint8Array {
  const bytes = new Uint8Array(16);
  for (let lane = 0; lane < 16; lane++) {
    let hash = 0x811c9dc5 ^ lane;
    for (const code of new TextEncoder().encode(`${serial}/${namespace}`)) hash = Math.imul(hash ^ code, 0x01000193);
    bytes[lane] = hash >>> 24;
  }
  return bytes;
}

/** The identifier as a UUID of version 8, whose content is the maker's. */
function uuid(serial: string, namespace: number): Uint8Array {
  const bytes = identifier(serial, namespace);
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return bytes;
}

function uuidText(serial: string): string {
  const hex = [...uuid(serial, 0)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
