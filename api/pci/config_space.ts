/**
 * Reads configuration space: the header, BARs and both lists of capabilities.
 *
 * @module
 */

/** A capability of a PCI function. */
export interface PciCapability {
  /** Its id: PCI code and id assignment specification, chapters 2 and 3. */
  readonly id: number;
  /** Its name, or "0x.." for one that the library does not know. */
  readonly name: string;
  /** Where it begins. */
  readonly offset: number;
  /** Version of an extended capability; undefined for others, which have none in common. */
  readonly version: number | undefined;
}

/** A base address register. */
export interface PciBar {
  /** 0 to 5. A register of 64 bits has the index of its lower half. */
  readonly index: number;
  /** Memory or I/O ports. */
  readonly kind: "memory" | "io";
  /** Bits of the address: 32 or 64. */
  readonly bits: 32 | 64;
  /** Whether reads have no side effects. */
  readonly prefetchable: boolean;
  /** The address that it is set to. */
  readonly address: bigint;
}

/** Configuration space, decoded. */
export interface ConfigSpace {
  /** Vendor, 16 bits. */
  readonly vendor: number;
  /** Device, 16 bits. */
  readonly device: number;
  /** Command register, 16 bits. */
  readonly command: number;
  /** Status register, 16 bits. */
  readonly status: number;
  /** Revision, 8 bits. */
  readonly revision: number;
  /** Base class, subclass and programming interface: 24 bits. */
  readonly classCode: number;
  /** 0 a device, 1 a bridge, 2 a bridge to CardBus; others have no BARs and no capabilities that are known. */
  readonly headerType: number;
  /** Whether the device has more functions. */
  readonly multifunction: boolean;
  /** BARs that the function has. */
  readonly bars: readonly PciBar[];
  /** INTA to INTD as 1 to 4; 0: none. */
  readonly interruptPin: number;
  /** Capabilities in the order of the list. */
  readonly capabilities: readonly PciCapability[];
  /** Extended capabilities in the order of the list, from offset 256. */
  readonly extendedCapabilities: readonly PciCapability[];
}

const HEADER_LENGTH = 64;
const EXTENDED = 256;
const STATUS_CAPABILITIES = 0x10;
/** BARs and the place of the pointer to the capabilities, by header type: a device, a bridge, a bridge to CardBus. */
const HEADERS: Readonly<Record<number, { readonly bars: number; readonly pointer: number }>> = {
  0: { bars: 6, pointer: 0x34 },
  1: { bars: 2, pointer: 0x34 },
  2: { bars: 1, pointer: 0x14 },
};
/** What is read where nothing is: the list ends there. */
const NOTHING = 0xff;

const NAMES: Readonly<Record<number, string>> = {
  0x01: "power management",
  0x03: "vital product data",
  0x05: "MSI",
  0x09: "vendor specific",
  0x0a: "debug port",
  0x0d: "bridge subsystem",
  0x10: "PCI Express",
  0x11: "MSI-X",
  0x12: "SATA",
  0x13: "advanced features",
  0x14: "enhanced allocation",
};
const EXTENDED_NAMES: Readonly<Record<number, string>> = {
  0x0001: "advanced error reporting",
  0x0003: "device serial number",
  0x000b: "vendor specific",
  0x000d: "access control services",
  0x000e: "alternative routing-ID",
  0x000f: "address translation services",
  0x0010: "single root I/O virtualization",
  0x0013: "page request interface",
  0x0015: "resizable BAR",
  0x0018: "latency tolerance reporting",
  0x001b: "process address space ID",
  0x001e: "L1 PM substates",
  0x001f: "precision time measurement",
};

/**
 * Decode configuration space, as {@linkcode BoundDevice.config} or the file `config` of /sys has it.
 *
 * @param bytes 64, 256 or 4,096 bytes; capabilities behind the end are left out.
 * @throws {RangeError} if there are fewer than 64
 */
export function parseConfigSpace(bytes: Uint8Array): ConfigSpace {
  if (bytes.length < HEADER_LENGTH) throw new RangeError(`Cannot decode ${bytes.length} bytes of configuration space: 64 are the least`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const headerType = bytes[0x0e]!;
  const header = HEADERS[headerType & 0x7f];
  const status = view.getUint16(0x06, true);
  return {
    vendor: view.getUint16(0x00, true),
    device: view.getUint16(0x02, true),
    command: view.getUint16(0x04, true),
    status,
    revision: bytes[0x08]!,
    classCode: view.getUint32(0x08, true) >>> 8,
    headerType: headerType & 0x7f,
    multifunction: (headerType & 0x80) !== 0,
    bars: parseBars(view, header?.bars ?? 0),
    interruptPin: bytes[0x3d]!,
    capabilities: header !== undefined && (status & STATUS_CAPABILITIES) !== 0 ? parseCapabilities(bytes, header.pointer) : [],
    extendedCapabilities: parseExtended(view),
  };
}

function parseBars(view: DataView, count: number): PciBar[] {
  const bars: PciBar[] = [];
  for (let index = 0; index < count; index++) {
    const low = view.getUint32(0x10 + index * 4, true);
    if (low === 0) continue;
    if ((low & 1) !== 0) {
      bars.push({ index, kind: "io", bits: 32, prefetchable: false, address: BigInt((low & ~3) >>> 0) });
      continue;
    }
    const isLong = (low & 6) === 4 && index + 1 < count;
    const high = isLong ? view.getUint32(0x14 + index * 4, true) : 0;
    const address = BigInt(high) << 32n | BigInt((low & ~15) >>> 0);
    bars.push({ index, kind: "memory", bits: isLong ? 64 : 32, prefetchable: (low & 8) !== 0, address });
    if (isLong) index++;
  }
  return bars;
}

function nameOf(names: Readonly<Record<number, string>>, id: number): string {
  return names[id] ?? `0x${id.toString(16).padStart(2, "0")}`;
}

/** A list that leads back to itself ends where it does. */
function parseCapabilities(bytes: Uint8Array, pointer: number): PciCapability[] {
  const found: PciCapability[] = [];
  const seen = new Set<number>();
  for (let offset = bytes[pointer]! & ~3; offset >= HEADER_LENGTH && !seen.has(offset); offset = bytes[offset + 1]! & ~3) {
    seen.add(offset);
    if (offset + 2 > bytes.length) break;
    const id = bytes[offset]!;
    if (id === NOTHING) break;
    found.push({ id, name: nameOf(NAMES, id), offset, version: undefined });
  }
  return found;
}

function parseExtended(view: DataView): PciCapability[] {
  const found: PciCapability[] = [];
  const seen = new Set<number>();
  for (let offset = EXTENDED; offset >= EXTENDED && !seen.has(offset);) {
    seen.add(offset);
    if (offset + 4 > view.byteLength) break;
    const header = view.getUint32(offset, true);
    const id = header & 0xffff;
    if (header === 0 || header === 0xffff_ffff) break;
    // An id of 0 is an empty place that leads to the next.
    if (id !== 0) found.push({ id, name: nameOf(EXTENDED_NAMES, id), offset, version: header >>> 16 & 15 });
    offset = header >>> 20 & ~3;
  }
  return found;
}
