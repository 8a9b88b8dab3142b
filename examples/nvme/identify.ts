/**
 * Reads what Identify answers: NVMe 1.4, 5.15.
 *
 * @module
 */

/** Bytes of every answer. */
export const IDENTIFY_LENGTH = 4096;

/** What a driver needs to know of a controller. */
export interface ControllerInfo {
  /** Serial number. */
  readonly serial: string;
  /** Model. */
  readonly model: string;
  /** Firmware revision. */
  readonly firmware: string;
  /** log2 of the largest transfer in pages of CAP.MPSMIN; 0: no limit. */
  readonly mdts: number;
  /** Namespaces that there can be. */
  readonly namespaceCount: number;
  /** Version as "1.4.0". */
  readonly version: string;
  /** A cache that Flush empties. */
  readonly writeCache: boolean;
  /** Dataset Management, and so trim. */
  readonly canTrim: boolean;
  /** Write Zeroes. */
  readonly canWriteZeroes: boolean;
  /** Compare. */
  readonly canCompare: boolean;
}

/** What a driver needs to know of a namespace. */
export interface NamespaceInfo {
  /** Identifier, 1 and up. */
  readonly id: number;
  /** Blocks. */
  readonly blocks: number;
  /** Bytes of a block. */
  readonly blockLength: number;
  /** Bytes altogether. */
  readonly length: number;
  /** Writes are refused. */
  readonly writeProtected: boolean;
  /** Bytes of metadata beside each block; this driver handles 0 only. */
  readonly metadata: number;
}

function ascii(bytes: Uint8Array, at: number, length: number): string {
  return new TextDecoder("ascii").decode(bytes.subarray(at, at + length)).replaceAll("\0", " ").trim();
}

/** The Identify Controller data structure. @param bytes 4,096 of them. */
export function parseController(bytes: Uint8Array): ControllerInfo {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const version = view.getUint32(80, true);
  const optional = view.getUint16(520, true);
  return {
    serial: ascii(bytes, 4, 20),
    model: ascii(bytes, 24, 40),
    firmware: ascii(bytes, 64, 8),
    mdts: bytes[77]!,
    namespaceCount: view.getUint32(516, true),
    version: `${version >>> 16}.${(version >>> 8) & 0xff}.${version & 0xff}`,
    writeCache: (bytes[525]! & 1) !== 0,
    canCompare: (optional & 1) !== 0,
    canTrim: (optional & 4) !== 0,
    canWriteZeroes: (optional & 8) !== 0,
  };
}

/** The Identify Namespace data structure. @param bytes 4,096 of them. @throws {RangeError} if it has 2^53 bytes or more. */
export function parseNamespace(id: number, bytes: Uint8Array): NamespaceInfo {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const blocks = Number(view.getBigUint64(0, true));
  const format = bytes[26]! & 0xf;
  const blockLength = 2 ** bytes[130 + 4 * format]!;
  if (!Number.isSafeInteger(blocks * blockLength)) {
    throw new RangeError(`Cannot drive namespace ${id}: ${blocks} blocks of ${blockLength} bytes are too many`);
  }
  return {
    id,
    blocks,
    blockLength,
    length: blocks * blockLength,
    writeProtected: (bytes[99]! & 1) !== 0,
    metadata: view.getUint16(128 + 4 * format, true),
  };
}

/** The active namespace list: identifiers, in order. @param bytes 4,096 of them. */
export function parseNamespaceList(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const ids: number[] = [];
  for (let at = 0; at < bytes.length && view.getUint32(at, true) !== 0; at += 4) ids.push(view.getUint32(at, true));
  return ids;
}
